package clerkriver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

func TestOnResultIsInTheTransactionOfTheResult(t *testing.T) {
	t.Parallel()
	fake := clerktest.New()
	fails := true
	a := newApp(t, shared.database(t), Config{OnResult: func(ctx context.Context, tx pgx.Tx, result Result) error {
		if _, err := tx.Exec(ctx, "INSERT INTO heard VALUES ($1, $2)", result.Ref, string(result.State)); err != nil {
			return err
		}
		if result.Ref == "user_3" && fails {
			return errors.New("the application's table is full")
		}
		return nil
	}}, fake)
	_, err := a.pool.Exec(t.Context(), "CREATE TABLE heard (ref text PRIMARY KEY, state text)")
	require.NoError(t, err)
	a.enqueue(t, "spring", guests(12))
	a.work(t)
	s, err := a.Status(t.Context(), "spring")
	require.NoError(t, err)
	require.Equal(t, map[State]int{StateCreated: 12}, s.Counts, "the result is kept without it")
	require.True(t, s.Done())
	require.Equal(t, 1, s.Untold)
	require.Empty(t, s.Problem)
	heard := func() (n int) {
		require.NoError(t, a.pool.QueryRow(t.Context(), "SELECT count(*) FROM heard WHERE state = 'created'").Scan(&n))
		return n
	}
	require.Equal(t, 11, heard())
	require.Equal(t, "the application's table is full", a.all(t, "spring")[3].Untold)
	requests := len(fake.Requests())
	time.Sleep(a.config.Wake)
	a.work(t)
	require.Equal(t, 11, heard(), "it fails again")
	fails = false
	require.Less(t, time.Until(a.work(t)), 3*a.config.Wake, "after a longer pause")
	time.Sleep(2 * a.config.Wake)
	require.Zero(t, a.work(t))
	require.Equal(t, 12, heard())
	require.Empty(t, a.all(t, "spring")[3].Untold)
	require.Len(t, fake.Requests(), requests, "Clerk is not asked")
	s, err = a.Status(t.Context(), "spring")
	require.NoError(t, err)
	require.Zero(t, s.Untold)
}

// TestOnResultFailsAlone: whatever a function of the caller does instead of returning an
// error, the other rows, the campaign and the instance are not affected.
func TestOnResultFailsAlone(t *testing.T) {
	t.Parallel()
	for words, fails := range map[string]func(ctx context.Context, tx pgx.Tx) error{
		"panic: the application's fault": func(context.Context, pgx.Tx) error { panic("the application's fault") },
		"it called runtime.Goexit":       func(context.Context, pgx.Tx) error { runtime.Goexit(); return nil },
		"no rows":                        func(context.Context, pgx.Tx) error { return fmt.Errorf("no rows\x00 for \xff") },
		"division by zero": func(ctx context.Context, tx pgx.Tx) error {
			_, _ = tx.Exec(ctx, "SELECT 1 / 0")
			_, err := tx.Exec(ctx, "SELECT 1 / 0")
			_ = err // the error is ignored, but the transaction cannot commit
			return errors.New("division by zero")
		},
		"its error was not returned: commit unexpectedly resulted in rollback": func(ctx context.Context, tx pgx.Tx) error {
			_, _ = tx.Exec(ctx, "SELECT 1 / 0")
			return nil
		},
		"may take ten seconds: context deadline exceeded": func(ctx context.Context, _ pgx.Tx) error { <-ctx.Done(); return ctx.Err() },
		"must not end the transaction":                    func(ctx context.Context, tx pgx.Tx) error { return tx.Commit(ctx) },
	} {
		t.Run(words, func(t *testing.T) {
			t.Parallel()
			fake := clerktest.New()
			a := newApp(t, shared.database(t), Config{OnResult: func(ctx context.Context, tx pgx.Tx, result Result) error {
				if result.Ref == "user_1" {
					return fails(ctx, tx)
				}
				return nil
			}}, fake)
			if strings.HasSuffix(words, "deadline exceeded") {
				a.timing.closing = 3 * time.Second
			}
			a.enqueue(t, "spring", guests(12))
			a.enqueue(t, "summer", to("other@example.com"))
			a.start(t)
			require.Equal(t, map[State]int{StateCreated: 12}, a.wait(t, "spring", (*Status).Done).Counts)
			a.wait(t, "summer", (*Status).Done)
			requests := len(fake.Requests())
			a.wait(t, "spring", func(*Status) bool { // it is called again
				var tells int
				require.NoError(t, a.pool.QueryRow(t.Context(), "SELECT max(tells) FROM clerkriver_rows").Scan(&tells))
				return tells >= 2
			})
			require.Len(t, fake.Requests(), requests, "Clerk is not asked")
			require.Contains(t, a.all(t, "spring")[1].Untold, words)
			require.Equal(t, 1, a.wait(t, "spring", (*Status).Done).Untold)
			for _, job := range a.jobs(t) {
				require.Empty(t, job.Errors)
			}
			cancel(t, a, "spring")
			require.ErrorIs(t, a.Delete(t.Context(), "spring"), ErrUntold)
		})
	}
}

