package clerkriver_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerkriver"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

// What the examples use: of your service, see the example of the package.
var (
	ctx         = context.Background()
	pool        *pgxpool.Pool
	campaigns   *clerkriver.Campaigns
	riverClient *river.Client[pgx.Tx]
	client      *clerk.Client
)

// The rows of a campaign can be read from anywhere but the transaction itself: here from a
// table, while they are enqueued.
func ExampleCampaigns_EnqueueTx() {
	var failed error
	rows := func(yield func(clerkriver.Row) bool) {
		members, err := pool.Query(ctx, "SELECT id, email FROM members ORDER BY id")
		if err != nil {
			failed = err
			return
		}
		var row clerkriver.Row
		_, failed = pgx.ForEachRow(members, []any{&row.Ref, &row.Request.EmailAddress}, func() error {
			if !yield(row) {
				return errors.New("stopped")
			}
			return nil
		})
	}
	err := pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		added, err := campaigns.EnqueueTx(ctx, riverClient, tx, "spring", rows, nil)
		if err != nil || failed != nil {
			return errors.Join(err, failed) // the transaction is rolled back: there is no campaign
		}
		fmt.Println(added, "rows")
		return nil
	})
	if err != nil {
		log.Print(err)
	}
	// Output of a table with two members:
	// 2 rows
}

// A status is one line for people, and fields for programs.
func ExampleCampaigns_Status() {
	status, err := campaigns.Status(ctx, "spring")
	if errors.Is(err, clerkriver.ErrNoCampaign) {
		fmt.Println("nobody has enqueued it")
		return
	}
	if err != nil {
		log.Print(err)
		return
	}
	fmt.Println(status)
	fmt.Println(status.Counts[clerkriver.StateCreated], "of", status.Rows, "done:", status.Done())
	// Output of a campaign of two rows that was sent:
	// spring, 2 rows: 2 created
	// 2 of 2 done: true
}

// A report of what was not sent, and why.
func ExampleCampaigns_Results() {
	wanted := []clerkriver.State{clerkriver.StateRejected, clerkriver.StateUnknown, clerkriver.StateUserExists}
	unsent := 0
	for result, err := range campaigns.Results(ctx, "spring", 0, wanted...) {
		if err != nil {
			log.Print(err)
			return
		}
		unsent++
		fmt.Println(result.Ref, result.State, result.Problem)
	}
	fmt.Println(unsent, "not sent")
	// Output of a campaign that was sent to everybody:
	// 0 not sent
}

// People who have not accepted a week after they were invited get a new email.
func ExampleCampaigns_RemindTx() {
	err := pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		week := clerkriver.Reminder{After: 7 * 24 * time.Hour}
		added, err := campaigns.RemindTx(ctx, riverClient, tx, "spring", "spring reminder", week)
		if err != nil {
			return err
		}
		fmt.Println(added, "may be reminded")
		return nil
	})
	if err != nil {
		log.Print(err)
	}
	// Output of a campaign whose two invitations are open:
	// 2 may be reminded
}

// A person is erased from the campaigns first, and then at Clerk.
func ExampleCampaigns_ErasePersonTx() {
	const address = "ada@example.com"
	err := pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		return campaigns.ErasePersonTx(ctx, tx, address) // together with what your tables have
	})
	if err == nil {
		err = client.Invitations.Erase(ctx, address)
	}
	fmt.Println("error:", err)
	// Output of two calls that succeed:
	// error: <nil>
}

// Monitoring asks for what no event can report: that no process sends.
func ExampleCampaigns_InstanceStatus() {
	status, err := campaigns.InstanceStatus(ctx)
	if err != nil {
		log.Print(err)
		return
	}
	switch {
	case !status.OverdueSince.IsZero():
		fmt.Println("nothing is sent since", status.OverdueSince)
	case status.Paused != "":
		fmt.Println("paused:", status.Paused)
	case status.Failures > 3:
		fmt.Println("fails:", status.Problem)
	case status.Untold > 0:
		fmt.Println("OnResult or OnChange has failed:", status.Untold)
	default:
		fmt.Println("healthy")
	}
	// Output of an instance that was paused by Pause(ctx, "wrong list"):
	// paused: wrong list
}

// Sending stops on all machines, and continues at once.
func ExampleCampaigns_Pause() {
	if err := campaigns.Pause(ctx, "wrong list"); err != nil {
		log.Print(err)
		return
	}
	fmt.Println("paused")
	// Correct what was wrong, and then:
	if err := campaigns.Resume(ctx, riverClient); err != nil {
		log.Print(err)
		return
	}
	fmt.Println("resumed")
	// Output of two calls that succeed:
	// paused
	// resumed
}

