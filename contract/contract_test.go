package contract_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

// TestContract sends everything that package clerk can send to the fake, and validates every
// request and response against Clerk's OpenAPI document.
func TestContract(t *testing.T) {
	router := loadSpec(t)
	met, operations := map[string]int{}, map[string]int{}
	for name, scenario := range scenarios {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fake := clerktest.New(scenario.options...)
				v := newValidator(t, router, fake)
				client, err := clerk.NewClient(fake.SecretKey(), clerk.WithHTTPClient(&http.Client{Transport: v}))
				require.NoError(t, err)
				scenario.play(t, stage{fake, client, v})
				require.Empty(t, v.violations)
				for name, n := range v.met {
					met[name] += n
				}
				for op, n := range v.operations {
					operations[op] += n
				}
			})
		})
	}
	for _, x := range exceptions {
		require.Positive(t, met[x.name], "the exception %q is not needed: %s", x.name, x.reason)
	}
	for _, op := range []clerk.Operation{clerk.OperationCreate, clerk.OperationList, clerk.OperationBulkCreate, clerk.OperationRevoke} {
		require.Positive(t, operations[string(op)], op)
	}
	t.Log(operations, met)
}

// wrongInTests lists values that the tests of package clerk send although the document does
// not allow them. The library leaves it to Clerk to refuse them, or they are newer than the
// library.
var wrongInTests = []string{`"template_slug":"none"`, `"expires_in_days":-1`, `"expires_in_days":1000`, `status=own`}

// TestTraffic validates every request that the tests of package clerk send, and every response
// of the fake to them.
func TestTraffic(t *testing.T) {
	v, met := newValidator(t, loadSpec(t), nil), map[int]bool{}
	path := filepath.Join(t.TempDir(), "traffic.jsonl")
	tests := exec.CommandContext(t.Context(), "go", "test", "-count=1", ".")
	tests.Dir, tests.Env = "..", append(os.Environ(), "CLERK_TEST_TRAFFIC="+path)
	output, err := tests.CombinedOutput()
	require.NoError(t, err, string(output))
	file, err := os.Open(path)
	require.NoError(t, err)
	defer func() { require.NoError(t, file.Close()) }()
	for lines := json.NewDecoder(file); ; {
		var x recorded
		err := lines.Decode(&x)
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		wrong := slices.IndexFunc(wrongInTests, func(s string) bool {
			return strings.Contains(x.URL, s) || bytes.Contains(x.Body, []byte(s))
		})
		if wrong >= 0 {
			met[wrong] = true
		}
		x.validate(t, v, wrong >= 0)
	}
	t.Log(v.operations, v.met)
	require.Empty(t, v.violations)
	require.Len(t, met, len(wrongInTests), "all are needed")
	require.Positive(t, v.operations[string(clerk.OperationRevoke)])
}

// A recorded is an exchange that the tests of package clerk have recorded.
type recorded struct {
	Method, URL  string
	Header       http.Header
	Body         []byte
	Status       int // 0 if the response is not from the fake
	AnswerHeader http.Header
	Answer       []byte
}

func (x *recorded) validate(t *testing.T, v *validator, wrong bool) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), x.Method, x.URL, bytes.NewReader(x.Body))
	require.NoError(t, err)
	req.Header = x.Header
	ctx := req.Context()
	if wrong {
		ctx = wrongOnPurpose(ctx)
	}
	v.validate(ctx, &exchange{request: req, status: x.Status, response: x.Answer}, x.AnswerHeader, len(x.Body) > 0)
}

// A stage holds the fake and the client of a scenario.
type stage struct {
	fake      *clerktest.Fake
	client    *clerk.Client
	validator *validator
}

type scenario struct {
	options []clerktest.Option
	play    func(*testing.T, stage)
}

func guest(i int) clerk.CreateInvitationRequest {
	return clerk.CreateInvitationRequest{EmailAddress: fmt.Sprintf("guest%d@example.com", i)}
}

