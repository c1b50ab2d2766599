package tags

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/protocol"
)

const (
	nic      = "eni-0123456789abcdef0"
	instance = "i-0123456789abcdef0"
	address  = "eipalloc-0123456789abcdef0"
)

// cloud is what a plan reads. One with a cause answers that to the question whether its resource
// exists, and notes which question it was.
type cloud struct {
	tags  map[string]string
	cause error
	asked []string
}

func (c *cloud) DescribeTags(
	_ context.Context, ids ...string,
) (map[string]map[string]string, error) {
	return map[string]map[string]string{ids[0]: c.tags}, nil
}

func (c *cloud) DescribeNetworkInterfaces(
	_ context.Context, ids ...string,
) ([]ec2model.NetworkInterface, error) {
	c.asked = append(c.asked, "interface "+ids[0])
	return nil, c.cause
}

func (c *cloud) DescribeInstance(_ context.Context, id string) (ec2model.Instance, error) {
	c.asked = append(c.asked, "instance "+id)
	return ec2model.Instance{}, c.cause
}

func (c *cloud) DescribeAllocation(_ context.Context, id string) (ec2model.Address, error) {
	c.asked = append(c.asked, "address "+id)
	return ec2model.Address{}, c.cause
}

// pen notes what is written.
type pen struct {
	calls []string
	// fails is the call that does.
	fails string
}

func (p *pen) note(call, resource string, tags map[string]string) error {
	p.calls = append(p.calls, fmt.Sprintf("%s %s %v", call, resource, tags))
	if call == p.fails {
		return errors.New("no")
	}
	return nil
}

func (p *pen) CreateTags(_ context.Context, resource string, tags map[string]string) error {
	return p.note("create", resource, tags)
}

func (p *pen) DeleteTags(_ context.Context, resource string, tags map[string]string) error {
	return p.note("delete", resource, tags)
}

func request(id string, parameters map[string]string) action.Request {
	return action.Request{Target: map[string]string{"resourceRef": id, "region": "eu-west-1"},
		Parameters: parameters}
}

func classOf(err error) protocol.FailureClass {
	var f *protocol.Failure
	if !errors.As(err, &f) {
		return ""
	}
	return f.Class
}

// TestRefused: what may not be set is refused before anything is read, and every fault is told.
func TestRefused(t *testing.T) {
	for _, c := range []struct {
		name  string
		tags  map[string]string
		told  []string
		class protocol.FailureClass
	}{
		{"no tag", nil, []string{"names no tag"}, protocol.InvalidRequest},
		{"marks of a fence", map[string]string{"tag.lastfence": "1", "tag.Original_SG_Backup_i-1": ""},
			[]string{"tag.lastfence", "tag.Original_SG_Backup_i-1"}, protocol.InvalidRequest},
		{"a text too long, and one that can't be shown", map[string]string{
			"tag.a": strings.Repeat("é", 257), "tag.b": "x\ny"},
			[]string{"tag.a has 257 characters", "tag.b has a control character"},
			protocol.InvalidRequest},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := planEnsure(t.Context(), nil, request(nic, c.tags))
			if p != nil || classOf(err) != c.class {
				t.Fatalf("%v, %v", p, err)
			}
			for _, told := range c.told {
				if !strings.Contains(err.Error(), told) {
					t.Errorf("%v does not tell %q", err, told)
				}
			}
		})
	}
	long := strings.Repeat("é", 256)
	if _, err := planEnsure(t.Context(), &cloud{},
		request(nic, map[string]string{"tag.a": long})); err != nil {
		t.Errorf("256 characters: %v", err)
	}
}

// TestRoom: a resource has room for 50 tags of the user's. Tags of AWS, and tags that get another
// text, take none.
func TestRoom(t *testing.T) {
	full := map[string]string{"aws:x": "", "AWS:y": ""}
	for n := range 49 {
		full[fmt.Sprint("k", n)] = ""
	}
	for _, c := range []struct {
		keys  []string
		class protocol.FailureClass
	}{
		{[]string{"one"}, ""}, {[]string{"one", "k3"}, ""},
		{[]string{"one", "two"}, protocol.LimitExceeded},
	} {
		tags := map[string]string{}
		for _, key := range c.keys {
			tags["tag."+key] = "v"
		}
		_, err := planEnsure(t.Context(), &cloud{tags: full}, request(nic, tags))
		if classOf(err) != c.class {
			t.Errorf("%v: %v, want %q", c.keys, err, c.class)
		}
	}
}

