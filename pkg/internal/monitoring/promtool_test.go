//go:build monitoring

package monitoring

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"aws-provider-executor/pkg/ec2sim"
	"aws-provider-executor/pkg/internal/docblocks"
)

// promtool runs Prometheus' own tool, and holds that it finds nothing.
func promtool(t *testing.T, stdin []byte, args ...string) string {
	t.Helper()
	path, err := exec.LookPath("promtool")
	if err != nil {
		t.Fatalf("%v: make monitoring installs it (Debian's package prometheus)", err)
	}
	cmd := exec.Command(path, args...)
	cmd.Dir, cmd.Stdin = "../../../examples/monitoring", bytes.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// TestAlertRules: each is well-formed, fires by what it is for, and is silent otherwise.
func TestAlertRules(t *testing.T) {
	if said := promtool(t, nil, "check", "rules", "alerts.yaml"); !strings.Contains(said, "SUCCESS") {
		t.Errorf("%s", said)
	}
	promtool(t, nil, "test", "rules", "alerts_test.yaml")
}

// TestTheDashboardsQueries: Prometheus can read each of them.
func TestTheDashboardsQueries(t *testing.T) {
	variables := strings.NewReplacer("$__rate_interval", "5m", "$instance", ".*", "$program", ".*",
		"$mode", ".*")
	var all strings.Builder
	all.WriteString("groups:\n- name: queries\n  rules:\n")
	n := 0
	for _, p := range readDashboard(t).Panels {
		for _, target := range p.Targets {
			query, err := json.Marshal(variables.Replace(target.Expr))
			if err != nil {
				t.Fatal(err)
			}
			n++
			fmt.Fprintf(&all, "  - {record: 'query:%d', expr: %s}\n", n, query)
		}
	}
	path := filepath.Join(t.TempDir(), "queries.yaml")
	if err := os.WriteFile(path, []byte(all.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("SUCCESS: %d rules found", n)
	if said := promtool(t, nil, "check", "rules", path); !strings.Contains(said, want) {
		t.Errorf("%s, want %s", said, want)
	}
}

// programs builds all programs, and returns the directory that they are in.
func programs(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	build := exec.Command("go", "build", "-o", dir+"/", "./cmd/...")
	build.Dir = "../../.."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return dir
}

// TestWhatEveryProgramTells: Prometheus' tool finds no fault with what the real programs leave in a
// directory and serve, after work of every kind.
func TestWhatEveryProgramTells(t *testing.T) {
	bin, work := programs(t), t.TempDir()
	server, err := ec2sim.Start(ec2sim.New(ec2sim.Lab()), ec2sim.ServerOptions{
		Metadata: ec2sim.LabMetadata(),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	dir := filepath.Join(work, "metrics")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	env := append(server.Env(), "PATH="+bin+":"+os.Getenv("PATH"), "EXECUTOR_METRICS_DIR="+dir,
		"EXECUTOR_STATE_DIR="+filepath.Join(work, "state"),
		"ACTIONCTL_JOURNAL="+filepath.Join(work, "journal.db"), "USER=tester",
		"NODE="+ec2sim.LabDB, "GROUP="+ec2sim.LabGroupFence)
	requests, err := filepath.Abs("../../../examples")
	if err != nil {
		t.Fatal(err)
	}
	script := exec.Command("sh", "-euc", `
for r in assign-dry-run assign forwarding route fence fence-undo unassign; do
	aws-provider-executor < requests/$r.json > /dev/null
done
echo no JSON | aws-provider-executor > /dev/null
aws-provider-inventory < inventory/request.json > /dev/null
actionctl import -f gate/plans.yaml > /dev/null
actionctl execute 1 > /dev/null 2>&1 || true
actionctl metrics > /dev/null
printf 'action=monitor\nplug=%s\nsecg=%s\ninvert_sg_removal=yes\n' $NODE $GROUP |
	fence_aws_executor > /dev/null
`)
	script.Dir, script.Env = requests, env
	if out, err := script.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	told := map[string][]byte{"ec2sim": served(t, server.URL()+"/_sim/metrics")}
	for _, name := range []string{"aws-provider-executor", "aws-provider-inventory", "actionctl",
		"fence_aws_executor"} {
		text, err := os.ReadFile(filepath.Join(dir, name+".prom"))
		if err != nil {
			t.Fatal(err)
		}
		told[name] = text
	}
	for _, name := range slices.Sorted(maps.Keys(told)) {
		text := told[name]
		if said := promtool(t, text, "check", "metrics"); said != "" {
			t.Errorf("%s: %s", name, said)
		}
		if n := bytes.Count(text, []byte("\n")); n < 50 {
			t.Errorf("%s tells %d lines:\n%s", name, n, text)
		}
	}
}

// TestTheNodeExporter serves what the executor leaves in the directory of the page.
func TestTheNodeExporter(t *testing.T) {
	const block = ".github/docs/monitoring.md#metrics"
	if _, err := exec.LookPath("prometheus-node-exporter"); err != nil {
		t.Fatalf("%v: make monitoring installs it", err)
	}
	server, err := ec2sim.Start(ec2sim.New(ec2sim.Lab()), ec2sim.ServerOptions{
		Metadata: ec2sim.LabMetadata(),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	dir := t.TempDir()
	request, err := os.ReadFile("../../../examples/requests/assign.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "request.json"), request, 0o600); err != nil {
		t.Fatal(err)
	}
	const directory = "--collector.textfile.directory"
	commands := docblocks.Read(t, "../../..", block)
	if !strings.Contains(commands, directory) {
		t.Fatalf("the page names no directory:\n%s", commands)
	}
	commands = strings.Replace(commands, directory, "--web.listen-address=127.0.0.1:0 "+directory, 1)
	sh := docblocks.Shell{Dir: dir, Env: append(server.RoleEnv(), "HOME="+dir,
		"PATH="+programs(t)+":"+os.Getenv("PATH"), "EXECUTOR_STATE_DIR="+dir+"/state")}
	listening := regexp.MustCompile(`127\.0\.0\.1:[0-9]+`)
	sh.Until(t, commands, regexp.MustCompile(`(?i)listening on.*`+listening.String()),
		func(said string) {
			text := served(t, "http://"+listening.FindString(said)+"/metrics")
			const want = `provideraction_operation_duration_seconds_count{failure_class="none",` +
				`mode="execute",program="aws-provider-executor",status="succeeded",` +
				`verb="assign-secondary-ip"} 1`
			if !bytes.Contains(text, []byte(want)) {
				t.Errorf("it does not serve %s:\n%s", want, text)
			}
		})
}

// served reads what is served.
func served(t *testing.T, url string) []byte {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%d, %v", response.StatusCode, err)
	}
	return text
}
