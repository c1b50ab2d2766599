package inventory

import (
	"slices"
	"strings"
	"unicode"

	"aws-provider-executor/pkg/awsec2/ec2model"
)

// The types of what holds an address. A core advertises no address of a RouterNIC.
const (
	// RouterNIC is the node's own interface, or that of another router.
	RouterNIC = "router-nic"
	// InstanceNIC is an interface of an instance that is no router.
	InstanceNIC = "instance-nic"
	// SpareNIC is an interface that is on no instance.
	SpareNIC = "interface"
	// PrivateEndpoint is an interface of an AWS service: an endpoint, a load balancer ….
	PrivateEndpoint = "private-endpoint"
)

// Holder is an interface with everything that a core decides by.
type Holder struct {
	*ec2model.Interface
	// Type is one of the types above.
	Type string
	// Tags are the interface's, with its instance's over them.
	Tags []ec2model.Tag
	// State is the instance's state. It is empty if the interface is on no instance, or on one of
	// another account, which this account can't read.
	State string
	// Selected reports whether Tags have everything that the request's selector asks for.
	Selected bool
}

// Ref is what the interface belongs to: its instance, or else itself.
func (h *Holder) Ref() string {
	if h.InstanceID != "" {
		return h.InstanceID
	}
	return h.ID
}

// typeOf returns the type of an interface, given its tags and whether it is one of the node's own.
func typeOf(n *ec2model.Interface, tags []ec2model.Tag, own bool) string {
	forwards := n.SourceDestCheck != nil && !*n.SourceDestCheck
	switch {
	case own, forwards, taggedAsRouter(tags):
		return RouterNIC
	case n.InstanceID != "":
		return InstanceNIC
	case n.Service:
		return PrivateEndpoint
	}
	return SpareNIC
}

// The tags by which people mark what an instance is for. Keys and values are compared in lower
// case.
var (
	roleKeys    = []string{"role", "routerd.cloudedge.role", "routerd.role", "node_role", "node-role"}
	purposeKeys = []string{"purpose", "routerd.cloudedge.purpose"}

	clientRoles    = []string{"client", "cloudedge-client", "instance", "workload"}
	clientPurposes = []string{"client", "workload"}
	routerRoles    = []string{"router", "routerd-cloud"}
)

// routerWord is the purpose, and the word in a name, of a router.
const routerWord = "router"

// taggedAsRouter reports whether tags say that this is a router. A client's mark comes before all
// that would say so.
func taggedAsRouter(tags []ec2model.Tag) bool {
	router := false
	for _, t := range tags {
		key, value := strings.ToLower(t.Key), strings.ToLower(strings.TrimSpace(t.Value))
		switch {
		case slices.Contains(roleKeys, key):
			if slices.Contains(clientRoles, value) {
				return false
			}
			router = router || slices.Contains(routerRoles, value)
		case slices.Contains(purposeKeys, key):
			if slices.Contains(clientPurposes, value) {
				return false
			}
			router = router || value == routerWord
		case t.Key == "Name":
			router = router || slices.Contains(words(value), routerWord)
		}
	}
	return router
}

// words splits a name at blanks and at - _ . / and :.
func words(name string) []string {
	return strings.FieldsFunc(name, func(r rune) bool {
		return unicode.IsSpace(r) || strings.ContainsRune("-_./:", r)
	})
}

// merged lays the tags of an instance over those of its interface.
func merged(nic, instance []ec2model.Tag) []ec2model.Tag {
	if len(instance) == 0 {
		return nic
	}
	all := slices.Clone(instance)
	for _, t := range nic {
		if _, over := valueOf(instance, t.Key); !over {
			all = append(all, t)
		}
	}
	return all
}

func valueOf(tags []ec2model.Tag, key string) (string, bool) {
	for _, t := range tags {
		if t.Key == key {
			return t.Value, true
		}
	}
	return "", false
}

// haveAll reports whether tags have every wanted key with exactly the wanted value.
func haveAll(tags []ec2model.Tag, want map[string]string) bool {
	for key, value := range want {
		if got, has := valueOf(tags, key); !has || got != value {
			return false
		}
	}
	return true
}
