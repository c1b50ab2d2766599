package lifecycleaction

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/protocol"
)

// wait is that of one instance at one hook.
type wait struct {
	r   Reader
	req action.Request

	of     ec2model.LifecycleAction
	result string
	// hook is the one that the group has; it has no name if there is none.
	hook ec2model.LifecycleHook
	// others are the names of the other hooks of the transition.
	others []string
	// over reports whether Auto Scaling took the completion of this run, and refused a second one.
	over bool
}

func newWait(r Reader, req action.Request) *wait {
	return &wait{r: r, req: req, result: req.Parameters[paramResult], of: ec2model.LifecycleAction{
		Group: req.Target[targetGroup], Instance: req.Target["instanceRef"],
		Hook: req.Parameters[paramHook], Token: req.Parameters[paramToken],
	}}
}

// attribute names the action: one instance may wait at one hook more than once.
func (w *wait) attribute() string {
	return strings.TrimSpace("lifecycle action " + w.of.Hook + " " + w.of.Token)
}

func (w *wait) plan(ctx context.Context) (*action.Plan, error) {
	hooks, err := w.r.DescribeLifecycleHooks(ctx, w.of.Group)
	if err != nil {
		return nil, err
	}
	w.choose(hooks)
	i, err := w.r.DescribeScalingInstance(ctx, w.of.Instance)
	if err != nil {
		return nil, err
	}
	first := w.seen(i)
	if own, recorded := w.own(); recorded && !own.Begun() {
		// It was read to be over, and nothing takes that back. Instances go on.
		first.Values[0] = w.result
	} else if err := w.mayBegin(i, first.Values[0], recorded); err != nil {
		return nil, err
	}
	return &action.Plan{
		Transitions: []action.Transition{{
			Resource: w.of.Instance, Attribute: w.attribute(), From: w.from(first), To: w.result,
			Call: call, Set: action.SetWith(w.set),
		}},
		Seen: first, Read: w.read, Words: w.words(i),
		Unseen: w.recorded() && first.Facts[factState] == none,
		Facts: func(_ []action.Transition, now action.Seen) map[string]string {
			return action.Merge(now.Facts)
		},
		Dangers: func([]action.Transition, action.Seen) []string {
			return []string{"nothing takes it back"}
		},
	}, nil
}

// choose finds the hook and those beside it.
func (w *wait) choose(hooks []ec2model.LifecycleHook) {
	at := slices.IndexFunc(hooks, func(h ec2model.LifecycleHook) bool { return h.Name == w.of.Hook })
	if at < 0 {
		return
	}
	w.hook = hooks[at]
	for _, h := range hooks {
		if h.Transition == w.hook.Transition && h.Name != w.hook.Name {
			w.others = append(w.others, h.Name)
		}
	}
}

func (w *wait) own() (action.Recorded, bool) { return w.req.Own(w.of.Instance, w.attribute()) }

// recorded reports whether an earlier attempt under the key is recorded.
func (w *wait) recorded() bool {
	_, recorded := w.own()
	return recorded
}

// from is the value before: an action that is begun waits.
func (w *wait) from(first action.Seen) string {
	if w.recorded() {
		return waiting
	}
	return first.Values[0]
}

// launches reports whether the hook is one of instances that are launched.
func (w *wait) launches() bool { return w.hook.Transition == launching }

// comes reports whether an instance in a state has not got past all hooks of its launch.
func comes(state string) bool {
	state = strings.TrimPrefix(state, "Warmed:")
	return state == "Pending" || state == "Pending:Wait"
}

// leaves reports whether an instance in a state is on its way out, or is out.
func leaves(state string) bool { return state == "" || strings.Contains(state, "Terminat") }

// value is what the lifecycle state tells of the action. One that is abandoned ends the wait at all
// hooks. So where the action is over and the instance waits on at others, the action was continued.
// Where there is no other, a state that waits is an old one, and tells nothing.
func (w *wait) value(state string) string {
	if w.hook.Name == "" {
		return w.withoutHook(state)
	}
	waits := comes(state)
	if !w.launches() {
		waits = !leaves(state) || state == "Terminating" || strings.HasSuffix(state, ":Wait")
	}
	switch {
	case waits && w.over && len(w.others) > 0:
		return continued
	case waits:
		return waiting
	case !w.launches():
		// The instance is terminated with either result.
		return w.result
	case leaves(state):
		return abandonment
	}
	return continued
}

// withoutHook is value where the group has the hook no more, so that nothing tells of which
// transition it was. Only an instance that is launched comes into service, and whichever the
// transition was, one that leaves may have been abandoned: Auto Scaling ends what waits at a hook
// that is deleted.
func (w *wait) withoutHook(state string) string {
	switch {
	case comes(state), strings.HasSuffix(state, ":Wait"):
		return waiting
	case !leaves(state):
		return continued
	case w.result == abandonment:
		return abandonment
	}
	return untold
}

func (w *wait) read(ctx context.Context) (action.Seen, error) {
	i, err := w.r.DescribeScalingInstance(ctx, w.of.Instance)
	if err != nil {
		return action.Seen{}, err
	}
	seen := w.seen(i)
	if own, recorded := w.own(); recorded && !own.Begun() {
		seen.Values[0] = w.result
	}
	return seen, nil
}

