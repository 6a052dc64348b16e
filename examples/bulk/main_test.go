package main

import (
	"testing"
	"testing/synctest"

	"github.com/clerk-invitations/clerk-go/examples/internal/readme"
)

func TestReadmeHasTheOutput(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { readme.RequireOutput(t, "bulk", main) })
}
