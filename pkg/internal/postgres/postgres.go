// Package postgres starts a real PostgreSQL server for tests. The server is Debian's. It listens on
// a socket of its own in a scratch folder, and nothing of it stays.
package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver named pgx
)

// owner is the user that a server runs as where the tests run as root, which it refuses.
const owner = "postgres"

// server is the one of a test's process, once it was started.
type server struct {
	dir  string
	cmd  *exec.Cmd
	made int
}

var (
	mutex sync.Mutex
	one   *server
)

// Fresh returns the URL of an empty database. The first call starts the server.
func Fresh(tb testing.TB) string {
	tb.Helper()
	mutex.Lock()
	defer mutex.Unlock()
	if one == nil {
		s, err := start()
		if err != nil {
			tb.Fatalf("cannot start PostgreSQL, which make postgres installs: %v", err)
		}
		one = s
	}
	one.made++
	name := fmt.Sprintf("test%d", one.made)
	if err := one.execute("CREATE DATABASE " + name); err != nil {
		tb.Fatal(err)
	}
	return one.url(name)
}

// Stop ends the server, if there is one, and removes all of it. TestMain calls it.
func Stop() {
	mutex.Lock()
	defer mutex.Unlock()
	if one == nil {
		return
	}
	// An immediate end: what is in it is of no use any more.
	_ = one.cmd.Process.Signal(syscall.SIGQUIT)
	_ = one.cmd.Wait()
	_ = os.RemoveAll(one.dir)
	one = nil
}

// bin finds the newest version of a program of PostgreSQL.
func bin(name string) (string, error) {
	if found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name); len(found) > 0 {
		return slices.Max(found), nil
	}
	return exec.LookPath(name)
}

func start() (*server, error) {
	dir, err := os.MkdirTemp("", "pg")
	if err != nil {
		return nil, err
	}
	s := &server{dir: dir}
	if err := s.run(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return s, nil
}

func (s *server) run() error {
	attributes := &syscall.SysProcAttr{Pdeathsig: syscall.SIGQUIT}
	if os.Getuid() == 0 {
		u, err := user.Lookup(owner)
		if err != nil {
			return err
		}
		uid, _ := strconv.ParseUint(u.Uid, 10, 32)
		gid, _ := strconv.ParseUint(u.Gid, 10, 32)
		attributes.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		if err := os.Chown(s.dir, int(uid), int(gid)); err != nil {
			return err
		}
	}
	initdb, err := bin("initdb")
	if err != nil {
		return err
	}
	program, err := bin("postgres")
	if err != nil {
		return err
	}
	data := filepath.Join(s.dir, "data")
	command := func(name string, args ...string) *exec.Cmd {
		c := exec.Command(name, args...)
		c.Dir, c.SysProcAttr = s.dir, attributes
		c.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C.UTF-8", "TZ=UTC"}
		return c
	}
	// Not the C collation: the store has to say itself how texts are compared.
	if out, err := command(initdb, "-D", data, "-U", owner, "-A", "trust", "-N", "-E", "UTF8",
		"--locale=C.UTF-8").CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, out)
	}
	s.cmd = command(program, "-D", data, "-k", s.dir, "-c", "listen_addresses=", "-c", "fsync=off",
		"-c", "full_page_writes=off", "-c", "max_connections=50")
	log, err := os.Create(filepath.Join(s.dir, "log"))
	if err != nil {
		return err
	}
	defer log.Close()
	s.cmd.Stdout, s.cmd.Stderr = log, log
	if err := s.cmd.Start(); err != nil {
		return err
	}
	return s.wait()
}

// wait waits until the server answers.
func (s *server) wait() error {
	for end := time.Now().Add(time.Minute); ; {
		err := s.execute("SELECT 1")
		if err == nil || time.Now().After(end) {
			return err
		}
		// The socket comes to be when the server is ready; there is nothing to wait on.
		time.Sleep(50 * time.Millisecond)
	}
}

func (s *server) url(database string) string {
	u := url.URL{
		Scheme: "postgres", User: url.User(owner), Path: "/" + database,
		RawQuery: url.Values{"host": {s.dir}}.Encode(),
	}
	return u.String()
}

func (s *server) execute(statement string) error {
	db, err := sql.Open("pgx", s.url("postgres"))
	if err != nil {
		return err
	}
	defer db.Close()
	_, err = db.ExecContext(context.Background(), statement)
	return err
}
