package clerktest

import (
	"io"
	"time"

	"github.com/clerk-invitations/clerk-go"
)

const defaultLinkBase = "https://clerk.example.com"

// An Option configures a [Fake].
type Option func(*options)

type options struct {
	secretKey     string
	clientOptions []clerk.Option
	randomIDs     bool
	seed          uint64
	linkBase      string
	limits        RateLimits
	emailLimit    int
	behavior      Behavior
	faults        FaultMix
	latency       time.Duration
	slowness      time.Duration
	logSize       int
	changes       io.Writer // nil without a journal
}

// WithSecretKey sets the secret key that the fake accepts, instead of [SecretKey].
func WithSecretKey(key string) Option {
	return func(o *options) { o.secretKey = key }
}

// WithClientOptions configures the clients that [NewClient] and [Fake.Client]
// return.
func WithClientOptions(opts ...clerk.Option) Option {
	return func(o *options) { o.clientOptions = append(o.clientOptions, opts...) }
}

// WithRandomIDs makes ids, tickets and trace ids random, as Clerk's are. By default they are
// numbered, so that tests are repeatable. Then a database that outlives the fake gets the same
// ids again.
func WithRandomIDs() Option {
	return func(o *options) { o.randomIDs = true }
}

// WithRateLimits makes the fake refuse requests beyond the limits with status 429 and a
// Retry-After header in whole seconds. By default there are no limits. It panics if a limit
// has Requests but no Per.
func WithRateLimits(limits RateLimits) Option {
	mustBeValid(limits.Validate())
	return func(o *options) { o.limits = limits }
}

// WithFaults makes a share of the requests fail. It panics if mix is invalid.
func WithFaults(mix FaultMix) Option {
	mustBeValid(mix.Validate())
	return func(o *options) { o.faults = mix }
}

// WithSeed makes everything that is random about the fake and its clients repeatable: the ids
// of [WithRandomIDs], which begin with the time, the choice of [WithFaults], and the jitter in
// the waits of clients from [NewClient] and [Fake.Client]. Inside a testing/synctest bubble,
// where time is repeatable too, the same calls in the same order then send the same requests
// at the same times. The default, 0, leaves ids and jitter random.
func WithSeed(seed uint64) Option {
	return func(o *options) { o.seed = seed }
}

// WithBehavior changes rules of Clerk that are undocumented, inferred or contradictory. It
// panics if behavior is invalid.
func WithBehavior(behavior Behavior) Option {
	mustBeValid(behavior.Validate())
	return func(o *options) { o.behavior = behavior }
}

// WithLatency delays every response of the API. [Fake.SetLatency] changes it later.
func WithLatency(latency time.Duration) Option {
	return func(o *options) { o.latency = latency }
}

// WithSlowDelay sets how long [FaultSlowAfter] delays a response. The default is 20
// seconds, longer than a client waits by default.
func WithSlowDelay(delay time.Duration) Option {
	return func(o *options) { o.slowness = delay }
}

// WithRequestLog sets how many requests [Fake.Requests] remembers, the newest ones.
// The default is 10,000.
func WithRequestLog(size int) Option {
	return func(o *options) { o.logSize = max(size, 0) }
}

// WithLinkBase sets where the links of invitations lead, such as
// "http://localhost:8080", where the fake is served. By default they lead to
// https://clerk.example.com. [Fake.Serve] sets it.
func WithLinkBase(baseURL string) Option {
	return func(o *options) { o.linkBase = baseURL }
}

// WithEmailLimit sets how many emails an instance sends in a calendar month (UTC).
// Beyond that, invitations are created, but no email is sent. Addresses with "+clerk_test" do
// not count. Clerk documents 100 for development instances; the default is no limit.
func WithEmailLimit(perMonth int) Option {
	return func(o *options) { o.emailLimit = perMonth }
}

// WithJournal writes every change of invitations and users to w, one line of JSON each, before
// the request that caused it is answered. [Fake.Load] reads these lines. If w fails, the
// change is not made; see [ErrNotStored].
func WithJournal(w io.Writer) Option {
	return func(o *options) { o.changes = w }
}
