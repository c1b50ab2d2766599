package smoke

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/pkg/protocol"
)

// TestProduction: which tags mean production, whatever their case, and which do not.
func TestProduction(t *testing.T) {
	for _, c := range []struct {
		key, value string
		want       bool
	}{
		{"env", "prod", true}, {"Environment", "Production", true}, {"stage", "prod-eu", true},
		{"stage", "PROD_1", true}, {"tier", "prd", true}, {"role", " live ", true},
		{"production", "", true}, {"Production", "true", true}, {"production", "false", false},
		{"production", "no", false}, {"env", "test", false}, {"Name", "product-db", false},
		{"Name", "reproduction", false}, {"env", "non-prod", false}, {"role", "liveness", false},
		{"lab", "smoke", false}, {"env", "", false},
	} {
		tags := map[string]string{"a": "b", c.key: c.value}
		got, is := Production(tags)
		if is != c.want || is && got != (Tag{c.key, c.value}) {
			t.Errorf("%s=%s: %v, %t", c.key, c.value, got, is)
		}
	}
	if _, is := Production(nil); is {
		t.Error("nothing is production")
	}
}

// TestParseTag: a tag has a key; its value may be empty, or have an equals sign in it.
func TestParseTag(t *testing.T) {
	for text, want := range map[string]Tag{
		"lab=smoke": {"lab", "smoke"}, "lab=": {"lab", ""}, "a=b=c": {"a", "b=c"},
	} {
		got, err := ParseTag(text)
		if err != nil || got != want || got.String() != text {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "lab", "=smoke"} {
		if got, err := ParseTag(text); err == nil {
			t.Errorf("%q: %v", text, got)
		}
	}
}

// TestDifferences: what came, what went and what changed are told; an empty value is not an absent
// one.
func TestDifferences(t *testing.T) {
	before := State{"a x": "1", "b x": "1", "c x": "", "same x": "1"}
	now := State{"a x": "2", "d x": "", "same x": "1"}
	want := []string{`a x is "2", and was "1"`, `b x is absent, and was "1"`,
		`c x is absent, and was ""`, `d x is "", and was absent`}
	if diff := cmp.Diff(want, now.Differences(before)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := before.Differences(before); got != nil {
		t.Errorf("the same differs: %q", got)
	}
}

// TestReached: what of a plan is so, is not so, and is not read.
func TestReached(t *testing.T) {
	s := State{"eni-1 sourceDestCheck": "false", "rtb-1/10.0.0.0/8 target": "eni-1"}
	change := func(resource, attribute, to string) protocol.Change {
		return protocol.Change{Resource: resource, Attribute: attribute, To: to}
	}
	wrong, unseen := s.reached([]protocol.Change{
		change("eni-1", "sourceDestCheck", "false"), change("rtb-1/10.0.0.0/8", "target", "eni-1"),
		change("rtb-1/10.9.0.0/16", "target", "none"),
	})
	if len(wrong)+len(unseen) > 0 {
		t.Errorf("what is so: %q, %q", wrong, unseen)
	}
	wrong, unseen = s.reached([]protocol.Change{
		change("eni-1", "sourceDestCheck", "true"), change("rtb-1/10.9.0.0/16", "target", "eni-2"),
		change("i-1", "fenceBackup", "x"),
	})
	if len(wrong) != 2 || !strings.Contains(wrong[1], "is none, want eni-2") {
		t.Errorf("wrong: %q", wrong)
	}
	if diff := cmp.Diff([]string{"i-1 fenceBackup"}, unseen); diff != "" {
		t.Errorf("not read (-want +got):\n%s", diff)
	}
}

// TestChanged: whose tags count are what is changed, and what something is taken from.
func TestChanged(t *testing.T) {
	const a, b, rtb, i = "eni-00000000000000001", "eni-00000000000000002",
		"rtb-00000000000000001", "i-00000000000000001"
	got := changed([]protocol.Change{
		{Resource: "vpc-00000000000000001/10.0.0.9", Attribute: "holder", From: b, To: a},
		{Resource: rtb + "/10.0.0.0/8", Attribute: "target", From: "igw-00000000000000001", To: a},
		{Resource: i, Attribute: "power", From: "on", To: "off"},
		{Resource: a, Attribute: "securityGroups", From: "sg-00000000000000001", To: "none"},
	})
	if diff := cmp.Diff([]string{b, a, rtb, i}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestToldNeedsAWayBack: a plan whose undo leads nothing back can't be tried.
func TestToldNeedsAWayBack(t *testing.T) {
	const one = `[{"resource":"a","attribute":"x","from":"1","to":"2"}]`
	const back = `[{"resource":"a","attribute":"x","from":"2","to":"1"}]`
	const other = `[{"resource":"a","attribute":"y","from":"2","to":"1"}]`
	for _, c := range []struct {
		name, plan, undo string
		ok               bool
	}{
		{"there and back", one, back, true},
		{"nothing", "[]", "[]", true},
		{"no way back", one, "[]", false},
		{"another way back", one, other, false},
		{"not told", "", back, false},
		{"way back not told", one, "", false},
		{"not readable", "{", back, false},
		{"way back not readable", one, "{", false},
	} {
		facts := map[string]string{protocol.FactPlan: c.plan, protocol.FactUndoPlan: c.undo}
		for name, text := range facts {
			if text == "" {
				delete(facts, name)
			}
		}
		if _, _, err := told(facts); (err == nil) != c.ok {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
