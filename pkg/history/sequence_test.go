package history

import (
	"slices"
	"strings"
	"testing"
)

// A sequence is a list of steps, each with what must come of it. A step is one of:
//
//	a wants B                    an action under the key a
//	a wants B by way of N
//	undo a
//	undo a, which led from A to B   nothing is recorded of a: its facts are given
//	undo a over others           with the order to ignore holders
//	release r of B               an action to take B away for good, under the key r
//	end r                        an action to end all others, under the key r
//	a stranger makes S
//	a tag tells of t from A      the provider alone tells of an action t that found A
//
// "; killed before" ends a step that recorded what it was about to do, and changed nothing.
// "; killed on the way" ends one that came as far as N, "; killed after" one that changed
// all and did not answer.
//
// What comes of a step is the value afterwards. An action adds the prior value that it told.
// An undo adds why it changed nothing.
type sequence struct {
	name, start string
	// steps are pairs of a step and what must come of it.
	steps []string
	// left is the number of entries that must be left.
	left int
}

// executor has an attribute with its history, and takes steps as an executor does.
type executor struct {
	now     string
	entries []Entry
	tag     *Entry
}

func (x *executor) view() View {
	v := At(x.entries, x.now)
	if x.tag != nil {
		v = v.Below(x.tag.Key, x.tag.From)
	}
	return v
}

func (x *executor) next() int64 {
	n := int64(0)
	for _, e := range x.entries {
		n = max(n, e.Seq, e.Again, e.Undone)
	}
	return n + 1
}

func (x *executor) write(entries ...Entry) {
	for _, e := range entries {
		x.entries = put(x.entries, e)
	}
}

// forget removes the records that no later answer rests on. A record stays whole.
func (x *executor) forget() {
	for again := true; again; {
		again = false
		for _, e := range x.entries {
			if !Rests(x.entries, Needed(x.entries), e.Key) {
				x.entries = slices.DeleteFunc(slices.Clone(x.entries),
					func(o Entry) bool { return o.Key == e.Key })
				again = true
				break
			}
		}
	}
}

// change makes a change. It reports whether the process lives on.
func (x *executor) change(via, to, killed string) bool {
	switch killed {
	case "":
		x.now = to
		return true
	case "after":
		x.now = to
	case "on the way":
		x.now = via
	}
	return false
}

// do takes a step and says what came of it.
func (x *executor) do(step string) string {
	step, killed, _ := strings.Cut(step, "; killed ")
	words := strings.Fields(strings.ReplaceAll(step, ",", ""))
	switch {
	case strings.HasPrefix(step, "a stranger makes"):
		x.now = words[3]
	case strings.HasPrefix(step, "a tag tells"):
		x.tag = &Entry{Key: words[4], From: words[6]}
	case words[0] == "undo":
		return x.undo(words[1], words[2:], killed)
	case words[0] == "release":
		if e, ok := x.view().Release(words[1], words[3], "none", x.next()); ok {
			x.end(e, killed)
		}
	case words[0] == "end":
		x.end(x.view().End(words[1], x.view().Base(), x.next()), killed)
	default:
		return x.act(words[0], words[2], words[3:], killed)
	}
	return x.now
}

func (x *executor) act(key, to string, way []string, killed string) string {
	via := ""
	if len(way) > 0 {
		via = way[len(way)-1]
	}
	e := x.view().Begin(key, to, via, x.next())
	x.write(e)
	if x.now == to && killed == "" || x.change(via, to, killed) {
		e.State = Live
		x.write(e)
	}
	return x.now + ", prior " + e.From
}

func (x *executor) end(e Entry, killed string) {
	x.write(e)
	if e.State == Live || x.change(e.Via, e.To, killed) {
		e.State = Live
		x.write(e)
	}
	x.forget()
}

