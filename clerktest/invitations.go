package clerktest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"net/mail"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/clerk-invitations/clerk-go"
)

func (f *Fake) create(body []byte) (any, *apiError) {
	req, refusal := parseRequest(body)
	if refusal != nil {
		return nil, refusal
	}
	if !req.IgnoreExisting {
		if f.isUser(req.EmailAddress) {
			return nil, errUserExists()
		}
		if f.isPending(req.EmailAddress) {
			return nil, errDuplicates([]string{req.EmailAddress})
		}
	}
	return f.invite(req), nil
}

func (f *Fake) bulkCreate(body []byte) (any, *apiError) {
	var rows []json.RawMessage
	switch err := json.Unmarshal(body, &rows); {
	case err != nil || len(rows) == 0:
		return nil, errBody
	case len(rows) > clerk.MaxBulkInvitations:
		return nil, errBulkSize
	}
	reqs := make([]parsedRequest, len(rows))
	for i, row := range rows {
		req, refusal := parseRequest(row)
		if refusal != nil {
			return nil, refusal
		}
		reqs[i] = req
	}
	var duplicates []string
	for i, req := range reqs {
		if f.isUser(req.EmailAddress) {
			return nil, errUserExists()
		}
		twice := slices.ContainsFunc(reqs[:i], func(other parsedRequest) bool {
			return fold(other.EmailAddress) == fold(req.EmailAddress)
		})
		if !req.IgnoreExisting && (twice || f.isPending(req.EmailAddress)) {
			duplicates = append(duplicates, req.EmailAddress)
		}
	}
	if duplicates != nil {
		return nil, errDuplicates(duplicates)
	}
	made := make([]*clerk.Invitation, len(reqs))
	for i, req := range reqs {
		made[i] = f.invite(req)
	}
	return made, nil
}

func (f *Fake) revoke(id string) (any, *apiError) {
	inv := f.find(id)
	switch {
	case inv == nil:
		return nil, errInvitationID(id)
	case inv.Status == clerk.InvitationStatusRevoked:
		return nil, errAlreadyRevoked
	case inv.Status == clerk.InvitationStatusAccepted:
		return nil, errAlreadyAccepted
	}
	inv.Status, inv.Revoked, inv.URL, inv.UpdatedAt = clerk.InvitationStatusRevoked, true, "", now()
	return inv, nil
}

func (f *Fake) list(q url.Values) (any, *apiError) {
	limit, badLimit := number(q, "limit", 10, 1, clerk.MaxListLimit)
	offset, badOffset := number(q, "offset", 0, 0, math.MaxInt)
	less, badOrder := order(q.Get("order_by"))
	badStatus := checkStatuses(q["status"])
	if wrong := slices.Concat(badStatus, badOrder, badLimit, badOffset); wrong != nil {
		return nil, errParams(wrong...)
	}
	found := []*clerk.Invitation{} // never null
	for _, inv := range f.invitations {
		if shown := f.listed(inv); shown != nil && f.matches(shown, q) {
			found = append(found, shown)
		}
	}
	slices.SortFunc(found, less)
	total, paginated := len(found), q.Get("paginated") == "true"
	if paginated || !f.unpagedArrays {
		found = found[min(offset, total):]
		found = found[:min(limit, len(found))]
	}
	if !paginated {
		return found, nil
	}
	return map[string]any{"data": found, "total_count": total}, nil
}

func (f *Fake) matches(inv *clerk.Invitation, q url.Values) bool {
	if statuses := q["status"]; len(statuses) > 0 {
		if !slices.Contains(statuses, string(inv.Status)) {
			return false
		}
	} else if inv.Status == clerk.InvitationStatusRevoked {
		return false
	}
	query := fold(q.Get("query"))
	if query == "" {
		return true
	}
	address, id := fold(inv.EmailAddress), fold(inv.ID)
	if query == address || query == id {
		return true
	}
	return !f.exactQuery && (strings.Contains(address, query) || strings.Contains(id, query))
}

func checkStatuses(statuses []string) []entry {
	known := []clerk.InvitationStatus{
		clerk.InvitationStatusPending, clerk.InvitationStatusAccepted,
		clerk.InvitationStatusRevoked, clerk.InvitationStatusExpired,
	}
	for _, status := range statuses {
		if !slices.Contains(known, clerk.InvitationStatus(status)) {
			return []entry{paramNotAllowed("status", status)}
		}
	}
	return nil
}

// order is the comparison that order_by asks for. Among equals it goes by id, which
// is to say by age.
func order(by string) (func(a, b *clerk.Invitation) int, []entry) {
	by = cmp.Or(by, "-created_at")
	name, desc := strings.CutPrefix(by, "-")
	compare := map[string]func(a, b *clerk.Invitation) int{
		"created_at":    func(a, b *clerk.Invitation) int { return cmp.Compare(a.CreatedAt, b.CreatedAt) },
		"email_address": func(a, b *clerk.Invitation) int { return strings.Compare(a.EmailAddress, b.EmailAddress) },
		"expires_at":    func(a, b *clerk.Invitation) int { return cmp.Compare(a.ExpiresAt, b.ExpiresAt) },
	}[strings.TrimPrefix(name, "+")]
	if compare == nil {
		return nil, []entry{paramNotAllowed("order_by", by)}
	}
	return func(a, b *clerk.Invitation) int {
		if desc {
			a, b = b, a
		}
		return cmp.Or(compare(a, b), strings.Compare(a.ID, b.ID))
	}, nil
}

