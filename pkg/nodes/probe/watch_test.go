package probe_test

import (
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"aws-provider-executor/pkg/nodes"
	"aws-provider-executor/pkg/nodes/probe"
)

// due is a store that has the same nodes due each time.
type due struct {
	nodes   []*nodes.Node
	since   []time.Time
	applied []nodes.Probe
	err     error
}

func (d *due) Due(_ context.Context, since time.Time) ([]*nodes.Node, error) {
	d.since = append(d.since, since)
	if len(d.since) == 1 {
		return nil, d.err
	}
	return d.nodes, nil
}

func (d *due) ApplyProbe(_ context.Context, p nodes.Probe) (*nodes.Node, error) {
	d.applied = append(d.applied, p)
	return &nodes.Node{ID: p.NodeID}, nil
}

// TestWatch: what is due is probed again and again, a store that fails is asked again, and the
// watch ends with its context.
func TestWatch(t *testing.T) {
	a := listen(t, func(net.Conn) {})
	d := &due{err: errors.New("busy"), nodes: []*nodes.Node{{ID: "a",
		Target: &nodes.Target{Host: "127.0.0.1", Port: a.Port, Protocol: nodes.TCP}}}}
	ctx, stop := context.WithCancel(t.Context())
	now := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	p := probe.Prober{Timeout: time.Minute, AtOnce: 2, Now: func() time.Time { return now }}
	var failed []error
	done := 0
	p.Watch(ctx, d, probe.WatchOptions{Due: time.Hour, Every: time.Minute,
		After: func(wait time.Duration) <-chan time.Time {
			if wait > time.Minute || wait < 54*time.Second {
				t.Error(wait)
			}
			if len(d.since) == 3 {
				stop()
				return nil
			}
			at := make(chan time.Time, 1)
			at <- now
			return at
		},
		Failed: func(err error) { failed = append(failed, err) },
		Done: func(n *nodes.Node, p nodes.Probe) {
			if done++; n.ID != "a" || !p.Reached {
				t.Error(n.ID, p)
			}
		}})
	if len(failed) != 1 || done != 2 || len(d.applied) != 2 {
		t.Error(failed, done, d.applied)
	}
	if !d.since[0].Equal(now.Add(-time.Hour)) {
		t.Error(d.since[0])
	}
}

// TestEndedWatch: a probe that was cut short is not taken over.
func TestEndedWatch(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	a := listen(t, func(net.Conn) { stop() })
	d := &due{since: make([]time.Time, 1), nodes: []*nodes.Node{{ID: "a", Target: &nodes.Target{
		Host: "127.0.0.1", Port: a.Port, Protocol: nodes.SSH, KnownHosts: os.DevNull}}}}
	p := probe.Prober{Timeout: time.Minute, AtOnce: 1, Now: time.Now}
	p.Watch(ctx, d, probe.WatchOptions{Due: time.Hour})
	if len(d.applied) != 0 {
		t.Error(d.applied)
	}
}

// TestKeyOfAReference: a key that is in a store of secrets is read when it is used, and no message
// has anything of it.
func TestKeyOfAReference(t *testing.T) {
	own, _ := key(t)
	user, userFile := key(t)
	a := host(t, own, user.PublicKey())
	text, err := os.ReadFile(userFile)
	if err != nil {
		t.Fatal(err)
	}
	const ref = "arn:aws:ssm:eu-west-1:123456789012:parameter/key"
	for name, tt := range map[string]struct {
		secret string
		err    error
		want   string
	}{
		"logged in": {string(text), nil, "logged in by SSH"},
		"no key":    {"hunter2", nil, ref + " is no private key"},
		"denied":    {"", errors.New("SSM says AccessDenied"), "the key can't be read: SSM says"},
	} {
		t.Run(name, func(t *testing.T) {
			read := 0
			p := probe.Prober{Timeout: time.Minute, Now: time.Now,
				Secret: func(_ context.Context, asked nodes.SecretRef) (string, error) {
					if read++; asked != ref {
						t.Error(asked)
					}
					return tt.secret, tt.err
				}}
			got := p.One(t.Context(), &nodes.Node{Target: &nodes.Target{Host: "127.0.0.1", Port: a.Port,
				Protocol: nodes.SSH, User: "ann", KnownHosts: knownAs(t, a, own.PublicKey()),
				Credential: ref}})
			said := got.Note + got.Reason
			if !strings.Contains(said, tt.want) || strings.Contains(said, "hunter2") || read != 1 {
				t.Errorf("%q, read %d times", said, read)
			}
		})
	}
}