// undo is told more of how: "which led from A to B", or "over others".
func (x *executor) undo(key string, how []string, killed string) string {
	from, to := "", ""
	if len(how) == 6 {
		from, to = how[3], how[5]
	}
	v, seq := x.entered(key, from, to)
	u, over := v.Undo(key), slices.Contains(how, "over")
	held := len(u.HeldBy) > 0 && !over
	switch {
	case u.Released != "":
		return x.now + ", released by " + u.Released
	case u.Again:
		return x.now + ", undone already"
	case !u.Known && x.now != to && x.now != from, u.Drift && !held:
		return x.now + ", drift"
	case over:
		u.Aim = v.Over(key)
	case !u.Known && !held:
		u.Aim = from
	}
	if u.Aim != x.now {
		x.write(v.Undoing(key, seq, u.Aim)...)
		if !x.change(v.via(), u.Aim, killed) {
			return x.now
		}
	}
	x.write(v.Withdrawn(key, seq, x.now)...)
	x.forget()
	if held {
		return x.now + ", held by " + strings.Join(u.HeldBy, " and ")
	}
	return x.now
}

// entered returns the history, with an action entered that is not recorded if its facts fit,
// and the next place in it.
func (x *executor) entered(key, from, to string) (View, int64) {
	v, seq := x.view(), x.next()
	if from == "" || v.Undo(key).Known {
		return v, seq
	}
	if e, ok := v.Enter(key, from, to, seq); ok {
		return At(append(slices.Clone(x.entries), e), x.now), seq + 1
	}
	return v, seq
}

