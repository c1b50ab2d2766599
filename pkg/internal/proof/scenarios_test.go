package proof

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"aws-provider-executor/actions"
	"aws-provider-executor/pkg/ec2sim"
	"aws-provider-executor/pkg/protocol"
)

// scenario is one thing that an action does to the lab. Its undo is proven with it.
type scenario struct {
	name string
	verb string
	// plain marks the one that stands for its verbs where not all can be tried.
	plain              bool
	seed               func(*ec2sim.Region)
	target, parameters map[string]string
	// between is what happens between the action and its undo, by somebody else.
	between func(*ec2sim.Region)
	// fault, if not nil, is what goes wrong at EC2 all along.
	fault *ec2sim.Fault
	// old makes the action's record two minutes older before the undo.
	old bool
	// hurried scenarios are carried out by a program whose clock is not waited for.
	hurried bool
	// undo adds to the parameters of the undo.
	undo map[string]string
	// already means that nothing has to be changed, so that the undo is skipped.
	already bool
	// alone marks an undo verb that is an action of its own: without the key of another, it is not
	// undone itself.
	alone bool
	// untold marks an action of which nothing tells how it ended, once its answer is lost.
	untold bool
	// final marks an action that nothing takes back. It is alone, too.
	final bool
	// waits means that what may have been sent is not sent again before it would show.
	waits bool
	// beyond means that the undo restores what was there before an earlier action of somebody else.
	beyond bool
}

const (
	newIPv6   = "2001:db8:1088:60::99"
	otherIPv6 = "2001:db8:1088:60::55"
)

// idleAllocation is an Elastic IP that leads to nothing, in worlds that idleAddress seeded.
const idleAllocation = "eipalloc-01088600000000200"

func idleAddress(r *ec2sim.Region) {
	r.AddAddress(ec2sim.Address{AllocationID: idleAllocation, PublicIP: "203.0.113.200"})
}

// ownPool is a pool of public addresses, in worlds that poolSeed seeded.
const ownPool = "ipv4pool-ec2-01088600000000001"

func poolSeed(r *ec2sim.Region) { r.SetPublicPool(ownPool, "198.51.100.0/30") }

