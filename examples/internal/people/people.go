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

// A List is the people in a CSV file.
type List struct {
	Rows     []Row
	Requests []clerk.CreateInvitationRequest
}

// A Row is a line of the file.
type Row struct {
	Line    int
	Address string
	Request int    // its index in Requests; -1 if the line cannot be read
	Problem string // why it cannot be read
}

// addressColumns is what the column of addresses may be called, best first.
var addressColumns = []string{"email_address", "email", "e-mail", "email address"}

// Read reads a CSV file in UTF-8, with commas or semicolons. Its first line names the
// columns. One is email_address, or email; those in metadata become the invitations'
// public metadata. A file of addresses alone needs no such line.
//
// Blank lines are skipped. A line that cannot be read is a row with a problem; a file that
// cannot be read is an error.
func Read(input []byte, metadata ...string) (*List, error) {
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
	var columns *columns
	for {
		line, fields, err := f.next()
		switch {
		case errors.Is(err, io.EOF):
			return p, nil
		case columns == nil && err != nil:
			return nil, fmt.Errorf("the first line cannot be read: %w", err)
		case err != nil:
			p.Rows = append(p.Rows, Row{Line: line, Request: -1, Problem: err.Error()})
		case isBlank(fields):
		case columns != nil:
			p.add(line, fields, columns)
		default:
			isAddress := len(fields) == 1 && strings.Contains(fields[0], "@")
			header := fields
			if isAddress {
				header = slices.Clone(addressColumns[:1])
			}
			if columns, err = newColumns(header, metadata); err != nil {
				return nil, err
			}
			if isAddress {
				p.add(line, fields, columns)
			}
		}
	}
}

func isBlank(fields []string) bool {
	return !slices.ContainsFunc(fields, func(field string) bool { return strings.TrimSpace(field) != "" })
}

// A file is a CSV file. After a record that cannot be read, it resumes at the line after
// the record's first, as a quotation mark that is not closed may have included others.
type file struct {
	input []byte // the rest
	comma rune
	line  int // of the rest's beginning, less one
	csv   *csv.Reader
}

// errQuote is the problem of a record that cannot be read.
var errQuote = errors.New("a quotation mark is missing or misplaced")

// next reads a record, and returns the line in which it begins.
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
		return f.line, nil, errQuote
	}
	if err != nil {
		return 0, nil, err
	}
	line, _ = f.csv.FieldPos(0)
	return f.line + line, fields, nil
}

// The columns of a file.
type columns struct {
	count    int
	address  int
	metadata map[int]string // their names, by position
}

// newColumns finds the columns of the address and the metadata in the first line. It
// ignores columns at the end that have no name.
func newColumns(header, metadata []string) (*columns, error) {
	for i := range header {
		header[i] = strings.TrimSpace(header[i])
	}
	for len(header) > 1 && header[len(header)-1] == "" {
		header = header[:len(header)-1]
	}
	positions := map[string]int{}
	for i, name := range header {
		name = strings.ToLower(name)
		if name == "" {
			return nil, fmt.Errorf("column %d has no name in the first line", i+1)
		}
		if _, twice := positions[name]; twice {
			return nil, fmt.Errorf("two columns are called %q", name)
		}
		positions[name] = i
	}
	c := &columns{count: len(header), address: -1, metadata: map[int]string{}}
	for _, name := range slices.Backward(addressColumns) {
		if i, ok := positions[name]; ok {
			c.address = i
		}
	}
	if c.address < 0 {
		return nil, fmt.Errorf("the first line must name the columns, separated by commas or semicolons, and one of them must be email_address; it is %q",
			strings.Join(header, ","))
	}
	for _, name := range metadata {
		i, ok := positions[strings.ToLower(name)]
		if !ok {
			return nil, fmt.Errorf("no column is called %q; the columns are %s", name, strings.Join(header, ", "))
		}
		c.metadata[i] = header[i]
	}
	return c, nil
}

// add adds the row of a line.
func (p *List) add(line int, fields []string, c *columns) {
	next := Row{Line: line, Request: -1}
	if c.address < len(fields) {
		next.Address = strings.TrimSpace(fields[c.address])
	}
	isBroken := func(s string) bool { return !utf8.ValidString(s) }
	for len(fields) > c.count && fields[len(fields)-1] == "" {
		fields = fields[:len(fields)-1]
	}
	switch {
	case len(fields) > c.count:
		next.Problem = fmt.Sprintf("%d fields, but the first line names %d", len(fields), c.count)
	case slices.ContainsFunc(fields, isBroken):
		next.Problem = "not in UTF-8"
	default:
		next.Request = len(p.Requests)
		p.Requests = append(p.Requests, clerk.CreateInvitationRequest{
			EmailAddress: next.Address, PublicMetadata: c.values(fields),
		})
	}
	p.Rows = append(p.Rows, next)
}

// values returns the metadata in a line, without empty fields; nil if there is none.
func (c *columns) values(fields []string) map[string]any {
	var data map[string]any
	for i, field := range fields {
		name, ok := c.metadata[i]
		if !ok || field == "" {
			continue
		}
		if data == nil {
			data = map[string]any{}
		}
		data[name] = field
	}
	return data
}
