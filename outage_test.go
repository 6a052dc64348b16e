package clerk_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

// An outageTest is a server that is down for a while, and its client. It records what the
// client sends.
type outageTest struct {
	fake      *clerktest.Fake
	client    *clerk.Client
	start     time.Time
	lasts     time.Duration // the outage, from start
	total     bool          // reads fail as well
	failure   httpmock.Responder
	latency   time.Duration
	counted   bool // failed creates count against the limit of 100
	mu        sync.Mutex
	posts     []time.Time // creates
	beyond    []time.Time // all requests other than the first create of an address
	addresses map[string]bool
}

var emailAddress = regexp.MustCompile(`"email_address":"([^"]*)"`)

func newOutageTest(t *testing.T, o *outageTest, opts ...clerk.Option) *outageTest {
	t.Helper()
	o.fake = clerktest.New()
	o.start, o.addresses = time.Now(), map[string]bool{}
	if o.failure == nil {
		o.failure = reply(http.StatusServiceUnavailable, ``)
	}
	client, err := o.fake.Client(append(opts, clerk.WithHTTPClient(&http.Client{Transport: o}))...)
	require.NoError(t, err)
	o.client = client
	return o
}

func (o *outageTest) RoundTrip(req *http.Request) (*http.Response, error) {
	isCreate := req.Method == http.MethodPost && strings.HasSuffix(req.URL.Path, "/invitations")
	now := time.Now()
	o.mu.Lock()
	if isCreate {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			o.mu.Unlock()
			return nil, err
		}
		req.Body = io.NopCloser(strings.NewReader(string(body)))
		o.posts = append(o.posts, now)
		address := emailAddress.FindString(string(body))
		if o.addresses[address] {
			o.beyond = append(o.beyond, now)
		}
		o.addresses[address] = true
	} else {
		o.beyond = append(o.beyond, now)
	}
	posts := len(o.posts)
	o.mu.Unlock()
	if isCreate && o.counted && posts > 100 {
		return reply(http.StatusTooManyRequests, ``, "Retry-After", "3000")(req)
	}
	time.Sleep(o.latency)
	if now.Sub(o.start) < o.lasts && (o.total || req.Method != http.MethodGet) {
		return o.failure(req)
	}
	return o.fake.RoundTrip(req)
}

// sent counts the creates so far.
func (o *outageTest) sent() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.posts)
}

// hanging answers after the outage has ended, or not at all if the client gives up earlier.
func hanging(wait time.Duration) httpmock.Responder {
	return func(req *http.Request) (*http.Response, error) {
		select {
		case <-req.Context().Done():
			return nil, req.Context().Err()
		case <-time.After(wait):
			return reply(http.StatusGatewayTimeout, ``)(req)
		}
	}
}

// worst returns the largest number of times within ten seconds.
func worst(times []time.Time) int {
	most, first := 0, 0
	for i := range times {
		for times[i].Sub(times[first]) >= 10*time.Second {
			first++
		}
		most = max(most, i-first+1)
	}
	return most
}

// A callResult records how a call ended, and when.
type callResult struct {
	after time.Duration // since the start
	err   error
}

// creates makes n calls of Create, each a while after the previous one.
func (o *outageTest) creates(n int, apart time.Duration, ignoreExisting bool) []callResult {
	results := make([]callResult, n)
	var group sync.WaitGroup
	for i := range n {
		group.Go(func() {
			time.Sleep(time.Duration(i) * apart)
			_, err := o.client.Invitations.Create(context.Background(), clerk.CreateInvitationRequest{EmailAddress: guest(i), IgnoreExisting: ignoreExisting})
			results[i] = callResult{time.Since(o.start), err}
		})
	}
	group.Wait()
	return results
}

// count returns how many results match one error, or none if it is nil.
func count(results []callResult, target error) (n int) {
	for _, result := range results {
		if errors.Is(result.err, target) {
			n++
		}
	}
	return n
}

// before returns the times before a duration since the start.
func (o *outageTest) before(times []time.Time, d time.Duration) (early []time.Time) {
	for _, at := range times {
		if at.Sub(o.start) < d {
			early = append(early, at)
		}
	}
	return early
}

// forOutages runs a test for outages of writes only and of all requests, and for Creates
// with and without IgnoreExisting.
func forOutages(t *testing.T, test func(t *testing.T, total, ignoreExisting bool)) {
	t.Helper()
	for _, total := range []bool{false, true} {
		for _, ignoreExisting := range []bool{false, true} {
			t.Run(fmt.Sprintf("total=%t,ignoreExisting=%t", total, ignoreExisting), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { test(t, total, ignoreExisting) })
			})
		}
	}
}

