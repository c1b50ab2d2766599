//go:build conformance

package conformance

import "strings"

// noNIC is an interface that exists nowhere.
const noNIC = "eni-0123456789abcdef0"

// scenarios are what the executor does with an EC2, whichever it is.
// slotChanges are what comes, or goes, with that interface.
func slotChanges(sign string) string {
	var all []string
	for _, fact := range []string{"10.88.60.77 primary", "attached to router-a at 1",
		"deleted on termination: false", `description ""`, "forwards", "group-router",
		"in-use in subnet-a of vpc", "tag aws-provider-executor:slot=router-a/1/a-token"} {
		all = append(all, sign+"an-interface "+fact)
	}
	return strings.Join(all, ", ")
}

// asked is an interface that is asked for.
const asked = "subnet.ap-northeast-1a=subnet-a subnet.ap-northeast-1c=subnet-a " +
	"securityGroups=group-router sourceDestCheck=false deleteOnTermination=false " +
	"privateAddresses=10.88.60.77"

var scenarios = []scenario{
	{"a dry-run changes nothing", []step{
		{do: "dry-run assign-secondary-ip nic-a 10.88.60.9", want: "succeeded priorAssigned=false"},
		{do: "dry-run assign-secondary-ip nic-a 10.88.60.9/32", want: "succeeded priorAssigned=false"},
		{do: "dry-run assign-secondary-ip nic-b 10.88.60.100", want: "succeeded priorAssigned=true"},
		{do: "dry-run unassign-secondary-ip nic-b 10.88.60.100", want: "succeeded"},
		{do: "dry-run unassign-secondary-ip nic-a 10.88.60.100", want: "succeeded"},
		{do: "dry-run unassign-secondary-ip nic-b 10.88.60.100 priorAssigned=true", want: "skipped"},
		{do: "dry-run ensure-forwarding-enabled nic-a",
			want: "succeeded priorSourceDestCheck=true sourceDestCheck=true"},
		{do: "dry-run ensure-forwarding-enabled nic-c", want: "succeeded priorSourceDestCheck=false"},
		{do: "dry-run ensure-forwarding-disabled nic-c priorSourceDestCheck=true", want: "succeeded"},
		{do: "dry-run ensure-forwarding-disabled nic-c priorSourceDestCheck=false", want: "skipped"},
	}},
	{"an address is assigned and given up again", []step{
		{do: "execute assign-secondary-ip nic-a 10.88.60.9",
			want: "succeeded changed=true priorAssigned=false assignedAddress=10.88.60.9 " +
				"currentSecondaryIps=10.88.60.9 undoable",
			changes: "+nic-a 10.88.60.9"},
		{do: "execute undo", want: "succeeded changed=true unassignedAddress=10.88.60.9",
			changes: "-nic-a 10.88.60.9"},
		{do: "execute undo", want: "succeeded changed=false"},
	}},
	{"an address is assigned as a /32", []step{
		{do: "execute assign-secondary-ip nic-b 10.88.60.9/32",
			want: "succeeded changed=true assignedAddress=10.88.60.9 " +
				"currentSecondaryIps=10.88.60.100,10.88.60.9",
			changes: "+nic-b 10.88.60.9"},
		{do: "execute undo", want: "succeeded unassignedAddress=10.88.60.9",
			changes: "-nic-b 10.88.60.9"},
	}},
	{"an address that was there stays when it is undone", []step{
		{do: "execute assign-secondary-ip nic-b 10.88.60.100",
			want: "succeeded changed=false priorAssigned=true undoable"},
		{do: "execute undo", want: "skipped"},
	}},
	{"one key is one action", []step{
		{do: "execute assign-secondary-ip nic-a 10.88.60.9 key=k",
			want: "succeeded changed=true priorAssigned=false", changes: "+nic-a 10.88.60.9"},
		{do: "execute assign-secondary-ip nic-a 10.88.60.9 key=k",
			want: "succeeded changed=true priorAssigned=false undoable"},
		{do: "execute assign-secondary-ip nic-b 10.88.60.9 key=k", want: "failed conflict"},
		{do: "execute ensure-forwarding-enabled nic-a key=k", want: "failed conflict"},
	}},
	{"an address is unassigned", []step{
		{do: "execute unassign-secondary-ip nic-b 10.88.60.100/32",
			want: "succeeded changed=true unassignedAddress=10.88.60.100", changes: "-nic-b 10.88.60.100"},
		{do: "execute unassign-secondary-ip nic-b 10.88.60.100", want: "succeeded changed=false"},
	}},
	{"an undo finds its work done by hand", []step{
		{do: "execute assign-secondary-ip nic-a 10.88.60.9", want: "succeeded",
			changes: "+nic-a 10.88.60.9"},
		{do: `by hand: unassign_private_ip_addresses ` +
			`{"NetworkInterfaceId":"@nic-a","PrivateIpAddresses":["10.88.60.9"]}`, want: "ok",
			changes: "-nic-a 10.88.60.9"},
		{do: "execute undo", want: "succeeded changed=false"},
	}},
	{"forwarding is switched on and off", []step{
		{do: "execute ensure-forwarding-enabled nic-a",
			want:    "succeeded changed=true priorSourceDestCheck=true sourceDestCheck=false undoable",
			changes: "-nic-a check, +nic-a forwards"},
		{do: "execute ensure-forwarding-enabled nic-a",
			want: "succeeded changed=false priorSourceDestCheck=false"},
		{do: "execute undo", want: "skipped"},
	}},
	{"forwarding is undone", []step{
		{do: "execute ensure-forwarding-enabled nic-a 10.88.60.9/32",
			want:    "succeeded changed=true priorSourceDestCheck=true",
			changes: "-nic-a check, +nic-a forwards"},
		{do: "execute undo", want: "succeeded changed=true sourceDestCheck=true",
			changes: "-nic-a forwards, +nic-a check"},
		{do: "execute undo", want: "succeeded changed=false"},
	}},
	{"what forwarded stays forwarding when it is undone", []step{
		{do: "execute ensure-forwarding-enabled nic-c",
			want: "succeeded changed=false priorSourceDestCheck=false undoable"},
		{do: "execute undo", want: "skipped priorSourceDestCheck=false"},
	}},
	{"forwarding is not undone by guessing", []step{
		{do: "execute ensure-forwarding-disabled nic-c", want: "failed invalid-request"},
	}},
	{"forwarding is kept for another that needs it", []step{
		{do: "execute ensure-forwarding-enabled nic-a key=first", want: "succeeded changed=true",
			changes: "-nic-a check, +nic-a forwards"},
		{do: "execute ensure-forwarding-enabled nic-a key=second", want: "succeeded changed=false"},
		{do: "execute ensure-forwarding-disabled nic-a key=first:undo priorSourceDestCheck=true",
			want: `succeeded changed=false heldBy=["second"] withdrawn=true`},
		{do: "execute ensure-forwarding-disabled nic-a key=second:undo priorSourceDestCheck=false",
			want: "succeeded changed=true", changes: "-nic-a forwards, +nic-a check"},
	}},
	{"forwarding is taken from another that needs it", []step{
		{do: "execute ensure-forwarding-enabled nic-a key=first", want: "succeeded changed=true",
			changes: "-nic-a check, +nic-a forwards"},
		{do: "execute ensure-forwarding-enabled nic-a key=second", want: "succeeded changed=false"},
		{do: "execute ensure-forwarding-disabled nic-a key=first:undo priorSourceDestCheck=true " +
			"ignoreHolders=true", want: "succeeded changed=true", changes: "-nic-a forwards, +nic-a check"},
	}},
	{"an interface that does not exist", []step{
		{do: "dry-run assign-secondary-ip " + noNIC + " 10.88.60.9",
			want: "failed not-found awsErrorCode=InvalidNetworkInterfaceID.NotFound retryable=true " +
				"requestId"},
		{do: "execute assign-secondary-ip " + noNIC + " 10.88.60.9",
			want: "failed not-found awsErrorCode=InvalidNetworkInterfaceID.NotFound"},
		{do: "execute unassign-secondary-ip " + noNIC + " 10.88.60.9", want: "failed not-found"},
		{do: "execute unassign-secondary-ip nic-a 10.88.60.9 priorHolder=" + noNIC,
			want: "failed drift drift=none"},
		{do: "execute ensure-forwarding-enabled " + noNIC, want: "failed not-found"},
		{do: "execute ensure-forwarding-disabled " + noNIC + " priorSourceDestCheck=true",
			want: "failed not-found"},
	}},
	{"another region has none of it", []step{
		{do: "dry-run assign-secondary-ip nic-a 10.88.60.9 region=eu-central-1",
			want: "failed not-found awsErrorCode=InvalidNetworkInterfaceID.NotFound"},
		{do: "execute ensure-forwarding-enabled nic-a region=us-east-1", want: "failed not-found"},
	}},
	{"a region that EC2 has not", []step{
		{do: "execute assign-secondary-ip nic-a 10.88.60.9 region=xx-nowhere-9 within=5s",
			want: "failed authentication awsErrorCode=AuthFailure",
			moto: &outcome{want: "failed retryable=true"}},
	}},
	{"a primary address is no secondary one", []step{
		{do: "dry-run assign-secondary-ip nic-a 10.88.60.11", want: "failed invalid-request"},
		{do: "execute assign-secondary-ip nic-a 10.88.60.11", want: "failed invalid-request"},
		{do: "execute unassign-secondary-ip nic-a 10.88.60.11", want: "failed invalid-request"},
	}},
	{"an address that another holds as its primary one", []step{
		{do: "dry-run assign-secondary-ip nic-a 10.88.60.12", want: "failed conflict holder=nic-b"},
		{do: "dry-run assign-secondary-ip nic-a 10.88.60.12 allowReassignment=true",
			want: "failed conflict holder=nic-b"},
		{do: "execute assign-secondary-ip nic-a 10.88.60.12 allowReassignment=true",
			want: "failed conflict holder=nic-b"},
	}},
	{"a dry-run foresees what the subnet cannot give", []step{
		{do: "dry-run assign-secondary-ip nic-a 10.88.61.9", want: "failed invalid-request"},
		{do: "dry-run assign-secondary-ip nic-a 10.88.60.1", want: "failed invalid-request"},
		{do: "dry-run assign-secondary-ip nic-a 10.88.60.255", want: "failed invalid-request"},
	}},
	{"a request that cannot be right goes nowhere", []step{
		{do: "execute assign-secondary-ip eni-short 10.88.60.0/24 allowReassignment=perhaps",
			want: "failed invalid-request"},
		{do: "execute assign-secondary-ip nic-a", want: "failed invalid-request"},
		{do: "dry-run terminate-instance nic-a", want: "failed invalid-request"},
	}},
	{"an address is taken from its holder and given back", []step{
		{do: "dry-run assign-secondary-ip nic-a 10.88.60.100 allowReassignment=true",
			want: "succeeded priorHolder=nic-b",
			moto: &outcome{want: "succeeded priorAssigned=false"}},
		{do: "execute assign-secondary-ip nic-a 10.88.60.100 allowReassignment=true " +
			"expectedHolderRef=nic-b",
			want:    "succeeded changed=true priorHolder=nic-b assignedAddress=10.88.60.100",
			changes: "-nic-b 10.88.60.100, +nic-a 10.88.60.100",
			moto:    &outcome{"succeeded changed=true", "+nic-a 10.88.60.100"}},
		{do: "execute undo", want: "succeeded changed=true restoredHolder=nic-b",
			changes: "-nic-a 10.88.60.100, +nic-b 10.88.60.100",
			moto:    &outcome{"succeeded changed=true", "-nic-a 10.88.60.100"}},
	}},
	{"an address that another holds stays there without leave", []step{
		{do: "dry-run assign-secondary-ip nic-a 10.88.60.100", want: "failed conflict holder=nic-b",
			moto: &outcome{want: "succeeded"}},
		{do: "execute assign-secondary-ip nic-a 10.88.60.100 allowReassignment=true " +
			"expectedHolderRef=nic-spare", want: "failed conflict holder=nic-b",
			moto: &outcome{"succeeded changed=true", "+nic-a 10.88.60.100"}},
		{do: "execute assign-secondary-ip nic-a 10.88.60.100",
			want: "failed conflict awsErrorCode=InvalidParameterValue holder=nic-b",
			moto: &outcome{"succeeded changed=false", ""}},
	}},
	{"an address that somebody has moved on is not given back", []step{
		{do: "execute assign-secondary-ip nic-a 10.88.60.9", want: "succeeded",
			changes: "+nic-a 10.88.60.9"},
		{do: `by hand: assign_private_ip_addresses ` +
			`{"NetworkInterfaceId":"@nic-spare","PrivateIpAddresses":["10.88.60.9"],` +
			`"AllowReassignment":true} | NetworkInterfaceId`,
			want: `ok "nic-spare"`, changes: "-nic-a 10.88.60.9, +nic-spare 10.88.60.9",
			moto: &outcome{`ok "nic-spare"`, "+nic-spare 10.88.60.9"}},
		{do: "execute undo", want: "failed drift",
			moto: &outcome{"succeeded changed=true", "-nic-a 10.88.60.9"}},
	}},
	{"what the subnet cannot give is refused", []step{
		{do: "execute assign-secondary-ip nic-a 10.88.61.9",
			want: "failed invalid-request awsErrorCode=InvalidParameterValue",
			moto: &outcome{"succeeded changed=true", "+nic-a 10.88.61.9"}},
		{do: "execute assign-secondary-ip nic-a 10.88.60.2",
			want: "failed invalid-request awsErrorCode=InvalidParameterValue",
			moto: &outcome{"succeeded changed=true", "+nic-a 10.88.60.2"}},
	}},
	{"what the instance cannot hold is refused", []step{
		{do: `by hand: assign_private_ip_addresses ` +
			`{"NetworkInterfaceId":"@nic-db0","PrivateIpAddresses":["10.88.60.201","10.88.60.202",` +
			`"10.88.60.203"]} | NetworkInterfaceId`,
			want:    `ok "nic-db0"`,
			changes: "+nic-db0 10.88.60.201, +nic-db0 10.88.60.202, +nic-db0 10.88.60.203"},
		{do: "execute assign-secondary-ip nic-db0 10.88.60.204",
			want: "failed limit-exceeded awsErrorCode=PrivateIpAddressLimitExceeded",
			moto: &outcome{"succeeded changed=true", "+nic-db0 10.88.60.204"}},
	}},

	{"a route comes and goes", []step{
		{do: "dry-run assign-route-table-route table-a nic-b 10.98.0.9/32",
			want: "succeeded priorRouteTarget=none"},
		{do: "execute assign-route-table-route table-a nic-b 10.98.0.9",
			want:    "succeeded changed=true priorRouteTarget=none nextHopNICRef=nic-b undoable",
			changes: "+table-a 10.98.0.9/32 to nic-b"},
		{do: "execute undo", want: "succeeded changed=true restoredRouteTarget=none",
			changes: "-table-a 10.98.0.9/32 to nic-b"},
		{do: "execute undo", want: "succeeded changed=false"},
	}},
	{"a route is taken and given back", []step{
		{do: "execute assign-route-table-route table-a nic-b 10.99.0.0/24", want: "failed conflict"},
		{do: "execute assign-route-table-route table-a nic-b 10.99.0.0/24 allowReassignment=true",
			want:    "succeeded changed=true priorRouteTarget=nic-a",
			changes: "-table-a 10.99.0.0/24 to nic-a, +table-a 10.99.0.0/24 to nic-b"},
		{do: "execute undo", want: "succeeded changed=true restoredRouteTarget=nic-a",
			changes: "-table-a 10.99.0.0/24 to nic-b, +table-a 10.99.0.0/24 to nic-a"},
	}},
	{"a route that led there stays when it is undone", []step{
		{do: "execute assign-route-table-route table-a nic-a 10.99.0.0/24",
			want: "succeeded changed=false priorRouteTarget=nic-a"},
		{do: "execute undo", want: "skipped"},
	}},
	{"a route in no such table", []step{
		{do: "dry-run assign-route-table-route rtb-0123456789abcdef0 nic-a 10.98.0.0/24",
			want: "failed not-found awsErrorCode=InvalidRouteTableID.NotFound"},
		{do: "execute unassign-route-table-route rtb-0123456789abcdef0 nic-a 10.98.0.0/24",
			want: "failed not-found"},
	}},
	{"a route within the VPC", []step{
		{do: "execute assign-route-table-route table-a nic-a 10.88.60.9/32",
			want: "failed invalid-request awsErrorCode=InvalidParameterValue",
			moto: &outcome{"succeeded changed=true", "+table-a 10.88.60.9/32 to nic-a"}},
	}},
	{"an instance is fenced and unfenced", []step{
		{do: "dry-run fence-security-groups db securityGroups=group-fence invertSgRemoval=true " +
			"skipRaceCheck=true", want: "succeeded"},
		{do: "execute fence-security-groups db securityGroups=group-fence invertSgRemoval=true " +
			"skipRaceCheck=true",
			want: "succeeded changed=true fencedSecurityGroups.nic-db0=group-fence " +
				"fencedSecurityGroups.nic-db1=group-fence " +
				"priorSecurityGroups.nic-db0=group-default,group-web priorSecurityGroups.nic-db1=group-web " +
				"undoable",
			changes: "-nic-db0 group-default, -nic-db0 group-web, -nic-db1 group-web, +db tag lastfence, " +
				"+db tag of a fence's backup 1_0, " +
				"+db tag of a fence's backup 2_0, +nic-db0 group-fence, +nic-db1 group-fence"},
		{do: "execute undo", want: "succeeded changed=true " +
			"restoredSecurityGroups.nic-db0=group-default,group-web " +
			"restoredSecurityGroups.nic-db1=group-web",
			changes: "-db tag lastfence, -db tag of a fence's backup 1_0, -db tag of a fence's backup " +
				"2_0, -nic-db0 group-fence, -nic-db1 group-fence, " +
				"+nic-db0 group-default, +nic-db0 group-web, +nic-db1 group-web"},
	}},
	{"a fence leaves no interface without a group", []step{
		{do: "execute fence-security-groups db securityGroups=group-web skipRaceCheck=true",
			want: "failed invalid-request"},
	}},
	{"a fence of what is not there", []step{
		{do: "execute fence-security-groups i-0123456789abcdef0 securityGroups=group-web " +
			"skipRaceCheck=true", want: "failed not-found awsErrorCode=InvalidInstanceID.NotFound"},
		{do: "execute fence-security-groups db securityGroups=sg-0123456789abcdef0 skipRaceCheck=true",
			want: "failed not-found retryable=true"},
	}},
	{"an instance does not fence itself", []step{
		// moto has no metadata service to tell which instance it is.
		{do: "execute fence-security-groups router-a securityGroups=group-fence invertSgRemoval=true",
			want: "failed self-fence",
			moto: &outcome{"succeeded changed=true selfCheck=unavailable",
				"-nic-a group-router, +nic-a group-fence, +router-a tag lastfence, +router-a tag of a " +
					"fence's backup 1_0"}},
	}},
	{"tags are set and restored", []step{
		{do: "dry-run ensure-tags of=nic-db1 tag.Name=edge tag.role=router",
			want: `succeeded priorTag.Name="db" priorTag.role=absent`},
		{do: "execute ensure-tags of=nic-db1 tag.Name=edge tag.role=router tag.empty=",
			want: `succeeded changed=true priorTag.Name="db" priorTag.role=absent ` +
				`priorTag.empty=absent ensuredTag.Name="edge" ensuredTag.empty="" undoable`,
			changes: "-nic-db1 tag Name=db, +nic-db1 tag Name=edge, +nic-db1 tag empty=, " +
				"+nic-db1 tag role=router"},
		{do: "execute undo", want: "succeeded changed=true restoredTag.role=absent " +
			`restoredTag.Name="db" restoredTag.empty=absent`,
			changes: "-nic-db1 tag Name=edge, -nic-db1 tag empty=, -nic-db1 tag role=router, " +
				"+nic-db1 tag Name=db"},
		{do: "execute undo", want: "succeeded changed=false"},
	}},
	{"tags of an instance are set over one another", []step{
		{do: "execute ensure-tags of=db tag.role=a key=a",
			want: "succeeded changed=true priorTag.role=absent", changes: "+db tag role=a"},
		{do: "execute ensure-tags of=db tag.role=b key=b",
			want: `succeeded changed=true priorTag.role="a"`, changes: "-db tag role=a, +db tag role=b"},
		{do: "execute restore-tags of=db key=a:undo",
			want: `succeeded changed=false heldBy=["b"] restoredTag.role="b"`},
		{do: "execute restore-tags of=db key=b:undo",
			want: "succeeded changed=true restoredTag.role=absent", changes: "-db tag role=b"},
	}},
	{"an interface is made and removed", []step{
		{do: "dry-run ensure-network-interface router-a index=1 " + asked,
			want: "succeeded priorInterface=absent origin=created"},
		{do: "execute ensure-network-interface router-a index=1 " + asked,
			want: "succeeded changed=true priorInterface=absent origin=created sourceDestCheck=false " +
				"deleteOnTermination=false undoable", changes: slotChanges("+")},
		{do: "execute undo", want: "succeeded changed=true", changes: slotChanges("-")},
		{do: "execute undo", want: "succeeded changed=false"},
	}},
	// moto gives other public addresses, and says otherwise what is not there.
	{"an Elastic IP is taken and released", []step{
		{do: "dry-run ensure-public-address db index=1",
			want: "succeeded priorPublicAddress=absent origin=allocated"},
		{do: "execute ensure-public-address db index=1 key=a",
			want: "succeeded changed=true priorPublicAddress=absent origin=allocated " +
				"publicIpv4Pool=amazon networkInterfaceRef=nic-db1 undoable",
			changes: untold,
			moto:    &outcome{"succeeded changed=true origin=allocated undoable", untold}},
		{do: "execute ensure-public-address db index=1 key=b",
			want: "succeeded changed=false origin=found"},
		{do: "execute undo", want: `skipped heldBy=["a"]`},
		{do: "execute remove-public-address db index=1 priorPublicAddress=absent key=a:undo",
			want: "succeeded changed=true", changes: untold},
		{do: "execute remove-public-address db index=1 priorPublicAddress=absent key=a:undo",
			want: "skipped"},
	}},
	{"no Elastic IP for an interface that is not there", []step{
		{do: "execute ensure-public-address db index=3", want: "failed not-found"},
		{do: "execute ensure-public-address db index=1 allocationRef=eipalloc-0123456789abcdef0",
			want: "failed not-found awsErrorCode=InvalidAllocationID.NotFound",
			moto: &outcome{want: "failed not-found awsErrorCode=InvalidAllocationID.NotFound"}},
	}},
	{"what does not exist has no tags", []step{
		{do: "dry-run ensure-tags of=eni-0123456789abcdef0 tag.role=a", want: "failed not-found"},
		{do: "execute ensure-tags of=i-0123456789abcdef0 tag.role=a", want: "failed not-found",
			moto: &outcome{want: "succeeded changed=true"}},
	}},
	// moto has no metadata service to tell which instance it is.
	{"an instance is stopped and started", []step{
		{do: "dry-run stop-instances db requiredTag=Name=db",
			want: "succeeded priorInstanceState=running selfCheck=passed",
			moto: &outcome{want: "succeeded priorInstanceState=running selfCheck=unavailable"}},
		{do: "execute stop-instances db requiredTag=Name=db",
			want: "succeeded changed=true priorInstanceState=running instanceState=stopped " +
				"requiredTag=Name=db undoable selfCheck=passed",
			changes: "-db running, +db stopped",
			moto: &outcome{"succeeded changed=true priorInstanceState=running " +
				"instanceState=stopped undoable selfCheck=unavailable", "-db running, +db stopped"}},
		{do: "execute stop-instances db requiredTag=Name=db",
			want: "succeeded changed=false priorInstanceState=stopped selfCheck=passed",
			moto: &outcome{want: "succeeded changed=false priorInstanceState=stopped " +
				"selfCheck=unavailable"}},
		{do: "execute undo", want: `skipped heldBy=["conformance-2"]`},
	}},
	{"a stop is undone", []step{
		{do: "execute stop-instances db requiredTag=Name=db",
			want:    "succeeded changed=true selfCheck=passed",
			changes: "-db running, +db stopped",
			moto: &outcome{"succeeded changed=true selfCheck=unavailable",
				"-db running, +db stopped"}},
		{do: "execute undo", want: "succeeded changed=true instanceState=running",
			changes: "-db stopped, +db running"},
		{do: "execute undo", want: "succeeded changed=false"},
	}},
	{"an instance without the tag is not stopped", []step{
		{do: "execute stop-instances db requiredTag=Name=another", want: "failed denied"},
		{do: "execute stop-instances db requiredTag=lab=", want: "failed denied"},
		{do: "execute start-instances db requiredTag=lab= priorInstanceState=running",
			want: "failed denied"},
		{do: "execute stop-instances i-0123456789abcdef0 requiredTag=Name=db",
			want: "failed not-found awsErrorCode=InvalidInstanceID.NotFound"},
	}},
}
