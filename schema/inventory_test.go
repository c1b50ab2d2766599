package schema_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/inventory"
	"aws-provider-executor/schema"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

func observe(spec tree) tree {
	return tree{"apiVersion": inventory.APIVersion, "kind": inventory.RequestKind, "spec": spec}
}

// TestInventorySchemaAndBinaryAgree: a request is judged alike by both.
func TestInventorySchemaAndBinaryAgree(t *testing.T) {
	s := compile(t, schema.InventoryRequest())
	n := 0
	judge := func(accepted bool, r tree) {
		t.Helper()
		n++
		text := marshal(r)
		doc, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Validate(doc); (err == nil) != accepted {
			t.Errorf("the schema says accepted=%t, want %t (%v)\n%s", err == nil, accepted, err, text)
		}
		if _, faults := inventory.Decode(strings.NewReader(text), "aws"); (len(faults) == 0) != accepted {
			t.Errorf(
				"the binary says accepted=%t, want %t (%v)\n%s",
				len(faults) == 0,
				accepted,
				faults,
				text,
			)
		}
	}
	put := func(accepted bool, path []string, values ...any) {
		t.Helper()
		for _, v := range values {
			r := observe(tree{"provider": "aws", "target": tree{}, "selector": tree{"tags": tree{}}})
			judge(accepted, set(r, v, path...))
		}
	}
	at := func(keys ...string) []string { return append([]string{"spec"}, keys...) }
	judge(true, observe(tree{"provider": "aws"}))
	put(
		false,
		[]string{"apiVersion"},
		append(notText(), absent{}, "", "provideraction.routerd.net/v1alpha1")...)
	put(
		false,
		[]string{"kind"},
		append(notText(), absent{}, "ExecuteActionRequest", inventory.ResultKind)...)
	put(false, []string{"spec"}, absent{}, nil, "", []any{}, tree{})
	put(false, at("provider"), append(notText(), absent{}, "", "gcp", "AWS")...)
	for _, key := range []string{"providerRef", "selfNode", "pool", "strategy", "prefix", "selfNicRef",
		"subnetRef", "routeTableRef"} {
		put(true, at(key), absent{}, "")
		put(false, at(key), notText()...)
	}
	put(true, at("strategy"), "route-table", "secondary-ip")
	put(
		false,
		at("strategy"),
		"routetable",
		"Route_Table",
		"route-table ",
		"route",
		"route-tables",
		"anything",
	)
	put(true, at("context"), append(notText(), "x")...)
	put(true, at("unknown"), notText()...)
	for _, f := range []struct {
		key  []string
		form action.Form
	}{
		{at("selfNicRef"), action.InterfaceID}, {at("subnetRef"), action.SubnetID},
		{at("routeTableRef"), action.RouteTableID},
		{at("target", "nicRef"), action.InterfaceID}, {at("target", "subnetRef"), action.SubnetID},
		{at("target", "routeTableRef"), action.RouteTableID}, {at("target", "region"), action.Region},
		{at("prefix"), action.Network},
	} {
		known := formTexts[f.form.Name]
		if f.form.Name == action.SubnetID.Name {
			known = resourceIDTexts("subnet")
		}
		for _, text := range known.good {
			put(true, f.key, text)
		}
		for _, text := range known.bad {
			put(false, f.key, text)
		}
	}
	for _, key := range [][]string{at("strategy"), at("target", "captureStrategy")} {
		put(true, key, "secondary-ip", "route-table")
		put(false, key, "route", "Route-Table", "secondary-ip,route-table", "none")
	}
	put(true, at("target"), absent{}, nil, tree{})
	put(false, at("target"), "", []any{}, 1)
	put(false, at("target", "region"), notText()...)
	put(true, at("target", "unknown"), "", "x")
	put(false, at("target", "unknown"), notText()...)
	for _, key := range credentialKeys {
		put(false, at("target", key), "x")
		put(true, at("selector", "tags", key), "x")
	}
	put(true, at("selector"), absent{}, nil, tree{}, tree{"other": 1})
	put(false, at("selector"), "", []any{}, 1)
	put(true, at("selector", "tags"), absent{}, nil, tree{}, tree{"a": "", "b": "*"})
	put(false, at("selector", "tags"), "", []any{}, 1, tree{"a": 1}, tree{"a": nil}, tree{"": "x"})
	t.Logf("%d requests", n)

	// Beyond a schema.
	for _, spec := range []tree{
		{"provider": "aws", "selfNicRef": "eni-01234567", "target": tree{"nicRef": "eni-76543210"}}} {
		if _, faults := inventory.Decode(
			strings.NewReader(marshal(observe(spec))),
			"aws",
		); len(
			faults,
		) == 0 {
			t.Errorf("%v is accepted", spec)
		}
	}
}

