package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go/clerktest"
)

// TestCommandsSayWhatTheyDid: in the past tense, without addresses.
func TestCommandsSayWhatTheyDid(t *testing.T) {
	conn, url := connect(t)
	fake := clerktest.New()
	baseURL, stop := fake.Serve()
	defer stop()
	p := program{databaseURL: url, secretKey: fake.SecretKey(), baseURL: baseURL}
	const instancePaused = "the instance default was already paused; the earlier reason was: "
	const instanceResumed = "the instance default was resumed; the reason of the pause was: "
	const notPaused = "the instance default was not paused; missing wakes were scheduled, " +
		"and the service gets the results again that it has refused\n"
	const migrated = "the tables were migrated to version 1: campaigns, rows, slots\n" +
		"the tables were migrated to version 2: states of invitations after they were created\n" +
		"the tables were migrated to version 3: reports of pauses, and what processes know of each other\n"
	const dropOurs = `DROP TABLE clerkriver_migrations, clerkriver_instances, clerkriver_campaigns, clerkriver_rows,
		clerkriver_counts, clerkriver_slots, clerkriver_untold, clerkriver_erasures, clerkriver_excluded`
	for _, test := range []struct{ sql, args, stderr string }{
		{"", "migrate", migrated + "River's tables were created\n"},
		{dropOurs, "migrate", migrated},
		{"", "migrate", "no table was missing\n"},
		{"", "enqueue people.csv", "people: 1 row enqueued\n"},
		{"", "resume", notPaused},
		{"", "pause mistake", "the instance default was paused\n"},
		{"", "pause again", instancePaused + "mistake\n"},
		{"", "-campaign people pause later", "people was paused\n"},
		{"", "-campaign people pause never", "people was already paused; the earlier reason was: later\n"},
		{"", "resume", instanceResumed + "again\n"},
		{"", "resume", notPaused},
		{"", "-campaign people resume", "people was resumed; the reason of the pause was: never\n"},
		{"", "-campaign people resume", "people was not paused; missing wakes were scheduled\n"},
		{"UPDATE clerkriver_instances SET paused_until = now() + interval '1 hour', pause_reason = 'no such key'", "pause mistake", instancePaused + "no such key\n"},
		{"UPDATE clerkriver_instances SET pause_reason = ''", "resume", instanceResumed + "no reason given\n"},
		{"UPDATE clerkriver_instances SET paused_until = now() - interval '1 hour', pause_reason = 'no such key'", "pause mistake", "the instance default was paused\n"},
		{"", "exclude a@example.com", "the person is excluded from reminders\n"},
		{"", "exclude typo@example.com", "the address is excluded from reminders; no campaign has it yet\n"},
		{"", "erase A@example.com", "the person was erased from 1 row; Clerk has no invitation of the address anymore\n"},
		{"", "erase a@example.com", "no campaign had the address; Clerk has no invitation of it anymore\n"},
		{"", "cancel people", ""},
		{"", "delete people", "people was deleted\n"},
	} {
		_, err := conn.Exec(t.Context(), test.sql)
		require.NoError(t, err)
		code, _, stderr := run(t, p, test.args)
		require.Zero(t, code, stderr)
		require.Equal(t, test.stderr, stderr, test.args)
	}
}

// TestCommandsThatFailedSayNothing: a failed command must not look as if it had succeeded.
func TestCommandsThatFailedSayNothing(t *testing.T) {
	_, url := connect(t)
	p := program{databaseURL: url}
	mustRun(t, p, "migrate", "enqueue people.csv", "-campaign done enqueue people.csv", "cancel done")
	for args, problem := range map[string]string{
		"-campaign done pause later":   "done has finished; nothing was done",
		"delete people":                "clerkriver: the campaign has not finished: \"people\"; cancel it first",
		"delete nobody":                "clerkriver: no such campaign: \"nobody\"",
		"-campaign nobody pause later": "clerkriver: no such campaign: \"nobody\"",
		"-campaign nobody resume":      "clerkriver: no such campaign: \"nobody\"",
		"erase a@example.com":          "CLERK_SECRET_KEY is not set; nothing was erased",
		"-instance two exclude nobody": "\"nobody\" is not an email address; nothing was done",
	} {
		code, stdout, stderr := run(t, p, args)
		require.Equal(t, exitFailed, code, args)
		require.Empty(t, stdout, args)
		require.Equal(t, "durable: "+problem+"\n", stderr, args)
	}
}
