package benchmarks_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"

	sdk "github.com/clerk/clerk-sdk-go/v2"
	"github.com/clerk/clerk-sdk-go/v2/invitation"
	"github.com/hashicorp/go-retryablehttp"

	"github.com/clerk-invitations/clerk-go"
)

const (
	secretKey = "sk_test_dummy"
	one       = `{"object":"invitation","id":"inv_2x1234567890123456789012345","email_address":"ada@example.com",` +
		`"public_metadata":{"role":"admin","seat":7},"status":"pending",` +
		`"url":"https://clerk.example.com/v1/tickets/accept?ticket=dummy_ticket_dummy_ticket_dummy_ticket",` +
		`"expires_at":1793835590599,"created_at":1791243590601,"updated_at":1791243590601}`
)

func array(n int) string { return "[" + strings.Repeat(one+",", n-1) + one + "]" }

func page(n int) string { return `{"data":` + array(n) + `,"total_count":` + strconv.Itoa(n) + `}` }

// A peer is a client for Clerk's Invitations API.
type peer interface {
	create(ctx context.Context) error
	bulkCreate(ctx context.Context) error
	list(ctx context.Context, limit int) error
}

// peers creates each client, for a base URL without "/v1" and a transport.
var peers = map[string]func(baseURL string, transport http.RoundTripper) peer{
	"clerk-go": func(baseURL string, transport http.RoundTripper) peer {
		client, err := clerk.NewClient(secretKey, clerk.WithBaseURL(baseURL+"/v1"), clerk.WithHTTPClient(&http.Client{Transport: transport}))
		if err != nil {
			panic(err)
		}
		return ours{client}
	},
	"clerk-sdk-go": func(baseURL string, transport http.RoundTripper) peer {
		return official{invitation.NewClient(&sdk.ClientConfig{BackendConfig: sdk.BackendConfig{
			URL: new(baseURL + "/v1"), Key: new(secretKey), HTTPClient: &http.Client{Transport: transport},
		}})}
	},
	"net-http": func(baseURL string, transport http.RoundTripper) peer {
		return bare{baseURL, (&http.Client{Transport: transport}).Do}
	},
	"retryablehttp": func(baseURL string, transport http.RoundTripper) peer {
		client := retryablehttp.NewClient()
		client.HTTPClient, client.Logger = &http.Client{Transport: transport}, nil
		return bare{baseURL, func(req *http.Request) (*http.Response, error) {
			retryable, err := retryablehttp.FromRequest(req)
			if err != nil {
				return nil, err
			}
			return client.Do(retryable)
		}}
	},
}

// The metadata is created once, as in an application that gives every user the same.
var (
	metadata    = map[string]any{"role": "admin", "seat": 7}
	rawMetadata = json.RawMessage(`{"role":"admin"}`)
)

type ours struct{ client *clerk.Client }

func (c ours) create(ctx context.Context) error {
	_, err := c.client.Invitations.Create(ctx, clerk.CreateInvitationRequest{
		EmailAddress: "ada@example.com", PublicMetadata: metadata, RedirectURL: "https://app.example.com",
	})
	return err
}

func (c ours) bulkCreate(ctx context.Context) error {
	reqs := make([]clerk.CreateInvitationRequest, 10)
	for i := range reqs {
		reqs[i] = clerk.CreateInvitationRequest{EmailAddress: "ada@example.com", PublicMetadata: metadata}
	}
	_, err := c.client.Invitations.BulkCreate(ctx, reqs)
	return err
}

func (c ours) list(ctx context.Context, limit int) error {
	list, err := c.client.Invitations.List(ctx, clerk.ListInvitationsRequest{Limit: limit})
	return check(err, func() int { return len(list.Data) }, limit)
}

// check returns an error if a list does not have the expected length.
func check(err error, length func() int, want int) error {
	if err == nil && length() != want {
		err = fmt.Errorf("%d invitations, not %d", length(), want)
	}
	return err
}

type official struct{ client *invitation.Client }

func (c official) create(ctx context.Context) error {
	_, err := c.client.Create(ctx, &invitation.CreateParams{
		EmailAddress: "ada@example.com", PublicMetadata: &rawMetadata, RedirectURL: new("https://app.example.com"),
	})
	return err
}

func (c official) bulkCreate(ctx context.Context) error {
	params := &invitation.BulkCreateParams{}
	for range 10 {
		params.Invitations = append(params.Invitations, &invitation.CreateParams{
			EmailAddress: "ada@example.com", PublicMetadata: &rawMetadata,
		})
	}
	_, err := c.client.BulkCreate(ctx, params)
	return err
}

func (c official) list(ctx context.Context, limit int) error {
	list, err := c.client.List(ctx, &invitation.ListParams{ListParams: sdk.ListParams{Limit: new(int64(limit))}})
	return check(err, func() int { return len(list.Invitations) }, limit)
}

// bare is a client as one would write it without a library: it creates and sends requests,
// reads and decodes answers, and checks only the status.
type bare struct {
	baseURL string
	do      func(*http.Request) (*http.Response, error)
}

