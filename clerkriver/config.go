package clerkriver

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/clerk-invitations/clerk-go"
)

// DefaultQueue is the default of [Config].Queue for the instance "default".
const DefaultQueue = "clerk_invitations"

// Config configures [New]. The zero Config means the defaults.
type Config struct {
	// Instance names the instance of Clerk that the secret key belongs to, so that one
	// database can hold several: lower-case letters and digits, with - and _ in between.
	// Default "default".
	Instance string
	// Schema is the schema of this package's tables. Default: the first schema of the
	// connection's search_path. River's tables may be elsewhere.
	Schema string
	// Queue is the River queue of the wake job, used by nothing else. Default [DefaultQueue],
	// followed by "_" and the instance unless that is "default". The rules for Instance apply,
	// with at most 64 characters.
	Queue string
	// Limits are Clerk's limits. Default: 100 creates and 25 bulk creates an hour, as Clerk's
	// "Rate limits" page says. If only one of them is set, the other is 0. All users of the
	// instance must set the same limits, of at most 10,000 creates and as many bulk creates: each
	// is a row of a table.
	Limits clerk.Budget
	// Budget is the part of Limits that campaigns may use; the rest is left to request handlers,
	// which may use all of Limits. Default: nine tenths of the creates, and all bulk creates.
	// Its Window must be that of Limits, which is its default.
	Budget clerk.Budget
	// Wake is the shortest time between two runs of River's wake job. A killed runner is
	// replaced after its lease of 30 seconds and up to one Wake. Default one minute, at least
	// a second. River looks for scheduled jobs every five seconds, so with a shorter Wake runs
	// begin up to that much later.
	Wake time.Duration
	// OnResult is called with every result except [StateCancelled] and [StateErased], in the
	// transaction that keeps it. It may take ten seconds. If it fails or panics, the result is
	// kept without it. Later runs call OnResult again, after growing pauses of up to an hour, in
	// the transaction that marks the result as accepted. Clerk is not asked again. The error's
	// text is kept with the row; see [Result].Untold. It is not called for a row that
	// [Campaigns.ErasePersonTx] has erased, even if it had failed before.
	//
	// Calls may overlap. Once a process of the instance with OnResult has run, one without it
	// leaves results to those that have it: they are untold until then. To give OnResult up, set
	// one that does nothing.
	//
	// A reminder's row has the Ref of the row that it reminds of. A table that keeps a person's
	// last state must ignore its [StateSkipped]: the person may have accepted. May be nil.
	OnResult func(ctx context.Context, tx pgx.Tx, result Result) error
	// Sync is the interval at which invitations are listed to learn whether they were
	// accepted, revoked or deleted, or have expired. One listing serves all campaigns, while
	// one has an open invitation. The interval grows with a campaign's age: it is at least a
	// 96th of the time since the campaign finished, which exceeds the default after a day.
	// [Campaigns.Pause] does not stop syncs, nor does a pause because Clerk refuses creates. A
	// pause because it refuses everything does.
	//
	// Before a run sends or revokes anything, it asks Clerk for one open invitation, and makes a
	// sync if that is not listed. If ten or more are open, and Clerk's lists have no invitation of
	// any row, the secret key seems to be that of another instance. The instance is then paused,
	// and nothing counts as deleted. If all of them really were deleted, [Campaigns.Delete] their
	// campaigns. Without Sync, nothing is asked.
	//
	// Default 15 minutes, at least a second; a negative value turns it off.
	Sync time.Duration
	// OnChange is called once for each change of a row that a sync finds, in the
	// transaction that records it. It is not called for an invitation that a reminder has
	// replaced, unless that was accepted: then for its row or the reminder's, not for both.
	// What holds for OnResult holds for OnChange: changes of an erased row are only recorded.
	// May be nil.
	OnChange func(ctx context.Context, tx pgx.Tx, change Change) error
	// Keep is how long the rows of a campaign are kept after its last invitation was found to
	// be no longer open, and OnResult and OnChange have accepted everything. Then they are
	// erased, as by [Campaigns.Delete]. This needs Sync, as otherwise an invitation stays open.
	// Default: forever.
	Keep time.Duration
	// OnEvent is called when a run begins and ends, and when sending pauses, resumes or
	// is late. It should return soon: the run waits for it. It may be called by several
	// goroutines at once, as the statuses report late runs, too. A panic is ignored. May be nil.
	OnEvent func(ctx context.Context, event Event)
	// Logger logs each [Event] and, at the end of a run, how often OnResult or OnChange failed,
	// with the first error. Pauses, late runs, problems and these failures have level Warn, the
	// end of a pause or of lateness Info, everything else Debug. It logs no address: words of
	// an error that may be one or a secret are replaced. The default, nil, logs nothing.
	Logger *slog.Logger
}

