package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"aws-provider-executor/pkg/ec2sim"
	"aws-provider-executor/pkg/ec2sim/appliancesim"
	"aws-provider-executor/pkg/ec2sim/dynamosim"
	"aws-provider-executor/pkg/lifecycle"
)

// The network of the fleet. Addresses of its first subnet are this host's: appliances are managed
// there. Members know each other by addresses of the second one.
const (
	fleetVPC    = "vpc-0f1ee700000000000"
	fleetSubnet = "subnet-0f1ee700000000000"
	fleetInside = "subnet-0f1ee700000000001"
	fleetGroup  = "sg-0f1ee700000000001"
	fleetTable  = "edge"
	password    = "Long & safe 9"
)

// fleetConfiguration is that of a group of licensed appliances with a primary. PORT stands for the
// port that they are managed at, DIR for where secrets and licences are.
const fleetConfiguration = `apiVersion: lifecycle.routerd.net/v1alpha1
kind: LifecycleConfiguration
metadata: {name: fleet}
spec:
  state: {table: "arn:aws:dynamodb:` + ec2sim.LabRegion + `:` + ec2sim.DefaultOwner + `:table/` +
	fleetTable + `"}
  groups:
  - name: edge
    account: "` + ec2sim.DefaultOwner + `"
    region: ` + ec2sim.LabRegion + `
    hooks: {launch: edge-launch, terminate: edge-terminate}
    patience: 3s
    interfaces:
    - deviceIndex: 1
      subnets: {ap-northeast-1a: ` + fleetInside + `}
      securityGroups: [` + fleetGroup + `]
    members: {deviceIndex: 1}
    protection: primary
    license: {pool: edge, source: "DIR/licences/"}
    appliance:
      driver: fortigate
      timeout: 30s
      parameters:
        port: "PORT"
        tlsServerName: appliance.example
        adminSecretRef: "file:DIR/admin"
        syncInterface: port1
        syncSecretRef: "file:DIR/sync"
`

// fleet is a lab whose instances are appliances with licences, and whose handlers share a table.
type fleet struct {
	*lab
	table *dynamosim.Sim
	// appliances are by their instances.
	appliances map[string]*appliancesim.Appliance
}

// newFleet makes a fleet of so many instances that wait, and so many licences. Edit changes the
// text of the configuration.
func newFleet(t *testing.T, instances, licences int, edit ...string) *fleet {
	t.Helper()
	l := newLabIn(t, fleetSubnet, func(r *ec2sim.Region) {
		r.AddVPC(ec2sim.VPC{ID: fleetVPC, CIDR: "127.88.0.0/16",
			MoreCIDRs: []string{"10.89.0.0/24"}})
		r.AddSubnet(ec2sim.Subnet{ID: fleetSubnet, VPCID: fleetVPC, CIDR: "127.88.60.0/24",
			AvailabilityZone: ec2sim.LabRegion + "a"})
		r.AddSubnet(ec2sim.Subnet{ID: fleetInside, VPCID: fleetVPC, CIDR: "10.89.0.0/24",
			AvailabilityZone: ec2sim.LabRegion + "a"})
		r.AddSecurityGroup(ec2sim.SecurityGroup{ID: fleetGroup, VPCID: fleetVPC, Name: "fleet"})
	})
	f := &fleet{lab: l, table: dynamosim.New(fleetTable),
		appliances: map[string]*appliancesim.Appliance{}}
	l.region().EditScalingGroup(groupName, func(g *ec2sim.ScalingGroup) {
		g.DesiredCapacity = instances
	})
	var authorities, port = "", "0"
	for i := range instances {
		id := l.member(i).InstanceID
		a, err := appliancesim.Start(appliancesim.Options{Instance: id, Restart: 1,
			Listen: f.address(id, 0) + ":" + port})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(a.Close)
		f.appliances[id] = a
		authorities, port = authorities+string(a.CA()), fmt.Sprint(a.Address().Port())
	}
	if err := os.Mkdir(filepath.Join(l.dir, "licences"), 0o700); err != nil {
		t.Fatal(err)
	}
	for i := range licences {
		l.file(fmt.Sprintf("licences/%d.lic", i), fmt.Sprintf("LICENCE %d", i))
	}
	l.file("admin", password)
	l.file("sync", "shared & safe 9")
	text := strings.NewReplacer(edit...).Replace(fleetConfiguration)
	l.configuration = l.file("lifecycle.yaml",
		strings.NewReplacer("PORT", port, "DIR", l.dir).Replace(text))
	l.policy = l.file("policy.yaml", strings.NewReplacer("allowedProviders: [aws]",
		"allowedProviders: [aws, appliance]", "pools: [amazon]", "pools: [edge]").Replace(labPolicy))
	server := httptest.NewServer(f.table)
	t.Cleanup(server.Close)
	l.env = []string{"AWS_ENDPOINT_URL_DYNAMODB=" + server.URL,
		"APPLIANCE_CA_FILE=" + l.file("ca.pem", authorities)}
	return f
}

