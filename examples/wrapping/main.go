// Command wrapping shows an internal SDK around package clerk, with its own types, errors,
// User-Agent and log records. It hides every type of package clerk from its users. It runs
// against the fake of package clerktest.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "wrapping:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer) error {
	logger := slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{
		Level: slog.LevelDebug,
		ReplaceAttr: func(_ []string, attr slog.Attr) slog.Attr {
			if attr.Key == slog.TimeKey || attr.Key == "duration" {
				return slog.Attr{} // the same output every time
			}
			return attr
		},
	}))
	fake := clerktest.New()
	people, err := NewPeople(fake.SecretKey(), fake, logger)
	if err != nil {
		return err
	}

	// The first response is lost. The library looks up what the request did.
	fake.Fail(clerk.OperationCreate, clerktest.FaultDropAfter)
	inv, err := people.Invite(ctx, "ada@example.com")
	if err != nil {
		return err
	}
	logger.InfoContext(ctx, "invited", "invitation", inv)

	if _, err = people.Invite(ctx, "ada@example.com"); !errors.Is(err, ErrKnown) {
		return errors.Join(errors.New("a second invitation was not refused"), err)
	}
	team := []string{"ada@example.com", "grace@example.com", "nobody"}
	for address, err := range people.InviteAll(ctx, slices.Values(team)) {
		fmt.Fprintf(out, "done: %s, %v\n", address, err)
	}
	return nil
}
