package clerktest_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

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

func TestSeedRepeatsRandomIDsAndFaults(t *testing.T) {
	run := func(seed uint64) string {
		var log strings.Builder
		synctest.Test(t, func(t *testing.T) {
			fake := clerktest.New(clerktest.WithRandomIDs(), clerktest.WithSeed(seed), clerktest.WithFaults(clerktest.FaultMix{
				Share: 0.5, Faults: []clerktest.Fault{clerktest.FaultErrorAfter, clerktest.FaultErrorBefore},
			}))
			for i := range 50 {
				resp, body := send(t, fake, "POST", "/v1/invitations", fmt.Sprintf(`{"email_address":"a%d@example.com"}`, i))
				fmt.Fprintln(&log, resp.Header, body)
			}
			for _, email := range fake.Sent() {
				fmt.Fprintln(&log, email.Link)
			}
		})
		return log.String()
	}
	first, again := run(1), run(1)
	require.Equal(t, first, again)
	require.NotEqual(t, first, run(2))
	first, again = run(0), run(0)
	require.NotEqual(t, first, again, "without a seed")
}
