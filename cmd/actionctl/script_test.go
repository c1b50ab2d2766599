package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"
	_ "modernc.org/sqlite"

	"aws-provider-executor/actions"
	"aws-provider-executor/actions/applianceverbs"
	"aws-provider-executor/pkg/applianceexecutor"
	"aws-provider-executor/pkg/awsexecutor"
	"aws-provider-executor/pkg/ec2sim"
	"aws-provider-executor/pkg/ec2sim/dynamosim"
	"aws-provider-executor/pkg/ledger/ledgertest"
	"aws-provider-executor/pkg/testprograms"
)

func TestMain(m *testing.M) {
	testprograms.Main(m, map[string]func(){"actionctl": main,
		"aws-provider-executor": executorMain, applianceexecutor.Name: applianceMain})
}

// applianceMain is the real executor of the provider appliance.
func applianceMain() {
	p := applianceexecutor.New(applianceexecutor.Name, "test", applianceverbs.Registry())
	os.Exit(p.Main(context.Background(), os.Args, os.Environ(), os.Stdin, os.Stdout, os.Stderr))
}

// executorMain is the real executor.
func executorMain() {
	p := awsexecutor.New(awsexecutor.Name, "test", actions.Registry())
	os.Exit(p.Main(context.Background(), os.Args, os.Environ(), os.Stdin, os.Stdout, os.Stderr))
}

// TestScripts runs actionctl and the real executor as processes, on a stand-in of its own for each
// script. Beside testscript's commands there are
//
//	changes N            how many changing calls the provider got since the start
//	unchanged | changed  whether the provider's world is as it was at the start
//	sql FILE STATEMENTS  changes a journal behind actionctl's back
//	truncated FROM TO    copies the first half of a file
//	remove ID            takes a resource away
//	role FILES           makes the instance's role one with these policies; of=FILE is its boundary
//	age DURATION         makes every record of the executor that much older
//	agents TEXT          every call had the text in its user agent
//	terminal WANT COLUMNS TYPED ARGS...
//	                     runs actionctl on a terminal
//	narrow COLUMNS       holds the length of the lines of the last output
//	json FIELD WANT      compares a field of the last output, as in 0.status; '-' is absent
//	load FILE            replaces the provider's world
//	fault [JSON]         puts a fault in force, or takes all away
//	control METHOD PATH JSON
//	                     calls a control path of the provider
//	deleted N            waits until N messages were deleted of the provider's queues
//	called OPERATION CODE
//	                     waits until the provider refused a call with a code and is called again
//	azure FILE           has a stand-in of Azure answer as the file says, by path
//	appliance PASSWORD   has a FortiGate be there: its port is $PORT, its authority in ca.pem
//	sshhost              has a machine be reached by SSH: its port is $SSHPORT, its key and its known
//	                     hosts are key and known_hosts in ssh, and its home is ssh/home
//	statetable                  has executors keep prior facts in a table of DynamoDB
//	field FILE FIELD TO  writes a text of a JSON file into another file
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup:               setup,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"remove": remove, "age": age, "role": role,
			"code": code, "changes": changes, "unchanged": unchanged, "sql": execSQL, "truncated": truncated,
			"json": checkJSON, "field": writeField, "agents": agents, "terminal": terminal,
			"narrow": narrow, "load": load, "fault": fault, "control": control, "deleted": deleted,
			"called": called, "azure": azure, "sshhost": startHost,
			"statetable": startTable, "appliance": startAppliance,
		},
	})
}

// osUser is who runs the test.
func osUser() string {
	u, err := user.Current()
	if err != nil {
		panic(err)
	}
	return u.Username
}

type world struct {
	sim   *ec2sim.Sim
	start ec2sim.State
	azure *azureSim // nil until a script asks for it
}

func setup(env *testscript.Env) error { return setupWith(env) }

func setupWith(env *testscript.Env, options ...ec2sim.Option) error {
	sim := ec2sim.New(append([]ec2sim.Option{ec2sim.Lab()}, options...)...)
	server, err := ec2sim.Start(sim, ec2sim.ServerOptions{Metadata: ec2sim.LabMetadata()})
	if err != nil {
		return err
	}
	env.Defer(server.Close)
	env.Vars = slices.DeleteFunc(env.Vars, func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		return !slices.Contains([]string{"PATH", "WORK", "/", ":", "$"}, name)
	})
	// The keys are there to see that they are not passed on: the executor asks the metadata service.
	env.Vars = append(env.Vars, server.Env()...)
	// A program built with the race detector otherwise sleeps for a second as it ends.
	env.Vars = append(env.Vars, "GORACE=atexit_sleep_ms=0")
	env.Vars = append(env.Vars, "EXECUTOR_STATE_DIR="+filepath.Join(env.WorkDir, "state"),
		"USER=tester", "OSUSER="+osUser(),
		"ACTIONCTL_JOURNAL="+filepath.Join(env.WorkDir, "journal.db"), "TZ=UTC",
		"ROUTER_A="+ec2sim.LabRouterAInterface, "SECRET="+ec2sim.LabCredential.SecretAccessKey)
	if err := copyFiles(env.WorkDir); err != nil {
		return err
	}
	env.Values["world"] = &world{sim: sim, start: sim.State()}
	return nil
}

