package policy

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"aws-provider-executor/pkg/action"
)

// Subject is what a decision is about.
type Subject struct {
	// Action is what the request calls it. Its target may choose another verb by that name.
	Action                string
	Provider, ProviderRef string
	// Target has the declared keys in their canonical spelling, and all others as they were sent.
	Target map[string]string
	// Resources are what the target names, and Prior what an undo gives something back to.
	Resources, Prior []action.Resource
	// Undo is set for the undo of an action; Undoes are then the names that this may have.
	Undo   bool
	Undoes []string
	// Irreversible is set for an action that nothing can undo.
	Irreversible bool
	// Final is set, beside Irreversible, where that is so of every action of the verb.
	Final bool
	// Document is the document that is run, if RunsDocument is set.
	Document     string
	RunsDocument bool
	// NoRegion is set where the verb acts in no region of its provider.
	NoRegion bool
	// NeedsAddress is set where allowedCIDRs have to hold for an address.
	NeedsAddress bool
}

// Reason is one reason against.
type Reason struct {
	// Field is the policy's field that says no, as in allowedCIDRs.
	Field string `json:"field"`
	// Text says what would have to be otherwise, and what to write to have it so.
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
			d.add("enabled", "the policy is not enabled; to allow it write enabled: true")
		}
		name(d, "allowedProviders", "provider", p.Providers, s.Provider)
		if p.ProviderRefs != nil {
			name(d, "allowedProviderRefs", "providerRef", p.ProviderRefs, s.ProviderRef)
		}
		p.action(d, s)
		p.address(d, s)
		if p.Regions != nil && !s.NoRegion {
			name(d, "allowedRegions", "region", p.Regions, s.Target["region"])
		}
		p.refs(d, s)
		p.irreversible(d, s)
		p.document(d, s)
	})
}

