//go:build conformance

package conformance

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"aws-provider-executor/pkg/ec2sim"
)

const region = ec2sim.LabRegion

// world is the lab at one place, fresh, and what boto3 sees of it.
type world struct {
	*place
	// ids are the ids of the roles.
	ids map[string]string
}

// labHere are the roles in the stand-in's own lab.
var labHere = map[string]string{
	"vpc": ec2sim.LabVPC, "subnet-a": ec2sim.LabSubnetA, "subnet-c": ec2sim.LabSubnetC,
	"group-default": ec2sim.LabGroupDefault, "group-router": ec2sim.LabGroupRouter,
	"group-web":   ec2sim.LabGroupWeb,
	"group-fence": ec2sim.LabGroupFence, "group-allow-all": ec2sim.LabGroupAllowAll,
	"router-a": ec2sim.LabRouterA, "router-b": ec2sim.LabRouterB, "router-c": ec2sim.LabRouterC,
	"db":    ec2sim.LabDB,
	"nic-a": ec2sim.LabRouterAInterface, "nic-b": ec2sim.LabRouterBInterface,
	"nic-c":   ec2sim.LabRouterCInterface,
	"nic-db0": ec2sim.LabDBInterface0, "nic-db1": ec2sim.LabDBInterface1,
	"nic-spare":  ec2sim.LabSpareInterface,
	"table-main": ec2sim.LabMainRouteTable, "table-a": ec2sim.LabRouteTable,
	"gateway":        ec2sim.LabInternetGateway,
	"attachment-db0": "eni-attach-" + strings.TrimPrefix(ec2sim.LabDBInterface0, "eni-"),
	"attachment-db1": "eni-attach-" + strings.TrimPrefix(ec2sim.LabDBInterface1, "eni-"),
	"other-vpc":      ec2sim.LabOtherVPC, "other-subnet": ec2sim.LabOtherSubnet,
	"other-group": ec2sim.LabOtherGroup,
}

