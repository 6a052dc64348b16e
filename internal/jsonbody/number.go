package jsonbody

import (
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"strings"
)

var errNoInteger = errors.New("it is not an integer")

// Integer reads a number in any spelling of JSON, or a string of digits. A fraction is cut
// off, and isWhole is false. Beyond 2^53, only numbers without a fraction or an exponent
// are exact.
func Integer(wire []byte) (n int64, isWhole bool, err error) {
	if n, err := strconv.ParseInt(string(wire), 10, 64); err == nil {
		return n, true, nil // the usual spelling, without an allocation
	}
	text := string(wire)
	if strings.HasPrefix(text, `"`) {
		if json.Unmarshal(wire, &text) != nil || text == "" || strings.Trim(text, "0123456789") != "" {
			return 0, false, errNoInteger
		}
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n, true, nil
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || math.Abs(f) >= 1<<63 {
		return 0, false, errNoInteger
	}
	return int64(f), f == math.Trunc(f), nil
}

// A count is an int that is decoded by Integer. It must not have a fraction.
type count int

// UnmarshalJSON reads a count. By convention, it ignores null.
func (c *count) UnmarshalJSON(wire []byte) error {
	if string(wire) == "null" {
		return nil
	}
	n, isWhole, err := Integer(wire)
	if err == nil && (!isWhole || int64(int(n)) != n) {
		err = errNoInteger
	}
	if err != nil {
		return err
	}
	*c = count(n)
	return nil
}
