//go:build conformance

package conformance

import (
	"context"
	"net/http"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"aws-provider-executor/pkg/ec2sim"
)

// noKeys leaves a client nothing but the metadata service to have credentials from.
const noKeys = "unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY;"

// TestMetadata has each client get the role's credentials from the stand-in's metadata service.
func TestMetadata(t *testing.T) {
	t.Parallel()
	p := own(t, startSim)
	w := p.fresh(t)
	role := func(t *testing.T) {
		t.Helper()
		calls := p.calls(t, "")
		if len(calls) == 0 {
			t.Fatal("no call has come")
		}
		for _, c := range calls {
			if c.AccessKeyID != ec2sim.LabRoleCredential.AccessKeyID || c.Code != "" {
				t.Errorf("%s came from %s and was answered %s", c.Operation, c.AccessKeyID, c.Code)
			}
		}
		p.control(t, http.MethodDelete, "/_sim/calls", "", nil)
	}
	p.control(t, http.MethodDelete, "/_sim/calls", "", nil)
	t.Run("boto3", func(t *testing.T) {
		told.scenario("ec2sim")
		boto3, err := p.newJudge(noKeys)
		if err != nil {
			t.Fatal(err)
		}
		if v := boto3.ask(t,
			question{Do: "call", Method: "describe_vpcs", Query: "length(Vpcs)"}); v.String() != "ok 2" {
			t.Errorf("boto3 gets %s", v)
		}
		role(t)
	})
	t.Run("AWS CLI", func(t *testing.T) {
		told.scenario("ec2sim")
		c := command{line: noKeys + " aws ec2 describe-vpcs --query 'length(Vpcs)'", want: "2"}
		c.run(t, p)
		role(t)
	})
	t.Run("executor", func(t *testing.T) {
		told.scenario("ec2sim")
		a := w.actions(t)
		a.before = noKeys
		if got := a.tell(a.run(t, "execute assign-secondary-ip nic-a 10.88.60.9")); len(
			lacks(got, "succeeded changed=true")) > 0 {
			t.Errorf("the executor says %s", got)
		}
		role(t)
	})
	// A service that is out of reach or busy may answer later; one that forbids will not.
	for fault, retryable := range map[string]string{"refuse": "true", "forbid": "false",
		"failure": "true", "hang": "true"} {
		t.Run("executor, when the service has the fault "+fault, func(t *testing.T) {
			told.scenario("ec2sim")
			p.control(t, http.MethodPut, "/_sim/metadata", `{"fault":"`+fault+`"}`, nil)
			defer p.control(t, http.MethodPut, "/_sim/metadata", `{"fault":""}`, nil)
			a := w.actions(t)
			a.before = noKeys
			began := time.Now()
			got := a.tell(a.run(t, "execute assign-secondary-ip nic-a 10.88.60.9"))
			if len(lacks(got, "failed authentication retryable="+retryable)) > 0 {
				t.Errorf("the executor says %s", got)
			}
			// The contract's 5 s, and as much again for a machine that does other things.
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("it took %s", took)
			}
		})
	}
	t.Run("AWS CLI, when the service refuses", func(t *testing.T) {
		told.scenario("ec2sim")
		p.control(t, http.MethodPut, "/_sim/metadata", `{"fault":"forbid"}`, nil)
		defer p.control(t, http.MethodPut, "/_sim/metadata", `{"fault":""}`, nil)
		c := command{line: noKeys + " aws ec2 describe-vpcs", says: "Unable to locate credentials",
			fails: true}
		c.run(t, p)
	})
}

// TestSecureOnlyWithItsAuthority has clients refuse a server whose authority they were not told of.
func TestSecureOnlyWithItsAuthority(t *testing.T) {
	t.Parallel()
	p := own(t, startSecureSim)
	w := p.fresh(t)
	const before = "unset AWS_CA_BUNDLE;"
	t.Run("boto3", func(t *testing.T) {
		told.scenario("ec2sim")
		if v := w.do(t, "describe_vpcs | length(Vpcs)"); v.String() != "ok 2" {
			t.Errorf("with it, boto3 gets %s", v)
		}
		boto3, err := p.newJudge(before)
		if err != nil {
			t.Fatal(err)
		}
		once := map[string]any{
			"config": map[string]any{"retries": map[string]any{"total_max_attempts": 1}}}
		if v := boto3.ask(t, question{Do: "call", Method: "describe_vpcs", As: once}); v.String() !=
			"broken: SSLError" {
			t.Errorf("without it, boto3 gets %s", v)
		}
	})
	t.Run("executor", func(t *testing.T) {
		told.scenario("ec2sim")
		a := w.actions(t)
		if got := a.tell(a.run(t, "execute assign-secondary-ip nic-a 10.88.60.9")); len(
			lacks(got, "succeeded changed=true")) > 0 {
			t.Errorf("with it, the executor says %s", got)
		}
		a.before = before
		got := a.run(t, "execute ensure-forwarding-enabled nic-a")
		if len(lacks(a.tell(got), "failed unavailable")) > 0 ||
			!strings.Contains(a.says(got), "AWS_CA_BUNDLE") {
			t.Errorf("without it, the executor says %s %s", a.tell(got), a.says(got))
		}
	})
}

// TestPrintedLinesAreAllThereIs has ec2sim's whole standard output be what a shell can evaluate,
// and the lines set AWS variables, and have no proxy asked, and nothing else.
func TestPrintedLinesAreAllThereIs(t *testing.T) {
	t.Parallel()
	told.scenario("ec2sim")
	p := own(t, startSecureSim)
	wanted := regexp.MustCompile(`^(# |export AWS_|unset AWS_|export (NO_PROXY|no_proxy)=)`)
	for line := range strings.Lines(p.server.stdout()) {
		if !wanted.MatchString(line) {
			t.Errorf("it prints %q", line)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	strict := exec.CommandContext(ctx, "sh", "-euc", p.server.stdout()+`test -f "$AWS_CA_BUNDLE"`)
	strict.Env = []string{"PATH=" + house.home}
	if out, err := strict.CombinedOutput(); err != nil {
		t.Errorf("sh does not take it: %v %s", err, out)
	}
}
