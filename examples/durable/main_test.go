package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river/rivertype"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
	"github.com/clerk-invitations/clerk-go/examples/internal/people"
)

// TestMain runs the tests, or is a worker for one of them.
func TestMain(m *testing.M) {
	if baseURL := os.Getenv("TEST_WORKER_API"); baseURL != "" {
		fmt.Fprintln(os.Stderr, "worker:", workForTest(baseURL))
		os.Exit(1)
	}
	code := m.Run()
	if postgres.process != nil {
		_ = postgres.process.Signal(os.Interrupt) // a fast shutdown
		_, _ = postgres.process.Wait()
		_ = os.RemoveAll(postgres.directory)
	}
	os.Exit(code)
}

// postgres is a server for the tests.
var postgres struct {
	sync.Once

	url       string // of a database, less its name
	process   *os.Process
	directory string
	err       error
}

// startPostgres makes a PostgreSQL database cluster, and starts a server on a free port.
func startPostgres(ctx context.Context) error {
	programs, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(programs) == 0 {
		return errors.New("PostgreSQL is not installed where Debian's package has it")
	}
	bin := filepath.Dir(programs[len(programs)-1])
	directory, err := os.MkdirTemp("", "postgres")
	if err != nil {
		return err
	}
	postgres.directory = directory
	attributes := &syscall.SysProcAttr{}
	if os.Getuid() == 0 { // as which it does not run
		owner, err := user.Lookup("postgres")
		if err != nil {
			return err
		}
		uid, _ := strconv.Atoi(owner.Uid)
		gid, _ := strconv.Atoi(owner.Gid)
		attributes.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		if err := os.Chown(directory, uid, gid); err != nil {
			return err
		}
	}
	initdb := exec.CommandContext(ctx, filepath.Join(bin, "initdb"), "-D", directory, "-U", "postgres", "-A", "trust", "--no-sync")
	initdb.SysProcAttr, initdb.Dir = attributes, directory
	if output, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, output)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	port := listener.Addr().(*net.TCPAddr).Port
	if err := listener.Close(); err != nil {
		return err
	}
	server := exec.Command(filepath.Join(bin, "postgres"), "-D", directory, "-k", directory,
		"-c", "listen_addresses=127.0.0.1", "-p", strconv.Itoa(port), "-c", "fsync=off", "-c", "max_connections=200")
	server.SysProcAttr, server.Dir = attributes, directory
	if err := server.Start(); err != nil {
		return err
	}
	postgres.process = server.Process
	postgres.url = fmt.Sprintf("postgres://postgres@127.0.0.1:%d/", port)
	for range 100 {
		var conn *pgx.Conn
		if conn, err = pgx.Connect(ctx, postgres.url+"postgres"); err == nil {
			return conn.Close(ctx)
		}
		time.Sleep(100 * time.Millisecond)
	}
	return err
}

// A location is where a database is.
type location struct{ url, file string }

// databases makes an empty database of each kind.
var databases = map[string]func(testing.TB) location{
	"SQLite": func(tb testing.TB) location {
		tb.Helper()
		return location{file: filepath.Join(tb.TempDir(), "campaigns.sqlite3")}
	},
	"PostgreSQL": func(tb testing.TB) location {
		tb.Helper()
		postgres.Do(func() { postgres.err = startPostgres(context.WithoutCancel(tb.Context())) })
		if postgres.err != nil && os.Getenv("CI") != "true" {
			tb.Skip("no PostgreSQL: ", postgres.err)
		}
		require.NoError(tb, postgres.err)
		conn, err := pgx.Connect(tb.Context(), postgres.url+"postgres")
		require.NoError(tb, err)
		name := fmt.Sprintf("test_%d", time.Now().UnixNano())
		_, err = conn.Exec(tb.Context(), "CREATE DATABASE "+name)
		require.NoError(tb, err)
		require.NoError(tb, conn.Close(tb.Context()))
		return location{url: postgres.url + name}
	},
}

// store opens the store for an instance, of which api is Clerk.
func (l location) store(tb testing.TB, instance string, share clerk.Budget, api http.RoundTripper) *store {
	tb.Helper()
	db, err := openDatabase(tb.Context(), l.url, l.file)
	require.NoError(tb, err)
	tb.Cleanup(db.close)
	s, err := openStore(tb.Context(), db, instance, share, api)
	require.NoError(tb, err)
	return s
}

// startWorker starts a worker in this process, which ends with the test.
func startWorker(tb testing.TB, s *store, secretKey string) {
	tb.Helper()
	startTimedWorker(tb, s, secretKey, usualTiming)
}

func startTimedWorker(tb testing.TB, s *store, secretKey string, timing timing) {
	tb.Helper()
	client, err := newClient(secretKey, s.limit)
	require.NoError(tb, err)
	worker, err := newWorker(s, client, timing, slog.New(slog.DiscardHandler))
	require.NoError(tb, err)
	require.NoError(tb, worker.Start(context.WithoutCancel(tb.Context())))
	tb.Cleanup(func() { require.NoError(tb, worker.StopAndCancel(context.WithoutCancel(tb.Context()))) })
}

