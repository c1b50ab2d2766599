//go:build conformance

package conformance

import (
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"aws-provider-executor/pkg/ec2sim"
)

// standard has boto3 retry as its documentation advises; the default is the older way.
var standard = map[string]any{
	"config": map[string]any{"retries": map[string]any{"mode": "standard", "total_max_attempts": 3}}}

func TestBoto3Pages(t *testing.T) {
	t.Parallel()
	p := own(t, startSim)
	for _, c := range []struct {
		method, query string
		size          int
		// want is how many there are on each page.
		want []int
	}{
		{"describe_network_interfaces", "NetworkInterfaces[].NetworkInterfaceId", 5, []int{5, 2}},
		{"describe_network_interfaces", "NetworkInterfaces[].NetworkInterfaceId", 7, []int{7}},
		{"describe_network_interfaces", "NetworkInterfaces[].NetworkInterfaceId", 0, []int{7}},
		{"describe_security_groups", "SecurityGroups[].GroupId", 5, []int{5, 2}},
		{"describe_instances", "Reservations[].Instances[].InstanceId", 5, []int{4}},
		{"describe_subnets", "Subnets[].SubnetId", 5, []int{3}},
		{"describe_tags", "Tags[].join('=',[ResourceId,Key])", 10, nil},
		{"describe_route_tables", "RouteTables[].RouteTableId", 5, []int{3}},
	} {
		t.Run(c.method, func(t *testing.T) {
			told.scenario("ec2sim")
			p.fresh(t)
			// A page that fails once is asked for again.
			p.control(t, http.MethodPost, "/_sim/faults",
				`{"operation":"Describe*","noEffect":true,"error":{"code":"RequestLimitExceeded"},"nth":2}`,
				nil)
			v := p.judge.ask(
				t, question{Do: "pages", Method: c.method, Query: c.query, Size: c.size, As: standard})
			var pages [][]string
			if err := json.Unmarshal(v.OK, &pages); err != nil {
				t.Fatalf("%s: %v", v, err)
			}
			var sizes []int
			for _, page := range pages {
				sizes = append(sizes, len(page))
			}
			all := slices.Concat(pages...)
			if slices.Sort(all); len(slices.Compact(slices.Clone(all))) != len(all) {
				t.Errorf("something is there twice: %s", v.OK)
			}
			if c.want != nil && !slices.Equal(sizes, c.want) || c.want == nil &&
				(len(pages) < 3 || sizes[0] != c.size) {
				t.Errorf("the pages have %v, want %v", sizes, c.want)
			}
		})
	}
}

// TestBoto3Reads has AWS's own model of EC2 read every answer about the whole lab: the judge is
// strict here.
func TestBoto3Reads(t *testing.T) {
	t.Parallel()
	w := own(t, startSim).fresh(t)
	args := map[string]string{
		"DescribeNetworkInterfaceAttribute": ` {"NetworkInterfaceId":"@nic-a","Attribute":"attachment"}`}
	capital := regexp.MustCompile(`\B[A-Z]`)
	for _, operation := range ec2sim.OperationsOf("ec2") {
		if !strings.HasPrefix(operation, "Describe") {
			continue
		}
		t.Run(operation, func(t *testing.T) {
			told.scenario("ec2sim")
			method := strings.ToLower(capital.ReplaceAllString(operation, "_$0"))
			if v := w.do(t, method+args[operation]); v.OK == nil {
				t.Errorf("boto3 gets %s", v)
			}
		})
	}
}

// TestBoto3AsksWhoItIs: STS answers at the same address, in its own form.
func TestBoto3AsksWhoItIs(t *testing.T) {
	t.Parallel()
	ask := func(p *place, query string, as map[string]any) string {
		as["service"] = "sts"
		return p.judge.ask(t, question{Do: "call", Method: "get_caller_identity", Query: query,
			As: as}).String()
	}
	there, here := own(t, startMoto), own(t, startSim)
	told.scenario(moto, "ec2sim")
	const form = "[Account, contains(Arn, Account)]"
	if m, s := ask(there, form, map[string]any{}), ask(here, form, map[string]any{}); m != s ||
		s != `ok ["123456789012", true]` {
		t.Errorf("moto: %s\nec2sim: %s", m, s)
	}
	if got := ask(here, "Arn", map[string]any{}); got !=
		`ok "arn:aws:iam::123456789012:user/lab-operator"` {
		t.Errorf("ec2sim: %s", got)
	}
	got := ask(here, "", map[string]any{"aws_access_key_id": "AKIANOBODY0000000000",
		"aws_secret_access_key": "x"})
	if got != "InvalidClientTokenId: The security token included in the request is invalid." {
		t.Errorf("ec2sim: %s", got)
	}
}

