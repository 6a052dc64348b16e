package fakeserver

import (
	"errors"
	"net/http"
	"time"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

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
		if isResponse {
			s.fake.Respond(in.Operation, response)
		} else {
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
	mix := clerktest.FaultMix{Share: in.Share, Seed: in.Seed, Faults: in.Faults, Operations: in.Operations}
	if response, ok := in.response(); ok {
		mix.Responses = []clerktest.Response{response}
	}
	if err := mix.Validate(); err != nil {
		return nil, err
	}
	s.fake.SetFaults(mix)
	return nil, nil
}

func (s *server) setLatency(r *http.Request) (any, error) {
	var in struct{ Latency duration }
	if err := decode(r, &in); err != nil {
		return nil, err
	}
	if in.Latency < 0 {
		return nil, errors.New("latency is negative")
	}
	s.fake.SetLatency(time.Duration(in.Latency))
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
