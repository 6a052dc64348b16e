package check

import (
	"encoding"
	"encoding/json"
	"reflect"
	"slices"
	"unicode/utf8"
)

// Value checks that the strings in a value that encoding/json can encode are valid UTF-8.
// Encoding would change other strings.
func Value(v any) string {
	if !isPlainUTF8(v) {
		return "is not UTF-8"
	}
	return ""
}

// isPlainUTF8 is like isUTF8, but does not allocate for the usual types.
func isPlainUTF8(v any) bool {
	switch v := v.(type) {
	case nil, bool, int, float64:
		return true
	case string:
		return utf8.ValidString(v)
	case map[string]any:
		for key, value := range v {
			if !utf8.ValidString(key) || !isPlainUTF8(value) {
				return false
			}
		}
		return true
	case []any:
		return !slices.ContainsFunc(v, func(value any) bool { return !isPlainUTF8(value) })
	}
	return isUTF8(reflect.ValueOf(v))
}

func isUTF8(v reflect.Value) bool {
	if !v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil() {
		return true
	}
	if v.CanInterface() {
		switch m := v.Interface().(type) {
		case json.Marshaler:
			wire, err := m.MarshalJSON()
			return err != nil || utf8.Valid(wire)
		case encoding.TextMarshaler:
			text, err := m.MarshalText()
			return err != nil || utf8.Valid(text)
		}
	}
	switch v.Kind() { //nolint:exhaustive // others have no strings
	case reflect.String:
		return utf8.ValidString(v.String())
	case reflect.Interface, reflect.Pointer:
		return isUTF8(v.Elem())
	case reflect.Map:
		for key, value := range v.Seq2() {
			if !isUTF8(key) || !isUTF8(value) {
				return false
			}
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			if !isUTF8(v.Index(i)) {
				return false
			}
		}
	case reflect.Struct:
		for field, value := range v.Fields() {
			if (field.IsExported() || field.Anonymous) && field.Tag.Get("json") != "-" && !isUTF8(value) {
				return false
			}
		}
	}
	return true
}
