package lifecycle

import (
	"maps"
	"slices"
	"strconv"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/document"
)

// module are the interfaces of a group as a widely used Terraform module gives them to its
// function: as network_interfaces, in an object or as its text in JSON, and the two variables
// beside it.
type module struct {
	given      bool
	interfaces []Interface
	// management is the device index of the interface that has the group besides. Both may be absent.
	management, group string
}

// moduleFields are the variables of the module.
func (r *reader) moduleFields(m *module) []field {
	return []field{
		{doc: "the interfaces as the Terraform module of FortiGate groups has them: an object, or its " +
			"text in JSON", schema: schema{"type": []string{"object", "string"}},
			Field: document.Field{Name: "network_interfaces",
				Read: func(n *document.Node, path string) { r.moduleNICs(n, path, m) }}},
		{doc: "the device index of the management interface, as the Terraform module has it",
			schema: schema{"type": []string{"integer", "string"}},
			Field: document.Field{Name: "mgmt_intf_index",
				Read: func(n *document.Node, path string) { m.management = r.index(n, path) }}},
		r.text("sg_allow_lambda", "a security group that the management interface has besides, as the "+
			"Terraform module has it", action.SecurityGroupID, &m.group),
	}
}

// index reads a device index that is a number or a text.
func (r *reader) index(n *document.Node, path string) string {
	if n.Kind != document.Number && n.Kind != document.Text {
		r.Add(n.Line, path, "is %s, want a device index", n.Kind)
		return ""
	}
	s, err := deviceIndex.Canonical(n.Text)
	if err != nil {
		r.Add(n.Line, path, "is %q: %s", n.Text, err)
	}
	return s
}

// moduleNICs reads network_interfaces.
func (r *reader) moduleNICs(n *document.Node, path string, m *module) {
	m.given = true
	if n.Kind == document.Text {
		inner, err := document.ParseOne([]byte(n.Text))
		if err != nil {
			r.Add(n.Line, path, "is no object in JSON: %s", err)
			return
		}
		line := n.Line
		if n = inner; n.Kind != document.Object {
			r.Add(line, path, "is the text of %s, want that of an object", n.Kind)
			return
		}
		onLine(n, line)
	}
	if n.Kind != document.Object {
		r.Add(n.Line, path, "is %s, want an object of interfaces", n.Kind)
		return
	}
	for _, e := range n.Entries {
		m.interfaces = append(m.interfaces, r.moduleNIC(e, path+"."+e.Key))
	}
	slices.SortStableFunc(m.interfaces, func(a, b Interface) int { return a.Index - b.Index })
}

// onLine has all of a document that was a text be on the line of that text.
func onLine(n *document.Node, line int) {
	n.Line = line
	for _, item := range n.Items {
		onLine(item, line)
	}
	for i := range n.Entries {
		n.Entries[i].Line = line
		onLine(n.Entries[i].Value, line)
	}
}

// moduleNIC reads one interface of network_interfaces. Null is absent there.
func (r *reader) moduleNIC(e document.Entry, path string) Interface {
	i := Interface{Name: e.Key, DeleteOnTermination: true, Required: true}
	var public bool
	var pool, allocation string
	blank := func(to *string, form action.Form) func(*document.Node, string) {
		return func(n *document.Node, path string) {
			if n.Kind != document.Text || n.Text != "" {
				*to = r.form(n, path, form)
			}
		}
	}
	flag := func(to *bool) func(*document.Node, string) {
		return func(n *document.Node, path string) { *to = r.Bool(n, path) }
	}
	forms := func(to *[]string, form action.Form) func(*document.Node, string) {
		return func(n *document.Node, path string) { *to = r.formsOf(n, path, form) }
	}
	management := false
	r.Fields(e.Value, path,
		document.Field{Name: "device_index", Required: true, Read: func(n *document.Node, path string) {
			i.Index, _ = strconv.Atoi(r.index(n, path))
		}},
		document.Field{Name: "subnet_id_map",
			Read: r.pairs("", "", action.Zone, action.SubnetID, &i.Subnets).Read},
		document.Field{Name: "vdom", Read: blank(&i.Domain, nameOf)},
		document.Field{Name: "description", Read: blank(&i.Description, action.Text)},
		document.Field{Name: "to_gwlb", Read: flag(&i.Tunnel)},
		document.Field{Name: "private_ips", Read: forms(&i.Addresses, action.HostIPv4)},
		document.Field{Name: "source_dest_check", Read: flag(&i.SourceDestCheck)},
		document.Field{Name: "security_groups", Read: forms(&i.SecurityGroups, action.SecurityGroupID)},
		document.Field{Name: "enable_public_ip", Read: flag(&public)},
		document.Field{Name: "public_ipv4_pool", Read: blank(&pool, poolID)},
		document.Field{Name: "existing_eip_id", Read: blank(&allocation, action.AllocationID)},
		document.Field{Name: "mgmt_intf", Read: flag(&management)},
	)
	i.management = management
	switch {
	case allocation != "":
		// The module reads it only beside enable_public_ip, which its documentation forbids.
		i.Public = &PublicAddress{Allocation: allocation, Required: true}
	case public:
		i.Public = &PublicAddress{Pool: pool, Required: true}
		if pool == "" {
			i.Public.Pool = AmazonPool
		}
	case pool != "":
		r.Add(e.Line, path, "has public_ipv4_pool, and enable_public_ip is not true: set both or neither")
	}
	return i
}

// take gives a group the interfaces of the module, and the management interface its group.
func (r *reader) take(n *document.Node, path string, g *Group) {
	m := g.module
	g.module = nil
	switch {
	case m.given && len(g.Interfaces) > 0:
		r.Add(n.Line, path, "has both interfaces and network_interfaces: take one of them out")
	case !m.given && (m.management != "" || m.group != ""):
		r.Add(
			n.Line,
			path,
			"has mgmt_intf_index or sg_allow_lambda, which are for network_interfaces alone",
		)
	case !m.given:
		return
	}
	r.manage(n, path, m)
	for i := range m.interfaces {
		nic := &m.interfaces[i]
		nic.management = false
		r.checkNIC(n, path+".network_interfaces."+nic.Name, nic)
	}
	g.Interfaces = append(g.Interfaces, m.interfaces...)
}

// manage gives the management interface the group that it has besides.
func (r *reader) manage(n *document.Node, path string, m *module) {
	for i := range m.interfaces {
		nic := &m.interfaces[i]
		isManagement := nic.management || strconv.Itoa(nic.Index) == m.management
		if m.group != "" && isManagement && !slices.Contains(nic.SecurityGroups, m.group) {
			nic.SecurityGroups = append(nic.SecurityGroups, m.group)
		}
	}
	if m.group != "" && m.management == "" && !slices.ContainsFunc(m.interfaces,
		func(i Interface) bool { return i.management }) {
		r.Add(n.Line, path+".sg_allow_lambda", "is for the management interface, and none is named: add "+
			"mgmt_intf_index, or mgmt_intf to one")
	}
}

// zones are those that an interface has a subnet in, in order.
func (i Interface) zones() []string { return slices.Sorted(maps.Keys(i.Subnets)) }
