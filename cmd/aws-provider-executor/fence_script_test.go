package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"

	"aws-provider-executor/pkg/ec2sim"
)

// TestFenceScripts is TestScripts for fences. The target is $DB, which has two interfaces: $DB0 in
// the groups $WEB and $DEFAULT, $DB1 in $WEB. Beside the commands there, and instead of some, are
//
//	fence NAME MODE KEY [x=…]... | unfence …    writes a request
//	undo NAME KEY [x=…]...                      writes the unfence of the last result, with all its
//	                                            facts
//	groups ENI GROUP...                         the groups that an interface has
//	regroup ENI GROUP...                        gives it others by hand
//	is INSTANCE STATE                           the state that an instance is in soon
//	become INSTANCE STATE                       puts it there
//	tag INSTANCE KEY VALUE | untag INSTANCE KEY
//	                                            writes and removes a tag as the agent does, or a
//	                                            person
//	tagged INSTANCE KEY [VALUE]                 a tag that there is
//	tags INSTANCE N                             how many tags there are
//	plug ENI INSTANCE INDEX | unplug ENI        attaches and detaches
//	trunk ENI VAR                               makes it a trunk, with a branch interface $VAR in
//	                                            $WEB
//	hide ENI                                    makes it an AWS service's, which only shows it to who
//	                                            asks for such
//	keep FACT VAR                               puts a fact of the last result into $VAR
//	faultat KIND OPERATION ARG PARAM=VALUE      a fault in the calls with this parameter, always
//	for-tags N                                  leaves $DB with N tags
//	like FILE                                   the last result is that of the file, but for times
//	policy FILE                                 from here on the executor may do what this IAM policy
//	                                            allows
//	lift                                        takes every fault away
//	terminate INSTANCE [ENI]...                 ends it, and its interfaces but for those named
//	start, within DURATION                      what is between took no longer
func TestFenceScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/fence",
		RequireExplicitExec: true,
		Setup:               setupFence,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"result": checkResult, "unchanged": unchanged, "mark": mark, "calls": calls, "changes": changes,
			"fault": fault, "metadata": metadata,
			"fence": func(ts *testscript.TestScript, _ bool, args []string) {
				writeFence(ts, "fence-security-groups", args)
			},
			"unfence": func(ts *testscript.TestScript, _ bool, args []string) {
				writeFence(ts, "unfence-security-groups", args)
			},
			"undo": writeUndo, "groups": groupsAre, "regroup": regroup, "is": stateIs, "become": become,
			"tag": tag, "untag": untag,
			"tagged": tagged, "tags": tags, "plug": plug, "unplug": unplug, "trunk": trunk,
			"hide": hide, "keep": keep, "faultat": faultAt, "lift": lift,
			"age": age, "records": records, "remove": remove, "terminate": terminate,
			"start": start, "within": within, "for-tags": forTags, "like": like, "policy": policyOf,
		},
	})
}

func setupFence(env *testscript.Env) error {
	if err := setup(env); err != nil {
		return err
	}
	examples, err := filepath.Abs("../../examples")
	if err != nil {
		return err
	}
	env.Vars = append(env.Vars, "EXAMPLES="+examples,
		"DB="+ec2sim.LabDB, "DB0="+ec2sim.LabDBInterface0, "DB1="+ec2sim.LabDBInterface1,
		"SPARE="+ec2sim.LabSpareInterface,
		"ROUTER="+ec2sim.LabRouterA, "WEB="+ec2sim.LabGroupWeb, "DEFAULT="+ec2sim.LabGroupDefault,
		"FENCE="+ec2sim.LabGroupFence,
		"ALL="+ec2sim.LabGroupAllowAll, "RGROUP="+ec2sim.LabGroupRouter, "OTHER="+ec2sim.LabOtherGroup,
		"BACKUP=Original_SG_Backup_"+ec2sim.LabDB+"_",
	)
	return nil
}

func fenceRequest(verb, mode, key string, more ...string) map[string]any {
	target := map[string]string{"instanceRef": ec2sim.LabDB, "region": ec2sim.LabRegion}
	parameters := map[string]string{}
	for _, a := range more {
		name, value, _ := strings.Cut(a, "=")
		if field, ok := strings.CutPrefix(name, "target."); ok {
			target[field] = value
		} else {
			parameters[name] = value
		}
	}
	return map[string]any{
		"apiVersion": "provideraction.routerd.net/v1alpha1", "kind": "ExecuteActionRequest",
		"spec": map[string]any{"action": verb, "provider": "aws", "mode": mode, "idempotencyKey": key,
			"target": target, "parameters": parameters},
	}
}

