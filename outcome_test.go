package clerk_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

// TestSoak has a thousand writes of each kind at once meet every fault, for several
// shares and seeds, and compares what they report with what stands: nothing is lost
// or doubled, and no write that stands is reported as failed.
func TestSoak(t *testing.T) {
	for _, share := range []float64{0.05, 0.2, 0.5} {
		for seed := range uint64(3) {
			for name, soak := range map[string]func(*testing.T, *clerk.Client, *clerktest.Fake) map[string]int{
				"create": soakCreate(false), "create, ignoring others": soakCreate(true),
				"bulk": soakBulk(false), "bulk, ignoring others": soakBulk(true), "revoke": soakRevoke,
			} {
				t.Run(fmt.Sprintf("%s/%v/%d", name, share, seed), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						fake := clerktest.New(clerktest.WithFaults(clerktest.FaultMix{Share: share, Seed: seed}))
						client := clientOf(t, fake)
						outcomes := soak(t, client, fake)
						t.Log(outcomes)
						// Now and then faults leave no time within the minute. By chance there
						// are more than this less than once in 10^5 runs.
						total := outcomes["done"] + outcomes["unknown"]
						require.Less(t, float64(outcomes["unknown"]), 0.1*share*float64(total)+5)
					})
				})
			}
		}
	}
}

// atOnce calls do with the numbers below n, all at once, and counts what came of it.
func atOnce(t *testing.T, n int, do func(i int) error) map[string]int {
	t.Helper()
	var mu sync.Mutex
	var group sync.WaitGroup
	outcomes := map[string]int{}
	for i := range n {
		group.Go(func() {
			err := do(i)
			outcome := "done"
			switch {
			case err == nil:
			case errors.Is(err, clerk.ErrOutcomeUnknown):
				outcome = "unknown"
			case errors.Is(err, clerk.ErrRateLimited):
				outcome = "rate limited"
			default:
				t.Errorf("an error that does not tell the truth: %v", err)
			}
			mu.Lock()
			outcomes[outcome]++
			mu.Unlock()
		})
	}
	group.Wait()
	return outcomes
}

func guest(i int) string { return fmt.Sprintf("guest%d@example.com", i) }

func standing(fake *clerktest.Fake) map[string][]clerk.Invitation {
	byAddress := map[string][]clerk.Invitation{}
	for _, inv := range fake.Invitations() {
		byAddress[inv.EmailAddress] = append(byAddress[inv.EmailAddress], inv)
	}
	return byAddress
}

func soakCreate(ignoreExisting bool) func(*testing.T, *clerk.Client, *clerktest.Fake) map[string]int {
	return func(t *testing.T, client *clerk.Client, fake *clerktest.Fake) map[string]int {
		t.Helper()
		const n = 1000
		made := make([]*clerk.Invitation, n)
		failed := make([]error, n)
		outcomes := atOnce(t, n, func(i int) error {
			made[i], failed[i] = client.Invitations.Create(context.Background(), clerk.CreateInvitationRequest{
				EmailAddress: guest(i), IgnoreExisting: ignoreExisting,
			})
			return failed[i]
		})
		stand := standing(fake)
		for i := range n {
			invs := stand[guest(i)]
			require.LessOrEqual(t, len(invs), 1, "doubled")
			switch {
			case failed[i] == nil:
				require.Len(t, invs, 1, "lost")
				require.Equal(t, invs[0].ID, made[i].ID)
			case len(invs) == 1:
				require.ErrorIs(t, failed[i], clerk.ErrOutcomeUnknown)
			}
		}
		return outcomes
	}
}

