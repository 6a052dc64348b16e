package clerkriver

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// A Migration is one version of the tables.
type Migration struct {
	// Version counts from 1.
	Version int
	// Name describes the version.
	Name string
	// SQLUp migrates from the previous version to this one, SQLDown back.
	SQLUp, SQLDown string
}

// Migrations returns all versions of the tables, oldest first, for a schema; an empty
// schema means the first one of the connection's search_path. Use it where another tool
// runs migrations. [Migrate] runs them itself, and keeps the versions that have been
// applied in the table clerkriver_migrations, which this SQL does not have. So keep to one of
// the two: Migrate and [Drop] return an error for tables that another tool has created.
//
// Version 1 was never released. [Campaigns.ErasePersonTx] and [Campaigns.RemindTx] do not find
// rows that were enqueued with it, or that were there when version 2 was undone.
func Migrations(schema string) []Migration {
	prefix := schemaPrefix(schema)
	return []Migration{{
		Version: 1,
		Name:    "campaigns, rows, slots",
		SQLUp:   strings.ReplaceAll(upV1, "SCHEMA.", prefix),
		SQLDown: strings.ReplaceAll(downV1, "SCHEMA.", prefix),
	}, {
		Version: 2,
		Name:    "states of invitations after they were created",
		SQLUp:   strings.ReplaceAll(upV2, "SCHEMA.", prefix),
		SQLDown: strings.ReplaceAll(downV2, "SCHEMA.", prefix),
	}, {
		Version: 3,
		Name:    "reports of pauses, and what processes know of each other",
		SQLUp:   strings.ReplaceAll(upV3, "SCHEMA.", prefix),
		SQLDown: strings.ReplaceAll(downV3, "SCHEMA.", prefix),
	}}
}

// schemaPrefix returns the prefix of a table's name in SQL.
func schemaPrefix(schema string) string {
	if schema == "" {
		return ""
	}
	return pgx.Identifier{schema}.Sanitize() + "."
}

const upV1 = `
CREATE TABLE SCHEMA.clerkriver_instances (
	name          text        PRIMARY KEY,
	run           bigint      NOT NULL DEFAULT 0, -- the fencing token of the last runner
	holder        text        NOT NULL DEFAULT '', -- a random name of the last runner
	leased_until  timestamptz NOT NULL DEFAULT 'epoch',
	begun_at      timestamptz, -- the last run
	ended_at      timestamptz,
	next_run      timestamptz NOT NULL DEFAULT 'epoch', -- no wake job begins a run before that
	failures      integer     NOT NULL DEFAULT 0, -- runs in a row that ended early
	problem       text        NOT NULL DEFAULT '', -- why the last run ended early
	refused_since timestamptz, -- Clerk has refused every request since then
	paused_until  timestamptz NOT NULL DEFAULT 'epoch', -- infinity if a person paused
	pause_reason  text        NOT NULL DEFAULT '',
	pauses        integer     NOT NULL DEFAULT 0 -- pauses in a row that no person made
);
CREATE TABLE SCHEMA.clerkriver_campaigns (
	id           bigint      PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
	instance     text        NOT NULL,
	name         text        NOT NULL,
	priority     integer     NOT NULL,
	not_before   timestamptz NOT NULL,
	options      text        NOT NULL, -- the options that it was enqueued with
	resend       boolean     NOT NULL DEFAULT false, -- its requests have ignore_existing
	digest       bytea       NOT NULL DEFAULT '', -- of its rows
	total        integer     NOT NULL DEFAULT 0, -- rows
	next_place   integer     NOT NULL DEFAULT 0, -- a run has taken the rows before it
	enqueued_at  timestamptz NOT NULL,
	paused_at    timestamptz,
	pause_reason text        NOT NULL DEFAULT '',
	cancelled_at timestamptz,
	finished_at  timestamptz,
	deleted_at   timestamptz,
	UNIQUE (instance, name)
) WITH (fillfactor = 70); -- next_place changes often
CREATE INDEX clerkriver_campaigns_open ON SCHEMA.clerkriver_campaigns (instance, priority, id)
	WHERE finished_at IS NULL;
CREATE TABLE SCHEMA.clerkriver_rows (
	campaign_id     bigint      NOT NULL,
	place           integer     NOT NULL,
	ref             text        NOT NULL,
	request         json        NOT NULL,
	state           text        NOT NULL DEFAULT 'waiting',
	run             bigint      NOT NULL DEFAULT 0, -- the run that took it last
	attempts        smallint    NOT NULL DEFAULT 0, -- attempts that may have sent it, and left no outcome
	may_exist_until timestamptz, -- when the last of them had certainly ended
	invitation_id   text,
	problem         text,
	changed_at      timestamptz NOT NULL DEFAULT now(),
	tell_at         timestamptz, -- when OnResult is called again; null if it has accepted the result
	tells           smallint    NOT NULL DEFAULT 0, -- calls of OnResult that failed
	tell_problem    text,
	PRIMARY KEY (campaign_id, place)
) WITH (autovacuum_vacuum_scale_factor = 0.02);
CREATE INDEX clerkriver_rows_sending ON SCHEMA.clerkriver_rows (run)
	WHERE run > 0 AND state = 'sending';
CREATE INDEX clerkriver_rows_given_back ON SCHEMA.clerkriver_rows (campaign_id)
	WHERE run > 0 AND state = 'waiting';
CREATE INDEX clerkriver_rows_invitation ON SCHEMA.clerkriver_rows (invitation_id)
	WHERE invitation_id IS NOT NULL;
CREATE INDEX clerkriver_rows_untold ON SCHEMA.clerkriver_rows (tell_at)
	WHERE tell_at IS NOT NULL;
CREATE TABLE SCHEMA.clerkriver_counts ( -- counts of outcomes, to be summed over the sources, which never wait for each other
	campaign_id bigint  NOT NULL,
	state       text    NOT NULL,
	source      bigint  NOT NULL, -- the run that counts
	rows        integer NOT NULL,
	PRIMARY KEY (campaign_id, state, source)
) WITH (fillfactor = 70);
CREATE TABLE SCHEMA.clerkriver_slots (
	instance    text        NOT NULL,
	kind        text        NOT NULL,
	slot        integer     NOT NULL,
	token       bigint      NOT NULL DEFAULT 0, -- counts the requests that have held it
	free_at     timestamptz NOT NULL DEFAULT 'epoch',
	invitations text[]      NOT NULL DEFAULT '{}', -- those that its last request created, unless it was a campaign's
	PRIMARY KEY (instance, kind, slot)
) WITH (fillfactor = 50);`

