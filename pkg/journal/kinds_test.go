package journal

import (
	"fmt"
	"strings"
	"testing"

	"aws-provider-executor/pkg/gate"
	"aws-provider-executor/pkg/policy"
)

// TestAValueOfAnotherKindIsNamed: it reads as what was written, and a search for that misses it; or
// it reads as something else, and has the same digest.
func TestAValueOfAnotherKindIsNamed(t *testing.T) {
	const asBlob = "PRAGMA foreign_keys = 0; UPDATE %[1]s SET %[2]s = CAST(%[2]s AS BLOB)"
	statements := map[string]string{
		"actionctl_states.may_have_changed": "UPDATE actionctl_states SET may_have_changed = ''",
	}
	for table, columns := range map[string]string{
		"actionctl_events":    strings.TrimPrefix(eventColumns, "seq, "),
		coreTable:             coreColumns,
		"actionctl_states":    stateColumns,
		"actionctl_approvals": "action_id, approved_by, approved_at, digest",
	} {
		for column := range strings.SplitSeq(columns, ", ") {
			statements[table+" "+column] = fmt.Sprintf(asBlob, table, column)
		}
	}
	for name, statement := range statements {
		t.Run(name, func(t *testing.T) {
			j := open(t, newPath(t))
			a := add(t, j, "k")
			apply(t, j, gate.Change{
				Action:   a,
				Approval: &policy.Approval{By: "ann", At: start, Digest: "d"},
				Event: gate.Event{At: start, Kind: gate.EventApproved, Data: map[string]any{"by": "ann",
					"digest": "d"}},
			})
			if found := faults(t, j); len(found) > 0 {
				t.Fatal(found)
			}
			if err := behindTriggers(j, statement); err != nil {
				t.Fatal(err)
			}
			if len(faults(t, j)) == 0 {
				t.Error("nothing is told")
			}
		})
	}
}
