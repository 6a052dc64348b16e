// Package fakeserver serves a fake of Clerk's Invitations API together with a web
// page that shows what the fake holds, a sign-up page for the links of invitations,
// and an HTTP API that controls the fake. The program fakeclerk runs it.
//
//	fake := clerktest.New()
//	server := httptest.NewServer(fakeserver.Handler(fake))
//	fake.SetLinkBase(server.URL)
//
// The page and the control API need no key and show tickets and addresses: serve
// them to people you trust, on loopback or in a test network. Requests that a
// browser makes for a page of another origin are refused unless they only read, as are
// requests for a host that is neither of loopback nor of [WithHosts].
//
// docs/testing.md describes the control API.
package fakeserver

import (
	"net/http"
	"strings"

	"github.com/clerk-invitations/clerk-go/clerktest"
)

// An Option configures the handler of [Handler].
type Option func(*options)

type options struct {
	hosts hosts
}

// WithHosts adds host names to serve requests for, such as "fakeclerk". A port in a
// name is ignored. By default requests for localhost, for names below it, and for
// loopback IP addresses are served.
func WithHosts(names ...string) Option {
	return func(o *options) { o.hosts.add(names...) }
}

// Handler returns a handler for the API of fake under /v1, the page at /, the
// sign-up page at /sign-up and the control API under /_fake/. A request for a host that is
// neither a loopback host nor one of [WithHosts] is refused with status 403.
func Handler(fake *clerktest.Fake, opts ...Option) http.Handler {
	o := options{hosts: hosts{}}
	for _, opt := range opts {
		opt(&o)
	}
	s := &server{fake: fake}
	control, pages := s.control(), s.pages()
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch path := r.URL.Path; {
		case strings.HasPrefix(path, controlPath) && isPage(pages, r):
			pages.ServeHTTP(w, r)
		case strings.HasPrefix(path+"/", controlPath):
			control.ServeHTTP(w, r)
		case path == "/" || path == clerktest.SignUpPath || isLanding(r):
			pages.ServeHTTP(w, r)
		case !strings.HasPrefix(path, "/v1/") && r.Header.Get("Authorization") == "":
			http.Error(w, "Nothing is here: the page is at /, the control API at /_fake/, and Clerk's API at /v1/.", http.StatusNotFound)
		default:
			fake.ServeHTTP(w, r) // not through a mux, which redirects unclean paths
		}
	})
	return o.hosts.restrict(http.NewCrossOriginProtection().Handler(readBodies(handler)))
}

// isPage reports whether a request under the control path is for a page or its assets, rather
// than for the same in JSON.
func isPage(pages *http.ServeMux, r *http.Request) bool {
	_, pattern := pages.Handler(r)
	asset := strings.HasSuffix(pattern, "/page.css") || strings.HasSuffix(pattern, "/page.js")
	return asset || wantsHTML(r) && pattern != "" && pattern != "GET /"
}

// isLanding reports whether a browser opens a page that the fake does not have, as happens if
// a redirect URL is a path.
func isLanding(r *http.Request) bool {
	return r.Method == http.MethodGet && !strings.HasPrefix(r.URL.Path, "/v1/") && wantsHTML(r)
}
