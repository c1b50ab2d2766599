package azurecloud

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"

	"aws-provider-executor/pkg/nodes"
	"aws-provider-executor/pkg/nodes/scan"
)

// environ is an environment of these variables alone.
func environ(pairs ...string) func(string) string {
	return func(name string) string {
		for _, p := range pairs {
			if value, ok := strings.CutPrefix(p, name+"="); ok {
				return value
			}
		}
		return ""
	}
}

func TestEnvironment(t *testing.T) {
	for _, tt := range []struct {
		name                string
		env                 []string
		endpoint, authority string
		audience, refused   string
		custom              bool
	}{
		{name: "nothing", endpoint: "https://management.azure.com",
			authority: "https://login.microsoftonline.com/",
			audience:  "https://management.core.windows.net"},
		{name: "a name", env: []string{"AZURE_ENVIRONMENT=AzureUSGovernmentCloud"},
			endpoint:  "https://management.usgovcloudapi.net",
			authority: "https://login.microsoftonline.us/",
			audience:  "https://management.core.usgovcloudapi.net"},
		{name: "a stand-in", env: []string{"AZURE_RESOURCE_MANAGER_ENDPOINT=https://127.0.0.1:1/",
			"AZURE_AUTHORITY_HOST=https://127.0.0.1:2"}, endpoint: "https://127.0.0.1:1",
			authority: "https://127.0.0.1:2", audience: "https://127.0.0.1:1", custom: true},
		{name: "another audience", env: []string{"AZURE_RESOURCE_MANAGER_ENDPOINT=https://a",
			"AZURE_RESOURCE_MANAGER_AUDIENCE=https://b"}, endpoint: "https://a",
			authority: "https://login.microsoftonline.com/", audience: "https://b", custom: true},
		{name: "an unknown name", env: []string{"AZURE_ENVIRONMENT=AzureMoon"},
			refused: `AZURE_ENVIRONMENT is "AzureMoon"`},
		{name: "no TLS", env: []string{"AZURE_RESOURCE_MANAGER_ENDPOINT=http://127.0.0.1:1"},
			refused: "want an https:// URL"},
		{name: "no TLS of the authority", env: []string{"AZURE_AUTHORITY_HOST=http://127.0.0.1:1"},
			refused: "want an https:// URL"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e, err := environmentOf(environ(tt.env...))
			if tt.refused != "" {
				if err == nil || !strings.Contains(err.Error(), tt.refused) {
					t.Error(err)
				}
				return
			}
			arm := e.cloud.Services[cloud.ResourceManager]
			if err != nil || arm.Endpoint != tt.endpoint || arm.Audience != tt.audience ||
				e.cloud.ActiveDirectoryAuthorityHost != tt.authority || e.custom != tt.custom {
				t.Errorf("%+v %v", e, err)
			}
		})
	}
}

// secretText is what nobody may be told.
const secretText = "hunter2~hunter2"

// servicePrincipal writes a secret's file, and returns a manager that looks by it.
func servicePrincipal(t *testing.T, text string, mode os.FileMode) nodes.Manager {
	t.Helper()
	path := filepath.Join(t.TempDir(), "azure.json")
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	return nodes.Manager{Type: nodes.ManagerVM,
		Access: nodes.Access{Kind: nodes.AccessSecret, Secret: nodes.SecretRef("file:" + path)}}
}

const wholeSecret = `{"tenantId":"11111111-0000-0000-0000-000000000000",
"clientId":"33333333-0000-0000-0000-000000000000","clientSecret":"` + secretText + `"}`

// TestSecretFile: a secret that can't be used says why, and nothing of itself.
func TestSecretFile(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		mode       os.FileMode
		want       string
	}{
		{"others can read it", wholeSecret, 0o644, "can be read by others: chmod 600"},
		{"no JSON", secretText, 0o600, "is no object in JSON"},
		{"no client", `{"tenantId":"t","clientSecret":"` + secretText + `"}`, 0o600, "no clientId"},
		{"a tenant that is none", `{"tenantId":"a/b","clientId":"c","clientSecret":"` + secretText +
			`"}`, 0o600, "its tenantId is not one"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Open(servicePrincipal(t, tt.text, tt.mode), Options{Env: environ()})
			var f *scan.Failure
			if !errors.As(err, &f) || f.Verdict != nodes.Unreachable ||
				!strings.Contains(f.Reason, tt.want) || strings.Contains(f.Reason, secretText) {
				t.Error(err)
			}
		})
	}
	m := servicePrincipal(t, wholeSecret, 0o600)
	m.Access.Secret += "-gone"
	if _, err := Open(m, Options{Env: environ()}); err == nil ||
		!strings.Contains(err.Error(), "no such file") {
		t.Error(err)
	}
}

