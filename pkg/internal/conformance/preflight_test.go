//go:build conformance

package conformance

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/pkg/evidence"
	"aws-provider-executor/pkg/preflight"
)

// judged is what a check saw, and how boto3 finds the same out.
type judged struct {
	check string
	// fact is a path into the check's facts, with dots; empty for all of them.
	fact string
	// call is in the notation. Its answer, where it is an object, need not have every fact.
	call string
	// lists are in any order, and at moto may be missing where they are empty.
	sort bool
}

// The calls of boto3's that several requests are judged by.
const (
	nicOf      = `describe_network_interfaces {"NetworkInterfaceIds":["@%s"]} | NetworkInterfaces[0]`
	instanceOf = `describe_instances {"InstanceIds":["@%s"]} | Reservations[0].Instances[0]`
	tableOf    = `describe_route_tables {"RouteTableIds":["@%s"]} | RouteTables[0]`
	byHand     = `length(Routes[?Origin=='CreateRoute' && DestinationCidrBlock].Origin)`
	leadsTo    = `sort(Routes[].join(' to ', [DestinationCidrBlock || DestinationIpv6CidrBlock, ` +
		`GatewayId || NetworkInterfaceId]))`
)

// ofInterface judges what is seen of every request about an interface.
func ofInterface(nic, instance, subnet, table string) []judged {
	of := func(call, role, query string) string { return fmt.Sprintf(call, role) + query }
	return []judged{
		{check: "target", fact: "interface", call: of(nicOf, nic, `.{id:NetworkInterfaceId,vpc:VpcId,`+
			`subnet:SubnetId,type:InterfaceType,status:Status,instance:Attachment.InstanceId,`+
			`attachment:Attachment.Status,deviceIndex:Attachment.DeviceIndex,primary:PrivateIpAddress,`+
			`secondary:sort(PrivateIpAddresses[?!Primary].PrivateIpAddress),`+
			`groups:sort(Groups[].GroupId)}`)},
		{check: "instance", call: of(instanceOf, instance,
			`.{instance:InstanceId,state:State.Name,type:InstanceType}`)},
		{check: "subnet", call: `describe_subnets {"SubnetIds":["@` + subnet +
			`"]} | Subnets[0].{subnet:SubnetId,vpc:VpcId,` +
			`blocks:[CidrBlock,Ipv6CidrBlockAssociationSet[].Ipv6CidrBlock][]}`, sort: true},
		{check: "source-dest-check", fact: "sourceDestCheck", call: of(nicOf, nic, `.SourceDestCheck`)},
		{check: "route-tables", call: of(tableOf, table, `.{table:RouteTableId}`)},
		{check: "route-tables", fact: "routes", call: of(tableOf, table, `.`+leadsTo), sort: true},
	}
}

// heldBy judges who holds an address. The filter of moto's for it finds only primary ones, so the
// judge looks at every interface of the VPC.
func heldBy(address string) []judged {
	return []judged{{check: "address-holder", fact: "holders",
		call: `describe_network_interfaces {"Filters":[{"Name":"vpc-id","Values":["@vpc"]}]} | ` +
			`NetworkInterfaces[?PrivateIpAddresses[?PrivateIpAddress=='` + address +
			`']].NetworkInterfaceId`}}
}

