//go:build conformance

package conformance

import (
	"net/http"
	"os"
	"strings"
	"testing"

	"aws-provider-executor/pkg/internal/docblocks"
)

// TestReadme runs what the README tells a newcomer to try, as it is printed there, in a copy of the
// tree, with the AWS CLI and nothing else in the environment.
func TestReadme(t *testing.T) {
	t.Parallel()
	const top = "../../.."
	told.scenario("ec2sim")
	sh := docblocks.Shell{Dir: docblocks.CopyTree(t, top), Env: append(docblocks.GoEnv(t),
		"PATH="+house.aws+":"+os.Getenv("PATH"), "HOME="+house.home)}
	said := sh.Run(t, docblocks.Read(t, top, "README.md#try-one-request"))
	for _, want := range []string{"would assign 10.88.60.9", `"message": "assigned 10.88.60.9`,
		`"NetworkInterfaces": [`, `"Reservations": [`} {
		_, rest, found := strings.Cut(said, want)
		if !found {
			t.Fatalf("after what was wanted before, it does not say %s:\n%s", want, said)
		}
		said = rest
	}
}

// TestTheLedgersTable: an executor uses the table that the page has moto make.
func TestTheLedgersTable(t *testing.T) {
	t.Parallel()
	const block = ".github/docs/ledger.md#a-table-that-machines-share"
	told.scenario(moto, "ec2sim")
	dynamo := &tables{place: own(t, startMoto)}
	atMoto := []string{"AWS_ENDPOINT_URL_DYNAMODB=" + dynamo.url, "AWS_REGION=" + region,
		"AWS_DEFAULT_REGION=" + region, "AWS_ACCESS_KEY_ID=AKIAANYBODY000000000",
		"AWS_SECRET_ACCESS_KEY=anything"}
	sh := docblocks.Shell{Dir: t.TempDir(), Env: append(atMoto,
		"PATH="+house.aws+":"+os.Getenv("PATH"), "HOME="+house.home)}
	said := sh.Run(t, docblocks.Read(t, "../../..", block))
	if !strings.Contains(said, `"PointInTimeRecoveryStatus": "ENABLED"`) {
		t.Errorf("it cannot be restored to a time:\n%s", said)
	}
	w, _ := newBench(t, startSim).lab(t)
	a := w.actions(t)
	a.table = []string{"AWS_ENDPOINT_URL_DYNAMODB=" + dynamo.url,
		"EXECUTOR_STATE_TABLE=arn:aws:dynamodb:" + region + ":123456789012:table/executor-state"}
	a.expect(t, "execute assign-secondary-ip nic-a 10.88.60.9 key=shared/1",
		"succeeded changed=true priorAssigned=false undoable")
	if got := dynamo.items(t, a.table); !strings.Contains(got, "key") {
		t.Errorf("the table has %s", got)
	}
}

// TestIPv6OnlySubnet has an IPv6-only subnet at both places, made by calls there and loaded here.
// Of the subnet both tell alike; an interface in it has no private IPv4 address on EC2, and gets
// one at moto.
func TestIPv6OnlySubnet(t *testing.T) {
	t.Parallel()
	there, here := newBench(t, startMoto), newBench(t, startSim)
	const (
		subnet = `describe_subnets {"Filters":[{"Name":"vpc-id","Values":["@vpc"]}]} | ` +
			`Subnets[].[CidrBlock,Ipv6Native,AssignIpv6AddressOnCreation,` +
			`length(Ipv6CidrBlockAssociationSet)]`
		nic = `describe_network_interfaces {"Filters":[{"Name":"vpc-id","Values":["@vpc"]}]} | ` +
			`NetworkInterfaces[].[PrivateIpAddress,length(PrivateIpAddresses),length(Ipv6Addresses)]`
	)
	atMoto := &world{place: there.place, ids: map[string]string{}}
	for _, made := range []string{
		`vpc = create_vpc {"CidrBlock":"10.20.0.0/16","AmazonProvidedIpv6CidrBlock":true} | Vpc.VpcId`,
		`block = describe_vpcs {"VpcIds":["@vpc"]} | ` +
			`Vpcs[0].Ipv6CidrBlockAssociationSet[0].Ipv6CidrBlock`,
		`subnet = create_subnet {"VpcId":"@vpc","Ipv6Native":true,"Ipv6CidrBlock":"@block"} | ` +
			`Subnet.SubnetId`,
		`nic = create_network_interface {"SubnetId":"@subnet"} | NetworkInterface.NetworkInterfaceId`,
	} {
		role, call, _ := strings.Cut(made, " = ")
		v := atMoto.do(t, call)
		if v.OK == nil {
			t.Fatalf("%s: %s", call, v)
		}
		atMoto.ids[role] = strings.ReplaceAll(strings.Trim(string(v.OK), `"`), "/56", "/64")
	}
	here.control(t, http.MethodPut, "/_sim/state", `
regions:
  `+region+`:
    vpcs: [{id: vpc-0000000a, cidr: 10.20.0.0/16, ipv6Cidr: "2001:db8:20::/56"}]
    subnets: [{id: subnet-0000000a, vpcId: vpc-0000000a, ipv6Cidr: "2001:db8:20::/64"}]
    interfaces: [{id: eni-0000000a, subnetId: subnet-0000000a}]
`, nil)
	atSim := &world{place: here.place,
		ids: map[string]string{"vpc": "vpc-0000000a", "nic": "eni-0000000a"}}
	told.scenario(moto, "ec2sim")
	if a, b := atMoto.do(t, subnet).String(),
		atSim.do(t, subnet).String(); a != b || b != "ok [[null, true, true, 1]]" {
		t.Errorf("moto:   %s\nec2sim: %s", a, b)
	}
	if got := atSim.do(t, nic).String(); got != "ok [[null, 0, 1]]" {
		t.Errorf("ec2sim tells %s of the interface", got)
	}
	if got := atMoto.do(t, nic).String(); strings.Contains(got, ", 1, 0]]") {
		told.deviates()
	} else {
		told.hear(t, "%s of an interface in an IPv6-only subnet", got)
	}
	told.scenario("ec2sim")
	refused := atSim.do(t,
		`assign_private_ip_addresses {"NetworkInterfaceId":"@nic","PrivateIpAddresses":["10.20.0.9"]}`)
	if got := refused.String(); !strings.HasPrefix(got, "InvalidParameterValue: ") {
		t.Errorf("an IPv4 address there: %s", got)
	}
}
