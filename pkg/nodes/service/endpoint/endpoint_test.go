package endpoint_test

//lint:file-ignore SA1019 what replaces HTTP/2 of x/net is what the programs are built without

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"aws-provider-executor/pkg/nodes/service"
	"aws-provider-executor/pkg/nodes/service/endpoint"

	"golang.org/x/net/http2"
)

// token is long enough.
const token = "0123456789abcdef0123456789abcdef"

// whoCalls answers with the caller and the protocol.
var whoCalls = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	fmt.Fprint(w, service.CallerOf(r.Context()), " by ", r.Proto)
})

// serve serves until the test ends, and returns where.
func serve(
	t *testing.T, h http.Handler, o endpoint.Options,
) (addresses []string, stop func() error) {
	t.Helper()
	e, err := endpoint.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- e.Serve(ctx, h) }()
	var result error
	done := false
	stop = func() error {
		if cancel(); !done {
			result, done = <-ended, true
		}
		return result
	}
	t.Cleanup(func() { _ = stop() })
	return e.Addresses(), stop
}

// answer is the status and the text that a request gets.
func answer(t *testing.T, c *http.Client, r *http.Request) (int, string) {
	t.Helper()
	got, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	text, err := io.ReadAll(got.Body)
	if err != nil {
		t.Fatal(err)
	}
	return got.StatusCode, strings.TrimSpace(string(text))
}

func request(t *testing.T, method, url string, headers ...string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		if r.Header.Set(headers[i], headers[i+1]); headers[i] == "Host" {
			r.Host = headers[i+1]
		}
	}
	return r
}

// onSocket is a client that connects to a socket, by HTTP/1.1.
func onSocket(address string) *http.Client {
	return &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", strings.TrimPrefix(address, "unix:"))
		}}}
}

// own is how the kernel has it who runs the test.
var own = fmt.Sprint("uid ", os.Getuid())

// TestCallers: a socket and loopback know the user; both protocols of HTTP are spoken.
func TestCallers(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "d", "socket")
	at, _ := serve(t, whoCalls, endpoint.Options{
		Addresses: []string{"unix:" + socket, "127.0.0.1:0", "localhost:0"}})
	for path, want := range map[string]fs.FileMode{
		socket: fs.ModeSocket | 0o600, filepath.Dir(socket): fs.ModeDir | 0o700,
	} {
		if info, err := os.Stat(path); err != nil || info.Mode() != want {
			t.Error(path, info.Mode(), err)
		}
	}
	plain := &http.Client{Transport: &http2.Transport{
		AllowHTTP: true,
		DialTLSContext: func(
			ctx context.Context, network, address string, _ *tls.Config,
		) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, address)
		},
	}}
	for name, tt := range map[string]struct {
		client *http.Client
		url    string
		proto  string
	}{
		"socket":            {onSocket(at[0]), "http://anything/", "HTTP/1.1"},
		"loopback":          {http.DefaultClient, "http://" + at[1], "HTTP/1.1"},
		"loopback, HTTP/2":  {plain, "http://" + at[1], "HTTP/2.0"},
		"localhost, HTTP/2": {plain, "http://" + at[2], "HTTP/2.0"},
	} {
		t.Run(name, func(t *testing.T) {
			status, text := answer(t, tt.client, request(t, "POST", tt.url))
			if status != 200 || !strings.HasPrefix(text, own) || !strings.HasSuffix(text, " by "+tt.proto) {
				t.Error(status, text)
			}
		})
	}
}

// TestABrowserOfOthers: neither another site's page nor a name that is led to loopback calls.
func TestABrowserOfOthers(t *testing.T) {
	called := 0
	at, _ := serve(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { called++ }),
		endpoint.Options{Addresses: []string{"127.0.0.1:0"}})
	url := "http://" + at[0]
	for name, headers := range map[string][]string{
		"rebound name":             {"Host", "evil.example"},
		"rebound name with a port": {"Host", "evil.example:80"},
		"name that begins so":      {"Host", "localhost.evil.example"},
		"number that begins so":    {"Host", "127.0.0.1.evil.example"},
		"no name":                  {"Host", ""},
		"other site":               {"Sec-Fetch-Site", "cross-site"},
		"other port":               {"Sec-Fetch-Site", "same-site"},
		"other site, old browser":  {"Origin", "http://evil.example"},
		"unknown site":             {"Origin", "null"},
	} {
		t.Run(name, func(t *testing.T) {
			r := request(t, "POST", url, headers...)
			if name == "no name" {
				r.Host = "-"
			}
			if status, text := answer(t, http.DefaultClient, r); status != http.StatusForbidden {
				t.Error(status, text)
			}
		})
	}
	if called > 0 {
		t.Error("called", called)
	}
	for _, host := range []string{"localhost", "LOCALHOST:1", "127.0.0.1", "127.9.9.9:80", "[::1]:80",
		"[::1]"} {
		r := request(t, "POST", url, "Host", host, "Sec-Fetch-Site", "same-origin")
		if status, text := answer(t, http.DefaultClient, r); status != 200 {
			t.Error(host, status, text)
		}
	}
}

