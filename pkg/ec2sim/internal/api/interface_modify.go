package api

import (
	"strings"

	"aws-provider-executor/pkg/ec2sim/internal/query"
	"aws-provider-executor/pkg/ec2sim/internal/refusal"
	"aws-provider-executor/pkg/ec2sim/internal/world"
)

type modifyNetworkInterfaceAttributeIn struct {
	dryRun
	NetworkInterfaceId string `query:"required"`
	Description        *struct{ Value string }
	SourceDestCheck    *struct{ Value *bool }
	SecurityGroupId    []string
	Attachment         *struct {
		AttachmentId         string
		DeleteOnTermination  *bool
		DefaultEnaQueueCount bool `query:"unheld"`
		EnaQueueCount        int  `query:"unheld"`
	}
	AssociatePublicIpAddress        bool     `query:"unheld"`
	AssociatedSubnetId              []string `query:"unheld"`
	ConnectionTrackingSpecification struct{} `query:"unheld"`
	EnablePrimaryIpv6               bool     `query:"unheld"`
	EnaSrdSpecification             struct{} `query:"unheld"`
}

func (in *modifyNetworkInterfaceAttributeIn) resources(*world.World) []string {
	return append([]string{in.NetworkInterfaceId}, in.SecurityGroupId...)
}

func (in *modifyNetworkInterfaceAttributeIn) conditions() map[string][]string {
	keys := map[string][]string{}
	for _, name := range in.given() {
		keys["ec2:Attribute"] = append(keys["ec2:Attribute"], strings.ToUpper(name[:1])+name[1:])
	}
	return keys
}

// given returns EC2's names of the attributes the call is to change.
func (in *modifyNetworkInterfaceAttributeIn) given() []string {
	var names []string
	if in.Description != nil {
		names = append(names, "description")
	}
	if in.SourceDestCheck != nil {
		names = append(names, "sourceDestCheck")
	}
	if len(in.SecurityGroupId) > 0 {
		names = append(names, "groups")
	}
	if in.Attachment != nil {
		names = append(names, "attachment")
	}
	return names
}

func modifyNetworkInterfaceAttribute(c *call, in *modifyNetworkInterfaceAttributeIn) (any, error) {
	switch names := in.given(); {
	case len(names) == 0:
		return nil, refusal.New("InvalidParameterCombination", "No attributes specified.")
	case len(names) > 1:
		return nil, refusal.New("InvalidParameterCombination",
			"Fields for multiple attribute types specified: %s", strings.Join(names, ", "))
	}
	eni, err := c.OwnInterface(in.NetworkInterfaceId)
	if err != nil {
		return nil, err
	}
	switch {
	case in.Description != nil:
		eni.Description = in.Description.Value
	case in.SourceDestCheck != nil:
		if in.SourceDestCheck.Value == nil {
			return nil, refusal.Missing("SourceDestCheck.Value")
		}
		eni.SourceDestCheck = *in.SourceDestCheck.Value
	case in.Attachment != nil:
		err = modifyAttachment(eni, in.Attachment.AttachmentId, in.Attachment.DeleteOnTermination)
	default:
		err = c.ReplaceGroups(eni, in.SecurityGroupId)
	}
	if err != nil {
		return nil, err
	}
	return query.Done{Return: true}, nil
}

func modifyAttachment(eni *world.Interface, attachment string, deleteOnTermination *bool) error {
	if attachment == "" {
		return refusal.Missing("Attachment.AttachmentId")
	}
	if deleteOnTermination == nil {
		return refusal.Missing("Attachment.DeleteOnTermination")
	}
	if err := world.AttachmentIDs.Check(attachment); err != nil {
		return err
	}
	if eni.Attachment == nil || eni.Attachment.ID != attachment {
		return world.AttachmentIDs.Absent(attachment)
	}
	eni.Attachment.DeleteOnTermination = *deleteOnTermination
	return nil
}
