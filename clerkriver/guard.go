package clerkriver

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5"
)

// errGoexit means that a function of the caller ended its goroutine.
var errGoexit = errors.New("it called runtime.Goexit")

// guarded calls a function of the caller in its own goroutine, so that a panic or
// runtime.Goexit ends only that call.
func guarded(call func() error) error {
	result := make(chan error, 1)
	go func() {
		err := errGoexit
		defer func() {
			if reason := recover(); reason != nil {
				err = fmt.Errorf("panic: %v", reason)
			}
			result <- err
		}()
		err = call()
	}()
	return <-result
}

// A hookTx is the transaction that OnResult and OnChange write in. It ends when they return.
type hookTx struct{ pgx.Tx }

var errEndsTx = errors.New("clerkriver: OnResult and OnChange must not end the transaction: it is committed when they return")

// Commit does nothing. Its error says so.
func (hookTx) Commit(context.Context) error { return errEndsTx }

// Rollback does nothing, so that a deferred call is harmless.
func (hookTx) Rollback(context.Context) error { return errEndsTx }

// explainHook adds advice to an error of OnResult or OnChange, or of the commit after it.
func explainHook(err error) error {
	switch {
	case errors.Is(err, pgx.ErrTxCommitRollback):
		return fmt.Errorf("a statement of OnResult or OnChange failed, and its error was not returned: %w", err)
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("OnResult and OnChange may take ten seconds: %w", err)
	}
	return err
}

// secretWord matches a word that may contain an email address, escaped or not, a URL's query, a
// secret key or an invitation's ticket. The root module has the same rule, in a package that
// another version may change.
var secretWord = regexp.MustCompile(`[@=%\\\x{FF20}\x{FE6B}]|&#|&commat;|(?i:sk_[0-9a-z])|eyJ[\w-]+\.[\w-]`)

// maxLogged is the length of the longest text of the caller's that is logged, in bytes.
const maxLogged = 300

// redacted returns a text of the caller's on one line, without words that may be secret.
func redacted(text string) string {
	words := strings.Split(oneLine(text), " ")
	for i, word := range words {
		if secretWord.MatchString(word) {
			words[i] = "[redacted]"
		}
	}
	line := strings.Join(words, " ")
	if len(line) > maxLogged {
		line = strings.ToValidUTF8(line[:maxLogged], "") + "..."
	}
	return line
}
