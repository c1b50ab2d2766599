package awsec2

import "context"

// Requester is a request of a stream that is for an interface. Calls of others about it may wait
// for its own, until it is over. It has the same way to go as the others: it looks, it changes, it
// looks again. So a call waits for those requests that are as far as its own, or less far.
type Requester struct {
	all *joints
	at  nicAt
	// of is set while it is known. It and the rest are guarded by the joints.
	of *nicJoints
	// calls are the joint calls that it has had.
	calls int
	whereabouts
}

// whereabouts tell where a request is.
type whereabouts int

const (
	// coming requests wait for no call, and may be about to.
	coming whereabouts = iota
	// waits are those that wait for others.
	waits
	// called are those whose joint call is under way.
	called
	// apart are requests that make calls of their own, or did not come in time. They are not waited
	// for before they come.
	apart
)

// requesterKey carries the requester whose context it is.
type requesterKey struct{}

// Expect returns the requester for a request with this target, which others wait for once it
// begins. It does nothing if the target is no interface.
func (k *Kept) Expect(target map[string]string) *Requester {
	return &Requester{all: k.joints, at: nicAt{target["region"], target["nicRef"]}}
}

// In returns the context that the request's calls have.
func (r *Requester) In(ctx context.Context) context.Context {
	return context.WithValue(ctx, requesterKey{}, r)
}

func requesterOf(ctx context.Context) *Requester {
	r, _ := ctx.Value(requesterKey{}).(*Requester)
	return r
}

// Begin has others wait for the request's calls.
func (r *Requester) Begin() {
	if r.at.nic == "" {
		return
	}
	r.all.mu.Lock()
	defer r.all.mu.Unlock()
	r.of = r.all.about(r.at)
	r.of.known[r] = true
	r.of.changes()
}

// Over has nobody wait for the request any more.
func (r *Requester) Over() {
	r.all.mu.Lock()
	defer r.all.mu.Unlock()
	if r.of != nil {
		delete(r.of.known, r)
		r.of.changes()
	}
}

// goesApart notes that the request of a context makes a call of its own.
func goesApart(ctx context.Context) {
	r := requesterOf(ctx)
	if r == nil || ctx.Value(membersKey{}) != nil {
		return
	}
	r.all.mu.Lock()
	defer r.all.mu.Unlock()
	if r.moves(apart); r.of != nil {
		r.of.changes()
	}
}

// moves notes where a request is, if it is one. The joints are locked.
func (r *Requester) moves(to whereabouts) {
	if r != nil {
		r.whereabouts = to
	}
}

// wasCalled notes that a joint call is over, or that the request is to ask alone.
func (r *Requester) wasCalled() {
	if r != nil {
		r.calls++
		r.whereabouts = coming
	}
}

// stage is how many joint calls the request has had; 0 for one that is not known.
func (r *Requester) stage() int {
	if r == nil {
		return 0
	}
	return r.calls
}

// awaited are the requests that a call waits for whose members have had so many.
func (n *nicJoints) awaited(calls int) (all []*Requester) {
	for r := range n.known {
		if r.calls < calls && r.whereabouts != apart || r.calls == calls && r.whereabouts == coming {
			all = append(all, r)
		}
	}
	return all
}
