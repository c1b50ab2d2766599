package ec2sim_test

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/pkg/ec2sim"
)

const otherAccount = "222233334444"

// organization serves a lab and another account, which has one instance and a role.
func organization(t *testing.T, options ...ec2sim.Option) *peer {
	p := lab(t, options...)
	other := p.sim.Account(otherAccount)
	other.AddRole(ec2sim.AccountRole{Name: "reader", ExternalID: "shared-word",
		Trusts: []string{ec2sim.LabCredential.ARN}})
	other.Region("eu-west-1").AddFleet(ec2sim.Instance{Tags: ec2sim.Tags{"Name": "theirs-{n}"}}, 1)
	return p
}

// sts calls STS.
func (p *peer) sts(operation string, params ...string) answer {
	p.t.Helper()
	form := url.Values{"Action": {operation}, "Version": {"2011-06-15"}}
	for _, param := range params {
		key, value, _ := strings.Cut(param, "=")
		form.Set(key, value)
	}
	a, err := p.do(p.signedFor("sts", form, p.time()))
	if err != nil {
		p.t.Fatal(err)
	}
	if a.code == "" {
		a.code, a.message = a.one("Error/Code"), a.one("Error/Message")
	}
	return a
}

// as is a peer with the credentials of a role.
func (p *peer) as(account, role, externalID, region string) *peer {
	p.t.Helper()
	a := p.sts("AssumeRole", "RoleArn=arn:aws:iam::"+account+":role/"+role,
		"RoleSessionName=test", "ExternalId="+externalID)
	if a.status != http.StatusOK {
		p.t.Fatalf("%d %s: %s", a.status, a.code, a.message)
	}
	const at = "AssumeRoleResult/Credentials/"
	session := *p
	session.region = region
	session.key = ec2sim.Credential{AccessKeyID: a.one(at + "AccessKeyId"),
		SecretAccessKey: a.one(at + "SecretAccessKey"), SessionToken: a.one(at + "SessionToken")}
	return &session
}

const instanceIDs = "reservationSet/item/instancesSet/item/instanceId"

func TestAnAccountSeesItsOwnInstances(t *testing.T) {
	p := organization(t)
	theirs := p.as(otherAccount, "reader", "shared-word", "eu-west-1")
	who := theirs.sts("GetCallerIdentity")
	wantARN := "arn:aws:sts::" + otherAccount + ":assumed-role/reader/test"
	if got := who.one("GetCallerIdentityResult/Arn"); got != wantARN {
		t.Errorf("it is %s, want %s", got, wantARN)
	}
	if got := who.one("GetCallerIdentityResult/Account"); got != otherAccount {
		t.Errorf("it is of %s", got)
	}
	a := theirs.ok("DescribeInstances")
	if got := a.one("reservationSet/item/ownerId"); got != otherAccount {
		t.Errorf("the instance is of %q", got)
	}
	if len(a.values[instanceIDs]) != 1 || strings.Contains(a.body, ec2sim.LabRouterA) {
		t.Errorf("it sees %v", a.values[instanceIDs])
	}
	theirs.region = ec2sim.LabRegion
	if a := theirs.ok("DescribeInstances"); len(a.values[instanceIDs]) != 0 {
		t.Errorf("in our region it sees %v", a.values[instanceIDs])
	}
	if a := theirs.call("DescribeInstances", "InstanceId.1="+ec2sim.LabRouterA); a.code !=
		"InvalidInstanceID.NotFound" {
		t.Errorf("of our instance it is told %d %s", a.status, a.code)
	}
	ours := p.ok("DescribeInstances")
	if got := ours.one("reservationSet/item/ownerId"); strings.Contains(got, otherAccount) {
		t.Error("we see theirs")
	}
	calls := p.sim.Calls()
	if got := calls[len(calls)-2]; got.Account != otherAccount || got.Region != ec2sim.LabRegion {
		t.Errorf("the log has %+v", got)
	}
	if got := calls[len(calls)-1]; got.Account != "" {
		t.Errorf("the log has %+v", got)
	}
}