func soakBulk(ignoreExisting bool) func(*testing.T, *clerk.Client, *clerktest.Fake) map[string]int {
	return func(t *testing.T, client *clerk.Client, fake *clerktest.Fake) map[string]int {
		t.Helper()
		const n, size = 100, clerk.MaxBulkInvitations
		made := make([][]clerk.Invitation, n)
		failed := make([]error, n)
		outcomes := atOnce(t, n, func(i int) error {
			reqs := make([]clerk.CreateInvitationRequest, size)
			for j := range reqs {
				reqs[j] = clerk.CreateInvitationRequest{EmailAddress: guest(i*size + j), IgnoreExisting: ignoreExisting}
			}
			made[i], failed[i] = client.Invitations.BulkCreate(context.Background(), reqs)
			return failed[i]
		})
		stand := standing(fake)
		for i := range n * size {
			invs := stand[guest(i)]
			require.LessOrEqual(t, len(invs), 1, "doubled")
			switch {
			case failed[i/size] == nil:
				require.Len(t, invs, 1, "lost")
				require.Equal(t, invs[0].ID, made[i/size][i%size].ID)
			case len(invs) == 1:
				require.ErrorIs(t, failed[i/size], clerk.ErrOutcomeUnknown)
			}
		}
		return outcomes
	}
}

func soakRevoke(t *testing.T, client *clerk.Client, fake *clerktest.Fake) map[string]int {
	t.Helper()
	const n = 1000
	made := make([]*clerk.Invitation, n)
	atOnce(t, n, func(i int) (err error) {
		made[i], err = client.Invitations.Create(context.Background(), clerk.CreateInvitationRequest{EmailAddress: guest(i)})
		return err
	})
	failed := make([]error, n)
	outcomes := atOnce(t, n, func(i int) error {
		if made[i] == nil {
			return nil
		}
		_, failed[i] = client.Invitations.Revoke(context.Background(), made[i].ID)
		return failed[i]
	})
	for i := range n {
		if made[i] == nil {
			continue
		}
		inv := standing(fake)[guest(i)][0]
		switch {
		case failed[i] == nil:
			require.True(t, inv.Revoked, "lost")
		case inv.Revoked:
			require.ErrorIs(t, failed[i], clerk.ErrOutcomeUnknown)
		}
	}
	return outcomes
}

// A life is a fake, a client of it, and what it has got.
type life struct {
	fake   *clerktest.Fake
	client *clerk.Client
}

func newLife(t *testing.T) life {
	t.Helper()
	fake := clerktest.New()
	client := clientOf(t, fake)
	return life{fake, client}
}

// got counts the requests for an operation.
func (l life) got(op clerk.Operation) (n int) {
	for _, req := range l.fake.Requests() {
		if req.Operation == op {
			n++
		}
	}
	return n
}

// invite makes an invitation, and lets an hour go by.
func (l life) invite(t *testing.T, emailAddress string) *clerk.Invitation {
	t.Helper()
	inv, err := l.client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: emailAddress})
	require.NoError(t, err)
	time.Sleep(time.Hour)
	return inv
}

