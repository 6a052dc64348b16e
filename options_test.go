package clerk_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"os"
	"os/exec"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

func TestWithBaseURLSetsTheRequestURL(t *testing.T) {
	for base, want := range map[string]string{
		"https://proxy.example.com":         "https://proxy.example.com/invitations",
		"https://proxy.example.com/clerk/":  "https://proxy.example.com/clerk/invitations",
		"HTTPS://proxy.example.com/a%2Fb":   "https://proxy.example.com/a%2Fb/invitations",
		"http://127.0.0.1:8080/v1":          "http://127.0.0.1:8080/v1/invitations",
		"http://127.1.2.3":                  "http://127.1.2.3/invitations",
		"http://[::1]:8080/v1":              "http://[::1]:8080/v1/invitations",
		"http://[::ffff:127.0.0.1]:8080/v1": "http://[::ffff:127.0.0.1]:8080/v1/invitations",
		"http://LocalHost:8080/v1":          "http://localhost:8080/v1/invitations", // net/http recognizes only this spelling
	} {
		t.Run(base, func(t *testing.T) {
			rec := &recorder{next: answering(reply(200, pendingJSON))}
			client := newClient(t, rec, clerk.WithBaseURL(base))
			require.NoError(t, calls[clerk.OperationCreate](t.Context(), client))
			require.Equal(t, want, rec.last.URL.String())
		})
	}
}

func TestRequestsCarryTheirHeaders(t *testing.T) {
	for op, call := range calls {
		t.Run(string(op), func(t *testing.T) {
			rec := &recorder{next: answering(reply(200, success[op]))}
			client := newClient(t, rec,
				clerk.WithAppName("people-sdk/2.1"),
				clerk.WithHeader("x-team", "onboarding"),
				clerk.WithHeader("x-shift", "early"))
			require.NoError(t, call(t.Context(), client, clerk.WithHeader("x-shift", "late")))

			want := http.Header{
				"Accept":            {"application/json"},
				"Authorization":     {"Bearer " + testKey},
				"Clerk-Api-Version": {"2026-05-12"},
				"User-Agent":        {"people-sdk/2.1 clerk-go/" + clerk.Version},
				"X-Team":            {"onboarding"},
				"X-Shift":           {"late"},
			}
			if op != clerk.OperationList {
				want.Set("Content-Type", "application/json")
			}
			require.Equal(t, want, rec.last.Header)
			require.EqualValues(t, len(rec.bodies[0]), rec.last.ContentLength)
		})
	}
}

func TestWithHeaderOverridesTheAPIVersion(t *testing.T) {
	rec := &recorder{next: answering(reply(200, pendingJSON))}
	client := newClient(t, rec, clerk.WithHeader("Clerk-API-Version", "2027-01-01"))
	require.NoError(t, calls[clerk.OperationCreate](t.Context(), client))
	require.Equal(t, []string{"2027-01-01"}, rec.last.Header.Values("Clerk-API-Version"))
}

func TestInvalidCallOptionSendsNothing(t *testing.T) {
	for op, call := range calls {
		mock := answering(reply(200, success[op]))
		client := newClient(t, mock)
		err := call(t.Context(), client, clerk.WithBaseURL("http://example.com"))
		require.ErrorIs(t, err, clerk.ErrInvalidRequest)
		require.ErrorContains(t, err, string(op)+": WithBaseURL is neither")
		require.ErrorIs(t, call(t.Context(), client, clerk.WithResponse(nil)), clerk.ErrInvalidRequest)
		require.ErrorIs(t, call(t.Context(), client, nil), clerk.ErrInvalidRequest)
		require.Zero(t, mock.GetTotalCallCount())
	}
}

func TestSecretKeyFuncIsCalledForEachRequest(t *testing.T) {
	keys := []string{"sk_test_one", "sk_test_two"}
	rec := &recorder{next: answering(reply(200, pendingJSON))}
	client, err := clerk.NewClient("",
		clerk.WithHTTPClient(&http.Client{Transport: rec}),
		clerk.WithSecretKeyFunc(func(context.Context) (string, error) {
			key := keys[0]
			keys = keys[1:]
			return key, nil
		}))
	require.NoError(t, err)
	for _, want := range []string{"Bearer sk_test_one", "Bearer sk_test_two"} {
		require.NoError(t, calls[clerk.OperationCreate](t.Context(), client))
		require.Equal(t, want, rec.last.Header.Get("Authorization"))
	}
}

func TestSecretKeyFuncIsBoundedByMaxElapsedTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := newClient(t, answering(reply(200, pendingJSON)), clerk.WithSecretKeyFunc(
			func(ctx context.Context) (string, error) {
				<-ctx.Done()
				return "", ctx.Err()
			}))
		start := time.Now()
		err := calls[clerk.OperationCreate](t.Context(), client)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, time.Minute, time.Since(start), "MaxElapsedTime")
	})
}