var scenarios = []scenario{
	{
		name: "assign a free address", verb: "assign-secondary-ip", plain: true,
		target: map[string]string{"nicRef": ec2sim.LabRouterAInterface,
			"address": ec2sim.LabFreeAddress + "/32"},
	},
	{
		name: "take an address from its holder", verb: "assign-secondary-ip", plain: true,
		target: map[string]string{"nicRef": ec2sim.LabRouterAInterface,
			"address": ec2sim.LabServiceAddress},
		parameters: map[string]string{"allowReassignment": "true",
			"expectedHolderRef": ec2sim.LabRouterBInterface},
	},
	{
		name: "assign an address that is there", verb: "assign-secondary-ip", already: true,
		target: map[string]string{"nicRef": ec2sim.LabRouterBInterface,
			"address": ec2sim.LabServiceAddress},
	},
	{
		name: "assign a free IPv6 address", verb: "assign-secondary-ip",
		target: map[string]string{"nicRef": ec2sim.LabRouterBInterface, "address": newIPv6 + "/128"},
	},
	{
		name: "take an IPv6 address from its holder", verb: "assign-secondary-ip", plain: true,
		seed: func(r *ec2sim.Region) {
			r.EditInterface(ec2sim.LabRouterAInterface, func(i *ec2sim.Interface) {
				i.IPv6Addresses = append(i.IPv6Addresses, otherIPv6)
			})
		},
		target:     map[string]string{"nicRef": ec2sim.LabRouterBInterface, "address": otherIPv6},
		parameters: map[string]string{"allowReassignment": "true"},
	},
	{
		name: "enable forwarding", verb: "ensure-forwarding-enabled", plain: true,
		target: map[string]string{"nicRef": ec2sim.LabRouterAInterface},
	},
	{
		name: "enable forwarding where it is", verb: "ensure-forwarding-enabled", already: true,
		target: map[string]string{"nicRef": ec2sim.LabRouterCInterface, "address": "10.88.61.9"},
	},
	{
		name: "add a route", verb: "assign-route-table-route", plain: true,
		target: map[string]string{"nicRef": ec2sim.LabRouterAInterface,
			"routeTableRef": ec2sim.LabRouteTable, "address": "10.200.0.9/32"},
	},
	{
		name: "add a route, by its capture strategy", verb: "assign-secondary-ip",
		target: map[string]string{"nicRef": ec2sim.LabRouterAInterface,
			"routeTableRef": ec2sim.LabRouteTable, "address": "10.200.0.9/32",
			"captureStrategy": "route-table"},
	},
	{
		name: "take a route from another interface", verb: "assign-route-table-route",
		target: map[string]string{"nicRef": ec2sim.LabRouterBInterface,
			"routeTableRef": ec2sim.LabRouteTable, "address": ec2sim.LabRoute},
		parameters: map[string]string{"allowReassignment": "true"},
	},
	{
		name: "take a route from a gateway", verb: "assign-route-table-route",
		seed: func(r *ec2sim.Region) {
			r.EditRouteTable(ec2sim.LabRouteTable, func(t *ec2sim.RouteTable) {
				t.Routes = append(t.Routes,
					ec2sim.Route{Destination: "10.201.0.0/16", Target: ec2sim.LabTransitGateway,
						Origin: "CreateRoute"})
			})
		},
		target: map[string]string{"nicRef": ec2sim.LabRouterBInterface,
			"routeTableRef": ec2sim.LabRouteTable, "address": "10.201.0.0/16"},
		parameters: map[string]string{"allowReassignment": "true"},
	},
	{
		name: "a route that is there", verb: "assign-route-table-route", already: true,
		target: map[string]string{"nicRef": ec2sim.LabRouterAInterface,
			"routeTableRef": ec2sim.LabRouteTable, "address": ec2sim.LabRoute},
	},
	{
		name: "fence two interfaces", verb: "fence-security-groups", plain: true,
		target:     map[string]string{"instanceRef": ec2sim.LabDB},
		parameters: map[string]string{"securityGroups": ec2sim.LabGroupFence, "invertSgRemoval": "true"},
	},
	{
		name: "fence by removing a group", verb: "fence-security-groups",
		seed: func(r *ec2sim.Region) {
			r.EditInterface(ec2sim.LabDBInterface1, func(i *ec2sim.Interface) {
				i.Groups = append(i.Groups, ec2sim.LabGroupRouter)
			})
		},
		target:     map[string]string{"instanceRef": ec2sim.LabDB},
		parameters: map[string]string{"securityGroups": ec2sim.LabGroupWeb},
	},
	{
		name: "fence by way of a transition group", verb: "fence-security-groups",
		target: map[string]string{"instanceRef": ec2sim.LabDB},
		parameters: map[string]string{"securityGroups": ec2sim.LabGroupFence, "invertSgRemoval": "true",
			"transitionSecurityGroup": ec2sim.LabGroupAllowAll},
	},
	{
		name: "fence by removing a group, by way of a transition group", verb: "fence-security-groups",
		seed: func(r *ec2sim.Region) {
			r.EditInterface(ec2sim.LabDBInterface1, func(i *ec2sim.Interface) {
				i.Groups = append(i.Groups, ec2sim.LabGroupRouter)
			})
		},
		target: map[string]string{"instanceRef": ec2sim.LabDB},
		parameters: map[string]string{"securityGroups": ec2sim.LabGroupWeb,
			"transitionSecurityGroup": ec2sim.LabGroupAllowAll},
	},
	{
		name: "fence by exact groups, by way of a transition group", verb: "fence-security-groups",
		target: map[string]string{"instanceRef": ec2sim.LabDB},
		parameters: map[string]string{
			"interface0Sg":            ec2sim.LabGroupFence,
			"interface1Sg":            ec2sim.LabGroupFence + "," + ec2sim.LabGroupRouter,
			"transitionSecurityGroup": ec2sim.LabGroupAllowAll,
		},
	},
	{
		name: "fence by exact groups, without tags", verb: "fence-security-groups",
		target: map[string]string{"instanceRef": ec2sim.LabDB},
		parameters: map[string]string{"interface0Sg": ec2sim.LabGroupFence,
			"interface1Sg": ec2sim.LabGroupFence + "," + ec2sim.LabGroupRouter},
	},
	{
		name: "fence without tags, by way of a transition group", verb: "fence-security-groups",
		target: map[string]string{"instanceRef": ec2sim.LabDB},
		parameters: map[string]string{
			"securityGroups": ec2sim.LabGroupFence, "invertSgRemoval": "true", "backupTags": "false",
			"transitionSecurityGroup": ec2sim.LabGroupAllowAll,
		},
	},
	{
		name: "fence without tags over somebody else's fence", verb: "fence-security-groups",
		seed:       fencedByAnother,
		target:     map[string]string{"instanceRef": ec2sim.LabRouterB},
		parameters: map[string]string{"securityGroups": ec2sim.LabGroupWeb, "backupTags": "false"},
	},
	{
		name: "fence with an agent's parameters", verb: "fence-security-groups",
		target: map[string]string{"instanceRef": ec2sim.LabDB},
		parameters: map[string]string{
			"securityGroups": ec2sim.LabGroupFence, "invertSgRemoval": "true",
			"interface0Sg": ec2sim.LabGroupWeb + "," + ec2sim.LabGroupDefault,
			"interface1Sg": ec2sim.LabGroupWeb,
		},
	},
	{
		name: "fence an instance with a trunk interface", verb: "fence-security-groups",
		seed: func(r *ec2sim.Region) {
			r.EditInterface(ec2sim.LabDBInterface1, func(i *ec2sim.Interface) { i.Type = "trunk" })
		},
		target: map[string]string{"instanceRef": ec2sim.LabDB},
		parameters: map[string]string{
			"securityGroups": ec2sim.LabGroupFence, "invertSgRemoval": "true",
			"ignoreBranchInterfaces": "true",
		},
	},
	{
		name: "fence an instance that is stopped", verb: "fence-security-groups", already: true,
		hurried: true,
		seed: func(r *ec2sim.Region) {
			r.EditInstance(ec2sim.LabDB, func(i *ec2sim.Instance) { i.State = "stopped" })
		},
		target:     map[string]string{"instanceRef": ec2sim.LabDB},
		parameters: map[string]string{"securityGroups": ec2sim.LabGroupFence, "invertSgRemoval": "true"},
	},
	{
		name: "take an address, and the interface is deleted", verb: "assign-secondary-ip",
		beyond: true, old: true,
		target: map[string]string{"nicRef": ec2sim.LabSpareInterface,
			"address": ec2sim.LabServiceAddress},
		parameters: map[string]string{"allowReassignment": "true"},
		between:    deleted(ec2sim.LabSpareInterface),
	},
	{
		name: "take an IPv6 address, and the interface is deleted", verb: "assign-secondary-ip",
		beyond: true, old: true,
		seed: func(r *ec2sim.Region) {
			r.EditInterface(ec2sim.LabRouterAInterface, func(i *ec2sim.Interface) {
				i.IPv6Addresses = append(i.IPv6Addresses, otherIPv6)
			})
		},
		target:     map[string]string{"nicRef": ec2sim.LabSpareInterface, "address": otherIPv6},
		parameters: map[string]string{"allowReassignment": "true"},
		between:    deleted(ec2sim.LabSpareInterface),
	},
	{
		name: "assign a free address, and the interface is deleted", verb: "assign-secondary-ip",
		beyond: true, old: true,
		target:  map[string]string{"nicRef": ec2sim.LabSpareInterface, "address": ec2sim.LabFreeAddress},
		between: deleted(ec2sim.LabSpareInterface),
	},
	{
		name: "enable forwarding, and the interface is deleted", verb: "ensure-forwarding-enabled",
		beyond: true, old: true,
		target:  map[string]string{"nicRef": ec2sim.LabSpareInterface},
		between: deleted(ec2sim.LabSpareInterface),
	},
	{
		name: "take a route, and the interface is deleted",
		verb: "assign-route-table-route", beyond: true,
		target: map[string]string{
			"nicRef": ec2sim.LabSpareInterface, "routeTableRef": ec2sim.LabRouteTable,
			"address": ec2sim.LabRoute,
		},
		parameters: map[string]string{"allowReassignment": "true"},
		between:    deleted(ec2sim.LabSpareInterface),
	},
	{
		name: "take a route, and the table is deleted", verb: "assign-route-table-route",
		beyond: true, old: true,
		target: map[string]string{
			"nicRef": ec2sim.LabSpareInterface, "routeTableRef": ec2sim.LabRouteTable,
			"address": ec2sim.LabRoute,
		},
		parameters: map[string]string{"allowReassignment": "true"},
		between:    deleted(ec2sim.LabRouteTable),
	},
	{
		name: "fence, and the instance is terminated", verb: "fence-security-groups", beyond: true,
		target:     map[string]string{"instanceRef": ec2sim.LabRouterB},
		parameters: map[string]string{"securityGroups": ec2sim.LabGroupWeb, "invertSgRemoval": "true"},
		between: func(r *ec2sim.Region) {
			r.Remove(ec2sim.LabRouterBInterface)
			r.EditInstance(ec2sim.LabRouterB, func(i *ec2sim.Instance) { i.State = "terminated" })
		},
	},
	{
		name: "fence, and the instance is gone", verb: "fence-security-groups", beyond: true, old: true,
		target:     map[string]string{"instanceRef": ec2sim.LabRouterB},
		parameters: map[string]string{"securityGroups": ec2sim.LabGroupWeb, "invertSgRemoval": "true"},
		between: func(r *ec2sim.Region) {
			r.Remove(ec2sim.LabRouterBInterface)
			r.Remove(ec2sim.LabRouterB)
		},
	},
	{
		name: "fence, and an interface is attached", verb: "fence-security-groups", beyond: true,
		target:     map[string]string{"instanceRef": ec2sim.LabDB},
		parameters: map[string]string{"securityGroups": ec2sim.LabGroupFence, "invertSgRemoval": "true"},
		between: func(r *ec2sim.Region) {
			r.EditInterface(ec2sim.LabSpareInterface, func(i *ec2sim.Interface) {
				i.Attachment = &ec2sim.Attachment{
					ID: "eni-attach-0123456789abcdef0", InstanceID: ec2sim.LabDB,
					InstanceOwner: ec2sim.DefaultOwner, DeviceIndex: 5, Status: "attached",
				}
			})
		},
	},
	{
		name: "fence, and an interface is detached", verb: "fence-security-groups", beyond: true,
		target:     map[string]string{"instanceRef": ec2sim.LabDB},
		parameters: map[string]string{"securityGroups": ec2sim.LabGroupFence, "invertSgRemoval": "true"},
		between:    func(r *ec2sim.Region) { r.Detach(ec2sim.LabDBInterface1) },
		undo:       map[string]string{"onDrift": "restore"},
	},
	{
		name: "fence and stop, then restore and start", verb: "fence-security-groups",
		target: map[string]string{"instanceRef": ec2sim.LabDB},
		parameters: map[string]string{
			"securityGroups": ec2sim.LabGroupFence, "invertSgRemoval": "true", "onFencePoweroff": "true",
		},
		undo: map[string]string{"powerOn": "true"},
	},
	{
		name: "stop an instance", verb: "stop-instances", plain: true,
		target:     map[string]string{"instanceRef": ec2sim.LabDB},
		parameters: map[string]string{"requiredTag": "Name=db"},
	},
	{
		name: "stop an instance that is stopped", verb: "stop-instances", already: true,
		seed: func(r *ec2sim.Region) {
			r.EditInstance(ec2sim.LabDB, func(i *ec2sim.Instance) { i.State = "stopped" })
		},
		target:     map[string]string{"instanceRef": ec2sim.LabDB},
		parameters: map[string]string{"requiredTag": "Name=db"},
	},
	{
		name: "stop, and the instance is terminated", verb: "stop-instances", beyond: true,
		target:     map[string]string{"instanceRef": ec2sim.LabDB},
		parameters: map[string]string{"requiredTag": "Name=db"},
		between: func(r *ec2sim.Region) {
			r.EditInstance(ec2sim.LabDB, func(i *ec2sim.Instance) { i.State = "terminated" })
		},
	},
	{
		name: "stop, and the instance is gone", verb: "stop-instances", beyond: true, old: true,
		target:     map[string]string{"instanceRef": ec2sim.LabRouterB},
		parameters: map[string]string{"requiredTag": "Name=router-b"},
		between: func(r *ec2sim.Region) {
			r.Remove(ec2sim.LabRouterBInterface)
			r.Remove(ec2sim.LabRouterB)
		},
	},
	{
		name: "set tags of an interface", verb: "ensure-tags", plain: true,
		target:     map[string]string{"resourceRef": ec2sim.LabRouterAInterface},
		parameters: map[string]string{"tag.Name": "edge", "tag.role": "router", "tag.empty": ""},
	},
	{
		name: "set a tag of an interface that is there", verb: "ensure-tags", already: true,
		target:     map[string]string{"resourceRef": ec2sim.LabRouterAInterface},
		parameters: map[string]string{"tag.Name": "router-a"},
	},
	{
		name: "set tags of an instance", verb: "ensure-tags",
		target:     map[string]string{"resourceRef": ec2sim.LabDB},
		parameters: map[string]string{"tag.Name": "edge", "tag.role": "router"},
	},
	{
		name: "set tags of an Elastic IP", verb: "ensure-tags",
		target:     map[string]string{"resourceRef": ec2sim.LabElasticIPAddress},
		parameters: map[string]string{"tag.Name": "edge", "tag.role": "router"},
	},
	{
		name: "set tags, and the interface is deleted", verb: "ensure-tags", beyond: true, old: true,
		target:     map[string]string{"resourceRef": ec2sim.LabSpareInterface},
		parameters: map[string]string{"tag.Name": "edge", "tag.role": "router"},
		between:    deleted(ec2sim.LabSpareInterface),
	},
	{
		name: "set tags, and the instance is gone", verb: "ensure-tags", beyond: true, old: true,
		target:     map[string]string{"resourceRef": ec2sim.LabRouterB},
		parameters: map[string]string{"tag.Name": "edge"},
		between: func(r *ec2sim.Region) {
			r.Remove(ec2sim.LabRouterBInterface)
			r.Remove(ec2sim.LabRouterB)
		},
	},
	{
		name: "set tags, and the Elastic IP is released", verb: "ensure-tags", beyond: true, old: true,
		target:     map[string]string{"resourceRef": ec2sim.LabElasticIPAddress},
		parameters: map[string]string{"tag.Name": "edge"},
		between:    deleted(ec2sim.LabElasticIPAddress),
	},
	{
		name: "make an interface", verb: "ensure-network-interface", plain: true,
		target: map[string]string{"instanceRef": ec2sim.LabRouterA, "deviceIndex": "1"},
		parameters: map[string]string{
			"subnet.ap-northeast-1a": ec2sim.LabSubnetA, "subnet.ap-northeast-1c": ec2sim.LabSubnetC,
			"securityGroups": ec2sim.LabGroupWeb, "sourceDestCheck": "false",
			"privateAddresses": "10.88.60.77,10.88.60.78", "interfaceDescription": "edge",
		},
	},
	{
		name: "make an interface that is there", verb: "ensure-network-interface", already: true,
		seed:   func(r *ec2sim.Region) { r.Attach(ec2sim.LabSpareInterface, ec2sim.LabRouterA, 1) },
		target: map[string]string{"instanceRef": ec2sim.LabRouterA, "deviceIndex": "1"},
		parameters: map[string]string{
			"subnet.ap-northeast-1a": ec2sim.LabSubnetA, "securityGroups": ec2sim.LabGroupDefault,
			"deleteOnTermination": "false",
		},
	},
	{
		name: "make an interface, and the instance is terminated", verb: "ensure-network-interface",
		beyond: true,
		target: map[string]string{"instanceRef": ec2sim.LabRouterB, "deviceIndex": "2"},
		parameters: map[string]string{
			"subnet.ap-northeast-1a": ec2sim.LabSubnetA, "securityGroups": ec2sim.LabGroupWeb,
			"deleteOnTermination": "false",
		},
		between: func(r *ec2sim.Region) {
			for _, i := range r.State().Interfaces {
				if i.Attachment == nil || i.Attachment.InstanceID != ec2sim.LabRouterB {
					continue
				}
				if i.ID == ec2sim.LabRouterBInterface {
					r.Remove(i.ID)
				} else {
					r.Detach(i.ID)
				}
			}
			r.EditInstance(ec2sim.LabRouterB, func(i *ec2sim.Instance) { i.State = "terminated" })
		},
	},
	{
		name: "take an Elastic IP", verb: "ensure-public-address", plain: true, waits: true,
		target: map[string]string{"instanceRef": ec2sim.LabRouterB, "deviceIndex": "0"},
	},
	{
		name: "take an Elastic IP for a secondary address", verb: "ensure-public-address", waits: true,
		target: map[string]string{"instanceRef": ec2sim.LabRouterB, "deviceIndex": "0",
			"address": ec2sim.LabServiceAddress},
		parameters: map[string]string{"publicIpv4Pool": "amazon"},
	},
	{
		name: "associate an existing Elastic IP", verb: "ensure-public-address",
		seed:       idleAddress,
		target:     map[string]string{"instanceRef": ec2sim.LabDB, "deviceIndex": "1"},
		parameters: map[string]string{"allocationRef": idleAllocation},
	},
	{
		name: "associate an Elastic IP that is there", verb: "ensure-public-address", already: true,
		target: map[string]string{"instanceRef": ec2sim.LabRouterA, "deviceIndex": "0"},
	},
	{
		name: "take an Elastic IP, and the instance is terminated", verb: "ensure-public-address",
		beyond: true, waits: true,
		target: map[string]string{"instanceRef": ec2sim.LabRouterB, "deviceIndex": "0"},
		between: func(r *ec2sim.Region) {
			r.Remove(ec2sim.LabRouterBInterface)
			r.EditInstance(ec2sim.LabRouterB, func(i *ec2sim.Instance) { i.State = "terminated" })
		},
	},
	{
		name: "associate an existing Elastic IP, and it is released", verb: "ensure-public-address",
		beyond: true, old: true, seed: idleAddress,
		target:     map[string]string{"instanceRef": ec2sim.LabDB, "deviceIndex": "1"},
		parameters: map[string]string{"allocationRef": idleAllocation},
		between:    deleted(idleAllocation),
	},
	{
		name: "protect an instance from scale-in", verb: "ensure-instance-protection", plain: true,
		seed:   inGroup(ec2sim.ScalingMember{State: "InService"}),
		target: map[string]string{"instanceRef": ec2sim.LabRouterA, "autoScalingGroupName": "edge"},
	},
	{
		name: "let scale-in take an instance that it may take", verb: "ensure-instance-protection",
		already:    true,
		seed:       inGroup(ec2sim.ScalingMember{State: "InService"}),
		target:     map[string]string{"instanceRef": ec2sim.LabRouterA, "autoScalingGroupName": "edge"},
		parameters: map[string]string{"protectedFromScaleIn": "false"},
	},
	{
		name: "let scale-in take an instance, which leaves its group", verb: "ensure-instance-protection",
		beyond: true, old: true,
		seed:       inGroup(ec2sim.ScalingMember{State: "InService", Protected: true}),
		target:     map[string]string{"instanceRef": ec2sim.LabRouterA, "autoScalingGroupName": "edge"},
		parameters: map[string]string{"protectedFromScaleIn": "false"},
		between: func(r *ec2sim.Region) {
			r.EditScalingGroup("edge", func(g *ec2sim.ScalingGroup) { g.Instances = nil })
		},
	},
	{
		name: "restore a protection by facts", verb: "restore-instance-protection", alone: true,
		seed:   inGroup(ec2sim.ScalingMember{State: "InService", Protected: true}),
		target: map[string]string{"instanceRef": ec2sim.LabRouterA, "autoScalingGroupName": "edge"},
		parameters: map[string]string{"priorProtectedFromScaleIn": "false",
			"protectedFromScaleIn": "true"},
	},
	{
		name: "complete a lifecycle action", verb: "complete-lifecycle-action", alone: true, final: true,
		seed:   inGroup(waitsAt("up")),
		target: map[string]string{"instanceRef": ec2sim.LabRouterA, "autoScalingGroupName": "edge"},
		parameters: map[string]string{"lifecycleHookName": "up", "lifecycleActionResult": "CONTINUE",
			"lifecycleActionToken": waitsAt("up").Actions[0].Token},
	},
	{
		name: "complete one lifecycle action of two", verb: "complete-lifecycle-action", alone: true,
		final:      true,
		untold:     true,
		seed:       inGroup(waitsAt("up", "up-too")),
		target:     map[string]string{"instanceRef": ec2sim.LabRouterA, "autoScalingGroupName": "edge"},
		parameters: map[string]string{"lifecycleHookName": "up", "lifecycleActionResult": "CONTINUE"},
	},
	{
		name: "restore tags by facts", verb: "restore-tags", alone: true,
		target:     map[string]string{"resourceRef": ec2sim.LabDB},
		parameters: map[string]string{"priorTag.Name": `"edge"`, "ensuredTag.Name": `"db"`},
	},
	{
		name: "run a command", verb: "run-command", alone: true, final: true,
		waits:  true,
		target: map[string]string{"instanceRef": ec2sim.LabRouterA},
		parameters: map[string]string{"document": "AWS-RunShellScript",
			"parameter.commands": "systemctl restart nginx"},
	},
	{
		name: "run a command that takes its time", verb: "run-command", alone: true, final: true,
		waits: true,
		seed: func(r *ec2sim.Region) {
			r.EditInstance(ec2sim.LabRouterA, func(i *ec2sim.Instance) {
				i.Agent.Ends = []ec2sim.CommandEnd{{Reads: 2, Output: "done\n"}}
			})
		},
		target:     map[string]string{"instanceRef": ec2sim.LabRouterA},
		parameters: map[string]string{"document": "AWS-RunShellScript", "parameter.commands": "sync"},
	},
	{
		name: "start an instance", verb: "start-instances", alone: true,
		seed: func(r *ec2sim.Region) {
			r.EditInstance(ec2sim.LabDB, func(i *ec2sim.Instance) { i.State = "stopped" })
		},
		target:     map[string]string{"instanceRef": ec2sim.LabDB},
		parameters: map[string]string{"requiredTag": "Name=db", "priorInstanceState": "running"},
	},
	{
		name: "let an address go", verb: "unassign-secondary-ip", alone: true,
		target: map[string]string{"nicRef": ec2sim.LabRouterBInterface,
			"address": ec2sim.LabServiceAddress},
	},
	{
		name: "switch the check on", verb: "ensure-forwarding-disabled", alone: true,
		target:     map[string]string{"nicRef": ec2sim.LabRouterCInterface},
		parameters: map[string]string{"priorSourceDestCheck": "true"},
	},
	{
		name: "take a route away", verb: "unassign-route-table-route", alone: true,
		target: map[string]string{"nicRef": ec2sim.LabRouterAInterface,
			"routeTableRef": ec2sim.LabRouteTable, "address": ec2sim.LabRoute},
	},
	{
		name: "unfence by somebody else's tags", verb: "unfence-security-groups", alone: true,
		seed:   fencedByAnother,
		target: map[string]string{"instanceRef": ec2sim.LabRouterB},
	},
	{
		name: "fence over somebody else's fence", verb: "fence-security-groups", beyond: true,
		seed:       fencedByAnother,
		target:     map[string]string{"instanceRef": ec2sim.LabRouterB},
		parameters: map[string]string{"securityGroups": ec2sim.LabGroupWeb},
	},
	{
		name: "fence where no tag has room", verb: "fence-security-groups",
		seed: func(r *ec2sim.Region) {
			r.EditInstance(ec2sim.LabDB, func(i *ec2sim.Instance) {
				for n := range 50 - len(i.Tags) {
					i.Tags[fmt.Sprintf("full-%d", n)] = ""
				}
			})
		},
		target: map[string]string{"instanceRef": ec2sim.LabDB},
		parameters: map[string]string{"securityGroups": ec2sim.LabGroupFence, "invertSgRemoval": "true",
			"ignoreTagWriteFailure": "true"},
	},
	{
		name: "fence by way of a transition group and stop, beside tags left behind",
		verb: "fence-security-groups",
		seed: func(r *ec2sim.Region) {
			r.EditInstance(ec2sim.LabRouterB, func(i *ec2sim.Instance) {
				i.Tags["Original_SG_Backup_"+ec2sim.LabRouterB+"_1600000000_1_0"] =
					`{"n":{"i":"` + ec2sim.LabRouterBInterface + `","s":["` + ec2sim.LabGroupWeb[3:] +
						`"],"c":{"i":0,"t":1}},"t":1600000000}`
			})
		},
		target: map[string]string{"instanceRef": ec2sim.LabRouterB},
		parameters: map[string]string{
			"securityGroups": ec2sim.LabGroupFence, "invertSgRemoval": "true",
			"transitionSecurityGroup": ec2sim.LabGroupAllowAll, "onFencePoweroff": "true",
		},
		undo: map[string]string{"powerOn": "true"},
	},
	{
		name: "fence and stop", verb: "fence-security-groups",
		target: map[string]string{"instanceRef": ec2sim.LabRouterB},
		parameters: map[string]string{"securityGroups": ec2sim.LabGroupFence, "invertSgRemoval": "true",
			"onFencePoweroff": "true"},
		undo: map[string]string{"powerOn": "true"},
	},
}

