package pace

import "time"

// A Forecast says what the limits permit if no request fails and nobody else uses them.
// The zero Forecast permits nothing.
type Forecast struct {
	now       time.Time
	available int           // items that can be sent now
	renewed   time.Time     // when there are more
	each      int           // items in a window
	window    time.Duration // of the limits
}

// Forecast returns what the limits permit now.
func (p *Pace) Forecast(now time.Time) Forecast {
	return Forecast{
		now: now, available: p.bulks.Left(now)*p.budget.BulkSize + p.singles.Left(now),
		renewed: now.Add(min(p.singles.Renewal(now), p.bulks.Renewal(now))),
		each:    p.budget.Bulks*p.budget.BulkSize + p.budget.Singles, window: p.budget.Window,
	}
}

// End returns when that many items will have been sent.
func (f Forecast) End(items int) time.Time {
	rest := items - f.available
	if rest <= 0 || f.each == 0 {
		return f.now
	}
	windows := (rest + f.each - 1) / f.each
	return f.renewed.Add(time.Duration(windows-1) * f.window)
}
