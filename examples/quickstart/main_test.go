package main

import (
	"bytes"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRunAgainstTheFake(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), &out, "", "ada@example.com"))
	got := regexp.MustCompile(`until \S+`).ReplaceAllString(out.String(), "until then")
	require.Equal(t, `CLERK_SECRET_KEY is not set: this is the embedded fake, not Clerk.
created  inv_000000000000000000000000001 for ada@example.com, until then
refused  a second one, as it should be: clerk: CreateInvitation: 400 duplicate_record: duplicate invitation (trace 00000000000000000000000000000002)
created  2 in one request
pending  3 in all, the newest:
         inv_000000000000000000000000003 for ada+two@example.com
         inv_000000000000000000000000002 for ada+one@example.com
         inv_000000000000000000000000001 for ada@example.com
revoked  inv_000000000000000000000000001, status revoked
revoked  inv_000000000000000000000000002, status revoked
revoked  inv_000000000000000000000000003, status revoked
`, got)
}

func TestRunWithAKeyThatIsNone(t *testing.T) {
	var out bytes.Buffer
	require.ErrorContains(t, run(t.Context(), &out, "pk_test_dummy", "ada@example.com"), "publishable")
	require.Contains(t, out.String(), "this is the real Clerk")
}
