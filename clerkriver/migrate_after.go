package clerkriver

// The second version: what becomes of invitations after they were created.
const upV2 = `
ALTER TABLE SCHEMA.clerkriver_instances
	ADD COLUMN synced_at  timestamptz NOT NULL DEFAULT 'epoch', -- when the last sync began
	ADD COLUMN sync       bigint      NOT NULL DEFAULT 0; -- counts the syncs that ended
ALTER TABLE SCHEMA.clerkriver_rows
	ADD COLUMN change     smallint NOT NULL DEFAULT 0, -- counts what became of the invitation
	ADD COLUMN became_at  timestamptz, -- when, by Clerk's clock
	ADD COLUMN missing_in bigint; -- the sync that did not find it
CREATE INDEX clerkriver_rows_open ON SCHEMA.clerkriver_rows (campaign_id) WHERE state = 'created';
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
DROP INDEX SCHEMA.clerkriver_rows_open;
UPDATE SCHEMA.clerkriver_rows SET state = 'created' WHERE change > 0;
DELETE FROM SCHEMA.clerkriver_counts WHERE state IN ('accepted', 'expired', 'revoked', 'deleted');
ALTER TABLE SCHEMA.clerkriver_rows DROP COLUMN change, DROP COLUMN became_at, DROP COLUMN missing_in;
ALTER TABLE SCHEMA.clerkriver_instances DROP COLUMN synced_at, DROP COLUMN sync;`
