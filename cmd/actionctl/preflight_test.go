package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/pkg/ec2sim"
	"aws-provider-executor/pkg/preflight"
	"aws-provider-executor/pkg/preflight/ec2checks"
	"aws-provider-executor/pkg/protocol"
)

// looked is a world, a request, and what the checks of it are to come to.
type looked struct {
	name    string
	options []ec2sim.Option
	// world changes the lab, and denied are operations that the identity may not call.
	world  func(*ec2sim.Sim)
	denied []string
	// verb, target and parameters are the request; a region is added.
	verb               string
	target, parameters map[string]string
	args, env          []string
	policy             string
	// want is "verdict: a part of what was seen", by check.
	want map[string]string
	// code is the exit code, of the run without --strict.
	code int
}

type values = map[string]string

var (
	toRouterA = values{"nicRef": ec2sim.LabRouterAInterface, "address": "10.88.60.9"}
	ofDB      = values{"instanceRef": ec2sim.LabDB}
	fenceAll  = values{"securityGroups": ec2sim.LabGroupFence, "invertSgRemoval": "true"}
	newRoute  = values{"routeTableRef": ec2sim.LabRouteTable, "nicRef": ec2sim.LabRouterAInterface,
		"address": "10.99.9.0/24"}
)

const (
	assign = "assign-secondary-ip"
	fence  = "fence-security-groups"
	lead   = "assign-route-table-route"
)

// with is a map with other values for some keys.
func with(m values, pairs ...string) values {
	out := values{}
	for k, v := range m {
		out[k] = v
	}
	for i := 0; i < len(pairs); i += 2 {
		out[pairs[i]] = pairs[i+1]
	}
	return out
}

func edit(id string, change func(*ec2sim.Interface)) func(*ec2sim.Sim) {
	return func(s *ec2sim.Sim) { s.Region(ec2sim.LabRegion).EditInterface(id, change) }
}

func failing(operation, code string) func(*ec2sim.Sim) {
	return func(s *ec2sim.Sim) {
		f := ec2sim.Fail(operation, code)
		f.Count = ec2sim.Always
		if err := s.Inject(f); err != nil {
			panic(err)
		}
	}
}

// manyGroups adds groups to the lab, and returns the first n of them.
func manyGroups(n int) (ids string, add func(*ec2sim.Sim)) {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf("sg-0108800000000%04x", 0x100+i))
	}
	return strings.Join(all, ","), func(s *ec2sim.Sim) {
		for i, id := range all {
			s.Region(ec2sim.LabRegion).AddSecurityGroup(ec2sim.SecurityGroup{
				ID: id, VPCID: ec2sim.LabVPC, Name: fmt.Sprintf("many-%d", i)})
		}
	}
}

func manyRoutes(n int) func(*ec2sim.Sim) {
	return func(s *ec2sim.Sim) {
		s.Region(ec2sim.LabRegion).EditRouteTable(ec2sim.LabRouteTable, func(t *ec2sim.RouteTable) {
			for i := range n {
				t.Routes = append(t.Routes, ec2sim.Route{
					Destination: fmt.Sprintf("10.100.%d.%d/32", i/256, i%256),
					Target:      ec2sim.LabInternetGateway, Origin: "CreateRoute"})
			}
		})
	}
}

const tagPolicy = `apiVersion: hybrid.routerd.net/v1alpha1
kind: ProviderActionPolicy
metadata: {name: tagged}
spec: {enabled: true, allowedProviders: [aws], allowedActions: ["*"], allowIrreversible: true,
  requiredTags: {Name: %s}}
`

