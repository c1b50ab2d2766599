package iampolicy_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/smithy-go"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/ec2sim"
	"aws-provider-executor/pkg/iampolicy"
	"aws-provider-executor/pkg/preflight"
)

// elsewhere is a region that nothing is wanted in.
const elsewhere = "eu-west-1"

// probe is a call that would change nothing: it says DryRun, or can't be carried out. The one error
// that counts is that it is not allowed.
type probe struct {
	action string
	kind   action.Kind // of the resource; empty for a reading
	id     string
	region string
	send   func(context.Context, *ec2.Client) error
}

func (p probe) String() string {
	if p.kind == "" {
		return p.action + " on * in " + p.region
	}
	return p.action + " on arn:aws:ec2:" + p.region + ":" + ec2sim.DefaultOwner + ":" +
		string(p.kind) + "/" + p.id
}

var dryRun = aws.Bool(true)

// readings are probes that read in a region.
func readings(region string) []probe {
	reading := func(name string, send func(context.Context, *ec2.Client) error) probe {
		return probe{action: "ec2:" + name, region: region, send: send}
	}
	return []probe{
		reading("DescribeInstances", func(ctx context.Context, c *ec2.Client) error {
			_, err := c.DescribeInstances(ctx, &ec2.DescribeInstancesInput{DryRun: dryRun})
			return err
		}),
		reading("DescribeNetworkInterfaces", func(ctx context.Context, c *ec2.Client) error {
			_, err := c.DescribeNetworkInterfaces(ctx,
				&ec2.DescribeNetworkInterfacesInput{DryRun: dryRun})
			return err
		}),
		reading("DescribeRouteTables", func(ctx context.Context, c *ec2.Client) error {
			_, err := c.DescribeRouteTables(ctx, &ec2.DescribeRouteTablesInput{DryRun: dryRun})
			return err
		}),
		reading("DescribeVpcs", func(ctx context.Context, c *ec2.Client) error {
			_, err := c.DescribeVpcs(ctx, &ec2.DescribeVpcsInput{DryRun: dryRun})
			return err
		}),
	}
}

// ofInterface are probes that would change an interface.
func ofInterface(id string) []probe {
	change := func(name string, send func(context.Context, *ec2.Client) error) probe {
		return probe{"ec2:" + name, action.NetworkInterface, id, ec2sim.LabRegion, send}
	}
	nobody := []string{"10.88.60.3"} // AWS keeps it
	return []probe{
		change("ModifyNetworkInterfaceAttribute", func(ctx context.Context, c *ec2.Client) error {
			_, err := c.ModifyNetworkInterfaceAttribute(ctx, &ec2.ModifyNetworkInterfaceAttributeInput{
				NetworkInterfaceId: &id, DryRun: dryRun,
				SourceDestCheck: &types.AttributeBooleanValue{Value: aws.Bool(true)}})
			return err
		}),
		change("AssignPrivateIpAddresses", func(ctx context.Context, c *ec2.Client) error {
			_, err := c.AssignPrivateIpAddresses(ctx, &ec2.AssignPrivateIpAddressesInput{
				NetworkInterfaceId: &id, PrivateIpAddresses: nobody})
			return err
		}),
		change("UnassignPrivateIpAddresses", func(ctx context.Context, c *ec2.Client) error {
			_, err := c.UnassignPrivateIpAddresses(ctx, &ec2.UnassignPrivateIpAddressesInput{
				NetworkInterfaceId: &id, PrivateIpAddresses: nobody})
			return err
		}),
	}
}

// ofOthers are probes that would change an instance, and a route table.
func ofOthers(instance, table string) []probe {
	power := func(name string, send func(context.Context, *ec2.Client) error) probe {
		return probe{"ec2:" + name, action.Instance, instance, ec2sim.LabRegion, send}
	}
	ids, to := []string{instance}, aws.String("192.0.2.0/24")
	return []probe{
		power("StopInstances", func(ctx context.Context, c *ec2.Client) error {
			_, err := c.StopInstances(ctx, &ec2.StopInstancesInput{InstanceIds: ids, DryRun: dryRun})
			return err
		}),
		power("StartInstances", func(ctx context.Context, c *ec2.Client) error {
			_, err := c.StartInstances(ctx, &ec2.StartInstancesInput{InstanceIds: ids, DryRun: dryRun})
			return err
		}),
		power("TerminateInstances", func(ctx context.Context, c *ec2.Client) error {
			_, err := c.TerminateInstances(ctx,
				&ec2.TerminateInstancesInput{InstanceIds: ids, DryRun: dryRun})
			return err
		}),
		{"ec2:DeleteRoute", action.RouteTable, table, ec2sim.LabRegion,
			func(ctx context.Context, c *ec2.Client) error {
				_, err := c.DeleteRoute(ctx, &ec2.DeleteRouteInput{RouteTableId: &table,
					DestinationCidrBlock: to, DryRun: dryRun})
				return err
			}},
	}
}

