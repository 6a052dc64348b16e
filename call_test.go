package clerk_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
)

// TestUnexpectedResponses sends each operation responses that it does not expect, over a
// real connection. Each error describes the response, and writes report an unknown outcome unless
// the status is a refusal.
func TestUnexpectedResponses(t *testing.T) {
	invitation, list := pendingJSON, `{"data":[`+pendingJSON+`],"total_count":1}`
	every := []clerk.Operation{clerk.OperationCreate, clerk.OperationList, clerk.OperationBulkCreate, clerk.OperationRevoke, clerk.OperationDelete}
	for name, test := range map[string]struct {
		status      int
		contentType string
		body        string
		ops         []clerk.Operation
		text        string
	}{
		"HTML with 502":                {502, "text/html; charset=UTF-8", "<html>bad</html>", every, "502 Bad Gateway (no Clerk error, but text/html, 16 bytes)"},
		"HTML with 200":                {200, "text/html", "<html>", every, "200 unusable response (text/html, 6 bytes): the response is not JSON"},
		"HTML said to be JSON":         {200, "application/json", "<html>", every, "200 unusable response (application/json, 6 bytes): the response is not a"},
		"text":                         {200, "text/plain", "ok", every, "200 unusable response (text/plain, 2 bytes): the response is not JSON"},
		"null of another type":         {200, "text/plain", "null", every, "unusable response (text/plain, 4 bytes): the response is not a"},
		"nothing with 200":             {200, "application/json", "", every, "200 unusable response (an empty body): the response is not a"},
		"nothing with 204":             {204, "", "", every, "204 unusable response (an empty body): the response is not a"},
		"null":                         {200, "application/json", "null", every, "unusable response (application/json, 4 bytes): the response is not a"},
		"a number":                     {200, "application/json", "5", every, "the response is not a"},
		"an empty object":              {200, "application/json", "{}", every, "the response is not a"},
		"an object of nulls":           {200, "application/json", `{"id":null,"data":null}`, every, "the response is not a"},
		"truncated JSON":               {200, "application/json", invitation[:60], every, "the response is not a"},
		"two values":                   {200, "application/json", list + list, every, "the response is not a"},
		"fields of other types":        {200, "application/json", `{"id":{},"data":5}`, every, "the response is not a"},
		"deep nesting":                 {200, "application/json", strings.Repeat("[", 100_000), every, "the response is not a"},
		"a list of null":               {200, "application/json", `[null]`, []clerk.Operation{clerk.OperationList, clerk.OperationBulkCreate}, "element 0: it has no id"},
		"a total of what is not there": {200, "application/json", `{"total_count":5}`, []clerk.Operation{clerk.OperationList}, "it has no data"},
		"data of null":                 {200, "application/json", `{"data":[null]}`, []clerk.Operation{clerk.OperationList}, "element 0: it has no id"},
		"an object for a list":         {200, "application/json", invitation, []clerk.Operation{clerk.OperationList, clerk.OperationBulkCreate}, "the response is not a list of invitations"},
		"a list for an object":         {200, "application/json", "[" + invitation + "]", []clerk.Operation{clerk.OperationCreate, clerk.OperationRevoke}, "the response is not an invitation"},
		"a page for an array":          {200, "application/json", list, []clerk.Operation{clerk.OperationBulkCreate}, "the response is not a list of invitations"},
		"too few of a bulk":            {200, "application/json", `[]`, []clerk.Operation{clerk.OperationBulkCreate}, "the response is about something else: 0 invitations for 1 requests"},
		"too many of a bulk":           {200, "application/json", "[" + invitation + "," + invitation + "]", []clerk.Operation{clerk.OperationBulkCreate}, "the response is about something else: 2 invitations for 1 requests"},
		"another success":              {206, "application/json", "{", every, "206 unusable response"},
		"not modified":                 {304, "", "", every, "304 redirect refused"},
		"a refusal in HTML":            {400, "text/html", "<html>", every, "400 Bad Request (no Clerk error, but text/html, 6 bytes)"},
	} {
		for _, op := range test.ops {
			t.Run(name+"/"+string(op), func(t *testing.T) {
				client := serve(t, func(w http.ResponseWriter, _ *http.Request) {
					w.Header().Set("Content-Type", test.contentType)
					w.WriteHeader(test.status)
					_, _ = io.WriteString(w, test.body) // refused for 204 and 304
				})
				err := calls[op](t.Context(), client)
				text := test.text
				if op == clerk.OperationDelete {
					text = strings.Replace(text, "the response is not a", "the response is about something else: it does not confirm a deletion", 1)
				}
				require.ErrorContains(t, err, text)
				sdk := asSDKError(t, err)
				require.Equal(t, test.status, sdk.StatusCode)
				require.Equal(t, test.body[:min(len(test.body), 64<<10)], string(sdk.Body))
				if op == clerk.OperationList || test.status == 400 {
					require.NotErrorIs(t, err, clerk.ErrOutcomeUnknown)
				} else {
					require.ErrorIs(t, err, clerk.ErrOutcomeUnknown)
				}
			})
		}
	}
}

