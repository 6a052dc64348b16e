package clerkriver

import (
	"context"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// A database is a pool, and the schema of this package's tables in it.
type database struct {
	pool   *pgxpool.Pool
	schema string // empty for the first of the search_path
}

// A querier is a pool or a transaction.
type querier interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// sql puts the schema into a query.
func (d *database) sql(query string) string {
	return strings.ReplaceAll(query, "SCHEMA.", schemaPrefix(d.schema))
}

// table returns a table's name for CopyFrom.
func (d *database) table(name string) pgx.Identifier {
	if d.schema == "" {
		return pgx.Identifier{name}
	}
	return pgx.Identifier{d.schema, name}
}

// oneLine returns s on one line, without the bytes that PostgreSQL does not accept in a text.
func oneLine(s string) string {
	return strings.Join(strings.Fields(strings.ReplaceAll(strings.ToValidUTF8(s, "\ufffd"), "\x00", "")), " ")
}

// In the queries $1 is the instance, unless a comment says otherwise. Only the last
// runner's number can be that of rows that are being sent, so these are found by the index
// clerkriver_rows_sending, however many rows there are or were, and those that were given
// back by clerkriver_rows_given_back. No query of a runner waits for a campaign or row that
// a caller's transaction has locked.

// itemColumns are the columns of an item, of campaigns c and rows r.
const itemColumns = `c.id, c.name, c.priority, c.enqueued_at, c.cancelled_at IS NOT NULL,
	c.paused_at IS NOT NULL OR c.not_before > clock_timestamp(), coalesce(r.place, -1), coalesce(r.ref, ''),
	r.request, coalesce(r.attempts, 0), coalesce(r.state = 'sending', false), r.may_exist_until, coalesce(r.replaces, '')`

// When the next run is due.
const (
	// The time at which the next run is due, and at which it would be due for rows without an
	// outcome alone, but not before the last run ended. It is NULL if there is nothing to do. If
	// a person has paused the instance, nothing that is sent or revoked counts. In a pause that
	// ends by itself, that is due at its end, and syncs are if Clerk only refuses creates.
	// $2 and $3 are the budget's creates and bulk creates, $4 is the interval of syncs (NULL:
	// none), $5 whether the run waits for next_run, $6 how long campaigns are kept (NULL: forever),
	// $7 and $8 whether this process has OnResult and OnChange. If it has not, a run ten minutes
	// after the last one keeps the jobs alive for a process that has. A wake a day finds out that
	// a reminder, for which a campaign is kept, was cancelled.
	queryDue = `WITH i AS (
			SELECT coalesce(max(run), 0) AS run, coalesce(max(failures), 0) AS failures,
				coalesce(max(paused_until) = 'infinity', false) AS held, max(ended_at) AS ended, max(paused_until) AS resumes,
				greatest(max(leased_until), max(paused_until) FILTER (WHERE NOT (` + isHeld + `)),
					CASE WHEN $5::boolean THEN max(next_run) END) AS earliest
			FROM SCHEMA.clerkriver_instances WHERE name = $1),
		open AS (SELECT id, greatest(not_before, enqueued_at) AS begin, cancelled_at,
				least(not_before, clock_timestamp()) AS since FROM SCHEMA.clerkriver_campaigns
			WHERE instance = $1 AND finished_at IS NULL AND paused_at IS NULL),
		rows AS (SELECT least(
			(SELECT min(greatest(cancelled_at, since)) FROM open WHERE cancelled_at IS NOT NULL),
			(SELECT min(greatest(r.changed_at, since)) FROM SCHEMA.clerkriver_rows r JOIN open ON open.id = r.campaign_id
				WHERE r.run = (SELECT run FROM i) AND r.run > 0 AND r.state = 'sending'),
			(SELECT greatest(min(begin), ` + nextFree + `) FROM open WHERE cancelled_at IS NULL HAVING count(*) > 0)) AS at),
		waiting AS (SELECT CASE WHEN at IS NOT NULL AND NOT held THEN greatest(at, resumes) END AS at FROM rows, i),
		anything AS (SELECT least((SELECT at FROM waiting),
			(SELECT greatest(r.tell_at, CASE WHEN NOT $7::boolean THEN (SELECT ended FROM i) + interval '10 minutes' END)
				FROM SCHEMA.clerkriver_rows r JOIN SCHEMA.clerkriver_campaigns c ON c.id = r.campaign_id
				WHERE r.tell_at IS NOT NULL AND c.instance = $1 ORDER BY r.tell_at LIMIT 1),
			(SELECT greatest(min(tell_at), CASE WHEN NOT $8::boolean AND count(*) > 0 THEN (SELECT ended FROM i) + interval '10 minutes' END)
				FROM SCHEMA.clerkriver_untold WHERE instance = $1),
			(SELECT greatest(revoke.at, resumes) FROM (SELECT ` + revokeDue + ` AS at) revoke, i WHERE revoke.at IS NOT NULL AND NOT held),
			(SELECT min(erased_at) FROM SCHEMA.clerkriver_erasures WHERE instance = $1),
			(SELECT min(greatest(ended_at + $6::interval, CASE WHEN ` + isReminded + ` THEN clock_timestamp() + interval '1 day' END))
				FROM SCHEMA.clerkriver_campaigns c WHERE instance = $1 AND deleted_at IS NULL AND ended_at IS NOT NULL), ` + syncDue + `) AS at)
		SELECT clock_timestamp(), now(), failures > 0,
			CASE WHEN anything.at IS NOT NULL THEN greatest(anything.at, earliest) END,
			CASE WHEN waiting.at IS NOT NULL THEN greatest(waiting.at, earliest, ended) END
		FROM anything, waiting, i`

	// The time at which a slot of the budget is free: $2 creates and $3 bulk creates.
	nextFree   = `(SELECT min(free_at) FROM SCHEMA.clerkriver_slots WHERE ` + isInBudget + `)`
	isInBudget = `instance = $1 AND (kind = 'create' AND slot < $2::integer OR kind = 'bulk' AND slot < $3::integer)`
)

// Campaigns.
const (
	queryCampaign = `SELECT id FROM SCHEMA.clerkriver_campaigns
		WHERE instance = $1 AND name = $2::text AND deleted_at IS NULL`

	queryAddCampaign = `INSERT INTO SCHEMA.clerkriver_campaigns
			(instance, name, priority, not_before, options, enqueued_at)
		VALUES ($1, $2::text, $3::integer, $4::timestamptz, $5::text, clock_timestamp())
		ON CONFLICT DO NOTHING RETURNING id, clock_timestamp()`

	// $1 is the campaign.
	queryCompleteCampaign = `UPDATE SCHEMA.clerkriver_campaigns
		SET total = $2::integer, digest = $3::bytea, resend = $4::boolean WHERE id = $1 RETURNING clock_timestamp()`

	queryCompareCampaign = `SELECT digest, options, deleted_at IS NOT NULL FROM SCHEMA.clerkriver_campaigns
		WHERE instance = $1 AND name = $2::text`

	// $1 is the campaign.
	queryCancel = `UPDATE SCHEMA.clerkriver_campaigns SET cancelled_at = clock_timestamp()
		WHERE id = $1 AND cancelled_at IS NULL AND finished_at IS NULL`

	// $4 is the process that reports it, empty if nobody would hear of that.
	queryPauseCampaign = `UPDATE SCHEMA.clerkriver_campaigns SET paused_at = coalesce(paused_at, clock_timestamp()),
			pause_reason = $3::text, pause_reporter = CASE WHEN $4::text <> '' THEN $4 WHEN paused_at IS NULL THEN '' ELSE pause_reporter END
		WHERE instance = $1 AND name = $2::text AND deleted_at IS NULL`

	// It may begin now, and not from when it was enqueued on: that would be late. $3 is the
	// process that reports it.
	queryResumeCampaign = `UPDATE SCHEMA.clerkriver_campaigns SET paused_at = NULL, pause_reason = '',
			pause_reporter = CASE WHEN pause_reporter = $3::text THEN '' ELSE pause_reporter END,
			not_before = CASE WHEN paused_at IS NULL THEN not_before ELSE greatest(not_before, clock_timestamp()) END
		WHERE instance = $1 AND name = $2::text AND deleted_at IS NULL`

	queryReschedule = `UPDATE SCHEMA.clerkriver_campaigns SET priority = $3::integer,
			not_before = greatest($4::timestamptz, least(not_before, clock_timestamp()))
		WHERE instance = $1 AND name = $2::text AND deleted_at IS NULL`

	// Finishes the campaigns without an open row. Those that a transaction has locked are
	// finished by a later run.
	queryFinish = `UPDATE SCHEMA.clerkriver_campaigns SET finished_at = clock_timestamp() WHERE id IN (
			SELECT id FROM SCHEMA.clerkriver_campaigns c WHERE instance = $1 AND ` + isAtEnd + ` FOR UPDATE SKIP LOCKED)`

	// The same for the campaign $2, which the transaction has locked.
	queryFinishCampaign = `UPDATE SCHEMA.clerkriver_campaigns c SET finished_at = clock_timestamp() WHERE id = $2::bigint AND ` + isAtEnd

	// Of a campaign c: no row waits, is being sent, or was given back. What was given back of a
	// cancelled one, and certainly not sent, is cancelled.
	isAtEnd = `finished_at IS NULL AND (next_place >= total OR cancelled_at IS NOT NULL)
			AND NOT EXISTS (SELECT FROM SCHEMA.clerkriver_rows r
				WHERE r.run = (SELECT run FROM SCHEMA.clerkriver_instances WHERE name = $1) AND r.run > 0 AND r.state = 'sending'
					AND r.campaign_id = c.id)
			AND NOT EXISTS (SELECT FROM SCHEMA.clerkriver_rows r
				WHERE r.campaign_id = c.id AND ` + isGivenBack + ` AND (c.cancelled_at IS NULL OR r.attempts > 0))`

	// What keeps the campaign $1 from being deleted: OnResult or OnChange has not accepted
	// something, and the first reminder of it that people still get, or ''.
	queryKept = `SELECT ` + hasUntold + `, coalesce((SELECT m.name FROM SCHEMA.clerkriver_campaigns m
			WHERE ` + isReminder + ` ORDER BY m.id LIMIT 1), '')
		FROM SCHEMA.clerkriver_campaigns c WHERE id = $1`

	// $1 is the campaign.
	queryMarkDeleted = `UPDATE SCHEMA.clerkriver_campaigns c SET deleted_at = clock_timestamp(), digest = ''
		WHERE id = $1 AND finished_at IS NOT NULL AND NOT ` + isReminded + ` RETURNING total`
	queryDeleteRows   = `DELETE FROM SCHEMA.clerkriver_rows WHERE campaign_id = $1 AND place >= $2::integer AND place < $3::integer`
	queryDeleteCounts = `WITH untold AS (DELETE FROM SCHEMA.clerkriver_untold WHERE campaign_id = $1)
		DELETE FROM SCHEMA.clerkriver_counts WHERE campaign_id = $1`

	// All campaigns, or the one named $2, with the counts of their outcomes and of the rows
	// that were taken and have none.
	queryStatus = `SELECT c.id, c.name, c.total, c.priority, c.not_before, c.enqueued_at, c.cancelled_at, c.finished_at,
			c.paused_at IS NOT NULL, c.pause_reason,
			coalesce((SELECT jsonb_object_agg(state, rows) FROM (
				SELECT state, sum(rows) AS rows FROM SCHEMA.clerkriver_counts WHERE campaign_id = c.id GROUP BY state) n), '{}'),
			coalesce(sending.n, 0),
			(SELECT count(*) FROM SCHEMA.clerkriver_rows r
				WHERE c.finished_at IS NULL AND r.campaign_id = c.id AND ` + isGivenBack + ` AND r.attempts > 0),
			coalesce(i.` + isPaused + `, false), coalesce(i.pause_reason, ''),
			coalesce(nullif(i.paused_until, 'infinity'), 'epoch'), coalesce(i.problem, ''),
			coalesce(i.problem_since, 'epoch')
		FROM SCHEMA.clerkriver_campaigns c
		LEFT JOIN SCHEMA.clerkriver_instances i ON i.name = c.instance
		LEFT JOIN (SELECT r.campaign_id, count(*) AS n FROM SCHEMA.clerkriver_rows r
			WHERE r.run = (SELECT run FROM SCHEMA.clerkriver_instances WHERE name = $1) AND r.run > 0 AND r.state = 'sending'
			GROUP BY r.campaign_id) sending ON sending.campaign_id = c.id
		WHERE c.instance = $1 AND c.deleted_at IS NULL AND ($2::text = '' OR c.name = $2)
		ORDER BY c.id`

	// Counts the rows that wait in campaigns up to the campaign $3 of priority $2.
	queryAhead = `SELECT coalesce(sum(c.total - coalesce(n.settled, 0)), 0) FROM SCHEMA.clerkriver_campaigns c
		LEFT JOIN LATERAL (SELECT sum(rows) AS settled FROM SCHEMA.clerkriver_counts
			WHERE campaign_id = c.id AND state NOT IN ('` + stateUntold + `', '` + stateReplaced + `')) n ON true
		WHERE c.instance = $1 AND c.finished_at IS NULL AND c.cancelled_at IS NULL AND c.paused_at IS NULL
			AND (c.priority, c.id) <= ($2::integer, $3::bigint)`

	queryInstance = `SELECT clock_timestamp(), run, coalesce(begun_at, 'epoch'), coalesce(ended_at, 'epoch'), leased_until, fresh_at, failures, problem,
			coalesce(problem_since, 'epoch'),
			` + isPaused + `, pause_reason, coalesce(nullif(paused_until, 'infinity'), 'epoch'),
			coalesce((SELECT sum(n.rows) FROM SCHEMA.clerkriver_counts n JOIN SCHEMA.clerkriver_campaigns c ON c.id = n.campaign_id
				WHERE c.instance = $1 AND n.state = '` + stateUntold + `'), 0)
		FROM SCHEMA.clerkriver_instances WHERE name = $1`

	queryPausedCampaigns = `SELECT count(*) FROM SCHEMA.clerkriver_campaigns
		WHERE instance = $1 AND finished_at IS NULL AND paused_at IS NOT NULL AND deleted_at IS NULL`

	// The free slots of the budget, $2 creates and $3 bulk creates.
	queryBudget = `SELECT kind, free_at FROM SCHEMA.clerkriver_slots
		WHERE ` + isInBudget + ` ORDER BY free_at`
)

// Rows.
const (
	// Takes what the last run was sending, if $2 is the holder: it may have been sent.
	// Returns it, and what was given back.
	queryTakeOver = `WITH sending AS (
			UPDATE SCHEMA.clerkriver_rows r
			SET run = i.run, attempts = least(attempts + 1, 1000), may_exist_until = clock_timestamp()
			FROM SCHEMA.clerkriver_instances i, SCHEMA.clerkriver_campaigns c
			WHERE i.name = $1 AND i.holder = $2::text AND r.run = i.run - 1 AND r.run > 0 AND r.state = 'sending'
				AND c.id = r.campaign_id AND c.instance = $1 AND c.finished_at IS NULL
			RETURNING r.*)
		SELECT ` + itemColumns + ` FROM SCHEMA.clerkriver_campaigns c JOIN (
			SELECT * FROM sending
			UNION ALL SELECT r.* FROM SCHEMA.clerkriver_rows r JOIN SCHEMA.clerkriver_campaigns o ON o.id = r.campaign_id
				WHERE o.instance = $1 AND o.finished_at IS NULL AND ` + isGivenBack + `) r ON r.campaign_id = c.id`
	isGivenBack = `r.run > 0 AND r.state = 'waiting'`

	// The campaign to send: $5, or else the first that has rows which no run has taken, or is
	// among $4, if a slot is free. Those that a caller's transaction has locked are passed over.
	queryChoose = `SELECT id, resend, reminds IS NOT NULL, enqueued_at FROM (
			SELECT * FROM SCHEMA.clerkriver_campaigns
			WHERE instance = $1 AND finished_at IS NULL AND cancelled_at IS NULL AND paused_at IS NULL
				AND (id = $5::bigint OR not_before <= clock_timestamp() AND (next_place < total OR id = ANY($4::bigint[]))
					AND coalesce(` + nextFree + ` <= clock_timestamp(), true))
			ORDER BY id <> $5, priority, id FOR UPDATE SKIP LOCKED) c
		WHERE ` + isNotHeld + ` LIMIT 1`

	// Takes the next $4 rows of a campaign: of $3 or, if that is 0, of the first campaign that
	// skips people who have an invitation. It returns a row without a place if no rows wait.
	queryPull = `WITH next AS (
			SELECT id, next_place AS begin FROM SCHEMA.clerkriver_campaigns c
			WHERE instance = $1 AND finished_at IS NULL AND cancelled_at IS NULL AND paused_at IS NULL
				AND not_before <= clock_timestamp() AND next_place < total
				AND (c.id = $3::bigint OR $3 = 0 AND NOT c.resend) AND ` + hasLease + ` AND ` + isNotHeld + `
			ORDER BY priority, id LIMIT 1 FOR UPDATE SKIP LOCKED),
		moved AS (
			UPDATE SCHEMA.clerkriver_campaigns c SET next_place = least(next.begin + $4::integer, c.total)
			FROM next WHERE c.id = next.id RETURNING c.*),
		taken AS (
			UPDATE SCHEMA.clerkriver_rows r SET state = 'sending', run = $2::bigint, changed_at = clock_timestamp()
			FROM next WHERE r.campaign_id = next.id AND r.place >= next.begin AND r.place < next.begin + $4::integer
				AND r.state = 'waiting' RETURNING r.*)
		SELECT ` + itemColumns + ` FROM moved c LEFT JOIN taken r ON true`

	// Takes rows again that an earlier run has taken: $4 of the campaigns $3.
	queryRetake = `WITH open AS (
			SELECT id FROM SCHEMA.clerkriver_campaigns c
			WHERE id = ANY($3::bigint[]) AND cancelled_at IS NULL AND paused_at IS NULL AND ` + hasLease + ` AND ` + isNotHeld + `
			FOR UPDATE SKIP LOCKED)
		UPDATE SCHEMA.clerkriver_rows r SET state = 'sending', run = $2::bigint, changed_at = clock_timestamp()
		FROM unnest($3::bigint[], $4::integer[]) AS t (campaign_id, place) JOIN open ON open.id = t.campaign_id
		WHERE r.campaign_id = t.campaign_id AND r.place = t.place AND ` + isRetaken + `
		RETURNING r.campaign_id, r.place`
	isRetaken = `(` + isGivenBack + ` OR r.run = $2 AND r.state = 'sending')`

	// The same for cancelled campaigns, to look the rows up.
	queryLookUpAgain = `WITH open AS (
			SELECT r.campaign_id, r.place FROM unnest($3::bigint[], $4::integer[]) AS t (campaign_id, place)
			JOIN SCHEMA.clerkriver_rows r ON r.campaign_id = t.campaign_id AND r.place = t.place
			WHERE ` + isRetaken + ` AND ` + hasLease + ` FOR UPDATE OF r SKIP LOCKED)
		UPDATE SCHEMA.clerkriver_rows r SET state = 'sending', run = $2::bigint FROM open
		WHERE r.campaign_id = open.campaign_id AND r.place = open.place RETURNING r.campaign_id, r.place`

	// Keeps the result of the row $2 of campaign $1 that the run $3 is sending. $7 is the time
	// at which OnResult is called again, NULL if it has accepted the result, and $8 says why
	// it failed. The server ends a transaction whose client is silent.
	queryKeep = `WITH kept AS (
			UPDATE SCHEMA.clerkriver_rows r SET state = $4::text, invitation_id = nullif($5::text, ''), problem = nullif($6::text, ''),
				changed_at = clock_timestamp(), tell_at = clock_timestamp() + $7::interval, tell_problem = $8::text,
				tells = CASE WHEN $7 IS NULL THEN 0 ELSE 1 END, ` + setRevoke + `
			FROM SCHEMA.clerkriver_campaigns c
			WHERE c.id = $1::bigint AND r.campaign_id = $1 AND r.place = $2::integer AND r.run = $3::bigint AND r.state = 'sending'
			RETURNING r.changed_at, c.cancelled_at IS NOT NULL OR c.paused_at IS NOT NULL AS stops),
		counted AS (
			INSERT INTO SCHEMA.clerkriver_counts (campaign_id, state, source, rows)
			SELECT $1, s, $3, 1 FROM kept, unnest(CASE WHEN $7 IS NULL THEN ARRAY[$4] ELSE ARRAY[$4, '` + stateUntold + `'] END) s
			ON CONFLICT (campaign_id, state, source) DO UPDATE SET rows = clerkriver_counts.rows + 1)
		SELECT changed_at, stops, set_config('idle_in_transaction_session_timeout', $9::text, true) FROM kept`

	// Gives back the rows of the run $2 whose outcome is unknown: $4 of the campaigns $3,
	// for the reasons $5.
	queryGiveBackUnknown = `UPDATE SCHEMA.clerkriver_rows r
		SET state = 'waiting', attempts = least(attempts + 1, 1000), problem = t.problem, may_exist_until = clock_timestamp()
		FROM unnest($3::bigint[], $4::integer[], $5::text[]) AS t (campaign_id, place, problem), SCHEMA.clerkriver_campaigns c
		WHERE r.campaign_id = t.campaign_id AND r.place = t.place AND r.run = $2::bigint AND r.state = 'sending'
			AND c.id = r.campaign_id AND c.instance = $1`

	// Gives back the other rows of the run $2. $3 says whether they may have been sent.
	queryGiveBack = `UPDATE SCHEMA.clerkriver_rows r SET state = 'waiting',
			attempts = least(attempts + $3::boolean::integer, 1000),
			may_exist_until = CASE WHEN $3 THEN clock_timestamp() ELSE may_exist_until END
		FROM SCHEMA.clerkriver_campaigns c
		WHERE r.run = $2::bigint AND r.run > 0 AND r.state = 'sending' AND c.id = r.campaign_id AND c.instance = $1`

	// The campaign that created the invitation $2, 0 if none is known, and whether another
	// user of the transport created it.
	queryOwner = `SELECT coalesce(max(campaign_id), 0), EXISTS (
			SELECT FROM SCHEMA.clerkriver_slots WHERE instance = $1 AND $2::text = ANY(invitations))
		FROM SCHEMA.clerkriver_rows WHERE invitation_id = $2 AND (state = 'created' OR change > 0)`

	// Results for which OnResult must be called again.
	queryUntold = `SELECT r.campaign_id, r.place FROM SCHEMA.clerkriver_rows r JOIN SCHEMA.clerkriver_campaigns c ON c.id = r.campaign_id
		WHERE r.tell_at <= clock_timestamp() AND c.instance = $1 ORDER BY r.tell_at LIMIT $2::integer`

	// $1 is the campaign, $2 the place of a result for which OnResult is being called.
	queryTell = `WITH told AS (
			UPDATE SCHEMA.clerkriver_rows r SET tell_at = NULL, tell_problem = NULL
			FROM SCHEMA.clerkriver_campaigns c
			WHERE c.id = $1::bigint AND r.campaign_id = $1 AND r.place = (SELECT place FROM SCHEMA.clerkriver_rows
				WHERE campaign_id = $1 AND place = $2::integer AND tell_at IS NOT NULL FOR UPDATE SKIP LOCKED)
			RETURNING c.name, r.*),
		counted AS (
			INSERT INTO SCHEMA.clerkriver_counts (campaign_id, state, source, rows) SELECT $1, '` + stateUntold + `', $3::bigint, -1 FROM told
			ON CONFLICT (campaign_id, state, source) DO UPDATE SET rows = clerkriver_counts.rows - 1)
		SELECT name, ` + resultColumns + `, set_config('idle_in_transaction_session_timeout', $4::text, true) FROM told`

	// The pause doubles each time, from $3 up to an hour.
	queryTellLater = `UPDATE SCHEMA.clerkriver_rows SET tells = least(tells + 1, 1000), tell_problem = $4::text,
			tell_at = clock_timestamp() + least($3::interval * power(2, least(tells, 12)), interval '1 hour')
		WHERE ` + isUnlocked + ` AND tell_at IS NOT NULL`

	// The next run calls OnResult again.
	queryTellNow = `UPDATE SCHEMA.clerkriver_rows SET tell_at = clock_timestamp() WHERE ctid IN (
		SELECT r.ctid FROM SCHEMA.clerkriver_rows r JOIN SCHEMA.clerkriver_campaigns c ON c.id = r.campaign_id
		WHERE r.tell_at > clock_timestamp() AND c.instance = $1 FOR UPDATE OF r SKIP LOCKED)`

	resultColumns = `place, ref, request, state, coalesce(invitation_id, ''), coalesce(problem, ''), changed_at`

	// The rows of the campaign $1 from the place $2 on, in the states $4 unless empty. Those of a cancelled campaign that
	// were certainly not sent are cancelled, without being written.
	queryResults = `SELECT r.place, r.ref, r.request,
			CASE WHEN ` + isCancelled + ` THEN 'cancelled' ELSE r.state END,
			coalesce(r.invitation_id, ''), coalesce(r.problem, ''),
			CASE WHEN ` + isCancelled + ` THEN c.cancelled_at ELSE r.changed_at END,
			CASE WHEN r.tell_at IS NULL THEN coalesce((SELECT u.problem FROM SCHEMA.clerkriver_untold u
				WHERE u.campaign_id = r.campaign_id AND u.place = r.place ORDER BY u.change LIMIT 1), '') ELSE coalesce(r.tell_problem, '') END,
			coalesce(r.became_at, 'epoch'), ` + isReplaced + `
		FROM SCHEMA.clerkriver_rows r JOIN SCHEMA.clerkriver_campaigns c ON c.id = r.campaign_id
		CROSS JOIN LATERAL (SELECT r.state, r.person, r.invitation_id) changed
		WHERE r.campaign_id = $1::bigint AND r.place >= $2::integer
			AND (cardinality($4::text[]) = 0 OR CASE WHEN ` + isCancelled + ` THEN 'cancelled' ELSE r.state END = ANY($4))
		ORDER BY r.place LIMIT $3::integer`
	isCancelled = `r.state = 'waiting' AND r.attempts = 0 AND c.cancelled_at IS NOT NULL`
)

// Slots. $2 is the kind, $3 the number of slots that the request may use.
const (
	// $2 creates, $3 bulk creates.
	queryMakeSlots = `INSERT INTO SCHEMA.clerkriver_slots (instance, kind, slot)
		SELECT $1, 'create', generate_series(0, $2::integer - 1)
		UNION ALL SELECT $1, 'bulk', generate_series(0, $3::integer - 1) ON CONFLICT DO NOTHING`

	// $4 is the time for which the slot is held, $5 the run that needs it, 0 for other
	// callers.
	queryTakeSlot = `UPDATE SCHEMA.clerkriver_slots
		SET token = token + 1, free_at = clock_timestamp() + $4::interval, invitations = '{}'
		WHERE instance = $1 AND kind = $2::text AND slot = (
			SELECT slot FROM SCHEMA.clerkriver_slots
			WHERE instance = $1 AND kind = $2 AND slot < $3::integer AND free_at <= clock_timestamp()
			ORDER BY slot DESC LIMIT 1 FOR UPDATE SKIP LOCKED)
			AND ($5::bigint = 0 OR EXISTS (SELECT FROM SCHEMA.clerkriver_instances WHERE name = $1 AND run = $5
				AND leased_until > clock_timestamp() AND paused_until <= clock_timestamp()) AND NOT ` + sendsErased + `)
		RETURNING slot, token`

	queryNextSlot = `SELECT count(*), coalesce(min(free_at) - clock_timestamp(), interval '0') FROM SCHEMA.clerkriver_slots
		WHERE instance = $1 AND kind = $2::text AND slot < $3::integer`

	// $3 is the slot, $4 its token, $5 the time for which it is held from now on, $6 the invitations
	// that its request created.
	queryHoldSlot = `UPDATE SCHEMA.clerkriver_slots SET free_at = clock_timestamp() + $5::interval, invitations = $6::text[]
		WHERE instance = $1 AND kind = $2::text AND slot = $3::integer AND token = $4::bigint`

	queryBlockSlots = `UPDATE SCHEMA.clerkriver_slots SET free_at = greatest(free_at, clock_timestamp() + $3::interval)
		WHERE instance = $1 AND kind = $2::text`
)
