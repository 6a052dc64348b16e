package clerkriver

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"strings"
	"unicode/utf8"

	"github.com/clerk-invitations/clerk-go"
)

// A Row is one invitation of a campaign.
type Row struct {
	// Ref is the caller's own reference, such as a user's id. Results return it.
	Ref string
	// Request is sent unchanged. Either all rows of a campaign have IgnoreExisting, or none.
	//
	// An open report says that Clerk can lose the metadata of bulks. If a response shows that,
	// the rows are StateCreated, their Problem says so, and the run sends its other rows with
	// metadata singly. The next run begins with a bulk again. If the metadata matters, set
	// BulkCreates of [Config].Budget to 0, and Creates to 90, so that nothing is sent in
	// bulks.
	Request clerk.CreateInvitationRequest
}

// An encoder encodes the rows of a campaign one by one.
type encoder struct {
	count  int
	resend bool
	digest hash.Hash
}

func newEncoder() *encoder { return &encoder{digest: sha256.New()} }

// encode returns the request's JSON.
func (e *encoder) encode(row *Row) ([]byte, error) {
	request, err := json.Marshal(row.Request)
	if e.count == 0 {
		e.resend = row.Request.IgnoreExisting
	}
	switch {
	case err != nil:
	case !utf8.ValidString(row.Ref) || strings.Contains(row.Ref, "\x00"):
		err = errors.New("Ref is not text that PostgreSQL can keep") //nolint:staticcheck // the name of a field
	case e.resend != row.Request.IgnoreExisting:
		err = errors.New("some rows have IgnoreExisting and some do not; enqueue two campaigns")
	}
	if err != nil {
		return nil, fmt.Errorf("clerkriver: row %d: %w", e.count, err)
	}
	for _, part := range [][]byte{[]byte(row.Ref), request} {
		_ = binary.Write(e.digest, binary.BigEndian, int64(len(part))) // a hash returns no error
		_, _ = e.digest.Write(part)
	}
	e.count++
	return request, nil
}

// decodeRequest decodes a request as it was enqueued, including the numbers in its metadata.
func decodeRequest(encoded []byte) (req clerk.CreateInvitationRequest, err error) {
	decoder := json.NewDecoder(bytes.NewReader(encoded))
	decoder.UseNumber()
	err = decoder.Decode(&req)
	return req, err
}

// personOf returns the hash by which an address's rows are found. It ignores case and
// surrounding space.
func personOf(address string) int64 {
	sum := sha256.Sum256([]byte(strings.ToLower(strings.ToUpper(strings.TrimSpace(address)))))
	return int64(binary.BigEndian.Uint64(sum[:8])) //nolint:gosec // only the bits matter
}
