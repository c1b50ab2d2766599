package policy

import (
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestWhatToWriteIsQuoted: what YAML takes for something else is written in quotes, and nothing
// else.
func TestWhatToWriteIsQuoted(t *testing.T) {
	for _, c := range []struct {
		names string
		quote bool
	}{
		{"true false null yes no on off y n True NULL", true},
		{"0x1 -1 .5 1.5 0 9 ~ a:b a,b é a~b", true},
		{"a z A Z a0z a9 aws lab-a eu-west-1 a.b a_b az/AZ 10.0.0.0/8 yesterday", false},
	} {
		for _, name := range strings.Fields(c.names) {
			d := mustParse(t, open).Subject(subject(func(s *Subject) { s.ProviderRef = name }))
			want := "add " + name + " to allowedProviderRefs"
			if c.quote {
				want = `add "` + name + `" to allowedProviderRefs`
			}
			if !strings.HasSuffix(d.Error(), want) {
				t.Errorf("%s, want %s", d.Error(), want)
			}
			if len(d) != 1 || !strings.Contains(d.Error(), `the providerRef "`+name+`" is not allowed`) {
				t.Errorf("%v: the reference is not named", d)
			}
		}
	}
}

// TestReasonsForUndosSayWhatToWrite: for what an undo gives back, and for the verb that it undoes.
func TestReasonsForUndosSayWhatToWrite(t *testing.T) {
	p := mustParse(t, open+"  allowUndo: true\n  allowedTargets: {nicRef: [eni-0abc]}\n")
	irreversible := mustParse(t, strings.Replace(open, "[assign-secondary-ip]", "['*']", 1))
	for _, c := range []struct {
		name   string
		policy *Policy
		change func(*Subject)
		want   string
	}{
		{"a holder", p, gives("priorHolder", "eni-9"),
			`allowedTargets: the priorHolder "eni-9" is not allowed; allowed: eni-0abc;` +
				` to allow it add eni-9 to allowedTargets.nicRef`},
		{"a route's target", p, gives("priorRouteTarget", "eni-9"),
			`allowedTargets: the priorRouteTarget "eni-9" is not allowed; allowed: eni-0abc;` +
				` to allow it add eni-9 to allowedTargets.nicRef`},
		{"an undo", p, func(s *Subject) {
			s.Action, s.Undo, s.Undoes = "unfence", true,
				[]string{"fence"}
		},
			`allowedActions: neither "unfence" nor what it undoes is allowed; allowed: ` +
				`assign-secondary-ip;` +
				` to allow it add fence to allowedActions`},
		{"an undo of nothing that is known", p, func(s *Subject) { s.Action, s.Undo = "unfence", true },
			`allowedActions: neither "unfence" nor what it undoes is allowed; allowed: ` +
				`assign-secondary-ip;` +
				` to allow it add unfence to allowedActions`},
		{"what can't be undone", irreversible, func(s *Subject) { s.Action, s.Irreversible = "y", true },
			`allowIrreversible: y can't be undone, and allowedActions does not name it;` +
				` to allow it add "y" to allowedActions`},
		// An undo takes something back: that nothing undoes it in turn is no reason against it.
		{"an undo that can't be undone", p, func(s *Subject) {
			s.Irreversible, s.Undo = true, true
		}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.policy.Subject(subject(c.change)).Error(); got != c.want {
				t.Errorf("%s\nwant %s", got, c.want)
			}
		})
	}
}

// TestTagsSayWhatToTakeOut: a key that YAML takes for something else is quoted where it is written.
func TestTagsSayWhatToTakeOut(t *testing.T) {
	d := mustParse(t, open+"  requiredTags: {'42': x}\n").Tags("eni-1", nil)
	const want = `requiredTags: eni-1 has no tag "42"; tag it, or take "42" out of requiredTags`
	if d.Error() != want {
		t.Errorf("%s, want %s", d.Error(), want)
	}
}

// TestDeniedTagsHoldByTheirOwnKey: a value that another key may not have is no reason; a key that
// is written in other letters is the same key.
func TestDeniedTagsHoldByTheirOwnKey(t *testing.T) {
	p := mustParse(t, open+"  deniedTags: {env: [prod, 'live*'], owner: ops}\n")
	for _, c := range []struct {
		key, value string
		denied     bool
	}{
		{"env", "prod", true}, {"ENV", "Prod", true}, {"env", "LIVE-1", true}, {"owner", "ops", true},
		{"owner", "prod", false}, {"env", "ops", false}, {"environment", "prod", false}, {"en", "prod",
			false},
		{"env", "lab", false}, {"env", "", false}, {"", "prod", false},
	} {
		d := p.Tags("eni-1", map[string]string{c.key: c.value})
		if (len(d) > 0) != c.denied {
			t.Errorf("%s=%s: %v, want denied %t", c.key, c.value, d, c.denied)
		}
	}
	// Each tag is a reason of its own.
	both := map[string]string{"env": "prod", "owner": "ops", "name": "x"}
	if got := fields(p.Tags("eni-1", both)); got != "deniedTags deniedTags" {
		t.Errorf("%s", got)
	}
}

