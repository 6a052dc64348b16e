// Package people reads whom to invite from a CSV file, for the examples that invite many.
package people

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/clerk-invitations/clerk-go"
)

// A List is what a CSV file asks for.
type List struct {
	Rows     []Row
	Requests []clerk.CreateInvitationRequest
}

// A Row is a line of the file.
type Row struct {
	Line    int
	Address string
	Request int    // its index in Requests; -1 when it cannot be read
	Problem string // why it cannot
}

// addressColumns is what the column of addresses may be called, best first.
var addressColumns = []string{"email_address", "email", "e-mail", "email address"}

// Read reads a CSV file in UTF-8, with commas or semicolons. Its first line names the
// columns: one is email_address, or email, the others become public metadata. A file of
// addresses alone needs no such line. Lines that cannot be read are rows with a problem;
// a file that cannot be understood is an error.
func Read(input []byte) (*List, error) {
	input = bytes.TrimPrefix(input, []byte("\ufeff"))
	firstLine, _, _ := bytes.Cut(input, []byte("\n"))
	switch {
	case bytes.HasPrefix(input, []byte("\xff\xfe")) || bytes.HasPrefix(input, []byte("\xfe\xff")):
		return nil, errors.New("the file is in UTF-16; save it as UTF-8")
	case len(bytes.TrimSpace(input)) == 0:
		return nil, errors.New("the file is empty")
	}
	f := &file{input: input, comma: ','}
	if bytes.IndexByte(firstLine, ',') < 0 && bytes.IndexByte(firstLine, ';') >= 0 {
		f.comma = ';'
	}
	p := &List{}
	var header []string
	address := -1
	for {
		line, fields, err := f.next()
		switch {
		case errors.Is(err, io.EOF):
			return p, nil
		case header == nil && err != nil:
			return nil, fmt.Errorf("the first line cannot be read: %w", err)
		case err != nil:
			p.Rows = append(p.Rows, Row{Line: line, Request: -1, Problem: err.Error()})
		case header != nil:
			p.add(line, fields, header, address)
		case len(fields) == 1 && strings.Contains(fields[0], "@"): // addresses alone
			header, address = addressColumns[:1], 0
			p.add(line, fields, header, address)
		default:
			header = fields
			if header, address, err = checkHeader(header); err != nil {
				return nil, err
			}
		}
	}
}

// A file is a CSV file. After a record that cannot be read it goes on with the line
// after the record's first, for a quote that is not closed may have swallowed others.
type file struct {
	input []byte // what is left
	comma rune
	line  int // of its beginning, less one
	csv   *csv.Reader
}

// next reads a record, and tells which line it begins in.
func (f *file) next() (line int, fields []string, err error) {
	if f.csv == nil {
		f.csv = csv.NewReader(bytes.NewReader(f.input))
		f.csv.Comma, f.csv.FieldsPerRecord, f.csv.TrimLeadingSpace = f.comma, -1, true
	}
	fields, err = f.csv.Read()
	if broken, ok := errors.AsType[*csv.ParseError](err); ok {
		for range broken.StartLine {
			_, f.input, _ = bytes.Cut(f.input, []byte("\n"))
		}
		f.line, f.csv = f.line+broken.StartLine, nil
		return f.line, nil, broken.Err
	}
	if err != nil {
		return 0, nil, err
	}
	line, _ = f.csv.FieldPos(0)
	return f.line + line, fields, nil
}

// checkHeader finds the column of addresses. It takes off columns at the end that have
// no name.
func checkHeader(header []string) (columns []string, address int, err error) {
	seen := map[string]int{}
	for i := range header {
		header[i] = strings.TrimSpace(header[i])
	}
	for len(header) > 1 && header[len(header)-1] == "" {
		header = header[:len(header)-1]
	}
	for i, name := range header {
		name = strings.ToLower(name)
		if name == "" {
			return nil, 0, fmt.Errorf("column %d has no name in the first line", i+1)
		}
		if _, twice := seen[name]; twice {
			return nil, 0, fmt.Errorf("two columns are called %q", name)
		}
		seen[name] = i
	}
	for _, name := range addressColumns {
		if i, ok := seen[name]; ok {
			return header, i, nil
		}
	}
	return nil, 0, fmt.Errorf("the first line has to name the columns, separated by commas or semicolons, and one of them email_address; it is %q",
		strings.Join(header, ","))
}

// add takes in a line's fields.
func (p *List) add(line int, fields, header []string, address int) {
	next := Row{Line: line, Request: -1}
	if address < len(fields) {
		next.Address = strings.TrimSpace(fields[address])
	}
	isBroken := func(s string) bool { return !utf8.ValidString(s) }
	for len(fields) > len(header) && fields[len(fields)-1] == "" {
		fields = fields[:len(fields)-1]
	}
	switch {
	case len(fields) > len(header):
		next.Problem = fmt.Sprintf("%d fields, but the first line names %d", len(fields), len(header))
	case slices.ContainsFunc(fields, isBroken):
		next.Problem = "not in UTF-8"
	default:
		next.Request = len(p.Requests)
		p.Requests = append(p.Requests, clerk.CreateInvitationRequest{
			EmailAddress: next.Address, PublicMetadata: metadata(fields, header, address),
		})
	}
	p.Rows = append(p.Rows, next)
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