// number reads a query parameter that is a number within bounds.
func number(q url.Values, name string, absent, least, most int) (int, []entry) {
	text := q.Get(name)
	if text == "" {
		return absent, nil
	}
	n, err := strconv.Atoi(text)
	switch {
	case err != nil:
		return 0, []entry{paramType(name, "integer")}
	case n < least || n > most:
		return 0, []entry{paramValue(name)}
	}
	return n, nil
}

const dayMilli = 24 * 60 * 60 * 1000

// invite makes an invitation.
func (f *Fake) invite(req parsedRequest) *clerk.Invitation {
	days := cmp.Or(req.ExpiresInDays, 30)
	created := now()
	id := fmt.Sprintf("inv_%027d", len(f.invitations)+1)
	inv := &clerk.Invitation{
		Object:         "invitation",
		ID:             id,
		EmailAddress:   req.EmailAddress,
		PublicMetadata: req.metadata,
		Status:         clerk.InvitationStatusPending,
		URL:            "https://clerk.example.com/v1/tickets/accept?ticket=ticket_of_" + id,
		// In the answers that were observed a life is 2 ms short of whole days.
		ExpiresAt: created + clerk.UnixMilli(days)*dayMilli - 2,
		CreatedAt: created,
		UpdatedAt: created,
	}
	f.invitations = append(f.invitations, inv)
	f.byID[id] = inv
	address := fold(req.EmailAddress)
	f.byAddress[address] = append(f.byAddress[address], inv)
	return inv
}

// refresh lets an invitation expire whose time has come.
func (f *Fake) refresh(inv *clerk.Invitation) *clerk.Invitation {
	if inv.Status == clerk.InvitationStatusPending && inv.ExpiresAt <= now() {
		inv.Status = clerk.InvitationStatusExpired
	}
	return inv
}

func (f *Fake) find(id string) *clerk.Invitation {
	inv := f.byID[id]
	if inv == nil {
		return nil
	}
	return f.refresh(inv)
}

func (f *Fake) isPending(address string) bool {
	return slices.ContainsFunc(f.byAddress[fold(address)], func(inv *clerk.Invitation) bool {
		return f.refresh(inv).Status == clerk.InvitationStatusPending
	})
}

func (f *Fake) isUser(address string) bool { return f.users[fold(address)] }

// fold is an address as it is compared.
func fold(address string) string { return strings.ToLower(address) }

// A parsedRequest is a request for one invitation, with its metadata as it came.
type parsedRequest struct {
	clerk.CreateInvitationRequest
	metadata json.RawMessage
}

// parseRequest reads the request for one invitation, and judges its parameters.
func parseRequest(body []byte) (req parsedRequest, refusal *apiError) {
	var fields map[string]json.RawMessage
	if json.Unmarshal(body, &fields) != nil || fields == nil {
		return req, errBody
	}
	parameters := []struct {
		name, kind string
		into       any
	}{
		{"email_address", "string", &req.EmailAddress},
		{"public_metadata", "object", &req.PublicMetadata},
		{"redirect_url", "string", &req.RedirectURL},
		{"notify", "boolean", &req.Notify},
		{"ignore_existing", "boolean", &req.IgnoreExisting},
		{"expires_in_days", "integer", &req.ExpiresInDays},
		{"template_slug", "string", &req.TemplateSlug},
	}
	req.metadata = json.RawMessage("{}")
	if metadata := fields["public_metadata"]; metadata != nil && !isNull(metadata) {
		req.metadata = metadata
	}
	var wrong []entry
	for _, p := range parameters {
		value, given := fields[p.name]
		delete(fields, p.name)
		if given && json.Unmarshal(value, p.into) != nil {
			wrong = append(wrong, paramType(p.name, p.kind))
		} else {
			wrong = append(wrong, judge(p.name, given && !isNull(value), req.CreateInvitationRequest)...)
		}
	}
	unknown := make([]string, 0, len(fields))
	for name := range fields {
		unknown = append(unknown, name)
	}
	slices.Sort(unknown)
	for _, name := range unknown {
		wrong = append(wrong, paramUnknown(name))
	}
	if wrong != nil {
		return req, errParams(wrong...)
	}
	return req, nil
}

func isNull(value json.RawMessage) bool { return string(value) == "null" }

// judge says what is wrong with the value of a parameter.
func judge(name string, given bool, req clerk.CreateInvitationRequest) []entry {
	switch {
	case name == "email_address" && req.EmailAddress == "":
		return []entry{paramMissing(name)}
	case name == "email_address" && !isAddress(req.EmailAddress):
		return []entry{paramAddress(name)}
	case name == "expires_in_days" && given && (req.ExpiresInDays < 1 || req.ExpiresInDays > 365):
		return []entry{paramValue(name)}
	case name == "template_slug" && given &&
		req.TemplateSlug != clerk.TemplateSlugInvitation && req.TemplateSlug != clerk.TemplateSlugWaitlistInvitation:
		return []entry{paramNotAllowed(name, string(req.TemplateSlug))}
	}
	return nil
}

func isAddress(s string) bool {
	address, err := mail.ParseAddress(s)
	return err == nil && address.Address == s && address.Name == ""
}
