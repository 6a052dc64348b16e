package clerk

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"iter"
	"net/http"
	"slices"
	"strings"
	"time"
)

const (
	// lingering is how long a run waits for its source to fill a bulk.
	lingering = time.Second
	// maxRepeats is how many repeats of addresses in the queue a run keeps.
	maxRepeats = 100
	// listAhead is how many pages a run lists at a time.
	listAhead = 8
	// manyDoubts is how often rows are sent before a doubt about them may be one row's
	// fault.
	manyDoubts = 3
	// tooManyDoubts is how often one is, before it ends a run in which others went out.
	tooManyDoubts = 20
	// maxStuck is how many rows may stay in doubt while others are sent. With more of
	// them it is an outage.
	maxStuck = 10
)

// A run is one loop over CreateAll. It works in the goroutine of the loop: it reads
// requests into a queue, sends from its front what a quota is left for, and reports.
type run struct {
	service *InvitationsService
	config  config
	source  *source
	yield   func(CreateResult, error) bool
	stopped bool // by the loop

	known    map[addressKey]Outcome // of addresses; 0 while they are in the queue
	queue    []row                  // to be sent
	suspects []row                  // to be sent first: one of them is to blame for a refusal
	repeats  []row                  // whose address is in the queue
	stuck    []row                  // each of which stays in doubt, to be sent last

	creates, bulks quota
	reached        bool // Clerk has answered
	lastSent       time.Time
	limited        bool // the last request, by its quota
	troubles       int  // in a row
	settled        int  // rows, by requests
	pause          time.Time
	progress       Progress
}

// A row is a request that is not settled.
type row struct {
	index   int
	request CreateInvitationRequest
	key     addressKey
	since   time.Time // when it was first sent, where it is in doubt
	doubt   doubt
	doubts  int // how often it was sent and left in doubt
	before  int // how many rows were settled before the first of them
}

// An addressKey stands for an address without regard to case, in less memory.
type addressKey [16]byte

func keyOf(address string) addressKey {
	sum := sha256.Sum256([]byte(strings.ToLower(address)))
	return addressKey(sum[:])
}

// errStopped ends a run that the loop was broken out of.
var errStopped = errors.New("clerk: the loop was broken out of")

func newRun(s *InvitationsService, cfg config, yield func(CreateResult, error) bool) *run {
	setDefault(&cfg.run.share, defaultShare)
	share := cfg.run.share
	return &run{
		service: s, config: cfg, yield: yield,
		known:   map[addressKey]Outcome{},
		creates: quota{most: share.Creates, per: share.Per},
		bulks:   quota{most: share.Bulks, per: share.Per},
	}
}

func (r *run) start(ctx context.Context, requests iter.Seq[CreateInvitationRequest]) error {
	if err := r.checkOptions(); err != nil {
		return invalid("", err)
	}
	if requests == nil {
		return invalid("", fieldError{"requests", "is nil"})
	}
	r.source = newSource(requests)
	defer r.source.close()
	for {
		err := r.gather(ctx)
		if err == nil && r.isIdle() {
			if len(r.stuck) == 0 {
				return r.sourceError()
			}
			r.queue, r.stuck = r.stuck, nil
			continue
		}
		if err == nil {
			err = r.send(ctx)
		}
		if err != nil {
			return r.ended(err)
		}
	}
}

func (r *run) checkOptions() error {
	c := &r.config
	if c.only == "CreateAll" {
		c.only = ""
	}
	c.retry.Strategy, c.retry.RetryConnectionErrors, c.ownLimits = RetryBackoff, new(true), true
	if c.response != nil {
		return fieldError{"response", "is for one call, and CreateAll makes many"}
	}
	return c.check()
}

// isIdle reports whether there is nothing to send.
func (r *run) isIdle() bool { return len(r.queue) == 0 && len(r.suspects) == 0 }

// gather reads from the source, until there is a bulk to send, or the source has no
// more, or none for a while; and a quota to send it with. What is left idle then is at
// its end.
func (r *run) gather(ctx context.Context) error {
	var linger time.Time // until when it waits for the source to fill a bulk
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		now := time.Now()
		wait := r.wait(now)
		full := r.source.ended || len(r.suspects) > 0 || len(r.queue) >= MaxBulkInvitations || len(r.repeats) >= maxRepeats
		if full && (wait == 0 || r.isIdle()) {
			return nil
		}
		var timer <-chan time.Time
		if !r.isIdle() {
			if deadline, ok := ctx.Deadline(); ok && !now.Add(wait).Before(deadline) {
				return r.outOfTime(wait)
			}
			r.observeWait(now, wait)
			if wait == 0 && linger.IsZero() {
				linger = now.Add(lingering)
			}
			timer = time.After(cmp.Or(wait, linger.Sub(now)))
		}
		var source <-chan given
		if !full {
			source = r.source.ask()
		}
		select {
		case <-ctx.Done():
		case g := <-source:
			if err := r.admit(ctx, g); err != nil {
				return err
			}
		case <-timer:
			if wait == 0 {
				return nil
			}
		}
	}
}

