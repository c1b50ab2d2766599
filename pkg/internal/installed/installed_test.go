//go:build installed

package installed

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// debian is a Debian in a folder.
type debian struct {
	t    *testing.T
	root string
}

// include are the packages that it has beside the least: an init, a manual, and the part of
// Pacemaker that tells which fence agents there are.
const include = "systemd,systemd-sysv,dbus,man-db,pacemaker-cli-utils"

// newDebian makes one of the release that this machine has, from where it gets its own packages.
func newDebian(t *testing.T) *debian {
	t.Helper()
	for _, program := range []string{"mmdebstrap", "systemd-nspawn"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Fatalf("there is no %s; make installed installs it", program)
		}
	}
	d := &debian{t: t, root: filepath.Join(t.TempDir(), "root")}
	release := d.run(time.Minute, "sh", "-c", `. /etc/os-release; echo "$VERSION_CODENAME"`)
	d.run(10*time.Minute, "mmdebstrap", "--mode=root", "--variant=minbase", "--include="+include,
		strings.TrimSpace(release), d.root)
	return d
}

// run runs a command of this machine.
func (d *debian) run(patience time.Duration, command ...string) string {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.t.Context(), patience)
	defer cancel()
	out, err := exec.CommandContext(ctx, command[0], command[1:]...).CombinedOutput()
	if err != nil {
		d.t.Fatalf("%s: %v\n%s", command, err, out)
	}
	return string(out)
}

// write writes a file in it.
func (d *debian) write(name, text string) {
	d.t.Helper()
	name = filepath.Join(d.root, name)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		d.t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		d.t.Fatal(err)
	}
}

// step is a part of what is done in it.
type step struct {
	name string
	// run is a script of the shell, which ends at the first command that fails.
	run string
	// want is what it prints, and never what it does not print: regular expressions, in which ^ and $
	// are the ends of a line.
	want, never []string
}

// unit runs the steps once everything is started, and powers off.
const unit = `[Unit]
After=multi-user.target
[Service]
Type=oneshot
ExecStart=/bin/sh /root/steps
ExecStopPost=/bin/systemctl poweroff --no-block
[Install]
WantedBy=multi-user.target
`

// boot has systemd boot it, run the steps as root one after the other, and power off. A step that
// fails ends none of the later ones.
func (d *debian) boot(steps []step) {
	d.t.Helper()
	d.write("etc/systemd/system/steps.service", unit)
	d.run(time.Minute, "systemctl", "--root", d.root, "enable", "steps.service")
	d.run(time.Minute, "systemctl", "--root", d.root, "mask", "pacemaker.service", "corosync.service")
	var all strings.Builder
	for i, s := range steps {
		d.write(fmt.Sprintf("root/steps.d/%d", i), "set -e\n"+functions+s.run+"\n")
		fmt.Fprintf(&all, "timeout 120 sh /root/steps.d/%d >/root/steps.d/%d.said 2>&1\n", i, i)
		fmt.Fprintf(&all, "echo $? >/root/steps.d/%d.code\n", i)
	}
	d.write("root/steps", all.String())
	ctx, cancel := context.WithTimeout(d.t.Context(), 10*time.Minute)
	defer cancel()
	var console bytes.Buffer
	cmd := exec.CommandContext(ctx, "systemd-nspawn", "--directory", d.root, "--boot",
		"--register=no", "--keep-unit", "--private-network")
	cmd.Stdout, cmd.Stderr = &console, &console
	// Where it is killed, what runs in the container goes on. Asked to end, it shuts that down.
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 2 * time.Minute
	// How it ends is that of the console; what counts is what the steps did.
	_ = cmd.Run()
	for i, s := range steps {
		d.t.Run(s.name, func(t *testing.T) { d.judge(t, i, s, &console) })
	}
}

// judge holds what a step did to what it is to do.
func (d *debian) judge(t *testing.T, i int, s step, console fmt.Stringer) {
	at := filepath.Join(d.root, fmt.Sprintf("root/steps.d/%d", i))
	code, err := os.ReadFile(at + ".code")
	if err != nil {
		t.Fatalf("it was not run: %v\n%s", err, console)
	}
	said, err := os.ReadFile(at + ".said")
	if err != nil {
		t.Fatal(err)
	}
	if string(code) != "0\n" {
		t.Errorf("exit code %s", code)
	}
	for _, want := range s.want {
		if !regexp.MustCompile("(?m)" + want).Match(said) {
			t.Errorf("it did not print %q", want)
		}
	}
	for _, never := range s.never {
		if regexp.MustCompile("(?m)" + never).Match(said) {
			t.Errorf("it printed %q", never)
		}
	}
	if t.Failed() {
		t.Logf("it was\n%s\nand printed\n%s", s.run, said)
	}
}

// folder copies what make dist made for this machine to a folder of it.
func (d *debian) folder(from, to string) {
	d.t.Helper()
	packages, err := filepath.Glob(filepath.Join(from, "*_amd64.deb"))
	if err != nil || len(packages) != 1 {
		d.t.Fatalf("%q, %v; make installed makes one", packages, err)
	}
	for _, name := range []string{packages[0], filepath.Join(from, "SHA256SUMS")} {
		data, err := os.ReadFile(name)
		if err != nil {
			d.t.Fatal(err)
		}
		d.write(filepath.Join(to, filepath.Base(name)), string(data))
	}
}
