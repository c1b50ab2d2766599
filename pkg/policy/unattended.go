package policy

import (
	"fmt"
	"slices"
	"time"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/document"
	"aws-provider-executor/pkg/protocol"
)

// unattended says what needs no approval if a lifecycle event asks for it.
type unattended struct {
	accounts               []string
	groups, subnets, pools []Pattern
}

// Event is on whose behalf an unattended run acts: a lifecycle event of an Auto Scaling group.
type Event struct{ Account, Group string }

// taken is what a request takes of others: an interface of subnets, an address or a licence of
// pools.
type taken struct{ subnets, pools []string }

// takenBy lists what a request takes, by the fields that its verb declares.
func takenBy(verbs *action.Registry, r protocol.Request) (t taken) {
	verb, known := verbs.Resolve(r)
	if !known {
		return t
	}
	reduced, _ := verbs.Check(verb, r)
	each := func(fields []action.Field, given map[string]string) {
		for _, f := range fields {
			for _, value := range f.Values(given) {
				switch {
				case f.Pool, f.Form.Names != nil && f.Form.Names(value) == action.ElasticIP:
					t.pools = append(t.pools, value)
				case f.Form.Names != nil && f.Form.Names(value) == action.Subnet:
					t.subnets = append(t.subnets, value)
				}
			}
		}
	}
	each(verb.Target, reduced.Target)
	each(verb.Parameters, reduced.Parameters)
	slices.Sort(t.subnets)
	slices.Sort(t.pools)
	return t
}

// Unattends decides whether a lifecycle event may be acted on without a person: whether a policy
// names its account and group, and none names only others.
func (p *Policy) Unattends(e Event) Denial {
	if !p.any(func(p *Policy) bool { return p.unattended != nil }) {
		return Denial{
			{"unattended", fmt.Sprintf("no policy says which groups' events are handled without "+
				"a person; to handle this one write unattended: {accounts: [%q], groups: [%s]}", e.Account,
				scalar(e.Group))},
		}
	}
	return p.decide(func(p *Policy, d *Denial) {
		if p.unattended != nil {
			p.unattended.event(d, e)
		}
	})
}

// ApprovedUnattended is Approved for an action that a lifecycle event asks for: a policy that
// waives approval for that needs none.
func (p *Policy) ApprovedUnattended(
	h History, now time.Time, verbs *action.Registry, e Event,
) Denial {
	takes := takenBy(verbs, h.Request)
	return p.decide(func(p *Policy, d *Denial) {
		missing := p.Approved(h, now)
		if p.unattended == nil || p.approvalWaived || len(missing) == 0 {
			*d = missing
			return
		}
		var against Denial
		p.unattended.event(&against, e)
		p.unattended.takes(&against, takes)
		if *d = append(p.Evidence(h, now), p.Wait(h, now)...); len(against) > 0 {
			*d = append(missing, against...)
		}
	})
}

func (u *unattended) event(d *Denial, e Event) {
	name(d, "unattended.accounts", "account", u.accounts, e.Account)
	if !matchAny(u.groups, e.Group) {
		d.add("unattended.groups", "the group %q is not one whose events are handled without a person; "+
			"allowed: %s; to allow it %s", e.Group, list(u.groups),
			extend("unattended.groups", u.groups, e.Group))
	}
}

func (u *unattended) takes(d *Denial, t taken) {
	for _, part := range []struct {
		field, what string
		allowed     []Pattern
		values      []string
	}{
		{"unattended.subnets", "subnet", u.subnets, t.subnets},
		{"unattended.pools", "pool", u.pools, t.pools},
	} {
		for _, value := range slices.Compact(part.values) {
			if !matchAny(part.allowed, value) {
				d.add(part.field, "the %s %q is not taken from without a person; allowed: %s; to allow it %s",
					part.what, value, list(part.allowed), extend(part.field, part.allowed, value))
			}
		}
	}
}

// readUnattended reads what needs no approval.
func (r *reader) readUnattended(n *document.Node, path string) {
	u := &unattended{}
	r.policy.unattended = u
	r.FullFields(n, path,
		document.Field{Name: "accounts", Required: true, Read: r.strings(&u.accounts, "none")},
		document.Field{Name: "groups", Required: true, Read: r.patterns(&u.groups)},
		document.Field{Name: "subnets", Read: r.patterns(&u.subnets)},
		document.Field{Name: "pools", Read: r.patterns(&u.pools)},
	)
}