// TestHooksMayDeferRollback, as other functions with a transaction do.
func TestHooksMayDeferRollback(t *testing.T) {
	t.Parallel()
	var told []State
	write := func(ctx context.Context, tx pgx.Tx, result Result) error {
		defer func() { _ = tx.Rollback(ctx) }()
		told = append(told, result.State)
		_, err := tx.Exec(ctx, "INSERT INTO heard VALUES ($1)", string(result.State))
		return err
	}
	fake := clerktest.New()
	a := newApp(t, shared.database(t), Config{
		Sync: time.Minute, OnResult: write,
		OnChange: func(ctx context.Context, tx pgx.Tx, change Change) error { return write(ctx, tx, change.Result) },
	}, fake)
	_, err := a.pool.Exec(t.Context(), "CREATE TABLE heard (state text)")
	require.NoError(t, err)
	a.enqueue(t, "spring", guests(1))
	a.work(t)
	require.NoError(t, fake.Accept(a.invitationOf(t, "spring", 0)))
	a.syncNow(t)
	var written int
	require.NoError(t, a.pool.QueryRow(t.Context(), "SELECT count(*) FROM heard").Scan(&written))
	require.Equal(t, 2, written)
	require.Equal(t, []State{StateCreated, StateAccepted}, told, "each once")
}

// TestResumeCallsHooksAgain: somebody has mended OnResult and OnChange, and does not want to
// wait for an hour.
func TestResumeCallsHooksAgain(t *testing.T) {
	t.Parallel()
	fake := clerktest.New()
	fails := true
	hook := func() error {
		if fails {
			return errors.New("no table")
		}
		return nil
	}
	a := newApp(t, shared.database(t), Config{
		Wake: time.Minute, Sync: time.Minute, OnResult: func(context.Context, pgx.Tx, Result) error { return hook() },
		OnChange: func(context.Context, pgx.Tx, Change) error { return hook() },
	}, fake)
	a.enqueue(t, "spring", guests(2))
	a.work(t)
	require.NoError(t, fake.Accept(a.invitationOf(t, "spring", 0)))
	a.syncNow(t)
	s, err := a.Status(t.Context(), "spring")
	require.NoError(t, err)
	require.Equal(t, 3, s.Untold)
	fails = false
	a.work(t)
	require.Equal(t, "no table", a.all(t, "spring")[1].Untold)
	require.NoError(t, a.Resume(t.Context(), nil))
	a.work(t)
	s, err = a.Status(t.Context(), "spring")
	require.NoError(t, err)
	require.Zero(t, s.Untold)
}

