package action

import (
	"regexp"
	"testing"

	"aws-provider-executor/pkg/protocol"

	"github.com/google/go-cmp/cmp"
)

func TestFamily(t *testing.T) {
	byIndex := Field{Name: "interface<N>Sg", Key: DeviceIndex, Form: SetOf(SecurityGroupID)}
	byInterface := Field{Name: "prior.<eni>", Key: InterfaceID, Form: Text}
	plain := Field{Name: "a.b", Form: Text}
	for _, c := range []struct {
		field Field
		key   string
		want  bool
	}{
		{byIndex, "interface0Sg", true}, {byIndex, "interface15Sg", true},
		{byIndex, "interface16Sg", false}, {byIndex, "interface00Sg", false},
		{byIndex, "interfaceSg", false},
		{byIndex, "interface<N>Sg", false}, {byIndex, "interface1", false},
		{byIndex, "xinterface1Sg", false}, {byIndex, "interface+1Sg", false},
		{byInterface, "prior.eni-01234567", true}, {byInterface, "prior.", false},
		{byInterface, "priorXeni-01234567", false},
		{byInterface, "prior.i-01234567", false}, {byInterface, "prior.eni-01234567x", false},
		{plain, "a.b", true}, {plain, "axb", false},
	} {
		if got := c.field.Matches(c.key); got != c.want {
			t.Errorf("%s matches %s: %t", c.field.Name, c.key, got)
		}
		if got := regexp.MustCompile(c.field.NamePattern()).MatchString(c.key); got != c.want {
			t.Errorf("the pattern %s matches %s: %t", c.field.NamePattern(), c.key, got)
		}
	}
	for f, want := range map[string]string{byIndex.ExampleName(): "interface0Sg",
		plain.ExampleName(): "a.b", byIndex.Of("3"): "interface3Sg"} {
		if f != want {
			t.Errorf("%s, want %s", f, want)
		}
	}
}

func TestCheckFindsAFamilysKeys(t *testing.T) {
	v := Verb{Name: "v",
		Parameters: []Field{{Name: "interface<N>Sg", Key: DeviceIndex, Form: SetOf(SecurityGroupID)}}}
	got, faults := v.check(protocol.Request{Parameters: map[string]string{
		"interface0Sg": "sg-0000000b,sg-0000000a,sg-0000000b", "interface2Sg": "sg-x", "interface3Sg": "",
		"interface16Sg": "ignored",
	}})
	want := map[string]string{"interface0Sg": "sg-0000000a,sg-0000000b"}
	if diff := cmp.Diff(want, got.Parameters); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if len(faults) != 1 || faults[0].Path != "spec.parameters.interface2Sg" {
		t.Errorf("%v", faults)
	}
}
