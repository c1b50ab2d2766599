package appliance_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/actions/appliance"
	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/appliance/access"
	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/ec2sim/appliancesim"
	"aws-provider-executor/pkg/executor"
	"aws-provider-executor/pkg/ledger"
	"aws-provider-executor/pkg/protocol"
)

const (
	here     = "i-00000000000000001"
	password = "Grün & safe 9"
	psk      = "clé-partagée-9"

	uploadScript  = "/api/v2/monitor/system/config-script/upload"
	uploadLicense = "/api/v2/monitor/system/vmlicense/upload"
)

// bench is an appliance, and the executor beside it.
type bench struct {
	t       *testing.T
	sim     *appliancesim.Appliance
	dir     string
	timeout time.Duration
	env     map[string]string
	// instance is what EC2 tells of the instance.
	instance ec2model.Instance
	gone     bool
}

func newBench(t *testing.T, o appliancesim.Options) *bench {
	t.Helper()
	o.Instance = here
	sim, err := appliancesim.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sim.Close)
	b := &bench{t: t, sim: sim, dir: t.TempDir(), timeout: 20 * time.Second,
		instance: ec2model.Instance{ID: here, State: "running"}}
	b.env = map[string]string{access.TemplateDirVariable: b.dir}
	for name, text := range map[string]string{
		"admin": password + "\n", "psk": psk, "licence": "LICENCE", "token": "T0KEN9\n",
		"user.conf": "config system global\nset hostname \"{{.Values.hostname}}\"\n" +
			"set alias \"{{.Secrets.note}}\"\nend\n",
	} {
		b.write(name, text)
	}
	return b
}

func (b *bench) write(name, text string) {
	b.t.Helper()
	if err := os.WriteFile(filepath.Join(b.dir, name), []byte(text), 0o600); err != nil {
		b.t.Fatal(err)
	}
}

type reader struct {
	access.Reader
	of *bench
}

func (r reader) DescribeInstance(context.Context, string) (ec2model.Instance, error) {
	if r.of.gone {
		return ec2model.Instance{}, protocol.Refuse(protocol.NotFound, "there is no %s", here)
	}
	return r.of.instance, nil
}

type connection struct {
	of *bench
	to *access.Access
}

func (c connection) Reader() any { return reader{access.Reader{Of: c.to}, c.of} }
func (c connection) Writer() any { return access.Writer{Of: c.to} }

// ask sends a request, and holds that no session is left open and no secret told.
func (b *bench) ask(verb, mode, key string, parameters map[string]string) protocol.Status {
	b.t.Helper()
	var log strings.Builder
	e := &executor.Executor{
		Registry: action.NewRegistry(appliance.Verbs()), Provider: "appliance", Timeout: b.timeout,
		Log:         slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		ObservePlan: true,
		Connect: func(context.Context, string, time.Duration) (executor.Connection, error) {
			read := func(_ context.Context, ref string) (string, error) {
				text, err := os.ReadFile(strings.TrimPrefix(ref, "file:"))
				if err != nil {
					return "", protocol.Refuse(protocol.Configuration, "%v", err)
				}
				return string(text), nil
			}
			return connection{b, access.New(access.Settings{
				Env:    func(name string) string { return b.env[name] },
				Secret: read, License: read,
			})}, nil
		},
		OpenStore: func(ctx context.Context, dryRun bool) (executor.Store, error) {
			state := filepath.Join(b.dir, "state")
			if dryRun {
				return ledger.Read(ctx, state, ledger.OSDisk{}, time.Now)
			}
			return ledger.Open(ctx, state, ledger.OSDisk{}, time.Now)
		},
	}
	body, err := json.Marshal(map[string]any{
		"apiVersion": protocol.APIVersion, "kind": protocol.RequestKind,
		"spec": map[string]any{
			"action": verb, "provider": "appliance", "providerRef": "edge", "mode": mode,
			"idempotencyKey": key, "parameters": parameters, "target": map[string]string{
				"instanceRef": here, "region": "ap-northeast-1", "address": "127.0.0.1",
			},
		},
	})
	if err != nil {
		b.t.Fatal(err)
	}
	result := e.Run(b.t.Context(), strings.NewReader(string(body)))
	text, _ := json.Marshal(result)
	for _, secret := range []string{password, psk, "T0KEN9", "LICENCE", "s3cret-note"} {
		if strings.Contains(string(text)+log.String(), secret) {
			b.t.Errorf("%q is told: %s\n%s", secret, text, log.String())
		}
	}
	if open := b.sim.Counts().Sessions; open != 0 {
		b.t.Errorf("%d sessions are left open", open)
	}
	return result.Status
}

