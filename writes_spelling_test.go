package clerk_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

// The addresses as they are sent, and as Clerk may store them.
var spellings = map[string]string{
	"ada+guest@example.com":        "ada@example.com",
	"ada.lovelace@example.com":     "adalovelace@example.com",
	"ada.lovelace+1@example.com":   "adalovelace@example.com",
	"ada@exämple.com":              "ada@xn--exmple-cua.com",
	"ren\u00e9@example.com":        "rene\u0301@example.com",
	"\u0130stanbul@example.com":    "i\u0307stanbul@example.com",
	"ada@xn--exmple-cua.com":       "ada@exämple.com",
	"ad\uff41@example.com":         "ada@example.com",
	"Ada.Lovelace+Vip@example.com": "adalovelace@EXAMPLE.com",
}

// respelling returns a life whose Clerk stores another spelling of an address.
func respelling(t *testing.T, from, to string, b clerktest.Behavior) life {
	t.Helper()
	b.RewriteAddress = func(address string) string {
		if address == from {
			return to
		}
		return address
	}
	return lifeWith(t, clerktest.WithBehavior(b))
}

func TestCreateReturnsAnotherSpellingOfTheAddress(t *testing.T) {
	for from, to := range spellings {
		for _, ignoreExisting := range []bool{false, true} {
			t.Run(fmt.Sprintf("%+q/%t", from, ignoreExisting), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					l := respelling(t, from, to, clerktest.Behavior{})
					req := clerk.CreateInvitationRequest{EmailAddress: from, IgnoreExisting: ignoreExisting}
					inv, err := l.client.Invitations.Create(t.Context(), req)
					require.NoError(t, err)
					require.Equal(t, l.fake.Invitations()[0], *inv)
					require.Len(t, l.fake.Requests(), 1)

					l = respelling(t, from, to, clerktest.Behavior{BulksReversed: true})
					req.EmailAddress = from
					results, err := createAll(t, l.client, slices.Values([]clerk.CreateInvitationRequest{req, {EmailAddress: guest(1)}}))
					require.NoError(t, err)
					require.Equal(t, []clerk.Outcome{clerk.OutcomeCreated, clerk.OutcomeCreated}, outcomes(results))
					require.Equal(t, to, results[0].Invitation.EmailAddress)
					require.Len(t, l.fake.Invitations(), 2)
				})
			})
		}
	}
}

// Clerk returns an older invitation, whose address is spelled differently.
func TestCreateDoesNotReturnAnOlderInvitationOfAnotherSpelling(t *testing.T) {
	for _, age := range []time.Duration{500 * time.Millisecond, time.Minute, 24 * time.Hour} {
		for _, measured := range []bool{false, true} {
			t.Run(fmt.Sprint(age, "/", measured), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					from, to := "ada+guest@example.com", "ada@example.com"
					l := respelling(t, from, to, clerktest.Behavior{IgnoreExisting: clerktest.IgnoreExistingReturns})
					_, err := clientOf(t, l.fake).Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: to})
					require.NoError(t, err)
					time.Sleep(age)
					if measured {
						l.invite(t, guest(1))
					}
					start, req := time.Now(), clerk.CreateInvitationRequest{EmailAddress: from, IgnoreExisting: true}
					_, err = l.client.Invitations.Create(t.Context(), req)
					require.ErrorIs(t, err, clerk.ErrOutcomeUnknown)
					require.ErrorContains(t, err, "the response is about something else: another address")
					require.Less(t, time.Since(start), time.Second)

					reqs := []clerk.CreateInvitationRequest{req, {EmailAddress: guest(2)}, {EmailAddress: guest(3), IgnoreExisting: true}}
					for _, n := range []int{1, 3} {
						start = time.Now()
						results, err := createAll(t, l.client, slices.Values(reqs[:n]), clerk.WithSkipNone())
						require.NoError(t, err)
						require.Equal(t, clerk.OutcomeUnknown, results[0].Outcome)
						require.ErrorIs(t, results[0].Err, clerk.ErrOutcomeUnknown)
						require.Less(t, time.Since(start), time.Minute)
					}
					pending := 0
					for _, inv := range l.fake.Invitations() {
						if strings.HasPrefix(inv.EmailAddress, "ada") {
							pending++
						}
					}
					require.Equal(t, 1, pending)
				})
			})
		}
	}
}

// The response is lost, so lists decide. They show an invitation for another spelling of
// the address, which may be anybody's.
func TestLostCreateOfAnotherSpellingIsUnknown(t *testing.T) {
	for from, to := range spellings {
		for _, ignoreExisting := range []bool{false, true} {
			for _, behavior := range []clerktest.Behavior{{}, {ListLag: 2 * time.Second}} {
				t.Run(fmt.Sprintf("%+q/%t/%s", from, ignoreExisting, behavior), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						l := respelling(t, from, to, behavior)
						req := clerk.CreateInvitationRequest{EmailAddress: from, IgnoreExisting: ignoreExisting}
						l.fake.Fail(clerk.OperationCreate, clerktest.FaultDropAfter)
						_, err := l.client.Invitations.Create(t.Context(), req)
						require.ErrorIs(t, err, clerk.ErrOutcomeUnknown)
						require.ErrorContains(t, err, "another spelling")
						require.Len(t, l.fake.Invitations(), 1)

						for _, n := range []int{1, 3} {
							l = respelling(t, from, to, behavior)
							l.fake.Fail(clerk.OperationCreate, clerktest.FaultDropAfter)
							l.fake.Fail(clerk.OperationBulkCreate, clerktest.FaultDropAfter)
							reqs := []clerk.CreateInvitationRequest{
								req, {EmailAddress: guest(1), IgnoreExisting: ignoreExisting}, {EmailAddress: guest(2), IgnoreExisting: ignoreExisting},
							}
							start := time.Now()
							results, err := createAll(t, l.client, slices.Values(reqs[:n]))
							require.NoError(t, err)
							require.Equal(t, clerk.OutcomeUnknown, results[0].Outcome)
							for _, result := range results[1:] {
								require.Equal(t, clerk.OutcomeCreated, result.Outcome)
							}
							require.Len(t, l.fake.Invitations(), n)
							require.Less(t, time.Since(start), time.Minute)
						}
					})
				})
			}
		}
	}
}

