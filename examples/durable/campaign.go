package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/examples/internal/people"
)

// A batch is what one job invites: up to ten rows of a campaign. There is one for each
// campaign and first line only, whatever has become of it.
type batch struct {
	Campaign string `json:"campaign" river:"unique"`
	Line     int    `json:"line"     river:"unique"` // of the first row
	Rows     []row  `json:"rows"`
}

// Kind names the jobs in the database.
func (batch) Kind() string { return "clerk_invitations" }

// InsertOpts makes them unique.
func (batch) InsertOpts() river.InsertOpts {
	return river.InsertOpts{UniqueOpts: river.UniqueOpts{ByArgs: true, ByQueue: true, ByState: rivertype.JobStates()}}
}

// A row is a line of the campaign's file.
type row struct {
	Line    int                           `json:"line"`
	Request clerk.CreateInvitationRequest `json:"request"`
	Problem string                        `json:"problem,omitempty"` // why it cannot be sent
}

// A result is what came of a row. Jobs keep them as their output.
type result struct {
	Line         int    `json:"line"`
	Outcome      string `json:"outcome"` // as clerk.Outcome has it
	InvitationID string `json:"invitation_id,omitempty"`
	Problem      string `json:"problem,omitempty"`
}

// What else may be said of a row.
const (
	waiting   = "waiting"
	underWay  = "under way" // in a job that a worker carries out, or was killed in
	cancelled = "cancelled"
	inDoubt   = "in doubt" // given up after an attempt that failed, or was lost, and may have sent it
)

// batches is the jobs for a list of people.
func batches(campaign string, list *people.List) []batch {
	lines := map[string]int{} // of addresses
	var all []batch
	for _, read := range list.Rows {
		next := row{Line: read.Line, Problem: read.Problem}
		next.Request.EmailAddress = read.Address
		if read.Request >= 0 {
			next.Request = list.Requests[read.Request]
			key := strings.ToLower(read.Address)
			if first, again := lines[key]; again {
				next.Problem = fmt.Sprintf("the same address as in line %d", first)
			} else {
				lines[key] = read.Line
			}
		}
		if strings.Contains(fmt.Sprint(read.Address, next.Request.PublicMetadata), "\x00") { // PostgreSQL does not take it
			next = row{Line: read.Line, Problem: "it holds a NUL character"}
		}
		last := len(all) - 1
		if last < 0 || len(all[last].Rows) == clerk.MaxBulkInvitations {
			all = append(all, batch{Campaign: campaign, Line: next.Line})
			last++
		}
		all[last].Rows = append(all[last].Rows, next)
	}
	return all
}

// A store is where the campaigns of an instance of Clerk are kept.
type store struct {
	db       *database
	jobs     jobClient // that works on none
	limit    *limit
	instance string
}

// openStore makes in the database what is not there yet.
func openStore(ctx context.Context, db *database, instance string, share clerk.Budget, clerkAPI http.RoundTripper) (*store, error) {
	err := db.migrate(ctx)
	for range 5 { // of several that make the tables at once all but one fail, and then find them
		if err == nil || ctx.Err() != nil {
			break
		}
		time.Sleep(500 * time.Millisecond)
		err = db.migrate(ctx)
	}
	if err != nil {
		return nil, err
	}
	jobs, err := db.newClient(&river.Config{})
	if err != nil {
		return nil, err
	}
	s := &store{db: db, jobs: jobs, instance: instance}
	s.limit = &limit{db: db.sql, instance: instance, share: share, next: clerkAPI}
	return s, s.limit.furnish(ctx)
}

// enqueue adds a campaign, and tells how many of its jobs are new. One that is there
// already stays as it is, and may have no other rows.
func (s *store) enqueue(ctx context.Context, campaign string, list *people.List) (int, error) {
	all := batches(campaign, list)
	switch {
	case len(all) == 0:
		return 0, errors.New("there is nobody to invite")
	case nameOf(campaign) != campaign, !utf8.ValidString(campaign), strings.ContainsFunc(campaign, unicode.IsControl):
		return 0, fmt.Errorf("%q is no name for a campaign; give it another, with -campaign", campaign)
	}
	if err := s.checkRows(ctx, campaign, all); err != nil {
		return 0, err
	}
	var params []river.InsertManyParams
	for _, b := range all {
		params = append(params, river.InsertManyParams{Args: b, InsertOpts: &river.InsertOpts{Queue: s.instance}})
	}
	inserted, err := s.jobs.InsertMany(ctx, params)
	if err != nil {
		return 0, err
	}
	added := 0
	for _, one := range inserted {
		if !one.UniqueSkippedAsDuplicate {
			added++
		}
	}
	return added, s.checkRows(ctx, campaign, all) // another may have done the same meanwhile
}

// checkRows refuses a campaign that is there with other rows.
func (s *store) checkRows(ctx context.Context, campaign string, all []batch) error {
	jobs, err := s.find(ctx, campaign)
	if err == nil && len(jobs) > 0 && !sameRows(jobs, all) {
		err = fmt.Errorf("there is a campaign %q with other rows; enqueue these under another name, with -campaign: "+
			"who is invited already is not invited again", campaign)
	}
	return err
}

func sameRows(jobs []job, all []batch) bool {
	for i := range all {
		encoded, err := json.Marshal(all[i])
		var want batch // as it comes out of the database
		if err != nil || json.Unmarshal(encoded, &want) != nil || i >= len(jobs) || !reflect.DeepEqual(jobs[i].batch, want) {
			return false
		}
	}
	return len(jobs) == len(all)
}

