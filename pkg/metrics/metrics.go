// Package metrics counts what the programs do and tells it in Prometheus' text format.
//
// A program that answers one request and ends makes a Set, counts in it, and calls Finish once its
// answer is written: that adds the counts to the program's file in the directory of a textfile
// collector. A program that keeps running serves its Set with pkg/metrics/exporter.
//
// It guarantees that nothing here changes an answer. No method returns an error that a caller has
// to heed, none panics, and Finish ends within a second, whatever the directory is. Counts of
// processes that end at the same time add up, and a kill at any instant leaves a file that can be
// read.
//
// A counter is told from the first occasion on, also where it is 0: what appears with a 1 did not
// rise, as Prometheus sees it.
//
// It keeps compatible: the names of the metrics and their labels, as Families lists them. The
// values of labels never hold a secret, an id, or an address, so there is an end to their number.
package metrics

import (
	"context"
	"strings"
	"sync"
	"time"
	"unicode"

	"aws-provider-executor/pkg/protocol"
)

// Set is what one process counts. Its methods may be called at the same time. Those of a nil Set
// do nothing.
type Set struct {
	program, version string
	now              func() time.Time

	mu       sync.Mutex
	counted  samples
	calls    int
	callTime time.Duration
}

// New makes the Set of a program. The program's name is that of its file in a directory, and the
// label program of its metrics.
func New(program, version string) *Set {
	s := &Set{program: program, version: version, now: time.Now, counted: samples{}}
	s.set(&build, 1, version)
	return s
}

type setKey struct{}

// NewContext returns a context that carries the Set to whoever makes calls.
func NewContext(ctx context.Context, s *Set) context.Context {
	return context.WithValue(ctx, setKey{}, s)
}

// FromContext returns the Set that a context carries. It is nil if there is none, and may be used.
func FromContext(ctx context.Context) *Set {
	s, _ := ctx.Value(setKey{}).(*Set)
	return s
}

// Operation is one request that was answered.
type Operation struct {
	// Verb is what was asked for. It must be a word of ours, never one that a caller made up.
	Verb string
	// Mode is "dry-run", "execute", or "read" for what only ever reads.
	Mode string
	// Status is what it came to: a state of the protocol, or "refused" if a gate said no.
	Status string
	// FailureClass is the protocol's class of what failed. It is empty otherwise.
	FailureClass string
	// Took is the time from the start to the answer.
	Took time.Duration
}

// Operation counts a request that was answered.
func (s *Set) Operation(o Operation) {
	if s == nil {
		return
	}
	s.observe(&operations, o.Took, o.Verb, o.Mode, o.Status, o.FailureClass)
	s.set(&lastOperation, float64(s.now().UnixMilli())/1000, o.Verb, o.Status)
	s.add(&drifts, 0, o.Verb, o.Mode)
	if o.FailureClass == string(protocol.Drift) {
		s.Drift(o.Verb, o.Mode)
	}
	for _, c := range protocol.FailureClasses() {
		s.add(&failures, 0, string(c.Class))
	}
	if o.FailureClass != "" {
		s.add(&failures, 1, o.FailureClass)
	}
}

// Drift counts a request that found drift and went on. Operation counts one that failed for it.
func (s *Set) Drift(verb, mode string) { s.add(&drifts, 1, verb, mode) }

// Call is one attempt at a call to the provider.
type Call struct {
	// Service and Operation are the provider's names, Code is OK or what it said instead.
	Service, Operation, Code string
	Took                     time.Duration
	// Retry reports whether an earlier attempt at the same call failed.
	Retry bool
	// Throttled reports whether the provider refused it because there were too many.
	Throttled bool
	// Fault reports whether the provider did not answer as it should.
	Fault bool
	// ForIdentity reports whether it was for credentials, so that Calls leaves it out.
	ForIdentity bool
}

// The codes of attempts that the provider gave no code for.
const (
	OK         = "OK"
	NoAnswer   = "NoAnswer"
	Unreadable = "Unreadable"
	Timeout    = "Timeout"
)

