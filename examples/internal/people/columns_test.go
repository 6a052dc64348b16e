package people_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go/examples/internal/people"
)

// TestAddressColumnsOfOthers reads the first lines of exports, shortened.
func TestAddressColumnsOfOthers(t *testing.T) {
	for header, position := range map[string]int{
		"First Name,Last Name,E-mail Address,E-mail 2 Address":                2, // Outlook
		"Vorname;Nachname;E-Mail-Adresse":                                     2, // Outlook, in German
		"First Name,E-mail 1 - Label,E-mail 1 - Value,E-mail 2 - Value":       2, // Google Contacts
		"First Name [Required],Last Name [Required],Email Address [Required]": 2, // Google Workspace
		"First Name\tPrimary Email\tSecondary Email":                          1, // Thunderbird
		"Nombre;Correo electr\xf3nico;Equipo":                                 1, // in Windows-1252
	} {
		fields := [...]string{"a@example.com", "b@example.com", "c@example.com"}
		list, err := people.Read([]byte(header + "\n"))
		require.NoError(t, err, header)
		comma := string(list.Comma)
		list, err = people.Read([]byte(header + "\na@example.com" + comma + "b@example.com" + comma + "c@example.com\n"))
		require.NoError(t, err)
		require.Equal(t, fields[position], list.Requests[0].EmailAddress, header)
	}
}

func TestReadColumn(t *testing.T) {
	list, err := people.ReadColumn([]byte("email;Work, Address \nada@example.com;grace@example.com\n"), "work, address")
	require.NoError(t, err)
	require.Equal(t, "grace@example.com", list.Requests[0].EmailAddress)
	_, err = people.ReadColumn([]byte("email,,name\n"), "work")
	require.EqualError(t, err, `no column is called "work"; the columns are email, name`)
}

// TestFirstLineWithAnAddressIsNoHeader: it is somebody's, who must not be lost.
func TestFirstLineWithAnAddressIsNoHeader(t *testing.T) {
	for line, columns := range map[string][]string{
		"Ada,ada@example.com":          {"", "Ada", "ada@example.com", "email"},
		"Ada;Ada L. <ada@example.com>": {"", "Ada"},
		"ada@example.com":              {"ada@example.com", "email"},
	} {
		for _, column := range columns {
			_, err := people.ReadColumn([]byte(line+"\ngrace@example.com\n"), column)
			require.ErrorContains(t, err, "the first line is no header, as it has an address: ", line)
			require.NotErrorIs(t, err, people.ErrNoAddresses, "no other name helps")
		}
	}
	for header, column := range map[string]string{
		"E-Mail@Work,Name": "E-Mail@Work", "Address (such as ada@example.com),Name": "address (such as ada@example.com)", "email,ada@example.com": "",
	} {
		list, err := people.ReadColumn([]byte(header+"\ngrace@example.com,Grace\n"), column)
		require.NoError(t, err, header)
		require.Equal(t, "grace@example.com", list.Requests[0].EmailAddress)
	}
}

func TestFurtherColumnsOfAddressesAreNoted(t *testing.T) {
	const input = "Email;E-Mail;Primary Email\na@example.com;b@example.com;c@example.com\n"
	list, err := people.Read([]byte(input))
	require.NoError(t, err)
	require.Equal(t, "a@example.com", list.Requests[0].EmailAddress)
	require.Equal(t, []string{`the addresses are those in "Email", not those in E-Mail, Primary Email.`}, list.Notes)
	list, err = people.ReadColumn([]byte(input), "E-Mail")
	require.NoError(t, err)
	require.Equal(t, "b@example.com", list.Requests[0].EmailAddress)
	require.Empty(t, list.Notes)
}
