package cli

import (
	"strings"
	"testing"
)

const deskRequest = `{"apiVersion":"provideraction.routerd.net/v1alpha1",
 "kind":"ExecuteActionRequest","spec":{"action":"assign-secondary-ip","provider":"aws",
 "target":{"nicRef":"eni-01088600000000011","address":"10.88.60.9","region":"ap-northeast-1"},
 "mode":"execute","idempotencyKey":"k"}}`

func TestPolicyCheck(t *testing.T) {
	d := newDesk(t)
	check := []string{"policy", "check", "-f", d.path("policy.yaml")}
	out, _ := d.run(0, "", check...)
	d.says(out, "well-formed")
	out, _ = d.run(0, deskRequest, append(check, "-f", "-")...)
	d.says(out, "allowed by the policy desk\n  it needs approval by 1")
	undo := strings.NewReplacer("assign-secondary-ip", "unassign-secondary-ip", `"k"`, `"k:undo"`).
		Replace(deskRequest)
	out, _ = d.run(0, undo, append(check, "-f", "-")...)
	d.says(out, "allowed by the policy desk\n  it needs an action in the journal that it rolls back")
	d.write(
		"tried.yaml",
		strings.Replace(
			deskPolicy,
			"enabled: true",
			"enabled: true, requireApproval: false, requireEvidence: true",
			1,
		),
	)
	out, _ = d.run(0, undo, "policy", "check", "-f", d.path("tried.yaml"), "-f", "-")
	d.says(out, "it needs an action in the journal that it rolls back")
	d.write(
		"free.yaml",
		strings.Replace(deskPolicy, "enabled: true", "enabled: true, requireApproval: false", 1),
	)
	if out, _ = d.run(0, undo, "policy", "check", "-f", d.path("free.yaml"), "-f",
		"-"); out != "allowed by the policy desk\n" {
		t.Errorf("%q", out)
	}
	d.run(ExitUsage, "", append(check, "-f", "a", "-f", "b")...)
	d.run(ExitUsage, deskRequest+deskRequest, append(check, "-f", "-")...)
	d.write("bad.yaml", "kind: x\n")
	_, said := d.run(ExitRefused, "", "policy", "check", "-f", d.path("bad.yaml"))
	d.says(said, `line 1: kind: is "x", want "ProviderActionPolicy"`)
}
