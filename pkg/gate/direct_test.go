package gate_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"aws-provider-executor/pkg/gate"
	"aws-provider-executor/pkg/protocol"
)

// TestDirect holds what is let through without the journal, and that what is refused does not reach
// the executor.
func TestDirect(t *testing.T) {
	free := lab + "  requireApproval: false\n"
	forward := plan("k").Request(protocol.Execute)
	undo := protocol.UndoOf(forward, "unassign-secondary-ip",
		map[string]string{"priorHolder": "eni-01088600000000020"}, nil)
	dryRun := func(r protocol.Request) protocol.Request { r.Mode = protocol.DryRun; return r }
	tests := []struct {
		name, spec string
		request    protocol.Request
		begun      int
		deniedBy   string
	}{
		{"no approval is needed", free, forward, 0, ""},
		{"approval is needed", lab, forward, 0, "requireApproval journal"},
		{"evidence is needed", free + "  requireEvidence: true\n", forward, 0, "requireEvidence journal"},
		{"an undo where approval is needed", lab, undo, 0, "requireApproval journal"},
		{
			"an undo where approvals and evidence are needed",
			lab + "  approvals: 2\n  requireEvidence: true\n",
			undo,
			0,
			"requireEvidence approvals journal",
		},
		{"an undo", free, undo, 0, ""},
		{
			"an undo that gives to an interface out of bounds",
			free + "  allowedTargets: {nicRef: [eni-01088600000000011]}\n",
			undo,
			0,
			"allowedTargets",
		},
		{
			"a dry-run of it",
			free + "  allowedTargets: {nicRef: [eni-01088600000000011]}\n",
			dryRun(undo),
			0,
			"allowedTargets",
		},
		{"within the limit", free, forward, 9, ""},
		{"beyond the limit", free, forward, 10, "maxActionsPerRun"},
		{
			"out of hours",
			free + "  executionWindow: Mon 00:00-24:00 UTC\n",
			forward,
			0,
			"executionWindow",
		},
		{
			"an undo out of hours",
			free + "  executionWindow: Mon 00:00-24:00 UTC\n",
			undo,
			0,
			"executionWindow",
		},
		{
			"only dry-runs",
			strings.Replace(free, "dryRunOnly: false", "dryRunOnly: true", 1),
			forward,
			0,
			"dryRunOnly",
		},
		{"nothing waits here", free + "  maxDecisionWait: 1h\n", forward, 0, ""},
		{
			"a dry-run needs no approval and has no limit",
			lab + "  executionWindow: Mon 00:00-24:00 UTC\n",
			dryRun(forward),
			99,
			"",
		},
		{
			"a dry-run of what is not allowed",
			strings.Replace(lab, "60.0/24", "61.0/24", 1),
			dryRun(forward),
			0,
			"allowedCIDRs",
		},
		{"no policy", "", forward, 0, "policy"},
		{"a dry-run without a policy", "", dryRun(forward), 0, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, tt.spec)
			o, err := r.Direct(context.Background(), tt.request, tt.begun)
			if err != nil {
				t.Fatal(err)
			}
			var fields []string
			for _, reason := range o.Reasons {
				fields = append(fields, reason.Field)
			}
			if got := strings.Join(fields, " "); got != tt.deniedBy {
				t.Errorf("denied by %q, want %q", got, tt.deniedBy)
			}
			want, reached := gate.Done, 1
			if tt.deniedBy != "" {
				want, reached = gate.Refused, 0
			}
			if o.Verdict != want || len(r.requests) != reached {
				t.Errorf("%s, and %d requests reached the executor", o.Verdict, len(r.requests))
			}
		})
	}
}

