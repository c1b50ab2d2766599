package awsec2

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"aws-provider-executor/pkg/protocol"
)

// serviceClient calls a service beside EC2. A call goes through the same layers as one to EC2: the
// connection's own, and the SDK's for retries, signatures and errors.
type serviceClient struct {
	*service
	of       *Connection
	endpoint *url.URL
	signer   *v4.Signer
	// readOnly refuses what is not a reading operation.
	readOnly bool
	// skew is how far the service's clock is ahead of this machine's, as calls before have shown.
	skew *atomic.Int64
}

// serviceReader calls the reading operations of a service, and no other.
func (c *Connection) serviceReader(s *service) (*serviceClient, error) {
	client, err := c.serviceWriter(s)
	if err == nil {
		client.readOnly = true
	}
	return client, err
}

// serviceWriter calls all operations of a service that are in its list.
func (c *Connection) serviceWriter(s *service) (*serviceClient, error) {
	endpoint, faults := c.endpointOf(s.provider)
	if len(faults) > 0 {
		return nil, wrongEnvironment(faults)
	}
	skew, _ := c.skews.LoadOrStore(s.name, new(atomic.Int64))
	return &serviceClient{service: s, of: c, endpoint: endpoint, signer: v4.NewSigner(),
		skew: skew.(*atomic.Int64)}, nil
}

// serviceCall makes one call, with in as the operation's input, and reads its answer into an O.
// The error is as that of a call to EC2: failure and changeOutcome of the service tell it.
func serviceCall[O, I any](
	ctx context.Context, c *serviceClient, operation string, in *I,
) (*O, error) {
	return call(ctx, func(ctx context.Context, in *I, _ ...struct{}) (*O, error) {
		out := new(O)
		return out, c.invoke(ctx, operation, in, out)
	}, in)
}

// call makes one call of the service, with in as what the operation takes, and reads its answer
// into out. It is no generic function: each of those costs the program a copy.
func (s *service) call(
	ctx context.Context, connect func(*service) (*serviceClient, error),
	operation string, in, out any,
) error {
	client, err := connect(s)
	if err != nil {
		return err
	}
	_, err = call(ctx, func(ctx context.Context, in *any, _ ...struct{}) (*any, error) {
		return &out, client.invoke(ctx, operation, *in, out)
	}, &in)
	return err
}

// failed makes a failure of an error of call. One that is a failure already stays as it is.
func (s *service) failed(operation, what string, err error) error {
	var f *protocol.Failure
	if err == nil || errors.As(err, &f) {
		return err
	}
	return s.failure(operation, what, err)
}

// changed is failed for a change, of which nobody may know whether it was made.
func (s *service) changed(operation, what string, err error) error {
	var f *protocol.Failure
	if err == nil || errors.As(err, &f) {
		return err
	}
	return s.changeOutcome(operation, what, err)
}

// refusalCode is the code by which a service said no; empty where it did not.
func refusalCode(err error) string {
	var refused *refusal
	if !errors.As(err, &refused) {
		return ""
	}
	return refused.Code
}

// errUnlisted says that an operation was asked for that no list has: a bug.
var errUnlisted = errors.New("only what is listed is called")

func (c *serviceClient) invoke(ctx context.Context, name string, in, out any) error {
	operation, ok := c.operation(name)
	if !ok {
		return fmt.Errorf("%w, not %s of %s", errUnlisted, name, c.name)
	}
	if c.readOnly && operation.does != reads {
		return fmt.Errorf("%w, not %s", errNotDescribe, name)
	}
	if operation.does == reads {
		notesReading(ctx)
	}
	body, err := c.wire.body(operation, in)
	if err != nil {
		return &unsendable{err}
	}
	stack := middleware.NewStack(name, smithyhttp.NewStackRequest)
	if err := c.build(stack, operation, body, out); err != nil {
		return &unsendable{err}
	}
	ctx = middleware.ClearStackValues(ctx)
	ctx = middleware.WithOperationName(middleware.WithServiceID(ctx, c.name), name)
	ctx = awsmiddleware.SetOperationName(awsmiddleware.SetServiceID(ctx, c.name), name)
	ctx = middleware.SetLogger(awsmiddleware.SetRegion(ctx, c.of.cfg.Region), c.of.cfg.Logger)
	handler := smithyhttp.NewClientHandlerWithOptions(c.of.cfg.HTTPClient)
	_, _, err = middleware.DecorateHandler(handler, stack).Handle(ctx, in)
	if err != nil {
		return &smithy.OperationError{ServiceID: c.name, OperationName: name, Err: err}
	}
	return nil
}

// build adds all layers of a call. The connection's own find their places by the names that the SDK
// gives the others.
func (c *serviceClient) build(
	stack *middleware.Stack, o operation, body []byte, out any,
) error {
	agent := awsmiddleware.NewRequestUserAgent()
	agent.AddSDKAgentKey(awsmiddleware.APIMetadata, c.prefix)
	if app := c.of.cfg.AppID; app != "" {
		agent.AddSDKAgentKey(awsmiddleware.ApplicationIdentifier, app)
	}
	after := middleware.After
	return errors.Join(
		stack.Serialize.Add(c.serializer(o, body), after),
		stack.Build.Add(&awsmiddleware.ClientRequestID{}, after),
		stack.Build.Add(agent, after),
		stack.Build.Add(&awsmiddleware.RecursionDetection{}, after),
		stack.Finalize.Add(retry.NewAttemptMiddleware(c.retryer(o), smithyhttp.RequestCloner,
			func(a *retry.Attempt) { a.ClientSkew = c.skew }), after),
		stack.Finalize.Add(c.identity(), after),
		stack.Finalize.Add(c.signing(body), after),
		stack.Deserialize.Add(&awshttp.ResponseErrorWrapper{}, after),
		stack.Deserialize.Add(&awsmiddleware.RequestIDRetriever{}, after),
		stack.Deserialize.Add(deserializer(c.wire, out), after),
		stack.Deserialize.Add(&awsmiddleware.RecordResponseTiming{}, after),
		c.of.asker.add(stack), c.of.own.addAttemptLog(stack), c.of.own.addCallCount(stack),
		c.addWholeCheck(stack, o), addTrace(stack), c.of.dates.add(stack),
	)
}

