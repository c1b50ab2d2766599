package gate

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/document"
	"aws-provider-executor/pkg/policy"
	"aws-provider-executor/pkg/protocol"
	"aws-provider-executor/pkg/selection"
)

// Selected says which selection a plan is one of, and for which of its nodes it is.
type Selected struct {
	// Digest is that of the selection's document.
	Digest string `json:"digest"`
	// Node is the node's id in it.
	Node string `json:"node"`

	// Document is what the plan was read with; nil where it comes from the journal.
	Document *selection.Document `json:"-"`
}

// SelectedOf makes the mark of a plan for a node of a document.
func SelectedOf(d *selection.Document, digest string, n selection.Node) *Selected {
	return &Selected{Digest: digest, Node: n.ID, Document: d}
}

// hasEntry reports whether an object has a key.
func hasEntry(n *document.Node, key string) bool {
	return slices.ContainsFunc(n.Entries, func(e document.Entry) bool { return e.Key == key })
}

// selected reads a selection and its plans.
func (r *planReader) selected(n *document.Node, path string) {
	d := &selection.Document{}
	var line int
	first := r.plans.Len()
	r.Fields(n, path,
		document.Field{Name: "selection", Required: true, Read: func(n *document.Node, path string) {
			line = n.Line
			r.selection(d, n, path)
		}},
		document.Field{Name: "actionPlans", Required: true,
			Read: func(n *document.Node, path string) { r.Each(n, path, r.plan) }},
	)
	if len(r.Faults) > 0 {
		return
	}
	err := d.Check()
	digest, wrong := d.Digest()
	if err == nil {
		err = wrong
	}
	if err != nil {
		r.Add(line, "selection", "%s", strings.ReplaceAll(err.Error(), "\n", "; "))
		return
	}
	for i := first; i < r.plans.Len(); i++ {
		p := r.plans.At(i)
		switch {
		case p.Selected == nil:
			r.Add(p.line("action"), "selected", "is required beside a selection")
		case p.Selected.Digest != digest:
			r.Add(p.line("selected"), "selected.digest", "is %s, and the selection has %s",
				protocol.Quote(p.Selected.Digest), digest)
		default:
			p.Selected.Document = d
		}
	}
}

// selection reads the document of a selection.
func (r *planReader) selection(d *selection.Document, n *document.Node, path string) {
	text := func(to *string) func(*document.Node, string) {
		return func(n *document.Node, path string) { *to = r.String(n, path) }
	}
	// A node may lack what is empty here.
	loose := func(to *string) func(*document.Node, string) {
		return func(n *document.Node, path string) {
			if n.Kind != document.Text || n.Text != "" {
				*to = r.String(n, path)
			}
		}
	}
	r.Fields(n, path,
		document.Field{Name: "format", Required: true, Read: text(&d.Format)},
		document.Field{Name: "key", Required: true, Read: text(&d.Key)},
		document.Field{Name: "action", Required: true, Read: text(&d.Action)},
		document.Field{Name: "selectors", Required: true, Read: func(n *document.Node, path string) {
			r.Each(n, path, func(n *document.Node, path string) {
				d.Selectors = append(d.Selectors, r.String(n, path))
			})
		}},
		document.Field{Name: "chosenAt", Required: true, Read: func(n *document.Node, path string) {
			at, err := time.Parse(time.RFC3339, r.String(n, path))
			if err != nil {
				r.Add(n.Line, path, "is no time as 2026-11-29T05:00:00Z")
			}
			d.ChosenAt = at
		}},
		document.Field{Name: "chosenBy", Required: true, Read: text(&d.ChosenBy)},
		document.Field{Name: "nodes", Required: true, Read: func(n *document.Node, path string) {
			r.Each(n, path, func(n *document.Node, path string) {
				var x selection.Node
				r.Fields(n, path,
					document.Field{Name: "id", Required: true, Read: text(&x.ID)},
					document.Field{Name: "name", Read: loose(&x.Name)},
					document.Field{Name: "sourceId", Required: true, Read: text(&x.SourceID)},
					document.Field{Name: "region", Required: true, Read: loose(&x.Region)},
					document.Field{Name: "accountId", Read: loose(&x.AccountID)},
					document.Field{Name: "state", Read: loose(&x.State)},
					document.Field{Name: "interface", Read: loose(&x.Interface)},
					document.Field{Name: "by", Required: true, Read: func(n *document.Node, path string) {
						r.Each(n, path, func(n *document.Node, path string) {
							x.By = append(x.By, r.Int(n, path, 1))
						})
					}},
				)
				d.Nodes = append(d.Nodes, x)
			})
		}},
		document.Field{Name: "regions", Required: true, Read: func(n *document.Node, path string) {
			r.Each(n, path, func(n *document.Node, path string) {
				var x selection.Region
				r.Fields(n, path,
					document.Field{Name: "region", Required: true, Read: loose(&x.Region)},
					document.Field{Name: "accountId", Read: loose(&x.AccountID)},
					document.Field{Name: "nodes", Required: true, Read: func(n *document.Node, path string) {
						x.Nodes = r.Int(n, path, 0)
					}},
				)
				d.Regions = append(d.Regions, x)
			})
		}},
	)
}

