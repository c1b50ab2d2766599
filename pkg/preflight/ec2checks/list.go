package ec2checks

import (
	"slices"

	"aws-provider-executor/pkg/preflight"
)

// Check is one check: its stable name, what it is about, and its documentation.
type Check struct {
	Name string
	// Reads says what is looked at.
	Reads string
	// Pass, Warn, Fail and Unknown say what each verdict means; one that is never given is empty.
	Pass, Warn, Fail, Unknown string
	// Actions are the IAM actions that it reads with.
	Actions []string
	// About reports whether a request is checked. A nil one is about all requests alike.
	About func(*subject) bool
	// For says in words which requests are.
	For string

	// once is of a check about all requests: one look is enough, in whatever region.
	once bool
	look func(*subject) finding
}

// ofAll makes a check that is about all requests: it looks at each region of theirs.
func (c Check) ofAll(regions []*subject) preflight.Check {
	if c.once {
		regions = regions[:1]
	}
	found := make([]preflight.Part, len(regions))
	for i, s := range regions {
		found[i] = preflight.Part{Of: s.region, Check: c.make(s)}
	}
	return preflight.Join(found...)
}

func (c Check) make(s *subject) preflight.Check {
	f := c.look(s)
	return preflight.Check{
		Name: c.Name, Request: s.wire.IdempotencyKey, Verdict: f.verdict,
		Seen: f.seen, Advice: f.advice, Facts: f.facts,
	}
}

// The IAM actions.
const (
	describeInterfaces = "ec2:DescribeNetworkInterfaces"
	describeInstances  = "ec2:DescribeInstances"
	describeSubnets    = "ec2:DescribeSubnets"
	describeTypes      = "ec2:DescribeInstanceTypes"
	describeTables     = "ec2:DescribeRouteTables"
	describeGroups     = "ec2:DescribeSecurityGroups"
	describeTags       = "ec2:DescribeTags"
)

// The verbs that some checks are about.
const (
	verbAssign = "assign-secondary-ip"
	verbRoute  = "assign-route-table-route"
	verbFence  = "fence-security-groups"
)

func every(*subject) bool           { return true }
func withInterface(s *subject) bool { return s.nic() != "" }
func withInstance(s *subject) bool  { return s.nic() != "" || s.instance() != "" }
func assigns(s *subject) bool       { return s.verb.Name == verbAssign }
func routes(s *subject) bool        { return s.verb.Name == verbRoute }
func fences(s *subject) bool        { return s.verb.Name == verbFence }

func undoable(s *subject) bool { return s.verb.Undo != "" }

// Checks lists the checks, in the order in which they are told.
func Checks() []Check {
	return append(sharedChecks(), append(targetChecks(), append(addressChecks(),
		append(routeChecks(), append(fenceChecks(), planChecks()...)...)...)...)...)
}

