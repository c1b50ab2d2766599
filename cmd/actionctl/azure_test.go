package main

import (
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"
)

// azureAnswer is what the stand-in of Azure answers at a path.
type azureAnswer struct {
	Status int
	Body   json.RawMessage
}

// azureSim answers as Azure Resource Manager and Microsoft Entra do, as a file has it.
type azureSim struct {
	mu      sync.Mutex
	answers map[string]azureAnswer
	url     string
}

// azureSecret is what the stand-in gives a token for.
const azureSecret = "hunter2~hunter2"

func (a *azureSim) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	if strings.Contains(r.URL.Path, "/v2.0") {
		a.authority(w, r)
		return
	}
	a.mu.Lock()
	answer, known := a.answers[r.URL.Path]
	a.mu.Unlock()
	switch {
	case r.Header.Get("Authorization") != "Bearer token" || r.Method != http.MethodGet:
		answer = azureAnswer{Status: http.StatusUnauthorized,
			Body: json.RawMessage(`{"error":{"code":"InvalidAuthenticationToken","message":"no"}}`)}
	case !known:
		answer = azureAnswer{Status: http.StatusNotFound,
			Body: json.RawMessage(`{"error":{"code":"ResourceNotFound","message":"no"}}`)}
	case answer.Status == 0:
		answer.Status = http.StatusOK
	}
	w.WriteHeader(answer.Status)
	_, _ = io.WriteString(w, strings.ReplaceAll(string(answer.Body), "URL/", a.url+"/"))
}

// authority says where tokens are, and gives them for the secret.
func (a *azureSim) authority(w http.ResponseWriter, r *http.Request) {
	tenant := a.url + "/" + strings.Split(r.URL.Path, "/")[1]
	switch {
	case r.Method == http.MethodGet:
		fmt.Fprintf(w, `{"token_endpoint":%q,"issuer":%q,"authorization_endpoint":%q}`,
			tenant+"/oauth2/v2.0/token", tenant+"/v2.0", tenant+"/oauth2/v2.0/authorize")
	case r.FormValue("client_secret") != azureSecret:
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = io.WriteString(w, `{"error":"invalid_client",`+
			`"error_description":"AADSTS7000215: Invalid client secret provided."}`)
	default:
		_, _ = io.WriteString(w, `{"access_token":"token","expires_in":3600,"token_type":"Bearer"}`)
	}
}

// azure has a stand-in of Azure answer as a file says, by path, and the environment lead to it.
func azure(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: azure FILE")
	}
	var answers map[string]azureAnswer
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &answers))
	w := of(ts)
	if w.azure == nil {
		w.azure = &azureSim{}
		server := httptest.NewTLSServer(w.azure)
		ts.Defer(server.Close)
		w.azure.url = server.URL
		ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
		ts.Check(os.WriteFile(ts.MkAbs("azure-ca.pem"), ca, 0o600))
		for name, value := range map[string]string{
			"AZURE_RESOURCE_MANAGER_ENDPOINT": server.URL, "AZURE_AUTHORITY_HOST": server.URL,
			"SSL_CERT_FILE": ts.MkAbs("azure-ca.pem"), "HOME": ts.MkAbs("."),
			"AZURE_TENANT_ID": "11111111-0000-0000-0000-000000000000",
			"AZURE_CLIENT_ID": "33333333-0000-0000-0000-000000000000",
		} {
			ts.Setenv(name, value)
		}
	}
	w.azure.mu.Lock()
	defer w.azure.mu.Unlock()
	w.azure.answers = answers
}
