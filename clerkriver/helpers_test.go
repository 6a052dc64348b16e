package clerkriver

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

// plenty holds limits that no test reaches.
var plenty = clerk.Budget{Creates: 1000, BulkCreates: 1000, Window: time.Minute}

// An app is a service with campaigns, in this process.
type app struct {
	*Campaigns

	pool   *pgxpool.Pool
	client *clerk.Client
	river  *river.Client[pgx.Tx] // inserts only, until start
}

// newApp creates an app on a database, whose requests go to api.
func newApp(tb testing.TB, url string, config Config, api http.RoundTripper, opts ...clerk.Option) *app {
	tb.Helper()
	if config.Limits == (clerk.Budget{}) {
		config.Limits = plenty
	}
	if config.Wake == 0 {
		config.Wake = time.Second
	}
	if config.Sync == 0 {
		config.Sync = -1
	}
	a := &app{pool: connect(tb, url)}
	var err error
	a.Campaigns, err = New(a.pool, config)
	require.NoError(tb, err)
	a.client, err = a.NewClient(clerktest.SecretKey, api, opts...)
	require.NoError(tb, err)
	a.river, err = river.NewClient(riverpgxv5.New(a.pool), &river.Config{})
	require.NoError(tb, err)
	return a
}

// start lets River work in this process, until the test ends or stop is called.
func (a *app) start(tb testing.TB) (stop func()) {
	tb.Helper()
	config := &river.Config{Logger: quiet}
	require.NoError(tb, a.Install(config, a.client))
	client, err := river.NewClient(riverpgxv5.New(a.pool), config)
	require.NoError(tb, err)
	require.NoError(tb, client.Start(context.WithoutCancel(tb.Context())))
	stopped := false
	stop = func() {
		if !stopped {
			stopped = true
			require.NoError(tb, client.StopAndCancel(context.WithoutCancel(tb.Context())))
		}
	}
	tb.Cleanup(stop)
	return stop
}

var quiet = slog.New(slog.DiscardHandler)

// enqueue enqueues a campaign in its own transaction.
func (a *app) enqueue(tb testing.TB, name string, rows iter.Seq[Row]) int {
	tb.Helper()
	var added int
	err := pgx.BeginFunc(tb.Context(), a.pool, func(tx pgx.Tx) (err error) {
		added, err = a.EnqueueTx(tb.Context(), a.river, tx, name, rows, nil)
		return err
	})
	require.NoError(tb, err)
	return added
}

// work calls Work, as a job does.
func (a *app) work(tb testing.TB) time.Time {
	tb.Helper()
	due, err := a.Work(tb.Context(), a.client)
	require.NoError(tb, err)
	return due
}

// nextWindow makes a run that may use the limits anew.
func (a *app) nextWindow(tb testing.TB) {
	tb.Helper()
	_, err := a.pool.Exec(tb.Context(), "UPDATE clerkriver_slots SET free_at = 'epoch'")
	require.NoError(tb, err)
	a.work(tb)
}

// counts is the counts of a campaign's status.
func (a *app) counts(tb testing.TB, name string) map[State]int {
	tb.Helper()
	s, err := a.Status(tb.Context(), name)
	require.NoError(tb, err)
	return s.Counts
}

// wait waits until enough reports true for the status.
func (a *app) wait(tb testing.TB, name string, enough func(*Status) bool) *Status {
	tb.Helper()
	for deadline := time.Now().Add(5 * time.Minute); ; time.Sleep(50 * time.Millisecond) {
		s, err := a.Status(tb.Context(), name)
		require.NoError(tb, err)
		if enough(s) {
			return s
		}
		require.True(tb, time.Now().Before(deadline), "%+v", s)
	}
}

// all returns the results of a campaign.
func (a *app) all(tb testing.TB, name string) []Result {
	tb.Helper()
	var all []Result
	for result, err := range a.Results(tb.Context(), name, 0) {
		require.NoError(tb, err)
		all = append(all, result)
	}
	return all
}

