package decide

import (
	"time"

	"github.com/clerk-invitations/clerk-go/internal/clock"
)

const (
	// sharpness is the largest error in the start of a refused request by the server's clock.
	sharpness = 100 * time.Millisecond
	// roughness is the same for clocks that agree: a second each for the clocks and for the
	// Date, which has whole seconds.
	roughness = 2 * time.Second
)

// A Period says when the work of a write's requests was done, in milliseconds since 1970 by
// the server's clock. Changes from ownFrom to ownTo are the write's work, and changes before
// from or after to are not.
type Period struct {
	from, ownFrom, ownTo, to int64
}

// NewPeriod returns the Period of a write that was first sent at start, and whose work was
// done by end.
func NewPeriod(start, end clock.Instant) Period {
	p := Period{
		from: start.Earliest.UnixMilli(), ownFrom: start.Latest.UnixMilli(),
		ownTo: end.Earliest.UnixMilli(), to: end.Latest.UnixMilli(),
	}
	if start.IsSharp {
		p.ownFrom = max(p.from, start.Likely.Add(-roughness).UnixMilli())
	}
	if end.IsSharp {
		p.ownTo = end.Likely.Add(time.Second).UnixMilli()
		p.to = p.ownTo
	}
	return p
}

// Sharpen makes the start of the Period later, if start is sharp: an object that is a little
// older than a refused request is most likely not its work. If a retry would create a
// duplicate, such an object stays unclear unless the clocks' difference was measured.
func (p *Period) Sharpen(start clock.Instant, retryDuplicates bool) {
	if !start.IsSharp {
		return
	}
	p.ownFrom = start.Likely.Add(-sharpness).UnixMilli()
	if start.IsMeasured || !retryDuplicates { // otherwise the clocks may differ a little
		p.from = p.ownFrom
	}
}

// IsPast reports whether an object created or updated at a time is older than the write.
func (p *Period) IsPast(at int64) bool { return at < p.from }

// Whose says whose work an object created or updated at a time is: FoundOwn, FoundUnclear or
// FoundForeign.
func (p *Period) Whose(at int64) Finding {
	switch {
	case at >= p.ownFrom && at <= p.ownTo:
		return FoundOwn
	case at >= p.from && at <= p.to:
		return FoundUnclear
	}
	return FoundForeign
}
