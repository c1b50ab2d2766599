package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"

	"aws-provider-executor/actions"
	"aws-provider-executor/actions/sgfence"
	"aws-provider-executor/pkg/awsexecutor"
	"aws-provider-executor/pkg/ec2sim"
	"aws-provider-executor/pkg/testprograms"
)

func TestMain(m *testing.M) {
	testprograms.Main(m, map[string]func(){"aws-provider-executor": hurried})
}

// hurried is main, with a clock that is not waited for: what lies between two readings is for
// others to test.
func hurried() {
	p := awsexecutor.New(awsexecutor.Name, version, actions.RegistryAt(sgfence.Clock{
		Now:  time.Now,
		Wait: func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
	}))
	ctx := context.Background()
	if os.Getenv(streamedVar) != "" && len(os.Args) == 1 {
		os.Exit(streamed(func(stdin io.Reader, stdout io.Writer) int {
			return p.Main(ctx, []string{os.Args[0], "serve"}, os.Environ(), stdin, stdout, os.Stderr)
		}))
	}
	os.Exit(p.Main(ctx, os.Args, os.Environ(), os.Stdin, os.Stdout, os.Stderr))
}

// streamedVar has the program answer its request as one of a stream.
const streamedVar = "TEST_STREAMED"

// streamed gives a program that serves one request, and writes its answer as a single run would:
// without the number, and indented.
func streamed(serve func(io.Reader, io.Writer) int) int {
	var stdout bytes.Buffer
	code := serve(os.Stdin, &stdout)
	line, ok := strings.CutPrefix(stdout.String(), `{"request":1,`)
	if !ok {
		fmt.Fprintln(os.Stderr, "no answer to the request 1:", stdout.String())
		return 70
	}
	var answer bytes.Buffer
	if err := json.Indent(&answer, []byte("{"+line), "", "  "); err != nil {
		fmt.Fprintln(os.Stderr, "not one answer:", err, stdout.String())
		return 70
	}
	_, _ = os.Stdout.Write(answer.Bytes())
	return code
}

// TestScripts runs the program as a core does, on a stand-in of its own for each script. Beside
// testscript's commands there are
//
//	request NAME VERB MODE KEY [target.x=… | x=…]...
//	                                             writes a request; without a target, that of router-a
//	result FIELD WANT                            compares a field of the last result: status,
//	                                             message, error, undoAvailable, or the name of an
//	                                             observed fact; '-' is absent; and that message and
//	                                             error are filled as the contract says, and every
//	                                             fact is declared
//	unchanged                                    the world is as it was at the start, or at the last
//	                                             mark
//	mark                                         takes the world as it is now as the one to compare
//	                                             with
//	calls WANT...                                the operations called since the last time, in order;
//	                                             '-' forgets them
//	changes N OPERATION                          how often the operation was called from the start
//	reached N OPERATION                          waits until the operation was called so often since
//	                                             the last calls
//	fault KIND OPERATION [ARG] [times=N] [nth=N]
//	                                             puts a fault in force; times=-1 is always
//	nofaults                                     takes every fault away
//	routes TABLE DESTINATION TARGET              where a table leads a destination; '-' is nowhere
//	seed TABLE DESTINATION TARGET | unseed TABLE DESTINATION | detach ENI | remove ID
//	                                             changes the world behind the executor's back
//	metadata FAULT                               makes the metadata service refuse, hang, forbid,
//	                                             fail, be busy, have no role
//	may ACTION...                                gives the executor's key a policy that allows these,
//	                                             on everything
//	nokeys                                       leaves the executor without keys in its environment
//	holds ENI ADDRESS | lacks ENI ADDRESS        who has a secondary address
//	add ENI ipv6-only|efa-only                   adds an interface in an IPv6-only subnet, or one
//	                                             without addresses
//	age DURATION                                 makes every record of prior facts that much older
//	records N                                    how many records of prior facts there are
//	kept N                                       how many there are, with those that are undone
//	agents TEXT                                  every user agent since the last time has the text;
//	                                             none: none names a trace
//	forwards ENI true|false                      what the source/dest check makes of an interface
func TestScripts(t *testing.T) { runScripts(t, "testdata", false) }

// TestScriptsByServe: each request of the scripts is answered the same as the only one of a stream.
func TestScriptsByServe(t *testing.T) { runScripts(t, "testdata", true) }

// runScripts runs the scripts in a directory. The condition streamed tells them how they are run.
func runScripts(t *testing.T, dir string, stream bool) {
	testscript.Run(t, testscript.Params{
		Dir:                 dir,
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			if err := setup(env); err != nil {
				return err
			}
			if stream {
				env.Setenv(streamedVar, "1")
			}
			return nil
		},
		Condition: func(name string) (bool, error) {
			if name != "streamed" {
				return false, fmt.Errorf("there is no condition %s", name)
			}
			return stream, nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"request": writeRequest, "result": checkResult, "unchanged": unchanged, "mark": mark,
			"calls": calls, "changes": changes, "reached": reached, "fault": fault, "holds": holds,
			"lacks":    lacks,
			"forwards": forwards,
			"metadata": metadata, "nokeys": noKeys, "may": may,
			"routes": routes, "seed": seed, "unseed": unseed, "detach": detach, "remove": remove, "add": add,
			"age": age, "records": records, "kept": kept, "nofaults": noFaults,
			"agents": agents,
		},
	})
}

