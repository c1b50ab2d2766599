package iampolicy

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"aws-provider-executor/pkg/preflight"
)

// The names of the checks of a comparison.
const (
	// CheckPolicies is about reading the policies.
	CheckPolicies = "iam-policies"
	// CheckNeeded is about what the role must be allowed.
	CheckNeeded = "iam-needed"
	// CheckExcess is about what it is allowed besides.
	CheckExcess = "iam-excess"
)

// finding is one thing that was found, with its own verdict.
type finding struct {
	verdict preflight.Verdict
	text    string
}

// role is what was read of a role.
type role struct {
	own      []grant
	boundary []grant
	bounded  bool
	// unread says what was not understood. What it says could be anything.
	unread []string
}

func readRole(g Granted) role {
	r := role{bounded: g.Boundary != nil, unread: slices.Clone(g.Unread)}
	read := func(s Source) []grant {
		grants, err := parseSource(s)
		if err != nil {
			r.unread = append(r.unread, err.Error())
		}
		return grants
	}
	for _, s := range g.Policies {
		r.own = append(r.own, read(s)...)
	}
	if g.Boundary != nil {
		r.boundary = read(*g.Boundary)
	}
	return r
}

// Compare holds a role's policies against what is wanted: what is missing, and what is more than
// needed. Resolve must have been called. What can't be judged is Unknown, never Pass.
func (w *Wanted) Compare(g Granted) []preflight.Check { return Compare(g, w) }

// Compare holds a role's policies against all that is wanted of them, such as in several regions.
// Missing is what any of it lacks, and more than needed is what none of it needs. Resolve must have
// been called on each. What can't be judged is Unknown, never Pass.
func Compare(g Granted, of ...*Wanted) []preflight.Check {
	r, all := readRole(g), wants(of)
	policies := preflight.Check{Name: CheckPolicies, Verdict: preflight.Pass,
		Seen: fmt.Sprintf("%s has %d policies%s", g.Role, len(g.Policies), bounded(g)),
		Facts: map[string]any{"role": g.Role, "policies": sourceNames(g.Policies),
			"boundary": g.Boundary != nil, "unread": len(r.unread)}}
	if len(r.unread) > 0 {
		policies.Verdict = preflight.Unknown
		policies.Seen += "; not all could be read: " + strings.Join(r.unread, "; ")
		policies.Advice = "read them with an identity that may, or give the documents by file"
	}
	return []preflight.Check{policies, all.compareNeeded(r), all.compareExcess(r)}
}

// wants are all that one role is wanted for, each in a place of its own.
type wants []*Wanted

// nameOf names a call. A reading is of no resource, so where there are several regions it is told
// by its region.
func (w wants) nameOf(c call, region string) string {
	name := c.permission.Action + " on " + c.resource
	if len(w) > 1 && c.resource == anything {
		name += " in " + region
	}
	return name
}

func bounded(g Granted) string {
	if g.Boundary == nil {
		return " and no permissions boundary"
	}
	return " and the permissions boundary " + g.Boundary.Name
}

func sourceNames(all []Source) []string {
	names := []string{}
	for _, s := range all {
		names = append(names, s.Name)
	}
	slices.Sort(names)
	return names
}

// compareNeeded checks that the role may do everything that is wanted.
func (w wants) compareNeeded(r role) preflight.Check {
	facts, findings := map[string]any{}, []finding(nil)
	for _, of := range w {
		for _, c := range of.calls() {
			f := r.decide(c)
			name := w.nameOf(c, of.Scope.Region)
			facts[name] = string(f.verdict)
			if f.verdict != preflight.Pass {
				f.text = name + " " + f.text
				findings = append(findings, f)
			}
		}
	}
	check := checkOf(CheckNeeded, findings,
		fmt.Sprintf("all %d permissions that are needed are allowed", len(facts)),
		"give the role what actionctl iam-policy prints, or take the deny away; what can't be "+
			"judged, EC2 itself tells: actionctl iam-policy --probe")
	check.Facts = map[string]any{"needed": facts}
	return check
}

// checkOf makes one check of findings.
func checkOf(name string, findings []finding, pass, advice string) preflight.Check {
	c := preflight.Check{Name: name, Verdict: preflight.Pass, Seen: pass}
	var texts []string
	for _, f := range findings {
		c.Verdict = c.Verdict.Worse(f.verdict)
		texts = append(texts, f.text)
	}
	if len(findings) > 0 {
		c.Seen, c.Advice = strings.Join(slices.Compact(texts), "; "), advice
	}
	return c
}

// decide judges a call by all of the role.
func (r role) decide(c call) finding {
	denied, because := r.effect(c, true, r.own, r.boundary)
	if denied == yes {
		return finding{preflight.Fail, "is denied: " + because}
	}
	allowed, why := r.effect(c, false, r.own)
	unsure := ""
	switch {
	case allowed == no && len(r.unread) == 0:
		return finding{preflight.Fail, "is not allowed" + inBrackets(why)}
	case allowed == no:
		unsure = "is allowed by nothing that could be read"
	case allowed == maybe:
		unsure = "may be allowed: " + why
	}
	if r.bounded {
		within, why := r.effect(c, false, r.boundary)
		switch {
		case within == no && len(r.unread) == 0:
			return finding{preflight.Fail, "is not within the permissions boundary" + inBrackets(why)}
		case within != yes && unsure == "":
			unsure = "may be within the permissions boundary" + inBrackets(why)
		}
	}
	switch {
	case unsure != "":
		return finding{preflight.Unknown, unsure}
	case denied == maybe:
		return finding{preflight.Unknown, "may be denied: " + because}
	case len(r.unread) > 0:
		return finding{preflight.Unknown, "is allowed, unless what could not be read denies it"}
	}
	return finding{verdict: preflight.Pass}
}

