package clerktest

import (
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"

	"github.com/clerk-invitations/clerk-go"
)

// A TB is the part of [testing.TB] that [NewClient] uses.
type TB interface {
	Helper()
	Cleanup(func())
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// NewClient returns a fake instance and a client that uses it in process. At its end, the test
// fails if failures of [Fake.Fail] or [Fake.Respond] are left that no request has met.
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

// Client returns a client that uses the fake in process, configured by the options
// of [WithClientOptions] and opts. With [WithSeed] the client's waits are repeatable.
func (f *Fake) Client(opts ...clerk.Option) (*clerk.Client, error) {
	own := []clerk.Option{clerk.WithHTTPClient(&http.Client{Transport: f})}
	if f.seed != 0 {
		own = append(own, clerk.WithRandom(seeded(f.seed)))
	}
	return clerk.NewClient(f.secretKey, slices.Concat(own, f.clientOptions, opts)...)
}

// seeded returns a source of random numbers that is safe for concurrent use.
func seeded(seed uint64) func() float64 {
	var mu sync.Mutex
	random := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // repeatable, not secret
	return func() float64 {
		mu.Lock()
		defer mu.Unlock()
		return random.Float64()
	}
}

// Serve serves the fake on loopback until stop is called. A client reaches it with
// [clerk.WithBaseURL](baseURL), and the links of its invitations lead to it. Like
// [httptest.NewServer], Serve panics when it can't listen.
func (f *Fake) Serve() (baseURL string, stop func()) {
	server := httptest.NewServer(f)
	f.SetLinkBase(server.URL)
	return server.URL + "/v1", func() {
		server.CloseClientConnections() // Close alone would wait for requests that hang
		server.Close()
	}
}