func TestARoleIsNotForEveryone(t *testing.T) {
	const arn = "RoleArn=arn:aws:iam::" + otherAccount + ":role/"
	name, external := "RoleSessionName=test", "ExternalId=shared-word"
	for _, tt := range []struct {
		name   string
		params []string
		status int
		code   string
	}{
		{"a role there is not", []string{arn + "writer", name, external}, 403, "AccessDenied"},
		{"another account's", []string{"RoleArn=arn:aws:iam::555566667777:role/reader", name, external},
			403, "AccessDenied"},
		{"no external id", []string{arn + "reader", name}, 403, "AccessDenied"},
		{"another external id", []string{arn + "reader", name, "ExternalId=guess"}, 403, "AccessDenied"},
		{"no role", []string{"RoleArn=reader", name}, 400, "ValidationError"},
		{"no session name", []string{arn + "reader"}, 400, "MissingParameter"},
		{"a short session name", []string{arn + "reader", "RoleSessionName=x", external}, 400,
			"ValidationError"},
		{"too long", []string{arn + "reader", name, external, "DurationSeconds=43201"}, 400,
			"ValidationError"},
		{"too short", []string{arn + "reader", name, external, "DurationSeconds=899"}, 400,
			"ValidationError"},
		{"a role", []string{arn + "reader", name, external}, 200, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := organization(t)
			before := p.sim.State()
			if a := p.sts("AssumeRole", tt.params...); a.status != tt.status || a.code != tt.code {
				t.Errorf("answered %d %s: %s", a.status, a.code, a.message)
			}
			if diff := cmp.Diff(before, p.sim.State()); diff != "" {
				t.Error(diff)
			}
		})
	}
	t.Run("whom the role does not trust", func(t *testing.T) {
		p := organization(t)
		p.key = ec2sim.LabRoleCredential
		a := p.sts("AssumeRole", arn+"reader", name, external)
		want := "User: " + ec2sim.LabRoleCredential.ARN + " is not authorized to perform: " +
			"sts:AssumeRole on resource: arn:aws:iam::" + otherAccount + ":role/reader"
		if a.status != 403 || a.code != "AccessDenied" || a.message != want {
			t.Errorf("answered %d %s: %s", a.status, a.code, a.message)
		}
	})
	t.Run("whom IAM does not let", func(t *testing.T) {
		p := organization(t)
		if err := p.sim.SetPolicies(p.key.AccessKeyID, `{"Version":"2012-10-17","Statement":[
			{"Effect":"Allow","Action":"ec2:*","Resource":"*"}]}`); err != nil {
			t.Fatal(err)
		}
		if a := p.sts("AssumeRole", arn+"reader", name, external); a.code != "AccessDenied" {
			t.Errorf("answered %d %s: %s", a.status, a.code, a.message)
		}
	})
}

// A session may do what the policies of its role let it.
func TestASessionHasTheRightsOfItsRole(t *testing.T) {
	p := organization(t)
	p.sim.Account(otherAccount).AddRole(ec2sim.AccountRole{Name: "reader", Policies: []string{
		`{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":"ec2:DescribeInstances","Resource":"*"}]}`}})
	theirs := p.as(otherAccount, "reader", "", "eu-west-1")
	theirs.ok("DescribeInstances")
	if a := theirs.call("DescribeRegions"); a.code != "UnauthorizedOperation" {
		t.Errorf("answered %d %s", a.status, a.code)
	}
	if a := theirs.sts("GetCallerIdentity"); a.status != http.StatusOK {
		t.Errorf("who it is: %d %s", a.status, a.code)
	}
}

func TestASessionEnds(t *testing.T) {
	c := newClock()
	p := organization(t, ec2sim.WithClock(c.Now))
	p.now = c.Now
	theirs := p.as(otherAccount, "reader", "shared-word", "eu-west-1")
	c.advance(59 * time.Minute)
	theirs.ok("DescribeInstances")
	wrong := *theirs
	wrong.key.SessionToken = "another"
	if a := wrong.call("DescribeInstances"); a.code != "AuthFailure" {
		t.Errorf("with another token: %d %s", a.status, a.code)
	}
	c.advance(time.Minute)
	if a := theirs.call("DescribeInstances"); a.code != "RequestExpired" {
		t.Errorf("after its time: %d %s", a.status, a.code)
	}
	p.sim.Reset()
	if a := theirs.call("DescribeInstances"); a.code != "AuthFailure" {
		t.Errorf("after a reset: %d %s", a.status, a.code)
	}
}

