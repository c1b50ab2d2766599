package store_test

import (
	"database/sql"
	"errors"
	"strings"
	"testing"
	"time"

	"aws-provider-executor/pkg/nodes"
	"aws-provider-executor/pkg/nodes/store"
)

// raw is the database behind a store's back.
func (b *bed) raw() *sql.DB {
	b.Helper()
	driver := "sqlite"
	if strings.HasPrefix(b.place, "postgres") {
		driver = "pgx"
	}
	db, err := sql.Open(driver, b.place)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = db.Close() })
	return db
}

// manual adds machines as a call.
func (b *bed) manual(s *store.Store, hosts ...string) {
	b.Helper()
	_, err := s.AddManual(b.Context(), nodes.Manual{Hosts: hosts, By: "ann",
		Target: nodes.Target{Port: 22, Protocol: nodes.TCP}})
	if err != nil {
		b.Fatal(err)
	}
}

// audit are the entries, the latest first.
func (b *bed) audit() []store.Entry {
	b.Helper()
	all, _, err := b.Audit(b.Context(), 100, "")
	if err != nil {
		b.Fatal(err)
	}
	return all
}

func TestACallIsEnteredOnceWithItsFirstChange(t *testing.T) {
	onEach(t, func(b *bed) {
		s := b.As(store.Call{Caller: "ann", Name: "AddManualNodes", Asked: `{"hosts":["a","b"]}`})
		b.manual(s, "a", "b")
		b.manual(s, "c")
		all := b.audit()
		if len(all) != 1 {
			b.Fatal(all)
		}
		e := all[0]
		b.equal("who", e.Caller, "ann")
		b.equal("what", e.Call, "AddManualNodes")
		b.equal("asked", e.Asked, `{"hosts":["a","b"]}`)
		b.equal("when", e.At, day)
		b.equal("nodes", e.Nodes, 2)
		b.equal("named", strings.Join(e.NodeIDs, " "), "n-001 n-002")
		// What no call asked for is in no log.
		b.manual(b.Store, "d")
		b.equal("entries", len(b.audit()), 1)
	})
}

func TestWhatFailedIsNotEnteredAndAFurtherTryIs(t *testing.T) {
	onEach(t, func(b *bed) {
		b.manual(b.Store, "a")
		s := b.As(store.Call{Caller: "ann", Name: "SetNodeState"})
		if _, _, err := s.Command(b.Context(), "nobody", nodes.StateStopped, "ann"); !errors.Is(err,
			nodes.ErrNotFound) {
			b.Fatal(err)
		}
		b.equal("entries", len(b.audit()), 0)
		if _, _, err := s.Command(b.Context(), "a", nodes.StateStopped, "ann"); err != nil {
			b.Fatal(err)
		}
		b.equal("entries", len(b.audit()), 1)
	})
}

// A log that can't be written keeps the change from being made.
func TestNoChangeWithoutItsEntry(t *testing.T) {
	onEach(t, func(b *bed) {
		if _, err := b.raw().Exec("DROP TABLE node_audit"); err != nil {
			b.Fatal(err)
		}
		s := b.As(store.Call{Caller: "ann", Name: "AddManualNodes"})
		_, err := s.AddManual(b.Context(), nodes.Manual{Hosts: []string{"a"},
			Target: nodes.Target{Port: 22, Protocol: nodes.TCP}})
		if err == nil || !strings.Contains(err.Error(), "audit log") {
			b.Error(err)
		}
		b.missing("a")
	})
}

func TestAuditLogIsAppendOnly(t *testing.T) {
	onEach(t, func(b *bed) {
		b.manual(b.As(store.Call{Caller: "ann", Name: "AddManualNodes"}), "a")
		for _, statement := range []string{
			"UPDATE node_audit SET caller = 'bob'", "DELETE FROM node_audit",
		} {
			if _, err := b.raw().Exec(statement); err == nil ||
				!strings.Contains(err.Error(), "append-only") {
				b.Error(statement, err)
			}
		}
		b.equal("who", b.audit()[0].Caller, "ann")
	})
}

