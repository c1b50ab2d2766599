package world

import (
	"cmp"
	"fmt"
	"net/netip"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"aws-provider-executor/pkg/document"
)

// Loaded is what a document says there is.
type Loaded struct {
	Worlds map[Place]*World
	Roles  map[string][]AccountRole // by account
	Alias  map[string]string        // by account
	Quotas Quotas
}

// Load makes worlds, roles and quotas of a document in the form of State. The error is a
// document.Faults that names every fault with its line.
func Load(doc *document.Node, owner string, mint Minter, now time.Time) (Loaded, error) {
	l := loader{owner: owner, mint: mint, now: now,
		to: Loaded{Worlds: map[Place]*World{}, Roles: map[string][]AccountRole{},
			Alias: map[string]string{}}}
	l.Fields(doc, "",
		document.Field{Name: "regions", Required: true, Read: l.regions},
		document.Field{Name: "roles", Read: l.roles},
		document.Field{Name: "alias", Read: l.alias},
		document.Field{Name: "accounts", Read: l.accounts},
		document.Field{Name: "quotas", Read: l.setQuotas})
	return l.to, l.Err()
}

// loader makes worlds of a document.
type loader struct {
	document.Faults
	owner string // the account that is being read
	mint  Minter
	now   time.Time
	to    Loaded
}

var accountForm = regexp.MustCompile(`^[0-9]{12}$`)

// accounts reads the accounts beside the Sim's own.
func (l *loader) accounts(n *document.Node, path string) {
	if n.Kind != document.Object {
		l.Add(n.Line, path, "is %s, want an object of accounts", n.Kind)
		return
	}
	own := l.owner
	defer func() { l.owner = own }()
	for _, e := range n.Entries {
		at := path + "." + e.Key
		switch {
		case !accountForm.MatchString(e.Key):
			l.Add(e.Line, at, "is not an account: want 12 digits, in quotes")
			continue
		case e.Key == own:
			l.Add(e.Line, at, "is the account of the regions and roles beside accounts")
			continue
		}
		l.owner = e.Key
		l.Fields(e.Value, at,
			document.Field{Name: "regions", Read: l.regions},
			document.Field{Name: "roles", Read: l.roles},
			document.Field{Name: "alias", Read: l.alias})
	}
}

func (l *loader) alias(n *document.Node, path string) {
	l.to.Alias[l.owner] = l.String(n, path)
}

func (l *loader) roles(n *document.Node, path string) {
	l.Each(n, path, func(n *document.Node, path string) {
		var r AccountRole
		l.value(n, path, reflect.ValueOf(&r).Elem())
		if r.Name == "" {
			l.Add(n.Line, path, "has no name")
		}
		l.to.Roles[l.owner] = append(l.to.Roles[l.owner], r)
	})
}

func (l *loader) setQuotas(n *document.Node, path string) {
	l.value(n, path, reflect.ValueOf(&l.to.Quotas).Elem())
	if err := l.to.Quotas.Check(); err != nil {
		l.Add(n.Line, path, "%v", err)
	}
}

var regionForm = regexp.MustCompile(`^[a-z]{2}(-[a-z]+)+-[0-9]$`)

func (l *loader) regions(n *document.Node, path string) {
	if n.Kind != document.Object {
		l.Add(n.Line, path, "is %s, want an object of regions", n.Kind)
		return
	}
	for _, e := range n.Entries {
		at := path + "." + e.Key
		if !regionForm.MatchString(e.Key) {
			l.Add(e.Line, at, "is not the name of a region")
			continue
		}
		l.region(e.Key, e.Value, at)
	}
}