// labThere makes the same lab with calls: `role = call` keeps what the call's query finds.
var labThere = func() []string {
	named := func(kind, name string) string {
		return `"TagSpecifications":[{"ResourceType":"` + kind + `","Tags":[{"Key":"Name","Value":"` +
			name + `"}]}]`
	}
	subnet := func(role, vpc, zone, cidr, name string) string {
		return role + ` = create_subnet {"VpcId":"@` + vpc + `","CidrBlock":"` + cidr +
			`","AvailabilityZone":"` + region + zone + `",` + named("subnet", name) + `} | Subnet.SubnetId`
	}
	group := func(role, vpc, name string) string {
		return role + ` = create_security_group {"VpcId":"@` + vpc + `","GroupName":"` + name +
			`","Description":"` + name + `",` + named("security-group", name) + `} | GroupId`
	}
	nic := func(role, subnet, address, name string, groups ...string) string {
		return role + ` = create_network_interface {"SubnetId":"@` + subnet + `","PrivateIpAddress":"` +
			address + `","Description":"` + name + `","Groups":["@` +
			strings.Join(groups, `","@`) + `"],` + named("network-interface", name) +
			`} | NetworkInterface.NetworkInterfaceId`
	}
	instance := func(role, kind string, nics ...string) string {
		var list []string
		for i, n := range nics {
			list = append(list, fmt.Sprintf(`{"DeviceIndex":%d,"NetworkInterfaceId":"@%s"}`, i, n))
		}
		return role + ` = run_instances ` +
			`{"ImageId":"ami-12c6146b","MinCount":1,"MaxCount":1,"InstanceType":"` + kind +
			`","NetworkInterfaces":[` +
			strings.Join(list, ",") + `],` + named("instance", role) + `} | Instances[0].InstanceId`
	}
	return []string{
		`vpc = create_vpc {"CidrBlock":"10.88.0.0/16",` + named("vpc", "lab") + `} | Vpc.VpcId`,
		`other-vpc = create_vpc {"CidrBlock":"10.77.0.0/16",` + named("vpc", "other") + `} | Vpc.VpcId`,
		subnet("subnet-a", "vpc", "a", "10.88.60.0/24", "lab-a"),
		subnet("subnet-c", "vpc", "c", "10.88.61.0/24", "lab-c"),
		subnet("other-subnet", "other-vpc", "a", "10.77.1.0/24", "other-a"),
		`group-default = describe_security_groups {"Filters":[{"Name":"vpc-id","Values":["@vpc"]}]} | ` +
			`SecurityGroups[0].GroupId`,
		group("group-router", "vpc", "router"), group("group-web", "vpc", "web"),
		group("group-fence", "vpc", "fence"), group("group-allow-all", "vpc", "allow-all"),
		group("other-group", "other-vpc", "other"),
		nic("nic-a", "subnet-a", "10.88.60.11", "router-a", "group-router"),
		nic("nic-b", "subnet-a", "10.88.60.12", "router-b", "group-router"),
		nic("nic-c", "subnet-c", "10.88.61.13", "router-c", "group-router"),
		nic("nic-db0", "subnet-a", "10.88.60.20", "db", "group-web", "group-default"),
		nic("nic-db1", "subnet-a", "10.88.60.21", "db", "group-web"),
		nic("nic-spare", "subnet-a", "10.88.60.30", "spare", "group-default"),
		`assign_private_ip_addresses ` +
			`{"NetworkInterfaceId":"@nic-b","PrivateIpAddresses":["10.88.60.100"]}`,
		instance("router-a", "t3.medium", "nic-a"), instance("router-b", "t3.medium", "nic-b"),
		instance("router-c", "m5.large", "nic-c"), instance("db", "t3.small", "nic-db0", "nic-db1"),
		`modify_network_interface_attribute ` +
			`{"NetworkInterfaceId":"@nic-c","SourceDestCheck":{"Value":false}}`,
		`attachment-db0 = describe_network_interfaces {"NetworkInterfaceIds":["@nic-db0"]} | ` +
			`NetworkInterfaces[0].Attachment.AttachmentId`,
		`attachment-db1 = describe_network_interfaces {"NetworkInterfaceIds":["@nic-db1"]} | ` +
			`NetworkInterfaces[0].Attachment.AttachmentId`,
		`gateway = create_internet_gateway {` + named("internet-gateway", "lab") +
			`} | InternetGateway.InternetGatewayId`,
		`attach_internet_gateway {"VpcId":"@vpc","InternetGatewayId":"@gateway"}`,
		`table-main = describe_route_tables {"Filters":[{"Name":"vpc-id","Values":["@vpc"]}]} | ` +
			`RouteTables[0].RouteTableId`,
		`create_tags {"Resources":["@table-main"],"Tags":[{"Key":"Name","Value":"lab-main"}]}`,
		`create_route ` +
			`{"RouteTableId":"@table-main","DestinationCidrBlock":"0.0.0.0/0","GatewayId":"@gateway"}`,
		`table-a = create_route_table {"VpcId":"@vpc",` + named("route-table", "lab-a") +
			`} | RouteTable.RouteTableId`,
		`associate_route_table {"SubnetId":"@subnet-a","RouteTableId":"@table-a"}`,
		`create_route ` +
			`{"RouteTableId":"@table-a","DestinationCidrBlock":"0.0.0.0/0","GatewayId":"@gateway"}`,
		`create_route ` +
			`{"RouteTableId":"@table-a","DestinationCidrBlock":"10.99.0.0/24",` +
			`"NetworkInterfaceId":"@nic-a"}`,
	}
}()

// fresh makes the lab anew.
func (p *place) fresh(t *testing.T) *world {
	t.Helper()
	w := &world{place: p, ids: map[string]string{}}
	if p.name != moto {
		p.control(t, http.MethodPost, "/_sim/reset", "", nil)
		maps.Copy(w.ids, labHere)
		return w
	}
	p.control(t, http.MethodPost, "/moto-api/reset", "", nil)
	for _, line := range labThere {
		role, call, named := strings.Cut(line, " = ")
		if !named {
			call = line
		}
		v := w.do(t, call)
		if v.OK == nil {
			t.Fatalf("cannot make the lab at moto: %s: %s", call, v)
		}
		if named {
			var id string
			if err := json.Unmarshal(v.OK, &id); err != nil {
				t.Fatalf("cannot make the lab at moto: %s: %v", call, err)
			}
			w.ids[role] = id
		}
	}
	return w
}

// bench is a place with a lab that serves one test after the other, for as long as each leaves it
// as it was.
type bench struct {
	*place
	world *world
	seen  seen
}

func newBench(t *testing.T, start func() (*place, error)) *bench {
	t.Helper()
	return &bench{place: own(t, start)}
}

