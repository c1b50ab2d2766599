package lifecycle

import (
	"fmt"
	"os"
	"testing"
)

// The model: two processes that handle the events of one instance, each of which a queue gives out
// as often as it likes until it is deleted, to both processes at once, in any order. Every move is
// two: it is begun, and it takes effect. Between any two of them a process may be killed, or lose
// its claim, the hook may run into its time-out, and the group may terminate the instance. What a
// process does next is decided by the functions that ship.

// modelSteps is how many steps the launch has.
const modelSteps = 2

const allMade = 1<<modelSteps - 1

// asg is where Auto Scaling has the instance.
type asg int8

const (
	pendingWait asg = iota
	inService
	terminatingWait
	gone
)

// proc is a process of the model.
type proc struct {
	running bool
	known   known
	// begun is the move that was begun; it took effect if flying is false.
	begun  move
	flying bool
	// holds is whether it held the claim when the move was begun.
	holds bool
	// listed is what an undo found to be undone.
	listed int8
	// launch and terminate are the record as it was read.
	launch, terminate Progress
}

// model is the whole world.
type model struct {
	made              int8
	at                asg
	launch, terminate Progress
	claimant          int8
	deleted           [2]bool
	// heard is set once CONTINUE took effect at the launch hook.
	heard bool
	procs [2]proc
	// killed and stolen count what the world did to processes, as far as that is bounded.
	killed, stolen int8
	// taken is set once somebody took away by hand what a step made.
	taken bool
}

// world is what may happen in one exploration.
type rules struct {
	kills, thefts int8
	undoExpired   bool
	failing       bool
	// byHand has somebody take away by hand what a step made, while nobody is at work.
	byHand bool
	// Broken turns a rule of the machine off, to see that the model notices.
	broken string
}

func (r rules) String() string {
	return fmt.Sprintf("kills=%d thefts=%d undoExpired=%v failing=%v byHand=%v broken=%q", r.kills,
		r.thefts, r.undoExpired, r.failing, r.byHand, r.broken)
}

// next are all worlds that may follow, and why the last step was wrong.
func (r rules) next(m model) (all []model, wrong string) {
	add := func(n model) { all = append(all, n) }
	// The group.
	switch m.at {
	case pendingWait, inService:
		n := m
		n.at = terminatingWait
		add(n)
	case terminatingWait:
		n := m
		n.at = gone
		add(n)
	}
	if m.at == pendingWait {
		n := m
		n.at = inService
		add(n)
	}
	if n, may := r.takenByHand(m); may {
		add(n)
	}
	for i := range m.procs {
		if !m.procs[i].running {
			for k, kind := range []Kind{Launch, Terminate} {
				if m.deleted[k] || kind == Terminate && m.at < terminatingWait {
					continue
				}
				n := m
				n.procs[i] = proc{running: true, known: known{kind: kind, steps: modelSteps,
					undoExpired: r.undoExpired}}
				add(n)
			}
			continue
		}
		if m.killed < r.kills {
			n := m
			n.killed++
			n.stop(i)
			add(n)
		}
		if m.procs[i].flying {
			after, bad := r.land(m, i)
			if bad != "" {
				return nil, bad
			}
			all = append(all, after...)
			continue
		}
		add(r.begin(m, i))
	}
	return all, ""
}

// takenByHand is the world after somebody took away what the first step made.
func (r rules) takenByHand(m model) (_ model, may bool) {
	may = r.byHand && m.made&1 != 0 && m.at == pendingWait && !m.procs[0].running &&
		!m.procs[1].running
	m.made, m.taken = m.made&^1, true
	return m, may
}

// stop ends a process. Its claim is free.
func (m *model) stop(i int) {
	m.procs[i] = proc{}
	if int(m.claimant) == i+1 {
		m.claimant = 0
	}
}

