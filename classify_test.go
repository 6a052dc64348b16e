package clerk

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestClassify has a row for each kind of response: the class of a read, of a write, and of
// a write that net/http has delivered twice.
func TestClassify(t *testing.T) {
	const (
		succeeded, refused, rateLimited = classSucceeded, classRefused, classRateLimited
		notSent, ambiguous, failed      = classNotSent, classAmbiguous, classFailed
	)
	for _, test := range []struct {
		status               int
		err                  error
		read, write, repeats class
	}{
		{0, errCutOff, failed, ambiguous, ambiguous},
		{0, context.DeadlineExceeded, failed, ambiguous, ambiguous},
		{101, nil, failed, ambiguous, ambiguous},
		{200, nil, succeeded, succeeded, succeeded},
		{201, nil, succeeded, succeeded, succeeded},
		{299, nil, succeeded, succeeded, succeeded},
		{200, errNotJSON, failed, ambiguous, ambiguous},
		{200, errTooLarge, failed, ambiguous, ambiguous},
		{204, errNoInvitation, failed, ambiguous, ambiguous},
		{300, nil, failed, ambiguous, ambiguous},
		{307, nil, failed, ambiguous, ambiguous},
		{400, nil, refused, refused, ambiguous},
		{401, nil, refused, refused, ambiguous},
		{404, nil, refused, refused, ambiguous},
		{408, nil, failed, ambiguous, ambiguous},
		{409, nil, refused, refused, ambiguous},
		{422, nil, refused, refused, ambiguous},
		{422, errCutOff, refused, refused, ambiguous},
		{429, nil, rateLimited, rateLimited, ambiguous},
		{429, errCutOff, rateLimited, rateLimited, ambiguous},
		{499, nil, refused, refused, ambiguous},
		{500, nil, failed, ambiguous, ambiguous},
		{502, errCutOff, failed, ambiguous, ambiguous},
		{503, nil, failed, ambiguous, ambiguous},
		{520, nil, failed, ambiguous, ambiguous},
	} {
		t.Run(fmt.Sprint(test.status, " ", test.err), func(t *testing.T) {
			require.Equal(t, test.read, classify(false, deliveredOnce, test.status, test.err), "a read")
			require.Equal(t, test.write, classify(true, deliveredOnce, test.status, test.err), "a write")
			require.Equal(t, test.repeats, classify(true, deliveredAgain, test.status, test.err), "a write delivered twice")
			require.Equal(t, test.read, classify(false, deliveredAgain, test.status, test.err), "a read delivered twice")
			if test.status == 0 {
				require.Equal(t, notSent, classify(false, deliveredNever, 0, test.err), "a read that was not sent")
				require.Equal(t, notSent, classify(true, deliveredNever, 0, test.err), "a write that was not sent")
			} else { // a response came, whatever the connection trace says
				require.Equal(t, test.write, classify(true, deliveredNever, test.status, test.err))
			}
		})
	}
}
