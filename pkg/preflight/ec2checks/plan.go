package ec2checks

import (
	"fmt"
	"strconv"
	"strings"

	"aws-provider-executor/pkg/protocol"
)

// certain are the classes of failures that execute would meet, too. Any other is of the reading.
var certain = map[string]bool{
	string(protocol.InvalidRequest): true, string(protocol.Denied): true,
	string(protocol.Configuration): true, string(protocol.NotFound): true,
	string(protocol.Conflict): true, string(protocol.Drift): true,
	string(protocol.LimitExceeded): true, string(protocol.SelfFence): true,
	string(protocol.StateStore): true,
}

func lookPlan(s *subject) finding {
	if s.told.err != nil {
		return unknown("the executor could not be run: "+s.told.err.Error(),
			"mend what the sentence names, and run it again")
	}
	status := s.told.result.Status
	class := status.Observed[protocol.FactFailureClass]
	switch {
	case status.Status == protocol.Failed && certain[class]:
		return fail(status.Error, "mend what the sentence names").with("failureClass", class)
	case status.Status == protocol.Failed:
		f := unknown(status.Error, "mend what the sentence names, and run it again").
			with("failureClass", class)
		if hint := status.Observed[protocol.FactPermissionHint]; hint != "" {
			f.advice = "allow " + hint + " for the executor's identity, and run it again"
			f = f.with("permission", hint)
		}
		return f
	case !s.told.hasPlan:
		return unknown(status.Message+" (the executor told no plan)",
			"use an executor that knows EXECUTOR_OBSERVE_PLAN")
	}
	f := pass(status.Message)
	if gaps := status.Observed[protocol.FactUnforeseen]; gaps != "" {
		f = warn(status.Message, "allow the reading that is named, and run it again")
	}
	return f.with("changes", changeFacts(s.told.plan))
}

// backupAttribute is what the executor calls the backup tags of a fence. Its values begin with the
// time of the fence.
const backupAttribute = "fenceBackup"

// changeFacts are changes as evidence, in their order, without the time of a fence: it is another
// one in each dry-run.
func changeFacts(changes []protocol.Change) []any {
	all := []any{}
	for _, c := range changes {
		from, to := c.From, c.To
		if c.Attribute == backupAttribute {
			from, to = withoutTime(from), withoutTime(to)
		}
		one := map[string]any{
			"resource": c.Resource, "attribute": c.Attribute, "from": from, "to": to,
		}
		if c.Via != "" {
			one["via"] = c.Via
		}
		all = append(all, one)
	}
	return all
}

// withoutTime takes a time in Unix seconds off the beginning of a value.
func withoutTime(value string) string {
	first, rest, found := strings.Cut(value, " ")
	if _, err := strconv.ParseInt(first, 10, 64); err != nil || !found {
		return value
	}
	return rest
}

// changeText tells changes in one line.
func changeText(changes []protocol.Change) string {
	var all []string
	for _, c := range changes {
		all = append(all, fmt.Sprintf("%s %s: %s to %s", c.Resource, c.Attribute, c.From, c.To))
	}
	return strings.Join(all, "; ")
}

func lookUndo(s *subject) finding {
	switch {
	case !s.told.hasPlan:
		return noPlan()
	case !s.told.hasUndo:
		return unknown("the executor does not tell the plan of the undo",
			"look at the executor's log, and run it again")
	case len(s.told.undo) == 0:
		return warn("the undo would change nothing", "see that nothing is to be given back").
			with("changes", []any{})
	}
	return pass("the undo would change "+changeText(s.told.undo)).
		with("changes", changeFacts(s.told.undo))
}

func lookAlready(s *subject) finding {
	switch {
	case !s.told.hasPlan:
		return noPlan()
	case len(s.told.plan) > 0:
		return pass(count(len(s.told.plan), "change")+" to make").with("changes", len(s.told.plan))
	}
	return warn(s.told.result.Status.Message, "the lab is not clean: bring it back to what it was "+
		"before, or see who else wants it so").with("changes", 0)
}
