package store_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/pkg/nodes"
	"aws-provider-executor/pkg/nodes/filter"
	"aws-provider-executor/pkg/nodes/store"
)

const (
	account = "111122223333"
	region  = "eu-west-1"
	uuidA   = "aaaaaaaa-0000-4000-8000-000000000001"
	uuidB   = "bbbbbbbb-0000-4000-8000-000000000002"
)

// source is an instance's.
func source(id string) nodes.Source {
	return nodes.Source{ID: id, Region: region, AccountID: account}
}

// report is one of a run that passed, of so many minutes after the beginning.
func report(id string, minute int, of nodes.Source) nodes.Report {
	return nodes.Report{
		ID: id, Name: "name-of-" + id[:1], LastContact: at(minute), Source: of,
		Run: &nodes.Result{ID: fmt.Sprint("run-", minute), Status: nodes.ResultPassed,
			EndTime: at(minute)},
	}
}

func (b *bed) report(r nodes.Report) nodes.Received {
	b.Helper()
	got, err := b.ApplyReport(b.Context(), r)
	if err != nil {
		b.Fatal(err)
	}
	return got
}

func (b *bed) manager(name string) nodes.Manager {
	b.Helper()
	m, err := b.CreateManager(b.Context(), nodes.Manager{
		Name: name, Type: nodes.ManagerEC2, Access: nodes.Access{Kind: nodes.AccessAmbient},
	})
	if err != nil {
		b.Fatal(err)
	}
	return m
}

func running(ids ...string) []nodes.Sighting { return seen(nodes.StateRunning, ids...) }

func seen(s nodes.State, ids ...string) []nodes.Sighting {
	all := []nodes.Sighting{}
	for _, id := range ids {
		all = append(all, nodes.Sighting{ID: id, State: s})
	}
	return all
}

func scanOf(manager string, minute int, all ...nodes.Sighting) nodes.Scan {
	return nodes.Scan{
		ManagerID: manager, AccountID: account, Region: region, Type: nodes.TypeInstance,
		Verdict: nodes.Complete, Begun: at(minute), Ended: at(minute), Calls: 1, Seen: all,
	}
}

func (b *bed) scan(manager string, minute int, all ...nodes.Sighting) nodes.Summary {
	b.Helper()
	return b.apply(scanOf(manager, minute, all...))
}

func (b *bed) apply(s nodes.Scan) nodes.Summary {
	b.Helper()
	if s.Ended.After(b.now) {
		b.now = s.Ended
	}
	summary, err := b.ApplyScan(b.Context(), s)
	if err != nil {
		b.Fatal(err)
	}
	return summary
}

func (b *bed) event(id string, s nodes.State, minute int) nodes.Received {
	b.Helper()
	got, err := b.ApplyEvent(b.Context(), nodes.Event{
		Source: source(id), Type: nodes.TypeInstance, State: s, At: at(minute),
	})
	if err != nil {
		b.Fatal(err)
	}
	return got
}

func (b *bed) find(name string) *nodes.Node {
	b.Helper()
	n, err := b.Find(b.Context(), name)
	if err != nil {
		b.Fatal(err)
	}
	return n
}

func (b *bed) missing(name string) {
	b.Helper()
	if n, err := b.Find(b.Context(), name); !errors.Is(err, nodes.ErrNotFound) {
		b.Errorf("%s is known: %+v (%v)", name, n, err)
	}
}

// count is how many nodes a filter has; all where it is empty.
func (b *bed) count(text string) int {
	b.Helper()
	t, err := b.Count(b.Context(), b.filter(text))
	if err != nil {
		b.Fatal(err)
	}
	return t.All
}

func (b *bed) filter(text string) *filter.Filter {
	b.Helper()
	if text == "" {
		return nil
	}
	f, err := filter.Parse([]string{text}, filter.Options{})
	if err != nil {
		b.Fatal(err)
	}
	return f
}

// names are those of the nodes of a query, in order.
func (b *bed) names(q store.Query) string {
	b.Helper()
	var all []string
	for _, n := range b.all(q) {
		all = append(all, n.Name)
	}
	return strings.Join(all, " ")
}

