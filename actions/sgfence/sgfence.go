// Package sgfence cuts an instance off the network by the security groups of its interfaces, and
// gives them back.
//
// An instance is fenced when every one of its interfaces, read back, has the groups it should
// have; tags are never evidence of that. What was there before is kept on the instance, in tags
// that the fence_aws_vpc_net agent writes and reads as well, and in the executor's own records. A
// fence over a fence tells what was there before the first.
//
// The groups of each interface have a history (package action). It says where a fence begins, and
// where an undo leads: to the groups of the fence below, or to what was there before all of them.
package sgfence

import (
	"context"
	"time"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/awsec2/ec2model"
)

// Reader is what the verbs read with.
type Reader interface {
	DescribeInstance(ctx context.Context, id string) (ec2model.Instance, error)
	DescribeSecurityGroups(ctx context.Context, ids ...string) ([]ec2model.SecurityGroup, error)
	// InstanceID tells which instance this program runs on.
	InstanceID(ctx context.Context) (string, error)
}

// Writer is what the verbs change with.
type Writer interface {
	CreateTags(ctx context.Context, resource string, tags map[string]string) error
	DeleteTags(ctx context.Context, resource string, tags map[string]string) error
	ModifySecurityGroups(ctx context.Context, nic string, groups []string) error
	StopInstance(ctx context.Context, id string) error
	StartInstance(ctx context.Context, id string) error
}

const (
	callCreateTags = "ec2:CreateTags"
	callDeleteTags = "ec2:DeleteTags"
	callModify     = "ec2:ModifyNetworkInterfaceAttribute"
	callStop       = "ec2:StopInstances"
	callStart      = "ec2:StartInstances"
	// none is the value of what is not there.
	none = "none"
)

var groupSet = action.SetOf(action.SecurityGroupID)

// The names of parameters and facts.
const (
	paramGroups     = "securityGroups"
	paramInvert     = "invertSgRemoval"
	paramExact      = "interface<N>Sg"
	paramPowerOff   = "onFencePoweroff"
	paramPowerOn    = "powerOn"
	paramSkipCheck  = "skipRaceCheck"
	paramAnyState   = "ignoreInstanceState"
	paramNoTags     = "ignoreTagWriteFailure"
	paramNoRestore  = "unfenceIgnoreRestore"
	paramTransition = "transitionSecurityGroup"
	paramBranches   = "ignoreBranchInterfaces"
	// paramTags is a parameter, and the fact that says what became of the backup tags.
	paramTags = "backupTags"

	factTimestamp  = "fenceTimestamp"
	factPrior      = "priorSecurityGroups."
	factFenced     = "fencedSecurityGroups."
	factCurrent    = "currentSecurityGroups."
	factRestored   = "restoredSecurityGroups."
	factPriorState = "priorInstanceState"
	factState      = "instanceState"
	factPriorFence = "priorFence"
	factSelfCheck  = "selfCheck"
	factTracked    = "trackedConnections"
	factTags       = paramTags
	factIsFenced   = "fenced"
	factCutOff     = "cutOff"
	factBranches   = "unfencedBranchesOf"
)

// What priorFence says.
const (
	fenceNone      = "none"
	fenceSame      = "same"
	fenceUnstopped = "unstopped"
	fenceOther     = "other"
)

// tagKeys are those of the tags of a fence.
var tagKeys = []string{lastFence, backupPrefix + "*"}

// Clock is the time that the verbs go by.
type Clock struct {
	// Now names fences.
	Now func() time.Time
	// Wait returns after a duration, or with the context's error if that ends first.
	Wait func(context.Context, time.Duration) error
}

