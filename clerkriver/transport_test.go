package clerkriver

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

func TestFailingDatabaseIsAnErrorOfItsOwn(t *testing.T) {
	t.Parallel()
	fake := clerktest.New()
	a := newApp(t, shared.database(t), Config{}, fake)
	a.pool.Close()
	_, err := a.client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: guest(0)},
		clerk.WithRetry(clerk.RetryConfig{Strategy: clerk.RetryNone}))
	require.ErrorIs(t, err, ErrLimitUnavailable)
	require.NotErrorIs(t, err, clerk.ErrOutcomeUnknown)
	require.ErrorIs(t, err, clerk.ErrNotSent)
	require.False(t, IsOwnRefusal(err))
	require.Empty(t, fake.Requests())
}

// TestPermanentFailureIsNotRetried: there is one attempt, and the error names the cause once.
func TestPermanentFailureIsNotRetried(t *testing.T) {
	t.Parallel()
	for cause, test := range map[string]struct {
		ruin, says string
		config     Config
	}{
		"no tables":        {"DROP TABLE clerkriver_slots", ErrNotMigrated.Error() + ": ERROR: relation ", Config{}},
		"older tables":     {"ALTER TABLE clerkriver_slots DROP COLUMN token CASCADE", ErrNotMigrated.Error() + ": ERROR: column ", Config{}},
		"another schema":   {"", ErrNotMigrated.Error() + ": ERROR: relation ", Config{Schema: "elsewhere"}},
		"no right to them": {"SET ROLE pg_monitor", ErrLimitUnavailable.Error() + ": ERROR: permission denied for table clerkriver_slots", Config{}},
	} {
		t.Run(cause, func(t *testing.T) {
			t.Parallel()
			fake := clerktest.New()
			a := newApp(t, shared.database(t)+"?pool_max_conns=1", test.config, fake)
			_, err := a.pool.Exec(t.Context(), test.ruin)
			require.NoError(t, err)
			for _, call := range []func() error{
				func() error {
					_, err := a.client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: guest(0)})
					return err
				},
				func() error {
					for _, err := range a.client.Invitations.CreateAll(t.Context(), slices.Values([]clerk.CreateInvitationRequest{{EmailAddress: guest(0)}})) {
						if err != nil {
							return err
						}
					}
					return nil
				},
			} {
				err := call()
				require.ErrorIs(t, err, clerk.ErrNotSent)
				require.ErrorIs(t, err, ErrLimitUnavailable)
				require.ErrorContains(t, err, "nothing sent: "+test.says)
				meta, _ := clerk.MetaFromError(err)
				require.LessOrEqual(t, meta.Attempts, 1)
				require.Equal(t, 1, strings.Count(err.Error(), "sent"), err)
			}
			require.Empty(t, fake.Invitations())
		})
	}
}

// TestEndedContextIsNoFailureOfTheDatabase: only the caller's own deadline has ended.
func TestEndedContextIsNoFailureOfTheDatabase(t *testing.T) {
	t.Parallel()
	a := newApp(t, shared.database(t), Config{}, clerktest.New())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://example.com/v1/invitations", http.NoBody)
	require.NoError(t, err)
	_, err = a.Transport(clerktest.New()).RoundTrip(req)
	require.ErrorIs(t, err, context.Canceled)
	require.NotErrorIs(t, err, ErrLimitUnavailable)
}

// TestOnlyWhatCountsTakesASlot: an organization's invitations have limits of their own.
func TestOnlyWhatCountsTakesASlot(t *testing.T) {
	t.Parallel()
	a := newApp(t, shared.database(t), Config{Limits: clerk.Budget{Creates: 5, BulkCreates: 5, Window: time.Hour}}, nil)
	through := a.Transport(roundTrip(func(req *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: http.NoBody, Request: req}, nil
	}))
	for _, test := range []struct {
		method, path   string
		creates, bulks int
	}{
		{"POST", "/v1/organizations/org_1/invitations", 0, 0},
		{"POST", "/v1/organizations/org_1/invitations/bulk", 0, 0},
		{"POST", "/v1/organizations/org_1/invitations/orginv_1/revoke", 0, 0},
		{"POST", "/v1/invitations/inv_1/revoke", 0, 0},
		{"POST", "/v1/waitlist_entries/bulk", 0, 0},
		{"GET", "/v1/invitations", 0, 0},
		{"DELETE", "/v1/invitations/inv_1", 0, 0},
		{"POST", "/v1/invitations", 1, 0},
		{"POST", "/v1/invitations/", 1, 0},
		{"POST", "/proxy/v1/invitations", 1, 0},
		{"POST", "/v1/invitations/bulk", 0, 1},
	} {
		_, err := a.pool.Exec(t.Context(), "UPDATE clerkriver_slots SET free_at = 'epoch'")
		require.NoError(t, err)
		req, err := http.NewRequestWithContext(t.Context(), test.method, "https://api.example.com"+test.path, strings.NewReader("{}"))
		require.NoError(t, err)
		resp, err := through.RoundTrip(req)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, resp.StatusCode)
		s, err := a.InstanceStatus(t.Context())
		require.NoError(t, err)
		require.Equal(t, 5-test.creates, s.Creates.Free, "%+v", test)
		require.Equal(t, 5-test.bulks, s.BulkCreates.Free, "%+v", test)
	}
}

// lateContext is the context of a process that was stopped and has just continued: its
// deadline has passed, but no timer has run yet.
type lateContext struct {
	context.Context

	deadline time.Time
}

func (c lateContext) Deadline() (time.Time, bool) { return c.deadline, true }

// TestNothingIsSentAfterTheDeadline, not even on a connection that is already open.
func TestNothingIsSentAfterTheDeadline(t *testing.T) {
	t.Parallel()
	for _, proto := range []string{"HTTP/1.1", "HTTP/2.0"} {
		t.Run(proto, func(t *testing.T) {
			t.Parallel()
			var seen atomic.Int32
			api := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
				assert.Equal(t, proto, req.Proto)
				seen.Add(1)
			}))
			api.EnableHTTP2 = proto == "HTTP/2.0"
			api.StartTLS()
			t.Cleanup(api.Close)
			stops := false
			a := newApp(t, shared.database(t), Config{}, nil)
			through := a.Transport(roundTrip(func(req *http.Request) (*http.Response, error) {
				if deadline, _ := req.Context().Deadline(); stops {
					time.Sleep(time.Until(deadline))
				}
				return api.Client().Transport.RoundTrip(req)
			}))
			post := func(timeout time.Duration) error {
				ctx := lateContext{t.Context(), time.Now().Add(timeout)}
				req, err := http.NewRequestWithContext(ctx, http.MethodPost, api.URL+"/v1/invitations", strings.NewReader("{}"))
				require.NoError(t, err)
				resp, err := through.RoundTrip(req)
				if err == nil {
					_, _ = io.Copy(io.Discard, resp.Body)
					err = resp.Body.Close()
				}
				return err
			}
			require.NoError(t, post(time.Minute))
			stops = true
			require.Error(t, post(time.Second))
			require.EqualValues(t, 1, seen.Load())
			stops = false
			require.NoError(t, post(time.Minute))
		})
	}
}
