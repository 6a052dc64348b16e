//go:build go1.27

package clerk

import (
	"bytes"
	"encoding/json"
	"encoding/json/jsontext"
	jsonv2 "encoding/json/v2"
	"errors"
	"fmt"
)

// jsonOptions has encoding/json/v2 read what encoding/json reads. The one exception
// saves reading each value twice: a value of the wrong type ends the decoding there
// and then, not after the rest of the value.
var jsonOptions = jsonv2.JoinOptions(json.DefaultOptionsV1(), json.ReportErrorsWithLegacySemantics(false))

// unmarshal decodes a whole body into v.
func unmarshal(body []byte, v any) error { return explain(jsonv2.Unmarshal(body, v, jsonOptions)) }

// A jsonReader reads a body token by token, and values between them.
type jsonReader struct{ d *jsontext.Decoder }

func newJSONReader(body []byte) jsonReader {
	return jsonReader{jsontext.NewDecoder(bytes.NewBuffer(body), jsonOptions)}
}

// token reads the next token. Its kind is one of [ ] { } " n, or 0 for any other;
// text is the value of a string. At the end of the body the error is io.EOF.
func (r jsonReader) token() (kind rune, text string, err error) {
	token, err := r.d.ReadToken()
	if err != nil {
		return 0, "", explain(err)
	}
	switch kind := token.Kind(); kind {
	case '[', ']', '{', '}', 'n':
		return rune(kind), "", nil
	case '"':
		return '"', token.String(), nil
	}
	return 0, "", nil
}

// more reports whether the array or object has another element. It is true also
// where that cannot be read.
func (r jsonReader) more() bool {
	kind := r.d.PeekKind()
	return kind != ']' && kind != '}'
}

// decode reads the next value into v.
func (r jsonReader) decode(v any) error { return explain(jsonv2.UnmarshalDecode(r.d, v)) }

// skip reads the next value.
func (r jsonReader) skip() error { return explain(r.d.SkipValue()) }

// explain leaves out of a syntax error where it is, because the path to it can hold
// names from metadata. The path of any other error ends at a field of ours.
func explain(err error) error {
	if syntactic, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		return fmt.Errorf("json: %w after byte %d", syntactic.Err, syntactic.ByteOffset)
	}
	return err
}
