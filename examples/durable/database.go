package main

import (
	"context"
	"database/sql"
	"fmt"
	"os"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"
	"github.com/riverqueue/river/rivertype"
	_ "modernc.org/sqlite" // the driver
)

// A jobClient is what is used of a river.Client, whatever the database.
type jobClient interface {
	Start(ctx context.Context) error
	StopAndCancel(ctx context.Context) error
	InsertMany(ctx context.Context, params []river.InsertManyParams) ([]*rivertype.JobInsertResult, error)
	JobCancel(ctx context.Context, id int64) (*rivertype.JobRow, error)
	JobList(ctx context.Context, params *river.JobListParams) (*river.JobListResult, error)
	QueueGet(ctx context.Context, name string) (*rivertype.Queue, error)
	QueuePause(ctx context.Context, name string, opts *river.QueuePauseOpts) error
	QueueResume(ctx context.Context, name string, opts *river.QueuePauseOpts) error
	QueueUpdate(ctx context.Context, name string, params *river.QueueUpdateParams) (*rivertype.Queue, error)
}

// A database holds the jobs and the limits.
type database struct {
	sql       *sql.DB
	newClient func(*river.Config) (jobClient, error)
	migrate   func(context.Context) error
	close     func()
}

// openDatabase connects to the PostgreSQL database at a URL, or opens the SQLite database
// in a file, which it makes where there is none.
func openDatabase(ctx context.Context, url, file string) (*database, error) {
	if url == "" {
		made, err := os.OpenFile(file, os.O_RDWR|os.O_CREATE, 0o600) //nolint:gosec // it holds addresses
		if err != nil {
			return nil, err
		}
		if err := made.Close(); err != nil {
			return nil, err
		}
		pool, err := sql.Open("sqlite", "file:"+file+"?_txlock=immediate&_pragma=journal_mode(WAL)&_pragma=busy_timeout(30000)")
		if err != nil {
			return nil, err
		}
		pool.SetMaxOpenConns(1) // as River's driver asks for
		return newDatabase(pool, riversqlite.New(pool)), nil
	}
	pool, err := pgxpool.New(ctx, url)
	if err != nil {
		return nil, fmt.Errorf("DATABASE_URL: %w", err)
	}
	db := newDatabase(stdlib.OpenDBFromPool(pool), riverpgxv5.New(pool))
	closeSQL := db.close
	db.close = func() { closeSQL(); pool.Close() }
	return db, nil
}

func newDatabase[TTx any](pool *sql.DB, driver riverdriver.Driver[TTx]) *database {
	return &database{
		sql: pool,
		newClient: func(config *river.Config) (jobClient, error) {
			return river.NewClient(driver, config)
		},
		migrate: func(ctx context.Context) error {
			migrator, err := rivermigrate.New(driver, nil)
			if err != nil {
				return err
			}
			if _, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
				return fmt.Errorf("the tables of River: %w", err)
			}
			_, err = pool.ExecContext(ctx, createLimit)
			return err
		},
		close: func() { _ = pool.Close() },
	}
}
