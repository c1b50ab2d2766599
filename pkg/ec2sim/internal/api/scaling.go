package api

import (
	"maps"
	"slices"
	"strings"

	"aws-provider-executor/pkg/ec2sim/internal/query"
	"aws-provider-executor/pkg/ec2sim/internal/refusal"
	"aws-provider-executor/pkg/ec2sim/internal/scaling"
	"aws-provider-executor/pkg/ec2sim/internal/world"
)

// scalingOperations are a small part of Auto Scaling's: groups are declared, not made.
var scalingOperations = map[string]Operation{
	"DescribeAutoScalingGroups":    reading(describeScalingGroups),
	"DescribeAutoScalingInstances": reading(describeScalingInstances),
	"DescribeLifecycleHooks":       reading(describeLifecycleHooks),

	"CompleteLifecycleAction":             changing(completeLifecycleAction),
	"PutLifecycleHook":                    changing(putLifecycleHook),
	"RecordLifecycleActionHeartbeat":      changing(recordHeartbeat),
	"SetDesiredCapacity":                  changing(setDesiredCapacity),
	"SetInstanceProtection":               changing(setInstanceProtection),
	"TerminateInstanceInAutoScalingGroup": changing(terminateInGroup),
}

// scalingWords are a refusal in the words of Auto Scaling, where they are not EC2's.
func scalingWords(e refusal.Error) refusal.Error {
	codes := map[string]string{
		"UnauthorizedOperation": "AccessDenied", "RequestLimitExceeded": "Throttling",
		"MissingParameter": "ValidationError", "InvalidParameterValue": "ValidationError",
		"UnknownParameter": "ValidationError", "InternalError": "InternalFailure",
		"Unavailable": "ServiceUnavailable",
	}
	if code, other := codes[e.Code]; other {
		e.Code = code
	}
	if e.Code == "Throttling" {
		e.Message, e.Status = "Rate exceeded", 400
	}
	return e
}

// ofGroup is embedded in the parameters of the operations on one group.
type ofGroup struct {
	AutoScalingGroupName string `query:"required"`
}

func (g ofGroup) resources(w *world.World) []string {
	return []string{w.ScalingGroupARN(g.AutoScalingGroupName)}
}

// scalingGroup finds a group by its name.
func (c *call) scalingGroup(name string) (*scaling.Group, error) {
	if g := c.World.ScalingGroups[name]; g != nil {
		return g.Group(), nil
	}
	return nil, world.Invalid("AutoScalingGroup name not found - AutoScalingGroup '%s' not found",
		name)
}

// members is a list of texts in a parameter.
type members struct {
	Member []string `wire:"member"`
}

// listed is what a paged operation of Auto Scaling takes.
type listed struct {
	MaxRecords *int
	NextToken  string
}

// page is the page that was asked for, in EC2's terms.
func (l listed) page(most int) page {
	size := most
	if l.MaxRecords != nil {
		size = *l.MaxRecords
	}
	return page{MaxResults: &size, NextToken: l.NextToken}
}

type describeScalingGroupsIn struct {
	listed
	AutoScalingGroupNames members
	Filters               struct{} `query:"unheld"`
	IncludeInstances      *bool    `query:"unheld"`
}

type scalingTagXML struct {
	ResourceID   string `xml:"ResourceId"`
	ResourceType string `xml:"ResourceType"`
	Key          string `xml:"Key"`
	Value        string `xml:"Value"`
	Propagates   bool   `xml:"PropagateAtLaunch"`
}

type scalingMemberXML struct {
	ID        string `xml:"InstanceId"`
	Group     string `xml:"AutoScalingGroupName,omitempty"`
	Zone      string `xml:"AvailabilityZone"`
	State     string `xml:"LifecycleState"`
	Health    string `xml:"HealthStatus"`
	Protected bool   `xml:"ProtectedFromScaleIn"`
	Type      string `xml:"InstanceType"`
}

type suspendedXML struct {
	Process string `xml:"ProcessName"`
}

