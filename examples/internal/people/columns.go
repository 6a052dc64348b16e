package people

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// ErrNoAddresses is the error for a file whose first line names no column of addresses.
var ErrNoAddresses = errors.New("the first line names no column of addresses")

// addressColumns lists the usual names of the column of addresses, best first. The last ones
// are used by Outlook, Google Contacts, Google Workspace and Thunderbird, and in other
// languages.
var addressColumns = []string{
	"email_address", "email", "e-mail", "email address", "e-mail address",
	"e-mail-adresse", "e-mail 1 - value", "email address [required]", "primary email",
	"adresse e-mail", "courriel", "correo electrónico", "indirizzo e-mail", "e-mailadres",
}

// columns are the columns of a file.
type columns struct {
	count    int
	address  int
	name     string         // of the column of addresses
	metadata map[int]string // their names, by position
	others   []string       // further columns that may have addresses
}

// newColumns finds the columns of the addresses and the metadata in the first line.
func newColumns(header []string, address string, metadata []string) (*columns, error) {
	candidates := addressPositions(header, address)
	if (address != "" || len(candidates) == 0) && slices.ContainsFunc(header, isAddress) {
		return nil, fmt.Errorf("the first line is no header, as it has an address: %s; "+
			"put a line above it that names the columns, one of them email", listNames(header))
	}
	if len(candidates) == 0 {
		if address != "" {
			return nil, noColumn(header, address)
		}
		return nil, fmt.Errorf("%w: %s", ErrNoAddresses, listNames(header))
	}
	c := &columns{count: len(header), address: candidates[0], name: strings.TrimSpace(header[candidates[0]]), metadata: map[int]string{}}
	for _, i := range candidates[1:] {
		if isSame(header[i], header[c.address]) {
			return nil, twice(header[i])
		}
		if address == "" {
			c.others = append(c.others, strings.TrimSpace(header[i]))
		}
	}
	for _, name := range metadata {
		i := slices.IndexFunc(header, func(s string) bool { return isSame(s, name) })
		switch {
		case i < 0:
			return nil, noColumn(header, name)
		case slices.ContainsFunc(header[i+1:], func(s string) bool { return isSame(s, name) }):
			return nil, twice(name)
		}
		c.metadata[i] = strings.TrimSpace(header[i])
	}
	return c, nil
}

func isSame(a, b string) bool { return strings.EqualFold(strings.TrimSpace(a), strings.TrimSpace(b)) }

func noColumn(header []string, name string) error {
	return fmt.Errorf("no column is called %q; the columns are %s", name, listNames(header))
}

func twice(name string) error {
	return fmt.Errorf("two columns are called %q", strings.ToLower(strings.TrimSpace(name)))
}

// listNames lists the columns that have names.
func listNames(header []string) string {
	var names []string
	for _, name := range header {
		if name = strings.TrimSpace(name); name != "" {
			names = append(names, name)
		}
	}
	return strings.Join(names, ", ")
}

// addressPositions returns the positions of the columns that may have the addresses, best
// first: those with the given name or, if it is empty, with a usual name.
func addressPositions(header []string, name string) (positions []int) {
	names := addressColumns
	if name != "" {
		names = []string{name}
	}
	for _, name := range names {
		for i := range header {
			if isSame(header[i], name) {
				positions = append(positions, i)
			}
		}
	}
	return positions
}

// findComma returns the separator of the columns: the one that yields a column of addresses
// or, if none does, the most frequent one in the first line.
func findComma(text []byte, address string) rune {
	candidates := []rune{',', ';', '\t'}
	var firstLine string
	for line := range strings.Lines(string(text)) {
		if firstLine = line; strings.TrimSpace(line) != "" {
			break
		}
	}
	for _, comma := range candidates {
		f := &file{text: text, comma: comma}
		_, header, err := f.next()
		for err == nil && isBlank(header) {
			_, header, err = f.next()
		}
		if err == nil && len(addressPositions(readable(header), address)) > 0 {
			return comma
		}
	}
	return slices.MaxFunc(candidates, func(a, b rune) int {
		return strings.Count(firstLine, string(a)) - strings.Count(firstLine, string(b))
	})
}

// decode decodes the fields of a line that are in used columns.
func (c *columns) decode(set *charset, line int, fields []string) (err error) {
	for _, i := range append([]int{c.address}, slices.Sorted(maps.Keys(c.metadata))...) {
		if i >= len(fields) {
			continue
		}
		if fields[i], err = set.decode(fields[i]); err != nil {
			return fmt.Errorf("line %d: %w", line, err)
		}
	}
	return nil
}

func isBlank(fields []string) bool {
	return !slices.ContainsFunc(fields, func(field string) bool { return strings.TrimSpace(field) != "" })
}

// values returns the metadata in a line, without empty fields, or nil if there is none.
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
