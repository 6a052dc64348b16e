package clerkriver

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
	"github.com/stretchr/testify/require"
)

// TestMain runs the tests, or acts as a process that one of them started.
func TestMain(m *testing.M) {
	if os.Getenv("TEST_PROCESS") != "" {
		fmt.Fprintln(os.Stderr, "process:", runTestProcess())
		os.Exit(1)
	}
	_ = flag.Set("test.parallel", "4") // tests mostly wait, so more of them than cores can run
	code := m.Run()
	shared.stop()
	os.Exit(code)
}

// A server is a PostgreSQL server that the tests start.
type server struct {
	once      sync.Once
	err       error
	bin       string
	directory string
	port      int
	process   *exec.Cmd
	owner     *syscall.SysProcAttr
}

// shared is the server for all tests that do not restart theirs.
var shared server

// start creates a database cluster, and starts the server on a free port.
func (s *server) start() error {
	programs, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(programs) == 0 {
		return errors.New("PostgreSQL is not installed where Debian's package installs it")
	}
	s.bin = filepath.Dir(programs[len(programs)-1])
	var err error
	if s.directory, err = os.MkdirTemp("", "postgres"); err != nil {
		return err
	}
	s.owner = &syscall.SysProcAttr{}
	if os.Getuid() == 0 { // PostgreSQL refuses to run as root
		postgres, err := user.Lookup("postgres")
		if err != nil {
			return err
		}
		uid, _ := strconv.Atoi(postgres.Uid)
		gid, _ := strconv.Atoi(postgres.Gid)
		s.owner.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		if err := os.Chown(s.directory, uid, gid); err != nil {
			return err
		}
	}
	if err := s.run("initdb", "-D", s.directory, "-U", "postgres", "-A", "trust", "--no-sync"); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s.port = listener.Addr().(*net.TCPAddr).Port
	if err := listener.Close(); err != nil {
		return err
	}
	return s.launch()
}

func (s *server) run(program string, args ...string) error {
	command := exec.Command(filepath.Join(s.bin, program), args...)
	command.SysProcAttr, command.Dir = s.owner, s.directory
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", program, err, output)
	}
	return nil
}

// launch starts the server, and waits until it takes connections.
func (s *server) launch() error {
	s.process = exec.Command(filepath.Join(s.bin, "postgres"), "-D", s.directory, "-k", s.directory,
		"-c", "listen_addresses=127.0.0.1", "-p", strconv.Itoa(s.port), "-c", "fsync=off", "-c", "max_connections=300")
	s.process.SysProcAttr, s.process.Dir = s.owner, s.directory
	if err := s.process.Start(); err != nil {
		return err
	}
	var err error
	for range 300 {
		var conn *pgx.Conn
		if conn, err = pgx.Connect(context.Background(), s.url("postgres")); err == nil {
			return conn.Close(context.Background())
		}
		time.Sleep(100 * time.Millisecond)
	}
	return err
}

// crash ends the server as "pg_ctl stop -m immediate" does.
func (s *server) crash() error {
	if err := s.process.Process.Signal(syscall.SIGQUIT); err != nil {
		return err
	}
	_ = s.process.Wait() // its status says that it was ended
	return nil
}

func (s *server) stop() {
	if s.process != nil {
		_ = s.process.Process.Signal(os.Interrupt) // a fast shutdown
		_ = s.process.Wait()
	}
	_ = os.RemoveAll(s.directory)
}

func (s *server) url(database string) string {
	return fmt.Sprintf("postgres://postgres@127.0.0.1:%d/%s", s.port, database)
}

var databases atomic.Int32

// database creates a database with all tables, and returns its URL.
func (s *server) database(tb testing.TB) string {
	tb.Helper()
	url := s.empty(tb)
	pool := connect(tb, url)
	migrator, err := rivermigrate.New(riverpgxv5.New(pool), nil)
	require.NoError(tb, err)
	_, err = migrator.Migrate(tb.Context(), rivermigrate.DirectionUp, nil)
	require.NoError(tb, err)
	migrated(tb, pool, "", -1)
	return url
}

// empty creates a database without tables, and returns its URL. Without PostgreSQL the test is
// skipped, but fails in CI.
func (s *server) empty(tb testing.TB) string {
	tb.Helper()
	s.once.Do(func() { s.err = s.start() })
	if s.err != nil && os.Getenv("CI") != "true" {
		tb.Skip("no PostgreSQL: ", s.err)
	}
	require.NoError(tb, s.err)
	conn, err := pgx.Connect(tb.Context(), s.url("postgres"))
	require.NoError(tb, err)
	name := fmt.Sprintf("test_%d", databases.Add(1))
	_, err = conn.Exec(tb.Context(), "CREATE DATABASE "+name)
	require.NoError(tb, err)
	require.NoError(tb, conn.Close(tb.Context()))
	return s.url(name)
}

// connect opens a pool that is closed when the test ends.
func connect(tb testing.TB, url string) *pgxpool.Pool {
	tb.Helper()
	pool, err := pgxpool.New(context.WithoutCancel(tb.Context()), url)
	require.NoError(tb, err)
	tb.Cleanup(pool.Close)
	return pool
}

func migrated(tb testing.TB, pool *pgxpool.Pool, schema string, target int) []Migration {
	tb.Helper()
	var ran []Migration
	err := pgx.BeginFunc(tb.Context(), pool, func(tx pgx.Tx) (err error) {
		ran, err = Migrate(tb.Context(), tx, schema, target)
		return err
	})
	require.NoError(tb, err)
	return ran
}

// A link is a connection to a server that can be cut.
type link struct {
	net.Listener

	to  *server
	cut atomic.Bool
}

func newLink(t *testing.T, to *server) *link {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	l := &link{Listener: listener, to: to}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go l.serve(conn)
		}
	}()
	return l
}

// url returns the URL of a database of the server through the link.
func (l *link) url(direct string) string {
	return strings.Replace(direct, strconv.Itoa(l.to.port), strconv.Itoa(l.Addr().(*net.TCPAddr).Port), 1)
}

func (l *link) serve(conn net.Conn) {
	server, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", l.to.port))
	if err != nil {
		_ = conn.Close()
		return
	}
	go l.copy(server, conn)
	l.copy(conn, server)
}

// copy copies bytes. While the link is cut they are lost. Later, a connection that lost
// bytes is closed when it has to carry others. So a client that waits for an answer waits
// forever, as behind a firewall that has forgotten the connection.
func (l *link) copy(to, from net.Conn) {
	defer func() { _, _ = to.Close(), from.Close() }()
	buffer := make([]byte, 1<<16)
	for lost := false; ; {
		n, err := from.Read(buffer)
		isCut := l.cut.Load()
		if err != nil || lost && !isCut {
			return
		}
		if lost = isCut; lost {
			continue
		}
		if _, err := to.Write(buffer[:n]); err != nil {
			return
		}
	}
}