type world struct {
	server *ec2sim.Server
	sim    *ec2sim.Sim
	mark   ec2sim.State
	called int
}

func setup(env *testscript.Env) error { return setupWith(env) }

func setupWith(env *testscript.Env, options ...ec2sim.Option) error {
	sim := ec2sim.New(append([]ec2sim.Option{ec2sim.Lab()}, options...)...)
	server, err := ec2sim.Start(sim, ec2sim.ServerOptions{Metadata: ec2sim.LabMetadata()})
	if err != nil {
		return err
	}
	env.Defer(server.Close)
	// Nothing of this machine's environment but PATH.
	env.Vars = slices.DeleteFunc(env.Vars, func(v string) bool {
		return !strings.HasPrefix(v, "PATH=") && !strings.HasPrefix(v, "WORK=") &&
			!strings.HasPrefix(v, "/=") && !strings.HasPrefix(v, ":=") && !strings.HasPrefix(v, "$=")
	})
	env.Vars = append(env.Vars, server.Env()...)
	// A program built with the race detector otherwise sleeps for a second as it ends.
	env.Vars = append(env.Vars, "GORACE=atexit_sleep_ms=0")
	env.Vars = append(env.Vars,
		"EXECUTOR_STATE_DIR="+filepath.Join(env.WorkDir, "state"),
		"ROUTER_A="+ec2sim.LabRouterAInterface, "ROUTER_B="+ec2sim.LabRouterBInterface,
		"ROUTER_C="+ec2sim.LabRouterCInterface,
		"MANAGED="+ec2sim.LabManagedInterface, "SPARE="+ec2sim.LabSpareInterface,
		"SECRET="+ec2sim.LabCredential.SecretAccessKey,
	)
	env.Vars = append(env.Vars, routeVars(sim)...)
	env.Values["world"] = &world{server: server, sim: sim, mark: sim.State()}
	return nil
}

func of(ts *testscript.TestScript) *world { return ts.Value("world").(*world) }

func writeRequest(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 4 {
		ts.Fatalf("usage: request NAME VERB MODE KEY [target.x=… | x=…]...")
	}
	target := map[string]string{"nicRef": ec2sim.LabRouterAInterface, "address": "10.88.60.9/32",
		"region": ec2sim.LabRegion}
	parameters := map[string]string{}
	for _, a := range args[4:] {
		name, value, _ := strings.Cut(a, "=")
		if field, ok := strings.CutPrefix(name, "target."); ok {
			target[field] = value
		} else {
			parameters[name] = value
		}
	}
	data, err := json.Marshal(map[string]any{
		"apiVersion": "provideraction.routerd.net/v1alpha1", "kind": "ExecuteActionRequest",
		"spec": map[string]any{"action": args[1], "provider": "aws", "providerRef": "lab",
			"mode": args[2], "idempotencyKey": args[3], "target": target, "parameters": parameters},
	})
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), data, 0o600))
}

var (
	registry = actions.Registry()
	asks     = awsexecutor.Preflight(registry)
)

func checkResult(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: result FIELD WANT")
	}
	var result struct {
		Status struct {
			Status, Message, Error string
			Observed               map[string]string
			UndoAvailable          bool
		}
	}
	if err := json.Unmarshal([]byte(ts.ReadFile("stdout")), &result); err != nil {
		ts.Fatalf("no result on stdout: %v", err)
	}
	s := result.Status
	if said := s.Message; said == "" || (s.Status == "succeeded") == (s.Error == said) ||
		s.Error != said && s.Error != "" {
		ts.Fatalf("a success has a message alone, all else the same text as message and error\n%s",
			ts.ReadFile("stdout"))
	}
	checkFacts(ts, s.Observed)
	got, present := map[string]string{
		"status": s.Status, "message": s.Message, "error": s.Error,
		"undoAvailable": strconv.FormatBool(s.UndoAvailable),
	}[args[0]]
	if !present {
		if got, present = s.Observed[args[0]]; !present {
			got = "-"
		}
	}
	free := args[0] == "error" || args[0] == "message"
	if match := got == args[1] || free && strings.Contains(got, args[1]); match == neg {
		ts.Fatalf("%s is %q, want %q (negated: %t)\n%s", args[0], got, args[1], neg,
			ts.ReadFile("stdout"))
	}
}

// checkFacts holds that each fact is one that a verb or the preflight declares.
func checkFacts(ts *testscript.TestScript, observed map[string]string) {
	for fact := range observed {
		if !registry.IsFact(fact) && !asks.IsFact(fact) {
			ts.Fatalf("%s is no fact that a verb declares: its undo would ignore it\n%s", fact,
				ts.ReadFile("stdout"))
		}
	}
}

