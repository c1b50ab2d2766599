package schema_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"aws-provider-executor/actions"
	"aws-provider-executor/actions/applianceverbs"
	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/awsexecutor"
	"aws-provider-executor/schema"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
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

// The schemas of another provider's verbs accept their own examples, and refuse other providers.
func TestApplianceDocuments(t *testing.T) {
	whole, ok := schema.Appliance("request")
	if !ok {
		t.Fatal("there is no schema of all")
	}
	request := compile(t, whole)
	for _, v := range applianceverbs.Verbs() {
		text, ok := schema.Appliance(v.Name)
		if !ok {
			t.Fatalf("there is no schema of %s", v.Name)
		}
		var doc struct {
			ID       string `json:"$id"`
			Examples []any
		}
		if err := json.Unmarshal(text, &doc); err != nil || len(doc.Examples) == 0 ||
			doc.ID != "urn:aws-provider-executor:schema:appliance:"+v.Name {
			t.Fatalf("%s: %s %v", v.Name, doc.ID, err)
		}
		for _, example := range doc.Examples {
			for _, s := range []*jsonschema.Schema{compile(t, text), request} {
				if err := s.Validate(example); err != nil {
					t.Errorf("%s: %v", v.Name, err)
				}
			}
			if compile(t, schema.Request()).Validate(example) == nil {
				t.Errorf("%s: the schema of EC2's executor takes it", v.Name)
			}
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
