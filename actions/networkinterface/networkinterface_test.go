package networkinterface

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/history"
	"aws-provider-executor/pkg/protocol"
)

const (
	machine = "i-0123456789abcdef0"
	nic     = "eni-0123456789abcdef0"
	other   = "eni-0123456789abcdef1"
	subnet  = "subnet-0123456789abcdef0"
	group   = "sg-0123456789abcdef0"
)

var (
	own    = action.NewToken("k", false)[:16] + "0000000000000001"
	theirs = action.NewToken("k2", false)[:16] + "0000000000000002"
	on     = true
)

// cloud is what a plan reads.
type cloud struct {
	ec2model.Instance
	tagged []ec2model.InterfaceDetail
	// there is an interface that nobody made for the slot.
	there  ec2model.InterfaceDetail
	subnet ec2model.Subnet
	denied bool
	holder string
}

func (c *cloud) DescribeInstance(context.Context, string) (ec2model.Instance, error) {
	return c.Instance, nil
}

func (c *cloud) DescribeInterface(
	_ context.Context, id string,
) (ec2model.InterfaceDetail, error) {
	if c.there.ID != id {
		return c.there, protocol.Refuse(protocol.NotFound, "no")
	}
	return c.there, nil
}

func (c *cloud) DescribeTaggedInterfaces(
	_ context.Context, key, beginning string,
) ([]ec2model.InterfaceDetail, error) {
	if key != ec2model.Slot || beginning != machine+"/1/" {
		return nil, errors.New("asked for " + key + "=" + beginning)
	}
	return c.tagged, nil
}

func (c *cloud) DescribeSubnet(context.Context, string) (ec2model.Subnet, error) {
	if c.denied {
		return c.subnet, protocol.Refuse(protocol.Authorization, "no")
	}
	return c.subnet, nil
}

func (c *cloud) DescribeNetworkInterfacesWithAddress(
	context.Context, string, string,
) ([]ec2model.NetworkInterface, error) {
	if c.holder == "" {
		return nil, nil
	}
	return []ec2model.NetworkInterface{{ID: c.holder}}, nil
}

func running() *cloud {
	return &cloud{
		Instance: ec2model.Instance{ID: machine, Zone: "eu-west-1a", State: "running"},
		subnet:   ec2model.Subnet{ID: subnet, CIDR: "10.0.0.0/24", Free: 9},
	}
}

// detail is an interface as asked for, made by a token, in a state of attachment; empty for none.
func detail(id, token, attachment string) ec2model.InterfaceDetail {
	n := ec2model.InterfaceDetail{
		NetworkInterface: ec2model.NetworkInterface{ID: id, SubnetID: subnet, SourceDestCheck: &on,
			Primary: "10.0.0.9", Secondary: []string{"10.0.0.10"}},
		Groups: []string{group}, DeleteOnTermination: true, Attachment: attachment,
	}
	if attachment != "" {
		n.InstanceID, n.DeviceIndex, n.AttachmentID = machine, 1, "eni-attach-1"
	}
	if token != "" {
		n.Tags = map[string]string{ec2model.Slot: machine + "/1/" + token}
	}
	return n
}

func request(parameters map[string]string, entries ...history.Entry) action.Request {
	past := &action.Past{Key: "k"}
	var all []action.Recorded
	for i, e := range entries {
		e.Seq = int64(i + 1)
		r := action.Recorded{Entry: e, Resource: machine, Attribute: "interface:1"}
		all = append(all, r)
		if e.Key == "k" {
			past.Own = append(past.Own, r)
		}
	}
	past.History = func(_, attribute string) ([]action.Recorded, error) {
		if attribute != "interface:1" {
			return nil, nil
		}
		return all, nil
	}
	given := action.Merge(map[string]string{"subnet.eu-west-1a": subnet, paramGroups: group},
		parameters)
	return action.Request{Parameters: given, Past: past, Durable: true, Target: map[string]string{
		"instanceRef": machine, "deviceIndex": "1", "region": "eu-west-1"}}
}

func classOf(err error) protocol.FailureClass {
	var f *protocol.Failure
	if !errors.As(err, &f) {
		return ""
	}
	return f.Class
}

