package transport

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func FuzzRetryAfter(f *testing.F) {
	for _, seed := range []string{
		"", "0", "1", "120", "-1", "1.5", ".5", "1.", ".", "1.2.3", "1e9", "0x1p4", "NaN", "Inf", "+1", " 7 ", "soon", "99999999999999999999", "9223372036.854775807",
		"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994", "Fri, 31 Dec 9999 23:59:59 GMT", "Sun, 06 Nov 1994 08:49:37 CET",
	} {
		f.Add(seed, int64(784111770)) // 7 s before that date
	}
	f.Fuzz(func(t *testing.T, value string, now int64) {
		require.GreaterOrEqual(t, parseRetryAfter(value, time.Unix(now, 0)), time.Duration(0))
	})
}

func TestParseRetryAfter(t *testing.T) {
	now := time.Date(1994, time.November, 6, 8, 49, 30, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"120":                            2 * time.Minute,
		" 7 ":                            7 * time.Second,
		"1.5":                            2 * time.Second,
		".5":                             time.Second,
		"0":                              0,
		"-1":                             0,
		"+1":                             0,
		"1e3":                            0,
		"0x10":                           0,
		"NaN":                            0,
		"Inf":                            0,
		".":                              0,
		"1.2.3":                          0,
		"soon":                           0,
		"":                               0,
		"9223372036":                     9223372036 * time.Second,
		"9223372036.5":                   math.MaxInt64,
		"9223372037":                     math.MaxInt64,
		"99999999999999999999":           math.MaxInt64,
		strings.Repeat("9", 400):         math.MaxInt64,
		"Sun, 06 Nov 1994 08:49:37 GMT":  7 * time.Second,
		"Sunday, 06-Nov-94 08:49:37 GMT": 7 * time.Second,
		"Sun Nov  6 08:49:37 1994":       7 * time.Second,
		"Sun, 06 Nov 1994 08:49:29 GMT":  0,
		"Sun, 06 Nov 1994 08:49:37 +01":  0,
	} {
		require.Equal(t, want, parseRetryAfter(value, now), value)
	}
}
