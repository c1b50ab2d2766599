package executor

import (
	"context"
	"io"
	"log/slog"
	"maps"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/pkg/protocol"
)

// tellPlan sends a request to an executor that tells its plan, and returns both plans.
func tellPlan(
	t *testing.T, c *cloud, dir, request string,
) (status protocol.Status, plan, undo string) {
	t.Helper()
	e := &Executor{
		Registry: testRegistry, Provider: "test", Timeout: 20 * time.Second, ObservePlan: true,
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Connect: func(context.Context, string, time.Duration) (Connection, error) {
			return connection{c}, nil
		},
	}
	if dir != "" {
		e.OpenStore = openStore(dir)
	}
	status = e.Run(t.Context(), strings.NewReader(request)).Status
	return status, status.Observed[protocol.FactPlan], status.Observed[protocol.FactUndoPlan]
}

// changes writes a plan of a notation: a off on, b dim on.
func changes(t *testing.T, notation string) string {
	t.Helper()
	var all []protocol.Change
	for part := range strings.SplitSeq(notation, ", ") {
		if words := strings.Fields(part); len(words) >= 3 {
			c := protocol.Change{Resource: words[0], Attribute: "value", From: words[1], To: words[2]}
			if len(words) > 3 {
				c.Via = words[3]
			}
			all = append(all, c)
		}
	}
	text, err := protocol.EncodeChanges(all)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestThePlanIsTold: by a dry-run and by the execution after it, in the same words.
func TestThePlanIsTold(t *testing.T) {
	tests := []struct {
		name  string
		world map[string]string
		// before are requests that were executed before, as in "on k a".
		before                  []string
		verb, names, parameters string
		plan, undo              string
		noStore                 bool
	}{
		{
			name: "a change", world: map[string]string{"a": "off"}, verb: "on", names: "a",
			plan: "a off on", undo: "a on off",
		},
		{
			name: "nothing to change", world: map[string]string{"a": "on"}, verb: "on", names: "a",
		},
		{
			name: "a part is so", world: map[string]string{"a": "on", "b": "dim"}, verb: "on",
			names: "a,b", plan: "b dim on", undo: "b on dim",
		},
		{
			name:  "the way back of several stages begins at the end",
			world: map[string]string{"a": "off", "b": "dim", "c": "low"}, verb: "on", names: "a>,b,c",
			plan: "a off on, b dim on, c low on", undo: "b on dim, c on low, a on off",
		},
		{
			name: "by way of another value", world: map[string]string{"a": "off"}, verb: "on",
			names: "a", parameters: `"via":"dim"`, plan: "a off on dim", undo: "a on off",
		},
		{
			name:  "another counts on it, so the undo changes nothing",
			world: map[string]string{"a": "off"}, before: []string{"on one a"}, verb: "on", names: "a",
		},
		{
			name:  "an earlier attempt made it, so the undo leads to what that one found",
			world: map[string]string{"a": "off"}, before: []string{"on k a"}, verb: "on", names: "a",
			undo: "a on off",
		},
		{
			name:  "without records the prior fact tells",
			world: map[string]string{"a": "off"}, verb: "on", names: "a", noStore: true,
			plan: "a off on", undo: "a on off",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, dir := &cloud{values: maps.Clone(tt.world)}, t.TempDir()
				if tt.noStore {
					dir = ""
				}
				for _, b := range tt.before {
					words := strings.Fields(b)
					if s := send(t, t.Context(), c, dir, request(words[0], words[1], words[2], "")); s.Status !=
						protocol.Succeeded {
						t.Fatalf("%s: %+v", b, s)
					}
				}
				for _, verb := range []string{tt.verb + "?", tt.verb} {
					s, plan, undo := tellPlan(t, c, dir, request(verb, "k", tt.names, tt.parameters))
					if s.Status != protocol.Succeeded {
						t.Fatalf("%s: %+v", verb, s)
					}
					if want := changes(t, tt.plan); plan != want {
						t.Errorf("%s: the plan is  %s\nwant %s", verb, plan, want)
					}
					if want := changes(t, tt.undo); undo != want {
						t.Errorf("%s: the undo is  %s\nwant %s", verb, undo, want)
					}
				}
			})
		})
	}
}

