package transport

import (
	"bytes"
	"errors"
	"io"
	"math"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

func TestReadBodyReadsUpToTheLimit(t *testing.T) {
	broken := errors.New("connection reset")
	long := strings.Repeat("x", 3<<20)
	for name, test := range map[string]struct {
		body          io.Reader
		contentLength int64
		limit         int64
		want          string
		err           error
	}{
		"empty":                         {strings.NewReader(""), 0, 10, "", nil},
		"of known length":               {strings.NewReader("abc"), 3, 10, "abc", nil},
		"of unknown length":             {strings.NewReader("abc"), -1, 10, "abc", nil},
		"byte by byte":                  {iotest.OneByteReader(strings.NewReader("abc")), 3, 10, "abc", nil},
		"with its end in the last read": {iotest.DataErrReader(strings.NewReader("abc")), 3, 10, "abc", nil},
		"as long as the limit":          {strings.NewReader("abc"), 3, 3, "abc", nil},
		"longer than the limit":         {strings.NewReader("abcd"), 4, 3, "abc", errTooLarge},
		"longer than it claims to be":   {strings.NewReader("abc"), 1, 10, "abc", nil},
		"shorter than it claims to be":  {strings.NewReader("abc"), math.MaxInt64, 10, "abc", nil},
		"without a limit":               {strings.NewReader(long), math.MaxInt64, math.MaxInt64, long, nil},
		"that breaks off":               {io.MultiReader(strings.NewReader("ab"), iotest.ErrReader(broken)), 3, 10, "ab", broken},
		"that breaks off at the limit":  {io.MultiReader(strings.NewReader("abc"), iotest.ErrReader(broken)), 4, 3, "abc", nil},
	} {
		t.Run(name, func(t *testing.T) {
			buf := newBodyBuffer()
			defer releaseBodyBuffer(buf)
			err := readBody(buf, &http.Response{Body: io.NopCloser(test.body), ContentLength: test.contentLength}, test.limit)
			require.ErrorIs(t, err, test.err)
			require.Equal(t, test.want, buf.String())
		})
	}
}

// TestReadBodyDoesNotTrustTheContentLength: a response claims more than it holds.
func TestReadBodyDoesNotTrustTheContentLength(t *testing.T) {
	var buf bytes.Buffer
	require.NoError(t, readBody(&buf, &http.Response{Body: http.NoBody, ContentLength: math.MaxInt64}, math.MaxInt64))
	require.LessOrEqual(t, buf.Cap(), maxPooledBody)
}

func TestReleaseBodyBuffer(t *testing.T) {
	small := bytes.NewBufferString("abc")
	releaseBodyBuffer(small)
	require.Zero(t, small.Len(), "the next call finds it empty")

	large := bytes.NewBuffer(make([]byte, 1, maxPooledBody+1))
	releaseBodyBuffer(large)
	require.Equal(t, 1, large.Len(), "it is left alone, for the garbage collector")
}
