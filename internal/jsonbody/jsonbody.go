// Package jsonbody decodes the JSON of responses: one value, or a list in either of the
// two shapes that servers send.
//
// Objects are read by encoding/json's rules with every Go version: names match in any
// case, the last of several equal names counts, unknown names are skipped, and invalid
// UTF-8 in a string becomes U+FFFD. Only names in the object around a list must match
// exactly. Results never alias the body, which may be a buffer that is used again, and
// errors show nothing of it.
package jsonbody

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// MaxElements is how many elements a list may have.
const MaxElements = 100_000

// The room made in advance is for at most usualElements, and for no more than fit into
// the body if each takes usualSize bytes.
const (
	usualElements = 500
	usualSize     = 256
)

// A List is a list of a response.
type List[T any] struct {
	// Elements is nil if there is no array, but a total count of 0.
	Elements []T
	// TotalCount is what the object has beside the array; -1 if that is missing.
	TotalCount int
	// IsArray reports whether the response is an array alone.
	IsArray bool
}

// Unmarshal decodes a body into v.
func Unmarshal(body []byte, v any) error { return unmarshal(body, v) }

// ReadList reads a body that is an array, or an object {"data": [...], "total_count": n}.
// It stops at the first element that is no T or that check refuses: a short "{}" in the
// body would become a large T.
func ReadList[T any](body []byte, check func(*T) error) (*List[T], error) {
	r := &reader[T]{decoder: newDecoder(body), check: check, room: min(1+len(body)/usualSize, usualElements)}
	list := &List[T]{TotalCount: -1}
	token, err := r.Token()
	switch {
	case err != nil:
	case token == json.Delim('['):
		list.IsArray = true
		list.Elements, err = r.elements()
	case token == json.Delim('{'):
		err = r.envelope(list)
	default:
		err = errors.New("it is neither an array nor an object")
	}
	if err != nil {
		return nil, err
	}
	if _, err := r.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows it")
	}
	return list, nil
}

// A reader reads one body. Its decoder has the methods of a json.Decoder.
type reader[T any] struct {
	*decoder

	check func(*T) error
	room  int
}

// envelope reads the object around a list, after its brace. The array may be missing or
// null only if nothing is to be in it.
func (r *reader[T]) envelope(list *List[T]) error {
	for r.More() {
		name, err := r.Token()
		switch {
		case err != nil:
		case name == "data":
			list.Elements, err = r.data()
		case name == "total_count":
			err = r.Decode(&list.TotalCount)
		default:
			err = r.Decode(&json.RawMessage{})
		}
		if err != nil {
			return err
		}
	}
	if _, err := r.Token(); err != nil { // anything but the closing brace is an error
		return err
	}
	list.TotalCount = max(list.TotalCount, -1)
	if list.Elements == nil && list.TotalCount != 0 {
		return errors.New("it has no data")
	}
	return nil
}

// data reads an array or null.
func (r *reader[T]) data() ([]T, error) {
	switch token, err := r.Token(); {
	case err != nil || token == nil:
		return nil, err
	case token != json.Delim('['):
		return nil, errors.New("its data is no array")
	}
	return r.elements()
}

// elements reads an array after its bracket.
func (r *reader[T]) elements() ([]T, error) {
	elements := make([]T, 0, r.room)
	for r.More() {
		i := len(elements)
		if i == MaxElements {
			return nil, fmt.Errorf("it has more than %d elements", MaxElements)
		}
		elements = append(elements, *new(T))
		err := r.Decode(&elements[i])
		if err == nil {
			err = r.check(&elements[i])
		}
		if err != nil {
			return nil, fmt.Errorf("element %d: %w", i, err)
		}
	}
	_, err := r.Token() // anything but the closing bracket is an error
	return elements, err
}
