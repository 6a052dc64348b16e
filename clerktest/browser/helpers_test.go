package browser

import (
	"context"
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
	"github.com/clerk-invitations/clerk-go/clerktest/fakeserver"
)

// A site is a served fake, a client of it, and a browser.
type site struct {
	t      *testing.T
	ctx    context.Context
	fake   *clerktest.Fake
	client *clerk.Client
	url    string
	alerts atomic.Int32
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{t: t, fake: clerktest.New(clerktest.WithRandomIDs())}
	server := httptest.NewServer(fakeserver.Handler(s.fake))
	t.Cleanup(server.Close)
	s.url = server.URL
	s.fake.SetLinkBase(s.url)
	client, err := clerk.NewClient(s.fake.SecretKey(), clerk.WithBaseURL(s.url+"/v1"))
	require.NoError(t, err)
	s.client = client
	s.ctx = newBrowser(t)
	require.NoError(t, chromedp.Listen(s.ctx, func(event any) {
		if _, ok := event.(*page.EventJavascriptDialogOpening); ok {
			s.alerts.Add(1)
		}
	}))
	return s
}

// newBrowser starts headless Chromium, with one window of the size of a laptop's screen.
func newBrowser(t *testing.T) context.Context {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox, chromedp.WindowSize(1280, 900),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true))
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	require.NoError(t, chromedp.Do(ctx), "Chromium is needed: apt-get install chromium")
	return ctx
}

// do runs actions in the browser.
func (s *site) do(actions ...chromedp.Action[chromedp.Void]) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.ctx, 20*time.Second)
	defer cancel()
	require.NoError(s.t, chromedp.Do(ctx, actions...))
}

// get runs an action in the browser and returns its value.
func get[T any](s *site, action chromedp.Action[T]) T {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.ctx, 20*time.Second)
	defer cancel()
	value, err := chromedp.Run(ctx, action)
	require.NoError(s.t, err)
	return value
}

// sees waits until the page has an element that matches a selector and contains a text.
func (s *site) sees(selector, text string) {
	s.t.Helper()
	script := fmt.Sprintf(`[...document.querySelectorAll(%q)].some(e => e.textContent.includes(%q))`, selector, text)
	found := func() bool {
		ok, err := chromedp.Run(s.ctx, chromedp.Evaluate[bool](script))
		return ok && err == nil // an error means that the page is being left
	}
	if !assert.Eventually(s.t, found, 20*time.Second, 50*time.Millisecond) {
		require.FailNow(s.t, "not on the page", "%s with %q in: %s", selector, text, get(s, chromedp.Text(chromedp.CSS("body"))))
	}
}

func (s *site) invite(req clerk.CreateInvitationRequest) *clerk.Invitation {
	s.t.Helper()
	inv, err := s.client.Invitations.Create(s.t.Context(), req)
	require.NoError(s.t, err)
	return inv
}

func (s *site) status(id string) clerk.InvitationStatus {
	for _, inv := range s.fake.Invitations() {
		if inv.ID == id {
			return inv.Status
		}
	}
	return "deleted"
}

// newApp serves the application that invites: its page at the redirect URL shows the
// ticket and signs up with it over the control API.
func (s *site) newApp() string {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /join", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = fmt.Fprintf(w, `<h1>Join team %s</h1><form method="post"><input name="ticket" value="%s"><button>Join</button></form>`,
			html.EscapeString(r.FormValue("team")), html.EscapeString(r.FormValue("__clerk_ticket")))
	})
	mux.HandleFunc("POST /join", func(w http.ResponseWriter, r *http.Request) {
		body := strings.NewReader(fmt.Sprintf(`{"ticket":%q}`, r.PostFormValue("ticket")))
		resp, err := http.Post(s.url+"/_fake/sign-up", "application/json", body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		defer resp.Body.Close()
		_, _ = fmt.Fprintf(w, "<h1>Welcome, %d</h1>", resp.StatusCode)
	})
	app := httptest.NewServer(mux)
	s.t.Cleanup(app.Close)
	return app.URL
}