// begin has a process begin its next move, or end.
func (r rules) begin(m model, i int) model {
	p := &m.procs[i]
	next := p.known.move()
	next = r.breaks(p, next)
	if r.broken == "believe an earlier run" && next == step && p.known.launch == Continuing {
		next = sayContinue
	}
	switch next {
	case stop, acknowledge:
		if next == acknowledge {
			m.deleted[map[Kind]int{Launch: 0, Terminate: 1}[p.known.kind]] = true
		}
		m.stop(i)
		return m
	}
	p.begun, p.flying, p.holds = next, true, int(m.claimant) == i+1
	if next == undo {
		p.listed = m.made
	}
	return m
}

// breaks breaks a rule: it makes another move of one.
func (r rules) breaks(p *proc, next move) move {
	switch r.broken {
	case "leave what was done before a terminate":
		if p.known.kind == Launch && next == undo && p.known.terminate != "" {
			next = acknowledge
		}
	case "continue before the last step":
		if next == step && p.known.next > 0 {
			next = goOn
		}
	case "abandon before the undo":
		if next == undo && p.known.launch == Abandoning {
			p.known.undone = true
			next = p.known.move()
		}
	case "forget what was done without the claim":
		if next == claim && p.known.did {
			next = stop
		}
	}
	return next
}

// land has a move take effect, in each way that it may.
func (r rules) land(m model, i int) (all []model, wrong string) {
	p := &m.procs[i]
	p.flying = false
	answer := func(n model, a answer) {
		n.procs[i].known = n.procs[i].known.after(n.procs[i].begun, a)
		all = append(all, n)
	}
	needsClaim := p.begun > look
	if needsClaim && !p.holds {
		answer(m, lost)
		return all, ""
	}
	if p.begun <= look {
		r.free(m, i, answer)
		return all, ""
	}
	switch p.begun {
	case step:
		if r.failing {
			answer(m, failed)
		}
		if m.at != pendingWait {
			answer(m, over)
		}
		m.made |= 1 << p.known.next
		answer(m, done)
	case undo:
		m.made &^= p.listed
		answer(m, done)
	case sayContinue, sayAbandon:
		return r.told(m, i, answer, &all)
	default:
		r.written(m, i, answer)
	}
	return all, ""
}

// free has a move take effect that needs no claim.
func (r rules) free(m model, i int, answer func(model, answer)) {
	p := &m.procs[i]
	switch p.begun {
	case retire:
		answer(m, done)
	case ask:
		if m.terminate == "" {
			m.terminate = Asked
		}
		answer(m, done)
	case claim:
		switch {
		case m.claimant == 0 || int(m.claimant) == i+1:
			m.claimant = int8(i + 1)
			answer(m, done)
		case m.stolen < r.thefts:
			// A lease that stood still: the other process sleeps, and goes on with what it begun.
			n := m
			n.stolen++
			n.claimant = int8(i + 1)
			answer(n, done)
			fallthrough
		default:
			// It waited in vain.
			answer(m, busy)
		}
	case read:
		p.launch, p.terminate = m.launch, m.terminate
		p.known = p.known.reads(Record{Launch: m.launch, Terminate: m.terminate})
		answer(m, done)
	case look:
		stand := Leaving
		switch {
		case p.known.kind == Launch && m.at == pendingWait,
			p.known.kind == Terminate && m.at == terminatingWait:
			stand = Waiting
		case m.at <= inService:
			stand = Passed
		}
		p.known = p.known.looks(stand, false)
		answer(m, done)
	}
}

// told has the group hear a result.
func (r rules) told(
	m model, i int, answer func(model, answer), all *[]model,
) ([]model, string) {
	p := m.procs[i]
	waits := map[Kind]asg{Launch: pendingWait, Terminate: terminatingWait}[p.known.kind]
	switch {
	case m.at != waits && p.begun == sayContinue && p.known.kind == Launch && m.heard:
		// The executor knows by its key that it was told, whichever process did.
		answer(m, done)
	case m.at != waits:
		answer(m, expired)
	case p.known.kind == Terminate:
		m.at = gone
		answer(m, done)
	case p.begun == sayAbandon:
		m.at = terminatingWait
		answer(m, done)
	case m.made != allMade:
		return nil, "CONTINUE was told, and not every step was done"
	default:
		m.at, m.heard = inService, true
		answer(m, done)
	}
	return *all, ""
}

