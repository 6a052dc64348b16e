package async_test

import (
	"errors"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go/internal/async"
)

func TestGetReturnsTheValue(t *testing.T) {
	result := <-async.Go(func() int { return 7 })
	value, err := result.Get()
	require.NoError(t, err)
	require.Equal(t, 7, value)
}

func TestGetPanicsAsTheFunctionDid(t *testing.T) {
	cause := errors.New("a cause")
	result := <-async.Go(func() int { panic(cause) })
	require.PanicsWithError(t, "a cause", func() { _, _ = result.Get() })
}

func TestGetTellsGoexit(t *testing.T) {
	result := <-async.Go(func() int { runtime.Goexit(); return 7 })
	_, err := result.Get()
	require.EqualError(t, err, "it called runtime.Goexit")
}