// regionNames are the regions an answer lists, with their status where it is not the usual one.
func regionNames(a answer) map[string]string {
	list := map[string]string{}
	for i, name := range a.values["regionInfo/item/regionName"] {
		list[name] = a.values["regionInfo/item/optInStatus"][i]
	}
	return list
}

func TestRegionsAreOptedInTo(t *testing.T) {
	p := organization(t)
	enabled := regionNames(p.ok("DescribeRegions"))
	if len(enabled) != 17 || enabled["us-east-1"] != "opt-in-not-required" {
		t.Errorf("enabled are %v", enabled)
	}
	all := regionNames(p.ok("DescribeRegions", "AllRegions=true"))
	if len(all) < 30 || all["af-south-1"] != "not-opted-in" {
		t.Errorf("all are %v", all)
	}
	if got := regionNames(p.ok("DescribeRegions", "RegionName.1=af-south-1")); len(got) != 1 {
		t.Errorf("by name: %v", got)
	}
	outside := *p
	outside.region = "af-south-1"
	if a := outside.call("DescribeInstances"); a.status != 401 || a.code != "AuthFailure" {
		t.Errorf("in a region that is not opted in: %d %s", a.status, a.code)
	}
	p.sim.Region("af-south-1").SetOptIn("opted-in")
	outside.ok("DescribeInstances")
	if got := regionNames(p.ok("DescribeRegions")); got["af-south-1"] != "opted-in" {
		t.Errorf("opted in, it is %q", got["af-south-1"])
	}
	theirs := p.as(otherAccount, "reader", "shared-word", "eu-west-1")
	if got := regionNames(theirs.ok("DescribeRegions")); got["af-south-1"] != "" {
		t.Error("another account opted in too")
	}
	p.sim.Region("us-west-2").SetOptIn("not-opted-in")
	outside.region = "us-west-2"
	if a := outside.call("DescribeInstances"); a.code != "AuthFailure" {
		t.Errorf("in a region taken away: %d %s", a.status, a.code)
	}
}

func TestAServiceControlPolicyDeniesARegion(t *testing.T) {
	p := organization(t)
	p.sim.Region(ec2sim.LabRegion).SetDenied(true)
	a := p.call("DescribeInstances")
	if a.status != 403 || a.code != "UnauthorizedOperation" ||
		!strings.HasSuffix(a.message, "with an explicit deny in a service control policy") {
		t.Errorf("answered %d %s: %s", a.status, a.code, a.message)
	}
	if a := p.sts("GetCallerIdentity"); a.status != http.StatusOK {
		t.Errorf("who it is: %d %s", a.status, a.code)
	}
	p.region = "eu-west-1"
	p.ok("DescribeInstances")
	p.region = ec2sim.LabRegion
	p.sim.Region(ec2sim.LabRegion).SetDenied(false)
	p.ok("DescribeInstances")
}

// A fault may strike one account in one region.
func TestAFaultOfOneAccount(t *testing.T) {
	p := organization(t)
	throttled := ec2sim.Fail("DescribeInstances", "RequestLimitExceeded").Times(ec2sim.Always)
	throttled.Account, throttled.Region = otherAccount, "eu-west-1"
	if err := p.sim.Inject(throttled); err != nil {
		t.Fatal(err)
	}
	theirs := p.as(otherAccount, "reader", "shared-word", "eu-west-1")
	if a := theirs.call("DescribeInstances"); a.code != "RequestLimitExceeded" {
		t.Errorf("answered %d %s", a.status, a.code)
	}
	theirs.region = "eu-west-2"
	theirs.ok("DescribeInstances")
	ours := *p
	ours.region = "eu-west-1"
	ours.ok("DescribeInstances")
}