// reached are the parameters by which the appliance is reached, and more.
func (b *bench) reached(more ...string) map[string]string {
	all := map[string]string{
		"adminSecretRef": "file:" + b.dir + "/admin", "certificateSha256": b.sim.Pin(),
		"port": b.port(),
	}
	for i := 0; i < len(more); i += 2 {
		all[more[i]] = more[i+1]
	}
	return all
}

func (b *bench) port() string {
	_, port, _ := strings.Cut(b.sim.Address().String(), ":")
	return port
}

// whole asks for all that there is.
func (b *bench) whole() map[string]string {
	b.write("note", "s3cret-note")
	return b.reached("licenseFileRef", "file:"+b.dir+"/licence", "templates", "user.conf",
		"value.hostname", "edge-1", "templateSecretRef.note", "file:"+b.dir+"/note",
		"tunnel.az-a", "port2:10.0.1.5", "probePort", "8008", "role", "secondary",
		"primaryAddress", "10.0.0.6", "syncInterface", "port1", "syncSecretRef", "file:"+b.dir+"/psk")
}

// role asks for a role.
func (b *bench) role(kind string, more ...string) map[string]string {
	return b.reached(append([]string{"role", kind, "syncInterface", "port1",
		"syncSecretRef", "file:" + b.dir + "/psk"}, more...)...)
}

func is(t *testing.T, r protocol.Status, status protocol.State, words string) {
	t.Helper()
	if r.Status != status || !strings.Contains(r.Message, words) {
		t.Fatalf("%s: %s\n%v", r.Status, r.Message, r.Observed)
	}
}

// failed holds that a request failed, and by which class.
func failed(t *testing.T, r protocol.Status, class protocol.FailureClass, words string) {
	t.Helper()
	is(t, r, protocol.Failed, words)
	if got := r.Observed["failureClass"]; got != string(class) {
		t.Fatalf("%s: %s", got, r.Message)
	}
}

var ready = appliancesim.Options{Password: password, Licensed: true}

