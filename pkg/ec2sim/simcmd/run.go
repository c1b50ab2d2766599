package simcmd

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"aws-provider-executor/pkg/ec2sim"
)

// Exit codes that shells give to a command that could not run, and to one that a signal ended.
const (
	exitNotRunnable = 126
	exitNotFound    = 127
	exitSignalled   = 128 // plus the signal's number
)

// run runs a command in the server's environment, passes signals on to it, and returns its exit
// code.
func (p *Program) run(
	srv *ec2sim.Server, command, environ []string, stdin io.Reader, stdout, stderr io.Writer,
) int {
	dir, err := os.MkdirTemp("", "ec2sim-run-")
	if err != nil {
		fmt.Fprintln(stderr, "ec2sim: cannot make a directory for the command's state:", err)
		return exitFailed
	}
	defer os.RemoveAll(dir)
	return p.start(command, environment(srv, environ, dir), stdin, stdout, stderr)
}

// start runs a command in an environment, passes signals on to it, and returns its exit code.
func (p *Program) start(
	command, environ []string, stdin io.Reader, stdout, stderr io.Writer,
) int {
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Env = environ
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, stdout, stderr
	if err := cmd.Start(); err != nil {
		fmt.Fprintf(stderr, "ec2sim: cannot run %s: %v\n", command[0], reason(err))
		if errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist) {
			return exitNotFound
		}
		return exitNotRunnable
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for {
		select {
		case s := <-p.Signals:
			if !reachedCommand(s) {
				_ = cmd.Process.Signal(s) // one that has ended already needs no signal
			}
		case err := <-ended:
			return exitCode(cmd, err, stderr)
		}
	}
}

// reason is an error without the name of the command, which is told before it.
func reason(err error) error {
	if e := (*exec.Error)(nil); errors.As(err, &e) {
		return e.Err
	}
	if e := (*fs.PathError)(nil); errors.As(err, &e) {
		return e.Err
	}
	return err
}

func exitCode(cmd *exec.Cmd, err error, stderr io.Writer) int {
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return exitSignalled + int(status.Signal())
	}
	if code := cmd.ProcessState.ExitCode(); code != 0 || err == nil {
		return code
	}
	fmt.Fprintln(stderr, "ec2sim: cannot pass on what the command reads or writes:", err)
	return exitFailed
}

// reachedCommand reports whether a signal came from the keyboard of a terminal, which sends it to
// the command as well.
func reachedCommand(s os.Signal) bool {
	if s != os.Interrupt && s != syscall.SIGQUIT {
		return false
	}
	terminal, err := os.OpenFile("/dev/tty", os.O_RDONLY|syscall.O_NOCTTY, 0)
	if err != nil {
		return false
	}
	defer terminal.Close()
	foreground, err := unix.IoctlGetInt(int(terminal.Fd()), unix.TIOCGPGRP)
	return err == nil && foreground == unix.Getpgrp()
}

// environment is the command's: the server's, a state directory and a journal in dir, and of the
// caller's what leads to nothing real.
func environment(srv *ec2sim.Server, environ []string, dir string) []string {
	env := slices.DeleteFunc(slices.Clone(environ), func(line string) bool {
		name, _, _ := strings.Cut(line, "=")
		return leadsOutside(name) || name == "STATE_DIRECTORY"
	})
	env = append(env, pointing(srv)...)
	env = append(env,
		"EXECUTOR_STATE_DIR="+filepath.Join(dir, "state"),
		"ACTIONCTL_JOURNAL="+filepath.Join(dir, "journal.db"))
	return append(env, unproxied(environ)...)
}

// leadsOutside reports whether a variable of the caller's may lead to something real.
func leadsOutside(name string) bool {
	return strings.HasPrefix(name, "AWS_") || name == "EXECUTOR_STATE_TABLE"
}

// pointing are the lines that point at the server, and at nothing else: no other service is
// reached, and no profile of the caller's is read.
func pointing(srv *ec2sim.Server) []string {
	return append(srv.Env(),
		"AWS_ENDPOINT_URL="+srv.URL(),
		"AWS_CONFIG_FILE="+os.DevNull,
		"AWS_SHARED_CREDENTIALS_FILE="+os.DevNull)
}

// unproxied has clients in Python and Go alike go straight to the server.
func unproxied(environ []string) []string {
	var lines []string
	for _, name := range []string{"NO_PROXY", "no_proxy"} {
		hosts := "127.0.0.1,localhost"
		for _, line := range environ {
			if value, ok := strings.CutPrefix(line, name+"="); ok && value != "" {
				hosts = value + "," + hosts
			}
		}
		lines = append(lines, name+"="+hosts)
	}
	return lines
}
