package docblocks

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/pkg/ec2sim"
	"aws-provider-executor/pkg/protocol"
	"aws-provider-executor/pkg/testprograms"
)

// requests are the blocks that are a request, each with the block of its result, if the page has
// one. A whole result is all that the executor answers; another one leaves facts out.
var requests = map[string]struct {
	result string
	whole  bool
}{
	".github/docs/core.md#a-request-and-its-result": {
		".github/docs/core.md#a-request-and-its-result/2", true},
	".github/docs/contract.md#the-request":        {".github/docs/contract.md#the-result", false},
	".github/docs/preflight.md#the-executors-own": {},
}

// TestRequests: each request succeeds on the stand-in, with the result that the page has.
func TestRequests(t *testing.T) {
	bin, err := testprograms.Build(programs...)
	if err != nil {
		t.Fatal(err)
	}
	for id, r := range requests {
		t.Run(id, func(t *testing.T) {
			t.Parallel()
			answer := answered(t, bin, Read(t, top, id))
			if answer.Status.Status != protocol.Succeeded {
				t.Fatalf("it is %s: %s", answer.Status.Status, answer.Status.Message)
			}
			if r.result == "" {
				return
			}
			told, faults := protocol.DecodeResult([]byte(Read(t, top, r.result)))
			if len(faults) > 0 {
				t.Fatal(faults)
			}
			if len(told.Status.Observed) < 3 {
				t.Errorf("the page's result has the facts %v", told.Status.Observed)
			}
			if !r.whole {
				for fact := range answer.Status.Observed {
					if _, is := told.Status.Observed[fact]; !is {
						delete(answer.Status.Observed, fact)
					}
				}
			}
			if diff := cmp.Diff(told, answer); diff != "" {
				t.Errorf("the page has another result (-page +executor):\n%s", diff)
			}
		})
	}
}

// answered has the executor carry a request out, on a stand-in of its own.
func answered(t *testing.T, bin, request string) protocol.Result {
	t.Helper()
	if _, faults := protocol.Decode(strings.NewReader(request)); len(faults) > 0 {
		t.Fatal(faults)
	}
	server, err := ec2sim.Start(ec2sim.New(ec2sim.Lab()),
		ec2sim.ServerOptions{Metadata: ec2sim.LabMetadata()})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	cmd := exec.Command(filepath.Join(bin, "aws-provider-executor"))
	cmd.Env = append(server.RoleEnv(), "EXECUTOR_STATE_DIR="+t.TempDir())
	cmd.Stdin = strings.NewReader(request)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil || stderr.Len() > 0 {
		t.Fatalf("%v: %s", err, &stderr)
	}
	answer, faults := protocol.DecodeResult(out)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	return answer
}

// ledgerFiles is the block that lists what a ledger has on the disk, and onlySometimes is what of
// it is there at times alone.
const ledgerFiles = ".github/docs/ledger.md#on-the-disk"

var onlySometimes = []string{"swept", "building"}

// TestTheLedgersFiles: the page names every file of a ledger, and none that is not there.
func TestTheLedgersFiles(t *testing.T) {
	bin, err := testprograms.Build(programs...)
	if err != nil {
		t.Fatal(err)
	}
	server, err := ec2sim.Start(ec2sim.New(ec2sim.Lab()),
		ec2sim.ServerOptions{Metadata: ec2sim.LabMetadata()})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	dir := t.TempDir()
	sh := Shell{Dir: dir, Env: append(server.RoleEnv(), "EXECUTOR_STATE_DIR="+dir+"/state",
		"PATH="+os.Getenv("PATH"))}
	abs, err := filepath.Abs(top)
	if err != nil {
		t.Fatal(err)
	}
	sh.Run(t, bin+"/aws-provider-executor < "+abs+"/examples/requests/forwarding.json")
	var named []string
	for line := range strings.Lines(Read(t, top, ledgerFiles)) {
		path := strings.TrimSuffix(strings.Fields(line)[0], "/")
		name, _, below := strings.Cut(path, "/")
		named = append(named, name)
		if below && strings.HasPrefix(path, "records/") {
			if _, err := os.Stat(filepath.Join(dir, "state", path)); err != nil {
				t.Error(err)
			}
		}
	}
	var there []string
	entries, err := os.ReadDir(filepath.Join(dir, "state"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		there = append(there, e.Name())
		if !slices.Contains(named, e.Name()) {
			t.Errorf("the page does not name %s", e.Name())
		}
	}
	for _, name := range named {
		if !slices.Contains(there, name) && !slices.Contains(onlySometimes, name) {
			t.Errorf("the page names %s, which is not there", name)
		}
	}
}

// proofs is the page of what is promised, and proofTests are the folders of the tests that count.
const proofs = ".github/docs/proofs.md"

var proofTests = []string{"pkg/history", "pkg/internal/conformance", "pkg/internal/proof"}

// TestEveryFigureOfTheProofsIsHeld: each count in what a run of the proofs does is told as a least
// or an exact one, and a test has its words.
func TestEveryFigureOfTheProofsIsHeld(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(top, proofs))
	if err != nil {
		t.Fatal(err)
	}
	number := regexp.MustCompile(`(at least |exactly )?[0-9][0-9,]*[0-9]? ([a-z][A-Za-z0-9 -]*)`)
	table, _, _ := strings.Cut(string(text), "Further commands")
	held := 0
	for line := range strings.Lines(table) {
		cells := strings.Split(line, "|")
		if len(cells) != 4 {
			continue
		}
		for _, found := range number.FindAllStringSubmatch(cells[2], -1) {
			what := strings.TrimSpace(found[2])
			switch {
			case found[1] == "":
				t.Errorf("%s says %q, and not if that is at least or exactly so", proofs, found[0])
			case !slices.ContainsFunc(proofTests, func(f string) bool { return reads(t, f, what) }):
				t.Errorf("%s says %q, and no test counts %q", proofs, found[0], what)
			}
			held++
		}
	}
	if held < 20 {
		t.Errorf("%s has %d counts", proofs, held)
	}
}
