package nodes

import (
	"slices"
	"strings"
	"testing"
	"time"
)

var day = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

func at(minute int) time.Time { return day.Add(time.Duration(minute) * time.Minute) }

// said is an observation of a state by an instance's cloud.
func said(s State, kind EvidenceKind, minute int) Observation {
	return Observation{
		Type: TypeInstance, Source: Source{ID: "i-1", Region: "r", AccountID: "1"}, State: s,
		Evidence: Evidence{Kind: kind, At: at(minute)}, Origin: OriginCloud, Fallback: "i-1",
		Seen: kind == ByScan,
	}
}

// permutations are all orders of so many things.
func permutations(n int) [][]int {
	if n == 0 {
		return [][]int{{}}
	}
	var all [][]int
	for _, p := range permutations(n - 1) {
		for i := range n {
			all = append(all, slices.Insert(slices.Clone(p), i, n-1))
		}
	}
	return all
}

// TestEvidenceInAnyOrder: in whatever order evidence arrives, the same state is known,
// also where two were at one time.
func TestEvidenceInAnyOrder(t *testing.T) {
	for name, told := range map[string][]Observation{
		"the newest holds": {
			said(StateRunning, ByScan, 1), said(StateStopped, ByEvent, 3), said(StateRunning, ByScan, 2),
			said(StatePending, ByEvent, 0),
		},
		"terminated is final": {
			said(StateRunning, ByScan, 5), said(StateTerminated, ByEvent, 3),
			said(StateStopped, ByEvent, 7), said(StateRunning, ByScan, 1),
		},
		"two at one time": {
			said(StateRunning, ByScan, 1), said(StateStopped, ByEvent, 1),
			said(StateStopping, ByScan, 1), said(StateMissing, ByReport, 1),
		},
	} {
		t.Run(name, func(t *testing.T) {
			var want State
			for i, order := range permutations(len(told)) {
				n := &Node{ID: "n", State: StateUnknown, Status: StatusUnknown}
				for _, k := range order {
					n.Apply(&told[k])
				}
				if i == 0 {
					want = n.State
				}
				if n.State != want {
					t.Fatalf("in the order %v it is %s, in another %s", order, n.State, want)
				}
			}
		})
	}
}

// TestStatusFollowsState is the table of what a new state makes of the status.
func TestStatusFollowsState(t *testing.T) {
	for _, s := range States() {
		n := &Node{ID: "n", State: StateUnknown, Status: StatusReachable, ConnectionError: "old"}
		o := said(s, ByEvent, 1)
		n.Apply(&o)
		status, why := StatusUnreachable, "the node is "+string(s)
		switch s {
		case StateRunning:
			status, why = StatusUnknown, ""
		case StateUnknown:
			status, why = StatusReachable, "old"
		}
		if n.Status != status || n.ConnectionError != why {
			t.Errorf("%s: %s %q, want %s %q", s, n.Status, n.ConnectionError, status, why)
		}
	}
}

// TestProbes: one that failed changes the status only; one of before the node ran says nothing; one
// that reached a node of a cloud does not say that it runs.
func TestProbes(t *testing.T) {
	n := &Node{ID: "n", Type: TypeInstance, State: StateStopped, Status: StatusUnreachable,
		Said: Evidence{Kind: ByScan, At: at(5)}, StatusSaid: Evidence{Kind: ByState, At: at(5)}}
	if n.ApplyProbe(Probe{At: at(6), Reached: true}); n.State != StateStopped ||
		n.Status != StatusUnreachable {
		t.Errorf("%+v", n)
	}
	o := said(StateRunning, ByScan, 7)
	n.Apply(&o)
	if n.ApplyProbe(Probe{At: at(6), Reached: true}); n.Status != StatusUnknown {
		t.Errorf("a probe of before says %s", n.Status)
	}
	if n.ApplyProbe(Probe{At: at(8), Reason: "refused"}); n.State != StateRunning ||
		n.Status != StatusUnreachable || n.ConnectionError != "refused" {
		t.Errorf("%+v", n)
	}
	if n.ApplyProbe(Probe{At: at(9), Reached: true}); n.Status != StatusReachable ||
		n.ConnectionError != "" || !n.LastContact.Equal(at(9)) {
		t.Errorf("%+v", n)
	}
}