type scalingGroupXML struct {
	Name      string                          `xml:"AutoScalingGroupName"`
	ARN       string                          `xml:"AutoScalingGroupARN"`
	Min       int                             `xml:"MinSize"`
	Max       int                             `xml:"MaxSize"`
	Desired   int                             `xml:"DesiredCapacity"`
	Cooldown  int                             `xml:"DefaultCooldown"`
	Zones     query.Members[string]           `xml:"AvailabilityZones"`
	Health    string                          `xml:"HealthCheckType"`
	Grace     int                             `xml:"HealthCheckGracePeriod"`
	Instances query.Members[scalingMemberXML] `xml:"Instances"`
	Created   string                          `xml:"CreatedTime"`
	Suspended query.Members[suspendedXML]     `xml:"SuspendedProcesses"`
	Subnets   string                          `xml:"VPCZoneIdentifier"`
	Tags      query.Members[scalingTagXML]    `xml:"Tags"`
	Policies  query.Members[string]           `xml:"TerminationPolicies"`
	Protected bool                            `xml:"NewInstancesProtectedFromScaleIn"`
}

func (c *call) scalingMember(m scaling.Member, group, healthy, unhealthy string) scalingMemberXML {
	x := scalingMemberXML{ID: m.InstanceID, Group: group, Zone: m.Zone, State: m.State,
		Health: unhealthy, Protected: m.Protected}
	if i := c.World.Instances[m.InstanceID]; i != nil {
		if x.Type = i.Type; i.State == "running" || i.State == "pending" {
			x.Health = healthy
		}
	}
	return x
}

func (c *call) scalingGroupXML(g *scaling.Group) scalingGroupXML {
	x := scalingGroupXML{Name: g.Name, ARN: c.World.ScalingGroupARN(g.Name), Min: g.MinSize,
		Max: g.MaxSize, Desired: g.DesiredCapacity, Cooldown: 300, Health: "EC2",
		Created: "2026-01-05T09:00:00Z", Subnets: strings.Join(g.SubnetIDs, ","),
		Protected: g.NewProtected, Policies: query.Members[string]{Member: []string{"Default"}}}
	for _, id := range g.SubnetIDs {
		zone := c.World.Subnets[id].AvailabilityZone
		if !slices.Contains(x.Zones.Member, zone) {
			x.Zones.Member = append(x.Zones.Member, zone)
		}
	}
	for _, m := range g.Instances {
		x.Instances.Member = append(x.Instances.Member, c.scalingMember(m, "", "Healthy", "Unhealthy"))
	}
	for _, name := range g.Suspended {
		x.Suspended.Member = append(x.Suspended.Member, suspendedXML{name})
	}
	for _, key := range slices.Sorted(maps.Keys(g.Tags)) {
		x.Tags.Member = append(x.Tags.Member,
			scalingTagXML{g.Name, "auto-scaling-group", key, g.Tags[key], true})
	}
	return x
}

// describeScalingGroups leaves out groups that are not there, as Auto Scaling does.
func describeScalingGroups(c *call, in *describeScalingGroupsIn) (any, error) {
	var found []*world.ScalingGroup
	for g := range c.World.ScalingGroups.Each() {
		if names := in.AutoScalingGroupNames.Member; len(names) == 0 || slices.Contains(names, g.Name) {
			found = append(found, g)
		}
	}
	shown, next, err := take(c.operation, in.page(50), pageLimits{min: 1, max: 100}, found, groupKey)
	if err != nil {
		return nil, err
	}
	var out struct {
		Groups query.Members[scalingGroupXML] `xml:"AutoScalingGroups"`
		Next   string                         `xml:"NextToken,omitempty"`
	}
	out.Next = next
	for _, g := range shown {
		out.Groups.Member = append(out.Groups.Member, c.scalingGroupXML(g.Group()))
	}
	return out, nil
}

func groupKey(g *world.ScalingGroup) string { return g.Name }

type describeScalingInstancesIn struct {
	listed
	InstanceIds members
}

// describeScalingInstances leaves out instances that are in no group, as Auto Scaling does.
func describeScalingInstances(c *call, in *describeScalingInstancesIn) (any, error) {
	var found []*scalingMemberXML
	for g := range c.World.ScalingGroups.Each() {
		for _, m := range g.Instances {
			ids := in.InstanceIds.Member
			if len(ids) == 0 || slices.Contains(ids, m.InstanceID) {
				x := c.scalingMember(m, g.Name, "HEALTHY", "UNHEALTHY")
				found = append(found, &x)
			}
		}
	}
	byID := func(x *scalingMemberXML) string { return x.ID }
	slices.SortFunc(found, func(a, b *scalingMemberXML) int { return strings.Compare(a.ID, b.ID) })
	shown, next, err := take(c.operation, in.page(50), pageLimits{min: 1, max: 50}, found, byID)
	if err != nil {
		return nil, err
	}
	var out struct {
		Instances query.Members[*scalingMemberXML] `xml:"AutoScalingInstances"`
		Next      string                           `xml:"NextToken,omitempty"`
	}
	out.Instances.Member, out.Next = shown, next
	return out, nil
}

