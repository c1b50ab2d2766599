package executor

import (
	"context"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/protocol"
)

// tagged is a provider whose interfaces have tags.
type tagged struct {
	*cloud
	tags map[string]map[string]string
	// asked are the ids whose tags were read, a call each.
	asked []string
	err   error
}

func (c *tagged) Reader() any { return c }
func (c *tagged) Writer() any { return c.cloud }

func (c *tagged) DescribeTags(
	_ context.Context, ids ...string,
) (map[string]map[string]string, error) {
	c.asked = append(c.asked, strings.Join(ids, ","))
	some := maps.Clone(c.tags)
	maps.DeleteFunc(some, func(id string, _ map[string]string) bool {
		return !slices.Contains(ids, id)
	})
	return some, c.err
}

const nicA, nicB = "eni-0000000a", "eni-0000000b"

// lit has verbs whose targets are interfaces, one or two, and one whose target is none.
var lit = func() *action.Registry {
	light := func(ctx context.Context, r reader, req action.Request) (*action.Plan, error) {
		return switches(ctx, r, []string{req.Target["nicRef"]}, func(string) string { return "on" }, "")
	}
	target := []action.Field{
		{Name: "nicRef", Form: action.InterfaceID, Required: true, Exclusive: true, Decides: true},
		{Name: "otherRef", Form: action.InterfaceID},
	}
	return action.NewRegistry([]action.Verb{
		{Name: "on", Undo: "off", Target: target, Plan: action.PlanWith(light)},
		{Name: "off", Target: target, Plan: action.PlanWith(light)},
		{Name: "rest", Undo: "off", Target: named, Plan: action.PlanWith(planRest)},
	})
}()

// underPolicy gives a request to a program with a policy.
func underPolicy(t *testing.T, c *tagged, spec, request string) protocol.Status {
	t.Helper()
	file := filepath.Join(t.TempDir(), "policy.yaml")
	text := "apiVersion: hybrid.routerd.net/v1alpha1\nkind: ProviderActionPolicy\n" +
		"metadata: {name: lab}\nspec: {enabled: true, allowedProviders: [test], " +
		"allowedActions: ['on', rest], " + spec + "}\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p := newProcess(t)
	c.cloud, p.Registry = &cloud{values: map[string]string{"a": "off", nicA: "off"}}, lit
	p.Connect = func(context.Context, string, time.Duration, *slog.Logger) (Connection, error) {
		return c, nil
	}
	p.run(t, []string{"EXECUTOR_POLICY=" + file}, request)
	return p.status(t)
}

// onNICs is a request for interfaces: their fields in JSON.
func onNICs(verb, target string) string {
	return strings.Replace(request(verb, "k", "", ""), `"names":""`, target, 1)
}

// oneRun lets a policy's requests be executed.
const oneRun = "dryRunOnly: false, maxActionsPerRun: 1"

// TestAPolicyOnExecutionLeavesDryRuns: what it says of executing alone is no reason not to look.
func TestAPolicyOnExecutionLeavesDryRuns(t *testing.T) {
	for name, spec := range map[string]string{
		"only dry-runs": "dryRunOnly: true, maxActionsPerRun: 1", "no executions": "dryRunOnly: false",
	} {
		t.Run(name, func(t *testing.T) {
			c := &tagged{}
			is(t, underPolicy(t, c, spec, onNICs("on?", `"nicRef":"`+nicA+`"`)), protocol.Succeeded)
			s := underPolicy(t, c, spec, onNICs("on", `"nicRef":"`+nicA+`"`))
			says(t, failed(t, s, protocol.Denied), `the policy "lab" says no: `)
			if len(c.calls) > 0 {
				t.Errorf("it called %v", c.calls)
			}
		})
	}
	is(t, underPolicy(t, &tagged{}, oneRun, onNICs("on", `"nicRef":"`+nicA+`"`)), protocol.Succeeded)
}

// TestEveryTargetsTagsAreJudged: all at once, each by its own, and before anything else is read.
func TestEveryTargetsTagsAreJudged(t *testing.T) {
	const both = `"nicRef":"` + nicA + `","otherRef":"` + nicB + `"`
	const rule = oneRun + ", requiredTags: {lab: 'yes'}"
	good, bad := map[string]string{"lab": "yes"}, map[string]string{"lab": "no"}
	for _, c := range []struct {
		name, target, asked string
		a, b                map[string]string
		denied              []string
	}{
		{"all are good", both, nicA + "," + nicB, good, good, nil},
		{"the first is not", both, nicA + "," + nicB, bad, good, []string{nicA}},
		{"the second is not", both, nicA + "," + nicB, good, bad, []string{nicB}},
		{"none is", both, nicA + "," + nicB, bad, nil, []string{nicA, nicB}},
		{"the same twice", `"nicRef":"` + nicA + `","otherRef":"` + nicA + `"`, nicA, good, nil, nil},
	} {
		for _, verb := range []string{"on", "on?"} {
			t.Run(c.name+" "+verb, func(t *testing.T) {
				p := &tagged{tags: map[string]map[string]string{nicA: c.a, nicB: c.b}}
				s := underPolicy(t, p, rule, onNICs(verb, c.target))
				if got := strings.Join(p.asked, " "); got != c.asked {
					t.Errorf("the tags of %q were read, want %q", got, c.asked)
				}
				if len(c.denied) == 0 {
					is(t, s, protocol.Succeeded)
					return
				}
				failed(t, s, protocol.Denied)
				for _, id := range []string{nicA, nicB} {
					if strings.Contains(s.Error, id) != slices.Contains(c.denied, id) {
						t.Errorf("denied for %v, and it says %s", c.denied, s.Error)
					}
				}
				if len(p.calls) > 0 {
					t.Errorf("it called %v", p.calls)
				}
			})
		}
	}
}

// TestTagsThatCanNotBeJudgedAllowNothing: those that could not be read, and those of nothing.
func TestTagsThatCanNotBeJudgedAllowNothing(t *testing.T) {
	const rule = oneRun + ", deniedTags: {env: prod}"
	unread := &tagged{err: protocol.Refuse(protocol.Throttled, "not now")}
	failed(t, underPolicy(t, unread, rule, onNICs("on", `"nicRef":"`+nicA+`"`)), protocol.Throttled)
	if len(unread.calls) > 0 || len(unread.asked) != 1 {
		t.Errorf("it called %v and read %v", unread.calls, unread.asked)
	}
	nothing := &tagged{}
	text := strings.Replace(onNICs("rest", ""), `"target":{}`, `"target":{"names":"a"}`, 1)
	s := failed(t, underPolicy(t, nothing, rule, text), protocol.Denied)
	says(t, s, "requiredTags, deniedTags: the target names nothing whose tags can be read")
	if len(nothing.calls)+len(nothing.asked) > 0 {
		t.Errorf("it called %v and read %v", nothing.calls, nothing.asked)
	}
}
