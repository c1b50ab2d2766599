package store

import (
	"context"
	"errors"
	"slices"

	"aws-provider-executor/pkg/nodes"
)

// observe takes over what somebody said of one node. The nodes that its identities lead to are one:
// where there are several they are merged first. It returns nil where the node stays unknown.
func (w *writer) observe(
	ctx context.Context, o *nodes.Observation, found map[nodes.Identity]*nodes.Node,
) (*nodes.Node, nodes.Received, error) {
	o.Clean()
	candidates := map[nodes.Identity]*nodes.Node{}
	for _, i := range o.Identities {
		if n := found[i]; n != nil && n.IsOf(o) {
			candidates[i] = n
		}
	}
	// What leads to a node of another source is that one's.
	o.Identities = slices.DeleteFunc(slices.Clone(o.Identities), func(i nodes.Identity) bool {
		return found[i] != nil && candidates[i] == nil
	})
	known := distinct(candidates)
	if len(known) == 0 {
		return w.meet(ctx, o)
	}
	n, received, err := w.unite(ctx, known, o.MergeEvidence())
	if err != nil {
		return nil, received, err
	}
	was := w.hold(n)
	received.NodeID, received.Outcome = n.ID, nodes.Updated
	if n.Ignores(o) {
		received.Outcome = nodes.IgnoredTerminated
		return n, received, nil
	}
	changes := n.Apply(o)
	n.Answer(o.Identities)
	received.Changes = append(received.Changes, changes...)
	return n, received, w.update(ctx, n, was, changes)
}

// meet makes a node known, where the observation does.
func (w *writer) meet(
	ctx context.Context, o *nodes.Observation,
) (*nodes.Node, nodes.Received, error) {
	if !o.Admits() {
		return nil, nodes.Received{Outcome: nodes.IgnoredUnknown}, nil
	}
	id := o.ID
	if id == "" || !slices.Contains(o.Identities, nodes.IDIdentity(id)) {
		id = w.store.options.NewID()
	}
	n, changes := o.New(id)
	n.Answer(o.Identities)
	received := nodes.Received{NodeID: n.ID, Outcome: nodes.Added, Changes: changes}
	return n, received, w.insert(ctx, n, changes)
}

// unite merges the nodes that an observation shows to be one.
func (w *writer) unite(
	ctx context.Context, known []*nodes.Node, e nodes.Evidence,
) (*nodes.Node, nodes.Received, error) {
	n, received := known[0], nodes.Received{}
	for _, other := range known[1:] {
		kept, gone, changes := nodes.Merge(n, other, e)
		// First the other goes, so that its identities are free.
		if err := w.absorb(ctx, gone, kept); err != nil {
			return nil, received, err
		}
		if err := w.update(ctx, kept, n, changes); err != nil {
			return nil, received, err
		}
		received.Merged = append(received.Merged, gone.ID)
		received.Changes = append(received.Changes, changes...)
		n = kept
	}
	return n, received, nil
}

// ApplyEvent takes over a change of state that a cloud told of one node.
func (s *Store) ApplyEvent(ctx context.Context, e nodes.Event) (nodes.Received, error) {
	o := e.Observation()
	if o.Identities[0] == "" {
		return nodes.Received{}, errors.New("the event names no node")
	}
	return s.tell(ctx, &o)
}

// ApplyReport takes over a report.
func (s *Store) ApplyReport(ctx context.Context, r nodes.Report) (nodes.Received, error) {
	if err := r.Check(); err != nil {
		return nodes.Received{}, err
	}
	o := r.Observation(s.options.Now().UTC())
	return s.tell(ctx, &o)
}

// tell takes over one observation, in a transaction of its own.
func (s *Store) tell(ctx context.Context, o *nodes.Observation) (r nodes.Received, err error) {
	return r, s.write(ctx, func(w *writer) error {
		if o.Manager != "" {
			if _, err := w.manager(ctx, o.Manager); err != nil {
				return err
			}
		}
		found, err := w.byIdentity(ctx, o.Identities)
		if err != nil {
			return err
		}
		_, r, err = w.observe(ctx, o, found)
		return err
	})
}
