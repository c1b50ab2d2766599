package secondaryip

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/protocol"
)

// address is the thing that both verbs act on.
type address struct {
	r  Reader
	ip string
}

func (a address) isIPv6() bool { return strings.Contains(a.ip, ":") }

// resource names the address: two VPCs may have the same one.
func (a address) resource(vpc string) string { return vpc + "/" + a.ip }

// at is the address with its present holder.
func (a address) at(vpc, holder string) action.At {
	return action.At{
		Resource: a.resource(vpc), Attribute: attribute, Now: holder, What: "the holder of " + a.ip,
	}
}

// known are the interfaces that a history knows, each of which may have the address.
func known(history []action.Recorded) []string {
	var ids []string
	for _, e := range history {
		ids = append(ids, e.From, e.To, e.Via)
	}
	return ids
}

// transition moves the address between holders. Explain may add to an error what
// a reading tells.
func (a address) transition(
	vpc, from, to string, explain func(context.Context, error) error,
) action.Transition {
	t := action.Transition{
		Resource: a.resource(vpc), Attribute: attribute, From: from, To: to, Call: callAssign,
	}
	switch {
	case a.isIPv6():
		t.Call = callAssignIPv6
		if to == unassigned {
			t.Call = callUnassignIPv6
		}
		goal := to
		t.Set = action.SetWith(func(ctx context.Context, w Writer, from, to string) error {
			return explain(ctx, a.moveIPv6(ctx, w, from, to, goal))
		})
		return t
	case to == unassigned:
		t.Call = callUnassign
	}
	t.Set = action.SetWith(func(ctx context.Context, w Writer, from, to string) error {
		if to == unassigned {
			return explain(ctx, w.UnassignPrivateIPAddress(ctx, from, a.ip))
		}
		return explain(ctx, w.AssignPrivateIPAddress(ctx, to, a.ip, from != unassigned))
	})
	return t
}

// byWayOf lets a move of an IPv6 address stop half-way, where nobody has it. The executor reads it
// back there, and knows it for its own doing when it finds it so later.
func (a address) byWayOf(t action.Transition) action.Transition {
	if a.isIPv6() && t.To != unassigned {
		t.Via = unassigned
	}
	return t
}

// moveIPv6 lets an address go, or assigns it, or both where there is no stop between. Goal is the
// holder that the whole move is for.
func (a address) moveIPv6(ctx context.Context, w Writer, from, to, goal string) error {
	if from == unassigned {
		return w.AssignIPv6Address(ctx, to, a.ip)
	}
	if to != unassigned {
		goal = to
	}
	if err := a.unassignIPv6(ctx, w, from, goal); err != nil || to == unassigned {
		return err
	}
	// Refused now, it is not as it was: the one before has it no more.
	return uncertain(w.AssignIPv6Address(ctx, to, a.ip))
}

// unassignIPv6 takes an IPv6 address off its holder. One that is on its way to another is offered
// to that one first. Only a refusal for being held shows that EC2 has no other reason to refuse it
// (no permission, no room, no such subnet). Another reason would leave it without a holder.
func (a address) unassignIPv6(ctx context.Context, w Writer, holder, goal string) error {
	if goal == unassigned || goal == holder {
		return w.UnassignIPv6Address(ctx, holder, a.ip)
	}
	var refused *protocol.Failure
	switch err := w.AssignIPv6Address(ctx, goal, a.ip); {
	case err == nil:
		// The holder had let it go already.
		return uncertain(w.UnassignIPv6Address(ctx, goal, a.ip))
	case !errors.As(err, &refused) || refused.Class != protocol.Conflict:
		return err
	}
	if until, ok := action.LeaseOf(ctx); ok {
		if over := action.LeaseOver(until, time.Now()); over != nil {
			over.Message += "; nothing was changed; send it again under a new lease"
			return over
		}
	}
	return w.UnassignIPv6Address(ctx, holder, a.ip)
}

// uncertain makes of a refusal, which certainly changed nothing, the end of a change that may be
// half made.
func uncertain(err error) error {
	var certain *protocol.Failure
	if errors.As(err, &certain) {
		return &action.Unknown{Cause: certain}
	}
	return err
}

// readHolder reads which of these interfaces has the address. One that does not exist holds
// nothing. Two at once, as while EC2 moves it, are told as both.
func (a address) readHolder(
	ctx context.Context, ids ...string,
) (string, []ec2model.NetworkInterface, error) {
	var asked []string
	for _, id := range ids {
		if id != "" && id != unassigned && !slices.Contains(asked, id) {
			asked = append(asked, id)
		}
	}
	found, err := a.r.ExistingNetworkInterfaces(ctx, asked...)
	if err != nil {
		return "", nil, err
	}
	var holders []string
	for _, n := range found {
		if n.Has(a.ip) {
			holders = append(holders, n.ID)
		}
	}
	if len(holders) == 0 {
		holders = []string{unassigned}
	}
	return strings.Join(holders, "+"), found, nil
}

// onBoth refuses an address that more than one interface is shown to have.
func (a address) onBoth(holders []ec2model.NetworkInterface) error {
	return protocol.Refuse(protocol.Unavailable,
		"EC2 shows %s on both %s and %s, as while it is being moved; try again",
		a.ip, holders[0].ID, holders[1].ID)
}

// find is the interface of this id among those that were read.
func find(found []ec2model.NetworkInterface, id string) (ec2model.NetworkInterface, bool) {
	i := slices.IndexFunc(found, func(n ec2model.NetworkInterface) bool { return n.ID == id })
	if i < 0 {
		return ec2model.NetworkInterface{}, false
	}
	return found[i], true
}

// absent is the not-found failure of an interface that was read not to exist.
func (a address) absent(ctx context.Context, nic string) (gone, err error) {
	_, err = a.r.DescribeNetworkInterfaces(ctx, nic)
	var f *protocol.Failure
	switch {
	case err == nil:
		return nil, protocol.Refuse(protocol.Unavailable,
			"EC2's answers contradict each other about %s; try again", nic)
	case errors.As(err, &f) && f.Class == protocol.NotFound:
		return f, nil
	}
	return nil, err
}

func (a address) secondaryFact(nic ec2model.NetworkInterface) map[string]string {
	if a.isIPv6() {
		return map[string]string{"currentSecondaryIps": strings.Join(nic.IPv6, ",")}
	}
	return map[string]string{"currentSecondaryIps": strings.Join(nic.Secondary, ",")}
}

func managed(nic string) *protocol.Failure {
	return protocol.Refuse(protocol.Authorization,
		"%s belongs to an AWS service, which alone may change it; name an interface of your own", nic)
}
