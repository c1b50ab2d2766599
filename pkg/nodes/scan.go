package nodes

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Verdict says how a scan of one region ended.
type Verdict string

const (
	// Complete is that of a region that was read to the end. Only it concludes anything.
	Complete Verdict = "complete"
	// Denied is that of a region that the manager may not read.
	Denied Verdict = "denied"
	// Disabled is that of a region that the account has not opted into, or that there is not.
	Disabled Verdict = "disabled"
	// Throttled is that of a region that had the scan wait until it gave up.
	Throttled Verdict = "throttled"
	// Unreachable is that of a region that gave no answer, or one that nobody understands, and of one
	// that could not be asked, as without credentials.
	Unreachable Verdict = "unreachable"
)

// Verdicts are all verdicts, in a fixed order.
func Verdicts() []Verdict { return []Verdict{Complete, Denied, Disabled, Throttled, Unreachable} }

// Sighting is one node as its cloud showed it.
type Sighting struct {
	// ID is the cloud's: of the instance, the machine or the subscription. It is empty for a node
	// that stands for its region.
	ID string
	// At is when the call that showed it was sent. When zero, it is when the scan began.
	At    time.Time
	State State
	// Name is the one that the cloud has for it, as in the tag Name; empty when none.
	Name string
	// Tags are all of them.
	Tags map[string]string
	Details
}

// Scan is what one manager saw in one region of one account. It is applied as a whole or not at
// all. Where the verdict is not Complete nothing but the verdict is taken over.
type Scan struct {
	ManagerID string
	// AccountID is the account that was looked at: in Azure a subscription.
	AccountID string
	// Tenant is the account that the nodes are of, where that is another: in Azure the tenant.
	Tenant string
	Region string
	// Type is that of the nodes that were looked for.
	Type    Type
	Verdict Verdict
	// Reason says why the verdict is not Complete, for people.
	Reason string
	// Begun is before the first call was sent, Ended after the last one was answered.
	Begun, Ended time.Time
	// Calls counts the calls that were sent, and Throttled those of them that were throttled.
	Calls, Throttled int
	Seen             []Sighting
	// Revive says that somebody asked for terminated nodes to live again where the cloud shows them
	// alive. By is who asked.
	Revive bool
	By     string
}

// Check returns what is wrong with a scan that no scanner may hand over.
func (s *Scan) Check() error {
	var faults faults
	if s.ManagerID == "" {
		faults.add("a scan names its manager")
	}
	if !slices.Contains(Verdicts(), s.Verdict) {
		faults.add("a scan's verdict is %q, want one of %v", s.Verdict, Verdicts())
	}
	if s.Verdict == Complete && s.AccountID == "" {
		faults.add("a complete scan names its account")
	}
	if !slices.Contains(Types(), s.Type) {
		faults.add("a scan's type is %q, want one of %v", s.Type, Types())
	}
	if s.Begun.IsZero() || s.Ended.Before(s.Begun) {
		faults.add("a scan ends after it began")
	}
	if s.Verdict == Complete {
		s.checkSeen(&faults)
	}
	return errors.Join(faults...)
}

func (s *Scan) checkSeen(faults *faults) {
	known := map[Identity]bool{}
	for _, x := range s.Seen {
		i := s.source(x).Identity(s.Type)
		switch {
		case i == "":
			faults.add("%q of %s in %s identifies no %s", x.ID, s.AccountID, s.Region, s.Type)
		case known[i]:
			faults.add("%q is in the scan twice", x.ID)
		case !slices.Contains(States(), x.State):
			faults.add("the state of %q is %q, want one of %v", x.ID, x.State, States())
		}
		known[i] = true
	}
}

// faults are told all at once.
type faults []error

func (f *faults) add(format string, args ...any) { *f = append(*f, fmt.Errorf(format, args...)) }

func (s *Scan) source(x Sighting) Source {
	return Source{ID: x.ID, Region: s.Region, AccountID: s.Owner()}
}

// Owner is the account that the nodes are of.
func (s *Scan) Owner() string { return cmp.Or(s.Tenant, s.AccountID) }

// Observations are what a complete scan says of each node, in order; none of any other.
func (s *Scan) Observations() []Observation {
	if s.Verdict != Complete {
		return nil
	}
	all := make([]Observation, len(s.Seen))
	for i, x := range s.Seen {
		at := x.At
		if at.IsZero() {
			at = s.Begun
		}
		all[i] = s.observation(x, at)
	}
	return all
}

