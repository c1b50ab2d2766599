package main

import (
	"bytes"
	"context"
	"crypto/x509"
	"debug/buildinfo"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

// programs are all that there are.
var programs = []string{"actionctl", "appliance-provider-executor", "aws-provider-executor",
	"aws-provider-inventory", "ec2sim", "fence_aws_executor", "lifecycled"}

// completed are the programs that write completions, for each of the shells.
var (
	completed = []string{"actionctl", "lifecycled"}
	shells    = []string{"bash", "fish", "zsh"}
)

// holdCompletions has each file be what the program of a folder writes, and bash read its own.
func holdCompletions(t *testing.T, programs, bash, fish, zsh string) {
	t.Helper()
	for _, p := range completed {
		for shell, form := range map[string]string{"bash": bash, "fish": fish, "zsh": zsh} {
			file := strings.ReplaceAll(form, "NAME", p)
			if read(t, file) != judge(t, filepath.Join(programs, p), "completion", shell) {
				t.Errorf("%s is not what %s writes", file, p)
			}
		}
		file := strings.ReplaceAll(bash, "NAME", p)
		if said := judge(t, "bash", "-c", ". "+file+"; complete -p "+p); !strings.Contains(said, p) {
			t.Errorf("%s completes %q", file, said)
		}
	}
}

// holdNotices has a file be the notices that the archive has.
func holdNotices(t *testing.T, file string) {
	t.Helper()
	_, version := made(t)
	name := "aws-provider-executor_" + version + "_linux-" + runtime.GOARCH
	want := judge(t, "tar", "--extract", "--gzip", "--to-stdout",
		"--file", one(t, name+".tar.gz"), name+"/"+noticesFile)
	if read(t, file) != want || want == "" {
		t.Errorf("%s is not as in the archive", file)
	}
}

// made is the folder of what make dist made, and its version.
func made(t *testing.T) (folder, version string) {
	t.Helper()
	folder, version = os.Getenv("DIST_MADE"), os.Getenv("DIST_VERSION")
	if folder == "" || version == "" {
		t.Fatal("DIST_MADE and DIST_VERSION are not set; make dist-judges sets them")
	}
	return folder, version
}

// one is the only file of a pattern in the folder.
func one(t *testing.T, pattern string) string {
	t.Helper()
	folder, _ := made(t)
	found, err := filepath.Glob(filepath.Join(folder, pattern))
	if err != nil || len(found) != 1 {
		t.Fatalf("%s is %q, %v", pattern, found, err)
	}
	return found[0]
}

// judge runs a program and returns what it printed. It fails where the program does.
func judge(t *testing.T, command ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	folder, _ := made(t)
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Dir = folder
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", command, err, out)
	}
	return string(out)
}

// tell has each program of a folder tell its version.
func tell(t *testing.T, folder string, inside ...string) {
	t.Helper()
	_, version := made(t)
	for _, p := range inside {
		if got, want := judge(t, filepath.Join(folder, p), "--version"),
			filepath.Base(p)+" "+version+"\n"; got != want {
			t.Errorf("it told %q, want %q", got, want)
		}
	}
}

