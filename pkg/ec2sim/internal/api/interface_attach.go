package api

import (
	"aws-provider-executor/pkg/ec2sim/internal/query"
	"aws-provider-executor/pkg/ec2sim/internal/refusal"
	"aws-provider-executor/pkg/ec2sim/internal/world"
)

type attachNetworkInterfaceIn struct {
	dryRun
	NetworkInterfaceId  string `query:"required"`
	InstanceId          string `query:"required"`
	DeviceIndex         *int
	NetworkCardIndex    int
	EnaQueueCount       int      `query:"unheld"`
	EnaSrdSpecification struct{} `query:"unheld"`
}

func (in *attachNetworkInterfaceIn) resources(*world.World) []string {
	return []string{in.InstanceId, in.NetworkInterfaceId}
}

type attachNetworkInterfaceOut struct {
	ID               string `xml:"attachmentId"`
	NetworkCardIndex int    `xml:"networkCardIndex"`
}

func attachNetworkInterface(c *call, in *attachNetworkInterfaceIn) (any, error) {
	if in.DeviceIndex == nil {
		return nil, refusal.Missing("DeviceIndex")
	}
	a, err := c.Attach(in.NetworkInterfaceId, in.InstanceId, *in.DeviceIndex, in.NetworkCardIndex)
	if err != nil {
		return nil, err
	}
	return attachNetworkInterfaceOut{a.ID, in.NetworkCardIndex}, nil
}

type detachNetworkInterfaceIn struct {
	dryRun
	AttachmentId string `query:"required"`
	Force        bool
}

// resources are the instance and the interface; IAM knows an attachment that is not there as
// nothing.
func (in *detachNetworkInterfaceIn) resources(w *world.World) []string {
	if eni := w.AttachedAs(in.AttachmentId); eni != nil && eni.Instance() != "" {
		return []string{eni.Instance(), eni.ID}
	}
	return []string{""}
}

// detachNetworkInterface ignores Force: no guest here hangs.
func detachNetworkInterface(c *call, in *detachNetworkInterfaceIn) (any, error) {
	if err := c.Detach(in.AttachmentId); err != nil {
		return nil, err
	}
	return query.Done{Return: true}, nil
}
