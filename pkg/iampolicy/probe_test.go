package iampolicy_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/iampolicy"
	"aws-provider-executor/pkg/preflight"
	"aws-provider-executor/pkg/protocol"
)

type silent struct{ error }

func (silent) NotAsked() bool { return true }

// answers are a provider's, by the actions asked about; none is that it is allowed.
type answers struct {
	deaf    error
	changes []string
	of      map[string]error
	asked   []string
}

func (a *answers) Heeds(context.Context) error { return a.deaf }
func (a *answers) Changes() []string           { return a.changes }

func (a *answers) Ask(_ context.Context, name string, of map[action.Kind]string) error {
	a.asked = append(a.asked, fmt.Sprint(name, len(of)))
	return a.of[name]
}

func TestProbe(t *testing.T) {
	const modify, describe, terminate = "ec2:ModifyNetworkInterfaceAttribute",
		"ec2:DescribeNetworkInterfaces", "ec2:TerminateInstances"
	refused := protocol.Refuse(protocol.Authorization, "no")
	busy := protocol.Refuse(protocol.Throttled, "too many calls")
	unasked := silent{errors.New("no interface is named")}
	for _, tt := range []struct {
		name           string
		of             map[string]error
		needed, excess preflight.Verdict
		word           string
	}{
		{"as it should be", map[string]error{terminate: refused}, preflight.Pass, preflight.Pass,
			"refuses all 1 actions"},
		{"a change is refused", map[string]error{terminate: refused, modify: refused}, preflight.Fail,
			preflight.Pass, modify + " is not allowed"},
		{"a read is refused", map[string]error{terminate: refused, describe: refused},
			preflight.Fail, preflight.Pass, describe + " is not allowed"},
		{"more is allowed", nil, preflight.Pass, preflight.Fail, terminate + " is allowed, and nothing"},
		{"throttled", map[string]error{terminate: busy, modify: busy}, preflight.Unknown,
			preflight.Unknown, modify + " got no answer that tells: too many calls"},
		{"not asked", map[string]error{terminate: unasked, modify: unasked}, preflight.Unknown,
			preflight.Unknown, "not asked about: " + modify + " (no interface is named)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := forwarding(t, iampolicy.Scope{})
			a := &answers{changes: []string{modify, terminate}, of: tt.of}
			checks := w.Probe(t.Context(), a, map[action.Kind]string{
				action.NetworkInterface: nic, action.SecurityGroup: "sg-01088000000000003"})
			told(t, append([]preflight.Check{{Verdict: preflight.Pass}}, checks...), preflight.Pass,
				tt.needed, tt.excess, tt.word)
			// The change is asked about without the group, which it is not needed with.
			want := []string{describe + "1", modify + "1", terminate + "2"}
			if !slices.Equal(a.asked, want) {
				t.Errorf("asked %v, want %v", a.asked, want)
			}
		})
	}
	w := forwarding(t, iampolicy.Scope{})
	a := &answers{deaf: errors.New("it does not heed DryRun"), changes: []string{terminate}}
	checks := w.Probe(t.Context(), a, nil)
	if len(a.asked) > 0 || len(checks) != 1 || checks[0].Verdict != preflight.Unknown ||
		!strings.Contains(checks[0].Seen, "nothing was asked: it does not heed DryRun") {
		t.Errorf("asked %v, checks %+v", a.asked, checks)
	}
}
