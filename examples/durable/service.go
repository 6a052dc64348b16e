package main

import (
	"cmp"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerkriver"
)

// wake is the interval at which this command sends.
const wake = 5 * time.Second

// defaultInstance is the default of -instance.
const defaultInstance = "default"

// A service holds the parts of a service that uses River, with the campaigns installed.
type service struct {
	pool      *pgxpool.Pool
	river     *river.Client[pgx.Tx] // only inserts jobs
	campaigns *clerkriver.Campaigns
	cluster   *cluster // nil with DATABASE_URL
	config    clerkriver.Config
}

// open connects to the database at a URL, or to the command's own in a folder.
func open(ctx context.Context, url, folder string, config clerkriver.Config) (s *service, err error) {
	s = &service{config: config}
	if url == "" {
		if s.cluster, url, err = openCluster(ctx, folder); err != nil {
			return nil, err
		}
	}
	poolConfig, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("DATABASE_URL: %w", err)
	}
	poolConfig.ConnConfig.RuntimeParams["application_name"] = applicationName()
	if s.pool, err = pgxpool.NewWithConfig(ctx, poolConfig); err != nil {
		return nil, err
	}
	if err = s.adoptSettings(ctx); err == nil {
		s.campaigns, err = clerkriver.New(s.pool, s.config)
	}
	if err == nil {
		s.river, err = river.NewClient(riverpgxv5.New(s.pool), &river.Config{})
	}
	if err == nil && s.cluster != nil {
		_, err = s.migrate(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, s.close(context.WithoutCancel(ctx)))
	}
	return s, nil
}

// adoptSettings sets the intervals and limits of the process that sent last, if there was one:
// all processes that send must have the same limits.
func (s *service) adoptSettings(ctx context.Context) error {
	var settings []byte
	err := s.pool.QueryRow(ctx, "SELECT settings FROM clerkriver_instances WHERE name = $1", s.config.Instance).Scan(&settings)
	if _, isServers := errors.AsType[*pgconn.PgError](err); isServers || errors.Is(err, pgx.ErrNoRows) || err == nil && settings == nil {
		return nil // a missing table is reported when it is needed
	}
	if err != nil {
		return err
	}
	return json.Unmarshal(settings, &s.config)
}

func (s *service) close(ctx context.Context) error {
	s.pool.Close()
	if s.cluster == nil {
		return nil
	}
	return s.cluster.close(ctx)
}

// migrate creates the tables, and says which. It does not touch River's if they exist.
func (s *service) migrate(ctx context.Context) (done []string, err error) {
	if err := s.findSchema(ctx); err != nil {
		return nil, err
	}
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		ran, err := clerkriver.Migrate(ctx, tx, "", -1) // others wait until tx ends
		if err != nil {
			return err
		}
		for _, m := range ran {
			done = append(done, fmt.Sprintf("the tables were migrated to version %d: %s", m.Version, m.Name))
		}
		var exists bool
		if err := tx.QueryRow(ctx, "SELECT to_regclass('river_job') IS NOT NULL").Scan(&exists); err != nil || exists {
			return err
		}
		migrator, err := rivermigrate.New(riverpgxv5.New(s.pool), nil)
		if err != nil {
			return err
		}
		done = append(done, "River's tables were created")
		_, err = migrator.Migrate(ctx, rivermigrate.DirectionUp, nil) // needs several transactions
		return err
	})
	return done, err
}

// writeSQL writes the migrations, oldest first, for the schema of the connection that runs them.
func writeSQL(w io.Writer) error {
	for _, m := range clerkriver.Migrations("") {
		if _, err := fmt.Fprintf(w, "-- clerkriver, version %d: %s\n%s\n\n", m.Version, m.Name, strings.TrimSpace(m.SQLUp)); err != nil {
			return err
		}
	}
	return nil
}

// findSchema returns an error that names the schema of the tables, if the search path lacks it.
func (s *service) findSchema(ctx context.Context) error {
	var schema string
	err := s.pool.QueryRow(ctx, `SELECT COALESCE(min(schemaname::text), '') FROM pg_tables
		WHERE tablename = 'clerkriver_instances' AND to_regclass('clerkriver_instances') IS NULL`).Scan(&schema)
	if err != nil || schema == "" {
		return err
	}
	return fmt.Errorf("the tables are in the schema %q; append ?search_path=%s,public to DATABASE_URL", schema, schema)
}

// explain says what to do about missing tables.
func (s *service) explain(ctx context.Context, err error) error {
	const undefinedTable = "42P01" // perhaps one of River's tables
	if failure, ok := errors.AsType[*pgconn.PgError](err); !ok || failure.Code != undefinedTable {
		return err
	}
	return cmp.Or(s.findSchema(ctx), fmt.Errorf(`%w; run "durable migrate" once`, err))
}

// requireInstance returns an error if the tables do not have the instance: no campaign, run or
// pause of it. The default one is accepted if they have none at all.
func (s *service) requireInstance(ctx context.Context) error {
	var exists bool
	err := s.pool.QueryRow(ctx, `SELECT coalesce(bool_or(name = $1), $2) FROM (
			SELECT name FROM clerkriver_instances UNION SELECT instance FROM clerkriver_campaigns) instances`,
		s.config.Instance, s.config.Instance == defaultInstance).Scan(&exists)
	if err != nil || exists {
		return err
	}
	return fmt.Errorf("these tables have no instance %q; nothing was done. "+
		"Check -instance, and whether DATABASE_URL needs ?search_path=SCHEMA,public", s.config.Instance)
}

