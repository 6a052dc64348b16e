// Package search finds the work of a write's requests in the lists of a server.
package search

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"slices"
	"time"

	"github.com/clerk-invitations/clerk-go/internal/addresses"
	"github.com/clerk-invitations/clerk-go/internal/clock"
	"github.com/clerk-invitations/clerk-go/internal/decide"
)

// Errors of a search. Another search would fail with the same error.
var (
	ErrNoDate  = errors.New("clerk: the response has no valid Date header")
	ErrTooMany = errors.New("clerk: there are too many invitations to look through")
	// ErrSpelled means that an object was created meanwhile that may be for another spelling
	// of an address.
	ErrSpelled = errors.New("clerk: an invitation was created meanwhile that may be for another spelling of the address")
)

// maxPages limits the cost of reading a list.
const maxPages = 20

// An Object holds what a search knows about an object on the server.
type Object struct {
	ID, Address string
	Created     int64 // in milliseconds since 1970, by the server's clock
	IsRevoked   bool
}

// A Query selects and orders the objects of a list.
type Query struct {
	Text        string // matching is not documented, so a list may be long
	Status      string // of the objects; "" for any but revoked
	NewestFirst bool   // a server may ignore it
}

// A Source lists the objects of a server.
type Source[T any] struct {
	Describe func(T) Object
	// Pages returns the pages of a list. None of them is empty.
	Pages func(context.Context, Query) iter.Seq2[[]T, error]
	// Total returns the total of the list that was read last, as of its last page.
	Total func() int
	// Convert converts a time to the server's clock, as of the last response. ok is false
	// if the response has no time.
	Convert func(time.Time) (at clock.Instant, ok bool)
}

// A Search looks for the work of a write's requests.
type Search[T any] struct {
	Source[T]

	Since           time.Time // when the write was first sent, by the local clock
	Until           time.Time // the latest time at which its work was done
	Refused         bool      // all of the requests were refused
	RetryDuplicates bool      // the server would carry out a retry a second time
	Statuses        []string  // to list for created objects

	period decide.Period // of the write's work by the server's clock; set by each list
}

// Between sets the time of the write from the histories of its first and last requests.
func (s *Search[T]) Between(first, last *decide.History) {
	s.Since, s.Until = first.FirstSent, last.DoneBy()
}

// Whose says whether an object created or updated at a time, by the server's clock, is the
// write's work. It refers to the list that was read last.
func (s *Search[T]) Whose(at int64) decide.Finding { return s.period.Whose(at) }

// IsOwn reports whether an object in the last response was created by the write.
func (s *Search[T]) IsOwn(object T) bool {
	return s.setPeriod() == nil && s.Whose(s.Describe(object).Created) == decide.FoundOwn
}

// IsOf reports whether an object in the last response was created by one of several writes.
func (s *Search[T]) IsOf(writes []decide.History, object T) bool {
	return slices.ContainsFunc(writes, func(h decide.History) bool {
		s.Between(&h, &h)
		return s.IsOwn(object)
	})
}

// MayBe reports whether an object may be the write's work for an address that the server has
// stored in another spelling.
func (s *Search[T]) MayBe(object T, address string) bool {
	o := s.Describe(object)
	return addresses.MayBe(o.Address, address) && s.Whose(o.Created) != decide.FoundForeign
}

// List returns the objects of a status that match a query, newest first. With onlyNew it
// stops at those that are older than the write. At most maxPages are read.
func (s *Search[T]) List(ctx context.Context, query, status string, onlyNew bool) ([]T, error) {
	var objects []T
	pages, isPast := 0, false // the page has older objects
	for page, err := range s.Pages(ctx, Query{Text: query, Status: status, NewestFirst: true}) {
		if err == nil {
			err = s.setPeriod()
		}
		if err != nil {
			return nil, err
		}
		objects = append(objects, page...)
		oldest := s.Describe(page[len(page)-1]).Created
		isPast = s.period.IsPast(oldest) && s.isNewestFirst(objects)
		if pages++; isPast && onlyNew || pages == maxPages {
			break
		}
	}
	if !isPast && len(objects) < s.Total() {
		return nil, ErrTooMany
	}
	return objects, s.setPeriod() // an empty list has no page
}

// isNewestFirst reports whether the server has sorted objects as asked. If all have the same
// time, that does not show.
func (s *Search[T]) isNewestFirst(objects []T) bool {
	created := func(object T) int64 { return s.Describe(object).Created }
	newest, oldest := created(objects[0]), created(objects[len(objects)-1])
	return newest > oldest && slices.IsSortedFunc(objects, func(a, b T) int { return cmp.Compare(created(b), created(a)) })
}

// setPeriod converts the times of the write to the server's clock.
func (s *Search[T]) setPeriod() error {
	start, ok := s.Convert(s.Since)
	if !ok {
		return ErrNoDate
	}
	end, _ := s.Convert(s.Until)
	s.period = decide.NewPeriod(start, end)
	if s.Refused {
		s.period.Sharpen(start, s.RetryDuplicates)
	}
	return nil
}

// Created finds the object that the write may have created for an address, ignoring one that
// is known to be older. onlyNew says that older objects do not matter.
func (s *Search[T]) Created(ctx context.Context, address, older string, onlyNew bool) (*T, decide.Finding, error) {
	found := decide.FoundNothing
	for _, status := range s.Statuses {
		objects, err := s.List(ctx, address, status, onlyNew)
		if err != nil {
			return nil, found, err
		}
		for _, object := range objects {
			o := s.Describe(object)
			if !addresses.Same(o.Address, address) || o.ID == older {
				continue
			}
			whose := s.Whose(o.Created)
			switch {
			case whose == decide.FoundOwn:
				return &object, whose, nil
			case whose == decide.FoundForeign && o.IsRevoked:
				whose = decide.FoundNothing // no reason for a refusal
			case whose == decide.FoundForeign: // even a pending object may be revoked by now
				whose = decide.FoundForeignSoFar
			}
			found = max(found, whose)
		}
	}
	if found != decide.FoundNothing || !addresses.HasOther(address) {
		return nil, found, nil
	}
	objects, err := s.List(ctx, "", "", true)
	mayBe := func(object T) bool { return s.Describe(object).ID != older && s.MayBe(object, address) }
	if err == nil && slices.ContainsFunc(objects, mayBe) {
		err = ErrSpelled
	}
	return nil, found, err
}

// IsAbsent reports whether an object is certainly not in the list of a status.
func (s *Search[T]) IsAbsent(ctx context.Context, id, status string) (bool, error) {
	pages, seen, total := 0, 0, 0
	for page, err := range s.Pages(ctx, Query{Status: status}) {
		if pages++; err == nil && pages > maxPages {
			err = ErrTooMany
		}
		if err != nil || slices.ContainsFunc(page, func(object T) bool { return s.Describe(object).ID == id }) {
			return false, err
		}
		seen, total = seen+len(page), max(total, s.Total())
	}
	return seen >= total, nil // otherwise some objects have moved to pages already read
}