// One account's calls don't cost another's tokens.
func TestAccountsHaveRateLimitsOfTheirOwn(t *testing.T) {
	c := newClock()
	p := organization(t, ec2sim.WithClock(c.Now), ec2sim.WithThrottling())
	theirs := p.as(otherAccount, "reader", "shared-word", ec2sim.LabRegion)
	refused := ""
	for range 60 {
		refused = p.call("DescribeInstances").code
	}
	if refused != "RequestLimitExceeded" {
		t.Fatalf("the last call was answered %q", refused)
	}
	theirs.ok("DescribeInstances")
}

// stateOf is the state an instance is described in, or the code of the refusal.
func stateOf(p *peer, id string) string {
	a := p.call("DescribeInstances", "InstanceId.1="+id)
	return a.code + a.one("reservationSet/item/instancesSet/item/instanceState/name")
}

func TestAnInstanceLivesAndGoes(t *testing.T) {
	c := newClock()
	p := organization(t, ec2sim.WithClock(c.Now), ec2sim.WithTransitionTime(time.Second),
		ec2sim.WithTerminatedShown(time.Minute))
	r := p.sim.Region(ec2sim.LabRegion)
	id := r.Launch(ec2sim.Instance{SubnetID: ec2sim.LabSubnetA,
		Tags: ec2sim.Tags{"Name": "new-{n}"}}, 1)[0]
	var lived []string
	see := func() { lived = append(lived, stateOf(p, id)) }
	see()
	c.advance(time.Second)
	see()
	p.ok("StopInstances", "InstanceId.1="+id)
	see()
	c.advance(time.Second)
	see()
	p.ok("TerminateInstances", "InstanceId.1="+id)
	see()
	c.advance(time.Second)
	see()
	a := p.ok("DescribeInstances", "InstanceId.1="+id)
	if strings.Contains(a.body, "<networkInterfaceId>") ||
		strings.Contains(a.body, "<privateIpAddress>") {
		t.Errorf("terminated, it still has an interface: %s", a.body)
	}
	p.ok("TerminateInstances", "InstanceId.1="+id) // again is no fault
	c.advance(time.Minute)
	see()
	want := []string{"pending", "running", "stopping", "stopped", "shutting-down", "terminated",
		"InvalidInstanceID.NotFound"}
	if diff := cmp.Diff(want, lived); diff != "" {
		t.Error(diff)
	}
}

// An interface that is not to go with its instance stays, and an Elastic IP is bound to nothing.
func TestTerminationTakesWhatGoesWithTheInstance(t *testing.T) {
	c := newClock()
	p := organization(t, ec2sim.WithClock(c.Now), ec2sim.WithTransitionTime(time.Second))
	p.sim.Region(ec2sim.LabRegion).Terminate(ec2sim.LabDB, ec2sim.LabRouterA)
	c.advance(time.Second)
	state := p.sim.State().Regions[ec2sim.LabRegion]
	var left []string
	for _, eni := range state.Interfaces {
		left = append(left, eni.ID)
		if eni.ID == ec2sim.LabDBInterface1 && eni.Attachment != nil {
			t.Errorf("it is attached: %+v", eni.Attachment)
		}
	}
	if slices.Contains(left, ec2sim.LabDBInterface0) ||
		slices.Contains(left, ec2sim.LabRouterAInterface) ||
		!slices.Contains(left, ec2sim.LabDBInterface1) {
		t.Errorf("left are %v", left)
	}
	if a := state.Addresses[0]; a.AssociationID != "" || a.InterfaceID != "" {
		t.Errorf("the address is bound: %+v", a)
	}
}

// fleetText is a world of many instances in regions and accounts.
const fleetText = `
regions:
  eu-west-1:
    fleets:
      - {count: 1200, instance: {type: m5.large, tags: {Name: "web-{n}", tier: web}}}
      - {count: 30, instance: {state: stopped, tags: {Name: "spare-{n}"}}}
      - {count: 3, instance: {state: terminated}}
  af-south-1: {optInStatus: opted-in}
  us-west-1: {denied: true}
alias: acme
roles:
  - {name: own}
accounts:
  "222233334444":
    alias: acme-shop
    roles:
      - {name: reader, externalId: word, trusts: ["arn:aws:iam::123456789012:*"]}
    regions:
      eu-west-1:
        fleets:
          - {count: 7, instance: {availabilityZone: eu-west-1b}}
`