// TestResumedRunDoesNotInviteAnotherSpellingAgain: a run is started again after Clerk has
// stored another spelling. Without IgnoreExisting, Clerk may refuse a duplicate.
func TestResumedRunDoesNotInviteAnotherSpellingAgain(t *testing.T) {
	for from, to := range spellings {
		for _, since := range []bool{false, true} {
			t.Run(fmt.Sprintf("%+q/%t", from, since), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					l := respelling(t, from, to, clerktest.Behavior{})
					var opts []clerk.CreateAllOption
					if since {
						opts = append(opts, clerk.WithSkipSince(time.Now()))
					}
					reqs := []clerk.CreateInvitationRequest{{EmailAddress: from, IgnoreExisting: true}, {EmailAddress: guest(1), IgnoreExisting: true}}
					for _, want := range [][]clerk.Outcome{
						{clerk.OutcomeCreated, clerk.OutcomeCreated}, {clerk.OutcomeUnknown, clerk.OutcomeAlreadyInvited}, {clerk.OutcomeUnknown, clerk.OutcomeAlreadyInvited},
					} {
						results, err := createAll(t, l.client, slices.Values(reqs), opts...)
						require.NoError(t, err)
						require.Equal(t, want, outcomes(results))
						if results[0].Err != nil {
							require.EqualError(t, results[0].Err, "clerk: CreateInvitation: outcome unknown: "+
								"an invitation was created lately that may be for another spelling of the address")
							require.ErrorIs(t, results[0].Err, clerk.ErrOutcomeUnknown)
						}
						time.Sleep(time.Hour)
					}
					require.Len(t, l.fake.Invitations(), 2)
				})
			})
		}
	}
}

// TestAnotherSpellingIsOnlyUnclearWhereItMayBeTheCampaigns invites people whose address
// resembles that of an invitation that the campaign did not create, or created for another
// row.
func TestAnotherSpellingIsOnlyUnclearWhereItMayBeTheCampaigns(t *testing.T) {
	tagged := clerk.CreateInvitationRequest{EmailAddress: "ada+1@example.com", IgnoreExisting: true}
	plain := clerk.CreateInvitationRequest{EmailAddress: "ada@example.com", IgnoreExisting: true}
	refused := clerk.CreateInvitationRequest{EmailAddress: "ada+1@example.com"}
	for name, test := range map[string]struct {
		age    time.Duration
		beside string // an address that is invited as well
		opts   func() []clerk.CreateAllOption
		reqs   []clerk.CreateInvitationRequest
		want   clerk.Outcome // of the tagged address
	}{
		"a day old":                {age: 24 * time.Hour, reqs: []clerk.CreateInvitationRequest{tagged}, want: clerk.OutcomeCreated},
		"almost a day old":         {age: 22 * time.Hour, reqs: []clerk.CreateInvitationRequest{tagged}, want: clerk.OutcomeUnknown},
		"of another request":       {age: time.Hour, reqs: []clerk.CreateInvitationRequest{plain, tagged}, want: clerk.OutcomeCreated},
		"of a later request":       {age: time.Hour, reqs: []clerk.CreateInvitationRequest{tagged, plain}, want: clerk.OutcomeUnknown},
		"beside its own":           {age: time.Hour, beside: tagged.EmailAddress, reqs: []clerk.CreateInvitationRequest{tagged}, want: clerk.OutcomeAlreadyInvited},
		"Clerk refuses duplicates": {age: time.Hour, reqs: []clerk.CreateInvitationRequest{refused}, want: clerk.OutcomeCreated},
		"before the campaign": {
			age: time.Hour, reqs: []clerk.CreateInvitationRequest{tagged}, want: clerk.OutcomeCreated,
			opts: func() []clerk.CreateAllOption {
				return []clerk.CreateAllOption{clerk.WithSkipSince(time.Now().Add(-time.Minute))}
			},
		},
		"two days old, in the campaign": {
			age: 48 * time.Hour, reqs: []clerk.CreateInvitationRequest{tagged}, want: clerk.OutcomeUnknown,
			opts: func() []clerk.CreateAllOption {
				return []clerk.CreateAllOption{clerk.WithSkipSince(time.Now().Add(-72 * time.Hour))}
			},
		},
		"nothing is skipped": {
			age: time.Hour, reqs: []clerk.CreateInvitationRequest{tagged}, want: clerk.OutcomeCreated,
			opts: func() []clerk.CreateAllOption { return []clerk.CreateAllOption{clerk.WithSkipNone()} },
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLife(t)
				l.invite(t, plain.EmailAddress)
				if test.beside != "" {
					l.invite(t, test.beside)
				}
				time.Sleep(test.age)
				var opts []clerk.CreateAllOption
				if test.opts != nil {
					opts = test.opts()
				}
				results, err := createAll(t, l.client, slices.Values(test.reqs), opts...)
				require.NoError(t, err)
				i := slices.IndexFunc(results, func(r clerk.CreateResult) bool { return r.Request.EmailAddress == tagged.EmailAddress })
				require.Equal(t, test.want, results[i].Outcome)
			})
		})
	}
}
