package cli

import "testing"

func TestJournalShowsAndVerifies(t *testing.T) {
	d := newDesk(t)
	d.run(0, "", "import", "-f", d.path("plan.json"))
	out, _ := d.run(0, "", "journal", "--verify")
	d.says(out, "1 events, 1 actions, head ")
	d.run(ExitRefused, "", "execute", "1")
	out, _ = d.run(0, "", "journal")
	d.says(out, "imported")
	d.says(out, "execution: policy: there is none")
	out, _ = d.run(0, "", "journal", "--newest", "--limit", "1", "-o", "yaml")
	d.says(out, "kind: denied")
	out, _ = d.run(0, "", "journal", "--verify", "-o", "json")
	d.says(out, `"faults": []`)
}
