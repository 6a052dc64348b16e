package fakeserver

import (
	"errors"
	"net/http"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

// faultTexts says what each fault does.
var faultTexts = map[clerktest.Fault]string{
	clerktest.FaultRefuse:          "refuses the connection; over HTTP it resets it",
	clerktest.FaultDropBefore:      "breaks the connection; nothing is done",
	clerktest.FaultDropAfter:       "performs the request, then breaks the connection",
	clerktest.FaultErrorBefore:     "responds 500 internal_clerk_error; nothing is done",
	clerktest.FaultErrorAfter:      "performs the request, then responds 500 internal_clerk_error",
	clerktest.FaultBadGatewayAfter: "performs the request, then responds 502 with HTML, as a proxy may",
	clerktest.FaultTruncateAfter:   "performs the request, then breaks the connection in the middle of the response",
	clerktest.FaultSlowAfter:       "performs the request, then responds after 20 seconds",
	clerktest.FaultRateLimit:       "responds 429 with a Retry-After of one second; nothing is done",
	clerktest.FaultHideAfter:       "performs the request, breaks the connection, and lists the state before it for two seconds",
}

// faults returns the faults that can be set, and those that are set.
func (s *server) faults(*http.Request) (any, error) {
	all := []object{}
	for _, fault := range clerktest.AllFaults() {
		all = append(all, object{"fault": fault, "text": faultTexts[fault]})
	}
	set := faultsJSON(s.fake.State(clerktest.Filter{}))
	set["known"], set["codes"] = all, clerktest.Codes()
	return set, nil
}

func (s *server) planFault(r *http.Request) (any, error) {
	in := nextFault{Count: 1}
	if err := decode(r, &in); err != nil {
		return nil, err
	}
	if in.Count < 1 || in.Count > 1000 {
		return nil, errors.New("count is not between 1 and 1000")
	}
	response, isResponse := in.response()
	if isResponse == (in.Fault != "") {
		return nil, errors.New("give either a fault, or a response: status, code, body, delay")
	}
	check := clerktest.FaultMix{Operations: []clerk.Operation{in.Operation}}
	if isResponse {
		check.Responses = []clerktest.Response{response}
	} else {
		check.Faults = []clerktest.Fault{in.Fault}
	}
	if err := check.Validate(); err != nil {
		return nil, err
	}
	for range in.Count {
		switch {
		case isResponse && in.EmailAddress != "":
			s.fake.RespondFor(in.EmailAddress, in.Operation, response)
		case isResponse:
			s.fake.Respond(in.Operation, response)
		case in.EmailAddress != "":
			s.fake.FailFor(in.EmailAddress, in.Operation, in.Fault)
		default:
			s.fake.Fail(in.Operation, in.Fault)
		}
	}
	return nil, nil
}

func (s *server) setShare(r *http.Request) (any, error) {
	var in faultShare
	if err := decode(r, &in); err != nil {
		return nil, err
	}
	if in.Share == nil {
		return nil, errors.New("share is missing; 0 ends the share")
	}
	mix := clerktest.FaultMix{
		Share: *in.Share, Seed: in.Seed, Faults: in.Faults, Operations: in.Operations, Addresses: in.EmailAddresses,
	}
	if response, ok := in.response(); ok {
		mix.Responses = []clerktest.Response{response}
	}
	if err := mix.Validate(); err != nil {
		return nil, err
	}
	s.fake.SetFaults(mix)
	return nil, nil
}

func (s *server) setLimits(r *http.Request) (any, error) {
	var in rateLimits
	if err := decode(r, &in); err != nil {
		return nil, err
	}
	limits, err := in.limits()
	if err != nil {
		return nil, err
	}
	if err := limits.Validate(); err != nil {
		return nil, err
	}
	s.fake.SetRateLimits(limits)
	return nil, nil
}