// TestTokens: who shows one is known by its name, and nobody else is let in. A file that changes
// holds at once.
func TestTokens(t *testing.T) {
	file := write(t, "tokens", "# ours\nbot "+token+"\n")
	at, _ := serve(t, whoCalls, endpoint.Options{Addresses: []string{"127.0.0.1:0"}, Tokens: file})
	ask := func(headers ...string) (int, string) {
		t.Helper()
		return answer(t, http.DefaultClient, request(t, "POST", "http://"+at[0], headers...))
	}
	basic := request(t, "POST", "http://"+at[0])
	basic.SetBasicAuth("whoever", token)
	if status, text := answer(t, http.DefaultClient, basic); status != 200 ||
		text != "token bot by HTTP/1.1" {
		t.Error(status, text)
	}
	if status, text := ask("Authorization", "bearer "+token); status != 200 ||
		text != "token bot by HTTP/1.1" {
		t.Error(status, text)
	}
	for _, shown := range []string{"", "Bearer", "Bearer " + token[1:], "Bearer bot",
		"Token " + token} {
		if status, text := ask("Authorization", shown); status != http.StatusUnauthorized ||
			strings.Contains(text, token[1:]) {
			t.Error(shown, status, text)
		}
	}
	// To a caller of the service it is an error of the service.
	status, text := ask("Content-Type", "application/json", "Connect-Protocol-Version", "1")
	if status != http.StatusUnauthorized || !strings.Contains(text, `"code":"unauthenticated"`) {
		t.Error(status, text)
	}
	other := "xyz" + token
	rewrite(t, file, "other "+other+"\n")
	if status, _ := ask("Authorization", "Bearer "+token); status != http.StatusUnauthorized {
		t.Error("a token that was taken away lets in")
	}
	if status, text := ask("Authorization", "Bearer "+other); status != 200 {
		t.Error(status, text)
	}
	rewrite(t, file, "damaged\n")
	if status, _ := ask("Authorization", "Bearer "+other); status != http.StatusUnauthorized {
		t.Error("a file that can't be read lets in")
	}
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// rewrite changes a file, and its time for sure.
func rewrite(t *testing.T, path, text string) {
	t.Helper()
	info, err := os.Stat(path)
	if err == nil {
		err = os.WriteFile(path, []byte(text), 0o600)
	}
	later := info.ModTime().Add(time.Second)
	if err := errors.Join(err, os.Chtimes(path, later, later)); err != nil {
		t.Fatal(err)
	}
}

// authority signs certificates.
type authority struct {
	*testing.T
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
	file string
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{T: t}
	a.key, _ = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "CA"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true,
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &a.key.PublicKey, a.key)
	if err == nil {
		a.cert, err = x509.ParseCertificate(der)
	}
	if err != nil {
		t.Fatal(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	a.file = write(t, "ca.pem", string(text))
	return a
}

// sign makes a certificate and its key.
func (a *authority) sign(name string) (cert, key string, pair tls.Certificate) {
	a.Helper()
	own, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	template := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"localhost"},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &own.PublicKey, a.key)
	if err != nil {
		a.Fatal(err)
	}
	private, err := x509.MarshalECPrivateKey(own)
	if err != nil {
		a.Fatal(err)
	}
	c := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	k := pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: private})
	if pair, err = tls.X509KeyPair(c, k); err != nil {
		a.Fatal(err)
	}
	return write(a.T, "cert.pem", string(c)), write(a.T, "key.pem", string(k)), pair
}

// by is a client that trusts the authority and shows certificates.
func (a *authority) by(show ...tls.Certificate) *http.Client {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return &http.Client{Transport: &http2.Transport{
		TLSClientConfig: &tls.Config{RootCAs: pool, Certificates: show}}}
}