// notAsSelected refuses a plan that is not what its selection says of its node, and one whose
// selection the policy does not take. Of no other plan it is known which account it is of.
func (g *Gate) notAsSelected(ctx context.Context, p Plan) policy.Denial {
	if p.Selected == nil {
		return g.notSelected(p)
	}
	d := p.Selected.Document
	if d == nil {
		var err error
		d, err = g.Selection(ctx, selection.KeyOfPlan(p.IdempotencyKey), p.Selected.Digest)
		if err != nil {
			return against("selected", "%v", err)
		}
	}
	known := g.Selections.known(d)
	reasons := g.strays(p, known)
	if g.Policy != nil {
		reasons = append(reasons, g.Policy.Selection(known.judged)...)
	}
	return reasons
}

// notSelected refuses a plan that no selection made, where the policy has to know its account. A
// machine that was added by hand is of none.
func (g *Gate) notSelected(p Plan) policy.Denial {
	if g.Policy == nil {
		return nil
	}
	for _, r := range g.Registry.Resources(p.Target) {
		if r.Kind == action.Node {
			return g.Policy.Selection(&policy.Nodes{Chosen: 1})
		}
	}
	return g.Policy.Selection(nil)
}

// accountOf is the account of the node that a plan was made for; empty for one that no selection
// made. An executor with an identity of another account refuses the request by it.
func (g *Gate) accountOf(ctx context.Context, p Plan) string {
	if p.Selected == nil {
		return ""
	}
	d, err := g.Selection(ctx, selection.KeyOfPlan(p.IdempotencyKey), p.Selected.Digest)
	if err != nil {
		// Whether the plan is as its selection has it was decided before.
		return ""
	}
	known := g.Selections.known(d)
	if i, there := known.places[p.Selected.Node]; there {
		return d.Nodes[i].AccountID
	}
	return ""
}

