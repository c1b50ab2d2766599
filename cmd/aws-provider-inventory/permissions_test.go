package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/pkg/ec2sim"
	"aws-provider-executor/pkg/inventory"
)

// observed is what the program answers, by the fields of its status.
type observed map[string]any

func (o observed) text(name string) string { text, _ := o[name].(string); return text }

// observe runs the program for a request of the examples, with the role's permissions but one.
func observe(t *testing.T, request, without string) (o observed, called []string) {
	t.Helper()
	sim := ec2sim.New(ec2sim.Lab())
	server, err := ec2sim.Start(sim, ec2sim.ServerOptions{Metadata: ec2sim.LabMetadata()})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	allowed := slices.DeleteFunc(slices.Clone(inventory.Permissions), func(p string) bool {
		return p == without
	})
	if err := sim.SetPolicies(ec2sim.LabCredential.AccessKeyID, `{"Version":"2012-10-17",`+
		`"Statement":[{"Effect":"Allow","Resource":"*","Action":["`+
		strings.Join(allowed, `","`)+`"]}]}`); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("../../examples/inventory/" + request)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("aws-provider-inventory")
	cmd.Env = append(server.Env(), "PATH="+os.Getenv("PATH"))
	cmd.Stdin = bytes.NewReader(text)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var result struct{ Status observed }
	if err := json.Unmarshal(out, &result); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, c := range sim.Calls() {
		if c.Change {
			t.Errorf("it called %s", c.Operation)
		}
		called = append(called, "ec2:"+c.Operation)
	}
	return result.Status, called
}

// TestWithoutAPermission takes each permission of the inventory away. An answer that misses it
// fails and names it, without any list, or names it among what was not read: then what it lists is
// what it lists with all of them, or is left out. None is missed in silence.
func TestWithoutAPermission(t *testing.T) {
	missed := map[string]int{}
	for _, request := range []string{"request.json", "request-by-routes.json",
		"request-tagged.json"} {
		full, called := observe(t, request, "")
		if full.text("status") != "succeeded" || full["notRead"] != nil {
			t.Fatalf("%s with all permissions: %v", request, full)
		}
		for _, permission := range inventory.Permissions {
			t.Run(request+" without "+permission, func(t *testing.T) {
				o, _ := observe(t, request, permission)
				if !slices.Contains(called, permission) {
					if diff := cmp.Diff(full, o); diff != "" {
						t.Errorf("nothing calls it, and the answer differs:\n%s", diff)
					}
					return
				}
				missed[permission]++
				o.judge(t, full, permission)
			})
		}
	}
	for _, permission := range inventory.Permissions {
		// A subnet is read only where it shows no interface: core_role.txtar takes that away.
		if missed[permission] == 0 && permission != "ec2:DescribeSubnets" {
			t.Errorf("nothing misses %s", permission)
		}
	}
}

// judge holds an answer without a permission against the one with all.
func (o observed) judge(t *testing.T, full observed, permission string) {
	t.Helper()
	lists := []string{"ips", "observedCandidates", "localIPs", "routes", "capturedAddresses"}
	if o.text("status") == "failed" {
		if !strings.Contains(o.text("error"), permission) {
			t.Errorf("it does not name it: %s", o.text("error"))
		}
		for _, name := range lists {
			if list, _ := o[name].([]any); len(list) > 0 {
				t.Errorf("it failed, and lists %s", name)
			}
		}
		return
	}
	notRead, _ := json.Marshal(o["notRead"])
	if !bytes.Contains(notRead, []byte(permission)) ||
		!strings.Contains(o.text("message"), permission) {
		t.Errorf("it does not name it: %s, %s", o.text("message"), notRead)
	}
	for _, name := range lists {
		if o[name] != nil && !cmp.Equal(o[name], full[name]) {
			t.Errorf("%s is another list than with all permissions", name)
		}
	}
}
