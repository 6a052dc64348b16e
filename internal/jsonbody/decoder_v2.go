//go:build go1.27

package jsonbody

import (
	"bytes"
	"encoding/json"
	"encoding/json/jsontext"
	jsonv2 "encoding/json/v2"
	"errors"
	"fmt"
)

// options makes encoding/json/v2 follow encoding/json's rules. The one exception saves
// reading each value twice: a value of the wrong type ends the decoding at once, not
// after the rest of the body.
var options = jsonv2.JoinOptions(json.DefaultOptionsV1(), json.ReportErrorsWithLegacySemantics(false))

func unmarshal(body []byte, v any) error { return explain(jsonv2.Unmarshal(body, v, options)) }

// A decoder is like a json.Decoder, but reads each value once, not twice.
type decoder struct{ d *jsontext.Decoder }

func newDecoder(body []byte) *decoder {
	return &decoder{jsontext.NewDecoder(bytes.NewBuffer(body), options)}
}

// Token returns delimiters, strings and null as json.Decoder does, and the kind of any
// other token.
func (d *decoder) Token() (json.Token, error) {
	token, err := d.d.ReadToken()
	if err != nil {
		return nil, explain(err)
	}
	switch kind := token.Kind(); kind {
	case '[', ']', '{', '}':
		return json.Delim(kind), nil
	case '"':
		return token.String(), nil
	case 'n':
		return nil, nil
	default:
		return kind, nil
	}
}

func (d *decoder) More() bool {
	kind := d.d.PeekKind()
	return kind != ']' && kind != '}'
}

func (d *decoder) Decode(v any) error { return explain(jsonv2.UnmarshalDecode(d.d, v)) }

// explain removes the path from a syntax error, because it may have names from the body.
// In any other error, the path leads to a field of ours.
func explain(err error) error {
	if syntactic, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		return fmt.Errorf("json: %w after byte %d", syntactic.Err, syntactic.ByteOffset)
	}
	return err
}