// strays tells how a plan is not what its selection says of its node.
func (g *Gate) strays(p Plan, d *knownSelection) (reasons policy.Denial) {
	i, there := d.places[p.Selected.Node]
	if !there {
		return against("selected", "the selection %s has no node %s", protocol.Quote(d.Key),
			protocol.Quote(p.Selected.Node))
	}
	n := d.Nodes[i]
	for _, part := range []struct{ what, is, want string }{
		{"action", p.Action, d.Action},
		{"idempotencyKey", p.IdempotencyKey, d.KeyOf(n)},
		{"target.region", p.Target["region"], n.Region},
	} {
		if part.is != part.want {
			reasons = append(reasons, against("selected", "its %s is %s, and the selection has %s",
				part.what, protocol.Quote(part.is), protocol.Quote(part.want))...)
		}
	}
	acted := false
	for _, r := range g.Registry.Resources(p.Target) {
		wants := map[action.Kind]string{
			action.Instance: n.SourceID, action.NetworkInterface: n.Interface, action.Node: n.SourceID,
		}
		want, ofNode := wants[r.Kind]
		if !ofNode {
			continue
		}
		if acted = true; r.ID != want {
			reasons = append(reasons, against("selected", "its target.%s is %s, and the selection has %s",
				r.Field, protocol.Quote(r.ID), protocol.Quote(want))...)
		}
	}
	if !acted {
		reasons = append(reasons, against("selected", "its target names neither the node nor an "+
			"interface of it")...)
	}
	return reasons
}

// judged is what a policy judges of a selection.
func judged(d *selection.Document) *policy.Nodes {
	n := policy.Nodes{Chosen: len(d.Nodes)}
	for _, s := range d.Shares() {
		share := policy.Share{Name: s.Name, Chosen: s.Chosen, Of: s.Of}
		if s.Unknown {
			share.Of = 0
		}
		n.Regions = append(n.Regions, share)
	}
	for _, c := range d.Accounts() {
		if c.Name == "" && d.InNoRegion() {
			// Machines that were added by hand are of no account.
			continue
		}
		n.Accounts = append(n.Accounts, policy.Share{Name: c.Name, Chosen: c.Nodes, Of: len(d.Nodes)})
	}
	return &n
}

// CheckSelection decides whether the policy takes a selection; without a policy it is taken.
func (g *Gate) CheckSelection(d *selection.Document) policy.Denial {
	if g.Policy == nil {
		return nil
	}
	return g.Policy.Selection(judged(d))
}

// The data of an event that logs a selection.
const (
	selectionDigest   = "selection"
	selectionDocument = "document"
)

// SelectionCache remembers selections by their digests, and what was found out of each. It is safe
// for concurrent use, and its zero value is empty.
type SelectionCache struct{ documents, all sync.Map }

// knownSelection is a selection with what is asked of it for each of its plans.
type knownSelection struct {
	*selection.Document
	places map[string]int
	judged *policy.Nodes
}

// known is what is known of a document.
func (c *SelectionCache) known(d *selection.Document) *knownSelection {
	if c != nil {
		if k, ok := c.all.Load(d); ok {
			return k.(*knownSelection)
		}
	}
	k := &knownSelection{d, d.Places(), judged(d)}
	if c != nil {
		c.all.Store(d, k)
	}
	return k
}

func (c *SelectionCache) find(digest string) *selection.Document {
	if c == nil {
		return nil
	}
	d, _ := c.documents.Load(digest)
	found, _ := d.(*selection.Document)
	return found
}

func (c *SelectionCache) keep(digest string, d *selection.Document) {
	if c != nil {
		c.documents.Store(digest, d)
	}
}

// Selection finds a selection in the journal by its key. A digest that is not empty is the only one
// to find. What is found is as it was imported: it has that digest.
func (g *Gate) Selection(
	ctx context.Context, key, digest string,
) (*selection.Document, error) {
	if d := g.Selections.find(digest); d != nil {
		return d, nil
	}
	events, err := g.Store.Events(ctx, EventQuery{
		NoAction: true, Kind: EventSelected, Keys: []string{key},
	})
	if err != nil {
		return nil, err
	}
	for _, e := range events {
		text := e.text(selectionDocument)
		is := selection.DigestOf(text)
		if is != e.text(selectionDigest) {
			return nil, fmt.Errorf("%w: the selection %s has the digest %s, and event %d says %s",
				ErrAltered, protocol.Quote(key), is, e.Seq, e.text(selectionDigest))
		}
		if digest != "" && digest != is {
			continue
		}
		d, err := selection.Read(text)
		if err != nil {
			return nil, fmt.Errorf("event %d: %w", e.Seq, err)
		}
		g.Selections.keep(is, d)
		return d, nil
	}
	return nil, fmt.Errorf("there is no selection %s in the journal", protocol.Quote(key))
}