// TestOutageLeavesTheHourToOthers: an outage of a minute meets ten calls, whose requests count
// against the hour's limit. Sixty more calls follow in the half hour after it.
func TestOutageLeavesTheHourToOthers(t *testing.T) {
	t.Parallel()
	for _, apart := range []time.Duration{0, time.Second, 6 * time.Second} {
		forOutages(t, func(t *testing.T, total, ignoreExisting bool) {
			t.Helper()
			o := newOutageTest(t, &outageTest{lasts: time.Minute, total: total, latency: 80 * time.Millisecond, counted: true})
			o.creates(10, apart, ignoreExisting)
			require.LessOrEqual(t, len(o.before(o.posts, time.Minute)), 20)
			for i := range 60 {
				time.Sleep(30 * time.Second)
				_, err := o.client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: guest(100 + i), IgnoreExisting: ignoreExisting})
				require.NoError(t, err, "create %d", i)
			}
		})
	}
}

// TestOutageHoldsCallsBack: many calls are made during an outage of a minute, in which
// requests fail or hang. Most of them are never sent.
func TestOutageHoldsCallsBack(t *testing.T) {
	t.Parallel()
	for name, failure := range map[string]httpmock.Responder{"503": nil, "hang": hanging(30 * time.Second)} {
		for n, apart := range map[int]time.Duration{200: 300 * time.Millisecond, 500: 0} {
			t.Run(fmt.Sprint(name, "/", n), func(t *testing.T) {
				forOutages(t, func(t *testing.T, total, ignoreExisting bool) {
					t.Helper()
					o := newOutageTest(t, &outageTest{lasts: time.Minute, total: total, latency: 80 * time.Millisecond, failure: failure})
					results := o.creates(n, apart, ignoreExisting)
					require.Less(t, worst(o.beyond), 1000)
					if total {
						require.Less(t, worst(o.before(o.beyond, time.Minute)), 100)
					}
					unknown, notSent := count(results, clerk.ErrOutcomeUnknown), count(results, clerk.ErrNotSent)
					require.LessOrEqual(t, unknown, 25)
					require.Equal(t, n, count(results, nil)+notSent+unknown)
				})
			})
		}
	}
}

// TestWaitingCallsSucceedSoonAfterAnOutage: 100 within ten seconds, and 500 within thirty.
func TestWaitingCallsSucceedSoonAfterAnOutage(t *testing.T) {
	t.Parallel()
	for n, within := range map[int]time.Duration{100: 10 * time.Second, 500: 30 * time.Second} {
		for _, lasts := range []time.Duration{5 * time.Second, 20 * time.Second, 40 * time.Second} {
			t.Run(fmt.Sprint(n, "/", lasts), func(t *testing.T) {
				forOutages(t, func(t *testing.T, total, ignoreExisting bool) {
					t.Helper()
					o := newOutageTest(t, &outageTest{lasts: lasts, total: total, latency: 80 * time.Millisecond})
					for _, result := range o.creates(n, 0, ignoreExisting) {
						require.NoError(t, result.err)
						require.LessOrEqual(t, result.after, lasts+within)
					}
					require.Less(t, worst(o.beyond), 1000)
					require.Len(t, o.fake.Invitations(), n)
				})
			})
		}
	}
}

// TestHangingCallsLearnTheirOutcome: 500 calls are made during an outage of half a minute in
// which nothing is answered.
func TestHangingCallsLearnTheirOutcome(t *testing.T) {
	t.Parallel()
	forOutages(t, func(t *testing.T, total, ignoreExisting bool) {
		t.Helper()
		o := newOutageTest(t, &outageTest{lasts: 30 * time.Second, total: total, failure: hanging(time.Hour)})
		results := o.creates(500, 0, ignoreExisting)
		require.LessOrEqual(t, count(results, clerk.ErrOutcomeUnknown), 25)
		require.GreaterOrEqual(t, count(results, nil), 475)
		require.LessOrEqual(t, len(o.fake.Invitations()), 500)
	})
}

// TestOneCallGetsNoDenser counts the requests of a call in each ten seconds of a total
// outage. The waits are random, so the counts vary a little.
func TestOneCallGetsNoDenser(t *testing.T) {
	const runs = 100
	var requests [6]float64
	for range runs {
		synctest.Test(t, func(t *testing.T) {
			o := newOutageTest(t, &outageTest{lasts: time.Hour, total: true})
			o.creates(1, 0, false)
			for _, at := range append(o.beyond, o.start) {
				requests[at.Sub(o.start)/(10*time.Second)] += 1.0 / runs
			}
		})
	}
	t.Log(requests)
	for i := range requests[1:] {
		require.LessOrEqual(t, requests[i+1], requests[i]+0.5)
	}
	require.Less(t, requests[5], 3.0)
}

