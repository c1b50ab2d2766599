package lifecycle

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"aws-provider-executor/pkg/gate"
	"aws-provider-executor/pkg/licenses/licensemodel"
)

// Instance is what a plan needs to know of an instance.
type Instance struct {
	ID, Zone string
	// Primary is the interface at device index 0, and Address its primary private address. They are
	// read only if a step needs them.
	Primary, Address string
}

// Role is what an instance is to be among the members of its group. Without a Name the group has no
// members.
type Role struct {
	// Name is primary or secondary.
	Name string
	// Primary is the primary's id, PrimaryAddress its address.
	Primary, PrimaryAddress string
	// Epoch is that of the election. A role of another epoch is another step.
	Epoch int64
}

// Own is what an instance has by the steps before its role.
type Own struct {
	// Address is the address by which its appliance is managed.
	Address string
	// License says where the text of its licence is; empty for none.
	License string
}

// The roles.
const (
	RolePrimary   = "primary"
	RoleSecondary = "secondary"
)

// Step is one action of a launch.
type Step struct {
	// Name is the last part of its key.
	Name string
	gate.Plan
	// Required reports whether the launch is abandoned if the step fails.
	Required bool
	// OutOfStock says what becomes of the launch if there is none of what the step takes; empty for
	// what Required says.
	OutOfStock string
	// Timeout is how long the executor may take; 0 for what is usual.
	Timeout time.Duration
}

// The providers of steps.
const (
	ProviderAWS       = "aws"
	ProviderAppliance = "appliance"
)

// KeyOf is the idempotency key of a step of an event's instance. It says all that the step is of,
// so the same event gives the same keys.
func KeyOf(e Event, k Kind, step string) string { return KeysOf(e, k) + step }

// KeysOf begins the keys of all steps of an event's instance.
func KeysOf(e Event, k Kind) string {
	return strings.Join([]string{"lifecycle", e.Account, e.Region, e.Group, e.Instance, string(k), ""},
		"/")
}

// NeedsPrimary reports whether a step needs the interface at device index 0.
func (g *Group) NeedsPrimary() bool {
	if g.Members != nil && g.Members.Index == 0 || g.Appliance != nil && g.Appliance.Index == 0 {
		return true
	}
	return slices.ContainsFunc(g.Interfaces, func(i Interface) bool { return i.Index == 0 })
}

// Wrong says why an instance of the group can't be launched in its zone; empty if it can.
func (g *Group) Wrong(i Instance) string {
	var missing []string
	for _, nic := range g.Interfaces {
		if nic.Index > 0 && nic.Required && nic.Subnets[i.Zone] == "" {
			missing = append(missing, fmt.Sprintf("%d (%s)", nic.Index, strings.Join(nic.zones(), ", ")))
		}
	}
	if len(missing) == 0 {
		return ""
	}
	return fmt.Sprintf(
		"%s is in the zone %s, and no subnet is configured there for the interfaces at "+
			"the device indexes %s",
		i.ID,
		i.Zone,
		strings.Join(missing, ", "),
	)
}

// planner makes the steps of one launch.
type planner struct {
	*Group
	event Event
	Instance
}

// Resources are the steps by which an instance gets what is its own, in order.
func (g *Group) Resources(e Event, i Instance) (all []Step) {
	p := planner{g, e, i}
	for _, nic := range g.Interfaces {
		if nic.Index > 0 && (nic.Required || nic.Subnets[i.Zone] != "") {
			all = append(all, p.networkInterface(nic))
		}
		if nic.Index == 0 && !nic.SourceDestCheck {
			all = append(all, p.forwarding(nic))
		}
	}
	for _, nic := range g.Interfaces {
		if nic.Public != nil {
			all = append(all, p.publicAddress(nic))
		}
	}
	if len(g.Tags) > 0 {
		all = append(all, p.tags())
	}
	if g.License != nil {
		all = append(all, p.license())
	}
	return all
}

// InRole are the steps by which an instance takes up its role, in order.
func (g *Group) InRole(e Event, i Instance, own Own, r Role) (all []Step) {
	p := planner{g, e, i}
	if g.Appliance != nil {
		all = append(all, p.appliance(own, r))
	}
	if g.Protection == ProtectAlways || g.Protection == ProtectPrimary && r.Name == RolePrimary {
		all = append(all, p.protection())
	}
	return all
}

// step makes a step. Its undo is what the verb itself names.
func (p planner) step(name, provider, verb string, target, parameters map[string]string) Step {
	return Step{Name: name, Required: true, Plan: gate.Plan{
		Name: name + " of " + p.ID, Provider: provider, Action: verb,
		Target: target, Parameters: parameters, IdempotencyKey: KeyOf(p.event, Launch, name),
		Description: "launch of " + p.ID + " in " + p.event.Group,
	}}
}