type describeLifecycleHooksIn struct {
	AutoScalingGroupName string `query:"required"`
	LifecycleHookNames   members
}

type hookXML struct {
	Name       string `xml:"LifecycleHookName"`
	Group      string `xml:"AutoScalingGroupName"`
	Transition string `xml:"LifecycleTransition"`
	Target     string `xml:"NotificationTargetARN,omitempty"`
	RoleARN    string `xml:"RoleARN,omitempty"`
	Metadata   string `xml:"NotificationMetadata,omitempty"`
	Heartbeat  int    `xml:"HeartbeatTimeout"`
	Global     int    `xml:"GlobalTimeout"`
	Default    string `xml:"DefaultResult"`
}

func describeLifecycleHooks(c *call, in *describeLifecycleHooksIn) (any, error) {
	g, err := c.scalingGroup(in.AutoScalingGroupName)
	if err != nil {
		return nil, err
	}
	var out struct {
		Hooks query.Members[hookXML] `xml:"LifecycleHooks"`
	}
	for _, h := range g.Hooks {
		if names := in.LifecycleHookNames.Member; len(names) > 0 && !slices.Contains(names, h.Name) {
			continue
		}
		out.Hooks.Member = append(out.Hooks.Member, hookXML{Name: h.Name, Group: g.Name,
			Transition: h.Transition, Target: h.Target, RoleARN: h.RoleARN, Metadata: h.Metadata,
			Heartbeat: int(h.Heartbeat().Seconds()), Global: int(h.Global().Seconds()),
			Default: h.Default()})
	}
	return out, nil
}

type putLifecycleHookIn struct {
	ofGroup
	LifecycleHookName     string `query:"required"`
	LifecycleTransition   string
	DefaultResult         string
	HeartbeatTimeout      int
	NotificationTargetARN string
	RoleARN               string
	NotificationMetadata  string
}

// putLifecycleHook makes a hook, or changes what is said of one that is there.
func putLifecycleHook(c *call, in *putLifecycleHookIn) (any, error) {
	g, err := c.scalingGroup(in.AutoScalingGroupName)
	if err != nil {
		return nil, err
	}
	h := scaling.Hook{Name: in.LifecycleHookName}
	if known := g.Hook(h.Name); known != nil {
		h = *known
	}
	for to, said := range map[*string]string{
		&h.Transition: in.LifecycleTransition, &h.DefaultResult: in.DefaultResult,
		&h.Target: in.NotificationTargetARN, &h.RoleARN: in.RoleARN,
		&h.Metadata: in.NotificationMetadata,
	} {
		if said != "" {
			*to = said
		}
	}
	if in.HeartbeatTimeout != 0 {
		h.HeartbeatSeconds = in.HeartbeatTimeout
	}
	return struct{}{}, c.PutHook(g, h)
}

// ofAction names a lifecycle action.
type ofAction struct {
	ofGroup
	LifecycleHookName    string `query:"required"`
	LifecycleActionToken string
	InstanceId           string
}

// active finds the group and its action that is under way.
func (c *call) active(in ofAction) (*scaling.Group, *scaling.Action, error) {
	g, err := c.scalingGroup(in.AutoScalingGroupName)
	if err != nil {
		return nil, nil, err
	}
	if in.LifecycleActionToken == "" && in.InstanceId == "" {
		return nil, nil, world.Invalid("Either LifecycleActionToken or InstanceId must be specified.")
	}
	if a := g.Active(in.LifecycleHookName, in.LifecycleActionToken, in.InstanceId); a != nil {
		return g, a, nil
	}
	by := "instance ID " + in.InstanceId
	if in.LifecycleActionToken != "" {
		by = "token " + in.LifecycleActionToken
	}
	return nil, nil, world.Invalid("No active Lifecycle Action found with %s", by)
}

type completeLifecycleActionIn struct {
	ofAction
	LifecycleActionResult string `query:"required"`
}

func completeLifecycleAction(c *call, in *completeLifecycleActionIn) (any, error) {
	result := in.LifecycleActionResult
	if result != scaling.Continue && result != scaling.Abandon {
		return nil, world.Invalid("Lifecycle action result must be either CONTINUE or ABANDON.")
	}
	_, a, err := c.active(in.ofAction)
	if err != nil {
		return nil, err
	}
	a.Result = result
	return struct{}{}, nil
}

