package main

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// lookups is how long the library looks for a write whose response was lost.
const lookups = 5 * time.Second

// report writes the answers as Markdown, without addresses, keys or tickets.
func (r *run) report(w io.Writer, cleaning error) error {
	var b strings.Builder
	fmt.Fprintf(&b, "## What Clerk's live API does\n\n")
	fmt.Fprintf(&b, "Run %s on %s: %d requests in %s, Clerk-API-Version %s.\n",
		r.name, r.begun.UTC().Format(time.DateOnly), r.sent, time.Since(r.begun).Round(time.Second), apiVersion)
	switch {
	case cleaning == nil && r.left != "":
		fmt.Fprintf(&b, "All but one invitation that it created was revoked and deleted: run it with -day %s in a day.\n", r.name)
	case cleaning == nil:
		fmt.Fprintf(&b, "Everything it created was revoked and deleted.\n")
	default:
		fmt.Fprintf(&b, "**Not everything it created is deleted**: %s.\n", cleaning)
	}
	if r.err != nil {
		fmt.Fprintf(&b, "**It ended early**: %s.\n", r.err)
	}
	fmt.Fprintf(&b, "\n| question | assumed | seen | is the library right? |\n|---|---|---|---|\n")
	for _, q := range questions {
		if _, answered := r.answers[q.key]; r.only && !answered {
			continue
		}
		seen, right := r.row(q)
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", q.text, q.assumed, seen, right)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// row returns the last two columns for a question.
func (r *run) row(q question) (seen, right string) {
	a, answered := r.answers[q.key]
	switch {
	case !answered && q.needs != "":
		return "not asked: it needs " + q.needs, "-"
	case !answered:
		return "not asked: the run ended early", "-"
	case a.none != "":
		return "no answer: " + a.none, "-"
	case a.other != "":
		return a.other, "unknown: no flip of the fake is like this"
	case a.flip == "":
		return "as assumed", "yes"
	case breaks[a.flip] != "":
		return "`" + a.flip + "`", breaks[a.flip]
	}
	if late, ok := strings.CutPrefix(a.flip, "list-lag="); ok {
		late, _, _ = strings.Cut(late, ",")
		if lag, err := time.ParseDuration(late); err != nil || lag > lookups {
			return "`" + a.flip + "`", "no: by default it looks for a lost write for " + lookups.String() + " only"
		}
	}
	return "`" + a.flip + "`", "yes, its tests hold under this flip"
}
