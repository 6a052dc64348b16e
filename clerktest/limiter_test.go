package clerktest_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

func TestDocumentedRateLimits(t *testing.T) {
	for name, test := range map[string]struct {
		limits clerktest.RateLimits
		call   func(i int) (path, body string)
		most   int
		wait   string
	}{
		"creates": {clerktest.ProductionRateLimits(), func(i int) (string, string) {
			return "/v1/invitations", fmt.Sprintf(`{"email_address":"a%d@example.com"}`, i)
		}, 100, "3600"},
		"bulks": {clerktest.DevelopmentRateLimits(), func(i int) (string, string) {
			return "/v1/invitations/bulk", fmt.Sprintf(`[{"email_address":"a%d@example.com"}]`, i)
		}, 25, "3600"},
		"everything in production":  {clerktest.ProductionRateLimits(), revokeNobody, 1000, "10"},
		"everything in development": {clerktest.DevelopmentRateLimits(), revokeNobody, 100, "10"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fake := clerktest.New(clerktest.WithRateLimits(test.limits))
				for i := range test.most {
					path, body := test.call(i)
					resp, _ := send(t, fake, "POST", path, body)
					require.NotEqual(t, 429, resp.StatusCode, i)
				}
				path, body := test.call(test.most)
				resp, got := send(t, fake, "POST", path, body)
				require.Equal(t, 429, resp.StatusCode)
				require.Equal(t, test.wait, resp.Header.Get("Retry-After"))
				require.JSONEq(t, `{"errors":[{"message":"Too many requests","long_message":"Too many requests, retry later","code":"too_many_requests"}]}`, got)
			})
		})
	}
}

func revokeNobody(int) (string, string) { return "/v1/invitations/inv_9/revoke", "" }

func TestFixedAndSlidingWindows(t *testing.T) {
	// Two requests an hour, at these minutes: when is the next one accepted?
	for _, test := range []struct {
		sliding bool
		minutes []int
		taken   string // t if accepted, or the seconds to wait
	}{
		{false, []int{0, 30, 45, 59, 60, 61, 62}, "t t 900 60 t t 3480"},
		{true, []int{0, 30, 45, 59, 60, 61, 90}, "t t 900 60 t 1740 t"},
	} {
		synctest.Test(t, func(t *testing.T) {
			limit := clerktest.Limit{Requests: 2, Per: time.Hour}
			fake := clerktest.New(clerktest.WithRateLimits(clerktest.RateLimits{Creates: limit, Sliding: test.sliding}))
			start := time.Now()
			var taken []string
			for i, minute := range test.minutes {
				time.Sleep(time.Until(start.Add(time.Duration(minute) * time.Minute)))
				resp, _ := send(t, fake, "POST", "/v1/invitations", fmt.Sprintf(`{"email_address":"a%d@example.com"}`, i))
				if resp.StatusCode == 200 {
					taken = append(taken, "t")
				} else {
					taken = append(taken, resp.Header.Get("Retry-After"))
				}
			}
			require.Equal(t, test.taken, strings.Join(taken, " "))
		})
	}
}

func TestLimitsAreSeparate(t *testing.T) {
	limits := clerktest.RateLimits{Creates: clerktest.Limit{Requests: 1, Per: time.Hour}}
	fake := clerktest.New(clerktest.WithRateLimits(limits))
	client, err := fake.Client()
	require.NoError(t, err)
	inv := invite(t, fake, "a@example.com")
	_, err = client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: "b@example.com"})
	require.ErrorIs(t, err, clerk.ErrRateLimited)
	_, err = client.Invitations.BulkCreate(t.Context(), []clerk.CreateInvitationRequest{{EmailAddress: "b@example.com"}})
	require.NoError(t, err)
	_, err = client.Invitations.Revoke(t.Context(), inv.ID)
	require.NoError(t, err)
}

func TestLimitOfNoRequests(t *testing.T) {
	fake := clerktest.New(clerktest.WithRateLimits(clerktest.RateLimits{Requests: clerktest.Limit{Per: time.Second}}))
	resp, _ := send(t, fake, "GET", "/v1/invitations", "")
	require.Equal(t, 429, resp.StatusCode)
	require.Equal(t, "1", resp.Header.Get("Retry-After"))
}

