package clerktest

import (
	cryptorand "crypto/rand"
	"encoding/base32"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"math/big"
	"math/rand/v2"
	"strings"
	"time"
	"unicode"
)

// ids generates the ids of one fake, numbered or random.
type ids struct {
	random      io.Reader // nil for numbered ones
	invitations int
	users       int
	traces      int
}

func newIDs(random bool, seed uint64) ids {
	switch {
	case !random:
		return ids{}
	case seed == 0:
		return ids{random: cryptorand.Reader}
	}
	var key [32]byte
	binary.BigEndian.PutUint64(key[:], seed)
	return ids{random: rand.NewChaCha8(key)}
}

// bytes returns n random bytes.
func (i *ids) bytes(n int) []byte {
	random := make([]byte, n)
	_, _ = i.random.Read(random) // it never fails
	return random
}

func (i *ids) invitation(now time.Time) string {
	i.invitations++
	if i.random != nil {
		return "inv_" + ksuid(now, i.bytes(16))
	}
	return fmt.Sprintf("inv_%027d", i.invitations)
}

func (i *ids) user(now time.Time) string {
	i.users++
	if i.random != nil {
		return "user_" + ksuid(now, i.bytes(16))
	}
	return fmt.Sprintf("user_%027d", i.users)
}

// skip prevents the number in a loaded id from being used again.
func (i *ids) skip(last *int, format, id string) {
	var n int
	if _, err := fmt.Sscanf(id, format, &n); err == nil && i.random == nil {
		*last = max(*last, n)
	}
}

// ticket returns the ticket of an invitation. Clerk's are JSON Web Tokens. Only the fake reads
// these.
func (i *ids) ticket(invitationID string) string {
	if i.random != nil {
		return "ticket_" + base32.StdEncoding.EncodeToString(i.bytes(20))
	}
	return "ticket_of_" + invitationID
}

// trace returns the values of x-clerk-trace-id and cf-ray for one response.
func (i *ids) trace() (traceID, ray string) {
	i.traces++
	if i.random != nil {
		traceID = hex.EncodeToString(i.bytes(16))
		return traceID, traceID[:16] + "-AMS"
	}
	return fmt.Sprintf("%032x", i.traces), fmt.Sprintf("%016x-AMS", i.traces)
}

// ksuid returns a KSUID, as in Clerk's ids: seconds since 2014 and 16 random bytes in base 62,
// 27 characters that sort by time.
func ksuid(now time.Time, random []byte) string {
	const epoch = 1_400_000_000
	raw := binary.BigEndian.AppendUint32(nil, uint32(now.Unix()-epoch)) //nolint:gosec // until 2150
	text := new(big.Int).SetBytes(append(raw, random...)).Text(62)
	return strings.Repeat("0", 27-len(text)) + strings.Map(swapCase, text)
}

// swapCase turns the digits of math/big (0-9, a-z, A-Z) into those of a KSUID.
func swapCase(r rune) rune {
	if unicode.IsLower(r) {
		return unicode.ToUpper(r)
	}
	return unicode.ToLower(r)
}
