package clerktest

import (
	"cmp"
	"math/rand/v2"
	"net/http"
	"slices"
	"time"

	"github.com/clerk-invitations/clerk-go"
)

// A failure is the fault or response that one request meets. The zero failure means none.
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
			return known(clerk.CodeInternalClerkError) // after replaces it
		}
	}
	return nil
}

// after returns the answer to send instead of the right one.
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
		if fail.response.EmptyBody {
			a.body, a.code = nil, ""
		}
		a.extra = fail.response.Header
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

// hidesUntil returns the time until which the failure makes lists hide a request's changes.
func (fail failure) hidesUntil(now time.Time) time.Time {
	if fail.fault != FaultHideAfter {
		return time.Time{}
	}
	return now.Add(hiding)
}

// A plannedFailure is a failure for the next request for an operation, or, with an address,
// for the next such request that concerns the address.
type plannedFailure struct {
	failure failure
	address string
}

// A failurePlan chooses the failures of requests.
type failurePlan struct {
	planned map[clerk.Operation][]plannedFailure
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
func (p *failurePlan) clear() { p.planned = map[clerk.Operation][]plannedFailure{} }

// add plans failures for the next requests, or for those of an address.
func (p *failurePlan) add(op clerk.Operation, address string, failures []failure) {
	for _, fail := range failures {
		p.planned[op] = append(p.planned[op], plannedFailure{fail, address})
	}
}

// next returns the failure of a request that concerns addresses, usually none.
func (p *failurePlan) next(op clerk.Operation, addresses []string) failure {
	concerns := func(address string) bool {
		return slices.ContainsFunc(addresses, func(one string) bool { return fold(one) == fold(address) })
	}
	next := slices.IndexFunc(p.planned[op], func(planned plannedFailure) bool {
		return planned.address == "" || concerns(planned.address)
	})
	if next >= 0 {
		planned := p.planned[op][next]
		p.planned[op] = slices.Delete(p.planned[op], next, next+1)
		return planned.failure
	}
	concerned := (len(p.mix.Operations) == 0 || slices.Contains(p.mix.Operations, op)) &&
		(len(p.mix.Addresses) == 0 || slices.ContainsFunc(p.mix.Addresses, concerns))
	if p.random == nil || !concerned || p.random.Float64() >= p.mix.Share {
		return failure{}
	}
	failures := p.mix.failures()
	return failures[p.random.IntN(len(failures))]
}

// concernsAddresses reports whether a failure may depend on a request's addresses.
func (p *failurePlan) concernsAddresses(op clerk.Operation) bool {
	return len(p.mix.Addresses) > 0 ||
		slices.ContainsFunc(p.planned[op], func(planned plannedFailure) bool { return planned.address != "" })
}

// texts describes the planned failures.
func (p *failurePlan) texts() []string {
	left := []string{}
	for _, op := range Operations() {
		for _, planned := range p.planned[op] {
			text := string(op)
			if planned.address != "" {
				text += " for one address"
			}
			left = append(left, text+": "+planned.failure.String())
		}
	}
	return left
}
