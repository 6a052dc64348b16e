// Package clerktest is a fake of Clerk's Invitations API for testing services that
// use package clerk. It keeps state like a Clerk instance: an invitation that was
// created can be listed, revoked, deleted, accepted or left to expire.
//
//	client, fake := clerktest.NewClient(t)
//
// Requests can be made to fail: the next ones with [Fake.Fail] and [Fake.Respond],
// or a share of them with [WithFaults].
//
// The fake records the emails that Clerk would have sent. [Fake.Sent] returns them.
// Their links lead to the fake, and [Fake.SignUp] signs up with a link's ticket.
// Most tests need no more than these and [Fake.Advance], which moves its clock.
//
// A [Fake] is an [http.RoundTripper] that responds in process, even inside a
// testing/synctest bubble, and an [http.Handler] that [Fake.Serve] serves on
// loopback. Both share one state. Package fakeserver adds a web page and an HTTP
// API to control the fake, and the program fakeclerk serves all of it to clients in
// any language:
//
//	go run github.com/clerk-invitations/clerk-go/clerktest/cmd/fakeclerk
//
// # Sources
//
// Statuses, codes and texts come from Clerk's OpenAPI document (2026-05-12), its
// public error catalogue, its "Rate limits" page and its SDKs. The text for an
// address that belongs to a user, and the format of ids, times and headers, are as
// observed. docs/clerk-api.md lists what is inferred, open or contradictory. Tests
// should not depend on that: [Behavior] has a field for each such rule, and
// [Behaviors] returns all of its alternatives, so that a table test can run under
// each of them:
//
//	for name, behavior := range clerktest.Behaviors() {
//		t.Run(name, func(t *testing.T) {
//			client, fake := clerktest.NewClient(t, clerktest.WithBehavior(behavior))
//			// ...
//		})
//	}
//
// These choices of the fake are inferred and fixed:
//
//   - what a valid address looks like, and its maximum length of 254 characters;
//   - the largest request body, 1 MiB, and the response to an unknown path or method,
//     404 in plain text;
//   - links of invitations that are not pending, and of those whose redirect URL is
//     neither http, https nor a path, lead to the sign-up page.
package clerktest