// TestForesee: a resource without tags may not exist. Each kind is asked for in its own way, and
// only one without tags.
func TestForesee(t *testing.T) {
	absent := protocol.Refuse(protocol.NotFound, "no")
	denied := protocol.Refuse(protocol.Authorization, "no")
	for _, c := range []struct {
		id, asked string
		tags      map[string]string
		cause     error
		gaps      int
		class     protocol.FailureClass
	}{
		{id: nic, asked: "interface " + nic},
		{id: instance, asked: "instance " + instance},
		{id: address, asked: "address " + address},
		{id: address, asked: "address " + address, cause: absent, class: protocol.NotFound},
		{id: nic, asked: "interface " + nic, cause: denied, gaps: 1},
		{id: nic, tags: map[string]string{"x": ""}, cause: absent},
	} {
		r := &cloud{tags: c.tags, cause: c.cause}
		p, err := planEnsure(t.Context(), r, request(c.id, map[string]string{"tag.a": "b"}))
		if err != nil {
			t.Fatal(err)
		}
		gaps, err := p.Foresee(t.Context())
		if len(gaps) != c.gaps || classOf(err) != c.class || strings.Join(r.asked, " ") != c.asked {
			t.Errorf("%s: %v, %v, asked %v", c.id, gaps, err, r.asked)
		}
	}
}

// TestTogether: what is written goes by one call, what is removed by another, each with the text
// that it has.
func TestTogether(t *testing.T) {
	r := &cloud{tags: map[string]string{"a": "1", "b": "2", "d": "4"}}
	p, err := planRestore(t.Context(), r, request(nic, map[string]string{
		"priorTag.a": "absent", "ensuredTag.a": `"1"`,
		"priorTag.b": `"old \"b\""`, "ensuredTag.b": `"2"`,
		"priorTag.c": `"old"`, "ensuredTag.c": "absent",
		"priorTag.d": "absent", "ensuredTag.d": `"4"`,
	}))
	if err != nil {
		t.Fatal(err)
	}
	var changes []action.Change
	var calls []string
	for _, tr := range p.Transitions {
		calls = append(calls, tr.Call)
		changes = append(changes,
			action.Change{Resource: tr.Resource, Attribute: tr.Attribute, From: tr.From, To: tr.To})
	}
	if got := strings.Join(calls, " "); got != "ec2:DeleteTags ec2:CreateTags ec2:CreateTags "+
		"ec2:DeleteTags" {
		t.Errorf("calls %s", got)
	}
	w := &pen{}
	if errs := together.Set(t.Context(), w, changes); errors.Join(errs...) != nil {
		t.Error(errs)
	}
	want := []string{`create ` + nic + ` map[b:old "b" c:old]`, `delete ` + nic + ` map[a:1 d:4]`}
	if d := cmp.Diff(want, w.calls); d != "" {
		t.Error(d)
	}
	w = &pen{fails: "delete"}
	errs := together.Set(t.Context(), w, changes)
	if len(errs) != 4 || errs[0] == nil || errs[1] != nil || errs[2] != nil || errs[3] != errs[0] {
		t.Errorf("where the removal fails: %v", errs)
	}
	w = &pen{fails: "create"}
	errs = together.Set(t.Context(), w, changes)
	if len(w.calls) != 1 || slices.Contains(errs, nil) {
		t.Errorf("where the write fails: %v, %v", w.calls, errs)
	}
	for _, err := range together.Set(t.Context(), 7, changes) {
		if err == nil {
			t.Error("a writer without the methods is taken")
		}
	}
}

// TestMarksAreNotRestored: no action of this pair wrote them, so none is taken back by facts.
func TestMarksAreNotRestored(t *testing.T) {
	for _, key := range []string{ec2model.LastFence, ec2model.FenceBackup + "i-1", ec2model.Slot} {
		for _, fact := range []string{"priorTag.", "ensuredTag."} {
			there := &cloud{tags: map[string]string{key: "1", "a": "1"}}
			undo := request(nic, map[string]string{"priorTag.a": "absent", "onDrift": "restore",
				fact + key: `"1"`})
			p, err := planRestore(t.Context(), there, undo)
			if p != nil || classOf(err) != protocol.InvalidRequest {
				t.Errorf("%s%s: %v, %v", fact, key, p, err)
			}
		}
	}
}

// TestRestoreOfWhatIsGone: a resource without tags is gone only where it is read not to exist.
func TestRestoreOfWhatIsGone(t *testing.T) {
	facts := map[string]string{"priorTag.a": `"1"`, "ensuredTag.a": `"2"`}
	undo := request(nic, facts)
	undo.Undoes, undo.Answered = true, true
	absent := protocol.Refuse(protocol.NotFound, "no")
	p, err := planRestore(t.Context(), &cloud{cause: absent}, undo)
	if err != nil || !p.TargetGone {
		t.Errorf("gone: %+v, %v", p, err)
	}
	for _, c := range []struct {
		name  string
		r     *cloud
		class protocol.FailureClass
	}{
		{"it is there", &cloud{}, protocol.Drift},
		{"it has another tag", &cloud{tags: map[string]string{"b": ""}, cause: absent},
			protocol.Drift},
		{"nobody may ask", &cloud{cause: protocol.Refuse(protocol.Authorization, "no")},
			protocol.Authorization},
	} {
		if _, err := planRestore(t.Context(), c.r, undo); classOf(err) != c.class {
			t.Errorf("%s: %v, want %s", c.name, err, c.class)
		}
	}
}
