package azurecloud

import (
	"cmp"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"aws-provider-executor/pkg/nodes"
	"aws-provider-executor/pkg/nodes/scan"
	"aws-provider-executor/pkg/nodes/secretfile"
)

// What the environment says beside what azidentity reads of it.
const (
	// environmentVar names one of Azure's clouds.
	environmentVar = "AZURE_ENVIRONMENT"
	// endpointVar is the URL of Azure Resource Manager in any other cloud, or of a stand-in, and
	// audienceVar what tokens are for there: the endpoint itself when empty.
	endpointVar = "AZURE_RESOURCE_MANAGER_ENDPOINT"
	audienceVar = "AZURE_RESOURCE_MANAGER_AUDIENCE"
	// authorityVar is the URL at which tokens are asked for.
	authorityVar = "AZURE_AUTHORITY_HOST"
)

func (o Options) orDefault() Options {
	o.Timeout = cmp.Or(o.Timeout, time.Minute)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Env == nil {
		o.Env = os.Getenv
	}
	if o.Transport == nil {
		o.Transport = newTransport()
	}
	return o
}

// environment is the cloud that the environment leads to.
type environment struct {
	cloud cloud.Configuration
	// custom is set where it is none of Azure's own. Nobody but the operator vouches for its
	// authority then.
	custom bool
}

// clouds are Azure's own, by the names that its tools have for them in lower case.
var clouds = map[string]struct{ authority, endpoint, audience string }{
	"": {"https://login.microsoftonline.com/", "https://management.azure.com",
		"https://management.core.windows.net/"},
	"azureusgovernment": {"https://login.microsoftonline.us/", "https://management.usgovcloudapi.net",
		"https://management.core.usgovcloudapi.net"},
	"azurechinacloud": {"https://login.chinacloudapi.cn/", "https://management.chinacloudapi.cn",
		"https://management.core.chinacloudapi.cn"},
}

// cloudNames are the other names of the same clouds.
var cloudNames = map[string]string{
	"azurecloud": "", "azurepubliccloud": "", "public": "",
	"azureusgovernmentcloud": "azureusgovernment", "usgovernment": "azureusgovernment",
	"china": "azurechinacloud",
}

// environmentOf reads where the environment leads.
func environmentOf(env func(string) string) (environment, error) {
	name := strings.ToLower(env(environmentVar))
	if other, ok := cloudNames[name]; ok {
		name = other
	}
	known, ok := clouds[name]
	if !ok {
		return environment{}, fmt.Errorf("%s is %q, want AzureCloud, AzureUSGovernment or "+
			"AzureChinaCloud; another cloud is named by %s and %s", environmentVar,
			env(environmentVar), endpointVar, authorityVar)
	}
	custom := env(endpointVar) != ""
	if custom {
		known.endpoint = env(endpointVar)
		known.audience = cmp.Or(env(audienceVar), known.endpoint)
	}
	known.authority = cmp.Or(env(authorityVar), known.authority)
	for variable, url := range map[string]string{endpointVar: known.endpoint,
		authorityVar: known.authority} {
		// A token goes there.
		if !strings.HasPrefix(url, "https://") {
			return environment{}, fmt.Errorf("%s is %q, want an https:// URL", variable, url)
		}
	}
	return environment{custom: custom, cloud: cloud.Configuration{
		ActiveDirectoryAuthorityHost: known.authority,
		Services: map[cloud.ServiceName]cloud.ServiceConfiguration{cloud.ResourceManager: {
			Endpoint: strings.TrimSuffix(known.endpoint, "/"),
			Audience: strings.TrimSuffix(known.audience, "/"),
		}},
	}}, nil
}

// credentialOf is the credential of an access, and what of it no text may have. It is by the
// documented chain of whoever runs the program, or a service principal whose secret a file has.
func credentialOf(
	a nodes.Access, core azcore.ClientOptions, where environment, env func(string) string,
) (azcore.TokenCredential, string, error) {
	if a.Secret == "" {
		c, err := azidentity.NewDefaultAzureCredential(&azidentity.DefaultAzureCredentialOptions{
			ClientOptions: core, DisableInstanceDiscovery: where.custom})
		if err != nil {
			return nil, "", scan.Unasked("%s", oneLine(err.Error()))
		}
		return c, env("AZURE_CLIENT_SECRET"), nil
	}
	path, ok := secretfile.Path(a.Secret)
	if !ok {
		return nil, "", scan.Unasked("an Azure manager's secret is a file: file:/PATH")
	}
	text, err := secretfile.Read(path)
	if err != nil {
		return nil, "", scan.Unasked("the credentials can't be read: %v", err)
	}
	fields, err := secretfile.ParseFields(text)
	if err != nil {
		return nil, "", scan.Unasked("%s is no object in JSON", a.Secret)
	}
	tenant := fields.Get("tenantId", "tenant", "AZURE_TENANT_ID")
	client := fields.Get("clientId", "appId", "AZURE_CLIENT_ID")
	secret := fields.Get("clientSecret", "password", "AZURE_CLIENT_SECRET")
	if tenant == "" || client == "" || secret == "" {
		return nil, "", scan.Unasked("%s has no tenantId, no clientId or no clientSecret", a.Secret)
	}
	c, err := azidentity.NewClientSecretCredential(tenant, client, secret,
		&azidentity.ClientSecretCredentialOptions{ClientOptions: core,
			DisableInstanceDiscovery: where.custom})
	if err != nil {
		return nil, "", scan.Unasked("%s can't be used: its tenantId is not one", a.Secret)
	}
	return c, secret, nil
}
