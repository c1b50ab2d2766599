package proof

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// This is a model of the rules that pkg/executor and pkg/ledger follow, not of their code: it is
// explored whole, so that the rules themselves are shown sound. What is one reading, one change,
// one writing of a record or one answer there is one step here, and between any two steps the
// process may die.
//
// One resource has a value. Keys bring it to a value of their own and are undone with the facts
// that were answered. Two processes may be at it at once. Changes are made, refused, ignored, lost,
// or on their way for a while; readings are fresh, or once after each change from before it;
// somebody else may change the value.
//
// What the rules can't do anything about is left out by assumption, and every assumption has a test
// that shows that it is needed (assumptions in brokenRules):
//   - a change on its way comes through, or never does, before anything but a retry of the same
//     request begins;
//   - after each change of ours at most one reading is stale, after somebody else's none, and of
//     two readings in a row at most one;
//   - the first reading of a fresh key is not stale by a third value;
//   - a change that is answered and not made is not also hidden by a stale reading;
//   - a record can be removed;
//   - two keys that want different values do not fight: the second is begun when the first is done,
//     and undone before the first is asked for again.

// Values of the resource: how it begins, and two others.
const (
	valueA uint8 = iota
	valueB
	valueC
	noValue uint8 = 15
)

// modelRules are the rules, each of which can be broken.
type modelRules struct {
	name string
	// broken rules
	recordAfterChange, lastPriorWins, neverAfresh, digestAfterUndo, noDigest   bool
	soOnOneReading, neitherOnOneReading, lostOnOneReading, doneOnAnswer        bool
	noHolders, heldForever, freeOnUnknown, freeThoughExisted, noLock, keepFail bool
	undoDoneOnAnswer, lockOutlives                                             bool
	// broken assumptions
	landsLate, staleTwice, staleFirst, ignoredAndStale, foreignHidden, recordStays, fights bool
	// violates is the invariant that the checker must find violated, in one of modelConfigs.
	violates string
	in       int
}

// modelConfig is one world to explore.
type modelConfig struct {
	name string
	// values are the world's, and variants the values that each key may bring about.
	values   uint8
	variants [][]uint8
	foreign  uint8 // changes by somebody else
	procs    int
}

const (
	maxKeys, maxProcs = 2, 2
	// nobody has the lock, in a world where a lock outlives its process.
	nobody = 9
)

type recordState uint8

const (
	noRecord recordState = iota
	recordIntended
	recordInForce
	recordReleased
)

type modelRecord struct {
	state    recordState
	from, to uint8
}

type corePhase uint8

const (
	coreIdle corePhase = iota
	coreDoing
	coreUndoing
)

// modelCore is what the core knows of a key.
type modelCore struct {
	phase corePhase
	to    uint8
	facts uint8 // the prior fact last answered
	// unknown: an attempt has ended without the core learning whether it changed something.
	unknown bool
}

type counter uint8

const (
	pcNone counter = iota
	pcWait
	pcRead
	pcReadAgain
	pcPut
	pcSend
	pcVerify
	pcPutDone
	pcForget
	pcAnswer
)

// modelProcess is one process and its locals.
type modelProcess struct {
	pc   counter
	key  uint8
	undo bool
	// to is the value to bring about; after, for an undo, what the action left.
	to, after uint8
	from      uint8
	first     uint8 // the first reading
	needed    uint8
	inARow    uint8
	read      bool // a reading back was made
	so        bool // nothing has to be changed
	existed   bool
	fresh     bool // the core regards the key as free
	misuse    bool // another request under a key in use
	failed    bool // what is answered
	certain   bool // that nothing was changed
	wasStale  bool // the last reading
	// ghosts: the value was shown during the run; somebody else changed it during the run.
	shown, tainted bool
}

// modelFlight is a change that is on its way.
type modelFlight struct {
	on      bool
	key     uint8
	undo    bool
	value   uint8
	tainted bool
}

