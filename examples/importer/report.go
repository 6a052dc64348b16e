package main

import (
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/clerk-invitations/clerk-go"
)

// What a line of the report says, beside what clerk.Outcome does.
const (
	notSent        = "not sent"
	wouldBeInvited = "would be invited"
)

var (
	created = clerk.OutcomeCreated.String()
	refused = clerk.OutcomeRefused.String()
	inOrder = []string{
		created, wouldBeInvited, clerk.OutcomeAlreadyInvited.String(), clerk.OutcomeAlreadyUser.String(), refused, notSent,
	}
)

// A report has a line for each line of the input.
type report struct {
	lines  []line
	byRow  []int // of the lines, by the index of their request
	counts map[string]int
}

type line struct {
	row

	outcome, invitation, problem string
}

func newReport(p *people) *report {
	r := &report{byRow: make([]int, len(p.requests)), counts: map[string]int{}}
	for i, row := range p.rows {
		next := line{row: row, outcome: notSent}
		if row.request < 0 {
			next.outcome, next.problem = refused, row.problem
		} else {
			r.byRow[row.request] = i
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
	return strings.Join(parts, ", ")
}

// write puts the report in the place of an older one, whole.
func (r *report) write(path string) error {
	file, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(file.Name()) }() // fails once it is renamed
	w := csv.NewWriter(file)
	_ = w.Write([]string{"line", "email_address", "outcome", "invitation_id", "problem"}) // Error tells
	for _, l := range r.lines {
		_ = w.Write([]string{strconv.Itoa(l.line), l.address, l.outcome, l.invitation, l.problem})
	}
	w.Flush()
	if err := w.Error(); err != nil {
		_ = file.Close()
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	return os.Rename(file.Name(), path)
}
