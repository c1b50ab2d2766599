package world

import (
	"slices"
	"strings"

	"aws-provider-executor/pkg/ec2sim/internal/refusal"
)

// Types of interfaces that behave in a way of their own.
const (
	PlainType   = "interface"
	trunkType   = "trunk"    // carries branch interfaces
	branchType  = "branch"   // is attached to nothing; TrunkID names what carries it
	EFAOnlyType = "efa-only" // has no addresses
)

// serviceTypes are EC2's types of interfaces that services make.
var serviceTypes = []string{
	"api_gateway_managed", "aws_codestar_connections_managed", "ec2_instance_connect_endpoint",
	"gateway_load_balancer", "gateway_load_balancer_endpoint", "global_accelerator_managed",
	"iot_rules_managed", "lambda", "load_balancer", "nat_gateway", "natGateway",
	"network_load_balancer", "quicksight", "transit_gateway", "vpc_endpoint", "evs",
}

func knownType(name string) bool {
	return slices.Contains([]string{PlainType, trunkType, branchType, "efa", EFAOnlyType}, name) ||
		slices.Contains(serviceTypes, name)
}

// checkType panics on an interface that EC2 has not: of an unknown type, or a branch without a
// trunk.
func (w *World) checkType(i Interface) {
	if !knownType(i.Type) {
		cannot("no type of interface is " + i.Type)
	}
	if i.TrunkID == "" {
		return
	}
	if i.Type != branchType || i.Attachment != nil {
		cannot("only a branch interface that is attached to nothing has a trunk")
	}
	if Must(w.Interfaces, i.TrunkID).Type != trunkType {
		cannot("" + i.TrunkID + " is not a trunk")
	}
}

// managed reports whether only a service may change the interface.
func (i *Interface) managed() bool { return i.RequesterManaged || i.Operator != nil }

// NoAddresses is the refusal of an address for what has none. EC2's own text has not been seen.
func NoAddresses(eni *Interface) *refusal.Error {
	return refusal.InvalidValue(
		"Interface %s is of type efa-only, which does not support IP addresses.",
		eni.ID)
}

// errManaged is the refusal to change what an AWS service manages.
func errManaged(eni *Interface) *refusal.Error {
	name := eni.ID
	if eni.Attachment != nil {
		name = eni.Attachment.ID[:strings.LastIndexByte(eni.Attachment.ID, '-')]
	}
	return refusal.New("OperationNotPermitted", "You are not allowed to manage '%s' attachments.",
		name)
}
