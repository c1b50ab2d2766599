package members

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/pkg/ledger/table"
	"aws-provider-executor/pkg/protocol"
)

const account, region = "111122223333", "eu-west-1"

func everybody(string) bool { return true }

// but is who is alive where these are not.
func but(dead ...string) func(string) bool {
	return func(instance string) bool { return !slices.Contains(dead, instance) }
}

// group is a group in a table of its own.
func group() (*Group, *table.Memory) {
	m := table.NewMemory()
	return New(m, account, region, "edge"), m
}

// ready makes instances ready members; i-a has the address of "a".
func ready(t *testing.T, g *Group, instances ...string) {
	t.Helper()
	for _, i := range instances {
		if err := errors.Join(g.Join(t.Context(), i, addressOf(i)), g.Ready(t.Context(), i)); err != nil {
			t.Fatal(err)
		}
	}
}

func addressOf(instance string) string { return "10.0.0." + strings.TrimPrefix(instance, "i-") }

func elect(t *testing.T, g *Group, alive func(string) bool) Primary {
	t.Helper()
	p, err := g.Elect(t.Context(), alive)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// told is a group as one line.
func told(t *testing.T, g *Group) string {
	t.Helper()
	all, p, err := g.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var words []string
	for _, m := range all {
		words = append(words, m.Instance+"="+m.State)
	}
	return fmt.Sprintf("%s; %s in %d, %t", strings.Join(words, " "), p.Instance, p.Epoch, p.Confirmed)
}

func refused(t *testing.T, err error, class protocol.FailureClass) {
	t.Helper()
	var f *protocol.Failure
	if !errors.As(err, &f) || f.Class != class {
		t.Errorf("it answers %v, want %s", err, class)
	}
}

// is holds a group against one line.
func (w world) is(want string) {
	w.Helper()
	if got := told(w.T, w.Group); got != want {
		w.Errorf("the group is %q, want %q", got, want)
	}
}

// elects holds who is elected.
func (w world) elects(alive func(string) bool, instance string, epoch int64) Primary {
	w.Helper()
	p := elect(w.T, w.Group, alive)
	if p.Instance != instance || p.Epoch != epoch || p.Confirmed {
		w.Errorf("elected is %v, want %q in %d", p, instance, epoch)
	}
	return p
}

// goes asks for no error.
func (w world) goes(errs ...error) {
	w.Helper()
	if err := errors.Join(errs...); err != nil {
		w.Error(err)
	}
}

type world struct {
	*testing.T
	*Group
}

// TestLifeOfAGroup: members come, one is elected and confirmed, and goes.
func TestLifeOfAGroup(t *testing.T) {
	g, _ := group()
	w, ctx := world{t, g}, t.Context()
	w.elects(everybody, "", 0)
	w.is(";  in 0, false")
	w.goes(g.Join(ctx, "i-2", addressOf("i-2")))
	w.elects(everybody, "", 0)
	ready(t, g, "i-2", "i-1", "i-3")
	p := w.elects(everybody, "i-1", 1)
	if again := elect(t, g, everybody); again != p || p.Address != "10.0.0.1" {
		t.Errorf("elected again is %v", again)
	}
	w.goes(g.Confirm(ctx, p), g.Confirm(ctx, p))
	w.is("i-1=ready i-2=ready i-3=ready; i-1 in 1, true")
	w.goes(g.Terminating(ctx, "i-1"))
	w.is("i-1=terminating i-2=ready i-3=ready;  in 2, false")
	refused(t, g.Confirm(ctx, p), protocol.Conflict)
	w.elects(everybody, "i-2", 3)
	w.goes(g.Leave(ctx, "i-1"), g.Leave(ctx, "i-1"))
	w.is("i-2=ready i-3=ready; i-2 in 3, false")
	w.goes(g.Leave(ctx, "i-2"))
	w.is("i-3=ready;  in 4, false")
	world{t, New(g.backend, account, region, "edge/2")}.is(";  in 0, false")
}

// TestRefusedMembers: nothing is changed by what can't be.
func TestRefusedMembers(t *testing.T) {
	g, m := group()
	ctx := t.Context()
	ready(t, g, "i-1")
	if err := g.Terminating(ctx, "i-2"); err != nil {
		t.Fatal(err)
	}
	p := elect(t, g, everybody)
	before := m.Snapshot()
	refused(t, g.Join(ctx, "i-2", "10.0.0.2"), protocol.Conflict)
	refused(t, g.Ready(ctx, "i-2"), protocol.Conflict)
	refused(t, g.Ready(ctx, "i-3"), protocol.Conflict)
	refused(t, g.Join(ctx, "", "10.0.0.2"), protocol.InvalidRequest)
	for _, other := range []Primary{{}, {Instance: "i-2", Address: "10.0.0.2", Epoch: p.Epoch},
		{Instance: p.Instance, Address: p.Address, Epoch: p.Epoch - 1},
		{Instance: p.Instance, Address: p.Address, Epoch: p.Epoch + 1},
		{Instance: p.Instance, Address: "10.0.0.9", Epoch: p.Epoch}} {
		if g.Confirm(ctx, other) == nil {
			t.Errorf("%v was confirmed", other)
		}
	}
	for _, again := range []error{g.Join(ctx, "i-1", addressOf("i-1")), g.Ready(ctx, "i-1"),
		g.Terminating(ctx, "i-2"), g.Leave(ctx, "i-3")} {
		if again != nil {
			t.Errorf("what is so already fails: %v", again)
		}
	}
	if diff := cmp.Diff(before, m.Snapshot()); diff != "" {
		t.Errorf("the table changed:\n%s", diff)
	}
}

// TestAnotherAddress: after a reboot an instance has another address. The record of the primary
// never has the id of one and the address of another (L7).
func TestAnotherAddress(t *testing.T) {
	g, _ := group()
	ready(t, g, "i-1", "i-2")
	p := elect(t, g, everybody)
	if err := errors.Join(g.Confirm(t.Context(), p), g.Join(t.Context(), "i-1", "10.0.0.9"),
		g.Join(t.Context(), "i-2", "10.0.0.8")); err != nil {
		t.Fatal(err)
	}
	want := Primary{Instance: "i-1", Address: "10.0.0.9", Epoch: 2}
	if got := elect(t, g, everybody); got != want {
		t.Errorf("the primary is %v, want %v", got, want)
	}
	refused(t, g.Confirm(t.Context(), p), protocol.Conflict)
}

// TestL5TwoJoinAtOnce: two launches read an empty group, and neither is lost.
func TestL5TwoJoinAtOnce(t *testing.T) {
	m := table.NewMemory()
	both := &meeting{Memory: m, wait: make(chan struct{}), of: 2}
	var all sync.WaitGroup
	for _, i := range []string{"i-1", "i-2"} {
		all.Go(func() {
			if err := New(both, account, region, "edge").Join(t.Context(), i, addressOf(i)); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	got := told(t, New(m, account, region, "edge"))
	if got != "i-1=joining i-2=joining;  in 0, false" {
		t.Errorf("the group is %q", got)
	}
}

// meeting is a table whose first readers all read before one of them goes on.
type meeting struct {
	*table.Memory
	mu   sync.Mutex
	of   int
	wait chan struct{}
}

func (m *meeting) Read(
	ctx context.Context, p []table.Place,
) (map[table.Place]table.Item, error) {
	items, err := m.Memory.Read(ctx, p)
	m.mu.Lock()
	if m.of--; m.of == 0 {
		close(m.wait)
	}
	m.mu.Unlock()
	<-m.wait
	return items, err
}

// unread is a table that some calls can't be made of.
type unread struct {
	*table.Memory
	read, list, write error
}

func (u unread) Read(ctx context.Context, p []table.Place) (map[table.Place]table.Item, error) {
	if u.read != nil {
		return nil, u.read
	}
	return u.Memory.Read(ctx, p)
}

func (u unread) List(ctx context.Context, p string) ([]string, error) {
	if u.list != nil {
		return nil, u.list
	}
	return u.Memory.List(ctx, p)
}

func (u unread) Write(ctx context.Context, c []table.Change) error {
	if u.write != nil {
		return u.write
	}
	return u.Memory.Write(ctx, c)
}

// TestL6UnreadIsNotAbsent: a table that can't be read elects nobody and loses no member, whatever
// can't be read of it.
func TestL6UnreadIsNotAbsent(t *testing.T) {
	throttled := protocol.Refuse(protocol.Throttled, "too many at once")
	for name, broken := range map[string]unread{
		"an item": {read: throttled}, "the list": {list: throttled}, "a write": {write: throttled},
	} {
		t.Run(name, func(t *testing.T) {
			g, m := group()
			ready(t, g, "i-1", "i-2")
			elect(t, g, everybody)
			if err := g.Join(t.Context(), "i-3", addressOf("i-3")); err != nil {
				t.Fatal(err)
			}
			before := m.Snapshot()
			broken.Memory = m
			b := New(broken, account, region, "edge")
			_, err := b.Elect(t.Context(), but("i-1"))
			refused(t, err, protocol.StateStore)
			if f := err.(*protocol.Failure); !f.MayRetry() || !strings.Contains(f.Message, "too many") {
				t.Errorf("it says %v", f)
			}
			if broken.list == nil {
				for _, err := range []error{b.Join(t.Context(), "i-4", "10.0.0.4"),
					b.Ready(t.Context(), "i-3"), b.Terminating(t.Context(), "i-1"),
					b.Leave(t.Context(), "i-1")} {
					refused(t, err, protocol.StateStore)
				}
				_, err := b.Looked(t.Context(), "i-1", false)
				refused(t, err, protocol.StateStore)
			}
			if broken.write == nil {
				_, _, err := b.Read(t.Context())
				refused(t, err, protocol.StateStore)
			}
			if diff := cmp.Diff(before, m.Snapshot()); diff != "" {
				t.Errorf("the table changed:\n%s", diff)
			}
		})
	}
}

// TestL6ForeignItems: an item that is not understood is named, and nobody is elected.
func TestL6ForeignItems(t *testing.T) {
	at := func(partition, sort string) table.Place {
		return table.Place{Partition: partition + "/" + account + "/" + region + "/edge", Sort: sort}
	}
	for name, c := range map[string]struct {
		table.Place
		record string
	}{
		"no JSON":        {at("member", "i-1"), "x"},
		"another member": {at("member", "i-1"), `{"form":1,"instance":"i-2","state":"ready"}`},
		"another state":  {at("member", "i-1"), `{"form":1,"instance":"i-1","state":"gone"}`},
		"another form":   {at("member", "i-1"), `{"form":2,"instance":"i-1","state":"ready"}`},
		"unknown field":  {at("member", "i-1"), `{"form":1,"instance":"i-1","state":"ready","x":1}`},
		"two records":    {at("member", "i-1"), `{"form":1,"instance":"i-1","state":"ready"}{}`},
		"missed below 0": {at("member", "i-1"),
			`{"form":1,"instance":"i-1","state":"ready","missed":-1}`},
		"nothing":         {at("member", "i-1"), ``},
		"primary, no end": {at("primary", "-"), `{"form":1,"instance":"i-2"`},
		"primary, epoch":  {at("primary", "-"), `{"form":1,"instance":"i-2","epoch":0}`},
	} {
		t.Run(name, func(t *testing.T) {
			g, m := group()
			ready(t, g, "i-2")
			err := m.Write(t.Context(), []table.Change{
				{Place: c.Place, Record: []byte(c.record), Revision: 7}})
			if err != nil {
				t.Fatal(err)
			}
			before := m.Snapshot()
			_, err = g.Elect(t.Context(), everybody)
			refused(t, err, protocol.StateStore)
			if err == nil || !strings.Contains(err.Error(), c.Partition) {
				t.Errorf("it says %v", err)
			}
			if diff := cmp.Diff(before, m.Snapshot()); diff != "" {
				t.Errorf("the table changed:\n%s", diff)
			}
		})
	}
}

// TestL7FourLaunchesAtOnce: of four that are launched at once one is the primary, in every one of
// 1,000 runs. All four hear of the same one, elected once.
func TestL7FourLaunchesAtOnce(t *testing.T) {
	for run := range 1000 {
		m := table.NewMemory()
		heard := make([]Primary, 4)
		var all sync.WaitGroup
		for n := range heard {
			all.Go(func() {
				g, i := New(m, account, region, "edge"), fmt.Sprintf("i-%d", n+1)
				err := errors.Join(g.Join(t.Context(), i, addressOf(i)), g.Ready(t.Context(), i))
				p, failed := g.Elect(t.Context(), everybody)
				if err = errors.Join(err, failed); err != nil {
					t.Error(err)
				}
				heard[n] = p
			})
		}
		all.Wait()
		_, p, err := New(m, account, region, "edge").Read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if p.Epoch != 1 || p.Address != addressOf(p.Instance) || p.Instance == "" ||
			slices.ContainsFunc(heard, func(h Primary) bool { return h != p }) {
			t.Fatalf("run %d: recorded is %v, heard were %v", run, p, heard)
		}
	}
}

// TestL8BothTerminate: the primary and another one terminate together. Whatever order their
// handlers come in, no record names one that is gone.
func TestL8BothTerminate(t *testing.T) {
	g, m := group()
	ready(t, g, "i-1", "i-2")
	elect(t, g, everybody)
	// The handler of i-1 has read that i-2 is ready when that begins to terminate.
	between := &beforeWrite{Memory: m, do: func() {
		if err := g.Terminating(t.Context(), "i-2"); err != nil {
			t.Error(err)
		}
	}}
	if err := g.Terminating(t.Context(), "i-1"); err != nil {
		t.Fatal(err)
	}
	p, err := New(between, account, region, "edge").Elect(t.Context(), everybody)
	if err != nil || p.Instance != "" {
		t.Errorf("elected is %v (%v)", p, err)
	}
	if got := told(t, g); got != "i-1=terminating i-2=terminating;  in 2, false" {
		t.Errorf("the group is %q", got)
	}
}

// beforeWrite is a table that something happens to before its first write.
type beforeWrite struct {
	*table.Memory
	once sync.Once
	do   func()
}

func (b *beforeWrite) Write(ctx context.Context, c []table.Change) error {
	b.once.Do(b.do)
	return b.Memory.Write(ctx, c)
}

// TestAPrimaryElectedWhileRead: an election whose reading of a member is older than that of the
// primary does not depose who was elected between them.
func TestAPrimaryElectedWhileRead(t *testing.T) {
	g, m := group()
	ready(t, g, "i-1")
	if err := g.Join(t.Context(), "i-0", addressOf("i-0")); err != nil {
		t.Fatal(err)
	}
	torn := &tornRead{Memory: m, between: func() {
		ready(t, g, "i-0")
		elect(t, g, everybody)
	}}
	p, err := New(torn, account, region, "edge").Elect(t.Context(), everybody)
	want := Primary{Instance: "i-0", Address: "10.0.0.0", Epoch: 1}
	if err != nil || p != want {
		t.Errorf("elected is %v (%v), want %v", p, err, want)
	}
}

// tornRead is a table whose first reading reads the primary later than the members.
type tornRead struct {
	*table.Memory
	once    sync.Once
	between func()
}

func (r *tornRead) Read(
	ctx context.Context, places []table.Place,
) (map[table.Place]table.Item, error) {
	items, err := r.Memory.Read(ctx, places)
	r.once.Do(func() {
		r.between()
		primary, _ := r.Memory.Read(ctx, places[:1])
		items[places[0]] = primary[places[0]]
	})
	return items, err
}

// TestL10AnotherIsElected where the primary is dead without an event, or stands still. One that
// answers again counts again.
func TestL10AnotherIsElected(t *testing.T) {
	g, _ := group()
	w := world{t, g}
	ready(t, g, "i-1", "i-2", "i-3")
	w.elects(everybody, "i-1", 1)
	w.elects(but("i-1"), "i-2", 2)
	look := func(instance string, answered bool, want int) {
		t.Helper()
		missed, err := g.Looked(t.Context(), instance, answered)
		if err != nil || missed != want {
			t.Errorf("%s missed %d (%v), want %d", instance, missed, err, want)
		}
	}
	for n := range MaxMissed {
		w.elects(but("i-1"), "i-2", 2)
		look("i-2", false, n+1)
	}
	look("i-9", false, 0)
	w.elects(but("i-1"), "i-3", 3)
	look("i-2", true, 0)
	look("i-2", true, 0)
	w.elects(but("i-1", "i-3"), "i-2", 4)
	look("i-2", false, 1)
	w.elects(but("i-2"), "i-1", 5)
	w.elects(but("i-1", "i-2", "i-3"), "", 6)
	w.elects(but("i-1", "i-2", "i-3"), "", 6)
	w.is("i-1=ready i-2=ready i-3=ready;  in 6, false")
}

// TestOneThatAnswersIsElectedFirst.
func TestOneThatAnswersIsElectedFirst(t *testing.T) {
	g, _ := group()
	ready(t, g, "i-1", "i-2")
	if _, err := g.Looked(t.Context(), "i-1", false); err != nil {
		t.Fatal(err)
	}
	w := world{t, g}
	w.elects(everybody, "i-2", 1)
	// What did not answer before it was ready counts as new.
	w.goes(g.Join(t.Context(), "i-0", addressOf("i-0")))
	for range MaxMissed {
		if _, err := g.Looked(t.Context(), "i-0", false); err != nil {
			t.Fatal(err)
		}
	}
	w.goes(g.Ready(t.Context(), "i-0"))
	w.elects(but("i-2"), "i-0", 2)
}

// TestOthersChangeItAllTheTime: who never gets its turn says so, and may be asked again.
func TestOthersChangeItAllTheTime(t *testing.T) {
	g, m := group()
	ready(t, g, "i-1")
	ctx, cancel := context.WithCancel(t.Context())
	busy := New(unread{Memory: m, write: table.ErrMoved}, account, region, "edge")
	busy.pause = func(_ context.Context, attempt int) bool { return attempt < 5 }
	_, err := busy.Elect(ctx, everybody)
	refused(t, err, protocol.Conflict)
	if f := err.(*protocol.Failure); !f.MayRetry() {
		t.Error("it may not be tried again")
	}
	cancel()
	if pause(ctx, 1) {
		t.Error("it goes on after its context")
	}
}
