package lifecycle

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
)

const head = `apiVersion: lifecycle.routerd.net/v1alpha1
kind: LifecycleConfiguration
metadata: {name: edge}
spec:
  state: {table: edge}
  groups:
`

const subnetA, subnetB = "subnet-0000000000000000a", "subnet-0000000000000000b"

const full = head + `  - name: edge
    account: "111122223333"
    region: eu-west-1
    maxSize: 1
    hooks: {launch: edge-launch, terminate: edge-terminate}
    expiredHook: undo
    patience: 90s
    interfaces:
    - deviceIndex: 2
      name: inside
      subnets: {eu-west-1a: ` + subnetA + `}
      securityGroups: [sg-0000000000000000a, sg-0000000000000000b]
      privateAddresses: [10.0.0.9/32]
      description: inside
      sourceDestCheck: false
      deleteOnTermination: false
      required: false
      publicAddress: {allocation: eipalloc-0000000000000000a, required: false}
    - deviceIndex: 1
      subnets: {eu-west-1a: ` + subnetA + `, eu-west-1b: ` + subnetB + `}
      securityGroups: [sg-0000000000000000a]
      publicAddress: {pool: amazon}
    tags: {Name: "edge-{instance}"}
    tagsRequired: false
    protection: primary
    license: {pool: edge, source: /licences/, outOfStock: continue, required: false}
    appliance: {driver: fortigate, parameters: {port: "8443"}, timeout: 20m, required: false}
    members: {deviceIndex: 1}
`

func TestReadConfiguration(t *testing.T) {
	t.Parallel()
	got, err := ReadConfiguration([]byte(full))
	if err != nil {
		t.Fatal(err)
	}
	want := &Configuration{Name: "edge", Table: "edge", Groups: []Group{{
		Name: "edge", Account: "111122223333", Region: "eu-west-1", MaxSize: 1,
		LaunchHook: "edge-launch", TerminateHook: "edge-terminate", ExpiredHook: UndoExpired,
		Patience: 90 * time.Second,
		Interfaces: []Interface{
			{Index: 1, Subnets: map[string]string{"eu-west-1a": subnetA, "eu-west-1b": subnetB},
				SecurityGroups:  []string{"sg-0000000000000000a"},
				SourceDestCheck: true, DeleteOnTermination: true, Required: true,
				Public: &PublicAddress{Pool: AmazonPool, Required: true}},
			{Index: 2, Name: "inside", Subnets: map[string]string{"eu-west-1a": subnetA},
				SecurityGroups: []string{"sg-0000000000000000a", "sg-0000000000000000b"},
				Addresses:      []string{"10.0.0.9"}, Description: "inside",
				Public: &PublicAddress{Allocation: "eipalloc-0000000000000000a"}},
		},
		Tags: map[string]string{"Name": "edge-{instance}"}, Protection: ProtectPrimary,
		License: &License{Pool: "edge", Source: "/licences/", OutOfStock: GoOn},
		Appliance: &Appliance{Driver: "fortigate", Parameters: map[string]string{"port": "8443"},
			Timeout: 20 * time.Minute},
		Members: &Members{Index: 1},
	}}}
	if d := cmp.Diff(want, got, cmp.AllowUnexported(Group{}, Interface{})); d != "" {
		t.Error(d)
	}
}

// least is the group that says the least.
const least = head + `  - {name: "edge-*", account: "111122223333", region: eu-west-1}
`

func TestReadConfigurationDefaults(t *testing.T) {
	t.Parallel()
	got, err := ReadConfiguration([]byte(least))
	if err != nil {
		t.Fatal(err)
	}
	want := Group{Name: "edge-*", Account: "111122223333", Region: "eu-west-1", ExpiredHook: Finish,
		Patience: 5 * time.Minute, TagsRequired: true, Protection: ProtectNever}
	if d := cmp.Diff(want, got.Groups[0], cmp.AllowUnexported(Group{}, Interface{})); d != "" {
		t.Error(d)
	}
}

// group is a configuration with one group, to which something is added.
func group(more string) string {
	return head + `  - name: edge
    account: "111122223333"
    region: eu-west-1
` + more
}

// moduleGroup is one with the interfaces of the Terraform module.
func moduleGroup(more string) string { return group("    network_interfaces:\n" + more) }

