package cli

import (
	"fmt"
	"strings"
	"testing"
)

func TestListGoesByPages(t *testing.T) {
	d := newDesk(t)
	var plans []string
	for i := range 5 {
		plans = append(plans, strings.Replace(deskPlan, `"k"`, fmt.Sprintf(`"k%d"`, i), 1))
	}
	d.run(0, strings.Join(plans, "\n"), "import", "-f", "-")
	out, said := d.run(0, "", "list", "--limit", "2")
	d.says(out, "k1")
	d.says(said, "there may be more: --after 2")
	if rows := d.rows("list", "--limit", "2", "--after", "2"); len(rows) != 2 ||
		rows[0].IdempotencyKey != "k2" {
		t.Errorf("%+v", rows)
	}
	if rows := d.rows("list", "--newest", "--limit", "1"); len(rows) != 1 ||
		rows[0].IdempotencyKey != "k4" {
		t.Errorf("%+v", rows)
	}
	if rows := d.rows("list", "--status", "approved"); len(rows) != 0 {
		t.Errorf("%+v", rows)
	}
}
