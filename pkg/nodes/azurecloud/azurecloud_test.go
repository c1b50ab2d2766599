package azurecloud_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/resources/armsubscriptions"
	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/pkg/nodes"
	"aws-provider-executor/pkg/nodes/azurecloud"
	"aws-provider-executor/pkg/nodes/filter"
	"aws-provider-executor/pkg/nodes/scan"
	"aws-provider-executor/pkg/nodes/store"
)

func vms(name string, more ...func(*nodes.Manager)) nodes.Manager {
	m := nodes.Manager{Name: name, Type: nodes.ManagerVM}
	for _, change := range more {
		change(&m)
	}
	return m
}

// world is two subscriptions with machines in two locations.
func world() []*subscription {
	web := func(n, location, power string) machine {
		return machine{name: "web-" + n, id: "aaaaaaaa-0000-0000-0000-00000000000" + n, group: "web",
			location: location, power: power, tags: map[string]string{"env": "prod", "n": n}}
	}
	return []*subscription{
		{id: shop, name: "shop", locations: []string{"westeurope", "northeurope", "eastus"},
			machines: []machine{web("1", "westeurope", "running"), web("2", "westeurope", "deallocated"),
				web("3", "westeurope", "running"), web("4", "northeurope", "starting")}},
		{id: lab, name: "lab", locations: []string{"westeurope"}, machines: []machine{
			{name: "lab-1", id: "bbbbbbbb-0000-0000-0000-000000000001", group: "lab",
				location: "westeurope", power: "stopped", tags: map[string]string{"env": "lab"}}}},
	}
}

// wantSame fails the test where two lists differ.
func wantSame(t *testing.T, want, got []string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
}

var wholeWorld = []string{"1/eastus complete 0", "1/northeurope complete 1",
	"1/westeurope complete 3", "2/westeurope complete 1"}

// TestScan: each location of each subscription is read to the end and by itself, machines are known
// by what lasts of them, and the cloud's own word for their state is kept.
func TestScan(t *testing.T) {
	b := newBed(t, world()...)
	wantSame(t, wholeWorld, b.create(vms("all")))
	wantSame(t, []string{"lab-1 stopped", "web-1 running", "web-2 stopped", "web-3 running",
		"web-4 pending"}, b.states())

	got := b.node("web-2")
	want := nodes.Details{Platform: "linux", InstanceType: "Standard_B2s", Zone: "2",
		ImageID: "Debian:debian-12:12:latest", LaunchTime: day.Add(-time.Hour), Subscription: shop,
		Resource: "/subscriptions/" + shop +
			"/resourceGroups/web/providers/Microsoft.Compute/virtualMachines/web-2",
		CloudState: "deallocated",
		Interfaces: []nodes.Interface{{ID: "nic-of-web-2"}, {ID: "nic-of-web-2-2", DeviceIndex: 1}}}
	if diff := cmp.Diff(want, got.Details); diff != "" {
		t.Error(diff)
	}
	source := nodes.Source{ID: "aaaaaaaa-0000-0000-0000-000000000002", Region: "westeurope",
		AccountID: tenant}
	if got.Source != source || got.Type != nodes.TypeVM || got.Status != nodes.StatusUnreachable {
		t.Errorf("%+v", got)
	}
	if diff := cmp.Diff(map[string]string{"env": "prod", "n": "2"}, got.Tags()); diff != "" {
		t.Error(diff)
	}
	// Nothing but reads, and none of them twice: the subscriptions, their locations, the states of
	// each one (2 pages and 1), and 4 locations, one of them of 2 pages.
	for _, call := range b.calls {
		if !strings.HasPrefix(call, "GET ") {
			t.Error(call)
		}
	}
	if len(b.calls) != 1+2+3+5 {
		t.Errorf("%d calls: %q", len(b.calls), b.calls)
	}
	check := b.manager("all").Checked
	if check.Status != nodes.StatusReachable || check.AccountID != tenant {
		t.Error(check)
	}
}

func (b *bed) manager(name string) nodes.Manager {
	b.t.Helper()
	m, err := b.Manager(b.t.Context(), name)
	if err != nil {
		b.t.Fatal(err)
	}
	return m
}

