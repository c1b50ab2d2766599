package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"aws-provider-executor/pkg/ec2sim"
)

// helperScript is a credential helper that leaves a process behind. It writes the ids of both to
// the file pids, by a rename, and then does as told.
const helperScript = `#!/bin/sh
sleep 1000 &
echo $$ $! > pids.new
mv pids.new pids
%s
`

// helperAnswer is what a helper answers with, on one line.
var helperAnswer = `echo '{"Version":1,"AccessKeyId":"` + ec2sim.LabCredential.AccessKeyID +
	`","SecretAccessKey":"` + ec2sim.LabCredential.SecretAccessKey + `"}'`

// helped returns surroundings whose identity comes from a helper that does as told.
func helped(t *testing.T, does string) *surroundings {
	t.Helper()
	s := newSurroundings(t)
	s.profile("p", "[profile p]\ncredential_process = "+s.file("helper", fmt.Sprintf(helperScript,
		does))+"\n")
	return s
}

// pids waits until the helper has said which processes there are.
func (s *surroundings) pids() []int {
	s.t.Helper()
	for {
		text, err := os.ReadFile(filepath.Join(s.dir, "pids"))
		if err == nil {
			var ids []int
			for _, field := range strings.Fields(string(text)) {
				id, err := strconv.Atoi(field)
				if err != nil {
					s.t.Fatal(err)
				}
				ids = append(ids, id)
			}
			return ids
		}
		if !errors.Is(err, os.ErrNotExist) || s.t.Context().Err() != nil {
			s.t.Fatal(err)
		}
		time.Sleep(time.Millisecond)
	}
}

// gone waits until a process has ended. One that is dead and not yet waited for counts as ended.
func (s *surroundings) gone(pid int) {
	s.t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if errors.Is(err, os.ErrNotExist) || bytes.Contains(stat, []byte(") Z ")) || errors.Is(err,
			syscall.ESRCH) {
			return
		}
		time.Sleep(time.Millisecond)
	}
	s.t.Errorf("the process %d lives on", pid)
	_ = syscall.Kill(pid, syscall.SIGKILL)
}

// TestAHelperEndsWithTheExecutor: with all that it started, whether it answered, failed or hung,
// and whether the executor was asked to stop. Nothing keeps the executor's standard error open.
func TestAHelperEndsWithTheExecutor(t *testing.T) {
	for _, c := range []struct {
		name, does, status string
		signal             bool
		env                string
	}{
		{"it answers", helperAnswer, "succeeded", false, ""},
		{"it answers and keeps its output open", helperAnswer + "; exec >&- 2>&-; exit 0", "succeeded",
			false, ""},
		{"it fails", "exit 1", "failed", false, ""},
		{"it hangs until the deadline", "wait", "failed", false, "EXECUTOR_TIMEOUT=1s"},
		{"it hangs, and the executor is asked to stop", "wait", "failed", true, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := helped(t, c.does)
			cmd := exec.Command("aws-provider-executor")
			cmd.Dir, cmd.Env = s.dir, append(append([]string{}, s.env...), c.env)
			cmd.Stdin = strings.NewReader(fmt.Sprintf(assignRequest, "dry-run"))
			var out bytes.Buffer
			cmd.Stdout = &out
			said, err := cmd.StderrPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			if c.signal {
				s.pids()
				if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
					t.Fatal(err)
				}
			}
			// It ends only when nobody has it open any more.
			if _, err := io.ReadAll(said); err != nil {
				t.Fatal(err)
			}
			if err := cmd.Wait(); err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(out.String(), `"status": "`+c.status+`"`) {
				t.Errorf("want %s:\n%s", c.status, out.String())
			}
			for _, pid := range s.pids() {
				s.gone(pid)
			}
		})
	}
}

// TestAKilledExecutorTakesItsHelperAlong: with all that the helper started.
func TestAKilledExecutorTakesItsHelperAlong(t *testing.T) {
	s := helped(t, "wait")
	cmd := exec.Command("aws-provider-executor")
	cmd.Dir, cmd.Env = s.dir, s.env
	cmd.Stdin = strings.NewReader(fmt.Sprintf(assignRequest, "dry-run"))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	pids := s.pids()
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	for _, pid := range pids {
		s.gone(pid)
	}
}

// TestAHelperIsAskedOnce: what it gave is good for a run, also below a role that STS is slow to
// give.
func TestAHelperIsAskedOnce(t *testing.T) {
	s := newSurroundings(t)
	script := s.file("helper", "#!/bin/sh\necho asked >> asked\ncat > stdin\n"+helperAnswer+"\n")
	url, asked := answering(t, 503, "text/xml", stsError("ServiceUnavailable", "busy"))
	s.profile("router",
		"[profile router]\nrole_arn = "+routerRole+"\nsource_profile = p\n[profile "+
			"p]\ncredential_process = "+script+"\n")
	s.env = append(s.env, "AWS_ENDPOINT_URL_STS="+url)
	s.fails("unavailable", "true", "STS, for the role "+routerRole, "it says ServiceUnavailable: busy")
	text, err := os.ReadFile(filepath.Join(s.dir, "asked"))
	if err != nil || string(text) != "asked\n" || asked.Load() != 5 {
		t.Errorf("the helper was %q, STS asked %d times, %v", text, asked.Load(), err)
	}
	// The request on the executor's standard input is not for a helper to read.
	if text, err := os.ReadFile(filepath.Join(s.dir, "stdin")); err != nil || len(text) != 0 {
		t.Errorf("the helper read %q, %v", text, err)
	}
}

// TestARoleAboveAHelper: a role is assumed with what a helper gave, for all that the profile says.
func TestARoleAboveAHelper(t *testing.T) {
	s := newSurroundings(t)
	script := s.file("helper", "#!/bin/sh\n"+helperAnswer+"\n")
	url, forms := assumed(t)
	s.profile("router",
		"[profile router]\nrole_arn = "+routerRole+"\nsource_profile = p\nrole_session_name = "+
			"me\nexternal_id = outside\nduration_seconds = 1800\n"+
			"[profile p]\ncredential_process = "+script+"\n")
	s.env = append(s.env, "AWS_ENDPOINT_URL_STS="+url)
	if got := s.run(); got.Status != "succeeded" {
		t.Errorf("%s: %s\n%s", got.Status, got.Error, got.stderr)
	}
	form := <-forms
	for name, want := range map[string]string{"RoleArn": routerRole, "RoleSessionName": "me",
		"ExternalId": "outside", "DurationSeconds": "1800"} {
		if got := form.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if len(forms) != 0 {
		t.Error("STS was asked more than once")
	}
}
