package clerkriver

// The states of invitations after they were created. $1 is the instance, unless a comment says
// otherwise. No query waits for rows that a caller's transaction has locked.
const (
	// The time at which the next sync is due: one interval after the last one or, if that is
	// longer, a 96th of the time since the campaign finished. The campaign with an open row
	// for which that is earliest decides. It is NULL if no row is open.
	syncDue = `(SELECT min(greatest(coalesce(i.synced_at, 'epoch'), c.enqueued_at)
			+ greatest($4::interval, (clock_timestamp() - coalesce(c.finished_at, clock_timestamp())) / 96))
		FROM SCHEMA.clerkriver_campaigns c LEFT JOIN SCHEMA.clerkriver_instances i ON i.name = c.instance
		WHERE c.instance = $1 AND c.deleted_at IS NULL AND $4::interval IS NOT NULL AND ` + hasOpen + `)`
	hasOpen = `EXISTS (SELECT FROM SCHEMA.clerkriver_rows r WHERE r.campaign_id = c.id AND r.state = 'created')`

	// The instance is paused, and invitations are listed meanwhile: a person has paused it, or
	// Clerk refuses creates.
	isHeld = `(paused_until = 'infinity' OR creates_refused AND paused_until > clock_timestamp())`

	// Rows wait whose time has come.
	hasWaiting = `EXISTS (SELECT FROM SCHEMA.clerkriver_campaigns WHERE instance = $1
		AND finished_at IS NULL AND cancelled_at IS NULL AND paused_at IS NULL AND not_before <= clock_timestamp())`

	// Begins a sync of the run $2 if one is due: with the interval $4 or, unless $3 is 0,
	// before that reminder is sent. If the last run was a sync, rows that wait come first,
	// unless they are paused. If $5, it is due if a row is open. It returns its number, and the
	// time at which the oldest campaign was enqueued that has an open row, or that people are
	// reminded of.
	queryBeginSync = `UPDATE SCHEMA.clerkriver_instances SET synced_at = clock_timestamp(), synced_run = run
		WHERE name = $1 AND run = $2::bigint AND leased_until > clock_timestamp() AND
			CASE WHEN $5::boolean THEN ` + syncDue + ` IS NOT NULL WHEN $3::bigint = 0 THEN ` + syncDue + ` <= clock_timestamp()
				AND (synced_run < run - 1 OR ` + isHeld + ` OR NOT ` + hasWaiting + `) ELSE ` + isStale + ` END
		RETURNING sync + 1, (SELECT coalesce(min(enqueued_at), clock_timestamp()) FROM SCHEMA.clerkriver_campaigns c
			WHERE c.instance = $1 AND c.deleted_at IS NULL AND (` + hasOpen + ` OR ` + isReminded + `))`

	// $3 says whether the key may be that of another instance.
	queryEndSync = `UPDATE SCHEMA.clerkriver_instances SET sync = sync + 1, fresh_at = CASE WHEN $3::boolean THEN fresh_at ELSE synced_at END
		WHERE name = $1 AND run = $2::bigint`

	// Whether the state t of an invitation is a change of its row r.
	isChange = `(r.state = 'created' OR r.state = 'expired' AND t.state <> 'expired')`

	// The rows that change if the invitations $2 reached the states $3 at $4.
	queryChanged = `SELECT r.campaign_id, r.place, t.state, t.became_at
		FROM unnest($2::text[], $3::text[], $4::timestamptz[]) AS t (id, state, became_at)
		JOIN SCHEMA.clerkriver_rows r ON r.invitation_id = t.id JOIN SCHEMA.clerkriver_campaigns c ON c.id = r.campaign_id
		WHERE c.instance = $1 AND ` + isChange

	// Records that the rows $2 of the campaigns $1 reached the states $3 at $4, in the run $5.
	// Returns those that OnChange is to hear of: not those of people who were erased.
	queryRecord = `WITH old AS (
			SELECT r.campaign_id, r.place, r.state AS was, t.state, t.became_at
			FROM unnest($1::bigint[], $2::integer[], $3::text[], $4::timestamptz[]) AS t (campaign_id, place, state, became_at)
			JOIN SCHEMA.clerkriver_rows r ON r.campaign_id = t.campaign_id AND r.place = t.place
			WHERE ` + isChange + ` FOR UPDATE OF r SKIP LOCKED),
		changed AS (
			UPDATE SCHEMA.clerkriver_rows r SET state = old.state, became_at = old.became_at, change = r.change + 1,
				changed_at = clock_timestamp(), missing_in = NULL
			FROM old WHERE r.campaign_id = old.campaign_id AND r.place = old.place RETURNING r.*, old.was),
		counted AS (
			INSERT INTO SCHEMA.clerkriver_counts (campaign_id, state, source, rows)
			SELECT campaign_id, n.state, $5::bigint, sum(n.rows) FROM changed, LATERAL (
				VALUES (was, -1), (changed.state, 1), (CASE WHEN ` + isReplaced + ` THEN '` + stateReplaced + `' END, 1)) AS n (state, rows)
			WHERE n.state IS NOT NULL GROUP BY campaign_id, n.state
			ON CONFLICT (campaign_id, state, source) DO UPDATE SET rows = clerkriver_counts.rows + excluded.rows)
		SELECT c.name, changed.place, ref, request, state, invitation_id, changed_at, change, became_at, ` + setSilence + `
		FROM changed JOIN SCHEMA.clerkriver_campaigns c ON c.id = changed.campaign_id WHERE NOT ` + isErased + ` AND ` + isTold

	// A row's person was erased.
	isErased = `(request::text = '{}')`

	// Makes the server end a transaction whose client is silent for $6.
	setSilence = `set_config('idle_in_transaction_session_timeout', $6::text, true)`

	// The open rows whose invitation was in all lists when the sync of the run $3 began.
	queryOpenRows = `SELECT r.campaign_id, r.place, r.invitation_id, coalesce(r.missing_in, -1), ` + isErased + `
		FROM SCHEMA.clerkriver_rows r JOIN SCHEMA.clerkriver_campaigns c ON c.id = r.campaign_id
		JOIN SCHEMA.clerkriver_instances i ON i.name = c.instance
		WHERE c.instance = $1 AND c.deleted_at IS NULL AND r.state = 'created' AND r.changed_at < i.synced_at - $2::interval
			AND i.run = $3::bigint`

	// An open row of the last campaign that has one, and whether it is younger than $2.
	queryOpenRow = `SELECT r.invitation_id, r.request, r.changed_at > clock_timestamp() - $2::interval FROM SCHEMA.clerkriver_campaigns c
		CROSS JOIN LATERAL (SELECT * FROM SCHEMA.clerkriver_rows r WHERE r.campaign_id = c.id AND r.state = 'created'
			AND NOT ` + isErased + ` LIMIT 1) r
		WHERE c.instance = $1 AND c.deleted_at IS NULL ORDER BY c.id DESC LIMIT 1`

	// Whether one of the invitations $2 is that of a row.
	queryKnown = `SELECT EXISTS (SELECT FROM SCHEMA.clerkriver_rows r JOIN SCHEMA.clerkriver_campaigns c ON c.id = r.campaign_id
		WHERE c.instance = $1 AND r.invitation_id = ANY($2::text[]))`

	// Records that the sync $3 did not find the invitations of the rows $2 of the campaigns
	// $1.
	queryMissing = `UPDATE SCHEMA.clerkriver_rows r SET missing_in = $3::bigint WHERE ctid IN (
		SELECT r.ctid FROM unnest($1::bigint[], $2::integer[]) AS t (campaign_id, place)
		JOIN SCHEMA.clerkriver_rows r ON r.campaign_id = t.campaign_id AND r.place = t.place
		WHERE r.state = 'created' FOR UPDATE OF r SKIP LOCKED)`
)

