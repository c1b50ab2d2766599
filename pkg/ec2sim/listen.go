package ec2sim

import (
	"io"
	"log"
	"net"
	"net/http"
	"strconv"
)

const anyPort = "127.0.0.1:0"

// reachedAt is where this host reaches a listener: on loopback, where it listens on every address.
func reachedAt(l net.Listener) string {
	if a, ok := l.Addr().(*net.TCPAddr); ok && a.IP.IsUnspecified() {
		return net.JoinHostPort("127.0.0.1", strconv.Itoa(a.Port))
	}
	return l.Addr().String()
}

// newHTTPServer leaves HTTP/2 out: the real endpoint has none.
func newHTTPServer(h http.Handler) *http.Server {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Server{Handler: h, Protocols: protocols, ErrorLog: log.New(io.Discard, "", 0)}
}
