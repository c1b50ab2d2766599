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
	needed, err := a.wantedFor(f, p, requests)
	if err != nil {
		return []preflight.Check{notOnePolicy(err)}
	}
	allowed, err := a.wantedFor(f, p, requests, iampolicy.Foresight, iampolicy.Preflight)
	if err != nil {
		return []preflight.Check{notOnePolicy(err)}
	}
	// What only looking needs is not missing where the role lacks it, and no excess where it has it.
	checks := slices.DeleteFunc(needed.Compare(granted), isExcess)
	return append(checks, slices.DeleteFunc(allowed.Compare(granted),
		func(c preflight.Check) bool { return !isExcess(c) })...)
}

func isExcess(c preflight.Check) bool { return c.Name == iampolicy.CheckExcess }

// notOnePolicy says that no one policy is for all of the requests.
func notOnePolicy(err error) preflight.Check {
	return preflight.Check{
		Name: iampolicy.CheckNeeded, Verdict: preflight.Unknown, Seen: err.Error(),
		Advice: "check the requests of each region apart", Facts: map[string]any{},
	}
}

// wantedFor is what requests need, and what the extras do.
func (a *app) wantedFor(
	f *preflightFlags, p *policy.Policy, requests []protocol.Request, extras ...string,
) (*iampolicy.Wanted, error) {
	w := &iampolicy.Wanted{
		Choice: iampolicy.Choice{With: extras}, Extras: iampolicy.Extras(),
		Scope: iampolicy.Scope{Account: f.expected.Account, IDs: map[action.Kind][]string{}},
	}
	if p != nil && p.ReadsTags() {
		w.Choice.With = append(w.Choice.With, iampolicy.PolicyTags)
	}
	return w, w.Resolve(a.Registry, w.Add(a.Registry, requests))
}
