package clerkriver

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
	"weak"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/clerk-invitations/clerk-go"
)

// Campaigns manages the campaigns of one Clerk instance. It is safe for concurrent use.
type Campaigns struct {
	database

	config Config
	limit  *limit
	timing timing

	mu      sync.Mutex
	clients []weak.Pointer[clerk.Client] // created by NewClient

	stuck    atomic.Int64 // when the run of the last EventStuck was due; 0 if no run is late anymore
	reporter string       // the name under which this process reports pauses; empty if it reports nothing
}

// New returns the Campaigns of an instance. It does not connect, and creates no tables; see
// [Migrate].
func New(pool *pgxpool.Pool, config Config) (*Campaigns, error) {
	if pool == nil {
		return nil, errors.New("clerkriver: the pool is nil")
	}
	config, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	c := &Campaigns{database: database{pool, config.Schema}, config: config, timing: usualTiming}
	if config.OnEvent != nil || config.Logger != nil {
		c.reporter = rand.Text()
	}
	c.limit = &limit{
		database: c.database, instance: config.Instance, total: config.Limits, budget: config.Budget, timing: &c.timing,
	}
	return c, nil
}

// NewClient returns a client that sends through [Campaigns.Transport], for request handlers
// and for [Campaigns.Install]. It sends through next, or [http.DefaultTransport] if that is
// nil. The option [clerk.WithHTTPClient] has no effect.
func (c *Campaigns) NewClient(key string, next http.RoundTripper, opts ...clerk.Option) (*clerk.Client, error) {
	through := clerk.WithHTTPClient(&http.Client{Transport: c.Transport(next)})
	client, err := clerk.NewClient(key, append(slices.Clone(opts), through)...)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.clients = append(slices.DeleteFunc(c.clients, func(p weak.Pointer[clerk.Client]) bool { return p.Value() == nil }),
		weak.Make(client))
	return client, nil
}

// checkClient returns ErrNoTransport for a client that NewClient did not create.
func (c *Campaigns) checkClient(client *clerk.Client) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if client == nil || !slices.Contains(c.clients, weak.Make(client)) {
		return ErrNoTransport
	}
	return nil
}

// Transport returns a transport that keeps everyone who uses it, on all machines, within
// [Config].Limits, and campaigns within [Config].Budget. It sends through next, or
// [http.DefaultTransport] if that is nil. [Campaigns.NewClient] uses it; call it for clients
// other than a [clerk.Client].
//
// A create or bulk create takes a slot in the database, and holds it until the limit's
// window has passed since its response, by the database's clock. If no slot is free, the
// response is a 429 with a Retry-After and [RefusalHeader], and nothing is sent. If the
// database fails, or does not answer within three seconds, the error matches
// [ErrLimitUnavailable], [clerk.ErrNotSent] and, if that is the reason, [ErrNotMigrated].
// Other requests pass, including those for an organization's invitations, which have limits of
// their own.
func (c *Campaigns) Transport(next http.RoundTripper) http.RoundTripper {
	if next == nil {
		next = http.DefaultTransport
	}
	return &transport{limit: c.limit, next: next}
}

// campaign returns the id of a campaign by its name.
func (c *Campaigns) campaign(ctx context.Context, db querier, name string) (id int64, err error) {
	err = db.QueryRow(ctx, c.sql(queryCampaign), c.config.Instance, name).Scan(&id)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, noCampaign(name)
	}
	return id, explain(err)
}

func noCampaign(name string) error { return fmt.Errorf("%w: %q", ErrNoCampaign, name) }

// closing returns a context for work that must be done even if ctx has ended.
func (c *Campaigns) closing(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), c.timing.closing)
}

// timeOrZero returns the zero time for the database's epoch.
func timeOrZero(t time.Time) time.Time {
	if t.Unix() <= 0 {
		return time.Time{}
	}
	return t
}
