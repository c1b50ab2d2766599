package lifecycle

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/ledger/table"
	"aws-provider-executor/pkg/licenses"
	"aws-provider-executor/pkg/licenses/licensemodel"
	"aws-provider-executor/pkg/members"
	"aws-provider-executor/pkg/policy"
	"aws-provider-executor/pkg/protocol"
)

// world is a group of instances, and what was done to them, in memory.
type world struct {
	*testing.T
	mu sync.Mutex
	// states are Auto Scaling's of each instance; zone is that of all.
	states map[string]string
	zone   string
	// account is that of the identity; empty for that of events. Moved are the groups of instances
	// that are in another one.
	account string
	moved   map[string]string
	// did are the keys in force, in order; log is all that was asked for.
	did, log []string
	// fails are how steps come out, by what their keys end with; each is asked before it is done.
	fails map[string]func() Done
	// parameters are those of steps, by their keys.
	parameters map[string]map[string]string
	beats      int
	beatFails  bool
	roster     func(Event) Roster
	notes      []string
	// tagged and addresses are what carries a tag of this program.
	tagged    []ec2model.InterfaceDetail
	addresses []ec2model.Address
	backend   *table.Memory
	claims    *memoryClaims
	now       time.Time
	// beat, when not nil, lets one pause of the heartbeats end.
	beat chan struct{}
}

const handlerPolicy = `apiVersion: hybrid.routerd.net/v1alpha1
kind: ProviderActionPolicy
metadata: {name: lab}
spec:
  unattended: {accounts: ["111122223333"], groups: [edge]}
`

func newWorld(t *testing.T, instances ...string) *world {
	w := &world{T: t, states: map[string]string{}, zone: "eu-west-1a", fails: map[string]func() Done{},
		parameters: map[string]map[string]string{}, backend: table.NewMemory(),
		claims: &memoryClaims{taken: map[string]chan struct{}{}}, now: time.Unix(1e9, 0)}
	w.roster = func(e Event) Roster { return members.New(w.backend, e.Account, e.Region, e.Group) }
	for _, i := range instances {
		w.states[i] = "Pending:Wait"
	}
	return w
}

// handler is one of the group edge, configured by a text.
func (w *world) handler(text string) *Handler {
	w.Helper()
	c, err := ReadConfiguration([]byte(group(text)))
	if err != nil {
		w.Fatal(err)
	}
	p, err := policy.Parse([]byte(handlerPolicy))
	if err != nil {
		w.Fatal(err)
	}
	return &Handler{Configuration: c, Policy: p, Records: Records{w.backend}, Claims: w.claims,
		Open:   func(context.Context, string) (Cloud, error) { return w, nil },
		Doer:   func(Event) Doer { return w },
		Roster: func(e Event) Roster { return w.roster(e) },
		Licenses: func(ctx context.Context, pool string) ([]licensemodel.License, error) {
			return licenses.NewPool(w.backend, pool).Known(ctx)
		},
		Now: w.clock, Wait: w.wait, Log: slog.New(slog.DiscardHandler)}
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

// wait passes time at once. The heartbeats wait until they are let on.
func (w *world) wait(ctx context.Context, d time.Duration) error {
	if d == watchEvery || d > lastPause {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-w.beat:
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
	return ctx.Err()
}

func (w *world) DescribeScalingInstance(
	_ context.Context, instance string,
) (ec2model.ScalingInstance, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	state := w.states[instance]
	i := ec2model.ScalingInstance{ID: instance, State: state, Zone: w.zone}
	if state != "" {
		i.Group = cmp.Or(w.moved[instance], "edge")
	}
	return i, nil
}

func (w *world) DescribeLifecycleHooks(
	context.Context, string,
) ([]ec2model.LifecycleHook, error) {
	return []ec2model.LifecycleHook{{Name: "l", Heartbeat: 300 * time.Second},
		{Name: "t", Heartbeat: 300 * time.Second}}, nil
}

func (w *world) RecordLifecycleActionHeartbeat(context.Context, ec2model.LifecycleAction) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.beatFails {
		return errors.New("no active Lifecycle Action found")
	}
	w.beats++
	return nil
}

func (w *world) Account(context.Context) (string, error) {
	return cmp.Or(w.account, "111122223333"), nil
}

func (w *world) DescribeInstance(_ context.Context, id string) (ec2model.Instance, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.states[id] == "" {
		return ec2model.Instance{}, protocol.Refuse(protocol.NotFound, "there is no %s", id)
	}
	return ec2model.Instance{ID: id, State: "running", Zone: w.zone,
		Interfaces: []ec2model.InstanceInterface{{ID: "eni-of-" + id}}}, nil
}

func (w *world) DescribeInterface(
	_ context.Context, id string,
) (ec2model.InterfaceDetail, error) {
	var d ec2model.InterfaceDetail
	d.Primary = "10.0.0.1" + id[len(id)-1:]
	return d, nil
}

func (w *world) DescribeTaggedInterfaces(
	_ context.Context, _, beginning string,
) (all []ec2model.InterfaceDetail, _ error) {
	for _, n := range w.tagged {
		if strings.HasPrefix(n.Tags[ec2model.Slot], beginning) {
			all = append(all, n)
		}
	}
	return all, nil
}

func (w *world) DescribeTaggedAddresses(
	context.Context, string, string,
) ([]ec2model.Address, error) {
	return w.addresses, nil
}

// Adopt knows of what was made.
func (w *world) Adopt(_ context.Context, made []Made) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, m := range made {
		if !slices.Contains(w.did, m.IdempotencyKey) {
			w.did = append(w.did, m.IdempotencyKey)
			w.parameters[short(m.IdempotencyKey)] = m.Facts
		}
	}
	return nil
}

