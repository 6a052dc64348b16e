package clerk_test

import (
	"bytes"
	"encoding/json"
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
	"github.com/clerk-invitations/clerk-go/clerktest"
)

// partial is a transport to a Clerk whose bulks are not all or nothing: for each that
// apply names, it creates that many of the bulk, and then responds as refuse does.
func partial(fake *clerktest.Fake, apply func(n int, addresses []string) (applied int, refuse httpmock.Responder)) http.RoundTripper {
	bulks := 0
	return roundTripFunc(func(req *http.Request) (*http.Response, error) {
		if req.URL.Path != "/v1/invitations/bulk" {
			return fake.RoundTrip(req)
		}
		bulks++
		addresses := addressesIn(req)
		n, refuse := apply(bulks, addresses)
		if refuse == nil {
			return fake.RoundTrip(req)
		}
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return nil, err
		}
		var rows []json.RawMessage
		if err := json.Unmarshal(body, &rows); err != nil {
			return nil, err
		}
		for _, row := range rows[:min(n, len(rows))] {
			one := req.Clone(req.Context())
			one.URL.Path, one.Body, one.ContentLength = "/v1/invitations", io.NopCloser(bytes.NewReader(row)), int64(len(row))
			resp, err := fake.RoundTrip(one)
			if err != nil {
				return nil, err
			}
			_ = resp.Body.Close()
		}
		answer, err := refuse(req)
		if err == nil && answer.Header.Get("Date") == "" {
			answer.Header.Set("Date", time.Now().UTC().Format(http.TimeFormat))
		}
		return answer, err
	})
}

// refusals is how a bulk that was carried out in part may be refused.
var refusals = map[string]httpmock.Responder{
	"422":            reply(422, `{"errors":[{"code":"form_param_format_invalid","message":"is invalid","meta":{"param_name":"email_address"}}]}`),
	"user exists":    reply(422, `{"errors":[{"code":"form_identifier_exists","message":"taken"}]}`),
	"422 of no code": reply(422, ``),
	"422, cut off":   cutOff(422, `{"errors":[{"code":"form_`),
	"409":            reply(409, `{"errors":[{"code":"conflict","message":"conflict"}]}`),
	"500":            reply(500, ``),
	"403":            reply(403, ``),
}

func clientThrough(t *testing.T, fake *clerktest.Fake, transport http.RoundTripper) *clerk.Client {
	t.Helper()
	client, err := fake.Client(clerk.WithHTTPClient(&http.Client{Transport: transport}))
	require.NoError(t, err)
	return client
}

// TestPartOfARefusedBulkIsReported has BulkCreate meet a refusal of which a part was
// carried out.
func TestPartOfARefusedBulkIsReported(t *testing.T) {
	for name, refuse := range refusals {
		for _, applied := range []int{0, 1, 5, 9, 10} {
			for _, ignoreExisting := range []bool{false, true} {
				t.Run(fmt.Sprint(name, "/", applied, "/", ignoreExisting), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						l := newLife(t)
						client := clientThrough(t, l.fake, partial(l.fake, func(int, []string) (int, httpmock.Responder) { return applied, refuse }))
						reqs := slices.Collect(requestsFor(10, func(i int) clerk.CreateInvitationRequest {
							return clerk.CreateInvitationRequest{EmailAddress: guest(i), IgnoreExisting: ignoreExisting}
						}))
						invs, err := client.Invitations.BulkCreate(t.Context(), reqs)
						switch made := l.fake.Invitations(); {
						case err == nil:
							require.Equal(t, made, invs)
						case len(made) > 0:
							require.ErrorIs(t, err, clerk.ErrOutcomeUnknown)
						}
						for _, invs := range invitationsByAddress(l.fake) {
							require.Len(t, invs, 1, "duplicated")
						}
					})
				})
			}
		}
	}
}

// TestCreateAllReportsItsPartsOfBulks has CreateAll meet bulks that were carried out in
// part and then refused, once or always, also while lists lag.
func TestCreateAllReportsItsPartsOfBulks(t *testing.T) {
	t.Parallel()
	for name, refuse := range refusals {
		if name == "403" {
			continue // ends the run
		}
		for _, every := range []int{2, 3} {
			for _, lag := range []time.Duration{0, 3 * time.Second} {
				for _, ignoreExisting := range []bool{false, true} {
					t.Run(fmt.Sprint(name, "/", every, "/", lag, "/", ignoreExisting), func(t *testing.T) {
						synctest.Test(t, func(t *testing.T) {
							l := limited(t, false)
							transport := lagging(partial(l.fake, func(n int, addresses []string) (int, httpmock.Responder) {
								if n%every != 0 {
									return 0, nil
								}
								return len(addresses) / 2, refuse
							}), lag)
							client := clientThrough(t, l.fake, transport)
							results, err := createAll(t, client, requestsFor(soakSize(60, 60, 200), func(i int) clerk.CreateInvitationRequest {
								return clerk.CreateInvitationRequest{EmailAddress: guest(i), IgnoreExisting: ignoreExisting}
							}))
							require.NoError(t, err)
							requireResultsMatch(t, l.fake, results)
						})
					})
				}
			}
		}
	}
}

