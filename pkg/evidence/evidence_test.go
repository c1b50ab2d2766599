package evidence_test

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/pkg/evidence"
	"aws-provider-executor/pkg/network"
	"aws-provider-executor/pkg/preflight"
	"aws-provider-executor/pkg/protocol"
)

var at = time.Date(2026, 11, 28, 22, 0, 0, 0, time.UTC)

func taken() evidence.Taken {
	return evidence.Taken{
		At: at, By: "ann", Host: "ops-1",
		Program: evidence.Program{Name: "actionctl", Version: "v1"},
		Plugin:  evidence.Program{Name: "aws-provider-executor", Version: "v1", Digest: "sha256:ab"},
	}
}

// seen is what was seen of a forwarder that is to be switched on.
func seen() evidence.Seen {
	return evidence.Seen{
		Identity: map[string]string{"account": "123456789012"},
		Subjects: []evidence.Subject{{
			Key: "k/forward", Plan: "sha256:01", Action: "ensure-forwarding-enabled", Provider: "aws",
			Target: map[string]string{"nicRef": "eni-1"}, Undo: "ensure-forwarding-disabled",
			Outcome: evidence.Outcome{
				Status: protocol.Succeeded, Message: "would enable forwarding on eni-1",
				Observed: map[string]string{"priorSourceDestCheck": "true"},
				Changes: []protocol.Change{
					{Resource: "eni-1", Attribute: "sourceDestCheck", From: "true", To: "false"}},
				UndoChanges: []protocol.Change{
					{Resource: "eni-1", Attribute: "sourceDestCheck", From: "false", To: "true"}},
			},
		}},
		Checks: []evidence.Check{
			{
				Check: preflight.Check{Name: "clock", Verdict: preflight.Pass, Seen: "0.2 s behind"},
				Facts: map[string]any{"ahead": false, "limit": 60},
			},
			{
				Check: preflight.Check{Name: "target", Request: "k/forward", Verdict: preflight.Warn,
					Seen: "eni-1 is «odd» <&>\u2028", Advice: "look"},
				Facts: map[string]any{"groups": []any{"sg-1", "sg-2"}},
			},
		},
		Network: network.Network{
			Interfaces: []network.Interface{{ID: "eni-1", Groups: []string{"sg-2", "sg-1"}}},
			Groups:     []network.Group{{ID: "sg-2"}, {ID: "sg-1", Name: "web"}},
		},
	}
}

