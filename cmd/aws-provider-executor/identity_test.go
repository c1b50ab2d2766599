package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/pkg/ec2sim"
)

// The secrets of these tests. None of them may be told, in a result or in a log.
const (
	baseSecret  = "base-secret-0123456789abcdefghijklmnopqr"
	roleSecret  = "role-secret-0123456789abcdefghijklmnopqr"
	roleSession = "role-session-0123456789abcdefghijklmnop"
	webToken    = "header.web-identity-token.signature"
	podToken    = "pod-token-0123456789"
)

// surroundings are what an executor runs in: a stand-in that nothing may change, and files.
type surroundings struct {
	t      *testing.T
	sim    *ec2sim.Sim
	server *ec2sim.Server
	before ec2sim.State
	dir    string
	env    []string
}

func newSurroundings(t *testing.T) *surroundings {
	t.Helper()
	sim := ec2sim.New(ec2sim.Lab())
	server, err := ec2sim.Start(sim, ec2sim.ServerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	s := &surroundings{t: t, sim: sim, server: server, before: sim.State(), dir: t.TempDir()}
	s.env = []string{"PATH=" + os.Getenv("PATH"), "GORACE=atexit_sleep_ms=0", "AWS_ENDPOINT_URL_EC2=" +
		server.URL(),
		"EXECUTOR_STATE_DIR=" + filepath.Join(s.dir, "state"), "EXECUTOR_LOG=debug"}
	return s
}

// file writes a file and returns its path.
func (s *surroundings) file(name, text string) string {
	s.t.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
		s.t.Fatal(err)
	}
	return path
}

// profile writes a shared file with a profile in it, and chooses the profile.
func (s *surroundings) profile(name, text string) {
	s.env = append(s.env, "AWS_CONFIG_FILE="+s.file("config", text), "AWS_PROFILE="+name)
}

// told is what an executor said.
type told struct {
	Status, Message, Error string
	Observed               map[string]string
	stderr                 string
}

const assignRequest = `{
"apiVersion":"provideraction.routerd.net/v1alpha1","kind":"ExecuteActionRequest","spec":{
"action":"assign-secondary-ip","provider":"aws","mode":%q,"idempotencyKey":"k",
"target":{"nicRef":"eni-01088600000000011","address":"10.88.60.9/32","region":"ap-northeast-1"}}}`

// run runs the executor, which must not change anything nor tell a secret.
func (s *surroundings) run(env ...string) told {
	s.t.Helper()
	cmd := exec.Command("aws-provider-executor")
	cmd.Env = append(append([]string{}, s.env...), env...)
	cmd.Dir = s.dir
	cmd.Stdin = strings.NewReader(fmt.Sprintf(assignRequest, "execute"))
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		s.t.Fatalf("%v\n%s", err, errs.String())
	}
	var result struct{ Status told }
	if err := json.Unmarshal(out.Bytes(), &result); err != nil {
		s.t.Fatalf("%v\n%s", err, out.String())
	}
	for _, secret := range []string{baseSecret, roleSecret, roleSession, webToken, podToken,
		ec2sim.LabCredential.SecretAccessKey} {
		if strings.Contains(out.String()+errs.String(), secret) {
			s.t.Errorf("%q is told:\n%s%s", secret, out.String(), errs.String())
		}
	}
	result.Status.stderr = errs.String()
	return result.Status
}

// fails runs the executor, which must fail as told and have called nothing.
func (s *surroundings) fails(class, retryable string, words ...string) told {
	s.t.Helper()
	got := s.run()
	s.failed(got, class, retryable, words...)
	return got
}

func (s *surroundings) failed(got told, class, retryable string, words ...string) {
	s.t.Helper()
	if got.Status != "failed" || got.Observed["failureClass"] != class ||
		got.Observed["retryable"] != retryable {
		s.t.Errorf("%s %v, want failed, %s, retryable=%s", got.Status, got.Observed, class, retryable)
	}
	for _, word := range words {
		if !strings.Contains(got.Error, word) {
			s.t.Errorf("%q is not in the error %q", word, got.Error)
		}
	}
	if n := len(s.sim.Calls()); n != 0 {
		s.t.Errorf("%d calls to EC2", n)
	}
	if diff := cmp.Diff(s.before, s.sim.State()); diff != "" {
		s.t.Errorf("the world changed (-before +now):\n%s", diff)
	}
}

