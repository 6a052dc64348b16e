package clerktest_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

var writes = map[clerk.Operation]func(context.Context, *clerk.Client, string) error{
	clerk.OperationCreate: func(ctx context.Context, c *clerk.Client, _ string) error {
		_, err := c.Invitations.Create(ctx, clerk.CreateInvitationRequest{EmailAddress: "new@example.com"})
		return err
	},
	clerk.OperationBulkCreate: func(ctx context.Context, c *clerk.Client, _ string) error {
		_, err := c.Invitations.BulkCreate(ctx, []clerk.CreateInvitationRequest{{EmailAddress: "new@example.com"}, {EmailAddress: "b@example.com"}})
		return err
	},
	clerk.OperationRevoke: func(ctx context.Context, c *clerk.Client, id string) error {
		_, err := c.Invitations.Revoke(ctx, id)
		return err
	},
}

// TestFaultsOfDelete: a raw delete meets each fault.
func TestFaultsOfDelete(t *testing.T) {
	for fault, test := range map[clerktest.Fault]struct {
		done   bool
		status int
	}{
		"":                             {true, 200},
		clerktest.FaultRefuse:          {false, 0},
		clerktest.FaultDropBefore:      {false, 0},
		clerktest.FaultDropAfter:       {true, 0},
		clerktest.FaultErrorBefore:     {false, 500},
		clerktest.FaultErrorAfter:      {true, 500},
		clerktest.FaultBadGatewayAfter: {true, 502},
		clerktest.FaultTruncateAfter:   {true, 200},
		clerktest.FaultSlowAfter:       {true, 200},
		clerktest.FaultRateLimit:       {false, 429},
		clerktest.FaultHideAfter:       {true, 0},
	} {
		t.Run(string(fault), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fake := clerktest.New()
				inv := invite(t, fake, "ada@example.com")
				fake.Fail(clerk.OperationDelete, fault)
				req, err := http.NewRequestWithContext(t.Context(), "DELETE", "https://api.clerk.com/v1/invitations/"+inv.ID, nil)
				require.NoError(t, err)
				req.Header.Set("Authorization", "Bearer "+fake.SecretKey())
				resp, err := fake.RoundTrip(req)
				require.Equal(t, test.status == 0, err != nil)
				if err == nil {
					require.Equal(t, test.status, resp.StatusCode)
				}
				require.Equal(t, test.done, len(fake.Invitations()) == 0)

				_, listed := send(t, fake, "GET", "/v1/invitations?query="+inv.ID, "")
				require.Equal(t, test.done && fault != clerktest.FaultHideAfter, listed == "[]")
				time.Sleep(2 * time.Second)
				_, listed = send(t, fake, "GET", "/v1/invitations?query=ada", "")
				require.Equal(t, test.done, listed == "[]")
			})
		})
	}
}

// done reports whether a write was performed. Before the write there is one invitation.
func done(fake *clerktest.Fake) bool {
	all := fake.Invitations()
	return len(all) != 1 || all[0].Revoked
}

// outcomes describes a write that meets each fault: whether it is performed, and which status
// a client that tries once and the fake's log see.
var outcomes = map[clerktest.Fault]struct {
	done   bool
	status int
	logged int
}{
	"":                             {true, 0, 200},
	clerktest.FaultRefuse:          {false, 0, 0},
	clerktest.FaultDropBefore:      {false, 0, 0},
	clerktest.FaultDropAfter:       {true, 0, 0},
	clerktest.FaultErrorBefore:     {false, 500, 500},
	clerktest.FaultErrorAfter:      {true, 500, 500},
	clerktest.FaultBadGatewayAfter: {true, 502, 502},
	clerktest.FaultTruncateAfter:   {true, 200, 200},
	clerktest.FaultSlowAfter:       {true, 0, 200},
	clerktest.FaultRateLimit:       {false, 429, 429},
	clerktest.FaultHideAfter:       {true, 0, 0},
}

// TestFaults: each write meets each fault, in process and over HTTP.
func TestFaults(t *testing.T) {
	once := clerk.WithRetry(clerk.RetryConfig{Strategy: clerk.RetryNone})
	for fault := range outcomes {
		for op := range writes {
			t.Run(fmt.Sprintf("%s/%s in process", fault, op), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					fake := clerktest.New()
					client, err := fake.Client(once)
					require.NoError(t, err)
					meet(t, fake, client, op, fault, fault == clerktest.FaultRefuse)
				})
			})
			t.Run(fmt.Sprintf("%s/%s over HTTP", fault, op), func(t *testing.T) {
				fake := clerktest.New()
				baseURL, stop := fake.Serve()
				defer stop()
				timeout := 15 * time.Second
				if fault == clerktest.FaultSlowAfter {
					timeout = 100 * time.Millisecond
				}
				client, err := clerk.NewClient(fake.SecretKey(), once, clerk.WithBaseURL(baseURL), clerk.WithAttemptTimeout(timeout))
				require.NoError(t, err)
				meet(t, fake, client, op, fault, false)
			})
		}
	}
}

