package clerkriver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/clerk-invitations/clerk-go"
)

// Errors that a caller acts on, for [errors.Is].
var (
	// ErrNoCampaign means that the instance has no campaign of that name.
	ErrNoCampaign = errors.New("clerkriver: no such campaign")
	// ErrCampaignExists means that there is a campaign of that name with other rows, or that
	// one of that name was deleted.
	ErrCampaignExists = errors.New("clerkriver: a campaign of that name exists with other rows")
	// ErrEmpty means that a campaign has no rows.
	ErrEmpty = errors.New("clerkriver: the campaign has no rows")
	// ErrActive means that a campaign has rows without an outcome, so it cannot be deleted.
	ErrActive = errors.New("clerkriver: the campaign has not finished")
	// ErrLimitUnavailable means that the database of the shared limit failed. The request
	// was not sent.
	ErrLimitUnavailable = errors.New("clerkriver: the shared limit's database failed; nothing was sent")
	// ErrNoTransport means that the client does not send through [Campaigns.Transport].
	ErrNoTransport = errors.New("clerkriver: the client does not use Campaigns.Transport")
)

// Config configures [New]. The zero Config has the defaults.
type Config struct {
	// Instance names the instance of Clerk that the secret key belongs to, so that one
	// database can hold several: small letters and digits, with - and _ in between.
	// Default "default".
	Instance string
	// Schema is where this package's tables are. Default: the first schema of the
	// connection's search_path. River's tables may be elsewhere.
	Schema string
	// Queue is the River queue of the wake job, used by nothing else. Default
	// "clerk_invitations", followed by "_" and the instance unless that is "default".
	Queue string
	// Limits is what Clerk takes. Default: 100 creates and 25 bulk creates an hour, as
	// Clerk's "Rate limits" page says. All users of the instance must set the same.
	Limits clerk.Budget
	// Budget is how much of Limits campaigns may use; the rest is left to request handlers,
	// which may use all of Limits. Default: 90 creates and all bulk creates.
	Budget clerk.Budget
	// Wake is the shortest time between two wake jobs. A runner that was killed is replaced
	// after its lease of 30 seconds and up to one Wake. Default one minute, at least a second.
	Wake time.Duration
	// OnResult is called with every result, in the transaction that keeps it. If it fails,
	// neither is kept, and it is called again in a later run. May be nil.
	OnResult func(ctx context.Context, tx pgx.Tx, result Result) error
}

// Campaigns is the campaigns of one instance of Clerk. It is safe for concurrent use.
type Campaigns struct {
	pool   *pgxpool.Pool
	config Config
	prefix string // of table names
	timing timing

	slotsMade atomic.Bool
	checked   sync.Map // clients that were seen to use Transport
}

// timing is what only tests change.
type timing struct {
	lease    time.Duration // how long a runner may be silent before another takes over
	patience time.Duration // the longest wait that a run makes
	longest  time.Duration // how long one run lasts
	grace    time.Duration // how late Clerk may count a request whose response nobody saw
}

var usualTiming = timing{
	lease: 30 * time.Second, patience: 20 * time.Second, longest: 2 * time.Minute,
	grace: 30 * time.Second,
}

// New makes the Campaigns of an instance. It does not connect, and creates no tables; see
// [Migrate].
func New(pool *pgxpool.Pool, config Config) (*Campaigns, error) {
	config.Instance = cmp.Or(config.Instance, "default")
	if config.Queue == "" {
		config.Queue = strings.TrimSuffix("clerk_invitations_"+config.Instance, "_default")
	}
	config.Wake = cmp.Or(config.Wake, time.Minute)
	setBudget(&config.Limits, clerk.Budget{Creates: 100, BulkCreates: 25, Window: time.Hour})
	setBudget(&config.Budget, clerk.Budget{
		Creates: config.Limits.Creates - config.Limits.Creates/10, BulkCreates: config.Limits.BulkCreates, Window: config.Limits.Window,
	})
	limits, budget := config.Limits, config.Budget
	switch {
	case pool == nil:
		return nil, errors.New("clerkriver: the pool is nil")
	case !instanceName.MatchString(config.Instance):
		return nil, fmt.Errorf("clerkriver: %q is not a name for an instance", config.Instance)
	case config.Wake < time.Second:
		return nil, errors.New("clerkriver: Wake is less than a second")
	case min(limits.Creates, limits.BulkCreates, budget.Creates, budget.BulkCreates) < 0 || limits.Window < 0:
		return nil, errors.New("clerkriver: a limit is negative")
	case budget.Creates == 0 && budget.BulkCreates == 0:
		return nil, errors.New("clerkriver: Budget has neither creates nor bulk creates")
	case budget.Creates > limits.Creates || budget.BulkCreates > limits.BulkCreates || budget.Window != limits.Window:
		return nil, errors.New("clerkriver: Budget is not a part of Limits")
	}
	return &Campaigns{pool: pool, config: config, prefix: schemaPrefix(config.Schema), timing: usualTiming}, nil
}

// instanceName is what River accepts in a queue's name.
var instanceName = regexp.MustCompile(`^[a-z0-9]+([_-][a-z0-9]+)*$`)

// setBudget replaces a zero budget by its default, and a zero window by an hour.
func setBudget(budget *clerk.Budget, otherwise clerk.Budget) {
	if *budget == (clerk.Budget{}) {
		*budget = otherwise
	}
	budget.Window = cmp.Or(budget.Window, otherwise.Window, time.Hour)
}

// isName reports whether PostgreSQL can keep s, and a person can read it.
func isName(s string) bool {
	return s != "" && utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}

// sql puts the schema into a query.
func (c *Campaigns) sql(query string) string { return strings.ReplaceAll(query, "SCHEMA.", c.prefix) }

// A querier is a pool or a transaction.
type querier interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// campaign finds a campaign by its name.
func (c *Campaigns) campaign(ctx context.Context, db querier, name string) (id int64, err error) {
	err = db.QueryRow(ctx, c.sql(`SELECT id FROM SCHEMA.clerkriver_campaigns
		WHERE instance = $1 AND name = $2 AND deleted_at IS NULL`), c.config.Instance, name).Scan(&id)
	if errors.Is(err, pgx.ErrNoRows) {
		err = fmt.Errorf("%w: %q", ErrNoCampaign, name)
	}
	return id, err
}
