package clerkriver

import (
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
)

// NewTestPool returns a pool on a database with all tables.
func NewTestPool(t *testing.T) *pgxpool.Pool {
	t.Helper()
	return connect(t, shared.database(t))
}
