package fakeserver

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// hosts are the host names, in lower case and without ports, that requests may be for in
// addition to those of loopback.
type hosts map[string]bool

func (h hosts) add(names ...string) {
	for _, name := range names {
		if name = hostname(name); name != "" {
			h[name] = true
		}
	}
}

// restrict refuses requests for other hosts with status 403. This stops pages of another site
// whose name resolves to this machine (DNS rebinding). Their requests pass all checks of a
// browser, but have that site's name as host.
func (h hosts) restrict(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := hostname(r.Host)
		if h[name] || isLoopback(name) {
			next.ServeHTTP(w, r)
			return
		}
		text := fmt.Sprintf("The fake does not serve the host %q. Start fakeclerk with -hosts %s to allow it.", r.Host, name)
		http.Error(w, text, http.StatusForbidden)
	})
}

// hostname returns the name in a Host header.
func hostname(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

func isLoopback(name string) bool {
	ip, err := netip.ParseAddr(name)
	return name == "localhost" || strings.HasSuffix(name, ".localhost") || err == nil && ip.Unmap().IsLoopback()
}
