package awsec2

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"aws-provider-executor/pkg/ec2sim"
	"aws-provider-executor/pkg/protocol"
)

// watched is a network whose connections are noted by the address that they were to go to, and
// that has a proxy in it which answers for another machine.
type watched struct {
	proxy *httptest.Server
	// hosts leads addresses to servers on this machine; others can't be connected to.
	hosts map[string]string

	mu      sync.Mutex
	dialed  []string
	proxied []string
}

func watch(t *testing.T, hosts map[string]string) (*watched, network) {
	t.Helper()
	w := &watched{hosts: hosts}
	w.proxy = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.mu.Lock()
		w.proxied = append(w.proxied, r.Method+" "+r.URL.String()+" "+r.Header.Get("Authorization"))
		w.mu.Unlock()
		if strings.HasSuffix(r.URL.Path, "/instance-id") {
			_, _ = io.WriteString(rw, "i-0ffffffffffffffff")
			return
		}
		rw.WriteHeader(http.StatusForbidden)
	}))
	t.Cleanup(w.proxy.Close)
	at, err := url.Parse(w.proxy.URL)
	if err != nil {
		t.Fatal(err)
	}
	at.User = url.UserPassword("someone", "the-proxys-password")
	return w, network{proxy: func(*http.Request) (*url.URL, error) { return at, nil }, dial: w.dial}
}

func (w *watched) dial(ctx context.Context, network, address string) (net.Conn, error) {
	w.mu.Lock()
	w.dialed = append(w.dialed, address)
	to, ok := w.hosts[address]
	w.mu.Unlock()
	if !ok && address == strings.TrimPrefix(w.proxy.URL, "http://") {
		to, ok = address, true
	}
	if !ok {
		return nil, &net.OpError{Op: "dial", Net: network, Err: errors.New("no route")}
	}
	return (&net.Dialer{}).DialContext(ctx, network, to)
}

// only asserts that all connections went to these addresses.
func (w *watched) only(t *testing.T, addresses ...string) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.proxied) > 0 {
		t.Errorf("the proxy was asked: %q", w.proxied)
	}
	seen := slices.Compact(slices.Sorted(slices.Values(w.dialed)))
	if !slices.Equal(seen, slices.Sorted(slices.Values(addresses))) {
		t.Errorf("connected to %q, want %q", seen, addresses)
	}
}

// bare leaves a test without the machine's own identity.
func bare(t *testing.T) {
	t.Helper()
	for _, entry := range os.Environ() {
		if name, _, _ := strings.Cut(entry, "="); strings.HasPrefix(name, "AWS_") || name == "HOME" {
			t.Setenv(name, "")
		}
	}
	t.Setenv("HOME", "")
}