// deleted has a thing deleted by somebody else.
func deleted(id string) func(*ec2sim.Region) {
	return func(r *ec2sim.Region) { r.Remove(id) }
}

// fencedByAnother has router-b fenced, with the tags that say what was there before.
func fencedByAnother(r *ec2sim.Region) {
	r.EditInterface(ec2sim.LabRouterBInterface, func(i *ec2sim.Interface) {
		i.Groups = []string{ec2sim.LabGroupWeb, ec2sim.LabGroupFence}
	})
	r.EditInstance(ec2sim.LabRouterB, func(i *ec2sim.Instance) {
		i.Tags["lastfence"] = "1700000000"
		i.Tags["Original_SG_Backup_"+ec2sim.LabRouterB+"_1700000000_1_0"] =
			`{"n":{"i":"` + ec2sim.LabRouterBInterface + `","s":["` + ec2sim.LabGroupRouter[3:] +
				`"],"c":{"i":0,"t":1}},"t":1700000000}`
	})
}

// request is the scenario's action under a key.
func (s scenario) request(key string) request {
	parameters := maps.Clone(s.parameters)
	if parameters == nil {
		parameters = map[string]string{}
	}
	// What planners send of their own is ignored.
	parameters["mobilityLease"] = "7"
	return request{
		verb: s.verb, key: key, target: s.target, parameters: parameters, hurried: s.hurried,
	}
}