// TestWritesLookBeforeTheyLeap has each fault that leaves the outcome open happen to
// each write once.
func TestWritesLookBeforeTheyLeap(t *testing.T) {
	for fault, requests := range map[clerktest.Fault]int{
		"":                        1, // and then it is the only one
		clerktest.FaultDropBefore: 2, clerktest.FaultErrorBefore: 2,
		clerktest.FaultDropAfter: 1, clerktest.FaultErrorAfter: 1, clerktest.FaultBadGatewayAfter: 1,
		clerktest.FaultTruncateAfter: 1, clerktest.FaultSlowAfter: 1,
		clerktest.FaultHideAfter: 2, // the second one is refused, for the first one stands
	} {
		for _, ignoreExisting := range []bool{false, true} {
			t.Run(fmt.Sprint(fault, "/", ignoreExisting), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					if ignoreExisting && fault == clerktest.FaultHideAfter {
						requests = 1 // a second one would not be refused: it waits until the first one shows
					}
					l := newLife(t)
					var meta clerk.ResponseMeta
					l.fake.Fail(clerk.OperationCreate, fault)
					inv, err := l.client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{
						EmailAddress: address, IgnoreExisting: ignoreExisting,
					}, clerk.WithResponse(&meta))
					require.NoError(t, err)
					require.Equal(t, []clerk.Invitation{*inv}, l.fake.Invitations())
					require.Equal(t, requests, l.got(clerk.OperationCreate))
					require.Len(t, l.fake.Requests(), meta.Attempts)
					require.Equal(t, clerk.OperationCreate, meta.Operation)
					if fault == "" {
						require.Equal(t, 1, meta.Attempts)
					}

					l.fake.Fail(clerk.OperationBulkCreate, fault)
					invs, err := l.client.Invitations.BulkCreate(t.Context(), []clerk.CreateInvitationRequest{
						{EmailAddress: "c@example.com", IgnoreExisting: ignoreExisting}, {EmailAddress: "b@example.com"},
					})
					require.NoError(t, err)
					require.Equal(t, l.fake.Invitations()[1:], invs)
					require.Equal(t, requests, l.got(clerk.OperationBulkCreate))

					if fault == clerktest.FaultHideAfter {
						requests = 2
					}
					l.fake.Fail(clerk.OperationRevoke, fault)
					inv, err = l.client.Invitations.Revoke(t.Context(), inv.ID)
					require.NoError(t, err)
					require.Equal(t, l.fake.Invitations()[0], *inv)
					require.True(t, inv.Revoked)
					require.Equal(t, requests, l.got(clerk.OperationRevoke))
				})
			})
		}
	}
}

// TestOwnNotMerelyAlike has what stood before the call an hour ago.
func TestOwnNotMerelyAlike(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t)
		old := l.invite(t, address)
		l.fake.Fail(clerk.OperationCreate, clerktest.FaultDropBefore)
		_, err := l.client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: address})
		asClerkErrors(t, err)
		require.ErrorIs(t, err, clerk.ErrDuplicateInvitation)
		require.NotErrorIs(t, err, clerk.ErrOutcomeUnknown)

		l.fake.Fail(clerk.OperationBulkCreate, clerktest.FaultDropBefore)
		_, err = l.client.Invitations.BulkCreate(t.Context(), []clerk.CreateInvitationRequest{{EmailAddress: "b@example.com"}, {EmailAddress: address}})
		require.ErrorIs(t, err, clerk.ErrDuplicateInvitation)
		require.NotErrorIs(t, err, clerk.ErrOutcomeUnknown)
		require.Len(t, l.fake.Invitations(), 1)

		l.fake.Fail(clerk.OperationCreate, clerktest.FaultDropBefore)
		inv, err := l.client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: address, IgnoreExisting: true})
		require.NoError(t, err)
		require.NotEqual(t, old.ID, inv.ID)
		require.Len(t, l.fake.Invitations(), 2)

		_, err = l.client.Invitations.Revoke(t.Context(), old.ID)
		require.NoError(t, err)
		time.Sleep(time.Hour)
		l.fake.Fail(clerk.OperationRevoke, clerktest.FaultDropBefore)
		_, err = l.client.Invitations.Revoke(t.Context(), old.ID)
		require.ErrorIs(t, err, clerk.ErrAlreadyRevoked)
		require.NotErrorIs(t, err, clerk.ErrOutcomeUnknown)
	})
}

// TestTheWindowThatRemains shows what is documented: what was made within a second
// or two before the call cannot be told from the call's own work.
func TestTheWindowThatRemains(t *testing.T) {
	for _, ignoreExisting := range []bool{false, true} {
		for before, own := range map[time.Duration]bool{0: true, 1500 * time.Millisecond: true, 3 * time.Second: false} {
			synctest.Test(t, func(t *testing.T) {
				l := newLife(t)
				old, err := l.client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: address})
				require.NoError(t, err)
				time.Sleep(before)
				l.fake.Fail(clerk.OperationCreate, clerktest.FaultDropBefore)
				inv, err := l.client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: address, IgnoreExisting: ignoreExisting})
				switch {
				case own:
					require.NoError(t, err)
					require.Equal(t, old.ID, inv.ID)
				case ignoreExisting:
					require.NoError(t, err)
					require.NotEqual(t, old.ID, inv.ID)
				default:
					require.ErrorIs(t, err, clerk.ErrDuplicateInvitation)
				}
			})
		}
	}
}

