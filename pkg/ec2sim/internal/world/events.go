package world

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"time"

	"aws-provider-executor/pkg/ec2sim/internal/queue"
)

// EC2Events is the source of EC2's events.
const EC2Events = "aws.ec2"

// stateChange is what an event about an instance's state is called.
const stateChange = "EC2 Instance State-change Notification"

// Event is what a service tells EventBridge.
type Event struct {
	Source, DetailType string
	// Resources are the ARNs of what it is about.
	Resources []string
	// Detail is written as JSON.
	Detail any
}

// envelope is an event as EventBridge passes it on. Its time is whole seconds.
type envelope struct {
	Version    string   `json:"version"`
	ID         string   `json:"id"`
	DetailType string   `json:"detail-type"`
	Source     string   `json:"source"`
	Account    string   `json:"account"`
	Time       string   `json:"time"`
	Region     string   `json:"region"`
	Resources  []string `json:"resources"`
	Detail     any      `json:"detail"`
}

// ListenOnly has the events of these sources go to a queue of the region, and no others, as a rule
// of EventBridge does.
func (w *World) ListenOnly(queueName string, sources []string) {
	for source, names := range w.listening {
		w.listening[source] = slices.DeleteFunc(slices.Clone(names),
			func(name string) bool { return name == queueName })
	}
	for _, source := range sources {
		w.listening[source] = append(slices.Clone(w.listening[source]), queueName)
	}
}

// Heard are the sources whose events go to a queue.
func (w *World) Heard(queueName string) []string {
	var sources []string
	for _, source := range slices.Sorted(maps.Keys(w.listening)) {
		if slices.Contains(w.listening[source], queueName) {
			sources = append(sources, source)
		}
	}
	return sources
}

// Tell puts an event into each queue that listens to its source.
func (w *World) Tell(e Event, at time.Time) {
	for _, name := range w.listening[e.Source] {
		q := w.Queues[name]
		if q == nil {
			continue
		}
		out := envelope{Version: "0", DetailType: e.DetailType, Source: e.Source, Account: w.Owner,
			Time: at.UTC().Format(time.RFC3339), Region: w.Region, Resources: e.Resources,
			Detail: e.Detail}
		out.ID = eventID(out, at)
		q.Put(mustJSON(out), at, at)
	}
}

// eventID makes an event's id, which follows from the event alone: it is one in all queues.
func eventID(e envelope, at time.Time) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%v %d", e, at.UnixNano()))
	return fmt.Sprintf("%x-%x-%x-%x-%x", sum[:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16])
}

// QueueARN is the ARN of a queue of the region.
func (w *World) QueueARN(account, name string) string {
	return "arn:" + partition(w.Region) + ":sqs:" + w.Region + ":" + account + ":" + name
}

// SetState has an instance be in a state from a time on, and tells so where that is new.
func (w *World) SetState(i *Instance, state string, at time.Time) {
	was := i.State
	i.State = state
	if was == state {
		return
	}
	w.Tell(Event{Source: EC2Events, DetailType: stateChange,
		Resources: []string{w.ARN("instance", i.ID)},
		Detail: struct {
			ID    string `json:"instance-id"`
			State string `json:"state"`
		}{i.ID, state}}, at)
}

// Next is when the next thing happens in the region by itself: a transition ends, a wait of an Auto
// Scaling group is over, or a message can be received again. It is false where nothing is to come.
func (w *World) Next(now time.Time) (next time.Time, some bool) {
	next, some = w.nextStep(now)
	for _, q := range w.Queues {
		if at, has := q.Next(now); has && (!some || at.Before(next)) {
			next, some = at, true
		}
	}
	return next, some
}

// nextStep is Next without messages.
func (w *World) nextStep(now time.Time) (next time.Time, some bool) {
	earlier := func(at time.Time) {
		if at.After(now) && (!some || at.Before(next)) {
			next, some = at, true
		}
	}
	for _, list := range w.transitions {
		earlier(list[0].At)
	}
	for _, g := range w.ScalingGroups {
		if at, has := g.Group().Next(now); has {
			earlier(at)
		}
	}
	return next, some
}

func cloneQueues(queues map[string]*queue.Queue) map[string]*queue.Queue {
	c := maps.Clone(queues)
	for name, q := range c {
		c[name] = q.Clone()
	}
	return c
}
