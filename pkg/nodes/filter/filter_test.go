package filter_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/pkg/nodes"
	"aws-provider-executor/pkg/nodes/filter"
)

func parse(t *testing.T, texts ...string) *filter.Filter {
	t.Helper()
	f, err := filter.Parse(texts, filter.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// node is one with tags.
func node(change func(*nodes.Node), tags ...string) *nodes.Node {
	n := &nodes.Node{ID: "n-1", State: nodes.StateRunning, Status: nodes.StatusUnknown}
	n.TagsBy = map[nodes.Origin]map[string]string{nodes.OriginCloud: {}}
	for i := 0; i < len(tags); i += 2 {
		n.TagsBy[nodes.OriginCloud][tags[i]] = tags[i+1]
	}
	if change != nil {
		change(n)
	}
	return n
}

func named(name string) *nodes.Node { return node(func(n *nodes.Node) { n.Name = name }) }

func in(region string) *nodes.Node { return node(func(n *nodes.Node) { n.Region = region }) }

// expect holds a filter against nodes that it has, and others that it has not.
func expect(t *testing.T, text string, has, hasNot []*nodes.Node) {
	t.Helper()
	f := parse(t, text)
	for _, n := range has {
		if !f.Match(n, nil) {
			t.Errorf("%s has not %q in %q with %v", text, n.Name, n.Region, n.Tags())
		}
	}
	for _, n := range hasNot {
		if f.Match(n, nil) {
			t.Errorf("%s has %q in %q with %v", text, n.Name, n.Region, n.Tags())
		}
	}
}

type list = []*nodes.Node

// TestA6_F1: a name without a wildcard is exact; with one, wherever it is, it is a pattern.
func TestA6_F1(t *testing.T) {
	expect(t, "name=web", list{named("web")}, list{named("web-1"), named("Web"), named("")})
	expect(t, "name=web*", list{named("web"), named("web-1")}, list{named("a-web")})
	expect(t, "name=*web", list{named("a-web")}, list{named("web-1")})
	expect(t, "name=a?c*", list{named("abc"), named("ac"), named("abcd")}, list{named("abbc")})
	expect(t, "region=eu-west-1", list{in("eu-west-1")},
		list{in("eu-west-10"), in("x-eu-west-1")})
}

// TestA6_F2: alternatives of one key don't let in what another key leaves out.
func TestA6_F2(t *testing.T) {
	a := func(s nodes.Status) *nodes.Node {
		return node(func(n *nodes.Node) { n.Name, n.Status = "a1", s })
	}
	expect(t, "name=a*,b*,status=reachable", list{a(nodes.StatusReachable)},
		list{a(nodes.StatusUnreachable), named("c")})
}

// TestA6_F3: an exclusion with several values leaves out the nodes that have any of them, and no
// other.
func TestA6_F3(t *testing.T) {
	expect(t, "!tag:env=prod,dev", list{node(nil, "env", "production"), node(nil)},
		list{node(nil, "env", "prod"), node(nil, "env", "dev")})
}

// TestA6_F4: a tag's value is exact, and a comma in it is no end where a backslash stands before.
func TestA6_F4(t *testing.T) {
	expect(t, "tag:env=prod", list{node(nil, "env", "prod")}, list{node(nil, "env", "production")})
	expect(t, `tag:list=a\,b`, list{node(nil, "list", "a,b")},
		list{node(nil, "list", "a"), node(nil, "list", "b"), node(nil, "b", "")})
}

// TestA6_F5: quotes, percent signs and the like in values are nothing but themselves.
func TestA6_F5(t *testing.T) {
	for _, value := range []string{"' OR 1=1 --", `%`, `_`, `"; DROP TABLE nodes`, `[a]`} {
		text := "tag:x=" + strings.NewReplacer(",", `\,`).Replace(value)
		expect(t, text, list{node(nil, "x", value)}, list{node(nil, "x", "a"), node(nil)})
	}
}

// TestA6_F8: a key without a value is refused: left out it would select everything.
func TestA6_F8(t *testing.T) {
	for _, text := range []string{
		"tag:env=", "region=", "name=a,", "name=,a", "!tag:env=", "", " ", "tag:env", "lastContact=",
	} {
		if f, err := filter.Parse([]string{text}, filter.Options{}); err == nil {
			t.Errorf("%q is read as %s", text, f)
		}
	}
	expect(t, `tag:env=""`, list{node(nil, "env", "")}, list{node(nil), node(nil, "env", "a")})
}

// TestA6_F9: each exclusion holds by itself, and a key that is there twice has the values of both.
func TestA6_F9(t *testing.T) {
	both := node(nil, "env", "prod", "team", "core")
	expect(t, "!tag:env=prod,!tag:team=core", list{node(nil), node(nil, "env", "dev", "team", "x")},
		list{both, node(nil, "env", "prod"), node(nil, "team", "core")})
	f := parse(t, "region=us-west-1", "region=eu-west-1")
	for region, want := range map[string]bool{
		"us-west-1": true, "eu-west-1": true, "us-east-1": false,
	} {
		if f.Match(in(region), nil) != want || f.HasRegion(region) != want {
			t.Errorf("%s has %s: %t", f, region, !want)
		}
	}
}

// TestA6_F10: a region that is left out is that one, and none that has its name in it.
func TestA6_F10(t *testing.T) {
	expect(t, "!region=us-east-1", list{in("x-us-east-1"), in("us-east-10"), in("us-east-2")},
		list{in("us-east-1")})
	expect(t, "region=eu-west-1", list{in("eu-west-1")}, list{in("eu-west-11")})
}

// TestA6_F11: a project is a condition like any other: alternatives of another key don't go
// around it.
func TestA6_F11(t *testing.T) {
	p := func(name string, projects ...string) *nodes.Node {
		return node(func(n *nodes.Node) { n.Name, n.Projects = name, projects })
	}
	expect(t, "project=mine,name=a,b", list{p("a", "mine"), p("b", "mine", "other")},
		list{p("a", "other"), p("b"), p("c", "mine")})
}

// TestA13_36: projects that match, do not, are none, are any, and several.
func TestA13_36(t *testing.T) {
	p := func(projects ...string) *nodes.Node {
		return node(func(n *nodes.Node) { n.Projects = projects })
	}
	for _, tt := range []struct {
		filter string
		node   *nodes.Node
		want   bool
	}{
		{"project=a", p("a"), true}, {"project=a", p("b"), false}, {"project=a", p(), false},
		{"project=a,b", p("b"), true}, {"project=a", p("a", "b"), true}, {"project=*", p("b"), true},
		{"project=*", p(), false}, {"!project=*", p(), true}, {"!project=*", p("a"), false},
		{"!project=a", p("a", "b"), false},
	} {
		if parse(t, tt.filter).Match(tt.node, nil) != tt.want {
			t.Errorf("%s of %v: want %t", tt.filter, tt.node.Projects, tt.want)
		}
	}
}

// TestOnlyWhatIsNearIsMeant: a name or a value that nothing is near to has nobody asked if another
// is meant.
func TestOnlyWhatIsNearIsMeant(t *testing.T) {
	for text, want := range map[string]string{
		"env=prod":          `there is no field "env"; a tag`,
		"colour=red":        `there is no field "colour"; a tag`,
		"regions=eu-west-1": "; did you mean region?",
		"acount=1":          "; did you mean accountId?",
		"state=melted":      `state is never "melted"; it is one of`,
		"state=stoped":      "; did you mean stopped?",
	} {
		_, err := filter.Parse([]string{text}, filter.Options{})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

// TestA13_28_refusals: what is asked for and left out in one filter, a field that there is not, and
// a value that a field never has, are refused with what may be meant.
func TestA13_28_refusals(t *testing.T) {
	for text, want := range map[string]string{
		"name=a,!name=b":         "asked for and left out",
		"regoin=eu-west-1":       "did you mean region?",
		"env=prod":               "tag:env",
		"state=runing":           "did you mean running?",
		"status=x*":              "is one of unknown, reachable, unreachable",
		"lastContact=yesterday":  "want two times",
		"region=us-*,!us-east-1": `\!us-east-1`,
		"tag:=a":                 "there is no field",
		"lastRun=2026-01-02T00:00:00Z..2026-01-01T00:00:00Z": "ends before it begins",
		"region=\xff": "no UTF-8",
	} {
		_, err := filter.Parse([]string{text}, filter.Options{})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q in it", text, err, want)
		}
	}
	// All faults are told at once.
	_, err := filter.Parse([]string{"regoin=a", "state=b", "name="}, filter.Options{})
	if err == nil || strings.Count(err.Error(), "\n") != 2 {
		t.Error(err)
	}
}

// TestBareTags: the key of a tag alone is one where that is asked for, and is told.
func TestBareTags(t *testing.T) {
	f, err := filter.Parse([]string{"env=prod"}, filter.Options{BareTags: true})
	if err != nil || !f.Match(node(nil, "env", "prod"), nil) {
		t.Fatal(f, err)
	}
	if e := f.Explain().Conditions[0]; e.Field != "tag:env" || e.ReadAs != "env" {
		t.Error(e)
	}
}

// TestOtherNames: the names that another manager of nodes has for fields are understood.
func TestOtherNames(t *testing.T) {
	for name, want := range map[string]string{
		"account_id": "accountId", "manager_id": "manager", "platform_name": "platform",
		"source_id": "sourceId", "statechange_timerange": "stateSince",
		"last_run_penultimate_status": "lastRunPenultimateStatus", "last_contact": "lastContact",
		"last_scan_timerange": "lastScan",
	} {
		if f, ok := filter.Lookup(name); !ok || f.Name != want {
			t.Errorf("%s is %q, want %q", name, f.Name, want)
		}
	}
}

// TestExplain says how the issue's own example is read, and what is asked of EC2.
func TestExplain(t *testing.T) {
	e := parse(t, "region=us-west*,tag:Name=web*,!tag:env=prod,state=running,name=a").Explain()
	want := filter.Question{
		Regions: []string{"us-west*"},
		Filters: []filter.EC2Filter{
			{Name: "tag:Name", Values: []string{"web*"}},
			{Name: "instance-state-name", Values: []string{"running"}},
		},
		Here: []string{"tag:env", "name"},
	}
	if diff := cmp.Diff(want, e.EC2); diff != "" {
		t.Error(diff)
	}
	if got := e.Conditions[2]; !got.Exclude || got.AskedOfEC2 ||
		got.Says != `not where the tag env is "prod"` {
		t.Error(got)
	}
}

// TestNothingOfOursIsAskedOfEC2: EC2 would refuse a state of ours, and take an empty text for
// nothing.
func TestNothingOfOursIsAskedOfEC2(t *testing.T) {
	for _, text := range []string{"state=running,missing", `zone=""`, "!zone=a", "manager=m"} {
		if q := parse(t, text).EC2(); len(q.Filters) > 0 || len(q.Here) != 1 {
			t.Errorf("%s asks %v", text, q)
		}
	}
	many := make([]string, 201)
	for i := range many {
		many[i] = "i-" + strings.Repeat("a", i+1)
	}
	if q := parse(t, "sourceId="+strings.Join(many, ",")).EC2(); len(q.Filters) > 0 {
		t.Error("more values are asked for than EC2 takes")
	}
}

// TestTextIsReadAsTheSame: what a filter says of itself is read as the same filter.
func TestTextIsReadAsTheSame(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	const letters = `ab*?\,=! "é`
	random := func() string {
		var b strings.Builder
		for range 1 + r.IntN(5) {
			all := []rune(letters)
			b.WriteRune(all[r.IntN(len(all))])
		}
		return b.String()
	}
	read := 0
	for range 20_000 {
		text := []string{"name=", "!name=", "tag:" + random() + "=", "region="}[r.IntN(4)] + random()
		f, err := filter.Parse([]string{text}, filter.Options{})
		if err != nil {
			continue
		}
		read++
		again, err := filter.Parse([]string{f.String()}, filter.Options{})
		if err != nil || again.String() != f.String() {
			t.Fatalf("%q is %q, and that is %v (%v)", text, f, again, err)
		}
		for i, c := range f.Conditions() {
			other := again.Conditions()[i]
			for range 20 {
				if value := random(); c.HasText(value) != other.HasText(value) ||
					c.Field.Name != other.Field.Name {
					t.Fatalf("%q and %q differ on %q", text, f, value)
				}
			}
		}
	}
	if read < 5000 {
		t.Error(read)
	}
}

// TestFieldsHaveOneName: no name leads to two fields.
func TestFieldsHaveOneName(t *testing.T) {
	var names []string
	for _, f := range filter.Fields() {
		names = append(append(names, f.Name), f.Synonyms...)
	}
	slices.Sort(names)
	if len(slices.Compact(slices.Clone(names))) != len(names) {
		t.Error(names)
	}
}

// TestA14_7: a name is exact, a pattern is one wherever its wildcards are, and %, _, quotes, commas
// and backslashes are nothing but themselves.
func TestA14_7(t *testing.T) {
	expect(t, "name=web", list{named("web")}, list{named("web-1")})
	expect(t, "name=a?c*", list{named("abc"), named("ac"), named("abcd")},
		list{named("abbc"), named("xabc")})
	for _, name := range []string{"50%", "a_b", "it's", `back\slash`, "a,b"} {
		text := strings.NewReplacer(`\`, `\\`, ",", `\,`).Replace(name)
		expect(t, "name="+text, list{named(name)}, list{named("50 "), named("aXb"), named("its"),
			named("backslash"), named("a")})
	}
}

// TestA14_8: alternatives of a name and a status, which holds for all of them.
func TestA14_8(t *testing.T) { TestA6_F2(t) }

// TestA14_9: a key without values is refused.
func TestA14_9(t *testing.T) { TestA6_F8(t) }

// TestA14_10: a field with a wrong letter is refused, with the one that is meant.
func TestA14_10(t *testing.T) {
	for text, meant := range map[string]string{"regoin=eu-west-1": "region", "!statte=x": "state",
		"subscripton=x": "subscription"} {
		f, err := filter.Parse([]string{text}, filter.Options{})
		if f != nil || err == nil || !strings.Contains(err.Error(), "did you mean "+meant+"?") {
			t.Errorf("%s is read as %v: %v", text, f, err)
		}
	}
}
