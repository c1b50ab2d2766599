// Package members keeps which instances are members of a group, and which of them is its primary,
// in a table that handlers share.
//
// Each member is one item, and the primary is one. It holds at every moment that the primary's item
// names no member but a ready one, with the address that this member has: each write that could
// break that rests on both items as they were read. So two handlers never both elect, and what is
// dead to the table is never recorded as the primary.
//
// The epoch grows whenever the primary changes, if only to nobody. What rests on an older epoch is
// refused.
//
// An error tells nothing about a group. What could not be read is never taken for absent, and
// nobody is elected then.
package members

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"aws-provider-executor/pkg/ledger/table"
	"aws-provider-executor/pkg/protocol"
)

// The states of a member.
const (
	// Joining is a member that is not configured yet.
	Joining = "joining"
	// Ready is one that may be the primary.
	Ready = "ready"
	// Terminating is one that leaves. It never comes back.
	Terminating = "terminating"
)

// Member is an instance of a group.
type Member struct {
	Instance, Address string
	// State is Joining, Ready or Terminating.
	State string
	// Missed is how many looks in a row the member did not answer.
	Missed int
	// Revision changes with every write of the member.
	Revision int64
}

// Primary is the member that the others follow. Without an Instance there is none.
type Primary struct {
	Instance, Address string
	// Epoch is greater than that of every primary before. It is 0 if there was never one.
	Epoch int64
	// Confirmed reports whether the appliance itself said that it is the primary.
	Confirmed bool
}

// MaxMissed is how many looks in a row a member may leave unanswered before it stands still: it is
// not elected then, and is the primary no more once somebody elects.
const MaxMissed = 3

// Group is a group whose members are in a table. It is safe for concurrent use.
type Group struct {
	backend table.Backend
	name    string
	// members is the partition of the members, primary the place of the primary's item.
	members string
	primary table.Place

	// first draws the first revision of an item, and pause waits before the next attempt.
	first func() int
	pause func(ctx context.Context, attempt int) bool
}

// New returns a group. Nothing is sent yet.
func New(backend table.Backend, account, region, group string) *Group {
	id := account + "/" + region + "/" + group
	return &Group{
		backend: backend, name: group, members: "member/" + id,
		primary: table.Place{Partition: "primary/" + id, Sort: "-"},
		// An item that was removed and made again must not look like the one that it was.
		first: func() int { return 1 + rand.IntN(1<<30) },
		pause: pause,
	}
}

// Read returns all members, in the order of their instances, and the primary.
func (g *Group) Read(ctx context.Context) ([]Member, Primary, error) {
	s, err := g.readAll(ctx)
	if err != nil {
		return nil, Primary{}, err
	}
	return s.sorted(), s.primary.Primary, nil
}

// Join makes an instance a member, which is joining. One that is a member already stays in its
// state, with this address from now on. One that terminates is refused.
func (g *Group) Join(ctx context.Context, instance, address string) error {
	return g.change(ctx, instance, func(s snapshot) ([]table.Change, error) {
		m, there := s.members[instance]
		switch {
		case !there:
			m = Member{Instance: instance, Address: address, State: Joining}
			return []table.Change{g.put(m)}, nil
		case m.State == Terminating:
			return nil, protocol.Refuse(protocol.Conflict,
				"%s terminates, so it can't join the group %s; nothing was changed", instance, g.name)
		case m.Address == address:
			return nil, nil
		}
		m.Address = address
		changes := []table.Change{g.put(m)}
		if s.primary.Instance == instance {
			// The appliance has not said that it is the primary at this address.
			changes = append(changes, g.putPrimary(s.primary, instance, address))
		} else {
			changes = append(changes, g.unchanged(s.primary))
		}
		return changes, nil
	})
}

// Ready says that a member may be the primary from now on. One that terminates, or that did not
// join, is refused.
func (g *Group) Ready(ctx context.Context, instance string) error {
	return g.change(ctx, instance, func(s snapshot) ([]table.Change, error) {
		m, there := s.members[instance]
		switch {
		case !there:
			return nil, protocol.Refuse(protocol.Conflict,
				"%s is no member of the group %s; nothing was changed; join first", instance, g.name)
		case m.State == Terminating:
			return nil, protocol.Refuse(protocol.Conflict,
				"%s terminates, so it can't be ready in the group %s; nothing was changed", instance,
				g.name)
		case m.State == Ready:
			return nil, nil
		}
		m.State, m.Missed = Ready, 0
		return []table.Change{g.put(m)}, nil
	})
}

