package action_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/actions"
	"aws-provider-executor/pkg/action"
)

// TestResourcesOfATarget: by the fields of all verbs, in one order, whatever else is there.
func TestResourcesOfATarget(t *testing.T) {
	got := actions.Registry().Resources(map[string]string{
		"routeTableRef": "rtb-1", "instanceRef": "not an id", "nicRef": "eni-1", "region": "eu-west-1",
		"address": "10.0.0.9", "priorHolder": "eni-2", "captureStrategy": "eni-3", "NICRef": "eni-4",
	})
	want := []action.Resource{
		{Kind: action.NetworkInterface, Field: "nicRef", ID: "eni-1"},
		{Kind: action.Instance, Field: "instanceRef", ID: "not an id"},
		{Kind: action.RouteTable, Field: "routeTableRef", ID: "rtb-1"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if got := actions.Registry().Resources(map[string]string{"nicRef": ""}); got != nil {
		t.Errorf("an empty text names %v", got)
	}
}

// TestPriorResources: what prior facts name, and no other parameter. A route leads to many kinds.
func TestPriorResources(t *testing.T) {
	for to, kind := range map[string]action.Kind{
		"eni-x": action.NetworkInterface, "i-0123456789abcdef0": action.Instance,
		"igw-0123456789abcdef0": "", "none": "", "local": "", "": "",
	} {
		var want []action.Resource
		if kind != "" {
			want = []action.Resource{{Kind: kind, Field: "priorRouteTarget", ID: to}}
		}
		got := actions.Registry().PriorResources(map[string]string{
			"priorRouteTarget": to, "expectedHolderRef": "eni-9", "assignedAddress": "10.0.0.9",
		})
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%q: %s", to, d)
		}
	}
}

// TestAFieldIsOfOneKind: a key means the same kind whatever the verb, and is told by its form.
func TestAFieldIsOfOneKind(t *testing.T) {
	kinds := map[string]action.Kind{}
	for _, v := range actions.Registry().Verbs() {
		for _, f := range v.Target {
			var kind action.Kind
			if f.Form.Names != nil {
				kind = f.Form.Names(f.Form.Example)
			}
			if known, ok := kinds[f.Name]; ok && known != kind {
				t.Errorf("%s of %s is of the kind %q, and elsewhere of %q", f.Name, v.Name, kind, known)
			}
			kinds[f.Name] = kind
		}
	}
	want := map[string]action.Kind{
		"nicRef": action.NetworkInterface, "instanceRef": action.Instance,
		"routeTableRef": action.RouteTable, "address": "", "region": "",
		"autoScalingGroupName": action.ScalingGroup,
		// The id itself tells the kind.
		"resourceRef": action.Instance, "deviceIndex": "",
	}
	if d := cmp.Diff(want, kinds); d != "" {
		t.Error(d)
	}
}

// TestKindsByTheirIDs: each kind is told by an id of it.
func TestKindsByTheirIDs(t *testing.T) {
	for kind, form := range map[action.Kind]action.Form{
		action.NetworkInterface: action.InterfaceID, action.Instance: action.InstanceID,
		action.RouteTable: action.RouteTableID, action.Subnet: action.SubnetID,
		action.SecurityGroup: action.SecurityGroupID, action.SSMDocument: action.DocumentName,
	} {
		if got := form.Names(form.Example); got != kind {
			t.Errorf("%s is a %q, want %q", form.Example, got, kind)
		}
	}
}

// TestTagText: a text in quotes is never taken for no tag, and gives the text back.
func TestTagText(t *testing.T) {
	for _, text := range []string{"", "absent", `"`, "a\nb", "é\u0085", `\`} {
		value := action.TagText(text)
		if got, ok := action.TextOf(value); got != text || !ok || value == action.NoTag {
			t.Errorf("%q is %s, and that is %q, %t", text, value, got, ok)
		}
	}
	for _, value := range []string{"", action.NoTag, "a", `"a`, "`a`", `'a'`, `"\x61"`} {
		if got, ok := action.TextOf(value); ok {
			t.Errorf("%s is taken for a tag: %q", value, got)
		}
	}
}
