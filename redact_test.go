package clerk_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
)

// TestErrorTextsRedactEscapedAddressesAndTokens has the forms in which an address, a key
// or a ticket can be written.
func TestErrorTextsRedactEscapedAddressesAndTokens(t *testing.T) {
	for _, secret := range []string{
		"ada\uff20example.com", "ada\ufe6bexample.com", "ada&#64;example.com", "ada&#x40;example.com", "ada&commat;example.com",
		`"ada lovelace"@example.com`, `"ada \" lovelace"@example.com`, `"ada lovelace"%40example.com`,
		"SK_LIVE_DUMMY", "Sk_test_dummy", "key:sk_test_dummy.",
		"eyJhbGciOiJub25lIn0.eyJkdW1teSI6MX0.c2ln", "(eyJhbGciOiJub25lIn0.eyJkdW1teSI6MX0.)",
	} {
		err := &clerk.ClerkErrors{Errors: []clerk.ClerkError{{Code: "x", Message: "before " + secret + " after"}}}
		require.EqualError(t, err, "clerk: x: before [redacted] after", secret)
	}
	for _, harmless := range []string{`"quoted words" here`, "(sk_...)", "eyJ", "a.b.c", "R&D"} {
		err := &clerk.ClerkErrors{Errors: []clerk.ClerkError{{Code: "x", Message: "before " + harmless + " after"}}}
		require.EqualError(t, err, "clerk: x: before "+harmless+" after", harmless)
	}
}
