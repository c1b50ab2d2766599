package history

import (
	"bytes"
	"cmp"
	"fmt"
	"hash/maphash"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"aws-provider-executor/pkg/internal/docblocks"
)

// The model explores every interleaving of a few actions on one or two attributes:
// attempts, retries and undos in every order, a process that dies between any two of
// its steps, lost answers, refusals, stale readings, a minute that passes or does not,
// and a stranger's change. The decisions are those of this package, called as the
// executor calls them. What surrounds them (reading, recording, changing) is modelled.
//
// The model assumes what the package asks of its caller ("Stale readings" in its comment),
// and that a stranger's change is not hidden by a stale reading. A broken rule shows that
// each of the caller's duties is needed.

// The invariants, by what is said where one fails.
const (
	groundlessDrift = "drift without a stranger"
	ownPrior        = "a retry tells its own change as the prior value"
	takenAway       = "an undo takes away what another action counts on"
	overwritten     = "an undo overwrites what a stranger made"
	unwanted        = "an undo leaves what nobody wants"
	heldByUndoing   = "held by an action that is being undone"
	heldByNone      = "held by an action that is undone or never was"
	heldByOther     = "held by an action that wants another value"
	heldByIdle      = "held by an action that changed nothing"
	notReleased     = "released, and what was to be released is there"
	notRestored     = "all is undone, and the value is not what it was before"
	notWhole        = "what is recorded is not whole"
	leftOver        = "all is undone, and entries are left"
)

// world is one exploration.
type world struct {
	name  string
	attrs []attribute
	keys  []wants
	// quick is explored by every run of the tests, deep by "make model".
	quick budget
	deep  []budget
	// restore sends undos that overwrite what a stranger made.
	restore bool
}

// budget bounds what goes wrong or comes from outside in one exploration.
type budget struct {
	// again is how often each action that is done is sent once more.
	again int
	// deaths is how often a process dies, refusals how often a change is refused.
	deaths, refusals int
	// strangers is how often a stranger changes something.
	strangers int
	// losses is how often a loss of power takes what was written of an outcome.
	losses int
}

type attribute struct {
	base byte
	via  byte
	// stranger are the values that a stranger brings about.
	stranger string
}

// wants is an action.
type wants struct {
	name string
	to   string // a value for each attribute; '-' where the action has no part in it
	// release gives the value up for good, for the base. end ends all actions on the
	// attribute, and leads it to the base.
	release, end bool
	// over sends the undo with the order to ignore holders.
	over bool
	// foreign actions are another executor's: nothing is recorded of them. Their undo comes
	// here with the facts that they told.
	foreign bool
	// tagged foreign actions left what they found in a tag of the provider. Their undo
	// removes the tag.
	tagged bool
}

// ends reports whether the request is no action, but ends others.
func (w wants) ends() bool { return w.release || w.end }

// phase says how far an action has come, as the one who asked for it knows.
type phase byte

const (
	idle phase = iota
	trying
	done
	undoing
	closed
	drifted
)

// core is the one who asked for an action.
type core struct {
	phase phase
	again byte
	rank  byte    // the place of its latest answer among those of actions that are done
	facts [2]byte // the prior facts, as told
	// untagged reports whether an end has removed the tag that the action left.
	untagged bool
}

// stranger is whoever changes an attribute and records nothing.
const stranger = 9

type attrState struct {
	value, old byte // old is what a stale reading shows; 0 when there is none
	entries    []Entry
	foreign    [2]byte // the values that strangers brought about, the last one first
	// by is the action that made the value, counted from 1, or stranger. It is 0 for the
	// first value, and where a refused change was put back.
	by byte
	// unsynced are the actions, a bit for each, whose outcome a loss of power may take. Forgotten
	// are those whose outcome it took while nothing was recorded above them.
	unsynced, forgotten byte
}

type step byte

const (
	atRest step = iota
	reading
	recorded
	changing
	finishing
)

// process is the one that has the locks.
type process struct {
	step step
	key  byte
	undo bool
	attr byte // the attribute that is changed next
	now  [2]byte
	aim  [2]byte // where each attribute is to go; 0 where nothing is to be done
	// before are the entries to put back where a change is refused.
	before [2][]Entry
	moved  [2]byte
	// ends are the places of the entries that a release writes; 0 where it writes none.
	ends [2]int64
}

type state struct {
	attrs                       [2]attrState
	cores                       [4]core
	proc                        process
	deaths, strangers, refusals byte
	losses                      byte
}

func (s state) clone() state {
	for i := range s.attrs {
		s.attrs[i].entries = slices.Clone(s.attrs[i].entries)
		s.proc.before[i] = slices.Clone(s.proc.before[i])
	}
	return s
}

func text(v byte) string {
	if v == 0 {
		return ""
	}
	return string(v)
}

// encode is the state as a map key. Places in the order count only as an order.
func (s state) encode(b *bytes.Buffer) []byte {
	b.Reset()
	for i := range s.attrs {
		a := &s.attrs[i]
		b.Write([]byte{a.value, a.old, a.foreign[0], a.foreign[1], a.by, a.unsynced, a.forgotten})
		encodeEntries(b, a.entries)
		encodeEntries(b, s.proc.before[i])
	}
	for _, c := range s.cores {
		b.Write([]byte{byte(c.phase), c.again, c.rank, c.facts[0], c.facts[1], bit(c.untagged)})
	}
	p := s.proc
	b.Write([]byte{byte(p.step), p.key, bit(p.undo), p.attr, s.deaths, s.strangers, s.refusals})
	b.WriteByte(s.losses)
	b.Write([]byte{byte(p.ends[0]), byte(p.ends[1])})
	b.Write([]byte{p.now[0], p.now[1], p.aim[0], p.aim[1], p.moved[0], p.moved[1]})
	return b.Bytes()
}

func bit(b bool) byte {
	if b {
		return 1
	}
	return 0
}