func (c *serviceClient) retryer(o operation) aws.Retryer {
	if o.does == changes {
		return changeRetryer{retryer(retryChange)}
	}
	return retryer(retryRead)
}

// serializer makes the request of an operation.
func (c *serviceClient) serializer(o operation, body []byte) middleware.SerializeMiddleware {
	return middleware.SerializeMiddlewareFunc("OperationSerializer",
		func(
			ctx context.Context, in middleware.SerializeInput, next middleware.SerializeHandler,
		) (middleware.SerializeOutput, middleware.Metadata, error) {
			request, ok := in.Request.(*smithyhttp.Request)
			if !ok {
				return middleware.SerializeOutput{}, middleware.Metadata{},
					fmt.Errorf("the request is a %T", in.Request)
			}
			to := *c.endpoint
			if to.Path == "" {
				to.Path = "/"
			}
			request.Method, request.URL, request.Host = http.MethodPost, &to, to.Host
			c.wire.setHeader(request.Header, o)
			request, err := request.SetStream(bytes.NewReader(body))
			if err != nil {
				return middleware.SerializeOutput{}, middleware.Metadata{}, err
			}
			in.Request = request
			return next.HandleSerialize(ctx, in)
		})
}

// identityKey carries the credentials that an attempt is signed with.
type identityKey struct{}

// identity gets credentials for an attempt.
func (c *serviceClient) identity() middleware.FinalizeMiddleware {
	return middleware.FinalizeMiddlewareFunc("GetIdentity",
		func(
			ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler,
		) (middleware.FinalizeOutput, middleware.Metadata, error) {
			got, err := c.of.own.Retrieve(ctx)
			if err != nil {
				return middleware.FinalizeOutput{}, middleware.Metadata{}, err
			}
			return next.HandleFinalize(middleware.WithStackValue(ctx, identityKey{}, got), in)
		})
}

// signing signs an attempt, by the service's clock as far as it is known.
func (c *serviceClient) signing(body []byte) middleware.FinalizeMiddleware {
	sum := sha256.Sum256(body)
	hash := hex.EncodeToString(sum[:])
	return middleware.FinalizeMiddlewareFunc("Signing",
		func(
			ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler,
		) (middleware.FinalizeOutput, middleware.Metadata, error) {
			request, ok := in.Request.(*smithyhttp.Request)
			got, known := middleware.GetStackValue(ctx, identityKey{}).(aws.Credentials)
			if !ok || !known {
				return middleware.FinalizeOutput{}, middleware.Metadata{},
					fmt.Errorf("the request is a %T; there are credentials: %t", in.Request, known)
			}
			at := time.Now().Add(time.Duration(c.skew.Load()))
			err := c.signer.SignHTTP(
				ctx, got, request.Request, hash, c.prefix, c.of.cfg.Region, at)
			if err != nil {
				return middleware.FinalizeOutput{}, middleware.Metadata{}, err
			}
			out, metadata, err := next.HandleFinalize(ctx, in)
			if skew, ok := awsmiddleware.GetAttemptSkew(metadata); ok {
				c.skew.Store(int64(skew))
			}
			return out, metadata, err
		})
}

// addWholeCheck refuses an answer that is not one whole answer to the operation.
func (c *serviceClient) addWholeCheck(stack *middleware.Stack, o operation) error {
	return addCheck(stack, func(_ string, header http.Header, body []byte) bool {
		return c.wire.whole(o, header, body)
	})
}

// deserializer reads an answer that was found whole, or a refusal.
func deserializer(by wire, into any) middleware.DeserializeMiddleware {
	return middleware.DeserializeMiddlewareFunc("OperationDeserializer",
		func(
			ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler,
		) (middleware.DeserializeOutput, middleware.Metadata, error) {
			out, metadata, err := next.HandleDeserialize(ctx, in)
			if err != nil {
				return out, metadata, err
			}
			response, ok := out.RawResponse.(*smithyhttp.Response)
			if !ok {
				return out, metadata, fmt.Errorf("the answer is a %T", out.RawResponse)
			}
			body, err := io.ReadAll(response.Body)
			if err != nil {
				return out, metadata, &smithy.DeserializationError{Err: err}
			}
			if response.StatusCode/100 != 2 {
				refused := by.refusal(response.Header, body)
				if refused.requestID != "" {
					awsmiddleware.SetRequestIDMetadata(&metadata, refused.requestID)
				}
				refused.Code = cmp.Or(refused.Code, unknownCode)
				refused.Fault = smithy.FaultClient
				if response.StatusCode >= http.StatusInternalServerError {
					refused.Fault = smithy.FaultServer
				}
				return out, metadata, refused
			}
			if by.read(body, into) != nil {
				return out, metadata, &unreadableAnswer{
					awsmiddleware.GetServiceID(ctx), awsmiddleware.GetOperationName(ctx),
				}
			}
			out.Result = into
			return out, metadata, nil
		})
}

// refusal is an answer by which a service says no, with what it says beside the code and the text.
type refusal struct {
	smithy.GenericAPIError
	body []byte
	// requestID is the id of the request, where the body tells it.
	requestID string
}

// read reads what a refusal in JSON says into a struct; it leaves out what can't be read.
func (r *refusal) read(into any) { _ = json.Unmarshal(r.body, into) }
