package snapshot

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

const (
	version     = 1
	prefix      = "inv_" // the prefix of almost all ids; it is not written
	isMissing   = 1 << 2 // the lower bits are the state
	hasNoPrefix = 1 << 3
)

var errFormat = errors.New("clerk: snapshot: not a snapshot, or one of a newer version")

// MarshalBinary returns the snapshot in about 30 bytes an item.
func (s Snapshot) MarshalBinary() ([]byte, error) {
	b := binary.AppendVarint([]byte{version}, s.since)
	b = binary.AppendUvarint(b, uint64(len(s.known)))
	for _, id := range slices.Sorted(maps.Keys(s.known)) {
		r := s.known[id]
		flags := byte(r.state)
		if r.missing {
			flags |= isMissing
		}
		rest, ok := strings.CutPrefix(id, prefix)
		if !ok {
			flags |= hasNoPrefix
		}
		b = binary.AppendUvarint(append(b, flags), uint64(len(rest)))
		b = append(b, rest...)
	}
	return b, nil
}

// UnmarshalBinary decodes the result of MarshalBinary. After an error, s is unchanged.
func (s *Snapshot) UnmarshalBinary(data []byte) error {
	if len(data) == 0 || data[0] != version {
		return errFormat
	}
	r := reader{data: data[1:]}
	read := Snapshot{since: r.varint(), known: map[string]record{}}
	for n := r.uvarint(); n > 0 && !r.failed; n-- {
		flags := r.bytes(1)
		rest := r.bytes(r.uvarint())
		if r.failed {
			break
		}
		id := prefix + string(rest)
		if flags[0]&hasNoPrefix != 0 {
			id = string(rest)
		}
		read.known[id] = record{state: State(flags[0] & 3), missing: flags[0]&isMissing != 0}
	}
	if r.failed || len(r.data) > 0 {
		return errFormat
	}
	*s = read
	return nil
}

// MarshalText returns the result of MarshalBinary in base64.
func (s Snapshot) MarshalText() ([]byte, error) {
	data, err := s.MarshalBinary()
	return base64.StdEncoding.AppendEncode(nil, data), err
}

// UnmarshalText decodes the result of MarshalText. After an error, s is unchanged.
func (s *Snapshot) UnmarshalText(text []byte) error {
	data, err := base64.StdEncoding.AppendDecode(nil, text)
	if err != nil {
		return fmt.Errorf("clerk: snapshot: %w", err)
	}
	return s.UnmarshalBinary(data)
}

// A reader reads values from data until one does not fit.
type reader struct {
	data   []byte
	failed bool
}

func (r *reader) bytes(n uint64) []byte {
	if n > uint64(len(r.data)) {
		r.failed = true
		return nil
	}
	b := r.data[:n]
	r.data = r.data[n:]
	return b
}

func (r *reader) varint() int64 {
	v, n := binary.Varint(r.data)
	r.skip(n)
	return v
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.data)
	r.skip(n)
	return v
}

func (r *reader) skip(n int) {
	if n <= 0 {
		r.failed = true
		return
	}
	r.data = r.data[n:]
}
