//go:build conformance

package conformance

import (
	"context"
	_ "embed"
	"encoding/json"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

//go:embed scan_judge.py
var scanJudge string

// TestScans holds what actionctl's scans know against what boto3 sees, in moto and in the
// stand-in: two accounts, two regions, an instance that is terminated, and keys in references.
func TestScans(t *testing.T) {
	t.Run(moto, func(t *testing.T) {
		t.Parallel()
		s := scans{t, own(t, startMoto), filepath.Join(t.TempDir(), "nodes.db")}
		var refs struct{ Secret, Parameter string }
		s.judge("make", &refs)
		s.judged()
		for name, ref := range map[string]string{"secret": refs.Secret, "parameter": refs.Parameter} {
			out := s.actionctl("managers create --type aws-ec2 --regions eu-west-1 --name " + name +
				" --secret " + ref + " -o json")
			var kept struct{ Regions []struct{ Verdict string } }
			if err := json.Unmarshal([]byte(out), &kept); err != nil || len(kept.Regions) != 1 ||
				kept.Regions[0].Verdict != "complete" {
				t.Errorf("with keys in %s: %v\n%s", ref, err, out)
			}
		}
	})
	t.Run("ec2sim", func(t *testing.T) {
		t.Parallel()
		p := own(t, startSim)
		p.control(t, http.MethodPut, "/_sim/state", `
regions:
  eu-west-1:
    fleets: [{count: 12, instance: {tags: {Name: web}}}, {count: 2, instance: {state: stopped}}]
  us-west-2: {fleets: [{count: 3, instance: {tags: {Name: web}}}]}
accounts:
  "222233334444":
    roles: [{name: nodes, externalId: word}]
    regions: {eu-west-1: {fleets: [{count: 4}]}}
`, nil)
		scans{t, p, filepath.Join(t.TempDir(), "nodes.db")}.judged()
	})
}

// scans are scans of one place into a store.
type scans struct {
	t *testing.T
	*place
	store string
}

// judged scans, and compares what is known with what boto3 sees, before and after a termination.
func (s scans) judged() {
	s.t.Helper()
	const regions = " --regions eu-west-1,us-west-2"
	s.actionctl("managers create --type aws-ec2 --name ours" + regions)
	s.actionctl("managers create --type aws-ec2 --name theirs --external-id word " +
		"--role arn:aws:iam::222233334444:role/nodes" + regions)
	s.compare("at first")
	var ended string
	s.judge("end", &ended)
	s.actionctl("scan")
	s.compare("after a termination")
	if out := s.actionctl("show " + ended + " -o json"); !strings.Contains(out, `"shutting-down"`) &&
		!strings.Contains(out, `"terminated"`) {
		s.t.Errorf("%s is\n%s", ended, out)
	}
}

func (s scans) compare(when string) {
	s.t.Helper()
	var seen []string
	s.judge("see", &seen)
	var rows []struct {
		SourceID, Region, AccountID, State string
		Tags                               map[string]string
	}
	if err := json.Unmarshal([]byte(s.actionctl("list --limit 1000 -o json")), &rows); err != nil {
		s.t.Fatal(err)
	}
	var known []string
	for _, r := range rows {
		name := r.Tags["Name"]
		if name == "" {
			name = "-"
		}
		known = append(known, strings.Join([]string{r.AccountID, r.Region, r.SourceID, r.State, name},
			" "))
	}
	slices.Sort(known)
	if len(seen) < 10 {
		s.t.Errorf("%s boto3 sees %d instances", when, len(seen))
	}
	if diff := cmp.Diff(seen, known); diff != "" {
		s.t.Errorf("%s boto3 sees -, known is +:\n%s", when, diff)
	}
}

// judge runs the judge's script.
func (s scans) judge(do string, into any) {
	s.t.Helper()
	out, err := s.shell(context.Background(), `exec "$@"`, house.python.Path, "-c", scanJudge, do).
		CombinedOutput()
	if err != nil {
		s.t.Fatalf("the judge can't %s: %v\n%s", do, err, out)
	}
	if err := json.Unmarshal(out, into); err != nil {
		s.t.Fatalf("the judge says %s", out)
	}
}

func (s scans) actionctl(words string) string {
	s.t.Helper()
	args := append([]string{house.actionctl, "nodes", "--store", s.store}, strings.Fields(words)...)
	out, err := s.shell(context.Background(), `exec "$@"`, args...).CombinedOutput()
	if err != nil {
		s.t.Fatalf("actionctl nodes %s: %v\n%s", words, err, out)
	}
	return string(out)
}
