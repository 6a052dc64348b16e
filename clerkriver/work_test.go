package clerkriver

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/riverqueue/river"
	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

func TestRefusedKeyPausesAndFailsNothing(t *testing.T) {
	t.Parallel()
	fake := clerktest.New(clerktest.WithSecretKey("sk_test_another"))
	url := shared.database(t)
	a := newApp(t, url, Config{}, fake)
	a.enqueue(t, "spring", guests(300))
	stop := a.start(t)
	s := a.wait(t, "spring", func(s *Status) bool { return s.Paused != "" })
	require.Contains(t, s.Paused, "Clerk does not accept the secret key: clerk: ")
	require.Contains(t, s.Paused, "clerk_key_invalid")
	require.Equal(t, map[State]int{StateWaiting: 300}, s.Counts)
	require.Zero(t, s.WaitUntil)
	require.WithinDuration(t, time.Now().Add(10*a.config.Wake), s.PausedUntil, 5*time.Second)
	asked := len(fake.Requests()) // the second refusal pauses if it comes three Wakes after the first
	require.Greater(t, asked, 1)
	time.Sleep(2 * time.Second)
	require.Len(t, fake.Requests(), asked, "it stays paused")
	stop()
	for _, job := range a.jobs(t) {
		require.Empty(t, job.Errors)
	}

	healed := clerktest.New()
	b := newApp(t, url, Config{}, healed)
	b.start(t)
	require.NoError(t, b.Resume(t.Context(), b.river))
	s = b.wait(t, "spring", (*Status).Done)
	require.Equal(t, map[State]int{StateCreated: 300}, s.Counts)
	require.Empty(t, s.Paused)
}

func TestPauseStopsARun(t *testing.T) {
	t.Parallel()
	fake := clerktest.New()
	var a *app
	posts := 0
	a = newApp(t, shared.database(t), Config{Budget: clerk.Budget{Creates: 1000, Window: time.Minute}},
		roundTrip(func(req *http.Request) (*http.Response, error) {
			if req.Method == http.MethodPost {
				posts++
				if posts == 3 {
					require.NoError(t, a.Pause(t.Context(), "wrong list"))
				}
			}
			return fake.RoundTrip(req)
		}))
	a.enqueue(t, "spring", guests(10))
	due, err := a.Work(t.Context(), a.client)
	require.NoError(t, err)
	require.Zero(t, due)
	s, err := a.Status(t.Context(), "spring")
	require.NoError(t, err)
	require.Equal(t, "wrong list", s.Paused)
	require.Equal(t, map[State]int{StateCreated: 3, StateWaiting: 7}, s.Counts)
	require.Zero(t, a.work(t))
	require.NoError(t, a.Resume(t.Context(), nil))
	require.Zero(t, a.work(t))
	require.Equal(t, map[State]int{StateCreated: 10}, a.counts(t, "spring"))
}

// TestOutageKeepsClerksWords: the status shows why nothing is sent, and no row fails.
func TestOutageKeepsClerksWords(t *testing.T) {
	t.Parallel()
	fake := clerktest.New()
	var down atomic.Bool
	a := newApp(t, shared.database(t), Config{Budget: clerk.Budget{Creates: 1000, Window: time.Minute}},
		roundTrip(func(req *http.Request) (*http.Response, error) {
			if down.Load() {
				body := `{"errors":[{"code":"maintenance","message":"System under maintenance"}]}`
				return &http.Response{
					StatusCode: http.StatusServiceUnavailable, Header: http.Header{"Content-Type": {"application/json"}, "Retry-After": {"60"}},
					Body: io.NopCloser(strings.NewReader(body)), Request: req,
				}, nil
			}
			if len(fake.Invitations()) == 2 {
				down.Store(true)
			}
			return fake.RoundTrip(req)
		}), clerk.WithRetry(clerk.RetryConfig{Backoff: clerk.BackoffStrategy{MaxElapsedTime: time.Second}}))
	a.enqueue(t, "spring", guests(10))
	_, err := a.Work(t.Context(), a.client)
	require.ErrorContains(t, err, "System under maintenance")
	s, err := a.Status(t.Context(), "spring")
	require.NoError(t, err)
	require.Contains(t, s.Problem, "System under maintenance")
	require.NotContains(t, s.Problem, "context canceled")
	require.Empty(t, s.Paused)
	require.Equal(t, map[State]int{StateCreated: 3, StateWaiting: 7}, s.Counts)
	down.Store(false)
	a.work(t)
	s, err = a.Status(t.Context(), "spring")
	require.NoError(t, err)
	require.Equal(t, map[State]int{StateCreated: 10}, s.Counts)
	require.Empty(t, s.Problem)
}

