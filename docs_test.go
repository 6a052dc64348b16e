package clerk_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// docPages returns the paths of the pages that these tests check.
func docPages(t *testing.T) []string {
	t.Helper()
	pages, err := filepath.Glob("docs/*.md")
	require.NoError(t, err)
	return append(pages, "README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "contract/README.md")
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(content)
}

// unindented returns text without indentation and empty lines.
func unindented(text string) string {
	var lines strings.Builder
	lines.WriteByte('\n')
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			lines.WriteString(line + "\n")
		}
	}
	return lines.String()
}

var (
	goBlock  = regexp.MustCompile("(?ms)^```go\n(.*?)^```$")
	anyBlock = regexp.MustCompile("(?ms)^```.*?^```$")
)

func TestCodeOfDocsIsTested(t *testing.T) {
	recipes, err := filepath.Glob("recipes*_test.go")
	require.NoError(t, err)
	recipes = append(recipes, "clerkriver/example_test.go")
	tested := ""
	for _, path := range recipes {
		tested += unindented(readFile(t, path))
	}
	for _, path := range docPages(t) {
		for _, block := range goBlock.FindAllStringSubmatch(readFile(t, path), -1) {
			require.Contains(t, tested, unindented(block[1]), "%s has code that no recipe runs", path)
		}
	}
}

var (
	relativeLink = regexp.MustCompile(`\]\(([^():#]*)(#[^()]*)?\)`) // not those with a scheme
	heading      = regexp.MustCompile(`(?m)^#+ (.*)$`)
	punctuation  = regexp.MustCompile(`[^\w\- ]`)
)

func anchors(page string) []string {
	var all []string
	for _, title := range heading.FindAllStringSubmatch(page, -1) {
		anchor := punctuation.ReplaceAllString(strings.ToLower(title[1]), "")
		all = append(all, "#"+strings.ReplaceAll(anchor, " ", "-"))
	}
	return all
}

func TestLinksOfDocsLeadSomewhere(t *testing.T) {
	for _, path := range docPages(t) {
		prose := anyBlock.ReplaceAllString(readFile(t, path), "")
		for _, link := range relativeLink.FindAllStringSubmatch(prose, -1) {
			target := path
			if link[1] != "" {
				target = filepath.Join(filepath.Dir(path), link[1])
				_, err := os.Stat(target)
				require.NoError(t, err, "in %s", path)
			}
			if link[2] != "" {
				require.Contains(t, anchors(readFile(t, target)), link[2], "in %s", path)
			}
		}
	}
}

func TestContributingListsFilesPackagesAndModules(t *testing.T) {
	contributing, dependabot := readFile(t, "CONTRIBUTING.md"), readFile(t, ".github/dependabot.yml")
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	for _, file := range files {
		if !strings.HasSuffix(file, "_test.go") {
			requireListed(t, contributing, "`"+file+"`")
		}
	}
	packages, err := filepath.Glob("internal/*")
	require.NoError(t, err)
	for _, path := range packages {
		requireListed(t, contributing, "| `"+filepath.ToSlash(path)+"` |")
	}
	for _, pattern := range []string{"*/go.mod", "*/*/go.mod"} {
		paths, err := filepath.Glob(pattern)
		require.NoError(t, err)
		for _, path := range paths {
			module := filepath.ToSlash(filepath.Dir(path))
			requireListed(t, contributing, "| `"+module+"` |")
			require.Contains(t, dependabot, "- /"+module+"\n")
		}
	}
}

// requireListed checks that a page contains a text. Its failure does not print the whole page.
func requireListed(t *testing.T, page, text string) {
	t.Helper()
	if !strings.Contains(page, text) {
		t.Errorf("CONTRIBUTING.md does not list %s", text)
	}
}
