package addresses

import (
	"regexp"
	"unicode"
	"unicode/utf8"
)

// SpelledKey returns a key that an address with characters that are not ASCII, or with
// Punycode, shares with its other forms. No address has it. ok is false for other addresses.
func SpelledKey(address string) (key Key, ok bool) {
	local, domain := split(address)
	if !isInternational(local) && !isInternational(domain) {
		return Key{}, false
	}
	return spelledKey(skeleton(local + domain)), true
}

func spelledKey(skeleton string) Key { return KeyOf("spelled:" + skeleton) }

// OtherKeys returns the keys of the other spellings that an address may be stored in, as
// far as they have a key: a few that MayBe would recognize are missing.
func OtherKeys(address string) (keys []Key) {
	local, domain := split(address)
	for _, reduced := range reductions(local) {
		if reduced != local {
			keys = append(keys, KeyOf(reduced+domain))
		}
	}
	if isInternational(local) || isInternational(domain) {
		local, domain = split(skeleton(local + domain))
		for _, reduced := range reductions(local) {
			keys = append(keys, KeyOf(reduced+domain), spelledKey(reduced+domain))
		}
	}
	return keys
}

// punycode matches a label of a domain, of which the first group is ASCII.
var punycode = regexp.MustCompile(`xn--(?:([^@.]*)-)?[^@.-]*`)

// skeleton returns what the forms of an address have in common: its ASCII characters,
// including full-width ones, except those with a combining mark.
func skeleton(address string) string {
	var kept []rune
	isMarked := false // the rune before is a mark
	for _, r := range punycode.ReplaceAllString(address, "$1") {
		isMark := unicode.Is(unicode.M, r)
		switch {
		case isMark && !isMarked && len(kept) > 0:
			kept = kept[:len(kept)-1]
		case '\uff01' <= r && r <= '\uff5e':
			kept = append(kept, unicode.ToLower(r-'\uff01'+'!'))
		case r < utf8.RuneSelf:
			kept = append(kept, r)
		}
		isMarked = isMark
	}
	return string(kept)
}