// Reports come all the time: one that only says that the node is still there is not entered.
func TestAReportThatChangesNothingIsNotEntered(t *testing.T) {
	onEach(t, func(b *bed) {
		told := func(minute int, name string) {
			b.now = at(minute)
			r := nodes.Report{ID: "r-1", Name: name, LastContact: b.now,
				Run: &nodes.Result{ID: "x", Status: nodes.ResultPassed, EndTime: at(0)}}
			s := b.As(store.Call{Caller: "agent", Name: "ProcessNode", OnlyChanges: true})
			if _, err := s.ApplyReport(b.Context(), r); err != nil {
				b.Fatal(err)
			}
		}
		for minute, want := range []int{1, 1, 2} {
			told(minute, []string{"one", "one", "two"}[minute])
			b.equal("entries", len(b.audit()), want)
			b.equal("heard of", b.find("r-1").LastContact, at(minute))
		}
	})
}

func TestAuditPagesAndCuts(t *testing.T) {
	onEach(t, func(b *bed) {
		for _, host := range []string{"a", "b", "c"} {
			b.manual(b.As(store.Call{Caller: host, Asked: strings.Repeat("ä", 4000)}), host)
		}
		var callers []string
		for page := ""; ; {
			all, next, err := b.Audit(b.Context(), 2, page)
			if err != nil {
				b.Fatal(err)
			}
			for _, e := range all {
				callers = append(callers, e.Caller)
				b.equal("asked", e.Asked, strings.Repeat("ä", 2048)+"…")
			}
			if page = next; page == "" {
				break
			}
		}
		b.equal("callers", strings.Join(callers, ""), "cba")
		for _, page := range []string{"x", "0", "-1"} {
			if _, _, err := b.Audit(b.Context(), 2, page); !errors.Is(err, store.ErrNoPage) {
				b.Error(page, err)
			}
		}
	})
}

func TestChangesOfAllNodes(t *testing.T) {
	onEach(t, func(b *bed) {
		b.manual(b.Store, "a", "b")
		if _, _, err := b.Command(b.Context(), "a", nodes.StateStopped, "ann"); err != nil {
			b.Fatal(err)
		}
		var got []string
		for page := ""; ; {
			all, next, err := b.Changes(b.Context(), 2, page)
			if err != nil {
				b.Fatal(err)
			}
			for _, c := range all {
				got = append(got, c.Name+" "+c.Field+" "+c.To)
			}
			if page = next; page == "" {
				break
			}
		}
		b.equal("changes", strings.Join(got, ", "), "a status unreachable, a state stopped, "+
			"b added manual, a added manual")
		if _, _, err := b.Changes(b.Context(), 2, "x"); !errors.Is(err, store.ErrNoPage) {
			b.Error(err)
		}
	})
}

// A store of the first version gets the log, and keeps what it has.
func TestOlderStoreGetsTheLog(t *testing.T) {
	onEach(t, func(b *bed) {
		b.manual(b.Store, "a")
		db := b.raw()
		statements := []string{"DROP TABLE node_audit", "UPDATE node_store SET version = 1"}
		for _, column := range []string{"keep_audit", "most_audit", "audit_pruned"} {
			statements = append(statements, "ALTER TABLE node_store DROP COLUMN "+column)
		}
		if strings.HasPrefix(b.place, "postgres") {
			statements = append(statements, "DROP FUNCTION node_audit_refuse()",
				"DROP FUNCTION node_audit_refuse_late()")
		}
		for _, statement := range statements {
			if _, err := db.Exec(statement); err != nil {
				b.Fatal(err)
			}
		}
		s := b.open(false)
		b.Cleanup(func() { _ = s.Close() })
		if _, err := s.Find(b.Context(), "a"); err != nil {
			b.Error(err)
		}
		b.manual(s.As(store.Call{Caller: "ann"}), "b")
		b.equal("entries", len(b.audit()), 1)
	})
}

func TestDeleteOfAnotherNumber(t *testing.T) {
	onEach(t, func(b *bed) {
		b.manual(b.Store, "a", "b")
		var other *nodes.OtherCount
		if _, err := b.Delete(b.Context(), b.filter("type=manual"), 1); !errors.As(err, &other) ||
			other.Has != 2 {
			b.Error(err)
		}
		b.equal("nodes", b.count("type=manual"), 2)
		if gone, err := b.Delete(b.Context(), b.filter("type=manual"), 2); err != nil || len(gone) != 2 {
			b.Error(gone, err)
		}
	})
}

