package publicaddress

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/history"
	"aws-provider-executor/pkg/protocol"
)

const (
	machine    = "i-0123456789abcdef0"
	nic        = "eni-0123456789abcdef0"
	allocation = "eipalloc-0123456789abcdef0"
	other      = "eipalloc-0123456789abcdef1"
	private    = "10.0.0.9"
)

var (
	own    = action.NewToken("k", false)[:16] + "0000000000000001"
	theirs = action.NewToken("k2", false)[:16] + "0000000000000002"
)

// cloud is an EC2 with an instance and Elastic IPs. It is a reader and a writer.
type cloud struct {
	ec2model.Instance
	all  []ec2model.Address
	sent []string
}

func (c *cloud) DescribeInstance(context.Context, string) (ec2model.Instance, error) {
	return c.Instance, nil
}

func (c *cloud) DescribeAllocation(_ context.Context, id string) (ec2model.Address, error) {
	for _, a := range c.all {
		if a.AllocationID == id {
			return a, nil
		}
	}
	return ec2model.Address{}, protocol.Refuse(protocol.NotFound, "no")
}

func (c *cloud) DescribeTaggedAddresses(
	_ context.Context, key, beginning string,
) (found []ec2model.Address, err error) {
	if key != ec2model.PublicAddress || beginning != machine+"/1/" {
		return nil, errors.New("asked for " + key + "=" + beginning)
	}
	for _, a := range c.all {
		if a.Tags[key] != "" {
			found = append(found, a)
		}
	}
	return found, nil
}

func (c *cloud) DescribeAssociatedAddress(
	_ context.Context, nic, private string,
) (ec2model.Address, bool, error) {
	for _, a := range c.all {
		if a.InterfaceID == nic && a.PrivateIP == private {
			return a, true, nil
		}
	}
	return ec2model.Address{}, false, nil
}

func (c *cloud) AllocateAddress(_ context.Context, n ec2model.NewAddress) (string, error) {
	c.sent = append(c.sent, "allocate "+n.Pool+" "+n.Tags[ec2model.PublicAddress])
	return allocation, nil
}

func (c *cloud) AssociateAddress(
	_ context.Context, allocation, nic, private string,
) (string, error) {
	c.sent = append(c.sent, "associate "+allocation+" "+nic+" "+private)
	return "eipassoc-1", nil
}

func (c *cloud) DisassociateAddress(_ context.Context, association string) error {
	c.sent = append(c.sent, "disassociate "+association)
	return nil
}

func (c *cloud) ReleaseAddress(_ context.Context, allocation string) error {
	c.sent = append(c.sent, "release "+allocation)
	return nil
}

// running is an instance with an interface at device index 1, which has two private addresses.
func running() *cloud {
	return &cloud{Instance: ec2model.Instance{
		ID: machine, State: "running", OwnerID: "111122223333",
		Interfaces: []ec2model.InstanceInterface{{
			ID: nic, Index: 1,
			Addresses: []ec2model.InstanceAddress{{Private: private}, {Private: "10.0.0.10"}},
		}},
	}}
}

// eip is an Elastic IP allocated by a token, associated with the place or with nothing.
func eip(id, token string, associated bool) ec2model.Address {
	a := ec2model.Address{AllocationID: id, PublicIP: "203.0.113.9", Pool: "amazon"}
	if token != "" {
		a.Tags = map[string]string{
			ec2model.PublicAddress: machine + "/1/" + nic + "/" + private + "/" + token,
		}
	}
	if associated {
		a.AssociationID, a.InterfaceID, a.InstanceID, a.PrivateIP = "eipassoc-9", nic, machine, private
	}
	return a
}

// has has an Elastic IP be there, as the instance shows it too.
func has(a ec2model.Address) func(*cloud) {
	return func(c *cloud) {
		c.all = append(c.all, a)
		if a.InterfaceID == nic && a.PrivateIP == private {
			c.Interfaces[0].Addresses[0].Public, c.Interfaces[0].Addresses[0].Elastic = a.PublicIP, true
		}
	}
}

