package clerk_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"runtime/metrics"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/clerk-invitations/clerk-go"
)

// stub sends the same body for every request, at the least cost.
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

// listingLink serves lists of total invitations after a delay, and builds each page when
// it is requested.
func listingLink(total int, delay time.Duration) http.RoundTripper {
	row := strings.Replace(pendingJSON, testID, "inv_%027d", 1)
	header := http.Header{"Content-Type": {"application/json"}}
	return roundTripFunc(func(req *http.Request) (*http.Response, error) {
		time.Sleep(delay)
		q := req.URL.Query()
		offset, _ := strconv.Atoi(q.Get("offset"))
		limit, err := strconv.Atoi(q.Get("limit"))
		if err != nil {
			return nil, err
		}
		var body bytes.Buffer
		body.WriteString(`{"data":[`)
		for i := offset; i < min(offset+limit, total); i++ {
			if i > offset {
				body.WriteByte(',')
			}
			fmt.Fprintf(&body, row, i)
		}
		fmt.Fprintf(&body, `],"total_count":%d}`, total)
		return &http.Response{
			StatusCode: http.StatusOK, Header: header, Body: io.NopCloser(&body), ContentLength: int64(body.Len()),
		}, nil
	})
}

// productionKey does not begin with sk_test_.
func productionKey(context.Context) (string, error) { return "sk_dummy", nil }

// BenchmarkAll50000 lists 50,000 invitations over a link of 50 ms.
func BenchmarkAll50000(b *testing.B) {
	for _, pages := range []int{0, 4, 8, 16} {
		b.Run(fmt.Sprintf("prefetch=%d", pages), func(b *testing.B) {
			client := newClient(b, listingLink(50_000, 50*time.Millisecond), clerk.WithSecretKeyFunc(productionKey))
			for b.Loop() {
				benchmarkAll(b, client, 50_000, clerk.WithPrefetch(pages))
			}
		})
	}
}

// BenchmarkAllMillion lists a million invitations, and reports the most memory that its
// heap had in use. Clerk's limit on all requests bounds its time.
func BenchmarkAllMillion(b *testing.B) {
	client := newClient(b, listingLink(1_000_000, 0), clerk.WithSecretKeyFunc(productionKey))
	for b.Loop() {
		b.ReportMetric(benchmarkAll(b, client, 1_000_000, clerk.WithPrefetch(8)), "heap-MiB")
	}
}

// benchmarkAll lists everything, and returns the most memory in objects, live or not yet
// collected, that it saw after each hundredth invitation.
func benchmarkAll(b *testing.B, client *clerk.Client, total int, opts ...clerk.AllOption) (mebibytes float64) {
	b.Helper()
	runtime.GC()
	objects := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	n, most := 0, uint64(0)
	for _, err := range client.Invitations.All(b.Context(), clerk.ListInvitationsRequest{}, opts...) {
		if err != nil {
			b.Fatal(err)
		}
		if n++; n%100 == 0 {
			metrics.Read(objects)
			most = max(most, objects[0].Value.Uint64())
		}
	}
	if n != total {
		b.Fatal(n)
	}
	return float64(most) / (1 << 20)
}