// address is the address of an instance's interface at a device index.
func (f *fleet) address(instance string, index int) string {
	f.Helper()
	for _, i := range f.region().State().Interfaces {
		if a := i.Attachment; a != nil && a.InstanceID == instance && a.DeviceIndex == index {
			return i.Primary()
		}
	}
	f.Fatalf("%s has no interface %d", instance, index)
	return ""
}

// on runs the program as on another machine, whose journal is its own.
func (f *fleet) on(machine, stdin string, args ...string) ended {
	f.Helper()
	cmd := f.command(stdin, args...)
	cmd.Env = append(cmd.Env, "STATE_DIRECTORY="+filepath.Join(f.dir, machine))
	return f.wait(cmd)
}

// handles has a machine handle the event of an instance, and wants an outcome with nothing left.
func (f *fleet) handles(machine, instance string, want lifecycle.Outcome) ended {
	f.Helper()
	e := f.on(machine, f.event(f.place(instance)), "handle")
	if e.Outcome != want || len(e.Left) > 0 {
		f.Errorf("%s: exit %d, %q, want %q\n%s\n%s", instance, e.code, e.Outcome, want, e.stdout,
			e.stderr)
	}
	return e
}

// place is the place of an instance in the group.
func (f *fleet) place(instance string) int {
	f.Helper()
	return slices.IndexFunc(f.region().ScalingGroup(groupName).Instances,
		func(m ec2sim.ScalingMember) bool { return m.InstanceID == instance })
}

// licensed are the instances that have a licence, as the table says.
func (f *fleet) licensed() []string {
	var all []string
	for _, i := range f.table.Items() {
		partition, _ := i["pk"]["S"].(string)
		sort, _ := i["sk"]["S"].(string)
		data, _ := i["record"]["B"].(string)
		var r struct{ Holder string }
		record, _ := base64.StdEncoding.DecodeString(data)
		_ = json.Unmarshal(record, &r)
		if partition == "license/edge" && strings.HasPrefix(sort, "id/") && r.Holder != "" {
			all = append(all, r.Holder)
		}
	}
	slices.Sort(all)
	return all
}

// wantLicensed holds which instances have a licence.
func (f *fleet) wantLicensed(instances ...string) {
	f.Helper()
	slices.Sort(instances)
	if got := f.licensed(); !slices.Equal(got, instances) {
		f.Errorf("licensed are %v, want %v", got, instances)
	}
}

// wantRole holds the role that an appliance itself shows.
func (f *fleet) wantRole(instance, role, primary string) {
	f.Helper()
	shown, _ := f.appliances[instance].Object("system/auto-scale").(map[string]string)
	if shown["status"] != "enable" || shown["role"] != role ||
		primary != "" && shown["primary-ip"] != primary {
		f.Errorf("%s shows %v, want the role %s, following %q", instance, maps.Clone(shown), role,
			primary)
	}
}

// wantPrimary holds that an instance is the primary, confirmed, and alone protected.
func (f *fleet) wantPrimary(instance string, members int) {
	f.Helper()
	e := f.on("a", "", "members", "edge")
	var g group
	if err := json.Unmarshal([]byte(e.stdout), &g); err != nil {
		f.Fatalf("%v: %s\n%s", err, e.stdout, e.stderr)
	}
	if g.Primary == nil || g.Primary.Instance != instance || !g.Primary.Confirmed ||
		len(g.Members) != members {
		f.Errorf("%s, want the primary %s of %d", e.stdout, instance, members)
	}
	f.onlyProtected(instance)
}

