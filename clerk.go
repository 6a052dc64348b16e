// Package clerk invites people through Clerk's Invitations API from a backend
// service. It is independent of Clerk.
//
//	client, err := clerk.NewClient(os.Getenv("CLERK_SECRET_KEY"))
//	if err != nil {
//		return err
//	}
//	inv, err := client.Invitations.Create(ctx, clerk.CreateInvitationRequest{
//		EmailAddress: "ada@example.com",
//	})
//	switch {
//	case errors.Is(err, clerk.ErrDuplicateInvitation):
//		// A pending invitation for that address exists: nothing to do.
//	case errors.Is(err, clerk.ErrUserExists):
//		// The address has an account already.
//	case err != nil:
//		return err
//	}
//
// # Errors
//
// Every error of an operation is one of two types. A [*ClerkErrors] is Clerk's documented
// refusal of a request. An [*SDKError] is every other failure; where Clerk said
// something, it unwraps to a *ClerkErrors. What a caller acts on is a sentinel
// for [errors.Is], such as [ErrDuplicateInvitation] or [ErrOutcomeUnknown].
//
// # Retries and the truth
//
// A call retries by itself, by default for at most a minute: reads after any
// passing failure, writes when the previous attempt was certainly not carried out.
// See [RetryConfig].
//
// After any other failure of a write the library looks before it leaps. It lists what
// stands, and then returns what the call has made, or repeats the write, or only what
// is missing of a bulk. Lookups are reads: they cost nothing of Clerk's hourly limits.
// Where the truth cannot be learnt in time, the error is [ErrOutcomeUnknown];
// [InvitationsService.FindPending] and [InvitationsService.Get] settle it later.
//
// What stood before the call is not passed off as its result: its age is compared by
// Clerk's own clock. A window remains. An invitation for the same address that
// somebody else made at the same time, or before the call by up to two seconds
// (Clerk's clock tells whole seconds, and its parts may differ by one) and what the
// lookup took, cannot be told from the call's own. After an ambiguous failure it is
// returned as the result: without IgnoreExisting in place of an
// [ErrDuplicateInvitation], with it in place of a second invitation. And with
// IgnoreExisting a write that Clerk carries out, or lists, only
// more than 5 seconds after it failed is repeated, and then doubled.
//
// # Inviting thousands
//
// Clerk takes 100 creates and 25 bulk creates an hour. [InvitationsService.CreateAll]
// takes any number of requests and sends them as fast as that allows, for as long as it
// takes; a run that ended early goes on when it is started again.
//
// # Secrets
//
// No error text, log record or formatted value (%v, %+v, %#v) of this package
// shows the secret key, the ticket URL of an invitation, or an email address. The
// fields of the models and their JSON do hold them; log/slog's JSON handler uses
// that for slices of models, and for structs that have a model in them.
//
// # Testing
//
// Package [github.com/clerk-invitations/clerk-go/clerktest] is a fake of the API,
// in process, for the tests of services that use this package.
package clerk

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

const (
	// Version is the version of this module, as sent in the User-Agent header.
	Version = "0.1.0"

	// APIVersion is the version of Clerk's API that this module is written
	// for, as sent in the Clerk-API-Version header.
	APIVersion = "2026-05-12"

	// DefaultBaseURL is where Clerk's Backend API is served.
	DefaultBaseURL = "https://api.clerk.com/v1"
)

// The defaults of the options.
const (
	defaultAttemptTimeout   = 15 * time.Second
	defaultMaxResponseBytes = 32 << 20
)

// A Client talks to one Clerk instance. Make one with [NewClient] and share it:
// it never changes, and any number of goroutines may use it at once.
type Client struct {
	// Invitations holds the operations on invitations.
	Invitations *InvitationsService

	config config
}

// NewClient makes a client that authenticates with a Clerk secret key ("sk_...",
// in the Clerk Dashboard under "API keys"). It does no I/O.
//
// It refuses, with an [ErrInvalidRequest], a key that is empty, publishable
// ("pk_...") or malformed, and options that can never be right. To supply the
// key later, or to rotate it, pass [WithSecretKeyFunc] and an empty secretKey.
func NewClient(secretKey string, opts ...Option) (*Client, error) {
	base := config{
		baseURL:          DefaultBaseURL,
		httpClient:       &http.Client{Transport: newTransport()},
		userAgent:        "clerk-go/" + Version,
		attemptTimeout:   defaultAttemptTimeout,
		maxResponseBytes: defaultMaxResponseBytes,
	}
	base.retry, _ = RetryConfig{}.withDefaults()
	if secretKey != "" {
		if err := checkSecretKey(secretKey); err != nil {
			return nil, invalid("", err)
		}
		base.secretKey = secretKey
	}
	c, err := newClient(base, opts)
	if err != nil {
		return nil, err
	}
	if c.config.secretKey == "" && c.config.keySource == nil {
		return nil, invalid("", fieldError{"secret key", "is empty"})
	}
	return c, nil
}

// With derives a client that differs from c by the given options. The two share
// their connections; c is unchanged.
func (c *Client) With(opts ...Option) (*Client, error) {
	return newClient(c.config, opts)
}

func newClient(cfg config, opts []Option) (*Client, error) {
	for _, opt := range opts {
		if opt == nil {
			return nil, invalid("", errNilOption)
		}
		if err := opt.applyToClient(&cfg); err != nil {
			return nil, invalid("", err)
		}
	}
	c := &Client{config: cfg}
	c.Invitations = &InvitationsService{client: c}
	return c, nil
}

// Format writes the client without its key and headers, whatever the verb.
func (c Client) Format(s fmt.State, _ rune) {
	_, _ = fmt.Fprintf(s, "clerk.Client{%s}", c.config.baseURL)
}

// checkSecretKey refuses what can never be a secret key. Its error never shows
// any part of the key.
func checkSecretKey(key string) error {
	const field = "secret key"
	switch {
	case key == "":
		return fieldError{field, "is empty"}
	case strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }):
		return fieldError{field, "holds white space or another character that no key has"}
	case strings.HasPrefix(key, "pk_"):
		return fieldError{field, "is a publishable key (pk_...); a backend needs the secret key (sk_...)"}
	case !strings.HasPrefix(key, "sk_"):
		return fieldError{field, "does not begin with sk_"}
	}
	return nil
}

// newTransport is the standard library's default transport, with connections of
// its own, and as many idle ones to Clerk as to all hosts together.
func newTransport() http.RoundTripper {
	std, ok := http.DefaultTransport.(*http.Transport)
	if !ok { // the program has put a transport of its own in its place
		return http.DefaultTransport
	}
	own := std.Clone()
	own.MaxIdleConnsPerHost = own.MaxIdleConns
	return own
}
