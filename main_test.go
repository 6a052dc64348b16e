package clerk_test

import (
	"os"
	"runtime/debug"
	"testing"
)

// TestMain collects garbage less often. The tests keep a few megabytes alive and allocate
// many times that: by default, a third of their CPU time would be spent on collections.
func TestMain(m *testing.M) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(400)
	}
	m.Run()
}
