// Package endpoint serves HTTP to callers whom it knows: on a unix socket, on loopback, or
// elsewhere by TLS. It speaks HTTP/1.1 and HTTP/2, on plain connections too.
//
// It guarantees:
//
//   - Every request has a caller: the user of a socket's other end, the name of a token, or the
//     subject of a certificate. Others are refused.
//   - An address that other machines reach is served by TLS alone, to who shows a token or a
//     certificate; without these it is refused before anything is served.
//   - A page of somebody else in a browser calls nothing: not by a request across sites, and not by
//     a name that it has lead to loopback.
//   - Told to stop, it answers what it has begun, for as long as it is given.
package endpoint

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"golang.org/x/net/http2"
)

// Options say where to serve, and whom.
type Options struct {
	// Addresses are unix:/PATH or HOST:PORT.
	Addresses []string
	// Tokens, when not empty, is a file of tokens. On TCP a caller shows one then.
	Tokens string
	// Rights, when not empty, is a file of what callers may do, who show a token or a certificate.
	// Without it all whom the endpoint lets in may write.
	Rights string
	// Certificate and Key, when not empty, are files: TCP is served by TLS.
	Certificate, Key string
	// ClientCA, when not empty, is a file of those who vouch for callers' certificates.
	ClientCA string
	// Grace is how long what was begun may go on after the stop; 10 seconds when zero.
	Grace time.Duration
	Log   *slog.Logger
}

const (
	usualGrace = 10 * time.Second
	// mostConnections and mostRequests bound what is served at once.
	mostConnections, mostRequests = 512, 128
	// maxHeader is how many bytes the header of a request may have.
	maxHeader = 64 << 10
)

// Endpoint is where callers come in. It listens already; Serve answers.
type Endpoint struct {
	o         Options
	tokens    *tokens
	rights    *rights // nil where everybody may write
	tls       *tls.Config
	listeners []net.Listener
	sockets   []*socket
	free      chan struct{}
}

