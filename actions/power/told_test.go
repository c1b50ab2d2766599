package power

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/history"
	"aws-provider-executor/pkg/protocol"
)

// tell is all that a plan, or the refusal of one, says.
func tell(t *testing.T, p *action.Plan, err error) string {
	t.Helper()
	var f *protocol.Failure
	if errors.As(err, &f) {
		return fmt.Sprintf("%s: %s%s", f.Class, f.Message, pairs(f.Facts))
	}
	if err != nil {
		return err.Error()
	}
	var b strings.Builder
	for _, s := range []string{p.Skip, p.Moot, p.Words.Would, p.Words.Did, p.Words.Already} {
		if s != "" {
			fmt.Fprintln(&b, s)
		}
	}
	for _, tr := range p.Transitions {
		fmt.Fprintf(&b, "%s %s: %s to %s by way of %s, %s\n", tr.Resource, tr.Attribute, tr.From, tr.To,
			tr.Via, tr.Call)
	}
	again, err := p.Read(t.Context())
	fmt.Fprintf(&b, "seen %v%s; read %v%s %v\n", p.Seen.Values, pairs(p.Seen.Facts), again.Values,
		pairs(again.Facts), err)
	fmt.Fprintf(&b, "facts%s", pairs(p.Facts(p.Transitions, p.Seen)))
	return b.String()
}

func pairs(m map[string]string) string {
	var all []string
	for k, v := range m {
		all = append(all, " "+k+"="+v)
	}
	slices.Sort(all)
	return strings.Join(all, "")
}

