package ec2sim

// stateCodes are the states of instances.
var stateCodes = map[string]int{
	"pending": 0, "running": 16, "shutting-down": 32, "terminated": 48, "stopping": 64, "stopped": 80,
}

// start has a stopped instance run. One that runs or is about to is left as it is.
func (c *change) start(i *Instance) error {
	switch i.State {
	case "running", "pending":
		return nil
	case "stopped":
	default:
		return refuse("IncorrectInstanceState",
			"The instance '%s' is not in a state from which it can be started.", i.ID)
	}
	i.StateReason, i.LaunchTime = "", c.now.UTC()
	c.transit(i, "pending", "running")
	return nil
}

// stop stops a running instance. One that is stopped or about to be is left as it is.
func (c *change) stop(i *Instance) error {
	if i.RootDevice != "ebs" {
		return refuse("UnsupportedOperation",
			"The instance '%s' does not have an 'ebs' root device type and cannot be stopped.", i.ID)
	}
	switch i.State {
	case "stopped", "stopping":
		return nil
	case "running":
	default:
		return refuse("IncorrectInstanceState",
			"This instance '%s' is not in a state from which it can be stopped.", i.ID)
	}
	i.StateReason = "Client.UserInitiatedShutdown: User initiated shutdown"
	c.transit(i, "stopping", "stopped")
	return nil
}

// transit has the instance in one state now and in the other when the time of a transition has passed.
func (c *change) transit(i *Instance, now, then string) {
	i.State = now
	c.w.transit(i.ID, c.now.Add(c.transition), then)
}