// TestEndOfContextLosesNothing: a deployment interrupts a run.
func TestEndOfContextLosesNothing(t *testing.T) {
	t.Parallel()
	fake := clerktest.New()
	ctx, cancel := context.WithCancel(t.Context())
	a := newApp(t, shared.database(t), Config{}, roundTrip(func(req *http.Request) (*http.Response, error) {
		if req.Method == http.MethodPost && len(fake.Invitations()) == 10 {
			cancel()
			time.Sleep(100 * time.Millisecond)
		}
		return fake.RoundTrip(req)
	}))
	a.enqueue(t, "spring", guests(50))
	_, err := a.Work(ctx, a.client)
	require.NoError(t, err)
	require.Equal(t, map[State]int{StateCreated: 20, StateWaiting: 30}, a.counts(t, "spring"))
	a.work(t) // the lease was given back
	require.Equal(t, map[State]int{StateCreated: 50}, a.counts(t, "spring"))
	require.Equal(t, 5, sent(fake, clerk.OperationBulkCreate))
}

func TestCampaignIsSentAndReported(t *testing.T) {
	t.Parallel()
	fake := clerktest.New()
	fake.AddUser("user@example.com")
	client, err := fake.Client()
	require.NoError(t, err)
	_, err = client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: "old@example.com"})
	require.NoError(t, err)
	a := newApp(t, shared.database(t), Config{}, fake)
	require.Equal(t, 6, a.enqueue(t, "spring", to("a@example.com", "user@example.com", "old@example.com", "no address", "A@example.com", "b@example.com")))
	require.Equal(t, map[State]int{StateWaiting: 6}, a.counts(t, "spring"))

	a.start(t)
	s := a.wait(t, "spring", (*Status).Done)
	require.Equal(t, map[State]int{StateCreated: 2, StateAlreadyInvited: 1, StateRepeated: 1, StateUserExists: 1, StateRejected: 1}, s.Counts)
	made := fake.Invitations()
	require.Len(t, made, 3)
	results := a.all(t, "spring")
	for i := range results {
		require.WithinDuration(t, time.Now(), results[i].ChangedAt, time.Minute)
		results[i].ChangedAt = time.Time{}
	}
	require.Equal(t, []Result{
		{Campaign: "spring", Place: 0, EmailAddress: "a@example.com", State: StateCreated, InvitationID: made[1].ID},
		{Campaign: "spring", Place: 1, EmailAddress: "user@example.com", State: StateUserExists},
		{Campaign: "spring", Place: 2, EmailAddress: "old@example.com", State: StateAlreadyInvited, InvitationID: made[0].ID},
		{Campaign: "spring", Place: 3, EmailAddress: "no address", State: StateRejected, Problem: "clerk: CreateInvitation: email_address has no @"},
		{Campaign: "spring", Place: 4, EmailAddress: "A@example.com", State: StateRepeated, InvitationID: made[1].ID},
		{Campaign: "spring", Place: 5, EmailAddress: "b@example.com", State: StateCreated, InvitationID: made[2].ID},
	}, results)
}

// TestRejectedRowKeepsClerksWords: Clerk rejects a bulk because of one row.
func TestRejectedRowKeepsClerksWords(t *testing.T) {
	t.Parallel()
	a := newApp(t, shared.database(t), Config{}, clerktest.New())
	a.enqueue(t, "spring", to("a@example.com", "b..@@example.com", "c@example.com"))
	a.work(t)
	results := a.all(t, "spring")
	require.Equal(t, []State{StateCreated, StateRejected, StateCreated}, []State{results[0].State, results[1].State, results[2].State})
	require.Contains(t, results[1].Problem, "form_param_format_invalid: is invalid (email_address)")
}

// stray answers the first n requests itself, or all if n is negative. The fake answers the
// others.
func stray(n int, status int, contentType, body string, fake http.RoundTripper) http.RoundTripper {
	var seen atomic.Int32
	return roundTrip(func(req *http.Request) (*http.Response, error) {
		if n >= 0 && int(seen.Add(1)) > n {
			return fake.RoundTrip(req)
		}
		return &http.Response{
			StatusCode: status, Header: http.Header{"Content-Type": {contentType}},
			Body: io.NopCloser(strings.NewReader(body)), Request: req,
		}, nil
	})
}

