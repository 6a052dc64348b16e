package main

import (
	"bufio"
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
)

func TestServesUntilASignal(t *testing.T) {
	program := filepath.Join(t.TempDir(), "fakeclerk")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, ".").CombinedOutput()
	require.NoError(t, err, string(out))
	for _, signal := range []os.Signal{syscall.SIGINT, syscall.SIGTERM} {
		t.Run(signal.String(), func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			cmd := exec.CommandContext(ctx, program, "-addr", "127.0.0.1:0", "-limits", "development")
			stdout, err := cmd.StdoutPipe()
			require.NoError(t, err)
			require.NoError(t, cmd.Start())
			lines := bufio.NewScanner(stdout)
			value := func(name string) string {
				require.True(t, lines.Scan())
				text, ok := strings.CutPrefix(lines.Text(), name+":")
				require.True(t, ok, lines.Text())
				return strings.TrimSpace(text)
			}
			baseURL, key := value("base URL"), value("secret key")
			client, err := clerk.NewClient(key, clerk.WithBaseURL(baseURL))
			require.NoError(t, err)
			_, err = client.Invitations.Create(ctx, clerk.CreateInvitationRequest{EmailAddress: "ada@example.com"})
			require.NoError(t, err)

			idle, err := net.Dial("tcp", strings.TrimSuffix(strings.TrimPrefix(baseURL, "http://"), "/v1"))
			require.NoError(t, err)
			defer idle.Close()

			require.NoError(t, cmd.Process.Signal(signal))
			require.True(t, lines.Scan())
			require.Equal(t, "stopped", lines.Text())
			require.NoError(t, cmd.Wait(), "it ends with exit code 0")
		})
	}
}

func TestRefusesWhatItCannotDo(t *testing.T) {
	require.ErrorContains(t, run(t.Context(), "127.0.0.1:0", "none"), `-limits "none"`)
	require.Error(t, run(t.Context(), "127.0.0.1:99999", "off"))
}