// TestRefusedResultsAreReported once for each run, without what the error says about a person.
// Monitoring can count them.
func TestRefusedResultsAreReported(t *testing.T) {
	t.Parallel()
	fake := clerktest.New()
	var log strings.Builder
	fails := true
	say := func(what, address string) error {
		if !fails {
			return nil
		}
		return fmt.Errorf("no column for %s\n<%s> of sk_test_1234 <%s>", what, address, strings.Repeat("long ", 100))
	}
	a := newApp(t, shared.database(t), Config{
		Sync: time.Minute, Logger: slog.New(slog.NewTextHandler(&log, nil)),
		OnResult: func(_ context.Context, _ pgx.Tx, result Result) error { return say("results", result.EmailAddress) },
		OnChange: func(_ context.Context, _ pgx.Tx, change Change) error { return say("changes", change.EmailAddress) },
	}, fake)
	untold := func() int {
		s, err := a.InstanceStatus(t.Context())
		require.NoError(t, err)
		require.Equal(t, s.Untold > 0, strings.Contains(s.String(), fmt.Sprint("; ", s.Untold, " not yet stored by OnResult or OnChange")))
		return s.Untold
	}
	logged := func(want string) {
		require.Equal(t, 1, strings.Count(log.String(), "\n"), log.String())
		require.Contains(t, log.String(), `level=WARN msg="clerk invitations: OnResult or OnChange failed" instance=default run=`)
		require.Contains(t, log.String(), want)
		require.NotContains(t, log.String(), "@")
		require.NotContains(t, log.String(), "sk_test")
		require.Less(t, log.Len(), 600)
		log.Reset()
	}
	require.Zero(t, untold())
	a.enqueue(t, "spring", guests(3))
	a.enqueue(t, "summer", to("other@example.com"))
	a.work(t)
	logged(`run=1 times=4 error="no column for results [redacted] of [redacted] <long long`)
	require.Equal(t, 4, untold())
	again := func() {
		_, err := a.pool.Exec(t.Context(), "UPDATE clerkriver_rows SET tell_at = now() WHERE tell_at IS NOT NULL; UPDATE clerkriver_untold SET tell_at = now()")
		require.NoError(t, err)
		a.work(t)
	}
	again()
	logged("times=4 ")
	fails = false
	again()
	require.Zero(t, untold())
	fails = true
	require.NoError(t, fake.Accept(a.invitationOf(t, "spring", 0)))
	a.syncNow(t)
	logged(`times=1 error="no column for changes [redacted]`)
	require.Equal(t, 1, untold())
	again()
	logged("times=1 ")
	fails = false
	again()
	require.Zero(t, untold())
	require.Empty(t, log.String())
}

// TestTellingAgainNeedsNoRequest, although another row waits for Clerk's limits.
func TestTellingAgainNeedsNoRequest(t *testing.T) {
	t.Parallel()
	fake := clerktest.New()
	told := 0
	a := newApp(t, shared.database(t), Config{
		Limits: clerk.Budget{Creates: 1, Window: time.Hour},
		OnResult: func(context.Context, pgx.Tx, Result) error {
			told++
			return errors.New("not now")
		},
	}, fake)
	a.enqueue(t, "spring", guests(2))
	a.work(t)
	require.Equal(t, map[State]int{StateCreated: 1, StateWaiting: 1}, a.counts(t, "spring"))
	requests := len(fake.Requests())
	for n := range 3 {
		require.Equal(t, n+1, told)
		_, err := a.pool.Exec(t.Context(), "UPDATE clerkriver_rows SET tell_at = 'epoch' WHERE tell_at IS NOT NULL")
		require.NoError(t, err)
		a.work(t)
	}
	require.Len(t, fake.Requests(), requests)
	a.nextWindow(t)
	require.Equal(t, map[State]int{StateCreated: 2}, a.counts(t, "spring"))
}

