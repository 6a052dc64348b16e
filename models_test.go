package clerk_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
)

func TestInvitationRoundTrip(t *testing.T) {
	for name, wire := range map[string]string{
		"pending": pendingJSON,
		"revoked": revokedJSON,
		"nulls": `{"object":"invitation","id":"inv_1","email_address":"ada@example.com","public_metadata":null,` +
			`"status":"pending","expires_at":null,"created_at":1,"updated_at":1}`,
		"an unknown status": `{"object":"invitation","id":"inv_1","email_address":"ada@example.com","public_metadata":{},` +
			`"status":"postponed","expires_at":null,"created_at":1,"updated_at":1}`,
		"metadata of any form": `{"object":"invitation","id":"inv_1","email_address":"ada@example.com",` +
			`"public_metadata":{"big":12345678901234567890,"html":"<&>","deep":{"a":[1,null,"x"]}},` +
			`"status":"accepted","expires_at":3,"created_at":1,"updated_at":2}`,
	} {
		t.Run(name, func(t *testing.T) {
			var inv clerk.Invitation
			require.NoError(t, json.Unmarshal([]byte(wire), &inv))
			again, err := json.Marshal(inv)
			require.NoError(t, err)
			require.JSONEq(t, wire, string(again))
			require.Contains(t, string(again), `"id":"`+inv.ID+`"`)
			if name == "metadata of any form" { // JSONEq compares numbers as float64
				require.Contains(t, string(again), "12345678901234567890")
			}
		})
	}
}

func TestInvitationWithNullsAndUnknownFields(t *testing.T) {
	for _, wire := range []string{
		`{"id":"inv_1"}`,
		`{"id":"inv_1","object":null,"email_address":null,"status":null,"revoked":null,"url":null,` +
			`"expires_at":null,"created_at":null,"updated_at":null}`,
		`{"id":"inv_1","new_field":{"a":[1,2]},"another":null}`,
	} {
		client := newClient(t, answering(reply(200, wire)))
		inv, err := client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: address})
		require.NoError(t, err)
		require.Equal(t, &clerk.Invitation{ID: "inv_1"}, inv)
		require.True(t, inv.ExpiresAt.Time().IsZero())
		var metadata map[string]any
		require.NoError(t, inv.DecodePublicMetadata(&metadata))
		require.Nil(t, metadata)
	}
}

func TestDecodePublicMetadata(t *testing.T) {
	var typed struct {
		Role string
		Seat int
	}
	require.NoError(t, pending().DecodePublicMetadata(&typed))
	require.Equal(t, "admin", typed.Role)
	require.Equal(t, 7, typed.Seat)

	for _, metadata := range []string{"", "null"} {
		inv := clerk.Invitation{PublicMetadata: json.RawMessage(metadata)}
		require.NoError(t, inv.DecodePublicMetadata(&typed))
		require.Equal(t, 7, typed.Seat)
	}

	var wrong struct{ Role time.Time }
	err := pending().DecodePublicMetadata(&wrong)
	require.EqualError(t, err, "clerk: public_metadata of invitation "+testID+" does not fit into *struct { Role time.Time }")
	_, ok := errors.AsType[*time.ParseError](err)
	require.True(t, ok, "the cause, which may show the value, can be had")
}

func TestUnixMilliConvertsToTime(t *testing.T) {
	at := time.Date(2026, time.October, 6, 3, 59, 50, 601e6, time.UTC)
	m := clerk.UnixMilli(at.UnixMilli())
	require.Equal(t, at, m.Time())
	require.Equal(t, "2026-10-06T03:59:50Z", m.String())
	require.Equal(t, time.Time{}, clerk.UnixMilli(0).Time())
	require.Equal(t, "never", clerk.UnixMilli(0).String())
}

func TestInvitationListRoundTrip(t *testing.T) {
	wire := `{"data":[` + pendingJSON + `],"total_count":3}`
	var list clerk.InvitationList
	require.NoError(t, json.Unmarshal([]byte(wire), &list))
	require.Equal(t, clerk.InvitationList{Data: []clerk.Invitation{*pending()}, TotalCount: 3}, list)
	again, err := json.Marshal(list)
	require.NoError(t, err)
	require.JSONEq(t, wire, string(again))
}

func TestCreateInvitationRequestRoundTrip(t *testing.T) {
	wire := `{"email_address":"ada@example.com","public_metadata":{"seat":"7"},"redirect_url":"/welcome","notify":false,
		"ignore_existing":true,"expires_in_days":7,"template_slug":"invitation"}`
	var req clerk.CreateInvitationRequest
	require.NoError(t, json.Unmarshal([]byte(wire), &req))
	again, err := json.Marshal(req)
	require.NoError(t, err)
	require.JSONEq(t, wire, string(again))
}

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

func TestRequestsThatWouldBeChangedAreRejected(t *testing.T) {
	for field, req := range map[string]clerk.CreateInvitationRequest{
		"public_metadata": {EmailAddress: address, PublicMetadata: map[string]any{"a": []string{"\xff"}}},
		"redirect_url":    {EmailAddress: address, RedirectURL: "https://example.com/\xff"},
		"template_slug":   {EmailAddress: address, TemplateSlug: "\xff"},
		"email_address":   {EmailAddress: "ada\u200b@example.com"},
	} {
		t.Run(field, func(t *testing.T) {
			client := newClient(t, answering(reply(500, ``)))
			_, err := client.Invitations.Create(t.Context(), req)
			input, ok := errors.AsType[*clerk.InputError](err)
			require.True(t, ok, err)
			require.Equal(t, field, input.Field)
			require.ErrorIs(t, err, clerk.ErrInvalidRequest)
			_, err = client.Invitations.BulkCreate(t.Context(), []clerk.CreateInvitationRequest{{EmailAddress: address}, req})
			require.ErrorContains(t, err, "requests[1]."+field)
			results, err := createAll(t, client, slices.Values([]clerk.CreateInvitationRequest{req}), clerk.WithSkipNone())
			require.NoError(t, err)
			require.Len(t, results, 1)
			require.ErrorIs(t, results[0].Err, clerk.ErrInvalidRequest)
		})
	}
}