func encodeEntries(b *bytes.Buffer, entries []Entry) {
	for _, e := range entries {
		for _, part := range []string{e.Key, e.From, e.To, e.Via, string(e.State[:1]), e.Aim} {
			b.WriteString(part)
			b.WriteByte(1)
		}
		b.Write([]byte{byte(e.Seq), byte(e.Undone), byte(e.Under), byte(e.Ends), byte(e.Again)})
		b.WriteByte(byte(e.On))
		b.Write([]byte{bit(e.Fresh), bit(e.Begins)})
	}
	b.WriteByte(0)
}

// renumber makes the places in an attribute's order dense: those of several lists of entries,
// and one more.
func renumber(one *int64, lists ...[]Entry) {
	used := []int64{0}
	each := func(do func(*int64)) {
		do(one)
		for _, entries := range lists {
			for i := range entries {
				e := &entries[i]
				for _, n := range []*int64{&e.Seq, &e.Again, &e.Undone, &e.Under, &e.Ends, &e.On} {
					do(n)
				}
			}
		}
	}
	each(func(n *int64) { used = append(used, *n) })
	slices.Sort(used)
	used = slices.Compact(used)
	each(func(n *int64) { *n = int64(slices.Index(used, *n)) })
	for _, entries := range lists {
		slices.SortFunc(entries, func(a, b Entry) int { return int(a.Seq - b.Seq) })
	}
}

func nextSeq(entries []Entry) int64 {
	n := int64(0)
	for _, e := range entries {
		n = max(n, e.Seq, e.Again, e.Undone)
	}
	return n + 1
}

// explorer walks all states of a world.
type explorer struct {
	world
	budget
	rule   rule
	labels bool
	seen   map[[2]uint64]struct{}
	buf    bytes.Buffer
	wrong  string
}

// move is one step with the state that it leads to.
type move struct {
	to    state
	label string
}

func (x *explorer) start() state {
	s := state{deaths: byte(x.deaths), strangers: byte(x.strangers), refusals: byte(x.refusals),
		losses: byte(x.losses)}
	for i, a := range x.attrs {
		s.attrs[i].value = a.base
	}
	return s
}

func (x *explorer) moves(s state) []move {
	var all []move
	add := func(to state, format string, args ...any) {
		for i := range x.attrs {
			renumber(&to.proc.ends[i], to.attrs[i].entries, to.proc.before[i])
		}
		m := move{to: to}
		if x.labels {
			m.label = fmt.Sprintf(format, args...)
		}
		all = append(all, m)
	}
	if s.proc.step == atRest {
		x.begin(s, add)
		x.outside(s, add)
		return all
	}
	x.advance(s, add)
	if s.deaths > 0 {
		d := s.clone()
		d.deaths--
		d.proc = process{}
		add(d, "dies")
	}
	return all
}

// begin starts an attempt or an undo of any key.
func (x *explorer) begin(s state, add func(state, string, ...any)) {
	for k, w := range x.keys {
		c := s.cores[k]
		switch {
		case w.foreign && c.phase == idle && !x.anyBegun(s):
			d := s.clone()
			x.actForeign(&d, k)
			add(d, "%s is done by another executor", w.name)
		case w.foreign:
		case c.phase == idle, c.phase == trying, c.phase == done && int(c.again) < x.again && !w.ends():
			d := s.clone()
			if c.phase == done {
				d.cores[k].again++
			}
			d.cores[k].phase = trying
			d.proc = process{step: reading, key: byte(k)}
			add(d, "%s begins", w.name)
		}
		undoable := c.phase == trying || c.phase == done || c.phase == undoing
		if undoable && !w.ends() {
			d := s.clone()
			d.cores[k].phase = undoing
			d.proc = process{step: reading, key: byte(k), undo: true}
			add(d, "the undo of %s begins", w.name)
		}
	}
}

// anyBegun reports whether one of our actions has begun: what another executor left is
// from before us.
func (x *explorer) anyBegun(s state) bool {
	for k, w := range x.keys {
		if !w.foreign && s.cores[k].phase != idle {
			return true
		}
	}
	return false
}

// actForeign is an action of another executor: nothing is recorded.
func (x *explorer) actForeign(s *state, k int) {
	c := &s.cores[k]
	c.phase = done
	for i := range x.attrs {
		if to := x.keys[k].to[i]; to != '-' {
			c.facts[i] = s.attrs[i].value
			x.set(s, i, to)
			s.attrs[i].by = byte(k) + 1
		}
	}
}

// outside is what happens between runs.
func (x *explorer) outside(s state, add func(state, string, ...any)) {
	aged := false
	d := s.clone()
	for i := range x.attrs {
		for j := range d.attrs[i].entries {
			e := &d.attrs[i].entries[j]
			aged, e.Fresh = aged || e.Fresh, false
		}
		aged = aged || d.attrs[i].old != 0
		d.attrs[i].old = 0
	}
	if aged {
		add(d, "a minute passes")
	}
	x.losePower(s, add)
	if s.strangers == 0 {
		return
	}
	for i, a := range x.attrs {
		for _, v := range []byte(a.stranger) {
			if v == s.attrs[i].value {
				continue
			}
			d := s.clone()
			d.strangers--
			a := &d.attrs[i]
			a.value, a.old, a.by, a.foreign = v, 0, stranger, [2]byte{v, a.foreign[0]}
			add(d, "a stranger makes attribute %d %c", i, v)
		}
	}
}

// losePower takes back what was written of one outcome without a sync.
func (x *explorer) losePower(s state, add func(state, string, ...any)) {
	if s.losses == 0 {
		return
	}
	for i := range x.attrs {
		for k, w := range x.keys {
			if s.attrs[i].unsynced&(1<<k) == 0 {
				continue
			}
			d := s.clone()
			d.losses--
			a := &d.attrs[i]
			a.unsynced &^= 1 << k
			if e := latestOf(a.entries, w.name); e != nil {
				e.State = Pending
				if nextSeq(a.entries)-1 == max(e.Seq, e.Again) {
					a.forgotten |= 1 << k
				}
			}
			add(d, "a loss of power takes the outcome of %s, attribute %d", w.name, i)
		}
	}
}

