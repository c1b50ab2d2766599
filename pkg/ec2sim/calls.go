package ec2sim

import (
	"maps"
	"slices"
	"time"
)

// Call is one call of the API, as the log and hooks have it.
type Call struct {
	Seq       int       `json:"seq"` // from 1, in order of arrival
	Time      time.Time `json:"time"`
	RequestID string    `json:"requestId"`
	Operation string    `json:"operation"`
	// Params are as on the wire, without Action and Version.
	Params      map[string]string `json:"params,omitempty"`
	Account     string            `json:"account,omitempty"` // where it is not the Sim's own
	Region      string            `json:"region,omitempty"`
	AccessKeyID string            `json:"accessKeyId,omitempty"`
	UserAgent   string            `json:"userAgent,omitempty"`
	// Attempt is the SDK's Amz-Sdk-Request: attempt=2; max=3.
	Attempt string `json:"attempt,omitempty"`
	Change  bool   `json:"change"` // the operation is not a Describe
	DryRun  bool   `json:"dryRun,omitempty"`
	// Effect is set once EC2 carried the change out, whatever it answered.
	Effect bool `json:"effect"`
	// Status is the HTTP status. It is 0 while under way, and when no answer was given.
	Status int      `json:"status,omitempty"`
	Code   string   `json:"code,omitempty"`   // error code answered
	Faults []string `json:"faults,omitempty"` // names of the faults that struck

	Phase Phase `json:"-"` // in a hook: where the call is
}

// Phase is a point in a call's life.
type Phase int

const (
	BeforeEffect Phase = iota + 1 // the request has been read and nothing is done yet
	AfterEffect                   // what the call does is done, and nothing is answered yet
)

// Verdict is what a hook wants of a call.
type Verdict int

const (
	Proceed Verdict = iota // go on
	// Abandon closes the connection without an answer. Before the effect there is no effect either.
	Abandon
)

type hook struct{ run func(Call) Verdict }

// OnCall has run called in both phases of every call that is authenticated and known. The call
// waits until it returns; it may use the Sim. The returned function takes the hook away.
func (s *Sim) OnCall(run func(Call) Verdict) (remove func()) {
	h := &hook{run}
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.mem
	m.hooks = append(m.hooks, h)
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		for i := range m.hooks {
			if m.hooks[i] == h {
				m.hooks = append(append([]*hook{}, m.hooks[:i]...), m.hooks[i+1:]...)
				return
			}
		}
	}
}

// maxCalls bounds the log of a Sim that runs for long.
const maxCalls = 20000

// log numbers a call and keeps it.
func (m *memory) log(c *Call) {
	m.seq++
	c.Seq = m.seq
	if len(m.calls) >= maxCalls {
		m.calls = append([]*Call(nil), m.calls[maxCalls/2:]...)
	}
	m.calls = append(m.calls, c)
}

// Calls returns the calls there were, in order of arrival, those under way among them. Of very many
// only the last ones, 10,000 at least, are kept.
func (s *Sim) Calls() []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	calls := make([]Call, 0, len(s.mem.calls))
	for _, c := range s.mem.calls {
		calls = append(calls, c.clone())
	}
	return calls
}

// ForgetCalls empties the call log. Numbers go on from 1.
func (s *Sim) ForgetCalls() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mem.calls, s.mem.seq = nil, 0
}

func (c *Call) clone() Call {
	copied := *c
	copied.Params, copied.Faults = maps.Clone(c.Params), slices.Clone(c.Faults)
	return copied
}
