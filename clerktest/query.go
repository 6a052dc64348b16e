package clerktest

import (
	"slices"
	"strings"
	"unicode"

	"github.com/clerk-invitations/clerk-go"
)

// A search is a query with the rules for matching it.
type search struct {
	text  string
	rules Behavior
}

// finds reports whether an invitation matches.
func (s search) finds(inv *clerk.Invitation) bool {
	if s.text == "" || s.rules.Query == QueryIgnored {
		return true
	}
	return s.matches(inv.EmailAddress) || !s.rules.QueryWithoutIDs && s.matches(inv.ID)
}

func (s search) matches(text string) bool {
	query := s.text
	if !s.rules.QueryCaseSensitive {
		query, text = fold(query), fold(text)
	}
	switch s.rules.Query {
	case QueryWhole:
		return text == query
	case QueryBeginnings:
		return strings.HasPrefix(text, query)
	case QueryWords:
		wanted := words(query)
		return slices.ContainsFunc(words(text), func(word string) bool { return slices.Contains(wanted, word) })
	}
	return strings.Contains(text, query)
}

// fold returns an address in the form in which it is searched.
func fold(address string) string { return strings.ToLower(address) }

// words returns the words of letters and digits in a text.
func words(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}
