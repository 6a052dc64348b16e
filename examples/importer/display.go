package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/clerk-invitations/clerk-go"
)

const (
	// plainWidth is the width if there is no terminal.
	plainWidth = 1 << 20
	barWidth   = 24
)

// A display shows the progress of a run, and what it waits for and until when. On a terminal
// it redraws a few lines each second; elsewhere it prints a line from time to time.
type display struct {
	w        io.Writer
	terminal *os.File // nil if w is not a terminal
	report   *report
	server   string
	quiet    time.Duration // the time between lines, except before waits of that length

	mu        sync.Mutex
	progress  clerk.Progress
	failure   string    // of the last request, "" if it succeeded
	failing   time.Time // since when all requests fail; zero if they do not
	reached   bool      // a request has reached Clerk
	inviting  bool      // the run invites, and does not only list
	sent      time.Time // when the last request was sent; zero if it has an answer
	started   time.Time
	stopping  bool
	closed    bool
	printed   time.Time // when the last line was printed
	drawn     int       // lines on the terminal
	unwatch   func() bool
	ticker    *time.Ticker
	endTicker chan struct{}
}

func newDisplay(w io.Writer, r *report, server string, quiet time.Duration) *display {
	d := &display{w: w, report: r, server: server, quiet: quiet, endTicker: make(chan struct{})}
	if file, ok := w.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		d.terminal = file
	}
	return d
}

// width returns how many columns a text may take. It leaves room for the ^C that a terminal
// shows.
func (d *display) width() int {
	if d.terminal == nil {
		return plainWidth
	}
	columns, _, err := term.GetSize(int(d.terminal.Fd()))
	if err != nil || columns < 20 {
		return 57
	}
	return columns - 3
}

// start shows the display, until close. When ctx ends, it says that the run is stopping.
func (d *display) start(ctx context.Context) {
	d.started = time.Now()
	d.update(func() bool { return true })
	d.unwatch = context.AfterFunc(ctx, func() {
		d.update(func() bool { d.stopping = true; return true })
	})
	if d.terminal == nil {
		return
	}
	d.ticker = time.NewTicker(time.Second)
	go func() {
		for {
			select {
			case <-d.ticker.C:
				d.update(func() bool { return false })
			case <-d.endTicker:
				return
			}
		}
	}()
}

// show shows a run's progress.
func (d *display) show(p clerk.Progress) {
	d.update(func() bool {
		if p.Done() > d.progress.Done() {
			d.failing = time.Time{}
		}
		d.progress, d.reached = p, true
		return time.Until(p.WaitUntil) >= d.quiet
	})
}

// sending shows that a request for an operation is being sent.
func (d *display) sending(operation clerk.Operation) {
	d.update(func() bool {
		isFirst := !d.inviting && operation != clerk.OperationList
		d.inviting, d.sent = d.inviting || isFirst, time.Now()
		return isFirst
	})
}

// failed shows the failure of a request or, if failure is "", that it succeeded. A successful
// lookup does not end an outage of writes.
func (d *display) failed(operation clerk.Operation, failure string) {
	d.update(func() bool {
		isNew := !d.reached && failure != d.failure
		switch {
		case failure == "" && (!d.inviting || operation != clerk.OperationList):
			d.failing = time.Time{}
		case failure != "" && d.failing.IsZero():
			d.failing = cmp.Or(d.sent, time.Now())
		}
		d.failure, d.reached, d.sent = failure, d.reached || failure == "", time.Time{}
		return isNew
	})
}

// note prints a text that stays above the display.
func (d *display) note(text string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.terminal == nil {
		fmt.Fprintln(d.w, text)
		return
	}
	d.draw([]string{text})
	d.drawn = 0
}

// update changes the display and shows the change. Without a terminal it shows only important
// changes, or others if some time has passed.
func (d *display) update(change func() (important bool)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	important := change()
	now := time.Now()
	switch {
	case d.closed:
	case d.terminal != nil:
		if important || now.Sub(d.printed) >= 50*time.Millisecond {
			d.printed = now
			d.draw(append(d.counts(), d.state(now)...))
		}
	case important || now.Sub(d.printed) >= d.quiet:
		d.printed = now
		fmt.Fprintf(d.w, "%s: %s\n", strings.Join(d.counts(), ": "), strings.Join(d.state(now), " "))
	}
}

// close shows the counts for the last time.
func (d *display) close() {
	d.unwatch()
	close(d.endTicker)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	if d.terminal != nil {
		d.ticker.Stop()
		d.draw(d.counts()[:1])
	}
}