func inBrackets(text string) string {
	if text == "" {
		return ""
	}
	return " (" + text + ")"
}

// effect says what the statements of one effect do to a call, and why not more.
func (r role) effect(c call, deny bool, lists ...[]grant) (t truth, because string) {
	for _, g := range slices.Concat(lists...) {
		if g.deny != deny {
			continue
		}
		applies, why := g.applies(c)
		if applies == yes && (deny || t != yes) {
			return yes, g.where
		}
		if applies > t || because == "" && t == no {
			t, because = max(t, applies), why
		}
	}
	return t, because
}

// compareExcess says what the role may do that nothing asks for.
func (w wants) compareExcess(r role) preflight.Check {
	var findings []finding
	for _, g := range r.own {
		if !g.deny {
			findings = append(findings, w.excessOf(g, r)...)
		}
	}
	if len(r.unread) > 0 {
		findings = append(findings, finding{preflight.Unknown,
			"what could not be read may allow anything"})
	}
	check := checkOf(CheckExcess, findings, "nothing is allowed that is not needed",
		"replace the policies by what actionctl iam-policy prints, or name resources as widely as "+
			"they are meant")
	texts := map[string]any{}
	for _, f := range findings {
		texts[f.text] = string(f.verdict)
	}
	check.Facts = map[string]any{"excess": texts}
	return check
}

// excessOf is what one statement allows beyond what is wanted.
func (w wants) excessOf(g grant, r role) []finding {
	var all []finding
	add := func(v preflight.Verdict, format string, args ...any) {
		all = append(all, finding{v, g.where + " " + fmt.Sprintf(format, args...)})
	}
	if g.actions.not {
		verdict := preflight.Warn
		if !forbidsIAM(g.actions.list) {
			verdict = preflight.Fail
		}
		add(verdict, "allows everything but %s (NotAction)", strings.Join(g.actions.list, ", "))
		return all
	}
	if g.resources.not {
		add(preflight.Warn, "is for every resource but %s (NotResource)",
			strings.Join(g.resources.list, ", "))
	}
	for _, a := range g.actions.list {
		if r.outside(a) {
			continue
		}
		switch what, writes := w.surplus(a); {
		case writes:
			add(preflight.Fail, "allows %s, which may change identities and their permissions", a)
		case what != "":
			add(preflight.Warn, "allows %s, %s", a, what)
		}
		all = append(all, w.wider(g, a)...)
	}
	return all
}

// outside reports whether the permissions boundary takes all of an action pattern away.
func (r role) outside(pattern string) bool {
	if !r.bounded || len(r.unread) > 0 {
		return false
	}
	for _, g := range r.boundary {
		if g.deny {
			continue
		}
		if g.actions.not || slices.ContainsFunc(g.actions.list, func(allowed string) bool {
			return overlaps(strings.ToLower(allowed), strings.ToLower(pattern))
		}) {
			return false
		}
	}
	return true
}

// surplus says why an action pattern is more than needed; empty if it is one action that is. It
// reports whether the pattern takes in a change of identities.
func (w wants) surplus(pattern string) (what string, changesIAM bool) {
	service, _, _ := strings.Cut(strings.ToLower(pattern), ":")
	if isIAMWrite(pattern) {
		return "", true
	}
	for _, of := range w {
		for _, p := range of.Needed {
			if strings.EqualFold(p.Action, pattern) {
				return "", false
			}
		}
	}
	switch {
	case isPattern(service):
		return "a wildcard over services", false
	case service != "ec2":
		return "of another service", false
	case isPattern(pattern):
		return "a wildcard", false
	}
	return "which nothing here needs", false
}

// identityServices are those by which an identity can be given more, with what of them only reads.
var identityServices = map[string][]string{
	"iam": {"get*", "list*", "simulate*", "generate*"},
	"sts": {"getcalleridentity", "decodeauthorizationmessage", "getaccesskeyinfo", "getsessiontoken"},
}

// isIAMWrite reports whether an action pattern takes in an action of IAM or STS that is not known
// to read only.
func isIAMWrite(pattern string) bool {
	pattern = strings.ToLower(pattern)
	for _, service := range slices.Sorted(maps.Keys(identityServices)) {
		if !overlaps(pattern, service+":*") {
			continue
		}
		if !slices.ContainsFunc(identityServices[service], func(reads string) bool {
			return covers(service+":"+reads, pattern)
		}) {
			return true
		}
	}
	return false
}

// forbidsIAM reports whether what is left out has all of the services of identities.
func forbidsIAM(except []string) bool {
	for service := range identityServices {
		if !slices.ContainsFunc(except, func(pattern string) bool {
			return covers(strings.ToLower(pattern), service+":*")
		}) {
			return false
		}
	}
	return true
}
