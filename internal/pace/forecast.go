package pace

import (
	"slices"
	"time"

	"github.com/clerk-invitations/clerk-go/internal/limiter"
)

// A Forecast says what the limits permit if no request fails and nobody else uses them.
// The zero Forecast permits nothing.
type Forecast struct {
	now            time.Time
	budget         Budget
	singles, bulks *limiter.Limiter
}

// Forecast returns what the limits permit now.
func (p *Pace) Forecast(now time.Time) Forecast {
	return Forecast{now, p.budget, p.singles.Clone(), p.bulks.Clone()}
}

// End returns the time at which that many items will have been sent.
func (f Forecast) End(items int) time.Time {
	each := f.budget.Bulks*f.budget.BulkSize + f.budget.Singles // in a window
	if items <= 0 || each == 0 {
		return f.now
	}
	slots := f.bulks.Slots(f.now)
	for i := range slots {
		slots[i].N *= f.budget.BulkSize
	}
	slots = append(slots, f.singles.Slots(f.now)...)
	slices.SortFunc(slots, func(a, b limiter.Slot) int { return a.At.Compare(b.At) })
	last := (items - 1) % each // in its window
	i := slices.IndexFunc(slots, func(s limiter.Slot) bool {
		last -= s.N
		return last < 0
	})
	return slots[i].At.Add(time.Duration((items-1)/each) * f.budget.Window)
}
