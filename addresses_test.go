package clerk

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestKeyOfIgnoresCaseAndSpace(t *testing.T) {
	key := keyOf("ada@example.com")
	for _, same := range []string{"Ada@Example.COM", " ada@example.com\t"} {
		require.Equal(t, key, keyOf(same), same)
	}
	for _, other := range []string{"", "ada@example.org", "ad@example.com", "a da@example.com", "ada@example.com."} {
		require.NotEqual(t, key, keyOf(other), other)
	}
	require.NotEqual(t, keyOf("us@example.com"), keyOf("uſ@example.com"), "they are equal only when folded")
}

func TestAddressesReturnWhatWasSet(t *testing.T) {
	const clerksID = "inv_2x1234567890123456789012345"
	require.Len(t, clerksID, 31)
	for name, test := range map[string]struct {
		outcome        Outcome
		existing, want *ExistingInvitation
	}{
		"queued":          {0, nil, nil},
		"unknown":         {OutcomeUnknown, nil, nil},
		"created":         {OutcomeCreated, &ExistingInvitation{clerksID, InvitationStatusPending}, &ExistingInvitation{clerksID, InvitationStatusPending}},
		"accepted":        {OutcomeAlreadyInvited, &ExistingInvitation{clerksID, InvitationStatusAccepted}, &ExistingInvitation{clerksID, InvitationStatusAccepted}},
		"a short id":      {OutcomeCreated, &ExistingInvitation{"inv_1", InvitationStatusPending}, &ExistingInvitation{"inv_1", InvitationStatusPending}},
		"a long id":       {OutcomeCreated, &ExistingInvitation{clerksID + "6", InvitationStatusPending}, &ExistingInvitation{clerksID + "6", InvitationStatusPending}},
		"a long one, too": {OutcomeCreated, &ExistingInvitation{strings.Repeat("x", 1000), InvitationStatusAccepted}, &ExistingInvitation{strings.Repeat("x", 1000), InvitationStatusAccepted}},
	} {
		t.Run(name, func(t *testing.T) {
			var a addresses
			a.set(keyOf("other@example.com"), OutcomeUserExists, nil)
			a.set(keyOf("ada@example.com"), test.outcome, test.existing)
			outcome, existing, ok := a.get(keyOf("ADA@example.com"))
			require.True(t, ok)
			require.Equal(t, test.outcome, outcome)
			require.Equal(t, test.want, existing)
			_, _, ok = a.get(keyOf("grace@example.com"))
			require.False(t, ok)
		})
	}
}

func TestAddressesCanBeSetAgainAndRemoved(t *testing.T) {
	var a addresses
	key := keyOf("ada@example.com")
	_, _, ok := a.get(key)
	require.False(t, ok)
	a.remove(key)

	a.set(key, OutcomeCreated, &ExistingInvitation{strings.Repeat("long", 10), InvitationStatusAccepted})
	a.set(key, OutcomeCreated, &ExistingInvitation{"inv_1", InvitationStatusPending})
	_, existing, _ := a.get(key)
	require.Equal(t, &ExistingInvitation{"inv_1", InvitationStatusPending}, existing)
	a.set(key, OutcomeUserExists, nil)
	outcome, existing, ok := a.get(key)
	require.True(t, ok)
	require.Equal(t, OutcomeUserExists, outcome)
	require.Nil(t, existing)

	a.remove(key)
	_, _, ok = a.get(key)
	require.False(t, ok)
	a.set(key, OutcomeCreated, nil)
	_, _, ok = a.get(key)
	require.True(t, ok)
}

// TestAddressesKeepManyApart fills more than one chunk.
func TestAddressesKeepManyApart(t *testing.T) {
	var a addresses
	const n = 2*addressChunk + 1
	id := func(i int) string { return fmt.Sprint("inv_", i, strings.Repeat("x", i%40)) }
	for i := range n {
		a.set(keyOf(fmt.Sprint(i, "@example.com")), OutcomeCreated, &ExistingInvitation{id(i), InvitationStatusPending})
	}
	for i := range n {
		_, existing, ok := a.get(keyOf(fmt.Sprint(i, "@example.com")))
		require.True(t, ok)
		require.Equal(t, id(i), existing.ID)
	}
}
