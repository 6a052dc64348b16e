package jsonbody_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go/internal/jsonbody"
)

// integers lists spellings of numbers that Integer reads. Other JSON values are errors.
var integers = []struct {
	wire    string
	want    int64
	isWhole bool
}{
	{`0`, 0, true},
	{`-0`, 0, true},
	{`1791243590601`, 1791243590601, true},
	{`-7`, -7, true},
	{`9223372036854775807`, math.MaxInt64, true},
	{`-9223372036854775808`, math.MinInt64, true},
	{`1.0`, 1, true},
	{`-1.0`, -1, true},
	{`1.5`, 1, false},
	{`-1.5`, -1, false},
	{`0.1`, 0, false},
	{`1e12`, 1_000_000_000_000, true},
	{`1E+3`, 1000, true},
	{`1.791243590601e12`, 1791243590601, true},
	{`1791243590601.000`, 1791243590601, true},
	{`1791243590601000e-3`, 1791243590601, true},
	{`17912435906015e-1`, 1791243590601, false},
	{`1e-400`, 0, true},
	{`"1791243590601"`, 1791243590601, true},
	{`"0"`, 0, true},
	{`"007"`, 7, true},
	{`"\u0031"`, 1, true},
}

func TestIntegerReadsEverySpelling(t *testing.T) {
	for _, test := range integers {
		n, isWhole, err := jsonbody.Integer([]byte(test.wire))
		require.NoError(t, err, test.wire)
		require.Equal(t, test.want, n, test.wire)
		require.Equal(t, test.isWhole, isWhole, test.wire)
	}
}

func TestIntegerRejectsWhatIsNone(t *testing.T) {
	for _, wire := range []string{
		`""`, `"-1"`, `"+1"`, `"1.0"`, `"1e3"`, `" 1"`, `"1_000"`, `"0x10"`, `"٣"`, `"NaN"`, `"`, `"1`, `"\ud800"`,
		`true`, `{}`, `[]`, `[1]`, `1e999`, `9223372036854775808`, `-9223372036854775809`, `9.3e18`, `-9.3e18`,
		`"` + strings.Repeat("9", 400) + `"`,
	} {
		_, _, err := jsonbody.Integer([]byte(wire))
		require.EqualError(t, err, "it is not an integer", wire)
	}
}

// FuzzInteger: every JSON number is read like a float64, or is too large. A decoder passes it
// without white space.
func FuzzInteger(f *testing.F) {
	for _, test := range integers {
		f.Add(test.wire)
	}
	f.Fuzz(func(t *testing.T, wire string) {
		n, isWhole, err := jsonbody.Integer([]byte(wire))
		var number float64
		if strings.TrimSpace(wire) != wire || json.Unmarshal([]byte(wire), &number) != nil || wire == "null" || math.Abs(number) >= 1<<63 {
			return
		}
		require.NoError(t, err)
		require.InDelta(t, math.Trunc(number), float64(n), 0)
		if math.Abs(number) < 1<<53 {
			require.Equal(t, math.Trunc(number) == number, isWhole)
		}
	})
}
