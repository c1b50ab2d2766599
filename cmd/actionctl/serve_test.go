package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"aws-provider-executor/pkg/ec2sim"
	"aws-provider-executor/pkg/gate"
	"aws-provider-executor/pkg/journal"
)

// watched makes the site's executor one that notes each start: its arguments and its process.
// Without serving it is one that serves no stream.
func (s *site) watched(serving bool) {
	s.t.Helper()
	refuse := ""
	if !serving {
		refuse = `case "$1" in ""|--version) ;; *) exit 2;; esac` + "\n"
	}
	path := s.path("executor")
	text := "#!/bin/sh\n" + refuse + `echo "$1 $$" >>` + s.path("starts") + "\nexec " +
		filepath.Join(s.bin, "aws-provider-executor") + ` "$@"` + "\n"
	if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
		s.t.Fatal(err)
	}
}

// starts are the processes that were started with an argument.
func (s *site) starts(argument string) (pids []int) {
	text, err := os.ReadFile(s.path("starts"))
	if err != nil {
		s.t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		said, pid, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		if n, err := strconv.Atoi(pid); err == nil && said == argument {
			pids = append(pids, n)
		}
	}
	return pids
}

// written is a site's journal, without what tells one time, process or place from another.
func (s *site) written() (rows []gate.Action, events []gate.Event) {
	s.t.Helper()
	j, err := journal.Open(s.t.Context(), s.path("journal.db"))
	if err != nil {
		s.t.Fatal(err)
	}
	defer j.Close()
	if rows, err = j.List(s.t.Context(), gate.Query{}); err != nil {
		s.t.Fatal(err)
	}
	if events, err = j.Events(s.t.Context(), gate.EventQuery{}); err != nil {
		s.t.Fatal(err)
	}
	for i := range rows {
		rows[i].Source = filepath.Base(rows[i].Source)
	}
	for i := range events {
		e := &events[i]
		e.Prev, e.Hash = "", ""
		for _, name := range []string{"plugin", "claimant", "row", "source"} {
			delete(e.Data, name)
		}
	}
	return rows, events
}

// outsidePlan is one that EC2 refuses.
const outsidePlan = `[{"provider": "aws", "action": "assign-secondary-ip",
 "idempotencyKey": "outside", "target": {"nicRef": "` + ec2sim.LabSpareInterface + `",
 "address": "10.88.99.9", "region": "` + ec2sim.LabRegion + `"}}]`

// TestStreamIsJournaledAsSingleRunsAre: what the journal has of actions, also of ones that fail,
// and of their rollback, is the same whether each had a process of its own or not.
func TestStreamIsJournaledAsSingleRunsAre(t *testing.T) {
	t.Parallel()
	var sites []*site
	for _, serving := range []bool{true, false} {
		s := newSite(t)
		s.watched(serving)
		s.plans(4)
		s.write("outside.json", outsidePlan)
		s.must("import", "-f", s.path("outside.json"))
		s.must("approve", "--by", "ann", "outside")
		plugin := "--plugin=" + s.path("executor")
		s.must("execute", plugin, "--dry-run", "1", "2", "3", "4")
		if code, _, said := s.run("execute", plugin, "--keep-going", "1", "2", "outside", "3",
			"4"); code != 1 {
			t.Errorf("exit %d: %s", code, said)
		}
		s.must("rollback", plugin, "1", "2", "3", "4")
		s.verified("after all")
		sites = append(sites, s)
	}
	serve, single := sites[0], sites[1]
	if n, m := len(serve.starts("serve")), len(serve.starts("")); n != 3 || m != 0 {
		t.Errorf("%d processes served, and %d ran one request", n, m)
	}
	if n, m := len(single.starts("serve")), len(single.starts("")); n != 0 || m != 13 {
		t.Errorf("%d processes served, and %d ran one request, of one that does not serve", n, m)
	}
	rows, events := serve.written()
	wantRows, wantEvents := single.written()
	timeless := cmpopts.IgnoreTypes(time.Time{})
	if diff := cmp.Diff(wantRows, rows, timeless); diff != "" {
		t.Errorf("the rows (-single +serve):\n%s", diff)
	}
	if diff := cmp.Diff(wantEvents, events, timeless); diff != "" {
		t.Errorf("the events (-single +serve):\n%s", diff)
	}
}

