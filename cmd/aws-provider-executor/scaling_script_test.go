package main

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"aws-provider-executor/pkg/ec2sim"
)

// The tokens of the actions of the group edge, in the order of hooks.
var scalingTokens = []string{
	"c4000000-0000-4000-8000-00000000000a", "c4000000-0000-4000-8000-00000000000b",
	"c4000000-0000-4000-8000-00000000000c", "c4000000-0000-4000-8000-00000000000d",
}

// TestScalingScripts is TestScripts for instances of an Auto Scaling group. The group edge has the
// hooks up and up-too of launches, and down of terminations; few has the hook only. In edge $SERVES
// is in service, and $COMES waits at up and up-too, by the tokens $TOKEN and $TOKEN2. In few $LONE
// waits at only, by $TOKEN3. Beside the commands there are
//
//	protect NAME MODE KEY [x=…]...       writes an ensure-instance-protection of $SERVES
//	complete NAME MODE KEY [x=…]...      writes a complete-lifecycle-action of $LONE, with CONTINUE
//	state INSTANCE WANT                  what Auto Scaling says of an instance; none for no group
//	protected INSTANCE true|false        whether scale-in spares it
//	end GROUP HOOK RESULT                has somebody else complete the action at a hook
//	leave GROUP INSTANCE                 has somebody take an instance out of the group for good
//	elapse GROUP DURATION                has time pass for the waits of a group
func TestScalingScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/scaling",
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			if err := setupWith(env, ec2sim.WithTransitionTime(0)); err != nil {
				return err
			}
			env.Vars = append(env.Vars, "SERVES="+ec2sim.LabRouterA, "COMES="+ec2sim.LabRouterB,
				"LONE="+ec2sim.LabDB, "OTHER="+ec2sim.LabRouterC, "TOKEN="+scalingTokens[0],
				"TOKEN2="+scalingTokens[1], "TOKEN3="+scalingTokens[2])
			w := env.Values["world"].(*world)
			addScalingGroups(w.sim.Region(ec2sim.LabRegion))
			w.mark = w.sim.State()
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"result": checkResult, "unchanged": unchanged, "mark": mark, "calls": calls,
			"changes": changes, "fault": fault, "nofaults": noFaults, "age": age, "records": records,
			"request": writeRequest, "may": may,
			"protect": writeProtection, "complete": writeCompletion, "state": lifecycleState,
			"protected": isProtected, "end": endAction, "leave": leaveGroup, "elapse": elapse,
		},
	})
}

// addScalingGroups adds the groups edge and few.
func addScalingGroups(r *ec2sim.Region) {
	hook := func(name, transition string) ec2sim.ScalingHook {
		return ec2sim.ScalingHook{Name: name, Transition: transition, HeartbeatSeconds: 3600}
	}
	waits := func(id string, tokens map[string]string) ec2sim.ScalingMember {
		m := ec2sim.ScalingMember{InstanceID: id, State: "Pending:Wait", SubnetID: ec2sim.LabSubnetA}
		for _, name := range []string{"up", "up-too", "only"} {
			if token := tokens[name]; token != "" {
				m.Actions = append(m.Actions, ec2sim.LifecycleAction{Hook: name, Token: token,
					Deadline: time.Now().Add(time.Hour), End: time.Now().Add(48 * time.Hour)})
			}
		}
		return m
	}
	r.AddScalingGroup(ec2sim.ScalingGroup{Name: "edge", MaxSize: 5, DesiredCapacity: 2,
		SubnetIDs: []string{ec2sim.LabSubnetA}, Suspended: []string{"Launch"},
		Hooks: []ec2sim.ScalingHook{hook("up", ec2sim.Launching), hook("up-too", ec2sim.Launching),
			hook("down", ec2sim.Terminating)},
		Instances: []ec2sim.ScalingMember{
			{InstanceID: ec2sim.LabRouterA, State: "InService", SubnetID: ec2sim.LabSubnetA},
			waits(ec2sim.LabRouterB, map[string]string{
				"up": scalingTokens[0], "up-too": scalingTokens[1]}),
		}})
	r.AddScalingGroup(ec2sim.ScalingGroup{Name: "few", MaxSize: 5, DesiredCapacity: 1,
		SubnetIDs: []string{ec2sim.LabSubnetA}, Suspended: []string{"Launch"},
		Hooks: []ec2sim.ScalingHook{hook("only", ec2sim.Launching),
			hook("down", ec2sim.Terminating)},
		Instances: []ec2sim.ScalingMember{
			waits(ec2sim.LabDB, map[string]string{"only": scalingTokens[2]})},
	})
}

func writeProtection(ts *testscript.TestScript, _ bool, args []string) {
	given := []string{args[0], "ensure-instance-protection", args[1], args[2],
		"target.instanceRef=" + ec2sim.LabRouterA, "target.autoScalingGroupName=edge"}
	writeRequest(ts, false, append(given, args[3:]...))
}

func writeCompletion(ts *testscript.TestScript, _ bool, args []string) {
	given := []string{args[0], "complete-lifecycle-action", args[1], args[2],
		"target.instanceRef=" + ec2sim.LabDB, "target.autoScalingGroupName=few",
		"lifecycleHookName=only", "lifecycleActionResult=CONTINUE"}
	writeRequest(ts, false, append(given, args[3:]...))
}

func labRegion(ts *testscript.TestScript) *ec2sim.Region {
	return of(ts).sim.Region(ec2sim.LabRegion)
}

// memberOf finds an instance in any group.
func memberOf(ts *testscript.TestScript, id string) ec2sim.ScalingMember {
	for _, g := range labRegion(ts).State().ScalingGroups {
		for _, m := range g.Instances {
			if m.InstanceID == id {
				return m
			}
		}
	}
	return ec2sim.ScalingMember{State: "none"}
}

func lifecycleState(ts *testscript.TestScript, _ bool, args []string) {
	if got := memberOf(ts, args[0]).State; got != args[1] {
		ts.Fatalf("%s is %s, want %s", args[0], got, args[1])
	}
}

func isProtected(ts *testscript.TestScript, _ bool, args []string) {
	if got := memberOf(ts, args[0]).Protected; got != (args[1] == "true") {
		ts.Fatalf("%s is protected: %t, want %s", args[0], got, args[1])
	}
}

func endAction(ts *testscript.TestScript, _ bool, args []string) {
	labRegion(ts).EditScalingGroup(args[0], func(g *ec2sim.ScalingGroup) {
		for i := range g.Instances {
			for at := range g.Instances[i].Actions {
				if a := &g.Instances[i].Actions[at]; a.Hook == args[1] && a.Result == "" {
					a.Result = args[2]
					return
				}
			}
		}
		ts.Fatalf("nobody waits at %s", strings.Join(args, " "))
	})
}

func leaveGroup(ts *testscript.TestScript, _ bool, args []string) {
	labRegion(ts).EditScalingGroup(args[0], func(g *ec2sim.ScalingGroup) {
		g.Instances = slices.DeleteFunc(g.Instances, func(m ec2sim.ScalingMember) bool {
			return m.InstanceID == args[1]
		})
	})
}

func elapse(ts *testscript.TestScript, _ bool, args []string) {
	d, err := time.ParseDuration(args[1])
	ts.Check(err)
	labRegion(ts).ElapseScaling(args[0], d)
}
