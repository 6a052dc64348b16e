package clerk_test

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/clerk-invitations/clerk-go"
)

// stub answers every request with the same body, at the least cost.
func stub(body string) http.RoundTripper {
	header := http.Header{"Content-Type": {"application/json"}}
	return roundTripFunc(func(req *http.Request) (*http.Response, error) {
		if req.Body != nil {
			if _, err := io.Copy(io.Discard, req.Body); err != nil {
				return nil, err
			}
		}
		return &http.Response{
			StatusCode: http.StatusOK, Header: header,
			Body: io.NopCloser(bytes.NewReader([]byte(body))), ContentLength: int64(len(body)),
		}, nil
	})
}

func BenchmarkCreate(b *testing.B) {
	client := newClient(b, stub(pendingJSON))
	req := clerk.CreateInvitationRequest{EmailAddress: address, PublicMetadata: map[string]any{"role": "admin"}}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := client.Invitations.Create(b.Context(), req); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkList500(b *testing.B) {
	page := `{"data":[` + strings.Repeat(pendingJSON+",", 499) + pendingJSON + `],"total_count":500}`
	client := newClient(b, stub(page))
	b.ReportAllocs()
	b.SetBytes(int64(len(page)))
	for b.Loop() {
		list, err := client.Invitations.List(b.Context(), clerk.ListInvitationsRequest{Limit: 500})
		if err != nil || len(list.Data) != 500 {
			b.Fatal(len(list.Data), err)
		}
	}
}
