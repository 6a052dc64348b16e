package clerk_test

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"testing/iotest"

	"github.com/clerk-invitations/clerk-go/clerktest"
)

// traffic returns an encoder for the file that CLERK_TEST_TRAFFIC names, or nil if it names
// none. The module contract runs these tests to record requests and the fake's responses
// there, and validates them.
var traffic = sync.OnceValue(func() *json.Encoder {
	path := os.Getenv("CLERK_TEST_TRAFFIC")
	if path == "" {
		return nil
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		panic(err)
	}
	written.sums = map[[sha256.Size]byte]bool{}
	return json.NewEncoder(file)
})

// recorded returns a transport that records traffic if CLERK_TEST_TRAFFIC is set.
func recorded(transport http.RoundTripper) http.RoundTripper {
	if traffic() == nil {
		return transport
	}
	return &recording{transport}
}

type recording struct{ next http.RoundTripper }

// CloseIdleConnections closes the idle connections of the wrapped transport.
func (r *recording) CloseIdleConnections() { (&http.Client{Transport: r.next}).CloseIdleConnections() }

// written holds the checksums of the requests in the file.
var written struct {
	sync.Mutex

	sums map[[sha256.Size]byte]bool
}

func (r *recording) RoundTrip(req *http.Request) (*http.Response, error) {
	var body []byte
	if req.Body != nil {
		read, err := io.ReadAll(req.Body)
		if err != nil {
			return nil, err
		}
		body = read
		req = req.Clone(req.Context())
		req.Body = io.NopCloser(bytes.NewReader(body))
	}
	entry := map[string]any{"method": req.Method, "url": req.URL.String(), "header": req.Header, "body": body}
	sum := sha256.Sum256(fmt.Append(nil, req.Method, req.URL, req.Header, body))
	resp, err := r.next.RoundTrip(req)
	if _, ok := r.next.(*clerktest.Fake); ok && err == nil {
		answer, cut := io.ReadAll(resp.Body)
		resp.Body = io.NopCloser(io.MultiReader(bytes.NewReader(answer), iotest.ErrReader(cmp.Or(cut, io.EOF))))
		if cut == nil {
			entry["status"], entry["answerHeader"], entry["answer"] = resp.StatusCode, resp.Header, answer
		}
	}
	written.Lock()
	defer written.Unlock()
	if !written.sums[sum] {
		written.sums[sum] = true
		if err := traffic().Encode(entry); err != nil {
			return nil, err
		}
	}
	return resp, err
}