func probes() []probe {
	return slices.Concat(readings(ec2sim.LabRegion), readings(elsewhere),
		ofInterface(ec2sim.LabRouterAInterface), ofInterface(ec2sim.LabRouterBInterface),
		ofOthers(ec2sim.LabDB, ec2sim.LabRouteTable),
		ofOthers(ec2sim.LabRouterA, ec2sim.LabMainRouteTable))
}

// enforcing is a stand-in that judges who calls by policies.
type enforcing struct {
	sim     *ec2sim.Sim
	clients map[string]*ec2.Client
}

func startEnforcing(t *testing.T) *enforcing {
	t.Helper()
	sim := ec2sim.New(ec2sim.Lab())
	srv, err := ec2sim.Start(sim, ec2sim.ServerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(srv.Close)
	e := &enforcing{sim: sim, clients: map[string]*ec2.Client{}}
	key := ec2sim.LabRoleCredential
	for _, region := range []string{ec2sim.LabRegion, elsewhere} {
		e.clients[region] = ec2.New(ec2.Options{Region: region, BaseEndpoint: aws.String(srv.URL()),
			Retryer: aws.NopRetryer{}, Credentials: credentials.NewStaticCredentialsProvider(
				key.AccessKeyID, key.SecretAccessKey, key.SessionToken)})
	}
	return e
}

// allowed are the probes that a role's policies allow.
func (e *enforcing) allowed(t *testing.T, r rolePolicies) map[string]bool {
	t.Helper()
	role := ec2sim.Role{Name: "lab-router", Profile: "p", Inline: map[string]string{"p": r.text},
		Boundary: r.boundary}
	if err := e.sim.SetRole(ec2sim.LabRoleCredential.AccessKeyID, role); err != nil {
		t.Fatalf("%v: %s", err, r.text)
	}
	all := map[string]bool{}
	for _, p := range probes() {
		err := p.send(t.Context(), e.clients[p.region])
		var refused smithy.APIError
		switch {
		case err == nil:
			t.Fatalf("%s was carried out", p)
		case !errors.As(err, &refused):
			t.Fatalf("%s: %v", p, err)
		case refused.ErrorCode() == "UnauthorizedOperation":
		case refused.ErrorCode() == "DryRunOperation", refused.ErrorCode() == "InvalidParameterValue":
			all[p.String()] = true
		default:
			t.Fatalf("%s: %v", p, err)
		}
	}
	return all
}

// rolePolicies are the one policy of a role, and its boundary, which is empty for none.
type rolePolicies struct{ text, boundary string }

// maker makes policies by chance.
type maker struct{ *rand.Rand }

func pick[T any](m maker, from ...T) T { return from[m.IntN(len(from))] }

// statement is one by chance, near to what is wanted.
func (m maker) statement() map[string]any {
	names := []string{"ec2:DescribeInstances", "ec2:DescribeNetworkInterfaces",
		"ec2:DescribeRouteTables", "ec2:DescribeVpcs", "ec2:ModifyNetworkInterfaceAttribute",
		"ec2:AssignPrivateIpAddresses", "ec2:UnassignPrivateIpAddresses", "ec2:StopInstances",
		"ec2:StartInstances", "ec2:TerminateInstances", "ec2:DeleteRoute", "EC2:stopinstances",
		"ec2:Describe*", "ec2:*", "*", "ec2:*Instances", "ec2:?tartInstances", "ec2:*PrivateIp*",
		"e*:Modify*"}
	const arn = "arn:aws:ec2:" + ec2sim.LabRegion + ":" + ec2sim.DefaultOwner + ":"
	resources := []string{"*", "*", "*", arn + "network-interface/" + ec2sim.LabRouterAInterface,
		arn + "network-interface/" + ec2sim.LabRouterBInterface, arn + "network-interface/*",
		arn + "network-interface/eni-0108860000000001?", "arn:aws:ec2:*:*:network-interface/*",
		arn + "instance/" + ec2sim.LabDB, arn + "instance/*", arn + "route-table/*", arn + "*",
		"arn:aws:ec2:" + elsewhere + ":*:*", "arn:*"}
	some := func(from []string) any {
		list := []string{pick(m, from...)}
		for m.IntN(3) == 0 {
			list = append(list, pick(m, from...))
		}
		return list
	}
	s := map[string]any{"Effect": "Allow"}
	if m.IntN(6) == 0 {
		s["Effect"] = "Deny"
	}
	s[pick(m, "Action", "Action", "Action", "Action", "Action", "NotAction")] = some(names)
	s[pick(m, "Resource", "Resource", "Resource", "Resource", "NotResource")] = some(resources)
	if m.IntN(2) == 0 {
		s["Condition"] = m.conditions()
	}
	return s
}

func (m maker) conditions() map[string]any {
	const arn = "arn:aws:ec2:" + ec2sim.LabRegion + ":" + ec2sim.DefaultOwner + ":vpc/"
	all := map[string]any{}
	for range 1 + m.IntN(2) {
		operator := pick(m, "StringEquals", "StringLike", "StringNotEquals", "StringEqualsIfExists",
			"ArnLikeIfExists", "ForAnyValue:StringEquals", "ForAllValues:StringLike", "ArnLike", "Null")
		key := pick(m, "ec2:Region", "aws:RequestedRegion", "ec2:Vpc", "ec2:vpc", "ec2:Vpc",
			"aws:ResourceTag/Name", "ec2:InstanceID", "ec2:NetworkInterfaceID", "aws:TagKeys")
		values := []string{ec2sim.LabRegion}
		switch {
		case operator == "Null":
			values = []string{pick(m, "true", "false")}
		case strings.HasSuffix(key, "Region"):
			values = pick(m, values, []string{elsewhere}, []string{ec2sim.LabRegion, elsewhere})
		case strings.HasSuffix(strings.ToLower(key), ":vpc"):
			values = []string{pick(m, arn+ec2sim.LabVPC, arn+"*", "*", arn+ec2sim.LabOtherVPC)}
		default:
			values = []string{pick(m, "router-a", "*", ec2sim.LabDB, ec2sim.LabRouterAInterface)}
		}
		all[operator] = map[string]any{key: values}
	}
	return all
}

// policies are by chance, half of the time around the exact policy.
func (m maker) policies(t *testing.T, exact string) rolePolicies {
	t.Helper()
	var d struct {
		Version   string
		Statement []map[string]any
	}
	d.Version = "2012-10-17"
	if m.IntN(2) == 0 {
		if err := json.Unmarshal([]byte(exact), &d); err != nil {
			t.Fatal(err)
		}
		if m.IntN(3) == 0 {
			i := m.IntN(len(d.Statement))
			d.Statement = slices.Delete(d.Statement, i, i+1)
		}
	}
	for range m.IntN(3) {
		d.Statement = append(d.Statement, m.statement())
	}
	if len(d.Statement) == 0 {
		d.Statement = append(d.Statement, m.statement())
	}
	r := rolePolicies{text: marshal(t, d)}
	if m.IntN(4) == 0 {
		d.Statement = []map[string]any{m.statement(), m.statement()}
		r.boundary = marshal(t, d)
	}
	return r
}

func marshal(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// lookedFor is what three verbs need on one interface and one instance.
func lookedFor(t *testing.T, vpc string) iampolicy.Wanted {
	t.Helper()
	return resolved(t, iampolicy.Wanted{Extras: iampolicy.Extras(),
		Scope: iampolicy.Scope{Region: ec2sim.LabRegion, Account: ec2sim.DefaultOwner, VPC: vpc,
			IDs: map[action.Kind][]string{action.NetworkInterface: {ec2sim.LabRouterAInterface},
				action.Instance: {ec2sim.LabDB}}},
		Choice: iampolicy.Choice{Family: action.IPv4, Verbs: []string{"ensure-forwarding-enabled",
			"assign-secondary-ip", "stop-instances"}}})
}

// TestComparisonAgreesWithEnforcement: of roles with policies by chance, what is said to be allowed
// the stand-in allows, and what is said to be missing it refuses. Where nothing is said to be more
// than needed, it refuses all that is not needed; where something surely is, it allows some of it.
func TestComparisonAgreesWithEnforcement(t *testing.T) {
	e := startEnforcing(t)
	count := map[string]int{}
	for seed := range uint64(400) {
		m := maker{rand.New(rand.NewPCG(seed, 12))}
		w := lookedFor(t, pick(m, "", ec2sim.LabVPC))
		exact, err := w.Policy().JSON()
		if err != nil {
			t.Fatal(err)
		}
		r := m.policies(t, string(exact))
		granted := iampolicy.Granted{Role: "r", Policies: []iampolicy.Source{{Name: "p", Text: r.text}}}
		if r.boundary != "" {
			granted.Boundary = &iampolicy.Source{Name: "b", Text: r.boundary}
		}
		if wrong := e.agrees(t, w.Compare(granted), r, count); wrong != "" {
			t.Errorf("seed %d: %s\npolicy: %s\nboundary: %s", seed, wrong, r.text, r.boundary)
		}
	}
	for _, name := range []string{"needed pass", "needed fail", "needed unknown", "excess pass",
		"excess fail", "excess warn"} {
		if count[name] < 10 {
			t.Errorf("%s was met %d times only", name, count[name])
		}
	}
	t.Log(count)
}

// agrees holds a comparison against what the stand-in does, and says where they differ.
func (e *enforcing) agrees(
	t *testing.T, checks []preflight.Check, r rolePolicies, count map[string]int,
) string {
	t.Helper()
	allowed := e.allowed(t, r)
	needed := checks[1].Facts["needed"].(map[string]any)
	asked := func(name string) string { return strings.TrimSuffix(name, " in "+ec2sim.LabRegion) }
	more := []string{}
	for _, p := range probes() {
		name, is := p.String(), allowed[p.String()]
		verdict, wanted := needed[asked(name)]
		if !wanted && is {
			more = append(more, name)
		}
		if !wanted {
			continue
		}
		count["needed "+fmt.Sprint(verdict)]++
		switch preflight.Verdict(fmt.Sprint(verdict)) {
		case preflight.Pass:
			if !is {
				return name + " is said to be allowed, and is refused"
			}
		case preflight.Fail:
			if is {
				return name + " is said to be missing, and is allowed"
			}
		}
	}
	excess := checks[2]
	count["excess "+string(excess.Verdict)]++
	if excess.Verdict == preflight.Pass && len(more) > 0 {
		return "nothing is said to be more than needed, and allowed are " + strings.Join(more, ", ")
	}
	return ""
}

// TestWhatIsMoreIsAllowed: each way in which a statement is said to be more than needed shows in a
// call that the stand-in allows.
func TestWhatIsMoreIsAllowed(t *testing.T) {
	e := startEnforcing(t)
	w := lookedFor(t, "")
	exact, err := w.Policy().JSON()
	if err != nil {
		t.Fatal(err)
	}
	const arn = "arn:aws:ec2:" + ec2sim.LabRegion + ":" + ec2sim.DefaultOwner + ":"
	for _, tt := range []struct{ action, resource, word string }{
		{"ec2:TerminateInstances", "*", "which nothing here needs"},
		{"ec2:DeleteRoute", arn + "route-table/*", "which nothing here needs"},
		{"ec2:*", "*", "a wildcard"},
		{"ec2:Describe*", "*", "a wildcard"},
		{"e?2:Describe*", "*", "a wildcard over services"},
		{"ec2:DescribeInstances", "*", "in other regions than " + ec2sim.LabRegion},
		{"ec2:StopInstances", arn + "instance/*", "wider than what is named"},
		{"ec2:stopinstances", arn + "instance/" + ec2sim.LabRouterA, "wider than what is named"},
		{"ec2:AssignPrivateIpAddresses", arn + "network-interface/*", "wider than what is named"},
		{"*", "*", "which may change identities"},
	} {
		t.Run(tt.action+" on "+tt.resource, func(t *testing.T) {
			var d map[string]any
			if err := json.Unmarshal([]byte(exact), &d); err != nil {
				t.Fatal(err)
			}
			before := e.allowed(t, rolePolicies{text: marshal(t, d)})
			d["Statement"] = append(d["Statement"].([]any), map[string]any{"Effect": "Allow",
				"Action": tt.action, "Resource": tt.resource})
			r := rolePolicies{text: marshal(t, d)}
			excess := w.Compare(iampolicy.Granted{Role: "r",
				Policies: []iampolicy.Source{{Name: "p", Text: r.text}}})[2]
			if excess.Verdict == preflight.Pass || !strings.Contains(excess.Seen, tt.word) {
				t.Errorf("it is %s: %s", excess.Verdict, excess.Seen)
			}
			if after := e.allowed(t, r); len(after) <= len(before) {
				t.Errorf("nothing more is allowed: %v", after)
			}
		})
	}
}
