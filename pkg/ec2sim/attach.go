package ec2sim

import "strings"

// attach attaches an interface to an instance. It is attaching until the time of a transition has
// passed. The interface may be in another VPC than the instance's others: EC2 allows that since
// 2023.
func (c *change) attach(interfaceID, instanceID string, index, card int) (*Attachment, error) {
	eni, err := c.ownInterface(interfaceID)
	if err != nil {
		return nil, err
	}
	i, err := find(c.w.instances, instanceIDs, instanceID)
	if err != nil {
		return nil, err
	}
	if err := c.mayAttach(eni, i, index, card); err != nil {
		return nil, err
	}
	eni.Attachment = &Attachment{
		ID: c.mint.id("eni-attach"), InstanceID: i.ID, InstanceOwner: c.w.owner,
		DeviceIndex: index, Status: "attaching", AttachTime: c.now.UTC(),
	}
	c.w.transit(eni.ID, c.now.Add(c.transition), "attached")
	return eni.Attachment, nil
}

// mayAttach refuses what EC2 does not attach. The texts about the instance's state and about branch
// interfaces have not been seen on the real EC2.
func (c *change) mayAttach(eni *Interface, i *Instance, index, card int) error {
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

// detach ends an attachment. It is detaching until the time of a transition has passed.
func (c *change) detach(attachment string) error {
	if !strings.HasPrefix(attachment, serviceAttachment) {
		if err := attachmentIDs.check(attachment); err != nil {
			return err
		}
	}
	eni := c.w.attachedAs(attachment)
	switch {
	case eni == nil:
		return attachmentIDs.absent(attachment)
	case eni.managed():
		return errManaged(eni)
	case c.w.foreign(eni.ID):
		return errForeign()
	case eni.Attachment.DeviceIndex == 0:
		return refuse("OperationNotPermitted",
			"The network interface at device index 0 and networkCard index %d cannot be detached.",
			eni.Attachment.NetworkCardIndex)
	}
	eni.Attachment.Status = "detaching"
	c.w.transit(eni.ID, c.now.Add(c.transition), "detached")
	return nil
}

// detachInterface ends whatever attachment the interface has.
func (c *change) detachInterface(id string) error {
	eni, err := find(c.w.interfaces, interfaceIDs, id)
	if err != nil {
		return err
	}
	if eni.Attachment == nil {
		return refuse(attachmentIDs.notFound, "The interface %s is attached to nothing", eni.ID)
	}
	return c.detach(eni.Attachment.ID)
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
