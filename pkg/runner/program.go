package runner

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"aws-provider-executor/pkg/gate"
	"aws-provider-executor/pkg/redact"
	"aws-provider-executor/pkg/subprocess"
)

// Program is an executor's file, by what is in it when it is first identified. A file that is
// replaced later is not run. It is safe for concurrent use.
type Program struct {
	// Find is asked for the file once.
	Find func() (path string, err error)
	// Env is the environment in which the program is asked for its version.
	Env []string

	mu      sync.Mutex
	seen    stamp
	plugin  gate.Plugin
	version *string
	serves  *bool
}

var _ gate.Program = (*Program)(nil)

// stamp changes whenever a file is written, or another one gets its name.
type stamp struct{ device, inode, size, modified, changed int64 }

func stampOf(path string) (stamp, error) {
	var s unix.Stat_t
	if err := unix.Stat(path, &s); err != nil {
		return stamp{}, fmt.Errorf("%s: %w", path, err)
	}
	return stamp{int64(s.Dev), int64(s.Ino), s.Size, s.Mtim.Nano(), s.Ctim.Nano()}, nil
}

// Identify tells the file and its digest, without running it.
func (p *Program) Identify(context.Context) (gate.Plugin, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.plugin.Digest != "" {
		return p.plugin, p.unchanged()
	}
	path, err := p.Find()
	if err != nil {
		return gate.Plugin{}, err
	}
	before, err := stampOf(path)
	if err != nil {
		return gate.Plugin{}, err
	}
	digest, err := digestOf(path)
	if err != nil {
		return gate.Plugin{}, err
	}
	p.seen, p.plugin = before, gate.Plugin{Path: path, Digest: digest}
	return p.plugin, p.unchanged()
}

func digestOf(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil)), nil
}

// errReplaced says that a file is not the one that was identified.
var errReplaced = errors.New(
	"the executor's file was replaced since this command began; begin again")

// unchanged holds the file against the one that was identified.
func (p *Program) unchanged() error {
	now, err := stampOf(p.plugin.Path)
	if err == nil && now != p.seen {
		err = fmt.Errorf("%s: %w", p.plugin.Path, errReplaced)
	}
	return err
}

// Unchanged reports by an error that the file is not the one that was identified last.
func (p *Program) Unchanged() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.plugin.Digest == "" {
		return nil
	}
	return p.unchanged()
}

const (
	// versionPatience is how long a program is asked for its version, or for what it can do.
	versionPatience = 2 * time.Second
	maxVersion      = 100
)

// Version runs the program that was identified to ask for its version, once. One that does not say
// has none.
func (p *Program) Version(ctx context.Context) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.version == nil {
		line, _, _ := strings.Cut(string(p.ask(ctx, "--version")), "\n")
		version := redact.Line(line, maxVersion)
		p.version = &version
	}
	return *p.version
}

// capabilityServe is that of an executor that serves a stream of requests.
const capabilityServe = "serve"

// Serves runs the program that was identified to ask for its capabilities, once, and reports
// whether it serves a stream of requests.
func (p *Program) Serves(ctx context.Context) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.serves == nil {
		var told struct {
			Capabilities []string `json:"capabilities"`
		}
		serves := json.Unmarshal(p.ask(ctx, "--capabilities"), &told) == nil &&
			slices.Contains(told.Capabilities, capabilityServe)
		p.serves = &serves
	}
	return *p.serves
}

// ask runs the program to have it tell something of itself. It returns nothing if it fails.
func (p *Program) ask(ctx context.Context, argument string) []byte {
	if p.plugin.Digest == "" || p.unchanged() != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, versionPatience)
	defer cancel()
	cmd := exec.CommandContext(ctx, p.plugin.Path, argument)
	out := subprocess.NewBounded(4<<10, cancel)
	cmd.Env, cmd.Stdin, cmd.Stdout = p.Env, bytes.NewReader(nil), out
	cmd.WaitDelay = time.Second
	defer subprocess.Group(cmd)()
	if cmd.Run() != nil {
		return nil
	}
	return out.Bytes()
}
