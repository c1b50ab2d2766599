package history

import (
	"cmp"
	"slices"
)

// Begin returns the entry to record for an action that wants the attribute to become to,
// by way of via if that is not empty. Seq is its place in the order.
//
// An entry that the key has already is taken up again where the present value is still its
// doing: a retry must not take its own change for the prior value. Its From stays, and so
// the first prior value wins. Otherwise the key gets a further entry on top.
//
// The State is Pending where something has to be changed, else Live.
func (v View) Begin(key, to, via string, seq int64) Entry {
	e, again := v.own(key, to)
	if again {
		e.Again, e.Undone, e.Aim = seq, 0, ""
	} else {
		// A run that is over ends with what it left: records of it may go at any time.
		e = Entry{Seq: seq, Key: key, From: v.now, To: to, Via: via}
		if e.Begins = !v.Explained() || v.over(); !e.Begins {
			e.On = v.entries[len(v.entries)-1].Seq
		}
	}
	e.State = v.stateOf(to)
	return e
}

// stateOf returns the state of a new entry that wants a value.
func (v View) stateOf(to string) State {
	if v.now == to {
		return Live
	}
	return Pending
}

// own returns the key's entry to take up again, and whether there is one. The present value
// is still the doing of that entry, or the entry is uppermost and has changed nothing. No
// entry above it counts or is pending.
func (v View) own(key, to string) (Entry, bool) {
	for i := len(v.entries) - 1; i >= v.run(); i-- {
		e := v.entries[i]
		switch {
		case e.Key == key && e.To == to && e.Ends == 0 && e.State != Withdrawn:
			untouched := i == len(v.entries)-1 && e.State == Pending && v.now == e.From
			here := v.now == to || e.State != Live && e.leads(v.now)
			return e, v.Explained() && (here || untouched)
		case v.counts[i], e.State == Pending:
			return Entry{}, false
		}
	}
	return Entry{}, false
}

// Undo says what the undo of an action comes to.
type Undo struct {
	// Known reports whether the key has an entry. If not, only HeldBy, Released and Aim
	// are set, and Aim is the present value.
	Known bool
	// Again reports whether the action is undone or released already. The undo changes
	// nothing then.
	Again bool
	// HeldBy are the keys of other actions that want the present value, the lowest first.
	// The undo changes nothing then.
	HeldBy []string
	// Released is the key of the release that ended the action. It is empty if none did.
	Released string
	// Aim is the value that the undo leads to. It is the present one if the undo changes
	// nothing.
	Aim string
	// Drift reports whether the present value is a stranger's, and not one that there was
	// before or that others want. Where others hold it, Drift reports whether a stranger
	// made it: see [View.Over].
	Drift bool
	// Confirm reports whether the caller must confirm the reading before it goes on: a second
	// reading, some time after the first one, has to show the same value.
	Confirm bool
}

// Undo says what the undo of a key's action comes to.
func (v View) Undo(key string) Undo {
	u := v.undo(key)
	u.Confirm = v.unsure(key, u)
	return u
}

func (v View) undo(key string) Undo {
	mine := func(e Entry) bool { return e.Key == key && e.Ends == 0 }
	open := func(e Entry) bool { return mine(e) && e.State != Withdrawn }
	u := Undo{Known: slices.ContainsFunc(v.entries, mine), HeldBy: v.holders(key), Aim: v.now}
	switch {
	case !u.Known:
		u.Released = v.release.Key
		u.Known = slices.ContainsFunc(v.ended, mine)
		u.Again = u.Known
		return u
	case !slices.ContainsFunc(v.entries, open):
		u.Again = true
		return u
	case len(u.HeldBy) > 0:
		u.Drift = !v.Explained()
		return u
	}
	u.Aim = v.Base()
	if i := v.latest(key); i >= 0 {
		u.Aim = v.entries[i].To
	}
	switch {
	case v.Explained():
	case v.now == v.Base():
		// A stranger brought back what was before all of them: nothing is left to undo.
		u.Aim = v.now
	default:
		u.Drift = v.now != u.Aim
	}
	return u
}

// unsure reports whether a stale reading may mislead an undo. It may not where the undo takes
// away what the action itself led to and was answered to have made, and nothing else was
// recorded recently.
func (v View) unsure(key string, u Undo) bool {
	if u.Again || u.Released != "" {
		return false
	}
	led := func(e Entry) bool { return e.Key == key && e.To == v.now }
	recent := func(e Entry) bool {
		return e.Fresh && (e.Key != key || e.State != Live)
	}
	return u.Drift || u.Aim == v.now || !slices.ContainsFunc(v.entries, led) ||
		slices.ContainsFunc(v.entries, recent)
}

