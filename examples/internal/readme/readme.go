// Package readme holds helpers for the examples' tests.
package readme

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var block = regexp.MustCompile("(?ms)^```console\n\\$ go run \\./examples/(\\w+)\n(.*?)^```$")

// RequireOutput requires that an example's main function prints the output in README.md.
func RequireOutput(t *testing.T, example string, main func()) {
	t.Helper()
	content, err := os.ReadFile("../README.md")
	require.NoError(t, err)
	var want string
	for _, found := range block.FindAllStringSubmatch(string(content), -1) {
		if found[1] == example {
			want = found[2]
		}
	}
	require.NotEmpty(t, want)
	pattern := "^" + strings.ReplaceAll(regexp.QuoteMeta(want), `\.\.\.`, `[^\n]*`) + "$"
	require.Regexp(t, pattern, outputOf(t, main))
}

// outputOf returns the output of a program that has no key.
func outputOf(t *testing.T, main func()) string {
	t.Helper()
	t.Setenv("CLERK_SECRET_KEY", "")
	file, err := os.Create(filepath.Join(t.TempDir(), "output"))
	require.NoError(t, err)
	stdout := os.Stdout
	os.Stdout = file
	defer func() { os.Stdout = stdout }()
	main()
	require.NoError(t, file.Close())
	output, err := os.ReadFile(file.Name())
	require.NoError(t, err)
	return string(output)
}