// ids are the instances of the group.
func (f *fleet) ids() (all []string) {
	for _, m := range f.region().ScalingGroup(groupName).Instances {
		all = append(all, m.InstanceID)
	}
	return all
}

// TestSharedTable is the life of a group whose events two machines handle, each with a journal of
// its own. The table alone is shared.
func TestSharedTable(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 3, 3)
	ids := f.ids()
	first := ids[0]
	f.handles("a", first, lifecycle.WentOn)
	f.wantLicensed(first)
	f.wantRole(first, "primary", "")
	f.wantPrimary(first, 1)
	if a := f.appliances[first]; !a.HasPassword(password) ||
		!strings.HasPrefix(a.License(), "LICENCE ") {
		t.Errorf("the appliance has the licence %q", a.License())
	}

	var wait sync.WaitGroup
	for i, machine := range []string{"a", "b"} {
		wait.Go(func() { f.handles(machine, ids[i+1], lifecycle.WentOn) })
	}
	wait.Wait()
	f.wantLicensed(ids...)
	f.want(3, "InService", "InService", "InService")
	for _, id := range ids[1:] {
		f.wantRole(id, "secondary", f.address(first, 1))
	}
	f.wantPrimary(first, 3)

	// The primary goes, and another machine than that of its launch handles it.
	f.terminate(first)
	e := f.on("c", f.event(f.place(first)), "handle", "--dry-run")
	var would []string
	for _, d := range e.Undone {
		would = append(would, d.Step+" "+string(d.Verdict))
	}
	if slices.Sort(would); !slices.Equal(would, []string{"interface:1 would", "license would"}) {
		t.Errorf("it would undo %q\n%s\n%s", would, e.stdout, e.stderr)
	}
	f.wantLicensed(ids...)
	f.handles("b", first, lifecycle.Cleared)
	f.wantLicensed(ids[1:]...)
	next, other := ids[1], ids[2]
	if f.protected(other) {
		next, other = other, next
	}
	f.wantRole(next, "primary", "")
	f.wantRole(other, "secondary", f.address(next, 1))
	f.wantPrimary(next, 2)
	f.want(2, "InService", "InService")
}

// protected reports whether scale-in spares an instance.
func (f *fleet) protected(instance string) bool {
	f.Helper()
	return f.member(f.place(instance)).Protected
}

// terminate has the group terminate an instance, and replace it by none.
func (f *fleet) terminate(instance string) {
	f.Helper()
	f.region().EditScalingGroup(groupName, func(g *ec2sim.ScalingGroup) {
		for i := range g.Instances {
			g.Instances[i].Protected = g.Instances[i].InstanceID != instance
		}
		g.DesiredCapacity--
	})
	f.region().EditScalingGroup(groupName, func(g *ec2sim.ScalingGroup) {
		for i := range g.Instances {
			g.Instances[i].Protected = false
		}
	})
}

// TestOutOfStock: without a licence that is free a launch is abandoned, or goes on, as the
// configuration says.
func TestOutOfStock(t *testing.T) {
	t.Parallel()
	t.Run("abandon", func(t *testing.T) {
		t.Parallel()
		f := newFleet(t, 2, 1)
		ids := f.ids()
		f.handles("a", ids[0], lifecycle.WentOn)
		e := f.handles("b", ids[1], lifecycle.GaveUp)
		if !strings.Contains(e.Reason, "license: ") {
			t.Errorf("abandoned for %q", e.Reason)
		}
		f.wantLicensed(ids[0])
		f.want(1, "InService", "Terminating:Wait")
		if c := f.appliances[ids[1]].Counts(); c.Logins+c.Scripts > 0 {
			t.Errorf("its appliance was called: %+v", c)
		}
		f.wantPrimary(ids[0], 1)
	})
	t.Run("continue", func(t *testing.T) {
		t.Parallel()
		f := newFleet(t, 1, 0, "pool: edge,", "pool: edge, outOfStock: continue,",
			"        syncInterface: port1\n        syncSecretRef: \"file:DIR/sync\"\n", "",
			"    members: {deviceIndex: 1}\n    protection: primary\n", "")
		f.handles("a", f.ids()[0], lifecycle.WentOn)
		f.wantLicensed()
		f.want(1, "InService")
	})
}
