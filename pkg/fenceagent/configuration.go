package fenceagent

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/plugin"
	"aws-provider-executor/pkg/protocol"
)

// The verbs, and the parameters of theirs that options map to in more than one way.
const (
	verbOff = "fence-security-groups"
	verbOn  = "unfence-security-groups"

	paramGroups    = "securityGroups"
	paramSkipCheck = "skipRaceCheck"
)

// exactParam is the parameter for the interface at a device index.
func exactParam(index int) string { return "interface" + strconv.Itoa(index) + "Sg" }

// isTrue reports whether a text says yes.
func isTrue(text string) bool {
	v, err := action.Boolean.Canonical(text)
	return err == nil && v == "true"
}

// check finds every fault of the options, before any call.
func (r *run) check() []string {
	faults := r.in.check()
	for _, o := range r.in.table {
		if v := r.in.value(o.name); v != "" && o.refused == "" {
			faults = append(faults, r.formFault(o, v)...)
		}
	}
	faults = append(faults, r.missing()...)
	_, wrong := plugin.Parse(r.env)
	return append(faults, wrong...)
}

// missing finds what is missing, and what excludes each other.
func (r *run) missing() []string {
	var faults []string
	if r.in.exact(positionOption) && r.in.exact(deviceOption) {
		faults = append(faults, "interfaces are counted by place (interface0_sg, …) and by device"+
			" index (device0_sg, …): give one of the two")
	}
	needsFence := slices.Contains(
		[]string{"off", "status", "monitor", "list-status", "validate-all"}, r.action)
	if needsFence && r.in.value(optGroups) == "" && !r.in.hasExact() {
		faults = append(faults, "secg is required: the groups that a fence removes; "+
			"or interface0_sg and so on, or device0_sg and so on")
	}
	if r.in.bool(optInvert) && r.in.value(optGroups) == "" {
		faults = append(faults, optInvert+" is given without secg, which are the groups to keep")
	}
	if needsPlug := slices.Contains([]string{"on", "off", "status"}, r.action); needsPlug &&
		len(r.plugs()) == 0 && r.in.value(optFilter) == "" {
		faults = append(faults,
			"plug is required: an instance's id or name, or a filter that selects one")
	}
	if f := r.in.value(optFilter); f != "" && !strings.Contains(f, "=") {
		faults = append(faults, optFilter+" is "+protocol.Quote(f)+
			", want key=value, as in tag:cluster=one")
	}
	return faults
}

// formFault holds a value against the form that the verb's parameter has.
func (r *run) formFault(o option, v string) []string {
	verb, param := verbOff, o.off
	switch {
	case isOfInterface(o.name):
		param = exactParam(0)
	case o.off == "" && o.on != "":
		verb, param = verbOn, o.on
	}
	form := action.Text
	if o.name == optRegion {
		form = action.Region
	}
	if param != "" {
		form = r.field(verb, param).Form
	}
	if _, err := form.Canonical(groupList(v)); err != nil && o.wants(v) == "" {
		return []string{fmt.Sprintf("%s is %s: %v", o.name, protocol.Quote(v), err)}
	}
	return nil
}

// field is the description of a verb's parameter.
func (r *run) field(verb, param string) action.Field {
	v, _ := r.Executor.Registry.Lookup(verb)
	i := slices.IndexFunc(v.Parameters, func(f action.Field) bool { return f.Matches(param) })
	return v.Parameters[i]
}

// groupList is a list without the blanks that people write after a comma.
func groupList(text string) string {
	parts := strings.Split(text, ",")
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	return strings.Join(parts, ",")
}

// exact reports whether any option of a family is given.
func (in *input) exact(name func(int) string) bool {
	for n := range interfaces {
		if in.value(name(n)) != "" {
			return true
		}
	}
	return false
}

func (in *input) hasExact() bool { return in.exact(positionOption) || in.exact(deviceOption) }

// exactGroups are the groups that the options give interfaces, by device index. Interfaces that
// are counted by their place need the instance as EC2 lists it.
func (in *input) exactGroups(i ec2model.Instance) (map[string]string, error) {
	given := map[string]string{}
	for n := range interfaces {
		if v := in.value(deviceOption(n)); v != "" {
			given[exactParam(n)] = groupList(v)
		}
		v := in.value(positionOption(n))
		if v == "" {
			continue
		}
		at := slices.IndexFunc(i.Interfaces, func(nic ec2model.InstanceInterface) bool {
			return nic.Position == n
		})
		if at < 0 {
			return nil, fmt.Errorf("%s has no interface at place %d, for %s", i.ID, n, positionOption(n))
		}
		key := exactParam(i.Interfaces[at].Index)
		if given[key] != "" {
			return nil, fmt.Errorf("two interfaces of %s have the device index %d, on different network"+
				" cards: use secg", i.ID, i.Interfaces[at].Index)
		}
		given[key] = groupList(v)
	}
	return given, nil
}

// offParams are the parameters of the fence.
func (r *run) offParams(i ec2model.Instance) (map[string]string, error) {
	params, err := r.in.exactGroups(i)
	if err != nil {
		return nil, err
	}
	for _, o := range r.in.table {
		if v := r.in.value(o.name); v != "" && o.off != "" {
			params[o.off] = groupList(v)
		}
	}
	return params, nil
}

// onParams are the parameters of the end of all fences. Exact groups are what to give back only
// where secg tells what the fence was.
func (r *run) onParams(i ec2model.Instance) (map[string]string, error) {
	params := map[string]string{}
	if groups := r.in.value(optGroups); groups != "" && r.in.hasExact() {
		var err error
		if params, err = r.in.exactGroups(i); err != nil {
			return nil, err
		}
		params[paramGroups] = groupList(groups)
	}
	for _, o := range r.in.table {
		if v := r.in.value(o.name); v != "" && o.on != "" {
			params[o.on] = v
		}
	}
	return params, nil
}

// keyPrefix begins the idempotency keys of the agent.
const keyPrefix = "fence-agent/"

// offKey is the key of a fence. It is made of what decides what the fence leaves: a second call
// finds the first one, and another configuration is another fence.
func (r *run) offKey(instance string, params map[string]string) string {
	verb, _ := r.Executor.Registry.Lookup(verbOff)
	var decides []string
	for name, value := range params {
		i := slices.IndexFunc(verb.Parameters, func(f action.Field) bool { return f.Matches(name) })
		f := verb.Parameters[i]
		canonical, err := f.Form.Canonical(value)
		isDefault := canonical == f.Default ||
			f.Form.Name == action.Boolean.Name && f.Default == "" && canonical == "false"
		if err == nil && f.Decides && !isDefault {
			decides = append(decides, name+"="+canonical)
		}
	}
	slices.Sort(decides)
	sum := sha256.Sum256([]byte(strings.Join(decides, "\n")))
	return keyPrefix + instance + "/off/" + hex.EncodeToString(sum[:8])
}

// onKey is the key of the end of all fences.
func onKey(instance string) string { return keyPrefix + instance + "/on" }