func TestAcceptedResponses(t *testing.T) {
	for name, test := range map[string]struct {
		status      int
		contentType []string
	}{
		"as from Clerk":             {200, []string{"application/json"}},
		"with a character set":      {200, []string{"application/json; charset=utf-8"}},
		"another kind of JSON":      {200, []string{"application/vnd.api+json"}},
		"of no type":                {200, nil},
		"of another type":           {200, []string{"text/plain; charset=utf-8"}}, // as Go's own server sends it
		"of a malformed type":       {200, []string{";"}},
		"a success of another sort": {201, []string{"application/json"}},
	} {
		for op, call := range calls {
			t.Run(name+"/"+string(op), func(t *testing.T) {
				client := serve(t, func(w http.ResponseWriter, _ *http.Request) {
					w.Header()["Content-Type"] = test.contentType
					w.WriteHeader(test.status)
					_, _ = io.WriteString(w, success[op])
				})
				require.NoError(t, call(t.Context(), client))
			})
		}
	}
}

// TestMalformedStatusLineIsAmbiguous: net/http's error quotes what the server sent, which
// must not be mistaken for HTTP/2's word that the request was not processed.
func TestMalformedStatusLineIsAmbiguous(t *testing.T) {
	retry := clerk.RetryConfig{Backoff: clerk.BackoffStrategy{InitialInterval: time.Millisecond, MaxElapsedTime: 300 * time.Millisecond}}
	for op, call := range calls {
		if op == clerk.OperationList {
			continue
		}
		t.Run(string(op), func(t *testing.T) {
			t.Parallel()
			var requests atomic.Int32
			client := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodGet { // a lookup
					w.WriteHeader(http.StatusForbidden)
					return
				}
				requests.Add(1)
				conn, _, err := w.(http.Hijacker).Hijack()
				if err != nil {
					t.Error(err)
					return
				}
				_, _ = io.WriteString(conn, "HTTP/1.1 502 Bad Gateway\r\nupstream error; REFUSED_STREAM; gave up\r\n\r\n")
				_ = conn.Close()
			}, clerk.WithRetry(retry))
			require.ErrorIs(t, call(t.Context(), client), clerk.ErrOutcomeUnknown)
			require.EqualValues(t, 1, requests.Load())
		})
	}
}

func TestInvalidStatusIsAmbiguous(t *testing.T) {
	for op, call := range calls {
		client := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := w.(http.Hijacker).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			_, _ = io.WriteString(conn, "HTTP/1.1 000 X\r\nContent-Length: 2\r\n\r\n{}")
			_ = conn.Close()
		})
		err := call(t.Context(), client)
		require.ErrorContains(t, err, "no response: the response has no valid status")
		require.Equal(t, op != clerk.OperationList, isUnknown(err))
	}
}