// answering serves one answer to everything, and counts.
func answering(t *testing.T, status int, kind, body string) (address string, asked *atomic.Int64) {
	t.Helper()
	asked = new(atomic.Int64)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", kind)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(server.Close)
	return server.URL, asked
}

// assumed serves an STS that gives the stand-in's credentials for any role, and what it was asked.
func assumed(t *testing.T) (address string, forms chan url.Values) {
	t.Helper()
	forms = make(chan url.Values, 10)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		forms <- r.PostForm
		_, _ = io.WriteString(w,
			`<AssumeRoleResponse `+
				`xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>`+
				`<AccessKeyId>`+
				ec2sim.LabCredential.AccessKeyID+`</AccessKeyId><SecretAccessKey>`+
				ec2sim.LabCredential.SecretAccessKey+
				`</SecretAccessKey><SessionToken></SessionToken>`+
				`<Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult>`+
				`</AssumeRoleResponse>`)
	}))
	t.Cleanup(server.Close)
	return server.URL, forms
}

// closed is the address of a port that nothing listens on.
func closed(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return "http://" + l.Addr().String()
}

func stsError(code, message string) string {
	return `<ErrorResponse ` +
		`xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>` + code +
		`</Code><Message>` + message + `</Message></Error><RequestId>r-1</RequestId></ErrorResponse>`
}

const routerRole = "arn:aws:iam::123456789012:role/router"

const roleProfile = `[profile router]
role_arn = ` + routerRole + `
source_profile = base
[profile base]
aws_access_key_id = AKIABASEBASEBASEBASE
aws_secret_access_key = ` + baseSecret + "\n"

// TestCaseSTSIsBusy: each of STS's moods has an answer of its own, with its words and the role.
func TestCaseSTSIsBusy(t *testing.T) {
	for name, c := range map[string]struct {
		status           int
		code, text       string
		class, retryable string
		words            []string
		asked            int64
	}{
		"unavailable": {503, "ServiceUnavailable", "Service is unable to handle request.", "unavailable",
			"true", []string{"it says ServiceUnavailable: Service is unable"}, 5},
		"throttled": {400, "Throttling", "Rate exceeded", "throttled", "true",
			[]string{"it says Throttling: Rate exceeded"}, 5},
		"refused": {0, "", "", "unavailable", "true", []string{"it can't be connected to"}, 0},
		"forbidden": {403, "AccessDenied",
			"User: arn:aws:iam::123456789012:user/base is not authorized to perform: sts:AssumeRole, " +
				"signed with " + baseSecret,
			"authentication", "false",
			[]string{"it says AccessDenied: User: arn:aws:iam::123456789012:user/base is not authorized",
				"(redacted)", "trust policy",
				"region ap-northeast-1, partition aws"}, 1},
		"a bad signature": {403, "SignatureDoesNotMatch", "x-amz-security-token:unknown",
			"authentication", "false", []string{"it says SignatureDoesNotMatch;"}, 1},
		"a proxy's page": {502, "", "", "unavailable", "true", []string{"it answered 502 Bad Gateway"},
			5},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSurroundings(t)
			s.profile("router", roleProfile)
			url, asked := closed(t), new(atomic.Int64)
			if c.status != 0 {
				body := "<html>busy</html>"
				if c.code != "" {
					body = stsError(c.code, c.text)
				}
				url, asked = answering(t, c.status, "text/xml", body)
			}
			s.env = append(s.env, "AWS_ENDPOINT_URL_STS="+url)
			got := s.fails(c.class, c.retryable, append(c.words, "STS", routerRole, `profile "router"`)...)
			if asked.Load() != c.asked {
				t.Errorf("STS was asked %d times, want %d", asked.Load(), c.asked)
			}
			if hint := got.Observed["permissionHint"]; (c.code == "AccessDenied") !=
				(hint == "sts:AssumeRole") {
				t.Errorf("permissionHint %q", hint)
			}
			if c.status != 0 && !strings.Contains(got.stderr, fmt.Sprintf(`"httpStatus":%d`, c.status)) {
				t.Errorf("the log does not show what STS answered:\n%s", got.stderr)
			}
			for _, want := range []string{`"source":"STS, for the role ` + routerRole,
				`"source":"the keys of the profile \"base\""`, `"operation":"AssumeRole"`} {
				if !strings.Contains(got.stderr, want) {
					t.Errorf("the log does not have %s:\n%s", want, got.stderr)
				}
			}
		})
	}
}

