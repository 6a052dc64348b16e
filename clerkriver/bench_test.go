package clerkriver

import (
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

// BenchmarkEnqueue enqueues 100,000 rows with metadata. peak-MB is the growth of the process's
// largest resident set.
func BenchmarkEnqueue(b *testing.B) {
	a := newApp(b, shared.database(b), Config{}, nil)
	before := peak(b)
	for b.Loop() {
		a.enqueue(b, fmt.Sprint("campaign ", time.Now().UnixNano()), rowsWithMetadata(100_000))
	}
	b.ReportMetric(float64(peak(b)-before)/1e6, "peak-MB")
}

func rowsWithMetadata(n int) func(yield func(Row) bool) {
	return func(yield func(Row) bool) {
		for row := range guests(n) {
			row.Request.PublicMetadata = map[string]any{"team": "research", "seat": row.Ref}
			if !yield(row) {
				return
			}
		}
	}
}

// peak returns the process's largest resident set so far, in bytes.
func peak(tb testing.TB) int {
	tb.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		tb.Skip("the system does not say how much memory a process has used")
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	kilobytes, err := strconv.Atoi(strings.Fields(rest)[0])
	require.NoError(tb, err)
	return kilobytes << 10
}

// BenchmarkStatus reads the status of a campaign of 100,000 rows, some of which are sent.
func BenchmarkStatus(b *testing.B) {
	a := newApp(b, shared.database(b), Config{Limits: clerk.Budget{Creates: 100, BulkCreates: 25, Window: time.Hour}}, clerktest.New())
	a.enqueue(b, "spring", rowsWithMetadata(100_000))
	a.work(b)
	for b.Loop() {
		_, err := a.Status(b.Context(), "spring")
		require.NoError(b, err)
	}
}

// BenchmarkSlot sends a request through the transport, with the default limits.
func BenchmarkSlot(b *testing.B) {
	a := newApp(b, shared.database(b), Config{Limits: clerk.Budget{Creates: 100, BulkCreates: 25, Window: time.Millisecond}}, nil)
	a.timing.grace = 0
	through := a.Transport(roundTrip(func(req *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: http.NoBody, Request: req}, nil
	}))
	for b.Loop() {
		req, err := http.NewRequestWithContext(b.Context(), http.MethodPost, "https://api.example.com/v1/invitations", http.NoBody)
		require.NoError(b, err)
		resp, err := through.RoundTrip(req)
		require.NoError(b, err)
		require.Equal(b, http.StatusOK, resp.StatusCode)
	}
}

// BenchmarkMillion enqueues a million rows, sends a window of them, cancels and deletes
// them, and sends a window beside what that leaves behind.
func BenchmarkMillion(b *testing.B) {
	needsSoak(b)
	for b.Loop() {
		a := newApp(b, shared.database(b), Config{Limits: clerk.Budget{Creates: 100, BulkCreates: 25, Window: time.Hour}}, clerktest.New())
		lap := func(name string, do func()) {
			begun := time.Now()
			do()
			b.ReportMetric(time.Since(begun).Seconds(), name+"-s")
		}
		before := peak(b)
		lap("enqueue", func() { a.enqueue(b, "spring", rowsWithMetadata(1_000_000)) })
		b.ReportMetric(float64(peak(b)-before)/1e6, "peak-MB")
		_, err := a.pool.Exec(b.Context(), "ANALYZE")
		require.NoError(b, err)
		lap("status", func() { require.Equal(b, 1_000_000, a.counts(b, "spring")[StateWaiting]) })
		lap("window", func() { a.work(b) })
		require.Equal(b, 340, a.counts(b, "spring")[StateCreated])
		lap("cancel", func() {
			require.NoError(b, pgx.BeginFunc(b.Context(), a.pool, func(tx pgx.Tx) error { return a.CancelTx(b.Context(), tx, "spring") }))
		})
		lap("delete", func() { require.NoError(b, a.Delete(b.Context(), "spring")) })
		a.enqueue(b, "summer", guests(1000))
		lap("window-beside-dead-rows", func() { a.nextWindow(b) })
	}
}

// needsSoak skips a benchmark that takes a minute or more.
func needsSoak(b *testing.B) {
	b.Helper()
	if os.Getenv("CLERK_SOAK") == "" {
		b.Skip("it takes more than a minute; set CLERK_SOAK=1")
	}
}

// BenchmarkExisting sends a campaign for 90 seconds with Clerk's limits, on an instance
// that has 20,000 invitations.
func BenchmarkExisting(b *testing.B) {
	needsSoak(b)
	fake := clerktest.New()
	client, err := fake.Client()
	require.NoError(b, err)
	for i := 0; i < 20_000; i += clerk.MaxBulkInvitations {
		var bulk []clerk.CreateInvitationRequest
		for j := range clerk.MaxBulkInvitations {
			bulk = append(bulk, clerk.CreateInvitationRequest{EmailAddress: "old" + guest(i+j)})
		}
		_, err := client.Invitations.BulkCreate(b.Context(), bulk)
		require.NoError(b, err)
	}
	seeded := len(fake.Requests())
	for b.Loop() {
		a := newApp(b, shared.database(b), Config{Limits: clerk.Budget{Creates: 100, BulkCreates: 25, Window: time.Hour}}, fake)
		a.enqueue(b, "spring", guests(5000))
		a.start(b)
		time.Sleep(90 * time.Second)
		require.Equal(b, 340, a.counts(b, "spring")[StateCreated])
		b.ReportMetric(float64(len(a.jobs(b))), "jobs")
	}
	lists, refusals := 0, 0
	for _, req := range fake.Requests()[seeded:] {
		switch {
		case req.Operation == clerk.OperationList:
			lists++
		case req.Status == 429:
			refusals++
		}
	}
	// A server with Clerk's limits refuses all requests beyond them.
	refusals += max(0, sent(fake, clerk.OperationCreate)-100)
	refusals += max(0, sent(fake, clerk.OperationBulkCreate)-seeded-25)
	b.ReportMetric(float64(lists), "lists")
	b.ReportMetric(float64(refusals), "429s")
}

// BenchmarkWindow sends as much as fits into two windows of Clerk's limits. A window lasts a
// minute instead of an hour, and has 60 wakes as well.
func BenchmarkWindow(b *testing.B) {
	needsSoak(b)
	limits := clerk.Budget{Creates: 100, BulkCreates: 25, Window: time.Minute}
	for b.Loop() {
		fake := clerktest.New(strict(limits))
		a := newApp(b, shared.database(b), Config{Limits: limits}, slowly(50*time.Millisecond, fake))
		a.timing = timing{
			lease: 3 * time.Second, patience: time.Second / 3, longest: 2 * time.Second, grace: time.Second / 2,
			slot: time.Second, closing: time.Second,
		}
		a.enqueue(b, "spring", guests(680))
		a.start(b)
		a.wait(b, "spring", (*Status).Done)
		worked := 0
		for _, job := range a.jobs(b) {
			worked += job.Attempt
		}
		b.ReportMetric(float64(worked)/2, "jobs/window")
		b.ReportMetric(float64(sent(fake, clerk.OperationList))/2, "lists/window")
		for _, req := range fake.Requests() {
			require.Equal(b, 200, req.Status)
		}
	}
}
