package gate_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/pkg/gate"
)

// TestPlansAreKept: each is as it was added, however many there are, whenever it is asked for.
func TestPlansAreKept(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	text := func() string {
		return strings.Repeat([]string{"", "a", "ünï\x00", "\xff\"{}"}[random.IntN(4)], random.IntN(100))
	}
	pairs := func() map[string]string {
		if random.IntN(3) == 0 {
			return nil
		}
		m := map[string]string{}
		for range random.IntN(4) {
			m[text()] = text()
		}
		return m
	}
	var want []gate.Plan
	var kept gate.Plans
	for i := range 1000 {
		p := gate.Plan{
			Name: text(), Description: text(), RiskLevel: text(), Mode: text(), Provider: text(),
			ProviderRef: text(), Action: text(), Target: pairs(), Parameters: pairs(),
			IdempotencyKey: fmt.Sprint(text(), i),
		}
		if random.IntN(2) == 0 {
			p.Undo = &gate.Undo{Action: text(), Parameters: pairs()}
		}
		if random.IntN(4) == 0 {
			p.Selected = &gate.Selected{Digest: text(), Node: text()}
		}
		for n := range random.IntN(20) {
			p.Lines = append(p.Lines, gate.LineOf{Path: text(), Line: n * n * n * n})
		}
		want = append(want, p)
		kept.Add(p)
		if at := random.IntN(i + 1); i%7 == 0 && !cmp.Equal(want[at], kept.At(at)) {
			t.Errorf("plan %d of %d: %s", at, i+1, cmp.Diff(want[at], kept.At(at)))
		}
	}
	if kept.Len() != len(want) {
		t.Errorf("%d plans, want %d", kept.Len(), len(want))
	}
	for i := range want {
		if d := cmp.Diff(want[i], kept.At(i)); d != "" {
			t.Fatalf("plan %d: %s", i, d)
		}
		if kept.Key(i) != want[i].IdempotencyKey || kept.Selected(i) != want[i].Selected {
			t.Errorf("plan %d has the key %q and is of %v", i, kept.Key(i), kept.Selected(i))
		}
	}
}

// TestFaultsAreOnTheirLines, whether a plan is on one line or on many.
func TestFaultsAreOnTheirLines(t *testing.T) {
	const first = "[\n" + `{"provider":"aws","action":"no","idempotencyKey":"a","target":{"x":"1"}},`
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"one line": {first + "\n" +
			`{"provider":"aws","action":"assign-secondary-ip","idempotencyKey":"b",` +
			`"target":{"region":"no region","nicRef":"eni-0abc1234","address":"10.88.60.9"}}]`,
			[]string{`plan 1 ("a"): line 2: action: is "no"`, `plan 2 ("b"): line 3: target.region: `}},
		"many lines": {first + "\n{\"provider\":\"aws\",\n\"action\":" +
			"\"assign-secondary-ip\",\n\"idempotencyKey\":\"b\",\n\"target\":\n" +
			"{\"nicRef\":\n\"eni-0abc1234\",\n\"region\":\"x y\",\"address\":\"1\"}}]",
			[]string{`plan 1 ("a"): line 2: action: is "no"`, `plan 2 ("b"): line 9: target.address: `,
				`line 9: target.region: `}},
		"not there": {"[\n\n" + `{"provider":"aws","action":"assign-secondary-ip",` +
			`"idempotencyKey":"b","target":{"region":"us-east-1","address":"10.88.60.9"}}]`,
			[]string{`plan 1 ("b"): line 3: target.nicRef: is required`}},
	} {
		t.Run(name, func(t *testing.T) {
			plans, is, err := gate.PlansOfList([]byte(c.text))
			if err != nil || !is {
				t.Fatal(is, err)
			}
			r := newRig(t, lab)
			err = r.Importing(plans, "test", false).Check(t.Context())
			if err == nil {
				t.Fatal("taken")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%v\nlacks %s", err, want)
				}
			}
		})
	}
}

// TestAPlanIsRefusedByItsPlace among all, whatever is wrong with those before it.
func TestAPlanIsRefusedByItsPlace(t *testing.T) {
	r := newRig(t, lab)
	r.imported("there")
	other, wrong := plan("there"), plan("wrong")
	other.Target["address"], wrong.Provider = "10.88.60.10", "gcp"
	_, err := r.Import(t.Context(), []gate.Plan{wrong, plan("good"), other}, "test", false)
	if err == nil {
		t.Fatal("taken")
	}
	for _, want := range []string{`plan 1 ("wrong"): provider: `, `plan 3 ("there"): the key is there`,
		"plans of several providers (aws, gcp)"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v\nlacks %s", err, want)
		}
	}
	if _, err := r.Store.Find(t.Context(), "good"); !errors.Is(err, gate.ErrNotFound) {
		t.Errorf("a good plan beside them: %v", err)
	}
}