// latestOf returns the entry of the latest attempt under a key.
func latestOf(entries []Entry, key string) (latest *Entry) {
	for i := range entries {
		e := &entries[i]
		if e.Key == key && (latest == nil || max(e.Seq, e.Again) > max(latest.Seq, latest.Again)) {
			latest = e
		}
	}
	return latest
}

// set changes the world; the next readings may be from before.
func (x *explorer) set(s *state, i int, v byte) {
	if a := &s.attrs[i]; a.value != v {
		a.old, a.value, a.by = a.value, v, s.proc.key+1
	}
}

func (x *explorer) advance(s state, add func(state, string, ...any)) {
	switch s.proc.step {
	case reading:
		x.read(s, 0, add)
	case recorded, changing:
		x.change(s, add)
	case finishing:
		x.finish(s, add)
	}
}

// read goes through all that a reading may show, one attribute after the other.
func (x *explorer) read(s state, i int, add func(state, string, ...any)) {
	if i == len(x.attrs) {
		x.decide(s, add)
		return
	}
	a := s.attrs[i]
	for _, v := range []byte{a.value, a.old} {
		if v == 0 || v == a.value && v == a.old {
			continue
		}
		d := s.clone()
		d.proc.now[i] = v
		if v != a.value && !x.believes(d, i) {
			continue
		}
		x.read(d, i+1, add)
	}
}

// believes reports whether the executor acts on a stale reading without another one.
func (x *explorer) believes(s state, i int) bool {
	to := x.keys[s.proc.key].to[i]
	if to == '-' {
		return false
	}
	if x.rule.believesAll {
		return true
	}
	v := x.view(s, i)
	if s.proc.undo {
		_, u := x.undo(s, i)
		return !u.Confirm
	}
	switch w := x.keys[s.proc.key]; {
	case w.end:
		return text(s.proc.now[i]) != v.Base() && !v.Doubtful()
	case w.release:
		// Where nothing is recorded, the provider refuses to take away what is not there.
		return s.proc.now[i] == to && !v.Empty() && !v.Doubtful()
	}
	return s.proc.now[i] != to && !v.Empty() && x.rule.expects(v, x.sent(s))
}

// sent is the key that is being worked on.
func (x *explorer) sent(s state) string { return x.keys[s.proc.key].name }

// view is the history as the executor sees it.
func (x *explorer) view(s state, i int) View {
	v := At(x.rule.load(slices.Clone(s.attrs[i].entries)), text(s.proc.now[i]))
	for k, w := range x.keys {
		c := s.cores[k]
		if w.tagged && c.facts[i] != 0 && c.phase != closed && !c.untagged {
			v = v.Below(w.name, text(c.facts[i]))
		}
	}
	return x.rule.view(v)
}

// written marks the entries of an action whose record was written just now.
func (s *state) written(key string) {
	for i := range s.attrs {
		for j := range s.attrs[i].entries {
			if e := &s.attrs[i].entries[j]; e.Key == key {
				e.Fresh = true
			}
		}
	}
}

// decide records what is to be done and, where nothing is, finishes.
func (x *explorer) decide(s state, add func(state, string, ...any)) {
	d := s.clone()
	p := &d.proc
	w := x.keys[p.key]
	for i := range x.attrs {
		if w.to[i] == '-' {
			continue
		}
		// What a request rests on is synced before it records anything.
		d.attrs[i].unsynced = x.rule.unsynced(d.attrs[i].unsynced, p.key)
		p.before[i] = slices.Clone(d.attrs[i].entries)
		switch {
		case p.undo && !x.decideUndo(&d, i), w.end && !x.decideEnd(&d, i):
			d.cores[p.key].phase = drifted
			for j := range x.attrs {
				d.attrs[j].entries = s.attrs[j].entries
			}
			d.proc = process{}
			add(d, "%s finds drift", w.name)
			return
		case p.undo, w.end:
		case w.release:
			x.decideRelease(&d, i)
		default:
			x.decideAct(&d, i)
		}
	}
	p.step = recorded
	d.written(w.name)
	add(d, "%s reads %s and records", w.name, strings.TrimRight(string(p.now[:]), "\x00"))
}

func (x *explorer) decideAct(s *state, i int) {
	a, p := &s.attrs[i], &s.proc
	w := x.keys[p.key]
	seq := nextSeq(a.entries)
	if x.rule.places != nil {
		seq = x.rule.places(a.entries)
	}
	v := x.view(*s, i)
	e := x.rule.begin(v, v.Begin(w.name, text(w.to[i]), text(x.viaOf(i, w.to[i])), seq))
	x.checkPrior(a, p.key, e)
	s.cores[p.key].facts[i] = e.From[0]
	if w.to[i] != p.now[i] {
		p.aim[i] = w.to[i]
	}
	a.entries = put(a.entries, e)
}

// checkPrior holds that an attempt does not tell its own change as the prior value. It may
// where another action has come between.
func (x *explorer) checkPrior(a *attrState, k byte, e Entry) {
	between := slices.ContainsFunc(a.entries, func(o Entry) bool { return o.Key != e.Key })
	if e.From == e.To && a.by == k+1 && !between {
		x.fail(ownPrior)
	}
}

// viaOf is the value on the way to another one.
func (x *explorer) viaOf(i int, to byte) byte {
	if x.attrs[i].via == to {
		return 0
	}
	return x.attrs[i].via
}

// put writes an entry.
func put(entries []Entry, e Entry) []Entry {
	i := slices.IndexFunc(entries, func(o Entry) bool { return o.Seq == e.Seq })
	if i < 0 {
		return append(entries, e)
	}
	entries[i] = e
	return entries
}

