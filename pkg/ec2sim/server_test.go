package ec2sim_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/pkg/ec2sim"
)

func TestTLS(t *testing.T) {
	s := ec2sim.New(ec2sim.Lab())
	srv, err := ec2sim.Start(s, ec2sim.ServerOptions{TLS: true})
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(srv.CAPEM()) {
		t.Fatal("no certificate")
	}
	p := &peer{t, s, srv.URL(), ec2sim.LabCredential, ec2sim.LabRegion,
		&http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}, nil}
	p.ok("DescribeVpcs")
	written, err := os.ReadFile(srv.CAFile())
	if err != nil || string(written) != string(srv.CAPEM()) {
		t.Errorf("the file is not the certificate: %v", err)
	}
	if !slices.Contains(srv.Env(), "AWS_CA_BUNDLE="+srv.CAFile()) {
		t.Errorf("environment %v", srv.Env())
	}
	srv.Close()
	if _, err := os.Stat(srv.CAFile()); err == nil {
		t.Error("the temporary file is left")
	}
}

func TestEnv(t *testing.T) {
	srv, err := ec2sim.Start(ec2sim.New(ec2sim.Lab()),
		ec2sim.ServerOptions{Metadata: ec2sim.LabMetadata()})
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	want := []string{
		"AWS_ENDPOINT_URL_EC2=" + srv.URL(), "AWS_ENDPOINT_URL_STS=" + srv.URL(),
		"AWS_ENDPOINT_URL_IAM=" + srv.URL(),
		"AWS_ENDPOINT_URL_SQS=" + srv.URL(),
		"AWS_ENDPOINT_URL_SSM=" + srv.URL(),
		"AWS_ENDPOINT_URL_AUTO_SCALING=" + srv.URL(),
		"AWS_ENDPOINT_URL_SECRETS_MANAGER=" + srv.URL(),
		"AWS_REGION=ap-northeast-1",
		"AWS_DEFAULT_REGION=ap-northeast-1",
		"AWS_EC2_METADATA_SERVICE_ENDPOINT=" + srv.MetadataURL(),
	}
	if diff := cmp.Diff(want, srv.RoleEnv()); diff != "" {
		t.Error(diff)
	}
	want = append(want, "AWS_ACCESS_KEY_ID="+ec2sim.LabCredential.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY="+ec2sim.LabCredential.SecretAccessKey)
	if diff := cmp.Diff(want, srv.Env()); diff != "" {
		t.Error(diff)
	}
}

func TestHandlerWithoutAServer(t *testing.T) {
	s := ec2sim.New(ec2sim.Lab())
	srv := httptest.NewServer(s)
	defer srv.Close()
	p := &peer{t, s, srv.URL, ec2sim.LabCredential, ec2sim.LabRegion, srv.Client(), nil}
	p.ok("DescribeVpcs")
}

// control asks a control path, and returns status and body.
func (p *peer) control(method, path, body string) (int, string) {
	p.t.Helper()
	r, err := http.NewRequest(method, p.url+"/_sim/"+path, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	resp, err := p.client.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

func TestControl(t *testing.T) {
	p := lab(t)
	begin := p.sim.State()
	var state ec2sim.State
	status, text := p.control("GET", "state", "")
	if err := json.Unmarshal([]byte(text), &state); status != 200 || err != nil {
		t.Fatalf("state: %d %v", status, err)
	}
	if diff := cmp.Diff(begin, state); diff != "" {
		t.Errorf("the state is not what it is in Go:\n%s", diff)
	}

	controlFaults(t, p)
	var calls []ec2sim.Call
	_, text = p.control("GET", "calls", "")
	if err := json.Unmarshal([]byte(text), &calls); err != nil || len(calls) != 2 || !calls[1].Effect {
		t.Errorf("calls: %s", text)
	}
	p.control("DELETE", "calls", "")
	if len(p.sim.Calls()) != 0 {
		t.Error("calls are left")
	}
	if status, _ := p.control("PUT", "throttling", `{"on":true}`); status != 204 {
		t.Errorf("throttling: %d", status)
	}
	p.control("POST", "reset", "")
	if diff := cmp.Diff(begin, p.sim.State()); diff != "" {
		t.Errorf("after a reset:\n%s", diff)
	}
}

func controlFaults(t *testing.T, p *peer) {
	t.Helper()
	for _, body := range []string{
		`{"operation":"AssignPrivateIpAddresses","error":{"code":"RequestLimitExceeded"},` +
			`"noEffect":true,"count":2}`,
		`[{"operation":"Describe*","delayBefore":"1ms"},{"operation":"changes","stale":{"for":"1m"}}]`,
	} {
		if status, text := p.control("POST", "faults", body); status != 204 {
			t.Fatalf("faults: %d %s", status, text)
		}
	}
	if a := p.call("AssignPrivateIpAddresses", eniParam(ec2sim.LabRouterAInterface),
		"PrivateIpAddress.1=10.88.60.9"); a.status != 503 {
		t.Errorf("the fault did not strike: %d", a.status)
	}
	var faults []ec2sim.FaultJSON
	_, text := p.control("GET", "faults", "")
	if err := json.Unmarshal([]byte(text), &faults); err != nil || len(faults) != 3 ||
		faults[0].Struck != 1 || faults[2].Stale.For != "1m0s" {
		t.Errorf("faults: %s", text)
	}
	p.control("DELETE", "faults", "")
	p.ok("AssignPrivateIpAddresses", eniParam(ec2sim.LabRouterAInterface),
		"PrivateIpAddress.1=10.88.60.9")
}

func TestControlRefusals(t *testing.T) {
	p := lab(t)
	for _, tt := range []struct {
		name, method, path, body string
		status                   int
	}{
		{"unknown path", "GET", "nothing", "", 404},
		{"wrong method", "GET", "reset", "", 404},
		{"not JSON", "POST", "faults", "x", 400},
		{"unknown field", "POST", "faults", `{"operatoin":"*"}`, 400},
		{"unknown operation", "POST", "faults", `{"operation":"CreateVolume"}`, 400},
		{"not a duration", "POST", "faults", `{"delayBefore":"soon"}`, 400},
		{"negative duration", "POST", "faults", `{"delayAfter":"-1s"}`, 400},
		{"not a duration of staleness", "POST", "faults", `{"stale":{"for":"1"}}`, 400},
		{"no metadata service", "PUT", "metadata", `{"fault":"hang"}`, 400},
	} {
		if status, text := p.control(tt.method, tt.path, tt.body); status != tt.status {
			t.Errorf("%s: %d %s", tt.name, status, text)
		}
	}
	if len(p.sim.Faults()) != 0 {
		t.Error("a refused fault is in force")
	}
}

func TestControlOfMetadata(t *testing.T) {
	m := labMetadata(t, nil)
	p := &peer{t: t, url: m.srv.URL(), client: http.DefaultClient}
	if status, text := p.control("PUT", "metadata", `{"fault":"forbid"}`); status != 204 {
		t.Fatalf("%d %s", status, text)
	}
	if status, _, _ := m.ask("GET", "meta-data/instance-id"); status != 403 {
		t.Errorf("answered %d", status)
	}
	p.control("POST", "reset", "")
	if status, _, _ := m.ask("GET", "meta-data/instance-id"); status != 200 {
		t.Errorf("after a reset: %d", status)
	}
}
