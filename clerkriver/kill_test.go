package clerkriver

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivertype"
	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

// hurried holds Clerk's limits, for five seconds instead of an hour.
var hurried = clerk.Budget{Creates: 100, BulkCreates: 25, Window: 5 * time.Second}

// processConfig is the configuration of a process. OnResult stores each result under a primary
// key, so a second call for the same row would fail.
var processConfig = Config{
	Limits: hurried, Wake: time.Second,
	OnResult: func(ctx context.Context, tx pgx.Tx, result Result) error {
		_, err := tx.Exec(ctx, "INSERT INTO heard (place, state) VALUES ($1, $2)", result.Place, string(result.State))
		switch {
		case os.Getenv("TEST_FAULTS") == "":
		case rand.IntN(40) == 0:
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		case rand.IntN(40) == 0:
			return errors.New("the application's table is full")
		case rand.IntN(40) == 0:
			panic("the application's fault")
		}
		return err
	},
}

// runTestProcess sends campaigns until it is killed.
func runTestProcess() error {
	ctx := context.Background()
	pool, err := pgxpool.New(ctx, os.Getenv("TEST_DATABASE"))
	if err != nil {
		return err
	}
	own := processConfig
	switch os.Getenv("TEST_SYNC") {
	case "":
	case "no faults":
		own.Sync, own.OnChange = 8*time.Second, heardChanges
	default:
		own.Sync, own.OnChange = 8*time.Second, changeInProcess
	}
	c, err := New(pool, own)
	if err != nil {
		return err
	}
	c.timing = timing{
		lease: 3 * time.Second, patience: 5 * time.Second, longest: 10 * time.Second, grace: 3 * time.Second,
		slot: 3 * time.Second, closing: time.Second, listLag: time.Second,
	}
	client, err := c.NewClient(clerktest.SecretKey, roundTrip(stopSometimes), clerk.WithBaseURL(os.Getenv("TEST_PROCESS")),
		clerk.WithAttemptTimeout(time.Second))
	if err != nil {
		return err
	}
	config := &river.Config{Logger: quiet}
	if err := c.Install(config, client); err != nil {
		return err
	}
	riverClient, err := river.NewClient(riverpgxv5.New(pool), config)
	if err != nil {
		return err
	}
	if err := riverClient.Start(ctx); err != nil {
		return err
	}
	select {}
}

// If TEST_STOPS is set, stopSometimes stops the process between taking a slot and sending its
// request, for longer than the lease and the request's time together.
func stopSometimes(req *http.Request) (*http.Response, error) {
	if os.Getenv("TEST_STOPS") != "" && req.Method == http.MethodPost && rand.IntN(4) == 0 {
		restart := exec.Command("sh", "-c", fmt.Sprintf("sleep 6; kill -CONT %d", os.Getpid()))
		if err := restart.Start(); err != nil {
			return nil, err
		}
		_ = syscall.Kill(os.Getpid(), syscall.SIGSTOP)
		_ = restart.Wait()
	}
	return http.DefaultTransport.RoundTrip(req)
}

// A crew is three processes, each of which is started again when it is killed.
type crew struct {
	group sync.WaitGroup
	end   context.CancelFunc

	mu        sync.Mutex
	processes []*os.Process
}

func startCrew(t *testing.T, url, api string, environment ...string) *crew {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	ctx, end := context.WithCancel(context.WithoutCancel(t.Context()))
	c := &crew{end: end, processes: make([]*os.Process, 3)}
	for i := range c.processes {
		c.group.Go(func() {
			for ctx.Err() == nil {
				process := exec.CommandContext(ctx, self)
				process.Env = append(append(os.Environ(), "TEST_PROCESS="+api, "TEST_DATABASE="+url), environment...)
				process.Stderr = os.Stderr
				if err := process.Start(); err != nil {
					t.Error(err)
					return
				}
				c.mu.Lock()
				c.processes[i] = process.Process
				c.mu.Unlock()
				_ = process.Wait() // it was killed, or had no database to start with
				time.Sleep(100 * time.Millisecond)
			}
		})
	}
	t.Cleanup(c.stop)
	return c
}

func (c *crew) stop() {
	c.end()
	c.group.Wait()
}

// kill kills one of the processes.
func (c *crew) kill() {
	if victim := c.any(); victim != nil {
		_ = victim.Kill() // it may have ended by itself
	}
}

func (c *crew) any() *os.Process {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.processes[rand.IntN(len(c.processes))]
}

