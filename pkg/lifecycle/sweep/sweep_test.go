package sweep

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/gate"
	"aws-provider-executor/pkg/ledger/table"
	"aws-provider-executor/pkg/members"
	"aws-provider-executor/pkg/protocol"
)

const (
	account = "111122223333"
	region  = "eu-west-1"
	machine = "i-0a0000000000000b1"
	nic     = "eni-0a0000000000000b1"
	eip     = "eipalloc-0a0000000000000b1"
	token   = "2f1d8c0a9b3e4d5f6a7b8c9d0e1f2a3b"
)

var edge = Group{account, region, "edge"}

// world is a region, a handler, and a table. What is handled and removed is noted.
type world struct {
	account    string
	interfaces []ec2model.InterfaceDetail
	addresses  []ec2model.Address
	scaling    []ec2model.ScalingInstance
	instances  map[string]ec2model.Instance
	table      *table.Memory
	now        time.Time

	// broken is the reading that fails.
	broken string
	busy   bool
	stage  string
	over   bool
	// claimed is called once a claim is had.
	claimed func()
	did     []string
	fails   error
}

func newWorld() *world {
	return &world{
		account: account, table: table.NewMemory(), now: time.Unix(1_790_000_000, 0),
		instances: map[string]ec2model.Instance{},
	}
}

func (w *world) reads(what string) error {
	if w.broken == what {
		return protocol.Refuse(protocol.Throttled, "%s can't be read", what)
	}
	return nil
}

func (w *world) Account(context.Context) (string, error) { return w.account, nil }

func (w *world) DescribeTaggedInterfaces(
	_ context.Context, key, _ string,
) ([]ec2model.InterfaceDetail, error) {
	if key != ec2model.Slot {
		return nil, errors.New("asked for " + key)
	}
	return w.interfaces, w.reads("interfaces")
}

func (w *world) DescribeTaggedAddresses(
	_ context.Context, key, _ string,
) ([]ec2model.Address, error) {
	if key != ec2model.PublicAddress {
		return nil, errors.New("asked for " + key)
	}
	return w.addresses, w.reads("addresses")
}

func (w *world) EachScalingInstance(context.Context) ([]ec2model.ScalingInstance, error) {
	return w.scaling, w.reads("scaling")
}

func (w *world) DescribeInterface(
	_ context.Context, id string,
) (ec2model.InterfaceDetail, error) {
	for _, n := range w.interfaces {
		if n.ID == id {
			return n, w.reads("interface")
		}
	}
	return ec2model.InterfaceDetail{}, protocol.Refuse(protocol.NotFound, "no")
}

func (w *world) DescribeAllocation(_ context.Context, id string) (ec2model.Address, error) {
	for _, a := range w.addresses {
		if a.AllocationID == id {
			return a, w.reads("address")
		}
	}
	return ec2model.Address{}, protocol.Refuse(protocol.NotFound, "no")
}

func (w *world) DescribeInstance(_ context.Context, id string) (ec2model.Instance, error) {
	i, there := w.instances[id]
	if !there {
		return i, protocol.Refuse(protocol.NotFound, "no")
	}
	return i, w.reads("instance")
}

func (w *world) Claim(
	ctx context.Context, _ Group, _ string,
) (context.Context, func(), error) {
	if w.busy {
		return nil, nil, ErrBusy
	}
	if w.claimed != nil {
		w.claimed()
	}
	return ctx, func() { w.did = append(w.did, "release") }, nil
}

func (w *world) Stage(context.Context, Group, string) (string, bool, error) {
	return w.stage, w.over, w.reads("stage")
}

func (w *world) End(_ context.Context, g Group, instance string) (string, error) {
	w.did = append(w.did, "end "+g.Name+" "+instance)
	return "ended", w.fails
}

func (w *world) Resume(_ context.Context, g Group, instance, state string) (string, error) {
	w.did = append(w.did, "resume "+g.Name+" "+instance+" "+state)
	return "resumed", w.fails
}

func (w *world) Remove(_ context.Context, g Group, p gate.Plan) (string, error) {
	w.did = append(w.did, "remove "+g.Name+" "+p.Action+" "+p.IdempotencyKey)
	return "removed", w.fails
}

// left is an interface of the machine that is attached to nothing.
func left() ec2model.InterfaceDetail {
	return ec2model.InterfaceDetail{
		NetworkInterface: ec2model.NetworkInterface{ID: nic}, Status: "available",
		Tags: map[string]string{ec2model.Slot: machine + "/1/" + token},
	}
}

