package cli

import (
	"encoding/json"
	"testing"

	"aws-provider-executor/actions"
)

func TestSchemaOfEveryVerb(t *testing.T) {
	d := newDesk(t)
	names := []string{"request", "result"}
	for _, v := range actions.Registry().Verbs() {
		names = append(names, v.Name)
	}
	for _, name := range names {
		if out, _ := d.run(0, "", "schema", name); !json.Valid([]byte(out)) {
			t.Errorf("%s: %q", name, out)
		}
	}
}
