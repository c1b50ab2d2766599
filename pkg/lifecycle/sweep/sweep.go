// Package sweep finds what launches and terminates left behind, and has it taken away.
//
// What it guarantees:
//
//   - Nothing is swept by one glance. A finding is noted in the table, and acted on once it was
//     noted long enough ago and is still the same. EC2 tells no time of an interface that waits, or
//     of an Elastic IP.
//   - Nothing is swept that a run is at work on: what is removed is removed under the claim of its
//     instance, and read once more under it.
//   - What could not be read is never taken for absent: nothing is swept in a region of which a
//     page or an item is unread, or that this identity has in another account.
//   - It changes nothing by itself. An instance that is gone is ended by the handler, as by the
//     event that nobody told it of. What is left then is removed by actions that the gate lets
//     through.
package sweep

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/gate"
	"aws-provider-executor/pkg/ledger/table"
	"aws-provider-executor/pkg/members"
	"aws-provider-executor/pkg/protocol"
	"aws-provider-executor/pkg/wildcard"
)

// Cloud is what a sweeper reads of one region.
type Cloud interface {
	// Account is the one that the region is read in.
	Account(ctx context.Context) (string, error)
	DescribeTaggedInterfaces(
		ctx context.Context, key, beginning string,
	) ([]ec2model.InterfaceDetail, error)
	DescribeTaggedAddresses(ctx context.Context, key, beginning string) ([]ec2model.Address, error)
	EachScalingInstance(ctx context.Context) ([]ec2model.ScalingInstance, error)
	DescribeInterface(ctx context.Context, id string) (ec2model.InterfaceDetail, error)
	DescribeAllocation(ctx context.Context, id string) (ec2model.Address, error)
	DescribeInstance(ctx context.Context, id string) (ec2model.Instance, error)
}

// Group is an Auto Scaling group that is swept. The zero Group is that of what no group is known
// of.
type Group struct{ Account, Region, Name string }

// ErrBusy says that another run is at work on an instance.
var ErrBusy = errors.New("a run is at work on the instance")

// Handler is what handles the events of a group.
type Handler interface {
	// Claim makes the caller the only one at work on an instance, until the context that it returns
	// ends. It fails with ErrBusy where another run is.
	Claim(
		ctx context.Context, g Group, instance string,
	) (held context.Context, release func(), err error)
	// Stage tells how far the launch or the terminate of an instance has come. It is empty where
	// none is known. Over reports whether nothing of it is to come.
	Stage(ctx context.Context, g Group, instance string) (stage string, over bool, err error)
	// End ends what is left of an instance that is gone, as the event of its end does.
	End(ctx context.Context, g Group, instance string) (said string, err error)
	// Resume handles an instance that waits in a state, as the event of its hook does.
	Resume(ctx context.Context, g Group, instance, state string) (said string, err error)
	// Remove has the gate carry out one action.
	Remove(ctx context.Context, g Group, p gate.Plan) (said string, err error)
}

// Kind is a kind of what is left behind.
type Kind string

// The kinds.
const (
	// Interface is an interface of this program that is attached to nothing.
	Interface Kind = "interface"
	// Address is an Elastic IP of this program that leads to nothing.
	Address Kind = "address"
	// Member is a member of a group whose instance is gone.
	Member Kind = "member"
	// Hook is an instance that waits at a lifecycle hook.
	Hook Kind = "hook"
	// Run is a launch or a terminate that is not over, and that nobody is at work on: the claim that
	// it had is expired.
	Run Kind = "run"
)

// Outcome is what became of a finding.
type Outcome string

// The outcomes.
const (
	// Noted is one that was seen for the first time, or is another than it was.
	Noted Outcome = "noted"
	// Young is one that was noted not long enough ago.
	Young Outcome = "young"
	// Busy is one that a run is at work on.
	Busy Outcome = "busy"
	// Due is one that a dry-run would act on.
	Due Outcome = "due"
	// Swept is one that is not there any more, or that the handler went on with.
	Swept Outcome = "swept"
	// Left is one that nothing is done about. Why says so.
	Left Outcome = "left"
	// Failed is one that could not be swept.
	Failed Outcome = "failed"
)

