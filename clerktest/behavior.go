package clerktest

import (
	"time"
)

// A Behavior chooses what a [Fake] does where Clerk's behavior is not documented, is
// only inferred, or is documented in two ways. The zero Behavior follows the fake's
// assumptions, which docs/clerk-api.md lists; every field changes one rule. Pass it to
// [WithBehavior]. [ParseBehavior] reads it from a text such as
// "list-lag=1s,bulks=until-first,no-date", with names derived from the fields'. [Behaviors]
// returns all alternatives for a table test.
type Behavior struct {
	// Creating

	// Bulks is the effect of a bulk in which some requests are refused.
	Bulks Bulks `alternatives:"until-first,good-rows,without-duplicates"`
	// BulksReversed returns the invitations of a bulk in reversed order, instead of
	// the order of the requests.
	BulksReversed bool
	// BulksRepeat creates an address that occurs twice in a bulk twice, instead of
	// refusing the bulk with duplicate_record.
	BulksRepeat bool
	// BulksEmpty accepts a bulk without requests, instead of refusing it.
	BulksEmpty bool
	// BulksIgnoreUsers lets ignore_existing in a bulk invite the address of a user, as
	// in a single create. Clerk's document contradicts itself there.
	BulksIgnoreUsers bool
	// BulkMetadata is the effect of a bulk on its metadata.
	BulkMetadata BulkMetadata `alternatives:"lost,lost-silently"`
	// IgnoreExisting is the effect of ignore_existing on an address that has a pending
	// invitation.
	IgnoreExisting IgnoreExisting `alternatives:"returns,replaces,refused"`
	// Duplicates are the invitations, besides pending ones, for which a create of the
	// same address is refused with duplicate_record.
	Duplicates Duplicates `alternatives:"accepted,expired,revoked,any"`
	// DuplicatesFirst refuses the address of a user that has a pending invitation with
	// duplicate_record, instead of form_identifier_exists.
	DuplicatesFirst bool
	// Addresses is the spelling of an address that the fake stores and returns.
	Addresses Addresses `alternatives:"lower,untagged,undotted"`
	// RewriteAddress, if not nil, is used instead of Addresses. It has no text form.
	RewriteAddress func(address string) string
	// CaseSensitiveAddresses treats addresses that differ in case as different.
	CaseSensitiveAddresses bool
	// UnknownFieldsIgnored ignores unknown fields in a request, instead of refusing
	// them.
	UnknownFieldsIgnored bool
	// EmailLimitRefuses refuses a create beyond the limit of [WithEmailLimit], instead
	// of sending no email.
	EmailLimitRefuses bool

	// Listing

	// ListLag is the time after which lists show a change.
	ListLag time.Duration `alternatives:"1s"`
	// ListLagOf restricts ListLag to some changes.
	ListLagOf ListLagOf `alternatives:"creates,revocations,deletions"`
	// Query is the part of addresses and ids that the parameter query of a list matches.
	Query Query `alternatives:"whole,beginnings,words,ignored"`
	// QueryWithoutIDs keeps query from matching ids.
	QueryWithoutIDs bool
	// QueryCaseSensitive makes query compare case-sensitively.
	QueryCaseSensitive bool
	// Statuses is the effect of several values of the parameter status in one list.
	Statuses Statuses `alternatives:"first,refused"`
	// Lapsed is the status of an invitation whose time has passed.
	Lapsed Lapsed `alternatives:"pending,duplicate"`
	// RevokedUnlisted keeps revoked invitations out of all lists, even those with
	// status=revoked.
	RevokedUnlisted bool
	// Lists is the form of a list.
	Lists Lists `alternatives:"bare,envelope"`
	// UnpagedArrays makes a bare array ignore limit and offset.
	UnpagedArrays bool
	// TotalOfPage makes total_count the number of invitations on the page.
	TotalOfPage bool
	// PageCap, if not 0, is the most invitations on a page, whatever its limit.
	PageCap int `alternatives:"100"`

	// Revoking and deleting

	// RevokeAgainSucceeds returns a revoked invitation that is revoked again, instead
	// of refusing it with invitation_already_revoked.
	RevokeAgainSucceeds bool
	// RevokeExpiredFails refuses to revoke an expired invitation with bad_request.
	RevokeExpiredFails bool
	// DeleteAgainSucceeds accepts the deletion of an unknown id, instead of refusing it with
	// resource_not_found.
	DeleteAgainSucceeds bool
	// DeletedLinksWork keeps the link of a deleted invitation valid.
	DeletedLinksWork bool

	// Responses

	// DateSkew is added to the header Date. Times in invitations stay the fake's.
	DateSkew time.Duration `alternatives:"2s,-1m0s"`
	// NoDate omits the header Date.
	NoDate bool
	// NoTraceID omits the header X-Clerk-Trace-Id.
	NoTraceID bool
	// ContentType, if not empty, is the Content-Type of JSON responses.
	ContentType string `alternatives:"text/plain; charset=utf-8"`
	// Numbers is the spelling of times and counts.
	Numbers Numbers `alternatives:"decimal,exponent,string"`
	// NullMetadata returns null for empty public metadata, instead of {}.
	NullMetadata bool
	// NullExpiry returns null for expires_at if the request had no expires_in_days.
	NullExpiry bool
	// AnyAPIVersion accepts every Clerk-API-Version, instead of the published ones.
	AnyAPIVersion bool
	// RefusalStatus, if not 0, is the status of all refusals that have 400, 404, 409 or
	// 422 in Clerk's error catalogue.
	RefusalStatus int `alternatives:"400,403,404,409,422"`
	// RefusalsGeneric replaces the codes of refused parameters by
	// malformed_request_parameters.
	RefusalsGeneric bool
	// NoMeta omits the meta of errors.
	NoMeta bool

	// Limits

	// Windows is the kind of the windows of rate limits. If it is empty,
	// [RateLimits].Sliding chooses between fixed and sliding windows.
	Windows Windows `alternatives:"sliding,clock,token-bucket"`
	// FaultsUncounted keeps requests that meet a fault and are not performed from counting
	// against the limits. A request whose connection is refused never counts. A request that
	// gets a 429 counts only with RateLimitedCounted.
	FaultsUncounted bool
	// RefusalsUncounted keeps requests that Clerk refuses from counting.
	RefusalsUncounted bool
	// RateLimitedCounted counts requests beyond a limit.
	RateLimitedCounted bool
	// RateLimitStatus, if not 0, replaces the status 429 of too_many_requests.
	RateLimitStatus int `alternatives:"400,403,422"`
	// RateLimitBody is the body of a 429.
	RateLimitBody RateLimitBody `alternatives:"empty-errors,text,html,none"`
}

