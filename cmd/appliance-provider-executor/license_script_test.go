package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"aws-provider-executor/pkg/ec2sim/dynamosim"
	"aws-provider-executor/pkg/protocol"
)

// region is where everything is, and tableARN the table.
const (
	region    = "eu-west-1"
	tableARN  = "arn:aws:dynamodb:eu-west-1:111122223333:table/state"
	tableName = "state"
)

// world is a table, and a program that uses it.
type world struct {
	sim *dynamosim.Sim
	url string
	// program is the executor, and dir where licences are.
	program, dir string
	// extra is added to the environment of the program.
	extra []string
}

func (w *world) environment() []string {
	return append([]string{
		"AWS_ENDPOINT_URL_DYNAMODB=" + w.url, "AWS_ACCESS_KEY_ID=AKIAANYBODY000000000",
		"AWS_SECRET_ACCESS_KEY=anything", "AWS_EC2_METADATA_DISABLED=true",
		"EXECUTOR_STATE_TABLE=" + tableARN, "GORACE=atexit_sleep_ms=0", "AWS_REGION=" + region,
	}, w.extra...)
}

// request is a request for a licence. Each of fields is KEY=VALUE, of the target where it begins
// with "target.".
func (w *world) request(verb, mode, key, instance string, fields ...string) []byte {
	target := map[string]string{"instanceRef": instance, "licensePool": "edge", "region": region}
	parameters := map[string]string{}
	if verb == "assign-license" {
		parameters["licenseSource"] = w.dir
	}
	for _, f := range fields {
		name, value, _ := strings.Cut(f, "=")
		name, isTarget := strings.CutPrefix(name, "target.")
		to := parameters
		if isTarget {
			to = target
		}
		if to[name] = value; value == "-" {
			delete(to, name)
		}
	}
	data, err := json.Marshal(map[string]any{
		"apiVersion": protocol.APIVersion, "kind": protocol.RequestKind,
		"spec": map[string]any{"action": verb, "provider": "appliance", "mode": mode,
			"idempotencyKey": key, "target": target, "parameters": parameters},
	})
	if err != nil {
		panic(err)
	}
	return data
}

// status is what the program answers.
type status struct {
	Status, Message, Error string
	Observed               map[string]string
	UndoAvailable          bool
}

// run runs the program once. It fails where no result was written.
func (w *world) run(ctx context.Context, request []byte) (s status, text string, err error) {
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, w.program)
	cmd.Env, cmd.Stdin = w.environment(), bytes.NewReader(request)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return s, "", fmt.Errorf("%w: %s", err, stderr.String())
	}
	var result struct{ Status status }
	err = json.Unmarshal(stdout.Bytes(), &result)
	return result.Status, stdout.String() + stderr.String(), err
}

// held is who has which licence, as the table says.
func (w *world) held() string {
	var all []string
	for _, i := range w.sim.Items() {
		partition, _ := i["pk"]["S"].(string)
		sort, _ := i["sk"]["S"].(string)
		data, _ := i["record"]["B"].(string)
		var r struct{ ID, Holder string }
		record, _ := base64.StdEncoding.DecodeString(data)
		_ = json.Unmarshal(record, &r)
		pool, ofPool := strings.CutPrefix(partition, "license/")
		if ofPool && strings.HasPrefix(sort, "id/") && r.Holder != "" {
			all = append(all, pool+":"+r.ID+"="+r.Holder)
		}
	}
	return strings.Join(all, " ")
}

// locks counts the locks that somebody has.
func (w *world) locks() int {
	n := 0
	for _, i := range w.sim.Items() {
		if i["holder"] != nil {
			n++
		}
	}
	return n
}

