package forwarding_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/actions/forwarding"
	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/executor"
	"aws-provider-executor/pkg/ledger"
	"aws-provider-executor/pkg/protocol"
)

const nic = "eni-00000000000000001"

// cloud has interfaces, each with its check on or off.
type cloud struct {
	checks map[string]bool
	calls  []string
}

func (c *cloud) Reader() any { return c }
func (c *cloud) Writer() any { return c }

func (c *cloud) DescribeNetworkInterfaces(
	_ context.Context, ids ...string,
) ([]ec2model.NetworkInterface, error) {
	check, found := c.checks[ids[0]]
	if !found {
		return nil, protocol.Refuse(protocol.NotFound, "%s does not exist", ids[0])
	}
	return []ec2model.NetworkInterface{{ID: ids[0], SourceDestCheck: &check}}, nil
}

func (c *cloud) ModifySourceDestCheck(_ context.Context, id string, check bool) error {
	c.checks[id] = check
	c.calls = append(c.calls, id)
	return nil
}

// send gives an executor of the pair one request, and returns its answer.
func (c *cloud) send(
	t *testing.T, state, verb, key string, parameters map[string]string,
) protocol.Status {
	t.Helper()
	mode := "execute"
	verb, dry := strings.CutSuffix(verb, "?")
	if dry {
		mode = "dry-run"
	}
	text, err := json.Marshal(map[string]any{
		"apiVersion": "provideraction.routerd.net/v1alpha1", "kind": "ExecuteActionRequest",
		"spec": map[string]any{
			"action": verb, "provider": "aws", "mode": mode, "idempotencyKey": key, "parameters": parameters,
			"target": map[string]string{"nicRef": nic, "region": "eu-west-1"},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	e := &executor.Executor{
		Registry: action.NewRegistry(forwarding.Verbs()), Provider: "aws", Timeout: 20 * time.Second,
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Connect: func(context.Context, string, time.Duration) (executor.Connection, error) {
			return c, nil
		},
		OpenStore: func(ctx context.Context, dryRun bool) (executor.Store, error) {
			if dryRun {
				return ledger.Read(ctx, state, ledger.OSDisk{}, time.Now)
			}
			return ledger.Open(ctx, state, ledger.OSDisk{}, time.Now)
		},
	}
	return e.Run(t.Context(), strings.NewReader(string(text))).Status
}

// TestThePairOutside: what a core sees of each way through, and what is so afterwards.
func TestThePairOutside(t *testing.T) {
	const enable, disable = "ensure-forwarding-enabled", "ensure-forwarding-disabled"
	prior := func(value string) map[string]string {
		return map[string]string{"priorSourceDestCheck": value}
	}
	facts := func(prior, now, changed string) map[string]string {
		f := map[string]string{"priorSourceDestCheck": prior, "sourceDestCheck": now, "changed": changed}
		if changed == "" {
			delete(f, "changed")
		}
		return f
	}
	for _, c := range []struct {
		name       string
		check      bool
		verb       string
		parameters map[string]string
		state      protocol.State
		message    string
		observed   map[string]string
		after      bool
	}{
		{"switched off", true, enable, nil, protocol.Succeeded,
			"enabled forwarding on " + nic, facts("true", "false", "true"), false},
		{"off already", false, enable, nil, protocol.Succeeded,
			nic + " forwards", facts("false", "false", "false"), false},
		{"a dry-run tells and does not do it", true, enable + "?", nil, protocol.Succeeded,
			"would enable forwarding on " + nic, facts("true", "true", ""), true},
		{"given back", false, disable, prior("true"), protocol.Succeeded,
			"disabled forwarding on " + nic, facts("true", "true", "true"), true},
		{"on already", true, disable, prior("true"), protocol.Succeeded,
			nic + " has its source/dest check on, as it had before the action",
			facts("true", "true", "false"), true},
		{"a dry-run of the undo", false, disable + "?", prior("true"), protocol.Succeeded,
			"would disable forwarding on " + nic, facts("true", "false", ""), false},
		// It forwarded before the action: to switch the check on would cut somebody off.
		{"never forced on", false, disable, prior("false"), protocol.Skipped,
			nic + " forwarded before the action: its source/dest check is left as it is",
			prior("false"), false},
		{"never forced off", true, disable, prior("false"), protocol.Skipped,
			nic + " forwarded before the action: its source/dest check is left as it is",
			prior("false"), true},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				world := &cloud{checks: map[string]bool{nic: c.check}}
				s := world.send(t, t.TempDir(), c.verb, "k", c.parameters)
				if s.Status != c.state || !strings.Contains(s.Message, c.message) {
					t.Errorf("%s: %q, want %s: %q", s.Status, s.Message, c.state, c.message)
				}
				if diff := cmp.Diff(c.observed, s.Observed); diff != "" {
					t.Errorf("observed (-want +got):\n%s", diff)
				}
				if world.checks[nic] != c.after || (len(world.calls) > 0) != (c.check != c.after) {
					t.Errorf("the check is %t after %d changes, want %t", world.checks[nic], len(world.calls),
						c.after)
				}
			})
		})
	}
}