const unauthorized = `{"errors":[{"code":"clerk_key_invalid","message":"The provided Clerk Secret Key is invalid."}]}`

// TestStrayAnswerPausesNothing: neither one refusal of Clerk nor any number of refusals of its
// edge pauses the instance.
func TestStrayAnswerPausesNothing(t *testing.T) {
	t.Parallel()
	for name, api := range map[string]http.RoundTripper{
		"one 401":      stray(1, http.StatusUnauthorized, "application/json", unauthorized, clerktest.New()),
		"an HTML 403":  stray(1, http.StatusForbidden, "text/html", "<html>error code: 1010</html>", clerktest.New()),
		"an HTML 404":  stray(1, http.StatusNotFound, "text/html", "<html>not found</html>", clerktest.New()),
		"many of them": stray(5, http.StatusForbidden, "text/html", "<html>error code: 1010</html>", clerktest.New()),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var mu sync.Mutex
			var paused []Event
			a := newApp(t, shared.database(t), Config{OnEvent: func(_ context.Context, event Event) {
				mu.Lock()
				defer mu.Unlock()
				if event.Kind == EventPaused {
					paused = append(paused, event)
				}
			}}, api)
			a.enqueue(t, "spring", guests(3))
			a.start(t)
			s := a.wait(t, "spring", func(s *Status) bool { return strings.Contains(s.Problem, "40") })
			require.Empty(t, s.Paused)
			require.NotZero(t, s.WaitUntil, "it is a wait")
			require.Zero(t, s.EstimatedEnd, "nobody knows")
			require.Equal(t, map[State]int{StateCreated: 3}, a.wait(t, "spring", (*Status).Done).Counts)
			require.Empty(t, paused)
		})
	}
}

// TestPauseTriesAgainByItself: a pause tries again more and more rarely, and reports that to
// OnEvent and the logger. A person's pause stays.
func TestPauseTriesAgainByItself(t *testing.T) {
	t.Parallel()
	var events []string
	var log strings.Builder
	fake := clerktest.New()
	a := newApp(t, shared.database(t), Config{
		OnEvent: func(_ context.Context, event Event) { events = append(events, string(event.Kind)) },
		Logger:  slog.New(slog.NewTextHandler(&log, nil)),
	}, stray(5, http.StatusUnauthorized, "application/json", unauthorized, fake))
	a.enqueue(t, "spring", guests(3))
	var refusal error
	refusedFor := func(d string) *Status {
		_, err := a.pool.Exec(t.Context(), "UPDATE clerkriver_instances SET paused_until = 'epoch', refused_since = refused_since - $1::interval", d)
		require.NoError(t, err)
		_, refusal = a.Work(t.Context(), a.client)
		s, err := a.Status(t.Context(), "spring")
		require.NoError(t, err)
		return s
	}
	require.Empty(t, refusedFor("0").Paused)
	require.Empty(t, refusedFor("0").Paused, "it has not lasted")
	first := refusedFor("1 minute")
	require.Contains(t, first.Paused, "Clerk does not accept the secret key")
	require.WithinDuration(t, time.Now().Add(10*a.config.Wake), first.PausedUntil, 5*time.Second)
	require.ErrorIs(t, refusal, clerk.ErrUnauthorized)
	due := a.work(t)
	require.WithinDuration(t, first.PausedUntil, due, 2*time.Second)
	require.Equal(t, first.PausedUntil, func() time.Time { s, _ := a.InstanceStatus(t.Context()); return s.PausedUntil }())
	second := refusedFor("0")
	require.WithinDuration(t, time.Now().Add(20*a.config.Wake), second.PausedUntil, 5*time.Second)
	third := refusedFor("0")
	require.WithinDuration(t, time.Now().Add(40*a.config.Wake), third.PausedUntil, 5*time.Second)
	require.NoError(t, a.Pause(t.Context(), "by hand"))
	s, err := a.Status(t.Context(), "spring")
	require.NoError(t, err)
	require.Equal(t, "by hand", s.Paused)
	require.Zero(t, s.PausedUntil)
	require.Zero(t, a.work(t))
	require.Equal(t, map[State]int{StateCreated: 3}, refusedFor("0").Counts)
	require.NoError(t, refusal)
	run := []string{"run begun", "run ended"}
	want := slices.Concat(run, run, run, []string{"paused"}, run, []string{"paused"}, run, []string{"paused", "paused", "run begun", "resumed", "run ended"})
	require.Equal(t, want, events)
	require.Equal(t, 4, strings.Count(log.String(), `level=WARN msg="clerk invitations: paused" instance=default`))
	require.Equal(t, 1, strings.Count(log.String(), `level=INFO msg="clerk invitations: resumed" instance=default`))
	require.NotContains(t, log.String(), "@")
}

