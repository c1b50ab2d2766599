package store_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"aws-provider-executor/pkg/nodes"
	"aws-provider-executor/pkg/nodes/filter"
	"aws-provider-executor/pkg/nodes/store"
)

// TestSameInSQL: a filter has the same nodes in the store as by its own Match, whatever is in the
// texts and in the patterns.
func TestSameInSQL(t *testing.T) {
	onEach(t, func(b *bed) {
		r := rand.New(rand.NewPCG(14, 7))
		managers := b.crowd(r)
		// Nodes that come, change and go leave nothing behind that a filter would find.
		b.change(r, managers)
		all := b.all(store.Query{})
		if len(all) < 150 {
			b.Fatal(len(all))
		}
		hits := 0
		for range 500 {
			text := randomFilter(r)
			f, err := filter.Parse([]string{text}, filter.Options{})
			if err != nil {
				continue
			}
			var want []string
			for _, n := range all {
				if f.Match(n, managers) {
					want = append(want, n.ID)
				}
			}
			var got []string
			for _, n := range b.all(store.Query{Filter: f, Limit: 50}) {
				got = append(got, n.ID)
			}
			slices.Sort(want)
			slices.Sort(got)
			if !slices.Equal(got, want) {
				b.Fatalf("%s has %d nodes in the store, %d by itself", text, len(got), len(want))
			}
			ids, err := b.Values(b.Context(), "id", f)
			if err != nil || len(ids) != len(want) {
				b.Fatalf("%s has %d ids, want %d (%v)", text, len(ids), len(want), err)
			}
			totals, err := b.Count(b.Context(), f)
			if err != nil || totals.All != len(want) {
				b.Fatalf("%s counts %d, want %d (%v)", text, totals.All, len(want), err)
			}
			if len(want) > 0 && len(want) < len(all) {
				hits++
			}
		}
		if hits < 100 {
			b.Errorf("only %d filters told nodes apart", hits)
		}
	})
}

// all lists every node, a page at a time.
func (b *bed) all(q store.Query) []*nodes.Node {
	b.Helper()
	var all []*nodes.Node
	for {
		page, err := b.List(b.Context(), q)
		if err != nil {
			b.Fatal(err)
		}
		all = append(all, page.Nodes...)
		if q.After = page.Next; q.After == "" {
			return all
		}
	}
}

// pieces are what random texts are made of: what the engines' patterns take for something else,
// too.
var pieces = []string{
	"a", "b", "ab", "A", "é", "*", "?", "[", "]", "%", "_", `\`, "'", `"`, ",", "=", ".", "^", "$",
	"(", "+", "-", "\U0001f600", "\ud7ff", "\n",
}

func randomText(r *rand.Rand, most int) string {
	text := ""
	for range r.IntN(most + 1) {
		text += pieces[r.IntN(len(pieces))]
	}
	return text
}

// crowd fills a store with nodes of all kinds, and returns the managers.
func (b *bed) crowd(r *rand.Rand) []nodes.Manager {
	b.Helper()
	must := func(err error) {
		b.Helper()
		if err != nil {
			b.Fatal(err)
		}
	}
	states := []nodes.State{nodes.StateRunning, nodes.StateStopped, nodes.StatePending}
	for i, region := range []string{"eu-west-1", "us-west-1", "a", "é"} {
		m, err := b.CreateManager(b.Context(), nodes.Manager{
			Name: fmt.Sprintf("m%d", i), Type: nodes.ManagerEC2,
			Access: nodes.Access{Kind: nodes.AccessAmbient},
		})
		must(err)
		scan := nodes.Scan{
			ManagerID: m.ID, AccountID: fmt.Sprint(i % 2), Region: region, Type: nodes.TypeInstance,
			Verdict: nodes.Complete, Begun: at(i), Ended: at(i + 1),
		}
		for k := range 40 {
			scan.Seen = append(scan.Seen, nodes.Sighting{
				ID: fmt.Sprintf("i-%d-%d", i, k), Name: randomText(r, 2),
				State: states[r.IntN(len(states))],
				Tags: map[string]string{
					"env": randomText(r, 2), randomText(r, 1) + "k": randomText(r, 1),
				},
				Details: nodes.Details{
					Zone: randomText(r, 1), InstanceType: randomText(r, 1), LaunchTime: at(r.IntN(100)),
					Interfaces: []nodes.Interface{{
						ID: fmt.Sprint("eni-", k), SubnetID: randomText(r, 1), Private: []string{"10.0.0.1"},
					}},
				},
			})
		}
		_, err = b.ApplyScan(b.Context(), scan)
		must(err)
	}
	statuses := nodes.ResultStatuses()
	for i := range 30 {
		_, err := b.ApplyReport(b.Context(), nodes.Report{
			ID: fmt.Sprint("r-", i), Name: randomText(r, 2), Platform: randomText(r, 1),
			LastContact: at(-r.IntN(100)), Projects: []string{"p" + randomText(r, 1)},
			Tags: map[string]string{"env": randomText(r, 1)},
			Run:  &nodes.Result{ID: "x", Status: statuses[r.IntN(4)], EndTime: at(-r.IntN(100))},
		})
		must(err)
	}
	managers, err := b.Managers(b.Context())
	must(err)
	return managers
}

