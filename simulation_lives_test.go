package clerk_test

import (
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/clerk-invitations/clerk-go"
)

// pick returns one of several values.
func pick[T any](random *rand.Rand, of ...T) T { return of[random.IntN(len(of))] }

// someNature returns a random nature. At least one of the local clock and Clerk's Date is
// right. If neither were, nobody could know the outcome of the first lost response.
func someNature(random *rand.Rand) simNature {
	n := simNature{
		clock:   time.Duration(random.Int64N(int64(800*time.Millisecond))) - 400*time.Millisecond,
		lag:     pick(random, 0, time.Second, simGrace-time.Millisecond),
		latency: pick(random, 5*time.Millisecond, 100*time.Millisecond, 300*time.Millisecond, 3*time.Second),
	}
	switch random.IntN(10) {
	case 0:
		n.ahead = pick(random, -500*time.Millisecond, 500*time.Millisecond)
	case 1:
		n.clock = pick(random, -time.Hour, -time.Minute, -3*time.Second, 2*time.Second, time.Minute, 8*time.Hour)
	case 2:
		n.noIDs = true
	case 4:
		n.ahead = pick(random, -time.Minute, -3*time.Second, -2*time.Second, 2*time.Second, 3*time.Second, time.Minute)
		n.clock = -n.ahead // the Date is wrong
	case 3: // a refused bulk's part is found only if the clocks nearly agree and lists show it soon
		n.parts, n.clock, n.lag = 0.2, n.clock/5, min(n.lag, 900*time.Millisecond)
	}
	return n
}

// isPlain reports whether every outcome can be determined.
func (n *simNature) isPlain() bool { return n.clock.Abs() < time.Second && !n.noIDs }

// uncertainty returns by how much the time of others' work is uncertain until a client has
// measured the difference of the clocks.
func (n *simNature) uncertainty() time.Duration { return simTolerance + n.clock.Abs() }

// playLife plays a random life.
func playLife(seed int, trace *strings.Builder) (*simLife, error) {
	random := rand.New(rand.NewPCG(uint64(seed), 20))
	w := newSimWorld(random, someNature(random))
	w.trace = trace
	w.note(time.Now(), "seed %d: %+v", seed, w.simNature)
	if random.IntN(3) == 0 {
		sliding, failures := pick(random, false, true), pick(random, false, true)
		w.limits[clerk.OperationCreate] = &simLimit{most: 100, sliding: sliding, failures: failures}
		w.limits[clerk.OperationBulkCreate] = &simLimit{most: 25, sliding: sliding, failures: failures}
	}
	time.Sleep(w.upTo(time.Second))
	var opts []clerk.Option
	if random.IntN(10) == 0 && w.parts == 0 {
		opts = append(opts, clerk.WithRetry(clerk.RetryConfig{Strategy: clerk.RetryNone}))
	}
	l := newSimLife(w, opts...)
	l.link.share = pick(random, 0, 0.05, 0.2, 0.5)
	if random.IntN(100) == 0 {
		l.age()
	}
	switch random.IntN(10) {
	case 0, 1, 2:
		l.campaigns()
	case 3:
		l.crowd()
	default:
		for range 1 + random.IntN(5) {
			l.others(simAddresses, true)
			l.someCall()()
			time.Sleep(w.upTo(pick(random, 0, time.Second, 20*time.Second, time.Hour)))
			w.advance(time.Now())
		}
	}
	return l, l.end()
}

// age gives a life enough old invitations for lists to have two pages. The second may be
// empty, and somebody revokes old ones while a list is read.
func (l *simLife) age() {
	for i := range 480 + l.world.random.IntN(40) {
		l.world.create(time.Now(), nil, simAddress(1000+i), "").isOld = true
	}
	l.world.glitch, l.world.shifts = 0.3, pick(l.world.random, 0, 0.3)
	time.Sleep(time.Hour)
}

// simAddresses is the number of addresses that the calls of a life share.
const simAddresses = 3

