package nodes

import (
	"errors"
	"slices"
	"strings"
	"time"
	"unicode"
)

// Report is what a node says of itself, or who ran something on it.
type Report struct {
	// ID is the node's in its own words. It becomes the node's id, or an alias.
	ID              string
	Name            string
	Platform        string
	PlatformRelease string
	JobID           string
	LastContact     time.Time
	// Source is all there or empty.
	Source   Source
	Tags     map[string]string
	Run      *Result
	Scan     *Result
	Projects []string
	// ManagerID and ManagerType name who ran it, if anybody.
	ManagerID   string
	ManagerType ManagerType
}

// freshReport is how old a report may be to say that its node runs.
const freshReport = 10 * time.Minute

// maxID is how long an id may be.
const maxID = 256

// Check returns all that is wrong with a report.
func (r *Report) Check() error {
	var faults faults
	switch {
	case r.ID == "":
		faults.add("a report needs the node's uuid")
	case len(r.ID) > maxID || strings.ContainsFunc(r.ID, hiddenInID):
		faults.add("the uuid %.40q is no id: want up to %d printable characters without blanks",
			r.ID, maxID)
	}
	if r.Run == nil && r.Scan == nil {
		faults.add("a report has runData or scanData; this one has neither")
	}
	r.Run.check("runData", &faults)
	r.Scan.check("scanData", &faults)
	if r.LastContact.IsZero() {
		faults.add("a report says when the node was heard of: lastContact")
	}
	if r.ManagerType != "" && !slices.Contains(ManagerTypes(), r.ManagerType) {
		faults.add("managerType is %q, want one of %v", r.ManagerType, ManagerTypes())
	}
	if r.Source != (Source{}) && r.Source.Identity(r.nodeType()) == "" {
		faults.add("sourceId, sourceRegion and sourceAccountId come together; with some of them " +
			"alone the node can't be told from others")
	}
	return errors.Join(faults...)
}

func hiddenInID(c rune) bool { return !unicode.IsGraphic(c) || unicode.IsSpace(c) }

func (x *Result) check(name string, faults *faults) {
	switch {
	case x == nil:
	case x.EndTime.IsZero():
		faults.add("%s has no endTime", name)
	case !slices.Contains(ResultStatuses(), x.Status):
		faults.add("the status of %s is %q, want one of %v", name, x.Status, ResultStatuses())
	}
}

// endedBy is the result with an end that is not later than now. One of the time to come would be
// the last one until then, whatever ends meanwhile.
func (x *Result) endedBy(now time.Time) *Result {
	if x == nil || !x.EndTime.After(now) {
		return x
	}
	ended := *x
	ended.EndTime = now
	return &ended
}

// nodeType is what the node is, as far as the report tells.
func (r *Report) nodeType() Type {
	switch r.ManagerType {
	case ManagerEC2:
		return TypeInstance
	case ManagerAWS:
		return TypeRegion
	case ManagerVM:
		return TypeVM
	case ManagerAzure:
		return TypeSubscription
	}
	if strings.HasPrefix(r.Source.ID, "i-") {
		return TypeInstance
	}
	return TypeReported
}

// Observation is what the report says. The clock of a node may be wrong: what it says of later than
// now is of now. A report says that the node runs where it is fresh, and nothing of the state
// otherwise.
func (r *Report) Observation(now time.Time) Observation {
	at := r.LastContact
	if at.After(now) {
		at = now
	}
	o := Observation{
		Identities: []Identity{IDIdentity(r.ID)}, ID: r.ID,
		Type: r.nodeType(), Source: r.Source, Manager: r.ManagerID,
		Evidence: Evidence{Kind: ByReport, By: r.ID, At: at},
		Origin:   OriginReport, Name: r.Name, Fallback: r.ID, Tags: r.Tags, Contact: at,
		Details: &Details{Platform: r.Platform, PlatformRelease: r.PlatformRelease},
		Run:     r.Run.endedBy(now), Scan: r.Scan.endedBy(now), Projects: r.Projects,
	}
	if o.Tags == nil {
		o.Tags = map[string]string{}
	}
	if i := r.Source.Identity(o.Type); i != "" {
		o.Identities = append(o.Identities, i)
	}
	if now.Sub(at) < freshReport {
		o.State = StateRunning
	}
	return o
}

// Received is what became of a report.
type Received struct {
	NodeID  string  `json:"nodeId"`
	Outcome Outcome `json:"outcome"`
	// Merged are the ids of nodes that turned out to be this one.
	Merged  []string `json:"merged,omitempty"`
	Changes []Change `json:"changes,omitempty"`
}

// Outcome says what became of what was told of a node.
type Outcome string

const (
	// Added is that of a node that was not known.
	Added Outcome = "added"
	// Updated is that of a node that was.
	Updated Outcome = "updated"
	// IgnoredTerminated is that of a terminated node. Nothing of it was taken over.
	IgnoredTerminated Outcome = "ignored: terminated"
	// IgnoredUnknown is that of a change of state that makes no node known.
	IgnoredUnknown Outcome = "ignored: unknown"
)

// Missed has a node that ought to have reported be missing. A new report has it run again.
func (n *Node) Missed(now time.Time) []Change {
	return n.setState(StateMissing, Evidence{
		Kind: ByReport, By: n.ID, At: now, Inferred: true,
		Note: "not heard of since " + n.LastContact.UTC().Format(time.RFC3339),
	})
}
