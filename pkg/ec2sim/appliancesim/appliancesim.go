// Package appliancesim stands in for a FortiGate: its REST API over real HTTPS, as far as this
// project calls it, and what goes wrong with it on demand.
//
// It begins with the instance's id as its password and asks for another one. Configuration scripts
// are run by a small reading of FortiOS's command line, so that what they set is what it tells
// later. It restarts after a licence. Nothing in it waits by a clock: while it is down it drops so
// many connections, and then it is up.
package appliancesim

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"

	"aws-provider-executor/pkg/ec2sim/internal/httpserver"
	"aws-provider-executor/pkg/ec2sim/internal/selfca"
)

// Options are what an appliance begins with.
type Options struct {
	// Listen is its address; a free port of this host if it is empty.
	Listen string
	// Instance is its first password. Administrator is who may log in; admin if it is empty.
	Instance, Administrator string
	// Serial is its serial number, before any licence.
	Serial string
	// Boot is how many connections it drops before it is up, Restart how many after a licence.
	Boot, Restart int
	// Licensed has it begin with a licence.
	Licensed bool
	// Password, if it is not empty, was set already.
	Password string
}

// Appliance is a running stand-in.
type Appliance struct {
	options  Options
	listener net.Listener
	server   *http.Server
	ca       []byte
	right    tls.Certificate
	// held ends with the stand-in: answers that are held back wait for it.
	held chan struct{}
	// holding tells of an answer that is held back.
	holding chan struct{}

	mu sync.Mutex
	// down is how many connections are still dropped.
	down int
	// presented is the certificate that it shows.
	presented tls.Certificate
	password  string
	// changed reports whether the first password was replaced.
	changed  bool
	sessions map[string]string // csrf token by key
	licensed bool
	// given is the text of the licence that was given last.
	given   string
	serial  string
	history []Script
	config  *config
	faults  []*Fault
	counts  Counts
	// refusedInARow is how many logins were refused since the last good one.
	refusedInARow int
}

// Script is a configuration script that ran, the latest first.
type Script struct {
	Name   string `json:"name"`
	Status string `json:"status"`
	// Text is what was uploaded.
	Text string `json:"text"`
}

// Counts are what happened to an appliance.
type Counts struct {
	Logins, RefusedLogins, Logouts, PasswordChanges, Licenses, Scripts int
	// Sessions are those that are open.
	Sessions int
	// Requests are all, by method and path.
	Requests map[string]int
}

// Start serves a stand-in until Close.
func Start(o Options) (*Appliance, error) {
	if o.Listen == "" {
		o.Listen = httpserver.AnyPort
	}
	if o.Administrator == "" {
		o.Administrator = "admin"
	}
	if o.Serial == "" {
		o.Serial = "FGVMEV0000000000"
	}
	l, err := net.Listen("tcp", o.Listen)
	if err != nil {
		return nil, err
	}
	host, _, err := net.SplitHostPort(httpserver.Reached(l))
	if err != nil {
		_ = l.Close()
		return nil, err
	}
	ca, cert, err := selfca.New(host, "appliance.example")
	if err != nil {
		_ = l.Close()
		return nil, err
	}
	a := &Appliance{
		options: o, listener: l, ca: ca, right: cert, presented: cert, held: make(chan struct{}),
		holding: make(chan struct{}, 1),
		down:    o.Boot, password: o.Instance, sessions: map[string]string{}, licensed: o.Licensed,
		serial: o.Serial, config: newConfig(), counts: Counts{Requests: map[string]int{}},
	}
	if o.Password != "" {
		a.password, a.changed = o.Password, true
	}
	a.server = httpserver.New(a)
	secure := &tls.Config{
		MinVersion: tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			a.mu.Lock()
			defer a.mu.Unlock()
			shown := a.presented
			return &shown, nil
		},
	}
	go func() { _ = a.server.Serve(tls.NewListener(&dropping{l, a}, secure)) }()
	return a, nil
}

// dropping is a listener that drops connections while the appliance is down.
type dropping struct {
	net.Listener
	of *Appliance
}

// Accept returns the next connection that is not dropped.
func (d *dropping) Accept() (net.Conn, error) {
	for {
		c, err := d.Listener.Accept()
		if err != nil || !d.of.drops() {
			return c, err
		}
		_ = c.Close()
	}
}

// drops reports whether the appliance is down for one more connection.
func (a *Appliance) drops() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.down == 0 {
		return false
	}
	a.down--
	return true
}

// Close ends the stand-in. What it holds back is dropped.
func (a *Appliance) Close() {
	close(a.held)
	_ = a.server.Close()
}

// Holding tells each time that an answer is held back.
func (a *Appliance) Holding() <-chan struct{} { return a.holding }

// Address is where it is reached.
func (a *Appliance) Address() netip.AddrPort {
	return netip.MustParseAddrPort(httpserver.Reached(a.listener))
}

// CA is its authority in PEM.
func (a *Appliance) CA() []byte { return slices.Clone(a.ca) }

// Pin is the SHA-256 digest of its right certificate, in hexadecimal.
func (a *Appliance) Pin() string {
	sum := sha256.Sum256(a.right.Certificate[0])
	return hex.EncodeToString(sum[:])
}

// Down has it drop the next connections.
func (a *Appliance) Down(connections int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.down = connections
}

// Impersonate has something else answer in its place, with a certificate of its own.
func (a *Appliance) Impersonate() error {
	_, other, err := selfca.New(a.Address().Addr().String())
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.presented = other
	return nil
}

// Counts tells what happened so far.
func (a *Appliance) Counts() Counts {
	a.mu.Lock()
	defer a.mu.Unlock()
	c := a.counts
	c.Sessions, c.Requests = len(a.sessions), map[string]int{}
	for k, n := range a.counts.Requests {
		c.Requests[k] = n
	}
	return c
}

// Scripts are those that ran, the latest first.
func (a *Appliance) Scripts() []Script {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.history)
}

// HasPassword reports whether a password is the one that logs in.
func (a *Appliance) HasPassword(password string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.password == password
}

// License is the file or the token of the licence that was given last.
func (a *Appliance) License() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.given
}

// Object tells what a path of the configuration has, as system/auto-scale.
func (a *Appliance) Object(path string) any {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.config.results(path)
}

// Run runs a script as somebody at the command line does: nothing is kept of it but what it sets.
// It returns the errors.
func (a *Appliance) Run(script string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.config.run(script)
}

// local are the paths that the members of a group do not synchronise.
var local = []string{"system/auto-scale", "system/interface", "router/static", "system/geneve"}

// Synchronise gives the appliance the configuration of its primary, but for what is each member's
// own.
func (a *Appliance) Synchronise(primary *Appliance) {
	primary.mu.Lock()
	theirs := primary.config.clone()
	primary.mu.Unlock()
	a.mu.Lock()
	defer a.mu.Unlock()
	for path, o := range theirs.objects {
		if !slices.Contains(local, path) {
			a.config.objects[path] = o
		}
	}
}

// newKey is a key that nobody guesses.
func newKey() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // it never fails: see the package
	return fmt.Sprintf("%x", b)
}