// TestProcessWithoutHooksLeavesThemToOthers: an operator's tool, or a process of an older
// deployment, sends and makes syncs in place of the service.
func TestProcessWithoutHooksLeavesThemToOthers(t *testing.T) {
	t.Parallel()
	url, fake := shared.database(t), clerktest.New()
	var told []State
	hear := func(state State) error { told = append(told, state); return nil }
	service := newApp(t, url, Config{
		Sync: time.Minute, OnResult: func(_ context.Context, _ pgx.Tx, result Result) error { return hear(result.State) },
		OnChange: func(_ context.Context, _ pgx.Tx, change Change) error { return hear(change.State) },
	}, fake)
	service.enqueue(t, "winter", to("other@example.com"))
	service.work(t)
	service.enqueue(t, "spring", guests(2))
	var log strings.Builder
	tool := newApp(t, url, Config{Sync: time.Minute, Logger: slog.New(slog.NewTextHandler(&log, nil))}, fake)
	tool.work(t)
	require.NoError(t, fake.Accept(tool.invitationOf(t, "spring", 0)))
	tool.syncNow(t)
	require.Equal(t, []State{StateCreated}, told)
	s, err := tool.Status(t.Context(), "spring")
	require.NoError(t, err)
	require.Equal(t, map[State]int{StateCreated: 1, StateAccepted: 1}, s.Counts)
	require.Equal(t, 3, s.Untold)
	require.Equal(t, errNoOnResult.Error(), tool.all(t, "spring")[1].Untold)
	require.Equal(t, 1, strings.Count(log.String(), "times=2 error="+strconv.Quote(errNoOnResult.Error())))
	require.Equal(t, 1, strings.Count(log.String(), "times=1 error="+strconv.Quote(errNoOnChange.Error())))

	_, err = tool.pool.Exec(t.Context(), "UPDATE clerkriver_rows SET tell_at = now() WHERE tell_at > now(); UPDATE clerkriver_untold SET tell_at = now()")
	require.NoError(t, err)
	require.WithinDuration(t, time.Now().Add(time.Minute), tool.work(t), 5*time.Second, "the next sync is due before that")
	service.work(t)
	require.ElementsMatch(t, []State{StateCreated, StateCreated, StateAccepted, StateAccepted}, told)
	s, err = service.Status(t.Context(), "spring")
	require.NoError(t, err)
	require.Zero(t, s.Untold)
}

// TestJobsContinueForAProcessWithHooks, though rarely, if no other work is left.
func TestJobsContinueForAProcessWithHooks(t *testing.T) {
	t.Parallel()
	url, fake := shared.database(t), clerktest.New()
	fails := func(context.Context, pgx.Tx, Result) error { return errors.New("no") }
	service := newApp(t, url, Config{OnResult: fails}, fake)
	service.enqueue(t, "spring", guests(2))
	service.work(t)
	time.Sleep(service.config.Wake)
	tool := newApp(t, url, Config{}, fake)
	require.WithinDuration(t, time.Now().Add(10*time.Minute), tool.work(t), 5*time.Second)
	require.Less(t, time.Until(service.work(t)), time.Minute)
}

// TestOnResultMayInsertJobs of the application, and use savepoints, in its transaction.
func TestOnResultMayInsertJobs(t *testing.T) {
	t.Parallel()
	var a *app
	a = newApp(t, shared.database(t), Config{OnResult: func(ctx context.Context, tx pgx.Tx, _ Result) error {
		return pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) error {
			_, err := a.river.InsertTx(ctx, tx, hostArgs{}, nil)
			return err
		})
	}}, clerktest.New())
	a.enqueue(t, "spring", guests(2))
	a.work(t)
	s, err := a.Status(t.Context(), "spring")
	require.NoError(t, err)
	require.Zero(t, s.Untold)
	var jobs int
	require.NoError(t, a.pool.QueryRow(t.Context(), "SELECT count(*) FROM river_job WHERE kind = $1", hostArgs{}.Kind()).Scan(&jobs))
	require.Equal(t, 2, jobs)
}
