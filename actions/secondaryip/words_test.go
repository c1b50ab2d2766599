package secondaryip

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/history"
	"aws-provider-executor/pkg/protocol"
)

// TestWords: every undo and release is told in full, before it and after it, and where nothing is
// to be done.
func TestWords(t *testing.T) {
	const taken, back = "10.0.0.12 from " + mine, "10.0.0.12 back to "
	const without = mine + " does not exist any more"
	const unknown = "; who had it before is not known, so nobody has it back"
	const lost = "; " + other +
		", which held it before the action, does not exist any more, so nobody has it back"
	answered := func(r action.Request) action.Request { r.Answered = true; return r }
	for _, c := range []struct {
		name, holder string
		gone         []string
		req          action.Request
		want         action.Words
	}{
		{"given back", mine, nil, undo(ask(ours, "priorHolder", other)), action.Words{
			Would: "give " + back + other, Did: "gave " + back + other,
			Already: other + " has 10.0.0.12 back",
		}},
		{"given back, over a stranger's", third, nil,
			undo(ask(ours, "priorHolder", other, "onDrift", "restore")), action.Words{
				Would:   "give " + back + other + ", taking it from " + third,
				Did:     "gave " + back + other + ", taken from " + third,
				Already: other + " has 10.0.0.12 back",
			}},
		{"let go", mine, nil, undo(ask(ours, "priorAssigned", "false")), action.Words{
			Would: "unassign " + taken, Did: "unassigned " + taken,
			Already: mine + " has 10.0.0.12",
		}},
		{"let go already", "", nil, undo(ask(ours, "priorAssigned", "false")), action.Words{
			Would: "unassign " + taken, Did: "unassigned " + taken,
			Already: mine + " does not have 10.0.0.12",
		}},
		{"let go, over a stranger's", third, nil,
			undo(ask(ours, "priorAssigned", "false", "onDrift", "restore")), action.Words{
				Would: "unassign 10.0.0.12 from " + third, Did: "unassigned 10.0.0.12 from " + third,
				Already: mine + " does not have 10.0.0.12",
			}},
		{"released, and not there", other, nil, ask(ours), action.Words{
			Would: "unassign " + taken, Did: "unassigned " + taken,
			Already: mine + " does not have 10.0.0.12",
		}},
		{"named by another executor", mine, nil, undo(ask(ours, "assignedAddress", ours)), action.Words{
			Would: "unassign " + taken + unknown, Did: "unassigned " + taken + unknown,
			Already: mine + " has 10.0.0.12",
		}},
		{"named by another executor, and moved on", third, nil,
			undo(ask(ours, "assignedAddress", ours)), action.Words{
				Would:   "unassign 10.0.0.12 from " + third + unknown,
				Did:     "unassigned 10.0.0.12 from " + third + unknown,
				Already: mine + " does not have 10.0.0.12 any more, and " + third + ", which has it, keeps it",
			}},
		{"named by another executor, and nobody's", "", nil,
			undo(ask(ours, "assignedAddress", ours)), action.Words{
				Would: "unassign " + taken + unknown, Did: "unassigned " + taken + unknown,
				Already: mine + " does not have 10.0.0.12",
			}},
		{"its prior holder is gone", mine, []string{other},
			answered(undo(ask(ours, "priorHolder", other))), action.Words{
				Would: "unassign " + taken + lost, Did: "unassigned " + taken + lost,
				Already: mine + " does not have 10.0.0.12; " + other +
					", which held it before the action, does not exist any more",
			}},
		{"its interface is gone", "", []string{mine},
			answered(undo(ask(ours, "priorHolder", other))), action.Words{
				Would: "give " + back + other + "; " + without, Did: "gave " + back + other + "; " + without,
				Already: other + " has 10.0.0.12 back; " + without,
			}},
		{"its interface is gone, and nobody had it", "", []string{mine},
			undo(withHistory(ask(ours), live("k", unassigned, mine))), action.Words{
				Would:   "unassign " + taken + "; " + without,
				Did:     "unassigned " + taken + "; " + without,
				Already: without + ", so it does not have 10.0.0.12",
			}},
		{"neither is there", "", []string{mine, other},
			undo(withHistory(ask(ours), live("k", other, mine))), action.Words{
				Would:   "unassign " + taken + lost + "; " + without,
				Did:     "unassigned " + taken + lost + "; " + without,
				Already: without + ", and neither does " + other + ", which held 10.0.0.12 before the action",
			}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := action.PlanWith(planUnassign)(t.Context(), threeInterfaces(c.holder, c.gone...), c.req)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, p.Words); diff != "" {
				t.Errorf("words (-want +got):\n%s", diff)
			}
		})
	}
}