// TestTheTruthThatCannotBeLearnt has the lookups fail, in several ways.
func TestTheTruthThatCannotBeLearnt(t *testing.T) {
	lookups := map[string]httpmock.Responder{
		"refused":        reply(401, `{"errors":[{"code":"clerk_key_invalid"}]}`),
		"broken":         failing(errReset),
		"down":           reply(503, ``),
		"without a time": reply(200, `[]`),
		"rate limited":   reply(429, ``, "Retry-After", "3600"),
	}
	for name, lookup := range lookups {
		for op, call := range calls {
			if op == clerk.OperationList {
				continue
			}
			synctest.Test(t, func(t *testing.T) {
				mock := answering(reply(502, `<html>`))
				mock.RegisterResponder(http.MethodGet, invitationsURL, lookup)
				start := time.Now()
				err := call(t.Context(), newClient(t, mock))
				require.ErrorIs(t, err, clerk.ErrOutcomeUnknown, name)
				require.LessOrEqual(t, time.Since(start), time.Minute)
				require.Equal(t, 1, sent(mock, op), "no write is repeated unlooked")
				sdk := asSDKError(t, err)
				require.Equal(t, op, sdk.Operation)
				require.Equal(t, 502, sdk.StatusCode)
				require.Equal(t, "<html>", string(sdk.Body))
				require.Equal(t, mock.GetTotalCallCount(), sdk.Attempts)
				require.Equal(t, time.Since(start), sdk.Duration)
				require.ErrorContains(t, err, "clerk: "+string(op)+": outcome unknown: 502 ")
				require.ErrorContains(t, err, "; looking it up: ")
			})
		}
	}
}

// TestRateLimitedWhileFindingOut has the repeat refused for an hour: that is no time to
// wait for, and the first request may yet stand.
func TestRateLimitedWhileFindingOut(t *testing.T) {
	for op, call := range calls {
		if op == clerk.OperationList {
			continue
		}
		synctest.Test(t, func(t *testing.T) {
			mock := answering(reply(502, ``), reply(429, ``, "Retry-After", "3600"))
			mock.RegisterResponder(http.MethodGet, invitationsURL, reply(200, `[]`, "Date", time.Now().Format(http.TimeFormat)))
			start := time.Now()
			err := call(t.Context(), newClient(t, mock))
			require.Less(t, time.Since(start), 10*time.Second)
			require.Equal(t, 2, sent(mock, op))
			require.ErrorIs(t, err, clerk.ErrRateLimited)
			require.ErrorIs(t, err, clerk.ErrOutcomeUnknown)
			require.Equal(t, time.Hour, asSDKError(t, err).RetryAfter)
		})
	}
}

// TestFindingOutIsWithinMaxElapsedTime has a write that takes 15 seconds to fail, and
// lookups that fail for ever.
func TestFindingOutIsWithinMaxElapsedTime(t *testing.T) {
	for op, call := range calls {
		if op == clerk.OperationList {
			continue
		}
		synctest.Test(t, func(t *testing.T) {
			mock := answering(hangs)
			mock.RegisterResponder(http.MethodGet, invitationsURL, reply(503, ``))
			start := time.Now()
			require.ErrorIs(t, call(t.Context(), newClient(t, mock)), clerk.ErrOutcomeUnknown)
			require.LessOrEqual(t, time.Since(start), time.Minute)
			require.Equal(t, 1, sent(mock, op))
		})
	}
}