func lookedAt() []looked {
	six, addSix := manyGroups(6)
	seventeen, addSeventeen := manyGroups(17)
	ahead := func(d time.Duration) []ec2sim.Option {
		return []ec2sim.Option{ec2sim.WithClock(func() time.Time { return time.Now().Add(d) })}
	}
	none := closedPort()
	return []looked{
		{name: "a free address", verb: assign, target: toRouterA,
			args: []string{"--expect-account", ec2sim.DefaultOwner, "--expect-role", "lab-router"},
			want: values{
				"identity":          "pass: assumed-role/lab-router",
				"expected-identity": "pass: the one expected",
				"ledger":            "pass: is not there yet",
				"clock":             "pass: agrees", "proxy": "pass: directly",
				"region":   "pass: ap-northeast-1, from the request",
				"target":   "pass: eni-01088600000000011 is in-use, attached to",
				"instance": "pass: i-01088600000000011 is running, a t3.medium",
				"managed":  "pass: no AWS service", "trunk": "pass: no interface",
				"tags":              "pass: no policy asks",
				"subnet":            "pass: 10.88.60.0/24",
				"route-tables":      "pass: rtb-01088000000000060, a table of its own, leads 0.0.0.0/0",
				"source-dest-check": "pass: priorSourceDestCheck would be true",
				"address-in-subnet": "pass: 10.88.60.9 is in 10.88.60.0/24",
				"address-holder":    "pass: 10.88.60.9 is free",
				"address-room":      "pass: 1 of 6 IPv4",
				"already-so":        "pass: 1 change to make",
				"plan":              "pass: would assign 10.88.60.9",
				"undo":              "pass: holder: eni-01088600000000011 to none",
			}},
		{name: "no way to see EC2's answers", verb: assign, target: toRouterA, code: 0,
			env: []string{"AWS_ENDPOINT_URL_EC2=" + none, "AWS_ENDPOINT_URL_STS=" + none},
			want: values{"clock": "unknown: no answer", "region": "unknown: EC2 gave no answer",
				"target": "unknown: can't be connected to", "identity": "unknown: STS gave no answer",
				"plan": "unknown: EC2 gave no answer"}},
		{name: "STS throttles", verb: assign, target: toRouterA,
			world: failing("GetCallerIdentity", "Throttling"),
			args:  []string{"--expect-account", ec2sim.DefaultOwner},
			want:  values{"identity": "unknown: STS", "expected-identity": "unknown: STS"}},
		{name: "another account", verb: assign, target: toRouterA, code: 3,
			args: []string{"--expect-account", "210987654321", "--expect-region", "us-east-1"},
			want: values{"expected-identity": "fail: is 123456789012, not 210987654321",
				"region": "fail: expected is us-east-1"}},
		{name: "nothing is expected, and nothing kept", verb: assign, target: toRouterA,
			env: []string{"EXECUTOR_STATE_DIR=none", "AWS_REGION=eu-west-1"},
			want: values{"expected-identity": "warn: no account and no role",
				"ledger": "warn: keeps no prior facts", "region": "warn: AWS_REGION is eu-west-1"}},
		{name: "no credentials", verb: assign, target: toRouterA, code: 3,
			env:  []string{"AWS_EC2_METADATA_DISABLED=true"},
			want: values{"identity": "fail: there are no credentials", "target": "unknown: no credentials"}},
		{name: "a profile that is not there", verb: assign, target: toRouterA, code: 3,
			env: []string{"AWS_PROFILE=nobody"},
			want: values{"proxy": "unknown: AWS_PROFILE", "identity": "fail: AWS_PROFILE",
				"region": "fail: AWS_PROFILE"}},
		{name: "a file in the ledger's place", verb: assign, target: toRouterA, code: 3,
			env:  []string{"EXECUTOR_STATE_DIR=/etc/hostname"},
			want: values{"ledger": "fail: /etc/hostname"}},
		untried(),
		{name: "a clock a minute off", verb: assign, target: toRouterA, options: ahead(time.Minute),
			want: values{"clock": "warn: behind the provider's"}},
		{name: "a clock ten minutes off", verb: assign, target: toRouterA, code: 3,
			options: ahead(-10 * time.Minute), want: values{"clock": "fail: ahead of the provider's"}},
		{name: "in clear through a proxy", verb: assign, target: toRouterA,
			env:  []string{"AWS_ENDPOINT_URL_EC2=http://ec2.example", "HTTP_PROXY=" + none},
			args: []string{"--plugin-env", "HTTP_PROXY"},
			want: values{"proxy": "warn: EC2 at http://ec2.example through " + none}},
		{name: "a proxy that is none", verb: assign, target: toRouterA, code: 3,
			env:  []string{"AWS_ENDPOINT_URL_EC2=", "HTTPS_PROXY=ftp://proxy:21"},
			args: []string{"--plugin-env", "HTTPS_PROXY"}, want: values{"proxy": "fail: HTTPS_PROXY"}},

		{name: "a spare interface", verb: assign,
			target: with(toRouterA, "nicRef", ec2sim.LabSpareInterface),
			want: values{"target": "warn: attached to nothing", "instance": "warn: attached to no instance",
				"address-room": "warn: attached to no instance"}},
		{name: "no such interface", verb: assign, code: 3,
			target: with(toRouterA, "nicRef", "eni-0123456789abcdef0"),
			want: values{"target": "fail: does not exist", "subnet": "unknown: does not exist",
				"plan": "fail: does not exist"}},
		{name: "interfaces can't be read", verb: assign, target: toRouterA,
			denied: []string{"DescribeNetworkInterfaces"},
			want: values{"target": "unknown: DescribeNetworkInterfaces", "managed": "unknown: ",
				"trunk": "unknown: ", "source-dest-check": "unknown: ", "address-holder": "unknown: ",
				"already-so": "unknown: no plan", "plan": "unknown: ", "undo": "unknown: ",
				"region": "pass: "}},
		{name: "interfaces are throttled", verb: assign, target: toRouterA,
			world: failing("DescribeNetworkInterfaces", "RequestLimitExceeded"),
			want:  values{"target": "unknown: ", "plan": "unknown: ", "address-in-subnet": "unknown: "}},
		{name: "instances can't be read", verb: fence, target: ofDB, parameters: fenceAll,
			denied: []string{"DescribeInstances"},
			want: values{"instance": "unknown: ", "tracked-connections": "unknown: ",
				"fence-groups": "unknown: ", "fence-leaves": "unknown: ", "group-room": "unknown: no plan",
				"tag-room": "unknown: "}},
		{name: "subnets and types can't be read", verb: assign,
			target: with(toRouterA, "address", "10.88.60.200"),
			denied: []string{"DescribeSubnets", "DescribeInstanceTypes", "DescribeRouteTables"},
			want: values{"subnet": "unknown: ", "address-in-subnet": "unknown: ",
				"address-room": "unknown: DescribeInstanceTypes", "route-tables": "unknown: ",
				"plan": "warn: not foreseen"}},
		{name: "tags can't be read", verb: assign, target: toRouterA, denied: []string{"DescribeTags"},
			policy: fmt.Sprintf(tagPolicy, "router-*"), want: values{"tags": "unknown: DescribeTags"}},
		{name: "tags that are wrong", verb: assign, target: toRouterA, code: 3,
			policy: fmt.Sprintf(tagPolicy, "nobody"),
			want:   values{"tags": "fail: requiredTags", "plan": "fail: requiredTags"}},
		{name: "tags that are right", verb: assign, target: toRouterA,
			policy: fmt.Sprintf(tagPolicy, "router-*"), want: values{"tags": "pass: the policy allows"}},
		{name: "a service's interface", verb: assign, code: 3,
			target: with(toRouterA, "nicRef", ec2sim.LabManagedInterface, "address", "10.88.61.9"),
			want:   values{"managed": "fail: owns eni-01088610000000040"}},
		{name: "a trunk that is fenced", verb: fence, target: ofDB, parameters: fenceAll, code: 3,
			world: edit(ec2sim.LabDBInterface1, func(i *ec2sim.Interface) { i.Type = "trunk" }),
			want:  values{"trunk": "fail: eni-01088600000000021 carries branch"}},
		{name: "a trunk that gets an address", verb: assign,
			target: with(toRouterA, "nicRef", ec2sim.LabDBInterface1),
			world:  edit(ec2sim.LabDBInterface1, func(i *ec2sim.Interface) { i.Type = "trunk" }),
			want:   values{"trunk": "warn: carries branch"}},
		{name: "an instance on its way out", verb: assign, target: toRouterA, code: 3,
			world: func(s *ec2sim.Sim) {
				s.Region(ec2sim.LabRegion).EditInstance(ec2sim.LabRouterA,
					func(i *ec2sim.Instance) { i.State = "shutting-down" })
			}, want: values{"instance": "fail: shutting-down"}},
		{name: "no way out of the subnet", verb: assign, target: toRouterA,
			world: func(s *ec2sim.Sim) {
				s.Region(ec2sim.LabRegion).EditRouteTable(ec2sim.LabRouteTable,
					func(t *ec2sim.RouteTable) { t.Routes = t.Routes[:1] })
			}, want: values{"route-tables": "warn: has no default route"}},

		{name: "outside of the subnet", verb: assign, code: 3,
			target: with(toRouterA, "address", "10.88.61.9"),
			want:   values{"address-in-subnet": "fail: is in no block", "plan": "fail: is not in"}},
		{name: "reserved by AWS", verb: assign, target: with(toRouterA, "address", "10.88.60.3"),
			code: 3, want: values{"address-in-subnet": "fail: reserves"}},
		{name: "an IPv6 address", verb: assign,
			target: with(toRouterA, "address", "2001:db8:1088:60::99"),
			want: values{"address-in-subnet": "pass: 2001:db8:1088:60::/64", "address-holder": "pass: free",
				"address-room": "pass: 1 of 6 IPv6"}},
		{name: "held by another", verb: assign, code: 3,
			target: with(toRouterA, "address", ec2sim.LabServiceAddress),
			want: values{"address-holder": "fail: held by eni-01088600000000012 as a secondary",
				"plan": "fail: held by"}},
		{name: "taken from another", verb: assign,
			target:     with(toRouterA, "address", ec2sim.LabServiceAddress),
			parameters: values{"allowReassignment": "true"},
			want:       values{"address-holder": "warn: would be taken", "plan": "pass: taking it from"}},
		{name: "another's primary address", verb: assign, code: 3,
			target:     with(toRouterA, "address", "10.88.60.12"),
			parameters: values{"allowReassignment": "true"},
			want:       values{"address-holder": "fail: as its primary address"}},
		{name: "in a delegated block", verb: assign, code: 3,
			target: with(toRouterA, "address", "10.88.60.66"),
			world: edit(ec2sim.LabRouterBInterface, func(i *ec2sim.Interface) {
				i.Prefixes = []string{"10.88.60.64/28"}
			}), want: values{"address-holder": "fail: delegated to eni-01088600000000012"}},
		{name: "no room", verb: assign, code: 3,
			target:  with(toRouterA, "nicRef", ec2sim.LabRouterBInterface),
			options: []ec2sim.Option{ec2sim.WithQuotas(ec2sim.Quotas{AddressesPerInterface: 2})},
			want:    values{"address-room": "fail: 2 of 2 IPv4"}},
		{name: "assigned already", verb: assign,
			target: values{"nicRef": ec2sim.LabRouterBInterface, "address": ec2sim.LabServiceAddress},
			want: values{"already-so": "warn: nothing to do", "undo": "warn: change nothing",
				"address-holder": "pass: itself", "address-room": "pass: already"}},
		{name: "it forwards already", verb: "ensure-forwarding-enabled",
			target: values{"nicRef": ec2sim.LabRouterCInterface},
			want: values{"already-so": "warn: forwards", "undo": "warn: nothing",
				"source-dest-check": "pass: off"}},

		{name: "a new route", verb: lead, target: newRoute,
			want: values{"route-destination": "pass: can lead", "route-holder": "pass: no route",
				"route-room": "pass: 2 routes", "target": "pass: has"}},
		{name: "inside of the VPC", verb: lead, target: with(newRoute, "address", "10.88.60.9/32"),
			code: 3, want: values{"route-destination": "fail: no whole subnet"}},
		{name: "a whole subnet", verb: lead, target: with(newRoute, "address", "10.88.61.0/24"),
			want: values{"route-destination": "pass: the whole of subnet-01088610000000000"}},
		{name: "what AWS keeps", verb: lead, target: with(newRoute, "address", "fd00:ec2:0:1::/64"),
			code: 3, want: values{"route-destination": "fail: keeps"}},
		{name: "a route that leads elsewhere", verb: lead, code: 3,
			target: with(newRoute, "address", ec2sim.LabRoute, "nicRef", ec2sim.LabRouterBInterface),
			want:   values{"route-holder": "fail: to eni-01088600000000011", "route-room": "pass: none"}},
		{name: "a route that is taken", verb: lead,
			target:     with(newRoute, "address", ec2sim.LabRoute, "nicRef", ec2sim.LabRouterBInterface),
			parameters: values{"allowReassignment": "true"},
			want:       values{"route-holder": "warn: would be taken"}},
		{name: "a route that is there already", verb: lead,
			target: with(newRoute, "address", ec2sim.LabRoute),
			want:   values{"route-holder": "pass: to eni-01088600000000011", "already-so": "warn: nothing"}},
		{name: "a route that is there already, and leads nowhere", verb: lead,
			target: with(newRoute, "address", ec2sim.LabRoute),
			world: func(s *ec2sim.Sim) {
				s.Region(ec2sim.LabRegion).EditInstance(ec2sim.LabRouterA,
					func(i *ec2sim.Instance) { i.State = "stopped" })
			}, want: values{"route-holder": "warn: to eni-01088600000000011, a black hole"}},
		{name: "tables can't be read", verb: lead, target: newRoute,
			denied: []string{"DescribeRouteTables"},
			want: values{"route-destination": "unknown: ", "route-holder": "unknown: ",
				"route-room": "unknown: "}},
		{name: "a table at the default quota", verb: lead, target: newRoute, world: manyRoutes(498),
			options: []ec2sim.Option{ec2sim.WithQuotas(ec2sim.Quotas{RoutesPerTable: 2000})},
			want:    values{"route-room": "warn: 500 routes"}},
		{name: "a table that is full", verb: lead, target: newRoute, world: manyRoutes(998), code: 3,
			options: []ec2sim.Option{ec2sim.WithQuotas(ec2sim.Quotas{RoutesPerTable: 2000})},
			want:    values{"route-room": "fail: 1000 routes"}},

		{name: "a fence", verb: fence, target: ofDB, parameters: fenceAll,
			want: values{"fence-groups": "pass: eni-01088600000000021: sg-01088000000000002 to",
				"fence-leaves": "pass: no rule is left", "tracked-connections": "warn: may go on",
				"group-room": "pass: 1 group", "tag-room": "pass: 1 tag, and the backup adds up to 3",
				"undo": "pass: securityGroups"}},
		{name: "a fence that stops it", verb: fence, target: ofDB,
			parameters: with(fenceAll, "onFencePoweroff", "true"),
			want:       values{"tracked-connections": "pass: stopped by the fence"}},
		{name: "a fence that leaves rules", verb: fence, target: ofDB,
			parameters: values{"securityGroups": ec2sim.LabGroupWeb + "," + ec2sim.LabGroupFence,
				"invertSgRemoval": "true"},
			want: values{"fence-leaves": "warn: sg-01088000000000002 (web) allows"}},
		{name: "a fence that leaves a group that nobody shows", verb: fence, target: ofDB,
			parameters: values{"securityGroups": ec2sim.LabGroupWeb},
			world: edit(ec2sim.LabDBInterface1, func(i *ec2sim.Interface) {
				i.Groups = append(i.Groups, "sg-0108800000000dead")
			}),
			want: values{"fence-leaves": "unknown: sg-0108800000000dead"}},
		{name: "a fence with a group of another VPC", verb: fence, target: ofDB, code: 3,
			parameters: values{"securityGroups": ec2sim.LabOtherGroup, "invertSgRemoval": "true"},
			want:       values{"fence-groups": "fail: is of vpc-01077000000000000"}},
		{name: "a fence with six groups", verb: fence, target: ofDB, world: addSix,
			parameters: values{"securityGroups": six, "invertSgRemoval": "true"},
			want:       values{"group-room": "warn: 6 groups"}},
		{name: "a fence with seventeen groups", verb: fence, target: ofDB, world: addSeventeen, code: 3,
			parameters: values{"securityGroups": seventeen, "invertSgRemoval": "true"},
			want:       values{"group-room": "fail: 17 groups"}},
		{name: "an instance full of tags", verb: fence, target: ofDB, parameters: fenceAll, code: 3,
			world: func(s *ec2sim.Sim) {
				s.Region(ec2sim.LabRegion).EditInstance(ec2sim.LabDB, func(i *ec2sim.Instance) {
					for n := range 48 {
						i.Tags[fmt.Sprint("tag-", n)] = "x"
					}
				})
			}, want: values{"tag-room": "fail: 49 tags"}},
	}
}