func TestAFleetIsDescribedBriefly(t *testing.T) {
	s := loads(t, fleetText)
	state := s.State()
	counts := map[string]int{}
	for _, i := range state.Regions["eu-west-1"].Instances {
		counts[i.State]++
	}
	want := map[string]int{"running": 1200, "stopped": 30, "terminated": 3}
	if diff := cmp.Diff(want, counts); diff != "" {
		t.Error(diff)
	}
	if n := len(state.Regions["eu-west-1"].Interfaces); n != 1230 {
		t.Errorf("%d interfaces", n)
	}
	names := map[string]bool{}
	for _, i := range state.Regions["eu-west-1"].Instances {
		names[i.Tags["Name"]] = true
	}
	if !names["web-1"] || !names["web-1200"] || !names["spare-30"] || names["web-1201"] {
		t.Error("the instances are not numbered from 1")
	}
	checkOtherAccount(t, state)
	if diff := cmp.Diff(state, loads(t, string(dump(t, s))).State()); diff != "" {
		t.Errorf("dumped and loaded it is another: %s", diff)
	}
}

func checkOtherAccount(t *testing.T, state ec2sim.State) {
	t.Helper()
	others := state.Accounts["222233334444"].Regions["eu-west-1"].Instances
	if len(others) != 7 || others[0].AvailabilityZone != "eu-west-1b" {
		t.Errorf("the other account has %+v", others)
	}
	if state.Alias != "acme" || state.Accounts["222233334444"].Alias != "acme-shop" {
		t.Error("the accounts have not their aliases")
	}
	if !state.Regions["us-west-1"].Denied || state.Regions["af-south-1"].OptIn != "opted-in" {
		t.Errorf("regions are %+v", state.Regions["us-west-1"])
	}
}

