package people

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// decode returns the text of a file in UTF-8, in UTF-16 with a byte order mark, or in a
// character set still to be determined. The lines of the file may end in CR, LF or both; those
// of the text end in LF.
func decode(input []byte) (text []byte, set *charset, err error) {
	set = &charset{isMac: bytes.Contains(input, []byte("\r")) && !bytes.Contains(input, []byte("\n"))}
	switch {
	case bytes.HasPrefix(input, []byte("\xff\xfe")):
		input = fromUTF16(input[2:], binary.LittleEndian)
	case bytes.HasPrefix(input, []byte("\xfe\xff")):
		input = fromUTF16(input[2:], binary.BigEndian)
	}
	text, set.isUTF8 = bytes.CutPrefix(input, []byte("\ufeff"))
	text = bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n"))
	text = bytes.ReplaceAll(text, []byte("\r"), []byte("\n"))
	firstLine, _, _ := bytes.Cut(text, []byte("\n"))
	if bytes.IndexByte(firstLine, 0) >= 0 { // a workbook, or UTF-16 without a mark
		return nil, nil, errors.New(`the file is not CSV in UTF-8; save it as "CSV UTF-8"`)
	}
	return text, set, nil
}

// fromUTF16 returns a text in UTF-8. Half of a character at the end becomes U+FFFD.
func fromUTF16(input []byte, order binary.ByteOrder) []byte {
	var units []uint16
	for pair := range slices.Chunk(input, 2) {
		unit := uint16(utf8.RuneError)
		if len(pair) == 2 {
			unit = order.Uint16(pair)
		}
		units = append(units, unit)
	}
	return []byte(string(utf16.Decode(units)))
}

// cutSeparator removes a first line such as "sep=;", which names the separator of the columns
// for Excel. It returns the separator, or 0 if there is no such line.
func cutSeparator(text []byte) (comma rune, rest []byte) {
	line, rest, _ := bytes.Cut(text, []byte("\n"))
	name, value, _ := strings.Cut(strings.Trim(string(line), `" `), "=")
	comma, size := utf8.DecodeRuneInString(value)
	if !strings.EqualFold(name, "sep") || size == 0 || size < len(value) || comma == utf8.RuneError {
		return 0, text
	}
	return comma, rest
}
