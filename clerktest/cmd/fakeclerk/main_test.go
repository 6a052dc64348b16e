package main

import (
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestServesUntilASignal(t *testing.T) {
	for _, signal := range []os.Signal{syscall.SIGINT, syscall.SIGTERM} {
		t.Run(signal.String(), func(t *testing.T) {
			t.Parallel()
			p := start(t)
			p.invite(t, "ada@example.com")
			resp, err := http.Get(p.page)
			require.NoError(t, err)
			page, err := io.ReadAll(resp.Body)
			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())
			require.Contains(t, string(page), "ada@example.com")

			idle, err := net.Dial("tcp", strings.TrimSuffix(strings.TrimPrefix(p.page, "http://"), "/"))
			require.NoError(t, err)
			defer idle.Close()

			require.NoError(t, p.Process.Signal(signal))
			require.True(t, p.lines.Scan())
			require.Equal(t, "stopped", p.lines.Text())
			require.NoError(t, p.Wait(), "its exit code is 0")
		})
	}
}