// Verbs returns the pair.
func Verbs(clock Clock) []action.Verb {
	s := bothVerbs()
	return []action.Verb{
		{
			Name: "fence-security-groups", Undo: "unfence-security-groups",
			Risk: action.Risk{Level: action.High,
				Doc: "The instance is cut off, but for connections that are tracked already."},
			Doc: "Cuts an instance off the network. It changes the security groups of every one of " +
				"its interfaces.",
			Target: s.target, Parameters: s.fenceParameters(), Facts: s.fenceFacts(),
			Permissions: append(s.permissions(),
				action.Permission{Action: callCreateTags, Change: true, Resource: "instance",
					TagKeys: tagKeys,
					For:     "writing the backup tags"},
				action.Permission{Action: callDeleteTags, Change: true, Resource: "instance",
					TagKeys: tagKeys,
					For:     "removing `lastfence` again when the fence is put back"},
				action.Permission{Action: callStop, Change: true, Resource: "instance",
					With: []string{paramPowerOff}, For: "stopping it"},
			),
			Plan: action.PlanWith(func(
				ctx context.Context, r Reader, req action.Request,
			) (*action.Plan, error) {
				return planFence(ctx, r, req, clock)
			}),
		},
		{
			Name: "unfence-security-groups",
			Risk: action.Risk{Level: action.High,
				Doc: "The instance can be reached again by whoever its groups let in."},
			Doc: "Gives a fenced instance its groups back. Its interfaces get those they had, by the " +
				"facts of the fence, what is recorded, and its tags.",
			Target: s.target, Parameters: s.unfenceParameters(),
			Facts: []action.Field{
				perInterface(factRestored, "the groups that the interface has back, as read"),
				perInterface(factPrior, "the groups before the fence of an interface that is not attached "+
					"any more, and not restored"),
				s.current, s.state, s.tags,
			},
			Permissions: append(s.permissions(),
				action.Permission{Action: callDeleteTags, Change: true, Resource: "instance",
					TagKeys: tagKeys,
					For:     "removing the tags of the fence once every interface is restored"},
				action.Permission{Action: callStart, Change: true, Resource: "instance",
					With: []string{paramPowerOn}, For: "starting it"},
			),
			Plan: action.PlanWith(planUnfence),
		},
	}
}

// fields are those that both verbs have.
type fields struct {
	target                              []action.Field
	timestamp, prior, fenced, current   action.Field
	state, priorFence, transition, tags action.Field
	states                              action.Form
}

func perInterface(prefix, doc string) action.Field {
	return action.Field{Name: prefix + "<eni>", Key: action.InterfaceID, Form: groupSet, Doc: doc}
}

func bothVerbs() fields {
	states := action.OneOf("pending", "running", "shutting-down", "terminated", "stopping", "stopped")
	return fields{
		states: states,
		target: []action.Field{
			{Name: "instanceRef", Form: action.InstanceID, Required: true, Exclusive: true, Decides: true,
				Doc: "the instance"},
			{Name: "region", Form: action.Region, Required: true, Decides: true,
				Doc: "the instance's region"},
		},
		timestamp: action.Field{Name: factTimestamp, Form: action.Timestamp,
			Doc: "the time that names the fence in its tags, in Unix seconds; alone, it says which backup " +
				"tags to restore by where `lastfence` is gone"},
		prior: perInterface(factPrior, "the groups the interface had before the fence; before the first "+
			"one, where a fence was in force already"),
		fenced: perInterface(factFenced, "the groups that the fence leaves the interface, once it is "+
			"read back that it has them"),
		current: perInterface(factCurrent, "the groups of the interface, as last read"),
		state:   action.Field{Name: factState, Form: states, Doc: "the instance's state, as last read"},
		priorFence: action.Field{
			Name: factPriorFence, Form: action.OneOf(fenceNone, fenceSame, fenceUnstopped, fenceOther),
			Doc: "the fence before the action: `none`, `same`, `unstopped` (the same but for the power), " +
				"or `other`"},
		transition: action.Field{Name: paramTransition, Form: action.SecurityGroupID, Decides: true,
			Doc: "an allow-all group that interfaces pass through on the way to the fence, so that their " +
				"connections become untracked and end with it"},
		tags: action.Field{Name: factTags, Form: action.Text,
			Doc: "why the backup tags are not used, or are left; `false` where the fence was told to do " +
				"without"},
	}
}

