package awsec2

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/aws/smithy-go/logging"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"aws-provider-executor/pkg/trace"
)

// asker is on whose behalf calls are made: the request of a core. Requests may have credentials in
// common, but each has a log and a trace of its own.
type asker struct {
	log    *slog.Logger
	parent trace.Parent
}

type askerKey struct{}

// asks is a context for calls of the asker, and for what they need to be signed.
func (a asker) asks(ctx context.Context) context.Context {
	return context.WithValue(ctx, askerKey{}, a)
}

// logOf is the log of the asker whose call a context is of; without one it is c's own.
func (c *credentials) logOf(ctx context.Context) *slog.Logger {
	if a, ok := ctx.Value(askerKey{}).(asker); ok {
		return a.log
	}
	return c.log
}

// add has all that a call leads to know its asker.
func (a asker) add(stack *middleware.Stack) error {
	return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("Asker",
		func(
			ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler,
		) (middleware.InitializeOutput, middleware.Metadata, error) {
			return next.HandleInitialize(a.asks(ctx), in)
		}), middleware.Before)
}

// addTrace tells the provider's log which trace a call is a part of: CloudTrail shows the user
// agent, which no signature is over.
func addTrace(stack *middleware.Stack) error {
	return stack.Build.Add(middleware.BuildMiddlewareFunc("Trace",
		func(
			ctx context.Context, in middleware.BuildInput, next middleware.BuildHandler,
		) (middleware.BuildOutput, middleware.Metadata, error) {
			a, _ := ctx.Value(askerKey{}).(asker)
			if request, ok := in.Request.(*smithyhttp.Request); ok && a.parent.String() != "" {
				request.Header.Set("User-Agent",
					request.Header.Get("User-Agent")+" traceparent/"+a.parent.String())
			}
			return next.HandleBuild(ctx, in)
		}), middleware.After)
}

// sdkLog is the log of what the SDK has to say.
type sdkLog struct {
	own *credentials
	ctx context.Context
}

var _ logging.ContextLogger = sdkLog{}

// WithContext returns the log for one call.
func (l sdkLog) WithContext(ctx context.Context) logging.Logger { return sdkLog{l.own, ctx} }

// Logf logs one thing that the SDK has to say, without secrets.
func (l sdkLog) Logf(_ logging.Classification, format string, args ...any) {
	l.own.logOf(l.ctx).Debug("the AWS SDK says",
		"text", l.own.secrets.tell(fmt.Sprintf(format, args...)))
}
