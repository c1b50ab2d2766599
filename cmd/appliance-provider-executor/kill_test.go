package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"aws-provider-executor/pkg/ec2sim/appliancesim"
	"aws-provider-executor/pkg/protocol"
)

// setup is a FortiGate, and what the program needs to set it up.
type setup struct {
	sim *appliancesim.Appliance
	env []string
	// ask asks for all that there is.
	ask []byte
}

func newSetup(t *testing.T) *setup {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"admin": scriptPassword, "psk": "clé-partagée-9", "licence": "LICENCE-TEXT",
		"edge.conf": "config system global\nset hostname \"{{.Values.hostname}}\"\nend\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	sim, err := appliancesim.Start(appliancesim.Options{Instance: scriptInstance, Restart: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sim.Close)
	return &setup{
		sim: sim,
		env: append(os.Environ(), "AWS_ACCESS_KEY_ID=AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY=example",
			"AWS_EC2_METADATA_DISABLED=true", "EXECUTOR_STATE_DIR="+filepath.Join(dir, "state"),
			"APPLIANCE_TEMPLATE_DIR="+dir),
		ask: requestOf("configure-appliance", "execute", "launch", map[string]string{
			"adminSecretRef": "file:" + dir + "/admin", "certificateSha256": sim.Pin(),
			"port":           strings.TrimPrefix(sim.Address().String(), "127.0.0.1:"),
			"licenseFileRef": "file:" + dir + "/licence", "templates": "edge.conf",
			"value.hostname": "edge-1", "tunnel.az-a": "port2:10.0.1.5", "role": "primary",
			"syncInterface": "port1", "syncSecretRef": "file:" + dir + "/psk",
		}),
	}
}

func (s *setup) command(out *bytes.Buffer) *exec.Cmd {
	cmd := exec.Command("appliance-provider-executor")
	cmd.Env, cmd.Stdin, cmd.Stdout = s.env, bytes.NewReader(s.ask), out
	return cmd
}

// run runs the program to its end.
func (s *setup) run(t *testing.T) protocol.Status {
	t.Helper()
	var out bytes.Buffer
	if err := s.command(&out).Run(); err != nil {
		t.Fatal(err)
	}
	var result protocol.Result
	if err := json.Unmarshal(out.Bytes(), &result); err != nil {
		t.Fatalf("%v: %s", err, out.Bytes())
	}
	return result.Status
}

// changing are the calls that change something, and how often a run makes each: a login, the
// licence, a script.
var changing = []struct {
	name, path string
	times      int
}{
	// The two looks before, the new password, and those around each change.
	{"login", "/api/v2/authentication", 9},
	{"licence", "/api/v2/monitor/system/vmlicense/upload", 1},
	{"script", "/api/v2/monitor/system/config-script/upload", 2},
}

// Killed before or after each call that changes something, the program goes on where it was: each
// change is made once, and the end is as without.
func TestKillsAtEachChange(t *testing.T) {
	whole := newSetup(t)
	if s := whole.run(t); s.Status != protocol.Succeeded {
		t.Fatalf("%+v", s)
	}
	for _, call := range changing {
		if n := whole.sim.Counts().Requests["POST "+call.path]; n < call.times {
			t.Fatalf("%s is called %d times, and the kills are for %d", call.path, n, call.times)
		}
		for n := range call.times {
			for _, kind := range []appliancesim.Kind{appliancesim.Stuck, appliancesim.Slow} {
				t.Run(call.name+" "+itoa(n)+" "+string(kind), func(t *testing.T) {
					t.Parallel()
					killAt(t, newSetup(t), appliancesim.Fault{
						Method: "POST", Path: call.path, Kind: kind, Skip: n,
					})
				})
			}
		}
	}
}

func killAt(t *testing.T, s *setup, at appliancesim.Fault) {
	s.sim.Inject(at)
	var out bytes.Buffer
	cmd := s.command(&out)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case <-s.sim.Holding():
	case err := <-ended:
		t.Fatalf("it ended before the call: %v %s", err, out.Bytes())
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-ended
	status := s.run(t)
	if status.Status != protocol.Succeeded || status.Observed["applianceRole"] != "primary" {
		t.Fatalf("%+v", status)
	}
	c := s.sim.Counts()
	if c.PasswordChanges != 1 || c.Licenses != 1 || c.Scripts != 2 ||
		!s.sim.HasPassword(scriptPassword) {
		t.Errorf("%+v", c)
	}
	block, _ := s.sim.Object("system/auto-scale").(map[string]string)
	if block["role"] != "primary" || block["status"] != "enable" {
		t.Errorf("%v", block)
	}
}
