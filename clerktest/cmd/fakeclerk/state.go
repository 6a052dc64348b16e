package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/clerk-invitations/clerk-go/clerktest"
)

// A stateFile is a file with a fake's state: the state at the last start, followed by a line
// for each change since. Only one process at a time can use it.
type stateFile struct {
	path    string   // of the file, not of a symbolic link to it
	file    *os.File // locked
	created bool     // by this start
	size    int64    // of the complete changes
	torn    bool     // an incomplete change follows the complete ones
	unended bool     // the last of them has no newline
}

// openState opens and locks the file with a state, and creates it if it does not
// exist.
func openState(path string) (*stateFile, error) {
	for range 10 {
		s, err := tryOpenState(path)
		if err == nil || !errors.Is(err, errReplaced) {
			return s, err
		}
	}
	return nil, fmt.Errorf("%s: %w", path, errReplaced)
}

// errReplaced means that another process replaced the file before it was locked.
var errReplaced = errors.New("another process is replacing it")

func tryOpenState(path string) (*stateFile, error) {
	s := &stateFile{}
	var err error
	s.file, err = os.OpenFile(path, os.O_RDWR, 0) //nolint:gosec // the user who starts the program chooses the file
	if errors.Is(err, os.ErrNotExist) {
		s.created = true
		s.file, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600) //nolint:gosec // as above
	}
	if err != nil {
		return nil, err
	}
	if err := s.take(path); err != nil {
		_ = s.file.Close()
		return nil, err
	}
	return s, nil
}

// take locks the file that was opened at path.
func (s *stateFile) take(path string) error {
	info, err := s.file.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is not a regular file", path)
	}
	if err := lock(s.file); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if s.path, err = filepath.EvalSymlinks(path); err != nil {
		return err
	}
	now, err := os.Stat(s.path)
	if err != nil || !os.SameFile(info, now) {
		return errReplaced
	}
	return nil
}

// start loads the file's state or, if there is none, the seed, into fake. It writes to the
// file only after reading everything.
func (s *stateFile) start(fake *clerktest.Fake, cfg config, stderr io.Writer) error {
	if err := s.load(fake, stderr); err != nil {
		return err
	}
	seeded, err := cfg.loadSeed(fake)
	if err != nil {
		return err
	}
	if seeded {
		return s.seed(fake)
	}
	s.compact(fake, stderr)
	return nil
}

// load loads the file's state into fake. It skips a last change that was written only in part.
func (s *stateFile) load(fake *clerktest.Fake, stderr io.Writer) error {
	info, err := s.file.Stat()
	if err != nil {
		return err
	}
	if s.size, err = completeSize(s.file, info.Size()); err != nil {
		return err
	}
	if err := fake.Load(io.NewSectionReader(s.file, 0, s.size)); err != nil {
		return fmt.Errorf("%s is damaged, or not a state of this version of fakeclerk: %w. "+
			"It is unchanged: repair or remove that object, or move the file away to start without a state", s.path, err)
	}
	last := []byte("\n")
	if s.size > 0 {
		if _, err := s.file.ReadAt(last, s.size-1); err != nil {
			return err
		}
	}
	s.unended = last[0] != '\n'
	if s.torn = s.size < info.Size(); s.torn {
		fmt.Fprintf(stderr, "fakeclerk: %s ends in an incomplete change, which is dropped\n", s.path)
	}
	return nil
}

// completeSize returns the size of a state without an incomplete change at its end. A process
// that is killed while writing leaves one behind.
func completeSize(file io.ReaderAt, size int64) (int64, error) {
	for length := int64(1 << 16); ; length *= 2 {
		length = min(length, size)
		end := make([]byte, length)
		if _, err := file.ReadAt(end, size-length); err != nil && !errors.Is(err, io.EOF) {
			return 0, err
		}
		newline := bytes.LastIndexByte(end, '\n')
		if newline < 0 && length < size {
			continue
		}
		if last := end[newline+1:]; isIncomplete(last) {
			return size - int64(len(last)), nil
		}
		return size, nil
	}
}

// isIncomplete reports whether text is the beginning of a line that fakeclerk writes.
func isIncomplete(text []byte) bool {
	var line json.RawMessage
	err := json.NewDecoder(bytes.NewReader(text)).Decode(&line)
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		return false
	}
	text = bytes.TrimPrefix(text, []byte("[")) // the beginning of changes that were made together
	for _, name := range []string{"invitation", "deleted_invitation", "user", "removed_user", "reset"} {
		begin := `{"` + name + `":`
		if bytes.HasPrefix(text, []byte(begin)) || strings.HasPrefix(begin, string(text)) {
			return true
		}
	}
	return false
}

// compact replaces the file by the current state of fake. If that is impossible, as on a full
// disk or for a single file that is mounted into a container, the file keeps all changes since
// an earlier start, and grows.
func (s *stateFile) compact(fake *clerktest.Fake, stderr io.Writer) {
	if err := s.replace(fake); err != nil {
		fmt.Fprintf(stderr, "fakeclerk: %s keeps its older changes, as it cannot be replaced: %v\n", s.path, err)
	}
}

// replace replaces the file by one with the same owner and mode that holds the current state
// of fake.
func (s *stateFile) replace(fake *clerktest.Fake) error {
	info, err := s.file.Stat()
	if err != nil {
		return err
	}
	next, err := os.OpenFile(s.path+".fakeclerk.tmp", os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	size, err := fill(next, fake, info)
	if err == nil {
		err = os.Rename(next.Name(), s.path)
	}
	if err != nil {
		_ = next.Close()
		_ = os.Remove(next.Name())
		return err
	}
	_ = s.file.Close()
	s.file, s.size, s.torn, s.unended = next, size, false, false
	return nil
}

// fill locks a file, writes the state of fake to it, and gives it the owner and mode of
// another file.
func fill(file *os.File, fake *clerktest.Fake, like os.FileInfo) (size int64, err error) {
	if err := lock(file); err != nil {
		return 0, err
	}
	if err := fake.Save(file); err != nil {
		return 0, err
	}
	if err := setOwner(file, like); err != nil {
		return 0, err
	}
	if err := file.Chmod(like.Mode().Perm()); err != nil {
		return 0, err
	}
	if err := file.Sync(); err != nil {
		return 0, err
	}
	return file.Seek(0, io.SeekCurrent)
}

// seed writes the state of fake to the file, which is empty.
func (s *stateFile) seed(fake *clerktest.Fake) error {
	var all bytes.Buffer
	if err := fake.Save(&all); err != nil {
		return err
	}
	_, err := s.Write(all.Bytes())
	return err
}

// Write appends a change, completely or not at all.
func (s *stateFile) Write(change []byte) (int, error) {
	if s.torn {
		if err := s.file.Truncate(s.size); err != nil {
			return 0, err
		}
		s.torn = false
	}
	line := change
	if s.unended {
		line = append([]byte("\n"), change...)
	}
	if _, err := s.file.WriteAt(line, s.size); err != nil {
		s.torn = s.file.Truncate(s.size) != nil
		if failed, ok := errors.AsType[*os.PathError](err); ok {
			err = failed.Err // the file was created under another name
		}
		return 0, err
	}
	s.size += int64(len(line))
	s.unended = false
	return len(change), nil
}

// close unlocks the file. If this start created the file but failed, close removes it.
func (s *stateFile) close(started bool) {
	if s.created && !started {
		_ = os.Remove(s.path)
	}
	_ = s.file.Close()
}
