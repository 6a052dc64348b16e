// Package redact takes secrets and personal data out of texts from elsewhere.
package redact

import (
	"regexp"
	"strings"
	"unicode"
)

const maxLine = 300

var (
	// quotedAddress is an address whose local part is quoted, and may have spaces.
	quotedAddress = regexp.MustCompile(`"(?:[^"\\]|\\.)*"\s*(?:@|\x{FF20}|\x{FE6B}|&#|&commat;|%40)\S*`)
	// secretWord is part of a word that may be an address, also escaped, the query of a
	// URL, a secret key ("sk_..." is none) or a JSON Web Token, which tickets are.
	secretWord = regexp.MustCompile(`[@=%\\\x{FF20}\x{FE6B}]|&#|&commat;|(?i:sk_[0-9a-z])|eyJ[\w-]+\.[\w-]`)
)

const redacted = "[redacted]"

// Line returns foreign text on one line, not too long, without invisible characters
// and without words that may be secret.
func Line(text string) string {
	if len(text) > 4*maxLine { // the last word may be cut in two, so it goes
		text = text[:4*maxLine]
		text = text[:max(0, strings.LastIndexAny(text, " \n\t"))]
	}
	visible := func(r rune) rune {
		if unicode.IsSpace(r) || unicode.IsPrint(r) && r != unicode.ReplacementChar {
			return r
		}
		return -1
	}
	text = quotedAddress.ReplaceAllString(strings.Map(visible, text), redacted)
	words := strings.Fields(text)
	for i, word := range words {
		if secretWord.MatchString(word) {
			words[i] = redacted
		}
	}
	line := strings.Join(words, " ")
	if len(line) > maxLine {
		line = strings.ToValidUTF8(line[:maxLine], "") + "..."
	}
	return line
}

// Error returns an error that has a text of its own in place of its cause's.
func Error(text string, cause error) error { return &textError{text, cause} }

type textError struct {
	text  string
	cause error
}

func (e *textError) Error() string { return e.text }
func (e *textError) Unwrap() error { return e.cause }