// Note keeps what was decided.
func (w *world) Note(_ context.Context, e Event, decision, reason string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.notes = append(w.notes, e.Instance+" "+decision+": "+reason)
	return nil
}

// Do does a step once.
func (w *world) Do(ctx context.Context, s Step, _ int) Done {
	d := Done{Step: s.Name, Key: s.IdempotencyKey, Verdict: StepDone, Let: true,
		Facts: map[string]string{"primaryAddress": "10.0.1.9"}}
	w.mu.Lock()
	w.log = append(w.log, short(s.IdempotencyKey))
	fail := w.fails[s.Name]
	if fail == nil {
		fail = w.fails[short(s.IdempotencyKey)]
	}
	w.mu.Unlock()
	if fail != nil {
		if f := fail(); f.Verdict != "" {
			d.Verdict, d.Message, d.OutOfStock = f.Verdict, f.Message, f.OutOfStock
			return d
		}
	}
	if ctx.Err() != nil {
		d.Verdict = StepLater
		return d
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.parameters[short(s.IdempotencyKey)] = s.Parameters
	if slices.Contains(w.did, s.IdempotencyKey) {
		return d
	}
	if s.Action == "complete-lifecycle-action" {
		id := s.Target["instanceRef"]
		next := map[string]string{"Pending:WaitCONTINUE": "InService",
			"Pending:WaitABANDON": "Terminating:Wait", "Terminating:WaitCONTINUE": ""}
		to, waits := next[w.states[id]+s.Parameters["lifecycleActionResult"]]
		if !waits {
			d.Verdict, d.Message = StepFailed, "no active Lifecycle Action found"
			return d
		}
		w.states[id] = to
	}
	w.did = append(w.did, s.IdempotencyKey)
	return d
}

// Undo takes back what is in force.
func (w *world) Undo(_ context.Context, keys string) (all []Done, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, key := range slices.Backward(slices.Clone(w.did)) {
		if !strings.HasPrefix(key, keys) {
			continue
		}
		d := Done{Key: key + ":undo", Verdict: StepDone}
		if fail := w.fails[short(d.Key)]; fail != nil {
			d = fail()
			d.Key = key + ":undo"
		}
		w.log = append(w.log, short(d.Key))
		if d.Verdict == StepDone {
			w.did = slices.DeleteFunc(w.did, func(k string) bool { return k == key })
		}
		all = append(all, d)
	}
	return all, nil
}

func (w *world) Rehearse(context.Context, Step) Done { return Done{Verdict: Would} }
func (w *world) RehearseUndo(context.Context, string, []Made) ([]Done, error) {
	return nil, nil
}

// short is a key without whose it is.
func short(key string) string {
	parts := strings.SplitN(key, "/", 5)
	return parts[4]
}

// in are the keys in force, short.
func (w *world) in() (all []string) {
	for _, key := range w.did {
		all = append(all, short(key))
	}
	return all
}

// memoryClaims are claims in memory.
type memoryClaims struct {
	mu    sync.Mutex
	taken map[string]chan struct{}
}

func (c *memoryClaims) Claim(
	ctx context.Context, name string,
) (context.Context, func(), error) {
	for {
		c.mu.Lock()
		free, taken := c.taken[name]
		if !taken {
			own := make(chan struct{})
			c.taken[name] = own
			c.mu.Unlock()
			held, cancel := context.WithCancel(context.WithoutCancel(ctx))
			return held, func() {
				cancel()
				c.mu.Lock()
				defer c.mu.Unlock()
				delete(c.taken, name)
				close(own)
			}, nil
		}
		c.mu.Unlock()
		select {
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		case <-free:
		}
	}
}

// launchOf and terminateOf are events of the group edge.
func launchOf(instance string) Event {
	return Event{Kind: Launch, Account: "111122223333", Region: "eu-west-1", Group: "edge",
		Instance: instance, Hook: "l", Token: someToken}
}

func terminateOf(instance string) Event {
	e := launchOf(instance)
	e.Kind, e.Hook = Terminate, "t"
	return e
}

const (
	one, two, three, four = "i-1", "i-2", "i-3", "i-4"
	oneNIC                = "    interfaces: [{deviceIndex: 1, subnets: {eu-west-1a: " + subnetA +
		"}, securityGroups: [sg-0000000000000000a]}]\n"
	nicAndTags = oneNIC + "    tags: {Name: x}\n    patience: 60s\n"
)

// holds holds an outcome, what is in force, and where the instance stands.
func (w *world) holds(r Result, want Outcome, state string, in ...string) {
	w.Helper()
	if r.Outcome != want {
		w.Errorf("it is %q, want %q: %s", r.Outcome, want, r.Reason)
	}
	if got := w.in(); !slices.Equal(got, in) {
		w.Errorf("in force: %v, want %v", got, in)
	}
	if got := w.states[r.Event.Instance]; got != state {
		w.Errorf("it is %q in its group, want %q", got, state)
	}
}

func failing(v Verdict, message string) func() Done {
	return func() Done { return Done{Verdict: v, Message: message} }
}

// TestALaunchGoesOn: every step, then CONTINUE; the event again does nothing more.
func TestALaunchGoesOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, one)
	h := w.handler(nicAndTags)
	all := []string{"i-1/launch/interface:1", "i-1/launch/tags", "i-1/hook/launch/CONTINUE/l"}
	w.holds(h.Handle(t.Context(), launchOf(one)), WentOn, "InService", all...)
	w.holds(h.Handle(t.Context(), launchOf(one)), WentOn, "InService", all...)
	if !slices.Equal(w.log, all) {
		t.Errorf("it asked for %v", w.log)
	}
}

