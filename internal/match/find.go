package match

import (
	"context"

	"github.com/clerk-invitations/clerk-go/internal/addresses"
	"github.com/clerk-invitations/clerk-go/internal/decide"
	"github.com/clerk-invitations/clerk-go/internal/search"
)

// Find looks for missing objects in the lists of a search, for all addresses together. It
// returns FoundOwn if none is missing anymore, and FoundUnclear if it is unclear whose work an
// object is. An object with an address in foreign is the work of others.
func (w *Wanted[T]) Find(ctx context.Context, s *search.Search[T], foreign []string) (decide.Finding, error) {
	whose := func(object T, address string) decide.Finding {
		if addresses.Has(foreign, address) {
			return decide.FoundForeign
		}
		return s.Whose(s.Describe(object).Created)
	}
	for _, status := range s.Statuses {
		list, err := s.List(ctx, "", status, true)
		if err != nil {
			return decide.FoundNothing, err
		}
		unclear, possible := w.Claim(list, whose), w.Possible(list, s.MayBe)
		switch missing := w.Missing(); {
		case len(possible) > 0 && len(possible) == len(missing):
			return decide.FoundNothing, search.ErrSpelled
		case unclear || len(possible) > 0:
			return decide.FoundUnclear, nil
		case len(missing) == 0:
			return decide.FoundOwn, nil
		}
	}
	return decide.FoundNothing, nil // or a part
}

// Explain looks for the objects that a refusal is about, address by address, as they may be
// old. about has the addresses that the refusal names. If it names none, the refusal may be
// about any missing address.
func (w *Wanted[T]) Explain(ctx context.Context, s *search.Search[T], about []string) (decide.Finding, error) {
	isMissing, explained := false, decide.FoundNothing
	for _, i := range w.Missing() {
		address := w.Addresses[i]
		if about != nil && !addresses.Has(about, address) {
			continue
		}
		_, found, err := s.Created(ctx, address, "", false)
		if err != nil || found == decide.FoundOwn { // not listed a moment ago: look again
			return decide.FoundNothing, err
		}
		isMissing, explained = true, max(explained, found)
	}
	if !isMissing {
		explained = decide.FoundOwnPart
	}
	return explained, nil
}
