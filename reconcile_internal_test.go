package clerk

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestDecide has a row for each case of decide. Unless a row says otherwise, the
// configuration and the limits permit a retry, and there is time for it and for a lookup.
func TestDecide(t *testing.T) {
	type s = situation
	for name, test := range map[string]struct {
		situation situation
		want      decision
	}{
		// The call's own work is found.
		"all is found after an ambiguous failure": {s{class: classAmbiguous, ambiguous: true, found: foundAll}, returnResult},
		"all is found after a refused retry":      {s{class: classRefused, ambiguous: true, ownRefusal: true, found: foundAll}, returnResult},
		"all is found after a definite refusal":   {s{class: classRefused, ambiguous: true, definite: true, found: foundAll}, returnResult},
		"all is found after a rate limit":         {s{class: classRateLimited, ambiguous: true, found: foundAll}, returnResult},

		// A refusal of the first request, which may have been carried out in part.
		"a refusal, and nothing is found":                {s{class: classRefused}, returnFailure},
		"a refusal, and part is found":                   {s{class: classRefused, found: foundPart}, returnFailure},
		"a refusal, and the lookup fails":                {s{class: classRefused, found: lookupFailed}, lookUpAgain},
		"a duplicate, and nothing is found":              {s{class: classRefused, ownRefusal: true}, returnFailure},
		"a refusal, thorough, before its work shows":     {s{class: classRefused, inParts: true, duplicates: true}, lookUpAgain},
		"a refusal, thorough, settled":                   {s{class: classRefused, inParts: true, duplicates: true, settled: true}, returnFailure},
		"a refusal, thorough, and the lookup fails":      {s{class: classRefused, inParts: true, duplicates: true, found: lookupFailed}, lookUpAgain},
		"a refusal, thorough, and lookups will not work": {s{class: classRefused, inParts: true, duplicates: true, found: lookupRefused}, reportUnknown},
		"a refusal, thorough, and part is found":         {s{class: classRefused, inParts: true, duplicates: true, found: foundPart}, lookUpAgain},
		"a refusal, thorough, and the clocks differ":     {s{class: classRefused, inParts: true, duplicates: true, found: foundUnclear}, lookUpAgain},

		// A refusal after an ambiguous request.
		"a definite refusal of a retry": {s{class: classRefused, ambiguous: true, definite: true}, returnFailure},
		"an undocumented refusal of a retry": {
			s{class: classRefused, ambiguous: true, settled: true, found: foundPart}, retryWrite,
		},
		"a duplicate that others' pending invitation explains": {s{class: classRefused, ambiguous: true, ownRefusal: true, found: foundOther}, returnFailure},
		"a duplicate that an older one explains, too early":    {s{class: classRefused, ambiguous: true, ownRefusal: true, found: foundOlder}, lookUpAgain},
		"a duplicate that an older one explains, settled":      {s{class: classRefused, ambiguous: true, ownRefusal: true, found: foundOlder, settled: true}, returnFailure},
		"a duplicate that nothing explains yet":                {s{class: classRefused, ambiguous: true, ownRefusal: true}, lookUpAgain},
		"a duplicate that nothing explains, settled":           {s{class: classRefused, ambiguous: true, ownRefusal: true, settled: true}, lookUpAgain},
		"a duplicate that the found part explains":             {s{class: classRefused, ambiguous: true, ownRefusal: true, found: foundPart}, retryWrite},
		"a duplicate, and the clocks differ":                   {s{class: classRefused, ambiguous: true, ownRefusal: true, found: foundUnclear, settled: true}, reportUnknown},

		// Lookups without a result.
		"the lookup fails": {s{class: classAmbiguous, ambiguous: true, found: lookupFailed}, lookUpAgain},
		"the lookup fails, and would be allowed to retry": {s{class: classAmbiguous, ambiguous: true, settled: true, found: lookupFailed}, lookUpAgain},
		"the clocks differ":     {s{class: classAmbiguous, ambiguous: true, settled: true, found: foundUnclear}, reportUnknown},
		"lookups will not work": {s{class: classAmbiguous, ambiguous: true, settled: true, found: lookupRefused}, reportUnknown},

		// The write can be retried.
		"nothing is found, and Clerk refuses duplicates": {s{class: classAmbiguous, ambiguous: true}, retryWrite},
		"part is found, and Clerk refuses duplicates":    {s{class: classAmbiguous, ambiguous: true, found: foundPart}, retryWrite},
		"nothing is found, but Clerk accepts duplicates": {s{class: classAmbiguous, ambiguous: true, duplicates: true}, lookUpAgain},
		"part is found, but Clerk accepts duplicates":    {s{class: classAmbiguous, ambiguous: true, duplicates: true, found: foundPart}, lookUpAgain},
		"nothing is found, duplicates, settled":          {s{class: classAmbiguous, ambiguous: true, duplicates: true, settled: true}, retryWrite},
		"others' invitation is found":                    {s{class: classAmbiguous, ambiguous: true, found: foundOther}, retryWrite},
		"others' invitation is found, duplicates":        {s{class: classAmbiguous, ambiguous: true, duplicates: true, found: foundOther}, lookUpAgain},

		// The retry was not carried out, but an earlier request may have been.
		"a retry is rate limited": {s{class: classRateLimited, ambiguous: true, settled: true}, reportUnknown},
		"a retry is not sent":     {s{class: classNotSent, ambiguous: true, settled: true}, reportUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			s := test.situation
			s.mayRetry, s.writeFits, s.lookupFits = true, true, true
			require.Equal(t, test.want, decide(s))

			s.lookupFits = false
			want := test.want
			if want == lookUpAgain {
				want = reportUnknown
			}
			require.Equal(t, want, decide(s), "no time for a lookup")

			s.lookupFits, s.writeFits = true, false
			if want = test.want; want == retryWrite {
				want = lookUpAgain
			}
			require.Equal(t, want, decide(s), "no time for the write")

			s.writeFits, s.mayRetry = true, false
			got := decide(s)
			require.NotEqual(t, retryWrite, got, "no retry is permitted")
			if test.want == returnResult || test.want == returnFailure {
				require.Equal(t, test.want, got)
			}
		})
	}
}

