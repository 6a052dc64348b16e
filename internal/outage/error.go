package outage

import "time"

// An Error says that a request was held back until there was no more time for it.
type Error struct {
	// For is how long the request was held back.
	For time.Duration
	// Cause is the last failure of the operation, if there is an outage; otherwise empty.
	Cause string
	// Ended is the error of the context, if that ended the wait.
	Ended error
}

func (e *Error) Error() string {
	text := "held back for " + e.For.Round(time.Millisecond).String()
	if e.Cause != "" {
		text += ", as the server seems to be down (" + e.Cause + ")"
	}
	if e.Ended != nil {
		text += ": " + e.Ended.Error()
	}
	return text
}

func (e *Error) Unwrap() error { return e.Ended }
