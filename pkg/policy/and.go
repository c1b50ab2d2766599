package policy

import "slices"

// And makes a policy that allows what both allow. Both decide, and both name their reasons.
func (p *Policy) And(q *Policy) *Policy {
	return &Policy{
		Name:            p.Name + " and " + q.Name,
		RequireEvidence: p.RequireEvidence || q.RequireEvidence,
		parts:           slices.Concat(p.each(), q.each()),
	}
}

// each are the policies that decide: the policy itself, unless it was put together of others.
func (p *Policy) each() []*Policy {
	if len(p.parts) > 0 {
		return p.parts
	}
	return []*Policy{p}
}

// decide gathers the reasons of each; where there are several policies, a reason says whose it is.
func (p *Policy) decide(one func(p *Policy, d *Denial)) Denial {
	var all Denial
	for _, part := range p.each() {
		var d Denial
		one(part, &d)
		for _, r := range d {
			if part != p {
				r.Text += " (the policy " + part.Name + ")"
			}
			all = append(all, r)
		}
	}
	return all
}

func (p *Policy) any(is func(p *Policy) bool) bool { return slices.ContainsFunc(p.each(), is) }

func (p *Policy) all(are func(p *Policy) bool) bool {
	return !p.any(func(p *Policy) bool { return !are(p) })
}
