package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/pkg/ec2sim"
	"aws-provider-executor/pkg/preflight"
	"aws-provider-executor/pkg/preflight/ec2checks"
)

// unreadPolicy asks for tags, so that they are read.
const unreadPolicy = `apiVersion: hybrid.routerd.net/v1alpha1
kind: ProviderActionPolicy
metadata: {name: tagged}
spec: {enabled: true, allowedProviders: [aws], allowedActions: ["*"], allowIrreversible: true,
  deniedTags: {locked: "*"}}
`

// unreadRuns are one request for each kind of checks.
func unreadRuns() []looked {
	return []looked{
		{name: "assign", verb: assign, target: toRouterA},
		{name: "forward", verb: "ensure-forwarding-enabled",
			target: values{"nicRef": ec2sim.LabRouterAInterface}},
		{name: "lead", verb: lead, target: with(newRoute, "address", "10.88.61.0/24")},
		{name: "fence", verb: fence, target: ofDB, parameters: fenceAll},
	}
}

// TestPreflightWithoutAReading takes each reading away from each kind of request, once by a policy
// of IAM's and once by throttling. A check that reads with it is unknown, and says with what; one
// that still passes saw exactly what it saw before. Every reading that is documented for a check is
// missed by it in one of the requests.
func TestPreflightWithoutAReading(t *testing.T) {
	var mu sync.Mutex
	missed := map[string]bool{}
	t.Run("requests", func(t *testing.T) {
		for _, l := range unreadRuns() {
			full := l.report(t, func(*ec2sim.Sim) {})
			for _, permission := range ec2checks.Permissions() {
				operation := strings.TrimPrefix(permission, "ec2:")
				t.Run(l.name+" without "+operation, func(t *testing.T) {
					t.Parallel()
					denied := l.report(t, func(s *ec2sim.Sim) { deny(t, s, []string{operation}) })
					busy := l.report(t, failing(operation, "RequestLimitExceeded"))
					unread := withoutIt(t, full, denied)
					// An executor goes on without a reading that it only foresees with and is denied,
					// and waits for one that is throttled. So more may be unknown then.
					byThrottling := withoutIt(t, full, busy)
					for _, name := range unread {
						if !slices.Contains(byThrottling, name) {
							t.Errorf("the check %s misses it where it is denied, not where it is throttled", name)
						}
					}
					named(t, permission, unread, denied)
					mu.Lock()
					defer mu.Unlock()
					for _, name := range unread {
						missed[name+" "+permission] = true
					}
				})
			}
		}
	})
	for _, c := range ec2checks.Checks() {
		for _, permission := range c.Actions {
			if !missed[c.Name+" "+permission] {
				t.Errorf("%s is documented to read with %s, and misses it nowhere", c.Name, permission)
			}
		}
	}
	t.Logf("%d pairs of a check and its reading, each denied and throttled", len(missed))
}

// withoutPlan is what a check sees that hangs on the executor's plan, where there is none.
const withoutPlan = "told no plan"

// named sees that checks name the permission that they miss. Where the plan misses it, those that
// hang on it are told by it.
func named(t *testing.T, permission string, unread []string, r preflight.Report) {
	t.Helper()
	for _, name := range unread {
		c, _ := r.Lookup(name, "look/1")
		if strings.Contains(c.Seen, withoutPlan) {
			c, _ = r.Lookup("plan", "look/1")
		}
		if !strings.Contains(c.Seen+c.Advice, strings.TrimPrefix(permission, "ec2:")) {
			t.Errorf("the check %s does not name it: %s (%s)", name, c.Seen, c.Advice)
		}
	}
}

// fenceTime is the time of a fence, in a plan.
var fenceTime = regexp.MustCompile(`\b1[0-9]{9}\b`)

// withoutIt lists the checks of the request that are not what they were with all readings. Each
// must be unknown, but for the plan: an executor that can't foresee everything may warn.
func withoutIt(
	t *testing.T, full, without preflight.Report,
) (names []string) {
	t.Helper()
	for _, was := range full.Checks {
		is, found := without.Lookup(was.Name, was.Request)
		seen := fenceTime.ReplaceAllString(is.Seen, "T")
		same := seen == fenceTime.ReplaceAllString(was.Seen, "T")
		switch {
		case was.Request == "": // STS and this machine tell those
		case !found:
			t.Errorf("the check %s is gone", was.Name)
		case is.Verdict == was.Verdict && same:
		case is.Verdict == preflight.Unknown, was.Name == "plan" && is.Verdict == preflight.Warn:
			names = append(names, was.Name)
		default:
			t.Errorf("%s is %s, and saw %s\nnot %s", was.Name, is.Verdict, is.Seen, was.Seen)
		}
	}
	slices.Sort(names)
	return names
}

// report runs a preflight in a lab that is changed first.
func (l looked) report(t *testing.T, change func(*ec2sim.Sim)) preflight.Report {
	t.Helper()
	bin, err := shipped()
	if err != nil {
		t.Fatal(err)
	}
	sim := ec2sim.New(ec2sim.Lab())
	srv, err := ec2sim.Start(sim, ec2sim.ServerOptions{Metadata: ec2sim.LabMetadata()})
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	change(sim)
	before := sim.State()
	dir := t.TempDir()
	path := filepath.Join(dir, "policy.yaml")
	if err := os.WriteFile(path, []byte(unreadPolicy), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(bin, "actionctl"), "preflight", "-f", "-", "-o", "json",
		"--timeout", "6s", "--policy", path, "--expect-account", ec2sim.DefaultOwner)
	cmd.Env = append(srv.Env(), "PATH="+os.Getenv("PATH"), "HOME="+dir,
		"EXECUTOR_STATE_DIR="+filepath.Join(dir, "state"))
	cmd.Stdin = bytes.NewReader(l.request())
	out, err := cmd.Output()
	var report preflight.Report
	if wrong := json.Unmarshal(out, &report); wrong != nil || err != nil {
		t.Fatalf("%v %v: %s", err, wrong, out)
	}
	if diff := cmp.Diff(before, sim.State()); diff != "" {
		t.Errorf("it changed the world:\n%s", diff)
	}
	return report
}
