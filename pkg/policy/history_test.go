package policy

import (
	"testing"
	"time"
)

func TestApproved(t *testing.T) {
	now := time.Date(2026, 3, 3, 12, 0, 0, 0, time.UTC)
	hour := func(h int) time.Time { return now.Add(time.Duration(-h) * time.Hour) }
	by := func(who string, at time.Time) Approval { return Approval{who, at, "d"} }
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
			of(Approval{"ann", hour(1), "e"}),
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
			"requireApproval: 0 of 1 approvals; 1 from the future: look at the clocks",
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
					Approval{"bob", hour(4), "e"},
					Approval{"ann", hour(1), "e"},
				),
			),
			"requireApproval: 0 of 1 approvals; 2 for a plan that has changed since; 1 more than 3h0m0s " +
				"(maxDecisionWait) after the import: plan afresh and import it again; 2 older than 1h0m0s",
		},
		{
			"no digest",
			open,
			History{Approvals: []Approval{{"ann", hour(1), ""}}},
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
	h := History{Digest: "d", Approvals: []Approval{{"ann", now, "d"}, {"bob", now, "d"}}}
	if valid := mustParse(t, open).ValidApprovals(h, now); len(valid) != 1 {
		t.Errorf("%v", valid)
	}
}