// TestTwoHandlersAtOnce: one event that two handle at once does everything once.
func TestTwoHandlersAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, one)
	h := w.handler(nicAndTags)
	var wait sync.WaitGroup
	for range 2 {
		wait.Go(func() {
			if r := h.Handle(t.Context(), launchOf(one)); r.Outcome != WentOn {
				t.Errorf("%+v", r)
			}
		})
	}
	wait.Wait()
	if all := []string{"i-1/launch/interface:1", "i-1/launch/tags",
		"i-1/hook/launch/CONTINUE/l"}; !slices.Equal(w.log, all) {
		t.Errorf("they asked for %v", w.log)
	}
}

// TestL17AFailedStepAbandons: what was done is undone, last first, and the reason is kept.
func TestL17AFailedStepAbandons(t *testing.T) {
	t.Parallel()
	w := newWorld(t, one)
	h := w.handler(nicAndTags)
	w.fails["tags"] = failing(StepFailed, "no right")
	r := h.Handle(t.Context(), launchOf(one))
	w.holds(r, GaveUp, "Terminating:Wait", "i-1/hook/launch/ABANDON/l")
	if r.Reason != "tags: no right" || r.Well() || !r.Handled() {
		t.Errorf("%+v", r)
	}
	if want := []string{"i-1 abandon: tags: no right"}; !slices.Equal(w.notes, want) {
		t.Errorf("the journal has %v", w.notes)
	}
	if want := []string{"i-1/launch/interface:1", "i-1/launch/tags",
		"i-1/launch/interface:1:undo", "i-1/hook/launch/ABANDON/l"}; !slices.Equal(w.log, want) {
		t.Errorf("it asked for %v", w.log)
	}
	// The event again does not begin anew.
	w.fails = nil
	w.holds(h.Handle(t.Context(), launchOf(one)), GaveUp, "Terminating:Wait",
		"i-1/hook/launch/ABANDON/l")
}

