package clerkriver

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestStatusDescribesItself(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, time.November, 29, 9, 12, 1, 500, time.Local)
	const then = "2026-11-29 09:12:01 "
	zone, _ := at.Zone()
	some := map[State]int{StateCreated: 340, StateAlreadyInvited: 2, StateWaiting: 158}
	for want, s := range map[string]Status{
		"spring, 500 rows: 340 created, 2 already invited, 158 waiting":                                                        {Counts: some},
		"spring, 500 rows: 340 created, 2 already invited, 158 waiting until " + then + zone + "; to end about " + then + zone: {Counts: some, WaitUntil: at, EstimatedEnd: at},
		"spring, 500 rows: 340 created, 2 already invited, 158 waiting; this campaign is paused until it is resumed: typo": {
			Counts: some, Paused: "typo", CampaignPaused: "typo",
		},
		"spring, 500 rows: 340 created, 2 already invited, 158 waiting; paused until it is resumed: stop; this campaign is paused until it is resumed: typo": {
			Counts: some, Paused: "stop", InstancePaused: "stop", CampaignPaused: "typo",
		},
		"spring, 500 rows: 340 created, 2 already invited, 158 waiting; paused until it is resumed: wrong list":       {Counts: some, Paused: "wrong list"},
		"spring, 500 rows: 340 created, 2 already invited, 158 waiting; paused until " + then + zone + ": no key":     {Counts: some, Paused: "no key", PausedUntil: at, Problem: "no key"},
		"spring, 500 rows: 340 created, 2 already invited, 158 waiting; last problem: 502":                            {Counts: some, Problem: "502"},
		"spring, 500 rows: 340 created, 2 already invited, 158 waiting; last problem, since " + then + zone + ": 503": {Counts: some, Problem: "503", ProblemSince: at},
		"spring, 500 rows: 340 created, 2 already invited, 158 waiting; no run has begun":                             {Counts: some, Problem: "no run has begun", OverdueSince: at},
		"spring, 500 rows: 480 created, 20 waiting to be looked up": {
			Counts: map[State]int{StateCreated: 480, StateWaiting: 20}, CancelledAt: at,
		},
		"spring, 500 rows: 500 created; 3 not yet stored by OnResult or OnChange": {Counts: map[State]int{StateCreated: 500}, Untold: 3, Problem: "502"},
	} {
		s.Name, s.Rows = "spring", 500
		require.Equal(t, want, fmt.Sprint(s))
		require.Equal(t, want, fmt.Sprintf("%+v", &s))
	}
	soon := Status{Name: "one", Rows: 1, Counts: map[State]int{StateWaiting: 1}, EstimatedEnd: at, asked: at.Add(-59 * time.Second)}
	require.Equal(t, "one, 1 row: 1 waiting", soon.String(), "it is not known so exactly")
	require.Equal(t, "one, 1 row: 1 waiting", Status{Name: "one", Rows: 1, Counts: map[State]int{StateWaiting: 1}}.String())

	limits := InstanceStatus{Instance: "default", Run: 7, Creates: LimitStatus{Budget: 90, Free: 12}, BulkCreates: LimitStatus{Budget: 25}}
	const shared = "instance default: 12 of 90 creates and 0 of 25 bulk creates free for campaigns, run 7"
	require.Equal(t, shared, fmt.Sprint(limits))
	limits.NextWake = at
	require.Equal(t, shared+", the next run or sync about "+then+zone, fmt.Sprint(&limits))
	limits.OverdueSince, limits.Problem = at, "502"
	require.Equal(t, shared+", the next one late since "+then+zone+"; last problem: 502", limits.String())
	limits.LeasedUntil, limits.OverdueSince = at, time.Time{}
	require.Equal(t, shared+" is under way; last problem: 502", limits.String())
	used := InstanceStatus{Instance: "default", Run: 7, Creates: LimitStatus{Budget: 90, FreeAt: at.Add(time.Hour)}}
	used.BulkCreates = LimitStatus{Budget: 25, FreeAt: at}
	const all = "instance default: 0 of 90 creates and 0 of 25 bulk creates free for campaigns"
	require.Equal(t, all+", again at "+then+zone+", run 7", used.String())
	used.BulkCreates = LimitStatus{}
	require.Contains(t, used.String(), ", again at 2026-11-29 10:12:01 ")
	limits.LeasedUntil, limits.PausedCampaigns = time.Time{}, 1
	require.Equal(t, shared+", the next run or sync about "+then+zone+"; last problem: 502; 1 campaign is paused alone", limits.String())
	limits.Paused, limits.PausedCampaigns = "wrong list", 2
	require.Equal(t, shared+"; paused until it is resumed: wrong list; 2 campaigns are paused alone", limits.String())
	limits.PausedCampaigns = 0
	require.Equal(t, shared+"; paused until it is resumed: wrong list", limits.String())
	limits.LeasedUntil = at
	require.Equal(t, shared+" is under way; paused until it is resumed: wrong list", limits.String())
}

// TestEveryStateIsDescribed: a status's text leaves no state out of the counts.
func TestEveryStateIsDescribed(t *testing.T) {
	t.Parallel()
	file, err := parser.ParseFile(token.NewFileSet(), "result.go", nil, 0)
	require.NoError(t, err)
	var declared []string
	ast.Inspect(file, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok {
			if typ, ok := spec.Type.(*ast.Ident); ok && typ.Name == "State" {
				declared = append(declared, spec.Values[0].(*ast.BasicLit).Value)
			}
		}
		return true
	})
	var described []string
	for _, state := range states {
		described = append(described, fmt.Sprintf("%q", state))
	}
	require.ElementsMatch(t, declared, described)
}

// TestChangeIsFormattedWithoutAddress, and with its number.
func TestChangeIsFormattedWithoutAddress(t *testing.T) {
	t.Parallel()
	change := Change{Number: 2, Result: Result{
		Campaign: "spring", Place: 3, EmailAddress: guest(1), State: StateAccepted, InvitationID: "inv_1",
	}}
	const want = `clerkriver.Change{"spring" 3 accepted inv_1 2}`
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		require.Equal(t, want, fmt.Sprintf(verb, change))
	}
	require.Equal(t, want, change.LogValue().String())
}