// Finding is one thing that was left behind.
type Finding struct {
	Kind     Kind   `json:"kind"`
	Account  string `json:"account"`
	Region   string `json:"region"`
	Group    string `json:"group,omitempty"`
	Instance string `json:"instance"`
	// Resource is the id of the interface or of the Elastic IP, or the instance's own.
	Resource string `json:"resource"`
	// State is how it was found.
	State string `json:"state"`
	// Since is when it was noted first, by the clock of the sweeper that did.
	Since   time.Time `json:"since"`
	Outcome Outcome   `json:"outcome"`
	Why     string    `json:"why,omitempty"`
	// Action and Key are of the request by which it is removed.
	Action string `json:"action,omitempty"`
	Key    string `json:"key,omitempty"`

	group Group
	gone  bool
	plan  gate.Plan
	// again reads it once more, and reports whether it is as it was found.
	again func(context.Context) (bool, error)
}

// Report is what one sweep found.
type Report struct {
	Findings []Finding `json:"findings"`
	// Unread says why a region, or a group, was not swept.
	Unread []string `json:"unread,omitempty"`
}

// Well reports whether all was read, and nothing is left that should have been swept.
func (r Report) Well() bool {
	return len(r.Unread) == 0 && !slices.ContainsFunc(r.Findings, func(f Finding) bool {
		return f.Outcome == Failed || f.Outcome == Left
	})
}

// Sweeper sweeps the regions of some groups.
type Sweeper struct {
	// Groups are those whose events are handled. In a name * stands for any text and ? for one
	// character: of such groups that count which Auto Scaling, or a tag, shows.
	Groups  []Group
	Open    func(ctx context.Context, region string) (Cloud, error)
	Table   table.Backend
	Handler Handler
	// Quiet is for how long a finding has to stand.
	Quiet time.Duration
	Now   func() time.Time
}

// DefaultQuiet is longer than a launch takes whose steps are each tried again for their time.
const DefaultQuiet = 30 * time.Minute

// Sweep looks at every region, and acts on what stood for long enough. A dry one writes nothing and
// has nothing done.
func (s *Sweeper) Sweep(ctx context.Context, dry bool) Report {
	r := Report{Findings: []Finding{}}
	for _, at := range s.places() {
		found, err := s.region(ctx, at, dry)
		if err != nil {
			r.Unread = append(r.Unread, fmt.Sprintf("%s of %s: %s; nothing was swept there", at.Region,
				at.Account, err))
			continue
		}
		r.Findings = append(r.Findings, found...)
	}
	return r
}

// places are the accounts and regions of the groups, in order, as groups without names.
func (s *Sweeper) places() []Group {
	var all []Group
	for _, g := range s.Groups {
		if at := (Group{Account: g.Account, Region: g.Region}); !slices.Contains(all, at) {
			all = append(all, at)
		}
	}
	slices.SortFunc(all, func(a, b Group) int {
		return cmp.Or(strings.Compare(a.Account, b.Account), strings.Compare(a.Region, b.Region))
	})
	return all
}

// region sweeps one region. An error means that something is unread, and that nothing was done.
func (s *Sweeper) region(ctx context.Context, at Group, dry bool) ([]Finding, error) {
	cloud, err := s.Open(ctx, at.Region)
	if err != nil {
		return nil, err
	}
	if account, err := cloud.Account(ctx); err != nil || account != at.Account {
		return nil, cmp.Or(err, fmt.Errorf("this identity is of the account %s", account))
	}
	l := &look{Sweeper: s, cloud: cloud, at: at, instances: map[string]instance{}}
	if err := l.read(ctx); err != nil {
		return nil, err
	}
	n := notes{s.Table, "sweep/" + at.Account + "/" + at.Region}
	known, err := n.read(ctx)
	if err != nil {
		return nil, err
	}
	due, err := n.hold(ctx, l.found, known, s.Now(), s.Quiet, dry)
	if err != nil {
		return nil, err
	}
	b := &broom{s.Handler, map[string]Finding{}}
	for _, i := range due {
		if dry {
			l.found[i].Outcome = Due
		} else {
			b.act(ctx, &l.found[i])
		}
	}
	return l.found, nil
}

