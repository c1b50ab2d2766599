package ec2sim_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"aws-provider-executor/pkg/ec2sim"
)

func TestAuthentication(t *testing.T) {
	expired := ec2sim.Credential{
		AccessKeyID: "ASIAEXPIRED000000000", SecretAccessKey: "s", SessionToken: "t",
		Expires: time.Now().Add(-time.Minute),
	}
	const (
		code    = "AuthFailure"
		message = "AWS was not able to validate the provided access credentials"
	)
	tests := []struct {
		name    string
		key     func(k *ec2sim.Credential)
		region  string
		skew    time.Duration
		request func(r *http.Request)
		status  int
		code    string
		message string
	}{
		{name: "known key", status: 200},
		{name: "role with its token", key: func(k *ec2sim.Credential) {
			*k = ec2sim.LabRoleCredential
		}, status: 200},
		{name: "a little off", skew: 14 * time.Minute, status: 200},
		{name: "unknown key", key: func(k *ec2sim.Credential) {
			k.AccessKeyID = "AKIAUNKNOWN"
		}, status: 401, code: code, message: message},
		{name: "wrong secret", key: func(k *ec2sim.Credential) {
			k.SecretAccessKey += "x"
		}, status: 401, code: code, message: message},
		{name: "role without its token", key: func(k *ec2sim.Credential) {
			*k = ec2sim.LabRoleCredential
			k.SessionToken = ""
		}, status: 401, code: code, message: message},
		{name: "role with another token", key: func(k *ec2sim.Credential) {
			*k = ec2sim.LabRoleCredential
			k.SessionToken = "other"
		}, status: 401, code: code, message: message},
		{name: "token where none belongs", key: func(k *ec2sim.Credential) {
			k.SessionToken = "x"
		}, status: 401, code: code, message: message},
		{name: "expired role", key: func(k *ec2sim.Credential) {
			*k = expired
		}, status: 400, code: "RequestExpired", message: "Request has expired."},
		{name: "signed long ago", skew: -16 * time.Minute, status: 400, code: "RequestExpired",
			message: "Request has expired."},
		{name: "signed in the future", skew: 16 * time.Minute, status: 400, code: "RequestExpired",
			message: "Request has expired."},
		{name: "no such region", region: "xx-nowhere-1", status: 401, code: code, message: message},
		{name: "no signature", request: func(r *http.Request) {
			r.Header.Del("Authorization")
		}, status: 401, code: code, message: message},
		{name: "malformed signature", request: func(r *http.Request) {
			r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=x")
		},
			status: 401, code: code, message: message},
		{name: "another service's", request: func(r *http.Request) {
			r.Header.Set("Authorization",
				strings.Replace(r.Header.Get("Authorization"), "/ec2/", "/s3/", 1))
		}, status: 401, code: code, message: message},
		{name: "body changed", request: func(r *http.Request) {
			*r = *withBody(r, "Action=DescribeVpcs&Version=2016-11-15&DryRun=true")
		},
			status: 401, code: code, message: message},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := lab(t, ec2sim.WithCredentials(expired))
			if tt.key != nil {
				tt.key(&p.key)
			}
			if tt.region != "" {
				p.region = tt.region
			}
			r := p.signed(url.Values{"Action": {"DescribeVpcs"}, "Version": {"2016-11-15"}},
				time.Now().Add(tt.skew))
			if tt.request != nil {
				tt.request(r)
			}
			a, err := p.do(r)
			if err != nil {
				t.Fatal(err)
			}
			if a.status != tt.status || a.code != tt.code || a.message != tt.message {
				t.Errorf("got %d %s: %s", a.status, a.code, a.message)
			}
		})
	}
}

func withBody(r *http.Request, body string) *http.Request {
	changed, err := http.NewRequest(r.Method, r.URL.String(), strings.NewReader(body))
	if err != nil {
		panic(err)
	}
	changed.Header = r.Header.Clone()
	return changed
}

func TestAnybodyMayCallASimWithoutCredentials(t *testing.T) {
	p := serve(t)
	p.key = ec2sim.Credential{AccessKeyID: "AKIAWHOEVER", SecretAccessKey: "whatever"}
	p.ok("DescribeVpcs")
}

func TestRequestsThatAreNotCalls(t *testing.T) {
	p := lab(t)
	tests := []struct {
		name string
		form url.Values
		code string
		text string
	}{
		{"no action", url.Values{"Version": {"2016-11-15"}}, "MissingAction",
			"The request is missing an action or a required parameter."},
		{"unknown action", url.Values{"Action": {"DescribeFoo"}, "Version": {"2016-11-15"}},
			"InvalidAction", "The action DescribeFoo is not valid for this web service."},
		{"no version", url.Values{"Action": {"DescribeVpcs"}}, "MissingParameter",
			"The request must contain the parameter Version"},
		{"another version", url.Values{"Action": {"DescribeVpcs"}, "Version": {"2010-01-01"}},
			"NoSuchVersion", "The requested version (2010-01-01) of service AmazonEC2 does not exist"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a, err := p.do(p.signed(tt.form, time.Now()))
			if err != nil {
				t.Fatal(err)
			}
			if a.status != 400 || a.code != tt.code || a.message != tt.text {
				t.Errorf("got %d %s: %s", a.status, a.code, a.message)
			}
		})
	}
}
