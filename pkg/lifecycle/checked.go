package lifecycle

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"aws-provider-executor/pkg/gate"
	"aws-provider-executor/pkg/policy"
	"aws-provider-executor/pkg/protocol"
)

// Checked is what a configuration comes to.
type Checked struct {
	Name   string         `json:"name"`
	Groups []CheckedGroup `json:"groups"`
	// Faults are what is wrong.
	Faults []string `json:"faults,omitempty"`
}

// CheckedGroup is what the instances of a group get, for each zone.
type CheckedGroup struct {
	Name    string        `json:"name"`
	Account string        `json:"account"`
	Region  string        `json:"region"`
	Zones   []CheckedZone `json:"zones"`
}

// CheckedZone is what an instance in a zone gets, in order.
type CheckedZone struct {
	Zone  string        `json:"zone,omitempty"`
	Steps []CheckedStep `json:"steps"`
}

// CheckedStep is one step of a launch.
type CheckedStep struct {
	Name       string            `json:"name"`
	Action     string            `json:"action"`
	Provider   string            `json:"provider"`
	Target     map[string]string `json:"target"`
	Parameters map[string]string `json:"parameters,omitempty"`
	Required   bool              `json:"required"`
}

// uuid stands for the token of a lifecycle action.
const uuid = "00000000-0000-0000-0000-000000000000"

// sample is the instance that plans are checked with.
var sample = Instance{ID: "i-00000000000000000", Primary: "eni-00000000000000000",
	Address: "192.0.2.1"}

// Check makes the plans of every group, and holds them against what the gate takes and the policy
// allows.
func Check(c *Configuration, g *gate.Gate) Checked {
	checked := Checked{Name: c.Name}
	if g.Policy == nil {
		checked.Faults = append(checked.Faults, "there is no policy, and without one nothing is done: "+
			"name its file with --policy or LIFECYCLED_POLICY")
	}
	for i := range c.Groups {
		group, faults := c.Groups[i].check(g)
		checked.Groups = append(checked.Groups, group)
		for _, f := range faults {
			f = "group " + protocol.Quote(group.Name) + ": " + f
			if !slices.Contains(checked.Faults, f) {
				checked.Faults = append(checked.Faults, f)
			}
		}
	}
	return checked
}

// check makes the plans of a group.
func (g *Group) check(of *gate.Gate) (CheckedGroup, []string) {
	group := CheckedGroup{Name: g.Name, Account: g.Account, Region: g.Region}
	e := Event{Kind: Launch, Account: g.Account, Region: g.Region, Instance: sample.ID,
		Group: strings.NewReplacer("*", "x", "?", "x").Replace(g.Name)}
	var faults []string
	if of.Policy != nil {
		for _, r := range of.Policy.Unattends(policy.Event{Account: e.Account, Group: e.Group}) {
			faults = append(faults, r.Field+": "+r.Text)
		}
	}
	e.Hook, e.Token = cmp.Or(g.LaunchHook, "sample"), uuid
	faults = append(faults, g.completion(e, "CONTINUE").faults(of, e)...)
	zones := g.zones()
	for _, zone := range zones {
		i := sample
		i.Zone = zone
		if wrong := g.Wrong(i); wrong != "" {
			faults = append(faults, fmt.Sprintf("an instance in %s can't be launched: %s", zone, wrong))
		}
		checked := CheckedZone{Zone: zone}
		for _, s := range g.all(e, i) {
			faults = append(faults, s.faults(of, e)...)
			faults = append(faults, s.undoFaults(of)...)
			checked.Steps = append(checked.Steps, CheckedStep{Name: s.Name, Action: s.Action,
				Provider: s.Provider, Target: s.Target, Parameters: s.Parameters, Required: s.Required})
		}
		group.Zones = append(group.Zones, checked)
	}
	return group, faults
}

// zones are those of all interfaces, in order; one without a name if there are none.
func (g *Group) zones() (all []string) {
	for _, i := range g.Interfaces {
		all = append(all, i.zones()...)
	}
	slices.Sort(all)
	if all = slices.Compact(all); len(all) == 0 {
		return []string{""}
	}
	return all
}

// all are all steps of a launch, in the role that has the most.
func (g *Group) all(e Event, i Instance) []Step {
	own, role := Own{Address: i.Address}, Role{}
	if g.License != nil {
		own.License = strings.TrimSuffix(g.License.Source, "/") + "/sample.lic"
	}
	if g.Members != nil {
		role = Role{Name: RolePrimary, Primary: i.ID, PrimaryAddress: i.Address, Epoch: 1}
	}
	return append(g.Resources(e, i), g.InRole(e, i, own, role)...)
}

// undoFaults says why a launch that fails, or ends, could not take back a step.
func (s Step) undoFaults(of *gate.Gate) (texts []string) {
	if of.Policy == nil || len(of.Complete(&s.Plan)) > 0 || s.Undo == nil {
		return nil
	}
	r := s.Request(protocol.Execute)
	r.Action, r.IdempotencyKey = s.Undo.Action, r.IdempotencyKey+protocol.UndoKeySuffix
	for _, d := range of.Policy.Subject(policy.RequestSubject(of.Registry, r)) {
		if d.Field == "allowUndo" || d.Field == "allowedActions" {
			texts = append(texts, s.Name+protocol.UndoKeySuffix+": "+d.Field+": "+d.Text)
		}
	}
	return texts
}

// faults says what is wrong with a step, whatever the world is like.
func (s Step) faults(of *gate.Gate, e Event) (texts []string) {
	for _, f := range of.Complete(&s.Plan) {
		texts = append(texts, s.Name+": "+protocol.Faults{f}.Error())
	}
	if of.Policy == nil || len(texts) > 0 {
		return texts
	}
	now := of.Now()
	request := s.Request(protocol.Execute)
	reasons := of.Policy.Subject(policy.RequestSubject(of.Registry, request))
	h := policy.History{Digest: s.Digest(), Imported: now, Request: request,
		Evidence: s.Digest(), EvidenceAt: now.Add(-time.Nanosecond)}
	reasons = append(reasons, of.Policy.ApprovedUnattended(h, now, of.Registry,
		policy.Event{Account: e.Account, Group: e.Group})...)
	for _, r := range reasons {
		texts = append(texts, s.Name+": "+r.Field+": "+r.Text)
	}
	return texts
}