// TestStepsThatMayFail: what is not required, or out of stock, is told and does not abandon.
func TestStepsThatMayFail(t *testing.T) {
	t.Parallel()
	stock := func() Done { return Done{Verdict: StepFailed, Message: "none", OutOfStock: true} }
	license := func(more string) string {
		return "    license: {pool: p, source: /l/" + more + "}\n"
	}
	for _, c := range []struct {
		name, text, step string
		fail             func() Done
		want             Outcome
	}{
		{"not required", nicAndTags + "    tagsRequired: false\n", "tags", failing(StepFailed, "x"),
			WentOn},
		{"not required, later", nicAndTags + "    tagsRequired: false\n", "tags",
			failing(StepLater, "x"), WentOn},
		{"required, later", nicAndTags, "tags", failing(StepLater, "x"), GaveUp},
		{"out of stock", license(""), "license", stock, GaveUp},
		{"out of stock, go on", license(", outOfStock: continue"), "license", stock, WentOn},
		{"out of stock, abandon, not required", license(", required: false"), "license", stock, WentOn},
		{"another failure, go on without stock", license(", outOfStock: continue"), "license",
			failing(StepFailed, "x"), GaveUp},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, one)
			w.fails[c.step] = c.fail
			if r := w.handler(c.text).Handle(t.Context(), launchOf(one)); r.Outcome != c.want {
				t.Errorf("%+v", r)
			}
		})
	}
}

// TestPatience: what may succeed later is tried again, as long as patience lasts.
func TestPatience(t *testing.T) {
	t.Parallel()
	w := newWorld(t, one)
	n := 0
	w.fails["tags"] = func() Done {
		if n++; n < 4 {
			return Done{Verdict: StepLater, Message: "throttled"}
		}
		return Done{}
	}
	if r := w.handler(nicAndTags).Handle(t.Context(), launchOf(one)); r.Outcome != WentOn || n != 4 {
		t.Errorf("%d times: %+v", n, r)
	}
}

// TestAnUnknownZone: nothing is done for an instance that could not be launched whole.
func TestAnUnknownZone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, one)
	w.zone = "eu-west-1c"
	r := w.handler(nicAndTags).Handle(t.Context(), launchOf(one))
	w.holds(r, GaveUp, "Terminating:Wait", "i-1/hook/launch/ABANDON/l")
	if len(w.log) != 1 || !strings.Contains(r.Reason, "eu-west-1c") {
		t.Errorf("%v: %s", w.log, r.Reason)
	}
}

// TestTheHookDidNotWait: an instance that is in service without the handler is finished or undone,
// as configured. One that leaves is undone.
func TestTheHookDidNotWait(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, text, state string
		want              Outcome
		in                []string
	}{
		{"finish", nicAndTags, "InService", WentOn,
			[]string{"i-1/launch/interface:1", "i-1/launch/tags"}},
		{"undo", nicAndTags + "    expiredHook: undo\n", "InService", GaveUp, nil},
		{"it leaves", nicAndTags, "Terminating:Proceed", GaveUp, nil},
		{"it is gone", nicAndTags, "", GaveUp, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, one)
			w.states[one] = c.state
			w.holds(w.handler(c.text).Handle(t.Context(), launchOf(one)), c.want, c.state, c.in...)
		})
	}
}

// TestALaunchIsReadAgainBeforeContinue: a launch whose hook could not be told asks for each step
// again, in order, before CONTINUE; one that can't be any more abandons it.
func TestALaunchIsReadAgainBeforeContinue(t *testing.T) {
	t.Parallel()
	steps := []string{"i-1/launch/interface:1", "i-1/launch/tags"}
	for _, c := range []struct {
		name, state string
		again       func() Done
		want        Outcome
		asked       []string
	}{
		{"it is so", "InService", nil, WentOn, []string{"i-1/hook/launch/CONTINUE/l"}},
		{"it is not", "Terminating:Wait", failing(StepFailed, "gone"), GaveUp,
			[]string{"i-1/launch/tags:undo", "i-1/launch/interface:1:undo",
				"i-1/hook/launch/ABANDON/l"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, one)
			h := w.handler(nicAndTags)
			w.fails["hook:CONTINUE"] = failing(StepFailed, "no way")
			if r := h.Handle(t.Context(), launchOf(one)); r.Outcome != Postponed {
				t.Fatalf("%+v", r)
			}
			w.fails, w.log = map[string]func() Done{"tags": c.again}, nil
			r := h.Handle(t.Context(), launchOf(one))
			if r.Outcome != c.want || w.states[one] != c.state {
				t.Errorf("%s: %+v", w.states[one], r)
			}
			if want := append(slices.Clone(steps), c.asked...); !slices.Equal(w.log, want) {
				t.Errorf("it asked for %v, want %v", w.log, want)
			}
		})
	}
}

