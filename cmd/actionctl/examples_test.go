package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"aws-provider-executor/pkg/commands/helptest"
	"aws-provider-executor/pkg/ec2sim"
	"aws-provider-executor/pkg/testprograms"
)

// notRun are the examples of the help that a test can't run, by how they begin, each with the
// reason. Those of nodes need accounts and stores that are filled; their own scripts run them.
var notRun = map[string]string{
	"actionctl nodes ":                                              "needs a filled store of nodes",
	"actionctl plan stop-instances --key maint":                     "needs a filled store of nodes",
	"actionctl execute --selection":                                 "needs a selection of nodes",
	"actionctl approve 7 --by ann@example.org --sign agent:":        "needs an agent",
	"actionctl journal --follow":                                    "goes on until it is stopped",
	"actionctl journal --verify --from":                             "needs a head that was kept",
	"actionctl journal head >>":                                     "writes outside",
	"actionctl list --key 'mobility-7/*' --watch":                   "goes on until it is stopped",
	"actionctl preflight -f failover.json --watch":                  "goes on until it is stopped",
	"EXECUTOR_METRICS_DIR=/var/lib/node_exporter":                   "writes outside",
	"actionctl evidence verify evidence.json --digest sha256:1f…":   "leaves out most of the digest",
	"actionctl import -f core.db":                                   "needs a core's journal",
	"actionctl iam-policy -f requests.json --compare --role router": "needs IAM",
	"actionctl preflight -f request.json --iam --role lab-router":   "needs IAM",
	"actionctl smoke":                                               "asks a person",
	"actionctl lab teardown":                                        "asks a person",
}

// exampleCodes are the exit codes of examples that are not 0 in the world of the test.
var exampleCodes = map[string]int{
	// Nothing says whose account is expected.
	"actionctl preflight mobility-7/assign --strict -o json": 3,
	// Nobody is at a terminal to say yes.
	"actionctl rollback --all": 2,
}

// exampleNeeds are commands before an example, by how it begins.
var exampleNeeds = map[string]string{
	"actionctl rollback": "actionctl execute 7 8",
	"actionctl undo 7":   "actionctl execute 7",
	"actionctl undo --a": "actionctl execute 7 8; " +
		"sed -i 's/requireApproval: true/requireApproval: false/' policy.yaml",
	"actionctl undo --r": "sed -i s/dry-run/execute/ request.json; " +
		"aws-provider-executor < request.json > result.json",
}

// prepared makes what the examples speak of: requests, plans, a policy, and a journal of eight
// actions, of which 7 and 8 are approved.
const prepared = `set -e
router=eni-01088600000000011
mkdir -p .ssh && ssh-keygen -q -t ed25519 -N '' -f .ssh/id_ed25519
cat > policy.yaml <<END
apiVersion: hybrid.routerd.net/v1alpha1
kind: ProviderActionPolicy
metadata: {name: examples}
spec: {enabled: true, dryRunOnly: false, allowedProviders: [aws], allowUndo: true,
  allowedActions: [assign-secondary-ip], maxActionsPerRun: 50, requireApproval: true}
END
export ACTIONCTL_POLICY=policy.yaml
for i in 1 2 3 4 5 6; do
  actionctl plan assign-secondary-ip --nic $router --address 10.88.60.12$i --key lab/$i
done > fixture.yaml
for i in assign other; do
  actionctl plan assign-secondary-ip --nic $router --address 10.88.60.1${#i} --key mobility-7/$i
done >> fixture.yaml
actionctl import -f fixture.yaml
actionctl execute 7 8 --dry-run
actionctl approve 7 8 --by bob
actionctl preflight 7 --evidence evidence.json
cp evidence.json seen.json
actionctl plan assign-secondary-ip --nic $router --address 10.88.60.9 --key new/1 > plans.yaml
cat > request.json <<END
{"apiVersion": "provideraction.routerd.net/v1alpha1", "kind": "ExecuteActionRequest", "spec": {
  "action": "assign-secondary-ip", "provider": "aws", "mode": "dry-run", "idempotencyKey": "new/2",
  "target": {"nicRef": "$router", "address": "10.88.60.9", "region": "ap-northeast-1"}}}
END
cp request.json requests.json
aws-provider-executor < request.json > result.json
`

