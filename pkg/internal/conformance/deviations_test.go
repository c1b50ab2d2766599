//go:build conformance

package conformance

import "strings"

// deviations are the cases in which moto is not EC2: section 10 of what is known of EC2, and under
// it what the comparison itself has found. Each has what EC2 does, which the stand-in must do, and
// what moto does.
var deviations = append(section10, besides...)

const noAttribute = "InvalidParameterCombination: No attributes specified."

var section10 = []apiCase{
	// Addresses.
	{name: "an address that another holds",
		do: `assign_private_ip_addresses ` +
			`{"NetworkInterfaceId":"@nic-a","PrivateIpAddresses":["10.88.60.9","10.88.60.100"]}`,
		ec2:  "InvalidParameterValue: [10.88.60.100] assigned, but move is not allowed.",
		moto: "ok * => +nic-a 10.88.60.100, +nic-a 10.88.60.9"},
	{name: "an address moves with leave",
		do: `assign_private_ip_addresses ` +
			`{"NetworkInterfaceId":"@nic-a","PrivateIpAddresses":["10.88.60.100"],` +
			`"AllowReassignment":true} | NetworkInterfaceId`,
		ec2:  `ok "nic-a" => -nic-b 10.88.60.100, +nic-a 10.88.60.100`,
		moto: `ok "nic-a" => +nic-a 10.88.60.100`},
	{name: "a primary address does not move, even with leave",
		do: `assign_private_ip_addresses ` +
			`{"NetworkInterfaceId":"@nic-a","PrivateIpAddresses":["10.88.60.12"],"AllowReassignment":true}`,
		ec2:  "InvalidParameterValue: secondary-addresses",
		moto: "ok * => +nic-a 10.88.60.12"},
	{name: "outside the subnet",
		do: `assign_private_ip_addresses ` +
			`{"NetworkInterfaceId":"@nic-a","PrivateIpAddresses":["10.88.61.9"]}`,
		ec2:  "InvalidParameterValue: Address does not fall within the subnet's address range",
		moto: "ok * => +nic-a 10.88.61.9"},
	{name: "the first addresses of a subnet",
		do: `assign_private_ip_addresses ` +
			`{"NetworkInterfaceId":"@nic-a","PrivateIpAddresses":["10.88.60.3"]}`,
		ec2:  "InvalidParameterValue: Address 10.88.60.3 is in subnet's reserved range.",
		moto: "ok * => +nic-a 10.88.60.3"},
	{name: "the last address of a subnet",
		do: `assign_private_ip_addresses ` +
			`{"NetworkInterfaceId":"@nic-a","PrivateIpAddresses":["10.88.60.255"]}`,
		ec2:  "InvalidParameterValue: Address 10.88.60.255 is in subnet's reserved range.",
		moto: "ok * => +nic-a 10.88.60.255"},
	{name: "no address at all",
		do:   `assign_private_ip_addresses {"NetworkInterfaceId":"@nic-a","PrivateIpAddresses":["x"]}`,
		ec2:  "InvalidParameterValue: invalid value for parameter address: x",
		moto: "ok * => +nic-a x"},
	{name: "more than the instance type may have",
		do: `assign_private_ip_addresses ` +
			`{"NetworkInterfaceId":"@nic-db0","PrivateIpAddresses":["10.88.60.201","10.88.60.202",` +
			`"10.88.60.203","10.88.60.204"]}`,
		ec2: "PrivateIpAddressLimitExceeded: Number of private addresses will exceed limit.",
		moto: "ok * => +nic-db0 10.88.60.201, +nic-db0 10.88.60.202, +nic-db0 10.88.60.203, +nic-db0 " +
			"10.88.60.204"},
	{name: "neither addresses nor a count",
		do: `assign_private_ip_addresses {"NetworkInterfaceId":"@nic-a"}`,
		ec2: "InvalidParameter: One of privateIpAddressSet or privateIpAddressCount or ipv4PrefixSet " +
			"or ipv4PrefixCount must be specified.",
		moto: "ok *"},
	{name: "addresses and a count",
		do: `assign_private_ip_addresses ` +
			`{"NetworkInterfaceId":"@nic-a","PrivateIpAddresses":["10.88.60.9"],` +
			`"SecondaryPrivateIpAddressCount":1}`,
		ec2:  "InvalidParameterCombination: You may specify one and only one of *",
		moto: "ok * => +nic-a 10.88.60.9"},
	{name: "only what this call assigned is echoed",
		do: `assign_private_ip_addresses ` +
			`{"NetworkInterfaceId":"@nic-b","PrivateIpAddresses":["10.88.60.9"]} | ` +
			`AssignedPrivateIpAddresses[].PrivateIpAddress`,
		ec2:  `ok ["10.88.60.9"] => +nic-b 10.88.60.9`,
		moto: `ok ["10.88.60.12", "10.88.60.100", "10.88.60.9"] => +nic-b 10.88.60.9`},
	{name: "unassign what is not there",
		do: `unassign_private_ip_addresses ` +
			`{"NetworkInterfaceId":"@nic-a","PrivateIpAddresses":["10.88.60.9"]}`,
		ec2: "InvalidParameterValue: Some of the specified addresses are not assigned to interface " +
			"nic-a",
		moto: "ok"},
	{name: "unassign something and what is not there",
		do: `unassign_private_ip_addresses ` +
			`{"NetworkInterfaceId":"@nic-b","PrivateIpAddresses":["10.88.60.100","10.88.60.9"]}`,
		ec2: "InvalidParameterValue: Some of the specified addresses are not assigned to interface " +
			"nic-b",
		moto: "ok => -nic-b 10.88.60.100"},
	{name: "unassign a primary address",
		do: `unassign_private_ip_addresses ` +
			`{"NetworkInterfaceId":"@nic-a","PrivateIpAddresses":["10.88.60.11"]}`,
		ec2: "InvalidParameterValue: Value (10.88.60.11) for parameter privateIpAddress is invalid. " +
			"The primary IP address of an interface cannot be unassigned.",
		moto: "ok => -nic-a 10.88.60.11 primary"},
	{name: "unassign nothing",
		do:   `unassign_private_ip_addresses {"NetworkInterfaceId":"@nic-a"}`,
		ec2:  "MissingParameter: *",
		moto: "ok"},

	// Reading.
	{name: "filter by a secondary address", do: interfacesWith(`{"Name":"vpc-id",` +
		`"Values":["@vpc"]},{"Name":"addresses.private-ip-address","Values":["10.88.60.100"]}`),
		ec2: `ok ["nic-b"]`, moto: `ok []`},
	{name: "a filter that does not exist", do: interfacesWith(`{"Name":"colour","Values":["red"]}`),
		ec2:  "InvalidParameterValue: The filter 'colour' is invalid",
		moto: "broken: ResponseParserError"},
	{name: "a page that is too small", do: `describe_network_interfaces & MaxResults=3 | NextToken`,
		ec2: "InvalidParameterValue: Value ( 3 ) for parameter maxResults is invalid. Expecting a " +
			"value greater than 5.", moto: "ok"},
	{name: "a page that is too small, of instances",
		do: `describe_instances {"MaxResults":3} | NextToken != null`,
		ec2: "InvalidParameterValue: Value ( 3 ) for parameter maxResults is invalid. Expecting a " +
			"value greater than 5.", moto: "ok true"},
	{name: "a page that is too large",
		do:  `describe_network_interfaces {"MaxResults":1001} | NextToken`,
		ec2: "InvalidParameterValue: *", moto: "ok"},
	{name: "a page of interfaces",
		do: `describe_network_interfaces {"MaxResults":5} | [length(NetworkInterfaces),NextToken != ` +
			`null]`,
		ec2: "ok [5, true]", moto: "ok [6, false]"},
	{name: "a page of named interfaces",
		do:  `describe_network_interfaces {"MaxResults":5,"NetworkInterfaceIds":["@nic-a"]} | NextToken`,
		ec2: "InvalidParameterCombination: *", moto: "ok"},
	{name: "a token of nobody's",
		do:  `describe_network_interfaces {"MaxResults":5,"NextToken":"nobody's"} | NextToken`,
		ec2: "InvalidNextToken: *", moto: "ok"},

	// Changing an interface.
	{name: "no attribute", do: `modify_network_interface_attribute {"NetworkInterfaceId":"@nic-a"}`,
		ec2: noAttribute, moto: "ok"},
	{name: "no groups", do: `modify_network_interface_attribute ` +
		`{"NetworkInterfaceId":"@nic-a","Groups":[]}`, ec2: noAttribute, moto: "ok"},
	{name: "two attributes", do: `modify_network_interface_attribute ` +
		`{"NetworkInterfaceId":"@nic-a","Description":{"Value":"d"},"SourceDestCheck":{"Value":false}}`,
		ec2: "InvalidParameterCombination: Fields for multiple attribute types specified: *",
		moto: `ok => -nic-a check, -nic-a description "router-a", +nic-a description "d", +nic-a ` +
			`forwards`},
	{name: "a check and groups", do: `modify_network_interface_attribute ` +
		`{"NetworkInterfaceId":"@nic-a","Groups":["@group-web"],"SourceDestCheck":{"Value":false}}`,
		ec2:  "InvalidParameterCombination: Fields for multiple attribute types specified: *",
		moto: `ok => -nic-a check, -nic-a group-router, +nic-a forwards, +nic-a group-web`},
	{name: "a group of another VPC",
		do: `modify_network_interface_attribute ` +
			`{"NetworkInterfaceId":"@nic-a","Groups":["@other-group"]}`,
		ec2: "InvalidGroup.NotFound: You have specified two resources that belong to different " +
			"networks.",
		moto: "ok => -nic-a group-router, +nic-a other-group"},
	{name: "a group that does not exist", do: `modify_network_interface_attribute ` +
		`{"NetworkInterfaceId":"@nic-a","Groups":["sg-0123456789abcdef0"]}`,
		ec2:  "InvalidGroup.NotFound: The security group 'sg-0123456789abcdef0' does not exist",
		moto: "ok => -nic-a group-router"},
	{name: "groups of an interface are its own, not its instance's",
		needs: []string{"ModifyInstanceAttribute"},
		do: `modify_instance_attribute {"InstanceId":"@router-a","Groups":["@group-web"]}
			modify_network_interface_attribute {"NetworkInterfaceId":"@nic-a","Groups":["@group-fence"]}`,
		ec2:  "ok => -nic-a group-router, +nic-a group-fence",
		moto: "ok => -nic-a group-router, +nic-a group-fence, +nic-a group-web"},
	{name: "the attachment's fate", do: `modify_network_interface_attribute ` +
		`{"NetworkInterfaceId":"@nic-db1","Attachment":{"AttachmentId":"@attachment-db1",` +
		`"DeleteOnTermination":true}}`,
		ec2:  "ok => -nic-db1 deleted on termination: false, +nic-db1 deleted on termination: true",
		moto: "ok"},
	{name: "an attachment without its id", do: `modify_network_interface_attribute ` +
		`{"NetworkInterfaceId":"@nic-db1","Attachment":{"DeleteOnTermination":true}}`,
		ec2: "MissingParameter: *", moto: "ok"},
	{name: "another's attachment", do: `modify_network_interface_attribute ` +
		`{"NetworkInterfaceId":"@nic-a","Attachment":{"AttachmentId":"@attachment-db1",` +
		`"DeleteOnTermination":false}}`,
		ec2: "InvalidAttachmentID.NotFound: *", moto: "ok"},

	// Ids that are not of the form.
	{name: "malformed id of an interface",
		do:  `describe_network_interfaces {"NetworkInterfaceIds":["eni-short"]}`,
		ec2: "InvalidNetworkInterfaceId.Malformed: *", moto: "InvalidNetworkInterfaceID.NotFound: *"},
	{name: "malformed id of an interface to assign to", do: `assign_private_ip_addresses ` +
		`{"NetworkInterfaceId":"eni-XYZ","PrivateIpAddresses":["10.88.60.9"]}`,
		ec2: "InvalidNetworkInterfaceId.Malformed: *", moto: "InvalidNetworkInterfaceID.NotFound: *"},
	{name: "malformed id of an instance", do: `describe_instances {"InstanceIds":["i-short"]}`,
		ec2: "InvalidInstanceID.Malformed: *", moto: "InvalidInstanceID.NotFound: *"},
	{name: "malformed id of a group", do: `describe_security_groups {"GroupIds":["sg-short"]}`,
		ec2: "InvalidGroupId.Malformed: *", moto: "InvalidGroup.NotFound: *"},
	{name: "malformed id of a route table",
		do:  `describe_route_tables {"RouteTableIds":["rtb-short"]}`,
		ec2: "InvalidRouteTableId.Malformed: *", moto: "InvalidRouteTableID.NotFound: *"},
	{name: "malformed id of a VPC", do: `describe_vpcs {"VpcIds":["foo"]}`,
		ec2:  `InvalidVpcId.Malformed: Invalid id: "foo" (expecting "vpc-...")`,
		moto: "InvalidVpcID.NotFound: *"},

	// Tags.
	{name: "a tag of AWS's own",
		do:   `create_tags {"Resources":["@db"],"Tags":[{"Key":"aws:k","Value":"v"}]}`,
		ec2:  "InvalidParameterValue: Tag keys starting with 'aws:' are reserved for internal use",
		moto: "ok => +db tag aws:k=v"},
	{name: "a key of 129 characters",
		do: `create_tags {"Resources":["@db"],"Tags":[{"Key":"` + strings.Repeat("k", 129) +
			`","Value":"v"}]}`,
		ec2: "InvalidParameterValue: *", moto: "ok => +db tag " + strings.Repeat("k", 129) + "=v"},
	{name: "a value of 257 characters",
		do: `create_tags {"Resources":["@db"],"Tags":[{"Key":"k","Value":"` +
			strings.Repeat("v", 257) + `"}]}`,
		ec2: "InvalidParameterValue: *", moto: "ok => +db tag k=" + strings.Repeat("v", 257)},
	{name: "DeleteTags without tags",
		do: `create_tags {"Resources":["@db"],"Tags":[{"Key":"k","Value":"v"}]}
			delete_tags {"Resources":["@db"]}`,
		ec2: "ok => -db tag Name=db", moto: "ok => +db tag k=v"},

	// Routes.
	{name: "a route that leads elsewhere", do: `create_route ` +
		`{"RouteTableId":"@table-a","DestinationCidrBlock":"10.99.0.0/24","NetworkInterfaceId":"@nic-b"}`,
		ec2:  "RouteAlreadyExists: The route identified by 10.99.0.0/24 already exists.",
		moto: `ok {"Return": true} => -table-a 10.99.0.0/24 to nic-a, +table-a 10.99.0.0/24 to nic-b`},

	// Interfaces that come and go.
	{name: "an interface with a held address", do: `create_network_interface ` +
		`{"SubnetId":"@subnet-a","PrivateIpAddress":"10.88.60.100"} | length(NetworkInterface)`,
		ec2: "InvalidIPAddress.InUse: Address 10.88.60.100 is in use.", moto: "ok * => *"},
	{name: "an interface is made", do: `create_network_interface ` +
		`{"SubnetId":"@subnet-a","PrivateIpAddress":"10.88.60.77","Description":"edge",` +
		`"Groups":["@group-web"],"TagSpecifications":[{"ResourceType":"network-interface",` +
		`"Tags":[{"Key":"k","Value":"v"}]}]} | NetworkInterface.[SubnetId,VpcId,PrivateIpAddress,` +
		`Description,SourceDestCheck,Groups[].GroupId,TagSet]`,
		ec2: `ok ["subnet-a", "vpc", "10.88.60.77", "edge", true, ["group-web"], ` +
			`[{"Key": "k", "Value": "v"}]] => *`,
		moto: `ok ["subnet-a", "vpc", "10.88.60.77", "edge", * => *`},
	{name: "no such Elastic IP is released",
		do: `release_address {"AllocationId":"eipalloc-0123456789abcdef0"}`,
		ec2: "InvalidAllocationID.NotFound: The allocation ID 'eipalloc-0123456789abcdef0' does not " +
			"exist",
		moto: "InvalidAllocationID.NotFound: Allocation ID *"},
	{name: "one token makes one interface", do: `create_network_interface ` +
		`{"SubnetId":"@subnet-a","ClientToken":"t"}
			create_network_interface {"SubnetId":"@subnet-c","ClientToken":"t"} | length(NetworkInterface)`,
		ec2: "IdempotentParameterMismatch: Arguments on this idempotent request are inconsistent with " +
			"arguments used in previous request(s). => *", moto: "ok * => *"},
	{name: "delete an attached interface",
		do:  `delete_network_interface {"NetworkInterfaceId":"@nic-db1"}`,
		ec2: "InvalidParameterValue: Network interface 'nic-db1' is currently in use.", moto: "ok => *"},
	{name: "detach the first interface",
		do: `detach_network_interface {"AttachmentId":"@attachment-db0"}`,
		ec2: "OperationNotPermitted: The network interface at device index 0 and networkCard index 0 " +
			"cannot be detached.", moto: "ok => it cannot be described any more"},
	{name: "attach where another one is", do: `attach_network_interface ` +
		`{"NetworkInterfaceId":"@nic-spare","InstanceId":"@db","DeviceIndex":1} | NetworkCardIndex`,
		ec2: "InvalidParameterValue: Instance 'db' already has an interface attached at device index " +
			"'1'.",
		moto: "ok * => *"},
	{name: "attach an attached interface", do: `attach_network_interface ` +
		`{"NetworkInterfaceId":"@nic-db1","InstanceId":"@router-a","DeviceIndex":1} | NetworkCardIndex`,
		ec2: "InvalidNetworkInterface.InUse: Interface: [nic-db1] in use.", moto: "ok * => *"},
	{name: "attach across zones", do: `attach_network_interface ` +
		`{"NetworkInterfaceId":"@nic-spare","InstanceId":"@router-c","DeviceIndex":1} | NetworkCardIndex`,
		ec2: "InvalidParameterCombination: *", moto: "ok * => *"},
}