// TestModuleInterfaces reads the form of the Terraform module.
func TestModuleInterfaces(t *testing.T) {
	t.Parallel()
	const body = `{"internal": {"device_index": 1, "subnet_id_map": {"eu-west-1a": "` + subnetA + `"},
 "security_groups": ["sg-0000000000000000a"], "vdom": "FG-traffic", "to_gwlb": true,
 "description": null, "private_ips": null, "enable_public_ip": false, "public_ipv4_pool": null,
 "existing_eip_id": null, "mgmt_intf": null, "source_dest_check": null},
 "mgmt": {"device_index": "2", "subnet_id_map": {"eu-west-1a": "` + subnetB + `"},
 "security_groups": ["sg-0000000000000000a"], "enable_public_ip": true, "source_dest_check": true}}`
	want := []Interface{
		{Name: "internal", Index: 1, Subnets: map[string]string{"eu-west-1a": subnetA},
			SecurityGroups: []string{"sg-0000000000000000a"}, Domain: "FG-traffic", Tunnel: true,
			DeleteOnTermination: true, Required: true},
		{Name: "mgmt", Index: 2, Subnets: map[string]string{"eu-west-1a": subnetB},
			SecurityGroups:  []string{"sg-0000000000000000a", "sg-0000000000000000c"},
			SourceDestCheck: true, DeleteOnTermination: true, Required: true,
			Public: &PublicAddress{Pool: AmazonPool, Required: true}},
	}
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	for _, index := range []string{`"2"`, "2"} {
		for name, value := range map[string]string{"an object": body, "a text": string(text)} {
			t.Run("L11 "+name+", index "+index, func(t *testing.T) {
				got, err := ReadConfiguration([]byte(group("    network_interfaces: " + value +
					"\n    mgmt_intf_index: " + index + "\n    sg_allow_lambda: sg-0000000000000000c\n")))
				if err != nil {
					t.Fatal(err)
				}
				if d := cmp.Diff(want, got.Groups[0].Interfaces,
					cmp.AllowUnexported(Interface{})); d != "" {
					t.Error(d)
				}
			})
		}
	}
}

// moduleNIC is one interface of the module's form, with more of it.
func moduleNIC(more string) string {
	return `      a: {device_index: 1, subnet_id_map: {eu-west-1a: ` + subnetA +
		`}, security_groups: [sg-0000000000000000a]` + more + "}\n"
}

// TestL13AnExistingAddressIsTaken: an existing Elastic IP counts whether enable_public_ip is there
// or not.
func TestL13AnExistingAddressIsTaken(t *testing.T) {
	t.Parallel()
	for _, more := range []string{"", ", enable_public_ip: false", ", enable_public_ip: true"} {
		got, err := ReadConfiguration([]byte(moduleGroup(moduleNIC(
			", existing_eip_id: eipalloc-0000000000000000a"+more)) + "    maxSize: 1\n"))
		if err != nil {
			t.Fatal(err)
		}
		want := &PublicAddress{Allocation: "eipalloc-0000000000000000a", Required: true}
		if d := cmp.Diff(want, got.Groups[0].Interfaces[0].Public); d != "" {
			t.Errorf("%q: %s", more, d)
		}
	}
}

// TestL14InterfacesForward: the module documents that source_dest_check is false unless it is said.
func TestL14InterfacesForward(t *testing.T) {
	t.Parallel()
	for more, want := range map[string]bool{"": false, ", source_dest_check: false": false,
		", source_dest_check: true": true} {
		got, err := ReadConfiguration([]byte(moduleGroup(moduleNIC(more))))
		if err != nil {
			t.Fatal(err)
		}
		steps := got.Groups[0].Resources(Event{}, Instance{ID: someInstance, Zone: "eu-west-1a"})
		if check := steps[0].Parameters["sourceDestCheck"] == "true"; check != want {
			t.Errorf("%q: %v", more, check)
		}
	}
}

