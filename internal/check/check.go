// Package check validates input. Its functions return the problem, such as "is empty", or ""
// if there is none. They never quote the input, which may be secret.
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

// SecretKey checks that a string has the form of a Clerk secret key.
func SecretKey(key string) string {
	switch {
	case key == "":
		return "is empty"
	case strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }):
		return "contains white space or another invalid character"
	case strings.HasPrefix(strings.ToLower(key), "pk_"):
		return "is a publishable key (pk_...); a backend needs the secret key (sk_...)"
	case !strings.HasPrefix(key, "sk_"):
		return "does not begin with sk_"
	}
	return ""
}

// PathSegment checks that an ID can be a segment of a path without changing its meaning.
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

// Text checks that a string is valid UTF-8. Otherwise, encoding it as JSON would change it.
func Text(text string) string {
	if !utf8.ValidString(text) {
		return "is not UTF-8"
	}
	return ""
}

// Address checks that an email address can be sent: it is valid UTF-8, not blank, and has
// no invisible characters, which nobody means to write.
func Address(address string) string {
	switch {
	case strings.TrimSpace(address) == "":
		return "is empty"
	case strings.ContainsFunc(address, isInvisible):
		return "contains an invisible character"
	}
	return Text(address)
}

// isInvisible reports whether r is neither shown nor white space nor a control character,
// such as a zero width space, a byte order mark, a soft hyphen or a bidi control.
func isInvisible(r rune) bool {
	return unicode.In(r, unicode.Cf, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

// LikelyAddress is like Address, but checks for likely mistakes as well. It accepts some
// invalid addresses, as the server decides what is valid.
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

// reserved headers are set by the client or net/http, or make net/http retry writes.
var reserved = map[string]bool{
	"Authorization": true, "Accept": true, "Accept-Encoding": true,
	"Content-Type": true, "Content-Length": true, "Transfer-Encoding": true,
	"Connection": true, "Upgrade": true, "Expect": true, "Host": true, "User-Agent": true,
	"Idempotency-Key": true, "X-Idempotency-Key": true,
}

// Header checks that a header is valid and may be added to requests.
func Header(name, value string) string {
	isControl := func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }
	name = http.CanonicalHeaderKey(name)
	switch {
	case name == "" || strings.ContainsFunc(name, isInvalidInName):
		return "has an invalid name"
	case reserved[name]:
		return name + " is reserved"
	case strings.ContainsFunc(value, isControl):
		return name + " has a control character in its value"
	}
	return ""
}

// isInvalidInName reports whether r is not allowed in a header's name (RFC 9110, 5.6.2).
func isInvalidInName(r rune) bool {
	return r <= ' ' || r > '~' || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r)
}

// Product checks that a name can begin a User-Agent header.
func Product(name string) string {
	if name == "" || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r > '~' }) {
		return "is empty or has a character other than printable ASCII"
	}
	return ""
}

// BaseURL checks that a path can be appended to a URL. It returns the URL with its host
// in lower case and without trailing slashes.
func BaseURL(baseURL string) (normal, problem string) {
	u, err := url.Parse(baseURL)
	switch {
	case err != nil: // err quotes the URL, which may contain a secret
		return "", "is not a URL"
	case u.User != nil:
		return "", "contains credentials"
	case u.RawQuery != "" || u.ForceQuery || strings.Contains(baseURL, "#"):
		return "", "has a query or a fragment"
	case u.Hostname() == "":
		return "", "has no host"
	}
	u.Host = strings.ToLower(u.Host) // net/http's proxy rules recognize only "localhost"
	return strings.TrimRight(u.String(), "/"), ""
}

// Scheme checks that requests to a base URL are encrypted or stay on this machine. With
// allowHTTP, they may be sent unencrypted to any host.
func Scheme(baseURL string, allowHTTP bool) string {
	u, err := url.Parse(baseURL)
	if err == nil && (u.Scheme == "https" || u.Scheme == "http" && (allowHTTP || isLoopback(u.Hostname()))) {
		return ""
	}
	return "is neither https nor http to a loopback address (see WithInsecurePlaintextHTTP)"
}

func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && ip.Unmap().IsLoopback()
}

// NotNegative checks that n is 0 or more.
func NotNegative(n int) string {
	if n < 0 {
		return "is negative"
	}
	return ""
}

// Between checks that n is from least to most, or 0, which means that it is not set.
func Between(n, least, most int) string {
	if n != 0 && (n < least || n > most) {
		return fmt.Sprintf("is not from %d to %d", least, most)
	}
	return ""
}

// Positive checks that n is more than 0.
func Positive[N int64 | time.Duration](n N) string {
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