// timing holds the durations that tests shorten.
type timing struct {
	lease    time.Duration // a runner that is silent for longer is replaced
	patience time.Duration // the longest wait that a run makes
	longest  time.Duration // the longest run
	grace    time.Duration // Clerk may count a request without a response this much later
	slot     time.Duration // the longest time that taking a slot may take
	closing  time.Duration // the longest time for keeping a result, and for beginning and ending a run
	listLag  time.Duration // the longest time in which lists may not show a new invitation
}

var usualTiming = timing{
	lease: 30 * time.Second, patience: 20 * time.Second, longest: 2 * time.Minute,
	grace: 30 * time.Second, slot: 3 * time.Second, closing: 10 * time.Second,
	listLag: 10 * time.Second,
}

// maxLimit limits the slots of a kind, which are inserted at once.
const maxLimit = 10_000

// queueName matches the names of queues that this package accepts; River accepts all of them.
var queueName = regexp.MustCompile(`^[a-z0-9]+([_-][a-z0-9]+)*$`)

// maxQueueName limits the length of River's names of queues.
const maxQueueName = 64

// withDefaults returns the configuration with its defaults, or an error if it cannot be used.
func (config Config) withDefaults() (Config, error) {
	config.Instance = cmp.Or(config.Instance, "default")
	if config.Queue == "" {
		config.Queue = strings.TrimSuffix(DefaultQueue+"_"+config.Instance, "_default")
	}
	config.Wake = cmp.Or(config.Wake, time.Minute)
	config.Sync = cmp.Or(config.Sync, 15*time.Minute)
	setBudget(&config.Limits, clerk.Budget{Creates: 100, BulkCreates: 25, Window: time.Hour})
	setBudget(&config.Budget, clerk.Budget{
		Creates: config.Limits.Creates - config.Limits.Creates/10, BulkCreates: config.Limits.BulkCreates, Window: config.Limits.Window,
	})
	limits, budget := config.Limits, config.Budget
	switch {
	case !queueName.MatchString(config.Instance):
		return config, fmt.Errorf("clerkriver: %q is not a name for an instance: use a-z and 0-9, with - and _ in between", config.Instance)
	case !queueName.MatchString(config.Queue) || len(config.Queue) > maxQueueName:
		return config, fmt.Errorf("clerkriver: %q is not a name for a queue: use up to %d of a-z and 0-9, with - and _ in between", config.Queue, maxQueueName)
	case config.Wake < time.Second:
		return config, errors.New("clerkriver: Wake is less than a second")
	case config.Keep < 0:
		return config, errors.New("clerkriver: Keep is negative")
	case config.Sync > 0 && config.Sync < time.Second:
		return config, errors.New("clerkriver: Sync is less than a second")
	case min(limits.Creates, limits.BulkCreates, budget.Creates, budget.BulkCreates) < 0 || limits.Window < 0:
		return config, errors.New("clerkriver: a limit is negative")
	case max(limits.Creates, limits.BulkCreates) > maxLimit:
		return config, fmt.Errorf("clerkriver: Limits has more than %d creates or bulk creates", maxLimit)
	case budget.Creates == 0 && budget.BulkCreates == 0:
		return config, errors.New("clerkriver: Budget has neither creates nor bulk creates")
	case budget.Window != limits.Window:
		return config, fmt.Errorf("clerkriver: Budget and Limits have different windows, %s and %s", budget.Window, limits.Window)
	case budget.Creates > limits.Creates || budget.BulkCreates > limits.BulkCreates:
		return config, fmt.Errorf("clerkriver: Budget is not a part of Limits: it has %d creates and %d bulk creates, of %d and %d",
			budget.Creates, budget.BulkCreates, limits.Creates, limits.BulkCreates)
	}
	return config, nil
}

// settings returns, as JSON, what other processes of the instance should know.
func (config Config) settings() string {
	encoded, _ := json.Marshal(struct { //nolint:errchkjson // only numbers
		Wake, Sync     time.Duration
		Limits, Budget clerk.Budget
	}{config.Wake, config.Sync, config.Limits, config.Budget})
	return string(encoded)
}

// setBudget replaces a zero budget by its default, and a zero window by an hour.
func setBudget(budget *clerk.Budget, otherwise clerk.Budget) {
	if *budget == (clerk.Budget{}) {
		*budget = otherwise
	}
	budget.Window = cmp.Or(budget.Window, otherwise.Window, time.Hour)
}
