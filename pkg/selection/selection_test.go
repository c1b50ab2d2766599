package selection_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/actions"
	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/nodes"
	"aws-provider-executor/pkg/selection"
)

func document() *selection.Document {
	return &selection.Document{
		Format: selection.Format, Key: "maint-7", Action: "fence-security-groups",
		Selectors: []string{"region=eu-*", "tag:Name=web*"}, ChosenBy: "ann",
		ChosenAt: time.Date(2026, 11, 29, 5, 0, 0, 0, time.UTC),
		Nodes: []selection.Node{
			{
				ID:       "n1",
				Name:     "web-1",
				SourceID: "i-1",
				Region:   "eu-west-1",
				State:    "running",
				By:       []int{1, 2},
			},
			{
				ID:       "n2",
				Name:     "web-2",
				SourceID: "i-2",
				Region:   "eu-west-1",
				State:    "stopped",
				By:       []int{2},
			},
		},
		Regions: []selection.Region{{Region: "eu-west-1", Nodes: 3}},
	}
}

// TestADocumentHasOneText: it is read back from it, any other text is refused, and each value in it
// is in the digest.
func TestADocumentHasOneText(t *testing.T) {
	text, err := document().Text()
	if err != nil {
		t.Fatal(err)
	}
	d, err := selection.Read(text)
	if diff := cmp.Diff(document(), d); diff != "" || err != nil {
		t.Error(diff, err)
	}
	for _, other := range []string{
		"", text + " ", strings.Replace(text, `"format"`, `"more":1,"format"`, 1),
		strings.Replace(text, `"n1"`, `"n2"`, 1),
	} {
		if _, err := selection.Read(other); err == nil {
			t.Errorf("it takes %s", other)
		}
	}
	was, _ := document().Digest()
	if was != selection.DigestOf(text) {
		t.Errorf("%s is not the digest of its text", was)
	}
	for name, change := range map[string]func(*selection.Document){
		"key":       func(d *selection.Document) { d.Key = "maint-8" },
		"action":    func(d *selection.Document) { d.Action = "stop-instances" },
		"selectors": func(d *selection.Document) { d.Selectors[0] = "region=us-*" },
		"when":      func(d *selection.Document) { d.ChosenAt = d.ChosenAt.Add(time.Second) },
		"who":       func(d *selection.Document) { d.ChosenBy = "bob" },
		"nodes":     func(d *selection.Document) { d.Nodes = d.Nodes[:1] },
		"order":     func(d *selection.Document) { slices.Reverse(d.Nodes) },
		"account":   func(d *selection.Document) { d.Nodes[0].AccountID = "1" },
		"state":     func(d *selection.Document) { d.Nodes[0].State = "stopped" },
		"interface": func(d *selection.Document) { d.Nodes[0].Interface = "eni-1" },
		"by":        func(d *selection.Document) { d.Nodes[0].By = []int{2} },
		"all":       func(d *selection.Document) { d.Regions[0].Nodes = 4 },
	} {
		d := document()
		change(d)
		if is, err := d.Digest(); is == was || err != nil {
			t.Errorf("%s is not in the digest: %v", name, err)
		}
	}
}

