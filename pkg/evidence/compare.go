package evidence

import (
	"fmt"
	"slices"

	"aws-provider-executor/pkg/protocol"
)

// Since says what is not as the evidence saw it, by what the executor answers now: a sentence for
// each difference, none where all is the same. What can't be compared is a difference.
func (s Subject) Since(now Outcome) []string {
	was := s.Outcome
	if was.Changes == nil || now.Changes == nil {
		return notTold(was, now)
	}
	var all []string
	if was.Status != now.Status {
		all = append(all, fmt.Sprintf("the executor answered %s, and answers %s now: %s",
			was.Status, now.Status, now.Message))
	}
	all = append(all, differences("", was.Changes, now.Changes,
		func(c protocol.Change) string { return c.From })...)
	return append(all, differences("the undo would lead ", was.UndoChanges, now.UndoChanges,
		func(c protocol.Change) string { return c.To })...)
}

// notTold says that one of the two has no plan to compare.
func notTold(was, now Outcome) []string {
	if was.Changes == nil {
		return []string{"the evidence has no plan to compare with: " + was.Message}
	}
	return []string{"the executor tells no plan now: " + now.Message}
}

// differences compares two plans by one value of each change.
func differences(
	lead string, was, now []protocol.Change, value func(protocol.Change) string,
) []string {
	find := func(all []protocol.Change, c protocol.Change) (protocol.Change, bool) {
		i := slices.IndexFunc(all, func(o protocol.Change) bool {
			return o.Resource == c.Resource && o.Attribute == c.Attribute
		})
		if i < 0 {
			return c, false
		}
		return all[i], true
	}
	var all []string
	for _, w := range was {
		what := "the " + w.Attribute + " of " + w.Resource
		switch n, there := find(now, w); {
		case !there && lead == "":
			all = append(all, fmt.Sprintf("%s was %s, to become %s, and would not be changed now",
				what, w.From, w.To))
		case !there:
			all = append(all, fmt.Sprintf("%s%s to %s, and would leave it now", lead, what, w.To))
		case value(n) != value(w) && lead == "":
			all = append(all, fmt.Sprintf("%s was %s, and is %s now", what, value(w), value(n)))
		case value(n) != value(w):
			all = append(all, fmt.Sprintf("%s%s to %s, and would lead it to %s now", lead, what,
				value(w), value(n)))
		}
	}
	for _, n := range now {
		if _, there := find(was, n); there {
			continue
		}
		what := "the " + n.Attribute + " of " + n.Resource
		if lead == "" {
			all = append(all, fmt.Sprintf("%s was to stay, and would be changed from %s to %s now",
				what, n.From, n.To))
		} else {
			all = append(all, fmt.Sprintf("%s%s to %s now, and would have left it", lead, what, n.To))
		}
	}
	return all
}