// TestTheHookEndedBeforeContinue: the time of a hook is up before it is told, and its default
// result is CONTINUE. What becomes of the launch is as configured.
func TestTheHookEndedBeforeContinue(t *testing.T) {
	t.Parallel()
	for more, want := range map[string]Outcome{"": WentOn, "    expiredHook: undo\n": GaveUp} {
		w := newWorld(t, one)
		w.fails["hook:CONTINUE"] = func() Done {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.states[one] = "InService"
			return Done{Verdict: StepFailed, Message: "nothing to complete"}
		}
		var in []string
		if want == WentOn {
			in = []string{"i-1/launch/interface:1", "i-1/launch/tags"}
		}
		w.holds(w.handler(nicAndTags+more).Handle(t.Context(), launchOf(one)), want, "InService", in...)
	}
}

// TestATerminateCleans: what the launch did is undone, last first, then the hook hears CONTINUE.
func TestATerminateCleans(t *testing.T) {
	t.Parallel()
	w := newWorld(t, one)
	h := w.handler(nicAndTags)
	h.Handle(t.Context(), launchOf(one))
	w.states[one], w.log = "Terminating:Wait", nil
	r := h.Handle(t.Context(), terminateOf(one))
	w.holds(r, Cleared, "", "i-1/hook/launch/CONTINUE/l", "i-1/hook/terminate/CONTINUE/t")
	if want := []string{"i-1/launch/tags:undo", "i-1/launch/interface:1:undo",
		"i-1/hook/terminate/CONTINUE/t"}; !slices.Equal(w.log, want) {
		t.Errorf("it asked for %v", w.log)
	}
	// A launch that comes late, or again, does nothing.
	h.Handle(t.Context(), launchOf(one))
	w.holds(h.Handle(t.Context(), terminateOf(one)), Cleared, "", "i-1/hook/launch/CONTINUE/l",
		"i-1/hook/terminate/CONTINUE/t")
}

// TestATerminateTellsWhatIsLeft: what can't be undone is told, and the instance goes all the same.
// What may be undone later is tried, and then the event comes again.
func TestATerminateTellsWhatIsLeft(t *testing.T) {
	t.Parallel()
	w := newWorld(t, one)
	h := w.handler(nicAndTags)
	h.Handle(t.Context(), launchOf(one))
	w.states[one] = "Terminating:Wait"
	const undo = "i-1/launch/interface:1:undo"
	w.fails[undo] = failing(StepLater, "busy")
	if r := h.Handle(t.Context(), terminateOf(one)); r.Outcome != Postponed ||
		w.states[one] != "Terminating:Wait" {
		t.Errorf("%+v", r)
	}
	w.fails[undo] = failing(StepFailed, "drift")
	r := h.Handle(t.Context(), terminateOf(one))
	if r.Outcome != Cleared || r.Well() || len(r.Left) != 1 || !strings.Contains(r.Left[0], "drift") {
		t.Errorf("%+v", r)
	}
	if len(w.notes) != 1 || !strings.Contains(w.notes[0], "i-1 left: ") {
		t.Errorf("the journal has %v", w.notes)
	}
	// And told again where the event comes again.
	if again := h.Handle(t.Context(), terminateOf(one)); again.Outcome != Cleared || again.Well() ||
		!slices.Equal(again.Left, r.Left) {
		t.Errorf("%+v", again)
	}
}

