package contract_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	sdk "github.com/clerk/clerk-sdk-go/v2"
	"github.com/clerk/clerk-sdk-go/v2/invitation"
	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

// A peersStage holds fakes, served over loopback, for other clients.
type peersStage struct {
	SecretKey string `json:"secretKey"`
	// Fake has users guest0 and accepted, and pending invitations for guest1 and one to revoke.
	Fake      string `json:"fake"`
	Limited   string `json:"limited"` // accepts no create
	Broken    string `json:"broken"`  // answers 500
	Proxied   string `json:"proxied"` // answers 502 and HTML
	Revocable string `json:"revocable"`
	Revoked   string `json:"revoked"`
	Accepted  string `json:"accepted"`

	fake *clerktest.Fake
}

func newPeersStage(t *testing.T) peersStage {
	t.Helper()
	serve := func(opts ...clerktest.Option) (*clerktest.Fake, string) {
		fake := clerktest.New(opts...)
		baseURL, stop := fake.Serve()
		t.Cleanup(stop)
		return fake, strings.TrimSuffix(baseURL, "/v1") // both clients add it
	}
	failing := func(fault clerktest.Fault) clerktest.Option {
		return clerktest.WithFaults(clerktest.FaultMix{Share: 1, Faults: []clerktest.Fault{fault}})
	}
	s := peersStage{SecretKey: clerktest.SecretKey}
	s.fake, s.Fake = serve()
	_, s.Limited = serve(clerktest.WithRateLimits(clerktest.RateLimits{Creates: clerktest.Limit{Per: time.Hour}}))
	_, s.Broken = serve(failing(clerktest.FaultErrorBefore))
	_, s.Proxied = serve(failing(clerktest.FaultBadGatewayAfter))

	client, err := s.fake.Client()
	require.NoError(t, err)
	invs, err := client.Invitations.BulkCreate(t.Context(), []clerk.CreateInvitationRequest{guest(1), guest(2), guest(3), guest(4)})
	require.NoError(t, err)
	s.fake.AddUser(guest(0).EmailAddress)
	s.Revocable, s.Revoked, s.Accepted = invs[1].ID, invs[2].ID, invs[3].ID
	_, err = client.Invitations.Revoke(t.Context(), s.Revoked)
	require.NoError(t, err)
	require.NoError(t, s.fake.Accept(s.Accepted))
	return s
}

// refusals lists the expected status and code of each error, for every client.
var refusals = map[string]struct {
	status int
	code   string
}{
	"duplicate":           {400, "duplicate_record"},
	"duplicate in a bulk": {400, "duplicate_record"},
	"user":                {422, "form_identifier_exists"},
	"user in a bulk":      {422, "form_identifier_exists"},
	"bad address":         {422, "form_param_format_invalid"},
	"no address":          {422, "form_param_missing"},
	"too many days":       {422, "form_param_value_invalid"},
	"too many":            {400, "bulk_size_exceeded"},
	"revoke revoked":      {400, "invitation_already_revoked"},
	"revoke accepted":     {400, "invitation_already_accepted"},
	"revoke unknown":      {404, "resource_not_found"},
	"delete unknown":      {404, "resource_not_found"},
	"wrong key":           {401, "clerk_key_invalid"},
	"rate limited":        {429, "too_many_requests"},
	"internal error":      {500, "internal_clerk_error"},
	"bad gateway":         {502, ""},
}