const downV1 = `
DROP TABLE SCHEMA.clerkriver_slots;
DROP TABLE SCHEMA.clerkriver_counts;
DROP TABLE SCHEMA.clerkriver_rows;
DROP TABLE SCHEMA.clerkriver_campaigns;
DROP TABLE SCHEMA.clerkriver_instances;`

// migrationsLock is an advisory lock that keeps two migrations from running at once.
const migrationsLock = 0x636c65726b // "clerk"

// Migrate brings the tables to the version target in the transaction tx, up or down, and
// returns the versions that it ran. A negative target means the newest version. Zero is an
// error: [Drop] drops the tables. The schema must exist. If a migration is due, Migrate needs
// the right to create tables; nothing else in this package does. Several processes may migrate
// at once: one does the work, and the others wait for its transaction.
func Migrate(ctx context.Context, tx pgx.Tx, schema string, target int) ([]Migration, error) {
	all := Migrations(schema)
	switch {
	case target == 0:
		return nil, errors.New("clerkriver: Migrate needs a version of 1 or more, or -1 for the newest; Drop drops the tables")
	case target < 0:
		target = len(all)
	case target > len(all):
		return nil, fmt.Errorf("clerkriver: there is no version %d of the tables", target)
	}
	return migrate(ctx, tx, schema, all, target)
}

// Drop drops all tables in the transaction tx, with the campaigns, and returns the versions
// that it undid.
func Drop(ctx context.Context, tx pgx.Tx, schema string) ([]Migration, error) {
	ran, err := migrate(ctx, tx, schema, Migrations(schema), 0)
	if err != nil {
		return nil, err
	}
	_, err = tx.Exec(ctx, "DROP TABLE IF EXISTS "+versionsTable(schema))
	return ran, err
}

// versionsTable returns the name of the table of the versions that were applied.
func versionsTable(schema string) string { return schemaPrefix(schema) + "clerkriver_migrations" }

func migrate(ctx context.Context, tx pgx.Tx, schema string, all []Migration, target int) (ran []Migration, err error) {
	if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", int64(migrationsLock)); err != nil {
		return nil, err
	}
	table := versionsTable(schema)
	now, err := appliedVersion(ctx, tx, schema)
	if err != nil || now == target {
		return nil, err
	}
	if now == 0 {
		if _, err := tx.Exec(ctx, "CREATE TABLE IF NOT EXISTS "+table+
			" (version integer PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())"); err != nil {
			return nil, err
		}
	}
	for ; now < target; now++ {
		next := all[now]
		if err := migrateOne(ctx, tx, next.SQLUp, "INSERT INTO "+table+" (version) VALUES ($1)", next); err != nil {
			return nil, err
		}
		ran = append(ran, next)
	}
	for ; now > target; now-- {
		last := all[now-1]
		if err := migrateOne(ctx, tx, last.SQLDown, "DELETE FROM "+table+" WHERE version = $1", last); err != nil {
			return nil, err
		}
		ran = append(ran, last)
	}
	return ran, nil
}

// errOtherTool means that the versions that were applied are not known.
var errOtherTool = errors.New("clerkriver: the tables exist, but not clerkriver_migrations: " +
	"another tool has run the SQL of Migrations, so run it with that tool")

// appliedVersion returns the newest version that was applied, or 0 if there is none.
func appliedVersion(ctx context.Context, tx pgx.Tx, schema string) (version int, err error) {
	table := versionsTable(schema)
	var hasVersions, hasTables bool
	err = tx.QueryRow(ctx, "SELECT to_regclass($1) IS NOT NULL, to_regclass($2) IS NOT NULL",
		table, schemaPrefix(schema)+"clerkriver_instances").Scan(&hasVersions, &hasTables)
	switch {
	case err != nil:
		return 0, err
	case hasTables && !hasVersions:
		return 0, errOtherTool
	case !hasVersions:
		return 0, nil
	}
	err = tx.QueryRow(ctx, "SELECT coalesce(max(version), 0) FROM "+table).Scan(&version)
	return version, err
}

func migrateOne(ctx context.Context, tx pgx.Tx, sql, record string, m Migration) error {
	if _, err := tx.Exec(ctx, sql); err != nil {
		return fmt.Errorf("clerkriver: migration %d: %w", m.Version, err)
	}
	_, err := tx.Exec(ctx, record, m.Version)
	return err
}