// TestOtherMachines: by TLS alone, to who shows a certificate or a token.
func TestOtherMachines(t *testing.T) {
	a, stranger := newAuthority(t), newAuthority(t)
	cert, key, _ := a.sign("server")
	_, _, caller := a.sign("robot")
	_, _, foreign := stranger.sign("robot")
	tokens := write(t, "tokens", "bot "+token)
	serving := func(o endpoint.Options) string {
		o.Addresses, o.Certificate, o.Key = []string{"0.0.0.0:0"}, cert, key
		at, _ := serve(t, whoCalls, o)
		_, port, _ := net.SplitHostPort(at[0])
		return "https://127.0.0.1:" + port
	}
	certificates := serving(endpoint.Options{ClientCA: a.file})
	if status, text := answer(t, a.by(caller), request(t, "POST", certificates)); status != 200 ||
		text != "certificate CN=robot by HTTP/2.0" {
		t.Error(status, text)
	}
	for name, c := range map[string]*http.Client{"none": a.by(), "a stranger's": a.by(foreign)} {
		r := request(t, "POST", certificates, "Authorization", "Bearer "+token)
		if got, err := c.Do(r); err == nil {
			t.Error(name, got.Status)
		}
	}
	either := serving(endpoint.Options{ClientCA: a.file, Tokens: tokens})
	if _, text := answer(t, a.by(caller), request(t, "POST", either)); !strings.HasPrefix(text,
		"certificate CN=robot") {
		t.Error(text)
	}
	if _, text := answer(t, a.by(), request(t, "POST", either, "Authorization",
		"Bearer "+token)); text != "token bot by HTTP/2.0" {
		t.Error(text)
	}
	if status, _ := answer(t, a.by(), request(t, "POST", either)); status != http.StatusUnauthorized {
		t.Error(status)
	}
	// A browser shows its certificate to whoever has it send a request.
	if status, _ := answer(t, a.by(caller), request(t, "POST", either, "Sec-Fetch-Site",
		"cross-site")); status != http.StatusForbidden {
		t.Error(status)
	}
}

// TestRefusedAtStart: what may not be served is refused by name, and nothing listens.
func TestRefusedAtStart(t *testing.T) {
	a := newAuthority(t)
	cert, key, _ := a.sign("server")
	tokens := write(t, "tokens", "bot "+token)
	open := write(t, "open", "bot "+token)
	wide := filepath.Join(t.TempDir(), "wide")
	if err := errors.Join(os.Chmod(open, 0o644), os.Mkdir(wide, 0o700),
		os.Chmod(wide, 0o777)); err != nil {
		t.Fatal(err)
	}
	there := write(t, "there", "x")
	for name, tt := range map[string]struct {
		o    endpoint.Options
		want string
	}{
		"nothing":        {endpoint.Options{}, "no address to serve at"},
		"all addresses":  {at(":0"), "other machines reach :0"},
		"no TLS":         {with(at("0.0.0.0:0"), "", "", tokens, ""), "--tls-cert, --tls-key"},
		"nobody known":   {with(at("0.0.0.0:0"), cert, key, "", ""), "--tokens, --client-ca"},
		"neither":        {at("[::]:0"), "--tls-cert, --tls-key)\ntokens or the CA"},
		"one of two":     {at("127.0.0.1:0", "0.0.0.0:0"), "other machines reach 0.0.0.0:0"},
		"no key":         {with(at("127.0.0.1:0"), cert, "", "", ""), "a certificate goes with its key"},
		"CA without TLS": {with(at("127.0.0.1:0"), "", "", "", a.file), "the server's certificate"},
		"no CA in it":    {with(at("127.0.0.1:0"), cert, key, "", tokens), "no certificate of a CA"},
		"no certificate": {with(at("127.0.0.1:0"), tokens, key, "", ""), "can't be read"},
		"tokens of all":  {with(at("127.0.0.1:0"), "", "", open, ""), "chmod 600"},
		"no address":     {at("8780"), "is no address as unix:/PATH"},
		"no such host":   {at("nowhere.invalid:0"), "no address"},
		"relative":       {at("unix:socket"), "no absolute path"},
		"too long":       {at("unix:/" + strings.Repeat("x", 107)), "at most 107 fit"},
		"a file":         {at("unix:" + there), "is no socket"},
		"folder of all":  {at("unix:" + wide + "/socket"), "others can write into the folder"},
	} {
		t.Run(name, func(t *testing.T) {
			e, err := endpoint.Open(t.Context(), tt.o)
			if e != nil || err == nil || !strings.Contains(err.Error(), tt.want) ||
				strings.Contains(err.Error(), token) {
				t.Error(err)
			}
		})
	}
	for text, want := range map[string]string{
		"":                                  "no token in",
		"bot " + token[1:]:                  "line 1",
		"bot":                               "line 1",
		"a " + token + "\nb " + token:       "line 2",
		"a " + token + "\n\na x" + token:    "line 3",
		"a " + token + " x":                 "line 1",
		"# only a remark\n#" + token + "\n": "no token in",
	} {
		_, err := endpoint.Open(t.Context(), with(at("127.0.0.1:0"), "", "", write(t, "t", text), ""))
		if err == nil || !strings.Contains(err.Error(), want) ||
			strings.Contains(err.Error(), token[1:]) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func at(addresses ...string) endpoint.Options { return endpoint.Options{Addresses: addresses} }

func with(o endpoint.Options, cert, key, tokens, ca string) endpoint.Options {
	o.Certificate, o.Key, o.Tokens, o.ClientCA = cert, key, tokens, ca
	return o
}

// TestOneServerAtASocket: another one is refused while the first serves, and what a dead one left
// is taken over.
func TestOneServerAtASocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "socket")
	_, stop := serve(t, whoCalls, at("unix:"+path))
	if _, err := endpoint.Open(t.Context(), at("unix:"+path)); err == nil ||
		!strings.Contains(err.Error(), "another server serves at unix:"+path) {
		t.Error(err)
	}
	if status, _ := answer(t, onSocket(path), request(t, "POST", "http://x")); status != 200 {
		t.Error(status)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	// A server that was killed leaves its socket.
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	_ = l.Close()
	serve(t, whoCalls, at("unix:"+path))
	if status, _ := answer(t, onSocket(path), request(t, "POST", "http://x")); status != 200 {
		t.Error(status)
	}
}

// told is a log that somebody waits for.
type told chan string

func (l told) Write(text []byte) (int, error) {
	l <- string(text)
	return len(text), nil
}

// TestStop: what was begun is answered; what takes too long is cut off, and has ended before the
// server has.
func TestStop(t *testing.T) {
	for name, patient := range map[string]bool{"in time": true, "too late": false} {
		t.Run(name, func(t *testing.T) {
			begun, goOn := make(chan struct{}), make(chan struct{})
			ended := false
			grace, said := time.Minute, told(make(chan string, 10))
			if !patient {
				grace = time.Nanosecond
			}
			addresses, stop := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				close(begun)
				select {
				case <-goOn:
				case <-r.Context().Done():
					// An answer could still be faster than the end of the connection.
					ended = true
					panic(http.ErrAbortHandler)
				}
				ended = true
				fmt.Fprint(w, "done")
			}), endpoint.Options{Addresses: []string{"127.0.0.1:0"}, Grace: grace,
				Log: slog.New(slog.NewTextHandler(said, nil))})
			got := make(chan string, 1)
			go func() {
				r, err := http.Post("http://"+addresses[0], "", nil)
				if err != nil {
					got <- "cut off"
					return
				}
				defer r.Body.Close()
				text, _ := io.ReadAll(r.Body)
				got <- string(text)
			}()
			<-begun
			stopped := make(chan error, 1)
			go func() { stopped <- stop() }()
			want := "cut off"
			if patient {
				want = "done"
				if text := <-said; !strings.Contains(text, "stopping") {
					t.Error(text)
				}
				close(goOn)
			}
			if err := <-stopped; err != nil || !ended {
				t.Error(err, ended)
			}
			if text := <-got; text != want {
				t.Errorf("got %q, want %q", text, want)
			}
		})
	}
}

