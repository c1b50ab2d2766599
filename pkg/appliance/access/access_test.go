package access_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"aws-provider-executor/pkg/appliance"
	"aws-provider-executor/pkg/appliance/access"
	"aws-provider-executor/pkg/ec2sim/appliancesim"
	"aws-provider-executor/pkg/protocol"
)

const instance, password = "i-00000000000000001", "Grün & safe 9"

// world is a FortiGate, a directory of templates, and secrets.
type world struct {
	sim     *appliancesim.Appliance
	dir     string
	env     map[string]string
	secrets map[string]string
	// read counts how often each secret was read, waits how long was waited for.
	read  map[string]int
	waits []time.Duration
}

func newWorld(t *testing.T, o appliancesim.Options) *world {
	t.Helper()
	o.Instance = instance
	sim, err := appliancesim.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sim.Close)
	w := &world{sim: sim, dir: t.TempDir(), read: map[string]int{},
		secrets: map[string]string{"file:/admin": password + "\r\n", "file:/psk": "psk9psk9"}}
	w.env = map[string]string{access.TemplateDirVariable: w.dir}
	return w
}

func (w *world) access() *access.Access {
	return access.New(access.Settings{
		Env: func(name string) string { return w.env[name] },
		Secret: func(_ context.Context, ref string) (string, error) {
			w.read[ref]++
			text, ok := w.secrets[ref]
			if !ok {
				return "", protocol.Refuse(protocol.Authorization, "%s can't be read", ref)
			}
			return text, nil
		},
		License: func(_ context.Context, ref string) (string, error) {
			if ref == "file:/none" {
				return "", protocol.Refuse(protocol.NotFound, "%s is not there", ref)
			}
			return "LICENCE of " + ref + "\n", nil
		},
		Wait: func(ctx context.Context, d time.Duration) error {
			w.waits = append(w.waits, d)
			return ctx.Err()
		},
	})
}

func (w *world) order() appliance.Order {
	return appliance.Order{
		Driver: "fortigate", Instance: instance, Address: "127.0.0.1",
		Port: int(w.sim.Address().Port()), Pin: w.sim.Pin(), Administrator: "admin",
		Secret: "file:/admin", Role: appliance.Role{Kind: appliance.Primary},
		SyncInterface: "port1", SyncSecret: "file:/psk",
	}
}