// TestEachRegionOfEachAccountIsCounted once, and with no fewer nodes than are chosen of it.
func TestEachRegionOfEachAccountIsCounted(t *testing.T) {
	for name, c := range map[string]struct {
		regions []selection.Region
		want    string
	}{
		"each":   {[]selection.Region{{"eu-west-1", "1", 1}, {"eu-west-1", "2", 9}}, ""},
		"older":  {[]selection.Region{{"eu-west-1", "", 2}}, ""},
		"one":    {[]selection.Region{{"eu-west-1", "1", 2}}, "of each account its own"},
		"twice":  {[]selection.Region{{"eu-west-1", "1", 1}, {"eu-west-1", "1", 9}}, "once"},
		"others": {[]selection.Region{{"eu-west-1", "1", 0}, {"eu-west-1", "2", 1}}, "of the account 1"},
	} {
		d := document()
		d.Nodes[0].AccountID, d.Nodes[1].AccountID, d.Regions = "1", "2", c.regions
		err := d.Check()
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestWaves: a share is of all, rounded down, and one at least; every node is in one wave.
func TestWaves(t *testing.T) {
	for text, want := range map[string]int{
		"10%": 2, "1%": 1, "100%": 25, "50%": 12, "3": 3, "40": 40,
		"0": 0, "0%": 0, "101%": 0, "": 0, "%": 0, "-1": 0, "1.5": 0, "ten": 0, "99999999999999999999": 0,
	} {
		got, err := selection.WaveSize(text, 25)
		if got != want || (err == nil) != (want > 0) {
			t.Errorf("%q: %d, %v", text, got, err)
		}
	}
	for _, c := range []struct {
		nodes, size int
		want        []int
	}{{6, 2, []int{2, 2, 2}}, {5, 2, []int{2, 2, 1}}, {2, 9, []int{2}}, {0, 3, nil}} {
		if got := selection.Waves(c.nodes, c.size); !slices.Equal(got, c.want) {
			t.Errorf("%d by %d: %v", c.nodes, c.size, got)
		}
	}
}

// TestWhatVerbsActOn: an instance's verb on the node, an interface's on one of its interfaces.
func TestWhatVerbsActOn(t *testing.T) {
	got := map[string]string{}
	for _, v := range actions.Registry().Verbs() {
		kind, field := selection.Kind(v)
		got[v.Name] = string(kind) + " " + field
	}
	const nic, instance = "network-interface nicRef", "instance instanceRef"
	want := map[string]string{
		"assign-secondary-ip": nic, "unassign-secondary-ip": nic, "ensure-forwarding-enabled": nic,
		"ensure-forwarding-disabled": nic, "assign-route-table-route": nic,
		"unassign-route-table-route": nic, "fence-security-groups": instance,
		"unfence-security-groups": instance, "stop-instances": instance, "start-instances": instance,
		"run-command": instance, "ensure-network-interface": instance,
		"remove-network-interface": instance,
		"ensure-public-address":    instance, "remove-public-address": instance,
		"ensure-tags":                 "instance resourceRef",
		"ensure-instance-protection":  "instance instanceRef",
		"restore-instance-protection": "instance instanceRef",
		"complete-lifecycle-action":   "instance instanceRef",
		"restore-tags":                "instance resourceRef",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// TestWhichNodesFit, and why others do not.
func TestWhichNodesFit(t *testing.T) {
	n := &nodes.Node{
		ID:    "n1",
		Type:  nodes.TypeInstance,
		State: nodes.StateStopped,
		Details: nodes.Details{
			Interfaces: []nodes.Interface{{ID: "eni-1", DeviceIndex: 1}, {ID: "eni-0"}},
		},
	}
	if why := selection.Fits(action.Instance, n); why != "" {
		t.Error(why)
	}
	for index, want := range []string{"eni-0", "eni-1", ""} {
		got, err := selection.Choice{Kind: action.NetworkInterface, Index: index}.Of(n, 1)
		if got.Interface != want || (err == nil) != (want != "") {
			t.Errorf("index %d: %+v, %v", index, got, err)
		}
	}
	if got, err := (selection.Choice{Kind: action.Instance}).Of(
		n,
		2,
	); got.Interface != "" ||
		err != nil {
		t.Errorf("%+v, %v", got, err)
	}
	for _, n := range []*nodes.Node{
		{Type: nodes.TypeInstance, State: nodes.StateTerminated}, {Type: nodes.TypeRegion},
		{Type: nodes.TypeVM}, {Type: nodes.TypeManual}, {Type: nodes.TypeReported},
	} {
		if selection.Fits(action.Instance, n) == "" {
			t.Errorf("%s, %s fits", n.Type, n.State)
		}
	}
}

// TestWhatChangedSince is told of each node, and a node that came since is only told of.
func TestWhatChangedSince(t *testing.T) {
	d := document()
	d.Nodes[0].Interface = "eni-1"
	node := func(id, source string, s nodes.State) *nodes.Node {
		n := &nodes.Node{ID: id, Name: "web", Type: nodes.TypeInstance, State: s}
		n.Source.ID = source
		n.Interfaces = []nodes.Interface{{ID: "eni-1"}}
		return n
	}
	one, two := node("n1", "i-1", nodes.StateRunning), node("n2", "i-2", nodes.StateStopped)
	gone := node("n2", "i-2", nodes.StateTerminated)
	bare := node("n1", "i-1", nodes.StateRunning)
	bare.Interfaces = nil
	region := &nodes.Node{ID: "n9", Type: nodes.TypeRegion}
	for _, c := range []struct {
		name string
		now  selection.Present
		want []string
	}{
		{"as it was", selection.Present{Chosen: []*nodes.Node{one, two}}, nil},
		{"under another id", selection.Present{
			Chosen: []*nodes.Node{node("n0", "i-1", nodes.StateRunning), two}}, nil},
		{"a state", selection.Present{Chosen: []*nodes.Node{one, node("n2", "i-2", nodes.StateRunning)}},
			[]string{"state: i-2 (web) was stopped, and is running"}},
		{"gone", selection.Present{Chosen: []*nodes.Node{one}},
			[]string{"gone: i-2 (web-2) is gone: the store does not have it any more"}},
		{"terminated", selection.Present{Chosen: []*nodes.Node{one}, Others: []*nodes.Node{gone}},
			[]string{"terminated: i-2 (web) is terminated"}},
		{"terminated and chosen still", selection.Present{Chosen: []*nodes.Node{one, gone}},
			[]string{"terminated: i-2 (web) is terminated"}},
		{"not selected", selection.Present{Chosen: []*nodes.Node{one}, Others: []*nodes.Node{two}},
			[]string{"no longer selected: i-2 (web) is no longer selected"}},
		{"an interface", selection.Present{Chosen: []*nodes.Node{bare, two}},
			[]string{"interface: i-1 (web) does not have the interface eni-1 any more"}},
		{"new", selection.Present{Chosen: []*nodes.Node{one, two, node("n3", "i-3", nodes.StateRunning)}},
			[]string{"new: i-3 (web) would be chosen now, and is not acted on"}},
		{"new and unfit", selection.Present{Chosen: []*nodes.Node{one, two, region,
			node("n4", "i-4", nodes.StateTerminated)}}, nil},
	} {
		var got []string
		for _, x := range d.Compare(c.now) {
			got = append(got, fmt.Sprintf("%s: %s", x.What, x))
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
}

// TestCounts of accounts and regions are sorted, each once.
func TestCounts(t *testing.T) {
	d := &selection.Document{Nodes: []selection.Node{
		{Region: "b", AccountID: "2"}, {Region: "a", AccountID: "2"}, {Region: "b", AccountID: "1"},
	}}
	want := []selection.Count{{Name: "1", Nodes: 1}, {Name: "2", Nodes: 2}}
	if diff := cmp.Diff(want, d.Accounts()); diff != "" {
		t.Error(diff)
	}
	// A document of an older program counts the accounts together: that says nothing of each.
	d.Regions = []selection.Region{{Region: "a", Nodes: 3}, {Region: "b", Nodes: 5}}
	shares := []selection.Share{
		{Region: "a", AccountID: "2", Name: "a of the account 2", Chosen: 1, Of: 3, Unknown: true},
		{Region: "b", AccountID: "1", Name: "b of the account 1", Chosen: 1, Of: 5, Unknown: true},
		{Region: "b", AccountID: "2", Name: "b of the account 2", Chosen: 1, Of: 5, Unknown: true},
	}
	if diff := cmp.Diff(shares, d.Shares()); diff != "" {
		t.Error(diff)
	}
	d.Regions = []selection.Region{{Region: "a", AccountID: "2", Nodes: 4},
		{Region: "b", AccountID: "1", Nodes: 6}, {Region: "b", AccountID: "2", Nodes: 7}}
	for i, of := range []int{4, 6, 7} {
		shares[i].Of, shares[i].Unknown = of, false
	}
	if diff := cmp.Diff(shares, d.Shares()); diff != "" {
		t.Error(diff)
	}
	shares = []selection.Share{{Region: "eu-west-1", Name: "eu-west-1", Chosen: 2, Of: 3}}
	if diff := cmp.Diff(shares, document().Shares()); diff != "" {
		t.Error(diff)
	}
	if places := document().Places(); len(places) != 2 || places["n2"] != 1 {
		t.Error(places)
	}
	if key := selection.KeyOfPlan("a/b/i-1"); key != "a/b" {
		t.Error(key)
	}
}