func entry(key, from, to string, state history.State) history.Entry {
	return history.Entry{Key: key, From: from, To: to, Via: strings.Replace(to, present, made, 1),
		State: state}
}

// TestEnsure: what a request comes to, by what is in the slot and what is made for it.
func TestEnsure(t *testing.T) {
	elsewhere := detail(nic, own, "attached")
	elsewhere.DeviceIndex = 2
	for _, c := range []struct {
		name    string
		edit    func(*cloud)
		entries []history.Entry
		given   map[string]string
		class   protocol.FailureClass
		// now and to are those of the slot, without the token; keeps means that nothing is to be made.
		from, to, now string
		keeps         bool
	}{
		{name: "nothing is there", from: absent, now: absent, to: present},
		{name: "an own one is made, and no record tells", from: absent, now: made, to: present,
			edit: func(c *cloud) { c.tagged = append(c.tagged, detail(nic, own, "")) }},
		{name: "an own one is being attached", from: absent, now: made, to: present,
			edit:    func(c *cloud) { c.tagged = append(c.tagged, detail(nic, own, "attaching")) },
			entries: []history.Entry{entry("k", absent, present+own, history.Pending)}},
		{name: "an own one is there", from: absent, now: present, to: present,
			edit:    func(c *cloud) { c.tagged = append(c.tagged, detail(nic, own, "attached")) },
			entries: []history.Entry{entry("k", absent, present+own, history.Live)}},
		{name: "an own one has another group", class: protocol.Conflict,
			edit: func(c *cloud) {
				n := detail(nic, own, "attached")
				n.Groups = []string{"sg-0"}
				c.tagged = append(c.tagged, n)
			}},
		{name: "an own one is elsewhere", class: protocol.Conflict,
			edit: func(c *cloud) { c.tagged = append(c.tagged, elsewhere) }},
		{name: "two own ones", class: protocol.Conflict, edit: func(c *cloud) {
			c.tagged = append(c.tagged, detail(nic, own, "attached"), detail(other, own, ""))
		}},
		{name: "another action's is there", from: present, now: present, to: present, keeps: true,
			edit: func(c *cloud) { c.tagged = append(c.tagged, detail(nic, theirs, "attached")) }},
		{name: "another action's is not attached", class: protocol.Conflict,
			edit: func(c *cloud) { c.tagged = append(c.tagged, detail(nic, theirs, "")) }},
		{name: "somebody else's is there", from: other, now: other, to: other, keeps: true,
			edit: func(c *cloud) { c.occupied(detail(other, "", "attached")) }},
		{name: "somebody else's is going", class: protocol.Unavailable,
			edit: func(c *cloud) { c.occupied(detail(other, "", "detaching")) }},
		{name: "somebody else's lets nothing through", class: protocol.Conflict,
			edit:  func(c *cloud) { c.occupied(detail(other, "", "attached")) },
			given: map[string]string{paramCheck: "false"}},
		{name: "somebody else's stays with the instance", class: protocol.Conflict,
			edit:  func(c *cloud) { c.occupied(detail(other, "", "attached")) },
			given: map[string]string{paramGoes: "false"}},
		{name: "somebody else's has another address", class: protocol.Conflict,
			edit:  func(c *cloud) { c.occupied(detail(other, "", "attached")) },
			given: map[string]string{paramAddresses: "10.0.0.10"}},
		{name: "somebody else's is described otherwise", class: protocol.Conflict,
			edit:  func(c *cloud) { c.occupied(detail(other, "", "attached")) },
			given: map[string]string{paramDescription: "edge"}},
		{name: "another zone", class: protocol.InvalidRequest,
			edit: func(c *cloud) { c.Zone = "eu-west-1b" }},
		{name: "it starts", class: protocol.Unavailable, edit: func(c *cloud) { c.State = "pending" }},
		{name: "it is gone", class: protocol.InvalidRequest,
			edit: func(c *cloud) { c.State = "terminated" }},
		{name: "it is a service's", class: protocol.Authorization,
			edit: func(c *cloud) { c.Managed = true }},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := running()
			if c.edit != nil {
				c.edit(r)
			}
			p, err := planEnsure(t.Context(), r, request(c.given, c.entries...))
			if classOf(err) != c.class || (err == nil) != (c.class == "") {
				t.Fatalf("%v, want %s", err, c.class)
			}
			if err != nil {
				return
			}
			tr, now := p.Transitions[0], p.Seen.Values[0]
			if !strings.HasPrefix(tr.From, c.from) || !strings.HasPrefix(tr.To, c.to) ||
				!strings.HasPrefix(now, c.now) || (len(p.Transitions) == 1) != c.keeps ||
				len(p.Seen.Values) != len(p.Transitions) {
				t.Errorf("from %s by %s to %s, now %v", tr.From, tr.Via, tr.To, p.Seen.Values)
			}
			again, err := p.Read(t.Context())
			if d := cmp.Diff(p.Seen.Values, again.Values); d != "" || err != nil {
				t.Errorf("a second reading: %v, %s", err, d)
			}
		})
	}
}

