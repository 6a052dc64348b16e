package clerkriver_test

import (
	"context"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerkriver"
)

// install is the README's first snippet.
func install(pool *pgxpool.Pool, riverConfig *river.Config, secretKey string) (*river.Client[pgx.Tx], *clerkriver.Campaigns, error) {
	campaigns, err := clerkriver.New(pool, clerkriver.Config{})
	if err != nil {
		return nil, nil, err
	}
	client, err := campaigns.NewClient(secretKey, nil)
	if err != nil {
		return nil, nil, err
	}
	if err := campaigns.Install(riverConfig, client); err != nil {
		return nil, nil, err
	}
	riverClient, err := river.NewClient(riverpgxv5.New(pool), riverConfig)
	return riverClient, campaigns, err
}

// use is the README's second snippet.
func use(ctx context.Context, pool *pgxpool.Pool, riverClient *river.Client[pgx.Tx], campaigns *clerkriver.Campaigns) error {
	rows := slices.Values([]clerkriver.Row{
		{Ref: "user_1", Request: clerk.CreateInvitationRequest{EmailAddress: "ada@example.com"}},
	})
	err := pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		_, err := campaigns.EnqueueTx(ctx, riverClient, tx, "spring", rows, nil)
		return err
	})
	return err
}

// TestReadmeIsCompiled: the README shows code of this file.
func TestReadmeIsCompiled(t *testing.T) {
	t.Parallel()
	_, _ = install, use
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	code, err := os.ReadFile("example_test.go")
	require.NoError(t, err)
	squeeze := func(s string) string { return strings.Join(strings.Fields(s), " ") }
	blocks := strings.Split(string(readme), "```go\n")[1:]
	require.Len(t, blocks, 2)
	for _, block := range blocks {
		snippet, _, _ := strings.Cut(block, "```")
		require.Contains(t, squeeze(string(code)), squeeze(snippet))
	}
}