// region makes one world. Resources are added in the order in which they need each other, and only
// once all of them could be read.
func (l *loader) region(name string, n *document.Node, path string) {
	var (
		w      = New(name, l.owner)
		vpcs   []item[VPC]
		nets   []item[Subnet]
		groups []item[SecurityGroup]
		gates  []item[Gateway]
		tables []item[RouteTable]
		hosts  []item[Instance]
		nics   []item[Interface]
		eips   []item[Address]
		fleets []item[fleet]
		scales []item[ScalingGroup]
		runs   []item[Command]
		hidden []item[Secret]
		params []item[Parameter]
	)
	before := len(l.Faults)
	l.Fields(n, path,
		items(l, "vpcs", &vpcs, VPC{}), items(l, "subnets", &nets, Subnet{}),
		items(l, "securityGroups", &groups, SecurityGroup{}), items(l, "gateways", &gates, Gateway{}),
		items(l, "routeTables", &tables, RouteTable{}), items(l, "instances", &hosts, Instance{}),
		items(l, "interfaces", &nics, Interface{SourceDestCheck: true}),
		items(l, "addresses", &eips, Address{}), items(l, "commands", &runs, Command{}),
		items(l, "secrets", &hidden, Secret{}), items(l, "parameters", &params, Parameter{}),
		items(l, "fleets", &fleets, fleet{}), items(l, "scalingGroups", &scales, ScalingGroup{}),
		document.Field{Name: "publicIpv4Pools", Read: func(n *document.Node, path string) {
			l.value(n, path, reflect.ValueOf(&w.PublicPools).Elem())
			l.checkPools(w, n, path)
		}},
		document.Field{Name: "denied", Read: func(n *document.Node, path string) {
			w.Denied = l.Bool(n, path)
		}},
		document.Field{Name: "optInStatus", Read: func(n *document.Node, path string) {
			w.OptIn = l.optIn(n, path)
		}})
	if len(l.Faults) > before {
		return
	}
	add(l, vpcs, w.addVPC)
	add(l, nets, w.AddSubnet)
	add(l, groups, w.AddGroup)
	withGroup := map[string]bool{} // VPCs that have a default group
	for _, g := range w.Groups {
		withGroup[g.VPCID] = withGroup[g.VPCID] || g.Name == "default"
	}
	for v := range w.VPCs.Each() {
		if !withGroup[v.ID] {
			w.addDefaultGroup(l.mint, v)
		}
	}
	add(l, gates, w.AddGateway)
	placeInstances(hosts, nics)
	add(l, hosts, func(m Minter, i Instance) *Instance { return w.addInstance(m, i, l.now) })
	// Branches come after their trunks.
	slices.SortStableFunc(nics, func(a, b item[Interface]) int {
		return cmp.Compare(a.value.TrunkID, b.value.TrunkID)
	})
	add(l, nics, w.loadInterface)
	add(l, tables, w.AddRouteTable)
	withTable := w.vpcsWithMainTable()
	for v := range w.VPCs.Each() {
		if !withTable[v.ID] {
			w.addMainTable(l.mint, v)
		}
	}
	add(l, eips, w.AddAddress)
	for _, it := range runs {
		w.Commands[it.value.ID] = &it.value
	}
	l.fleets(w, fleets)
	addNamed(l, scales, w.AddScalingGroup)
	addNamed(l, hidden, func(m Minter, s Secret) *Secret { return w.AddSecret(m, s, l.now) })
	addNamed(l, params, func(_ Minter, p Parameter) *Parameter { return w.AddParameter(p, l.now) })
	l.to.Worlds[Place{l.owner, name}] = w
}

// checkPools refuses pools that no account can have.
func (l *loader) checkPools(w *World, n *document.Node, path string) {
	for _, e := range n.Entries {
		network := w.PublicPools[e.Key]
		if p, err := netip.ParsePrefix(network); PoolIDs.Check(e.Key) != nil || err != nil ||
			!p.Addr().Is4() || p.Masked() != p {
			l.Add(e.Line, path+"."+e.Key, "is %q, want an IPv4 network of a pool ipv4pool-ec2-…", network)
		}
	}
}

func (l *loader) optIn(n *document.Node, path string) string {
	status := l.String(n, path)
	if !slices.Contains(OptInStatuses, status) {
		l.Add(n.Line, path, "is %q, want one of %s", status, strings.Join(OptInStatuses, ", "))
	}
	return status
}

func (l *loader) fleets(w *World, fleets []item[fleet]) {
	for _, it := range fleets {
		err := attempt(func() { w.AddFleet(l.mint, it.value.Instance, it.value.Count, l.now) })
		if err != nil {
			l.Add(it.line, it.path, "%v", err)
		}
	}
}

// placeInstances puts an instance that does not say where it is into the subnet of its first
// interface.
func placeInstances(hosts []item[Instance], nics []item[Interface]) {
	first := map[string]string{} // subnets by instance
	for _, n := range nics {
		if a := n.value.Attachment; a != nil && a.DeviceIndex == 0 {
			first[a.InstanceID] = n.value.SubnetID
		}
	}
	for i := range hosts {
		if host := &hosts[i].value; host.ID != "" {
			fill(&host.SubnetID, first[host.ID])
		}
	}
}

func (w *World) loadInterface(m Minter, i Interface) *Interface {
	if len(i.PrivateAddresses) > 0 && i.Primary() == "" {
		i.PrivateAddresses[0].Primary = true
	}
	added := w.AddInterface(m, i)
	if i.Groups != nil && len(i.Groups) == 0 {
		added.Groups = nil
	}
	return added
}

func (w *World) vpcsWithMainTable() map[string]bool {
	vpcs := map[string]bool{}
	for _, t := range w.Routes {
		if slices.ContainsFunc(t.Associations, func(a RouteAssociation) bool { return a.Main }) {
			vpcs[t.VPCID] = true
		}
	}
	return vpcs
}

// item is a resource of a document, and where it is.
type item[T any] struct {
	value T
	line  int
	path  string
}

// items is the field of a list of resources. What one does not say is as in the model.
func items[T Resource[T]](l *loader, name string, to *[]item[T], model T) document.Field {
	return document.Field{Name: name, Read: func(n *document.Node, path string) {
		l.Each(n, path, func(n *document.Node, path string) {
			it := item[T]{model.clone(), n.Line, path}
			l.value(n, path, reflect.ValueOf(&it.value).Elem())
			*to = append(*to, it)
		})
	}}
}

