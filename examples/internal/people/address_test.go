package people_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go/examples/internal/people"
)

func TestDisplayNamesAreUnderstoodOrRefused(t *testing.T) {
	const (
		several  = "more than one address: put each on a line of its own"
		brackets = "the angle brackets do not enclose one address at the end"
	)
	for field, want := range map[string][2]string{
		"Ada <ada@example.com>":                    {"ada@example.com"},
		" Lovelace, Ada  < ada@example.com > ":     {"ada@example.com"},
		`"Lovelace, Ada" <ada@example.com>`:        {"ada@example.com"},
		"<ada@example.com>":                        {"ada@example.com"},
		"ada@example.com <ada@example.com>":        {"ada@example.com"},
		"'Ada@example.com' <ada@example.com>":      {"ada@example.com"},
		"mailto:ada@example.com":                   {"ada@example.com"},
		"Ada < MAILTO: ada@example.com>":           {"ada@example.com"},
		"ada@example.com <mailto:ada@example.com>": {"ada@example.com"}, // Outlook
		"mailto:ada":                                 {"ada"},
		`"mailto:ada"@example.com`:                   {`"mailto:ada"@example.com`},
		`"a b"@example.com`:                          {`"a b"@example.com`}, // Clerk decides
		`"a, b@c"@example.com`:                       {`"a, b@c"@example.com`},
		"nobody":                                     {"nobody"},
		"ada@example.com, grace@example.com":         {"", several},
		"ada@example.com ::: grace@example.com":      {"", several}, // Google Contacts
		"Ada <ada@example.com>; <grace@example.com>": {"", several},
		"grace@example.com, Ada <ada@example.com>":   {"", several},
		"Ada <ada@example.com> (engines)":            {"", brackets},
		"Ada <ada@example.com":                       {"", brackets},
		"Ada ada@example.com>":                       {"", brackets},
		"Ada <Lovelace> <ada@example.com>":           {"", brackets},
		"ada@example.com <Ada>":                      {"", brackets},
		"Ada <Lovelace ada@example.com>":             {"", brackets},
	} {
		list, err := people.ReadColumn([]byte("email\tname\n"+quoted(field)+"\n"), "")
		require.NoError(t, err)
		require.Len(t, list.Rows, 1, field)
		require.Equal(t, want[1], list.Rows[0].Problem, field)
		if want[1] == "" {
			require.Equal(t, want[0], list.Requests[0].EmailAddress, field)
			require.Equal(t, want[0], list.Rows[0].Address, field)
		}
	}
}

func TestUnusualAddresses(t *testing.T) {
	for address, want := range map[string]bool{
		"ada@example.com":                    false,
		"Ada.O'Hara+two_3-4@mail.example.uk": false,
		"zoë@bücher.example":                 false, // Clerk decides
		"ada@xn--bcher-kva.example":          false,
		"ada@example..com":                   true,
		"ada..lovelace@example.com":          true,
		".ada@example.com":                   true,
		"ada@example.com.":                   true,
		"ada@@example.com":                   true,
		"ada@example":                        true,
		"tel:ada@example.com":                true,
		"ada@example.com (engines)":          true,
		`"a b"@example.com`:                  true, // valid, but rarely meant
	} {
		require.Equal(t, want, people.IsUnusual(address), address)
	}
}

// quoted returns a field as it appears in CSV.
func quoted(field string) string {
	return `"` + strings.ReplaceAll(field, `"`, `""`) + `"`
}
