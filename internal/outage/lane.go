package outage

import (
	"math"
	"time"
)

const (
	// writeFailures and readFailures are the numbers of failures in a row that mean an outage,
	// if there was no success lately. Reads do less harm, and look up the outcomes of writes.
	writeFailures = 3
	readFailures  = 8
	// successWeight limits how many more failures an outage takes after successes.
	successWeight = 6
	// halfLife is the time after which successes weigh half as much.
	halfLife = 5 * time.Second
	// longestAsked is the longest wait for which a failure can ask.
	longestAsked = time.Minute
	// startWindow is the number of requests that may be under way before the first success,
	// and after an outage has begun. Each success adds one, up to maxWindow.
	startWindow = 12
	maxWindow   = 100
)

// A Failure describes a request that Failed.
type Failure struct {
	// Cause says why, in a few words.
	Cause string
	// RetryAfter is the wait that the server asked for; 0 if it did not ask.
	RetryAfter time.Duration
}

// A lane holds what is known about the requests of one operation.
type lane struct {
	isRead bool

	failures  int     // in a row
	failed    any     // the call of the first one; nil if there is none
	several   bool    // they belong to several calls
	cause     string  // of the last one
	successes float64 // weighed, at the time of the last one
	succeeded time.Time

	since    time.Time // when the outage began; zero if there is none
	asked    time.Time // the server asked to send no request before
	probe    time.Time // when the next request may be sent in an outage
	underway int       // requests that count against window
	window   int       // the most requests under way
}

func newLane(isRead bool) *lane { return &lane{isRead: isRead, window: startWindow} }

func (l *lane) isOut() bool { return !l.since.IsZero() }

// holdsAll reports whether first requests wait as well. If only requests of one call have
// failed, the call may be the reason.
func (l *lane) holdsAll() bool { return l.isOut() && l.several }

// succeed records an answer. It reports whether that ends an outage.
func (l *lane) succeed(now time.Time) (ended bool) {
	l.successes, l.succeeded = min(successWeight, l.recentSuccesses(now)+1), now
	l.failures, l.failed, l.several = 0, nil, false
	l.window = min(l.window+1, maxWindow)
	ended, l.since = l.isOut(), time.Time{}
	return ended
}

func (l *lane) recentSuccesses(now time.Time) float64 {
	return l.successes * math.Exp2(-now.Sub(l.succeeded).Seconds()/halfLife.Seconds())
}

// fail records a failure of a call's request.
func (l *lane) fail(now time.Time, call any, f Failure, random float64) {
	l.cause = f.Cause
	l.asked = later(l.asked, now.Add(min(f.RetryAfter, longestAsked)))
	l.several = l.several || l.failed != nil && l.failed != call
	l.failures, l.failed = l.failures+1, call
	limit := writeFailures
	if l.isRead {
		limit = readFailures
	}
	if !l.isOut() && l.failures >= limit+int(l.recentSuccesses(now)) {
		l.since, l.window = now, startWindow
		l.delayProbe(now, random)
	}
}

// delayProbe sets when the next request may be sent in an outage. Probes get rarer the longer
// it lasts, and are spread, as other clients may have noticed the outage at the same time.
func (l *lane) delayProbe(now time.Time, random float64) {
	lasted := now.Sub(l.since)
	wait := min(3500*time.Millisecond+lasted/5, 7500*time.Millisecond)
	if l.isRead {
		wait = min(time.Second+lasted/8, 4*time.Second)
	}
	l.probe = now.Add(wait - time.Duration(random*float64(wait)/10))
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