const attribute = "publicAddress:1:" + private

func request(given map[string]string, entries ...history.Entry) action.Request {
	past := &action.Past{Key: "k"}
	var all []action.Recorded
	for i, e := range entries {
		e.Seq = int64(i + 1)
		r := action.Recorded{Entry: e, Resource: machine, Attribute: attribute}
		all = append(all, r)
		if e.Key == "k" {
			past.Own = append(past.Own, r)
		}
	}
	past.History = func(_, name string) ([]action.Recorded, error) {
		if name != attribute {
			return nil, nil
		}
		return all, nil
	}
	return action.Request{Parameters: given, Past: past, Durable: true, Target: map[string]string{
		"instanceRef": machine, "deviceIndex": "1", "region": "eu-west-1"}}
}

func entry(key, from, to string, state history.State, fresh bool) history.Entry {
	e := history.Entry{Key: key, From: from, To: to, State: state, Fresh: fresh}
	if strings.HasPrefix(to, present) {
		e.Via = strings.Replace(to, present, waiting, 1)
	}
	return e
}

func classOf(err error) protocol.FailureClass {
	var f *protocol.Failure
	if !errors.As(err, &f) {
		return ""
	}
	return f.Class
}

func existingOne() map[string]string { return map[string]string{paramAllocation: allocation} }

// kindOf is a value without its token.
func kindOf(value string) string {
	if i := strings.Index(value, ":"); i >= 0 {
		return value[:i+1]
	}
	return value
}

