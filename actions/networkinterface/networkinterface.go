// Package networkinterface gives an instance a network interface at a device index, and takes it
// away again.
//
// A slot, an instance and a device index, is one attribute. What this program makes for it carries
// a tag from its creation, which names the slot and a token of the action. So the value is known
// before anything is made, an interface whose creation was not answered is found again, and none is
// made twice. Only what carries the tag is ever taken away.
package networkinterface

import (
	"context"
	"strconv"
	"strings"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/protocol"
)

// Reader is what the verbs read with.
type Reader interface {
	DescribeInstance(ctx context.Context, id string) (ec2model.Instance, error)
	DescribeInterface(ctx context.Context, id string) (ec2model.InterfaceDetail, error)
	DescribeTaggedInterfaces(
		ctx context.Context, key, beginning string,
	) ([]ec2model.InterfaceDetail, error)
	DescribeSubnet(ctx context.Context, id string) (ec2model.Subnet, error)
	DescribeNetworkInterfacesWithAddress(
		ctx context.Context, vpc, address string,
	) ([]ec2model.NetworkInterface, error)
}

// Writer is what the verbs change with.
type Writer interface {
	// CreateNetworkInterface makes an interface once for its token.
	CreateNetworkInterface(ctx context.Context, n ec2model.NewInterface) (id string, err error)
	// AttachNetworkInterface and DetachNetworkInterface do not wait.
	AttachNetworkInterface(
		ctx context.Context, nic, instance string, index int,
	) (attachment string, err error)
	DetachNetworkInterface(ctx context.Context, attachment string) error
	DeleteNetworkInterface(ctx context.Context, nic string) error
	ModifySourceDestCheck(ctx context.Context, nic string, check bool) error
	ModifyDeleteOnTermination(ctx context.Context, nic, attachment string, goes bool) error
}

const (
	callInstances  = "ec2:DescribeInstances"
	callInterfaces = "ec2:DescribeNetworkInterfaces"
	callSubnets    = "ec2:DescribeSubnets"
	callCreate     = "ec2:CreateNetworkInterface"
	callTag        = "ec2:CreateTags"
	callAttach     = "ec2:AttachNetworkInterface"
	callModify     = "ec2:ModifyNetworkInterfaceAttribute"
	callDetach     = "ec2:DetachNetworkInterface"
	callDelete     = "ec2:DeleteNetworkInterface"

	paramGroups      = "securityGroups"
	paramAddresses   = "privateAddresses"
	paramDescription = "interfaceDescription"
	paramCheck       = "sourceDestCheck"
	paramGoes        = "deleteOnTermination"

	factPrior      = "priorInterface"
	factInterface  = "networkInterfaceRef"
	factAttachment = "attachmentId"
	factToken      = "interfaceToken"
	factOrigin     = "origin"
	factSubnet     = "interfaceSubnet"
	factPrimary    = "primaryAddress"
	factAddresses  = paramAddresses
	factCheck      = paramCheck
	factGoes       = paramGoes
	factRemoved    = "removedInterface"

	created, found = "created", "found"
)

// The values of a slot. One that another's interface is in has that interface's id.
const (
	absent = "absent"
	// made begins the value of an interface that is made for the slot and not attached.
	made = "created:"
	// present begins that of one that is attached there.
	present = "present:"
	// none is the value of an attribute of an interface that is not there.
	none = "none"
)

var (
	paramSubnet = action.Field{Name: "subnet.<zone>", Key: action.Zone, Form: action.SubnetID,
		Decides: true, Newer: true,
		Doc: "the subnet for an instance in that availability zone; that of the instance is required"}
	interfaceOrNone = action.Form{
		Name:    "`absent`, or a network interface id",
		Pattern: `^(absent|eni-([0-9a-f]{8}|[0-9a-f]{17}))$`,
		Canonical: func(s string) (string, error) {
			if s == absent {
				return s, nil
			}
			return action.InterfaceID.Canonical(s)
		},
		Names:   action.InterfaceID.Names,
		Example: absent,
	}
)

