package awsec2

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"

	"aws-provider-executor/pkg/metrics"
	"aws-provider-executor/pkg/protocol"
)

// attemptKey carries how many attempts at a call were made.
type attemptKey struct{}

// serviceEC2 is the SDK's name of EC2. Other services are asked for credentials. Metadata services,
// of an instance or a container, have one name of ours.
const (
	serviceEC2      = "EC2"
	serviceMetadata = "metadata"
)

// addCallCount counts every attempt in the metrics that its context carries. An attempt that could
// not be built, such as for lack of credentials, is none.
func (c *credentials) addCallCount(stack *middleware.Stack) error {
	begin := func(ctx context.Context, in middleware.InitializeInput,
		next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
		return next.HandleInitialize(context.WithValue(ctx, attemptKey{}, &atomic.Int32{}), in)
	}
	err := stack.Initialize.Add(middleware.InitializeMiddlewareFunc("CallCount", begin),
		middleware.Before)
	if err != nil {
		return err
	}
	attempt := func(ctx context.Context, in middleware.DeserializeInput,
		next middleware.DeserializeHandler) (middleware.DeserializeOutput, middleware.Metadata, error) {
		began := time.Now()
		out, metadata, err := next.HandleDeserialize(ctx, in)
		c.count(ctx, stack.ID(), time.Since(began), err)
		return out, metadata, err
	}
	// Outside of what reads the answer, which knows the code of an error.
	return stack.Deserialize.Add(middleware.DeserializeMiddlewareFunc("CallCount", attempt),
		middleware.Before)
}

// serviceOf names the service that an operation is of. The clients of metadata services leave the
// names in the context that the call has which wants credentials.
func serviceOf(ctx context.Context, operation string) string {
	if awsmiddleware.GetOperationName(ctx) != operation {
		return serviceMetadata
	}
	return awsmiddleware.GetServiceID(ctx)
}

// count counts one attempt that came to an error, or to none.
func (c *credentials) count(
	ctx context.Context, operation string, took time.Duration, err error,
) {
	number := int32(1)
	if n, ok := ctx.Value(attemptKey{}).(*atomic.Int32); ok {
		number = n.Add(1)
	}
	code, fault := codeOf(err)
	call := metrics.Call{
		Service: serviceOf(ctx, operation), Operation: operation,
		Code: c.secrets.tell(code), Took: took, Retry: number > 1, Fault: fault,
		Throttled: throttled(err),
	}
	call.ForIdentity = !forItself(call.Service)
	metrics.FromContext(ctx).Call(call)
	c.logOf(ctx).Debug("called", "service", call.Service, "operation", call.Operation,
		"code", call.Code, "attempt", number, "millis", took.Milliseconds())
}

// throttled reports whether an attempt was refused because there were too many.
func throttled(err error) bool { return err != nil && classOf(err) == protocol.Throttled }

// codeOf names what an attempt came to, and reports whether that is no proper answer.
func codeOf(err error) (code string, fault bool) {
	var api smithy.APIError
	var unreadable *unreadableAnswer
	status := statusOf(err)
	switch {
	case err == nil:
		return metrics.OK, false
	case errors.As(err, &unreadable):
		return metrics.Unreadable, true
	case errors.As(err, &api) && api.ErrorCode() != "" && api.ErrorCode() != unknownCode:
		return api.ErrorCode(), status >= http.StatusInternalServerError && !throttled(err)
	case status != 0:
		return "HTTP" + strconv.Itoa(status), !throttled(err)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return metrics.Timeout, true
	}
	return metrics.NoAnswer, true
}
