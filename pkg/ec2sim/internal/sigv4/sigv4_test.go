package sigv4

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

const secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"

// signed is a request as a server gets it, signed by the SDK.
func signed(t *testing.T, method, target, body string, header http.Header) *http.Request {
	t.Helper()
	out, err := http.NewRequest(method, "https://ec2.example.com"+target,
		bytes.NewReader([]byte(body)))
	if err != nil {
		t.Fatal(err)
	}
	out.Header = header
	digest := sha256.Sum256([]byte(body))
	err = v4.NewSigner().SignHTTP(context.Background(),
		aws.Credentials{AccessKeyID: "AKID", SecretAccessKey: secret, SessionToken: "tok"},
		out, hex.EncodeToString(digest[:]), "ec2", "eu-west-1", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	in := httptest.NewRequest(method, target, bytes.NewReader([]byte(body)))
	in.Header, in.Host = out.Header, "ec2.example.com"
	return in
}

func TestVerify(t *testing.T) {
	for _, tt := range []struct {
		name, method, target, body string
		header                     http.Header
	}{
		{"form", "POST", "/", "Action=X&Version=1",
			http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}},
		{"query", "GET", "/?Version=1&Action=a%20b%2B%2F~&Empty=", "", http.Header{}},
		{"odd spaces", "POST", "/", "x", http.Header{"X-Amz-Meta": {"  a   b  "}}},
		{"repeated header", "POST", "/", "x", http.Header{"X-Amz-Meta": {"a", "b"}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := signed(t, tt.method, tt.target, tt.body, tt.header)
			s, err := Parse(r)
			if err != nil {
				t.Fatal(err)
			}
			if s.AccessKeyID != "AKID" || s.Region != "eu-west-1" || s.Service != "ec2" ||
				s.Token != "tok" || time.Since(s.Time) > time.Minute {
				t.Errorf("parsed %+v", s)
			}
			if err := s.Verify(r, []byte(tt.body), secret); err != nil {
				t.Error(err)
			}
			if s.Verify(r, []byte(tt.body), secret+"x") == nil {
				t.Error("another secret is as good")
			}
			if s.Verify(r, []byte(tt.body+"x"), secret) == nil {
				t.Error("another body is as good")
			}
			r.Host = "elsewhere.example.com"
			if s.Verify(r, []byte(tt.body), secret) == nil {
				t.Error("another host is as good")
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	good := signed(t, "POST", "/", "x", http.Header{}).Header
	auth := good.Get("Authorization")
	for _, tt := range []struct{ name, auth, date string }{
		{"nothing", "", good.Get("X-Amz-Date")},
		{"another algorithm", "AWS4-ECDSA-P256-SHA256" + auth[len("AWS4-HMAC-SHA256"):],
			good.Get("X-Amz-Date")},
		{"short scope", "AWS4-HMAC-SHA256 Credential=AKID/20260101/eu-west-1/ec2, SignedHeaders=host, " +
			"Signature=" + auth[len(auth)-64:], good.Get("X-Amz-Date")},
		{"short signature", auth[:len(auth)-2], good.Get("X-Amz-Date")},
		{"no date", auth, ""},
		{"another day", auth, "20200101T000000Z"},
		{"no equals sign", "AWS4-HMAC-SHA256 Credential", good.Get("X-Amz-Date")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest("POST", "/", nil)
			r.Header.Set("Authorization", tt.auth)
			r.Header.Set("X-Amz-Date", tt.date)
			if s, err := Parse(r); err == nil {
				t.Errorf("parsed %+v", s)
			}
		})
	}
}
