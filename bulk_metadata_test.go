package clerk_test

import (
	"bytes"
	"io"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

var losing = clerktest.WithBehavior(clerktest.Behavior{BulkMetadata: clerktest.BulkMetadataLost, BulksReversed: true})

// The requests with an even number have metadata.
func withMetadata(i int) clerk.CreateInvitationRequest {
	req := clerk.CreateInvitationRequest{EmailAddress: guest(i)}
	if i%2 == 0 {
		req.PublicMetadata = map[string]any{"seat": i, "vip": 1.0, "name": "<é>"}
	}
	return req
}

func TestBulkReturnsLostMetadataWithInvitations(t *testing.T) {
	for _, fault := range []clerktest.Fault{"", clerktest.FaultDropAfter} { // a lookup finds them, too
		synctest.Test(t, func(t *testing.T) {
			l := lifeWith(t, losing)
			if fault != "" {
				l.fake.Fail(clerk.OperationBulkCreate, fault)
			}
			var meta clerk.ResponseMeta
			invs, err := l.client.Invitations.BulkCreate(t.Context(), slices.Collect(requestsFor(3, withMetadata)), clerk.WithResponse(&meta))
			require.ErrorIs(t, err, clerk.ErrMetadataLost)
			require.NotErrorIs(t, err, clerk.ErrOutcomeUnknown)
			require.ErrorContains(t, err, "clerk: CreateBulkInvitations: 200 created, but 2 without the metadata that was sent")
			require.Equal(t, meta.TraceID, asSDKError(t, err).TraceID)
			require.ElementsMatch(t, l.fake.Invitations(), invs)
			require.Len(t, invs, 3)

			invs, err = l.client.Invitations.BulkCreate(t.Context(), []clerk.CreateInvitationRequest{
				withMetadata(3), {EmailAddress: guest(4), PublicMetadata: map[string]any{}},
			})
			require.NoError(t, err, "there is no metadata to lose")
			require.Len(t, invs, 2)
		})
	}
}

// Clerk may return metadata in another spelling.
func TestBulkComparesMetadataAsValues(t *testing.T) {
	for spelling, want := range map[string]error{
		`{"name": "\u003c\u00e9>", "vip":1.0, "seat":0e0}`:          nil,
		`{"name": "\u003c\u00e9>", "vip":1, "seat":1}`:              clerk.ErrMetadataLost,
		`{"name": "\u003c\u00e9>", "vip":1, "seat":0, "more":null}`: clerk.ErrMetadataLost,
		`{"name":"\u003cé\u003e","seat":0,"vip":1}`:                 nil, // as it was sent
		`{"name":"\u003cé\u003e"}`:                                  clerk.ErrMetadataLost,
		`{}`:                                                        clerk.ErrMetadataLost,
		`null`:                                                      clerk.ErrMetadataLost,
		``:                                                          clerk.ErrMetadataLost, // no public_metadata at all
	} {
		synctest.Test(t, func(t *testing.T) {
			l := newLife(t)
			member := `"public_metadata":` + spelling
			if spelling == "" {
				member = `"no_metadata":true`
			}
			respelled := roundTripFunc(func(req *http.Request) (*http.Response, error) {
				resp, err := l.fake.RoundTrip(req)
				if err != nil {
					return nil, err
				}
				body, err := io.ReadAll(resp.Body)
				assertNoError(t, err)
				body = bytes.ReplaceAll(body, []byte(`"public_metadata":{"name":"\u003cé\u003e","seat":0,"vip":1}`), []byte(member))
				resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
				return resp, nil
			})
			invs, err := clientThrough(t, l.fake, respelled).Invitations.BulkCreate(t.Context(), slices.Collect(requestsFor(1, withMetadata)))
			require.Equal(t, spelling, string(invs[0].PublicMetadata))
			require.ErrorIs(t, err, want)
		})
	}
}

// The first bulk loses the metadata of five. After that, only the others are in bulks.
func TestCreateAllSendsMetadataSinglyAfterALoss(t *testing.T) {
	for _, fault := range []clerktest.Fault{"", clerktest.FaultDropAfter} {
		t.Run(string(fault), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := limited(t, false, losing)
				if fault != "" {
					l.fake.Fail(clerk.OperationBulkCreate, fault)
				}
				const n = 300
				results, err := createAll(t, l.client, requestsFor(n, withMetadata))
				require.NoError(t, err)
				lost := 0
				for i, result := range results {
					require.Equal(t, clerk.OutcomeCreated, result.Outcome)
					has := string(result.Invitation.PublicMetadata) != "{}"
					switch {
					case result.Err != nil:
						lost++
						require.ErrorIs(t, result.Err, clerk.ErrMetadataLost)
						require.False(t, has)
						require.Less(t, i, 10)
					default:
						require.Equal(t, i%2 == 0, has)
					}
				}
				require.Equal(t, 5, lost)
				require.Len(t, l.fake.Invitations(), n)
				require.Equal(t, n/2-5, l.got(clerk.OperationCreate))
				require.LessOrEqual(t, l.got(clerk.OperationBulkCreate), 30)
			})
		})
	}
}

// The budget has no creates, so the run reports each loss.
func TestCreateAllReportsEachLossWithoutCreates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := lifeWith(t, losing)
		results, err := createAll(t, l.client, requestsFor(30, withMetadata), clerk.WithBudget(clerk.Budget{BulkCreates: 25}))
		require.NoError(t, err)
		for i, result := range results {
			require.Equal(t, clerk.OutcomeCreated, result.Outcome)
			require.Equal(t, i%2 == 0, result.Err != nil)
			if result.Err != nil {
				meta, ok := clerk.MetaFromError(result.Err)
				require.True(t, ok)
				require.Equal(t, 200, meta.StatusCode, "of the bulk's response")
			}
		}
		require.Equal(t, 3, l.got(clerk.OperationBulkCreate))
	})
}