// TestGoSDK runs Clerk's own Go client against the fake.
func TestGoSDK(t *testing.T) {
	s := newPeersStage(t)
	connect := func(url, key string) *invitation.Client {
		return invitation.NewClient(&sdk.ClientConfig{BackendConfig: sdk.BackendConfig{URL: new(url + "/v1"), Key: new(key)}})
	}
	client := connect(s.Fake, s.SecretKey)
	ctx := t.Context()
	params := func(n int) *invitation.CreateParams {
		return &invitation.CreateParams{EmailAddress: guest(n).EmailAddress}
	}
	create := func(c *invitation.Client, p *invitation.CreateParams) error {
		_, err := c.Create(ctx, p)
		return err
	}
	bulk := func(all ...*invitation.CreateParams) error {
		_, err := client.BulkCreate(ctx, &invitation.BulkCreateParams{Invitations: all})
		return err
	}
	revoke := func(id string) error { _, err := client.Revoke(ctx, id); return err }

	inv, err := client.Create(ctx, &invitation.CreateParams{
		EmailAddress: "go@example.com", PublicMetadata: new(json.RawMessage(`{"role":"admin"}`)),
		RedirectURL: new("https://app.example.com/welcome"), Notify: new(false), IgnoreExisting: new(true),
		ExpiresInDays: new(int64(7)), TemplateSlug: new("waitlist_invitation"),
	})
	require.NoError(t, err)
	existing := s.fake.Invitations()
	made := existing[len(existing)-1]
	require.Equal(t, []any{made.ID, "go@example.com", "pending", made.URL, int64(made.ExpiresAt), int64(made.CreatedAt), `{"role":"admin"}`},
		[]any{inv.ID, inv.EmailAddress, inv.Status, inv.URL, *inv.ExpiresAt, inv.CreatedAt, string(inv.PublicMetadata)})

	several, err := client.BulkCreate(ctx, &invitation.BulkCreateParams{Invitations: []*invitation.CreateParams{params(10), params(11)}})
	require.NoError(t, err)
	require.Len(t, several.Invitations, 2)
	require.Equal(t, "guest11@example.com", several.Invitations[1].EmailAddress)

	list, err := client.List(ctx, &invitation.ListParams{
		ListParams: sdk.ListParams{Limit: new(int64(2)), Offset: new(int64(1))}, OrderBy: new("+created_at"),
	})
	require.NoError(t, err)
	require.EqualValues(t, 6, list.TotalCount)
	require.Len(t, list.Invitations, 2)
	require.Equal(t, s.Revocable, list.Invitations[0].ID)
	list, err = client.List(ctx, &invitation.ListParams{Statuses: []string{"revoked", "accepted"}})
	require.NoError(t, err)
	require.EqualValues(t, 2, list.TotalCount, "it repeats status, of which Clerk's document says nothing")
	revoked, err := client.Revoke(ctx, s.Revocable)
	require.NoError(t, err)
	require.True(t, revoked.Revoked)

	eleven := make([]*invitation.CreateParams, 11)
	for i := range eleven {
		eleven[i] = params(30 + i)
	}
	for name, call := range map[string]func() error{
		"duplicate":           func() error { return create(client, params(1)) },
		"duplicate in a bulk": func() error { return bulk(params(20), params(1)) },
		"user":                func() error { return create(client, params(0)) },
		"user in a bulk": func() error {
			return bulk(&invitation.CreateParams{EmailAddress: guest(0).EmailAddress, IgnoreExisting: new(true)})
		},
		"bad address": func() error { return create(client, &invitation.CreateParams{EmailAddress: "nobody"}) },
		"no address":  func() error { return create(client, &invitation.CreateParams{}) },
		"too many days": func() error {
			return create(client, &invitation.CreateParams{EmailAddress: "a@example.com", ExpiresInDays: new(int64(366))})
		},
		"too many":        func() error { return bulk(eleven...) },
		"revoke revoked":  func() error { return revoke(s.Revoked) },
		"revoke accepted": func() error { return revoke(s.Accepted) },
		"revoke unknown":  func() error { return revoke("inv_unknown") },
		"wrong key":       func() error { return create(connect(s.Fake, "sk_test_another"), params(21)) },
		"rate limited":    func() error { return create(connect(s.Limited, s.SecretKey), params(21)) },
		"internal error":  func() error { return create(connect(s.Broken, s.SecretKey), params(21)) },
		"bad gateway":     func() error { return create(connect(s.Proxied, s.SecretKey), params(21)) },
	} {
		t.Run(name, func(t *testing.T) {
			want, err := refusals[name], call()
			require.Error(t, err)
			refused, ok := errors.AsType[*sdk.APIErrorResponse](err)
			if want.code == "" { // the client cannot read HTML, and loses the status
				require.False(t, ok, err)
				return
			}
			require.True(t, ok, err)
			require.Equal(t, want.status, refused.HTTPStatusCode)
			require.Equal(t, want.code, refused.Errors[0].Code)
			// The client reads the trace id from the body or Clerk-Trace-Id. No observed
			// answer has either: the header is X-Clerk-Trace-Id.
			require.Empty(t, refused.TraceID)
			require.Len(t, refused.Response.Header.Get("X-Clerk-Trace-Id"), 32)
		})
	}
}

