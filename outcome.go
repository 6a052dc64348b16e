package clerk

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Writes look before they leap. After a failure that leaves open whether a write
// was carried out, the library looks up what stands: it returns the call's own
// work where it finds it, and repeats the write, or what is missing of it, where it
// does not. No write is repeated unlooked.

// clockSlack is how far Clerk's clocks may differ among each other.
const clockSlack = time.Second

// visibleWithin is how long the library looks for what a failed write may have
// made, before a repeat that Clerk would not refuse as a duplicate.
const visibleWithin = 5 * time.Second

var errNoDate = errors.New("clerk: the response does not tell Clerk's time")

// A sight is what a look has shown.
type sight int

const (
	sawNothing sight = iota // of this call's work
	sawOthers               // nothing of it, but what explains a refusal
	sawPart                 // part of it, and nothing in the way of the rest
	sawOwn                  // all of it
)

// A write is one whose outcome can be looked up.
type write[T any] struct {
	// send makes the request, or the part of it that is still missing.
	send func(context.Context, *config) (T, error)
	// look finds what the call has made, after the failure of its last request.
	look func(ctx context.Context, v *view, failure error) (T, sight, error)
	// patient is whether a repeat could double what shows only later.
	patient bool
	// mayRepeat tells whether to repeat it now; nil for always.
	mayRepeat func() bool
}

// settle carries out a write until its outcome is known, or there is no more time.
func settle[T any](ctx context.Context, s *InvitationsService, opts []CallOption, w write[T]) (T, error) {
	started := time.Now()
	cfg := s.client.forCall(opts)
	result, err := w.send(ctx, cfg)
	if cfg.retry.Strategy == RetryNone || !errors.Is(err, ErrOutcomeUnknown) {
		return result, err
	}
	v := &view{service: s, asked: cfg.response, config: *cfg, started: started}
	v.config.response = &v.last
	if failure, ok := errors.AsType[*SDKError](err); ok {
		v.operation, v.last = failure.Operation, failure.ResponseMeta
	}
	v.count()
	ctx, cancel := context.WithDeadline(ctx, started.Add(cfg.retry.Backoff.MaxElapsedTime))
	defer cancel()
	v.doubt = doubt{err, time.Now()}
	result, err = findOut(ctx, v, w)
	return result, v.finish(err)
}

// A doubt is a failure that leaves open whether a write was carried out, and when the
// write was last sent; none has no failure.
type doubt struct {
	failure error
	at      time.Time
}

// pursue carries out a write as settle does, or goes on with one that the view has a
// doubt about, for as long as MaxElapsedTime from now on. The view tells when the write
// was first sent.
func pursue[T any](ctx context.Context, v *view, w write[T]) (T, error) {
	if v.doubt.failure == nil {
		result, err := w.send(ctx, &v.config)
		if !errors.Is(err, ErrOutcomeUnknown) {
			return result, err
		}
		v.doubt = doubt{err, time.Now()}
	}
	ctx, cancel := context.WithTimeout(ctx, v.config.retry.Backoff.MaxElapsedTime)
	defer cancel()
	return findOut(ctx, v, w)
}

// findOut looks and repeats, after a first failure that left the outcome open.
func findOut[T any](ctx context.Context, v *view, w write[T]) (T, error) {
	var zero T
	d := v.doubt
	for ctx.Err() == nil {
		looked := time.Now()
		result, seen, err := w.look(ctx, v, d.failure)
		switch {
		case err != nil:
			return zero, stillUnknown(d.failure, err)
		case seen == sawOwn:
			return result, nil
		case isExplained(d.failure, seen):
			return zero, d.failure
		case !v.mayGoOn(d.failure):
			return zero, stillUnknown(d.failure, nil)
		}
		if err := v.pause(ctx, d); err != nil {
			return zero, stillUnknown(d.failure, err)
		}
		if mayBeOwn(d.failure) && seen != sawPart || w.patient && looked.Sub(d.at) < visibleWithin {
			continue // it may show only later
		}
		if w.mayRepeat != nil && !w.mayRepeat() {
			return zero, stillUnknown(d.failure, nil)
		}
		result, err = w.send(ctx, &v.config)
		v.count()
		if err == nil {
			return result, nil
		}
		d = doubt{err, time.Now()}
		v.doubt.at = d.at
		if errors.Is(err, ErrOutcomeUnknown) {
			v.doubt.failure = err
		}
	}
	return zero, stillUnknown(d.failure, nil)
}