// TestEnsure: what a request comes to, by what leads to the private address and what is allocated
// for it.
func TestEnsure(t *testing.T) {
	strangers := eip(other, "", true)
	strangers.PublicIP = "203.0.113.10"
	elsewhere := eip(allocation, own, true)
	elsewhere.PrivateIP = "10.0.0.10"
	forAnother := eip(allocation, own, false)
	forAnother.Tags[ec2model.PublicAddress] = machine + "/1/eni-1/10.0.0.3/" + own
	taken := eip(allocation, "", true)
	taken.InterfaceID = "eni-1"
	ofPool := eip(other, "", true)
	ofPool.Pool = "ipv4pool-ec2-0123456789abcdef0"
	for _, c := range []struct {
		name    string
		edits   []func(*cloud)
		entries []history.Entry
		given   map[string]string
		class   protocol.FailureClass
		// says is a part of the refusal.
		says string
		// from, via, to and now are values of the private address, without the token. keeps means that
		// nothing is to be made.
		from, via, to, now string
		keeps              bool
	}{
		{name: "nothing is there", from: absent, now: absent, via: waiting, to: present},
		{name: "an own one is allocated, and no record tells", from: absent, now: waiting, via: waiting,
			to: present, edits: []func(*cloud){has(eip(allocation, own, false))}},
		{name: "an own one leads there", from: absent, now: present, via: waiting, to: present,
			edits:   []func(*cloud){has(eip(allocation, own, true))},
			entries: []history.Entry{entry("k", absent, present+own, history.Live, true)}},
		{name: "L15 one was perhaps allocated a moment ago", class: protocol.Ambiguous,
			entries: []history.Entry{entry("k", absent, present+own, history.Pending, true)}},
		{name: "one led there a moment ago", class: protocol.Ambiguous,
			entries: []history.Entry{entry("k", absent, present+own, history.Live, true)}},
		{name: "one was perhaps allocated long ago", from: absent, now: absent, via: waiting,
			to:      present,
			entries: []history.Entry{entry("k", absent, present+own, history.Pending, false)}},
		{name: "an own one leads elsewhere", class: protocol.Conflict, says: "look who moved it",
			edits: []func(*cloud){has(elsewhere)}},
		{name: "an own one is for another interface", class: protocol.Conflict,
			says: "undo the action first", edits: []func(*cloud){has(forAnother)}},
		{name: "an own one leads to nothing, and somebody else's leads there",
			class: protocol.Conflict, says: "disassociate that one first",
			edits: []func(*cloud){has(eip(allocation, own, false)), has(strangers)}},
		{name: "two own ones", class: protocol.Conflict, says: "both allocated",
			edits: []func(*cloud){has(eip(allocation, own, true)), has(eip(other, own, false))}},
		{name: "another action's leads there", from: present, now: present, to: present, keeps: true,
			edits: []func(*cloud){has(eip(allocation, theirs, true))}},
		{name: "another action's is not associated", class: protocol.Conflict,
			says: "has not associated it", edits: []func(*cloud){has(eip(allocation, theirs, false))}},
		{name: "somebody else's leads there", from: other, now: other, to: other, keeps: true,
			edits: []func(*cloud){has(eip(other, "", true))}},
		{name: "somebody else's of another pool leads there", class: protocol.Conflict,
			says: "is of the pool", edits: []func(*cloud){has(ofPool)}},
		{name: "EC2 shows an Elastic IP by half", class: protocol.Unavailable,
			edits: []func(*cloud){has(eip(other, "", true)), func(c *cloud) { c.all = nil }}},
		{name: "an existing one leads to nothing", given: existingOne(), from: absent, now: absent,
			to: allocation, edits: []func(*cloud){has(eip(allocation, "", false))}},
		{name: "an existing one leads there, by somebody else", given: existingOne(), from: allocation,
			now: allocation, to: allocation, keeps: true,
			edits: []func(*cloud){has(eip(allocation, "", true))}},
		{name: "an existing one leads there, by this action", given: existingOne(), from: allocation,
			now: allocation, to: allocation, edits: []func(*cloud){has(eip(allocation, "", true))},
			entries: []history.Entry{entry("k", absent, allocation, history.Live, true)}},
		{name: "L12 an existing one leads elsewhere", given: existingOne(), class: protocol.Conflict,
			says: "is not taken away from there", edits: []func(*cloud){has(taken)}},
		{name: "an existing one, where another leads", given: existingOne(), class: protocol.Conflict,
			says:  "not taken away from it",
			edits: []func(*cloud){has(eip(allocation, "", false)), has(eip(other, "", true))}},
		{name: "an existing one of another action", given: existingOne(), class: protocol.Conflict,
			says: "by another action", edits: []func(*cloud){has(eip(allocation, theirs, false))}},
		{name: "an existing one that another action leads there", given: existingOne(), from: present,
			now: present, to: present, keeps: true,
			edits: []func(*cloud){has(eip(allocation, theirs, true))}},
		{name: "an existing one that is gone", given: existingOne(), class: protocol.NotFound},
		{name: "an existing one, and a pool", class: protocol.InvalidRequest,
			given: map[string]string{paramAllocation: allocation, paramPool: "amazon"}},
		{name: "no interface", class: protocol.NotFound,
			edits: []func(*cloud){func(c *cloud) { c.Interfaces = nil }}},
		{name: "an interface of another network card", class: protocol.NotFound,
			edits: []func(*cloud){func(c *cloud) { c.Interfaces[0].Card = 1 }}},
		{name: "an interface without addresses", class: protocol.InvalidRequest,
			edits: []func(*cloud){func(c *cloud) { c.Interfaces[0].Addresses = nil }}},
		{name: "it is gone", class: protocol.InvalidRequest,
			edits: []func(*cloud){func(c *cloud) { c.State = "terminated" }}},
		{name: "it is a service's", class: protocol.Authorization,
			edits: []func(*cloud){func(c *cloud) { c.Managed = true }}},
		{name: "its interface is a service's", class: protocol.Authorization,
			edits: []func(*cloud){func(c *cloud) { c.Interfaces[0].Managed = true }}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := running()
			for _, edit := range c.edits {
				edit(r)
			}
			p, err := planEnsure(t.Context(), r, request(c.given, c.entries...))
			if classOf(err) != c.class || (err == nil) != (c.class == "") {
				t.Fatalf("%v, want %s", err, c.class)
			}
			if err != nil {
				if !strings.Contains(err.Error(), c.says) {
					t.Errorf("%v, want %s", err, c.says)
				}
				return
			}
			tr, now := p.Transitions[0], p.Seen.Values[0]
			is := [4]string{kindOf(tr.From), kindOf(tr.Via), kindOf(tr.To), kindOf(now)}
			if want := [4]string{c.from, c.via, c.to, c.now}; is != want ||
				c.keeps && tr.From != tr.To || p.Seen.Owner != "111122223333" {
				t.Errorf("from, by, to, now are %v, want %v: %+v", is, want, p.Seen)
			}
			if origin := p.Facts(p.Transitions, p.Seen)[factOrigin]; (origin == allocated) !=
				(c.via != "") {
				t.Errorf("its origin is %s", origin)
			}
			again, err := p.Read(t.Context())
			if d := cmp.Diff(p.Seen.Values, again.Values); d != "" || err != nil {
				t.Errorf("a second reading: %v, %s", err, d)
			}
		})
	}
}

