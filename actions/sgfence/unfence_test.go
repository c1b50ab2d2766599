package sgfence

import (
	"cmp"
	"errors"
	"slices"
	"strings"
	"testing"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/history"
	"aws-provider-executor/pkg/protocol"
)

// fenced is an instance with one interface that has these groups, and the tags of a fence that
// backed up others; none if kept is empty.
func fenced(now, kept string) ec2model.Instance {
	i := running(nic(eni0, 0, split(now)...))
	if kept != "" {
		i.Tags = (&backup{at: then, of: []saved{{eni0, split(kept)}}}).tags(here, 0)
	}
	return i
}

// TestUnfenceByTheHistory: where an undo or an unfence without facts leads one interface, from
// what the records, the tags, the facts and exact groups tell.
func TestUnfenceByTheHistory(t *testing.T) {
	web, db, cut, other := group(1), group(2), group(3), group(4)
	wrote := func(key string, seq int64, from, to string) action.Recorded {
		e := entry(key, seq, here, from, to)
		e.Attribute = attrBackup
		return e
	}
	text := (&backup{at: then, of: []saved{{eni0, []string{web}}}}).text()
	one, two := entry("one", 1, eni0, web, cut), entry("two", 2, eni0, cut, db)
	begins := func(e action.Recorded) action.Recorded { e.Begins = true; return e }
	told := func(prior, after string) []string {
		return []string{factPrior + eni0 + "=" + prior, factFenced + eni0 + "=" + after}
	}
	for _, c := range []struct {
		name    string
		now     string
		kept    string
		history []action.Recorded
		// undoes is the key of the action that the request takes back. It is empty for a
		// request with a key of its own.
		undoes string
		with   []string
		// to is where the interface is led, below who left that, heldBy who holds it.
		to, heldBy, below string
		lastfence         string // stays, goes, or empty where there is none
		refuse            protocol.FailureClass
		says              []string
	}{
		{name: "one fence, undone", now: cut, kept: web, undoes: "one", to: web, lastfence: "goes",
			history: []action.Recorded{one, wrote("one", 1, none, text)}},
		{name: "the upper of two leads to the lower", now: db, kept: web, undoes: "two", to: cut,
			below:     "one",
			history:   []action.Recorded{one, two, wrote("one", 1, none, text), wrote("two", 2, text, text)},
			lastfence: "stays"},
		{name: "the lower of two changes nothing", now: db, kept: web, undoes: "one", to: db,
			heldBy:    "two",
			history:   []action.Recorded{one, two, wrote("one", 1, none, text), wrote("two", 2, text, text)},
			lastfence: "stays"},
		{name: "an end leads to before both", now: db, kept: web, to: web, lastfence: "goes",
			history: []action.Recorded{one, two, wrote("one", 1, none, text), wrote("two", 2, text, text)}},
		{name: "an end without tags", now: db, to: web, history: []action.Recorded{one, two}},
		{name: "an end by the tags alone", now: db, kept: web, to: web, lastfence: "goes"},
		{name: "an end of what another machine fenced over ours", now: db, kept: cut, to: web,
			history: []action.Recorded{one}, lastfence: "goes"},
		{name: "an end of what was put back, and fenced by another machine", now: db, kept: web, to: web,
			history: []action.Recorded{one}, lastfence: "goes"},
		{name: "a fence over that of another machine, undone", now: db, kept: web, undoes: "k", to: cut,
			history:   []action.Recorded{entry("k", 1, eni0, cut, db), wrote("k", 1, text, text)},
			below:     lastFence + "=" + then,
			lastfence: "stays"},
		{name: "a fence over one that was cut short on the way, on another machine", now: db, kept: web,
			undoes: "k", with: []string{paramTransition + "=" + other}, to: db,
			history:   []action.Recorded{entry("k", 1, eni0, other, db), wrote("k", 1, text, text)},
			heldBy:    lastFence + "=" + then,
			lastfence: "stays"},
		{name: "put back by hand, it is not closed again", now: web, undoes: "two", to: web,
			history: []action.Recorded{one, withFacts(two, web)}},
		{name: "somebody else's groups", now: other, undoes: "one", history: []action.Recorded{one},
			refuse: protocol.Drift},
		{name: "somebody else's groups, ended", now: other, history: []action.Recorded{one},
			refuse: protocol.Drift},
		{name: "a fence that was put back, its tags gone, holds nothing", now: cut, undoes: "two", to: db,
			history: []action.Recorded{
				one, begins(entry("two", 2, eni0, db, cut)), wrote("one", 1, none, text),
			}},
		{name: "without tags ever, it holds", now: cut, undoes: "two", to: cut, heldBy: "one",
			history: []action.Recorded{one, begins(entry("two", 2, eni0, db, cut))}},
		{name: "an end where record and tags differ", now: cut, kept: db,
			history: []action.Recorded{one, wrote("one", 1, none, text),
				begins(entry("two", 2, eni0, other, cut))},
			refuse: protocol.Conflict, says: []string{"the record", tagsOf(then), other, db}},
		{name: "an end where somebody else came between, and the tags are as recorded",
			now: cut, kept: web,
			history: []action.Recorded{one, wrote("one", 1, none, text),
				begins(entry("two", 2, eni0, other, cut))},
			to: other, lastfence: "goes"},
		{name: "facts and tags differ", now: cut, kept: db, undoes: "k", with: told(web, cut),
			refuse: protocol.Conflict, says: []string{factPrior + eni0, tagsOf(then), web, db}},
		{name: "facts and exact groups differ", now: cut, undoes: "k",
			with:   append(told(web, cut), "interface0Sg="+db),
			refuse: protocol.Conflict, says: []string{factPrior + eni0, "interface0Sg", web, db}},
		{name: "the exact groups are those of the fence", now: cut, undoes: "k", to: web,
			with: append(told(web, cut), "interface0Sg="+cut)},
		{name: "an agent's exact groups come first", now: cut, kept: web, undoes: "k", to: db,
			with: append(told(web, cut), "interface0Sg="+db, paramGroups+"="+cut), lastfence: "goes"},
		{name: "facts of a fence at another time", now: cut, kept: web, undoes: "k",
			with:   append(told(web, cut), factTimestamp+"=1600000000"),
			refuse: protocol.Conflict, says: []string{"1600000000"}},
		{name: "facts alone", now: cut, undoes: "k", with: told(web, cut), to: web},
		{name: "facts that do not tell what the fence left", now: cut, undoes: "k",
			with: []string{factPrior + eni0 + "=" + web}, to: web},
		{name: "facts alone, of somebody else's groups", now: db, undoes: "k", with: told(web, cut),
			refuse: protocol.Drift},
		{name: "facts of a fence that only repeated another", now: cut, undoes: "k", to: cut,
			with: append(told(web, cut), factPriorFence+"="+fenceSame)},
		{name: "that fence was the last one", now: cut, undoes: "two", to: web,
			history: []action.Recorded{withdrawn(one), entry("two", 2, eni0, cut, cut)},
			with:    append(told(web, cut), factPriorFence+"="+fenceSame)},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := plannedTwice(t, fenced(c.now, c.kept), undoing(c.undoes, c.history, c.with...))
			if err != nil || c.refuse != "" {
				refused(t, err, c.refuse, c.says...)
				return
			}
			if len(p.Transitions) == 0 {
				t.Fatal("it skips:", p.Skip)
			}
			groups := p.Transitions[0]
			back := groups.Back
			if groups.From != c.now || groups.To != c.to || back.To != c.to {
				t.Errorf("from %s to %s (%s), want %s", groups.From, groups.To, back.To, c.to)
			}
			held, below := strings.Join(back.HeldBy, " "), strings.Join(back.Below, " ")
			if held != c.heldBy || below != c.below {
				t.Errorf("held by %q, over %q; want %q, %q", held, below, c.heldBy, c.below)
			}
			goes := slices.ContainsFunc(p.Transitions, func(t action.Transition) bool {
				return t.Attribute == attrBackup && t.From != t.To
			})
			if goes != (c.lastfence == "goes") {
				t.Errorf("tags go: %t; lastfence %s", goes, c.lastfence)
			}
			restored := p.Facts(p.Transitions, p.Seen)[factRestored+eni0]
			if want := c.now == c.to && c.heldBy == "" && c.now == web; (restored != "") != want {
				t.Errorf("restored is %q before anything is changed, want any: %t", restored, want)
			}
		})
	}
}

