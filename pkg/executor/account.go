package executor

import (
	"cmp"
	"context"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/protocol"
)

// accounts is what a connection's reader may tell beside what verbs read: in which account its
// calls are made.
type accounts interface {
	// KnownAccount returns the account if it is known without asking. It is empty if it is not.
	KnownAccount() string
	// Account asks for it.
	Account(context.Context) (string, error)
}

// owner returns the account that has the target, as the plan's reading tells it. Where that tells
// none, an earlier attempt's record counts, and then the account of the identity.
func (r *run) owner() string {
	recorded, known := "", ""
	if len(r.past.Own) > 0 {
		recorded = r.record.Owner
	}
	if a, ok := r.reader.(accounts); ok {
		known = a.KnownAccount()
	}
	return cmp.Or(r.plan.Seen.Owner, recorded, known)
}

// inItsAccount refuses a plan that rests on an absence in the wrong account: an undo, or an action
// of which an earlier attempt is recorded.
func (r *run) inItsAccount(p *action.Plan) error {
	rests := p.Unseen && len(r.past.Own) > 0
	if r.undoes() != "" {
		rests = p.Unseen || p.TargetGone && p.Seen.Owner == ""
	}
	if !rests {
		return nil
	}
	return r.sameAccount()
}

// sameAccount refuses a request that did not find what its action changed, if the action was made
// in another account than this identity's: there it may be as the action left it. The record comes
// before the facts.
func (r *run) sameAccount() error {
	what, rest := "the target", "nothing was changed"
	owner := r.wire.Parameters[protocol.FactTargetAccount]
	if len(r.past.Own) > 0 {
		what, owner = "what the action changed ("+resources(r.record)+")", r.record.Owner
		rest += ", and the record is kept"
	}
	again := "try again"
	if r.undoes() != "" {
		again = "undo"
	}
	a, tells := r.reader.(accounts)
	if owner == "" || !tells {
		return nil
	}
	account, err := a.Account(r.times.plan)
	switch {
	case err != nil:
		told := *asFailure(err)
		told.Message = what + " was not found, and whether this identity is of the account of the" +
			" action, " + protocol.Quote(owner) + ", could not be found out: " + told.Message + "; " + rest
		return &told
	case account == owner:
		return nil
	}
	return protocol.Refuse(protocol.Configuration,
		"%s was not found, but this identity is of the account %s, and the action was made in the"+
			" account %s; %s; %s with an identity of that account",
		what, protocol.Quote(account), protocol.Quote(owner), rest, again)
}

// inNamedAccount refuses a request for a target that the caller knows to be of another account than
// the identity is of, before anything of the target is read: there it would not be found. Where it
// can't be found out which account that is the target's own reading decides.
func (r *run) inNamedAccount() error {
	named := r.wire.TargetAccount
	a, tells := r.reader.(accounts)
	if named == "" || !tells {
		return nil
	}
	account := a.KnownAccount()
	if account == "" {
		var err error
		if account, err = a.Account(r.times.plan); err != nil {
			r.Log.Warn("cannot find out the account of this identity", "error", err.Error())
			return nil
		}
	}
	if account == named {
		return nil
	}
	return protocol.Refuse(protocol.Configuration,
		"the target is of the account %s, as the caller knows it, and this identity is of the account "+
			"%s; nothing was asked of the target; have it run by an executor with an identity of %s",
		protocol.Quote(named), protocol.Quote(account), named)
}

// absent is the failure of an undo whose plan failed. What was not found may be in another account.
func (r *run) absent(cause error) error {
	if r.undoes() == "" || asFailure(cause).Class != protocol.NotFound {
		return cause
	}
	if err := r.sameAccount(); err != nil && asFailure(err).Class == protocol.Configuration {
		return err
	}
	return cause
}
