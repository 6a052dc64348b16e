package clerkriver

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
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

// secretWord matches a word that may contain an email address, escaped or not, a URL's query, a
// secret key or an invitation's ticket. The root module has the same rule, in a package that
// another version may change.
var secretWord = regexp.MustCompile(`[@=%\\\x{FF20}\x{FE6B}]|&#|&commat;|(?i:sk_[0-9a-z])|eyJ[\w-]+\.[\w-]`)

// maxLogged is the length of the longest text of the caller's that is logged, in bytes.
const maxLogged = 300

// redacted returns a text of the caller's on one line, without words that may be secret.
func redacted(text string) string {
	words := strings.Fields(toText(text))
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
