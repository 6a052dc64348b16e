package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/clerk-invitations/clerk-go"
)

// A display shows how far a run has got: a bar on a terminal, lines elsewhere.
type display struct {
	w     io.Writer
	total int // requests
	bar   *progressbar.ProgressBar
	quiet time.Duration // between lines, at least, but before waits that are as long
	last  time.Time     // when there was a line
}

func newDisplay(w io.Writer, total int, quiet time.Duration) *display {
	d := &display{w: w, total: total, quiet: quiet}
	if file, ok := w.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		d.bar = progressbar.NewOptions(total, progressbar.OptionSetWriter(w),
			progressbar.OptionShowCount(), progressbar.OptionSetPredictTime(false),
			progressbar.OptionThrottle(50*time.Millisecond), progressbar.OptionSetWidth(30))
	}
	return d
}

// show is a run's observer.
func (d *display) show(p clerk.Progress) {
	text := d.text(p)
	if d.bar != nil {
		d.bar.Describe(text)
		_ = d.bar.Set(p.Done()) // beyond the end is no failure of the run
		return
	}
	now := time.Now()
	if now.Sub(d.last) >= d.quiet || p.WaitUntil.Sub(now) >= d.quiet || p.Done() == d.total {
		d.last = now
		fmt.Fprintf(d.w, "%d of %d: %s\n", p.Done(), d.total, text)
	}
}

func (d *display) text(p clerk.Progress) string {
	if p.Taken == 0 {
		return fmt.Sprintf("%d invitations listed", p.Listed)
	}
	text := fmt.Sprintf("%d sent, %d skipped, %d refused", p.Created, p.AlreadyInvited+p.UserExists, p.Rejected)
	switch {
	case p.Cause != nil:
		text += fmt.Sprintf("; trying again at %s: %v", clock(p.WaitUntil), p.Cause)
	case !p.WaitUntil.IsZero():
		text += "; at Clerk's limit until " + clock(p.WaitUntil)
	}
	if p.Done() < d.total {
		text += ", done about " + clock(p.EstimateEnd(d.total))
	}
	return text
}

// clock is a time of day, with the day where that is another.
func clock(t time.Time) string {
	if time.Until(t) > 20*time.Hour {
		return t.Format("Mon 15:04")
	}
	return t.Format(time.TimeOnly)
}

func (d *display) close() {
	if d.bar != nil {
		_ = d.bar.Exit()
		fmt.Fprintln(d.w)
	}
}
