package clerktest

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/clerk-invitations/clerk-go"
)

// SecretKey is the secret key, a dummy, that a [Fake] accepts by default.
const SecretKey = "sk_test_clerktest"

// A Fake is a fake Clerk instance. Create one with [New] or [NewClient]. It is safe
// for concurrent use.
type Fake struct {
	options

	mu        sync.Mutex
	ids       ids
	store     store
	users     map[string]*User // by folded address
	planned   map[clerk.Operation][]failure
	random    *rand.Rand // chooses from options.faults; nil without them
	log       requestLog
	all       window
	creates   window
	bulks     window
	emails    emailCount
	hideUntil time.Time // of the request being handled; zero when it hides nothing
}

// New returns a fake instance without invitations and users.
func New(opts ...Option) *Fake {
	f := &Fake{options: options{secretKey: SecretKey, slowness: defaultSlowness, linkBase: defaultLinkBase, logSize: defaultLogSize}}
	for _, opt := range opts {
		opt(&f.options)
	}
	f.ids.random = f.randomIDs
	f.log.size = f.logSize
	f.clear()
	f.setFaults(f.faults)
	f.setRateLimits(f.limits)
	return f
}

// clear forgets invitations, users, planned failures, requests and what was counted.
func (f *Fake) clear() {
	f.store = newStore()
	f.users = map[string]*User{}
	f.planned = map[clerk.Operation][]failure{}
	f.log.clear()
	f.emails = emailCount{}
	f.resetRateLimits()
}

// Reset removes all invitations, users and requests, drops the failures that were
// planned, and restarts the windows of the rate limits. Ids are not reused, and
// what the fake's options set stays.
func (f *Fake) Reset() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.clear()
	f.journal(record{Reset: true})
}

// Client returns a client that uses the fake in process, configured by the options
// of [WithClientOptions] and opts.
func (f *Fake) Client(opts ...clerk.Option) (*clerk.Client, error) {
	viaFake := clerk.WithHTTPClient(&http.Client{Transport: f})
	return clerk.NewClient(f.secretKey, slices.Concat([]clerk.Option{viaFake}, f.clientOptions, opts)...)
}

// A TB is the part of [testing.TB] that [NewClient] uses.
type TB interface {
	Helper()
	Cleanup(func())
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// NewClient returns a fake instance and a client that uses it in process. When the
// test ends, it fails if failures of [Fake.Fail] or [Fake.Respond] are left that no
// request has met.
func NewClient(t TB, opts ...Option) (*clerk.Client, *Fake) {
	t.Helper()
	fake := New(opts...)
	client, err := fake.Client()
	if err != nil {
		t.Fatalf("clerktest: %v", err)
	}
	t.Cleanup(func() {
		t.Helper()
		for _, left := range fake.Planned() {
			t.Errorf("clerktest: no request met the failure %s", left)
		}
	})
	return client, fake
}

// Serve serves the fake on loopback until stop is called. A client reaches it with
// [clerk.WithBaseURL](baseURL), and the links of its invitations lead to it. Like
// [httptest.NewServer], Serve panics when it can't listen.
func (f *Fake) Serve() (baseURL string, stop func()) {
	server := httptest.NewServer(f)
	f.SetLinkBase(server.URL)
	return server.URL + "/v1", func() {
		server.CloseClientConnections() // Close alone waits for requests that hang
		server.Close()
	}
}

// SecretKey returns the secret key that the fake accepts.
func (f *Fake) SecretKey() string { return f.secretKey }

// Invitations returns copies of all invitations, also of the revoked ones, oldest
// first.
func (f *Fake) Invitations() []clerk.Invitation {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := make([]clerk.Invitation, 0, len(f.store.all))
	at := now()
	for _, inv := range f.store.all {
		if inv.deleted {
			continue
		}
		inv.refresh(at)
		one := f.view(inv)
		one.PublicMetadata = slices.Clone(one.PublicMetadata)
		all = append(all, one)
	}
	return all
}

// Accept accepts a pending invitation on behalf of its invitee, who becomes a user.
// It fails when there is no such invitation or it is not pending.
func (f *Fake) Accept(invitationID string) error {
	return f.change(invitationID, f.accept)
}

func (f *Fake) accept(inv *invitation) {
	f.update(inv, func() { inv.Status = clerk.InvitationStatusAccepted })
	f.addUser(inv.EmailAddress, inv.PublicMetadata)
}

// Expire expires a pending invitation now. It fails when there is no such invitation
// or it is not pending.
func (f *Fake) Expire(invitationID string) error {
	return f.change(invitationID, func(inv *invitation) {
		f.update(inv, func() { inv.ExpiresAt, inv.Status = now(), clerk.InvitationStatusExpired })
	})
}

func (f *Fake) change(invitationID string, to func(*invitation)) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	inv := f.store.find(invitationID)
	switch {
	case inv == nil:
		return fmt.Errorf("clerktest: no invitation %q", invitationID)
	case inv.Status != clerk.InvitationStatusPending:
		return fmt.Errorf("clerktest: invitation %s is %s", inv.ID, inv.Status)
	}
	to(inv)
	return nil
}

// Revoke revokes an invitation as Clerk's Dashboard does, without a request: it
// meets no failure and counts against no limit.
func (f *Fake) Revoke(invitationID string) error { return f.direct(f.revoke, invitationID) }

// Delete deletes an invitation and its email as Clerk's Dashboard does, without a
// request: it meets no failure and counts against no limit.
func (f *Fake) Delete(invitationID string) error { return f.direct(f.delete, invitationID) }

func (f *Fake) direct(operation func(id string) (any, *apiError), id string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, refusal := operation(id); refusal != nil {
		text := strings.TrimSuffix(refusal.errors[0].LongMessage, ".")
		return fmt.Errorf("clerktest: invitation %s: %s: %s", id, refusal.code(), text)
	}
	return nil
}

// Format writes nothing of the state, whatever the verb.
func (f *Fake) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "clerktest.Fake") }
