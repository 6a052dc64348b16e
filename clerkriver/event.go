package clerkriver

import (
	"log/slog"
	"time"
)

// An EventKind says what an [Event] is about.
type EventKind string

// The kinds of events.
const (
	// EventRunBegun means that this process has begun a run. Reason says if the last run did
	// not end, because its process was killed; it is empty otherwise.
	EventRunBegun EventKind = "run begun"
	// EventRunEnded means that the run has ended. Reason says what failed; it is empty if
	// the run sent all that it could, waits for a limit, or was stopped, as by a deployment. If
	// the run lost its lease, as the process or the database was stopped for too long, another
	// run may have begun before.
	EventRunEnded EventKind = "run ended"
	// EventPaused means that the instance, or a campaign, was paused. If a process paused it that
	// has neither OnEvent nor Logger, such as a tool, another one reports it when a run or the
	// next wake job ends.
	EventPaused EventKind = "paused"
	// EventResumed means that a pause has ended: this process called Resume or ResumeCampaign,
	// or a run found that Clerk accepts requests again. While rows wait, only sending shows
	// that; otherwise a sync does. If another process than the one that reported EventPaused
	// calls Resume or ResumeCampaign, or the paused campaign is cancelled, the next run reports
	// it, in whatever process that is.
	EventResumed EventKind = "resumed"
	// EventStuck means that rows wait, and the run that was due at Until is late by two
	// [Config].Wake, and at least ten seconds. If it was due while the last run was under way,
	// Until is the end of that run. Rows that may not be sent yet do not count, because of a
	// later [EnqueueOpts].NotBefore, Clerk's limits or a pause, after which the time counts
	// anew. The next wake job reports it, and so do [Campaigns.Status], [Campaigns.List] and
	// [Campaigns.InstanceStatus]. Each process reports each late run once.
	EventStuck EventKind = "stuck"
	// EventUnstuck means that no run is late anymore: one has begun, or no rows wait. A
	// process that has reported EventStuck reports it, on the same occasions, unless it has
	// ended before.
	EventUnstuck EventKind = "unstuck"
)

// An Event is passed to [Config].OnEvent.
type Event struct {
	// Kind says what happened.
	Kind EventKind
	// Instance is the instance of Clerk.
	Instance string
	// Campaign is the campaign that was paused or resumed; empty if the whole instance was.
	Campaign string
	// Run is the number of the run; 0 if the event is not about one.
	Run int64
	// Reason is the reason in Clerk's or the caller's words; empty if there is none. It
	// contains no address, unless a person wrote one into it.
	Reason string
	// Until is the time at which a pause ends by itself, or a late run was due; zero if
	// neither applies.
	Until time.Time
}

// level returns the level at which the event is logged.
func (e Event) level() slog.Level {
	switch {
	case e.Kind == EventPaused, e.Kind == EventStuck, (e.Kind == EventRunBegun || e.Kind == EventRunEnded) && e.Reason != "":
		return slog.LevelWarn
	case e.Kind == EventResumed, e.Kind == EventUnstuck: // a log with the beginning has the end
		return slog.LevelInfo
	}
	return slog.LevelDebug
}

// attrs returns what is known about the event, for a logger.
func (e Event) attrs() []slog.Attr {
	attrs := []slog.Attr{slog.String("instance", e.Instance)}
	if e.Campaign != "" {
		attrs = append(attrs, slog.String("campaign", e.Campaign))
	}
	if e.Run != 0 {
		attrs = append(attrs, slog.Int64("run", e.Run))
	}
	if e.Reason != "" {
		attrs = append(attrs, slog.String("reason", e.Reason))
	}
	switch {
	case e.Until.IsZero():
	case e.Kind == EventStuck:
		attrs = append(attrs, slog.Time("due", e.Until))
	default:
		attrs = append(attrs, slog.Time("until", e.Until))
	}
	return attrs
}