// The library asks for the key once for each request, including those that a run makes ahead.
func TestSecretKeyFuncContextHasADeadline(t *testing.T) {
	asked := 0
	client := newClient(t, clerktest.New(), clerk.WithSecretKeyFunc(func(ctx context.Context) (string, error) {
		asked++
		_, ok := ctx.Deadline()
		require.True(t, ok, "time %d", asked)
		return clerktest.SecretKey, nil
	}))
	for _, err := range client.Invitations.CreateAll(t.Context(), guests(2)) {
		require.NoError(t, err)
	}
	require.Equal(t, 2, asked, "a page, and the creation")
	for _, err := range client.Invitations.All(t.Context(), clerk.ListInvitationsRequest{Limit: 1}, clerk.WithPrefetch(1)) {
		require.NoError(t, err)
	}
	require.Equal(t, 4, asked, "two pages, one of them ahead")
}

func TestSecretKeyFuncFailureSendsNothing(t *testing.T) {
	errVault := errors.New("the vault is shut")
	for name, test := range map[string]struct {
		key  string
		err  error
		want error
		text string
	}{
		"with an error":     {"", errVault, errVault, "the vault is shut"},
		"with a wrong key":  {"pk_test_dummy", nil, clerk.ErrNotSent, "publishable"},
		"with an empty key": {"", nil, clerk.ErrNotSent, "secret key is empty"},
	} {
		t.Run(name, func(t *testing.T) {
			mock := answering(reply(200, pendingJSON))
			client := newClient(t, mock, clerk.WithSecretKeyFunc(
				func(context.Context) (string, error) { return test.key, test.err }))
			err := calls[clerk.OperationCreate](t.Context(), client)
			require.ErrorIs(t, err, test.want)
			require.ErrorContains(t, err, test.text)
			require.NotErrorIs(t, err, clerk.ErrOutcomeUnknown)
			require.NotErrorIs(t, err, clerk.ErrInvalidRequest)
			require.Zero(t, asSDKError(t, err).Attempts)
			require.Zero(t, mock.GetTotalCallCount())
		})
	}
}

func TestWithResponseDescribesTheResponse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := func(req *http.Request) (*http.Response, error) {
			time.Sleep(time.Second)
			return reply(200, pendingJSON, "X-Clerk-Trace-Id", "abc")(req)
		}
		client := newClient(t, answering(slow, reply(400, duplicateJSON)))
		var meta clerk.ResponseMeta
		require.NoError(t, calls[clerk.OperationCreate](t.Context(), client, clerk.WithResponse(&meta)))
		require.Equal(t, clerk.ResponseMeta{
			Operation: clerk.OperationCreate, StatusCode: 200, TraceID: "abc", Attempts: 1, Duration: time.Second,
			Header: http.Header{"Content-Type": {"application/json"}, "X-Clerk-Trace-Id": {"abc"}},
		}, meta)

		err := calls[clerk.OperationCreate](t.Context(), client, clerk.WithResponse(&meta))
		require.Equal(t, meta, asClerkErrors(t, err).ResponseMeta)
		require.Equal(t, 400, meta.StatusCode)
		require.Equal(t, "trace_in_body", meta.TraceID)
	})
}

// TestWithResponseIsResetWhenNothingIsSent: the response of an earlier call must not
// remain.
func TestWithResponseIsResetWhenNothingIsSent(t *testing.T) {
	client := newClient(t, answering(reply(200, pendingJSON)))
	var meta clerk.ResponseMeta
	for name, fail := range map[string]func() error{
		"bad input": func() error {
			_, err := client.Invitations.Revoke(t.Context(), "", clerk.WithResponse(&meta))
			return err
		},
		"a bad option": func() error {
			return calls[clerk.OperationRevoke](t.Context(), client, clerk.WithResponse(&meta), clerk.WithAttemptTimeout(0))
		},
	} {
		require.NoError(t, calls[clerk.OperationCreate](t.Context(), client, clerk.WithResponse(&meta)))
		require.ErrorIs(t, fail(), clerk.ErrInvalidRequest, name)
		require.Equal(t, clerk.OperationRevoke, meta.Operation, name)
		require.Zero(t, meta.StatusCode, name)
		require.Zero(t, meta.Attempts, name)
	}
}

