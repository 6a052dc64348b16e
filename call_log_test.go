package clerk_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

// A logBuffer collects records as text, without times and durations.
type logBuffer struct {
	mu    sync.Mutex
	bytes bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.bytes.Write(p)
}

func (b *logBuffer) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(b, &slog.HandlerOptions{
		Level: slog.LevelDebug,
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey || a.Key == slog.LevelKey || a.Key == "duration" || a.Key == "trace_id" {
				return slog.Attr{}
			}
			return a
		},
	}))
}

// lines returns the records so far, and forgets them.
func (b *logBuffer) lines() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	defer b.bytes.Reset()
	return strings.Split(strings.TrimSpace(b.bytes.String()), "\n")
}

// client returns a client that logs to b, and whose waits are not random.
func (b *logBuffer) client(t *testing.T, transport http.RoundTripper, fake *clerktest.Fake) *clerk.Client {
	t.Helper()
	client, err := clientThrough(t, fake, transport).With(clerk.WithLogger(b.logger()), clerk.WithRandom(func() float64 { return 0.5 }))
	require.NoError(t, err)
	return client
}

// TestLogCountsTheLookupsOfAWrite: the log also says how long the call waits after each.
func TestLogCountsTheLookupsOfAWrite(t *testing.T) {
	const create, list, bulk = `operation=CreateInvitation route="POST /invitations" `, `operation=ListInvitations route="GET /invitations" `,
		`operation=CreateBulkInvitations route="POST /invitations/bulk" `
	synctest.Test(t, func(t *testing.T) {
		var log logBuffer
		l := newLife(t)
		client := log.client(t, l.fake, l.fake)
		l.fake.Fail(clerk.OperationCreate, clerktest.FaultErrorBefore)
		_, err := client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: address})
		require.NoError(t, err)
		require.Equal(t, []string{
			`msg="clerk request" ` + create + `call=1 attempt=1 status=500`,
			`msg="clerk request" ` + list + `call=1 pass=1 attempt=1 status=200`,
			`msg="clerk request" ` + list + `call=1 pass=1 attempt=1 status=200`,
			`msg="clerk write looked up" operation=CreateInvitation call=1 pass=1 next=retry wait=250.000001ms`,
			`msg="clerk request" ` + create + `call=1 pass=1 attempt=1 status=200`,
		}, log.lines())

		derived, err := client.With(clerk.WithAppName("derived"))
		require.NoError(t, err)
		_, err = derived.Invitations.BulkCreate(t.Context(), []clerk.CreateInvitationRequest{{EmailAddress: address}, {EmailAddress: "b@example.com"}})
		require.ErrorIs(t, err, clerk.ErrDuplicateInvitation)
		require.Equal(t, []string{
			`msg="clerk request" ` + bulk + `call=2 attempt=1 status=400`,
			`msg="clerk request" ` + list + `call=2 pass=1 attempt=1 status=200`,
			`msg="clerk write looked up" operation=CreateBulkInvitations call=2 pass=1 next=lookup wait=1s`,
			`msg="clerk request" ` + list + `call=2 pass=2 attempt=1 status=200`,
		}, log.lines())

		_, err = client.Invitations.List(t.Context(), clerk.ListInvitationsRequest{})
		require.NoError(t, err)
		require.Equal(t, []string{`msg="clerk request" ` + list + `call=3 attempt=1 status=200`}, log.lines())
	})
}

// TestLogWaitsOfEachLookup: with IgnoreExisting, the lookups continue until the grace time is
// over, and a retry follows the last one.
func TestLogWaitsOfEachLookup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logBuffer
		l := newLife(t)
		client := log.client(t, l.fake, l.fake)
		l.fake.Fail(clerk.OperationCreate, clerktest.FaultErrorBefore)
		_, err := client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: address, IgnoreExisting: true})
		require.NoError(t, err)
		passes, lists := 0, 0
		for _, line := range log.lines() {
			require.Contains(t, line, " call=1 ")
			if strings.Contains(line, "GET /invitations") {
				lists++
			}
			if strings.Contains(line, "looked up") {
				passes++
				require.Contains(t, line, fmt.Sprintf(" pass=%d next=", passes))
			}
		}
		require.Equal(t, 7, passes)
		require.Equal(t, 6+2, lists, "only the last lookup also reads the revoked ones")
	})
}