// wait is how long it is until something can be sent.
func (r *run) wait(now time.Time) time.Duration {
	return max(r.pause.Sub(now), min(r.creates.wait(now), r.bulks.wait(now)))
}

// admit takes in what the source gives: it reports what needs no request, and queues
// the rest.
func (r *run) admit(ctx context.Context, g given) error {
	req, ok := r.source.take(g)
	if !ok {
		return nil
	}
	if r.progress.Taken == 0 && !r.config.run.skipNone {
		if err := r.listStanding(ctx); err != nil {
			return err
		}
		r.reached = true
	}
	next := row{index: r.progress.Taken, request: req}
	r.progress.Taken++
	if err := checkRow(req); err != nil {
		return r.report(next, OutcomeRefused, nil, invalid(OperationCreate, err))
	}
	next.key = keyOf(req.EmailAddress)
	return r.enqueue(next)
}

// checkRow finds what can never be right. It is stricter than Create is, for a row that
// is wrong may cost a bulk, but leaves it to Clerk whether what looks like an address is
// one. For how many days an invitation may be valid Clerk's OpenAPI document says.
func checkRow(req CreateInvitationRequest) error {
	if _, err := encode(req); err != nil {
		return err
	}
	const field = "email_address"
	at := strings.LastIndex(req.EmailAddress, "@")
	isQuoted := strings.HasPrefix(req.EmailAddress, `"`)
	switch {
	case at < 0:
		return fieldError{field, "has no @"}
	case at == 0 || at == len(req.EmailAddress)-1:
		return fieldError{field, "has nothing on one side of the @"}
	case !isQuoted && strings.ContainsFunc(req.EmailAddress, isSpaceOrControl):
		return fieldError{field, "holds white space or a control character"}
	case req.ExpiresInDays < 0 || req.ExpiresInDays > 365:
		return fieldError{"expires_in_days", "is not from 1 to 365"}
	}
	return nil
}

func (r *run) enqueue(next row) error {
	outcome, ok := r.known[next.key]
	switch {
	case !ok:
		r.known[next.key] = 0
		r.queue = append(r.queue, next)
		return nil
	case outcome == 0:
		r.repeats = append(r.repeats, next)
		return nil
	case outcome == OutcomeCreated:
		outcome = OutcomeAlreadyInvited
	}
	return r.report(next, outcome, nil, nil)
}

// listStanding learns who has an invitation already.
func (r *run) listStanding(ctx context.Context) error {
	var req ListInvitationsRequest
	cfg, since := r.config, r.config.run.skipSince
	cfg.prefetch = listAhead
	if !since.IsZero() {
		req.OrderBy, cfg.prefetch = OrderByCreatedAtDesc, 0
	}
	for page, err := range r.service.pages(ctx, cfg, req) {
		if err != nil {
			return err
		}
		for _, inv := range page {
			if !since.IsZero() && inv.CreatedAt < UnixMilli(since.UnixMilli()) {
				return nil
			}
			if inv.Status == InvitationStatusPending || inv.Status == InvitationStatusAccepted {
				r.known[keyOf(inv.EmailAddress)] = OutcomeAlreadyInvited
			}
			r.progress.Listed++
		}
		r.observe()
	}
	return nil
}

// send sends what is due, and takes in what comes of it.
func (r *run) send(ctx context.Context) error {
	longer, cancel := outlive(ctx, r.config.attemptTimeout)
	defer cancel()
	group, suspect := r.suspects, len(r.suspects) > 0
	if !suspect {
		group = alike(r.queue)
	}
	n, q := r.choose(len(group), suspect)
	sent, others := slices.Clone(group[:n]), slices.Clone(group[n:])
	if suspect {
		r.suspects = nil
	} else {
		r.queue, others = r.queue[n:], nil
	}
	began := time.Now()
	if since := sent[0].since; !since.IsZero() {
		began = since
	}
	v := &view{service: r.service, config: r.config, started: began, doubt: sent[0].doubt}
	v.config.response = &v.last
	mayRepeat := func() bool { return ctx.Err() == nil && q.wait(time.Now()) == 0 }
	until := q.until
	made, err := r.write(longer, v, sent, q, mayRepeat)
	r.limited = q.until != until
	r.reached = r.reached || v.last.StatusCode > 0 && v.last.StatusCode < 500
	if errors.Is(err, ErrOutcomeUnknown) {
		for i := range sent {
			sent[i].leaveInDoubt(began, v.doubt, r.settled)
		}
	}
	r.lastSent = cmp.Or(v.doubt.at, time.Now())
	return r.settle(sent, others, suspect, made, err)
}

