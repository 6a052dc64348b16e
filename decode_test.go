package clerk

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const fullJSON = `{"object":"invitation","id":"inv_1","email_address":"ada@example.com","public_metadata":{"role":"admin"},` +
	`"revoked":true,"status":"revoked","url":"/ticket","expires_at":3,"created_at":1,"updated_at":2}`

var full = Invitation{
	Object: "invitation", ID: "inv_1", EmailAddress: "ada@example.com", PublicMetadata: json.RawMessage(`{"role":"admin"}`),
	Revoked: true, Status: InvitationStatusRevoked, URL: "/ticket", ExpiresAt: 3, CreatedAt: 1, UpdatedAt: 2,
}

// oddInvitations lists what a response may hold in place of an invitation. If want is nil,
// decoding must fail. internal/jsonbody tests the forms of single values.
var oddInvitations = []struct {
	name, wire string
	want       *Invitation
}{
	{"all fields", fullJSON, &full},
	{"names in another case", strings.NewReplacer(`"id"`, `"Id"`, `"email_address"`, `"EMAIL_ADDRESS"`, `"url"`, `"Url"`).Replace(fullJSON), &full},
	{"names without underscores", `{"id":"inv_1","emailaddress":"ada@example.com","EmailAddress":"ada@example.com"}`, &Invitation{ID: "inv_1"}},
	{"names twice", `{"id":"inv_0","id":"inv_1","public_metadata":{"a":1},"public_metadata":{"b":2}}`, &Invitation{ID: "inv_1", PublicMetadata: json.RawMessage(`{"b":2}`)}},
	{"unknown fields", `{"new":{"a":[1,{"b":null}],"a":2},"id":"inv_1","newer":1e999,"newest":"\ud800"}`, &Invitation{ID: "inv_1"}},
	{"nulls", `{"id":"inv_1","object":null,"email_address":null,"public_metadata":null,"status":null,"revoked":null,"url":null,"expires_at":null,"created_at":null,"updated_at":null}`, &Invitation{ID: "inv_1", PublicMetadata: json.RawMessage("null")}},
	{"metadata as it came", `{"id":"inv_1","public_metadata": {"a": 1, "a":"<\u00e9>","n":12345678901234567890} }`, &Invitation{ID: "inv_1", PublicMetadata: json.RawMessage(`{"a": 1, "a":"<\u00e9>","n":12345678901234567890}`)}},
	{"metadata that is no object", `{"id":"inv_1","public_metadata":7}`, &Invitation{ID: "inv_1", PublicMetadata: json.RawMessage("7")}},
	{"metadata nested deeply", `{"id":"inv_1","public_metadata":` + nested(5000) + `}`, &Invitation{ID: "inv_1", PublicMetadata: json.RawMessage(nested(5000))}},
	{"times at their limits", `{"id":"inv_1","expires_at":-0,"created_at":9223372036854775807,"updated_at":-9223372036854775808}`, &Invitation{ID: "inv_1", CreatedAt: 9223372036854775807, UpdatedAt: -9223372036854775808}},
	{"times with fractions", `{"id":"inv_1","expires_at":3.0,"created_at":1.5,"updated_at":-0.0}`, &Invitation{ID: "inv_1", ExpiresAt: 3, CreatedAt: 1}},
	{"times with exponents", `{"id":"inv_1","expires_at":1e12,"created_at":1.791243590601E+12,"updated_at":10e-1}`, &Invitation{ID: "inv_1", ExpiresAt: 1e12, CreatedAt: 1791243590601, UpdatedAt: 1}},
	{"times that are strings of digits", `{"id":"inv_1","expires_at":"3","created_at":"1791243590601","updated_at":"0"}`, &Invitation{ID: "inv_1", ExpiresAt: 3, CreatedAt: 1791243590601}},

	{"null", `null`, nil},
	{"an empty object", `{}`, nil},
	{"no id", strings.Replace(fullJSON, "inv_1", "", 1), nil},
	{"a null id", `{"id":null}`, nil},
	{"an id that is a number", `{"id":1}`, nil},
	{"an id that is an array", `{"id":["inv_1"]}`, nil},
	{"an array", `[` + fullJSON + `]`, nil},
	{"a string", `"inv_1"`, nil},
	{"a number", `1`, nil},
	{"a status that is an object", `{"id":"inv_1","status":{}}`, nil},
	{"a revoked that is a string", `{"id":"inv_1","revoked":"true"}`, nil},
	{"a time that is a word", `{"id":"inv_1","created_at":"now"}`, nil},
	{"a time that is an empty string", `{"id":"inv_1","created_at":""}`, nil},
	{"a time that is a boolean", `{"id":"inv_1","created_at":true}`, nil},
	{"a time that is too large", `{"id":"inv_1","created_at":9223372036854775808}`, nil},
	{"no end", `{"id":"inv_1"`, nil},
	{"nothing", ``, nil},
	{"HTML", `<html>`, nil},
}

