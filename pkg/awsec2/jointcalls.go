package awsec2

import (
	"context"
	"errors"
	"fmt"
	"math/bits"
	"runtime/debug"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/smithy-go/middleware"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/protocol"
)

// jointKind is a kind of calls that are joined.
type jointKind int

const (
	jointRead jointKind = iota
	jointAssign
	jointUnassign
)

// jointAnswer is what EC2 answered to a joint call.
type jointAnswer struct {
	// read is the answer to a reading.
	read *ec2.DescribeNetworkInterfacesOutput
	// lost is why the outcome of a change is unknown; nil if EC2 took it.
	lost error
}

// membersKey carries the members of a joint call.
type membersKey struct{}

func withMembers(ctx context.Context, members []*member) context.Context {
	return context.WithValue(ctx, membersKey{}, members)
}

// errMemberGone says that a joint call is not sent, since one of those it is for has gone or may
// not change anything any more.
var errMemberGone = errors.New("a request that the call was for has gone")

// addMembers lets no joint call begin once one of its members has gone or its lease has ended.
func addMembers(stack *middleware.Stack) error {
	return stack.Finalize.Add(middleware.FinalizeMiddlewareFunc("Members",
		func(
			ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler,
		) (middleware.FinalizeOutput, middleware.Metadata, error) {
			members, _ := ctx.Value(membersKey{}).([]*member)
			for _, m := range members {
				if m.ctx.Err() != nil || leaseOver(m.ctx) != nil {
					return middleware.FinalizeOutput{}, middleware.Metadata{}, errMemberGone
				}
			}
			return next.HandleFinalize(ctx, in)
		}), middleware.After)
}

// leaseOver refuses a change whose time is over; nil while it is not, and where there is none.
func leaseOver(ctx context.Context) error {
	until, ok := action.LeaseOf(ctx)
	if !ok {
		return nil
	}
	if over := action.LeaseOver(until, time.Now()); over != nil {
		over.Message += "; nothing was changed; send it again under a new lease"
		return over
	}
	return nil
}

// once has a call attempted once.
func once(o *ec2.Options) { o.Retryer = aws.NopRetryer{} }

// jointly reads an interface together with others that ask for the same. It returns nil if r has to
// ask alone.
func (r *Reader) jointly(ctx context.Context, ids []string) *ec2.DescribeNetworkInterfacesOutput {
	if r.of == nil || r.of.joints == nil || len(ids) != 1 {
		return nil
	}
	m := &member{ctx: ctx, call: func(ctx context.Context, members []*member) {
		describe := func(
			ctx context.Context, in *ec2.DescribeNetworkInterfacesInput, _ ...func(*ec2.Options),
		) (*ec2.DescribeNetworkInterfacesOutput, error) {
			return r.api.DescribeNetworkInterfaces(ctx, in, once)
		}
		var out *ec2.DescribeNetworkInterfacesOutput
		if r.of.survive(func() (err error) {
			in := &ec2.DescribeNetworkInterfacesInput{NetworkInterfaceIds: ids}
			out, err = call(withMembers(ctx, members), describe, in)
			return err
		}) != nil {
			return
		}
		for _, m := range members {
			m.answer = &jointAnswer{read: out}
		}
	}}
	if r.of.joints.come(ids[0], jointRead, m) != told || m.answer == nil {
		return nil
	}
	return m.answer.read
}

// jointly makes a change of an interface together with others of its kind, or alone if EC2 refuses
// that.
func (w *Writer) jointly(
	ctx context.Context, kind jointKind, nic, address string,
	alone func(context.Context) error,
) error {
	if w.of == nil || w.of.joints == nil {
		return alone(ctx)
	}
	m := &member{ctx: ctx, address: address, call: func(ctx context.Context, members []*member) {
		w.changeJointly(ctx, kind, nic, members)
	}}
	operation, what := "AssignPrivateIpAddresses", assigning(nic, address)
	if kind == jointUnassign {
		operation, what = "UnassignPrivateIpAddresses", unassigning(nic, address)
	}
	switch fate := w.of.joints.come(nic, kind, m); {
	case fate == abandoned:
		return changeOutcome(operation, what, &callError{
			cause: ctx.Err(), own: w.of.own, knownAttempts: knownAttempts{sent: true, identified: true},
		})
	case fate == told && m.answer != nil:
		return changeOutcome(operation, what, m.answer.lost)
	}
	// Waiting for others took its time.
	if err := leaseOver(ctx); err != nil {
		return err
	}
	err := alone(ctx)
	if m.refused && !looked(err) {
		// Whether EC2 takes a part of what it refuses is not documented.
		return uncertainChange(err)
	}
	return err
}

// changeJointly makes one change for all members. If EC2 refuses that, it makes one for each half
// of them, and so on, as long as that finds out whose change it is that EC2 refuses.
func (w *Writer) changeJointly(
	ctx context.Context, kind jointKind, nic string, members []*member,
) {
	newHalving(len(members), func(some []*member) protocol.FailureClass {
		return w.changeOnce(withMembers(ctx, some), kind, nic, some)
	}).try(members, "")
}

