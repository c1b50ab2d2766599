package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"

	"aws-provider-executor/pkg/ec2sim"
	"aws-provider-executor/pkg/inventory"
	"aws-provider-executor/pkg/testprograms"
)

func TestMain(m *testing.M) {
	testprograms.Main(m, map[string]func(){"aws-provider-inventory": main})
}

// TestScripts runs the program as a core does, on a stand-in of its own for each script;
// afterwards the world is as it was. Beside testscript's commands there are
//
//	request NAME [FIELD=VALUE | target.x=… | tag.x=…]...
//	                                               writes a request; the region is the lab's unless
//	                                               given
//	status WANT [ERROR]                            succeeded, or failed with an error that holds a
//	                                               text and no lists
//	list NAME [ADDRESS/NIC/STATE]...               a list of the result, whole and in order; '-' is
//	                                               no state
//	self NIC [CAPTURED]...                         the node's own interface
//	type TYPE [ADDRESS]...                         the addresses of ips that are of a type
//	selected [ADDRESS]...                          the addresses of ips that are selected
//	blackholes [NETWORK]...                        the routes that are marked as black holes
//	calls WANT...                                  the operations called since the last time, in
//	                                               order; '-' forgets them
//	fault KIND OPERATION [ARG] [times=N] [nth=N]   puts a fault in force; times=-1 is always
//	may ACTION...                                  gives the program's key a policy that allows
//	                                               these, on everything
//	metadata FAULT                                 makes the metadata service refuse, hang, forbid or
//	                                               fail
//	route NETWORK INTERFACE                        adds a route to the lab's table behind the
//	                                               program's back
//	halt INSTANCE                                  stops an instance behind the program's back
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		Setup:               setup,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"request": writeRequest, "status": status, "list": list, "self": self, "calls": calls,
			"type": ofType, "selected": selected, "blackholes": blackholes, "route": route,
			"fault": fault, "metadata": metadata, "may": may, "halt": halt,
		},
	})
}

type world struct {
	server *ec2sim.Server
	sim    *ec2sim.Sim
	called int
}

func of(ts *testscript.TestScript) *world { return ts.Value("world").(*world) }

func setup(env *testscript.Env) error {
	sim := ec2sim.New(ec2sim.Lab())
	server, err := ec2sim.Start(sim, ec2sim.ServerOptions{Metadata: ec2sim.LabMetadata()})
	if err != nil {
		return err
	}
	env.Defer(server.Close)
	// Nothing of this machine's environment but PATH.
	env.Vars = slices.DeleteFunc(env.Vars, func(v string) bool {
		return !strings.HasPrefix(v, "PATH=") && !strings.HasPrefix(v, "WORK=") &&
			!strings.HasPrefix(v, "/=") &&
			!strings.HasPrefix(v, ":=") &&
			!strings.HasPrefix(v, "$=")
	})
	env.Vars = append(env.Vars, server.Env()...)
	// A program built with the race detector otherwise sleeps for a second as it ends.
	env.Vars = append(env.Vars, "GORACE=atexit_sleep_ms=0")
	env.Vars = append(
		env.Vars,
		"A="+ec2sim.LabRouterAInterface,
		"B="+ec2sim.LabRouterBInterface,
		"C="+ec2sim.LabRouterCInterface,
		"DB0="+ec2sim.LabDBInterface0,
		"DB1="+ec2sim.LabDBInterface1,
		"SPARE="+ec2sim.LabSpareInterface,
		"LB="+ec2sim.LabManagedInterface,
		"ROUTER_B="+ec2sim.LabRouterB,
		"SUBNET_A="+ec2sim.LabSubnetA,
		"SUBNET_C="+ec2sim.LabSubnetC,
		"TABLE="+ec2sim.LabRouteTable,
		"MAIN="+ec2sim.LabMainRouteTable,
		"IGW="+ec2sim.LabInternetGateway,
	)
	examples, err := filepath.Abs("../../examples")
	if err != nil {
		return err
	}
	env.Vars = append(env.Vars, "EXAMPLES="+examples)
	env.Values["world"] = &world{server: server, sim: sim}
	before := sim.State()
	env.Defer(func() {
		for _, c := range sim.Calls() {
			if c.Change {
				panic("an inventory called " + c.Operation)
			}
		}
		now := sim.State().Regions[ec2sim.LabRegion].Interfaces
		if diff := cmp.Diff(before.Regions[ec2sim.LabRegion].Interfaces, now); diff != "" {
			panic("an inventory changed the world:\n" + diff)
		}
	})
	return nil
}

func writeRequest(ts *testscript.TestScript, _ bool, args []string) {
	target, tags := map[string]string{"region": ec2sim.LabRegion}, map[string]string{}
	spec := map[string]any{
		"provider":    "aws",
		"providerRef": "lab-aws",
		"selfNode":    "router-a",
		"pool":        "lab",
	}
	for _, a := range args[1:] {
		name, value, _ := strings.Cut(a, "=")
		if field, ok := strings.CutPrefix(name, "target."); ok {
			target[field] = value
		} else if tag, ok := strings.CutPrefix(name, "tag."); ok {
			tags[tag] = value
		} else {
			spec[name] = value
		}
	}
	spec["target"] = target
	if len(tags) > 0 {
		spec["selector"] = map[string]any{"tags": tags}
	}
	data, err := json.Marshal(
		map[string]any{"apiVersion": inventory.APIVersion, "kind": inventory.RequestKind, "spec": spec},
	)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), data, 0o600))
}

func read(ts *testscript.TestScript) map[string]any {
	var result struct{ Status map[string]any }
	if err := json.Unmarshal([]byte(ts.ReadFile("stdout")), &result); err != nil {
		ts.Fatalf("no result on stdout: %v", err)
	}
	return result.Status
}

