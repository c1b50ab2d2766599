package action

import (
	"slices"
	"time"

	"aws-provider-executor/pkg/history"
)

// Recorded is an entry of an attribute's history, with what its record tells of the action.
type Recorded struct {
	history.Entry
	Resource, Attribute string
	// Action is the verb of the action, Target its target in canonical text.
	Action string
	Target map[string]string
	// Facts are the prior facts that the action told.
	Facts map[string]string
	// Acted is when the action was last tried.
	Acted time.Time
}

// Begun reports whether the action was begun and not yet read to be made.
func (r Recorded) Begun() bool { return r.State == history.Pending }

// Undoing reports whether an undo of the action was begun and not answered.
func (r Recorded) Undoing() bool { return r.State == history.Undoing }

// Past is what is recorded, as one request sees it. The zero Past knows nothing.
type Past struct {
	// Key is the key of the action that the request is, or that it takes back.
	Key string
	// Own are the entries recorded under Key that are not withdrawn.
	Own []Recorded
	// History reads the entries of an attribute, in any order. Nil reads none.
	History func(resource, attribute string) ([]Recorded, error)
	// Match finds the action that a request means whose key names none, by the facts that
	// it gives. It sets Key and Own. Nil finds none.
	Match func(entries []Recorded) error
	// PutBack are keys of actions that the provider shows to be over, whoever put them back:
	// they hold nothing any more. A verb sets it before it decides.
	PutBack []string
}

// At is an attribute of a resource, as it was read.
type At struct {
	Resource, Attribute string
	// Now is the present value.
	Now string
	// What names the attribute in a sentence.
	What string
	// Below, if not nil, is an action that only the provider tells of.
	Below *Below
}

// Below is an action that only the provider tells of: what it found, and a key to name it by.
type Below struct{ Key, From string }

// view returns the history of an attribute beside its present value, and the entries.
func (p *Past) view(at At) (history.View, []Recorded, error) {
	all, err := p.entries(at.Resource, at.Attribute)
	if err != nil {
		return history.View{}, nil, err
	}
	return at.beside(plain(all)), all, nil
}

// beside returns a history beside the attribute's present value.
func (at At) beside(entries []history.Entry) history.View {
	v := history.At(entries, at.Now)
	if at.Below != nil {
		v = v.Below(at.Below.Key, at.Below.From)
	}
	return v
}

// past is what is recorded, if only that nothing is.
func (r Request) past() *Past {
	if r.Past == nil {
		return &Past{}
	}
	return r.Past
}

func (p *Past) entries(resource, attribute string) ([]Recorded, error) {
	if p.History == nil {
		return nil, nil
	}
	all, err := p.History(resource, attribute)
	if err != nil || len(p.PutBack) == 0 {
		return all, err
	}
	all = slices.Clone(all)
	for i, r := range all {
		if slices.Contains(p.PutBack, r.Key) && r.Ends == 0 && r.State != history.Withdrawn {
			// What was left is not known.
			all[i].State, all[i].Undone, all[i].Aim = history.Withdrawn, r.Seq, ""
		}
	}
	return all, nil
}

// plain are the entries alone.
func plain(all []Recorded) []history.Entry {
	entries := make([]history.Entry, len(all))
	for i, r := range all {
		entries[i] = r.Entry
	}
	return entries
}

// next is the next place in the order of a history.
func next(all []Recorded) int64 {
	last := int64(0)
	for _, r := range all {
		last = max(last, r.Seq, r.Again, r.Undone)
	}
	return last + 1
}

// Next returns the next place in the order of an attribute's events.
func (p *Past) Next(resource, attribute string) (int64, error) {
	all, err := p.entries(resource, attribute)
	return next(all), err
}

// Recorded reports whether the action is recorded that the request's key names, and not undone.
func (r Request) Recorded() bool { return r.Past != nil && len(r.Past.Own) > 0 }

// NoRecord reports whether the request's key names an action to take back of which nothing is
// recorded: it never was, or is undone. Nothing is known of it then but what the facts tell.
func (r Request) NoRecord() bool { return r.Undoes && !r.Recorded() }

// Own returns what the action that the request's key names recorded last of an attribute.
func (r Request) Own(resource, attribute string) (Recorded, bool) {
	if r.Past == nil {
		return Recorded{}, false
	}
	for _, own := range slices.Backward(r.Past.Own) {
		if own.Resource == resource && own.Attribute == attribute {
			return own, true
		}
	}
	return Recorded{}, false
}

// History returns what is recorded of an attribute, whoever recorded it. An error is the answer.
func (r Request) History(resource, attribute string) ([]Recorded, error) {
	return r.past().entries(resource, attribute)
}

// Origin is where a change of an attribute begins.
type Origin struct {
	// From is the value that counts as the one before. Where the present value is the doing
	// of an earlier attempt under the key, it is what that one found.
	From string
	// To is what that earlier attempt led to. It is empty if there is none.
	To string
	// Whence is From or, where From is a value on the way of another action that was cut
	// short, what that action found.
	Whence string
	// At is the present value or, where that is a value on the way, what it is on the way to.
	At string
	// Base is the value from before all recorded actions that led to the present one.
	Base string
	// Facts are the prior facts that an earlier attempt under the key told, if the present value
	// is its doing. The first prior facts win, whatever was recorded since.
	Facts map[string]string
}

// Origin tells where a change of an attribute begins. An error is the answer.
func (r Request) Origin(at At) (Origin, error) {
	v, all, err := r.past().view(at)
	if err != nil {
		return Origin{}, err
	}
	o := Origin{From: at.Now, Whence: at.Now, At: at.Now, Base: at.Now}
	if v.Explained() {
		o.Base = v.Base()
	}
	if found, to, on := v.OnTheWay(); on {
		o.Whence, o.At = found, to
	}
	own, ok := r.Own(at.Resource, at.Attribute)
	if !ok || r.Undoes {
		return o, nil
	}
	if e := v.Begin(r.past().Key, own.To, own.Via, next(all)); e.Seq == own.Seq {
		o.From, o.To, o.Whence = e.From, e.To, e.From
	}
	if v.Explained() && (at.Now == own.To || own.Via != "" && at.Now == own.Via) {
		o.Facts = own.Facts
	}
	return o, nil
}

// Begin returns the entry to record for an action that leads an attribute to a value, by way
// of via if that is not empty. Its From is the value that counts as the one before. Changed reports
// whether the action under the key led the attribute to its present value.
func (p *Past) Begin(at At, to, via string) (e history.Entry, changed bool, err error) {
	v, all, err := p.view(at)
	if err != nil {
		return history.Entry{}, false, err
	}
	return v.Begin(p.Key, to, via, next(all)), v.Changed(p.Key), nil
}

// WayBack returns the value that the undo of an action leads to where e is the action's entry for
// the attribute. It is the present value if the undo changes nothing, or would be a drift.
func (p *Past) WayBack(at At, e history.Entry) (string, error) {
	all, err := p.entries(at.Resource, at.Attribute)
	if err != nil {
		return "", err
	}
	entries := slices.DeleteFunc(plain(all), func(old history.Entry) bool {
		return old.Key == e.Key && old.Seq == e.Seq
	})
	u := at.beside(append(entries, e)).Undo(e.Key)
	if u.Drift {
		return at.Now, nil
	}
	return u.Aim, nil
}

// Expects reports whether one reading is enough: nothing is recorded, or what is recorded explains
// the value, and no change of another key may be hidden.
func (p *Past) Expects(at At) (bool, error) {
	v, _, err := p.view(at)
	return v.Empty() || v.Expects(p.Key), err
}
