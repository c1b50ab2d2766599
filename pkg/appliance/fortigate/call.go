package fortigate

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"time"

	"aws-provider-executor/pkg/appliance"
	"aws-provider-executor/pkg/protocol"
)

const (
	// maxAnswer is how many bytes of an answer are read.
	maxAnswer = 4 << 20
	// readFor and changeFor bound one call.
	readFor, changeFor = 20 * time.Second, 60 * time.Second
	connectFor         = 5 * time.Second
)

// errPin says that the certificate is not the one that is wanted.
var errPin = errors.New("its certificate is not the one whose digest is given")

// identity is how the appliance's certificate is checked. There is no way without.
func identity(a appliance.Access) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: a.ServerName}
	if c.ServerName == "" {
		c.ServerName = a.Address
	}
	switch {
	case len(a.CA) > 0:
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(a.CA) {
			return nil, protocol.Refuse(protocol.Configuration,
				"the file of the appliance's authorities has no certificate in PEM; nothing was sent")
		}
	case a.Pin != "":
		// The certificate is compared as a whole instead, below.
		c.InsecureSkipVerify = true
	default:
		return nil, protocol.Refuse(protocol.Configuration,
			"nothing tells which certificate %s has: give its SHA-256 digest (certificateSha256), or the "+
				"file of its authorities (APPLIANCE_CA_FILE); nothing was sent", a.Instance)
	}
	if a.Pin == "" {
		return c, nil
	}
	pin, err := hex.DecodeString(a.Pin)
	if err != nil || len(pin) != sha256.Size {
		return nil, protocol.Refuse(protocol.InvalidRequest,
			"the digest of the certificate is no SHA-256 digest in hexadecimal; nothing was sent")
	}
	c.VerifyConnection = func(state tls.ConnectionState) error {
		if len(state.PeerCertificates) == 0 {
			return errPin
		}
		sum := sha256.Sum256(state.PeerCertificates[0].Raw)
		if subtle.ConstantTimeCompare(sum[:], pin) != 1 {
			return errPin
		}
		return nil
	}
	return c, nil
}

// newClient returns a client without proxies and redirects, and with a connection for each request:
// net/http sends a request again where it fails on an old connection.
func newClient(config *tls.Config) *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			DialContext:     (&net.Dialer{Timeout: connectFor}).DialContext,
			TLSClientConfig: config, TLSHandshakeTimeout: 2 * connectFor,
			DisableKeepAlives: true, DisableCompression: true, MaxResponseHeaderBytes: 64 << 10,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// request is one call of the API.
type request struct {
	method, path string
	session      *session
	body         any
	// into takes the answer; nil takes none.
	into any
	// changes reports whether the call may change something.
	changes bool
	// refusable reports whether a refusal of the identity is an answer, and no failure.
	refusable bool
	// secrets are what no sentence may tell, beside those of the access.
	secrets []string
}

type response struct {
	status  int
	cookies []*http.Cookie
}

func (f *FortiGate) host() string {
	return net.JoinHostPort(f.access.Address, strconv.Itoa(f.access.Port))
}

// call makes one call, once.
func (f *FortiGate) call(ctx context.Context, r request) (response, error) {
	limit := readFor
	if r.changes {
		limit = changeFor
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	connected := false
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { connected = true },
	})
	sent, err := f.request(ctx, r)
	if err != nil {
		return response{}, protocol.Refuse(protocol.Internal, "the request can't be made: %v", err)
	}
	answer, err := f.client.Do(sent)
	if err != nil {
		return response{}, f.lost(r, connected, err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer+1))
	switch {
	case err != nil:
		return response{}, f.lost(r, true, err)
	case len(body) > maxAnswer:
		return response{}, f.unsure(r, f.unreadable(r.path))
	}
	return f.answered(r, answer, body)
}

func (f *FortiGate) request(ctx context.Context, r request) (*http.Request, error) {
	var body io.Reader
	if r.body != nil {
		text, err := json.Marshal(r.body)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(text)
	}
	sent, err := http.NewRequestWithContext(ctx, r.method, "https://"+f.host()+r.path, body)
	if err != nil {
		return nil, err
	}
	if body != nil {
		sent.Header.Set("Content-Type", "application/json")
	}
	if r.session != nil {
		r.session.authorise(sent)
	}
	return sent, nil
}

