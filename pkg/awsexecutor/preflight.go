package awsexecutor

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/awsec2"
	"aws-provider-executor/pkg/executor"
	"aws-provider-executor/pkg/policy"
	"aws-provider-executor/pkg/preflight"
	"aws-provider-executor/pkg/protocol"
)

// The facts of a preflight.
const (
	factAccount      = "account"
	factARN          = "arn"
	factRegion       = "region"
	factRegionSource = "regionSource"
	factStateStore   = "stateStore"
	permissionPrefix = "permission."
)

// Where the region may come from, in this order.
const (
	fromTarget   = "target"
	fromVariable = "AWS_REGION"
	fromMetadata = "instance-metadata"
)

// What is known of the place that prior facts are kept in.
const (
	storeWritable   = "writable"
	storeMigrates   = "migrates"
	storeNone       = "none"
	storeUnwritable = "unwritable"
)

// What is known of a permission. The last one is also said of the state store.
const (
	allowed = "allowed"
	denied  = "denied"
	unknown = "unknown"
)

// Preflight is the inquiry whether this machine's executor could act: who it is at AWS, whether it
// can keep prior facts, and whether it may read what the verbs read.
func Preflight(verbs *action.Registry) action.Inquiry {
	reads := readsOf(verbs)
	var names []string
	for _, p := range reads {
		names = append(names, p.Action)
	}
	return action.Inquiry{
		Name: "preflight",
		Doc: "Tells whether the executor could act: who it is, whether it can keep prior facts, and " +
			"what a read can tell of its permissions.",
		Target: []action.Field{{Name: "region", Form: action.Region,
			Doc: "the region to ask in; without it that of `AWS_REGION` counts, then that of the " +
				"instance metadata"}},
		Facts: []action.Field{
			{Name: factAccount, Form: action.Text, Doc: "the account, as STS names it"},
			{Name: factARN, Form: action.Text,
				Doc: "the role session or user that signs, as STS names it"},
			{Name: factRegion, Form: action.Region, Doc: "the region that was asked in"},
			{Name: factRegionSource, Form: action.OneOf(fromTarget, fromVariable, fromMetadata),
				Doc: "where the region came from"},
			{Name: factStateStore,
				Form: action.OneOf(storeWritable, storeMigrates, storeNone, storeUnwritable, unknown),
				Doc: "whether prior facts can be kept; `none`: `EXECUTOR_STATE_DIR` is so; `migrates`: " +
					"executions bring an older program's records to the present form"},
			{Name: permissionPrefix + "<action>", Key: action.OneOf(names...),
				Form: action.OneOf(allowed, denied, unknown),
				Doc:  "whether one short page could be read with the IAM action; left out if not tried"},
		},
		Permissions: reads,
	}
}

// describeTags is what a policy that asks for tags is read with.
const describeTags = "ec2:DescribeTags"

// readsOf are the reading permissions of verbs, each once, in order. One only foresees unless a
// verb needs it for every request.
func readsOf(verbs *action.Registry) []action.Permission {
	needed := map[string]bool{describeTags: false}
	for _, v := range verbs.Verbs() {
		for _, p := range v.Permissions {
			if !p.Change {
				needed[p.Action] = needed[p.Action] || !optional(p)
			}
		}
	}
	var all []action.Permission
	for _, name := range slices.Sorted(maps.Keys(needed)) {
		p := action.Permission{Action: name, Resource: "*", Foresees: !needed[name],
			For: "one short page, to see whether it is allowed"}
		if name == describeTags {
			p.For += "; only under a policy that asks for tags, which then needs it"
		}
		all = append(all, p)
	}
	return all
}

// optional reports whether some requests do without the permission.
func optional(p action.Permission) bool {
	return p.Foresees || p.Family != "" || p.Of != "" || len(p.With) > 0
}

// looker answers one preflight.
type looker struct {
	executor.Asked
	verbs *action.Registry
	found executor.Findings
	// unneeded are the permissions that are denied and that nothing needs.
	unneeded []string
}