// TestJavaScriptSDK runs Clerk's own JavaScript client against the fake.
func TestJavaScriptSDK(t *testing.T) {
	needNode(t, "@clerk/backend")
	s := newPeersStage(t)
	stage, err := json.Marshal(s)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", "backend.mjs")
	cmd.Dir, cmd.Env, cmd.Stderr = "node", append(os.Environ(), "STAGE="+string(stage), "CLERK_TELEMETRY_DISABLED=1"), os.Stderr
	out, err := cmd.Output()
	require.NoError(t, err)
	var results map[string]struct {
		Result  json.RawMessage
		Status  int
		Codes   []string
		TraceID string
		Text    string
	}
	require.NoError(t, json.Unmarshal(out, &results))

	for name, want := range refusals {
		t.Run(name, func(t *testing.T) {
			got := results[name]
			require.Equal(t, want.status, got.Status, got.Text)
			if want.code != "" {
				require.Equal(t, []string{want.code}, got.Codes)
			}
		})
	}
	type inv struct {
		ID, EmailAddress, Status, URL string
		Revoked                       bool
		PublicMetadata                map[string]any
		CreatedAt                     int64
	}
	type list struct {
		Data       []inv
		TotalCount int
	}
	into := func(name string, v any) {
		require.Empty(t, results[name].Text, name)
		require.NoError(t, json.Unmarshal(results[name].Result, v), name)
	}
	var one inv
	var several []inv
	var page list
	into("create", &one)
	require.Equal(t, "javascript@example.com", one.EmailAddress)
	require.Equal(t, map[string]any{"role": "admin"}, one.PublicMetadata)
	into("bulk create", &several)
	require.Len(t, several, 2)
	into("list", &page)
	require.Equal(t, 6, page.TotalCount)
	require.Equal(t, []string{s.Revocable, s.Accepted}, []string{page.Data[0].ID, page.Data[1].ID})
	into("list pending", &page)
	require.Equal(t, 1, page.TotalCount)
	into("list revoked", &page)
	require.Equal(t, s.Revoked, page.Data[0].ID)
	into("revoke", &one)
	require.Equal(t, []any{s.Revocable, "revoked", true}, []any{one.ID, one.Status, one.Revoked})
	var gone struct {
		Object, ID string
		Deleted    bool
	}
	into("delete", &gone)
	require.Equal(t, "invitation", gone.Object)
	require.True(t, gone.Deleted)
	for _, inv := range s.fake.Invitations() {
		require.NotEqual(t, gone.ID, inv.ID)
	}
}

// needNode skips a test if the packages of node/ are not installed. With CI=true the test
// fails.
func needNode(t *testing.T, module string) {
	t.Helper()
	if _, err := os.Stat(filepath.Join("node", "node_modules", module)); err != nil {
		require.NotEqual(t, "true", os.Getenv("CI"), "npm ci has not been run in contract/node")
		t.Skip("needs Node, and npm ci in contract/node")
	}
}
