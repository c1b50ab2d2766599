package main

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"

	"aws-provider-executor/pkg/ec2sim"
)

// TestSmokeScripts is TestScripts for the acceptance run and the lab. What the lab has is tagged
// lab=smoke: the interfaces and the instances of router-a, router-b and db, and a route table. The
// program that asks runs on router-a. Beside the commands there are
//
//	tag ID KEY VALUE | untag ID KEY     writes and removes a tag of an instance, an interface or a
//	                                    route table
//	become INSTANCE STATE               puts an instance into a state
//	is INSTANCE STATE                   the state that it is in
//	faultat KIND OPERATION ARG [nth=N]  a fault in every call, or in the Nth
//	same                                the world is as it was but for the times of starts
func TestSmokeScripts(t *testing.T) { smokeScripts(t, "testdata/smoke") }

func smokeScripts(t *testing.T, dir string, options ...ec2sim.Option) {
	testscript.Run(t, testscript.Params{
		Dir:                 dir,
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			if err := setupWith(env, options...); err != nil {
				return err
			}
			env.Vars = append(env.Vars, "DB="+ec2sim.LabDB, "ROUTER="+ec2sim.LabRouterA,
				"ROUTER_B="+ec2sim.LabRouterBInterface, "INSTANCE_B="+ec2sim.LabRouterB,
				"TABLE="+ec2sim.LabRouteTable, "REGION="+ec2sim.LabRegion)
			w := env.Values["world"].(*world)
			tagLab(w.sim.Region(ec2sim.LabRegion))
			w.start = w.sim.State()
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"changes": changes, "unchanged": unchanged, "json": checkJSON, "code": code, "sql": execSQL,
			"tag": tagThing, "untag": untagThing, "become": become, "is": stateIs, "faultat": faultAt,
			"same": sameButTimes,
		},
	})
}

// tagLab gives the lab its tag.
func tagLab(r *ec2sim.Region) {
	for _, id := range []string{ec2sim.LabRouterA, ec2sim.LabRouterB, ec2sim.LabDB} {
		r.EditInstance(id, func(i *ec2sim.Instance) { i.Tags["lab"] = "smoke" })
	}
	for _, id := range []string{ec2sim.LabRouterAInterface, ec2sim.LabRouterBInterface,
		ec2sim.LabDBInterface0, ec2sim.LabDBInterface1} {
		r.EditInterface(id, func(i *ec2sim.Interface) { i.Tags["lab"] = "smoke" })
	}
	r.EditRouteTable(ec2sim.LabRouteTable, func(t *ec2sim.RouteTable) { t.Tags["lab"] = "smoke" })
}

func editTags(ts *testscript.TestScript, id string, edit func(ec2sim.Tags)) {
	r := of(ts).sim.Region(ec2sim.LabRegion)
	switch {
	case strings.HasPrefix(id, "i-"):
		r.EditInstance(id, func(i *ec2sim.Instance) { edit(i.Tags) })
	case strings.HasPrefix(id, "eni-"):
		r.EditInterface(id, func(i *ec2sim.Interface) { edit(i.Tags) })
	default:
		r.EditRouteTable(id, func(t *ec2sim.RouteTable) { edit(t.Tags) })
	}
	of(ts).start = of(ts).sim.State()
}

func tagThing(ts *testscript.TestScript, _ bool, args []string) {
	editTags(ts, args[0], func(t ec2sim.Tags) { t[args[1]] = args[2] })
}

func untagThing(ts *testscript.TestScript, _ bool, args []string) {
	editTags(ts, args[0], func(t ec2sim.Tags) { delete(t, args[1]) })
}

func become(ts *testscript.TestScript, _ bool, args []string) {
	r := of(ts).sim.Region(ec2sim.LabRegion)
	r.EditInstance(args[0], func(i *ec2sim.Instance) { i.State = args[1] })
	of(ts).start = of(ts).sim.State()
}

func stateIs(ts *testscript.TestScript, _ bool, args []string) {
	for _, i := range of(ts).sim.Region(ec2sim.LabRegion).State().Instances {
		if i.ID == args[0] && i.State != args[1] {
			ts.Fatalf("%s is %s, want %s", i.ID, i.State, args[1])
		}
	}
}

func faultAt(ts *testscript.TestScript, _ bool, args []string) {
	f := map[string]func() ec2sim.Fault{
		"fail":   func() ec2sim.Fault { return ec2sim.Fail(args[1], args[2]) },
		"lose":   func() ec2sim.Fault { return ec2sim.LoseAnswer(args[1]) },
		"ignore": func() ec2sim.Fault { return ec2sim.Ignore(args[1]) },
	}[args[0]]().Times(ec2sim.Always)
	for _, p := range args[3:] {
		n, err := strconv.Atoi(strings.TrimPrefix(p, "nth="))
		ts.Check(err)
		f = f.OnNth(n)
	}
	ts.Check(of(ts).sim.Inject(f))
}

// sameButTimes holds the world against the start, but for when instances were started.
func sameButTimes(ts *testscript.TestScript, neg bool, _ []string) {
	w := of(ts)
	timeless := func(s ec2sim.State) ec2sim.State {
		for _, region := range s.Regions {
			for i := range region.Instances {
				region.Instances[i].LaunchTime = time.Time{}
			}
		}
		return s
	}
	if diff := cmp.Diff(timeless(w.start), timeless(w.sim.State())); (diff == "") == neg {
		ts.Fatalf("the world differs (-before +now):\n%s", diff)
	}
}