func look(verbs *action.Registry) func(context.Context, executor.Asked) executor.Findings {
	return func(ctx context.Context, a executor.Asked) executor.Findings {
		l := looker{Asked: a, verbs: verbs,
			found: executor.Findings{Facts: map[string]string{}}}
		if a.Wrong != nil {
			l.fail(a.Wrong)
		}
		region := l.region(ctx)
		l.stateStore(ctx)
		// What is wrong with the environment is told before any call.
		if region != "" && a.Wrong == nil {
			l.ask(ctx, region)
		}
		return l.found
	}
}

func (l *looker) fail(err error) {
	var f *protocol.Failure
	if !errors.As(err, &f) {
		f = protocol.Refuse(protocol.Internal, "a bug in the executor stopped it: %s", err)
	}
	l.found.Failures = append(l.found.Failures, f)
}

func (l *looker) warn(text string) { l.found.Warnings = append(l.found.Warnings, text) }

// region finds the region to ask in; empty if there is none.
func (l *looker) region(ctx context.Context) string {
	region, source := l.Target["region"], fromTarget
	if region == "" {
		region, source = l.Env["AWS_REGION"], fromVariable
	}
	var err error
	switch {
	case region != "":
		if region, err = action.Region.Canonical(region); err != nil {
			err = protocol.Refuse(protocol.Configuration, "AWS_REGION is %s, which is no region: %s",
				protocol.Quote(l.Env["AWS_REGION"]), err)
		}
	case l.Wrong != nil:
		// The metadata service is not asked either.
		return ""
	default:
		source = fromMetadata
		if region, err = awsec2.OwnRegion(ctx, l.Log); err != nil {
			err = protocol.Refuse(protocol.Configuration, "there is no region: the target names none, "+
				"AWS_REGION is not set, and the instance metadata service tells none (%s); name one", err)
		}
	}
	if err != nil {
		l.fail(err)
		return ""
	}
	l.found.Facts[factRegion], l.found.Facts[factRegionSource] = region, source
	return region
}

// stateStore looks at where prior facts would be kept.
func (l *looker) stateStore(ctx context.Context) {
	check := l.checkStateStore(ctx)
	said := storeWritable
	switch check.Verdict {
	case preflight.Pass:
	case preflight.Warn:
		said = storeMigrates
		if _, kept := executor.StateDir(l.Env); !kept {
			said = storeNone
		}
		l.warn(check.Seen + ": " + check.Advice)
	case preflight.Fail:
		said = storeUnwritable
		l.fail(protocol.Refuse(protocol.StateStore, "%s", check.Seen))
	default:
		said = unknown
		l.fail(protocol.Refuse(protocol.StateStore, "%s; %s", check.Seen, check.Advice))
	}
	l.found.Facts[factStateStore] = said
}

// ask asks AWS.
func (l *looker) ask(ctx context.Context, region string) {
	conn, err := awsec2.Connect(ctx, region, l.Timeout, l.Log)
	if err != nil {
		l.fail(err)
		return
	}
	reads := l.reads()
	reader, steps := conn.DescribeReader(), len(reads)+1
	own, cancel := share(ctx, steps)
	id, err := reader.CallerIdentity(own)
	cancel()
	if err != nil {
		l.fail(err)
	} else {
		l.found.Facts[factAccount], l.found.Facts[factARN] = id.Account, id.ARN
	}
	asking := !hopeless(err)
	for _, p := range reads {
		steps--
		said := unknown
		if asking {
			own, cancel := share(ctx, steps)
			err := reader.Try(own, strings.TrimPrefix(p.Action, "ec2:"))
			cancel()
			said = l.permission(p, err)
			asking = !hopeless(err) && !silent(err)
		}
		l.found.Facts[permissionPrefix+p.Action] = said
	}
	if len(l.unneeded) > 0 {
		l.warn("not allowed, and not needed to act by any verb that may be used: " +
			strings.Join(l.unneeded, ", "))
	}
	l.found.Said = "the executor is " + id.ARN + " in " + region + " (" +
		l.found.Facts[factRegionSource] + "), and may read what the verbs need"
}

