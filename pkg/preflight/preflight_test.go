package preflight_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/pkg/preflight"
)

func report(verdicts ...preflight.Verdict) preflight.Report {
	var r preflight.Report
	for i, v := range verdicts {
		r.Checks = append(r.Checks, preflight.Check{Name: string(rune('a' + i)), Verdict: v})
	}
	return r
}

func TestReport(t *testing.T) {
	const pass, warn, unknown, fail = preflight.Pass, preflight.Warn, preflight.Unknown,
		preflight.Fail
	for _, tt := range []struct {
		name            string
		report          preflight.Report
		worst           preflight.Verdict
		failed          bool
		may, mayStrict  bool
		refused, strict int
		summary         string
	}{
		{"nothing was checked", report(), unknown, false, false, false, 0, 0, "nothing was checked"},
		{"all pass", report(pass, pass), pass, false, true, true, 0, 0, "2 pass"},
		{"a warning", report(pass, warn), warn, false, true, false, 0, 1, "1 pass, 1 warn (b)"},
		{"unknown is no pass", report(unknown, pass), unknown, false, true, false, 0, 1,
			"1 pass, 1 unknown (a)"},
		{"a failure", report(warn, fail, unknown), fail, true, false, false, 1, 3,
			"1 warn (a), 1 unknown (c), 1 fail (b)"},
		{"no verdict at all refuses", report(pass, ""), "", true, false, false, 1, 1,
			"1 pass, 1 without a verdict (b)"},
		{"a verdict of another program refuses", report("ok"), "ok", true, false, false, 1, 1,
			"1 without a verdict (a)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := tt.report
			if got := r.Verdict(); got != tt.worst {
				t.Errorf("Verdict() = %q, want %q", got, tt.worst)
			}
			if got := r.Failed(); got != tt.failed {
				t.Errorf("Failed() = %t, want %t", got, tt.failed)
			}
			if got := r.May(false); got != tt.may {
				t.Errorf("May(false) = %t, want %t", got, tt.may)
			}
			if got := r.May(true); got != tt.mayStrict {
				t.Errorf("May(true) = %t, want %t", got, tt.mayStrict)
			}
			if got := len(r.Refused(false)); got != tt.refused {
				t.Errorf("Refused(false) has %d, want %d", got, tt.refused)
			}
			if got := len(r.Refused(true)); got != tt.strict {
				t.Errorf("Refused(true) has %d, want %d", got, tt.strict)
			}
			if got := r.Summary(); got != tt.summary {
				t.Errorf("Summary() = %q, want %q", got, tt.summary)
			}
		})
	}
}

// Programs read these four fields. An advice that is empty is there, and facts are evidence's.
func TestJSON(t *testing.T) {
	r := preflight.Report{Checks: []preflight.Check{
		{Name: "clock", Verdict: preflight.Pass, Seen: "0.1 s off", Facts: map[string]any{"a": 1}},
		{Name: "target", Request: "k/1", Verdict: preflight.Fail, Seen: "gone", Advice: "look"},
	}}
	got, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"checks":[{"name":"clock","verdict":"pass","seen":"0.1 s off","advice":""},` +
		`{"name":"target","request":"k/1","verdict":"fail","seen":"gone","advice":"look"}]}`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Error(diff)
	}
}

func TestOfAndLookup(t *testing.T) {
	r := preflight.Report{Checks: []preflight.Check{
		{Name: "clock", Verdict: preflight.Pass},
		{Name: "target", Request: "k/1", Verdict: preflight.Fail},
		{Name: "target", Request: "k/2", Verdict: preflight.Warn},
	}}
	if got := r.Of("k/2").Summary(); got != "1 pass, 1 warn (target)" {
		t.Errorf("Of(k/2) is %q", got)
	}
	for _, tt := range []struct {
		name, request string
		want          preflight.Verdict
		found         bool
	}{
		{"target", "k/1", preflight.Fail, true},
		{"target", "k/2", preflight.Warn, true},
		{"clock", "k/2", preflight.Pass, true},
		{"target", "k/3", "", false},
		{"subnet", "k/1", "", false},
	} {
		c, found := r.Lookup(tt.name, tt.request)
		if found != tt.found || c.Verdict != tt.want {
			t.Errorf("Lookup(%s, %s) = %q, %t", tt.name, tt.request, c.Verdict, found)
		}
	}
}

// TestJoin: the worst part decides and is told first. Parts that came to the same are told once.
func TestJoin(t *testing.T) {
	part := func(of string, v preflight.Verdict, seen, advice string) preflight.Part {
		return preflight.Part{Of: of, Check: preflight.Check{Name: "clock", Request: "k", Verdict: v,
			Seen: seen, Advice: advice, Facts: map[string]any{"of": of}}}
	}
	good, other := part("a", preflight.Pass, "right", ""), part("c", preflight.Pass, "right", "")
	bad := part("b", preflight.Fail, "wrong", "mend it")
	bare := part("d", preflight.Unknown, "unread", "mend it")
	bare.Facts = nil
	for _, tt := range []struct {
		name  string
		parts []preflight.Part
		want  preflight.Check
	}{
		{"none", nil, preflight.Check{Verdict: preflight.Unknown, Seen: "nothing was checked",
			Advice: "name what to check"}},
		{"one is itself", []preflight.Part{bad}, bad.Check},
		{"alike", []preflight.Part{good, other}, preflight.Check{Name: "clock", Request: "k",
			Verdict: preflight.Pass, Seen: "a, c: right",
			Facts: map[string]any{"a": good.Facts, "c": other.Facts}}},
		{"the worst first, and what to do once", []preflight.Part{good, bare, bad, other},
			preflight.Check{Name: "clock", Request: "k", Verdict: preflight.Fail,
				Seen: "b: wrong; d: unread; a, c: right", Advice: "mend it",
				Facts: map[string]any{"a": good.Facts, "b": bad.Facts, "c": other.Facts,
					"d": map[string]any{}}}},
		{"no verdict is the worst", []preflight.Part{bad, part("e", "", "?", "look")},
			preflight.Check{Name: "clock", Request: "k", Verdict: "", Seen: "e: ?; b: wrong",
				Advice: "look; mend it",
				Facts:  map[string]any{"b": bad.Facts, "e": map[string]any{"of": "e"}}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, preflight.Join(tt.parts...)); diff != "" {
				t.Error(diff)
			}
		})
	}
}