// decideRelease records nothing where nothing is recorded of the attribute.
func (x *explorer) decideRelease(s *state, i int) {
	a, w := &s.attrs[i], x.keys[s.proc.key]
	v := x.view(*s, i)
	if s.proc.now[i] == w.to[i] {
		s.proc.aim[i] = x.attrs[i].base
	}
	e, ok := v.Release(w.name, text(w.to[i]), text(x.attrs[i].base), nextSeq(a.entries))
	if ok && len(a.entries) > 0 {
		s.proc.ends[i], a.entries = e.Seq, put(a.entries, e)
	}
}

// decideEnd reports false for drift.
func (x *explorer) decideEnd(s *state, i int) bool {
	a, p := &s.attrs[i], &s.proc
	v := x.view(*s, i)
	if base := v.Base(); base != text(p.now[i]) {
		if len(a.entries) > 0 && !v.Explained() && !x.restore {
			return x.drifts(*s, i)
		}
		p.aim[i] = base[0]
	}
	if len(a.entries) > 0 {
		e := v.End(x.sent(*s), v.Base(), nextSeq(a.entries))
		p.ends[i], a.entries = e.Seq, put(a.entries, e)
	}
	return true
}

// drifts holds that only a stranger causes drift. It returns false.
func (x *explorer) drifts(s state, i int) bool {
	if s.attrs[i].foreign[0] == 0 {
		x.fail(groundlessDrift)
	}
	return false
}

// undo returns what the undo of the key that is worked on comes to, and the history that this
// rests on: an action that is not recorded is entered there by its facts.
func (x *explorer) undo(s state, i int) (View, Undo) {
	a, w, c := &s.attrs[i], x.keys[s.proc.key], s.cores[s.proc.key]
	v := x.view(s, i)
	u := v.Undo(w.name)
	if !u.Known && c.facts[i] != 0 && !x.rule.notEntered {
		e, fits := v.Enter(w.name, text(c.facts[i]), text(w.to[i]), nextSeq(a.entries))
		if fits {
			a.entries = append(slices.Clone(a.entries), e)
			v = x.view(s, i)
			u = v.Undo(w.name)
		}
	}
	return v, x.rule.undo(v, w.name, u)
}

// decideUndo reports false for drift.
func (x *explorer) decideUndo(s *state, i int) bool {
	a, p, w := &s.attrs[i], &s.proc, x.keys[s.proc.key]
	v, u := x.undo(*s, i)
	x.checkReleased(*s, i, u.Released)
	if u.Released != "" || u.Again {
		return true
	}
	x.checkHolders(*s, i, u.HeldBy)
	held := len(u.HeldBy) > 0
	if held && w.over && u.Known {
		held, u.Aim = false, x.rule.over(v, w.name)
	}
	switch {
	case !u.Known:
		return x.decideByFacts(s, i, held && !w.over)
	case held:
	case u.Drift && !x.restore:
		return x.drifts(*s, i)
	case u.Aim != text(p.now[i]):
		p.aim[i] = u.Aim[0]
		for _, e := range v.Undoing(w.name, nextSeq(a.entries)+1, u.Aim) {
			a.entries = put(a.entries, x.rule.undoing(e))
		}
	}
	return true
}

// decideByFacts is the undo of an action of which nothing is recorded. It goes by what was
// before, what the action left, and what is now. It reports false for drift.
func (x *explorer) decideByFacts(s *state, i int, held bool) bool {
	p, prior := &s.proc, s.cores[s.proc.key].facts[i]
	switch now := p.now[i]; {
	case prior == 0 || now == prior:
	case now != x.keys[p.key].to[i]:
		return false
	case !held:
		p.aim[i] = prior
	}
	return true
}

// checkHolders holds that whoever is told as a holder is not undone, and wants what is so.
func (x *explorer) checkHolders(s state, i int, keys []string) {
	for _, key := range keys {
		k := slices.IndexFunc(x.keys, func(w wants) bool { return w.name == key })
		switch c, w := s.cores[k], x.keys[k]; {
		case c.phase == closed || c.phase == idle:
			x.fail(heldByNone)
		case c.phase == done && !w.foreign && w.to[i] != s.attrs[i].value && !x.lost(s, i, key):
			x.fail(heldByOther)
		case !w.foreign && !slices.ContainsFunc(s.attrs[i].entries, func(e Entry) bool {
			return e.Key == key && (e.State == Live || e.State == Pending)
		}):
			x.fail(heldByUndoing)
		case c.phase == trying && !x.mayHold(s.attrs[i], key, w.to[i], i):
			x.fail(heldByIdle)
		}
	}
}

// lost reports whether a loss of power took the outcome of an action that was answered. Then it may
// hold what it found for as long as a reading may hide that it was made. And it does not count
// where a later action found that it was not so any more.
func (x *explorer) lost(s state, i int, key string) bool {
	return slices.ContainsFunc(s.attrs[i].entries, func(e Entry) bool {
		return e.Key == key && e.State == Pending
	})
}

// checkReleased holds that what is told as released is gone, or was there again after that.
func (x *explorer) checkReleased(s state, i int, key string) {
	for k, w := range x.keys {
		again := s.cores[k].phase == closed || s.attrs[i].by == stranger || x.madeAfter(s, i, key)
		if w.name == key && w.release && !again && w.to[i] == s.attrs[i].value {
			x.fail(notReleased)
		}
	}
}

// madeAfter reports whether an action made the present value that was recorded after a release.
func (x *explorer) madeAfter(s state, i int, release string) bool {
	a := s.attrs[i]
	at := func(key string) int64 {
		last := int64(-1)
		for _, e := range a.entries {
			if e.Key == key {
				last = max(last, e.Seq, e.Again)
			}
		}
		return last
	}
	return a.by > 0 && a.by != stranger && at(x.keys[a.by-1].name) > at(release)
}

