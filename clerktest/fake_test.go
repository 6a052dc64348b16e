package clerktest_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

func TestConcurrentUse(t *testing.T) {
	fake := clerktest.New(clerktest.WithRateLimits(clerktest.ProductionRateLimits()))
	client, err := fake.Client()
	require.NoError(t, err)
	var group sync.WaitGroup
	for i := range 16 {
		group.Go(func() {
			for j := range 5 {
				inv, err := client.Invitations.Create(context.Background(), clerk.CreateInvitationRequest{EmailAddress: fmt.Sprintf("a%d.%d@example.com", i, j)})
				if err != nil {
					t.Error(err)
					return
				}
				switch j % 3 {
				case 0:
					err = fake.Accept(inv.ID)
				case 1:
					err = fake.Expire(inv.ID)
				default:
					_, err = client.Invitations.Revoke(context.Background(), inv.ID)
				}
				if err != nil {
					t.Error(err)
				}
				_, _ = fake.Invitations(), fake.Requests()
			}
		})
	}
	group.Wait()
	require.Len(t, fake.Invitations(), 80)
}
