package clerktest_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

// flips has steps for each alternative, and the responses of a fake with it. See step for the
// words.
var flips = map[string]struct{ steps, want string }{
	"bulks=until-first":        {"bulk ada @ bob; list", "422 form_param_format_invalid; 200 ada/pending of 1"},
	"bulks=good-rows":          {"create ada; bulk bob ada cid; list", "200 ada; 400 duplicate_record; 200 cid/pending bob/pending ada/pending of 3"},
	"bulks=without-duplicates": {"create ada; bulk bob ada cid", "200 ada; 200 bob cid"},
	"bulks-reversed":           {"bulk ada bob", "200 bob ada"},
	"bulks-repeat":             {"bulk ada ada", "200 ada ada"},
	"bulks-empty":              {"bulk", "200 "},
	"bulks-ignore-users":       {"create ada; accept 1; bulk ada+ignore", "200 ada; accepted; 200 ada"},
	"bulk-metadata=lost":       {"bulk ada+meta; create bob+meta; metadata", "200 ada; 200 bob+meta; {} {\"a\":1}"},
	"bulk-metadata=lost-silently": {"bulk ada+meta; create bob+meta; metadata",
		"200 ada+meta; 200 bob+meta; {} {\"a\":1}"},
	"ignore-existing=returns":  {"create ada; create ada+ignore; list", "200 ada; 200 ada; 200 ada/pending of 1"},
	"ignore-existing=replaces": {"create ada; create ada+ignore; list", "200 ada; 200 ada; 200 ada/pending of 1"},
	"ignore-existing=refused":  {"create ada; create ada+ignore", "200 ada; 400 duplicate_record"},
	"duplicates=accepted":      {"create ada; accept 1; create ada", "200 ada; accepted; 400 duplicate_record"},
	"duplicates=expired":       {"create ada; expire 1; create ada", "200 ada; expired; 400 duplicate_record"},
	"duplicates=revoked":       {"create ada; revoke 1; create ada", "200 ada; 200 ada; 400 duplicate_record"},
	"duplicates=any": {"create ada; revoke 1; create ada; create bob; accept 2; create bob",
		"200 ada; 200 ada; 400 duplicate_record; 200 bob; accepted; 400 duplicate_record"},
	"duplicates-first":         {"create ada; user ada; create ada", "200 ada; added; 400 duplicate_record"},
	"addresses=lower":          {"create Ada; list", "200 ada; 200 ada/pending of 1"},
	"addresses=untagged":       {"create a+b; create a+c", "200 a; 400 duplicate_record"},
	"addresses=undotted":       {"create a.b; list query=a.b", "200 ab; 200 of 0"},
	"case-sensitive-addresses": {"create ada; create Ada; user bob; create Bob", "200 ada; 200 Ada; added; 200 Bob"},
	"unknown-fields-ignored":   {"create ada+unknown", "200 ada"},
	"email-limit-refuses":      {"create ada; create bob; bulk cid; create x+clerk_test", "200 ada; 400 dev_monthly_email_limit_exceeded; 400 dev_monthly_email_limit_exceeded; 200 x+clerk_test"},

	"list-lag=1s": {"create ada; sleep 500ms; revoke 1; sleep 499ms; list; sleep 1ms; list; sleep 500ms; list; list status=revoked; delete 1; list status=revoked; sleep 1s; list status=revoked",
		"200 ada; ; 200 ada; ; 200 of 0; ; 200 ada/pending of 1; ; 200 of 0; 200 ada/revoked of 1; 200 deleted; 200 ada/revoked of 1; ; 200 of 0"},
	"list-lag=1s,list-lag-of=creates":     {"create ada; list; sleep 1s; revoke 1; list", "200 ada; 200 of 0; ; 200 ada; 200 of 0"},
	"list-lag=1s,list-lag-of=revocations": {"create ada; list; revoke 1; list; delete 1; create bob; list; sleep 1s; list", "200 ada; 200 ada/pending of 1; 200 ada; 200 ada/pending of 1; 200 deleted; 200 bob; 200 bob/pending ada/pending of 2; ; 200 bob/pending of 1"},
	"list-lag=1s,list-lag-of=deletions":   {"create ada; list; delete 1; list; sleep 1s; list", "200 ada; 200 ada/pending of 1; 200 deleted; 200 ada/pending of 1; ; 200 of 0"},
	"query=whole":                         {"create ada; list query=ad; list query=ADA@example.com; list query=inv_000000000000000000000000001", "200 ada; 200 of 0; 200 ada/pending of 1; 200 ada/pending of 1"},
	"query=beginnings":                    {"create ada; list query=da; list query=Ad", "200 ada; 200 of 0; 200 ada/pending of 1"},
	"query=words":                         {"create ada; create bob; list query=ada@example.com; list query=ad", "200 ada; 200 bob; 200 bob/pending ada/pending of 2; 200 of 0"},
	"query=ignored":                       {"create ada; list query=zz", "200 ada; 200 ada/pending of 1"},
	"query-without-ids":                   {"create ada; list query=inv_000000000000000000000000001; list query=da", "200 ada; 200 of 0; 200 ada/pending of 1"},
	"query-case-sensitive":                {"create Ada; list query=ada@example.com; list query=Ada", "200 Ada; 200 of 0; 200 Ada/pending of 1"},
	"statuses=first":                      {"create ada; create bob; revoke 2; list status=pending&status=revoked", "200 ada; 200 bob; 200 bob; 200 ada/pending of 1"},
	"statuses=refused":                    {"list status=pending&status=revoked; list status=pending", "422 form_param_value_invalid; 200 of 0"},
	"lapsed=pending":                      {"create ada; expire 1; list; list status=expired; create ada", "200 ada; expired; 200 ada/pending of 1; 200 of 0; 200 ada"},
	"lapsed=duplicate":                    {"create ada; expire 1; list status=pending; create ada", "200 ada; expired; 200 ada/pending of 1; 400 duplicate_record"},
	"revoked-unlisted":                    {"create ada; revoke 1; list status=revoked", "200 ada; 200 ada; 200 of 0"},
	"lists=bare":                          {"create ada; list", "200 ada; 200 ada"},
	"lists=envelope":                      {"create ada; array", "200 ada; 200 ada/pending of 1"},
	"unpaged-arrays":                      {"bulk ada bob; array limit=1; list limit=1", "200 ada bob; 200 bob ada; 200 bob/pending of 2"},
	"total-of-page":                       {"bulk ada bob; list limit=1", "200 ada bob; 200 bob/pending of 1"},
	"page-cap=100":                        {"many 101; count", "; 100"},

	"revoke-again-succeeds": {"create ada; revoke 1; revoke 1", "200 ada; 200 ada; 200 ada"},
	"revoke-expired-fails":  {"create ada; expire 1; revoke 1", "200 ada; expired; 400 bad_request"},
	"delete-again-succeeds": {"create ada; delete 1; delete 1", "200 ada; 200 deleted; 200 deleted"},
	"deleted-links-work":    {"create ada; delete 1; sign-up 1; create ada", "200 ada; 200 deleted; signed up; 422 form_identifier_exists"},

	"date-skew=2s":                           {"date", "2s"},
	"date-skew=-1m0s":                        {"date", "-1m0s"},
	"no-date":                                {"header Date", "absent"},
	"no-trace-id":                            {"header X-Clerk-Trace-Id", "absent"},
	"content-type=text/plain; charset=utf-8": {"header Content-Type", "text/plain; charset=utf-8"},
	"numbers=decimal":                        {"create ada; total", "200 ada; 1.0 946684800000.0"},
	"numbers=exponent":                       {"create ada; total", "200 ada; 1.0e0 9.466848e11"},
	"numbers=string":                         {"create ada; total", `200 ada; "1" "946684800000"`},
	"null-metadata":                          {"create ada; raw public_metadata", "200 ada; null"},
	"null-expiry":                            {"create ada; raw expires_at", "200 ada; null"},
	"any-api-version":                        {"version 2030-01-01", "200"},
	"refusal-status=400":                     {"create @", "400 form_param_format_invalid"},
	"refusal-status=403":                     {"create @", "403 form_param_format_invalid"},
	"refusal-status=404":                     {"create @", "404 form_param_format_invalid"},
	"refusal-status=409":                     {"create @", "409 form_param_format_invalid"},
	"refusal-status=422":                     {"create ada; create ada; revoke 9", "200 ada; 422 duplicate_record; 422 resource_not_found"},
	"refusals-generic":                       {"create @; user ada; create ada", "400 malformed_request_parameters; added; 422 form_identifier_exists"},
	"no-meta":                                {"create ada; meta ada", "200 ada; 400 no meta"},

	"windows=sliding":      {"limit 2; create a; sleep 30m; create b; sleep 30m; create c; create d", "; 200 a; ; 200 b; ; 200 c; 429 in 1800"},
	"windows=clock":        {"limit 1; sleep 59m; create a; create b; sleep 1m; create c", "; ; 200 a; 429 in 60; ; 200 c"},
	"windows=token-bucket": {"limit 2; create a; create b; create c; sleep 30m; create c; create d", "; 200 a; 200 b; 429 in 1800; ; 200 c; 429 in 1800"},
	"faults-uncounted":     {"limit 1; fault error before; create a; create a", "; ; 500 internal_clerk_error; 200 a"},
	"refusals-uncounted":   {"limit 1; create @; create a; create b", "; 422 form_param_format_invalid; 200 a; 429 in 3600"},
	"rate-limited-counted": {"sliding 1; create a; sleep 30m; create b; sleep 30m; create b", "; 200 a; ; 429 in 1800; ; 429 in 1800"},

	"rate-limit-status=400":        {"fault rate limit; create a", "; 400 in 1"},
	"rate-limit-status=403":        {"fault rate limit; create a", "; 403 in 1"},
	"rate-limit-status=422":        {"fault rate limit; create a", "; 422 in 1"},
	"rate-limit-body=empty-errors": {"fault rate limit; body", `; application/json {"errors":[]}`},
	"rate-limit-body=text":         {"fault rate limit; body", "; text/plain Too many requests. Please try again in a bit."},
	"rate-limit-body=html":         {"fault rate limit; body", "; text/html <html><body>Too many requests</body></html>"},
	"rate-limit-body=none":         {"fault rate limit; body", ";  "},
}

