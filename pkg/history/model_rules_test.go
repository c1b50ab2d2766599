package history

import (
	"cmp"
	"slices"
)

// rule is a rule of the package, or a duty of its caller, that is broken on purpose. Each
// function that is set changes what the model reads, decides or writes.
type rule struct {
	name string
	// breaks is the invariant that must fail, in the world that is named.
	breaks, world string
	// budget replaces the quick one of that world.
	budget budget

	// loads changes the entries that are read, views what they are taken for.
	loads func([]Entry) []Entry
	views func(View) View
	// places gives a new entry its place in the order.
	places func([]Entry) int64
	// begins changes the entry of an action, undoings and withdraws those of an undo.
	begins              func(v View, e Entry) Entry
	undoings, withdraws func(Entry) Entry
	// undoes changes what an undo comes to, overs where it leads over the heads of holders.
	undoes func(v View, key string, u Undo) Undo
	overs  func(v View, key string) string
	// needs says what is kept.
	needs func([]Entry) []Entry
	// notEntered leaves an action that is not recorded to its facts.
	notEntered bool
	// believesAll believes every decision of a stale reading. staleEnds lets a stale reading
	// reach back to before the end of a run.
	believesAll, staleEnds bool
	// stalePutBack lets a stale reading show a change that was put back.
	stalePutBack bool
	// neverSynced leaves what others rest on to a loss of power.
	neverSynced bool
	// expectsAll believes a reading that a recent attempt of another key explains.
	expectsAll bool
}

func (r rule) expects(v View, key string) bool {
	return v.Expects(key) || r.expectsAll && v.Explained()
}