func recordHeartbeat(c *call, in *ofAction) (any, error) {
	g, a, err := c.active(*in)
	if err != nil {
		return nil, err
	}
	g.Beat(a, c.Now)
	return struct{}{}, nil
}

type setDesiredCapacityIn struct {
	ofGroup
	DesiredCapacity *int
	HonorCooldown   bool
}

func setDesiredCapacity(c *call, in *setDesiredCapacityIn) (any, error) {
	g, err := c.scalingGroup(in.AutoScalingGroupName)
	switch {
	case err != nil:
		return nil, err
	case in.DesiredCapacity == nil:
		return nil, refusal.Missing("DesiredCapacity")
	case *in.DesiredCapacity > g.MaxSize:
		return nil, world.Invalid("New SetDesiredCapacity value %d is above max value %d for the "+
			"AutoScalingGroup.", *in.DesiredCapacity, g.MaxSize)
	case *in.DesiredCapacity < g.MinSize:
		return nil, world.Invalid("New SetDesiredCapacity value %d is below min value %d for the "+
			"AutoScalingGroup.", *in.DesiredCapacity, g.MinSize)
	}
	g.DesiredCapacity = *in.DesiredCapacity
	return struct{}{}, nil
}

type setInstanceProtectionIn struct {
	ofGroup
	InstanceIds          members
	ProtectedFromScaleIn *bool
}

func setInstanceProtection(c *call, in *setInstanceProtectionIn) (any, error) {
	g, err := c.scalingGroup(in.AutoScalingGroupName)
	switch {
	case err != nil:
		return nil, err
	case len(in.InstanceIds.Member) == 0:
		return nil, refusal.Missing("InstanceIds")
	case in.ProtectedFromScaleIn == nil:
		return nil, refusal.Missing("ProtectedFromScaleIn")
	}
	for _, id := range in.InstanceIds.Member {
		m := g.Member(id)
		if m == nil {
			return nil, world.Invalid("The instance %s is not part of Auto Scaling group %s.", id, g.Name)
		}
		if m.State != scaling.InService {
			return nil, world.Invalid("The instance %s is not in InService or EnteringStandby or Standby.",
				id)
		}
		m.Protected = *in.ProtectedFromScaleIn
	}
	return struct{}{}, nil
}

type terminateInGroupIn struct {
	InstanceId                     string `query:"required"`
	ShouldDecrementDesiredCapacity *bool
}

func (in *terminateInGroupIn) resources(w *world.World) []string {
	if g := w.ScalingGroupOf(in.InstanceId); g != nil {
		return []string{w.ScalingGroupARN(g.Name)}
	}
	return []string{w.ScalingGroupARN("*")}
}

type activityXML struct {
	Activity struct {
		ID       string `xml:"ActivityId"`
		Group    string `xml:"AutoScalingGroupName"`
		Cause    string `xml:"Cause"`
		Started  string `xml:"StartTime"`
		Status   string `xml:"StatusCode"`
		Progress int    `xml:"Progress"`
	} `xml:"Activity"`
}

// terminateInGroup has an instance leave its group, protected or not.
func terminateInGroup(c *call, in *terminateInGroupIn) (any, error) {
	g := c.World.ScalingGroupOf(in.InstanceId)
	if g == nil {
		return nil, world.Invalid("Instance Id not found - No managed instance found for instance ID: %s",
			in.InstanceId)
	}
	if in.ShouldDecrementDesiredCapacity == nil {
		return nil, refusal.Missing("ShouldDecrementDesiredCapacity")
	}
	m := g.Member(in.InstanceId)
	if *in.ShouldDecrementDesiredCapacity && !m.Leaving() {
		if g.DesiredCapacity == g.MinSize {
			return nil, world.Invalid("Currently, desiredSize equals minSize (%d). Terminating instance "+
				"without replacement will violate group's min size constraint.", g.MinSize)
		}
		g.DesiredCapacity--
	}
	if !m.Leaving() {
		m.State, m.Actions = scaling.TerminatingBegun, nil
	}
	var out activityXML
	out.Activity.ID, out.Activity.Group, out.Activity.Status = c.Mint.UUID(), g.Name, "InProgress"
	out.Activity.Cause = "an instance was taken out of service in response to a user request"
	out.Activity.Started = c.Now.UTC().Format("2006-01-02T15:04:05Z")
	return out, nil
}
