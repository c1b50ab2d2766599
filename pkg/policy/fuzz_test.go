package policy

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"aws-provider-executor/actions"
	kind "aws-provider-executor/pkg/action"
)

// FuzzDecision holds that no document, whatever it says, allows what its lists do not name, and
// that reading one never panics.
func FuzzDecision(f *testing.F) {
	f.Add(
		header+open,
		"assign-secondary-ip",
		"aws",
		"lab-aws",
		"10.88.60.9/32",
		"eni-0abc",
		int64(1772500000),
	)
	f.Add(
		header+open+"  executionWindow: Fri 22:00-06:00 Europe/Berlin, Mon,Wed 10:00-11:00 UTC\n  "+
			"allowedTargets: {nicRef: ['eni-*']}\n",
		"fence",
		"aws",
		"",
		"",
		"eni-1",
		int64(0),
	)
	f.Add(
		`{"apiVersion":"hybrid.routerd.net/v1alpha1","kind":"ProviderActionPolicy",`+
			`"metadata":{"name":"x"},"spec":{"enabled":true}}`,
		"a",
		"b",
		"c",
		"d",
		"e",
		int64(-1),
	)
	f.Add("a: &x [*x]", "", "", "", "", "", int64(0))
	f.Fuzz(func(t *testing.T, doc, action, provider, ref, address, nic string, unix int64) {
		p, err := Parse([]byte(doc))
		if err != nil {
			if err.Error() == "" {
				t.Fatal("refused without a reason")
			}
			return
		}
		s := Subject{
			Action: action, Provider: provider, ProviderRef: ref, NeedsAddress: true,
			Target: map[string]string{"address": address, "nicRef": nic},
		}
		s.Resources = actions.Registry().Resources(s.Target)
		d := p.Subject(s)
		if len(d) > 0 && d.Err().Error() == "" {
			t.Fatal("denied without a reason")
		}
		if len(d) == 0 {
			allowed(t, p, s)
		}
		now := time.Unix(unix%(1<<40), 0)
		if len(p.Execution(now, 0)) == 0 && (p.DryRunOnly() || p.MaxActions < 1) {
			t.Fatal("executed where only dry-runs, or none, are allowed")
		}
		if p.Approvals() > 0 && len(p.Approved(History{Digest: "d", Imported: now}, now)) == 0 {
			t.Fatal("approved by nobody")
		}
	})
}

// allowed checks the decision another way round.
func allowed(t *testing.T, p *Policy, s Subject) {
	in := func(list []string, name string) bool {
		return slices.Contains(list, name) || slices.Contains(list, "*")
	}
	if !p.Enabled || !in(p.Providers, s.Provider) || !in(p.Actions, s.Action) ||
		p.ProviderRefs != nil && !in(p.ProviderRefs, s.ProviderRef) {
		t.Fatalf("allowed %+v by %+v", s, p)
	}
	if p.Targets != nil && (s.Target["nicRef"] == "" || len(p.Targets[kind.NetworkInterface]) == 0) {
		t.Fatalf("allowed the target %+v by %+v", s.Target, p.Targets)
	}
	if p.CIDRs == nil {
		return
	}
	text := s.Target["address"]
	if text == "" {
		t.Fatalf("allowed no address by %v", p.CIDRs)
	}
	if a, err := netip.ParseAddr(text); err == nil &&
		!slices.ContainsFunc(p.CIDRs, func(c netip.Prefix) bool { return c.Contains(a) }) {
		t.Fatalf("allowed %s by %v", text, p.CIDRs)
	}
}
