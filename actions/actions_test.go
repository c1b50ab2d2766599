package actions_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/actions"
	"aws-provider-executor/actions/forwarding"
	"aws-provider-executor/actions/route"
	"aws-provider-executor/actions/secondaryip"
	"aws-provider-executor/actions/sgfence"
	"aws-provider-executor/pkg/awsec2"
)

// What the verbs declare is what the EC2 seam has.
var (
	_ secondaryip.Reader = (*awsec2.Reader)(nil)
	_ secondaryip.Writer = (*awsec2.Writer)(nil)
	_ forwarding.Reader  = (*awsec2.Reader)(nil)
	_ forwarding.Writer  = (*awsec2.Writer)(nil)
	_ route.Reader       = (*awsec2.Reader)(nil)
	_ route.Writer       = (*awsec2.Writer)(nil)
	_ sgfence.Reader     = (*awsec2.Reader)(nil)
	_ sgfence.Writer     = (*awsec2.Writer)(nil)
)

// declared are the fields of the verbs that can be undone. "+" marks one that decides what is left
// behind, and "new" one that a program with digests of the first form did not declare: every field
// that is added here is new.
const declared = `
assign-secondary-ip: nicRef+ address+ region+ allowReassignment expectedHolderRef mobilityAssignmentLeaseUntil (new)
ensure-forwarding-enabled: nicRef+ region+ address
assign-route-table-route: routeTableRef+ nicRef+ address+ region+ allowReassignment mobilityAssignmentLeaseUntil (new)
fence-security-groups: instanceRef+ region+ securityGroups+ invertSgRemoval+ interface<N>Sg+` +
	` backupTags+ ignoreBranchInterfaces onFencePoweroff+ skipRaceCheck ignoreInstanceState ignoreTagWriteFailure transitionSecurityGroup+
`

// TestDigestCoversWhatIsLeftBehind: a field without its mark would let another request through
// under a key in use, or make a retry after an upgrade a conflict.
func TestDigestCoversWhatIsLeftBehind(t *testing.T) {
	var got strings.Builder
	got.WriteString("\n")
	for _, v := range actions.Registry().Verbs() {
		if v.Undo == "" {
			continue
		}
		got.WriteString(v.Name + ":")
		for _, f := range slices.Concat(v.Target, v.Parameters) {
			got.WriteString(" " + f.Name)
			if f.Decides {
				got.WriteString("+")
			}
			if f.Newer {
				got.WriteString(" (new)")
			}
		}
		got.WriteString("\n")
	}
	if diff := cmp.Diff(declared, got.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestPermissionsReadWithDescribe: a dry-run is read-only down to its IAM policy.
func TestPermissionsReadWithDescribe(t *testing.T) {
	for _, v := range actions.Registry().Verbs() {
		changes := 0
		for _, p := range v.Permissions {
			operation, ok := strings.CutPrefix(p.Action, "ec2:")
			if !ok {
				t.Errorf("%s needs %s, which is not EC2's", v.Name, p.Action)
			}
			if reads := strings.HasPrefix(operation, "Describe"); reads == p.Change {
				t.Errorf("%s: %s is declared change=%t", v.Name, p.Action, p.Change)
			}
			if p.Change {
				changes++
			}
		}
		if changes == 0 {
			t.Errorf("%s declares no permission to change anything", v.Name)
		}
	}
}

// TestUndoTakesTheFacts: a core undoes by sending the action's facts as the undo's parameters.
func TestUndoTakesTheFacts(t *testing.T) {
	r := actions.Registry()
	for _, v := range r.Verbs() {
		if v.Undo == "" {
			continue
		}
		undo, ok := r.Lookup(v.Undo)
		if !ok {
			t.Fatalf("%s is undone by %s, which is no verb", v.Name, v.Undo)
		}
		for _, f := range undo.Target {
			if !f.Required {
				continue
			}
			given := false
			for _, g := range v.Target {
				given = given || g.Name == f.Name && g.Required
			}
			if !given {
				t.Errorf("%s needs target.%s, which %s does not", undo.Name, f.Name, v.Name)
			}
		}
		for _, f := range undo.Parameters {
			if !f.Required {
				continue
			}
			told := false
			for _, g := range v.Facts {
				told = told || g.Name == f.Name
			}
			if !told {
				t.Errorf("%s needs %s, which %s does not report", undo.Name, f.Name, v.Name)
			}
		}
	}
}
