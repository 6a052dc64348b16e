package main

import (
	"cmp"
	"encoding/csv"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/examples/internal/people"
)

// What a line of the report says, beside what clerk.Outcome does.
const (
	notSent        = "not sent"
	wouldBeInvited = "would be invited"
)

var (
	created = clerk.OutcomeCreated.String()
	refused = clerk.OutcomeRejected.String()
	inOrder = []string{
		created, wouldBeInvited, clerk.OutcomeAlreadyInvited.String(), clerk.OutcomeUserExists.String(), refused, notSent,
	}
)

// A report has a line for each line of the input.
type report struct {
	lines  []line
	byRow  []int // of the lines, by the index of their request
	counts map[string]int
}

type line struct {
	people.Row

	outcome, invitation, problem string
}

func newReport(list *people.List) *report {
	r := &report{byRow: make([]int, len(list.Requests)), counts: map[string]int{}}
	for i, row := range list.Rows {
		next := line{Row: row, outcome: notSent}
		if row.Request < 0 {
			next.outcome, next.problem = refused, row.Problem
		} else {
			r.byRow[row.Request] = i
		}
		r.counts[next.outcome]++
		r.lines = append(r.lines, next)
	}
	return r
}

// add takes in a result.
func (r *report) add(result clerk.CreateResult, dry bool) {
	l := &r.lines[r.byRow[result.Index]]
	r.counts[l.outcome]--
	l.outcome = result.Outcome.String()
	switch {
	case result.Err != nil:
		l.problem = result.Err.Error()
	case result.Invitation != nil && dry:
		l.outcome = wouldBeInvited
	case result.Invitation != nil:
		l.invitation = result.Invitation.ID
	}
	r.counts[l.outcome]++
}

func (r *report) summary() string {
	var parts []string
	for _, outcome := range inOrder {
		if n := r.counts[outcome]; n > 0 {
			parts = append(parts, fmt.Sprint(n, " ", outcome))
		}
	}
	return cmp.Or(strings.Join(parts, ", "), "nobody")
}

// create makes the file for a report, which must not exist.
func create(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) //nolint:gosec // the user names it; it holds addresses
}

// write writes the report to its file, and closes it.
func (r *report) write(file *os.File) error {
	w := csv.NewWriter(file)
	_ = w.Write([]string{"line", "email_address", "outcome", "invitation_id", "problem"}) // Error tells
	for _, l := range r.lines {
		_ = w.Write([]string{strconv.Itoa(l.Line), l.Address, l.outcome, l.invitation, l.problem})
	}
	w.Flush()
	return cmp.Or(w.Error(), file.Close())
}