type modelState struct {
	world  uint8
	old    [2]uint8 // the values before, the last first
	stale  uint8    // stale readings left
	record [maxKeys]modelRecord
	core   [maxKeys]modelCore
	proc   [maxProcs]modelProcess
	// lock is the process that has the resource, from 1.
	lock    uint8
	flight  modelFlight
	foreign uint8 // changes by somebody else that are left
	// ghosts: what the value truly was before a key's change that is in force; whether anybody else
	// ever changed it.
	own       [maxKeys]uint8
	disturbed bool
}

// step is a state that can follow, and why.
type step struct {
	to    modelState
	label string
	// fault marks what does not happen when all goes well.
	fault bool
	wrong string
}

// model is one exploration.
type model struct {
	rules modelRules
	cfg   modelConfig
	// labels has steps say what they are, which takes most of the time.
	labels bool
}

func (m *model) start() modelState {
	s := modelState{foreign: m.cfg.foreign, old: [2]uint8{noValue, noValue}}
	for k := range s.own {
		s.own[k], s.core[k].facts = noValue, noValue
	}
	return s
}

// change makes the world have a value.
func (m *model) change(s *modelState, value uint8) {
	if s.world != value {
		s.old = [2]uint8{s.world, s.old[0]}
		s.world, s.stale = value, 1
		if m.rules.staleTwice {
			s.stale = 2
		}
	}
	for k := range s.own {
		if s.own[k] == value {
			s.own[k] = noValue // it is as it was before: the change is not in force
		}
	}
	for i := range s.proc {
		p := &s.proc[i]
		p.shown = p.shown || p.pc != pcNone && s.world == p.to
	}
}

// land carries out a key's change.
func (m *model) land(s *modelState, f modelFlight) {
	switch {
	case f.undo || f.tainted:
		s.own[f.key] = noValue
	case s.world != f.value:
		s.own[f.key] = s.world
	}
	m.change(s, f.value)
}

// readings are the values that one reading may show. Fresh comes first.
func (m *model) readings(s modelState, p modelProcess) []struct {
	value uint8
	stale bool
} {
	type reading = struct {
		value uint8
		stale bool
	}
	all := []reading{{s.world, false}}
	if s.stale == 0 || p.wasStale && !m.rules.staleTwice {
		return all
	}
	for _, v := range s.old {
		first := p.pc == pcRead && s.record[p.key].state == noRecord && !p.undo && v != p.to
		if v == noValue || v == s.world || first && m.cfg.values > 2 && !m.rules.staleFirst {
			continue
		}
		all = append(all, reading{v, true})
	}
	return all
}

// next lists every step that can follow.
func (m *model) next(s modelState) []step {
	var all []step
	add := func(to modelState, fault bool, format string, args ...any) *step {
		all = append(all, step{to: to, fault: fault})
		if m.labels {
			all[len(all)-1].label = fmt.Sprintf(format, args...)
		}
		return &all[len(all)-1]
	}
	m.starts(s, add)
	for i := range s.proc[:m.cfg.procs] {
		if s.proc[i].pc == pcNone {
			continue
		}
		m.advance(s, i, add)
		d := s
		d.core[d.proc[i].key].unknown = d.core[d.proc[i].key].unknown || !d.proc[i].misuse
		m.end(&d, i)
		if m.rules.lockOutlives && s.lock == uint8(i+1) {
			d.lock = nobody
		}
		add(d, true, "process %d dies", i)
	}
	if s.flight.on {
		d := s
		d.flight = modelFlight{}
		add(d, true, "the change on its way is lost")
		d = s
		d.flight = modelFlight{}
		m.land(&d, s.flight)
		add(d, true, "the change on its way comes through")
	}
	if s.foreign > 0 {
		for v := range m.cfg.values {
			if v == s.world {
				continue
			}
			d := s
			d.foreign--
			d.disturbed, d.flight.tainted = true, d.flight.on
			for k := range d.own {
				d.own[k] = noValue
			}
			for i := range d.proc {
				d.proc[i].tainted = d.proc[i].pc != pcNone
			}
			m.change(&d, v)
			if !m.rules.foreignHidden {
				d.stale = 0
			}
			add(d, true, "somebody makes it %c", 'A'+v)
		}
	}
	return all
}

