package clerktest_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

// send sends a raw request through transport, and returns what came of it.
func send(t *testing.T, transport http.RoundTripper, method, url, body string, headers ...string) (*http.Response, string) {
	t.Helper()
	if strings.HasPrefix(url, "/") {
		url = "https://api.clerk.com" + url
	}
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+clerktest.SecretKey)
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := transport.RoundTrip(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp, string(got)
}

func invite(t *testing.T, fake *clerktest.Fake, address string) *clerk.Invitation {
	t.Helper()
	client, err := fake.Client()
	require.NoError(t, err)
	inv, err := client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: address})
	require.NoError(t, err)
	return inv
}

// TestRules has a row for each rule about requests that are refused. Beforehand
// pending@example.com is invited (id 1), user@example.com is a user after accepting
// (id 2), and id 3 is revoked.
func TestRules(t *testing.T) {
	const (
		create = "POST /v1/invitations"
		bulk   = "POST /v1/invitations/bulk"
		list   = "GET /v1/invitations"
		revoke = "POST /v1/invitations/inv_00000000000000000000000000%s/revoke"
	)
	long := strings.Repeat("x", 1<<20)
	eleven := `[` + strings.Repeat(`{"email_address":"a@example.com"},`, 10) + `{"email_address":"b@example.com"}]`
	param := func(status int, code, message, long, name string) string {
		return fmt.Sprintf(`%d {"errors":[{"message":%q,"long_message":%q,"code":%q,"meta":{"param_name":%q}}]}`, status, message, long, code, name)
	}
	plain := func(status int, code, message, long string) string {
		return fmt.Sprintf(`%d {"errors":[{"message":%q,"long_message":%q,"code":%q}]}`, status, message, long, code)
	}
	taken := param(422, "form_identifier_exists", "That email address is taken. Please try another.", "That email address is taken. Please try another.", "email_address")
	badBody := plain(400, "request_body_invalid", "Request body invalid", "The request body is invalid. Please consult the API documentation for more information.")
	duplicate := `400 {"errors":[{"message":"duplicate invitation","long_message":"There are already pending invitations for the following email addresses: %[1]s","code":"duplicate_record","meta":{"email_addresses":["%[1]s"]}}]}`
	wrongKey := plain(401, "clerk_key_invalid", "The provided Clerk Secret Key is invalid. Make sure that your Clerk Secret Key is correct.", "The provided Clerk Secret Key is invalid. Make sure that your Clerk Secret Key is correct.")
	noKey := plain(401, "authorization_header_format_invalid", "Invalid Authorization header format", "Invalid Authorization header format. Must be 'Bearer <YOUR_API_KEY>'")
	for name, test := range map[string]struct {
		call    string
		body    string
		headers []string
		want    string
	}{
		"a pending invitation":        {create, `{"email_address":"pending@example.com"}`, nil, fmt.Sprintf(duplicate, "pending@example.com")},
		"in another case":             {create, `{"email_address":"Pending@Example.com"}`, nil, fmt.Sprintf(duplicate, "Pending@Example.com")},
		"a user":                      {create, `{"email_address":"user@example.com"}`, nil, taken},
		"a user and a pending one":    {bulk, `[{"email_address":"pending@example.com"},{"email_address":"user@example.com"}]`, nil, taken},
		"a pending one in a bulk":     {bulk, `[{"email_address":"new@example.com"},{"email_address":"pending@example.com"}]`, nil, fmt.Sprintf(duplicate, "pending@example.com")},
		"twice in a bulk":             {bulk, `[{"email_address":"new@example.com"},{"email_address":"new@example.com"}]`, nil, fmt.Sprintf(duplicate, "new@example.com")},
		"a user in a bulk, even so":   {bulk, `[{"email_address":"user@example.com","ignore_existing":true}]`, nil, taken},
		"a bulk of 11":                {bulk, eleven, nil, plain(400, "bulk_size_exceeded", "bulk size exceeded", "Parameters exceed the maximum allowed bulk processing size of 10.")},
		"a bulk of none":              {bulk, `[]`, nil, badBody},
		"a bulk that is an object":    {bulk, `{"email_address":"a@example.com"}`, nil, badBody},
		"a bulk of numbers":           {bulk, `[5]`, nil, badBody},
		"no JSON":                     {create, `{`, nil, badBody},
		"no object":                   {create, `["a@example.com"]`, nil, badBody},
		"null":                        {create, `null`, nil, badBody},
		"no body":                     {create, ``, nil, badBody},
		"no address":                  {create, `{}`, nil, param(422, "form_param_missing", "is missing", "email_address must be included.", "email_address")},
		"an address of null":          {create, `{"email_address":null}`, nil, param(422, "form_param_missing", "is missing", "email_address must be included.", "email_address")},
		"a bad address":               {create, `{"email_address":"no address"}`, nil, param(422, "form_param_format_invalid", "is invalid", "email_address must be a valid email address.", "email_address")},
		"a named address":             {create, `{"email_address":"Ada <ada@example.com>"}`, nil, param(422, "form_param_format_invalid", "is invalid", "email_address must be a valid email address.", "email_address")},
		"a bad address in a bulk":     {bulk, `[{"email_address":"a@example.com"},{"email_address":"@"}]`, nil, param(422, "form_param_format_invalid", "is invalid", "email_address must be a valid email address.", "email_address")},
		"an address that is a number": {create, `{"email_address":5}`, nil, param(422, "form_param_type_invalid", "is invalid", "`email_address` must be a `string`.", "email_address")},
		"metadata that is a list":     {create, `{"email_address":"a@example.com","public_metadata":[]}`, nil, param(422, "form_param_type_invalid", "is invalid", "`public_metadata` must be a `object`.", "public_metadata")},
		"a life of 0 days":            {create, `{"email_address":"a@example.com","expires_in_days":0}`, nil, param(422, "form_param_value_invalid", "is invalid", "expires_in_days is invalid", "expires_in_days")},
		"a life of 366 days":          {create, `{"email_address":"a@example.com","expires_in_days":366}`, nil, param(422, "form_param_value_invalid", "is invalid", "expires_in_days is invalid", "expires_in_days")},
		"an unknown template":         {create, `{"email_address":"a@example.com","template_slug":"own"}`, nil, param(422, "form_param_value_invalid", "is invalid", "own does not match one of the allowed values for parameter template_slug", "template_slug")},
		"an unknown field":            {create, `{"email_address":"a@example.com","role":"admin"}`, nil, param(422, "form_param_unknown", "is unknown", "role is not a valid parameter for this request.", "role")},
		"a wrong content type":        {create, `{"email_address":"a@example.com"}`, []string{"Content-Type", "text/plain"}, plain(415, "unsupported_content_type", "Content-Type is unsupported", "Content-Type text/plain is unsupported. You should use application/json instead.")},
		"a body too large":            {create, `{"email_address":"` + long + `"}`, nil, plain(413, "request_body_too_large", "Request body too large", "The request body exceeds the maximum allowed size of 1048576 bytes.")},
		"no key":                      {list, ``, []string{"Authorization", ""}, noKey},
		"a key of another scheme":     {list, ``, []string{"Authorization", "Basic " + clerktest.SecretKey}, noKey},
		"a key that is empty":         {list, ``, []string{"Authorization", "Bearer "}, noKey},
		"a wrong key":                 {list, ``, []string{"Authorization", "Bearer sk_test_other"}, wrongKey},
		"revoked already":             {fmt.Sprintf(revoke, "3"), ``, nil, plain(400, "invitation_already_revoked", "Invitation is already revoked.", "Invitation is already revoked.")},
		"accepted already":            {fmt.Sprintf(revoke, "2"), ``, nil, plain(400, "invitation_already_accepted", "Invitation is already accepted, try signing in instead.", "Invitation is already accepted, try signing in instead.")},
		"an unknown id":               {"POST /v1/invitations/inv_9/revoke", `null`, nil, plain(404, "resource_not_found", "not found", "No invitation was found with id inv_9.")},
		"an unknown path":             {"GET /v1/invitations/inv_1", ``, nil, "404 Not Found: the fake has no GET /v1/invitations/inv_1."},
		"an unclean path":             {"POST /v1//invitations", ``, nil, "404 Not Found: the fake has no POST /v1//invitations."},
		"a longer path":               {"POST /v1/invitations/bulk/", ``, nil, "404 Not Found: the fake has no POST /v1/invitations/bulk/."},
		"another path":                {"POST /v1/invitationsbulk", ``, nil, "404 Not Found: the fake has no POST /v1/invitationsbulk."},
		"a path without an id":        {"POST /v1/invitations//revoke", ``, nil, "404 Not Found: the fake has no POST /v1/invitations//revoke."},
		"a path of two ids":           {"POST /v1/invitations/inv_1/inv_2/revoke", ``, nil, "404 Not Found: the fake has no POST /v1/invitations/inv_1/inv_2/revoke."},
		"an unclean path and no key":  {"POST /v1//invitations", ``, []string{"Authorization", ""}, noKey},
		"an unknown method":           {"DELETE /v1/invitations", ``, nil, "404 Not Found: the fake has no DELETE /v1/invitations."},
		"an unknown status":           {list + "?status=own", ``, nil, param(422, "form_param_value_invalid", "is invalid", "own does not match one of the allowed values for parameter status", "status")},
		"an unknown order":            {list + "?order_by=-name", ``, nil, param(422, "form_param_value_invalid", "is invalid", "-name does not match one of the allowed values for parameter order_by", "order_by")},
		"a limit of 0":                {list + "?limit=0", ``, nil, param(422, "form_param_value_invalid", "is invalid", "limit is invalid", "limit")},
		"a limit of 501":              {list + "?limit=501", ``, nil, param(422, "form_param_value_invalid", "is invalid", "limit is invalid", "limit")},
		"a limit of words":            {list + "?limit=all", ``, nil, param(422, "form_param_type_invalid", "is invalid", "`limit` must be a `integer`.", "limit")},
		"an offset below 0":           {list + "?offset=-1", ``, nil, param(422, "form_param_value_invalid", "is invalid", "offset is invalid", "offset")},
	} {
		t.Run(name, func(t *testing.T) {
			fake := clerktest.New()
			client, err := fake.Client()
			require.NoError(t, err)
			invite(t, fake, "pending@example.com")
			require.NoError(t, fake.Accept(invite(t, fake, "user@example.com").ID))
			_, err = client.Invitations.Revoke(t.Context(), invite(t, fake, "revoked@example.com").ID)
			require.NoError(t, err)
			before := fake.Invitations()

			method, path, _ := strings.Cut(test.call, " ")
			resp, body := send(t, fake, method, path, test.body, test.headers...)
			status, want, _ := strings.Cut(test.want, " ")
			require.Equal(t, status, fmt.Sprint(resp.StatusCode))
			if strings.HasPrefix(want, "{") {
				require.JSONEq(t, want, body)
				require.Equal(t, []string{"application/json"}, resp.Header["Content-Type"])
			} else {
				require.Equal(t, want, body)
				require.Equal(t, []string{"text/plain"}, resp.Header["Content-Type"])
			}
			require.Equal(t, before, fake.Invitations(), "a refusal changes nothing")
			log := fake.Requests()
			require.Equal(t, resp.StatusCode, log[len(log)-1].Status)
		})
	}
}

