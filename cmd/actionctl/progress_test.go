package main

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// bars are the drawings of a bar on a terminal.
var bars = regexp.MustCompile(`\r\[[#.]{40}\] (\d+)/(\d+)`)

// TestProgress: a long import and a long verification show on a terminal how far they have come,
// to the end, and are drawn a bounded number of times. Nothing of it is left, and a terminal that
// can't move its cursor is shown none.
func TestProgress(t *testing.T) {
	const plans = 3000
	s := newSite(t)
	var text strings.Builder
	for i := range plans {
		fmt.Fprintf(&text, "- {provider: aws, action: assign-secondary-ip, idempotencyKey: key-%d, "+
			"target: {nicRef: eni-01088600000000013, address: 10.88.61.%d, region: ap-northeast-1}}\n",
			i, i%250+1)
	}
	s.write("plans.yaml", text.String())
	for _, c := range []struct {
		args         []string
		total, least int
	}{
		{[]string{"import", "-f", s.path("plans.yaml"), "--dry-run"}, 3 * plans, 20},
		{[]string{"import", "-f", s.path("plans.yaml")}, 3 * plans, 20},
		{[]string{"journal", "--verify"}, 2 * plans, 2},
	} {
		code, shown := s.terminalOf("xterm", c.args...).end()
		drawn := bars.FindAllStringSubmatch(shown, -1)
		if code != 0 || len(drawn) < c.least || len(drawn) > 42 {
			t.Errorf("%v: exit %d, drawn %d times", c.args, code, len(drawn))
			continue
		}
		if last := drawn[len(drawn)-1]; last[1] != last[2] || last[2] != fmt.Sprint(c.total) {
			t.Errorf("%v: it ends at %s of %s, want %d", c.args, last[1], last[2], c.total)
		}
		if after := shown[strings.LastIndex(shown, "\r["):]; !strings.Contains(after, "\r\x1b[K") {
			t.Errorf("%v: the bar is left on the screen", c.args)
		}
	}
	if _, shown := s.terminal("journal", "--verify").end(); strings.Contains(shown, "[#") {
		t.Errorf("a dumb terminal is shown a bar: %q", shown)
	}
	if _, out, said := s.run("journal", "--verify"); strings.Contains(out+said, "[#") {
		t.Errorf("a pipe is shown a bar: %q", out+said)
	}
}