// change has a part of a crowd be deleted, and another have other values.
func (b *bed) change(r *rand.Rand, managers []nodes.Manager) {
	b.Helper()
	if _, err := b.Delete(b.Context(), b.filter("sourceId=i-2-1*"), -1); err != nil {
		b.Fatal(err)
	}
	scan := nodes.Scan{
		ManagerID: managers[1].ID, AccountID: "0", Region: "eu-west-1", Type: nodes.TypeInstance,
		Verdict: nodes.Complete, Begun: at(500), Ended: at(500),
	}
	for k := range 60 {
		scan.Seen = append(scan.Seen, nodes.Sighting{
			ID: fmt.Sprint("i-0-", k), State: nodes.StateStopping, Name: randomText(r, 2),
			Tags:    map[string]string{"env": randomText(r, 2)},
			Details: nodes.Details{Zone: randomText(r, 1)},
		})
	}
	b.now = at(500)
	if _, err := b.ApplyScan(b.Context(), scan); err != nil {
		b.Fatal(err)
	}
}

// randomFilter is a text that may be a filter.
func randomFilter(r *rand.Rand) string {
	keys := []string{
		"name", "region", "zone", "platform", "tag:env", "tag:k", "tag:ak", "project", "subnet",
		"sourceId", "state", "status", "manager", "managerType", "managed", "type", "lastRunStatus",
		"accountId", "interface", "stateSince", "launchTime", "lastRun", "lastContact",
	}
	text := ""
	for i := range 1 + r.IntN(3) {
		if i > 0 {
			text += ","
		}
		if r.IntN(3) == 0 {
			text += "!"
		}
		key := keys[r.IntN(len(keys))]
		text += key + "="
		for k := range 1 + r.IntN(3) {
			if k > 0 {
				text += ","
			}
			text += randomValue(r, key)
		}
	}
	return text
}

func randomValue(r *rand.Rand, key string) string {
	choose := func(all ...string) string { return all[r.IntN(len(all))] }
	switch key {
	case "state":
		return choose("running", "stopped", "pending", "*ing", "s*", "unknown")
	case "status":
		return choose("unknown", "un*", "reachable")
	case "type":
		return choose("instance", "reported", "*e*")
	case "manager":
		return choose("m1", "m?", "m*", "n-00*", "manual")
	case "managerType":
		return choose("aws-ec2", "aws*", "manual")
	case "managed":
		return choose("true", "false")
	case "lastRunStatus":
		return choose("passed", "failed", "*a*", `""`)
	case "region", "accountId", "sourceId", "interface":
		return choose("*-west-1", "us-*", "a", "é", "?", "0", "1", "i-1-*", "i-?-1", "eni-1?", `""`)
	case "stateSince", "launchTime", "lastRun", "lastContact":
		from := at(r.IntN(200) - 100)
		return from.Format(time.RFC3339) + ".." + from.Add(time.Hour).Format(time.RFC3339)
	}
	text := randomText(r, 3)
	if r.IntN(2) == 0 {
		text += choose("*", "?", "?*", "*a", "?b?")
	}
	if text == "" {
		return `""`
	}
	return text
}
