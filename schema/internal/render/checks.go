package render

import (
	"strings"

	"aws-provider-executor/pkg/preflight/ec2checks"
)

// checksTable lists the checks of a preflight, each with what its verdicts mean.
func checksTable(b *strings.Builder) {
	t := table{"check", "about", "reads", "pass", "warn", "fail", "unknown"}
	t.head(b)
	for _, c := range ec2checks.Checks() {
		about := c.For
		if c.About == nil {
			about = "all requests"
		}
		reads := c.Reads
		if len(c.Actions) > 0 {
			reads += " (" + code(strings.Join(c.Actions, "`, `")) + ")"
		}
		t.row(b, code(c.Name), about, reads, c.Pass, dash(c.Warn), dash(c.Fail), dash(c.Unknown))
	}
}

// dash stands for a verdict that a check never comes to.
func dash(text string) string {
	if text == "" {
		return "–"
	}
	return text
}
