// Package people reads the people to invite from a CSV file, for the examples that invite
// many.
package people

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/clerk-invitations/clerk-go"
)

// A List holds the people in a CSV file.
type List struct {
	Rows     []Row
	Requests []clerk.CreateInvitationRequest
	Comma    rune     // separates the columns of the file
	Notes    []string // how the file was read, if the user should check that
}

// A Row is a line of the file.
type Row struct {
	Line    int
	Address string
	Request int    // its index in Requests; -1 if the line cannot be read
	Problem string // why it cannot be read
}

var errEmpty = errors.New("the file is empty")

// Read reads a CSV file in UTF-8, in UTF-16 with a byte order mark, or in Windows-1252.
// Commas, semicolons or tabs separate its columns, unless a line before the others, such as
// "sep=|", names another separator. Its first line names the columns. One is email_address,
// email, or the name that Outlook or Google uses. Those in metadata become the invitations'
// public metadata. A file with only addresses needs no such line. Other columns can have any
// content.
//
// An address may have a display name, as in "Ada <ada@example.com>", and the scheme mailto,
// as in a link. Blank lines are skipped. A line that cannot be read is a row with a problem. A file that cannot be read,
// or whose character set is not certain, is an error.
func Read(input []byte, metadata ...string) (*List, error) {
	return ReadColumn(input, "", metadata...)
}

// ReadColumn is like Read, with the addresses in the column of that name. If the name is "",
// it is the same as Read.
func ReadColumn(input []byte, address string, metadata ...string) (*List, error) {
	text, set, err := decode(input)
	if err != nil {
		return nil, err
	}
	f := &file{}
	if f.comma, f.text = cutSeparator(text); f.comma != 0 {
		f.line = 1
	}
	if f.comma == 0 {
		f.comma = findComma(f.text, address)
	}
	p := &List{Comma: f.comma}
	columns, err := p.readHeader(f, set, address, metadata)
	if err != nil {
		return nil, err
	}
	for {
		line, fields, err := f.next()
		switch {
		case errors.Is(err, io.EOF):
			p.note(set, columns)
			return p, nil
		case err != nil:
			p.Rows = append(p.Rows, Row{Line: line, Request: -1, Problem: err.Error()})
		case !isBlank(fields):
			if err := columns.decode(set, line, fields); err != nil {
				return nil, err
			}
			p.add(line, fields, columns)
		}
	}
}

// readHeader reads the first line that is not blank. If it is an address, it adds its row.
func (p *List) readHeader(f *file, set *charset, address string, metadata []string) (*columns, error) {
	for {
		line, fields, err := f.next()
		if errors.Is(err, io.EOF) {
			return nil, errEmpty
		}
		if err != nil {
			return nil, fmt.Errorf("the first line cannot be read: %w", err)
		}
		if isBlank(fields) {
			continue
		}
		header := readable(fields)
		isAddress := len(fields) == 1 && address == "" && strings.Contains(fields[0], "@")
		if isAddress {
			header = addressColumns[:1]
		}
		columns, err := newColumns(header, address, metadata)
		if err != nil {
			return nil, err
		}
		if err := columns.decode(set, line, fields); err != nil {
			return nil, err
		}
		if isAddress {
			p.add(line, fields, columns)
		}
		return columns, nil
	}
}

// note adds the notes about a file that was read.
func (p *List) note(set *charset, c *columns) {
	if set.windows != "" {
		p.Notes = append(p.Notes, fmt.Sprintf(`the file is not in UTF-8 and was read as Windows-1252, as in %q. If that is wrong, save it as "CSV UTF-8".`, set.windows))
	}
	if len(c.others) > 0 {
		p.Notes = append(p.Notes, fmt.Sprintf("the addresses are those in %q, not those in %s.", c.name, strings.Join(c.others, ", ")))
	}
}

// add adds the row of a line.
func (p *List) add(line int, fields []string, c *columns) {
	next := Row{Line: line, Request: -1}
	if c.address < len(fields) {
		next.Address, next.Problem = parseAddress(fields[c.address])
	}
	for len(fields) > c.count && fields[len(fields)-1] == "" {
		fields = fields[:len(fields)-1]
	}
	switch {
	case len(fields) > c.count:
		next.Problem = fmt.Sprintf("%d fields, but the first line names %d", len(fields), c.count)
	case next.Problem == "":
		next.Request = len(p.Requests)
		p.Requests = append(p.Requests, clerk.CreateInvitationRequest{
			EmailAddress: next.Address, PublicMetadata: c.values(fields),
		})
	}
	p.Rows = append(p.Rows, next)
}
