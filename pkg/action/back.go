package action

import (
	"fmt"
	"slices"
	"strings"

	"aws-provider-executor/pkg/history"
	"aws-provider-executor/pkg/protocol"
)

// Told is what the facts of a request tell of the action that it takes back.
type Told struct {
	// Before is the value before the action. It is empty if nothing tells it.
	Before string
	// After is the value that the action led to. It is empty if nothing tells it.
	After string
}

// whole reports whether both are told.
func (t Told) whole() bool { return t.Before != "" && t.After != "" }

// Back is what an undo comes to for one attribute.
type Back struct {
	// To is the value that it leads to: the present one where nothing changes.
	To string
	// Known reports whether the action is recorded.
	Known bool
	// Idle reports whether the action itself changed nothing, as its facts or its record tell.
	Idle bool
	// HeldBy are the keys of other actions that count on the present value.
	HeldBy []string
	// Below are the keys of other actions that led to To, where To is not the present value. A
	// verb sets it where its answer is to name them.
	Below []string
	// Released is the key of the release that ended the action. It is empty if none did.
	Released string
	// Again reports whether the action is undone already.
	Again bool
	// Overwrites is the value of somebody else that onDrift=restore overwrites.
	Overwrites string
	// Base, for a release, is what was before all that it ends. It is not given back.
	Base string
	// Confirm reports whether the decision must rest on a confirmed reading.
	Confirm bool
	// Aside reports whether the present value is a stranger's, and stays: it is no part of what
	// is recorded.
	Aside bool

	at At
	// key is that of the entries to write. seq is the place of the undo.
	key string
	seq int64
	// view is the history that the decision rests on.
	view history.View
	// ends is the entry of a release. It is nil if there is none.
	ends *history.Entry
}

// Stays reports whether an action that changed nothing is all that there is to take back. So
// nothing changes, and nobody holds it.
func (b Back) Stays() bool {
	return b.Idle && b.To == b.at.Now && len(b.HeldBy) == 0 && b.Released == ""
}

// Settled reports whether the undo leads nowhere: others hold the present value, or the action
// has ended already.
func (b Back) Settled() bool {
	return b.Again || b.Released != "" || len(b.HeldBy) > 0 && b.To == b.at.Now
}

// PriorUnknown reports whether nothing tells what was there before: no record and no fact.
func (b Back) PriorUnknown() bool { return !b.Known && b.To == "" }

// Undo decides what the undo of the request's action comes to for an attribute. The record comes
// before the facts. Facts that contradict it are a conflict. A value of somebody else's is
// a drift, unless the request says to restore over it.
func (r Request) Undo(at At, told Told) (Back, error) {
	b, u, err := r.consider(at, told)
	if err != nil {
		return Back{}, err
	}
	switch held := len(b.HeldBy) > 0 && !r.Bool(IgnoreHolders.Name); {
	case b.Released != "" || b.Again:
		b.To, b.HeldBy = at.Now, nil
	case held && !b.Known && told.whole() && !b.Idle:
		// Where its facts fit nowhere below the holders, what was before it would be forgotten.
		b.To = at.Now
		_, err = Restore(r, at.What, told.Before, told.After, at.Now)
	case held:
		b.To = at.Now
	case b.Known:
		return r.byRecord(b, u)
	case told.Before != "" && b.Idle:
		b.To = at.Now
	case told.Before != "":
		b.To = told.Before
		b.Overwrites, err = Restore(r, at.What, told.Before, told.After, at.Now)
	}
	return b, err
}

// consider finds the action, and says what the history makes of its undo.
func (r Request) consider(at At, told Told) (Back, history.Undo, error) {
	p := r.past()
	v, all, err := p.view(at)
	if err == nil {
		err = r.find(at, told, all)
	}
	if err != nil {
		return Back{}, history.Undo{}, err
	}
	b := Back{at: at, key: p.Key, seq: next(all), view: v}
	b.Idle = told.whole() && told.Before == told.After || p.idle(at)
	u := v.Undo(p.Key)
	if !u.Known && told.whole() {
		u = b.enter(told, all, u)
	}
	b.Known, b.Again, b.Confirm = u.Known, u.Again, u.Confirm
	b.HeldBy, b.Released = u.HeldBy, u.Released
	if !u.Known && len(u.HeldBy) == 0 && told.After != "" && told.After == at.Now {
		// What the facts tell of is so. It was done after the release, by a program with records
		// of its own.
		b.Released, b.Confirm = "", true
	}
	return b, u, nil
}

// find finds the action by its facts where the request's key names none, and refuses facts that
// are not those of the action found.
func (r Request) find(at At, told Told, all []Recorded) error {
	p := r.past()
	if !r.Undoes && p.Match != nil && len(all) > 0 && told.Before != "" {
		if err := p.Match(all); err != nil {
			return err
		}
	}
	if len(p.Own) == 0 {
		return nil
	}
	return r.agree(at, told, all)
}

// enter puts an action that is not recorded into the history, as its facts tell it, if they fit
// below a run. It returns what its undo comes to then.
func (b *Back) enter(told Told, all []Recorded, unknown history.Undo) history.Undo {
	e, fits := b.view.Enter(b.key, told.Before, told.After, b.seq)
	if !fits {
		return unknown
	}
	b.seq++
	b.view = b.at.beside(append(plain(all), e))
	return b.view.Undo(b.key)
}

