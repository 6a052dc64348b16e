package main

import (
	"context"
	"reflect"

	"github.com/clerk-invitations/clerk-go"
)

// compareMetadata marks the lines whose address had an invitation before the run, with other
// metadata than the line has: a run with other columns does not change it. The results of
// CreateAll do not contain that metadata, so it is listed again, if anybody was invited.
func compareMetadata(ctx context.Context, client *clerk.Client, r *report, requests []clerk.CreateInvitationRequest) error {
	earlier := r.earlier()
	if len(earlier) == 0 {
		return nil
	}
	for inv, err := range client.Invitations.All(ctx, clerk.ListInvitationsRequest{}, clerk.WithPrefetch(8)) {
		if err != nil {
			return err
		}
		l := earlier[inv.ID]
		if l == nil {
			continue
		}
		var has map[string]any
		_ = inv.DecodePublicMetadata(&has) // what is no object counts as none
		want := requests[l.Request].PublicMetadata
		if len(has)+len(want) > 0 && !reflect.DeepEqual(has, want) {
			l.problem = otherMetadata
			r.otherMetadata++
		}
	}
	return nil
}