func TestAFreshApplianceIsSetUp(t *testing.T) {
	t.Parallel()
	b := newBench(t, appliancesim.Options{Boot: 2, Restart: 2})
	r := b.ask("configure-appliance", "dry-run", "k", b.whole())
	is(t, r, protocol.Succeeded, "would set up the appliance in "+here)
	for _, change := range []string{
		`"appliancePassword","from":"first","to":"set"`,
		`"applianceLicense","from":"unread","to":"valid"`,
		`"applianceConfiguration","from":"unread","to":"applied:`,
		`"applianceRole","from":"unread","to":"secondary:10.0.0.6"`,
	} {
		if plan := r.Observed["plan"]; !strings.Contains(plan, change) {
			t.Errorf("%s is not in the plan: %s", change, plan)
		}
	}
	if c := b.sim.Counts(); c.PasswordChanges+c.Licenses+c.Scripts != 0 {
		t.Errorf("a dry-run changed something: %+v", c)
	}
	r = b.ask("configure-appliance", "execute", "k", b.whole())
	is(t, r, protocol.Succeeded, "nothing takes back its password, its licence, its configuration")
	for name, want := range map[string]string{
		"priorRole": "unread", "applianceRole": "secondary:10.0.0.6", "licenseStatus": "vm_valid",
		"applianceSerial": "FGVM040000000001", "changed": "true", "port": b.port(),
	} {
		if got := r.Observed[name]; got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if len(r.Observed["configurationDigest"]) != 64 {
		t.Errorf("%v", r.Observed)
	}
	global, _ := b.sim.Object("system/global").(map[string]string)
	if global["hostname"] != "edge-1" || global["alias"] != "s3cret-note" {
		t.Errorf("%v", global)
	}
	once := appliancesim.Counts{PasswordChanges: 1, Licenses: 1, Scripts: 2}
	holds := func() {
		t.Helper()
		c := b.sim.Counts()
		c.Requests, c.Logins, c.Logouts, c.RefusedLogins = nil, 0, 0, 0
		if diff := cmp.Diff(once, c); diff != "" {
			t.Error(diff)
		}
	}
	holds()
	for _, again := range []struct{ key, words string }{
		{"k", "in an earlier attempt"}, {"another", "has what is asked for"},
	} {
		is(t, b.ask("configure-appliance", "execute", again.key, b.whole()), protocol.Succeeded,
			again.words)
		holds()
	}
	if plan := r.Observed["undoPlan"]; plan != "[]" {
		t.Errorf("an undo is planned that there is none of: %s", plan)
	}
	// Nothing can be put back: what was before nobody could read.
	r = b.ask("restore-appliance-role", "execute", "k:undo", merge(r.Observed, nil))
	is(t, r, protocol.Skipped, "was not read")
	holds()
}

func merge(all map[string]string, more map[string]string) map[string]string {
	return action.Merge(all, more)
}

// L9: an appliance that can't be reached, or that reads back as something else, is not done.
func TestL9AndB7WhatIsNotReadBackIsNotDone(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		options appliancesim.Options
		prepare func(*bench, map[string]string)
		class   protocol.FailureClass
		words   string
	}{
		"the appliance is unreachable": {appliancesim.Options{Boot: 1 << 20}, nil,
			protocol.Unavailable, "does not answer yet"},
		"it has a wrong certificate": {ready, func(b *bench, _ map[string]string) {
			if err := b.sim.Impersonate(); err != nil {
				b.t.Fatal(err)
			}
		}, protocol.Authentication, "is not known to be"},
		"nothing tells its certificate": {ready, func(_ *bench, p map[string]string) {
			delete(p, "certificateSha256")
		}, protocol.Configuration, "APPLIANCE_CA_FILE"},
		"it has another password": {appliancesim.Options{Password: "another"}, nil,
			protocol.Authentication, "takes neither"},
		"it answers and keeps its role": {ready, func(b *bench, _ map[string]string) {
			b.sim.Inject(appliancesim.Fault{Method: "POST", Path: uploadScript,
				Kind: appliancesim.Ignored})
		}, protocol.Unverified, "is none, not primary"},
		"it refuses": {ready, func(b *bench, _ map[string]string) {
			b.sim.Inject(appliancesim.Fault{Method: "POST", Path: uploadScript,
				Kind: appliancesim.Refused, Status: 403})
		}, protocol.Authorization, "refuses"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, tt.options)
			b.timeout = 2 * time.Second
			p := b.role("primary")
			if tt.prepare != nil {
				tt.prepare(b, p)
			}
			r := b.ask("configure-appliance", "execute", "k", p)
			failed(t, r, tt.class, tt.words)
			block, _ := b.sim.Object("system/auto-scale").(map[string]string)
			if c := b.sim.Counts(); c.Scripts != 0 || c.PasswordChanges != 0 ||
				block["status"] != "disable" {
				t.Errorf("%+v %v", c, block)
			}
		})
	}
}

// L18: whatever becomes of an answer, each change is made once, and the retry finds it.
func TestL18EachChangeIsMadeOnce(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/api/v2/authentication", uploadLicense, uploadScript} {
		for _, kind := range []appliancesim.Kind{appliancesim.Lost, appliancesim.Garbage} {
			t.Run(string(kind)+path, func(t *testing.T) {
				t.Parallel()
				b := newBench(t, appliancesim.Options{})
				skip := 0
				if strings.HasSuffix(path, "authentication") {
					skip = 1 // the login of the first look
				}
				b.sim.Inject(appliancesim.Fault{Method: "POST", Path: path, Kind: kind, Skip: skip})
				r := b.ask("configure-appliance", "execute", "k", b.whole())
				if r.Status != protocol.Succeeded {
					// A login that got no answer changes nothing, and is told.
					failed(t, r, protocol.Unavailable, "")
					r = b.ask("configure-appliance", "execute", "k", b.whole())
				}
				is(t, r, protocol.Succeeded, "")
				if c := b.sim.Counts(); c.PasswordChanges != 1 || c.Licenses != 1 || c.Scripts != 2 ||
					c.RefusedLogins > 1 {
					t.Errorf("%+v", c)
				}
			})
		}
	}
}

