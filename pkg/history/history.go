// Package history derives, from the order in which one attribute of one resource was
// changed, what a caller may say and do about it. The attribute may be the source/dest
// check of an interface, the holder of an address, or a list of groups.
//
// A history is a list of entries. An action records one each time that it wants a value
// of the attribute. Everything else follows from that list and the present value: whether
// the present value is ours, what was there before, who still wants it, and where an undo
// leads. The functions are pure. They read no clock, no disk and no cloud.
//
// # Undo
//
// An undo means "as if the action had never been". So undos commute: in whatever order all
// actions are undone, the attribute ends as it was before the first of them. If a stranger
// changed it, it ends as the last stranger left it.
//
// # Events and explained values
//
// An event is a change or an undo. A finished event left one value. An unfinished one, cut
// short by a crash, may have left any value on its way. The present value is explained if
// the latest entry that counts wants it, or if the last events may have left it. An
// explained value is ours to change. Any other value is a stranger's: somebody changed the
// attribute by hand, or by a program that records nothing here.
//
// # Runs
//
// A run is a series of entries, each begun where the one before it left off. An entry that
// finds a stranger's value begins a new run. The base of a run is the value from before its
// first entry. A run lasts as long as one of its actions is not undone: see [Needed].
//
// # Stale readings
//
// A reading may show the time before a recent change. The package assumes of its caller:
//
//   - Requests on one attribute take turns.
//   - Entries of a record that was written within the last minute are marked [Entry.Fresh].
//   - A reading is confirmed, by another one that shows the same, before an undo goes on
//     that has [Undo.Confirm], and before a release or an end that is [View.Doubtful]. It is
//     confirmed, too, before an action, a release or an end goes on that changes nothing, and
//     before an action that does not expect the value: see [View.Expects].
//   - No stale reading reaches back to before the end of a run, or to a change that was
//     refused in part and put back. What is so then is read before it is answered.
//
// For everything else a stale reading is harmless. A recent entry holds what it may have led
// to.
package history

import (
	"cmp"
	"slices"
)

// State says how far an entry has come.
type State string

const (
	// Pending is written before the first changing call. The change may or may not have
	// been made. Later readings tell.
	Pending State = "pending"
	// Live is written once To was read to be so, or was found so and is counted on.
	Live State = "live"
	// Undoing is written before the first changing call of an undo. Such an entry holds
	// nothing any more.
	Undoing State = "undoing"
	// Withdrawn is written when the undo was answered.
	Withdrawn State = "withdrawn"
)

// Entry is one action's part in the history of an attribute. Values are canonical text,
// and never empty where they are known.
type Entry struct {
	// Seq is the entry's place in the order of events. It is given under the lock of the
	// resource, never by a clock. Again and Undone are places in the same order.
	Seq int64 `json:"seq"`
	// Key is the idempotency key of the action.
	Key string `json:"-"`
	// From is the value that was found, To the value that is wanted. They are equal where
	// the action found what it wants.
	From string `json:"from"`
	To   string `json:"to"`
	// Again is the place of the latest attempt under the key, if it was not the first.
	Again int64 `json:"again,omitempty"`
	// Via is a value on the way from From to To. It is empty if there is none.
	Via   string `json:"via,omitempty"`
	State State  `json:"state"`
	// Begins reports whether the entry found a stranger's value, and so begins a run.
	Begins bool `json:"begins,omitempty"`
	// On, if not 0, is the Seq of the entry that the attribute led to when this one was made, in
	// the same run. That entry stays as long as the run is needed: see [Whole].
	On int64 `json:"on,omitempty"`
	// Under, if not 0, says that the entry was made after the fact. It lies directly
	// below the entry with this Seq.
	Under int64 `json:"under,omitempty"`
	// Ends, if not 0, makes the entry a release. It ends the entries up to this Seq, and
	// leaves To in their place.
	Ends int64 `json:"ends,omitempty"`
	// Undone is the place of the undo, for Undoing and Withdrawn.
	Undone int64 `json:"undone,omitempty"`
	// Aim is the value that the undo leads to or, for Withdrawn, that it left. It is empty
	// for Withdrawn if a later run lay above: what that undo left is no part of this run.
	Aim string `json:"aim,omitempty"`
	// Fresh reports whether a reading may still show the time before the entry's record was
	// last written. The caller sets it, whatever the State.
	Fresh bool `json:"-"`
}

