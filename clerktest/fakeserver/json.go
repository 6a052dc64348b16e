package fakeserver

import (
	"slices"
	"time"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

// object is a JSON object.
type object = map[string]any

func stateJSON(s clerktest.State) object {
	counts := object{}
	for _, status := range statuses {
		counts[string(status)] = s.Counts[status]
	}
	return object{
		"counts": counts, "invitations": invitationsJSON(s.Invitations), "emails": s.Emails, "users": s.Users,
		"requests": requestsJSON(s.Requests),
		"limits":   limitsJSON(s.Limits), "faults": faultsJSON(s),
		"latency": s.Latency.String(), "behavior": s.Behavior.String(),
		"now": s.Now.UTC().Format(time.RFC3339Nano), "ahead": s.Ahead.String(),
	}
}

func limitsJSON(usage clerktest.RateLimitUsage) object {
	return object{
		"creates": usageJSON(usage.Creates), "bulks": usageJSON(usage.Bulks), "requests": usageJSON(usage.Requests),
	}
}

func faultsJSON(s clerktest.State) object {
	return object{
		"planned": s.Planned, "share": s.Faults.Share, "seed": s.Faults.Seed,
		"faults": s.Faults.Faults, "operations": s.Faults.Operations, "email_addresses": s.Faults.Addresses,
	}
}

var statuses = []clerk.InvitationStatus{
	clerk.InvitationStatusPending, clerk.InvitationStatusAccepted,
	clerk.InvitationStatusExpired, clerk.InvitationStatusRevoked,
}

// statusNamed returns the status with a name, or "" if there is none.
func statusNamed(name string) clerk.InvitationStatus {
	status := clerk.InvitationStatus(name)
	if !slices.Contains(statuses, status) {
		return ""
	}
	return status
}

func invitationsJSON(invitations []clerktest.InvitationState) []object {
	all := make([]object, len(invitations))
	for i, inv := range invitations {
		all[i] = invitationJSON(inv)
	}
	return all
}

func invitationJSON(inv clerktest.InvitationState) object {
	return object{
		"id": inv.ID, "email_address": inv.EmailAddress, "status": inv.Status, "url": inv.URL,
		"public_metadata": inv.PublicMetadata, "redirect_url": inv.Email.RedirectURL,
		"template_slug": inv.Email.TemplateSlug, "notify": inv.Email.Notify, "emailed": inv.Emailed,
		"created_at": inv.CreatedAt, "updated_at": inv.UpdatedAt, "expires_at": inv.ExpiresAt,
	}
}

func requestsJSON(requests []clerktest.Request) []object {
	all := make([]object, len(requests))
	for i, req := range requests {
		all[i] = requestJSON(req)
	}
	return all
}

func requestJSON(req clerktest.Request) object {
	return object{
		"number": req.Number, "time": req.Time.UTC().Format(time.RFC3339Nano), "operation": req.Operation,
		"method": req.Method, "path": req.Path, "query": req.Query, "header": req.Header, "body": string(req.Body),
		"status": req.Status, "code": req.Code, "fault": req.Fault, "doubts": req.Doubts,
		"response_header": req.ResponseHeader, "response_body": string(req.ResponseBody),
	}
}

func usageJSON(u clerktest.LimitUsage) object {
	if u.Limit == (clerktest.Limit{}) {
		return nil
	}
	return object{
		"requests": u.Limit.Requests, "per": u.Limit.Per.String(), "used": u.Used,
		"left": left(u), "wait": u.Wait.Round(time.Second).String(),
	}
}

func left(u clerktest.LimitUsage) int { return max(0, u.Limit.Requests-u.Used) }