// waitFor waits until the status of the campaign is as it should be.
func waitFor(tb testing.TB, s *store, campaign string, enough func(*status) bool) *status {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), 8*time.Minute)
	defer cancel()
	for {
		st, err := s.status(tb.Context(), campaign)
		require.NoError(tb, err)
		if enough(st) {
			return st
		}
		select {
		case <-ctx.Done():
			tb.Fatal("it is still: ", st)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// read reads a CSV file of addresses.
func read(tb testing.TB, input string) *people.List {
	tb.Helper()
	list, err := people.Read([]byte(input))
	require.NoError(tb, err)
	return list
}

// guests is a CSV file of n addresses.
func guests(n int) string {
	var b strings.Builder
	b.WriteString("email_address\n")
	for i := range n {
		fmt.Fprintf(&b, "guest%d@example.com\n", i)
	}
	return b.String()
}

// reportOf is the report's lines, without the first.
func reportOf(t *testing.T, st *status) [][]string {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, st.writeReport(&b))
	lines, err := csv.NewReader(&b).ReadAll()
	require.NoError(t, err)
	require.Equal(t, []string{"line", "email_address", "outcome", "invitation_id", "problem"}, lines[0])
	return lines[1:]
}

// aLot is a share that is in nobody's way.
var aLot = clerk.Budget{Creates: 1000, BulkCreates: 1000, Window: time.Minute}

func TestCampaign(t *testing.T) {
	t.Parallel()
	for name, database := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := database(t)
			fake := clerktest.New()
			fake.AddUser("user@example.com")
			client, err := fake.Client()
			require.NoError(t, err)
			old, err := client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: "old@example.com"})
			require.NoError(t, err)
			time.Sleep(2 * time.Millisecond) // the campaign is younger
			s := l.store(t, "default", aLot, fake)
			added, err := s.enqueue(t.Context(), "spring", read(t, "email,seat\n"+
				"a@example.com,1\nuser@example.com,2\nold@example.com,3\nno address,4\nA@example.com,5\nb@example.com,6,7\nb@example.com\n"))
			require.NoError(t, err)
			require.Equal(t, 1, added)

			startWorker(t, s, fake.SecretKey())
			st := waitFor(t, s, "spring", (*status).done)
			require.Equal(t, "spring, 7 rows: 2 created, 1 already invited, 1 already a user, 3 refused", st.String())
			require.Equal(t, 3, st.unsent())
			made := fake.Invitations()
			require.Len(t, made, 3)
			require.JSONEq(t, `{"seat":"1"}`, string(made[1].PublicMetadata))
			require.Equal(t, [][]string{
				{"2", "a@example.com", "created", made[1].ID, ""},
				{"3", "user@example.com", "already a user", "", ""},
				{"4", "old@example.com", "already invited", old.ID, ""},
				{"5", "no address", "refused", "", "clerk: CreateInvitation: email_address has no @"},
				{"6", "A@example.com", "refused", "", "the same address as in line 2"},
				{"7", "b@example.com", "refused", "", "3 fields, but the first line names 2"},
				{"8", "b@example.com", "created", made[2].ID, ""},
			}, reportOf(t, st))
		})
	}
}

func TestEnqueueTwice(t *testing.T) {
	t.Parallel()
	for name, database := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := database(t)
			fake := clerktest.New()
			s := l.store(t, "default", aLot, fake)
			list := read(t, "email,seat\n"+strings.TrimPrefix(guests(25), "email_address\n"))
			list.Requests[3].PublicMetadata = map[string]any{"seat": 7, "role": "admin"}
			enqueue := func(s *store, list *people.List) (int, error) { return s.enqueue(t.Context(), "spring", list) }
			for _, want := range []int{3, 0} {
				added, err := enqueue(s, list)
				require.NoError(t, err)
				require.Equal(t, want, added)
			}
			for _, other := range []string{guests(24), guests(26), guests(30), strings.Replace(guests(25), "7@", "8@", 1)} {
				_, err := enqueue(s, read(t, other))
				require.ErrorContains(t, err, `there is a campaign "spring" with other rows; enqueue these under another name, with -campaign`)
			}
			_, err := s.enqueue(t.Context(), "empty", read(t, "email\n"))
			require.EqualError(t, err, "there is nobody to invite")
			_, err = s.status(t.Context(), "empty")
			require.EqualError(t, err, `there is no campaign "empty" of the instance "default" in this database`)

			startWorker(t, s, fake.SecretKey())
			waitFor(t, s, "spring", (*status).done)
			added, err := enqueue(s, list)
			require.NoError(t, err)
			require.Zero(t, added, "nor when it has ended")

			other := l.store(t, "other", aLot, fake)
			added, err = enqueue(other, list)
			require.NoError(t, err)
			require.Equal(t, 3, added, "other instances have campaigns of their own")
			time.Sleep(500 * time.Millisecond)
			st, err := other.status(t.Context(), "spring")
			require.NoError(t, err)
			require.Equal(t, 25, st.counts[waiting], "and workers")
			require.Len(t, fake.Invitations(), 25)
		})
	}
}

