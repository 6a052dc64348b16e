package clerk_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

// A changesLife is a caller of Changes, and what happens meanwhile: people accept, and others
// invite, revoke and delete, even between two pages; lists lag, and clocks differ.
type changesLife struct {
	seed     uint64
	random   *rand.Rand
	calls    int        // so far
	mu       sync.Mutex // what happens during a request
	fake     *clerktest.Fake
	client   *clerk.Client
	snapshot clerk.Snapshot
	quiet    bool
	known    map[string]bool               // recorded by the first call
	told     map[string][]clerk.ChangeKind // by id
	deleted  map[string]bool
	tracing  sync.Mutex
	trace    *strings.Builder
}

func playChanges(seed int, trace *strings.Builder) error {
	l := &changesLife{
		seed: uint64(seed), random: rand.New(rand.NewPCG(uint64(seed), 0)), known: map[string]bool{}, told: map[string][]clerk.ChangeKind{},
		deleted: map[string]bool{}, trace: trace,
	}
	behavior := clerktest.Behavior{
		PageCap: 1 + l.random.IntN(6), ListLag: time.Duration(l.random.IntN(4000)) * time.Millisecond,
		ListLagOf: pick(l.random, "", clerktest.ListLagOfCreates, clerktest.ListLagOfRevocations, clerktest.ListLagOfDeletions),
		DateSkew:  time.Duration(l.random.IntN(8)-4) * time.Second, Lapsed: pick(l.random, "", clerktest.LapsedPending),
	}
	l.fake = clerktest.New(clerktest.WithBehavior(behavior), clerktest.WithSeed(uint64(seed)))
	var err error
	l.client, err = l.fake.Client(clerk.WithRetry(clerk.RetryConfig{Strategy: clerk.RetryNone}), clerk.WithHTTPClient(&http.Client{Transport: l}))
	if err != nil {
		return err
	}
	for range l.random.IntN(20) {
		l.act(l.random)
	}
	l.note("%+v", behavior)
	for {
		err := l.call()
		if err == nil {
			break
		}
	}
	for _, inv := range l.fake.Invitations() {
		l.known[inv.ID] = true
	}
	l.told = map[string][]clerk.ChangeKind{}
	for range 1 + l.random.IntN(8) {
		for range l.random.IntN(6) {
			l.act(l.random)
		}
		_ = l.call()
		time.Sleep(time.Duration(l.random.IntN(10_000)) * time.Millisecond)
	}
	l.quiet = true
	for range 3 { // what was missed, and what is missing for the second time
		time.Sleep(3 * time.Minute)
		if err := l.call(); err != nil {
			return err
		}
	}
	return l.check()
}

func (l *changesLife) note(format string, args ...any) {
	l.tracing.Lock()
	defer l.tracing.Unlock()
	if l.trace != nil {
		fmt.Fprintf(l.trace, "%s "+format+"\n", append([]any{time.Now().Format("04:05.000")}, args...)...)
	}
}

// RoundTrip lets things happen between pages, and loses some of them. What happens to a
// request depends only on the request, not on the order in which requests ahead are made.
func (l *changesLife) RoundTrip(req *http.Request) (*http.Response, error) {
	hash := fnv.New64()
	_, _ = fmt.Fprint(hash, l.calls, req.URL.RawQuery)
	random := rand.New(rand.NewPCG(l.seed, hash.Sum64()))
	time.Sleep(time.Duration(random.IntN(300_000_000)))
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	for !l.quiet && random.IntN(3) == 0 {
		l.act(random)
	}
	if !l.quiet && random.IntN(20) == 0 {
		l.note("lost %s", req.URL.RawQuery)
		return nil, errors.New("connection reset")
	}
	return l.fake.RoundTrip(req)
}

// act changes one invitation, or creates one.
func (l *changesLife) act(random *rand.Rand) {
	all := l.fake.Invitations()
	if len(all) == 0 || random.IntN(3) == 0 {
		body := fmt.Sprintf(`{"email_address":"guest%d@example.com"}`, random.Int())
		req, _ := http.NewRequest(http.MethodPost, "https://api.clerk.com/v1/invitations", strings.NewReader(body))
		req.Header = http.Header{"Authorization": {"Bearer " + l.fake.SecretKey()}, "Content-Type": {"application/json"}}
		if resp, err := l.fake.RoundTrip(req); err == nil {
			_ = resp.Body.Close()
			l.note("create: %d", resp.StatusCode)
		}
		return
	}
	id := pick(random, all...).ID
	var err error
	switch random.IntN(4) {
	case 0:
		err = l.fake.Accept(id)
		l.note("accept %s: %v", id, err)
	case 1:
		err = l.fake.Expire(id)
		l.note("expire %s: %v", id, err)
	case 2:
		err = l.fake.Revoke(id)
		l.note("revoke %s: %v", id, err)
	case 3:
		if err = l.fake.Delete(id); err == nil {
			l.deleted[id] = true
		}
		l.note("delete %s: %v", id, err)
	}
}