// mayBeOwn reports whether a refusal may be due to what an earlier attempt of the
// same call has made.
func mayBeOwn(failure error) bool {
	return !errors.Is(failure, ErrOutcomeUnknown) &&
		(errors.Is(failure, ErrDuplicateInvitation) || errors.Is(failure, ErrAlreadyRevoked))
}

// isExplained reports whether a failure is a refusal that is not due to this call's
// own work.
func isExplained(failure error, seen sight) bool {
	if mayBeOwn(failure) {
		return seen == sawOthers
	}
	_, other := errors.AsType[*SDKError](failure)
	return !other || hasCode(failure, CodeNotAllowedAccess)
}

// mayGoOn reports whether to go on after a failure: the outcome is still unknown, or
// a refusal may yet turn out to be due to the call's own work, or could not be read.
func (v *view) mayGoOn(failure error) bool {
	sdk, ok := errors.AsType[*SDKError](failure)
	switch {
	case mayBeOwn(failure):
		return true
	case !ok:
		return false
	case sdk.StatusCode == 0:
		return errors.Is(failure, ErrOutcomeUnknown) && *v.config.retry.RetryConnectionErrors
	}
	return errors.Is(failure, ErrOutcomeUnknown) || errors.Is(failure, errCutOff) || sdk.StatusCode == http.StatusBadRequest
}

// stillUnknown is the error of a call that could not find out what it did.
func stillUnknown(failure, lookup error) error {
	if lookup == nil && errors.Is(failure, ErrOutcomeUnknown) {
		return failure
	}
	e := &SDKError{Err: errors.Join(failure, lookup, ErrOutcomeUnknown)}
	e.describeAs(failure)
	if lookup != nil {
		e.Message += "; looking it up: " + strings.TrimPrefix(lookup.Error(), "clerk: ")
	}
	return e
}

// notRecreated is the error of a Resend whose second half failed.
func notRecreated(err error) error {
	e := &SDKError{Err: err}
	e.describeAs(err)
	if errors.Is(err, ErrOutcomeUnknown) {
		e.Message = "revoked, and perhaps created anew: " + e.Message
		return e
	}
	e.Err = errors.Join(ErrNotRecreated, err)
	e.Message = "revoked, but not created anew: " + e.Message
	return e
}

// describeAs takes over what another error tells.
func (e *SDKError) describeAs(err error) {
	if sdk, ok := errors.AsType[*SDKError](err); ok {
		e.ResponseMeta, e.Message, e.Body = sdk.ResponseMeta, sdk.Message, sdk.Body
	} else if refused, ok := errors.AsType[*ClerkErrors](err); ok {
		e.ResponseMeta, e.Message, e.Body = refused.ResponseMeta, refused.summary(), refused.Body
	}
}

// A view is what a call sees of Clerk while it finds out what it did.
type view struct {
	service   *InvitationsService
	operation Operation
	config    config // of the call's requests; its response is last
	asked     *ResponseMeta
	last      ResponseMeta
	doubt     doubt
	attempts  int
	pauses    int
	started   time.Time
}

// count adds up the attempts of all requests.
func (v *view) count() { v.attempts += v.last.Attempts }

// finish makes the call's meta, and that of its error, tell of all of its requests.
func (v *view) finish(err error) error {
	total := func(meta *ResponseMeta) {
		meta.Operation, meta.Attempts, meta.Duration = v.operation, v.attempts, time.Since(v.started)
	}
	switch failure := err.(type) { //nolint:errorlint // the call's own error, not one that it wraps
	case *SDKError:
		total(&failure.ResponseMeta)
	case *ClerkErrors:
		total(&failure.ResponseMeta)
	}
	if v.asked != nil {
		total(&v.last)
		*v.asked = v.last
	}
	return err
}

