package world

import (
	"net/netip"

	"aws-provider-executor/pkg/ec2sim/internal/refusal"
)

// StateCodes are the states of instances.
var StateCodes = map[string]int{
	"pending": 0, "running": 16, "shutting-down": 32, "terminated": 48, "stopping": 64, "stopped": 80,
}

// Start has a stopped instance run. One that runs or is about to is left as it is.
func (c *Change) Start(i *Instance) error {
	switch i.State {
	case "running", "pending":
		return nil
	case "stopped":
	default:
		return refusal.New("IncorrectInstanceState",
			"The instance '%s' is not in a state from which it can be started.", i.ID)
	}
	i.StateReason, i.LaunchTime = "", c.Now.UTC()
	c.transit(i, "pending", "running")
	return nil
}

// Stop stops a running instance. One that is stopped or about to be is left as it is.
func (c *Change) Stop(i *Instance) error {
	if i.RootDevice != "ebs" {
		return refusal.New("UnsupportedOperation",
			"The instance '%s' does not have an 'ebs' root device type and cannot be stopped.", i.ID)
	}
	switch i.State {
	case "stopped", "stopping":
		return nil
	case "running":
	default:
		return refusal.New("IncorrectInstanceState",
			"This instance '%s' is not in a state from which it can be stopped.", i.ID)
	}
	i.StateReason = "Client.UserInitiatedShutdown: User initiated shutdown"
	c.takePublic(i)
	c.transit(i, "stopping", "stopped")
	return nil
}

// Terminate ends an instance in any state. One that is terminated or about to be is left as it is.
func (c *Change) Terminate(i *Instance) error {
	if i.State == "shutting-down" || i.State == "terminated" {
		return nil
	}
	i.StateReason = "Client.UserInitiatedShutdown: User initiated shutdown"
	c.World.SetState(i, "shutting-down", c.Now)
	ended := c.Now.Add(c.Transition)
	c.World.Transit(i.ID, Transition{ended, "terminated"}, Transition{ended.Add(c.Shown), Gone})
	return nil
}

// Launch adds instances that are alike, which are pending.
func (c *Change) Launch(like Instance, count int) (added []*Instance, err error) {
	err = attempt(func() {
		added = c.World.AddFleet(c.Mint, like, count, c.Now)
	})
	for _, i := range added {
		i.LaunchTime = c.Now.UTC()
		c.transit(i, "pending", "running")
	}
	return added, err
}

// takePublic gives the public address of EC2's own pool back. The next start gets the next one.
func (c *Change) takePublic(i *Instance) {
	for _, eni := range c.World.Attached(i.ID) {
		if eni.PublicIP != "" {
			eni.PublicIP = netip.MustParseAddr(eni.PublicIP).Next().String()
		}
	}
}

// transit has the instance in one state now and in the other when the time of a transition has
// passed.
func (c *Change) transit(i *Instance, now, then string) {
	c.World.SetState(i, now, c.Now)
	c.World.Transit(i.ID, Transition{c.Now.Add(c.Transition), then})
}