// meet makes a write that meets a fault, and compares the result with outcomes. With notSent
// the client knows that the request was not sent.
func meet(t *testing.T, fake *clerktest.Fake, client *clerk.Client, op clerk.Operation, fault clerktest.Fault, notSent bool) {
	t.Helper()
	id := invite(t, fake, "old@example.com").ID
	fake.Fail(op, fault)
	err := writes[op](t.Context(), client, id)
	want := outcomes[fault]
	require.Equal(t, want.done, done(fake))
	log := fake.Requests()
	require.Equal(t, fault, log[len(log)-1].Fault)
	require.Equal(t, want.logged, log[len(log)-1].Status)
	if fault == "" {
		require.NoError(t, err)
		return
	}
	failed, ok := errors.AsType[*clerk.SDKError](err)
	require.True(t, ok)
	require.Equal(t, want.status, failed.StatusCode)
	require.Equal(t, fault != clerktest.FaultRateLimit && !notSent, errors.Is(err, clerk.ErrOutcomeUnknown))
}

func TestSlowResponseArrives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := clerktest.New()
		fake.Fail(clerk.OperationList, clerktest.FaultSlowAfter)
		client, err := fake.Client(clerk.WithAttemptTimeout(30 * time.Second))
		require.NoError(t, err)
		start := time.Now()
		_, err = client.Invitations.List(t.Context(), clerk.ListInvitationsRequest{})
		require.NoError(t, err)
		require.Equal(t, 20*time.Second, time.Since(start))
	})
}

func TestPlannedFaultsHappenInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := clerktest.New()
		fake.Fail(clerk.OperationList, "", clerktest.FaultErrorBefore, clerktest.FaultDropBefore)
		client, err := fake.Client()
		require.NoError(t, err)
		var attempts []int
		for range 3 {
			var meta clerk.ResponseMeta
			_, err := client.Invitations.List(t.Context(), clerk.ListInvitationsRequest{}, clerk.WithResponse(&meta))
			require.NoError(t, err)
			attempts = append(attempts, meta.Attempts)
		}
		require.Equal(t, []int{1, 3, 1}, attempts)
		require.Empty(t, fake.Invitations())
	})
}

// TestHideAfterListsTheStateBeforeTheWrite checks lists while the change of each write is
// hidden, and after that.
func TestHideAfterListsTheStateBeforeTheWrite(t *testing.T) {
	for op, write := range writes {
		synctest.Test(t, func(t *testing.T) {
			fake := clerktest.New()
			client, err := fake.Client(clerk.WithRetry(clerk.RetryConfig{Strategy: clerk.RetryNone}))
			require.NoError(t, err)
			id := invite(t, fake, "old@example.com").ID
			list := func() []clerk.Invitation {
				var all []clerk.Invitation
				for _, status := range []clerk.InvitationStatus{clerk.InvitationStatusPending, clerk.InvitationStatusRevoked} {
					page, err := client.Invitations.List(t.Context(), clerk.ListInvitationsRequest{Status: status})
					require.NoError(t, err)
					all = append(all, page.Data...)
				}
				return all
			}
			before := list()
			fake.Fail(op, clerktest.FaultHideAfter)
			require.ErrorIs(t, write(t.Context(), client, id), clerk.ErrOutcomeUnknown)
			require.Equal(t, before, list())
			require.Error(t, write(t.Context(), client, id), "another write sees the change")
			time.Sleep(2*time.Second - 1)
			require.Equal(t, before, list())
			time.Sleep(time.Nanosecond)
			require.NotEqual(t, before, list())
			require.ElementsMatch(t, fake.Invitations(), list())
		})
	}
}

func TestHideAfterTwiceListsTheFirstState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := clerktest.New()
		client, err := fake.Client(clerk.WithRetry(clerk.RetryConfig{Strategy: clerk.RetryNone}))
		require.NoError(t, err)
		fake.Fail(clerk.OperationCreate, clerktest.FaultHideAfter)
		fake.Fail(clerk.OperationRevoke, clerktest.FaultHideAfter)
		_, err = client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: "ada@example.com"})
		require.Error(t, err)
		_, err = client.Invitations.Revoke(t.Context(), fake.Invitations()[0].ID)
		require.Error(t, err)
		_, listed := send(t, fake, "GET", "/v1/invitations?status=pending&status=revoked", "")
		require.Equal(t, "[]", listed)
	})
}

func TestHideAfterHidesNoChangeOfTheTest(t *testing.T) {
	fake := clerktest.New()
	old := invite(t, fake, "old@example.com")
	fake.Fail(clerk.OperationCreate, clerktest.FaultHideAfter)
	client, err := fake.Client(clerk.WithRetry(clerk.RetryConfig{Strategy: clerk.RetryNone}))
	require.NoError(t, err)
	_, err = client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: "ada@example.com"})
	require.Error(t, err)
	require.NoError(t, fake.Expire(old.ID))
	_, listed := send(t, fake, "GET", "/v1/invitations?status=expired", "")
	require.Contains(t, listed, old.ID)
}

