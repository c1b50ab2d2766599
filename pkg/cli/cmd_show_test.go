package cli

import "testing"

func TestShowTakesIDsAndKeys(t *testing.T) {
	d := newDesk(t)
	d.run(0, "", "import", "-f", d.path("plan.json"))
	byID, _ := d.run(0, "", "show", "1")
	byKey, _ := d.run(0, "", "show", "k")
	if byID != byKey {
		t.Error("they differ")
	}
	d.says(byID, "digest        sha256:")
	d.says(byID, "undo          unassign-secondary-ip")
}
