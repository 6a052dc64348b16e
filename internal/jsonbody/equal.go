package jsonbody

import (
	"bytes"
	"encoding/json"
	"reflect"
)

// Equal reports whether two texts are the same JSON value, in any spelling and order of
// names. Integers of up to 64 bits are compared exactly, and other numbers as float64.
func Equal(a, b []byte) bool {
	if bytes.Equal(a, b) {
		return json.Valid(a)
	}
	left, err := valueOf(a)
	if err != nil {
		return false
	}
	right, err := valueOf(b)
	return err == nil && reflect.DeepEqual(left, right)
}

// valueOf decodes a JSON text. Its numbers become int64 if they fit, otherwise float64, or
// json.Number beyond that.
func valueOf(text []byte) (value any, err error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	err = d.Decode(&value)
	return plain(value), err
}

func plain(value any) any {
	switch value := value.(type) {
	case json.Number:
		if n, isWhole, err := Integer([]byte(value)); err == nil && isWhole {
			return n
		}
		if f, err := value.Float64(); err == nil {
			return f
		}
	case map[string]any:
		for name, element := range value {
			value[name] = plain(element)
		}
	case []any:
		for i, element := range value {
			value[i] = plain(element)
		}
	}
	return value
}
