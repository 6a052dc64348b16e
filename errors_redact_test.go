package clerk_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
)

func TestErrorTextIsOneRedactedLine(t *testing.T) {
	nasty := "first\nsecond\r\x1b[31m for ada@example.com ada%40example.com ?query=x sk_live_dummy \u202e" + strings.Repeat("long ", 100)
	body, err := json.Marshal(map[string]any{"errors": []map[string]any{{
		"code": nasty, "message": nasty, "long_message": nasty, "meta": map[string]any{"param_name": nasty},
	}}})
	require.NoError(t, err)
	for op, call := range calls {
		err := call(t.Context(), newClient(t, answering(reply(400, string(body), "X-Clerk-Trace-Id", nasty))))
		for _, bad := range []string{"\n", "\r", "\x1b", "\u202e", "ada", "query=", "sk_live"} {
			require.NotContains(t, err.Error(), bad, op)
		}
		require.Contains(t, err.Error(), "first second [31m for [redacted] [redacted] [redacted] [redacted] long")
		require.Less(t, len(err.Error()), 1300)
	}
}

func TestErrorTextRedactsWords(t *testing.T) {
	for word, redacted := range map[string]bool{
		"ada@example.com": true, "ada%40example.com": true, "ada%2540example.com": true, `ada\u0040example.com`: true,
		"ada\u200b@example.com": true, "<ada@example.com>,": true, "a=b": true, "ticket%3Dx": true,
		"sk_live_dummy": true, "Bearer:sk_...sk_live_dummy": true, "(sk_...);": false, "it's": false, "/v1/invitations": false,
	} {
		err := &clerk.ClerkErrors{Errors: []clerk.ClerkError{{Code: "x", Message: "before " + word + " after"}}}
		if redacted {
			require.EqualError(t, err, "clerk: x: before [redacted] after", word)
		} else {
			require.EqualError(t, err, "clerk: x: before "+word+" after")
		}
	}
}

// A long text is cut in the middle of an address.
func TestErrorTextRedactsWhereItIsCut(t *testing.T) {
	for n := range 40 {
		message := strings.Repeat("\n", 1150+n) + " ada.lovelace@example.com and more" + strings.Repeat("\n", 500)
		err := &clerk.ClerkErrors{Errors: []clerk.ClerkError{{Code: "x", Message: message}}}
		require.NotContains(t, err.Error(), "ada", n)
	}
}

// Addresses, keys and tickets can be written in several forms.
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

// Error texts contain secrets in unusual forms.
func TestRedactionOfDisguises(t *testing.T) {
	jwt := "eyJhbGciOiJSUzI1NiJ9.eyJpbnYiOiJpbnZfMSJ9.c2lnbmF0dXJlX29mX2l0"
	for _, text := range []string{
		jwt, "ticket " + jwt + ".", "(" + jwt + ")", "token:" + jwt, "'" + jwt + "'", "Bearer " + jwt,
		"ada＠example.com", "for ada﹫example.com", "ada&#64;example.com", "ada&#x40;example.com", "ada&commat;example.com", "ada&#064;example.com",
		"ada%40example.com", "ada%2540example.com", `ada\u0040example.com`, `ada\x40example.com`, "ada=40example.com",
		`"ada lovelace"@example.com`, `"ada \"the\" lovelace"@example.com`, `"ada lovelace"＠example.com`, "<ada@example.com>", "mailto:ada@example.com",
		"SK_TEST_DUMMY", "Sk_Test_dummy", "key=SK_LIVE_abc", "sk_test_dummy", "ada\u200b@example.com", "ada\u00ad@example.com",
	} {
		t.Run(text, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				body := fmt.Sprintf(`{"errors":[{"code":"form_param_invalid","message":%q,"long_message":%q}]}`, "no "+text+" here", text)
				var logged bytes.Buffer
				logger := slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug}))
				_, err := newClient(t, answering(reply(422, body)), clerk.WithLogger(logger)).Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: address})
				require.Error(t, err)
				for _, shown := range []string{err.Error(), logged.String()} {
					lower := strings.ToLower(shown)
					for _, secret := range []string{"ada", "lovelace", "example.com", "eyj", "c2lnbmf0", "dummy", "sk_live_abc"} {
						require.NotContains(t, lower, secret)
					}
				}
			})
		})
	}
}
