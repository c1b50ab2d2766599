package awsec2

import "slices"

// service is an AWS service beside EC2 that is called without the SDK's client for it:
// servicecall.go makes the calls. What is not in its list of operations can't be called.
//
// A further service is one more value of this type in services. TestEndpointsAreTheSDKs wants the
// SDK's client for it as a judge, in tests only.
type service struct {
	provider
	// wire is the protocol that it speaks.
	wire wire
	// operations are all that are called.
	operations []operation
}

// operation is one operation of a service.
type operation struct {
	name string
	does effect
	// member is one that every answer in JSON has; empty if there is none. An answer in XML is named
	// for its operation.
	member string
}

// effect is what an operation does, which decides who may call it and when it is called again.
type effect int

const (
	// reads changes nothing. It is called again whenever that may help.
	reads effect = iota + 1
	// changes is called again only after a call that certainly did nothing.
	changes
	// changesOnce has a token in it by which the service makes the change once. It is called again
	// as reads is.
	changesOnce
)

// dynamoDB has the ledger's table.
var dynamoDB = service{
	provider: provider{"DynamoDB", "dynamodb"}, wire: jsonWire{"DynamoDB_20120810", "1.0"},
	operations: []operation{
		{"BatchGetItem", reads, "Responses"},
		{"Query", reads, "Items"},
		{"TransactWriteItems", changesOnce, ""},
	},
}

// services are all that are called without the SDK's clients.
var services = []*service{&autoScaling, &dynamoDB, &systemsManager}

// forItself reports whether a service is called for what it does. Others are asked for an identity.
func forItself(name string) bool {
	return name == serviceEC2 ||
		slices.ContainsFunc(services, func(s *service) bool { return s.name == name })
}

// operation is the operation with a name, or none.
func (s *service) operation(name string) (operation, bool) {
	i := slices.IndexFunc(s.operations, func(o operation) bool { return o.name == name })
	if i < 0 {
		return operation{}, false
	}
	return s.operations[i], true
}
