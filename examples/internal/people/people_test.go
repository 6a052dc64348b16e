package people_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/examples/internal/people"
)

func TestRead(t *testing.T) {
	ada := clerk.CreateInvitationRequest{EmailAddress: "ada@example.com"}
	withData := ada
	withData.PublicMetadata = map[string]any{"name": "Lovelace, Ada", "seat": "7"}
	grace := clerk.CreateInvitationRequest{EmailAddress: "grace@example.com"}
	for name, test := range map[string]struct {
		input    string
		metadata []string
		requests []clerk.CreateInvitationRequest
	}{
		"addresses alone":         {"ada@example.com\ngrace@example.com\n", nil, []clerk.CreateInvitationRequest{ada, grace}},
		"no last line end":        {"email\nada@example.com", nil, []clerk.CreateInvitationRequest{ada}},
		"a header alone":          {"email\n", nil, nil},
		"quoted, metadata":        {"email_address,name,seat\nada@example.com,\"Lovelace, Ada\",7\n", []string{"name", "Seat"}, []clerk.CreateInvitationRequest{withData}},
		"another order":           {"seat,name,Email\n7,\"Lovelace, Ada\", ada@example.com \n", []string{"name", "Seat"}, []clerk.CreateInvitationRequest{withData}},
		"semicolons":              {"email;name;seat\nada@example.com;Lovelace, Ada;7\n", []string{"name", "Seat"}, []clerk.CreateInvitationRequest{withData}},
		"BOM and CRLF":            {"\ufeffemail,name,seat\r\nada@example.com,\"Lovelace, Ada\",7\r\n\r\ngrace@example.com,,\r\n", []string{"name", "Seat"}, []clerk.CreateInvitationRequest{withData, grace}},
		"empty columns":           {"email,,\ngrace@example.com,,\n", nil, []clerk.CreateInvitationRequest{grace}},
		"the better name":         {"email,email_address\nx@example.com,ada@example.com\n", []string{"email"}, []clerk.CreateInvitationRequest{{EmailAddress: "ada@example.com", PublicMetadata: map[string]any{"email": "x@example.com"}}}},
		"fewer fields":            {"email,name,seat\ngrace@example.com\n", nil, []clerk.CreateInvitationRequest{grace}},
		"only named columns":      {"email,name,seat\nada@example.com,Ada,7\n", []string{"seat"}, []clerk.CreateInvitationRequest{{EmailAddress: "ada@example.com", PublicMetadata: map[string]any{"seat": "7"}}}},
		"a column without a name": {",email,,seat\n0,grace@example.com,x,\n", nil, []clerk.CreateInvitationRequest{grace}},
		"row names of R":          {"\"\",\"email\"\n\"1\",\"grace@example.com\"\n", nil, []clerk.CreateInvitationRequest{grace}},
		"CR alone":                {"email,seat\rada@example.com,7\rgrace@example.com,\r", nil, []clerk.CreateInvitationRequest{ada, grace}},
		"CR alone, addresses":     {"ada@example.com\rgrace@example.com", nil, []clerk.CreateInvitationRequest{ada, grace}},
		"CR and LF mixed":         {"email,name\rada@example.com,\"A\nda\"\r\ngrace@example.com,\n", nil, []clerk.CreateInvitationRequest{ada, grace}},
		"tabs":                    {"name\tseat\temail\nLovelace, Ada\t7\tada@example.com\n\t\tgrace@example.com\n", []string{"name", "Seat"}, []clerk.CreateInvitationRequest{withData, grace}},
		"sep":                     {"sep=;\nname;seat;email\nLovelace, Ada;7;ada@example.com\n", []string{"name", "Seat"}, []clerk.CreateInvitationRequest{withData}},
		"quoted sep":              {"\ufeff\"SEP=|\"\r\nname|seat|email\r\nLovelace, Ada|7|ada@example.com\r\n", []string{"name", "Seat"}, []clerk.CreateInvitationRequest{withData}},
		"commas in names":         {"\nname, first or last, or both;seat;email\n;;grace@example.com\n", nil, []clerk.CreateInvitationRequest{grace}},
		"a guarded cell":          {"email\n'+ada@example.com\n", nil, []clerk.CreateInvitationRequest{{EmailAddress: "+ada@example.com"}}},
		"blank lines":             {"email,name\n\n  \n,\n ,\nada@example.com,Ada\n,,\n", nil, []clerk.CreateInvitationRequest{ada}},
		"quotation marks inside":  {"name,email,team\nAda \"Countess\" L,ada@example.com,\"a, b\"\n,grace@example.com,5\" 6\"\n", []string{"name"}, []clerk.CreateInvitationRequest{{EmailAddress: "ada@example.com", PublicMetadata: map[string]any{"name": `Ada "Countess" L`}}, grace}},
		"a line end inside":       {"name,email\n\"Ada\nLovelace\",ada@example.com\n", []string{"name"}, []clerk.CreateInvitationRequest{{EmailAddress: "ada@example.com", PublicMetadata: map[string]any{"name": "Ada\nLovelace"}}}},
	} {
		t.Run(name, func(t *testing.T) {
			list, err := people.Read([]byte(test.input), test.metadata...)
			require.NoError(t, err)
			require.Equal(t, test.requests, list.Requests)
			require.Len(t, list.Rows, len(test.requests))
		})
	}
}