// mayHold reports whether an action that waits for its answer may have changed something: the
// value is on its way, or its record is so recent that a reading may hide it.
func (x *explorer) mayHold(a attrState, key string, to byte, i int) bool {
	return a.value == to || a.value == x.attrs[i].via ||
		slices.ContainsFunc(a.entries, func(e Entry) bool { return e.Key == key && e.Fresh })
}

// fail notes that an invariant fails. A broken rule is looked at for one of them alone.
func (x *explorer) fail(why string) {
	if x.wrong == "" && (x.rule.breaks == "" || x.rule.breaks == why) {
		x.wrong = why
	}
}

// change makes the next change, with all that may become of it.
func (x *explorer) change(s state, add func(state, string, ...any)) {
	d := s.clone()
	p := &d.proc
	for int(p.attr) < len(x.attrs) && (p.aim[p.attr] == 0 || p.aim[p.attr] == d.attrs[p.attr].value) {
		p.attr++
	}
	i := int(p.attr)
	if i == len(x.attrs) {
		p.step = finishing
		add(d, "all is so")
		return
	}
	x.checkTaken(d, i)
	goal := p.aim[i]
	if via := x.viaOf(i, goal); via != 0 && d.attrs[i].value != via {
		goal = via
	}
	made := d.clone()
	if made.proc.moved[i] == 0 {
		made.proc.moved[i] = made.attrs[i].value
	}
	x.set(&made, i, goal)
	made.proc.step = changing
	add(made, "attribute %d becomes %c", i, goal)
	if d.deaths > 0 {
		// Lost, and read back: not made. The answer is ambiguous, and the record stays.
		lost := d.clone()
		lost.deaths--
		lost.proc = process{}
		add(lost, "the change of attribute %d comes to nothing, unknown", i)
	}
	if d.refusals > 0 {
		x.refuse(d, i, add)
	}
}

// newest returns the key of the latest entry.
func newest(entries []Entry) string {
	if len(entries) == 0 {
		return ""
	}
	return slices.MaxFunc(entries, func(a, b Entry) int { return cmp.Compare(a.Seq, b.Seq) }).Key
}

// checkTaken holds that no undo takes away what another action counts on, or what the latest
// one has made without an answer yet, or what a stranger made.
func (x *explorer) checkTaken(s state, i int) {
	p, value := s.proc, s.attrs[i].value
	onTheWay := p.moved[i] != 0
	if !p.undo || x.keys[p.key].over || p.aim[i] == value || onTheWay {
		return
	}
	for k, w := range x.keys {
		if byte(k) != p.key && w.to[i] == value && x.countsOn(s, i, k) {
			x.fail(takenAway)
		}
	}
	if s.attrs[i].by == stranger && !x.restore && !x.ours(i, value) {
		x.fail(overwritten)
	}
}

// countsOn reports whether an action is done, or is the latest and has made what is so.
func (x *explorer) countsOn(s state, i, k int) bool {
	w, a := x.keys[k], s.attrs[i]
	made := s.cores[k].phase == trying && a.by == byte(k)+1 && newest(a.entries) == w.name
	forgotten := x.lost(s, i, w.name) && a.forgotten&(1<<k) != 0
	answered := s.cores[k].phase == done && !(forgotten && x.undoneOutside(s, i))
	return !w.ends() && !w.foreign && !ended(a.entries, w.name) && (answered || made)
}

// undoneOutside reports whether something else than an undo of its own may have led an attribute
// away from what an action wants: a stranger, or an undo over the heads of holders.
func (x *explorer) undoneOutside(s state, i int) bool {
	over := func(w wants) bool { return w.over }
	return s.attrs[i].foreign[0] != 0 || slices.ContainsFunc(x.keys, over)
}

// ended reports whether an answered release or end ended all that is recorded of an action.
func ended(entries []Entry, key string) bool {
	return slices.ContainsFunc(entries, func(end Entry) bool {
		after := func(e Entry) bool { return e.Key == key && max(e.Seq, e.Again) > end.Ends }
		return end.Ends != 0 && end.State == Live && !slices.ContainsFunc(entries, after)
	})
}

// ours reports whether a value is the base, wanted by an action, or on the way. What a tagged
// action left is not known, so that any value may be its doing.
func (x *explorer) ours(i int, value byte) bool {
	return value == x.attrs[i].base || value == x.attrs[i].via ||
		slices.ContainsFunc(x.keys, func(w wants) bool {
			return w.tagged || w.to[i] == value
		})
}

// refuse puts back what was moved, and the record as it was.
func (x *explorer) refuse(s state, at int, add func(state, string, ...any)) {
	d := s.clone()
	d.refusals--
	for i := range x.attrs {
		if m := d.proc.moved[i]; m != 0 {
			x.set(&d, i, m)
			d.attrs[i].by = 0
			if !x.rule.stalePutBack {
				// The caller sees to it that no stale reading shows what was put back.
				d.attrs[i].old = 0
			}
		}
		if x.keys[d.proc.key].to[i] != '-' {
			d.attrs[i].entries = restored(d.attrs[i].entries, d.proc.before[i], x.sent(d))
		}
	}
	if c := &d.cores[d.proc.key]; c.phase == trying && !x.hasEntry(d, x.sent(d)) {
		*c = core{again: c.again}
	}
	d.written(x.sent(d))
	d.proc = process{}
	add(d, "the change of attribute %d is refused; all is put back", at)
}

func (x *explorer) hasEntry(s state, key string) bool {
	for i := range x.attrs {
		if slices.ContainsFunc(s.attrs[i].entries, func(e Entry) bool { return e.Key == key }) {
			return true
		}
	}
	return false
}

// restored are the entries with those of one key as they were before.
func restored(now, before []Entry, key string) []Entry {
	others := slices.DeleteFunc(slices.Clone(now), func(e Entry) bool { return e.Key == key })
	for _, e := range before {
		if e.Key == key {
			others = append(others, e)
		}
	}
	return others
}

