package networkinterface

import (
	"context"
	"errors"
	"strings"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/protocol"
)

// removal is one request to take an interface away.
type removal struct {
	*slot
	// was is the interface that the action found, where it made none.
	was string
	// elsewhere reports whether that interface was read to be out of the slot.
	elsewhere bool
	// began reports whether this undo has begun to take the interface away.
	began bool
}

// planRemove plans the undo. It goes by the tags of what was made: the instance may be gone.
func planRemove(ctx context.Context, r Reader, req action.Request) (*action.Plan, error) {
	m := &removal{slot: newSlot(r, req)}
	m.remember()
	now, err := m.read(ctx)
	if err != nil {
		return nil, err
	}
	back, err := req.Undo(m.at(now.Values[0]), m.told())
	if err != nil {
		return nil, err
	}
	if back.To != now.Values[0] && back.To != absent {
		return nil, protocol.Refuse(protocol.Conflict,
			"before the action another interface was at %s (%s), which nothing can bring back; nothing"+
				" was changed; undo by hand", m.name(), back.To)
	}
	return m.plan(now, back), nil
}

// remember takes what the record or the facts tell of the interface.
func (m *removal) remember() {
	m.token = m.req.Parameters[factToken]
	if own, ok := m.own(); ok {
		if token, ours := strings.CutPrefix(own.To, present); ours {
			m.token = token
		} else {
			m.was = own.To
		}
	}
	if prior := m.req.Parameters[factPrior]; m.token == "" && prior != absent {
		m.was = prior
	}
}

// told is what the facts tell of the action.
func (m *removal) told() action.Told {
	prior, token := m.req.Parameters[factPrior], m.req.Parameters[factToken]
	told := action.Told{Before: prior, After: prior}
	if token != "" {
		told.After = present + token
		if prior != absent {
			told.Before = told.After
		}
	} else if prior == absent {
		told.After = ""
	}
	return told
}

// read is a reading of what was made for the slot, or of the interface that was found there.
func (m *removal) read(ctx context.Context) (action.Seen, error) {
	all, err := m.r.DescribeTaggedInterfaces(ctx, ec2model.Slot, m.beginning())
	if err != nil {
		return action.Seen{}, err
	}
	value := absent
	m.nic = ec2model.InterfaceDetail{}
	for _, n := range all {
		token := m.tokenOf(n)
		switch own := token == m.token; {
		case own || m.here(n) && value == absent:
			if err := m.moved(n); err != nil {
				return action.Seen{}, err
			}
			m.nic, value = n, m.progress(n, token)
		}
	}
	if value == absent && m.was != "" {
		value, err = m.found(ctx)
	}
	return action.Seen{Values: []string{value}}, err
}

// progress is the value of the slot where an interface is that was made for it. One that somebody
// detached counts as if it were there: it is to go all the same.
func (m *removal) progress(n ec2model.InterfaceDetail, token string) string {
	if m.began && n.Attachment == "" {
		return made + token
	}
	return present + token
}

// found is the value of a slot where the action found an interface that nobody made for it.
func (m *removal) found(ctx context.Context) (string, error) {
	n, err := m.r.DescribeInterface(ctx, m.was)
	var f *protocol.Failure
	switch {
	case errors.As(err, &f) && f.Class == protocol.NotFound:
		return absent, nil
	case err != nil:
		return "", err
	case m.here(n):
		return m.was, nil
	}
	m.elsewhere = true
	return absent, nil
}

// plan makes the plan: what is attached is detached first.
func (m *removal) plan(now action.Seen, back action.Back) *action.Plan {
	nic, value := m.nic, now.Values[0]
	t := action.Transition{
		Resource: m.instance, Attribute: m.attribute(), From: value, To: back.To, Back: &back,
		Drawn: action.DrawnOf(m.tokenOf(nic)), Call: callDelete, Set: action.SetWith(m.set),
	}
	if token, is := strings.CutPrefix(value, present); is && back.To == absent {
		t.Via, t.Call = made+token, callDetach
	}
	p := &action.Plan{
		Seen: now, Read: m.read, Transitions: []action.Transition{t},
		Facts: func(t []action.Transition, seen action.Seen) map[string]string {
			facts := map[string]string{factPrior: m.req.Parameters[factPrior]}
			if t[0].To == absent && seen.Values[0] == absent {
				facts[factRemoved] = nic.ID
			}
			return facts
		},
		Unseen: value == absent && nic.ID == "" && !m.elsewhere,
		Words: action.Words{
			Would:   "detach and delete " + nic.ID + ", which is for " + m.name(),
			Did:     "detached and deleted " + nic.ID + ", which was for " + m.name(),
			Already: "nothing that the action made is at " + m.name(),
		},
	}
	if back.Stays() {
		p.Skip = "the interface at " + m.name() + " was there before the action: it stays"
	}
	return p
}

// set detaches the interface, or deletes it.
func (m *removal) set(ctx context.Context, w Writer, _, to string) error {
	m.began = true
	switch {
	case to == absent:
		return w.DeleteNetworkInterface(ctx, m.nic.ID)
	case strings.HasPrefix(to, present):
		return protocol.Refuse(protocol.Conflict,
			"the undo does not attach again what it has detached; undo it again")
	case m.nic.Attachment == "" || m.nic.Attachment == "detaching":
		return nil
	}
	return w.DetachNetworkInterface(ctx, m.nic.AttachmentID)
}
