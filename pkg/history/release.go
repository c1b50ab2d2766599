package history

import "slices"

// Release returns the entry of a request to take a value away for good. It ends the actions
// that led to that value, and leaves rest in its place. If another value is there now, undos
// of what was done since lead to rest. Release returns false if nothing has to be recorded.
func (v View) Release(key, value, rest string, seq int64) (Entry, bool) {
	for _, e := range append(slices.Clone(v.entries), v.release) {
		if e.Key == key && e.Ends != 0 && v.now != value && (e.State == Live || v.now == e.To) {
			// An earlier attempt did it.
			e.State = Live
			return e, true
		}
	}
	if v.now == value {
		return v.End(key, rest, seq), true
	}
	for i := len(v.entries) - 1; i >= 0; i-- {
		if e := v.entries[i]; v.counts[i] && e.To == value {
			return Entry{
				Seq: seq, Key: key, From: rest, To: rest,
				State: Live, Begins: true, Ends: e.Seq,
			}, true
		}
	}
	return Entry{}, false
}

// End returns the entry of a request that ends all actions on the attribute and leads it to
// a value. It is Pending where something has to be changed, else Live.
func (v View) End(key, to string, seq int64) Entry {
	return Entry{
		Seq: seq, Key: key, From: v.now, To: to, Via: v.via(),
		State: v.stateOf(to), Begins: !v.Explained(), Ends: seq,
	}
}

// Doubtful reports whether a stale reading may mislead a release or an end: a value that is not
// explained, or one read soon after an attempt or an undo whose change may not show yet. The
// caller must confirm such a reading before it goes on.
func (v View) Doubtful() bool {
	recent := func(e Entry) bool { return e.Fresh && e.State != Live }
	return !v.Empty() && (!v.Explained() || slices.ContainsFunc(v.entries, recent))
}

// Expects reports whether an attempt under a key may rest on one reading: the value is explained,
// and no attempt or undo of another key was cut short so recently that the reading may hide its
// change.
func (v View) Expects(key string) bool {
	recent := func(e Entry) bool { return e.Fresh && e.State != Live && e.Key != key }
	return v.Explained() && !slices.ContainsFunc(v.entries, recent)
}

// Needed returns the entries that a later answer may rest on. The others may be removed.
//
// A run is needed while an action of it is not undone. A run of undone actions alone is
// needed while it is uppermost and an action below wants what it left: its base is where
// that action's undo leads. A release that was not answered is needed while an action below
// it is not undone: sent again, it ends that one. After a release that nothing lies above, the
// release is needed alone, so that later undos of what it ended are told of it.
func Needed(entries []Entry) []Entry {
	v := At(entries, "")
	var needed []Entry
	for end := len(v.entries); end > 0; {
		first := v.runBelow(end)
		run := v.entries[first:end]
		unanswered := anyUnanswered(run) && anyOpen(v.entries[:first])
		if anyOpen(run) || unanswered || len(needed) == 0 && v.wanted(run, first) {
			needed = append(needed, run...)
		}
		end = first
	}
	if len(needed) == 0 && v.release.Ends != 0 {
		needed = []Entry{v.release}
	}
	return slices.DeleteFunc(slices.Clone(entries), func(e Entry) bool {
		return !slices.ContainsFunc(needed, func(n Entry) bool { return n.Seq == e.Seq })
	})
}

// Spent returns those answered releases of a key that lie below a later entry of the key, and
// without which the same entries are needed. A record may do without them.
func Spent(entries []Entry, key string) []Entry {
	var spent []Entry
	rest := slices.Clone(entries)
	for _, e := range entries {
		later := func(o Entry) bool { return o.Key == key && o.Seq > e.Seq }
		if e.Key != key || e.Ends == 0 || e.State != Live || !slices.ContainsFunc(rest, later) {
			continue
		}
		without := slices.DeleteFunc(slices.Clone(rest), func(o Entry) bool { return o.Seq == e.Seq })
		if slices.Equal(Needed(rest), Needed(without)) {
			spent, rest = append(spent, e), without
		}
	}
	return spent
}

// Rests reports whether a later answer may rest on the entries of a key, which are kept or removed
// together. None does if without them the same entries are needed. Needed are those of them all.
//
// So what a release ended goes before the release, and never comes back. And a run keeps the entry
// that it begins with while any other entry of it is kept for another run's sake.
func Rests(entries, needed []Entry, key string) bool {
	mine := func(e Entry) bool { return e.Key == key }
	others := slices.DeleteFunc(slices.Clone(entries), mine)
	return slices.ContainsFunc(needed, mine) || !slices.Equal(needed, Needed(others))
}

// Repeatable returns the entries of a history of which none is needed that are to be kept for
// now. They are those of the runs in which several actions took part and an entry is fresh. An
// undo of one of them may be sent again, as after a lost answer. Its facts alone would mislead,
// since they tell what another of them had made.
func Repeatable(entries []Entry) []Entry {
	v := At(entries, "")
	var kept []Entry
	for end := len(v.entries); end > 0; {
		first := v.runBelow(end)
		run := v.entries[first:end]
		other := func(e Entry) bool { return e.Key != run[0].Key }
		if slices.ContainsFunc(run, isFresh) && slices.ContainsFunc(run, other) {
			kept = append(kept, run...)
		}
		end = first
	}
	return kept
}

func isFresh(e Entry) bool { return e.Fresh }

// anyOpen reports whether a run has an action that is not undone.
func anyOpen(run []Entry) bool {
	return slices.ContainsFunc(run, func(e Entry) bool {
		return e.State != Withdrawn && e.Ends == 0
	})
}

// anyUnanswered reports whether a run has a release that was not answered.
func anyUnanswered(run []Entry) bool {
	return slices.ContainsFunc(run, func(e Entry) bool { return e.State == Pending && e.Ends != 0 })
}

// over reports whether all actions of the uppermost run are undone, and no answer rests on it.
func (v View) over() bool {
	first := v.run()
	run := v.entries[first:]
	return !v.Empty() && !anyOpen(run) && run[0].Ends == 0 && !v.wanted(run, first)
}

// wanted reports whether an action below the run, which starts at first, wants what the run
// left, or is being undone from there. A release wants nothing.
func (v View) wanted(run []Entry, first int) bool {
	left, at := "", int64(0)
	for _, e := range run {
		if e.State == Withdrawn && e.Aim != "" && e.Undone > at {
			left, at = e.Aim, e.Undone
		}
	}
	return slices.ContainsFunc(v.entries[:first], func(e Entry) bool {
		return e.Ends == 0 && (e.State == Pending && e.leads(left) ||
			e.State != Withdrawn && e.To == left)
	})
}
