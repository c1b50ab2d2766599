package nodes

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Manual is a group of machines that somebody adds.
type Manual struct {
	// Prefix begins the names: PREFIX-HOST. Without one a machine is called by its host.
	Prefix string
	Hosts  []string
	// Target is how to reach each of them; its host is not used.
	Target Target
	Tags   map[string]string
	By     string
}

// Check returns all that is wrong with a group.
func (m *Manual) Check() error {
	var faults faults
	if len(m.Hosts) == 0 {
		faults.add("name the hosts to add")
	}
	seen := map[string]bool{}
	for _, h := range m.Hosts {
		switch {
		case strings.TrimSpace(h) == "" || strings.ContainsAny(h, " \t\r\n/"):
			faults.add("%q is no host", h)
		case seen[h]:
			faults.add("the host %s is named twice", h)
		}
		seen[h] = true
	}
	if m.Target.Port < 1 || m.Target.Port > 65535 {
		faults.add("the port is %d, want 1 to 65535", m.Target.Port)
	}
	switch m.Target.Protocol {
	case TCP:
	case SSH:
		if m.Target.KnownHosts == "" {
			faults.add("a probe by SSH needs a file of known hosts: without one any machine could answer")
		}
	default:
		faults.add("the protocol is %q, want tcp or ssh", m.Target.Protocol)
	}
	if m.Target.Credential != "" {
		if err := m.Target.Credential.Check(); err != nil {
			faults = append(faults, err)
		}
	}
	return errors.Join(faults...)
}

// Observations are what adding the group says, one for each host. A manual node has no identity but
// its id: two may have one address at different times.
func (m *Manual) Observations(now time.Time) []Observation {
	all := make([]Observation, len(m.Hosts))
	for i, host := range m.Hosts {
		name := host
		if m.Prefix != "" {
			name = m.Prefix + "-" + host
		}
		target := m.Target
		target.Host = host
		all[i] = Observation{
			Type: TypeManual, Manager: ManualManager, Origin: OriginPerson, Name: name,
			Evidence: Evidence{Kind: ByCommand, By: m.By, At: now},
			Tags:     m.Tags, Target: &target,
			Details: &Details{Addresses: []string{host}},
		}
	}
	return all
}

// Due reports whether a node is to be probed: a manual one with an address, that is neither stopped
// nor terminated, and was not tried since.
func (n *Node) Due(since time.Time) bool {
	return n.Target != nil && n.HasManager(ManualManager) && n.State != StateStopped &&
		n.State != StateTerminated && !n.LastProbe.After(since)
}

// Probe is what a try to reach a node came to.
type Probe struct {
	NodeID  string
	At      time.Time
	Reached bool
	// Reason says why it was not reached. Note says more where it was.
	Reason, Note string
}

// ApplyProbe takes a probe over. One that failed changes the status only. One that reached a manual
// node says that it runs; of others their cloud says that.
func (n *Node) ApplyProbe(p Probe) []Change {
	if n.State == StateTerminated || n.State == StateStopped && n.Said.At.After(p.At) {
		return nil
	}
	n.LastProbe = latest(n.LastProbe, p.At)
	e := Evidence{Kind: ByProbe, By: "probe", At: p.At, Note: p.Note}
	if !p.Reached {
		return n.setStatus(StatusUnreachable, e, p.Reason)
	}
	n.LastContact = latest(n.LastContact, p.At)
	var changes []Change
	if n.Type == TypeManual {
		changes = n.setState(StateRunning, e)
	}
	return append(changes, n.setStatus(StatusReachable, e, "")...)
}

// CommandStates are those that a person may set.
func CommandStates() []State {
	return []State{StateRunning, StateStopped, StateTerminated, StateMissing}
}

// ErrTerminated is the refusal to change the state of a terminated node.
var ErrTerminated = errors.New("it is terminated, and that is final")

// Command sets a node's state by a person's word.
func (n *Node) Command(s State, by string, now time.Time) ([]Change, error) {
	switch {
	case !slices.Contains(CommandStates(), s):
		return nil, fmt.Errorf("the state is %q, want one of %v", s, CommandStates())
	case n.State == StateTerminated && s != StateTerminated:
		return nil, ErrTerminated
	}
	return n.setState(s, Evidence{Kind: ByCommand, By: by, At: now}), nil
}

// SetByDeletion sets the state of a node whose manager is deleted, as somebody asked for.
func (n *Node) SetByDeletion(s State, e Evidence) []Change { return n.setState(s, e) }
