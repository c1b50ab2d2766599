//go:build postgres

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"aws-provider-executor/pkg/ec2sim"
	"aws-provider-executor/pkg/gate"
	"aws-provider-executor/pkg/journal"
	"aws-provider-executor/pkg/pgserver"
)

// onServer gives a site a journal in a server's database.
func (s *site) onServer(server *pgserver.Server) {
	s.t.Helper()
	u, err := server.Fresh(context.Background())
	if err != nil {
		s.t.Fatal(err)
	}
	s.env = append(s.env, "ACTIONCTL_JOURNAL="+u)
}

func newServer(t *testing.T) *pgserver.Server {
	t.Helper()
	server, err := pgserver.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	return server
}

// assignments imports and approves that many, spread over interfaces of their own.
func (s *site) assignments(n int) {
	s.t.Helper()
	region := s.sim.Region(ec2sim.LabRegion)
	const subnet, perInterface = "subnet-0be00000000000000", 40
	region.AddSubnet(ec2sim.Subnet{ID: subnet, VPCID: ec2sim.LabVPC, CIDR: "10.88.128.0/17"})
	var plans []map[string]any
	ids := []string{"approve", "--by", "ann"}
	nic := ""
	for i := range n {
		if i%perInterface == 0 {
			primary := fmt.Sprintf("10.88.254.%d", i/perInterface+1)
			nic = region.AddInterface(ec2sim.Interface{SubnetID: subnet,
				PrivateAddresses: []ec2sim.PrivateAddress{{Address: primary, Primary: true}}}).ID
		}
		plans = append(plans, map[string]any{
			"provider": "aws", "action": "assign-secondary-ip", "idempotencyKey": fmt.Sprint("key-", i),
			"target": map[string]string{"nicRef": nic, "region": ec2sim.LabRegion,
				"address": fmt.Sprintf("10.88.128.%d", 10+i)},
		})
		ids = append(ids, strconv.Itoa(i+1))
	}
	text, err := json.Marshal(plans)
	if err != nil {
		s.t.Fatal(err)
	}
	s.write("plans.json", string(text))
	s.must("import", "-f", s.path("plans.json"))
	s.must(ids...)
}

// TestGatesOnOneServerNeverRunAnActionTwice: two and eight processes execute 200 approved actions
// of one journal, and some of them are killed, with their executors or without.
func TestGatesOnOneServerNeverRunAnActionTwice(t *testing.T) {
	server := newServer(t)
	const actions = 200
	for _, processes := range []int{2, 8} {
		t.Run(fmt.Sprint(processes, " processes"), func(t *testing.T) {
			s := newSite(t)
			s.onServer(server)
			s.assignments(actions)
			s.executeAmongKills(processes, 2*processes)
			// What was cut off is taken up again: each is executed in the end.
			s.run("execute", unjoined, "--all-approved", "--keep-going", "--parallel", "2")
			s.takeUp()
			s.checkAllOnce(actions)
		})
	}
}

// executeAmongKills runs processes, and kills one as often as it is told, each time after some more
// changes; another one takes its place.
func (s *site) executeAmongKills(processes, kills int) {
	s.t.Helper()
	begin := func() *exec.Cmd {
		c := s.command("execute", unjoined, "--all-approved", "--keep-going", "--parallel", "2")
		if err := c.Start(); err != nil {
			s.t.Fatal(err)
		}
		return c
	}
	running := make([]*exec.Cmd, processes)
	for i := range running {
		running[i] = begin()
	}
	for kill := range kills {
		s.untilChanged(5 * (kill + 1))
		c := running[kill%processes]
		children := childrenOf(c.Process.Pid)
		_ = c.Process.Signal(syscall.SIGKILL)
		if kill%2 == 1 {
			for _, pid := range children {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		}
		_ = c.Wait()
		running[kill%processes] = begin()
	}
	var wait sync.WaitGroup
	for _, c := range running {
		wait.Go(func() { _ = c.Wait() })
	}
	wait.Wait()
}

// untilChanged waits for the stand-in to be asked for so many changes.
func (s *site) untilChanged(n int) {
	for s.changingCalls() < n {
		s.verified("meanwhile")
	}
}

// takeUp executes what a killed process left in the middle.
func (s *site) takeUp() {
	s.t.Helper()
	var rows []gate.Row
	text := s.must("list", "--status", "running,approved,failed", "--limit", "0", "-o", "json")
	if err := json.Unmarshal([]byte(text), &rows); err != nil {
		s.t.Fatal(err)
	}
	for _, r := range rows {
		if code, _, said := s.eventually("execute", strconv.FormatInt(r.ID, 10)); code != 0 {
			s.t.Errorf("action %d: exit %d, %s", r.ID, code, said)
		}
	}
}

func (s *site) checkAllOnce(actions int) {
	s.t.Helper()
	s.verified("after")
	if n := s.changingCalls(); n != actions {
		s.t.Errorf("%d changing calls for %d actions", n, actions)
	}
	var rows []gate.Row
	text := s.must("list", "--status", "succeeded", "--limit", "0", "-o", "json")
	if err := json.Unmarshal([]byte(text), &rows); err != nil || len(rows) != actions {
		s.t.Errorf("%d of %d have succeeded, %v", len(rows), actions, err)
	}
	for _, r := range rows {
		if r.Observed["priorAssigned"] != "false" {
			s.t.Errorf("action %d: the prior fact is %q", r.ID, r.Observed["priorAssigned"])
		}
	}
}

// TestAPasswordOfTheServerIsNeverPrinted by any command, whether it works or not.
func TestAPasswordOfTheServerIsNeverPrinted(t *testing.T) {
	server := newServer(t)
	s := newSite(t)
	s.plans(1)
	good := server.URL(url.UserPassword(pgserver.LockedUser, pgserver.Password), nil)
	wrong := strings.Replace(good, pgserver.Password, "hunter2", 1)
	nowhere := "postgres://u:hunter2@localhost:1/db?connect_timeout=1"
	for _, u := range []string{nowhere, wrong, "postgres://u:hunter2@%zz/", good} {
		for _, args := range [][]string{
			{"list"}, {"import", "-f", s.path("plans.json")}, {"status", "-o", "json"}, {"status"},
			{"execute", "1"}, {"journal", "--verify"}, {"journal", "head"},
			{"--policy", "/nowhere", "execute", "1"}, {"metrics"}, {"rollback", "--all"},
		} {
			// A server that is away is waited for each time.
			if u != nowhere || args[0] == "list" {
				s.printsNoPassword(append([]string{"--journal", u}, args...)...)
			}
		}
	}
	s.printsNoPassword("__complete", "--journal", wrong, "show", "")
	journalOf, err := journal.Open(t.Context(), good)
	if err != nil {
		t.Fatal(err)
	}
	defer journalOf.Close()
	events, err := journalOf.Events(t.Context(), gate.EventQuery{})
	if text := fmt.Sprint(events); err != nil || len(events) == 0 ||
		strings.Contains(text, pgserver.Password) {
		t.Error(text, err)
	}
	if _, err := os.Stat(s.path("journal.db")); err != nil {
		t.Error(err)
	}
}

// printsNoPassword runs actionctl, and holds that no password is in what it prints.
func (s *site) printsNoPassword(args ...string) {
	s.t.Helper()
	code, out, said := s.run(args...)
	if all := out + said; strings.Contains(all, "hunter2") ||
		strings.Contains(all, pgserver.Password) {
		s.t.Errorf("%v (exit %d): %s", args, code, all)
	}
}