// TestEnqueueAtOnce: of two who enqueue other rows under one name one hears of it.
func TestEnqueueAtOnce(t *testing.T) {
	t.Parallel()
	for name, database := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := database(t)
			stores := []*store{l.store(t, "default", aLot, nil), l.store(t, "default", aLot, nil)}
			lists := []*people.List{read(t, guests(30)), read(t, strings.ReplaceAll(guests(30), "@", "@sub."))}
			for round := range 20 {
				campaign := fmt.Sprint("campaign ", round)
				var group sync.WaitGroup
				var done atomic.Int32
				for i, s := range stores {
					group.Go(func() {
						if _, err := s.enqueue(t.Context(), campaign, lists[i]); err == nil {
							done.Add(1)
						}
					})
				}
				group.Wait()
				require.LessOrEqual(t, done.Load(), int32(1))
			}
		})
	}
}

// TestOddRows: no row of a file keeps the others out.
func TestOddRows(t *testing.T) {
	t.Parallel()
	for name, database := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake := clerktest.New()
			s := database(t).store(t, "default", aLot, fake)
			_, err := s.enqueue(t.Context(), "spring", read(t, "email,name\na@example.com,A\x00\nb@example.com,B\xff\nc@example.com,\U0001F600\\u0000\n"))
			require.NoError(t, err)
			startWorker(t, s, fake.SecretKey())
			st := waitFor(t, s, "spring", (*status).done)
			require.Equal(t, [][]string{
				{"2", "", "refused", "", "it holds a NUL character"},
				{"3", "b@example.com", "refused", "", "not in UTF-8"},
				{"4", "c@example.com", "created", fake.Invitations()[0].ID, ""},
			}, reportOf(t, st))
			require.JSONEq(t, `{"name":"\ud83d\ude00\\u0000"}`, string(fake.Invitations()[0].PublicMetadata))
		})
	}
}

// TestSnoozes: what does not get through is not slept on.
func TestSnoozes(t *testing.T) {
	t.Parallel()
	for name, database := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := database(t)
			fake := clerktest.New()
			s := l.store(t, "default", clerk.Budget{Creates: 3, BulkCreates: 2, Window: time.Hour}, fake)
			_, err := s.enqueue(t.Context(), "spring", read(t, guests(50)))
			require.NoError(t, err)
			startWorker(t, s, fake.SecretKey())
			snoozed := func(st *status) bool {
				return !slices.ContainsFunc(st.jobs, func(j job) bool {
					return j.row.State != rivertype.JobStateScheduled && j.row.State != rivertype.JobStateCompleted
				})
			}
			st := waitFor(t, s, "spring", snoozed)
			require.Equal(t, map[string]int{"created": 23, waiting: 27}, st.counts)
			require.WithinDuration(t, time.Now().Add(time.Hour), st.until, time.Minute)
			require.WithinDuration(t, time.Now().Add(2*time.Hour), st.end, time.Minute, "23 more in an hour, the rest in another")
			require.Contains(t, st.String(), "spring, 50 rows: 23 created, 27 waiting until ")
			for _, j := range st.jobs {
				if j.row.State == rivertype.JobStateScheduled {
					require.WithinDuration(t, st.until, j.row.ScheduledAt, 3*time.Second)
					require.Zero(t, j.row.Attempt)
					require.Empty(t, j.row.Errors)
				}
			}
			for _, req := range fake.Requests() {
				require.Equal(t, http.StatusOK, req.Status, "what is too much is not asked for")
			}
		})
	}
}

// TestOthersUseTheLimits: where they do, Clerk itself refuses requests.
func TestOthersUseTheLimits(t *testing.T) {
	t.Parallel()
	for name, database := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := database(t)
			fake := clerktest.New(clerktest.WithRateLimits(clerktest.RateLimits{
				Creates: clerktest.Limit{Requests: 2, Per: time.Hour}, Bulks: clerktest.Limit{Requests: 1, Per: time.Hour},
			}))
			s := l.store(t, "default", clerk.Budget{Creates: 90, BulkCreates: 25, Window: time.Hour}, fake)
			_, err := s.enqueue(t.Context(), "spring", read(t, guests(300)))
			require.NoError(t, err)
			startWorker(t, s, fake.SecretKey())
			st := waitFor(t, s, "spring", func(st *status) bool { return !st.until.IsZero() && st.counts["created"] == 12 })
			require.WithinDuration(t, time.Now().Add(time.Hour), st.until, time.Minute)
			refused := 0
			for _, req := range fake.Requests() {
				if req.Status == http.StatusTooManyRequests {
					refused++
				}
			}
			require.LessOrEqual(t, refused, 8, "one of each kind for each job that was under way")
		})
	}
}

// An oddAPI answers some requests otherwise than what is behind it.
type oddAPI struct {
	next  http.RoundTripper
	asked atomic.Int32
	odd   func(*http.Request) *http.Response // nil for as usual
}