func TestBoto3Waiters(t *testing.T) {
	t.Parallel()
	p := own(t, startSim)
	for _, c := range []struct{ name, before, waiter, args, want string }{
		{"an interface attached to nothing", "", "network_interface_available",
			`{"NetworkInterfaceIds":["@nic-spare"]}`, "ok"},
		{"an attached interface", "", "network_interface_available", `{"NetworkInterfaceIds":["@nic-a"]}`,
			"Max attempts exceeded"},
		{"no interface", "", "network_interface_available",
			`{"NetworkInterfaceIds":["eni-0123456789abcdef0"]}`,
			`Matched expected service error code: InvalidNetworkInterfaceID.NotFound`},
		{"a running instance", "", "instance_running", `{"InstanceIds":["@db"]}`, "ok"},
		{"an instance that stops", `stop_instances {"InstanceIds":["@db"]}`, "instance_stopped",
			`{"InstanceIds":["@db"]}`, "ok"},
		{"an instance that stays", "", "instance_stopped", `{"InstanceIds":["@db"]}`,
			"Max attempts exceeded"},
		{"an instance in order", "", "instance_status_ok", `{"InstanceIds":["@db"]}`, "ok"},
		{"an instance", "", "instance_exists", `{"InstanceIds":["@db"]}`, "ok"},
		{"no instance", "", "instance_exists", `{"InstanceIds":["i-0123456789abcdef0"]}`,
			"Max attempts exceeded"},
		{"a VPC", "", "vpc_available", `{"VpcIds":["@vpc"]}`, "ok"},
		{"a subnet", "", "subnet_available", `{"SubnetIds":["@subnet-a"]}`, "ok"},
		{"a group", "", "security_group_exists", `{"GroupIds":["@group-web"]}`, "ok"},
	} {
		t.Run(c.name, func(t *testing.T) {
			told.scenario("ec2sim")
			w := p.fresh(t)
			if c.before != "" {
				w.do(t, c.before)
			}
			attempts := 2
			if c.want == "ok" {
				attempts = 30
			}
			v := p.judge.ask(
				t, question{Do: "wait", Waiter: c.waiter, Args: json.RawMessage(w.resolve(t, c.args)),
					Attempts: attempts})
			if got := v.String() + v.Broken; c.want == "ok" && got != "ok" ||
				!strings.Contains(got, c.want) {
				t.Errorf("it says %s, want %s", got, c.want)
			}
		})
	}
}

// TestBoto3Errors holds the code, the text and the status of what is refused before it is an
// operation.
func TestBoto3Errors(t *testing.T) {
	t.Parallel()
	w := own(t, startSim).fresh(t)
	const unknown = "AuthFailure: AWS was not able to validate the provided access credentials"
	for _, c := range []struct {
		name, call string
		as         map[string]any
		want       string
		status     int
	}{
		{"DryRun", `describe_vpcs {"DryRun":true}`, nil, dryRunSaid, http.StatusPreconditionFailed},
		{"not found", `describe_network_interfaces {"NetworkInterfaceIds":["eni-0123456789abcdef0"]}`,
			nil, noInterface, http.StatusBadRequest},
		{"unknown key", "describe_vpcs",
			map[string]any{"aws_access_key_id": "AKIANOBODYSKEY000000", "aws_secret_access_key": "x"},
			unknown, http.StatusUnauthorized},
		{"another secret", "describe_vpcs",
			map[string]any{"aws_access_key_id": "AKIALABEC2SIM0000001", "aws_secret_access_key": "x"},
			unknown, http.StatusUnauthorized},
		{"no signature", "describe_vpcs",
			map[string]any{"config": map[string]any{"signature_version": "unsigned"}}, unknown,
			http.StatusUnauthorized},
		{"no such region", "describe_vpcs", map[string]any{"region_name": "xx-nowhere-9"}, unknown,
			http.StatusUnauthorized},
	} {
		t.Run(c.name, func(t *testing.T) {
			told.scenario("ec2sim")
			q, err := parseCall(c.call)
			if err != nil {
				t.Fatal(err)
			}
			q.As = c.as
			v := w.judge.ask(t, q)
			if v.String() != c.want || v.Refused == nil || v.Refused.Status != c.status {
				t.Errorf("boto3 gets %+v, want %d %s", v, c.status, c.want)
			}
		})
	}
}

