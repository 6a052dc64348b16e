package fakeserver

import (
	"errors"
	"net/http"
	"time"

	"github.com/clerk-invitations/clerk-go/clerktest"
)

func (s *server) setLatency(r *http.Request) (any, error) {
	var in struct{ Latency *duration }
	if err := decode(r, &in); err != nil {
		return nil, err
	}
	if in.Latency == nil || *in.Latency < 0 {
		return nil, errors.New("latency is missing or negative")
	}
	s.fake.SetLatency(time.Duration(*in.Latency))
	return nil, nil
}

// time returns the time by the fake's clock.
func (s *server) time(*http.Request) (any, error) {
	state := s.fake.State(clerktest.Filter{})
	return object{"now": state.Now.UTC().Format(time.RFC3339Nano), "ahead": state.Ahead.String()}, nil
}

func (s *server) advance(r *http.Request) (any, error) {
	var in struct{ Advance *duration }
	if err := decode(r, &in); err != nil {
		return nil, err
	}
	const most = 10 * 365 * 24 * time.Hour
	if in.Advance == nil || *in.Advance < 0 || time.Duration(*in.Advance) > most {
		return nil, errors.New("advance is missing, or not between 0 and 10 years: time can only be moved forward")
	}
	s.fake.Advance(time.Duration(*in.Advance))
	return s.time(r)
}

// behavior returns the fake's behavior, and all alternatives.
func (s *server) behavior(*http.Request) (any, error) {
	return object{"behavior": s.fake.State(clerktest.Filter{}).Behavior.String(), "alternatives": alternatives()}, nil
}

// alternatives returns the text form of each alternative alone.
func alternatives() []string {
	var names []string
	for name := range clerktest.Behaviors() {
		names = append(names, name)
	}
	return names
}

func (s *server) setBehavior(r *http.Request) (any, error) {
	var in struct{ Behavior *string }
	if err := decode(r, &in); err != nil {
		return nil, err
	}
	if in.Behavior == nil {
		return nil, errors.New("behavior is missing; an empty one ends the rules that differ")
	}
	behavior, err := clerktest.ParseBehavior(*in.Behavior)
	if err != nil {
		return nil, err
	}
	s.fake.SetBehavior(behavior)
	return s.behavior(r)
}
