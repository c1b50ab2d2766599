package awsec2

import (
	"cmp"
	"context"
	"crypto/sha256"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/protocol"
	"aws-provider-executor/pkg/trace"
)

// Kept connects to regions, and keeps for later connections what does not depend on who asks: open
// connections to EC2, the SDK's settings, and credentials until they are renewed. It is safe for
// concurrent use.
//
// A later connection finds what Connect would find: after the shared files were changed, and after
// credentials were refused, all is read anew.
type Kept struct {
	out network
	log *slog.Logger
	// joints join the calls of connections that want it.
	joints *joints

	mu   sync.Mutex
	ways map[keptBy]*way
	// finding holds one while a way is found. The ways that are there wait for nobody.
	finding chan struct{}
}

// keptBy is what a way depends on.
type keptBy struct {
	region string
	// timeout is that of all calls together, as coarse gives it.
	timeout time.Duration
	// files are the shared files as they were just before they were read.
	files [2]fileState
}

// fileState is what a file is known by: what is in it, for a time of change is coarse. What can be
// read only once, as a pipe, is known by its name alone.
type fileState struct {
	path   string
	digest [sha256.Size]byte
}

// NewKept returns a Kept that keeps nothing yet. The log is for what no request is behind.
func NewKept(log *slog.Logger) *Kept {
	out := machine()
	out.idle = maxIdle
	return &Kept{
		out: out, log: log, joints: newJoints(),
		ways: map[keptBy]*way{}, finding: make(chan struct{}, 1),
	}
}

const (
	// maxIdle is how many connections to a region are kept open.
	maxIdle = 64
	// maxWays is how many ways are kept. With more, as of requests for many regions, all are found
	// anew.
	maxWays = 64
)

// Connect prepares calls to a region as the function Connect does.
func (k *Kept) Connect(
	ctx context.Context, region string, timeout time.Duration, log *slog.Logger,
) (*Connection, error) {
	a := asker{log, trace.FromContext(ctx)}
	by := keptBy{region, coarse(timeout), sharedFileStates()}
	w, err := k.way(a.asks(ctx), by)
	if err != nil {
		return nil, err
	}
	c := w.connection(a, timeout)
	if action.IsAlone(ctx) {
		goesApart(ctx)
	} else {
		c.joints = k.joints.joining(by)
	}
	return c, nil
}

// way is the way that is kept, or a new one. Who needs a new one waits while another is found, for
// as long as the context lets it.
func (k *Kept) way(ctx context.Context, by keptBy) (*way, error) {
	if w := k.kept(by); w != nil {
		return w, nil
	}
	select {
	case k.finding <- struct{}{}:
		defer func() { <-k.finding }()
	case <-ctx.Done():
		return nil, protocol.Refuse(protocol.Timeout,
			"the settings of the AWS SDK could not be read in time; nothing was changed; try again")
	}
	if w := k.kept(by); w != nil {
		return w, nil
	}
	w, err := findWay(ctx, k.out, by.region, "", by.timeout, k.log)
	if err != nil {
		return nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.ways) >= maxWays {
		clear(k.ways)
	}
	k.ways[by] = w
	return w, nil
}

// kept is a way that is kept, and whose credentials were not refused; nil for none.
func (k *Kept) kept(by keptBy) *way {
	k.mu.Lock()
	defer k.mu.Unlock()
	if w := k.ways[by]; w != nil && !w.own.refused.Load() {
		return w
	}
	return nil
}

// coarse is a time that is at most an eighth longer. There are few of them, so requests that have a
// little more or less time left have one way.
func coarse(d time.Duration) time.Duration {
	step := time.Millisecond
	for d >= 16*step {
		step *= 2
	}
	return (d + step - 1) / step * step
}

// sharedFileStates are those of the files that the SDK reads.
func sharedFileStates() (states [2]fileState) {
	home := os.Getenv("HOME")
	for i, file := range []struct{ variable, name string }{
		{"AWS_CONFIG_FILE", "config"}, {"AWS_SHARED_CREDENTIALS_FILE", "credentials"},
	} {
		path := os.Getenv(file.variable)
		if path == "" && home == "" {
			continue
		}
		s := fileState{path: cmp.Or(path, filepath.Join(home, ".aws", file.name))}
		if info, err := os.Stat(s.path); err == nil && info.Mode().IsRegular() {
			if text, err := os.ReadFile(s.path); err == nil {
				s.digest = sha256.Sum256(text)
			}
		}
		states[i] = s
	}
	return states
}