func TestWhatIsMade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := clerktest.New()
		client, err := fake.Client()
		require.NoError(t, err)
		inv, err := client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: "ada@example.com"})
		require.NoError(t, err)
		const id = "inv_000000000000000000000000001"
		created := clerk.UnixMilli(time.Now().UnixMilli())
		want := clerk.Invitation{
			Object: "invitation", ID: id, EmailAddress: "ada@example.com", PublicMetadata: json.RawMessage(`{}`),
			Status: clerk.InvitationStatusPending, URL: "https://clerk.example.com/v1/tickets/accept?ticket=ticket_of_" + id,
			ExpiresAt: created + 30*24*3600*1000 - 2, CreatedAt: created, UpdatedAt: created,
		}
		require.Equal(t, want, *inv)
		require.Equal(t, []clerk.Invitation{want}, fake.Invitations())

		time.Sleep(526 * time.Millisecond)
		inv, err = client.Invitations.Revoke(t.Context(), inv.ID)
		require.NoError(t, err)
		want.Status, want.Revoked, want.URL, want.UpdatedAt = clerk.InvitationStatusRevoked, true, "", created+526
		require.Equal(t, want, *inv)

		inv, err = client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{
			EmailAddress: "ada@example.com", PublicMetadata: map[string]any{"a": uint64(1<<64 - 1)}, ExpiresInDays: 1,
		})
		require.NoError(t, err, "a revoked invitation does not stand in the way")
		require.Equal(t, `{"a":18446744073709551615}`, string(inv.PublicMetadata))
		require.Equal(t, inv.CreatedAt+24*3600*1000-2, inv.ExpiresAt)
	})
}

