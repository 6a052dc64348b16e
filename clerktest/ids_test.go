package clerktest_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go/clerktest"
)

func TestRandomIDs(t *testing.T) {
	ids := map[string]bool{}
	for range 2 { // two fakes, as before and after a restart
		fake := clerktest.New(clerktest.WithRandomIDs())
		for i := range 50 {
			inv := invite(t, fake, fmt.Sprintf("a%d@example.com", i))
			require.Regexp(t, `^inv_[0-9A-Za-z]{27}$`, inv.ID)
			require.NotContains(t, inv.URL, inv.ID)
			ids[inv.ID], ids[inv.URL] = true, true
		}
		resp, _ := send(t, fake, "GET", "/v1/invitations", "")
		ids[resp.Header.Get("X-Clerk-Trace-Id")] = true
		require.Regexp(t, `^[0-9a-f]{32}$`, resp.Header.Get("X-Clerk-Trace-Id"))
		require.Regexp(t, `^[0-9a-f]{16}-[A-Z]{3}$`, resp.Header.Get("Cf-Ray"))
	}
	require.Len(t, ids, 2*101)
}
