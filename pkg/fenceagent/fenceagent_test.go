package fenceagent

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/actions"
	"aws-provider-executor/pkg/awsec2/ec2model"
)

// call is a call of the agent with some lines, and fakes for what it would reach.
func call(lines ...string) *run {
	p := New("fence_aws_executor", "v9", actions.Registry())
	return &run{
		Program: p, ctx: context.Background(), env: map[string]string{},
		in: readLines(strings.NewReader(strings.Join(lines, "\n"))), log: slog.New(slog.DiscardHandler),
	}
}

// TestOptionsAreParameters: what an option maps to is a parameter of the verb, and each parameter
// of a fence has an option.
func TestOptionsAreParameters(t *testing.T) {
	r := call()
	mapped := map[string][]string{verbOff: {"interface<N>Sg"}}
	for _, o := range options() {
		for verb, param := range map[string]string{verbOff: o.off, verbOn: o.on} {
			if param == "" {
				continue
			}
			mapped[verb] = append(mapped[verb], r.field(verb, param).Name)
			if r.field(verb, param).Form.Name == "boolean" != (o.kind == boolean) && verb == verbOff {
				t.Errorf("%s is a %s, and %s no such", o.name, o.kind, param)
			}
		}
	}
	verb, _ := r.Executor.Registry.Lookup(verbOff)
	for _, f := range verb.Parameters {
		if !slices.Contains(mapped[verbOff], f.Name) {
			t.Errorf("no option is %s", f.Name)
		}
	}
}

// TestMetadataHasEachOptionOnce, with its deprecated name where it has one, a default that the
// agent itself takes, and types that clusters know.
func TestMetadataHasEachOptionOnce(t *testing.T) {
	var said strings.Builder
	writeMetadata(&said, "fence_aws_executor")
	var agent struct {
		Name       string `xml:"name,attr"`
		Parameters []struct {
			Name       string `xml:"name,attr"`
			Unique     string `xml:"unique,attr"`
			Required   string `xml:"required,attr"`
			Obsoletes  string `xml:"obsoletes,attr"`
			Deprecated string `xml:"deprecated,attr"`
			Content    struct {
				Type    string `xml:"type,attr"`
				Default string `xml:"default,attr"`
			} `xml:"content"`
			Shortdesc string `xml:"shortdesc"`
		} `xml:"parameters>parameter"`
	}
	if err := xml.Unmarshal([]byte(said.String()), &agent); err != nil {
		t.Fatal(err)
	}
	table, seen, required := options(), map[string]string{}, []string(nil)
	for _, p := range agent.Parameters {
		if _, twice := seen[p.Name]; twice || p.Unique != "0" || p.Shortdesc == "" {
			t.Errorf("%+v", p)
		}
		seen[p.Name] = p.Deprecated
		o, _, ok := find(table, p.Name)
		if !ok || p.Content.Default != "" && o.wants(p.Content.Default) != "" {
			t.Errorf("%+v is not an option as the agent takes it", p)
		}
		if p.Obsoletes != "" && seen[p.Obsoletes] != "1" {
			t.Errorf("%s obsoletes %s, which is not deprecated before it", p.Name, p.Obsoletes)
		}
		if p.Required == "1" {
			required = append(required, p.Name)
		}
	}
	if diff := cmp.Diff([]string{"action", "plug"}, required); diff != "" {
		t.Error(diff)
	}
	for _, name := range []string{"secg", "interface15_sg", "interface15-sg", "device15_sg",
		"invert-sg-removal", "access_key", "debug", "retry_on"} {
		if _, ok := seen[name]; !ok {
			t.Errorf("%s is not listed", name)
		}
	}
}

// TestTheTableIsOne: no name and no letter means two options.
func TestTheTableIsOne(t *testing.T) {
	names, letters := map[string]string{}, map[byte]string{}
	for _, o := range options() {
		for _, name := range o.names() {
			if other := names[spell(name)]; other != "" && other != o.name {
				t.Errorf("%s is %s and %s", name, other, o.name)
			}
			names[spell(name)] = o.name
		}
		if o.short != 0 && letters[o.short] != "" {
			t.Errorf("-%c is %s and %s", o.short, letters[o.short], o.name)
		}
		letters[o.short] = o.name
	}
}

