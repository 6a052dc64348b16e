package clock

import (
	"net/http"
	"sync"
	"time"
)

const (
	// tolerance is the greatest difference of two clocks that count as equal.
	tolerance = time.Second
	// detectable is a change of a clock that a Date, which has whole seconds, would show.
	detectable = 4 * time.Second
)

// A Skew estimates how far a server's clock is ahead of the local one. The server has two
// clocks: one sets the times of objects, and the other the Date of responses. The objects'
// clock is the one that counts. The clocks may differ from each other and from server to
// server. A Skew is safe for concurrent use.
type Skew struct {
	// Jumped returns how much more time has passed since t by the wall clock than by the
	// monotonic clock, which may stop while the machine is suspended. nil means to use package
	// time.
	Jumped func(t time.Time) time.Duration

	mu     sync.Mutex
	recent [4]span   // the latest measurements of the objects' clock
	n      int       // measurements so far
	dates  span      // the last measurement of the Date
	at     time.Time // of the last measurement
}

// A span limits a difference between two clocks.
type span struct{ least, most time.Duration }

// or returns the smallest span that includes s and other.
func (s span) or(other span) span {
	return span{min(s.least, other.least), max(s.most, other.most)}
}

func (s span) add(least, most time.Duration) span { return span{s.least + least, s.most + most} }

// isNear reports whether the two differences may be equal.
func (s span) isNear(other span) bool {
	return s.least <= other.most+tolerance && other.least <= s.most+tolerance
}

// dateSpan returns how far the Date of a response is ahead of the local clock. The request
// took at most took, and the response has arrived now.
func dateSpan(header http.Header, now time.Time, took time.Duration) (s span, ok bool) {
	stamp := header.Get("Date")
	if stamp == "" { // ParseTime would allocate its error
		return span{}, false
	}
	date, err := http.ParseTime(stamp)
	ahead := date.Sub(now)
	return span{ahead, ahead + time.Second + took}, err == nil
}

// Measure learns from a response that has just arrived to a request that took at most took,
// and set the time of an object. A slow one tells too little to be of use. Neither does one
// whose time is before that of the local clock and the Date, unless the object is new.
func (s *Skew) Measure(header http.Header, set time.Time, took time.Duration, isNew bool) {
	if took > tolerance {
		return
	}
	at := time.Now()
	now := at.Round(0) // the wall clock's
	ahead := set.Sub(now)
	objects := span{ahead, ahead + took}
	dates, hasDate := dateSpan(header, now, took)
	if !hasDate {
		dates = objects
	}
	latest := objects.most + tolerance
	if !isNew && latest < 0 && (!hasDate || latest < dates.least) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.recent[s.n%len(s.recent)], s.dates, s.at = objects, dates, at
	s.n++
}

// An Instant is a local time, converted to the server's clock.
type Instant struct {
	// Earliest and Latest limit the time, generously.
	Earliest, Latest time.Time
	// Likely is the earliest time without tolerance.
	Likely time.Time
	// IsSharp reports that the clocks agree. If not, the time is unclear.
	IsSharp bool
	// IsMeasured reports that Likely comes from a measurement.
	IsMeasured bool
}

// Convert converts a time from the local clock to the server's, given the header of a
// response that has just arrived to a request that took at most took. Until there is a
// measurement, the server's clock may equal the Date's clock or the local one, as both are
// usually right. ok is false if there is neither a measurement nor a valid Date.
func (s *Skew) Convert(header http.Header, t time.Time, took time.Duration) (i Instant, ok bool) {
	dates, hasDate := dateSpan(header, time.Now().Round(0), took)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.n == 0 && !hasDate {
		return i, false
	}
	ahead, likely := dates.or(span{}), time.Duration(0)
	i.IsSharp = dates.isNear(span{})
	if i.IsMeasured = s.n > 0; i.IsMeasured {
		ahead = s.measured(dates, hasDate)
		likely, i.IsSharp = ahead.least, ahead.most-ahead.least <= 2*tolerance
	} else if jump := s.jumped(t); jump.Abs() > tolerance { // suspended, or the local clock was set
		ahead, i.IsSharp = ahead.or(ahead.add(jump, jump)), false
	}
	t = t.Round(0)
	i.Earliest, i.Latest, i.Likely = t.Add(ahead.least-tolerance), t.Add(ahead.most+tolerance), t.Add(likely)
	return i, true
}

// measured returns the skew that the measurements show now.
func (s *Skew) measured(dates span, hasDate bool) span {
	ahead := s.recent[0]
	for _, other := range s.recent[1:min(s.n, len(s.recent))] {
		ahead = ahead.or(other)
	}
	jump := s.jumped(s.at)
	switch {
	case hasDate && !dates.isNear(s.dates): // one of the clocks was set
		return ahead.or(ahead.add(dates.least-s.dates.most, dates.most-s.dates.least))
	case !hasDate || jump.Abs() < detectable: // the local clock was set
		return ahead.or(ahead.add(-jump, -jump))
	}
	return ahead // the machine was suspended, which does not change the wall clock
}

// jumped returns how much more time has passed since t by the wall clock than by the monotonic
// one.
func (s *Skew) jumped(t time.Time) time.Duration {
	if s.Jumped != nil {
		return s.Jumped(t)
	}
	now := time.Now()
	return now.Round(0).Sub(t.Round(0)) - now.Sub(t)
}