// pauseReason returns the reason for which the instance or, if one is named, the campaign alone
// is paused; empty if it is not. A campaign that has finished is an error.
func (s *service) pauseReason(ctx context.Context, campaign string) (string, error) {
	if campaign == "" {
		shared, err := s.campaigns.InstanceStatus(ctx)
		if err != nil {
			return "", err
		}
		return shared.Paused, nil
	}
	st, err := s.campaigns.Status(ctx, campaign)
	if err == nil && st.Done() {
		err = fmt.Errorf("%s has finished; nothing was done", campaign)
	}
	if err != nil {
		return "", err
	}
	return st.CampaignPaused, nil
}

// tryAgain ends a pause that would end by itself. It returns an error if a person has paused.
func (s *service) tryAgain(ctx context.Context) error {
	shared, err := s.campaigns.InstanceStatus(ctx)
	if err != nil {
		return err
	}
	if shared.Paused != "" && shared.PausedUntil.IsZero() {
		return fmt.Errorf("nothing was sent: somebody has paused sending: %s%s", shared.Paused, s.toResume())
	}
	return s.campaigns.Resume(ctx, s.river)
}

// newClient returns a client that shares Clerk's limits with the campaigns.
func (s *service) newClient(secretKey, baseURL string, api http.RoundTripper) (*clerk.Client, error) {
	opts := []clerk.Option{clerk.WithAppName("durable")}
	if baseURL != "" {
		opts = append(opts, clerk.WithBaseURL(baseURL))
	}
	return s.campaigns.NewClient(secretKey, api, opts...)
}

// start makes River send campaigns in this process, until stop is called. Stopping finishes
// the request under way.
func (s *service) start(ctx context.Context, secretKey, baseURL string, api http.RoundTripper, log io.Writer) (stop func() error, err error) {
	client, err := s.newClient(secretKey, baseURL, api)
	if err != nil {
		return nil, err
	}
	config := &river.Config{Logger: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelError}))}
	if err := s.campaigns.Install(config, client); err != nil {
		return nil, err
	}
	worker, err := river.NewClient(riverpgxv5.New(s.pool), config)
	if err != nil {
		return nil, err
	}
	detached := context.WithoutCancel(ctx)
	return func() error { return worker.StopAndCancel(detached) }, worker.Start(detached)
}

func (s *service) cancel(ctx context.Context, campaign string) error {
	return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error { return s.campaigns.CancelTx(ctx, tx, campaign) })
}

// delete erases a campaign, and returns what was done.
func (s *service) delete(ctx context.Context, campaign string) (done string, err error) {
	st, err := s.campaigns.Status(ctx, campaign)
	if err == nil {
		err = s.campaigns.Delete(ctx, campaign)
	}
	if err != nil {
		return "", err
	}
	done = campaign + " was deleted"
	if n := st.Counts[clerkriver.StateCreated]; n > 0 {
		done += fmt.Sprintf("; what becomes of its invitations that were open at the last sync (%d) is not learned anymore", n)
	}
	return done, nil
}

// exclude excludes a person from reminders, and returns what was done.
func (s *service) exclude(ctx context.Context, address string) (done string, err error) {
	rows, err := s.rowsOf(ctx, address)
	if err == nil {
		err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error { return s.campaigns.ExcludeTx(ctx, tx, address) })
	}
	if rows == 0 {
		return "the address is excluded from reminders; no campaign has it yet", err
	}
	return "the person is excluded from reminders", err
}

// rowsOf returns how many rows of the instance have an address. It reads all of them.
func (s *service) rowsOf(ctx context.Context, address string) (n int, err error) {
	err = s.pool.QueryRow(ctx, `SELECT count(*) FROM clerkriver_rows r JOIN clerkriver_campaigns c ON c.id = r.campaign_id
		WHERE c.instance = $1 AND lower(r.request->>'email_address') = lower($2)`,
		s.config.Instance, strings.TrimSpace(address)).Scan(&n)
	return n, err
}

// describe returns a status in one line, with advice.
func (s *service) describe(st *clerkriver.Status) string {
	switch {
	case st.Done():
		return st.String()
	case st.InstancePaused != "" && st.CampaignPaused != "":
		return st.String() + s.toResume() + " with the others, and " + s.command("-campaign "+st.Name+" resume") + " with this one"
	case st.InstancePaused != "":
		return st.String() + s.toResume()
	case st.CampaignPaused != "":
		return st.String() + "; " + s.command("-campaign "+st.Name+" resume") + " continues at once"
	case !st.OverdueSince.IsZero():
		return st.String() + "; start the service that sends, or " + s.command("work")
	}
	return st.String()
}

// describeInstance returns what the campaigns share in one line.
func (s *service) describeInstance(shared *clerkriver.InstanceStatus) string {
	if shared.Paused != "" {
		return shared.String() + s.toResume()
	}
	return shared.String()
}

func (s *service) toResume() string { return "; " + s.command("resume") + " continues at once" }

// command returns the command line of a command for the same instance and queue.
func (s *service) command(name string) string {
	line := "durable "
	if s.config.Instance != "" && s.config.Instance != defaultInstance {
		line += "-instance " + s.config.Instance + " "
	}
	if s.config.Queue != "" {
		line += "-queue " + s.config.Queue + " "
	}
	return strconv.Quote(line + name)
}

// writeReport writes a line for each row, as CSV. Its last column is the error of a service's
// OnResult or OnChange.
func writeReport(ctx context.Context, s *service, campaign string, w io.Writer) error {
	lines := csv.NewWriter(w)
	_ = lines.Write([]string{"line", "email_address", "outcome", "invitation_id", "problem", "untold"}) // Error returns its error
	for r, err := range s.campaigns.Results(ctx, campaign, 0) {
		if err != nil {
			return err
		}
		_ = lines.Write([]string{r.Ref, r.EmailAddress, string(r.State), r.InvitationID, r.Problem, r.Untold})
	}
	lines.Flush()
	return lines.Error()
}
