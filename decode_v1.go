//go:build !go1.27

package clerk

import (
	"bytes"
	"encoding/json"
)

// unmarshal decodes a whole body into v.
func unmarshal(body []byte, v any) error { return json.Unmarshal(body, v) }

// A jsonReader reads a body token by token, and values between them.
type jsonReader struct{ d *json.Decoder }

func newJSONReader(body []byte) jsonReader {
	return jsonReader{json.NewDecoder(bytes.NewReader(body))}
}

// token reads the next token. Its kind is one of [ ] { } " n, or 0 for any other;
// text is the value of a string. At the end of the body the error is io.EOF.
func (r jsonReader) token() (kind rune, text string, err error) {
	token, err := r.d.Token()
	if err != nil {
		return 0, "", err
	}
	switch token := token.(type) {
	case json.Delim:
		return rune(token), "", nil
	case string:
		return '"', token, nil
	case nil:
		return 'n', "", nil
	}
	return 0, "", nil
}

// more reports whether the array or object has another element. It is true also
// where that cannot be read.
func (r jsonReader) more() bool { return r.d.More() }

// decode reads the next value into v.
func (r jsonReader) decode(v any) error { return r.d.Decode(v) }

// skip reads the next value.
func (r jsonReader) skip() error { return r.d.Decode(&json.RawMessage{}) }