// occupied has somebody else's interface in the slot.
func (c *cloud) occupied(n ec2model.InterfaceDetail) {
	c.there = n
	c.Interfaces = []ec2model.InstanceInterface{{ID: n.ID, Index: 1}}
}

// TestTokens: an action keeps its token, by its record or by what it made. A new one is another
// each time where a record keeps it, and the same where none does.
func TestTokens(t *testing.T) {
	token := func(c *cloud, r action.Request) string {
		p, err := planEnsure(t.Context(), c, r)
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimPrefix(p.Transitions[0].To, present)
	}
	first, second := token(running(), request(nil)), token(running(), request(nil))
	if first == second || len(first) != 32 || !action.OwnToken("k", first) {
		t.Errorf("%s and %s", first, second)
	}
	if got := token(running(), request(nil, entry("k", absent, present+own,
		history.Pending))); got != own {
		t.Errorf("recorded: %s", got)
	}
	c := running()
	c.tagged = append(c.tagged, detail(nic, own, ""))
	if got := token(c, request(nil)); got != own {
		t.Errorf("made: %s", got)
	}
	unkept := request(nil)
	unkept.Durable = false
	if a, b := token(running(), unkept), token(running(), unkept); a != b {
		t.Errorf("without a record: %s and %s", a, b)
	}
}

// TestForesee: what EC2 would refuse is told before.
func TestForesee(t *testing.T) {
	for _, c := range []struct {
		name  string
		edit  func(*cloud)
		class protocol.FailureClass
		gaps  int
	}{
		{name: "it has room"},
		{name: "it is full", edit: func(c *cloud) { c.subnet.Free = 1 }, class: protocol.LimitExceeded},
		{name: "the address is outside", edit: func(c *cloud) { c.subnet.CIDR = "10.0.1.0/24" },
			class: protocol.InvalidRequest},
		{name: "the address is held", edit: func(c *cloud) { c.holder = other },
			class: protocol.Conflict},
		{name: "it may not be read", edit: func(c *cloud) { c.denied = true }, gaps: 1},
	} {
		r := running()
		if c.edit != nil {
			c.edit(r)
		}
		p, err := planEnsure(t.Context(), r,
			request(map[string]string{paramAddresses: "10.0.0.9,10.0.0.10"}))
		if err != nil {
			t.Fatal(err)
		}
		gaps, err := p.Foresee(t.Context())
		if classOf(err) != c.class || len(gaps) != c.gaps {
			t.Errorf("%s: %v, %v", c.name, gaps, err)
		}
	}
}

