package fenceagent

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/protocol"
)

// terminated is the state of an instance that is gone for good.
const terminated = "terminated"

// confirmPause lies between two readings that do not find an instance in force. EC2 shows new ones
// late.
const confirmPause = 2 * time.Second

// target is the instance that a call is about.
type target struct {
	id string
	// seen is the instance as it was found. It is nil where nothing was read for that.
	seen *ec2model.Instance
}

// plugs are the instances that the call names. A cluster sends the name of the node beside them.
func (r *run) plugs() []string {
	var plugs []string
	for _, plug := range strings.Split(r.in.text(optPlug), r.in.text(optPlugSep)) {
		if plug = strings.TrimSpace(plug); plug != "" {
			plugs = append(plugs, plug)
		}
	}
	if len(plugs) == 0 && r.in.node != "" && r.in.text(optFilter) == "" {
		plugs = []string{r.in.node}
	}
	return plugs
}

// targets finds the instances that the call is about: those of plug, or the one of the filter.
func (r *run) targets() ([]target, error) {
	plugs := r.plugs()
	if len(plugs) == 0 {
		t, err := r.only("the filter "+protocol.Quote(r.in.text(optFilter)), r.filter(), always)
		return []target{t}, err
	}
	var all []target
	for _, plug := range plugs {
		t, err := r.target(plug)
		if err != nil {
			return nil, err
		}
		all = append(all, t)
	}
	return all, nil
}

// target finds the instance of one plug: by its id, without a call, or by its name.
func (r *run) target(plug string) (target, error) {
	if id, err := action.InstanceID.Canonical(plug); err == nil {
		return target{id: id}, nil
	}
	key := r.in.text(optPlugTag)
	by := append(r.filter(), ec2model.Filter{Name: "tag:" + key, Value: plug})
	return r.only("the tag "+key+"="+protocol.Quote(plug), by, func(i ec2model.Instance) bool {
		return i.Tags[key] == plug
	})
}

func always(ec2model.Instance) bool { return true }

// filter is the filter of the options, if there is one.
func (r *run) filter() []ec2model.Filter {
	name, value, ok := strings.Cut(r.in.text(optFilter), "=")
	if !ok {
		return nil
	}
	return []ec2model.Filter{
		{Name: strings.TrimSpace(name), Value: strings.TrimSpace(value), Pattern: true},
	}
}

// only finds the one instance that is meant. One that is terminated counts only where there is no
// other, read twice: the node was replaced, or is dead. One that is shutting down still counts: it
// may go on for a while.
func (r *run) only(what string, by []ec2model.Filter, means func(ec2model.Instance) bool) (
	target, error,
) {
	inForce, gone, err := r.matching(what, by, means)
	if err == nil && len(inForce) == 0 {
		if err := r.wait(confirmPause); err != nil {
			return target{}, err
		}
		inForce, gone, err = r.matching(what, by, means)
	}
	switch {
	case err != nil:
		return target{}, err
	case len(inForce) == 1:
		return target{inForce[0].ID, &inForce[0]}, nil
	case len(inForce) > 1:
		return target{}, fmt.Errorf("%s does not tell which instance is meant: %s; terminate what is"+
			" left over, give the id by plug, or narrow it down by filter; nothing was changed",
			what, listed(inForce))
	case len(gone) > 0:
		return target{gone[0].ID, &gone[0]}, nil
	}
	return target{}, fmt.Errorf("no instance has %s, read twice; so it can't be told whether the node"+
		" is dead; nothing was changed", what)
}

// matching are the instances that are meant: those in force, and those that are terminated.
func (r *run) matching(what string, by []ec2model.Filter, means func(ec2model.Instance) bool) (
	inForce, gone []ec2model.Instance, err error,
) {
	ctx, cancel := r.calls()
	defer cancel()
	ec2, err := r.ec2()
	if err != nil {
		return nil, nil, err
	}
	found, err := ec2.FindInstances(ctx, "find the instance of "+what, by...)
	for n, i := range found {
		// One that moves from page to page comes twice.
		again := slices.ContainsFunc(found[:n], func(o ec2model.Instance) bool { return o.ID == i.ID })
		switch {
		case again, !means(i):
		case i.State == terminated:
			gone = append(gone, i)
		default:
			inForce = append(inForce, i)
		}
	}
	return inForce, gone, err
}

// listed names instances with their states.
func listed(all []ec2model.Instance) string {
	var names []string
	for _, i := range all {
		names = append(names, i.ID+" ("+i.State+")")
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// wait waits within the time for the answer.
func (r *run) wait(d time.Duration) error {
	ctx, cancel := r.calls()
	defer cancel()
	if err := r.Wait(ctx, d); err != nil {
		if errors.Is(err, context.DeadlineExceeded) {
			return errors.New("the time for the answer was up; nothing was changed")
		}
		return errors.New("a signal stopped the agent; nothing was changed")
	}
	return nil
}

// read is the instance, read now.
func (r *run) read(id string) (ec2model.Instance, error) {
	ctx, cancel := r.calls()
	defer cancel()
	ec2, err := r.ec2()
	if err != nil {
		return ec2model.Instance{}, err
	}
	return ec2.DescribeInstance(ctx, id)
}

// placed is the instance where interfaces are counted by place; else only its id is known.
func (r *run) placed(t target) (ec2model.Instance, error) {
	switch {
	case !r.in.exact(positionOption):
		return ec2model.Instance{ID: t.id}, nil
	case t.seen != nil:
		return *t.seen, nil
	}
	return r.read(t.id)
}
