package clerkriver

// hasLease is true while the run $2 may send.
const hasLease = `EXISTS (SELECT FROM SCHEMA.clerkriver_instances WHERE name = $1 AND run = $2::bigint
	AND leased_until > clock_timestamp() AND paused_until <= clock_timestamp())`

// The instance and its lease.
const (
	queryAddInstance = `INSERT INTO SCHEMA.clerkriver_instances (name) VALUES ($1) ON CONFLICT DO NOTHING`

	// $2 is the new holder, $5 whether the run waits for next_run, $6 and $7 whether it has OnResult
	// and OnChange, $8 its settings. During a pause with syncs, the run sends nothing. The last
	// column says whether the last run has not given the lease back.
	queryTakeLease = `UPDATE SCHEMA.clerkriver_instances
		SET run = run + 1, holder = $2::text, begun_at = clock_timestamp(), leased_until = clock_timestamp() + $3::interval,
			next_run = clock_timestamp() + $4::interval, settings = $8::text::json,
			has_on_result = has_on_result OR $6::boolean, has_on_change = has_on_change OR $7::boolean
		WHERE name = $1 AND leased_until <= clock_timestamp() AND (paused_until <= clock_timestamp() OR ` + isHeld + `)
			AND (next_run <= clock_timestamp() OR NOT $5::boolean)
		RETURNING run, pauses > 0, ` + isHeld + `, problem, has_on_result AND NOT $6, has_on_change AND NOT $7,
			(SELECT leased_until <> 'epoch' FROM SCHEMA.clerkriver_instances WHERE name = $1)`

	queryExtend = `UPDATE SCHEMA.clerkriver_instances i SET leased_until = clock_timestamp() + $3::interval
		WHERE name = $1 AND run = $2::bigint AND leased_until > clock_timestamp()
		RETURNING ` + isPaused + `, EXISTS (
			SELECT FROM SCHEMA.clerkriver_rows r JOIN SCHEMA.clerkriver_campaigns c ON c.id = r.campaign_id
			WHERE r.run = $2::bigint AND r.run > 0 AND r.state = 'sending' AND c.instance = $1
				AND greatest(c.cancelled_at, c.paused_at) >= i.begun_at)`

	queryCheckLease = `SELECT ` + isPaused + ` OR ` + sendsErased + ` FROM SCHEMA.clerkriver_instances i
		WHERE name = $1 AND run = $2::bigint AND leased_until > clock_timestamp()`

	// $3 says why the run under way waits.
	queryShow = `UPDATE SCHEMA.clerkriver_instances SET problem = $3::text,
			problem_since = CASE WHEN $3 <> '' THEN coalesce(problem_since, clock_timestamp()) END
		WHERE name = $1 AND run = $2::bigint AND leased_until > clock_timestamp()
		RETURNING ` + isPaused

	// $3 is the problem, $4 whether Clerk has answered for a row, $5 whether it refused
	// everything, $6 whether in its own envelope, $7 Wake, $8 whether something ended well that
	// asked Clerk, $9 whether there was nothing to send. The pause doubles each time, from 10
	// Wakes up to 1,280, and begins when Clerk has refused for 3 Wakes. A run that ends well
	// without sending proves nothing about sending, while rows wait. $10 is the process that
	// reports the pause, $11 whether Clerk refused creates.
	queryReleaseLease = `UPDATE SCHEMA.clerkriver_instances SET
			leased_until = 'epoch', ended_at = clock_timestamp(),
			problem = CASE WHEN $3::text <> '' OR ` + isWell + ` THEN $3 ELSE problem END,
			problem_since = CASE WHEN $3 <> '' THEN coalesce(problem_since, clock_timestamp()) WHEN NOT ` + isWell + ` THEN problem_since END,
			failures = CASE WHEN $3 <> '' THEN failures + 1 WHEN ` + isWell + ` THEN 0 ELSE failures END,
			next_run = CASE WHEN $3 = '' THEN next_run
				ELSE greatest(next_run, clock_timestamp() + $7::interval * power(2, least(failures, 3))) END,
			refused_since = CASE WHEN $5::boolean THEN coalesce(refused_since, clock_timestamp())
				WHEN ` + isAccepted + ` THEN NULL ELSE refused_since END,
			pauses = CASE WHEN ` + mustPause + ` THEN pauses + 1 WHEN ` + isAccepted + ` THEN 0 ELSE pauses END,
			pause_reason = CASE WHEN ` + mustPause + ` THEN $3 ELSE pause_reason END,
			paused_until = CASE WHEN ` + mustPause + ` THEN clock_timestamp() + 10 * $7::interval * power(2, least(pauses, 7))
				WHEN ` + isAccepted + ` AND paused_until < 'infinity' THEN 'epoch' ELSE paused_until END,
			creates_refused = CASE WHEN ` + mustPause + ` THEN $11::boolean ELSE creates_refused END,
			pause_reporter = CASE WHEN ` + mustPause + ` AND $10::text <> '' THEN $10 ELSE pause_reporter END
		WHERE name = $1 AND run = $2::bigint
		RETURNING ` + isPaused + `, pauses = 0, pause_reason, coalesce(nullif(paused_until, 'infinity'), 'epoch')`
	isAccepted = `NOT $5::boolean AND ($4::boolean OR $8::boolean AND NOT ` + hasWaiting + `)`
	isWell     = `(` + isAccepted + ` OR $9::boolean AND refused_since IS NULL)`
	mustPause  = `$6::boolean AND refused_since <= clock_timestamp() - 3 * $7::interval AND paused_until < 'infinity'`
	isPaused   = `paused_until > clock_timestamp()`

	// $3 is the process that reports it, empty if nobody would hear of that.
	queryPause = `INSERT INTO SCHEMA.clerkriver_instances AS i (name, paused_until, pause_reason, pause_reporter)
		VALUES ($1, 'infinity', $2::text, $3::text)
		ON CONFLICT (name) DO UPDATE SET paused_until = 'infinity',
			pause_reason = $2, pause_reporter = CASE WHEN $3 <> '' THEN $3 WHEN NOT i.` + isPaused + ` THEN '' ELSE i.pause_reporter END`

	// The next run may begin at once, and is late from now on if it was not due before. It sends
	// before it makes a sync. $2 is the process that reports it.
	queryResume = `UPDATE SCHEMA.clerkriver_instances
		SET paused_until = 'epoch', pause_reason = '', pauses = 0, refused_since = NULL, failures = 0,
			problem = CASE WHEN leased_until > clock_timestamp() THEN problem ELSE '' END,
			problem_since = CASE WHEN leased_until > clock_timestamp() THEN problem_since END,
			next_run = least(greatest(next_run, paused_until), clock_timestamp()), synced_run = run,
			pause_reporter = CASE WHEN pause_reporter = $2::text THEN '' ELSE pause_reporter END
		WHERE name = $1`

	// The campaigns, or '' for the instance, that are paused without a report, and why and until
	// when. $2 is the process that reports them now.
	queryUnreported = `WITH instance AS (
			UPDATE SCHEMA.clerkriver_instances SET pause_reporter = $2::text WHERE name = $1 AND pause_reporter = '' AND ` + isPaused + `
			RETURNING pause_reason, coalesce(nullif(paused_until, 'infinity'), 'epoch') AS until),
		campaigns AS (
			UPDATE SCHEMA.clerkriver_campaigns SET pause_reporter = $2 WHERE id IN (
				SELECT id FROM SCHEMA.clerkriver_campaigns
				WHERE instance = $1 AND pause_reporter = '' AND paused_at IS NOT NULL AND finished_at IS NULL FOR UPDATE SKIP LOCKED)
			RETURNING name, pause_reason)
		SELECT '', * FROM instance UNION ALL SELECT *, 'epoch' FROM campaigns`

	// The campaigns, or '' for the instance, whose pause has ended, but not been reported to
	// have. $2 says whether Clerk has accepted requests after a pause that ended by itself.
	queryResumed = `SELECT '' FROM SCHEMA.clerkriver_instances WHERE name = $1 AND ` + isResumed + `
		UNION ALL SELECT name FROM SCHEMA.clerkriver_campaigns WHERE instance = $1 AND ` + isCampaignResumed
	queryResumedInstance  = `UPDATE SCHEMA.clerkriver_instances SET pause_reporter = '' WHERE name = $1 AND ` + isResumed
	queryResumedCampaigns = `UPDATE SCHEMA.clerkriver_campaigns SET pause_reporter = '' WHERE id IN (
		SELECT id FROM SCHEMA.clerkriver_campaigns WHERE instance = $1 AND ` + isCampaignResumed + ` FOR UPDATE SKIP LOCKED)`
	isResumed         = `pause_reporter <> '' AND NOT ` + isPaused + ` AND (pauses = 0 OR $2::boolean)`
	isCampaignResumed = `pause_reporter <> '' AND (paused_at IS NULL OR finished_at IS NOT NULL)`
)