var scenarios = map[string]scenario{
	"every field": {nil, func(t *testing.T, s stage) {
		random := rand.New(rand.NewPCG(1, 2))
		for i := range 300 {
			_, err := s.client.Invitations.Create(t.Context(), anyRequest(random, i))
			require.NoError(t, err)
		}
		for i := range 50 {
			var reqs []clerk.CreateInvitationRequest
			for range 1 + random.IntN(10) {
				reqs = append(reqs, anyRequest(random, 1000+i*10+len(reqs)))
			}
			_, err := s.client.Invitations.BulkCreate(t.Context(), reqs)
			require.NoError(t, err)
		}
	}},
	"lists": {nil, func(t *testing.T, s stage) {
		lives(t, s)
		for _, status := range []clerk.InvitationStatus{"", clerk.InvitationStatusPending, clerk.InvitationStatusAccepted, clerk.InvitationStatusRevoked, clerk.InvitationStatusExpired} {
			for _, order := range []clerk.InvitationOrder{
				"", clerk.OrderByCreatedAt, clerk.OrderByCreatedAtDesc, clerk.OrderByEmailAddress,
				clerk.OrderByEmailAddressDesc, clerk.OrderByExpiresAt, clerk.OrderByExpiresAtDesc,
			} {
				for _, paginated := range []*bool{nil, new(false), new(true)} {
					for _, query := range []string{"", "guest1@example.com", "inv_"} {
						_, err := s.client.Invitations.List(t.Context(), clerk.ListInvitationsRequest{
							Status: status, OrderBy: order, Paginated: paginated, Query: query, Limit: 3, Offset: 1,
						})
						require.NoError(t, err)
					}
				}
			}
		}
		n := 0
		for _, err := range s.client.Invitations.All(t.Context(), clerk.ListInvitationsRequest{Limit: 2}, clerk.WithPrefetch(3)) {
			require.NoError(t, err)
			n++
		}
		require.Equal(t, 4, n)
	}},
	"refusals": {nil, func(t *testing.T, s stage) {
		lives(t, s)
		invs := s.fake.Invitations()
		for _, req := range []clerk.CreateInvitationRequest{guest(0), guest(1)} {
			_, err := s.client.Invitations.Create(t.Context(), req)
			require.Error(t, err)
			_, err = s.client.Invitations.BulkCreate(t.Context(), []clerk.CreateInvitationRequest{req, guest(99)})
			require.Error(t, err)
		}
		for _, id := range []string{invs[1].ID, invs[2].ID, "inv_unknown"} {
			_, err := s.client.Invitations.Revoke(t.Context(), id)
			require.Error(t, err)
		}
		_, err := s.client.Invitations.Delete(t.Context(), "inv_unknown")
		require.ErrorIs(t, err, clerk.ErrNotFound)
		s.fake.Fail(clerk.OperationDelete, clerktest.FaultErrorBefore, clerktest.FaultRateLimit)
		deleted, err := s.client.Invitations.Delete(t.Context(), invs[1].ID)
		require.NoError(t, err)
		require.Equal(t, &clerk.DeletedObject{Object: "invitation", ID: invs[1].ID, Deleted: true}, deleted)
	}},
	"wrong on purpose": {nil, func(t *testing.T, s stage) {
		ctx := wrongOnPurpose(t.Context())
		for _, req := range []clerk.CreateInvitationRequest{
			{EmailAddress: "a@example.com", ExpiresInDays: 366}, {EmailAddress: "a@example.com", ExpiresInDays: -1},
			{EmailAddress: "a@example.com", TemplateSlug: "none"},
		} {
			_, err := s.client.Invitations.Create(ctx, req)
			require.Error(t, err)
			_, err = s.client.Invitations.BulkCreate(ctx, []clerk.CreateInvitationRequest{req})
			require.Error(t, err)
		}
		_, err := s.client.Invitations.Create(ctx, clerk.CreateInvitationRequest{EmailAddress: "nobody"})
		require.Error(t, err)
		for _, req := range []clerk.ListInvitationsRequest{{Limit: 501}, {Status: "none"}, {OrderBy: "+name"}} {
			_, err := s.client.Invitations.List(ctx, req)
			require.Error(t, err)
		}
		_, err = s.client.Invitations.Create(ctx, clerk.CreateInvitationRequest{
			EmailAddress: "a@example.com", PublicMetadata: map[string]any{"long": strings.Repeat("a", 1<<20)},
		})
		require.Error(t, err)
		for _, body := range []string{`{"email_address":"a@example.com","name":"Ada"}`, `{`, `[]`, `{"email_address":7}`, `{}`} {
			s.raw(ctx, t, "/v1/invitations", "application/json", body)
		}
		s.raw(ctx, t, "/v1/invitations", "text/plain", `{"email_address":"a@example.com"}`)
		s.raw(ctx, t, "/v1/invitations/bulk", "application/json", `[]`)
		s.raw(ctx, t, "/v1/invitations/bulk", "application/json", `[`+strings.Repeat(`{"email_address":"a@example.com"},`, 10)+`{"email_address":"a@example.com"}]`)
		s.raw(ctx, t, "/v1/invitations/inv_1/accept", "application/json", ``)
	}},
	"a bad key": {nil, func(t *testing.T, s stage) {
		client, err := s.client.With(clerk.WithSecretKeyFunc(func(context.Context) (string, error) { return "sk_test_another", nil }))
		require.NoError(t, err)
		_, err = client.Invitations.Create(t.Context(), guest(0))
		require.ErrorIs(t, err, clerk.ErrUnauthorized)
		_, err = client.Invitations.Revoke(t.Context(), "inv_1")
		require.ErrorIs(t, err, clerk.ErrUnauthorized)
	}},
	"limits": {[]clerktest.Option{clerktest.WithRateLimits(clerktest.DevelopmentRateLimits())}, func(t *testing.T, s stage) {
		for i := range 120 {
			_, err := s.client.Invitations.Create(t.Context(), guest(i))
			if i >= 100 {
				require.ErrorIs(t, err, clerk.ErrRateLimited)
			}
		}
	}},
	"composed": {nil, func(t *testing.T, s stage) {
		inv, err := s.client.Invitations.Create(t.Context(), guest(0))
		require.NoError(t, err)
		_, err = s.client.Invitations.Get(t.Context(), inv.ID)
		require.NoError(t, err)
		_, err = s.client.Invitations.FindPending(t.Context(), inv.EmailAddress)
		require.NoError(t, err)
		_, err = s.client.Invitations.Resend(t.Context(), inv.ID, clerk.CreateInvitationRequest{ExpiresInDays: 3})
		require.NoError(t, err)
	}},
	"a run, with faults and bad rows": {
		[]clerktest.Option{
			clerktest.WithRateLimits(clerktest.ProductionRateLimits()),
			clerktest.WithFaults(clerktest.FaultMix{Share: 0.2, Seed: 3}),
		},
		func(t *testing.T, s stage) {
			var reqs []clerk.CreateInvitationRequest
			for i := range 700 {
				reqs = append(reqs, guest(i))
				if i%40 == 0 {
					s.fake.AddUser(guest(i).EmailAddress)
				}
			}
			n := 0
			for _, err := range s.client.Invitations.CreateAll(t.Context(), slices.Values(reqs)) {
				require.NoError(t, err)
				n++
			}
			require.Equal(t, 700, n)
		},
	},
	"writes that are looked up": {
		[]clerktest.Option{clerktest.WithFaults(clerktest.FaultMix{Share: 0.3, Seed: 4})},
		func(t *testing.T, s stage) {
			for i := range 200 {
				req := guest(i)
				req.IgnoreExisting = i%2 == 0
				inv, err := s.client.Invitations.Create(t.Context(), req)
				if err != nil {
					require.True(t, errors.Is(err, clerk.ErrOutcomeUnknown) || errors.Is(err, clerk.ErrRateLimited), err)
					continue
				}
				_, _ = s.client.Invitations.Revoke(t.Context(), inv.ID) // only its requests matter here, not its result
			}
		},
	},
}