// refusals enters calls that were refused, a minute apart.
func (b *bed) refusals(n int) {
	b.Helper()
	for range n {
		b.now = b.now.Add(time.Minute)
		if err := b.Refuse(b.Context(), store.Call{Caller: "bot", Name: "ScanManagers"},
			"may only read"); err != nil {
			b.Fatal(err)
		}
	}
}

// counted are how many entries there are, and the numbers of the first and the last one.
func (b *bed) counted() (entries int, first, last int64) {
	b.Helper()
	all, _, err := b.Audit(b.Context(), 1000, "")
	if err != nil || len(all) == 0 {
		b.Fatal(all, err)
	}
	return len(all), all[len(all)-1].Number, all[0].Number
}

// TestAuditIsPrunedBySize: what is too much goes, the oldest first, and the log says so.
func TestAuditIsPrunedBySize(t *testing.T) {
	onEach(t, func(b *bed) {
		b.refusals(105)
		if err := b.SetAuditKeep(b.Context(), store.AuditKeep{Most: 100}, "ann"); err != nil {
			b.Fatal(err)
		}
		if n, first, last := b.counted(); n != 106 || first != 1 || last != 106 {
			b.Error("within a tenth more nothing goes:", n, first, last)
		}
		b.refusals(5)
		n, first, last := b.counted()
		if n != 101 || first != 12 || last != 112 {
			b.Error(n, first, last)
		}
		all := b.audit()
		b.equal("call", all[0].Call, "PruneAudit")
		b.equal("caller", all[0].Caller, "the store")
		b.equal("asked", all[0].Asked, `{"entries":11,"from":"2026-11-29T12:01:00Z",`+
			`"until":"2026-11-29T12:11:00Z","upTo":11}`)
		b.equal("who set it", all[6].Caller+" "+all[6].Call+" "+all[6].Asked,
			`ann SetAuditKeep {"for":"0s","most":100}`)
		// Nobody deletes what is still there.
		if _, err := b.raw().Exec("DELETE FROM node_audit WHERE seq = 50"); err == nil ||
			!strings.Contains(err.Error(), "append-only") {
			b.Error(err)
		}
		if n, _, _ := b.counted(); n != 101 {
			b.Error(n)
		}
	})
}

// TestAuditIsPrunedByAge: what is too old goes, and nothing that came after what is to stay.
func TestAuditIsPrunedByAge(t *testing.T) {
	onEach(t, func(b *bed) {
		b.refusals(2)
		if err := b.SetAuditKeep(b.Context(), store.AuditKeep{For: 24 * time.Hour}, "ann"); err != nil {
			b.Fatal(err)
		}
		b.now = b.now.Add(25 * time.Hour)
		b.refusals(1)
		if n, first, _ := b.counted(); n != 4 || first != 1 {
			b.Error("within a tenth more nothing goes:", n, first)
		}
		b.now = b.now.Add(2 * time.Hour)
		b.refusals(1)
		n, first, last := b.counted()
		if n != 3 || first != 4 || last != 6 {
			b.Error(n, first, last)
		}
		b.equal("call", b.audit()[0].Call, "PruneAudit")
	})
}

// TestAuditKeepIsBounded: nobody clears the log by a setting.
func TestAuditKeepIsBounded(t *testing.T) {
	onEach(t, func(b *bed) {
		b.refusals(1)
		for _, k := range []store.AuditKeep{{For: time.Hour}, {For: -1}, {Most: 1}, {Most: -5}} {
			if err := b.SetAuditKeep(b.Context(), k, "ann"); err == nil {
				b.Error(k)
			}
		}
		if k, err := b.AuditKeep(b.Context()); err != nil || k != (store.AuditKeep{}) {
			b.Error(k, err)
		}
		if n, _, _ := b.counted(); n != 1 {
			b.Error(n)
		}
		if err := b.Refuse(b.Context(), store.Call{Name: "x"}, ""); err == nil {
			b.Error("a refusal without a reason")
		}
	})
}
