package people

import (
	"net/mail"
	"regexp"
	"strings"
	"unicode"
)

const (
	problemSeveral  = "more than one address: put each on a line of its own"
	problemBrackets = "the angle brackets do not enclose one address at the end"
)

// scheme matches the scheme of an address that was copied from a link.
var scheme = regexp.MustCompile(`(?i)(^|<)\s*mailto:`)

// parseAddress returns the address in a field. It may have a display name, as in
// "Ada <ada@example.com>", and the scheme mailto. It does not check whether the address is
// valid.
func parseAddress(field string) (address, problem string) {
	field = strings.TrimSpace(scheme.ReplaceAllString(field, "$1"))
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

// IsUnusual reports whether an address looks like a mistake: it is not a local part and a
// domain by RFC 5322, it needs quotation marks, or its domain has no dot. Clerk decides
// whether the address is valid.
func IsUnusual(address string) bool {
	parsed, err := mail.ParseAddress(address)
	_, domain, _ := strings.Cut(address, "@")
	return err != nil || parsed.Address != address || !strings.Contains(domain, ".")
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