func document(t *testing.T, edit func(*evidence.Taken, *evidence.Seen)) evidence.Document {
	t.Helper()
	by, what := taken(), seen()
	if edit != nil {
		edit(&by, &what)
	}
	d, err := evidence.New(by, what)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func encoded(t *testing.T, d evidence.Document) []byte {
	t.Helper()
	text, err := d.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestEvidenceIsReadAsItWasWritten: the file is one line of canonical JSON, and nothing of it is
// lost.
func TestEvidenceIsReadAsItWasWritten(t *testing.T) {
	d := document(t, nil)
	text := encoded(t, d)
	if bytes.ContainsAny(text, "\n\t") {
		t.Errorf("not one line: %s", text)
	}
	read, err := evidence.Read(text)
	if err != nil {
		t.Fatal(err)
	}
	if again := encoded(t, read); !bytes.Equal(text, again) {
		t.Errorf("written again it is another text:\n%s\n%s", text, again)
	}
	if diff := cmp.Diff(d.Taken, read.Taken); diff != "" {
		t.Error(diff)
	}
	form := regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)
	if read.Digest != d.Digest || read.SeenDigest != d.SeenDigest || d.Digest == d.SeenDigest ||
		!form.MatchString(d.Digest) || !form.MatchString(d.SeenDigest) {
		t.Errorf("digests %s %s, read %s %s", d.Digest, d.SeenDigest, read.Digest, read.SeenDigest)
	}
	if got := read.Report().Verdict(); got != preflight.Warn {
		t.Errorf("the report is %s", got)
	}
	if s, ok := read.Subject("sha256:01"); !ok || s.Key != "k/forward" {
		t.Errorf("the action is not found: %+v", s)
	}
	if s, ok := read.Subject("sha256:02"); ok {
		t.Errorf("another action is found: %+v", s)
	}
}

// TestAnyChangedByteIsRefused: whatever byte of the file is another one, left out or put in.
func TestAnyChangedByteIsRefused(t *testing.T) {
	text := encoded(t, document(t, nil))
	try := func(what string, changed []byte) {
		t.Helper()
		if bytes.Equal(changed, text) {
			return
		}
		if d, err := evidence.Read(changed); err == nil {
			t.Errorf("%s is read: %+v", what, d)
		}
	}
	for i := range text {
		for _, b := range []byte{text[i] ^ 1, '0', ' ', '"'} {
			changed := bytes.Clone(text)
			changed[i] = b
			try("a changed byte", changed)
		}
		try("a byte less", append(bytes.Clone(text[:i]), text[i+1:]...))
		try("a byte more", append(append(bytes.Clone(text[:i]), ' '), text[i:]...))
	}
	try("a newline at the end", append(bytes.Clone(text), '\n'))
}

func TestWhatIsNoEvidence(t *testing.T) {
	text := string(encoded(t, document(t, nil)))
	for name, c := range map[string]struct{ text, want string }{
		"a key twice": {
			strings.Replace(text, `{"digest":`, `{"digest":"sha256:00","digest":`, 1), "twice"},
		"a key twice within": {
			strings.Replace(text, `"by":"ann"`, `"by":"ann","by":"ann"`, 1), "twice"},
		"formatted": {strings.Replace(text, `,"format"`, `, "format"`, 1), "canonical"},
		"in another order": {
			`{"format":"x",` + strings.Replace(text, `{`, ``, 1), "twice"},
		"an unknown field": {
			strings.Replace(text, `"host":`, `"aaa":"1","host":`, 1), "canonical"},
		"an unknown field in its place": {
			strings.Replace(text, `"host":`, `"ha":"1","host":`, 1), "unknown field"},
		"a field in other letters": {
			strings.Replace(strings.Replace(text, `"at":"2026-11-28T22:00:00Z",`, "", 1),
				`"taken":{`, `"taken":{"At":"2026-11-28T22:00:00Z",`, 1), "spelt otherwise"},
		"a field that is missing": {strings.Replace(text, `"host":"ops-1",`, "", 1), "missing"},
		"another format":          {strings.Replace(text, "/v1", "/v2", 1), "the format"},
		"two documents":           {text + text, "more than one"},
		"nothing":                 {"", "there is no JSON"},
		"a list":                  {"[]", "the format"},
		"an altered sentence":     {strings.Replace(text, "0.2 s", "0.9 s", 1), "its digest"},
		"another verdict":         {strings.Replace(text, `"warn"`, `"pass"`, 1), "its digest"},
		"no verdict":              {strings.Replace(text, `"warn"`, `"fine"`, 1), "verdict"},
		"a later time": {
			strings.Replace(text, `T22:00:00Z`, `T23:00:00Z`, 1), "its digest"},
	} {
		if c.text == text {
			t.Fatalf("%s: the text is not changed", name)
		}
		_, err := evidence.Read([]byte(c.text))
		if err == nil || !strings.Contains(strings.ToLower(err.Error()), strings.ToLower(c.want)) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	if _, err := evidence.Read(make([]byte, evidence.MaxBytes+1)); err == nil ||
		!strings.Contains(err.Error(), "at most") {
		t.Errorf("too large: %v", err)
	}
}

// TestWhatEachDigestCovers: the one when and by whom and in which words, the other what was seen.
func TestWhatEachDigestCovers(t *testing.T) {
	before := document(t, nil)
	for name, c := range map[string]struct {
		edit func(*evidence.Taken, *evidence.Seen)
		// whole and seen report whether the digests differ.
		whole, seen bool
	}{
		"the same": {func(*evidence.Taken, *evidence.Seen) {}, false, false},
		"the provider answers in another order": {func(_ *evidence.Taken, s *evidence.Seen) {
			s.Network.Interfaces[0].Groups = []string{"sg-1", "sg-2"}
			s.Network.Groups = []network.Group{{ID: "sg-1", Name: "web"}, {ID: "sg-2"}}
		}, false, false},
		"another time": {func(t *evidence.Taken, _ *evidence.Seen) {
			t.At = t.At.Add(time.Hour)
		}, true, false},
		"another person": {func(t *evidence.Taken, _ *evidence.Seen) { t.By = "bob" }, true, false},
		"another sentence": {func(_ *evidence.Taken, s *evidence.Seen) {
			s.Checks[0].Seen = "0.3 s behind"
		}, true, false},
		"the name of a fence, which is its time": {func(_ *evidence.Taken, s *evidence.Seen) {
			s.Subjects[0].Outcome.Changes[0].To = "1700000000"
			s.Subjects[0].Outcome.UndoChanges[0].From = "1700000000"
			s.Subjects[0].Outcome.Observed = map[string]string{"fenceTimestamp": "1700000000"}
		}, true, false},
		"a plan that a check repeats": {func(_ *evidence.Taken, s *evidence.Seen) {
			s.Checks[0].Facts["changes"] = []any{map[string]any{"to": "1700000000"}}
		}, true, false},
		"another verdict": {func(_ *evidence.Taken, s *evidence.Seen) {
			s.Checks[0].Verdict = preflight.Unknown
		}, true, true},
		"another fact": {func(_ *evidence.Taken, s *evidence.Seen) {
			s.Checks[1].Facts = map[string]any{"groups": []any{"sg-1"}}
		}, true, true},
		"another prior value": {func(_ *evidence.Taken, s *evidence.Seen) {
			s.Subjects[0].Outcome.Changes[0].From = "none"
		}, true, true},
		"another way back": {func(_ *evidence.Taken, s *evidence.Seen) {
			s.Subjects[0].Outcome.UndoChanges[0].To = "none"
		}, true, true},
		"a plan that is not told, and not one that changes nothing": {
			func(_ *evidence.Taken, s *evidence.Seen) { s.Subjects[0].Outcome.UndoChanges = nil },
			true, true},
		"another request": {func(_ *evidence.Taken, s *evidence.Seen) {
			s.Subjects[0].Plan = "sha256:02"
		}, true, true},
		"another account": {func(_ *evidence.Taken, s *evidence.Seen) {
			s.Identity["account"] = "210987654321"
		}, true, true},
		"another address": {func(_ *evidence.Taken, s *evidence.Seen) {
			s.Network.Interfaces[0].Secondary = []string{"10.0.0.9"}
		}, true, true},
	} {
		after := document(t, c.edit)
		if whole := after.Digest != before.Digest; whole != c.whole {
			t.Errorf("%s: the digest differs: %t", name, whole)
		}
		if seen := after.SeenDigest != before.SeenDigest; seen != c.seen {
			t.Errorf("%s: the digest of what was seen differs: %t", name, seen)
		}
	}
	var none, empty evidence.Document
	none = document(t, func(_ *evidence.Taken, s *evidence.Seen) {
		s.Subjects[0].Outcome.Changes = nil
	})
	empty = document(t, func(_ *evidence.Taken, s *evidence.Seen) {
		s.Subjects[0].Outcome.Changes = []protocol.Change{}
	})
	if none.SeenDigest == empty.SeenDigest {
		t.Error("no plan and a plan that changes nothing are the same")
	}
}

func TestNumbersThatAreNotExactAreRefused(t *testing.T) {
	what := seen()
	what.Checks[0].Facts = map[string]any{"list": []any{map[string]any{"n": int64(1)<<53 + 1}}}
	if _, err := evidence.New(taken(), what); err == nil || !strings.Contains(err.Error(), "clock") {
		t.Errorf("%v", err)
	}
}

func TestAge(t *testing.T) {
	d := document(t, nil)
	for _, c := range []struct {
		now   time.Time
		age   time.Duration
		wrong bool
	}{
		{at, 0, false}, {at.Add(time.Hour), time.Hour, false},
		{at.Add(-30 * time.Second), 0, false}, {at.Add(-2 * time.Minute), 0, true},
	} {
		if age, err := d.Age(c.now); age != c.age || (err != nil) != c.wrong {
			t.Errorf("at %s: %s, %v", c.now, age, err)
		}
	}
}

// TestOutcomeOf: the plans are read; what identifies one call only is left out.
func TestOutcomeOf(t *testing.T) {
	o, err := evidence.OutcomeOf(protocol.Status{
		Status: protocol.Succeeded, Message: "would", Observed: map[string]string{
			"plan":     `[{"resource":"r","attribute":"a","from":"b","to":"c"}]`,
			"undoPlan": "[]", "requestId": "1", "priorA": "b",
		},
	})
	want := evidence.Outcome{
		Status: protocol.Succeeded, Message: "would", Observed: map[string]string{"priorA": "b"},
		Changes:     []protocol.Change{{Resource: "r", Attribute: "a", From: "b", To: "c"}},
		UndoChanges: []protocol.Change{},
	}
	if diff := cmp.Diff(want, o); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
	failed := protocol.Say(protocol.Failed, "no")
	if o, err := evidence.OutcomeOf(failed); err != nil || o.Message != "no" || o.Changes != nil {
		t.Errorf("%+v, %v", o, err)
	}
	failed.Observed = map[string]string{"plan": "{}"}
	if _, err := evidence.OutcomeOf(failed); err == nil {
		t.Error("what is no plan is read")
	}
}

// TestSince: whatever is not as it was is told, and what was to be the outcome of that.
func TestSince(t *testing.T) {
	change := func(from, to string) []protocol.Change {
		return []protocol.Change{{Resource: "eni-1", Attribute: "check", From: from, To: to}}
	}
	was := evidence.Subject{Outcome: evidence.Outcome{Status: protocol.Succeeded, Message: "would",
		Changes: change("true", "false"), UndoChanges: change("false", "true")}}
	for name, c := range map[string]struct {
		now  evidence.Outcome
		want []string
	}{
		"the same": {was.Outcome, nil},
		"the time of a fence": {evidence.Outcome{Status: protocol.Succeeded,
			Changes: change("true", "later"), UndoChanges: change("later", "true")}, nil},
		"another value": {evidence.Outcome{Status: protocol.Succeeded,
			Changes: change("dim", "false"), UndoChanges: change("false", "dim")},
			[]string{"the check of eni-1 was true, and is dim now",
				"the undo would lead the check of eni-1 to true, and would lead it to dim now"}},
		"it is so already": {evidence.Outcome{Status: protocol.Succeeded,
			Changes: []protocol.Change{}, UndoChanges: []protocol.Change{}},
			[]string{"the check of eni-1 was true, to become false, and would not be changed now",
				"the undo would lead the check of eni-1 to true, and would leave it now"}},
		"another change": {evidence.Outcome{Status: protocol.Succeeded,
			Changes: append(change("true", "false"),
				protocol.Change{Resource: "eni-2", Attribute: "check", From: "a", To: "b"}),
			UndoChanges: append(change("false", "true"),
				protocol.Change{Resource: "eni-2", Attribute: "check", From: "b", To: "a"})},
			[]string{"the check of eni-2 was to stay, and would be changed from a to b now",
				"the undo would lead the check of eni-2 to a now, and would have left it"}},
		"it fails": {evidence.Outcome{Status: protocol.Failed, Message: "gone"},
			[]string{"the executor tells no plan now: gone"}},
	} {
		if diff := cmp.Diff(c.want, was.Since(c.now)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	untold := evidence.Subject{Outcome: evidence.Outcome{Status: protocol.Failed, Message: "gone"}}
	if got := untold.Since(was.Outcome); len(got) != 1 || !strings.Contains(got[0], "no plan") {
		t.Errorf("%v", got)
	}
}

// TestAFileIsWrittenWholeOrNotAtAll: over an older one, and never beside it.
func TestAFileIsWrittenWholeOrNotAtAll(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "evidence.json")
	d := document(t, nil)
	for range 2 {
		if err := evidence.WriteFile(path, d); err != nil {
			t.Fatal(err)
		}
	}
	if text, err := os.ReadFile(path); err != nil || !bytes.Equal(text, encoded(t, d)) {
		t.Errorf("%v: %s", err, text)
	}
	// A directory can't be replaced by a file.
	if err := os.MkdirAll(filepath.Join(dir, "taken", "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{filepath.Join(dir, "taken"), filepath.Join(dir, "not", "there")} {
		if err := evidence.WriteFile(bad, d); err == nil ||
			!strings.HasPrefix(err.Error(), "cannot write the evidence: ") {
			t.Errorf("%s: %v", bad, err)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 2 {
		t.Errorf("left: %v, %v", left, err)
	}
}