// others schedules what others will soon do with some of the first addresses.
func (l *simLife) others(addresses int, revoke bool) {
	w := l.world
	for range w.random.IntN(3) {
		address := simAddress(w.random.IntN(addresses))
		what := w.random.IntN(4)
		w.schedule(time.Now().Add(w.upTo(30*time.Second)), func(at time.Time) {
			r := w.pending(address)
			switch {
			case what < 2 && r == nil || what == 0:
				w.create(at, nil, address, "")
			case r == nil:
			case what == 2 && at.Sub(r.made) > time.Minute: // nobody acts sooner than that
				w.accept(at, r)
			case what == 3 && revoke:
				w.revoke(at, nil, r)
			}
		})
	}
}

// crowd makes calls at the same time.
func (l *simLife) crowd() {
	for range 2 {
		var calls sync.WaitGroup
		l.others(simAddresses, true)
		within := pick(l.world.random, time.Second, time.Minute)
		var planned []func() // all before the first starts, as planning uses the world
		for range 2 + l.world.random.IntN(6) {
			wait, call := l.world.upTo(within), l.someCall()
			planned = append(planned, func() {
				time.Sleep(wait)
				call()
			})
		}
		for _, call := range planned {
			calls.Go(call)
		}
		calls.Wait()
		time.Sleep(time.Hour)
		l.world.advance(time.Now())
	}
}

// someCall returns a random call.
func (l *simLife) someCall() func() {
	w, random := l.world, l.world.random
	var limit time.Duration
	if random.IntN(3) == 0 {
		limit = w.upTo(pick(random, 100*time.Millisecond, 3*time.Second, 30*time.Second))
	}
	ignoring := random.IntN(2) == 0
	req := simRequest(random.IntN(simAddresses), ignoring)
	id := ""
	if len(w.records) > 0 {
		r := w.records[random.IntN(len(w.records))]
		if isYoung := time.Since(r.made) < time.Minute; !r.deleted && (r.creator == nil || !isYoung) {
			id = r.id // of a new one, a request still under way may create another
		}
	}
	switch what := random.IntN(16); {
	case what < 5 || id == "":
		return func() { l.create(limit, req) }
	case what < 8:
		reqs := simRequests(random.IntN(simAddresses), 1+random.IntN(3), ignoring)
		return func() { l.bulk(limit, reqs) }
	case what < 10:
		return func() { l.revoke(limit, id) }
	case what < 12:
		return func() { l.delete(limit, id) }
	case what < 13:
		return func() { l.resend(limit, id) }
	case what < 14:
		return func() { l.get(id) }
	case what < 15:
		return func() { l.find(req.EmailAddress) }
	}
	return func() { l.all(clerk.ListInvitationsRequest{}) }
}

// campaigns invites people with several runs of CreateAll. The last one runs to its end.
func (l *simLife) campaigns() {
	w, random := l.world, l.world.random
	n := 1 + random.IntN(pick(random, 3, 12, 40))
	ignoring := random.IntN(2) == 0
	rows := simRequests(0, n, ignoring)
	for i := range rows {
		switch random.IntN(20) {
		case 0:
			w.users[rows[i].EmailAddress] = !ignoring
		case 1:
			rows[i].EmailAddress = rows[random.IntN(n)].EmailAddress
		case 2:
			w.create(time.Now(), nil, rows[i].EmailAddress, "")
		case 3:
			rows[i].PublicMetadata = map[string]any{"i": i}
		case 4:
			rows[i].TemplateSlug = "none"
		case 5:
			if w.poison == "" && random.IntN(3) == 0 {
				w.poison = rows[i].EmailAddress
			}
		}
	}
	time.Sleep(time.Hour)
	var opts []clerk.CreateAllOption
	if ignoring && random.IntN(2) == 0 {
		opts = append(opts, clerk.WithSkipSince(time.UnixMilli(w.stamp(time.Now()))))
	}
	c := l.campaign(rows, opts...)
	for range random.IntN(3) {
		l.others(n, false)
		stop := pick(random, c.cancelAfter, c.killAfter)
		stop(w.upTo(pick(random, time.Second, 10*time.Second, 2*time.Hour)))
		time.Sleep(w.upTo(pick(random, 0, time.Second, time.Hour)))
	}
	l.link.until = time.Now().Add(time.Hour)
	c.run()
}
