package main

import (
	"encoding/json"
	"path/filepath"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"aws-provider-executor/pkg/ec2sim"
)

// TestPowerScripts is TestScripts for stops and starts. The target is $DB, which has the tag
// lab=smoke; the program runs on $ROUTER. Beside the commands there are those of TestFenceScripts,
// and
//
//	off NAME MODE KEY [x=…]...   writes a stop-instances that asks for the tag lab=smoke
//	on NAME MODE KEY [x=…]...    writes a start-instances that does
//	undo NAME KEY [x=…]...       writes the start of the last result, with all its facts
//	edit INSTANCE FIELD VALUE    sets a field of an instance in the stand-in's own JSON
//	public ENI ADDRESS           gives an interface a public address of EC2's own pool
func TestPowerScripts(t *testing.T) { powerScripts(t, "testdata/power") }

// TestSlowPowerScripts is TestPowerScripts where an instance stays stopping, or pending, until the
// script says otherwise.
func TestSlowPowerScripts(t *testing.T) {
	powerScripts(t, "testdata/power_slow", ec2sim.WithTransitionTime(time.Hour))
}

func powerScripts(t *testing.T, dir string, options ...ec2sim.Option) {
	testscript.Run(t, testscript.Params{
		Dir:                 dir,
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			if err := setupWith(env, options...); err != nil {
				return err
			}
			examples, err := filepath.Abs("../../examples")
			env.Vars = append(env.Vars, "EXAMPLES="+examples, "DB="+ec2sim.LabDB,
				"DB0="+ec2sim.LabDBInterface0, "ROUTER="+ec2sim.LabRouterA, "FENCE="+ec2sim.LabGroupFence)
			w := env.Values["world"].(*world)
			w.sim.Region(ec2sim.LabRegion).EditInstance(ec2sim.LabDB, func(i *ec2sim.Instance) {
				i.Tags["lab"] = "smoke"
			})
			w.mark = w.sim.State()
			return err
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"result": checkResult, "unchanged": unchanged, "mark": mark, "calls": calls, "changes": changes,
			"fault": fault, "faultat": faultAt, "lift": lift, "metadata": metadata, "policy": policyOf,
			"is": stateIs, "become": become, "tag": tag, "untag": untag, "like": like, "age": age,
			"records": records, "remove": remove, "terminate": terminate, "keep": keep,
			"off":  writePower("stop-instances"),
			"on":   writePower("start-instances"),
			"undo": writePowerUndo,
			"fence": func(ts *testscript.TestScript, _ bool, args []string) {
				writeFence(ts, "fence-security-groups", args)
			},
			"edit": edit, "public": public,
		},
	})
}

func writePower(verb string) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, _ bool, args []string) {
		more := []string{"requiredTag=lab=smoke"}
		writeFence(ts, verb, append(append(args[:3:3], more...), args[3:]...))
	}
}

func writePowerUndo(ts *testscript.TestScript, _ bool, args []string) {
	var more []string
	for name, value := range observed(ts) {
		more = append(more, name+"="+value)
	}
	writeFence(ts, "start-instances",
		append([]string{args[0], "execute", args[1] + ":undo"}, append(more, args[2:]...)...))
}

func edit(ts *testscript.TestScript, _ bool, args []string) {
	region(ts).EditInstance(args[0], func(i *ec2sim.Instance) {
		ts.Check(json.Unmarshal([]byte(`{"`+args[1]+`":`+args[2]+`}`), i))
	})
}

func public(ts *testscript.TestScript, _ bool, args []string) {
	region(ts).EditInterface(args[0], func(n *ec2sim.Interface) { n.PublicIP = args[1] })
}
