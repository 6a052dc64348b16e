package clock_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go/internal/clock"
)

func TestWithGraceEndsAfterTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type key struct{}
		start := time.Now()
		ctx, cancel := context.WithTimeout(context.WithValue(t.Context(), key{}, "value"), time.Minute)
		defer cancel()
		longer, end := clock.WithGrace(ctx, time.Second)
		defer end()
		require.Equal(t, "value", longer.Value(key{}))
		<-ctx.Done()
		require.NoError(t, longer.Err())
		<-longer.Done()
		require.Equal(t, time.Minute+time.Second, time.Since(start))
		require.ErrorIs(t, longer.Err(), context.Canceled)
	})
}

func TestWithGraceEndsWhenCanceled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		longer, end := clock.WithGrace(ctx, time.Second)
		end()
		require.ErrorIs(t, longer.Err(), context.Canceled)
		require.NoError(t, ctx.Err())
	})
}
