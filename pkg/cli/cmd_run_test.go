package cli

import "testing"

func TestRunRefusesWhatAPolicyDenies(t *testing.T) {
	d := newDesk(t)
	_, said := d.run(ExitRefused, deskRequest, "run", "-f", "-", "--policy", d.path("policy.yaml"))
	d.says(said, "requireApproval: 0 of 1 approvals")
	_, said = d.run(ExitFailed, "{}", "run", "-f", "-")
	d.says(said, "apiVersion: is required")
	_, said = d.run(ExitFailed, "not: a\nrequest: at all\n", "run", "-f", "-")
	d.says(said, "spec: is required")
	_, said = d.run(ExitFailed, deskRequest, "run", "-f", "-", "--mode", "dry-run")
	d.says(said, "there is no no-such-executor")
	_, said = d.run(ExitRefused, deskRequest, "run", "-f", "-")
	d.says(said, "name one with --policy or ACTIONCTL_POLICY")
}
