package clerkriver

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/clerk-invitations/clerk-go"
)

const (
	// chunk limits the rows that are pulled at a time. A killed runner leaves up to that
	// number without an outcome, in addition to those of CreateAll.
	chunk = clerk.MaxBulkInvitations
	// skipSlack is the largest difference allowed between the clocks of Clerk and the database.
	skipSlack = time.Minute
	// maxAttempts limits the attempts of a row. If none of them has an outcome, the row is
	// reported as unknown.
	maxAttempts = 3
)

// allStatuses are the statuses of the two lists that together have all invitations.
var allStatuses = []clerk.InvitationStatus{"", clerk.InvitationStatusRevoked}

// A run is one stretch of sending, under a lease.
type run struct {
	lease

	c      *Campaigns
	client *clerk.Client
	ctx    context.Context //nolint:containedctx // of the run, which stop ends

	takesOver bool // the last run has not given the lease back
	// Other processes of the instance have OnResult or OnChange, and this one has not.
	lacksOnResult, lacksOnChange bool

	checked   bool   // whether the key may be that of another instance of Clerk
	isForeign bool   // that it may
	wasPaused bool   // a pause has ended by itself, and Clerk has not accepted a request since
	left      []item // rows that the last run took and left without an outcome
	group     group

	mu      sync.Mutex
	given   []item // to CreateAll, by index
	pulled  []item // not yet given to it
	pullErr error

	untold      int   // calls of OnResult and OnChange that failed, under mu
	firstUntold error // why the first of them did

	unknowns []unknown // rows that may have been sent, but have no result
	cause    error     // of the last wait that CreateAll began, until Clerk answers for a row
	shown    string    // the problem that the statuses show
	sent     bool      // Clerk has created an invitation, or refused one row alone
	asked    bool      // CreateAll or a listing has ended well
	idle     bool      // there was nothing to send
	synced   bool      // the run has listed the invitations

	skipped   []item     // reminders that are not sent
	unrevoked error      // why old invitations could not be revoked by a later run
	accepting sync.Mutex // held while OnChange is called for a reminder
}

// noteUntold counts a call of OnResult or OnChange that failed, and returns its error with
// advice.
func (r *run) noteUntold(err error) error {
	err = explainHook(err)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.untold++; r.untold == 1 {
		r.firstUntold = err
	}
	return err
}

// isStopped reports whether the run must end.
func (r *run) isStopped() bool { return r.ctx.Err() != nil }

// A group holds the campaigns that one run of CreateAll can send: all that skip people who
// have an invitation, or a single one that does not.
type group struct {
	campaign int64 // 0 for all
	reminds  bool
	since    time.Time
}

// An item is a row that a run has taken.
type item struct {
	campaign  int64
	name      string // of the campaign
	priority  int32
	enqueued  time.Time
	cancelled bool // the campaign
	held      bool // the campaign is paused, or may not begin yet
	place     int
	ref       string
	request   clerk.CreateInvitationRequest
	attempts  int       // by earlier runs that may have sent it
	sending   bool      // the run left it while sending it
	mayExist  time.Time // until when an earlier attempt may have created its invitation
	replaces  string    // the invitation that it sends again, if it is a reminder
	barred    string    // why the reminder is not sent
}

// An unknown is a row that may have been sent, and why its outcome was not kept.
type unknown struct {
	item

	problem string
}

func scanItem(row pgx.CollectableRow) (it item, err error) {
	var encoded []byte
	var mayExist *time.Time
	err = row.Scan(&it.campaign, &it.name, &it.priority, &it.enqueued, &it.cancelled, &it.held, &it.place, &it.ref,
		&encoded, &it.attempts, &it.sending, &mayExist, &it.replaces)
	if err != nil || it.place < 0 {
		return it, err
	}
	if mayExist != nil {
		it.mayExist = *mayExist
	}
	it.request, err = decodeRequest(encoded)
	it.request.IgnoreExisting = it.request.IgnoreExisting || it.replaces != ""
	return it, err
}

// sortItems sorts items in the order of sending.
func sortItems(items []item) {
	slices.SortFunc(items, func(a, b item) int {
		return cmp.Or(cmp.Compare(a.priority, b.priority), cmp.Compare(a.campaign, b.campaign), cmp.Compare(a.place, b.place))
	})
}

// A rowKey identifies a row.
type rowKey struct {
	Campaign int64
	Place    int
}

// retake takes the items again that an earlier run has taken, and returns those that it got.
func (r *run) retake(ctx context.Context, query string, items []item) ([]item, error) {
	if len(items) == 0 {
		return nil, nil
	}
	var campaigns []int64
	var places []int
	for _, it := range items {
		campaigns, places = append(campaigns, it.campaign), append(places, it.place)
	}
	rows, err := r.pool.Query(ctx, r.sql(query), r.instance, r.run, campaigns, places)
	if err != nil {
		return nil, err
	}
	taken, err := pgx.CollectRows(rows, pgx.RowToStructByPos[rowKey])
	if err != nil {
		return nil, err
	}
	isTaken := map[rowKey]bool{}
	for _, row := range taken {
		isTaken[row] = true
	}
	return slices.DeleteFunc(items, func(it item) bool { return !isTaken[rowKey{it.campaign, it.place}] }), nil
}