func nested(depth int) string { return strings.Repeat("[", depth) + strings.Repeat("]", depth) }

func TestDecodeInvitation(t *testing.T) {
	for _, test := range oddInvitations {
		t.Run(test.name, func(t *testing.T) {
			inv, err := decodeInvitation([]byte(test.wire))
			require.Equal(t, test.want, inv)
			requireRefused(t, test.want == nil, err, errNoInvitation)
			if test.want == nil {
				return
			}
			for _, garbage := range []string{"x", "{}", "]", ",", "\x00"} {
				inv, err = decodeInvitation([]byte(test.wire + garbage))
				require.Nil(t, inv)
				require.ErrorIs(t, err, errNoInvitation)
			}
		})
	}
}

// requireRefused checks that err is want if an error is due, and that it shows no address.
func requireRefused(t *testing.T, due bool, err, want error) {
	t.Helper()
	if !due {
		require.NoError(t, err)
		return
	}
	require.ErrorIs(t, err, want)
	require.NotContains(t, err.Error(), "@")
}

// TestDecodeInvitationsInLists puts each odd invitation in the middle of both shapes of a
// list.
func TestDecodeInvitationsInLists(t *testing.T) {
	for _, test := range oddInvitations {
		t.Run(test.name, func(t *testing.T) {
			array := "[" + fullJSON + "," + test.wire + "," + fullJSON + "]"
			var want []Invitation
			if test.want != nil {
				want = []Invitation{full, *test.want, full}
			}
			invs, err := decodeInvitations([]byte(array))
			require.Equal(t, want, invs)
			requireRefused(t, want == nil, err, errNoInvitations)

			list, err := decodeList([]byte(`{"data":` + array + `,"total_count":9}`))
			requireRefused(t, want == nil, err, errNoInvitations)
			if want != nil {
				require.Equal(t, &InvitationList{Data: want, TotalCount: 9}, list)
			}
		})
	}
}

func TestDecodeList(t *testing.T) {
	const inv = `{"id":"inv_1"}`
	one, none := []Invitation{{ID: "inv_1"}}, []Invitation{}
	for _, test := range []struct {
		name, wire string
		want       *InvitationList
	}{
		{"array", `[` + inv + `]`, &InvitationList{one, -1}},
		{"empty array", `[]`, &InvitationList{none, -1}},
		{"envelope", `{"data":[` + inv + `],"total_count":7}`, &InvitationList{one, 7}},
		{"empty envelope", `{"data":[],"total_count":0}`, &InvitationList{none, 0}},
		{"data alone", `{"data":[` + inv + `]}`, &InvitationList{one, -1}},
		{"total_count alone", `{"total_count":0}`, &InvitationList{nil, 0}},
		{"total_count in another spelling", `{"data":[` + inv + `],"total_count":"7"}`, &InvitationList{one, 7}},

		{"no data of some", `{"total_count":1}`, nil},
		{"null", `null`, nil},
		{"nothing", ``, nil},
		{"element without an id", `[` + inv + `,{}]`, nil},
		{"something after the list", `[]{}`, nil},
		{"HTML", `<html>`, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			list, err := decodeList([]byte(test.wire))
			require.Equal(t, test.want, list)
			requireRefused(t, test.want == nil, err, errNoInvitations)
		})
	}
}

