package awscloud

import (
	"errors"
	"slices"
	"strings"

	"github.com/aws/smithy-go"

	"aws-provider-executor/pkg/awsec2"
	"aws-provider-executor/pkg/nodes"
	"aws-provider-executor/pkg/nodes/scan"
	"aws-provider-executor/pkg/protocol"
)

// failure says why a call came to nothing. EC2's refusal of ids is an error of its own.
func failure(err error) error {
	var own *scan.Failure
	if errors.As(err, &own) {
		return own
	}
	if ids := idsRefused(err); ids != nil {
		return ids
	}
	code := awsec2.CodeOf(err)
	f := &scan.Failure{Verdict: nodes.Unreachable, Reason: words(err, code)}
	switch class := awsec2.ClassOf(err); {
	case code == "OptInRequired":
		f.Verdict = nodes.Disabled
	case class == protocol.Throttled:
		f.Verdict, f.Again = nodes.Throttled, true
	case code == "" && class == protocol.Authentication:
		// Nobody said no: there are no credentials to ask with.
	case class == protocol.Authentication, class == protocol.Authorization:
		f.Verdict = nodes.Denied
	case class == protocol.Unavailable, class == protocol.Timeout:
		f.Again = true
	}
	return f
}

// words are why a call failed, and what to do where that is known.
func words(err error, code string) string {
	service, operation := of(err)
	reason := awsec2.Explain(err)
	if code != "" {
		reason = service + " says " + reason
	} else if service != "" {
		reason = service + ": " + reason
	}
	switch {
	case operation == "AssumeRole" && code == "AccessDenied":
		reason += "; check that the role is there and trusts the caller, and the external id"
	case operation == "GetCallerIdentity" && code == "InvalidClientTokenId":
		reason += "; where AWS_REGION is a region that has to be opted into, the account of the" +
			" identity has to have done so as well: else name one that every account has"
	case service == "EC2" && code == "AuthFailure":
		reason += "; a region that is opted into does not know the tokens of STS's global endpoint"
	}
	return reason
}

// of names the service and the operation whose error it is. What is asked for credentials is
// inside of what wanted them.
func of(err error) (service, operation string) {
	for {
		var op *smithy.OperationError
		if !errors.As(err, &op) {
			return service, operation
		}
		service, operation, err = op.ServiceID, op.OperationName, op.Err
	}
}

// refusedIDs is EC2's refusal of a call because of the ids that it names.
type refusedIDs struct {
	notFound  bool // or malformed
	text      string
	otherwise *scan.Failure
}

func (r *refusedIDs) Error() string { return r.otherwise.Reason }

// Unwrap makes it a failure for who did not ask by ids.
func (r *refusedIDs) Unwrap() error { return r.otherwise }

func idsRefused(err error) *refusedIDs {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return nil
	}
	r := &refusedIDs{text: api.ErrorMessage(), otherwise: &scan.Failure{
		Verdict: nodes.Unreachable, Reason: words(err, api.ErrorCode()),
	}}
	switch api.ErrorCode() {
	case "InvalidInstanceID.NotFound":
		r.notFound = true
		return r
	case "InvalidInstanceID.Malformed", "InvalidInstanceID":
		return r
	}
	return nil
}

// split tells apart the ids that were asked for at once: absent ones, which EC2 named as not found;
// the rest, to ask for again; and, where EC2 named none of them, halves to ask for one by one. What
// is malformed is not answered for.
func (r *refusedIDs) split(ids []string) (rest, absent []string, halves [][]string) {
	named := map[string]bool{}
	for _, word := range strings.FieldsFunc(r.text, func(c rune) bool {
		return c != '-' && (c < '0' || c > '9') && (c < 'a' || c > 'z')
	}) {
		named[word] = true
	}
	for _, id := range ids {
		switch {
		case !named[id]:
			rest = append(rest, id)
		case r.notFound:
			absent = append(absent, id)
		}
	}
	switch {
	case len(rest) < len(ids):
		return rest, absent, nil
	case len(ids) == 1 && r.notFound:
		return nil, ids, nil
	case len(ids) == 1:
		return nil, nil, nil
	}
	return nil, nil, slices.Collect(slices.Chunk(ids, (len(ids)+1)/2))
}
