package ec2sim

import (
	"net"
	"net/http"
)

// metadataServer opens and closes the port of a metadata service.
type metadataServer struct {
	service *Metadata
	addr    string
	url     string
	http    *http.Server
}

func startMetadata(m *Metadata, addr string) (*metadataServer, error) {
	if addr == "" {
		addr = anyPort
	}
	ms := &metadataServer{service: m, addr: addr}
	if err := ms.open(true); err != nil {
		return nil, err
	}
	m.listen = ms.open
	return ms, nil
}

// open has the port open or closed. Calls are serialised by the service's lock.
func (ms *metadataServer) open(yes bool) error {
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
	ms.url = "http://" + reachedAt(l)
	ms.http = newHTTPServer(ms.service)
	go func(h *http.Server) { _ = h.Serve(l) }(ms.http) // ends with ErrServerClosed
	return nil
}

func (ms *metadataServer) end() {
	ms.service.mu.Lock()
	defer ms.service.mu.Unlock()
	_ = ms.open(false)
	ms.service.listen = nil
}