// A request handler uses the campaigns' client, so that both stay within Clerk's limits. If these
// are used up, the error says when to try again.
func ExampleIsOwnRefusal() {
	_, err := client.Invitations.Create(ctx, clerk.CreateInvitationRequest{EmailAddress: "grace@example.com"},
		clerk.WithRetry(clerk.RetryConfig{Strategy: clerk.RetryNone}))
	var refused *clerk.ClerkErrors
	if clerkriver.IsOwnRefusal(err) && errors.As(err, &refused) {
		seconds, _ := strconv.Atoi(refused.Header.Get("Retry-After"))
		fmt.Println("answer", http.StatusTooManyRequests, "and try again within the hour:", seconds <= 3600)
	}
	// Output of an instance whose limits are used up:
	// answer 429 and try again within the hour: true
}

// Without River, something else calls Work, at the time that it returns.
func ExampleCampaigns_Work() {
	next, err := campaigns.Work(ctx, client)
	switch {
	case err != nil:
		fmt.Println("the run ended early:", err)
	case next.IsZero():
		fmt.Println("nothing is left to do")
	default:
		fmt.Println("again in", time.Until(next).Round(time.Minute))
	}
	// Output of an instance whose next sync is due in a quarter of an hour:
	// again in 15m0s
}

// Your own tool runs the SQL, in the order of the versions.
func ExampleMigrations() {
	for _, m := range clerkriver.Migrations("") {
		fmt.Printf("%03d: %s, %t\n", m.Version, m.Name, m.SQLUp != "" && m.SQLDown != "")
	}
	// Output:
	// 001: campaigns, rows, slots, true
	// 002: states of invitations after they were created, true
	// 003: reports of pauses, and what processes know of each other, true
}

// TestExamples runs the examples that need a database, and compares what they print with their
// last comment.
func TestExamples(t *testing.T) {
	pool = migratedPool(t, databaseURL(t))
	_, err := pool.Exec(ctx, "ALTER TABLE members ADD email text; UPDATE members SET email = id || '@example.com'")
	require.NoError(t, err)
	riverClient, err = river.NewClient(riverpgxv5.New(pool), &river.Config{})
	require.NoError(t, err)
	limits := clerk.Budget{BulkCreates: 1, Window: time.Hour}
	campaigns, err = clerkriver.New(pool, clerkriver.Config{Limits: limits, Budget: limits})
	require.NoError(t, err)
	client, err = campaigns.NewClient(clerktest.SecretKey, clerktest.New())
	require.NoError(t, err)
	for _, example := range []struct {
		name string
		run  func()
	}{
		{"Campaigns_EnqueueTx", ExampleCampaigns_EnqueueTx},
		{"Campaigns_Work", ExampleCampaigns_Work},
		{"Campaigns_Status", ExampleCampaigns_Status},
		{"Campaigns_Results", ExampleCampaigns_Results},
		{"Campaigns_RemindTx", ExampleCampaigns_RemindTx},
		{"IsOwnRefusal", ExampleIsOwnRefusal},
		{"Campaigns_ErasePersonTx", ExampleCampaigns_ErasePersonTx},
		{"Campaigns_Pause", ExampleCampaigns_Pause},
	} {
		require.Equal(t, documented(t, example.name), printed(t, example.run), example.name)
	}
	require.NoError(t, campaigns.Pause(ctx, "wrong list"))
	require.Equal(t, documented(t, "Campaigns_InstanceStatus"), printed(t, ExampleCampaigns_InstanceStatus))
}

// documented returns the output that an example's last comment shows.
func documented(t *testing.T, name string) string {
	t.Helper()
	source, err := os.ReadFile("example_calls_test.go")
	require.NoError(t, err)
	_, function, found := strings.Cut(string(source), "func Example"+name+"() {")
	require.True(t, found, name)
	function, _, _ = strings.Cut(function, "\n}")
	_, comment, found := strings.Cut(function, "\t// Output of ")
	require.True(t, found, name)
	var output string
	for _, line := range strings.Split(comment, "\n")[1:] {
		output += strings.TrimPrefix(line, "\t// ") + "\n"
	}
	return output
}

// printed returns what a function prints to the standard output.
func printed(t *testing.T, run func()) string {
	t.Helper()
	file, err := os.Create(filepath.Join(t.TempDir(), "output"))
	require.NoError(t, err)
	stdout := os.Stdout
	defer func() { os.Stdout = stdout }()
	os.Stdout = file
	run()
	require.NoError(t, file.Close())
	output, err := os.ReadFile(file.Name())
	require.NoError(t, err)
	return string(output)
}