func (b *bed) equal(what string, got, want any) {
	b.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		b.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// TestA12_P1: a report with a new uuid of an instance that is known by its triple is of the known
// node, and the uuid is an alias.
func TestA12_P1(t *testing.T) {
	onEach(t, func(b *bed) {
		b.scan(b.manager("m").ID, 0, running("i-1")...)
		known := b.find("i-1").ID
		r := report(uuidB, 1, source("i-1"))
		r.Tags, r.Projects = map[string]string{"a": "b"}, []string{"p"}
		got := b.report(r)
		b.equal("the node", got.NodeID, known)
		b.equal("the outcome", got.Outcome, nodes.Updated)
		n := b.find(uuidB)
		b.equal("what the alias leads to", n.ID, known)
		b.equal("its tags", n.Tags(), map[string]string{"a": "b"})
		b.equal("its projects", n.Projects, []string{"p"})
		b.equal("the count", b.count(""), 1)
	})
}

// TestA12_P2: two nodes that a report shows to be one are merged: the oldest id stays, managers and
// tags are united, and both ids answer.
func TestA12_P2(t *testing.T) {
	onEach(t, func(b *bed) {
		first := report(uuidA, 0, nodes.Source{})
		first.Tags = map[string]string{"old": "1"}
		b.report(first)
		m := b.manager("m")
		sighting := nodes.Sighting{ID: "i-1", State: nodes.StateRunning,
			Tags: map[string]string{"new": "2"}}
		b.scan(m.ID, 1, sighting)
		gone := b.find("i-1").ID
		got := b.report(report(uuidA, 2, source("i-1")))
		b.equal("the node", got.NodeID, uuidA)
		b.equal("what was merged", got.Merged, []string{gone})
		n := b.find(gone)
		b.equal("what the other id leads to", n.ID, uuidA)
		b.equal("what the instance leads to", b.find("i-1").ID, uuidA)
		b.equal("tags", n.Tags(), map[string]string{"old": "1", "new": "2"})
		b.equal("managers", n.Managers, []string{m.ID})
		b.equal("type", n.Type, nodes.TypeInstance)
		b.equal("the count", b.count(""), 1)
		b.equal("the count by tag", b.count("tag:new=2,tag:old=1"), 1)
		history, err := b.History(b.Context(), uuidA)
		merged := slices.IndexFunc(history, func(c nodes.Change) bool { return c.Field == "merged" })
		if err != nil || merged < 0 || history[merged].From != gone {
			b.Errorf("the history does not tell the merge: %v (%v)", history, err)
		}
		// And the next scan knows it.
		b.equal("added", b.scan(m.ID, 3, sighting).Added, 0)
	})
}

// TestOneUUIDOfTwoInstances: machines made from one image may report one uuid. They are two nodes,
// and none takes the other's reports.
func TestOneUUIDOfTwoInstances(t *testing.T) {
	onEach(t, func(b *bed) {
		m := b.manager("m")
		b.report(report(uuidA, 0, source("i-1")))
		b.scan(m.ID, 1, running("i-1", "i-2")...)
		two := b.find("i-2").ID
		b.now = at(5)
		b.equal("the node of a known one", b.report(report(uuidA, 2, source("i-2"))).NodeID, two)
		three := b.report(report(uuidA, 3, source("i-3")))
		b.equal("the outcome of an unknown one", three.Outcome, nodes.Added)
		b.equal("the node of the first", b.report(report(uuidA, 4, source("i-1"))).NodeID, uuidA)
		b.equal("the count", b.count(""), 3)
		b.equal("the first's source", b.find(uuidA).Source, source("i-1"))
		b.equal("the third", b.find("i-3").ID, three.NodeID)
		b.equal("the last contact of the second", b.find("i-2").LastContact, at(2))
	})
}

// TestA12_P3: a name that changed is taken over, and two who disagree don't take turns.
func TestA12_P3(t *testing.T) {
	onEach(t, func(b *bed) {
		r := report(uuidA, 0, source("i-1"))
		b.report(r)
		r = report(uuidA, 1, source("i-1"))
		r.Name = "other"
		b.report(r)
		b.equal("the name", b.find(uuidA).Name, "other")
		m := b.manager("m")
		sighting := nodes.Sighting{ID: "i-1", State: nodes.StateRunning, Name: "tagged"}
		b.scan(m.ID, 2, sighting)
		for minute := 3; minute < 6; minute++ {
			r.LastContact = at(minute)
			b.report(r)
			b.scan(m.ID, minute, sighting)
		}
		r.LastContact = at(6)
		b.report(r)
		b.equal("the name", b.find(uuidA).Name, "tagged")
	})
}

// TestA12_P4: a report of a terminated node is ignored, and says so, whatever it is known by.
func TestA12_P4(t *testing.T) {
	onEach(t, func(b *bed) {
		b.report(report(uuidA, 0, source("i-1")))
		b.event("i-1", nodes.StateTerminated, 1)
		before := b.find(uuidA)
		for _, r := range []nodes.Report{
			report(uuidA, 2, source("i-1")), report(uuidA, 2, nodes.Source{}),
			report(uuidB, 2, source("i-1")),
		} {
			b.now = at(2)
			got := b.report(r)
			b.equal("the outcome", got.Outcome, nodes.IgnoredTerminated)
		}
		b.equal("the node", b.find(uuidA), before)
		b.missing(uuidB)
	})
}

// TestA12_P5: the last and the last but one result are told by when they ended.
func TestA12_P5(t *testing.T) {
	onEach(t, func(b *bed) {
		b.now = at(60)
		for _, minute := range []int{30, 10, 20, 10, 30} {
			b.report(report(uuidA, minute, nodes.Source{}))
		}
		n := b.find(uuidA)
		b.equal("the last", n.Runs.Last.ID, "run-30")
		b.equal("the one before", n.Runs.Penultimate.ID, "run-20")
		b.equal("the last contact", n.LastContact, at(30))
	})
}

// TestA12_P6: an old report lowers nothing: a stopped node stays stopped, and a name of later
// stays.
func TestA12_P6(t *testing.T) {
	onEach(t, func(b *bed) {
		m := b.manager("m")
		b.report(report(uuidA, 0, source("i-1")))
		b.scan(m.ID, 30, seen(nodes.StateStopped, "i-1")...)
		b.now = at(31)
		b.report(report(uuidA, 29, source("i-1")))
		b.equal("the state", b.find(uuidA).State, nodes.StateStopped)
		b.now = at(60)
		b.report(report(uuidA, 10, source("i-1")))
		n := b.find(uuidA)
		b.equal("the state", n.State, nodes.StateStopped)
		b.equal("the last contact", n.LastContact, at(29))
	})
}

// TestA12_P7: two manual nodes of one address are two: an address is no identity.
func TestA12_P7(t *testing.T) {
	onEach(t, func(b *bed) {
		group := nodes.Manual{Hosts: []string{"10.0.0.9"},
			Target: nodes.Target{Port: 22, Protocol: nodes.TCP}}
		var ids []string
		for range 2 {
			added, err := b.AddManual(b.Context(), group)
			if err != nil {
				b.Fatal(err)
			}
			ids = append(ids, added[0].ID)
		}
		b.equal("the count", b.count("address=10.0.0.9"), 2)
		if _, _, err := b.Command(b.Context(), ids[0], nodes.StateTerminated, "ann"); err != nil {
			b.Fatal(err)
		}
		b.equal("the other's state", b.find(ids[1]).State, nodes.StateUnknown)
		var ambiguous *nodes.Ambiguous
		if _, err := b.Find(b.Context(), "10.0.0.9"); !errors.As(err, &ambiguous) ||
			len(ambiguous.IDs) != 2 {
			b.Error(err)
		}
	})
}

// TestA13_1 and 2: what a report makes known, and what a second one changes.
func TestA13_1(t *testing.T) {
	onEach(t, func(b *bed) {
		b.report(report(uuidA, 0, source("i-1")))
		n := b.find(uuidA)
		b.equal("the state", n.State, nodes.StateRunning)
		b.equal("the status", n.Status, nodes.StatusUnknown)
		b.equal("the last contact", n.LastContact, at(0))
		// 2: the same again.
		b.now = at(1)
		b.report(report(uuidA, 1, source("i-1")))
		b.equal("the last contact", b.find(uuidA).LastContact, at(1))
		b.equal("the count", b.count(""), 1)
	})
}

// TestA13_3 and 13: first without a source, then with one, is the same node, with its region.
func TestA13_3(t *testing.T) {
	onEach(t, func(b *bed) {
		b.report(report(uuidA, 0, nodes.Source{}))
		b.equal("the state", b.find(uuidA).State, nodes.StateRunning) // 4
		b.equal("the node", b.report(report(uuidA, 1, source("i-1"))).NodeID, uuidA)
		n := b.find("i-1")
		b.equal("the id", n.ID, uuidA)
		b.equal("the region", n.Region, region) // 13
		b.equal("the count", b.count("region="+region), 1)
		b.equal("aliases", len(n.Aliases), 0)
	})
}

// TestA13_5: a report of 20 minutes ago makes a node known, and does not say that it runs.
func TestA13_5(t *testing.T) {
	onEach(t, func(b *bed) {
		b.now = at(20)
		b.report(report(uuidA, 0, nodes.Source{}))
		b.equal("the state", b.find(uuidA).State, nodes.StateUnknown)
		b.equal("the count", b.count("state=unknown"), 1)
	})
}

// TestA13_6: a report of a terminated node leaves it terminated.
func TestA13_6(t *testing.T) { TestA12_P4(t) }

// TestA13_7: another uuid of the same triple is the same node.
func TestA13_7(t *testing.T) {
	onEach(t, func(b *bed) {
		b.report(report(uuidA, 0, source("i-1")))
		b.equal("the node", b.report(report(uuidB, 1, source("i-1"))).NodeID, uuidA)
		b.equal("the count", b.count(""), 1)
		b.equal("the alias", b.find(uuidB).ID, uuidA)
	})
}

// TestA13_8: tags that reports send add up.
func TestA13_8(t *testing.T) {
	onEach(t, func(b *bed) {
		r := report(uuidA, 0, nodes.Source{})
		r.Tags = map[string]string{"a": "1"}
		b.report(r)
		r = report(uuidA, 1, nodes.Source{})
		r.Tags = map[string]string{"b": "2"}
		b.report(r)
		b.equal("the tags", b.find(uuidA).Tags(), map[string]string{"a": "1", "b": "2"})
		// One that comes late adds what is not known, and changes nothing that is.
		r = report(uuidA, -1, nodes.Source{})
		r.Tags = map[string]string{"b": "old", "c": "3"}
		b.report(r)
		b.equal("the tags", b.find(uuidA).Tags(), map[string]string{"a": "1", "b": "2", "c": "3"})
	})
}

// TestA13_9: a report without a result is refused, and nothing changes.
func TestA13_9(t *testing.T) {
	onEach(t, func(b *bed) {
		r := report(uuidA, 0, nodes.Source{})
		r.Run = nil
		if _, err := b.ApplyReport(b.Context(), r); err == nil {
			b.Error("it is taken over")
		}
		b.equal("the count", b.count(""), 0)
	})
}

// TestA13_10: a run that passed, then one that failed.
func TestA13_10(t *testing.T) {
	onEach(t, func(b *bed) {
		b.report(report(uuidA, 0, nodes.Source{}))
		r := report(uuidA, 1, nodes.Source{})
		r.Run.Status = nodes.ResultFailed
		b.report(r)
		b.equal("the count", b.count("lastRunStatus=failed,lastRunPenultimateStatus=passed"), 1)
		// An older one than both changes neither.
		r = report(uuidA, -5, nodes.Source{})
		r.Run.Status = nodes.ResultSkipped
		b.report(r)
		b.equal("the count", b.count("lastRunStatus=failed,lastRunPenultimateStatus=passed"), 1)
	})
}

// TestA13_11 and 12: projects are kept; a report with a manager associates, one without does not,
// and one of a manager that there is not is refused.
func TestA13_11(t *testing.T) {
	onEach(t, func(b *bed) {
		m := b.manager("m")
		r := report(uuidA, 0, nodes.Source{})
		r.Projects = []string{"b", "a", "b"}
		b.report(r)
		b.equal("projects", b.find(uuidA).Projects, []string{"a", "b"})
		b.equal("managers", len(b.find(uuidA).Managers), 0) // 12
		r = report(uuidA, 1, nodes.Source{})
		r.ManagerID = m.ID
		b.report(r)
		b.equal("managers", b.find(uuidA).Managers, []string{m.ID})
		r.ManagerID = "none"
		if _, err := b.ApplyReport(b.Context(), r); !errors.Is(err, nodes.ErrNotFound) {
			b.Error(err)
		}
	})
}

// TestA13_14: a change of state alone makes a running instance known, and no other; terminated is
// final. A scan, which shows all of it, also makes a stopped one known.
func TestA13_14(t *testing.T) {
	onEach(t, func(b *bed) {
		for _, s := range []nodes.State{
			nodes.StateStopped, nodes.StateTerminated, nodes.StateShuttingDown, nodes.StateStopping,
		} {
			b.equal("the outcome", b.event("i-1", s, 0).Outcome, nodes.IgnoredUnknown)
		}
		b.missing("i-1")
		b.equal("the outcome", b.event("i-1", nodes.StateRunning, 1).Outcome, nodes.Added)
		b.event("i-1", nodes.StateTerminated, 2)
		b.equal("the state", b.find("i-1").State, nodes.StateTerminated)
		b.event("i-1", nodes.StateRunning, 3)
		m := b.manager("m")
		b.scan(m.ID, 4, running("i-1")...)
		b.equal("the state", b.find("i-1").State, nodes.StateTerminated)
		got := b.scan(m.ID, 5, append(seen(nodes.StateTerminated, "i-2"),
			seen(nodes.StateStopped, "i-3")...)...)
		b.equal("ignored", got.Ignored, 1)
		b.missing("i-2")
		b.equal("the state", b.find("i-3").State, nodes.StateStopped)
	})
}

// TestA13_15: a scan gives the name that the cloud has, and the instance's id where there is none.
func TestA13_15(t *testing.T) {
	onEach(t, func(b *bed) {
		m := b.manager("m")
		b.scan(m.ID, 0, nodes.Sighting{ID: "i-1", State: nodes.StateRunning, Name: "web"},
			nodes.Sighting{ID: "i-2", State: nodes.StateRunning})
		b.equal("names", b.names(store.Query{}), "i-2 web")
		b.equal("managers", b.find("web").Managers, []string{m.ID})
		// A name that is taken off in the cloud is off.
		b.scan(m.ID, 1, running("i-1", "i-2")...)
		b.equal("names", b.names(store.Query{}), "i-1 i-2")
	})
}

// TestA13_16: two managers of a type are both listed, and both may be on the ambient identity.
func TestA13_16(t *testing.T) {
	onEach(t, func(b *bed) {
		b.manager("b")
		b.now = at(1)
		b.manager("a")
		all, err := b.Managers(b.Context())
		if err != nil || len(all) != 3 || all[0].ID != nodes.ManualManager || all[1].Name != "b" ||
			all[2].Name != "a" {
			b.Error(all, err)
		}
		if _, err := b.CreateManager(b.Context(), nodes.Manager{Name: "a", Type: nodes.ManagerEC2,
			Access: nodes.Access{Kind: nodes.AccessAmbient}}); err == nil {
			b.Error("two managers have one name")
		}
	})
}

// TestA13_17: of two instances the one with the tag has the reference; it follows the tag.
func TestA13_17(t *testing.T) {
	onEach(t, func(b *bed) {
		rule := nodes.CredentialRule{Key: "env", Value: "prod*",
			Refs: []nodes.SecretRef{"file:/etc/key", "file:/etc/key"}}
		m, err := b.CreateManager(b.Context(), nodes.Manager{Name: "m", Type: nodes.ManagerEC2,
			Access: nodes.Access{Kind: nodes.AccessAmbient}, Credentials: []nodes.CredentialRule{rule}})
		if err != nil {
			b.Fatal(err)
		}
		have := func(name string) int {
			all, err := b.Managers(b.Context())
			if err != nil {
				b.Fatal(err)
			}
			return len(nodes.Credentials(b.find(name), all))
		}
		tagged := nodes.Sighting{ID: "i-1", State: nodes.StateRunning,
			Tags: map[string]string{"env": "production"}}
		b.scan(m.ID, 0, append(running("i-2"), tagged)...)
		b.equal("references", []int{have("i-1"), have("i-2")}, []int{1, 0})
		tagged.Tags = map[string]string{"env": "dev"}
		b.scan(m.ID, 1, append(running("i-2"), tagged)...)
		b.equal("references", []int{have("i-1"), have("i-2")}, []int{0, 0})
	})
}

// TestA13_18: a scan does not add a node that a report made known.
func TestA13_18(t *testing.T) {
	onEach(t, func(b *bed) {
		b.report(report(uuidA, 0, source("i-1")))
		got := b.scan(b.manager("m").ID, 1, running("i-1")...)
		b.equal("added", got.Added, 0)
		b.equal("the id", b.find("i-1").ID, uuidA)
		b.equal("the count", b.count(""), 1)
	})
}

// deletion deletes the first of two managers, and says what became of the nodes.
func (b *bed) deletion(d nodes.Disposition, s nodes.State) (nodes.Deletion, nodes.Manager) {
	b.Helper()
	first, second := b.manager("first"), b.manager("second")
	b.scan(first.ID, 0, running("i-both", "i-lone")...)
	r := report(uuidB, 0, source("i-both"))
	r.ManagerID = second.ID
	b.report(r)
	b.now = at(1)
	done, err := b.DeleteManager(b.Context(), first.ID, d, s, "ann")
	if err != nil {
		b.Fatal(err)
	}
	b.equal("the shared one", done.Shared, []string{b.find("i-both").ID})
	b.equal("its managers", b.find("i-both").Managers, []string{second.ID})
	b.equal("its state", b.find("i-both").State, nodes.StateRunning)
	if _, err := b.Manager(b.Context(), "first"); !errors.Is(err, nodes.ErrNotFound) {
		b.Error(err)
	}
	return done, second
}

// TestA13_19: nodes that are kept are in the manual manager's list.
func TestA13_19(t *testing.T) {
	onEach(t, func(b *bed) {
		done, _ := b.deletion(nodes.KeepNodes, "")
		n := b.find("i-lone")
		b.equal("kept", done.Kept, []string{n.ID})
		b.equal("managers", n.Managers, []string{nodes.ManualManager})
		b.equal("the count", b.count("managed=false"), 1)
	})
}

// TestA13_20: of the nodes only the lone one is deleted, and is told.
func TestA13_20(t *testing.T) {
	onEach(t, func(b *bed) {
		done, _ := b.deletion(nodes.DeleteNodes, "")
		b.equal("deleted", len(done.Deleted), 1)
		b.missing("i-lone")
		b.missing(done.Deleted[0])
		b.equal("the count", b.count(""), 1)
		b.equal("its values", b.count("sourceId=i-lone"), 0)
	})
}

// TestA13_21: of the nodes only the lone one changes its state. It is listed and is unreachable. No
// scan revives a terminated one, but where somebody asks.
func TestA13_21(t *testing.T) {
	onEach(t, func(b *bed) {
		done, second := b.deletion(nodes.SetState, nodes.StateTerminated)
		n := b.find("i-lone")
		b.equal("changed", done.Changed, []string{n.ID})
		b.equal("the count", b.count("state=terminated,status=unreachable"), 1)
		got := b.scan(second.ID, 2, running("i-both", "i-lone")...)
		b.equal("revivable", got.Revivable, []string{n.ID})
		b.equal("the state", b.find("i-lone").State, nodes.StateTerminated)
		asked := scanOf(second.ID, 3, running("i-both", "i-lone")...)
		asked.Revive = true
		b.equal("revived", b.apply(asked).Revived, 1)
		n = b.find("i-lone")
		b.equal("the state", n.State, nodes.StateRunning)
		b.equal("who said so", n.Said.Kind, nodes.ByRevival)
		b.equal("the status", n.Status, nodes.StatusUnknown)
		b.equal("the error", n.ConnectionError, "")
		// 22: the manual manager has it no more.
		b.equal("managers", n.Managers, []string{second.ID})
	})
}

// TestA13_22: a node that was kept goes to the manager that sees it again.
func TestA13_22(t *testing.T) {
	onEach(t, func(b *bed) {
		b.deletion(nodes.KeepNodes, "")
		b.now = at(2)
		again := b.manager("first")
		b.scan(again.ID, 3, running("i-lone")...)
		b.equal("managers", b.find("i-lone").Managers, []string{again.ID})
	})
}

// TestA13_23: what a manager does not cover any more belongs to the manual one; a mere new name
// changes nothing.
func TestA13_23(t *testing.T) {
	onEach(t, func(b *bed) {
		m := b.manager("m")
		b.scan(m.ID, 0, append(running("i-1"), seen(nodes.StateStopped, "i-2")...)...)
		m.Name = "renamed"
		m, err := b.UpdateManager(b.Context(), m)
		if err != nil {
			b.Fatal(err)
		}
		b.equal("the count", b.count("manager=renamed"), 2)
		m.ExcludedRegions = []string{"eu-*"}
		if m, err = b.UpdateManager(b.Context(), m); err != nil {
			b.Fatal(err)
		}
		b.equal("the count", b.count("manager=manual"), 2)
		b.equal("the state", b.find("i-2").State, nodes.StateStopped)
		if r, err := b.Regions(b.Context(), m.ID); err != nil || len(r) != 0 {
			b.Error(r, err)
		}
		// An update that rests on what is not so any more is refused.
		m.Revision--
		if _, err := b.UpdateManager(b.Context(), m); !errors.Is(err, nodes.ErrConflict) {
			b.Error(err)
		}
	})
}

// TestA13_24: tags that are the same again are there once, and one that is gone in the cloud is
// gone.
func TestA13_24(t *testing.T) {
	onEach(t, func(b *bed) {
		m := b.manager("m")
		tagged := nodes.Sighting{ID: "i-1", State: nodes.StateRunning,
			Tags: map[string]string{"a": "1", "b": "2"}}
		b.scan(m.ID, 0, tagged)
		b.equal("changed", b.scan(m.ID, 1, tagged).Changed, 0)
		values, err := b.Values(b.Context(), "tags", nil)
		if err != nil || len(values) != 2 {
			b.Error(values, err)
		}
		tagged.Tags = map[string]string{"a": "3"}
		b.scan(m.ID, 2, tagged)
		b.equal("the count", b.count("tag:a=3"), 1)
		b.equal("the count", b.count("tag:b=*"), 0)
		history, err := b.History(b.Context(), b.find("i-1").ID)
		var fields []string
		for _, c := range history {
			fields = append(fields, c.Field+" "+c.From+">"+c.To)
		}
		b.equal("the history", fields, []string{
			"added >instance", "state unknown>running", "tag:a 1>3", "tag:b 2>",
		})
		if err != nil {
			b.Error(err)
		}
	})
}

// TestA13_26 and A5 row 9: manual nodes are due; stopped and terminated ones are not, nor is a node
// of no manual manager.
func TestA13_26(t *testing.T) {
	onEach(t, func(b *bed) {
		added, err := b.AddManual(b.Context(), nodes.Manual{Prefix: "rack",
			Hosts: []string{"h1", "h2", "h3"}, Target: nodes.Target{Port: 22, Protocol: nodes.TCP}})
		if err != nil {
			b.Fatal(err)
		}
		b.report(report(uuidA, 0, nodes.Source{}))
		due := func(minute int) int {
			all, err := b.Due(b.Context(), at(minute))
			if err != nil {
				b.Fatal(err)
			}
			return len(all)
		}
		b.equal("due", due(0), 3)
		if _, _, err := b.Command(b.Context(), added[0].ID, nodes.StateTerminated, "ann"); err != nil {
			b.Fatal(err)
		}
		b.equal("due", due(0), 2)
		b.now = at(20)
		if _, err := b.ApplyProbe(b.Context(), nodes.Probe{NodeID: added[1].ID, At: at(10),
			Reached: true}); err != nil {
			b.Fatal(err)
		}
		b.equal("due", due(9), 1)
		b.equal("due", due(10), 2)
		n := b.find("rack-h2")
		b.equal("the state", n.State, nodes.StateRunning)
		b.equal("the status", n.Status, nodes.StatusReachable)
		// A probe that fails changes the status only.
		if _, err := b.ApplyProbe(b.Context(), nodes.Probe{NodeID: n.ID, At: at(20),
			Reason: "refused"}); err != nil {
			b.Fatal(err)
		}
		n = b.find("rack-h2")
		b.equal("the state", n.State, nodes.StateRunning)
		b.equal("the status", n.Status, nodes.StatusUnreachable)
		b.equal("the error", n.ConnectionError, "refused")
	})
}

// TestA13_27: a person says stopped, then terminated; terminated is final.
func TestA13_27(t *testing.T) {
	onEach(t, func(b *bed) {
		b.report(report(uuidA, 0, nodes.Source{}))
		for i, s := range []nodes.State{nodes.StateStopped, nodes.StateTerminated} {
			b.now = at(i + 1)
			if _, _, err := b.Command(b.Context(), uuidA, s, "ann"); err != nil {
				b.Fatal(err)
			}
			n := b.find(uuidA)
			b.equal("the state", n.State, s)
			b.equal("who said so", n.Said.By, "ann")
		}
		_, _, err := b.Command(b.Context(), uuidA, nodes.StateRunning, "ann")
		if !errors.Is(err, nodes.ErrTerminated) {
			b.Error(err)
		}
	})
}

// TestA13_28: lists by manager, by none, by name with a wildcard in and out, by tags, in several
// orders, by ranges and results; deletion by a filter; quotes in tags; suggestions with and without
// a filter.
func TestA13_28(t *testing.T) {
	onEach(t, func(b *bed) {
		m := b.manager("prod")
		b.scan(m.ID, 0,
			nodes.Sighting{ID: "i-1", State: nodes.StateRunning, Name: "b1",
				Tags:    map[string]string{"env": "prod", "q": `it's "so"`},
				Details: nodes.Details{Platform: "windows"}},
			nodes.Sighting{ID: "i-2", State: nodes.StateStopped, Name: "a1",
				Tags:    map[string]string{"env": "dev", "team": "x"},
				Details: nodes.Details{Platform: "debian"}})
		b.now = at(1)
		b.report(report(uuidA, 1, nodes.Source{}))
		for text, want := range map[string]string{
			"manager=prod": "a1 b1", "manager=" + m.ID: "a1 b1", "!manager=*": "name-of-a",
			"managed=true": "a1 b1", "managed=false": "name-of-a", "name=a*": "a1",
			"!name=a*": "b1 name-of-a", "tag:env=prod": "b1", "tag:env=prod,dev": "a1 b1",
			"tag:env=prod,dev,tag:team=x": "a1", `tag:q=it's \"so\"`: "b1", "managerType=aws-*": "a1 b1",
			"lastRun=2026-11-29T12:01:00Z..2026-11-29T12:01:00Z":    "name-of-a",
			"stateSince=2026-11-29T12:00:00Z..2026-11-29T12:00:30Z": "a1 b1",
			"lastRunStatus=passed":                                  "name-of-a",
		} {
			b.equal(text, b.names(store.Query{Filter: b.filter(text)}), want)
		}
		for sort, want := range map[string]string{
			"name": "a1 b1 name-of-a", "state": "b1 name-of-a a1", "platform": "name-of-a a1 b1",
			"addedAt": "b1 a1 name-of-a", "sourceId": "name-of-a b1 a1",
		} {
			b.equal("by "+sort, b.names(store.Query{Sort: sort, Limit: 2}), sortTies(sort, want, b))
			forwards := strings.Fields(b.names(store.Query{Sort: sort, Limit: 1}))
			backwards := strings.Fields(b.names(store.Query{Sort: sort, Descending: true, Limit: 1}))
			slices.Reverse(backwards)
			b.equal("backwards by "+sort, backwards, forwards)
		}
		managers := strings.Fields(b.names(store.Query{Sort: "manager"}))
		b.equal("by manager", managers[0], "name-of-a")
		values, err := b.Values(b.Context(), "names", b.filter("tag:env=*"))
		b.equal("values", values, []store.ValueCount{{Value: "a1", Nodes: 1}, {Value: "b1", Nodes: 1}})
		values, err2 := b.Values(b.Context(), "tags:env", nil)
		b.equal("values", values, []store.ValueCount{{Value: "dev", Nodes: 1}, {Value: "prod", Nodes: 1}})
		if err := errors.Join(err, err2); err != nil {
			b.Error(err)
		}
		gone, err := b.Delete(b.Context(), b.filter("tag:env=prod,name=b*"), -1)
		if err != nil || len(gone) != 1 {
			b.Error(gone, err)
		}
		b.equal("names", b.names(store.Query{}), "a1 name-of-a")
	})
}

// sortTies is the order by a field, where nodes that are alike go by their ids.
func sortTies(sort, want string, b *bed) string {
	b.Helper()
	all := strings.Fields(want)
	slices.SortStableFunc(all, func(x, y string) int {
		m, n := b.find(x), b.find(y)
		alike := sort == "state" && m.State == n.State || sort == "addedAt" && m.AddedAt.Equal(n.AddedAt)
		if !alike {
			return 0
		}
		return strings.Compare(m.ID, n.ID)
	})
	return strings.Join(all, " ")
}

// TestA6_F6: a deletion with a filter by tag deletes just those; one without a filter is refused.
func TestA6_F6(t *testing.T) {
	onEach(t, func(b *bed) {
		b.scan(b.manager("m").ID, 0, append(running("i-1"), nodes.Sighting{ID: "i-2",
			State: nodes.StateRunning, Tags: map[string]string{"env": "dev"}})...)
		for _, f := range []*filter.Filter{nil, {}} {
			if _, err := b.Delete(b.Context(), f, -1); !errors.Is(err, store.ErrNoFilter) {
				b.Error(err)
			}
		}
		b.equal("the count", b.count(""), 2)
		if _, err := b.Delete(b.Context(), b.filter("tag:env=dev"), -1); err != nil {
			b.Error(err)
		}
		b.equal("names", b.names(store.Query{}), "i-1")
	})
}

// TestA6_F7: suggestions are there with a filter by tag, and for what has several values.
func TestA6_F7(t *testing.T) {
	onEach(t, func(b *bed) {
		m := b.manager("m")
		b.scan(m.ID, 0, append(running("i-1"), nodes.Sighting{ID: "i-2", Name: "web",
			State: nodes.StateRunning, Tags: map[string]string{"env": "dev"}})...)
		for field, want := range map[string]store.ValueCount{
			"name": {Value: "web", Nodes: 1}, "regions": {Value: region, Nodes: 1},
			"tags": {Value: "env", Nodes: 1}, "tags:env": {Value: "dev", Nodes: 1},
			"managers": {Value: m.ID, Name: "m", Nodes: 1}, "managerType": {Value: "aws-ec2", Nodes: 1},
			"states": {Value: "running", Nodes: 1}, "accounts": {Value: account, Nodes: 1},
		} {
			got, err := b.Values(b.Context(), field, b.filter("tag:env=dev"))
			if err != nil || len(got) != 1 || got[0] != want {
				b.Errorf("%s: %v, want %v (%v)", field, got, want, err)
			}
		}
		if _, err := b.Values(b.Context(), "nothing", nil); err == nil {
			b.Error("an unknown field has values")
		}
	})
}

// TestA6_F12: a filter by tag has the node with the tag, and not its neighbours.
func TestA6_F12(t *testing.T) {
	onEach(t, func(b *bed) {
		m, err := b.CreateManager(b.Context(), nodes.Manager{Name: "azure", Type: nodes.ManagerVM,
			Access: nodes.Access{Kind: nodes.AccessAmbient}})
		if err != nil {
			b.Fatal(err)
		}
		s := scanOf(m.ID, 0, append(running("vm-1"), nodes.Sighting{ID: "vm-2",
			State: nodes.StateRunning, Tags: map[string]string{"env": "dev"}})...)
		s.Type = nodes.TypeVM
		b.apply(s)
		b.equal("names", b.names(store.Query{Filter: b.filter("tag:env=dev")}), "vm-2")
	})
}

// TestA13_29: what can't be made or listed is refused with what is possible.
func TestA13_29(t *testing.T) {
	onEach(t, func(b *bed) {
		b.missing("none")
		if _, err := b.List(b.Context(), store.Query{Sort: "nmae"}); err == nil ||
			!strings.Contains(err.Error(), "accountId, addedAt") {
			b.Error(err)
		}
		for _, m := range []nodes.Manual{
			{Hosts: []string{"h"}, Target: nodes.Target{Protocol: nodes.TCP}},
			{Target: nodes.Target{Port: 22, Protocol: nodes.TCP}},
			{Hosts: []string{"h", "h"}, Target: nodes.Target{Port: 22, Protocol: nodes.TCP}},
			{Hosts: []string{"h"}, Target: nodes.Target{Port: 22, Protocol: "winrm"}},
			{Hosts: []string{"h"}, Target: nodes.Target{Port: 22, Protocol: nodes.SSH}},
			{Hosts: []string{"h"}, Target: nodes.Target{Port: 22, Protocol: nodes.TCP,
				Credential: "hunter2hunter2"}},
		} {
			if _, err := b.AddManual(b.Context(), m); err == nil ||
				strings.Contains(err.Error(), "hunter2") {
				b.Errorf("%+v: %v", m, err)
			}
		}
		b.equal("the count", b.count(""), 0)
	})
}

// TestA13_30: pages add up to all, in order.
func TestA13_30(t *testing.T) {
	onEach(t, func(b *bed) {
		m := b.manager("m")
		var ids []string
		for i := range 25 {
			ids = append(ids, fmt.Sprintf("i-%02d", i))
		}
		b.scan(m.ID, 0, running(ids...)...)
		b.equal("names", b.names(store.Query{Limit: 10}), strings.Join(ids, " "))
		page, err := b.List(b.Context(), store.Query{Limit: 10})
		if err != nil {
			b.Fatal(err)
		}
		_, err = b.List(b.Context(), store.Query{After: page.Next, Sort: "region"})
		if !errors.Is(err, store.ErrOtherList) {
			b.Error(err)
		}
		if _, err = b.List(b.Context(), store.Query{After: "x"}); !errors.Is(err, store.ErrOtherList) {
			b.Error(err)
		}
	})
}

// TestA13_31: hosts are named PREFIX-HOST, in one transaction.
func TestA13_31(t *testing.T) {
	onEach(t, func(b *bed) {
		_, err := b.AddManual(b.Context(), nodes.Manual{Prefix: "p", Hosts: []string{"a", "b", "c"},
			Target: nodes.Target{Port: 22, Protocol: nodes.TCP}, Tags: map[string]string{"k": "v"}})
		if err != nil {
			b.Fatal(err)
		}
		b.equal("names", b.names(store.Query{Filter: b.filter("manager=manual,tag:k=v")}), "p-a p-b p-c")
	})
}

// TestA13_37: a node that is not heard of is missing, and runs again with a new report. A node that
// is deleted is gone, and others of the list after a terminated one are still looked at.
func TestA13_37(t *testing.T) {
	onEach(t, func(b *bed) {
		b.report(report(uuidA, 0, source("i-1")))
		b.event("i-1", nodes.StateTerminated, 1)
		b.report(report(uuidB, 0, nodes.Source{}))
		b.now = at(60 * 24)
		if n, err := b.MarkMissing(b.Context(), at(1)); err != nil || n != 1 {
			b.Error(n, err)
		}
		n := b.find(uuidB)
		b.equal("the state", n.State, nodes.StateMissing)
		b.equal("inferred", n.Said.Inferred, true)
		b.equal("the other's state", b.find(uuidA).State, nodes.StateTerminated)
		b.now = at(60*24 + 1)
		b.report(report(uuidB, 60*24+1, nodes.Source{}))
		b.equal("the state", b.find(uuidB).State, nodes.StateRunning)
		if _, err := b.Delete(b.Context(), b.filter("name=name-of-b,sourceId=\"\""), -1); err != nil {
			b.Error(err)
		}
		b.missing(uuidB)
	})
}

// TestStoppedAndRunningAgain: state running, status unknown, no old error, and the state changed
// twice.
func TestStoppedAndRunningAgain(t *testing.T) {
	onEach(t, func(b *bed) {
		m := b.manager("m")
		b.scan(m.ID, 0, running("i-1")...)
		id := b.find("i-1").ID
		reached := nodes.Probe{NodeID: id, At: at(1), Reached: true}
		if _, err := b.ApplyProbe(b.Context(), reached); err != nil {
			b.Fatal(err)
		}
		b.scan(m.ID, 2, seen(nodes.StateStopped, "i-1")...)
		n := b.find("i-1")
		b.equal("stopped", []any{n.State, n.Status, n.ConnectionError, n.StateSince},
			[]any{nodes.StateStopped, nodes.StatusUnreachable, "the node is stopped", at(2)})
		b.scan(m.ID, 3, running("i-1")...)
		b.scan(m.ID, 4, running("i-1")...)
		n = b.find("i-1")
		b.equal("running", []any{n.State, n.Status, n.ConnectionError, n.StateSince, n.Said.At},
			[]any{nodes.StateRunning, nodes.StatusUnknown, "", at(3), at(4)})
	})
}

// TestA14_12: of 10,000 equal names each is listed once, in pages of 100, also
// while others are added and deleted.
func TestA14_12(t *testing.T) {
	onEach(t, func(b *bed) {
		m := b.manager("m")
		const many = 10_000
		var all []nodes.Sighting
		for i := range many {
			all = append(all, nodes.Sighting{ID: fmt.Sprintf("i-%05d", i), Name: "same",
				State: nodes.StateRunning})
		}
		b.scan(m.ID, 0, all...)
		listed := map[string]int{}
		q := store.Query{Limit: 100}
		for page := 0; ; page++ {
			got, err := b.List(b.Context(), q)
			if err != nil {
				b.Fatal(err)
			}
			for _, n := range got.Nodes {
				listed[n.Source.ID]++
			}
			if page%10 == 3 {
				b.event(fmt.Sprintf("i-new-%d", page), nodes.StateRunning, 1)
				text := "sourceId=" + got.Nodes[0].Source.ID
				if _, err := b.Delete(b.Context(), b.filter(text), -1); err != nil {
					b.Fatal(err)
				}
			}
			if q.After = got.Next; q.After == "" {
				break
			}
		}
		for i := range many {
			if n := listed[fmt.Sprintf("i-%05d", i)]; n != 1 {
				b.Fatalf("i-%05d is listed %d times", i, n)
			}
		}
	})
}

// TestHistoryIsKeptForATime: changes that are too old go, and later ones stay.
func TestHistoryIsKeptForATime(t *testing.T) {
	onEach(t, func(b *bed) {
		b.report(report(uuidA, 0, nodes.Source{}))
		b.now = day.Add(store.DefaultKeep + time.Hour)
		if _, _, err := b.Command(b.Context(), uuidA, nodes.StateStopped, "ann"); err != nil {
			b.Fatal(err)
		}
		history, err := b.History(b.Context(), uuidA)
		if err != nil || len(history) != 2 || history[0].To != "stopped" {
			b.Error(history, err)
		}
		if err := b.SetKeep(b.Context(), time.Hour); err != nil {
			b.Fatal(err)
		}
		b.now = b.now.Add(2 * time.Hour)
		b.report(report(uuidB, 0, nodes.Source{}))
		history, err = b.History(b.Context(), uuidA)
		keep, err2 := b.Keep(b.Context())
		if err = errors.Join(err, err2); err != nil || len(history) != 0 || keep != time.Hour {
			b.Error(history, keep, err)
		}
		if b.SetKeep(b.Context(), 0) == nil {
			b.Error("nothing is kept at all")
		}
	})
}

// TestA14_13: a report that is older than the last one says nothing of the state, and is kept as
// the result before.
func TestA14_13(t *testing.T) {
	onEach(t, func(b *bed) {
		b.now = at(60)
		b.report(report(uuidA, 59, nodes.Source{}))
		if _, _, err := b.Command(b.Context(), uuidA, nodes.StateStopped, "ann"); err != nil {
			b.Fatal(err)
		}
		b.report(report(uuidA, 55, nodes.Source{}))
		n := b.find(uuidA)
		b.equal("the state", n.State, nodes.StateStopped)
		b.equal("the last contact", n.LastContact, at(59))
		b.equal("the last run", n.Runs.Last.ID, "run-59")
		b.equal("the run before", n.Runs.Penultimate.ID, "run-55")
	})
}