// found reports whether From is what the entry found when it was made. An entry that was
// put in a place of the past found nothing.
func (e Entry) found() bool { return e.Under == 0 && (e.Ends == 0 || e.Ends == e.Seq) }

// leads reports whether the entry's change leads to value or by way of it.
func (e Entry) leads(value string) bool { return value == e.To || e.Via != "" && value == e.Via }

// root is the Seq of the entry that an entry's place hangs on: its own, or that of the one
// that it was put below.
func (e Entry) root() int64 { return cmp.Or(e.Under, e.Seq) }

// compare orders entries, the lowest first. An entry made after the fact lies directly below
// the one that it names, and below all that were put there before it. A release of what is
// not uppermost lies directly above the last entry that it ends.
func compare(a, b *Entry) int {
	place := func(e *Entry) int64 {
		switch {
		case e.Under != 0:
			return 4*e.Under - 1
		case e.Ends != 0 && e.Ends < e.Seq:
			return 4*e.Ends + 1
		}
		return 4 * e.Seq
	}
	return cmp.Or(cmp.Compare(place(a), place(b)), cmp.Compare(b.Seq, a.Seq))
}

// View is a history beside the present value of its attribute.
type View struct {
	now string
	// entries are in order, the lowest first, without those that a release ended.
	entries []Entry
	// counts tells which entries want their To to be so.
	counts []bool
	// ended are the entries that the latest release ended. The release is not recorded if
	// its Ends is 0.
	ended   []Entry
	release Entry
}

// At returns the view of a history where now is the present value. The entries may come in
// any order, and are not changed.
func At(entries []Entry, now string) View {
	v := View{now: now, entries: inOrder(entries)}
	v.settle()
	v.end()
	return v.counted()
}

// inOrder returns the entries, the lowest first. Pointers are sorted, so that each is moved once.
func inOrder(entries []Entry) []Entry {
	places := make([]*Entry, len(entries))
	for i := range entries {
		places[i] = &entries[i]
	}
	slices.SortFunc(places, compare)
	sorted := make([]Entry, len(entries))
	for i, p := range places {
		sorted[i] = *p
	}
	return sorted
}

// settle makes the pending entries live that the next one above found made. So an entry whose
// outcome was not written, or was lost, counts as it did before from the next entry on.
func (v *View) settle() {
	for i := range v.entries {
		e := &v.entries[i]
		if e.State != Pending || e.Ends != 0 {
			continue
		}
		above := slices.IndexFunc(v.entries[i+1:], Entry.found)
		if above >= 0 && v.entries[i+1+above].From == e.To {
			e.State = Live
		}
	}
}

// end takes out the entries that the latest release ended, and the release where it is
// uppermost. Only an answered release counts: an unfinished one may have changed nothing.
func (v *View) end() {
	for i := len(v.entries) - 1; i >= 0; i-- {
		if e := v.entries[i]; e.Ends != 0 && e.State == Live {
			v.ended, v.release = v.entries[:i], e
			v.entries = slices.Clone(v.entries[i:])
			// What it left is the base of what came after.
			v.entries[0].From = e.To
			// Earlier attempts under its key are of no interest any more.
			v.entries = slices.DeleteFunc(v.entries, func(o Entry) bool {
				return o.Key == e.Key && o.State == Pending
			})
			if len(v.entries) == 1 {
				v.entries = nil
			}
			return
		}
	}
}

// counted returns the view with counts as its entries say.
func (v View) counted() View {
	v.counts = make([]bool, len(v.entries))
	for i, e := range v.entries {
		v.counts[i] = e.Ends == 0 && v.made(i)
	}
	return v
}

