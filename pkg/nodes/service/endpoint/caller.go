package endpoint

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os/user"
	"strconv"
	"strings"

	"connectrpc.com/connect"

	"aws-provider-executor/pkg/nodes/service"
)

// connectionKey is the key of the connection in a context.
type connectionKey struct{}

// withConnection remembers the connection of a request.
func withConnection(ctx context.Context, c net.Conn) context.Context {
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	if own, ok := c.(*connection); ok {
		return context.WithValue(ctx, connectionKey{}, own)
	}
	return ctx
}

// errWho is the refusal of who shows nothing.
var errWho = errors.New("who calls? Show a token, as Authorization: Bearer TOKEN")

// caller is who sends a request.
func (e *Endpoint) caller(r *http.Request, isTCP bool) (string, error) {
	if !isTCP {
		return e.user(r)
	}
	if r.TLS != nil && len(r.TLS.VerifiedChains) > 0 {
		return "certificate " + r.TLS.VerifiedChains[0][0].Subject.String(), nil
	}
	switch {
	case e.tokens != nil:
		token := shown(r)
		if token == "" {
			return "", errWho
		}
		if name, ok := e.tokens.find(token); ok {
			return "token " + name, nil
		}
		return "", errors.New("there is no such token")
	case e.o.ClientCA != "":
		return "", errors.New("show a certificate that the server's CA for callers signed")
	}
	return e.user(r)
}

// shown is the token of a request: a bearer's, or a password, for browsers ask for one.
func shown(r *http.Request) string {
	if _, password, ok := r.BasicAuth(); ok {
		return password
	}
	kind, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(kind, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// user is the user at the other end of a connection within this machine.
func (e *Endpoint) user(r *http.Request) (string, error) {
	c, ok := r.Context().Value(connectionKey{}).(*connection)
	if !ok {
		return "", errWho
	}
	c.who.Do(func() { c.uid, c.known = uidOf(c.Conn) })
	switch {
	case !c.known:
		return "", errors.New("it can't be told which user calls: serve with --tokens, and show one")
	case !ownOrRoot(c.uid):
		return "", &foreign{c.uid}
	}
	return userName(c.uid), nil
}

// foreign is the refusal of another user of the machine.
type foreign struct{ uid int }

func (f *foreign) Error() string {
	return fmt.Sprintf("%s is not who serves: serve with --tokens for others", userName(f.uid))
}

// userName is how a user is called.
func userName(uid int) string {
	text := "uid " + strconv.Itoa(uid)
	if u, err := user.LookupId(strconv.Itoa(uid)); err == nil && u.Username != "" {
		text += " (" + u.Username + ")"
	}
	return text
}

// uidOf is the user at the other end of a connection.
func uidOf(c net.Conn) (int, bool) {
	if c, ok := c.(*net.UnixConn); ok {
		return peerOf(c)
	}
	local, ours := c.LocalAddr().(*net.TCPAddr)
	remote, theirs := c.RemoteAddr().(*net.TCPAddr)
	if !ours || !theirs || !remote.IP.IsLoopback() {
		return 0, false
	}
	return loopbackUser(remote, local)
}

func peerOf(c *net.UnixConn) (int, bool) {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, false
	}
	uid := 0
	failed := raw.Control(func(fd uintptr) { uid, err = peerUser(int(fd)) })
	return uid, failed == nil && err == nil
}

// guarded lets requests through that have a caller, and that no page of somebody else sent.
func (e *Endpoint) guarded(h http.Handler, isTCP bool) http.Handler {
	answer := connect.NewErrorWriter()
	refuse := func(w http.ResponseWriter, r *http.Request, code connect.Code, status int, err error) {
		e.o.Log.Info("refused", "remote", r.RemoteAddr, "path", r.URL.Path, "reason", err.Error())
		if answer.IsSupported(r) {
			_ = answer.Write(w, r, connect.NewError(code, err))
			return
		}
		http.Error(w, err.Error(), status)
	}
	inner := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		caller, err := e.caller(r, isTCP)
		var other *foreign
		switch {
		case errors.As(err, &other):
			refuse(w, r, connect.CodePermissionDenied, http.StatusForbidden, err)
			return
		case err != nil:
			if e.tokens != nil && isTCP {
				w.Header().Set("WWW-Authenticate", `Basic realm="nodes", charset="UTF-8"`)
			}
			refuse(w, r, connect.CodeUnauthenticated, http.StatusUnauthorized, err)
			return
		}
		ctx := service.WithCaller(r.Context(), caller)
		if why := e.rights.onlyReads(caller); why != "" {
			ctx = service.OnlyReads(ctx, why)
		}
		h.ServeHTTP(w, r.WithContext(ctx))
	})
	if !isTCP {
		return inner
	}
	sites := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.TLS == nil && !isLoopbackName(r.Host) {
			refuse(w, r, connect.CodePermissionDenied, http.StatusForbidden, fmt.Errorf(
				"the server is asked for as %q: call it localhost, 127.0.0.1 or [::1]", r.Host))
			return
		}
		if err := sites.Check(r); err != nil {
			refuse(w, r, connect.CodePermissionDenied, http.StatusForbidden, errors.New(
				"a page of another site may not call this server"))
			return
		}
		inner.ServeHTTP(w, r)
	})
}

// isLoopbackName reports whether a name can mean loopback alone, whatever resolves names.
func isLoopbackName(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = strings.TrimSuffix(strings.TrimPrefix(hostport, "["), "]")
	}
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}