func lab(t *testing.T) (*ec2sim.Sim, *ec2sim.Server) {
	t.Helper()
	sim := ec2sim.New(ec2sim.Lab())
	server, err := ec2sim.Start(sim, ec2sim.ServerOptions{Metadata: ec2sim.LabMetadata()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	return sim, server
}

func hostOf(address string) string { return strings.TrimPrefix(address, "http://") }

// TestCaseSelfFenceBehindAProxy: whatever a proxy would say, the metadata service itself is
// asked which machine this is, in which region, and for its role, at each of its addresses. A
// node without IPv4 is asked for its own only address, though nobody says so.
func TestCaseSelfFenceBehindAProxy(t *testing.T) {
	for name, c := range map[string]struct{ variable, value, address, tried string }{
		"default": {"AWS_REGION", "ap-northeast-1", "169.254.169.254:80", ""},
		"no IPv4": {"AWS_REGION", "ap-northeast-1", "[fd00:ec2::254]:80", "169.254.169.254:80"},
		"IPv6":    {"AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "IPv6", "[fd00:ec2::254]:80", ""},
		"by a name": {"AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://instance-data.example",
			"instance-data.example:80", ""},
	} {
		t.Run(name, func(t *testing.T) {
			bare(t)
			_, server := lab(t)
			t.Setenv(c.variable, c.value)
			t.Setenv("AWS_ENDPOINT_URL_EC2", server.URL())
			w, out := watch(t, map[string]string{c.address: hostOf(server.MetadataURL()),
				hostOf(server.URL()): hostOf(server.URL())})
			conn, err := connect(t.Context(), out, ec2sim.LabRegion, 5*time.Second,
				slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			r := conn.reader()
			if id, err := r.InstanceID(t.Context()); err != nil || id != ec2sim.LabRouterA {
				t.Errorf("this machine is %q, %v", id, err)
			}
			if region, err := r.of.metadata.ask(t.Context(), "placement/region"); err != nil ||
				region != ec2sim.LabRegion {
				t.Errorf("the region is %q, %v", region, err)
			}
			if _, err := r.DescribeNetworkInterfaces(t.Context(), ec2sim.LabRouterAInterface); err != nil {
				t.Errorf("with the instance's role: %v", err)
			}
			want := []string{c.address, hostOf(server.URL())}
			if c.tried != "" {
				want = append(want, c.tried)
			}
			w.only(t, want...)
		})
	}
}

// TestNoMetadataServiceIsNotTheProxys: without a metadata service nothing answers in its place.
func TestNoMetadataServiceIsNotTheProxys(t *testing.T) {
	bare(t)
	w, out := watch(t, nil)
	conn, err := connect(t.Context(), out, ec2sim.LabRegion, 5*time.Second,
		slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if id, err := conn.reader().InstanceID(t.Context()); err == nil {
		t.Errorf("this machine is %q", id)
	}
	w.only(t, "169.254.169.254:80", "[fd00:ec2::254]:80")
}

// TestTheMetadataServiceIsNotLookedFor: where somebody said at which address it is, or that
// there is none, no other is tried.
func TestTheMetadataServiceIsNotLookedFor(t *testing.T) {
	for _, c := range []struct{ variable, value, address string }{
		{"AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "IPv4", "169.254.169.254:80"},
		{"AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://instance-data.example", "instance-data.example:80"},
		{"AWS_EC2_METADATA_DISABLED", "true", ""},
	} {
		bare(t)
		t.Setenv(c.variable, c.value)
		w, out := watch(t, nil)
		conn, err := connect(t.Context(), out, ec2sim.LabRegion, 5*time.Second,
			slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		if id, err := conn.reader().InstanceID(t.Context()); err == nil {
			t.Errorf("this machine is %q", id)
		}
		if c.address == "" {
			w.only(t)
		} else {
			w.only(t, c.address)
		}
	}
}

// TestContainerCredentialsPassNoProxy: a task's and a pod's token goes to the agent on this machine
// and nowhere else.
func TestContainerCredentialsPassNoProxy(t *testing.T) {
	agent := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "the-pods-token" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		_, _ = io.WriteString(w,
			`{"AccessKeyId":"`+ec2sim.LabCredential.AccessKeyID+`","SecretAccessKey":"`+
				ec2sim.LabCredential.SecretAccessKey+`"}`)
	}))
	defer agent.Close()
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("the-pods-token"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		env     map[string]string
		address string
	}{
		"a task": {map[string]string{
			"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/v2/x",
			"AWS_CONTAINER_AUTHORIZATION_TOKEN":      "the-pods-token"}, "169.254.170.2:80"},
		"a pod": {map[string]string{
			"AWS_CONTAINER_CREDENTIALS_FULL_URI":     "http://169.254.170.23/v1/credentials",
			"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": token}, "169.254.170.23:80"},
		"a pod with IPv6": {map[string]string{
			"AWS_CONTAINER_CREDENTIALS_FULL_URI":     "http://[fd00:ec2::23]/v1/credentials",
			"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": token}, "[fd00:ec2::23]:80"},
	} {
		t.Run(name, func(t *testing.T) {
			bare(t)
			_, server := lab(t)
			for k, v := range c.env {
				t.Setenv(k, v)
			}
			t.Setenv("AWS_ENDPOINT_URL_EC2", server.URL())
			w, out := watch(t, map[string]string{c.address: hostOf(agent.URL),
				hostOf(server.URL()): hostOf(server.URL())})
			conn, err := connect(t.Context(), out, ec2sim.LabRegion, 5*time.Second,
				slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := conn.reader().DescribeNetworkInterfaces(t.Context(),
				ec2sim.LabRouterAInterface); err != nil {
				t.Error(err)
			}
			w.only(t, c.address, hostOf(server.URL()))
		})
	}
}

// TestARefusingProxyIsNamed: EC2 is asked through the proxy once, which says no, and is named
// without its password.
func TestARefusingProxyIsNamed(t *testing.T) {
	bare(t)
	t.Setenv("AWS_ACCESS_KEY_ID", ec2sim.LabCredential.AccessKeyID)
	t.Setenv("AWS_SECRET_ACCESS_KEY", ec2sim.LabCredential.SecretAccessKey)
	w, out := watch(t, nil)
	conn, err := connect(t.Context(), out, ec2sim.LabRegion, 25*time.Second,
		slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	err = conn.Writer().(*Writer).ModifySourceDestCheck(ctx, "eni-0123456789abcdef0", false)
	var f *protocol.Failure
	if !errors.As(err, &f) || f.Class != protocol.Unavailable {
		t.Fatalf("%v, want a failure that certainly changed nothing", err)
	}
	for _, want := range []string{"403 Forbidden", w.proxy.URL + " (HTTPS_PROXY)", "NO_PROXY"} {
		if !strings.Contains(f.Message, want) {
			t.Errorf("%q is not in %q", want, f.Message)
		}
	}
	if strings.Contains(f.Message, "password") || strings.Contains(f.Message, "someone") {
		t.Errorf("who uses the proxy is in %q", f.Message)
	}
	if len(w.proxied) != 1 || !strings.HasPrefix(w.proxied[0],
		"CONNECT //ec2.ap-northeast-1.amazonaws.com:443") {
		t.Errorf("the proxy was asked %q", w.proxied)
	}
}

// TestWhatIsLocal: a proxy is for what is beyond this machine and its link.
func TestWhatIsLocal(t *testing.T) {
	for host, want := range map[string]bool{
		"169.254.169.254": true, "169.254.170.2": true, "169.254.0.1": true, "fd00:ec2::254": true,
		"fd00:ec2::23": true,
		"127.0.0.1":    true, "127.1.2.3": true, "::1": true, "localhost": true, "LOCALHOST.": true,
		"a.localhost":            true,
		"::ffff:169.254.169.254": true, "fe80::1%eth0": true,
		"169.253.0.1": false, "10.0.0.1": false, "fd00:ec3::1": false,
		"ec2.ap-northeast-1.amazonaws.com": false, "": false,
		"localhost.example": false,
	} {
		if got := isLocal(host); got != want {
			t.Errorf("isLocal(%q) = %t", host, got)
		}
	}
}
