package clerk

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

// An Option configures a [Client], in [NewClient] or [Client.With].
type Option interface {
	applyToClient(*config) error
}

// A CallOption configures one call of an operation, over what its client says.
type CallOption interface {
	applyToCall(*config) error
}

// A SharedOption is valid in both places: for a client, or for one call.
type SharedOption interface {
	Option
	CallOption
}

// config is what the options set.
type config struct {
	baseURL          string
	httpClient       *http.Client
	secretKey        string                                // where there is no keySource
	keySource        func(context.Context) (string, error) // nil for none
	userAgent        string
	extraHeader      http.Header // never changed in place: clients share it
	retry            RetryConfig // with its defaults filled in
	attemptTimeout   time.Duration
	maxResponseBytes int64
	logger           *slog.Logger  // nil for none
	response         *ResponseMeta // nil when the caller does not ask
	prefetch         int           // how many pages All requests ahead
	run              runOptions    // of CreateAll
	ownLimits        bool          // a 429 of a write is the caller's to wait for
	only             string        // the one method that an option is for; empty for any
	invalid          error         // what is wrong with a call's options
}

type (
	clientOption func(*config) error
	callOption   func(*config) error
	sharedOption func(*config) error
)

func (o clientOption) applyToClient(c *config) error { return o(c) }
func (o callOption) applyToCall(c *config) error     { return o(c) }
func (o sharedOption) applyToClient(c *config) error { return o(c) }
func (o sharedOption) applyToCall(c *config) error   { return o(c) }

// WithRetry sets how calls are repeated. Fields left at zero have the library's
// defaults, also for one call of a client that has others; see [RetryConfig].
func WithRetry(retry RetryConfig) SharedOption {
	return sharedOption(func(c *config) (err error) {
		c.retry, err = retry.withDefaults()
		return err
	})
}

// WithAttemptTimeout sets how long one attempt may take, from connecting to the
// last byte of the response. The default is 15 seconds. The attempt also ends with
// the caller's context and with [BackoffStrategy].MaxElapsedTime, which is to be
// raised together with it.
func WithAttemptTimeout(timeout time.Duration) SharedOption {
	return sharedOption(func(c *config) error {
		if timeout <= 0 {
			return fieldError{"attempt timeout", "is not positive"}
		}
		c.attemptTimeout = timeout
		return nil
	})
}

// WithHeader sends a header with every request, in place of an earlier one of
// the same name. The headers that carry a request's meaning are the library's
// own and are refused: Authorization, Accept, Accept-Encoding, Content-Type,
// Content-Length, Transfer-Encoding, Connection, Upgrade, Expect, Host, User-Agent
// (see [WithAppName]), and Idempotency-Key and X-Idempotency-Key, which Clerk does
// not know and which would make net/http repeat writes by itself.
// Clerk-API-Version may be set.
func WithHeader(name, value string) SharedOption {
	return sharedOption(func(c *config) error {
		name := http.CanonicalHeaderKey(name)
		switch {
		case name == "" || strings.ContainsFunc(name, notToken):
			return fieldError{"header", "has a name that is no header name"}
		case reservedHeaders[name]:
			return fieldError{"header " + name, "is not open to callers"}
		case strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }):
			return fieldError{"header " + name, "has a control character in its value"}
		}
		header := c.extraHeader.Clone()
		if header == nil {
			header = http.Header{}
		}
		header.Set(name, value)
		c.extraHeader = header
		return nil
	})
}

var reservedHeaders = map[string]bool{
	"Authorization": true, "Accept": true, "Accept-Encoding": true,
	"Content-Type": true, "Content-Length": true, "Transfer-Encoding": true,
	"Connection": true, "Upgrade": true, "Expect": true, "Host": true, "User-Agent": true,
	"Idempotency-Key": true, "X-Idempotency-Key": true,
}

// onlyFor is an option of one method, which others refuse.
func onlyFor(method string, set func(*config) error) CallOption {
	return callOption(func(c *config) error {
		if c.only != "" && c.only != method {
			return fieldError{"option", "is for " + c.only + " alone"}
		}
		c.only = method
		return set(c)
	})
}

// forCall is the configuration of one call. It is not to be changed, for without
// options it is the client's.
func (c *Client) forCall(opts []CallOption) *config {
	if len(opts) == 0 {
		return &c.config
	}
	cfg := c.config
	for _, opt := range opts {
		err := error(errNilOption)
		if opt != nil {
			err = opt.applyToCall(&cfg)
		}
		cfg.invalid = cmp.Or(cfg.invalid, err)
	}
	return &cfg
}

// check finds what is wrong with the options of a call of Clerk's API.
func (c *config) check() error {
	if c.invalid == nil && c.only != "" {
		return fieldError{"option", "is for " + c.only + " alone"}
	}
	return c.invalid
}

// key is the secret key of now, which its source has until deadline to tell; zero for no
// deadline.
func (c *config) key(ctx context.Context, deadline time.Time) (string, error) {
	if c.keySource == nil {
		return c.secretKey, nil
	}
	if !deadline.IsZero() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline)
		defer cancel()
	}
	key, err := c.keySource(ctx)
	if err != nil {
		return "", fmt.Errorf("the secret key could not be obtained: %w", err)
	}
	return key, checkSecretKey(key)
}

var errNilOption = fieldError{"option", "is nil"}

// notToken reports whether r may not stand in a header's name (RFC 9110, 5.6.2).
func notToken(r rune) bool {
	return r <= ' ' || r > '~' || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r)
}

