package sshcommand

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/nodes/probe"
	"aws-provider-executor/pkg/protocol"
)

// The scripts that a host's own shell runs. A shell reads main as a whole before it begins, so one
// that is cut off does nothing.
var (
	//go:embed look.sh
	lookScript string
	//go:embed start.sh
	startScript string
)

// marker begins what a script says. What a login's own files write comes before it.
const marker = "\nactionctl-command 1\n"

// maxAnswer is how much of an answer is read.
const maxAnswer = 256 << 10

// found is what a host has of the command under a key.
type found struct {
	// started reports whether it was begun, ever. Digest is that of the one that was.
	started bool
	digest  string
	// alive reports whether its shell is there, and status is its exit status once it has ended.
	alive  bool
	status string
	// stdout and stderr are the ends of what it wrote, with one byte more than is told.
	stdout, stderr []byte
	// home reports whether the login can write to its home, timeout whether there is that program.
	home, timeout bool
}

// host is a connection to a node. It logs in when it is first used, and again where the connection
// was lost.
type host struct {
	dial func(context.Context) (*ssh.Client, error)

	mu     sync.Mutex
	client *ssh.Client
}

// Reader is what the verb reads with.
func (h *host) Reader() any { return h }

// Writer is what the verb changes with.
func (h *host) Writer() any { return h }

// close ends the connection.
func (h *host) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.client != nil {
		_ = h.client.Close()
		h.client = nil
	}
}

// session opens one on a connection that is there, or on a new one.
func (h *host) session(ctx context.Context) (*ssh.Session, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.client != nil {
		if s, err := h.client.NewSession(); err == nil {
			return s, nil
		}
		_ = h.client.Close()
		h.client = nil
	}
	client, err := h.dial(ctx)
	if err != nil {
		return nil, failureOf(err)
	}
	s, err := client.NewSession()
	if err != nil {
		_ = client.Close()
		return nil, protocol.Refuse(protocol.Unavailable,
			"the node lets nobody run a command there (%s); nothing was started", err)
	}
	h.client = client
	return s, nil
}

// failureOf says what it means that nobody could log in.
func failureOf(err error) *protocol.Failure {
	class := protocol.Unavailable
	var f *protocol.Failure
	switch {
	case errors.As(err, &f):
		return f
	case errors.Is(err, probe.ErrCredential):
		class = protocol.Authorization
	case errors.Is(err, probe.ErrHost), errors.Is(err, probe.ErrSettings):
		class = protocol.Configuration
	}
	return protocol.Refuse(class, "the node can't be logged in to: %s; nothing was started", err)
}

// lookPatience is how long one reading takes at most.
const lookPatience = 20 * time.Second

// look reads what the host has under a name. It changes nothing.
func (h *host) look(ctx context.Context, name string) (found, error) {
	ctx, cancel := context.WithTimeout(ctx, lookPatience)
	defer cancel()
	lines, _, err := h.run(ctx, lookScript, name)
	if err != nil {
		return found{}, failureOf(err)
	}
	var f found
	for _, line := range lines {
		word, rest, _ := strings.Cut(line, " ")
		switch word {
		case "home":
			f.home = true
		case "timeout":
			f.timeout = true
		case "digest":
			f.started, f.digest = true, rest
		case "alive":
			f.alive = true
		case "status":
			f.status = rest
		case "stdout":
			f.stdout, err = hex.DecodeString(rest)
		case "stderr":
			f.stderr, err = hex.DecodeString(rest)
		}
		if err != nil {
			return found{}, protocol.Refuse(protocol.Unavailable,
				"what the node tells of the command can't be read: %s", err)
		}
	}
	return f, nil
}

// start has the host begin a command, unless one was begun under the name before. It does not wait.
func (h *host) start(ctx context.Context, name, limit, digest, text string) error {
	lines, sent, err := h.run(ctx, startScript, name, limit, digest, text)
	switch {
	case err != nil && sent:
		return &action.Unknown{Cause: failureOf(err)}
	case err != nil:
		return failureOf(err)
	}
	for _, line := range lines {
		if why, ok := strings.CutPrefix(line, "refused "); ok {
			return protocol.Refuse(protocol.Unavailable,
				"the node can't run it: %s; nothing was started", protocol.Quote(why))
		}
	}
	return nil
}

// run has the host's shell run a script, and returns the lines that it said. It reports whether the
// shell may have begun with it. The script is read from the standard input, so that the login's
// shell, whichever it is, reads nothing of it.
func (h *host) run(
	ctx context.Context, script string, args ...string,
) (lines []string, sent bool, err error) {
	s, err := h.session(ctx)
	if err != nil {
		return nil, false, err
	}
	// A host that says nothing keeps nobody waiting for longer than there is time.
	stop := context.AfterFunc(ctx, h.close)
	defer stop()
	defer s.Close()
	quotedArgs := make([]string, len(args))
	for i, a := range args {
		quotedArgs[i] = quote(a)
	}
	var said bounded
	s.Stdin = strings.NewReader(script + "main " + strings.Join(quotedArgs, " ") + "\n")
	s.Stdout = &said
	err = s.Run("exec /bin/sh -s")
	if ctx.Err() != nil {
		err = cmp.Or(err, context.Cause(ctx))
	}
	lines, whole := linesOf(said.Bytes())
	switch {
	case whole:
		// All was said; how the session ended says nothing more.
		return lines, true, nil
	case err == nil:
		err = errors.New("it did not answer as a POSIX shell does")
	case ctx.Err() != nil:
		err = fmt.Errorf("there was no answer in time (%w)", err)
	}
	return nil, true, err
}

// linesOf are the lines that a script said, and reports whether those are all.
func linesOf(said []byte) (lines []string, whole bool) {
	_, own, ok := bytes.Cut(said, []byte(marker))
	if !ok {
		return nil, false
	}
	scanner := bufio.NewScanner(bytes.NewReader(own))
	scanner.Buffer(nil, maxAnswer)
	for scanner.Scan() {
		if scanner.Text() == "end" {
			return lines, true
		}
		lines = append(lines, scanner.Text())
	}
	return nil, false
}

// quote is a text as one word of a POSIX shell.
func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

// bounded keeps the beginning of what is written to it.
type bounded struct{ bytes.Buffer }

func (b *bounded) Write(p []byte) (int, error) {
	if room := maxAnswer - b.Len(); room > 0 {
		_, _ = b.Buffer.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}