// transport answers the requests of a test.
type transport func(*http.Request) (int, string)

func (f transport) Do(r *http.Request) (*http.Response, error) {
	status, body := f(r)
	return &http.Response{StatusCode: status, Request: r, Body: io.NopCloser(strings.NewReader(body)),
		Header: http.Header{"Content-Type": {"application/json"}}}, nil
}

// stoodIn is an environment that leads to a stand-in.
var stoodIn = environ("AZURE_RESOURCE_MANAGER_ENDPOINT=https://azure.test",
	"AZURE_AUTHORITY_HOST=https://login.test")

// TestServicePrincipal: a token is asked for with the secret, once, and sent to Azure. The tenant
// is the token's own.
func TestServicePrincipal(t *testing.T) {
	claims := base64.RawURLEncoding.EncodeToString([]byte(`{"tid":"ABCD"}`))
	asked := 0
	c, err := Open(servicePrincipal(t, wholeSecret, 0o600), Options{Env: stoodIn,
		Transport: transport(func(r *http.Request) (int, string) {
			if r.URL.Host == "azure.test" {
				if r.Header.Get("Authorization") != "Bearer x."+claims+".y" {
					t.Error(r.Header)
				}
				return 200, `{"value":[{"subscriptionId":"s","tenantId":"other","state":"Enabled"}]}`
			}
			if r.Method == http.MethodPost {
				body, _ := io.ReadAll(r.Body)
				asked++
				if !strings.Contains(string(body), "scope=https%3A%2F%2Fazure.test%2F.default") {
					t.Errorf("%s", body)
				}
				return 200, `{"access_token":"x.` + claims + `.y","expires_in":3600,"token_type":"Bearer"}`
			}
			return 200, discovery(r)
		})})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if tenant, err := c.Account(t.Context()); err != nil || tenant != "abcd" {
			t.Error(tenant, err)
		}
	}
	if asked != 1 {
		t.Errorf("%d tokens were asked for", asked)
	}
}

// discovery is how an authority says where tokens are.
func discovery(r *http.Request) string {
	base := "https://" + r.URL.Host + "/" + strings.Split(r.URL.Path, "/")[1]
	return fmt.Sprintf(`{"token_endpoint":%q,"issuer":%q,"authorization_endpoint":%q}`,
		base+"/oauth2/v2.0/token", base+"/v2.0", base+"/oauth2/v2.0/authorize")
}

// TestTokenRefused: a token that is refused, or not to be had now, is told without the secret.
func TestTokenRefused(t *testing.T) {
	for _, tt := range []struct {
		status  int
		verdict nodes.Verdict
		again   bool
	}{{401, nodes.Denied, false}, {429, nodes.Throttled, true}, {503, nodes.Unreachable, true}} {
		c, err := Open(servicePrincipal(t, wholeSecret, 0o600), Options{Env: stoodIn,
			Transport: transport(func(r *http.Request) (int, string) {
				if r.Method == http.MethodPost {
					return tt.status, `{"error":"invalid_client","error_description":` +
						`"AADSTS7000215: Invalid client secret ` + secretText + ` provided."}`
				}
				return 200, discovery(r)
			})})
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.Account(t.Context())
		var f *scan.Failure
		if !errors.As(err, &f) || f.Verdict != tt.verdict || f.Again != tt.again ||
			strings.Contains(f.Reason, secretText) || strings.Contains(f.Reason, "\n") ||
			!strings.Contains(f.Reason, "AADSTS7000215") {
			t.Errorf("%d: %+v", tt.status, err)
		}
	}
}

// TestNoProxyForTheMetadataService: whatever the environment names as a proxy, it is not asked for
// the machine's own identity.
func TestNoProxyForTheMetadataService(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://proxy.test:3128")
	t.Setenv("HTTPS_PROXY", "http://proxy.test:3128")
	of := newTransport().Transport.(*http.Transport).Proxy
	for address, want := range map[string]bool{
		"http://169.254.169.254/metadata/identity/oauth2/token": false,
		"http://identity.test/token":                            false,
		"https://management.azure.test/":                        true,
	} {
		r, err := http.NewRequest(http.MethodGet, address, nil)
		if err != nil {
			t.Fatal(err)
		}
		if by, err := of(r); err != nil || (by != nil) != want {
			t.Errorf("%s goes by %v: %v", address, by, err)
		}
	}
}
