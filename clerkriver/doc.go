// Package clerkriver sends campaigns of invitations from a service that uses River and
// PostgreSQL. A campaign is a list of invitations under a name. It is enqueued in the
// caller's transaction, sent as fast as Clerk's hourly limits allow, and survives the
// process: a runner that is killed is replaced within two minutes, and nobody is invited
// twice.
//
// It uses the application's own river.Client, river.Config and pool:
//
//	campaigns, err := clerkriver.New(pool, clerkriver.Config{})
//	client, err := campaigns.NewClient(secretKey, nil)
//	err = campaigns.Install(riverConfig, client)
//	riverClient, err := river.NewClient(riverpgxv5.New(pool), riverConfig)
//
// [Campaigns.EnqueueTx] adds a campaign, [Campaigns.Status] and [Campaigns.Results]
// report on it, and [Campaigns.RemindTx] reminds those who have not accepted. River runs one
// small job of kind "clerk_invitations_wake" for each Clerk instance, at most once in
// [Config].Wake, on its own queue. The job's arguments contain only the instance's name. Rows
// and results are in tables whose names begin with "clerkriver_"; [Migrate] creates them.
//
// Clerk's limits are shared by everybody who sends through [Campaigns.Transport]: request
// handlers, runs of CreateAll and campaigns, on all machines that use the database.
//
// A job only calls [Campaigns.Work]. Without River, call it from cron, Temporal or asynq.
package clerkriver
