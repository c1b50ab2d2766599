package proof

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"aws-provider-executor/actions"
	"aws-provider-executor/pkg/ec2sim"
	"aws-provider-executor/pkg/protocol"

	"github.com/google/go-cmp/cmp"
)

// teller is a world in which each answer tells its plan.
type teller struct {
	*lab
	what  string
	trail []string
	// plans and backs count the plans, and the plans of undos, that changed something.
	plans, backs *atomic.Int64
}

func (y *teller) wrong(format string, args ...any) {
	y.t.Helper()
	y.t.Errorf("%s: %s\n%s", y.what, fmt.Sprintf(format, args...), strings.Join(y.trail, "\n"))
}

// ask sends a request to an executor that tells its plan.
func (y *teller) ask(q request, dryRun bool) answer {
	y.t.Helper()
	q.dryRun = dryRun
	a := y.start(q, way{env: []string{"EXECUTOR_OBSERVE_PLAN=true"}}).wait()
	y.trail = append(y.trail, fmt.Sprintf("%s %s (dry-run %t): %s\n  plan %s\n  undo %s",
		q.verb, q.key, dryRun, a.Message,
		a.Observed[protocol.FactPlan], a.Observed[protocol.FactUndoPlan]))
	return a
}

// told reads a plan from an answer, without times.
func (y *teller) told(a answer, fact string) []protocol.Change {
	y.t.Helper()
	changes, err := protocol.DecodeChanges(a.Observed[fact])
	if err != nil {
		y.wrong("%s: %v", fact, err)
	}
	for i, c := range changes {
		changes[i].From = unixTime.ReplaceAllString(c.From, "${1}T")
		changes[i].To = unixTime.ReplaceAllString(c.To, "${1}T")
	}
	return changes
}

// do carries a request out, and holds what it told of its plan against the dry-run before it and
// against what became of the world.
func (y *teller) do(q request) answer {
	y.t.Helper()
	before := y.state()
	dry, a := y.ask(q, true), y.ask(q, false)
	if a.Status.Status == protocol.Failed || dry.Status.Status == protocol.Failed {
		if dry.Status.Status == protocol.Failed && dry.Observed[protocol.FactPlan] != "" {
			y.wrong("a dry-run that failed tells a plan")
		}
		return a
	}
	plan := y.told(a, protocol.FactPlan)
	if diff := cmp.Diff(y.told(dry, protocol.FactPlan), plan); diff != "" {
		y.wrong("the dry-run told another plan (-dry-run +execute):\n%s", diff)
	}
	if changed := sameWorld(before, y.state()) != ""; changed != (len(plan) > 0) {
		y.wrong("the world changed: %t, and the plan is %v", changed, plan)
	}
	if len(plan) > 0 {
		y.plans.Add(1)
	}
	if dry.Observed[protocol.FactUndoPlan] == "" && a.Observed[protocol.FactUndoPlan] == "" {
		return a
	}
	back := y.told(a, protocol.FactUndoPlan)
	if diff := cmp.Diff(y.told(dry, protocol.FactUndoPlan), back); diff != "" {
		y.wrong("the dry-run told another undo (-dry-run +execute):\n%s", diff)
	}
	if len(back) > 0 {
		y.backs.Add(1)
	}
	return a
}

// act carries an action out, and holds the undo that it told against the one that is asked next.
func (y *teller) act(q request) (undo request, done bool) {
	y.t.Helper()
	a := y.do(q)
	if a.Status.Status != protocol.Succeeded {
		return undo, false
	}
	verb, _ := actions.Registry().Lookup(q.verb)
	if q.target["captureStrategy"] != "" {
		verb, _ = actions.Registry().Lookup("assign-secondary-ip")
	}
	facts := protocol.Status{Observed: maps.Clone(a.Observed)}
	undo = q.undo(verb.Undo, facts, nil)
	next := y.ask(undo, true)
	if next.Status.Status == protocol.Failed {
		y.wrong("the undo fails: %s", next.Message)
		return undo, true
	}
	if next.Observed[protocol.FactUndoPlan] != "" {
		y.wrong("an undo tells of an undo of its own")
	}
	want, got := y.told(a, protocol.FactUndoPlan), y.told(next, protocol.FactPlan)
	for i := range got {
		got[i].Via = ""
	}
	if diff := cmp.Diff(want, got); diff != "" {
		y.wrong("the undo is not the one that was told (-told +undo):\n%s", diff)
	}
	return undo, true
}

