package clerk_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
)

func TestOutcomesAreTextsInJSON(t *testing.T) {
	counts := map[clerk.Outcome]int{clerk.OutcomeCreated: 340, clerk.OutcomeAlreadyInvited: 2, 0: 1, 9: 1}
	encoded, err := json.Marshal(counts)
	require.NoError(t, err)
	require.JSONEq(t, `{"created": 340, "already invited": 2, "Outcome(0)": 1, "Outcome(9)": 1}`, string(encoded))
	var decoded map[clerk.Outcome]int
	require.NoError(t, json.Unmarshal(encoded, &decoded))
	require.Equal(t, counts, decoded)

	encoded, err = json.Marshal([]clerk.Outcome{clerk.OutcomeUserExists, clerk.OutcomeUnknown})
	require.NoError(t, err)
	require.Equal(t, `["user exists","unknown"]`, string(encoded))
	var one clerk.Outcome
	require.EqualError(t, json.Unmarshal([]byte(`"invited"`), &one), `clerk: unknown outcome "invited"`)
	require.Error(t, json.Unmarshal([]byte(`1`), &one))
}