// add adds resources to a world, and notes those that it cannot hold.
func add[T Resource[T]](l *loader, items []item[T], build func(Minter, T) *T) {
	addNamed(l, items, func(m Minter, value T) *T {
		mustBeID(value.key(), value)
		return build(m, value)
	})
}

// addNamed is add for what has names instead of ids.
func addNamed[T Resource[T]](l *loader, items []item[T], build func(Minter, T) *T) {
	for _, it := range items {
		err := attempt(func() { build(l.mint, it.value) })
		if err != nil {
			l.Add(it.line, it.path, "%v", err)
		}
	}
}

// idPrefixes are how the ids of each kind of resource begin.
var idPrefixes = map[reflect.Type][]string{
	reflect.TypeFor[VPC]():           {"vpc"},
	reflect.TypeFor[Subnet]():        {"subnet"},
	reflect.TypeFor[SecurityGroup](): {"sg"},
	reflect.TypeFor[Gateway]():       {"igw", "eigw", "nat", "pcx", "tgw", "vgw", "vpce"},
	reflect.TypeFor[RouteTable]():    {"rtb"},
	reflect.TypeFor[Instance]():      {"i"},
	reflect.TypeFor[Interface]():     {"eni"},
	reflect.TypeFor[Address]():       {"eipalloc"},
}

// mustBeID panics on an id that is not of EC2's form. An empty one is filled in later.
func mustBeID(id string, of any) {
	prefixes := idPrefixes[reflect.TypeOf(of)]
	prefix, digits, _ := strings.Cut(id, "-")
	if id != "" && (!slices.Contains(prefixes, prefix) || !isHex(digits)) {
		cannot(fmt.Sprintf("%q is not an id: want %s- and 8 or 17 hexadecimal digits",
			id, strings.Join(prefixes, "- or ")))
	}
}

// value reads a value of any of the types that State has.
func (l *loader) value(n *document.Node, path string, to reflect.Value) {
	switch to.Interface().(type) {
	case time.Time:
		l.time(n, path, to)
		return
	case Tags:
		to.Set(reflect.ValueOf(Tags(l.Map(n, path)).clone()))
		return
	case PrivateAddress:
		if n.Kind == document.Text {
			to.Set(reflect.ValueOf(PrivateAddress{Address: n.Text}))
			return
		}
	}
	switch to.Kind() {
	case reflect.Pointer:
		to.Set(reflect.New(to.Type().Elem()))
		l.value(n, path, to.Elem())
	case reflect.Struct:
		l.Fields(n, path, l.structFields(to)...)
	case reflect.Slice:
		// An empty list is not an absent one.
		to.Set(reflect.MakeSlice(to.Type(), 0, len(n.Items)))
		l.Each(n, path, func(n *document.Node, path string) {
			element := reflect.New(to.Type().Elem()).Elem()
			l.value(n, path, element)
			to.Set(reflect.Append(to, element))
		})
	case reflect.Map:
		if n.Kind != document.Object {
			l.Add(n.Line, path, "is %s, want an object", n.Kind)
		}
		to.Set(reflect.MakeMap(to.Type()))
		for _, e := range n.Entries {
			member := reflect.New(to.Type().Elem()).Elem()
			l.value(e.Value, path+"."+e.Key, member)
			to.SetMapIndex(reflect.ValueOf(e.Key), member)
		}
	case reflect.Bool:
		to.SetBool(l.Bool(n, path))
	case reflect.Int:
		l.int(n, path, to)
	case reflect.String:
		if n.Kind == document.Text {
			to.SetString(n.Text)
			return
		}
		l.String(n, path) // notes what is wrong
	default:
		panic("ec2sim: a field of a type that worlds do not have: " + to.Type().String())
	}
}

func (l *loader) structFields(to reflect.Value) []document.Field {
	var list []document.Field
	for i := range to.NumField() {
		name, _, _ := strings.Cut(to.Type().Field(i).Tag.Get("json"), ",")
		list = append(list, document.Field{Name: name, Read: func(n *document.Node, path string) {
			l.value(n, path, to.Field(i))
		}})
	}
	return list
}

func (l *loader) int(n *document.Node, path string, to reflect.Value) {
	i, err := strconv.Atoi(n.Text)
	if n.Kind != document.Number || err != nil {
		l.Add(n.Line, path, "is not a whole number")
		return
	}
	to.SetInt(int64(i))
}

func (l *loader) time(n *document.Node, path string, to reflect.Value) {
	t, err := time.Parse(time.RFC3339Nano, n.Text)
	if err != nil {
		l.Add(n.Line, path, "is not a time such as 2026-01-05T09:00:00Z")
		return
	}
	to.Set(reflect.ValueOf(t.UTC()))
}