// call calls Changes, and keeps the snapshot as a caller does. Some calls end early.
func (l *changesLife) call() error {
	l.calls++
	defer synctest.Wait()
	defer time.Sleep(time.Second) // until requests ahead have ended
	var opts []clerk.AllOption
	if l.random.IntN(2) == 0 {
		opts = append(opts, clerk.WithPrefetch(1+l.random.IntN(3)))
	}
	breaks := -1
	if !l.quiet && l.random.IntN(4) == 0 {
		breaks = l.random.IntN(4)
	}
	for change, err := range l.client.Invitations.Changes(context.Background(), &l.snapshot, opts...) {
		if err != nil {
			l.note("error: %v", err)
			return err
		}
		l.note("told %s %s", change.Kind, change.Invitation.ID)
		l.told[change.Invitation.ID] = append(l.told[change.Invitation.ID], change.Kind)
		if breaks--; breaks == -1 {
			break
		}
	}
	text, err := json.Marshal(l.snapshot)
	l.snapshot = clerk.Snapshot{}
	if err != nil {
		return err
	}
	return json.Unmarshal(text, &l.snapshot)
}

// changesOrder is the order in which the changes of one invitation can be reported.
var changesOrder = []clerk.ChangeKind{clerk.ChangeNew, clerk.ChangeExpired, clerk.ChangeAccepted, clerk.ChangeRevoked, clerk.ChangeDeleted}

// check checks that each change was reported once and in order, and that the last one matches
// the invitation's state.
func (l *changesLife) check() error {
	for _, id := range slices.Sorted(maps.Keys(l.told)) {
		told := l.told[id]
		isAfter := func(a, b clerk.ChangeKind) int {
			return cmp.Compare(slices.Index(changesOrder, a), slices.Index(changesOrder, b))
		}
		switch {
		case !slices.IsSortedFunc(told, isAfter) || len(slices.Compact(slices.Clone(told))) != len(told):
			return fmt.Errorf("%s: reported %v", id, told)
		case slices.Contains(told, clerk.ChangeAccepted) && slices.Contains(told, clerk.ChangeRevoked):
			return fmt.Errorf("%s: reported %v", id, told)
		case slices.Contains(told, clerk.ChangeDeleted) != l.deleted[id]:
			return fmt.Errorf("%s, deleted: %t: reported %v", id, l.deleted[id], told)
		}
	}
	for _, inv := range l.fake.Invitations() {
		told := l.told[inv.ID]
		want := map[clerk.InvitationStatus]clerk.ChangeKind{
			clerk.InvitationStatusPending: clerk.ChangeNew, clerk.InvitationStatusAccepted: clerk.ChangeAccepted,
			clerk.InvitationStatusExpired: clerk.ChangeExpired, clerk.InvitationStatusRevoked: clerk.ChangeRevoked,
		}[inv.Status]
		last := clerk.ChangeKind("")
		if len(told) > 0 {
			last = told[len(told)-1]
		}
		isKnown := l.known[inv.ID]
		if last != want && (last != "" || !isKnown) || !isKnown && !slices.Contains(told, clerk.ChangeNew) {
			return fmt.Errorf("%s is %s, but reported %v", inv.ID, inv.Status, told)
		}
	}
	return nil
}

// TestChangesLives plays random lives, each from a seed: each change is reported once, no
// existing invitation is reported as deleted, and nothing is missed. -simulate.seed plays one
// life, and logs it.
func TestChangesLives(t *testing.T) {
	t.Parallel()
	if *simSeed >= 0 {
		var trace strings.Builder
		var err error
		synctest.Test(t, func(*testing.T) { err = playChanges(*simSeed, &trace) })
		t.Log(trace.String())
		require.NoError(t, err)
		return
	}
	inBubbles(t, cmp.Or(*simLives, soakSize(500, 600, 20_000)), playChanges)
}
