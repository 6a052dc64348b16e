package snapshot

import (
	"iter"
	"slices"
)

// A Kind says what has changed.
type Kind uint8

// The changes.
const (
	None    Kind = iota
	New          // the item is new
	Reached      // the item has reached its state
	Gone         // the item is gone
)

// A Change is a change of one item. If it is Gone, only the ID is known.
type Change[T any] struct {
	Kind  Kind
	Item  Item
	Value T // as listed
}

// A Source provides the lists that together show all items.
type Source[T any] struct {
	Lists []iter.Seq2[T, error]
	// Began returns when the current list began, by the API's clock, and its total at that
	// time, or -1 if that is not known. It is called once for each list, after its first
	// response.
	Began func() (now int64, total int, err error)
	// Item returns the item of a listed value, in a list that began at now.
	Item func(value T, now int64) Item
}

// Compare reads the lists and returns an iterator over the changes since the snapshot. Each
// change is recorded just before it is yielded. An error is yielded without a change, and ends
// the iterator.
func Compare[T any](s *Snapshot, source Source[T]) iter.Seq2[Change[T], error] {
	return func(yield func(Change[T], error) bool) {
		listing := s.List()
		for _, list := range source.Lists {
			if !source.compareList(listing, list, yield) {
				return
			}
		}
		gone := listing.End()
		slices.Sort(gone)
		for _, id := range gone {
			s.Remove(id)
			if !yield(Change[T]{Kind: Gone, Item: Item{ID: id}}, nil) {
				return
			}
		}
	}
}

// compareList yields the changes that one list shows. It reports whether to continue.
func (source *Source[T]) compareList(listing *Listing, list iter.Seq2[T, error], yield func(Change[T], error) bool) bool {
	var now int64
	hasBegun := false
	begin := func() error {
		began, total, err := source.Began()
		if now, hasBegun = began, true; err == nil {
			listing.Begin(now, total)
		}
		return err
	}
	for value, err := range list {
		if err == nil && !hasBegun {
			err = begin()
		}
		if err != nil {
			yield(Change[T]{}, err)
			return false
		}
		item := source.Item(value, now)
		isNew, reached := listing.Record(item)
		if isNew && !yield(Change[T]{New, item, value}, nil) {
			return false
		}
		if isNew && reached {
			listing.Reach(item)
		}
		if reached && !yield(Change[T]{Reached, item, value}, nil) {
			return false
		}
	}
	if !hasBegun { // the list is empty
		if err := begin(); err != nil {
			yield(Change[T]{}, err)
			return false
		}
	}
	return true
}
