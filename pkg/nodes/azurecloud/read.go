package azurecloud

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/arm"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v7"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/resources/armsubscriptions"

	"aws-provider-executor/pkg/nodes"
	"aws-provider-executor/pkg/nodes/scan"
)

// Regions lists the locations of each subscription that the manager may look at. For a manager of
// subscriptions each of them is one. What can't be listed is among them, with its failure.
func (c *Cloud) Regions(ctx context.Context) ([]scan.Region, error) {
	all, err := c.listed(ctx)
	if err != nil {
		return nil, err
	}
	var list []scan.Region
	seen := map[string]bool{}
	for _, s := range all {
		id := strings.ToLower(*s.SubscriptionID)
		seen[id] = true
		if !c.manager.Covers(id, "") {
			continue
		}
		at := scan.Region{Account: id, Tenant: strings.ToLower(*s.TenantID), Enabled: true}
		if c.manager.Type == nodes.ManagerAzure {
			list = append(list, at)
			continue
		}
		locations, err := c.locations(ctx, at)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			at.Failed = asFailure(err)
			locations = []scan.Region{at}
		}
		list = append(list, locations...)
	}
	for _, id := range c.manager.Accounts {
		if id = strings.ToLower(id); !seen[id] {
			list = append(list, scan.Region{Account: id, Enabled: true,
				Failed: denied("the identity does not see the subscription %s", id)})
		}
	}
	return list, nil
}

func asFailure(err error) *scan.Failure {
	var f *scan.Failure
	if errors.As(err, &f) {
		return f
	}
	return &scan.Failure{Verdict: nodes.Unreachable, Reason: oneLine(err.Error())}
}

// locations are those of a subscription in which there can be machines.
func (c *Cloud) locations(ctx context.Context, of scan.Region) ([]scan.Region, error) {
	client, err := armsubscriptions.NewClient(c.credential, &c.options)
	if err != nil {
		return nil, c.failure(err)
	}
	var list []scan.Region
	for pager := client.NewListLocationsPager(of.Account, nil); pager.More(); {
		page, err := send(ctx, c, pager.NextPage)
		if err != nil {
			return nil, err
		}
		for _, l := range page.Value {
			if l == nil || textOf(l.Name) == "" {
				return nil, notRight("a location has no name")
			}
			if l.Metadata != nil &&
				textOf(l.Metadata.RegionType) == string(armsubscriptions.RegionTypeLogical) {
				continue // as "europe", in which nothing is
			}
			at := of
			at.Name = strings.ToLower(*l.Name)
			list = append(list, at)
		}
	}
	if len(list) == 0 {
		return nil, notRight("the subscription has no location")
	}
	return list, nil
}

// in is the client of a subscription's machines.
func (c *Cloud) in(subscription string) (*armcompute.VirtualMachinesClient, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if client := c.machines[subscription]; client != nil {
		return client, nil
	}
	client, err := armcompute.NewVirtualMachinesClient(subscription, c.credential, &c.options)
	if err != nil {
		return nil, c.failure(err)
	}
	c.machines[subscription] = client
	return client, nil
}

// pages are those of a location that are being read.
type pages struct {
	pager *runtime.Pager[armcompute.VirtualMachinesClientListByLocationResponse]
	read  int
}

// begin has the pages of a location be read from the first one on, or finds those that are read.
func (c *Cloud) begin(at place, token string) (*pages, error) {
	client, err := c.in(at.subscription)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if token == "" {
		c.pages[at] = &pages{pager: client.NewListByLocationPager(at.location, nil)}
	}
	p := c.pages[at]
	if p == nil || token != p.token() {
		return nil, &scan.Failure{Verdict: nodes.Unreachable, Reason: "its pages are read by nobody"}
	}
	return p, nil
}

// token names the next page; empty for the first one.
func (p *pages) token() string {
	if p.read == 0 {
		return ""
	}
	return strconv.Itoa(p.read)
}

// Page reads a page of a location's machines in all states. For a manager of subscriptions it is
// the subscription itself.
func (c *Cloud) Page(ctx context.Context, at scan.Region, token string) (scan.Page, error) {
	if c.manager.Type == nodes.ManagerAzure {
		return c.self(ctx, at)
	}
	here := place{at.Account, at.Name}
	p, err := c.begin(here, token)
	if err != nil {
		return scan.Page{}, err
	}
	// States are read before machines. One that comes to be in between has none yet.
	powers, err := c.powersOf(ctx, at.Account)
	if err != nil {
		return scan.Page{}, err
	}
	page, err := send(ctx, c, p.pager.NextPage)
	if err != nil {
		return scan.Page{}, err
	}
	p.read++
	if page.Value == nil {
		return scan.Page{}, notRight("it lists no machines, not even none")
	}
	var out scan.Page
	for _, vm := range page.Value {
		x, err := sighting(vm, powers, at.Account)
		if err != nil {
			return scan.Page{}, err
		}
		out.Seen = append(out.Seen, x)
	}
	if p.pager.More() {
		out.Next = p.token()
	}
	return out, nil
}

