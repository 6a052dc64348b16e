package clerk

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/jarcoal/httpmock"
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
		mock := httpmock.NewMockTransport()
		mock.RegisterNoResponder(httpmock.NewBytesResponder(status, body))
		client, err := NewClient("sk_test_dummy", WithHTTPClient(&http.Client{Transport: mock}), WithRetry(RetryConfig{Strategy: RetryNone}))
		require.NoError(t, err)
		_, err = client.Invitations.Create(t.Context(), CreateInvitationRequest{EmailAddress: "ada@example.com"})
		require.Error(t, err)
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

// FuzzList: any body of a list decodes to an error, or to invitations that have ids and
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
