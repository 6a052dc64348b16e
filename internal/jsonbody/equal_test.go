package jsonbody_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go/internal/jsonbody"
)

func TestEqual(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want bool
	}{
		{`{"a":1,"b":[true,null]}`, ` {"b" : [true, null], "a":1.0}`, true},
		{`{"a":"<\u00e9"}`, `{"a":"\u003cé"}`, true},
		{`[1e2,1.5]`, `[100,15e-1]`, true},
		{`9007199254740993`, `9007199254740992`, false},
		{`18446744073709551615`, `1.8446744073709551615e19`, true},
		{`1e400`, `1e400`, true},
		{`1e400`, `1e401`, false},
		{`1`, `"1"`, false},
		{`{"a":null}`, `{}`, false},
		{`[1,2]`, `[2,1]`, false},
		{`{"a":{"b":[1]}}`, `{"a":{"b":[2]}}`, false},
		{`{}`, `null`, false},
		{`{}`, ``, false},
		{``, `{}`, false},
	} {
		require.Equal(t, test.want, jsonbody.Equal([]byte(test.a), []byte(test.b)), "%s and %s", test.a, test.b)
	}
}
