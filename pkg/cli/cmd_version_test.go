package cli

import "testing"

func TestVersion(t *testing.T) {
	d := newDesk(t)
	if out, _ := d.run(0, "", "version"); out != "actionctl test\n" {
		t.Errorf("%q", out)
	}
}