// TestWhereToLook: allowed subscriptions, patterns of locations, and excluded ones.
func TestWhereToLook(t *testing.T) {
	const elsewhere = "22222222-0000-0000-0000-000000000009"
	for _, tt := range []struct {
		name string
		m    nodes.Manager
		want []string
	}{
		{"one subscription, in whatever case", nodes.Manager{Accounts: []string{strings.ToUpper(lab)}},
			[]string{"2/westeurope complete 1"}},
		{"a pattern", nodes.Manager{Regions: []string{"*europe"}},
			[]string{"1/northeurope complete 1", "1/westeurope complete 3", "2/westeurope complete 1"}},
		{"one left out", nodes.Manager{ExcludedRegions: []string{"west*"}},
			[]string{"1/eastus complete 0", "1/northeurope complete 1"}},
		{"a subscription that is not seen", nodes.Manager{Accounts: []string{lab, elsewhere}},
			[]string{"2/westeurope complete 1", "9/ denied 0"}},
		{"a location that there is none of", nodes.Manager{Regions: []string{"mars"}},
			[]string{tenant[len(tenant)-1:] + "/ disabled 0"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBed(t, world()...)
			tt.m.Name, tt.m.Type = "some", nodes.ManagerVM
			wantSame(t, tt.want, b.create(tt.m))
		})
	}
}

// TestVerdicts: what can't be read whole has its verdict, blocks and empties nothing else, and
// changes no node.
func TestVerdicts(t *testing.T) {
	const west = "/subscriptions/" + shop +
		"/providers/Microsoft.Compute/locations/westeurope/virtualMachines"
	westIs := func(verdict string) []string {
		return []string{"1/eastus complete 0", "1/northeurope complete 1",
			"1/westeurope " + verdict + " 0", "2/westeurope complete 1"}
	}
	shopIs := func(verdict string) []string {
		return []string{"1/eastus " + verdict + " 0", "1/northeurope " + verdict + " 0",
			"1/westeurope " + verdict + " 0", "2/westeurope complete 1"}
	}
	states := "/subscriptions/" + shop + "/providers/Microsoft.Compute/virtualMachines"
	locations := "/subscriptions/" + shop + "/locations"
	for _, tt := range []struct {
		name, path string
		status     int
		code, body string
		want       []string
		reason     string
	}{
		{"a location is denied", west, 403, "AuthorizationFailed", "", westIs("denied"),
			"Azure says AuthorizationFailed: the reason; in lines; the role Reader allows"},
		{"a location is throttled", west, 429, "TooManyRequests", "", westIs("throttled"), "TooMany"},
		{"a location fails", west, 500, "InternalServerError", "", westIs("unreachable"), "Internal"},
		{"a location is no such", west, 400, "NoRegisteredProviderFound", "", westIs("disabled"),
			"NoRegisteredProviderFound"},
		{"a location's answer is empty", west, 200, "", "{}", westIs("unreachable"), "can't be right"},
		{"a location's answer is cut", west, 200, "", `{"value":[{"id":`, westIs("unreachable"), ""},
		{"a location's answer is no JSON", west, 200, "", "It works!", westIs("unreachable"), ""},
		{"a machine has no id", west, 200, "", `{"value":[{"name":"x"}]}`, westIs("unreachable"),
			"a machine has no id"},
		{"states are denied", states, 403, "AuthorizationFailed", "", shopIs("denied"),
			"Authorization"},
		{"states are throttled", states, 429, "", "", shopIs("throttled"), "status 429"},
		{"states are empty", states, 200, "", "{}", shopIs("unreachable"), "can't be right"},
		{"the provider is not registered", states, 409, "MissingSubscriptionRegistration", "",
			shopIs("disabled"), "az provider register"},
		{"locations are denied", locations, 403, "AuthorizationFailed", "", shopIs("denied"),
			"Authorization"},
		{"locations are none", locations, 200, "", `{"value":[]}`, shopIs("unreachable"),
			"has no location"},
		{"the subscription is not found", locations, 404, "SubscriptionNotFound", "",
			shopIs("denied"), "who may not see the subscription"},
		{"subscriptions are denied", "/subscriptions", 401, "InvalidAuthenticationToken", "",
			[]string{"/ denied 0"}, "InvalidAuthenticationToken"},
		{"subscriptions are none", "/subscriptions", 200, "", `{"value":[]}`,
			[]string{"/ denied 0"}, "sees no subscription"},
		{"subscriptions are no list", "/subscriptions", 200, "", `{}`,
			[]string{"/ unreachable 0"}, "can't be right"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBed(t, world()...)
			b.create(vms("all"))
			before := b.states()
			if tt.body != "" {
				b.answers(tt.path, tt.status, tt.body)
			} else {
				b.refuses(tt.path, tt.status, tt.code)
			}
			// Even when it is so for long, nothing is gone.
			for range 3 {
				wantSame(t, tt.want, b.scan())
			}
			if said := b.reasons("all"); !strings.Contains(said, tt.reason) {
				t.Errorf("it says %q, want %q", said, tt.reason)
			}
			wantSame(t, before, b.states())
			b.heals()
			wantSame(t, wholeWorld, b.scan())
		})
	}
}

