package main

import (
	"context"

	"aws-provider-executor/examples/internal/steps"
	"aws-provider-executor/pkg/ec2sim"
	"aws-provider-executor/pkg/protocol"
)

// database is the first of two interfaces of an instance of the lab.
const (
	routerA  = ec2sim.LabRouterAInterface
	routerB  = ec2sim.LabRouterBInterface
	database = "eni-01088600000000020"
)

// play plays the whole demo.
func play(ctx context.Context, s *steps.Stage) {
	c := &core{Stage: s, ec2: s.StandIn(ctx)}
	c.address()
	c.takeover()
	c.twoActions()
	c.fence()
	c.route()
}

func succeeded(message string) outcome { return outcome{protocol.Succeeded, message} }

func (c *core) address() {
	c.Heading("An address is assigned, and the undo takes it away")
	c.ec2.Before(routerA)
	c.send("assign-dry-run.json", succeeded("would assign"))
	first := c.send("assign.json", succeeded("assigned"))
	c.ec2.Look(routerA)
	c.Say("An undo is a request too: the undo verb, the key with :undo, the facts of the result.")
	c.undo(first, "unassign-secondary-ip", succeeded("unassigned"))
	c.ec2.AsBefore(routerA)
}

func (c *core) takeover() {
	c.Heading("An address is taken from another router, and the undo gives it back")
	c.send("assign.json", succeeded("assigned"))
	c.ec2.Before(routerA, routerB)
	c.Say("router-a has it now. Only with allowReassignment=true is it taken from there.")
	c.send("assign-takeover.json", outcome{protocol.Failed, "is held by"}, takes)
	taken := c.send("assign-takeover.json", succeeded("taken from"))
	c.ec2.Look(routerA, routerB)
	c.undo(taken, "unassign-secondary-ip", succeeded("gave"))
	c.ec2.AsBefore(routerA, routerB)
}

func (c *core) twoActions() {
	c.Heading("Two actions need forwarding. It stays on until both are undone")
	c.ec2.Before(routerA)
	first := c.send("forwarding.json", succeeded("enabled"))
	c.ec2.Look(routerA)
	second := c.send("forwarding-second.json", succeeded("nothing to do"))
	c.Say("The first one is undone. The second one still needs forwarding, so it stays on.")
	c.undo(first, "ensure-forwarding-disabled", succeeded("nothing is changed"))
	c.ec2.Look(routerA)
	c.undo(second, "ensure-forwarding-disabled", succeeded("disabled"))
	c.ec2.AsBefore(routerA)
}

func (c *core) fence() {
	c.Heading("A fence: an instance gets groups that block its traffic, and the risk is told")
	c.ec2.Describe = steps.Groups
	c.ec2.Before(database)
	c.send("fence-dry-run.json", succeeded("would fence"))
	fenced := c.send("fence.json", succeeded("may go on"))
	c.ec2.Look(database)
	c.undo(fenced, "unfence-security-groups", succeeded("unfenced"))
	c.ec2.AsBefore(database)
}

func (c *core) route() {
	c.Heading("A route leads to one router, then to the other, and back")
	c.ec2.Before()
	first := c.send("route.json", succeeded("routed"))
	second := c.send("route-takeover.json", succeeded("routed"))
	c.undo(second, "unassign-route-table-route", succeeded("gave"))
	c.undo(first, "unassign-route-table-route", succeeded("took the route"))
	c.ec2.AsBefore()
}
