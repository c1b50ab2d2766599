// Package azurecloud reads Azure for the scanner of nodes: which subscriptions an identity sees,
// their locations, and the virtual machines there.
//
// It guarantees:
//
//   - It only reads, and registers no resource provider.
//   - Endpoints and credentials are those of the environment, so that a stand-in can stand in. A
//     secret that a manager refers to is read when it is needed, and kept nowhere.
//   - What is not one whole answer of Azure is a failure, and never an empty location. What an
//     identity may not see is denied, and never gone.
//   - No reason of a failure has a secret in it.
//   - No proxy answers for the machine's own service of identities.
//
// A location is read by itself, so that one that is sick neither blocks nor empties another. Azure
// tells power states for a whole subscription at once only; they are read once for each scan. It
// tells which interfaces a machine has, and not their addresses.
package azurecloud

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/arm"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v7"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/resources/armsubscriptions"

	"aws-provider-executor/pkg/nodes"
	"aws-provider-executor/pkg/nodes/scan"
)

// Options are the settings of a cloud.
type Options struct {
	// Timeout bounds a call, most of it one step of it; a minute when zero.
	Timeout time.Duration
	Log     *slog.Logger
	// Now is the clock; time.Now when nil.
	Now func() time.Time
	// Env returns a variable of the environment; os.Getenv when nil.
	Env func(string) string
	// Credential and Transport are in place of what the environment gives, for tests.
	Credential azcore.TokenCredential
	Transport  policy.Transporter
}

// Cloud is one identity in Azure, for one scan. It is safe for concurrent use.
type Cloud struct {
	manager    nodes.Manager
	credential azcore.TokenCredential
	scope      string
	options    arm.ClientOptions
	timeout    time.Duration
	now        func() time.Time
	log        *slog.Logger
	// secret is what no reason may have in it; empty where there is none.
	secret string

	mu            sync.Mutex
	subscriptions []*armsubscriptions.Subscription // nil until they were listed
	machines      map[string]*armcompute.VirtualMachinesClient
	pages         map[place]*pages
	powers        map[string]*powers
}

// place is a location of a subscription.
type place struct{ subscription, location string }

var _ scan.Cloud = (*Cloud)(nil)

// Open makes a cloud of a manager's access. No call is sent.
func Open(m nodes.Manager, o Options) (*Cloud, error) {
	o = o.orDefault()
	where, err := environmentOf(o.Env)
	if err != nil {
		return nil, scan.Unasked("%v", err)
	}
	core := azcore.ClientOptions{Cloud: where.cloud, Transport: o.Transport,
		// The scanner decides on another attempt.
		Retry: policy.RetryOptions{MaxRetries: -1}}
	c := &Cloud{
		manager: m, credential: o.Credential, timeout: o.Timeout, now: o.Now, log: o.Log,
		scope:    where.cloud.Services[cloud.ResourceManager].Audience + "/.default",
		options:  arm.ClientOptions{ClientOptions: core, DisableRPRegistration: true},
		machines: map[string]*armcompute.VirtualMachinesClient{},
		pages:    map[place]*pages{}, powers: map[string]*powers{},
	}
	if c.credential == nil {
		c.credential, c.secret, err = credentialOf(m.Access, core, where, o.Env)
	}
	return c, err
}

// listed are the subscriptions that the identity sees.
func (c *Cloud) listed(ctx context.Context) ([]*armsubscriptions.Subscription, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.subscriptions != nil {
		return c.subscriptions, nil
	}
	client, err := armsubscriptions.NewClient(c.credential, &c.options)
	if err != nil {
		return nil, c.failure(err)
	}
	all := []*armsubscriptions.Subscription{}
	for pager := client.NewListPager(nil); pager.More(); {
		page, err := send(ctx, c, pager.NextPage)
		switch {
		case err != nil:
			return nil, err
		case page.Value == nil:
			return nil, notRight("it lists no subscriptions, not even none")
		}
		for _, s := range page.Value {
			if s == nil || textOf(s.SubscriptionID) == "" || textOf(s.TenantID) == "" {
				return nil, notRight("a subscription has no id or no tenant")
			}
			all = append(all, s)
		}
	}
	c.subscriptions = all
	return all, nil
}

// send bounds a call, and makes a failure of its error.
func send[T any](
	ctx context.Context, c *Cloud, call func(context.Context) (T, error),
) (out T, err error) {
	limited, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	out, err = call(limited)
	switch {
	case err == nil:
		return out, nil
	case ctx.Err() != nil:
		return out, ctx.Err()
	}
	return out, c.failure(err)
}

// Account asks for a token, which says why there is none, and returns the tenant that it is for.
func (c *Cloud) Account(ctx context.Context) (string, error) {
	token, err := send(ctx, c, func(ctx context.Context) (azcore.AccessToken, error) {
		// As the clients ask for it, so that both have the same one.
		return c.credential.GetToken(ctx,
			policy.TokenRequestOptions{Scopes: []string{c.scope}, EnableCAE: true})
	})
	if err != nil {
		return "", err
	}
	all, err := c.listed(ctx)
	switch {
	case err != nil:
		return "", err
	case len(all) == 0:
		return "", denied("the identity sees no subscription: give it the role Reader in one")
	}
	if tenant := tenantOf(token.Token); tenant != "" {
		return tenant, nil
	}
	return strings.ToLower(*all[0].TenantID), nil
}

// tenantOf is the tenant that a token says it is of. It is not verified: it is told to people, and
// decides nothing. Azure verifies it at each call.
func tenantOf(token string) string {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return ""
	}
	body, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return ""
	}
	var claims struct {
		Tenant string `json:"tid"`
	}
	if json.Unmarshal(body, &claims) != nil {
		return ""
	}
	return strings.ToLower(claims.Tenant)
}

func textOf[T ~string](p *T) string {
	if p == nil {
		return ""
	}
	return string(*p)
}