// leaveInDoubt takes in that the row's outcome is not known, and how many others were
// settled so far.
func (r *row) leaveInDoubt(began time.Time, d doubt, settled int) {
	if r.doubts == 0 {
		r.before = settled
	}
	if !d.at.Equal(r.doubt.at) { // it was sent again, not only looked up
		r.doubts++
	}
	r.since, r.doubt = began, d
}

// outlive is a context that ends some time after ctx.
func outlive(ctx context.Context, by time.Duration) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(by, cancel) })
	return longer, func() { stop(); cancel() }
}

// alike is the rows at the front that can go into one bulk: all of them new, or all of
// them in doubt since the same request.
func alike(rows []row) []row {
	n := 0
	for n < len(rows) && n < MaxBulkInvitations && rows[n].since.Equal(rows[0].since) {
		n++
	}
	return rows[:n]
}

// choose says how many of n rows to send, and by which quota. Bulks come first, as
// they carry more. Of suspects it sends one alone, or half of them together, by
// whichever quota has more left.
func (r *run) choose(n int, suspects bool) (int, *quota) {
	now := time.Now()
	creates, bulks := r.creates.left(now), r.bulks.left(now)
	if suspects {
		n = (n + 1) / 2
	}
	if bulks == 0 || creates > 0 && n == 1 || suspects && creates >= bulks {
		return 1, &r.creates
	}
	return n, &r.bulks
}

// write sends rows, until their outcome is known or there is no more time for now. It
// gives what was made, by index in rows.
func (r *run) write(ctx context.Context, v *view, rows []row, q *quota, mayRepeat func() bool) (map[int]Invitation, error) {
	if q == &r.creates {
		inv, err := pursue(ctx, v, counted(q, mayRepeat, r.service.creation(rows[0].request)))
		if err != nil {
			return nil, err
		}
		return map[int]Invitation{0: *inv}, nil
	}
	b := &bulk{}
	for _, row := range rows {
		b.reqs = append(b.reqs, row.request)
	}
	w := counted(q, mayRepeat, b.creation(r.service))
	invs, err := pursue(ctx, v, w)
	if err == nil {
		return match(rows, invs), nil
	}
	if verdict, _ := judge(err); verdict == rowsRefused && w.patient {
		// Nobody says that a bulk is all or nothing, and what is sent again would be doubled.
		_, _, _ = b.look(ctx, v, nil) // at worst it is as if that were said
	}
	return b.made, err
}

// counted is a write whose requests are counted.
func counted[T any](q *quota, mayRepeat func() bool, w write[T]) write[T] {
	w.mayRepeat = mayRepeat
	send := w.send
	w.send = func(ctx context.Context, cfg *config) (T, error) {
		result, err := send(ctx, cfg)
		sdk, failed := errors.AsType[*SDKError](err)
		switch {
		case failed && sdk.StatusCode == http.StatusTooManyRequests:
			q.refuse(time.Now(), sdk.RetryAfter)
		case failed && sdk.StatusCode == 0 && !errors.Is(err, ErrOutcomeUnknown): // unsent
		default:
			q.count(time.Now())
		}
		return result, err
	}
	return w
}

// match finds the invitation of each row, by its address, or else by its place among
// those that are left.
func match(rows []row, invs []Invitation) map[int]Invitation {
	made := map[int]Invitation{}
	left := slices.DeleteFunc(slices.Clone(invs), func(inv Invitation) bool {
		i := slices.IndexFunc(rows, func(row row) bool { return row.key == keyOf(inv.EmailAddress) })
		if i >= 0 {
			made[i] = inv
		}
		return i >= 0
	})
	for i := range rows {
		_, ok := made[i]
		switch {
		case ok:
		case len(left) > 0:
			made[i], left = left[0], left[1:]
		default:
			made[i] = invs[i]
		}
	}
	return made
}

