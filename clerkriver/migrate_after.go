package clerkriver

// The second version: the states of invitations after they were created.
const upV2 = `
ALTER TABLE SCHEMA.clerkriver_instances
	ADD COLUMN synced_at  timestamptz NOT NULL DEFAULT 'epoch', -- when the last sync began
	ADD COLUMN synced_run bigint      NOT NULL DEFAULT 0, -- the last run that was a sync
	ADD COLUMN fresh_at   timestamptz NOT NULL DEFAULT 'epoch', -- when the last sync that ended began
	ADD COLUMN sync       bigint      NOT NULL DEFAULT 0; -- counts the syncs that ended
ALTER TABLE SCHEMA.clerkriver_campaigns
	ADD COLUMN reminds    bigint, -- the campaign whose invitations it sends again
	ADD COLUMN ended_at   timestamptz; -- when no invitation was open anymore
ALTER TABLE SCHEMA.clerkriver_rows
	ADD COLUMN person     bigint, -- a hash of the address; null if it was erased
	ADD COLUMN change     smallint NOT NULL DEFAULT 0, -- counts the changes of the invitation
	ADD COLUMN became_at  timestamptz, -- when the invitation changed, by Clerk's clock
	ADD COLUMN missing_in bigint, -- the sync that did not find it
	ADD COLUMN replaces   text, -- the invitation that a reminder sends again
	ADD COLUMN revoke     text, -- the invitation to revoke, as there is another one
	ADD COLUMN revoke_at  timestamptz; -- when revoking it is tried
CREATE INDEX clerkriver_rows_open ON SCHEMA.clerkriver_rows (campaign_id) WHERE state = 'created';
CREATE INDEX clerkriver_rows_person ON SCHEMA.clerkriver_rows (person) WHERE person IS NOT NULL;
CREATE INDEX clerkriver_rows_revoke ON SCHEMA.clerkriver_rows (revoke_at) WHERE revoke_at IS NOT NULL;
CREATE TABLE SCHEMA.clerkriver_excluded ( -- people excluded from reminders; for a unique key, transactions would wait
	instance text   NOT NULL,
	person   bigint NOT NULL
);
CREATE INDEX clerkriver_excluded_person ON SCHEMA.clerkriver_excluded (instance, person);
CREATE TABLE SCHEMA.clerkriver_erasures ( -- erasures of rows that were being sent
	campaign_id bigint      NOT NULL,
	place       integer     NOT NULL,
	instance    text        NOT NULL,
	erased_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
	PRIMARY KEY (campaign_id, place)
);
CREATE TABLE SCHEMA.clerkriver_untold ( -- changes that OnChange has not accepted
	campaign_id bigint      NOT NULL,
	place       integer     NOT NULL,
	change      smallint    NOT NULL,
	instance    text        NOT NULL,
	state       text        NOT NULL,
	became_at   timestamptz,
	changed_at  timestamptz NOT NULL,
	tell_at     timestamptz NOT NULL,
	tells       smallint    NOT NULL DEFAULT 1,
	problem     text        NOT NULL,
	PRIMARY KEY (campaign_id, place, change)
);
CREATE INDEX clerkriver_untold_next ON SCHEMA.clerkriver_untold (instance, tell_at);`

// Later states of invitations are lost: the rows count as created.
const downV2 = `
INSERT INTO SCHEMA.clerkriver_counts (campaign_id, state, source, rows)
	SELECT campaign_id, 'untold', -txid_current(), -count(*) FROM SCHEMA.clerkriver_untold GROUP BY campaign_id;
INSERT INTO SCHEMA.clerkriver_counts (campaign_id, state, source, rows)
	SELECT campaign_id, CASE WHEN state IN ('erased', 'skipped') THEN 'cancelled' ELSE 'created' END, source, sum(rows)
	FROM SCHEMA.clerkriver_counts WHERE state IN ('accepted', 'expired', 'revoked', 'deleted', 'erased', 'skipped') GROUP BY 1, 2, 3
	ON CONFLICT (campaign_id, state, source) DO UPDATE SET rows = clerkriver_counts.rows + excluded.rows;
DROP TABLE SCHEMA.clerkriver_untold;
DROP TABLE SCHEMA.clerkriver_erasures;
DROP TABLE SCHEMA.clerkriver_excluded;
DROP INDEX SCHEMA.clerkriver_rows_open;
DROP INDEX SCHEMA.clerkriver_rows_person;
DROP INDEX SCHEMA.clerkriver_rows_revoke;
UPDATE SCHEMA.clerkriver_rows SET state = CASE WHEN state IN ('erased', 'skipped') THEN 'cancelled' ELSE 'created' END
	WHERE change > 0 OR state IN ('erased', 'skipped');
UPDATE SCHEMA.clerkriver_campaigns SET cancelled_at = coalesce(cancelled_at, now()) WHERE reminds IS NOT NULL AND finished_at IS NULL;
DELETE FROM SCHEMA.clerkriver_counts WHERE state IN ('accepted', 'expired', 'revoked', 'replaced', 'deleted', 'erased', 'skipped');
ALTER TABLE SCHEMA.clerkriver_campaigns DROP COLUMN reminds, DROP COLUMN ended_at;
ALTER TABLE SCHEMA.clerkriver_rows DROP COLUMN person, DROP COLUMN change, DROP COLUMN became_at, DROP COLUMN missing_in,
	DROP COLUMN replaces, DROP COLUMN revoke, DROP COLUMN revoke_at;
ALTER TABLE SCHEMA.clerkriver_instances DROP COLUMN synced_at, DROP COLUMN synced_run, DROP COLUMN fresh_at, DROP COLUMN sync;`