// broom acts on the findings of one region.
type broom struct {
	Handler
	// ended tells of each instance that was ended how that came out.
	ended map[string]Finding
}

// act acts on a finding that stood for long enough.
func (b *broom) act(ctx context.Context, f *Finding) {
	switch {
	case f.group.Name == "":
		f.Outcome, f.Why = Left, "no group of the configuration is known to have launched "+f.Instance+
			"; look whose it is, and remove it by hand"
		return
	case f.gone:
		was, ended := b.ended[f.Instance]
		if !ended {
			was.is(b.End(ctx, f.group, f.Instance))
			b.ended[f.Instance] = was
		}
		if f.Outcome, f.Why = was.Outcome, was.Why; f.Outcome != Swept || f.Action == "" {
			return
		}
		// The handler knows what it has a record of. What is left is known by its tag alone.
	case f.Kind == Hook || f.Kind == Run:
		f.is(b.Resume(ctx, f.group, f.Instance, f.State))
		return
	}
	b.remove(ctx, f)
}

// remove has one thing removed under the claim of its instance, if it is still as it was found.
func (b *broom) remove(ctx context.Context, f *Finding) {
	held, release, err := b.Claim(ctx, f.group, f.Instance)
	if err != nil {
		f.is("", err)
		return
	}
	defer release()
	stage, over, err := b.Stage(held, f.group, f.Instance)
	if err == nil && stage != "" && !over && !f.gone {
		f.Outcome, f.Why = Left, "the run of "+f.Instance+" is "+stage+", and not over: what it made is "+
			"the run's to finish or to undo"
		return
	}
	same := false
	if err == nil {
		same, err = f.again(held)
	}
	switch {
	case err != nil:
		f.is("", err)
	case !same && f.gone:
		f.Outcome = Swept
	case !same:
		f.Outcome, f.Why = Noted, "it is not as it was found any more"
	default:
		f.is(b.Remove(held, f.group, f.plan))
	}
}

// is takes what became of a finding.
func (f *Finding) is(said string, err error) {
	switch {
	case errors.Is(err, ErrBusy):
		f.Outcome, f.Why = Busy, err.Error()
	case err != nil:
		f.Outcome, f.Why = Failed, err.Error()
	default:
		f.Outcome, f.Why = Swept, said
	}
}

// instance is what is known of an instance.
type instance struct {
	ec2model.Instance
	gone bool
}

// look is one look at a region.
type look struct {
	*Sweeper
	cloud     Cloud
	at        Group
	groups    []Group
	scaling   []ec2model.ScalingInstance
	members   map[Group][]members.Member
	instances map[string]instance
	found     []Finding
}

// read finds all that is left behind. An error means that not all was read.
func (l *look) read(ctx context.Context) error {
	var err error
	if l.scaling, err = l.cloud.EachScalingInstance(ctx); err != nil {
		return err
	}
	l.findGroups()
	if err := l.readMembers(ctx); err != nil {
		return err
	}
	for _, find := range []func(context.Context) error{
		l.interfaces, l.addresses, l.gone, l.waiting,
	} {
		if err := find(ctx); err != nil {
			return err
		}
	}
	slices.SortStableFunc(l.found, func(a, b Finding) int {
		return cmp.Or(strings.Compare(a.Instance, b.Instance), strings.Compare(a.Resource, b.Resource))
	})
	return nil
}

