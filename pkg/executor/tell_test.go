package executor

import (
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"aws-provider-executor/pkg/metrics"
	"aws-provider-executor/pkg/protocol"

	"github.com/google/go-cmp/cmp"
)

// shown are the lines of a program's file of metrics that have a text in them.
func shown(t *testing.T, dir, with string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "switcher.prom"))
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for line := range strings.Lines(string(text)) {
		if strings.Contains(line, with) && !strings.HasPrefix(line, "#") {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return lines
}

// TestEachAnswerIsCounted by its verb, mode, status and class, over all runs; so are the records.
// What a caller made up is no label.
func TestEachAnswerIsCounted(t *testing.T) {
	p, dir := newProcess(t), t.TempDir()
	env := []string{metrics.Variable + "=" + dir}
	for _, stdin := range []string{
		request("on", "k", "a", ""), request("on", "k", "a", ""),
		strings.Replace(request("on", "k2", "a", ""), `"execute"`, `"dry-run"`, 1),
		request("made-up", "k3", "a", ""), "no JSON",
		strings.Replace(request("on", "k4", "a", ""), `"execute"`, `"made-up"`, 1),
	} {
		if code := p.run(t, env, stdin); code != 0 || p.stderr.Len() > 0 {
			t.Fatalf("exit %d, %s", code, &p.stderr)
		}
	}
	const of = `provideraction_operation_duration_seconds_count{program="switcher",verb=`
	want := []string{
		of + `"on",mode="dry-run",status="succeeded",failure_class="none"} 1`,
		of + `"on",mode="execute",status="succeeded",failure_class="none"} 2`,
		of + `"on",mode="unknown",status="failed",failure_class="invalid-request"} 1`,
		of + `"unknown",mode="execute",status="failed",failure_class="invalid-request"} 1`,
		of + `"unknown",mode="unknown",status="failed",failure_class="invalid-request"} 1`,
	}
	if diff := cmp.Diff(want, shown(t, dir, "_seconds_count{")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	p.run(t, env, request("off", "k:undo", "a", `"prior.a":"off"`))
	if p.cloud.values["a"] != "off" {
		t.Errorf("not undone: %s", &p.stdout)
	}
	want = []string{
		`provideraction_ledger_records_created_total{program="switcher"} 1`,
		`provideraction_ledger_records_removed_total{program="switcher"} 1`,
	}
	if diff := cmp.Diff(want, shown(t, dir, "_records_")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestDriftIsCounted where it stops an undo.
func TestDriftIsCounted(t *testing.T) {
	p, dir := newProcess(t), t.TempDir()
	env := []string{metrics.Variable + "=" + dir}
	p.run(t, env, request("on", "k", "a", ""))
	p.cloud.values["a"] = "dim"
	p.run(t, env, request("off", "k:undo", "a", `"prior.a":"off"`))
	if s := p.status(t); s.Status != protocol.Failed || p.cloud.values["a"] != "dim" {
		t.Fatalf("%+v", s)
	}
	want := []string{
		`provideraction_drift_total{program="switcher",verb="off",mode="execute"} 1`,
		`provideraction_drift_total{program="switcher",verb="on",mode="execute"} 0`,
	}
	if diff := cmp.Diff(want, shown(t, dir, "_drift_total{")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestOverwritingIsCountedAsDrift: an undo that was told to go over what somebody else brought
// about has found it, too.
func TestOverwritingIsCountedAsDrift(t *testing.T) {
	p, dir := newProcess(t), t.TempDir()
	p.Registry = ruleRegistry
	env := []string{metrics.Variable + "=" + dir}
	ask := func(verb, key, parameters string) {
		t.Helper()
		text := strings.Replace(request(verb, key, "a", parameters), `"names"`, `"switch"`, 1)
		p.run(t, env, text)
		is(t, p.status(t), protocol.Succeeded)
	}
	ask("set", "k", `"to":"on"`)
	p.cloud.values["a"] = "dim"
	ask("reset?", "k:undo", `"prior":"off","onDrift":"restore"`)
	ask("reset", "k:undo", `"prior":"off","onDrift":"restore"`)
	if p.cloud.values["a"] != "off" {
		t.Errorf("the world is %v", p.cloud.values)
	}
	const of = `provideraction_drift_total{program="switcher",verb=`
	want := []string{
		of + `"reset",mode="dry-run"} 1`, of + `"reset",mode="execute"} 1`,
		of + `"set",mode="execute"} 0`,
	}
	if diff := cmp.Diff(want, shown(t, dir, "_drift_total{")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestCallsAreObserved where that is asked for, in a failure as well, and else nowhere.
func TestCallsAreObserved(t *testing.T) {
	p := newProcess(t)
	connect := p.Connect
	p.Connect = func(ctx context.Context, region string, budget time.Duration,
		log *slog.Logger) (Connection, error) {
		for range 3 {
			metrics.FromContext(ctx).Call(metrics.Call{Took: 2 * time.Millisecond})
		}
		metrics.FromContext(ctx).Call(metrics.Call{Took: time.Hour, ForIdentity: true})
		return connect(ctx, region, budget, log)
	}
	for _, c := range []struct{ name, env, stdin, calls, millis string }{
		{"asked", "true", request("on", "k", "a", ""), "3", "6"},
		{"failed", "true", "no JSON", "0", "0"},
		{"no", "false", request("on", "k", "a", ""), "", ""},
		{"not asked", "", request("on", "k", "a", ""), "", ""},
	} {
		p.run(t, []string{"EXECUTOR_OBSERVE_CALLS=" + c.env}, c.stdin)
		s := p.status(t)
		if s.Observed[protocol.FactCalls] != c.calls || s.Observed[protocol.FactCallMillis] != c.millis {
			t.Errorf("%s: %+v", c.name, s)
		}
	}
	record, err := os.ReadFile(filepath.Join(p.dir, "keys", name(t, p.dir)))
	if err != nil || strings.Contains(string(record), "call") {
		t.Errorf("the record: %s, %v", record, err)
	}
}

// name is the only file of the ledger's records.
func name(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(dir, "keys"))
	if err != nil || len(entries) != 1 {
		t.Fatalf("%v, %v", entries, err)
	}
	return entries[0].Name()
}

// The two traces of these tests.
const (
	traceA = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	traceB = "00-11111111111111111111111111111111-2222222222222222-00"
)

// TestATraceGoesThroughTheLog: the request's goes before the environment's, and a malformed one is
// told and as good as none. The answer and the record do not know of it.
func TestATraceGoesThroughTheLog(t *testing.T) {
	in := func(context string) string {
		return strings.Replace(request("on", "k", "a", ""), `"spec":{`,
			`"spec":{"context":{"traceparent":`+context+`},`, 1)
	}
	plain := newProcess(t)
	plain.run(t, nil, request("on", "k", "a", ""))
	for _, c := range []struct{ name, env, stdin, traceID, told string }{
		{"none", "", request("on", "k", "a", ""), "", ""},
		{"the environment's", traceA, request("on", "k", "a", ""), traceA[3:35], ""},
		{"the request's", "", in(`"` + traceB + `"`), traceB[3:35], ""},
		{"both", traceA, in(`"` + traceB + `"`), traceB[3:35], ""},
		{"a malformed one of the request", traceA, in(`"nonsense"`), traceA[3:35],
			"the traceparent is ignored"},
		{"no text", traceA, in(`7`), traceA[3:35], "the traceparent is ignored"},
		{"a malformed one of the environment", "nonsense", in(`"` + traceB + `"`), traceB[3:35],
			"the traceparent is ignored"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newProcess(t)
			p.run(t, []string{"TRACEPARENT=" + c.env, "EXECUTOR_LOG=info"}, c.stdin)
			if p.stdout.String() != plain.stdout.String() {
				t.Errorf("answered %s\nwant %s", &p.stdout, &plain.stdout)
			}
			if !strings.Contains(p.stderr.String(), c.told) ||
				strings.Count(p.stderr.String(), "WARNING") != strings.Count(c.told, "ignored") ||
				strings.Contains(p.stderr.String(), "nonsense") {
				t.Errorf("it said %s", &p.stderr)
			}
			lines := strings.Split(strings.TrimSpace(p.stderr.String()), "\n")
			for _, line := range lines[len(lines)-2:] {
				var logged struct{ Msg, TraceID string }
				if err := json.Unmarshal([]byte(line), &logged); err != nil ||
					logged.TraceID != c.traceID || logged.Msg != "changing" && logged.Msg != "answered" {
					t.Errorf("%v in %s", err, line)
				}
			}
			record, err := os.ReadFile(filepath.Join(p.dir, "keys", name(t, p.dir)))
			if err != nil || strings.Contains(string(record), "trace") {
				t.Errorf("the record: %s, %v", record, err)
			}
		})
	}
}

// TestTheLogTellsTheAnswer in one line, with the same fields for each.
func TestTheLogTellsTheAnswer(t *testing.T) {
	rule(t, "of an action", func(t *testing.T) {
		c := newCore(t, "a=off")
		is(t, c.set("k", "a", "on"), protocol.Succeeded)
		c.cloud.changes = script{"a": {"refuse"}}
		failed(t, c.set("k2", "a", "dim"), protocol.Throttled)
		want := []string{
			`level=INFO msg=answered verb=set mode=execute key=k status=succeeded failureClass=""` +
				` changed=true millis=0 calls=0 callMillis=0`,
			`level=INFO msg=answered verb=set mode=execute key=k2 status=failed failureClass=throttled` +
				` changed="" millis=0 calls=0 callMillis=0`,
		}
		if diff := cmp.Diff(want, c.log.answered); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}