// Bulks is the effect of a bulk in which some requests are refused. The zero value creates
// none of its invitations.
type Bulks string

// The alternatives to all or nothing. The response is a refusal, except with
// BulksWithoutDuplicates.
const (
	// BulksUntilFirst creates the invitations before the first refused request.
	BulksUntilFirst Bulks = "until-first"
	// BulksGoodRows creates the invitations of all other requests.
	BulksGoodRows Bulks = "good-rows"
	// BulksWithoutDuplicates leaves out the addresses that have an invitation. The bulk
	// succeeds, and its response has the invitations that were created.
	BulksWithoutDuplicates Bulks = "without-duplicates"
)

// BulkMetadata is the effect of a bulk on its metadata. The zero value keeps it.
type BulkMetadata string

// The ways in which a bulk loses metadata.
const (
	// BulkMetadataLost creates invitations without metadata.
	BulkMetadataLost BulkMetadata = "lost"
	// BulkMetadataLostSilently creates invitations without metadata, but returns them with it.
	BulkMetadataLostSilently BulkMetadata = "lost-silently"
)

// IgnoreExisting is the effect of ignore_existing on an address that has a pending
// invitation. The zero value creates a second one beside it.
type IgnoreExisting string

// The alternatives to a second invitation.
const (
	// IgnoreExistingReturns returns the existing invitation and creates none.
	IgnoreExistingReturns IgnoreExisting = "returns"
	// IgnoreExistingReplaces revokes the existing ones and creates one.
	IgnoreExistingReplaces IgnoreExisting = "replaces"
	// IgnoreExistingRefused refuses the request like one without ignore_existing.
	IgnoreExistingRefused IgnoreExisting = "refused"
)

