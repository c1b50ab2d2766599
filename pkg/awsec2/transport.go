package awsec2

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
)

// network is the way out of this machine. Tests put a watched one in its place.
type network struct {
	// proxy names the proxy of a request, as http.ProxyFromEnvironment does.
	proxy func(*http.Request) (*url.URL, error)
	// dial, when not nil, connects in the place of the operating system.
	dial func(ctx context.Context, network, address string) (net.Conn, error)
	// idle is how many connections to a host are kept open; 0 is a handful.
	idle int
}

// machine is the network of the machine this runs on.
func machine() network { return network{proxy: http.ProxyFromEnvironment} }

// client bounds each step of an attempt, so that one silent peer can't use up the deadline that
// others need.
func (n network) client(timeout time.Duration) *awshttp.BuildableClient {
	step := max(timeout/5, 200*time.Millisecond)
	return awshttp.NewBuildableClient().
		WithDialerOptions(func(d *net.Dialer) { d.Timeout = min(step, 3*time.Second) }).
		WithTransportOptions(func(t *http.Transport) {
			t.TLSHandshakeTimeout = step
			t.ResponseHeaderTimeout = step
			// A handful of calls gains nothing from HTTP/2, and pays for setting it up.
			t.ForceAttemptHTTP2 = false
			t.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{}
			t.MaxIdleConnsPerHost = max(t.MaxIdleConnsPerHost, n.idle)
			t.Proxy = noteWay(n.unlessLocal)
			t.OnProxyConnectResponse = refusedByProxy
			if n.dial != nil {
				t.DialContext = n.dial
			}
		})
}

// metadataDial is how long the SDK gives a connection to the metadata service.
const metadataDial = 250 * time.Millisecond

// connects reports whether an address can be connected to within metadataDial.
func (n network) connects(ctx context.Context, address string) bool {
	ctx, cancel := context.WithTimeout(ctx, metadataDial)
	defer cancel()
	dial := n.dial
	if dial == nil {
		dial = (&net.Dialer{}).DialContext
	}
	conn, err := dial(ctx, "tcp", address)
	if err != nil {
		return false
	}
	_ = conn.Close()
	return true
}

// metadataClient is for the instance metadata service: never through a proxy, whatever name it
// has, and with the time-outs that the SDK gives it.
func (n network) metadataClient(from *awshttp.BuildableClient) *http.Client {
	return &http.Client{
		Transport: from.WithDialerOptions(func(d *net.Dialer) { d.Timeout = metadataDial }).
			WithTransportOptions(func(t *http.Transport) {
				t.ResponseHeaderTimeout = 500 * time.Millisecond
				t.Proxy = noteWay(direct)
				if n.dial != nil {
					t.DialContext = n.dial
				}
			}).GetTransport(),
		CheckRedirect: noRedirect,
	}
}

// containerClient is for container and pod identity credentials. The SDK asks for them in clear
// only on this machine, so such a request never goes through a proxy, whatever the host's name.
func (n network) containerClient(from *awshttp.BuildableClient) *http.Client {
	return &http.Client{
		Transport: from.WithTransportOptions(func(t *http.Transport) {
			t.Proxy = noteWay(func(r *http.Request) (*url.URL, error) {
				if r.URL.Scheme == "http" {
					return nil, nil
				}
				return n.unlessLocal(r)
			})
			if n.dial != nil {
				t.DialContext = n.dial
			}
		}).GetTransport(),
		CheckRedirect: noRedirect,
	}
}

// noRedirect keeps requests, and the tokens in them, where they were sent. No service of AWS that
// is called here redirects, and a change that was sent on could be made twice.
func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

func direct(*http.Request) (*url.URL, error) { return nil, nil }

// unlessLocal is the environment's proxy, but for what is on this machine or its link.
func (n network) unlessLocal(r *http.Request) (*url.URL, error) {
	if isLocal(r.URL.Hostname()) {
		return nil, nil
	}
	return n.proxy(r)
}

// metadataIPv6 holds the link-local services of EC2 that have IPv6 addresses.
var metadataIPv6 = netip.PrefixFrom(netip.AddrFrom16([16]byte{0xfd, 0, 0x0e, 0xc2}), 32)

// isLocal reports whether a host is this machine, or a service on its link: instance metadata,
// container and pod identity credentials. A proxy would answer for another machine.
func isLocal(host string) bool {
	name := strings.ToLower(strings.TrimSuffix(host, "."))
	if name == "localhost" || strings.HasSuffix(name, ".localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return false
	}
	ip = ip.Unmap().WithZone("")
	return ip.IsLoopback() || ip.IsLinkLocalUnicast() || metadataIPv6.Contains(ip)
}

// noteWay notes in a request's attempts that it is about to leave, for where, and through which
// proxy. net/http chooses the proxy once all that it checks by itself is right, right before
// it connects.
func noteWay(choose func(*http.Request) (*url.URL, error)) func(*http.Request) (*url.URL, error) {
	return func(r *http.Request) (*url.URL, error) {
		proxy, err := choose(r)
		if err != nil {
			// The error repeats the proxy's address, its password included.
			return nil, fmt.Errorf("%s is not the address of a proxy", proxyVariable(r.URL))
		}
		if log, ok := r.Context().Value(attemptsKey{}).(*attempts); ok {
			log.leaves(r.URL, proxy)
		}
		return proxy, nil
	}
}

// proxyVariable is the environment variable that names the proxy for a URL.
func proxyVariable(u *url.URL) string {
	if u.Scheme == "https" {
		return "HTTPS_PROXY"
	}
	return "HTTP_PROXY"
}

// proxyRefusal means that a proxy would not connect to the endpoint. Nothing was sent there.
type proxyRefusal struct{ status int }

func (e *proxyRefusal) Error() string {
	return fmt.Sprintf("the proxy refused to connect with %d %s", e.status, http.StatusText(e.status))
}

func refusedByProxy(_ context.Context, _ *url.URL, _ *http.Request, answer *http.Response) error {
	if answer.StatusCode == http.StatusOK {
		return nil
	}
	return &proxyRefusal{answer.StatusCode}
}

// lasting reports whether the proxy would say the same again.
func (e *proxyRefusal) lasting() bool {
	return e.status/100 == 4 && e.status != http.StatusRequestTimeout &&
		e.status != http.StatusTooManyRequests
}
