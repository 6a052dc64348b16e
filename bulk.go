package clerk

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/clerk-invitations/clerk-go/internal/addresses"
	"github.com/clerk-invitations/clerk-go/internal/clock"
	"github.com/clerk-invitations/clerk-go/internal/decide"
	"github.com/clerk-invitations/clerk-go/internal/jsonbody"
	"github.com/clerk-invitations/clerk-go/internal/match"
	"github.com/clerk-invitations/clerk-go/internal/transport"
)

// A bulk is a BulkCreate. A lookup may have found that a part of it was created.
type bulk struct {
	match.Wanted[Invitation]

	reqs   []CreateInvitationRequest
	bodies [][]byte // the requests' JSON
}

func newBulk(reqs []CreateInvitationRequest) (*bulk, error) {
	if n := len(reqs); n == 0 || n > MaxBulkInvitations {
		return nil, &InputError{"requests", fmt.Sprintf("has %d elements; a bulk has 1 to %d", n, MaxBulkInvitations)}
	}
	b := emptyBulk(len(reqs))
	for i, req := range reqs {
		body, err := req.encode()
		if input, ok := errors.AsType[*InputError](err); ok {
			return nil, &InputError{fmt.Sprintf("requests[%d].%s", i, input.Field), input.Problem}
		}
		b.add(req, body)
	}
	return b, nil
}

// emptyBulk returns a bulk with room for n requests.
func emptyBulk(n int) *bulk {
	identify := func(inv Invitation) (id, address string) { return inv.ID, inv.EmailAddress }
	return &bulk{
		Wanted: match.Wanted[Invitation]{Addresses: make([]string, 0, n), Found: map[int]Invitation{}, Identify: identify},
		reqs:   make([]CreateInvitationRequest, 0, n), bodies: make([][]byte, 0, n),
	}
}

// add adds a request, whose JSON is body.
func (b *bulk) add(req CreateInvitationRequest, body []byte) {
	b.reqs, b.bodies, b.Addresses = append(b.reqs, req), append(b.bodies, body), append(b.Addresses, req.EmailAddress)
}

// creation is the write that creates what is missing.
func (b *bulk) creation() write[[]Invitation] {
	return write[[]Invitation]{
		send:            b.send,
		find:            b.find,
		ownRefusal:      ErrDuplicateInvitation,
		retryDuplicates: b.ignoresExisting(),
	}
}

// ignoresExisting reports whether Clerk would carry out a retry a second time.
func (b *bulk) ignoresExisting() bool {
	return slices.ContainsFunc(b.reqs, func(req CreateInvitationRequest) bool { return req.IgnoreExisting })
}

// send creates what is missing.
func (b *bulk) send(ctx context.Context, c *call) ([]Invitation, error) {
	c.sent.InParts = true
	missing := b.Missing()
	bodies := make([][]byte, 0, len(missing))
	for _, index := range missing {
		bodies = append(bodies, b.bodies[index])
	}
	body := slices.Concat([]byte("["), bytes.Join(bodies, []byte(",")), []byte("]"))
	r := transport.Request{Operation: string(OperationBulkCreate), Method: http.MethodPost, Path: "/invitations/bulk", Body: body}
	invs, err := do(ctx, c, r, func(body []byte) ([]Invitation, error) {
		invs, err := decodeInvitations(body)
		if err == nil && len(invs) != len(missing) {
			err = fmt.Errorf("%w: %d invitations for %d requests", errMismatch, len(invs), len(missing))
		}
		return invs, err
	})
	for _, inv := range invs {
		isSame := func(index int) bool { return !addresses.IsOther(inv.EmailAddress, b.Addresses[index]) }
		if !slices.ContainsFunc(missing, isSame) && c.last.Header.Get("Date") != "" && !c.hasCreated(&inv) {
			return nil, c.otherAddress()
		}
		c.measureSkew(inv.CreatedAt, !b.ignoresExisting())
	}
	if err != nil || len(missing) == len(b.reqs) {
		return invs, err
	}
	for i, index := range missing {
		b.Found[index] = invs[i]
	}
	return b.Objects(), nil
}

// find lists what was created since the first request, for all of the bulk together.
func (b *bulk) find(ctx context.Context, l *lookup) ([]Invitation, decide.Finding, error) {
	found, err := b.findCreated(ctx, l)
	switch {
	case err == nil && found == decide.FoundOwn:
		return b.Objects(), found, nil
	case err == nil && found == decide.FoundNothing && l.last == decide.RefusedAsDone:
		found, err = b.Explain(ctx, &l.Search, duplicateAddresses(l.failure))
	}
	return nil, found, err
}

