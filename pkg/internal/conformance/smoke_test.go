//go:build conformance

package conformance

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// smokePolicy lets a run do what these tests try.
const smokePolicy = `apiVersion: hybrid.routerd.net/v1alpha1
kind: ProviderActionPolicy
metadata: {name: smoke}
spec: {enabled: true, dryRunOnly: false, requireApproval: true, allowedProviders: [aws],
  allowedActions: [assign-secondary-ip, ensure-forwarding-enabled, stop-instances],
  maxActionsPerRun: 5, allowUndo: true}
`

// TestSmoke makes acceptance runs at both places. While each is in force boto3 sees the change, and
// at the end that all is as before.
func TestSmoke(t *testing.T) {
	t.Parallel()
	for _, start := range []func() (*place, error){startMoto, startSim} {
		at := own(t, start)
		for _, c := range []struct {
			name    string
			lines   []string
			changes string
		}{
			{"an address and forwarding", []string{
				"execute assign-secondary-ip nic-a 10.88.60.9 key=smoke/assign",
				"execute ensure-forwarding-enabled nic-a key=smoke/forward",
			}, "-nic-a check, +nic-a 10.88.60.9, +nic-a forwards"},
			{"an instance that is stopped", []string{
				"execute stop-instances db requiredTag=lab=smoke key=smoke/stop",
			}, "-db running, +db stopped"},
		} {
			t.Run(at.name+", "+c.name, func(t *testing.T) {
				w := at.fresh(t)
				w.do(t, `create_tags {"Resources":["@nic-a","@router-a","@db","@nic-db0","@nic-db1"],`+
					`"Tags":[{"Key":"lab","Value":"smoke"}]}`)
				before := w.look(t)
				r := w.beginSmoke(t, c.lines)
				r.say("yes\n")
				r.await("It is in force")
				if got := w.look(t).since(before); got != c.changes {
					t.Errorf("in force it changed %q, want %q\n%s", got, c.changes, r.said())
				}
				r.say("yes\n")
				if err := r.end(); err != nil {
					t.Errorf("it ended with %v\n%s", err, r.said())
				}
				w.settle(t)
				// No fact tells when an instance was started last.
				if left := w.look(t).since(before); left != "" && left != untold {
					t.Errorf("it left %s\n%s", left, r.said())
				}
				if !strings.Contains(r.said(), "the run passed, and all is as before") {
					t.Errorf("it does not say so:\n%s", r.said())
				}
			})
		}
	}
}

// TestSmokeOfAnotherLab: what boto3 tagged as another's is not touched.
func TestSmokeOfAnotherLab(t *testing.T) {
	t.Parallel()
	for _, start := range []func() (*place, error){startMoto, startSim} {
		at := own(t, start)
		w := at.fresh(t)
		for stop, value := range map[string]string{"no-lab-tag": "other", "production-tag": "prod"} {
			w.do(t, `create_tags {"Resources":["@nic-a"],"Tags":[{"Key":"lab","Value":"`+value+
				`"}]}`)
			before := w.look(t)
			r := w.beginSmoke(t, []string{"execute ensure-forwarding-enabled nic-a key=smoke/f"})
			if err := r.end(); err == nil || !strings.Contains(r.said(), "hard stop "+stop) {
				t.Errorf("%s: it ended with %v, want %s\n%s", at.name, err, stop, r.said())
			}
			if changed := w.look(t).since(before); changed != "" {
				t.Errorf("%s: it changed %s", at.name, changed)
			}
		}
	}
}

// smokeRun is a run under way.
type smokeRun struct {
	t      *testing.T
	in     io.WriteCloser
	out    *watched
	finish func() error
}

// watched is an output that can be waited on.
type watched struct {
	mu    sync.Mutex
	all   bytes.Buffer
	lines chan string
}

func (o *watched) Write(p []byte) (int, error) {
	o.mu.Lock()
	n, err := o.all.Write(p)
	o.mu.Unlock()
	o.lines <- o.String()
	return n, err
}

func (o *watched) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.all.String()
}

// beginSmoke begins a run of requests in the notation.
func (w *world) beginSmoke(t *testing.T, lines []string) *smokeRun {
	t.Helper()
	dir := t.TempDir()
	a := w.actions(t)
	var requests bytes.Buffer
	for _, line := range lines {
		spec, _ := a.parse(line)
		text, err := json.Marshal(map[string]any{
			"apiVersion": "provideraction.routerd.net/v1alpha1", "kind": "ExecuteActionRequest",
			"spec": spec,
		})
		if err != nil {
			t.Fatal(err)
		}
		requests.Write(append(text, '\n'))
	}
	for name, text := range map[string]string{"requests.json": requests.String(),
		"policy.yaml": smokePolicy} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	// The executor gets no keys from actionctl: both find them in a file.
	cmd := a.shell(ctx, keysInFile(dir)+`cd `+dir+`; exec "$@"`, house.actionctl, "smoke", "-f",
		"requests.json", "--tag", "lab=smoke", "--by", "judge", "--hold", "--policy", "policy.yaml",
		"--plugin", house.executor, "--patience", "30s")
	cmd.Env = append(cmd.Env, "EXECUTOR_STATE_DIR="+filepath.Join(dir, "state"),
		"ACTIONCTL_JOURNAL="+filepath.Join(dir, "journal.db"))
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out := &watched{lines: make(chan string, 1000)}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return &smokeRun{t: t, in: in, out: out, finish: cmd.Wait}
}

func (r *smokeRun) say(line string) {
	r.t.Helper()
	if _, err := io.WriteString(r.in, line); err != nil {
		r.t.Fatal(err)
	}
}

// await waits until the run said something.
func (r *smokeRun) await(words string) {
	r.t.Helper()
	timeout := time.After(time.Minute)
	last := ""
	for !strings.Contains(last, words) {
		select {
		case last = <-r.out.lines:
		case <-timeout:
			r.t.Fatalf("it does not say %q:\n%s", words, last)
		}
	}
}

func (r *smokeRun) end() error { return r.finish() }

// said is all that the run said; it has ended, or waits.
func (r *smokeRun) said() string { return r.out.String() }
