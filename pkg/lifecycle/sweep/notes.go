package sweep

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"aws-provider-executor/pkg/ledger/table"
)

// notes are what sweepers noted of one region: one item a finding, which all sweepers share.
type notes struct {
	table.Backend
	partition string
}

// note is what is noted of a finding.
type note struct {
	// State is how it was found. One that is found otherwise is another finding.
	State string `json:"state"`
	// First is when it was noted, in Unix seconds by the clock of the sweeper that did.
	First int64 `json:"first"`

	revision int
}

// place is where a finding is noted.
func (n notes) place(of string) table.Place { return table.Place{Partition: n.partition, Sort: of} }

func sortOf(f Finding) string { return string(f.Kind) + "/" + f.Resource }

// read reads all notes by their sort keys.
func (n notes) read(ctx context.Context) (map[string]note, error) {
	keys, err := n.List(ctx, n.partition)
	if err != nil || len(keys) == 0 {
		return map[string]note{}, err
	}
	places := make([]table.Place, len(keys))
	for i, key := range keys {
		places[i] = n.place(key)
	}
	items, err := n.Read(ctx, places)
	if err != nil {
		return nil, err
	}
	all := map[string]note{}
	for place, item := range items {
		if item.Revision == 0 {
			continue
		}
		of := note{revision: item.Revision}
		if err := json.Unmarshal(item.Record, &of); err != nil {
			return nil, fmt.Errorf("the item %s of %s is no note of a sweeper; remove it by hand",
				place.Sort, n.partition)
		}
		all[place.Sort] = of
	}
	return all, nil
}

// hold holds findings against what was noted of them, notes what is new, and forgets what is not
// found any more. It returns which findings stood for long enough.
func (n notes) hold(
	ctx context.Context, found []Finding, known map[string]note, now time.Time,
	quiet time.Duration, dry bool,
) (due []int, err error) {
	seen := map[string]bool{}
	var changes []table.Change
	for i := range found {
		f, key := &found[i], sortOf(found[i])
		if seen[key] {
			continue
		}
		seen[key] = true
		was, there := known[key]
		// A clock that was put back since tells nothing.
		if !there || was.State != f.State || was.First > now.Unix() {
			f.Since, f.Outcome = now, Noted
			changes = append(changes, n.write(key, note{State: f.State, First: now.Unix()}, was.revision))
			continue
		}
		f.Since = time.Unix(was.First, 0).UTC()
		if now.Sub(f.Since) < quiet {
			f.Outcome = Young
			continue
		}
		due = append(due, i)
	}
	for key, was := range known {
		if !seen[key] {
			revision := was.revision
			changes = append(changes, table.Change{Place: n.place(key),
				If: table.Condition{Revision: &revision}, Delete: true})
		}
	}
	if dry {
		return due, nil
	}
	for _, c := range changes {
		// Of several sweepers at once the first one's note counts.
		if err := n.Write(ctx, []table.Change{c}); err != nil && !errors.Is(err, table.ErrMoved) {
			return nil, err
		}
	}
	return due, nil
}

func (n notes) write(key string, of note, revision int) table.Change {
	// A note is made of texts and a number: that can't fail.
	data, _ := json.Marshal(of)
	return table.Change{Place: n.place(key), If: table.Condition{Revision: &revision}, Record: data,
		Revision: revision + 1}
}
