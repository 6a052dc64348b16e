package clerkriver

// Reminders. $1 is the instance, unless a comment says otherwise.
const (
	// Adds a row to the reminder $2 for each row of the campaign $3 that can be reminded. It
	// begins when the newest of them was sent $4 ago. The people who cannot be reminded are
	// read once, as statistics on new rows may be missing and PostgreSQL may then not use an
	// index.
	queryAddReminders = `WITH barred AS MATERIALIZED (
			SELECT p.person FROM SCHEMA.clerkriver_rows p JOIN SCHEMA.clerkriver_campaigns pc ON pc.id = p.campaign_id
			WHERE pc.instance = $1 AND (p.state = 'accepted' OR pc.reminds = $3::bigint AND ` + isSent + `)),
		old AS MATERIALIZED (
			SELECT o.* FROM SCHEMA.clerkriver_rows o WHERE o.campaign_id = $3::bigint AND ` + isOpenTo + `
				AND NOT EXISTS (SELECT FROM barred WHERE barred.person = o.person)),
		added AS (
			INSERT INTO SCHEMA.clerkriver_rows (campaign_id, place, ref, request, person, replaces)
			SELECT $2::bigint, row_number() OVER (ORDER BY place) - 1, ref, request, person, invitation_id FROM old)
		UPDATE SCHEMA.clerkriver_campaigns SET reminds = $3, resend = true, total = (SELECT count(*) FROM old),
			not_before = greatest(not_before, (SELECT max(changed_at) FROM old WHERE state = 'created') + $4::interval)
		WHERE id = $2 RETURNING total, not_before, clock_timestamp()`

	// Why the rows among $3 of the reminder $2 cannot be sent; '' if they can. If a person has two
	// of them, CreateAll finds that.
	queryBarred = `SELECT r.place, CASE
			WHEN o.place IS NULL THEN 'the campaign was deleted'
			WHEN o.state NOT IN ('created', 'expired') THEN 'the invitation was ' || o.state
			WHEN NOT (` + isOpenTo + `) THEN 'the person was excluded from reminders'
			WHEN barred.accepted > 0 THEN 'the person has accepted another invitation'
			WHEN barred.n > 0 THEN 'the person was reminded before' ELSE '' END
		FROM unnest($3::integer[]) AS t (place)
		JOIN SCHEMA.clerkriver_rows r ON r.campaign_id = $2::bigint AND r.place = t.place
		JOIN SCHEMA.clerkriver_campaigns c ON c.id = r.campaign_id
		LEFT JOIN SCHEMA.clerkriver_rows o ON o.campaign_id = c.reminds AND o.invitation_id = r.replaces
		CROSS JOIN LATERAL (SELECT count(*) AS n, count(*) FILTER (WHERE p.state = 'accepted') AS accepted
			FROM (SELECT * FROM SCHEMA.clerkriver_rows WHERE person = o.person OFFSET 0) p -- by the index, whatever the statistics
			JOIN SCHEMA.clerkriver_campaigns pc ON pc.id = p.campaign_id WHERE pc.instance = $1 AND (p.state = 'accepted' OR pc.reminds = c.reminds AND (` + isSent + `
				OR pc.id <> $2 AND (p.state = 'sending' OR p.state = 'waiting' AND p.attempts > 0)))) barred`

	// Of a row o: its invitation is open or has expired, and its person was not excluded.
	isOpenTo = `o.state IN ('created', 'expired') AND o.person IS NOT NULL
		AND NOT EXISTS (SELECT FROM SCHEMA.clerkriver_excluded x WHERE x.instance = $1 AND x.person = o.person)`

	// Of a row p: a reminder was sent, or may have been.
	isSent = `p.state IN ('created', 'expired', 'revoked', 'deleted', 'unknown')`

	// Of a campaign c: people will still be reminded of it, by a campaign m.
	isReminded = `EXISTS (SELECT FROM SCHEMA.clerkriver_campaigns m WHERE ` + isReminder + `)`
	isReminder = `m.reminds = c.id AND m.finished_at IS NULL AND m.cancelled_at IS NULL`

	// The last sync is too old for the reminder $3, or it was enqueued later.
	isStale = `fresh_at <= greatest(clock_timestamp() - interval '5 minutes',
		(SELECT enqueued_at FROM SCHEMA.clerkriver_campaigns WHERE id = $3))`

	// Set in the transaction that keeps a new invitation, $5.
	setRevoke = `revoke = CASE WHEN $4 = 'created' AND $5 <> replaces THEN replaces END,
				revoke_at = CASE WHEN $4 = 'created' AND $5 <> replaces THEN clock_timestamp() END`

	revokeDue = `(SELECT r.revoke_at FROM SCHEMA.clerkriver_rows r JOIN SCHEMA.clerkriver_campaigns c ON c.id = r.campaign_id
				WHERE r.revoke_at IS NOT NULL AND c.instance = $1 ORDER BY r.revoke_at LIMIT 1)`

	// The invitations to revoke.
	queryReplaced = `SELECT r.campaign_id, r.place, r.revoke, r.replaces FROM SCHEMA.clerkriver_rows r
		JOIN SCHEMA.clerkriver_campaigns c ON c.id = r.campaign_id
		WHERE r.revoke_at <= clock_timestamp() AND c.instance = $1 ORDER BY r.revoke_at LIMIT $2::integer FOR UPDATE OF r SKIP LOCKED`

	// Records that the invitation $3 of the row $2 of the campaign $1 was revoked, or cannot
	// be.
	queryRevoked = `UPDATE SCHEMA.clerkriver_rows SET revoke = NULL, revoke_at = NULL
		WHERE ` + isUnlocked + ` AND revoke = $3::text`

	// Marks the new invitation for revocation, as the old one of the row $2 of the campaign $1
	// was accepted, which has been recorded.
	queryRevokeNew = `UPDATE SCHEMA.clerkriver_rows SET revoke = invitation_id, revoke_at = clock_timestamp()
		WHERE ` + isUnlocked + ` AND revoke = replaces AND state NOT IN ('created', 'expired')
		RETURNING revoke`

	// The invitation of the row "changed" was revoked, and its person has that of a reminder n.
	isReplaced = `changed.state = 'revoked' AND EXISTS (SELECT FROM SCHEMA.clerkriver_rows n
		WHERE n.person = changed.person AND n.replaces = changed.invitation_id AND n.invitation_id <> n.replaces
			AND (n.state = 'created' OR n.change > 0))`

	// OnChange does not hear what became of an invitation that a reminder n has replaced,
	// unless it was accepted. An acceptance is recorded for both rows, and told for the first.
	isTold = `NOT EXISTS (SELECT FROM SCHEMA.clerkriver_rows n
			WHERE n.person = changed.person AND n.replaces = changed.invitation_id AND n.invitation_id <> n.replaces
				AND (n.state = 'accepted' OR changed.state <> 'accepted' AND (n.state = 'created' OR n.change > 0)))
		AND NOT EXISTS (SELECT FROM SCHEMA.clerkriver_rows o
			WHERE o.invitation_id = changed.replaces AND o.state = 'accepted' AND changed.state = 'accepted')`

	// The pause doubles each time, from $4 up to an hour.
	queryRevokeLater = `UPDATE SCHEMA.clerkriver_rows SET revoke_at = clock_timestamp() +
			least(greatest(clock_timestamp() - changed_at, $4::interval), interval '1 hour')
		WHERE ` + isUnlocked + ` AND revoke = $3::text`

	// The row $2 of the campaign $1, unless a caller's transaction has locked it.
	isUnlocked = `ctid = (SELECT ctid FROM SCHEMA.clerkriver_rows
		WHERE campaign_id = $1::bigint AND place = $2::integer FOR UPDATE SKIP LOCKED)`

	// $2 is a person.
	queryExclude = `INSERT INTO SCHEMA.clerkriver_excluded (instance, person) SELECT $1, $2::bigint
		WHERE NOT EXISTS (SELECT FROM SCHEMA.clerkriver_excluded WHERE instance = $1 AND person = $2)`
	queryInclude = `DELETE FROM SCHEMA.clerkriver_excluded WHERE instance = $1 AND person = $2::bigint`
)
