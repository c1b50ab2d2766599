package scan_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"aws-provider-executor/pkg/ec2sim"
	"aws-provider-executor/pkg/nodes"
	"aws-provider-executor/pkg/nodes/awscloud"
	"aws-provider-executor/pkg/nodes/scan"
	"aws-provider-executor/pkg/nodes/store"
)

// scanThere, when set, is the store that this process is to scan all managers of, and no more.
const scanThere = "TEST_SCAN_STORE"

func TestMain(m *testing.M) {
	if place := os.Getenv(scanThere); place != "" {
		if err := scanStore(place); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// scanStore scans as actionctl does, and prints the most memory that it had, in KiB.
func scanStore(place string) error {
	ctx := context.Background()
	s, err := store.Open(ctx, place, store.Options{})
	if err != nil {
		return err
	}
	defer s.Close()
	managers, err := s.Managers(ctx)
	if err != nil {
		return err
	}
	open := func(ctx context.Context, m nodes.Manager) (scan.Cloud, error) {
		return awscloud.Open(ctx, m, awscloud.Options{Timeout: 5 * time.Minute})
	}
	results, err := scan.New(s, open, scan.Options{}).Scan(ctx, scan.Request{Managers: managers})
	if err != nil {
		return err
	}
	for _, r := range results {
		if !r.Whole() {
			return fmt.Errorf("%s is %s: %s", r.Region, r.Verdict, r.Reason)
		}
	}
	status, err := os.Open("/proc/self/status")
	if err != nil {
		return err
	}
	defer status.Close()
	for lines := bufio.NewScanner(status); lines.Scan(); {
		if peak, ok := strings.CutPrefix(lines.Text(), "VmHWM:"); ok {
			fmt.Println(strings.Fields(peak)[0])
		}
	}
	return nil
}

// there is a process that scans a store.
func there(t *testing.T, place string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), scanThere+"="+place)
	cmd.Stderr = os.Stderr
	return cmd
}

// emptied is a store of a file with one manager that was never scanned.
func (w *world) emptied(m nodes.Manager) (string, *store.Store) {
	w.t.Helper()
	place := filepath.Join(w.t.TempDir(), "nodes.db")
	s, err := store.Open(w.t.Context(), place, store.Options{Create: true})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = s.Close() })
	if _, err := s.CreateManager(w.t.Context(), m); err != nil {
		w.t.Fatal(err)
	}
	return place, s
}

// A process that is killed at any call leaves each region whole or untouched, and the next scan
// ends as if nothing had been.
func TestAKillLeavesNoHalfRegion(t *testing.T) {
	regions := []string{"eu-west-1", "eu-west-2", "eu-west-3"}
	counts := map[string]int{"eu-west-1": 1001, "eu-west-2": 7, "eu-west-3": 3}
	w := newWorld(t)
	for _, r := range regions {
		w.add(own, r, counts[r], ec2sim.Instance{})
	}
	all := w.ids(own, "eu-west-1")
	for kill := range 6 { // GetCallerIdentity, DescribeRegions, and four pages
		place, s := w.emptied(ec2Manager("fleet", regions...))
		w.killAt(kill, place)
		w.wholeOrUntouched(s, fmt.Sprintf("killed at %d", kill), counts)
		if err := there(t, place).Run(); err != nil {
			t.Fatalf("after a kill at %d: %v", kill, err)
		}
		if _, err := s.Find(t.Context(), all[1000]); err != nil {
			t.Errorf("after a kill at %d and a scan: %v", kill, err)
		}
	}
}

// killAt scans a store in a process, and kills it before a call is answered.
func (w *world) killAt(call int, place string) {
	w.t.Helper()
	cmd := there(w.t, place)
	var once sync.Mutex
	calls := 0
	remove := w.sim.OnCall(func(c ec2sim.Call) ec2sim.Verdict {
		if c.Phase != ec2sim.BeforeEffect {
			return ec2sim.Proceed
		}
		once.Lock()
		defer once.Unlock()
		if calls++; calls == call+1 {
			_ = cmd.Process.Kill()
			return ec2sim.Abandon
		}
		return ec2sim.Proceed
	})
	defer remove()
	// The first call may come before Start returns.
	once.Lock()
	err := cmd.Start()
	once.Unlock()
	if err != nil {
		w.t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil {
		w.t.Fatalf("the process was not killed at %d", call)
	}
}

// wholeOrUntouched holds that each region is known whole, with its verdict, or not at all.
func (w *world) wholeOrUntouched(s *store.Store, when string, counts map[string]int) {
	w.t.Helper()
	scanned, err := s.Regions(w.t.Context(), "")
	if err != nil {
		w.t.Fatal(err)
	}
	whole := map[string]bool{}
	for _, r := range scanned {
		whole[r.Region] = r.Verdict == nodes.Complete && r.Seen == counts[r.Region]
		if !whole[r.Region] {
			w.t.Errorf("%s, %s is %+v", when, r.Region, r)
		}
	}
	for r, count := range counts {
		ids := w.ids(own, r)
		ids = append(ids[:3:3], ids[count-1]) // a few of many tell as much
		known := 0
		for _, id := range ids {
			if _, err := s.Find(w.t.Context(), id); err == nil {
				known++
			}
		}
		if want := len(ids); known != 0 && !whole[r] || whole[r] && known != want {
			w.t.Errorf("%s, %d of %d nodes of %s are known", when, known, want, r)
		}
	}
}

// fifteen are the regions of a large fleet.
var fifteen = []string{"ap-northeast-1", "ap-northeast-2", "ap-south-1", "ap-southeast-1",
	"ap-southeast-2", "ca-central-1", "eu-central-1", "eu-north-1", "eu-west-1", "eu-west-2",
	"sa-east-1", "us-east-1", "us-east-2", "us-west-1", "us-west-2"}

// fleetOf puts n instances into fifteen regions, half of them into one, and returns how many pages
// they are.
func (w *world) fleetOf(n int) (pages int) {
	w.t.Helper()
	for i, r := range fifteen {
		count := n / 28
		if i == 0 {
			count = n - 14*(n/28)
		}
		w.sim.Region(r).AddFleet(ec2sim.Instance{Type: "m5.large",
			Tags: ec2sim.Tags{"Name": "web-{n}", "env": "prod", "team": "edge"}}, count)
		pages += (count + 999) / 1000
	}
	return pages
}

// A14: 10,000 instances in 15 regions take no more calls than pages, two beside, and little memory.
func TestA14TenThousandInstances(t *testing.T) {
	w := newWorld(t)
	pages := w.fleetOf(10_000)
	place, s := w.emptied(ec2Manager("fleet", fifteen...))
	w.sim.ForgetCalls()
	out, err := there(t, place).Output()
	if err != nil {
		t.Fatal(err)
	}
	calls := map[string]int{}
	for _, c := range w.sim.Calls() {
		calls[c.Operation]++
	}
	equal(t, map[string]int{"GetCallerIdentity": 1, "DescribeRegions": 1, "DescribeInstances": pages},
		calls)
	if bound := 15 + pages; len(w.sim.Calls()) > bound {
		t.Errorf("%d calls, want %d at most", len(w.sim.Calls()), bound)
	}
	kib, err := strconv.Atoi(strings.TrimSpace(string(out)))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d calls, %d MiB", len(w.sim.Calls()), kib>>10)
	if limit := 100 * raceFactor; kib > limit<<10 {
		t.Errorf("it had %d MiB, want %d at most", kib>>10, limit)
	}
	scanned, err := s.Regions(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, r := range scanned {
		seen += r.Seen
	}
	equal(t, 10_000, seen)
}
