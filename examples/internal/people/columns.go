package people

import (
	"fmt"
	"slices"
	"strings"
)

// addressColumns is what the column of addresses may be called, best first. The last ones
// are those of Outlook, Google Contacts, Google Workspace and Thunderbird.
var addressColumns = []string{
	"email_address", "email", "e-mail", "email address",
	"e-mail address", "e-mail-adresse", "e-mail 1 - value", "email address [required]", "primary email",
}

// The columns of a file.
type columns struct {
	count    int
	address  int
	metadata map[int]string // their names, by position
}

// newColumns finds the columns of the addresses and the metadata in the first line. A
// column without a name is none of them.
func newColumns(header []string, address string, metadata []string) (*columns, error) {
	positions := map[string]int{}
	var names []string
	for i, name := range header {
		name = strings.TrimSpace(name)
		if name == "" {
			continue
		}
		if _, twice := positions[strings.ToLower(name)]; twice {
			return nil, fmt.Errorf("two columns are called %q", strings.ToLower(name))
		}
		positions[strings.ToLower(name)] = i
		names = append(names, name)
	}
	find := func(name string) (int, error) {
		i, ok := positions[strings.ToLower(strings.TrimSpace(name))]
		if !ok {
			return 0, fmt.Errorf("no column is called %q; the columns are %s", name, strings.Join(names, ", "))
		}
		return i, nil
	}
	c := &columns{count: len(header), address: addressColumn(header, address), metadata: map[int]string{}}
	if c.address < 0 && address != "" {
		_, err := find(address)
		return nil, err
	}
	if c.address < 0 {
		return nil, fmt.Errorf("the first line must name the columns, separated by commas, semicolons or tabs, and one of them must be email_address; it is %q",
			strings.Join(header, ","))
	}
	for _, name := range metadata {
		i, err := find(name)
		if err != nil {
			return nil, err
		}
		c.metadata[i] = strings.TrimSpace(header[i])
	}
	return c, nil
}

// addressColumn returns the position of the column of addresses: the one with the name, or
// without one, the best; -1 if there is none.
func addressColumn(header []string, name string) int {
	names := addressColumns
	if name != "" {
		names = []string{name}
	}
	for _, name := range names {
		isIt := func(s string) bool { return strings.EqualFold(strings.TrimSpace(s), strings.TrimSpace(name)) }
		if i := slices.IndexFunc(header, isIt); i >= 0 {
			return i
		}
	}
	return -1
}

// findComma returns what separates the columns: what makes one of them that of the
// addresses, or else what the first line has most of.
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
		if err == nil && addressColumn(header, address) >= 0 {
			return comma
		}
	}
	return slices.MaxFunc(candidates, func(a, b rune) int {
		return strings.Count(firstLine, string(a)) - strings.Count(firstLine, string(b))
	})
}

func isBlank(fields []string) bool {
	return !slices.ContainsFunc(fields, func(field string) bool { return strings.TrimSpace(field) != "" })
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
