package service

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"aws-provider-executor/pkg/nodes"
	"aws-provider-executor/pkg/nodes/service/nodesv1/nodesv1connect"
	"aws-provider-executor/pkg/nodes/store"
)

// strictJSON is Connect's JSON, but that it refuses fields that it does not know, and writes those
// that are empty: a count of 0 is there.
type strictJSON struct{ name string }

func (c strictJSON) Name() string { return c.name }

func (strictJSON) Marshal(message any) ([]byte, error) {
	return protojson.MarshalOptions{EmitDefaultValues: true}.Marshal(message.(proto.Message))
}

func (strictJSON) Unmarshal(data []byte, message any) error {
	if len(data) == 0 {
		return errors.New("the request is empty: want an object in JSON")
	}
	return protojson.Unmarshal(data, message.(proto.Message))
}

// compact is a message in JSON, always alike.
func compact(message proto.Message) string {
	text, err := protojson.Marshal(message)
	var b bytes.Buffer
	if err != nil || json.Compact(&b, text) != nil {
		return ""
	}
	return b.String()
}

// guard is around every call: it bounds its time, refuses what is not understood, and words its
// error.
type guard struct{ *Service }

var _ connect.Interceptor = (*guard)(nil)

// looking are the calls that look at clouds.
var looking = map[string]bool{
	nodesv1connect.NodeServiceCreateManagerProcedure:  true,
	nodesv1connect.NodeServiceUpdateManagerProcedure:  true,
	nodesv1connect.NodeServiceConnectManagerProcedure: true,
	nodesv1connect.NodeServiceScanManagersProcedure:   true,
}

// bounded is a context for one call.
func (g *guard) bounded(
	ctx context.Context, procedure string,
) (context.Context, context.CancelFunc) {
	if !looking[procedure] {
		return context.WithTimeout(ctx, g.o.Call)
	}
	ctx, cancel := context.WithTimeout(ctx, g.o.Scan)
	stop := context.AfterFunc(g.o.Stopping, cancel)
	return ctx, func() {
		stop()
		cancel()
	}
}

func (g *guard) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, r connect.AnyRequest) (connect.AnyResponse, error) {
		ctx, cancel := g.bounded(ctx, r.Spec().Procedure)
		defer cancel()
		err := understood(r.Any())
		if err == nil {
			asked, _ := r.Any().(proto.Message)
			err = g.allowed(ctx, r.Spec().Procedure, asked)
		}
		if err != nil {
			return nil, g.told(ctx, r.Spec().Procedure, err)
		}
		answer, err := next(ctx, r)
		if err != nil {
			return nil, g.told(ctx, r.Spec().Procedure, err)
		}
		return answer, nil
	}
}

func (g *guard) WrapStreamingClient(next connect.StreamingClientFunc) connect.StreamingClientFunc {
	return next
}

func (g *guard) WrapStreamingHandler(
	next connect.StreamingHandlerFunc,
) connect.StreamingHandlerFunc {
	return func(ctx context.Context, c connect.StreamingHandlerConn) error {
		ctx, cancel := g.bounded(ctx, c.Spec().Procedure)
		defer cancel()
		err := g.allowed(ctx, c.Spec().Procedure, nil)
		if err == nil {
			err = next(ctx, c)
		}
		if err != nil {
			return g.told(ctx, c.Spec().Procedure, err)
		}
		return nil
	}
}

// understood refuses a request with a field that this server does not know.
func understood(message any) error {
	m, ok := message.(proto.Message)
	if ok && hasUnknown(m.ProtoReflect()) {
		return invalid{errors.New("the request has a field that this server does not know")}
	}
	return nil
}

func hasUnknown(m protoreflect.Message) bool {
	found := len(m.GetUnknown()) > 0
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case f.Message() == nil || f.IsMap():
		case f.IsList():
			for i := range v.List().Len() {
				found = found || hasUnknown(v.List().Get(i).Message())
			}
		default:
			found = found || hasUnknown(v.Message())
		}
		return !found
	})
	return found
}

// invalid is what is wrong with a request.
type invalid struct{ error }

func (i invalid) Unwrap() error { return i.error }

// refused is what is so now and forbids a call.
type refused struct{ error }

// codes say which errors are of which code.
var codes = []struct {
	is   func(error) bool
	code connect.Code
}{
	{as[invalid], connect.CodeInvalidArgument},
	{is(store.ErrOtherList), connect.CodeInvalidArgument},
	{is(store.ErrNoPage), connect.CodeInvalidArgument},
	{is(store.ErrNoFilter), connect.CodeInvalidArgument},
	{is(nodes.ErrNotFound), connect.CodeNotFound},
	{as[*nodes.Exists], connect.CodeAlreadyExists},
	{is(nodes.ErrConflict), connect.CodeAborted},
	{as[*nodes.OtherCount], connect.CodeAborted},
	{as[*nodes.Ambiguous], connect.CodeFailedPrecondition},
	{is(nodes.ErrTerminated), connect.CodeFailedPrecondition},
	{is(nodes.ErrOwn), connect.CodeFailedPrecondition},
	{as[refused], connect.CodeFailedPrecondition},
}

func is(target error) func(error) bool {
	return func(err error) bool { return errors.Is(err, target) }
}

func as[T error](err error) bool {
	var t T
	return errors.As(err, &t)
}

// told is an error as the caller gets it. What is none of ours may have what is not for callers, as
// who logs in to the store.
func (g *guard) told(ctx context.Context, procedure string, err error) error {
	var known *connect.Error
	if errors.As(err, &known) {
		return err
	}
	for _, c := range codes {
		if c.is(err) {
			return connect.NewError(c.code, errors.New(strings.ReplaceAll(err.Error(), "\n", "; ")))
		}
	}
	switch {
	case g.o.Stopping.Err() != nil:
		return connect.NewError(connect.CodeUnavailable, errors.New("the server stops: try again"))
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return connect.NewError(connect.CodeDeadlineExceeded, errors.New("it took too long"))
	case errors.Is(ctx.Err(), context.Canceled):
		return connect.NewError(connect.CodeCanceled, errors.New("the caller went away"))
	}
	g.o.Log.Error("a call failed", "call", procedure, "caller", CallerOf(ctx), "error", err)
	return connect.NewError(connect.CodeUnavailable, errors.New(
		"the store of nodes can't be read or written now; the server's log says why"))
}
