// Package httpserver makes the HTTP servers of the stand-in.
package httpserver

import (
	"io"
	"log"
	"net"
	"net/http"
	"strconv"
)

// AnyPort is a free port of this host.
const AnyPort = "127.0.0.1:0"

// Reached is where this host reaches a listener: on loopback, where it listens on every address.
func Reached(l net.Listener) string {
	if a, ok := l.Addr().(*net.TCPAddr); ok && a.IP.IsUnspecified() {
		return net.JoinHostPort("127.0.0.1", strconv.Itoa(a.Port))
	}
	return l.Addr().String()
}

// New returns a server without HTTP/2: the real endpoint has none.
func New(h http.Handler) *http.Server {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Server{Handler: h, Protocols: protocols, ErrorLog: log.New(io.Discard, "", 0)}
}
