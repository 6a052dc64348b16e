package clerkriver

import (
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/riverqueue/river"

	"github.com/clerk-invitations/clerk-go"
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
	// ErrActive means that a campaign, or a reminder of it, has rows without an outcome, so it
	// cannot be deleted.
	ErrActive = errors.New("clerkriver: the campaign has not finished")
	// ErrUntold means that [Config].OnResult or OnChange has not accepted all results of a
	// campaign, so it cannot be deleted.
	ErrUntold = errors.New("clerkriver: OnResult or OnChange has not accepted all results of the campaign")
	// ErrLimitUnavailable means that the database of the shared limit failed, or did not
	// answer within three seconds. The request was not sent. The call retries it, unless the
	// database reports a lasting problem: a missing table, right, schema or database, or a
	// password that is not accepted.
	ErrLimitUnavailable = errors.New("clerkriver: the shared limit's database failed")
	// ErrNoTransport means that the client was not created by [Campaigns.NewClient].
	ErrNoTransport = errors.New("clerkriver: the client was not created by Campaigns.NewClient")
	// ErrNotMigrated means that this package's tables are missing or have another version. If
	// River's own tables are missing, the error says so and does not match.
	ErrNotMigrated = errors.New("clerkriver: the tables are missing or out of date; " +
		"run clerkriver.Migrate, or the new ones of clerkriver.Migrations with your tool")
)

// PostgreSQL's codes for tables and columns that are missing without a migration.
const (
	codeUndefinedTable  = "42P01"
	codeUndefinedColumn = "42703"
)

// lastingCodes are PostgreSQL's codes for problems that a retry does not solve.
var lastingCodes = []string{
	codeUndefinedTable, codeUndefinedColumn,
	"42501", // insufficient privilege
	"3F000", // invalid schema name
	"3D000", // the database does not exist
	"28000", // invalid authorization
	"28P01", // invalid password
}

// explain adds ErrNotMigrated to an error that a missing migration has caused.
func explain(err error) error {
	if hasCode(err, codeUndefinedTable, codeUndefinedColumn) && !errors.Is(err, errRiverNotMigrated) {
		return fmt.Errorf("%w: %w", ErrNotMigrated, err)
	}
	return err
}

// Advice on errors of River's client.
var (
	errRiverNotMigrated = errors.New("clerkriver: River's own tables are missing or out of date; run its migrations, with rivermigrate")
	errUnknownWake      = errors.New("clerkriver: the River client has workers, but not the wake job's: " +
		"call Campaigns.Install before river.NewClient, or set SkipUnknownJobCheck in river.Config")
)

// explainRiver adds advice to an error of River's client, if there is any.
func explainRiver(err error) error {
	_, unknown := errors.AsType[*river.UnknownJobKindError](err)
	switch {
	case unknown:
		return fmt.Errorf("%w: %w", errUnknownWake, err)
	case hasCode(err, codeUndefinedTable, codeUndefinedColumn):
		return fmt.Errorf("%w: %w", errRiverNotMigrated, err)
	}
	return err
}

// hasCode reports whether PostgreSQL's error has one of the codes.
func hasCode(err error, codes ...string) bool {
	failure, ok := errors.AsType[*pgconn.PgError](err)
	return ok && slices.Contains(codes, failure.Code)
}

// An unsentError is the error of a request that was not sent. It says only why.
type unsentError struct {
	error

	limit bool // the database gave no slot
}

// Is matches [clerk.ErrNotSent], and [ErrLimitUnavailable] if that is the reason.
func (e unsentError) Is(target error) bool {
	return target == clerk.ErrNotSent || e.limit && target == ErrLimitUnavailable
}

// Unwrap returns the reason.
func (e unsentError) Unwrap() error { return e.error }

// Permanent reports whether a retry would fail in the same way, see [clerk.ErrNotSent].
func (e unsentError) Permanent() bool { return e.limit && hasCode(e.error, lastingCodes...) }

// unavailable returns the error of a request that the database gave no slot.
func unavailable(err error) error {
	if err = explain(err); !errors.Is(err, ErrNotMigrated) {
		err = fmt.Errorf("%w: %w", ErrLimitUnavailable, err)
	}
	return unsentError{err, true}
}
