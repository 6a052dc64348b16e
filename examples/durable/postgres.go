package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
)

// A cluster is the command's own PostgreSQL database, in a folder. The first process that uses
// it starts its server, on a free loopback port, and the last one stops it.
type cluster struct {
	folder string
	bin    string   // the directory of PostgreSQL's programs
	prefix []string // of their command lines
}

var errNoPostgres = errors.New(`PostgreSQL's programs (initdb, pg_ctl) were not found. Either set DATABASE_URL, or install them:
  Debian, Ubuntu: apt-get install postgresql
  macOS:          brew install postgresql
  Docker instead: docker run -d -e POSTGRES_PASSWORD=secret -p 127.0.0.1:5432:5432 postgres
                  export DATABASE_URL=postgres://postgres:secret@127.0.0.1/postgres`)

// openCluster starts the server of the folder, if it is not running, and creates the folder if
// it does not exist. It returns the database's URL.
func openCluster(ctx context.Context, folder string) (*cluster, string, error) {
	folder, err := filepath.Abs(folder)
	if err != nil {
		return nil, "", err
	}
	c := &cluster{folder: folder}
	if c.bin, err = findPrograms(); err != nil {
		return nil, "", err
	}
	if err := c.create(ctx); err != nil {
		return nil, "", err
	}
	if c.run(ctx, "pg_ctl", "status", "-D", c.data()) != nil {
		err = c.start(ctx)
	}
	if err != nil && c.run(ctx, "pg_ctl", "status", "-D", c.data()) != nil { // not started by another process meanwhile
		return nil, "", err
	}
	url, err := c.url()
	return c, url, err
}

func (c *cluster) data() string     { return filepath.Join(c.folder, "data") }
func (c *cluster) password() string { return filepath.Join(c.folder, "password") }

// findPrograms returns the directory of PostgreSQL's programs.
func findPrograms() (string, error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(path), nil
	}
	for _, pattern := range []string{
		"/usr/lib/postgresql/*/bin/initdb", "/usr/pgsql-*/bin/initdb",
		"/opt/homebrew/opt/postgresql*/bin/initdb", "/usr/local/opt/postgresql*/bin/initdb",
	} {
		if found, _ := filepath.Glob(pattern); len(found) > 0 {
			return filepath.Dir(slices.Max(found)), nil
		}
	}
	return "", errNoPostgres
}

// run runs one of PostgreSQL's programs.
func (c *cluster) run(ctx context.Context, program string, args ...string) error {
	line := append(slices.Clone(c.prefix), filepath.Join(c.bin, program))
	line = append(line, args...)
	command := exec.CommandContext(ctx, line[0], line[1:]...) //nolint:gosec // of this file
	command.Dir = c.folder
	output := filepath.Join(c.folder, program+".out")                         // a server that is started keeps it open
	file, err := os.OpenFile(output, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600) //nolint:gosec // in the folder
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	command.Stdout, command.Stderr = file, file
	if err := command.Run(); err != nil {
		said, _ := os.ReadFile(output) //nolint:gosec // of this file
		return fmt.Errorf("%s: %w: %s", program, err, strings.TrimSpace(string(said)))
	}
	return nil
}

// create creates the folder and the database in it, unless they exist.
func (c *cluster) create(ctx context.Context) error {
	if err := os.MkdirAll(c.folder, 0o700); err != nil {
		return err
	}
	if os.Getuid() == 0 { // PostgreSQL does not run as root
		owner, err := user.Lookup("postgres")
		if err != nil {
			return fmt.Errorf("PostgreSQL does not run as root, and there is no user postgres: %w", err)
		}
		uid, _ := strconv.Atoi(owner.Uid) // they are numbers on systems with root
		gid, _ := strconv.Atoi(owner.Gid)
		if err := os.Chown(c.folder, uid, gid); err != nil {
			return err
		}
		c.prefix = []string{"runuser", "-u", "postgres", "--"}
	}
	if _, err := os.Stat(filepath.Join(c.data(), "PG_VERSION")); err == nil {
		return nil
	}
	if err := os.WriteFile(c.password(), []byte(rand.Text()+"\n"), 0o644); err != nil { //nolint:gosec // in a folder that nobody else can enter
		return err
	}
	return c.run(ctx, "initdb", "-D", c.data(), "-U", "durable", "-A", "scram-sha-256", "--pwfile="+c.password())
}

// start starts the server.
func (c *cluster) start(ctx context.Context) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err = cmp.Or(err, listener.Close()); err != nil {
		return err
	}
	options := "-c listen_addresses=127.0.0.1 -c unix_socket_directories= -c port=" + port
	return c.run(ctx, "pg_ctl", "start", "-w", "-D", c.data(), "-l", filepath.Join(c.folder, "log"), "-o", options)
}

// url returns the URL of the running server.
func (c *cluster) url() (string, error) {
	pid, err := os.ReadFile(filepath.Join(c.data(), "postmaster.pid")) //nolint:gosec // in the folder
	if err != nil {
		return "", err
	}
	lines := strings.Split(string(pid), "\n")  // the fourth is the port
	password, err := os.ReadFile(c.password()) //nolint:gosec // in the folder
	if err != nil || len(lines) < 4 {
		return "", cmp.Or(err, errors.New("postmaster.pid has no port"))
	}
	return fmt.Sprintf("postgres://durable:%s@127.0.0.1:%s/postgres", strings.TrimSpace(string(password)), lines[3]), nil
}

// close stops the server, unless another process uses it.
func (c *cluster) close(ctx context.Context) error {
	url, err := c.url()
	if err != nil {
		return err
	}
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	var others int
	err = conn.QueryRow(ctx, `SELECT count(DISTINCT application_name) FROM pg_stat_activity
		WHERE backend_type = 'client backend' AND application_name LIKE 'durable %' AND application_name <> $1`,
		applicationName()).Scan(&others)
	if err = cmp.Or(err, conn.Close(ctx)); err != nil || others > 0 {
		return err
	}
	return c.run(ctx, "pg_ctl", "stop", "-D", c.data(), "-m", "fast")
}

// applicationName names this process to PostgreSQL.
func applicationName() string { return fmt.Sprint("durable ", os.Getpid()) }