// Changes that OnChange has not accepted. $1 is the campaign, $2 the place, $3 the change.
const (
	// $4 is the instance, $5 the state, $6 and $7 its times, $8 the pause, $9 the failure,
	// $10 the run.
	queryAddUntold = `WITH added AS (
			INSERT INTO SCHEMA.clerkriver_untold (campaign_id, place, change, instance, state, became_at, changed_at, tell_at, problem)
			VALUES ($1::bigint, $2::integer, $3::smallint, $4, $5, $6, $7, clock_timestamp() + $8::interval, $9))
		INSERT INTO SCHEMA.clerkriver_counts (campaign_id, state, source, rows) VALUES ($1, '` + stateUntold + `', $10::bigint, 1)
		ON CONFLICT (campaign_id, state, source) DO UPDATE SET rows = clerkriver_counts.rows + 1`

	// Here $1 is the instance, $2 the number of rows.
	queryUntoldChanges = `SELECT campaign_id, place, change FROM SCHEMA.clerkriver_untold
		WHERE instance = $1 AND tell_at <= clock_timestamp() ORDER BY tell_at, change LIMIT $2::integer`

	// $4 is the run, $5 is like $6 of queryRecord. The person may have been erased while the
	// change was recorded; then the change is not told.
	queryTellChange = `WITH told AS (
			DELETE FROM SCHEMA.clerkriver_untold WHERE ` + isUnlockedChange + ` RETURNING *),
		counted AS (
			INSERT INTO SCHEMA.clerkriver_counts (campaign_id, state, source, rows) SELECT $1, '` + stateUntold + `', $4::bigint, -1 FROM told
			ON CONFLICT (campaign_id, state, source) DO UPDATE SET rows = clerkriver_counts.rows - 1)
		SELECT c.name, r.place, r.ref, r.request, told.state, r.invitation_id, told.changed_at, told.change, told.became_at,
			set_config('idle_in_transaction_session_timeout', $5::text, true)
		FROM told JOIN SCHEMA.clerkriver_rows r USING (campaign_id, place) JOIN SCHEMA.clerkriver_campaigns c ON c.id = told.campaign_id
		WHERE NOT ` + isErased

	// The pause doubles each time, from $4 up to an hour. $5 is the failure.
	queryTellChangeLater = `UPDATE SCHEMA.clerkriver_untold SET tells = least(tells + 1, 1000), problem = $5::text,
			tell_at = clock_timestamp() + least($4::interval * power(2, least(tells, 12)), interval '1 hour')
		WHERE ` + isUnlockedChange

	// The next run calls OnChange again. Here $1 is the instance.
	queryTellChangesNow = `UPDATE SCHEMA.clerkriver_untold SET tell_at = clock_timestamp() WHERE ctid IN (
		SELECT ctid FROM SCHEMA.clerkriver_untold WHERE instance = $1 AND tell_at > clock_timestamp() FOR UPDATE SKIP LOCKED)`

	// The change, unless a caller's transaction has locked it.
	isUnlockedChange = `ctid = (SELECT ctid FROM SCHEMA.clerkriver_untold
		WHERE campaign_id = $1::bigint AND place = $2::integer AND change = $3::smallint FOR UPDATE SKIP LOCKED)`
)