func (w *wait) seen(i ec2model.ScalingInstance) action.Seen {
	if i.Group != w.of.Group {
		i.State = ""
	}
	facts := map[string]string{factState: cmp.Or(i.State, none),
		factTransition: w.hook.Transition, factOthers: strings.Join(w.others, ",")}
	return action.Seen{Values: []string{w.value(i.State)}, Facts: facts}
}

// mayBegin refuses a completion that can't be this one's.
func (w *wait) mayBegin(i ec2model.ScalingInstance, value string, recorded bool) error {
	switch {
	case i.State != "" && i.Group != w.of.Group:
		return w.refuse(i, "it is in the Auto Scaling group "+protocol.Quote(i.Group))
	case w.hook.Name == "" && !recorded:
		return protocol.Refuse(protocol.NotFound, "the Auto Scaling group %s has no lifecycle hook %s; "+
			"check the names and the region; nothing was changed",
			protocol.Quote(w.of.Group), protocol.Quote(w.of.Hook))
	case value == waiting && !strings.HasSuffix(i.State, ":Wait"):
		return protocol.Refuse(protocol.Unavailable,
			"%s is %s, and waits at no hook yet; nothing was changed; try again under the same key",
			w.of.Instance, cmp.Or(i.State, "in no group")).With(factState, cmp.Or(i.State, none))
	case value == waiting, recorded && value == w.result:
		return nil
	case value == untold:
		return protocol.Refuse(protocol.Ambiguous,
			"how the lifecycle action of %s at %s ended could not be found out: the Auto Scaling group "+
				"%s has no such hook any more, and the instance is %s; nothing was changed; look at the "+
				"group's activities", w.of.Instance, protocol.Quote(w.of.Hook),
			protocol.Quote(w.of.Group), cmp.Or(i.State, "in no group any more")).
			With(factState, cmp.Or(i.State, "none"))
	case recorded:
		return w.refuse(i, "the action ended otherwise than with "+w.result)
	}
	return w.refuse(i, "it does not wait at "+w.of.Hook)
}

// refuse says that the action is over, and not by this request.
func (w *wait) refuse(i ec2model.ScalingInstance, because string) *protocol.Failure {
	state := cmp.Or(i.State, none)
	return protocol.Refuse(protocol.Conflict,
		"there is nothing to complete: %s, and its lifecycle state is %s; somebody else completed the "+
			"action, or its time was up%s; nothing was changed", because, state, w.byDefault()).
		With(factState, state)
}

// byDefault tells how an action ends whose time is up.
func (w *wait) byDefault() string {
	if w.hook.DefaultResult == "" {
		return ""
	}
	return ", which the hook ends with " + w.hook.DefaultResult
}

// set completes the action. Where the instance may wait on at other hooks, its state can't tell
// whether the action is over. A second completion can: it is refused.
func (w *wait) set(ctx context.Context, by Writer, _, to string) error {
	if to != w.result {
		return protocol.Refuse(protocol.Internal, "a lifecycle action can't be taken back")
	}
	err := by.CompleteLifecycleAction(ctx, w.of, w.result)
	if w.recorded() && isOver(err) {
		// An earlier attempt may have completed it. How it ended only a later state tells.
		return &action.Unknown{Cause: protocol.Refuse(protocol.Ambiguous, "%s", w.explained(err))}
	}
	if err != nil {
		return w.explained(err)
	}
	if len(w.others) == 0 || w.result == abandonment {
		return nil
	}
	// It names the instance: a token may be that of another one's action.
	of := w.of
	of.Token = ""
	again := by.CompleteLifecycleAction(ctx, of, w.result)
	if w.over = isOver(again); w.over {
		return nil
	}
	return &action.Unknown{Cause: protocol.Refuse(protocol.Ambiguous,
		"Auto Scaling took the completion, and %s may still wait at %s", w.of.Instance, w.of.Hook)}
}

// isOver reports whether a refusal says that no such action is active.
func isOver(err error) bool {
	var f *protocol.Failure
	return errors.As(err, &f) && f.Class == protocol.Conflict &&
		f.Facts[protocol.FactAWSErrorCode] == "ValidationError"
}

// explained tells a refusal of the completion to the person who has to act.
func (w *wait) explained(err error) error {
	var f *protocol.Failure
	if !isOver(err) || !errors.As(err, &f) {
		return err
	}
	told := *f
	told.Message += "; somebody else completed the action, or its time was up" + w.byDefault() +
		"; the lifecycle state tells how it ended"
	return &told
}

// words tell the completion.
func (w *wait) words(i ec2model.ScalingInstance) action.Words {
	at := " the lifecycle action of " + w.of.Instance + " at " + w.of.Hook + " with " + w.result
	return action.Words{
		Would: "complete" + at, Did: "completed" + at,
		Already: w.of.Instance + " is past " + w.of.Hook + ", where an earlier attempt under this key " +
			"was to complete the lifecycle action with " + w.result + "; it is " +
			cmp.Or(i.State, "in no group any more"),
	}
}
