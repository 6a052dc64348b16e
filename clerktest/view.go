package clerktest

import (
	"slices"
	"time"

	"github.com/clerk-invitations/clerk-go"
)

// A Filter selects what [Fake.State] returns.
type Filter struct {
	// Query selects invitations, like the list parameter query.
	Query string
	// Limit is the most invitations, emails, users and requests to return, of each.
	Limit int
}

// A State is the state of a [Fake], for display.
type State struct {
	// Counts are the numbers of all invitations by status.
	Counts map[clerk.InvitationStatus]int
	// Invitations are the newest that match the query, newest first.
	Invitations []InvitationState
	// Emails are the newest that were sent, newest first.
	Emails []Email
	// Users are the newest, newest first.
	Users []User
	// Requests are the newest, newest first.
	Requests []Request
	// Limits is the usage of the rate limits.
	Limits RateLimitUsage
	// Planned are the failures that no request has met yet; see [Fake.Planned].
	Planned []string
	// Faults is the mix of [WithFaults].
	Faults FaultMix
	// Latency is that of [WithLatency].
	Latency time.Duration
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
	now := f.now()
	s := State{
		Counts: map[clerk.InvitationStatus]int{}, Invitations: f.latest(filter), Emails: f.latestEmails(filter.Limit),
		Users: f.sortedUsers(), Requests: f.log.last(filter.Limit),
		Limits:  f.limiter.usage(now),
		Planned: f.failures.texts(), Faults: f.failures.mix, Latency: f.latency,
	}
	for _, inv := range f.store.all {
		inv.refresh(now)
		if !inv.deleted {
			s.Counts[inv.Status]++
		}
	}
	slices.Reverse(s.Requests)
	slices.Reverse(s.Users)
	s.Users = s.Users[:min(len(s.Users), filter.Limit)]
	return s
}

// latest returns the newest invitations that match a query, newest first.
func (f *Fake) latest(filter Filter) []InvitationState {
	found := []InvitationState{}
	at := f.now()
	matches := search{text: filter.Query}
	for _, inv := range slices.Backward(f.store.candidates(matches)) {
		if len(found) == filter.Limit {
			break
		}
		inv.refresh(at)
		if inv.deleted || !matches.finds(&inv.Invitation) {
			continue
		}
		state := InvitationState{Invitation: f.view(inv), Email: f.emailOf(inv), Emailed: inv.emailed}
		state.PublicMetadata = slices.Clone(state.PublicMetadata)
		found = append(found, state)
	}
	return found
}

func (f *Fake) latestEmails(limit int) []Email {
	emails := []Email{}
	for _, inv := range slices.Backward(f.store.all) {
		if len(emails) == limit {
			break
		}
		if inv.emailed && !inv.deleted {
			emails = append(emails, f.emailOf(inv))
		}
	}
	return emails
}
