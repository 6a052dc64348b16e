package main

import (
	"context"
	"reflect"

	"github.com/clerk-invitations/clerk-go"
)

// compareMetadata marks the lines whose address has an invitation with other metadata than the
// line, and returns their number: a run with other columns does not change it. CreateAll lists
// the invitations as well, but its results do not contain their metadata.
func compareMetadata(ctx context.Context, client *clerk.Client, r *report, requests []clerk.CreateInvitationRequest, show func(listed int)) (differ int, err error) {
	lines, differs := r.firstLines(), map[*line]bool{}
	err = list(ctx, client, []clerk.InvitationStatus{""}, show, func(inv clerk.Invitation, its state) {
		l := lines[keyOf(inv.EmailAddress)]
		if l == nil || its.outcome != pending && its.outcome != accepted {
			return
		}
		var has map[string]any
		_ = inv.DecodePublicMetadata(&has) // what is no object counts as none
		want := requests[l.Request].PublicMetadata
		differs[l] = len(has)+len(want) > 0 && !reflect.DeepEqual(has, want) // the newest one counts
	})
	if err != nil {
		return 0, err
	}
	for l, isOther := range differs {
		if isOther {
			l.problem = otherMetadata
			differ++
		}
	}
	return differ, nil
}
