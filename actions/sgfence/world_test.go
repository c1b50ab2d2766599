package sgfence

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/executor"
	"aws-provider-executor/pkg/ledger"
	"aws-provider-executor/pkg/protocol"
)

// world is a cloud of one instance, in memory, and the callers that act on it through the executor
// with a ledger of their own. Every request is given to a new executor, as to a new process.
type world struct {
	t *testing.T
	// mu is held by each call: interfaces are changed at the same time.
	mu       sync.Mutex
	instance ec2model.Instance
	// gone reports whether the instance is not found.
	gone bool
	// self is the instance that this program runs on; empty if nothing tells.
	self string
	// elsewhere are the VPCs of groups that are not in vpc-1; "none" is for those that do not exist.
	elsewhere map[string]string
	// dir is the ledger's; empty for a caller that keeps none.
	dir string
	// fails tells how often a call fails, by its name; lies does of calls that are answered with an
	// error though they were carried out.
	fails, lies map[string]int
	// meanwhile is done by somebody else just before the next change.
	meanwhile func()
	// calls are the changes that were asked for since the last answer.
	calls []string
	// facts are what each key's last answer told.
	facts map[string]protocol.Status
}

func newWorld(t *testing.T) *world {
	return &world{
		t: t, dir: t.TempDir(), self: "i-0fffffffffffffff0", elsewhere: map[string]string{},
		instance: ec2model.Instance{ID: here, VPCID: "vpc-1", State: "running",
			Tags: map[string]string{}},
		fails: map[string]int{}, lies: map[string]int{}, facts: map[string]protocol.Status{},
	}
}

func (w *world) Reader() any { return w }
func (w *world) Writer() any { return w }

func (w *world) DescribeInstance(_ context.Context, id string) (ec2model.Instance, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.failing("DescribeInstance"); err != nil {
		return ec2model.Instance{}, err
	}
	if w.gone || id != w.instance.ID {
		return ec2model.Instance{}, protocol.Refuse(protocol.NotFound, "%s does not exist", id).
			With("missing", id)
	}
	i := w.instance
	i.Tags = maps.Clone(i.Tags)
	i.Interfaces = slices.Clone(i.Interfaces)
	for n := range i.Interfaces {
		i.Interfaces[n].Groups = slices.Clone(i.Interfaces[n].Groups)
	}
	return i, nil
}

func (w *world) DescribeSecurityGroups(
	_ context.Context, ids ...string,
) ([]ec2model.SecurityGroup, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.failing("DescribeSecurityGroups"); err != nil {
		return nil, err
	}
	var found []ec2model.SecurityGroup
	for _, id := range ids {
		if _, err := action.SecurityGroupID.Canonical(id); err != nil {
			w.t.Error("what is no id of a group was asked for: ", err)
		}
		vpc := w.elsewhere[id]
		if vpc == "" {
			vpc = "vpc-1"
		}
		if vpc != "none" {
			found = append(found, ec2model.SecurityGroup{ID: id, VPCID: vpc})
		}
	}
	return found, nil
}

func (w *world) InstanceID(context.Context) (string, error) {
	if w.self == "" {
		return "", errors.New("nobody answers")
	}
	return w.self, nil
}

// failing returns the error that a call is to be answered with, if it is not to be carried out.
func (w *world) failing(call string) error {
	if w.fails[call] == 0 {
		return nil
	}
	w.fails[call]--
	return protocol.Refuse(protocol.Authorization, "%s is not allowed", call)
}

// change carries out a changing call, as far as it is not to fail.
func (w *world) change(call, args string, do func()) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.meanwhile != nil {
		w.meanwhile()
		w.meanwhile = nil
	}
	w.calls = append(w.calls, call+" "+args)
	first, _, _ := strings.Cut(args, " ")
	for _, which := range []string{call + " " + args, call + " " + first, call} {
		if err := w.failing(which); err != nil {
			return err
		}
	}
	do()
	if w.lies[call] > 0 {
		w.lies[call]--
		return errors.New("the answer was lost")
	}
	return nil
}

// keys are the names of tags, in order.
func keys(tags map[string]string) string {
	return strings.Join(slices.Sorted(maps.Keys(tags)), " ")
}

func (w *world) CreateTags(_ context.Context, resource string, tags map[string]string) error {
	return w.change("CreateTags", resource+" "+keys(tags), func() {
		maps.Copy(w.instance.Tags, tags)
	})
}

