//go:build conformance

package conformance

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestFenceAgent has the fence agent fence and unfence at both places, alone and beside the
// fence_aws_vpc_net agent, in both directions. What boto3 sees of it judges.
func TestFenceAgent(t *testing.T) {
	t.Parallel()
	for _, start := range []func() (*place, error){startMoto, startSim} {
		at := own(t, start)
		for name, test := range map[string]func(*testing.T, *actions){
			"fences and unfences":                agentAlone,
			"unfences what the other one fenced": agentAfterTheOther,
			"is unfenced by the other one":       otherAfterTheAgent,
		} {
			t.Run(at.name+", "+name, func(t *testing.T) {
				w := at.fresh(t)
				before := w.look(t)
				test(t, w.actions(t))
				w.settle(t)
				if left := w.look(t).since(before); left != "" && left != untold {
					t.Errorf("it left %s", left)
				}
			})
		}
	}
}

// agentRun is one run of the agent.
type agentRun struct {
	code           int
	stdout, stderr string
	wall, cpu      time.Duration
}

// agent runs the agent as a cluster does.
func (a *actions) agent(t *testing.T, action string, more ...string) agentRun {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	lines := append([]string{
		"action=" + action, "plug=" + a.ids["db"], "region=" + region, "skip_race_check=1",
		"secg=" + a.ids["group-fence"], "invert_sg_removal=1",
	}, more...)
	cmd := a.shell(ctx, `unset HOME; exec "$@"`, house.fenceAgent)
	cmd.Env = append(cmd.Env, "EXECUTOR_STATE_DIR="+a.state)
	cmd.Stdin = strings.NewReader(strings.Join(lines, "\n") + "\n")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	begin := time.Now()
	_ = cmd.Run() // the exit code is what it says
	state := cmd.ProcessState
	return agentRun{
		state.ExitCode(), stdout.String(), stderr.String(),
		time.Since(begin), state.UserTime() + state.SystemTime(),
	}
}

// agentSays runs the agent, and holds its exit code and a part of its words.
func (a *actions) agentSays(t *testing.T, code int, want, action string, more ...string) {
	t.Helper()
	got := a.agent(t, action, more...)
	if got.code != code || !strings.Contains(got.stdout+got.stderr, want) {
		t.Fatalf("%s: exit code %d, want %d and %q\n%s%s", action, got.code, code, want, got.stdout,
			got.stderr)
	}
}

var fencedGroups = map[string]string{"nic-db0": "group-fence", "nic-db1": "group-fence"}

func agentAlone(t *testing.T, a *actions) {
	told.scenario(a.name)
	a.agentSays(t, 0, "Status: ON", "status")
	a.agentSays(t, 0, "", "monitor")
	a.have(t, before)
	a.agentSays(t, 0, "Success: fenced", "off")
	a.have(t, fencedGroups)
	a.agentSays(t, 2, "Status: OFF", "status")
	a.agentSays(t, 0, "Success", "off")
	a.agentSays(t, 0, "Success: unfenced", "on")
	a.have(t, before)
	a.untagged(t)
	a.agentSays(t, 0, "nothing to restore", "on")
	a.agentSays(t, 0, a.ids["db"]+",", "list")
	a.agentSays(t, 1, "Failed: ", "off", "plug=i-0123456789abcdef0")
}

func agentAfterTheOther(t *testing.T, a *actions) {
	told.scenario(a.name)
	a.agentFences(t, "group-fence")
	a.agentSays(t, 2, "Status: OFF", "status")
	a.agentSays(t, 0, "Success", "off")
	a.agentSays(t, 0, "Success: unfenced", "on")
	a.have(t, before)
	a.untagged(t)
}

func otherAfterTheAgent(t *testing.T, a *actions) {
	told.scenario(a.name)
	a.agentSays(t, 0, "Success: fenced", "off")
	a.agentUnfences(t)
	a.have(t, before)
	a.agentSays(t, 0, "Status: ON", "status")
	a.agentSays(t, 0, "Success", "on")
	a.have(t, before)
	a.untagged(t)
}

// TestFenceAgentFigures measures off at moto, beside the executor's own execute of the same fence.
// Nothing fails for being slow.
func TestFenceAgentFigures(t *testing.T) {
	t.Parallel()
	told.scenario(moto)
	at := own(t, startMoto)
	a := at.fresh(t).actions(t)
	var wall, cpu, plugin []time.Duration
	for range 15 {
		off := a.agent(t, "off")
		if off.code != 0 {
			t.Fatalf("%+v", off)
		}
		wall, cpu = append(wall, off.wall), append(cpu, off.cpu)
		a.agentSays(t, 0, "Success", "on")

		begun := a.spent
		a.expect(t, invertedFence+aside, "succeeded changed=true fenced=true")
		plugin = append(plugin, a.spent-begun)
		a.expect(t, "execute undo", "succeeded changed=true")
	}
	const known = 5500 * time.Millisecond
	t.Logf("off at moto: %s, 1/%d of the 5.5 s of the agent known so far; CPU %s, %.2f of the"+
		" executor's %s", median(wall), known/median(wall), median(cpu),
		float64(median(cpu))/float64(median(plugin)), median(plugin))
}

func median(all []time.Duration) time.Duration {
	slices.Sort(all)
	return all[len(all)/2]
}