// Duplicates are the invitations, besides pending ones, that make a create of their
// address a duplicate_record. The zero value is none.
type Duplicates string

// The invitations that make a create a duplicate.
const (
	DuplicatesAccepted Duplicates = "accepted"
	DuplicatesExpired  Duplicates = "expired"
	DuplicatesRevoked  Duplicates = "revoked"
	DuplicatesAny      Duplicates = "any"
)

// Addresses is the spelling in which addresses are stored and returned. The zero
// value keeps the request's spelling.
type Addresses string

// The spellings of addresses.
const (
	// AddressesLower is in lower case.
	AddressesLower Addresses = "lower"
	// AddressesUntagged omits the "+" and everything after it in the local part.
	AddressesUntagged Addresses = "untagged"
	// AddressesUndotted omits dots in the local part.
	AddressesUndotted Addresses = "undotted"
)

// ListLagOf is the kind of changes that lists show late. The zero value is every
// change.
type ListLagOf string

// The kinds of changes that lists show late.
const (
	ListLagOfCreates     ListLagOf = "creates"
	ListLagOfRevocations ListLagOf = "revocations"
	ListLagOfDeletions   ListLagOf = "deletions"
)

// Query is the part of an address or id that the parameter query matches. The zero
// value is every part.
type Query string

// The alternatives to matching parts.
const (
	// QueryWhole matches whole addresses and ids.
	QueryWhole Query = "whole"
	// QueryBeginnings matches the beginnings of addresses and ids.
	QueryBeginnings Query = "beginnings"
	// QueryWords matches addresses and ids that contain a word of the query, so that an
	// address matches all addresses of its domain.
	QueryWords Query = "words"
	// QueryIgnored matches everything.
	QueryIgnored Query = "ignored"
)

// Statuses is the effect of several values of status in one list. The zero value
// lists invitations with any of them, as Clerk's Go SDK expects.
type Statuses string

// The alternatives to honoring several values.
const (
	// StatusesFirst honors only the first value.
	StatusesFirst Statuses = "first"
	// StatusesRefused refuses the list with form_param_value_invalid.
	StatusesRefused Statuses = "refused"
)

// Lapsed is the status of an invitation whose expires_at has passed. The zero value
// is expired.
type Lapsed string

// The alternatives to expired.
const (
	// LapsedPending lists it as pending.
	LapsedPending Lapsed = "pending"
	// LapsedDuplicate lists it as pending and refuses a create of its address.
	LapsedDuplicate Lapsed = "duplicate"
)

// Lists is the form of a list. The zero value is an envelope with total_count if the
// request has paginated=true, and a bare array otherwise.
type Lists string

// The alternatives to honoring paginated.
const (
	ListsBare     Lists = "bare"
	ListsEnvelope Lists = "envelope"
)

// Numbers is the spelling of times and counts. The zero value spells them as integers.
type Numbers string

// The other spellings of numbers.
const (
	NumbersDecimal  Numbers = "decimal"  // 1793835590599.0
	NumbersExponent Numbers = "exponent" // 1.793835590599e12
	NumbersString   Numbers = "string"   // "1793835590599"
)

// Windows is the kind of the windows of rate limits. The zero value is fixed: a
// window begins with the first request after the previous one ended.
type Windows string

// The alternatives to fixed windows.
const (
	// WindowsSliding counts the requests of the last hour at any time.
	WindowsSliding Windows = "sliding"
	// WindowsClock begins a window at every full hour (UTC).
	WindowsClock Windows = "clock"
	// WindowsTokenBucket allows all requests at once, and then one whenever its share
	// of the hour has passed.
	WindowsTokenBucket Windows = "token-bucket"
)

// RateLimitBody is the body of a 429. The zero value is an error envelope with
// too_many_requests.
type RateLimitBody string

// The alternatives to an error envelope.
const (
	RateLimitBodyEmptyErrors RateLimitBody = "empty-errors" // an envelope without errors
	RateLimitBodyText        RateLimitBody = "text"
	RateLimitBodyHTML        RateLimitBody = "html"
	RateLimitBodyNone        RateLimitBody = "none"
)