func (s *Scan) observation(x Sighting, at time.Time) Observation {
	source := s.source(x)
	tags := x.Tags
	if tags == nil {
		tags = map[string]string{}
	}
	return Observation{
		Identities: []Identity{source.Identity(s.Type)},
		Type:       s.Type, Source: source, Manager: s.ManagerID,
		State: x.State, Evidence: Evidence{Kind: ByScan, By: s.ManagerID, At: at},
		Origin: OriginCloud, Name: x.Name, Fallback: fallbackName(s.Type, source),
		Tags: tags, Details: &x.Details, Revive: s.Revive, Seen: true,
	}
}

// fallbackName is the name of a node to which nobody gave one.
func fallbackName(t Type, s Source) string {
	switch t {
	case TypeRegion:
		return s.AccountID + "/" + s.Region
	default:
		return s.ID
	}
}

// Absence counts the complete scans that did not show a node since its cloud showed it last.
type Absence struct {
	Scans int `json:"scans,omitempty"`
	// Since is when the first of them began, and Until when the last one ended.
	Since time.Time `json:"since,omitzero"`
	Until time.Time `json:"until,omitzero"`
}

const (
	// enoughAbsences is after how many scans without it a node is asked for by its id.
	enoughAbsences = 2
	// LeastBetween is the least time from the end of one scan without a node to the begin of the
	// next that counts. EC2 may leave out for minutes what is there.
	LeastBetween = 5 * time.Minute
	// Settling is how long a cloud may not show what was just launched.
	Settling = 10 * time.Minute
)

// NoteAbsence counts a complete scan that did not show the node. It does not count where the node
// was heard of after the scan began, where it began less than LeastBetween after the last one that
// counted, and where the node was launched too short a time before.
func (n *Node) NoteAbsence(begun, ended time.Time) {
	switch {
	case n.State == StateTerminated, !begun.After(n.heardOf()), !n.settled(begun):
		return
	case n.Absence.Scans > 0 && begun.Before(n.Absence.Until.Add(LeastBetween)):
		return
	}
	if n.Absence.Scans == 0 {
		n.Absence.Since = begun
	}
	n.Absence.Scans++
	n.Absence.Until = ended
}

// Suspected reports whether the node is to be asked for by its id.
func (n *Node) Suspected() bool {
	return n.State != StateTerminated && n.Absence.Scans >= enoughAbsences
}

// heardOf is when somebody last said that the node is there.
func (n *Node) heardOf() time.Time {
	at := n.SeenAt
	if n.LastContact.After(at) {
		at = n.LastContact
	}
	if n.Said.Kind == ByEvent && n.Said.At.After(at) {
		at = n.Said.At
	}
	return at
}

// settled reports whether the node began long enough before for its cloud to show it. A start of a
// stopped node is a launch, too. One of which no launch is known began when it was first told of.
func (n *Node) settled(at time.Time) bool {
	launched := n.LaunchTime
	if launched.IsZero() {
		launched = n.AddedAt
	}
	return !at.Before(launched.Add(Settling))
}

// HoldTo takes what was said of the node for a time after now to be of now: a clock was wrong. It
// would go before all that is said until then.
func (n *Node) HoldTo(now time.Time) {
	for _, at := range []*time.Time{
		&n.Said.At, &n.StateSince, &n.StatusSaid.At, &n.AddedAt, &n.SeenAt, &n.LastContact,
		&n.LastProbe, &n.Absence.Since, &n.Absence.Until,
	} {
		if at.After(now) {
			*at = now
		}
	}
	n.Runs.holdTo(now)
	n.Scans.holdTo(now)
}

// Suspect is a node that two complete scans did not show.
type Suspect struct {
	NodeID string
	Source Source
	// Resource is the one that it was, where it can't be asked for by its source.
	Resource string
	Absence  Absence
}

// Answer is what a cloud said of suspects that it was asked for by their ids. One that is neither
// found nor not found was not answered for, and stays as it is.
type Answer struct {
	ManagerID string
	// AccountID and Tenant are as in a Scan.
	AccountID string
	Tenant    string
	Region    string
	Type      Type
	// Begun is before the first call was sent.
	Begun time.Time
	Found []Sighting
	// NotFound are the cloud's ids of which it said that there are none.
	NotFound []string
	Revive   bool
}

