package inventory_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/pkg/inventory"
)

// TestPermissions: the example policy allows what the program calls, which is describing only.
func TestPermissions(t *testing.T) {
	text, err := os.ReadFile("../../examples/iam/inventory.json")
	if err != nil {
		t.Fatal(err)
	}
	var policy struct{ Statement []struct{ Action []string } }
	if err := json.Unmarshal(text, &policy); err != nil {
		t.Fatal(err)
	}
	diff := cmp.Diff(inventory.Permissions, policy.Statement[0].Action)
	if diff != "" || len(policy.Statement) != 1 {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, action := range inventory.Permissions {
		if !strings.HasPrefix(action, "ec2:Describe") {
			t.Errorf("%s is not only reading", action)
		}
	}
}
