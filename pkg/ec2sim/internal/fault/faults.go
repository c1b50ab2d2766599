// Package fault is what goes wrong when it is asked for: errors, delays, lost answers, stale reads,
// and the token buckets of throttling.
package fault

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"time"

	"aws-provider-executor/pkg/ec2sim/internal/refusal"
)

// Fault is something that goes wrong with calls it matches. All the fields that say which calls
// must match; all that say what happens do. When several faults strike one call their delays add
// up, and of their answers the first counts.
type Fault struct {
	Name string // shown in the call log; made up from the rest when empty

	// Which calls. Operation is a name or a pattern with '*' (Describe*), or "changes" for every
	// operation that is not a Describe, or "reads" for the others; empty is every operation. Params
	// holds patterns of parameters by their wire names.
	Operation   string
	Params      map[string]string
	Account     string // of the caller
	Region      string
	AccessKeyID string
	Nth         int     // the first of the matching calls it strikes, from 1; 0 is 1
	Count       int     // how many it strikes from there on; 0 is 1, Always is all
	Probability float64 // of each of those; 0 is 1
	ChanceSeed  uint64  // what chance is made from

	// What happens.
	DelayBefore time.Duration // before the effect; the effect comes even when the client has gone
	DelayAfter  time.Duration // after the effect, before the answer
	NoEffect    bool          // the change is not made
	Answer      Answer
	// Error is for AnswerError. An empty Message or Status follows from the code, see StandardError.
	Error *refusal.Error
	Text  string // for AnswerText; one line when empty
	Stale *Stale // after a change
}

// Always is a Count without end.
const Always = -1

// Answer is what a fault makes of the answer.
type Answer string

const (
	// AnswerAsIs is what the operation answers; with NoEffect, a success that did nothing.
	AnswerAsIs  Answer = ""
	AnswerError Answer = "error" // Fault.Error, whatever the operation answered
	AnswerLost  Answer = "lost"  // none: the connection is closed
	AnswerCut   Answer = "cut"   // half of the body, then the connection is closed
	AnswerText  Answer = "text"  // status 200 and a body that is not XML
)

// Fail makes calls fail with the code, before anything is done.
func Fail(operation, code string) Fault {
	return Fault{Operation: operation, NoEffect: true, Answer: AnswerError,
		Error: &refusal.Error{Code: code}}
}

// FailAfter makes calls fail with the code, though the change is made.
func FailAfter(operation, code string) Fault {
	return Fault{Operation: operation, Answer: AnswerError, Error: &refusal.Error{Code: code}}
}

// LoseAnswer makes calls have no answer, though the change is made.
func LoseAnswer(operation string) Fault { return Fault{Operation: operation, Answer: AnswerLost} }

// LoseRequest makes calls have neither effect nor answer.
func LoseRequest(operation string) Fault {
	return Fault{Operation: operation, NoEffect: true, Answer: AnswerLost}
}

// CutAnswer makes answers end in the middle.
func CutAnswer(operation string) Fault { return Fault{Operation: operation, Answer: AnswerCut} }

// NotXML makes answers be a line of text with status 200.
func NotXML(operation string) Fault { return Fault{Operation: operation, Answer: AnswerText} }

// Ignore makes changes be answered as if they were made.
func Ignore(operation string) Fault { return Fault{Operation: operation, NoEffect: true} }

// Delay makes calls take d longer, before their effect.
func Delay(operation string, d time.Duration) Fault {
	return Fault{Operation: operation, DelayBefore: d}
}

// DelayAnswer makes answers come d later, after the effect.
func DelayAnswer(operation string, d time.Duration) Fault {
	return Fault{Operation: operation, DelayAfter: d}
}

// StaleReads makes the n reads after a change answer from before it.
func StaleReads(operation string, n int) Fault {
	return Fault{Operation: operation, Stale: &Stale{Reads: n}}
}

// StaleFor makes reads answer from before a change until d has passed.
func StaleFor(operation string, d time.Duration) Fault {
	return Fault{Operation: operation, Stale: &Stale{For: d}}
}

// OnNth makes the fault strike the nth matching call first.
func (f Fault) OnNth(n int) Fault { f.Nth = n; return f }

// Times makes the fault strike n calls, or all of them when n is Always.
func (f Fault) Times(n int) Fault { f.Count = n; return f }

// Sometimes makes the fault strike each of its calls with a probability.
func (f Fault) Sometimes(probability float64, seed uint64) Fault {
	f.Probability, f.ChanceSeed = probability, seed
	return f
}

// Where makes the fault match only calls whose parameter matches the pattern.
func (f Fault) Where(parameter, pattern string) Fault {
	f.Params = maps.Clone(f.Params)
	if f.Params == nil {
		f.Params = map[string]string{}
	}
	f.Params[parameter] = pattern
	return f
}

func (f Fault) clone() Fault {
	if f.Error != nil {
		e := *f.Error
		f.Error = &e
	}
	if f.Stale != nil {
		s := *f.Stale
		f.Stale = &s
	}
	f.Params = maps.Clone(f.Params)
	return f
}

// Label is the fault's name, or what it does.
func (f Fault) Label() string {
	if f.Name != "" {
		return f.Name
	}
	parts := []string{}
	if f.DelayBefore > 0 || f.DelayAfter > 0 {
		parts = append(parts, "delay")
	}
	if f.NoEffect {
		parts = append(parts, "no effect")
	}
	if f.Answer == AnswerError && f.Error != nil {
		parts = append(parts, f.Error.Code)
	} else if f.Answer != AnswerAsIs {
		parts = append(parts, string(f.Answer))
	}
	if f.Stale != nil {
		parts = append(parts, "stale")
	}
	return strings.Join(parts, ", ")
}

// State is a fault and how far it has got.
type State struct {
	Fault  Fault
	Seen   int // matching calls so far
	Struck int // of those, the ones it struck
}

// armed is a fault that is in force.
type armed struct {
	Fault
	seen, struck int
	chance       *rand.Rand
}

// Set holds the faults in force. It is not safe for concurrent use.
type Set struct{ armed []*armed }

// Check refuses what cannot be a fault of any operation.
func (f Fault) Check() error {
	if f.Answer == AnswerError && (f.Error == nil || f.Error.Code == "") {
		return fmt.Errorf("cannot inject the fault %q: an error answer needs a code", f.Label())
	}
	switch f.Answer {
	case AnswerAsIs, AnswerError, AnswerLost, AnswerCut, AnswerText:
		return nil
	}
	return fmt.Errorf("cannot inject the fault %q: unknown answer %q", f.Label(), f.Answer)
}

// Add puts a fault in force, after those that are.
func (fs *Set) Add(f Fault) {
	a := &armed{Fault: f.clone(), chance: rand.New(rand.NewPCG(f.ChanceSeed, 0))}
	fs.armed = append(fs.armed, a)
}

// States are the faults in force and how far each has got.
func (fs *Set) States() []State {
	states := []State{}
	for _, a := range fs.armed {
		states = append(states, State{a.Fault.clone(), a.seen, a.struck})
	}
	return states
}
