//go:build conformance

package conformance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// command is a line of shell as a person types it, and what the AWS CLI makes of it.
type command struct {
	line string
	// want is standard output, without the last newline; shows is a part of it. With neither it is
	// empty.
	want, shows string
	// says is a part of standard error, which is empty without it.
	says string
	// once is for what HTTPS can't make another thing of than HTTP.
	once bool
	// fails is for what ends with the CLI's exit code for errors of the service.
	fails bool
}

// commands are one session, in order.
var commands = []command{
	// Looking around.
	{line: `aws sts get-caller-identity --query '[Account,Arn]' --output text`,
		want: "123456789012\tarn:aws:iam::123456789012:user/lab-operator"},
	{line: `aws ec2 describe-instance-types --instance-types t3.medium --query ` +
		`'InstanceTypes[].NetworkInfo.[MaximumNetworkInterfaces,Ipv4AddressesPerInterface]' ` +
		`--output text`, want: "3\t6"},
	// A command, and what became of it.
	{line: `aws ssm describe-instance-information --filters ` +
		`Key=InstanceIds,Values=i-01088600000000011,i-01088600000000020 --query ` +
		`'InstanceInformationList[].[InstanceId,PingStatus]' --output text`,
		want: "i-01088600000000011\tOnline"},
	{line: `id=$(aws ssm send-command --instance-ids i-01088600000000011 --document-name ` +
		`AWS-RunShellScript --parameters commands=uptime,date --comment key:cli --query ` +
		`Command.CommandId --output text) && aws ssm wait command-executed --command-id "$id" ` +
		`--instance-id i-01088600000000011 && aws ssm get-command-invocation --command-id "$id" ` +
		`--instance-id i-01088600000000011 --query '[Status,ResponseCode,Comment]' --output text`,
		want: "Success\t0\tkey:cli"},
	{line: `aws ssm list-commands --instance-id i-01088600000000011 --filters ` +
		`key=DocumentName,value=AWS-RunShellScript --query 'Commands[].Parameters.commands' ` +
		`--output text`, want: "uptime\tdate"},
	{line: `aws ssm send-command --instance-ids i-01088600000000020 --document-name ` +
		`AWS-RunShellScript --parameters commands=uptime`, fails: true, says: "InvalidInstanceId"},
	{line: `aws ssm describe-document --name AWS-RunShellScript --query ` +
		`'Document.[DocumentType,Status]' --output text`, want: "Command\tActive"},
	// Secrets, which who runs the stand-in puts there.
	{line: `curl -fsS -o /dev/null -X PUT "$AWS_ENDPOINT_URL_EC2/_sim/secret" ` +
		`-d '{"name": "nodes/keys", "suffix": "Ab12Cd", "value": "hidden"}'`, once: true},
	{line: `curl -fsS -o /dev/null -X PUT "$AWS_ENDPOINT_URL_EC2/_sim/parameter" ` +
		`-d '{"name": "/nodes/psk", "value": "shared"}'`, once: true},
	{line: `aws secretsmanager get-secret-value --secret-id nodes/keys --query ` +
		`'[ARN,SecretString]' --output text`, want: "arn:aws:secretsmanager:ap-northeast-1:" +
		"123456789012:secret:nodes/keys-Ab12Cd\thidden", once: true},
	{line: `aws secretsmanager get-secret-value --secret-id none`, fails: true,
		says: "(ResourceNotFoundException) when calling the GetSecretValue operation"},
	{line: `aws ssm get-parameter --name /nodes/psk --with-decryption --query ` +
		`'Parameter.[Type,Value]' --output text`, want: "SecureString\tshared", once: true},
	{line: `aws ssm get-parameter --name /none`, fails: true,
		says: "(ParameterNotFound) when calling the GetParameter operation"},
	{line: `aws ec2 describe-network-interfaces --filters Name=tag:Name,Values='router-*' --query ` +
		`'NetworkInterfaces[].[NetworkInterfaceId,PrivateIpAddress,SourceDestCheck]' --output text`,
		want: "eni-01088600000000011\t10.88.60.11\tTrue\neni-01088600000000012\t10.88.60.12\tTrue\n" +
			"eni-01088610000000013\t10.88.61.13\tFalse"},
	{line: `aws ec2 describe-network-interfaces --network-interface-ids eni-01088600000000012`,
		shows: `            "PrivateIpAddresses": [
                {
                    "Primary": true,
                    "PrivateDnsName": "ip-10-88-60-12.ap-northeast-1.compute.internal",
                    "PrivateIpAddress": "10.88.60.12"
                },
                {
                    "Primary": false,
                    "PrivateDnsName": "ip-10-88-60-100.ap-northeast-1.compute.internal",
                    "PrivateIpAddress": "10.88.60.100"
                }
            ],
`},
	{line: `aws ec2 describe-network-interfaces --filters Name=vpc-id,Values=vpc-01088000000000000 ` +
		`Name=addresses.private-ip-address,Values=10.88.60.100 --query ` +
		`'NetworkInterfaces[0].NetworkInterfaceId'`,
		want: `"eni-01088600000000012"`},
	{line: `aws ec2 describe-network-interfaces --page-size 5 --query 'length(NetworkInterfaces)'`,
		want: "7"},
	{line: `aws ec2 describe-network-interfaces --max-items 2 --query ` +
		`'[length(NetworkInterfaces),NextToken!=null]' --output json | tr -d ' \n'`, want: "[2,true]"},
	{once: true, line: `aws ec2 describe-network-interfaces --starting-token "$(aws ec2 ` +
		`describe-network-interfaces --max-items 6 --query NextToken | tr -d \")" --query ` +
		`'NetworkInterfaces[].Description'`,
		want: "[\n    \"ELB net/lab/0123456789abcdef\"\n]"},
	{line: `aws ec2 describe-vpcs --query 'Vpcs[].{Id:VpcId,Block:CidrBlock}' --output table`,
		want: `-------------------------------------------
|              DescribeVpcs               |
+---------------+-------------------------+
|     Block     |           Id            |
+---------------+-------------------------+
|  10.77.0.0/16 |  vpc-01077000000000000  |
|  10.88.0.0/16 |  vpc-01088000000000000  |
+---------------+-------------------------+`},
	{line: `aws ec2 describe-subnets --filters Name=vpc-id,Values=vpc-01088000000000000 --query ` +
		`'Subnets[].[SubnetId,CidrBlock,AvailabilityZone]' --output text`,
		want: "subnet-01088600000000000\t10.88.60.0/24\tap-northeast-1a\nsubnet-01088610000000000\t" +
			"10.88.61.0/24\tap-northeast-1c"},
	{line: `aws ec2 describe-instances --instance-ids i-01088600000000020 --query ` +
		`'Reservations[].Instances[].[InstanceId,State.Name,NetworkInterfaces[1].NetworkInterfaceId]' ` +
		`--output text`,
		want: "i-01088600000000020\trunning\teni-01088600000000021"},
	{once: true, line: `aws ec2 describe-instances --output text`,
		shows: "ASSOCIATION\t123456789012\tec2-203-0-113-11.ap-northeast-1.compute.amazonaws.com\t" +
			"203.0.113.11"},
	{line: `aws ec2 describe-security-groups --group-ids sg-01088000000000003 --query ` +
		`'SecurityGroups[].[GroupName,IpPermissions]' --output json | tr -d ' \n'`,
		want: `[["fence",[]]]`},
	{line: `aws ec2 describe-route-tables --route-table-ids rtb-01088000000000060 --query ` +
		`'RouteTables[].Routes[].[DestinationCidrBlock,NetworkInterfaceId||GatewayId]' --output text`,
		want: "10.88.0.0/16\tlocal\nNone\tlocal\n0.0.0.0/0\tigw-01088000000000000\n10.99.0.0/24\t" +
			"eni-01088600000000011"},
	{line: `aws ec2 describe-tags --filters Name=resource-type,Values=instance --query ` +
		`'Tags[].[ResourceId,Key,Value]' --output text`,
		want: "i-01088600000000011\tName\trouter-a\ni-01088600000000012\tName\trouter-b\n" +
			"i-01088600000000020\tName\tdb\ni-01088610000000013\tName\trouter-c"},
	{line: `aws ec2 describe-regions --region-names ap-northeast-1 --output text`,
		want: "REGIONS\tec2.ap-northeast-1.amazonaws.com\topt-in-not-required\tap-northeast-1"},

	// An address.
	{line: `aws ec2 assign-private-ip-addresses --network-interface-id eni-01088600000000011 ` +
		`--private-ip-addresses 10.88.60.9`, want: `{
    "NetworkInterfaceId": "eni-01088600000000011",
    "AssignedPrivateIpAddresses": [
        {
            "PrivateIpAddress": "10.88.60.9"
        }
    ],
    "AssignedIpv4Prefixes": []
}`},
	{line: `aws ec2 assign-private-ip-addresses --network-interface-id eni-01088600000000011 ` +
		`--private-ip-addresses 10.88.60.100`, fails: true,
		says: "An error occurred (InvalidParameterValue) when calling the AssignPrivateIpAddresses " +
			"operation: [10.88.60.100] assigned, but move is not allowed."},
	{line: `aws ec2 assign-private-ip-addresses --network-interface-id eni-01088600000000011 ` +
		`--private-ip-addresses 10.88.60.100 --allow-reassignment --output text`,
		want: "eni-01088600000000011\nASSIGNEDPRIVATEIPADDRESSES\t10.88.60.100"},
	{line: `aws ec2 unassign-private-ip-addresses --network-interface-id eni-01088600000000011 ` +
		`--private-ip-addresses 10.88.60.9`},
	{once: true, line: `aws ec2 unassign-private-ip-addresses --network-interface-id ` +
		`eni-01088600000000011 --private-ip-addresses 10.88.60.9`, fails: true,
		says: "An error occurred (InvalidParameterValue) when calling the UnassignPrivateIpAddresses " +
			"operation: Some of the specified addresses are not assigned to interface " +
			"eni-01088600000000011"},
	{line: `aws ec2 assign-private-ip-addresses --network-interface-id eni-01088600000000011 ` +
		`--secondary-private-ip-address-count 1 --query ` +
		`'AssignedPrivateIpAddresses[].PrivateIpAddress' --output text`,
		want: "10.88.60.4"},

	// Forwarding, groups, description.
	{line: `aws ec2 modify-network-interface-attribute --network-interface-id ` +
		`eni-01088600000000011 --no-source-dest-check --dry-run`, fails: true,
		says: "An error occurred (DryRunOperation) when calling the ModifyNetworkInterfaceAttribute " +
			"operation: Request would have succeeded, but DryRun flag is set."},
	{line: `aws ec2 modify-network-interface-attribute --network-interface-id ` +
		`eni-01088600000000011 --no-source-dest-check`},
	{line: `aws ec2 describe-network-interface-attribute --network-interface-id ` +
		`eni-01088600000000011 --attribute sourceDestCheck --query SourceDestCheck.Value`, want: "false"},
	{line: `aws ec2 modify-network-interface-attribute --network-interface-id ` +
		`eni-01088600000000011 --source-dest-check`},
	{line: `aws ec2 modify-network-interface-attribute --network-interface-id ` +
		`eni-01088600000000011 --groups sg-01088000000000003 sg-01088000000000002`},
	{line: `aws ec2 describe-network-interface-attribute --network-interface-id ` +
		`eni-01088600000000011 --attribute groupSet --query 'Groups[].GroupName' --output text`,
		want: "fence\tweb"},
	{line: `aws ec2 modify-network-interface-attribute --network-interface-id ` +
		`eni-01088600000000011 --description 'an "odd" <one> & more'`},
	{line: `aws ec2 describe-network-interfaces --network-interface-ids eni-01088600000000011 ` +
		`--query 'NetworkInterfaces[].[SourceDestCheck,Description,` +
		`PrivateIpAddresses[].PrivateIpAddress]' --output json | tr -d ' \n'`,
		want: `[[true,"an\"odd\"<one>&more",["10.88.60.11","10.88.60.100","10.88.60.4"]]]`},
	{once: true, line: `aws ec2 modify-network-interface-attribute --network-interface-id ` +
		`eni-01088600000000011`, fails: true,
		says: "(InvalidParameterCombination) when calling the ModifyNetworkInterfaceAttribute " +
			"operation: No attributes specified."},

	// What is not there.
	{line: `aws ec2 describe-network-interfaces --network-interface-ids eni-0123456789abcdef0`,
		fails: true,
		says: "An error occurred (InvalidNetworkInterfaceID.NotFound) when calling the " +
			"DescribeNetworkInterfaces operation: The networkInterface ID 'eni-0123456789abcdef0' does " +
			"not exist"},
	{once: true, line: `aws ec2 describe-instances --instance-ids i-short`, fails: true,
		says: "An error occurred (InvalidInstanceID.Malformed) when calling the DescribeInstances " +
			"operation:"},
	{line: `AWS_SECRET_ACCESS_KEY=another aws ec2 describe-vpcs`, fails: true,
		says: "An error occurred (AuthFailure) when calling the DescribeVpcs operation: AWS was not " +
			"able to validate the provided access credentials"},

	// Instances, tags, routes, IPv6.
	{once: true, line: `aws ec2 create-tags --resources i-01088600000000020 --tags ` +
		`Key=lastfence,Value=1700000000 && aws ec2 describe-tags --filters ` +
		`Name=resource-id,Values=i-01088600000000020 Name=key,Values=lastfence --query 'Tags[].Value' ` +
		`--output text`,
		want: "1700000000"},
	{once: true, line: `aws ec2 delete-tags --resources i-01088600000000020 --tags Key=lastfence`},
	{once: true, line: `aws ec2 stop-instances --instance-ids i-01088600000000020 --force --query ` +
		`'StoppingInstances[].[CurrentState.Name,PreviousState.Name]' --output text && aws ec2 wait ` +
		`instance-stopped --instance-ids i-01088600000000020`,
		want: "stopping\trunning"},
	{once: true, line: `aws ec2 create-route --route-table-id rtb-01088000000000060 ` +
		`--destination-cidr-block 10.98.0.0/24 --network-interface-id eni-01088600000000011 --query ` +
		`Return`, want: "true"},
	{once: true, line: `aws ec2 replace-route --route-table-id rtb-01088000000000060 ` +
		`--destination-cidr-block 10.98.0.0/24 --network-interface-id eni-01088600000000012`},
	{once: true, line: `aws ec2 delete-route --route-table-id rtb-01088000000000060 ` +
		`--destination-cidr-block 10.98.0.0/24`},
	{once: true, line: `aws ec2 assign-ipv6-addresses --network-interface-id eni-01088600000000012 ` +
		`--ipv6-addresses 2001:db8:1088:60::9 --query AssignedIpv6Addresses --output text`,
		want: "2001:db8:1088:60::9"},
}

