package clerk

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/clerk-invitations/clerk-go/internal/decide"
	"github.com/clerk-invitations/clerk-go/internal/transport"
)

// A bulk is a BulkCreate, of which parts may have been created.
type bulk struct {
	reqs    []CreateInvitationRequest
	bodies  [][]byte           // the requests' JSON
	created map[int]Invitation // by index in reqs, as far as lookups have found
}

func newBulk(reqs []CreateInvitationRequest) (*bulk, error) {
	if n := len(reqs); n == 0 || n > MaxBulkInvitations {
		return nil, &InputError{"requests", fmt.Sprintf("has %d elements; a bulk has 1 to %d", n, MaxBulkInvitations)}
	}
	b := &bulk{reqs: reqs, created: map[int]Invitation{}}
	for i, req := range reqs {
		body, err := req.encode()
		if input, ok := errors.AsType[*InputError](err); ok {
			return nil, &InputError{fmt.Sprintf("requests[%d].%s", i, input.Field), input.Problem}
		}
		b.bodies = append(b.bodies, body)
	}
	return b, nil
}

// creation is the write that creates what is missing.
func (b *bulk) creation() write[[]Invitation] {
	return write[[]Invitation]{
		send:            b.send,
		find:            b.find,
		ownRefusal:      ErrDuplicateInvitation,
		retryDuplicates: slices.ContainsFunc(b.reqs, func(req CreateInvitationRequest) bool { return req.IgnoreExisting }),
		inParts:         len(b.reqs) > 1,
	}
}

// missing returns the indices of what is not created, as far as is known.
func (b *bulk) missing() []int {
	var missing []int
	for i := range b.reqs {
		if _, ok := b.created[i]; !ok {
			missing = append(missing, i)
		}
	}
	return missing
}

func (b *bulk) result() []Invitation {
	invs := make([]Invitation, len(b.reqs))
	for i, inv := range b.created {
		invs[i] = inv
	}
	return invs
}

// send creates what is missing.
func (b *bulk) send(ctx context.Context, c *call) ([]Invitation, callMeta, error) {
	missing := b.missing()
	var bodies [][]byte
	for _, index := range missing {
		bodies = append(bodies, b.bodies[index])
	}
	body := slices.Concat([]byte("["), bytes.Join(bodies, []byte(",")), []byte("]"))
	r := request{operation: OperationBulkCreate, method: http.MethodPost, path: "/invitations/bulk", body: body}
	invs, meta, err := do(ctx, c, r, func(body []byte) ([]Invitation, error) {
		invs, err := decodeInvitations(body)
		if err == nil && len(invs) != len(missing) {
			err = fmt.Errorf("%w: %d invitations for %d requests", errMismatch, len(invs), len(missing))
		}
		return invs, err
	})
	if err != nil || len(missing) == len(b.reqs) {
		return invs, meta, err
	}
	for i, index := range missing {
		b.created[index] = invs[i]
	}
	return b.result(), meta, nil
}

// find lists what was created since the call began, for all requests together.
func (b *bulk) find(ctx context.Context, l *lookup) ([]Invitation, decide.Finding, error) {
	about := duplicateAddresses(l.failure)
	for _, status := range l.statuses {
		invs, err := l.list(ctx, "", status)
		if err != nil {
			return nil, decide.FoundNothing, err
		}
		if b.claim(invs, l, about) {
			return nil, decide.FoundUnclear, nil
		}
		if len(b.created) == len(b.reqs) {
			return b.result(), decide.FoundOwn, nil
		}
	}
	if l.situation.Ambiguous && l.situation.Last == decide.RefusedAsDone {
		return b.explain(ctx, l, about)
	}
	return nil, decide.FoundNothing, nil // or a part
}

// claim records as created what is the call's own work: one invitation for each missing
// request. If no earlier request was ambiguous, the addresses that a refusal is about
// are the work of others. It reports whether it is unclear whose work an invitation is.
func (b *bulk) claim(invs []Invitation, l *lookup, about []string) (unclear bool) {
	taken := map[string]bool{}
	for _, inv := range b.created {
		taken[inv.ID] = true
	}
	for _, index := range b.missing() {
		address := b.reqs[index].EmailAddress
		if !l.situation.Ambiguous && hasAddress(about, address) {
			continue
		}
		for _, inv := range invs {
			if taken[inv.ID] || !sameAddress(inv.EmailAddress, address) {
				continue
			}
			whose := l.whose(inv.CreatedAt)
			if whose == decide.FoundOwn {
				b.created[index], taken[inv.ID] = inv, true
				break
			}
			unclear = unclear || whose == decide.FoundUnclear
		}
	}
	return unclear
}

// duplicateAddresses returns the addresses that a refusal says have an invitation already.
func duplicateAddresses(failure error) (about []string) {
	if refused, ok := errors.AsType[*ClerkErrors](failure); ok {
		for _, one := range refused.Errors {
			if one.Code == CodeDuplicateRecord {
				about = append(about, one.EmailAddresses()...)
			}
		}
	}
	return about
}

func hasAddress(addresses []string, address string) bool {
	return slices.ContainsFunc(addresses, func(other string) bool { return sameAddress(other, address) })
}

// explain looks for the invitations that a refusal is about, address by address, as they
// may be old. If the refusal names none, it may be about any that is missing.
func (b *bulk) explain(ctx context.Context, l *lookup, about []string) ([]Invitation, decide.Finding, error) {
	explained := decide.FoundOwnPart
	for _, index := range b.missing() {
		address := b.reqs[index].EmailAddress
		if about != nil && !hasAddress(about, address) {
			continue
		}
		_, found, err := l.created(ctx, address, "")
		if err != nil || found != decide.FoundNothing && found != decide.FoundOwn {
			return nil, found, err
		}
		explained = decide.FoundNothing // not listed yet: look again
	}
	return nil, explained, nil
}

// partly turns a refusal into an unknown outcome if a part was created.
func (b *bulk) partly(err error) error {
	if err == nil || len(b.created) == 0 || errors.Is(err, ErrOutcomeUnknown) {
		return err
	}
	e := wrap(err, fmt.Sprintf("after %d of %d were created: ", len(b.created), len(b.reqs)), nil)
	e.class = transport.Ambiguous
	return e
}