// Permissions lists the IAM actions that the checks read with, each once, in order. Who one is can
// be asked without any.
func Permissions() []string {
	var all []string
	for _, c := range Checks() {
		all = append(all, c.Actions...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

const throttled = "EC2 refuses or throttles the reading, or does not answer"

func sharedChecks() []Check {
	return []Check{
		{Name: "identity", Reads: "who signs the calls in each region of the requests, as STS says " +
			"(`sts:GetCallerIdentity`)",
			Pass: "STS knows the identity", Fail: "there are no credentials, or they are not valid",
			Unknown: "STS refuses, throttles or does not answer", look: lookIdentity},
		{Name: "expected-identity",
			Reads: "the account and the role, against those that `--expect-account` and " +
				"`--expect-role` name",
			Pass: "they are the expected ones", Warn: "nothing is expected",
			Fail: "the account or the role is another", Unknown: "the identity is not known",
			look: lookExpected},
		{Name: "ledger", Reads: "whether the directory for prior facts can be written, by a file " +
			"without a name that leaves nothing behind",
			Pass: "it can, or the first execution can make it", Warn: "no prior facts are kept, or " +
				"records of an older program are to be migrated",
			Fail:    "it can't be read or written, or holds something else",
			Unknown: "the file system does not let it be tried", once: true, look: lookLedger},
		{Name: "clock", Reads: "this machine's clock against the dates of each region's answers",
			Pass: "less than 5 s apart", Warn: "5 s to 4 min apart: leases end at the wrong time",
			Fail:    "4 min apart and more: signatures are refused from 15 min on",
			Unknown: "no answer had a date", look: lookClock},
		{Name: "proxy", Reads: "where each region's calls to EC2 and STS go, and through which " +
			"proxy",
			Pass: "directly, or by TLS through a proxy", Warn: "in clear through a proxy",
			Fail:    "the settings name no usable proxy or endpoint",
			Unknown: "the settings could not be read", look: lookProxy},
	}
}

func targetChecks() []Check {
	return []Check{
		{Name: "region", Reads: "the request's region, the one of `--expect-region`, and the " +
			"environment's", About: every, For: "every request",
			Pass: "EC2 answers there", Warn: "the environment names another region",
			Fail:    "another one is expected, or EC2 has no endpoint there",
			Unknown: "EC2 does not answer there", look: lookRegion},
		{Name: "target", Reads: "what the request acts on, and its state", About: every,
			For: "every request", Actions: []string{describeInterfaces, describeInstances, describeTables},
			Pass: "it exists", Warn: "the interface is attached to nothing, or on its way",
			Fail: "it does not exist", Unknown: throttled, look: lookTarget},
		{Name: "instance", Reads: "the instance, or the one that the interface is attached to",
			About: withInstance, For: "requests with an interface or an instance",
			Actions: []string{describeInterfaces, describeInstances},
			Pass:    "it runs", Warn: "it does not run, or there is none",
			Fail: "it is being terminated", Unknown: throttled, look: lookInstance},
		{Name: "managed", Reads: "whether an AWS service owns the interface",
			About: withInstance, For: "requests with an interface or an instance",
			Actions: []string{describeInterfaces, describeInstances},
			Pass:    "it is your own", Fail: "a service owns it and alone may change it",
			Unknown: throttled, look: lookManaged},
		{Name: "trunk", Reads: "whether an interface carries branch interfaces",
			About: withInstance, For: "requests with an interface or an instance",
			Actions: []string{describeInterfaces, describeInstances},
			Pass:    "none does", Warn: "it does, and the request allows that or does not fence",
			Fail:    "a fence would leave the branches open",
			Unknown: throttled, look: lookTrunk},
		{Name: "tags", Reads: "the target's tags, against the policy's `requiredTags` and " +
			"`deniedTags`", About: every, For: "every request", Actions: []string{describeTags},
			Pass: "the policy allows them, or asks for none", Fail: "the policy does not allow them",
			Unknown: throttled, look: lookTags},
		{Name: "subnet", Reads: "the subnet of the interface", About: withInterface,
			For:     "requests with an interface",
			Actions: []string{describeInterfaces, describeSubnets},
			Pass:    "it was read", Unknown: throttled, look: lookSubnet},
		{Name: "route-tables", Reads: "the table that the subnet goes by, and its default route",
			About: withInterface, For: "requests with an interface",
			Actions: []string{describeInterfaces, describeTables},
			Pass:    "there is a default route, and it is active",
			Warn:    "there is none, or it is a black hole",
			Unknown: throttled, look: lookTables},
		{Name: "source-dest-check", Reads: "the interface's source/dest check, which becomes the " +
			"prior fact of forwarding", About: withInterface, For: "requests with an interface",
			Actions: []string{describeInterfaces},
			Pass:    "it was read", Unknown: throttled + ", or leaves it out", look: lookCheck},
	}
}

func addressChecks() []Check {
	about := "`" + verbAssign + "`"
	return []Check{
		{Name: "address-in-subnet", Reads: "whether the address is in the interface's subnet, and " +
			"not reserved", About: assigns, For: about,
			Actions: []string{describeInterfaces, describeSubnets},
			Pass:    "it is", Fail: "it is outside, or reserved by AWS",
			Unknown: throttled, look: lookInSubnet},
		{Name: "address-holder", Reads: "which interface of the VPC holds the address",
			About: assigns, For: about, Actions: []string{describeInterfaces},
			Pass:    "nobody, or the interface itself",
			Warn:    "another one, from which the request takes it",
			Fail:    "another one, from which it can't or may not be taken",
			Unknown: throttled + ", or the subnet has more interfaces than one answer holds",
			look:    lookHolder},
		{Name: "address-room", Reads: "the addresses of the interface, against the limit of the " +
			"instance type", About: assigns, For: about,
			Actions: []string{describeInterfaces, describeInstances, describeTypes},
			Pass:    "there is room", Warn: "it is attached to nothing, so no type limits it",
			Fail: "it is full", Unknown: throttled, look: lookAddressRoom},
	}
}

func routeChecks() []Check {
	about := "`" + verbRoute + "`"
	return []Check{
		{Name: "route-destination", Reads: "whether the table can have a route to the destination, " +
			"and to the interface", About: routes, For: about,
			Actions: []string{describeInterfaces, describeTables, describeSubnets},
			Pass:    "it can", Fail: "AWS keeps the destination, it is a part of a subnet, or the " +
				"interface is in another VPC", Unknown: throttled, look: lookDestination},
		{Name: "route-holder", Reads: "where the destination leads now", About: routes, For: about,
			Actions: []string{describeTables},
			Pass:    "nowhere, or to the interface",
			Warn:    "elsewhere, from which the request takes it, or to the interface as a black hole",
			Fail:    "elsewhere, and the request may not take it", Unknown: throttled,
			look: lookRouteHolder},
		{Name: "route-room", Reads: "how many routes of the family were made in the table, the " +
			"propagated ones not counted", About: routes, For: about,
			Actions: []string{describeTables},
			Pass:    "below the default quota, or none is added",
			Warn:    "at the default quota; your own is not read",
			Fail:    "at the largest quota that AWS grants", Unknown: throttled, look: lookRouteRoom},
	}
}

func fenceChecks() []Check {
	about := "`" + verbFence + "`"
	reads := []string{describeInstances, describeGroups}
	return []Check{
		{Name: "fence-groups", Reads: "the groups of every interface, now and after the fence",
			About: fences, For: about, Actions: reads,
			Pass:    "each group exists in the VPC, and the reading agrees with the plan",
			Fail:    "a group does not exist or is of another VPC",
			Unknown: throttled + ", or there is no plan", look: lookFenceGroups},
		{Name: "fence-leaves", Reads: "the rules of the groups that are left", About: fences,
			For: about, Actions: reads,
			Pass: "no rule is left", Warn: "some traffic stays allowed",
			Unknown: throttled + ", does not show a group, or there is no plan",
			look:    lookFenceLeaves},
		{Name: "tracked-connections", Reads: "whether connections that are tracked already go on",
			About: fences, For: about, Actions: []string{describeInstances},
			Pass: "the instance is stopped, or the fence stops it",
			Warn: "they may go on", Unknown: throttled, look: lookTracked},
		{Name: "group-room", Reads: "how many groups an interface would have", About: fences,
			For: about, Actions: []string{describeInstances},
			Pass: "at most 5, the default quota", Warn: "6 to 16; your own quota is not read",
			Fail: "more than 16", Unknown: "there is no plan", look: lookGroupRoom},
		{Name: "tag-room", Reads: "the instance's tags and those of the backup, against EC2's 50",
			About: fences, For: about, Actions: []string{describeInstances},
			Pass: "there is room, or no tags are written", Fail: "there is none",
			Unknown: throttled, look: lookTagRoom},
	}
}

func planChecks() []Check {
	return []Check{
		{Name: "already-so", Reads: "whether anything is left to change", About: undoable,
			For:  "verbs that have an undo",
			Pass: "there is", Warn: "it is so already: the lab is not clean, and the undo of this " +
				"action gives nothing back", Unknown: "there is no plan", look: lookAlready},
		{Name: "plan", Reads: "the executor's own dry-run", About: every, For: "every request",
			Pass: "it tells the plan", Warn: "it could not foresee everything",
			Fail:    "it refuses the request, and execute would too",
			Unknown: "it could not read what it needs, or could not be run", look: lookPlan},
		{Name: "undo", Reads: "what the undo would change right after", About: undoable,
			For:  "verbs that have an undo",
			Pass: "it is described", Warn: "it changes nothing",
			Unknown: "the plan is not known", look: lookUndo},
	}
}
