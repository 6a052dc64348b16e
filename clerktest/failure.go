package clerktest

import (
	"cmp"
	"net/http"
	"slices"
	"time"

	"github.com/clerk-invitations/clerk-go"
)

// A failure is what goes wrong with one request. The zero failure is none.
type failure struct {
	fault    Fault
	response Response // for FaultResponse
}

func ofFaults(faults []Fault) []failure {
	failures := make([]failure, len(faults))
	for i, fault := range faults {
		failures[i].fault = fault
	}
	return failures
}

func ofResponses(responses []Response) []failure {
	failures := make([]failure, len(responses))
	for i, response := range responses {
		failures[i] = failure{FaultResponse, response}
	}
	return failures
}

func (fail failure) String() string {
	if fail.fault != FaultResponse {
		return cmp.Or(string(fail.fault), "success")
	}
	text := "response"
	if !fail.response.keeps() {
		a := fail.response.answer()
		text = http.StatusText(a.status)
		if a.code != "" {
			text = string(a.code)
		}
	}
	if fail.response.Delay > 0 {
		text += " in " + fail.response.Delay.String()
	}
	return text
}

// nextFailure chooses what goes wrong with a request, usually nothing.
func (f *Fake) nextFailure(op clerk.Operation) failure {
	if planned := f.planned[op]; len(planned) > 0 {
		f.planned[op] = planned[1:]
		return planned[0]
	}
	concerned := len(f.faults.Operations) == 0 || slices.Contains(f.faults.Operations, op)
	if f.random == nil || !concerned || f.random.Float64() >= f.faults.Share {
		return failure{}
	}
	failures := f.faults.failures()
	return failures[f.random.IntN(len(failures))]
}

// before returns the refusal of a request that is not to be performed; nil when it
// is.
func (fail failure) before() *apiError {
	switch fail.fault {
	case FaultRefuse, FaultDropBefore, FaultErrorBefore:
		return known(clerk.CodeInternalClerkError)
	case FaultRateLimit:
		return errTooManyRequests(time.Second)
	case FaultResponse:
		if !fail.response.After && !fail.response.keeps() {
			return known(clerk.CodeInternalClerkError) // which after replaces
		}
	}
	return nil
}

// after turns the right answer into the one that is given.
func (fail failure) after(a answer, slowness time.Duration) answer {
	switch fail.fault {
	case FaultRefuse:
		return answer{breakage: refused}
	case FaultDropBefore, FaultDropAfter, FaultHideAfter:
		return answer{breakage: dropped}
	case FaultErrorAfter:
		return known(clerk.CodeInternalClerkError).answer()
	case FaultBadGatewayAfter:
		return answer{status: http.StatusBadGateway, contentType: "text/html", body: []byte("<html>Bad gateway</html>")}
	case FaultTruncateAfter:
		a.breakage = truncated
	case FaultSlowAfter:
		a.delay = slowness
	case FaultResponse:
		if !fail.response.keeps() {
			a = fail.response.answer()
		}
		a.delay = fail.response.Delay
		a.retryAfter = cmp.Or(fail.response.RetryAfter, a.retryAfter)
	}
	return a
}

// hidesUntil is until when a request's changes are not listed.
func (fail failure) hidesUntil() time.Time {
	if fail.fault != FaultHideAfter {
		return time.Time{}
	}
	return time.Now().Add(hiding)
}

// hide lists an invitation as it was until the request's hideUntil. It is called
// before every change. A state that is hidden already stays the listed one.
func (f *Fake) hide(inv *invitation, was *clerk.Invitation) {
	if f.hideUntil.IsZero() {
		return
	}
	if !time.Now().Before(inv.hiddenUntil) {
		inv.was = was
	}
	inv.hiddenUntil = f.hideUntil
}
