package async_test

import (
	"context"
	"errors"
	"io"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go/internal/async"
)

func TestGetReturnsTheValuesOfTheFunction(t *testing.T) {
	result := <-async.Go(func() (int, error) { return 7, io.EOF })
	value, err := result.Get()
	require.Equal(t, io.EOF, err)
	require.Equal(t, 7, value)
}

func TestGetPanicsWhenTheFunctionPanicked(t *testing.T) {
	cause := errors.New("a cause")
	result := <-async.Go(func() (int, error) { panic(cause) })
	require.PanicsWithError(t, "a cause", func() { _, _ = result.Get() })
}

func TestGetReturnsAnErrorAfterGoexit(t *testing.T) {
	result := <-async.Go(func() (int, error) { runtime.Goexit(); return 7, nil })
	_, err := result.Get()
	require.EqualError(t, err, "a function called runtime.Goexit")
}

func TestWaitReturnsWhenTheFunctionOrTheContextEnds(t *testing.T) {
	value, err := async.Wait(t.Context(), func() (int, error) { return 7, io.EOF })
	require.Equal(t, io.EOF, err)
	require.Equal(t, 7, value)

	ctx, cancel := context.WithCancel(t.Context())
	stop := make(chan int)
	defer close(stop)
	_, err = async.Wait(ctx, func() (int, error) { cancel(); return <-stop, nil })
	require.Equal(t, context.Canceled, err)
}
