package transport

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
)

var errTooLarge = errors.New("the response is larger than WithMaxResponseBytes allows")

// maxPooledBody is the largest buffer that is kept for another response. A page of 500
// invitations takes about a fifth of it.
const maxPooledBody = 1 << 20

var bodyBuffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// newBodyBuffer returns an empty buffer. It is the caller's until releaseBodyBuffer.
func newBodyBuffer() *bytes.Buffer {
	buf, _ := bodyBuffers.Get().(*bytes.Buffer)
	return buf
}

// releaseBodyBuffer gives buf to the next call. Nothing may alias it anymore.
func releaseBodyBuffer(buf *bytes.Buffer) {
	if buf.Cap() <= maxPooledBody {
		buf.Reset()
		bodyBuffers.Put(buf)
	}
}

// readBody appends the response's body to buf, at most limit bytes of it.
// Whatever the error, buf keeps what was read.
func readBody(buf *bytes.Buffer, resp *http.Response, limit int64) error {
	expected := max(0, resp.ContentLength) // a claim, not a fact
	// ReadFrom wants bytes.MinRead to spare, also where it finds the end.
	buf.Grow(int(min(expected, limit, maxPooledBody-bytes.MinRead)) + bytes.MinRead)
	n, err := buf.ReadFrom(io.LimitReader(resp.Body, limit))
	if err != nil || n < limit {
		return err
	}
	if more, _ := io.ReadFull(resp.Body, make([]byte, 1)); more > 0 {
		return fmt.Errorf("%w: %d bytes", errTooLarge, limit)
	}
	return nil
}
