package people_test

import (
	"encoding/binary"
	"testing"
	"unicode/utf16"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go/examples/internal/people"
)

// utf16Of returns a text in UTF-16, with a byte order mark.
func utf16Of(text string, order binary.AppendByteOrder) (encoded []byte) {
	for _, unit := range utf16.Encode([]rune("\ufeff" + text)) {
		encoded = order.AppendUint16(encoded, unit)
	}
	return encoded
}

func TestReadUTF16(t *testing.T) {
	for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
		input := utf16Of("email\tname\r\nada@example.com\tAda Ł 🙂\r\n", order)
		list, err := people.Read(input, "name")
		require.NoError(t, err)
		require.Equal(t, '\t', list.Comma)
		require.Equal(t, []people.Row{{Line: 2, Address: "ada@example.com"}}, list.Rows)
		require.Equal(t, map[string]any{"name": "Ada Ł 🙂"}, list.Requests[0].PublicMetadata)
		list, err = people.Read(append(input, 'x'), "name") // cut off
		require.NoError(t, err)
		require.Len(t, list.Rows, 2)
	}
}