// TestUndoneThroughTheKey: the action's own facts take it back, and an interface that went away
// with its forwarding is nothing to undo.
func TestUndoneThroughTheKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		state, world := t.TempDir(), &cloud{checks: map[string]bool{nic: true}}
		done := world.send(t, state, "ensure-forwarding-enabled", "k", nil)
		if done.Status != protocol.Succeeded || !done.UndoAvailable {
			t.Fatalf("%+v", done)
		}
		delete(world.checks, nic)
		undo := map[string]string{"priorSourceDestCheck": done.Observed["priorSourceDestCheck"]}
		if s := world.send(t, state, "ensure-forwarding-disabled", "k:undo", undo); s.Status !=
			protocol.Failed {
			t.Errorf("of what is not seen within a minute it says %+v", s)
		}
		time.Sleep(2 * time.Minute)
		s := world.send(t, state, "ensure-forwarding-disabled", "k:undo", undo)
		want := map[string]string{"changed": "false", "targetGone": "true",
			"priorSourceDestCheck": "true"}
		if s.Status != protocol.Succeeded ||
			!strings.Contains(s.Message, nic+" does not exist any more") {
			t.Errorf("%+v", s)
		}
		if diff := cmp.Diff(want, s.Observed); diff != "" {
			t.Errorf("observed (-want +got):\n%s", diff)
		}
	})
}

// TestANameThatNobodyKnowsIsNotUndone: an interface that is not there, and was never acted on.
func TestANameThatNobodyKnowsIsNotUndone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		world := &cloud{checks: map[string]bool{}}
		for verb, parameters := range map[string]map[string]string{
			"ensure-forwarding-enabled":  nil,
			"ensure-forwarding-disabled": {"priorSourceDestCheck": "true"},
		} {
			s := world.send(t, t.TempDir(), verb, "k", parameters)
			if s.Status != protocol.Failed || s.Observed["failureClass"] != string(protocol.NotFound) {
				t.Errorf("%s: %+v", verb, s)
			}
		}
	})
}

// TestCaseTwoAddressesOneForwarder: the check is on again once both actions are undone, in either
// order, and whatever an undo finds is the end of it: no second request is needed.
func TestCaseTwoAddressesOneForwarder(t *testing.T) {
	for _, order := range [][2]string{{"a", "b"}, {"b", "a"}} {
		t.Run(order[0]+" first", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				state, world := t.TempDir(), &cloud{checks: map[string]bool{nic: true}}
				facts := map[string]map[string]string{}
				for _, key := range []string{"a", "b"} {
					s := world.send(t, state, "ensure-forwarding-enabled", key, nil)
					facts[key] = map[string]string{"priorSourceDestCheck": s.Observed["priorSourceDestCheck"]}
				}
				if facts["a"]["priorSourceDestCheck"] != "true" ||
					facts["b"]["priorSourceDestCheck"] != "false" {
					t.Fatalf("prior facts %v", facts)
				}
				undo := func(key, dry string) protocol.Status {
					return world.send(t, state, "ensure-forwarding-disabled"+dry, key+":undo", facts[key])
				}
				held := `["` + order[1] + `"]`
				want := protocol.Succeeded
				if order[0] == "b" {
					want = protocol.Skipped
				}
				for _, dry := range []string{"?", ""} {
					s := undo(order[0], dry)
					if s.Status != want || s.Observed["heldBy"] != held || world.checks[nic] {
						t.Errorf("%s%s: %+v, the check is %t", order[0], dry, s, world.checks[nic])
					}
				}
				s := undo(order[1], "")
				if s.Status != protocol.Succeeded || s.Observed["changed"] != "true" || !world.checks[nic] {
					t.Errorf("%s: %+v, the check is %t", order[1], s, world.checks[nic])
				}
			})
		})
	}
}
