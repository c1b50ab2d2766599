package lifecycle

import (
	"time"

	"aws-provider-executor/pkg/wildcard"
)

// Configuration says what instances of which groups get.
type Configuration struct {
	Name string
	// Table is the table that machines share, its ARN or its name. Directory is where one machine
	// keeps the same. One of the two is set.
	Table, Directory string
	Groups           []Group
}

// Group is what the instances of one Auto Scaling group get, or of several whose names fit.
type Group struct {
	// Name is a pattern of names, in which * stands for any text and ? for one character.
	Name            string
	Account, Region string
	// MaxSize is the largest size of the group; 0 where nobody said it.
	MaxSize int
	// LaunchHook and TerminateHook are the hooks that this handler answers; empty for any.
	LaunchHook, TerminateHook string
	// ExpiredHook says what becomes of a launch whose hook did not wait for its end.
	ExpiredHook string
	// Patience is for how long a step is tried again that failed and may succeed later.
	Patience   time.Duration
	Interfaces []Interface
	// Tags are those of the instance. In a value {instance} and {group} stand for names.
	Tags         map[string]string
	TagsRequired bool
	// Protection says which instances are protected from scale-in.
	Protection string
	License    *License
	Appliance  *Appliance
	// Members is nil for a group without members, of which one is the primary.
	Members *Members

	// module are the interfaces as the Terraform module has them, until they were read.
	module *module
}

// Interface is what an instance gets at a device index.
type Interface struct {
	// Name is for people.
	Name  string
	Index int
	// Subnets are by the zones of the instances.
	Subnets                              map[string]string
	SecurityGroups, Addresses            []string
	Description                          string
	SourceDestCheck, DeleteOnTermination bool
	Public                               *PublicAddress
	Required                             bool
	// Tunnel reports whether a tunnel of a gateway load balancer ends here, and Domain is the virtual
	// domain of the appliance. Both are for its configuration alone.
	Tunnel bool
	Domain string

	// management is set for the management interface of the module, until it was read.
	management bool
}

// PublicAddress is an Elastic IP of an interface: an existing one, or one of a pool.
type PublicAddress struct {
	// Allocation is an existing Elastic IP; empty for one that is allocated.
	Allocation string
	// Pool is the pool that one is allocated from.
	Pool     string
	Required bool
}

// AmazonPool is the pool of Amazon's own addresses.
const AmazonPool = "amazon"

// License is one of a pool.
type License struct {
	Pool string
	// Source is where the licences of the pool are.
	Source string
	// OutOfStock says what becomes of a launch for which the pool has none.
	OutOfStock string
	Required   bool
}

// Appliance is what the software of the instance is told.
type Appliance struct {
	Driver string
	// Index is the device index of the interface by whose address it is managed.
	Index int
	// Parameters are those of configure-appliance. In a value {instance}, {group}, {role}, {address},
	// {primary} and {primaryAddress} stand for what is so.
	Parameters map[string]string
	// Timeout is how long it may take.
	Timeout  time.Duration
	Required bool
}

// Members are those of a group that has a primary.
type Members struct {
	// Index is the device index of the interface by whose address members know each other.
	Index int
}

// What becomes of a launch whose hook did not wait.
const (
	// Finish goes on with an instance that is in service.
	Finish = "finish"
	// UndoExpired undoes what was done.
	UndoExpired = "undo"
)

// What becomes of a launch without a licence.
const (
	Abandon = "abandon"
	GoOn    = "continue"
)

// Which instances are protected from scale-in.
const (
	ProtectNever   = "never"
	ProtectAlways  = "always"
	ProtectPrimary = "primary"
)

const (
	defaultPatience  = 5 * time.Minute
	defaultAppliance = 10 * time.Minute
)

// Group finds the group of an event; nil where the configuration has none. The first that fits
// counts.
func (c *Configuration) Group(e Event) *Group {
	for i := range c.Groups {
		g := &c.Groups[i]
		if g.Account == e.Account && (e.Region == "" || g.Region == e.Region) &&
			wildcard.Plain.Match(g.Name, e.Group) {
			return g
		}
	}
	return nil
}

// elsewhere is another region in which an event's group may be, where the event does not say it;
// empty for none.
func (c *Configuration) elsewhere(e Event, region string) string {
	for _, g := range c.Groups {
		if e.Region == "" && g.Account == e.Account && g.Region != region &&
			wildcard.Plain.Match(g.Name, e.Group) {
			return g.Region
		}
	}
	return ""
}

// Hook is the hook that the group's handler answers for a kind of event; empty for any.
func (g *Group) Hook(k Kind) string {
	switch k {
	case Launch:
		return g.LaunchHook
	case Terminate:
		return g.TerminateHook
	}
	return ""
}
