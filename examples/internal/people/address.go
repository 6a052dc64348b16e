package people

import (
	"strings"
	"unicode"
)

const (
	problemSeveral  = "more than one address: put each on a line of its own"
	problemBrackets = "the angle brackets do not enclose one address at the end"
)

// parseAddress returns the address in a field. It may have a display name, as in
// "Ada <ada@example.com>". It does not check whether the address is valid.
func parseAddress(field string) (address, problem string) {
	field = strings.TrimSpace(field)
	if rest, ok := strings.CutPrefix(field, "'"); ok && rest != "" && strings.ContainsAny(rest[:1], "=+-@") {
		field = rest // the mark keeps a spreadsheet from taking the cell for a formula
	}
	name, inside, ok := strings.Cut(field, "<")
	if !ok {
		if strings.Contains(field, ">") {
			return field, problemBrackets
		}
		if countAddresses(field) > 1 {
			return field, problemSeveral
		}
		return field, ""
	}
	inside, isEnclosed := strings.CutSuffix(inside, ">")
	address = strings.TrimSpace(inside)
	name = strings.Trim(name, `"' `)
	switch {
	case strings.Count(field, "@") > 1 && !strings.EqualFold(name, address) && countAddresses(name)+countAddresses(inside) > 1:
		return field, problemSeveral
	case !isEnclosed || !strings.Contains(address, "@") || strings.ContainsAny(address, "<> \t\n"):
		return field, problemBrackets
	}
	return address, ""
}

// isAddress reports whether a field is an address, and not, say, a name with an @.
func isAddress(field string) bool {
	address, problem := parseAddress(field)
	_, domain, ok := strings.Cut(address, "@")
	return problem == "" && ok && strings.Contains(domain, ".") && !strings.ContainsFunc(address, unicode.IsSpace)
}

// countAddresses counts the words of a text that have an @. A quoted text is one word.
func countAddresses(text string) (n int) {
	if strings.HasPrefix(text, `"`) {
		return min(1, strings.Count(text, "@"))
	}
	isSeparator := func(r rune) bool { return r == ',' || r == ';' || r == '<' || unicode.IsSpace(r) }
	for word := range strings.FieldsFuncSeq(text, isSeparator) {
		if strings.Contains(word, "@") {
			n++
		}
	}
	return n
}