// freeze stops one of the processes for a time, like a suspended machine.
func (c *crew) freeze(d time.Duration) {
	if victim := c.any(); victim != nil {
		_ = victim.Signal(syscall.SIGSTOP)
		time.Sleep(d)
		_ = victim.Signal(syscall.SIGCONT)
	}
}

// teamJob is a job of the application that uses the same River.
type teamJob struct {
	Long bool `json:"long"`
}

func (teamJob) Kind() string { return "team_job" }

// A team is the application, with jobs on the queue "default". Its leader knows nothing of
// campaigns, and deletes finished jobs after a second.
type team struct {
	client *river.Client[pgx.Tx]
	long   int64 // a job that never ends
}

func startTeam(t *testing.T, pool *pgxpool.Pool) *team {
	t.Helper()
	workers := river.NewWorkers()
	begun := make(chan struct{})
	river.AddWorker(workers, river.WorkFunc(func(ctx context.Context, job *river.Job[teamJob]) error {
		if job.Args.Long {
			close(begun)
			<-ctx.Done()
		}
		return ctx.Err()
	}))
	client, err := river.NewClient(riverpgxv5.New(pool), &river.Config{
		Logger: quiet, Workers: workers, JobTimeout: -1, CompletedJobRetentionPeriod: time.Second, DiscardedJobRetentionPeriod: time.Second,
		Queues: map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: 2}},
	})
	require.NoError(t, err)
	require.NoError(t, client.Start(context.WithoutCancel(t.Context())))
	t.Cleanup(func() { require.NoError(t, client.StopAndCancel(context.WithoutCancel(t.Context()))) })
	job, err := client.Insert(t.Context(), teamJob{Long: true}, nil)
	require.NoError(t, err)
	<-begun
	for i := range 20 {
		_, err := client.Insert(t.Context(), teamJob{}, &river.InsertOpts{ScheduledAt: time.Now().Add(time.Duration(i) * time.Hour)})
		require.NoError(t, err)
	}
	return &team{client: client, long: job.Job.ID}
}

// requireUntouched checks that no other process has worked on the application's jobs.
func (m *team) requireUntouched(t *testing.T) {
	t.Helper()
	long, err := m.client.JobGet(t.Context(), m.long)
	require.NoError(t, err)
	require.Equal(t, rivertype.JobStateRunning, long.State)
	require.Equal(t, 1, long.Attempt)
	list, err := m.client.JobList(t.Context(), river.NewJobListParams().Queues(river.QueueDefault).First(100))
	require.NoError(t, err)
	scheduled := 0
	for _, job := range list.Jobs {
		require.Empty(t, job.Errors)
		if job.State == rivertype.JobStateScheduled {
			scheduled++
		}
	}
	require.Equal(t, 19, scheduled)
	queue, err := m.client.QueueGet(t.Context(), river.QueueDefault)
	require.NoError(t, err)
	require.Nil(t, queue.PausedAt)
}

// TestKilledProcesses: three processes are killed ten times at random moments, and
// PostgreSQL crashes once, while Clerk fails every tenth request.
func TestKilledProcesses(t *testing.T) {
	t.Parallel()
	const rows = 1500
	own := &server{}
	t.Cleanup(own.stop)
	url := own.database(t)
	seed := uint64(time.Now().UnixNano())
	t.Log("seed", seed)
	fake := clerktest.New(strict(hurried), clerktest.WithFaults(clerktest.FaultMix{Share: 0.1, Seed: seed}))
	fake.AddUser("user@example.com")
	api := httptest.NewServer(fake)
	t.Cleanup(api.Close)
	a := newListener(t, url)
	team := startTeam(t, a.pool)
	a.enqueue(t, "spring", func(yield func(Row) bool) {
		for row := range guests(rows) {
			if !yield(row) {
				return
			}
		}
		yield(Row{Ref: "user", Request: clerk.CreateInvitationRequest{EmailAddress: "user@example.com"}})
	})

	crew := startCrew(t, url, api.URL+"/v1")
	for i := range 10 {
		time.Sleep(time.Second + rand.N(3*time.Second))
		if i == 5 {
			require.NoError(t, own.crash())
			time.Sleep(rand.N(2 * time.Second))
			require.NoError(t, own.launch())
		}
		crew.kill()
	}
	s := a.wait(t, "spring", (*Status).Done)
	crew.stop()
	team.requireUntouched(t)
	requireInvitedOnce(t, fake, a, rows)
	require.Equal(t, map[State]int{StateCreated: rows, StateUserExists: 1}, s.Counts)
	requireHeard(t, a, rows+1)
}