// written has the record written, if it is as it was read.
func (r rules) written(m model, i int, answer func(model, answer)) {
	p := &m.procs[i]
	if m.launch != p.launch || m.terminate != p.terminate {
		answer(m, moved)
		return
	}
	switch p.begun {
	case begin:
		m.launch = Begun
	case goOn:
		m.launch = Continuing
	case giveUp:
		m.launch = Abandoning
	case clean:
		m.terminate = Cleaned
	case end:
		switch {
		case p.known.kind == Terminate:
			m.terminate = Ended
		case m.launch == Continuing:
			m.launch = Continued
		default:
			m.launch = Abandoned
		}
	}
	answer(m, done)
}

// wrong says what is wrong with a world in which nothing is under way.
func (m model) wrong() string {
	if m.procs[0].running || m.procs[1].running || !m.deleted[0] {
		return ""
	}
	switch {
	case m.deleted[1] && m.made != 0:
		return "the terminate was handled, and something is left"
	case m.at >= terminatingWait:
		// The terminate is still to come.
		return ""
	}
	return m.launchWrong()
}

// launchWrong says what is wrong with a launch that was handled, of an instance that stays.
func (m model) launchWrong() string {
	switch {
	case m.launch != Continued && m.launch != Abandoned:
		return "the launch was handled, and the record does not say how"
	case m.launch == Continued && m.made != allMade && (m.heard || !m.taken):
		return "the launch continued, and something is missing"
	case m.launch == Abandoned && m.made != 0:
		return "the launch was abandoned, and something is left"
	case m.launch == Abandoned && m.heard:
		return "the hook heard CONTINUE, and the launch was undone"
	case m.at == pendingWait:
		return "the launch was handled, and its hook waits"
	}
	return ""
}

// explore explores all worlds. It returns how many there are, and the first that is wrong.
func (r rules) explore() (worlds int, wrong string) {
	begin := model{}
	seen := map[model]bool{begin: true}
	for todo := []model{begin}; len(todo) > 0; {
		m := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if w := m.wrong(); w != "" {
			return len(seen), fmt.Sprintf("%s: %+v", w, m)
		}
		all, w := r.next(m)
		if w != "" {
			return len(seen), fmt.Sprintf("%s after %+v", w, m)
		}
		for _, n := range all {
			if !seen[n] {
				seen[n] = true
				todo = append(todo, n)
			}
		}
	}
	return len(seen), ""
}

// TestHandlersModel explores every interleaving of two handlers and two events, with kills, and
// with claims that are lost, over the functions that ship. MODEL=deep has more of both.
func TestHandlersModel(t *testing.T) {
	t.Parallel()
	all := []rules{{kills: 1, failing: true}, {kills: 1, undoExpired: true}, {thefts: 1},
		{thefts: 1, undoExpired: true}, {kills: 1, byHand: true}}
	if os.Getenv("MODEL") == "deep" {
		all = append(all, rules{kills: 2, failing: true}, rules{thefts: 1, failing: true},
			rules{thefts: 2, undoExpired: true, failing: true})
	}
	for _, r := range all {
		t.Run(r.String(), func(t *testing.T) {
			t.Parallel()
			worlds, wrong := r.explore()
			if wrong != "" {
				t.Fatal(wrong)
			}
			t.Logf("%d worlds", worlds)
		})
	}
}

// TestHandlersModelNotices breaks a rule each, and sees that the model does not take it.
func TestHandlersModelNotices(t *testing.T) {
	t.Parallel()
	for _, r := range []rules{
		{thefts: 1, broken: "leave what was done before a terminate"},
		{kills: 1, broken: "continue before the last step"},
		{kills: 1, failing: true, broken: "abandon before the undo"},
		{kills: 1, byHand: true, broken: "believe an earlier run"},
		{thefts: 1, broken: "forget what was done without the claim"},
	} {
		t.Run(r.broken, func(t *testing.T) {
			t.Parallel()
			if worlds, wrong := r.explore(); wrong == "" {
				t.Errorf("%d worlds are all right", worlds)
			}
		})
	}
}
