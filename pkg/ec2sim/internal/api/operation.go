// Package api is the operations of EC2: each parses its parameters, calls the world, and shows what
// came of it. A parameter or a filter that EC2 has and the stand-in does not hold is refused aloud.
package api

import (
	"maps"
	"net/url"
	"slices"
	"time"

	"aws-provider-executor/pkg/ec2sim/internal/query"
	"aws-provider-executor/pkg/ec2sim/internal/refusal"
	"aws-provider-executor/pkg/ec2sim/internal/world"
)

// call is what an operation works with.
type call struct {
	world.Change
	operation string
}

// view is a world as the API shows it.
type view struct{ *world.World }

func (c *call) view() view { return view{c.World} }

// Operation is one operation of the API.
type Operation struct {
	Changes bool
	// Anyone reports whether IAM has no say: whoever is known to AWS may call.
	Anyone  bool
	Prepare func(name string, form url.Values) (Prepared, error)
}

// Prepared is a call whose parameters are what they should be.
type Prepared struct {
	DryRun bool
	Units  int // of the resource bucket, for the operations that have one
	// On returns the ids of the resources IAM has a say about. It is nil where that is "*".
	On func(*world.World) []string
	// Subnet is where a call makes something, for IAM; empty for no subnet.
	Subnet string
	// Tags are the ids, among them, of what the call tags as it makes it. For that IAM asks for
	// CreateTags.
	Tags       []string
	Conditions map[string][]string // IAM condition keys of the call's own
	// Plain is set where the call is neither filtered nor paged, and that costs more.
	Plain bool
	// Patience is how long the call waits until Run has something to answer; see Nothing.
	Patience time.Duration
	Run      func(world.Change) (any, error)
}

// Nothing is the answer of an operation that has nothing to answer yet.
type Nothing interface{ Nothing() bool }

// dryRun is embedded in the parameters of the operations that have DryRun.
type dryRun struct{ DryRun bool }

func (d dryRun) dry() bool { return d.DryRun }

// These are what parameters may say of their call.
type (
	dryRunner interface{ dry() bool }
	costly    interface{ plain() bool }
	resourced interface{ resources(*world.World) []string }
	counted   interface{ units() int }
	keyed     interface{ conditions() map[string][]string }
	patient   interface{ patience() time.Duration }
	tagger    interface{ tagsOn() []string }
	placer    interface{ subnet() string }
)

func reading[In any](run func(*call, *In) (any, error)) Operation  { return withParams(false, run) }
func changing[In any](run func(*call, *In) (any, error)) Operation { return withParams(true, run) }

// withParams makes an operation of a function and the parameters that it takes.
func withParams[In any](changes bool, run func(*call, *In) (any, error)) Operation {
	return Operation{Changes: changes, Prepare: func(name string, form url.Values) (Prepared, error) {
		in := new(In)
		if err := query.Decode(form, in); err != nil {
			return Prepared{}, decodeError(err)
		}
		p := Prepared{Run: func(c world.Change) (any, error) { return run(&call{c, name}, in) }}
		if d, ok := any(in).(dryRunner); ok {
			p.DryRun = d.dry()
		}
		if c, ok := any(in).(costly); ok {
			p.Plain = c.plain()
		}
		if r, ok := any(in).(resourced); ok {
			p.On = r.resources
		}
		if k, ok := any(in).(keyed); ok {
			p.Conditions = k.conditions()
		}
		if w, ok := any(in).(patient); ok {
			p.Patience = w.patience()
		}
		if s, ok := any(in).(placer); ok {
			p.Subnet = s.subnet()
		}
		if t, ok := any(in).(tagger); ok {
			p.Tags = t.tagsOn()
		}
		if u, ok := any(in).(counted); ok {
			p.Units = u.units()
		}
		return p, nil
	}}
}

