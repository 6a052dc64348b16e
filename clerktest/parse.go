package clerktest

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/mail"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/clerk-invitations/clerk-go"
)

// maxAddress is the length of the longest address that SMTP can transport
// (RFC 5321 with erratum 1690).
const maxAddress = 254

// A parsedRequest is a request for one invitation, with its metadata as it was sent.
type parsedRequest struct {
	clerk.CreateInvitationRequest
	metadata json.RawMessage
}

// parseRequest reads the request for one invitation and checks its parameters.
func parseRequest(body []byte, b Behavior) (req parsedRequest, refusal *apiError) {
	var fields map[string]json.RawMessage
	if json.Unmarshal(body, &fields) != nil || fields == nil {
		return req, known(clerk.CodeRequestBodyInvalid)
	}
	parameters := []struct {
		name, kind string
		into       any
	}{
		{"email_address", "string", &req.EmailAddress},
		{"public_metadata", "object", &req.PublicMetadata},
		{"redirect_url", "string", &req.RedirectURL},
		{"notify", "boolean", &req.Notify},
		{"ignore_existing", "boolean", &req.IgnoreExisting},
		{"expires_in_days", "integer", &req.ExpiresInDays},
		{"template_slug", "string", &req.TemplateSlug},
	}
	req.metadata = emptyMetadata()
	if metadata := fields["public_metadata"]; metadata != nil && !isNull(metadata) {
		req.metadata = compact(metadata)
	}
	var wrong []entry
	for _, p := range parameters {
		value, given := fields[p.name]
		delete(fields, p.name)
		switch {
		case !utf8.Valid(value):
			wrong = append(wrong, paramEncoding(p.name))
		case given && json.Unmarshal(value, p.into) != nil:
			wrong = append(wrong, paramType(p.name, p.kind))
		default:
			wrong = append(wrong, checkParam(p.name, given && !isNull(value), req.CreateInvitationRequest)...)
		}
	}
	if !b.UnknownFieldsIgnored {
		for _, name := range slices.Sorted(maps.Keys(fields)) {
			wrong = append(wrong, paramUnknown(name))
		}
	}
	if wrong != nil {
		return req, errParams(wrong...)
	}
	req.EmailAddress = b.spell(req.EmailAddress)
	return req, nil
}

// compact returns JSON without whitespace between its tokens.
func compact(text json.RawMessage) json.RawMessage {
	var b bytes.Buffer
	if json.Compact(&b, text) != nil {
		return bytes.Clone(text)
	}
	return bytes.Clone(b.Bytes())
}

func emptyMetadata() json.RawMessage { return json.RawMessage("{}") }

// spell returns an address in the spelling that is stored.
func (b *Behavior) spell(address string) string {
	if b.RewriteAddress != nil {
		return b.RewriteAddress(address)
	}
	at := strings.LastIndexByte(address, '@')
	if at < 0 {
		return address
	}
	switch local, domain := address[:at], address[at:]; b.Addresses {
	case AddressesLower:
		return strings.ToLower(address)
	case AddressesUntagged:
		local, _, _ = strings.Cut(local, "+")
		return local + domain
	case AddressesUndotted:
		return strings.ReplaceAll(local, ".", "") + domain
	}
	return address
}

// key returns an address in the form in which addresses are compared.
func (b *Behavior) key(address string) string {
	if b.CaseSensitiveAddresses {
		return b.spell(address)
	}
	return fold(b.spell(address))
}

func isNull(value json.RawMessage) bool { return string(value) == "null" }

// checkParam returns the errors in the value of a parameter.
func checkParam(name string, given bool, req clerk.CreateInvitationRequest) []entry {
	switch {
	case name == "email_address" && req.EmailAddress == "":
		return []entry{paramMissing(name)}
	case name == "email_address" && len(req.EmailAddress) > maxAddress:
		return []entry{paramLength(name, maxAddress)}
	case name == "email_address" && !isAddress(req.EmailAddress):
		return []entry{paramAddress(name)}
	case name == "expires_in_days" && given && (req.ExpiresInDays < 1 || req.ExpiresInDays > 365):
		return []entry{paramValue(name)}
	case name == "template_slug" && given &&
		req.TemplateSlug != clerk.TemplateSlugInvitation && req.TemplateSlug != clerk.TemplateSlugWaitlistInvitation:
		return []entry{paramNotAllowed(name, string(req.TemplateSlug))}
	}
	return nil
}

func isAddress(s string) bool {
	address, err := mail.ParseAddress(s)
	return err == nil && address.Address == s && address.Name == ""
}