func (o *oddAPI) RoundTrip(req *http.Request) (*http.Response, error) {
	o.asked.Add(1)
	if resp := o.odd(req); resp != nil {
		resp.Request = req
		if resp.Body == nil {
			resp.Body = http.NoBody
		}
		return resp, nil
	}
	return o.next.RoundTrip(req)
}

// deliver has a request carried out, whose answer is lost.
func deliver(t *testing.T, fake *clerktest.Fake, req *http.Request) {
	t.Helper()
	resp, err := fake.RoundTrip(req)
	if assert.NoError(t, err) {
		assert.NoError(t, resp.Body.Close())
	}
}

// TestLimitedWithoutATime: a 429 need not say when to come again, nor be about the hour.
func TestLimitedWithoutATime(t *testing.T) {
	t.Parallel()
	for name, header := range map[string]http.Header{
		"nothing": {}, "a date": {"Retry-After": {time.Now().Add(time.Minute).UTC().Format(http.TimeFormat)}}, "nonsense": {"Retry-After": {"99999999999"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			api := &oddAPI{next: clerktest.New(), odd: func(req *http.Request) *http.Response {
				if req.Method == http.MethodPost {
					return &http.Response{StatusCode: http.StatusTooManyRequests, Header: header}
				}
				return nil
			}}
			s := databases["SQLite"](t).store(t, "default", usualShare, api)
			_, err := s.enqueue(t.Context(), "spring", read(t, guests(300)))
			require.NoError(t, err)
			startWorker(t, s, clerktest.SecretKey)
			time.Sleep(3 * time.Second)
			require.Less(t, int(api.asked.Load()), 40, "a few of each job that was under way")
			st, err := s.status(t.Context(), "spring")
			require.NoError(t, err)
			for _, j := range st.jobs {
				require.WithinRange(t, j.row.ScheduledAt, time.Now().Add(-time.Minute), time.Now().Add(time.Hour))
			}
			places, err := s.limit.look(t.Context())
			require.NoError(t, err)
			wait := s.limit.wait(places)
			require.Positive(t, wait)
			require.LessOrEqual(t, wait, time.Hour)
			if name == "nothing" {
				require.LessOrEqual(t, wait, time.Minute)
				require.Less(t, time.Until(places[len(places)-1].free), time.Minute, "no place is lost")
			}
		})
	}
}

// TestLimitedList: to list is limited, too, but the jobs have not failed.
func TestLimitedList(t *testing.T) {
	t.Parallel()
	api := &oddAPI{next: clerktest.New(), odd: func(*http.Request) *http.Response {
		return &http.Response{StatusCode: http.StatusTooManyRequests, Header: http.Header{"Retry-After": {"99999999"}}}
	}}
	s := databases["SQLite"](t).store(t, "default", aLot, api)
	_, err := s.enqueue(t.Context(), "spring", read(t, guests(5)))
	require.NoError(t, err)
	startWorker(t, s, clerktest.SecretKey)
	st := waitFor(t, s, "spring", func(st *status) bool { return st.jobs[0].row.State == rivertype.JobStateScheduled })
	require.Empty(t, st.jobs[0].row.Errors)
	// No longer than the share's time, whatever the answer asks for.
	require.WithinDuration(t, time.Now().Add(aLot.Window), st.jobs[0].row.ScheduledAt, 10*time.Second)
	require.Equal(t, st.jobs[0].row.ScheduledAt.Unix(), st.until.Unix())
	require.Equal(t, st.jobs[0].row.ScheduledAt.Unix(), st.end.Unix())
}

// TestRefusedLookup: that one row cannot be looked up is no reason to stop.
func TestRefusedLookup(t *testing.T) {
	t.Parallel()
	fake := clerktest.New()
	api := &oddAPI{next: fake, odd: func(req *http.Request) *http.Response {
		if req.URL.Query().Get("query") != "" {
			return &http.Response{StatusCode: http.StatusUnprocessableEntity}
		}
		return nil
	}}
	client, err := fake.Client()
	require.NoError(t, err)
	_, err = client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: "guest3@example.com"})
	require.NoError(t, err)
	s := databases["SQLite"](t).store(t, "default", aLot, api)
	_, err = s.enqueue(t.Context(), "spring", read(t, guests(5)))
	require.NoError(t, err)
	startWorker(t, s, clerktest.SecretKey)
	st := waitFor(t, s, "spring", (*status).done)
	require.Equal(t, "spring, 5 rows: 4 created, 1 already invited", st.String())
}

// TestInDoubt: where a job is given up that may have sent its rows, the report says so.
func TestInDoubt(t *testing.T) {
	t.Parallel()
	for name, database := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, share := range []clerk.Budget{aLot, {Creates: 1, Window: time.Hour}} {
				giveUp(t, database, share)
			}
		})
	}
}