// copyFiles gives every script the files of testdata/files.
func copyFiles(dir string) error {
	files, err := filepath.Glob("testdata/files/*")
	if err != nil {
		return err
	}
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(f)), data, 0o600); err != nil {
			return err
		}
	}
	return nil
}

func of(ts *testscript.TestScript) *world { return ts.Value("world").(*world) }

func remove(ts *testscript.TestScript, _ bool, args []string) {
	of(ts).sim.Region(ec2sim.LabRegion).Remove(args[0])
}

// role gives the instance's role policies: the first file inline, the others attached.
func role(ts *testscript.TestScript, _ bool, args []string) {
	r := ec2sim.Role{Name: "lab-router", Profile: "lab-router-profile",
		Inline: map[string]string{}, Attached: map[string]string{}}
	for i, name := range args {
		file, boundary := strings.CutPrefix(name, "of=")
		text := ts.ReadFile(file)
		switch {
		case boundary:
			r.Boundary = text
		case i == 0:
			r.Inline[file] = text
		default:
			r.Attached[file] = text
		}
	}
	ts.Check(of(ts).sim.SetRole(ec2sim.LabRoleCredential.AccessKeyID, r))
}

func age(ts *testscript.TestScript, _ bool, args []string) {
	by, err := time.ParseDuration(args[0])
	ts.Check(err)
	ts.Check(ledgertest.Age(ts.Getenv("EXECUTOR_STATE_DIR"), by))
}

func changes(ts *testscript.TestScript, neg bool, args []string) {
	n := 0
	for _, c := range of(ts).sim.Calls() {
		if c.Change {
			n++
		}
	}
	if want := args[0]; (fmt.Sprint(n) == want) == neg {
		ts.Fatalf("%d changing calls, want %s", n, want)
	}
}

func unchanged(ts *testscript.TestScript, neg bool, _ []string) {
	w := of(ts)
	if d := cmp.Diff(w.start, w.sim.State()); (d == "") == neg {
		ts.Fatalf("the world differs: %v\n%s", d != "", d)
	}
}

func execSQL(ts *testscript.TestScript, _ bool, args []string) {
	db, err := sql.Open("sqlite", "file://"+ts.MkAbs(args[0]))
	ts.Check(err)
	defer db.Close()
	_, err = db.Exec(strings.Join(args[1:], " "))
	ts.Check(err)
}

func truncated(ts *testscript.TestScript, _ bool, args []string) {
	whole, err := os.ReadFile(ts.MkAbs(args[0]))
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), whole[:len(whole)/2], 0o600))
}

func checkJSON(ts *testscript.TestScript, neg bool, args []string) {
	got := valueAt(ts, ts.ReadFile("stdout"), args[0])
	if (got == args[1]) == neg {
		ts.Fatalf("%s is %q, want %q", args[0], got, args[1])
	}
}

// writeField writes a text of a JSON document, by its path, into a file.
func writeField(ts *testscript.TestScript, _ bool, args []string) {
	text := valueAt(ts, ts.ReadFile(args[0]), args[1])
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), []byte(text), 0o600))
}

// valueAt is what a JSON document has at a path, - for nothing.
func valueAt(ts *testscript.TestScript, document, path string) string {
	var v any
	ts.Check(json.Unmarshal([]byte(document), &v))
	for step := range strings.SplitSeq(path, ".") {
		switch x := v.(type) {
		case map[string]any:
			v = x[step]
		case []any:
			i := -1
			if _, err := fmt.Sscan(step, &i); step == "length" {
				v = len(x)
			} else if err == nil && i < len(x) {
				v = x[i]
			} else {
				v = nil
			}
		default:
			v = nil
		}
	}
	if v == nil {
		return "-"
	}
	return fmt.Sprint(v)
}

// agents holds that every call had a text in its user agent.
func agents(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: agents TEXT")
	}
	calls := ts.Value("world").(*world).sim.Calls()
	if len(calls) == 0 {
		ts.Fatalf("there were no calls")
	}
	for _, c := range calls {
		if !strings.Contains(c.UserAgent, args[0]) {
			ts.Fatalf("%s has the user agent %q", c.Operation, c.UserAgent)
		}
	}
}

// startTable has executors share a table.
func startTable(ts *testscript.TestScript, _ bool, _ []string) {
	table := httptest.NewServer(dynamosim.New("state"))
	ts.Defer(table.Close)
	ts.Setenv("AWS_ENDPOINT_URL_DYNAMODB", table.URL)
	ts.Setenv("EXECUTOR_STATE_TABLE", "arn:aws:dynamodb:"+ec2sim.LabRegion+":1:table/state")
	ts.Setenv("EXECUTOR_STATE_DIR", "")
}