// untried is a state directory where files without a name can't be made. Only root gets as far as
// to find that out.
func untried() looked {
	l := looked{name: "a file system that can't be tried", verb: assign, target: toRouterA,
		env: []string{"EXECUTOR_STATE_DIR=/dev/pts"}, want: values{"ledger": "unknown: was not tried"}}
	if os.Geteuid() != 0 {
		l.code, l.want["ledger"] = 3, "fail: permission denied"
	}
	return l
}

// closedPort is an endpoint that nobody listens at.
func closedPort() string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	defer l.Close()
	return "http://" + l.Addr().String()
}

// TestPreflight runs the shipped programs on a stand-in: each row is a world and what the checks of
// a request come to in it. Nothing is changed, nothing is left behind.
func TestPreflight(t *testing.T) {
	rows := lookedAt()
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			row.run(t)
		})
	}
	t.Run("every check has its worlds", func(t *testing.T) { checkWorlds(t, rows) })
}

// neverAgainst are the checks that can't be against an action, each with the reason.
var neverAgainst = values{
	"subnet":            "an interface is always in a subnet; what is in it is other checks' to judge",
	"source-dest-check": "on or off, either is only recorded as what was before",
}

// checkWorlds sees that every check there is has a world in which it passes, one in which it is
// against the action or warns, and one in which it can't be known; and that no other verdict than
// those that are documented has one.
func checkWorlds(t *testing.T, rows []looked) {
	given := func(check string, v preflight.Verdict) bool {
		return slices.ContainsFunc(rows, func(l looked) bool {
			return strings.HasPrefix(l.want[check], string(v)+": ")
		})
	}
	names := map[string]bool{}
	for _, c := range ec2checks.Checks() {
		names[c.Name] = true
		for verdict, doc := range map[preflight.Verdict]string{
			preflight.Pass: c.Pass, preflight.Warn: c.Warn, preflight.Fail: c.Fail,
			preflight.Unknown: c.Unknown,
		} {
			if os.Geteuid() != 0 && c.Name == "ledger" && verdict == preflight.Unknown {
				continue // untried says why
			}
			if got := given(c.Name, verdict); got != (doc != "") {
				t.Errorf("%s %s: documented %t, in a world %t", c.Name, verdict, doc != "", got)
			}
		}
		against := given(c.Name, preflight.Warn) || given(c.Name, preflight.Fail)
		switch _, never := neverAgainst[c.Name]; {
		case against == never:
			t.Errorf("%s: in a world that it is against %t, and said never to be %t", c.Name, against,
				never)
		case !given(c.Name, preflight.Pass) || c.Unknown == "":
			t.Errorf("%s has no world in which it passes, or none in which it can't be known", c.Name)
		}
	}
	for name := range neverAgainst {
		if !names[name] {
			t.Errorf("there is no check %s", name)
		}
	}
}