// finish writes what was read to be so, and answers.
func (x *explorer) finish(s state, add func(state, string, ...any)) {
	d := s.clone()
	w, c := x.keys[d.proc.key], &d.cores[d.proc.key]
	for i := range x.attrs {
		if w.to[i] == '-' {
			continue
		}
		if d.proc.undo {
			x.finishUndo(&d, i)
		} else {
			x.finishAction(&d, i)
		}
	}
	x.forget(&d)
	x.untag(&d, w)
	c.phase = done
	if d.proc.undo || w.ends() {
		c.phase = closed
	}
	d.rank(int(d.proc.key))
	d.written(w.name)
	d.proc = process{}
	add(d, "%s is answered", w.name)
}

// finishUndo writes what the undo of an action left of an attribute.
func (x *explorer) finishUndo(s *state, i int) {
	x.checkLeft(*s, i)
	a, w := &s.attrs[i], x.keys[s.proc.key]
	v, _ := x.undo(*s, i)
	for _, e := range v.Withdrawn(w.name, nextSeq(a.entries)+1, text(a.value)) {
		a.entries = put(a.entries, x.rule.withdrawn(e))
	}
}

// finishAction writes that an action, a release or an end was read to be so.
func (x *explorer) finishAction(s *state, i int) {
	a, w := &s.attrs[i], x.keys[s.proc.key]
	if w.end {
		// What an end leaves is what was before all.
		a.by = 0
	}
	for j := range a.entries {
		e := &a.entries[j]
		made := e.Key == w.name && !w.ends() && e.To == text(w.to[i])
		if made && e.State == Pending && x.losses > 0 {
			a.unsynced |= 1 << s.proc.key
		}
		if made && e.State == Pending || w.ends() && e.Seq == s.proc.ends[i] {
			e.State = Live
		}
	}
}

// untag removes the tags that actions left, as an end does.
func (x *explorer) untag(s *state, w wants) {
	for k, other := range x.keys {
		if w.end && other.tagged {
			s.cores[k].untagged = true
		}
	}
}

// forget removes the records that no later answer rests on, as the ledger does: one by one, whole.
func (x *explorer) forget(s *state) {
	for again := true; again; {
		again = false
		for _, w := range x.keys {
			again = x.forgetKey(s, w.name) || again
		}
	}
}

// forgetKey removes the record of a key, and reports whether it did.
func (x *explorer) forgetKey(s *state, key string) bool {
	mine := func(e Entry) bool { return e.Key == key }
	there := false
	for i := range x.attrs {
		all := s.attrs[i].entries
		there = there || slices.ContainsFunc(all, mine)
		if x.rule.rests(all, x.rule.needed(slices.Clone(all)), key) {
			return false
		}
	}
	for i := range x.attrs {
		a := &s.attrs[i]
		all := len(a.entries)
		a.entries = slices.DeleteFunc(slices.Clone(a.entries), mine)
		if len(a.entries) < all && !x.rule.staleEnds {
			// The caller sees to it that no stale reading reaches back behind this.
			a.old = 0
		}
	}
	return there
}

// rank makes an action the latest of those that are done.
func (s *state) rank(k int) {
	old := s.cores[k].rank
	top := byte(0)
	for i := range s.cores {
		if c := &s.cores[i]; old > 0 && c.rank > old {
			c.rank--
		}
		if i != k {
			top = max(top, s.cores[i].rank)
		}
	}
	s.cores[k].rank = 0
	if s.cores[k].phase == done {
		s.cores[k].rank = top + 1
	}
}

// checkLeft holds that an undo leaves a value that another action wants. Where none of them
// wants what was there, that is what the latest of them wants, or else the base. An undo over
// the heads of holders passes over those that want what was there. What died, was refused, was
// lost or came from outside is left to the other invariants.
func (x *explorer) checkLeft(s state, i int) {
	if slices.ContainsFunc(x.keys, wants.ends) || !x.clean(s) {
		return
	}
	p, value := s.proc, s.attrs[i].value
	want, rank := x.attrs[i].base, byte(0)
	for k, w := range x.keys {
		switch c := s.cores[k]; {
		case c.phase == trying, w.foreign && c.phase != idle && c.phase != closed:
			return
		case c.phase != done, byte(k) == p.key, w.to[i] == '-':
		case x.keys[p.key].over && w.to[i] == p.now[i]:
		case w.to[i] == value && p.aim[i] == 0:
			// It holds what is so.
			return
		case c.rank > rank:
			want, rank = w.to[i], c.rank
		}
	}
	if value != want {
		x.fail(unwanted)
	}
}

// clean reports whether nothing died, was refused, was lost or came from outside.
func (x *explorer) clean(s state) bool {
	return s.losses == byte(x.losses) && s.deaths == byte(x.deaths) &&
		s.refusals == byte(x.refusals) && s.strangers == byte(x.strangers)
}

// check holds a state at rest against what must be so.
func (x *explorer) check(s state) {
	if s.proc.step != atRest {
		return
	}
	for i := range x.attrs {
		if !Whole(s.attrs[i].entries) {
			x.fail(notWhole)
		}
	}
	over, released := x.allOver(s)
	if !over {
		return
	}
	for i, a := range x.attrs {
		at := s.attrs[i]
		// A release leads to the base, also where it was not what was there before.
		if !(x.givenUp(s) && at.value == a.base) && !x.mayEndAt(a.base, at, i) {
			x.fail(notRestored)
		}
		if len(at.entries) > 0 && !released {
			x.fail(leftOver)
		}
	}
}

// allOver reports whether all actions that began are undone without drift, and whether they
// were released.
func (x *explorer) allOver(s state) (over, released bool) {
	for k, w := range x.keys {
		switch c := s.cores[k]; {
		case c.phase == drifted, w.ends() && c.phase == trying:
			return false, false
		case !w.ends() && c.phase != idle && c.phase != closed:
			return false, false
		case c.phase == closed:
			over, released = over || !w.ends(), released || w.ends()
		}
	}
	return over, released
}