// Call counts an attempt at a call.
func (s *Set) Call(c Call) {
	if s == nil {
		return
	}
	s.observe(&calls, c.Took, c.Service, c.Operation, c.Code)
	s.add(&retries, one(c.Retry), c.Service, c.Operation)
	s.add(&throttles, one(c.Throttled), c.Service, c.Operation)
	s.add(&faults, one(c.Fault), c.Service, c.Operation)
	if c.ForIdentity {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	s.callTime += c.Took
}

// one is what an attempt adds to a count of those of its kind.
func one(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

// Calls returns how many attempts at calls were counted, and how long they took together. Those
// for credentials are left out.
func (s *Set) Calls() (n int, took time.Duration) {
	if s == nil {
		return 0, 0
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls, s.callTime
}

// LedgerRecords counts records that were new in the ledger, and ones that were removed.
func (s *Set) LedgerRecords(created, removed int) {
	s.add(&recordsCreated, float64(created))
	s.add(&recordsRemoved, float64(removed))
}

// CheckOutcome is what a check of a preflight came to.
type CheckOutcome struct{ Check, Verdict string }

// Preflight tells the checks of a preflight as a whole: those of an earlier one are told no more.
// Whoever asks meanwhile sees the one or the other.
func (s *Set) Preflight(all ...CheckOutcome) {
	if s == nil {
		return
	}
	told := samples{&checks: {}}
	for _, c := range all {
		if v := told.at(&checks, key(&checks, []string{s.program, c.Check, c.Verdict})); v != nil {
			v.value++
		}
	}
	s.mu.Lock()
	s.counted[&checks] = told[&checks]
	s.mu.Unlock()
	s.set(&checksMade, float64(s.now().UnixMilli())/1000)
}

// LedgerState is what a ledger holds, read through.
type LedgerState struct {
	// Actions counts the recorded actions by verb, then by state.
	Actions map[string]map[string]int
	// Bytes is the size of all records, Unreadable the number of those that are torn or foreign.
	Bytes      int64
	Unreadable int
	// OldestPending is when the oldest action was written whose outcome is not settled. It is zero
	// if there is none.
	OldestPending time.Time
}

// Ledger tells what a ledger holds.
func (s *Set) Ledger(l LedgerState) {
	if s == nil {
		return
	}
	s.begin(&ledgerActions)
	for verb, states := range l.Actions {
		for state, n := range states {
			s.set(&ledgerActions, float64(n), verb, state)
		}
	}
	s.set(&ledgerBytes, float64(l.Bytes))
	s.set(&ledgerUnreadable, float64(l.Unreadable))
	oldest := 0.0
	if !l.OldestPending.IsZero() {
		oldest = float64(l.OldestPending.UnixMilli()) / 1000
	}
	s.set(&oldestPending, oldest)
	s.set(&stateRead, float64(s.now().Unix()), "ledger")
}

// Journal tells how many actions a journal holds, by state.
func (s *Set) Journal(states map[string]int) {
	if s == nil {
		return
	}
	s.begin(&journalActions)
	for state, n := range states {
		s.set(&journalActions, float64(n), state)
	}
	s.set(&stateRead, float64(s.now().Unix()), "journal")
}

// StandInCall counts a call to the stand-in, and the faults that struck it.
func (s *Set) StandInCall(operation, code string, took time.Duration, struck int) {
	s.observe(&standInCalls, took, operation, code)
	s.add(&standInFaults, float64(struck), operation)
}

// begin tells a gauge as a whole, with no series so far.
func (s *Set) begin(f *Family) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counted[f] = map[string]*series{}
}

// add adds to a counter, or to a gauge of this run.
func (s *Set) add(f *Family, by float64, labels ...string) {
	s.change(f, labels, func(v *series) { v.value += by })
}

// set sets a gauge.
func (s *Set) set(f *Family, to float64, labels ...string) {
	s.change(f, labels, func(v *series) { v.value = to })
}

// observe adds a time to a histogram.
func (s *Set) observe(f *Family, d time.Duration, labels ...string) {
	seconds := max(d, 0).Seconds()
	s.change(f, labels, func(v *series) {
		v.count++
		v.value += seconds
		for i, bound := range f.Buckets {
			if seconds <= bound {
				v.buckets[i]++
			}
		}
	})
}

// change changes a series, which it makes if there is none. The label program is the Set's own.
func (s *Set) change(f *Family, labels []string, do func(*series)) {
	if s == nil {
		return
	}
	if f.Labels[0] == "program" {
		labels = append([]string{s.program}, labels...)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if v := s.counted.at(f, key(f, labels)); v != nil {
		do(v)
	}
}

// taken returns what was counted, and leaves the Set as it is.
func (s *Set) taken() samples {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := samples{}
	_ = all.merge(s.counted)
	return all
}

// maxValue bounds the value of a label.
const maxValue = 100

// clean makes a value of a label fit to be told: bounded, of characters that can be printed, and
// "none" for an empty one, which Prometheus would take for a label that is not there.
func clean(value string) string {
	if value == "" {
		return "none"
	}
	if len(value) > maxValue {
		value = value[:maxValue]
	}
	return strings.Map(func(r rune) rune {
		if r == unicode.ReplacementChar || !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, value)
}
