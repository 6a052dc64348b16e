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

// HasRecent reports whether SetRecent has set an entry for an address that may be another
// spelling of the given one.
func (m *Map) HasRecent(address string) bool {
	return slices.ContainsFunc(otherKeys(address), func(key Key) bool {
		entry, _ := m.Get(key)
		return entry.Recent
	})
}

// sharedKey returns a key that an address with non-ASCII characters or Punycode shares with
// its other forms. It is not the key of any address. ok is false for other addresses.
func sharedKey(address string) (key Key, ok bool) {
	local, domain := split(address)
	if !isInternational(local) && !isInternational(domain) {
		return Key{}, false
	}
	return spelledKey(skeleton(local + domain)), true
}

func spelledKey(skeleton string) Key { return KeyOf("spelled:" + skeleton) }

// otherKeys returns the keys of other spellings in which an address may be stored. A few
// spellings that MayBe would recognize are missing.
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

// punycode matches a label of a domain. Its first group has the label's ASCII characters.
var punycode = regexp.MustCompile(`xn--(?:([^@.]*)-)?[^@.-]*`)

// skeleton returns the part that all forms of an address share: its ASCII characters,
// including full-width ones, except those with a combining mark.
func skeleton(address string) string {
	var kept []rune
	isMarked := false // the previous rune is a mark
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
