package render

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/iampolicy"
)

// TestPoliciesOfEveryPartition: each partition has both policies, whose ARNs and region are its
// own, and they allow what the verbs need and nothing else.
func TestPoliciesOfEveryPartition(t *testing.T) {
	files, err := generator().iam()
	if err != nil {
		t.Fatal(err)
	}
	policies := map[string]iampolicy.Document{}
	for _, f := range files {
		var p iampolicy.Document
		if err := json.Unmarshal(f.Data, &p); err != nil {
			t.Fatal(err)
		}
		policies[f.Path] = p
	}
	for prefix, want := range map[string]struct{ arn, region string }{
		"examples/iam/":            {"arn:aws:ec2:ap-northeast-1:", "ap-northeast-1"},
		"examples/iam/aws-cn/":     {"arn:aws-cn:ec2:cn-north-1:", "cn-north-1"},
		"examples/iam/aws-us-gov/": {"arn:aws-us-gov:ec2:us-gov-west-1:", "us-gov-west-1"},
	} {
		executor, reads := policies[prefix+"executor.json"], policies[prefix+"inventory.json"]
		if len(executor.Statement) < 2 || len(reads.Statement) != 1 {
			t.Fatalf("%s: %d and %d statements", prefix, len(executor.Statement), len(reads.Statement))
		}
		checkExecutorPolicy(t, prefix, want.arn, executor)
		checkFinalPolicy(t, prefix, policies[prefix+"run-command.json"])
		checkLifecyclePolicy(t, prefix, policies[prefix+"lifecycle.json"])
		for _, p := range []iampolicy.Document{executor, reads} {
			region := p.Statement[0].Condition["StringEquals"]["ec2:Region"]
			if !slices.Equal(p.Statement[0].Resource, iampolicy.Texts{"*"}) ||
				!slices.Equal(region, iampolicy.Texts{want.region}) {
				t.Errorf("%s: reading is allowed in %v", prefix, p.Statement[0].Condition)
			}
		}
	}
	if len(policies) != 12 {
		t.Errorf("%d policies", len(policies))
	}
}

// checkExecutorPolicy checks that the policy allows what the verbs need and nothing else.
func checkExecutorPolicy(t *testing.T, prefix, arn string, executor iampolicy.Document) {
	t.Helper()
	allowed := map[string]bool{}
	for i, s := range executor.Statement {
		resource := strings.Join(s.Resource, " ")
		if i > 0 && !isOf(arn, s.Sid, resource) {
			t.Errorf("%s: %s is for %s", prefix, s.Sid, resource)
		}
		kind := kindOf(resource)
		for _, a := range s.Action {
			allowed[a+" "+kind] = true
		}
		aside := []string{"*", string(action.SecurityGroup), string(action.PublicPool)}
		if !slices.Contains(aside, kind) && s.Condition["StringEquals"] == nil {
			t.Errorf("%s: %s is for whatever tags", prefix, s.Sid)
		}
	}
	needed := map[string]bool{"ec2:DescribeTags *": true}
	for _, v := range generator().Registry.Verbs() {
		if v.Irreversible {
			continue
		}
		for _, p := range v.Permissions {
			needed[p.Action+" "+p.Resource] = true
		}
	}
	for a := range needed {
		if !allowed[a] {
			t.Errorf("%s: %s is not allowed", prefix, a)
		}
	}
	if len(allowed) != len(needed) {
		t.Errorf("%s allows %d things, %d are needed", prefix, len(allowed), len(needed))
	}
}

// isOf reports whether a statement is about reading, or about what EC2 or Auto Scaling has.
func isOf(arn, sid, resource string) bool {
	return sid == "ReadOfOthers" || strings.HasPrefix(resource, arn) ||
		strings.HasPrefix(resource, strings.Replace(arn, ":ec2:", ":autoscaling:", 1))
}

// kindOf is the kind of resources that an ARN is of.
func kindOf(resource string) string {
	kind := strings.TrimSuffix(resource[strings.LastIndex(resource, ":")+1:], "/*")
	if kind == "autoScalingGroupName" {
		return string(action.ScalingGroup)
	}
	return kind
}

// checkFinalPolicy checks that what nothing takes back has a policy of its own.
func checkFinalPolicy(t *testing.T, prefix string, final iampolicy.Document) {
	t.Helper()
	var sids []string
	for _, s := range final.Statement {
		sids = append(sids, s.Sid)
		for _, a := range s.Action {
			if !strings.HasPrefix(a, "ssm:") {
				t.Errorf("%s: run-command.json allows %s", prefix, a)
			}
		}
	}
	if !slices.Equal(sids, []string{"ReadOfOthers", "ChangeDocument", "ChangeInstance"}) {
		t.Errorf("%s: run-command.json has %v", prefix, sids)
	}
}

// checkLifecyclePolicy checks that the policy of lifecycled allows to end waits, and no commands.
func checkLifecyclePolicy(t *testing.T, prefix string, p iampolicy.Document) {
	t.Helper()
	allowed := map[string]bool{}
	for _, s := range p.Statement {
		for _, a := range s.Action {
			allowed[a] = true
			if strings.HasPrefix(a, "ssm:") {
				t.Errorf("%s: lifecycle.json allows %s", prefix, a)
			}
		}
		if s.Sid == "ChangeAutoScalingGroup" && s.Condition["StringEquals"] == nil {
			t.Errorf("%s: lifecycle.json is for groups of whatever tags", prefix)
		}
	}
	for _, a := range []string{"CompleteLifecycleAction", "RecordLifecycleActionHeartbeat",
		"SetInstanceProtection", "DescribeLifecycleHooks", "DescribeAutoScalingInstances"} {
		if !allowed["autoscaling:"+a] {
			t.Errorf("%s: lifecycle.json does not allow %s", prefix, a)
		}
	}
}
