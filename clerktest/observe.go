package clerktest

import (
	"slices"

	"github.com/clerk-invitations/clerk-go"
)

// Invitations returns copies of all invitations, including revoked ones, oldest
// first.
func (f *Fake) Invitations() []clerk.Invitation {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := make([]clerk.Invitation, 0, len(f.store.all))
	at := f.now()
	for _, inv := range f.store.all {
		if inv.deleted {
			continue
		}
		inv.refresh(at)
		one := f.view(inv)
		one.PublicMetadata = slices.Clone(one.PublicMetadata)
		all = append(all, one)
	}
	return all
}

// Sent returns the emails that Clerk would have sent, oldest first. Invitations with
// notify=false, and those beyond [WithEmailLimit], have none. Deleting an invitation
// deletes its email.
func (f *Fake) Sent() []Email {
	f.mu.Lock()
	defer f.mu.Unlock()
	sent := []Email{}
	for _, inv := range f.store.all {
		if inv.emailed && !inv.deleted {
			sent = append(sent, f.emailOf(inv))
		}
	}
	return sent
}

// SentTo returns the emails of [Fake.Sent] to an address, oldest first. It is fast even if
// there are many others.
func (f *Fake) SentTo(emailAddress string) []Email {
	f.mu.Lock()
	defer f.mu.Unlock()
	sent := []Email{}
	for _, inv := range f.store.byAddress[fold(emailAddress)] {
		if inv.emailed && !inv.deleted {
			sent = append(sent, f.emailOf(inv))
		}
	}
	return sent
}

// Users returns copies of the users, oldest first.
func (f *Fake) Users() []User {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.sortedUsers()
}

// Requests returns copies of the requests that the fake received, oldest first: the last
// 10,000, or as many as [WithRequestLog] sets, up to 32 MiB in total.
func (f *Fake) Requests() []Request {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.log.last(f.log.size, 0)
}