// TestLargeInvalidArraysAreRejectedEarly: a decoded element takes far more memory than its
// JSON, so decoding must stop at the first invalid one, or after too many.
func TestLargeInvalidArraysAreRejectedEarly(t *testing.T) {
	t.Parallel()
	for element, text := range map[string]string{
		`0`:          "element 0",
		`{}`:         "element 0: it has no id",
		`{"id":"x"}`: "it has more than 100000",
	} {
		for _, format := range []string{`[%s]`, `{"total_count":1,"data":[%s]}`} {
			body := fmt.Sprintf(format, strings.Repeat(element+",", 200_000)+element)
			err := calls[clerk.OperationList](t.Context(), newClient(t, answering(reply(200, body))))
			require.ErrorContains(t, err, text)
		}
		err := calls[clerk.OperationBulkCreate](t.Context(), newClient(t, answering(reply(200, "["+strings.Repeat(element+",", 200_000)+element+"]"))), once)
		require.ErrorIs(t, err, clerk.ErrOutcomeUnknown)
		require.ErrorContains(t, err, text)
	}
}

// TestSwitchingProtocolsDoesNotHang: net/http returns the connection as the body, and no
// context ends a read from it.
func TestSwitchingProtocolsDoesNotHang(t *testing.T) {
	for op, call := range calls {
		t.Run(string(op), func(t *testing.T) {
			release := make(chan struct{})
			defer close(release)
			client := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				conn, _, err := w.(http.Hijacker).Hijack()
				if err != nil {
					t.Error(err)
					return
				}
				_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
				<-release
				_ = conn.Close()
			})
			done := make(chan error, 1)
			go func() { done <- call(t.Context(), client) }()
			select {
			case err := <-done:
				require.ErrorContains(t, err, "101 Switching Protocols (no Clerk error, but an empty body)")
				require.Equal(t, op != clerk.OperationList, isUnknown(err))
			case <-time.After(5 * time.Second):
				t.Fatal("the call hangs")
			}
		})
	}
}

func TestRedirectsAreRefused(t *testing.T) {
	var elsewhere atomic.Int32
	target := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) }))
	defer target.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		for _, location := range []string{target.URL + "/v1/invitations?query=ada@example.com", "/other", "http://[::1/?query=ada@example.com"} {
			for op, call := range calls {
				var here atomic.Int32
				client := serve(t, func(w http.ResponseWriter, _ *http.Request) {
					here.Add(1)
					w.Header().Set("Location", location)
					w.WriteHeader(status)
				})
				if op == clerk.OperationList { // after a write, the library would look it up
					client, _ = client.With(clerk.WithRetry(clerk.RetryConfig{}))
				}
				err := call(t.Context(), client)
				require.EqualValues(t, 1, here.Load(), op)
				sdk := asSDKError(t, err)
				require.Equal(t, status, sdk.StatusCode)
				host := ""
				if strings.HasPrefix(location, target.URL) {
					host = " to " + strings.TrimPrefix(target.URL, "http://")
				}
				require.ErrorContains(t, err, "redirect"+host+" refused: requests go to the base URL only")
			}
		}
	}
	require.Zero(t, elsewhere.Load())
}

func TestResponseLargerThanTheLimitIsRejected(t *testing.T) {
	const limit = 1000
	bodies := map[string]func(http.ResponseWriter, int){
		"with its length": func(w http.ResponseWriter, n int) {
			w.Header().Set("Content-Length", fmt.Sprint(n))
			_, _ = w.Write(padded(n))
		},
		"in chunks": func(w http.ResponseWriter, n int) {
			for _, b := range padded(n) {
				_, _ = w.Write([]byte{b})
			}
			w.(http.Flusher).Flush()
		},
		"compressed": func(w http.ResponseWriter, n int) {
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			_, _ = z.Write(padded(n))
			_ = z.Close()
		},
	}
	for name, write := range bodies {
		for op, call := range calls {
			t.Run(name+"/"+string(op), func(t *testing.T) {
				n := limit
				client := serve(t, func(w http.ResponseWriter, _ *http.Request) { write(w, n) }, clerk.WithMaxResponseBytes(limit))
				err := call(t.Context(), client)
				require.NotContains(t, err.Error(), "larger", "exactly the limit is allowed")
				n++
				err = call(t.Context(), client)
				require.ErrorContains(t, err, "the response is larger than WithMaxResponseBytes allows: ")
				require.Equal(t, op != clerk.OperationList, isUnknown(err))
			})
		}
	}
}

