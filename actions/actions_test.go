package actions_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/actions"
	"aws-provider-executor/actions/forwarding"
	"aws-provider-executor/actions/lifecycleaction"
	"aws-provider-executor/actions/networkinterface"
	"aws-provider-executor/actions/power"
	"aws-provider-executor/actions/protection"
	"aws-provider-executor/actions/publicaddress"
	"aws-provider-executor/actions/route"
	"aws-provider-executor/actions/runcommand"
	"aws-provider-executor/actions/secondaryip"
	"aws-provider-executor/actions/sgfence"
	"aws-provider-executor/actions/tags"
	"aws-provider-executor/pkg/action"
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
	_ power.Reader       = (*awsec2.Reader)(nil)
	_ power.Writer       = (*awsec2.Writer)(nil)
	_ runcommand.Reader  = (*awsec2.Reader)(nil)
	_ runcommand.Writer  = (*awsec2.Writer)(nil)
	_ sgfence.Reader     = (*awsec2.Reader)(nil)
	_ sgfence.Writer     = (*awsec2.Writer)(nil)
	_ tags.Reader        = (*awsec2.Reader)(nil)
	_ tags.Writer        = (*awsec2.Writer)(nil)

	_ protection.Reader       = (*awsec2.Reader)(nil)
	_ protection.Writer       = (*awsec2.Writer)(nil)
	_ lifecycleaction.Reader  = (*awsec2.Reader)(nil)
	_ lifecycleaction.Writer  = (*awsec2.Writer)(nil)
	_ networkinterface.Reader = (*awsec2.Reader)(nil)
	_ networkinterface.Writer = (*awsec2.Writer)(nil)

	_ publicaddress.Reader = (*awsec2.Reader)(nil)
	_ publicaddress.Writer = (*awsec2.Writer)(nil)
)

// declaredFirst are the fields that programs declared whose records have digests of the first form.
// Nothing is ever added to them: a new field is marked Newer.
const declaredFirst = `
assign-secondary-ip: nicRef address region allowReassignment expectedHolderRef
ensure-forwarding-enabled: nicRef region address
assign-route-table-route: routeTableRef nicRef address region allowReassignment
fence-security-groups: instanceRef region securityGroups invertSgRemoval interface<N>Sg` +
	` onFencePoweroff skipRaceCheck ignoreInstanceState ignoreTagWriteFailure transitionSecurityGroup
stop-instances:
ensure-tags:
run-command:
ensure-network-interface:
ensure-public-address:
ensure-instance-protection:
complete-lifecycle-action:
`

// deciding are the fields that decide what is left behind.
const deciding = `
assign-secondary-ip: nicRef address region
ensure-forwarding-enabled: nicRef region
assign-route-table-route: routeTableRef nicRef address region
fence-security-groups: instanceRef region securityGroups invertSgRemoval interface<N>Sg` +
	` backupTags onFencePoweroff transitionSecurityGroup
stop-instances: instanceRef region requiredTag
ensure-tags: resourceRef region tag.<key>
run-command: instanceRef region document documentVersion parameter.<name>
ensure-network-interface: instanceRef deviceIndex region subnet.<zone> securityGroups` +
	` privateAddresses interfaceDescription sourceDestCheck deleteOnTermination
ensure-public-address: instanceRef deviceIndex address region publicIpv4Pool allocationRef
ensure-instance-protection: instanceRef autoScalingGroupName region protectedFromScaleIn
complete-lifecycle-action: instanceRef autoScalingGroupName region lifecycleHookName` +
	` lifecycleActionResult lifecycleActionToken
`

// TestDigestCoversWhatIsLeftBehind: a field without its mark would let another request through
// under a key in use, or make a retry after an upgrade a conflict.
func TestDigestCoversWhatIsLeftBehind(t *testing.T) {
	fields := func(counts func(action.Field) bool) string {
		var b strings.Builder
		b.WriteString("\n")
		for _, v := range actions.Registry().Verbs() {
			if v.TakesBack() {
				continue
			}
			b.WriteString(v.Name + ":")
			for _, f := range slices.Concat(v.Target, v.Parameters) {
				if counts(f) {
					b.WriteString(" " + f.Name)
				}
			}
			b.WriteString("\n")
		}
		return b.String()
	}
	if diff := cmp.Diff(declaredFirst, fields(func(f action.Field) bool {
		return !f.Newer
	})); diff != "" {
		t.Errorf("fields that are not Newer (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(deciding, fields(func(f action.Field) bool { return f.Decides })); diff != "" {
		t.Errorf("fields that decide (-want +got):\n%s", diff)
	}
}

// reading are the beginnings of the names of operations that only read, by their service.
var reading = map[string][]string{
	"ec2": {"Describe"}, "ssm": {"Describe", "Get", "List"}, "autoscaling": {"Describe"},
}

// TestPermissionsTellReadsFromChanges: a dry-run is read-only down to its IAM policy.
func TestPermissionsTellReadsFromChanges(t *testing.T) {
	for _, v := range actions.Registry().Verbs() {
		changes := 0
		for _, p := range v.Permissions {
			service, operation, _ := strings.Cut(p.Action, ":")
			if reading[service] == nil {
				t.Errorf("%s needs %s, of a service that no verb uses", v.Name, p.Action)
			}
			reads := slices.ContainsFunc(reading[service], func(begin string) bool {
				return strings.HasPrefix(operation, begin)
			})
			if reads == p.Change {
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

// TestEveryVerbHasItsWayBack: it has an undo, takes others back, or nothing ever takes it back.
func TestEveryVerbHasItsWayBack(t *testing.T) {
	r := actions.Registry()
	for _, v := range r.Verbs() {
		if v.TakesBack() != (len(r.Undoes(v.Name)) > 0) {
			t.Errorf("%s takes others back: %t, and undoes %v", v.Name, v.TakesBack(), r.Undoes(v.Name))
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

// TestEveryVerbTellsItsRisk: an approver weighs it.
func TestEveryVerbTellsItsRisk(t *testing.T) {
	levels := []action.Level{action.Low, action.Medium, action.High}
	for _, v := range actions.Registry().Verbs() {
		if !slices.Contains(levels, v.Risk.Level) || !strings.HasSuffix(v.Risk.Doc, ".") {
			t.Errorf("%s: %+v", v.Name, v.Risk)
		}
	}
}
