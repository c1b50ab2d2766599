package lifecycle

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"aws-provider-executor/pkg/members"
)

// grouped is a group with members, appliances and a primary that is protected.
const grouped = "    members: {}\n    protection: primary\n    patience: 60s\n" +
	"    appliance: {driver: hook, parameters: {\"value.a\": \"{role} {primaryAddress}\"}}\n"

// primary is who is the primary of the group edge.
func (w *world) primary() (members.Primary, []members.Member) {
	w.Helper()
	all, p, err := members.New(w.backend, "111122223333", "eu-west-1", "edge").Read(w.Context())
	if err != nil {
		w.Fatal(err)
	}
	return p, all
}

// roleGiven is the role that an appliance was given last, with its primary's address.
func (w *world) roleGiven(key string) string {
	p := w.parameters[key]
	return strings.TrimSpace(p["role"] + " " + p["primaryAddress"])
}

// TestTheFirstIsThePrimary: it is elected, configured by that, protected and then confirmed; the
// second follows it.
func TestTheFirstIsThePrimary(t *testing.T) {
	t.Parallel()
	w := newWorld(t, one, two)
	h := w.handler(grouped)
	w.holds(h.Handle(t.Context(), launchOf(one)), WentOn, "InService", "i-1/launch/appliance@1",
		"i-1/hook/launch/CONTINUE/l", "i-1/launch/protection")
	want := members.Primary{Instance: one, Address: "10.0.0.11", Epoch: 1, Confirmed: true}
	if p, _ := w.primary(); p != want {
		t.Errorf("%+v", p)
	}
	h.Handle(t.Context(), launchOf(two))
	if got := w.roleGiven("i-1/launch/appliance@1"); got != "primary" {
		t.Errorf("the first is %q", got)
	}
	if got := w.roleGiven("i-2/launch/appliance@1"); got != "secondary 10.0.0.11" {
		t.Errorf("the second is %q", got)
	}
	if _, all := w.primary(); len(all) != 2 || all[0].State != members.Ready {
		t.Errorf("%+v", all)
	}
	if slices.Contains(w.in(), "i-2/launch/protection") {
		t.Error("a secondary is protected")
	}
}

// TestL7FourLaunchesAtOnce: of four that are launched at once one is the primary, and the others
// follow it, in every one of 1,000 runs.
func TestL7FourLaunchesAtOnce(t *testing.T) {
	t.Parallel()
	for range 1000 {
		w := newWorld(t, one, two, three, four)
		h := w.handler(grouped)
		var wait sync.WaitGroup
		for _, i := range []string{one, two, three, four} {
			wait.Go(func() {
				if r := h.Handle(t.Context(), launchOf(i)); r.Outcome != WentOn {
					t.Errorf("%s: %+v", i, r)
				}
			})
		}
		wait.Wait()
		p, all := w.primary()
		var roles []string
		for _, i := range []string{one, two, three, four} {
			roles = append(roles, w.roleGiven(i+"/launch/appliance@1"))
		}
		slices.Sort(roles)
		follows := "secondary " + p.Address
		if want := []string{"primary", follows, follows, follows}; !slices.Equal(roles, want) ||
			!p.Confirmed || p.Epoch != 1 || len(all) != 4 {
			t.Fatalf("%v, want %v: %+v of %+v", roles, want, p, all)
		}
	}
}

// TestL8BothTerminate: the primary and another one terminate at once; the third is elected, and
// never the dead one.
func TestL8BothTerminate(t *testing.T) {
	t.Parallel()
	for range 200 {
		w := newWorld(t, one, two, three)
		h := w.handler(grouped)
		for _, i := range []string{one, two, three} {
			h.Handle(t.Context(), launchOf(i))
		}
		for _, i := range []string{one, two} {
			w.states[i] = "Terminating:Wait"
		}
		var wait sync.WaitGroup
		for _, i := range []string{one, two} {
			wait.Go(func() {
				if r := h.Handle(t.Context(), terminateOf(i)); r.Outcome != Cleared {
					t.Errorf("%s: %+v", i, r)
				}
			})
		}
		wait.Wait()
		p, all := w.primary()
		if p.Instance != three || !p.Confirmed || len(all) != 1 {
			t.Fatalf("%+v of %+v", p, all)
		}
	}
}

