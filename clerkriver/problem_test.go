package clerkriver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

// singly returns an app that sends row by row, and calls before with the number of each request
// that sends one.
func singly(t *testing.T, board *switchboard, events *recorder, before func(a *app, post int), opts ...clerk.Option) *app {
	t.Helper()
	api := board.through(clerktest.New())
	var a *app
	posts := 0
	a = newApp(t, shared.database(t), Config{Limits: clerk.Budget{Creates: 1000, Window: time.Minute}, OnEvent: events.hear},
		roundTrip(func(req *http.Request) (*http.Response, error) {
			if req.Method == http.MethodPost {
				posts++
				before(a, posts)
			}
			return api.RoundTrip(req)
		}), append(opts, briefly)...)
	return a
}

// TestOutageIsShownWhileARunWaits, and is the run's problem, however the run is stopped before
// Clerk has answered.
func TestOutageIsShownWhileARunWaits(t *testing.T) {
	t.Parallel()
	for name, stop := range map[string]func(*app, context.CancelFunc){
		"by its timer":    nil,
		"by a deployment": func(_ *app, cancel context.CancelFunc) { cancel() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var board switchboard
			var events recorder
			a := singly(t, &board, &events, func(_ *app, post int) { board.down.Store(post > 2) })
			a.timing.longest = 10 * time.Second
			a.enqueue(t, "spring", guests(10))
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			ended := make(chan error, 1)
			go func() {
				_, err := a.Work(ctx, a.client)
				ended <- err
			}()
			s := a.wait(t, "spring", func(s *Status) bool { return s.Problem != "" || len(events.heard()) > 1 })
			require.Equal(t, []EventKind{EventRunBegun}, events.heard())
			require.Contains(t, s.Problem, "nothing sent")
			require.Zero(t, s.EstimatedEnd)
			require.Equal(t, 2, s.Counts[StateCreated])
			instance, err := a.InstanceStatus(t.Context())
			require.NoError(t, err)
			require.Contains(t, instance.Problem, "nothing sent")
			require.WithinDuration(t, time.Now(), instance.ProblemSince, 5*time.Second)
			require.Equal(t, instance.ProblemSince, s.ProblemSince)
			require.NotZero(t, instance.LeasedUntil)
			require.Zero(t, instance.Failures)
			if stop != nil {
				stop(a, cancel)
			}
			require.ErrorIs(t, <-ended, clerk.ErrNotSent)
			instance, err = a.InstanceStatus(t.Context())
			require.NoError(t, err)
			require.Contains(t, instance.Problem, "nothing sent")
			require.NotContains(t, instance.Problem, "context canceled")
			require.Equal(t, s.ProblemSince, instance.ProblemSince)
			require.Equal(t, 1, instance.Failures)
		})
	}
}