type adder = func(to modelState, fault bool, format string, args ...any) *step

// starts are what the core may ask for.
func (m *model) starts(s modelState, add adder) {
	slot := slices.IndexFunc(s.proc[:m.cfg.procs], func(p modelProcess) bool { return p.pc == pcNone })
	if slot < 0 {
		return
	}
	for k := range m.cfg.variants {
		c, key := s.core[k], uint8(k)
		alive, undoing := false, false
		for _, p := range s.proc {
			alive = alive || p.pc != pcNone && p.key == key
			undoing = undoing || p.pc != pcNone && p.key == key && p.undo
		}
		if undoing || !m.inTurn(s, k) {
			continue
		}
		for _, to := range m.cfg.variants[k] {
			d := s
			p := modelProcess{pc: pcWait, key: key, to: to, shown: s.world == to}
			switch {
			case c.phase == coreIdle && !alive:
				d.core[k] = modelCore{phase: coreDoing, to: to, facts: noValue}
				p.fresh = true
			case c.phase == coreDoing && c.to == to:
			case c.phase == coreDoing && s.record[k].state != noRecord && !alive:
				p.misuse = true
			default:
				continue
			}
			d.proc[slot] = p
			add(d, p.misuse, "k%d: start to %c (fresh %t, misuse %t)", k+1, 'A'+to, p.fresh, p.misuse)
		}
		if c.phase != coreIdle && c.facts != noValue && !alive {
			d := s
			d.core[k].phase = coreUndoing
			d.proc[slot] = modelProcess{pc: pcWait, key: key, undo: true, to: c.facts, after: c.to,
				shown: s.world == c.facts}
			add(d, false, "k%d: undo to %c", k+1, 'A'+c.facts)
		}
	}
}

// inTurn reports whether a key may be asked for without a fight. Keys that want the same never
// fight.
func (m *model) inTurn(s modelState, k int) bool {
	if len(m.cfg.variants) < 2 || m.cfg.values < 3 || m.rules.fights {
		return true
	}
	if k == 0 {
		return s.core[1].phase == coreIdle
	}
	return s.core[0].phase == coreDoing && s.core[0].facts != noValue && s.quiescent() &&
		s.record[0].state == recordInForce
}

// end takes a process away.
func (m *model) end(s *modelState, i int) {
	s.proc[i] = modelProcess{}
	if s.lock == uint8(i+1) {
		s.lock = 0
	}
}

// advance lists what process i may do next.
func (m *model) advance(s modelState, i int, add adder) {
	p := s.proc[i]
	to := func(change func(*modelState, *modelProcess)) modelState {
		d := s
		change(&d, &d.proc[i])
		return d
	}
	at := func(pc counter) func(*modelState, *modelProcess) {
		return func(_ *modelState, p *modelProcess) { p.pc = pc }
	}
	rec := s.record[p.key]
	switch p.pc {
	case pcWait:
		m.acquire(s, i, add)
	case pcRead, pcReadAgain:
		for _, r := range m.readings(s, p) {
			d := to(func(d *modelState, p *modelProcess) {
				if r.stale {
					d.stale--
				}
				p.wasStale = r.stale
				m.plan(d, p, r.value)
				if p.pc != pcReadAgain {
					p.wasStale = false
				}
			})
			m.settled(d, i, r.stale, 'A'+r.value, add)
		}
		if !p.undo {
			add(to(func(_ *modelState, p *modelProcess) {
				p.pc, p.failed, p.certain = pcAnswer, true, true
			}), true, "process %d can't read", i)
		}
	case pcPut:
		add(to(func(d *modelState, p *modelProcess) {
			m.put(d, p, recordIntended)
			p.pc = pcSend
			if p.so {
				p.pc = pcPutDone
			}
		}), false, "process %d records", i)
	case pcSend:
		m.send(s, i, add)
	case pcVerify:
		m.verify(s, i, add)
	case pcPutDone:
		add(to(func(d *modelState, p *modelProcess) {
			if p.undo {
				m.forget(d, p)
			} else {
				m.put(d, p, recordInForce)
			}
			p.pc = pcAnswer
		}), false, "process %d records that it is done", i)
		if !p.undo || m.rules.recordStays {
			add(to(at(pcAnswer)), true, "process %d can't record that it is done", i)
		}
	case pcForget:
		add(to(func(d *modelState, p *modelProcess) {
			if !m.rules.keepFail {
				d.record[p.key] = modelRecord{}
			}
			p.pc = pcAnswer
		}), false, "process %d frees the key", i)
	case pcAnswer:
		m.answer(s, i, rec, add)
	}
}