func TestReadWithProblems(t *testing.T) {
	list, err := people.Read([]byte("email,name\na@example.com,A,more\nb@example.com,\"B\" b\nc@example.com,C\xff\n\nd@example.com,D\n" +
		"\"e@example.com,E\nf@example.com,F\ng@example.com,\"G\"\n\"h@example.com,H\ni@example.com,I\n"))
	require.NoError(t, err)
	require.Equal(t, []people.Row{
		{2, "a@example.com", -1, "3 fields, but the first line names 2"},
		{3, "", -1, "a quotation mark is missing or misplaced"},
		{4, "c@example.com", 0, ""}, // the other columns do not matter
		{6, "d@example.com", 1, ""},
		{7, "", -1, "a quotation mark is missing or misplaced"}, // it opens a quote that line 9 closes
		{8, "f@example.com", 2, ""},
		{9, "g@example.com", 3, ""},
		{10, "", -1, "a quotation mark is missing or misplaced"}, // a quote that is never closed
		{11, "i@example.com", 4, ""},
	}, list.Rows)
	require.Len(t, list.Requests, 5)
	const noAddress = "the first line names no column of addresses: "
	for input, text := range map[string]string{
		"":                         "the file is empty",
		"\ufeff \n":                "the file is empty",
		"\"email\n":                "the first line cannot be read: a quotation mark is missing or misplaced",
		"name,age\n":               noAddress + "name, age",
		"Name;;Contact\n":          noAddress + "Name, Contact",
		"email,name,Email \n":      `two columns are called "email"`,
		",,\n,\n":                  "the file is empty",
		"sep=;\n":                  "the file is empty",
		"e\x00m\x00":               `the file is not CSV in UTF-8; save it as "CSV UTF-8"`,
		"PK\x03\x04\x14\x00":       `the file is not CSV in UTF-8; save it as "CSV UTF-8"`,
		"ada@example.com,Ada\nb\n": "the first line is no header, as it has an address: ada@example.com, Ada; put a line above it that names the columns, one of them email",
	} {
		_, err := people.Read([]byte(input))
		require.EqualError(t, err, text)
	}
	_, err = people.Read([]byte("email,name,Name \n"), " NAME")
	require.EqualError(t, err, `two columns are called "name"`)
	_, err = people.Read([]byte("email,name,Name \n"))
	require.NoError(t, err, "neither is used")
	_, err = people.Read([]byte("email,team\n"), "team", "role")
	require.EqualError(t, err, `no column is called "role"; the columns are email, team`)
}

// A quotation mark that is never closed may begin a quoted field.
func TestSingleMarkInsideIsAProblem(t *testing.T) {
	list, err := people.Read([]byte("email,size\nada@example.com,5\"\ngrace@example.com,6\n"))
	require.NoError(t, err)
	require.Equal(t, []people.Row{
		{2, "", -1, "a quotation mark is missing or misplaced"},
		{3, "grace@example.com", 0, ""},
	}, list.Rows)
}

func TestReadCountsLines(t *testing.T) {
	list, err := people.Read([]byte("sep=;\r\remail\rada@example.com\r\r\"b\" b\rgrace@example.com"))
	require.NoError(t, err)
	require.Equal(t, ';', list.Comma)
	require.Equal(t, []people.Row{
		{4, "ada@example.com", 0, ""},
		{6, "", -1, "a quotation mark is missing or misplaced"},
		{7, "grace@example.com", 1, ""},
	}, list.Rows)
}