func TestFaultMix(t *testing.T) {
	run := func(seed uint64) (faults []clerktest.Fault, share float64) {
		fake := clerktest.New(clerktest.WithFaults(clerktest.FaultMix{
			Share: 0.2, Seed: seed, Operations: []clerk.Operation{clerk.OperationList},
			Faults: []clerktest.Fault{clerktest.FaultDropBefore, clerktest.FaultRateLimit},
		}))
		client, err := fake.Client(clerk.WithRetry(clerk.RetryConfig{Strategy: clerk.RetryNone}))
		require.NoError(t, err)
		failed := 0.0
		for range 1000 {
			_, err := client.Invitations.List(t.Context(), clerk.ListInvitationsRequest{})
			if err != nil {
				failed++
			}
		}
		for i := range 100 {
			invite(t, fake, fmt.Sprintf("a%d@example.com", i)) // no fault is set for creating
		}
		for _, req := range fake.Requests() {
			faults = append(faults, req.Fault)
		}
		return faults, failed / 1000
	}
	first, share := run(1)
	again, _ := run(1)
	other, _ := run(2)
	require.Equal(t, first, again)
	require.NotEqual(t, first, other)
	require.InDelta(t, 0.2, share, 0.04)
	require.Contains(t, first, clerktest.FaultDropBefore)
	require.Contains(t, first, clerktest.FaultRateLimit)
}

func TestFaultMixOfEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := clerktest.New(clerktest.WithFaults(clerktest.FaultMix{Share: 1}))
		client, err := fake.Client(clerk.WithRetry(clerk.RetryConfig{Strategy: clerk.RetryNone}))
		require.NoError(t, err)
		seen := map[clerktest.Fault]bool{}
		for i := range 200 {
			_, _ = client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: fmt.Sprintf("a%d@example.com", i)})
		}
		for _, req := range fake.Requests() {
			seen[req.Fault] = true
		}
		for _, fault := range clerktest.AllFaults() {
			require.True(t, seen[fault], fault)
		}
		require.Len(t, seen, len(clerktest.AllFaults()))
	})
}

func TestFaultMixOfResponses(t *testing.T) {
	fake := clerktest.New(clerktest.WithFaults(clerktest.FaultMix{
		Share: 1, Responses: []clerktest.Response{{Code: clerk.CodeQuotaExceeded}},
	}))
	resp, _ := send(t, fake, "GET", "/v1/invitations", "")
	require.Equal(t, 403, resp.StatusCode)
	fake.ClearFaults()
	resp, _ = send(t, fake, "GET", "/v1/invitations", "")
	require.Equal(t, 200, resp.StatusCode)
}

// TestFaultsForAnAddress: requests that concern one person fail, and those that concern others
// succeed.
func TestFaultsForAnAddress(t *testing.T) {
	const ada, bob = "ada@example.com", "bob@example.com"
	call := func(fake *clerktest.Fake, op clerk.Operation, address string) int {
		fake.ResetRateLimits()
		path, body, method := "/v1/invitations", fmt.Sprintf(`{"email_address":%q,"ignore_existing":true}`, address), "POST"
		switch op {
		case clerk.OperationBulkCreate:
			path, body = path+"/bulk", `[{"email_address":"x@example.com","ignore_existing":true},`+body+"]"
		case clerk.OperationList:
			path, body, method = path+"?query="+address, "", "GET"
		case clerk.OperationRevoke:
			path, body = path+"/"+idOf(fake, address)+"/revoke", ""
		case clerk.OperationDelete:
			path, body, method = path+"/"+idOf(fake, address), "", "DELETE"
		}
		resp, _ := send(t, fake, method, path, body)
		return resp.StatusCode
	}
	for _, op := range clerktest.Operations() {
		fake := clerktest.New()
		invite(t, fake, ada)
		invite(t, fake, bob)
		fake.FailFor("ADA@example.com", op, clerktest.FaultErrorBefore)
		fake.RespondFor(ada, op, clerktest.Response{Status: 503})
		require.Equal(t, []string{
			string(op) + " for one address: error before", string(op) + " for one address: Service Unavailable",
		}, fake.Planned())
		require.Equal(t, 200, call(fake, op, bob), op)
		require.Equal(t, 500, call(fake, op, ada), op)
		require.Equal(t, 503, call(fake, op, ada), op)
		require.Equal(t, 200, call(fake, op, ada), op)

		fake = clerktest.New(clerktest.WithFaults(clerktest.FaultMix{
			Share: 1, Faults: []clerktest.Fault{clerktest.FaultErrorBefore}, Addresses: []string{ada}, Operations: []clerk.Operation{op},
		}))
		require.NoError(t, fake.Load(strings.NewReader(`{"invitation":{"email_address":"`+ada+`"}}{"invitation":{"email_address":"`+bob+`"}}`)))
		require.Equal(t, 500, call(fake, op, ada), op)
		require.Equal(t, 200, call(fake, op, bob), op)
	}
}

func idOf(fake *clerktest.Fake, address string) string {
	for _, inv := range fake.Invitations() {
		if inv.EmailAddress == address {
			return inv.ID
		}
	}
	return ""
}
