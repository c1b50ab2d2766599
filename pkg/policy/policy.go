// Package policy says what may be done: ProviderActionPolicy documents, and decisions by them.
//
// It guarantees that a document means one thing or is refused, with the line of every fault; and
// that a decision names every reason against, each with what to write to allow it. The names of
// the fields and the meaning of the core's ones stay compatible with hybrid.routerd.net/v1alpha1.
// The package knows no provider, no store and no executor.
//
// # What the fields mean
//
// The core's own fields mean what they mean in a core. Without allowedProviders or allowedActions
// nothing is allowed. Without allowedProviderRefs or allowedCIDRs there is no restriction. "*" in
// a list of names allows any. An action is known by the name that the request gives it, whatever
// verb its target chooses.
//
// What is judged is the request that is carried out: each key that its verb declares, in the one
// spelling that it has inside. A key that the verb ignores is judged as it was sent: it allows
// nothing, and it may deny.
//
// allowedCIDRs hold for every address that an action names. A verb that can name an address must
// name one, forwarding too. The undo of forwarding need not: what was allowed must stay undoable.
//
// allowedRegions and allowedTargets restrict when they are there. With allowedTargets, each of
// nicRef, instanceRef and routeTableRef that an action names must match a pattern of that name,
// and it must name one at least. So must a prior fact to which an undo gives something back
// (priorHolder, priorRouteTarget), where it names an interface, an instance or a route table. In
// a pattern * stands for any text and ? for one character.
//
// requiredTags must all be on each resource that an action targets, and none of deniedTags may
// be: a key with a pattern, or a list of them, for the value. deniedTags ignore upper and lower
// case.
//
// An undo needs allowUndo, and either its own verb in allowedActions or one that it undoes. An
// action that nothing can undo must be in allowedActions by its name. "*" covers it only with
// allowIrreversible: true, and with false none is allowed. One of a verb that has no undo at all,
// as run-command, needs allowIrreversible: true by whatever name it is allowed.
//
// A document of SSM is only run if its name matches a pattern of allowedDocuments.
//
// enabled, the lists, the tags, allowUndo and allowIrreversible say what may be acted on, and
// hold for dry-runs too. dryRunOnly, executionWindow, maxActionsPerRun (absent, as 0: none), and
// what concerns approval hold for execution. With approvals, different people must have approved
// exactly the plan that runs, no longer than approvalTTL ago. With requireEvidence, a dry-run of
// exactly that plan must have succeeded, not longer than maxEvidenceAge ago, and what it saw must
// be so still. With maxDecisionWait, an action must be approved within that time of its import,
// or executed where no approval is needed; an approval from later does not count.
//
// With approvers an approval counts only if it is signed by a key of that list, for exactly the
// plan, in the journal that it is in, and while the signature holds; several are of several
// persons with several keys. With approverOtherThanImporter one of them is not of who imported
// the action. An executor that enforces such a policy asks each request that executes for the
// signed approvals themselves, in spec.context.approvals.
//
// With allowedPlugins only a program with one of these digests is run, dry-runs too.
//
// maxNodes, maxPercentPerRegion and allowedAccounts hold for nodes that a selector chose: for all
// that one selection has, whatever of it runs. A share is that of the nodes of one account in one
// region that were not terminated when they were chosen. With allowedAccounts a plan that no
// selection made is refused, since it does not say its account; a machine that was added by hand is
// of none, and is not held to it. No undo is held to them. An executor can't know them: only the
// gate holds them.
//
// With unattended no approval is needed for what a lifecycle event of one of its accounts and
// groups asks for, as long as that takes only from the subnets and the pools that it names: pools
// of addresses and of licences, and single Elastic IPs. Events of other groups are left alone.
// All else that the document says holds. Whoever runs the handler says whose event it acts on.
//
// With joinCalls: false an executor that answers a stream makes each call for one request alone.
//
// Where a core's reading is a hole, this one is stricter. A list that is there and empty, a
// malformed network or window, and an unknown field refuse the document.
//
// A field that is there must have a value: null is refused.
package policy

import (
	"net/netip"
	"slices"
	"time"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/signature"
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
	ProviderRefs    []string // nil: no restriction
	Actions         []string
	CIDRs           []netip.Prefix // nil: no restriction
	MaxActions      int
	AllowUndo       bool
	Windows         []Window
	Regions         []string // nil: no restriction
	Targets         Targets  // nil: no restriction
	Documents       []Pattern
	RequiredTags    []Tag
	DeniedTags      []Tag
	approvals       int
	ApprovalTTL     time.Duration // 0: an approval does not expire
	RequireEvidence bool
	MaxDecisionWait time.Duration // 0: no limit
	// Approvers, when not nil, says whose signatures make an approval count.
	Approvers *signature.Signers
	// NotImporter asks for an approval of somebody else than who imported the action.
	NotImporter bool
	// MaxEvidenceAge is how old evidence may be; 0: no limit.
	MaxEvidenceAge time.Duration
	// Plugins are the digests of the programs that may be run; nil: no restriction.
	Plugins []string
	// MaxNodes and MaxPercentPerRegion bound a selection of nodes; 0: no limit.
	MaxNodes, MaxPercentPerRegion int
	Accounts                      []string // nil: no restriction

	// unattended is nil where the document waives no approval for lifecycle events.
	unattended *unattended
	// joinCalls is nil where the document does not say it.
	joinCalls *bool
	// allowIrreversible is nil where the document does not say it.
	allowIrreversible *bool

	// parts are the policies that And put together; they decide, and what is said here does not.
	parts []*Policy
}

// DryRunOnly reports whether execution is refused. It is, unless the document says otherwise.
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

// ReadsTags reports whether a decision needs the tags of what is targeted.
func (p *Policy) ReadsTags() bool {
	return p.any(func(p *Policy) bool { return len(p.RequiredTags)+len(p.DeniedTags) > 0 })
}

// JoinsCalls reports whether one call may be made for several requests together.
func (p *Policy) JoinsCalls() bool {
	return p.all(func(p *Policy) bool { return p.joinCalls == nil || *p.joinCalls })
}

// AllowsVerb reports whether a verb may be used at all: whether allowedActions covers it or, with
// allowUndo, one of those that it undoes.
func (p *Policy) AllowsVerb(name string, undoes ...string) bool {
	return p.all(func(p *Policy) bool {
		is := func(allowed string) bool {
			return allowed == "*" || allowed == name || p.AllowUndo && slices.Contains(undoes, allowed)
		}
		return slices.ContainsFunc(p.Actions, is)
	})
}

// AllowsIrreversible reports whether an action that nothing can undo may be run by that name. Final
// says that no action of that verb can be: then its name alone is not enough.
func (p *Policy) AllowsIrreversible(name string, final bool) bool {
	return p.all(func(p *Policy) bool {
		if p.allowIrreversible != nil {
			return *p.allowIrreversible
		}
		return !final && slices.Contains(p.Actions, name)
	})
}

// Targets are the patterns of allowedTargets.
type Targets map[action.Kind][]Pattern

// targetFields are the kinds that allowedTargets has patterns for, by their names there.
var targetFields = []struct {
	name string
	kind action.Kind
}{
	{"nicRef", action.NetworkInterface},
	{"instanceRef", action.Instance},
	{"routeTableRef", action.RouteTable},
	{"nodeRef", action.Node},
}

// Tag is a tag's key with the patterns one of which its value must match.
type Tag struct {
	Key    string
	Values []Pattern
}
