package sgfence

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/history"
)

// TestParseBackupRefuses: the value of a transition that is no whole backup is not taken for one.
func TestParseBackupRefuses(t *testing.T) {
	for _, text := range []string{
		"", none, then, "soon " + eni0 + "=" + group(1), then + " " + eni0, then + " eni=" + group(1),
	} {
		if b, ok := parseBackup(text); ok || b != nil {
			t.Errorf("%q is read as %v", text, b)
		}
	}
}

// flaky is a cloud whose readings fail after the first few.
type flaky struct {
	*cloud
	works int
}

var errFlaky = errors.New("nobody answers any more")

func (f *flaky) DescribeInstance(ctx context.Context, id string) (ec2model.Instance, error) {
	if f.reads >= f.works {
		return ec2model.Instance{}, errFlaky
	}
	return f.cloud.DescribeInstance(ctx, id)
}

// TestASecondReadingThatFails: one reading that shows nothing to fence is not believed, and without
// a second one nothing is decided.
func TestASecondReadingThatFails(t *testing.T) {
	r := &flaky{works: 1, cloud: &cloud{
		instances: []ec2model.Instance{running(nic(eni0, 0, group(2)))}}}
	_, err := planFence(t.Context(), r, request(paramGroups+"="+group(1)), new(noon).clock())
	if !errors.Is(err, errFlaky) {
		t.Errorf("%v, want %v", err, errFlaky)
	}
}

// TestPlanOfTheStop: a fence that stops the instance plans that of the instance.
func TestPlanOfTheStop(t *testing.T) {
	r := &cloud{instances: []ec2model.Instance{running(nic(eni0, 0, group(1), group(2)))}}
	req := request(paramGroups+"="+group(1), paramPowerOff+"=true")
	p, err := planFence(t.Context(), r, req, new(noon).clock())
	if err != nil {
		t.Fatal(err)
	}
	got := values(p)
	if want := attrPower + " of " + here + ": " + on + " -> " + off; got[len(got)-1] != want {
		t.Errorf("the last transition is %s, want %s", got[len(got)-1], want)
	}
	for _, tr := range p.Transitions {
		if tr.Lasting != (tr.Attribute == attrPower) {
			t.Errorf("the %s stays while other things change: %t", tr.Attribute, tr.Lasting)
		}
	}
}

// TestEveryChangeNamesItsCall: what is to be changed says by which call, that a refusal of it can
// be told.
func TestEveryChangeNamesItsCall(t *testing.T) {
	i := fenced(group(5), group(1))
	open := running(nic(eni0, 0, group(1), group(2)))
	down, gone := i, i
	down.State = "stopped"
	gone.State, gone.Interfaces = terminated, nil
	const tags, untags = "ec2:CreateTags", "ec2:DeleteTags"
	const starts, stops = "ec2:StartInstances", "ec2:StopInstances"
	calls := map[string]string{
		attrGroups: "ec2:ModifyNetworkInterfaceAttribute", attrBackup: untags,
		attrPower: starts,
	}
	for name, c := range map[string]struct {
		instance ec2model.Instance
		fence    bool
		with     string
		changes  int
	}{
		"fence":         {open, true, paramPowerOff + "=true", 3},
		"unfence":       {i, false, paramPowerOff + "=true", 2},
		"unfence, on":   {down, false, paramPowerOn + "=true", 3},
		"of terminated": {gone, false, paramPowerOff + "=true", 1},
	} {
		r, req := &cloud{instances: []ec2model.Instance{c.instance}}, request(c.with)
		p, err := planUnfence(t.Context(), r, req)
		if c.fence {
			req.Parameters[paramGroups] = group(1)
			p, err = planFence(t.Context(), r, req, new(noon).clock())
			calls[attrPower], calls[attrBackup] = stops, tags
		}
		if err != nil || len(p.Transitions) != c.changes {
			t.Fatalf("%s: %v, %v", name, err, p)
		}
		for _, tr := range p.Transitions {
			if tr.Call != calls[tr.Attribute] || tr.Set == nil || tr.Backup != (tr.Attribute == attrBackup) {
				t.Errorf("%s: the %s is changed by %q, as a backup %t",
					name, tr.Attribute, tr.Call, tr.Backup)
			}
		}
		calls[attrPower], calls[attrBackup] = starts, untags
	}
}

// TestOnlyUnknownGroupsAreAskedFor: a group that an interface has is there. Others are asked for
// once.
func TestOnlyUnknownGroupsAreAskedFor(t *testing.T) {
	c := &cloud{instances: []ec2model.Instance{
		running(nic(eni0, 0, group(1), group(2)), nic(eni1, 1, group(2)))}}
	named := paramGroups + "=" + strings.Join([]string{group(2), group(5), group(6)}, ",")
	_, err := planFence(t.Context(), c, request(named, paramInvert+"=true"), new(noon).clock())
	if want := []string{group(5), group(6)}; err != nil || !slices.Equal(c.asked, want) {
		t.Errorf("it asks for %q, want %q; %v", c.asked, want, err)
	}
}

// TestPowerOfEveryState: an instance that is on its way down is taken for down.
func TestPowerOfEveryState(t *testing.T) {
	for state, want := range map[string]string{
		"pending": on, "running": on,
		"stopping": off, "stopped": off, "shutting-down": off, "terminated": off,
	} {
		var now reading
		if now.State = state; now.power() != want {
			t.Errorf("%s: %s, want %s", state, now.power(), want)
		}
	}
}

// stubborn answers that it removed tags, and leaves them.
type stubborn struct{ Writer }

func (stubborn) DeleteTags(context.Context, string, map[string]string) error { return nil }

