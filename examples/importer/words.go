package main

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"github.com/clerk-invitations/clerk-go"
)

// The outcomes of a line, in a reader's words.
const (
	invited         = "invited"
	wouldBeInvited  = "would be invited"
	alreadyInvited  = "already invited"
	alreadyAccepted = "already accepted"
	hasAccount      = "has an account"
	refused         = "refused"
	repeated        = "repeated"
	unknown         = "unknown"
	notSent         = "not sent"
)

// The states of an invitation, in a reader's words.
const (
	accepted   = "accepted"
	pending    = "pending"
	lapsed     = "lapsed"
	revoked    = "revoked"
	notInvited = "not invited"
)

// outcomes lists the outcomes in the order of a summary.
var outcomes = []string{
	accepted, pending, lapsed, revoked, notInvited,
	invited, wouldBeInvited, alreadyInvited, alreadyAccepted, hasAccount, repeated, refused, unknown, notSent,
}

// outcomeOf returns the outcome of a result.
func outcomeOf(result clerk.CreateResult, dry bool) string {
	switch result.Outcome {
	case clerk.OutcomeCreated:
		if dry {
			return wouldBeInvited
		}
		return invited
	case clerk.OutcomeAlreadyInvited:
		if result.Existing != nil && result.Existing.Status == clerk.InvitationStatusAccepted {
			return alreadyAccepted
		}
		return alreadyInvited
	case clerk.OutcomeUserExists:
		return hasAccount
	case clerk.OutcomeRepeated:
		return repeated
	case clerk.OutcomeRejected:
		return refused
	}
	return unknown
}

// fields are the names of Clerk's fields, in a reader's words.
var fields = map[string]string{
	"email_address":   "the address",
	"expires_in_days": "the number of days",
	"public_metadata": "the metadata",
	"redirect_url":    "the redirect URL",
	"template_slug":   "the template",
}

// explain says why a line was refused, or what to do if that is unknown.
func explain(err error) string {
	if errors.Is(err, clerk.ErrOutcomeUnknown) {
		return "Clerk did not say whether it was invited; run the file again later to find out"
	}
	if input, ok := errors.AsType[*clerk.InputError](err); ok {
		return cmp.Or(fields[input.Field], input.Field) + " " + input.Problem
	}
	refusal, ok := errors.AsType[*clerk.ClerkErrors](err)
	if !ok {
		return err.Error()
	}
	var reasons []string
	for _, one := range refusal.Errors {
		reasons = append(reasons, explainCode(one))
	}
	return strings.Join(reasons, "; ")
}

// explainCode says what one of Clerk's errors means.
func explainCode(one clerk.ClerkError) string {
	field := cmp.Or(fields[one.ParamName()], one.ParamName(), "a value")
	switch one.Code {
	case clerk.CodeFormParamFormatInvalid, clerk.CodeFormParamValueInvalid, clerk.CodeFormParamTypeInvalid:
		return field + " is not valid"
	case clerk.CodeFormParamMissing, clerk.CodeFormParamNil:
		return field + " is missing"
	case clerk.CodeFormParamMaxLengthExceeded, clerk.CodeFormParamExceedsAllowedSize, clerk.CodeFormParamValueTooLarge, clerk.CodeRequestBodyTooLarge:
		return field + " is too long"
	case clerk.CodeNotAllowedAccess:
		return "Clerk's settings do not allow the address to sign up"
	}
	return cmp.Or(one.LongMessage, one.Message, string(one.Code))
}

// explainEnd says why a run ended early. The error itself follows, for the person who is asked
// for help.
func explainEnd(err error) string {
	meta, _ := clerk.MetaFromError(err)
	var reason string
	switch {
	case errors.Is(err, clerk.ErrOutcomeUnknown):
		reason = "the last request may have been carried out, or not"
	case errors.Is(err, clerk.ErrUnauthorized):
		reason = "Clerk does not accept the secret key in CLERK_SECRET_KEY"
	case meta.StatusCode == 0:
		reason = "Clerk cannot be reached"
	default:
		reason = "Clerk does not permit it now"
	}
	return reason + " (" + err.Error() + ")"
}

// explainResume says what to do after a run that ended early.
func explainResume(err error) string {
	if errors.Is(err, clerk.ErrUnauthorized) {
		return "Correct CLERK_SECRET_KEY, then run the same command again. It skips everybody who is invited already."
	}
	return "To resume, run the same command again. It skips everybody who is invited already."
}

// explainLostReport says what it means that a report could not be written.
func explainLostReport(isRehearsal bool) string {
	if isRehearsal {
		return "There is no report, but nobody is lost: nobody was invited. Make room or name another -report, then run the same command again."
	}
	return "There is no report, but nobody is lost: the invitations were created as counted above. Make room or name another " +
		"-report, then run the same command again. It skips everybody who is invited already, and reports them."
}

// unusual is the problem of an address that looks like a mistake.
const unusual = "the address looks unusual and is most likely refused"

// explainUnusual says that n addresses look like mistakes.
func explainUnusual(n int) string {
	if n == 1 {
		return "1 address looks unusual and is most likely refused: see the report."
	}
	return fmt.Sprintf("%d addresses look unusual and are most likely refused: see the report.", n)
}

// otherMetadata is the problem of an address that was invited with other metadata.
const otherMetadata = "the earlier invitation has other metadata, and keeps it"

// explainOtherMetadata says that n addresses were invited with other metadata.
func explainOtherMetadata(n int) string {
	if n == 1 {
		return "Note: 1 address has an earlier invitation with other metadata than in this run, and keeps it: the report marks it."
	}
	return fmt.Sprintf("Note: %d addresses have earlier invitations with other metadata than in this run, and keep it: the report marks them.", n)
}

// bulkMetadata is the note about metadata that may be lost.
const bulkMetadata = "Note: an open report, which nobody has confirmed, says that Clerk loses the metadata of invitations that are " +
	"created ten at a time (docs/clerk-api.md). If in doubt, stop, and use -one-by-one: 90 an hour instead of 340."

// count returns a number of things in words.
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprint(n, " ", thing, "s")
}
