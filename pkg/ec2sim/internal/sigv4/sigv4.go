// Package sigv4 verifies AWS Signature Version 4 as it is sent in the Authorization header.
//
// A verified request was signed with the secret of the access key that it names, for the region
// that it names. What was signed is what came: method, path, query, the signed headers (host among
// them) and the body.
package sigv4

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	algorithm = "AWS4-HMAC-SHA256"
	stamp     = "20060102T150405Z"
)

// The reasons a signature is not accepted.
var (
	ErrMalformed = errors.New("no well-formed signature")
	ErrMismatch  = errors.New("signature does not match")
)

// Signature is what a request's Authorization header says; nothing of it is proven before Verify.
type Signature struct {
	AccessKeyID string
	Region      string
	Service     string
	Token       string    // session token, empty for long-term credentials
	Time        time.Time // when it was signed, as the request says

	date    string
	headers []string
	mac     []byte
}

// Parse reads the signature of r. The error is ErrMalformed.
func Parse(r *http.Request) (*Signature, error) {
	rest, ok := strings.CutPrefix(r.Header.Get("Authorization"), algorithm+" ")
	if !ok {
		return nil, ErrMalformed
	}
	fields := map[string]string{}
	for part := range strings.SplitSeq(rest, ",") {
		name, value, ok := strings.Cut(strings.TrimSpace(part), "=")
		if !ok || fields[name] != "" {
			return nil, ErrMalformed
		}
		fields[name] = value
	}
	scope := strings.Split(fields["Credential"], "/")
	mac, err := hex.DecodeString(fields["Signature"])
	if err != nil || len(mac) != sha256.Size || len(scope) != 5 || scope[4] != "aws4_request" ||
		scope[0] == "" {
		return nil, ErrMalformed
	}
	s := &Signature{
		AccessKeyID: scope[0], date: scope[1], Region: scope[2], Service: scope[3],
		Token:   r.Header.Get("X-Amz-Security-Token"),
		headers: strings.Split(fields["SignedHeaders"], ";"),
		mac:     mac,
	}
	s.Time, err = time.Parse(stamp, r.Header.Get("X-Amz-Date"))
	if err != nil || !strings.HasPrefix(r.Header.Get("X-Amz-Date"), s.date) ||
		!slices.Contains(s.headers, "host") {
		return nil, ErrMalformed
	}
	return s, nil
}

// Verify checks that the secret made the signature of r with this body. The error is ErrMismatch.
func (s *Signature) Verify(r *http.Request, body []byte, secret string) error {
	digest := sha256.Sum256([]byte(s.canonicalRequest(r, body)))
	toSign := strings.Join([]string{
		algorithm,
		s.Time.Format(stamp),
		strings.Join([]string{s.date, s.Region, s.Service, "aws4_request"}, "/"),
		hex.EncodeToString(digest[:]),
	}, "\n")
	key := []byte("AWS4" + secret)
	for _, part := range []string{s.date, s.Region, s.Service, "aws4_request", toSign} {
		key = sum(key, part)
	}
	if !hmac.Equal(key, s.mac) {
		return ErrMismatch
	}
	return nil
}

func sum(key []byte, data string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(data))
	return h.Sum(nil)
}

func (s *Signature) canonicalRequest(r *http.Request, body []byte) string {
	var b strings.Builder
	path := r.URL.EscapedPath()
	if path == "" {
		path = "/"
	}
	b.WriteString(r.Method + "\n" + path + "\n" + canonicalQuery(r.URL.Query()) + "\n")
	for _, name := range s.headers {
		b.WriteString(name + ":" + headerValue(r, name) + "\n")
	}
	digest := sha256.Sum256(body)
	b.WriteString("\n" + strings.Join(s.headers, ";") + "\n" + hex.EncodeToString(digest[:]))
	return b.String()
}

// headerValue puts back what net/http takes out of the header of an incoming request.
func headerValue(r *http.Request, name string) string {
	switch name {
	case "host":
		return r.Host
	case "content-length":
		return strconv.FormatInt(r.ContentLength, 10)
	}
	values := slices.Clone(r.Header.Values(name))
	for i, v := range values {
		values[i] = strings.Join(strings.Fields(v), " ")
	}
	return strings.Join(values, ",")
}

func canonicalQuery(query url.Values) string {
	var pairs []string
	for name, values := range query {
		for _, v := range values {
			pairs = append(pairs, escape(name)+"="+escape(v))
		}
	}
	slices.Sort(pairs)
	return strings.Join(pairs, "&")
}

func escape(s string) string {
	return strings.ReplaceAll(url.QueryEscape(s), "+", "%20")
}
