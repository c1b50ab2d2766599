package ec2sim

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"aws-provider-executor/pkg/ec2sim/internal/query"
)

// Error is an error answer of EC2. As an error value it is what an operation answers; in a Fault it is
// what the fault answers.
type Error struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Status  int    `json:"status,omitempty"` // HTTP status, 400 when 0
}

func (e *Error) Error() string { return e.Code + ": " + e.Message }

func (e *Error) status() int {
	if e.Status == 0 {
		return http.StatusBadRequest
	}
	return e.Status
}

func refuse(code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

func invalidValue(format string, args ...any) *Error {
	return refuse("InvalidParameterValue", format, args...)
}

func missing(parameter string) *Error {
	return refuse("MissingParameter", "The request must contain the parameter %s", lowerFirst(parameter))
}

func lowerFirst(s string) string { return strings.ToLower(s[:1]) + s[1:] }

func errUnknownAction(name string) *Error {
	return refuse("InvalidAction", "The action %s is not valid for this web service.", name)
}

func errAuthFailure() *Error {
	return &Error{"AuthFailure", "AWS was not able to validate the provided access credentials", http.StatusUnauthorized}
}

func errDryRun() *Error {
	return &Error{"DryRunOperation", "Request would have succeeded, but DryRun flag is set.", http.StatusPreconditionFailed}
}

// errManaged is the refusal to change what an AWS service manages.
func errManaged(eni *Interface) *Error {
	name := eni.ID
	if eni.Attachment != nil {
		name = eni.Attachment.ID[:strings.LastIndexByte(eni.Attachment.ID, '-')]
	}
	return refuse("OperationNotPermitted", "You are not allowed to manage '%s' attachments.", name)
}

// decodeError words what query.Decode refuses as EC2 does.
func decodeError(err error) *Error {
	var (
		unknown *query.UnknownError
		absent  *query.MissingError
		value   *query.ValueError
		unheld  *query.UnheldError
	)
	switch {
	case errors.As(err, &unknown):
		return refuse("UnknownParameter", "The parameter %s is not recognized", unknown.Key)
	case errors.As(err, &absent):
		return missing(absent.Key)
	case errors.As(err, &value):
		return invalidValue("Invalid value '%s' for %s. Expecting a value of type %s.", value.Value, value.Key, value.Want)
	case errors.As(err, &unheld):
		return refuse("UnsupportedOperation", "ec2sim does not implement the parameter %s.", unheld.Key)
	}
	panic("ec2sim: an error query.Decode does not have: " + err.Error())
}

// errUnauthorized is what IAM's refusal reads like. A Describe has no resource and no encoded message.
func errUnauthorized(arn, operation, resource, because string) *Error {
	text := "You are not authorized to perform this operation. User: " + arn +
		" is not authorized to perform: ec2:" + operation
	if describes := strings.HasPrefix(operation, "Describe"); describes {
		text += " " + because
	} else {
		text += " on resource: " + resource + " " + because + ". Encoded authorization failure message: " + encodedMessage
	}
	return &Error{"UnauthorizedOperation", text, http.StatusForbidden}
}

// encodedMessage has the form of what STS decodes, and says nothing.
const encodedMessage = "b0X3gRJKk3lVcT2pWwQmYV1nL8sEhA5uDzPo9iCqFt7xZrNvBgMyHjUeKaSd4fOl6GwRp1TsXkVb"
