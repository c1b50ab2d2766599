package cli

import (
	"fmt"
	"testing"
)

func TestImportFromStandardInput(t *testing.T) {
	d := newDesk(t)
	d.run(0, deskPlan, "import", "-f", "-", "--source", "a planner")
	rows := d.rows("list")
	if len(rows) != 1 || rows[0].Source != "a planner" ||
		rows[0].Undo.Action != "unassign-secondary-ip" {
		t.Errorf("%+v", rows)
	}
}

func TestImportNamesTheLineOfAFault(t *testing.T) {
	d := newDesk(t)
	for name, tt := range map[string]struct{ text, want string }{
		"nothing": {"", "there is no plan in it"},
		"an unknown field": {"provider: aws\nactoin: x\n", "line 2: actoin: is unknown " +
			"(did you mean action?), want name, provider, action"},
		"a number for a string": {"provider: aws\naction: x\ntarget:\n  nicRef: " +
			"7\nidempotencyKey: k\n", "line 4: target.nicRef: is a number, want a string: put it in quotes"},
		"what is missing":   {"provider: aws\n", "target: is required"},
		"the second of two": {deskPlan + "\n" + `{"provider": 1}`, "plan 2.provider: is a number"},
		"an undo without its verb": {"{provider: aws, action: x, target: {}, idempotencyKey: k, " +
			"undo: {}}", "undo.action: is required"},
	} {
		t.Run(name, func(t *testing.T) {
			_, said := d.run(ExitRefused, tt.text, "import", "-f", "-")
			d.says(said, tt.want)
		})
	}
}

func TestImportTakesEveryShape(t *testing.T) {
	plan := func(key string) string {
		return fmt.Sprintf(
			`{"provider": "aws", "action": "ensure-forwarding-enabled", "idempotencyKey": "%s", `+
				`"target": {"nicRef": "eni-01088600000000011", "region": "ap-northeast-1"}, "mode": `+
				`"dry-run", "name": ""}`,
			key,
		)
	}
	d := newDesk(t)
	d.run(0, plan("one"), "import", "-f", "-")
	d.run(0, "["+plan("two")+","+plan("three")+"]", "import", "-f", "-")
	d.run(0, plan("four")+"\n"+plan("five"), "import", "-f", "-")
	d.run(0, `{"actionPlans": [`+plan("six")+"]}", "import", "-f", "-")
	d.run(0, plan("seven")+"\n---\n"+plan("eight"), "import", "-f", "-")
	if n := len(d.rows("list")); n != 8 {
		t.Errorf("%d actions, want 8", n)
	}
}
