package cli

import "testing"

func TestExecuteWithoutAnExecutor(t *testing.T) {
	d := newDesk(t)
	d.run(0, "", "import", "-f", d.path("plan.json"))
	d.run(0, "", "approve", "1", "--by", "ann")
	_, said := d.run(ExitFailed, "", "execute", "1", "--policy", d.path("policy.yaml"))
	d.says(
		said,
		"there is no no-such-executor beside actionctl or on PATH: name it with --plugin; nothing "+
			"was changed",
	)
	if rows := d.rows("list"); rows[0].Status != "approved" {
		t.Errorf("%+v", rows)
	}
	d = newDesk(t)
	d.run(0, "", "import", "-f", d.path("plan.json"))
	if out, _ := d.run(0, "", "execute", "--all-approved", "--policy", d.path("policy.yaml"),
		"--dry-run", "-o", "json"); out != "[]\n" {
		t.Errorf("nothing to do: %q", out)
	}
}
