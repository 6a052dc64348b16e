// Package check says what is wrong with input. Its functions return a text such as "is
// empty", or "" if they find nothing. No text repeats the input, which may be secret.
package check

import (
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// SecretKey checks that a string may be a secret key of Clerk.
func SecretKey(key string) string {
	switch {
	case key == "":
		return "is empty"
	case strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }):
		return "contains white space or another character that no key has"
	case strings.HasPrefix(strings.ToLower(key), "pk_"):
		return "is a publishable key (pk_...); a backend needs the secret key (sk_...)"
	case !strings.HasPrefix(key, "sk_"):
		return "does not begin with sk_"
	}
	return ""
}

// PathSegment checks that an id does not change the path that it becomes part of.
func PathSegment(id string) string {
	switch {
	case id == "":
		return "is empty"
	case strings.ContainsFunc(id, isSpaceOrControl):
		return "contains white space or a control character"
	case strings.ContainsAny(id, "/?#%"):
		return "contains one of / ? # %"
	case strings.Trim(id, ".") == "":
		return "consists of dots"
	}
	return ""
}

func isSpaceOrControl(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }

// Address checks that an email address can be sent.
func Address(address string) string {
	switch {
	case strings.TrimSpace(address) == "":
		return "is empty"
	case !utf8.ValidString(address): // JSON would change it
		return "is not UTF-8"
	}
	return ""
}

// LikelyAddress checks for what most likely is a mistake. What a valid address is, others
// decide.
func LikelyAddress(address string) string {
	at := strings.LastIndex(address, "@")
	isQuoted := strings.HasPrefix(address, `"`)
	switch {
	case at < 0:
		return "has no @"
	case at == 0 || at == len(address)-1:
		return "has nothing on one side of the @"
	case !isQuoted && strings.ContainsFunc(address, isSpaceOrControl):
		return "contains white space or a control character"
	}
	return Address(address)
}

// reserved headers carry the meaning of a request, or make net/http retry writes.
var reserved = map[string]bool{
	"Authorization": true, "Accept": true, "Accept-Encoding": true,
	"Content-Type": true, "Content-Length": true, "Transfer-Encoding": true,
	"Connection": true, "Upgrade": true, "Expect": true, "Host": true, "User-Agent": true,
	"Idempotency-Key": true, "X-Idempotency-Key": true,
}

// Header checks that a header may be added to requests.
func Header(name, value string) string {
	isControl := func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }
	name = http.CanonicalHeaderKey(name)
	switch {
	case name == "" || strings.ContainsFunc(name, isNoToken):
		return "has an invalid name"
	case reserved[name]:
		return name + " is reserved"
	case strings.ContainsFunc(value, isControl):
		return name + " has a control character in its value"
	}
	return ""
}

// isNoToken reports whether r is invalid in a header's name (RFC 9110, 5.6.2).
func isNoToken(r rune) bool {
	return r <= ' ' || r > '~' || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r)
}

// BaseURL checks that a URL can be the base of others, and returns it without trailing
// slashes, with its host in lower case.
func BaseURL(baseURL string) (normal, problem string) {
	u, err := url.Parse(baseURL)
	switch {
	case err != nil: // its text repeats the URL, which may contain a secret
		return "", "is not a URL"
	case u.User != nil:
		return "", "contains credentials"
	case u.RawQuery != "" || u.ForceQuery || strings.Contains(baseURL, "#"):
		return "", "has a query or a fragment"
	case u.Hostname() == "":
		return "", "has no host"
	}
	u.Host = strings.ToLower(u.Host) // net/http's proxy rules know only "localhost"
	return strings.TrimRight(u.String(), "/"), ""
}

// Scheme checks that what is sent to a base URL is encrypted, or stays on this machine
// unless plaintext is set.
func Scheme(baseURL string, plaintext bool) string {
	u, err := url.Parse(baseURL)
	if err == nil && (u.Scheme == "https" || u.Scheme == "http" && (plaintext || isLoopback(u.Hostname()))) {
		return ""
	}
	return "is neither https nor http to a loopback address"
}

func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && ip.Unmap().IsLoopback()
}

// NotNegative checks that a number is 0 or more.
func NotNegative[N int | int64 | time.Duration](n N) string {
	if n < 0 {
		return "is negative"
	}
	return ""
}

// Between checks that a number is in a range, or 0 for none.
func Between(n, least, most int) string {
	if n != 0 && (n < least || n > most) {
		return fmt.Sprintf("is not from %d to %d", least, most)
	}
	return ""
}

// Positive checks that a number is more than 0.
func Positive[N int | int64 | time.Duration](n N) string {
	if n <= 0 {
		return "is not positive"
	}
	return ""
}

// NotNil checks that something is given.
func NotNil(given bool) string {
	if !given {
		return "is nil"
	}
	return ""
}
