package clerk_test

import (
	"bytes"
	"errors"
	"io"
	"iter"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

// requestsFor yields a request for each number below n.
func requestsFor(n int, request func(i int) clerk.CreateInvitationRequest) iter.Seq[clerk.CreateInvitationRequest] {
	return func(yield func(clerk.CreateInvitationRequest) bool) {
		for i := range n {
			if !yield(request(i)) {
				return
			}
		}
	}
}

// guests yields n requests.
func guests(n int) iter.Seq[clerk.CreateInvitationRequest] {
	return requestsFor(n, func(i int) clerk.CreateInvitationRequest {
		return clerk.CreateInvitationRequest{EmailAddress: guest(i)}
	})
}

// createAll collects the results of a run by index, and checks that there is one for each.
func createAll(t *testing.T, client *clerk.Client, requests iter.Seq[clerk.CreateInvitationRequest], opts ...clerk.CreateAllOption) ([]clerk.CreateResult, error) {
	t.Helper()
	byIndex := map[int]clerk.CreateResult{}
	var failure error
	for result, err := range client.Invitations.CreateAll(t.Context(), requests, opts...) {
		require.NoError(t, failure, "an error is the last")
		if failure = err; err != nil {
			require.Zero(t, result)
			continue
		}
		require.Equal(t, result.Outcome == clerk.OutcomeCreated, result.Invitation != nil)
		require.Equal(t, result.Outcome == clerk.OutcomeRejected || result.Outcome == clerk.OutcomeUnknown, result.Err != nil)
		_, twice := byIndex[result.Index]
		require.False(t, twice)
		byIndex[result.Index] = result
	}
	var results []clerk.CreateResult
	for i := range len(byIndex) {
		result, ok := byIndex[i]
		require.True(t, ok)
		results = append(results, result)
	}
	return results, failure
}

func outcomes(results []clerk.CreateResult) (all []clerk.Outcome) {
	for _, result := range results {
		all = append(all, result.Outcome)
	}
	return all
}

// limited returns a life with Clerk's limits.
func limited(t *testing.T, sliding bool, opts ...clerktest.Option) life {
	t.Helper()
	limits := clerktest.ProductionRateLimits()
	limits.Sliding = sliding
	return lifeWith(t, append(opts, clerktest.WithRateLimits(limits))...)
}

// failingWrites returns a client whose writes fail from the from-th on, for as long as
// isDown says.
func (l life) failingWrites(t *testing.T, from int, failure httpmock.Responder, isDown func() bool) *clerk.Client {
	t.Helper()
	writes := 0
	return newClient(t, roundTripFunc(func(req *http.Request) (*http.Response, error) {
		if req.Method == http.MethodPost {
			writes++
		}
		if writes >= from && isDown() && req.Method == http.MethodPost {
			return failure(req)
		}
		return l.fake.RoundTrip(req)
	}), clerk.WithSecretKeyFunc(l.key))
}

func always() bool { return true }

// failingGuest returns a client whose requests for guest 13 all fail.
func (l life) failingGuest(t *testing.T, failure httpmock.Responder) *clerk.Client {
	t.Helper()
	return newClient(t, roundTripFunc(func(req *http.Request) (*http.Response, error) {
		body, err := io.ReadAll(orEmpty(req.Body))
		if err != nil {
			return nil, err
		}
		if bytes.Contains(body, []byte(`"guest13@`)) {
			return failure(req)
		}
		req.Body = io.NopCloser(bytes.NewReader(body))
		return l.fake.RoundTrip(req)
	}), clerk.WithSecretKeyFunc(l.key))
}

func orEmpty(body io.Reader) io.Reader {
	if body == nil {
		return strings.NewReader("")
	}
	return body
}

// errKilled is the panic of a killed process's transport.
var errKilled = errors.New("killed")

// mortal returns a client that is killed after about fifteen requests.
func (l life) mortal(t *testing.T, random *rand.Rand) *clerk.Client {
	t.Helper()
	return newClient(t, roundTripFunc(func(req *http.Request) (*http.Response, error) {
		doom := random.IntN(30)
		if doom == 0 {
			panic(errKilled)
		}
		resp, err := l.fake.RoundTrip(req)
		if doom == 1 {
			panic(errKilled)
		}
		return resp, err
	}), clerk.WithSecretKeyFunc(l.key))
}