// settle takes in what came of the rows that were sent, some of them made; others are
// suspected with them.
func (r *run) settle(sent, others []row, suspect bool, made map[int]Invitation, failure error) error {
	var rest []row
	for i, row := range sent {
		inv, ok := made[i]
		if !ok {
			rest = append(rest, row)
		} else if err := r.report(row, OutcomeCreated, &inv, nil); err != nil {
			return err
		}
	}
	verdict, outcome := judge(failure)
	switch {
	case failure == nil:
		r.troubles, r.suspects = 0, others
		r.settled += len(sent)
	case verdict == rowsRefused:
		r.troubles = 0
		r.settled += len(sent)
		if err := r.takeApart(sent, rest, others, suspect, outcome, failure); err != nil {
			return err
		}
	default:
		if err := r.putOff(rest, others, suspect, verdict, failure); err != nil {
			return err
		}
	}
	repeats := r.repeats
	r.repeats = nil
	for _, row := range repeats {
		if err := r.enqueue(row); err != nil {
			return err
		}
	}
	return nil
}

// putOff has rows sent later, or ends the run.
func (r *run) putOff(rest, others []row, suspect bool, verdict verdict, failure error) error {
	stuck := verdict == inDoubt && len(rest) > 0 && rest[0].doubts >= manyDoubts
	switch {
	case stuck && len(rest) == 1 && len(r.stuck) < maxStuck:
		r.putBack(others, false)
		r.stuck = append(r.stuck, rest...)
	case stuck && len(rest) > 1:
		r.putBack(others, false)
		r.putBack(rest, true)
	default:
		r.putBack(slices.Concat(rest, others), suspect && verdict == sentLater)
	}
	hopeless := stuck && len(rest) == 1 && rest[0].doubts >= tooManyDoubts && r.settled > rest[0].before
	if verdict == runEnds || hopeless || !r.reached && !r.limited {
		return failure
	}
	r.takeCare(failure)
	return nil
}

// putBack has rows sent next.
func (r *run) putBack(rows []row, suspect bool) {
	if suspect {
		r.suspects = rows
	} else {
		r.queue = slices.Concat(rows, r.queue)
	}
}

// takeApart reports the rows that a refusal is about, where it names them or there was
// one alone, and has the rest sent again.
func (r *run) takeApart(sent, rest, others []row, suspect bool, outcome Outcome, refusal error) error {
	if len(sent) == 1 {
		r.putBack(others, false)
		return r.report(rest[0], outcome, nil, refusal)
	}
	about := named(refusal)
	var unnamed []row
	for _, row := range rest {
		outcome, ok := about[row.key]
		if !ok {
			unnamed = append(unnamed, row)
		} else if err := r.report(row, outcome, nil, refusal); err != nil {
			return err
		}
	}
	if len(unnamed) < len(rest) {
		r.putBack(slices.Concat(unnamed, others), suspect)
		return nil
	}
	r.putBack(others, false)
	r.putBack(rest, true)
	return nil
}

// named is the addresses that a refusal names, with what it says of them.
func named(refusal error) map[addressKey]Outcome {
	about := map[addressKey]Outcome{}
	if refused, ok := errors.AsType[*ClerkErrors](refusal); ok {
		for _, one := range refused.Errors {
			_, outcome := judge(&ClerkErrors{Errors: []ClerkError{one}})
			for _, address := range one.EmailAddresses() {
				about[keyOf(address)] = outcome
			}
		}
	}
	return about
}

// A verdict is what a failure means for a run.
type verdict int

const (
	rowsRefused verdict = iota // one of them, or all
	sentLater                  // they were not carried out
	inDoubt                    // they may have been carried out
	runEnds                    // no row would fare better
)

// judge says what a failure means, and the outcome of the row that is to blame for it.
func judge(failure error) (verdict, Outcome) {
	sdk, isSDK := errors.AsType[*SDKError](failure)
	switch {
	case errors.Is(failure, ErrUnauthorized), errors.Is(failure, errNoDate), hasCode(failure, CodeAPIVersionInvalid,
		CodeDevMonthlyEmailLimitExceeded, CodeInvitationsNotSupported, CodeQuotaExceeded, CodeUserQuotaExceeded):
		return runEnds, 0
	case errors.Is(failure, ErrOutcomeUnknown):
		if isSDK && isUnexplained(failure, sdk.StatusCode) {
			return runEnds, 0
		}
		return inDoubt, 0
	case errors.Is(failure, ErrRateLimited), hasCode(failure, CodeConflict, CodeResourceLocked):
		return sentLater, 0
	case errors.Is(failure, ErrDuplicateInvitation):
		return rowsRefused, OutcomeAlreadyInvited
	case errors.Is(failure, ErrUserExists):
		return rowsRefused, OutcomeAlreadyUser
	case !isSDK, hasCode(failure, CodeNotAllowedAccess):
		return rowsRefused, OutcomeRefused
	case errors.Is(failure, errCutOff):
		return sentLater, 0
	case slices.Contains(aboutRows, sdk.StatusCode):
		return rowsRefused, OutcomeRefused
	case sdk.StatusCode == 0 && isConnectionError(failure) && !errors.Is(failure, ErrInvalidRequest):
		return sentLater, 0
	}
	return runEnds, 0
}