// L19: a restart that takes longer than the time is told as what it is, and the retry goes on.
func TestL19ARestartLongerThanTheTime(t *testing.T) {
	t.Parallel()
	b := newBench(t, appliancesim.Options{Restart: 1 << 20})
	b.timeout = 2 * time.Second
	r := b.ask("configure-appliance", "execute", "k", b.whole())
	failed(t, r, protocol.Ambiguous, "try again under the same key")
	if r.Observed["retryable"] != "true" {
		t.Errorf("%v", r.Observed)
	}
	b.sim.Down(0)
	b.timeout = 20 * time.Second
	is(t, b.ask("configure-appliance", "execute", "k", b.whole()), protocol.Succeeded, "")
	if c := b.sim.Counts(); c.PasswordChanges != 1 || c.Licenses != 1 || c.Scripts != 2 {
		t.Errorf("%+v", c)
	}
}

// A role leads back to the one before, in whatever order, and only it.
func TestARoleIsTakenBack(t *testing.T) {
	t.Parallel()
	b := newBench(t, ready)
	first := b.ask("configure-appliance", "execute", "a", b.role("secondary", "primaryAddress",
		"10.0.0.6"))
	is(t, first, protocol.Succeeded, "the role secondary:10.0.0.6")
	second := b.ask("configure-appliance", "execute", "b", b.role("primary"))
	is(t, second, protocol.Succeeded, "the role primary")
	if second.Observed["priorRole"] != "secondary:10.0.0.6" || !second.UndoAvailable {
		t.Errorf("%v", second.Observed)
	}
	r := b.ask("restore-appliance-role", "dry-run", "a:undo", first.Observed)
	is(t, r, protocol.Succeeded, "")
	// The later one counts on the present role: the earlier one's undo changes nothing.
	r = b.ask("restore-appliance-role", "execute", "a:undo", first.Observed)
	is(t, r, protocol.Succeeded, "")
	if r.Observed["changed"] != "false" || r.Observed["heldBy"] != `["b"]` {
		t.Errorf("%v", r.Observed)
	}
	r = b.ask("restore-appliance-role", "execute", "b:undo", second.Observed)
	is(t, r, protocol.Succeeded, "the role none back; its password, its licence and its "+
		"configuration stay")
	if r.Observed["restoredRole"] != "none" {
		t.Errorf("%v", r.Observed)
	}
	if block, _ := b.sim.Object("system/auto-scale").(map[string]string); block["status"] !=
		"disable" {
		t.Errorf("%v", block)
	}
	// The first run alone did not know that the password was set.
	if c := b.sim.Counts(); c.RefusedLogins != 1 {
		t.Errorf("%+v", c)
	}
}

// A key is for one request. How the appliance is reached is no part of it.
func TestAKeyIsForOneRequest(t *testing.T) {
	t.Parallel()
	b := newBench(t, ready)
	is(t, b.ask("configure-appliance", "execute", "k", b.whole()), protocol.Succeeded, "")
	b.write("other", "an other 9")
	for name, value := range map[string]string{
		"role": "primary", "primaryAddress": "10.0.0.7", "tunnel.az-a": "port2:10.0.1.6",
		"tunnel.az-b": "port3:10.0.2.6", "probePort": "8009", "value.hostname": "edge-2",
		"templateSecretRef.note": "file:" + b.dir + "/other", "syncInterface": "port2",
		"syncSecretRef": "file:" + b.dir + "/other", "licenseFileRef": "file:" + b.dir + "/other",
		"administrator": "root", "driver": "hook", "adminSecretRef": "file:" + b.dir + "/other",
	} {
		p := b.whole()
		if p[name] = value; name == "role" {
			delete(p, "primaryAddress")
		}
		failed(t, b.ask("configure-appliance", "execute", "k", p), protocol.Conflict,
			"in use for another")
	}
	p := b.whole()
	delete(p, "certificateSha256")
	b.write("ca.pem", string(b.sim.CA()))
	b.env[access.CAFileVariable] = filepath.Join(b.dir, "ca.pem")
	is(t, b.ask("configure-appliance", "execute", "k", p), protocol.Succeeded, "")
	if c := b.sim.Counts(); c.Scripts != 2 {
		t.Errorf("%+v", c)
	}
}

