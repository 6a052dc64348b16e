package main

import (
	"cmp"
	"encoding/csv"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/examples/internal/people"
)

// A report has a line for each line of the input.
type report struct {
	dry   bool
	comma rune // between columns
	lines []line
	byRow []int // position in lines of each request

	unusual int // lines of a dry run whose problem is that

	mu     sync.Mutex // the display reads the counts
	counts map[string]int
}

type line struct {
	people.Row

	outcome, invitation, problem string
	first                        int // earlier line with the same address, 0 if there is none
}

func newReport(list *people.List, dry bool) *report {
	r := &report{dry: dry, comma: list.Comma, byRow: make([]int, len(list.Requests)), counts: map[string]int{}}
	seen := map[string]int{}
	for i, row := range list.Rows {
		next := line{Row: row, outcome: notSent}
		if row.Request < 0 {
			next.outcome, next.problem = refused, row.Problem
		} else {
			r.byRow[row.Request] = i
			key := keyOf(row.Address)
			if next.first = seen[key]; next.first == 0 {
				seen[key] = row.Line
			}
		}
		r.counts[next.outcome]++
		r.lines = append(r.lines, next)
	}
	return r
}

// add records a result.
func (r *report) add(result clerk.CreateResult) {
	l := &r.lines[r.byRow[result.Index]]
	r.set(l, outcomeOf(result, r.dry))
	if result.Outcome == clerk.OutcomeCreated {
		l.problem = "" // whatever was compared is gone
	}
	switch {
	case result.Err != nil:
		l.problem = explain(result.Err)
	case l.first > 0 && result.Outcome != clerk.OutcomeCreated:
		l.problem = fmt.Sprintf("the same address as in line %d", l.first)
	case l.outcome == wouldBeInvited && people.IsUnusual(l.Address):
		l.problem = unusual
		r.unusual++
	}
	switch {
	case r.dry && result.Outcome != clerk.OutcomeAlreadyInvited:
	case result.Invitation != nil:
		l.invitation = result.Invitation.ID
	case result.Existing != nil:
		l.invitation = result.Existing.ID
	}
}

// addStates records the states of the addresses, by the key of each. Refused lines stay so.
func (r *report) addStates(states map[string]state) {
	for _, i := range r.byRow {
		l := &r.lines[i]
		if l.outcome == refused {
			continue
		}
		s := states[keyOf(l.Address)]
		r.set(l, cmp.Or(s.outcome, notInvited))
		l.invitation = s.invitation
		if l.first > 0 {
			l.problem = fmt.Sprintf("the same address as in line %d", l.first)
		}
	}
}

// firstLines returns the lines by the keys of their addresses. Lines that repeat an address are
// left out.
func (r *report) firstLines() map[string]*line {
	lines := map[string]*line{}
	for _, i := range r.byRow {
		if l := &r.lines[i]; l.first == 0 {
			lines[keyOf(l.Address)] = l
		}
	}
	return lines
}

// keys returns the keys of the addresses.
func (r *report) keys() map[string]bool {
	keys := map[string]bool{}
	for _, i := range r.byRow {
		keys[keyOf(r.lines[i].Address)] = true
	}
	return keys
}

// set sets the outcome of a line.
func (r *report) set(l *line, outcome string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.counts[l.outcome]--
	r.counts[outcome]++
	l.outcome = outcome
}

func (r *report) total() int { return len(r.lines) }

func (r *report) count(outcome string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.counts[outcome]
}

// summary returns the counts by outcome. Lines that were not sent are counted as unsent, a
// name that the caller chooses.
func (r *report) summary(unsent string) string {
	var parts []string
	for _, outcome := range outcomes {
		if n := r.count(outcome); n > 0 {
			if outcome == notSent {
				outcome = unsent
			}
			parts = append(parts, fmt.Sprint(n, " ", outcome))
		}
	}
	return cmp.Or(strings.Join(parts, ", "), "nobody")
}

// create creates the file for a report. The file must not exist.
func create(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) //nolint:gosec // the user chooses it; it contains addresses
}

// tryCreate reports whether the file for a report can be created. It leaves none.
func tryCreate(path string) error {
	file, err := create(path)
	if err != nil {
		return err
	}
	_ = file.Close()
	return os.Remove(path)
}

// formula matches what a spreadsheet may take for a formula: at the beginning of a cell, or
// after a separator, as the spreadsheet may expect another one than the report's.
var formula = regexp.MustCompile(`(^|[,;|\t\r\n])(\s*)([=+\-@＝＋－＠])`)

// cell returns a text that no spreadsheet takes for a formula.
func cell(text string) string { return formula.ReplaceAllString(text, "$1$2'$3") }

// write writes the report to a new file. It removes a file that it cannot fill.
func (r *report) write(path string) error {
	file, err := create(path)
	if err != nil {
		return err
	}
	if err = r.fill(file); err != nil {
		_ = os.Remove(path) // the first error counts
	}
	return err
}

// fill writes the report to its file, and closes it.
func (r *report) fill(file *os.File) error {
	_, err := file.WriteString("\ufeff") // Excel reads UTF-8 only with a byte order mark
	w := csv.NewWriter(file)
	w.Comma = r.comma
	_ = w.Write([]string{"line", "email_address", "outcome", "invitation_id", "problem"}) // Error returns its error
	for _, l := range r.lines {
		_ = w.Write([]string{strconv.Itoa(l.Line), cell(l.Address), l.outcome, l.invitation, cell(l.problem)})
	}
	w.Flush()
	closed := file.Close()
	return cmp.Or(err, w.Error(), closed)
}
