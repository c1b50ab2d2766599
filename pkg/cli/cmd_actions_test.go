package cli

import (
	"testing"

	"aws-provider-executor/actions"
)

func TestActionsDescribesEveryVerb(t *testing.T) {
	d := newDesk(t)
	out, _ := d.run(0, "", "actions")
	for _, v := range actions.Registry().Verbs() {
		d.says(out, v.Name)
		one, _ := d.run(0, "", "actions", v.Name)
		d.says(one, v.Doc)
		d.says(one, "TARGET")
	}
}