func TestCLI(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func() (*place, error){"HTTP": startSim,
		"HTTPS": startSecureSim} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := own(t, start)
			for _, c := range commands {
				if c.once && name == "HTTPS" {
					continue
				}
				t.Run(c.line, func(t *testing.T) {
					told.scenario("ec2sim")
					c.run(t, p)
				})
			}
		})
	}
}

// serviceError is the CLI's exit code when the service refuses: version 2 documents 254, version 1
// has 255 for everything.
func serviceError() int {
	if strings.Contains(house.python.Versions, "awscli 1.") {
		return 255
	}
	return 254
}

// run types the line in an environment that has evaluated what ec2sim printed.
func (c command) run(t *testing.T, p *place) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := p.shell(ctx, c.line)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	code, err := 0, cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		code = exit.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}
	want := 0
	if c.fails {
		want = serviceError()
	}
	if problem := c.faults(strings.TrimSuffix(stdout.String(), "\n"), stderr.String()); code != want ||
		problem != "" {
		t.Errorf("%s\nexit code %d, want %d; %s\n--- stdout\n%s--- stderr\n%s", c.line, code, want,
			problem, &stdout, &stderr)
	}
}

// faults tells what is wrong with what the command wrote.
func (c command) faults(stdout, stderr string) string {
	switch {
	case c.shows == "" && stdout != c.want:
		return fmt.Sprintf("stdout is not %q", c.want)
	case !strings.Contains(stdout, c.shows):
		return fmt.Sprintf("stdout has not %q", c.shows)
	case c.says == "" && stderr != "":
		return "there is something on stderr"
	case !strings.Contains(stderr, c.says):
		return fmt.Sprintf("stderr has not %q", c.says)
	}
	return ""
}
