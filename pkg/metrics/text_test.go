package metrics

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// everything is a Set in which each metric was counted at least once.
func everything() *Set {
	s := New("tester", `v1 "quoted" back\slash`)
	s.now = func() time.Time { return time.UnixMilli(1_700_000_000_500) }
	s.Operation(Operation{"assign-secondary-ip", "execute", "succeeded", "", 30 * time.Millisecond})
	s.Operation(Operation{"assign-secondary-ip", "execute", "failed", "drift", 2 * time.Minute})
	s.Drift("assign-secondary-ip", "execute")
	s.Call(Call{Service: "EC2", Operation: "DescribeInstances", Code: "OK", Took: time.Millisecond})
	s.Call(Call{Service: "EC2", Operation: "DescribeInstances", Code: "RequestLimitExceeded",
		Took: 7 * time.Millisecond, Retry: true, Throttled: true})
	s.Call(Call{Service: "STS", Operation: "AssumeRole", Code: NoAnswer, Took: 20 * time.Second,
		Retry: true, Fault: true, ForIdentity: true})
	s.LedgerRecords(2, 1)
	s.LedgerRecords(0, 0)
	s.Ledger(LedgerState{
		Actions: map[string]map[string]int{"fence-security-groups": {"live": 2, "pending": 1}},
		Bytes:   4096, Unreadable: 1, OldestPending: time.Unix(1_600_000_000, 0),
	})
	s.Journal(map[string]int{"approved": 3})
	s.Preflight(CheckOutcome{"identity", "fail"}, CheckOutcome{"plan", "pass"})
	s.Preflight(CheckOutcome{"identity", "pass"}, CheckOutcome{"identity", "pass"})
	s.StandInCall("DescribeInstances", "OK", 300*time.Microsecond, 2)
	return s
}

// TestPrometheusReadsIt: Prometheus' own parser reads what is written, value by value, and finds
// no fault with any name.
func TestPrometheusReadsIt(t *testing.T) {
	var b strings.Builder
	everything().Write(&b)
	parser := expfmt.NewTextParser(model.LegacyValidation)
	read, err := parser.TextToMetricFamilies(strings.NewReader(b.String()))
	if err != nil {
		t.Fatal(err)
	}
	told := slices.Sorted(maps.Keys(read))
	var want []string
	for _, f := range Families() {
		want = append(want, f.Name)
		if got := read[f.Name]; got != nil && (got.GetHelp() != f.Help ||
			!strings.EqualFold(got.GetType().String(), string(f.Kind))) {
			t.Errorf("%s: %q, %s", f.Name, got.GetHelp(), got.GetType())
		}
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, told); diff != "" {
		t.Errorf("not each metric is told (-want +got):\n%s", diff)
	}
	calls := read["provideraction_api_call_duration_seconds"].GetMetric()
	var sums []float64
	for _, m := range calls {
		h := m.GetHistogram()
		sums = append(sums, h.GetSampleSum(), float64(h.GetSampleCount()), float64(len(h.GetBucket())))
	}
	if diff := cmp.Diff([]float64{.001, 1, 12, .007, 1, 12, 20, 1, 12}, sums); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	problems, err := promlint.New(strings.NewReader(b.String())).Lint()
	if err != nil || len(problems) > 0 {
		t.Errorf("%v, %v", problems, err)
	}
}

