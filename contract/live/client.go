package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// apiVersion is the version whose behavior docs/clerk-api.md describes.
const apiVersion = "2026-05-12"

const (
	requestTimeout = 15 * time.Second
	maxBody        = 16 << 20
)

// A client sends requests over plain net/http. It does not retry, as retries would hide the
// behavior that the questions are about.
type client struct {
	http     *http.Client
	url, key string
	sent     int
}

func newClient(transport http.RoundTripper, url, key string) client {
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return client{http: &http.Client{Transport: transport, CheckRedirect: stay}, url: url, key: key}
}

// send sends a request to the API. A request that has begun is not canceled with ctx,
// so that stopping the program loses no response.
func (c *client) send(ctx context.Context, method, path, version, body string) reply {
	return c.exchange(ctx, method, c.url+path, body, http.Header{
		"Authorization":     {"Bearer " + c.key},
		"Clerk-Api-Version": {version},
		"Content-Type":      {"application/json"},
	})
}

// open opens the link of an invitation, without the key and without following a redirect.
func (c *client) open(ctx context.Context, link string) reply {
	return c.exchange(ctx, http.MethodGet, link, "", http.Header{})
}

func (c *client) exchange(ctx context.Context, method, target, body string, header http.Header) reply {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), requestTimeout)
	defer cancel()
	c.sent++
	req, err := http.NewRequestWithContext(ctx, method, target, strings.NewReader(body))
	if err != nil {
		return reply{err: errors.New("the request is invalid")} // err may contain a ticket
	}
	header.Set("Accept", "application/json")
	header.Set("User-Agent", "clerk-go-contract-live")
	req.Header = header
	begin := time.Now()
	resp, err := c.http.Do(req)
	if err != nil {
		return reply{err: fmt.Errorf("%s: no response", method)} // err contains the URL
	}
	defer func() { _ = resp.Body.Close() }()
	read, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	if err != nil {
		return reply{err: fmt.Errorf("%s: the response broke off", method)}
	}
	return reply{status: resp.StatusCode, header: resp.Header, body: read, took: time.Since(begin)}
}

// A reply is the response to a request, or the reason that there is none. Its methods print
// neither addresses nor tickets.
type reply struct {
	status int
	header http.Header
	body   []byte
	took   time.Duration
	err    error
}

func (r reply) ok() bool { return r.status/100 == 2 }

// failure returns an error if it is unknown whether the request had an effect, or if Clerk
// limits requests or refuses the key.
func (r reply) failure() error {
	switch {
	case r.err != nil:
		return r.err
	case r.status >= http.StatusInternalServerError:
		return fmt.Errorf("status %d", r.status)
	case r.limited():
		return fmt.Errorf("rate limited (%s): run it again later", r)
	case r.status == http.StatusUnauthorized:
		return fmt.Errorf("the key is refused (%s)", r)
	}
	return nil
}

func (r reply) limited() bool {
	return r.status == http.StatusTooManyRequests || r.code() == "too_many_requests"
}

// wait returns the time that Retry-After asks to wait, or 0.
func (r reply) wait() time.Duration {
	seconds, err := strconv.Atoi(r.header.Get("Retry-After"))
	if err != nil || seconds < 0 {
		return 0
	}
	return time.Duration(min(seconds, 3600)) * time.Second
}

var isCode = regexp.MustCompile(`^[a-z_]{1,60}$`)

// code returns the code of the first error, or "" if there is none.
func (r reply) code() string {
	var envelope struct{ Errors []struct{ Code string } }
	if json.Unmarshal(r.body, &envelope) != nil || len(envelope.Errors) == 0 || !isCode.MatchString(envelope.Errors[0].Code) {
		return ""
	}
	return envelope.Errors[0].Code
}

func (r reply) hasMeta() bool {
	var envelope struct {
		Errors []struct{ Meta map[string]any }
	}
	return json.Unmarshal(r.body, &envelope) == nil && len(envelope.Errors) > 0 && len(envelope.Errors[0].Meta) > 0
}

func (r reply) String() string { return strings.TrimSpace(fmt.Sprint(r.status, " ", r.code())) }

// An invitation is an invitation in a response. Its numbers keep their spelling.
type invitation struct {
	ID             string
	EmailAddress   string `json:"email_address"`
	Status         string
	URL            string
	PublicMetadata json.RawMessage `json:"public_metadata"`
	CreatedAt      json.RawMessage `json:"created_at"`
	ExpiresAt      json.RawMessage `json:"expires_at"`
}

func (i invitation) created() time.Time { return millis(i.CreatedAt) }

// millis returns a time; zero if spelled is not a number of milliseconds.
func millis(spelled json.RawMessage) time.Time {
	ms, err := strconv.ParseFloat(strings.Trim(string(spelled), `"`), 64)
	if err != nil {
		return time.Time{}
	}
	return time.UnixMilli(int64(ms))
}

// invitation returns the invitation in a response to a create or a revocation.
func (r reply) invitation() invitation {
	var inv invitation
	if !r.ok() || json.Unmarshal(r.body, &inv) != nil {
		return invitation{}
	}
	return inv
}

// A page is a response to a list or a bulk.
type page struct {
	data      []invitation
	total     json.RawMessage
	enveloped bool
}

// count returns total_count, whatever its spelling, and reports whether there is one.
func (p page) count() (int, bool) {
	n, err := strconv.ParseFloat(strings.Trim(string(p.total), `"`), 64)
	return int(n), err == nil
}

func (r reply) page() page {
	var envelope struct {
		Data  []invitation
		Total json.RawMessage `json:"total_count"`
	}
	if !r.ok() {
		return page{}
	}
	if bytes.HasPrefix(bytes.TrimSpace(r.body), []byte("[")) {
		var bare []invitation
		_ = json.Unmarshal(r.body, &bare) // a body that cannot be read has no invitations
		return page{data: bare}
	}
	_ = json.Unmarshal(r.body, &envelope)
	return page{data: envelope.Data, total: envelope.Total, enveloped: true}
}

// sleep waits for d, or until ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