// givenUp reports whether a release was answered.
func (x *explorer) givenUp(s state) bool {
	for k, w := range x.keys {
		if w.release && s.cores[k].phase == closed {
			return true
		}
	}
	return false
}

// mayEndAt reports whether an attribute may be as it is once all is undone: as the last
// stranger left it, or as it was before all if there was none. What a stranger makes as one
// of the actions wants it counts as that action's.
func (x *explorer) mayEndAt(base byte, a attrState, i int) bool {
	switch last := a.foreign[0]; {
	case a.value == base:
		return last == 0 || x.restore || x.ours(i, last)
	case a.value == last:
		return true
	default:
		wanted := slices.ContainsFunc(x.keys, func(w wants) bool { return w.to[i] == last })
		return wanted && a.value == a.foreign[1]
	}
}

// explore walks all states, the nearest first, as far as the limit. It returns how many
// there are and the shortest way to a fault.
func (x *explorer) explore(limit int) (states int, way []string) {
	type node struct {
		parent int
		label  string
	}
	type reached struct {
		state state
		node  int
	}
	x.seen = map[[2]uint64]struct{}{}
	var nodes []node
	layer := []reached{{state: x.start(), node: -1}}
	x.isNew(layer[0].state)
	for len(layer) > 0 && len(x.seen) < limit {
		var next []reached
		for _, at := range layer {
			x.check(at.state)
			label := ""
			for _, m := range x.moves(at.state) {
				if x.wrong != "" {
					label = m.label
					break
				}
				if x.isNew(m.to) {
					n := -1
					if x.labels {
						nodes = append(nodes, node{at.node, m.label})
						n = len(nodes) - 1
					}
					next = append(next, reached{m.to, n})
				}
			}
			if x.wrong == "" {
				continue
			}
			for i := at.node; i >= 0; i = nodes[i].parent {
				way = append([]string{nodes[i].label}, way...)
			}
			return len(x.seen), append(way, label)
		}
		layer = next
	}
	return len(x.seen), way
}

var seeds = [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}

// isNew marks a state as seen. Two hashes stand for it.
func (x *explorer) isNew(s state) bool {
	code := s.encode(&x.buf)
	sum := [2]uint64{maphash.Bytes(seeds[0], code), maphash.Bytes(seeds[1], code)}
	if _, known := x.seen[sum]; known {
		return false
	}
	x.seen[sum] = struct{}{}
	return true
}

