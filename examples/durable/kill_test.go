package main

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

// scaled is Clerk's limits, less a tenth of the single creates, in ten seconds.
var scaled = clerk.Budget{Creates: 90, BulkCreates: 25, Window: 10 * time.Second}

// workForTest is a worker in a process of its own, until it is killed.
func workForTest(baseURL string) error {
	ctx := context.Background()
	db, err := openDatabase(ctx, os.Getenv("TEST_WORKER_URL"), os.Getenv("TEST_WORKER_FILE"))
	if err != nil {
		return err
	}
	s, err := openStore(ctx, db, "default", scaled, http.DefaultTransport)
	if err != nil {
		return err
	}
	client, err := newClient(clerktest.SecretKey, s.limit, clerk.WithBaseURL(baseURL),
		clerk.WithAttemptTimeout(time.Second), clerk.WithHeader("Worker", strconv.Itoa(os.Getpid())))
	if err != nil {
		return err
	}
	logger := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	worker, err := newWorker(s, client, timing{job: 15 * time.Second, rescueAfter: 20 * time.Second, retry: soon{}}, logger)
	if err != nil {
		return err
	}
	if err := worker.Start(ctx); err != nil {
		return err
	}
	select {}
}

// A crew is three workers in processes of their own, each of which is started again when
// it is killed.
type crew struct {
	group sync.WaitGroup
	end   context.CancelFunc
	kills atomic.Int32
}

// hire starts the crew, whose Clerk is at baseURL.
func hire(t *testing.T, l location, baseURL string) *crew {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	ctx, end := context.WithCancel(t.Context())
	c := &crew{end: end}
	for range 3 {
		c.group.Go(func() {
			for ctx.Err() == nil {
				worker := exec.CommandContext(ctx, self)
				worker.Env = append(os.Environ(), "TEST_WORKER_API="+baseURL, "TEST_WORKER_URL="+l.url, "TEST_WORKER_FILE="+l.file)
				worker.Stderr = os.Stderr
				if err := worker.Run(); assert.ErrorContains(t, err, "signal: killed") && ctx.Err() == nil {
					c.kills.Add(1)
				}
			}
		})
	}
	return c
}

// dangerous is Clerk, where some of those who write are killed: before they are heard, or
// before they have the answer.
func dangerous(t *testing.T, clerkAPI http.Handler, random func(n int) int) http.Handler {
	t.Helper()
	var left atomic.Int32
	left.Store(8)
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		choice := 2
		if req.Method == http.MethodPost && left.Load() > 0 {
			choice = random(12)
		}
		kill := func() {
			pid, err := strconv.Atoi(req.Header.Get("Worker"))
			if assert.NoError(t, err) && left.Add(-1) >= 0 {
				_ = syscall.Kill(pid, syscall.SIGKILL) // it may have been killed already
			}
		}
		if choice == 0 {
			kill()
		}
		clerkAPI.ServeHTTP(w, req)
		if choice == 1 {
			kill()
		}
	})
}

// TestKilledWorkers: of three processes one is killed again and again, in the middle of a
// request, while Clerk fails every tenth request.
func TestKilledWorkers(t *testing.T) {
	t.Parallel()
	for name, database := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := database(t)
			seed := uint64(time.Now().UnixNano())
			t.Log("seed", seed)
			fake := clerktest.New(
				clerktest.WithFaults(clerktest.FaultMix{Share: 0.1, Seed: seed}),
				clerktest.WithRateLimits(clerktest.RateLimits{
					Creates: clerktest.Limit{Requests: 100, Per: scaled.Window}, Bulks: clerktest.Limit{Requests: 25, Per: scaled.Window},
				}))
			fake.AddUser("user@example.com")
			server := httptest.NewServer(dangerous(t, fake, rand.IntN))
			defer server.Close()
			s := l.store(t, "default", scaled, nil)
			_, err := s.enqueue(t.Context(), "spring", read(t, guests(500)+"user@example.com\nno address\nguest7@example.com\n"))
			require.NoError(t, err)

			workers := hire(t, l, server.URL+"/v1")
			st := waitFor(t, s, "spring", (*status).done)
			workers.end()
			workers.group.Wait()
			rescued := 0
			for _, j := range st.jobs {
				for _, r := range j.Rows {
					if known := j.result(r); known.Outcome != "created" {
						t.Logf("line %d: %+v; %+v", r.Line, known, j.row.Errors)
					}
				}
				for _, failure := range j.row.Errors {
					if strings.Contains(failure.Error, "rescued") {
						rescued++
					}
				}
			}
			t.Log(workers.kills.Load(), "kills,", rescued, "jobs rescued,", len(fake.Requests()), "requests")
			require.GreaterOrEqual(t, workers.kills.Load(), int32(4))
			require.GreaterOrEqual(t, rescued, 4)
			require.Equal(t, "spring, 503 rows: 500 created, 1 already a user, 2 refused", st.String())
			made := map[string]string{}
			for _, inv := range fake.Invitations() {
				require.NotContains(t, made, inv.EmailAddress, "it was invited twice")
				require.Equal(t, clerk.InvitationStatusPending, inv.Status)
				made[inv.EmailAddress] = inv.ID
			}
			require.Len(t, made, 500)
			for i, line := range reportOf(t, st)[:500] {
				address := fmt.Sprintf("guest%d@example.com", i)
				require.Equal(t, []string{strconv.Itoa(i + 2), address, "created", made[address], ""}, line)
			}
		})
	}
}
