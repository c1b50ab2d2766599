package fortigate_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/appliance"
	"aws-provider-executor/pkg/appliance/fortigate"
	"aws-provider-executor/pkg/ec2sim/appliancesim"
	"aws-provider-executor/pkg/protocol"
)

const (
	instance = "i-00000000000000001"
	password = "Grün & safe: пароль 9"
	psk      = "clé-partagée-9"

	authentication = "/api/v2/authentication"
	uploadScript   = "/api/v2/monitor/system/config-script/upload"
	uploadLicense  = "/api/v2/monitor/system/vmlicense/upload"
)

func start(t *testing.T, o appliancesim.Options) *appliancesim.Appliance {
	t.Helper()
	o.Instance = instance
	a, err := appliancesim.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Close)
	return a
}

func access(a *appliancesim.Appliance) appliance.Access {
	return appliance.Access{
		Instance: instance, Address: a.Address().Addr().String(), Port: int(a.Address().Port()),
		Pin: a.Pin(), Administrator: "admin", First: instance, Password: password,
	}
}

func driver(t *testing.T, a appliance.Access) *fortigate.FortiGate {
	t.Helper()
	d, err := fortigate.New(a)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// look reads, and holds that no session is left open.
func look(t *testing.T, sim *appliancesim.Appliance, d *fortigate.FortiGate) appliance.State {
	t.Helper()
	s, err := d.Look(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if open := sim.Counts().Sessions; open != 0 {
		t.Errorf("%d sessions are left open", open)
	}
	return s
}

// failure is the failure that an error is or hides, and whether the change may be so.
func failure(t *testing.T, err error) (f *protocol.Failure, unknown bool) {
	t.Helper()
	var u *action.Unknown
	if errors.As(err, &u) {
		return u.Cause, true
	}
	if !errors.As(err, &f) {
		t.Fatalf("%v is no failure", err)
	}
	return f, false
}

var ready = appliancesim.Options{Password: password, Licensed: true}

func TestAFreshFortiGateIsSetUpStepByStep(t *testing.T) {
	sim := start(t, appliancesim.Options{Restart: 3})
	d := driver(t, access(sim))
	if s := look(t, sim, d); !s.FirstPassword {
		t.Fatalf("%+v", s)
	}
	if err := d.SetPassword(t.Context()); err != nil {
		t.Fatal(err)
	}
	s := look(t, sim, d)
	if s.FirstPassword || s.Licensed || s.Role.Kind != appliance.NoRole || len(s.Applied) != 0 ||
		s.LicenseStatus != "vm_eval" {
		t.Fatalf("%+v", s)
	}
	license := appliance.License{File: []byte("LICENCE ünï")}
	if err := d.UploadLicense(t.Context(), license); err != nil {
		t.Fatal(err)
	}
	for range 2 { // it restarts; the logout was the first that it dropped
		isUnavailable(t, d)
	}
	if s = look(t, sim, d); !s.Licensed || s.Serial != "FGVM040000000001" {
		t.Fatalf("%+v", s)
	}
	if c := sim.Counts(); c.PasswordChanges != 1 || c.RefusedLogins != 0 || c.Licenses != 1 {
		t.Errorf("%+v", c)
	}
}

// isUnavailable holds that a FortiGate does not answer yet.
func isUnavailable(t *testing.T, d *fortigate.FortiGate) {
	t.Helper()
	_, err := d.Look(t.Context())
	if f, _ := failure(t, err); f.Class != protocol.Unavailable || !f.MayRetry() {
		t.Fatalf("%+v", f)
	}
}

func TestWhatIsConfiguredIsRead(t *testing.T) {
	sim := start(t, ready)
	d := driver(t, access(sim))
	c := appliance.Configuration{Digest: strings.Repeat("ab", 32),
		Text: "config system geneve\nedit \"az-ä\"\nset interface \"port2\"\nset type ppp\n" +
			"set remote-ip 10.0.1.5\nnext\nend\n"}
	role := appliance.Role{Kind: appliance.Secondary, Primary: "10.0.0.6"}
	err := errors.Join(d.Apply(t.Context(), c),
		d.SetRole(t.Context(), role, appliance.Sync{Interface: "port1", Secret: psk}))
	if err != nil {
		t.Fatal(err)
	}
	s := look(t, sim, d)
	want := appliance.State{
		Serial: "FGVMEV0000000000", Version: "v7.4.5", Licensed: true, LicenseStatus: "vm_valid",
		Applied: []appliance.Applied{{Digest: c.Digest, Whole: true}},
		Tunnels: []appliance.Tunnel{{Name: "az-ä", Interface: "port2", Remote: "10.0.1.5"}},
		Role:    role, SyncInterface: "port1",
	}
	if diff := cmp.Diff(want, s); diff != "" {
		t.Error(diff)
	}
	block, _ := sim.Object("system/auto-scale").(map[string]string)
	if block["sync-interface"] != "port1" || block["psksecret"] == "" {
		t.Errorf("%v", block)
	}
}

func TestARoleIsTakenBack(t *testing.T) {
	sim := start(t, ready)
	d := driver(t, access(sim))
	sync := appliance.Sync{Interface: "port1", Secret: psk}
	for _, r := range []struct {
		role appliance.Role
		sync appliance.Sync
	}{
		{appliance.Role{Kind: appliance.Primary}, sync},
		// What a role does not name stays.
		{appliance.Role{Kind: appliance.Secondary, Primary: "10.0.0.7"}, appliance.Sync{}},
		{appliance.Role{Kind: appliance.NoRole}, appliance.Sync{}},
	} {
		if err := d.SetRole(t.Context(), r.role, r.sync); err != nil {
			t.Fatal(err)
		}
		if got := look(t, sim, d).Role; got != r.role {
			t.Errorf("it is %v, want %v", got, r.role)
		}
	}
	if block, _ := sim.Object("system/auto-scale").(map[string]string); block["sync-interface"] !=
		"port1" {
		t.Errorf("%v", block)
	}
}

// L18: a password is replaced once, whatever becomes of the answer; the new one tells.
func TestL18APasswordIsReplacedOnce(t *testing.T) {
	for _, kind := range []appliancesim.Kind{
		appliancesim.Lost, appliancesim.Cut, appliancesim.Garbage, appliancesim.Broken,
	} {
		t.Run(string(kind), func(t *testing.T) {
			sim := start(t, appliancesim.Options{})
			d := driver(t, access(sim))
			look(t, sim, d)
			sim.Inject(appliancesim.Fault{Method: "POST", Path: authentication, Kind: kind, Status: 502})
			if f, unknown := failure(t, d.SetPassword(t.Context())); !unknown {
				t.Fatalf("it is said to be known: %v", f)
			}
			s, err := d.Look(t.Context())
			if err != nil || s.FirstPassword {
				t.Fatalf("%+v %v", s, err)
			}
			before := sim.Counts().Requests["POST "+authentication]
			if err := d.SetPassword(t.Context()); err != nil {
				t.Fatal(err)
			}
			c := sim.Counts()
			if c.PasswordChanges != 1 || c.RefusedLogins != 1 {
				t.Errorf("%+v", c)
			}
			if c.Requests["POST "+authentication] != before {
				t.Error("a password that is set was sent again")
			}
		})
	}
}

// Other drivers of the same FortiGate find the new password, by one refused login at most.
func TestL18AnotherRunFindsTheNewPassword(t *testing.T) {
	for _, wasSet := range []bool{false, true} {
		sim := start(t, ready)
		a := access(sim)
		a.WasSet = wasSet
		d := driver(t, a)
		for range 3 {
			look(t, sim, d)
		}
		want := 1
		if wasSet {
			want = 0
		}
		if c := sim.Counts(); c.RefusedLogins != want {
			t.Errorf("%t: %+v", wasSet, c)
		}
		if err := d.SetPassword(t.Context()); err != nil || sim.Counts().PasswordChanges != 0 {
			t.Errorf("%v", err)
		}
	}
}

func TestB7AWrongPasswordIsRefused(t *testing.T) {
	sim := start(t, appliancesim.Options{Password: "somebody else's"})
	d := driver(t, access(sim))
	_, err := d.Look(t.Context())
	f, _ := failure(t, err)
	if f.Class != protocol.Authentication || f.MayRetry() {
		t.Errorf("%+v", f)
	}
	f, unknown := failure(t, d.Apply(t.Context(), appliance.Configuration{Digest: "d", Text: "x"}))
	if unknown || f.Class != protocol.Authentication {
		t.Errorf("%+v", f)
	}
	// Whoever goes on is locked out: that is told, and passes.
	_, err = d.Look(t.Context())
	if f, _ := failure(t, err); !f.MayRetry() || !strings.Contains(f.Message, "LOCKED") {
		t.Errorf("%+v", f)
	}
	if c := sim.Counts(); c.Scripts != 0 || c.Logins != 0 {
		t.Errorf("%+v", c)
	}
}

// L24: nothing is sent to what is not known to be the appliance.
func TestL24NothingIsSentToAnother(t *testing.T) {
	other := start(t, ready)
	for name, tt := range map[string]struct {
		change  func(*appliance.Access)
		imposes bool
		class   protocol.FailureClass
	}{
		"the right digest":    {func(*appliance.Access) {}, false, ""},
		"the right authority": {func(a *appliance.Access) { a.Pin = "" }, false, ""},
		"the right name": {func(a *appliance.Access) {
			a.ServerName = "appliance.example"
		}, false, ""},
		"neither": {func(a *appliance.Access) { a.Pin, a.CA = "", nil }, false, protocol.Configuration},
		"no PEM":  {func(a *appliance.Access) { a.CA = []byte("no") }, false, protocol.Configuration},
		"no digest": {func(a *appliance.Access) { a.Pin = "zz" }, false,
			protocol.InvalidRequest},
		"another digest, though under the authority": {func(a *appliance.Access) {
			a.Pin = other.Pin()
		}, false, protocol.Authentication},
		"another authority": {func(a *appliance.Access) { a.CA = other.CA() }, false,
			protocol.Authentication},
		"another name": {func(a *appliance.Access) { a.ServerName = "other.example" }, false,
			protocol.Authentication},
		"somebody in its place, by digest": {func(a *appliance.Access) { a.CA = nil }, true,
			protocol.Authentication},
		"somebody in its place, by authority": {func(a *appliance.Access) { a.Pin = "" }, true,
			protocol.Authentication},
	} {
		t.Run(name, func(t *testing.T) {
			sim := start(t, ready)
			a := access(sim)
			a.CA = sim.CA()
			tt.change(&a)
			if tt.imposes {
				if err := sim.Impersonate(); err != nil {
					t.Fatal(err)
				}
			}
			d, err := fortigate.New(a)
			if err == nil {
				_, err = d.Look(t.Context())
			}
			if tt.class == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			f, _ := failure(t, err)
			if f.Class != tt.class || f.MayRetry() || tt.class == protocol.Authentication &&
				!strings.Contains(f.Message, "is not known to be "+instance) {
				t.Errorf("%+v", f)
			}
			if n := len(sim.Counts().Requests); n != 0 {
				t.Errorf("%d requests were sent", n)
			}
		})
	}
}

// L24: no secret is told by any error, whatever the appliance says.
func TestL24NoErrorHasASecret(t *testing.T) {
	short := access(start(t, appliancesim.Options{}))
	short.Password = "Séc9" // too short for its policy, which repeats it
	sim := start(t, ready)
	lines := appliance.Configuration{
		Digest: "d", Text: "config nowhere at all\nset " + psk + "\n", Secrets: []string{psk},
	}
	for name, err := range map[string]error{
		"a password against the policy": driver(t, short).SetPassword(t.Context()),
		"lines that are refused":        driver(t, access(sim)).Apply(t.Context(), lines),
	} {
		f, unknown := failure(t, err)
		if unknown || f.Class != protocol.InvalidRequest {
			t.Errorf("%s: %+v", name, f)
		}
		for _, secret := range []string{psk, password, short.Password} {
			if strings.Contains(f.Message, secret) {
				t.Errorf("%s: %s", name, f.Message)
			}
		}
		if !strings.Contains(f.Message, "redacted") {
			t.Errorf("%s: %s", name, f.Message)
		}
	}
	if printed := fmt.Sprint(lines.Digest); printed != "d" {
		t.Error(printed)
	}
}

// A configuration of which lines are refused is not taken for one that is in force.
func TestL9RefusedLinesAreNoSuccess(t *testing.T) {
	sim := start(t, ready)
	d := driver(t, access(sim))
	c := appliance.Configuration{Digest: "d1",
		Text: "config system global\nset hostname a\nend\nconfig no such\nend\n"}
	f, unknown := failure(t, d.Apply(t.Context(), c))
	if unknown || !strings.Contains(f.Message, "-61") {
		t.Errorf("%+v", f)
	}
	if last, _ := look(t, sim, d).Latest(); last.Digest != "d1" || last.Whole {
		t.Errorf("%+v", last)
	}
}

// A role of which a line is refused may be in force: it is unknown, and it reads as a part.
func TestL9ARoleWithRefusedLinesIsAPart(t *testing.T) {
	sim := start(t, ready)
	d := driver(t, access(sim))
	long := strings.Repeat("long", 50)
	_, unknown := failure(t, d.SetRole(t.Context(), appliance.Role{Kind: appliance.Primary},
		appliance.Sync{Interface: "port1", Secret: long}))
	s := look(t, sim, d)
	if !unknown || s.Role.Kind != appliance.Primary || !s.RolePartly {
		t.Errorf("unknown %v, and it reads %+v", unknown, s)
	}
	err := d.SetRole(t.Context(), appliance.Role{Kind: appliance.Primary},
		appliance.Sync{Interface: "port1", Secret: psk})
	if s = look(t, sim, d); err != nil || s.RolePartly {
		t.Errorf("%v, and it reads %+v", err, s)
	}
}

// Whatever becomes of an answer, a change is sent once, and told as what it may be.
func TestL18AChangeIsSentOnce(t *testing.T) {
	for _, tt := range []struct {
		kind    appliancesim.Kind
		status  int
		unknown bool
		class   protocol.FailureClass
	}{
		{appliancesim.Lost, 0, true, protocol.Unavailable},
		{appliancesim.Cut, 0, true, protocol.Unavailable},
		{appliancesim.Garbage, 0, true, protocol.Unavailable},
		{appliancesim.Broken, 500, true, protocol.Unavailable},
		{appliancesim.Broken, 302, true, protocol.Unavailable},
		{appliancesim.Refused, 403, false, protocol.Authorization},
		{appliancesim.Refused, 401, false, protocol.Authentication},
		{appliancesim.Refused, 429, false, protocol.Throttled},
		{appliancesim.Refused, 424, false, protocol.InvalidRequest},
	} {
		t.Run(fmt.Sprint(tt.kind, tt.status), func(t *testing.T) {
			sim := start(t, ready)
			d := driver(t, access(sim))
			sim.Inject(appliancesim.Fault{
				Method: "POST", Path: uploadScript, Kind: tt.kind, Status: tt.status,
			})
			f, unknown := failure(t, d.SetRole(t.Context(), appliance.Role{Kind: appliance.Primary},
				appliance.Sync{Interface: "port1", Secret: psk}))
			if unknown != tt.unknown || f.Class != tt.class {
				t.Errorf("%t %+v", unknown, f)
			}
			if where := instance + " at " + sim.Address().String(); !strings.HasPrefix(f.Message, where) {
				t.Errorf("it does not say where: %s", f.Message)
			}
			if told := strings.Contains(f.Message, `("-3")`); told != (tt.kind == appliancesim.Refused) {
				t.Errorf("what the appliance says is told: %t: %s", told, f.Message)
			}
			if n := sim.Counts().Requests["POST "+uploadScript]; n != 1 {
				t.Errorf("it was sent %d times", n)
			}
			kind := appliance.NoRole
			if tt.unknown {
				kind = appliance.Primary
			}
			if s := look(t, sim, d); s.Role.Kind != kind {
				t.Errorf("it is %v", s.Role)
			}
		})
	}
}

// L19: what takes longer than the time there is ends then, and its outcome is not made up.
func TestL19ASlowAnswerEndsWithTheTime(t *testing.T) {
	sim := start(t, ready)
	d := driver(t, access(sim))
	look(t, sim, d)
	for _, path := range []string{uploadLicense, uploadScript} {
		sim.Inject(appliancesim.Fault{Method: "POST", Path: path, Kind: appliancesim.Slow})
	}
	for name, change := range map[string]func(context.Context) error{
		"a licence": func(ctx context.Context) error {
			return d.UploadLicense(ctx, appliance.License{Token: "T0KEN"})
		},
		"a role": func(ctx context.Context) error {
			return d.SetRole(ctx, appliance.Role{Kind: appliance.Primary}, appliance.Sync{})
		},
	} {
		if name == "a licence" {
			sim.Inject(appliancesim.Fault{Method: "POST",
				Path: "/api/v2/monitor/system/vmlicense/download", Kind: appliancesim.Slow})
		}
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		f, unknown := failure(t, change(ctx))
		cancel()
		if !unknown || f.Class != protocol.Unavailable {
			t.Errorf("%s: %t %+v", name, unknown, f)
		}
	}
}

func TestB7AnUnreachableFortiGateIsUnavailable(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	a := access(start(t, ready))
	a.Port = l.Addr().(*net.TCPAddr).Port
	l.Close()
	d := driver(t, a)
	isUnavailable(t, d)
	for name, err := range map[string]error{
		"the password": d.SetPassword(t.Context()),
		"a role":       d.SetRole(t.Context(), appliance.Role{Kind: appliance.Primary}, appliance.Sync{}),
	} {
		if f, unknown := failure(t, err); unknown || f.Class != protocol.Unavailable {
			t.Errorf("%s: %t %+v", name, unknown, f)
		}
	}
}

// An answer that is none is no state.
func TestAnswersThatAreNone(t *testing.T) {
	for _, path := range []string{
		authentication, "/api/v2/monitor/system/status", "/api/v2/monitor/license/status",
		"/api/v2/monitor/system/config-script", "/api/v2/cmdb/system/geneve",
		"/api/v2/cmdb/system/auto-scale",
	} {
		for _, kind := range []appliancesim.Kind{appliancesim.Garbage, appliancesim.Cut} {
			sim := start(t, ready)
			method := "GET"
			if path == authentication {
				method = "POST"
			}
			sim.Inject(appliancesim.Fault{Method: method, Path: path, Kind: kind})
			s, err := driver(t, access(sim)).Look(t.Context())
			if err == nil {
				t.Errorf("%s, %s: %+v", path, kind, s)
				continue
			}
			if f, _ := failure(t, err); f.Class != protocol.Unavailable {
				t.Errorf("%s, %s: %+v", path, kind, f)
			}
		}
	}
}

// A value that could end its place in a line is never sent.
func TestARoleInjectsNothing(t *testing.T) {
	sim := start(t, ready)
	d := driver(t, access(sim))
	for _, s := range []appliance.Sync{
		{Interface: "port1\"\nend\nconfig system global\nset hostname x", Secret: psk},
		{Interface: "port1", Secret: "a\" \nset status disable"},
		{Interface: "port1", Secret: "a\\"},
	} {
		err := d.SetRole(t.Context(), appliance.Role{Kind: appliance.Primary}, s)
		if f, unknown := failure(t, err); unknown || f.Class != protocol.InvalidRequest ||
			strings.Contains(f.Message, s.Secret) {
			t.Errorf("%+v", f)
		}
	}
	if n := len(sim.Counts().Requests); n != 0 {
		t.Errorf("%d requests were sent", n)
	}
}