// Open listens at all addresses, or at none. What may not be served is refused before.
func Open(ctx context.Context, o Options) (*Endpoint, error) {
	o.Grace = cmp.Or(o.Grace, usualGrace)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	e := &Endpoint{o: o, free: make(chan struct{}, mostRequests)}
	if err := e.configure(); err != nil {
		return nil, err
	}
	places := make([]place, len(o.Addresses))
	var faults []error
	for i, address := range o.Addresses {
		var err error
		if places[i], err = e.resolve(ctx, address); err != nil {
			faults = append(faults, err)
		}
	}
	if len(places) == 0 {
		faults = append(faults, errors.New("there is no address to serve at"))
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	for _, p := range places {
		if err := e.listen(ctx, p); err != nil {
			e.close()
			return nil, err
		}
	}
	return e, nil
}

// configure reads tokens and certificates.
func (e *Endpoint) configure() (err error) {
	o := &e.o
	if o.Tokens != "" {
		if e.tokens, err = openTokens(o.Tokens, o.Log); err != nil {
			return err
		}
	}
	if o.Rights != "" {
		if o.Tokens == "" && o.ClientCA == "" {
			return errors.New("rights are of callers who show a token or a certificate: name tokens, or " +
				"the CA of callers")
		}
		if e.rights, err = openRights(o.Rights, o.Log); err != nil {
			return err
		}
	}
	switch {
	case (o.Certificate == "") != (o.Key == ""):
		return errors.New("a certificate goes with its key: name both files")
	case o.ClientCA != "" && o.Certificate == "":
		return errors.New("callers show certificates by TLS: name the server's certificate and key too")
	case o.Certificate != "":
		e.tls, err = serverTLS(o)
	}
	return err
}

// place is where to listen.
type place struct{ network, address string }

// resolve says where an address is, and refuses one that may not be served.
func (e *Endpoint) resolve(ctx context.Context, address string) (place, error) {
	if path, ok := socketPath(address); ok {
		return place{"unix", path}, checkSocketPath(path)
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return place{}, fmt.Errorf("%q is no address as unix:/PATH, 127.0.0.1:8780 or HOST:PORT", address)
	}
	if host == "" {
		host = "::"
	}
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil || len(ips) == 0 {
		return place{}, fmt.Errorf("there is no address %q on this machine", host)
	}
	if !ips[0].Unmap().IsLoopback() {
		if err := e.mayLeave(address); err != nil {
			return place{}, err
		}
	}
	return place{"tcp", net.JoinHostPort(ips[0].Unmap().String(), port)}, nil
}

// mayLeave refuses to serve other machines without knowing them, or for all to read.
func (e *Endpoint) mayLeave(address string) error {
	var missing []error
	if e.tls == nil {
		missing = append(missing, errors.New("a certificate and its key (--tls-cert, --tls-key)"))
	}
	if e.tokens == nil && e.o.ClientCA == "" {
		missing = append(missing, errors.New("tokens or the CA of callers (--tokens, --client-ca)"))
	}
	if len(missing) == 0 {
		return nil
	}
	return fmt.Errorf("other machines reach %s: it is served only with\n%w", address,
		errors.Join(missing...))
}

// listen begins to listen at a place.
func (e *Endpoint) listen(ctx context.Context, p place) error {
	var l net.Listener
	var err error
	if p.network == "unix" {
		s, failed := bind(ctx, p.address)
		if failed != nil {
			return failed
		}
		e.sockets = append(e.sockets, s)
		l = s.Listener
	} else if l, err = (&net.ListenConfig{}).Listen(ctx, p.network, p.address); err != nil {
		return fmt.Errorf("cannot listen at %s: %w", p.address, err)
	}
	e.listeners = append(e.listeners, &bounded{Listener: l, free: make(chan struct{},
		mostConnections)})
	return nil
}

// Addresses are where it listens.
func (e *Endpoint) Addresses() []string {
	all := make([]string, len(e.listeners))
	for i, l := range e.listeners {
		all[i] = l.Addr().String()
		if l.Addr().Network() == "unix" {
			all[i] = "unix:" + all[i]
		}
	}
	return all
}

// close ends listening, and takes sockets away.
func (e *Endpoint) close() {
	for _, l := range e.listeners {
		_ = l.Close()
	}
	for _, s := range e.sockets {
		s.release()
	}
}

// Serve answers until the context ends; then what was begun may go on for the grace. It returns nil
// where it was told to stop.
func (e *Endpoint) Serve(ctx context.Context, h http.Handler) error {
	defer e.close()
	base, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	ended := make(chan error, len(e.listeners))
	servers := make([]*http.Server, len(e.listeners))
	for i, l := range e.listeners {
		s, err := e.server(base, l, h)
		if err != nil {
			return err
		}
		servers[i] = s
	}
	for i, l := range e.listeners {
		go func() {
			if servers[i].TLSConfig != nil {
				ended <- servers[i].ServeTLS(l, "", "")
				return
			}
			ended <- servers[i].Serve(l)
		}()
	}
	var failed error
	select {
	case <-ctx.Done():
	case failed = <-ended:
		failed = fmt.Errorf("cannot go on serving: %w", failed)
	}
	e.stop(servers, cancel)
	return failed
}

// stop lets what was begun go on for the grace, and ends it then.
func (e *Endpoint) stop(servers []*http.Server, cancel context.CancelFunc) {
	e.o.Log.Info("stopping")
	ctx, done := context.WithTimeout(context.Background(), e.o.Grace)
	defer done()
	var all sync.WaitGroup
	for _, s := range servers {
		all.Go(func() {
			if s.Shutdown(ctx) != nil {
				cancel()
				_ = s.Close()
			}
		})
	}
	all.Wait()
	// Who is cut off has its transaction rolled back: wait until each has seen it.
	for range cap(e.free) {
		e.free <- struct{}{}
	}
}

// server is one for a listener.
func (e *Endpoint) server(
	base context.Context, l net.Listener, h http.Handler,
) (*http.Server, error) {
	isTCP := l.Addr().Network() != "unix"
	s := &http.Server{
		Handler: e.limited(e.guarded(h, isTCP)), ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout: time.Minute, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: maxHeader,
		BaseContext: func(net.Listener) context.Context { return base },
		ConnContext: withConnection,
		ErrorLog:    slog.NewLogLogger(e.o.Log.Handler(), slog.LevelDebug),
		Protocols:   &http.Protocols{},
		HTTP2:       &http.HTTP2Config{MaxConcurrentStreams: mostRequests},
	}
	s.Protocols.SetHTTP1(true)
	s.Protocols.SetHTTP2(true)
	s.Protocols.SetUnencryptedHTTP2(e.tls == nil || !isTCP)
	isTLS := e.tls != nil && isTCP
	if isTLS {
		s.TLSConfig = e.tls.Clone()
	}
	// The programs are built without the HTTP/2 of net/http, which their clients do not need.
	//lint:ignore SA1019 what replaces it is what they are built without
	err := http2.ConfigureServer(s, nil)
	if !isTLS {
		s.TLSConfig = nil
	}
	return s, err
}

// limited bounds how much is served at once.
func (e *Endpoint) limited(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case e.free <- struct{}{}:
			defer func() { <-e.free }()
			h.ServeHTTP(w, r)
		default:
			w.Header().Set("Retry-After", "1")
			http.Error(w, "too much is asked at once: try again", http.StatusServiceUnavailable)
		}
	})
}

// bounded is a listener that has not more than so many connections at once.
type bounded struct {
	net.Listener
	free chan struct{}
}

func (b *bounded) Accept() (net.Conn, error) {
	b.free <- struct{}{}
	c, err := b.Listener.Accept()
	if err != nil {
		<-b.free
		return nil, err
	}
	return &connection{Conn: c, ended: sync.OnceFunc(func() { <-b.free })}, nil
}

// connection is one of a bounded listener.
type connection struct {
	net.Conn
	ended func()
	who   sync.Once
	uid   int
	known bool
}

func (c *connection) Close() error {
	defer c.ended()
	return c.Conn.Close()
}

// ownOrRoot reports whether a user is the one who serves, or root.
func ownOrRoot(uid int) bool { return uid == 0 || uid == os.Geteuid() }
