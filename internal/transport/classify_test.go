package transport

import (
	"context"
	"errors"
	"fmt"
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
			require.Equal(t, test.read, classify(false, deliveredOnce, test.status, test.err), "a read")
			require.Equal(t, test.write, classify(true, deliveredOnce, test.status, test.err), "a write")
			require.Equal(t, test.again, classify(true, deliveredAgain, test.status, test.err), "a write delivered twice")
			require.Equal(t, test.read, classify(false, deliveredAgain, test.status, test.err), "a read delivered twice")
			if test.status == 0 {
				require.Equal(t, NotSent, classify(false, deliveredNever, 0, test.err), "a read that was not sent")
				require.Equal(t, NotSent, classify(true, deliveredNever, 0, test.err), "a write that was not sent")
			} else { // a response came, whatever the connection trace says
				require.Equal(t, test.write, classify(true, deliveredNever, test.status, test.err))
			}
		})
	}
}
