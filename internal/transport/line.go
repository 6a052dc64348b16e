package transport

import (
	"fmt"
	"strings"
	"time"
)

// A Line holds the parts of the one line of a call's error.
type Line struct {
	// Method is the method that was called; empty if there was none.
	Method string
	// Outcome comes before the status, and Message after it.
	Outcome, Message string
	// Status, RetryAfter, Attempts and TraceID describe the call. Zero values are left out,
	// and so is a single attempt.
	Status     int
	RetryAfter time.Duration
	Attempts   int
	TraceID    string
}

// String returns the line.
func (l Line) String() string {
	var b strings.Builder
	b.WriteString("clerk: ")
	if l.Method != "" {
		b.WriteString(l.Method + ": ")
	}
	b.WriteString(l.Outcome)
	if l.Status != 0 {
		fmt.Fprintf(&b, "%d ", l.Status)
	}
	b.WriteString(l.Message)
	var notes []string
	if l.RetryAfter > 0 {
		notes = append(notes, "retry after "+l.RetryAfter.Round(time.Millisecond).String())
	}
	if l.Attempts > 1 {
		notes = append(notes, fmt.Sprintf("%d attempts", l.Attempts))
	}
	if l.TraceID != "" {
		notes = append(notes, "trace "+l.TraceID)
	}
	if len(notes) > 0 {
		b.WriteString(" (" + strings.Join(notes, ", ") + ")")
	}
	return b.String()
}
