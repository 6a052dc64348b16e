package addresses

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// Same reports whether two addresses are equal without regard to case and white space around
// them.
func Same(a, b string) bool { return strings.EqualFold(strings.TrimSpace(a), strings.TrimSpace(b)) }

// IsOther reports whether an object was created for another address than the requested one. If
// the request's text is not an address, the server may change it.
func IsOther(created, requested string) bool {
	return created != "" && strings.Contains(requested, "@") && !Same(created, requested)
}

// Has reports whether list contains an address.
func Has(list []string, address string) bool {
	return slices.ContainsFunc(list, func(other string) bool { return Same(other, address) })
}

// MayBe reports whether stored may be another spelling of a requested address: without the
// dots or the tag (after "+") of the local part, or in another form of its characters that
// are not ASCII, such as Punycode. Spellings that differ only in case count as the same.
func MayBe(stored, requested string) bool {
	storedLocal, storedDomain := split(stored)
	local, domain := split(requested)
	if storedLocal == local && storedDomain == domain {
		return false
	}
	sameDomain := storedDomain == domain || isInternational(storedDomain) || isInternational(domain)
	sameLocal := slices.Contains(reductions(local), storedLocal) || isInternational(storedLocal) || isInternational(local)
	return sameDomain && sameLocal
}

// HasOther reports whether an address may have another spelling.
func HasOther(address string) bool {
	local, domain := split(address)
	return strings.ContainsAny(local, ".+") || isInternational(local) || isInternational(domain)
}

func split(address string) (local, domain string) {
	address = strings.Map(func(r rune) rune { // ToLower would turn a dotted capital I into ASCII
		if 'A' <= r && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}, strings.TrimSpace(address))
	at := max(0, strings.LastIndexByte(address, '@'))
	return address[:at], address[at:]
}

// reductions returns a local part unchanged and without its tag, each with and without dots.
func reductions(local string) []string {
	untagged, _, _ := strings.Cut(local, "+")
	return []string{local, untagged, strings.ReplaceAll(local, ".", ""), strings.ReplaceAll(untagged, ".", "")}
}

func isInternational(part string) bool {
	return strings.Contains(part, "xn--") || strings.ContainsFunc(part, func(r rune) bool { return r >= utf8.RuneSelf })
}
