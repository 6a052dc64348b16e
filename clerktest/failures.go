package clerktest

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"time"

	"github.com/clerk-invitations/clerk-go"
)

// A failure is the fault or response that one request meets. The zero failure is
// none.
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

func (m FaultMix) failures() []failure {
	faults := m.Faults
	if len(m.Faults)+len(m.Responses) == 0 {
		faults = AllFaults()
	}
	return append(ofFaults(faults), ofResponses(m.Responses)...)
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

// before returns the refusal of a request that is not performed, or nil.
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

// after replaces the right answer by the one that is sent.
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

// isRateLimit reports whether the failure is a 429.
func (fail failure) isRateLimit() bool {
	return fail.fault == FaultRateLimit ||
		fail.fault == FaultResponse && fail.response.answer().status == http.StatusTooManyRequests
}

// hidesUntil returns the time until which lists hide a request's changes.
func (fail failure) hidesUntil(now time.Time) time.Time {
	if fail.fault != FaultHideAfter {
		return time.Time{}
	}
	return now.Add(hiding)
}

// A failurePlan chooses the failures of requests.
type failurePlan struct {
	planned map[clerk.Operation][]failure
	mix     FaultMix
	random  *rand.Rand // chooses from mix; nil without one
}

func (p *failurePlan) setMix(mix FaultMix, seed uint64) {
	p.mix, p.random = mix, nil
	if mix.Share > 0 {
		p.random = rand.New(rand.NewPCG(mix.Seed, seed)) //nolint:gosec // repeatable, not secret
	}
}

// clear drops the planned failures.
func (p *failurePlan) clear() { p.planned = map[clerk.Operation][]failure{} }

// next returns the failure of a request, usually none.
func (p *failurePlan) next(op clerk.Operation) failure {
	if planned := p.planned[op]; len(planned) > 0 {
		p.planned[op] = planned[1:]
		return planned[0]
	}
	concerned := len(p.mix.Operations) == 0 || slices.Contains(p.mix.Operations, op)
	if p.random == nil || !concerned || p.random.Float64() >= p.mix.Share {
		return failure{}
	}
	failures := p.mix.failures()
	return failures[p.random.IntN(len(failures))]
}

// texts describes the planned failures.
func (p *failurePlan) texts() []string {
	left := []string{}
	for _, op := range Operations() {
		for _, failure := range p.planned[op] {
			left = append(left, fmt.Sprintf("%s: %s", op, failure))
		}
	}
	return left
}
