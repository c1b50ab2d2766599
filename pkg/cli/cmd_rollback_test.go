package cli

import "testing"

func TestRollbackOfNothing(t *testing.T) {
	d := newDesk(t)
	d.run(0, "", "import", "-f", d.path("plan.json"))
	_, said := d.run(ExitRefused, "", "rollback", "k", "--policy", d.path("policy.yaml"))
	d.says(said, "status: it is pending: there is nothing to roll back")
	d.run(0, "", "rollback", "--all", "--yes", "--policy", d.path("policy.yaml"))
}