// share is a context with an equal share of the time for each of the steps that are left.
func share(ctx context.Context, steps int) (context.Context, context.CancelFunc) {
	end, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, time.Until(end)/time.Duration(steps))
}

// hopeless reports whether every further call would fail alike.
func hopeless(err error) bool {
	var f *protocol.Failure
	return errors.As(err, &f) &&
		(f.Class == protocol.Authentication || f.Class == protocol.Configuration)
}

// silent reports whether EC2 did not answer in words of its own: it can't be reached.
func silent(err error) bool {
	var f *protocol.Failure
	return errors.As(err, &f) && f.Facts[protocol.FactAWSErrorCode] == "" &&
		(f.Class == protocol.Unavailable || f.Class == protocol.Timeout)
}

// reads are the permissions to try. Those that are needed under the policy do not foresee.
func (l *looker) reads() []action.Permission {
	var counted []action.Verb
	for _, v := range l.verbs.Verbs() {
		if l.counts(v) {
			counted = append(counted, v)
		}
	}
	needed := func(p action.Permission) bool {
		return slices.ContainsFunc(counted, func(v action.Verb) bool { return needs(v, p.Action) })
	}
	var all []action.Permission
	for _, p := range readsOf(l.verbs) {
		if p.Action == describeTags && !readsTags(l.Policy) {
			continue
		}
		used := slices.ContainsFunc(counted, func(v action.Verb) bool { return reads(v, p.Action) })
		if !used && (!strings.HasPrefix(p.Action, "ec2:") || l.byPolicy(p.Action)) {
			// Another service, and what a policy has to allow, is only asked where it is used.
			continue
		}
		p.Foresees = p.Action != describeTags && !needed(p)
		all = append(all, p)
	}
	return all
}

// byPolicy reports whether all verbs that read with the action are used only by a policy.
func (l *looker) byPolicy(name string) bool {
	return !slices.ContainsFunc(l.verbs.Verbs(), func(v action.Verb) bool {
		return reads(v, name) && !v.ByPolicy
	})
}

// counts reports whether a verb may be used. One that nothing takes back needs a policy for that.
func (l *looker) counts(v action.Verb) bool {
	if l.Policy == nil {
		return !v.Irreversible && !v.ByPolicy
	}
	return l.Policy.AllowsVerb(v.Name, names(l.verbs.Undoes(v.Name))...) &&
		(!v.Irreversible || l.Policy.AllowsIrreversible(v.Name, true))
}

// reads reports whether some request for the verb reads with the action.
func reads(v action.Verb, name string) bool {
	return slices.ContainsFunc(v.Permissions, func(p action.Permission) bool {
		return p.Action == name && !p.Change
	})
}

func readsTags(p *policy.Policy) bool { return p != nil && p.ReadsTags() }

// needs reports whether every request for the verb needs the action.
func needs(v action.Verb, name string) bool {
	return slices.ContainsFunc(v.Permissions, func(p action.Permission) bool {
		return p.Action == name && !optional(p)
	})
}

func names(verbs []action.Verb) []string {
	var all []string
	for _, v := range verbs {
		all = append(all, v.Name)
	}
	return all
}

// permission tells what trying came to. What is not needed is no failure, unless nothing else can
// be tried after it.
func (l *looker) permission(p action.Permission, err error) string {
	var f *protocol.Failure
	said := allowed
	switch {
	case err == nil:
		return said
	case errors.As(err, &f) && f.Class == protocol.Authorization:
		said = denied
	default:
		said = unknown
	}
	switch {
	case !p.Foresees, hopeless(err), silent(err):
		l.fail(err)
	case said == denied:
		l.unneeded = append(l.unneeded, p.Action)
	default:
		l.warn(err.Error() + "; no verb that may be used needs it to act")
	}
	return said
}
