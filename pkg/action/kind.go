package action

import (
	"maps"
	"slices"
	"strings"

	"aws-provider-executor/pkg/protocol"
)

// Kind is a kind of resource, by the name that permissions have for it.
type Kind string

// The kinds of resources that requests name.
const (
	NetworkInterface Kind = "network-interface"
	Instance         Kind = "instance"
	RouteTable       Kind = "route-table"
	Subnet           Kind = "subnet"
	SecurityGroup    Kind = "security-group"
	ElasticIP        Kind = "elastic-ip"
	ScalingGroup     Kind = "auto-scaling-group"
	// PublicPool is a pool of public addresses. No target names one, so Kinds does not list it.
	PublicPool Kind = "ipv4pool-ec2"
	// Node is a node of the store of nodes, by its id there.
	Node Kind = "node"
	// SSMDocument is a document of SSM. No target names one, so Kinds does not list it.
	SSMDocument Kind = "document"
)

// Kinds lists the kinds, in the order in which resources are told.
func Kinds() []Kind {
	return []Kind{NetworkInterface, Instance, RouteTable, Subnet, SecurityGroup, ElasticIP,
		ScalingGroup, Node}
}

// kindOf is the kind of the resource that an id names; empty if it is none of the kinds.
func kindOf(id string) Kind {
	prefix, _, _ := strings.Cut(id, "-")
	switch prefix {
	case "eni":
		return NetworkInterface
	case "i":
		return Instance
	case "rtb":
		return RouteTable
	case "subnet":
		return Subnet
	case "sg":
		return SecurityGroup
	case "eipalloc":
		return ElasticIP
	case "ipv4pool":
		return PublicPool
	}
	return ""
}

// Resource is a resource that a request names.
type Resource struct {
	Kind Kind
	// Field is the key that names it, and ID what the key says.
	Field, ID string
}

// Resources lists what the target of a request names, in the order of Kinds. It goes by the fields
// of all verbs: what the request's own verb ignores is listed too.
func (r *Registry) Resources(target map[string]string) []Resource {
	return r.named(target, func(v Verb) []Field { return v.Target })
}

// PriorResources lists what the prior facts among the parameters of a request name: what an undo
// gives something back to.
func (r *Registry) PriorResources(parameters map[string]string) []Resource {
	return r.named(parameters, func(v Verb) []Field {
		return slices.DeleteFunc(slices.Clone(v.Parameters), func(f Field) bool {
			return !strings.HasPrefix(f.Name, protocol.PriorPrefix)
		})
	})
}

// named lists the resources that some texts name by a field of any verb.
func (r *Registry) named(texts map[string]string, fields func(Verb) []Field) []Resource {
	var all []Resource
	for _, key := range slices.Sorted(maps.Keys(texts)) {
		if kind := r.kind(key, texts[key], fields); kind != "" && texts[key] != "" {
			all = append(all, Resource{kind, key, texts[key]})
		}
	}
	slices.SortStableFunc(all, func(a, b Resource) int {
		return slices.Index(Kinds(), a.Kind) - slices.Index(Kinds(), b.Kind)
	})
	return all
}

// kind is the kind of resource that a key names with a text, if it names one.
func (r *Registry) kind(key, text string, fields func(Verb) []Field) Kind {
	for _, v := range r.verbs {
		for _, f := range fields(v) {
			if f.Form.Names != nil && f.Matches(key) {
				return f.Form.Names(text)
			}
		}
	}
	for _, provider := range r.Providers() {
		if kind := r.others[provider].kind(key, text, fields); kind != "" {
			return kind
		}
	}
	return ""
}
