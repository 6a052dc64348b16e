package clerk_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
)

// TestModelsAreLoggedAsGroups, so that a query can select by their fields, without
// anything secret.
func TestModelsAreLoggedAsGroups(t *testing.T) {
	inv := *pending()
	created := clerk.CreateResult{Index: 3, Request: clerk.CreateInvitationRequest{EmailAddress: address}, Outcome: clerk.OutcomeCreated, Invitation: &inv}
	rejected := clerk.CreateResult{Index: 4, Outcome: clerk.OutcomeRejected, Err: errors.New("for " + address)}
	const invitation = "v.id=" + testID + " v.status=pending v.created_at=2026-10-05T23:39:50.601Z v.expires_at=2026-11-04T23:39:50.599Z"
	for want, values := range map[string][]any{
		invitation: {inv, &inv},
		"v.ignore_existing=false v.expires_in_days=7":                                 {clerk.CreateInvitationRequest{EmailAddress: address, ExpiresInDays: 7}},
		"v.status=\"\" v.order_by=\"\" v.limit=5 v.offset=0":                          {clerk.ListInvitationsRequest{Query: address, Limit: 5}},
		"v.count=1 v.total_count=1":                                                   {clerk.InvitationList{Data: []clerk.Invitation{inv}, TotalCount: 1}},
		"v.index=3 v.outcome=created v.invitation_id=" + testID + " v.status=pending": {created, &created},
		"v.index=4 v.outcome=rejected v.error=\"for [redacted]\"":                     {rejected},
	} {
		for _, value := range values {
			var text, asJSON bytes.Buffer
			slog.New(slog.NewTextHandler(&text, nil)).Info("m", "v", value)
			require.Contains(t, text.String(), " msg=m "+want+"\n")

			slog.New(slog.NewJSONHandler(&asJSON, nil)).Info("m", "v", value)
			var record struct{ V map[string]any }
			require.NoError(t, json.Unmarshal(asJSON.Bytes(), &record), "it is a group")
			require.Len(t, record.V, strings.Count(want, "="), "with the same keys")
			requireNoSecrets(t, want, asJSON.String()+text.String())
		}
	}
}
