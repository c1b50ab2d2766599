package ec2sim_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/pkg/ec2sim"
)

// idPaths are where each Describe shows the ids of what it found.
var idPaths = map[string]string{
	"DescribeNetworkInterfaces": "networkInterfaceSet/item/networkInterfaceId",
	"DescribeInstances":         "reservationSet/item/instancesSet/item/instanceId",
	"DescribeSecurityGroups":    "securityGroupInfo/item/groupId",
	"DescribeSubnets":           "subnetSet/item/subnetId",
	"DescribeVpcs":              "vpcSet/item/vpcId",
	"DescribeRouteTables":       "routeTableSet/item/routeTableId",
	"DescribeTags":              "tagSet/item/resourceId",
	"DescribeRegions":           "regionInfo/item/regionName",
	"DescribeInstanceStatus":    "instanceStatusSet/item/instanceId",
	"DescribeAddresses":         "addressesSet/item/allocationId",
}

// unpaged are the operations without pages.
var unpaged = map[string]bool{"DescribeRegions": true, "DescribeAddresses": true}

func filterParams(n int, name string, values ...string) []string {
	params := []string{fmt.Sprintf("Filter.%d.Name=%s", n, name)}
	for i, v := range values {
		params = append(params, fmt.Sprintf("Filter.%d.Value.%d=%s", n, i+1, v))
	}
	return params
}

