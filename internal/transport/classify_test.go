package transport

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// Each row has the class of a read, of a write, and of a write that net/http has sent
// again.
func TestClassify(t *testing.T) {
	for _, test := range []struct {
		status             int
		err                error
		read, write, again Class
	}{
		{0, ErrCutOff, Failed, Ambiguous, Ambiguous},
		{0, context.DeadlineExceeded, Failed, Ambiguous, Ambiguous},
		{101, nil, Failed, Ambiguous, Ambiguous},
		{200, nil, Succeeded, Succeeded, Succeeded},
		{201, nil, Succeeded, Succeeded, Succeeded},
		{299, nil, Succeeded, Succeeded, Succeeded},
		{200, errNotJSON, Failed, Ambiguous, Ambiguous},
		{200, errTooLarge, Failed, Ambiguous, Ambiguous},
		{204, errors.New("it is something else"), Failed, Ambiguous, Ambiguous},
		{300, nil, Failed, Ambiguous, Ambiguous},
		{307, nil, Failed, Ambiguous, Ambiguous},
		{400, nil, Refused, Refused, Ambiguous},
		{401, nil, Refused, Refused, Ambiguous},
		{404, nil, Refused, Refused, Ambiguous},
		{408, nil, Failed, Ambiguous, Ambiguous},
		{409, nil, Refused, Refused, Ambiguous},
		{422, nil, Refused, Refused, Ambiguous},
		{422, ErrCutOff, Refused, Refused, Ambiguous},
		{429, nil, RateLimited, RateLimited, Ambiguous},
		{429, ErrCutOff, RateLimited, RateLimited, Ambiguous},
		{499, nil, Refused, Refused, Ambiguous},
		{500, nil, Failed, Ambiguous, Ambiguous},
		{502, ErrCutOff, Failed, Ambiguous, Ambiguous},
		{503, nil, Failed, Ambiguous, Ambiguous},
		{520, nil, Failed, Ambiguous, Ambiguous},
	} {
		t.Run(fmt.Sprint(test.status, " ", test.err), func(t *testing.T) {
			a := Attempt{Status: test.status, Err: test.err}
			require.Equal(t, test.read, a.classify(false, deliveredOnce), "a read")
			require.Equal(t, test.write, a.classify(true, deliveredOnce), "a write")
			require.Equal(t, test.again, a.classify(true, deliveredAgain), "a write delivered twice")
			require.Equal(t, test.read, a.classify(false, deliveredAgain), "a read delivered twice")
			if test.status == 0 {
				require.Equal(t, NotSent, a.classify(false, deliveredNever), "a read that was not sent")
				require.Equal(t, NotSent, a.classify(true, deliveredNever), "a write that was not sent")
			} else { // a response came, whatever the connection trace says
				require.Equal(t, test.write, a.classify(true, deliveredNever))
			}
		})
	}
}

func TestRequestsToWaitAreRateLimits(t *testing.T) {
	asking := http.Header{"Retry-After": {"1"}}
	coded := fmt.Errorf("a code: %w", ErrRateLimited)
	for _, test := range []struct {
		status      int
		header      http.Header
		refusal     error
		read, write Class
	}{
		{400, nil, coded, RateLimited, RateLimited},
		{403, nil, coded, RateLimited, RateLimited},
		{408, nil, coded, RateLimited, RateLimited},
		{422, nil, coded, RateLimited, RateLimited},
		{503, nil, coded, RateLimited, RateLimited},
		{400, asking, errRefused, RateLimited, RateLimited},
		{403, asking, nil, RateLimited, RateLimited},
		{409, asking, nil, RateLimited, RateLimited},
		{429, asking, nil, RateLimited, RateLimited},
		{408, asking, nil, Failed, Ambiguous},
		{503, asking, nil, Failed, Ambiguous},
		{307, asking, nil, Failed, Ambiguous},
		{403, http.Header{"Retry-After": {""}}, nil, Refused, Refused},
	} {
		a := Attempt{Status: test.status, Header: test.header, Refusal: test.refusal}
		require.Equal(t, test.read, a.classify(false, deliveredOnce), "%d", test.status)
		require.Equal(t, test.write, a.classify(true, deliveredOnce), "%d", test.status)
		require.Equal(t, Ambiguous, a.classify(true, deliveredAgain), "%d", test.status)
	}
}
