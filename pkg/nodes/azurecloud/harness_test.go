package azurecloud_test

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	azfake "github.com/Azure/azure-sdk-for-go/sdk/azcore/fake"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v7"
	computefake "github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v7/fake"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/resources/armsubscriptions"
	subsfake "github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/resources/armsubscriptions/fake"

	"aws-provider-executor/pkg/nodes"
	"aws-provider-executor/pkg/nodes/azurecloud"
	"aws-provider-executor/pkg/nodes/scan"
	"aws-provider-executor/pkg/nodes/store"
)

const (
	tenant = "11111111-0000-0000-0000-000000000000"
	shop   = "22222222-0000-0000-0000-000000000001"
	lab    = "22222222-0000-0000-0000-000000000002"
)

// machine is a virtual machine of the tests' Azure.
type machine struct {
	name, id, group, location string
	power                     string // empty where Azure tells none
	provisioning              string // Succeeded when empty
	tags                      map[string]string
}

func (m machine) resource(subscription string) string {
	return "/subscriptions/" + subscription + "/resourceGroups/" + m.group +
		"/providers/Microsoft.Compute/virtualMachines/" + m.name
}

// shown is a machine as listings have it, and status as the listing of states has it.
func (m machine) shown(subscription string) *armcompute.VirtualMachine {
	tags := map[string]*string{}
	for k, v := range m.tags {
		tags[k] = to.Ptr(v)
	}
	return &armcompute.VirtualMachine{
		ID: to.Ptr(m.resource(subscription)), Name: &m.name, Location: &m.location, Tags: tags,
		Zones: []*string{to.Ptr("2")},
		Properties: &armcompute.VirtualMachineProperties{
			VMID: to.Ptr(strings.ToUpper(m.id)), TimeCreated: to.Ptr(day.Add(-time.Hour)),
			ProvisioningState: to.Ptr(cmp.Or(m.provisioning, "Succeeded")),
			HardwareProfile: &armcompute.HardwareProfile{
				VMSize: to.Ptr(armcompute.VirtualMachineSizeTypes("Standard_B2s"))},
			StorageProfile: &armcompute.StorageProfile{
				ImageReference: &armcompute.ImageReference{Publisher: to.Ptr("Debian"),
					Offer: to.Ptr("debian-12"), SKU: to.Ptr("12"), Version: to.Ptr("latest")},
				OSDisk: &armcompute.OSDisk{OSType: to.Ptr(armcompute.OperatingSystemTypesLinux)}},
			NetworkProfile: &armcompute.NetworkProfile{
				NetworkInterfaces: []*armcompute.NetworkInterfaceReference{
					{ID: to.Ptr("nic-of-" + m.name + "-2")},
					{ID: to.Ptr("nic-of-" + m.name), Properties: &armcompute.
						NetworkInterfaceReferenceProperties{Primary: to.Ptr(true)}},
				}},
		},
	}
}

func (m machine) status(subscription string) *armcompute.VirtualMachine {
	view := &armcompute.VirtualMachineInstanceView{Statuses: []*armcompute.InstanceViewStatus{
		{Code: to.Ptr("ProvisioningState/succeeded")}}}
	if m.power != "" {
		view.Statuses = append(view.Statuses,
			&armcompute.InstanceViewStatus{Code: to.Ptr("PowerState/" + m.power)})
	}
	return &armcompute.VirtualMachine{
		// Azure writes the names of groups in one case here and in another there.
		ID: to.Ptr(strings.ToUpper(m.resource(subscription))),
		Properties: &armcompute.VirtualMachineProperties{InstanceView: view,
			ProvisioningState: to.Ptr(cmp.Or(m.provisioning, "Succeeded"))},
	}
}

// subscription is one of the tests' Azure.
type subscription struct {
	id, name  string
	tenant    string
	state     armsubscriptions.SubscriptionState
	locations []string
	machines  []machine
}

// azure is a stand-in of the SDK's own fake servers.
type azure struct {
	t     *testing.T
	clock time.Time

	mu            sync.Mutex
	subscriptions []*subscription
	// broken answers a request in place of the fakes where it returns an answer.
	broken func(*http.Request) *http.Response
	calls  []string
}

var day = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

const perPage = 2

func newAzure(t *testing.T, subscriptions ...*subscription) *azure {
	t.Helper()
	a := &azure{t: t, clock: day, subscriptions: subscriptions}
	for _, s := range subscriptions {
		s.tenant, s.state = cmp.Or(s.tenant, tenant), cmp.Or(s.state,
			armsubscriptions.SubscriptionStateEnabled)
	}
	return a
}

// paged adds a list to a responder, a few on each page.
func paged[T, P any](r *azfake.PagerResponder[P], all []T, page func([]T) P) {
	if len(all) == 0 {
		r.AddPage(http.StatusOK, page([]T{}), nil)
	}
	for part := range slices.Chunk(all, perPage) {
		r.AddPage(http.StatusOK, page(part), nil)
	}
}