// TestListsThatNeverEnd has a server that gives the same page for every offset, with
// what others made just now.
func TestListsThatNeverEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &listing{ids: func() []string { return ids(clerk.MaxListLimit) }, sameForEver: true}
		mock := answering(reply(502, ``))
		var listed int
		mock.RegisterResponder(http.MethodGet, invitationsURL, func(req *http.Request) (*http.Response, error) {
			listed++
			return server.RoundTrip(req)
		})
		err := calls[clerk.OperationCreate](t.Context(), newClient(t, mock))
		require.ErrorIs(t, err, clerk.ErrOutcomeUnknown)
		const pages, lists = 2, 2 // a look lists what is revoked, too
		require.LessOrEqual(t, listed, pages*lists*sent(mock, clerk.OperationCreate))
	})
}

func TestConnectionErrorsAreNotRepeatedWhenOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t)
		off := clerk.WithRetry(clerk.RetryConfig{RetryConnectionErrors: new(false)})
		l.fake.Fail(clerk.OperationCreate, clerktest.FaultDropBefore, clerktest.FaultDropAfter)
		_, err := l.client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: address}, off)
		require.ErrorIs(t, err, clerk.ErrOutcomeUnknown)
		require.Equal(t, 1, l.got(clerk.OperationCreate))
		inv, err := l.client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: address}, off)
		require.NoError(t, err, "it is looked up all the same")
		require.Equal(t, []clerk.Invitation{*inv}, l.fake.Invitations())
	})
}

func TestWritesThatAreToldNotToRepeat(t *testing.T) {
	for op, call := range calls {
		if op == clerk.OperationList {
			continue
		}
		mock := answering(reply(502, ``))
		require.ErrorIs(t, call(t.Context(), newClient(t, mock), once), clerk.ErrOutcomeUnknown)
		require.Equal(t, 1, mock.GetTotalCallCount())
	}
}

func TestCancelledWhileFindingOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t)
		l.fake.Fail(clerk.OperationCreate, clerktest.FaultDropAfter)
		l.fake.Fail(clerk.OperationList, clerktest.FaultSlowAfter)
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		start := time.Now()
		_, err := l.client.Invitations.Create(ctx, clerk.CreateInvitationRequest{EmailAddress: address})
		require.Equal(t, 3*time.Second, time.Since(start))
		require.ErrorIs(t, err, clerk.ErrOutcomeUnknown)
		require.ErrorIs(t, err, context.DeadlineExceeded)
	})
}

// odd is a server that does not refuse as the fake does: its first bulk makes the
// first of the requests and fails, further ones are answered with refusal.
func (l life) odd(refusal httpmock.Responder, bulks *int) http.RoundTripper {
	return roundTripFunc(func(req *http.Request) (*http.Response, error) {
		if req.Method == http.MethodGet {
			return l.fake.RoundTrip(req)
		}
		if *bulks++; *bulks > 1 {
			return refusal(req)
		}
		req.Body = io.NopCloser(strings.NewReader(`[{"email_address":"guest0@example.com"}]`))
		if _, err := l.fake.RoundTrip(req); err != nil {
			return nil, err
		}
		return reply(502, ``)(req)
	})
}

// TestRefusalOfTheRest has part of a bulk made, and the rest of it refused: that is no
// refusal of all of it.
func TestRefusalOfTheRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, bulks := newLife(t), 0
		refusal := reply(422, `{"errors":[{"code":"form_identifier_exists"}]}`)
		_, err := newClient(t, l.odd(refusal, &bulks), clerk.WithSecretKeyFunc(l.key)).Invitations.BulkCreate(t.Context(),
			[]clerk.CreateInvitationRequest{{EmailAddress: guest(0)}, {EmailAddress: guest(1)}})
		require.ErrorIs(t, err, clerk.ErrUserExists)
		require.ErrorIs(t, err, clerk.ErrOutcomeUnknown)
		require.Equal(t, 2, bulks)
	})
}