// TestATerminateWithoutARecord works from tags: what the launch made is undone, addresses first.
// What another action made is left alone.
func TestATerminateWithoutARecord(t *testing.T) {
	t.Parallel()
	w := newWorld(t, one)
	w.states[one] = "Terminating:Wait"
	tagOf := func(step, rest string) string {
		return rest + action.NewToken(KeyOf(terminateOf(one), Launch, step), true)
	}
	for id, tag := range map[string]string{
		"eni-1": tagOf("interface:1", one+"/1/"), "eni-2": tagOf("of another", one+"/2/")} {
		var n ec2model.InterfaceDetail
		n.ID, n.Tags = id, map[string]string{ec2model.Slot: tag}
		w.tagged = append(w.tagged, n)
	}
	w.addresses = []ec2model.Address{{AllocationID: "eipalloc-1", Tags: map[string]string{
		ec2model.PublicAddress: tagOf("address:1", one+"/1/eni-1/10.0.0.9/")}},
		{AllocationID: "eipalloc-2", Tags: map[string]string{ec2model.PublicAddress: one + "/1/x"}}}
	r := w.handler(nicAndTags).Handle(t.Context(), terminateOf(one))
	w.holds(r, Cleared, "", "i-1/hook/terminate/CONTINUE/t")
	if want := []string{"i-1/launch/address:1:undo", "i-1/launch/interface:1:undo",
		"i-1/hook/terminate/CONTINUE/t"}; !slices.Equal(w.log, want) {
		t.Errorf("it asked for %v", w.log)
	}
	facts := w.parameters["i-1/launch/address:1"]
	if facts["allocationRef"] != "eipalloc-1" || facts["privateAddress"] != "10.0.0.9" ||
		facts["priorPublicAddress"] != "absent" {
		t.Errorf("%v", facts)
	}
}

// TestATerminateOfWhatIsInService is not believed.
func TestATerminateOfWhatIsInService(t *testing.T) {
	t.Parallel()
	w := newWorld(t, one)
	h := w.handler(nicAndTags)
	h.Handle(t.Context(), launchOf(one))
	gone := terminateOf(one)
	gone.Kind = Gone
	for _, e := range []Event{terminateOf(one), gone} {
		r := h.Handle(t.Context(), e)
		if r.Outcome != Postponed || len(w.in()) != 3 || !strings.Contains(r.Reason, "InService") {
			t.Errorf("%+v, in force: %v", r, w.in())
		}
	}
	// It did not stop anything either.
	if rec, _ := h.Records.Read(t.Context(), launchOf(one)); rec.Terminate != "" {
		t.Errorf("%+v", rec)
	}
}

// TestATerminateOfWhatWasMoved: an instance that is in service in another group keeps what it has.
func TestATerminateOfWhatWasMoved(t *testing.T) {
	t.Parallel()
	w := newWorld(t, one)
	h := w.handler(nicAndTags)
	h.Handle(t.Context(), launchOf(one))
	w.moved = map[string]string{one: "core"}
	gone := terminateOf(one)
	gone.Kind = Gone
	for _, e := range []Event{terminateOf(one), gone} {
		r := h.Handle(t.Context(), e)
		if r.Outcome != Postponed || len(w.in()) != 3 || !strings.Contains(r.Reason, "core") {
			t.Errorf("%+v, in force: %v", r, w.in())
		}
	}
	w.states[one] = "Terminating:Wait"
	if r := h.Handle(t.Context(), gone); r.Outcome != Cleared {
		t.Errorf("%+v", r)
	}
}

// TestWhatAnotherAccountDoesNotKnow is not taken for gone: the event comes again.
func TestWhatAnotherAccountDoesNotKnow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.account = "444455556666"
	h := w.handler(nicAndTags)
	for _, e := range []Event{launchOf(one), terminateOf(one)} {
		if r := h.Handle(t.Context(), e); r.Outcome != Postponed ||
			!strings.Contains(r.Reason, "444455556666") {
			t.Errorf("%+v", r)
		}
	}
	if rec, _ := h.Records.Read(t.Context(), launchOf(one)); rec.Launch != "" || rec.Terminate != "" {
		t.Errorf("%+v", rec)
	}
	w.account = ""
	w.holds(h.Handle(t.Context(), terminateOf(one)), Cleared, "")
}

// TestAnEventThatMayBeOfTwoRegions is refused: no region is taken for the other.
func TestAnEventThatMayBeOfTwoRegions(t *testing.T) {
	t.Parallel()
	w := newWorld(t, one)
	h := w.handler(nicAndTags)
	other := h.Configuration.Groups[0]
	other.Region = "eu-west-2"
	h.Configuration.Groups = append(h.Configuration.Groups, other)
	e := launchOf(one)
	e.Region = ""
	if r := h.Handle(t.Context(), e); r.Outcome != Refused ||
		!strings.Contains(r.Reason, "eu-west-2") {
		t.Errorf("%+v", r)
	}
	e.Region = "eu-west-1"
	if r := h.Handle(t.Context(), e); r.Outcome != WentOn {
		t.Errorf("%+v", r)
	}
}

