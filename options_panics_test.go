package clerk_test

import (
	"context"
	"log/slog"
	"net/http"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
)

// A panickyHandler is a log handler that panics at one of its records.
type panickyHandler struct {
	slog.Handler

	left *atomic.Int64
}

func (h panickyHandler) Handle(context.Context, slog.Record) error {
	if h.left.Add(-1) == 0 {
		panic("of the log handler")
	}
	return nil
}

func (panickyHandler) Enabled(context.Context, slog.Level) bool { return true }

// A transport, a key function or a log handler panics, including for requests that are made
// ahead.
func TestPanicsReachTheCaller(t *testing.T) {
	t.Parallel()
	loops := map[string]func(context.Context, *clerk.Client){
		"All": func(ctx context.Context, c *clerk.Client) {
			for range c.Invitations.All(ctx, clerk.ListInvitationsRequest{Limit: 10}) {
			}
		},
		"All, ahead": func(ctx context.Context, c *clerk.Client) {
			for range c.Invitations.All(ctx, clerk.ListInvitationsRequest{Limit: 10}, clerk.WithPrefetch(4)) {
			}
		},
		"CreateAll": func(ctx context.Context, c *clerk.Client) {
			for range c.Invitations.CreateAll(ctx, guests(100)) {
			}
		},
	}
	for name, loop := range loops {
		for _, at := range []int{1, 2, 4, 7} {
			for _, who := range []string{"transport", "key function", "log handler"} {
				t.Run(name+"/"+who+"/"+string(rune('0'+at)), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						l := newLife(t)
						n := map[bool]int{true: 1500, false: 100}[name == "CreateAll"] // three pages
						l.fill(t, n, func(i int) string { return guest(1000 + i) })
						require.PanicsWithValue(t, "of the "+who, func() { loop(t.Context(), panicking(t, l, who, at)) })
						synctest.Wait()
					})
				})
			}
		}
	}
}

// panicking returns a client whose part who panics when it is used for the n-th time.
func panicking(t *testing.T, l life, who string, n int) *clerk.Client {
	t.Helper()
	var left atomic.Int64
	left.Store(int64(n))
	count := func(what string) {
		if what == who && left.Add(-1) == 0 {
			panic("of the " + who)
		}
	}
	handler := panickyHandler{left: new(atomic.Int64)} // which never gets to 0
	if who == "log handler" {
		handler.left = &left
	}
	client, err := clerk.NewClient("", clerk.WithHTTPClient(&http.Client{Transport: roundTripFunc(func(req *http.Request) (*http.Response, error) {
		count("transport")
		return l.fake.RoundTrip(req)
	})}), clerk.WithSecretKeyFunc(func(context.Context) (string, error) {
		count("key function")
		return l.fake.SecretKey(), nil
	}), clerk.WithLogger(slog.New(handler)))
	require.NoError(t, err)
	return client
}

// TestSourceThatCallsGoexit: the run must not take the source for complete.
func TestSourceThatCallsGoexit(t *testing.T) {
	for _, after := range []int{0, 1, 9, 10, 25} {
		synctest.Test(t, func(t *testing.T) {
			l := newLife(t)
			source := func(yield func(clerk.CreateInvitationRequest) bool) {
				for req := range guests(after) {
					if !yield(req) {
						return
					}
				}
				runtime.Goexit()
			}
			results, err := createAll(t, l.client, source)
			require.Error(t, err)
			require.LessOrEqual(t, len(results), after)
			require.LessOrEqual(t, len(l.fake.Invitations()), after)
		})
	}
}

// TestSourceThatPanics: the panic reaches the loop.
func TestSourceThatPanics(t *testing.T) {
	for _, after := range []int{0, 1, 10, 25} {
		synctest.Test(t, func(t *testing.T) {
			l := newLife(t)
			require.PanicsWithValue(t, "of the source", func() {
				for range l.client.Invitations.CreateAll(t.Context(), func(yield func(clerk.CreateInvitationRequest) bool) {
					for req := range guests(after) {
						if !yield(req) {
							return
						}
					}
					panic("of the source")
				}) {
				}
			})
			time.Sleep(time.Minute)
		})
	}
}
