//go:build !go1.27

package jsonbody

import (
	"bytes"
	"encoding/json"
)

func unmarshal(body []byte, v any) error { return json.Unmarshal(body, v) }

type decoder = json.Decoder

func newDecoder(body []byte) *decoder { return json.NewDecoder(bytes.NewReader(body)) }