// TestEmptyListsTellWhatAbsentAllows: none where a list allows, any where it restricts.
func TestEmptyListsTellWhatAbsentAllows(t *testing.T) {
	for field, allows := range map[string]string{
		"allowedProviders: []": "none", "allowedActions: []": "none", "allowedTargets: {nicRef: " +
			"[]}": "none",
		"allowedProviderRefs: []": "any", "allowedRegions: []": "any", "allowedCIDRs: []": "any",
	} {
		_, err := Parse([]byte(header + "  " + field + "\n"))
		if err == nil || !strings.HasSuffix(err.Error(), "take the field out, which allows "+allows) {
			t.Errorf("%s: %v, want it to tell %s", field, err, allows)
		}
	}
}

// TestEachFaultIsToldOnce: what is of the wrong kind is no wrong value as well.
func TestEachFaultIsToldOnce(t *testing.T) {
	for spec, want := range map[string]string{
		"approvalTTL: 5": "line 5: spec.approvalTTL: is a number",
		"approvalTTL: soon": `line 5: spec.approvalTTL: is "soon", want a time ` +
			`longer than none`,
		"approvalTTL: 0s": `line 5: spec.approvalTTL: is "0s", want a time ` +
			`longer than none`,
		"approvalTTL: -1h": `line 5: spec.approvalTTL: is "-1h", want a time ` +
			`longer than none`,
		"executionWindow: 5":              "line 5: spec.executionWindow: is a number",
		"executionWindow: always":         `line 5: spec.executionWindow: "always"`,
		"allowedCIDRs: [5]":               "line 5: spec.allowedCIDRs[0]: is a number",
		"allowedTargets: {nicRef: [5]}":   "line 5: spec.allowedTargets.nicRef[0]: is a number",
		"allowedTargets: {nicRef: ['[']}": `line 5: spec.allowedTargets.nicRef[0]: is "[", which`,
		"deniedTags: [a]":                 "line 5: spec.deniedTags: is a list, want an object",
		"deniedTags: {a*: b}": `line 5: spec.deniedTags: has the tag key "a*": a ` +
			`key is no pattern`,
		"deniedTags: {'a?b': b}": `line 5: spec.deniedTags: has the tag key "a?b": a ` +
			`key is no pattern`,
		"deniedTags: {' a': b}": `line 5: spec.deniedTags: has the tag key " a": a ` +
			`key is no pattern`,
		"requireApproval: false\n  approvals: 1": "line 5: spec: approvals asks for 1, and " +
			"requireApproval is false",
	} {
		_, err := Parse([]byte(header + "  " + spec + "\n"))
		if err == nil || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want only %s", spec, err, want)
		}
	}
	p := mustParse(t, "  deniedTags: {'a~b': c}\n  approvalTTL: 1ns\n")
	if p.ApprovalTTL != time.Nanosecond || len(p.DeniedTags) != 1 {
		t.Errorf("what is right is refused: %+v", p)
	}
}

// TestMetadataIsHeld: labels are anything, but a map.
func TestMetadataIsHeld(t *testing.T) {
	for metadata, fits := range map[string]bool{
		"{name: lab, labels: {a: b}, annotations: {c: d}}": true,
		"{name: lab, labels: a}":                           false,
		"{name: lab, annotations: [a]}":                    false,
	} {
		_, err := Parse([]byte(strings.Replace(header, "{name: lab}", metadata, 1) + "  {}\n"))
		if (err == nil) != fits {
			t.Errorf("%s: %v", metadata, err)
		}
	}
}

// TestSizeIsToldAsAFault: a policy too large is refused with its limit, not read in part.
func TestSizeIsToldAsAFault(t *testing.T) {
	_, err := Parse([]byte(header + "  {}\n#" + strings.Repeat("#", 1<<20)))
	if err == nil || !strings.Contains(err.Error(), "is larger than 1048576 bytes") ||
		!IsRefused(err) {
		t.Errorf("%v", err)
	}
}

// TestAFileThatIsNotThereIsNamed: with what the system says of it.
func TestAFileThatIsNotThereIsNamed(t *testing.T) {
	_, err := Load(filepath.Join(t.TempDir(), "absent.yaml"))
	if !errors.Is(err, fs.ErrNotExist) || !strings.HasPrefix(err.Error(), "cannot read the policy: ") {
		t.Errorf("%v", err)
	}
}

// TestTwoPoliciesAreNamedInTheirOrder: and so are the reasons of each.
func TestTwoPoliciesAreNamedInTheirOrder(t *testing.T) {
	a, b, c := mustParse(
		t,
		"  enabled: true\n",
	), mustParse(
		t,
		"  enabled: true\n",
	), mustParse(
		t,
		"  enabled: true\n",
	)
	a.Name, b.Name, c.Name = "a", "b", "c"
	all := a.And(b).And(c)
	if all.Name != "a and b and c" || len(all.parts) != 3 || all.parts[0] != a || all.parts[2] != c {
		t.Errorf("%s of %d parts", all.Name, len(all.parts))
	}
}