func (w *world) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(w.dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func class(t *testing.T, err error) protocol.FailureClass {
	t.Helper()
	var f *protocol.Failure
	if !errors.As(err, &f) {
		t.Fatalf("%v is no failure", err)
	}
	return f.Class
}

// An appliance that boots is waited for, by pauses that grow. Each secret is read once.
func TestAnApplianceThatBootsIsWaitedFor(t *testing.T) {
	w := newWorld(t, appliancesim.Options{Boot: 7})
	a := w.access()
	seen, err := access.Reader{Of: a}.AwaitAppliance(t.Context(), w.order())
	if err != nil || !seen.FirstPassword || len(w.waits) != 7 {
		t.Fatalf("%+v %v after %v", seen, err, w.waits)
	}
	if first, last := w.waits[0], w.waits[6]; first != 100*time.Millisecond || last != 2*time.Second {
		t.Errorf("%v", w.waits)
	}
	change := access.Writer{Of: a}
	if err := change.SetAppliancePassword(t.Context(), w.order()); err != nil {
		t.Fatal(err)
	}
	if err := change.SetApplianceRole(t.Context(), w.order(), w.order().Role); err != nil {
		t.Fatal(err)
	}
	if w.read["file:/admin"] != 1 || w.read["file:/psk"] != 1 || !w.sim.HasPassword(password) {
		t.Errorf("%v", w.read)
	}
}

// L19: the wait ends, and leaves time for what is to be changed.
func TestL19TheWaitEnds(t *testing.T) {
	w := newWorld(t, appliancesim.Options{Boot: 1 << 20})
	a := access.New(access.Settings{
		Env:    func(string) string { return "" },
		Secret: func(context.Context, string) (string, error) { return password, nil },
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, err := access.Reader{Of: a}.AwaitAppliance(ctx, w.order())
	if class(t, err) != protocol.Unavailable || ctx.Err() != nil {
		t.Errorf("%v, and the time is %v", err, ctx.Err())
	}
}

// What is not unavailable is not waited for.
func TestOnlyBootingIsWaitedFor(t *testing.T) {
	w := newWorld(t, appliancesim.Options{})
	if err := w.sim.Impersonate(); err != nil {
		t.Fatal(err)
	}
	_, err := access.Reader{Of: w.access()}.AwaitAppliance(t.Context(), w.order())
	if class(t, err) != protocol.Authentication || len(w.waits) != 0 {
		t.Errorf("%v after %v", err, w.waits)
	}
}

// Templates come from one directory alone.
func TestTemplatesOfOneDirectory(t *testing.T) {
	w := newWorld(t, appliancesim.Options{})
	outside := filepath.Join(t.TempDir(), "outside.conf")
	if err := os.WriteFile(outside, []byte("config system global\nend\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"link.conf": os.Symlink(outside, filepath.Join(w.dir, "link.conf")),
		"dir.conf":  os.Mkdir(filepath.Join(w.dir, "dir.conf"), 0o700),
	} {
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	w.write(t, "large.conf", strings.Repeat("#", 1<<20+1))
	w.write(t, "good.conf", "config system global\nend\n")
	for name, want := range map[string]protocol.FailureClass{
		"good.conf": "", "link.conf": protocol.Configuration, "dir.conf": protocol.Configuration,
		"large.conf": protocol.Configuration, "none.conf": protocol.Configuration,
		"../" + filepath.Base(w.dir) + "/good.conf": protocol.Configuration,
	} {
		o := w.order()
		o.Templates = []string{name}
		seen, err := access.Reader{Of: w.access()}.LookAtAppliance(t.Context(), o)
		if want == "" {
			if err != nil || len(seen.Digest) != 64 {
				t.Errorf("%s: %+v %v", name, seen, err)
			}
			continue
		}
		if got := class(t, err); got != want {
			t.Errorf("%s: %v", name, err)
		}
	}
	delete(w.env, access.TemplateDirVariable)
	o := w.order()
	o.Templates = []string{"good.conf"}
	_, err := access.Reader{Of: w.access()}.LookAtAppliance(t.Context(), o)
	if class(t, err) != protocol.Configuration {
		t.Error(err)
	}
}

// Secrets that can't be, or are none, are told by their references.
func TestSecrets(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*world, *appliance.Order)
		class  protocol.FailureClass
		words  string
	}{
		"not allowed": {func(w *world, _ *appliance.Order) { delete(w.secrets, "file:/admin") },
			protocol.Authorization, "file:/admin"},
		"empty": {func(w *world, _ *appliance.Order) { w.secrets["file:/admin"] = "\n" },
			protocol.Configuration, "file:/admin"},
		"two lines": {func(w *world, _ *appliance.Order) { w.secrets["file:/admin"] = "a9a9\nb9b9" },
			protocol.Configuration, "file:/admin"},
		"the first password": {func(w *world, _ *appliance.Order) {
			w.secrets["file:/admin"] = instance
		}, protocol.InvalidRequest, "first password"},
		"nothing tells the certificate": {func(_ *world, o *appliance.Order) { o.Pin = "" },
			protocol.Configuration, access.CAFileVariable},
		"no program": {func(_ *world, o *appliance.Order) { o.Driver = "hook" },
			protocol.Configuration, access.HookVariable},
		"no authority": {func(w *world, _ *appliance.Order) {
			w.env[access.CAFileVariable] = filepath.Join(w.dir, "none.pem")
		}, protocol.Configuration, access.CAFileVariable},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, appliancesim.Options{})
			o := w.order()
			tt.change(w, &o)
			_, err := access.Reader{Of: w.access()}.LookAtAppliance(t.Context(), o)
			if class(t, err) != tt.class || !strings.Contains(err.Error(), tt.words) ||
				strings.Contains(err.Error(), "b9b9") {
				t.Error(err)
			}
			if n := len(w.sim.Counts().Requests); n != 0 {
				t.Errorf("%d requests were sent", n)
			}
		})
	}
}