// TestATerminateStopsItsLaunch: a launch that is under way undoes what it did, and the terminate
// waits for that.
func TestATerminateStopsItsLaunch(t *testing.T) {
	t.Parallel()
	w := newWorld(t, one)
	h := w.handler(nicAndTags)
	begun, goOn := make(chan struct{}), make(chan struct{})
	w.fails["tags"] = func() Done {
		close(begun)
		<-goOn
		return Done{}
	}
	var wait sync.WaitGroup
	var launched, terminated Result
	wait.Go(func() { launched = h.Handle(t.Context(), launchOf(one)) })
	<-begun
	w.mu.Lock()
	w.states[one] = "Terminating:Wait"
	w.mu.Unlock()
	wait.Go(func() { terminated = h.Handle(t.Context(), terminateOf(one)) })
	for {
		if rec, err := h.Records.Read(t.Context(), launchOf(one)); err != nil || rec.Terminate != "" {
			break
		}
		if t.Context().Err() != nil {
			return
		}
	}
	close(goOn)
	wait.Wait()
	w.holds(terminated, Cleared, "", "i-1/hook/terminate/CONTINUE/t")
	if launched.Outcome != GaveUp {
		t.Errorf("%+v", launched)
	}
}

// TestEventsOfOthers are refused, and nothing is asked for.
func TestEventsOfOthers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, one)
	h := w.handler(nicAndTags + "    hooks: {launch: l, terminate: t}\n")
	for name, edit := range map[string]func(*Event){
		"group":     func(e *Event) { e.Group = "core" },
		"account":   func(e *Event) { e.Account = "444455556666" },
		"region":    func(e *Event) { e.Region = "eu-west-2" },
		"hook":      func(e *Event) { e.Hook = "another" },
		"warm pool": func(e *Event) { e.WarmPool = true },
		"a try-out": func(e *Event) { e.Kind, e.Group = Told, "core" },
	} {
		e := launchOf(one)
		edit(&e)
		if r := h.Handle(t.Context(), e); r.Outcome != Refused || r.Handled() || r.Reason == "" {
			t.Errorf("%s: %+v", name, r)
		}
	}
	h.Policy = nil
	if r := h.Handle(t.Context(), launchOf(one)); r.Outcome != Refused {
		t.Errorf("without a policy: %+v", r)
	}
	narrow, err := policy.Parse([]byte(strings.Replace(handlerPolicy, "[edge]", "[core]", 1)))
	if err != nil {
		t.Fatal(err)
	}
	h.Policy = narrow
	if r := h.Handle(t.Context(), launchOf(one)); r.Outcome != Refused {
		t.Errorf("by another policy: %+v", r)
	}
	if len(w.log) > 0 {
		t.Errorf("it asked for %v", w.log)
	}
}

// TestATryOut is acknowledged only.
func TestATryOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	e := launchOf("")
	e.Kind, e.Region = Told, ""
	if r := w.handler("").Handle(t.Context(), e); r.Outcome != Nothing || len(w.log) > 0 {
		t.Errorf("%+v", r)
	}
}

// TestHeartbeats: the hook is told to wait on while steps take long, and no more afterwards.
func TestHeartbeats(t *testing.T) {
	t.Parallel()
	w := newWorld(t, one)
	w.beat = make(chan struct{})
	h := w.handler(nicAndTags)
	w.fails["tags"] = func() Done {
		// 300 seconds are a third of what the hook waits, three times over.
		for range 60 {
			w.beat <- struct{}{}
		}
		return Done{}
	}
	r := h.Handle(t.Context(), launchOf(one))
	if r.Outcome != WentOn || r.Heartbeats < 2 || r.Heartbeats > 3 || w.beats != r.Heartbeats {
		t.Errorf("%d of %d heartbeats: %+v", r.Heartbeats, w.beats, r)
	}
	select {
	case w.beat <- struct{}{}:
		t.Error("heartbeats go on after the end")
	default:
	}
}