// acquire takes the lock and looks up the key.
func (m *model) acquire(s modelState, i int, add adder) {
	p := s.proc[i]
	if s.lock != 0 && !m.rules.noLock {
		d := s
		m.end(&d, i)
		m.nothing(&d, p.key)
		add(d, true, "process %d waited in vain", i)
		return
	}
	if f := s.flight; f.on && !m.rules.landsLate && (p.fresh || f.key != p.key || f.undo != p.undo) {
		return
	}
	d := s
	d.lock = uint8(i + 1)
	rec := s.record[p.key]
	d.proc[i].existed = rec.state != noRecord
	if !p.undo && rec.state != noRecord && rec.to != p.to && !m.rules.noDigest {
		m.end(&d, i)
		add(d, true, "process %d: the key is in use for another request", i)
		if p.fresh {
			add(d, true, "").wrong = notLocked
		}
		return
	}
	if p.undo && p.to == p.after {
		// It was so before: it stays.
		if rec.state != noRecord && rec.from != rec.to {
			m.end(&d, i)
			add(d, true, "process %d: the undo contradicts the record", i)
			return
		}
		d.record[p.key] = modelRecord{}
		d.core[p.key] = modelCore{facts: noValue}
		m.end(&d, i)
		add(d, false, "process %d: it was so before, skipped", i)
		return
	}
	d.proc[i].pc = pcRead
	add(d, false, "process %d has the lock", i)
}

// plan decides what comes after a reading.
func (m *model) plan(s *modelState, p *modelProcess, v uint8) {
	rec := s.record[p.key]
	if p.pc == pcReadAgain && v != p.first {
		p.pc = pcRead // the readings differ: from the beginning
		return
	}
	neither := !p.undo && rec.state != noRecord && v != p.to && v != rec.from ||
		p.undo && v != p.to && v != p.after
	again := v == p.to && !m.rules.soOnOneReading || neither && !m.rules.neitherOnOneReading
	if p.pc == pcRead && again {
		p.pc, p.first = pcReadAgain, v
		return
	}
	p.first, p.so, p.from = v, v == p.to, v
	if !p.undo && rec.state != noRecord && rec.to == p.to &&
		(p.so && !m.rules.lastPriorWins || m.rules.neverAfresh) {
		p.from = rec.from
	}
	p.pc = pcPut
	if m.rules.recordAfterChange {
		p.pc = pcSend
		if p.so {
			p.pc = pcPutDone
		}
	}
	if p.undo {
		p.pc = pcSend
		if p.so {
			p.pc = pcPutDone
		}
	}
}