// TestConfigurationFaults: each fault is named, and several are named at once.
func TestConfigurationFaults(t *testing.T) {
	t.Parallel()
	nic := func(more string) string {
		return group("    interfaces:\n    - {deviceIndex: 1, subnets: {eu-west-1a: " + subnetA +
			"}, securityGroups: [sg-0000000000000000a]" + more + "}\n")
	}
	fixed := nic(", privateAddresses: [10.0.0.9]")
	for _, c := range []struct {
		name, text string
		want       []string
	}{
		{"nothing", "", []string{"there is no document"}},
		{"several at once", head + "  - {name: 1, account: 1, region: x, more: 1, interfaces: []}\n",
			[]string{"name: is a number", "account: is a number", `region: is "x"`,
				"more: is unknown", "interfaces: is an empty list"}},
		{"no state", strings.Replace(least, "{table: edge}", "{}", 1), []string{"neither"}},
		{"both states", strings.Replace(least, "{table: edge}", "{table: e, directory: /x}", 1),
			[]string{"both"}},
		{"a relative directory", strings.Replace(least, "{table: edge}", "{directory: x}", 1),
			[]string{"absolute path"}},
		{"null", strings.Replace(least, "{table: edge}", "{table: null}", 1), []string{"is null"}},
		{"an account without quotes", strings.Replace(least, `"111122223333"`, "111122223333", 1),
			[]string{"put it in quotes"}},
		{"L22 fixed addresses in a group without a size", fixed, []string{"maxSize: 1"}},
		{"L22 fixed addresses in a group of two", fixed + "    maxSize: 2\n", []string{"maxSize: 1"}},
		{"L22 fixed addresses in many groups", strings.Replace(fixed+"    maxSize: 1\n",
			"name: edge\n    acc", "name: edge*\n    acc", 1), []string{"several groups"}},
		{"L22 an existing Elastic IP in a group of two", nic(
			", publicAddress: {allocation: eipalloc-0000000000000000a}") + "    maxSize: 2\n",
			[]string{"existing Elastic IP"}},
		{"L22 in the module's form", moduleGroup(moduleNIC(", private_ips: [10.0.0.9]")),
			[]string{"maxSize: 1"}},
		{"a fixed address in two zones", strings.Replace(fixed, "{eu-west-1a: "+subnetA+"}",
			"{eu-west-1a: "+subnetA+", eu-west-1b: "+subnetB+"}", 1) + "    maxSize: 1\n",
			[]string{"name that zone alone"}},
		{"one index twice", nic("") + "    - {deviceIndex: 1, subnets: {eu-west-1a: " + subnetA +
			"}, securityGroups: [sg-0000000000000000a]}\n", []string{"two interfaces"}},
		{"no subnet and no group", group("    interfaces: [{deviceIndex: 1}]\n"),
			[]string{"has no subnet"}},
		{"no security group", group("    interfaces: [{deviceIndex: 1, subnets: {eu-west-1a: " + subnetA +
			"}}]\n"), []string{"has no security group"}},
		{"both addresses", nic(", publicAddress: {pool: amazon, allocation: "+
			"eipalloc-0000000000000000a}") + "    maxSize: 1\n", []string{"names both"}},
		{"no address", nic(", publicAddress: {required: true}"), []string{"names neither"}},
		{"another pool", nic(", publicAddress: {pool: ours}"), []string{"ipv4pool-ec2-"}},
		{"both forms", nic("") + "    network_interfaces: {}\n", []string{"both interfaces and"}},
		{"the module's variables alone", group("    mgmt_intf_index: 1\n"), []string{"alone"}},
		{"a group for no interface", moduleGroup(moduleNIC("")) +
			"    sg_allow_lambda: sg-0000000000000000c\n", []string{"none is named"}},
		{"the module's pool alone", moduleGroup(moduleNIC(", public_ipv4_pool: amazon")),
			[]string{"enable_public_ip"}},
		{"a text that is no JSON", group("    network_interfaces: \"{\"\n"),
			[]string{"no object in JSON"}},
		{"a text that is a list", group("    network_interfaces: \"[]\"\n"),
			[]string{"the text of a list"}},
		{"an index that is none", group("    network_interfaces: {a: {device_index: \"x\"}}\n"),
			[]string{"want a device index"}},
		{"a placeholder of nothing", group("    tags: {a: \"{zone}\"}\n"), []string{"{zone}"}},
		{"an appliance's placeholder of nothing", group(
			"    appliance: {driver: hook, parameters: {port: \"{x}\"}}\n"), []string{"{x}"}},
		{"a primary without members", group("    protection: primary\n"), []string{"no members"}},
		{"members by an interface that is not there", group("    members: {deviceIndex: 3}\n"),
			[]string{"no such interface"}},
		{"licences without a table", strings.Replace(group("    license: {pool: p, source: /l/}\n"),
			"{table: edge}", "{directory: /x}", 1), []string{"the pool", "kept in a table alone"}},
		{"no patience", group("    patience: 0s\n"), []string{"above 0"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := ReadConfiguration([]byte(c.text))
			if err == nil {
				t.Fatal("it is taken")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q is missing in:\n%v", want, err)
				}
			}
		})
	}
}

// TestSchema: the schema takes what is read, and refuses what the fields alone refuse.
func TestSchema(t *testing.T) {
	t.Parallel()
	raw, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("configuration", raw); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("configuration")
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		name, text string
		good       bool
	}{
		{"all", full, true},
		{"the least", least, true},
		{"the module's form", moduleGroup(moduleNIC("")), true},
		{"an unknown field", group("    more: 1\n"), false},
		{"no region", strings.Replace(least, ", region: eu-west-1", "", 1), false},
		{"a number for a text", strings.Replace(least, `"111122223333"`, "111122223333", 1), false},
		{"another word", group("    protection: some\n"), false},
	} {
		t.Run(x.name, func(t *testing.T) {
			var v any
			if err := yaml.Unmarshal([]byte(x.text), &v); err != nil {
				t.Fatal(err)
			}
			_, readErr := ReadConfiguration([]byte(x.text))
			if err := schema.Validate(v); (err == nil) != x.good || (readErr == nil) != x.good {
				t.Errorf("the schema: %v; the reader: %v", err, readErr)
			}
		})
	}
}