func (s *subscription) shown() *armsubscriptions.Subscription {
	return &armsubscriptions.Subscription{SubscriptionID: &s.id, DisplayName: &s.name,
		ID: to.Ptr("/subscriptions/" + s.id), State: &s.state, TenantID: &s.tenant,
		Tags: map[string]*string{"owner": to.Ptr("ann")}}
}

func (a *azure) server() *subsfake.Server {
	return &subsfake.Server{
		NewListPager: func(*armsubscriptions.ClientListOptions) (
			r azfake.PagerResponder[armsubscriptions.ClientListResponse],
		) {
			var all []*armsubscriptions.Subscription
			for _, s := range a.subscriptions {
				all = append(all, s.shown())
			}
			paged(&r, all, func(part []*armsubscriptions.Subscription) (
				p armsubscriptions.ClientListResponse,
			) {
				p.Value = part
				return p
			})
			return r
		},
		NewListLocationsPager: func(id string, _ *armsubscriptions.ClientListLocationsOptions) (
			r azfake.PagerResponder[armsubscriptions.ClientListLocationsResponse],
		) {
			var p armsubscriptions.ClientListLocationsResponse
			p.Value = []*armsubscriptions.Location{{Name: to.Ptr("europe"),
				Metadata: &armsubscriptions.LocationMetadata{
					RegionType: to.Ptr(armsubscriptions.RegionTypeLogical)}}}
			for _, l := range a.subscription(id).locations {
				p.Value = append(p.Value, &armsubscriptions.Location{Name: &l})
			}
			r.AddPage(http.StatusOK, p, nil)
			return r
		},
		Get: func(_ context.Context, id string, _ *armsubscriptions.ClientGetOptions) (
			r azfake.Responder[armsubscriptions.ClientGetResponse], e azfake.ErrorResponder,
		) {
			s := a.subscription(id)
			if s == nil {
				e.SetResponseError(http.StatusNotFound, "SubscriptionNotFound")
				return r, e
			}
			r.SetResponse(http.StatusOK, armsubscriptions.ClientGetResponse{Subscription: *s.shown()}, nil)
			return r, e
		},
	}
}

func (a *azure) subscription(id string) *subscription {
	at := slices.IndexFunc(a.subscriptions, func(s *subscription) bool { return s.id == id })
	if at < 0 {
		return nil
	}
	return a.subscriptions[at]
}

func (s *subscription) server() *computefake.VirtualMachinesServer {
	return &computefake.VirtualMachinesServer{
		NewListByLocationPager: func(
			location string, _ *armcompute.VirtualMachinesClientListByLocationOptions,
		) (r azfake.PagerResponder[armcompute.VirtualMachinesClientListByLocationResponse]) {
			var all []*armcompute.VirtualMachine
			for _, m := range s.machines {
				if m.location == location {
					all = append(all, m.shown(s.id))
				}
			}
			paged(&r, all, func(part []*armcompute.VirtualMachine) (
				p armcompute.VirtualMachinesClientListByLocationResponse,
			) {
				p.Value = part
				return p
			})
			return r
		},
		NewListAllPager: func(o *armcompute.VirtualMachinesClientListAllOptions) (
			r azfake.PagerResponder[armcompute.VirtualMachinesClientListAllResponse],
		) {
			if o == nil || o.StatusOnly == nil || *o.StatusOnly != "true" {
				panic("all machines are listed, and not their states alone")
			}
			var all []*armcompute.VirtualMachine
			for _, m := range s.machines {
				all = append(all, m.status(s.id))
			}
			paged(&r, all, func(part []*armcompute.VirtualMachine) (
				p armcompute.VirtualMachinesClientListAllResponse,
			) {
				p.Value = part
				return p
			})
			return r
		},
		Get: func(_ context.Context, group, name string, o *armcompute.VirtualMachinesClientGetOptions) (
			r azfake.Responder[armcompute.VirtualMachinesClientGetResponse], e azfake.ErrorResponder,
		) {
			for _, m := range s.machines {
				if m.group == group && m.name == name {
					vm := m.shown(s.id)
					vm.Properties.InstanceView = m.status(s.id).Properties.InstanceView
					r.SetResponse(http.StatusOK,
						armcompute.VirtualMachinesClientGetResponse{VirtualMachine: *vm}, nil)
					return r, e
				}
			}
			e.SetResponseError(http.StatusNotFound, "ResourceNotFound")
			return r, e
		},
	}
}

// transport is the way of one client to the fake servers. Those count the pages of a list that they
// gave out, and would give each of two clients a part of them.
type transport struct {
	*azure
	list     *subsfake.ServerTransport
	machines map[string]policy.Transporter // by subscription
}

func (a *azure) transport() *transport {
	t := &transport{a, subsfake.NewServerTransport(a.server()), map[string]policy.Transporter{}}
	for _, s := range a.subscriptions {
		t.machines[s.id] = computefake.NewVirtualMachinesServerTransport(s.server())
	}
	return t
}