func sequences() []sequence {
	return []sequence{
		{
			name: "cut short on the way, and what lies there wanted by another", start: "A",
			steps: []string{
				"a wants B by way of N; killed on the way", "N, prior A",
				"b wants N; killed after", "N, prior N",
				"a stranger makes A", "A",
				"b wants N", "N, prior A",
				"undo b", "N, held by a",
				"a wants B by way of N", "B, prior N",
				"undo a", "A",
			},
		},
		{
			name: "an undo killed on its way from what a later run left", start: "A",
			steps: []string{
				"a wants B by way of N", "B, prior A",
				"a stranger makes A", "A",
				"c wants B by way of N", "B, prior A",
				"undo c", "B, held by a",
				"undo a; killed on the way", "N",
				"b wants C", "C, prior N",
				"undo a", "C, held by b",
				"undo b", "A",
			},
		},
		{
			name: "a key with entries of two runs, the later one over", start: "A",
			steps: []string{
				"a wants B; killed before", "A, prior A",
				"b wants C", "C, prior A",
				"a stranger makes S", "S",
				"c wants B", "B, prior S",
				"a wants B", "B, prior B",
				"undo c over others", "S",
				"undo a", "S",
				"undo b", "S",
			},
		},
		{
			name: "a key with entries of two runs, undone before the one that begins the later", start: "A",
			steps: []string{
				"a wants B; killed before", "A, prior A",
				"b wants C", "C, prior A",
				"a stranger makes S", "S",
				"c wants B", "B, prior S",
				"a wants B", "B, prior B",
				"undo a", "B, held by c",
				"undo c", "S",
				"undo b", "S",
			},
		},
		{
			// The case two-addresses-one-forwarder.
			name: "two forwarders, undone in the order they came", start: "on",
			steps: []string{
				"a wants off", "off, prior on",
				"b wants off", "off, prior off",
				"undo a", "off, held by b",
				"undo b", "on",
			},
		},
		{
			name: "two forwarders, undone in the other order", start: "on",
			steps: []string{
				"a wants off", "off, prior on",
				"b wants off", "off, prior off",
				"undo b", "off, held by a",
				"undo a", "on",
			},
		},
		{
			name: "two forwarders, where it forwarded already", start: "off",
			steps: []string{
				"a wants off", "off, prior off",
				"b wants off", "off, prior off",
				"undo a", "off, held by b",
				"undo b", "off",
			},
		},
		{
			name: "a kill inside an undo, then a third key", start: "A",
			steps: []string{
				"a wants B", "B, prior A",
				"b wants C", "C, prior B",
				"undo b; killed before", "C",
				"c wants D", "D, prior C",
				"undo c", "B",
				"undo b", "B, held by a",
				"undo a", "A",
			},
		},
		{
			name: "a kill after an undo's change, then a third key", start: "A",
			steps: []string{
				"a wants B", "B, prior A",
				"undo a; killed after", "A",
				"c wants B", "B, prior A",
				"undo a", "B, held by c",
				"undo c", "A",
			},
		},
		{
			name: "a pending entry under an undo: it was made", start: "A",
			steps: []string{
				"a wants B; killed after", "B, prior A",
				"b wants C", "C, prior B",
				"undo b", "B",
				"a wants B", "B, prior A",
				"undo a", "A",
			},
		},
		{
			name: "a pending entry under an undo: it was not made", start: "A",
			steps: []string{
				"a wants B; killed before", "A, prior A",
				"b wants C", "C, prior A",
				"undo b", "A",
				"a wants B", "B, prior A",
				"undo a", "A",
			},
		},
		{
			name: "a pending entry under an undo: it came half of its way", start: "A",
			steps: []string{
				"a wants B by way of N; killed on the way", "N, prior A",
				"b wants C by way of N", "C, prior N",
				"undo b", "B",
				"undo a", "A",
			},
		},
		{
			name: "D to A to S to A, with the first key sent again", start: "D",
			steps: []string{
				"x wants A", "A, prior D",
				"y wants S", "S, prior A",
				"z wants A", "A, prior S",
				"x wants A", "A, prior A",
				"undo z", "A, held by x",
				"undo y", "A, held by x",
				"undo x", "D",
			},
		},
		{
			name: "D to A to S to A, undone in the order they came", start: "D",
			steps: []string{
				"x wants A", "A, prior D",
				"y wants S", "S, prior A",
				"z wants A", "A, prior S",
				"undo x", "A, held by z",
				"undo y", "A, held by z",
				"undo z", "D",
			},
		},
		{
			name: "D to A to S to A, undone from the top and from below", start: "D",
			steps: []string{
				"x wants A", "A, prior D",
				"y wants S", "S, prior A",
				"z wants A", "A, prior S",
				"undo z", "A, held by x",
				"undo x", "S",
				"undo y", "D",
			},
		},
		{
			name: "a change by hand back to an older value", start: "A",
			steps: []string{
				"a wants B", "B, prior A",
				"b wants C", "C, prior B",
				"a stranger makes A", "A",
				"c wants D", "D, prior A",
				"undo b", "D, held by c",
				"undo c", "A",
				"undo a", "A",
			},
		},
		{
			name: "a change by hand under three, undone in every order", start: "A",
			steps: []string{
				"a wants B", "B, prior A",
				"a stranger makes S", "S",
				"b wants C", "C, prior S",
				"c wants B", "B, prior C",
				"undo c", "B, held by a",
				"undo a", "C",
				"undo b", "S",
			},
		},
		{
			// The case clock-goes-back.
			name: "fences, and a change by hand between them", start: "G",
			steps: []string{
				"one wants F", "F, prior G",
				"a stranger makes H", "H",
				"two wants F", "F, prior H",
				"three wants F2", "F2, prior F",
				"undo three", "F",
				"undo two", "F, held by one",
				"undo one", "H",
			},
		},
		{
			name: "a kill after an undo's change to what a stranger left", start: "A",
			steps: []string{
				"a wants B", "B, prior A",
				"a stranger makes S", "S",
				"b wants C", "C, prior S",
				"undo b; killed before", "C",
				"undo a; killed after", "S",
				"undo b", "S",
				"undo a", "S, drift",
			},
			left: 1,
		},
		{
			// The case undo-under-another-key: an undo of one's own key twice.
			name: "an undo, twice", start: "A",
			steps: []string{
				"a wants B", "B, prior A",
				"b wants B", "B, prior B",
				"undo b", "B, held by a",
				"undo b", "B, undone already",
				"undo a", "A",
			},
		},
		{
			name: "an undo of an unknown action under a live one", start: "B",
			steps: []string{
				"a wants C", "C, prior B",
				"undo u, which led from A to B", "C, held by a",
				"undo a", "A",
			},
		},
		{
			name: "undos of two unknown actions under a live one", start: "C",
			steps: []string{
				"a wants D", "D, prior C",
				"undo v, which led from B to C", "D, held by a",
				"undo u, which led from A to B", "D, held by a",
				"undo a", "A",
			},
		},
		{
			name: "an undo of an unknown action that nothing lies on", start: "B",
			steps: []string{
				"undo u, which led from A to B", "A",
			},
		},
		{
			name: "an unassign below a take-over", start: "none",
			steps: []string{
				"a wants eni-1", "eni-1, prior none",
				"b wants eni-2", "eni-2, prior eni-1",
				"release r of eni-1", "eni-2",
				"undo a", "eni-2, released by r",
				"undo b", "none",
			},
			left: 1,
		},
		{
			name: "a release of what is there", start: "eni-0",
			steps: []string{
				"a wants eni-1", "eni-1, prior eni-0",
				"b wants eni-1", "eni-1, prior eni-1",
				"release r of eni-1", "none",
				"undo a", "none, released by r",
				"undo b", "none, released by r",
				"c wants eni-1", "eni-1, prior none",
				"undo c", "none",
			},
			left: 1,
		},
		{
			name: "a release of what is nowhere", start: "none",
			steps: []string{
				"release r of eni-1", "none",
			},
		},
		{
			name: "a release, killed before its change", start: "none",
			steps: []string{
				"a wants eni-1", "eni-1, prior none",
				"release r of eni-1; killed before", "eni-1",
				"undo a", "none",
			},
		},
		{
			name: "a release, killed after its change", start: "eni-0",
			steps: []string{
				"a wants eni-1", "eni-1, prior eni-0",
				"release r of eni-1; killed after", "none",
				"release r of eni-1", "none",
				"undo a", "none, released by r",
			},
			left: 1,
		},
		{
			name: "a release, killed, then one below a take-over", start: "none",
			steps: []string{
				"a wants eni-1", "eni-1, prior none",
				"release r of eni-1; killed before", "eni-1",
				"b wants eni-2", "eni-2, prior eni-1",
				"release r of eni-1", "eni-2",
				"undo b", "none",
				"a stranger makes eni-1", "eni-1",
				"c wants eni-3", "eni-3, prior eni-1",
				"undo c", "eni-1",
			},
			left: 2,
		},
		{
			name: "an end of several actions", start: "G",
			steps: []string{
				"a wants F by way of N", "F, prior G",
				"b wants H by way of N", "H, prior F",
				"end r; killed on the way", "N",
				"end r", "G",
				"undo b", "G, released by r",
			},
			left: 2,
		},
		{
			name: "a fence over one that tags alone tell of", start: "F",
			steps: []string{
				"a tag tells of t from G", "F",
				"a wants H", "H, prior F",
				"undo t", "H, held by a",
				"undo a", "G",
			},
		},
		{
			name: "a fence that tags alone tell of, undone last", start: "F",
			steps: []string{
				"a tag tells of t from G", "F",
				"a wants F", "F, prior F",
				"undo a", "F, held by t",
				"undo t", "G",
			},
		},
		{
			name: "a fence under one that tags alone tell of", start: "F",
			steps: []string{
				"a tag tells of t from G", "F",
				"undo u, which led from E to G", "F, drift",
				"undo t", "G",
				"undo u, which led from E to G", "E",
			},
		},
		{
			name: "over the heads of holders", start: "A",
			steps: []string{
				"a wants B", "B, prior A",
				"b wants C", "C, prior B",
				"c wants C", "C, prior C",
				"undo c over others", "B",
				"undo b", "B, held by a",
				"undo a over others", "A",
			},
		},
		{
			name: "over the head of the only holder", start: "A",
			steps: []string{
				"a wants B", "B, prior A",
				"b wants B", "B, prior B",
				"undo a over others", "A",
				"undo b", "A",
			},
		},
		{
			name: "over the head of a holder, where a stranger made the value", start: "A",
			steps: []string{
				"a wants B", "B, prior A",
				"a stranger makes S", "S",
				"b wants C", "C, prior S",
				"a stranger makes B", "B",
				"undo b over others", "B, drift",
				"undo b", "B, held by a",
			},
			left: 1,
		},
		{
			name: "a stranger brings back what a lower run wants", start: "A",
			steps: []string{
				"a wants A", "A, prior A",
				"a stranger makes S", "S",
				"b wants C", "C, prior S",
				"a stranger makes A", "A",
				"undo a", "A, drift",
				"undo b", "A, held by a",
				"undo a", "A",
			},
		},
	}
}

func TestSequences(t *testing.T) {
	for _, s := range sequences() {
		t.Run(s.name, func(t *testing.T) {
			x := &executor{now: s.start}
			for i := 0; i < len(s.steps); i += 2 {
				if got := x.do(s.steps[i]); got != s.steps[i+1] {
					t.Fatalf("%s: %s, want %s\n%+v", s.steps[i], got, s.steps[i+1], x.entries)
				}
			}
			if len(x.entries) != s.left {
				t.Errorf("entries are left: %+v, want %d", x.entries, s.left)
			}
		})
	}
}