// isUnexplained reports whether a write that is in doubt met a refusal that asking again
// does not explain: one for another reason than the write, or without Clerk's words.
func isUnexplained(failure error, status int) bool {
	switch {
	case !isRefusal(status), status == http.StatusTooManyRequests, errors.Is(failure, errCutOff),
		hasCode(failure, CodeConflict, CodeResourceLocked, CodeNotAllowedAccess):
		return false
	}
	_, readable := errors.AsType[*ClerkErrors](failure)
	return !readable || !slices.Contains(aboutRows, status)
}

// aboutRows is the statuses that are about what was sent, also without Clerk's envelope.
var aboutRows = []int{http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity}

// takeCare has the run wait after a failure, but for one for which a quota waits.
func (r *run) takeCare(failure error) {
	if r.limited {
		return
	}
	r.troubles++
	wait := r.config.retry.Backoff.wait(r.troubles)
	if sdk, ok := errors.AsType[*SDKError](failure); ok {
		wait = max(wait, sdk.RetryAfter-time.Since(r.lastSent))
	}
	r.pause, r.progress.Cause = time.Now().Add(wait), failure
}

// report gives a result.
func (r *run) report(row row, outcome Outcome, inv *Invitation, err error) error {
	r.progress.count(outcome)
	if outcome == OutcomeRefused { // the same address may fare better with other parameters
		delete(r.known, row.key)
	} else {
		r.known[row.key], err = outcome, nil
	}
	r.progress.WaitUntil, r.progress.WaitFor, r.progress.Cause = time.Time{}, "", nil
	r.observe()
	if !r.yield(CreateResult{Index: row.index, Request: row.request, Outcome: outcome, Invitation: inv, Err: err}, nil) {
		r.stopped = true
		return errStopped
	}
	return nil
}

// observeWait tells the observer of a wait that it does not know of.
func (r *run) observeWait(now time.Time, wait time.Duration) {
	until, limit := now.Add(wait), OperationBulkCreate
	if r.creates.wait(now) < r.bulks.wait(now) {
		limit = OperationCreate
	}
	if !r.pause.Before(until) {
		limit = ""
	} else {
		r.progress.Cause = nil
	}
	if wait > 0 && !until.Equal(r.progress.WaitUntil) {
		r.progress.WaitUntil, r.progress.WaitFor = until, limit
		r.observe()
	}
}

func (r *run) observe() {
	if r.config.run.observe == nil {
		return
	}
	now, share := time.Now(), r.config.run.share
	p := r.progress
	p.at, p.per = now, share.Per
	p.free = r.bulks.left(now)*MaxBulkInvitations + r.creates.left(now)
	p.share = share.Bulks*MaxBulkInvitations + share.Creates
	p.renewed = now.Add(min(r.creates.renewal(now), r.bulks.renewal(now)))
	r.config.run.observe(p)
}

// outOfTime is the error of a run whose next wait ends after its deadline.
func (r *run) outOfTime(wait time.Duration) error {
	return &SDKError{
		ResponseMeta: ResponseMeta{RetryAfter: wait},
		Message:      "no request can be sent before the deadline", Err: context.DeadlineExceeded,
	}
}

// sourceError is the failure of the source that has come to its end.
func (r *run) sourceError() error {
	if r.config.run.sourceError == nil {
		return nil
	}
	err := r.config.run.sourceError()
	if err == nil {
		return nil
	}
	return &SDKError{Message: "the source of the requests failed: " + oneLine(err.Error()), Err: err}
}

// ended is the error of a run that ended early. It tells when the outcome of a request
// is not known.
func (r *run) ended(err error) error {
	if r.stopped {
		return err
	}
	e := &SDKError{Message: "the run was stopped: " + oneLine(err.Error()), Err: err}
	e.describeAs(err)
	if slices.ContainsFunc(slices.Concat(r.queue, r.stuck), func(row row) bool { return row.doubt.failure != nil }) {
		e.Err = errors.Join(err, ErrOutcomeUnknown)
	}
	return e
}