// A licence goes as it is, and a token as one word. What can't be read is known before anything is
// sent.
func TestLicences(t *testing.T) {
	for name, tt := range map[string]struct{ file, token, want string }{
		"a file":  {"file:/a", "", "LICENCE of file:/a\n"},
		"a token": {"", "file:/t", "LICENCE of file:/t"},
	} {
		w := newWorld(t, appliancesim.Options{Password: password})
		o := w.order()
		o.LicenseFile, o.LicenseToken = tt.file, tt.token
		err := access.Writer{Of: w.access()}.UploadApplianceLicense(t.Context(), o)
		if got := w.sim.License(); err != nil || got != tt.want {
			t.Errorf("%s: %q %v", name, got, err)
		}
	}
	w := newWorld(t, appliancesim.Options{Password: password})
	o := w.order()
	o.LicenseFile, o.SyncSecret = "file:/none", "file:/nowhere"
	r := access.Reader{Of: w.access()}
	for _, tt := range []struct {
		license, sync bool
		class         protocol.FailureClass
	}{
		{true, false, protocol.NotFound}, {false, true, protocol.Authorization}, {false, false, ""},
	} {
		err := r.ReadApplianceSecrets(t.Context(), o, tt.license, tt.sync)
		if tt.class == "" && err != nil || tt.class != "" && class(t, err) != tt.class {
			t.Errorf("%+v: %v", tt, err)
		}
	}
	change := access.Writer{Of: w.access()}
	if err := change.UploadApplianceLicense(t.Context(), o); class(t, err) != protocol.NotFound {
		t.Error(err)
	}
	err := change.SetApplianceRole(t.Context(), o, appliance.Role{Kind: appliance.Primary})
	if class(t, err) != protocol.Authorization || w.sim.Counts().Scripts != 0 {
		t.Error(err)
	}
	// No role needs no secret.
	err = change.SetApplianceRole(t.Context(), o, appliance.Role{Kind: appliance.NoRole})
	if err != nil || w.sim.Counts().Scripts != 1 {
		t.Error(err)
	}
}

// An authority in a file does in place of a digest.
func TestAnAuthorityInAFile(t *testing.T) {
	w := newWorld(t, appliancesim.Options{})
	w.write(t, "ca.pem", string(w.sim.CA()))
	w.env[access.CAFileVariable] = filepath.Join(w.dir, "ca.pem")
	o := w.order()
	o.Pin = ""
	if _, err := (access.Reader{Of: w.access()}).LookAtAppliance(t.Context(), o); err != nil {
		t.Error(err)
	}
}

// TestATemplateWithoutEnd: no template keeps a request for longer than its time.
func TestATemplateWithoutEnd(t *testing.T) {
	w := newWorld(t, appliancesim.Options{Password: password, Licensed: true})
	w.write(t, "loop.conf", `{{range 2000000}}{{$x := printf "%1000d" 1}}{{end}}`)
	o := w.order()
	o.Templates = []string{"loop.conf"}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := access.Reader{Of: w.access()}.LookAtAppliance(ctx, o)
	var f *protocol.Failure
	if !errors.As(err, &f) || !strings.Contains(f.Message, "without end") {
		t.Errorf("it answers %v", err)
	}
}

// TestAPipeIsNoTemplate: it is not waited for who would write to it.
func TestAPipeIsNoTemplate(t *testing.T) {
	w := newWorld(t, appliancesim.Options{Password: password, Licensed: true})
	if err := syscall.Mkfifo(filepath.Join(w.dir, "pipe.conf"), 0o600); err != nil {
		t.Fatal(err)
	}
	o := w.order()
	o.Templates = []string{"pipe.conf"}
	_, err := access.Reader{Of: w.access()}.LookAtAppliance(t.Context(), o)
	if err == nil || !strings.Contains(err.Error(), "is no regular file") {
		t.Errorf("it answers %v", err)
	}
}

// TestFactsHaveNoSecrets: what an appliance says of itself is told without what it was given.
func TestFactsHaveNoSecrets(t *testing.T) {
	w := newWorld(t, appliancesim.Options{Password: password, Licensed: true})
	w.write(t, "hook", "#!/bin/sh\ncat >/dev/null\ncat <<'END'\n"+
		`{"version":1,"state":{"role":"none",`+
		`"serial":"FG `+password+`","firmware":"a\nb\u001b"}}`+"\nEND\n")
	w.env[access.HookVariable], w.env["PATH"] = filepath.Join(w.dir, "hook"), os.Getenv("PATH")
	if err := os.Chmod(w.env[access.HookVariable], 0o700); err != nil {
		t.Fatal(err)
	}
	o := w.order()
	o.Driver = "hook"
	seen, err := access.Reader{Of: w.access()}.LookAtAppliance(t.Context(), o)
	if err != nil || seen.Serial != "FG (redacted)" || seen.Version != "a b\uFFFD" {
		t.Errorf("%q %q %v", seen.Serial, seen.Version, err)
	}
}