func TestIgnoreExisting(t *testing.T) {
	fake := clerktest.New()
	fake.AddUser("user@example.com")
	invite(t, fake, "ada@example.com")
	client, err := fake.Client()
	require.NoError(t, err)
	for _, address := range []string{"ada@example.com", "user@example.com"} {
		_, err := client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: address, IgnoreExisting: true})
		require.NoError(t, err)
	}
	_, err = client.Invitations.BulkCreate(t.Context(), []clerk.CreateInvitationRequest{
		{EmailAddress: "ada@example.com", IgnoreExisting: true}, {EmailAddress: "new@example.com"},
	})
	require.NoError(t, err)
	require.Len(t, fake.Invitations(), 5)
}

func TestLifeEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := clerktest.New()
		status := func() clerk.InvitationStatus { return fake.Invitations()[0].Status }
		first := invite(t, fake, "ada@example.com")
		time.Sleep(30*24*time.Hour - 3*time.Millisecond)
		require.Equal(t, clerk.InvitationStatusPending, status())
		time.Sleep(time.Millisecond)
		require.Equal(t, clerk.InvitationStatusExpired, status())
		require.ErrorContains(t, fake.Accept(first.ID), "is expired")

		second := invite(t, fake, "ada@example.com") // the expired one does not stand in the way
		require.NoError(t, fake.Expire(second.ID))
		require.Equal(t, clerk.InvitationStatusExpired, fake.Invitations()[1].Status)
		require.ErrorContains(t, fake.Expire(second.ID), "is expired")
		require.ErrorContains(t, fake.Expire("inv_9"), "no invitation")
	})
}

