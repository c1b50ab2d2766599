package schema_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"aws-provider-executor/actions"
	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/awsexecutor"
	"aws-provider-executor/schema"

	"github.com/google/go-cmp/cmp"
)

// requests describes all that may be asked for: the verbs, and the inquiries as such.
func requests() []action.Verb {
	verbs := actions.Registry()
	return append(verbs.Verbs(), awsexecutor.Preflight(verbs).Verb())
}

func TestNames(t *testing.T) {
	want := []string{"request", "result"}
	for _, v := range requests() {
		want = append(want, v.Name)
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, schema.Names()); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
	for _, name := range []string{"", "request", "result", "no-such-verb", "../schema/request"} {
		if _, ok := schema.Verb(name); ok {
			t.Errorf("there is a verb %q", name)
		}
	}
}

func TestDocuments(t *testing.T) {
	texts := map[string][]byte{"request": schema.Request(), "result": schema.Result()}
	for _, v := range requests() {
		texts[v.Name], _ = schema.Verb(v.Name)
	}
	for name, text := range texts {
		t.Run(name, func(t *testing.T) {
			var doc struct {
				Schema      string `json:"$schema"`
				ID          string `json:"$id"`
				Title       string
				Description string
				Examples    []any
			}
			if err := json.Unmarshal(text, &doc); err != nil {
				t.Fatal(err)
			}
			if doc.Schema != "https://json-schema.org/draft/2020-12/schema" ||
				doc.ID != "urn:aws-provider-executor:schema:"+name {
				t.Errorf("$schema %s, $id %s", doc.Schema, doc.ID)
			}
			if doc.Title == "" || doc.Description == "" {
				t.Error("no title or description")
			}
			s := compile(t, text)
			for _, example := range doc.Examples {
				if err := s.Validate(example); err != nil {
					t.Errorf("an example of its own: %v", err)
				}
			}
			if !strings.HasSuffix(string(text), "}\n") {
				t.Error("does not end with a newline")
			}
		})
	}
}
