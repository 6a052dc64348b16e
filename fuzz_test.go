package clerk

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// FuzzErrorEnvelope: for any body, the error's text is one short line without addresses,
// and an envelope has an error with a code or a message.
func FuzzErrorEnvelope(f *testing.F) {
	for _, seed := range []string{
		`{"errors":[{"message":"duplicate invitation","long_message":"for ada@example.com","code":"duplicate_record","meta":{"email_addresses":["ada@example.com"]}}],"clerk_trace_id":"abc"}`,
		`{"errors":[{"message":"is missing","code":"form_param_missing","meta":{"param_name":"email_address"}},{"code":"x\n"}],"meta":{}}`,
		`{"errors":[{"code":"x","meta":[null,1]}]}`, `{"errors":[{}]}`, `{"errors":[]}`, `{"errors":null}`, `{"errors":{"code":1}}`,
		`null`, `[]`, ``, `<html>`, `{"errors":[{"code":"` + strings.Repeat("é", 400) + `"}]}`, "\xff", `{"errors":[{"code":"\u2028@"}]}`,
	} {
		f.Add([]byte(seed), 400)
	}
	f.Fuzz(func(t *testing.T, body []byte, status int) {
		if status < 100 || status < 300 && status >= 200 {
			return // not the status of an error
		}
		resp := &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(body))}
		l := &requestLoop{call: new(call), request: request{operation: OperationCreate, method: http.MethodPost}, attempts: 1}
		l.last.read(context.Background(), resp, defaultMaxResponseBytes, func([]byte) (any, error) { return nil, nil })
		l.last.class = classify(true, deliveredOnce, status, l.last.err)
		err := l.failure()
		line := err.Error()
		require.NotContains(t, line, "\n")
		require.NotContains(t, line, "@")
		var refused *ClerkErrors
		if !errors.As(err, &refused) {
			require.Less(t, len(line), 500)
			return
		}
		require.NotEmpty(t, refused.Errors)
		for _, one := range refused.Errors {
			require.NotEqual(t, ClerkError{}, one)
			_, _ = one.ParamName(), one.EmailAddresses() // must not panic
		}
	})
}

// FuzzList: any list's body is an error, or a list of invitations that have ids and
// survive a round trip through JSON.
func FuzzList(f *testing.F) {
	const inv = `{"object":"invitation","id":"inv_1","email_address":"ada@example.com","public_metadata":{"a":1},"status":"pending","expires_at":null,"created_at":1,"updated_at":2}`
	for _, seed := range []string{
		`[` + inv + `]`, `{"data":[` + inv + `],"total_count":1}`, ` []`, `{"data":[],"total_count":0}`, `{"data":null,"total_count":0}`,
		`{"data":[null]}`, `[null]`, `null`, `{}`, `[[]]`, ``, `{"total_count":-1}`, `{"data":[` + inv, `[{"id":"\ud800"}]`, `{"data":5}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		list, err := decodeList(body)
		if err != nil {
			require.ErrorIs(t, err, errNoInvitations)
			return
		}
		for _, inv := range list.Data {
			require.NotEmpty(t, inv.ID)
		}
		wire, err := json.Marshal(list)
		require.NoError(t, err)
		again, err := decodeList(wire)
		require.NoError(t, err)
		require.Len(t, again.Data, len(list.Data))
		require.Equal(t, list.TotalCount, again.TotalCount)
	})
}

func FuzzRetryAfter(f *testing.F) {
	for _, seed := range []string{
		"", "0", "1", "120", "-1", "1.5", ".5", "1.", ".", "1.2.3", "1e9", "0x1p4", "NaN", "Inf", "+1", " 7 ", "soon", "99999999999999999999", "9223372036.854775807",
		"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994", "Fri, 31 Dec 9999 23:59:59 GMT", "Sun, 06 Nov 1994 08:49:37 CET",
	} {
		f.Add(seed, int64(784111770)) // 7 s before that date
	}
	f.Fuzz(func(t *testing.T, value string, now int64) {
		require.GreaterOrEqual(t, parseRetryAfter(value, time.Unix(now, 0)), time.Duration(0))
	})
}

func TestParseRetryAfter(t *testing.T) {
	now := time.Date(1994, time.November, 6, 8, 49, 30, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"120":                            2 * time.Minute,
		" 7 ":                            7 * time.Second,
		"1.5":                            2 * time.Second,
		".5":                             time.Second,
		"0":                              0,
		"-1":                             0,
		"+1":                             0,
		"1e3":                            0,
		"0x10":                           0,
		"NaN":                            0,
		"Inf":                            0,
		".":                              0,
		"1.2.3":                          0,
		"soon":                           0,
		"":                               0,
		"9223372036":                     9223372036 * time.Second,
		"9223372036.5":                   math.MaxInt64,
		"9223372037":                     math.MaxInt64,
		"99999999999999999999":           math.MaxInt64,
		strings.Repeat("9", 400):         math.MaxInt64,
		"Sun, 06 Nov 1994 08:49:37 GMT":  7 * time.Second,
		"Sunday, 06-Nov-94 08:49:37 GMT": 7 * time.Second,
		"Sun Nov  6 08:49:37 1994":       7 * time.Second,
		"Sun, 06 Nov 1994 08:49:29 GMT":  0,
		"Sun, 06 Nov 1994 08:49:37 +01":  0,
	} {
		require.Equal(t, want, parseRetryAfter(value, now), value)
	}
}
