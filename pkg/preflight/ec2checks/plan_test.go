package ec2checks

import (
	"encoding/json"
	"slices"
	"testing"

	"aws-provider-executor/pkg/protocol"
)

// The facts of a plan are the same in each dry-run, whatever time a fence would have.
func TestFactsOfAPlanHaveNoTime(t *testing.T) {
	facts := func(at string) string {
		text, err := json.Marshal(changeFacts([]protocol.Change{
			{Resource: "i-1", Attribute: "fenceBackup", From: at + " eni-1=sg-1", To: "none"},
			{Resource: "eni-1", Attribute: "securityGroups", From: "sg-2", To: "sg-1", Via: "sg-3"},
		}))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	want := `[{"attribute":"fenceBackup","from":"eni-1=sg-1","resource":"i-1","to":"none"},` +
		`{"attribute":"securityGroups","from":"sg-2","resource":"eni-1","to":"sg-1","via":"sg-3"}]`
	if got := facts("1795908719"); got != want || got != facts("1795908720") {
		t.Errorf("they are %s", got)
	}
}

// Programs go by the names: each is there once, documented, and a verdict that it never comes to is
// left out.
func TestChecksAreDocumented(t *testing.T) {
	var names []string
	for _, c := range Checks() {
		names = append(names, c.Name)
		if c.Reads == "" || c.Pass == "" || c.Unknown == "" || (c.About == nil) != (c.For == "") {
			t.Errorf("%s is not documented", c.Name)
		}
	}
	sorted := slices.Sorted(slices.Values(names))
	if len(slices.Compact(sorted)) != len(names) {
		t.Errorf("a name is there twice: %v", names)
	}
}

func TestRoleThatIsExpected(t *testing.T) {
	const session = "arn:aws:sts::123456789012:assumed-role/lab/i-1"
	const user = "arn:aws:iam::123456789012:user/team/ann"
	for _, tt := range []struct {
		arn, expected string
		want          bool
	}{
		{session, "lab", true},
		{session, "arn:aws:iam::123456789012:role/lab", true},
		{session, "arn:aws:iam::123456789012:role/path/lab", true},
		{session, session, true},
		{session, "arn:aws:iam::210987654321:role/lab", false},
		{session, "arn:aws-cn:iam::123456789012:role/lab", false},
		{session, "arn:aws:iam::123456789012:user/lab", false},
		{session, "la", false},
		{session, "i-1", false},
		{user, "ann", true},
		{user, user, true},
		{user, "arn:aws:iam::123456789012:role/ann", false},
	} {
		if got := isRole(tt.arn, tt.expected); got != tt.want {
			t.Errorf("isRole(%s, %s) = %t", tt.arn, tt.expected, got)
		}
	}
}