// TestLicenseScripts runs the program as a gate does, on a table of its own for each script.
// Licences are in $WORK/licences/. Beside testscript's commands there are
//
//	act VERB MODE KEY INSTANCE [x=…]...  runs the program with a request
//	result FIELD WANT                    compares a field of the last result; '-' is absent
//	undo KEY INSTANCE [x=…]...           undoes the last result, with all its facts
//	held [POOL:LICENCE=INSTANCE]...      holds who has which licence
//	told TEXT                            the last result or what was logged has a text
//	[!] unread                           the table answers nothing any more, or does again
//	env_executor [NAME=VALUE]...         sets variables of the program's environment
func TestLicenseScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/license",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			program, err := exec.LookPath("appliance-provider-executor")
			if err != nil {
				return err
			}
			w := newWorld(program, filepath.Join(env.WorkDir, "licences")+"/")
			env.Defer(w.close)
			env.Values["world"] = w.world
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"act": act, "result": checkResult, "undo": undo, "held": held, "told": toldText,
			"unread": unread, "env_executor": extra,
		},
	})
}

// served is a world with its server.
type served struct {
	*world
	close func()
}

func newWorld(program, dir string) served {
	sim := dynamosim.New(tableName)
	w := &world{sim: sim, program: program, dir: dir}
	server := httptest.NewServer(sim)
	w.url = server.URL
	return served{w, server.Close}
}

func of(ts *testscript.TestScript) *world { return ts.Value("world").(*world) }

func act(ts *testscript.TestScript, _ bool, args []string) {
	w := of(ts)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	s, text, err := w.run(ctx, w.request(args[0], args[1], args[2], args[3], args[4:]...))
	ts.Check(err)
	ts.Logf("%s", text)
	ts.Check(os.WriteFile(ts.MkAbs("last.json"), []byte(text), 0o600))
	data, err := json.Marshal(s)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs("status.json"), data, 0o600))
}

func lastOf(ts *testscript.TestScript) (s status) {
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("status.json")), &s))
	return s
}

func checkResult(ts *testscript.TestScript, _ bool, args []string) {
	s := lastOf(ts)
	got, there := map[string]string{"status": s.Status, "message": s.Message, "error": s.Error,
		"undoAvailable": fmt.Sprint(s.UndoAvailable)}[args[0]]
	if !there {
		if got, there = s.Observed[args[0]]; !there {
			got = "-"
		}
	}
	if want := args[1]; got != want {
		ts.Fatalf("%s is %q, want %q", args[0], got, want)
	}
	if s.Status != "succeeded" && (s.Message == "" || s.Message != s.Error) {
		ts.Fatalf("message and error are not the same sentence: %q, %q", s.Message, s.Error)
	}
}

func undo(ts *testscript.TestScript, _ bool, args []string) {
	var fields []string
	for name, value := range lastOf(ts).Observed {
		fields = append(fields, name+"="+value)
	}
	slices.Sort(fields)
	act(ts, false, slices.Concat([]string{"release-license", "execute", args[0] + ":undo", args[1]},
		fields, args[2:]))
}

func held(ts *testscript.TestScript, _ bool, args []string) {
	if got, want := of(ts).held(), strings.Join(args, " "); got != want {
		ts.Fatalf("held are %q, want %q", got, want)
	}
	if n := of(ts).locks(); n != 0 {
		ts.Fatalf("%d locks were left", n)
	}
}

func toldText(ts *testscript.TestScript, neg bool, args []string) {
	if strings.Contains(ts.ReadFile("last.json"), args[0]) == neg {
		ts.Fatalf("the result and the log: %s", ts.ReadFile("last.json"))
	}
}

func unread(ts *testscript.TestScript, neg bool, _ []string) {
	w := of(ts)
	w.sim.Judge = nil
	if !neg {
		w.sim.Judge = func(dynamosim.Call) dynamosim.Verdict { return dynamosim.Undone }
	}
}

// extra sets variables of the program's environment, beside those that it has.
func extra(ts *testscript.TestScript, _ bool, args []string) {
	w := of(ts)
	w.extra = args
}
