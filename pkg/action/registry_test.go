package action

import (
	"context"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/pkg/protocol"
)

func planNothing(context.Context, any, Request) (*Plan, error) { return &Plan{}, nil }

func TestNewRegistryPanics(t *testing.T) {
	for _, c := range []struct {
		name, says string
		verbs      []Verb
	}{
		{"a verb twice", `"a" is unnamed, has no plan, or is there twice`,
			[]Verb{{Name: "a", Plan: planNothing}, {Name: "b", Plan: planNothing},
				{Name: "a", Plan: planNothing}}},
		{"no name", `"" is unnamed`, []Verb{{Plan: planNothing}}},
		{"no plan", `"a" is unnamed, has no plan`, []Verb{{Name: "a"}}},
		{"an unknown undo", `a names an unknown undo verb "b"`,
			[]Verb{{Name: "a", Undo: "b", Plan: planNothing}}},
		{"an undecided field", `a required field of a does not decide`, []Verb{
			{Name: "a", Undo: "b", Target: []Field{{Name: "f", Required: true}}, Plan: planNothing},
			{Name: "b", Plan: planNothing},
		}},
		{"an undo of what has none", `a is irreversible, and has an undo or is one`, []Verb{
			{Name: "a", Undo: "b", Irreversible: true, Plan: planNothing},
			{Name: "b", Plan: planNothing},
		}},
		{"an undo that has none", `b is irreversible, and has an undo or is one`, []Verb{
			{Name: "a", Undo: "b", Plan: planNothing},
			{Name: "b", Irreversible: true, Plan: planNothing},
		}},
		{"an undecided field of what has no undo", `a required field of a does not decide`, []Verb{
			{Name: "a", Irreversible: true, Target: []Field{{Name: "f", Required: true}},
				Plan: planNothing}}},
		{"an unknown choice", `a leaves the choice of an unknown verb "b"`,
			[]Verb{{Name: "a", Choice: &Choice{Field: "f", Value: "v", Verb: "b"}, Plan: planNothing}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			defer func() {
				said, _ := recover().(string)
				if !strings.Contains(said, c.says) {
					t.Errorf("panic %q, want %q", said, c.says)
				}
			}()
			NewRegistry(c.verbs)
		})
	}
}

func TestRegistry(t *testing.T) {
	r := NewRegistry([]Verb{
		{Name: "do", Undo: "undo", Plan: planNothing},
		{Name: "do-too", Undo: "undo", Plan: planNothing},
		{Name: "undo", Plan: planNothing},
	})
	names := func(verbs []Verb) (all []string) {
		for _, v := range verbs {
			all = append(all, v.Name)
		}
		return all
	}
	if diff := cmp.Diff([]string{"do", "do-too", "undo"}, names(r.Verbs())); diff != "" {
		t.Errorf("Verbs (-want +got):\n%s", diff)
	}
	if got := r.Names(); got != "do, do-too, undo" {
		t.Errorf("Names: %s", got)
	}
	if diff := cmp.Diff([]string{"do", "do-too"}, names(r.Undoes("undo"))); diff != "" {
		t.Errorf("Undoes (-want +got):\n%s", diff)
	}
	if got := r.Undoes("do"); len(got) != 0 {
		t.Errorf("do undoes %v", names(got))
	}
	if v, ok := r.Lookup("do-too"); !ok || v.Name != "do-too" {
		t.Errorf("Lookup: %v %t", v.Name, ok)
	}
	for _, name := range []string{"", "Do", "do ", "no-such"} {
		if v, ok := r.Lookup(name); ok || v.Name != "" {
			t.Errorf("Lookup of %q finds %q", name, v.Name)
		}
	}
	r.Verbs()[0].Name = "changed"
	r.Undoes("undo")[0].Name = "changed"
	if _, ok := r.Lookup("do"); !ok {
		t.Error("what a caller does with the list changes the registry")
	}
	if got := NewRegistry(nil).Names(); got != "" {
		t.Errorf("an empty registry has %q", got)
	}
}