// A job is a batch, and what has become of it.
type job struct {
	batch

	row     *rivertype.JobRow
	results map[int]result // by line
}

// decode reads a job.
func decode(row *rivertype.JobRow) (job, error) {
	j := job{row: row, results: map[int]result{}}
	if err := json.Unmarshal(row.EncodedArgs, &j.batch); err != nil {
		return j, err
	}
	if row.Output() == nil {
		return j, nil
	}
	var results []result
	err := json.Unmarshal(row.Output(), &results)
	for _, r := range results {
		j.results[r.Line] = r
	}
	return j, err
}

// unsettled is the rows that are to be sent.
func (j *job) unsettled() []row {
	return slices.DeleteFunc(slices.Clone(j.Rows), func(r row) bool {
		known, ok := j.results[r.Line]
		return ok && known.Outcome != inDoubt || r.Problem != ""
	})
}

// result is what came of a row of the job, or may yet come of it.
func (j *job) result(r row) result {
	known, ok := j.results[r.Line]
	switch {
	case ok && known.Outcome != inDoubt:
		return known
	case r.Problem != "":
		return result{Line: r.Line, Outcome: clerk.OutcomeRejected.String(), Problem: r.Problem}
	}
	open := result{Line: r.Line, Outcome: waiting, Problem: cmp.Or(known.Problem, j.failure())}
	switch {
	case j.row.State == rivertype.JobStateRunning:
		open.Outcome = underWay
	case j.row.State == rivertype.JobStateCancelled && open.Problem == "":
		open.Outcome = cancelled
	case j.row.FinalizedAt != nil:
		open.Outcome = inDoubt
	}
	return open
}

// failure is why the last attempt at the job failed; empty when none did. That it was
// cancelled is no failure.
func (j *job) failure() string {
	for _, attempt := range slices.Backward(j.row.Errors) {
		if !strings.Contains(attempt.Error, river.ErrJobCancelledRemotely.Error()) {
			return attempt.Error
		}
	}
	return ""
}

// isRetried reports whether the job failed, and waits to be tried again. River has those
// that do not wait for long available.
func (j *job) isRetried() bool {
	waits := j.row.State == rivertype.JobStateRetryable || j.row.State == rivertype.JobStateAvailable
	return waits && j.failure() != ""
}

// find gives the jobs of a campaign, in the order of its rows.
func (s *store) find(ctx context.Context, campaign string) ([]job, error) {
	return s.list(ctx, river.NewJobListParams().Where("args ->> 'campaign' = @campaign", river.NamedArgs{"campaign": campaign}))
}

// list gives all jobs of the instance that the parameters ask for.
func (s *store) list(ctx context.Context, params *river.JobListParams) ([]job, error) {
	const pageSize = 1000
	params = params.Kinds(batch{}.Kind()).Queues(s.instance).First(pageSize)
	var jobs []job
	for {
		page, err := s.jobs.JobList(ctx, params)
		if err != nil {
			return nil, err
		}
		for _, row := range page.Jobs {
			j, err := decode(row)
			if err != nil {
				return nil, err
			}
			jobs = append(jobs, j)
		}
		if len(page.Jobs) < pageSize {
			return jobs, nil
		}
		params = params.After(page.LastCursor)
	}
}

// existing is find for a campaign that must be there.
func (s *store) existing(ctx context.Context, campaign string) ([]job, error) {
	jobs, err := s.find(ctx, campaign)
	if err == nil && len(jobs) == 0 {
		err = fmt.Errorf("there is no campaign %q of the instance %q in this database", campaign, s.instance)
	}
	return jobs, err
}

// cancel keeps back what of a campaign has not gone out.
func (s *store) cancel(ctx context.Context, campaign string) error {
	jobs, err := s.existing(ctx, campaign)
	if err != nil {
		return err
	}
	for _, j := range jobs {
		if j.row.FinalizedAt != nil {
			continue
		}
		if _, err := s.jobs.JobCancel(ctx, j.row.ID); err != nil {
			return err
		}
	}
	return nil
}

// stop has no worker begin a job, until resume is called, and keeps the reason. River
// forgets it when no worker has run for a day; the first job then finds it out again.
func (s *store) stop(ctx context.Context, reason string) error {
	if err := s.keepReason(ctx, reason); err != nil {
		return err
	}
	return s.jobs.QueuePause(ctx, s.instance, nil)
}

func (s *store) resume(ctx context.Context) error {
	if err := s.keepReason(ctx, ""); err != nil && !errors.Is(err, river.ErrNotFound) {
		return err
	}
	err := s.jobs.QueueResume(ctx, s.instance, nil)
	if errors.Is(err, river.ErrNotFound) { // no worker was ever here
		return nil
	}
	return err
}

type queueMetadata struct {
	Stopped string `json:"stopped"`
}

func (s *store) keepReason(ctx context.Context, reason string) error {
	encoded, err := json.Marshal(queueMetadata{reason})
	if err == nil {
		_, err = s.jobs.QueueUpdate(ctx, s.instance, &river.QueueUpdateParams{Metadata: encoded})
	}
	return err
}

// stopped is why no job is begun; empty when they are.
func (s *store) stopped(ctx context.Context) (string, error) {
	queue, err := s.jobs.QueueGet(ctx, s.instance)
	switch {
	case errors.Is(err, river.ErrNotFound):
		return "", nil
	case err != nil || queue.PausedAt == nil:
		return "", err
	}
	var metadata queueMetadata
	err = json.Unmarshal(queue.Metadata, &metadata)
	return cmp.Or(metadata.Stopped, "the queue is paused"), err
}
