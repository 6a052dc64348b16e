package fakeserver_test

import (
	"testing"
)

func TestParametersAreJSONOrAForm(t *testing.T) {
	control(t, map[string]operation{
		"a fault by form":       {"POST /_fake/faults", `operation=DeleteInvitation&fault=hide+after&code=`, 204, "", hasPlanned("DeleteInvitation: hide after")},
		"a status by form":      {"POST /_fake/faults", `operation=ListInvitations&status=503&after=true&retry_after=1m`, 204, "", hasPlanned("ListInvitations: Service Unavailable")},
		"an unknown parameter":  {"POST /_fake/faults", `{"op":"ListInvitations"}`, 400, `unknown field \"op\"`, changedNothing},
		"no JSON":               {"POST /_fake/faults", `{"operation"`, 400, "the request body is invalid", changedNothing},
		"a number that is none": {"POST /_fake/faults", `status=five`, 400, "a number that is none", changedNothing},
		"no form":               {"POST /_fake/faults", `%zz`, 400, "neither a JSON object nor a form", changedNothing},
		"no latency":            {"POST /_fake/latency", `{"latency":"soon"}`, 400, `\"soon\" is not a duration such as 1.5s`, changedNothing},
	})
}
