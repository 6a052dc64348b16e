// Package redact removes secrets and personal data from untrusted text, such as a
// server's error messages, so that it can be shown and logged.
package redact

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
)

// maxLine is the longest line, in bytes, without the ellipsis.
const maxLine = 300

// maxList is the largest number of values in the text of a list.
const maxList = 5

var (
	// quotedAddress matches an email address with a quoted local part, which may have
	// spaces.
	quotedAddress = regexp.MustCompile(`"(?:[^"\\]|\\.)*"\s*(?:@|\x{FF20}|\x{FE6B}|&#|&commat;|%40)\S*`)
	// secretWord matches part of a word that may be an email address, escaped or not, a URL's
	// query, a secret key (not the placeholder "sk_...") or a JSON Web Token, such as an
	// invitation's ticket.
	secretWord = regexp.MustCompile(`[@=%\\\x{FF20}\x{FE6B}]|&#|&commat;|(?i:sk_[0-9a-z])|eyJ[\w-]+\.[\w-]`)
)

const redacted = "[redacted]"

// Line returns text on one line of at most 300 bytes and an ellipsis, without invisible
// characters. "[redacted]" replaces each word that may be secret.
func Line(text string) string {
	if len(text) > 4*maxLine { // drops the last word, which may be half a secret
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

// List returns the texts of up to five values, each of which is one line, and how many more
// there are.
func List[S fmt.Stringer](values []S) string {
	var texts []string
	for _, value := range values[:min(len(values), maxList)] {
		texts = append(texts, value.String())
	}
	if more := len(values) - maxList; more > 0 {
		texts = append(texts, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(texts, "; ")
}

// Error returns an error that wraps cause, but shows text in place of cause's text.
func Error(text string, cause error) error { return &textError{text, cause} }

type textError struct {
	text  string
	cause error
}

func (e *textError) Error() string { return e.text }
func (e *textError) Unwrap() error { return e.cause }