// throttling has a bucket run dry: EC2 lets an account start instances five times at once, then
// twice a second.
func throttling(t *testing.T, there, here *bench) {
	told.scenario(moto, "ec2sim")
	for _, b := range []*bench{there, here} {
		w, _ := b.lab(t)
		if w.name != moto {
			w.control(t, http.MethodPut, "/_sim/throttling", `{"on":true}`, nil)
		}
		q, err := parseCall(
			w.resolve(t, `start_instances {"InstanceIds":["@db"]} | StartingInstances[].InstanceId`))
		if err != nil {
			t.Fatal(err)
		}
		q.As = map[string]any{
			"config": map[string]any{"retries": map[string]any{"total_max_attempts": 1}}}
		said := map[string]int{}
		for range 30 {
			said[w.tell(w.judge.ask(t, q))]++
		}
		refused := said["RequestLimitExceeded: Request limit exceeded."]
		switch {
		case w.name != moto && (refused == 0 || said[`ok ["db"]`] < 5 || len(said) != 2):
			t.Errorf("thirty starts at once are answered %v", said)
		case w.name == moto && refused == 0:
			told.deviates()
		case w.name == moto:
			told.hear(t, "it throttles: %v", said)
		}
		q.As = nil
		if v := w.judge.ask(t, q); v.OK == nil {
			t.Errorf("%s: boto3, with its retries, gets %s", w.name, v)
		}
	}
}

// mishap is a fault of the stand-in, and what boto3 and the executor make of it.
type mishap struct {
	name, fault string
	// call is made by boto3; it retries as the standard mode does.
	call string
	want string
	// sent is how often boto3 sent it, effects how often EC2 made a change of it.
	sent, effects int
	// do is asked of the executor, in the same trouble.
	do, gets string
	// doSent is how often the executor sent the change.
	doSent  int
	changes string
}

const (
	assignOne = `assign_private_ip_addresses ` +
		`{"NetworkInterfaceId":"@nic-a","PrivateIpAddresses":["10.88.60.9"]} | NetworkInterfaceId`
	unassignOne = `unassign_private_ip_addresses ` +
		`{"NetworkInterfaceId":"@nic-b","PrivateIpAddresses":["10.88.60.100"]}`
	forward = `modify_network_interface_attribute ` +
		`{"NetworkInterfaceId":"@nic-a","SourceDestCheck":{"Value":false}}`
)

var mishaps = []mishap{
	{name: "throttled twice",
		fault: `{"operation":"changes","noEffect":true,"error":{"code":"RequestLimitExceeded"},` +
			`"count":2}`,
		call: assignOne, want: `ok "nic-a"`, sent: 3, effects: 1,
		do:   "execute assign-secondary-ip nic-a 10.88.60.9",
		gets: "succeeded changed=true priorAssigned=false", doSent: 3, changes: "+nic-a 10.88.60.9"},
	{name: "throttled for ever",
		fault: `{"operation":"changes","noEffect":true,"error":{"code":"RequestLimitExceeded"},` +
			`"count":-1}`,
		call: forward, want: "RequestLimitExceeded: Request limit exceeded.", sent: 3,
		do:   "execute ensure-forwarding-enabled nic-a within=8s",
		gets: "failed throttled awsErrorCode=RequestLimitExceeded retryable=true", doSent: -1},
	{name: "unavailable, and it was not done",
		fault: `{"operation":"changes","noEffect":true,"error":{"code":"Unavailable"}}`,
		call:  forward, want: "ok", sent: 2, effects: 1,
		do:   "execute ensure-forwarding-enabled nic-a within=6s",
		gets: "failed ambiguous awsErrorCode=Unavailable priorSourceDestCheck=true undoable", doSent: 1},
	{name: "an internal error, and it was done",
		fault: `{"operation":"changes","error":{"code":"InternalError"}}`,
		call:  unassignOne, want: "InvalidParameterValue: Some of the specified addresses are not " +
			"assigned to interface nic-b", sent: 2, effects: 1,
		do: "execute unassign-secondary-ip nic-b 10.88.60.100", gets: "succeeded changed=true", doSent: 1,
		changes: "-nic-b 10.88.60.100"},
	{name: "the answer is lost, of an assignment", fault: `{"operation":"changes","answer":"lost"}`,
		call: assignOne, want: `ok "nic-a"`, sent: 2, effects: 2,
		do:   "execute assign-secondary-ip nic-a 10.88.60.9",
		gets: "succeeded changed=true priorAssigned=false", doSent: 1, changes: "+nic-a 10.88.60.9"},
	{name: "the answer is lost, of an unassignment", fault: `{"operation":"changes","answer":"lost"}`,
		call: unassignOne, want: "InvalidParameterValue: Some of the specified addresses are not " +
			"assigned to interface nic-b", sent: 2, effects: 1,
		do: "execute unassign-secondary-ip nic-b 10.88.60.100", gets: "succeeded changed=true", doSent: 1,
		changes: "-nic-b 10.88.60.100"},
	{name: "the request is lost", fault: `{"operation":"changes","noEffect":true,"answer":"lost"}`,
		call: forward, want: "ok", sent: 2, effects: 1,
		do:   "execute ensure-forwarding-enabled nic-a within=6s",
		gets: "failed ambiguous priorSourceDestCheck=true", doSent: 1},
	{name: "a read's answer is cut", fault: `{"operation":"DescribeNetworkInterfaces","answer":"cut"}`,
		call: `describe_network_interfaces {"NetworkInterfaceIds":["@nic-c"]} | ` +
			`NetworkInterfaces[].SourceDestCheck`, want: "ok [false]", sent: 2,
		do:   "execute ensure-forwarding-enabled nic-c",
		gets: "succeeded changed=false priorSourceDestCheck=false"},
	{name: "taken and not done", fault: `{"operation":"changes","noEffect":true}`,
		call: forward, want: "ok", sent: 1,
		do:   "execute ensure-forwarding-enabled nic-a within=6s",
		gets: "failed unverified priorSourceDestCheck=true", doSent: 1},
	{name: "reads are stale", fault: `{"operation":"changes","stale":{"reads":3}}`,
		call: forward, want: "ok", sent: 1, effects: 1,
		do:   "execute ensure-forwarding-enabled nic-a",
		gets: "succeeded changed=true sourceDestCheck=false", doSent: 1,
		changes: "-nic-a check, +nic-a forwards"},
	{name: "a page of HTML", fault: `{"operation":"changes","answer":"text"}`,
		call: forward, want: "broken: ResponseParserError", sent: 1, effects: 1,
		do:   "execute ensure-forwarding-enabled nic-a",
		gets: "succeeded changed=true priorSourceDestCheck=true", doSent: 1,
		changes: "-nic-a check, +nic-a forwards"},
}

