package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"
)

// TestScriptsByRPM: rpm installs a version, upgrades to a later one, and removes it, each time with
// the package's scripts, in a folder with a shell and stand-ins of systemd's programs. rpm tells a
// script how many versions there will be, and runs those of the older version last.
func TestScriptsByRPM(t *testing.T) {
	for _, row := range []struct {
		name   string
		booted bool
		// install, upgrade and remove are what systemd is told.
		install, upgrade, remove []string
	}{
		{
			name: "systemd runs", booted: true,
			install: []string{sysusers, reload, restart},
			upgrade: []string{sysusers, reload, restart, reload},
			remove:  []string{disableTimers, disableServices, reload},
		},
		{
			name:    "systemd does not run, as where an image is built",
			install: []string{sysusers}, upgrade: []string{sysusers},
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			root := newRoot(t, row.booted)
			older, newer := smallPackage(t, "v1.0.0"), smallPackage(t, "v1.1.0")
			for _, step := range []struct {
				want    []string
				command []string
			}{
				{row.install, []string{"--install", older}},
				{row.upgrade, []string{"--upgrade", newer}},
				{row.remove, []string{"--erase", "aws-provider-executor"}},
			} {
				byRPM(t, root, step.command...)
				if got, want := told(t, root), strings.Join(step.want, "\n"); got != want {
					t.Errorf("rpm %s: systemd was told\n%s\nwant\n%s", step.command[0], got, want)
				}
			}
		})
	}
}

// What the scripts tell systemd.
const (
	sysusers = "systemd-sysusers aws-provider-executor.conf"
	reload   = "systemctl daemon-reload"
	restart  = "systemctl try-restart actionctl-nodes-watch.service actionctl-nodes-serve.service " +
		"lifecycled.service"
	disableTimers = "systemctl --no-reload disable --now actionctl-execute-approved.timer " +
		"actionctl-metrics.timer actionctl-preflight.timer"
	disableServices = "systemctl --no-reload disable --now actionctl-execute-approved.service " +
		"actionctl-metrics.service actionctl-nodes-serve.service actionctl-nodes-watch.service " +
		"actionctl-preflight.service lifecycled.service"
)

// newRoot makes a folder with a shell and stand-ins of systemd's programs, which write down what
// they are told.
func newRoot(t *testing.T, booted bool) string {
	t.Helper()
	root := filepath.Join(t.TempDir(), "root")
	shell, err := filepath.EvalSymlinks("/bin/sh")
	if err != nil {
		t.Fatal(err)
	}
	libraries, err := exec.Command("ldd", shell).Output()
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(root, "bin/sh"), read(t, shell))
	for _, name := range regexp.MustCompile(`/\S+`).FindAllString(string(libraries), -1) {
		write(t, filepath.Join(root, name), read(t, name))
	}
	write(t, filepath.Join(root, "dev/null"), "")
	for _, program := range []string{"systemctl", "systemd-sysusers"} {
		write(t, filepath.Join(root, "usr/bin", program), "#!/bin/sh\necho \"${0##*/} $*\" >>/told\n")
	}
	if booted {
		if err := os.MkdirAll(filepath.Join(root, "run/systemd/system"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	byRPM(t, root, "--initdb")
	return root
}

// byRPM runs rpm in a folder.
func byRPM(t *testing.T, root string, arguments ...string) {
	t.Helper()
	cmd := exec.Command("rpm", append([]string{"--root", root}, arguments...)...)
	if arguments[0] == "--install" || arguments[0] == "--upgrade" {
		cmd.Args = append(cmd.Args, "--nodeps", "--ignorearch")
	}
	if out, err := cmd.CombinedOutput(); err != nil || strings.Contains(string(out), "warning") {
		t.Fatalf("%s: %v\n%s", cmd.Args, err, out)
	}
}

// told is what systemd was told since the last time.
func told(t *testing.T, root string) string {
	t.Helper()
	name := filepath.Join(root, "told")
	text, err := os.ReadFile(name)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	_ = os.Remove(name)
	return strings.TrimSpace(string(text))
}

// smallPackage makes one as make dist does, with programs, pages and completions that are empty.
func smallPackage(t *testing.T, version string) string {
	t.Helper()
	dir := t.TempDir()
	p := platform{"linux", runtime.GOARCH}
	tr := tree{
		Root: top(t), Programs: filepath.Join(dir, "programs"), Manual: filepath.Join(dir, "manual"),
		Completions: filepath.Join(dir, "completions"), Out: filepath.Join(dir, "out"),
		Version: version, Made: time.Unix(1e9, 0).UTC(), Notices: map[platform][]byte{p: nil},
	}
	for _, program := range programs {
		write(t, filepath.Join(tr.Programs, p.String(), program), "")
	}
	for _, program := range completed {
		for _, shell := range shells {
			write(t, filepath.Join(tr.Completions, program+"."+shell), "")
		}
	}
	for _, page := range []string{"actionctl.1", "lifecycled.8"} {
		write(t, filepath.Join(tr.Manual, page), "")
	}
	if err := os.MkdirAll(tr.Out, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := tr.packages(p); err != nil {
		t.Fatal(err)
	}
	found, err := filepath.Glob(filepath.Join(tr.Out, "*.rpm"))
	if err != nil || len(found) != 1 {
		t.Fatalf("packages: %q, %v", found, err)
	}
	return found[0]
}
