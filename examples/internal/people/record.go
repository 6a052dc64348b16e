package people

import (
	"bytes"
	"encoding/csv"
	"errors"
)

// A file is a CSV file. After a record that cannot be read, reading resumes at the line after
// the record's first line, as an unclosed quotation mark may have swallowed other lines.
type file struct {
	text  []byte // the rest
	comma rune
	line  int // of the rest's beginning, less one
	csv   *csv.Reader
}

// errQuote is the error for a record that cannot be read.
var errQuote = errors.New("a quotation mark is missing or misplaced")

// next reads a record, and returns the line in which it begins.
func (f *file) next() (line int, fields []string, err error) {
	if f.csv == nil {
		f.csv = f.reader(f.text)
	}
	fields, err = f.csv.Read()
	if broken, ok := errors.AsType[*csv.ParseError](err); ok {
		var first []byte
		for range broken.StartLine {
			first, f.text, _ = bytes.Cut(f.text, []byte("\n"))
		}
		f.line, f.csv = f.line+broken.StartLine, nil
		isInside := errors.Is(broken.Err, csv.ErrBareQuote) && broken.Line == broken.StartLine
		if isInside && bytes.Count(first, []byte(`"`))%2 == 0 { // a nickname, as in: Bob "Bobby" Smith
			lazy := f.reader(first)
			lazy.LazyQuotes = true
			fields, err = lazy.Read()
			return f.line, fields, err
		}
		return f.line, nil, errQuote
	}
	if err != nil {
		return 0, nil, err
	}
	line, _ = f.csv.FieldPos(0)
	return f.line + line, fields, nil
}

// reader returns a reader of records.
func (f *file) reader(text []byte) *csv.Reader {
	r := csv.NewReader(bytes.NewReader(text))
	r.Comma, r.FieldsPerRecord = f.comma, -1
	r.TrimLeadingSpace = f.comma != '\t' // otherwise it would take empty fields for space
	return r
}