// TestLogTiesTheRecordsOfARunTogether, including those of batches that failed.
func TestLogTiesTheRecordsOfARunTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logBuffer
		l := newLife(t)
		l.fake.Fail(clerk.OperationBulkCreate, clerktest.FaultDropBefore, clerktest.FaultDropAfter)
		_, err := createAll(t, log.client(t, l.fake, l.fake), guests(25))
		require.NoError(t, err)
		lines := log.lines()
		require.Greater(t, len(lines), 5)
		for _, line := range lines {
			require.Contains(t, line, " call=1 ")
		}
		require.NotContains(t, lines[len(lines)-1], "pass=")
	})
}

// TestLogCountsTheLookupsForARefusedRow: the run looks for its own invitation until the grace
// time is over.
func TestLogCountsTheLookupsForARefusedRow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logBuffer
		l := newLife(t)
		bulks := partial(l.fake, func(int, []string) (int, httpmock.Responder) { return 0, refusals["422"] })
		create := failingOn(bulks, http.MethodPost, "/v1/invitations", reply(400, duplicateJSON))
		results, err := createAll(t, log.client(t, create, l.fake), guests(2))
		require.NoError(t, err)
		require.Equal(t, []clerk.Outcome{clerk.OutcomeAlreadyInvited, clerk.OutcomeAlreadyInvited}, outcomes(results))
		_, afterRefusal, _ := strings.Cut(strings.Join(log.lines(), "\n"), `route="POST /invitations" call=1 attempt=1 status=400`)
		for _, pass := range []string{"pass=1", "pass=2", "pass=3"} {
			require.Contains(t, afterRefusal, `route="GET /invitations" call=1 `+pass+" attempt=1 status=200")
			require.Contains(t, afterRefusal, "call=1 "+pass+" next=lookup wait=")
		}
	})
}

// TestLogNamesTheWriteOfARun: a run has no operation, but each of its writes does.
func TestLogNamesTheWriteOfARun(t *testing.T) {
	for op, budget := range map[clerk.Operation]clerk.Budget{
		clerk.OperationCreate: {Creates: 10}, clerk.OperationBulkCreate: {BulkCreates: 10},
	} {
		synctest.Test(t, func(t *testing.T) {
			var log logBuffer
			l := newLife(t)
			l.fake.Fail(op, clerktest.FaultDropBefore, clerktest.FaultErrorAfter)
			_, err := createAll(t, log.client(t, l.fake, l.fake), guests(20), clerk.WithBudget(budget))
			require.NoError(t, err)
			looked := 0
			for _, line := range log.lines() {
				if strings.Contains(line, "looked up") {
					looked++
					require.Contains(t, line, " operation="+string(op)+" ")
				}
			}
			require.NotZero(t, looked)
		})
	}
}

// A handler that records the values of a key in the contexts that it gets.
type contextHandler struct {
	slog.Handler

	seen *[]any
}

type requestKey struct{}

func (h contextHandler) Handle(ctx context.Context, r slog.Record) error {
	*h.seen = append(*h.seen, ctx.Value(requestKey{}))
	return h.Handler.Handle(ctx, r)
}

// TestLogHandlersGetTheContextOfTheCall: also in records about lookups and of a run.
func TestLogHandlersGetTheContextOfTheCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logBuffer
		var seen []any
		l := newLife(t)
		client, err := l.client.With(clerk.WithLogger(slog.New(contextHandler{log.logger().Handler(), &seen})))
		require.NoError(t, err)
		ctx := context.WithValue(t.Context(), requestKey{}, "req_1")
		l.fake.Fail(clerk.OperationCreate, clerktest.FaultErrorBefore)
		_, err = client.Invitations.Create(ctx, clerk.CreateInvitationRequest{EmailAddress: address})
		require.NoError(t, err)
		l.fake.Fail(clerk.OperationBulkCreate, clerktest.FaultErrorBefore)
		for _, err := range client.Invitations.CreateAll(ctx, guests(20)) {
			require.NoError(t, err)
		}
		require.Greater(t, len(seen), 8)
		for _, value := range seen {
			require.Equal(t, "req_1", value)
		}
	})
}
