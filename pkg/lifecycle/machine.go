package lifecycle

// A run handles one delivery of one event. What it does next is a pure function of what it knows,
// and so is what it knows after that. The model test calls the same functions.
//
// Two runs of one instance are told apart by a claim, which a run may lose. Nothing rests on it
// alone: each step is an action that happens once. What orders a launch before a terminate is the
// record. A terminate writes there that it was asked for. A launch that reads so undoes what it
// did, also where it had lost its claim and comes again.

// Progress is how far a launch or a terminate has come, as the record has it.
type Progress string

// The progress of a launch.
const (
	Begun Progress = "begun"
	// Continuing is written before the hook is told to go on: from then on nothing is undone because
	// the hook did not wait.
	Continuing Progress = "continuing"
	Continued  Progress = "continued"
	// Abandoning is written before the first step is undone: from then on none is done again.
	Abandoning Progress = "abandoning"
	Abandoned  Progress = "abandoned"
)

// The progress of a terminate.
const (
	Asked Progress = "asked"
	// Cleaned is written once everything was undone that could be.
	Cleaned Progress = "cleaned"
	Ended   Progress = "ended"
)

// Stand is where an instance stands in its group.
type Stand int

const (
	// Unread is where nobody looked.
	Unread Stand = iota
	// Waiting stands at the hook of the event.
	Waiting
	// Passed is on its way into service, or in it: no hook waits.
	Passed
	// Leaving is on its way out, or gone.
	Leaving
)

// move is what a run does next.
type move int

const (
	// stop ends the run, and leaves the message: it comes again.
	stop move = iota
	// acknowledge ends the run, and deletes the message.
	acknowledge
	// retire says that the member goes, before anything else.
	retire
	// ask writes that the terminate was asked for.
	ask
	// claim waits until no other run is at work on the instance.
	claim
	// read reads the record, look where the instance stands.
	read
	look
	// begin writes that the launch was begun.
	begin
	// step does the next step.
	step
	// goOn writes that the launch continues, giveUp that it is abandoned.
	goOn
	giveUp
	// undo undoes the steps, last first, as far as that goes.
	undo
	// clean writes that all was undone that could be.
	clean
	// sayContinue and sayAbandon complete the lifecycle action.
	sayContinue
	sayAbandon
	// end writes that the event was handled.
	end
)

// answer is how a move came out.
type answer int

const (
	// done is what was meant to be, as far as that goes.
	done answer = iota
	// failed is a step that the launch needs and that can't be done.
	failed
	// later is what can't be done now. The message comes again.
	later
	// moved says that the record is another than was read.
	moved
	// lost says that another run may be at work on the instance, and busy that one is.
	lost
	busy
	// over says that the hook does not wait any more, and expired that it had ended before this
	// handler told it anything.
	over
	expired
)

// known is what a run knows. Its zero value is that of a run that begins.
type known struct {
	kind Kind
	// steps is how many a launch has, and next the one that is next.
	steps, next int
	// undoExpired is set where a launch is undone whose hook did not wait.
	undoExpired bool

	// retired, asked, claimed, undone and completed are set once that was done.
	retired, asked, claimed, undone, completed bool
	// fresh is set where the record was read since it may last have changed. Launch and terminate are
	// what it has.
	fresh             bool
	launch, terminate Progress
	stand             Stand
	// did is set once a step was tried, and failure once one failed that the launch needs.
	did, failure bool
	// expired is set once the hook was found to have ended before it was told.
	expired bool
	// ended is set where the run leaves its message.
	ended bool
}

// move is what a run does next. It ends with stop or acknowledge.
func (k known) move() move {
	switch {
	case k.ended:
		return stop
	case k.kind != Launch && k.stand == Unread:
		// What an event says of an instance that is in service is not believed.
		return look
	case k.kind != Launch && k.stand == Passed:
		return stop
	case k.kind != Launch && !k.retired:
		return retire
	case k.kind != Launch && !k.asked:
		return ask
	case !k.claimed:
		return claim
	case !k.fresh:
		return read
	case k.kind == Launch:
		return k.launchMove()
	}
	return k.terminateMove()
}

