package clerk_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
)

// addressesIn reads whom the body of a create or a bulk is about, and restores it.
func addressesIn(req *http.Request) (addresses []string) {
	if req.Body == nil {
		return nil
	}
	body, err := io.ReadAll(req.Body)
	if err != nil {
		panic(err)
	}
	req.Body = io.NopCloser(bytes.NewReader(body))
	var many []clerk.CreateInvitationRequest
	if json.Unmarshal(body, &many) != nil {
		many = make([]clerk.CreateInvitationRequest, 1)
		if json.Unmarshal(body, &many[0]) != nil {
			return nil
		}
	}
	for _, one := range many {
		addresses = append(addresses, one.EmailAddress)
	}
	return addresses
}

// poisoned is a transport that answers requests about some addresses by itself.
func poisoned(next http.RoundTripper, answer httpmock.Responder, bad ...string) http.RoundTripper {
	return roundTripFunc(func(req *http.Request) (*http.Response, error) {
		if req.Method == http.MethodPost && slices.ContainsFunc(addressesIn(req), func(a string) bool { return slices.Contains(bad, a) }) {
			return answer(req)
		}
		return next.RoundTrip(req)
	})
}

// cutOff is a response whose body breaks off.
func cutOff(status int, body string) httpmock.Responder {
	return func(req *http.Request) (*http.Response, error) {
		resp, err := reply(status, body)(req)
		resp.Body = io.NopCloser(io.MultiReader(bytes.NewReader([]byte(body)), failingReader{}))
		return resp, err
	}
}

type failingReader struct{}

func (failingReader) Read([]byte) (int, error) { return 0, errors.New("connection reset") }

// poisons is what a request may always be answered with.
var poisons = map[string]httpmock.Responder{
	"conflict":             reply(409, `{"errors":[{"code":"conflict","message":"conflict"}]}`),
	"resource locked":      reply(423, `{"errors":[{"code":"resource_locked","message":"locked"}]}`),
	"409 of no code":       reply(409, ``),
	"422, cut off":         cutOff(422, `{"errors":[{"code":"form_param_`),
	"422 of HTML":          reply(422, `<html>`, "Content-Type", "text/html"),
	"429 of its own":       reply(429, ``),
	"429 with Retry-After": reply(429, ``, "Retry-After", "30"),
	"500":                  reply(500, `{"errors":[{"code":"internal_clerk_error","message":"oops"}]}`),
	"502":                  reply(502, `<html>`, "Content-Type", "text/html"),
	"503":                  reply(503, ``, "Retry-After", "5"),
	"a reset":              failing(errors.New("connection reset")),
	"a hang":               hangs,
	"302":                  reply(302, ``, "Location", "https://example.com/"),
	"200 of HTML":          reply(200, `<html>`, "Content-Type", "text/html"),
	"403 of the edge":      reply(403, `<html>error 1010</html>`, "Content-Type", "text/html"),
	"404 of a proxy":       reply(404, `not found`, "Content-Type", "text/plain"),
}

// TestOneBadRequestStopsNobody has some requests always fail, among good ones.
func TestOneBadRequestStopsNobody(t *testing.T) {
	t.Parallel()
	for name, answer := range poisons {
		for i, bad := range [][]int{{3, 13, 23, 33, 43, 53, 63, 73, 83, 93, 97}, {0}, {50}, {99}} {
			for _, ignoreExisting := range []bool{false, true} {
				if i >= soakSize(2, 2, 4) || ignoreExisting && i >= soakSize(1, 1, 4) {
					continue
				}
				t.Run(fmt.Sprint(name, "/", bad, "/", ignoreExisting), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						lastGood, writes := requireGoodOnesPass(t, answer, bad, ignoreExisting)
						require.LessOrEqual(t, lastGood, 4*time.Hour)
						require.LessOrEqual(t, writes, 500)
					})
				})
			}
		}
	}
}

