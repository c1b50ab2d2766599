package awsec2

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// errNotDescribe says that a reader was asked to change something: a bug.
var errNotDescribe = errors.New("a reader may only describe")

// addDescribeOnly puts a guard into the SDK's own stack: whatever is called on
// the client, only a Describe operation is built into a request.
func addDescribeOnly(stack *middleware.Stack) error {
	return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("DescribeOnly",
		func(ctx context.Context, in middleware.InitializeInput,
			next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
			if operation := awsmiddleware.GetOperationName(ctx); !strings.HasPrefix(operation, "Describe") {
				return middleware.InitializeOutput{}, middleware.Metadata{}, fmt.Errorf("%w, not %s",
					errNotDescribe, operation)
			}
			notesReading(ctx)
			return next.HandleInitialize(ctx, in)
		}), middleware.Before)
}

// errNotDryRun says that a prober was about to change something: a bug.
var errNotDryRun = errors.New("a prober may only ask with DryRun")

// addDryRunOnly puts a guard into the SDK's own stack, over the request as it is sent: without
// DryRun=true it stays here.
func addDryRunOnly(stack *middleware.Stack) error {
	return stack.Finalize.Add(middleware.FinalizeMiddlewareFunc("DryRunOnly",
		func(
			ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler,
		) (middleware.FinalizeOutput, middleware.Metadata, error) {
			request, ok := in.Request.(*smithyhttp.Request)
			if !ok || !saysDryRun(request) {
				return middleware.FinalizeOutput{}, middleware.Metadata{},
					fmt.Errorf("%w, not %s", errNotDryRun, awsmiddleware.GetOperationName(ctx))
			}
			return next.HandleFinalize(ctx, in)
		}), middleware.Before)
}

func saysDryRun(request *smithyhttp.Request) bool {
	body, err := io.ReadAll(request.GetStream())
	if err != nil || request.RewindStream() != nil {
		return false
	}
	form, err := url.ParseQuery(string(bytes.TrimSpace(body)))
	return err == nil && len(form["DryRun"]) == 1 && form.Get("DryRun") == "true"
}

// maxAnswerBytes bounds one answer of EC2; a page of a thousand interfaces is a tenth of it.
const maxAnswerBytes = 32 << 20

// maxErrorBytes bounds an error answer.
const maxErrorBytes = 64 << 10

// unreadableAnswer is a 200 that is not the operation's answer: cut short, or from
// something that is not AWS. The SDK takes some of these for an empty answer.
type unreadableAnswer struct{ service, operation string }

func (e *unreadableAnswer) Error() string {
	return "the answer to " + e.operation + " was cut short or is not " + e.service + "'s"
}

// addAnswerCheck refuses a 200 whose body is not one whole answer to the operation, and bounds
// every answer. It stands next to the wire.
func addAnswerCheck(stack *middleware.Stack) error {
	return addCheck(stack, func(operation string, _ http.Header, body []byte) bool {
		return wholeAnswer(operation, body)
	})
}

// addCheck adds a check of the body of a 200.
func addCheck(
	stack *middleware.Stack,
	whole func(operation string, header http.Header, body []byte) bool,
) error {
	return stack.Deserialize.Add(middleware.DeserializeMiddlewareFunc("AnswerCheck",
		func(ctx context.Context, in middleware.DeserializeInput,
			next middleware.DeserializeHandler) (middleware.DeserializeOutput, middleware.Metadata, error) {
			out, metadata, err := next.HandleDeserialize(ctx, in)
			response, ok := out.RawResponse.(*smithyhttp.Response)
			if ok && response.StatusCode/100 != 2 {
				text, _ := io.ReadAll(io.LimitReader(response.Body, maxErrorBytes))
				_ = response.Body.Close()
				response.Body = io.NopCloser(bytes.NewReader(text))
			}
			if err != nil || !ok || response.StatusCode/100 != 2 {
				return out, metadata, err
			}
			body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswerBytes))
			_ = response.Body.Close()
			operation := awsmiddleware.GetOperationName(ctx)
			unreadable := &unreadableAnswer{awsmiddleware.GetServiceID(ctx), operation}
			if err != nil {
				return out, metadata, fmt.Errorf("%w: %w", unreadable, err)
			}
			if !whole(operation, response.Header, body) {
				return out, metadata, unreadable
			}
			response.Body = io.NopCloser(bytes.NewReader(body))
			return out, metadata, nil
		}), middleware.After)
}