// besides are what section 10 has not.
var besides = []apiCase{
	{name: "a parameter that does not exist", do: `describe_vpcs & Colour=red | Vpcs[0].Colour`,
		ec2: "UnknownParameter: The parameter Colour is not recognized", moto: "ok"},
	{name: "DryRun where there is none", do: `assign_private_ip_addresses ` +
		`{"NetworkInterfaceId":"@nic-a","PrivateIpAddresses":["10.88.60.9"]} & DryRun=true`,
		ec2:  "UnknownParameter: The parameter DryRun is not recognized",
		moto: "ok * => +nic-a 10.88.60.9"},
	{name: "DryRun of a route", do: `create_route ` +
		`{"RouteTableId":"@table-a","DestinationCidrBlock":"10.98.0.0/24",` +
		`"NetworkInterfaceId":"@nic-a","DryRun":true}`,
		ec2: dryRunSaid, moto: `ok {"Return": true} => +table-a 10.98.0.0/24 to nic-a`},
	{name: "an action that does not exist", do: `describe_vpcs & Action=DescribeColours`,
		ec2: "InvalidAction: *", moto: "broken: ResponseParserError"},
	{name: "a version that does not exist", do: `describe_vpcs & Version=1999-01-01`,
		ec2: "NoSuchVersion: *", moto: "ok *"},
	{name: "no such VPC", do: `describe_vpcs {"VpcIds":["vpc-0123456789abcdef0"]}`,
		ec2:  "InvalidVpcID.NotFound: The vpc ID 'vpc-0123456789abcdef0' does not exist",
		moto: "InvalidVpcID.NotFound: VpcID {'vpc-0123456789abcdef0'} does not exist."},
	{name: "no such group", do: `describe_security_groups {"GroupIds":["sg-0123456789abcdef0"]}`,
		ec2:  "InvalidGroup.NotFound: The security group 'sg-0123456789abcdef0' does not exist",
		moto: "InvalidGroup.NotFound: The security group '{'sg-0123456789abcdef0'}' does not exist"},
	{name: "no such instances",
		do: `describe_instances {"InstanceIds":["i-0123456789abcdef0","i-0123456789abcdef1"]}`,
		ec2: "InvalidInstanceID.NotFound: The instance IDs 'i-0123456789abcdef0, i-0123456789abcdef1' " +
			"do not exist", moto: "InvalidInstanceID.NotFound: The instance ID 'i-*"},
	{name: "no such region", do: `describe_regions {"RegionNames":["xx-nowhere-9"]} | Regions`,
		ec2: "InvalidParameterValue: *", moto: "ok []"},
	{name: "the default group lets its members in", do: `describe_security_groups ` +
		`{"GroupIds":["@group-default"]} | SecurityGroups[].IpPermissions[].UserIdGroupPairs[].GroupId`,
		ec2: `ok ["group-default"]`, moto: `ok []`},
	{name: "an instance is deleted with its first interface", do: `describe_network_interfaces ` +
		`{"NetworkInterfaceIds":["@nic-a"]} | NetworkInterfaces[].Attachment.DeleteOnTermination`,
		ec2: `ok [true]`, moto: `ok [false]`},
	{name: "an empty description",
		do: `modify_network_interface_attribute ` +
			`{"NetworkInterfaceId":"@nic-a","Description":{"Value":""}}`,
		ec2: `ok => -nic-a description "router-a", +nic-a description ""`, moto: "ok"},
	{name: "a page of more than 200 filter values",
		do: interfacesWith(`{"Name":"private-ip-address","Values":[` +
			strings.Repeat(`"10.0.0.1",`, 200) + `"10.0.0.2"]}`),
		ec2: "FilterLimitExceeded: The maximum number of filter values specified on a single call is " +
			"200",
		moto: "ok []"},
	{name: "a route within the VPC", do: `create_route ` +
		`{"RouteTableId":"@table-a","DestinationCidrBlock":"10.88.60.9/32",` +
		`"NetworkInterfaceId":"@nic-a"}`,
		ec2: "InvalidParameterValue: The destination CIDR block 10.88.60.9/32 is equal to or more " +
			"specific than one of this VPC's CIDR blocks. This route can target only an interface or an " +
			"instance.", moto: `ok {"Return": true} => +table-a 10.88.60.9/32 to nic-a`},
	{name: "a route's destination is canonical", do: `create_route ` +
		`{"RouteTableId":"@table-a","DestinationCidrBlock":"100.68.0.18/18",` +
		`"NetworkInterfaceId":"@nic-a"}`,
		ec2:  `ok {"Return": true} => +table-a 100.68.0.0/18 to nic-a`,
		moto: `ok {"Return": true} => +table-a 100.68.0.18/18 to nic-a`},
	{name: "the local route stays",
		do:   `delete_route {"RouteTableId":"@table-a","DestinationCidrBlock":"10.88.0.0/16"}`,
		ec2:  "InvalidParameterValue: cannot remove local route 10.88.0.0/16 in route table table-a",
		moto: "ok => -table-a 10.88.0.0/16 to local"},
	{name: "a route to nothing",
		do:  `create_route {"RouteTableId":"@table-a","DestinationCidrBlock":"10.98.0.0/24"}`,
		ec2: "MissingParameter: *", moto: `ok {"Return": true} => +table-a 10.98.0.0/24 to `},
	{name: "tags of what is not there",
		do:  `create_tags {"Resources":["i-0123456789abcdef0"],"Tags":[{"Key":"k","Value":"v"}]}`,
		ec2: "InvalidInstanceID.NotFound: *", moto: "ok"},

	// As with IPv4: what EC2 says of IPv6 is not known.
	{name: "an IPv6 address that is not there goes", do: `unassign_ipv6_addresses ` +
		`{"NetworkInterfaceId":"@nic-b","Ipv6Addresses":["2001:db8:1088:60::9"]} | ` +
		`UnassignedIpv6Addresses`,
		ec2: "InvalidParameterValue: *", moto: "ok []"},
	{name: "an IPv6 address outside the subnet", do: `assign_ipv6_addresses ` +
		`{"NetworkInterfaceId":"@nic-b","Ipv6Addresses":["2001:db8:ffff::9"]} | AssignedIpv6Addresses`,
		ec2: "InvalidParameterValue: *", moto: `ok ["2001:db8:ffff::9"] => +nic-b 2001:db8:ffff::9`},
}
