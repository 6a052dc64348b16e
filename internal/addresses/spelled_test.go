package addresses_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go/internal/addresses"
)

func TestHasRecentFindsOtherSpellings(t *testing.T) {
	for _, test := range []struct {
		stored, requested string
		want              bool
	}{
		{"ada@example.com", "ada+1@example.com", true},
		{"ada@example.com", "Ada+1@Example.com", true},
		{"adalovelace@example.com", "ada.lovelace@example.com", true},
		{"adalovelace+1@example.com", "ada.lovelace+1@example.com", true},
		{"ada.lovelace@example.com", "ada.lovelace+1@example.com", true},
		{"adalovelace@example.com", "ada.lovelace+1@EXAMPLE.com", true},
		{"ada@xn--exmple-cua.com", "ada@exämple.com", true},
		{"ada@exämple.com", "ada@xn--exmple-cua.com", true},
		{"ada@exa\u0308mple.com", "ada@xn--exmple-cua.com", true},
		{"ada@xn--exmple-cua.com", "ada+1@exämple.com", true},
		{"ada@xn--e1afmkfd.xn--p1ai", "ada@пример.рф", true},
		{"ada@xn--mnchen-ost-9db.example.com", "ada@münchen-ost.example.com", true},
		{"rene\u0301@example.com", "ren\u00e9@example.com", true},
		{"ren\u00e9@example.com", "rene\u0301@example.com", true},
		{"Le\u0323\u0302@example.com", "l\u1ec7@example.com", true},
		{"ada@example.com", "\uff41d\uff21@example.com", true},
		{"i\u0307vy@example.com", "\u0130vy@example.com", true},

		{"ada+1@example.com", "ada+1@example.com", false},
		{"ada+2@example.com", "ada+1@example.com", false},
		{"ada@example.org", "ada+1@example.com", false},
		{"ada+1@example.com", "ada@example.com", false},
		{"grace@xn--exmple-cua.com", "ada@exämple.com", false},
		{"ada@xn--exmple-cua.com", "ada@exemple.com", false},
		{"ada@exmple.com", "ada@example.com", false},
		{"ren@example.com", "rene@example.com", false},
		{"spelled:ren@example.com", "ren@example.com", false},
	} {
		var m addresses.Map
		m.SetRecent(test.stored, addresses.Entry{State: 1, ID: "inv_1"})
		require.Equal(t, test.want, m.HasRecent(test.requested), "%q %q", test.stored, test.requested)
		got, ok := m.Get(addresses.KeyOf(test.stored))
		require.True(t, ok)
		require.Equal(t, addresses.Entry{State: 1, Recent: true, ID: "inv_1"}, got)
	}
}

// TestSharedKeyIsNoAddresses: if it were, somebody else would count as invited.
func TestSharedKeyIsNoAddresses(t *testing.T) {
	var m addresses.Map
	m.SetRecent("ren\u00e9@example.com", addresses.Entry{State: 1})
	_, ok := m.Get(addresses.KeyOf("ren@example.com"))
	require.False(t, ok)
}

func TestHasRecentIgnoresWhatIsNotRecent(t *testing.T) {
	var m addresses.Map
	m.SetRecent("ada@example.com", addresses.Entry{State: 1})
	require.True(t, m.HasRecent("ada+1@example.com"))
	m.Set(addresses.KeyOf("ada@example.com"), addresses.Entry{State: 1})
	require.False(t, m.HasRecent("ada+1@example.com"))
}
