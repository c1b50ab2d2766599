package awsec2

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/protocol"
)

// Things are what a prober asks about: one resource of each kind, empty where there is none.
type Things = map[action.Kind]string

// errNotAsked means that EC2 can't be asked, and says why.
type errNotAsked struct{ because string }

func (e *errNotAsked) Error() string { return e.because }

// NotAsked tells such an error from EC2's answers.
func (e *errNotAsked) NotAsked() bool { return true }

// withoutDryRun are the actions that EC2's API has no DryRun for.
var withoutDryRun = []string{
	"ec2:AssignIpv6Addresses", "ec2:AssignPrivateIpAddresses", "ec2:UnassignIpv6Addresses",
	"ec2:UnassignPrivateIpAddresses",
}

// question is one action that a prober can ask about.
type question struct {
	// kinds are what it needs an id of.
	kinds []action.Kind
	ask   func(ctx context.Context, of Things) error
}

// Changes lists the changing actions that a prober can ask about, in order.
func (p *Prober) Changes() []string {
	var all []string
	for name := range p.asked() {
		if !strings.HasPrefix(name, "ec2:Describe") {
			all = append(all, name)
		}
	}
	slices.Sort(all)
	return all
}

// Ask asks whether this identity may call an IAM action on these things. Nil means that it may, a
// failure of the class Authorization that it may not, and any other error that nobody knows.
func (p *Prober) Ask(ctx context.Context, name string, of Things) error {
	q, known := p.asked()[name]
	switch {
	case slices.Contains(withoutDryRun, name):
		return &errNotAsked{"EC2 has no DryRun for it, only the policies tell"}
	case !known:
		return &errNotAsked{"this program has no question for it"}
	}
	for _, kind := range q.kinds {
		if of[kind] == "" {
			return &errNotAsked{"no " + string(kind) + " is named to ask about"}
		}
	}
	return q.ask(ctx, of)
}

// Heeds asks what changes nothing at all, and fails where the endpoint does not heed DryRun: then
// nothing else may be asked.
func (p *Prober) Heeds(ctx context.Context) error {
	err := p.Ask(ctx, "ec2:DescribeInstances", nil)
	var f *protocol.Failure
	if errors.As(err, &f) && f.Class == protocol.Authorization {
		return nil
	}
	return err
}

var dryRun = aws.Bool(true)

// asking makes a question of an operation and the input that it makes of the things.
func asking[I, O, F any](
	send func(context.Context, *I, ...F) (*O, error), name string, input func(Things) *I,
	kinds ...action.Kind,
) question {
	return question{kinds, func(ctx context.Context, of Things) error {
		return probe(ctx, send, name, "find out about "+name, input(of))
	}}
}

// asked are all questions, by the names of IAM's actions.
func (p *Prober) asked() map[string]question {
	all := map[string]question{}
	for _, of := range []map[string]question{
		p.readings(), p.interfaceChanges(), p.instanceChanges(), p.otherChanges(),
	} {
		for name, q := range of {
			all["ec2:"+name] = q
		}
	}
	return all
}

func (p *Prober) readings() map[string]question {
	return map[string]question{
		"DescribeInstances": asking(p.api.DescribeInstances, "DescribeInstances",
			func(Things) *ec2.DescribeInstancesInput {
				return &ec2.DescribeInstancesInput{DryRun: dryRun}
			}),
		"DescribeNetworkInterfaces": asking(p.api.DescribeNetworkInterfaces,
			"DescribeNetworkInterfaces", func(Things) *ec2.DescribeNetworkInterfacesInput {
				return &ec2.DescribeNetworkInterfacesInput{DryRun: dryRun}
			}),
		"DescribeRouteTables": asking(p.api.DescribeRouteTables, "DescribeRouteTables",
			func(Things) *ec2.DescribeRouteTablesInput {
				return &ec2.DescribeRouteTablesInput{DryRun: dryRun}
			}),
		"DescribeSecurityGroups": asking(p.api.DescribeSecurityGroups, "DescribeSecurityGroups",
			func(Things) *ec2.DescribeSecurityGroupsInput {
				return &ec2.DescribeSecurityGroupsInput{DryRun: dryRun}
			}),
		"DescribeSubnets": asking(p.api.DescribeSubnets, "DescribeSubnets",
			func(Things) *ec2.DescribeSubnetsInput { return &ec2.DescribeSubnetsInput{DryRun: dryRun} }),
		"DescribeTags": asking(p.api.DescribeTags, "DescribeTags",
			func(Things) *ec2.DescribeTagsInput { return &ec2.DescribeTagsInput{DryRun: dryRun} }),
	}
}