// Found as a scan's observations.
func (a *Answer) scan() *Scan {
	return &Scan{
		ManagerID: a.ManagerID, AccountID: a.AccountID, Tenant: a.Tenant, Region: a.Region,
		Type: a.Type, Verdict: Complete, Begun: a.Begun, Ended: a.Begun, Seen: a.Found, Revive: a.Revive,
	}
}

// Check returns what is wrong with an answer that no scanner may hand over.
func (a *Answer) Check() error { return a.scan().Check() }

// Observations are what the answer says of the nodes that were found.
func (a *Answer) Observations() []Observation { return a.scan().Observations() }

// NotFoundIdentities are those of the nodes that were not found.
func (a *Answer) NotFoundIdentities() []Identity {
	all := make([]Identity, len(a.NotFound))
	for i, id := range a.NotFound {
		all[i] = a.scan().source(Sighting{ID: id}).Identity(a.Type)
	}
	return all
}

// ConcludeGone has a suspect terminated after an answer by its id that there is none. The answer
// counts where it was asked for after the scans without the node.
func (n *Node) ConcludeGone(begun time.Time, by string) []Change {
	if !n.Suspected() || begun.Before(n.Absence.Until) || !begun.After(n.heardOf()) ||
		!n.settled(begun) {
		return nil
	}
	return n.setState(StateTerminated, Evidence{
		Kind: ByAbsence, By: by, At: begun, Inferred: true,
		Note: fmt.Sprintf("absent from %d complete scans since %s, and not found by its id",
			n.Absence.Scans, n.Absence.Since.UTC().Format(time.RFC3339)),
	})
}

// RegionScan is the last scan of a region by one manager, as the store keeps it.
type RegionScan struct {
	ManagerID string  `json:"managerId"`
	AccountID string  `json:"accountId"`
	Region    string  `json:"region"`
	Type      Type    `json:"type"`
	Verdict   Verdict `json:"verdict"`
	Reason    string  `json:"reason,omitempty"`
	// Begun, Ended, Calls and Throttled are the scan's.
	Begun     time.Time `json:"begun"`
	Ended     time.Time `json:"ended"`
	Calls     int       `json:"calls"`
	Throttled int       `json:"throttled"`
	// Seen is how many nodes the last complete scan saw; LastComplete is when that one began, zero
	// when there has been none.
	Seen         int       `json:"seen"`
	LastComplete time.Time `json:"lastComplete,omitzero"`
}

// Summary is what an application came to.
type Summary struct {
	// Stale is set where a newer scan of the region had been applied. Its sightings still count for
	// nodes of which nothing newer is known.
	Stale bool `json:"stale,omitempty"`
	// Seen is how many nodes were seen; Added, Changed and Merged how many of them were new,
	// different, or turned out to be one with another.
	Seen    int `json:"seen"`
	Added   int `json:"added"`
	Changed int `json:"changed"`
	Merged  int `json:"merged"`
	// Ignored were seen and are not kept: unknown ones that are on their way out.
	Ignored int `json:"ignored"`
	// Absent is how many known nodes the scan did not show.
	Absent int `json:"absent"`
	// Gone is how many were concluded to be terminated.
	Gone int `json:"gone"`
	// Revivable are the ids of terminated nodes that the cloud shows alive; they stay terminated
	// until somebody asks. Revived is how many somebody asked for.
	Revivable []string `json:"revivable,omitempty"`
	Revived   int      `json:"revived"`
	// Suspects are to be asked for by their ids: ApplyAnswer takes the answer.
	Suspects []Suspect `json:"-"`
}

// RegionName is what people call the region of a scan.
func (r RegionScan) RegionName() string {
	return strings.Trim(r.AccountID+"/"+r.Region, "/")
}

// Next is what is kept of a region after one more scan.
func (r RegionScan) Next(s *Scan) RegionScan {
	next := RegionScan{
		ManagerID: s.ManagerID, AccountID: s.AccountID, Region: s.Region, Type: s.Type,
		Verdict: s.Verdict, Reason: s.Reason, Begun: s.Begun.UTC(), Ended: s.Ended.UTC(),
		Calls: s.Calls, Throttled: s.Throttled, Seen: r.Seen, LastComplete: r.LastComplete,
	}
	if s.Verdict == Complete {
		next.Seen, next.LastComplete = len(s.Seen), next.Begun
	}
	return next
}