// reasons are those of a manager and of its regions.
func (b *bed) reasons(manager string) string {
	b.t.Helper()
	m := b.manager(manager)
	all := []string{m.Checked.Reason}
	regions, err := b.Regions(b.t.Context(), m.ID)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, r := range regions {
		all = append(all, r.Reason)
	}
	return strings.Join(all, "\n")
}

// TestStatesAreAskedForFewTimes: locations of a subscription whose states can't be read don't ask
// for them one after the other.
func TestStatesAreAskedForFewTimes(t *testing.T) {
	subscriptions := world()
	for i := range 30 {
		subscriptions[0].locations = append(subscriptions[0].locations, "place"+string(rune('a'+i)))
	}
	b := newBed(t, subscriptions...)
	const states = "/subscriptions/" + shop + "/providers/Microsoft.Compute/virtualMachines"
	b.refuses(states, 429, "TooManyRequests")
	b.create(vms("all"))
	asked := 0
	for _, call := range b.calls {
		if call == "GET "+states {
			asked++
		}
	}
	if asked != 3 {
		t.Errorf("states were asked for %d times", asked)
	}
}

// TestRetryAfter: what Azure says to wait for is waited for, in each form in which it says so. What
// is longer than a region may take is not waited for, and told.
func TestRetryAfter(t *testing.T) {
	const west = "/locations/westeurope/virtualMachines"
	const whole = "2/westeurope complete 1"
	const states = "/providers/Microsoft.Compute/virtualMachines"
	in := func(d time.Duration) string { return day.Add(d).Format(http.TimeFormat) }
	for _, tt := range []struct {
		name, path, header, told string
		status                   int
		wait                     time.Duration // less than nothing where it is not waited
		result                   string
	}{
		{"seconds", west, "Retry-After", "17", 429, 17 * time.Second, whole},
		{"milliseconds", west, "Retry-After-Ms", "2500", 429, 2500 * time.Millisecond, whole},
		{"its own milliseconds", west, "X-Ms-Retry-After-Ms", "900", 429, 900 * time.Millisecond,
			whole},
		{"a time", west, "Retry-After", in(40 * time.Second), 429, 39 * time.Second, whole},
		{"a time that is over", west, "Retry-After", in(-time.Hour), 429, 0, whole},
		{"nothing that is a time", west, "Retry-After", "soon", 429, 0, whole},
		{"less than nothing", west, "Retry-After", "-5", 429, 0, whole},
		{"it is not there", west, "Retry-After", "30", 503, 30 * time.Second, whole},
		{"the states", states, "Retry-After", "17", 429, 17 * time.Second, whole},
		{"too long", west, "Retry-After", "3600", 429, -1, "2/westeurope throttled 0"},
		{"far too long", west, "Retry-After", "9223372036854775807", 429, -1, "2/westeurope throttled 0"},
		{"too long for the list", "/subscriptions", "Retry-After", "3600", 429, -1, "/ throttled 0"},
		{"a denial", west, "Retry-After", "17", 403, -1, "2/westeurope denied 0"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBed(t, world()[1])
			b.later(tt.path, tt.status, tt.header, tt.told)
			wantSame(t, []string{tt.result}, b.create(vms("all")))
			switch {
			case tt.wait < 0 && len(b.waits) > 0:
				t.Errorf("it waits %v", b.waits)
			case tt.wait >= 0 && (len(b.waits) != 1 || b.waits[0] < tt.wait ||
				b.waits[0] > tt.wait+2*time.Second):
				t.Errorf("it waits %v, want %v and a little", b.waits, tt.wait)
			}
			throttled := strings.Contains(tt.result, "throttled")
			if said := b.reasons("all"); strings.Contains(said, "says to wait ") != throttled {
				t.Errorf("it says %q", said)
			}
		})
	}
}