func TestAnotherHandIsADrift(t *testing.T) {
	t.Parallel()
	b := newBench(t, ready)
	done := b.ask("configure-appliance", "execute", "a", b.role("primary"))
	is(t, done, protocol.Succeeded, "")
	b.sim.Run("config system auto-scale\nset role secondary\nset primary-ip 10.0.0.9\nend\n")
	r := b.ask("restore-appliance-role", "execute", "a:undo", done.Observed)
	failed(t, r, protocol.Drift, "secondary:10.0.0.9")
	r = b.ask("restore-appliance-role", "execute", "a:undo",
		merge(done.Observed, map[string]string{"onDrift": "restore"}))
	is(t, r, protocol.Succeeded, "the role none back")
}

// An instance that is gone has no role; one that does not answer is no instance that is gone.
func TestAnUndoOfWhatIsGone(t *testing.T) {
	t.Parallel()
	b := newBench(t, ready)
	done := b.ask("configure-appliance", "execute", "a", b.role("primary"))
	is(t, done, protocol.Succeeded, "")
	b.timeout = 2 * time.Second
	b.sim.Down(1 << 20)
	failed(t, b.ask("restore-appliance-role", "execute", "a:undo", done.Observed),
		protocol.Unavailable, "does not answer")
	b.gone = true
	// The record is less than a minute old.
	failed(t, b.ask("restore-appliance-role", "execute", "a:undo", done.Observed),
		protocol.NotFound, "less than a minute old")
}

func TestAnUndoOfWhatSetNoRole(t *testing.T) {
	t.Parallel()
	b := newBench(t, ready)
	done := b.ask("configure-appliance", "execute", "a", b.reached("probePort", "8008"))
	is(t, done, protocol.Succeeded, "nothing takes back its configuration")
	r := b.ask("restore-appliance-role", "execute", "a:undo", done.Observed)
	is(t, r, protocol.Skipped, "set no role")
	failed(t, b.ask("restore-appliance-role", "execute", "other", b.reached()),
		protocol.InvalidRequest, "priorRole")
	if c := b.sim.Counts(); c.Scripts != 1 {
		t.Errorf("%+v", c)
	}
}

// Lines that are refused are no success. The template is mended, and the same key goes on.
func TestARefusedConfigurationIsMended(t *testing.T) {
	t.Parallel()
	b := newBench(t, ready)
	p := b.reached("templates", "bad.conf")
	b.write("bad.conf", "config no such thing\nset x y\nend\n")
	failed(t, b.ask("configure-appliance", "execute", "k", p), protocol.InvalidRequest,
		"refused lines")
	b.write("bad.conf", "config system global\nset hostname x\nend\n")
	is(t, b.ask("configure-appliance", "execute", "k", p), protocol.Succeeded, "")
	// A tunnel that somebody removed is made again.
	p = b.reached("tunnel.az-a", "port2:10.0.1.5")
	is(t, b.ask("configure-appliance", "execute", "t", p), protocol.Succeeded, "")
	b.sim.Run("config system geneve\ndelete az-a\nend\n")
	is(t, b.ask("configure-appliance", "execute", "t", p), protocol.Succeeded, "set up")
	if rows, _ := b.sim.Object("system/geneve").([]map[string]string); len(rows) != 1 {
		t.Errorf("%v", rows)
	}
}

// Synchronised configuration of the primary is not taken for a member's own.
func TestSynchronisedConfigurationIsNotTheMembersOwn(t *testing.T) {
	t.Parallel()
	primary, member := newBench(t, ready), newBench(t, ready)
	p := primary.ask("configure-appliance", "execute", "k", primary.whole())
	is(t, p, protocol.Succeeded, "")
	member.sim.Synchronise(primary.sim)
	r := member.ask("configure-appliance", "execute", "k", member.whole())
	is(t, r, protocol.Succeeded, "set up")
	if r.Observed["changed"] != "true" || member.sim.Counts().Scripts != 2 {
		t.Errorf("%v %+v", r.Observed, member.sim.Counts())
	}
}

