package ec2sim_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"aws-provider-executor/pkg/ec2sim"
)

// metadata asks a metadata service.
type metadata struct {
	t   *testing.T
	srv *ec2sim.Server
}

func labMetadata(t *testing.T, change func(*ec2sim.MetadataOptions)) metadata {
	t.Helper()
	o := ec2sim.LabMetadata()
	if change != nil {
		change(o)
	}
	return served(t, ec2sim.New(ec2sim.Lab()), *o)
}

func served(t *testing.T, s *ec2sim.Sim, o ec2sim.MetadataOptions) metadata {
	t.Helper()
	srv, err := ec2sim.Start(s, ec2sim.ServerOptions{Metadata: &o})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(srv.Close)
	return metadata{t, srv}
}

func (m metadata) ask(method, path string, headers ...string) (int, string, error) {
	m.t.Helper()
	r, err := http.NewRequest(method, m.srv.MetadataURL()+"/latest/"+path, nil)
	if err != nil {
		m.t.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	client := &http.Client{Timeout: 200 * time.Millisecond}
	defer client.CloseIdleConnections()
	resp, err := client.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(body), err
}

const (
	tokenHeader = "X-aws-ec2-metadata-token"
	ttlHeader   = "X-aws-ec2-metadata-token-ttl-seconds"
)

func TestMetadata(t *testing.T) {
	m := labMetadata(t, nil)
	_, token, err := m.ask("PUT", "api/token", ttlHeader+": 60")
	if err != nil || token == "" {
		t.Fatalf("no token: %v", err)
	}
	const mac = "meta-data/network/interfaces/macs/06:10:88:60:00:11/"
	for path, want := range map[string]string{
		"meta-data/instance-id":                 ec2sim.LabRouterA,
		"meta-data/placement/region":            ec2sim.LabRegion,
		"meta-data/iam/security-credentials/":   "lab-router",
		"meta-data/network/interfaces/macs/":    "06:10:88:60:00:11/",
		mac + "interface-id":                    ec2sim.LabRouterAInterface,
		mac + "local-ipv4s":                     "10.88.60.11",
		mac + "subnet-id":                       ec2sim.LabSubnetA,
		mac + "vpc-id":                          ec2sim.LabVPC,
		mac + "security-group-ids":              ec2sim.LabGroupRouter,
		"meta-data/placement/":                  "availability-zone\navailability-zone-id\nregion",
		"meta-data/placement/availability-zone": ec2sim.LabRegion + "a",
	} {
		if status, text, err := m.ask("GET", path, tokenHeader+": "+token); err != nil || status != 200 ||
			text != want {
			t.Errorf("%s: %d %q %v, want %q", path, status, text, err, want)
		}
	}
	var document, credentials map[string]string
	_, text, _ := m.ask("GET", "dynamic/instance-identity/document")
	if err := json.Unmarshal([]byte(text), &document); err != nil ||
		document["region"] != ec2sim.LabRegion || document["instanceId"] != ec2sim.LabRouterA {
		t.Errorf("document %q: %v", text, err)
	}
	_, text, _ = m.ask("GET", "meta-data/iam/security-credentials/lab-router")
	if err := json.Unmarshal([]byte(text), &credentials); err != nil ||
		credentials["Token"] != ec2sim.LabRoleCredential.SessionToken {
		t.Errorf("credentials %q: %v", text, err)
	}
	if expires, err := time.Parse(time.RFC3339, credentials["Expiration"]); err != nil ||
		time.Until(expires) < time.Hour {
		t.Errorf("credentials expire at %q", credentials["Expiration"])
	}
}

func TestMetadataRefusals(t *testing.T) {
	m := labMetadata(t, func(o *ec2sim.MetadataOptions) { o.TokensOnly = true })
	tests := []struct {
		name, method, path, header string
		status                     int
	}{
		{"no token", "GET", "meta-data/instance-id", "X: y", 401},
		{"wrong token", "GET", "meta-data/instance-id", tokenHeader + ": x", 401},
		{"token without a lifetime", "PUT", "api/token", "X: y", 400},
		{"token for too long", "PUT", "api/token", ttlHeader + ": 21601", 400},
		{"token by GET", "GET", "api/token", ttlHeader + ": 60", 405},
		{"write", "POST", "meta-data/instance-id", "X: y", 405},
	}
	for _, tt := range tests {
		if status, text, err := m.ask(tt.method, tt.path, tt.header); err != nil || status != tt.status {
			t.Errorf("%s: %d %q %v, want %d", tt.name, status, text, err, tt.status)
		}
	}
	if status, _, _ := m.ask("PUT", "api/token", ttlHeader+": 60",
		"X-Forwarded-For: 192.0.2.1"); status != 403 {
		t.Errorf("token through a proxy: %d", status)
	}
	_, token, _ := m.ask("PUT", "api/token", ttlHeader+": 60")
	if status, _, _ := m.ask("GET", "meta-data/nothing", tokenHeader+": "+token); status != 404 {
		t.Errorf("unknown path: %d", status)
	}
}

func TestMetadataFaults(t *testing.T) {
	m := labMetadata(t, nil)
	const path = "meta-data/instance-id"
	for _, tt := range []struct {
		fault  ec2sim.MetadataFault
		status int
	}{{ec2sim.MetadataForbid, 403}, {ec2sim.MetadataFailure, 500}, {ec2sim.MetadataBusy, 429},
		{ec2sim.MetadataHang, 0}, {ec2sim.MetadataRefuse, 0}} {
		if err := m.srv.Metadata().SetFault(tt.fault); err != nil {
			t.Fatal(err)
		}
		status, _, err := m.ask("GET", path)
		if status != tt.status || (err == nil) != (status != 0) {
			t.Errorf("%s: %d %v", tt.fault, status, err)
		}
		if tt.fault == ec2sim.MetadataRefuse && !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("not refused: %v", err)
		}
		if err := m.srv.Metadata().SetFault(ec2sim.MetadataOK); err != nil {
			t.Fatal(err)
		}
		if status, _, err := m.ask("GET", path); status != 200 {
			t.Errorf("after %s: %d %v", tt.fault, status, err)
		}
	}
	if err := m.srv.Metadata().SetFault(ec2sim.MetadataNoRole); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]int{"meta-data/iam/security-credentials/": 404, path: 200} {
		if status, _, err := m.ask("GET", path); status != want {
			t.Errorf("without a role, %s: %d %v", path, status, err)
		}
	}
	if err := m.srv.Metadata().SetFault("sulk"); err == nil {
		t.Error("there is a fault nobody knows")
	}
}