// TestAllLocationsWait: what one location of a subscription is told to wait for its states, all of
// its others wait too, and nothing is asked in between.
func TestAllLocationsWait(t *testing.T) {
	b := newBed(t, world()[0])
	b.later("/providers/Microsoft.Compute/virtualMachines", 429, "Retry-After", "20")
	cloud, err := azurecloud.Open(vms("all"), azurecloud.Options{Credential: fakeCredential{b},
		Transport: b.transport(), Env: func(string) string { return "" }, Now: func() time.Time {
			b.mu.Lock()
			defer b.mu.Unlock()
			return b.clock
		}})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		location string
		after    time.Duration // that it is told to wait; then time goes by
		goesBy   time.Duration
		calls    int // so far
	}{
		{"westeurope", 20 * time.Second, 5 * time.Second, 1},
		{"northeurope", 15 * time.Second, 14 * time.Second, 1},
		{"eastus", time.Second, time.Second, 1},
		{"northeurope", 0, 0, 4}, // two pages of states, and its own one
	} {
		_, err := cloud.Page(t.Context(), scan.Region{Name: tt.location, Account: shop}, "")
		var f *scan.Failure
		if errors.As(err, &f) != (tt.after > 0) || f != nil &&
			(f.After != tt.after || !f.Again || f.Verdict != nodes.Throttled) {
			t.Errorf("%s: %+v, want to wait %v", tt.location, err, tt.after)
		}
		if len(b.calls) != tt.calls {
			t.Errorf("%s: %d calls: %q", tt.location, len(b.calls), b.calls)
		}
		b.advance(tt.goesBy)
	}
}

// later has Azure refuse the first request whose path ends like this, with a header.
func (b *bed) later(end string, status int, header, value string) {
	var once sync.Once
	b.broken = func(r *http.Request) (answer *http.Response) {
		if !strings.HasSuffix(r.URL.Path, end) {
			return nil
		}
		once.Do(func() {
			answer = &http.Response{StatusCode: status, Header: http.Header{},
				Body: io.NopCloser(strings.NewReader(`{"error":{"code":"TooManyRequests"}}`))}
			answer.Header.Set(header, value)
		})
		return answer
	}
}

// TestPowerStates maps each word of Azure's.
func TestPowerStates(t *testing.T) {
	for _, tt := range []struct{ power, provisioning, state, word string }{
		{"running", "", "running", "running"}, {"starting", "", "pending", "starting"},
		{"stopping", "", "stopping", "stopping"}, {"stopped", "", "stopped", "stopped"},
		{"deallocating", "", "stopping", "deallocating"},
		{"deallocated", "", "stopped", "deallocated"},
		{"running", "Updating", "running", "running"}, {"", "Creating", "pending", "creating"},
		{"running", "Deleting", "shutting-down", "deleting"}, {"unknown", "", "unknown", ""},
		{"", "Failed", "unknown", ""}, {"hibernating", "", "unknown", ""},
	} {
		t.Run(tt.power+tt.provisioning, func(t *testing.T) {
			s := world()[1]
			b := newBed(t, s)
			b.create(vms("all"))
			s.machines[0].power, s.machines[0].provisioning = tt.power, tt.provisioning
			b.scan()
			n := b.node("lab-1")
			if tt.state == "unknown" {
				// What Azure does not know leaves what was known.
				tt.state, tt.word = "stopped", "stopped"
			}
			if string(n.State) != tt.state || n.CloudState != tt.word {
				t.Errorf("it is %s (%s)", n.State, n.CloudState)
			}
		})
	}
}

// TestGone: a machine is gone after two complete scans without it and Azure's word by its id. One
// that was made anew under its name is another.
func TestGone(t *testing.T) {
	s := world()[0]
	b := newBed(t, s)
	b.create(vms("all"))
	old := b.node("web-1")
	s.machines = s.machines[1:]
	b.scan()
	if n := b.node(old.ID); n.State != nodes.StateRunning {
		t.Fatalf("after one scan it is %s", n.State)
	}
	s.machines = append(s.machines, machine{name: "web-1", id: "aaaaaaaa-0000-0000-0000-0000000000ff",
		group: "web", location: "westeurope", power: "running"})
	b.scan()
	n := b.node(old.ID)
	if n.State != nodes.StateTerminated || !n.Said.Inferred || n.Said.Kind != nodes.ByAbsence ||
		n.CloudState != "" {
		t.Errorf("%+v", n)
	}
	again := b.node("aaaaaaaa-0000-0000-0000-0000000000ff")
	if again.ID == old.ID || again.State != nodes.StateRunning || again.Name != "web-1" {
		t.Errorf("%+v", again)
	}
}