// settled adds the state after a reading, where an undo may have found that it must not go on.
func (m *model) settled(d modelState, i int, stale bool, read uint8, add adder) {
	p := d.proc[i]
	if !p.undo || p.pc == pcRead || p.pc == pcReadAgain {
		add(d, stale, "process %d reads %c", i, read)
		return
	}
	rec := d.record[p.key]
	held := false
	for k, r := range d.record {
		held = held || uint8(k) != p.key && r.state != noRecord &&
			(r.state != recordReleased || m.rules.heldForever) &&
			r.to == p.first && p.first != p.to
	}
	switch {
	case rec.state != noRecord && rec.from != p.to:
		m.end(&d, i)
		add(d, true, "process %d reads %c: the undo contradicts the record", i, read)
	case p.first != p.to && p.first != p.after:
		m.end(&d, i)
		add(d, stale, "process %d reads %c: drift", i, read)
	case held && !m.rules.noHolders:
		if rec.state != noRecord {
			d.record[p.key].state = recordReleased
		}
		m.end(&d, i)
		add(d, stale, "process %d reads %c: held, skipped", i, read)
	default:
		add(d, stale, "process %d reads %c", i, read)
	}
}

func (m *model) put(s *modelState, p *modelProcess, state recordState) {
	s.record[p.key] = modelRecord{state, p.from, p.to}
}

// forget ends a finished undo.
func (m *model) forget(s *modelState, p *modelProcess) {
	if !m.rules.digestAfterUndo {
		s.record[p.key] = modelRecord{}
	}
}

// send lists what may become of a change.
func (m *model) send(s modelState, i int, add adder) {
	p := s.proc[i]
	f := modelFlight{on: true, key: p.key, undo: p.undo, value: p.to, tainted: p.tainted}
	verify := func(made bool, needed uint8) modelState {
		d := s
		if made {
			m.land(&d, f)
		}
		q := &d.proc[i]
		q.pc, q.needed, q.inARow, q.read = pcVerify, needed, 0, false
		if (m.rules.doneOnAnswer || m.rules.undoDoneOnAnswer && p.undo) && needed == 1 {
			q.pc = pcPutDone
		}
		return d
	}
	lost := uint8(2)
	if m.rules.lostOnOneReading {
		lost = 1
	}
	made := add(verify(true, 1), false, "process %d: the change is made", i)
	for k, r := range s.record {
		if p.undo && uint8(k) != p.key && s.core[k].phase == coreDoing && r.state == recordInForce &&
			r.to == s.world && p.to != s.world {
			made.wrong = takesNone
		}
	}
	ignored := verify(false, 1)
	if !m.rules.ignoredAndStale {
		ignored.stale = 0
	}
	add(ignored, true, "process %d: the change is answered and not made", i)
	add(verify(true, lost), true, "process %d: the change is made, its answer lost", i)
	add(verify(false, lost), true, "process %d: the change is not made, and no answer comes", i)
	if !s.flight.on {
		d := verify(false, lost)
		d.flight = f
		add(d, true, "process %d: the change is on its way", i)
	}
	d := s
	q := &d.proc[i]
	q.pc, q.failed, q.certain = pcAnswer, true, true
	if !p.undo && (!p.existed || m.rules.freeThoughExisted) {
		q.pc = pcForget
	}
	add(d, true, "process %d: the change is refused", i)
}

// verify reads back, or gives up.
func (m *model) verify(s modelState, i int, add adder) {
	p := s.proc[i]
	for _, r := range m.readings(s, p) {
		d := s
		if r.stale {
			d.stale--
		}
		q := &d.proc[i]
		q.read, q.wasStale = true, r.stale
		if r.value == p.to {
			q.inARow++
		} else {
			q.inARow, q.needed = 0, 2
		}
		if q.inARow >= q.needed {
			q.pc = pcPutDone
		}
		add(d, r.stale || r.value != p.to, "process %d reads back %c", i, 'A'+r.value)
	}
	if p.read {
		// Out of time: ambiguous or unverified, with the prior facts.
		d := s
		d.proc[i].failed = true
		d.proc[i].pc = pcAnswer
		if m.rules.freeOnUnknown && !p.undo {
			d.proc[i].pc = pcForget
		}
		d.core[p.key].unknown = true
		add(d, true, "process %d gives up finding out", i)
	}
}

