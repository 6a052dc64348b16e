// Package match matches the email addresses that objects are wanted for with the objects
// that a server has created, and finds them in its lists.
package match

import (
	"slices"

	"github.com/clerk-invitations/clerk-go/internal/addresses"
	"github.com/clerk-invitations/clerk-go/internal/decide"
)

// A Wanted holds the addresses that objects are wanted for, and the objects that were found
// for them. An address may be wanted more than once.
type Wanted[T any] struct {
	Addresses []string
	// Found holds the objects by the index of their address. It must not be nil.
	Found map[int]T
	// Identify returns the ID and the address of an object.
	Identify func(T) (id, address string)
}

// Missing returns the indices of the addresses without an object.
func (w *Wanted[T]) Missing() []int {
	missing := make([]int, 0, len(w.Addresses)-len(w.Found))
	for i := range w.Addresses {
		if _, ok := w.Found[i]; !ok {
			missing = append(missing, i)
		}
	}
	return missing
}

// Objects returns the object of each address. Those that are missing are zero.
func (w *Wanted[T]) Objects() []T {
	objects := make([]T, len(w.Addresses))
	for i, object := range w.Found {
		objects[i] = object
	}
	return objects
}

// Claim finds objects in a list: for each missing address, one with this address that is the
// write's own work according to whose. It reports whether it is unclear whose work an object
// is.
func (w *Wanted[T]) Claim(list []T, whose func(object T, address string) decide.Finding) (unclear bool) {
	claimed := w.claimed()
	for _, i := range w.Missing() {
		address := w.Addresses[i]
		for _, object := range list {
			id, its := w.Identify(object)
			if claimed[id] || !addresses.Same(its, address) {
				continue
			}
			finding := whose(object, address)
			if finding == decide.FoundOwn {
				w.Found[i], claimed[id] = object, true
				break
			}
			unclear = unclear || finding == decide.FoundUnclear
		}
	}
	return unclear
}

// Possible returns the indices of the missing addresses that an object in a list may be for.
// An object may be for several of them, but not if it was already found for another address.
func (w *Wanted[T]) Possible(list []T, mayBe func(object T, address string) bool) (indices []int) {
	claimed := w.claimed()
	for _, i := range w.Missing() {
		isPossible := func(object T) bool {
			id, _ := w.Identify(object)
			return !claimed[id] && mayBe(object, w.Addresses[i])
		}
		if slices.ContainsFunc(list, isPossible) {
			indices = append(indices, i)
		}
	}
	return indices
}

// claimed returns the IDs of the objects that were found.
func (w *Wanted[T]) claimed() map[string]bool {
	ids := map[string]bool{}
	for _, object := range w.Found {
		id, _ := w.Identify(object)
		ids[id] = true
	}
	return ids
}

// Assign returns the object of each address if there are as many objects as addresses. That is
// the object with the address or, if the server has changed the address, the object at its
// position among the rest.
func (w *Wanted[T]) Assign(objects []T) []T {
	assigned, rest := make([]T, len(w.Addresses)), slices.Clone(objects)
	var without []int
	for i, address := range w.Addresses {
		at := slices.IndexFunc(rest, func(object T) bool {
			_, its := w.Identify(object)
			return addresses.Same(its, address)
		})
		if at < 0 {
			without = append(without, i)
			continue
		}
		assigned[i] = rest[at]
		rest = slices.Delete(rest, at, at+1)
	}
	for n, i := range without {
		assigned[i] = rest[n]
	}
	return assigned
}