func TestWhatDoesNotGoTogether(t *testing.T) {
	t.Parallel()
	b := newBench(t, ready)
	for name, tt := range map[string]struct {
		parameters map[string]string
		class      protocol.FailureClass
		words      string
	}{
		"a secondary of nobody": {b.role("secondary"), protocol.InvalidRequest, "needs primaryAddress"},
		"a primary of another": {b.role("primary", "primaryAddress", "10.0.0.6"),
			protocol.InvalidRequest, "for a secondary alone"},
		"two licences": {b.reached("licenseFileRef", "file:/a", "licenseTokenRef", "file:/b"),
			protocol.InvalidRequest, "both given"},
		"a first role without its secret": {b.reached("role", "primary"), protocol.InvalidRequest,
			"needs syncInterface and syncSecretRef"},
		"values without a template": {b.reached("value.x", "y"), protocol.InvalidRequest, "templates"},
		"a template that is not there": {b.reached("templates", "none.conf"),
			protocol.Configuration, "none.conf"},
		"a value that is not there": {b.reached("templates", "user.conf"), protocol.InvalidRequest,
			"names what is not there"},
		"a value that injects": {b.reached("templates", "user.conf", "value.hostname",
			`x" set alias "evil`, "templateSecretRef.note",
			"file:"+b.dir+"/psk"), protocol.InvalidRequest, "value hostname has a quote"},
		"a secret in place of a reference": {b.reached("adminSecretRef", password),
			protocol.InvalidRequest, "is no reference"},
		"a path out of the directory": {b.reached("templates", "../state"), protocol.InvalidRequest,
			"templates"},
		"a secret that is not there": {b.reached("adminSecretRef", "file:/nowhere/at/all"),
			protocol.Configuration, "/nowhere/at/all"},
		"no program": {b.reached("driver", "hook"), protocol.Configuration, "APPLIANCE_HOOK"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, mode := range []string{"dry-run", "execute"} {
				failed(t, b.ask("configure-appliance", mode, "k", tt.parameters), tt.class, tt.words)
			}
		})
	}
	b.timeout = time.Second
	p := b.reached()
	delete(p, "port")
	failed(t, b.ask("configure-appliance", "dry-run", "k", p), protocol.Unavailable, "127.0.0.1:443")
	b.write("first", here)
	failed(t, b.ask("configure-appliance", "execute", "k",
		b.reached("adminSecretRef", "file:"+b.dir+"/first")), protocol.InvalidRequest, "first password")
	if c := b.sim.Counts(); c.Scripts+c.PasswordChanges+c.Licenses != 0 {
		t.Errorf("%+v", c)
	}
}

// A program drives an appliance by the same verb.
func TestAProgramDrivesAnAppliance(t *testing.T) {
	t.Parallel()
	b := newBench(t, appliancesim.Options{})
	program := filepath.Join(b.dir, "hook")
	b.write("hook", `#!/bin/sh
in=$(cat)
case "$in" in
*'"operation":"look"'*) ;;
*) echo "$in" >> '`+b.dir+`/asked'; echo '{"version":1}'; exit ;;
esac
role=none
grep -q set-role '`+b.dir+`/asked' 2>/dev/null && role=primary
if grep -q set-password '`+b.dir+`/asked' 2>/dev/null
then echo '{"version":1,"state":{"serial":"S1","licensed":true,"role":"'$role'"}}'
else echo '{"version":1,"state":{"firstPassword":true}}'
fi
`)
	if err := os.Chmod(program, 0o700); err != nil {
		t.Fatal(err)
	}
	b.env[access.HookVariable], b.env["PATH"] = program, os.Getenv("PATH")
	p := b.role("primary", "driver", "hook")
	r := b.ask("configure-appliance", "execute", "k", p)
	is(t, r, protocol.Succeeded, "")
	if r.Observed["applianceRole"] != "primary" || r.Observed["applianceSerial"] != "S1" {
		t.Errorf("%v", r.Observed)
	}
	asked, err := os.ReadFile(filepath.Join(b.dir, "asked"))
	if err != nil || strings.Count(string(asked), "\n") != 2 {
		t.Errorf("%s %v", asked, err)
	}
}