// findGroups finds the groups of the region that are known by their names.
func (l *look) findGroups() {
	for _, g := range l.Groups {
		if g.Account == l.at.Account && g.Region == l.at.Region && !strings.ContainsAny(g.Name, "*?") {
			l.groups = append(l.groups, g)
		}
	}
	for _, s := range l.scaling {
		if g := l.groupNamed(s.Group); g.Name != "" && !slices.Contains(l.groups, g) {
			l.groups = append(l.groups, g)
		}
	}
}

// groupNamed is the group of a name. It is empty if the configuration has none.
func (l *look) groupNamed(name string) Group {
	for _, g := range l.Groups {
		if g.Account == l.at.Account && g.Region == l.at.Region && name != "" &&
			wildcard.Plain.Match(g.Name, name) {
			return Group{g.Account, g.Region, name}
		}
	}
	return Group{}
}

func (l *look) readMembers(ctx context.Context) error {
	l.members = map[Group][]members.Member{}
	for _, g := range l.groups {
		all, _, err := members.New(l.Table, g.Account, g.Region, g.Name).Read(ctx)
		if err != nil {
			return fmt.Errorf("the members of %s: %w", g.Name, err)
		}
		l.members[g] = all
	}
	return nil
}

// interfaces finds those that were made for an instance and are attached to nothing.
func (l *look) interfaces(ctx context.Context) error {
	all, err := l.cloud.DescribeTaggedInterfaces(ctx, ec2model.Slot, "")
	if err != nil {
		return err
	}
	for _, n := range all {
		of := strings.Split(n.Tags[ec2model.Slot], "/")
		if !idle(n) || len(of) != 3 {
			continue
		}
		err := l.add(ctx, Finding{
			Kind: Interface, Instance: of[0], Resource: n.ID, State: "available, " + n.Tags[ec2model.Slot],
			Action: "remove-network-interface",
			plan: l.plan("remove-network-interface", of[0], of[1], n.ID, of[2], map[string]string{
				"priorInterface": "absent", "networkInterfaceRef": n.ID, "interfaceToken": of[2]}),
			again: func(ctx context.Context) (bool, error) {
				now, err := l.cloud.DescribeInterface(ctx, n.ID)
				if isAbsent(err) {
					return false, nil
				}
				return err == nil && idle(now) && now.Tags[ec2model.Slot] == n.Tags[ec2model.Slot], err
			},
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// idle reports whether an interface is attached to nothing, and not on its way there.
func idle(n ec2model.InterfaceDetail) bool {
	return n.Status == "available" && n.InstanceID == "" && n.Attachment == ""
}

// addresses finds the Elastic IPs that were allocated for an instance and lead to nothing.
func (l *look) addresses(ctx context.Context) error {
	all, err := l.cloud.DescribeTaggedAddresses(ctx, ec2model.PublicAddress, "")
	if err != nil {
		return err
	}
	for _, a := range all {
		mark := a.Tags[ec2model.PublicAddress]
		of := strings.Split(mark, "/")
		if a.AssociationID != "" || len(of) != 5 {
			continue
		}
		err := l.add(ctx, Finding{
			Kind: Address, Instance: of[0], Resource: a.AllocationID, State: "unassociated, " + mark,
			Action: "remove-public-address",
			plan: l.plan("remove-public-address", of[0], of[1], a.AllocationID, of[4],
				map[string]string{"priorPublicAddress": "absent", "networkInterfaceRef": of[2],
					"privateAddress": of[3], "publicAddressToken": of[4], "allocationRef": a.AllocationID}),
			again: func(ctx context.Context) (bool, error) {
				now, err := l.cloud.DescribeAllocation(ctx, a.AllocationID)
				if isAbsent(err) {
					return false, nil
				}
				return err == nil && now.AssociationID == "" &&
					now.Tags[ec2model.PublicAddress] == mark, err
			},
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// plan is the request that removes a resource. Its key is a function of what is swept.
func (l *look) plan(verb, instance, index, id, token string, given map[string]string) gate.Plan {
	return gate.Plan{
		Name: "sweep of " + id, Description: id + " was left behind by a launch of " + instance,
		Provider: "aws", Action: verb, Parameters: given,
		Target: map[string]string{"instanceRef": instance, "deviceIndex": index, "region": l.at.Region},
		IdempotencyKey: strings.Join(
			[]string{"sweep", l.at.Account, l.at.Region, instance, id, token}, "/"),
	}
}

// gone finds the members whose instance is gone.
func (l *look) gone(ctx context.Context) error {
	for g, all := range l.members {
		for _, m := range all {
			i, err := l.instance(ctx, m.Instance)
			if err != nil {
				return err
			}
			if !i.gone {
				continue
			}
			err = l.add(ctx, Finding{Kind: Member, Instance: m.Instance, Resource: m.Instance,
				Group: g.Name, State: m.State})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// waiting finds the instances that wait at a lifecycle hook, and those in service whose launch is
// not over. How long one was launched ago is AWS's own word: a young one is not found.
func (l *look) waiting(ctx context.Context) error {
	for _, s := range l.scaling {
		g := l.groupNamed(s.Group)
		if g.Name == "" {
			continue
		}
		kind := Hook
		if !strings.HasSuffix(s.State, ":Wait") {
			stage, over, err := l.Handler.Stage(ctx, g, s.ID)
			if err != nil {
				return fmt.Errorf("how far the launch of %s has come: %w", s.ID, err)
			}
			if stage == "" || over {
				continue
			}
			kind = Run
		}
		i, err := l.instance(ctx, s.ID)
		if err != nil {
			return err
		}
		if strings.HasPrefix(s.State, "Pending") && l.Now().Sub(i.Launched) < l.Quiet {
			continue
		}
		err = l.add(ctx, Finding{Kind: kind, Instance: s.ID, Resource: s.ID, State: s.State})
		if err != nil {
			return err
		}
	}
	return nil
}

// add adds a finding, with the group of its instance and with whether that is gone.
func (l *look) add(ctx context.Context, f Finding) error {
	i, err := l.instance(ctx, f.Instance)
	if err != nil {
		return err
	}
	if f.group, err = l.groupOf(ctx, i, f.Instance); err != nil {
		return err
	}
	f.Account, f.Region, f.Group, f.gone = l.at.Account, l.at.Region, f.group.Name, i.gone
	f.Key = f.plan.IdempotencyKey
	if i.gone {
		f.State += ", the instance is gone"
	}
	l.found = append(l.found, f)
	return nil
}

// instance reads an instance, once. One that EC2 does not know, or shows as terminated, is gone.
func (l *look) instance(ctx context.Context, id string) (instance, error) {
	if i, read := l.instances[id]; read {
		return i, nil
	}
	got, err := l.cloud.DescribeInstance(ctx, id)
	i := instance{got, got.State == "terminated"}
	if isAbsent(err) {
		i, err = instance{gone: true}, nil
	}
	if err == nil {
		l.instances[id] = i
	}
	return i, err
}

// groupOf is the group that launched an instance, by Auto Scaling, by the members, by the
// instance's own tag, or by what the handler has of it.
func (l *look) groupOf(ctx context.Context, i instance, id string) (Group, error) {
	for _, s := range l.scaling {
		if s.ID == id {
			return l.groupNamed(s.Group), nil
		}
	}
	for g, all := range l.members {
		if slices.ContainsFunc(all, func(m members.Member) bool { return m.Instance == id }) {
			return g, nil
		}
	}
	if name := i.Tags["aws:autoscaling:groupName"]; name != "" {
		return l.groupNamed(name), nil
	}
	for _, g := range l.groups {
		stage, _, err := l.Handler.Stage(ctx, g, id)
		if err != nil || stage != "" {
			return g, err
		}
	}
	return Group{}, nil
}

// isAbsent reports whether something was read not to exist.
func isAbsent(err error) bool {
	var f *protocol.Failure
	return errors.As(err, &f) && f.Class == protocol.NotFound
}