// Terminating says that an instance leaves. In the same moment it is the primary no more. One that
// is no member becomes one that terminates: a launch that is still under way can't make it join.
func (g *Group) Terminating(ctx context.Context, instance string) error {
	return g.change(ctx, instance, func(s snapshot) ([]table.Change, error) {
		m := s.members[instance]
		if m.State == Terminating {
			return nil, nil
		}
		m.Instance, m.State = instance, Terminating
		return []table.Change{g.put(m), g.without(s.primary, instance)}, nil
	})
}

// Leave removes a member. In the same moment it is the primary no more.
func (g *Group) Leave(ctx context.Context, instance string) error {
	return g.change(ctx, instance, func(s snapshot) ([]table.Change, error) {
		m, there := s.members[instance]
		if !there {
			return nil, nil
		}
		remove := table.Change{Place: g.place(instance), If: is(int(m.Revision)), Delete: true}
		return []table.Change{remove, g.without(s.primary, instance)}, nil
	})
}

// Looked notes whether a member answered when somebody looked, and returns for how many looks in a
// row it did not. What is no member answers nothing.
func (g *Group) Looked(
	ctx context.Context, instance string, answered bool,
) (missed int, err error) {
	err = g.change(ctx, instance, func(s snapshot) ([]table.Change, error) {
		m, there := s.members[instance]
		missed = 0
		if !there || answered && m.Missed == 0 {
			return nil, nil
		}
		if m.Missed++; answered {
			m.Missed = 0
		}
		missed = m.Missed
		return []table.Change{g.put(m)}, nil
	})
	return missed, err
}

// Elect returns the primary. It elects one where there is none, or where the one that is recorded
// is not alive or stands still. Only a ready member that is alive and does not stand still is
// elected. If there is none, nobody is the primary, and that is recorded.
//
// Whether an instance is alive must be known of every member: who could not find out must not
// elect. Of several who elect at once one succeeds, and all return the same primary.
func (g *Group) Elect(
	ctx context.Context, alive func(instance string) bool,
) (Primary, error) {
	var elected Primary
	err := g.retry(ctx, g.readAll, func(s snapshot) ([]table.Change, error) {
		fit := func(m Member) bool {
			return m.State == Ready && m.Missed < MaxMissed && alive(m.Instance)
		}
		was := s.primary
		elected = was.Primary
		old, there := s.members[was.Instance]
		if was.Instance != "" && there && fit(old) {
			return nil, nil
		}
		candidates := slices.DeleteFunc(s.sorted(), func(m Member) bool { return !fit(m) })
		if len(candidates) == 0 && was.Instance == "" {
			return nil, nil
		}
		var next Member
		if len(candidates) > 0 {
			next = slices.MinFunc(candidates, func(a, b Member) int { return a.Missed - b.Missed })
		}
		changes := []table.Change{g.putPrimary(was, next.Instance, next.Address)}
		elected = Primary{Instance: next.Instance, Address: next.Address, Epoch: was.Epoch + 1}
		if next.Instance != "" {
			changes = append(changes,
				table.Change{Place: g.place(next.Instance), If: is(int(next.Revision))})
		}
		if was.Instance != "" && was.Instance != next.Instance {
			// Its item may have been read before it became the primary.
			changes = append(changes,
				table.Change{Place: g.place(was.Instance), If: is(int(old.Revision))})
		}
		return changes, nil
	})
	if err != nil {
		return Primary{}, err
	}
	return elected, nil
}

// Confirm records that the appliance itself was read to be the primary. It is refused if somebody
// else is the primary by now, or if the epoch is another one.
func (g *Group) Confirm(ctx context.Context, p Primary) error {
	return g.change(ctx, p.Instance, func(s snapshot) ([]table.Change, error) {
		now := s.primary
		switch {
		case p.Instance == "" || now.Instance != p.Instance || now.Epoch != p.Epoch ||
			now.Address != p.Address:
			return nil, protocol.Refuse(protocol.Conflict,
				"%s at %s is not the primary of the group %s in the epoch %d any more: it is %s in the "+
					"epoch %d; nothing was confirmed; elect again",
				protocol.Quote(p.Instance), protocol.Quote(p.Address), g.name, p.Epoch,
				protocol.Quote(now.Instance), now.Epoch)
		case now.Confirmed:
			return nil, nil
		}
		now.Confirmed = true
		return []table.Change{g.write(now)}, nil
	})
}