// happens is what somebody else does between the action and its undo.
func (s scenario) happens(l *lab) {
	if s.between != nil {
		s.between(l.sim.Region(ec2sim.LabRegion))
	}
	if s.old {
		l.age()
	}
}

// undoOf is the scenario's undo after an answer.
func (s scenario) undoOf(r request, got protocol.Status) request {
	verb, _ := actions.Registry().Lookup(s.verb)
	return r.undo(verb.Undo, got, s.undo)
}

// undone is what an undo of it must answer.
func (s scenario) undone() protocol.State {
	if s.already {
		return protocol.Skipped
	}
	return protocol.Succeeded
}

// TestEveryVerbHasAScenario: a verb that is added later must be proven too.
func TestEveryVerbHasAScenario(t *testing.T) {
	proven := map[string]bool{}
	for _, s := range scenarios {
		verb, ok := actions.Registry().Lookup(s.verb)
		if !ok {
			t.Errorf("%s: no such verb", s.name)
		}
		if !s.already {
			proven[s.verb], proven[verb.Undo] = true, true
		}
	}
	plain := slices.IndexFunc(scenarios, func(s scenario) bool { return s.plain })
	for _, v := range actions.Registry().Verbs() {
		if !proven[v.Name] {
			t.Errorf("%s has no scenario here: add one that changes something", v.Name)
		}
		if v.Undo != "" && !slices.ContainsFunc(scenarios, func(s scenario) bool {
			return s.plain && s.verb == v.Name
		}) {
			t.Errorf("%s has no plain scenario", v.Name)
		}
	}
	if plain < 0 {
		t.Error("there are no plain scenarios")
	}
}

