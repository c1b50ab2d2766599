package sgfence

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"aws-provider-executor/pkg/action"
)

// facts tell interface by interface what was, what is to be and what is.
func (f *fence) facts(transitions []action.Transition, seen action.Seen) map[string]string {
	facts := map[string]string{factPriorState: f.first.State, paramTransition: f.via}
	fenced := true
	for i, t := range transitions {
		switch t.Attribute {
		case attrPower:
			if t.From == on && f.first.power() == off {
				// An earlier attempt under this key stopped it.
				own, _ := f.req.Own(t.Resource, attrPower)
				facts[factPriorState] = cmp.Or(own.Facts[factPriorState], "running")
			}
		case attrGroups:
			facts[factPrior+t.Resource] = f.base(t.Resource)
			if seen.Values[i] == t.To {
				facts[factFenced+t.Resource] = t.To
			} else {
				fenced = false
			}
		}
	}
	facts[factPriorFence] = f.priorFence(transitions)
	facts[factIsFenced] = strconv.FormatBool(fenced)
	if fenced && !isDown(seen.Facts[factState]) {
		facts[factTracked] = "may-persist"
	}
	facts[factBranches] = groupText(f.first.trunks())
	return action.Merge(facts, seen.Facts)
}

// dangers says what the fence does not cut, and what was before the fence may not outlast.
func (f *fence) dangers(_ []action.Transition, seen action.Seen) []string {
	var all []string
	if !isDown(seen.Facts[factState]) {
		until := ""
		if f.req.Bool(paramPowerOff) {
			until = " until it has stopped"
		}
		all = append(all, "connections that are tracked already may go on"+until)
	}
	if trunks := f.first.trunks(); len(trunks) > 0 {
		all = append(all, "the branch interfaces of "+strings.Join(trunks, " and ")+
			" go on: their own groups govern them")
	}
	switch why := seen.Facts[factTags]; {
	case f.tagless && !f.req.Durable:
		all = append(all, "what was there before is told in this result alone")
	case why != "" && !f.tagless:
		all = append(all, "backup tags "+why)
	}
	return all
}

// base is what an interface had before all fences in force.
func (f *fence) base(nic string) string {
	i := slices.IndexFunc(f.ends, func(e end) bool { return e.ID == nic })
	return groupText(f.ends[i].base)
}

// priorFence tells the fence before this one. Without a store nothing but the tags tells the fence
// of an earlier attempt from one of somebody else's: what the tags know is then undone.
func (f *fence) priorFence(transitions []action.Transition) string {
	regroups, stops, other := false, false, false
	for _, t := range transitions {
		stops = stops || t.Attribute == attrPower && t.From != t.To
		if t.Attribute == attrGroups {
			from := t.From
			if own, ok := f.req.Own(t.Resource, attrGroups); ok && from == t.To {
				// An earlier attempt under this key may have changed it.
				from = own.From
			}
			regroups = regroups || from != t.To
			other = other || f.base(t.Resource) != from
		}
	}
	switch {
	case other && (regroups || !f.req.Durable):
		return fenceOther
	case regroups:
		return fenceNone
	case stops:
		return fenceUnstopped
	}
	return fenceSame
}

func (f *fence) words() action.Words {
	var gets, has []string
	for _, e := range f.ends {
		gets = append(gets, e.ID+" gets "+groupText(e.to))
		has = append(has, e.ID+" has "+groupText(e.to))
	}
	w := action.Words{
		Would:   "fence " + f.instance + ": " + strings.Join(gets, ", "),
		Did:     "fenced " + f.instance + ": " + strings.Join(has, ", "),
		Already: f.instance + " is fenced: " + strings.Join(has, ", "),
	}
	if f.via != "" && f.pending() {
		w.Would += "; on the way they get " + f.via + ", which lets everything through"
	}
	if f.req.Bool(paramPowerOff) {
		w.Would += "; then stop it"
		w.Did += "; it stops or is stopped"
		w.Already += "; it stops or is stopped"
	}
	return w
}
