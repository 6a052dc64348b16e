package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go/examples/internal/readme"
)

func TestRunInvitesAndRevokes(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), &out, "", "ada@example.com"))
	got := regexp.MustCompile(`until \S+`).ReplaceAllString(out.String(), "until then")
	require.Equal(t, `CLERK_SECRET_KEY is not set: this is the embedded fake, not Clerk.
created  inv_000000000000000000000000001 for ada@example.com, until then
refused  a second one, as expected: clerk: CreateInvitation: 400 duplicate_record: duplicate invitation (trace 00000000000000000000000000000002)
created  2 in one request
pending  3 in all, the newest:
         inv_000000000000000000000000003 for ada+two@example.com
         inv_000000000000000000000000002 for ada+one@example.com
         inv_000000000000000000000000001 for ada@example.com
revoked  inv_000000000000000000000000001, status revoked
revoked  inv_000000000000000000000000002, status revoked
revoked  inv_000000000000000000000000003, status revoked
`, got)
}

func TestRunRefusesPublishableKey(t *testing.T) {
	var out bytes.Buffer
	require.ErrorContains(t, run(t.Context(), &out, "pk_test_dummy", "ada@example.com"), "publishable")
	require.Contains(t, out.String(), "this is the real Clerk")
}

func TestServeShowsTheInvitationsUntilTheEnd(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	reader, writer := io.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- runAndServe(ctx, writer, "ada@example.com") }()
	lines := bufio.NewScanner(reader)
	var page string
	for page == "" && lines.Scan() {
		page = regexp.MustCompile(`http://\S+`).FindString(lines.Text())
	}
	go func() { _, _ = io.Copy(io.Discard, reader) }()
	resp, err := http.Get(page)
	require.NoError(t, err)
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, errors.Join(err, resp.Body.Close()))
	require.Contains(t, string(body), "To ada@example.com")
	require.Contains(t, string(body), "To ada&#43;colleague@example.com")

	link := regexp.MustCompile(`href="(http://[^"]+/v1/tickets/accept[^"]+)"`).FindSubmatch(body)
	require.NotNil(t, link)
	resp, err = http.Get(string(link[1]))
	require.NoError(t, err)
	body, err = io.ReadAll(resp.Body)
	require.NoError(t, errors.Join(err, resp.Body.Close()))
	require.Contains(t, string(body), "You are invited")

	cancel()
	require.NoError(t, <-ended)
	_, err = http.Get(page)
	require.Error(t, err, "the page is no longer served")
}

func TestReadmeHasTheOutput(t *testing.T) { readme.RequireOutput(t, "quickstart", main) }
