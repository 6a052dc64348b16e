package clerk_test

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

func TestCreate(t *testing.T) {
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
		"what is for Clerk to judge": {
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

func TestBulkCreate(t *testing.T) {
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

func TestRevoke(t *testing.T) {
	mock := httpmock.NewMockTransport()
	mock.RegisterResponder(http.MethodPost, revokeURL, reply(200, revokedJSON))
	rec := &recorder{next: mock}
	inv, err := newClient(t, rec).Invitations.Revoke(t.Context(), testID)
	require.NoError(t, err)
	require.Empty(t, rec.bodies[0])
	require.Equal(t, revoked(), inv)
}

func TestRevokeOfAnother(t *testing.T) {
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

func TestListQuery(t *testing.T) {
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
		"what is for Clerk to judge": {
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

func TestListAnswers(t *testing.T) {
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

func TestBadInputSendsNothing(t *testing.T) {
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

// refusing is a value whose JSON fails with a text that holds an address.
type refusing struct{}

func (refusing) MarshalJSON() ([]byte, error) { return nil, fmt.Errorf("not for %s", address) }

// listing is a transport that serves ids, and notes the queries it got.
type listing struct {
	ids     func() []string // as they are now
	queries []url.Values

	sameForEver bool // the offset does not matter, and everything was made just now
}

func (l *listing) RoundTrip(req *http.Request) (*http.Response, error) {
	q := req.URL.Query()
	l.queries = append(l.queries, q)
	offset, _ := strconv.Atoi(q.Get("offset"))
	limit, err := strconv.Atoi(q.Get("limit"))
	if err != nil {
		return nil, err
	}
	ids := l.ids()
	inv := clerk.Invitation{}
	if l.sameForEver {
		offset, inv.CreatedAt = 0, clerk.UnixMilli(time.Now().UnixMilli())
	}
	ids = ids[min(offset, len(ids)):]
	invs := []clerk.Invitation{}
	for _, id := range ids[:min(limit, len(ids))] {
		inv.ID = id
		invs = append(invs, inv)
	}
	resp, err := httpmock.NewJsonResponse(200, map[string]any{"data": invs, "total_count": len(l.ids())})
	if err == nil {
		resp.Header.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	}
	return resp, err
}

func ids(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprint("inv_", i)
	}
	return list
}

func TestAll(t *testing.T) {
	have := ids(25)
	server := &listing{ids: func() []string { return have }}
	req := clerk.ListInvitationsRequest{Status: clerk.InvitationStatusPending, Paginated: new(false), Limit: 10, Offset: 2}
	all := newClient(t, server).Invitations.All(t.Context(), req)
	require.Empty(t, server.queries, "nothing is requested before the loop begins")

	req.Limit = 1 // the sequence has a copy of its own
	for range 2 {
		server.queries = nil
		var got []string
		for inv, err := range all {
			require.NoError(t, err)
			got = append(got, inv.ID)
		}
		require.Equal(t, have[2:], got)
		require.Equal(t, []url.Values{
			{"status": {"pending"}, "order_by": {"+created_at"}, "paginated": {"true"}, "limit": {"10"}, "offset": {"2"}},
			{"status": {"pending"}, "order_by": {"+created_at"}, "paginated": {"true"}, "limit": {"10"}, "offset": {"12"}},
			{"status": {"pending"}, "order_by": {"+created_at"}, "paginated": {"true"}, "limit": {"10"}, "offset": {"22"}},
		}, server.queries)
	}
}

func TestAllIsLazy(t *testing.T) {
	server := &listing{ids: func() []string { return ids(25) }}
	for inv, err := range newClient(t, server).Invitations.All(t.Context(), clerk.ListInvitationsRequest{Limit: 10}) {
		require.NoError(t, err)
		if inv.ID == "inv_9" { // the last of the first page
			break
		}
	}
	require.Len(t, server.queries, 1)
}

func TestAllAsksForTheLargestPages(t *testing.T) {
	server := &listing{ids: func() []string { return nil }}
	for range newClient(t, server).Invitations.All(t.Context(), clerk.ListInvitationsRequest{}) {
		t.Fatal("there is none")
	}
	require.Len(t, server.queries, 1)
	require.Equal(t, "500", server.queries[0].Get("limit"))
}

func TestAllGivesEachInvitationOnce(t *testing.T) {
	// The list is newest first, and one is made before each page.
	var server *listing
	server = &listing{ids: func() []string {
		have := ids(25)
		for i := range len(server.queries) {
			have = append([]string{fmt.Sprint("inv_new_", i)}, have...)
		}
		return have
	}}
	got := map[string]int{}
	for inv, err := range newClient(t, server).Invitations.All(t.Context(), clerk.ListInvitationsRequest{Limit: 10}) {
		require.NoError(t, err)
		got[inv.ID]++
	}
	for _, id := range ids(25) {
		require.Equal(t, 1, got[id], id)
	}
}

func TestAllEndsWhenNothingNewComes(t *testing.T) {
	// This server does not know of pages.
	mock := answering(reply(200, "["+pendingJSON+"]"))
	n := 0
	for _, err := range newClient(t, mock).Invitations.All(t.Context(), clerk.ListInvitationsRequest{}) {
		require.NoError(t, err)
		n++
	}
	require.Equal(t, 1, n)
	require.Equal(t, 2, mock.GetTotalCallCount())
}

func TestAllGivesAnErrorOnce(t *testing.T) {
	mock := answering(reply(200, `{"data":[`+pendingJSON+`],"total_count":2}`), reply(400, duplicateJSON))
	var errs []error
	for inv, err := range newClient(t, mock).Invitations.All(t.Context(), clerk.ListInvitationsRequest{}) {
		if err != nil {
			require.Zero(t, inv)
		}
		errs = append(errs, err)
	}
	require.Len(t, errs, 2)
	require.NoError(t, errs[0])
	require.Equal(t, 400, asSDKError(t, errs[1]).StatusCode)
	require.Equal(t, 2, mock.GetTotalCallCount())
}

func TestAllWithCallOptions(t *testing.T) {
	rec := &recorder{next: &listing{ids: func() []string { return ids(1) }}}
	opts := []clerk.AllOption{clerk.WithHeader("X-Team", "one")}
	all := newClient(t, rec).Invitations.All(t.Context(), clerk.ListInvitationsRequest{}, opts...)
	opts[0] = clerk.WithHeader("X-Team", "two")
	for _, err := range all {
		require.NoError(t, err)
	}
	require.Equal(t, "one", rec.last.Header.Get("X-Team"))
}

// TestWholeLife takes invitations through the fake from end to end.
func TestWholeLife(t *testing.T) {
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
		for _, made := range append(several, *inv) {
			gone, err := service.Revoke(t.Context(), made.ID)
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
