package cli

import (
	"encoding/json"
	"testing"
)

func TestApproveByDigest(t *testing.T) {
	d := newDesk(t)
	d.run(0, "", "import", "-f", d.path("plan.json"))
	out, _ := d.run(0, "", "show", "1", "-o", "json")
	var shown struct{ Digest string }
	if err := json.Unmarshal([]byte(out), &shown); err != nil {
		t.Fatal(err)
	}
	d.run(ExitRefused, "", "approve", "1", "--by", "ann", "--digest", "sha256:00")
	d.run(0, "", "approve", "1", "--by", "ann", "--digest", shown.Digest)
	d.run(ExitUsage, "", "approve", "1", "2", "--by", "ann", "--digest", shown.Digest)
	d.run(ExitFailed, "", "approve", "9", "--by", "ann")
	if rows := d.rows("list"); rows[0].ApprovedBy != "ann (self-declared)" {
		t.Errorf("%+v", rows)
	}
}