// lives creates an invitation in each state: guest1 is pending, guest0 is a user.
func lives(t *testing.T, s stage) {
	t.Helper()
	var invs []clerk.Invitation
	for i := range 5 {
		inv, err := s.client.Invitations.Create(t.Context(), guest(1+i))
		require.NoError(t, err)
		invs = append(invs, *inv)
		time.Sleep(time.Minute)
	}
	_, err := s.client.Invitations.Revoke(t.Context(), invs[1].ID)
	require.NoError(t, err)
	require.NoError(t, s.fake.Accept(invs[2].ID))
	require.NoError(t, s.fake.Expire(invs[3].ID))
	s.fake.AddUser(guest(0).EmailAddress)
}

// anyRequest returns a request with a random choice of fields.
func anyRequest(random *rand.Rand, i int) clerk.CreateInvitationRequest {
	req := guest(i)
	maybe := func() bool { return random.IntN(2) == 0 }
	if maybe() {
		req.PublicMetadata = map[string]any{}
	}
	if maybe() {
		req.PublicMetadata = map[string]any{"role": "admin", "seats": []int{1, 2}, "nothing": nil, "deep": map[string]any{"a": 1.5}}
	}
	if maybe() {
		req.RedirectURL = []string{"https://app.example.com/welcome?a=b", "/welcome"}[random.IntN(2)]
	}
	if maybe() {
		req.Notify = new(maybe())
	}
	req.IgnoreExisting = maybe()
	if maybe() {
		req.ExpiresInDays = 1 + random.IntN(365)
	}
	if maybe() {
		req.TemplateSlug = []clerk.TemplateSlug{clerk.TemplateSlugInvitation, clerk.TemplateSlugWaitlistInvitation}[random.IntN(2)]
	}
	return req
}

// raw sends a body that package clerk would not send.
func (s stage) raw(ctx context.Context, t *testing.T, path, contentType, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://api.clerk.com"+path, strings.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+s.fake.SecretKey())
	req.Header.Set("Content-Type", contentType)
	resp, err := s.validator.RoundTrip(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.GreaterOrEqual(t, resp.StatusCode, 400)
}