// TestDuplicatesThatAreNotNamed: that a refusal names the addresses is inferred.
func TestDuplicatesThatAreNotNamed(t *testing.T) {
	for _, status := range []int{400, 409} {
		synctest.Test(t, func(t *testing.T) {
			l := newLife(t)
			l.invite(t, address)
			mock := answering(reply(502, ``), reply(status, `{"errors":[{"code":"duplicate_record"}]}`))
			mock.RegisterResponder(http.MethodGet, invitationsURL, l.fake.RoundTrip)
			client := newClient(t, mock, clerk.WithSecretKeyFunc(l.key))
			for op, call := range calls {
				if op != clerk.OperationCreate && op != clerk.OperationBulkCreate {
					continue
				}
				start, before := time.Now(), sent(mock, clerk.OperationCreate)
				err := call(t.Context(), client)
				require.ErrorIs(t, err, clerk.ErrDuplicateInvitation)
				require.NotErrorIs(t, err, clerk.ErrOutcomeUnknown)
				require.Less(t, time.Since(start), 10*time.Second)
				require.LessOrEqual(t, sent(mock, clerk.OperationCreate)-before, 2)
			}
		})
	}
}

// TestOwnThatSomebodyRevoked is not made a second time.
func TestOwnThatSomebodyRevoked(t *testing.T) {
	for _, op := range []clerk.Operation{clerk.OperationCreate, clerk.OperationBulkCreate} {
		synctest.Test(t, func(t *testing.T) {
			l := newLife(t)
			writes := 0
			client := newClient(t, roundTripFunc(func(req *http.Request) (*http.Response, error) {
				resp, err := l.fake.RoundTrip(req)
				if req.Method == http.MethodGet || err != nil {
					return resp, err
				}
				writes++
				_, err = l.client.Invitations.Revoke(req.Context(), l.fake.Invitations()[0].ID)
				require.NoError(t, err)
				return reply(502, ``)(req)
			}), clerk.WithSecretKeyFunc(l.key))
			require.NoError(t, calls[op](t.Context(), client))
			require.Equal(t, 1, writes)
			require.Len(t, l.fake.Invitations(), 1)
		})
	}
}

func TestDateThatIsNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mock := answering(reply(502, ``))
		mock.RegisterResponder(http.MethodGet, invitationsURL, reply(200, `[]`, "Date", address+"\nboo"))
		err := calls[clerk.OperationCreate](t.Context(), newClient(t, mock))
		require.EqualError(t, err, "clerk: CreateInvitation: outcome unknown: 502 Bad Gateway (no Clerk error, but an empty body)"+
			"; looking it up: the response has no valid Date header (2 attempts)")
	})
}

func (l life) key(context.Context) (string, error) { return l.fake.SecretKey(), nil }

// TestPartOfABulk has a server that is not as the fake is: of the first bulk it makes
// the first two, and drops the connection.
func TestPartOfABulk(t *testing.T) {
	for _, fault := range []clerktest.Fault{clerktest.FaultDropAfter, clerktest.FaultHideAfter} {
		synctest.Test(t, func(t *testing.T) {
			fake := clerktest.New()
			var bulks []string
			inPart := roundTripFunc(func(req *http.Request) (*http.Response, error) {
				if !strings.HasSuffix(req.URL.Path, "/bulk") {
					return fake.RoundTrip(req)
				}
				body, err := io.ReadAll(req.Body)
				if err != nil {
					return nil, err
				}
				if len(bulks) == 0 {
					fake.Fail(clerk.OperationBulkCreate, fault)
					body = []byte(`[{"email_address":"guest0@example.com"},{"email_address":"guest1@example.com"}]`)
				}
				bulks = append(bulks, string(body))
				req.Body = io.NopCloser(bytes.NewReader(body))
				return fake.RoundTrip(req)
			})
			client, err := fake.Client(clerk.WithHTTPClient(&http.Client{Transport: inPart}))
			require.NoError(t, err)
			invs, err := client.Invitations.BulkCreate(t.Context(), []clerk.CreateInvitationRequest{
				{EmailAddress: guest(0)}, {EmailAddress: guest(2)}, {EmailAddress: guest(1)}, {EmailAddress: guest(3)},
			})
			require.NoError(t, err)
			require.JSONEq(t, `[{"email_address":"guest2@example.com"},{"email_address":"guest3@example.com"}]`, bulks[len(bulks)-1])
			require.Len(t, fake.Invitations(), 4)
			for i, want := range []int{0, 2, 1, 3} {
				require.Equal(t, guest(want), invs[i].EmailAddress)
			}
		})
	}
}

