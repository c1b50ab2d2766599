package schema_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"aws-provider-executor/actions"
	"aws-provider-executor/pkg/action"
)

// source is a random source whose seed a failing test can be run again with.
func source() *rand.Rand { return rand.New(rand.NewPCG(1, 2)) }

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }

// mutate changes a text a little, mostly by what forms are made of.
func mutate(r *rand.Rand, text string) string {
	runes := []rune(text)
	letters := []rune("0123456789abcdefintuvzAEFTZ.-/:,_ \t\n\x00\u00a0é٣１K🚦")
	for range 1 + r.IntN(3) {
		at := r.IntN(len(runes) + 1)
		switch {
		case at == len(runes) || r.IntN(3) == 0:
			runes = slices.Insert(runes, at, pick(r, letters))
		case r.IntN(2) == 0:
			runes = slices.Delete(runes, at, at+1)
		default:
			runes[at] = pick(r, letters)
		}
	}
	return string(runes)
}

// anyText is a text of some form, or one near it.
func anyText(r *rand.Rand, good []string) string {
	switch r.IntN(4) {
	case 0:
		return pick(r, good)
	case 1:
		return fmt.Sprintf("%d.%d.%d.%d%s", r.IntN(260), r.IntN(260), r.IntN(260), r.IntN(260),
			pick(r, []string{"", "", "/32", "/31"}))
	}
	return mutate(r, pick(r, good))
}

func goodTexts() []string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(formTexts)) {
		all = append(all, formTexts[name].good...)
	}
	for _, f := range forms() {
		all = append(all, f.Example)
	}
	return all
}

// forms are the registry's, each once.
func forms() []action.Form {
	var all []action.Form
	for _, v := range actions.Registry().Verbs() {
		for _, f := range slices.Concat(v.Target, v.Parameters, v.Facts) {
			if !slices.ContainsFunc(all, func(g action.Form) bool { return g.Name == f.Form.Name }) {
				all = append(all, f.Form)
			}
		}
	}
	return all
}

// TestPatternIsCanonical: what a form's pattern matches is what its Canonical takes.
func TestPatternIsCanonical(t *testing.T) {
	t.Parallel()
	good := goodTexts()
	for _, f := range forms() {
		t.Run(f.Name, func(t *testing.T) {
			r, pattern := source(), regexp.MustCompile(f.Pattern)
			for range 5000 {
				text := anyText(r, good)
				canonical, err := f.Canonical(text)
				if pattern.MatchString(text) != (err == nil) {
					t.Fatalf("%q: the pattern says %t, Canonical %v", text, pattern.MatchString(text), err)
				}
				if err != nil {
					continue
				}
				if again, err := f.Canonical(canonical); again != canonical || err != nil {
					t.Fatalf("%q: Canonical gives %q, and of that %q, %v", text, canonical, again, err)
				}
			}
		})
	}
}

// TestFirstOctets tries the ranges of addresses whole, which chance does not.
func TestFirstOctets(t *testing.T) {
	pattern := regexp.MustCompile(action.HostIPv4.Pattern)
	for first := range 300 {
		for _, second := range []int{0, 1, 9, 10, 99, 100, 199, 200, 249, 250, 253, 254, 255, 256} {
			text := fmt.Sprintf("%d.%d.0.255", first, second)
			if _, err := action.HostIPv4.Canonical(text); pattern.MatchString(text) != (err == nil) {
				t.Errorf("%s: the pattern says %t, Canonical %v", text, pattern.MatchString(text), err)
			}
		}
	}
}

// TestPatternsArePortable holds patterns to what ECMA 262, with and without its u
// flag, RE2 and PCRE read alike.
func TestPatternsArePortable(t *testing.T) {
	escapes := regexp.MustCompile(`\\[^.trn/]|\(\?|\[\[|\\[pPxudDsSwWbB]`)
	for _, f := range forms() {
		if found := escapes.FindString(f.Pattern); found != "" {
			t.Errorf("%s: %s is not the same everywhere", f.Name, found)
		}
		if f.Pattern != "" && (!strings.HasPrefix(f.Pattern, "^") || !strings.HasSuffix(f.Pattern, "$")) {
			t.Errorf("%s: the pattern is not anchored", f.Name)
		}
	}
}

// TestSchemasAndBinaryAgreeAtRandom edits good requests, and has both judge.
func TestSchemasAndBinaryAgreeAtRandom(t *testing.T) {
	t.Parallel()
	v, r, good := newVerdicts(t), source(), goodTexts()
	verbs := v.registry.Verbs()
	accepted := 0
	for range 1500 {
		verb := pick(r, verbs)
		doc := base(verb)
		if r.IntN(2) == 0 {
			doc = full(verb)
		}
		for range r.IntN(3) {
			edit(r, doc, verb, good)
		}
		text := marshal(doc)
		faults, beyond := v.binary(text)
		spec, _ := doc["spec"].(tree)
		name, _ := spec["action"].(string)
		v.judge(t, text, name, len(faults) == len(beyond))
		if t.Failed() {
			t.Fatalf("the binary says %v", faults)
		}
		if len(faults) == 0 {
			accepted++
		}
	}
	t.Logf("%d accepted", accepted)
	if accepted < 300 || accepted > 1200 {
		t.Errorf("%d of 1500 accepted: the edits no longer try both", accepted)
	}
}

// edit changes one thing of a request.
func edit(r *rand.Rand, doc tree, verb action.Verb, good []string) {
	values := slices.Concat(notText(), blanks, []any{absent{}})
	value := func() any {
		if r.IntN(3) == 0 {
			return pick(r, values)
		}
		return anyText(r, good)
	}
	spec, ok := doc["spec"].(tree)
	group, inGroup := spec[pick(r, []string{"target", "parameters"})].(tree)
	fields := slices.Concat(verb.Target, verb.Parameters)
	switch n := r.IntN(20); {
	case n == 0:
		set(doc, value(), pick(r, []string{"apiVersion", "kind", "spec", "unknown"}))
	case n < 4 && ok:
		set(
			spec, value(), pick(r,
				[]string{"action", "provider", "providerRef", "mode", "idempotencyKey", "target", "parameters",
					"context", "unknown"}))
	case n < 6 && ok:
		// Another verb's name on this one's fields.
		set(spec, pick(r, actions.Registry().Verbs()).Name, "action")
	case n < 8 && inGroup:
		set(group, value(), mutate(r, pick(r, credentialKeys)))
	case inGroup:
		set(group, value(), pick(r, fields).ExampleName())
	}
}