// importedSelection is a selection that plans are imported with.
type importedSelection struct {
	document *selection.Document
	// known is set where the journal has it, or where an event of this import logs it.
	known bool
}

// selectedFirst is the event that logs the selection of a plan, before the first plan of it.
func (im *Importing) selectedFirst(of *Selected) []Event {
	if of == nil || of.Document == nil {
		return nil
	}
	s := im.selections[of.Digest]
	if s == nil || s.known {
		return nil
	}
	s.known = true
	// A document that was checked has a text.
	text, _ := s.document.Text()
	return []Event{{
		At: im.gate.Now(), Kind: EventSelected, Key: s.document.Key, Actor: im.gate.Actor,
		Data: map[string]any{
			selectionDigest: of.Digest, selectionDocument: text, "source": im.source,
			"action": s.document.Action, "selectors": s.document.Selectors,
			"nodes": fmt.Sprint(len(s.document.Nodes)),
		},
	}}
}

// checkSelections refuses a selection whose key is that of another one.
func (im *Importing) checkSelections(ctx context.Context) error {
	im.selections = map[string]*importedSelection{}
	keys := map[string]string{}
	for i := range im.good.Len() {
		s := im.good.Selected(i)
		if s == nil || s.Document == nil || im.selections[s.Digest] != nil {
			continue
		}
		d := s.Document
		im.selections[s.Digest] = &importedSelection{document: d}
		if other, twice := keys[d.Key]; twice && other != s.Digest {
			im.refuse("%s: two selections have the key %s", im.called(i), protocol.Quote(d.Key))
		}
		keys[d.Key] = s.Digest
		events, err := im.gate.Store.Events(ctx, EventQuery{
			NoAction: true, Kind: EventSelected, Keys: []string{d.Key},
		})
		if err != nil {
			return err
		}
		for _, e := range events {
			if e.text(selectionDigest) == s.Digest {
				im.selections[s.Digest].known = true
				continue
			}
			im.refuse("%s: the key %s is that of another selection, imported at %s: choose the nodes "+
				"under another key", im.called(i), protocol.Quote(d.Key), e.At.Format(time.RFC3339))
		}
	}
	return nil
}

// InSelection lists the actions of a selection that are to be executed still, in its order, and
// tells of each that was done with before.
func (g *Gate) InSelection(
	ctx context.Context, d *selection.Document, q Query,
) (ids []int64, before []Action, err error) {
	q.Checked = true
	actions, err := g.Store.List(ctx, q)
	if err != nil {
		return nil, nil, err
	}
	actions = slices.DeleteFunc(actions, func(a Action) bool { return a.Selected == nil })
	places := d.Places()
	place := func(a Action) int { return places[a.Selected.Node] }
	slices.SortStableFunc(actions, func(a, b Action) int { return place(a) - place(b) })
	for _, a := range actions {
		switch a.Status {
		case Succeeded, RolledBack, Rejected, Skipped:
			before = append(before, a)
		default:
			ids = append(ids, a.ID)
		}
	}
	return ids, before, nil
}

// SelectionSeen logs how the nodes of a selection were found before it went on.
func (g *Gate) SelectionSeen(
	ctx context.Context, d *selection.Document, differences []selection.Difference,
) error {
	digest, err := d.Digest()
	if err != nil || g.Store.ReadOnly() {
		return err
	}
	found := make([]string, len(differences))
	for i, x := range differences {
		found[i] = x.String()
	}
	e := g.event(EventSelectionSeen, Action{}, map[string]any{
		selectionDigest: digest, "differences": found,
	})
	e.Key = d.Key
	return g.Store.Note(ctx, e)
}