// halving makes a change for as many members as it can be made for. The others ask alone.
type halving struct {
	// change makes one change for some members. It returns why that failed, or nothing.
	change func(some []*member) protocol.FailureClass
	// left is how many refusals are still worth while: each success is worth one more.
	left int
}

func newHalving(n int, change func([]*member) protocol.FailureClass) *halving {
	return &halving{change: change, left: bits.Len(uint(n)) + 1}
}

// try makes the change for all of these members or for some, and returns why EC2 refused to make it
// for all. It is known already if it is not empty. One member is not tried.
func (h *halving) try(members []*member, known protocol.FailureClass) protocol.FailureClass {
	if len(members) < 2 || h.left == 0 {
		return known
	}
	refused := known
	if refused == "" {
		if refused = h.change(members); refused == "" {
			h.left++
			return ""
		}
		h.left--
	}
	if !divides(refused) {
		h.left = 0
		return refused
	}
	middle := (len(members) + 1) / 2
	switch first := h.try(members[:middle], ""); first {
	case "":
		// So it is the other half that EC2 refuses, in the same way.
		h.try(members[middle:], refused)
	case protocol.LimitExceeded:
		// What there was room for is taken.
		h.left = 0
	default:
		h.try(members[middle:], "")
	}
	return refused
}

// divides reports whether a change that is refused for this may be made in part.
func divides(class protocol.FailureClass) bool {
	switch class {
	case protocol.Conflict, protocol.InvalidRequest, protocol.LimitExceeded, memberGone:
		return true
	}
	return false
}

// What stands for the class where EC2 did not refuse a change.
const (
	// memberGone is of one that is not sent since one of its members has gone.
	memberGone = protocol.FailureClass("gone")
	// answerLost is of one whose outcome is unknown. Its members know that.
	answerLost = protocol.FailureClass("lost")
)

// changeOnce makes one change for some members. It returns why that failed, or nothing.
func (w *Writer) changeOnce(
	ctx context.Context, kind jointKind, nic string, members []*member,
) protocol.FailureClass {
	var addresses []string
	for _, m := range members {
		addresses = append(addresses, m.address)
	}
	err := w.of.survive(func() error {
		if kind == jointAssign {
			return w.assignAll(ctx, nic, addresses)
		}
		return w.unassignAll(ctx, nic, addresses)
	})
	if err == nil || !didNothing(err) {
		for _, m := range members {
			m.answer = &jointAnswer{lost: err}
		}
		if err != nil {
			return answerLost
		}
		return ""
	}
	class := classOf(err)
	if errors.Is(err, errMemberGone) {
		class = memberGone
	}
	for _, m := range members {
		m.refused = m.refused || !notSent(err) && isLooked(class)
	}
	return class
}

// assignAll makes one attempt to assign addresses that are free.
func (w *Writer) assignAll(ctx context.Context, nic string, addresses []string) error {
	assign := func(
		ctx context.Context, in *ec2.AssignPrivateIpAddressesInput, _ ...func(*ec2.Options),
	) (*ec2.AssignPrivateIpAddressesOutput, error) {
		return w.api.AssignPrivateIpAddresses(ctx, in, once)
	}
	_, err := call(ctx, assign, &ec2.AssignPrivateIpAddressesInput{
		NetworkInterfaceId: &nic, PrivateIpAddresses: addresses, AllowReassignment: aws.Bool(false),
	})
	return err
}

// unassignAll makes one attempt to unassign addresses.
func (w *Writer) unassignAll(ctx context.Context, nic string, addresses []string) error {
	unassign := func(
		ctx context.Context, in *ec2.UnassignPrivateIpAddressesInput, _ ...func(*ec2.Options),
	) (*ec2.UnassignPrivateIpAddressesOutput, error) {
		return w.api.UnassignPrivateIpAddresses(ctx, in, once)
	}
	_, err := call(ctx, unassign, &ec2.UnassignPrivateIpAddressesInput{
		NetworkInterfaceId: &nic, PrivateIpAddresses: addresses,
	})
	return err
}

// survive makes a joint call, which is of no request alone: a panic of it would end all. It is told
// as an answer that was lost.
func (c *Connection) survive(call func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			c.log.Error("panic", "value", fmt.Sprint(p), "stack", string(debug.Stack()))
			err = &callError{cause: fmt.Errorf("a bug stopped the executor: %v", p), own: c.own,
				knownAttempts: knownAttempts{sent: true, identified: true}}
		}
	}()
	return call()
}

// looked reports whether EC2 made a change, or refused it for what it is.
func looked(err error) bool {
	var f *protocol.Failure
	if !errors.As(err, &f) {
		return true
	}
	return isLooked(f.Class)
}

// isLooked reports whether a refusal is one for what a change is, not for who asks, or how often.
func isLooked(class protocol.FailureClass) bool {
	switch class {
	case protocol.Conflict, protocol.InvalidRequest, protocol.NotFound, protocol.LimitExceeded:
		return true
	}
	return false
}

// uncertainChange makes of a refusal, which certainly changed nothing, the end of a change that may
// be made.
func uncertainChange(err error) error {
	var f *protocol.Failure
	if errors.As(err, &f) {
		return &action.Unknown{Cause: f}
	}
	return err
}