func TestList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := clerktest.New()
		client, err := fake.Client()
		require.NoError(t, err)
		for i, address := range []string{"c@example.com", "a@example.com", "d@example.com", "b@example.com", "e@example.com"} {
			_, err := client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: address, ExpiresInDays: 100 - 10*i})
			require.NoError(t, err)
			if i > 1 { // the first three are made in the same millisecond
				time.Sleep(time.Millisecond)
			}
		}
		all := fake.Invitations()
		require.NoError(t, fake.Accept(all[1].ID))
		_, err = client.Invitations.Revoke(t.Context(), all[4].ID)
		require.NoError(t, err)
		for query, want := range map[string]string{
			``:                                     "b d a c",
			`order_by=-created_at`:                 "b d a c",
			`order_by=created_at`:                  "c a d b",
			`order_by=%2Bcreated_at`:               "c a d b",
			`order_by=email_address`:               "a b c d",
			`order_by=-email_address`:              "d c b a",
			`order_by=expires_at`:                  "b d a c",
			`order_by=-expires_at`:                 "c a d b",
			`status=pending`:                       "b d c",
			`status=accepted`:                      "a",
			`status=revoked`:                       "e",
			`status=expired`:                       "",
			`status=accepted&status=revoked`:       "e a",
			`query=B@EXAMPLE.com`:                  "b",
			`query=example`:                        "b d a c",
			`query=` + all[0].ID:                   "c",
			`query=nobody`:                         "",
			`limit=2`:                              "b d",
			`limit=2&offset=3`:                     "c",
			`offset=9`:                             "",
			`email_address=a@example.com&limit=10`: "b d a c", // there is no such filter
		} {
			_, array := send(t, fake, "GET", "/v1/invitations?"+query, "")
			_, page := send(t, fake, "GET", "/v1/invitations?paginated=true&"+query, "")
			var invs []clerk.Invitation
			var list clerk.InvitationList
			require.NoError(t, json.Unmarshal([]byte(array), &invs))
			require.NoError(t, json.Unmarshal([]byte(page), &list))
			require.Equal(t, want, letters(invs), query)
			require.Equal(t, want, letters(list.Data), query)
			if strings.Contains(query, "limit") || strings.Contains(query, "offset") {
				require.Equal(t, 4, list.TotalCount, query)
			} else {
				require.Len(t, list.Data, list.TotalCount, query)
			}
		}
	})
}