// TestNotGone: whatever Azure says by the id but that there is none, the machine stays.
func TestNotGone(t *testing.T) {
	for _, tt := range []struct {
		status     int
		code, body string
	}{
		{403, "AuthorizationFailed", ""}, {404, "SubscriptionNotFound", ""}, {404, "", ""},
		{404, "InvalidResourceType", ""}, {429, "TooManyRequests", ""}, {500, "Oops", ""},
		{200, "", "{}"}, {200, "", ""}, {200, "", `{"id":"x","properties":{}}`},
	} {
		t.Run(tt.code+tt.body, func(t *testing.T) {
			s := world()[0]
			b := newBed(t, s)
			b.create(vms("all"))
			s.machines = s.machines[1:]
			const path = "/resourceGroups/web/providers/Microsoft.Compute/virtualMachines/web-1"
			if tt.code == "" {
				b.answers(path, tt.status, tt.body)
			} else {
				b.refuses(path, tt.status, tt.code)
			}
			b.scan()
			b.scan()
			if n := b.node("web-1"); n.State != nodes.StateRunning {
				t.Errorf("it is %s", n.State)
			}
			if !slices.ContainsFunc(b.calls, func(c string) bool { return strings.HasSuffix(c, path) }) {
				t.Error("it was not asked for")
			}
			b.heals()
			b.scan()
			if n := b.node("web-1"); n.State != nodes.StateTerminated {
				t.Errorf("once Azure says that there is none it is %s", n.State)
			}
		})
	}
}

// TestAskShowsIt: a machine that pages did not show and that is there by its id is there.
func TestAskShowsIt(t *testing.T) {
	s := world()[1]
	b := newBed(t, s)
	b.create(vms("all"))
	b.answers("/locations/westeurope/virtualMachines", 200, `{"value":[]}`)
	s.machines[0].power = "running"
	wantSame(t, []string{"2/westeurope complete 0"}, b.scan())
	wantSame(t, []string{"2/westeurope complete 0"}, b.scan())
	if n := b.node("lab-1"); n.State != nodes.StateRunning || n.Absence.Scans != 0 {
		t.Errorf("%+v", n)
	}
}

// TestLostSubscription: what an identity does not see any more is denied, and nothing of it is
// gone.
func TestLostSubscription(t *testing.T) {
	subscriptions := world()
	b := newBed(t, subscriptions...)
	b.create(vms("all"))
	b.create(nodes.Manager{Name: "subscriptions", Type: nodes.ManagerAzure})
	before := b.states()
	b.subscriptions = subscriptions[1:]
	want := []string{"1/eastus denied 0", "1/northeurope denied 0", "1/westeurope denied 0",
		"2/westeurope complete 1", "1/ denied 0", "2/ complete 1"}
	for range 3 {
		wantSame(t, want, b.scan())
	}
	wantSame(t, before, b.states())
}