// plannedTwice plans an unfence, and holds that a second plan of the same request is the same one.
func plannedTwice(t *testing.T, i ec2model.Instance, req action.Request) (*action.Plan, error) {
	t.Helper()
	r := &cloud{instances: []ec2model.Instance{i}}
	p, err := planUnfence(t.Context(), r, req)
	again, errAgain := planUnfence(t.Context(), r, req)
	if err == nil && (errAgain != nil || !slices.Equal(values(again), values(p))) {
		t.Errorf("planned again: %v, %v; want %q", again, errAgain, values(p))
	}
	return p, err
}

// undoing is a request with a history. It undoes the action under a key, or is one with a key of
// its own.
func undoing(key string, all []action.Recorded, with ...string) action.Request {
	r := request(with...)
	r.Undoes, r.Durable = key != "", true
	r.Past = &action.Past{Key: cmp.Or(key, "x"), History: of(all...)}
	for _, e := range all {
		if e.Key == key && e.State != history.Withdrawn {
			r.Past.Own = append(r.Past.Own, e)
		}
	}
	return r
}

// refused checks the class of a refusal, and what it says.
func refused(t *testing.T, err error, class protocol.FailureClass, says ...string) {
	t.Helper()
	var f *protocol.Failure
	if !errors.As(err, &f) || f.Class != class {
		t.Fatalf("%v, want %q", err, class)
	}
	for _, words := range says {
		if !strings.Contains(f.Message, words) {
			t.Errorf("%q does not say %q", f.Message, words)
		}
	}
}

