package clerktest

import (
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/clerk-invitations/clerk-go"
)

// doubts returns the parts of a request's query that Clerk may read differently than the fake.
// It omits values, which can be addresses.
func doubts(op clerk.Operation, u *url.URL) []string {
	var all []string
	query, err := url.ParseQuery(u.RawQuery)
	switch {
	case strings.Contains(u.RawQuery, ";"):
		all = append(all, "the query has a semicolon, and what it separates is ignored")
	case err != nil:
		all = append(all, "the query is not encoded correctly, and a part of it is ignored")
	}
	for _, name := range slices.Sorted(maps.Keys(query)) {
		if doubt := doubtOf(op, name, query[name]); doubt != "" {
			all = append(all, doubt)
		}
	}
	return all
}

func doubtOf(op clerk.Operation, name string, values []string) string {
	names := []string{"limit", "offset", "order_by", "paginated", "query", "status"}
	switch {
	case op == "":
		return ""
	case op != clerk.OperationList || !slices.Contains(names, name):
		return "the parameter " + name + " is unknown and ignored"
	case len(values) > 1 && name != "status":
		return name + " is given more than once, and only the first value is read"
	case name == "paginated" && values[0] != "true" && values[0] != "false":
		return "paginated is neither true nor false"
	case (name == "limit" || name == "offset") && strings.Trim(values[0], "0123456789") != "":
		return name + " is not written in digits"
	}
	return ""
}