func (p *Prober) interfaceChanges() map[string]question {
	const eni, instance = action.NetworkInterface, action.Instance
	return map[string]question{
		"ModifyNetworkInterfaceAttribute": asking(p.api.ModifyNetworkInterfaceAttribute,
			"ModifyNetworkInterfaceAttribute", func(t Things) *ec2.ModifyNetworkInterfaceAttributeInput {
				if group := t[action.SecurityGroup]; group != "" {
					return dryGroups(t[eni], group)
				}
				return &ec2.ModifyNetworkInterfaceAttributeInput{NetworkInterfaceId: aws.String(t[eni]),
					SourceDestCheck: &types.AttributeBooleanValue{Value: aws.Bool(true)}, DryRun: dryRun}
			}, eni),
		"DeleteNetworkInterface": asking(p.api.DeleteNetworkInterface, "DeleteNetworkInterface",
			func(t Things) *ec2.DeleteNetworkInterfaceInput {
				return &ec2.DeleteNetworkInterfaceInput{
					NetworkInterfaceId: aws.String(t[eni]), DryRun: dryRun,
				}
			}, eni),
		"AttachNetworkInterface": asking(p.api.AttachNetworkInterface, "AttachNetworkInterface",
			func(t Things) *ec2.AttachNetworkInterfaceInput {
				return &ec2.AttachNetworkInterfaceInput{
					NetworkInterfaceId: aws.String(t[eni]), InstanceId: aws.String(t[instance]),
					DeviceIndex: aws.Int32(7), DryRun: dryRun,
				}
			}, eni, instance),
		"CreateNetworkInterface": asking(p.api.CreateNetworkInterface, "CreateNetworkInterface",
			func(t Things) *ec2.CreateNetworkInterfaceInput {
				return &ec2.CreateNetworkInterfaceInput{
					SubnetId: aws.String(t[action.Subnet]), DryRun: dryRun,
				}
			}, action.Subnet),
	}
}

func (p *Prober) instanceChanges() map[string]question {
	const kind = action.Instance
	const key, value = "lastfence", "0"
	return map[string]question{
		"CreateTags": asking(p.api.CreateTags, "CreateTags", func(t Things) *ec2.CreateTagsInput {
			return dryCreateTag(t[kind], key, value)
		}, kind),
		"DeleteTags": asking(p.api.DeleteTags, "DeleteTags", func(t Things) *ec2.DeleteTagsInput {
			return dryDeleteTag(t[kind], key, value)
		}, kind),
		"StartInstances": asking(p.api.StartInstances, "StartInstances",
			func(t Things) *ec2.StartInstancesInput { return dryStart(t[kind]) }, kind),
		"StopInstances": asking(p.api.StopInstances, "StopInstances",
			func(t Things) *ec2.StopInstancesInput { return dryStop(t[kind]) }, kind),
		"TerminateInstances": asking(p.api.TerminateInstances, "TerminateInstances",
			func(t Things) *ec2.TerminateInstancesInput {
				return &ec2.TerminateInstancesInput{InstanceIds: []string{t[kind]}, DryRun: dryRun}
			}, kind),
		"RebootInstances": asking(p.api.RebootInstances, "RebootInstances",
			func(t Things) *ec2.RebootInstancesInput {
				return &ec2.RebootInstancesInput{InstanceIds: []string{t[kind]}, DryRun: dryRun}
			}, kind),
	}
}

// probedDestination is a network of the range that is kept for documentation: nobody routes it.
const probedDestination = "192.0.2.0/24"

func (p *Prober) otherChanges() map[string]question {
	const table, eni, group = action.RouteTable, action.NetworkInterface, action.SecurityGroup
	to := aws.String(probedDestination)
	return map[string]question{
		"CreateRoute": asking(p.api.CreateRoute, "CreateRoute", func(t Things) *ec2.CreateRouteInput {
			return &ec2.CreateRouteInput{RouteTableId: aws.String(t[table]), DestinationCidrBlock: to,
				NetworkInterfaceId: aws.String(t[eni]), DryRun: dryRun}
		}, table, eni),
		"ReplaceRoute": asking(p.api.ReplaceRoute, "ReplaceRoute",
			func(t Things) *ec2.ReplaceRouteInput {
				return &ec2.ReplaceRouteInput{RouteTableId: aws.String(t[table]),
					DestinationCidrBlock: to, NetworkInterfaceId: aws.String(t[eni]), DryRun: dryRun}
			}, table, eni),
		"DeleteRoute": asking(p.api.DeleteRoute, "DeleteRoute", func(t Things) *ec2.DeleteRouteInput {
			return &ec2.DeleteRouteInput{RouteTableId: aws.String(t[table]), DestinationCidrBlock: to,
				DryRun: dryRun}
		}, table),
		"DeleteRouteTable": asking(p.api.DeleteRouteTable, "DeleteRouteTable",
			func(t Things) *ec2.DeleteRouteTableInput {
				return &ec2.DeleteRouteTableInput{RouteTableId: aws.String(t[table]), DryRun: dryRun}
			}, table),
		"DeleteSecurityGroup": asking(p.api.DeleteSecurityGroup, "DeleteSecurityGroup",
			func(t Things) *ec2.DeleteSecurityGroupInput {
				return &ec2.DeleteSecurityGroupInput{GroupId: aws.String(t[group]), DryRun: dryRun}
			}, group),
		"AuthorizeSecurityGroupIngress": asking(p.api.AuthorizeSecurityGroupIngress,
			"AuthorizeSecurityGroupIngress", func(t Things) *ec2.AuthorizeSecurityGroupIngressInput {
				return &ec2.AuthorizeSecurityGroupIngressInput{GroupId: aws.String(t[group]),
					IpProtocol: aws.String("tcp"), FromPort: aws.Int32(9), ToPort: aws.Int32(9),
					CidrIp: to, DryRun: dryRun}
			}, group),
	}
}