func (w *world) DeleteTags(_ context.Context, resource string, tags map[string]string) error {
	return w.change("DeleteTags", resource+" "+keys(tags), func() {
		maps.DeleteFunc(w.instance.Tags, func(key, value string) bool {
			deleted, ok := tags[key]
			return ok && deleted == value
		})
	})
}

func (w *world) ModifySecurityGroups(_ context.Context, nic string, groups []string) error {
	return w.change("ModifySecurityGroups", nic+" "+groupText(groups), func() {
		w.regroup(nic, groups)
	})
}

func (w *world) StopInstance(_ context.Context, id string) error {
	return w.change("StopInstance", id, func() { w.instance.State = "stopping" })
}

func (w *world) StartInstance(_ context.Context, id string) error {
	return w.change("StartInstance", id, func() { w.instance.State = "pending" })
}

func (w *world) regroup(nic string, groups []string) {
	for i, n := range w.instance.Interfaces {
		if n.ID == nic {
			w.instance.Interfaces[i].Groups = slices.Sorted(slices.Values(groups))
		}
	}
}

// store is the ledger of a world, which may fail to be read.
type store struct {
	executor.Store
	*world
}

func (s store) History(ctx context.Context, resource, attribute string) ([]ledger.Record, error) {
	for _, call := range []string{"History " + resource, "History " + attribute} {
		if err := s.failing(call); err != nil {
			return nil, err
		}
	}
	return s.Store.History(ctx, resource, attribute)
}

// Sweep does nothing: by the clock of these tests the store is due for it each time.
func (s store) Sweep(context.Context) {}

// send gives a request to a new executor, and returns its answer.
func (w *world) send(
	verb, key string, mode protocol.Mode, parameters map[string]string,
) protocol.Result {
	w.t.Helper()
	clock := Clock{Now: time.Now, Wait: func(ctx context.Context, d time.Duration) error {
		select {
		case <-time.After(d):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}}
	e := &executor.Executor{
		Registry: action.NewRegistry(Verbs(clock)), Provider: "aws", Timeout: 20 * time.Second,
		Log: slog.New(slog.DiscardHandler),
		Connect: func(context.Context, string, time.Duration) (executor.Connection, error) {
			return w, nil
		},
	}
	if w.dir != "" {
		e.OpenStore = func(ctx context.Context, dryRun bool) (executor.Store, error) {
			open := ledger.Open
			if dryRun {
				open = ledger.Read
			}
			l, err := open(ctx, w.dir, ledger.OSDisk{}, time.Now)
			return store{l, w}, err
		}
	}
	text := protocol.EncodeRequest(protocol.Request{
		Action: verb, Provider: "aws", Mode: mode, IdempotencyKey: key, Parameters: parameters,
		Target: map[string]string{"instanceRef": here, "region": "ap-northeast-1"},
	})
	w.calls = nil
	result := e.Run(w.t.Context(), strings.NewReader(string(text)))
	if mode == protocol.DryRun && len(w.calls) > 0 {
		w.t.Errorf("the dry-run of %s %s made changes: %v", verb, key, w.calls)
	}
	if mode == protocol.Execute {
		w.facts[key] = result.Status
	}
	return result
}

// told is the last answer, line by line: the state, the sentence, the facts, the changes asked for,
// and the world then.
func (w *world) told(s protocol.Status) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n", s.Status, s.Message)
	for _, name := range slices.Sorted(maps.Keys(s.Observed)) {
		fmt.Fprintf(&b, "%s=%s\n", name, s.Observed[name])
	}
	for _, call := range slices.Sorted(slices.Values(w.calls)) {
		fmt.Fprintf(&b, "> %s\n", call)
	}
	b.WriteString(w.now())
	return b.String()
}

// now is the world: the groups of each interface, the state, the tags.
func (w *world) now() string {
	if w.gone {
		return "gone\n"
	}
	var all []string
	for _, n := range w.instance.Interfaces {
		all = append(all, n.ID+"="+groupText(n.Groups))
	}
	said := strings.Join(append(all, w.instance.State), " ") + "\n"
	for _, key := range slices.Sorted(maps.Keys(w.instance.Tags)) {
		said += "tag " + key + "=" + w.instance.Tags[key] + "\n"
	}
	return said
}