// giveUp cancels a campaign whose first request was carried out, and was not heard of again.
func giveUp(t *testing.T, database func(testing.TB) location, share clerk.Budget) {
	t.Helper()
	fake := clerktest.New()
	api := &oddAPI{next: fake, odd: func(req *http.Request) *http.Response {
		switch {
		case req.Method == http.MethodPost:
			deliver(t, fake, req)
		case len(fake.Invitations()) == 0:
			return nil
		}
		return &http.Response{StatusCode: http.StatusServiceUnavailable, Header: http.Header{"Retry-After": {"60"}}}
	}}
	s := database(t).store(t, "default", share, api)
	_, err := s.enqueue(t.Context(), "spring", read(t, guests(5)))
	require.NoError(t, err)
	startWorker(t, s, clerktest.SecretKey)
	waitFor(t, s, "spring", func(st *status) bool { return st.jobs[0].failure() != "" })
	require.NoError(t, s.cancel(t.Context(), "spring"))
	st := waitFor(t, s, "spring", (*status).done)
	require.Equal(t, "spring, 5 rows: 5 in doubt", st.String())
	require.Equal(t, 5, st.unsent())
	require.NotEmpty(t, fake.Invitations())
	require.Contains(t, reportOf(t, st)[0][4], "outcome unknown")
}

// TestStoppedInDoubt: a worker is stopped while it finds out what its request has done.
func TestStoppedInDoubt(t *testing.T) {
	t.Parallel()
	for name, database := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, goesOn := range []bool{true, false} {
				t.Run(fmt.Sprint("goes on: ", goesOn), func(t *testing.T) {
					t.Parallel()
					stopInDoubt(t, database, goesOn)
				})
			}
		})
	}
}

func stopInDoubt(t *testing.T, database func(testing.TB) location, goesOn bool) {
	t.Helper()
	fake := clerktest.New()
	var healed atomic.Bool
	api := &oddAPI{next: fake, odd: func(req *http.Request) *http.Response {
		switch {
		case healed.Load():
			return nil
		case req.Method == http.MethodPost:
			deliver(t, fake, req)
		case len(fake.Invitations()) == 0:
			return nil
		}
		return &http.Response{StatusCode: http.StatusServiceUnavailable}
	}}
	s := database(t).store(t, "default", aLot, api)
	_, err := s.enqueue(t.Context(), "spring", read(t, guests(5)))
	require.NoError(t, err)
	t.Run("stopped", func(t *testing.T) {
		startWorker(t, s, clerktest.SecretKey)
		require.Eventually(t, func() bool { return len(fake.Invitations()) == 5 }, time.Minute, 10*time.Millisecond)
	})
	if goesOn {
		healed.Store(true)
		startWorker(t, s, clerktest.SecretKey)
		require.Equal(t, "spring, 5 rows: 5 created", waitFor(t, s, "spring", (*status).done).String())
		return
	}
	require.NoError(t, s.cancel(t.Context(), "spring"))
	require.Equal(t, "spring, 5 rows: 5 in doubt", waitFor(t, s, "spring", (*status).done).String())
}

// TestListedLate: what a job has made may be refused as a duplicate before it is listed.
func TestListedLate(t *testing.T) {
	t.Parallel()
	fake := clerktest.New()
	var listed atomic.Int32 // since the invitations were made
	api := &oddAPI{next: fake, odd: func(req *http.Request) *http.Response {
		switch made := len(fake.Invitations()) > 0; {
		case req.Method == http.MethodPost && !made:
			deliver(t, fake, req)
			return &http.Response{StatusCode: http.StatusServiceUnavailable}
		case req.Method == http.MethodPost || !made || listed.Add(1) > 3:
			return nil
		case listed.Load() == 1: // the lookup
			return &http.Response{StatusCode: http.StatusServiceUnavailable, Header: http.Header{"Retry-After": {"60"}}}
		}
		return &http.Response{
			StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}},
			Body: io.NopCloser(strings.NewReader(`{"data":[],"total_count":0}`)),
		}
	}}
	s := databases["SQLite"](t).store(t, "default", aLot, api)
	_, err := s.enqueue(t.Context(), "spring", read(t, guests(5)))
	require.NoError(t, err)
	startTimedWorker(t, s, clerktest.SecretKey, timing{job: time.Minute, rescueAfter: 2 * time.Minute, retry: soon{}})
	st := waitFor(t, s, "spring", (*status).done)
	require.Equal(t, "spring, 5 rows: 5 created", st.String())
	require.Greater(t, len(st.jobs[0].row.Errors), 1)
}

// TestTooLong: a job that has run for too long may be another worker's, and what came of it
// is left to that one to find.
func TestTooLong(t *testing.T) {
	t.Parallel()
	for name, database := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			api := &slowAPI{next: clerktest.New(), begun: make(chan struct{}, 100)}
			s := database(t).store(t, "default", aLot, api)
			_, err := s.enqueue(t.Context(), "spring", read(t, guests(5)))
			require.NoError(t, err)
			startTimedWorker(t, s, clerktest.SecretKey, timing{job: 200 * time.Millisecond, rescueAfter: time.Minute, retry: soon{}})
			st := waitFor(t, s, "spring", (*status).done)
			require.Contains(t, st.jobs[0].row.Errors[0].Error, "may be another worker's by now")
			require.Equal(t, "spring, 5 rows: 5 created", st.String())
			require.Len(t, api.begun, 1)
		})
	}
}

