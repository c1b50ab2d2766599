// Package refusal is how EC2 words what it refuses.
package refusal

import (
	"fmt"
	"net/http"
	"strings"
)

// Error is an error answer of EC2. As an error value it is what an operation answers; in a Fault it
// is what the fault answers.
type Error struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Status  int    `json:"status,omitempty"` // HTTP status, 400 when 0
}

// Error is the code and the message.
func (e *Error) Error() string { return e.Code + ": " + e.Message }

// HTTPStatus is the status of the answer.
func (e *Error) HTTPStatus() int {
	if e.Status == 0 {
		return http.StatusBadRequest
	}
	return e.Status
}

// New refuses with a code.
func New(code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// InvalidValue refuses what a parameter says.
func InvalidValue(format string, args ...any) *Error {
	return New("InvalidParameterValue", format, args...)
}

// Missing refuses a call without a parameter that it needs.
func Missing(parameter string) *Error {
	return New("MissingParameter", "The request must contain the parameter %s", lowerFirst(parameter))
}

func lowerFirst(s string) string { return strings.ToLower(s[:1]) + s[1:] }

// AuthFailure refuses credentials.
func AuthFailure() *Error {
	return &Error{"AuthFailure", "AWS was not able to validate the provided access credentials",
		http.StatusUnauthorized}
}

// Unauthorized is what IAM's refusal reads like. A Describe has no resource and no encoded message.
func Unauthorized(arn, operation, resource, because string) *Error {
	text := "You are not authorized to perform this operation. User: " + arn +
		" is not authorized to perform: ec2:" + operation
	if describes := strings.HasPrefix(operation, "Describe"); describes {
		text += " " + because
	} else {
		text += " on resource: " + resource + " " + because +
			". Encoded authorization failure message: " + encodedMessage
	}
	return &Error{"UnauthorizedOperation", text, http.StatusForbidden}
}

// encodedMessage has the form of what STS decodes, and says nothing.
const encodedMessage = "b0X3gRJKk3lVcT2pWwQmYV1nL8sEhA5uDzPo9iCqFt7xZrNvBgMyHjUe" +
	"KaSd4fOl6GwRp1TsXkVb"

// Throttled refuses one call too many.
func Throttled() *Error {
	return &Error{"RequestLimitExceeded", "Request limit exceeded.", http.StatusServiceUnavailable}
}

// AccessDenied is what the refusal of a service other than EC2 reads like.
func AccessDenied(arn, action, because string) *Error {
	return &Error{"AccessDenied", "User: " + arn + " is not authorized to perform: " + action + " " +
		because, http.StatusForbidden}
}

// NotAllowed is the reason of a refusal where no policy allows an IAM action.
func NotAllowed(action string) string {
	return "because no identity-based policy allows the " + action + " action"
}

// NotBounded is the reason of a refusal where policies allow an IAM action and the boundary does
// not.
func NotBounded(action string) string {
	return "because no permissions boundary allows the " + action + " action"
}

// standardErrors are the status and the text EC2 gives these codes.
var standardErrors = map[string]Error{
	"RequestLimitExceeded": *Throttled(),
	"InternalError": {"InternalError", "An internal error has occurred",
		http.StatusInternalServerError},
	"InternalFailure": {"InternalFailure",
		"The request processing has failed because of an unknown error, exception or failure.",
		http.StatusInternalServerError},
	"ServerInternal": {"ServerInternal", "An internal error has occurred",
		http.StatusInternalServerError},
	"Unavailable": {"Unavailable", "The server is overloaded and can't handle the request.",
		http.StatusServiceUnavailable},
	"ServiceUnavailable": {"ServiceUnavailable",
		"The request has failed due to a temporary failure of the server.",
		http.StatusServiceUnavailable},
	"RequestExpired": {"RequestExpired", "Request has expired.", http.StatusBadRequest},
	"AuthFailure":    *AuthFailure(),
	"SignatureDoesNotMatch": {"SignatureDoesNotMatch", "The request signature we calculated does " +
		"not match the signature you provided. Check your AWS Secret Access Key and signing method. " +
		"Consult the service documentation for details.", http.StatusForbidden},
	"InvalidClientTokenId": {"InvalidClientTokenId",
		"The security token included in the request is invalid.", http.StatusForbidden},
	"UnauthorizedOperation": {"UnauthorizedOperation", "", http.StatusForbidden},
	"ConcurrentTagAccess": {"ConcurrentTagAccess",
		"You can't run simultaneous commands to modify a tag for a specific resource.",
		http.StatusBadRequest},
	"InsufficientInstanceCapacity": {"InsufficientInstanceCapacity",
		"We currently do not have sufficient capacity in the Availability Zone you requested.",
		http.StatusInternalServerError},
}

// Standard returns the error EC2 answers with a code. A code it does not know has status 400 and no
// text of its own.
func Standard(code string) Error {
	if e, ok := standardErrors[code]; ok {
		return e
	}
	return Error{Code: code, Message: "The request was refused: " + code + ".",
		Status: http.StatusBadRequest}
}
