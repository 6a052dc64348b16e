package fakeserver_test

import (
	"html"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go/clerktest"
)

func TestPagesOfAnInvitation(t *testing.T) {
	fake := clerktest.New()
	inv := invite(t, fake, "ada@example.com", "https://app.example.com/join")
	const accept = "text/html"
	for path, texts := range map[string][]string{
		"/_fake/invitations/" + inv.ID: {"ada@example.com", "https://app.example.com/join", "Public metadata", `datetime="20`},
		"/_fake/emails/" + inv.ID:      {"Your invitation", `href="` + inv.URL + `"`},
		"/_fake/requests/1":            {"POST /v1/invitations", "Content-Type: application/json", "&#34;status&#34;:&#34;pending&#34;", "curl -X"},
	} {
		resp, body := call(t, fake, "GET "+path, "", "Accept", accept)
		require.Equal(t, 200, resp.StatusCode)
		for _, text := range texts {
			require.Contains(t, body, text)
		}
	}
	for _, path := range []string{"/_fake/invitations/inv_", "/_fake/emails/inv_", "/_fake/requests/7", "/_fake/requests/x"} {
		resp, body := call(t, fake, "GET "+path, "", "Accept", accept)
		require.Equal(t, 404, resp.StatusCode)
		require.Contains(t, body, "There is no such")
	}
}

// TestCurlSendsTheSameRequest runs the command with a shell function in place of curl.
func TestCurlSendsTheSameRequest(t *testing.T) {
	fake := clerktest.New()
	const body = `{"email_address": "o'$HOME\\` + "`id`" + `!"}`
	call(t, fake, "POST /v1/invitations?a=b%20c&a='", body, "X-Own", "it's", "Authorization", "Bearer secret")
	_, page := call(t, fake, "GET /_fake/requests/1", "", "Accept", "text/html")
	_, text, ok := strings.Cut(page, `aria-label="As curl">`)
	require.True(t, ok)
	text, _, _ = strings.Cut(text, "</pre>")
	script := `curl() { printf '%s\n' "$@"; }` + "\n" + html.UnescapeString(text)
	out, err := exec.CommandContext(t.Context(), "sh", "-c", script).CombinedOutput()
	require.NoError(t, err)
	require.Equal(t, strings.Join([]string{
		"-X", "POST", "http://localhost:8080/v1/invitations?a=b+c&a=%27",
		"-H", "Authorization: Bearer " + fake.SecretKey(), "-H", "X-Own: it's", "--data-raw", body, "",
	}, "\n"), string(out))
}
