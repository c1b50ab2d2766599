package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/pkg/ec2sim"
)

// fewest and most are the limits on open files that programs are run under. With the fewest a
// program can't begin, and with the most it does its work.
const fewest, most = 3, 24

// underLimit runs a program that may have so many files open.
func (s *site) underLimit(
	limit int, stdin string, env []string, program string, args ...string,
) (code int, stdout, stderr string) {
	s.t.Helper()
	script := fmt.Sprintf(`ulimit -n %d; exec "$0" "$@"`, limit)
	c := exec.Command("sh", append([]string{"-c", script, filepath.Join(s.bin, program)}, args...)...)
	var out, said bytes.Buffer
	// What waits for a descriptor waits for a part of the time.
	c.Env = append(append(slices.Clone(s.env), "EXECUTOR_TIMEOUT=4s"), env...)
	c.Stdin, c.Stdout, c.Stderr = strings.NewReader(stdin), &out, &said
	if err := c.Run(); c.ProcessState == nil {
		s.t.Fatal(err)
	}
	return c.ProcessState.ExitCode(), out.String(), said.String()
}

// result is what a plugin answered: the same of an executor and an inventory.
type result struct {
	Status struct {
		Status   string         `json:"status"`
		Error    string         `json:"error"`
		Observed map[string]any `json:"observed"`
	} `json:"status"`
}

// honest holds an answer of a plugin that may have had too few files open. It reports whether the
// answer was a success. What is no result is a program that could not begin.
func honest(t *testing.T, what string, code int, stdout, stderr string) (succeeded bool) {
	t.Helper()
	if code != 0 {
		if stdout != "" || stderr == "" {
			t.Errorf("%s: exit %d and %q, %q", what, code, stdout, stderr)
		}
		return false
	}
	var r result
	if err := json.Unmarshal([]byte(stdout), &r); err != nil {
		t.Errorf("%s: %v in %q", what, err, stdout)
		return false
	}
	if r.Status.Status != "failed" {
		return true
	}
	class, told := r.Status.Observed["failureClass"].(string)
	if !told {
		// The inventory says it before the sentence.
		class, _, _ = strings.Cut(r.Status.Error, ":")
	}
	if !slices.Contains([]string{"state-store", "unavailable", "configuration"}, class) ||
		!strings.Contains(r.Status.Error, "too many open files") {
		t.Errorf("%s: %s, %s", what, class, r.Status.Error)
	}
	return false
}

// TestFewOpenFilesOfTheExecutor: whatever it can't open, it says so under a class that is true, and
// changes nothing. It never takes another identity for the one that it can't read.
func TestFewOpenFilesOfTheExecutor(t *testing.T) {
	keys := ec2sim.LabRoleCredential
	for name, of := range map[string]struct {
		env   []string
		files map[string]string
	}{
		"instance role": {},
		"no ledger":     {env: []string{"EXECUTOR_STATE_DIR=none"}},
		"a profile's keys": {env: []string{"AWS_PROFILE=own", "AWS_CONFIG_FILE={}/config"},
			files: map[string]string{"config": fmt.Sprintf("[profile own]\naws_access_key_id = %s\n"+
				"aws_secret_access_key = %s\naws_session_token = %s\n", keys.AccessKeyID,
				keys.SecretAccessKey, keys.SessionToken)}},
		"a default profile": {env: []string{"AWS_SHARED_CREDENTIALS_FILE={}/credentials"},
			files: map[string]string{"credentials": "[default]\naws_access_key_id = AKIAOTHER\n" +
				"aws_secret_access_key = other\n"}},
		"a helper": {env: []string{"AWS_PROFILE=own", "AWS_CONFIG_FILE={}/config"},
			files: map[string]string{"config": "[profile own]\ncredential_process = cat {}/keys\n",
				"keys": fmt.Sprintf(`{"Version": 1, "AccessKeyId": %q, "SecretAccessKey": %q,`+
					`"SessionToken": %q}`, keys.AccessKeyID, keys.SecretAccessKey, keys.SessionToken)}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			var env []string
			for _, e := range of.env {
				env = append(env, strings.ReplaceAll(e, "{}", s.dir))
			}
			for _, file := range slices.Sorted(maps.Keys(of.files)) {
				s.write(file, strings.ReplaceAll(of.files[file], "{}", s.dir))
			}
			s.limits(t, env, name == "a default profile")
		})
	}
}