// letters is the first letters of the addresses.
func letters(invs []clerk.Invitation) string {
	firsts := make([]string, len(invs))
	for i, inv := range invs {
		firsts[i] = inv.EmailAddress[:1]
	}
	return strings.Join(firsts, " ")
}

func TestWhatIsUnresolvedIsAnOption(t *testing.T) {
	fake := clerktest.New(clerktest.WithExactQuery(), clerktest.WithUnpagedArrays())
	for _, address := range []string{"a@example.com", "aa@example.com"} {
		invite(t, fake, address)
	}
	_, body := send(t, fake, "GET", "/v1/invitations?query=a@example.com", "")
	require.Equal(t, 1, strings.Count(body, `"id"`))
	_, body = send(t, fake, "GET", "/v1/invitations?limit=1&offset=1", "")
	require.Equal(t, 2, strings.Count(body, `"id"`))
	_, body = send(t, fake, "GET", "/v1/invitations?limit=1&paginated=true", "")
	require.Equal(t, 1, strings.Count(body, `"id"`))
}

func TestDocumentedLimits(t *testing.T) {
	for name, test := range map[string]struct {
		limits clerktest.RateLimits
		call   func(i int) (path, body string)
		most   int
		wait   string
	}{
		"creates": {clerktest.ProductionRateLimits(), func(i int) (string, string) {
			return "/v1/invitations", fmt.Sprintf(`{"email_address":"a%d@example.com"}`, i)
		}, 100, "3600"},
		"bulks": {clerktest.DevelopmentRateLimits(), func(i int) (string, string) {
			return "/v1/invitations/bulk", fmt.Sprintf(`[{"email_address":"a%d@example.com"}]`, i)
		}, 25, "3600"},
		"everything in production":  {clerktest.ProductionRateLimits(), revokeNobody, 1000, "10"},
		"everything in development": {clerktest.DevelopmentRateLimits(), revokeNobody, 100, "10"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fake := clerktest.New(clerktest.WithRateLimits(test.limits))
				for i := range test.most {
					path, body := test.call(i)
					resp, _ := send(t, fake, "POST", path, body)
					require.NotEqual(t, 429, resp.StatusCode, i)
				}
				path, body := test.call(test.most)
				resp, got := send(t, fake, "POST", path, body)
				require.Equal(t, 429, resp.StatusCode)
				require.Equal(t, test.wait, resp.Header.Get("Retry-After"))
				require.JSONEq(t, `{"errors":[{"message":"Too many requests","long_message":"Too many requests, retry later","code":"too_many_requests"}]}`, got)
			})
		})
	}
}

