//go:build darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd

package main

import (
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go/clerktest"
)

// TestOwnerStays gives the file to another user, which only root can do.
func TestOwnerStays(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	uid, gid := os.Getuid(), os.Getgid()
	if uid == 0 {
		uid, gid = 1234, 4321
		require.NoError(t, os.Chown(path, uid, gid))
	}
	state, err := openState(path)
	require.NoError(t, err)
	defer state.close(true)
	before := state.file
	state.compact(clerktest.New(), io.Discard)
	require.NotSame(t, before, state.file)
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.EqualValues(t, uid, info.Sys().(*syscall.Stat_t).Uid)
	require.EqualValues(t, gid, info.Sys().(*syscall.Stat_t).Gid)
}
