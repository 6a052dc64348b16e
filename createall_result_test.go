package clerk_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

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

func TestProgressAsText(t *testing.T) {
	p := clerk.Progress{Listed: 1, Taken: 130, Created: 2, AlreadyInvited: 4, UserExists: 8, Rejected: 16, Repeated: 32, Unknown: 64}
	require.Equal(t, 126, p.Done())
	const counts = "clerk.Progress{listed=1 taken=130 created=2 already_invited=4 user_exists=8 rejected=16 repeated=32 unknown=64"
	require.Equal(t, counts+"}", fmt.Sprint(p))
	p.WaitUntil, p.WaitFor, p.Cause = time.Unix(0, 0), clerk.OperationCreate, errors.New("502\nBad Gateway")
	require.Equal(t, counts+` wait_until=1970-01-01T00:00:00Z wait_for=CreateInvitation cause="502 Bad Gateway"}`, fmt.Sprint(p))
}