// made reports whether the entry's change was made and not undone. For a pending entry the
// next one above tells by what it found, or else the present value does.
func (v View) made(i int) bool {
	e := v.entries[i]
	if e.State != Pending {
		return e.State == Live
	}
	for _, above := range v.entries[i+1:] {
		if above.found() {
			return e.leads(above.From)
		}
	}
	return e.leads(v.now)
}

// Changed reports whether a key's action that is not undone led the attribute to its present value.
func (v View) Changed(key string) bool {
	for i, e := range v.entries {
		if e.Key == key && e.From != e.To && e.To == v.now && v.counts[i] {
			return true
		}
	}
	return false
}

// Empty reports whether nothing is recorded, or nothing that was not ended.
func (v View) Empty() bool { return len(v.entries) == 0 }

// run returns the index of the first entry of the uppermost run.
func (v View) run() int { return v.runBelow(len(v.entries)) }

// runBelow returns the index of the first entry of the run that ends before an index.
func (v View) runBelow(end int) int {
	i := max(end-1, 0)
	for i > 0 && !v.begins(i) {
		i--
	}
	return i
}

// begins reports whether a run begins with an entry. It does not if an entry made after the
// fact lies below: that one tells whose value was found.
func (v View) begins(i int) bool {
	return v.entries[i].Begins && v.entries[i-1].Under != v.entries[i].root()
}

// Base returns the value from before the uppermost run. It is the present value if nothing
// is recorded.
func (v View) Base() string {
	if v.Empty() {
		return v.now
	}
	return v.entries[v.run()].From
}

// Explained reports whether the present value is one that recorded actions or undos of the
// uppermost run may have left. It is false if nothing is recorded.
func (v View) Explained() bool {
	if i := v.latest(""); i >= 0 && v.entries[i].To == v.now {
		return true
	}
	for _, e := range v.events() {
		if slices.Contains(e.values, v.now) {
			return true
		}
		if e.last {
			return false
		}
	}
	return false
}

// latest returns the index of the latest entry of the uppermost run that counts, leaving
// out those of one key. It returns -1 if there is none.
func (v View) latest(except string) int {
	for i := len(v.entries) - 1; i >= v.run(); i-- {
		if v.counts[i] && v.entries[i].Key != except {
			return i
		}
	}
	return -1
}

// event is a change or an undo, with the values that it may have left.
type event struct {
	at     int64
	values []string
	// last reports whether nothing before it can have left the present value.
	last bool
}

// events returns the events in the history, the last one first. An undo that may have changed
// nothing of the present value is none.
func (v View) events() []event {
	var all []event
	for _, e := range v.entries {
		switch {
		case e.State == Undoing:
			values := []string{e.Via}
			if v.knows(e.Aim) {
				values = append(values, e.Aim)
			}
			all = append(all, event{e.Undone, values, false})
		case e.State == Withdrawn && e.Aim != "":
			all = append(all, event{e.Undone, []string{e.Aim}, true})
		}
		if e.found() {
			all = append(all, e.change())
		}
	}
	slices.SortStableFunc(all, func(a, b event) int { return cmp.Compare(b.at, a.at) })
	return all
}

// knows reports whether a value is the base of the uppermost run, or one that an action of it
// led to. An undo may have led to the base of a run which is over and forgotten: then the
// value is a stranger's.
func (v View) knows(value string) bool {
	return value == v.Base() || slices.ContainsFunc(v.entries[v.run():], func(e Entry) bool {
		return e.To == value
	})
}

// change returns the event of the entry's own change. It is unfinished for an entry that is
// being undone, too: an undo of a pending entry does not tell whether it was made.
func (e Entry) change() event {
	at := max(e.Seq, e.Again)
	if e.State == Pending || e.State == Undoing {
		return event{at, []string{e.From, e.Via, e.To}, e.Begins}
	}
	return event{at, []string{e.To}, true}
}