func TestRefusedRequestsDoNotCount(t *testing.T) {
	fake := clerktest.New(clerktest.WithRateLimits(clerktest.RateLimits{
		Creates: clerktest.Limit{Requests: 1, Per: time.Hour}, Requests: clerktest.Limit{Requests: 3, Per: time.Hour},
	}))
	for i, want := range []int{200, 429, 429, 429} {
		resp, _ := send(t, fake, "POST", "/v1/invitations", fmt.Sprintf(`{"email_address":"a%d@example.com"}`, i))
		require.Equal(t, want, resp.StatusCode)
	}
	for _, want := range []int{200, 200, 429} {
		resp, _ := send(t, fake, "GET", "/v1/invitations", "")
		require.Equal(t, want, resp.StatusCode)
	}
}

func TestEmailLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // on 1 January 2000
		fake := clerktest.New(clerktest.WithEmailLimit(2))
		for i := range 4 {
			invite(t, fake, fmt.Sprintf("a%d@example.com", i))
		}
		require.Len(t, fake.Invitations(), 4, "creating succeeds beyond the limit")
		require.Len(t, fake.Sent(), 2)
		invite(t, fake, "a+clerk_test@example.com")
		require.Len(t, fake.Sent(), 3, "test addresses do not count")
		time.Sleep(31 * 24 * time.Hour)
		invite(t, fake, "b@example.com")
		require.Len(t, fake.Sent(), 4)
	})
}

func TestRequestsThatMeetAFaultCount(t *testing.T) {
	for fault, counts := range map[clerktest.Fault]bool{
		clerktest.FaultRefuse: false, clerktest.FaultDropBefore: true, clerktest.FaultDropAfter: true,
		clerktest.FaultErrorBefore: true, clerktest.FaultErrorAfter: true, clerktest.FaultRateLimit: false,
	} {
		fake := clerktest.New(clerktest.WithRateLimits(clerktest.ProductionRateLimits()))
		client, err := fake.Client(clerk.WithRetry(clerk.RetryConfig{Strategy: clerk.RetryNone}))
		require.NoError(t, err)
		fake.Fail(clerk.OperationCreate, fault)
		_, err = client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: "ada@example.com"})
		require.Error(t, err, fault)
		require.Equal(t, counts, fake.RateLimitUsage().Creates.Used == 1, fault)
	}
}

func TestRequestsThatMeetAResponseCount(t *testing.T) {
	for _, test := range []struct {
		response clerktest.Response
		counts   bool
	}{
		{clerktest.Response{Status: 503}, true},
		{clerktest.Response{Status: 429}, false},
		{clerktest.Response{Code: clerk.CodeTooManyRequests}, false},
		{clerktest.Response{Code: clerk.CodeInternalClerkError}, true},
		{clerktest.Response{Status: 500, After: true}, true},
		{clerktest.Response{Status: 429, After: true}, true},
		{clerktest.Response{ContentType: "text/html", Body: "<p>"}, true},
	} {
		fake := clerktest.New(clerktest.WithRateLimits(clerktest.ProductionRateLimits()))
		fake.Respond(clerk.OperationCreate, test.response)
		send(t, fake, "POST", "/v1/invitations", `{"email_address":"ada@example.com"}`)
		require.Equal(t, test.counts, fake.RateLimitUsage().Creates.Used == 1, test.response)
	}
}

// TestFaultsDoNotCountBeyondALimit sends requests that would be limited without their
// fault.
func TestFaultsDoNotCountBeyondALimit(t *testing.T) {
	fake := clerktest.New(clerktest.WithRateLimits(clerktest.RateLimits{Creates: clerktest.Limit{Requests: 1, Per: time.Hour}}))
	for range 3 {
		fake.Fail(clerk.OperationCreate, clerktest.FaultErrorBefore)
		resp, _ := send(t, fake, "POST", "/v1/invitations", `{"email_address":"ada@example.com"}`)
		require.Equal(t, 500, resp.StatusCode)
	}
	require.Equal(t, 1, fake.RateLimitUsage().Creates.Used)
}

func TestUsageOfATokenBucket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := clerktest.New(clerktest.WithRateLimits(clerktest.ProductionRateLimits()),
			clerktest.WithBehavior(clerktest.Behavior{Windows: clerktest.WindowsTokenBucket}))
		invite(t, fake, "ada@example.com")
		invite(t, fake, "bob@example.com")
		require.Equal(t, 2, fake.RateLimitUsage().Creates.Used)
		time.Sleep(36 * time.Second)
		require.Equal(t, 1, fake.RateLimitUsage().Creates.Used)
		fake.ResetRateLimits()
		require.Zero(t, fake.RateLimitUsage().Creates.Used)
	})
}
