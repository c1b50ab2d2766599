package policy

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Subject is what a decision is about.
type Subject struct {
	Action, Provider, ProviderRef string
	Target, Parameters            map[string]string
	// Undo is set for the undo of an action; Undoes are then the verbs it may undo.
	Undo   bool
	Undoes []string
	// Irreversible is set for an action that nothing can undo.
	Irreversible bool
	// Addressless is set for a verb that can't take an address.
	Addressless bool
}

// Reason is one reason against.
type Reason struct {
	// Field is the policy's field that says no, as in allowedCIDRs.
	Field string `json:"field"`
	// Text says what would have to be otherwise.
	Text string `json:"reason"`
}

// Denial is every reason against; empty when there is none.
type Denial []Reason

// Err is the denial as an error, nil when there is none.
func (d Denial) Err() error {
	if len(d) == 0 {
		return nil
	}
	return d
}

// Error names every reason, in one line.
func (d Denial) Error() string {
	parts := make([]string, len(d))
	for i, r := range d {
		parts[i] = r.Field + ": " + r.Text
	}
	return strings.Join(parts, "; ")
}

func (d *Denial) add(field, format string, args ...any) {
	*d = append(*d, Reason{field, fmt.Sprintf(format, args...)})
}

// Subject decides what may be acted on at all: for a dry-run this is the whole decision, the tags
// apart.
func (p *Policy) Subject(s Subject) Denial {
	return p.decide(func(p *Policy, d *Denial) {
		if !p.Enabled {
			d.add("enabled", "the policy is not enabled")
		}
		name(d, "allowedProviders", "provider", p.Providers, s.Provider)
		if s.ProviderRef != "" || len(p.ProviderRefs) > 0 {
			name(d, "allowedProviderRefs", "providerRef", p.ProviderRefs, s.ProviderRef)
		}
		p.action(d, s)
		p.address(d, s)
		if p.Regions != nil {
			name(d, "allowedRegions", "region", p.Regions, s.Target["region"])
		}
		p.refs(d, s)
		if s.Irreversible && !s.Undo && !p.AllowIrreversible {
			d.add("allowIrreversible", "%s can't be undone, which is not allowed", s.Action)
		}
	})
}

// name checks that a list allows a name.
func name(d *Denial, field, what string, allowed []string, name string) {
	switch {
	case slices.Contains(allowed, "*") || slices.Contains(allowed, name):
	case name == "":
		d.add(field, "there is no %s, and only %s may be acted on", what, list(allowed))
	default:
		d.add(field, "the %s %q is not allowed; allowed: %s", what, name, list(allowed))
	}
}

func list[T ~string](allowed []T) string {
	if len(allowed) == 0 {
		return "none"
	}
	return join(allowed, ", ")
}

func join[T ~string](all []T, between string) string {
	texts := make([]string, len(all))
	for i, x := range all {
		texts[i] = string(x)
	}
	return strings.Join(texts, between)
}

func (p *Policy) action(d *Denial, s Subject) {
	if !s.Undo {
		name(d, "allowedActions", "action", p.Actions, s.Action)
		return
	}
	if !p.AllowUndo {
		d.add("allowUndo", "undoing is not allowed")
	}
	if !slices.ContainsFunc(append(slices.Clone(s.Undoes), s.Action, "*"), func(v string) bool { return slices.Contains(p.Actions, v) }) {
		d.add("allowedActions", "neither %q nor what it undoes is allowed; allowed: %s", s.Action, list(p.Actions))
	}
}

func (p *Policy) address(d *Denial, s Subject) {
	text := s.Target["address"]
	if text == "" {
		if len(p.CIDRs) > 0 && !s.Addressless {
			d.add("allowedCIDRs", "the target has no address to check; name it in target.address")
		}
		return
	}
	block, err := parseBlock(text)
	if err != nil {
		d.add("allowedCIDRs", "the address %q can't be read", text)
		return
	}
	if slices.ContainsFunc(p.CIDRs, func(c netip.Prefix) bool { return c.Bits() <= block.Bits() && c.Contains(block.Addr()) }) {
		return
	}
	allowed := make([]string, len(p.CIDRs))
	for i, c := range p.CIDRs {
		allowed[i] = c.String()
	}
	d.add("allowedCIDRs", "the address %s is not allowed; allowed: %s", text, list(allowed))
}

