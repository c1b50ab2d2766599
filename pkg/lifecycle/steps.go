package lifecycle

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/protocol"
)

// runStep is one step of a run: an action, or what is written about the members of the group.
type runStep struct {
	name string
	// action makes the action, nil for a step that has none.
	action func() Step
	// do does what is no action.
	do func(ctx context.Context) answer
}

// look finds out where the instance stands, and what a launch of it has to do.
func (r *run) look(ctx context.Context) answer {
	i, err := r.cloud.DescribeScalingInstance(ctx, r.event.Instance)
	if err != nil {
		return r.orLater(err)
	}
	stand, err := r.standOf(ctx, i)
	if err != nil {
		return r.orLater(err)
	}
	wrong := false
	if r.event.Kind == Launch && stand != Leaving && !r.prepared {
		if wrong, err = r.prepare(ctx, i); err != nil {
			return r.orLater(err)
		}
	}
	if r.event.Kind != Launch && stand == Passed {
		r.reason = fmt.Sprintf(
			"%s is %s in %s, so it is not terminated",
			r.event.Instance,
			cmp.Or(i.State, "running"),
			cmp.Or(i.Group, "no group"),
		)
	}
	r.known = r.known.looks(stand, wrong)
	r.known.steps = len(r.steps)
	return done
}

// standOf tells where an instance stands by what Auto Scaling shows.
func (r *run) standOf(ctx context.Context, i ec2model.ScalingInstance) (Stand, error) {
	switch state := i.State; {
	case state == "":
		return r.standAlone(ctx)
	case i.Group != r.event.Group && r.event.Kind != Launch && !strings.HasPrefix(state, "Terminat"):
		// It was moved to another group, and runs on: what it has is in use.
		return Passed, nil
	case i.Group != r.event.Group:
		return Leaving, nil
	case state == waitingAt(r.event.Kind):
		return Waiting, nil
	case strings.HasPrefix(state, "Terminat"):
		return Leaving, nil
	case state == "Pending" && r.event.Kind == Launch:
		return Unread, fmt.Errorf("%s does not wait at its hook yet", r.event.Instance)
	}
	return Passed, nil
}

// standAlone tells where an instance stands that is in no group.
func (r *run) standAlone(ctx context.Context) (Stand, error) {
	i, err := r.cloud.DescribeInstance(ctx, r.event.Instance)
	var f *protocol.Failure
	switch {
	case errors.As(err, &f) && f.Class == protocol.NotFound:
		return r.unknown(ctx)
	case err != nil:
		return Unread, err
	case i.State == "shutting-down" || i.State == "terminated":
		return Leaving, nil
	}
	// It was taken out of its group, and runs on.
	return Passed, nil
}

// unknown tells where an instance stands that EC2 does not know. That is believed of the account
// that the event is of alone: another one never knew it.
func (r *run) unknown(ctx context.Context) (Stand, error) {
	account, err := r.cloud.Account(ctx)
	if err == nil && account != r.event.Account {
		err = fmt.Errorf("the event is of the account %s, and this identity is of %s, which does not "+
			"know %s", r.event.Account, account, r.event.Instance)
	}
	if err != nil {
		return Unread, err
	}
	return Leaving, nil
}

// prepare makes the steps of a launch. It reports whether the instance can't be launched.
func (r *run) prepare(ctx context.Context, i ec2model.ScalingInstance) (wrong bool, err error) {
	of := Instance{ID: r.event.Instance, Zone: i.Zone}
	if of.Zone == "" || r.group.NeedsPrimary() {
		if err := r.describe(ctx, &of); err != nil {
			return false, err
		}
	}
	if r.reason = r.group.Wrong(of); r.reason != "" {
		return true, nil
	}
	for _, s := range r.group.Resources(r.event, of) {
		r.steps = append(r.steps, runStep{name: s.Name, action: func() Step { return s }})
	}
	r.instance = of
	r.addRole()
	r.prepared = true
	return false, nil
}

// describe reads what a plan needs to know of the instance itself.
func (r *run) describe(ctx context.Context, of *Instance) error {
	i, err := r.cloud.DescribeInstance(ctx, of.ID)
	if err != nil {
		return err
	}
	of.Zone = i.Zone
	for _, n := range i.Interfaces {
		if n.Card != 0 || n.Index != 0 {
			continue
		}
		nic, err := r.cloud.DescribeInterface(ctx, n.ID)
		if err != nil {
			return err
		}
		of.Primary, of.Address = n.ID, nic.Primary
	}
	return nil
}