// lab returns a lab as it is at first, and what there is to see of it.
func (b *bench) lab(t *testing.T) (*world, seen) {
	t.Helper()
	if b.world == nil {
		b.world = b.fresh(t)
		b.seen = b.world.look(t)
	}
	return b.world, b.seen
}

// left returns what the lab looks like when a test is done with it.
func (b *bench) left(t *testing.T) seen {
	t.Helper()
	now := b.world.look(t)
	if now.since(b.seen) != "" {
		b.world = nil
	}
	return now
}

var roleForm = regexp.MustCompile(`@[a-z][a-z0-9-]+`)

// resolve puts ids in the place of @roles.
func (w *world) resolve(t *testing.T, text string) string {
	t.Helper()
	return roleForm.ReplaceAllStringFunc(text, func(role string) string {
		id, ok := w.ids[role[1:]]
		if !ok {
			t.Fatalf("%s: there is no role %s", text, role)
		}
		return id
	})
}

// roles puts roles in the place of ids.
func (w *world) roles(text string) string {
	var pairs []string
	for role, id := range w.ids {
		pairs = append(pairs, id, role)
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

// do has the judge make a call in the notation.
func (w *world) do(t *testing.T, call string) verdict {
	t.Helper()
	q, err := parseCall(w.resolve(t, call))
	if err != nil {
		t.Fatal(err)
	}
	return w.judge.ask(t, q)
}

// tell is the verdict as a want has it.
func (w *world) tell(v verdict) string { return w.roles(v.String()) }

// facts is what is so, one fact a line: the thing's role and what is true of it.
type facts map[string]bool

// seen is the world as boto3 sees it.
type seen struct {
	facts facts
	// whole is every answer in full.
	whole string
	// broken is a moto that cannot answer any more, after something that it should have refused.
	broken bool
}

// look has the judge describe everything.
func (w *world) look(t *testing.T) seen {
	t.Helper()
	s := seen{facts: facts{}}
	var nics []nicSeen
	var instances []instanceSeen
	var tables []tableSeen
	const mine = ` {"Filters":[{"Name":"vpc-id","Values":["@vpc"]}]} | `
	w.describe(t, &s, "describe_network_interfaces"+mine+
		"sort_by(NetworkInterfaces,&NetworkInterfaceId)", &nics)
	w.describe(t, &s, "describe_instances"+mine+"sort_by(Reservations[].Instances[],&InstanceId)",
		&instances)
	w.describe(t, &s, "describe_route_tables"+mine+"sort_by(RouteTables,&RouteTableId)", &tables)
	w.describe(t, &s, "describe_security_groups"+mine+"sort_by(SecurityGroups,&GroupId)", nil)
	w.describe(t, &s, "describe_subnets"+mine+"sort_by(Subnets,&SubnetId)", nil)
	for _, n := range nics {
		n.tell(s.facts)
	}
	for _, i := range instances {
		i.tell(s.facts)
	}
	for _, r := range tables {
		r.tell(s.facts)
	}
	return s
}

// settle waits until no instance and no interface is on its way from one state to another.
func (w *world) settle(t *testing.T) {
	t.Helper()
	const (
		instances = `describe_instances ` +
			`{"Filters":[{"Name":"instance-state-name","Values":["stopping","pending",` +
			`"shutting-down"]}]} | Reservations[]`
		interfaces = "describe_network_interfaces {} | NetworkInterfaces[?ends_with(Status,'taching')]"
	)
	for end := time.Now().Add(time.Minute); time.Now().Before(end); {
		if string(w.do(t, instances).OK) == "[]" && string(w.do(t, interfaces).OK) == "[]" {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal("instances or interfaces do not come to rest")
}

func (w *world) describe(t *testing.T, s *seen, call string, into any) {
	t.Helper()
	v := w.do(t, call)
	switch {
	case v.OK == nil && w.name == moto:
		s.broken = true
		return
	case v.OK == nil:
		t.Fatalf("%s: %s", call, v)
	}
	text := w.roles(string(v.OK))
	s.whole += text + "\n"
	if into == nil {
		return
	}
	if err := json.Unmarshal([]byte(text), into); err != nil {
		t.Fatalf("%s: %v\n%s", call, err, text)
	}
}

// untold is a difference that the facts of a world do not have.
const untold = "something no fact tells"

// since tells what is different from an earlier look.
func (s seen) since(before seen) string {
	if s.broken {
		return "it cannot be described any more"
	}
	var changes []string
	for _, f := range slices.Sorted(maps.Keys(before.facts)) {
		if !s.facts[f] {
			changes = append(changes, "-"+f)
		}
	}
	for _, f := range slices.Sorted(maps.Keys(s.facts)) {
		if !before.facts[f] {
			changes = append(changes, "+"+f)
		}
	}
	if changes == nil && s.whole != before.whole {
		return untold
	}
	return strings.Join(changes, ", ")
}

func (f facts) add(thing, format string, args ...any) {
	f[thing+" "+fmt.Sprintf(format, args...)] = true
}

// tags adds tags; those of a fence hold its time, which is another one each time.
func (f facts) tags(thing string, tags []tagSeen) {
	for _, tag := range tags {
		switch {
		case strings.HasPrefix(tag.Key, "Original_SG_Backup_"):
			f.add(thing, "tag of a fence's backup %s", tag.Key[strings.LastIndex(tag.Key, "_")-1:])
		case tag.Key == "lastfence":
			f.add(thing, "tag lastfence")
		default:
			f.add(thing, "tag %s=%s", tag.Key, tag.Value)
		}
	}
}

type tagSeen struct{ Key, Value string }

type groupSeen struct{ GroupId string }

type nicSeen struct {
	NetworkInterfaceId, Description, Status, VpcId, SubnetId, PrivateIpAddress string
	SourceDestCheck                                                            *bool
	Groups                                                                     []groupSeen
	TagSet                                                                     []tagSeen
	PrivateIpAddresses                                                         []struct {
		PrivateIpAddress string
		Primary          bool
	}
	Ipv6Addresses []struct{ Ipv6Address string }
	Attachment    *struct {
		InstanceId, Status  string
		DeviceIndex         int
		DeleteOnTermination bool
	}
}

func (n nicSeen) tell(f facts) {
	id := n.NetworkInterfaceId
	for _, a := range n.PrivateIpAddresses {
		if a.Primary {
			f.add(id, "%s primary", a.PrivateIpAddress)
		} else {
			f.add(id, "%s", a.PrivateIpAddress)
		}
	}
	for _, a := range n.Ipv6Addresses {
		f.add(id, "%s", a.Ipv6Address)
	}
	switch {
	case n.SourceDestCheck == nil:
		f.add(id, "says nothing of its check")
	case *n.SourceDestCheck:
		f.add(id, "check")
	default:
		f.add(id, "forwards")
	}
	for _, g := range n.Groups {
		f.add(id, "%s", g.GroupId)
	}
	f.tags(id, n.TagSet)
	f.add(id, "description %q", n.Description)
	f.add(id, "%s in %s of %s", n.Status, n.SubnetId, n.VpcId)
	if a := n.Attachment; a != nil {
		f.add(id, "%s to %s at %d", a.Status, a.InstanceId, a.DeviceIndex)
		f.add(id, "deleted on termination: %t", a.DeleteOnTermination)
	}
}

type instanceSeen struct {
	InstanceId, InstanceType string
	State                    struct{ Name string }
	Tags                     []tagSeen
}

func (i instanceSeen) tell(f facts) {
	f.add(i.InstanceId, "%s", i.InstanceType)
	f.add(i.InstanceId, "%s", i.State.Name)
	f.tags(i.InstanceId, i.Tags)
}

type tableSeen struct {
	RouteTableId string
	Tags         []tagSeen
	Associations []struct {
		Main     bool
		SubnetId string
	}
	Routes []struct {
		DestinationCidrBlock, DestinationIpv6CidrBlock, GatewayId, NetworkInterfaceId, InstanceId,
		NatGatewayId string
		State string
	}
}

func (r tableSeen) tell(f facts) {
	for _, route := range r.Routes {
		f.add(r.RouteTableId, "%s to %s", route.DestinationCidrBlock+route.DestinationIpv6CidrBlock,
			route.GatewayId+route.NetworkInterfaceId+route.NatGatewayId)
	}
	for _, a := range r.Associations {
		if a.Main {
			f.add(r.RouteTableId, "is the main one")
		} else {
			f.add(r.RouteTableId, "of %s", a.SubnetId)
		}
	}
	f.tags(r.RouteTableId, r.Tags)
}