func TestBehaviors(t *testing.T) {
	all := maps.Collect(clerktest.Behaviors())
	require.ElementsMatch(t, slices.Collect(maps.Keys(flips)), slices.Collect(maps.Keys(all)))
	for name, flip := range flips {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				require.Equal(t, flip.want, script(t, all[name], flip.steps))
				time.Sleep(time.Until(time.Now().Truncate(time.Hour).Add(time.Hour)))
				if !strings.HasPrefix(flip.steps, "create ada; total") { // the times of these differ
					require.NotEqual(t, flip.want, script(t, clerktest.Behavior{}, flip.steps), "without the flip")
				}
			})
		})
	}
}

// script runs steps, separated by semicolons, and returns their results.
func script(t *testing.T, behavior clerktest.Behavior, steps string) string {
	t.Helper()
	options := []clerktest.Option{clerktest.WithBehavior(behavior)}
	if behavior.EmailLimitRefuses || strings.Contains(steps, "clerk_test") {
		options = append(options, clerktest.WithEmailLimit(1))
	}
	s := scripted{t, clerktest.New(options...)}
	var results []string
	for one := range strings.SplitSeq(steps, "; ") {
		word, rest, _ := strings.Cut(one, " ")
		results = append(results, s.step(word, rest))
	}
	return strings.Join(results, "; ")
}