func withFacts(r action.Recorded, prior string) action.Recorded {
	r.Facts = map[string]string{factPrior + r.Resource: prior}
	return r
}

func withdrawn(r action.Recorded) action.Recorded {
	r.State, r.Undone, r.Aim = history.Withdrawn, 3, r.To
	return r
}

// TestAnUnfenceEndsWhatTheFencesRecorded: tags and power that fences recorded, and groups of an
// interface that is not attached any more, are ended with them.
func TestAnUnfenceEndsWhatTheFencesRecorded(t *testing.T) {
	stopped := entry("one", 1, here, on, off)
	stopped.Attribute = attrPower
	kept := &backup{at: then, of: []saved{{eni0, []string{group(1)}}, {eni1, []string{group(2)}}}}
	backed := entry("one", 1, here, none, kept.text())
	backed.Attribute = attrBackup
	r := request(action.OnDrift.Name + "=restore")
	r.Durable = true
	r.Past = &action.Past{Key: "x", History: of(backed, stopped,
		entry("one", 1, eni0, group(1), group(3)), entry("one", 1, eni1, group(2), group(3)))}
	i := fenced(group(3), group(1))
	i.Tags = kept.tags(here, 0)
	i.State = "stopped"
	p, err := planUnfence(t.Context(), &cloud{instances: []ec2model.Instance{i}}, r)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, tr := range p.Transitions {
		if tr.Back == nil {
			t.Fatalf("%s is not ended", tr.Attribute)
		}
		for _, e := range tr.Back.Outcome(tr.To) {
			got = append(got, e.Resource+" "+e.Attribute+" "+e.From+" "+e.To)
			if e.Ends == 0 || e.State != history.Live {
				t.Errorf("%+v ends nothing", e)
			}
		}
	}
	want := []string{
		eni0 + " " + attrGroups + " " + group(3) + " " + group(1),
		here + " " + attrBackup + " " + kept.text() + " " + none, here + " " + attrPower + " off off",
		eni1 + " " + attrGroups + " " + detached + " " + detached,
	}
	if !slices.Equal(got, want) {
		t.Errorf("it ends %q, want %q", got, want)
	}
}