// TestRemove: what carries the tag goes, wherever it has got to. What was there before stays.
func TestRemove(t *testing.T) {
	elsewhere := detail(nic, own, "attached")
	elsewhere.InstanceID = "i-0"
	made1 := map[string]string{factPrior: absent, factToken: own, factInterface: nic}
	for _, c := range []struct {
		name    string
		tagged  []ec2model.InterfaceDetail
		there   ec2model.InterfaceDetail
		given   map[string]string
		entries []history.Entry
		class   protocol.FailureClass
		to      string
		skips   bool
	}{
		{name: "it is attached", tagged: []ec2model.InterfaceDetail{detail(nic, own, "attached")},
			given: made1, to: absent},
		{name: "somebody detached it", tagged: []ec2model.InterfaceDetail{detail(nic, own, "")},
			given: made1, to: absent},
		{name: "it is gone", given: made1, to: absent},
		{name: "somebody moved it", tagged: []ec2model.InterfaceDetail{elsewhere}, given: made1,
			class: protocol.Conflict},
		{name: "another key holds it", tagged: []ec2model.InterfaceDetail{detail(nic, own, "attached")},
			given: made1, to: present + own, entries: []history.Entry{
				entry("k", absent, present+own, history.Live),
				entry("k2", present+own, present+own, history.Live)}},
		{name: "no token is told", tagged: []ec2model.InterfaceDetail{detail(nic, own, "attached")},
			given: map[string]string{factPrior: absent}, class: protocol.Drift},
		{name: "it was there before", there: detail(other, "", "attached"),
			given: map[string]string{factPrior: other, factInterface: other}, to: other, skips: true},
		{name: "what was there before is gone", to: absent, skips: true,
			given: map[string]string{factPrior: other, factInterface: other}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := running()
			r.tagged, r.there = c.tagged, c.there
			q := request(c.given, c.entries...)
			q.Undoes = true
			p, err := planRemove(t.Context(), r, q)
			if classOf(err) != c.class {
				t.Fatalf("%v, want %s", err, c.class)
			}
			if err != nil {
				return
			}
			if got := p.Transitions[0].To; got != c.to || (p.Skip != "") != c.skips {
				t.Errorf("to %s, skip %q", got, p.Skip)
			}
		})
	}
}

// pen notes what is changed.
type pen struct{ calls []string }

func (p *pen) note(words ...string) error {
	p.calls = append(p.calls, strings.Join(words, " "))
	return nil
}

func (p *pen) CreateNetworkInterface(
	_ context.Context, n ec2model.NewInterface,
) (string, error) {
	return nic, p.note("create", n.Subnet, strings.Join(n.Groups, ","), n.Tags[ec2model.Slot])
}

func (p *pen) AttachNetworkInterface(
	_ context.Context, nic, instance string, _ int,
) (string, error) {
	return "eni-attach-1", p.note("attach", nic, instance)
}

func (p *pen) DetachNetworkInterface(_ context.Context, id string) error {
	return p.note("detach", id)
}

func (p *pen) DeleteNetworkInterface(_ context.Context, nic string) error {
	return p.note("delete", nic)
}

func (p *pen) ModifySourceDestCheck(context.Context, string, bool) error { return p.note("check") }

func (p *pen) ModifyDeleteOnTermination(context.Context, string, string, bool) error {
	return p.note("goes")
}

// TestCalls: what is sent, by where the interface has got to.
func TestCalls(t *testing.T) {
	for _, c := range []struct {
		name, attachment string
		removes          bool
		to               []string
		want             []string
	}{
		{name: "made and attached", to: []string{made + own, present + own},
			want: []string{"create " + subnet + " " + group + " " + machine + "/1/" + own,
				"attach " + nic + " " + machine}},
		{name: "it is being attached", attachment: "attaching", to: []string{present + own}},
		{name: "detached and deleted", attachment: "attached", removes: true,
			to:   []string{made + own, absent},
			want: []string{"detach eni-attach-1", "delete " + nic}},
		{name: "it is being detached", attachment: "detaching", removes: true,
			to: []string{made + own, absent}, want: []string{"delete " + nic}},
	} {
		r, w := running(), &pen{}
		if c.attachment != "" {
			r.tagged = append(r.tagged, detail(nic, own, c.attachment))
		}
		q := request(map[string]string{factPrior: absent, factToken: own},
			entry("k", absent, present+own, history.Pending))
		plan := planEnsure
		if c.removes {
			plan, q.Undoes = planRemove, true
		}
		p, err := plan(t.Context(), r, q)
		if err != nil {
			t.Fatal(err)
		}
		for _, to := range c.to {
			if err := p.Transitions[0].Set(t.Context(), w, "", to); err != nil {
				t.Error(err)
			}
		}
		if !slices.Equal(w.calls, c.want) {
			t.Errorf("%s: %v, want %v", c.name, w.calls, c.want)
		}
	}
}
