package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"aws-provider-executor/pkg/nodes"
)

// ApplyScan takes over one region of one account by one manager.
func (s *Store) ApplyScan(
	ctx context.Context, scan nodes.Scan,
) (summary nodes.Summary, err error) {
	if err := scan.Check(); err != nil {
		return summary, err
	}
	err = s.write(ctx, func(w *writer) error {
		if _, err := w.manager(ctx, scan.ManagerID); err != nil {
			return err
		}
		last, err := w.region(ctx, scan.ManagerID, scan.AccountID, scan.Region)
		if err != nil {
			return err
		}
		a := application{writer: w, summary: &summary, scan: &scan}
		summary.Seen = len(scan.Seen)
		// One that began at a time to come began by a wrong clock.
		summary.Stale = !scan.Begun.After(last.Begun) && !last.Begun.After(w.now)
		if scan.Verdict == nodes.Complete {
			if err := a.readRegion(ctx); err != nil {
				return err
			}
			if err := a.observeAll(ctx, scan.Observations()); err != nil {
				return err
			}
			if err := a.noteAbsences(ctx); err != nil {
				return err
			}
		}
		if summary.Stale {
			return nil
		}
		return w.putRegion(ctx, last.Next(&scan))
	})
	return summary, err
}

// ApplyAnswer takes over what a cloud said of suspects by their ids.
func (s *Store) ApplyAnswer(
	ctx context.Context, answer nodes.Answer,
) (summary nodes.Summary, err error) {
	if err := answer.Check(); err != nil {
		return summary, err
	}
	err = s.write(ctx, func(w *writer) error {
		if _, err := w.manager(ctx, answer.ManagerID); err != nil {
			return err
		}
		a := application{writer: w, summary: &summary, found: map[nodes.Identity]*nodes.Node{}}
		summary.Seen = len(answer.Found)
		if err := a.observeAll(ctx, answer.Observations()); err != nil {
			return err
		}
		return a.concludeGone(ctx, &answer)
	})
	return summary, err
}

// application is what one transaction takes over.
type application struct {
	*writer
	scan    *nodes.Scan
	summary *nodes.Summary
	// found are the nodes of the region, by their identities there.
	found map[nodes.Identity]*nodes.Node
	// seen are the ids of nodes that were seen.
	seen map[string]bool
}

// readRegion reads the nodes that are known in the region at once.
func (a *application) readRegion(ctx context.Context) error {
	all, err := a.load(ctx, "WHERE n.account_id = ? AND n.region = ? ORDER BY n.seq",
		a.scan.Owner(), a.scan.Region)
	if err != nil {
		return err
	}
	a.found = make(map[nodes.Identity]*nodes.Node, len(all))
	for _, n := range all {
		if i := n.Source.Identity(n.Type); i != "" {
			a.found[i] = n
		}
	}
	return nil
}

// observeAll takes over all observations, in order.
func (a *application) observeAll(ctx context.Context, all []nodes.Observation) error {
	var missing []nodes.Identity
	for _, o := range all {
		if a.found[o.Identities[0]] == nil {
			missing = append(missing, o.Identities[0])
		}
	}
	// What was told of under another region or type is known by its identity all the same.
	others, err := a.byIdentity(ctx, missing)
	if err != nil {
		return err
	}
	for i, n := range others {
		a.found[i] = n
	}
	a.seen = make(map[string]bool, len(all))
	for i := range all {
		if err := a.see(ctx, &all[i]); err != nil {
			return err
		}
	}
	slices.Sort(a.summary.Revivable)
	return nil
}

// see takes over one observation.
func (a *application) see(ctx context.Context, o *nodes.Observation) error {
	before := a.found[o.Identities[0]]
	if before != nil && before.CanRevive(o) {
		if o.Revive {
			a.summary.Revived++
		} else {
			a.summary.Revivable = append(a.summary.Revivable, before.ID)
		}
	}
	n, received, err := a.observe(ctx, o, a.found)
	switch {
	case err != nil:
		return err
	case n == nil:
		a.summary.Ignored++
		return nil
	case received.Outcome == nodes.Added:
		a.summary.Added++
	case len(received.Changes) > 0:
		a.summary.Changed++
	}
	a.summary.Merged += len(received.Merged)
	a.seen[n.ID] = true
	return nil
}

// noteAbsences counts the scan for the nodes of the region that it did not show, and lists those to
// ask for.
func (a *application) noteAbsences(ctx context.Context) error {
	for _, n := range a.found {
		if n.Type != a.scan.Type || a.seen[n.ID] || n.State == nodes.StateTerminated ||
			n.LookedAtAs() != a.scan.AccountID {
			continue
		}
		a.summary.Absent++
		was := a.hold(n)
		if !a.summary.Stale {
			n.NoteAbsence(a.scan.Begun, a.scan.Ended)
		}
		if err := a.update(ctx, n, was, nil); err != nil {
			return err
		}
		if n.Suspected() {
			a.summary.Suspects = append(a.summary.Suspects, nodes.Suspect{
				NodeID: n.ID, Source: n.Source, Resource: n.Resource, Absence: n.Absence,
			})
		}
	}
	slices.SortFunc(a.summary.Suspects, func(x, y nodes.Suspect) int {
		return strings.Compare(x.Source.ID, y.Source.ID)
	})
	return nil
}

// concludeGone has suspects terminated of which the cloud says that there are none.
func (a *application) concludeGone(ctx context.Context, answer *nodes.Answer) error {
	gone, err := a.byIdentity(ctx, answer.NotFoundIdentities())
	if err != nil {
		return err
	}
	for _, n := range distinct(gone) {
		was := a.hold(n)
		changes := n.ConcludeGone(answer.Begun, answer.ManagerID)
		if len(changes) == 0 {
			continue
		}
		a.summary.Gone++
		if err := a.update(ctx, n, was, changes); err != nil {
			return err
		}
	}
	return nil
}

// region is the last scan of a region; empty where there was none.
func (q querier) region(
	ctx context.Context, manager, account, region string,
) (r nodes.RegionScan, err error) {
	var document string
	err = q.row(ctx, "SELECT document FROM node_regions WHERE manager = ? AND account = ? "+
		"AND region = ?", manager, account, region).Scan(&document)
	if errors.Is(err, sql.ErrNoRows) {
		return r, nil
	}
	if err != nil {
		return r, err
	}
	return r, json.Unmarshal([]byte(document), &r)
}

func (q querier) putRegion(ctx context.Context, r nodes.RegionScan) error {
	document, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return q.exec(ctx, "INSERT INTO node_regions (manager, account, region, document) "+
		"VALUES (?, ?, ?, ?) ON CONFLICT (manager, account, region) "+
		"DO UPDATE SET document = excluded.document", r.ManagerID, r.AccountID, r.Region,
		string(document))
}

func (q querier) regions(ctx context.Context, manager string) ([]nodes.RegionScan, error) {
	all := []nodes.RegionScan{}
	return all, q.each(ctx, func(rows *sql.Rows) error {
		var document string
		var r nodes.RegionScan
		if err := rows.Scan(&document); err != nil {
			return err
		}
		if err := json.Unmarshal([]byte(document), &r); err != nil {
			return err
		}
		all = append(all, r)
		return nil
	}, "SELECT document FROM node_regions WHERE manager = ? OR ? = '' "+
		"ORDER BY account, region, manager", manager, manager)
}

// Regions lists the last scan of each region by a manager; of all managers where the id is empty.
func (s *Store) Regions(ctx context.Context, managerID string) ([]nodes.RegionScan, error) {
	return s.read().regions(ctx, managerID)
}
