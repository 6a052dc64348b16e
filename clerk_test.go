package clerk_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
)

func TestNewClientRejectsInvalidKeysAndOptions(t *testing.T) {
	for name, test := range map[string]struct {
		key   string
		opts  []clerk.Option
		field string
	}{
		"no key":                 {"", nil, "secret key is empty"},
		"a publishable key":      {"pk_test_dummy", nil, "secret key is a publishable key"},
		"a key after a space":    {" sk_test_dummy", nil, "secret key contains white space"},
		"a key before a newline": {"sk_test_dummy\n", nil, "secret key contains white space"},
		"a key with a tab":       {"sk_test\tdummy", nil, "secret key contains white space"},
		"a key of other letters": {"sk_test_dümmy", nil, "secret key contains white space or another"},
		"another secret":         {"whsec_dummy", nil, "secret key does not begin with sk_"},
		"a base URL of words":    {testKey, []clerk.Option{clerk.WithBaseURL("not a url\x7f")}, "WithBaseURL is not a URL"},
		"a relative base URL":    {testKey, []clerk.Option{clerk.WithBaseURL("/v1")}, "WithBaseURL has no host"},
		"http elsewhere":         {testKey, []clerk.Option{clerk.WithBaseURL("http://api.example.com/v1")}, "WithBaseURL is neither"},
		"http to a local name":   {testKey, []clerk.Option{clerk.WithBaseURL("http://localhost.example.com")}, "WithBaseURL is neither"},
		"another scheme":         {testKey, []clerk.Option{clerk.WithBaseURL("ftp://127.0.0.1")}, "WithBaseURL is neither"},
		"credentials in the URL": {testKey, []clerk.Option{clerk.WithBaseURL("https://me:secret@example.com")}, "WithBaseURL contains credentials"},
		"a query in the URL":     {testKey, []clerk.Option{clerk.WithBaseURL("https://example.com/v1?a=secret")}, "WithBaseURL has a query"},
		"an empty query":         {testKey, []clerk.Option{clerk.WithBaseURL("https://example.com/v1?")}, "WithBaseURL has a query"},
		"a fragment in the URL":  {testKey, []clerk.Option{clerk.WithBaseURL("https://example.com/v1#secret")}, "WithBaseURL has a query or a fragment"},
		"no option":              {testKey, []clerk.Option{nil}, "option is nil"},
		"no HTTP client":         {testKey, []clerk.Option{clerk.WithHTTPClient(nil)}, "WithHTTPClient is nil"},
		"no key function":        {"", []clerk.Option{clerk.WithSecretKeyFunc(nil)}, "WithSecretKeyFunc is nil"},
		"no app name":            {testKey, []clerk.Option{clerk.WithAppName("")}, "WithAppName is empty"},
		"an app name of lines":   {testKey, []clerk.Option{clerk.WithAppName("a\r\nb")}, "WithAppName is empty or has"},
		"no response bytes":      {testKey, []clerk.Option{clerk.WithMaxResponseBytes(0)}, "WithMaxResponseBytes is not positive"},
		"no time to attempt":     {testKey, []clerk.Option{clerk.WithAttemptTimeout(0)}, "WithAttemptTimeout is not positive"},
		"a strange strategy":     {testKey, []clerk.Option{clerk.WithRetry(clerk.RetryConfig{Strategy: "eager"})}, "WithRetry has an unknown strategy"},
		"a negative interval": {testKey, []clerk.Option{clerk.WithRetry(clerk.RetryConfig{
			Backoff: clerk.BackoffStrategy{InitialInterval: -1},
		})}, "WithRetry has a negative duration"},
		"a shrinking interval": {testKey, []clerk.Option{clerk.WithRetry(clerk.RetryConfig{
			Backoff: clerk.BackoffStrategy{Exponent: 0.5},
		})}, "WithRetry has an exponent that is not a number of at least 1"},
		"a header of no name":    {testKey, []clerk.Option{clerk.WithHeader("", "x")}, "WithHeader has an invalid name"},
		"a header of two words":  {testKey, []clerk.Option{clerk.WithHeader("X Y", "x")}, "WithHeader has an invalid name"},
		"a header of two lines":  {testKey, []clerk.Option{clerk.WithHeader("X-Y", "x\r\nX-Z: y")}, "WithHeader X-Y has a control character"},
		"another authorization":  {testKey, []clerk.Option{clerk.WithHeader("authorization", "x")}, "WithHeader Authorization is reserved"},
		"a header for upgrading": {testKey, []clerk.Option{clerk.WithHeader("Upgrade", "x")}, "WithHeader Upgrade is reserved"},
		"an idempotency key":     {testKey, []clerk.Option{clerk.WithHeader("idempotency-key", "x")}, "WithHeader Idempotency-Key is reserved"},
	} {
		t.Run(name, func(t *testing.T) {
			client, err := clerk.NewClient(test.key, test.opts...)
			require.Nil(t, client)
			require.ErrorIs(t, err, clerk.ErrInvalidRequest)
			require.ErrorContains(t, err, "clerk: "+test.field)
			require.NotContains(t, err.Error(), "dummy")
			require.NotContains(t, err.Error(), "secret@")
			require.NotContains(t, err.Error(), "=secret")
			asSDKError(t, err)
		})
	}
}