// Operations are EC2's.
var Operations = withOnlyDry(map[string]Operation{
	"DescribeAddresses":                 reading(describeAddresses),
	"DescribeInstanceStatus":            reading(describeInstanceStatus),
	"DescribeInstanceTypes":             reading(describeInstanceTypes),
	"DescribeInstances":                 reading(describeInstances),
	"DescribeNetworkInterfaceAttribute": reading(describeNetworkInterfaceAttribute),
	"DescribeNetworkInterfaces":         reading(describeNetworkInterfaces),
	"DescribeRegions":                   reading(describeRegions),
	"DescribeRouteTables":               reading(describeRouteTables),
	"DescribeSecurityGroups":            reading(describeSecurityGroups),
	"DescribeSubnets":                   reading(describeSubnets),
	"DescribeTags":                      reading(describeTags),
	"DescribeVpcs":                      reading(describeVPCs),

	"AllocateAddress":                 changing(allocateAddress),
	"AssociateAddress":                changing(associateAddress),
	"AttachNetworkInterface":          changing(attachNetworkInterface),
	"AssignPrivateIpAddresses":        changing(assignPrivateIPAddresses),
	"AssignIpv6Addresses":             changing(assignIPv6Addresses),
	"CreateNetworkInterface":          changing(createNetworkInterface),
	"CreateRoute":                     changing(createRoute),
	"CreateTags":                      changing(createTags),
	"DeleteNetworkInterface":          changing(deleteNetworkInterface),
	"DeleteRoute":                     changing(deleteRoute),
	"DeleteTags":                      changing(deleteTags),
	"DetachNetworkInterface":          changing(detachNetworkInterface),
	"DisassociateAddress":             changing(disassociateAddress),
	"ReleaseAddress":                  changing(releaseAddress),
	"ReplaceRoute":                    changing(replaceRoute),
	"RunInstances":                    changing(runInstances),
	"StartInstances":                  changing(startInstances),
	"StopInstances":                   changing(stopInstances),
	"TerminateInstances":              changing(terminateInstances),
	"UnassignIpv6Addresses":           changing(unassignIPv6Addresses),
	"ModifyNetworkInterfaceAttribute": changing(modifyNetworkInterfaceAttribute),
	"UnassignPrivateIpAddresses":      changing(unassignPrivateIPAddresses),
})

// Service is one AWS service: its operations, and how it writes answers.
type Service struct {
	// Name is what it calls itself, Prefix what its actions begin with in IAM, and Version the one of
	// its API that is served.
	Name, Prefix, Version string

	Operations map[string]Operation
	// ContentType is the form of its answers, and Target what the header X-Amz-Target of a call begins
	// with, for a service that speaks JSON.
	ContentType, Target string
	// Answer and Refusal write an answer and an error.
	Answer  func(operation, requestID string, body any) ([]byte, error)
	Refusal func(requestID, code, message string) ([]byte, error)
	// Words is a refusal as the service words it; nil where it does as EC2.
	Words func(refusal.Error) refusal.Error
}

// These are the services there are, by the names that requests are signed for.
const (
	EC2 = "ec2"
	STS = "sts"
	IAM = "iam"
	SQS = "sqs"
	SSM = "ssm"

	AutoScaling    = "autoscaling"
	SecretsManager = "secretsmanager"
)

const xmlType = "text/xml;charset=UTF-8"

// Services are the services by those names.
var Services = map[string]Service{
	EC2: {
		Name: "AmazonEC2", Prefix: "ec2", Version: query.Version, Operations: Operations,
		ContentType: xmlType,
		Answer:      query.Answer, Refusal: query.Refusal,
	},
	STS: {
		Name: "AWSSecurityTokenService", Prefix: "sts", Version: query.STSVersion,
		Operations: stsOperations, ContentType: xmlType, Answer: query.STSAnswer,
		Refusal: query.STSRefusal,
	},
	IAM: {
		Name: "AWSIdentityAndAccessManagement", Prefix: "iam", Version: query.IAMVersion,
		Operations: iamOperations, ContentType: xmlType, Answer: query.IAMAnswer,
		Refusal: query.IAMRefusal,
	},
	SQS: {
		Name: "AmazonSQS", Prefix: "sqs", Version: query.SQSVersion, Target: "AmazonSQS.",
		Operations: sqsOperations, ContentType: query.JSONType, Answer: query.JSONAnswer,
		Refusal: query.SQSRefusal,
	},
	AutoScaling: {
		Name: "AutoScaling", Prefix: "autoscaling", Version: query.ScalingVersion,
		Operations: scalingOperations, ContentType: xmlType, Answer: query.ScalingAnswer,
		Refusal: query.ScalingRefusal, Words: scalingWords,
	},
	SSM: {
		Name: "AmazonSSM", Prefix: "ssm", Version: query.SSMVersion, Target: "AmazonSSM.",
		Operations: ssmOperations, ContentType: query.JSONType11, Answer: query.JSONAnswer,
		Refusal: query.SSMRefusal, Words: ssmWords,
	},
	SecretsManager: {
		Name: "SecretsManager", Prefix: "secretsmanager", Version: query.SecretsVersion,
		Target: "secretsmanager.", Operations: secretsOperations, ContentType: query.JSONType11,
		Answer: query.JSONAnswer, Refusal: query.SSMRefusal, Words: secretsWords,
	},
}

// All returns the operations of all services, by name. No two have the same.
func All() map[string]Operation {
	all := map[string]Operation{}
	for _, s := range Services {
		maps.Copy(all, s.Operations)
	}
	return all
}

// Names returns the names of the operations that are carried out, sorted. Those that answer a
// DryRun alone are not among them.
func Names() []string { return carriedOut(All()) }

// NamesOf returns those of one service.
func NamesOf(service string) []string { return carriedOut(Services[service].Operations) }

func carriedOut(operations map[string]Operation) []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(operations)), func(name string) bool {
		return onlyDry[name] != nil
	})
}
