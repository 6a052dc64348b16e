// Package examples has the test of README.md. The examples are in the folders.
package examples

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var block = regexp.MustCompile("(?ms)^```console\n\\$ go run \\./examples/(\\w+)\n(.*?)^```$")

// TestReadmeHasTheOutput runs the examples of the root module. The others have tests of
// their own.
func TestReadmeHasTheOutput(t *testing.T) {
	t.Setenv("CLERK_SECRET_KEY", "")
	blocks := block.FindAllStringSubmatch(readme(t), -1)
	require.Len(t, blocks, 4)
	dir := t.TempDir()
	build := []string{"build", "-ldflags=-s -w", "-o", dir}
	for _, example := range blocks {
		build = append(build, "./"+example[1])
	}
	output, err := exec.CommandContext(t.Context(), "go", build...).CombinedOutput()
	require.NoError(t, err, string(output))
	for _, example := range blocks {
		cmd := exec.CommandContext(t.Context(), filepath.Join(dir, example[1]))
		cmd.Dir = ".."
		output, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s: %s", example[1], output)
		pattern := "^" + strings.ReplaceAll(regexp.QuoteMeta(example[2]), `\.\.\.`, `[^\n]*`) + "$"
		require.Regexp(t, pattern, string(output), example[1])
	}
}

func TestReadmeListsEveryExample(t *testing.T) {
	entries, err := os.ReadDir(".")
	require.NoError(t, err)
	for _, entry := range entries {
		if entry.IsDir() {
			require.Regexp(t, `\[(internal/)?\w+\]\(`+entry.Name()+`(/\w+)?\)`, readme(t))
		}
	}
}

func readme(t *testing.T) string {
	t.Helper()
	content, err := os.ReadFile("README.md")
	require.NoError(t, err)
	return string(content)
}