// Do answers a request as the fake server does that it is for.
func (a *transport) Do(r *http.Request) (*http.Response, error) {
	a.mu.Lock()
	a.calls = append(a.calls, r.Method+" "+r.URL.Path)
	broken := a.broken
	a.mu.Unlock()
	if broken != nil {
		if answer := broken(r); answer != nil {
			answer.Request = r
			return answer, nil
		}
	}
	parts := strings.Split(r.URL.Path, "/")
	if strings.Contains(r.URL.Path, "/Microsoft.Compute/") && len(parts) > 2 {
		return a.machines[parts[2]].Do(r)
	}
	return a.list.Do(r)
}

// refuses has Azure answer requests whose path ends like this with an error.
func (a *azure) refuses(end string, status int, code string) {
	a.answers(end, status, fmt.Sprintf(`{"error":{"code":%q,"message":"the reason\nin lines"}}`, code))
}

// answers has Azure answer requests whose path ends like this with a body.
func (a *azure) answers(end string, status int, body string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.broken = func(r *http.Request) *http.Response {
		if !strings.HasSuffix(r.URL.Path, end) {
			return nil
		}
		return &http.Response{StatusCode: status, Header: http.Header{},
			Body: io.NopCloser(strings.NewReader(body))}
	}
}

// heals has Azure answer everything again.
func (a *azure) heals() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.broken, a.calls = nil, nil
}

// bed is a store, and what scans Azure into it.
type bed struct {
	*azure
	*store.Store
	*scan.Keeper
	scanner *scan.Scanner
	denies  error
	waits   []time.Duration // before calls, guarded by mu
}

// fakeCredential gives the SDK's own fake token, or none.
type fakeCredential struct{ b *bed }

func (f fakeCredential) GetToken(
	ctx context.Context, o policy.TokenRequestOptions,
) (azcore.AccessToken, error) {
	if f.b.denies != nil {
		return azcore.AccessToken{}, f.b.denies
	}
	return (&azfake.TokenCredential{}).GetToken(ctx, o)
}

func newBed(t *testing.T, subscriptions ...*subscription) *bed {
	t.Helper()
	b := &bed{azure: newAzure(t, subscriptions...)}
	now := func() time.Time {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.clock = b.clock.Add(time.Microsecond)
		return b.clock
	}
	var err error
	b.Store, err = store.Open(t.Context(), filepath.Join(t.TempDir(), "nodes.db"),
		store.Options{Create: true, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	open := func(_ context.Context, m nodes.Manager) (scan.Cloud, error) {
		return azurecloud.Open(m, azurecloud.Options{Credential: fakeCredential{b},
			Transport: b.transport(), Now: now, Env: func(string) string { return "" }})
	}
	b.scanner = scan.New(b.Store, open, scan.Options{Now: now, Limits: scan.Limits{Attempts: 2},
		Wait: func(ctx context.Context, d time.Duration) error {
			b.advance(d)
			b.mu.Lock()
			defer b.mu.Unlock()
			b.waits = append(b.waits, d)
			return ctx.Err()
		}})
	b.Keeper = scan.NewKeeper(b.Store, b.scanner)
	return b
}

// advance lets time go by.
func (b *bed) advance(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.clock = b.clock.Add(d)
}

func (b *bed) create(m nodes.Manager) []string {
	b.t.Helper()
	m.Access.Kind = nodes.AccessAmbient
	kept, err := b.Create(b.t.Context(), m, scan.Request{})
	if err != nil {
		b.t.Fatal(err)
	}
	return b.verdicts(kept.Results)
}

// scan scans all managers, an hour later.
func (b *bed) scan() []string {
	b.t.Helper()
	b.advance(time.Hour)
	managers, err := b.Managers(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	results, err := b.scanner.Scan(b.t.Context(), scan.Request{Managers: managers})
	if err != nil {
		b.t.Fatal(err)
	}
	return b.verdicts(results)
}

// verdicts are SUBSCRIPTION/LOCATION VERDICT SEEN of each result, with the last digit of the
// subscription for all of it.
func (b *bed) verdicts(results []scan.Result) []string {
	var list []string
	for _, r := range results {
		id := r.AccountID
		if len(id) == len(shop) {
			id = id[len(id)-1:]
		}
		list = append(list, fmt.Sprintf("%s/%s %s %d", id, r.Region, r.Verdict, r.Summary.Seen))
	}
	return list
}

func (b *bed) node(name string) *nodes.Node {
	b.t.Helper()
	n, err := b.Find(b.t.Context(), name)
	if err != nil {
		b.t.Fatal(err)
	}
	return n
}

// states are NAME STATE of all nodes, sorted.
func (b *bed) states() []string {
	b.t.Helper()
	page, err := b.List(b.t.Context(), store.Query{Sort: "name", Limit: store.MostListed})
	if err != nil {
		b.t.Fatal(err)
	}
	var all []string
	for _, n := range page.Nodes {
		all = append(all, n.Name+" "+string(n.State))
	}
	slices.Sort(all)
	return all
}
