//go:build conformance

package conformance

const (
	noInterface = "InvalidNetworkInterfaceID.NotFound: The networkInterface ID " +
		"'eni-0123456789abcdef0' does not exist"
	dryRunSaid = "DryRunOperation: Request would have succeeded, but DryRun flag is set."
)

// alike are cases in which moto is faithful: both places answer to the word.
var alike = []apiCase{
	{name: "DryRun of a change", ec2: dryRunSaid,
		do: `modify_network_interface_attribute ` +
			`{"NetworkInterfaceId":"@nic-a","SourceDestCheck":{"Value":false},"DryRun":true}`},
	{name: "DryRun of a read", ec2: dryRunSaid, do: `describe_network_interfaces {"DryRun":true}`},
	{name: "DryRun of a stop", ec2: dryRunSaid,
		do: `stop_instances {"InstanceIds":["@db"],"DryRun":true}`},
	{name: "DryRun of tags", ec2: dryRunSaid,
		do: `create_tags {"Resources":["@db"],"Tags":[{"Key":"k","Value":"v"}],"DryRun":true}`},

	{name: "no such interface", ec2: noInterface,
		do: `describe_network_interfaces {"NetworkInterfaceIds":["@nic-a","eni-0123456789abcdef0"]}`},
	{name: "attribute of no such interface", ec2: noInterface,
		do: `describe_network_interface_attribute ` +
			`{"NetworkInterfaceId":"eni-0123456789abcdef0","Attribute":"description"}`},
	{name: "assign to no such interface", ec2: noInterface,
		do: `assign_private_ip_addresses ` +
			`{"NetworkInterfaceId":"eni-0123456789abcdef0","PrivateIpAddresses":["10.88.60.9"]}`},
	{name: "unassign from no such interface", ec2: noInterface,
		do: `unassign_private_ip_addresses ` +
			`{"NetworkInterfaceId":"eni-0123456789abcdef0","PrivateIpAddresses":["10.88.60.9"]}`},
	{name: "modify no such interface", ec2: noInterface,
		do: `modify_network_interface_attribute ` +
			`{"NetworkInterfaceId":"eni-0123456789abcdef0","SourceDestCheck":{"Value":false}}`},
	{name: "no such instance", do: `describe_instances {"InstanceIds":["i-0123456789abcdef0"]}`,
		ec2: "InvalidInstanceID.NotFound: The instance ID 'i-0123456789abcdef0' does not exist"},
	{name: "stop no such instance", do: `stop_instances {"InstanceIds":["i-0123456789abcdef0"]}`,
		ec2: "InvalidInstanceID.NotFound: The instance ID 'i-0123456789abcdef0' does not exist"},
	{name: "attach to no such instance", do: `attach_network_interface ` +
		`{"NetworkInterfaceId":"@nic-spare","InstanceId":"i-0123456789abcdef0","DeviceIndex":1}`,
		ec2: "InvalidInstanceID.NotFound: The instance ID 'i-0123456789abcdef0' does not exist"},
	{name: "attach no such interface", ec2: noInterface,
		do: `attach_network_interface ` +
			`{"NetworkInterfaceId":"eni-0123456789abcdef0","InstanceId":"@db","DeviceIndex":2}`},
	{name: "no such subnet", do: `describe_subnets {"SubnetIds":["subnet-0123456789abcdef0"]}`,
		ec2: "InvalidSubnetID.NotFound: The subnet ID 'subnet-0123456789abcdef0' does not exist"},
	{name: "no such route table",
		do:  `describe_route_tables {"RouteTableIds":["rtb-0123456789abcdef0"]}`,
		ec2: "InvalidRouteTableID.NotFound: The routeTable ID 'rtb-0123456789abcdef0' does not exist"},
	{name: "no such attribute",
		do: `describe_network_interface_attribute {"NetworkInterfaceId":"@nic-a","Attribute":"colour"}`,
		ec2: "InvalidParameterValue: Value (colour) for parameter attribute is invalid. Unknown " +
			"attribute."},

	{name: "regions", do: `describe_regions {"RegionNames":["ap-northeast-1","us-east-1"]} | ` +
		`sort_by(Regions,&RegionName)[].[RegionName,Endpoint,OptInStatus]`,
		ec2: `ok [["ap-northeast-1", "ec2.ap-northeast-1.amazonaws.com", "opt-in-not-required"], ` +
			`["us-east-1", "ec2.us-east-1.amazonaws.com", "opt-in-not-required"]]`},
	{name: "limits of the instance types",
		do: `describe_instance_types ` +
			`{"InstanceTypes":["t2.micro","t3.nano","t3.micro","t3.small","t3.medium","t3.large",` +
			`"t4g.micro","t4g.small","t4g.medium","m5.large","m5.xlarge","m6i.large","c5.large",` +
			`"c5n.large","c6i.large"]} | sort_by(InstanceTypes,&InstanceType)[].[InstanceType,` +
			`NetworkInfo.[MaximumNetworkInterfaces,Ipv4AddressesPerInterface,` +
			`Ipv6AddressesPerInterface,Ipv6Supported]]`,
		ec2: `ok [["c5.large", [3, 10, 10, true]], ["c5n.large", [3, 10, 10, true]], ` +
			`["c6i.large", [3, 10, 10, true]], ["m5.large", [3, 10, 10, true]], ` +
			`["m5.xlarge", [4, 15, 15, true]], ["m6i.large", [3, 10, 10, true]], ` +
			`["t2.micro", [2, 2, 2, true]], ["t3.large", [3, 12, 12, true]], ` +
			`["t3.medium", [3, 6, 6, true]], ["t3.micro", [2, 2, 2, true]], ` +
			`["t3.nano", [2, 2, 2, true]], ["t3.small", [3, 4, 4, true]], ` +
			`["t4g.medium", [3, 6, 6, true]], ["t4g.micro", [2, 2, 2, true]], ` +
			`["t4g.small", [3, 4, 4, true]]]`},
	{name: "an instance type by a filter",
		do: `describe_instance_types ` +
			`{"Filters":[{"Name":"instance-type","Values":["t3.medium"]}]} | ` +
			`InstanceTypes[].InstanceType`,
		ec2: `ok ["t3.medium"]`},
	{name: "description of an interface",
		do: `describe_network_interface_attribute ` +
			`{"NetworkInterfaceId":"@nic-a","Attribute":"description"}`,
		ec2: `ok {"Description": {"Value": "router-a"}, "NetworkInterfaceId": "nic-a"}`},
	{name: "check of an interface", do: `describe_network_interface_attribute ` +
		`{"NetworkInterfaceId":"@nic-c","Attribute":"sourceDestCheck"}`,
		ec2: `ok {"NetworkInterfaceId": "nic-c", "SourceDestCheck": {"Value": false}}`},
	{name: "groups of an interface",
		do: `describe_network_interface_attribute ` +
			`{"NetworkInterfaceId":"@nic-spare","Attribute":"groupSet"}`,
		ec2: `ok {"Groups": [{"GroupId": "group-default", "GroupName": "default"}], ` +
			`"NetworkInterfaceId": "nic-spare"}`},
	{name: "attachment of an interface",
		do: `describe_network_interface_attribute ` +
			`{"NetworkInterfaceId":"@nic-db1","Attribute":"attachment"} | ` +
			`Attachment.[AttachmentId,InstanceId,DeviceIndex,Status]`,
		ec2: `ok ["attachment-db1", "db", 1, "attached"]`},

	{name: "a filter that matches nothing", do: `describe_network_interfaces ` +
		`{"Filters":[{"Name":"vpc-id","Values":["vpc-0123456789abcdef0"]}]} | NetworkInterfaces`,
		ec2: `ok []`},
	{name: "all filters and any value", do: interfacesWith(`{"Name":"subnet-id",` +
		`"Values":["@subnet-a","@subnet-c"]},{"Name":"private-ip-address","Values":["10.88.60.11",` +
		`"10.88.61.13","10.77.1.1"]}`),
		ec2: `ok ["nic-a", "nic-c"]`},
	{name: "filter by a primary address", do: interfacesWith(`{"Name":"vpc-id","Values":["@vpc"]},` +
		`{"Name":"addresses.private-ip-address","Values":["10.88.60.12"]}`),
		ec2: `ok ["nic-b"]`},
	{name: "filter by instance",
		do:  interfacesWith(`{"Name":"attachment.instance-id","Values":["@db"]}`),
		ec2: `ok ["nic-db0", "nic-db1"]`},
	{name: "filter by attachment",
		do:  interfacesWith(`{"Name":"attachment.attachment-id","Values":["@attachment-db1"]}`),
		ec2: `ok ["nic-db1"]`},
	{name: "filter by group", do: interfacesWith(`{"Name":"group-id","Values":["@group-web"]}`),
		ec2: `ok ["nic-db0", "nic-db1"]`},
	{name: "filter by tag", do: interfacesWith(`{"Name":"tag:Name","Values":["router-b","db"]}`),
		ec2: `ok ["nic-b", "nic-db0", "nic-db1"]`},
	{name: "filter with a star", do: interfacesWith(`{"Name":"tag:Name","Values":["router-*"]}`),
		ec2: `ok ["nic-a", "nic-b", "nic-c"]`},
	{name: "filter with the wrong case",
		do: interfacesWith(`{"Name":"tag:Name","Values":["Router-*"]}`), ec2: `ok []`},
	{name: "filter by tag key",
		do:  interfacesWith(`{"Name":"vpc-id","Values":["@vpc"]},{"Name":"tag-key","Values":["Name"]}`),
		ec2: `ok ["nic-a", "nic-b", "nic-db0", "nic-db1", "nic-spare", "nic-c"]`},
	{name: "filter by description", do: interfacesWith(`{"Name":"description","Values":["spare"]}`),
		ec2: `ok ["nic-spare"]`},
	{name: "filter by availability zone", do: interfacesWith(`{"Name":"vpc-id","Values":["@vpc"]},` +
		`{"Name":"tag:Name","Values":["router-*"]},{"Name":"availability-zone",` +
		`"Values":["ap-northeast-1c"]}`), ec2: `ok ["nic-c"]`},

	{name: "running instances of a VPC",
		do: `describe_instances ` +
			`{"Filters":[{"Name":"vpc-id","Values":["@vpc"]},{"Name":"instance-state-name",` +
			`"Values":["running"]}]} | sort_by(Reservations[].Instances[],&PrivateIpAddress)[].InstanceId`,
		ec2: `ok ["router-a", "router-b", "db", "router-c"]`},
	{name: "instances by tag",
		do: `describe_instances {"Filters":[{"Name":"tag:Name","Values":["db"]}]} | ` +
			`Reservations[].Instances[].[InstanceId,InstanceType,State.Name,State.Code,PrivateIpAddress,` +
			`SubnetId,VpcId]`,
		ec2: `ok [["db", "t3.small", "running", 16, "10.88.60.20", "subnet-a", "vpc"]]`},
	{name: "instances by address", do: `describe_instances ` +
		`{"Filters":[{"Name":"private-ip-address","Values":["10.88.60.12"]}]} | ` +
		`Reservations[].Instances[].InstanceId`,
		ec2: `ok ["router-b"]`},
	{name: "interfaces of an instance",
		do: `describe_instances {"InstanceIds":["@db"]} | ` +
			`sort_by(Reservations[].Instances[].NetworkInterfaces[],` +
			`&Attachment.DeviceIndex)[].[NetworkInterfaceId,SourceDestCheck,PrivateIpAddress,` +
			`PrivateIpAddresses[].[PrivateIpAddress,Primary],Attachment.DeviceIndex,Status]`,
		ec2: `ok [["nic-db0", true, "10.88.60.20", [["10.88.60.20", true]], 0, "in-use"], ["nic-db1", ` +
			`true, "10.88.60.21", [["10.88.60.21", true]], 1, "in-use"]]`},
	{name: "an interface",
		do: `describe_network_interfaces {"NetworkInterfaceIds":["@nic-b"]} | ` +
			`NetworkInterfaces[].[NetworkInterfaceId,Description,SubnetId,VpcId,AvailabilityZone,OwnerId,` +
			`RequesterManaged,Status,PrivateIpAddress,SourceDestCheck,InterfaceType,Groups,TagSet,` +
			`PrivateIpAddresses[].[PrivateIpAddress,Primary],Ipv6Addresses,Attachment.[InstanceId,` +
			`InstanceOwnerId,DeviceIndex,NetworkCardIndex,Status]]`,
		ec2: `ok [["nic-b", "router-b", "subnet-a", "vpc", "ap-northeast-1a", "123456789012", false, ` +
			`"in-use", "10.88.60.12", true, "interface", [{"GroupId": "group-router", "GroupName": ` +
			`"router"}], ` +
			`[{"Key": "Name", "Value": "router-b"}], [["10.88.60.12", true], ["10.88.60.100", false]], ` +
			`[], ["router-b", "123456789012", 0, 0, "attached"]]]`},
	{name: "a VPC", do: `describe_vpcs {"VpcIds":["@vpc"]} | ` +
		`Vpcs[].[VpcId,CidrBlock,State,IsDefault,Tags,OwnerId,InstanceTenancy]`,
		ec2: `ok [["vpc", "10.88.0.0/16", "available", false, [{"Key": "Name", "Value": "lab"}], ` +
			`"123456789012", "default"]]`},
	{name: "a subnet", do: `describe_subnets {"SubnetIds":["@subnet-a"]} | ` +
		`Subnets[].[SubnetId,CidrBlock,AvailabilityZone,State,VpcId,Tags,AvailableIpAddressCount,` +
		`DefaultForAz,MapPublicIpOnLaunch]`,
		ec2: `ok [["subnet-a", "10.88.60.0/24", "ap-northeast-1a", "available", "vpc", [{"Key": ` +
			`"Name", "Value": "lab-a"}], 245, false, false]]`},
	{name: "groups of a VPC", do: `describe_security_groups ` +
		`{"Filters":[{"Name":"vpc-id","Values":["@other-vpc"]}]} | ` +
		`sort_by(SecurityGroups,&GroupName)[].[GroupName,Description,VpcId,OwnerId]`,
		ec2: `ok [["default", "default VPC security group", "other-vpc", "123456789012"], ["other", ` +
			`"other", "other-vpc", "123456789012"]]`},
	{name: "groups by name", do: `describe_security_groups ` +
		`{"Filters":[{"Name":"group-name","Values":["rout*"]},{"Name":"vpc-id","Values":["@vpc"]}]} | ` +
		`SecurityGroups[].GroupId`,
		ec2: `ok ["group-router"]`},
	{name: "a route table",
		do: `describe_route_tables {"RouteTableIds":["@table-a"]} | ` +
			`RouteTables[].[RouteTableId,VpcId,Tags,Associations[].[Main,SubnetId,RouteTableId],` +
			`Routes[?DestinationCidrBlock].[DestinationCidrBlock,GatewayId,NetworkInterfaceId,State,` +
			`Origin]]`,
		ec2: `ok [["table-a", "vpc", [{"Key": "Name", "Value": "lab-a"}], [[false, "subnet-a", ` +
			`"table-a"]], [["10.88.0.0/16", "local", null, "active", "CreateRouteTable"], ` +
			`["0.0.0.0/0", "gateway", null, "active", "CreateRoute"], ["10.99.0.0/24", null, "nic-a", ` +
			`"active", "CreateRoute"]]]]`},
	{name: "the main route table",
		do: `describe_route_tables ` +
			`{"Filters":[{"Name":"vpc-id","Values":["@vpc"]},{"Name":"association.main",` +
			`"Values":["true"]}]} | RouteTables[].[RouteTableId,Associations[].Main]`,
		ec2: `ok [["table-main", [true]]]`},
	{name: "the route table of a subnet", do: `describe_route_tables ` +
		`{"Filters":[{"Name":"association.subnet-id","Values":["@subnet-a"]}]} | ` +
		`RouteTables[].RouteTableId`,
		ec2: `ok ["table-a"]`},
	{name: "tags of resources", do: `describe_tags ` +
		`{"Filters":[{"Name":"resource-id","Values":["@router-a","@nic-a"]}]} | ` +
		`sort_by(Tags,&ResourceType)`,
		ec2: `ok [{"Key": "Name", "ResourceId": "router-a", "ResourceType": "instance", "Value": ` +
			`"router-a"}, {"Key": "Name", "ResourceId": "nic-a", "ResourceType": "network-interface", ` +
			`"Value": "router-a"}]`},
	{name: "tags by type and key", do: `describe_tags ` +
		`{"Filters":[{"Name":"resource-type","Values":["subnet"]},{"Name":"key","Values":["Name"]}]} ` +
		`| sort_by(Tags,&Value)[].[ResourceId,Value]`,
		ec2: `ok [["subnet-a", "lab-a"], ["subnet-c", "lab-c"], ["other-subnet", "other-a"]]`},

	{name: "the same address again", do: `assign_private_ip_addresses ` +
		`{"NetworkInterfaceId":"@nic-b","PrivateIpAddresses":["10.88.60.100"]} | NetworkInterfaceId`,
		ec2: `ok "nic-b"`},
	{name: "check off", do: `modify_network_interface_attribute ` +
		`{"NetworkInterfaceId":"@nic-b","SourceDestCheck":{"Value":false}}`,
		ec2: "ok => -nic-b check, +nic-b forwards"},
	{name: "check off again", do: `modify_network_interface_attribute ` +
		`{"NetworkInterfaceId":"@nic-c","SourceDestCheck":{"Value":false}}`, ec2: "ok"},
	{name: "another description", do: `modify_network_interface_attribute ` +
		`{"NetworkInterfaceId":"@nic-b","Description":{"Value":"a <b> & \"c\""}}`,
		ec2: `ok => -nic-b description "router-b", +nic-b description "a <b> & \"c\""`},
	{name: "groups replaced", do: `modify_network_interface_attribute ` +
		`{"NetworkInterfaceId":"@nic-spare","Groups":["@group-fence","@group-web"]}`,
		ec2: "ok => -nic-spare group-default, +nic-spare group-fence, +nic-spare group-web"},
	{name: "groups of an attached interface replaced",
		do: `modify_network_interface_attribute ` +
			`{"NetworkInterfaceId":"@nic-a","Groups":["@group-fence"]}`,
		ec2: "ok => -nic-a group-router, +nic-a group-fence"},

	{name: "an IPv6 address", needs: []string{"AssignIpv6Addresses"},
		do: `assign_ipv6_addresses ` +
			`{"NetworkInterfaceId":"@nic-b","Ipv6Addresses":["2001:db8:1088:60::9"]} | ` +
			`[NetworkInterfaceId,AssignedIpv6Addresses]`,
		ec2: `ok ["nic-b", ["2001:db8:1088:60::9"]] => +nic-b 2001:db8:1088:60::9`},
	{name: "an IPv6 address given up", needs: []string{"UnassignIpv6Addresses"},
		do: `assign_ipv6_addresses {"NetworkInterfaceId":"@nic-b","Ipv6Addresses":["2001:db8:1088:60::9"]}
			unassign_ipv6_addresses ` +
			`{"NetworkInterfaceId":"@nic-b","Ipv6Addresses":["2001:db8:1088:60::9"]} | ` +
			`[NetworkInterfaceId,UnassignedIpv6Addresses]`,
		ec2: `ok ["nic-b", ["2001:db8:1088:60::9"]]`},

	{name: "tags come", do: `create_tags ` +
		`{"Resources":["@db","@nic-db1"],"Tags":[{"Key":"k","Value":"v"},{"Key":"empty","Value":""}]}`,
		ec2: "ok => +db tag empty=, +db tag k=v, +nic-db1 tag empty=, +nic-db1 tag k=v"},
	{name: "a tag is overwritten",
		do:  `create_tags {"Resources":["@db"],"Tags":[{"Key":"Name","Value":"new"}]}`,
		ec2: "ok => -db tag Name=db, +db tag Name=new"},
	{name: "a tag goes by its key", do: `delete_tags {"Resources":["@db"],"Tags":[{"Key":"Name"}]}`,
		ec2: "ok => -db tag Name=db"},
	{name: "a tag goes by its value",
		do:  `delete_tags {"Resources":["@db"],"Tags":[{"Key":"Name","Value":"db"}]}`,
		ec2: "ok => -db tag Name=db"},
	{name: "a tag with another value stays",
		do: `delete_tags {"Resources":["@db"],"Tags":[{"Key":"Name","Value":"other"}]}`, ec2: "ok"},
	{name: "a tag that is not empty stays",
		do: `delete_tags {"Resources":["@db"],"Tags":[{"Key":"Name","Value":""}]}`, ec2: "ok"},
	{name: "a tag that is not there",
		do: `delete_tags {"Resources":["@db"],"Tags":[{"Key":"absent"}]}`, ec2: "ok"},
	{name: "the fifty-first tag",
		do:  `create_tags {"Resources":["@db"],"Tags":[` + manyTags(50) + `]}`,
		ec2: "TagLimitExceeded: The maximum number of Tags for a resource has been reached."},
	{name: "the fiftieth tag", do: `create_tags {"Resources":["@db"],"Tags":[` + manyTags(49) + `]}
			describe_tags {"Filters":[{"Name":"resource-id","Values":["@db"]}]} | length(Tags)`,
		ec2: "ok 50 => " + manyTagFacts(49)},

	{name: "a route comes", do: `create_route ` +
		`{"RouteTableId":"@table-a","DestinationCidrBlock":"10.98.0.0/24","NetworkInterfaceId":"@nic-b"}`,
		ec2: `ok {"Return": true} => +table-a 10.98.0.0/24 to nic-b`},
	{name: "a route is replaced", do: `replace_route ` +
		`{"RouteTableId":"@table-a","DestinationCidrBlock":"10.99.0.0/24","NetworkInterfaceId":"@nic-b"}`,
		ec2: `ok => -table-a 10.99.0.0/24 to nic-a, +table-a 10.99.0.0/24 to nic-b`},
	{name: "a route goes",
		do:  `delete_route {"RouteTableId":"@table-a","DestinationCidrBlock":"10.99.0.0/24"}`,
		ec2: `ok => -table-a 10.99.0.0/24 to nic-a`},
	{name: "a route that is not there is replaced", do: `replace_route ` +
		`{"RouteTableId":"@table-a","DestinationCidrBlock":"10.98.0.0/24","NetworkInterfaceId":"@nic-b"}`,
		ec2: "InvalidParameterValue: There is no route defined for '10.98.0.0/24' in the route table. " +
			"Use CreateRoute instead."},
	{name: "a route that is not there goes",
		do: `delete_route {"RouteTableId":"@table-a","DestinationCidrBlock":"10.98.0.0/24"}`,
		ec2: "InvalidRoute.NotFound: no route with destination-cidr-block 10.98.0.0/24 in route table " +
			"table-a"},
	{name: "a route in no such table", do: `create_route ` +
		`{"RouteTableId":"rtb-0123456789abcdef0","DestinationCidrBlock":"10.98.0.0/24",` +
		`"NetworkInterfaceId":"@nic-a"}`,
		ec2: "InvalidRouteTableID.NotFound: The routeTable ID 'rtb-0123456789abcdef0' does not exist"},
	{name: "a route to no such interface", do: `create_route ` +
		`{"RouteTableId":"@table-a","DestinationCidrBlock":"10.98.0.0/24",` +
		`"NetworkInterfaceId":"eni-0123456789abcdef0"}`,
		ec2: noInterface},

	{name: "an interface in no such subnet",
		do:  `create_network_interface {"SubnetId":"subnet-0123456789abcdef0"}`,
		ec2: "InvalidSubnetID.NotFound: The subnet ID 'subnet-0123456789abcdef0' does not exist"},
	{name: "DryRun of making an interface", ec2: dryRunSaid,
		do: `create_network_interface {"SubnetId":"@subnet-a","DryRun":true}`},
	{name: "an interface is deleted", ec2: "ok => *",
		do: `delete_network_interface {"NetworkInterfaceId":"@nic-spare"}`},
	{name: "no such interface is deleted", ec2: noInterface,
		do: `delete_network_interface {"NetworkInterfaceId":"eni-0123456789abcdef0"}`},
	{name: "an Elastic IP is allocated, with tags", do: `allocate_address ` +
		`{"Domain":"vpc","TagSpecifications":[{"ResourceType":"elastic-ip",` +
		`"Tags":[{"Key":"k","Value":"v"}]}]} | Domain
			describe_addresses {"Filters":[{"Name":"tag:k","Values":["v"]}]} | ` +
		`Addresses[].[Domain,Tags]`,
		ec2: `ok [["vpc", [{"Key": "k", "Value": "v"}]]]`},
	{name: "a detach", do: `detach_network_interface {"AttachmentId":"@attachment-db1"}`, settle: true,
		ec2: "ok => -nic-db1 attached to db at 1, -nic-db1 deleted on termination: false, -nic-db1 " +
			"in-use in subnet-a of vpc, +nic-db1 available in subnet-a of vpc"},
	{name: "DryRun of a detach",
		do: `detach_network_interface {"AttachmentId":"@attachment-db1","DryRun":true}`, ec2: dryRunSaid},
	{name: "an attach", do: `attach_network_interface ` +
		`{"NetworkInterfaceId":"@nic-spare","InstanceId":"@router-a","DeviceIndex":1} | NetworkCardIndex`,
		settle: true,
		ec2: "ok 0 => -nic-spare available in subnet-a of vpc, +nic-spare attached to router-a at 1, " +
			"+nic-spare deleted on termination: false, +nic-spare in-use in subnet-a of vpc"},
	{name: "a stop", do: `stop_instances {"InstanceIds":["@db"]} | ` +
		`StoppingInstances[].[InstanceId,CurrentState.Name,CurrentState.Code,PreviousState.Name]`,
		settle: true,
		ec2:    `ok [["db", "stopping", 64, "running"]] => -db running, +db stopped`},
	{name: "a stop of what is stopped", settle: true, do: `stop_instances {"InstanceIds":["@db"]}
			stop_instances {"InstanceIds":["@db"]} | StoppingInstances[].InstanceId`,
		ec2: `ok ["db"] => -db running, +db stopped`},
	{name: "a start of what runs",
		do: `start_instances {"InstanceIds":["@db"]} | ` +
			`StartingInstances[].[InstanceId,PreviousState.Name]`,
		ec2: `ok [["db", "running"]]`},
}

func interfacesWith(filters string) string {
	return `describe_network_interfaces {"Filters":[` + filters +
		`]} | sort_by(NetworkInterfaces,&PrivateIpAddress)[].NetworkInterfaceId`
}
