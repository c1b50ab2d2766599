package policy

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestTwoPoliciesAllowWhatBothAllow: whatever one of them says no to is denied, whichever comes
// first.
func TestTwoPoliciesAllowWhatBothAllow(t *testing.T) {
	now := time.Date(2026, 3, 3, 12, 0, 0, 0, time.UTC)
	lax := open + "  requireApproval: false\n  allowIrreversible: true\n"
	history := History{Digest: "d", Imported: now.Add(-2 * time.Hour), SamePerson: same}
	tests := []struct{ name, spec, deniedBy string }{
		{"both allow", lax, ""},
		{"not enabled", strings.Replace(lax, "enabled: true", "enabled: false", 1), "enabled"},
		{"other providers", strings.Replace(lax, "[aws]", "[gcp]", 1), "allowedProviders"},
		{
			"irreversible",
			open + "  requireApproval: false\n  allowIrreversible: false\n",
			"allowIrreversible",
		},
		{"a tag", lax + "  deniedTags: {env: prod}\n", "deniedTags"},
		{"dry-run only", strings.Replace(lax, "dryRunOnly: false", "dryRunOnly: true", 1), "dryRunOnly"},
		{
			"another limit",
			strings.Replace(lax, "maxActionsPerRun: 2", "maxActionsPerRun: 1", 1),
			"maxActionsPerRun",
		},
		{"another window", lax + "  executionWindow: Mon 00:00-24:00 UTC\n", "executionWindow"},
		{"approval", open + "  allowIrreversible: true\n", "requireApproval"},
		{"approvals", open + "  allowIrreversible: true\n  approvals: 2\n", "approvals"},
		{"evidence", lax + "  requireEvidence: true\n", "requireEvidence"},
		{"a wait", lax + "  maxDecisionWait: 1h\n", "maxDecisionWait"},
	}
	decide := func(p *Policy) Denial {
		d := p.Subject(subject(func(s *Subject) { s.Irreversible = true }))
		d = append(d, p.Tags("eni-0abc", map[string]string{"env": "prod"})...)
		d = append(d, p.Execution(now, 1)...)
		return append(d, p.Approved(history, now)...)
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			one, other := mustParse(t, lax), mustParse(t, tt.spec)
			other.Name = "site"
			for _, both := range []*Policy{one.And(other), other.And(one), one.And(one).And(other)} {
				d := decide(both)
				if got := fields(d); got != tt.deniedBy {
					t.Errorf("%s: denied by %q, want %q", both.Name, got, tt.deniedBy)
				}
				if len(d) > 0 && !strings.HasSuffix(d[0].Text, " (the policy site)") {
					t.Errorf("the reason is %q, want the policy's name at its end", d[0].Text)
				}
				if both.DryRunOnly() != other.DryRunOnly() || both.Approvals() != other.Approvals() ||
					both.ReadsTags() != other.ReadsTags() ||
					both.RequireEvidence != other.RequireEvidence ||
					both.AllowsIrreversible("x", false) != other.AllowsIrreversible("x", false) {
					t.Errorf("%+v does not say what %+v says", both, other)
				}
			}
		})
	}
}

func TestAnApprovalCountsWhenItCountsByBoth(t *testing.T) {
	now := time.Date(2026, 3, 3, 12, 0, 0, 0, time.UTC)
	h := History{
		Digest:     "d",
		Imported:   now.Add(-3 * time.Hour),
		SamePerson: same,
		Approvals: []Approval{
			{By: "early", At: now.Add(-150 * time.Minute), Digest: "d"},
			{By: "good", At: now.Add(-90 * time.Minute), Digest: "d"},
			{By: "late", At: now, Digest: "d"},
		},
	}
	both := mustParse(t, open+"  approvalTTL: 2h\n").And(mustParse(t, open+"  maxDecisionWait: 2h\n"))
	if valid := both.ValidApprovals(h, now); len(valid) != 1 || valid[0].By != "good" {
		t.Errorf("%v", valid)
	}
}

func TestOfTwoPoliciesTheOneThatWantsMoreApprovalsCounts(t *testing.T) {
	one, two := mustParse(t, open), mustParse(t, open+"  approvals: 2\n")
	if a, b := one.And(two).Approvals(), two.And(one).Approvals(); a != 2 || b != 2 {
		t.Errorf("%d and %d", a, b)
	}
}

func TestLoadAllHoldsEveryFile(t *testing.T) {
	dir := t.TempDir()
	path := func(name, spec string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(header+spec), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	lax, strict := path("lax", open), path("strict", strings.Replace(open, "[aws]", "[gcp]", 1))
	for list, want := range map[string]string{lax: "", strict: "allowedProviders",
		lax + ":" + strict: "allowedProviders", strict + ":" + lax: "allowedProviders"} {
		p, err := LoadAll(list)
		if err != nil {
			t.Fatal(err)
		}
		if got := fields(p.Subject(subject(nil))); got != want {
			t.Errorf("%s: denied by %q, want %q", list, got, want)
		}
	}
	for _, list := range []string{"", lax + ":", ":" + lax, lax + ":" + filepath.Join(dir, "absent")} {
		if p, err := LoadAll(list); err == nil {
			t.Errorf("%q: %+v", list, p)
		}
	}
}
