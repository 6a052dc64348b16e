package clerkriver

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"github.com/jackc/pgx/v5"
)

// Results returns the rows of a campaign in order, starting at a place, including rows without
// an outcome. If states are given, it returns only rows in one of them; a text that is not one
// of the State constants is an error. It reads a thousand rows at a time. An error is yielded
// once, last.
func (c *Campaigns) Results(ctx context.Context, name string, from int, wanted ...State) iter.Seq2[Result, error] {
	const page = 1000
	return func(yield func(Result, error) bool) {
		for _, state := range wanted {
			if !slices.Contains(states, state) {
				yield(Result{}, fmt.Errorf("clerkriver: %q is not a State", state))
				return
			}
		}
		id, err := c.campaign(ctx, c.pool, name)
		for n := page; err == nil && n == page; {
			var results []Result
			results, err = c.results(ctx, id, name, from, page, wanted)
			n = len(results)
			for _, result := range results {
				if !yield(result, nil) {
					return
				}
				from = result.Place + 1
			}
		}
		if err != nil {
			yield(Result{}, err)
		}
	}
}

func (c *Campaigns) results(ctx context.Context, id int64, name string, from, limit int, states []State) ([]Result, error) {
	wanted := []string{} // nil would be NULL
	for _, state := range states {
		wanted = append(wanted, string(state))
	}
	rows, err := c.pool.Query(ctx, c.sql(queryResults), id, from, limit, wanted)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (Result, error) {
		result := Result{Campaign: name}
		var encoded []byte
		if err := row.Scan(&result.Place, &result.Ref, &encoded, &result.State, &result.InvitationID,
			&result.Problem, &result.ChangedAt, &result.Untold, &result.BecameAt, &result.Replaced); err != nil {
			return result, err
		}
		result.BecameAt = timeOrZero(result.BecameAt)
		request, err := decodeRequest(encoded)
		result.EmailAddress = request.EmailAddress
		return result, err
	})
}