func revokeNobody(int) (string, string) { return "/v1/invitations/inv_9/revoke", "" }

func TestFixedAndSlidingWindows(t *testing.T) {
	// Two requests an hour, at these minutes: when is the next one taken?
	for _, test := range []struct {
		sliding bool
		minutes []int
		taken   string // t for taken, or the seconds to wait
	}{
		{false, []int{0, 30, 45, 59, 60, 61, 62}, "t t 900 60 t t 3480"},
		{true, []int{0, 30, 45, 59, 60, 61, 90}, "t t 900 60 t 1740 t"},
	} {
		synctest.Test(t, func(t *testing.T) {
			limit := clerktest.Limit{Requests: 2, Per: time.Hour}
			fake := clerktest.New(clerktest.WithRateLimits(clerktest.RateLimits{Creates: limit, Sliding: test.sliding}))
			start := time.Now()
			var taken []string
			for i, minute := range test.minutes {
				time.Sleep(time.Until(start.Add(time.Duration(minute) * time.Minute)))
				resp, _ := send(t, fake, "POST", "/v1/invitations", fmt.Sprintf(`{"email_address":"a%d@example.com"}`, i))
				if resp.StatusCode == 200 {
					taken = append(taken, "t")
				} else {
					taken = append(taken, resp.Header.Get("Retry-After"))
				}
			}
			require.Equal(t, test.taken, strings.Join(taken, " "))
		})
	}
}

func TestLimitsAreSeparate(t *testing.T) {
	limits := clerktest.RateLimits{Creates: clerktest.Limit{Requests: 1, Per: time.Hour}}
	fake := clerktest.New(clerktest.WithRateLimits(limits))
	client, err := fake.Client()
	require.NoError(t, err)
	inv := invite(t, fake, "a@example.com")
	_, err = client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: "b@example.com"})
	require.ErrorIs(t, err, clerk.ErrRateLimited)
	_, err = client.Invitations.BulkCreate(t.Context(), []clerk.CreateInvitationRequest{{EmailAddress: "b@example.com"}})
	require.NoError(t, err)
	_, err = client.Invitations.Revoke(t.Context(), inv.ID)
	require.NoError(t, err)
}

func TestLimitOfNothing(t *testing.T) {
	fake := clerktest.New(clerktest.WithRateLimits(clerktest.RateLimits{Requests: clerktest.Limit{Per: time.Second}}))
	resp, _ := send(t, fake, "GET", "/v1/invitations", "")
	require.Equal(t, 429, resp.StatusCode)
	require.Equal(t, "1", resp.Header.Get("Retry-After"))
}

func TestRateLimitAnswer(t *testing.T) {
	for contentType, body := range map[string]string{"text/html": "<html>", "application/json": `{"errors":[]}`, "": "slow down"} {
		fake := clerktest.New(
			clerktest.WithRateLimits(clerktest.RateLimits{Requests: clerktest.Limit{Per: time.Second}}),
			clerktest.WithRateLimitAnswer(contentType, body))
		baseURL, stop := fake.Serve()
		defer stop()
		resp, got := send(t, http.DefaultTransport, "GET", baseURL+"/invitations", "")
		require.Equal(t, 429, resp.StatusCode)
		require.Equal(t, contentType, resp.Header.Get("Content-Type"))
		require.Equal(t, body, got)
		require.Equal(t, "1", resp.Header.Get("Retry-After"))
	}
}