// name checks that a list allows a name.
func name(d *Denial, field, what string, allowed []string, name string) {
	switch {
	case slices.Contains(allowed, "*"), slices.Contains(allowed, name):
	case name == "":
		d.add(field, "there is no %s, and only %s may be acted on; name one in the request",
			what, list(allowed))
	default:
		d.add(field, "the %s %q is not allowed; allowed: %s; to allow it %s",
			what, name, list(allowed), extend(field, allowed, name))
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

// extend says what to write so that a list has a value.
func extend[T ~string](field string, there []T, value string) string {
	if len(there) == 0 {
		return "write " + field + ": [" + scalar(value) + "]"
	}
	return "add " + scalar(value) + " to " + field
}

// scalar is a text as a policy has it: quoted where YAML might take it for something else.
func scalar(text string) string {
	odd := func(r rune) bool {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		return !letter && (r < '0' || r > '9') && !strings.ContainsRune("-_./", r)
	}
	words := []string{"true", "false", "null", "yes", "no", "on", "off", "y", "n"}
	switch {
	case text == "" || strings.ContainsFunc(text, odd),
		slices.Contains(words, strings.ToLower(text)),
		// What does not begin with a letter may be a number; a network is none.
		strings.IndexByte("-./0123456789", text[0]) >= 0 && !strings.Contains(text, "/"):
		return strconv.Quote(text)
	}
	return text
}

func (p *Policy) action(d *Denial, s Subject) {
	if !s.Undo {
		name(d, "allowedActions", "action", p.Actions, s.Action)
		return
	}
	if !p.AllowUndo {
		d.add("allowUndo", "undoing is not allowed; to allow it write allowUndo: true")
	}
	allowed := func(name string) bool { return slices.Contains(p.Actions, name) }
	if slices.ContainsFunc(append([]string{s.Action, "*"}, s.Undoes...), allowed) {
		return
	}
	wanted := s.Action
	if len(s.Undoes) > 0 {
		wanted = s.Undoes[0]
	}
	d.add("allowedActions", "neither %q nor what it undoes is allowed; allowed: %s; to allow it %s",
		s.Action, list(p.Actions), extend("allowedActions", p.Actions, wanted))
}

func (p *Policy) irreversible(d *Denial, s Subject) {
	switch {
	case !s.Irreversible || s.Undo || p.AllowsIrreversible(s.Action, s.Final):
	case s.Final:
		d.add("allowIrreversible",
			"%s can never be undone, and is only allowed with allowIrreversible: true", s.Action)
	case p.allowIrreversible == nil && slices.Contains(p.Actions, "*"):
		d.add("allowIrreversible",
			"%s can't be undone, and allowedActions does not name it;"+
				" to allow it add %s to allowedActions",
			s.Action, scalar(s.Action))
	case p.allowIrreversible != nil:
		d.add("allowIrreversible",
			"%s can't be undone, which is not allowed; to allow it write allowIrreversible: true",
			s.Action)
	}
}

// document holds the document that is run against the patterns. Without any none is run.
func (p *Policy) document(d *Denial, s Subject) {
	if s.RunsDocument && !matchAny(namesOf(p.Documents, s.Document), s.Document) {
		d.add("allowedDocuments", "the document %q is not allowed; allowed: %s; to allow it %s",
			s.Document, list(p.Documents), extend("allowedDocuments", p.Documents, s.Document))
	}
}

// namesOf are those of some patterns that speak of a document as it is given: an ARN may be that of
// another account's, so a pattern of names that begins with a star is none for it.
func namesOf(patterns []Pattern, document string) (those []Pattern) {
	const arn = "arn:"
	if !strings.HasPrefix(document, arn) {
		return patterns
	}
	for _, p := range patterns {
		if p == "*" || strings.HasPrefix(string(p), arn) {
			those = append(those, p)
		}
	}
	return those
}

func (p *Policy) address(d *Denial, s Subject) {
	if p.CIDRs == nil {
		return
	}
	text := s.Target["address"]
	if text == "" {
		if s.NeedsAddress {
			d.add("allowedCIDRs", "the target has no address to check; name it in target.address")
		}
		return
	}
	block, err := parseBlock(text)
	if err != nil {
		d.add("allowedCIDRs", "the address %q can't be read; write one as in 10.0.0.9/32", text)
		return
	}
	holds := func(c netip.Prefix) bool {
		return c.Bits() <= block.Bits() && c.Contains(block.Addr())
	}
	if slices.ContainsFunc(p.CIDRs, holds) {
		return
	}
	allowed := make([]string, len(p.CIDRs))
	for i, c := range p.CIDRs {
		allowed[i] = c.String()
	}
	d.add("allowedCIDRs", "the address %s is not allowed; allowed: %s; to allow it %s",
		text, list(allowed), extend("allowedCIDRs", allowed, block.Masked().String()))
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
	if !p.matches(d, s.Resources) {
		names := make([]string, len(targetFields))
		for i, f := range targetFields {
			names[i] = f.name
		}
		last := len(names) - 1
		d.add("allowedTargets", "the target names no %s or %s to check; name one",
			strings.Join(names[:last], ", "), names[last])
	}
	// Gateways and the like are of no kind that there are patterns for.
	p.matches(d, s.Prior)
}

// matches holds resources against the patterns of their kinds. It reports whether there are any of
// a kind that has patterns.
func (p *Policy) matches(d *Denial, resources []action.Resource) (any bool) {
	for _, r := range resources {
		for _, f := range targetFields {
			if f.kind != r.Kind {
				continue
			}
			any = true
			if allowed := p.Targets[f.kind]; !matchAny(allowed, r.ID) {
				d.add("allowedTargets", "the %s %q is not allowed; allowed: %s; to allow it %s",
					r.Field, r.ID, list(allowed), extend("allowedTargets."+f.name, allowed, r.ID))
			}
		}
	}
	return any
}

// Execution decides whether one more action may be executed now; done is how many this
// run has executed already.
func (p *Policy) Execution(now time.Time, done int) Denial {
	return p.decide(func(p *Policy, d *Denial) {
		if p.DryRunOnly() {
			d.add("dryRunOnly", "only dry-runs are allowed; to allow more write dryRunOnly: false")
		}
		if done >= p.MaxActions {
			d.add("maxActionsPerRun",
				"%d actions are allowed in a run, and this would be number %d;"+
					" to allow it write maxActionsPerRun: %d",
				p.MaxActions, done+1, done+1)
		}
		p.window(d, now)
	})
}

func (p *Policy) window(d *Denial, now time.Time) {
	in := func(w Window) bool { return w.Contains(now) }
	if len(p.Windows) == 0 || slices.ContainsFunc(p.Windows, in) {
		return
	}
	texts := make([]string, len(p.Windows))
	for i, w := range p.Windows {
		texts[i] = w.String()
	}
	zone := p.Windows[0].zone
	there := now.In(zone)
	hour := there.Hour()
	wanted := fmt.Sprintf("%s %02d:00-%02d:00 %s", there.Format("Mon"), hour, hour+1, zone)
	d.add("executionWindow", "it is %s, and the window is %s; wait, or add %q to executionWindow",
		there.Format("Mon 15:04 MST"), strings.Join(texts, ", "), wanted)
}

// Tags decides by the tags of one resource that is targeted.
func (p *Policy) Tags(resource string, tags map[string]string) Denial {
	return p.decide(func(p *Policy, d *Denial) {
		for _, want := range p.RequiredTags {
			value, there := tags[want.Key]
			switch {
			case !there:
				d.add("requiredTags", "%s has no tag %q; tag it, or take %s out of requiredTags",
					resource, want.Key, scalar(want.Key))
			case !matchAny(want.Values, value):
				d.add("requiredTags", "%s has the tag %s=%q, want %s; to allow it %s",
					resource, want.Key, value, join(want.Values, " or "),
					extend("requiredTags."+want.Key, want.Values, value))
			}
		}
		for _, no := range p.DeniedTags {
			for _, key := range slices.Sorted(maps.Keys(tags)) {
				value := strings.ToLower(tags[key])
				if strings.EqualFold(key, no.Key) && matchAny(fold(no.Values), value) {
					d.add("deniedTags",
						"%s has the tag %s=%q; to allow it take what matches that out of deniedTags.%s",
						resource, key, tags[key], no.Key)
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
