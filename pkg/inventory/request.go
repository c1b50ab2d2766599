package inventory

import (
	"io"
	"net/netip"
	"strings"

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
	// Prefix, when valid, leaves out addresses and routes that are not in it.
	Prefix netip.Prefix
	// NIC is the node's own interface, Subnet where addresses are looked for, Table the route
	// table. Each is empty when it is to be found out.
	NIC, Subnet, Table string
	// Tags are what an interface must have to be observed.
	Tags map[string]string
}

const (
	byRoute = "route-table"
	maxTags = 50
)

// Decode reads one request, and finds everything wrong with it. Interface, subnet and route table may be
// in target too, by the names that actions have for them.
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
		if text := spec.Text(key); text != "" {
			return canonical(spec, key, text, form)
		}
		return inTarget(other, form)
	}
	req := Request{
		ProviderRef: spec.Text("providerRef"),
		Region:      inTarget("region", action.Region),
		NIC:         either("selfNicRef", "nicRef", action.InterfaceID),
		Subnet:      either("subnetRef", "subnetRef", action.SubnetID),
		Table:       either("routeTableRef", "routeTableRef", action.RouteTableID),
		Tags:        spec.Object("selector").Tags("tags"),
	}
	strategy := spec.Text("strategy")
	if req.ByRoute = strategy == byRoute; action.Misspelt(strategy, byRoute) {
		spec.Fault("strategy", "is "+protocol.Quote(strategy)+": want "+byRoute+", or anything that is not so nearly that")
	}
	if text := spec.Text("prefix"); text != "" {
		var err error
		if req.Prefix, err = parsePrefix(text); err != nil {
			spec.Fault("prefix", "is "+protocol.Quote(text)+": want a network, as in 10.88.60.0/24")
		}
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

func parsePrefix(text string) (netip.Prefix, error) {
	if !strings.Contains(text, "/") {
		a, err := netip.ParseAddr(text)
		if err != nil {
			return netip.Prefix{}, err
		}
		return a.WithZone("").Prefix(a.BitLen())
	}
	p, err := netip.ParsePrefix(text)
	return p.Masked(), err
}

// contains tells whether an address is in the request's prefix.
func (r Request) contains(address string) bool {
	a, err := netip.ParseAddr(address)
	return !r.Prefix.IsValid() || err == nil && r.Prefix.Contains(a)
}

// covers tells whether a whole network is in the request's prefix.
func (r Request) covers(p netip.Prefix) bool {
	return !r.Prefix.IsValid() || r.Prefix.Bits() <= p.Bits() && r.Prefix.Contains(p.Addr())
}