// TestAnUndoTellsItsPlan: and none of an undo of its own.
func TestAnUndoTellsItsPlan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, dir := &cloud{values: map[string]string{"a": "dim"}}, t.TempDir()
		for _, key := range []string{"one", "two"} {
			send(t, t.Context(), c, dir, request("on", key, "a", ""))
		}
		for _, step := range []struct{ verb, key, parameters, want string }{
			{"off?", "one:undo", `"prior.a":"dim"`, ""},
			{"off", "one:undo", `"prior.a":"dim"`, ""},
			{"off?", "two:undo", `"prior.a":"on"`, "a on dim"},
			{"off", "two:undo", `"prior.a":"on"`, "a on dim"},
			{"off", "two:undo", `"prior.a":"on"`, ""},
		} {
			s, plan, _ := tellPlan(t, c, dir, request(step.verb, step.key, "a", step.parameters))
			if want := changes(t, step.want); s.Status == protocol.Failed || plan != want {
				t.Errorf("%s %s: %s, want %s: %+v", step.verb, step.key, plan, want, s)
			}
			if undo, there := s.Observed[protocol.FactUndoPlan]; there {
				t.Errorf("%s %s tells the undo of an undo: %s", step.verb, step.key, undo)
			}
		}
	})
}

// TestWhatFailsTellsAPlanOnlyOnceBegun: nobody carries out the plan of a dry-run that failed.
func TestWhatFailsTellsAPlanOnlyOnceBegun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, c := range []struct {
			name, verb string
			cloud      *cloud
			plan, undo string
		}{
			{"a reading that fails", "on?", &cloud{values: map[string]string{"a": "off"},
				reads: []string{"fail"}}, "", ""},
			{"a change that is refused", "on", &cloud{values: map[string]string{"a": "off"},
				changes: script{"a": {"refuse"}}}, "a off on", "none"},
			{"a change that does not show", "on", &cloud{values: map[string]string{"a": "off"},
				changes: script{"a": {"ignore"}}}, "a off on", "none"},
		} {
			s, plan, undo := tellPlan(t, c.cloud, t.TempDir(), request(c.verb, "k", "a", ""))
			wantPlan, wantUndo := "", ""
			if c.plan != "" {
				wantPlan, wantUndo = changes(t, c.plan), changes(t, c.undo)
			}
			if s.Status != protocol.Failed || plan != wantPlan || undo != wantUndo {
				t.Errorf("%s: plan %q, undo %q, want %q and %q: %+v", c.name, plan, undo, wantPlan,
					wantUndo, s)
			}
		}
	})
}

// TestAPlanTooLargeIsLeftOut, and nothing else of the answer; the log says so.
func TestAPlanTooLargeIsLeftOut(t *testing.T) {
	large := strings.Repeat("x", protocol.MaxPlanBytes)
	p := newProcess(t)
	p.cloud.values["a"] = large
	p.run(t, []string{"EXECUTOR_OBSERVE_PLAN=true"}, request("on", "k", "a", ""))
	s := is(t, p.status(t), protocol.Succeeded, "plan=", "undoPlan=", "changed=true", "now.a=on")
	if s.Observed["prior.a"] != large {
		t.Error("the prior value is not told")
	}
	for _, fact := range []string{protocol.FactPlan, protocol.FactUndoPlan} {
		want := `"msg":"a plan is not told","fact":"` + fact + `","error":"the plan has 1 changes`
		if !strings.Contains(p.stderr.String(), want) {
			t.Errorf("%s is not in %s", want, &p.stderr)
		}
	}
}

// TestNothingIsToldUnasked: without the setting the answer is the same, byte for byte, but for the
// two facts.
func TestNothingIsToldUnasked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, verb := range []string{"on?", "on"} {
			world := func() *cloud { return &cloud{values: map[string]string{"a": "off"}} }
			plain := send(t, t.Context(), world(), t.TempDir(), request(verb, "k", "a", ""))
			with, _, _ := tellPlan(t, world(), t.TempDir(), request(verb, "k", "a", ""))
			for _, fact := range []string{protocol.FactPlan, protocol.FactUndoPlan} {
				if with.Observed[fact] == "" || plain.Observed[fact] != "" {
					t.Errorf("%s: %s is %q with the setting and %q without", verb, fact,
						with.Observed[fact], plain.Observed[fact])
				}
				delete(with.Observed, fact)
			}
			if diff := cmp.Diff(plain, with); diff != "" {
				t.Errorf("%s (-without +with):\n%s", verb, diff)
			}
		}
	})
}
