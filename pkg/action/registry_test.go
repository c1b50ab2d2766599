package action

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func planNothing(context.Context, any, Request) (*Plan, error) { return &Plan{}, nil }

func TestNewRegistryPanics(t *testing.T) {
	for _, c := range []struct {
		name, says string
		verbs      []Verb
	}{
		{"a verb twice", `"a" is unnamed, has no plan, or is there twice`, []Verb{{Name: "a", Plan: planNothing}, {Name: "b", Plan: planNothing}, {Name: "a", Plan: planNothing}}},
		{"no name", `"" is unnamed`, []Verb{{Plan: planNothing}}},
		{"no plan", `"a" is unnamed, has no plan`, []Verb{{Name: "a"}}},
		{"an unknown undo", `a names an unknown undo verb "b"`, []Verb{{Name: "a", Undo: "b", Plan: planNothing}}},
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