type scripted struct {
	t    *testing.T
	fake *clerktest.Fake
}

// step runs one step: an operation, an act of a person, or a check of a response.
func (s scripted) step(word, rest string) string {
	s.t.Helper()
	id := fmt.Sprintf("inv_%027s", rest)
	switch word {
	case "create":
		return s.send("POST", "", request(rest))
	case "bulk":
		var items []string
		for name := range strings.FieldsSeq(rest) {
			items = append(items, request(name))
		}
		return s.send("POST", "/bulk", "["+strings.Join(items, ",")+"]")
	case "list":
		return s.send("GET", "?paginated=true&"+rest, "")
	case "array":
		return s.send("GET", "?"+rest, "")
	case "revoke":
		return s.send("POST", "/"+id+"/revoke", "")
	case "delete":
		return s.send("DELETE", "/"+id, "")
	case "version":
		resp, _ := send(s.t, s.fake, "GET", "/v1/invitations", "", "Clerk-Api-Version", rest)
		return fmt.Sprint(resp.StatusCode)
	}
	return s.act(word, rest, id)
}

func (s scripted) act(word, rest, id string) string {
	s.t.Helper()
	switch word {
	case "accept":
		require.NoError(s.t, s.fake.Accept(id))
		return "accepted"
	case "expire":
		require.NoError(s.t, s.fake.Expire(id))
		return "expired"
	case "user":
		s.fake.AddUser(rest + "@example.com")
		return "added"
	case "sign-up":
		if _, err := s.fake.SignUp("ticket_of_" + id); err != nil {
			return err.Error()
		}
		return "signed up"
	case "sleep":
		d, err := time.ParseDuration(rest)
		require.NoError(s.t, err)
		time.Sleep(d)
	case "limit", "sliding":
		var n int
		_, err := fmt.Sscan(rest, &n)
		require.NoError(s.t, err)
		s.fake.SetRateLimits(clerktest.RateLimits{Creates: clerktest.Limit{Requests: n, Per: time.Hour}, Sliding: word == "sliding"})
	case "fault":
		s.fake.Fail(clerk.OperationCreate, clerktest.Fault(rest))
	case "many":
		for i := range 101 {
			require.NoError(s.t, create(s.t, s.fake, fmt.Sprintf("a%d@example.com", i)))
		}
	default:
		return s.look(word, rest)
	}
	return ""
}

