package decide_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go/internal/decide"
)

// Each situation is tried four times: with everything permitted, without time for a lookup,
// without time for a retry, and without permission to retry.
func TestNext(t *testing.T) {
	type s = decide.Situation
	for name, test := range map[string]struct {
		situation decide.Situation
		want      decide.Decision
	}{
		// The call's own work is found.
		"all is found after an ambiguous failure": {s{Last: decide.OutcomeUnknown, Found: decide.FoundOwn}, decide.ReturnResult},
		"all is found after a refused retry":      {s{Last: decide.RefusedAsDone, Found: decide.FoundOwn}, decide.ReturnResult},
		"all is found after a definite refusal":   {s{Last: decide.RefusedForGood, Found: decide.FoundOwn}, decide.ReturnResult},
		"all is found after a rate limit":         {s{Last: decide.NotCarriedOut, Found: decide.FoundOwn}, decide.ReturnResult},

		// A refusal after an ambiguous request.
		"a definite refusal of a retry": {s{Last: decide.RefusedForGood}, decide.ReturnFailure},
		"an undocumented refusal of a retry": {
			s{Last: decide.Refused, Settled: true, Found: decide.FoundOwnPart}, decide.RetryWrite,
		},
		"a refusal that others' work explains for good": {s{Last: decide.RefusedAsDone, Found: decide.FoundForeign}, decide.ReturnFailure},
		"a duplicate that others' explains, too early":  {s{Last: decide.RefusedAsDone, Found: decide.FoundForeignSoFar}, decide.LookUpAgain},
		"a duplicate that others' explains, settled":    {s{Last: decide.RefusedAsDone, Found: decide.FoundForeignSoFar, Settled: true}, decide.ReturnFailure},
		"a duplicate that nothing explains yet":         {s{Last: decide.RefusedAsDone}, decide.LookUpAgain},
		"a duplicate that nothing explains, settled":    {s{Last: decide.RefusedAsDone, Settled: true}, decide.LookUpAgain},
		"a duplicate that the found part explains":      {s{Last: decide.RefusedAsDone, Found: decide.FoundOwnPart}, decide.RetryWrite},
		"a duplicate, and the clocks differ":            {s{Last: decide.RefusedAsDone, Found: decide.FoundUnclear, Settled: true}, decide.ReportUnknown},

		// Lookups without a result.
		"the lookup fails":                           {s{Last: decide.OutcomeUnknown, Found: decide.LookupFailed}, decide.LookUpAgain},
		"the lookup fails, and a retry is permitted": {s{Last: decide.OutcomeUnknown, Settled: true, Found: decide.LookupFailed}, decide.LookUpAgain},
		"the clocks differ":                          {s{Last: decide.OutcomeUnknown, Settled: true, Found: decide.FoundUnclear}, decide.ReportUnknown},
		"lookups will not work":                      {s{Last: decide.OutcomeUnknown, Settled: true, Found: decide.LookupRefused}, decide.ReportUnknown},

		// The write can be retried.
		"nothing is found, and Clerk refuses duplicates": {s{Last: decide.OutcomeUnknown}, decide.RetryWrite},
		"part is found, and Clerk refuses duplicates":    {s{Last: decide.OutcomeUnknown, Found: decide.FoundOwnPart}, decide.RetryWrite},
		"nothing is found, but Clerk accepts duplicates": {s{Last: decide.OutcomeUnknown, RetryDuplicates: true}, decide.LookUpAgain},
		"part is found, but Clerk accepts duplicates":    {s{Last: decide.OutcomeUnknown, RetryDuplicates: true, Found: decide.FoundOwnPart}, decide.LookUpAgain},
		"nothing is found, duplicates, settled":          {s{Last: decide.OutcomeUnknown, RetryDuplicates: true, Settled: true}, decide.RetryWrite},
		"others' invitation is found":                    {s{Last: decide.OutcomeUnknown, Found: decide.FoundForeign}, decide.RetryWrite},
		"others' invitation is found, duplicates":        {s{Last: decide.OutcomeUnknown, RetryDuplicates: true, Found: decide.FoundForeign}, decide.LookUpAgain},

		// The retry was not carried out, but an earlier request may have been.
		"a retry is not carried out, early": {s{Last: decide.NotCarriedOut}, decide.LookUpAgain},
		"a retry is not carried out":        {s{Last: decide.NotCarriedOut, Settled: true}, decide.ReportUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			s := test.situation
			s.MayRetry, s.WriteFits, s.LookupFits = true, true, true
			require.Equal(t, test.want, decide.Next(s))

			s.LookupFits = false
			want := test.want
			if want == decide.LookUpAgain {
				want = decide.ReportUnknown
			}
			require.Equal(t, want, decide.Next(s), "no time for a lookup")

			s.LookupFits, s.WriteFits = true, false
			if want = test.want; want == decide.RetryWrite {
				want = decide.LookUpAgain
			}
			require.Equal(t, want, decide.Next(s), "no time for the write")

			s.WriteFits, s.MayRetry = true, false
			want = test.want
			switch {
			case want == decide.RetryWrite && s.Settled:
				want = decide.ReportUnknown
			case want == decide.RetryWrite:
				want = decide.LookUpAgain
			}
			require.Equal(t, want, decide.Next(s), "no retry is permitted")
		})
	}
}

// The test tries all situations.
func TestNextNeverRisksADuplicate(t *testing.T) {
	retries, flags := 0, 1<<4
	for last := decide.OutcomeUnknown; last <= decide.RefusedForGood; last++ {
		for found := decide.FoundNothing; found <= decide.LookupRefused; found++ {
			for bits := range flags {
				on := func(bit int) bool { return bits&(1<<bit) != 0 }
				s := decide.Situation{
					Last: last, Found: found, LookupFits: true,
					RetryDuplicates: on(0), Settled: on(1), MayRetry: on(2), WriteFits: on(3),
				}
				if decide.Next(s) != decide.RetryWrite {
					continue
				}
				retries++
				require.True(t, s.MayRetry && s.WriteFits, s)
				require.True(t, s.Settled || !s.RetryDuplicates, "Clerk would create a duplicate: %+v", s)
				require.NotContains(t, []decide.Finding{decide.FoundOwn, decide.FoundUnclear, decide.LookupFailed, decide.LookupRefused}, s.Found, s)
				require.NotContains(t, []decide.Failure{decide.NotCarriedOut, decide.RefusedForGood}, s.Last, s)
			}
		}
	}
	require.Positive(t, retries)
}