// self is a subscription as a node of its own.
func (c *Cloud) self(ctx context.Context, at scan.Region) (scan.Page, error) {
	client, err := armsubscriptions.NewClient(c.credential, &c.options)
	if err != nil {
		return scan.Page{}, c.failure(err)
	}
	got, err := send(ctx, c,
		func(ctx context.Context) (armsubscriptions.ClientGetResponse, error) {
			return client.Get(ctx, at.Account, nil)
		})
	if err != nil {
		return scan.Page{}, err
	}
	x, err := subscriptionSighting(&got.Subscription, at.Account)
	return scan.Page{Seen: []nodes.Sighting{x}}, err
}

// powers are what a subscription's machines say of their power, by their resources.
type powers struct {
	mu       sync.Mutex
	byID     map[string]power
	at       time.Time // when they were asked for; zero until they are known
	failed   *scan.Failure
	failures int
	// notBefore is when Azure says that they may be asked for again.
	notBefore time.Time
}

// power is what Azure says of a machine's state.
type power struct {
	state nodes.State
	word  string
}

// mostTries is how often the power states of a subscription are asked for in one scan.
const mostTries = 3

// powersOf reads the power states of a subscription, once for all of its locations.
func (c *Cloud) powersOf(ctx context.Context, subscription string) (*powers, error) {
	c.mu.Lock()
	p := c.powers[subscription]
	if p == nil {
		p = &powers{}
		c.powers[subscription] = p
	}
	c.mu.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.at.IsZero() {
		return p, nil
	}
	if p.failures >= mostTries {
		// One location after the other would ask again.
		told := *p.failed
		told.Again = false
		return nil, &told
	}
	if left := p.notBefore.Sub(c.now()); left > 0 {
		// Another location was told to wait, and so is this one.
		told := *p.failed
		told.After = left
		return nil, &told
	}
	err := c.readPowers(ctx, subscription, p)
	if err != nil && ctx.Err() == nil {
		p.failed = asFailure(err)
		p.failures++
		p.notBefore = c.now().Add(p.failed.After)
	}
	return p, err
}

func (c *Cloud) readPowers(ctx context.Context, subscription string, p *powers) error {
	client, err := c.in(subscription)
	if err != nil {
		return err
	}
	byID, began, only := map[string]power{}, c.now(), "true"
	pager := client.NewListAllPager(&armcompute.VirtualMachinesClientListAllOptions{
		StatusOnly: &only})
	for pager.More() {
		page, err := send(ctx, c, pager.NextPage)
		switch {
		case err != nil:
			return err
		case page.Value == nil:
			return notRight("it lists no states of machines, not even none")
		}
		for _, vm := range page.Value {
			if vm == nil || textOf(vm.ID) == "" {
				return notRight("the state of a machine has no id")
			}
			byID[strings.ToLower(*vm.ID)] = powerOf(vm.Properties)
		}
	}
	p.byID, p.at = byID, began
	return nil
}

// Ask asks for machines by their resources. Another machine under the same name is not the one that
// was asked for: that is gone. The resource of a group that is gone is, too.
func (c *Cloud) Ask(
	ctx context.Context, at scan.Region, suspects []nodes.Suspect,
) (a scan.Answer, err error) {
	if c.manager.Type == nodes.ManagerAzure {
		return a, errors.New("what is said of a subscription's id can be said to who may not see it")
	}
	for _, s := range suspects {
		resource, err := arm.ParseResourceID(s.Resource)
		if err != nil {
			continue // it was told of by a report alone, and is not answered for
		}
		client, err := c.in(resource.SubscriptionID)
		if err != nil {
			return a, err
		}
		a.Calls++
		x, there, err := c.get(ctx, client, resource, at.Account)
		switch {
		case err != nil:
			return a, err
		case !there || x.ID != s.Source.ID:
			a.NotFound = append(a.NotFound, s.Source.ID)
		default:
			a.Found = append(a.Found, x)
		}
	}
	return a, nil
}

// get reads a machine by its resource. It is false where Azure says that there is none.
func (c *Cloud) get(
	ctx context.Context, client *armcompute.VirtualMachinesClient, of *arm.ResourceID,
	subscription string,
) (x nodes.Sighting, there bool, err error) {
	view, began := armcompute.InstanceViewTypesInstanceView, c.now()
	got, err := send(ctx, c,
		func(ctx context.Context) (*armcompute.VirtualMachine, error) {
			got, err := client.Get(ctx, of.ResourceGroupName, of.Name,
				&armcompute.VirtualMachinesClientGetOptions{Expand: &view})
			if isAbsent(err) {
				return nil, nil
			}
			return &got.VirtualMachine, err
		})
	if err != nil || got == nil {
		return x, false, err
	}
	x, err = sighting(got, &powers{at: began}, subscription)
	return x, true, err
}
