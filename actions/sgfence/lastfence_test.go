package sgfence

import (
	"context"
	"maps"
	"slices"
	"testing"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/awsec2/ec2model"
)

// tagger is a writer that removes tags, and makes no other change.
type tagger struct {
	Writer
	cloud *cloud
	asked int
}

func (w *tagger) DeleteTags(_ context.Context, _ string, tags map[string]string) error {
	w.asked++
	for i := range w.cloud.instances {
		maps.DeleteFunc(w.cloud.instances[i].Tags, func(key, _ string) bool { return tags[key] != "" })
	}
	return nil
}

// TestAnUnfenceThatEndsPartWay: lastfence goes where an interface is open, and stays where the
// fence was put back whole; with a backup to go by, and without.
func TestAnUnfenceThatEndsPartWay(t *testing.T) {
	prior := []string{factPrior + eni0 + "=" + group(1), factPrior + eni1 + "=" + group(2)}
	const fenced = "fenced"
	for _, c := range []struct {
		name string
		// now has the groups of the two interfaces as planned by, and last as read at the end.
		now, last [2]string
		goes      bool
	}{
		{"nothing was restored", [2]string{fenced, fenced}, [2]string{fenced, fenced}, false},
		{"one was restored", [2]string{fenced, fenced}, [2]string{"", fenced}, true},
		{"one has what nobody gave it", [2]string{fenced, fenced}, [2]string{"other", fenced}, true},
		{"both were restored", [2]string{fenced, fenced}, [2]string{"", ""}, true},
		{"there was none to restore", [2]string{"", ""}, [2]string{"", ""}, true},
	} {
		for _, whole := range []bool{true, false} {
			groups := func(state string, i int) string {
				return map[string]string{"": group(1 + i), fenced: group(5), "other": group(7)}[state]
			}
			i := running(nic(eni0, 0, groups(c.now[0], 0)), nic(eni1, 1, groups(c.now[1], 1)))
			first, second := saved{eni0, []string{group(1)}}, saved{eni1, []string{group(2)}}
			b := backup{at: "1600000000", of: []saved{first, second}}
			i.Tags = b.tags(here, 0)
			if !whole {
				i.Tags = map[string]string{lastFence: b.at, backupKeys(here, b.at) + "1_0": "torn"}
			}
			world := &cloud{instances: []ec2model.Instance{i}}
			p, err := planUnfence(t.Context(), world, request(prior...))
			if err != nil {
				t.Fatal(err)
			}
			last := action.Seen{Values: slices.Clone(p.Seen.Values)}
			for n, tr := range p.Transitions {
				if tr.Attribute == attrGroups {
					at := slices.Index([]string{eni0, eni1}, tr.Resource)
					last.Values[n] = groups(c.last[at], at)
				}
			}
			w := &tagger{cloud: world}
			said := p.Finally(t.Context(), w, last)
			if _, there := i.Tags[lastFence]; there == c.goes || (said != "") != c.goes || w.asked > 1 {
				t.Errorf("%s, with a backup %t: lastfence is there: %t; it says %q", c.name, whole, there, said)
			}
			if left := len(i.Tags); whole && left < 2 || !whole && left < 1 {
				t.Errorf("%s, with a backup %t: the tags are %v", c.name, whole, i.Tags)
			}
		}
	}
}
