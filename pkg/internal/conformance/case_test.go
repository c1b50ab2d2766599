//go:build conformance

package conformance

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"aws-provider-executor/pkg/ec2sim"
)

// apiCase is one thing that a client can do at the API, made at both places through boto3.
type apiCase struct {
	name string
	// do are calls, a line each; all but the last must succeed.
	do string
	// ec2 is what EC2 makes of the last one: a verdict, and after " => " what changed. A verdict that
	// ends in "*" is only the beginning, where EC2's text is not known.
	ec2 string
	// moto is what moto makes of it instead, where the changes may be "*" for many; empty is the same,
	// to the word.
	moto string
	// needs are operations that the stand-in may not have yet; without them only moto is heard.
	needs []string
	// settle has the instances come to rest before it is looked what changed.
	settle bool
}

// make returns what a case came to.
func (b *bench) make(t *testing.T, c apiCase) string {
	t.Helper()
	w, before := b.lab(t)
	lines := strings.Split(strings.TrimSpace(c.do), "\n")
	var v verdict
	for i, line := range lines {
		v = w.do(t, line)
		if v.OK == nil && i < len(lines)-1 {
			t.Fatalf("%s: %s", line, v)
		}
	}
	outcome := w.tell(v)
	if c.settle {
		w.settle(t)
	}
	if changes := b.left(t).since(before); changes != "" {
		outcome += " => " + changes
	}
	return outcome
}

func TestAlike(t *testing.T) {
	t.Parallel()
	there, here := newBench(t, startMoto), newBench(t, startSim)
	tryCases(t, alike, there, here)
}

func TestDeviations(t *testing.T) {
	t.Parallel()
	there, here := newBench(t, startMoto), newBench(t, startSim)
	tryCases(t, deviations, there, here)
	t.Run("throttling", func(t *testing.T) { throttling(t, there, here) })
}

func tryCases(t *testing.T, cases []apiCase, there, here *bench) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if missing := lacking(c.needs); len(missing) > 0 {
				told.wait(t, missing)
				told.scenario(moto)
				c.hear(t, there.make(t, c))
				return
			}
			told.scenario(moto, "ec2sim")
			c.try(t, there.make(t, c), here.make(t, c))
		})
	}
}

// try judges what a case came to at moto and here.
func (c apiCase) try(t *testing.T, there, here string) {
	t.Helper()
	if !fits(here, c.ec2) {
		t.Errorf("%s\nec2sim: %s\n  want: %s", c.do, here, c.ec2)
	}
	if c.moto == "" && here != there {
		t.Errorf("%s\n  moto: %s\nec2sim: %s", c.do, there, here)
	}
	c.hear(t, there)
}

// hear tells what moto makes of a case in which it deviates.
func (c apiCase) hear(t *testing.T, there string) {
	t.Helper()
	switch {
	case c.moto == "":
	case fits(there, c.moto):
		told.deviates()
	case fits(there, c.ec2):
		told.hear(t, "it does as EC2 does: %s", there)
	default:
		told.hear(t, "%s; was %s", there, c.moto)
	}
}

// fits reports whether an outcome is what is wanted.
func fits(outcome, want string) bool {
	said, changes, _ := strings.Cut(outcome, " => ")
	wantSaid, wantChanges, _ := strings.Cut(want, " => ")
	if wantChanges == "*" && changes != "" {
		changes = wantChanges
	}
	if beginning, ok := strings.CutSuffix(wantSaid, "*"); ok {
		return strings.HasPrefix(said, beginning) && changes == wantChanges
	}
	return said == wantSaid && changes == wantChanges
}

// lacking returns the operations that the stand-in has not.
func lacking(needs []string) []string {
	have := ec2sim.Operations()
	return slices.DeleteFunc(slices.Clone(needs), func(op string) bool {
		return slices.Contains(have, op)
	})
}

func manyTags(n int) string {
	var list []string
	for i := range n {
		list = append(list, fmt.Sprintf(`{"Key":"k%02d","Value":"v"}`, i))
	}
	return strings.Join(list, ",")
}

func manyTagFacts(n int) string {
	var list []string
	for i := range n {
		list = append(list, fmt.Sprintf("+db tag k%02d=v", i))
	}
	return strings.Join(list, ", ")
}
