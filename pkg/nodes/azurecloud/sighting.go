package azurecloud

import (
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v7"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/resources/armsubscriptions"

	"aws-provider-executor/pkg/nodes"
)

// powerStates are Azure's words for a machine's power. One that is deallocated has no host and
// costs nothing for it; for who acts on nodes both it and stopped are stopped.
var powerStates = map[string]nodes.State{
	"starting": nodes.StatePending, "running": nodes.StateRunning,
	"stopping": nodes.StateStopping, "stopped": nodes.StateStopped,
	"deallocating": nodes.StateStopping, "deallocated": nodes.StateStopped,
}

// powerOf is what Azure says of a machine's state, with its own word. A machine that is being made
// has no power yet; one that is being deleted is on its way out, whatever its power.
func powerOf(p *armcompute.VirtualMachineProperties) power {
	if p == nil {
		return power{state: nodes.StateUnknown}
	}
	word := ""
	if p.InstanceView != nil {
		for _, s := range p.InstanceView.Statuses {
			if s == nil {
				continue
			}
			if said, ok := strings.CutPrefix(textOf(s.Code), "PowerState/"); ok {
				word = said
			}
		}
	}
	switch strings.ToLower(textOf(p.ProvisioningState)) {
	case "deleting":
		return power{nodes.StateShuttingDown, "deleting"}
	case "creating":
		if word == "" {
			return power{nodes.StatePending, "creating"}
		}
	}
	state, known := powerStates[strings.ToLower(word)]
	if !known {
		state = nodes.StateUnknown
	}
	return power{state, word}
}

// sighting is a machine as Azure showed it.
func sighting(
	vm *armcompute.VirtualMachine, powers *powers, subscription string,
) (nodes.Sighting, error) {
	if vm == nil || vm.Properties == nil || textOf(vm.ID) == "" ||
		textOf(vm.Properties.VMID) == "" {
		return nodes.Sighting{}, notRight("a machine has no id")
	}
	p := vm.Properties
	now, told := powers.byID[strings.ToLower(*vm.ID)]
	if !told {
		now = powerOf(p) // made after the states were read
	}
	x := nodes.Sighting{
		ID: strings.ToLower(*p.VMID), State: now.state, Name: textOf(vm.Name), At: powers.at,
		Tags: tagsOf(vm.Tags),
		Details: nodes.Details{
			Subscription: subscription, Resource: *vm.ID, CloudState: now.word,
			ImageID: imageOf(p.StorageProfile), Platform: platformOf(p.StorageProfile),
		},
	}
	if p.HardwareProfile != nil {
		x.InstanceType = textOf(p.HardwareProfile.VMSize)
	}
	if len(vm.Zones) > 0 {
		x.Zone = textOf(vm.Zones[0])
	}
	if p.TimeCreated != nil {
		x.LaunchTime = p.TimeCreated.UTC()
	}
	if p.NetworkProfile != nil {
		x.Interfaces = interfacesOf(p.NetworkProfile.NetworkInterfaces)
	}
	return x, nil
}

// interfacesOf are a machine's interfaces, the primary one first. Their addresses are in resources
// of their own, which are not read.
func interfacesOf(all []*armcompute.NetworkInterfaceReference) []nodes.Interface {
	var list []nodes.Interface
	for _, n := range all {
		if n == nil {
			continue
		}
		x := nodes.Interface{ID: textOf(n.ID)}
		if n.Properties != nil && n.Properties.Primary != nil && *n.Properties.Primary {
			list = append([]nodes.Interface{x}, list...)
			continue
		}
		list = append(list, x)
	}
	for i := range list {
		list[i].DeviceIndex = i
	}
	return list
}

func tagsOf(all map[string]*string) map[string]string {
	tags := make(map[string]string, len(all))
	for key, value := range all {
		tags[key] = textOf(value)
	}
	return tags
}

// platformOf is Windows or Linux.
func platformOf(s *armcompute.StorageProfile) string {
	if s == nil || s.OSDisk == nil {
		return ""
	}
	return strings.ToLower(textOf(s.OSDisk.OSType))
}

// imageOf is the id of an image, or its name in the market: publisher, offer, SKU and version.
func imageOf(s *armcompute.StorageProfile) string {
	if s == nil || s.ImageReference == nil {
		return ""
	}
	r := s.ImageReference
	if id := textOf(r.ID); id != "" {
		return id
	}
	var parts []string
	for _, part := range []*string{r.Publisher, r.Offer, r.SKU, r.Version} {
		if text := textOf(part); text != "" {
			parts = append(parts, text)
		}
	}
	return strings.Join(parts, ":")
}

// subscriptionStates are Azure's words for what a subscription is. One that is disabled is read and
// not written.
var subscriptionStates = map[armsubscriptions.SubscriptionState]nodes.State{
	armsubscriptions.SubscriptionStateEnabled:  nodes.StateRunning,
	armsubscriptions.SubscriptionStateWarned:   nodes.StateRunning,
	armsubscriptions.SubscriptionStatePastDue:  nodes.StateRunning,
	armsubscriptions.SubscriptionStateDisabled: nodes.StateStopped,
	armsubscriptions.SubscriptionStateDeleted:  nodes.StateTerminated,
}

// subscriptionSighting is a subscription as Azure showed it.
func subscriptionSighting(s *armsubscriptions.Subscription, id string) (nodes.Sighting, error) {
	state, known := subscriptionStates[armsubscriptions.SubscriptionState(textOf(s.State))]
	if !known || !strings.EqualFold(textOf(s.SubscriptionID), id) {
		return nodes.Sighting{}, notRight("the subscription %s is %q and %q", id,
			textOf(s.SubscriptionID), textOf(s.State))
	}
	return nodes.Sighting{
		ID: id, State: state, Name: textOf(s.DisplayName), Tags: tagsOf(s.Tags),
		Details: nodes.Details{Subscription: id, Resource: textOf(s.ID),
			CloudState: strings.ToLower(textOf(s.State))},
	}, nil
}
