package main

import (
	"errors"
	"flag"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFlagsConfigureTheFake(t *testing.T) {
	p := start(t, "-key", "sk_test_own", "-limits", "development", "-ids", "sequential", "-url", "https://clerk.test", "-latency", "5ms")
	inv := p.invite(t, "ada@example.com")
	require.Equal(t, "inv_000000000000000000000000001", inv.ID)
	require.True(t, strings.HasPrefix(inv.URL, "https://clerk.test/v1/tickets/accept?ticket="))
	resp, err := http.Get(p.page + "_fake/state")
	require.NoError(t, err)
	state, err := io.ReadAll(resp.Body)
	require.NoError(t, errors.Join(err, resp.Body.Close()))
	require.Contains(t, string(state), `"left": 99`)
	require.Contains(t, string(state), `"latency": "5ms"`)
	p.kill(t)
	require.Regexp(t, `^\d\d:\d\d:\d\d POST "/v1/invitations" \d[\d.]*ms 200\n$`, p.log.String())
}

func TestInvalidArgumentsAreRefused(t *testing.T) {
	for text, args := range map[string][]string{
		`-limits "none" is none of`:                 {"-limits", "none"},
		`unknown argument "8080"`:                   {"8080"},
		"not defined: -port":                        {"-port", "8080"},
		`-ids "own" is neither`:                     {"-ids", "own"},
		"-key is empty":                             {"-key", ""},
		`-faults "many" does not begin`:             {"-faults", "many"},
		"share 2 is not between":                    {"-faults", "2"},
		`unknown fault "drop"`:                      {"-faults", "0.5:drop"},
		"-latency is negative":                      {"-latency", "-1s"},
		`-url "fakeclerk:8080" is not an http`:      {"-url", "fakeclerk:8080"},
		`-url "javascript:alert(1)" is not an http`: {"-url", "javascript:alert(1)"},
		"invalid value":                             {"-latency", "long"},
	} {
		_, err := parse(args, io.Discard)
		require.ErrorContains(t, err, text)
	}
	_, err := parse([]string{"-h"}, io.Discard)
	require.ErrorIs(t, err, flag.ErrHelp)
	for _, args := range [][]string{
		{"-addr", "127.0.0.1:99999"}, {"-state", t.TempDir()}, {"-state", "/nowhere/state"}, {"-seed-file", "/nowhere/seed"},
	} {
		cfg, err := parse(append([]string{"-addr", "127.0.0.1:0"}, args...), io.Discard)
		require.NoError(t, err)
		require.Error(t, run(t.Context(), cfg, io.Discard, io.Discard), args)
	}
}