func TestDecodeInvitationsRefusesEnvelopeAndNull(t *testing.T) {
	for _, wire := range []string{`null`, `{"data":[],"total_count":0}`, `{}`, `""`, `0`, ``} {
		invs, err := decodeInvitations([]byte(wire))
		require.ErrorIs(t, err, errNoInvitations, wire)
		require.Nil(t, invs)
	}
}

// Errors name the element, and show nothing of it.
func TestDecodeErrorsSayWhere(t *testing.T) {
	for _, wire := range []string{
		`[{"id":"inv_1"},{"id":"inv_1","created_at":"ada@example.com"}]`,
		`[{"id":"inv_1"},{"id":"inv_1","public_metadata":{"ada@example.com":x}}]`,
		`[{"id":"inv_1"},{"email_address":"ada@example.com"}]`,
	} {
		_, err := decodeList([]byte(wire))
		require.ErrorContains(t, err, "the response is not a list of invitations: element 1")
		require.NotContains(t, err.Error(), "ada")
	}
}

// TestDecodedInvitationsDoNotShareTheBody overwrites the body, which may be a buffer for the next one.
func TestDecodedInvitationsDoNotShareTheBody(t *testing.T) {
	long := strings.Replace(fullJSON, "/ticket", strings.Repeat("t", 1000), 1)
	want := full
	want.URL = strings.Repeat("t", 1000)

	body := []byte(long)
	inv, err := decodeInvitation(body)
	require.NoError(t, err)
	overwrite(body)
	require.Equal(t, &want, inv)

	body = []byte("[" + long + "," + fullJSON + "]")
	invs, err := decodeInvitations(body)
	require.NoError(t, err)
	overwrite(body)
	require.Equal(t, []Invitation{want, full}, invs)

	body = []byte(`{"data":[` + long + "," + fullJSON + `],"total_count":2}`)
	list, err := decodeList(body)
	require.NoError(t, err)
	overwrite(body)
	require.Equal(t, &InvitationList{Data: []Invitation{want, full}, TotalCount: 2}, list)
}

func overwrite(body []byte) { copy(body, bytes.Repeat([]byte("#"), len(body))) }

// TestDecodedMetadataIsNotShared appends to one invitation's metadata.
func TestDecodedMetadataIsNotShared(t *testing.T) {
	invs, err := decodeInvitations([]byte("[" + fullJSON + "," + fullJSON + "]"))
	require.NoError(t, err)
	_ = append(invs[0].PublicMetadata, strings.Repeat("#", 100)...)
	require.Equal(t, full, invs[1])
}

// FuzzInvitation decodes a body alone, as the only element of an array, and with
// encoding/json. All results are the same.
func FuzzInvitation(f *testing.F) {
	for _, seed := range oddInvitations {
		if len(seed.wire) < 1000 {
			f.Add([]byte(seed.wire))
		}
	}
	for _, seed := range []string{
		`{"\u0069D":"\ud800\n","id":null,"new":[1,{"a":1e9,"a":-0}]} `, "{\"id\":\"\xff\",\"\xff\":1}", `{"id":"1",}`, `{"id":"1","revoked":1,"status":`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		inv, err := decodeInvitation(body)
		var plain Invitation
		if plainErr := json.Unmarshal(body, &plain); plainErr != nil || plain.ID == "" {
			require.Error(t, err)
		} else {
			require.NoError(t, err)
			require.Equal(t, plain, *inv)
		}
		invs, arrayErr := decodeInvitations(append(append([]byte("["), body...), ']'))
		if arrayErr == nil && len(invs) != 1 {
			require.ErrorIs(t, err, errNoInvitation, "the body is a list's inside")
			return
		}
		require.Equal(t, err == nil, arrayErr == nil, "%v; %v", err, arrayErr)
		if err == nil {
			require.Equal(t, *inv, invs[0])
		}
	})
}
