package world

import (
	"strings"

	"aws-provider-executor/pkg/ec2sim/internal/refusal"
)

// Attach attaches an interface to an instance. It is attaching until the time of a transition has
// passed. The interface may be in another VPC than the instance's others: EC2 allows that since
// 2023.
func (c *Change) Attach(interfaceID, instanceID string, index, card int) (*Attachment, error) {
	eni, err := c.OwnInterface(interfaceID)
	if err != nil {
		return nil, err
	}
	i, err := Find(c.World.Instances, InstanceIDs, instanceID)
	if err != nil {
		return nil, err
	}
	if err := c.mayAttach(eni, i, index, card); err != nil {
		return nil, err
	}
	eni.Attachment = &Attachment{
		ID: c.Mint.id("eni-attach"), InstanceID: i.ID, InstanceOwner: c.World.Owner,
		DeviceIndex: index, Status: "attaching", AttachTime: c.Now.UTC(),
	}
	c.World.Transit(eni.ID, Transition{c.Now.Add(c.Transition), "attached"})
	return eni.Attachment, nil
}

// mayAttach refuses what EC2 does not attach. The texts about the instance's state and about branch
// interfaces have not been seen on the real EC2.
func (c *Change) mayAttach(eni *Interface, i *Instance, index, card int) error {
	switch {
	case eni.Type == branchType:
		return refusal.InvalidValue("Interface %s of type branch cannot be attached to an instance.",
			eni.ID)
	case eni.Attachment != nil:
		return refusal.New("InvalidNetworkInterface.InUse", "Interface: [%s] in use.", eni.ID)
	case i.State != "running" && i.State != "stopped":
		return refusal.New("IncorrectState", "Instance '%s' is not 'running' or 'stopped'.", i.ID)
	case eni.AvailabilityZone != i.AvailabilityZone:
		return refusal.New("InvalidParameterCombination", "You may not attach a network interface to an "+
			"instance if they are not in the same availability zone")
	case index < 0:
		return refusal.InvalidValue("Value (%d) for parameter deviceIndex is invalid.", index)
	case card != 0:
		return refusal.InvalidValue("Network card index %d exceeds the limit for %s", card, i.Type)
	}
	attached := c.World.Attached(i.ID)
	for _, other := range attached {
		if other.Attachment.DeviceIndex == index {
			return refusal.InvalidValue(
				"Instance '%s' already has an interface attached at device index '%d'.",
				i.ID, index)
		}
	}
	if n := len(attached) + 1; n > c.Quotas.interfaces(i) {
		return refusal.New("AttachmentLimitExceeded", "Interface count %d exceeds the limit for %s", n,
			i.Type)
	}
	if max(eni.addressSlots(false), eni.addressSlots(true)) > c.Quotas.addresses(i) {
		return errAddressLimit()
	}
	return nil
}

// Detach ends an attachment. It is detaching until the time of a transition has passed.
func (c *Change) Detach(attachment string) error {
	if !strings.HasPrefix(attachment, serviceAttachment) {
		if err := AttachmentIDs.Check(attachment); err != nil {
			return err
		}
	}
	eni := c.World.AttachedAs(attachment)
	switch {
	case eni == nil:
		return AttachmentIDs.Absent(attachment)
	case eni.managed():
		return errManaged(eni)
	case c.World.Foreign(eni.ID):
		return errForeign()
	case eni.Attachment.DeviceIndex == 0:
		return refusal.New("OperationNotPermitted",
			"The network interface at device index 0 and networkCard index %d cannot be detached.",
			eni.Attachment.NetworkCardIndex)
	}
	eni.Attachment.Status = "detaching"
	c.World.Transit(eni.ID, Transition{c.Now.Add(c.Transition), "detached"})
	return nil
}

// DetachInterface ends whatever attachment the interface has.
func (c *Change) DetachInterface(id string) error {
	eni, err := Find(c.World.Interfaces, InterfaceIDs, id)
	if err != nil {
		return err
	}
	if eni.Attachment == nil {
		return refusal.New(AttachmentIDs.notFound, "The interface %s is attached to nothing", eni.ID)
	}
	return c.Detach(eni.Attachment.ID)
}

// serviceAttachment begins the ids of attachments to what a service runs.
const serviceAttachment = "ela-attach-"

// AttachedAs returns the interface that has the attachment, or nil.
func (w *World) AttachedAs(attachment string) *Interface {
	for eni := range w.Interfaces.Each() {
		if eni.Attachment != nil && eni.Attachment.ID == attachment {
			return eni
		}
	}
	return nil
}