// WithBaseURL sends requests to another place than [DefaultBaseURL]: a proxy of
// one's own, or the fake of package clerktest. It has the path under which
// "/invitations" is found, which for Clerk is "/v1". The secret key goes there, so
// the URL must be https, or http to a loopback address; it has no credentials,
// query or fragment.
func WithBaseURL(baseURL string) SharedOption {
	return sharedOption(func(c *config) error {
		const field = "base URL"
		u, err := url.Parse(baseURL)
		switch {
		case err != nil: // its text repeats the URL, which may hold a secret
			return fieldError{field, "is no URL"}
		case u.User != nil:
			return fieldError{field, "holds credentials"}
		case u.RawQuery != "" || u.ForceQuery || strings.Contains(baseURL, "#"):
			return fieldError{field, "has a query or a fragment"}
		case u.Hostname() == "":
			return fieldError{field, "has no host"}
		case u.Scheme != "https" && (u.Scheme != "http" || !isLoopback(u.Hostname())):
			return fieldError{field, "is neither https nor http to a loopback address"}
		}
		u.Host = strings.ToLower(u.Host) // net/http's proxy rules know "localhost" only
		c.baseURL = strings.TrimRight(u.String(), "/")
		return nil
	})
}

func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && ip.Unmap().IsLoopback()
}

// WithHTTPClient sends requests through the transport and the cookie jar of
// client, to add tracing or a proxy for example. A Timeout of client holds for
// each attempt where it is shorter than the attempt timeout; its CheckRedirect
// is not used, for redirects are never followed. The client is not changed.
//
// The transport must not repeat writes by itself, and must not make requests of its
// own with the context of the one it was given: whether a connection was made, which
// that context tells, decides whether a write may be repeated.
func WithHTTPClient(client *http.Client) Option {
	return clientOption(func(c *config) error {
		if client == nil {
			return fieldError{"HTTP client", "is nil"}
		}
		c.httpClient = new(*client) // a copy, for the caller may change its own
		return nil
	})
}

// WithLogger logs one record for every attempt, with the attributes operation,
// route, attempt, status, duration, wait (until the next attempt), trace_id and
// error, each where it applies. A success and a documented refusal, which is the
// caller's to judge, are at level Debug, all else at Warn. No record holds an
// address, a query, a body, the key or a ticket URL. A nil logger logs nothing,
// which is the default.
func WithLogger(logger *slog.Logger) Option {
	return clientOption(func(c *config) error {
		c.logger = logger
		return nil
	})
}

// WithSecretKeyFunc asks source for the secret key at the start of every call, in
// place of the one given to [NewClient], so that a key can be rotated. Its error
// fails the call before any request is sent, and is what the call's [SDKError]
// unwraps to. Several goroutines may call source at once; it should cache, and end
// with its context, for nothing else ends it.
func WithSecretKeyFunc(source func(ctx context.Context) (string, error)) Option {
	return clientOption(func(c *config) error {
		if source == nil {
			return fieldError{"secret key function", "is nil"}
		}
		c.keySource = source
		return nil
	})
}

// WithAppName puts a name ahead in the User-Agent header, such as "my-sdk/1.2",
// for what wraps this library.
func WithAppName(name string) Option {
	return clientOption(func(c *config) error {
		if name == "" || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r > '~' }) {
			return fieldError{"app name", "is empty or holds a character other than printable ASCII"}
		}
		c.userAgent = name + " " + c.userAgent
		return nil
	})
}

// WithMaxResponseBytes limits how large a response may be, after decompression.
// A larger one is an error. The default is 32 MiB.
func WithMaxResponseBytes(n int64) Option {
	return clientOption(func(c *config) error {
		if n <= 0 {
			return fieldError{"max response bytes", "is not positive"}
		}
		c.maxResponseBytes = n
		return nil
	})
}

// WithResponse fills meta in with what is known of the call's response when the
// call returns, also when it fails. Calls that run at the same time need a meta
// each.
func WithResponse(meta *ResponseMeta) CallOption {
	return callOption(func(c *config) error {
		if meta == nil {
			return fieldError{"response", "is nil"}
		}
		c.response = meta
		return nil
	})
}

// A ResponseMeta tells of the response to a call, beside its result. Both error
// types hold one.
type ResponseMeta struct {
	// Operation is the operation that was called.
	Operation Operation
	// StatusCode is the HTTP status of the last attempt's response; 0 when there
	// was none.
	StatusCode int
	// Header is the header of that response; nil when there was none.
	Header http.Header `json:"-"`
	// TraceID names the request to Clerk's support. It comes from the response's
	// x-clerk-trace-id header (as observed), or else from the error's body; it may
	// be empty.
	TraceID string
	// Attempts counts the requests that were sent, or attempted, and those that
	// looked up what a write has done.
	Attempts int
	// RetryAfter is how long the last response asked to wait, from its Retry-After
	// header; 0 when it did not ask.
	RetryAfter time.Duration
	// Duration is how long the call took, with its waits.
	Duration time.Duration
}

// Format writes m without its headers, whatever the verb.
func (m ResponseMeta) Format(s fmt.State, _ rune) {
	_, _ = fmt.Fprintf(s, "clerk.ResponseMeta{%s status=%d trace=%s attempts=%d retry_after=%s duration=%s}",
		m.Operation, m.StatusCode, m.TraceID, m.Attempts, m.RetryAfter, m.Duration)
}
