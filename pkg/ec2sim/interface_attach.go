package ec2sim

import "aws-provider-executor/pkg/ec2sim/internal/query"

type attachNetworkInterfaceIn struct {
	dryRun
	NetworkInterfaceId  string `query:"required"`
	InstanceId          string `query:"required"`
	DeviceIndex         *int
	NetworkCardIndex    int
	EnaQueueCount       int      `query:"unheld"`
	EnaSrdSpecification struct{} `query:"unheld"`
}

func (in *attachNetworkInterfaceIn) resources(*world) []string {
	return []string{in.InstanceId, in.NetworkInterfaceId}
}

type attachNetworkInterfaceOut struct {
	ID               string `xml:"attachmentId"`
	NetworkCardIndex int    `xml:"networkCardIndex"`
}

func attachNetworkInterface(c *call, in *attachNetworkInterfaceIn) (any, error) {
	if in.DeviceIndex == nil {
		return nil, missing("DeviceIndex")
	}
	a, err := c.attach(in.NetworkInterfaceId, in.InstanceId, *in.DeviceIndex, in.NetworkCardIndex)
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
func (in *detachNetworkInterfaceIn) resources(w *world) []string {
	if eni := w.attachedAs(in.AttachmentId); eni != nil && eni.instance() != "" {
		return []string{eni.instance(), eni.ID}
	}
	return []string{""}
}

// detachNetworkInterface ignores Force: no guest here hangs.
func detachNetworkInterface(c *call, in *detachNetworkInterfaceIn) (any, error) {
	if err := c.detach(in.AttachmentId); err != nil {
		return nil, err
	}
	return query.Done{Return: true}, nil
}
