package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"aws-provider-executor/pkg/ec2sim"
	"aws-provider-executor/pkg/ledger/table"
	"aws-provider-executor/pkg/ledger/table/localtable"
	"aws-provider-executor/pkg/lifecycle"
	"aws-provider-executor/pkg/lifecycle/sweep"
)

// killed has the instance end by hand, and its group forget it: no event comes.
func (l *lab) killed() {
	l.Helper()
	id := l.member(0).InstanceID
	for _, i := range l.region().State().Interfaces {
		switch a := i.Attachment; {
		case a == nil || a.InstanceID != id:
		case a.DeleteOnTermination:
			l.region().Remove(i.ID)
		default:
			l.region().Detach(i.ID)
		}
	}
	l.region().EditScalingGroup(groupName, func(g *ec2sim.ScalingGroup) {
		g.DesiredCapacity, g.Instances = 0, nil
	})
	l.region().EditInstance(id, func(i *ec2sim.Instance) { i.State = "terminated" })
}

// aged makes what the sweeper noted two hours older.
func (l *lab) aged() {
	l.Helper()
	backend, err := localtable.Open(filepath.Join(l.dir, "state"), false)
	if err != nil {
		l.Fatal(err)
	}
	partition := "sweep/" + ec2sim.DefaultOwner + "/" + ec2sim.LabRegion
	keys, err := backend.List(l.Context(), partition)
	if err != nil || len(keys) == 0 {
		l.Fatalf("%v, %v", keys, err)
	}
	for _, key := range keys {
		at := table.Place{Partition: partition, Sort: key}
		items, err := backend.Read(l.Context(), []table.Place{at})
		if err != nil {
			l.Fatal(err)
		}
		var of map[string]any
		if err := json.Unmarshal(items[at].Record, &of); err != nil {
			l.Fatal(err)
		}
		of["first"] = int64(of["first"].(float64)) - 7200
		data, err := json.Marshal(of)
		if err != nil {
			l.Fatal(err)
		}
		revision := items[at].Revision
		if err := backend.Write(l.Context(), []table.Change{{Place: at, Record: data,
			If: table.Condition{Revision: &revision}, Revision: revision + 1}}); err != nil {
			l.Fatal(err)
		}
	}
}

// sweeps sweeps, and wants outcomes of findings, by their kinds.
func (l *lab) sweeps(code int, want string, args ...string) {
	l.Helper()
	e := l.run("", append([]string{"sweep", "--json"}, args...)...)
	var r sweep.Report
	if err := json.Unmarshal([]byte(e.stdout), &r); err != nil {
		l.Fatalf("exit %d, %v\n%s\n%s", e.code, err, e.stdout, e.stderr)
	}
	var got []string
	for _, f := range r.Findings {
		got = append(got, fmt.Sprint(f.Kind, " ", f.Outcome))
	}
	if got := strings.Join(append(got, r.Unread...), ", "); got != want || e.code != code {
		l.Errorf("exit %d, %q, want %d, %q\n%s\n%s", e.code, got, code, want, e.stdout, e.stderr)
	}
}

// TestSweepEndsWhereEventsDo: L10, L16: an instance is killed by hand, no event comes. The sweeper
// comes to the same end as the event would: nothing is left.
func TestSweepEndsWhereEventsDo(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.handle(l.event(0), lifecycle.WentOn)
	l.sweeps(0, "")
	l.killed()
	if got := l.made(); len(got) != 1 || got[0] != "nothing" {
		t.Fatalf("the killed instance left %v", got)
	}
	l.sweeps(0, "interface noted")
	l.sweeps(0, "interface young")
	l.aged()
	l.sweeps(0, "interface due", "--dry-run")
	if got := l.made(); len(got) != 1 {
		t.Fatalf("the dry run left %v", got)
	}
	l.sweeps(0, "interface swept")
	if got := l.made(); len(got) != 0 {
		t.Errorf("left: %v", got)
	}
	l.sweeps(0, "")
}

// TestSweepResumesALostLaunch: the event of a launch is lost. The sweeper has it handled, once the
// instance waited for long, and never one that was launched just now.
func TestSweepResumesALostLaunch(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.sweeps(0, "")
	l.region().EditInstance(l.member(0).InstanceID, func(i *ec2sim.Instance) {
		i.LaunchTime = i.LaunchTime.Add(-24 * time.Hour)
	})
	l.sweeps(0, "hook noted")
	l.aged()
	l.sweeps(0, "hook swept")
	l.want(2, "InService")
	l.sweeps(0, "")
}