// TestOneLocationOfTwoSubscriptions: the machines of one subscription are not absent from a scan of
// another in the same location, and two managers of one have the same nodes.
func TestOneLocationOfTwoSubscriptions(t *testing.T) {
	b := newBed(t, world()...)
	only := func(id string) func(*nodes.Manager) {
		return func(m *nodes.Manager) { m.Accounts = []string{id} }
	}
	b.create(vms("shop", only(shop)))
	b.create(vms("lab", only(lab)))
	b.create(vms("both"))
	for range 3 {
		b.scan()
	}
	wantSame(t, []string{"lab-1 stopped", "web-1 running", "web-2 stopped", "web-3 running",
		"web-4 pending"}, b.states())
	if n := b.node("lab-1"); len(n.Managers) != 2 || n.Absence.Scans != 0 {
		t.Errorf("%+v", n)
	}
	// A manager that does not look at a subscription any more loses its nodes, and no others.
	m := b.manager("both")
	m.Accounts = []string{lab}
	if _, err := b.UpdateManager(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if n := b.node("web-1"); len(n.Managers) != 1 {
		t.Error(n.Managers)
	}
	if n := b.node("lab-1"); len(n.Managers) != 2 {
		t.Error(n.Managers)
	}
}

// TestF12: a filter of a tag has the machines that have the tag themselves, and not those of their
// resource group.
func TestF12(t *testing.T) {
	s := world()[0]
	s.machines[1].tags = map[string]string{"env": "dev"}
	s.machines[2].tags = nil
	b := newBed(t, s)
	b.create(vms("all"))
	for text, want := range map[string][]string{
		"tag:env=prod": {"web-1", "web-4"}, "!tag:env=prod": {"web-2", "web-3"},
		"tag:env=dev": {"web-2"}, "subscription=" + shop + ",region=west*": {"web-1", "web-2", "web-3"},
		"resource=*/resourceGroups/web/*,cloudState=deallocated": {"web-2"},
	} {
		f, err := filter.Parse([]string{text}, filter.Options{})
		if err != nil {
			t.Fatal(err)
		}
		page, err := b.List(t.Context(), store.Query{Filter: f, Sort: "name", Limit: 10})
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, n := range page.Nodes {
			names = append(names, n.Name)
			if !f.Match(n, nil) {
				t.Errorf("%s: the matcher and the store differ about %s", text, n.Name)
			}
		}
		wantSame(t, want, names)
	}
}

// TestSubscriptions: a node for each subscription, with Azure's own word for what it is. What is
// not found may be hidden, and is not gone.
func TestSubscriptions(t *testing.T) {
	subscriptions := world()
	subscriptions[1].state = "Disabled"
	b := newBed(t, subscriptions...)
	wantSame(t, []string{"1/ complete 1", "2/ complete 1"},
		b.create(nodes.Manager{Name: "subscriptions", Type: nodes.ManagerAzure}))
	wantSame(t, []string{"lab stopped", "shop running"}, b.states())
	n := b.node("lab")
	if n.Type != nodes.TypeSubscription || n.Source.ID != lab || n.AccountID != tenant ||
		n.Region != "" || n.CloudState != "disabled" || n.Tags()["owner"] != "ann" {
		t.Errorf("%+v", n)
	}
	for _, word := range []string{"Warned", "PastDue", "Enabled"} {
		subscriptions[1].state = "Disabled"
		b.scan()
		subscriptions[1].state = armsubscriptions.SubscriptionState(word)
		b.scan()
		if n := b.node("lab"); n.State != nodes.StateRunning {
			t.Errorf("%s: %s", word, n.State)
		}
	}
	b.refuses("/subscriptions/"+lab, http.StatusNotFound, "SubscriptionNotFound")
	for range 3 {
		wantSame(t, []string{"1/ complete 1", "2/ denied 0"}, b.scan())
	}
	b.heals()
	subscriptions[1].state = "Deleted"
	b.scan()
	wantSame(t, []string{"lab terminated", "shop running"}, b.states())
}

// TestNoToken: why there is no token is told, and no subscription is asked for.
func TestNoToken(t *testing.T) {
	b := newBed(t, world()...)
	b.denies = errors.New("DefaultAzureCredential: failed to acquire a token.\nAttempted " +
		"credentials:\n\tEnvironmentCredential: missing environment variable AZURE_TENANT_ID")
	wantSame(t, []string{"/ unreachable 0"}, b.create(vms("all")))
	if said := b.reasons("all"); !strings.Contains(said, "there are no credentials: ") ||
		!strings.Contains(said, "; EnvironmentCredential: missing environment variable") {
		t.Error(said)
	}
	if len(b.calls) > 0 {
		t.Error(b.calls)
	}
	b.denies = nil
	m, err := b.Connect(t.Context(), "all")
	if err != nil || m.Checked.Status != nodes.StatusReachable || m.Checked.Reason != "" {
		t.Error(m.Checked, err)
	}
}

// TestEnded: a scan that is ended says nothing of what it did not read.
func TestEnded(t *testing.T) {
	b := newBed(t, world()...)
	b.create(vms("all"))
	ctx, cancel := context.WithCancel(t.Context())
	b.broken = func(*http.Request) *http.Response {
		cancel()
		return nil
	}
	before := b.reasons("all")
	m, err := b.Keeper.Connect(ctx, "all")
	if err == nil {
		t.Error(m.Checked)
	}
	b.broken = nil
	if said := b.reasons("all"); said != before {
		t.Error(said)
	}
}
