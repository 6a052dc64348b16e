package check_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go/internal/check"
)

type word string

func (w word) MarshalText() ([]byte, error) { return []byte(w), nil }

func TestValueFindsInvalidUTF8(t *testing.T) {
	type embedded struct{ Inner string }
	type fields struct {
		embedded

		Text   string
		Map    map[string]string
		Hidden string `json:"-"`
		secret string
	}
	for name, test := range map[string]struct {
		value any
		valid bool
	}{
		"nothing":           {nil, true},
		"a nil map":         {map[string]any(nil), true},
		"a nil pointer":     {(*fields)(nil), true},
		"text":              {"<é>", true},
		"U+FFFD":            {"\ufffd", true},
		"an escape":         {`\ufffd`, true},
		"bytes":             {[]byte("\xff"), true}, // as base64
		"nested":            {map[string]any{"a": []any{"é", 1, nil, true, 1.5}}, true},
		"a time":            {time.Unix(0, 0), true},
		"raw JSON":          {json.RawMessage(`"\ufffd"`), true},
		"what JSON omits":   {fields{Hidden: "\xff", secret: "\xff"}, true},
		"invalid":           {"\xff", false},
		"cut off":           {"c\xc3", false},
		"a surrogate":       {[]string{"\xed\xa0\x80"}, false},
		"nested, invalid":   {map[string]any{"a": []any{map[string]string{"b": "\xff"}}}, false},
		"a key":             {map[string]any{"\xff": 1}, false},
		"a field":           {fields{Text: "\xff"}, false},
		"an embedded field": {fields{embedded: embedded{Inner: "\xff"}}, false},
		"a pointer":         {&fields{Map: map[string]string{"\xff": ""}}, false},
		"an array":          {[1]string{"\xff"}, false},
		"invalid raw JSON":  {json.RawMessage("\"\xff\""), false},
		"a text marshaler":  {map[string]any{"a": word("\xff")}, false},
	} {
		require.Equal(t, test.valid, check.Value(test.value) == "", name)
	}
}