// Erasing. $1 is the instance.
const (
	// A campaign c is held while a transaction is open that erases a person from it.
	isNotHeld   = `pg_try_advisory_xact_lock(` + holdKey + `)`
	holdKey     = `hashtextextended('clerkriver campaign ' || c.id, 0)`
	personsRows = `SCHEMA.clerkriver_rows r JOIN SCHEMA.clerkriver_campaigns c ON c.id = r.campaign_id WHERE c.instance = $1 AND r.person = $2::bigint`
	sendsErased = `EXISTS (SELECT FROM SCHEMA.clerkriver_erasures e JOIN SCHEMA.clerkriver_rows r USING (campaign_id, place)
		WHERE e.instance = $1 AND r.state = 'sending')`
	withoutPerson = `request = '{}', ref = '', person = NULL, problem = NULL, tell_at = NULL, tell_problem = NULL,
		state = CASE r.state WHEN 'waiting' THEN 'erased' ELSE r.state END, changed_at = clock_timestamp()`

	// Waits only for a run that is taking rows, or deleting them. $2 is the person.
	queryHoldCampaigns = `SELECT pg_advisory_xact_lock_shared(` + holdKey + `)
		FROM (SELECT DISTINCT c.id FROM ` + personsRows + ` ORDER BY c.id) c`

	queryErase = `WITH found AS (
			SELECT r.campaign_id, r.place, r.state FROM ` + personsRows + ` ORDER BY r.campaign_id, r.place),
		later AS (
			INSERT INTO SCHEMA.clerkriver_erasures (campaign_id, place, instance) SELECT campaign_id, place, $1 FROM found WHERE state = 'sending'
			ON CONFLICT DO NOTHING),
		locked AS (
			SELECT r.campaign_id, r.place, r.state, r.tell_at FROM found JOIN SCHEMA.clerkriver_rows r USING (campaign_id, place)
			WHERE r.state <> 'sending' AND found.state <> 'sending' ORDER BY r.campaign_id, r.place FOR UPDATE OF r),
		` + eraseLocked

	// Erases the rows that a run was sending when their person was erased.
	queryEraseLater = `WITH locked AS (
			SELECT r.campaign_id, r.place, r.state, r.tell_at FROM SCHEMA.clerkriver_erasures e JOIN SCHEMA.clerkriver_rows r USING (campaign_id, place)
			WHERE e.instance = $1 AND r.state <> 'sending' FOR UPDATE OF r SKIP LOCKED),
		applied AS (
			DELETE FROM SCHEMA.clerkriver_erasures e USING locked WHERE e.campaign_id = locked.campaign_id AND e.place = locked.place),
		` + eraseLocked

	// Marks the campaigns that have finished, and have no open invitation.
	queryEnd = `UPDATE SCHEMA.clerkriver_campaigns SET ended_at = clock_timestamp() WHERE id IN (
		SELECT id FROM SCHEMA.clerkriver_campaigns c
		WHERE instance = $1 AND finished_at IS NOT NULL AND deleted_at IS NULL AND ended_at IS NULL AND NOT ` + hasOpen + ` AND NOT ` + hasUntold + `
		FOR UPDATE SKIP LOCKED)`

	// Of a campaign c: OnResult or OnChange has not accepted something.
	hasUntold = `(SELECT coalesce(sum(rows), 0) > 0 FROM SCHEMA.clerkriver_counts n WHERE n.campaign_id = c.id AND n.state = '` + stateUntold + `')`

	// The campaigns that ended $2 ago.
	queryEnded = `SELECT id FROM SCHEMA.clerkriver_campaigns
		WHERE instance = $1 AND deleted_at IS NULL AND ended_at <= clock_timestamp() - $2::interval`

	// $1 is the campaign.
	queryHold = `SELECT ` + isNotHeld + ` FROM (SELECT $1::bigint AS id) c`

	// Erases the rows, locked. What OnResult and OnChange have not accepted of them is not told
	// anymore. Each transaction counts in a source of its own.
	eraseLocked = `erased AS (
			UPDATE SCHEMA.clerkriver_rows r SET ` + withoutPerson + `
			FROM locked WHERE r.campaign_id = locked.campaign_id AND r.place = locked.place),
		untold AS (
			DELETE FROM SCHEMA.clerkriver_untold u USING locked
			WHERE u.campaign_id = locked.campaign_id AND u.place = locked.place RETURNING u.campaign_id)
		INSERT INTO SCHEMA.clerkriver_counts (campaign_id, state, source, rows)
		SELECT campaign_id, state, -txid_current(), sum(rows) FROM (
			SELECT campaign_id, 'erased' AS state, 1 AS rows FROM locked WHERE state = 'waiting'
			UNION ALL SELECT campaign_id, '` + stateUntold + `', -1 FROM locked WHERE tell_at IS NOT NULL
			UNION ALL SELECT campaign_id, '` + stateUntold + `', -1 FROM untold) n GROUP BY campaign_id, state
		ON CONFLICT (campaign_id, state, source) DO UPDATE SET rows = clerkriver_counts.rows + excluded.rows`
)

// What clerkriver_counts counts besides outcomes: results that OnResult has not accepted, and
// which part of the revoked rows was replaced.
const (
	stateUntold   = "untold"
	stateReplaced = "replaced"
)