func (l looked) run(t *testing.T) {
	bin, err := shipped()
	if err != nil {
		t.Fatal(err)
	}
	sim := ec2sim.New(append([]ec2sim.Option{ec2sim.Lab()}, l.options...)...)
	srv, err := ec2sim.Start(sim, ec2sim.ServerOptions{Metadata: ec2sim.LabMetadata()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(srv.Close)
	if l.world != nil {
		l.world(sim)
	}
	deny(t, sim, l.denied)
	before := sim.State()
	dir := t.TempDir()
	args := append([]string{"preflight", "-f", "-", "-o", "json", "--timeout", "6s"}, l.args...)
	if l.policy != "" {
		path := filepath.Join(dir, "policy.yaml")
		if err := os.WriteFile(path, []byte(l.policy), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, "--policy", path)
	}
	state := filepath.Join(dir, "state")
	cmd := exec.Command(filepath.Join(bin, "actionctl"), args...)
	cmd.Env = append(append(srv.Env(), "PATH="+os.Getenv("PATH"), "HOME="+dir,
		"EXECUTOR_STATE_DIR="+state), l.env...)
	cmd.Stdin = bytes.NewReader(l.request())
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	_ = cmd.Run() // its exit code is looked at
	if code := cmd.ProcessState.ExitCode(); code != l.code {
		t.Errorf("exit code %d, want %d: %s", code, l.code, stderr.String())
	}
	var report preflight.Report
	if err := json.Unmarshal(stdout.Bytes(), &report); err != nil {
		t.Fatalf("%v: %s%s", err, stdout.String(), stderr.String())
	}
	l.judge(t, report)
	if diff := cmp.Diff(before, sim.State()); diff != "" {
		t.Errorf("it changed the world:\n%s", diff)
	}
	for _, c := range sim.Calls() {
		if !strings.HasPrefix(c.Operation, "Describe") && c.Operation != "GetCallerIdentity" {
			t.Errorf("it called %s", c.Operation)
		}
	}
	if left, err := os.ReadDir(state); err == nil {
		t.Errorf("it left the state directory, with %v", left)
	}
}

// deny has the instance's role do everything but this.
func deny(t *testing.T, sim *ec2sim.Sim, operations []string) {
	t.Helper()
	if len(operations) == 0 {
		return
	}
	var names []string
	for _, o := range operations {
		names = append(names, `"ec2:`+o+`"`)
	}
	err := sim.SetPolicies(ec2sim.LabRoleCredential.AccessKeyID, `{"Version":"2012-10-17",
		"Statement":[{"Effect":"Allow","NotAction":[`+strings.Join(names, ",")+`],"Resource":"*"}]}`)
	if err != nil {
		t.Fatal(err)
	}
}

func (l looked) request() []byte {
	return protocol.EncodeRequest(protocol.Request{
		Action: l.verb, Provider: "aws", Mode: protocol.Execute, IdempotencyKey: "look/1",
		Target: with(l.target, "region", ec2sim.LabRegion), Parameters: l.parameters,
	})
}

func (l looked) judge(t *testing.T, report preflight.Report) {
	t.Helper()
	for _, c := range report.Checks {
		if !c.Verdict.Valid() || c.Seen == "" || (c.Advice == "") != (c.Verdict == preflight.Pass) {
			t.Errorf("the check %s has no verdict, sentence or advice: %+v", c.Name, c)
		}
	}
	for name, want := range l.want {
		c, found := report.Lookup(name, "look/1")
		verdict, part, _ := strings.Cut(want, ": ")
		if !found || string(c.Verdict) != verdict || !strings.Contains(c.Seen, part) {
			t.Errorf("%s is %s: %s\nwant %s (advice: %s)", name, c.Verdict, c.Seen, want, c.Advice)
		}
	}
}

// TestPreflightReadsOnce: what several requests have in common is asked for once.
func TestPreflightReadsOnce(t *testing.T) {
	l := looked{name: "three", verb: assign, target: toRouterA}
	bin, err := shipped()
	if err != nil {
		t.Fatal(err)
	}
	sim := ec2sim.New(ec2sim.Lab())
	srv, err := ec2sim.Start(sim, ec2sim.ServerOptions{Metadata: ec2sim.LabMetadata()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(srv.Close)
	calls := func(n int) map[string]int {
		sim.Reset()
		var requests bytes.Buffer
		for i := range n {
			r := protocol.Request{Action: l.verb, Provider: "aws", Mode: protocol.DryRun,
				IdempotencyKey: fmt.Sprint("look/", i),
				Target:         with(l.target, "region", ec2sim.LabRegion)}
			requests.Write(protocol.EncodeRequest(r))
		}
		cmd := exec.Command(filepath.Join(bin, "actionctl"), "preflight", "-f", "-", "--timeout", "9s")
		cmd.Env = append(srv.Env(), "PATH="+os.Getenv("PATH"),
			"EXECUTOR_STATE_DIR="+filepath.Join(t.TempDir(), "state"))
		cmd.Stdin = &requests
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		count := map[string]int{}
		for _, c := range sim.Calls() {
			count[c.Operation]++
		}
		return count
	}
	one, three := calls(1), calls(3)
	for _, op := range []string{"GetCallerIdentity", "DescribeInstances", "DescribeSubnets",
		"DescribeInstanceTypes", "DescribeRouteTables"} {
		if one[op] != three[op] || one[op] == 0 {
			t.Errorf("%s is called %d times for one request, %d for three", op, one[op], three[op])
		}
	}
}

// metricsAt reads from what a program says where it serves its metrics, and returns what asks for
// them. It must be on this machine alone.
func metricsAt(t *testing.T, said io.Reader) func() string {
	t.Helper()
	lines := bufio.NewReader(said)
	url := ""
	for url == "" {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatalf("it does not say where: %s %v", line, err)
		}
		_, url, _ = strings.Cut(strings.TrimSpace(line), "metrics at ")
	}
	go func() { _, _ = io.Copy(io.Discard, lines) }()
	if !strings.HasPrefix(url, "http://127.0.0.1:") || !strings.HasSuffix(url, "/metrics") {
		t.Fatalf("it serves at %s", url)
	}
	get := func(url string, want int) string {
		t.Helper()
		r, err := http.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		text, err := io.ReadAll(r.Body)
		if err != nil || r.StatusCode != want {
			t.Fatalf("%s: %d %s %v", url, r.StatusCode, text, err)
		}
		return string(text)
	}
	get(strings.TrimSuffix(url, "metrics"), http.StatusNotFound)
	return func() string { return get(url, http.StatusOK) }
}

// TestPreflightWatches: it goes on until it is stopped, serves what each round came to, and ends as
// the last one did.
func TestPreflightWatches(t *testing.T) {
	sim := ec2sim.New(ec2sim.Lab())
	dir := t.TempDir()
	cmd, rounds, metrics := startWatching(t, sim, dir)
	next := func() (r preflight.Report) {
		t.Helper()
		if err := rounds.Decode(&r); err != nil {
			t.Fatal(err)
		}
		return r
	}
	subnet := func(verdict string) string {
		return `provideraction_preflight_checks{check="subnet",program="actionctl",verdict="` +
			verdict + `"} 1`
	}
	first := next()
	if told := metrics(); !strings.Contains(told, subnet("pass")) ||
		!strings.Contains(told, "\nprovideraction_preflight_timestamp_seconds{") ||
		!strings.Contains(told, `operation="DescribeSubnets"`) {
		t.Errorf("it serves\n%s", told)
	}
	deny(t, sim, []string{"DescribeSubnets"})
	second := next()
	if told := metrics(); !strings.Contains(told, subnet("unknown")) ||
		strings.Contains(told, subnet("pass")) {
		t.Errorf("after the second round it serves\n%s", told)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("nothing failed, and it ends with %v", err)
	}
	was, _ := first.Lookup("subnet", "look/1")
	is, _ := second.Lookup("subnet", "look/1")
	if was.Verdict != preflight.Pass || is.Verdict != preflight.Unknown {
		t.Errorf("the subnet is %s, then %s", was.Verdict, is.Verdict)
	}
	told, err := os.ReadFile(filepath.Join(dir, "actionctl.prom"))
	if err != nil || !strings.Contains(string(told), `check="subnet"`) {
		t.Errorf("the metrics are %s: %v", told, err)
	}
}

// startWatching starts a preflight that goes on. It returns its rounds, and what reads its metrics.
func startWatching(
	t *testing.T, sim *ec2sim.Sim, dir string,
) (cmd *exec.Cmd, rounds *json.Decoder, metrics func() string) {
	t.Helper()
	bin, err := shipped()
	if err != nil {
		t.Fatal(err)
	}
	srv, err := ec2sim.Start(sim, ec2sim.ServerOptions{Metadata: ec2sim.LabMetadata()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(srv.Close)
	cmd = exec.Command(filepath.Join(bin, "actionctl"), "preflight", "-f", "-", "-o", "json",
		"--watch", "1s", "--listen", "0", "--expect-account", "123456789012")
	cmd.Env = append(srv.Env(), "PATH="+os.Getenv("PATH"), "EXECUTOR_METRICS_DIR="+dir,
		"EXECUTOR_STATE_DIR="+filepath.Join(dir, "state"))
	cmd.Stdin = bytes.NewReader(looked{verb: assign, target: toRouterA}.request())
	out, err1 := cmd.StdoutPipe()
	said, err2 := cmd.StderrPipe()
	if err := errors.Join(err1, err2, cmd.Start()); err != nil {
		t.Fatal(err)
	}
	return cmd, json.NewDecoder(bufio.NewReader(out)), metricsAt(t, said)
}