func TestRequests(t *testing.T) {
	fake := clerktest.New()
	invite(t, fake, "ada@example.com")
	send(t, fake, "GET", "/v1/invitations?limit=3", "", "X-Team", "one")
	send(t, fake, "GET", "/v2/else", "")
	log := fake.Requests()
	require.Len(t, log, 3)
	require.WithinDuration(t, time.Now(), log[0].Time, time.Minute)
	require.Equal(t, clerk.OperationCreate, log[0].Operation)
	require.Equal(t, "POST /v1/invitations 200", fmt.Sprint(log[0].Method, " ", log[0].Path, " ", log[0].Status))
	require.JSONEq(t, `{"email_address":"ada@example.com"}`, string(log[0].Body))
	require.NotContains(t, log[0].Header, "Authorization")
	require.Equal(t, clerk.OperationList, log[1].Operation)
	require.Equal(t, "3", log[1].Query.Get("limit"))
	require.Equal(t, "one", log[1].Header.Get("X-Team"))
	require.Empty(t, log[2].Operation)
	require.Equal(t, 404, log[2].Status)
}

func TestHeaders(t *testing.T) {
	fake := clerktest.New()
	for i := range 2 {
		resp, _ := send(t, fake, "GET", "/v1/invitations", "")
		require.Equal(t, fmt.Sprintf("%032d", i+1), resp.Header.Get("X-Clerk-Trace-Id"))
		require.Equal(t, clerk.APIVersion, resp.Header.Get("Clerk-Api-Version"))
		date, err := http.ParseTime(resp.Header.Get("Date"))
		require.NoError(t, err)
		require.WithinDuration(t, time.Now(), date, 2*time.Second)
	}
}

func TestSecretKey(t *testing.T) {
	fake := clerktest.New(clerktest.WithSecretKey("sk_test_own"))
	require.Equal(t, "sk_test_own", fake.SecretKey())
	invite(t, fake, "ada@example.com")
	resp, _ := send(t, fake, "GET", "/v1/invitations", "")
	require.Equal(t, 401, resp.StatusCode)
}

// TestServe has the server share the in-process fake's state, take a body in
// chunks, and a revoke body of any sort.
func TestServe(t *testing.T) {
	fake := clerktest.New()
	baseURL, stop := fake.Serve()
	defer stop()
	for i, body := range []string{``, `null`, `{}`} {
		chunked, err := http.NewRequestWithContext(t.Context(), "POST", baseURL+"/invitations",
			io.MultiReader(strings.NewReader(`{"email_address":`), strings.NewReader(`"ada@example.com"}`)))
		require.NoError(t, err)
		chunked.Header.Set("Authorization", "Bearer "+fake.SecretKey())
		chunked.Header.Set("Content-Type", "application/json; charset=utf-8")
		resp, err := http.DefaultClient.Do(chunked)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, 200, resp.StatusCode)
		require.Len(t, fake.Invitations(), i+1)

		revoked, answer := send(t, http.DefaultTransport, "POST", baseURL+"/invitations/"+fake.Invitations()[i].ID+"/revoke", body)
		require.Equal(t, 200, revoked.StatusCode, answer)
		require.Equal(t, []string{"application/json"}, revoked.Header["Content-Type"])
	}
}

func TestRoundTripHonoursTheContext(t *testing.T) {
	fake := clerktest.New()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	body := &closeNoting{Reader: bytes.NewReader(nil)}
	req, err := http.NewRequestWithContext(ctx, "POST", "https://api.clerk.com/v1/invitations", body)
	require.NoError(t, err)
	_, err = fake.RoundTrip(req)
	require.ErrorIs(t, err, context.Canceled)
	require.True(t, body.closed)
	require.Empty(t, fake.Requests())
}