// TestAnApprovalThatNoPolicyTimedIsTimedByTheOneThatExecutes: maxDecisionWait is no matter of who
// asks for the approval.
func TestAnApprovalThatNoPolicyTimedIsTimedByTheOneThatExecutes(t *testing.T) {
	r := newRig(t, "")
	ids := r.imported("late", "timely")
	r.all(r.Approve(context.Background(), ids[1:], "ann", ""))(gate.Done)
	r.now = r.now.Add(time.Second + 1)
	r.all(r.Approve(context.Background(), ids[:1], "ann", ""))(gate.Done)
	r.Policy = parsePolicy(t, lab+"  maxDecisionWait: 1s\n")
	o := r.all(r.execute(ids[0]))(gate.Refused)[0]
	if !strings.Contains(o.Message, "1 more than 1s (maxDecisionWait) after the import") {
		t.Error(o.Message)
	}
	r.all(r.execute(ids[1]))(gate.Done)
	if len(r.requests) != 1 {
		t.Errorf("%d requests reached the executor", len(r.requests))
	}
}

// TestOnePersonApprovesOnce, however the name is spelt; and who can't be read is nobody.
func TestOnePersonApprovesOnce(t *testing.T) {
	r := newRig(t, lab+"  approvals: 2\n")
	ids := r.imported("k")
	r.all(r.Approve(context.Background(), ids, " Zoe\u0308  Lee", ""))(gate.Done)
	for by, want := range map[string]string{
		"zo\u00eb LEE": "has approved it already", "\uff3ao\u00eb lee": "has approved it already",
		"zo\u00eb\u200b lee": "can't be seen, U+200B", "\u200b": "U+200B", "": "nobody is named",
		"--": "no letter",
	} {
		o := r.all(r.Approve(context.Background(), ids, by, ""))(gate.Refused)[0]
		if !strings.Contains(o.Message, want) {
			t.Errorf("%q: %s, want %q", by, o.Message, want)
		}
	}
	r.all(r.Approve(context.Background(), ids, "zoe lee", ""))(gate.Done)
	const both = "Zo\u00eb Lee (self-declared), zoe lee (self-declared)"
	if a := r.get(ids[0]); a.Status != gate.Approved || a.ApprovedBy != both {
		t.Errorf("%s by %q", a.Status, a.ApprovedBy)
	}
}

// TestApprovalsOfOnePersonUnderTwoPoliciesAreOne: the name was free again when the first one had
// expired.
func TestApprovalsOfOnePersonUnderTwoPoliciesAreOne(t *testing.T) {
	r := newRig(t, lab+"  approvals: 2\n  approvalTTL: 1h\n")
	ids := r.imported("k")
	r.all(r.Approve(context.Background(), ids, "ann", ""))(gate.Done)
	r.now = r.now.Add(2 * time.Hour)
	r.all(r.Approve(context.Background(), ids, "ANN", ""))(gate.Done)
	r.Policy = parsePolicy(t, lab+"  approvals: 2\n")
	o := r.all(r.execute(ids...))(gate.Refused)[0]
	if !strings.Contains(o.Message, "approvals: 1 of 2 approvals") {
		t.Error(o.Message)
	}
}

// TestARollbackGivesBackOnlyToAllowedTargets: the prior holder is a target as well.
func TestARollbackGivesBackOnlyToAllowedTargets(t *testing.T) {
	r := newRig(t, lab)
	ids := r.approved("k")
	r.answer = func(protocol.Request) (protocol.Result, error) {
		return succeeded(
			map[string]string{
				"priorAssigned": "false",
				"priorHolder":   "eni-01088600000000020",
				"changed":       "true",
			},
		), nil
	}
	r.all(r.execute(ids...))(gate.Done)
	r.Policy = parsePolicy(t, lab+"  allowedTargets: {nicRef: [eni-01088600000000011]}\n")
	o := r.all(r.Rollback(context.Background(), ids, gate.Options{}))(gate.Refused)[0]
	if !strings.Contains(
		o.Message,
		`allowedTargets: the priorHolder "eni-01088600000000020" is not allowed`,
	) {
		t.Error(o.Message)
	}
	r.all(r.RollbackDryRun(context.Background(), ids, gate.Options{}))(gate.Refused)
	if len(r.requests) != 1 {
		t.Errorf("%d requests reached the executor, want the execution", len(r.requests))
	}
}