func TestCookieJarCookiesAreSent(t *testing.T) {
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	rec := &recorder{next: answering(reply(200, pendingJSON, "Set-Cookie", "seen=1"))}
	client, err := clerk.NewClient(testKey, clerk.WithHTTPClient(&http.Client{Transport: rec, Jar: jar}))
	require.NoError(t, err)
	require.NoError(t, calls[clerk.OperationCreate](t.Context(), client))
	require.NoError(t, calls[clerk.OperationCreate](t.Context(), client))
	require.Equal(t, "seen=1", rec.last.Header.Get("Cookie"))

	require.NoError(t, calls[clerk.OperationCreate](t.Context(), client, clerk.WithHeader("Cookie", "own=1")))
	require.Equal(t, []string{"own=1; seen=1"}, rec.last.Header["Cookie"])

	synctest.Test(t, func(t *testing.T) { // a further attempt has the newest cookie alone
		rec := &recorder{next: answering(reply(429, ``, "Set-Cookie", "seen=2"), reply(429, ``, "Set-Cookie", "seen=3"), reply(200, pendingJSON))}
		client, err := clerk.NewClient(testKey, clerk.WithHTTPClient(&http.Client{Transport: rec, Jar: jar}))
		require.NoError(t, err)
		require.NoError(t, calls[clerk.OperationCreate](t.Context(), client))
		require.Equal(t, []string{"seen=3"}, rec.last.Header["Cookie"])
		rec.next = answering(reply(429, ``, "Set-Cookie", "seen=; Max-Age=0"), reply(200, pendingJSON))
		require.NoError(t, calls[clerk.OperationCreate](t.Context(), client))
		require.NotContains(t, rec.last.Header, "Cookie")
	})
}

func TestHTTPClientIsUsedAndNotChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		httpClient := &http.Client{Transport: roundTripFunc(hangs), Timeout: 3 * time.Second}
		client, err := clerk.NewClient(testKey, clerk.WithHTTPClient(httpClient))
		require.NoError(t, err)
		start := time.Now()
		require.Error(t, calls[clerk.OperationCreate](t.Context(), client, once))
		require.Equal(t, 3*time.Second, time.Since(start), "the HTTP client's timeout, being shorter")
		require.NotNil(t, httpClient.Transport)
		require.Nil(t, httpClient.CheckRedirect)

		start = time.Now()
		require.Error(t, calls[clerk.OperationCreate](t.Context(), client, once, clerk.WithAttemptTimeout(time.Second)))
		require.Equal(t, time.Second, time.Since(start), "the attempt timeout, being shorter")
	})
}

func TestLoggerRecordsEveryAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var records []map[string]string
		logger := slog.New(recordHandler(func(r slog.Record) {
			attrs := map[string]string{"level": r.Level.String()}
			r.Attrs(func(a slog.Attr) bool { attrs[a.Key] = a.Value.String(); return true })
			records = append(records, attrs)
		}))
		client := newClient(t, answering(
			reply(429, `{}`, "Retry-After", "7"),
			reply(200, revokedJSON, "X-Clerk-Trace-Id", "abc"),
			reply(401, `{"errors":[{"code":"clerk_key_invalid"}],"clerk_trace_id":"def"}`),
			reply(400, `{"errors":[{"code":"invitation_already_revoked"}]}`),
			func(*http.Request) (*http.Response, error) { return nil, errors.New("broken for " + address) },
		), clerk.WithLogger(logger), clerk.WithRandom(func() float64 { return 0 }))
		require.NoError(t, calls[clerk.OperationRevoke](t.Context(), client))
		for range 3 {
			require.Error(t, calls[clerk.OperationRevoke](t.Context(), client, once))
		}

		const route = "POST /invitations/{invitation_id}/revoke"
		require.Equal(t, []map[string]string{
			{"level": "WARN", "operation": "RevokeInvitation", "route": route, "call": "1", "attempt": "1", "status": "429", "duration": "0s", "wait": "7s"},
			{"level": "DEBUG", "operation": "RevokeInvitation", "route": route, "call": "1", "attempt": "2", "status": "200", "duration": "0s", "trace_id": "abc"},
			{"level": "WARN", "operation": "RevokeInvitation", "route": route, "call": "2", "attempt": "1", "status": "401", "duration": "0s", "trace_id": "def"},
			{"level": "DEBUG", "operation": "RevokeInvitation", "route": route, "call": "3", "attempt": "1", "status": "400", "duration": "0s"},
			{"level": "WARN", "operation": "RevokeInvitation", "route": route, "call": "4", "attempt": "1", "duration": "0s", "error": "broken for [redacted]"},
		}, records)
	})
}

func TestNilLoggerLogsNothing(t *testing.T) {
	client := newClient(t, answering(reply(200, pendingJSON)), clerk.WithLogger(nil))
	require.NoError(t, calls[clerk.OperationCreate](t.Context(), client))
}

// TestTypedNilLoggerLogsNothing: go-retryablehttp panics on a typed nil.
func TestTypedNilLoggerLogsNothing(t *testing.T) {
	var none *slog.Logger
	synctest.Test(t, func(t *testing.T) {
		client := newClient(t, answering(reply(429, ``), reply(200, pendingJSON)), clerk.WithLogger(none))
		require.NoError(t, calls[clerk.OperationCreate](t.Context(), client))
	})
}

