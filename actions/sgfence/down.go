package sgfence

import (
	"context"
	"slices"
	"time"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/protocol"
)

// downFor is how far apart two readings are that an instance is down. EC2 may show the state before
// a start for a moment.
const downFor = 2 * time.Second

// isDown reports whether an instance in this state is cut off by that alone.
func isDown(state string) bool { return state == "stopped" || state == terminated }

// settled returns the reading to go by. That an instance is down is read once more, some time
// later; except where its groups are what counts.
func (f *fence) settled(ctx context.Context, first reading) (reading, error) {
	f.first = first
	if !f.cutOff() {
		return first, nil
	}
	if err := f.clock.Wait(ctx, downFor); err != nil {
		return first, protocol.Refuse(protocol.Timeout,
			"%s is %s, and the time was up before that was read once more, %s later; "+
				"nothing was changed; try again", f.instance, first.State, downFor)
	}
	return read(ctx, f.r, f.instance)
}

// cutOff reports whether the instance needs no fence: it is down, and neither fenced by its groups
// nor on the way there by an earlier attempt under this key.
func (f *fence) cutOff() bool {
	switch now := f.first; {
	case f.req.Bool(paramAnyState) || !isDown(now.State):
		return false
	case now.State == terminated:
		return true
	case f.begun():
		return false
	}
	return f.resolve(f.first) != nil || f.pending() || f.nothing()
}

// begun reports whether an earlier attempt under this key recorded an interface of the instance.
func (f *fence) begun() bool {
	return slices.ContainsFunc(f.first.Interfaces, func(n ec2model.InstanceInterface) bool {
		_, ok := f.req.Own(n.ID, attrGroups)
		return ok
	})
}

// leave plans nothing for an instance that is cut off already.
func (f *fence) leave() *action.Plan {
	state, then := f.first.State, "a start makes it reachable"
	if state == terminated {
		then = "it is gone for good"
	}
	return &action.Plan{
		Moot: f.instance + " is " + state + ", not fenced: " + then,
		Seen: f.seen(f.first, nil),
		Facts: func(_ []action.Transition, seen action.Seen) map[string]string {
			return map[string]string{
				factIsFenced: "false", factCutOff: state,
				factState: seen.Facts[factState], factSelfCheck: f.selfCheck,
			}
		},
	}
}
