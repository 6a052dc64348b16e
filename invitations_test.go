package clerk_test

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

func TestCreateSendsTheRequest(t *testing.T) {
	for name, test := range map[string]struct {
		req  clerk.CreateInvitationRequest
		want string
	}{
		"the least": {
			clerk.CreateInvitationRequest{EmailAddress: address},
			`{"email_address":"ada@example.com"}`,
		},
		"everything": {
			clerk.CreateInvitationRequest{
				EmailAddress:   address,
				PublicMetadata: map[string]any{"role": "admin", "seat": 7},
				RedirectURL:    "https://app.example.com/welcome?a=1&b=2",
				Notify:         new(true),
				IgnoreExisting: true,
				ExpiresInDays:  365,
				TemplateSlug:   clerk.TemplateSlugWaitlistInvitation,
			},
			`{"email_address":"ada@example.com","public_metadata":{"role":"admin","seat":7},
			"redirect_url":"https://app.example.com/welcome?a=1&b=2","notify":true,"ignore_existing":true,
			"expires_in_days":365,"template_slug":"waitlist_invitation"}`,
		},
		"what differs from unset": {
			clerk.CreateInvitationRequest{EmailAddress: address, PublicMetadata: map[string]any{}, Notify: new(false)},
			`{"email_address":"ada@example.com","public_metadata":{},"notify":false}`,
		},
		"what only Clerk validates": {
			clerk.CreateInvitationRequest{EmailAddress: "no address", RedirectURL: "/path", ExpiresInDays: -1, TemplateSlug: "own"},
			`{"email_address":"no address","redirect_url":"/path","expires_in_days":-1,"template_slug":"own"}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			mock := httpmock.NewMockTransport()
			mock.RegisterResponder(http.MethodPost, invitationsURL, reply(200, pendingJSON))
			rec := &recorder{next: mock}
			inv, err := newClient(t, rec).Invitations.Create(t.Context(), test.req)
			require.NoError(t, err)
			require.JSONEq(t, test.want, rec.bodies[0])
			require.Equal(t, pending(), inv)
		})
	}
}

func TestBulkCreateSendsTheRequests(t *testing.T) {
	mock := httpmock.NewMockTransport()
	mock.RegisterResponder(http.MethodPost, bulkURL, reply(200, "["+pendingJSON+","+revokedJSON+"]"))
	rec := &recorder{next: mock}
	invs, err := newClient(t, rec).Invitations.BulkCreate(t.Context(), []clerk.CreateInvitationRequest{
		{EmailAddress: address, Notify: new(false)},
		{EmailAddress: "grace@example.com"},
	})
	require.NoError(t, err)
	require.JSONEq(t, `[{"email_address":"ada@example.com","notify":false},{"email_address":"grace@example.com"}]`, rec.bodies[0])
	require.Equal(t, []clerk.Invitation{*pending(), *revoked()}, invs)
}

func TestRevokeReturnsTheInvitation(t *testing.T) {
	mock := httpmock.NewMockTransport()
	mock.RegisterResponder(http.MethodPost, revokeURL, reply(200, revokedJSON))
	rec := &recorder{next: mock}
	inv, err := newClient(t, rec).Invitations.Revoke(t.Context(), testID)
	require.NoError(t, err)
	require.Empty(t, rec.bodies[0])
	require.Equal(t, revoked(), inv)
}

func TestRevokeRejectsResponseAboutAnotherInvitation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, err := newClient(t, answering(reply(200, revokedJSON))).Invitations.Revoke(t.Context(), "inv_1")
		require.ErrorIs(t, err, clerk.ErrOutcomeUnknown)
		require.ErrorContains(t, err, "the response is about something else: another invitation")
	})
}

func TestRevokeEscapesTheID(t *testing.T) {
	rec := &recorder{next: answering(reply(200, `{"id":"..ab;ü&=+"}`))}
	_, err := newClient(t, rec).Invitations.Revoke(t.Context(), "..ab;ü&=+")
	require.NoError(t, err)
	require.Equal(t, "/v1/invitations/..ab;ü&=+/revoke", rec.last.URL.Path)
	require.Equal(t, invitationsURL+"/..ab%3B%C3%BC&=+/revoke", rec.last.URL.String())
}

func TestInvalidRequestSendsNothing(t *testing.T) {
	mock := answering(reply(200, pendingJSON))
	service := newClient(t, mock).Invitations
	ctx := t.Context()
	create := func(req clerk.CreateInvitationRequest) func() error {
		return func() error { _, err := service.Create(ctx, req); return err }
	}
	bulk := func(reqs ...clerk.CreateInvitationRequest) func() error {
		return func() error { _, err := service.BulkCreate(ctx, reqs); return err }
	}
	list := func(req clerk.ListInvitationsRequest) func() error {
		return func() error { _, err := service.List(ctx, req); return err }
	}
	all := func(req clerk.ListInvitationsRequest) func() error {
		return func() (err error) {
			for _, err = range service.All(ctx, req) {
			}
			return err
		}
	}
	revoke := func(id string) func() error {
		return func() error { _, err := service.Revoke(ctx, id); return err }
	}
	good := clerk.CreateInvitationRequest{EmailAddress: address}
	for name, test := range map[string]struct {
		call func() error
		text string
	}{
		"no address":         {create(clerk.CreateInvitationRequest{}), "CreateInvitation: email_address is empty"},
		"an address of none": {create(clerk.CreateInvitationRequest{EmailAddress: " \t"}), "CreateInvitation: email_address is empty"},
		"an address of bytes": {
			create(clerk.CreateInvitationRequest{EmailAddress: "ada\xff@example.com"}), "CreateInvitation: email_address is not UTF-8",
		},
		"metadata of a channel": {
			create(clerk.CreateInvitationRequest{EmailAddress: address, PublicMetadata: map[string]any{"c": make(chan int)}}),
			"CreateInvitation: public_metadata cannot be encoded as JSON",
		},
		"metadata of no number": {
			create(clerk.CreateInvitationRequest{EmailAddress: address, PublicMetadata: map[string]any{"n": math.NaN()}}),
			"CreateInvitation: public_metadata cannot be encoded as JSON",
		},
		"metadata that refuses": {
			create(clerk.CreateInvitationRequest{EmailAddress: address, PublicMetadata: map[string]any{"n": refusing{}}}),
			"CreateInvitation: public_metadata cannot be encoded as JSON",
		},
		"a bulk of 0":               {bulk(), "CreateBulkInvitations: requests has 0 elements; a bulk has 1 to 10"},
		"a bulk of 11":              {bulk(make([]clerk.CreateInvitationRequest, 11)...), "CreateBulkInvitations: requests has 11 elements; a bulk has 1 to 10"},
		"a bulk with no address":    {bulk(good, clerk.CreateInvitationRequest{}), "CreateBulkInvitations: requests[1].email_address is empty"},
		"a bulk with such metadata": {bulk(good, clerk.CreateInvitationRequest{EmailAddress: address, PublicMetadata: map[string]any{"c": make(chan int)}}), "CreateBulkInvitations: requests[1].public_metadata cannot be encoded as JSON"},
		"a negative limit":          {list(clerk.ListInvitationsRequest{Limit: -1}), "ListInvitations: limit is negative"},
		"a negative offset":         {list(clerk.ListInvitationsRequest{Offset: -1}), "ListInvitations: offset is negative"},
		"all from a negative limit": {all(clerk.ListInvitationsRequest{Limit: -1}), "ListInvitations: limit is negative"},
		"no id":                     {revoke(""), "RevokeInvitation: invitation_id is empty"},
		"an id with a slash":        {revoke("inv_1/../2"), "RevokeInvitation: invitation_id contains one of / ? # %"},
		"an id with a query":        {revoke("inv_1?a=b"), "RevokeInvitation: invitation_id contains one of / ? # %"},
		"an id with a fragment":     {revoke("inv_1#a"), "RevokeInvitation: invitation_id contains one of / ? # %"},
		"an id with an escape":      {revoke("inv_1%2f"), "RevokeInvitation: invitation_id contains one of / ? # %"},
		"an id of white space":      {revoke(" "), "RevokeInvitation: invitation_id contains white space or a control character"},
		"an id with a tab":          {revoke("inv\t1"), "RevokeInvitation: invitation_id contains white space or a control character"},
		"an id with a zero":         {revoke("inv_1\x00"), "RevokeInvitation: invitation_id contains white space or a control character"},
		"an id of a dot":            {revoke("."), "RevokeInvitation: invitation_id consists of dots"},
		"an id of dots":             {revoke(".."), "RevokeInvitation: invitation_id consists of dots"},
	} {
		t.Run(name, func(t *testing.T) {
			err := test.call()
			require.ErrorIs(t, err, clerk.ErrInvalidRequest)
			require.ErrorContains(t, err, "clerk: "+test.text)
			require.NotContains(t, err.Error(), address)
			require.NotErrorIs(t, err, clerk.ErrOutcomeUnknown)
			require.Zero(t, asSDKError(t, err).Attempts)
		})
	}
	require.Zero(t, mock.GetTotalCallCount())
}

// refusing is a value whose JSON encoding fails with an error that contains an address.
type refusing struct{}

func (refusing) MarshalJSON() ([]byte, error) { return nil, fmt.Errorf("not for %s", address) }

func TestListSendsTheQuery(t *testing.T) {
	for name, test := range map[string]struct {
		req  clerk.ListInvitationsRequest
		want url.Values
	}{
		"nothing": {clerk.ListInvitationsRequest{}, url.Values{"paginated": {"true"}}},
		"everything": {
			clerk.ListInvitationsRequest{
				Status: clerk.InvitationStatusRevoked, Query: "ada+one@example.com", OrderBy: clerk.OrderByExpiresAt,
				Paginated: new(true), Limit: 500, Offset: 1000,
			},
			url.Values{
				"status": {"revoked"}, "query": {"ada+one@example.com"}, "order_by": {"+expires_at"},
				"paginated": {"true"}, "limit": {"500"}, "offset": {"1000"},
			},
		},
		"several statuses": {
			clerk.ListInvitationsRequest{Status: clerk.InvitationStatusPending, Statuses: []clerk.InvitationStatus{clerk.InvitationStatusExpired, clerk.InvitationStatusAccepted}},
			url.Values{"status": {"pending", "expired", "accepted"}, "paginated": {"true"}},
		},
		"what only Clerk validates": {
			clerk.ListInvitationsRequest{Status: "own", OrderBy: "own", Paginated: new(false), Limit: 501},
			url.Values{"status": {"own"}, "order_by": {"own"}, "paginated": {"false"}, "limit": {"501"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			mock := httpmock.NewMockTransport()
			mock.RegisterResponder(http.MethodGet, invitationsURL, reply(200, `[]`))
			rec := &recorder{next: mock}
			_, err := newClient(t, rec).Invitations.List(t.Context(), test.req)
			require.NoError(t, err)
			require.Equal(t, test.want, rec.last.URL.Query())
			require.Empty(t, rec.bodies[0])
		})
	}
}

func TestListReadsBothShapes(t *testing.T) {
	for body, want := range map[string]clerk.InvitationList{
		`[]`:                            {Data: []clerk.Invitation{}, TotalCount: -1},
		" \n[" + pendingJSON + "]":      {Data: []clerk.Invitation{*pending()}, TotalCount: -1},
		`{"data":[],"total_count":0}`:   {Data: []clerk.Invitation{}, TotalCount: 0},
		`{"data":null,"total_count":0}`: {TotalCount: 0},
		`{"total_count":0}`:             {TotalCount: 0},
		`{"data":[]}`:                   {Data: []clerk.Invitation{}, TotalCount: -1},
		`{"total_count":12,"data":[` + pendingJSON + `,` + revokedJSON + `],"further":true}`: {
			Data: []clerk.Invitation{*pending(), *revoked()}, TotalCount: 12,
		},
	} {
		t.Run(body[:min(30, len(body))], func(t *testing.T) {
			list, err := newClient(t, answering(reply(200, body))).Invitations.List(t.Context(), clerk.ListInvitationsRequest{})
			require.NoError(t, err)
			require.Equal(t, want, *list)
		})
	}
}

func TestGetReturnsTheInvitationWithTheID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t)
		for i := range 30 { // the query matches parts
			l.invite(t, guest(i))
		}
		all := l.fake.Invitations()
		inv, err := l.client.Invitations.Get(t.Context(), all[3].ID)
		require.NoError(t, err)
		require.Equal(t, all[3], *inv)
		_, err = l.client.Invitations.Revoke(t.Context(), all[3].ID)
		require.NoError(t, err)
		inv, err = l.client.Invitations.Get(t.Context(), all[3].ID)
		require.NoError(t, err)
		require.True(t, inv.Revoked)
		for _, id := range []string{"inv_", "inv_9", all[3].ID[:10]} {
			inv, err = l.client.Invitations.Get(t.Context(), id)
			require.Nil(t, inv)
			require.ErrorIs(t, err, clerk.ErrNotFound)
			require.EqualError(t, err, "clerk: Get: no such invitation (2 attempts)")
		}
		_, err = l.client.Invitations.Get(t.Context(), "a/b")
		require.ErrorIs(t, err, clerk.ErrInvalidRequest)
	})
}

func TestFindPendingReturnsTheNewest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t)
		l.invite(t, "not"+address)
		accepted := l.invite(t, address)
		require.NoError(t, l.fake.Accept(accepted.ID))
		_, err := l.client.Invitations.FindPending(t.Context(), address)
		require.ErrorIs(t, err, clerk.ErrNotFound)
		var last *clerk.Invitation
		for range 2 {
			last, err = l.client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: address, IgnoreExisting: true})
			require.NoError(t, err)
			time.Sleep(time.Hour)
		}
		inv, err := l.client.Invitations.FindPending(t.Context(), " "+strings.ToUpper(address))
		require.NoError(t, err)
		require.Equal(t, last, inv)
		_, err = l.client.Invitations.FindPending(t.Context(), " ")
		require.ErrorIs(t, err, clerk.ErrInvalidRequest)
	})
}

// The server's query matches everything.
func TestGetReadsAllPages(t *testing.T) {
	server := &listing{ids: func() []string { return ids(1200) }}
	_, err := newClient(t, server).Invitations.Get(t.Context(), "inv_1199")
	require.NoError(t, err)
	require.Len(t, server.queries, 3)
}

// The server ignores the query.
func TestFindPendingChecksStatusAndAddress(t *testing.T) {
	accepted := strings.Replace(pendingJSON, `"pending"`, `"accepted"`, 1)
	another := strings.Replace(pendingJSON, address, "not"+address, 1)
	client := newClient(t, answering(reply(200, `[`+accepted+`,`+another+`]`)))
	_, err := client.Invitations.FindPending(t.Context(), address)
	require.ErrorIs(t, err, clerk.ErrNotFound)
}

// TestInvitationLifecycle takes invitations through the fake from end to end, in process
// and over HTTP.
func TestInvitationLifecycle(t *testing.T) {
	fake := clerktest.New()
	client := clientOf(t, fake)
	baseURL, stop := fake.Serve()
	defer stop()
	remote, err := clerk.NewClient(fake.SecretKey(), clerk.WithBaseURL(baseURL))
	require.NoError(t, err)

	for _, service := range []*clerk.InvitationsService{client.Invitations, remote.Invitations} {
		inv, err := service.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: address, PublicMetadata: map[string]any{"seat": 7}})
		require.NoError(t, err)
		_, err = service.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: address})
		require.ErrorIs(t, err, clerk.ErrDuplicateInvitation)
		several, err := service.BulkCreate(t.Context(), []clerk.CreateInvitationRequest{{EmailAddress: "a@example.com"}, {EmailAddress: "b@example.com"}})
		require.NoError(t, err)
		page, err := service.List(t.Context(), clerk.ListInvitationsRequest{Query: address})
		require.NoError(t, err)
		require.Equal(t, clerk.InvitationList{Data: []clerk.Invitation{*inv}, TotalCount: 1}, *page)
		for _, created := range append(several, *inv) {
			gone, err := service.Revoke(t.Context(), created.ID)
			require.NoError(t, err)
			require.Equal(t, clerk.InvitationStatusRevoked, gone.Status)
		}
		_, err = service.Revoke(t.Context(), inv.ID)
		require.ErrorIs(t, err, clerk.ErrAlreadyRevoked)
		for range service.All(context.Background(), clerk.ListInvitationsRequest{}) {
			t.Fatal("the list hides what is revoked")
		}
	}
}

// A response without created_at must not count as a clock that is decades behind.
func TestCreateWithoutTimeMeasuresNoClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t)
		first := true
		client := clientThrough(t, l.fake, roundTripFunc(func(req *http.Request) (*http.Response, error) {
			if first {
				first = false
				date := time.Now().UTC().Format(http.TimeFormat)
				return reply(200, `{"id":"inv_1","email_address":"a@example.com"}`, "Date", date)(req)
			}
			return l.fake.RoundTrip(req)
		}))
		_, err := client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: "a@example.com"})
		require.NoError(t, err)
		l.fake.Fail(clerk.OperationCreate, clerktest.FaultErrorAfter)
		inv, err := client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: address})
		require.NoError(t, err)
		require.Equal(t, []clerk.Invitation{*inv}, l.fake.Invitations())
	})
}
