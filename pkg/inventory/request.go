package inventory

import (
	"cmp"
	"io"
	"net/netip"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/protocol"
)

// Request is an ObservePrivateIPsRequest in which everything was found right.
type Request struct {
	// ProviderRef is the core's own name for the account, which is given back.
	ProviderRef string
	// Region is empty when it is the region this program runs in.
	Region string
	// ByRoute is set when addresses are captured by routes, and not as secondary ones.
	ByRoute bool
	// Prefix, when valid, leaves out of ips and routes what is not in it. A delegated block is in it
	// if a part of the block is.
	Prefix netip.Prefix
	// NIC is the node's own interface, Subnet where addresses are looked for, Table the route
	// table. Each is empty when it is to be found out.
	NIC, Subnet, Table string
	// Tags are what an interface or its instance must have to be selected.
	Tags map[string]string
	// Traceparent is the caller's trace, which may be malformed.
	Traceparent string
}

const (
	byRoute = "route-table"
	maxTags = 50
)

// Strategy is how addresses are captured; none is the same as the first.
var Strategy = action.OneOf("secondary-ip", byRoute)

// Decode reads one request, and finds everything wrong with it. Interface, subnet and route table
// may be in target too, by the names that actions have for them.
func Decode(r io.Reader, provider string) (Request, protocol.Faults) {
	spec := protocol.DecodeSpec(r, APIVersion, RequestKind)
	if !spec.Present() {
		return Request{}, spec.Faults()
	}
	if got := spec.Required("provider"); got != "" && got != provider {
		spec.Fault("provider", "is "+protocol.Quote(got)+", want \""+provider+"\"")
	}
	for _, ignored := range []string{"selfNode", "pool"} {
		_ = spec.Text(ignored)
	}
	target := spec.Strings("target")
	inTarget := func(key string, form action.Form) string {
		if target[key] == "" {
			return ""
		}
		return canonical(spec.Object("target"), key, target[key], form)
	}
	either := func(key, other string, form action.Form) string {
		there := inTarget(other, form)
		here := optional(spec, key, form)
		if here != "" && there != "" && here != there {
			spec.Fault(
				key,
				"is "+here+", and target."+other+" is "+there+": want the same, or only one of them",
			)
		}
		return cmp.Or(here, there)
	}
	req := Request{
		ProviderRef: spec.Text("providerRef"),
		Region:      inTarget("region", action.Region),
		NIC:         either("selfNicRef", "nicRef", action.InterfaceID),
		Subnet:      either("subnetRef", "subnetRef", action.SubnetID),
		Table:       either("routeTableRef", "routeTableRef", action.RouteTableID),
		Tags:        spec.Object("selector").Tags("tags"),
		Traceparent: spec.Traceparent(),
	}
	req.ByRoute = either("strategy", "captureStrategy", Strategy) == byRoute
	// A prefix that is not valid was noted as a fault; it stays the zero Prefix, which has every
	// address.
	req.Prefix, _ = netip.ParsePrefix(optional(spec, "prefix", action.Network))
	if _, blank := req.Tags[""]; blank {
		spec.Object("selector").Fault("tags", "has a tag without a key")
	}
	if len(req.Tags) > maxTags {
		spec.Object("selector").Fault("tags", "has more tags than an interface can have, which is 50")
	}
	return req, spec.Faults()
}

func canonical(at *protocol.Spec, key, text string, form action.Form) string {
	c, err := form.Canonical(text)
	if err != nil {
		at.Fault(key, "is "+protocol.Quote(text)+": "+err.Error())
	}
	return c
}

// optional reads a text that may be empty, in its canonical form.
func optional(at *protocol.Spec, key string, form action.Form) string {
	text := at.Text(key)
	if text == "" {
		return ""
	}
	return canonical(at, key, text, form)
}

// touches reports whether a network, which may be of one address, has any in the request's prefix.
func (r Request) touches(p netip.Prefix) bool { return !r.Prefix.IsValid() || r.Prefix.Overlaps(p) }

// covers reports whether a whole network is in the request's prefix.
func (r Request) covers(p netip.Prefix) bool {
	return !r.Prefix.IsValid() || r.Prefix.Bits() <= p.Bits() && r.Prefix.Contains(p.Addr())
}
