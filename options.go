package clerk

import (
	"context"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/clerk-invitations/clerk-go/internal/check"
	"github.com/clerk-invitations/clerk-go/internal/clock"
	"github.com/clerk-invitations/clerk-go/internal/outage"
	"github.com/clerk-invitations/clerk-go/internal/transport"
)

// An Option configures a [Client], in [NewClient] or [Client.With].
type Option interface {
	applyToClient(*clientConfig) error
}

// A CallOption configures one call of an operation and overrides the client's setting.
// It is valid for [InvitationsService.All] as well.
type CallOption interface {
	AllOption
	applyToCall(*callConfig) error
}

// An AllOption configures one call of [InvitationsService.All].
type AllOption interface {
	applyToAll(*callConfig) error
}

// A CreateAllOption configures one run of [InvitationsService.CreateAll].
type CreateAllOption interface {
	applyToCreateAll(*createAllConfig) error
}

// A SharedOption is valid everywhere: for a client, a call and a run.
type SharedOption interface {
	Option
	CallOption
	CreateAllOption
}

// clientConfig is the configuration of a client.
type clientConfig struct {
	callConfig // the defaults of its calls

	http             *http.Client // of the caller, or the library's own
	transport        *transport.Client
	keyProvider      func(context.Context) (string, error) // nil for none
	maxResponseBytes int64
	logger           *slog.Logger   // nil for none
	skew             *clock.Skew    // shared with derived clients
	gates            *outage.Gates  // shared with derived clients of the same instance
	random           func() float64 // for jitter
	calls            *atomic.Uint64 // counts logged calls, including those of derived clients
}

// callConfig is the configuration of one call.
type callConfig struct {
	baseURL        string
	header         http.Header   // of every request; never changed in place: clients share it
	retry          RetryConfig   // with its defaults
	attemptTimeout time.Duration // 0 for the default
	response       *ResponseMeta // of WithResponse; nil without it
	prefetch       int           // pages that All requests ahead
	allowHTTP      bool          // even to a host that is not loopback
	keepLimits     bool          // a 429 of a write is not retried: the caller has a limiter
}

// defaultMaxResponseBytes is the default of WithMaxResponseBytes.
const defaultMaxResponseBytes = 32 << 20

type (
	clientOption    func(*clientConfig) error
	sharedOption    func(*callConfig) error
	callOption      func(*callConfig) error
	allOption       func(*callConfig) error
	createAllOption func(*createAllConfig) error
)

func (o clientOption) applyToClient(c *clientConfig) error          { return o(c) }
func (o sharedOption) applyToClient(c *clientConfig) error          { return o(&c.callConfig) }
func (o sharedOption) applyToCall(c *callConfig) error              { return o(c) }
func (o sharedOption) applyToAll(c *callConfig) error               { return o(c) }
func (o sharedOption) applyToCreateAll(c *createAllConfig) error    { return o(c.callConfig) }
func (o callOption) applyToCall(c *callConfig) error                { return o(c) }
func (o callOption) applyToAll(c *callConfig) error                 { return o(c) }
func (o allOption) applyToAll(c *callConfig) error                  { return o(c) }
func (o createAllOption) applyToCreateAll(c *createAllConfig) error { return o(c) }

// applyAll applies options, none of which may be nil.
func applyAll[O comparable](opts []O, apply func(O) error) error {
	for _, opt := range opts {
		if opt == *new(O) {
			return &InputError{Field: "option", Problem: "is nil"}
		}
		if err := apply(opt); err != nil {
			return err
		}
	}
	return nil
}

// setting returns the function of an option that sets something, or fails if its argument
// has a problem.
func setting[C any](option, problem string, set func(*C)) func(*C) error {
	return func(c *C) error {
		if problem == "" {
			set(c)
		}
		return inputError(option, problem)
	}
}

// WithRetry sets how calls are retried. A zero field means the library's default, even if the
// client has a different setting; see [RetryConfig].
func WithRetry(retry RetryConfig) SharedOption {
	return sharedOption(func(c *callConfig) error { return c.setRetry(retry) })
}

func (c *callConfig) setRetry(retry RetryConfig) (err error) {
	retry, err = retry.withDefaults()
	if err == nil {
		c.retry = retry
	}
	return err
}

// WithAttemptTimeout limits one attempt, from connecting to the last byte of the response. The
// default is 15 seconds, and 10.5 seconds for a write that is looked up afterwards. The
// caller's context and [BackoffStrategy].MaxElapsedTime limit an attempt as well. A write that
// is looked up afterwards uses at most two thirds of the time until the caller's deadline, to
// leave time for that. Without WithAttemptTimeout, the same applies to MaxElapsedTime.
func WithAttemptTimeout(timeout time.Duration) SharedOption {
	return sharedOption(setting("WithAttemptTimeout", check.Positive(timeout), func(c *callConfig) { c.attemptTimeout = timeout }))
}

// WithHeader adds a header to every request and replaces an earlier one of the same
// name. Headers that carry the request's meaning are reserved: Authorization, Accept,
// Accept-Encoding, Content-Type, Content-Length, Transfer-Encoding, Connection,
// Upgrade, Expect, Host and User-Agent (see [WithAppName]). So are Idempotency-Key and
// X-Idempotency-Key, which Clerk does not document and which make net/http retry
// writes. Clerk-API-Version may be set.
func WithHeader(name, value string) SharedOption {
	return sharedOption(setting("WithHeader", check.Header(name, value), func(c *callConfig) { c.setHeader(name, value) }))
}

