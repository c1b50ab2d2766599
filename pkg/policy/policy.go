// Package policy says what may be done: ProviderActionPolicy documents, and decisions by them.
//
// It guarantees that a document means one thing or is refused, with the line of every fault; that
// what a document does not say is not allowed; and that a decision names every reason against, not
// the first. The names of the fields and the meaning of the core's ones stay compatible with
// hybrid.routerd.net/v1alpha1. The package knows no provider, no store and no executor.
//
// # What the fields mean
//
// The four lists allowedProviders, allowedProviderRefs, allowedActions and allowedCIDRs allow what
// is in them; an empty or absent list allows nothing. "*" in a list of names allows any. An action
// without a providerRef needs none allowed, unless the list has entries. An action whose verb can
// take an address must name one as soon as allowedCIDRs has entries, so that nothing slips past it
// by leaving the address out.
//
// allowedRegions and allowedTargets restrict when they are there. With allowedTargets, each of
// nicRef, instanceRef and routeTableRef that an action names must match a pattern of that name, and
// it must name one at least; so must priorHolder and priorRouteTarget, to which an undo gives an address
// or a route back, where they name an interface or an instance. In a pattern * stands for any text and ?
// for one character.
//
// requiredTags must all be on each resource that an action targets, and none of deniedTags may be:
// a key with a pattern, or a list of them, for the value. deniedTags ignore upper and lower case.
//
// An undo needs allowUndo, and either its own verb in allowedActions or one that it undoes. An
// action that nothing can undo needs allowIrreversible.
//
// enabled, the lists, the tags, allowUndo and allowIrreversible say what may be acted on, and hold for
// dry-runs too. dryRunOnly, executionWindow, maxActionsPerRun (0: none), and what concerns approval
// hold for execution: approvals different people must have approved exactly the plan that runs, no
// longer than approvalTTL ago; with requireEvidence, a dry-run of exactly that plan must have succeeded;
// with maxDecisionWait, an action must be approved (or, where no approval is needed, executed) within
// that time of its import, and an approval that was given later does not count.
//
// A field that is there must have a value: null is refused.
package policy

import (
	"net/netip"
	"time"
)

// The document type.
const (
	APIVersion = "hybrid.routerd.net/v1alpha1"
	Kind       = "ProviderActionPolicy"
)

// Policy is one ProviderActionPolicy. Its zero value allows nothing. Parse makes them.
type Policy struct {
	Name string

	Enabled         bool
	dryRunAllowed   bool // dryRunOnly: false
	approvalWaived  bool // requireApproval: false
	Providers       []string
	ProviderRefs    []string
	Actions         []string
	CIDRs           []netip.Prefix
	MaxActions      int
	AllowUndo       bool
	Windows         []Window
	Regions         []string
	Targets         *Targets
	RequiredTags    []Tag
	DeniedTags      []Tag
	approvals       int
	ApprovalTTL     time.Duration // 0: an approval does not expire
	RequireEvidence bool
	MaxDecisionWait time.Duration // 0: no limit

	AllowIrreversible bool

	// parts are the policies that And put together; they decide, and what is said here does not.
	parts []*Policy
}

// DryRunOnly tells whether execution is refused. It is, unless the document says otherwise.
func (p *Policy) DryRunOnly() bool {
	return p.any(func(p *Policy) bool { return !p.dryRunAllowed })
}

// Approvals is how many different people must approve an action; 0 when none need to.
func (p *Policy) Approvals() int {
	needed := 0
	for _, part := range p.each() {
		if !part.approvalWaived {
			needed = max(needed, 1, part.approvals)
		}
	}
	return needed
}

// ReadsTags tells whether a decision needs the tags of what is targeted.
func (p *Policy) ReadsTags() bool {
	return p.any(func(p *Policy) bool { return len(p.RequiredTags)+len(p.DeniedTags) > 0 })
}

// Targets are the patterns of allowedTargets.
type Targets struct {
	Interfaces, Instances, RouteTables []Pattern
}

// Tag is a tag's key with the patterns one of which its value must match.
type Tag struct {
	Key    string
	Values []Pattern
}