func TestFilters(t *testing.T) {
	a, b, c := ec2sim.LabRouterAInterface, ec2sim.LabRouterBInterface, ec2sim.LabRouterCInterface
	db0, db1, spare, managed := ec2sim.LabDBInterface0, ec2sim.LabDBInterface1,
		ec2sim.LabSpareInterface, ec2sim.LabManagedInterface
	const eni = "DescribeNetworkInterfaces"
	tests := []struct {
		name      string
		operation string
		params    []string
		want      []string
	}{
		{"any private address", eni,
			filterParams(1, "addresses.private-ip-address", "10.88.60.100"), []string{b}},
		{"the primary address", eni,
			filterParams(1, "private-ip-address", "10.88.60.100", "10.88.60.12"), []string{b}},
		{"instance", eni, filterParams(1, "attachment.instance-id", ec2sim.LabDB), []string{db0, db1}},
		{"attachment", eni, filterParams(1, "attachment.attachment-id", "eni-attach-01088600000000012"),
			[]string{b}},
		{"attachment status", eni, filterParams(1, "attachment.status", "attached"),
			[]string{a, b, db0, db1, c, managed}},
		{"device index", eni, filterParams(1, "attachment.device-index", "1"), []string{db1}},
		{"group", eni, filterParams(1, "group-id", ec2sim.LabGroupWeb), []string{db0, db1}},
		{"interface", eni, filterParams(1, "network-interface-id", a, "eni-00000000000000000"),
			[]string{a}},
		{"subnet", eni, filterParams(1, "subnet-id", ec2sim.LabSubnetC), []string{c, managed}},
		{"VPC", eni, filterParams(1, "vpc-id", ec2sim.LabOtherVPC), nil},
		{"status", eni, filterParams(1, "status", "available"), []string{spare}},
		{"check", eni, filterParams(1, "source-dest-check", "false"), []string{c}},
		{"requester", eni, filterParams(1, "requester-managed", "true"), []string{managed}},
		{"IPv6", eni, filterParams(1, "ipv6-addresses.ipv6-address", "2001:db8:1088:60::11"),
			[]string{a}},
		{"elastic", eni, filterParams(1, "association.public-ip", ec2sim.LabElasticIP), []string{a}},
		{"MAC", eni, filterParams(1, "mac-address", "06:10:88:60:00:11"), []string{a}},
		{"tag", eni, filterParams(1, "tag:Name", "db"), []string{db0, db1}},
		{"tag is case-sensitive", eni, filterParams(1, "tag:Name", "DB"), nil},
		{"tag key", eni, filterParams(1, "tag-key", "N*"), []string{a, b, db0, db1, spare, c}},
		{"two filters are both", eni,
			append(filterParams(1, "tag:Name", "router-*"),
				filterParams(2, "subnet-id", ec2sim.LabSubnetA)...), []string{a, b}},
		{"one address is not the beginning of another", eni,
			filterParams(1, "addresses.private-ip-address", "10.88.60.1"), nil},
		{"star", eni, filterParams(1, "addresses.private-ip-address", "10.88.60.1*"), []string{a, b}},
		{"question mark", eni, filterParams(1, "tag:Name", "router-?"), []string{a, b, c}},
		{"backslash", eni, filterParams(1, "tag:Name", `router-\*`), nil},
		{"ids and a filter", eni,
			append(filterParams(1, "status", "available"), "NetworkInterfaceId.1="+spare,
				"NetworkInterfaceId.2="+a), []string{spare}},
		{"the same id twice", eni,
			[]string{"NetworkInterfaceId.1=" + a, "NetworkInterfaceId.2=" + a}, []string{a}},

		{"instance by interface", "DescribeInstances",
			filterParams(1, "network-interface.addresses.private-ip-address", "10.88.60.21"),
			[]string{ec2sim.LabDB}},
		{"instance by state", "DescribeInstances",
			filterParams(1, "instance-state-name", "stopped"), nil},
		{"instance by state code", "DescribeInstances",
			append(filterParams(1, "instance-state-code", "16"), filterParams(2, "tag:Name", "db")...),
			[]string{ec2sim.LabDB}},
		{"instance by group name", "DescribeInstances",
			filterParams(1, "network-interface.group-name", "web"), []string{ec2sim.LabDB}},
		{"instance by its check", "DescribeInstances", filterParams(1, "source-dest-check", "false"),
			[]string{ec2sim.LabRouterC}},

		{"group by name", "DescribeSecurityGroups", filterParams(1, "group-name", "fence"),
			[]string{ec2sim.LabGroupFence}},
		{"group by the group of a rule", "DescribeSecurityGroups",
			append(filterParams(1, "ip-permission.group-name", "default"),
				filterParams(2, "vpc-id", ec2sim.LabVPC)...), []string{ec2sim.LabGroupDefault}},
		{"instance by public name", "DescribeInstances",
			filterParams(1, "dns-name", "ec2-203-0-113-11.*"), []string{ec2sim.LabRouterA}},
		{"VPC by pool", "DescribeVpcs",
			filterParams(1, "ipv6-cidr-block-association.ipv6-pool", "Amazon"), []string{ec2sim.LabVPC}},
		{"group by rule", "DescribeSecurityGroups", filterParams(1, "ip-permission.from-port", "443"),
			[]string{ec2sim.LabGroupWeb}},
		{"subnet by block", "DescribeSubnets", filterParams(1, "cidr-block", "10.88.60.0/24"),
			[]string{ec2sim.LabSubnetA}},
		{"subnet by free addresses", "DescribeSubnets",
			filterParams(1, "available-ip-address-count", "249"), []string{ec2sim.LabSubnetC}},
		{"subnet by IPv6 block", "DescribeSubnets",
			filterParams(1, "ipv6-cidr-block-association.ipv6-cidr-block", "2001:db8:*"),
			[]string{ec2sim.LabSubnetA}},
		{"VPC by block", "DescribeVpcs", filterParams(1, "cidr", "10.77.0.0/16"),
			[]string{ec2sim.LabOtherVPC}},
		{"route table by subnet", "DescribeRouteTables",
			filterParams(1, "association.subnet-id", ec2sim.LabSubnetA), []string{ec2sim.LabRouteTable}},
		{"main route tables", "DescribeRouteTables", filterParams(1, "association.main", "true"),
			[]string{"rtb-01077000000000000", ec2sim.LabMainRouteTable}},
		{"route table by destination", "DescribeRouteTables",
			filterParams(1, "route.destination-cidr-block", ec2sim.LabRoute),
			[]string{ec2sim.LabRouteTable}},
		{"route table by instance", "DescribeRouteTables",
			filterParams(1, "route.instance-id", ec2sim.LabRouterA), []string{ec2sim.LabRouteTable}},
		{"tags of a resource", "DescribeTags", filterParams(1, "resource-id", a), []string{a}},
		{"tags of a type", "DescribeTags",
			append(filterParams(1, "resource-type", "instance"), filterParams(2, "tag:Name", "router-a")...),
			[]string{ec2sim.LabRouterA}},
		{"address by interface", "DescribeAddresses", filterParams(1, "network-interface-id", a),
			[]string{ec2sim.LabElasticIPAddress}},
		{"address by instance", "DescribeAddresses", filterParams(1, "instance-id", ec2sim.LabDB), nil},
		{"address by itself", "DescribeAddresses", []string{"PublicIp.1=" + ec2sim.LabElasticIP},
			[]string{ec2sim.LabElasticIPAddress}},
		{"one region", "DescribeRegions", []string{"RegionName.1=us-east-1"}, []string{"us-east-1"}},
		{"regions by endpoint", "DescribeRegions", filterParams(1, "endpoint", "ec2.ap-northeast-1.*"),
			[]string{"ap-northeast-1"}},
	}
	p := lab(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := p.ok(tt.operation, tt.params...).values[idPaths[tt.operation]]
			slices.Sort(got)
			slices.Sort(tt.want)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestDescribeRefusals(t *testing.T) {
	const eni, instances = "DescribeNetworkInterfaces", "DescribeInstances"
	tooMany := filterParams(1, "vpc-id")
	for i := range 201 {
		tooMany = append(tooMany, fmt.Sprintf("Filter.1.Value.%d=vpc-%d", i+1, i))
	}
	var rows []refusal
	for _, operation := range slices.Sorted(func(yield func(string) bool) {
		for op := range idPaths {
			if !yield(op) {
				return
			}
		}
	}) {
		rows = append(rows,
			refusal{"unknown filter of " + operation, operation, filterParams(1, "colour", "red"), 0,
				"InvalidParameterValue", "The filter 'colour' is invalid"},
			refusal{"dry run of " + operation, operation, []string{"DryRun=true"}, 412,
				"DryRunOperation", "Request would have succeeded, but DryRun flag is set."},
			refusal{"unknown parameter of " + operation, operation, []string{"Filters.1.Name=x"}, 0,
				"UnknownParameter", "The parameter Filters.1.Name is not recognized"})
		if unpaged[operation] {
			rows = append(rows, refusal{"page of " + operation, operation, []string{"MaxResults=5"}, 0,
				"UnknownParameter", "The parameter MaxResults is not recognized"})
			continue
		}
		most := 1000
		if operation == "DescribeRouteTables" {
			most = 100
		}
		rows = append(rows,
			refusal{"too small a page of " + operation, operation, []string{"MaxResults=3"}, 0,
				"InvalidParameterValue",
				"Value ( 3 ) for parameter maxResults is invalid. Expecting a value greater than 5."},
			refusal{"too large a page of " + operation, operation, []string{"MaxResults=1001"}, 0,
				"InvalidParameterValue",
				fmt.Sprintf(
					"Value ( 1001 ) for parameter maxResults is invalid. Expecting a value less than %d.", most)},
			refusal{"unknown token of " + operation, operation, []string{"NextToken=abc"}, 0,
				"InvalidNextToken", "The token 'abc' is invalid."})
	}
	rows = append(rows, []refusal{
		{"one of the ids does not exist", eni,
			[]string{"NetworkInterfaceId.1=" + ec2sim.LabRouterAInterface,
				"NetworkInterfaceId.2=eni-0123456789abcdef0"}, 0,
			"InvalidNetworkInterfaceID.NotFound",
			"The networkInterface ID 'eni-0123456789abcdef0' does not exist"},
		{"instance does not exist", instances, []string{"InstanceId.1=i-0123456789abcdef0"}, 0,
			"InvalidInstanceID.NotFound", "The instance ID 'i-0123456789abcdef0' does not exist"},
		{"instances do not exist", instances,
			[]string{"InstanceId.1=i-0123456789abcdef0", "InstanceId.2=i-0123456789abcdef1"}, 0,
			"InvalidInstanceID.NotFound",
			"The instance IDs 'i-0123456789abcdef0, i-0123456789abcdef1' do not exist"},
		{"malformed instance", instances, []string{"InstanceId.1=i-xyz"}, 0,
			"InvalidInstanceID.Malformed", `Invalid id: "i-xyz"`},
		{"group does not exist", "DescribeSecurityGroups", []string{"GroupId.1=sg-12345678"}, 0,
			"InvalidGroup.NotFound", "The security group 'sg-12345678' does not exist"},
		{"group name outside a default VPC", "DescribeSecurityGroups", []string{"GroupName.1=web"}, 0,
			"InvalidGroup.NotFound", "The security group 'web' does not exist"},
		{"subnet does not exist", "DescribeSubnets", []string{"SubnetId.1=subnet-12345678"}, 0,
			"InvalidSubnetID.NotFound", "The subnet ID 'subnet-12345678' does not exist"},
		{"VPC does not exist", "DescribeVpcs", []string{"VpcId.1=vpc-12345678"}, 0,
			"InvalidVpcID.NotFound", "The vpc ID 'vpc-12345678' does not exist"},
		{"malformed VPC", "DescribeVpcs", []string{"VpcId.1=foo"}, 0,
			"InvalidVpcId.Malformed", `Invalid id: "foo" (expecting "vpc-...")`},
		{"route table does not exist", "DescribeRouteTables", []string{"RouteTableId.1=rtb-12345678"}, 0,
			"InvalidRouteTableID.NotFound", "The routeTable ID 'rtb-12345678' does not exist"},
		{"malformed route table", "DescribeRouteTables", []string{"RouteTableId.1=rtb-1"}, 0,
			"InvalidRouteTableId.Malformed", `Invalid id: "rtb-1"`},
		{"unknown region", "DescribeRegions", []string{"RegionName.1=xx-east-1"}, 0,
			"InvalidParameterValue", "Invalid region names: [xx-east-1]"},
		{"filter the stand-in has not", instances, filterParams(1, "host-id", "h-1"), 0,
			"UnsupportedOperation", "ec2sim does not implement the filter host-id."},
		{"address does not exist", "DescribeAddresses", []string{"PublicIp.1=203.0.113.99"}, 0,
			"InvalidAddress.NotFound", "Address '203.0.113.99' not found."},
		{"allocation does not exist", "DescribeAddresses",
			[]string{"AllocationId.1=eipalloc-12345678"}, 0,
			"InvalidAllocationID.NotFound", "The allocation ID 'eipalloc-12345678' does not exist"},
		{"tag keys of tags", "DescribeTags", filterParams(1, "tag-key", "Name"), 0,
			"InvalidParameterValue", "The filter 'tag-key' is invalid"},
		{"page of ids of interfaces", eni,
			[]string{"NetworkInterfaceId.1=" + ec2sim.LabRouterAInterface, "MaxResults=5"}, 0,
			"InvalidParameterCombination",
			"The parameter networkInterfaceIdSet cannot be used with the parameter maxResults"},
		{"page of ids of instances", instances,
			[]string{"InstanceId.1=" + ec2sim.LabDB, "MaxResults=5"}, 0,
			"InvalidParameterCombination",
			"The parameter instancesSet cannot be used with the parameter maxResults"},
		{"too many filter values", eni, tooMany, 0,
			"FilterLimitExceeded", "The maximum number of filter values specified on a single call is 200"},
		{"filter without a value", eni, filterParams(1, "vpc-id"), 0,
			"MissingParameter", "The request must contain the parameter filter.Value"},
		{"malformed size", eni, []string{"MaxResults=many"}, 0,
			"InvalidParameterValue",
			"Invalid value 'many' for MaxResults. Expecting a value of type integer."},
	}...)
	lab(t).refuses(t, rows)
}

func TestPaging(t *testing.T) {
	p := lab(t)
	r := p.sim.Region(ec2sim.LabRegion)
	for range 9 {
		r.AddInterface(ec2sim.Interface{SubnetID: ec2sim.LabSubnetC})
		r.AddSecurityGroup(ec2sim.SecurityGroup{VPCID: ec2sim.LabVPC, Name: "more"})
		r.AddRouteTable(ec2sim.RouteTable{VPCID: ec2sim.LabVPC})
		r.AddVPC(ec2sim.VPC{CIDR: "10.5.0.0/16"})
		r.AddInstance(ec2sim.Instance{SubnetID: ec2sim.LabSubnetA})
	}
	for i := range 9 {
		r.AddSubnet(ec2sim.Subnet{VPCID: ec2sim.LabVPC, CIDR: fmt.Sprintf("10.88.%d.0/24", 100+i)})
	}
	for operation, path := range idPaths {
		if unpaged[operation] {
			continue
		}
		t.Run(operation, func(t *testing.T) {
			whole := p.ok(operation)
			if whole.one("nextToken") != "" {
				t.Fatal("an unpaged answer has a next page")
			}
			var paged []string
			params, pages := []string{"MaxResults=5"}, 0
			for {
				page := p.ok(operation, params...)
				pages++
				ids := page.values[path]
				if len(ids) > 5 {
					t.Fatalf("%d on a page of 5", len(ids))
				}
				paged = append(paged, ids...)
				token := page.one("nextToken")
				if token == "" {
					break
				}
				// The page's size need not be said again.
				params = []string{"NextToken=" + token}
			}
			if pages < 3 {
				t.Errorf("only %d pages", pages)
			}
			if diff := cmp.Diff(whole.values[path], paged); diff != "" {
				t.Error(diff)
			}
		})
	}
	token := p.ok("DescribeSubnets", "MaxResults=5").one("nextToken")
	if a := p.call("DescribeVpcs", "NextToken="+token); a.code != "InvalidNextToken" {
		t.Errorf("another operation's token: %d %s", a.status, a.code)
	}
}

// TestInstancesAreGivenAtOnce: EC2 pages instances only when it is asked to.
func TestInstancesAreGivenAtOnce(t *testing.T) {
	p := lab(t)
	r := p.sim.Region(ec2sim.LabRegion)
	vpc := r.AddVPC(ec2sim.VPC{CIDR: "10.5.0.0/16"})
	subnet := r.AddSubnet(ec2sim.Subnet{VPCID: vpc.ID, CIDR: "10.5.0.0/16"})
	for range 1001 {
		r.AddInstance(ec2sim.Instance{SubnetID: subnet.ID})
	}
	for operation, want := range map[string]struct {
		filter string
		n      int
	}{"DescribeInstances": {"network-interface.vpc-id", 1001},
		"DescribeNetworkInterfaces": {"vpc-id", 1000}} {
		a := p.ok(operation, filterParams(1, want.filter, vpc.ID)...)
		more := a.one("nextToken") != ""
		if got := len(a.values[idPaths[operation]]); got != want.n || more != (want.n == 1000) {
			t.Errorf("%s: %d, and more %t", operation, got, more)
		}
	}
}

func TestDescribeChangesNothing(t *testing.T) {
	p := lab(t)
	before := p.sim.State()
	for _, operation := range ec2sim.OperationsOf("ec2") {
		if !strings.HasPrefix(operation, "Describe") {
			continue
		}
		var params []string
		if operation == "DescribeNetworkInterfaceAttribute" {
			params = []string{eniParam(ec2sim.LabRouterAInterface), "Attribute=groupSet"}
		}
		p.ok(operation, params...)
		if diff := cmp.Diff(before, p.sim.State()); diff != "" {
			t.Fatalf("%s changed the world:\n%s", operation, diff)
		}
	}
}

func TestHiddenManagedInterface(t *testing.T) {
	p := lab(t)
	p.sim.Region(ec2sim.LabRegion).EditInterface(ec2sim.LabSpareInterface, func(i *ec2sim.Interface) {
		i.Operator = &ec2sim.Operator{Principal: "eks.amazonaws.com", Hidden: true}
	})
	filter := filterParams(1, "operator.managed", "true")
	if got := p.ok("DescribeNetworkInterfaces",
		filter...).values[idPaths["DescribeNetworkInterfaces"]]; got != nil {
		t.Errorf("shown unasked: %v", got)
	}
	a := p.ok("DescribeNetworkInterfaces", append(filter, "IncludeManagedResources=true")...)
	if a.one("networkInterfaceSet/item/operator/principal") != "eks.amazonaws.com" {
		t.Errorf("answered %s", a.body)
	}
	p.sim.Region(ec2sim.LabRegion).EditInterface(ec2sim.LabSpareInterface, func(i *ec2sim.Interface) {
		i.Attachment = &ec2sim.Attachment{ID: "eni-attach-0123456789abcdef0", InstanceID: ec2sim.LabDB,
			DeviceIndex: 2, Status: "attached"}
	})
	const attached = "reservationSet/item/instancesSet/item/networkInterfaceSet/item/" +
		"networkInterfaceId"
	for params, want := range map[string]int{"DryRun=false": 2, "IncludeManagedResources=true": 3} {
		if got := p.ok("DescribeInstances", "InstanceId.1="+ec2sim.LabDB,
			params).values[attached]; len(got) != want {
			t.Errorf("%s: %v", params, got)
		}
	}
	if a := p.call("ModifyNetworkInterfaceAttribute", eniParam(ec2sim.LabSpareInterface),
		"SourceDestCheck.Value=false"); a.code != "OperationNotPermitted" {
		t.Errorf("changed: %d %s", a.status, a.code)
	}
}

func TestRegionsAreWorldsOfTheirOwn(t *testing.T) {
	p := lab(t)
	p.region = "eu-west-1"
	if got := p.ok("DescribeVpcs").values[idPaths["DescribeVpcs"]]; got != nil {
		t.Errorf("another region has %v", got)
	}
	p.refuses(t, []refusal{{"the lab's interface elsewhere", "DescribeNetworkInterfaces",
		[]string{"NetworkInterfaceId.1=" + ec2sim.LabRouterAInterface}, 0,
		"InvalidNetworkInterfaceID.NotFound",
		"The networkInterface ID 'eni-01088600000000011' does not exist"}})
}

// Patterns that make a matcher that goes back try every way are answered like any other: here by a
// filter, by a fault's parameter and by a policy, of a tag as long as EC2 lets it be.
func TestFiltersOfManyStars(t *testing.T) {
	p := lab(t)
	long := strings.Repeat("a", 256)
	stars := strings.Repeat("*a", 50) + "*b"
	p.ok("CreateTags", "ResourceId.1="+ec2sim.LabDB, "Tag.1.Key=k", "Tag.1.Value="+long)
	p.inject(ec2sim.Fail("DescribeInstances", "InternalError").Where("Filter.1.Value.1", stars+"c"))
	err := p.sim.SetPolicies(p.key.AccessKeyID, `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":"*","Resource":"*"},
		{"Effect":"Deny","Action":"ec2:StopInstances","Resource":"*",
			"Condition":{"StringLike":{"aws:ResourceTag/k":"`+stars+`"}}}]}`)
	if err != nil {
		t.Fatal(err)
	}
	const ids = "reservationSet/item/instancesSet/item/instanceId"
	for value, want := range map[string]string{
		stars: "", strings.Repeat("*a", 50) + "*": ec2sim.LabDB,
		strings.Repeat("?", 255): "", strings.Repeat("?", 256): ec2sim.LabDB,
		strings.Repeat("?", 300): ec2sim.LabDB,
	} {
		if got := p.ok("DescribeInstances", "Filter.1.Name=tag:k",
			"Filter.1.Value.1="+value).one(ids); got != want {
			t.Errorf("%.20q…: %q", value, got)
		}
	}
	p.ok("StopInstances", "InstanceId.1="+ec2sim.LabDB)
}
