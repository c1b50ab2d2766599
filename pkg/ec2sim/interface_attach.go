package ec2sim

import (
	"strings"

	"aws-provider-executor/pkg/ec2sim/internal/query"
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

func (in *attachNetworkInterfaceIn) resources(*world) []string {
	return []string{in.InstanceId, in.NetworkInterfaceId}
}

type attachNetworkInterfaceOut struct {
	ID               string `xml:"attachmentId"`
	NetworkCardIndex int    `xml:"networkCardIndex"`
}

// attachNetworkInterface has the interface attached when the time of a transition has passed. The
// interface may be of another VPC than the instance's others, as EC2 has it since 2023.
func attachNetworkInterface(c *call, in *attachNetworkInterfaceIn) (any, error) {
	if in.DeviceIndex == nil {
		return nil, missing("DeviceIndex")
	}
	eni, err := c.ownInterface(in.NetworkInterfaceId)
	if err != nil {
		return nil, err
	}
	i, err := find(c.w.instances, instanceIDs, in.InstanceId)
	if err != nil {
		return nil, err
	}
	if err := c.mayAttach(eni, i, *in.DeviceIndex, in.NetworkCardIndex); err != nil {
		return nil, err
	}
	eni.Attachment = &Attachment{
		ID: c.mint.id("eni-attach"), InstanceID: i.ID, InstanceOwner: c.w.owner,
		DeviceIndex: *in.DeviceIndex, Status: "attaching", AttachTime: c.now.UTC(),
	}
	c.w.transitions[eni.ID] = transition{c.now.Add(c.transition), "attached"}
	return attachNetworkInterfaceOut{eni.Attachment.ID, in.NetworkCardIndex}, nil
}

// mayAttach refuses what EC2 does not attach. The texts about the instance's state and about branch
// interfaces have not been seen on the real EC2.
func (c *call) mayAttach(eni *Interface, i *Instance, index, card int) error {
	switch {
	case eni.Type == branchType:
		return invalidValue("Interface %s of type branch cannot be attached to an instance.", eni.ID)
	case eni.Attachment != nil:
		return refuse("InvalidNetworkInterface.InUse", "Interface: [%s] in use.", eni.ID)
	case i.State != "running" && i.State != "stopped":
		return refuse("IncorrectState", "Instance '%s' is not 'running' or 'stopped'.", i.ID)
	case eni.AvailabilityZone != i.AvailabilityZone:
		return refuse("InvalidParameterCombination", "You may not attach a network interface to an "+
			"instance if they are not in the same availability zone")
	case index < 0:
		return invalidValue("Value (%d) for parameter deviceIndex is invalid.", index)
	case card != 0:
		return invalidValue("Network card index %d exceeds the limit for %s", card, i.Type)
	}
	attached := c.w.attached(i.ID)
	for _, other := range attached {
		if other.Attachment.DeviceIndex == index {
			return invalidValue("Instance '%s' already has an interface attached at device index '%d'.",
				i.ID, index)
		}
	}
	if n := len(attached) + 1; n > c.quotas.interfaces(i) {
		return refuse("AttachmentLimitExceeded", "Interface count %d exceeds the limit for %s", n, i.Type)
	}
	if max(eni.addressSlots(false), eni.addressSlots(true)) > c.quotas.addresses(i) {
		return errAddressLimit()
	}
	return nil
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

// detachNetworkInterface has the interface detached when the time of a transition has passed. Force
// makes no difference: no guest here hangs.
func detachNetworkInterface(c *call, in *detachNetworkInterfaceIn) (any, error) {
	if !strings.HasPrefix(in.AttachmentId, serviceAttachment) {
		if err := attachmentIDs.check(in.AttachmentId); err != nil {
			return nil, err
		}
	}
	eni := c.w.attachedAs(in.AttachmentId)
	switch {
	case eni == nil:
		return nil, attachmentIDs.absent(in.AttachmentId)
	case eni.managed():
		return nil, errManaged(eni)
	case c.w.foreign(eni.ID):
		return nil, errForeign()
	case eni.Attachment.DeviceIndex == 0:
		return nil, refuse("OperationNotPermitted",
			"The network interface at device index 0 and networkCard index %d cannot be detached.",
			eni.Attachment.NetworkCardIndex)
	}
	eni.Attachment.Status = "detaching"
	c.w.transitions[eni.ID] = transition{c.now.Add(c.transition), "detached"}
	return query.Done{Return: true}, nil
}

// serviceAttachment begins the ids of attachments to what a service runs.
const serviceAttachment = "ela-attach-"

// attachedAs returns the interface that has the attachment, or nil.
func (w *world) attachedAs(attachment string) *Interface {
	for eni := range w.interfaces.each() {
		if eni.Attachment != nil && eni.Attachment.ID == attachment {
			return eni
		}
	}
	return nil
}

// Attach attaches an interface to an instance at once, behind the API's back. It panics where EC2
// would refuse.
func (r *Region) Attach(eni, instance string, deviceIndex int) Interface {
	mustChange(r.sim.attach(attachJSON{r.name, eni, instance, deviceIndex}))
	return r.iface(eni)
}

// Detach detaches an interface at once, behind the API's back. It panics where EC2 would refuse.
func (r *Region) Detach(eni string) Interface {
	mustChange(r.sim.detach(attachJSON{Region: r.name, InterfaceID: eni}))
	return r.iface(eni)
}

func mustChange(err error) {
	if err != nil {
		panic("ec2sim: " + err.Error())
	}
}

func (r *Region) iface(id string) Interface {
	return with(r, func(w *world, _ minter) *Interface { return must(w.interfaces, id) })
}

// attachJSON is what the control paths attach and detach take. Region may be left out where only
// one holds something.
type attachJSON struct {
	Region      string
	InterfaceID string
	InstanceID  string
	DeviceIndex int
}

func (s *Sim) attach(in attachJSON) error {
	return s.change(in.Region, func(c *call) error {
		_, err := attachNetworkInterface(c, &attachNetworkInterfaceIn{
			NetworkInterfaceId: in.InterfaceID, InstanceId: in.InstanceID, DeviceIndex: &in.DeviceIndex,
		})
		return err
	})
}

func (s *Sim) detach(in attachJSON) error {
	return s.change(in.Region, func(c *call) error {
		eni, err := find(c.w.interfaces, interfaceIDs, in.InterfaceID)
		if err != nil {
			return err
		}
		if eni.Attachment == nil {
			return refuse(attachmentIDs.notFound, "The interface %s is attached to nothing", eni.ID)
		}
		_, err = detachNetworkInterface(c, &detachNetworkInterfaceIn{AttachmentId: eni.Attachment.ID})
		return err
	})
}

// change runs what an operation does, behind the API's back: no fault strikes it, no one is asked,
// no call is logged, and it is over at once.
func (s *Sim) change(region string, run func(*call) error) error {
	if region == "" {
		region = s.firstRegion()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.cfg.now()
	changed := s.mem.settled(region, now).clone()
	if err := run(&call{w: changed, now: now, mint: s.mem.mint, quotas: s.mem.quotas}); err != nil {
		return err
	}
	changed.settle(now)
	s.mem.worlds[region] = changed
	return nil
}
