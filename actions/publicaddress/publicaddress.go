// Package publicaddress has an Elastic IP lead to a private address of an instance, and takes it
// away again.
//
// A private address of the interface at a device index is one attribute. An Elastic IP that this
// program allocates for it carries a tag from its allocation, which names the place and a token of
// the action. So the value is known before anything is allocated, and an address whose allocation
// was not answered is found again. EC2 has no client token for an allocation: where one may have
// been made that does not show yet, none is asked for. No address is taken away from another place,
// and only what carries the tag is ever released.
package publicaddress

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/protocol"
)

// Reader is what the verbs read with.
type Reader interface {
	DescribeInstance(ctx context.Context, id string) (ec2model.Instance, error)
	DescribeAllocation(ctx context.Context, id string) (ec2model.Address, error)
	DescribeTaggedAddresses(ctx context.Context, key, beginning string) ([]ec2model.Address, error)
	DescribeAssociatedAddress(
		ctx context.Context, nic, private string,
	) (a ec2model.Address, found bool, err error)
}

// Writer is what the verbs change with.
type Writer interface {
	// AllocateAddress takes another address each time.
	AllocateAddress(ctx context.Context, n ec2model.NewAddress) (allocation string, err error)
	// AssociateAddress takes neither the Elastic IP nor the private address from another.
	AssociateAddress(
		ctx context.Context, allocation, nic, private string,
	) (association string, err error)
	DisassociateAddress(ctx context.Context, association string) error
	ReleaseAddress(ctx context.Context, allocation string) error
}

const (
	callInstances    = "ec2:DescribeInstances"
	callAddresses    = "ec2:DescribeAddresses"
	callAllocate     = "ec2:AllocateAddress"
	callTag          = "ec2:CreateTags"
	callAssociate    = "ec2:AssociateAddress"
	callDisassociate = "ec2:DisassociateAddress"
	callRelease      = "ec2:ReleaseAddress"

	paramPool       = "publicIpv4Pool"
	paramAllocation = "allocationRef"

	factPrior        = "priorPublicAddress"
	factPriorOwn     = "priorAutoAssignedAddress"
	factAllocation   = paramAllocation
	factPublic       = "publicAddress"
	factAssociation  = "associationId"
	factToken        = "publicAddressToken"
	factOrigin       = "origin"
	factPool         = paramPool
	factInterface    = "networkInterfaceRef"
	factPrivate      = "privateAddress"
	factReleased     = "releasedAddress"
	factDisassociate = "disassociatedAddress"

	allocated, existing, found = "allocated", "existing", "found"
)

// The values of a private address. One that somebody's Elastic IP leads to has the allocation of
// that.
const (
	absent = "absent"
	// waiting begins the value where an Elastic IP is allocated for it, which leads to nothing.
	waiting = "allocated:"
	// present begins that where an Elastic IP leads to it that was allocated for it.
	present = "present:"
)

var (
	allocationOrNone = action.Form{
		Name:    "`absent`, or the allocation id of an Elastic IP",
		Pattern: `^(absent|eipalloc-([0-9a-f]{8}|[0-9a-f]{17}))$`,
		Canonical: func(s string) (string, error) {
			if s == absent {
				return s, nil
			}
			return action.AllocationID.Canonical(s)
		},
		Names:   action.AllocationID.Names,
		Example: absent,
	}
	pool = action.Form{
		Name:    "`amazon`, or the id of a public IPv4 pool",
		Pattern: `^(amazon|ipv4pool-ec2-([0-9a-f]{8}|[0-9a-f]{17}))$`,
		Canonical: func(s string) (string, error) {
			if s == ec2model.AmazonPool {
				return s, nil
			}
			if _, err := action.PublicPoolID.Canonical(s); err != nil {
				return "", errors.New("want amazon, or ipv4pool-ec2- and 8 or 17 lower-case hexadecimal" +
					" digits")
			}
			return s, nil
		},
		Example: ec2model.AmazonPool,
	}
)