// TestDecideNeverRetriesWithoutALookup goes through all situations.
func TestDecideNeverRetriesWithoutALookup(t *testing.T) {
	retries, flags := 0, 1<<8
	for c := classNone; c <= classFailed; c++ {
		for found := foundNothing; found <= lookupRefused; found++ {
			for bits := range flags {
				on := func(bit int) bool { return bits&(1<<bit) != 0 }
				s := situation{
					class: c, found: found, ownRefusal: on(0), definite: on(1), ambiguous: on(2), inParts: on(3), duplicates: on(4), settled: on(5),
					mayRetry: on(6), writeFits: on(7), lookupFits: true,
				}
				if decide(s) != retryWrite {
					continue
				}
				retries++
				require.True(t, s.mayRetry && s.writeFits, s)
				require.True(t, s.settled || !s.duplicates, "Clerk would create a duplicate: %+v", s)
				require.NotContains(t, []finding{foundAll, foundUnclear, lookupFailed, lookupRefused}, s.found, s)
				require.Contains(t, []class{classAmbiguous, classRefused}, s.class, s)
			}
		}
	}
	require.Positive(t, retries)
}

func TestGraceIsLongerAfterATimeout(t *testing.T) {
	require.Equal(t, graceTime, (&ambiguity{}).grace())
	require.Equal(t, graceTime, (&ambiguity{failure: &SDKError{Err: errors.New("connection reset")}}).grace())
	timedOut := &SDKError{Err: fmt.Errorf("no response: %w", context.DeadlineExceeded)}
	require.Equal(t, graceAfterTimeout, (&ambiguity{failure: timedOut}).grace())
}

func TestIsDefinite(t *testing.T) {
	notAllowed := &ClerkErrors{Errors: []ClerkError{{Code: CodeNotAllowedAccess}}}
	require.True(t, isDefinite(&ClerkErrors{Errors: []ClerkError{{Code: CodeFormParamMissing}}}), "documented")
	require.True(t, isDefinite(&SDKError{Err: notAllowed}), "its code says so")
	require.False(t, isDefinite(&SDKError{ResponseMeta: ResponseMeta{StatusCode: 403}}))
}

func TestUnknownOutcomeDescribesTheWrite(t *testing.T) {
	failure := &SDKError{ResponseMeta: ResponseMeta{Operation: OperationCreate, StatusCode: 502}, Message: "Bad Gateway", class: classAmbiguous}
	require.Same(t, failure, unknownOutcome(failure, nil, nil), "it says all")

	limited := &SDKError{ResponseMeta: ResponseMeta{Operation: OperationCreate, StatusCode: 429, RetryAfter: time.Hour}, class: classRateLimited}
	err := unknownOutcome(limited, nil, nil)
	require.ErrorIs(t, err, ErrOutcomeUnknown)
	require.ErrorIs(t, err, ErrRateLimited)

	lookup := &SDKError{ResponseMeta: ResponseMeta{Operation: OperationList, StatusCode: 401}, Message: "Unauthorized"}
	err = unknownOutcome(failure, lookup, context.Canceled)
	require.ErrorIs(t, err, ErrOutcomeUnknown)
	require.ErrorIs(t, err, context.Canceled)
	require.NotErrorIs(t, err, ErrUnauthorized, "that is the lookup's")
	require.EqualError(t, err, "clerk: CreateInvitation: outcome unknown: 502 Bad Gateway; looking it up: ListInvitations: 401 Unauthorized")
}