// TestInterfacesAreCountedAsTheyAreListed: by the place in EC2's answer, whatever the index.
func TestInterfacesAreCountedAsTheyAreListed(t *testing.T) {
	i := ec2model.Instance{ID: "i-1", Interfaces: []ec2model.InstanceInterface{
		{ID: "eni-a", Index: 0, Position: 2}, {ID: "eni-b", Index: 1, Position: 0},
		{ID: "eni-c", Index: 1, Card: 1, Position: 1},
	}}
	got, err := call("interface0_sg=sg-b", "interface2-sg=sg-a, sg-c").in.exactGroups(i)
	want := map[string]string{"interface1Sg": "sg-b", "interface0Sg": "sg-a,sg-c"}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Error(err, diff)
	}
	if _, err := call("interface0_sg=sg-b", "interface1_sg=sg-c").in.exactGroups(i); err == nil {
		t.Error("two interfaces have one device index")
	}
	if _, err := call("interface3_sg=sg-b").in.exactGroups(i); err == nil {
		t.Error("there is no interface at place 3")
	}
	got, err = call("device1_sg=sg-b").in.exactGroups(ec2model.Instance{})
	if diff := cmp.Diff(map[string]string{"interface1Sg": "sg-b"}, got); diff != "" || err != nil {
		t.Error(err, diff)
	}
}

// TestLimits: the agent ends before a cluster kills it, and sooner where it only asks.
func TestLimits(t *testing.T) {
	for _, c := range []struct {
		action, lines string
		want          time.Duration
	}{
		{"off", "", 45 * time.Second},
		{"on", "", 45 * time.Second},
		{"list", "", 45 * time.Second},
		{"off", "power_timeout=20", 20 * time.Second},
		{"off", "power_timeout=0", time.Hour},
		{"off", "power_timeout=99999", time.Hour},
		{"off", "power_timeout=20\ndisable_timeout=true", time.Hour},
		{"off", "power_timeout=20\ndisable_timeout=false", 20 * time.Second},
		{"monitor", "", 15 * time.Second},
		{"status", "disable_timeout=1", 15 * time.Second},
		{"monitor", "power_timeout=5", 5 * time.Second},
	} {
		r := call(c.lines)
		r.env["PCMK_service"] = "pacemaker-fenced"
		r.action = c.action
		if got := r.limit(); got != c.want {
			t.Errorf("%s, %q: %s, want %s", c.action, c.lines, got, c.want)
		}
	}
}

// TestKeys: the same fence has the same key, however it is spelt; another one has another.
func TestKeys(t *testing.T) {
	key := func(lines ...string) string {
		r := call(lines...)
		params, err := r.offParams(ec2model.Instance{})
		if err != nil {
			t.Fatal(err)
		}
		return r.offKey("i-1", params)
	}
	same := key("secg=sg-00000001,sg-00000002", "invert_sg_removal=1")
	for _, lines := range [][]string{
		{"secg=sg-00000002, sg-00000001", "invert-sg-removal=yes"},
		{"secg=sg-00000001,sg-00000002", "invert_sg_removal=on", "onfence_poweroff=0"},
		{"secg=sg-00000001,sg-00000002", "invert_sg_removal=true", "backup_tags=1"},
		{"secg=sg-00000001,sg-00000002", "invert_sg_removal=1", "skip_race_check=1",
			"ignore_instance_state=1", "power_timeout=3", "delay=2"},
	} {
		if got := key(lines...); got != same {
			t.Errorf("%v: %s, want %s", lines, got, same)
		}
	}
	seen := map[string]bool{same: true}
	for _, lines := range [][]string{
		{"secg=sg-00000001,sg-00000002"},
		{"secg=sg-00000001", "invert_sg_removal=1"},
		{"secg=sg-00000001,sg-00000002", "invert_sg_removal=1", "onfence_poweroff=1"},
		{"secg=sg-00000001,sg-00000002", "invert_sg_removal=1", "backup_tags=0"},
		{"secg=sg-00000001,sg-00000002", "invert_sg_removal=1", "transition_sg=sg-00000003"},
		{"device0_sg=sg-00000001"}, {"device1_sg=sg-00000001"},
	} {
		got := key(lines...)
		if seen[got] {
			t.Errorf("%v has the key of another fence", lines)
		}
		seen[got] = true
	}
	for got := range seen {
		if strings.HasSuffix(got, ":undo") || got == onKey("i-1") {
			t.Errorf("%s is no key of a fence", got)
		}
	}
}