func TestRequestBodiesThatBreakOff(t *testing.T) {
	fake := clerktest.New()
	broken := io.MultiReader(strings.NewReader(`{"email_address":`), iotest.ErrReader(io.ErrUnexpectedEOF))
	req, err := http.NewRequestWithContext(t.Context(), "POST", "https://api.clerk.com/v1/invitations", broken)
	require.NoError(t, err)
	_, err = fake.RoundTrip(req)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)

	baseURL, stop := fake.Serve()
	defer stop()
	conn, err := net.Dial("tcp", strings.TrimSuffix(strings.TrimPrefix(baseURL, "http://"), "/v1"))
	require.NoError(t, err)
	defer conn.Close()
	_, err = io.WriteString(conn, "POST /v1/invitations HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "+clerktest.SecretKey+
		"\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nno chunk\r\n")
	require.NoError(t, err)
	_, err = bufio.NewReader(conn).ReadString('\n')
	require.ErrorIs(t, err, io.EOF, "there is nobody to answer")
	require.Empty(t, fake.Requests())
}

func TestRefusedRequestsDoNotCount(t *testing.T) {
	fake := clerktest.New(clerktest.WithRateLimits(clerktest.RateLimits{
		Creates: clerktest.Limit{Requests: 1, Per: time.Hour}, Requests: clerktest.Limit{Requests: 3, Per: time.Hour},
	}))
	for i, want := range []int{200, 429, 429, 429} {
		resp, _ := send(t, fake, "POST", "/v1/invitations", fmt.Sprintf(`{"email_address":"a%d@example.com"}`, i))
		require.Equal(t, want, resp.StatusCode)
	}
	for _, want := range []int{200, 200, 429} {
		resp, _ := send(t, fake, "GET", "/v1/invitations", "")
		require.Equal(t, want, resp.StatusCode)
	}
}

func TestWhatCannotBeMeantPanics(t *testing.T) {
	require.Panics(t, func() { clerktest.WithRateLimits(clerktest.RateLimits{Creates: clerktest.Limit{Requests: 1}}) })
	require.Panics(t, func() { clerktest.New().Fail(clerk.OperationCreate, "drop_after") })
}

func TestStopDoesNotWaitForRequestsThatHang(t *testing.T) {
	baseURL, stop := clerktest.New().Serve()
	conn, err := net.Dial("tcp", strings.TrimSuffix(strings.TrimPrefix(baseURL, "http://"), "/v1"))
	require.NoError(t, err)
	defer conn.Close()
	_, err = io.WriteString(conn, "POST /v1/invitations HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n")
	require.NoError(t, err)
	line, err := bufio.NewReader(conn).ReadString('\n')
	require.NoError(t, err)
	require.Contains(t, line, "100 Continue", "the fake waits for the body")
	stopped := make(chan struct{})
	go func() { stop(); close(stopped) }()
	select {
	case <-stopped:
	case <-time.After(30 * time.Second):
		t.Fatal("it waits")
	}
}

type closeNoting struct {
	io.Reader
	closed bool
}

func (c *closeNoting) Close() error { c.closed = true; return nil }

func TestConcurrentUse(t *testing.T) {
	fake := clerktest.New(clerktest.WithRateLimits(clerktest.ProductionRateLimits()))
	client, err := fake.Client()
	require.NoError(t, err)
	var group sync.WaitGroup
	for i := range 16 {
		group.Go(func() {
			for j := range 5 {
				inv, err := client.Invitations.Create(context.Background(), clerk.CreateInvitationRequest{EmailAddress: fmt.Sprintf("a%d.%d@example.com", i, j)})
				if err != nil {
					t.Error(err)
					return
				}
				switch j % 3 {
				case 0:
					err = fake.Accept(inv.ID)
				case 1:
					err = fake.Expire(inv.ID)
				default:
					_, err = client.Invitations.Revoke(context.Background(), inv.ID)
				}
				if err != nil {
					t.Error(err)
				}
				_, _ = fake.Invitations(), fake.Requests()
			}
		})
	}
	group.Wait()
	require.Len(t, fake.Invitations(), 80)
}
