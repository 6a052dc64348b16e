package check_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go/internal/check"
)

const (
	isEmpty   = "is empty"
	hasSpace  = "contains white space or a control character"
	isPlain   = "is neither https nor http to a loopback address (see WithInsecurePlaintextHTTP)"
	isStrange = "contains white space or another invalid character"
)

func TestSecretKey(t *testing.T) {
	for key, want := range map[string]string{
		"sk_test_dummy":   "",
		"sk_":             "",
		"":                isEmpty,
		"sk_test_dummy\n": isStrange,
		"sk_test dummy":   isStrange,
		"sk_tést":         isStrange,
		"pk_test_dummy":   "is a publishable key (pk_...); a backend needs the secret key (sk_...)",
		"PK_test_dummy":   "is a publishable key (pk_...); a backend needs the secret key (sk_...)",
		"dummy":           "does not begin with sk_",
	} {
		require.Equal(t, want, check.SecretKey(key), key)
	}
}

func TestPathSegment(t *testing.T) {
	for id, want := range map[string]string{
		"inv_1":     "",
		"a.b":       "",
		"":          isEmpty,
		"inv 1":     hasSpace,
		"inv_1\x00": hasSpace,
		"a/b":       "contains one of / ? # %",
		"a?b":       "contains one of / ? # %",
		"a#b":       "contains one of / ? # %",
		"a%2fb":     "contains one of / ? # %",
		".":         "consists of dots",
		"..":        "consists of dots",
	} {
		require.Equal(t, want, check.PathSegment(id), id)
	}
}

func TestAddress(t *testing.T) {
	for address, want := range map[string]string{
		"ada@example.com": "", "nobody": "", "": isEmpty, "\t": isEmpty, "\xff@example.com": "is not UTF-8",
	} {
		require.Equal(t, want, check.Address(address), address)
	}
}

func TestLikelyAddress(t *testing.T) {
	for address, want := range map[string]string{
		"ada@example.com":                 "",
		"d@d@example.com":                 "",
		`"ada lovelace"@example.com`:      "",
		"":                                "has no @",
		"nobody":                          "has no @",
		"nobody@":                         "has nothing on one side of the @",
		"@example.com":                    "has nothing on one side of the @",
		"a b@example.com":                 hasSpace,
		"b@example.com\r":                 hasSpace,
		"b\u0085@example.com":             hasSpace,
		" ada@example.com":                hasSpace,
		"ada@example.com, bo@example.com": hasSpace,
		"\xff@example.com":                "is not UTF-8",
	} {
		require.Equal(t, want, check.LikelyAddress(address), address)
	}
}

func TestHeader(t *testing.T) {
	for _, test := range []struct{ name, value, want string }{
		{"X-Tenant", "acme\tcorp", ""},
		{"Clerk-API-Version", "2026-05-12", ""},
		{"", "a", "has an invalid name"},
		{"a b", "a", "has an invalid name"},
		{"a:", "a", "has an invalid name"},
		{"authorization", "a", "Authorization is reserved"},
		{"x-idempotency-key", "a", "X-Idempotency-Key is reserved"},
		{"x-a", "a\r\nb", "X-A has a control character in its value"},
		{"x-a", "\x7f", "X-A has a control character in its value"},
	} {
		require.Equal(t, test.want, check.Header(test.name, test.value), test.name)
	}
}

func TestProduct(t *testing.T) {
	for _, name := range []string{"my-sdk/1.2", "~ my sdk ~"} {
		require.Empty(t, check.Product(name), name)
	}
	for _, name := range []string{"", "a\r\nb", "a\x7f", "sdk/ü", "\x1f"} {
		require.Equal(t, "is empty or has a character other than printable ASCII", check.Product(name), name)
	}
}

func TestBaseURL(t *testing.T) {
	for _, test := range []struct{ url, normal, problem string }{
		{"https://API.example.com/v1//", "https://api.example.com/v1", ""},
		{"ftp://example.com", "ftp://example.com", ""},
		{":", "", "is not a URL"},
		{"https://u:p@example.com", "", "contains credentials"},
		{"https://example.com?", "", "has a query or a fragment"},
		{"https://example.com?a", "", "has a query or a fragment"},
		{"https://example.com#", "", "has a query or a fragment"},
		{"https:///v1", "", "has no host"},
		{"", "", "has no host"},
	} {
		normal, problem := check.BaseURL(test.url)
		require.Equal(t, test.normal, normal, test.url)
		require.Equal(t, test.problem, problem, test.url)
	}
}

func TestScheme(t *testing.T) {
	for _, test := range []struct {
		url                  string
		byDefault, allowHTTP string
	}{
		{"https://example.com", "", ""},
		{"http://localhost:80/v1", "", ""},
		{"http://127.3.2.1", "", ""},
		{"http://[::ffff:127.0.0.1]", "", ""},
		{"http://example.com", isPlain, ""},
		{"http://localhost.example.com", isPlain, ""},
		{"ftp://localhost", isPlain, isPlain},
		{":", isPlain, isPlain},
	} {
		require.Equal(t, test.byDefault, check.Scheme(test.url, false), test.url)
		require.Equal(t, test.allowHTTP, check.Scheme(test.url, true), test.url)
	}
}

func TestNumbers(t *testing.T) {
	for n, want := range map[int][2]string{-1: {"is negative", "is not positive"}, 0: {"", "is not positive"}, 1: {}} {
		require.Equal(t, want, [2]string{check.NotNegative(n), check.Positive(int64(n))}, n)
	}
	for n, want := range map[int]string{-1: "is not from 2 to 4", 0: "", 1: "is not from 2 to 4", 2: "", 4: "", 5: "is not from 2 to 4"} {
		require.Equal(t, want, check.Between(n, 2, 4), n)
	}
}

func TestAddressRejectsInvisibleCharacters(t *testing.T) {
	for _, r := range "\u00ad\u034f\u061c\u180e\u200b\u200c\u200d\u200e\u200f\u202a\u202e\u2060\u2066\u2069\u3164\ufe0f\ufeff\ufff9\U000e0001" {
		for _, address := range []string{string(r) + "ada@example.com", "a" + string(r) + "da@example.com", "ada@example.com" + string(r)} {
			require.Equal(t, "contains an invisible character", check.Address(address), "%U", r)
			require.Equal(t, "contains an invisible character", check.LikelyAddress(address), "%U", r)
		}
	}
	for _, address := range []string{"ada@example.com", "ådå@exämple.com", "用户@例え.jp", "ada+tag@example.com", "👩@example.com", " ada@example.com", "مثال@example.com"} {
		require.Empty(t, check.Address(address), address)
	}
}
