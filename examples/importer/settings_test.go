package main

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFlagsMayFollowTheFile(t *testing.T) {
	var out bytes.Buffer
	set, err := parse([]string{"-dry-run", "people.csv", "-expires", "7", "-metadata=team"}, &out, key)
	require.NoError(t, err)
	require.Equal(t, "people.csv", set.file)
	require.True(t, set.dry)
	require.Equal(t, 7, set.request.ExpiresInDays)
	require.Equal(t, "team", set.metadata)
	_, err = parse([]string{"people.csv", "-nonsense"}, &out, key)
	require.Error(t, err)
	set, err = parse([]string{"--", "-people.csv"}, &out, key)
	require.NoError(t, err)
	require.Equal(t, "-people.csv", set.file)
}
