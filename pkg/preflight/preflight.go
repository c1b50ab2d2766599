// Package preflight says what a check before an action is: what was seen, what that means, and what
// to do about it.
//
// It keeps compatible: the verdicts, the names of checks, and the JSON of a Report. The sentences
// are for people and may change. It knows no provider and makes no call.
//
// A check that could not be made is Unknown, never Pass.
package preflight

import (
	"slices"
	"strconv"
	"strings"
)

// Verdict is what a check comes to.
type Verdict string

// The verdicts, from the best to the worst.
const (
	// Pass means that it was seen to be right.
	Pass Verdict = "pass"
	// Warn means that the action can be carried out, and that somebody should look first.
	Warn Verdict = "warn"
	// Unknown means that it could not be read. The action may be right or wrong.
	Unknown Verdict = "unknown"
	// Fail means that the action is not right, or would fail.
	Fail Verdict = "fail"
)

// Verdicts lists the verdicts, from the best to the worst.
func Verdicts() []Verdict { return []Verdict{Pass, Warn, Unknown, Fail} }

// Valid reports whether v is one of the verdicts.
func (v Verdict) Valid() bool { return slices.Contains(Verdicts(), v) }

// Worse returns the worse of two verdicts. A verdict that is none of the four is worse than any.
func (v Verdict) Worse(than Verdict) Verdict {
	if v.rank() > than.rank() {
		return v
	}
	return than
}

// rank is the place of a verdict among the four; one that is none of them comes last.
func (v Verdict) rank() int {
	if i := slices.Index(Verdicts(), v); i >= 0 {
		return i
	}
	return len(Verdicts())
}

// Check is one check.
type Check struct {
	// Name is stable: programs go by it.
	Name string `json:"name"`
	// Request is the idempotency key of the request that the check is about. It is empty for a check
	// that is about all requests alike, such as the identity.
	Request string  `json:"request,omitempty"`
	Verdict Verdict `json:"verdict"`
	// Seen is one sentence: what was read, or why nothing was.
	Seen string `json:"seen"`
	// Advice says what to do. It is empty for Pass only.
	Advice string `json:"advice"`
	// Facts are what was read, for evidence. Their values are texts, Booleans, whole numbers, and
	// lists and maps of those. The same state of the world gives the same facts: what the provider
	// lists in any order is sorted, and nothing in them differs from one reading to the next, such as
	// a time or a request id. Those of joined parts are maps, by the names of the parts.
	Facts map[string]any `json:"-"`
}

// Part is a check of one part of what is checked, such as one of several regions.
type Part struct {
	// Of is the name of the part. It is told beside what was seen.
	Of string
	Check
}

// Join makes one check of the parts' checks, which have one name. Its verdict is the worst of
// theirs. What parts have in common is told once, and the worst first. With one part it is that
// part's own check. No parts at all are Unknown.
func Join(parts ...Part) Check {
	switch len(parts) {
	case 0:
		return Check{Verdict: Unknown, Seen: "nothing was checked", Advice: "name what to check"}
	case 1:
		return parts[0].Check
	}
	out := Check{Name: parts[0].Name, Request: parts[0].Request, Verdict: Pass,
		Facts: map[string]any{}}
	alike := groupAlike(parts)
	slices.SortStableFunc(alike, func(a, b []Part) int {
		return b[0].Verdict.rank() - a[0].Verdict.rank()
	})
	var seen, advice []string
	for _, group := range alike {
		var names []string
		for _, p := range group {
			names = append(names, p.Of)
			out.Facts[p.Of] = present(p.Facts)
		}
		of := strings.Join(names, ", ")
		out.Verdict = out.Verdict.Worse(group[0].Verdict)
		seen = append(seen, of+": "+group[0].Seen)
		if text := group[0].Advice; text != "" && !slices.Contains(advice, text) {
			advice = append(advice, text)
		}
	}
	out.Seen, out.Advice = strings.Join(seen, "; "), strings.Join(advice, "; ")
	return out
}