// TestPoisonedAddressDelaysNobody: the failures of one call are no outage.
func TestPoisonedAddressDelaysNobody(t *testing.T) {
	for name, failure := range map[string]httpmock.Responder{"503": reply(503, ``), "hang": hanging(time.Hour)} {
		for _, after := range []time.Duration{time.Second, 5 * time.Second, 30 * time.Second, 2 * time.Minute} {
			t.Run(fmt.Sprint(name, "/", after), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					fake := clerktest.New()
					client := clientThrough(t, fake, poisoned(fake, failure, "poison@example.com"))
					go func() {
						_, err := client.Invitations.Create(context.Background(), clerk.CreateInvitationRequest{EmailAddress: "poison@example.com"})
						if err == nil {
							t.Error("the address is not poisoned")
						}
					}()
					time.Sleep(after)
					start := time.Now()
					require.NoError(t, calls[clerk.OperationCreate](t.Context(), client))
					require.Zero(t, time.Since(start))
					time.Sleep(time.Minute)
				})
			})
		}
	}
}

// TestHeldBackCallsSayWhy: a call that was held back before anything was sent fails with
// ErrNotSent, and errors and the log say that requests were held back. A client for another
// instance is not affected.
func TestHeldBackCallsSayWhy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		o := newOutageTest(t, &outageTest{lasts: time.Hour, latency: 80 * time.Millisecond}, clerk.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
		results := o.creates(20, 0, false)
		require.ErrorContains(t, results[0].err, "clerk: CreateInvitation: outcome unknown: 503 Service Unavailable (no Clerk error, but an empty body); its retry was held back for ")
		require.Regexp(t, `level=WARN msg="clerk request held back" operation=CreateInvitation `+
			`route="POST /invitations" call=\d+ pass=1 attempt=1 error="503 Service Unavailable"`, log.String())
		for name, test := range map[string]struct {
			opt    clerk.Option
			isHeld bool
		}{
			"a derived client":         {clerk.WithAppName("derived"), true},
			"another address":          {clerk.WithBaseURL("https://proxy.example.com/v1"), false},
			"the key of somebody else": {clerk.WithSecretKeyFunc(func(context.Context) (string, error) { return o.fake.SecretKey(), nil }), false},
		} {
			client, err := o.client.With(test.opt)
			require.NoError(t, err)
			time.Sleep(2 * time.Minute)
			go o.creates(1, 0, false) // tests whether the outage is over
			time.Sleep(time.Second)
			sent := o.sent()
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
			err = calls[clerk.OperationCreate](ctx, client)
			cancel()
			require.Equal(t, test.isHeld, errors.Is(err, clerk.ErrNotSent), name)
			require.Equal(t, !test.isHeld, errors.Is(err, clerk.ErrOutcomeUnknown), name)
			require.Equal(t, test.isHeld, o.sent() == sent, name)
			if test.isHeld {
				require.EqualError(t, err, "clerk: CreateInvitation: nothing sent: held back for 2s, as the server seems to be down (503 Service Unavailable)")
			}
		}
		time.Sleep(2 * time.Minute)
	})
}

// TestShortDeadlineFailsFastInAnOutage, as docs/outages-and-lost-responses.md says.
func TestShortDeadlineFailsFastInAnOutage(t *testing.T) {
	for name, failure := range map[string]httpmock.Responder{"503": reply(http.StatusServiceUnavailable, ``), "no response": hanging(time.Hour)} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := newOutageTest(t, &outageTest{lasts: time.Hour, total: true, failure: failure})
				const calls = 60
				var took [calls]time.Duration
				var group sync.WaitGroup
				for i := range calls {
					group.Go(func() {
						time.Sleep(time.Duration(i) * time.Second)
						ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
						defer cancel()
						start := time.Now()
						_, err := o.client.Invitations.Create(ctx, clerk.CreateInvitationRequest{EmailAddress: guest(i)})
						took[i] = time.Since(start)
						assert.Error(t, err)
					})
				}
				group.Wait()
				slices.Sort(took[:])
				require.Equal(t, 2*time.Second, took[calls/2].Round(time.Millisecond), "most are held back")
				require.LessOrEqual(t, took[calls-1], 3*time.Second)
			})
		})
	}
}