// lost is the failure of a call without an answer. Connected reports whether the request may have
// gone out.
func (f *FortiGate) lost(r request, connected bool, err error) error {
	var unverified *tls.CertificateVerificationError
	if errors.Is(err, errPin) || errors.As(err, &unverified) {
		no := false
		refusal := protocol.Refuse(protocol.Authentication,
			"what answers at %s is not known to be %s: %s; nothing was sent to it; look what is there, "+
				"then give the right digest or authority", f.host(), f.access.Instance, certificateFault(err))
		refusal.Retryable = &no
		return refusal
	}
	failure := protocol.Refuse(protocol.Unavailable, "%s does not answer yet: %s", f.name(),
		f.said(reasonOf(err)))
	if !connected {
		return failure
	}
	failure.Message = f.name() + " gave no whole answer: " + f.said(reasonOf(err))
	return f.unsure(r, failure)
}

// certificateFault says what is wrong with a certificate.
func certificateFault(err error) string {
	if errors.Is(err, errPin) {
		return errPin.Error()
	}
	return "its certificate is not under the given authority, or not for that name (" +
		protocol.Quote(reasonOf(err)) + ")"
}

// reasonOf is the innermost reason, without the URL.
func reasonOf(err error) string {
	var op *net.OpError
	var unverified *tls.CertificateVerificationError
	switch {
	case errors.As(err, &unverified):
		return unverified.Err.Error()
	case errors.As(err, &op):
		return op.Op + ": " + op.Err.Error()
	case errors.Is(err, context.DeadlineExceeded):
		return "the time for it was up"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "the connection was closed"
	}
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(err) {
		err = inner
	}
	return err.Error()
}

// unsure is what a call came to that may have done its work.
func (f *FortiGate) unsure(r request, failure *protocol.Failure) error {
	if r.changes {
		return unknown(failure)
	}
	return failure
}

// answered reads an answer.
func (f *FortiGate) answered(r request, a *http.Response, body []byte) (response, error) {
	got := response{status: a.StatusCode, cookies: a.Cookies()}
	refused := a.StatusCode == http.StatusUnauthorized || a.StatusCode == http.StatusForbidden
	switch {
	case a.StatusCode == http.StatusOK && r.into == nil:
		return got, nil
	case a.StatusCode == http.StatusOK:
		if json.Unmarshal(body, r.into) != nil {
			return got, f.unsure(r, f.unreadable(r.path))
		}
		return got, nil
	case refused && r.refusable:
		_ = json.Unmarshal(body, r.into) // what can't be read is a refusal without words
		return got, nil
	}
	return got, f.failed(r, a.StatusCode, body)
}

// failed is the failure that a status tells.
func (f *FortiGate) failed(r request, status int, body []byte) error {
	var said struct {
		Error any `json:"error"`
	}
	words := ""
	if json.Unmarshal(body, &said) == nil && said.Error != nil {
		text, _ := json.Marshal(said.Error) // it came from JSON
		words = " (" + f.said(string(text), r.secrets...) + ")"
	}
	class := protocol.InvalidRequest
	switch {
	case status >= http.StatusInternalServerError, status < http.StatusBadRequest:
		return f.unsure(r, protocol.Refuse(protocol.Unavailable, "%s answers %s with the status %d%s",
			f.name(), r.path, status, words))
	case status == http.StatusUnauthorized:
		class = protocol.Authentication
	case status == http.StatusForbidden:
		class = protocol.Authorization
	case status == http.StatusTooManyRequests:
		class = protocol.Throttled
	}
	return protocol.Refuse(class, "%s refuses %s with the status %d%s", f.name(), r.path, status,
		words)
}

// unreadable is the failure of an answer that is none.
func (f *FortiGate) unreadable(path string) *protocol.Failure {
	return protocol.Refuse(protocol.Unavailable,
		"%s answers %s with something else than a FortiGate does; look what is there", f.name(), path)
}
