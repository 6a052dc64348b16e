package addresses

import (
	"regexp"
	"slices"
	"unicode"
	"unicode/utf8"
)

// SetRecent sets the entry of an address so that HasRecent finds it in other spellings.
func (m *Map) SetRecent(address string, entry Entry) {
	entry.Recent = true
	m.Set(KeyOf(address), entry)
	if spelled, ok := sharedKey(address); ok {
		m.Set(spelled, entry)
	}
}

// HasRecent reports whether there is an entry, set by SetRecent, of an address of which the
// given one may be another spelling.
func (m *Map) HasRecent(address string) bool {
	return slices.ContainsFunc(otherKeys(address), func(key Key) bool {
		entry, _ := m.Get(key)
		return entry.Recent
	})
}

// sharedKey returns a key that an address with characters that are not ASCII, or with
// Punycode, shares with its other forms. No address has it. ok is false for other addresses.
func sharedKey(address string) (key Key, ok bool) {
	local, domain := split(address)
	if !isInternational(local) && !isInternational(domain) {
		return Key{}, false
	}
	return spelledKey(skeleton(local + domain)), true
}

func spelledKey(skeleton string) Key { return KeyOf("spelled:" + skeleton) }

// otherKeys returns the keys of the other spellings that an address may be stored in, as
// far as they have a key: a few that MayBe would recognize are missing.
func otherKeys(address string) (keys []Key) {
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
