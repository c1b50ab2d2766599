package policy

import "slices"

// Nodes is a selection of nodes that plans are for.
type Nodes struct {
	// Chosen is how many nodes are chosen.
	Chosen int
	// Regions tell how many nodes are chosen of each region of each account. Of is 0 where it is not
	// known how many there are.
	Regions []Share
	// Accounts tell how many of the chosen nodes are of each account.
	Accounts []Share
}

// Share is how many are chosen of all that there are of one name.
type Share struct {
	Name       string
	Chosen, Of int
}

// Selection decides whether so many nodes may be acted on together, and in these accounts. Nil is a
// plan that no selection made: it does not say its account.
func (p *Policy) Selection(n *Nodes) Denial {
	return p.decide(func(p *Policy, d *Denial) {
		if n == nil {
			if p.Accounts != nil {
				d.add("allowedAccounts", "the plan does not say its account, and only %s may be acted on; "+
					"choose its node with actionctl plan --nodes", list(p.Accounts))
			}
			return
		}
		if p.MaxNodes > 0 && n.Chosen > p.MaxNodes {
			d.add("maxNodes", "%d nodes are chosen, and %d are allowed; choose fewer, or write "+
				"maxNodes: %d", n.Chosen, p.MaxNodes, n.Chosen)
		}
		p.regionShares(d, n)
		p.accounts(d, n)
	})
}

func (p *Policy) regionShares(d *Denial, n *Nodes) {
	if p.MaxPercentPerRegion == 0 {
		return
	}
	for _, r := range n.Regions {
		if r.Of == 0 {
			d.add("maxPercentPerRegion", "%d nodes in %s are chosen, and the selection does not say of "+
				"how many: an older program counted all accounts together; choose anew", r.Chosen, r.Name)
			continue
		}
		if r.Chosen*100 <= p.MaxPercentPerRegion*r.Of {
			continue
		}
		// Rounded up, so that what is named suffices.
		percent := (r.Chosen*100 + r.Of - 1) / r.Of
		d.add("maxPercentPerRegion", "%d of %d nodes in %s are chosen, which is %d %%, and %d %% are "+
			"allowed; choose fewer, or write maxPercentPerRegion: %d",
			r.Chosen, r.Of, r.Name, percent, p.MaxPercentPerRegion, percent)
	}
}

func (p *Policy) accounts(d *Denial, n *Nodes) {
	if p.Accounts == nil || slices.Contains(p.Accounts, "*") {
		return
	}
	for _, a := range n.Accounts {
		if slices.Contains(p.Accounts, a.Name) {
			continue
		}
		d.add("allowedAccounts", "%d of %d nodes are of the account %q, which is not allowed; "+
			"allowed: %s; to allow it %s", a.Chosen, a.Of, a.Name, list(p.Accounts),
			extend("allowedAccounts", p.Accounts, a.Name))
	}
}