// TestSet: the calls that bring about each step, forth and back.
func TestSet(t *testing.T) {
	text := machine + "/1/" + nic + "/" + private + "/"
	for _, c := range []struct {
		name  string
		given map[string]string
		edits []func(*cloud)
		steps []string
		want  []string
	}{
		{"an own one", nil, nil, []string{waiting, present},
			[]string{"allocate amazon " + text, "associate " + allocation + " " + nic + " " + private}},
		{"an own one of a pool, put back",
			map[string]string{paramPool: "ipv4pool-ec2-0123456789abcdef0"}, nil,
			[]string{waiting, absent},
			[]string{"allocate ipv4pool-ec2-0123456789abcdef0 " + text, "release " + allocation}},
		{"an own one that is there already", nil,
			[]func(*cloud){has(eip(allocation, own, true))}, []string{present}, nil},
		{"an own one that is associated, put back", nil,
			[]func(*cloud){has(eip(allocation, own, true))}, []string{absent},
			[]string{"disassociate eipassoc-9", "release " + allocation}},
		{"an existing one, put back", existingOne(),
			[]func(*cloud){has(eip(allocation, "", false))}, []string{allocation, absent},
			[]string{"associate " + allocation + " " + nic + " " + private,
				"disassociate eipassoc-1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := running()
			for _, edit := range c.edits {
				edit(r)
			}
			p, err := planEnsure(t.Context(), r, request(c.given))
			if err != nil {
				t.Fatal(err)
			}
			tr := p.Transitions[0]
			for _, to := range c.steps {
				value := map[string]string{waiting: tr.Via, present: tr.To}[to]
				if value == "" {
					value = to
				}
				if err := tr.Set(t.Context(), r, "", value); err != nil {
					t.Fatal(err)
				}
			}
			token := strings.TrimPrefix(tr.To, present)
			for i := range r.sent {
				r.sent[i] = strings.TrimSuffix(r.sent[i], token)
			}
			if d := cmp.Diff(c.want, r.sent); d != "" {
				t.Error(d)
			}
		})
	}
}

// TestOnlyItsOwnIsTold: where another action comes first, what it allocated is neither told as this
// action's nor taken away with it, and a release of the own one counts as put back.
func TestOnlyItsOwnIsTold(t *testing.T) {
	r := running()
	p, err := planEnsure(t.Context(), r, request(nil))
	if err != nil {
		t.Fatal(err)
	}
	tr := p.Transitions[0]
	set := func(to string) {
		t.Helper()
		if err := tr.Set(t.Context(), r, "", to); err != nil {
			t.Fatal(err)
		}
	}
	reads := func(want string) {
		t.Helper()
		now, err := p.Read(t.Context())
		if err != nil || now.Values[0] != want {
			t.Fatalf("it reads %v, want %s: %v", now.Values, want, err)
		}
		told := p.Facts(p.Transitions, now)
		for _, f := range []string{factAllocation, factToken, factAssociation, factPublic} {
			if told[f] != "" {
				t.Errorf("%s=%s is another's", f, told[f])
			}
		}
	}
	set(tr.Via)
	has(eip(other, theirs, true))(r)
	reads(present + theirs)
	set(absent)
	reads(absent)
	if last := r.sent[len(r.sent)-1]; len(r.sent) != 2 || last != "release "+allocation {
		t.Errorf("it sent %q", r.sent)
	}
}