// looks are requests, the verdicts of the checks that are about them, and how what they saw is
// judged.
var looks = []struct {
	name, do string
	verdicts string
	// moto are verdicts that moto deviates to.
	moto   string
	judged []judged
}{
	{name: "a free address", do: "dry-run assign-secondary-ip nic-a 10.88.60.9",
		verdicts: "target pass instance pass managed pass trunk pass tags pass subnet pass " +
			"route-tables pass source-dest-check pass address-in-subnet pass address-holder pass " +
			"address-room pass already-so pass plan pass undo pass",
		judged: append(ofInterface("nic-a", "router-a", "subnet-a", "table-a"),
			judged{check: "address-in-subnet", fact: "block",
				call: `describe_subnets {"SubnetIds":["@subnet-a"]} | Subnets[0].CidrBlock`},
			heldBy("10.88.60.9")[0],
			judged{check: "address-room", fact: "has",
				call: fmt.Sprintf(nicOf, "nic-a") + `.length(PrivateIpAddresses)`},
			judged{check: "address-room", fact: "limit",
				call: `describe_instance_types {"InstanceTypes":["t3.medium"]} | ` +
					`InstanceTypes[0].NetworkInfo.Ipv4AddressesPerInterface`},
		)},
	{name: "a spare interface", do: "dry-run ensure-forwarding-enabled nic-spare",
		verdicts: "target warn instance warn managed pass trunk pass source-dest-check pass plan pass",
		judged: []judged{{check: "target", fact: "interface", call: fmt.Sprintf(nicOf, "nic-spare") +
			`.{status:Status,primary:PrivateIpAddress}`}}},
	{name: "it forwards already", do: "dry-run ensure-forwarding-enabled nic-c",
		verdicts: "source-dest-check pass already-so warn plan pass undo warn route-tables pass",
		judged:   ofInterface("nic-c", "router-c", "subnet-c", "table-main")},
	{name: "another's address", do: "dry-run assign-secondary-ip nic-a 10.88.60.100",
		verdicts: "address-holder fail plan fail", judged: heldBy("10.88.60.100")},
	{name: "another's address that is taken",
		do:       "dry-run assign-secondary-ip nic-a 10.88.60.100 allowReassignment=true",
		verdicts: "address-holder warn plan pass", judged: heldBy("10.88.60.100")},
	{name: "its own address", do: "dry-run assign-secondary-ip nic-b 10.88.60.100",
		verdicts: "address-holder pass address-room pass already-so warn plan pass undo warn",
		judged:   heldBy("10.88.60.100")},
	{name: "another's primary address",
		do:       "dry-run assign-secondary-ip nic-a 10.88.60.12 allowReassignment=true",
		verdicts: "address-holder fail plan fail",
		judged:   heldBy("10.88.60.12")},
	{name: "outside of the subnet", do: "dry-run assign-secondary-ip nic-a 10.88.61.9",
		verdicts: "address-in-subnet fail plan fail"},
	{name: "no such interface",
		do:       "dry-run ensure-forwarding-enabled eni-0123456789abcdef0",
		verdicts: "target fail subnet unknown source-dest-check unknown plan fail undo unknown"},
	{name: "a new route", do: "dry-run assign-route-table-route nic-b table-a 10.200.0.9/32",
		verdicts: "route-destination pass route-holder pass route-room pass plan pass undo pass",
		judged: append(ofInterface("nic-b", "router-b", "subnet-a", "table-a"),
			judged{check: "route-room", fact: "routes", call: fmt.Sprintf(tableOf, "table-a") +
				`.` + byHand})},
	{name: "another's route",
		do:       "dry-run assign-route-table-route nic-b table-a 10.99.0.0/24 allowReassignment=true",
		verdicts: "route-holder warn route-room pass plan pass",
		judged: []judged{{check: "route-holder", fact: "target", call: fmt.Sprintf(tableOf, "table-a") +
			`.Routes[?DestinationCidrBlock=='10.99.0.0/24'].NetworkInterfaceId | [0]`}}},
	{name: "inside of the VPC",
		do:       "dry-run assign-route-table-route nic-b table-a 10.88.60.9/32",
		verdicts: "route-destination fail",
	},
	{name: "a whole subnet", do: "dry-run assign-route-table-route nic-b table-a 10.88.61.0/24",
		verdicts: "route-destination pass"},
	{name: "a fence",
		do: "dry-run fence-security-groups db securityGroups=group-fence invertSgRemoval=true",
		verdicts: "target pass instance pass fence-groups pass fence-leaves pass " +
			"tracked-connections warn group-room pass tag-room pass plan pass undo pass",
		// Its groups allow everything out from the start, as EC2's do where nobody took that away.
		moto: "fence-leaves warn",
		judged: []judged{
			{check: "instance", call: fmt.Sprintf(instanceOf, "db") +
				`.{instance:InstanceId,state:State.Name,type:InstanceType}`},
			{check: "tag-room", fact: "has", call: fmt.Sprintf(instanceOf, "db") + `.length(Tags)`},
			{check: "fence-groups", fact: "interfaces.@nic-db0.from",
				call: fmt.Sprintf(nicOf, "nic-db0") + `.sort(Groups[].GroupId)`, sort: true},
			{check: "fence-groups", fact: "interfaces.@nic-db1.from",
				call: fmt.Sprintf(nicOf, "nic-db1") + `.sort(Groups[].GroupId)`, sort: true},
			{check: "fence-groups", fact: "interfaces.@nic-db1.to",
				call: `describe_security_groups {"GroupIds":["@group-fence"]} | SecurityGroups[].GroupId`},
		}},
}