// TestCallsPrintNothing makes calls in its own process: by default go-retryablehttp logs each
// request, with its query, to standard error.
func TestCallsPrintNothing(t *testing.T) {
	if os.Getenv("CLERK_TEST_PRINTS") != "" {
		synctest.Test(t, func(t *testing.T) {
			for op, call := range calls {
				_ = call(t.Context(), newClient(t, answering(reply(429, ``), failing(errReset), reply(200, success[op]))))
			}
		})
		return
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestCallsPrintNothing$")
	cmd.Env = append(os.Environ(), "CLERK_TEST_PRINTS=1")
	printed, err := cmd.CombinedOutput()
	require.NoError(t, err)
	require.Regexp(t, `^PASS\n(coverage: .*\n)?$`, string(printed)) // the testing package's own lines
}

type recordHandler func(slog.Record)

func (recordHandler) Enabled(context.Context, slog.Level) bool        { return true }
func (h recordHandler) Handle(_ context.Context, r slog.Record) error { h(r); return nil }
func (h recordHandler) WithAttrs([]slog.Attr) slog.Handler            { return h }
func (h recordHandler) WithGroup(string) slog.Handler                 { return h }

// The key function returns what cannot be a key.
func TestNonsenseKeyIsNoInvalidRequest(t *testing.T) {
	for _, key := range []string{"", "pk_test_dummy", "nonsense", "sk_test_\n", "sk_test_dummy extra"} {
		for op, call := range calls {
			synctest.Test(t, func(t *testing.T) {
				client, err := clerk.NewClient("", clerk.WithHTTPClient(&http.Client{Transport: answering(reply(200, success[op]))}),
					clerk.WithSecretKeyFunc(func(context.Context) (string, error) { return key, nil }))
				require.NoError(t, err)
				err = call(t.Context(), client)
				require.ErrorIs(t, err, clerk.ErrNotSent)
				require.NotErrorIs(t, err, clerk.ErrInvalidRequest)
				require.NotErrorIs(t, err, clerk.ErrOutcomeUnknown)
				var input *clerk.InputError
				require.NotErrorAs(t, err, &input)
				require.NotContains(t, err.Error(), "nonsense")
			})
		}
	}
}

func TestOptionsAreTypedByWhereTheyAreValid(t *testing.T) {
	isClients := func(option any) bool { _, ok := option.(clerk.Option); return ok }
	isCalls := func(option any) bool { _, ok := option.(clerk.CallOption); return ok }
	isAlls := func(option any) bool { _, ok := option.(clerk.AllOption); return ok }
	isCreateAlls := func(option any) bool { _, ok := option.(clerk.CreateAllOption); return ok }
	for name, test := range map[string]struct {
		option any
		valid  [4]bool // for a client, a call, All, CreateAll
	}{
		"WithRetry":        {clerk.WithRetry(clerk.RetryConfig{}), [4]bool{true, true, true, true}},
		"WithHTTPClient":   {clerk.WithHTTPClient(nil), [4]bool{true, false, false, false}},
		"WithResponse":     {clerk.WithResponse(nil), [4]bool{false, true, true, false}},
		"WithPrefetch":     {clerk.WithPrefetch(1), [4]bool{false, false, true, false}},
		"WithBudget":       {clerk.WithBudget(clerk.Budget{}), [4]bool{false, false, false, true}},
		"WithProgress":     {clerk.WithProgress(nil), [4]bool{false, false, false, true}},
		"WithSkipNone":     {clerk.WithSkipNone(), [4]bool{false, false, false, true}},
		"WithSkipSince":    {clerk.WithSkipSince(time.Time{}), [4]bool{false, false, false, true}},
		"WithSourceError":  {clerk.WithSourceError(nil), [4]bool{false, false, false, true}},
		"WithPlaintext":    {clerk.WithInsecurePlaintextHTTP(), [4]bool{true, false, false, false}},
		"WithAttemptLimit": {clerk.WithAttemptTimeout(1), [4]bool{true, true, true, true}},
	} {
		valid := [4]bool{isClients(test.option), isCalls(test.option), isAlls(test.option), isCreateAlls(test.option)}
		require.Equal(t, test.valid, valid, name)
	}
}

func TestPlaintextHTTPNeedsAnOption(t *testing.T) {
	base := clerk.WithBaseURL("http://fakeclerk:8080/v1")
	_, err := clerk.NewClient(testKey, base)
	require.ErrorContains(t, err, "WithBaseURL is neither https nor http to a loopback address")
	for _, opts := range [][]clerk.Option{{base, clerk.WithInsecurePlaintextHTTP()}, {clerk.WithInsecurePlaintextHTTP(), base}} {
		_, err = clerk.NewClient(testKey, opts...)
		require.NoError(t, err)
	}
}