// soon tries jobs again in a second.
type soon struct{}

func (soon) NextRetry(*rivertype.JobRow) time.Time { return time.Now().Add(time.Second) }

// TestNothingSent: a request that could not be sent takes no place.
func TestNothingSent(t *testing.T) {
	t.Parallel()
	for name, database := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := database(t).store(t, "default", usualShare, unreachable{})
			req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/invitations", strings.NewReader("{}"))
			_, err := s.limit.RoundTrip(req)
			require.ErrorIs(t, err, syscall.ECONNREFUSED)
			places, err := s.limit.look(t.Context())
			require.NoError(t, err)
			require.Len(t, places, 115)
			require.False(t, places[114].free.After(time.Now()))

			s.db.close()
			_, err = s.limit.RoundTrip(req.Clone(t.Context()))
			failure, ok := errors.AsType[*net.OpError](err)
			require.True(t, ok, err)
			require.Equal(t, "dial", failure.Op, "which tells the client that nothing was sent")
		})
	}
}

type unreachable struct{}

func (unreachable) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
}

func TestKeyThatIsRefused(t *testing.T) {
	t.Parallel()
	for name, database := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := database(t)
			fake := clerktest.New()
			s := l.store(t, "default", aLot, fake)
			require.NoError(t, s.resume(t.Context()), "there is nothing to resume yet")
			_, err := s.enqueue(t.Context(), "spring", read(t, guests(1000)))
			require.NoError(t, err)
			t.Run("with the wrong key", func(t *testing.T) {
				startWorker(t, s, "sk_test_wrong")
				st := waitFor(t, s, "spring", func(st *status) bool { return st.stopped != "" })
				require.Contains(t, st.String(), `; stopped, until "durable resume": Clerk does not take the secret key: clerk: `)
				time.Sleep(3 * time.Second)
			})
			require.LessOrEqual(t, len(fake.Requests()), 20, "a few for each job that was under way")
			st, err := s.status(t.Context(), "spring")
			require.NoError(t, err)
			for _, j := range st.jobs {
				require.Empty(t, j.row.Errors)
			}
			startWorker(t, s, fake.SecretKey())
			time.Sleep(time.Second)
			require.Empty(t, fake.Invitations(), "it stays stopped")
			require.NoError(t, s.resume(t.Context()))
			st = waitFor(t, s, "spring", (*status).done)
			require.Equal(t, "spring, 1000 rows: 1000 created", st.String())
		})
	}
}

// TestFailingAPI: River tries again, later.
func TestFailingAPI(t *testing.T) {
	t.Parallel()
	for name, database := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := database(t)
			fake := clerktest.New()
			client, err := fake.Client()
			require.NoError(t, err)
			_, err = client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: "guest3@example.com"})
			require.NoError(t, err)
			failing := &failingAPI{next: fake}
			failing.fails.Store(true)
			s := l.store(t, "default", aLot, failing)
			_, err = s.enqueue(t.Context(), "spring", read(t, guests(5)))
			require.NoError(t, err)
			startWorker(t, s, clerktest.SecretKey)
			st := waitFor(t, s, "spring", func(st *status) bool { return len(st.jobs[0].row.Errors) > 0 })
			failing.fails.Store(false)
			require.Contains(t, st.String(), "spring, 5 rows: 5 waiting until ")
			require.Contains(t, st.String(), "; the last attempt failed: clerk: ")
			require.Contains(t, st.String(), "503 Service Unavailable")
			require.Empty(t, st.stopped)
			require.Equal(t, 5, st.counts[waiting])
			st = waitFor(t, s, "spring", (*status).done)
			require.Equal(t, map[string]int{"created": 4, "already invited": 1}, st.counts)
		})
	}
}

// A failingAPI fails while it is told to.
type failingAPI struct {
	next  http.RoundTripper
	fails atomic.Bool
}

func (f *failingAPI) RoundTrip(req *http.Request) (*http.Response, error) {
	if !f.fails.Load() {
		return f.next.RoundTrip(req)
	}
	return &http.Response{StatusCode: http.StatusServiceUnavailable, Header: http.Header{"Retry-After": {"60"}}, Body: http.NoBody, Request: req}, nil
}

func TestCancel(t *testing.T) {
	t.Parallel()
	for name, database := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := database(t)
			fake := clerktest.New()
			s := l.store(t, "default", clerk.Budget{BulkCreates: 2, Window: time.Hour}, fake)
			_, err := s.enqueue(t.Context(), "spring", read(t, guests(50)))
			require.NoError(t, err)
			require.EqualError(t, s.cancel(t.Context(), "autumn"), `there is no campaign "autumn" of the instance "default" in this database`)
			startWorker(t, s, fake.SecretKey())
			waitFor(t, s, "spring", func(st *status) bool { return st.counts["created"] == 20 })
			require.NoError(t, s.cancel(t.Context(), "spring"))
			st := waitFor(t, s, "spring", (*status).done)
			require.Equal(t, "spring, 50 rows: 20 created, 30 cancelled", st.String())
			added, err := s.enqueue(t.Context(), "spring", read(t, guests(50)))
			require.NoError(t, err)
			require.Zero(t, added)
			require.Len(t, fake.Invitations(), 20)
			for _, line := range reportOf(t, st) {
				require.Contains(t, []string{"created", "cancelled"}, line[2])
			}
		})
	}
}