func (c bare) call(ctx context.Context, method, path string, body, into any) error {
	var content io.Reader
	if body != nil {
		encoded, err := json.Marshal(body)
		if err != nil {
			return err
		}
		content = bytes.NewReader(encoded)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.baseURL+"/v1"+path, content)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+secretKey)
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	read, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", resp.StatusCode)
	}
	return json.Unmarshal(read, into)
}

func (c bare) create(ctx context.Context) error {
	return c.call(ctx, http.MethodPost, "/invitations", clerk.CreateInvitationRequest{
		EmailAddress: "ada@example.com", PublicMetadata: metadata, RedirectURL: "https://app.example.com",
	}, &clerk.Invitation{})
}

func (c bare) bulkCreate(ctx context.Context) error {
	reqs := make([]clerk.CreateInvitationRequest, 10)
	for i := range reqs {
		reqs[i] = clerk.CreateInvitationRequest{EmailAddress: "ada@example.com", PublicMetadata: metadata}
	}
	return c.call(ctx, http.MethodPost, "/invitations/bulk", reqs, &[]clerk.Invitation{})
}

func (c bare) list(ctx context.Context, limit int) error {
	var list clerk.InvitationList
	err := c.call(ctx, http.MethodGet, "/invitations?paginated=true&limit="+strconv.Itoa(limit), nil, &list)
	return check(err, func() int { return len(list.Data) }, limit)
}

// answer returns the body that each request gets.
func answer(req *http.Request) []byte {
	switch {
	case req.Method == http.MethodPost && strings.HasSuffix(req.URL.Path, "/bulk"):
		return bulkAnswer
	case req.Method == http.MethodPost:
		return createAnswer
	case req.URL.Query().Get("limit") == "500":
		return longAnswer
	}
	return shortAnswer
}

var (
	createAnswer = []byte(one)
	bulkAnswer   = []byte(array(10))
	shortAnswer  = []byte(page(10))
	longAnswer   = []byte(page(500))
	header       = http.Header{"Content-Type": {"application/json"}}
)

// stub answers at the least cost.
type stub struct{}

func (stub) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body != nil {
		if _, err := io.Copy(io.Discard, req.Body); err != nil {
			return nil, err
		}
	}
	body := answer(req)
	return &http.Response{
		StatusCode: http.StatusOK, Header: header, Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)),
	}, nil
}

// calls lists the calls that are measured.
var calls = map[string]func(context.Context, peer) error{
	"Create":       func(ctx context.Context, p peer) error { return p.create(ctx) },
	"BulkCreate10": func(ctx context.Context, p peer) error { return p.bulkCreate(ctx) },
	"List10":       func(ctx context.Context, p peer) error { return p.list(ctx, 10) },
	"List500":      func(ctx context.Context, p peer) error { return p.list(ctx, 500) },
}

// The order of the peers, and of the calls.
var (
	peerOrder = []string{"clerk-sdk-go", "clerk-go", "net-http", "retryablehttp"}
	callOrder = []string{"Create", "BulkCreate10", "List10", "List500"}
)

// BenchmarkStub uses no network, so it measures only the client's own work.
func BenchmarkStub(b *testing.B) {
	for _, call := range callOrder {
		for _, name := range peerOrder {
			b.Run("call="+call+"/client="+name, func(b *testing.B) {
				p := peers[name]("https://api.clerk.com", stub{})
				b.ReportAllocs()
				for b.Loop() {
					if err := calls[call](b.Context(), p); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkLoopback uses a server on the same machine.
func BenchmarkLoopback(b *testing.B) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		_, _ = io.Copy(io.Discard, req.Body) // if a request breaks off, the client has failed
		w.Header().Set("Content-Type", "application/json")
		body := answer(req)
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		_, _ = w.Write(body)
	}))
	defer server.Close()
	for _, call := range callOrder {
		for _, name := range peerOrder {
			b.Run("call="+call+"/client="+name, func(b *testing.B) {
				transport := &http.Transport{MaxIdleConnsPerHost: 100}
				defer transport.CloseIdleConnections()
				p := peers[name](server.URL, transport)
				b.ReportAllocs()
				for b.Loop() {
					if err := calls[call](b.Context(), p); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkHot makes creates with one client from 1 and from 64 goroutines.
func BenchmarkHot(b *testing.B) {
	for _, goroutines := range []int{1, 64} {
		for _, name := range peerOrder {
			b.Run(fmt.Sprintf("goroutines=%d/client=%s", goroutines, name), func(b *testing.B) {
				p := peers[name]("https://api.clerk.com", stub{})
				b.ReportAllocs()
				var group sync.WaitGroup
				b.ResetTimer()
				for g := range goroutines {
					group.Go(func() {
						for range b.N/goroutines + min(1, max(0, b.N%goroutines-g)) {
							if err := p.create(b.Context()); err != nil {
								b.Error(err)
								return
							}
						}
					})
				}
				group.Wait()
			})
		}
	}
}

// TestPeers makes every call with every client, as a failing call must not be measured.
func TestPeers(t *testing.T) {
	for name, connect := range peers {
		for call, do := range calls {
			if err := do(t.Context(), connect("https://api.clerk.com", stub{})); err != nil {
				t.Errorf("%s by %s: %v", call, name, err)
			}
		}
	}
}
