package appliance_test

import (
	"regexp"
	"strings"
	"testing"

	"aws-provider-executor/actions/appliance"
	"aws-provider-executor/pkg/action"
)

// texts are right for one form or another, or nearly so.
var texts = []string{
	"", "admin", "-admin", "a b", "port1", "port1:10.0.0.1", "port1:10.0.0.256", "port1:", ":10.0.0.1",
	"10.0.0.1", "10.0.0.01", "::1", "127.0.0.1", "0", "1", "443", "65535", "65536", "0443",
	"edge.conf", "../edge.conf", "edge.conf,site.conf", "a,,b", "hostname", "9host", "host name",
	strings.Repeat("a", 64), strings.Repeat("A", 64), strings.Repeat("g", 64), strings.Repeat("a", 65),
	strings.Repeat("a", 15), strings.Repeat("a", 16), strings.Repeat("a", 129),
	"file:/etc/admin", "file:etc/admin", "file:/", "file:/a b", "file:/a\nb", "hunter2",
	"arn:aws:secretsmanager:ap-northeast-1:111122223333:secret:edge/admin-AbCdEf",
	"arn:aws-cn:ssm:cn-north-1:111122223333:parameter/edge/admin",
	"arn:aws:ssm:ap-northeast-1:111122223333:parameter/", "arn:aws:ssm::111122223333:parameter/a",
	"arn:aws:s3:ap-northeast-1:111122223333:secret:a", "arn:other:ssm:r:111122223333:parameter/a",
	"arn:aws:ssm:ap-northeast-1:1111222233334:parameter/a", "arn:aws:ssm:r:11112222333x:parameter/a",
	"file:/list#token-" + strings.Repeat("a", 32), "file:/list#token-x",
	"file:/a.lic#sha256-" + strings.Repeat("a", 32),
	"file:/a.lic#sha256-" + strings.Repeat("a", 31), "file:/a.lic#sha1-" + strings.Repeat("a", 32),
	"file:/list#", "#",
	"s3://edge-licenses/edge/FGT1.lic", "s3://edge-licenses/list#token-" + strings.Repeat("0", 32),
	"s3://edge-licenses/", "s3://E/k", "s3://edge-licenses/a b", "s3://edge-licenses",
	"arn:aws:ssm:ap-northeast-1:111122223333:parameter/a#token-" + strings.Repeat("a", 32),
	"none", "primary", "secondary", "secondary:10.0.0.6", "secondary:10.0.0.6\n", "secondary:x",
	"unread", "king", "Grün", "fortigate", "hook", "true", "i-00000000000000001",
}

// A schema accepts what the executor accepts, in each field.
func TestPatternsAreTheForms(t *testing.T) {
	for _, v := range appliance.Verbs() {
		for _, list := range [][]action.Field{v.Target, v.Parameters, v.Facts} {
			for _, f := range list {
				forms := []action.Form{f.Form}
				if f.Family() {
					forms = append(forms, f.Key)
				}
				for _, form := range forms {
					if form.Pattern == "" {
						continue
					}
					agree(t, v.Name+" "+f.Name, form)
				}
			}
		}
	}
}

func agree(t *testing.T, name string, form action.Form) {
	t.Helper()
	pattern := regexp.MustCompile(form.Pattern)
	for _, text := range append(texts, form.Example) {
		_, err := form.Canonical(text)
		if matches := pattern.MatchString(text); matches != (err == nil) {
			t.Errorf("%s: %q matches: %t, and is taken: %v", name, text, matches, err)
		}
	}
	if _, err := form.Canonical(form.Example); err != nil {
		t.Errorf("%s: its example is not of it: %v", name, err)
	}
}