// unsynced are the outcomes that a loss of power may still take once a request has read a history.
func (r rule) unsynced(before byte, key byte) byte {
	if r.neverSynced {
		return before &^ (1 << key)
	}
	return 0
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

func (r rule) over(v View, key string) string {
	if r.overs == nil {
		return v.Over(key)
	}
	return r.overs(v, key)
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

// rests is Rests, but where the rule says what is kept.
func (r rule) rests(entries, needed []Entry, key string) bool {
	if r.needs == nil {
		return Rests(entries, needed, key)
	}
	return slices.ContainsFunc(needed, func(e Entry) bool { return e.Key == key })
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

// keepRuns keeps the runs that keep reports true for.
func keepRuns(keep func(v View, first, end int) bool) func([]Entry) []Entry {
	return func(entries []Entry) []Entry {
		v := At(entries, "")
		var kept []Entry
		for end := len(v.entries); end > 0; {
			first := v.runBelow(end)
			if keep(v, first, end) {
				kept = append(kept, v.entries[first:end]...)
			}
			end = first
		}
		if len(kept) == 0 {
			return Needed(entries)
		}
		return kept
	}
}

// led returns where an undo leads.
func (v View) led(key string) string {
	if i := v.latest(key); i >= 0 {
		return v.entries[i].To
	}
	return v.Base()
}

// brokenRules are the rules that TestBrokenRules breaks.
func brokenRules() []rule {
	return slices.Concat(brokenOrder(), brokenHolders(), brokenUndo(), brokenOver(),
		brokenExplained(), brokenWriting(), brokenFacts(), brokenReleases(), brokenNeeds(),
		brokenReadings())
}

func brokenOrder() []rule {
	again := func(change func(v View, e Entry) Entry) func(View, Entry) Entry {
		return func(v View, e Entry) Entry {
			if e.Again != 0 {
				return change(v, e)
			}
			return e
		}
	}
	return []rule{
		{
			name:  "order by a clock that went back",
			world: "to and fro", breaks: groundlessDrift,
			places: first,
		},
		{
			name:  "the last prior wins",
			world: "to and fro", breaks: ownPrior,
			begins: func(v View, e Entry) Entry {
				e.From = v.now
				return e
			},
		},
		{
			name:  "a further entry each time",
			world: "to and fro", breaks: ownPrior,
			begins: afresh,
		},
		{
			name:  "no entry is taken up again but untouched ones",
			world: "to and fro", breaks: ownPrior,
			begins: again(func(v View, e Entry) Entry {
				if v.now != e.From {
					return afresh(v, e)
				}
				return e
			}),
		},
		{
			name:  "the place of the latest attempt is not recorded",
			world: "by way of a value that another wants", breaks: groundlessDrift,
			begins: again(func(_ View, e Entry) Entry { e.Again = 0; return e }),
		},
		{
			name:  "no run begins",
			world: "two forwarders", breaks: overwritten,
			begins: func(_ View, e Entry) Entry { e.Begins = false; return e },
		},
		{
			name:  "each entry begins a run",
			world: "to and fro", breaks: unwanted,
			begins: func(_ View, e Entry) Entry { e.Begins = true; return e },
		},
		{
			name:  "the way is not recorded",
			world: "by way of another value", breaks: groundlessDrift,
			begins: func(_ View, e Entry) Entry { e.Via = ""; return e },
		},
		{
			name:  "pending entries never count",
			world: "to the base and back", breaks: takenAway,
			views: counting(Pending, false),
		},
		{
			name:  "pending entries always count",
			world: "two forwarders", breaks: overwritten,
			views: counting(Pending, true),
		},
		{
			name:  "entries that are being undone count",
			world: "another executor's", breaks: heldByUndoing,
			views: counting(Undoing, true),
		},
		{
			name:  "withdrawn entries count",
			world: "to and fro", breaks: heldByNone,
			views: counting(Withdrawn, true),
		},
		{
			name:  "recent entries hold nothing more",
			world: "to the base and back", breaks: takenAway,
			loads: eachEntry(func(e *Entry) { e.Fresh = e.Fresh && e.State != Pending }),
		},
		{
			name:  "recent entries hold for ever",
			world: "two forwarders", breaks: heldByIdle,
			loads: eachEntry(func(e *Entry) { e.Fresh = e.Fresh || e.State == Pending }),
		},
	}
}

func brokenHolders() []rule {
	return []rule{
		{
			name:  "holders are ignored",
			world: "a stranger among three, back and forth", breaks: takenAway,
			undoes: func(v View, key string, u Undo) Undo {
				if len(u.HeldBy) > 0 && u.Known && !u.Again {
					u.HeldBy, u.Aim = nil, v.led(key)
				}
				return u
			},
		},
		{
			name:  "only holders of the uppermost run hold",
			world: "a stranger among three, back and forth", breaks: takenAway,
			undoes: func(v View, key string, u Undo) Undo {
				if len(u.HeldBy) == 0 || !u.Known || u.Again {
					return u
				}
				top := v
				top.entries, top.counts = v.entries[v.run():], v.counts[v.run():]
				if u.HeldBy = top.holders(key); len(u.HeldBy) == 0 {
					u.Aim = v.led(key)
					u.Drift = v.now != u.Aim && !v.Explained()
				}
				return u
			},
		},
	}
}

func brokenUndo() []rule {
	return []rule{
		{
			name:  "an undo leads to its own prior value",
			world: "another executor's, and a release", breaks: notRestored,
			undoes: aim(ownFrom),
		},
		{
			name:  "an undo leads to the base at once",
			world: "to and fro", breaks: unwanted,
			undoes: aim(func(v View, _ string, _ Undo) string { return v.Base() }),
		},
		{
			name:  "the base is the lowest value of all",
			world: "two forwarders", breaks: overwritten,
			undoes: aim(func(v View, key string, u Undo) string {
				if i := v.latest(key); i < 0 {
					return v.entries[0].From
				}
				return u.Aim
			}),
		},
		{
			name:  "the base is the lowest that is not withdrawn",
			world: "to and fro", breaks: unwanted,
			undoes: aim(func(v View, key string, u Undo) string {
				if v.latest(key) < 0 {
					for _, e := range v.entries[v.run():] {
						if e.State != Withdrawn {
							return e.From
						}
					}
				}
				return u.Aim
			}),
		},
		{
			name:  "a latest entry of any run is led to",
			world: "two forwarders", breaks: overwritten,
			undoes: aim(func(v View, key string, u Undo) string {
				for i, e := range slices.Backward(v.entries) {
					if v.counts[i] && e.Key != key {
						return e.To
					}
				}
				return u.Aim
			}),
		},
	}
}

func brokenOver() []rule {
	return []rule{
		{
			name:  "over the heads of holders, an undo leads to the base at once",
			world: "over the heads of holders", breaks: unwanted,
			overs: func(v View, _ string) string { return v.Base() },
		},
		{
			name:  "over the heads of holders, an undo leads to what they want",
			world: "over the heads of holders", breaks: unwanted,
			overs: func(v View, key string) string { return v.led(key) },
		},
	}
}

func brokenExplained() []rule {
	return []rule{
		{
			name:  "everything is explained",
			world: "two attributes", breaks: overwritten,
			begins: func(_ View, e Entry) Entry { e.Begins = false; return e },
			undoes: func(v View, key string, u Undo) Undo { u.Drift = false; return u },
		},
		{
			name:  "no drift",
			world: "two attributes", breaks: overwritten,
			undoes: func(v View, key string, u Undo) Undo { u.Drift = false; return u },
		},
		{
			name:  "nothing is explained but what the latest wants",
			world: "by way of another value", breaks: groundlessDrift,
			undoes: func(v View, key string, u Undo) Undo {
				i := v.latest("")
				decides := u.Known && !u.Again && len(u.HeldBy) == 0 && v.now != u.Aim
				u.Drift = decides && (i < 0 || v.entries[i].To != v.now)
				return u
			},
		},
	}
}

func brokenWriting() []rule {
	return []rule{
		{
			name:  "what an undo left is not recorded",
			world: "by way of another value", breaks: groundlessDrift,
			withdraws: func(e Entry) Entry { e.Aim = ""; return e },
		},
		{
			name:  "the aim of an undo is not recorded",
			world: "over the heads of holders", breaks: groundlessDrift,
			undoings: func(e Entry) Entry { e.Aim = ""; return e },
		},
		{
			name:  "the place of an undo is not recorded",
			world: "by way of another value", breaks: groundlessDrift,
			undoings:  func(e Entry) Entry { e.Undone = e.Seq; return e },
			withdraws: func(e Entry) Entry { e.Undone = e.Seq; return e },
		},
		{
			name:  "the intent of an undo is not recorded",
			world: "to the base and back", breaks: groundlessDrift,
			undoings: func(e Entry) Entry {
				e.State, e.Undone, e.Aim = Live, 0, ""
				return e
			},
		},
		{
			name:  "an undo withdraws before it changes",
			world: "two forwarders", breaks: notRestored,
			undoings: func(e Entry) Entry { e.State = Withdrawn; return e },
		},
	}
}

func brokenFacts() []rule {
	return []rule{
		{
			name:  "entries made after the fact are ignored",
			world: "another executor's", breaks: groundlessDrift,
			loads: func(es []Entry) []Entry {
				return slices.DeleteFunc(es, func(e Entry) bool { return e.Under != 0 })
			},
		},
		{
			name:  "entries made after the fact lie on top",
			world: "another executor's", breaks: groundlessDrift,
			loads: eachEntry(func(e *Entry) { e.Under = 0 }),
		},
		{
			name:  "an entry made after the fact names another such",
			world: "two of another executor's", breaks: unwanted,
			loads: func(es []Entry) []Entry {
				last := int64(0)
				for i := range es {
					if e := &es[i]; e.Under != 0 {
						last, e.Under = e.Seq, cmp.Or(last, e.Under)
					}
				}
				return es
			},
		},
		{
			name:  "an unknown action is not entered",
			world: "another executor's", breaks: notRestored,
			notEntered: true,
		},
	}
}

func brokenReleases() []rule {
	return []rule{
		{
			name:  "a release is ignored",
			world: "another executor's, and a release", breaks: groundlessDrift,
			loads: func(es []Entry) []Entry {
				return slices.DeleteFunc(es, func(e Entry) bool { return e.Ends != 0 })
			},
		},
		{
			name:  "a release is an action",
			world: "a release", breaks: heldByNone,
			loads: eachEntry(func(e *Entry) { e.Ends = 0 }),
		},
		{
			name:  "an unfinished release counts",
			world: "a release", breaks: notReleased, budget: budget{deaths: 1},
			loads: eachEntry(func(e *Entry) {
				if e.Ends != 0 {
					e.State = Live
				}
			}),
		},
		{
			name:  "a release below lies on top",
			world: "a release", breaks: notRestored, budget: budget{again: 1},
			loads: eachEntry(func(e *Entry) {
				if e.Ends != 0 {
					e.Ends = e.Seq
				}
			}),
		},
	}
}

func brokenNeeds() []rule {
	open := func(v View, first, end int) bool { return anyOpen(v.entries[first:end]) }
	return []rule{
		{
			name:  "withdrawn entries are forgotten at once",
			world: "two forwarders", breaks: unwanted, budget: budget{again: 1},
			needs: func(entries []Entry) []Entry {
				return slices.DeleteFunc(entries, func(e Entry) bool { return e.State == Withdrawn })
			},
		},
		{
			name:  "nothing is forgotten",
			world: "two forwarders", breaks: leftOver,
			needs: func(es []Entry) []Entry { return es },
		},
		{
			name:  "a run that is over stays",
			world: "a stranger among three", breaks: leftOver, budget: budget{strangers: 1},
			needs: keepRuns(func(View, int, int) bool { return true }),
		},
		{
			name:  "only runs in force are kept",
			world: "a stranger among three, back and forth", breaks: notRestored,
			needs: keepRuns(open),
		},
	}
}

func brokenReadings() []rule {
	return []rule{
		{
			name:  "every reading is believed",
			world: "two forwarders", breaks: unwanted, budget: budget{again: 1},
			believesAll: true,
		},
		{
			name:  "a reading is not confirmed",
			world: "a stranger among three, back and forth", breaks: takenAway,
			undoes: func(_ View, _ string, u Undo) Undo { u.Confirm = false; return u },
		},
		{
			name:  "a reading may be from before a run's end",
			world: "two forwarders", breaks: notRestored,
			staleEnds: true,
		},
		{
			name:  "a reading may show a change that was put back",
			world: "two attributes, one of them changed again", breaks: notRestored,
			stalePutBack: true,
		},
		{
			name:  "an outcome that others rest on may be lost",
			world: "a stranger among three, back and forth", breaks: takenAway,
			budget:      budget{strangers: 1, losses: 1},
			neverSynced: true,
		},
		{
			name:  "a reading that may hide a forgotten outcome is believed",
			world: "to and fro", breaks: takenAway,
			budget:     budget{losses: 1},
			expectsAll: true,
		},
	}
}
