package clerkriver_test

import (
	"context"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerkriver"
)

// migrate creates River's tables, which you may have already, and those of clerkriver.
func migrate(ctx context.Context, pool *pgxpool.Pool) error {
	migrator, err := rivermigrate.New(riverpgxv5.New(pool), nil)
	if err != nil {
		return err
	}
	if _, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return err
	}
	return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		_, err := clerkriver.Migrate(ctx, tx, "", -1) // in the schema of the connection, to the newest version
		return err
	})
}

// newCampaigns configures campaigns. OnResult writes to a table of yours, in the transaction
// that keeps the result.
func newCampaigns(pool *pgxpool.Pool) (*clerkriver.Campaigns, error) {
	return clerkriver.New(pool, clerkriver.Config{
		OnResult: func(ctx context.Context, tx pgx.Tx, result clerkriver.Result) error {
			if result.State == clerkriver.StateSkipped { // not reminded: the person may have accepted
				return nil
			}
			_, err := tx.Exec(ctx, "UPDATE members SET invitation = $1 WHERE id = $2", string(result.State), result.Ref)
			return err
		},
	})
}

// startRiver starts your River client, which also sends campaigns. Create client once, by
// campaigns.NewClient(secretKey, nil), and use it in your request handlers, too.
func startRiver(ctx context.Context, pool *pgxpool.Pool, campaigns *clerkriver.Campaigns, client *clerk.Client) (*river.Client[pgx.Tx], error) {
	config := &river.Config{} // yours, with your queues and workers
	if err := campaigns.Install(config, client); err != nil {
		return nil, err
	}
	riverClient, err := river.NewClient(riverpgxv5.New(pool), config)
	if err != nil {
		return nil, err
	}
	return riverClient, riverClient.Start(ctx)
}

// invite enqueues a campaign. Each Ref comes back with its row's result.
func invite(ctx context.Context, pool *pgxpool.Pool, riverClient *river.Client[pgx.Tx], campaigns *clerkriver.Campaigns) error {
	rows := slices.Values([]clerkriver.Row{ // or any iter.Seq[clerkriver.Row]
		{Ref: "member_1", Request: clerk.CreateInvitationRequest{EmailAddress: "ada@example.com"}},
		{Ref: "member_2", Request: clerk.CreateInvitationRequest{EmailAddress: "grace@example.com"}},
	})
	return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		_, err := campaigns.EnqueueTx(ctx, riverClient, tx, "spring", rows, nil)
		return err
	})
}

// Campaigns in a service: its functions are those of the README.
func Example() {
	ctx := context.Background()
	pool, err := pgxpool.New(ctx, "postgres://localhost/app")
	if err != nil {
		panic(err)
	}
	if err := migrate(ctx, pool); err != nil {
		panic(err)
	}
	campaigns, err := newCampaigns(pool)
	if err != nil {
		panic(err)
	}
	client, err := campaigns.NewClient("sk_test_...", nil) // for your request handlers, too
	if err != nil {
		panic(err)
	}
	riverClient, err := startRiver(ctx, pool, campaigns, client)
	if err != nil {
		panic(err)
	}
	if err := invite(ctx, pool, riverClient, campaigns); err != nil {
		panic(err)
	}
}