// TestOrdinaryRunLogsNoWarning, neither from the client nor from this package.
func TestOrdinaryRunLogsNoWarning(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	logger := slog.New(slog.NewTextHandler(&log, nil))
	a := newApp(t, shared.database(t), Config{Logger: logger, OnEvent: func(context.Context, Event) { panic("of the hook") }},
		clerktest.New(), clerk.WithLogger(logger))
	require.NoError(t, a.Install(&river.Config{}, a.client))
	a.enqueue(t, "spring", guests(3))
	require.Zero(t, a.work(t))
	require.Empty(t, log.String())
}

// TestSilentDatabaseEndsWork: everything sent to the database is lost, the connections stay
// open, and Work's caller has set no deadline.
func TestSilentDatabaseEndsWork(t *testing.T) {
	t.Parallel()
	for _, when := range []string{"before the run", "in a request"} {
		t.Run(when, func(t *testing.T) {
			t.Parallel()
			url := shared.database(t)
			link := newLink(t, &shared)
			fake := clerktest.New()
			a := newApp(t, link.url(url), Config{}, roundTrip(func(req *http.Request) (*http.Response, error) {
				link.cut.Store(req.Method == http.MethodPost && len(fake.Invitations()) == 0)
				return fake.RoundTrip(req)
			}))
			a.timing.closing, a.timing.slot = 300*time.Millisecond, 300*time.Millisecond
			a.enqueue(t, "spring", guests(15))
			link.cut.Store(when == "before the run")
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			_, err := a.Work(ctx, a.client)
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.NoError(t, ctx.Err(), "it waited for the caller's deadline")
			link.cut.Store(false)
			s := newApp(t, url, Config{}, fake)
			require.Eventually(t, func() bool { s.work(t); return len(fake.Invitations()) == 15 }, 30*time.Second, 100*time.Millisecond)
			require.Equal(t, map[State]int{StateCreated: 15}, s.wait(t, "spring", (*Status).Done).Counts)
		})
	}
}

// TestWorkReturnsWhyNothingIsSent: a caller in cron does not read Status.
func TestWorkReturnsWhyNothingIsSent(t *testing.T) {
	t.Parallel()
	quota := `{"errors":[{"code":"quota_exceeded","message":"You have reached your limit."}]}`
	cutOff := roundTrip(func(*http.Request) (*http.Response, error) { return nil, clerk.ErrNotSent })
	for name, test := range map[string]struct {
		api  http.RoundTripper
		ruin string
		want error
		says string
	}{
		"a refused key":     {stray(-1, http.StatusUnauthorized, "application/json", unauthorized, nil), "", clerk.ErrUnauthorized, "clerk_key_invalid"},
		"a used-up quota":   {stray(-1, http.StatusForbidden, "application/json", quota, nil), "", nil, "quota_exceeded"},
		"a wrong base URL":  {stray(-1, http.StatusNotFound, "text/html", "<html>", nil), "", nil, "404"},
		"no connection":     {cutOff, "", clerk.ErrNotSent, "nothing sent"},
		"no tables":         {clerktest.New(), "DROP TABLE clerkriver_campaigns CASCADE", ErrNotMigrated, "run clerkriver.Migrate"},
		"no right to write": {clerktest.New(), "SET ROLE pg_read_all_data", nil, "permission denied for table clerkriver_instances"},
	} {
		a := newApp(t, shared.database(t)+"?pool_max_conns=1", Config{}, test.api,
			clerk.WithRetry(clerk.RetryConfig{Backoff: clerk.BackoffStrategy{MaxElapsedTime: time.Second}}))
		a.enqueue(t, "spring", guests(3))
		_, err := a.pool.Exec(t.Context(), test.ruin)
		require.NoError(t, err)
		_, err = a.Work(t.Context(), a.client)
		require.ErrorContains(t, err, test.says, name)
		if test.want != nil {
			require.ErrorIs(t, err, test.want, name)
		}
	}
}