// snapshot is what was read of a group. Its items may be of different moments.
type snapshot struct {
	members map[string]Member
	primary recorded
}

// recorded is the primary with the revision of its item.
type recorded struct {
	Primary
	revision int
}

// sorted are the members in the order of their instances.
func (s snapshot) sorted() []Member {
	all := make([]Member, 0, len(s.members))
	for _, m := range s.members {
		all = append(all, m)
	}
	slices.SortFunc(all, func(a, b Member) int { return strings.Compare(a.Instance, b.Instance) })
	return all
}

// change changes the items of one member and of the primary.
func (g *Group) change(
	ctx context.Context, instance string, decide func(snapshot) ([]table.Change, error),
) error {
	if instance == "" {
		return protocol.Refuse(protocol.InvalidRequest, "an instance without an id is no member")
	}
	read := func(ctx context.Context) (snapshot, error) { return g.read(ctx, instance) }
	return g.retry(ctx, read, decide)
}

// retry reads and decides until what was decided is written, or nothing is to be.
func (g *Group) retry(
	ctx context.Context, read func(context.Context) (snapshot, error),
	decide func(snapshot) ([]table.Change, error),
) error {
	for attempt := 1; ; attempt++ {
		s, err := read(ctx)
		if err != nil {
			return err
		}
		changes, err := decide(s)
		if err != nil || len(changes) == 0 {
			return err
		}
		for i := range changes {
			if c := &changes[i]; c.Record != nil {
				c.If = is(c.Revision)
				if c.Revision++; c.Revision == 1 {
					c.Revision = g.first()
				}
			}
		}
		err = g.backend.Write(ctx, changes)
		switch {
		case err == nil:
			return nil
		case !errors.Is(err, table.ErrMoved):
			return g.broken(err)
		case !g.pause(ctx, attempt):
			again := true
			f := protocol.Refuse(protocol.Conflict,
				"others changed the group %s all the time; nothing was changed; try again", g.name)
			f.Retryable = &again
			return f
		}
	}
}

// readAll reads all members and the primary.
func (g *Group) readAll(ctx context.Context) (snapshot, error) {
	instances, err := g.backend.List(ctx, g.members)
	if err != nil {
		return snapshot{}, g.broken(err)
	}
	return g.read(ctx, instances...)
}

// read reads some members and the primary. Who is no member is not in the snapshot.
func (g *Group) read(ctx context.Context, instances ...string) (snapshot, error) {
	places := []table.Place{g.primary}
	for _, instance := range instances {
		places = append(places, g.place(instance))
	}
	items, err := g.backend.Read(ctx, places)
	if err != nil {
		return snapshot{}, g.broken(err)
	}
	s := snapshot{members: map[string]Member{}}
	if s.primary, err = decodePrimary(items[g.primary]); err != nil {
		return snapshot{}, g.foreign(g.primary, err)
	}
	for _, instance := range instances {
		m, there, err := decodeMember(instance, items[g.place(instance)])
		if err != nil {
			return snapshot{}, g.foreign(g.place(instance), err)
		}
		if there {
			s.members[instance] = m
		}
	}
	return s, nil
}

func (g *Group) place(instance string) table.Place {
	return table.Place{Partition: g.members, Sort: instance}
}

// is asks for a revision.
func is(revision int) table.Condition { return table.Condition{Revision: &revision} }

// put is a member's item from now on, in the place of the one that was read. Revision is that of
// the one that was read, until it is written.
func (g *Group) put(m Member) table.Change {
	return table.Change{Place: g.place(m.Instance), Revision: int(m.Revision),
		Record: encode(memberRecord{form, m.Instance, m.Address, m.State, m.Missed})}
}

// putPrimary makes another one the primary, in a new epoch. Nobody is one without an instance.
func (g *Group) putPrimary(was recorded, instance, address string) table.Change {
	was.Primary = Primary{Instance: instance, Address: address, Epoch: was.Epoch + 1}
	return g.write(was)
}

