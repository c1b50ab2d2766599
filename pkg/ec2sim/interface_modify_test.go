package ec2sim_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/pkg/ec2sim"
)

func TestModifyInterfaceRefusals(t *testing.T) {
	const op = "ModifyNetworkInterfaceAttribute"
	a := eniParam(ec2sim.LabRouterAInterface)
	lab(t).refuses(t, []refusal{
		{"no attribute", op, []string{a}, 0, "InvalidParameterCombination", "No attributes specified."},
		{"two attributes", op,
			[]string{a, "SourceDestCheck.Value=false", "SecurityGroupId.1=" + ec2sim.LabGroupWeb}, 0,
			"InvalidParameterCombination",
			"Fields for multiple attribute types specified: sourceDestCheck, groups"},
		{"no value", op, []string{a, "SourceDestCheck=false"}, 0,
			"UnknownParameter", "The parameter SourceDestCheck is not recognized"},
		{"unknown group", op, []string{a, "SecurityGroupId.1=sg-0123456789abcdef0"}, 0,
			"InvalidGroup.NotFound", "The security group 'sg-0123456789abcdef0' does not exist"},
		{"malformed group", op, []string{a, "SecurityGroupId.1=web"}, 0,
			"InvalidGroupId.Malformed", `Invalid id: "web" (expecting "sg-...")`},
		{"group of another VPC", op, []string{a, "SecurityGroupId.1=" + ec2sim.LabOtherGroup}, 0,
			"InvalidGroup.NotFound", "You have specified two resources that belong to different networks."},
		{"unknown interface", op,
			[]string{"NetworkInterfaceId=eni-0123456789abcdef0", "SourceDestCheck.Value=false"}, 0,
			"InvalidNetworkInterfaceID.NotFound",
			"The networkInterface ID 'eni-0123456789abcdef0' does not exist"},
		{"attachment without its id", op, []string{a, "Attachment.DeleteOnTermination=true"}, 0,
			"MissingParameter", "The request must contain the parameter attachment.AttachmentId"},
		{"attachment without a change", op,
			[]string{a, "Attachment.AttachmentId=eni-attach-01088600000000011"}, 0,
			"MissingParameter", "The request must contain the parameter attachment.DeleteOnTermination"},
		{"attachment of another", op, []string{a, "Attachment.AttachmentId=eni-attach-01088600000000012",
			"Attachment.DeleteOnTermination=true"}, 0, "InvalidAttachmentID.NotFound",
			"The networkInterfaceAttachment ID 'eni-attach-01088600000000012' does not exist"},
		{"malformed attachment", op,
			[]string{a, "Attachment.AttachmentId=x", "Attachment.DeleteOnTermination=true"}, 0,
			"InvalidNetworkInterfaceAttachmentId.Malformed", `Invalid id: "x" (expecting "eni-attach-...")`},
		{"managed by a service", op,
			[]string{eniParam(ec2sim.LabManagedInterface), "SourceDestCheck.Value=false"}, 0,
			"OperationNotPermitted", "You are not allowed to manage 'ela-attach' attachments."},
		{"dry run", op, []string{a, "SourceDestCheck.Value=false", "DryRun=true"}, 412,
			"DryRunOperation", "Request would have succeeded, but DryRun flag is set."},
		{"dry run of what does not exist", op, []string{"NetworkInterfaceId=eni-0123456789abcdef0",
			"SourceDestCheck.Value=false", "DryRun=true"}, 412,
			"DryRunOperation", "Request would have succeeded, but DryRun flag is set."},
		{"an attribute the stand-in has not", op, []string{a, "EnablePrimaryIpv6=true"}, 0,
			"UnsupportedOperation", "ec2sim does not implement the parameter EnablePrimaryIpv6."},
	})
}

func TestModifyInterfaceGroupLimit(t *testing.T) {
	p := lab(t)
	params := []string{eniParam(ec2sim.LabRouterAInterface)}
	for i := range 6 {
		g := p.sim.Region(ec2sim.LabRegion).AddSecurityGroup(
			ec2sim.SecurityGroup{VPCID: ec2sim.LabVPC, Name: "g" + string('0'+rune(i))})
		params = append(params, "SecurityGroupId."+string('1'+rune(i))+"="+g.ID)
	}
	p.refuses(t, []refusal{{"six groups", "ModifyNetworkInterfaceAttribute", params, 0,
		"SecurityGroupsPerInterfaceLimitExceeded",
		"The maximum number of security groups per interface has been reached."}})
	p.ok("ModifyNetworkInterfaceAttribute", params[:6]...)
	if n := len(p.eni(ec2sim.LabRouterAInterface).Groups); n != 5 {
		t.Errorf("%d groups", n)
	}
}

func TestModifyInterface(t *testing.T) {
	tests := []struct {
		name   string
		params []string
		edit   func(*ec2sim.Interface)
	}{
		{"check off", []string{"SourceDestCheck.Value=false"}, func(i *ec2sim.Interface) {
			i.SourceDestCheck = false
		}},
		{"check on, as it was", []string{"SourceDestCheck.Value=true"}, func(*ec2sim.Interface) {}},
		{"description", []string{"Description.Value=gone <&> back"}, func(i *ec2sim.Interface) {
			i.Description = "gone <&> back"
		}},
		{"no description", []string{"Description.Value="}, func(i *ec2sim.Interface) {
			i.Description = ""
		}},
		{"groups replaced, each once",
			[]string{"SecurityGroupId.1=" + ec2sim.LabGroupFence,
				"SecurityGroupId.2=" + ec2sim.LabGroupFence},
			func(i *ec2sim.Interface) { i.Groups = []string{ec2sim.LabGroupFence} }},
		{"delete on termination",
			[]string{"Attachment.AttachmentId=eni-attach-01088600000000011",
				"Attachment.DeleteOnTermination=false"},
			func(i *ec2sim.Interface) { i.Attachment.DeleteOnTermination = false }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := lab(t)
			want := p.sim.State()
			list := want.Regions[ec2sim.LabRegion].Interfaces
			at := slices.IndexFunc(list, func(i ec2sim.Interface) bool {
				return i.ID == ec2sim.LabRouterAInterface
			})
			tt.edit(&list[at])
			r := p.ok("ModifyNetworkInterfaceAttribute",
				append(tt.params, eniParam(ec2sim.LabRouterAInterface))...)
			if r.one("return") != "true" {
				t.Errorf("answered %s", r.body)
			}
			if diff := cmp.Diff(want, p.sim.State()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestDescribeInterfaceAttribute(t *testing.T) {
	p := lab(t)
	const op = "DescribeNetworkInterfaceAttribute"
	a := eniParam(ec2sim.LabRouterAInterface)
	for attribute, want := range map[string][2]string{
		"description":              {"description/value", "router-a"},
		"sourceDestCheck":          {"sourceDestCheck/value", "true"},
		"groupSet":                 {"groupSet/item/groupId", ec2sim.LabGroupRouter},
		"attachment":               {"attachment/attachmentId", "eni-attach-01088600000000011"},
		"associatePublicIpAddress": {"associatePublicIpAddress", "false"},
	} {
		if got := p.ok(op, a, "Attribute="+attribute).one(want[0]); got != want[1] {
			t.Errorf("%s is %q, want %q", attribute, got, want[1])
		}
	}
	p.refuses(t, []refusal{
		{"unknown attribute", op, []string{a, "Attribute=x"}, 0,
			"InvalidParameterValue", "Value (x) for parameter attribute is invalid. Unknown attribute."},
		{"no attribute", op, []string{a}, 0, "MissingParameter",
			"The request must contain the parameter attribute"},
	})
}
