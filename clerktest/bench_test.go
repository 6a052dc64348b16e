package clerktest_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

// filled returns a client of a fake with n invitations.
func filled(b *testing.B, n int) (*clerk.Client, *clerktest.Fake) {
	b.Helper()
	client, fake := clerktest.NewClient(b)
	var seed strings.Builder
	for i := range n {
		fmt.Fprintf(&seed, `{"invitation":{"email_address":"guest%06d@example.com","created_at":%d,"expires_at":4102444800000}}`, i, 1000+i)
	}
	require.NoError(b, fake.Load(strings.NewReader(seed.String())))
	return client, fake
}

// BenchmarkCreateThenFind: 64 clients make 1,280 requests. They create an invitation, then
// find it by its address.
func BenchmarkCreateThenFind(b *testing.B) {
	for _, n := range []int{100, 100_000} {
		b.Run(fmt.Sprintf("invitations=%d", n), func(b *testing.B) {
			client, _ := filled(b, n)
			for round := 0; b.Loop(); round++ {
				var group sync.WaitGroup
				for worker := range 64 {
					group.Go(func() {
						for i := range 10 {
							createThenFind(b, client, fmt.Sprintf("new%d.%d.%d@example.com", round, worker, i))
						}
					})
				}
				group.Wait()
			}
		})
	}
}

func createThenFind(b *testing.B, client *clerk.Client, address string) {
	b.Helper()
	if _, err := client.Invitations.Create(context.Background(), clerk.CreateInvitationRequest{EmailAddress: address}); err != nil {
		b.Error(err)
	}
	list, err := client.Invitations.List(context.Background(), clerk.ListInvitationsRequest{
		Query: address, Status: clerk.InvitationStatusPending,
	})
	if err != nil || list.TotalCount != 1 {
		b.Error(list, err)
	}
}

// BenchmarkList lists 10 of 100,000 invitations: by address, by a part that needs a
// scan, and without a query.
func BenchmarkList(b *testing.B) {
	client, _ := filled(b, 100_000)
	for name, query := range map[string]string{"address": "guest054321@example.com", "part": "guest05432", "all": ""} {
		b.Run("by="+name, func(b *testing.B) {
			for b.Loop() {
				list, err := client.Invitations.List(context.Background(), clerk.ListInvitationsRequest{Query: query})
				if err != nil || len(list.Data) == 0 {
					b.Fatal(list, err)
				}
			}
		})
	}
}

// BenchmarkRequestLog reports the memory that 100,000 requests leave behind.
func BenchmarkRequestLog(b *testing.B) {
	var before, after runtime.MemStats
	for b.Loop() {
		client, fake := clerktest.NewClient(b)
		runtime.GC()
		runtime.ReadMemStats(&before)
		for range 100_000 {
			if _, err := client.Invitations.List(context.Background(), clerk.ListInvitationsRequest{}); err != nil {
				b.Fatal(err)
			}
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		runtime.KeepAlive(fake)
	}
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/(1<<20), "MiB-kept")
}

// BenchmarkPoll does what a browser test and the page do again and again: find the
// emails to an address, find an invitation, and accept one.
func BenchmarkPoll(b *testing.B) {
	for _, n := range []int{100, 10_000, 100_000} {
		_, fake := filled(b, n)
		id := fake.SentTo("guest000077@example.com")[0].InvitationID
		b.Run(fmt.Sprintf("emails/invitations=%d", n), func(b *testing.B) {
			for b.Loop() {
				if len(fake.SentTo("guest000077@example.com")) != 1 {
					b.Fatal("no email")
				}
			}
		})
		b.Run(fmt.Sprintf("invitation/invitations=%d", n), func(b *testing.B) {
			for b.Loop() {
				if _, ok := fake.Invitation(id); !ok {
					b.Fatal("no invitation")
				}
			}
		})
		b.Run(fmt.Sprintf("state/invitations=%d", n), func(b *testing.B) {
			for b.Loop() {
				fake.State(clerktest.Filter{Limit: 25})
			}
		})
		all := fake.Invitations()
		b.Run(fmt.Sprintf("accept/invitations=%d", n), func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				if err := fake.Accept(all[i%n].ID); err != nil && i < n {
					b.Fatal(err)
				}
			}
		})
	}
}