// SHA256SUMS is what sha256sum reads, and has every file.
func TestSums(t *testing.T) {
	folder, _ := made(t)
	said := judge(t, "sha256sum", "--check", "--strict", sumsFile)
	err := filepath.WalkDir(folder, func(name string, e os.DirEntry, err error) error {
		within, _ := filepath.Rel(folder, name)
		if err == nil && !e.IsDir() && within != sumsFile && !strings.Contains(said, within+": OK\n") {
			t.Errorf("there is no sum of %s", within)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// An archive unpacks to programs that run.
func TestArchive(t *testing.T) {
	_, version := made(t)
	to := t.TempDir()
	name := "aws-provider-executor_" + version + "_linux-" + runtime.GOARCH
	judge(t, "tar", "--extract", "--gzip", "--file", one(t, name+".tar.gz"), "--directory", to)
	tell(t, filepath.Join(to, name, "bin"), programs...)
	if _, err := os.Stat(filepath.Join(to, name, "man", "actionctl.1")); err != nil {
		t.Error(err)
	}
	completions := filepath.Join(to, name, "completions")
	holdCompletions(t, filepath.Join(to, name, "bin"), filepath.Join(completions, "NAME.bash"),
		filepath.Join(completions, "NAME.fish"), filepath.Join(completions, "NAME.zsh"))
}

// Lintian has nothing against Debian's package but what lintian-overrides gives a reason for.
func TestDebian(t *testing.T) {
	deb := one(t, "*_"+runtime.GOARCH+".deb")
	said := judge(t, "lintian", "--allow-root", "--info", "--tag-display-limit=0",
		"--fail-on=error,warning", deb)
	if strings.Contains(said, "W: ") || strings.Contains(said, "E: ") {
		t.Error(said)
	}
	root := t.TempDir()
	judge(t, "dpkg-deb", "--extract", deb, root)
	share := filepath.Join(root, "usr/share")
	holdCompletions(t, filepath.Join(root, "usr/bin"),
		filepath.Join(share, "bash-completion/completions/NAME"),
		filepath.Join(share, "fish/vendor_completions.d/NAME.fish"),
		filepath.Join(share, "zsh/vendor-completions/_NAME"))
	holdNotices(t, filepath.Join(share, "doc/aws-provider-executor", noticesFile))
}

// rpm reads Red Hat's package, installs it, and finds each file as the package has it. It has the
// files that Debian's has, and claims no licence.
func TestRedHat(t *testing.T) {
	rpm := one(t, "*."+map[string]string{"amd64": "x86_64", "arm64": "aarch64"}[runtime.GOARCH]+".rpm")
	if said := judge(t, "rpm", "--checksig", "--nosignature", rpm); !strings.Contains(said, "OK") {
		t.Error(said)
	}
	query := judge(t, "rpm", "--query", "--queryformat",
		"%{NAME}|%{ARCH}|%{LICENSE}|%{SUMMARY}|%{BUILDHOST}", "--package", rpm)
	if !regexp.MustCompile(`^aws-provider-executor\|\w+\|\|Small changes .*\|localhost$`).
		MatchString(query) {
		t.Error(query)
	}
	root := filepath.Join(t.TempDir(), "root")
	if err := os.Mkdir(root, 0o755); err != nil {
		t.Fatal(err)
	}
	judge(t, "rpm", "--root", root, "--initdb")
	// The scripts need a shell, which is not there.
	judge(t, "rpm", "--root", root, "--install", "--nodeps", "--noscripts", "--ignorearch", rpm)
	if said := judge(t, "rpm", "--root", root, "--verify", "--nodeps", "--noscripts",
		"--nouser", "--nogroup", "aws-provider-executor"); said != "" {
		t.Error(said)
	}
	for _, p := range programs {
		folder := "usr/bin"
		if p == "fence_aws_executor" {
			folder = "usr/sbin"
		}
		tell(t, filepath.Join(root, folder), p)
	}
	share := filepath.Join(root, "usr/share")
	holdCompletions(t, filepath.Join(root, "usr/bin"),
		filepath.Join(share, "bash-completion/completions/NAME"),
		filepath.Join(share, "fish/vendor_completions.d/NAME.fish"),
		filepath.Join(share, "zsh/site-functions/_NAME"))
	holdNotices(t, filepath.Join(share, "doc/aws-provider-executor", noticesFile))
	theirs := filesOf(judge(t, "rpm", "--query", "--list", "--package", rpm))
	ours := filesOf(regexp.MustCompile(`(?m)^.* \./`).ReplaceAllString(
		judge(t, "dpkg-deb", "--contents", one(t, "*_"+runtime.GOARCH+".deb")), "/"))
	if !slices.Equal(ours, theirs) {
		t.Errorf("Debian's has\n%s\nRed Hat's has\n%s", strings.Join(ours, "\n"),
			strings.Join(theirs, "\n"))
	}
}

// filesOf are the files of a list, without folders and what only one kind of package has.
func filesOf(list string) []string {
	var files []string
	for line := range strings.Lines(list) {
		name := strings.TrimSpace(line)
		name = strings.Replace(name, "/site-functions/", "/vendor-completions/", 1)
		if !strings.HasSuffix(name, "/") && !strings.Contains(name, "lintian") &&
			!strings.HasSuffix(name, "/changelog.Debian.gz") &&
			name != "/etc/actionctl" && name != "/etc/lifecycled" {
			files = append(files, name)
		}
	}
	slices.Sort(files)
	return files
}

// imageBlock is the block of commands for operators that is run here.
const imageBlock = ".github/docs/operations.md#image"

// commands are those of the block. Its module's reader is not this module's to use.
func commands(t *testing.T) string {
	t.Helper()
	name, _, _ := strings.Cut(imageBlock, "#")
	page, err := os.ReadFile("../../../" + name)
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(page), "\n## Image\n")
	_, block, fenced := strings.Cut(section, "\n```sh\n")
	block, _, closed := strings.Cut(block, "\n```\n")
	if !found || !fenced || !closed {
		t.Fatalf("there is no %s", imageBlock)
	}
	return block + "\n"
}

// skopeo reads the image, umoci unpacks it, and its programs run as its user, who can write its
// state.
func TestImage(t *testing.T) {
	folder, version := made(t)
	var seen struct {
		Os, Architecture string
		Labels           map[string]string
		Layers, Env      []string
	}
	if err := json.Unmarshal([]byte(judge(t, "skopeo", "inspect", "oci:image")), &seen); err != nil {
		t.Fatal(err)
	}
	if seen.Os != "linux" || seen.Architecture != runtime.GOARCH || len(seen.Layers) != 1 ||
		seen.Labels["org.opencontainers.image.version"] != version {
		t.Errorf("%+v", seen)
	}
	place := t.TempDir()
	if err := os.Symlink(filepath.Join(folder, "image"), filepath.Join(place, "image")); err != nil {
		t.Fatal(err)
	}
	judge(t, "sh", "-ec", "cd "+place+"\n"+commands(t)+"test -s image.tar")
	copied := filepath.Join(t.TempDir(), "image")
	judge(t, "skopeo", "copy", "oci:image", "oci:"+copied+":it")
	bundle := filepath.Join(t.TempDir(), "bundle")
	judge(t, "umoci", "unpack", "--image", copied+":it", bundle)
	root := filepath.Join(bundle, "rootfs")
	tell(t, filepath.Join(root, "usr/bin"), programs...)
	holdNotices(t, filepath.Join(root, docFolder, noticesFile))
	plans, err := os.ReadFile("../../../examples/gate/plans.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, command := range [][]string{{"import", "-f", "-"}, {"list"},
		{"nodes", "add", "10.0.0.9"}, {"nodes", "list"}} {
		cmd := exec.Command("chroot", append([]string{"--userspec=65532:65532", root,
			"/usr/bin/actionctl"}, command...)...)
		cmd.Env, cmd.Stdin = seen.Env, bytes.NewReader(plans)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", command, err, out)
		}
	}
	for _, database := range []string{"journal.db", "nodes.db"} {
		if _, err := os.Stat(filepath.Join(root, "var/lib/actionctl", database)); err != nil {
			t.Error(err)
		}
	}
	authorities, err := os.ReadFile(filepath.Join(root, "etc/ssl/certs/ca-certificates.crt"))
	if err != nil || !x509.NewCertPool().AppendCertsFromPEM(authorities) {
		t.Errorf("no authorities: %v", err)
	}
}

// CycloneDX's reader finds in each bill each module that the program tells it is made of.
func TestBillsOfMaterials(t *testing.T) {
	folder, version := made(t)
	to := t.TempDir()
	judge(t, "tar", "--extract", "--gzip", "--strip-components=1", "--directory", to, "--file",
		one(t, "aws-provider-executor_"+version+"_linux-"+runtime.GOARCH+".tar.gz"))
	for _, p := range programs {
		data, err := os.ReadFile(filepath.Join(folder, "sbom", p+".cdx.json"))
		if err != nil {
			t.Fatal(err)
		}
		var bill cdx.BOM
		reader := cdx.NewBOMDecoder(bytes.NewReader(data), cdx.BOMFileFormatJSON)
		if err := reader.Decode(&bill); err != nil {
			t.Fatal(err)
		}
		if bill.Metadata == nil || bill.Metadata.Component == nil ||
			bill.Metadata.Component.Version != version || bill.Components == nil {
			t.Fatalf("%s: it is of no version, or has no modules: %+v", p, bill.Metadata)
		}
		listed := map[string]bool{}
		for _, c := range *bill.Components {
			listed[c.Name+"@"+c.Version] = true
		}
		info, err := buildinfo.ReadFile(filepath.Join(to, "bin", p))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range info.Deps {
			if !listed[m.Path+"@"+m.Version] {
				t.Errorf("%s: %s@%s is not in its bill", p, m.Path, m.Version)
			}
		}
		if len(info.Deps) == 0 || !listed["std@"+info.GoVersion] {
			t.Errorf("%s: %d modules; Go itself listed: %t", p, len(info.Deps),
				listed["std@"+info.GoVersion])
		}
	}
}