// carryOut makes the changes of a transition.
func carryOut(t *testing.T, tr action.Transition, w *cloud) {
	t.Helper()
	for _, to := range []string{tr.Via, tr.To} {
		if to == "" || tr.From == tr.To {
			continue
		}
		if err := tr.Set(t.Context(), w, "", to); err != nil {
			t.Fatal(err)
		}
	}
}

// TestRemove: what an undo comes to, by the record and by the facts.
func TestRemove(t *testing.T) {
	moved := eip(allocation, own, true)
	moved.PrivateIP = "10.0.0.10"
	detached := eip(allocation, "", true)
	detached.InstanceID = ""
	facts := func(more ...string) map[string]string {
		all := map[string]string{factPrior: absent, factPrivate: private, factInterface: nic}
		for i := 0; i < len(more); i += 2 {
			all[more[i]] = more[i+1]
		}
		return all
	}
	took := []history.Entry{entry("k", absent, present+own, history.Live, true)}
	gave := []history.Entry{entry("k", absent, allocation, history.Live, true)}
	for _, c := range []struct {
		name    string
		edits   []func(*cloud)
		entries []history.Entry
		given   map[string]string
		class   protocol.FailureClass
		// from and to are values, and sent is what is called to get there.
		from, to string
		sent     []string
		skip     bool
		unseen   bool
		// moot means that the plan has no transition, release that the key names no action.
		moot, release bool
	}{
		{name: "an own one, by the record", entries: took, given: map[string]string{factPrior: absent},
			edits: []func(*cloud){has(eip(allocation, own, true))}, from: present, to: absent,
			sent: []string{"disassociate eipassoc-9", "release " + allocation}},
		{name: "an own one, by the facts", given: facts(factToken, own),
			edits: []func(*cloud){has(eip(allocation, own, true))}, from: present, to: absent,
			sent: []string{"disassociate eipassoc-9", "release " + allocation}},
		{name: "L16 an own one that leads to nothing", entries: took, given: facts(),
			edits: []func(*cloud){has(eip(allocation, own, false))}, from: present, to: absent,
			sent: []string{"release " + allocation}},
		{name: "two own ones", entries: took, given: facts(),
			edits: []func(*cloud){has(eip(allocation, own, true)), has(eip(other, own, false))},
			from:  present, to: absent,
			sent: []string{"disassociate eipassoc-9", "release " + allocation, "release " + other}},
		{name: "an own one that leads elsewhere", entries: took, given: facts(),
			class: protocol.Conflict, edits: []func(*cloud){has(moved)}},
		{name: "an own one that is gone, and another action's leads there", entries: took,
			given: facts(), class: protocol.Drift,
			edits: []func(*cloud){has(eip(other, theirs, true))}},
		{name: "an existing one, without the fact of its interface", entries: gave,
			given: map[string]string{factPrior: absent},
			edits: []func(*cloud){has(eip(allocation, "", true))}, from: allocation, to: absent,
			sent: []string{"disassociate eipassoc-9"}},
		{name: "an own one that is gone", entries: took, given: facts(), from: absent, to: absent,
			unseen: true},
		{name: "one that perhaps was allocated", class: protocol.Ambiguous, given: facts(),
			entries: []history.Entry{entry("k", absent, present+own, history.Pending, true)}},
		{name: "one that perhaps was allocated long ago", given: facts(), from: absent, to: absent,
			unseen:  true,
			entries: []history.Entry{entry("k", absent, present+own, history.Pending, false)}},
		{name: "L12 an existing one, by the record", entries: gave, given: facts(),
			edits: []func(*cloud){has(eip(allocation, "", true))}, from: allocation, to: absent,
			sent: []string{"disassociate eipassoc-9"}},
		{name: "an existing one, by the facts", given: facts(factAllocation, allocation),
			edits: []func(*cloud){has(eip(allocation, "", true))}, from: allocation, to: absent,
			sent: []string{"disassociate eipassoc-9"}},
		{name: "an existing one on an interface that was detached", entries: gave, given: facts(),
			edits: []func(*cloud){has(detached)}, from: allocation, to: absent,
			sent: []string{"disassociate eipassoc-9"}},
		{name: "an existing one that leads elsewhere", entries: gave, given: facts(),
			edits: []func(*cloud){has(moved)}, from: absent, to: absent},
		{name: "an existing one that is gone", entries: gave, given: facts(), from: absent, to: absent,
			unseen: true},
		{name: "one that was there", given: facts(factPrior, other, factAllocation, other),
			edits:   []func(*cloud){has(eip(other, "", true))},
			entries: []history.Entry{entry("k", other, other, history.Live, true)},
			from:    other, to: other, skip: true},
		{name: "nothing is known", given: map[string]string{factPrior: absent}, skip: true, unseen: true,
			moot: true},
		{name: "nothing tells which address", class: protocol.InvalidRequest, release: true,
			given: map[string]string{factPrior: absent}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := running()
			for _, edit := range c.edits {
				edit(r)
			}
			req := request(c.given, c.entries...)
			req.Undoes = !c.release
			p, err := planRemove(t.Context(), r, req)
			if classOf(err) != c.class || (err == nil) != (c.class == "") {
				t.Fatalf("%v, want %s", err, c.class)
			}
			if err != nil {
				return
			}
			if len(p.Transitions) == 0 != c.moot {
				t.Fatalf("it has %d transitions", len(p.Transitions))
			}
			tr := append(p.Transitions, action.Transition{})[0]
			if kindOf(tr.From) != c.from || tr.To != c.to || (p.Skip != "") != c.skip ||
				p.Unseen != c.unseen {
				t.Errorf("from %s to %s, skip %q, unseen %t", tr.From, tr.To, p.Skip, p.Unseen)
			}
			carryOut(t, tr, r)
			if d := cmp.Diff(c.sent, r.sent); d != "" {
				t.Error(d)
			}
		})
	}
}

