package main

// A question is a row of the report.
type question struct {
	key, text string
	assumed   string // what the library and its fake assume
	needs     string // what a run needs in order to answer it, and may lack
}

var questions = []question{
	{"bulks", "Is a bulk all or nothing?", "all or nothing", ""},
	{"bulks-reversed", "Is the response to a bulk in order?", "in the order of the requests", ""},
	{"bulks-repeat", "What is an address that occurs twice in a bulk?", "a duplicate_record", ""},
	{"bulks-empty", "Is an empty bulk refused?", "refused", ""},
	{"bulks-ignore-users", "Does ignore_existing in a bulk allow the address of a user?", "no", needsUsers},
	{"bulk-metadata", "Does a bulk keep metadata?", "yes, in its response and in lists", ""},
	{"ignore-existing", "What does ignore_existing do beside a pending invitation?", "creates a second one", ""},
	{"duplicates", "Which invitations besides pending ones make a duplicate_record?", "none (revoked ones were tried)", ""},
	{"duplicates-first", "Which refusal has a user with a pending invitation?", "form_identifier_exists", needsUsers},
	{"addresses", "How is an address kept?", "as it was sent", ""},
	{"case-sensitive-addresses", "Are addresses that differ in case the same?", "yes", ""},
	{"unknown-fields-ignored", "Is an unknown field refused?", "refused", ""},
	{"email-limit-refuses", "What is a create beyond the monthly emails?", "it succeeds", "100 emails"},
	{"list-lag", "How soon do lists show changes?", "at once", ""},
	{"query", "What does query match?", "every part of an address or id", ""},
	{"query-without-ids", "Does query match ids?", "yes", ""},
	{"query-case-sensitive", "Is query case-sensitive?", "no", ""},
	{"statuses", "What do several values of status list?", "invitations with any of them", ""},
	{"lapsed", "How is an invitation listed whose time has passed?", "as expired", needsDay},
	{"revoked-unlisted", "Does status=revoked list revoked invitations?", "yes", ""},
	{"lists", "What is the form of a list?", "an envelope with paginated=true, otherwise an array", ""},
	{"unpaged-arrays", "Does limit apply to a bare array?", "yes", ""},
	{"total-of-page", "What does total_count count?", "all pages", ""},
	{"page-cap", "How long is a page?", "up to 500", "an instance with more than 100 invitations"},
	{"revoke-again-succeeds", "Is revoking twice refused?", "invitation_already_revoked", ""},
	{"revoke-expired-fails", "Can an expired invitation be revoked?", "yes", needsDay},
	{"delete-again-succeeds", "Is deleting twice refused?", "resource_not_found", ""},
	{"deleted-links-work", "Does deleting a pending invitation end its link?", "yes", ""},
	{"date-skew", "Do Date and created_at come from the same clock?", "yes", ""},
	{"no-date", "Do responses have a Date?", "yes", ""},
	{"no-trace-id", "Do responses have an x-clerk-trace-id?", "yes", ""},
	{"content-type", "What is the Content-Type of JSON?", "application/json", ""},
	{"numbers", "How are times and counts spelled?", "as integers", ""},
	{"null-metadata", "What is empty metadata?", "{}", ""},
	{"null-expiry", "Is expires_at set without expires_in_days?", "yes", ""},
	{"any-api-version", "Is an unpublished Clerk-API-Version refused?", "refused", ""},
	{"refusal-status", "Which statuses do refusals have?", "422 for a parameter, 400 for a rule, 404 for an id", ""},
	{"refusals-generic", "Which code has a refused parameter?", "that of its error", ""},
	{"no-meta", "Do errors have a meta?", "yes", ""},
	{"windows", "Are the hourly limits fixed or sliding?", "fixed", needsHour},
	{"faults-uncounted", "Does a request count that fails at Clerk?", "yes", needsFault},
	{"refusals-uncounted", "Does a refused request count?", "yes", needsHour},
	{"rate-limited-counted", "Does a request beyond a limit count?", "no", needsMore},
	{"rate-limit-status", "Which status has a refusal because of a limit?", "429", needsHour},
	{"rate-limit-body", "What is the body of a 429?", "an error envelope with too_many_requests", needsHour},
}

const (
	needsUsers = "-users"
	needsDay   = "-leave and, a day later, -day"
	needsHour  = "-hour"
	needsFault = "a failure of Clerk"
	needsMore  = "several hours"
)

// breaks says what is wrong in the library if a flip is seen. All other flips leave its
// promises intact.
var breaks = map[string]string{
	"ignore-existing=returns": "no: with IgnoreExisting, Create and BulkCreate return an older invitation, and no email is sent",
	"bulks=good-rows":         "no: a bulk that was carried out in part, and whose response was lost, can be reported as refused",
	"no-date":                 "no: CreateAll ends with an error when it has to look up an outcome",
}
