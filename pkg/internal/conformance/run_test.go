//go:build conformance

package conformance

import (
	"bytes"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestReadme runs what the README tells a newcomer to try, as it is printed there, with the
// programs, the examples and the AWS CLI, and nothing else in the environment.
func TestReadme(t *testing.T) {
	t.Parallel()
	top, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile(filepath.Join(top, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, to := range map[string]string{"bin": house.dir,
		"examples": filepath.Join(top, "examples")} {
		if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	ran := 0
	for line := range strings.Lines(string(readme)) {
		if !strings.HasPrefix(line, "bin/ec2sim ") {
			continue
		}
		ran++
		told.scenario("ec2sim")
		cmd := exec.Command("sh", "-c", line)
		cmd.Dir = dir
		cmd.Env = []string{"PATH=" + house.aws + ":" + os.Getenv("PATH"), "HOME=" + house.home}
		var stdout, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		err := cmd.Run()
		shows := strings.Contains(stdout.String(), "eni-") || !strings.Contains(line, "aws ") &&
			stdout.Len() > 0
		if err != nil || stderr.Len() > 0 || !shows {
			t.Errorf("%s: %v\n%s%s", line, err, &stdout, &stderr)
		}
	}
	if ran < 4 {
		t.Errorf("the README has %d commands to try", ran)
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