// TestOtherUsers: the kernel says who is at the other end, and only the server's own user and root
// are let in.
func TestOtherUsers(t *testing.T) {
	if os.Getuid() != 0 {
		t.Log("who is not root can be no other user")
		return
	}
	addresses, _ := serve(t, whoCalls, at("127.0.0.1:0"))
	text := callAs(t, 65534, addresses[0])
	if !strings.Contains(text, "403") || !strings.Contains(text, "uid 65534") {
		t.Error(text)
	}
	if text := callAs(t, 0, addresses[0]); !strings.Contains(text, "200") {
		t.Error(text)
	}
}

// TestACertificateIsReplaced while it serves: as long as its key is not there the old ones hold.
func TestACertificateIsReplaced(t *testing.T) {
	a := newAuthority(t)
	cert, key, _ := a.sign("first")
	nextCert, nextKey, caller := a.sign("second")
	at, _ := serve(t, whoCalls, endpoint.Options{Addresses: []string{"127.0.0.1:0"},
		Certificate: cert, Key: key, ClientCA: a.file})
	shows := func() string {
		t.Helper()
		pool := x509.NewCertPool()
		pool.AddCert(a.cert)
		c, err := tls.Dial("tcp", at[0], &tls.Config{RootCAs: pool,
			Certificates: []tls.Certificate{caller}})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		return c.ConnectionState().PeerCertificates[0].Subject.CommonName
	}
	for _, x := range []struct{ to, from, want string }{
		{"", "", "first"}, {cert, nextCert, "first"}, {key, nextKey, "second"},
	} {
		if x.to != "" {
			text, err := os.ReadFile(x.from)
			if err != nil {
				t.Fatal(err)
			}
			rewrite(t, x.to, string(text))
		}
		if name := shows(); name != x.want {
			t.Errorf("after %q it shows %s, want %s", x.to, name, x.want)
		}
	}
}
