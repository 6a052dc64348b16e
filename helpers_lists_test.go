package clerk_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

// A listing is a transport that serves ids, and records the queries.
type listing struct {
	ids     func() []string // as they are now
	queries []url.Values

	sameForEver bool // the offset is ignored, and everything is new
}

func (l *listing) RoundTrip(req *http.Request) (*http.Response, error) {
	q := req.URL.Query()
	l.queries = append(l.queries, q)
	offset, _ := strconv.Atoi(q.Get("offset"))
	limit, err := strconv.Atoi(q.Get("limit"))
	if err != nil {
		return nil, err
	}
	ids := l.ids()
	inv := clerk.Invitation{}
	if l.sameForEver {
		offset, inv.CreatedAt = 0, clerk.UnixMilli(time.Now().UnixMilli())
	}
	ids = ids[min(offset, len(ids)):]
	invs := []clerk.Invitation{}
	for _, id := range ids[:min(limit, len(ids))] {
		inv.ID = id
		invs = append(invs, inv)
	}
	resp, err := httpmock.NewJsonResponse(200, map[string]any{"data": invs, "total_count": len(l.ids())})
	if err == nil {
		resp.Header.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	}
	return resp, err
}

func ids(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprint("inv_", i)
	}
	return list
}

// A link is a transport with a delay. It records how many requests are under way at once.
type link struct {
	next  http.RoundTripper
	delay time.Duration

	mu           sync.Mutex
	open, most   int
	sent, broken int
	fail         func(n int) *http.Response // may be nil
}

func (l *link) RoundTrip(req *http.Request) (*http.Response, error) {
	l.mu.Lock()
	l.sent++
	l.open++
	l.most = max(l.most, l.open)
	n := l.sent
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		l.open--
		l.mu.Unlock()
	}()
	select {
	case <-req.Context().Done():
		l.mu.Lock()
		l.broken++
		l.mu.Unlock()
		return nil, req.Context().Err()
	case <-time.After(l.delay):
	}
	if l.fail != nil {
		if resp := l.fail(n); resp != nil {
			return resp, nil
		}
	}
	return l.next.RoundTrip(req)
}

// filled returns a fake with n invitations, a second apart.
func filled(t *testing.T, n int, opts ...clerktest.Option) life {
	t.Helper()
	l := lifeWith(t, opts...)
	for i := range n {
		_, err := l.client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: guest(i)})
		require.NoError(t, err)
		time.Sleep(time.Second)
	}
	return l
}

// filledNow returns a fake with n invitations, without waiting.
func filledNow(t *testing.T, n int) life {
	t.Helper()
	l := newLife(t)
	for i := range n {
		_, err := l.client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: guest(i)})
		require.NoError(t, err)
	}
	return l
}

// through returns a client whose requests use a link, and the link.
func (l life) through(t *testing.T, delay time.Duration) (*clerk.Client, *link) {
	t.Helper()
	over := &link{next: l.fake, delay: delay}
	return newClient(t, over, clerk.WithSecretKeyFunc(l.key)), over
}

func collect(t *testing.T, all func(func(clerk.Invitation, error) bool)) []clerk.Invitation {
	t.Helper()
	var invs []clerk.Invitation
	for inv, err := range all {
		require.NoError(t, err)
		invs = append(invs, inv)
	}
	return invs
}
