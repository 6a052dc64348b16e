package clerktest

import (
	"iter"
	"slices"
	"time"

	"github.com/clerk-invitations/clerk-go"
)

// A Filter selects the items that [Fake.State] returns.
type Filter struct {
	// Query selects invitations and emails, like the list parameter query.
	Query string
	// Status selects invitations with a status. Empty means all, including revoked ones.
	Status clerk.InvitationStatus
	// Limit is the most items to return of each list.
	Limit int
	// Skip says how many newer items to leave out.
	Skip Skip
}

// A Skip holds a number for each list of a [State].
type Skip struct {
	Invitations, Emails, Users, Requests int
}

// A State is the state of a [Fake], for display.
type State struct {
	// Counts holds the number of invitations by status.
	Counts map[clerk.InvitationStatus]int
	// Invitations are the newest invitations that match the filter, newest first.
	Invitations []InvitationState
	// Emails are the newest emails that were sent, newest first.
	Emails []Email
	// Users are the newest users, newest first.
	Users []User
	// Requests are the newest requests, newest first.
	Requests []Request
	// Limits is the usage of the rate limits.
	Limits RateLimitUsage
	// Planned are the failures that no request has met yet; see [Fake.Planned].
	Planned []string
	// Faults is the mix of [WithFaults].
	Faults FaultMix
	// Latency is the delay of [WithLatency].
	Latency time.Duration
	// Behavior is the behavior of [WithBehavior].
	Behavior Behavior
	// Now is the time by the fake's clock. Ahead says how far [Fake.Advance] has moved it.
	Now   time.Time
	Ahead time.Duration
}

// An InvitationState is an invitation with its email.
type InvitationState struct {
	clerk.Invitation

	// Email is its email, even if it was not sent.
	Email Email
	// Emailed reports whether the email was sent.
	Emailed bool
}

// State returns the newest part of the fake's state.
func (f *Fake) State(filter Filter) State {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := State{
		Counts: f.counts(), Invitations: f.latest(filter), Emails: f.latestEmails(filter), Users: f.latestUsers(filter),
		Requests: f.log.last(filter.Limit, filter.Skip.Requests), Limits: f.limiter.usage(f.now()),
		Planned: f.failures.texts(), Faults: f.failures.mix, Latency: f.latency,
		Behavior: f.behavior, Now: f.now(), Ahead: f.clock.ahead,
	}
	slices.Reverse(s.Requests)
	return s
}

// Invitation returns the invitation with an id, and reports whether there is one.
func (f *Fake) Invitation(id string) (InvitationState, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	inv := f.store.find(id, f.now())
	if inv == nil {
		return InvitationState{}, false
	}
	return f.stateOf(inv), true
}

// Request returns the request with a number, and reports whether it is still remembered.
func (f *Fake) Request(number int) (Request, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.log.find(number)
}

func (f *Fake) counts() map[clerk.InvitationStatus]int {
	counts := map[clerk.InvitationStatus]int{}
	now := f.now()
	for _, inv := range f.store.all {
		inv.refresh(now)
		if !inv.deleted {
			counts[inv.Status]++
		}
	}
	return counts
}

func (f *Fake) stateOf(inv *invitation) InvitationState {
	state := InvitationState{Invitation: f.view(inv), Email: f.emailOf(inv), Emailed: inv.emailed}
	state.PublicMetadata = slices.Clone(state.PublicMetadata)
	return state
}

// latest returns the newest invitations that a filter selects, newest first.
func (f *Fake) latest(filter Filter) []InvitationState {
	found := []InvitationState{}
	now := f.now()
	for inv := range f.newest(filter.Query, filter.Skip.Invitations, filter.Limit, func(inv *invitation) bool {
		inv.refresh(now)
		return filter.Status == "" || filter.Status == inv.Status
	}) {
		found = append(found, f.stateOf(inv))
	}
	return found
}

func (f *Fake) latestEmails(filter Filter) []Email {
	emails := []Email{}
	emailed := func(inv *invitation) bool { return inv.emailed }
	for inv := range f.newest(filter.Query, filter.Skip.Emails, filter.Limit, emailed) {
		emails = append(emails, f.emailOf(inv))
	}
	return emails
}

// newest returns up to limit invitations that match a query and are selected, newest first. It
// skips the first skip of them.
func (f *Fake) newest(query string, skip, limit int, selects func(*invitation) bool) iter.Seq[*invitation] {
	return func(yield func(*invitation) bool) {
		matches := search{text: query}
		for _, inv := range slices.Backward(f.store.candidates(matches)) {
			if limit <= 0 {
				return
			}
			if inv.deleted || !matches.finds(&inv.Invitation) || !selects(inv) {
				continue
			}
			if skip--; skip >= 0 {
				continue
			}
			if limit--; !yield(inv) {
				return
			}
		}
	}
}

func (f *Fake) latestUsers(filter Filter) []User {
	users := f.sortedUsers()
	slices.Reverse(users)
	users = users[min(len(users), filter.Skip.Users):]
	return users[:min(len(users), filter.Limit)]
}