// TestAnsweredRowEndsAProblem of a wait: the run is stopped later, and nothing is wrong. The
// client's logger has warned of the attempts.
func TestAnsweredRowEndsAProblem(t *testing.T) {
	t.Parallel()
	var board switchboard
	var events recorder
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var shown []string
	var log strings.Builder
	a := singly(t, &board, &events, func(a *app, post int) {
		s, err := a.InstanceStatus(t.Context())
		require.NoError(t, err)
		if len(shown) == 0 || shown[len(shown)-1] != s.Problem {
			shown = append(shown, s.Problem)
		}
		board.down.Store(post > 2 && len(shown) == 1)
		if len(shown) == 3 {
			cancel()
		}
	}, clerk.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
	a.enqueue(t, "spring", guests(10))
	_, err := a.Work(ctx, a.client)
	require.NoError(t, err)
	require.Contains(t, log.String(), `level=WARN msg="clerk request" operation=CreateInvitation`)
	require.Len(t, shown, 3)
	require.Contains(t, shown[1], "nothing sent")
	require.Empty(t, shown[0]+shown[2])
	s, err := a.InstanceStatus(t.Context())
	require.NoError(t, err)
	require.Empty(t, s.Problem)
	require.Zero(t, s.ProblemSince)
	require.Zero(t, s.Failures)
}

// TestProblemsBeginWithPlainWords if Clerk does not answer, and not if something else fails.
func TestProblemsBeginWithPlainWords(t *testing.T) {
	t.Parallel()
	refused := &net.OpError{Op: "dial", Err: errors.New("connection refused")}
	for _, test := range []struct {
		cause error
		isOut bool
	}{
		{&clerk.SDKError{Err: refused}, true},
		{&clerk.SDKError{Err: io.EOF}, true},
		{&clerk.SDKError{Err: context.DeadlineExceeded}, true},
		{&clerk.SDKError{Err: errors.New("502")}, false},
		{&clerk.SDKError{Err: unavailable(refused)}, false},
		{fmt.Errorf("reading rows: %w", refused), false},
		{nil, false},
	} {
		err := plain(test.cause)
		require.ErrorIs(t, err, test.cause)
		require.Equal(t, test.isOut, err != nil && strings.HasPrefix(err.Error(), "Clerk does not answer: "), "%v", test.cause)
	}
}

// TestFirstAnswerClearsTheLastRunsProblem, and ends the pause that the run came after, once.
func TestFirstAnswerClearsTheLastRunsProblem(t *testing.T) {
	t.Parallel()
	var board switchboard
	var events recorder
	var problems []string
	a := singly(t, &board, &events, func(a *app, _ int) {
		s, err := a.InstanceStatus(t.Context())
		require.NoError(t, err)
		problems = append(problems, s.Problem)
	})
	board.noWrites.Store(true)
	a.enqueue(t, "spring", guests(3))
	require.Empty(t, a.syncedWork(t, "0").Paused)
	require.Contains(t, a.syncedWork(t, "1 minute").Paused, "quota_exceeded")
	board.noWrites.Store(false)
	problems = nil
	require.Empty(t, a.syncedWork(t, "0").Paused)
	require.Len(t, problems, 3)
	require.Contains(t, problems[0], "quota_exceeded")
	require.Empty(t, problems[1]+problems[2])
	heard := events.heard()
	require.Equal(t, []EventKind{EventPaused, EventRunBegun, EventResumed, EventRunEnded}, heard[len(heard)-4:])
	var pauses int
	require.NoError(t, a.pool.QueryRow(t.Context(), "SELECT pauses FROM clerkriver_instances").Scan(&pauses))
	require.Zero(t, pauses)
}

// TestProblemIsShownUnderTheLease only, and not again while it is the same.
func TestProblemIsShownUnderTheLease(t *testing.T) {
	t.Parallel()
	a := newApp(t, shared.database(t), Config{}, clerktest.New())
	a.enqueue(t, "spring", guests(1))
	r, _ := begun(t, a)
	wait := func(problem string) string {
		r.observe(clerk.Progress{WaitUntil: time.Now().Add(time.Second), Cause: errors.New(problem)})
		s, err := a.InstanceStatus(t.Context())
		require.NoError(t, err)
		return s.Problem
	}
	require.Equal(t, "502", wait("502"))
	_, err := a.pool.Exec(t.Context(), "UPDATE clerkriver_instances SET problem = ''")
	require.NoError(t, err)
	require.Empty(t, wait("502"))
	require.Equal(t, "503", wait("503"))
	expire(t, a)
	require.Equal(t, "503", wait("504"))
}

// TestPausesDoubleAfterAnAnswer if Clerk then refuses the other rows: the end of the pause is
// reported, and so is the next one.
func TestPausesDoubleAfterAnAnswer(t *testing.T) {
	t.Parallel()
	var board switchboard
	var events recorder
	answers := 0
	a := singly(t, &board, &events, func(*app, int) {
		answers--
		board.noWrites.Store(answers < 0)
	})
	a.enqueue(t, "spring", guests(5))
	a.syncedWork(t, "0")
	require.NotEmpty(t, a.syncedWork(t, "1 minute").Paused)
	answers = 1
	s := a.syncedWork(t, "0")
	require.Contains(t, s.Paused, "quota_exceeded")
	require.WithinDuration(t, time.Now().Add(20*a.config.Wake), s.PausedUntil, 5*time.Second)
	require.Equal(t, map[State]int{StateCreated: 1, StateWaiting: 4}, a.counts(t, "spring"))
	heard := events.heard()
	require.Equal(t, []EventKind{EventPaused, EventRunBegun, EventResumed, EventRunEnded, EventPaused}, heard[len(heard)-5:])
}

// TestFailedDatabaseIsNamed in plain words and on one line, unlike pgx's errors.
func TestFailedDatabaseIsNamed(t *testing.T) {
	t.Parallel()
	_, err := pgx.Connect(t.Context(), "postgres://u@127.0.0.1:1,127.0.0.1:2/d")
	require.ErrorContains(t, err, "\n")
	require.Regexp(t, "^the database failed: failed to connect to .*$", oneLine(plain(err).Error()))
	require.NotContains(t, oneLine(plain(err).Error()), "\n")
	require.Regexp(t, "^the database failed: timeout", plain(fmt.Errorf("timeout: %w", context.DeadlineExceeded)).Error())

	var events recorder
	a := newApp(t, shared.database(t), Config{OnEvent: events.hear}, clerktest.New())
	a.enqueue(t, "spring", guests(3))
	_, err = a.pool.Exec(t.Context(), "ALTER TABLE clerkriver_rows ADD CONSTRAINT none CHECK (state <> 'sending')")
	require.NoError(t, err)
	_, err = a.Work(t.Context(), a.client)
	const problem = `the database failed: ERROR: new row for relation "clerkriver_rows" violates check constraint "none" (SQLSTATE 23514)`
	require.EqualError(t, err, problem)
	s, err := a.Status(t.Context(), "spring")
	require.NoError(t, err)
	require.Equal(t, problem, s.Problem)
	require.Equal(t, problem, events.events()[1].Reason)
}

// TestResumeLeavesTheProblemOfARun that is under way: the run would not show it again.
func TestResumeLeavesTheProblemOfARun(t *testing.T) {
	t.Parallel()
	a := newApp(t, shared.database(t), Config{}, clerktest.New())
	a.enqueue(t, "spring", guests(3))
	r, _ := begun(t, a)
	_, err := r.show(t.Context(), "502")
	require.NoError(t, err)
	require.NoError(t, a.Resume(t.Context(), nil))
	s, err := a.Status(t.Context(), "spring")
	require.NoError(t, err)
	require.Equal(t, "502", s.Problem)
	require.NotZero(t, s.ProblemSince)
}

// TestResumeClearsTheProblem: a person says that it is over.
func TestResumeClearsTheProblem(t *testing.T) {
	t.Parallel()
	a := newApp(t, shared.database(t), Config{}, clerktest.New(clerktest.WithSecretKey("sk_test_another")))
	a.enqueue(t, "spring", guests(3))
	_, err := a.Work(t.Context(), a.client)
	require.ErrorIs(t, err, clerk.ErrUnauthorized)
	s, err := a.Status(t.Context(), "spring")
	require.NoError(t, err)
	require.NotEmpty(t, s.Problem)
	require.NoError(t, a.Resume(t.Context(), nil))
	s, err = a.Status(t.Context(), "spring")
	require.NoError(t, err)
	require.Empty(t, s.Problem)
	require.Zero(t, s.ProblemSince)
}

// TestDatabaseFailsOnce: a run that the database ended cannot keep its end either.
func TestDatabaseFailsOnce(t *testing.T) {
	t.Parallel()
	gone := &pgconn.PgError{Severity: "FATAL", Message: "terminating connection", Code: "57P01"}
	require.EqualError(t, withDatabase(plain(gone), gone), "the database failed: FATAL: terminating connection (SQLSTATE 57P01)")
	require.EqualError(t, withDatabase(errors.New("502"), gone), "502\nthe database failed: FATAL: terminating connection (SQLSTATE 57P01)")
	require.EqualError(t, withDatabase(nil, gone), "the database failed: FATAL: terminating connection (SQLSTATE 57P01)")
}
