package people

import (
	"bytes"
	"encoding/csv"
	"errors"
)

// A file is a CSV file. After a record that cannot be read, it resumes at the line after
// the record's first, as a quotation mark that is not closed may have included others.
type file struct {
	text  []byte // the rest
	comma rune
	line  int // of the rest's beginning, less one
	csv   *csv.Reader
}

// errQuote is the problem of a record that cannot be read.
var errQuote = errors.New("a quotation mark is missing or misplaced")

// next reads a record, and returns the line in which it begins.
func (f *file) next() (line int, fields []string, err error) {
	if f.csv == nil {
		f.csv = csv.NewReader(bytes.NewReader(f.text))
		f.csv.Comma, f.csv.FieldsPerRecord = f.comma, -1
		f.csv.TrimLeadingSpace = f.comma != '\t' // it would take empty fields for space
	}
	fields, err = f.csv.Read()
	if broken, ok := errors.AsType[*csv.ParseError](err); ok {
		for range broken.StartLine {
			_, f.text, _ = bytes.Cut(f.text, []byte("\n"))
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