// TestStanding: by the groups alone, and unknown where they do not tell.
func TestStanding(t *testing.T) {
	web, fence := []string{"sg-00000001"}, []string{"sg-00000003"}
	both := []string{"sg-00000001", "sg-00000003"}
	inverted := "secg=sg-00000003\ninvert_sg_removal=1"
	for _, c := range []struct {
		name, lines, state string
		groups             [][]string
		want               standing
	}{
		{"open", inverted, "running", [][]string{web, web}, isOn},
		{"one open", inverted, "running", [][]string{fence, web}, isOn},
		{"more than the fence's", inverted, "running", [][]string{both, fence}, isOn},
		{"closed", inverted, "running", [][]string{fence, fence}, offNow},
		{"stopped", inverted, "stopped", [][]string{web}, offNow},
		{"stopping", inverted, "stopping", [][]string{web}, isOn},
		{"stopped, by groups", inverted + "\nignore_instance_state=1", "stopped", [][]string{web}, isOn},
		{"terminated, by groups", inverted + "\nignore_instance_state=1", "terminated", nil, offNow},
		{"without interfaces", inverted, "running", nil, unknown},
		{"it has what is removed", "secg=sg-00000001", "running", [][]string{fence, both}, isOn},
		{"nothing to remove", "secg=sg-00000001", "running", [][]string{fence}, unknown},
		{"exact", "device0_sg=sg-00000003\ndevice1_sg=sg-00000001", "running",
			[][]string{fence, web}, offNow},
		{"exact, one other", "device0_sg=sg-00000003\ndevice1_sg=sg-00000003", "running",
			[][]string{fence, web}, isOn},
		{"exact, one not given", "device0_sg=sg-00000003", "running", [][]string{fence, fence}, isOn},
		{"exact by a place that is not there", "interface5_sg=sg-00000003", "running",
			[][]string{fence}, unknown},
	} {
		i := ec2model.Instance{ID: "i-1", State: c.state}
		for n, g := range c.groups {
			i.Interfaces = append(i.Interfaces, ec2model.InstanceInterface{
				ID: fmt.Sprintf("eni-%d", n), Index: n, Position: n, Groups: g,
			})
		}
		if got := call(c.lines).standing(i); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

// TestLevels: what of the log goes to standard error.
func TestLevels(t *testing.T) {
	for _, c := range []struct {
		args []string
		want slog.Level
	}{
		{nil, slog.LevelWarn},
		{[]string{"-v"}, slog.LevelInfo},
		{[]string{"-vv"}, slog.LevelDebug},
		{[]string{"-v", "--verbose"}, slog.LevelDebug},
		{[]string{"--verbose-level=0", "-v"}, slog.LevelWarn},
		{[]string{"--verbose-level", "1"}, slog.LevelInfo},
		{[]string{"--verbose-level=3"}, slog.LevelDebug},
		{[]string{"-b", "on"}, slog.LevelDebug},
		{[]string{"--boto3-debug=off"}, slog.LevelWarn},
	} {
		r := call()
		r.in = readArguments(c.args)
		if got := r.level(); got != c.want {
			t.Errorf("%v: %s, want %s", c.args, got, c.want)
		}
	}
}

// TestReadingIsBounded: a caller that does not end its options, or never stops, is given up.
func TestReadingIsBounded(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, ended := readWithin(ctx, time.Hour, never{}); ended {
		t.Error("it ended")
	}
	in := readLines(strings.NewReader("secg=" + strings.Repeat("x", 2*maxInput)))
	if len(in.faults) == 0 {
		t.Error("a line without an end is taken")
	}
	if in := readLines(broken{}); len(in.faults) == 0 {
		t.Error("an input that can't be read is taken")
	}
}

// never is an input that says nothing and does not end.
type never struct{}

// Read never returns.
func (never) Read([]byte) (int, error) { select {} }

// broken is an input that can't be read.
type broken struct{}

// Read fails.
func (broken) Read([]byte) (int, error) { return 0, errors.New("no input") }
