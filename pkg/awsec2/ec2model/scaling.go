package ec2model

import "time"

// ScalingInstance is an instance as Auto Scaling shows it.
type ScalingInstance struct {
	ID, Group string
	// State is Auto Scaling's LifecycleState, as in InService; empty for an instance in no group.
	State string
	// Zone is its availability zone.
	Zone string
	// Protected reports whether scale-in spares the instance.
	Protected bool
}

// LifecycleHook is a lifecycle hook of an Auto Scaling group.
type LifecycleHook struct {
	Name, Group string
	// Transition is where instances wait, as in autoscaling:EC2_INSTANCE_LAUNCHING.
	Transition string
	// DefaultResult is CONTINUE or ABANDON: what ends a wait whose time is up.
	DefaultResult string
	// Heartbeat is how long an instance waits from the last heartbeat, and Global how long at most.
	Heartbeat, Global time.Duration
}

// LifecycleAction is the wait of one instance at one hook.
type LifecycleAction struct {
	Group, Hook, Instance string
	// Token names the action; empty where only the instance is known.
	Token string
}