// pause waits before the next look or request, for longer and longer, and for as long
// as the failure asks for. A 429 asks its own limit's requests only.
func (v *view) pause(ctx context.Context, d doubt) error {
	v.pauses++
	wait := v.config.retry.Backoff.wait(v.pauses)
	if sdk, ok := errors.AsType[*SDKError](d.failure); ok && sdk.StatusCode != http.StatusTooManyRequests {
		wait = max(wait, sdk.RetryAfter-time.Since(d.at))
	}
	if deadline, ok := ctx.Deadline(); ok && wait >= time.Until(deadline) {
		return errors.New("clerk: no time for another look")
	}
	return sleep(ctx, wait)
}

// sleep waits for d, or until ctx ends, and then returns its error.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// list gives what stands, newest first, back to before the call, which is one page
// but for the busiest of instances. It tells since when an invitation is this call's
// own, by Clerk's clock: the time of the response, less what has passed since the
// call began.
func (v *view) list(ctx context.Context, req ListInvitationsRequest) (invs []Invitation, since UnixMilli, err error) {
	req.OrderBy, req.Limit = OrderByCreatedAtDesc, MaxListLimit
	for {
		page, err := v.service.list(ctx, &v.config, req)
		v.count()
		if err != nil {
			return nil, 0, err
		}
		date, err := http.ParseTime(v.last.Header.Get("Date"))
		if err != nil {
			return nil, 0, errNoDate
		}
		since = UnixMilli(date.Add(-time.Since(v.started) - clockSlack).UnixMilli())
		invs = append(invs, page.Data...)
		n := len(page.Data)
		isLast := n < MaxListLimit || page.Data[n-1].CreatedAt < since
		if isLast || req.Offset > 0 && page.Data[0].ID == invs[0].ID { // the server does not know of offsets
			return invs, since, nil
		}
		req.Offset += MaxListLimit
	}
}

// everyStatus is what to list for all that was made: somebody may have revoked it
// since, and a list hides what is revoked.
var everyStatus = []InvitationStatus{"", InvitationStatusRevoked}

// lookForCreated looks for the invitation that a Create may have made.
func lookForCreated(ctx context.Context, v *view, emailAddress string) (*Invitation, sight, error) {
	seen := sawNothing
	for _, status := range everyStatus {
		invs, since, err := v.list(ctx, ListInvitationsRequest{Query: emailAddress, Status: status})
		if err != nil {
			return nil, sawNothing, err
		}
		for _, inv := range invs {
			switch {
			case !strings.EqualFold(inv.EmailAddress, emailAddress):
			case inv.CreatedAt >= since:
				return &inv, sawOwn, nil
			case inv.Status == InvitationStatusPending:
				seen = sawOthers
			}
		}
	}
	return nil, seen, nil
}

// lookForRevoked looks whether a Revoke has been carried out.
func lookForRevoked(ctx context.Context, v *view, id string) (*Invitation, sight, error) {
	invs, since, err := v.list(ctx, ListInvitationsRequest{Query: id, Status: InvitationStatusRevoked})
	for _, inv := range invs {
		switch {
		case inv.ID != id:
		case inv.UpdatedAt >= since:
			return &inv, sawOwn, nil
		default:
			return nil, sawOthers, nil
		}
	}
	return nil, sawNothing, err
}

// creation is the write that makes one invitation.
func (s *InvitationsService) creation(req CreateInvitationRequest) write[*Invitation] {
	return write[*Invitation]{
		send: func(ctx context.Context, cfg *config) (*Invitation, error) { return s.create(ctx, cfg, req) },
		look: func(ctx context.Context, v *view, _ error) (*Invitation, sight, error) {
			return lookForCreated(ctx, v, req.EmailAddress)
		},
		patient: req.IgnoreExisting,
	}
}