// launchMove is what a launch does next, by a record that was just read.
func (k known) launchMove() move {
	switch {
	case k.terminate != "":
		// Whatever this launch did, or may do late, does not outlive the instance.
		if !k.undone {
			return undo
		}
		return acknowledge
	case k.launch == Continued:
		return k.continuedMove()
	case k.launch == Abandoning || k.launch == Abandoned:
		return k.abandonMove()
	case k.stand == Unread:
		return look
	case k.launch == Continuing:
		return k.continueMove()
	case k.failure, k.stand == Leaving, k.stand == Passed && k.undoExpired:
		return giveUp
	case k.launch == "":
		return begin
	case k.next < k.steps:
		return step
	}
	return goOn
}

// continuedMove is what a launch does next that was continued. Where a group has several hooks,
// each of them sends an event of its own, and the steps are read again for each.
func (k known) continuedMove() move {
	waits := k.stand == Waiting && !k.completed
	switch {
	case k.stand == Unread:
		return look
	case waits && k.failure:
		return giveUp
	case waits && k.next < k.steps:
		return step
	case waits:
		return sayContinue
	}
	return acknowledge
}

// abandonMove is what a launch does next that is abandoned.
func (k known) abandonMove() move {
	switch {
	case k.launch == Abandoned && (k.undone || !k.did):
		return acknowledge
	case !k.undone:
		// What this run did late, after it lost its claim, is undone too.
		return undo
	case k.stand == Unread:
		return look
	case k.stand == Waiting && !k.completed:
		return sayAbandon
	}
	return end
}

// continueMove is what a launch does next whose steps were all done. What an earlier run did is
// read again before CONTINUE.
func (k known) continueMove() move {
	waits := k.stand == Waiting && !k.completed
	switch {
	case k.stand == Leaving, k.failure && (waits || k.did),
		k.stand == Passed && k.undoExpired && k.expired:
		return giveUp
	case waits && k.next < k.steps:
		return step
	case waits:
		return sayContinue
	}
	return end
}

// terminateMove is what a terminate does next, by a record that was just read.
func (k known) terminateMove() move {
	switch {
	case k.terminate != Cleaned && k.terminate != Ended && !k.undone:
		return undo
	case k.terminate != Cleaned && k.terminate != Ended:
		return clean
	case k.kind == Terminate && k.stand == Waiting && !k.completed:
		return sayContinue
	case k.terminate == Ended:
		return acknowledge
	}
	return end
}

// after is what a run knows after a move.
func (k known) after(m move, a answer) known {
	k.did = k.did || m == step
	if a != done && a != failed {
		return k.interrupted(a)
	}
	switch m {
	case retire:
		k.retired = true
	case ask:
		k.asked = true
	case claim:
		k.claimed = true
	case step:
		k.next++
		k.failure = k.failure || a == failed
		// The record is read again before each step.
		k.fresh = false
	case undo:
		k.undone = true
	case begin, goOn, giveUp, clean, end:
		k.fresh = false
	case sayContinue, sayAbandon:
		k.completed = true
	}
	return k
}

// interrupted is what a run knows after a move that did not come to its end.
func (k known) interrupted(a answer) known {
	switch a {
	case later:
		k.ended = true
	case busy:
		// What this run did may have come too late to be undone by others. It looks again.
		k.ended = !k.did
	case moved:
		k.fresh = false
	case lost:
		// Another run may have told the hook.
		k.claimed, k.fresh, k.stand, k.expired = false, false, Unread, false
	case over, expired:
		k.stand, k.fresh, k.expired = Unread, false, k.expired || a == expired
	}
	return k
}

// reads is what a run knows after it read the record.
func (k known) reads(r Record) known {
	k.fresh, k.launch, k.terminate = true, r.Launch, r.Terminate
	return k
}

// looks is what a run knows after it looked where the instance stands. Wrong says that a launch of
// it can't be.
func (k known) looks(s Stand, wrong bool) known {
	k.stand, k.failure = s, k.failure || wrong
	return k
}
