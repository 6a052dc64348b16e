package clerktest

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/big"
	"strings"
	"time"
	"unicode"
)

// ids makes the ids of one fake: numbered or random.
type ids struct {
	random      bool
	invitations int
	users       int
	traces      int
}

func (i *ids) invitation(now time.Time) string {
	i.invitations++
	if i.random {
		return "inv_" + ksuid(now)
	}
	return fmt.Sprintf("inv_%027d", i.invitations)
}

func (i *ids) user(now time.Time) string {
	i.users++
	if i.random {
		return "user_" + ksuid(now)
	}
	return fmt.Sprintf("user_%027d", i.users)
}

// skip keeps the number in a loaded id from being used again.
func (i *ids) skip(last *int, format, id string) {
	var n int
	if _, err := fmt.Sscanf(id, format, &n); err == nil && !i.random {
		*last = max(*last, n)
	}
}

// ticket makes the ticket of an invitation. Clerk's are JSON Web Tokens; nothing but
// the fake reads these.
func (i *ids) ticket(invitationID string) string {
	if i.random {
		return "ticket_" + rand.Text()
	}
	return "ticket_of_" + invitationID
}

// trace makes the values of x-clerk-trace-id and cf-ray for one response.
func (i *ids) trace() (traceID, ray string) {
	i.traces++
	if i.random {
		random := make([]byte, 16)
		_, _ = rand.Read(random) // it never fails
		traceID = hex.EncodeToString(random)
		return traceID, traceID[:16] + "-AMS"
	}
	return fmt.Sprintf("%032x", i.traces), fmt.Sprintf("%016x-AMS", i.traces)
}

// ksuid makes a KSUID, as Clerk's ids have: seconds since 2014 and 16 random bytes
// in base 62, 27 characters that sort by time.
func ksuid(now time.Time) string {
	const epoch = 1_400_000_000
	raw := binary.BigEndian.AppendUint32(nil, uint32(now.Unix()-epoch)) //nolint:gosec // until 2150
	random := make([]byte, 16)
	_, _ = rand.Read(random) // it never fails
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