// TestAClockAhead: what a node says of later than now is of now, so that it can be told wrong.
func TestAClockAhead(t *testing.T) {
	r := Report{ID: "n", LastContact: at(999)}
	if o := r.Observation(at(1)); !o.Evidence.At.Equal(at(1)) || !o.Contact.Equal(at(1)) {
		t.Error(o.Evidence.At)
	}
}

// TestIdentities: parts stay apart whatever is in them, and what identifies nothing is empty.
func TestIdentities(t *testing.T) {
	for _, tt := range []struct {
		t    Type
		s    Source
		want Identity
	}{
		{TypeInstance, Source{"i-1", "r", "1"}, "source:1/r/i-1"},
		{TypeReported, Source{"i-1", "r", "1"}, "source:1/r/i-1"},
		{TypeVM, Source{"a/b", "r", "1"}, "source:1/r/a%2Fb"},
		{TypeRegion, Source{"", "r", "1"}, "region:1/r"},
		{TypeSubscription, Source{"s", "", "t"}, "subscription:t/s"},
		{TypeInstance, Source{"i-1", "", "1"}, ""}, {TypeInstance, Source{"", "r", "1"}, ""},
		{TypeInstance, Source{"i-1", "r", ""}, ""}, {TypeRegion, Source{"", "", "1"}, ""},
	} {
		if got := tt.s.Identity(tt.t); got != tt.want {
			t.Errorf("%s %+v: %q, want %q", tt.t, tt.s, got, tt.want)
		}
	}
	if got := IDIdentity("a").ID() + Identity("source:a").ID(); got != "a" {
		t.Error(got)
	}
}

// TestSecretRefs: a reference is taken, and a secret is refused without being told.
func TestSecretRefs(t *testing.T) {
	for ref, good := range map[SecretRef]bool{
		"arn:aws:secretsmanager:eu-west-1:111122223333:secret:ssh-AbCdEf": true,
		"arn:aws-cn:ssm:cn-north-1:111122223333:parameter/ssh/key":        true,
		"file:/etc/keys/node":  true,
		"file:keys/node":       false,
		"hunter2":              false,
		"":                     false,
		"arn:aws:iam::1:role/": false,
		"arn:aws:ssm:eu-west-1:111122223333:document/x":         false,
		"arn:aws:secretsmanager:eu-west-1:111122223333:secret:": false,
		"arn:aws:secretsmanager:::secret:x":                     false,
		"-----BEGIN OPENSSH PRIVATE KEY-----":                   false,
	} {
		err := ref.Check()
		if (err == nil) != good || err != nil && ref == "hunter2" &&
			strings.Contains(err.Error(), string(ref)) {
			t.Errorf("%s: %v", ref, err)
		}
	}
}

