package match_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go/internal/decide"
	"github.com/clerk-invitations/clerk-go/internal/match"
)

// An object is "id:address". It is the write's work, unless its ID says otherwise.
func identify(object string) (id, address string) {
	id, address, _ = strings.Cut(object, ":")
	return id, address
}

func whose(object, _ string) decide.Finding {
	switch id, _ := identify(object); {
	case strings.HasPrefix(id, "foreign"):
		return decide.FoundForeign
	case strings.HasPrefix(id, "unclear"):
		return decide.FoundUnclear
	}
	return decide.FoundOwn
}

func wanted(addresses ...string) *match.Wanted[string] {
	return &match.Wanted[string]{Addresses: addresses, Found: map[int]string{}, Identify: identify}
}

func TestClaimFindsAnObjectForEachAddress(t *testing.T) {
	for name, test := range map[string]struct {
		wanted, list []string
		found        []string // "" for missing
		unclear      bool
	}{
		"each":                             {[]string{"a@x", "b@x"}, []string{"2:b@x", "1:a@x"}, []string{"1:a@x", "2:b@x"}, false},
		"a part":                           {[]string{"a@x", "b@x", "c@x"}, []string{"2:b@x"}, []string{"", "2:b@x", ""}, false},
		"in another case":                  {[]string{" a@X "}, []string{"1:A@x"}, []string{"1:A@x"}, false},
		"one address twice":                {[]string{"a@x", "a@x"}, []string{"1:a@x", "2:a@x"}, []string{"1:a@x", "2:a@x"}, false},
		"one object is only for one":       {[]string{"a@x", "a@x"}, []string{"1:a@x"}, []string{"1:a@x", ""}, false},
		"the work of others":               {[]string{"a@x"}, []string{"foreign:a@x"}, []string{""}, false},
		"own work after that of others":    {[]string{"a@x"}, []string{"foreign:a@x", "1:a@x"}, []string{"1:a@x"}, false},
		"unclear":                          {[]string{"a@x", "b@x"}, []string{"unclear:a@x", "2:b@x"}, []string{"", "2:b@x"}, true},
		"unclear, and then others'":        {[]string{"a@x"}, []string{"unclear:a@x", "foreign:a@x"}, []string{""}, true},
		"an unclear one that nobody wants": {[]string{"a@x"}, []string{"unclear:z@x"}, []string{""}, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := wanted(test.wanted...)
			require.Equal(t, test.unclear, w.Claim(test.list, whose))
			require.Equal(t, test.found, w.Objects())
		})
	}
}

func TestClaimContinuesWithWhatIsMissing(t *testing.T) {
	w := wanted("a@x", "a@x", "b@x")
	require.Equal(t, []int{0, 1, 2}, w.Missing())
	require.False(t, w.Claim([]string{"1:a@x"}, whose))
	require.Equal(t, []int{1, 2}, w.Missing())
	require.False(t, w.Claim([]string{"1:a@x", "2:a@x", "3:b@x"}, whose))
	require.Empty(t, w.Missing())
	require.Equal(t, []string{"1:a@x", "2:a@x", "3:b@x"}, w.Objects())
}

func TestPossibleIsNotWhatWasFoundForAnother(t *testing.T) {
	isSameDomain := func(object, address string) bool {
		_, its := identify(object)
		_, itsDomain, _ := strings.Cut(its, "@")
		_, domain, _ := strings.Cut(address, "@")
		return itsDomain == domain
	}
	w := wanted("a@x", "b@x", "c@y")
	w.Claim([]string{"1:a@x"}, whose)
	require.Empty(t, w.Possible([]string{"1:a@x"}, isSameDomain))
	require.Equal(t, []int{1}, w.Possible([]string{"1:a@x", "2:z@x"}, isSameDomain))
	require.Equal(t, []int{1, 2}, w.Possible([]string{"2:z@x", "3:z@y"}, isSameDomain))
}

func TestAssignPrefersAddressesToPositions(t *testing.T) {
	for name, test := range map[string]struct{ wanted, objects, assigned []string }{
		"in order":           {[]string{"a@x", "b@x"}, []string{"1:a@x", "2:b@x"}, []string{"1:a@x", "2:b@x"}},
		"in another order":   {[]string{"a@x", "b@x"}, []string{"2:b@x", "1:A@X"}, []string{"1:A@X", "2:b@x"}},
		"a changed address":  {[]string{"a.a@x", "b@x"}, []string{"2:b@x", "1:aa@x"}, []string{"1:aa@x", "2:b@x"}},
		"all of them":        {[]string{"a.a@x", "b.b@x"}, []string{"1:aa@x", "2:bb@x"}, []string{"1:aa@x", "2:bb@x"}},
		"one address twice":  {[]string{"a@x", "a@x"}, []string{"1:a@x", "2:a@x"}, []string{"1:a@x", "2:a@x"}},
		"an address is gone": {[]string{"a@x", "b@x"}, []string{"1:", "2:"}, []string{"1:", "2:"}},
	} {
		t.Run(name, func(t *testing.T) {
			given := slices.Clone(test.objects)
			assigned := wanted(test.wanted...).Assign(given)
			require.Equal(t, test.objects, given, "they are not changed")
			require.Len(t, assigned, len(test.wanted))
			for i, want := range test.assigned {
				require.Equal(t, want, assigned[i])
			}
		})
	}
}