// counts returns a bar and the counts by outcome, as in the report.
func (d *display) counts() []string {
	total := d.report.total()
	done := total - d.report.count(notSent)
	text := fmt.Sprintf("%d of %s", done, count(total, "line"))
	if d.terminal != nil {
		filled := barWidth * done / max(total, 1)
		text = "[" + strings.Repeat("#", filled) + strings.Repeat(".", barWidth-filled) + "] " + text
	}
	return []string{text, d.report.summary("to go")}
}

// state returns what the run is doing, what it waits for, and when it will end.
func (d *display) state(now time.Time) []string {
	p := d.progress
	waits := p.WaitUntil.After(now)
	until := fmt.Sprintf("until %s (%s left)", clock(p.WaitUntil, now), p.WaitUntil.Sub(now).Truncate(time.Second))
	switch {
	case d.stopping:
		return []string{"Stopping: the request under way may take 15 seconds. To end at once, press Ctrl-C again."}
	case waits && p.Cause != nil:
		if patience := d.patience(now); patience != "" {
			until += ", " + patience
		}
		return []string{fmt.Sprintf("Waiting to try again %s: %s", until, explainWait(p.Cause))}
	case waits && p.WaitFor != "":
		end := ""
		if rest := len(d.report.byRow); p.Done() < rest {
			end = fmt.Sprintf("It ends about %s. ", clock(p.EstimateEnd(rest), now))
		}
		return []string{"All is well: waiting for Clerk's hourly limit " + until + ".", end + "You can stop with Ctrl-C and resume later."}
	case waits:
		return []string{"All is well: waiting " + until + " to try some lines again."}
	case d.failure != "":
		return []string{d.failure + "; trying again " + d.patience(now) + " (" + d.server + ")."}
	case !d.reached:
		return []string{fmt.Sprintf("Connecting to %s (%d s).", d.server, int(now.Sub(d.started).Seconds()))}
	case !d.sent.IsZero() && now.Sub(d.sent) >= time.Second:
		return []string{fmt.Sprintf("Waiting for Clerk's answer (%d s).", int(now.Sub(d.sent).Seconds()))}
	case !d.inviting:
		return []string{fmt.Sprintf("Reading the existing invitations: %d so far.", p.Listed)}
	}
	return []string{"Inviting."}
}

// patience says how long a run continues while all requests fail: a minute while it lists, and
// a day after Clerk has answered. It returns "" if not all requests fail.
func (d *display) patience(now time.Time) string {
	switch {
	case d.failing.IsZero():
		return ""
	case d.inviting:
		return "for up to a day (until " + clock(d.failing.Add(24*time.Hour), now) + ")"
	}
	left := d.failing.Add(time.Minute).Sub(now).Truncate(time.Second)
	return fmt.Sprintf("for up to %s", max(left, 0))
}

// draw replaces the lines on the terminal.
func (d *display) draw(texts []string) {
	var lines []string
	for _, text := range texts {
		lines = append(lines, wrap(text, d.width())...)
	}
	var b strings.Builder
	if d.drawn > 0 {
		fmt.Fprintf(&b, "\x1b[%dA", d.drawn) // up to the first
	}
	b.WriteString("\r\x1b[J") // clear to the end of the screen
	for _, line := range lines {
		b.WriteString(line + "\r\n")
	}
	d.drawn = len(lines)
	_, _ = io.WriteString(d.w, b.String()) // the run does not fail if the terminal is gone
}

// explainWait says why a run waits before it tries again.
func explainWait(cause error) string {
	meta, _ := clerk.MetaFromError(cause)
	if meta.StatusCode == 0 {
		return "Clerk cannot be reached."
	}
	return fmt.Sprintf("Clerk has a problem (status %d).", meta.StatusCode)
}

// clock returns a time of day, with the day of the week if it is another day.
func clock(t, now time.Time) string {
	if t.Sub(now) > 20*time.Hour {
		return t.Format("Mon 15:04")
	}
	return t.Format(time.TimeOnly)
}

// wrap breaks a text at spaces into lines of at most width characters. A longer word is cut.
func wrap(text string, width int) (lines []string) {
	line := ""
	for word := range strings.FieldsSeq(text) {
		if line != "" && len(line)+1+len(word) > width {
			lines, line = append(lines, line), ""
		}
		for len(word) > width {
			lines, word = append(lines, word[:width]), word[width:]
		}
		line = strings.TrimPrefix(line+" "+word, " ")
	}
	return append(lines, line)
}