// lost is an Elastic IP of the machine that leads to nothing.
func lost() ec2model.Address {
	return ec2model.Address{AllocationID: eip, Tags: map[string]string{
		ec2model.PublicAddress: machine + "/1/" + nic + "/10.0.0.9/" + token}}
}

// runs has the machine run in the group, in a state of it, since long ago.
func (w *world) runs(state string) {
	w.instances[machine] = ec2model.Instance{ID: machine, State: "running",
		Launched: w.now.Add(-24 * time.Hour)}
	w.scaling = []ec2model.ScalingInstance{{ID: machine, Group: "edge", State: state}}
}

func (w *world) sweeps(dry bool) Report {
	s := &Sweeper{
		Groups: []Group{edge}, Table: w.table, Handler: w, Quiet: time.Hour,
		Open: func(context.Context, string) (Cloud, error) { return w, nil },
		Now:  func() time.Time { return w.now },
	}
	return s.Sweep(context.Background(), dry)
}

// outcomes are those of a report, by kinds.
func outcomes(r Report) string {
	var all []string
	for _, f := range r.Findings {
		all = append(all, string(f.Kind)+" "+string(f.Outcome))
	}
	return strings.Join(append(all, r.Unread...), ", ")
}

func (w *world) member(t *testing.T) {
	t.Helper()
	g := members.New(w.table, account, region, "edge")
	if err := errors.Join(g.Join(t.Context(), machine, "10.0.0.9"),
		g.Ready(t.Context(), machine)); err != nil {
		t.Fatal(err)
	}
}

const (
	removeNIC = "remove edge remove-network-interface sweep/" + account + "/" + region + "/" +
		machine + "/" + nic + "/" + token
	removeEIP = "remove edge remove-public-address sweep/" + account + "/" + region + "/" +
		machine + "/" + eip + "/" + token
)

