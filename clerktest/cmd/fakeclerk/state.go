package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/clerk-invitations/clerk-go/clerktest"
)

// A stateFile keeps a fake's state: its journal, which is written with every change
// and shortened at every start. Without a path it keeps nothing.
type stateFile struct {
	path   string
	file   *os.File
	failed func(error) // ends the program
}

// stateError is a state that could not be kept.
type stateError struct{ cause error }

func (e stateError) Error() string { return "keeping the state: " + e.cause.Error() }
func (e stateError) Unwrap() error { return e.cause }

// load loads the file's state into fake. It ignores a last change that was written
// in part.
func (s *stateFile) load(fake *clerktest.Fake, stderr io.Writer) error {
	if s.path == "" {
		return nil
	}
	file, err := os.Open(s.path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	err = fake.Load(file)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		fmt.Fprintf(stderr, "fakeclerk: %s ends in an incomplete change, which is ignored\n", s.path)
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s: %w", s.path, err)
	}
	return nil
}

// compact replaces the file by what fake holds, and opens it for changes.
func (s *stateFile) compact(fake *clerktest.Fake) error {
	if s.path == "" {
		return nil
	}
	next, err := os.CreateTemp(filepath.Dir(s.path), filepath.Base(s.path)+".*")
	if err != nil {
		return err
	}
	err = errors.Join(fake.Save(next), next.Sync(), next.Close())
	if err == nil {
		err = os.Rename(next.Name(), s.path)
	}
	if err != nil {
		_ = os.Remove(next.Name())
		return err
	}
	s.file, err = os.OpenFile(s.path, os.O_WRONLY|os.O_APPEND, 0o600)
	return err
}

// Write appends a change.
func (s *stateFile) Write(change []byte) (int, error) {
	if s.file == nil {
		return len(change), nil
	}
	n, err := s.file.Write(change)
	if err != nil {
		s.failed(stateError{err})
	}
	return n, err
}

func (s *stateFile) close() {
	if s.file != nil {
		_ = s.file.Close()
	}
}
