package transport

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/clerk-invitations/clerk-go/internal/async"
	"github.com/clerk-invitations/clerk-go/internal/check"
)

// ErrUnusableKey means that a function has returned a malformed secret key. It is not an error
// in the request's input.
var ErrUnusableKey = errors.New("the secret key function returned an unusable key")

// Key asks provider for the secret key, until a time. It does not wait longer if provider
// ignores its context.
func Key(ctx context.Context, until time.Time, provider func(context.Context) (string, error)) (string, error) {
	ctx, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	key, err := async.Wait(ctx, func() (string, error) { return provider(ctx) })
	if err != nil {
		return "", fmt.Errorf("the secret key function failed: %w", err)
	}
	if problem := check.SecretKey(key); problem != "" {
		return "", fmt.Errorf("%w: secret key %s", ErrUnusableKey, problem)
	}
	return key, nil
}