// TestInventoryExamplesFollowSchema: what the examples' script holds the program to is of the
// schemas.
func TestInventoryExamplesFollowSchema(t *testing.T) {
	for pattern, text := range map[string][]byte{"request*.json": schema.InventoryRequest(),
		"result*.json": schema.InventoryResult()} {
		s := compile(t, text)
		files, err := filepath.Glob(filepath.Join("../examples/inventory", pattern))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %v", pattern, err)
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			doc, err := jsonschema.UnmarshalJSON(strings.NewReader(string(data)))
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Validate(doc); err != nil {
				t.Errorf("%s: %v", file, err)
			}
		}
	}
}

// TestInventorySchemaRefusesOtherResults: a failure has no lists, a success has them all.
func TestInventorySchemaRefusesOtherResults(t *testing.T) {
	s := compile(t, schema.InventoryResult())
	address := func() tree {
		return tree{
			"address":      "10.0.0.1",
			"nicRef":       "eni-1",
			"resourceType": "router-nic",
			"primary":      true,
			"selected":     false,
		}
	}
	good := func() tree {
		return tree{"apiVersion": inventory.APIVersion, "kind": inventory.ResultKind, "status": tree{
			"status":  "succeeded",
			"message": "m",
			"self": tree{
				"nicRef":            "eni-1",
				"resourceType":      "router-nic",
				"privateIPs":        []any{"10.0.0.1"},
				"capturedAddresses": []any{},
			},
			"ips":                []any{address()},
			"observedCandidates": []any{},
			"localIPs":           []any{},
		}}
	}
	short := func() tree {
		s := set(good(), absent{}, "status", "observedCandidates")
		s = set(s, []any{"the routes of subnet-1 (not allowed)"}, "status", "notRead")
		return set(
			set(s, absent{}, "status", "localIPs"),
			absent{},
			"status",
			"self",
			"capturedAddresses",
		)
	}
	failed := func() tree {
		return tree{
			"apiVersion": inventory.APIVersion,
			"kind":       inventory.ResultKind,
			"status":     tree{"status": "failed", "error": "unavailable: e"},
		}
	}
	for _, r := range []tree{good(), short(), failed()} {
		if err := s.Validate(r); err != nil {
			t.Fatal(err)
		}
	}
	for name, r := range map[string]tree{
		"another kind": set(good(), "ExecuteActionResult", "kind"),
		"no self":      set(good(), absent{}, "status", "self"),
		"no ips":       set(good(), absent{}, "status", "ips"),
		"no message":   set(good(), absent{}, "status", "message"),
		"an error":     set(good(), "e", "status", "error"),
		"skipped":      set(good(), "skipped", "status", "status"),
		"an address of no one": set(good(), []any{set(address(), absent{}, "nicRef")},
			"status", "ips"),
		"a number for primary": set(good(), []any{set(address(), 1, "primary")}, "status", "ips"),
		"an address without a type": set(good(), []any{set(address(), absent{}, "resourceType")},
			"status", "localIPs"),
		"an address of another type": set(good(), []any{set(address(), "instance", "resourceType")},
			"status", "ips"),
		"not told to be selected": set(good(), []any{set(address(), absent{}, "selected")}, "status",
			"observedCandidates"),
		"a node that is no router": set(good(), "instance-nic", "status", "self", "resourceType"),
		"a route without a table": set(good(), []any{tree{"address": "10.0.0.0/8"}},
			"status", "routes"),
		"failed, without an error":   set(failed(), absent{}, "status", "error"),
		"failed, with an empty list": set(failed(), []any{}, "status", "ips"),
		"failed, with routes":        set(failed(), []any{}, "status", "routes"),
	} {
		if s.Validate(r) == nil {
			t.Errorf("%s is accepted: %s", name, marshal(r))
		}
	}
}