// Over returns where an undo of a key's action leads that is to take the present value away
// from actions that want it: to what the latest action wants that wants another value, or else
// to the base. It leads nowhere if a stranger's change lies between: what is so now was built on
// that, and nothing of it is the action's.
func (v View) Over(key string) string {
	if !slices.ContainsFunc(v.entries[v.run():], func(e Entry) bool { return e.Key == key }) {
		return v.now
	}
	for i := len(v.entries) - 1; i >= v.run(); i-- {
		if v.counts[i] && v.entries[i].Key != key && v.entries[i].To != v.now {
			return v.entries[i].To
		}
	}
	return v.Base()
}

// OnTheWay returns, where the present value is only a value on the way of an action, what that
// action found and what it leads to.
func (v View) OnTheWay() (found, to string, ok bool) {
	if !v.Explained() {
		return "", "", false
	}
	for i := len(v.entries) - 1; i >= v.run(); i-- {
		switch e := v.entries[i]; {
		case v.counts[i] && e.To == v.now:
			return "", "", false
		case e.State == Pending && e.Via == v.now:
			return e.From, e.To, true
		}
	}
	return "", "", false
}

// Wanted returns what the latest action wants that counts. It is the base if there is none.
func (v View) Wanted() string {
	if i := v.latest(""); i >= 0 {
		return v.entries[i].To
	}
	return v.Base()
}

// holders returns the keys of actions other than the given one that want the present value.
func (v View) holders(except string) []string {
	var keys []string
	for i, e := range v.entries {
		if e.Key != except && v.holds(i) && !slices.Contains(keys, e.Key) {
			keys = append(keys, e.Key)
		}
	}
	return keys
}

// holds reports whether an entry wants the present value to stay. A pending entry does on
// its way, too. A fresh one on top also holds its From: a reading may hide that it was made.
func (v View) holds(i int) bool {
	e := v.entries[i]
	if e.State != Pending {
		return v.counts[i] && v.now == e.To
	}
	unsure := e.Fresh && e.Ends == 0 && i == len(v.entries)-1 && v.now == e.From
	return unsure || v.counts[i] && e.leads(v.now)
}

// Undoing returns the key's entries as they are to be written before the undo's first
// change. Seq is the undo's place in the order, aim the value that it leads to.
func (v View) Undoing(key string, seq int64, aim string) []Entry {
	return v.undone(key, seq, func(e *Entry, _ bool) {
		e.State, e.Undone, e.Aim, e.Via = Undoing, seq, aim, cmp.Or(e.Via, v.via())
	})
}

// Withdrawn returns the key's entries as they are to be written when its undo is answered.
// Seq is the undo's place in the order, left the value that it left.
func (v View) Withdrawn(key string, seq int64, left string) []Entry {
	return v.undone(key, seq, func(e *Entry, uppermost bool) {
		e.State, e.Undone, e.Aim = Withdrawn, seq, ""
		// What a stranger made, and the undo did not change, was not left by the undo.
		if uppermost && (v.Explained() || left != v.now) {
			e.Aim = left
		}
	})
}

// via returns the value on the way of an undo or a release: that of the latest action which
// had one.
func (v View) via() string {
	for _, e := range slices.Backward(v.entries) {
		if e.Via != "" {
			return e.Via
		}
	}
	return ""
}

// undone returns the key's entries that are not withdrawn yet, changed. The change is told
// whether an entry is of the uppermost run.
func (v View) undone(key string, seq int64, change func(e *Entry, uppermost bool)) []Entry {
	var own []Entry
	for i, e := range v.entries {
		if e.Key == key && e.Ends == 0 && e.State != Withdrawn {
			e.Seq = cmp.Or(e.Seq, seq)
			change(&e, i >= v.run())
			own = append(own, e)
		}
	}
	return own
}

// Enter returns the entry of an action that is not recorded here, as its facts tell it: it
// led from one value to another. The entry lies below the run that began with what it led
// to, and its undo is then like any other. Enter returns false if the facts fit below no
// run.
func (v View) Enter(key, from, to string, seq int64) (Entry, bool) {
	for end := len(v.entries); end > 0; {
		first := v.runBelow(end)
		if e := v.entries[first]; e.Ends == 0 && e.Seq != 0 && e.From == to {
			below := At(v.entries[:first], from)
			return Entry{
				Seq: seq, Key: key, From: from, To: to, State: Live,
				Under: e.root(), Begins: !below.Explained(),
			}, true
		}
		end = first
	}
	return Entry{}, false
}

// Below returns the view with one more action, which only the provider tells of. It found
// from, and what it led to was there before all that is recorded. The Seq of its entry is 0
// until its undo is recorded. The view is unchanged if the lowest entry found from already,
// or is a release.
func (v View) Below(key, from string) View {
	e := Entry{Key: key, From: from, To: v.now, State: Live}
	if !v.Empty() {
		lowest := v.entries[0]
		if lowest.Ends != 0 {
			return v
		}
		e.To, e.Under = lowest.From, lowest.root()
	}
	if e.To == from {
		return v
	}
	v.entries = slices.Insert(slices.Clone(v.entries), 0, e)
	return v.counted()
}