// TestStopping: a worker that is stopped finishes its request, and keeps what came of it.
func TestStopping(t *testing.T) {
	t.Parallel()
	for name, database := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			api := &slowAPI{next: clerktest.New(), begun: make(chan struct{}, 100)}
			s := database(t).store(t, "default", clerk.Budget{Creates: 1000, Window: time.Minute}, api)
			_, err := s.enqueue(t.Context(), "spring", read(t, guests(10)))
			require.NoError(t, err)
			t.Run("a worker", func(t *testing.T) {
				startWorker(t, s, clerktest.SecretKey)
				<-api.begun
				<-api.begun
			})
			st, err := s.status(t.Context(), "spring")
			require.NoError(t, err)
			require.Equal(t, map[string]int{"created": 2, waiting: 8}, st.counts)
			require.Empty(t, st.jobs[0].row.Errors)
			startWorker(t, s, clerktest.SecretKey)
			st = waitFor(t, s, "spring", (*status).done)
			require.Equal(t, 10, st.counts["created"])
			require.Len(t, api.begun, 8)
		})
	}
}

// A slowAPI takes its time to create.
type slowAPI struct {
	next  http.RoundTripper
	begun chan struct{}
}

func (s *slowAPI) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Method == http.MethodPost {
		s.begun <- struct{}{}
		time.Sleep(300 * time.Millisecond)
	}
	return s.next.RoundTrip(req)
}

// TestCancelWhileRunning: what is under way goes out, and is reported.
func TestCancelWhileRunning(t *testing.T) {
	t.Parallel()
	for name, database := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			api := &slowAPI{next: clerktest.New(), begun: make(chan struct{}, 100)}
			s := database(t).store(t, "default", clerk.Budget{Creates: 1000, Window: time.Minute}, api)
			_, err := s.enqueue(t.Context(), "spring", read(t, guests(10)))
			require.NoError(t, err)
			startWorker(t, s, clerktest.SecretKey)
			<-api.begun
			require.NoError(t, s.cancel(t.Context(), "spring"))
			st := waitFor(t, s, "spring", (*status).done)
			made := 1 + len(api.begun)
			require.Less(t, made, 10)
			require.Equal(t, map[string]int{"created": made, cancelled: 10 - made}, st.counts)
		})
	}
}

// TestOverlap: what another campaign has made is not this one's.
func TestOverlap(t *testing.T) {
	t.Parallel()
	for name, database := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake := clerktest.New()
			s := database(t).store(t, "default", aLot, fake)
			for _, campaign := range []string{"spring", "summer"} {
				_, err := s.enqueue(t.Context(), campaign, read(t, guests(10)))
				require.NoError(t, err)
			}
			startWorker(t, s, fake.SecretKey())
			spring, summer := waitFor(t, s, "spring", (*status).done), waitFor(t, s, "summer", (*status).done)
			require.Equal(t, 10, spring.counts["created"]+summer.counts["created"])
			require.Equal(t, 10, spring.counts["already invited"]+summer.counts["already invited"])
			require.Len(t, fake.Invitations(), 10)
		})
	}
}