// TestCredentials: all that match, in the order of managers, rules and references, each once, with
// its first reason; a manager that the node does not belong to gives none.
func TestCredentials(t *testing.T) {
	n := &Node{ID: "n", Managers: []string{"a", "b"}, TagsBy: map[Origin]map[string]string{
		OriginCloud: {"env": "production", "team": "core", "Env": "x"},
	}, Target: &Target{Credential: "file:/own"}}
	rule := func(key, value string, refs ...SecretRef) CredentialRule {
		return CredentialRule{Key: key, Value: value, Refs: refs}
	}
	managers := []Manager{
		{ID: "b", Name: "B", Credentials: []CredentialRule{
			rule("team", "*", "file:/2", "file:/1"), rule("env", "prod", "file:/no"),
		}},
		{ID: "c", Name: "C", Credentials: []CredentialRule{rule("team", "*", "file:/no")}},
		{ID: "a", Name: "A", Credentials: []CredentialRule{
			rule("env", "prod*", "file:/1", "file:/3"), rule("env", "*tion", "file:/4"),
			rule("env", "*duct*", "file:/5"), rule("ENV", "*", "file:/no"),
		}},
	}
	var got []string
	for _, c := range Credentials(n, managers) {
		got = append(got, string(c.Ref)+" "+c.Manager+" "+c.Key)
	}
	want := []string{"file:/own  ", "file:/2 B team", "file:/1 B team", "file:/3 A env",
		"file:/4 A env", "file:/5 A env"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestCovers: accounts are those named, regions patterns, and what is excluded is out.
func TestCovers(t *testing.T) {
	m := Manager{Accounts: []string{"1"}, Regions: []string{"eu-west*", "us-west-1"},
		ExcludedRegions: []string{"eu-west-3"}}
	for place, want := range map[[2]string]bool{
		{"1", "eu-west-1"}: true, {"1", "us-west-1"}: true, {"1", "us-west-11"}: false,
		{"1", "eu-west-3"}: false, {"2", "eu-west-1"}: false, {"1", ""}: true, {"", "eu-west-1"}: true,
	} {
		if m.Covers(place[0], place[1]) != want {
			t.Errorf("%v: want %t", place, want)
		}
	}
	if !(&Manager{}).Covers("3", "anywhere") {
		t.Error("a manager without bounds does not cover everything")
	}
}

// TestA13_32: a manager of no type, without a name, with a secret in place of a reference, or of
// manual nodes, is refused with all that is wrong.
func TestA13_32(t *testing.T) {
	m := Manager{Type: "gcp-api", Access: Access{Kind: AccessSecret, Secret: "hunter2"},
		Interval: -1, Regions: []string{""},
		Credentials: []CredentialRule{{Key: "", Value: "*", Refs: []SecretRef{"hunter2"}}}}
	err := m.Check()
	if err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Fatal(err)
	}
	for _, want := range []string{
		"needs a name", "aws-ec2 aws-api azure-vm azure-api manual", "a secret itself is not taken",
		"interval", "selects nothing", "need the tag's key",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in %v", want, err)
		}
	}
	good := Manager{ID: "x", Name: "m", Type: ManagerEC2, Access: Access{Kind: AccessRole,
		RoleARN: "arn:aws:iam::111122223333:role/scan", ExternalID: "e"}}
	if err := good.Check(); err != nil {
		t.Error(err)
	}
	good.Type = ManagerOfManual
	if good.Check() == nil {
		t.Error("there is a second manager of manual nodes")
	}
}

// TestResults: by their end, each once, whatever order they come in.
func TestResults(t *testing.T) {
	all := []Result{
		{"1", ResultPassed, at(1)}, {"2", ResultFailed, at(2)}, {"3", ResultSkipped, at(3)},
		{"3", ResultPassed, at(3)}, {"2", ResultFailed, at(2)},
	}
	for _, order := range permutations(len(all)) {
		var r Results
		for _, k := range order {
			r.Add(all[k])
		}
		if r.Last.ID != "3" || r.Penultimate.ID != "2" {
			t.Fatalf("%v: %+v %+v", order, r.Last, r.Penultimate)
		}
	}
}