// Verbs returns the pair.
func Verbs() []action.Verb {
	target := []action.Field{
		{Name: "instanceRef", Form: action.InstanceID, Required: true, Exclusive: true, Decides: true,
			Newer: true, Doc: "the instance"},
		{Name: "deviceIndex", Form: action.DeviceIndex, Required: true, Decides: true, Newer: true,
			Doc: "the device index on the instance's first network card; 0 is there from its launch"},
		{Name: "region", Form: action.Region, Required: true, Decides: true, Newer: true,
			Doc: "the instance's region"},
	}
	prior := action.Field{Name: factPrior, Form: interfaceOrNone,
		Doc: "the interface that was there before the action, or `absent`"}
	required := prior
	required.Required, required.Newer = true, true
	nic := action.Field{Name: factInterface, Form: action.InterfaceID, Doc: "the interface"}
	token := action.Field{Name: factToken, Form: action.MadeToken,
		Doc: "names the action in the tag of the interface that it made"}
	givenNIC, givenToken := nic, token
	givenNIC.Newer, givenToken.Newer = true, true
	return []action.Verb{
		{
			Name: "ensure-network-interface", Undo: "remove-network-interface",
			Risk: action.Risk{Level: action.Medium,
				Doc: "The instance gets a way into another subnet, and costs an address there."},
			Doc: "Gives an instance a network interface. It is made, tagged, attached at a device " +
				"index and read back. One that is there already and is as asked for stays; any other is " +
				"refused.",
			Target: target, Parameters: parameters(), Facts: append(facts(), prior, nic, token),
			Permissions: permissions(), Plan: action.PlanWith(planEnsure),
		},
		{
			Name: "remove-network-interface",
			Risk: action.Risk{Level: action.High,
				Doc: "What goes through the interface is cut off, and its addresses are given up."},
			Doc: "Deletes what `ensure-network-interface` made. The interface is detached first. One " +
				"that was there before stays.",
			Target: target,
			Parameters: []action.Field{required, givenNIC, givenToken, action.OnDrift,
				action.IgnoreHolders},
			Facts: []action.Field{prior, {Name: factRemoved, Form: action.InterfaceID,
				Doc: "the interface that was deleted"}},
			Permissions: removalPermissions(), Plan: action.PlanWith(planRemove),
		},
	}
}

func parameters() []action.Field {
	all := []action.Field{
		{Name: paramGroups, Form: action.SetOf(action.SecurityGroupID), Required: true,
			Doc: "the security groups of the interface, all of them"},
		{Name: paramAddresses, Form: action.ListOf(action.HostIPv4),
			Doc: "fixed private addresses, the primary one first; without any EC2 chooses"},
		{Name: paramDescription, Form: action.Text, Doc: "its description"},
		{Name: paramCheck, Form: action.Boolean, Default: "true",
			Doc: "its source/dest check (default `true`); `false` lets it forward"},
		{Name: paramGoes, Form: action.Boolean, Default: "true",
			Doc: "whether it is deleted with the instance (default `true`)"},
	}
	for i := range all {
		all[i].Decides, all[i].Newer = true, true
	}
	return append([]action.Field{paramSubnet}, all...)
}

func facts() []action.Field {
	return []action.Field{
		{Name: factOrigin, Form: action.OneOf(created, found),
			Doc: "whether the action made the interface, or found it"},
		{Name: factAttachment, Form: action.Text, Doc: "the id of its attachment"},
		{Name: factSubnet, Form: action.SubnetID, Doc: "its subnet"},
		{Name: factPrimary, Form: action.HostIPv4, Doc: "its primary private address"},
		{Name: factAddresses, Form: action.ListOf(action.HostIPv4),
			Doc: "its private addresses, the primary one first"},
		{Name: factCheck, Form: action.Boolean, Doc: "its source/dest check, read back"},
		{Name: factGoes, Form: action.Boolean,
			Doc: "whether it is deleted with the instance, read back"},
	}
}

func permissions() []action.Permission {
	const nic = string(action.NetworkInterface)
	return []action.Permission{
		{Action: callInstances, Resource: "*", For: "reading what is at the device index, and the zone"},
		{Action: callInterfaces, Resource: "*", For: "finding what was made, before and after"},
		{Action: callSubnets, Resource: "*", Foresees: true, For: "foreseeing a subnet that is full"},
		{Action: callCreate, Change: true, Resource: nic, For: "making the interface"},
		{Action: callCreate, Change: true, Resource: string(action.Subnet), For: "making it there"},
		{Action: callCreate, Change: true, Resource: string(action.SecurityGroup),
			For: "giving it its groups"},
		{Action: callTag, Change: true, Resource: nic, TagKeys: []string{ec2model.Slot},
			For: "tagging it as it is made"},
		{Action: callAttach, Change: true, Resource: nic, For: "attaching it"},
		{Action: callAttach, Change: true, Resource: string(action.Instance), For: "attaching it"},
		{Action: callModify, Change: true, Resource: nic,
			For: "setting its source/dest check, and whether it goes with the instance"},
		{Action: callDelete, Change: true, Resource: nic,
			For: "deleting it again where it can't be attached"},
	}
}

