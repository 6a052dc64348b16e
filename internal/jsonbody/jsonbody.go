// Package jsonbody decodes the JSON bodies of responses: a list, which is either an array
// or an object with an array and a total count, and numbers in any spelling.
//
// Elements are decoded by encoding/json. In the object around a list, names must match
// exactly. Results never alias the body, so its buffer can be reused, and errors never
// quote it.
package jsonbody

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
)

// maxElements limits the elements of a list. That many invitations take about as much as the
// default limit of a response.
const maxElements = 100_000

// A list is allocated with room for as many elements as the body would have if each took
// usualSize bytes, but at most for usualElements.
const (
	usualElements = 500
	usualSize     = 256
)

// A List is a decoded list.
type List[T any] struct {
	// Elements holds the elements; nil if the object has a total count of 0 and no array.
	Elements []T
	// TotalCount is the object's total count; -1 if it is missing or negative.
	TotalCount int
	// IsArray reports whether the body is an array, not an object.
	IsArray bool
}

// ReadList decodes a body that is an array or {"data": [...], "total_count": n}. It fails
// at the first element that is not a T or that check rejects, and decodes no others: a
// body full of "{}" would take up many times its size.
func ReadList[T any](body []byte, check func(*T) error) (*List[T], error) {
	r := &reader[T]{Decoder: json.NewDecoder(bytes.NewReader(body)), check: check, room: min(1+len(body)/usualSize, usualElements)}
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
		return nil, errors.New("it is followed by other data")
	}
	return list, nil
}

// A reader decodes one list.
type reader[T any] struct {
	*json.Decoder

	check func(*T) error
	room  int
}

// envelope reads the object around a list, after its opening brace. The array may be
// missing or null only if the total count is 0.
func (r *reader[T]) envelope(list *List[T]) error {
	for r.More() {
		name, err := r.Token()
		switch {
		case err != nil:
		case name == "data":
			list.Elements, err = r.data()
		case name == "total_count":
			err = r.Decode((*count)(&list.TotalCount))
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

// data reads the array around the elements, or null.
func (r *reader[T]) data() ([]T, error) {
	switch token, err := r.Token(); {
	case err != nil || token == nil:
		return nil, err
	case token != json.Delim('['):
		return nil, errors.New("its data is not an array")
	}
	return r.elements()
}

// elements reads an array, after its opening bracket.
func (r *reader[T]) elements() ([]T, error) {
	elements := make([]T, 0, r.room)
	for r.More() {
		i := len(elements)
		if i == maxElements {
			return nil, fmt.Errorf("it has more than %d elements", maxElements)
		}
		if i == cap(elements) {
			elements = slices.Grow(elements, i) // append would copy long lists more often
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
