package people_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go/examples/internal/people"
)

// fromExcel returns a file as Excel writes it for Western Europe, with a name of each kind.
func fromExcel(name string) []byte {
	return []byte("Name;E-Mail;Team\r\n" + name + ";ada@example.com;7\r\n;grace@example.com;\r\n")
}

func TestWindows1252(t *testing.T) {
	for encoded, name := range map[string]string{
		"J\xfcrgen M\xfc\xdfig":             "Jürgen Müßig",
		"Fran\xe7ois L\x92H\xf4te":          "François L’Hôte",
		"\x93Zo\xeb\x94 Pe\xf1a":            "“Zoë” Peña",
		"Caf\xe9 \x96 100 \x80\x85 \xa3":    "Café – 100 €… £",
		"Acme\xae 25 m\xb2\xa0\xabx\xbb":    "Acme® 25 m²\u00a0«x»",
		"\xc5se \xd8deg\xe5rd, \xbfqu\xe9?": "Åse Ødegård, ¿qué?",
	} {
		list, err := people.Read(fromExcel(encoded), "name")
		require.NoError(t, err, name)
		require.Len(t, list.Requests, 2)
		require.Equal(t, map[string]any{"Name": name}, list.Requests[0].PublicMetadata)
		require.Equal(t, []string{fmt.Sprintf("the file is not in UTF-8 and was read as Windows-1252, as in %q. "+
			`If that is wrong, save it as "CSV UTF-8".`, name)}, list.Notes)
	}
	list, err := people.Read([]byte("E-Mail,Pr\xe9nom\r\n\"M\xfcller, J. <ada@example.com>\",Zo\xeb\r\ngrace@example.com\xa0,\r\n"), "Prénom")
	require.NoError(t, err)
	require.Equal(t, "ada@example.com", list.Requests[0].EmailAddress)
	require.Equal(t, map[string]any{"Prénom": "Zoë"}, list.Requests[0].PublicMetadata)
	require.Equal(t, "grace@example.com", list.Requests[1].EmailAddress)
}

// uncertain has names that may be in several character sets.
var uncertain = map[string][]byte{
	"MS-DOS, Müller":        fromExcel("M\x81ller"),
	"MS-DOS, Köln":          fromExcel("K\x94ln"),
	"MS-DOS, André":         fromExcel("Andr\x82"),
	"MS-DOS, María":         fromExcel("Mar\xa1a"),
	"MS-DOS, Kjær":          fromExcel("Kj\x91r"),
	"Macintosh, Jürgen":     fromExcel("J\x9frgen"),
	"Macintosh, Köln":       fromExcel("K\x9aln"),
	"Macintosh, Peña":       fromExcel("Pe\x96a"),
	"Macintosh, Änne":       fromExcel("\x80nne"),
	"Macintosh, CR, María":  []byte("Name;E-Mail;Team\rMar\x92a;ada@example.com;\r;grace@example.com;\r"),
	"marked as UTF-8":       append([]byte("\ufeff"), fromExcel("J\xfcrgen")...),
	"partly UTF-8":          fromExcel("J\xfcrgen;b@example.com;\r\nJürgen"),
	"partly UTF-8, earlier": fromExcel("Jürgen;b@example.com;\r\nJ\xfcrgen"),
	"two in one name":       fromExcel("J\xfcrgen Jürgen M\x81ller"),
	"not defined":           fromExcel("\x8d"),
}

// Such a file is refused as a whole, unless the names are not used.
func TestUncertainCharacterSets(t *testing.T) {
	for name, input := range uncertain {
		_, err := people.Read(input, "Team", "Name")
		require.ErrorContains(t, err, `: the text is not in UTF-8, and what it is in is not certain: save the file as "CSV UTF-8"`, name)
		require.ErrorContains(t, err, "line ", name)
		list, err := people.Read(input, "Team")
		require.NoError(t, err, name)
		require.Empty(t, list.Notes, name)
		require.GreaterOrEqual(t, len(list.Requests), 2, name)
		require.Len(t, list.Rows, len(list.Requests), name)
	}
}