func writeFence(ts *testscript.TestScript, verb string, args []string) {
	if len(args) < 3 {
		ts.Fatalf("usage: fence|unfence NAME MODE KEY [x=…]...")
	}
	data, err := json.Marshal(fenceRequest(verb, args[1], args[2], args[3:]...))
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), data, 0o600))
}

func observed(ts *testscript.TestScript) map[string]string {
	var result struct {
		Status struct{ Observed map[string]string }
	}
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &result))
	return result.Status.Observed
}

// writeUndo writes what a core sends: every fact of the last result, then the parameters of the
// plan.
func writeUndo(ts *testscript.TestScript, _ bool, args []string) {
	var more []string
	for name, value := range observed(ts) {
		more = append(more, name+"="+value)
	}
	writeFence(ts, "unfence-security-groups",
		append([]string{args[0], "execute", args[1] + ":undo"}, append(more, args[2:]...)...))
}

func groupsAre(ts *testscript.TestScript, _ bool, args []string) {
	got, want := slices.Clone(find(ts, args[0]).Groups), slices.Clone(args[1:])
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		ts.Fatalf("%s has the groups %v, want %v", args[0], got, want)
	}
}

func region(ts *testscript.TestScript) *ec2sim.Region { return of(ts).sim.Region(ec2sim.LabRegion) }

func regroup(ts *testscript.TestScript, _ bool, args []string) {
	region(ts).EditInterface(args[0], func(n *ec2sim.Interface) { n.Groups = args[1:] })
}

func instance(ts *testscript.TestScript, id string) ec2sim.Instance {
	for _, i := range region(ts).State().Instances {
		if i.ID == id {
			return i
		}
	}
	ts.Fatalf("there is no %s", id)
	return ec2sim.Instance{}
}

func stateIs(ts *testscript.TestScript, _ bool, args []string) {
	for end := time.Now().Add(time.Minute); instance(ts, args[0]).State !=
		args[1]; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			ts.Fatalf("%s is %s, want %s", args[0], instance(ts, args[0]).State, args[1])
		}
	}
}

func become(ts *testscript.TestScript, _ bool, args []string) {
	region(ts).EditInstance(args[0], func(i *ec2sim.Instance) { i.State = args[1] })
}

func tag(ts *testscript.TestScript, _ bool, args []string) {
	if strings.HasPrefix(args[0], "eni-") {
		region(ts).EditInterface(args[0], func(n *ec2sim.Interface) {
			n.Tags = ec2sim.Tags{args[1]: args[2]}
		})
		return
	}
	region(ts).EditInstance(args[0], func(i *ec2sim.Instance) {
		if i.Tags == nil {
			i.Tags = ec2sim.Tags{}
		}
		i.Tags[args[1]] = args[2]
	})
}

func untag(ts *testscript.TestScript, _ bool, args []string) {
	region(ts).EditInstance(args[0], func(i *ec2sim.Instance) { delete(i.Tags, args[1]) })
}

func tagged(ts *testscript.TestScript, neg bool, args []string) {
	value, ok := instance(ts, args[0]).Tags[args[1]]
	if ok && len(args) > 2 {
		ok = value == args[2]
	}
	if ok == neg {
		ts.Fatalf("%s has the tags %v", args[0], instance(ts, args[0]).Tags)
	}
}

func tags(ts *testscript.TestScript, _ bool, args []string) {
	if got := instance(ts, args[0]).Tags; strconv.Itoa(len(got)) != args[1] {
		ts.Fatalf("%s has %d tags, want %s: %v", args[0], len(got), args[1], got)
	}
}

func plug(ts *testscript.TestScript, _ bool, args []string) {
	index, err := strconv.Atoi(args[2])
	ts.Check(err)
	region(ts).EditInterface(args[0], func(n *ec2sim.Interface) {
		n.Attachment = &ec2sim.Attachment{
			ID: "eni-attach-0123456789abcdef0", InstanceID: args[1], InstanceOwner: ec2sim.DefaultOwner,
			DeviceIndex: index, Status: "attached",
		}
	})
}