// TestOwnAddressIsGivenUp: a public address of EC2's own is told before and after, and no undo
// claims to bring it back.
func TestOwnAddressIsGivenUp(t *testing.T) {
	r := running()
	r.Interfaces[0].Addresses[0].Public = "198.51.100.7"
	p, err := planEnsure(t.Context(), r, request(nil))
	if err != nil {
		t.Fatal(err)
	}
	dangers := p.Dangers(p.Transitions, p.Seen)
	if got := p.Facts(p.Transitions, p.Seen)[factPriorOwn]; got != "198.51.100.7" ||
		len(dangers) != 1 || !strings.Contains(dangers[0], "198.51.100.7") {
		t.Errorf("%s, %v", got, dangers)
	}
	has(eip(allocation, own, true))(r)
	undo := request(map[string]string{factPrior: absent, factPriorOwn: "198.51.100.7"},
		entry("k", absent, present+own, history.Live, true))
	undo.Undoes = true
	if p, err = planRemove(t.Context(), r, undo); err != nil {
		t.Fatal(err)
	}
	for value, want := range map[string]string{absent: "true", present + own: ""} {
		got := p.Facts(p.Transitions, action.Seen{Values: []string{value}})
		if got[protocol.FactNotRestored] != want || (got[factReleased] != "") != (want != "") {
			t.Errorf("left at %s: %v", value, got)
		}
	}
}