func removalPermissions() []action.Permission {
	const nic = string(action.NetworkInterface)
	return []action.Permission{
		{Action: callInterfaces, Resource: "*", For: "finding what was made, before and after"},
		{Action: callDetach, Change: true, Resource: nic, For: "detaching it"},
		{Action: callDetach, Change: true, Resource: string(action.Instance), For: "detaching it"},
		{Action: callDelete, Change: true, Resource: nic, For: "deleting it"},
	}
}

// slot is a device index of an instance.
type slot struct {
	r        Reader
	req      action.Request
	instance string
	index    int
	// token is that of the interface of the action.
	token string
	// nic is the interface in the slot, or made for it, as it was last read or made.
	nic ec2model.InterfaceDetail
}

func newSlot(r Reader, req action.Request) *slot {
	// The form of the field allows nothing but a number.
	index, _ := strconv.Atoi(req.Target["deviceIndex"])
	return &slot{r: r, req: req, instance: req.Target["instanceRef"], index: index}
}

// attribute names the slot among the attributes of its instance.
func (s *slot) attribute() string { return "interface:" + strconv.Itoa(s.index) }

// beginning begins the text of the tag of every interface that is made for the slot.
func (s *slot) beginning() string { return s.instance + "/" + strconv.Itoa(s.index) + "/" }

// tokenOf is the token that an interface made for the slot was made by.
func (s *slot) tokenOf(n ec2model.InterfaceDetail) string {
	return strings.TrimPrefix(n.Tags[ec2model.Slot], s.beginning())
}

// here reports whether an interface is attached to the slot, or on its way there or away.
func (s *slot) here(n ec2model.InterfaceDetail) bool {
	return n.InstanceID == s.instance && n.DeviceIndex == s.index
}

// own returns what the action under the key recorded last of the slot.
func (s *slot) own() (action.Recorded, bool) { return s.req.Own(s.instance, s.attribute()) }

func (s *slot) name() string {
	return "device index " + strconv.Itoa(s.index) + " of " + s.instance
}

func (s *slot) at(now string) action.At {
	return action.At{Resource: s.instance, Attribute: s.attribute(), Now: now,
		What: "the interface at " + s.name()}
}

// moved refuses an interface that was made for the slot and is attached elsewhere.
func (s *slot) moved(n ec2model.InterfaceDetail) error {
	if n.InstanceID == "" && n.Attachment == "" || s.here(n) {
		return nil
	}
	return protocol.Refuse(protocol.Conflict,
		"%s was made for %s by this action, and is attached to %s at device index %d now; nothing was"+
			" changed; look who moved it", n.ID, s.name(), n.InstanceID, n.DeviceIndex)
}

// toldOf are the facts of an interface.
func (s *slot) toldOf(n ec2model.InterfaceDetail) map[string]string {
	if n.ID == "" {
		return nil
	}
	return map[string]string{
		factInterface: n.ID, factAttachment: n.AttachmentID, factSubnet: n.SubnetID,
		factPrimary: n.Primary, factAddresses: strings.Join(addressesOf(n), ","),
		factCheck: checkOf(n), factGoes: strconv.FormatBool(n.DeleteOnTermination),
		factToken: s.tokenOf(n),
	}
}

// checkOf is the source/dest check of an interface as a text.
func checkOf(n ec2model.InterfaceDetail) string {
	if n.SourceDestCheck == nil {
		return ""
	}
	return strconv.FormatBool(*n.SourceDestCheck)
}

// addressesOf are the private IPv4 addresses of an interface, the primary one first.
func addressesOf(n ec2model.InterfaceDetail) []string {
	if n.Primary == "" {
		return n.Secondary
	}
	return append([]string{n.Primary}, n.Secondary...)
}