func unplug(ts *testscript.TestScript, _ bool, args []string) {
	region(ts).EditInterface(args[0], func(n *ec2sim.Interface) { n.Attachment = nil })
}

func hide(ts *testscript.TestScript, _ bool, args []string) {
	region(ts).EditInterface(args[0], func(n *ec2sim.Interface) {
		n.Operator = &ec2sim.Operator{Principal: "eks.amazonaws.com", Hidden: true}
	})
}

func trunk(ts *testscript.TestScript, _ bool, args []string) {
	region(ts).EditInterface(args[0], func(n *ec2sim.Interface) { n.Type = "trunk" })
	branch := region(ts).AddInterface(ec2sim.Interface{
		SubnetID: find(ts, args[0]).SubnetID, Type: "branch", TrunkID: args[0],
		Groups: []string{ec2sim.LabGroupWeb},
	})
	ts.Setenv(args[1], branch.ID)
}

func keep(ts *testscript.TestScript, _ bool, args []string) {
	value := observed(ts)[args[0]]
	if value == "" {
		ts.Fatalf("there is no fact %s: %s", args[0], ts.ReadFile("stdout"))
	}
	ts.Setenv(args[1], value)
}

func faultAt(ts *testscript.TestScript, _ bool, args []string) {
	f := map[string]func() ec2sim.Fault{
		"fail":   func() ec2sim.Fault { return ec2sim.Fail(args[1], args[2]) },
		"lose":   func() ec2sim.Fault { return ec2sim.LoseAnswer(args[1]) },
		"ignore": func() ec2sim.Fault { return ec2sim.Ignore(args[1]) },
	}[args[0]]().Times(ec2sim.Always)
	for _, p := range args[3:] {
		name, value, _ := strings.Cut(p, "=")
		if name == "nth" {
			n, err := strconv.Atoi(value)
			ts.Check(err)
			f = f.OnNth(n)
			continue
		}
		f = f.Where(name, value)
	}
	ts.Check(of(ts).sim.Inject(f))
}

// lift takes every fault away.
func lift(ts *testscript.TestScript, _ bool, _ []string) { of(ts).sim.ClearFaults() }

func start(ts *testscript.TestScript, _ bool, _ []string) {
	ts.Setenv("STARTED", strconv.FormatInt(time.Now().UnixMilli(), 10))
}

func within(ts *testscript.TestScript, _ bool, args []string) {
	limit, err := time.ParseDuration(args[0])
	ts.Check(err)
	at, err := strconv.ParseInt(ts.Getenv("STARTED"), 10, 64)
	ts.Check(err)
	if took := time.Since(time.UnixMilli(at)); took > limit {
		ts.Fatalf("it took %s, more than %s", took, limit)
	}
}

// forTags leaves the target with its name and as many tags as are asked for.
func forTags(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	region(ts).EditInstance(ec2sim.LabDB, func(i *ec2sim.Instance) {
		i.Tags = ec2sim.Tags{"Name": "db"}
		for len(i.Tags) < n {
			i.Tags["tag-"+strconv.Itoa(len(i.Tags))] = "x"
		}
	})
}

var fenceTime = regexp.MustCompile(`"fenceTimestamp": "[0-9]+"`)

func like(ts *testscript.TestScript, _ bool, args []string) {
	timeless := func(text string) string {
		text = strings.ReplaceAll(text, `"instanceState": "pending"`, `"instanceState": "running"`)
		return fenceTime.ReplaceAllString(text, `"fenceTimestamp": "1767603600"`)
	}
	if diff := cmp.Diff(timeless(ts.ReadFile(args[0])), timeless(ts.ReadFile("stdout"))); diff != "" {
		ts.Fatalf("the result is another than %s (-want +got):\n%s", args[0], diff)
	}
}

func policyOf(ts *testscript.TestScript, _ bool, args []string) {
	text := ts.ReadFile(args[0])
	for _, key := range []string{ec2sim.LabCredential.AccessKeyID,
		ec2sim.LabRoleCredential.AccessKeyID} {
		ts.Check(of(ts).sim.SetPolicies(key, text))
	}
}