// TestEverySourceTellsItsCause: what a source of credentials did or said is in the error, and it is
// retryable where the source was only busy or out of reach.
func TestEverySourceTellsItsCause(t *testing.T) {
	expired := stsError("ExpiredTokenException",
		"Token expired: current date/time 2 must be before the expiration date/time 1")
	web := func(s *surroundings, token string) {
		s.env = append(s.env, "AWS_WEB_IDENTITY_TOKEN_FILE="+token, "AWS_ROLE_ARN="+routerRole)
	}
	container := func(s *surroundings, url string) {
		s.env = append(s.env, "AWS_CONTAINER_CREDENTIALS_FULL_URI="+url,
			"AWS_CONTAINER_AUTHORIZATION_TOKEN="+podToken)
	}
	process := func(s *surroundings, script string) {
		s.profile("p", "[profile p]\ncredential_process = "+s.file("helper",
			"#!/bin/sh\n"+script)+" --key "+baseSecret+"\n")
	}
	sso := "[profile p]\nsso_session = work\nsso_account_id = 123456789012\nsso_role_name = Router\n" +
		"[sso-session work]\nsso_region = us-east-1\nsso_start_url = https://example.awsapps.com/start\n"
	for _, c := range []struct {
		name             string
		set              func(s *surroundings)
		class, retryable string
		words            []string
	}{
		{"a profile that does not exist", func(s *surroundings) { s.profile("absent", roleProfile) },
			"configuration", "false",
			[]string{`AWS_PROFILE is "absent"`, "AWS_CONFIG_FILE"}},
		{"a profile and no file", func(s *surroundings) { s.env = append(s.env, "AWS_PROFILE=absent") },
			"configuration", "false",
			[]string{`AWS_PROFILE is "absent"`, "without HOME"}},
		{"a source profile that does not exist", func(s *surroundings) {
			s.profile("router", "[profile router]\nrole_arn = "+routerRole+"\nsource_profile = gone\n")
		}, "configuration", "false", []string{routerRole, "gone"}},
		{"half of a key", func(s *surroundings) {
			s.profile("p",
				"[profile p]\naws_secret_access_key = "+baseSecret+"\n")
		}, "configuration", "false",
			[]string{"partial credentials"}},
		{"a role that asks for a person", func(s *surroundings) {
			s.profile("router", strings.Replace(roleProfile, "source_profile",
				"mfa_serial = arn:aws:iam::1:mfa/a\nsource_profile", 1))
		}, "configuration", "false", []string{"MFA"}},
		{"SSO without a login", func(s *surroundings) {
			s.profile("p", sso)
			s.env = append(s.env, "HOME="+s.dir)
		}, "authentication", "false", []string{`the SSO login of the profile "p"`,
			"the role Router in the account 123456789012", "aws sso login --profile p"}},
		{"a role above SSO without a login", func(s *surroundings) {
			s.profile("router", "[profile router]\nrole_arn = "+routerRole+"\nsource_profile = p\n"+sso)
			s.env = append(s.env, "HOME="+s.dir)
		}, "authentication", "false", []string{`the SSO login of the profile "p"`}},
		{"a helper that fails", func(s *surroundings) {
			process(s, "echo first >&2; printf 'cannot reach \\033[31mthe vault; "+
				"secret=hunter2hunter2\\n' >&2; exit 3")
		},
			"configuration", "false", []string{"the credential_process", "/helper", "failed (exit status 3)",
				`cannot reach \x1b[31mthe vault; secret=(redacted)`}},
		{"a helper that is not there", func(s *surroundings) {
			s.profile("p", "[profile p]\ncredential_process = /nonexistent/helper\n")
		}, "configuration", "false", []string{`credential_process "/nonexistent/helper"`,
			"failed (exit status 127)"}},
		{"a helper that says nonsense", func(s *surroundings) { process(s, "echo "+roleSecret) },
			"configuration", "false", []string{"did not answer with the JSON document"}},
		{"a helper of another version", func(s *surroundings) { process(s, `echo '{"Version":2}'`) },
			"configuration", "false", []string{"version 2, want 1"}},
		{"a helper without a key", func(s *surroundings) {
			process(s,
				`echo '{"Version":1,"SecretAccessKey":"`+roleSecret+`"}'`)
		}, "configuration", "false",
			[]string{"without AccessKeyId"}},
		{"a helper that says too much", func(s *surroundings) { process(s, "exec cat /dev/zero") },
			"configuration", "false", []string{"more than 65536 bytes"}},
		{"a helper with an old key", func(s *surroundings) {
			process(s, `echo '{"Version":1,"AccessKeyId":"AKIA","SecretAccessKey":"`+roleSecret+
				`","Expiration":"2020-01-01T00:00:00Z"}'`)
		}, "configuration", "false", []string{"expired at 2020-01-01T00:00:00Z"}},
		{"a helper whose key has a line end", func(s *surroundings) {
			process(s, `printf %s '{"Version":1,"AccessKeyId":"AKIA\r","SecretAccessKey":"`+roleSecret+`"}'`)
		}, "configuration", "false", []string{"the credential_process", "the access key id has a blank"}},
		{"a helper that hangs", func(s *surroundings) {
			process(s, "echo waiting >&2; sleep 1000")
			s.env = append(s.env, "EXECUTOR_TIMEOUT=6s")
		}, "unavailable", "true", []string{"did not answer within ", `it said "waiting"`}},
		{"a helper under a role", func(s *surroundings) {
			s.profile("router",
				"[profile router]\nrole_arn = "+routerRole+"\nsource_profile = p\n[profile "+
					"p]\ncredential_process = "+s.file("helper", "#!/bin/sh\nexit 4")+"\n")
		}, "configuration", "false", []string{`the credential_process`, `profile "p"`, "exit status 4"}},
		{"a token that is missing", func(s *surroundings) { web(s, "/nonexistent/token") },
			"authentication", "false",
			[]string{routerRole, "unable to read file at /nonexistent/token", "no such file or directory"}},
		{"a token that has expired", func(s *surroundings) {
			url, _ := answering(s.t, 400, "text/xml", expired)
			s.env = append(s.env, "AWS_ENDPOINT_URL_STS="+url)
			web(s, s.file("token", webToken))
		}, "authentication", "false", []string{routerRole, "/token",
			"it says ExpiredTokenException: Token expired", "renew the token"}},
		{"a token whose issuer is busy", func(s *surroundings) {
			url, _ := answering(s.t, 400, "text/xml", stsError("IDPCommunicationError", "with "+webToken))
			s.env = append(s.env, "AWS_ENDPOINT_URL_STS="+url)
			web(s, s.file("token", webToken))
		}, "unavailable", "true", []string{"IDPCommunicationError: with (redacted)"}},
		{"a token without a role", func(s *surroundings) {
			s.env = append(s.env,
				"AWS_WEB_IDENTITY_TOKEN_FILE=/x")
		}, "configuration", "false",
			[]string{"role ARN is not set", "AWS_WEB_IDENTITY_TOKEN_FILE"}},
		{"a container endpoint that is down", func(s *surroundings) {
			container(s,
				closed(s.t)+"/v2/secret-path")
		}, "unavailable", "true",
			[]string{"the container credentials endpoint http://127.0.0.1:", "can't be connected to"}},
		{"a container endpoint that is busy", func(s *surroundings) {
			url, _ := answering(s.t, 500, "text/plain", strings.Repeat("busy ", 1<<20))
			container(s, url)
		}, "unavailable", "true", []string{"the container credentials endpoint", "busy"}},
		{"a container endpoint that refuses", func(s *surroundings) {
			url, _ := answering(s.t, 403, "application/json",
				`{"code":"AccessDeniedException","message":"no association; token `+podToken+`"}`)
			container(s, url)
		}, "authentication", "false",
			[]string{"it says AccessDeniedException: no association; token (redacted)",
				"AWS_CONTAINER_AUTHORIZATION_TOKEN"}},
		{"a container endpoint elsewhere", func(s *surroundings) { container(s, "http://192.0.2.1/v2") },
			"configuration", "false", []string{"192.0.2.1"}},
		{"a container source without an endpoint", func(s *surroundings) {
			s.profile("router",
				"[profile router]\nrole_arn = "+routerRole+"\ncredential_source = EcsContainer\n")
		}, "configuration", "false", []string{"EcsContainer"}},
		{"half of a key in the environment", func(s *surroundings) {
			s.env = append(s.env, "AWS_SECRET_ACCESS_KEY="+baseSecret)
		}, "configuration", "false", []string{"AWS_ACCESS_KEY_ID is not"}},
		{"the other half", func(s *surroundings) {
			s.env = append(s.env, "AWS_ACCESS_KEY_ID=AKIA", "AWS_EC2_METADATA_DISABLED=true")
		}, "configuration", "false", []string{"AWS_SECRET_ACCESS_KEY is not"}},
		{"a container token with a line end", func(s *surroundings) {
			container(s, closed(s.t)+"/v2/secret-path")
			s.env = append(s.env, "AWS_CONTAINER_AUTHORIZATION_TOKEN="+podToken+"\n")
		}, "configuration", "false",
			[]string{"AWS_CONTAINER_AUTHORIZATION_TOKEN has a line end in it"}},
		{"a container token's file with a line end", func(s *surroundings) {
			container(s, closed(s.t)+"/v2/secret-path")
			s.env = append(s.env, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE="+s.file("pod", podToken+"\n"))
		}, "configuration", "false",
			[]string{"/pod (AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE) has a line end in it"}},
		{"a container path without a slash", func(s *surroundings) {
			s.env = append(s.env, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=secret-path")
		}, "configuration", "false", []string{"does not begin with a slash"}},
		{"a port of the container endpoint that can't be", func(s *surroundings) {
			container(s, "http://127.0.0.1:99999/v2/secret-path")
		}, "configuration", "false", []string{"address 99999: invalid port"}},
		{"a port of STS that can't be", func(s *surroundings) {
			s.env = append(s.env, "AWS_ENDPOINT_URL_STS=http://127.0.0.1:99999")
			web(s, s.file("token", webToken))
		}, "configuration", "false", []string{"address 99999: invalid port"}},
		{"a port of EC2 that can't be", func(s *surroundings) {
			s.env = append(s.env, "AWS_ACCESS_KEY_ID=AKIA", "AWS_SECRET_ACCESS_KEY="+baseSecret,
				"AWS_ENDPOINT_URL_EC2=http://127.0.0.1:99999")
		}, "configuration", "false", []string{"address 99999: invalid port"}},
		{"a proxy's password that can't be parsed", func(s *surroundings) {
			s.env = append(s.env, "AWS_ENDPOINT_URL_EC2=https://192.0.2.1",
				"HTTPS_PROXY=http://u:hunter2%zz@127.0.0.1:9")
		}, "configuration", "false", []string{"HTTPS_PROXY is not the address of a proxy"}},
		{"a proxy of another kind", func(s *surroundings) {
			s.env = append(s.env, "AWS_ENDPOINT_URL_EC2=https://192.0.2.1",
				"https_proxy=ftp://u:hunter2@127.0.0.1:9")
		}, "configuration", "false", []string{"HTTPS_PROXY is not the address of a proxy"}},
		{"a helper behind a variable", func(s *surroundings) {
			s.profile("p", "[profile p]\ncredential_process = PASS=hunter2 '/nonexistent/helper'\n")
		}, "configuration", "false", []string{`credential_process "/nonexistent/helper"`}},
		{"a helper that tells a URL and an option", func(s *surroundings) {
			process(s, "echo 'https://u:hunter2@vault/?sig=hunter2 with --password hunter2' >&2; exit 3")
		}, "configuration", "false", []string{"https://(redacted)@vault/?(redacted)",
			"--password (redacted)"}},
		{"no metadata service by choice", func(s *surroundings) {
			s.env = append(s.env,
				"AWS_EC2_METADATA_DISABLED=true")
		}, "authentication", "false",
			[]string{"AWS_EC2_METADATA_DISABLED"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSurroundings(t)
			c.set(s)
			if got := s.fails(c.class, c.retryable, c.words...); strings.Contains(got.Error+got.stderr,
				"hunter2") || strings.Contains(got.Error, "secret-path") {
				t.Errorf("a secret is told: %s\n%s", got.Error, got.stderr)
			}
		})
	}
}

// TestCaseFIPSBesideAnEndpoint: what the SDK can never send is told at once, by the names of the
// settings, and no call is made.
func TestCaseFIPSBesideAnEndpoint(t *testing.T) {
	for _, c := range []struct {
		name  string
		env   []string
		words []string
	}{
		{"FIPS", []string{"AWS_USE_FIPS_ENDPOINT=true"},
			[]string{"AWS_USE_FIPS_ENDPOINT and AWS_ENDPOINT_URL_EC2 exclude each other"}},
		{"dual-stack", []string{"AWS_USE_DUALSTACK_ENDPOINT=true"},
			[]string{"AWS_USE_DUALSTACK_ENDPOINT and AWS_ENDPOINT_URL_EC2 exclude each other"}},
		{"both, and the general endpoint", []string{"AWS_USE_FIPS_ENDPOINT=true",
			"AWS_USE_DUALSTACK_ENDPOINT=true", "AWS_ENDPOINT_URL_EC2=",
			"AWS_ENDPOINT_URL=http://127.0.0.1:4000"},
			[]string{"AWS_USE_FIPS_ENDPOINT and AWS_USE_DUALSTACK_ENDPOINT and AWS_ENDPOINT_URL exclude " +
				"each other"}},
		{"no scheme", []string{"AWS_ENDPOINT_URL_EC2=127.0.0.1:4000"},
			[]string{`AWS_ENDPOINT_URL_EC2 is "127.0.0.1:4000", want an address as in https://host`}},
		{"a name and no scheme", []string{"AWS_ENDPOINT_URL_EC2=localhost:4000"},
			[]string{`AWS_ENDPOINT_URL_EC2 is "localhost:4000"`}},
		{"a user", []string{"AWS_ENDPOINT_URL_EC2=http://me:" + baseSecret + "@localhost:4000"},
			[]string{"AWS_ENDPOINT_URL_EC2 is (not shown"}},
		{"no scheme, for metadata", []string{"AWS_EC2_METADATA_SERVICE_ENDPOINT=169.254.169.254"},
			[]string{`AWS_EC2_METADATA_SERVICE_ENDPOINT is "169.254.169.254"`}},
		{"all at once", []string{"AWS_ENDPOINT_URL_EC2=x", "AWS_USE_FIPS_ENDPOINT=true",
			"AWS_ACCESS_KEY_ID=AKIA\r"},
			[]string{`AWS_ENDPOINT_URL_EC2 is "x"`, "exclude each other", "the access key id has"}},
		{"a key with a line end", []string{"AWS_ACCESS_KEY_ID=AKIA01088\r"}, []string{"AWS_ACCESS_KEY_ID",
			"the access key id has a blank, a line end"}},
		{"a secret with a line end", []string{"AWS_SECRET_ACCESS_KEY=" + baseSecret + "\r\n"},
			[]string{"the secret access key has"}},
		{"a token with a line end", []string{"AWS_SESSION_TOKEN=" + roleSession + "\n"},
			[]string{"the session token has"}},
		{"a proxy that is none", []string{"AWS_ENDPOINT_URL_EC2=", "HTTPS_PROXY=http://me:" + baseSecret +
			"@ :1"}, []string{"HTTPS_PROXY is not the address of a proxy"}},
		{"a setting of the SDK's", []string{"AWS_RETRY_MODE=never"}, []string{"AWS_RETRY_MODE"}},
		{"no such file", []string{"AWS_CA_BUNDLE=/nonexistent.pem"}, []string{
			"right: AWS_CA_BUNDLE: cannot read /nonexistent.pem (no such file or directory); nothing was " +
				"changed"}},
		{"no such file, named in another", []string{"AWS_CONFIG_FILE=bundle"}, []string{
			"right: cannot read /nonexistent.pem (no such file or directory); nothing was changed; " +
				"these variables are set: AWS_ACCESS_KEY_ID, AWS_CONFIG_FILE, "}},
		{"STS", []string{"AWS_ACCESS_KEY_ID=", "AWS_SECRET_ACCESS_KEY=", "AWS_CONFIG_FILE=config",
			"AWS_PROFILE=router", "AWS_ENDPOINT_URL_STS=127.0.0.1:1"},
			[]string{"STS, for the role " + routerRole}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSurroundings(t)
			s.file("config", roleProfile)
			s.file("bundle", "[default]\nca_bundle = /nonexistent.pem\n")
			s.env = append(s.env, "AWS_ACCESS_KEY_ID=AKIABASEBASEBASEBASE",
				"AWS_SECRET_ACCESS_KEY="+baseSecret)
			s.env = append(s.env, c.env...)
			s.fails("configuration", "false", c.words...)
		})
	}
}

// TestTheProxyIsNamed: what goes through a proxy and fails there says through which, not with what
// password.
func TestTheProxyIsNamed(t *testing.T) {
	proxy := func(t *testing.T, status int) (at string, asked *atomic.Int64) {
		url, asked := answering(t, status, "text/plain", "no")
		return strings.Replace(url, "http://", "http://me:"+baseSecret+"@", 1), asked
	}
	t.Run("it refuses to connect", func(t *testing.T) {
		s := newSurroundings(t)
		at, asked := proxy(t, http.StatusProxyAuthRequired)
		s.env = append(s.env, "AWS_ACCESS_KEY_ID=AKIA", "AWS_SECRET_ACCESS_KEY="+baseSecret,
			"AWS_ENDPOINT_URL_EC2=", "HTTPS_PROXY="+at)
		s.fails("unavailable", "true", "(the proxy http://127.0.0.1:",
			"(HTTPS_PROXY) refused to connect with 407 Proxy Authentication Required)")
		if asked.Load() != 1 {
			t.Errorf("the proxy was asked %d times", asked.Load())
		}
	})
	t.Run("it answers in EC2's place", func(t *testing.T) {
		t.Parallel()
		s := newSurroundings(t)
		at, _ := proxy(t, http.StatusBadGateway)
		s.env = append(s.env, "AWS_ACCESS_KEY_ID=AKIA", "AWS_SECRET_ACCESS_KEY="+baseSecret,
			"AWS_ENDPOINT_URL_EC2=http://ec2.example", "HTTP_PROXY="+at, "EXECUTOR_TIMEOUT=5s")
		s.fails("unavailable", "true", "Bad Gateway", "through the proxy http://127.0.0.1:",
			"(HTTP_PROXY)")
	})
	t.Run("it is not there", func(t *testing.T) {
		t.Parallel()
		s := newSurroundings(t)
		s.env = append(s.env, "AWS_ACCESS_KEY_ID=AKIA", "AWS_SECRET_ACCESS_KEY="+baseSecret,
			"AWS_ENDPOINT_URL_EC2=", "HTTPS_PROXY="+closed(t), "EXECUTOR_TIMEOUT=5s")
		s.fails("unavailable", "true", "(the proxy http://127.0.0.1:",
			"(HTTPS_PROXY) can't be connected to)")
	})
	t.Run("STS is asked through it", func(t *testing.T) {
		s := newSurroundings(t)
		at, _ := proxy(t, http.StatusForbidden)
		s.profile("router", roleProfile)
		s.env = append(s.env, "HTTPS_PROXY="+at)
		s.fails("unavailable", "true", "STS, for the role "+routerRole, ": the proxy http://127.0.0.1:",
			"(HTTPS_PROXY) refused to connect with 403 Forbidden;")
	})
}
