package fault

import (
	"time"

	"aws-provider-executor/pkg/ec2sim/internal/refusal"
	"aws-provider-executor/pkg/wildcard"
)

// Plan is what the faults that strike a call make of it.
type Plan struct {
	Before, After time.Duration
	NoEffect      bool
	Lost, Cut     bool
	Err           *refusal.Error
	Text          string
	Stale         *Stale
}

// notXML has no markup at all: of that the AWS SDK for Go makes an empty answer and no error.
const notXML = "It works!\n"

// Subject is what faults see of a call.
type Subject struct {
	Operation           string
	Change              bool
	Account             string
	Region, AccessKeyID string
	Params              map[string]string
}

// Strike finds the faults a call meets, and their names.
func (fs *Set) Strike(c Subject) (Plan, []string) {
	var (
		p     Plan
		names []string
		taken bool
	)
	for _, a := range fs.armed {
		if !a.strikes(c) {
			continue
		}
		names = append(names, a.Label())
		p.Before += a.DelayBefore
		p.After += a.DelayAfter
		p.NoEffect = p.NoEffect || a.NoEffect
		if a.Stale != nil {
			p.Stale = a.Stale
		}
		if a.Answer == AnswerAsIs || taken {
			continue
		}
		taken = true
		switch a.Answer {
		case AnswerLost:
			p.Lost = true
		case AnswerCut:
			p.Cut = true
		case AnswerError:
			p.Err = a.Error
		case AnswerText:
			p.Text = a.Text
			if p.Text == "" {
				p.Text = notXML
			}
		}
	}
	return p, names
}

// strikes counts a matching call, and reports whether the fault strikes it.
func (a *armed) strikes(c Subject) bool {
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

func (a *armed) matches(c Subject) bool {
	if !Matches(a.Operation, c.Operation, c.Change) ||
		a.Account != "" && a.Account != c.Account ||
		a.Region != "" && a.Region != c.Region ||
		a.AccessKeyID != "" && a.AccessKeyID != c.AccessKeyID {
		return false
	}
	for name, pattern := range a.Params {
		value, ok := c.Params[name]
		if !ok || !wildcard.Filter.Match(pattern, value) {
			return false
		}
	}
	return true
}

// Matches reports whether a Fault.Operation is about the operation.
func Matches(pattern, operation string, changes bool) bool {
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