// TestPlansAreTrue: several keys act on one attribute of each kind, and on random worlds, and are
// undone, with strangers between. What an answer tells of its plan is what becomes of the world.
// A dry-run tells the same as the execution. The undo that is told is the one that comes next.
func TestPlansAreTrue(t *testing.T) {
	t.Parallel()
	var plans, backs atomic.Int64
	var cases []func()
	for _, seed := range seeds(t, 7001, 40) {
		cases = append(cases, func() {
			r := rand.New(rand.NewPCG(seed, 0))
			c := contests[seed%uint64(len(contests))]
			world := c.seed
			ask := func(key string) request { return c.under(key, r.IntN(3)) }
			if seed%3 == 0 {
				world = randomWorld(r)
				ask = func(key string) request { return randomRequest(r, key) }
			}
			y := &teller{lab: newLab(t, world), what: fmt.Sprintf("PROOF_SEED=%d", seed),
				plans: &plans, backs: &backs}
			y.play(r, c, ask)
		})
	}
	abreast(cases)
	t.Logf("%d plans and %d undos that changed something", plans.Load(), backs.Load())
	if plans.Load() < 50 || backs.Load() < 30 {
		t.Errorf("%d plans and %d undos changed something, too few to tell", plans.Load(), backs.Load())
	}
}

// play has keys act and be undone, in a random order.
func (y *teller) play(r *rand.Rand, c contest, ask func(key string) request) {
	y.t.Helper()
	before := y.state()
	undos := map[string]request{}
	strange := false
	for i := range 4 {
		key := fmt.Sprint("key-", i)
		if undo, done := y.act(ask(key)); done {
			undos[key] = undo
		}
		if keys := slices.Sorted(maps.Keys(undos)); len(keys) > 1 && r.IntN(4) == 0 {
			key := pick(r, keys)
			y.do(undos[key])
			delete(undos, key)
		}
		if r.IntN(6) == 0 {
			c.stranger(y.sim.Region(ec2sim.LabRegion))
			strange = true
			y.trail = append(y.trail, "a stranger")
		}
	}
	keys := slices.Sorted(maps.Keys(undos))
	r.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
	for _, key := range keys {
		y.do(undos[key])
	}
	if diff := sameWorld(withoutBackup(before), withoutBackup(y.state())); !strange && diff != "" {
		y.wrong("all is undone, and it is not as before:\n%s", diff)
	}
}

// TestThePlanOfAPowerOff: the instance is stopped by the fence, and not started by its undo, which
// has to be told to. What was there before is in tags, which come first and go last.
func TestThePlanOfAPowerOff(t *testing.T) {
	t.Parallel()
	var plans, backs atomic.Int64
	y := &teller{lab: newLab(t, nil), what: "a fence with a power-off", plans: &plans, backs: &backs}
	q := fencing(ec2sim.LabGroupFence, true)
	q.key, q.parameters["onFencePoweroff"] = "k", "true"
	undo, done := y.act(q)
	if !done {
		t.Fatal("not fenced\n" + strings.Join(y.trail, "\n"))
	}
	y.do(undo)
	attributes := func(line string) string {
		var all []string
		for _, part := range strings.Split(line, `"attribute":"`)[1:] {
			name, _, _ := strings.Cut(part, `"`)
			all = append(all, name)
		}
		return strings.Join(all, " ")
	}
	dry := strings.Split(y.trail[0], "\n")
	if got := attributes(dry[1]); got != "fenceBackup securityGroups securityGroups power" {
		t.Errorf("the fence changes %s", got)
	}
	if got := attributes(dry[2]); got != "securityGroups securityGroups fenceBackup" {
		t.Errorf("its undo changes %s", got)
	}
}