func text(entry any, field string) string {
	s, _ := entry.(map[string]any)[field].(string)
	return s
}

func status(ts *testscript.TestScript, _ bool, args []string) {
	s := read(ts)
	if s["status"] != args[0] {
		ts.Fatalf("status %v, want %s: %v", s["status"], args[0], s["error"])
	}
	if args[0] == "succeeded" {
		return
	}
	for _, list := range []string{"notRead", "self", "ips", "observedCandidates",
		"localIPs", "routes"} {
		if _, there := s[list]; there {
			ts.Fatalf("a failure has %s", list)
		}
	}
	if text(any(s), "message") != text(any(s), "error") {
		ts.Fatalf("message %q, error %q", s["message"], s["error"])
	}
	for _, want := range args[1:] {
		if !strings.Contains(text(any(s), "error"), want) {
			ts.Fatalf("error %q, want %q in it", s["error"], want)
		}
	}
}

func list(ts *testscript.TestScript, _ bool, args []string) {
	entries, there := read(ts)[args[0]].([]any)
	if !there {
		ts.Fatalf("there is no list %s", args[0])
	}
	got := []string{}
	for _, e := range entries {
		nic, state := text(e, "nicRef"), text(e, "instanceState")
		if args[0] == "routes" {
			nic = text(e, "nextHopNicRef")
			if nic == "" {
				nic = text(e, "nextHopRef")
			}
		}
		if state == "" {
			state = "-"
		}
		got = append(got, text(e, "address")+","+nic+","+state)
	}
	if diff := cmp.Diff(args[1:], got); diff != "" {
		ts.Fatalf("%s (-want +got):\n%s", args[0], diff)
	}
}

// among holds the addresses of a list's entries that pass against the wanted ones.
func among(
	ts *testscript.TestScript,
	name string,
	want []string,
	pass func(entry map[string]any) bool,
) {
	entries, _ := read(ts)[name].([]any)
	got := []string{}
	for _, e := range entries {
		if pass(e.(map[string]any)) {
			got = append(got, text(e, "address"))
		}
	}
	if diff := cmp.Diff(want, got); diff != "" && len(want)+len(got) > 0 {
		ts.Fatalf("%s (-want +got):\n%s", name, diff)
	}
}

func ofType(ts *testscript.TestScript, _ bool, args []string) {
	among(ts, "ips", args[1:], func(e map[string]any) bool { return e["resourceType"] == args[0] })
}

func selected(ts *testscript.TestScript, _ bool, args []string) {
	among(ts, "ips", args, func(e map[string]any) bool { return e["selected"].(bool) })
}

func blackholes(ts *testscript.TestScript, _ bool, args []string) {
	among(ts, "routes", args, func(e map[string]any) bool { return e["state"] == "blackhole" })
}

func route(ts *testscript.TestScript, _ bool, args []string) {
	of(
		ts,
	).sim.Region(ec2sim.LabRegion).
		EditRouteTable(ec2sim.LabRouteTable, func(t *ec2sim.RouteTable) {
			t.Routes = append(
				t.Routes,
				ec2sim.Route{Destination: args[0], Target: args[1], Origin: "CreateRoute"},
			)
		})
}

func self(ts *testscript.TestScript, _ bool, args []string) {
	s := read(ts)["self"].(map[string]any)
	got := []string{text(s, "nicRef")}
	for _, a := range s["capturedAddresses"].([]any) {
		got = append(got, a.(string))
	}
	if diff := cmp.Diff(args, got); diff != "" {
		ts.Fatalf("self (-want +got):\n%s", diff)
	}
}

func calls(ts *testscript.TestScript, _ bool, want []string) {
	w := of(ts)
	all := w.sim.Calls()
	got := []string{}
	for _, c := range all[w.called:] {
		got = append(got, c.Operation)
	}
	w.called = len(all)
	if slices.Equal(want, []string{"-"}) {
		return
	}
	if diff := cmp.Diff(want, got); diff != "" && len(want)+len(got) > 0 {
		ts.Fatalf("calls (-want +got):\n%s", diff)
	}
}

func fault(ts *testscript.TestScript, _ bool, args []string) {
	arg := ""
	if len(args) > 2 {
		arg = args[2]
	}
	f, known := map[string]ec2sim.Fault{
		"fail": ec2sim.Fail(args[1], arg), "lose": ec2sim.LoseAnswer(args[1]),
		"cut": ec2sim.CutAnswer(args[1]), "text": ec2sim.NotXML(args[1]),
		"hang": ec2sim.Delay(args[1], time.Hour),
	}[args[0]]
	if !known {
		ts.Fatalf("there is no fault %q", args[0])
	}
	for _, a := range args[2:] {
		name, value, _ := strings.Cut(a, "=")
		n, err := strconv.Atoi(value)
		switch {
		case name == "times" && err == nil:
			f = f.Times(n)
		case name == "nth" && err == nil:
			f = f.OnNth(n)
		}
	}
	ts.Check(of(ts).sim.Inject(f))
}

func metadata(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(of(ts).server.Metadata().SetFault(ec2sim.MetadataFault(args[0])))
}

func halt(ts *testscript.TestScript, _ bool, args []string) {
	of(
		ts,
	).sim.Region(ec2sim.LabRegion).
		EditInstance(args[0], func(i *ec2sim.Instance) { i.State = "stopped" })
}

func may(ts *testscript.TestScript, _ bool, actions []string) {
	policy := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Resource":"*","Action":["` +
		strings.Join(actions, `","`) + `"]}]}`
	ts.Check(of(ts).sim.SetPolicies(ec2sim.LabCredential.AccessKeyID, policy))
}
