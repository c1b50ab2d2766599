package cli

import (
	"context"
	"slices"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/iampolicy"
	"aws-provider-executor/pkg/policy"
	"aws-provider-executor/pkg/preflight"
	"aws-provider-executor/pkg/protocol"
)

// roleChecks hold the policies of the executor's role against what requests need. What
// can't be read or judged is unknown.
func (a *app) roleChecks(
	ctx context.Context, f *preflightFlags, p *policy.Policy, requests []protocol.Request,
) []preflight.Check {
	ctx, cancel := context.WithTimeout(ctx, a.timeout)
	defer cancel()
	granted, err := f.granted(ctx)
	if err != nil {
		return []preflight.Check{{
			Name: iampolicy.CheckPolicies, Verdict: preflight.Unknown, Seen: err.Error(),
			Advice: "read them with an identity that may, or give the documents by file",
			Facts:  map[string]any{},
		}}
	}
	byRegion := regionsOf(requests)
	needed, err := a.wantedFor(f, p, byRegion)
	if err != nil {
		return []preflight.Check{notOnePolicy(err)}
	}
	allowed, err := a.wantedFor(f, p, byRegion, iampolicy.Foresight, iampolicy.Preflight)
	if err != nil {
		return []preflight.Check{notOnePolicy(err)}
	}
	// What only looking needs is not missing where the role lacks it, and no excess where it has it.
	checks := slices.DeleteFunc(iampolicy.Compare(granted, needed...), isExcess)
	return append(checks, slices.DeleteFunc(iampolicy.Compare(granted, allowed...),
		func(c preflight.Check) bool { return !isExcess(c) })...)
}

// regionsOf puts the requests of each region together, in the order in which regions are named.
func regionsOf(requests []protocol.Request) [][]protocol.Request {
	var all [][]protocol.Request
	for _, r := range requests {
		i := slices.IndexFunc(all, func(of []protocol.Request) bool {
			return of[0].Target["region"] == r.Target["region"]
		})
		if i < 0 {
			all = append(all, []protocol.Request{r})
			continue
		}
		all[i] = append(all[i], r)
	}
	return all
}

func isExcess(c preflight.Check) bool { return c.Name == iampolicy.CheckExcess }

// notOnePolicy says why it can't be told what the requests need.
func notOnePolicy(err error) preflight.Check {
	return preflight.Check{
		Name: iampolicy.CheckNeeded, Verdict: preflight.Unknown, Seen: err.Error(),
		Advice: "mend what the sentence names, and run it again", Facts: map[string]any{},
	}
}

// wantedFor is what the requests of each region need, and what the extras do there.
func (a *app) wantedFor(
	f *preflightFlags, p *policy.Policy, byRegion [][]protocol.Request, extras ...string,
) ([]*iampolicy.Wanted, error) {
	var all []*iampolicy.Wanted
	for _, requests := range byRegion {
		w := &iampolicy.Wanted{
			Choice: iampolicy.Choice{With: slices.Clone(extras)}, Extras: iampolicy.Extras(),
			Scope: iampolicy.Scope{Account: f.expected.Account, IDs: map[action.Kind][]string{}},
		}
		if p != nil && p.ReadsTags() {
			w.Choice.With = append(w.Choice.With, iampolicy.PolicyTags)
		}
		if err := w.Resolve(a.Registry, w.Add(a.Registry, requests)); err != nil {
			return nil, err
		}
		all = append(all, w)
	}
	return all, nil
}
