package clock

import (
	"math"
	"time"
)

// A Backoff describes a random wait that grows from one attempt to the next. The wait is
// shorter than an interval that starts at Initial and is multiplied by Factor with each
// attempt, up to Max.
type Backoff struct {
	Initial, Max time.Duration
	Factor       float64
}

// Wait returns how long to wait after an attempt, counted from 1. asked is the wait that the
// server asked for, or 0. Wait adds a random part to it: up to half of asked, and at most
// twice Initial. random is from 0 to 1.
func (b Backoff) Wait(attempt int, asked time.Duration, random float64) time.Duration {
	if asked > 0 {
		jitter := 2 * min(asked/4, b.Initial)
		return max(asked, asked+time.Duration(random*float64(jitter))) // the sum may overflow
	}
	interval := b.Max
	if grown := float64(b.Initial) * math.Pow(b.Factor, float64(attempt-1)); grown < float64(interval) {
		interval = time.Duration(grown)
	}
	return 1 + time.Duration(random*float64(max(1, interval)))
}