// TestSweep: what is found, when, and what is done about it. Each world is looked at, looked at
// again after half an hour, and a third time after an hour.
func TestSweep(t *testing.T) {
	for _, c := range []struct {
		name   string
		set    func(*testing.T, *world)
		thirds func(*world) // what happens before the third look
		want   [3]string
		did    []string
	}{
		{"nothing is left", func(_ *testing.T, w *world) { w.runs("InService") }, nil,
			[3]string{"", "", ""}, nil},
		{"an interface of an instance that runs", func(_ *testing.T, w *world) {
			w.runs("InService")
			w.interfaces = append(w.interfaces, left())
		}, nil, [3]string{"interface noted", "interface young", "interface swept"},
			[]string{removeNIC, "release"}},
		{"an Elastic IP of an instance that runs", func(_ *testing.T, w *world) {
			w.runs("InService")
			w.addresses = append(w.addresses, lost())
		}, nil, [3]string{"address noted", "address young", "address swept"},
			[]string{removeEIP, "release"}},
		{"what is in use", func(_ *testing.T, w *world) {
			w.runs("InService")
			n, a := left(), lost()
			n.Status, n.InstanceID, n.Attachment, a.AssociationID = "in-use", machine, "attached", "x"
			made := left()
			made.Status = "pending"
			w.interfaces, w.addresses = append(w.interfaces, n, made), append(w.addresses, a)
		}, nil, [3]string{"", "", ""}, nil},
		{"L10 L16 an instance that was killed, and no event", func(t *testing.T, w *world) {
			w.member(t)
			w.interfaces, w.addresses = append(w.interfaces, left()), append(w.addresses, lost())
		}, nil, [3]string{"address noted, interface noted, member noted",
			"address young, interface young, member young",
			"address swept, interface swept, member swept"},
			[]string{"end edge " + machine, removeEIP, "release", removeNIC, "release"}},
		{"an instance that EC2 shows as terminated", func(t *testing.T, w *world) {
			w.member(t)
			w.instances[machine] = ec2model.Instance{ID: machine, State: "terminated"}
		}, nil, [3]string{"member noted", "member young", "member swept"},
			[]string{"end edge " + machine}},
		{"the handler removed it all", func(t *testing.T, w *world) {
			w.member(t)
			w.interfaces = append(w.interfaces, left())
		}, func(w *world) { w.claimed = func() { w.interfaces = nil } },
			[3]string{"interface noted, member noted", "interface young, member young",
				"interface swept, member swept"},
			[]string{"end edge " + machine, "release"}},
		{"the handler can't end it", func(t *testing.T, w *world) {
			w.member(t)
			w.interfaces, w.fails = append(w.interfaces, left()), errors.New("denied")
		}, nil, [3]string{"interface noted, member noted", "interface young, member young",
			"interface failed, member failed"}, []string{"end edge " + machine}},
		{"a lost event of a hook", func(_ *testing.T, w *world) { w.runs("Pending:Wait") }, nil,
			[3]string{"hook noted", "hook young", "hook swept"},
			[]string{"resume edge " + machine + " Pending:Wait"}},
		{"a lost event of the other hook", func(_ *testing.T, w *world) { w.runs("Terminating:Wait") },
			nil, [3]string{"hook noted", "hook young", "hook swept"},
			[]string{"resume edge " + machine + " Terminating:Wait"}},
		{"a hook goes on", func(_ *testing.T, w *world) { w.runs("Pending:Wait") },
			func(w *world) { w.runs("InService") }, [3]string{"hook noted", "hook young", ""}, nil},
		{"a launch that nobody finishes", func(_ *testing.T, w *world) {
			w.runs("InService")
			w.stage = "begun"
		}, nil, [3]string{"run noted", "run young", "run swept"},
			[]string{"resume edge " + machine + " InService"}},
		{"a launch under way", func(_ *testing.T, w *world) {
			w.runs("Pending:Wait")
			w.instances[machine] = ec2model.Instance{ID: machine, Launched: w.now.Add(2 * time.Minute)}
			w.interfaces, w.stage, w.busy = append(w.interfaces, left()), "begun", true
		}, nil, [3]string{"interface noted", "interface young", "interface busy"}, nil},
		{"a launch that is begun, and no run at work", func(_ *testing.T, w *world) {
			w.instances[machine] = ec2model.Instance{ID: machine, State: "running",
				Tags: map[string]string{"aws:autoscaling:groupName": "edge"}}
			w.interfaces, w.stage = append(w.interfaces, left()), "begun"
		}, nil, [3]string{"interface noted", "interface young", "interface left"},
			[]string{"release"}},
		{"a launch attaches it just now", func(_ *testing.T, w *world) {
			w.runs("InService")
			w.interfaces, w.stage, w.over = append(w.interfaces, left()), "continued", true
		}, func(w *world) { w.claimed = func() { w.interfaces[0].Attachment = "attaching" } },
			[3]string{"interface noted", "interface young", "interface noted"}, []string{"release"}},
		{"it was in use meanwhile, for another action", func(_ *testing.T, w *world) {
			w.runs("InService")
			w.interfaces = append(w.interfaces, left())
		}, func(w *world) {
			w.interfaces[0].Tags[ec2model.Slot] = machine + "/1/" + token[1:] + "0"
		},
			[3]string{"interface noted", "interface young", "interface noted"}, nil},
		{"nobody knows whose it is", func(_ *testing.T, w *world) {
			w.interfaces = append(w.interfaces, left())
		}, nil, [3]string{"interface noted", "interface young", "interface left"}, nil},
		{"of a group that is not configured", func(_ *testing.T, w *world) {
			w.runs("Pending:Wait")
			w.scaling[0].Group = "other"
			w.interfaces = append(w.interfaces, left())
		}, nil, [3]string{"interface noted", "interface young", "interface left"}, nil},
		{"another account's identity", func(t *testing.T, w *world) {
			w.member(t)
			w.account = "444455556666"
		}, nil, [3]string{other, other, other}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld()
			c.set(t, w)
			var got [3]string
			for i, after := range []time.Duration{0, 30 * time.Minute, 31 * time.Minute} {
				w.now = w.now.Add(after)
				if i == 2 && c.thirds != nil {
					c.thirds(w)
				}
				got[i] = outcomes(w.sweeps(false))
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Errorf("(-want +got)\n%s", d)
			}
			if d := cmp.Diff(c.did, w.did); d != "" {
				t.Errorf("it did (-want +got)\n%s", d)
			}
		})
	}
}

const other = region + " of " + account + ": this identity is of the account 444455556666;" +
	" nothing was swept there"

