package redact

import (
	"strings"
	"testing"
)

// TestNamed: what names a secret and goes on to tell it ends there.
func TestNamed(t *testing.T) {
	for line, want := range map[string]string{
		"cannot reach the vault": "cannot reach the vault",
		"the token has expired":  "the token has expired",
		"An error occurred (ExpiredToken) when calling": "An error occurred (ExpiredToken) " +
			"when calling",
		"\u0130\u0130\u0130\u0130 Token=x":                  "\u0130\u0130\u0130\u0130 Token=(redacted)",
		"İİİİİİİİİİİİ token":                                "İİİİİİİİİİİİ token",
		"password=hunter2 of me":                            "password=(redacted)",
		`{"Version":1,"SecretAccessKey":"abc","Token":"d"}`: `{"Version":1,"SecretAccessKey":(redacted)`,
		"aws_secret_access_key: abc":                        "aws_secret_access_key:(redacted)",
		"aws_secret_access_key = abc":                       "aws_secret_access_key =(redacted)",
		"aws_session_token\t=\tabc":                         "aws_session_token\t=(redacted)",
		"sent Authorization: Bearer abc":                    "sent Authorization:(redacted)",
		"sent bearer abc":                                   "sent bearer (redacted)",
		"vault read --client-token abc":                     "vault read --client-token (redacted)",
		"-password abc":                                     "-password (redacted)",
		"GET https://u:p@host/x?sig=abc was refused": "GET https://(redacted)@host/x?(redacted) " +
			"was refused",
		"see https://host/x and http://host/y": "see https://host/x and http://host/y",
		"two tokens were read, the third token=abc was refused": "two tokens were read, the third " +
			"token=(redacted)",
	} {
		if got := Named(line); got != want {
			t.Errorf("%q becomes %q, want %q", line, got, want)
		}
	}
}

// TestWhatHasTheShapeOfASecretIsTakenOut where nothing names it.
func TestWhatHasTheShapeOfASecretIsTakenOut(t *testing.T) {
	const secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCY0123456789"
	for line, want := range map[string]string{
		secret:                         Mark,
		"key " + secret + ", and more": "key " + Mark + ", and more",
		"\"" + secret + "\"":           "\"" + Mark + "\"",
		"AKIAIOSFODNN7EXAMPLE is mine": Mark + " is mine",
		"id=ASIAIOSFODNN7EXAMPLE":      Mark,
		"eyJhbGciOiJSUzI1NiIsImtpZCI6IjEifQ.eyJzdWIiOiJzb21lYm9keSIsImV4cCI6MX0.x": Mark + "." +
			Mark + ".x",
		"eni-01088600000000011 of i-01088600000000001 in ap-northeast-1": "eni-01088600000000011 " +
			"of i-01088600000000001 in ap-northeast-1",
		"open /var/lib/aws-provider-executor/keys/mobility-7: no space": "open " +
			"/var/lib/aws-provider-executor/keys/mobility-7: no space",
		"sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08": "sha256:" +
			"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
		"": "", "é AKIA": "é AKIA",
	} {
		if got := Shapes(line); got != want {
			t.Errorf("%q becomes %q, want %q", line, got, want)
		}
	}
}

func TestALineIsBounded(t *testing.T) {
	if got := Line(" two\n lines\t", 100); got != "two lines" {
		t.Errorf("%q", got)
	}
	if got := Line(strings.Repeat("é", 100), 11); got != "ééééé…" {
		t.Errorf("%q", got)
	}
	if got := Line("aws_secret_access_key = abcdefgh", 100); strings.Contains(got, "abc") {
		t.Errorf("%q", got)
	}
}

// TestCredential: what is obviously written out is named, however its name is spelt. A reference is
// none, and nor is what only looks alike.
func TestCredential(t *testing.T) {
	for text, want := range map[string]string{
		"export AWS_SECRET_ACCESS_KEY=abc":                     "a value for secretaccesskey",
		"aws configure set x AKIAABCDEFGHIJKLMNOP":             "an access key",
		"x\n-----BEGIN RSA PRIVATE KEY-----\ny":                "a private key",
		`{"sessionToken": "abc"}`:                              "a value for sessiontoken",
		"SESSION-TOKEN : abc":                                  "a value for sessiontoken",
		"client-secret=abc":                                    "a value for clientsecret",
		"db_password = 'hunter2'":                              "a value for password",
		"mysql --password hunter2":                             "a value for password",
		"tool --db-password=hunter2":                           "a value for password",
		"tool --api-key 'abc'":                                 "a value for apikey",
		"access_token=abc; passphrase=abc":                     "a value for accesstoken",
		"curl -H 'Authorization: Bearer abc' x":                "a value for authorization",
		`curl -H "authorization:Basic YTpi"`:                   "a value for authorization",
		"git clone https://ann:hunter2@example.com/x":          "a password beside a user's name",
		"psql 'postgres://ann:hunter2@db/x'":                   "a password beside a user's name",
		"curl -s -u ann:hunter2 x":                             "a password beside a user's name",
		"export PASSWORD=$(cat /run/x); mysql --password":      "",
		"password=\"${DB_PASSWORD}\"":                          "",
		"tool --password {{ssm-secure:db}} --password-file /x": "",
		"tool --password --force":                              "",
		"curl -H \"Authorization: Bearer $TOKEN\" x":           "",
		"git clone https://ann:$PW@example.com/x":              "",
		"git clone https://ann@example.com:22/a:b@c":           "",
		"curl -u \"ann:$PW\" http://x":                         "",
		"docker run -u app:app x; chown a:b c":                 "",
		"passwd -l ann; echo password policy":                  "",
		"curl":                                                 "",
		"see https://":                                         "",
	} {
		if got := Credential(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