func (s scripted) look(word, rest string) string {
	s.t.Helper()
	resp, body := send(s.t, s.fake, "GET", "/v1/invitations?paginated=true&limit=500", "")
	switch word {
	case "metadata":
		var texts []string
		for _, inv := range s.fake.Invitations() {
			texts = append(texts, string(inv.PublicMetadata))
		}
		return strings.Join(texts, " ")
	case "count":
		return fmt.Sprint(strings.Count(body, `"id"`))
	case "header":
		if _, ok := resp.Header[rest]; !ok || resp.Header[rest] == nil {
			return "absent"
		}
		return resp.Header.Get(rest)
	case "date":
		date, err := http.ParseTime(resp.Header.Get("Date"))
		require.NoError(s.t, err)
		return time.Until(date).String()
	case "total":
		var list struct {
			Data  []map[string]json.RawMessage `json:"data"`
			Total json.RawMessage              `json:"total_count"`
		}
		require.NoError(s.t, json.Unmarshal([]byte(body), &list))
		return fmt.Sprintf("%s %s", list.Total, list.Data[0]["created_at"])
	case "raw":
		var list struct{ Data []map[string]json.RawMessage }
		require.NoError(s.t, json.Unmarshal([]byte(body), &list))
		return string(list.Data[0][rest])
	case "meta":
		resp, body := send(s.t, s.fake, "POST", "/v1/invitations", request(rest))
		if strings.Contains(body, `"meta"`) {
			return "with meta"
		}
		return fmt.Sprintf("%d no meta", resp.StatusCode)
	case "body":
		resp, body := send(s.t, s.fake, "POST", "/v1/invitations", request("ada"))
		return resp.Header.Get("Content-Type") + " " + body
	}
	s.t.Fatalf("unknown step %q", word)
	return ""
}

// request returns the body for an address such as "ada" or "ada+ignore".
func request(name string) string {
	more := ""
	for suffix, field := range map[string]string{
		"+ignore": `,"ignore_existing":true`, "+meta": `,"public_metadata":{"a":1}`, "+unknown": `,"unknown":1`,
	} {
		if cut, ok := strings.CutSuffix(name, suffix); ok {
			name, more = cut, field
		}
	}
	return fmt.Sprintf(`{"email_address":"%s@example.com"%s}`, name, more)
}

// send sends a request and returns its status with the code of the error, or the
// names, statuses and total of invitations.
func (s scripted) send(method, path, body string) string {
	s.t.Helper()
	resp, got := send(s.t, s.fake, method, "/v1/invitations"+path, body)
	if retry := resp.Header.Get("Retry-After"); retry != "" {
		return fmt.Sprintf("%d in %s", resp.StatusCode, retry)
	}
	var envelope struct {
		Errors  []clerk.ClerkError
		Deleted bool
		Data    []clerk.Invitation
		Total   *int `json:"total_count"`
	}
	_ = json.Unmarshal([]byte(got), &envelope)
	var invs []clerk.Invitation
	var one clerk.Invitation
	text := ""
	switch {
	case len(envelope.Errors) > 0:
		return fmt.Sprintf("%d %s", resp.StatusCode, envelope.Errors[0].Code)
	case envelope.Deleted:
		return fmt.Sprintf("%d deleted", resp.StatusCode)
	case envelope.Total != nil:
		for _, inv := range envelope.Data {
			text += name(inv) + "/" + string(inv.Status) + " "
		}
		return fmt.Sprintf("%d %sof %d", resp.StatusCode, text, *envelope.Total)
	case json.Unmarshal([]byte(got), &invs) != nil:
		_ = json.Unmarshal([]byte(got), &one)
		invs = []clerk.Invitation{one}
	}
	for _, inv := range invs {
		text += " " + name(inv)
	}
	if invs == nil || text == "" {
		text = " "
	}
	return fmt.Sprint(resp.StatusCode, text)
}

func name(inv clerk.Invitation) string {
	name, _, _ := strings.Cut(inv.EmailAddress, "@")
	if string(inv.PublicMetadata) != "{}" && string(inv.PublicMetadata) != "null" && len(inv.PublicMetadata) > 0 {
		name += "+meta"
	}
	return name
}