func unchanged(ts *testscript.TestScript, neg bool, _ []string) {
	diff := cmp.Diff(of(ts).mark, of(ts).sim.State())
	if (diff == "") == neg {
		ts.Fatalf("the world changed (-before +now):\n%s", diff)
	}
}

func mark(ts *testscript.TestScript, _ bool, _ []string) { of(ts).mark = of(ts).sim.State() }

func calls(ts *testscript.TestScript, _ bool, want []string) {
	w := of(ts)
	all := w.sim.Calls()
	var got []string
	for _, c := range all[w.called:] {
		got = append(got, c.Operation)
	}
	w.called = len(all)
	if !slices.Equal(want, []string{"-"}) && !slices.Equal(got, want) {
		ts.Fatalf("calls %v, want %v", got, want)
	}
}

func changes(ts *testscript.TestScript, _ bool, args []string) {
	if n := called(of(ts).sim.Calls(), args[1]); strconv.Itoa(n) != args[0] {
		ts.Fatalf("%s was called %d times, want %s", args[1], n, args[0])
	}
}

// called returns how often an operation is among some calls.
func called(calls []ec2sim.Call, operation string) int {
	n := 0
	for _, c := range calls {
		if c.Operation == operation {
			n++
		}
	}
	return n
}

// reached waits for a program in the background, which is to be killed as it makes a call.
func reached(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	w := of(ts)
	for end := time.Now().Add(time.Minute); called(w.sim.Calls()[w.called:], args[1]) < want; {
		if time.Now().After(end) {
			ts.Fatalf("%s was not called %d times", args[1], want)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func fault(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: fault KIND OPERATION [ARG] [times=N]")
	}
	arg := ""
	if len(args) > 2 {
		arg = args[2]
	}
	f := faultOf(ts, args[0], args[1], arg)
	for _, a := range args[2:] {
		name, value, _ := strings.Cut(a, "=")
		if name != "times" && name != "nth" {
			continue
		}
		n, err := strconv.Atoi(value)
		ts.Check(err)
		if name == "nth" {
			f = f.OnNth(n)
		} else {
			f = f.Times(n)
		}
	}
	ts.Check(of(ts).sim.Inject(f))
}

func faultOf(ts *testscript.TestScript, kind, operation, arg string) ec2sim.Fault {
	switch kind {
	case "fail":
		return ec2sim.Fail(operation, arg)
	case "fail-after":
		return ec2sim.FailAfter(operation, arg)
	case "lose":
		return ec2sim.LoseAnswer(operation)
	case "drop":
		return ec2sim.LoseRequest(operation)
	case "cut":
		return ec2sim.CutAnswer(operation)
	case "text":
		return ec2sim.NotXML(operation)
	case "ignore":
		return ec2sim.Ignore(operation)
	case "stale":
		n, err := strconv.Atoi(arg)
		ts.Check(err)
		return ec2sim.StaleReads(operation, n)
	case "slow":
		d, err := time.ParseDuration(arg)
		ts.Check(err)
		return ec2sim.Delay(operation, d)
	case "hang":
		return ec2sim.Delay(operation, time.Hour)
	}
	ts.Fatalf("there is no fault %q", kind)
	return ec2sim.Fault{}
}

func find(ts *testscript.TestScript, id string) ec2sim.Interface {
	for _, region := range of(ts).sim.State().Regions {
		for _, n := range region.Interfaces {
			if n.ID == id {
				return n
			}
		}
	}
	ts.Fatalf("there is no %s", id)
	return ec2sim.Interface{}
}

func has(ts *testscript.TestScript, args []string) bool {
	return slices.ContainsFunc(find(ts, args[0]).PrivateAddresses, func(a ec2sim.PrivateAddress) bool {
		return a.Address == args[1]
	})
}

func holds(ts *testscript.TestScript, _ bool, args []string) {
	if !has(ts, args) {
		ts.Fatalf("%s does not have %s", args[0], args[1])
	}
}

func lacks(ts *testscript.TestScript, _ bool, args []string) {
	if has(ts, args) {
		ts.Fatalf("%s has %s", args[0], args[1])
	}
}

func forwards(ts *testscript.TestScript, _ bool, args []string) {
	if got := fmt.Sprint(!find(ts, args[0]).SourceDestCheck); got != args[1] {
		ts.Fatalf("%s forwards: %s, want %s", args[0], got, args[1])
	}
}

// metadata makes the instance metadata service fail: refuse, hang, forbid, failure, busy, norole.
func metadata(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(of(ts).server.Metadata().SetFault(ec2sim.MetadataFault(args[0])))
}

// noKeys leaves the executor with the instance's role only.
func noKeys(ts *testscript.TestScript, _ bool, _ []string) {
	ts.Setenv("AWS_ACCESS_KEY_ID", "")
	ts.Setenv("AWS_SECRET_ACCESS_KEY", "")
}

func may(ts *testscript.TestScript, _ bool, actions []string) {
	policy := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Resource":"*","Action":["` +
		strings.Join(actions, `","`) + `"]}]}`
	ts.Check(of(ts).sim.SetPolicies(ec2sim.LabCredential.AccessKeyID, policy))
}