// TestPreflight looks before actions at both places. Boto3 finds what each check saw, and that
// nothing changed.
func TestPreflight(t *testing.T) {
	t.Parallel()
	judgements := 0
	for _, start := range []func() (*place, error){startMoto, startSim} {
		b := newBench(t, start)
		for _, l := range looks {
			t.Run(b.name+" "+l.name, func(t *testing.T) {
				told.scenario(b.name)
				w, before := b.lab(t)
				d := w.preflight(t, l.do, "")
				want := wordPairs(l.verdicts)
				if b.name == moto {
					maps.Copy(want, wordPairs(l.moto))
				}
				for name, verdict := range want {
					c, found := d.Report().Lookup(name, lookKey)
					if !found || string(c.Verdict) != verdict {
						t.Errorf("%s is %s, want %s: %s", name, c.Verdict, verdict, c.Seen)
					}
				}
				w.judgeIdentity(t, d)
				for _, j := range l.judged {
					judgements++
					w.judgeCheck(t, d, j)
				}
				if changed := b.left(t).since(before); changed != "" {
					t.Errorf("it changed %s", changed)
				}
			})
		}
	}
	t.Logf("boto3 judged %d facts", judgements)
}

// TestPreflightWithoutReading takes readings away at both places: what was not read is unknown, and
// names what is missing.
func TestPreflightWithoutReading(t *testing.T) {
	t.Parallel()
	const do = "dry-run assign-secondary-ip nic-a 10.88.60.9"
	all := []string{"DescribeInstances", "DescribeInstanceTypes", "DescribeNetworkInterfaces",
		"DescribeRouteTables", "DescribeSubnets"}
	for _, start := range []func() (*place, error){startMoto, startSim} {
		b := newBench(t, start)
		for without, checks := range map[string][]string{
			"DescribeInstances":         {"instance", "address-room"},
			"DescribeInstanceTypes":     {"address-room"},
			"DescribeNetworkInterfaces": {"target", "source-dest-check", "address-holder", "plan"},
			"DescribeRouteTables":       {"route-tables"},
			"DescribeSubnets":           {"subnet", "address-in-subnet"},
		} {
			t.Run(b.name+" "+without, func(t *testing.T) {
				told.scenario(b.name)
				w, _ := b.lab(t)
				allowed := slices.DeleteFunc(slices.Clone(all), func(n string) bool { return n == without })
				key, done := b.identity(t, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow",`+
					`"Action":["ec2:`+strings.Join(allowed, `","ec2:`)+`"],"Resource":"*"}]}`)
				d := w.preflight(t, do, key)
				done()
				for _, name := range checks {
					c, _ := d.Report().Lookup(name, lookKey)
					if c.Verdict != preflight.Unknown ||
						!strings.Contains(c.Advice, "allow ec2:"+without+" ") {
						t.Errorf("%s is %s: %s (%s)", name, c.Verdict, c.Seen, c.Advice)
					}
				}
			})
		}
	}
}

// lookKey is the key of every request that is looked at.
const lookKey = "look"

// wordPairs reads "name value name value".
func wordPairs(text string) map[string]string {
	words, pairs := strings.Fields(text), map[string]string{}
	for i := 0; i+1 < len(words); i += 2 {
		pairs[words[i]] = words[i+1]
	}
	return pairs
}