// answer tells the core.
func (m *model) answer(s modelState, i int, rec modelRecord, add adder) {
	p := s.proc[i]
	d := s
	c := &d.core[p.key]
	wrong := ""
	switch {
	case p.misuse:
		wrong = notTaken
	case p.undo && !p.failed:
		if !p.shown {
			wrong = trueAnswer
		}
		if !s.disturbed && s.own[p.key] != noValue {
			wrong = putsBack
		}
		*c = modelCore{facts: noValue}
	case p.undo:
	case p.failed && p.certain:
		m.end(&d, i)
		m.nothing(&d, p.key)
	default:
		if !p.failed && !p.shown {
			wrong = trueAnswer
		}
		c.facts = p.from
	}
	m.end(&d, i)
	e := add(d, p.failed, "process %d answers (failed %t, prior %d)", i, p.failed, p.from)
	e.wrong = wrong
	if m.rules.recordAfterChange && !p.undo && !p.failed {
		e.to.record[p.key] = modelRecord{recordInForce, p.from, p.to}
	}
}

// nothing tells the core that an attempt changed nothing, for certain.
func (m *model) nothing(s *modelState, key uint8) {
	c := &s.core[key]
	others := slices.ContainsFunc(s.proc[:], func(p modelProcess) bool {
		return p.pc != pcNone && p.key == key
	})
	if c.phase == coreDoing && !c.unknown && c.facts == noValue && !others {
		*c = modelCore{facts: noValue}
	}
}

// invariant holds a state against what must be so in every state.
func (m *model) invariant(s modelState) string {
	for k := range m.cfg.variants {
		if s.own[k] != noValue && (s.record[k].state == noRecord || s.record[k].from != s.own[k]) {
			return firstPrior
		}
	}
	if !s.quiescent() || s.disturbed {
		return ""
	}
	for k := range m.cfg.variants {
		if s.core[k].phase != coreIdle {
			return ""
		}
	}
	if s.world != valueA {
		return asItWas
	}
	return ""
}

// quiescent reports whether nobody is at work, and nothing on its way.
func (s modelState) quiescent() bool {
	return !s.flight.on && !slices.ContainsFunc(s.proc[:], func(p modelProcess) bool {
		return p.pc != pcNone
	})
}

// good runs the process that a start gives to its end, all going well.
func (m *model) good(s modelState, start func(modelState) (modelState, bool)) (modelState, bool) {
	s, ok := start(s)
	for ok && !s.quiescent() {
		var well []step
		for _, e := range m.advanceAll(s) {
			if !e.fault {
				well = append(well, e)
			}
		}
		if len(well) == 0 {
			// A refusal is an end, too.
			for _, e := range m.advanceAll(s) {
				if e.to.quiescent() {
					well = append(well, e)
				}
			}
		}
		if len(well) == 0 {
			return s, false
		}
		s = well[0].to
	}
	return s, ok
}

func (m *model) advanceAll(s modelState) []step {
	var all []step
	add := func(to modelState, fault bool, format string, args ...any) *step {
		all = append(all, step{to: to, fault: fault, label: format})
		return &all[len(all)-1]
	}
	for i := range s.proc[:m.cfg.procs] {
		if s.proc[i].pc != pcNone {
			m.advance(s, i, add)
		}
	}
	return all
}