func padded(n int) []byte { return bytes.Repeat([]byte(" "), n) }

func TestResponseLargerThanTheLimitIsNotRetried(t *testing.T) {
	mock := answering(reply(200, success[clerk.OperationList]))
	err := calls[clerk.OperationList](t.Context(), newClient(t, mock, clerk.WithMaxResponseBytes(10)))
	require.ErrorContains(t, err, "larger than WithMaxResponseBytes allows: 10 bytes")
	require.Equal(t, 1, mock.GetTotalCallCount())
}

// TestEndlessResponseIsReadUpToTheLimit counts how much of a response is read by default.
func TestEndlessResponseIsReadUpToTheLimit(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]int64{200: 32<<20 + 1, 400: 64<<10 + 1} {
		endless := &endlessBody{}
		transport := roundTripFunc(func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: status, ContentLength: 1 << 40, Body: endless}, nil
		})
		err := calls[clerk.OperationCreate](t.Context(), newClient(t, transport), once)
		asSDKError(t, err)
		require.Equal(t, want, endless.read)
		require.Equal(t, status == 200, strings.Contains(err.Error(), "the response is larger than WithMaxResponseBytes allows: "))
	}
}

// An endlessBody never ends, and counts what is read from it.
type endlessBody struct{ read int64 }

func (b *endlessBody) Read(p []byte) (int, error) {
	b.read += int64(len(p))
	return len(p), nil
}

func (b *endlessBody) Close() error { return nil }

func TestTruncatedResponseIsAmbiguous(t *testing.T) {
	handlers := map[string]http.HandlerFunc{
		"of a known length": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			_, _ = io.WriteString(w, pendingJSON[:50])
		},
		"in chunks": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, pendingJSON[:50])
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		},
		"before the header": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	}
	for name, handler := range handlers {
		for op, call := range calls {
			t.Run(name+"/"+string(op), func(t *testing.T) {
				err := call(t.Context(), serve(t, handler))
				require.Error(t, err)
				require.Equal(t, op != clerk.OperationList, isUnknown(err))
				asSDKError(t, err)
			})
		}
	}
}

func TestBaseURLWithoutVersionGetsAHint(t *testing.T) {
	const hint = "; the base URL has no /v1, as Clerk's has"
	for baseURL, want := range map[string]bool{
		"https://api.clerk.com": true, "https://api.clerk.com/v2": true, "https://proxy.example.com/v1x": true,
		"https://api.clerk.com/v1": false, "https://proxy.example.com/clerk/v1/": false,
	} {
		for op, call := range calls {
			err := call(t.Context(), newClient(t, answering(reply(404, `page not found`)), clerk.WithBaseURL(baseURL)))
			require.Equal(t, want, strings.Contains(err.Error(), hint), "%s: %v", op, err)
			err = call(t.Context(), newClient(t, answering(reply(404, envelope("resource_not_found", "m", "", "null"))), clerk.WithBaseURL(baseURL)))
			require.NotContains(t, err.Error(), hint)
		}
	}
}

func TestTraceIDComesFromCfRayIfClerkSendsNone(t *testing.T) {
	for want, responder := range map[string]httpmock.Responder{
		"of_clerk":      reply(400, duplicateJSON, "X-Clerk-Trace-Id", "of_clerk", "Cf-Ray", "of_edge"),
		"trace_in_body": reply(400, duplicateJSON, "Cf-Ray", "of_edge"),
		"of_edge":       reply(403, `<html>`, "Cf-Ray", "of_edge"),
		"of_success":    reply(200, pendingJSON, "Cf-Ray", "of_success"),
	} {
		var meta clerk.ResponseMeta
		_ = calls[clerk.OperationCreate](t.Context(), newClient(t, answering(responder)), clerk.WithResponse(&meta), once)
		require.Equal(t, want, meta.TraceID)
	}
}
