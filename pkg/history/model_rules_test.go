package history

import "slices"

// rule is a rule of the package, or a duty of its caller, that is broken on purpose. Each
// function that is set changes what the model reads, decides or writes.
type rule struct {
	name string

	// loads changes the entries that are read, views what they are taken for.
	loads func([]Entry) []Entry
	views func(View) View
	// places gives a new entry its place in the order.
	places func([]Entry) int64
	// begins changes the entry of an action, undoings and withdraws those of an undo.
	begins              func(v View, e Entry) Entry
	undoings, withdraws func(Entry) Entry
	// undoes changes what an undo comes to.
	undoes func(v View, key string, u Undo) Undo
	// needs says what is kept.
	needs func([]Entry) []Entry
	// notEntered leaves an action that is not recorded to its facts.
	notEntered bool
	// believesAll believes every decision of a stale reading. staleEnds lets a stale reading
	// reach back to before the end of a run.
	believesAll, staleEnds bool
}

func (r rule) load(entries []Entry) []Entry {
	if r.loads == nil {
		return entries
	}
	return r.loads(entries)
}

func (r rule) view(v View) View {
	if r.views == nil {
		return v
	}
	return r.views(v)
}

func (r rule) begin(v View, e Entry) Entry {
	if r.begins == nil {
		return e
	}
	return r.begins(v, e)
}

func (r rule) undo(v View, key string, u Undo) Undo {
	if r.undoes == nil {
		return u
	}
	return r.undoes(v, key, u)
}

func (r rule) undoing(e Entry) Entry {
	if r.undoings == nil {
		return e
	}
	return r.undoings(e)
}

func (r rule) withdrawn(e Entry) Entry {
	if r.withdraws == nil {
		return e
	}
	return r.withdraws(e)
}

func (r rule) needed(entries []Entry) []Entry {
	if r.needs == nil {
		return Needed(entries)
	}
	return r.needs(entries)
}

// eachEntry changes every entry.
func eachEntry(change func(*Entry)) func([]Entry) []Entry {
	return func(entries []Entry) []Entry {
		for i := range entries {
			change(&entries[i])
		}
		return entries
	}
}

// counting sets which entries count.
func counting(state State, counts bool) func(View) View {
	return func(v View) View {
		for i, e := range v.entries {
			if e.State == state && e.Ends == 0 {
				v.counts[i] = counts
			}
		}
		return v
	}
}

// first puts a new entry below all others.
func first(entries []Entry) int64 {
	for i := range entries {
		e := &entries[i]
		for _, n := range []*int64{&e.Seq, &e.Again, &e.Undone, &e.Under, &e.Ends} {
			if *n != 0 {
				*n++
			}
		}
	}
	return 1
}

// afresh makes a new entry each time.
func afresh(v View, e Entry) Entry {
	if e.Again != 0 {
		e.Seq, e.Again, e.From, e.Begins = e.Again, 0, v.now, !v.Explained()
	}
	return e
}

// aim replaces where an undo leads that changes something.
func aim(to func(v View, key string, u Undo) string) func(View, string, Undo) Undo {
	return func(v View, key string, u Undo) Undo {
		if u.Known && !u.Again && len(u.HeldBy) == 0 {
			u.Aim = to(v, key, u)
			u.Drift = v.now != u.Aim && !v.Explained()
		}
		return u
	}
}

func ownFrom(v View, key string, u Undo) string {
	for _, e := range v.entries {
		if e.Key == key {
			return e.From
		}
	}
	return u.Aim
}

// keepOpen keeps the entries that are not withdrawn.
func keepOpen(entries []Entry) []Entry {
	return slices.DeleteFunc(entries, func(e Entry) bool { return e.State == Withdrawn })
}

