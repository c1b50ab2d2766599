package ec2sim

import (
	"net/http"
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

// strike finds the faults a call meets.
func (m *memory) strike(c Call) (plan, []string) {
	var (
		p     plan
		names []string
		taken bool
	)
	for _, a := range m.faults {
		if !a.strikes(c) {
			continue
		}
		names = append(names, a.name())
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

// strikes counts a matching call and says whether the fault strikes it.
func (a *armed) strikes(c Call) bool {
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

func (a *armed) matches(c Call) bool {
	if !operationMatches(a.Operation, c.Operation, c.Change) ||
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

func operationPatternKnown(pattern string) bool {
	for name, op := range operations {
		if operationMatches(pattern, name, op.changes) {
			return true
		}
	}
	return false
}

// standardErrors are the status and the text EC2 gives these codes.
var standardErrors = map[string]Error{
	"RequestLimitExceeded":  *errThrottled(),
	"InternalError":         {"InternalError", "An internal error has occurred", http.StatusInternalServerError},
	"InternalFailure":       {"InternalFailure", "The request processing has failed because of an unknown error, exception or failure.", http.StatusInternalServerError},
	"ServerInternal":        {"ServerInternal", "An internal error has occurred", http.StatusInternalServerError},
	"Unavailable":           {"Unavailable", "The server is overloaded and can't handle the request.", http.StatusServiceUnavailable},
	"ServiceUnavailable":    {"ServiceUnavailable", "The request has failed due to a temporary failure of the server.", http.StatusServiceUnavailable},
	"RequestExpired":        {"RequestExpired", "Request has expired.", http.StatusBadRequest},
	"AuthFailure":           *errAuthFailure(),
	"SignatureDoesNotMatch": {"SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.", http.StatusForbidden},
	"InvalidClientTokenId":  {"InvalidClientTokenId", "The security token included in the request is invalid.", http.StatusForbidden},
	"UnauthorizedOperation": {"UnauthorizedOperation", "", http.StatusForbidden},
	"ConcurrentTagAccess":   {"ConcurrentTagAccess", "You can't run simultaneous commands to modify a tag for a specific resource.", http.StatusBadRequest},
	"InsufficientInstanceCapacity": {"InsufficientInstanceCapacity",
		"We currently do not have sufficient capacity in the Availability Zone you requested.", http.StatusInternalServerError},
}

// StandardError returns the error EC2 answers with a code. A code it does not know has status 400 and no
// text of its own.
func StandardError(code string) Error {
	if e, ok := standardErrors[code]; ok {
		return e
	}
	return Error{Code: code, Message: "The request was refused: " + code + ".", Status: http.StatusBadRequest}
}

// filled completes a fault's error for the call it strikes.
func (e *Error) filled(in *inbound) *Error {
	full := StandardError(e.Code)
	if e.Code == "UnauthorizedOperation" {
		full = *errUnauthorized(in.arn, in.call.Operation, in.resource, notAllowed(in.call.Operation))
	}
	if e.Message != "" {
		full.Message = e.Message
	}
	if e.Status != 0 {
		full.Status = e.Status
	}
	return &full
}