// write is the primary's item from now on, as put is a member's.
func (g *Group) write(p recorded) table.Change {
	return table.Change{Place: g.primary, Revision: p.revision,
		Record: encode(primaryRecord{form, p.Instance, p.Address, p.Epoch, p.Confirmed})}
}

// without makes nobody the primary if it is this instance. Else it stays who is.
func (g *Group) without(was recorded, instance string) table.Change {
	if was.Instance == instance {
		return g.putPrimary(was, "", "")
	}
	return g.unchanged(was)
}

// unchanged asks for the primary's item as it was read.
func (g *Group) unchanged(was recorded) table.Change {
	return table.Change{Place: g.primary, If: is(was.revision)}
}

// form is that of the records.
const form = 1

type memberRecord struct {
	Form     int    `json:"form"`
	Instance string `json:"instance"`
	Address  string `json:"address"`
	State    string `json:"state"`
	Missed   int    `json:"missed"`
}

type primaryRecord struct {
	Form      int    `json:"form"`
	Instance  string `json:"instance"`
	Address   string `json:"address"`
	Epoch     int64  `json:"epoch"`
	Confirmed bool   `json:"confirmed"`
}

func encode(record any) []byte {
	data, err := json.Marshal(record)
	if err != nil {
		panic(err) // Texts and numbers always have a form.
	}
	return data
}

// decode reads a record, and reports whether there is one. One that is not understood is an error.
func decode(i table.Item, into any, its *int) (bool, error) {
	if i.Revision == 0 && len(i.Record) == 0 {
		return false, nil
	}
	d := json.NewDecoder(bytes.NewReader(i.Record))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return false, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return false, errors.New("it has something behind its end")
	}
	if *its != form || i.Revision <= 0 {
		return false, fmt.Errorf("its form is %d, and %d is known", *its, form)
	}
	return true, nil
}

func decodeMember(instance string, i table.Item) (m Member, there bool, err error) {
	var r memberRecord
	if there, err = decode(i, &r, &r.Form); !there || err != nil {
		return Member{}, false, err
	}
	known := r.State == Joining || r.State == Ready || r.State == Terminating
	if r.Instance != instance || !known || r.Missed < 0 {
		return Member{}, false, fmt.Errorf("it is of the instance %s in the state %s",
			protocol.Quote(r.Instance), protocol.Quote(r.State))
	}
	return Member{Instance: r.Instance, Address: r.Address, State: r.State, Missed: r.Missed,
		Revision: int64(i.Revision)}, true, nil
}

func decodePrimary(i table.Item) (recorded, error) {
	var r primaryRecord
	there, err := decode(i, &r, &r.Form)
	if err == nil && there && r.Epoch <= 0 {
		err = fmt.Errorf("its epoch is %d", r.Epoch)
	}
	if err != nil {
		return recorded{}, err
	}
	p := Primary{Instance: r.Instance, Address: r.Address, Epoch: r.Epoch, Confirmed: r.Confirmed}
	return recorded{p, i.Revision}, nil
}

// broken is the answer where the table could not be asked.
func (g *Group) broken(err error) error {
	f := protocol.Refuse(protocol.StateStore,
		"cannot use the table with the members of the group %s: %s; nobody was elected", g.name, err)
	var cause *protocol.Failure
	if errors.As(err, &cause) {
		f.Message = "the table with the members of the group " + g.name + " can't be used: " +
			cause.Message + "; nobody was elected"
		f.Facts = cause.Facts
		again := cause.MayRetry()
		f.Retryable = &again
	}
	return f
}

// foreign is the answer where an item is not understood.
func (g *Group) foreign(at table.Place, err error) error {
	return protocol.Refuse(protocol.StateStore,
		"cannot trust the item %s, %s of the members of the group %s: %s; nobody was elected; repair "+
			"the table from a backup, or remove the item", at.Partition, at.Sort, g.name, err)
}

// pause waits a little, longer with each attempt, and reports whether the context let it.
func pause(ctx context.Context, attempt int) bool {
	t := time.NewTimer(rand.N(time.Duration(min(attempt, 20)) * 10 * time.Millisecond))
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