// A bulk is a BulkCreate of which parts may have been made.
type bulk struct {
	reqs []CreateInvitationRequest
	made map[int]Invitation // by index in reqs
}

// creation is the write that makes what is missing.
func (b *bulk) creation(s *InvitationsService) write[[]Invitation] {
	return write[[]Invitation]{
		send:    func(ctx context.Context, cfg *config) ([]Invitation, error) { return b.send(ctx, s, cfg) },
		look:    b.look,
		patient: slices.ContainsFunc(b.reqs, func(req CreateInvitationRequest) bool { return req.IgnoreExisting }),
	}
}

// missing is the indices of what is not made, as far as is known.
func (b *bulk) missing() []int {
	var missing []int
	for i := range b.reqs {
		if _, ok := b.made[i]; !ok {
			missing = append(missing, i)
		}
	}
	return missing
}

func (b *bulk) result() []Invitation {
	invs := make([]Invitation, len(b.reqs))
	for i, inv := range b.made {
		invs[i] = inv
	}
	return invs
}

// send makes what is missing.
func (b *bulk) send(ctx context.Context, s *InvitationsService, cfg *config) ([]Invitation, error) {
	missing := b.missing()
	reqs := make([]CreateInvitationRequest, len(missing))
	for i, index := range missing {
		reqs[i] = b.reqs[index]
	}
	invs, err := s.bulkCreate(ctx, cfg, reqs)
	if err != nil || len(missing) == len(b.reqs) {
		return invs, err
	}
	for i, index := range missing {
		b.made[index] = invs[i]
	}
	return b.result(), nil
}

// look finds what has been made, in one page for all of it.
func (b *bulk) look(ctx context.Context, v *view, failure error) ([]Invitation, sight, error) {
	for _, status := range everyStatus {
		invs, since, err := v.list(ctx, ListInvitationsRequest{Status: status})
		if err != nil {
			return nil, sawNothing, err
		}
		b.claim(invs, since)
		if len(b.made) == len(b.reqs) {
			return b.result(), sawOwn, nil
		}
	}
	return b.explain(ctx, v, failure)
}

// claim takes as made what is the call's own: for each missing request one.
func (b *bulk) claim(invs []Invitation, since UnixMilli) {
	if b.made == nil {
		b.made = map[int]Invitation{}
	}
	taken := map[string]bool{}
	for _, inv := range b.made {
		taken[inv.ID] = true
	}
	for _, index := range b.missing() {
		for _, inv := range invs {
			if !taken[inv.ID] && inv.CreatedAt >= since && strings.EqualFold(inv.EmailAddress, b.reqs[index].EmailAddress) {
				b.made[index], taken[inv.ID] = inv, true
				break
			}
		}
	}
}

// explain looks for what a refusal is about, address by address, for it may be old.
// Where it names none, it may be any that is missing.
func (b *bulk) explain(ctx context.Context, v *view, failure error) ([]Invitation, sight, error) {
	refused, ok := errors.AsType[*ClerkErrors](failure)
	if !ok || !mayBeOwn(failure) {
		return nil, sawNothing, nil
	}
	var about []string
	for _, one := range refused.Errors {
		about = append(about, one.EmailAddresses()...)
	}
	if about == nil {
		for _, index := range b.missing() {
			about = append(about, b.reqs[index].EmailAddress)
		}
	}
	seen := sawPart
	for _, address := range about {
		if b.hasMade(address) {
			continue
		}
		_, found, err := lookForCreated(ctx, v, address)
		if found == sawOthers || err != nil {
			return nil, found, err
		}
		seen = sawNothing
	}
	return nil, seen, nil
}

// hasMade reports whether all requests for an address are made.
func (b *bulk) hasMade(address string) bool {
	return !slices.ContainsFunc(b.missing(), func(index int) bool {
		return strings.EqualFold(b.reqs[index].EmailAddress, address)
	})
}