// TestAHookThatIsOver stops the launch where it stands. A heartbeat that is refused alone does not.
func TestAHookThatIsOver(t *testing.T) {
	t.Parallel()
	for state, want := range map[string]Outcome{"Terminating:Wait": GaveUp, "Pending:Wait": WentOn} {
		w := newWorld(t, one)
		w.beat = make(chan struct{})
		h := w.handler(nicAndTags)
		once := false
		w.fails["tags"] = func() Done {
			if once {
				return Done{}
			}
			once = true
			w.mu.Lock()
			w.beatFails, w.states[one] = true, state
			w.mu.Unlock()
			for range 25 {
				w.beat <- struct{}{}
			}
			return Done{}
		}
		if r := h.Handle(t.Context(), launchOf(one)); r.Outcome != want {
			t.Errorf("%s: %+v", state, r)
		}
	}
}

// TestStopped: a run that is asked to stop leaves its event, and the next one finishes it.
func TestStopped(t *testing.T) {
	t.Parallel()
	w := newWorld(t, one)
	h := w.handler(nicAndTags)
	ctx, stop := context.WithCancel(t.Context())
	w.fails["tags"] = func() Done {
		stop()
		return Done{Verdict: StepLater, Message: "interrupted"}
	}
	if r := h.Handle(ctx, launchOf(one)); r.Outcome != Postponed {
		t.Errorf("%+v", r)
	}
	w.fails = nil
	w.holds(h.Handle(t.Context(), launchOf(one)), WentOn, "InService", "i-1/launch/interface:1",
		"i-1/launch/tags", "i-1/hook/launch/CONTINUE/l")
}

// impatient refuses every claim, and notes how long there was to wait for it.
type impatient struct{ had time.Duration }

func (c *impatient) Claim(ctx context.Context, _ string) (context.Context, func(), error) {
	end, _ := ctx.Deadline()
	c.had = time.Until(end)
	return nil, nil, errors.New("it is taken")
}

// TestAShortPatience: a claim is waited for until the lease of a run that died is taken over, or no
// run ever comes after it.
func TestAShortPatience(t *testing.T) {
	t.Parallel()
	w := newWorld(t, one)
	h := w.handler(nicAndTags)
	h.Configuration.Groups[0].Patience = time.Second
	c := &impatient{}
	h.Claims = c
	if r := h.Handle(t.Context(), launchOf(one)); r.Outcome != Postponed {
		t.Errorf("%+v", r)
	}
	if lease := 10 * time.Second; c.had < lease*3/2 {
		t.Errorf("there was %s to wait for the claim, and a lease stands for %s", c.had, lease)
	}
}

// TestL3ALicenseOfAnotherJournal: what the table says that an instance has is given back, though
// this journal knows nothing of it. That of another instance is kept.
func TestL3ALicenseOfAnotherJournal(t *testing.T) {
	t.Parallel()
	w := newWorld(t, one)
	w.states[one] = "Terminating:Wait"
	pool := licenses.NewPool(w.backend, "p")
	for id, holder := range map[string]string{"a.lic": one, "b.lic": two} {
		if err := pool.Take(t.Context(), licensemodel.License{Pool: "p", ID: id},
			licenses.Digest([]byte(id)), holder); err != nil {
			t.Fatal(err)
		}
	}
	h := w.handler(nicAndTags + "    license: {pool: p, source: /l/}\n")
	w.holds(h.Handle(t.Context(), terminateOf(one)), Cleared, "", "i-1/hook/terminate/CONTINUE/t")
	want := []string{"i-1/launch/license:undo", "i-1/hook/terminate/CONTINUE/t"}
	if !slices.Equal(w.log, want) {
		t.Errorf("it asked for %v", w.log)
	}
	if facts := w.parameters["i-1/launch/license"]; facts["assignedLicense"] != "a.lic" ||
		facts["priorLicense"] != "none" {
		t.Errorf("%v", facts)
	}
}

// TestTableOutOfReach: nothing is done where it can't be known how far an instance has come.
func TestTableOutOfReach(t *testing.T) {
	t.Parallel()
	w := newWorld(t, one)
	h := w.handler(nicAndTags)
	h.Records = Records{unread{}}
	if r := h.Handle(t.Context(), launchOf(one)); r.Outcome != Postponed || len(w.log) > 0 {
		t.Errorf("%+v: %v", r, w.log)
	}
}

// unread is a table that can't be read.
type unread struct{ table.Backend }

func (unread) Read(context.Context, []table.Place) (map[table.Place]table.Item, error) {
	return nil, fmt.Errorf("out of reach")
}
