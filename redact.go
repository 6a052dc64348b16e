package clerk

import (
	"strings"
	"unicode"
)

const maxLine = 300

// oneLine makes foreign text fit to be printed: on one line, not too long, without
// invisible characters, and without the words that may be an address, part of a
// URL's query, or a key. Escapes (% and \) may stand for either.
func oneLine(text string) string {
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
	words := strings.Fields(strings.Map(visible, text))
	for i, word := range words {
		if strings.ContainsAny(word, `@=%\`) || holdsKey(word) {
			words[i] = "[redacted]"
		}
	}
	line := strings.Join(words, " ")
	if len(line) > maxLine {
		line = strings.ToValidUTF8(line[:maxLine], "") + "..."
	}
	return line
}

// holdsKey reports whether word holds "sk_" and more; "sk_..." is no key.
func holdsKey(word string) bool {
	for {
		_, rest, found := strings.Cut(word, "sk_")
		if !found {
			return false
		}
		if rest != "" && (unicode.IsLetter(rune(rest[0])) || unicode.IsDigit(rune(rest[0]))) {
			return true
		}
		word = rest
	}
}