// limits runs the executor under every limit, dry and not. With keys that are not EC2's nothing
// succeeds, and to say so is right once all could be read.
func (s *site) limits(t *testing.T, env []string, refused bool) {
	succeeded := 0
	for limit := fewest; limit <= most; limit++ {
		for _, mode := range []string{"dry-run", "execute"} {
			before := s.sim.State()
			_ = os.RemoveAll(s.path("state"))
			request := fmt.Sprintf(`{"apiVersion":"provideraction.routerd.net/v1alpha1",`+
				`"kind":"ExecuteActionRequest","spec":{"action":"assign-secondary-ip","provider":"aws",`+
				`"mode":%q,"idempotencyKey":"k/%d","target":{"nicRef":%q,"address":"10.88.60.%d",`+
				`"region":%q}}}`, mode, limit, ec2sim.LabSpareInterface, 150+limit, ec2sim.LabRegion)
			code, out, said := s.underLimit(limit, request, env, "aws-provider-executor")
			what := fmt.Sprintf("%d files, %s", limit, mode)
			if refused && strings.Contains(out, "AuthFailure") {
				succeeded++
			} else if honest(t, what, code, out, said) {
				succeeded++
				if mode == "execute" {
					if cmp.Equal(before, s.sim.State()) {
						t.Errorf("%s: a success that changed nothing: %s", what, out)
					}
					continue
				}
			}
			if diff := cmp.Diff(before, s.sim.State()); diff != "" {
				t.Errorf("%s: the world changed (-before +now):\n%s\n%s%s", what, diff, out, said)
			}
		}
	}
	if all := 2 * (most - fewest + 1); succeeded < 2 || succeeded > all-8 {
		t.Errorf("%d of %d runs could do their work", succeeded, all)
	}
}

// TestFewOpenFilesOfTheInventory: it says nothing, or all, or why it could not.
func TestFewOpenFilesOfTheInventory(t *testing.T) {
	s := newSite(t)
	request, err := os.ReadFile("../../examples/inventory/request.json")
	if err != nil {
		t.Fatal(err)
	}
	_, whole, _ := s.underLimit(100, string(request), nil, "aws-provider-inventory")
	told := 0
	for limit := fewest; limit <= most; limit++ {
		code, out, said := s.underLimit(limit, string(request), nil, "aws-provider-inventory")
		if !honest(t, fmt.Sprint(limit, " files"), code, out, said) {
			continue
		}
		if told++; out != whole {
			t.Errorf("with %d files it tells something else:\n%s", limit, cmp.Diff(whole, out))
		}
	}
	if told == 0 || told == most-fewest+1 {
		t.Errorf("it told all %d times", told)
	}
}

// TestFewOpenFilesOfTheAgent: 2 means off, and nothing that is on is ever called that.
func TestFewOpenFilesOfTheAgent(t *testing.T) {
	s := newSite(t)
	before := s.sim.State()
	on := 0
	for limit := fewest; limit <= most; limit++ {
		code, out, said := s.underLimit(limit, "", nil, "fence_aws_executor", "-o", "status",
			"-n", ec2sim.LabDB, "-r", ec2sim.LabRegion, "--secg", ec2sim.LabGroupFence,
			"--invert-sg-removal")
		if code == 2 {
			t.Errorf("with %d files an instance that runs is off: %s%s", limit, out, said)
		}
		if code == 0 {
			on++
		}
	}
	if diff := cmp.Diff(before, s.sim.State()); diff != "" {
		t.Errorf("a question changed the world (-before +now):\n%s", diff)
	}
	if on == 0 || on == most-fewest+1 {
		t.Errorf("it was told to be on %d times", on)
	}
}

// TestFewOpenFilesOfTheGate: what it can't do it says, and whatever became of the first run, the
// second one without a limit ends it. Nothing is done twice.
func TestFewOpenFilesOfTheGate(t *testing.T) {
	done := 0
	for limit := fewest; limit <= most+8; limit++ {
		s := newSite(t)
		s.plans(1)
		before := s.sim.State()
		code, out, said := s.underLimit(limit, "", nil, "actionctl", "execute", "1")
		changed := !cmp.Equal(before, s.sim.State())
		row := fmt.Sprint(s.rows())
		switch {
		case code == 0 && (!changed || row != "[succeeded]"), code == 3 && changed,
			code == 3 && !strings.Contains(said, "too many open files"):
			t.Errorf("%d files: exit %d, changed %t, %s\n%s%s", limit, code, changed, row, out, said)
		case code != 0 && said == "":
			t.Errorf("%d files: exit %d without a word", limit, code)
		case code == 0:
			done++
			continue
		}
		if row != "[succeeded]" {
			s.must("execute", "1")
		}
		if row, calls := fmt.Sprint(s.rows()), s.changingCalls(); row != "[succeeded]" || calls != 1 {
			t.Errorf("%d files: then %s with %d changing calls\n%s%s", limit, row, calls, out, said)
		}
		s.must("journal", "--verify")
	}
	if done == 0 || done == most+8-fewest+1 {
		t.Errorf("it went through %d times", done)
	}
}