func (s fields) fenceParameters() []action.Field {
	return []action.Field{
		{Name: paramGroups, Form: groupSet, Decides: true,
			Doc: "the groups to remove from every interface"},
		{Name: paramInvert, Form: action.Boolean, Decides: true,
			Doc: "every interface gets exactly `securityGroups` instead"},
		{Name: paramExact, Key: action.DeviceIndex, Form: groupSet, Decides: true,
			Doc: "the exact groups of the interface at this device index (0–15); every interface needs " +
				"one, and no backup tags are written. Beside `securityGroups` it means what the agent " +
				"means: the fence goes by `securityGroups`, without tags, and the unfence restores these"},
		{Name: paramTags, Form: action.Boolean, Decides: true, Default: "true", Newer: true,
			Doc: "`false`: no tags are written or read, and what was there before is in the result and " +
				"in the ledger alone; `true` by default"},
		{Name: paramBranches, Form: action.Boolean, Newer: true,
			Doc: "fence an instance with a trunk interface although its branch interfaces, which have " +
				"groups of their own, go on"},
		{Name: paramPowerOff, Form: action.Boolean, Decides: true,
			Doc: "also stop the instance, forced, once the groups are read back; without waiting until " +
				"it has stopped"},
		{Name: paramSkipCheck, Form: action.Boolean,
			Doc: "do not check that the instance is not this machine"},
		{Name: paramAnyState, Form: action.Boolean,
			Doc: "fence by groups whatever the instance's state. Otherwise one that is stopped or " +
				"terminated, read twice, is left as it is, which is told by `cutOff`; one that is pending " +
				"is refused for the time being"},
		{Name: paramNoTags, Form: action.Boolean,
			Doc: "fence even when the backup tags can't be written"},
		s.transition,
	}
}

func (s fields) fenceFacts() []action.Field {
	return []action.Field{
		s.timestamp, s.prior, s.fenced, s.current, s.priorFence,
		{Name: factPriorState, Form: s.states, Doc: "the instance's state before the fence"},
		s.state, s.transition, s.tags,
		{Name: factIsFenced, Form: action.Boolean,
			Doc: "whether every interface is read to have the groups of the fence"},
		{Name: factCutOff, Form: action.OneOf("stopped", "terminated"),
			Doc: "the instance is in this state, and so cut off without a fence; nothing was changed or " +
				"recorded"},
		{Name: factBranches, Form: action.SetOf(action.InterfaceID),
			Doc: "trunk interfaces whose branch interfaces go on, as `ignoreBranchInterfaces` allows"},
		{Name: factSelfCheck, Form: action.OneOf("passed", "skipped", "unavailable"),
			Doc: "whether the instance is not this machine; `unavailable` when the metadata service " +
				"could not be asked"},
		{Name: factTracked, Form: action.OneOf("may-persist"),
			Doc: "connections that were tracked when the groups changed may go on; left out once the " +
				"instance is read to be stopped"},
	}
}

func (s fields) unfenceParameters() []action.Field {
	return []action.Field{
		s.timestamp, s.prior, s.fenced, s.priorFence, s.transition,
		{Name: paramExact, Key: action.DeviceIndex, Form: groupSet,
			Doc: "without `priorSecurityGroups`: the exact groups of the interface at this device index " +
				"(0–15); every interface needs one, and tags are not looked at"},
		{Name: paramGroups, Form: groupSet,
			Doc: "the groups of the fence. Beside `interface<N>Sg` it says that those are what to " +
				"restore, and not what the fence gave; they come before `priorSecurityGroups`"},
		{Name: paramTags, Form: action.Text,
			Doc: "`false`: tags are not looked at, but that `lastfence` does not stay on what is open. " +
				"What a fence reported under this name is taken as it is"},
		{Name: paramNoRestore, Form: action.Boolean,
			Doc: "restore nothing and leave the backup tags; `lastfence` too, while every interface has " +
				"the groups of the fence that it names"},
		{Name: paramPowerOn, Form: action.Boolean,
			Doc: "also start the instance; otherwise it stays as it is"},
		action.OnDrift, action.IgnoreHolders,
	}
}

// permissions are those that both verbs need.
func (s fields) permissions() []action.Permission {
	modify := func(resource string) action.Permission {
		return action.Permission{Action: callModify, Change: true, Resource: resource,
			For: "changing an interface's groups"}
	}
	return []action.Permission{
		{Action: "ec2:DescribeInstances", Resource: "*",
			For: "reading state, tags and the groups of every interface, before and after"},
		{Action: "ec2:DescribeSecurityGroups", Resource: "*",
			For: "finding unknown groups and those of another VPC, before anything is changed"},
		modify("network-interface"), modify("security-group"),
	}
}