// TestBulkOfTwins has an address twice in a bulk: each of the two requests is found an
// invitation of its own.
func TestBulkOfTwins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t)
		l.fake.Fail(clerk.OperationBulkCreate, clerktest.FaultDropAfter)
		twin := clerk.CreateInvitationRequest{EmailAddress: address, IgnoreExisting: true}
		invs, err := l.client.Invitations.BulkCreate(t.Context(), []clerk.CreateInvitationRequest{twin, twin})
		require.NoError(t, err)
		require.ElementsMatch(t, l.fake.Invitations(), invs)
		require.Equal(t, 1, l.got(clerk.OperationBulkCreate))
	})
}

// TestRefusalThatIsCutOff has the repeat refused for what the first request has made,
// and the refusal cut off: it says nothing, and the write is repeated once more.
func TestRefusalThatIsCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t)
		l.fake.Fail(clerk.OperationCreate, clerktest.FaultHideAfter, clerktest.FaultTruncateAfter)
		inv, err := l.client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: address})
		require.NoError(t, err)
		require.Equal(t, []clerk.Invitation{*inv}, l.fake.Invitations())
		require.Equal(t, 3, l.got(clerk.OperationCreate))
	})
}

func TestGet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t)
		for i := range 30 { // the query matches parts
			l.invite(t, guest(i))
		}
		all := l.fake.Invitations()
		inv, err := l.client.Invitations.Get(t.Context(), all[3].ID)
		require.NoError(t, err)
		require.Equal(t, all[3], *inv)
		_, err = l.client.Invitations.Revoke(t.Context(), all[3].ID)
		require.NoError(t, err)
		inv, err = l.client.Invitations.Get(t.Context(), all[3].ID)
		require.NoError(t, err)
		require.True(t, inv.Revoked)
		for _, id := range []string{"inv_", "inv_9", all[3].ID[:10]} {
			inv, err = l.client.Invitations.Get(t.Context(), id)
			require.Nil(t, inv)
			require.ErrorIs(t, err, clerk.ErrNotFound)
			require.EqualError(t, err, "clerk: ListInvitations: no such invitation (2 attempts)")
		}
		_, err = l.client.Invitations.Get(t.Context(), "a/b")
		require.ErrorIs(t, err, clerk.ErrInvalidRequest)
	})
}

func TestFindPending(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t)
		l.invite(t, "not"+address)
		accepted := l.invite(t, address)
		require.NoError(t, l.fake.Accept(accepted.ID))
		_, err := l.client.Invitations.FindPending(t.Context(), address)
		require.ErrorIs(t, err, clerk.ErrNotFound)
		var last *clerk.Invitation
		for range 2 {
			last, err = l.client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: address, IgnoreExisting: true})
			require.NoError(t, err)
			time.Sleep(time.Hour)
		}
		inv, err := l.client.Invitations.FindPending(t.Context(), strings.ToUpper(address))
		require.NoError(t, err)
		require.Equal(t, last, inv)
		_, err = l.client.Invitations.FindPending(t.Context(), " ")
		require.ErrorIs(t, err, clerk.ErrInvalidRequest)
	})
}

// TestFindPendingOverAllPages has a server whose query matches everything.
func TestFindPendingOverAllPages(t *testing.T) {
	server := &listing{ids: func() []string { return ids(1200) }}
	_, err := newClient(t, server).Invitations.Get(t.Context(), "inv_1199")
	require.NoError(t, err)
	require.Len(t, server.queries, 3)
}