// undoable holds a quiescent state against the promise that a core that asks again, and again for
// what was put off, gets everything undone, in any order of the keys.
func (m *model) undoable(s modelState) string {
	if !s.quiescent() {
		return ""
	}
	start := func(k int, undo bool) func(modelState) (modelState, bool) {
		return func(s modelState) (modelState, bool) {
			p := modelProcess{pc: pcWait, key: uint8(k), to: s.core[k].to, shown: s.world == s.core[k].to}
			if undo {
				p.undo, p.to, p.after, p.shown = true, s.core[k].facts, s.core[k].to, s.world == s.core[k].facts
				s.core[k].phase = coreUndoing
			}
			s.proc[0] = p
			return s, true
		}
	}
	for _, order := range [][]int{{1, 0}, {0, 1}} {
		if order[0] == 0 && m.cfg.values > 2 && len(m.cfg.variants) > 1 {
			continue // the one that was begun last is undone first
		}
		d := s
		for range 4 {
			for _, k := range order {
				if k >= len(m.cfg.variants) || d.core[k].phase == coreIdle {
					continue
				}
				var ok bool
				if d.core[k].facts == noValue || d.record[k].state != noRecord &&
					d.record[k].from != d.core[k].facts {
					if d, ok = m.good(d, start(k, false)); !ok {
						return canBeUndone
					}
				}
				if d.core[k].facts == noValue {
					continue
				}
				if d, ok = m.good(d, start(k, true)); !ok {
					return canBeUndone
				}
			}
		}
		for k := range m.cfg.variants {
			if d.core[k].phase != coreIdle && !d.disturbed {
				return canBeUndone
			}
		}
		if !d.disturbed && d.world != valueA {
			return asItWas
		}
	}
	return ""
}

// found is what an exploration comes to.
type found struct {
	states, steps, quiescent int
	wrong                    string
	trace                    []string
}

// explore visits every state that can be reached, and stops at the first that violates an
// invariant.
func (m *model) explore() found {
	first := m.start()
	states, seen, parents := []modelState{first}, map[modelState]bool{first: true}, []int{-1}
	var f found
	for at := 0; at < len(states); at++ {
		s := states[at]
		f.states++
		if s.quiescent() {
			f.quiescent++
		}
		wrong := m.invariant(s)
		if wrong == "" {
			wrong = m.undoable(s)
		}
		all := m.next(s)
		last := -1
		for i, e := range all {
			f.steps++
			if wrong == "" && e.wrong != "" {
				wrong, last = e.wrong, i
			}
			if !seen[e.to] {
				seen[e.to] = true
				states, parents = append(states, e.to), append(parents, at)
			}
		}
		if wrong != "" {
			f.wrong, f.trace = wrong, m.trace(states, parents, at, last)
			return f
		}
	}
	return f
}

// trace tells the steps to a state, and the one that follows when there is one.
func (m *model) trace(states []modelState, parents []int, at, last int) []string {
	m.labels = true
	defer func() { m.labels = false }()
	var told []string
	if last >= 0 {
		told = append(told, m.next(states[at])[last].label)
	}
	for ; parents[at] >= 0; at = parents[at] {
		for _, e := range m.next(states[parents[at]]) {
			if e.to == states[at] {
				told = append(told, e.label)
				break
			}
		}
	}
	slices.Reverse(told)
	return told
}

var modelConfigs = []modelConfig{
	{name: "one key, three values, two processes, somebody else", values: 3,
		variants: [][]uint8{{valueB, valueC}}, foreign: 1, procs: 2},
	{name: "two keys that need the same, two processes", values: 2,
		variants: [][]uint8{{valueB}, {valueB}}, procs: 2},
	{name: "two keys that need the same, somebody else", values: 2,
		variants: [][]uint8{{valueB}, {valueB}}, foreign: 1, procs: 1},
	{name: "two keys that take it from each other", values: 3,
		variants: [][]uint8{{valueB}, {valueC}}, procs: 1},
}