// newListener returns an app with the processes' configuration, on a database with the table
// in which OnResult stores results.
func newListener(t *testing.T, url string) *app {
	t.Helper()
	a := newApp(t, url, processConfig, nil)
	_, err := a.pool.Exec(t.Context(), "CREATE TABLE heard (place integer PRIMARY KEY, state text NOT NULL)")
	require.NoError(t, err)
	return a
}

// requireHeard checks that OnResult has got n results.
func requireHeard(t *testing.T, a *app, n int) {
	t.Helper()
	var heard int
	require.NoError(t, a.pool.QueryRow(t.Context(), "SELECT count(*) FROM heard").Scan(&heard))
	require.Equal(t, n, heard)
}

// TestFrozenAndCutOffProcesses: three processes are frozen in turn, for longer than their
// lease and Clerk's window. Some are killed inside OnResult, which also fails and panics. All
// lose the database for 40 seconds. Nobody is invited twice, and OnResult accepts every result
// once.
func TestFrozenAndCutOffProcesses(t *testing.T) {
	t.Parallel()
	const rows = 600
	own := &server{}
	t.Cleanup(own.stop)
	url := own.database(t)
	link := newLink(t, own)
	fake := clerktest.New(strict(hurried))
	api := httptest.NewServer(fake)
	t.Cleanup(api.Close)
	a := newListener(t, url)
	team := startTeam(t, a.pool)
	a.enqueue(t, "spring", guests(rows))
	crew := startCrew(t, link.url(url), api.URL+"/v1", "TEST_FAULTS=1")
	for range 2 {
		time.Sleep(rand.N(2 * time.Second))
		crew.freeze(12 * time.Second)
	}
	link.cut.Store(true)
	time.Sleep(40 * time.Second)
	link.cut.Store(false)
	s := a.wait(t, "spring", func(s *Status) bool { return s.Done() && s.Untold == 0 })
	crew.stop()
	team.requireUntouched(t)
	requireInvitedOnce(t, fake, a, rows)
	require.Equal(t, map[State]int{StateCreated: rows}, s.Counts)
	requireHeard(t, a, rows)
}

// TestFrozenBetweenSlotAndRequest: processes are stopped at that point for longer than their
// lease and the request's time, until another one has sent the rows. Clerk would invite these
// people again, as the rows have IgnoreExisting.
func TestFrozenBetweenSlotAndRequest(t *testing.T) {
	t.Parallel()
	const rows = 150
	url := shared.database(t)
	fake := clerktest.New(strict(hurried))
	api := httptest.NewServer(fake)
	t.Cleanup(api.Close)
	a := newListener(t, url)
	a.enqueue(t, "spring", func(yield func(Row) bool) {
		for row := range guests(rows) {
			row.Request.IgnoreExisting = true
			if !yield(row) {
				return
			}
		}
	})
	crew := startCrew(t, url, api.URL+"/v1", "TEST_STOPS=1")
	s := a.wait(t, "spring", (*Status).Done)
	crew.stop()
	requireInvitedOnce(t, fake, a, rows)
	require.Equal(t, map[State]int{StateCreated: rows}, s.Counts)
	requireHeard(t, a, rows)
}

// requireInvitedOnce checks that everybody was invited once, that the results say so, and
// that Clerk never refused a request for its limits.
func requireInvitedOnce(t *testing.T, fake *clerktest.Fake, a *app, rows int) {
	t.Helper()
	made := map[string]string{}
	for _, inv := range fake.Invitations() {
		require.NotContains(t, made, inv.EmailAddress, "it was invited twice")
		made[inv.EmailAddress] = inv.ID
	}
	for _, result := range a.all(t, "spring")[:rows] {
		require.Equal(t, StateCreated, result.State, "%+v", result)
		require.Equal(t, made[result.EmailAddress], result.InvitationID)
	}
	require.Len(t, made, rows)
	real429, kinds := 0, map[string]int{}
	for _, req := range fake.Requests() {
		kinds[fmt.Sprint(req.Operation)]++
		if req.Status == http.StatusTooManyRequests && req.Fault != clerktest.FaultRateLimit {
			real429++
		}
	}
	t.Log(strings.TrimPrefix(fmt.Sprint(kinds), "map"), real429, "real refusals")
	require.Zero(t, real429)
}