// byRecord decides the undo of a recorded action that nobody holds, or that is to be undone all the
// same.
func (r Request) byRecord(b Back, u history.Undo) (Back, error) {
	b.To = u.Aim
	if len(b.HeldBy) > 0 {
		b.To = b.view.Over(b.key)
	}
	own, _ := r.Own(b.at.Resource, b.at.Attribute)
	var err error
	switch {
	case !u.Drift || b.To == b.at.Now:
	case b.Idle && b.To == own.To:
		// Nothing is to be taken back, so that a stranger's value is not in the way.
		b.To, b.Aside = b.at.Now, true
	case b.at.Now == own.To && r.Parameters[OnDrift.Name] != "restore":
		err = protocol.Refuse(protocol.Drift,
			"%s is %s now, as the action left it, but a later action led it elsewhere since;"+
				" someone else changed it back: look who, then undo by hand or with onDrift=restore",
			b.at.What, b.at.Now).With(protocol.FactDrift, b.at.Now)
	case b.at.Now == own.To:
		b.Overwrites = b.at.Now
	default:
		b.Overwrites, err = Restore(r, b.at.What, b.To, own.To, b.at.Now)
	}
	return b, err
}

// idle reports whether the action under the key is recorded to have changed nothing.
func (p *Past) idle(at At) bool {
	known := false
	for _, own := range p.Own {
		if own.Resource == at.Resource && own.Attribute == at.Attribute {
			if known = true; own.From != own.To {
				return false
			}
		}
	}
	return known
}

// agree refuses facts that are not those of the recorded action. Its prior fact may be what any
// entry of the history found: a fence over a fence tells what was before the first.
func (r Request) agree(at At, told Told, all []Recorded) error {
	own, ok := r.Own(at.Resource, at.Attribute)
	led := func(e Recorded) bool {
		return e.Key == own.Key && e.State != history.Withdrawn && e.To == told.After
	}
	found := func(e Recorded) bool { return e.From == told.Before }
	provided := at.Below != nil && at.Below.From == told.Before
	switch {
	case !ok:
		return contradiction(r.Past.Own[0],
			fmt.Sprintf("of %s, and the request would change the %s of %s",
				resources(r.Past.Own), at.Attribute, at.Resource))
	case told.After != "" && !slices.ContainsFunc(all, led):
		return contradiction(own,
			fmt.Sprintf("that made the %s of %s %s, and the request would take back %s",
				at.Attribute, at.Resource, own.To, told.After)).With(protocol.FactRecorded, own.To)
	case told.Before != "" && !provided && !slices.ContainsFunc(all, found):
		return contradiction(own,
			fmt.Sprintf("before which the %s of %s was %s, and the request says that it was %s",
				at.Attribute, at.Resource, own.From, told.Before)).With(protocol.FactRecorded, own.From)
	}
	return nil
}

// contradiction refuses an undo that is not that of the action under its key.
func contradiction(own Recorded, why string) *protocol.Failure {
	return protocol.Refuse(protocol.Conflict,
		"under the key %s was %s %s; nothing was changed;"+
			" undo with the target and the facts that the action reported",
		protocol.Quote(own.Key), own.Action, why)
}

// resources names what was acted on.
func resources(all []Recorded) string {
	var names []string
	for _, r := range all {
		if !slices.Contains(names, r.Resource) {
			names = append(names, r.Resource)
		}
	}
	return strings.Join(names, ", ")
}

// Release decides what a request comes to that takes a value away for good, and leaves rest in
// its place. The actions that led to it are ended. It has a key of its own.
func (r Request) Release(at At, value, rest string) (Back, error) {
	p := r.past()
	v, all, err := p.view(at)
	if err != nil {
		return Back{}, err
	}
	b := Back{To: at.Now, at: at, key: p.Key, seq: next(all),
		Confirm: v.Doubtful()}
	if at.Now == value {
		b.To = rest
		if v.Explained() {
			b.Base = v.Base()
		}
	}
	if e, ok := v.Release(b.key, value, rest, b.seq); ok && len(all) > 0 {
		b.ends = &e
	}
	return b, nil
}

// End decides what a request comes to that ends all actions on an attribute, and leads it to
// what was before them. It has a key of its own. A value of somebody else's is a drift, unless
// the request says to restore over it; but where only the provider tells of an action, nothing
// tells what that one left.
func (r Request) End(at At) (Back, error) {
	p := r.past()
	v, all, err := p.view(at)
	if err != nil {
		return Back{}, err
	}
	b := Back{
		To: v.Base(), at: at, key: p.Key, seq: next(all),
		Known: len(all) > 0, Confirm: v.Doubtful(),
	}
	if !v.Explained() {
		if b.Overwrites, err = Restore(r, at.What, b.To, v.Wanted(), at.Now); err != nil {
			return b, err
		}
	}
	if len(all) > 0 {
		e := v.End(b.key, b.To, b.seq)
		b.ends = &e
	}
	return b, nil
}

// Intent returns the entries to write before the first changing call of the undo.
func (b Back) Intent() []Recorded {
	if b.ends != nil {
		return b.recorded(*b.ends)
	}
	return b.recorded(b.view.Undoing(b.key, b.seq, b.To)...)
}

// Outcome returns the entries to write once the undo is answered. Left is the value that it left.
func (b Back) Outcome(left string) []Recorded {
	if b.ends != nil {
		e := *b.ends
		e.State = history.Live
		return b.recorded(e)
	}
	if b.Aside {
		left = ""
	}
	return b.recorded(b.view.Withdrawn(b.key, b.seq, left)...)
}

func (b Back) recorded(entries ...history.Entry) []Recorded {
	all := make([]Recorded, len(entries))
	for i, e := range entries {
		all[i] = Recorded{Entry: e, Resource: b.at.Resource, Attribute: b.at.Attribute}
	}
	return all
}