// TestLastFenceThatStays: what becomes of lastfence is read back. While it is there, or where that
// can't be read, the answer says where it has to be removed.
func TestLastFenceThatStays(t *testing.T) {
	for _, works := range []int{1, 2} {
		i := fenced(group(5), group(1))
		i.Interfaces = append(i.Interfaces, nic(eni1, 1, group(5)))
		maps.Copy(i.Tags, (&backup{at: then, of: []saved{
			{eni0, []string{group(1)}}, {eni1, []string{group(2)}}}}).tags(here, 0))
		r := &flaky{works: works, cloud: &cloud{instances: []ec2model.Instance{i}}}
		p, err := planUnfence(t.Context(), r, request())
		if err != nil {
			t.Fatal(err)
		}
		last := p.Seen
		last.Values[0] = p.Transitions[0].To // eni0 is open, eni1 is not
		said := p.Finally(t.Context(), stubborn{}, last)
		want := "the tag " + lastFence + "=" + then + " is still there and says that " + here
		if !strings.HasPrefix(said, want) {
			t.Errorf("%d readings: it says %q, want %q", works, said, want)
		}
	}
}

// TestWrittenByARecord: a recorded fence tells what it wrote into the tags while it is in force.
// Its recorded end does, too, unless that was undone.
func TestWrittenByARecord(t *testing.T) {
	text := (&backup{at: then, of: []saved{{eni0, []string{group(1)}}}}).text()
	other := strings.Replace(text, then, "1", 1)
	tells := func(from, to string, ends int64, state history.State) action.Recorded {
		r := entry("k", 1, here, from, to)
		r.Attribute, r.Ends, r.State = attrBackup, ends, state
		return r
	}
	for name, c := range map[string]struct {
		recorded action.Recorded
		want     string
	}{
		"a fence":                    {tells(none, text, 0, history.Live), group(1)},
		"a fence that found it":      {tells(text, text, 0, history.Live), ""},
		"an end":                     {tells(text, none, 1, history.Live), group(1)},
		"an end that is not so yet":  {tells(text, none, 1, history.Pending), ""},
		"an end of another's backup": {tells(other, none, 1, history.Live), ""},
	} {
		if got := written([]action.Recorded{c.recorded}, then, eni0); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// TestEveryReadingOfTheRecordIsNeeded: whichever reading of what is recorded fails, nothing is
// planned, and the answer is that failure.
func TestEveryReadingOfTheRecordIsNeeded(t *testing.T) {
	cut := group(5)
	kept := &backup{at: then, of: []saved{{eni0, []string{group(1)}}, {eni1, []string{group(2)}}}}
	i := running(nic(eni0, 0, cut), nic(eni1, 1, cut))
	i.Tags = kept.tags(here, 0)
	fence := func(req action.Request) error {
		_, err := planFence(t.Context(), &cloud{instances: []ec2model.Instance{i}}, req,
			new(noon).clock())
		return err
	}
	unfence := func(req action.Request) error {
		_, err := planUnfence(t.Context(), &cloud{instances: []ec2model.Instance{i}}, req)
		return err
	}
	backups := entry("one", 1, here, none, kept.text())
	backups.Attribute = attrBackup
	stop := entry("one", 1, here, on, off)
	stop.Attribute = attrPower
	named, parts := paramGroups+"="+cut, []string{paramGroups + "=" + group(7), paramInvert + "=true"}
	groups := []action.Recorded{
		entry("one", 1, eni0, group(1), cut), entry("one", 1, eni1, group(2), cut)}
	// Another fence lies below, and its tags are gone.
	below := backups
	below.Key, below.To = "two", strings.Replace(kept.text(), then, "1600000000", 1)
	over := []action.Recorded{
		below, entry("two", 1, eni0, group(1), group(6)), entry("one", 2, eni0, group(6), cut),
		entry("one", 2, eni1, group(2), cut)}
	for name, c := range map[string]struct {
		plan     func(action.Request) error
		recorded []action.Recorded
		with     []string
		undoes   bool
	}{
		"a fence":              {fence, append(groups, backups), []string{named}, false},
		"a fence over tags":    {fence, groups, parts, false},
		"an end":               {unfence, append(groups, backups, stop), nil, false},
		"an end by the tags":   {unfence, groups, nil, false},
		"an end by tags alone": {unfence, nil, nil, false},
		"an undo":              {unfence, append(groups, backups), nil, true},
		"an undo over another": {unfence, over, nil, true},
		"an end without restoring": {unfence, append(groups, backups),
			[]string{paramNoRestore + "=true"}, false},
		"an end that starts it too": {unfence, append(groups, backups, stop),
			[]string{paramPowerOn + "=true"}, false},
	} {
		fails := 0
		for n := 0; ; n++ {
			req := request(c.with...)
			calls, read := 0, of(c.recorded...)
			req.Durable, req.Undoes = true, c.undoes
			req.Past = &action.Past{Key: "k", History: func(resource, attribute string) (
				[]action.Recorded, error) {
				// A fence looks once more at what it read before without a failure.
				if calls++; calls == n+1 || calls > n && name == "a fence" {
					return nil, errFlaky
				}
				return read(resource, attribute)
			}}
			if c.undoes {
				req.Past.Key = "one"
				req.Past.Own = slices.DeleteFunc(slices.Clone(c.recorded),
					func(r action.Recorded) bool { return r.Key != "one" })
			}
			err := c.plan(req)
			if calls <= n {
				break
			}
			fails++
			if !errors.Is(err, errFlaky) {
				t.Errorf("%s: reading %d failed: %v, want %v", name, n+1, err, errFlaky)
			}
		}
		if fails < 3 {
			t.Errorf("%s: only %d readings", name, fails)
		}
	}
}
