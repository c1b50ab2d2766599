package api

import (
	"aws-provider-executor/pkg/ec2sim/internal/query"
	"aws-provider-executor/pkg/ec2sim/internal/refusal"
	"aws-provider-executor/pkg/ec2sim/internal/world"
)

type startInstancesIn struct {
	dryRun
	InstanceId     []string `query:"required"`
	AdditionalInfo string
}

type stopInstancesIn struct {
	dryRun
	InstanceId     []string `query:"required"`
	Force          bool
	SkipOsShutdown bool
	Hibernate      bool `query:"unheld"`
}

type terminateInstancesIn struct {
	dryRun
	InstanceId     []string `query:"required"`
	Force          bool
	SkipOsShutdown bool
}

func (in *startInstancesIn) resources(*world.World) []string     { return in.InstanceId }
func (in *startInstancesIn) units() int                          { return len(in.InstanceId) }
func (in *stopInstancesIn) resources(*world.World) []string      { return in.InstanceId }
func (in *terminateInstancesIn) resources(*world.World) []string { return in.InstanceId }
func (in *terminateInstancesIn) units() int                      { return len(in.InstanceId) }
func (in *stopInstancesIn) units() int                           { return len(in.InstanceId) }

type stateChangeXML struct {
	ID       string           `xml:"instanceId"`
	Current  instanceStateXML `xml:"currentState"`
	Previous instanceStateXML `xml:"previousState"`
}

type stateChangesXML struct {
	Instances query.Items[stateChangeXML] `xml:"instancesSet"`
}

func startInstances(c *call, in *startInstancesIn) (any, error) {
	return c.changeStates(in.InstanceId, c.Start)
}

// stopInstances makes no difference between a graceful stop and a forced one: no guest here hangs.
func stopInstances(c *call, in *stopInstancesIn) (any, error) {
	return c.changeStates(in.InstanceId, c.Stop)
}

func terminateInstances(c *call, in *terminateInstancesIn) (any, error) {
	return c.changeStates(in.InstanceId, c.Terminate)
}

func (c *call) changeStates(ids []string, change func(*world.Instance) error) (any, error) {
	instances, err := world.FindAll(c.World.Instances, world.InstanceIDs, ids)
	if err != nil {
		return nil, err
	}
	var out stateChangesXML
	for _, i := range instances {
		previous := i.State
		if err := change(i); err != nil {
			return nil, err
		}
		out.Instances.Item = append(out.Instances.Item,
			stateChangeXML{i.ID, showState(i.State), showState(previous)})
	}
	return out, nil
}

type describeInstanceStatusIn struct {
	dryRun
	page
	InstanceId              []string
	Filter                  []filter
	IncludeAllInstances     bool
	IncludeManagedResources bool
}

func (in *describeInstanceStatusIn) plain() bool { return isPlain(in.Filter, in.page) }

type statusDetailXML struct {
	Name   string `xml:"name"`
	Status string `xml:"status"`
}

type statusXML struct {
	Status  string                       `xml:"status"`
	Details query.Items[statusDetailXML] `xml:"details"`
}

type instanceStatusXML struct {
	ID       string              `xml:"instanceId"`
	Zone     string              `xml:"availabilityZone"`
	ZoneID   string              `xml:"availabilityZoneId"`
	State    instanceStateXML    `xml:"instanceState"`
	System   statusXML           `xml:"systemStatus"`
	Instance statusXML           `xml:"instanceStatus"`
	Events   query.Items[string] `xml:"eventsSet"`
}

// maxStatusIDs is how many instances a DescribeInstanceStatus may name.
const maxStatusIDs = 100

func describeInstanceStatus(c *call, in *describeInstanceStatusIn) (any, error) {
	if len(in.InstanceId) > maxStatusIDs {
		return nil, refusal.InvalidValue(
			"The maximum number of instance IDs specified on a single call is %d", maxStatusIDs)
	}
	list, next, err := listing[world.Instance]{
		ids:      world.InstanceIDs,
		from:     func(w *world.World) world.Table[world.Instance] { return w.Instances },
		fields:   instanceStatusFields,
		limits:   pageLimits{min: 5, max: 1000},
		idSet:    "instancesSet",
		untagged: true,
		keep:     func(i *world.Instance) bool { return in.IncludeAllInstances || i.State == "running" },
	}.pick(c, selection{in.InstanceId, in.Filter, in.page})
	if err != nil {
		return nil, err
	}
	return struct {
		Statuses  query.Items[instanceStatusXML] `xml:"instanceStatusSet"`
		NextToken string                         `xml:"nextToken,omitempty"`
	}{query.List(list, showStatus), next}, nil
}

// checks are what the status checks say of an instance: those of a running one pass.
func checks(i *world.Instance) (status, reachability string) {
	if i.State == "running" {
		return "ok", "passed"
	}
	return "not-applicable", ""
}

func showStatus(i *world.Instance) instanceStatusXML {
	var x statusXML
	status, reachability := checks(i)
	x.Status = status
	if reachability != "" {
		x.Details.Item = []statusDetailXML{{"reachability", reachability}}
	}
	return instanceStatusXML{
		ID: i.ID, Zone: i.AvailabilityZone, ZoneID: world.ZoneID(i.AvailabilityZone),
		State: showState(i.State), System: x, Instance: x,
	}
}

var instanceStatusFields = fields[world.Instance]{
	"availability-zone":            instanceFields["availability-zone"],
	"availability-zone-id":         instanceFields["availability-zone-id"],
	"instance-state-code":          instanceFields["instance-state-code"],
	"instance-state-name":          instanceFields["instance-state-name"],
	"instance-status.status":       one(statusOf),
	"instance-status.reachability": optional(reachabilityOf),
	"system-status.status":         one(statusOf),
	"system-status.reachability":   optional(reachabilityOf),
}

func statusOf(i *world.Instance) string {
	status, _ := checks(i)
	return status
}

func reachabilityOf(i *world.Instance) string {
	_, reachability := checks(i)
	return reachability
}