func requireGoodOnesPass(t *testing.T, answer httpmock.Responder, bad []int, ignoreExisting bool) (lastGood time.Duration, writes int) {
	t.Helper()
	const n = 100
	l := limited(t, true)
	var addresses []string
	for _, i := range bad {
		addresses = append(addresses, guest(i))
	}
	counted := roundTripFunc(func(req *http.Request) (*http.Response, error) {
		if req.Method == http.MethodPost {
			writes++
		}
		return poisoned(l.fake, answer, addresses...).RoundTrip(req)
	})
	client, err := l.fake.Client(clerk.WithHTTPClient(&http.Client{Transport: counted}))
	require.NoError(t, err)
	start := time.Now()
	results := map[int]clerk.CreateResult{}
	for result, err := range client.Invitations.CreateAll(t.Context(), requestsFor(n, func(i int) clerk.CreateInvitationRequest {
		return clerk.CreateInvitationRequest{EmailAddress: guest(i), IgnoreExisting: ignoreExisting}
	})) {
		require.NoError(t, err)
		results[result.Index] = result
		if result.Outcome == clerk.OutcomeCreated {
			lastGood = time.Since(start)
		}
		require.LessOrEqual(t, time.Since(start), 48*time.Hour)
	}
	require.Len(t, results, n)
	for i := range n {
		if !slices.Contains(bad, i) {
			require.Equal(t, clerk.OutcomeCreated, results[i].Outcome, "%v", results[i])
			continue
		}
		require.Contains(t, []clerk.Outcome{clerk.OutcomeRejected, clerk.OutcomeUnknown}, results[i].Outcome, "%v", results[i])
		require.Error(t, results[i].Err)
	}
	require.Len(t, l.fake.Invitations(), n-len(bad))
	t.Logf("the last good one after %s, all after %s, %d writes", lastGood, time.Since(start), writes)
	require.LessOrEqual(t, time.Since(start), 12*time.Hour)
	return lastGood, writes
}

// TestManyBadRequestsStopNobody has a quarter of the requests always fail.
func TestManyBadRequestsStopNobody(t *testing.T) {
	var bad []int
	for i := range 100 {
		if i%4 == 0 {
			bad = append(bad, i)
		}
	}
	for _, name := range []string{"500", "conflict", "429 of its own"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, writes := requireGoodOnesPass(t, poisons[name], bad, false)
				require.LessOrEqual(t, writes, 1000)
			})
		})
	}
}

// TestOneBadRequestUnderOtherBudgets has only one kind of request be in the budget.
func TestOneBadRequestUnderOtherBudgets(t *testing.T) {
	for _, budget := range []clerk.Budget{{BulkCreates: 25}, {Creates: 90}, {Creates: 1, BulkCreates: 1, Window: time.Minute}} {
		for _, name := range []string{"500", "conflict", "429 of its own", "422, cut off", "403 of the edge"} {
			t.Run(fmt.Sprint(budget, "/", name), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					l := lifeWith(t)
					client := clientThrough(t, l.fake, poisoned(l.fake, poisons[name], guest(7)))
					start := time.Now()
					results, err := createAll(t, client, guests(60), clerk.WithBudget(budget), clerk.WithProgress(func(clerk.Progress) {
						require.LessOrEqual(t, time.Since(start), 48*time.Hour)
					}))
					require.NoError(t, err)
					for i, result := range results {
						require.Equal(t, i != 7, result.Outcome == clerk.OutcomeCreated, "%v", result)
					}
					require.Len(t, l.fake.Invitations(), 59)
					require.LessOrEqual(t, time.Since(start), 12*time.Hour)
				})
			})
		}
	}
}

// TestRefusedEverythingEnds has what is before Clerk refuse every write.
func TestRefusedEverythingEnds(t *testing.T) {
	for _, name := range []string{"403 of the edge", "404 of a proxy", "409 of no code"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLife(t)
				start := time.Now()
				results, err := createAll(t, clientThrough(t, l.fake, failingOn(l.fake, http.MethodPost, "", poisons[name])), guests(300))
				require.Error(t, err)
				require.NotErrorIs(t, err, clerk.ErrOutcomeUnknown)
				require.Empty(t, results)
				require.LessOrEqual(t, time.Since(start), time.Hour)
			})
		})
	}
}