// TestL6UnreadSweepsNothing: whatever can't be read, nothing is swept, noted or forgotten.
func TestL6UnreadSweepsNothing(t *testing.T) {
	for _, what := range []string{
		"interfaces", "addresses", "scaling", "instance", "stage", "table",
	} {
		t.Run(what, func(t *testing.T) {
			w := newWorld()
			w.runs("InService")
			w.interfaces, w.addresses = append(w.interfaces, left()), append(w.addresses, lost())
			w.member(t)
			w.sweeps(false)
			w.now = w.now.Add(2 * time.Hour)
			w.broken = what
			s := &Sweeper{Groups: []Group{edge}, Table: w.table, Handler: w, Quiet: time.Hour,
				Open: func(context.Context, string) (Cloud, error) { return w, nil },
				Now:  func() time.Time { return w.now }}
			if what == "table" {
				s.Table = unread{w.table}
			}
			r := s.Sweep(t.Context(), false)
			if len(r.Unread) != 1 || len(r.Findings) != 0 || r.Well() || len(w.did) != 0 {
				t.Errorf("%+v, it did %v", r, w.did)
			}
			w.broken = ""
			if got := outcomes(w.sweeps(false)); got != "address swept, interface swept" {
				t.Errorf("once it is read: %s", got)
			}
		})
	}
}

// unread is a table that can't be read.
type unread struct{ table.Backend }

func (unread) Read(context.Context, []table.Place) (map[table.Place]table.Item, error) {
	return nil, errors.New("throttled")
}

func (unread) List(context.Context, string) ([]string, error) {
	return nil, errors.New("throttled")
}

// TestNotes: what is noted counts from its first look, and anew once it was away. A clock that was
// put back, and a dry run, count for nothing.
func TestNotes(t *testing.T) {
	w := newWorld()
	w.runs("InService")
	w.interfaces = append(w.interfaces, left())
	step := func(what string, after time.Duration, dry bool, want string) {
		t.Helper()
		w.now = w.now.Add(after)
		if got := outcomes(w.sweeps(dry)); got != want {
			t.Errorf("%s: %s, want %s", what, got, want)
		}
	}
	step("a dry run", 0, true, "interface noted")
	step("the first look", 2*time.Hour, false, "interface noted")
	step("the clock goes back", -24*time.Hour, false, "interface noted")
	step("it goes on", time.Minute, false, "interface young")
	away := w.interfaces
	w.interfaces = nil
	step("it is away", 2*time.Hour, false, "")
	w.interfaces = away
	step("it is there again", time.Minute, false, "interface noted")
	step("a dry run, later", 2*time.Hour, true, "interface due")
	if len(w.did) != 0 {
		t.Errorf("it did %v", w.did)
	}
	step("the last look", 0, false, "interface swept")
	// The same thing is removed under the same key, however often.
	step("once more", time.Minute, false, "interface swept")
	if d := cmp.Diff([]string{removeNIC, "release", removeNIC, "release"}, w.did); d != "" {
		t.Error(d)
	}
}

// TestPatterns: a group whose name is a pattern is swept by the names that Auto Scaling shows.
func TestPatterns(t *testing.T) {
	w := newWorld()
	w.runs("Pending:Wait")
	s := &Sweeper{Groups: []Group{{account, region, "ed*"}}, Table: w.table, Handler: w, Quiet: 0,
		Open: func(context.Context, string) (Cloud, error) { return w, nil },
		Now:  func() time.Time { return w.now }}
	s.Sweep(t.Context(), false)
	if r := s.Sweep(t.Context(), false); outcomes(r) != "hook swept" || !r.Well() {
		t.Errorf("%+v", r)
	}
}

// TestText: the table has a line a finding, and says why.
func TestText(t *testing.T) {
	r := Report{Unread: []string{"eu-west-2: throttled"}, Findings: []Finding{{
		Kind: Interface, Resource: nic, Instance: machine, State: "available", Outcome: Left,
		Since: time.Unix(1_790_000_000, 0), Why: "nobody knows whose it is"}}}
	var b strings.Builder
	if err := r.Text(&b); err != nil {
		t.Fatal(err)
	}
	want := "OUTCOME  KIND       RESOURCE               INSTANCE             GROUP  SINCE" +
		"                 STATE\n" +
		"left     interface  eni-0a0000000000000b1  i-0a0000000000000b1  -      2026-09-21T14:13:20Z" +
		"  available\n" + `eni-0a0000000000000b1: nobody knows whose it is
unread: eu-west-2: throttled
`
	if d := cmp.Diff(want, b.String()); d != "" {
		t.Error(d)
	}
}