// preflight looks before a request in the notation, and returns the evidence. Before is a line of
// shell that may change the environment.
func (w *world) preflight(t *testing.T, line, before string) evidence.Document {
	t.Helper()
	dir := t.TempDir()
	spec, _ := w.actions(t).parse(line + " key=" + lookKey)
	request, err := json.Marshal(map[string]any{
		"apiVersion": "provideraction.routerd.net/v1alpha1", "kind": "ExecuteActionRequest",
		"spec": spec,
	})
	if err != nil {
		t.Fatal(err)
	}
	cmd := w.shell(t.Context(), before+keysInFile(dir)+`cd `+dir+`; exec "$@"`, house.actionctl,
		"preflight", "-f", "-", "--plugin", house.executor, "--evidence", "evidence.json")
	cmd.Env = append(cmd.Env, "EXECUTOR_STATE_DIR="+filepath.Join(dir, "state"))
	cmd.Stdin = bytes.NewReader(request)
	out, runErr := cmd.CombinedOutput()
	var d evidence.Document
	text, err := os.ReadFile(filepath.Join(dir, "evidence.json"))
	if err == nil {
		d, err = evidence.Read(text)
	}
	if err != nil {
		t.Fatalf("%v, %v\n%s", runErr, err, out)
	}
	if _, err := os.Stat(filepath.Join(dir, "state")); err == nil {
		t.Error("it made the directory for prior facts")
	}
	return d
}

// keysInFile is shell that has the executor find the keys: it gets none from actionctl.
func keysInFile(dir string) string {
	return `printf '[default]\naws_access_key_id=%s\naws_secret_access_key=%s\n' ` +
		`"$AWS_ACCESS_KEY_ID" "$AWS_SECRET_ACCESS_KEY" > ` + dir + `/keys; ` +
		`export AWS_SHARED_CREDENTIALS_FILE=` + dir + `/keys; `
}

// judgeIdentity sees that boto3 is the same caller.
func (w *world) judgeIdentity(t *testing.T, d evidence.Document) {
	t.Helper()
	v := w.judge.ask(t, question{Do: "call", Method: "get_caller_identity",
		Query: "{account:Account,arn:Arn}", As: map[string]any{"service": "sts"}})
	var want map[string]string
	if err := json.Unmarshal(v.OK, &want); err != nil {
		t.Fatalf("%s: %v", v, err)
	}
	if diff := cmp.Diff(want, d.Seen.Identity); diff != "" {
		t.Errorf("the identity (-boto3 +preflight):\n%s", diff)
	}
}

// judgeCheck sees that boto3 finds what a check saw.
func (w *world) judgeCheck(t *testing.T, d evidence.Document, j judged) {
	t.Helper()
	c, found := d.Report().Lookup(j.check, lookKey)
	if !found {
		t.Errorf("there is no check %s", j.check)
		return
	}
	var got any = c.Facts
	for _, step := range strings.Split(w.resolve(t, j.fact), ".") {
		if m, ok := got.(map[string]any); ok && step != "" {
			got = m[step]
		}
	}
	v := w.do(t, j.call)
	var want any
	if err := json.Unmarshal(v.OK, &want); err != nil || want == nil {
		t.Errorf("%s %s: boto3 finds %s", j.check, j.fact, v)
		return
	}
	got, want = plain(t, got, j.sort), plain(t, want, j.sort)
	if some, ok := want.(map[string]any); ok {
		all, _ := got.(map[string]any)
		got = maps.Clone(all)
		maps.DeleteFunc(got.(map[string]any), func(name string, _ any) bool {
			_, asked := some[name]
			return !asked
		})
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s %s (-boto3 +preflight):\n%s", j.check, j.fact, diff)
	}
}

// plain is a value as JSON has it, its lists sorted if their order means nothing.
func plain(t *testing.T, v any, sort bool) any {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var out any
	if err := json.Unmarshal(text, &out); err != nil {
		t.Fatal(err)
	}
	inOrder := func(v any) {
		if list, ok := v.([]any); ok && sort {
			slices.SortFunc(list, func(a, b any) int {
				return strings.Compare(fmt.Sprint(a), fmt.Sprint(b))
			})
		}
	}
	inOrder(out)
	if m, ok := out.(map[string]any); ok {
		for _, value := range m {
			inOrder(value)
		}
	}
	return out
}