func TestExampleFleet(t *testing.T) {
	data, err := os.ReadFile("../../examples/worlds/fleet.yaml")
	if err != nil {
		t.Fatal(err)
	}
	world, err := ec2sim.World(data)
	if err != nil {
		t.Fatal(err)
	}
	srv, err := ec2sim.Start(ec2sim.New(world), ec2sim.ServerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	if env := srv.Env(); !slices.Contains(env, "AWS_REGION=eu-west-1") {
		t.Errorf("the region is one that the other accounts do not know: %q", env)
	}
	p := serve(t, world)
	p.region = "us-west-2"
	if n := len(p.ok("DescribeInstances").values[instanceIDs]); n != 12 {
		t.Errorf("%d instances in %s", n, p.region)
	}
	if n := len(p.as(otherAccount, "nodes", "shared-word", "eu-west-1").
		ok("DescribeInstances").values[instanceIDs]); n != 30 {
		t.Errorf("%d instances of %s", n, otherAccount)
	}
}

func TestAWorldOfAccountsIsRefused(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"no account", `{regions: {}, accounts: {abc: {regions: {}}}}`, "want 12 digits"},
		{"our own", `{regions: {}, accounts: {"123456789012": {}}}`, "beside accounts"},
		{"no name", `{regions: {}, roles: [{externalId: x}]}`, "has no name"},
		{"no policy", `{regions: {}, roles: [{name: x, policies: [nonsense]}]}`, "policy 1"},
		{"no status", `{regions: {eu-west-1: {optInStatus: maybe}}}`, "want one of"},
		{"no count", `{regions: {eu-west-1: {fleets: [{instance: {type: x}}]}}}`, "at least one"},
		{"too many", `{regions: {eu-west-1: {fleets: [{count: 65532}]}}}`, "free addresses"},
		{"one id for all", `{regions: {eu-west-1: {fleets: [{count: 2, instance: {id: i-0000000a}}]}}}`,
			"ids of their own"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := loads(t, fleetText)
			before := s.State()
			err := s.Load([]byte(tt.text))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("the error is %v", err)
			}
			if diff := cmp.Diff(before, s.State()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// All of a large fleet is paged through, each instance once.
func TestALargeFleetIsPaged(t *testing.T) {
	p := lab(t)
	for n := range 15 {
		p.sim.Region(fleetRegions[n]).AddFleet(ec2sim.Instance{}, 667)
	}
	p.sim.Region(fleetRegions[0]).AddFleet(ec2sim.Instance{}, 1500)
	seen, calls := map[string]bool{}, 0
	for _, region := range fleetRegions {
		p.region = region
		for token := ""; ; calls++ {
			params := []string{"MaxResults=1000"}
			if token != "" {
				params = append(params, "NextToken="+token)
			}
			text := p.text("DescribeInstances", params...)
			for _, id := range between(text, "<instanceId>") {
				if seen[id] {
					t.Fatalf("%s comes twice", id)
				}
				seen[id] = true
			}
			tokens := between(text, "<nextToken>")
			if len(tokens) == 0 {
				calls++
				break
			}
			token = tokens[0]
		}
	}
	if len(seen) != 15*667+1500 || calls != 14+3 {
		t.Errorf("%d instances in %d calls", len(seen), calls)
	}
}

// text is what a call is answered, unread: to read a large one takes longer than to give it.
func (p *peer) text(operation string, params ...string) string {
	p.t.Helper()
	resp, err := p.client.Do(p.request(operation, params...))
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		p.t.Fatalf("%d: %v", resp.StatusCode, err)
	}
	return string(body)
}

// between are the texts of the elements that begin with a tag.
func between(text, tag string) []string {
	var list []string
	for part := range strings.SplitSeq(text, tag) {
		value, _, _ := strings.Cut(part, "<")
		list = append(list, value)
	}
	return list[1:]
}

var fleetRegions = []string{"ap-northeast-2", "ap-northeast-3", "ap-south-1", "ap-southeast-1",
	"ap-southeast-2", "ca-central-1", "eu-central-1", "eu-north-1", "eu-west-1", "eu-west-2",
	"eu-west-3", "sa-east-1", "us-east-1", "us-east-2", "us-west-1"}

func TestControlOfAccountsAndFleets(t *testing.T) {
	p := organization(t, ec2sim.WithTransitionTime(time.Hour))
	status, text := p.control(http.MethodPost, "launch",
		`{"account":"222233334444","region":"eu-west-1","count":2,"instance":{"type":"t3.nano"}}`)
	if status != http.StatusOK || strings.Count(text, "i-0") != 2 {
		t.Fatalf("answered %d %s", status, text)
	}
	id := strings.Trim(strings.Fields(text)[1], `",`)
	if status, text := p.control(http.MethodPost, "terminate", fmt.Sprintf(
		`{"account":"222233334444","region":"eu-west-1","ids":[%q]}`, id)); status != 204 {
		t.Fatalf("answered %d %s", status, text)
	}
	if status, text := p.control(http.MethodPut, "region",
		`{"account":"222233334444","region":"eu-west-2","denied":true}`); status != 204 {
		t.Fatalf("answered %d %s", status, text)
	}
	states := map[string]int{}
	other := p.sim.State().Accounts[otherAccount]
	for _, i := range other.Regions["eu-west-1"].Instances {
		states[i.State]++
	}
	want := map[string]int{"pending": 1, "running": 1, "shutting-down": 1}
	if diff := cmp.Diff(want, states); diff != "" {
		t.Error(diff)
	}
	if !other.Regions["eu-west-2"].Denied {
		t.Error("the region is not denied")
	}
	before := p.sim.State()
	for path, body := range map[string]string{
		"region":    `{"optInStatus":"maybe"}`,
		"terminate": `{"ids":["i-00000000000000bad"]}`,
		"launch":    `{"count":0}`,
	} {
		method := http.MethodPost
		if path == "region" {
			method = http.MethodPut
		}
		if status, _ := p.control(method, path, body); status != http.StatusBadRequest {
			t.Errorf("%s answered %s", path, strconv.Itoa(status))
		}
	}
	if diff := cmp.Diff(before, p.sim.State()); diff != "" {
		t.Error(diff)
	}
}
