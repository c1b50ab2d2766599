package host

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"aws-provider-executor/pkg/gate"
)

// process starts one that lives until it is ended.
func process(t *testing.T) (p gate.Process, end func()) {
	t.Helper()
	cmd := exec.Command("cat")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	end = func() { _ = in.Close(); _ = cmd.Wait() }
	t.Cleanup(end)
	p = here()
	p.PID = cmd.Process.Pid
	if p.Start, err = started(p.PID); err != nil {
		t.Fatal(err)
	}
	return p, end
}

func TestAProcessLivesUntilItHasEnded(t *testing.T) {
	var m Machine
	if m.Life(m.Self()) != gate.Lives || m.Self().PID != os.Getpid() {
		t.Errorf("this process: %+v", m.Self())
	}
	p, end := process(t)
	if got := m.Life(p); got != gate.Lives {
		t.Errorf("at work: %v", got)
	}
	end()
	if got := m.Life(p); got != gate.Ended {
		t.Errorf("ended: %v", got)
	}
}

// TestAProcessThatNobodyWaitedForHasEnded: its number is taken still.
func TestAProcessThatNobodyWaitedForHasEnded(t *testing.T) {
	p, end := process(t)
	child, err := os.FindProcess(p.PID)
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Kill(); err != nil {
		t.Fatal(err)
	}
	defer end()
	for deadline := time.Now().Add(10 * time.Second); ; {
		if (Machine{}).Life(p) == gate.Ended {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("a killed process lives")
		}
	}
}

// TestWhatIsKnownOfAProcess that is not simply at work here.
func TestWhatIsKnownOfAProcess(t *testing.T) {
	p, _ := process(t)
	if p.Boot == "" || p.Namespace == "" || p.Start == "" || p.Host == "" {
		t.Fatalf("%+v", p)
	}
	for name, tt := range map[string]struct {
		change func(*gate.Process)
		want   gate.Life
	}{
		"as it is":                {func(*gate.Process) {}, gate.Lives},
		"its number is another's": {func(p *gate.Process) { p.Start += "1" }, gate.Ended},
		"another container":       {func(p *gate.Process) { p.Namespace = "pid:[1]" }, gate.LifeUnknown},
		"another machine": {
			func(p *gate.Process) { p.Boot, p.Host = "b", "there" }, gate.LifeUnknown,
		},
		"another without a lasting id": {
			func(p *gate.Process) { p.Boot, p.Machine = "b", "" }, gate.LifeUnknown,
		},
		"no process": {func(p *gate.Process) { *p = gate.Process{} }, gate.LifeUnknown},
		"no start":   {func(p *gate.Process) { p.Start = "" }, gate.LifeUnknown},
	} {
		other := p
		tt.change(&other)
		if got := (Machine{}).Life(other); got != tt.want {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
	restarted := p
	restarted.Boot = "an earlier start"
	want := gate.LifeUnknown
	if p.Machine != "" {
		want = gate.Ended
	}
	if got := (Machine{}).Life(restarted); got != want {
		t.Errorf("the machine was started anew: %v, want %v", got, want)
	}
}

func TestUptimeGoesOn(t *testing.T) {
	var m Machine
	first := m.Uptime()
	if second := m.Uptime(); first <= 0 || second < first {
		t.Errorf("%s, then %s", first, second)
	}
}

// TestANameWithBlanksAndBracketsIsRead past.
func TestANameWithBlanksAndBracketsIsRead(t *testing.T) {
	name := t.TempDir() + "/a ) b (1 2"
	sleep, err := exec.LookPath("cat")
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(sleep)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, data, 0o700); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(name)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = in.Close(); _ = cmd.Wait() }()
	start, err := started(cmd.Process.Pid)
	if err != nil || start == "" || strings.Trim(start, "0123456789") != "" {
		t.Errorf("%q, %v", start, err)
	}
}
