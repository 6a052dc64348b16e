package transport_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go/internal/transport"
)

func TestKeyChecksWhatTheProviderReturns(t *testing.T) {
	failure := errors.New("no vault")
	for name, test := range map[string]struct {
		key  string
		err  error
		want error
		text string
	}{
		"a key":           {key: "sk_test_dummy"},
		"a failure":       {err: failure, want: failure, text: "the secret key function failed: no vault"},
		"a malformed key": {key: "pk_test_dummy", want: transport.ErrUnusableKey, text: "unusable key: secret key is a publishable key"},
		"no key":          {want: transport.ErrUnusableKey, text: "unusable key: secret key is empty"},
	} {
		t.Run(name, func(t *testing.T) {
			key, err := transport.Key(t.Context(), time.Now().Add(time.Hour), func(context.Context) (string, error) { return test.key, test.err })
			if test.want == nil {
				require.NoError(t, err)
				require.Equal(t, test.key, key)
				return
			}
			require.ErrorIs(t, err, test.want)
			require.ErrorContains(t, err, test.text)
			require.Empty(t, key)
		})
	}
}

func TestKeyDoesNotWaitForAProviderThatBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start, unblocked := time.Now(), make(chan struct{})
		defer close(unblocked)
		var ended error
		_, err := transport.Key(t.Context(), start.Add(time.Second), func(ctx context.Context) (string, error) {
			<-ctx.Done()
			ended = ctx.Err()
			<-unblocked
			return "sk_test_dummy", nil
		})
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, time.Second, time.Since(start))
		synctest.Wait()
		require.ErrorIs(t, ended, context.DeadlineExceeded)
	})
}