func (p planner) networkInterface(i Interface) Step {
	given := map[string]string{
		"securityGroups":      strings.Join(slices.Sorted(slices.Values(i.SecurityGroups)), ","),
		"sourceDestCheck":     strconv.FormatBool(i.SourceDestCheck),
		"deleteOnTermination": strconv.FormatBool(i.DeleteOnTermination),
	}
	for zone, subnet := range i.Subnets {
		given["subnet."+zone] = subnet
	}
	if len(i.Addresses) > 0 {
		given["privateAddresses"] = strings.Join(i.Addresses, ",")
	}
	if i.Description != "" {
		given["interfaceDescription"] = i.Description
	}
	index := strconv.Itoa(i.Index)
	s := p.step(interfaceStep(i.Index), ProviderAWS, "ensure-network-interface", map[string]string{
		"instanceRef": p.ID, "deviceIndex": index, "region": p.event.Region}, given)
	s.Required = i.Required
	return s
}

// forwarding switches off the source/dest check of the interface from the launch.
func (p planner) forwarding(i Interface) Step {
	s := p.step("forwarding:0", ProviderAWS, "ensure-forwarding-enabled", map[string]string{
		"nicRef": p.Primary, "address": p.Address, "region": p.event.Region}, nil)
	s.Required = i.Required
	return s
}

func (p planner) tags() Step {
	given := map[string]string{}
	for key, value := range p.Tags {
		given["tag."+key] = filled(value, p.words())
	}
	s := p.step("tags", ProviderAWS, "ensure-tags", map[string]string{
		"resourceRef": p.ID, "region": p.event.Region}, given)
	s.Required = p.TagsRequired
	return s
}

func (p planner) words() map[string]string {
	return map[string]string{"instance": p.ID, "group": p.event.Group}
}

func (p planner) appliance(own Own, r Role) Step {
	words := p.words()
	maps.Copy(words, map[string]string{"role": r.Name, "address": own.Address, "primary": r.Primary,
		"primaryAddress": r.PrimaryAddress})
	given := map[string]string{"driver": p.Appliance.Driver}
	if text, file := licenseRef(own.License); text != "" && file {
		given["licenseFileRef"] = text
	} else if text != "" {
		given["licenseTokenRef"] = text
	}
	name := "appliance"
	if r.Name != "" {
		given["role"] = r.Name
		name += "@" + strconv.FormatInt(r.Epoch, 10)
	}
	if r.Name == RoleSecondary {
		given["primaryAddress"] = r.PrimaryAddress
	}
	for key, value := range p.Appliance.Parameters {
		given[key] = filled(value, words)
	}
	s := p.step(name, ProviderAppliance, "configure-appliance", map[string]string{
		"instanceRef": p.ID, "region": p.event.Region, "address": own.Address}, given)
	s.Required, s.Timeout = p.Appliance.Required, p.Appliance.Timeout
	return s
}

// licenseRef is where the text of a licence is, as an appliance's executor takes it. It reports
// whether it is a file and no token.
func licenseRef(ref string) (text string, file bool) {
	file = strings.HasSuffix(ref, ".lic") || strings.Contains(ref, "#"+licensemodel.TextPrefix)
	if strings.HasPrefix(ref, "/") {
		ref = "file:" + ref
	}
	return ref, file
}

// publicAddress gives an interface an Elastic IP.
func (p planner) publicAddress(i Interface) Step {
	index := strconv.Itoa(i.Index)
	target := map[string]string{"instanceRef": p.ID, "deviceIndex": index, "region": p.event.Region}
	given := map[string]string{}
	if i.Public.Allocation != "" {
		given["allocationRef"] = i.Public.Allocation
	} else {
		given["publicIpv4Pool"] = i.Public.Pool
	}
	s := p.step("address:"+index, ProviderAWS, "ensure-public-address", target, given)
	s.Required = i.Public.Required && i.Required
	return s
}

func (p planner) license() Step {
	s := p.step("license", ProviderAppliance, "assign-license", map[string]string{
		"instanceRef": p.ID, "region": p.event.Region, "licensePool": p.License.Pool},
		map[string]string{"licenseSource": p.License.Source})
	s.Required, s.OutOfStock = p.License.Required, p.License.OutOfStock
	return s
}

func (p planner) protection() Step {
	return p.step(protectionStep, ProviderAWS, "ensure-instance-protection", map[string]string{
		"instanceRef": p.ID, "region": p.event.Region, "autoScalingGroupName": p.event.Group},
		map[string]string{"protectedFromScaleIn": "true"})
}

// completion is the step that tells a hook a result. A handler that answers any hook has one for
// each.
func (g *Group) completion(e Event, result string) Step {
	key := KeysOf(e, "hook") + string(e.Kind) + "/" + result
	if g.Hook(e.Kind) == "" {
		key += "/" + e.Hook
	}
	return Step{Name: "hook:" + result, Required: true, Plan: gate.Plan{
		Name: "end of the wait of " + e.Instance, Provider: ProviderAWS,
		Action: "complete-lifecycle-action",
		Target: map[string]string{"instanceRef": e.Instance, "region": e.Region,
			"autoScalingGroupName": e.Group},
		Parameters: map[string]string{"lifecycleHookName": e.Hook, "lifecycleActionResult": result,
			"lifecycleActionToken": e.Token},
		IdempotencyKey: key,
	}}
}

// protectionStep is the name of the step that protects from scale-in.
const protectionStep = "protection"

// interfaceStep is the name of the step that makes an interface.
func interfaceStep(index int) string { return "interface:" + strconv.Itoa(index) }
