// Package examples tests README.md. The examples are in the subdirectories.
package examples

import (
	"os"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

var program = regexp.MustCompile(`(?m)^\$ go run \./examples/(\w+)$`)

// TestReadmeHasTheOutput: each program of the root module has a test of its output. The other
// modules have their own tests.
func TestReadmeHasTheOutput(t *testing.T) {
	programs := program.FindAllStringSubmatch(readme(t), -1)
	require.Len(t, programs, 4)
	for _, found := range programs {
		content, err := os.ReadFile(found[1] + "/main_test.go")
		require.NoError(t, err)
		require.Contains(t, string(content), `readme.RequireOutput(t, "`+found[1]+`", main)`)
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
