package addresses_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go/internal/addresses"
)

func TestSame(t *testing.T) {
	require.True(t, addresses.Same("ada@example.com", " ADA@Example.com\n"))
	require.False(t, addresses.Same("ada@example.com", "ada.@example.com"))
	require.True(t, addresses.Has([]string{"grace@example.com", "Ada@example.com"}, "ada@example.com"))
	require.False(t, addresses.Has(nil, "ada@example.com"))
}

func TestIsOther(t *testing.T) {
	require.True(t, addresses.IsOther("grace@example.com", "ada@example.com"))
	require.False(t, addresses.IsOther("ADA@example.com", " ada@example.com"))
	require.False(t, addresses.IsOther("", "ada@example.com"), "the response has none")
	require.False(t, addresses.IsOther("ada@example.com", "ada"), "the server may complete it")
}

func TestMayBe(t *testing.T) {
	for _, test := range []struct {
		stored, requested string
		want, hasOther    bool
	}{
		{"ada@example.com", "ada+1@example.com", true, true},
		{"adalovelace@example.com", "ada.lovelace@example.com", true, true},
		{"adalovelace+1@example.com", "ada.lovelace+1@example.com", true, true},
		{"ada.lovelace@example.com", "Ada.Lovelace+1@example.com", true, true},
		{"adalovelace@example.com", "ada.lovelace+1@EXAMPLE.com", true, true},
		{"ada@xn--exmple-cua.com", "ada@exämple.com", true, true},
		{"ada@exämple.com", "ada@xn--exmple-cua.com", true, true},
		{"rene\u0301@example.com", "ren\u00e9@example.com", true, true},
		{"ada@example.com", "\uff41da@example.com", true, true},
		{"i\u0307vy@example.com", "\u0130vy@example.com", true, true},

		{"ADA+1@example.com", " ada+1@Example.com ", false, true},
		{"ada+2@example.com", "ada+1@example.com", false, true},
		{"ada@example.org", "ada+1@example.com", false, true},
		{"grace@xn--exmple-cua.com", "ada@exämple.com", false, true},
		{"ada+1@example.com", "ada@example.com", false, false},
		{"ada.lovelace@example.com", "adalovelace@example.com", false, false},
		{"", "ada@example.com", false, false},
		{"ada", "ada+1", false, false},
	} {
		require.Equal(t, test.want, addresses.MayBe(test.stored, test.requested), "%q %q", test.stored, test.requested)
		require.Equal(t, test.hasOther, addresses.HasOther(test.requested), "%q", test.requested)
	}
}
