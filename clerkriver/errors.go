package clerkriver

import (
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"
)

// Errors that a caller acts on, for [errors.Is].
var (
	// ErrNoCampaign means that the instance has no campaign of that name.
	ErrNoCampaign = errors.New("clerkriver: no such campaign")
	// ErrCampaignExists means that there is a campaign of that name with other rows or
	// options, or that one of that name was deleted.
	ErrCampaignExists = errors.New("clerkriver: a campaign of that name exists with other rows or options")
	// ErrEmpty means that a campaign has no rows.
	ErrEmpty = errors.New("clerkriver: the campaign has no rows")
	// ErrActive means that a campaign has rows without an outcome, so it cannot be deleted.
	ErrActive = errors.New("clerkriver: the campaign has not finished")
	// ErrLimitUnavailable means that the database of the shared limit failed, or did not
	// answer within three seconds. The request was not sent.
	ErrLimitUnavailable = errors.New("clerkriver: the shared limit's database failed; nothing was sent")
	// ErrNoTransport means that the client was not made by [Campaigns.NewClient].
	ErrNoTransport = errors.New("clerkriver: the client was not made by Campaigns.NewClient")
	// ErrNotMigrated means that the tables do not exist, or are those of another version.
	ErrNotMigrated = errors.New("clerkriver: the tables are missing or out of date; run clerkriver.Migrate")
)

// PostgreSQL's codes for what is missing without a migration.
const (
	codeUndefinedTable  = "42P01"
	codeUndefinedColumn = "42703"
)

// explain adds ErrNotMigrated to an error that a missing migration explains.
func explain(err error) error {
	failure, ok := errors.AsType[*pgconn.PgError](err)
	if ok && (failure.Code == codeUndefinedTable || failure.Code == codeUndefinedColumn) {
		return fmt.Errorf("%w: %w", ErrNotMigrated, err)
	}
	return err
}
