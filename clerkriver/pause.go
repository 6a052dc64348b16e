package clerkriver

import "context"

// Pause stops sending for all campaigns of the instance, on all machines, until
// [Campaigns.Resume]. A run that is sending stops after the request under way. Status shows
// the reason. What becomes of invitations is still learned; see [Config].Sync. Invitations that
// a reminder has replaced are revoked after the pause.
func (c *Campaigns) Pause(ctx context.Context, reason string) error {
	reason = oneLine(reason)
	if _, err := c.pool.Exec(ctx, c.sql(queryPause), c.config.Instance, reason, c.reporter); err != nil {
		return explain(err)
	}
	c.report(ctx, Event{Kind: EventPaused, Reason: reason})
	return nil
}

// PauseCampaign stops one campaign, on all machines, until [Campaigns.ResumeCampaign]. A
// run that is sending it stops after the request under way.
func (c *Campaigns) PauseCampaign(ctx context.Context, name, reason string) error {
	reason = oneLine(reason)
	if err := c.change(ctx, queryPauseCampaign, name, reason, c.reporter); err != nil {
		return err
	}
	c.report(ctx, Event{Kind: EventPaused, Campaign: name, Reason: reason})
	return nil
}

// change changes the row of a campaign.
func (c *Campaigns) change(ctx context.Context, query, name string, args ...any) error {
	changed, err := c.pool.Exec(ctx, c.sql(query), append([]any{c.config.Instance, name}, args...)...)
	if err != nil {
		return explain(err)
	}
	if changed.RowsAffected() == 0 {
		return noCampaign(name)
	}
	return nil
}
