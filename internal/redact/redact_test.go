package redact_test

import (
	"io"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go/internal/redact"
)

func TestLineRedactsWordsThatMayBeSecret(t *testing.T) {
	for text, want := range map[string]string{
		"":                               "",
		"plain\ttext\n on \x1b[0m lines": "plain text on [0m lines",
		"for ada@example.com, please":    "for [redacted] please",
		`for "ada lovelace"@example.com`: "for [redacted]",
		"GET https://host/x?query=ada":   "GET [redacted]",
		"key sk_test_dummy":              "key [redacted]",
		"ticket eyJhbGciOi.eyJpc3MiOi":   "ticket [redacted]",
		"sk_... is no key":               "sk_... is no key",
	} {
		require.Equal(t, want, redact.Line(text))
	}
}

func TestLineIsShortened(t *testing.T) {
	require.Equal(t, strings.Repeat("word ", 60)+"...", redact.Line(strings.Repeat("word ", 200)))
	require.Equal(t, strings.Repeat("word ", 60)+"...", redact.Line(strings.Repeat("word ", 2000)))
	require.Empty(t, redact.Line(strings.Repeat(" ", 1197)+"ada@example.com"), "half an address is not shown")
}

func TestErrorHidesTheTextOfItsCause(t *testing.T) {
	err := redact.Error("unreadable", io.EOF)
	require.EqualError(t, err, "unreadable")
	require.ErrorIs(t, err, io.EOF)
}

type number int

func (n number) String() string { return "no. " + strconv.Itoa(int(n)) }

func TestListIsShortened(t *testing.T) {
	numbers := []number{1, 2, 3, 4, 5, 6, 7}
	require.Empty(t, redact.List(numbers[:0]))
	require.Equal(t, "no. 1", redact.List(numbers[:1]))
	require.Equal(t, "no. 1; no. 2; no. 3; no. 4; no. 5", redact.List(numbers[:5]))
	require.Equal(t, "no. 1; no. 2; no. 3; no. 4; no. 5; and 2 more", redact.List(numbers))
}