func TestWithDoesNotChangeTheClient(t *testing.T) {
	rec := &recorder{next: answering(reply(200, pendingJSON))}
	client := newClient(t, rec, clerk.WithHeader("X-Team", "one"))
	derived, err := client.With(clerk.WithHeader("X-Team", "two"), clerk.WithBaseURL("https://proxy.example.com"))
	require.NoError(t, err)

	require.NoError(t, calls[clerk.OperationCreate](t.Context(), derived, clerk.WithHeader("X-Team", "three")))
	require.Equal(t, "three", rec.last.Header.Get("X-Team"))
	require.NoError(t, calls[clerk.OperationCreate](t.Context(), derived))
	require.Equal(t, "two", rec.last.Header.Get("X-Team"))
	require.Equal(t, "proxy.example.com", rec.last.URL.Host)
	require.NoError(t, calls[clerk.OperationCreate](t.Context(), client))
	require.Equal(t, "one", rec.last.Header.Get("X-Team"))
	require.Equal(t, "api.clerk.com", rec.last.URL.Host)
	require.NoError(t, calls[clerk.OperationCreate](t.Context(), client, clerk.WithBaseURL("https://once.example.com")))
	require.Equal(t, "once.example.com", rec.last.URL.Host)
	require.NoError(t, calls[clerk.OperationCreate](t.Context(), client))
	require.Equal(t, "api.clerk.com", rec.last.URL.Host)

	_, err = client.With(clerk.WithAttemptTimeout(-1))
	require.ErrorIs(t, err, clerk.ErrInvalidRequest)
}

// TestClientCopiesItsOptions changes the values that options were created from.
func TestClientCopiesItsOptions(t *testing.T) {
	retry := clerk.RetryConfig{RetryConnectionErrors: new(false)}
	mock := answering(failing(errDial), reply(200, pendingJSON))
	httpClient := &http.Client{Transport: mock}
	client, err := clerk.NewClient(testKey, clerk.WithHTTPClient(httpClient), clerk.WithRetry(retry))
	require.NoError(t, err)
	*retry.RetryConnectionErrors = true
	httpClient.Transport = answering(reply(400, ``))
	require.ErrorIs(t, calls[clerk.OperationCreate](t.Context(), client), errDial)
	require.NoError(t, calls[clerk.OperationCreate](t.Context(), client))
	require.Equal(t, 2, mock.GetTotalCallCount())
}

func TestClientIsSafeForConcurrentUse(t *testing.T) {
	client := serve(t, func(w http.ResponseWriter, r *http.Request) {
		op := clerk.OperationCreate
		switch {
		case r.Method == http.MethodGet:
			op = clerk.OperationList
		case strings.HasSuffix(r.URL.Path, "/bulk"):
			op = clerk.OperationBulkCreate
		case strings.HasSuffix(r.URL.Path, "/revoke"):
			op = clerk.OperationRevoke
		case r.Method == http.MethodDelete:
			op = clerk.OperationDelete
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, success[op])
	}, clerk.WithHeader("X-Team", "one"))
	done := make(chan error)
	for i := range 32 {
		go func() {
			for _, call := range calls {
				if err := call(context.Background(), client, clerk.WithHeader("X-Turn", fmt.Sprint(i))); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	for range 32 {
		require.NoError(t, <-done)
	}
}

func TestCloseIdleConnectionsClosesThoseOfTheTransport(t *testing.T) {
	transport := &closing{RoundTripper: answering(reply(200, pendingJSON))}
	client := newClient(t, transport)
	client.CloseIdleConnections()
	require.Equal(t, 1, transport.closed)
	require.NoError(t, calls[clerk.OperationCreate](t.Context(), client))

	var conns sync.WaitGroup
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, pendingJSON) }))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			conns.Add(1)
		case http.StateClosed:
			conns.Done()
		default:
		}
	}
	server.Start()
	defer server.Close()
	for range 20 {
		client, err := clerk.NewClient(testKey, clerk.WithBaseURL(server.URL))
		require.NoError(t, err)
		require.NoError(t, calls[clerk.OperationCreate](t.Context(), client))
		client.CloseIdleConnections()
	}
	conns.Wait()
}
