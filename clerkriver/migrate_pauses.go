package clerkriver

// The third version: pauses whose end is still to be reported, pauses during which invitations
// are listed, and what a process must know of others.
const upV3 = `
ALTER TABLE SCHEMA.clerkriver_instances
	ADD COLUMN pause_reporter  text    NOT NULL DEFAULT '', -- the process that reported the pause, until its end is reported
	ADD COLUMN creates_refused boolean NOT NULL DEFAULT false, -- Clerk refused to create invitations, but may list them
	ADD COLUMN has_on_result   boolean NOT NULL DEFAULT false, -- a process with OnResult has run
	ADD COLUMN has_on_change   boolean NOT NULL DEFAULT false,
	ADD COLUMN settings        json, -- of the process that ran last
	ADD COLUMN problem_since   timestamptz; -- null without a problem
ALTER TABLE SCHEMA.clerkriver_campaigns
	ADD COLUMN pause_reporter text NOT NULL DEFAULT '';`

const downV3 = `
ALTER TABLE SCHEMA.clerkriver_campaigns DROP COLUMN pause_reporter;
ALTER TABLE SCHEMA.clerkriver_instances DROP COLUMN pause_reporter, DROP COLUMN creates_refused,
	DROP COLUMN has_on_result, DROP COLUMN has_on_change, DROP COLUMN settings, DROP COLUMN problem_since;`
