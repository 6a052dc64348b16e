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

// maxPooledBody is the capacity of the largest buffer that is reused, in bytes. A page of
// 500 invitations takes about a fifth of it.
const maxPooledBody = 1 << 20

var bodyBuffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// newBodyBuffer returns an empty buffer, to be released with releaseBodyBuffer.
func newBodyBuffer() *bytes.Buffer {
	buf, _ := bodyBuffers.Get().(*bytes.Buffer)
	return buf
}

// releaseBodyBuffer makes buf available for reuse. Nothing may alias its bytes anymore.
func releaseBodyBuffer(buf *bytes.Buffer) {
	if buf.Cap() <= maxPooledBody {
		buf.Reset()
		bodyBuffers.Put(buf)
	}
}

// readBody appends at most limit bytes of the response's body to buf. Even if it returns an
// error, buf contains the bytes read so far.
func readBody(buf *bytes.Buffer, resp *http.Response, limit int64) error {
	expected := max(0, resp.ContentLength) // it may be wrong
	// ReadFrom needs bytes.MinRead spare bytes, even to find the end.
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
