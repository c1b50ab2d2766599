// Package pgserver runs a PostgreSQL server for tests: Debian's package, as an unprivileged user,
// in a directory of its own, on a Unix socket and on no port.
package pgserver

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
	"sync/atomic"
	"syscall"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver named pgx
)

// Server is a running server.
type Server struct {
	dir, bin string
	owner    *syscall.Credential
	schemas  atomic.Int64
}

// The server's users: one needs no password, the other has this one.
const (
	User       = "tester"
	LockedUser = "locked"
	Password   = "pass-word-of-locked"
)

// Start makes and starts a server. Stop ends it.
func Start() (*Server, error) {
	bin, err := binaries()
	if err != nil {
		return nil, err
	}
	// The name of a socket has room for a hundred characters.
	dir, err := os.MkdirTemp("/tmp", "pg")
	if err != nil {
		return nil, err
	}
	s := &Server{dir: dir, bin: bin}
	if err := errors.Join(s.own(), s.initialize()); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	if err := errors.Join(s.Up(), s.users()); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

// binaries finds the newest server that is installed.
func binaries() (string, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(found) == 0 {
		return "", errors.Join(err, errors.New(
			"there is no PostgreSQL server: make postgres installs Debian's and runs these tests"))
	}
	version := func(path string) int {
		n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path))))
		return n
	}
	slices.SortFunc(found, func(a, b string) int { return version(a) - version(b) })
	return filepath.Dir(found[len(found)-1]), nil
}

// own has the server run as nobody in particular: it refuses to run as root.
func (s *Server) own() error {
	if os.Geteuid() != 0 {
		return nil
	}
	u, err := user.Lookup("nobody")
	if err != nil {
		return err
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	s.owner = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return errors.Join(os.Chown(s.dir, uid, gid), os.Chmod(s.dir, 0o711))
}

func (s *Server) run(name string, args ...string) error {
	c := exec.Command(filepath.Join(s.bin, name), args...)
	c.Dir = s.dir
	c.Env = []string{"LC_ALL=C", "PATH=/usr/bin:/bin"}
	c.SysProcAttr = &syscall.SysProcAttr{Credential: s.owner}
	log, err := os.OpenFile(filepath.Join(s.dir, "out"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	c.Stdout, c.Stderr = log, log
	if err := c.Run(); err != nil {
		text, _ := os.ReadFile(log.Name())
		return fmt.Errorf("%s: %w: %s", name, err, text)
	}
	return nil
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

func (s *Server) initialize() error {
	if err := s.run("initdb", "-D", s.data(), "-U", User, "-A", "trust", "-E", "UTF8",
		"--no-sync"); err != nil {
		return err
	}
	access := "local all " + LockedUser + " scram-sha-256\nlocal all all trust\n"
	if err := os.WriteFile(filepath.Join(s.data(), "pg_hba.conf"), []byte(access), 0o600); err != nil {
		return err
	}
	conf, err := os.OpenFile(
		filepath.Join(s.data(), "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	// Nobody cuts the power of a test; what is killed is a process.
	_, err = fmt.Fprintf(conf, "listen_addresses = ''\nunix_socket_directories = '%s'\nfsync = off\n"+
		"max_connections = 200\nshared_buffers = 32MB\n", s.dir)
	return errors.Join(err, conf.Close())
}

func (s *Server) users() error {
	db, err := s.Open()
	if err != nil {
		return err
	}
	defer db.Close()
	_, err = db.Exec("CREATE ROLE " + LockedUser + " LOGIN SUPERUSER PASSWORD '" + Password + "'")
	return err
}

// Up starts a server that is down.
func (s *Server) Up() error {
	log := filepath.Join(s.dir, "log")
	return s.run("pg_ctl", "-D", s.data(), "-l", log, "-w", "-t", "120", "start")
}

// Crash ends the server without letting it finish anything.
func (s *Server) Crash() error {
	return s.run("pg_ctl", "-D", s.data(), "-m", "immediate", "-w", "stop")
}

// Stop ends the server and removes what it had.
func (s *Server) Stop() error { return errors.Join(s.Crash(), os.RemoveAll(s.dir)) }

// URL names the database for a user, with parameters.
func (s *Server) URL(user *url.Userinfo, parameters url.Values) string {
	q := url.Values{"host": {s.dir}}
	for name, values := range parameters {
		q[name] = values
	}
	u := url.URL{Scheme: "postgres", User: user, Path: "/postgres", RawQuery: q.Encode()}
	return u.String()
}

// Open opens the database.
func (s *Server) Open() (*sql.DB, error) { return sql.Open("pgx", s.URL(url.User(User), nil)) }

// Fresh makes a schema in which nothing is, and returns a URL that leads to it.
func (s *Server) Fresh(ctx context.Context) (string, error) {
	db, err := s.Open()
	if err != nil {
		return "", err
	}
	defer db.Close()
	name := fmt.Sprint("t", s.schemas.Add(1))
	if _, err := db.ExecContext(ctx, "CREATE SCHEMA "+name); err != nil {
		return "", err
	}
	return s.URL(url.User(User), url.Values{"search_path": {name}}), nil
}
