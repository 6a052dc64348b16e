package clerktest

import (
	"errors"
	"fmt"
	"slices"
)

// ErrNotStored means that a change was not made because the writer of [WithJournal] failed.
var ErrNotStored = errors.New("clerktest: the change could not be stored")

// changed records a change, and how to undo it until it is committed.
func (f *Fake) changed(r record, undo func()) {
	if f.changes != nil {
		f.journal.records = append(f.journal.records, r)
		f.journal.undo = append(f.journal.undo, undo)
	}
}

// commit writes the changes since the last commit to the journal. If that fails, it
// undoes all of them.
func (f *Fake) commit() error {
	made := f.journal
	f.journal = journal{}
	if len(made.records) > 0 {
		if _, err := f.changes.Write(made.records.line()); err != nil {
			for _, undo := range slices.Backward(made.undo) {
				undo()
			}
			return fmt.Errorf("%w: %w", ErrNotStored, err)
		}
	}
	f.store.removeHidden(f.now())
	return nil
}