// Verbs returns the pair.
func Verbs() []action.Verb {
	target := []action.Field{
		{Name: "instanceRef", Form: action.InstanceID, Required: true, Exclusive: true, Decides: true,
			Newer: true, Doc: "the instance"},
		{Name: "deviceIndex", Form: action.DeviceIndex, Required: true, Decides: true, Newer: true,
			Doc: "the device index of its interface, on the instance's first network card"},
		{Name: "address", Form: action.HostIPv4, Decides: true, Newer: true,
			Doc: "the private address of that interface; without one it is the primary one"},
		{Name: "region", Form: action.Region, Required: true, Decides: true, Newer: true,
			Doc: "the instance's region"},
	}
	prior := action.Field{Name: factPrior, Form: allocationOrNone,
		Doc: "the Elastic IP that led to the private address before the action, or `absent`"}
	required := prior
	required.Required = true
	shared := []action.Field{
		{Name: factPriorOwn, Form: action.HostIPv4,
			Doc: "the public address of EC2's own that the Elastic IP replaced; nothing brings it back"},
		{Name: factAllocation, Form: action.AllocationID, Doc: "the Elastic IP's allocation"},
		{Name: factToken, Form: action.MadeToken,
			Doc: "names the action in the tag of the Elastic IP that it allocated"},
		{Name: factInterface, Form: action.InterfaceID, Doc: "the interface"},
		{Name: factPrivate, Form: action.HostIPv4, Doc: "the private address"},
	}
	given := slices.Concat([]action.Field{required}, shared)
	for i := range given {
		given[i].Newer = true
	}
	return []action.Verb{
		{
			Name: "ensure-public-address", Undo: "remove-public-address", ByPolicy: true,
			Risk: action.Risk{Level: action.High,
				Doc: "The private address can be reached from the internet, as its groups allow."},
			Doc: "Has an Elastic IP lead to a private address. It is one of a pool, allocated, " +
				"tagged, associated and read back, or an existing one. Neither the Elastic IP nor the " +
				"private address is taken from another.",
			Target: target, Parameters: parameters(),
			Facts:       slices.Concat(facts(), []action.Field{prior}, shared),
			Permissions: permissions(), Plan: action.PlanWith(planEnsure),
		},
		{
			Name: "remove-public-address", ByPolicy: true,
			Risk: action.Risk{Level: action.High,
				Doc: "The private address can't be reached from the internet any more, and a released " +
					"Elastic IP is gone for good."},
			Doc: "Takes the Elastic IP off a private address. That is the one that " +
				"`ensure-public-address` associated; it is released if that action allocated it. An " +
				"existing one stays, as does one that was there before.",
			Target:     target,
			Parameters: append(given, action.OnDrift, action.IgnoreHolders),
			Facts: []action.Field{prior,
				{Name: factReleased, Form: action.HostIPv4, Doc: "the Elastic IP that was released"},
				{Name: factDisassociate, Form: action.HostIPv4,
					Doc: "the Elastic IP that leads to nothing now, and stays"}},
			Permissions: removalPermissions(), Plan: action.PlanWith(planRemove),
		},
	}
}

func parameters() []action.Field {
	return []action.Field{
		{Name: paramPool, Form: pool, Decides: true, Newer: true, Pool: true,
			Default: ec2model.AmazonPool,
			Doc:     "the pool that an Elastic IP is taken from (default `amazon`)"},
		{Name: paramAllocation, Form: action.AllocationID, Decides: true, Newer: true,
			Doc: "an existing Elastic IP, in place of one of a pool"},
	}
}

func facts() []action.Field {
	return []action.Field{
		{Name: factOrigin, Form: action.OneOf(allocated, existing, found),
			Doc: "whether the action allocated the Elastic IP, was given it, or found it there"},
		{Name: factPublic, Form: action.HostIPv4, Doc: "the Elastic IP"},
		{Name: factAssociation, Form: action.Text, Doc: "the id of its association"},
		{Name: factPool, Form: pool, Doc: "the pool that it is of"},
	}
}

func permissions() []action.Permission {
	const eip, nic = string(action.ElasticIP), string(action.NetworkInterface)
	fromPool := []string{paramPool}
	return []action.Permission{
		{Action: callInstances, Resource: "*", For: "finding the interface and its addresses"},
		{Action: callAddresses, Resource: "*", For: "finding the Elastic IP, before and after"},
		{Action: callAllocate, Change: true, Resource: eip, For: "allocating an Elastic IP"},
		{Action: callAllocate, Change: true, Resource: string(action.PublicPool), With: fromPool,
			For: "taking it from a pool of the account's own"},
		{Action: callTag, Change: true, Resource: eip, TagKeys: []string{ec2model.PublicAddress},
			For: "tagging it as it is allocated"},
		{Action: callAssociate, Change: true, Resource: eip, For: "associating it"},
		{Action: callAssociate, Change: true, Resource: nic, For: "associating it"},
		{Action: callRelease, Change: true, Resource: eip,
			For: "releasing it again where it can't be associated"},
	}
}

func removalPermissions() []action.Permission {
	const eip, nic = string(action.ElasticIP), string(action.NetworkInterface)
	return []action.Permission{
		{Action: callAddresses, Resource: "*", For: "finding the Elastic IP, before and after"},
		{Action: callDisassociate, Change: true, Resource: eip, For: "disassociating it"},
		{Action: callDisassociate, Change: true, Resource: nic, For: "disassociating it"},
		{Action: callRelease, Change: true, Resource: eip,
			For: "releasing the one that the action allocated"},
	}
}

