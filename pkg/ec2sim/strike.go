package ec2sim

import (
	"time"

	"aws-provider-executor/pkg/wildcard"
)

// plan is what the faults that strike a call make of it.
type plan struct {
	before, after time.Duration
	noEffect      bool
	lost, cut     bool
	err           *Error
	text          string
	stale         *Stale
}

// notXML has no markup at all: of that the AWS SDK for Go makes an empty answer and no error.
const notXML = "It works!\n"

// struck is what faults see of a call.
type struck struct {
	operation           string
	change              bool
	region, accessKeyID string
	params              map[string]string
}

// strike finds the faults a call meets, and their names.
func (fs *faultSet) strike(c struck) (plan, []string) {
	var (
		p     plan
		names []string
		taken bool
	)
	for _, a := range fs.armed {
		if !a.strikes(c) {
			continue
		}
		names = append(names, a.label())
		p.before += a.DelayBefore
		p.after += a.DelayAfter
		p.noEffect = p.noEffect || a.NoEffect
		if a.Stale != nil {
			p.stale = a.Stale
		}
		if a.Answer == AnswerAsIs || taken {
			continue
		}
		taken = true
		switch a.Answer {
		case AnswerLost:
			p.lost = true
		case AnswerCut:
			p.cut = true
		case AnswerError:
			p.err = a.Error
		case AnswerText:
			p.text = a.Text
			if p.text == "" {
				p.text = notXML
			}
		}
	}
	return p, names
}

// strikes counts a matching call, and reports whether the fault strikes it.
func (a *armed) strikes(c struck) bool {
	if !a.matches(c) {
		return false
	}
	a.seen++
	first, count := max(a.Nth, 1), a.Count
	if count == 0 {
		count = 1
	}
	if a.seen < first || count != Always && a.seen >= first+count {
		return false
	}
	if a.Probability > 0 && a.chance.Float64() >= a.Probability {
		return false
	}
	a.struck++
	return true
}

func (a *armed) matches(c struck) bool {
	if !operationMatches(a.Operation, c.operation, c.change) ||
		a.Region != "" && a.Region != c.region ||
		a.AccessKeyID != "" && a.AccessKeyID != c.accessKeyID {
		return false
	}
	for name, pattern := range a.Params {
		value, ok := c.params[name]
		if !ok || !wildcard.Filter.Match(pattern, value) {
			return false
		}
	}
	return true
}

// operationMatches reports whether a Fault.Operation is about the operation.
func operationMatches(pattern, operation string, changes bool) bool {
	switch pattern {
	case "":
		return true
	case "changes":
		return changes
	case "reads":
		return !changes
	}
	return wildcard.Filter.Match(pattern, operation)
}