// failing is a VPC of which the n-th reading of a kind fails.
type failing struct {
	*vpc
	err                       error
	existing, search, absence int
}

func (f *failing) count(n *int) error {
	*n--
	if *n == 0 {
		return f.err
	}
	return nil
}

func (f *failing) ExistingNetworkInterfaces(
	ctx context.Context, ids ...string,
) ([]ec2model.NetworkInterface, error) {
	if err := f.count(&f.existing); err != nil {
		return nil, err
	}
	return f.vpc.ExistingNetworkInterfaces(ctx, ids...)
}

func (f *failing) DescribeNetworkInterfacesWithAddress(
	ctx context.Context, vpc, address string,
) ([]ec2model.NetworkInterface, error) {
	if err := f.count(&f.search); err != nil {
		return nil, err
	}
	return f.vpc.DescribeNetworkInterfacesWithAddress(ctx, vpc, address)
}

func (f *failing) DescribeNetworkInterfaces(
	ctx context.Context, ids ...string,
) ([]ec2model.NetworkInterface, error) {
	if err := f.count(&f.absence); err != nil {
		return nil, err
	}
	return f.vpc.DescribeNetworkInterfaces(ctx, ids...)
}

// TestUnread: what can't be read is the answer, and nothing is taken for gone.
func TestUnread(t *testing.T) {
	busy := protocol.Refuse(protocol.Throttled, "EC2 is busy")
	answered := func(r action.Request) action.Request { r.Answered = true; return r }
	taken := func() action.Request {
		return undo(withHistory(ask(ours), live("x", third, other), live("k", other, mine)))
	}
	broken := undo(withHistory(ask(ours, "priorHolder", other)))
	broken.Past.History = func(string, string) ([]action.Recorded, error) { return nil, busy }
	for _, c := range []struct {
		name string
		r    Reader
		req  action.Request
	}{
		{"the interface", &failing{vpc: threeInterfaces(mine), existing: 1}, undo(ask(ours))},
		{"that it is gone", &failing{vpc: threeInterfaces("", mine), absence: 1}, undo(ask(ours))},
		{"who has the address", &failing{vpc: threeInterfaces(other), search: 1},
			undo(ask(ours, "priorHolder", other))},
		{"the history", threeInterfaces(mine), broken},
		{"that the prior holder is gone",
			&failing{vpc: threeInterfaces(mine, other), absence: 1}, taken()},
		{"that it is gone already", &failing{vpc: threeInterfaces("", other), absence: 1},
			answered(undo(ask(ours, "priorHolder", other)))},
	} {
		if f, ok := c.r.(*failing); ok {
			f.err = busy
		}
		_, err := action.PlanWith(planUnassign)(t.Context(), c.r, c.req)
		if !errors.Is(err, busy) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	req := withHistory(ask(ours), history.Entry{})
	req.Past.History = broken.Past.History
	if _, err := action.PlanWith(planAssign)(t.Context(), threeInterfaces(""),
		req); !errors.Is(err, busy) {
		t.Errorf("the history of what is assigned: %v", err)
	}
}

// TestGivenBackToWhomTheHistoryKnows: the one that the address goes back to need not be in the
// facts. It is read, and so is whether it can have the address.
func TestGivenBackToWhomTheHistoryKnows(t *testing.T) {
	entries := []history.Entry{
		withdrawn("x", third, other, 3, other), live("k", other, mine),
	}
	entries[1].Seq = 2
	for _, gone := range [][]string{nil, {third}} {
		v := threeInterfaces(mine, gone...)
		p, err := action.PlanWith(planUnassign)(t.Context(), v, undo(withHistory(ask(ours), entries...)))
		if err != nil {
			t.Fatal(err)
		}
		want := third
		if gone != nil {
			want = unassigned
		}
		if tr := p.Transitions[0]; tr.To != want {
			t.Errorf("%v: to %s, want %s", gone, tr.To, want)
		}
		if (p.Foresee != nil) != (gone == nil) {
			t.Errorf("%v: foreseen %t", gone, p.Foresee != nil)
		}
		for _, holder := range []string{mine, other, third} {
			v.holder = holder
			seen, err := p.Read(t.Context())
			if gone != nil && holder == third {
				holder = unassigned
			}
			if err != nil || seen.Values[0] != holder {
				t.Errorf("%v: read %v, %v; want %s", gone, seen.Values, err, holder)
			}
		}
	}
}
