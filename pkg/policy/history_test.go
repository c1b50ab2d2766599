package policy

import (
	"strings"
	"testing"
	"time"
)

func TestApproved(t *testing.T) {
	now := time.Date(2026, 3, 3, 12, 0, 0, 0, time.UTC)
	hour := func(h int) time.Time { return now.Add(time.Duration(-h) * time.Hour) }
	by := func(who string, at time.Time) Approval { return Approval{By: who, At: at, Digest: "d"} }
	ann, bob := by("ann", hour(1)), by("bob", hour(1))
	of := func(all ...Approval) History { return History{Digest: "d", Approvals: all} }
	// imported so many hours ago
	imported := func(ago int, h History) History { h.Imported = hour(ago); return h }
	tests := []struct {
		name, spec string
		history    History
		want       string // every reason
	}{
		{"approved", open, of(ann), ""},
		{"not approved", open, of(), "requireApproval: 0 of 1 approvals"},
		{
			"plan changed",
			open,
			of(Approval{By: "ann", At: hour(1), Digest: "e"}),
			"requireApproval: 0 of 1 approvals; 1 for a plan that has changed since",
		},
		{
			"expired",
			open + "  approvalTTL: 1h\n",
			of(by("ann", hour(1).Add(-1))),
			"requireApproval: 0 of 1 approvals; 1 older than 1h0m0s",
		},
		{"just in time", open + "  approvalTTL: 1h\n", of(ann), ""},
		{
			"from the future",
			open,
			of(by("ann", now.Add(5*time.Minute+1))),
			"requireApproval: 0 of 1 approvals; 1 from the future (2026-03-03T12:05:00Z, and it is " +
				"2026-03-03T12:00:00Z by this clock): look at the clocks",
		},
		{"by a clock that is a little ahead", open, of(by("ann", now.Add(5*time.Minute))), ""},
		{"two people", open + "  approvals: 2\n", of(ann, bob), ""},
		{"one of two people", open + "  approvals: 2\n", of(bob), "approvals: 1 of 2 approvals"},
		{"one person twice", open + "  approvals: 2\n", of(ann, ann), "approvals: 1 of 2 approvals"},
		{
			"three people, of whom one is expired",
			open + "  approvals: 2\n  approvalTTL: 2h\n",
			of(by("eve", hour(3)), ann, bob),
			"",
		},
		{
			"each in its own way",
			open + "  approvalTTL: 1h\n  maxDecisionWait: 3h\n",
			imported(
				5,
				of(
					by("ann", hour(3)),
					by("ann", hour(4)),
					bob,
					Approval{By: "bob", At: hour(4), Digest: "e"},
					Approval{By: "ann", At: hour(1), Digest: "e"},
				),
			),
			"requireApproval: 0 of 1 approvals; 2 for a plan that has changed since; 1 more than 3h0m0s " +
				"(maxDecisionWait) after the import: plan afresh and import it again; 2 older than 1h0m0s",
		},
		{
			"no digest",
			open,
			History{Approvals: []Approval{{By: "ann", At: hour(1)}}},
			"requireApproval: 0 of 1 approvals",
		},
		{"no approval needed", open + "  requireApproval: false\n", of(), ""},
		{
			"waited too long",
			open + "  requireApproval: false\n  maxDecisionWait: 1h\n",
			imported(2, of()),
			"maxDecisionWait: it has waited 2h0m0s for a decision, longer than 1h0m0s; plan afresh and " +
				"import it again",
		},
		{
			"waited as long as it may",
			open + "  requireApproval: false\n  maxDecisionWait: 1h\n",
			imported(1, of()),
			"",
		},
		{"approved in time, executed later", open + "  maxDecisionWait: 1h\n", imported(2, of(ann)), ""},
		{
			"approved too late",
			open + "  maxDecisionWait: 1h\n",
			imported(2, of(by("ann", hour(1).Add(1)))),
			"requireApproval: 0 of 1 approvals; 1 more than 1h0m0s (maxDecisionWait) after the import: " +
				"plan afresh and import it again",
		},
		{
			"one of two approved too late",
			open + "  approvals: 2\n  maxDecisionWait: 1h\n",
			imported(3, of(by("ann", hour(2)), bob)),
			"approvals: 1 of 2 approvals; 1 more than 1h0m0s (maxDecisionWait) after the import: plan " +
				"afresh and import it again",
		},
		{
			"evidence",
			open + "  requireEvidence: true\n",
			History{Digest: "d", Evidence: "d", Approvals: []Approval{ann}},
			"",
		},
		{
			"no evidence",
			open + "  requireEvidence: true\n",
			of(ann),
			"requireEvidence: no dry-run of it has succeeded; run one first",
		},
		{
			"no evidence and no digest",
			open + "  requireEvidence: true\n  requireApproval: false\n",
			History{},
			"requireEvidence: no dry-run of it has succeeded; run one first",
		},
		{
			"evidence of another plan",
			open + "  requireEvidence: true\n",
			History{Digest: "d", Evidence: "e"},
			"requireEvidence: the plan has changed since its dry-run; run another first; " +
				"requireApproval: 0 of 1 approvals",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.history.SamePerson = same
			d := mustParse(t, tt.spec).Approved(tt.history, now)
			if got := d.Error(); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestWithoutAJudgeOfNamesEverybodyIsOnePerson(t *testing.T) {
	now := time.Now()
	h := History{Digest: "d", Approvals: []Approval{
		{By: "ann", At: now, Digest: "d"}, {By: "bob", At: now, Digest: "d"},
	}}
	if valid := mustParse(t, open).ValidApprovals(h, now); len(valid) != 1 {
		t.Errorf("%v", valid)
	}
}

// TestOnlyPinnedProgramsAreAllowed, by each of several policies.
func TestOnlyPinnedProgramsAreAllowed(t *testing.T) {
	a, b := "sha256:"+strings.Repeat("a", 64), "sha256:"+strings.Repeat("b", 64)
	pins := func(list string) *Policy { return mustParse(t, open+"  allowedPlugins: ["+list+"]\n") }
	for _, tt := range []struct {
		name   string
		policy *Policy
		digest string
		want   string
	}{
		{"no pins", mustParse(t, open), a, ""},
		{"no pins, not known", mustParse(t, open), "", ""},
		{"pinned", pins("'" + a + "', '" + b + "'"), b, ""},
		{"another", pins("'" + a + "'"), b, "the program that would be run is " + b},
		{"not known", pins("'" + a + "'"), "", "it is not known which program would be run"},
		{"one of two", mustParse(t, open).And(pins("'" + a + "'")), b, "allowedPlugins"},
	} {
		got := tt.policy.Plugin(tt.digest)
		if (len(got) > 0) != (tt.want != "") || !strings.Contains(got.Error(), tt.want) {
			t.Errorf("%s: %q, want %q", tt.name, got.Error(), tt.want)
		}
	}
}

// TestEvidenceIsYoungEnough: a dry-run counts for as long as the policy says, by clocks that may
// differ by five minutes.
func TestEvidenceIsYoungEnough(t *testing.T) {
	p := mustParse(t, open+"  requireEvidence: true\n  maxEvidenceAge: 1h\n")
	for _, tt := range []struct {
		age  time.Duration
		want string
	}{
		{time.Hour, ""},
		{time.Hour + 1, "maxEvidenceAge: its dry-run is 1h0m0s old, older than 1h0m0s; run another, " +
			"and approve it"},
		{-5 * time.Minute, ""},
		{-5*time.Minute - 1, "maxEvidenceAge: its dry-run was at 2026-03-03T12:05:00Z, and it is " +
			"2026-03-03T12:00:00Z by this clock: look at the clocks"},
	} {
		h := History{Digest: "d", Evidence: "d", EvidenceAt: noon.Add(-tt.age)}
		if got := p.Evidence(h, noon).Error(); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.age, got, tt.want)
		}
		if got := mustParse(t, open+"  requireEvidence: true\n").Evidence(h, noon); len(got) > 0 {
			t.Errorf("%s, without a limit: %v", tt.age, got)
		}
	}
}

// TestWithoutALimitNoClockIsLookedAt: an import from the future is told where waiting is limited.
func TestWithoutALimitNoClockIsLookedAt(t *testing.T) {
	h := History{Digest: "d", Imported: noon.Add(time.Hour)}
	if got := mustParse(t, open).Wait(h, noon); len(got) > 0 {
		t.Error(got)
	}
	if got := mustParse(t, open+"  maxDecisionWait: 1h\n").Wait(h, noon); len(got) != 1 {
		t.Error(got)
	}
}

// TestWhatIsAboutApprovalFitsTogether: each contradiction is told by its line.
func TestWhatIsAboutApprovalFitsTogether(t *testing.T) {
	line := newApprover(t, "ann").line()
	for spec, want := range map[string]string{
		"  requireApproval: false\n  approvers: [" + line + "]\n": "spec: approvers and " +
			"approverOtherThanImporter ask for approvals, and requireApproval is false: take one of " +
			"them out",
		"  requireApproval: false\n  approverOtherThanImporter: true\n": "spec: approvers and",
		"  maxEvidenceAge: 1h\n":        "spec: maxEvidenceAge goes with requireEvidence: true",
		"  revokedKeys: ['SHA256:x']\n": "spec: revokedKeys goes with approvers",
		"  revokedKeys: ['SHA256:x']\n  approvers: [" + line + "]\n": "spec: revokedKeys has " +
			`"SHA256:x": want 43 characters`,
		"  approvers: []\n": "spec.approvers: is an empty list: name what is allowed, or take the " +
			"field out, which allows names that nobody vouches for",
		"  allowedPlugins: []\n": "spec.allowedPlugins: is an empty list: name what is allowed, or " +
			"take the field out, which allows any",
		"  approvers: ['ann']\n":   "spec.approvers: line 1: it has principals, and no key",
		"  approvers: signers\n":   `spec.approvers: is "signers": write an absolute path`,
		"  approvers: /dev/null\n": "spec.approvers: can't be read: /dev/null is not a regular file",
		"  allowedPlugins: [sha256:x]\n": `spec.allowedPlugins[0]: is "sha256:x", want the SHA-256 of ` +
			"a file",
	} {
		_, err := Parse([]byte(header + open + spec))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", spec, err, want)
		}
	}
}

// TestWhatAnApprovalRestsOn: a word, a signature of the plan, or one that stands for nothing.
func TestWhatAnApprovalRestsOn(t *testing.T) {
	for want, a := range map[string]Approval{
		"ann (self-declared)": {By: "ann"},
		"ann (its signature does not hold)": {By: "ann",
			Signed: &Signed{Statement: "{}", Signature: "none"}},
	} {
		if got := a.Named(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
