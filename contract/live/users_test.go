package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go/clerktest"
)

// An instance is a fake with Clerk's operations on users.
type instance struct{ *clerktest.Fake }

func (i instance) RoundTrip(req *http.Request) (*http.Response, error) {
	path, ok := strings.CutPrefix(req.URL.Path, "/v1/users")
	if !ok {
		return i.Fake.RoundTrip(req)
	}
	reply := "{}"
	switch req.Method {
	case http.MethodPost:
		var user struct {
			Addresses []string `json:"email_address"`
		}
		if err := json.NewDecoder(req.Body).Decode(&user); err != nil {
			return nil, err
		}
		if err := i.AddUser(user.Addresses[0]); err != nil {
			return nil, err
		}
	case http.MethodDelete:
		if !i.RemoveUser(strings.TrimPrefix(path, "/user_")) {
			return nil, fmt.Errorf("no user %s", path)
		}
	default:
		var users []string
		for _, user := range i.Users() {
			users = append(users, fmt.Sprintf(`{"id": %[1]q, "email_addresses": [{"email_address": %[2]q}]}`,
				"user_"+user.EmailAddress, user.EmailAddress))
		}
		reply = "[" + strings.Join(users, ",") + "]"
	}
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(reply))}, nil
}

func TestAskUsersReportsExactlyTheFlip(t *testing.T) {
	for name, behavior := range clerktest.Behaviors() {
		inBubble(t, name, func(t *testing.T) {
			fake := newFake(t, 3, clerktest.WithBehavior(behavior))
			require.NoError(t, fake.AddUser("other@example.com"))
			r := newRun(newClient(instance{fake}, "https://api.clerk.com/v1", clerktest.SecretKey), testRun, time.Now())
			r.users = true
			require.NoError(t, r.cleanAfter(t.Context(), r.ask))
			require.NoError(t, r.err)
			want := []string{name}
			switch needs := unseen[name]; {
			case name == "duplicates=accepted":
				want = []string{"duplicates-first"} // the flip implies this
			case name == "duplicates=any":
				want = []string{"duplicates=revoked", "duplicates-first"}
			case needs != "" && needs != needsUsers:
				want = []string{}
			}
			require.Equal(t, want, flips(r))
			require.Empty(t, left(fake))
			require.Len(t, fake.Users(), 1)
			require.LessOrEqual(t, r.sent, maxRequests)
		})
	}
}

func TestAskUsersLeavesNoUser(t *testing.T) {
	for n := 30; n <= 60; n++ {
		inBubble(t, fmt.Sprint(n), func(t *testing.T) {
			fake := newFake(t, 3)
			sent := 0
			r := newRun(newClient(transport(func(req *http.Request) (*http.Response, error) {
				resp, err := instance{fake}.RoundTrip(req)
				if sent++; sent == n {
					return nil, io.ErrUnexpectedEOF
				}
				return resp, err
			}), "https://api.clerk.com/v1", clerktest.SecretKey), testRun, time.Now())
			r.users = true
			require.NoError(t, r.cleanAfter(t.Context(), r.ask))
			require.Empty(t, left(fake))
			require.Empty(t, fake.Users())
		})
	}
}