// TestTheText holds the form to the letter: the samples of one histogram, a counter and a gauge.
func TestTheText(t *testing.T) {
	s := New("p", "v")
	s.StandInCall("Describe\x1b[31m\n\"Ä\xff", "", 2*time.Millisecond, 1)
	const labels = `operation="Describe?[31m?\"Ä?"`
	want := `# HELP provideraction_build_info 1, with the version of the program that ran last.
# TYPE provideraction_build_info gauge
provideraction_build_info{program="p",version="v"} 1
# HELP ec2sim_call_duration_seconds ` + standInCalls.Help + `
# TYPE ec2sim_call_duration_seconds histogram
`
	for _, line := range []string{"0.0001 0", "0.00025 0", "0.0005 0", "0.001 0", "0.0025 1",
		"0.005 1", "0.01 1", "0.1 1", "1 1", "10 1", "+Inf 1"} {
		bound, n, _ := strings.Cut(line, " ")
		want += `ec2sim_call_duration_seconds_bucket{` + labels + `,code="none",le="` + bound +
			`"} ` + n + "\n"
	}
	want += `ec2sim_call_duration_seconds_sum{` + labels + `,code="none"} 0.002
ec2sim_call_duration_seconds_count{` + labels + `,code="none"} 1
# HELP ec2sim_faults_total Faults that struck calls to the stand-in.
# TYPE ec2sim_faults_total counter
ec2sim_faults_total{` + labels + `} 1
`
	var b strings.Builder
	s.Write(&b)
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestWhatIsReadIsWhatWasWritten, whatever the labels.
func TestWhatIsReadIsWhatWasWritten(t *testing.T) {
	s := everything()
	for _, hostile := range []string{"", `"`, `\`, `\"`, "a,b=\"c\"", "} 1", "{", "é", "\n",
		strings.Repeat("x", 200), strings.Repeat("é", 60)} {
		s.Call(Call{Service: hostile, Operation: hostile, Code: hostile, Fault: true})
	}
	text := encode(s.taken(), []string{"one", "two"})
	all, merged, err := parse(text)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(text, encode(all, merged)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestGaugesAreTheLaterOnes: some as a whole, some series by series.
func TestGaugesAreTheLaterOnes(t *testing.T) {
	first, second := New("p", "v1"), New("p", "v2")
	first.Ledger(LedgerState{Actions: map[string]map[string]int{"a": {"live": 3, "pending": 1}}})
	second.Ledger(LedgerState{Actions: map[string]map[string]int{"a": {"live": 2}}})
	for _, s := range []*Set{first, second} {
		s.now = func() time.Time { return time.Unix(7, 0) }
	}
	first.Journal(map[string]int{"approved": 1})
	second.Journal(nil)
	first.Operation(Operation{"a", "execute", "succeeded", "", 0})
	second.Operation(Operation{"a", "execute", "failed", "", 0})
	all := first.taken()
	// What lies in a file on its way says that there is none, too.
	later, _, err := parse(encode(second.taken(), nil))
	if err != nil {
		t.Fatal(err)
	}
	if err := all.merge(later); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range []*Family{&ledgerActions, &journalActions, &build, &lastOperation} {
		for _, labels := range slices.Sorted(maps.Keys(all[f])) {
			got = append(got, labels+" "+boundText(all[f][labels].value))
		}
	}
	want := []string{
		`program="p",verb="a",state="live" 2`,
		`program="p",version="v2" 1`,
		`program="p",verb="a",status="failed" 7`,
		`program="p",verb="a",status="succeeded" 7`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestCallsOfASet are the attempts that were counted in it; those of no Set are none.
func TestCallsOfASet(t *testing.T) {
	if n, took := everything().Calls(); n != 2 || took != 8*time.Millisecond {
		t.Errorf("%d, %s", n, took)
	}
	s := FromContext(NewContext(context.Background(), everything()))
	if n, _ := s.Calls(); n != 2 {
		t.Errorf("%d", n)
	}
}

// TestNoSet: whoever calls without one counts nothing, and nothing happens.
func TestNoSet(t *testing.T) {
	s := FromContext(context.Background())
	s.Operation(Operation{})
	s.Drift("", "")
	s.Call(Call{Retry: true, Throttled: true, Fault: true})
	s.LedgerRecords(1, 1)
	s.Ledger(LedgerState{Actions: map[string]map[string]int{"a": {"b": 1}}})
	s.Journal(map[string]int{"a": 1})
	s.Preflight(CheckOutcome{})
	s.StandInCall("", "", 0, 1)
	s.Finish(map[string]string{Variable: t.TempDir()}, nil)
	var b strings.Builder
	if s.Write(&b); b.Len() > 0 {
		t.Errorf("%s", &b)
	}
	if n, took := s.Calls(); n != 0 || took != 0 || s.Samples() != nil {
		t.Errorf("%d, %s", n, took)
	}
}

// TestTheTable: names and labels are of the forms that Prometheus wants, and each metric is in the
// table once.
func TestTheTable(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range Families() {
		if seen[f.Name] || !model.LegacyValidation.IsValidMetricName(f.Name) {
			t.Errorf("%s", f.Name)
		}
		seen[f.Name] = true
		for _, l := range f.Labels {
			if !model.LegacyValidation.IsValidLabelName(l) || l == "le" {
				t.Errorf("%s: the label %s", f.Name, l)
			}
		}
		if !strings.HasSuffix(f.Help, ".") || f.Of == "" || !slices.IsSorted(f.Buckets) ||
			(f.Kind == Histogram) != (len(f.Buckets) > 0) {
			t.Errorf("%+v", f)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(encode(everything().taken(), []string{"part"}))
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		all, merged, err := parse(text)
		if err != nil {
			return
		}
		again := encode(all, merged)
		back, _, err := parse(again)
		if err != nil {
			t.Fatalf("%v: %q", err, again)
		}
		if third := encode(back, merged); third != again {
			t.Errorf("%q, then %q", again, third)
		}
	})
}

// TestTextsThatAreRefused: each is wrong in one place, in a metric that is known and in one that is
// not.
func TestTextsThatAreRefused(t *testing.T) {
	for name, line := range map[string]string{
		"no labels":             `provideraction_build_info 1`,
		"no value":              `provideraction_build_info{program="p",version="v"} `,
		"not a number":          `provideraction_build_info{program="p",version="v"} NaN`,
		"no end":                `provideraction_build_info{program="p",version="v"} +Inf`,
		"a word":                `provideraction_build_info{program="p",version="v"} one`,
		"two values":            `provideraction_build_info{program="p",version="v"} 1 2`,
		"an open value":         `provideraction_build_info{program="p",version="v} 1`,
		"an open escape":        `provideraction_build_info{program="p",version="\} 1`,
		"no quotes":             `provideraction_build_info{program=p} 1`,
		"no name":               `provideraction_build_info{="p"} 1`,
		"a name with a quote":   `provideraction_build_info{pro"gram="p"} 1`,
		"no comma":              `provideraction_build_info{program="p"version="v"} 1`,
		"a count below zero":    `provideraction_ledger_records_created_total{program="p"} -1`,
		"unknown and malformed": `something{program="p} 1`,
	} {
		if all, _, err := parse(line + "\n" + endComment); err == nil {
			t.Errorf("%s: read as %q", name, encode(all, nil))
		}
	}
	for name, line := range map[string]string{
		"an unknown metric":       `something{program="p"} 1`,
		"a bucket without labels": operations.Name + `_bucket{le="1"} 1`,
		"other labels":            `provideraction_build_info{program="p",release="v"} 1`,
		"a gauge's bucket":        `provideraction_build_info_bucket{program="p",version="v",le="1"} 1`,
	} {
		all, _, err := parse(line + "\n" + endComment)
		if err != nil || strings.Contains(encode(all, nil), "} ") {
			t.Errorf("%s: %v, %q", name, err, encode(all, nil))
		}
	}
	all, _, err := parse(`provideraction_ledger_bytes{program="p"} -2` + "\n" + endComment)
	if text := encode(all, nil); err != nil || !strings.Contains(text, `{program="p"} -2`) {
		t.Errorf("a gauge below zero: %v, %q", err, text)
	}
}

// TestSamples are what is written, value by value.
func TestSamples(t *testing.T) {
	s := New("p", "v")
	s.Operation(Operation{"off", "execute", "failed", "drift", 20 * time.Millisecond})
	s.StandInCall("DescribeVpcs", "OK", 20*time.Millisecond, 0)
	var got []string
	for _, x := range s.Samples() {
		switch x.Family.Name {
		case "provideraction_drift_total":
			got = append(got, strings.Join(x.Labels, " ")+" "+boundText(x.Value))
		case "ec2sim_call_duration_seconds":
			got = append(got, strings.Join(x.Labels, " ")+" "+boundText(x.Value))
			if x.Count != 1 || x.Buckets[.01] != 0 || x.Buckets[.1] != 1 || len(x.Buckets) != 10 {
				t.Errorf("%+v", x)
			}
		}
	}
	want := []string{"p off execute 1", "DescribeVpcs OK 0.02"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