// TestThePrimaryTerminates: another one takes up its role, is confirmed, and the others follow it.
func TestThePrimaryTerminates(t *testing.T) {
	t.Parallel()
	w := newWorld(t, one, two, three)
	h := w.handler(grouped)
	for _, i := range []string{one, two, three} {
		h.Handle(t.Context(), launchOf(i))
	}
	w.states[one], w.log = "Terminating:Wait", nil
	w.holds(h.Handle(t.Context(), terminateOf(one)), Cleared, "", "i-1/hook/launch/CONTINUE/l",
		"i-2/launch/appliance@1", "i-2/hook/launch/CONTINUE/l", "i-3/launch/appliance@1",
		"i-3/hook/launch/CONTINUE/l", "i-2/launch/appliance@3", "i-2/launch/protection",
		"i-3/launch/appliance@3", "i-1/hook/terminate/CONTINUE/t")
	want := members.Primary{Instance: two, Address: "10.0.0.12", Epoch: 3, Confirmed: true}
	if p, _ := w.primary(); p != want {
		t.Errorf("%+v", p)
	}
	if got := w.roleGiven("i-2/launch/appliance@3"); got != "primary" {
		t.Errorf("the new primary is %q", got)
	}
	if got := w.roleGiven("i-3/launch/appliance@3"); got != "secondary 10.0.0.12" {
		t.Errorf("the other is %q", got)
	}
}

// TestL9AnUnreachablePrimaryIsNotConfirmed: what could not be configured is told, and does not
// count as the primary. It keeps no instance from being terminated.
func TestL9AnUnreachablePrimaryIsNotConfirmed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, one, two)
	h := w.handler(grouped)
	for _, i := range []string{one, two} {
		h.Handle(t.Context(), launchOf(i))
	}
	w.states[one] = "Terminating:Wait"
	w.fails["i-2/launch/appliance@3"] = failing(StepFailed, "it does not answer")
	r := h.Handle(t.Context(), terminateOf(one))
	if r.Outcome != Cleared || r.Well() || !strings.Contains(strings.Join(r.Left, " "), "answer") {
		t.Errorf("%+v", r)
	}
	if p, _ := w.primary(); p.Confirmed {
		t.Errorf("%+v", p)
	}
}

// TestAFailedPrimaryLeaves: a launch that fails as the primary is abandoned, and is no member.
func TestAFailedPrimaryLeaves(t *testing.T) {
	t.Parallel()
	w := newWorld(t, one)
	h := w.handler(grouped)
	w.fails["appliance@1"] = failing(StepFailed, "wrong password")
	w.holds(h.Handle(t.Context(), launchOf(one)), GaveUp, "Terminating:Wait",
		"i-1/hook/launch/ABANDON/l")
	if p, all := w.primary(); p.Instance != "" || len(all) != 0 {
		t.Errorf("%+v of %+v", p, all)
	}
}

// blindRoster can't read its members.
type blindRoster struct{ Roster }

func (blindRoster) Read(context.Context) ([]members.Member, members.Primary, error) {
	return nil, members.Primary{}, errors.New("out of reach")
}

// TestL6AnUnreadGroupElectsNobody: the launch is postponed, and nobody is the primary.
func TestL6AnUnreadGroupElectsNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t, one)
	h := w.handler(grouped)
	real := w.roster
	w.roster = func(e Event) Roster { return blindRoster{real(e)} }
	w.holds(h.Handle(t.Context(), launchOf(one)), Postponed, "Pending:Wait")
	if p, _ := w.primary(); p.Epoch != 0 {
		t.Errorf("%+v", p)
	}
}

// TestAnotherWasElected: where somebody else became the primary before the confirmation, the
// instance takes up its role by that.
func TestAnotherWasElected(t *testing.T) {
	t.Parallel()
	w := newWorld(t, one, two)
	h := w.handler(grouped)
	ctx := t.Context()
	group := members.New(w.backend, "111122223333", "eu-west-1", "edge")
	once := sync.OnceFunc(func() {
		err := errors.Join(group.Join(ctx, two, "10.0.0.12"), group.Ready(ctx, two))
		_, electErr := group.Elect(ctx, func(i string) bool { return i == two })
		if err = errors.Join(err, electErr); err != nil {
			t.Error(err)
		}
	})
	w.fails["appliance@1"] = func() Done {
		once()
		return Done{}
	}
	if r := h.Handle(ctx, launchOf(one)); r.Outcome != WentOn {
		t.Errorf("%+v", r)
	}
	if got := w.roleGiven("i-1/launch/appliance@2"); got != "secondary 10.0.0.12" {
		t.Errorf("it is %q", got)
	}
	if slices.Contains(w.in(), "i-1/launch/protection") {
		t.Error("it is protected as the primary still")
	}
}
