package publicaddress

import (
	"context"
	"errors"
	"slices"
	"strings"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/protocol"
)

// removal is one request to take an Elastic IP away.
type removal struct {
	*place
	// was is the Elastic IP that the action found or was given, where it allocated none.
	was string
	// owned are those that the action allocated: one, but for an allocation that was made twice.
	owned []ec2model.Address
	// other is the Elastic IP of was. It is read to be released where gone.
	other ec2model.Address
	gone  bool
	// began reports whether this undo has begun to take it away.
	began bool
}

// planRemove plans the undo. It goes by the tag of what was allocated: the instance may be gone.
func planRemove(ctx context.Context, r Reader, req action.Request) (*action.Plan, error) {
	m := &removal{place: newPlace(r, req)}
	m.remember()
	now, err := m.read(ctx)
	if err != nil {
		return nil, err
	}
	if m.private == "" {
		return m.untold()
	}
	if now.Values[0] == absent && m.was == "" {
		if err := m.unshown(); err != nil {
			return nil, err
		}
	}
	back, err := req.Undo(m.at(now.Values[0]), m.told())
	if err != nil {
		return nil, err
	}
	if back.To != now.Values[0] && back.To != absent {
		return nil, protocol.Refuse(protocol.Conflict,
			"before the action another Elastic IP led to %s (%s), which this undo does not bring back;"+
				" nothing was changed; undo by hand", m.name(), back.To)
	}
	return m.plan(now, back), nil
}

// untold answers an undo of which nothing tells the private address.
func (m *removal) untold() (*action.Plan, error) {
	if !m.req.NoRecord() {
		return nil, protocol.Refuse(protocol.InvalidRequest,
			"nothing tells of which private address at device index %d of %s; give spec.target.address"+
				" or the fact %s; nothing was changed", m.index, m.instance, factPrivate)
	}
	why, err := action.NoFacts(m.req, "the Elastic IPs of "+m.instance+" stay as they are")
	if err != nil {
		return nil, err
	}
	return &action.Plan{
		Read:  func(context.Context) (action.Seen, error) { return action.Seen{}, nil },
		Facts: func([]action.Transition, action.Seen) map[string]string { return nil },
		Skip:  why, Unseen: true,
	}, nil
}

// remember takes what the record or the facts tell of the Elastic IP and of its place.
func (m *removal) remember() {
	given := m.req.Parameters
	m.token, m.nic = given[factToken], given[factInterface]
	if m.private == "" {
		m.private = given[factPrivate]
	}
	if own, ok := m.own(); ok {
		m.private = strings.TrimPrefix(own.Attribute, m.prefix())
		if token, ours := strings.CutPrefix(own.To, present); ours {
			m.token = token
		} else {
			m.token, m.was = "", own.To
		}
	}
	if m.token == "" && m.was == "" {
		m.was = given[factAllocation]
		if prior := given[factPrior]; m.was == "" && prior != absent {
			m.was = prior
		}
	}
}

// told is what the facts tell of the action.
func (m *removal) told() action.Told {
	prior, after := m.req.Parameters[factPrior], m.req.Parameters[factAllocation]
	if token := m.req.Parameters[factToken]; token != "" {
		after = present + token
	}
	switch {
	case prior == "" || prior == absent:
		return action.Told{Before: prior, After: after}
	case after == "":
		after = prior
	}
	return action.Told{Before: after, After: after}
}

// read is a reading of what was allocated for the private address, or of the Elastic IP that the
// action found or was given.
func (m *removal) read(ctx context.Context) (action.Seen, error) {
	if m.was != "" {
		return m.readOther(ctx)
	}
	all, err := m.r.DescribeTaggedAddresses(ctx, ec2model.PublicAddress, m.beginning())
	if err != nil {
		return action.Seen{}, err
	}
	m.owned = nil
	value := absent
	for _, a := range all {
		switch mark := m.markOf(a); {
		case m.isOwn(mark):
			if a.AssociationID != "" && (a.InterfaceID != mark.nic || a.PrivateIP != mark.private) {
				return action.Seen{}, m.moved(a)
			}
			m.token, m.nic, m.private = mark.token, mark.nic, mark.private
			m.owned = append(m.owned, a)
		case a.AssociationID != "" && a.PrivateIP == m.private && a.InterfaceID == mark.nic:
			value = present + mark.token
		}
	}
	if len(m.owned) > 0 {
		value = m.progress()
	}
	return action.Seen{Values: []string{value}}, nil
}