// step does the next step. It is tried again as long as that may help and patience lasts.
func (r *run) step() answer {
	s := r.steps[r.known.next]
	if a := r.still(); a != done {
		return a
	}
	if s.action == nil {
		return s.do(r.held)
	}
	action := s.action()
	d := r.patiently(func() Done { return r.doer.Do(r.held, action, r.begun) })
	if d.Let {
		r.begun++
	}
	if a := r.still(); a != done {
		return a
	}
	if d.Verdict == StepDone {
		r.facts[d.Step] = d.Facts
	}
	d.Optional = d.Verdict != StepDone && (!action.Required ||
		d.OutOfStock && action.OutOfStock == GoOn)
	r.note(d)
	switch {
	case d.Verdict == StepDone || d.Optional:
		return done
	case d.OutOfStock && action.OutOfStock == Abandon || d.Verdict == StepFailed:
		r.reason = fmt.Sprintf("%s: %s", d.Step, d.Message)
		return failed
	}
	r.reason = fmt.Sprintf("%s: %s; it was tried for %s", d.Step, d.Message, r.group.Patience)
	return failed
}

// note keeps how a step came out; a step that is done again has one line.
func (r *run) note(d Done) {
	i := slices.IndexFunc(r.result.Steps, func(x Done) bool { return x.Key == d.Key })
	if i >= 0 {
		r.result.Steps[i] = d
		return
	}
	r.result.Steps = append(r.result.Steps, d)
}

const (
	firstPause = 2 * time.Second
	lastPause  = 30 * time.Second
)

// patiently does something again as long as it may succeed later, and patience lasts.
func (r *run) patiently(do func() Done) Done {
	end := r.Now().Add(r.group.Patience)
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		d := do()
		if d.Verdict != StepLater || !r.Now().Add(pause).Before(end) ||
			r.Wait(r.held, pause) != nil {
			return d
		}
	}
}

// undo takes back what the launch did. What can't be, now or later, is told, and left.
func (r *run) undo() answer {
	if a := r.still(); a != done {
		return a
	}
	if a := r.retire(r.held); a != done {
		return a
	}
	if err := r.adopt(r.held); err != nil {
		return r.orLater(err)
	}
	end := r.Now().Add(r.group.Patience)
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		all, err := r.doer.Undo(r.held, KeysOf(r.event, Launch))
		if err != nil {
			return r.orLater(err)
		}
		r.result.Undone, r.result.Left = mergeUndone(r.result.Undone, all), nil
		again := false
		for _, d := range all {
			if d.Verdict != StepDone {
				r.result.Left = append(r.result.Left, fmt.Sprintf("%s: %s", d.Key, d.Message))
				again = again || d.Verdict == StepLater
			}
		}
		if a := r.still(); a != done {
			return a
		}
		switch {
		case !again:
			return r.succeed()
		case !r.Now().Add(pause).Before(end) || r.Wait(r.held, pause) != nil:
			return r.orLater(fmt.Errorf("not undone yet: %s", strings.Join(r.result.Left, "; ")))
		}
	}
}

// mergeUndone keeps the last that is known of each undo.
func mergeUndone(before, now []Done) []Done {
	for _, d := range now {
		i := slices.IndexFunc(before, func(x Done) bool { return x.Key == d.Key })
		if i >= 0 {
			before[i] = d
		} else {
			before = append(before, d)
		}
	}
	return before
}

// complete tells the hook the result.
func (r *run) complete(result string) answer {
	if a := r.still(); a != done {
		return a
	}
	s := r.group.completion(r.event, result)
	s.Description = r.reason
	d := r.patiently(func() Done { return r.doer.Do(r.held, s, 0) })
	r.note(d)
	if d.Verdict == StepDone {
		return done
	}
	i, err := r.cloud.DescribeScalingInstance(r.held, r.event.Instance)
	switch {
	case err != nil || i.State == waitingAt(r.event.Kind):
	case d.Verdict == StepFailed &&
		d.Facts[protocol.FactFailureClass] != string(protocol.Ambiguous):
		return expired
	default:
		return over
	}
	r.reason = fmt.Sprintf("%s: %s", d.Step, d.Message)
	return later
}
