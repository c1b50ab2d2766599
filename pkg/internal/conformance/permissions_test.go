//go:build conformance

package conformance

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	verbs "aws-provider-executor/actions"
	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/iampolicy"
)

// permissionRuns are one action of each verb and its undo, with the choice that is theirs.
var permissionRuns = []struct {
	do, undo string
	choice   iampolicy.Choice
}{
	{"assign-secondary-ip nic-a 10.88.60.9", "undo",
		iampolicy.Choice{Verbs: []string{"assign-secondary-ip"}, Family: action.IPv4}},
	{"ensure-forwarding-enabled nic-a", "undo",
		iampolicy.Choice{Verbs: []string{"ensure-forwarding-enabled"}}},
	{"assign-route-table-route nic-b table-a 10.200.0.9/32", "undo",
		iampolicy.Choice{Verbs: []string{"assign-route-table-route"}}},
	{"assign-route-table-route nic-b table-a 10.99.0.0/24 allowReassignment=true", "undo",
		iampolicy.Choice{Verbs: []string{"assign-route-table-route"},
			With: []string{"allowReassignment"}}},
	{"fence-security-groups db securityGroups=group-fence invertSgRemoval=true", "undo",
		iampolicy.Choice{Verbs: []string{"fence-security-groups"}}},
}

// TestPermissions runs each verb and its undo at both places under a policy of exactly the actions
// that are generated for it, and without each one of them. Moto knows no resources and conditions
// of EC2's, so the policy is of the actions alone.
func TestPermissions(t *testing.T) {
	t.Parallel()
	removals, failed, warned := 0, 0, 0
	for _, start := range []func() (*place, error){startMoto, startSim} {
		b := newBench(t, start)
		for _, c := range permissionRuns {
			needed, err := iampolicy.Needs(verbs.Registry(), iampolicy.Extras(), c.choice)
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, p := range needed {
				names = append(names, p.Action)
			}
			names = slices.Compact(slices.Sorted(slices.Values(names)))
			t.Run(b.name+" "+c.do, func(t *testing.T) {
				if lacks, _ := b.permitted(t, c.do, c.undo, names, ""); lacks != "" {
					t.Errorf("with exactly its policy: %s", lacks)
				}
				for _, without := range names {
					t.Run(without, func(t *testing.T) {
						lacks, warns := b.permitted(t, c.do, c.undo, names, without)
						removals++
						switch {
						case lacks == "failed authorization "+without:
							failed++
						case lacks == "" && warns:
							warned++
						default:
							// What takes a route back in other cases than this one has no call here.
							if c.choice.With == nil || without != "ec2:CreateRoute" &&
								without != "ec2:DeleteRoute" {
								t.Errorf("it came to %q", lacks)
							}
						}
					})
				}
			})
		}
	}
	t.Logf("%d permissions removed: %d failed as authorization with the right hint, %d warned",
		removals, failed, warned)
}

// permitted runs an action and its undo with the permissions but one, and then with all rights what
// is left of them. It returns how a run without one failed, and whether one warned of it.
func (b *bench) permitted(
	t *testing.T, do, undo string, names []string, without string,
) (failed string, warned bool) {
	t.Helper()
	w, before := b.lab(t)
	a := w.actions(t)
	allow, err := json.Marshal(slices.DeleteFunc(slices.Clone(names), func(n string) bool {
		return n == without
	}))
	if err != nil {
		t.Fatal(err)
	}
	key, done := b.identity(t, fmt.Sprintf(`{"Version":"2012-10-17","Statement":[`+
		`{"Effect":"Allow","Action":%s,"Resource":"*"}]}`, allow))
	a.before = key
	run := func(line string) bool {
		got := a.run(t, line)
		text := got.Status.Message + got.Status.Observed["warning"]
		warned = warned || without != "" && strings.Contains(text, without)
		if got.Status.Status == "succeeded" {
			return true
		}
		failed = strings.TrimSpace(got.Status.Status + " " + got.Status.Observed["failureClass"] + " " +
			got.Status.Observed["permissionHint"])
		return false
	}
	do += " key=permitted"
	acted := run("dry-run "+do) && run("execute "+do)
	undone := acted && run("execute "+undo)
	done()
	a.before = ""
	if !acted {
		a.run(t, "execute "+do)
	}
	if !undone {
		a.run(t, "execute "+undo)
	}
	// Tags that may not be removed are left, and told. No fact tells in which order groups are listed.
	if left := b.left(t).since(before); left != "" && left != untold && !warned {
		t.Errorf("it left %s", left)
	}
	return failed, warned
}