// TestMergeInAnyOrder: whichever is named first, the older stays, and what is known is united.
func TestMergeInAnyOrder(t *testing.T) {
	x := &Node{ID: "x", Type: TypeReported, AddedAt: at(0), State: StateRunning,
		Said: Evidence{Kind: ByReport, At: at(9)}, Managers: []string{"a"}, LastContact: at(9),
		Runs: Results{Last: &Result{"1", ResultPassed, at(9)}}}
	y := &Node{ID: "y", Type: TypeInstance, AddedAt: at(1), State: StateTerminated,
		Said: Evidence{Kind: ByScan, At: at(2)}, Managers: []string{"b"}, SeenAt: at(2),
		Source: Source{"i-1", "r", "1"}, Details: Details{Platform: "debian"},
		Runs: Results{Last: &Result{"2", ResultFailed, at(5)}}, Aliases: []Identity{"id:z"}}
	before := x.Clone()
	for _, pair := range [][2]*Node{{x, y}, {y, x}} {
		n, gone, _ := Merge(pair[0], pair[1], Evidence{Kind: ByMerge, At: at(10)})
		switch {
		case n.ID != "x" || gone.ID != "y":
			t.Errorf("%s stays", n.ID)
		case n.State != StateTerminated || n.Type != TypeInstance || n.Platform != "debian":
			t.Errorf("%+v", n)
		case !slices.Equal(n.Managers, []string{"a", "b"}) || n.Source.ID != "i-1":
			t.Errorf("%+v", n)
		case !slices.Equal(n.Aliases, []Identity{"id:y", "id:z"}):
			t.Error(n.Aliases)
		case n.Runs.Last.ID != "1" || n.Runs.Penultimate.ID != "2":
			t.Errorf("%+v", n.Runs)
		}
	}
	if x.State != before.State || len(x.Managers) != 1 {
		t.Error("a merge changes what it was given")
	}
}

// TestA13_25: a node of a region is called by its account and region.
func TestA13_25(t *testing.T) {
	s := Scan{ManagerID: "m", AccountID: "111122223333", Region: "eu-west-1", Type: TypeRegion,
		Verdict: Complete, Begun: at(0), Ended: at(0), Seen: []Sighting{{State: StateRunning}}}
	if err := s.Check(); err != nil {
		t.Fatal(err)
	}
	n, _ := s.Observations()[0].New("n")
	if n.Name != "111122223333/eu-west-1" {
		t.Error(n.Name)
	}
	s.Seen[0].Name = "lab in eu-west-1"
	if n, _ = s.Observations()[0].New("n"); n.Name != "lab in eu-west-1" {
		t.Error(n.Name)
	}
}

// TestOldWords: what showed the node before it was said to be terminated does not revive it, though
// somebody asks. Who is heard of after a suspect was asked for is not gone.
func TestOldWords(t *testing.T) {
	n := &Node{ID: "n", State: StateTerminated, Said: Evidence{Kind: ByDeletion, At: at(5)}}
	o := said(StateRunning, ByScan, 4)
	o.Revive = true
	if n.Apply(&o); n.State != StateTerminated {
		t.Errorf("a sighting of before has it %s", n.State)
	}
	o = said(StateRunning, ByScan, 6)
	o.Revive = true
	if n.Apply(&o); n.State != StateRunning {
		t.Errorf("a later one leaves it %s", n.State)
	}

	n.Absence = Absence{Scans: enoughAbsences, Since: at(7), Until: at(8)}
	n.LastContact = at(10)
	if n.ConcludeGone(at(9), "m"); n.State != StateRunning {
		t.Errorf("it was heard of later, and is %s", n.State)
	}
	if n.ConcludeGone(at(11), "m"); n.State != StateTerminated {
		t.Errorf("it was not heard of later, and is %s", n.State)
	}
}

// TestAResultOfTheTimeToCome: a report's clock may be wrong. What ends after it is still the last.
func TestAResultOfTheTimeToCome(t *testing.T) {
	now := day
	of := func(id string, end, told time.Time) *Result {
		r := Report{ID: "n", LastContact: told,
			Run: &Result{ID: id, Status: ResultPassed, EndTime: end}}
		return r.Observation(told).Run
	}
	var all Results
	all.Add(*of("early", now.Add(2*time.Hour), now))
	all.Add(*of("late", now.Add(time.Minute), now.Add(time.Minute)))
	if all.Last.ID != "late" || !all.Penultimate.EndTime.Equal(now) {
		t.Errorf("the last result is %+v, before it %+v", all.Last, all.Penultimate)
	}
	if at := of("past", now.Add(-time.Hour), now).EndTime; !at.Equal(now.Add(-time.Hour)) {
		t.Errorf("a result of the past ended at %s", at)
	}
}