// TestChoice: one text of target means another verb; what is nearly that text is refused.
func TestChoice(t *testing.T) {
	r := NewRegistry([]Verb{
		{Name: "do", Plan: planNothing,
			Choice: &Choice{Field: "strategy", Value: "route-table", Verb: "other"}},
		{Name: "other", Plan: planNothing},
	})
	pattern := regexp.MustCompile(MisspeltPattern(r.verbs[0].Choice.Value))
	for _, c := range []struct {
		text, means string
		refused     bool
	}{
		{"", "do", false}, {"route-table", "other", false}, {"secondary-ip", "do", false},
		{"route", "do", false}, {"route-tables", "do", false}, {"rоute-table", "do", false},
		{"routetable", "do", true}, {"Route_Table", "do", true}, {"ROUTE-TABLE", "do", true},
		{" route-table", "do", true}, {"route-table\n", "do", true},
	} {
		req := protocol.Request{Action: "do", Target: map[string]string{"strategy": c.text}}
		v, ok := r.Resolve(req)
		if !ok || v.Name != c.means {
			t.Errorf("%q means %s (%t), want %s", c.text, v.Name, ok, c.means)
		}
		_, faults := v.check(req)
		if (len(faults) > 0) != c.refused {
			t.Errorf("%q: faults %v", c.text, faults)
		}
		if c.refused && (faults[0].Path != "spec.target.strategy" ||
			!strings.Contains(faults[0].Reason, protocol.Quote(c.text)+": want route-table, or")) {
			t.Errorf("%q: %v", c.text, faults)
		}
		if pattern.MatchString(c.text) != (c.refused || c.means == "other") {
			t.Errorf("%q: the pattern says %t", c.text, pattern.MatchString(c.text))
		}
	}
	if v, ok := r.Resolve(
		protocol.Request{Action: "other", Target: map[string]string{"strategy": "route-table"}}); !ok ||
		v.Name != "other" {
		t.Errorf("a verb without a choice means %s", v.Name)
	}
	if _, ok := r.Resolve(protocol.Request{Action: "none"}); ok {
		t.Error("an unknown verb is resolved")
	}
}

// TestWithVerbsOfAnotherProvider: a request means a verb of its own provider alone, and people find
// each verb by its name.
func TestWithVerbsOfAnotherProvider(t *testing.T) {
	own := NewRegistry([]Verb{
		{Name: "do", Undo: "undo", Plan: planNothing}, {Name: "undo", Plan: planNothing},
		{Name: "both", Irreversible: true, Doc: "own", Plan: planNothing},
	})
	r := own.With("other", []Verb{
		{Name: "both", Irreversible: true, Doc: "other", Plan: planNothing},
		{Name: "give", Undo: "take", Plan: planNothing,
			Facts: []Field{{Name: "given", Form: Text}}},
		{Name: "take", Plan: planNothing},
	}).With("third", []Verb{{Name: "more", Irreversible: true, Plan: planNothing}})
	for _, c := range []struct {
		provider, verb, doc string
		want                bool
	}{
		{"aws", "do", "", true}, {"aws", "give", "", false}, {"aws", "more", "", false},
		{"other", "give", "", true}, {"other", "do", "", false}, {"other", "more", "", false},
		{"third", "more", "", true}, {"third", "give", "", false},
		{"aws", "both", "own", true}, {"other", "both", "other", true},
	} {
		v, ok := r.Resolve(protocol.Request{Provider: c.provider, Action: c.verb})
		if ok != c.want || v.Doc != c.doc {
			t.Errorf("%s of %s: %t, %q", c.verb, c.provider, ok, v.Doc)
		}
	}
	if got := r.Names(); got != "do, undo, both, give, take, more" {
		t.Errorf("all are %s", got)
	}
	if got := r.Of("aws").Names() + "; " + r.Of("other").Names(); got !=
		"do, undo, both; both, give, take" {
		t.Errorf("each provider's are %s", got)
	}
	if got := own.Names(); got != "do, undo, both" {
		t.Errorf("the own ones became %s", got)
	}
	for verb, want := range map[string]string{
		"do": "", "both": "", "give": "other", "more": "third", "none": "",
	} {
		if got := r.ProviderOf(verb); got != want {
			t.Errorf("%s is of %q, want %q", verb, got, want)
		}
	}
	take, _ := r.Lookup("take")
	if key, ok := r.Undone(take, "k:undo"); !ok || key != "k" {
		t.Errorf("take undoes %q (%t)", key, ok)
	}
	if !r.IsFact("given") || len(r.Undoes("take")) != 1 {
		t.Error("the verbs of other providers are not all known")
	}
	if both, _ := r.Lookup("both"); both.Doc != "own" {
		t.Errorf("both is found as the %s one", both.Doc)
	}
}
