package clerkriver

import (
	"context"
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
	// SQLUp leads from the previous version to this one, SQLDown back.
	SQLUp, SQLDown string
}

// Migrations returns all versions of the tables, oldest first, for a schema; an empty
// schema means the first one of the connection's search_path. Use it where another tool
// runs migrations. [Migrate] runs them itself, and keeps the versions that have been
// applied in the table clerkriver_migrations.
func Migrations(schema string) []Migration {
	prefix := schemaPrefix(schema)
	return []Migration{{
		Version: 1,
		Name:    "campaigns, rows, slots",
		SQLUp:   strings.ReplaceAll(upV1, "SCHEMA.", prefix),
		SQLDown: strings.ReplaceAll(downV1, "SCHEMA.", prefix),
	}}
}

// schemaPrefix is what goes before a table's name in SQL.
func schemaPrefix(schema string) string {
	if schema == "" {
		return ""
	}
	return pgx.Identifier{schema}.Sanitize() + "."
}

const upV1 = `
CREATE TABLE SCHEMA.clerkriver_instances (
	name         text        PRIMARY KEY,
	run          bigint      NOT NULL DEFAULT 0, -- the fencing token of the last runner
	leased_until timestamptz NOT NULL DEFAULT 'epoch',
	paused_at    timestamptz,
	pause_reason text        NOT NULL DEFAULT '',
	problem      text        NOT NULL DEFAULT '' -- why the last run ended early
);
CREATE TABLE SCHEMA.clerkriver_campaigns (
	id           bigint      PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
	instance     text        NOT NULL,
	name         text        NOT NULL,
	priority     integer     NOT NULL,
	not_before   timestamptz NOT NULL,
	resend       boolean     NOT NULL, -- its requests have ignore_existing
	digest       bytea       NOT NULL, -- of its rows
	enqueued_at  timestamptz NOT NULL,
	cancelled_at timestamptz,
	finished_at  timestamptz,
	deleted_at   timestamptz,
	UNIQUE (instance, name)
);
CREATE INDEX clerkriver_campaigns_open ON SCHEMA.clerkriver_campaigns (instance, priority, id)
	WHERE finished_at IS NULL;
CREATE TABLE SCHEMA.clerkriver_rows (
	campaign_id   bigint      NOT NULL,
	place         integer     NOT NULL,
	ref           text        NOT NULL,
	request       json        NOT NULL,
	state         text        NOT NULL DEFAULT 'waiting',
	run           bigint      NOT NULL DEFAULT 0,
	attempts      smallint    NOT NULL DEFAULT 0, -- that may have sent it, and left no outcome
	invitation_id text,
	problem       text,
	changed_at    timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (campaign_id, place)
);
CREATE INDEX clerkriver_rows_open ON SCHEMA.clerkriver_rows (campaign_id, state, place)
	WHERE state IN ('waiting', 'sending');
CREATE INDEX clerkriver_rows_invitation ON SCHEMA.clerkriver_rows (invitation_id)
	WHERE invitation_id IS NOT NULL;
CREATE TABLE SCHEMA.clerkriver_slots (
	instance text        NOT NULL,
	kind     text        NOT NULL,
	slot     integer     NOT NULL,
	token    bigint      NOT NULL DEFAULT 0, -- counts the requests that have held it
	free_at  timestamptz NOT NULL DEFAULT 'epoch',
	PRIMARY KEY (instance, kind, slot)
);`

const downV1 = `
DROP TABLE SCHEMA.clerkriver_slots;
DROP TABLE SCHEMA.clerkriver_rows;
DROP TABLE SCHEMA.clerkriver_campaigns;
DROP TABLE SCHEMA.clerkriver_instances;`

// migrationsLock is an advisory lock that keeps two migrations from running at once.
const migrationsLock = 0x636c65726b // "clerk"

// Migrate brings the tables to the version target in the transaction tx, up or down, and
// returns the versions that it ran. Version 0 drops all tables; a negative target means
// the newest version. The schema must exist. It needs the right to create tables; nothing
// else in this package does.
func Migrate(ctx context.Context, tx pgx.Tx, schema string, target int) ([]Migration, error) {
	all := Migrations(schema)
	if target < 0 {
		target = len(all)
	}
	if target > len(all) {
		return nil, fmt.Errorf("clerkriver: there is no version %d of the tables", target)
	}
	table := schemaPrefix(schema) + "clerkriver_migrations"
	if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", int64(migrationsLock)); err != nil {
		return nil, err
	}
	if _, err := tx.Exec(ctx, "CREATE TABLE IF NOT EXISTS "+table+
		" (version integer PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())"); err != nil {
		return nil, err
	}
	var now int
	if err := tx.QueryRow(ctx, "SELECT coalesce(max(version), 0) FROM "+table).Scan(&now); err != nil {
		return nil, err
	}
	var ran []Migration
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
	if target == 0 {
		_, err := tx.Exec(ctx, "DROP TABLE "+table)
		return ran, err
	}
	return ran, nil
}

func migrateOne(ctx context.Context, tx pgx.Tx, sql, record string, m Migration) error {
	if _, err := tx.Exec(ctx, sql); err != nil {
		return fmt.Errorf("clerkriver: migration %d: %w", m.Version, err)
	}
	_, err := tx.Exec(ctx, record, m.Version)
	return err
}