// requireResultsMatch checks results against what exists: nothing lost, duplicated, or
// called somebody else's.
func requireResultsMatch(t *testing.T, fake *clerktest.Fake, results []clerk.CreateResult) {
	t.Helper()
	stand := invitationsByAddress(fake)
	for _, result := range results {
		invs := stand[result.Request.EmailAddress]
		require.LessOrEqual(t, len(invs), 1, "duplicated: %v", result)
		switch result.Outcome {
		case clerk.OutcomeCreated:
			require.Len(t, invs, 1)
			require.Equal(t, invs[0].ID, result.Invitation.ID)
		case clerk.OutcomeRejected, clerk.OutcomeUserExists:
			require.Empty(t, invs, "%v", result)
		default:
			require.Equal(t, clerk.OutcomeUnknown, result.Outcome, "%v", result)
		}
	}
}

// lagging is a transport whose lists show what was created only after a time, by the
// invitations' own created_at.
func lagging(next http.RoundTripper, lag time.Duration) http.RoundTripper {
	return roundTripFunc(func(req *http.Request) (*http.Response, error) {
		resp, err := next.RoundTrip(req)
		if lag == 0 || err != nil || req.Method != http.MethodGet || resp.StatusCode != http.StatusOK {
			return resp, err
		}
		var list clerk.InvitationList
		if err := json.NewDecoder(resp.Body).Decode(&list); err != nil {
			return nil, err
		}
		_ = resp.Body.Close()
		all := len(list.Data)
		list.Data = slices.DeleteFunc(list.Data, func(inv clerk.Invitation) bool { return time.Since(inv.CreatedAt.Time()) < lag })
		body, err := json.Marshal(map[string]any{"data": list.Data, "total_count": list.TotalCount - all + len(list.Data)})
		if err != nil {
			return nil, err
		}
		resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		resp.Header.Set("Content-Length", fmt.Sprint(len(body)))
		return resp, nil
	})
}

// TestCutOffRefusalsDuplicateNobody has 422s that break off, carried out in whole or in
// part, in a run of 600 with IgnoreExisting.
func TestCutOffRefusalsDuplicateNobody(t *testing.T) {
	t.Parallel()
	for seed := range soakSize(4, 4, 24) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := limited(t, seed%2 == 0)
				transport := lagging(partial(l.fake, func(n int, addresses []string) (int, httpmock.Responder) {
					if (n+seed)%5 != 0 {
						return 0, nil
					}
					return len(addresses) * (seed % 3) / 2, cutOff(422, `{"errors":[{"code":"form_`)
				}), time.Duration(seed%4)*time.Second)
				results, err := createAll(t, clientThrough(t, l.fake, transport), requestsFor(600, func(i int) clerk.CreateInvitationRequest {
					return clerk.CreateInvitationRequest{EmailAddress: guest(i), IgnoreExisting: true}
				}))
				require.NoError(t, err)
				require.Len(t, results, 600)
				requireResultsMatch(t, l.fake, results)
			})
		})
	}
}

// TestPartOfABulkWithADuplicate has others invite somebody meanwhile, and Clerk create
// the requests before that one in a bulk, and then refuse.
func TestPartOfABulkWithADuplicate(t *testing.T) {
	for _, lag := range []time.Duration{0, 3 * time.Second} {
		for _, at := range []int{2, 4, 9} {
			t.Run(fmt.Sprint(lag, "/", at), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					l := newLife(t)
					var others *clerk.Invitation
					transport := lagging(partial(l.fake, func(n int, addresses []string) (int, httpmock.Responder) {
						if n != 1 {
							return 0, nil
						}
						return slices.Index(addresses, address), reply(400, duplicateJSON)
					}), lag)
					results, err := createAll(t, clientThrough(t, l.fake, transport), func(yield func(clerk.CreateInvitationRequest) bool) {
						for i := range 20 {
							email := guest(i)
							if i == at {
								email = address
							}
							if i == 1 { // what exists is listed by now
								var err error
								others, err = l.client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: address})
								require.NoError(t, err)
								time.Sleep(500 * time.Millisecond)
							}
							if !yield(clerk.CreateInvitationRequest{EmailAddress: email}) {
								return
							}
						}
					})
					require.NoError(t, err)
					for i, result := range results {
						if i == at {
							require.Equal(t, clerk.OutcomeAlreadyInvited, result.Outcome)
							if lag == 0 || result.Existing != nil { // it may show too late
								require.Equal(t, others.ID, result.Existing.ID)
							}
							continue
						}
						require.Equal(t, clerk.OutcomeCreated, result.Outcome, "%v", result)
					}
					for _, invs := range invitationsByAddress(l.fake) {
						require.Len(t, invs, 1)
					}
				})
			})
		}
	}
}