// present is never nil: what was not read is told as nothing.
func present(facts map[string]any) map[string]any {
	if facts == nil {
		return map[string]any{}
	}
	return facts
}

// groupAlike puts those parts together that came to the same, in the order of the first of each.
func groupAlike(parts []Part) [][]Part {
	var groups [][]Part
	for _, p := range parts {
		i := slices.IndexFunc(groups, func(g []Part) bool {
			return g[0].Verdict == p.Verdict && g[0].Seen == p.Seen && g[0].Advice == p.Advice
		})
		if i < 0 {
			groups = append(groups, []Part{p})
			continue
		}
		groups[i] = append(groups[i], p)
	}
	return groups
}

// Report is what all checks came to, in the order in which they are told.
type Report struct {
	Checks []Check `json:"checks"`
}

// Verdict returns the worst verdict of all checks. No checks at all are Unknown.
func (r Report) Verdict() Verdict {
	if len(r.Checks) == 0 {
		return Unknown
	}
	worst := Pass
	for _, c := range r.Checks {
		worst = worst.Worse(c.Verdict)
	}
	return worst
}

// Failed reports whether a check failed, or has no valid verdict.
func (r Report) Failed() bool { return len(r.Refused(false)) > 0 }

// Refused lists the checks that stand against going on: those that failed, and with strict also
// those that warn or are unknown.
func (r Report) Refused(strict bool) []Check {
	var against []Check
	for _, c := range r.Checks {
		if c.Verdict.rank() >= Fail.rank() || strict && c.Verdict != Pass {
			against = append(against, c)
		}
	}
	return against
}

// May reports whether the checks let an action go on: nothing failed, and with strict nothing
// warns or is unknown either. A report without checks lets nothing go on.
func (r Report) May(strict bool) bool {
	return len(r.Checks) > 0 && len(r.Refused(strict)) == 0
}

// Count returns how many checks came to a verdict.
func (r Report) Count(v Verdict) int {
	n := 0
	for _, c := range r.Checks {
		if c.Verdict == v {
			n++
		}
	}
	return n
}

// Of returns the checks of one request, by its idempotency key, and those about all requests.
func (r Report) Of(request string) Report {
	var own Report
	for _, c := range r.Checks {
		if c.Request == "" || c.Request == request {
			own.Checks = append(own.Checks, c)
		}
	}
	return own
}

// Lookup finds the check with a name: the one of a request if there is one, else the one that is
// about all requests.
func (r Report) Lookup(name, request string) (Check, bool) {
	for _, of := range []string{request, ""} {
		i := slices.IndexFunc(r.Checks, func(c Check) bool { return c.Name == name && c.Request == of })
		if i >= 0 {
			return r.Checks[i], true
		}
	}
	return Check{}, false
}

// Summary is a sentence on the whole, as in "9 pass, 1 warn (address-free), 1 unknown (clock)".
func (r Report) Summary() string {
	var parts []string
	for _, v := range Verdicts() {
		parts = r.part(parts, string(v), func(c Check) bool { return c.Verdict == v })
	}
	parts = r.part(parts, "without a verdict", func(c Check) bool { return !c.Verdict.Valid() })
	if len(parts) == 0 {
		return "nothing was checked"
	}
	return strings.Join(parts, ", ")
}

// part adds to the summary how many checks are of a kind, and which. What passed needs no names.
func (r Report) part(parts []string, kind string, of func(Check) bool) []string {
	var names []string
	n := 0
	for _, c := range r.Checks {
		if !of(c) {
			continue
		}
		if n++; !slices.Contains(names, c.Name) {
			names = append(names, c.Name)
		}
	}
	switch text := strconv.Itoa(n) + " " + kind; {
	case n == 0:
		return parts
	case kind == string(Pass):
		return append(parts, text)
	default:
		return append(parts, text+" ("+strings.Join(names, ", ")+")")
	}
}
