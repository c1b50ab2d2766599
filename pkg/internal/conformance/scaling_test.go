//go:build conformance

package conformance

import (
	_ "embed"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

//go:embed scaling_judge.py
var scalingJudge string

// TestScalingGroups has boto3 and the AWS CLI talk to the stand-in's Auto Scaling. In moto nothing
// waits at a hook, so it is no judge of that.
func TestScalingGroups(t *testing.T) {
	t.Parallel()
	told.scenario("ec2sim")
	p := own(t, startSim)
	shell := func(line string, args ...string) string {
		out, err := p.shell(t.Context(), line, args...).CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", line, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	said := shell(`exec "$@"`, house.python.Path, "-c", scalingJudge)
	var got any
	if err := json.Unmarshal([]byte(said), &got); err != nil {
		t.Fatalf("the judge says %s", said)
	}
	const over = "ValidationError: No active Lifecycle Action found with token " +
		"c4000000-0000-4000-8000-00000000000a"
	want := []any{
		[]any{[]any{"Pending:Wait", false, "edge"}},
		[]any{[]any{"up", 3600.0, 172800.0, "ABANDON"}},
		"ValidationError: The instance i-01088600000000011 is not in InService or EnteringStandby or " +
			"Standby.",
		"ok", "ok", over, "ok",
		"ValidationError: New SetDesiredCapacity value 4 is above max value 3 for the " +
			"AutoScalingGroup.",
		"ok", "ok",
		[]any{[]any{0.0, "subnet-01088600000000000", 1.0}},
		[]any{[]any{"InService", true, "edge"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for line, want := range map[string]string{
		`aws autoscaling describe-auto-scaling-groups --query ` +
			`'AutoScalingGroups[].Instances[].[InstanceId,LifecycleState]' --output text`: "" +
			"i-01088600000000011\tInService",
		`aws autoscaling describe-lifecycle-hooks --auto-scaling-group-name edge ` +
			`--lifecycle-hook-names down --query 'LifecycleHooks[].HeartbeatTimeout' --output text`: "30",
		`aws autoscaling complete-lifecycle-action --auto-scaling-group-name edge ` +
			`--lifecycle-hook-name up --instance-id i-01088600000000011 --lifecycle-action-result ` +
			`CONTINUE 2>&1 | tail -1`: "An error occurred (ValidationError) when calling the " +
			"CompleteLifecycleAction operation: No active Lifecycle Action found with instance ID " +
			"i-01088600000000011",
	} {
		if got := shell(line); got != want {
			t.Errorf("%s\nsays %q, want %q", line, got, want)
		}
	}
}
