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
// observed. The following is inferred. The real Clerk may differ, and tests should
// not depend on it:
//
//   - the status 422 and the codes for invalid values of email_address,
//     expires_in_days, template_slug and list parameters, for values of a wrong
//     type and for unknown fields (observed on a sibling of these operations), the
//     400 for an empty bulk, and which error comes first when several apply;
//   - the short text and the meta of duplicate_record, which are those of Clerk's
//     organization invitations;
//   - a bulk creates all of its invitations or none, its response is in request
//     order, and an address that occurs twice in it is a duplicate_record;
//   - ignore_existing creates a second invitation beside a pending one. In a bulk
//     it does not allow the address of a user: Clerk's document contradicts itself
//     there, and the fake follows the stricter sentence;
//   - addresses are compared case-insensitively and returned as they were sent;
//     what a valid address looks like; its maximum length, here 254 characters;
//   - an address can be invited again when its invitation has expired, and an
//     expired invitation can be revoked;
//   - deleting an invitation ends its link, and an unknown or deleted id gets 404
//     resource_not_found;
//   - status may be repeated in a list, as Clerk's Go SDK does but its document
//     does not say;
//   - the body of a 429 (see [WithRateLimitAnswer]); requests refused with 401 or
//     429 do not count against a limit, and those refused otherwise do;
//   - whether the window of a limit is fixed or sliding (see [RateLimits]);
//   - whether query matches parts of an address or id. The fake matches parts,
//     case-insensitively, unless [WithExactQuery] is given;
//   - whether limit and offset apply to the list that is a bare array. In the fake
//     they do, unless [WithUnpagedArrays] is given;
//   - a create beyond a development instance's monthly emails succeeds and sends no
//     email (see [WithEmailLimit]);
//   - which dates Clerk-API-Version may have: those of Clerk's published OpenAPI
//     documents;
//   - the links of invitations that are not pending, and of those whose redirect URL
//     is neither http, https nor a path, lead to the sign-up page;
//   - the largest request body, here 1 MiB, and the response to an unknown path or
//     method, here 404 in plain text.
package clerktest