// TestFindPendingDoesNotTrustTheFilters has a server that gives anything.
func TestFindPendingDoesNotTrustTheFilters(t *testing.T) {
	accepted := strings.Replace(pendingJSON, `"pending"`, `"accepted"`, 1)
	another := strings.Replace(pendingJSON, address, "not"+address, 1)
	client := newClient(t, answering(reply(200, `[`+accepted+`,`+another+`]`)))
	_, err := client.Invitations.FindPending(t.Context(), address)
	require.ErrorIs(t, err, clerk.ErrNotFound)
}

func TestResend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t)
		old, err := l.client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{
			EmailAddress: address, PublicMetadata: map[string]any{"seat": uint64(1<<64 - 1)},
		})
		require.NoError(t, err)
		inv, err := l.client.Invitations.Resend(t.Context(), old.ID, clerk.CreateInvitationRequest{ExpiresInDays: 7})
		require.NoError(t, err)
		require.NotEqual(t, old.ID, inv.ID)
		require.Equal(t, address, inv.EmailAddress)
		require.Equal(t, `{"seat":18446744073709551615}`, string(inv.PublicMetadata))
		require.Equal(t, inv.CreatedAt+7*24*3600*1000-2, inv.ExpiresAt)
		require.True(t, l.fake.Invitations()[0].Revoked)

		// The first half fails: nothing is changed.
		_, err = l.client.Invitations.Resend(t.Context(), inv.ID, clerk.CreateInvitationRequest{ExpiresInDays: 1000})
		require.Equal(t, clerk.CodeFormParamValueInvalid, asClerkErrors(t, err).Errors[0].Code)
		require.NotErrorIs(t, err, clerk.ErrOldNotRevoked)
		l.fake.Fail(clerk.OperationCreate, clerktest.FaultErrorBefore)
		_, err = l.client.Invitations.Resend(t.Context(), inv.ID, clerk.CreateInvitationRequest{}, once)
		require.ErrorIs(t, err, clerk.ErrOutcomeUnknown)
		require.NotErrorIs(t, err, clerk.ErrOldNotRevoked)
		require.Len(t, l.fake.Invitations(), 2)
		require.False(t, l.fake.Invitations()[1].Revoked)

		// The second half fails: both links work.
		l.fake.Fail(clerk.OperationRevoke, clerktest.FaultErrorBefore)
		again, err := l.client.Invitations.Resend(t.Context(), inv.ID, clerk.CreateInvitationRequest{}, once)
		require.ErrorIs(t, err, clerk.ErrOldNotRevoked)
		require.ErrorContains(t, err, "created "+again.ID+", but did not revoke the old invitation: ")
		require.Equal(t, l.fake.Invitations()[2], *again)
		for _, both := range l.fake.Invitations()[1:] {
			require.Equal(t, clerk.InvitationStatusPending, both.Status)
		}

		// What is revoked is created again.
		_, err = l.client.Invitations.Revoke(t.Context(), inv.ID)
		require.NoError(t, err)
		again, err = l.client.Invitations.Resend(t.Context(), inv.ID, clerk.CreateInvitationRequest{})
		require.NoError(t, err)
		require.Equal(t, inv.PublicMetadata, again.PublicMetadata)

		// What cannot be resent is left alone.
		require.NoError(t, l.fake.Accept(again.ID))
		_, err = l.client.Invitations.Resend(t.Context(), again.ID, clerk.CreateInvitationRequest{})
		require.ErrorIs(t, err, clerk.ErrAlreadyAccepted)
		_, err = l.client.Invitations.Resend(t.Context(), "inv_9", clerk.CreateInvitationRequest{})
		require.ErrorIs(t, err, clerk.ErrNotFound)
		_, err = l.client.Invitations.Resend(t.Context(), inv.ID, clerk.CreateInvitationRequest{PublicMetadata: map[string]any{"c": make(chan int)}})
		require.ErrorIs(t, err, clerk.ErrInvalidRequest)
		require.Len(t, l.fake.Invitations(), 4)
	})
}