// guests yields n rows.
func guests(n int) iter.Seq[Row] {
	return func(yield func(Row) bool) {
		for i := range n {
			if !yield(Row{
				Ref:     fmt.Sprint("user_", i),
				Request: clerk.CreateInvitationRequest{EmailAddress: guest(i)},
			}) {
				return
			}
		}
	}
}

func guest(i int) string { return fmt.Sprintf("guest%d@example.com", i) }

// to yields a row for each address.
func to(addresses ...string) iter.Seq[Row] {
	var rows []Row
	for _, address := range addresses {
		rows = append(rows, Row{Request: clerk.CreateInvitationRequest{EmailAddress: address}})
	}
	return slices.Values(rows)
}

// sent counts the fake's requests for an operation.
func sent(fake *clerktest.Fake, op clerk.Operation) int {
	n := 0
	for _, req := range fake.Requests() {
		if req.Operation == op {
			n++
		}
	}
	return n
}

// begun begins a run. It returns the run, which has chosen what to send, and the rows that it
// pulled first.
func begun(t *testing.T, a *app) (*run, []item) {
	t.Helper()
	r, err := a.begin(t.Context(), a.client, false)
	require.NoError(t, err)
	require.NotNil(t, r)
	r.ctx, r.stop = context.WithCancelCause(t.Context())
	found, err := r.choose(t.Context())
	require.NoError(t, err)
	require.True(t, found)
	rows := r.pulled
	if len(rows) == 0 {
		rows, err = r.pull(t.Context())
		require.NoError(t, err)
	}
	require.NotEmpty(t, rows)
	return r, rows
}

// interrupted makes a run that takes rows, sends one request to the fake, and stops as if it
// was killed: it gives nothing back.
func interrupted(t *testing.T, a *app) {
	t.Helper()
	r, rows := begun(t, a)
	_, err := a.client.Invitations.Create(context.WithValue(t.Context(), leaseKey{}, &r.lease), rows[0].request)
	require.NoError(t, err)
}

// expire lets the lease expire.
func expire(t *testing.T, a *app) {
	t.Helper()
	_, err := a.pool.Exec(t.Context(), "UPDATE clerkriver_instances SET leased_until = clock_timestamp()")
	require.NoError(t, err)
}

// strict makes a fake count limits strictly, over a sliding window.
func strict(limits clerk.Budget) clerktest.Option {
	return clerktest.WithRateLimits(slidingLimits(limits))
}

func slidingLimits(limits clerk.Budget) clerktest.RateLimits {
	return clerktest.RateLimits{
		Creates: clerktest.Limit{Requests: limits.Creates, Per: limits.Window},
		Bulks:   clerktest.Limit{Requests: limits.BulkCreates, Per: limits.Window},
		Sliding: true,
	}
}

// slowly delays each request and each response by d.
func slowly(d time.Duration, next http.RoundTripper) http.RoundTripper {
	return roundTrip(func(req *http.Request) (*http.Response, error) {
		time.Sleep(d)
		resp, err := next.RoundTrip(req)
		time.Sleep(d)
		return resp, err
	})
}

// roundTrip is a function as a transport.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// cancel cancels a campaign in its own transaction.
func cancel(t *testing.T, a *app, name string) {
	t.Helper()
	require.NoError(t, pgx.BeginFunc(t.Context(), a.pool, func(tx pgx.Tx) error { return a.CancelTx(t.Context(), tx, name) }))
}

// withLists changes the invitations of lists.
func withLists(change func(*clerk.Invitation), next http.RoundTripper) http.RoundTripper {
	return roundTrip(func(req *http.Request) (*http.Response, error) {
		resp, err := next.RoundTrip(req)
		if err != nil || req.Method != http.MethodGet {
			return resp, err
		}
		var list clerk.InvitationList
		err = json.NewDecoder(resp.Body).Decode(&list)
		for i := range list.Data {
			change(&list.Data[i])
		}
		body, _ := json.Marshal(list)
		resp.Body = io.NopCloser(bytes.NewReader(body))
		resp.ContentLength = int64(len(body))
		return resp, err
	})
}