// helpExamples are the command lines in the help of every command, each once; those that begin
// with other programs are left out.
func helpExamples(t *testing.T, bin string) []string {
	t.Helper()
	var all []string
	var walk func(of ...string)
	walk = func(of ...string) {
		out, err := exec.Command(filepath.Join(bin, "actionctl"), append(of, "--help")...).Output()
		if err != nil {
			t.Fatalf("actionctl %s --help: %v", strings.Join(of, " "), err)
		}
		examples, commands := readHelp(string(out), len(of) == 0)
		for _, line := range examples {
			own := strings.HasPrefix(line, "actionctl ") || strings.HasPrefix(line, "EXECUTOR_")
			if own && !slices.Contains(all, line) {
				all = append(all, line)
			}
		}
		if len(of) > 0 && of[0] == "plan" {
			return
		}
		for _, name := range commands {
			walk(append(slices.Clone(of), name)...)
		}
	}
	walk()
	return all
}

// readHelp returns the examples of a help, each as one line, and the commands that it lists: on top
// in any section, elsewhere in that of its commands.
func readHelp(help string, top bool) (examples, commands []string) {
	section, line := "", ""
	for l := range strings.Lines(help) {
		l = strings.TrimRight(l, "\n")
		if !strings.HasPrefix(l, "  ") {
			if strings.HasSuffix(l, ":") {
				section = l
			}
			continue
		}
		if section == "Examples:" {
			joined, more := strings.CutSuffix(line+strings.TrimSpace(l), `\`)
			if line = joined; !more {
				examples, line = append(examples, line), ""
			}
			continue
		}
		name, about, _ := strings.Cut(l[2:], " ")
		isCommand := name != "" && about != "" && !strings.HasPrefix(name, "-")
		if isCommand && section != "Usage:" && (top || section == "Commands:") {
			commands = append(commands, name)
		}
	}
	return examples, commands
}

// TestHelpExamplesRun runs the examples of the help as they stand, on a stand-in of their own.
func TestHelpExamplesRun(t *testing.T) {
	if _, err := exec.LookPath("ssh-keygen"); err != nil {
		t.Fatal("there is no ssh-keygen, of Debian's openssh-client: ", err)
	}
	bin, err := shipped()
	if err != nil {
		t.Fatal(err)
	}
	ran, used := 0, map[string]bool{}
	for _, line := range helpExamples(t, bin) {
		if reason := beginning(notRun, line, used); reason != "" {
			continue
		}
		ran++
		t.Run(line, func(t *testing.T) {
			t.Parallel()
			runExample(t, bin, line)
		})
	}
	if ran < 50 {
		t.Errorf("only %d examples were run", ran)
	}
	for begins := range notRun {
		if !used[begins] {
			t.Errorf("no example begins with %q", begins)
		}
	}
}

// beginning is the value of the key that a line begins with.
func beginning(of map[string]string, line string, used map[string]bool) string {
	for begins, value := range of {
		if strings.HasPrefix(line, begins) {
			used[begins] = true
			return value
		}
	}
	return ""
}

// every is each program that ships, with what its examples need and say.
var every = []struct {
	program string
	// request is the file that the examples call request.json; says is in what they print.
	request, says string
	// code is the exit code of wrong usage.
	code int
}{
	{program: "actionctl", code: 2},
	{program: "aws-provider-executor", request: "requests/assign-dry-run.json",
		says: `"status": "succeeded"`, code: 2},
	{program: "appliance-provider-executor", request: "requests/assign-dry-run.json",
		says: `"kind": "ExecuteActionResult"`, code: 2},
	{program: "aws-provider-inventory", request: "inventory/request.json",
		says: `"kind": "ObservePrivateIPsResult"`, code: 2},
	{program: "ec2sim", says: "router-a", code: 2},
	// 2 would mean that an instance is off.
	{program: "fence_aws_executor", says: "router-a", code: 1},
	{program: "lifecycled", code: 2},
}

// ofOthers are examples that a test of this package does not run, by how they begin.
var ofOthers = map[string]string{
	"actionctl ":                    "TestHelpExamplesRun runs them",
	"lifecycled ":                   "cmd/lifecycled runs them",
	"ec2sim run -- aws ":            "needs the AWS CLI; pkg/internal/conformance runs that",
	"fence_aws_executor --action=s": "needs a group of that id; cmd/fence_aws_executor runs that",
}

// TestHelpOfEveryProgram fits a screen and ends with an example that runs. Wrong usage is told in a
// line that names the help.
func TestHelpOfEveryProgram(t *testing.T) {
	var programs []string
	for _, p := range every {
		programs = append(programs, p.program)
	}
	bin, err := testprograms.Build(programs...)
	if err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{}
	for _, p := range every {
		t.Run(p.program, func(t *testing.T) {
			out, err := exec.Command(filepath.Join(bin, p.program), "--help").Output()
			short, errShort := exec.Command(filepath.Join(bin, p.program), "-h").Output()
			if err != nil || errShort != nil || string(short) != string(out) {
				t.Errorf("--help: %v, -h: %v: %s", err, errShort, short)
			}
			helptest.Fits(t, string(out), 0)
			examples, _ := readHelp(string(out), true)
			for _, line := range examples {
				if beginning(ofOthers, line, used) == "" {
					runOther(t, bin, line, p.request, p.says)
				}
			}
			for _, wrong := range []string{"--frobnicate", "frobnicate"} {
				checkWrong(t, filepath.Join(bin, p.program), wrong, p.code)
			}
		})
	}
	for begins := range ofOthers {
		if !used[begins] {
			t.Errorf("no example begins with %q", begins)
		}
	}
}

// checkWrong checks what a program says of a wrong argument.
func checkWrong(t *testing.T, program, wrong string, code int) {
	t.Helper()
	cmd := exec.Command(program, wrong)
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	_ = cmd.Run() // its exit code is looked at
	if got := cmd.ProcessState.ExitCode(); got != code || stdout.Len() > 0 {
		t.Errorf("%s: exit code %d, want %d, and it prints %q", wrong, got, code, &stdout)
	}
	said := stderr.String()
	if strings.Count(said, "\n") != 1 || !oneHelp.MatchString(said) {
		t.Errorf("%s: %s", wrong, said)
	}
}

// oneHelp is the end of a line that names the help.
var oneHelp = regexp.MustCompile(`; see [a-z2_-]+ --?help\n$`)

// runOther runs an example of another program than actionctl on a stand-in of its own.
func runOther(t *testing.T, bin, line, request, says string) {
	t.Helper()
	srv, err := ec2sim.Start(ec2sim.New(ec2sim.Lab()),
		ec2sim.ServerOptions{Metadata: ec2sim.LabMetadata()})
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	cmd := exec.Command("sh", "-c", line)
	cmd.Dir = t.TempDir()
	cmd.Env = append(srv.Env(), "PATH="+bin+":"+os.Getenv("PATH"), "HOME="+cmd.Dir,
		"EXECUTOR_STATE_DIR="+filepath.Join(cmd.Dir, "state"))
	if request != "" {
		text, err := os.ReadFile(filepath.Join("..", "..", "examples", request))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(cmd.Dir, "request.json"), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), says) {
		t.Errorf("%s: %v: %s", line, err, out)
	}
}

func runExample(t *testing.T, bin, line string) {
	srv, err := ec2sim.Start(ec2sim.New(ec2sim.Lab()),
		ec2sim.ServerOptions{Metadata: ec2sim.LabMetadata()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(srv.Close)
	dir := t.TempDir()
	run := func(script string) (string, int) {
		cmd := exec.Command("sh", "-c", script)
		cmd.Dir = dir
		cmd.Env = append(srv.Env(), "PATH="+bin+":"+os.Getenv("PATH"), "HOME="+dir,
			"ACTIONCTL_JOURNAL="+filepath.Join(dir, "journal.db"),
			"EXECUTOR_STATE_DIR="+filepath.Join(dir, "state"),
			"ACTIONCTL_POLICY="+filepath.Join(dir, "policy.yaml"))
		out, _ := cmd.CombinedOutput() // its exit code is looked at
		return string(out), cmd.ProcessState.ExitCode()
	}
	before := beginning(exampleNeeds, line, map[string]bool{})
	// The policy is made first: until then its variable names none.
	if out, code := run("unset ACTIONCTL_POLICY\n" + prepared + before); code != 0 {
		t.Fatalf("what it needs could not be made: %d\n%s", code, out)
	}
	if out, code := run(line); code != exampleCodes[line] {
		t.Errorf("exit code %d, want %d:\n%s", code, exampleCodes[line], out)
	}
}
