// Package lifecycle holds no code: its tests hold the examples beside it to be what the programs
// take.
package lifecycle

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"aws-provider-executor/actions/providers"
	"aws-provider-executor/pkg/gate"
	"aws-provider-executor/pkg/lifecycle"
	"aws-provider-executor/pkg/policy"
)

// TestConfigurations: each configuration is of the schema, and the policy lets all of its plans
// through without a person.
func TestConfigurations(t *testing.T) {
	schema, err := jsonschema.UnmarshalJSON(bytes.NewReader(read(t, "lifecycle.schema.json")))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("lifecycle.json", schema); err != nil {
		t.Fatal(err)
	}
	compiled, err := c.Compile("lifecycle.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"lifecycle.yaml", "lifecycle-module.yaml", "demo/lifecycle.yaml"} {
		var doc any
		if err := yaml.Unmarshal(read(t, file), &doc); err != nil {
			t.Fatal(err)
		}
		if err := compiled.Validate(doc); err != nil {
			t.Errorf("%s: %v", file, err)
		}
		config, err := lifecycle.Load(file)
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		rules := "policy.yaml"
		if strings.HasPrefix(file, "demo/") {
			rules = "demo/policy.yaml"
		}
		p, err := policy.LoadAll(rules)
		if err != nil {
			t.Fatal(err)
		}
		registry := providers.Registry()
		checked := lifecycle.Check(config, &gate.Gate{Policy: p, Registry: registry,
			Provider: lifecycle.ProviderAWS, Now: time.Now})
		steps := 0
		for _, g := range checked.Groups {
			for _, z := range g.Zones {
				steps += len(z.Steps)
			}
		}
		if len(checked.Faults) > 0 || steps == 0 {
			t.Errorf("%s: %d steps, and the faults %q", file, steps, checked.Faults)
		}
	}
}

// TestSchema: the schema is the one that lifecycled prints.
func TestSchema(t *testing.T) {
	there := string(read(t, "lifecycle.schema.json"))
	if diff := cmp.Diff(string(lifecycle.Schema()), there); diff != "" {
		t.Errorf("write it anew, by lifecycled schema: %s", diff)
	}
}

// TestRule: lifecycled understands each event that the rule lets through, and the rule is for the
// group that the configuration and the policy are for.
func TestRule(t *testing.T) {
	var rule struct {
		EventPattern struct {
			Source     []string
			DetailType []string `json:"detail-type"`
			Detail     struct{ AutoScalingGroupName []string }
		}
	}
	if err := json.Unmarshal(read(t, "eventbridge-rule.json"), &rule); err != nil {
		t.Fatal(err)
	}
	config, err := lifecycle.Load("lifecycle.yaml")
	if err != nil {
		t.Fatal(err)
	}
	p := rule.EventPattern
	if !slices.Equal(p.Source, []string{"aws.autoscaling"}) || len(p.DetailType) == 0 ||
		!slices.Equal(p.Detail.AutoScalingGroupName, []string{config.Groups[0].Name}) {
		t.Errorf("the pattern is %+v", p)
	}
	var kinds []lifecycle.Kind
	for _, kind := range p.DetailType {
		transition, hook := "autoscaling:EC2_INSTANCE_LAUNCHING", config.Groups[0].LaunchHook
		if strings.Contains(kind, "terminate") {
			transition, hook = "autoscaling:EC2_INSTANCE_TERMINATING", config.Groups[0].TerminateHook
		}
		e, err := lifecycle.Parse(fmt.Appendf(nil, `{"version":"0","id":"1","detail-type":%q,`+
			`"source":%q,"account":"111122223333","time":"2026-11-27T12:00:00Z","region":"eu-west-1",`+
			`"resources":[],"detail":{"AutoScalingGroupName":%q,"EC2InstanceId":"i-0a0000000000000b1",`+
			`"LifecycleActionToken":"c4000000-0000-4000-8000-0000000000b1","LifecycleHookName":%q,`+
			`"LifecycleTransition":%q,"Origin":"EC2","Destination":"AutoScalingGroup",`+
			`"StatusCode":"InProgress"}}`, kind, p.Source[0], p.Detail.AutoScalingGroupName[0], hook,
			transition))
		if err != nil || config.Group(e) == nil {
			t.Errorf("%s: %+v, %v", kind, e, err)
		}
		kinds = append(kinds, e.Kind)
	}
	want := []lifecycle.Kind{lifecycle.Launch, lifecycle.Terminate, lifecycle.Gone}
	if !slices.Equal(kinds, want) {
		t.Errorf("the rule lets %q through, want %q", kinds, want)
	}
}

// TestPackage: the package for Lambda has what the function looks for, programs that may be run.
func TestPackage(t *testing.T) {
	bin := t.TempDir()
	for _, name := range []string{"lifecycled", "aws-provider-executor",
		"appliance-provider-executor"} {
		if err := os.WriteFile(filepath.Join(bin, name), []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	to := filepath.Join(bin, "lifecycled.zip")
	out, err := exec.Command("go", "run", "./lambda", "-bin", bin, "-config", "lifecycle.yaml",
		"-policy", "policy.yaml", "-o", to).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "LIFECYCLED_CONFIG=/var/task/lifecycle.yaml") {
		t.Fatalf("%v: %s", err, out)
	}
	z, err := zip.OpenReader(to)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	var got []string
	for _, f := range z.File {
		got = append(got, fmt.Sprintf("%s %o %d", f.Name, f.Mode().Perm(), f.UncompressedSize64))
	}
	want := []string{"bootstrap 755 10", "aws-provider-executor 755 21",
		"appliance-provider-executor 755 27",
		fmt.Sprintf("lifecycle.yaml 644 %d", len(read(t, "lifecycle.yaml"))),
		fmt.Sprintf("policy.yaml 644 %d", len(read(t, "policy.yaml")))}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