// TestWhatAStopTells: every word of it.
func TestWhatAStopTells(t *testing.T) {
	for _, c := range []struct {
		name, want string
		edit       func(*cloud)
		state      string
	}{
		{name: "runs", state: "running", want: `stop i-00000000000000001
stopped i-00000000000000001
i-00000000000000001 is stopped
i-00000000000000001 power: on to off by way of changing, ec2:StopInstances
seen [on] instanceState=running; read [on] instanceState=running <nil>
facts instanceState=running lostPublicAddress=198.51.100.7 priorInstanceState=running` +
			` requiredTag=lab=smoke selfCheck=passed`,
			edit: func(c *cloud) { c.LostAddress = "198.51.100.7" }},
		{name: "nobody tells which machine this is", state: "stopped",
			want: `stop i-00000000000000001
stopped i-00000000000000001
i-00000000000000001 is stopped
i-00000000000000001 power: off to off by way of changing, ec2:StopInstances
seen [off] instanceState=stopped; read [off] instanceState=stopped <nil>
facts instanceState=stopped lostPublicAddress= priorInstanceState=stopped` +
				` requiredTag=lab=smoke selfCheck=unavailable`,
			edit: func(c *cloud) { c.self = "" }},
		{name: "gone", state: "terminated",
			want: `i-00000000000000001 is terminated: it is gone for good, and nothing of it runs
seen [terminated] instanceState=terminated; read [terminated] instanceState=terminated <nil>
facts instanceState=terminated requiredTag=lab=smoke`},
		{name: "starting", state: "pending", want: `unavailable: i-00000000000000001 is pending, which` +
			` this action did not begin; nothing was changed; try again once it is running` +
			` instanceState=pending`},
		{name: "stopping", state: "stopping", want: `unavailable: i-00000000000000001 is stopping, ` +
			`which this action did not begin; nothing was changed; try again once it is stopped` +
			` instanceState=stopping`},
		{name: "going", state: "shutting-down", want: `unavailable: i-00000000000000001 is ` +
			`shutting-down, which this action did not begin; nothing was changed; try again once it is ` +
			`terminated instanceState=shutting-down`},
		{name: "no tag", state: "running", want: `denied: i-00000000000000001 has no tag "lab", and ` +
			`only what has "lab=smoke" may be stopped or started; nothing was changed`,
			edit: func(c *cloud) { delete(c.Tags, "lab") }},
		{name: "another tag", state: "running", want: `denied: i-00000000000000001 has the tag ` +
			`"lab=other", and only what has "lab=smoke" may be stopped or started; nothing was changed`,
			edit: func(c *cloud) { c.Tags["lab"] = "other" }},
		{name: "a group's", state: "running", want: `conflict: i-00000000000000001 belongs to the ` +
			`Auto Scaling group "web", which terminates and replaces an instance that is stopped; ` +
			`set the group's size instead; nothing was changed`,
			edit: func(c *cloud) { c.Tags["aws:autoscaling:groupName"] = "web" }},
		{name: "a service's", state: "running", want: `authorization: i-00000000000000001 is managed ` +
			`by an AWS service, which alone may stop and start it; nothing was changed`,
			edit: func(c *cloud) { c.Managed = true }},
		{name: "an instance store's", state: "running", want: `invalid-request: i-00000000000000001 ` +
			`has its root device in the instance store, and EC2 can't stop such an instance, only ` +
			`terminate it; nothing was changed`,
			edit: func(c *cloud) { c.RootDevice = "instance-store" }},
		{name: "this machine", state: "running", want: `self-fence: i-00000000000000001 is the ` +
			`machine that this runs on; stop it from another one; nothing was changed`,
			edit: func(c *cloud) { c.self = here }},
		{name: "not readable", state: "running", want: "no", edit: func(c *cloud) {
			c.err = errors.New("no")
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := lab(c.state)
			if c.edit != nil {
				c.edit(l)
			}
			p, err := Verbs()[0].Plan(t.Context(), l, request(nil))
			if diff := cmp.Diff(c.want, tell(t, p, err)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestWhatAStartTells: every word of it.
func TestWhatAStartTells(t *testing.T) {
	done := entry("k", on, off, history.Live)
	gone := func(c *cloud) { c.err = protocol.Refuse(protocol.NotFound, "no such instance") }
	const ran = "i-00000000000000001 power: %s to %s by way of changing, ec2:StartInstances\n"
	for _, c := range []struct {
		name, state, want string
		edit              func(*cloud)
		entries           []history.Entry
		more              map[string]string
	}{
		{name: "stopped", state: "stopped", entries: []history.Entry{done}, want: `start ` + here + `
started ` + here + `
` + here + ` is running, as it was before the action
` + fmt.Sprintf(ran, off, on) +
			`seen [off] instanceState=stopped; read [off] instanceState=stopped <nil>
facts instanceState=stopped priorInstanceState=running requiredTag=lab=smoke`},
		{name: "held", state: "stopped",
			entries: []history.Entry{done, entry("x", off, off, history.Live)},
			want: `stop ` + here + ` again
stopped ` + here + ` again
` + here + ` is stopped, and not because of the action
` + fmt.Sprintf(ran, off, off) +
				`seen [off] instanceState=stopped; read [off] instanceState=stopped <nil>
facts instanceState=stopped priorInstanceState=running requiredTag=lab=smoke`},
		{name: "stopping", state: "stopping", entries: []history.Entry{done},
			want: `unavailable: ` + here + ` is stopping, and EC2 starts only what is stopped; nothing ` +
				`was changed; try again once it is stopped instanceState=stopping`},
		{name: "starting", state: "pending", entries: []history.Entry{done},
			want: `unavailable: ` + here + ` is pending, which this action did not begin; nothing was ` +
				`changed; try again once it is running instanceState=pending`},
		{name: "going", state: "shutting-down", entries: []history.Entry{done},
			want: `unavailable: ` + here + ` is shutting-down, which this action did not begin; nothing ` +
				`was changed; try again once it is terminated instanceState=shutting-down`},
		{name: "terminated", state: "terminated", entries: []history.Entry{done},
			want: here + ` is terminated, so it can't be started any more
seen []; read [] <nil>
facts instanceState=terminated priorInstanceState=running requiredTag=lab=smoke`},
		{name: "terminated, and another action's", state: "terminated",
			entries: []history.Entry{{Key: "other"}}, edit: func(*cloud) {},
			more: map[string]string{"elsewhere": "i-00000000000000009"}, want: "conflict"},
		{name: "gone", state: "stopped", entries: []history.Entry{done}, edit: gone,
			want: here + ` does not exist any more, so nothing can be started
seen []; read [] <nil>
facts priorInstanceState=running requiredTag=lab=smoke`},
		{name: "gone, and another action's", state: "stopped", edit: gone,
			more: map[string]string{"elsewhere": "i-00000000000000009"}, want: "conflict"},
		{name: "gone, and nothing tells of it", state: "stopped", edit: gone,
			want: "not-found: no such instance"},
		{name: "gone, and only its answer tells of it", state: "stopped", edit: gone,
			more: map[string]string{"instanceState": "stopped"},
			want: here + ` does not exist any more, so nothing can be started
seen []; read [] <nil>
facts priorInstanceState=running requiredTag=lab=smoke`},
		{name: "other facts than the record's", state: "stopped", entries: []history.Entry{done},
			more: map[string]string{"priorInstanceState": "stopped"}, want: "conflict"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := lab(c.state)
			if c.edit != nil {
				c.edit(l)
			}
			given := action.Merge(map[string]string{"priorInstanceState": "running"}, c.more)
			req := request(given, c.entries...)
			req.Undoes, req.Answered = true, c.more["instanceState"] != ""
			if other := c.more["elsewhere"]; other != "" {
				req.Past.Own = []action.Recorded{{Entry: done, Resource: other, Attribute: attribute}}
			}
			p, err := Verbs()[1].Plan(t.Context(), l, req)
			got := tell(t, p, err)
			if c.want == "conflict" {
				got, _, _ = strings.Cut(got, ":")
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestUnreadableHistory: without what is recorded nothing is planned.
func TestUnreadableHistory(t *testing.T) {
	for _, v := range Verbs() {
		req := request(map[string]string{"priorInstanceState": "running"})
		req.Past.History = func(string, string) ([]action.Recorded, error) {
			return nil, errors.New("no disk")
		}
		if p, err := v.Plan(t.Context(), lab("stopped"), req); err == nil || p != nil {
			t.Errorf("%s: %v, %v", v.Name, p, err)
		}
	}
}

// TestWords: what is on the wire stays as it is.
func TestWords(t *testing.T) {
	got := []string{on, off, changing, pending, running, stopping, stopped, shuttingDown, terminated,
		attribute, paramTag, factTag, factPrior, factState, factSelfCheck, factAddress, callStop,
		callStart}
	want := strings.Fields("on off changing pending running stopping stopped shutting-down " +
		"terminated power requiredTag requiredTag priorInstanceState instanceState selfCheck " +
		"lostPublicAddress ec2:StopInstances ec2:StartInstances")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