// parseBlock reads an address, or a network of which every address must be allowed.
func parseBlock(text string) (netip.Prefix, error) {
	if strings.Contains(text, "/") {
		block, err := netip.ParsePrefix(text)
		if err == nil && block.Addr().Is4In6() {
			err = fmt.Errorf("an IPv4 address in an IPv6 one")
		}
		return block, err
	}
	a, err := netip.ParseAddr(text)
	if err != nil || a.Is4In6() || a.Zone() != "" {
		return netip.Prefix{}, fmt.Errorf("no address")
	}
	return netip.PrefixFrom(a, a.BitLen()), nil
}

// refs holds what is targeted, and what an undo gives things back to, against the patterns.
func (p *Policy) refs(d *Denial, s Subject) {
	if p.Targets == nil {
		return
	}
	named := false
	for _, t := range []struct {
		field    string
		patterns []Pattern
	}{
		{"nicRef", p.Targets.Interfaces}, {"instanceRef", p.Targets.Instances}, {"routeTableRef", p.Targets.RouteTables},
	} {
		if ref := s.Target[t.field]; ref != "" {
			named = true
			p.ref(d, t.field, ref, t.patterns)
		}
	}
	if !named {
		d.add("allowedTargets", "the target names no nicRef, instanceRef or routeTableRef to check")
	}
	if holder := s.Parameters["priorHolder"]; holder != "" {
		p.ref(d, "priorHolder", holder, p.Targets.Interfaces)
	}
	// Gateways and the like are of no kind that there are patterns for.
	switch prior := s.Parameters["priorRouteTarget"]; {
	case strings.HasPrefix(prior, "eni-"):
		p.ref(d, "priorRouteTarget", prior, p.Targets.Interfaces)
	case strings.HasPrefix(prior, "i-"):
		p.ref(d, "priorRouteTarget", prior, p.Targets.Instances)
	}
}

func (p *Policy) ref(d *Denial, field, ref string, allowed []Pattern) {
	if !matchAny(allowed, ref) {
		d.add("allowedTargets", "the %s %q is not allowed; allowed: %s", field, ref, list(allowed))
	}
}

// Execution decides whether one more action may be executed now; done is how many this
// run has executed already.
func (p *Policy) Execution(now time.Time, done int) Denial {
	return p.decide(func(p *Policy, d *Denial) {
		if p.DryRunOnly() {
			d.add("dryRunOnly", "only dry-runs are allowed")
		}
		if done >= p.MaxActions {
			d.add("maxActionsPerRun", "%d actions are allowed in a run, and this would be number %d", p.MaxActions, done+1)
		}
		if len(p.Windows) > 0 && !slices.ContainsFunc(p.Windows, func(w Window) bool { return w.Contains(now) }) {
			texts := make([]string, len(p.Windows))
			for i, w := range p.Windows {
				texts[i] = w.String()
			}
			d.add("executionWindow", "it is %s, and the window is %s", now.In(p.Windows[0].zone).Format("Mon 15:04 MST"), strings.Join(texts, ", "))
		}
	})
}

// Tags decides by the tags of one resource that is targeted.
func (p *Policy) Tags(resource string, tags map[string]string) Denial {
	return p.decide(func(p *Policy, d *Denial) {
		for _, want := range p.RequiredTags {
			value, there := tags[want.Key]
			switch {
			case !there:
				d.add("requiredTags", "%s has no tag %q", resource, want.Key)
			case !matchAny(want.Values, value):
				d.add("requiredTags", "%s has the tag %s=%q, want %s", resource, want.Key, value, join(want.Values, " or "))
			}
		}
		for _, no := range p.DeniedTags {
			for _, key := range slices.Sorted(maps.Keys(tags)) {
				value := tags[key]
				if strings.EqualFold(key, no.Key) && matchAny(fold(no.Values), strings.ToLower(value)) {
					d.add("deniedTags", "%s has the tag %s=%q", resource, key, value)
				}
			}
		}
	})
}

func fold(p []Pattern) []Pattern {
	all := make([]Pattern, len(p))
	for i, x := range p {
		all[i] = Pattern(strings.ToLower(string(x)))
	}
	return all
}