// TestCommandOfManyHasOneExecutor: so it makes the calls for one interface together. A command of
// one action has a process for that.
func TestCommandOfManyHasOneExecutor(t *testing.T) {
	t.Parallel()
	const actions = 8
	s := newSite(t)
	s.watched(true)
	s.plans(actions)
	plugin := "--plugin=" + s.path("executor")
	s.must("execute", plugin, "1")
	if n, m := len(s.starts("serve")), len(s.starts("")); n != 0 || m != 1 {
		t.Errorf("of one action %d processes served, and %d ran one request", n, m)
	}
	before := len(s.sim.Calls())
	s.must("execute", plugin, "--all-approved", "--parallel", "8")
	if n, m := len(s.starts("serve")), len(s.starts("")); n != 1 || m != 1 {
		t.Errorf("of many actions %d processes served, and %d ran one request", n, m-1)
	}
	if calls := len(s.sim.Calls()) - before; calls > 2*(actions-1) {
		t.Errorf("%d calls for %d addresses of one interface", calls, actions-1)
	}
}

// TestKilledWhileItServes: the process that serves is killed at each changing call, before or after
// it took effect, with several requests under way. The actions that it had are told to be unknown;
// executed again all are done, once; and rolled back the world is as it was.
func TestKilledWhileItServes(t *testing.T) {
	t.Parallel()
	const actions = 6
	for n := 1; n < actions; n++ {
		for _, phase := range []ec2sim.Phase{ec2sim.BeforeEffect, ec2sim.AfterEffect} {
			t.Run(fmt.Sprint(n, phase), func(t *testing.T) {
				t.Parallel()
				s := newSite(t)
				s.watched(true)
				s.plans(actions)
				before := s.sim.State()
				plugin := "--plugin=" + s.path("executor")
				s.executeAndKill(n, phase, plugin)
				s.verified("after the kill")
				for i := range actions {
					if code, _, said := s.eventually("execute", plugin, strconv.Itoa(i+1)); code != 0 &&
						!strings.Contains(said, "it has succeeded already") {
						t.Errorf("action %d again: exit %d, %s", i+1, code, said)
					}
				}
				s.must("rollback", plugin, "--all", "--yes")
				if diff := cmp.Diff(before, s.sim.State()); diff != "" {
					t.Errorf("undone, the world differs:\n%s", diff)
				}
				s.verified("at the end")
			})
		}
	}
}

// unjoined has each action make calls of its own, where a test counts them.
const unjoined = "--plugin-env=EXECUTOR_JOIN=false"

// executeAndKill executes all that is approved, and kills what serves it when a later changing call
// than the nth is at a phase.
func (s *site) executeAndKill(n int, phase ec2sim.Phase, plugin string) {
	s.t.Helper()
	var calls, kills atomic.Int64
	remove := s.sim.OnCall(func(c ec2sim.Call) ec2sim.Verdict {
		if strings.HasPrefix(c.Operation, "Describe") || c.Phase != phase ||
			calls.Add(1) <= int64(n) || kills.Load() > 0 {
			return ec2sim.Proceed
		}
		for _, pid := range s.starts("serve") {
			if syscall.Kill(pid, syscall.SIGKILL) == nil {
				kills.Add(1)
			}
		}
		if phase == ec2sim.BeforeEffect {
			return ec2sim.Abandon
		}
		return ec2sim.Proceed
	})
	defer remove()
	code, _, said := s.run("execute", plugin, unjoined, "--keep-going", "--parallel", "4",
		"--all-approved")
	if code != 1 || kills.Load() == 0 ||
		!strings.Contains(said, "the executor ended with signal: killed") {
		s.t.Errorf("exit %d after %d kills: %s", code, kills.Load(), said)
	}
}
