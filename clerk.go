// Package clerk invites people through Clerk's Invitations API from a backend
// service. It is independent of Clerk.
//
//	client, err := clerk.NewClient(os.Getenv("CLERK_SECRET_KEY"))
//	if err != nil {
//		return err
//	}
//	inv, err := client.Invitations.Create(ctx, clerk.CreateInvitationRequest{EmailAddress: "ada@example.com"})
//	switch {
//	case errors.Is(err, clerk.ErrOutcomeUnknown): // first, as the others may match, too
//		// Perhaps invited: look again in a minute.
//	case errors.Is(err, clerk.ErrDuplicateInvitation), errors.Is(err, clerk.ErrUserExists):
//		// Already invited, or a user.
//	case err != nil:
//		return err
//	}
//
// # Errors
//
// An operation fails with one of two types. [*ClerkErrors] is Clerk's documented
// refusal of a request. [*SDKError] is any other failure; it wraps a *ClerkErrors if
// Clerk sent one. Use [errors.Is] with a sentinel, such as [ErrDuplicateInvitation],
// to decide what to do, and [MetaFromError] for status, trace id and Retry-After.
//
// # Retries
//
// A call retries for up to a minute; see [RetryConfig]. Reads are retried after any
// transient failure. A write is retried only if the previous attempt certainly had no
// effect. After any other failure the library looks up the invitations to determine the
// outcome, and then returns the result or retries the write. In an outage, the client
// holds requests back; a call that was never sent fails with [ErrNotSent]. If the outcome cannot be
// determined in time, the error is [ErrOutcomeUnknown]. docs/errors-and-retries.md and
// docs/outages-and-lost-responses.md in the repository have the details and the remaining
// ambiguity window.
//
// # Inviting many
//
// Clerk allows 100 creates and 25 bulk creates an hour. [InvitationsService.CreateAll] sends
// any number of requests within these limits, and resumes an interrupted run.
//
// # Secrets
//
// No error, log record or formatted value of this package shows the secret key, an
// invitation's ticket URL or an email address. The models' fields and their JSON do contain
// ticket URLs and addresses. SECURITY.md in the repository lists what cannot be prevented.
//
// # Testing
//
// Package [github.com/clerk-invitations/clerk-go/clerktest] is a stateful fake of the
// API for the tests of your service.
package clerk

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync/atomic"

	"github.com/clerk-invitations/clerk-go/internal/check"
	"github.com/clerk-invitations/clerk-go/internal/clock"
	"github.com/clerk-invitations/clerk-go/internal/outage"
	"github.com/clerk-invitations/clerk-go/internal/transport"
)

const (
	// Version is the version of this module, sent in the User-Agent header.
	Version = "0.1.0"

	// APIVersion is the version of Clerk's API that this module is written for, sent in
	// the Clerk-API-Version header.
	APIVersion = "2026-05-12"

	// DefaultBaseURL is the base URL of Clerk's Backend API.
	DefaultBaseURL = "https://api.clerk.com/v1"
)

// A Client calls the API of one Clerk instance. Create it with [NewClient]. It is
// immutable and safe for concurrent use.
type Client struct {
	// Invitations provides the operations on invitations.
	Invitations *InvitationsService

	// config is a function because packages fmt and spew print every field that they
	// reach, including unexported ones, and the configuration has secrets.
	config func() *clientConfig
}

// NewClient returns a client that authenticates with a Clerk secret key ("sk_...", in
// the Clerk Dashboard under "API keys"). It does no I/O.
//
// An empty, publishable ("pk_...") or malformed key and an invalid option are an
// [ErrInvalidRequest]. To provide the key later, or to rotate it, pass an empty
// secretKey and [WithSecretKeyFunc].
func NewClient(secretKey string, opts ...Option) (*Client, error) {
	cfg := clientConfig{
		http:             &http.Client{Transport: transport.Default()},
		maxResponseBytes: defaultMaxResponseBytes,
		skew:             new(clock.Skew),
		gates:            outage.NewGates(),
		random:           rand.Float64,
		calls:            new(atomic.Uint64),
		callConfig: callConfig{baseURL: DefaultBaseURL, header: http.Header{
			"Accept": {"application/json"}, "User-Agent": {"clerk-go/" + Version}, "Clerk-Api-Version": {APIVersion},
		}},
	}
	_ = cfg.setRetry(RetryConfig{})
	if secretKey != "" {
		if problem := check.SecretKey(secretKey); problem != "" {
			return nil, invalid("", &InputError{"secret key", problem})
		}
		cfg.setHeader("Authorization", "Bearer "+secretKey)
	}
	return newClient(cfg, opts)
}

// With returns a copy of c with the given options applied. c does not change. The two clients
// share their connections, unless WithHTTPClient is given.
func (c *Client) With(opts ...Option) (*Client, error) {
	return newClient(*c.config(), opts)
}

// CloseIdleConnections closes the connections of the client's transport that no request uses.
// A program that creates many clients should call it when it no longer needs one. Clients that
// share the transport, such as those from With, still work: they connect again.
func (c *Client) CloseIdleConnections() { c.config().http.CloseIdleConnections() }

func newClient(cfg clientConfig, opts []Option) (*Client, error) {
	err := applyAll(opts, func(o Option) error { return o.applyToClient(&cfg) })
	if err == nil && cfg.keyProvider == nil && cfg.header["Authorization"] == nil {
		err = &InputError{"secret key", "is empty"}
	}
	if err = cmp.Or(err, cfg.checkBaseURL()); err != nil {
		return nil, invalid("", err)
	}
	cfg.transport = transport.New(transport.Config{
		HTTP: cfg.http, MaxBytes: cfg.maxResponseBytes, Refusal: parseErrors, IsDocumented: isDocumented, Logger: cfg.logger,
	})
	config := func() *clientConfig { return &cfg }
	return &Client{Invitations: &InvitationsService{config}, config: config}, nil
}

// Format writes the client without its key and headers for every verb.
func (c Client) Format(s fmt.State, _ rune) { formatClient(s, "Client", c.config) }

func formatClient(s fmt.State, name string, config func() *clientConfig) {
	baseURL := ""
	if config != nil {
		baseURL = config().baseURL
	}
	_, _ = fmt.Fprintf(s, "clerk.%s{%s}", name, baseURL)
}

// InvitationsService provides the operations on invitations. It is the Invitations field of a
// [Client].
type InvitationsService struct {
	config func() *clientConfig
}

// Format writes the service without its client's key for every verb.
func (s InvitationsService) Format(f fmt.State, _ rune) {
	formatClient(f, "InvitationsService", s.config)
}
