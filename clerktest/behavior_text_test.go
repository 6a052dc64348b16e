package clerktest_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go/clerktest"
)

func TestParseBehavior(t *testing.T) {
	for text, want := range map[string]clerktest.Behavior{
		"":                              {},
		"list-lag=1s,bulks=until-first": {ListLag: time.Second, Bulks: clerktest.BulksUntilFirst},
		" no-date , page-cap=7,":        {NoDate: true, PageCap: 7},
		"no-date=true,no-meta=false":    {NoDate: true},
		"date-skew=-1m":                 {DateSkew: -time.Minute},
		"query=words,query-without-ids,query-case-sensitive": {
			Query: clerktest.QueryWords, QueryWithoutIDs: true, QueryCaseSensitive: true,
		},
		"content-type=application/json; charset=utf-8": {ContentType: "application/json; charset=utf-8"},
	} {
		got, err := clerktest.ParseBehavior(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
		again, err := clerktest.ParseBehavior(got.String())
		require.NoError(t, err, text)
		require.Equal(t, want, again, text)
	}
}

func TestParseBehaviorRefusesUnknownRulesAndValues(t *testing.T) {
	for text, want := range map[string]string{
		"list-lags=1s":       `unknown behavior "list-lags": the names are bulks, bulks-reversed`,
		"rewrite-address":    `unknown behavior "rewrite-address"`,
		"bulks=some":         `bulks "some" is none of until-first, good-rows, without-duplicates`,
		"bulks":              "behavior bulks: it has no value: give one of until-first",
		"no-date=perhaps":    `behavior no-date: "perhaps" is neither true nor false`,
		"list-lag=1":         `behavior list-lag: "1" is not a duration such as 1.5s`,
		"list-lag=-1s":       "list-lag -1s is negative",
		"page-cap=x":         `behavior page-cap: "x" is not a number`,
		"page-cap=-1":        "page-cap -1 is negative",
		"refusal-status=200": "status 200 of a refusal is not between 400 and 499",
		"no-date,no-date":    "behavior no-date is given twice",
	} {
		_, err := clerktest.ParseBehavior(text)
		require.ErrorContains(t, err, want, text)
	}
}

func TestBehaviorsFlipOneRuleEach(t *testing.T) {
	seen := map[string]bool{}
	for name, behavior := range clerktest.Behaviors() {
		require.NoError(t, behavior.Validate(), name)
		require.Equal(t, name, behavior.String())
		require.False(t, seen[name], name)
		seen[name] = true
		parsed, err := clerktest.ParseBehavior(name)
		require.NoError(t, err)
		require.Equal(t, behavior, parsed)
	}
	require.Greater(t, len(seen), 60)
	for range clerktest.Behaviors() {
		break
	}
}

func TestRewriteAddress(t *testing.T) {
	fake := clerktest.New(clerktest.WithBehavior(clerktest.Behavior{
		RewriteAddress: func(address string) string { return strings.Replace(address, "bücher", "xn--bcher-kva", 1) },
	}))
	for address, want := range map[string]string{
		"ada@bücher.example":        `"email_address":"ada@xn--bcher-kva.example"`,
		"ADA@xn--bcher-kva.example": "duplicate_record",
		"Ada@bücher.example":        "duplicate_record",
	} {
		fake.Reset()
		send(t, fake, "POST", "/v1/invitations", `{"email_address":"ada@bücher.example"}`)
		if !strings.Contains(want, "duplicate") {
			fake.Reset()
		}
		_, body := send(t, fake, "POST", "/v1/invitations", `{"email_address":"`+address+`"}`)
		require.Contains(t, body, want)
	}
}

func TestDocsListEveryRule(t *testing.T) {
	page, err := os.ReadFile("../docs/clerk-api.md")
	require.NoError(t, err)
	for name := range clerktest.Behaviors() {
		rule, _, _ := strings.Cut(name[strings.LastIndex(name, ",")+1:], "=")
		require.Contains(t, string(page), "`"+rule, "an alternative that docs/clerk-api.md does not list")
	}
}
