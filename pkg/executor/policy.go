package executor

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/plugin"
	"aws-provider-executor/pkg/policy"
	"aws-provider-executor/pkg/protocol"
)

// enforcement holds requests against the policy that the environment names. Of the policy, what is
// about an action's history (evidence, the wait, approvals that are not signed) is the gate's to
// enforce: one request does not show it. Signed approvals a request carries.
type enforcement struct {
	settings settings
	// faults are what is wrong with the environment.
	faults []string
	verbs  *action.Registry

	policy  *policy.Policy
	subject policy.Subject
}

// check decides all that the request itself shows. A policy that can't be read allows nothing: that
// is a wrong setting, and no word of a policy's.
func (e *enforcement) check(r protocol.Request) error {
	if refusal := plugin.Refuse(e.faults); refusal != nil {
		return refusal
	}
	if e.settings.policy == "" {
		return nil
	}
	p, err := policy.LoadAll(e.settings.policy)
	if err != nil {
		return protocol.Refuse(protocol.Configuration, "%s; nothing was changed", unreadablePolicy(err))
	}
	e.policy, e.subject = p, policy.RequestSubject(e.verbs, r)
	reasons := p.Subject(e.subject)
	if r.Mode == protocol.Execute {
		reasons = append(reasons, p.Execution(time.Now(), 0)...)
		reasons = append(reasons, p.Carries(e.verbs, r, time.Now())...)
	}
	return e.deny(reasons)
}

// checkFacts refuses the request as an undo by facts that nothing here confirms, where the policy
// asks for signatures and none is of the request itself. The facts of an undo are in no approval of
// the action: whoever sends them could lead the target anywhere.
func (e *enforcement) checkFacts(r protocol.Request) error {
	if e.policy == nil {
		return nil
	}
	reasons := e.policy.CarriesItself(r, time.Now())
	if len(reasons) == 0 {
		return nil
	}
	for i := range reasons {
		reasons[i].Text = "nothing here records what the action changed, so the undo would go by the" +
			" facts that it carries, which no approval of the action covers; have the undo itself" +
			" approved (import what actionctl undo prints): " + reasons[i].Text
	}
	return e.deny(reasons)
}

// unreadablePolicy says in one line why a policy can't be read.
func unreadablePolicy(err error) string {
	return "EXECUTOR_POLICY: " + strings.ReplaceAll(err.Error(), "\n", " ")
}

func (e *enforcement) deny(reasons policy.Denial) error {
	if len(reasons) == 0 {
		return nil
	}
	return protocol.Refuse(protocol.Denied, "the policy %s says no: %s; nothing was changed",
		protocol.Quote(e.policy.Name), reasons.Error())
}

// tagReader reads the tags of resources, by their ids.
type tagReader interface {
	DescribeTags(ctx context.Context, ids ...string) (map[string]map[string]string, error)
}

// checkTags decides what the tags of the target show, before anything else is read.
func (e *enforcement) checkTags(ctx context.Context, conn Connection) error {
	if e.policy == nil || !e.policy.ReadsTags() {
		return nil
	}
	reader, ok := conn.Reader().(tagReader)
	if !ok {
		return fmt.Errorf("the reader %T can't read tags", conn.Reader())
	}
	var ids []string
	for _, r := range e.subject.Resources {
		if !slices.Contains(ids, r.ID) {
			ids = append(ids, r.ID)
		}
	}
	if len(ids) == 0 {
		return e.deny(policy.Denial{{
			Field: "requiredTags, deniedTags",
			Text:  "the target names nothing whose tags can be read",
		}})
	}
	tags, err := reader.DescribeTags(ctx, ids...)
	if err != nil {
		return err
	}
	var reasons policy.Denial
	for _, id := range ids {
		reasons = append(reasons, e.policy.Tags(id, tags[id])...)
	}
	return e.deny(reasons)
}