// TestMishaps holds what a client of EC2 in the field meets: boto3 sends again and may be told a
// falsehood, the executor finds out.
func TestMishaps(t *testing.T) {
	t.Parallel()
	p := own(t, startSim)
	for _, m := range mishaps {
		t.Run(m.name, func(t *testing.T) {
			told.scenario("ec2sim")
			m.boto3(t, p.fresh(t))
			m.executor(t, p.fresh(t))
		})
	}
}

// inject puts the fault in force and forgets the calls there were.
func (m mishap) inject(t *testing.T, p *place) {
	t.Helper()
	p.control(t, http.MethodPost, "/_sim/faults", m.fault, nil)
	p.control(t, http.MethodDelete, "/_sim/calls", "", nil)
}

func (m mishap) boto3(t *testing.T, w *world) {
	t.Helper()
	q, err := parseCall(w.resolve(t, m.call))
	if err != nil {
		t.Fatal(err)
	}
	q.As = standard
	m.inject(t, w.place)
	if got := w.tell(w.judge.ask(t, q)); got != m.want {
		t.Errorf("boto3 gets %s, want %s", got, m.want)
	}
	calls, effects := w.calls(t, ""), 0
	for _, c := range calls {
		if c.Effect {
			effects++
		}
	}
	if len(calls) != m.sent || effects != m.effects {
		t.Errorf("boto3 sent %d calls with %d effects, want %d with %d", len(calls), effects, m.sent,
			m.effects)
	}
}

func (m mishap) executor(t *testing.T, w *world) {
	t.Helper()
	before, a := w.look(t), w.actions(t)
	m.inject(t, w.place)
	got := a.run(t, m.do)
	if missing := lacks(a.tell(got), m.gets); len(missing) > 0 {
		t.Errorf("the executor says %s %s\nwhich lacks %q", a.tell(got), a.says(got), missing)
	}
	sent := 0
	for _, c := range w.calls(t, "") {
		if !strings.HasPrefix(c.Operation, "Describe") {
			sent++
		}
	}
	if m.doSent >= 0 && sent != m.doSent {
		t.Errorf("the executor sent %d changes, want %d", sent, m.doSent)
	}
	w.control(t, http.MethodDelete, "/_sim/faults", "", nil)
	if changes := w.look(t).since(before); changes != m.changes {
		t.Errorf("it changed %q, want %q", changes, m.changes)
	}
}