// isOwn reports whether the action allocated what has a mark.
func (m *removal) isOwn(of mark) bool {
	if m.token != "" {
		return of.token == m.token
	}
	return m.req.Past != nil && action.OwnToken(m.req.Past.Key, of.token)
}

// progress is the value of the private address where there are Elastic IPs of the action. One that
// somebody disassociated counts as if it led there: it is to go all the same.
func (m *removal) progress() string {
	leads := slices.ContainsFunc(m.owned, func(a ec2model.Address) bool {
		return a.AssociationID != ""
	})
	if m.began && !leads {
		return waiting + m.token
	}
	return present + m.token
}

// readOther is a reading of an Elastic IP that the action did not allocate.
func (m *removal) readOther(ctx context.Context) (action.Seen, error) {
	a, err := m.r.DescribeAllocation(ctx, m.was)
	var f *protocol.Failure
	if errors.As(err, &f) && f.Class == protocol.NotFound {
		m.gone = true
		return action.Seen{Values: []string{absent}}, nil
	}
	if err != nil {
		return action.Seen{}, err
	}
	m.gone, m.other = false, a
	value := absent
	if m.here(a) {
		value = m.valueOf(a)
	}
	return action.Seen{Values: []string{value}}, nil
}

// here reports whether an Elastic IP leads to the private address, on the interface that the facts
// name or on the instance.
func (m *removal) here(a ec2model.Address) bool {
	where := a.InstanceID == m.instance || m.nic != "" && a.InterfaceID == m.nic
	return a.AssociationID != "" && a.PrivateIP == m.private && where
}

// plan makes the plan: what is associated is disassociated first.
func (m *removal) plan(now action.Seen, back action.Back) *action.Plan {
	value := now.Values[0]
	t := action.Transition{
		Resource: m.instance, Attribute: m.attribute(), From: value, To: back.To, Back: &back,
		Drawn: action.DrawnOf(m.token), Call: callDisassociate, Set: action.SetWith(m.set),
	}
	own := len(m.owned) > 0
	if own && back.To == absent {
		t.Via = waiting + m.token
	}
	eip := m.other
	if own {
		eip = m.owned[0]
	}
	lost := m.req.Parameters[factPriorOwn]
	p := &action.Plan{
		Seen: now, Read: m.read, Transitions: []action.Transition{t},
		Facts: func(t []action.Transition, seen action.Seen) map[string]string {
			facts := map[string]string{
				factPrior: m.req.Parameters[factPrior], factPriorOwn: lost,
			}
			if t[0].To != absent || t[0].From == absent || seen.Values[0] != absent {
				return facts
			}
			if lost != "" {
				facts[protocol.FactNotRestored] = "true"
			}
			if own {
				facts[factReleased] = eip.PublicIP
			} else {
				facts[factDisassociate] = eip.PublicIP
			}
			return facts
		},
		Unseen: value == absent && (m.was == "" || m.gone),
		Words:  m.words(eip, own),
	}
	if back.Stays() {
		p.Skip = "the Elastic IP of " + m.name() + " was there before the action: it stays"
	}
	return p
}

func (m *removal) words(eip ec2model.Address, own bool) action.Words {
	would, did := "disassociate ", "disassociated "
	if own {
		would, did = "disassociate and release ", "disassociated and released "
	}
	what := eip.PublicIP + " (" + eip.AllocationID + "), which is for " + m.name()
	return action.Words{
		Would: would + what, Did: did + strings.Replace(what, "which is", "which was", 1),
		Already: "no Elastic IP that the action allocated or associated leads to " + m.name(),
	}
}

// set disassociates the Elastic IP, or releases it.
func (m *removal) set(ctx context.Context, w Writer, _, to string) error {
	m.began = true
	if strings.HasPrefix(to, present) {
		return protocol.Refuse(protocol.Conflict,
			"the undo does not associate again what it has disassociated; undo it again")
	}
	if m.was != "" {
		return w.DisassociateAddress(ctx, m.other.AssociationID)
	}
	for _, a := range m.owned {
		var err error
		switch {
		case to == absent:
			err = w.ReleaseAddress(ctx, a.AllocationID)
		case a.AssociationID != "":
			err = w.DisassociateAddress(ctx, a.AssociationID)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
