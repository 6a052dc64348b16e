package decide

import (
	"context"
	"errors"
	"time"

	"github.com/clerk-invitations/clerk-go/internal/transport"
)

const (
	// Grace is the longest time after an ambiguous failure in which lists may miss the
	// write's work. A write that the API would not refuse as a duplicate is retried only
	// after a lookup that began later did not find it.
	Grace = 5 * time.Second
	// graceAfterTimeout is the same time after an attempt that timed out, as the API may still
	// be carrying it out.
	graceAfterTimeout = 2 * Grace
)

// Inspections returns the times after the refusal of a write at which lists are read, to find
// parts of it that were carried out. If a retry would create duplicates, they cover the grace
// time. Otherwise, the API would refuse a retry of a part that shows up later.
func Inspections(retryDuplicates bool) []time.Duration {
	if retryDuplicates {
		return []time.Duration{0, time.Second, Grace}
	}
	return []time.Duration{0, time.Second}
}

// A History holds what is known about a write's requests so far.
type History struct {
	FirstSent time.Time
	FailedAt  time.Time // when the last request failed
	Ambiguous error     // the last failure after which the outcome was unknown; nil for none
	Writes    int       // requests so far
	InParts   bool      // a refused request may have been carried out in part

	doneBy time.Time // the latest time of the effects that requests may have had; zero for none
}

// Failed records that a request of the write has just failed.
func (h *History) Failed(failure error, class transport.Class) {
	h.Writes++
	if h.Ambiguous == nil || class != transport.NotSent { // otherwise nothing has happened since
		h.FailedAt = time.Now()
	}
	if class == transport.Ambiguous {
		h.Ambiguous = failure
	}
	if class == transport.Ambiguous || class == transport.Refused && h.InParts {
		if doneBy := h.FailedAt.Add(graceAfter(failure)); doneBy.After(h.doneBy) {
			h.doneBy = doneBy
		}
	}
}

func graceAfter(failure error) time.Duration {
	if errors.Is(failure, context.DeadlineExceeded) {
		return graceAfterTimeout
	}
	return Grace
}

// DoneBy returns the latest time at which the write's work was done. A refused retry does no
// work.
func (h *History) DoneBy() time.Time {
	if h.doneBy.IsZero() {
		return h.FailedAt.Add(Grace)
	}
	return h.doneBy
}

// Grace returns the longest time after the last failure in which lists may miss the write's
// work.
func (h *History) Grace() time.Duration { return max(Grace, h.doneBy.Sub(h.FailedAt)) }

// IsSettled reports whether lists must show the write's work by now.
func (h *History) IsSettled() bool { return time.Since(h.FailedAt) >= h.Grace() }
