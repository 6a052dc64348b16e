package clerkriver

// The third version: pauses whose end is still to be reported, and pauses during which
// invitations are listed.
const upV3 = `
ALTER TABLE SCHEMA.clerkriver_instances
	ADD COLUMN pause_reporter  text    NOT NULL DEFAULT '', -- the process that reported the pause, until its end is reported
	ADD COLUMN creates_refused boolean NOT NULL DEFAULT false; -- Clerk refused to create invitations, but may list them
ALTER TABLE SCHEMA.clerkriver_campaigns
	ADD COLUMN pause_reporter text NOT NULL DEFAULT '';`

const downV3 = `
ALTER TABLE SCHEMA.clerkriver_campaigns DROP COLUMN pause_reporter;
ALTER TABLE SCHEMA.clerkriver_instances DROP COLUMN pause_reporter, DROP COLUMN creates_refused;`