// place is a private address of the interface at a device index of an instance.
type place struct {
	r        Reader
	req      action.Request
	instance string
	index    int
	// private is the address, and nic the interface.
	private, nic string
	// token is that of the Elastic IP of the action.
	token string
}

func newPlace(r Reader, req action.Request) *place {
	// The form of the field allows nothing but a number.
	index, _ := strconv.Atoi(req.Target["deviceIndex"])
	return &place{
		r: r, req: req, instance: req.Target["instanceRef"], index: index,
		private: req.Target["address"],
	}
}

// prefix begins the name of the attribute of every private address at the device index.
func (p *place) prefix() string { return "publicAddress:" + strconv.Itoa(p.index) + ":" }

// attribute names the private address among the attributes of its instance.
func (p *place) attribute() string { return p.prefix() + p.private }

func (p *place) name() string {
	return p.private + " at device index " + strconv.Itoa(p.index) + " of " + p.instance
}

func (p *place) at(now string) action.At {
	return action.At{Resource: p.instance, Attribute: p.attribute(), Now: now,
		What: "the Elastic IP of " + p.name()}
}

// beginning begins the text of the tag of every Elastic IP that is allocated for the interface at
// the device index, whichever it is.
func (p *place) beginning() string { return p.instance + "/" + strconv.Itoa(p.index) + "/" }

// mark is the text of the tag.
func (p *place) mark(token string) string {
	return p.beginning() + p.nic + "/" + p.private + "/" + token
}

// mark is what the tag of an Elastic IP tells that this program allocated.
type mark struct{ nic, private, token string }

// markOf is what the tag of an Elastic IP tells; it is empty where that is of another device index.
func (p *place) markOf(a ec2model.Address) mark {
	rest, ours := strings.CutPrefix(a.Tags[ec2model.PublicAddress], p.beginning())
	parts := strings.Split(rest, "/")
	if !ours || len(parts) != 3 {
		return mark{}
	}
	return mark{parts[0], parts[1], parts[2]}
}

// own returns what the action under the key recorded last of a private address at the device index.
// Where the request names none, it is the one that the record tells.
func (p *place) own() (action.Recorded, bool) {
	if p.private != "" {
		return p.req.Own(p.instance, p.attribute())
	}
	if p.req.Past == nil {
		return action.Recorded{}, false
	}
	for _, own := range slices.Backward(p.req.Past.Own) {
		if own.Resource == p.instance && strings.HasPrefix(own.Attribute, p.prefix()) {
			return own, true
		}
	}
	return action.Recorded{}, false
}

// leads reports whether an Elastic IP leads to the private address.
func (p *place) leads(a ec2model.Address) bool {
	return a.AssociationID != "" && a.InterfaceID == p.nic && a.PrivateIP == p.private
}

// valueOf is the value of the private address where an Elastic IP leads to it.
func (p *place) valueOf(a ec2model.Address) string {
	if m := p.markOf(a); m.token != "" {
		return present + m.token
	}
	return a.AllocationID
}

// unshown refuses to go on where the action may have allocated an Elastic IP that does not show
// yet: to allocate another one, or to forget it, would leave it behind.
func (p *place) unshown() error {
	own, recorded := p.own()
	shows := !recorded || !own.Fresh || own.Undoing() || own.From == own.To ||
		!strings.HasPrefix(own.To, present)
	// What was read to be so once is not there any more for an undo.
	if shows || p.req.Undoes && !own.Begun() {
		return nil
	}
	return protocol.Refuse(protocol.Ambiguous,
		"whether an Elastic IP is allocated for %s under this key could not be found out: an attempt"+
			" was made less than a minute ago, and EC2 does not show its address; nothing was changed;"+
			" try again under the same key in a minute", p.name())
}

// moved refuses an Elastic IP of the action that leads elsewhere.
func (p *place) moved(a ec2model.Address) error {
	return protocol.Refuse(protocol.Conflict,
		"%s (%s) was allocated for %s by this action, and leads to %s on %s now; nothing was changed;"+
			" look who moved it", a.PublicIP, a.AllocationID, p.name(), a.PrivateIP, a.InterfaceID)
}

// toldOf are the facts of an Elastic IP, and of the place.
func (p *place) toldOf(a ec2model.Address) map[string]string {
	told := map[string]string{factInterface: p.nic, factPrivate: p.private}
	if a.AllocationID == "" {
		return told
	}
	return action.Merge(told, map[string]string{
		factAllocation: a.AllocationID, factPublic: a.PublicIP, factAssociation: a.AssociationID,
		factPool: a.Pool, factToken: p.markOf(a).token,
	})
}