// untagged holds every instance against having a tag of a fence.
func (l *lab) untagged() {
	l.t.Helper()
	for _, i := range l.state().Regions[ec2sim.LabRegion].Instances {
		for key := range i.Tags {
			if key == "lastfence" || strings.HasPrefix(key, "Original_SG_Backup_") {
				l.t.Errorf("%s has the tag %s", i.ID, key)
			}
		}
	}
}

// TestScenarios: each scenario, when nothing goes wrong, does what the proofs rest on.
func TestScenarios(t *testing.T) {
	for _, s := range scenarios {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, s.seed)
			before := l.state()
			r := s.request("k")
			did := l.must(l.run(r), protocol.Succeeded, "execute")
			if changed := sameWorld(before, l.state()) != ""; changed == s.already {
				t.Errorf("it changed something: %t", changed)
			}
			if did.Observed["changed"] == "true" == s.already {
				t.Errorf("it says that it changed something: %s", did.Observed["changed"])
			}
			if s.alone {
				return
			}
			s.happens(l)
			l.must(l.run(s.undoOf(r, did.Status)), s.undone(), "undo")
			if !s.beyond {
				l.same(before, "after the undo")
			}
			if s.between != nil {
				l.untagged()
			}
		})
	}
}

// inGroup has router-a be an instance of the Auto Scaling group edge, which has two hooks.
func inGroup(m ec2sim.ScalingMember) func(*ec2sim.Region) {
	return func(r *ec2sim.Region) {
		m.InstanceID, m.SubnetID = ec2sim.LabRouterA, ec2sim.LabSubnetA
		r.AddScalingGroup(ec2sim.ScalingGroup{Name: "edge", MaxSize: 1, DesiredCapacity: 1,
			SubnetIDs: []string{ec2sim.LabSubnetA}, Suspended: []string{"Launch"},
			Hooks: []ec2sim.ScalingHook{{Name: "up", Transition: ec2sim.Launching},
				{Name: "up-too", Transition: ec2sim.Launching}},
			Instances: []ec2sim.ScalingMember{m},
		})
	}
}

// waitsAt is an instance that waits at hooks, for years.
func waitsAt(hooks ...string) ec2sim.ScalingMember {
	m := ec2sim.ScalingMember{State: "Pending:Wait"}
	for i, hook := range hooks {
		end := time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC)
		m.Actions = append(m.Actions, ec2sim.LifecycleAction{Hook: hook, Deadline: end, End: end,
			Token: fmt.Sprintf("c4000000-0000-4000-8000-%012d", i)})
	}
	return m
}