// findCreated records what the lists of a lookup show as created. If no earlier request was
// ambiguous, the addresses that a refusal is about are the work of others.
func (b *bulk) findCreated(ctx context.Context, l *lookup) (decide.Finding, error) {
	var foreign []string
	if !l.ambiguous {
		foreign = duplicateAddresses(l.failure)
	}
	return b.Find(ctx, &l.Search, foreign)
}

// duplicateAddresses returns the addresses that already have an invitation, as a refusal says.
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

// inspected returns the result of the bulk's requests. Clerk does not document bulks as
// atomic, so a refused bulk may have been carried out in part. It is never retried; inspected
// lists what was created instead.
func (b *bulk) inspected(ctx context.Context, c *call, invs []Invitation, err error) ([]Invitation, error) {
	if len(b.reqs) == 1 || classOf(err) != transport.Refused || c.retry.Strategy == RetryNone {
		return invs, err
	}
	ctx, cancel := c.withDeadline(ctx)
	defer cancel()
	found, lookupErr := b.inspect(ctx, c, err)
	switch {
	case found == decide.FoundOwn:
		return b.Objects(), nil
	case found == decide.FoundNothing && lookupErr == nil:
		return nil, err
	}
	c.sent.Ambiguous = unknownOutcome(err, lookupErr, clock.Err(ctx))
	return nil, c.sent.Ambiguous
}

// inspect lists what a refused bulk has created. The finding is unclear if the time is too
// short. inspect soon gives up on lists that fail, as most likely nothing was created.
func (b *bulk) inspect(ctx context.Context, c *call, refusal error) (found decide.Finding, err error) {
	ctx, cancel := context.WithTimeout(ctx, 2*decide.Grace)
	defer cancel()
	for _, at := range decide.Inspections(b.ignoresExisting()) {
		wait := max(0, time.Until(c.sent.FailedAt.Add(at)))
		if wait >= clock.Left(ctx) || c.pause(ctx, "lookup", wait) != nil {
			return decide.FoundUnclear, err
		}
		c.pass++
		l := c.newLookup(refusal, ErrDuplicateInvitation, b.ignoresExisting())
		found, err = b.findCreated(ctx, l)
		c.count(l.call)
		if found == decide.FoundOwn || isFinal(err) {
			break
		}
	}
	return found, err
}

// partly turns a refusal into an unknown outcome if a part was created.
func (b *bulk) partly(err error) error {
	if err == nil || len(b.Found) == 0 || errors.Is(err, ErrOutcomeUnknown) {
		return err
	}
	e := wrap(err, fmt.Sprintf("after %d of %d were created: ", len(b.Found), len(b.reqs)), nil)
	e.class = transport.Ambiguous
	return e
}

// metadataError returns an error if invitations do not have the metadata of their requests.
func (b *bulk) metadataError(m *ResponseMeta, invs []Invitation) error {
	lost := 0
	for i, inv := range b.Assign(invs) {
		if hasLostMetadata(&b.reqs[i], b.bodies[i], &inv) {
			lost++
		}
	}
	if lost == 0 {
		return nil
	}
	return errLostMetadata(m, lost)
}

// hasLostMetadata reports whether an invitation has other metadata than its request, whose
// JSON is body.
func hasLostMetadata(req *CreateInvitationRequest, body []byte, inv *Invitation) bool {
	if len(req.PublicMetadata) == 0 {
		return false
	}
	// The text is usually the same. No object's text is a prefix of another object's.
	_, text, _ := bytes.Cut(body, []byte(`"public_metadata":`))
	if bytes.HasPrefix(inv.PublicMetadata, []byte("{")) && bytes.HasPrefix(text, inv.PublicMetadata) {
		return false
	}
	var sent json.RawMessage
	return json.NewDecoder(bytes.NewReader(text)).Decode(&sent) == nil && !jsonbody.Equal(sent, inv.PublicMetadata)
}

func errLostMetadata(m *ResponseMeta, lost int) error {
	return &SDKError{ResponseMeta: *m, Message: fmt.Sprintf("created, but %d without the metadata that was sent", lost), Err: ErrMetadataLost}
}
