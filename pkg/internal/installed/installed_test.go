//go:build installed

package installed

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"aws-provider-executor/pkg/internal/docblocks"
)

// debian is a Debian in a folder.
type debian struct {
	t    *testing.T
	root string
}

// newDebian makes one from where this machine gets its own packages.
func newDebian(t *testing.T) *debian {
	t.Helper()
	for _, program := range []string{"debootstrap", "systemd-nspawn"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Fatalf("there is no %s; make installed installs it", program)
		}
	}
	out, err := exec.Command("apt-get", "indextargets", "--format", "$(CODENAME) $(REPO_URI)",
		"Created-By: Packages", "Component: main").Output()
	if err != nil {
		t.Fatal(err)
	}
	var codename, from string
	for line := range strings.Lines(string(out)) {
		name, uri, _ := strings.Cut(strings.TrimSpace(line), " ")
		if !strings.Contains(name, "-") && strings.HasSuffix(strings.TrimSuffix(uri, "/"), "debian") {
			codename, from = name, uri
			break
		}
	}
	d := &debian{t: t, root: filepath.Join(t.TempDir(), "root")}
	d.run(10*time.Minute, "debootstrap", "--variant=minbase",
		"--include=systemd,systemd-sysv,dbus,man-db", codename, d.root, from)
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

// in runs a command in it.
func (d *debian) in(command ...string) string {
	d.t.Helper()
	return d.run(time.Minute, append([]string{"chroot", d.root}, command...)...)
}

// boots has systemd boot it, run a script as root, and power off. It returns what the script said.
func (d *debian) boots(script string) string {
	d.t.Helper()
	unit := `[Unit]
After=multi-user.target
[Service]
Type=oneshot
ExecStart=/bin/sh -c 'exec sh -x /root/script >/root/said 2>&1'
ExecStopPost=/bin/systemctl poweroff --no-block
`
	wants := filepath.Join(d.root, "etc/systemd/system/multi-user.target.wants")
	if err := os.MkdirAll(wants, 0o755); err != nil {
		d.t.Fatal(err)
	}
	for name, text := range map[string]string{
		filepath.Join(wants, "script.service"): unit, filepath.Join(d.root, "root/script"): script,
	} {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			d.t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(d.t.Context(), 3*time.Minute)
	defer cancel()
	var console bytes.Buffer
	cmd := exec.CommandContext(ctx, "systemd-nspawn", "--directory", d.root, "--boot",
		"--register=no", "--keep-unit")
	cmd.Stdout, cmd.Stderr = &console, &console
	// How it ends is that of the console; what counts is what the script said.
	_ = cmd.Run()
	said, err := os.ReadFile(filepath.Join(d.root, "root/said"))
	if err != nil {
		d.t.Fatalf("%v\n%s", err, &console)
	}
	return string(said)
}

// packages are the packages for Debian that make dist made.
func packages(t *testing.T) string {
	t.Helper()
	found, err := filepath.Glob("../../../bin/dist/*_amd64.deb")
	if err != nil || len(found) != 1 {
		t.Fatalf("%q, %v; make installed makes one", found, err)
	}
	return found[0]
}

// The blocks of the page on operations that are run here.
const (
	top     = "../../.."
	install = ".github/docs/operations.md#install"
	asUnits = ".github/docs/operations.md#units"
)

// installsAsThePageSays runs the page's commands: the checksums and the image's copy on this
// machine, the package's installation in the Debian.
func (d *debian) installsAsThePageSays() {
	d.t.Helper()
	dist, err := filepath.Abs(filepath.Dir(packages(d.t)))
	if err != nil {
		d.t.Fatal(err)
	}
	here := docblocks.Shell{Dir: d.t.TempDir(), Env: os.Environ()}
	entries, err := os.ReadDir(dist)
	if err != nil {
		d.t.Fatal(err)
	}
	for _, e := range entries {
		if err := os.Symlink(filepath.Join(dist, e.Name()),
			filepath.Join(here.Dir, e.Name())); err != nil {
			d.t.Fatal(err)
		}
	}
	for command := range strings.Lines(docblocks.Read(d.t, top, install)) {
		if strings.HasPrefix(command, "dpkg ") {
			d.in("sh", "-ec", "cd /tmp; "+command)
		} else {
			here.Run(d.t, command)
		}
	}
}

// TestPackage is installed, runs under its units as a user without rights, is installed again and
// removed; the state stays.
func TestPackage(t *testing.T) {
	d := newDebian(t)
	data, err := os.ReadFile(packages(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"new.deb", filepath.Base(packages(t))} {
		if err := os.WriteFile(filepath.Join(d.root, "tmp", name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	d.installsAsThePageSays()
	for _, program := range []string{"actionctl", "aws-provider-executor", "aws-provider-inventory",
		"appliance-provider-executor", "lifecycled", "ec2sim", "fence_aws_executor"} {
		version := d.in("env", "PATH=/usr/sbin:/usr/bin", program, "--version")
		if !strings.Contains(version, program) {
			t.Errorf("%s --version says %q", program, version)
		}
		if out := d.in("man", "--where", program); !strings.Contains(out, "/man/man") {
			t.Errorf("%s has no page of the manual: %q", program, out)
		}
	}
	said := d.boots(`
mkdir -p /etc/actionctl
cp /usr/share/doc/aws-provider-executor/policy.yaml /etc/actionctl/
as() { runuser -u aws-executor -- env STATE_DIRECTORY=/var/lib/actionctl "$@"; }
systemctl start actionctl-nodes-watch.service actionctl-nodes-serve.service
sleep 1
systemctl is-active actionctl-nodes-watch.service actionctl-nodes-serve.service
as actionctl import -f /usr/share/doc/aws-provider-executor/plans.yaml
as actionctl nodes add 10.0.0.9 --name-prefix rack4
` + docblocks.Read(t, top, asUnits) + `
systemctl start actionctl-execute-approved.service actionctl-metrics.service
systemctl show --property Result actionctl-execute-approved.service actionctl-metrics.service
ls -l /var/cache/actionctl-metrics
dpkg --install /tmp/new.deb
systemctl is-active actionctl-nodes-watch.service
dpkg --purge aws-provider-executor
systemctl is-active actionctl-nodes-watch.service
ls -l /var/lib/actionctl /usr/bin/actionctl
`)
	for _, want := range []string{"active\nactive\n", "rack4-10.0.0.9",
		"mobility-7/assign  pending", "actionctl.prom",
		"Result=success\n\nResult=success", "inactive\n", "aws-executor aws-executor", "journal.db",
		"cannot access '/usr/bin/actionctl'"} {
		if !strings.Contains(said, want) {
			t.Errorf("it did not say %q", want)
		}
	}
	if t.Failed() {
		fmt.Println(said)
	}
}