// TestModel shows the rules sound: in no state that can be reached is an invariant violated.
func TestModel(t *testing.T) {
	t.Parallel()
	total := 0
	for _, cfg := range modelConfigs {
		t.Run(cfg.name, func(t *testing.T) {
			begin := time.Now()
			f := (&model{cfg: cfg}).explore()
			if f.wrong != "" {
				t.Fatalf("violated: %s\n%s", f.wrong, strings.Join(f.trace, "\n"))
			}
			total += f.states
			t.Logf("%d states, %d of them quiescent, %d steps, no invariant violated (%v)", f.states,
				f.quiescent, f.steps, time.Since(begin).Round(time.Millisecond))
		})
	}
	t.Logf("%d states in all", total)
}

// The invariants.
const (
	firstPrior  = "the first prior is kept while the change may be in force"
	trueAnswer  = "succeeded is only answered of what was so"
	putsBack    = "an undo puts back what was before"
	asItWas     = "when all is undone the world is as it was"
	canBeUndone = "every quiescent state can still be undone"
	takesNone   = "an undo takes nothing away that another key needs"
	notLocked   = "a free key is not locked out"
	notTaken    = "a key in use is not taken by another request"
)

// TestModelCanFail breaks each rule, and each assumption, and has the checker find what that
// violates.
func TestModelCanFail(t *testing.T) {
	t.Parallel()
	broken := []modelRules{
		{name: "the record is written after the change", recordAfterChange: true, violates: firstPrior},
		{name: "the last prior wins", lastPriorWins: true, violates: asItWas},
		{name: "the first prior wins even over somebody else's value", neverAfresh: true,
			violates: firstPrior},
		{name: "a finished undo keeps the record", digestAfterUndo: true, violates: notLocked},
		{name: "a key may be used for another request while it is in force", noDigest: true,
			violates: notTaken},
		{name: "already so is believed on one reading", soOnOneReading: true, violates: firstPrior},
		{name: "a third value is believed on one reading", neitherOnOneReading: true,
			violates: firstPrior},
		{name: "a lost answer is believed on one reading", lostOnOneReading: true, violates: firstPrior},
		{name: "what EC2 answered is not read back", doneOnAnswer: true, violates: trueAnswer},
		{name: "an undo does not look who needs it", noHolders: true, violates: takesNone, in: 1},
		{name: "a put-off undo goes on holding", heldForever: true, violates: canBeUndone, in: 1},
		{name: "an unknown outcome frees the key", freeOnUnknown: true, violates: firstPrior},
		{name: "a refusal frees the key though an earlier attempt is unknown", freeThoughExisted: true,
			violates: firstPrior},
		{name: "nobody waits for anybody", noLock: true, violates: firstPrior},
		{name: "an undo is not read back, and keeps its record", undoDoneOnAnswer: true,
			digestAfterUndo: true, violates: putsBack},
		{name: "a lock outlives its process", lockOutlives: true, violates: canBeUndone},
		{name: "a refusal does not free the key", keepFail: true, violates: notLocked},

		{name: "assumption: a change comes through ever so late", landsLate: true, violates: firstPrior},
		{name: "assumption: two stale readings in a row", staleTwice: true, violates: firstPrior},
		{name: "assumption: a fresh key reads a stale third value", staleFirst: true,
			violates: firstPrior},
		{name: "assumption: a change is answered, not made, and hidden by a stale reading",
			ignoredAndStale: true, violates: firstPrior},
		{name: "assumption: somebody else's change is hidden by a stale reading", foreignHidden: true,
			violates: firstPrior},
		{name: "assumption: a record can't be removed", recordStays: true, violates: notLocked},
		{name: "assumption: two keys fight for the value", fights: true, violates: asItWas, in: 3},
	}
	for _, rules := range broken {
		t.Run(rules.name, func(t *testing.T) {
			cfg := modelConfigs[rules.in]
			f := (&model{rules: rules, cfg: cfg}).explore()
			t.Logf("%s: %q, found after %d states, in %d steps:\n%s", cfg.name, f.wrong, f.states,
				len(f.trace), strings.Join(f.trace, "\n"))
			if f.wrong != rules.violates {
				t.Errorf("violates %q, want %q", f.wrong, rules.violates)
			}
		})
	}
}
