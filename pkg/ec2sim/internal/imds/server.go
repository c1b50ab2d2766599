package imds

import (
	"net"
	"net/http"

	"aws-provider-executor/pkg/ec2sim/internal/httpserver"
)

// Server opens and closes the port of a metadata service.
type Server struct {
	Service *Service
	addr    string
	URL     string
	http    *http.Server
}

// Start serves a metadata service on a port of its own, until End.
func Start(m *Service, addr string) (*Server, error) {
	if addr == "" {
		addr = httpserver.AnyPort
	}
	ms := &Server{Service: m, addr: addr}
	if err := ms.open(true); err != nil {
		return nil, err
	}
	m.listen = ms.open
	return ms, nil
}

// open has the port open or closed. Calls are serialised by the service's lock.
func (ms *Server) open(yes bool) error {
	if yes == (ms.http != nil) {
		return nil
	}
	if !yes {
		err := ms.http.Close()
		ms.http = nil
		return err
	}
	l, err := net.Listen("tcp", ms.addr)
	if err != nil {
		return err
	}
	ms.addr = l.Addr().String()
	ms.URL = "http://" + httpserver.Reached(l)
	ms.http = httpserver.New(ms.Service)
	go func(h *http.Server) { _ = h.Serve(l) }(ms.http) // ends with ErrServerClosed
	return nil
}

// End closes the port.
func (ms *Server) End() {
	ms.Service.mu.Lock()
	defer ms.Service.mu.Unlock()
	_ = ms.open(false)
	ms.Service.listen = nil
}
