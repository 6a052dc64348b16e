package people

import (
	"errors"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// errCharset is the error for a file whose character set is uncertain.
var errCharset = errors.New(`the text is not in UTF-8, and what it is in is not certain: save the file as "CSV UTF-8"`)

// A charset determines the character set of a file: UTF-8, or Windows-1252, which Excel uses
// for "CSV" in Western Europe and the United States.
type charset struct {
	isMac   bool   // lines end in CR, so it is not Windows-1252
	isUTF8  bool   // by a byte order mark or a field
	windows string // the first field that is in Windows-1252, decoded
}

// decode returns a field in UTF-8. An error is about the whole file.
func (c *charset) decode(field string) (string, error) {
	if strings.IndexFunc(field, func(r rune) bool { return r >= utf8.RuneSelf }) < 0 {
		return field, nil
	}
	if utf8.ValidString(field) {
		c.isUTF8 = true
	} else {
		field = fromWindows1252(field)
		if c.windows == "" {
			c.windows = field
		}
	}
	if c.windows != "" && (c.isMac || c.isUTF8 || !isPlausible([]rune(field))) {
		return "", errCharset
	}
	return field, nil
}

// windows1252 lists the characters from 0x80 to 0x9f. The five that are not defined are
// control characters.
var windows1252 = []rune("€\u0081‚ƒ„…†‡ˆ‰Š‹Œ\u008dŽ\u008f\u0090‘’“”•–—˜™š›œ\u009džŸ")

// fromWindows1252 returns a text in UTF-8.
func fromWindows1252(text string) string {
	var b strings.Builder
	for _, char := range []byte(text) {
		if char >= 0x80 && char <= 0x9f {
			b.WriteRune(windows1252[char-0x80])
		} else {
			b.WriteRune(rune(char))
		}
	}
	return b.String()
}

// readable returns fields in UTF-8 to compare or to show, whatever character set they are in.
func readable(fields []string) []string {
	texts := slices.Clone(fields)
	for i, field := range fields {
		if !utf8.ValidString(field) {
			texts[i] = fromWindows1252(field)
		}
	}
	return texts
}

// isPlausible reports whether a text was in Windows-1252. The character sets of MS-DOS and the
// Macintosh, which Excel can use, have letters where Windows-1252 has symbols. Decoding such a
// file as Windows-1252 puts symbols next to letters.
func isPlausible(text []rune) bool {
	isLetter := func(i int) bool { return i >= 0 && i < len(text) && unicode.IsLetter(text[i]) }
	for i, r := range text {
		before, after := isLetter(i-1), isLetter(i+1)
		switch {
		case r < utf8.RuneSelf, r <= unicode.MaxLatin1 && unicode.IsLetter(r), strings.ContainsRune("’·\u00a0\u00ad", r):
		case strings.ContainsRune("‘“”«»¿¡®©°²³", r):
			if before && after {
				return false
			}
		case r >= 0xa0 && r <= unicode.MaxLatin1, strings.ContainsRune("–—…€", r):
			if before || after {
				return false
			}
		default:
			return false
		}
	}
	return true
}