func TestCommand(t *testing.T) {
	t.Chdir(t.TempDir())
	require.NoError(t, os.WriteFile("people.csv", []byte("email\na@example.com\na@example.com\n"), 0o600))
	require.NoError(t, os.WriteFile("empty.csv", nil, 0o600))
	for _, test := range []struct {
		key, args string
		code      int
		stdout    string // its beginning
		stderr    string // a part of it
	}{
		{"", "", exitUsage, "", "usage: durable "},
		{"", "-h", 0, "", "usage: durable "},
		{"", "status", exitUsage, "", "usage: durable "},
		{"", "invite people.csv", exitUsage, "", "usage: durable "},
		{"", "status people", exitFailed, "", "DATABASE_URL is not set, and stat campaigns.sqlite3: no such file"},
		{"", "people.csv", exitUnsent, "line,email_address,outcome,invitation_id,problem\n2,a@example.com,created,inv_", "this is a fake of Clerk"},
		{"", "other.csv", exitFailed, "", "other.csv: no such file"},
		{"", "enqueue empty.csv", exitFailed, "", "the file is empty"},
		{"pk_test_dummy", "people.csv", exitFailed, "", "publishable"},
		{"", "status people", exitFailed, "", `there is no campaign "people"`},
		{"", "-instance= enqueue people.csv", exitUsage, "", "usage: durable "},
		{"", "-instance Two enqueue people.csv", exitUsage, "", "usage: durable "},
		{"", "work", exitFailed, "", "secret key is empty"},
		{"", "enqueue people.csv", 0, "people, 2 rows: 1 refused, 1 waiting; to end about ", "people is enqueued"},
		{"", "status people", 0, "people, 2 rows: 1 refused, 1 waiting; to end about ", ""},
		{"", "status people.csv", 0, "people, 2 rows: 1 refused, 1 waiting; to end about ", ""},
		{"", "enqueue people.csv", 0, "people, 2 rows: 1 refused, 1 waiting; ", "people was enqueued before; nothing is added"},
		{"", "-campaign spring enqueue people.csv", 0, "spring, 2 rows: ", "spring is enqueued"},
		{"", "-campaign spring/2026 enqueue people.csv", exitFailed, "", `"spring/2026" is no name for a campaign`},
		{"", "-campaign caf\xe9 enqueue people.csv", exitFailed, "", `"caf\xe9" is no name for a campaign`},
		{"", "-instance other status people", exitFailed, "", "there is no campaign"},
		{"", "report people", 0, "line,email_address,outcome,invitation_id,problem\n2,a@example.com,waiting,,\n3,a@example.com,refused,,the same address as in line 2\n", ""},
		{"", "resume", 0, "nothing was stopped\n", ""},
		{"", "cancel people", 0, "people, 2 rows: 1 refused, 1 cancelled\n", ""},
	} {
		var stdout, stderr bytes.Buffer
		p := program{stdout: &stdout, stderr: &stderr, secretKey: test.key}
		require.Equal(t, test.code, p.main(t.Context(), strings.Fields(test.args)), "%s: %s", test.args, &stderr)
		require.True(t, strings.HasPrefix(stdout.String(), test.stdout), "%s: %s", test.args, &stdout)
		require.Contains(t, stderr.String(), test.stderr, test.args)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for args, code := range map[string]int{"work": 0, "people.csv": exitStopped} {
		p := program{stdout: io.Discard, stderr: io.Discard, secretKey: "sk_test_dummy"}
		require.Equal(t, code, p.main(ctx, strings.Fields(args)), args)
	}
}

// TestLimit: all workers together take no more than the share in any of its times.
func TestLimit(t *testing.T) {
	t.Parallel()
	for name, database := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := database(t)
			share := clerk.Budget{Creates: 7, BulkCreates: 3, Window: 2 * time.Second}
			fake := clerktest.New()
			var group sync.WaitGroup
			for range 4 {
				s := l.store(t, "default", share, fake)
				for kind, path := range map[string]string{single: "/v1/invitations", bulk: "/v1/invitations/bulk"} {
					group.Go(func() {
						for range 60 {
							req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader("{}"))
							resp, err := s.limit.RoundTrip(req)
							if !assert.NoError(t, err, kind) {
								return
							}
							assert.NoError(t, resp.Body.Close())
							if resp.StatusCode == http.StatusTooManyRequests {
								assert.Contains(t, []string{"1", "2"}, resp.Header.Get("Retry-After"))
								time.Sleep(100 * time.Millisecond)
							}
						}
					})
				}
			}
			group.Wait()
			times := map[string][]time.Time{}
			for _, req := range fake.Requests() {
				times[req.Path] = append(times[req.Path], req.Time)
			}
			for path, most := range map[string]int{"/v1/invitations": share.Creates, "/v1/invitations/bulk": share.BulkCreates} {
				got := times[path]
				require.GreaterOrEqual(t, len(got), 2*most, "what is free is taken")
				for i := range len(got) - most {
					require.Greater(t, got[i+most].Sub(got[i]), share.Window-200*time.Millisecond, path)
				}
			}
		})
	}
}

func TestEstimate(t *testing.T) {
	t.Parallel()
	l := &limit{share: clerk.Budget{Creates: 2, BulkCreates: 1, Window: time.Hour}}
	now := time.Now()
	places := []place{{single, time.UnixMilli(0)}, {bulk, now.Add(10 * time.Minute)}, {single, now.Add(20 * time.Minute)}}
	for rows, want := range map[int]time.Duration{
		0: 0, 1: 0, 2: 10 * time.Minute, 11: 10 * time.Minute, 12: 20 * time.Minute,
		13: time.Hour, 14: 70 * time.Minute, 24: 80 * time.Minute, 36: 140 * time.Minute,
	} {
		require.WithinDuration(t, now.Add(want), l.estimate(places, rows), time.Second, "%d rows", rows)
	}
	require.WithinDuration(t, now, (&limit{}).estimate(nil, 5), time.Second)
}

// TestManyOpen: workers may be the first to come, and at the same time.
func TestManyOpen(t *testing.T) {
	t.Parallel()
	for name, database := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := database(t)
			var group sync.WaitGroup
			for range 5 {
				group.Go(func() {
					db, err := openDatabase(t.Context(), l.url, l.file)
					if assert.NoError(t, err) {
						defer db.close()
						_, err = openStore(t.Context(), db, "default", aLot, clerktest.New())
						assert.NoError(t, err)
					}
				})
			}
			group.Wait()
		})
	}
}
