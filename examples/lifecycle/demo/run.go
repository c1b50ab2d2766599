package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"aws-provider-executor/examples/internal/steps"
	"aws-provider-executor/pkg/ec2sim"
)

// play plays the whole demo.
func play(ctx context.Context, s *steps.Stage) {
	d := &demo{Stage: s}
	defer d.close()
	d.Do(d.open)
	d.scaleOut(ctx)
	d.scaleIn(ctx)
	d.lostEvent(ctx)
	d.records(ctx)
}

// scaleOut adds three instances. The handler is killed when it has made its second interface, and
// started again.
func (d *demo) scaleOut(ctx context.Context) {
	d.Heading("A group scales out by three. Each instance gets two interfaces and a name")
	d.Say("Each event comes twice. lifecycled is killed when EC2 has made its second interface.")
	killed := make(chan struct{})
	d.Do(func() error { d.abandonSecond(killed); return nil })
	d.watch("")
	d.edit(func(g *ec2sim.ScalingGroup) { g.DesiredCapacity = 3 })
	d.Do(func() error {
		select {
		case <-killed:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case <-d.handler.ended:
			return d.handler.died()
		case <-time.After(patience):
			return errors.New("no second interface was made; lifecycled said:\n" + d.handler.output())
		}
	})
	d.stop(syscall.SIGKILL)
	// The queue shows again what the handler had taken.
	d.ahead.Add(int64(hiddenFor))
	d.watch("started again")
	d.await(ctx, 3, 3)
	d.look(6)
	d.Good("no interface was made twice")
}

// abandonSecond has the answer to the second interface be lost, and tells so.
func (d *demo) abandonSecond(lost chan<- struct{}) {
	var made atomic.Int64
	d.sim.OnCall(func(c ec2sim.Call) ec2sim.Verdict {
		if c.Operation != "CreateNetworkInterface" || c.Phase != ec2sim.AfterEffect ||
			made.Add(1) != 2 {
			return ec2sim.Proceed
		}
		close(lost)
		return ec2sim.Abandon
	})
}

// scaleIn takes two away, and the event of one of them is lost.
func (d *demo) scaleIn(ctx context.Context) {
	d.Heading("The group scales in by two. The event of one of the two instances is lost")
	d.edit(func(g *ec2sim.ScalingGroup) { g.DesiredCapacity, g.LoseEvents = 1, 1 })
	d.await(ctx, 2, 1)
	d.Say("One is gone, and so is what it had. The other one waits: nobody handled its event.")
	d.look(4)
}

// lostEvent hands the handler what was lost, as an operator does.
func (d *demo) lostEvent(ctx context.Context) {
	d.Heading("An operator gives lifecycled the lost event")
	var event string
	d.Do(func() (err error) {
		event, err = d.lost()
		return err
	})
	for _, args := range [][]string{{"handle", "--dry-run"}, {"handle"}} {
		d.handle(steps.Command{Program: "lifecycled", Args: args, Env: d.env, Stdin: event,
			Note: "the event on standard input"})
	}
	d.await(ctx, 1, 1)
	d.look(2)
	d.stop(syscall.SIGTERM)
}

// handle has lifecycled handle an event, and shows what became of it.
func (d *demo) handle(c steps.Command) {
	d.Do(func() error {
		d.Ask(c.String(), c.Note)
		out, err := d.Run(c)
		if err != nil {
			return err
		}
		var said struct {
			Outcome string
			Undone  []struct{ Key, Message string }
		}
		if err := json.Unmarshal(out.Stdout, &said); err != nil || out.Exit != 0 {
			return fmt.Errorf("%s: exit code %d, %w; it said:\n%s%s", c, out.Exit, err, out.Stdout,
				out.Stderr)
		}
		for i, u := range said.Undone {
			message := d.short(strings.TrimPrefix(u.Message, "rolled back: "))
			if i == 0 {
				d.Answer(said.Outcome, message)
				continue
			}
			d.More(message)
		}
		d.Document(string(out.Stdout) + string(out.Stderr))
		if len(said.Undone) != 3 {
			return fmt.Errorf("%s: %d actions were undone, want 3", c, len(said.Undone))
		}
		return nil
	})
}

// lost is the event of the instance that waits at the hook of its end.
func (d *demo) lost() (string, error) {
	instances := d.region().ScalingGroup(group).Instances
	i := slices.IndexFunc(instances, func(m ec2sim.ScalingMember) bool {
		return m.State == "Terminating:Wait"
	})
	if i < 0 {
		return "", fmt.Errorf("no instance waits: %v", instances)
	}
	m := instances[i]
	text, err := json.Marshal(map[string]any{
		"version": "0", "id": "1", "detail-type": "EC2 Instance-terminate Lifecycle Action",
		"source": ec2sim.ScalingEvents, "account": account, "region": ec2sim.LabRegion,
		"time": time.Now().UTC().Format(time.RFC3339), "resources": []string{},
		"detail": map[string]string{"AutoScalingGroupName": group, "EC2InstanceId": m.InstanceID,
			"LifecycleActionToken": m.Actions[0].Token, "LifecycleHookName": m.Actions[0].Hook,
			"LifecycleTransition": ec2sim.Terminating, "Origin": "AutoScalingGroup",
			"Destination": "EC2"},
	})
	return string(text), err
}

// records shows what the table has of the instances, and verifies the journal.
func (d *demo) records(ctx context.Context) {
	d.Heading("What is kept: a record of each instance, and the journal of all actions")
	d.Do(func() error {
		for _, id := range d.seen {
			r, err := d.record(ctx, id)
			if err != nil {
				return err
			}
			text := fmt.Sprintf("%s  launch %s", id, r.Launch)
			if r.Terminate != "" {
				text += fmt.Sprintf(", terminate %s", r.Terminate)
			}
			d.Holds(text)
		}
		return nil
	})
	d.Play(steps.Command{Program: "actionctl", Args: []string{"journal", "--verify"}, Env: d.env,
		Says: []string{"the journal is as it was written…"}})
}