func (c *callConfig) setHeader(name, value string) {
	c.header = c.header.Clone()
	c.header.Set(name, value)
}

// WithBaseURL sends requests to baseURL instead of [DefaultBaseURL]: to your proxy, or
// to a fake. It includes the path above "/invitations", which is "/v1" for Clerk. The
// secret key is sent there, so the scheme must be https, or http for a loopback
// address. Credentials, a query and a fragment are invalid.
func WithBaseURL(baseURL string) SharedOption {
	normal, problem := check.BaseURL(baseURL)
	return sharedOption(setting("WithBaseURL", problem, func(c *callConfig) { c.baseURL = normal }))
}

// WithInsecurePlaintextHTTP permits [WithBaseURL] with http to any host, such as
// http://fakeclerk:8080/v1 between containers. The key and the invitees' addresses are
// then sent unencrypted. Never use it with a key of a real instance.
func WithInsecurePlaintextHTTP() Option {
	return clientOption(setting("WithInsecurePlaintextHTTP", "", func(c *clientConfig) { c.allowHTTP = true }))
}

// checkBaseURL is called when all options are applied.
func (c *callConfig) checkBaseURL() error {
	return inputError("WithBaseURL", check.Scheme(c.baseURL, c.allowHTTP))
}

// WithHTTPClient sends requests through the transport and the cookie jar of client,
// for example to add tracing or a proxy. If client has a Timeout that is shorter than
// the attempt timeout, it limits each attempt. CheckRedirect is not used, as redirects
// are never followed. The client is not changed.
//
// The transport must not retry writes, and must not use the request's context for its own
// requests: the library traces connections through that context to decide whether a write may
// be retried. A transport that does not send a request returns an error that matches
// [ErrNotSent]; a transport that wraps another calls [NotSent] to learn whether a failed
// request was sent. A transport that connects by HTTP/2 should detect dead connections, by
// [http.HTTP2Config].SendPingTimeout; the library's own transport does so after 10 seconds.
// [RequestInfoFromContext] tells a transport which operation a request belongs to.
func WithHTTPClient(client *http.Client) Option {
	return clientOption(setting("WithHTTPClient", check.NotNil(client != nil), func(c *clientConfig) {
		c.http = new(*client) // a copy, as the caller may change its own
	}))
}

// WithLogger logs a record for every attempt, with these attributes where they apply:
// operation, route, call, pass, attempt, status, duration, wait (until the next attempt),
// trace_id and error. The records of one call share the number call, which is unique
// among those of the client and of clients derived from it. After an ambiguous failure,
// pass counts the lookups of what a write did, including the retry that may follow one.
//
// If an attempt is held back in an outage, a record before it says so, with the last failure
// as error. The wait after a lookup is logged with operation, call, pass, next ("lookup" or
// "retry") and wait. Successes and documented refusals have level Debug, everything else Warn.
// No record contains an address, a query, a body, the key or a ticket URL. The logger's handler
// gets the call's context, and can add what your service keeps there. The default, a nil
// logger, logs nothing.
func WithLogger(logger *slog.Logger) Option {
	return clientOption(setting("WithLogger", "", func(c *clientConfig) { c.logger = logger }))
}

// WithSecretKeyFunc calls provider for the secret key of every request, instead of
// using the key given to [NewClient], so that the key can be rotated. If provider fails or
// returns a malformed key, the call fails with [ErrNotSent] before anything is sent, and the
// call's error wraps the provider's. Several goroutines may call provider at once. It should
// cache the key, and return when its context ends: after MaxElapsedTime or, with RetryNone,
// after the attempt timeout. The call does not wait longer.
func WithSecretKeyFunc(provider func(ctx context.Context) (string, error)) Option {
	return clientOption(setting("WithSecretKeyFunc", check.NotNil(provider != nil), func(c *clientConfig) {
		c.keyProvider, c.gates = provider, outage.NewGates() // the key may belong to another instance
	}))
}

// WithRandom sets the source of the jitter of waits, the library's only use of randomness.
// random returns numbers of at least 0 and less than 1, and may be called by several
// goroutines at once. The default is [math/rand/v2.Float64]. A seeded source makes tests
// repeatable.
func WithRandom(random func() float64) Option {
	return clientOption(setting("WithRandom", check.NotNil(random != nil), func(c *clientConfig) { c.random = random }))
}

// WithAppName adds a name, such as "my-sdk/1.2", in front of the User-Agent header, for
// packages that wrap this library.
func WithAppName(name string) Option {
	return clientOption(setting("WithAppName", check.Product(name), func(c *clientConfig) {
		c.setHeader("User-Agent", name+" "+c.header.Get("User-Agent"))
	}))
}

// WithMaxResponseBytes limits the size of a response after decompression. A larger one
// is an error. The default is 32 MiB.
func WithMaxResponseBytes(n int64) Option {
	return clientOption(setting("WithMaxResponseBytes", check.Positive(n), func(c *clientConfig) { c.maxResponseBytes = n }))
}

// WithResponse sets *meta when the call returns, even when it fails. Each concurrent call
// needs its own meta. For All, it describes the last page's response.
func WithResponse(meta *ResponseMeta) CallOption {
	return callOption(setting("WithResponse", check.NotNil(meta != nil), func(c *callConfig) { c.response = meta }))
}

// createAllConfig is the configuration of one run of CreateAll.
type createAllConfig struct {
	*callConfig

	budget      Budget
	skipSince   time.Time
	skipNone    bool
	sourceError func() error
	progress    []func(Progress)
}
