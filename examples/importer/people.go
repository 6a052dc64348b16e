package main

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/clerk-invitations/clerk-go"
)

// people is what a CSV file asks for.
type people struct {
	rows     []row
	requests []clerk.CreateInvitationRequest
}

// A row is a line of the file.
type row struct {
	line    int
	address string
	request int    // its index in requests; -1 when it cannot be read
	problem string // why it cannot
}

func (p *people) all() iter.Seq[clerk.CreateInvitationRequest] { return slices.Values(p.requests) }

// addressColumns is what the column of addresses may be called.
var addressColumns = []string{"email_address", "email", "e-mail", "email address"}

// readPeople reads a CSV file in UTF-8. Lines that cannot be read are rows with a
// problem; a file that cannot be understood is an error.
func readPeople(input []byte) (*people, error) {
	input = bytes.TrimPrefix(input, []byte("\ufeff"))
	if bytes.HasPrefix(input, []byte("\xff\xfe")) || bytes.HasPrefix(input, []byte("\xfe\xff")) {
		return nil, errors.New("the file is in UTF-16; save it as UTF-8")
	}
	r := csv.NewReader(bytes.NewReader(input))
	r.FieldsPerRecord, r.TrimLeadingSpace = -1, true
	firstLine, _, _ := bytes.Cut(input, []byte("\n"))
	if bytes.IndexByte(firstLine, ',') < 0 && bytes.IndexByte(firstLine, ';') >= 0 {
		r.Comma = ';'
	}
	header, err := r.Read()
	if err != nil {
		return nil, fmt.Errorf("the file has no first line that can be read: %w", err)
	}
	p := &people{}
	if len(header) == 1 && strings.Contains(header[0], "@") { // addresses alone
		p.add(1, header, []string{"email_address"}, 0)
		header = []string{"email_address"}
	}
	address, err := checkHeader(header)
	if err != nil {
		return nil, err
	}
	for {
		record, err := r.Read()
		if errors.Is(err, io.EOF) {
			return p, nil
		}
		if broken, ok := errors.AsType[*csv.ParseError](err); ok {
			p.rows = append(p.rows, row{line: broken.StartLine, request: -1, problem: broken.Err.Error()})
			continue
		}
		if err != nil {
			return nil, err
		}
		line, _ := r.FieldPos(0)
		p.add(line, record, header, address)
	}
}

// checkHeader finds the column of addresses.
func checkHeader(header []string) (address int, err error) {
	seen := map[string]bool{}
	address = -1
	for i, name := range header {
		header[i] = strings.TrimSpace(name)
		name = strings.ToLower(header[i])
		switch {
		case name == "":
			return 0, fmt.Errorf("column %d has no name in the first line", i+1)
		case seen[name]:
			return 0, fmt.Errorf("two columns are called %q", name)
		case slices.Contains(addressColumns, name) && address < 0:
			address = i
		}
		seen[name] = true
	}
	if address < 0 {
		return 0, fmt.Errorf("the first line names no column email_address, but %s", strings.Join(header, ", "))
	}
	return address, nil
}

// add takes in a line's fields.
func (p *people) add(line int, fields, header []string, address int) {
	next := row{line: line, request: -1}
	if address < len(fields) {
		next.address = strings.TrimSpace(fields[address])
	}
	isBroken := func(s string) bool { return !utf8.ValidString(s) }
	switch {
	case len(fields) > len(header):
		next.problem = fmt.Sprintf("%d fields for %d columns", len(fields), len(header))
	case slices.ContainsFunc(fields, isBroken):
		next.problem = "not in UTF-8"
	default:
		next.request = len(p.requests)
		p.requests = append(p.requests, clerk.CreateInvitationRequest{
			EmailAddress: next.address, PublicMetadata: metadata(fields, header, address),
		})
	}
	p.rows = append(p.rows, next)
}

// metadata is the fields beside the address that hold something; nil when there are
// none.
func metadata(fields, header []string, address int) map[string]any {
	var data map[string]any
	for i, field := range fields {
		if i == address || field == "" {
			continue
		}
		if data == nil {
			data = map[string]any{}
		}
		data[header[i]] = field
	}
	return data
}