// brokenRules are the rules that TestBrokenRules breaks.
func brokenRules() []rule {
	return []rule{
		{name: "order by a clock that went back", places: first},
		{name: "the last prior wins", begins: func(v View, e Entry) Entry {
			e.From = v.now
			return e
		}},
		{name: "a further entry each time", begins: afresh},
		{name: "no entry is taken up again but untouched ones", begins: func(v View, e Entry) Entry {
			if e.Again != 0 && v.now != e.From {
				return afresh(v, e)
			}
			return e
		}},
		{name: "no run begins", begins: func(_ View, e Entry) Entry { e.Begins = false; return e }},
		{name: "each entry begins a run", begins: func(_ View, e Entry) Entry { e.Begins = true; return e }},
		{name: "the way is not recorded", begins: func(_ View, e Entry) Entry { e.Via = ""; return e }},
		{name: "holders are ignored", undoes: func(v View, key string, u Undo) Undo {
			if len(u.HeldBy) > 0 && u.Known && !u.Again {
				u.HeldBy, u.Aim = nil, v.Base()
				if i := v.latest(key); i >= 0 {
					u.Aim = v.entries[i].To
				}
			}
			return u
		}},
		{name: "only holders of the uppermost run hold", undoes: func(v View, key string, u Undo) Undo {
			if len(u.HeldBy) > 0 && u.Known && !u.Again {
				top := v
				top.entries = v.entries[v.run():]
				top.counts = v.counts[v.run():]
				if u.HeldBy = top.holders(key); len(u.HeldBy) == 0 {
					u.Aim = v.Base()
					if i := v.latest(key); i >= 0 {
						u.Aim = v.entries[i].To
					}
					u.Drift = v.now != u.Aim && !v.Explained()
				}
			}
			return u
		}},
		{name: "recent entries hold nothing more", loads: eachEntry(func(e *Entry) { e.Fresh = false })},
		{name: "pending entries never count", views: counting(Pending, false)},
		{name: "pending entries always count", views: counting(Pending, true)},
		{name: "entries that are being undone count", views: counting(Undoing, true)},
		{name: "withdrawn entries count", views: counting(Withdrawn, true)},
		{name: "an undo leads to its own prior value", undoes: aim(ownFrom)},
		{name: "an undo leads to the base at once", undoes: aim(func(v View, _ string, _ Undo) string { return v.Base() })},
		{name: "the base is the lowest value of all", undoes: aim(func(v View, key string, u Undo) string {
			if i := v.latest(key); i < 0 {
				return v.entries[0].From
			}
			return u.Aim
		})},
		{name: "the base is the lowest that is not withdrawn", undoes: aim(func(v View, key string, u Undo) string {
			if v.latest(key) < 0 {
				for _, e := range v.entries[v.run():] {
					if e.State != Withdrawn {
						return e.From
					}
				}
			}
			return u.Aim
		})},
		{name: "a latest entry of any run is led to", undoes: aim(func(v View, key string, u Undo) string {
			for i, e := range slices.Backward(v.entries) {
				if v.counts[i] && e.Key != key {
					return e.To
				}
			}
			return u.Aim
		})},
		{name: "everything is explained", begins: func(_ View, e Entry) Entry { e.Begins = false; return e }, undoes: func(v View, key string, u Undo) Undo {
			u.Drift = false
			return u
		}},
		{name: "no drift", undoes: func(v View, key string, u Undo) Undo {
			u.Drift = false
			return u
		}},
		{name: "nothing is explained but what the latest wants", undoes: func(v View, key string, u Undo) Undo {
			i := v.latest("")
			u.Drift = u.Known && !u.Again && len(u.HeldBy) == 0 && v.now != u.Aim && (i < 0 || v.entries[i].To != v.now)
			return u
		}},
		{name: "what an undo left is not recorded", withdraws: func(e Entry) Entry { e.Aim = ""; return e }},
		{name: "the place of an undo is not recorded", undoings: func(e Entry) Entry { e.Undone = e.Seq; return e }, withdraws: func(e Entry) Entry { e.Undone = e.Seq; return e }},
		{name: "the intent of an undo is not recorded", undoings: func(e Entry) Entry { e.State = Live; e.Undone, e.Was, e.Aim = 0, "", ""; return e }},
		{name: "an undo withdraws before it changes", undoings: func(e Entry) Entry { e.State = Withdrawn; return e }},
		{name: "entries made after the fact are ignored", loads: func(es []Entry) []Entry { return slices.DeleteFunc(es, func(e Entry) bool { return e.Under != 0 }) }},
		{name: "entries made after the fact lie on top", loads: eachEntry(func(e *Entry) { e.Under = 0 })},
		{name: "an unknown action is not entered", notEntered: true},
		{name: "a release is ignored", loads: func(es []Entry) []Entry { return slices.DeleteFunc(es, func(e Entry) bool { return e.Ends != 0 }) }},
		{name: "a release is an action", loads: eachEntry(func(e *Entry) { e.Ends = 0 })},
		{name: "withdrawn entries are forgotten at once", needs: keepOpen},
		{name: "nothing is forgotten", needs: func(es []Entry) []Entry { return es }},
		{name: "every reading is believed", believesAll: true},
	}
}