func worlds() []world {
	one := []attribute{{base: 'A', stranger: "ABS"}}
	via := []attribute{{base: 'A', via: 'N', stranger: "AS"}}
	two := []attribute{{base: 'A', stranger: "S"}, {base: 'A'}}
	return []world{
		{
			name: "two forwarders", attrs: one,
			keys:  []wants{{name: "a", to: "B"}, {name: "b", to: "B"}},
			quick: budget{deaths: 1, strangers: 1},
			deep:  []budget{{again: 1, deaths: 1, refusals: 1, strangers: 1}},
		},
		{
			name: "to and fro", attrs: one,
			keys:  []wants{{name: "a", to: "B"}, {name: "b", to: "C"}, {name: "c", to: "B"}},
			quick: budget{again: 1},
			deep:  []budget{{deaths: 1, refusals: 1}},
		},
		{
			name: "to the base and back", attrs: one,
			keys:  []wants{{name: "a", to: "B"}, {name: "b", to: "A"}, {name: "c", to: "C"}},
			quick: budget{deaths: 1},
			deep:  []budget{{again: 1}, {deaths: 1, refusals: 1}},
		},
		{
			name: "a stranger among two", attrs: one,
			keys:  []wants{{name: "a", to: "B"}, {name: "b", to: "C"}},
			quick: budget{deaths: 1, strangers: 1},
			deep:  []budget{{deaths: 2, strangers: 1}, {again: 1, deaths: 1, strangers: 2}},
		},
		{
			name: "a stranger among three", attrs: one,
			keys:  []wants{{name: "a", to: "B"}, {name: "b", to: "C"}, {name: "c", to: "S"}},
			quick: budget{strangers: 1},
			deep:  []budget{{deaths: 1, strangers: 1}},
		},
		{
			name: "a stranger among three, back and forth", attrs: one,
			keys:  []wants{{name: "a", to: "B"}, {name: "b", to: "C"}, {name: "c", to: "B"}},
			quick: budget{strangers: 1},
			deep:  []budget{{strangers: 2}},
		},
		{
			name: "a stranger, overwritten", attrs: one, restore: true,
			keys:  []wants{{name: "a", to: "B"}, {name: "b", to: "C"}},
			quick: budget{deaths: 1, strangers: 1},
			deep:  []budget{{again: 1, deaths: 1, strangers: 1}},
		},
		{
			name: "two deaths", attrs: one,
			keys:  []wants{{name: "a", to: "B"}, {name: "b", to: "C"}, {name: "c", to: "B"}},
			quick: budget{deaths: 1},
			deep:  []budget{{deaths: 2}},
		},
		{
			name: "by way of another value", attrs: via,
			keys:  []wants{{name: "a", to: "B"}, {name: "b", to: "C"}},
			quick: budget{again: 1, deaths: 1},
			deep:  []budget{{again: 1, deaths: 2, refusals: 1}},
		},
		{
			name: "by way of a value that another wants", attrs: via,
			keys:  []wants{{name: "a", to: "B"}, {name: "b", to: "N"}},
			quick: budget{deaths: 2},
			deep:  []budget{{again: 1, deaths: 2}, {deaths: 2, strangers: 1}},
		},
		{
			name: "by way of another value, a stranger", attrs: via,
			keys:  []wants{{name: "a", to: "B"}, {name: "b", to: "C"}, {name: "c", to: "B"}},
			quick: budget{strangers: 1},
			deep:  []budget{{deaths: 1, strangers: 1}},
		},
		{
			name: "two attributes", attrs: two,
			keys:  []wants{{name: "a", to: "BB"}, {name: "b", to: "CB"}},
			quick: budget{deaths: 1, refusals: 1, strangers: 1},
			deep:  []budget{{again: 1, deaths: 1, refusals: 1, strangers: 1}},
		},
		{
			name: "two attributes, one of them changed again", attrs: two,
			keys:  []wants{{name: "a", to: "BB"}, {name: "b", to: "-C"}},
			quick: budget{again: 1, refusals: 1, strangers: 1},
			deep:  []budget{{again: 1, deaths: 1, refusals: 1, strangers: 1}},
		},
		{
			name: "two attributes, three keys", attrs: two,
			keys:  []wants{{name: "a", to: "BB"}, {name: "b", to: "-C"}, {name: "c", to: "C-"}},
			quick: budget{deaths: 1},
			deep:  []budget{{deaths: 1, refusals: 1}},
		},
		{
			name: "a release", attrs: one,
			keys: []wants{
				{name: "a", to: "B"}, {name: "b", to: "C"}, {name: "r", to: "B", release: true},
			},
			quick: budget{again: 1, deaths: 1},
			deep:  []budget{{again: 1, deaths: 2}},
		},
		{
			name: "an end", attrs: via,
			keys: []wants{
				{name: "a", to: "B"}, {name: "b", to: "C"}, {name: "e", to: "A", end: true},
			},
			quick: budget{deaths: 1},
			deep:  []budget{{again: 1, deaths: 2}, {deaths: 1, refusals: 1, strangers: 1}},
		},
		{
			name: "over the heads of holders", attrs: one,
			keys: []wants{
				{name: "a", to: "B"}, {name: "b", to: "C", over: true}, {name: "c", to: "B", over: true},
			},
			quick: budget{deaths: 1},
			deep:  []budget{{deaths: 1, strangers: 1}},
		},
		{
			// No stranger makes what a wants: the undo of u finds its prior value then, and is
			// answered before the undo of v tells that u lies below.
			name: "two of another executor's", attrs: []attribute{{base: 'A', stranger: "AS"}},
			keys: []wants{
				{name: "u", to: "D", foreign: true}, {name: "v", to: "E", foreign: true},
				{name: "a", to: "B"}, {name: "b", to: "C"},
			},
			quick: budget{},
			deep:  []budget{{deaths: 1, strangers: 1}, {again: 1, deaths: 1}},
		},
		{
			name: "another executor's, and a release", attrs: one,
			keys: []wants{
				{name: "u", to: "B", foreign: true}, {name: "a", to: "B"},
				{name: "r", to: "B", release: true},
			},
			quick: budget{deaths: 1},
			deep:  []budget{{deaths: 2, strangers: 1}},
		},
		{
			name: "another executor's", attrs: one,
			keys: []wants{
				{name: "u", to: "D", foreign: true}, {name: "a", to: "B"}, {name: "b", to: "C"},
			},
			quick: budget{deaths: 1},
			deep:  []budget{{deaths: 1, strangers: 1}, {again: 1, deaths: 1}},
		},
		{
			name: "another executor's, known by a tag", attrs: one,
			keys: []wants{
				{name: "u", to: "D", foreign: true, tagged: true},
				{name: "a", to: "B"}, {name: "b", to: "C"},
			},
			quick: budget{deaths: 1},
			deep:  []budget{{deaths: 1, strangers: 1}, {again: 1, deaths: 1}},
		},
		{
			name: "an end, and another executor's, known by a tag", attrs: one,
			keys: []wants{
				{name: "u", to: "D", foreign: true, tagged: true},
				{name: "a", to: "B"}, {name: "e", to: "A", end: true},
			},
			quick: budget{deaths: 1},
			deep:  []budget{{again: 1, deaths: 1, strangers: 1}},
		},
	}
}

// limit is far above the states of any world. Reaching it is a failure.
const limit = 50_000_000

// TestModel explores every world whole, with its quick budget. If the variable MODEL is
// "deep", it explores the deep ones, too.
func TestModel(t *testing.T) {
	total, explored, began := 0, 0, time.Now()
	const page = ".github/docs/proofs.md"
	states, deep := "states", os.Getenv("MODEL") == "deep"
	if deep {
		states = "states in all"
	}
	t.Cleanup(func() {
		t.Logf("%d states in %.1f s", total, time.Since(began).Seconds())
		if explored == len(worlds()) && !t.Failed() {
			docblocks.Exactly(t, "../..", page, states, total)
			docblocks.Exactly(t, "../..", page, "worlds of two and three keys", explored)
		}
	})
	for _, w := range worlds() {
		lossy := w.quick
		lossy.losses, lossy.deaths, lossy.again = 1, 0, 0
		budgets := []budget{w.quick, lossy}
		if deep {
			budgets = append(budgets, w.deep...)
		}
		t.Run(w.name, func(t *testing.T) {
			explored++
			for _, b := range budgets {
				total += exploreWhole(t, w, b)
			}
		})
	}
}

// exploreWhole explores a world and returns the number of its states. Where an invariant
// fails, it tells the shortest way there.
func exploreWhole(t *testing.T, w world, b budget) int {
	began := time.Now()
	x := &explorer{world: w, budget: b}
	states, _ := x.explore(limit)
	switch {
	case x.wrong != "":
		l := &explorer{world: w, budget: b, labels: true}
		_, way := l.explore(limit)
		t.Errorf("%+v: %s\n%s", b, l.wrong, strings.Join(way, "\n"))
	case states >= limit:
		t.Errorf("%+v: not explored whole", b)
	}
	t.Logf("%s: %+v: %d states in %.1f s", w.name, b, states, time.Since(began).Seconds())
	return states
}
