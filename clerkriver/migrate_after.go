package clerkriver

// The second version: what becomes of invitations after they were created.
const upV2 = `
ALTER TABLE SCHEMA.clerkriver_instances
	ADD COLUMN synced_at  timestamptz NOT NULL DEFAULT 'epoch', -- when the last sync began
	ADD COLUMN sync       bigint      NOT NULL DEFAULT 0; -- counts the syncs that ended
ALTER TABLE SCHEMA.clerkriver_campaigns
	ADD COLUMN ended_at   timestamptz; -- no invitation was open any more
ALTER TABLE SCHEMA.clerkriver_rows
	ADD COLUMN person     bigint, -- a hash of the address; null if it was erased
	ADD COLUMN change     smallint NOT NULL DEFAULT 0, -- counts what became of the invitation
	ADD COLUMN became_at  timestamptz, -- when, by Clerk's clock
	ADD COLUMN missing_in bigint; -- the sync that did not find it
CREATE INDEX clerkriver_rows_open ON SCHEMA.clerkriver_rows (campaign_id) WHERE state = 'created';
CREATE INDEX clerkriver_rows_person ON SCHEMA.clerkriver_rows (person) WHERE person IS NOT NULL;
CREATE TABLE SCHEMA.clerkriver_erasures ( -- of rows that were being sent
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

const downV2 = `
DROP TABLE SCHEMA.clerkriver_untold;
DROP TABLE SCHEMA.clerkriver_erasures;
DROP INDEX SCHEMA.clerkriver_rows_open;
DROP INDEX SCHEMA.clerkriver_rows_person;
UPDATE SCHEMA.clerkriver_rows SET state = CASE state WHEN 'erased' THEN 'cancelled' ELSE 'created' END WHERE change > 0 OR state = 'erased';
DELETE FROM SCHEMA.clerkriver_counts WHERE state IN ('accepted', 'expired', 'revoked', 'deleted', 'erased');
ALTER TABLE SCHEMA.clerkriver_campaigns DROP COLUMN ended_at;
ALTER TABLE SCHEMA.clerkriver_rows DROP COLUMN person, DROP COLUMN change, DROP COLUMN became_at, DROP COLUMN missing_in;
ALTER TABLE SCHEMA.clerkriver_instances DROP COLUMN synced_at, DROP COLUMN sync;`
