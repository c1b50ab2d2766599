package awsec2

import (
	"context"
	"errors"
	"net"
	"net/url"
	"strings"
	"sync"
	"time"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/smithy-go/middleware"

	"aws-provider-executor/pkg/protocol"
)

// attempts records what happened to one call, over all its attempts. Once the context has ended the
// SDK says only that it has.
//
// The SDK's cache of credentials asks on in the background after the context has ended, so what is
// noted is guarded.
type attempts struct {
	own *credentials

	mu sync.Mutex
	knownAttempts
}

// knownAttempts is what attempts note.
type knownAttempts struct {
	// last is the last attempt's own error; cut is set if the end of the context is its reason.
	last error
	cut  bool
	// said is the error of the last attempt at the same operation that was not cut.
	said error
	// of is the operation that was attempted last.
	of string
	// reads is set if what is called changes nothing.
	reads bool
	// changing is when the first attempt began at a change that is sent again only after an attempt
	// that certainly did nothing; else it is zero.
	changing time.Time
	// sent is set once a request may have left, reached once one of this attempt may have.
	sent, reached bool
	// identified is set once this attempt had credentials to sign with.
	identified bool
	// host is where the last request went; proxy is what it went through, empty for none.
	host, proxy string
	// operation is what a credential source was asked last.
	operation string
	// wanting is the error of an attempt that lacked a file descriptor.
	wanting error
}

type attemptsKey struct{}

// leaves notes that a request is about to leave.
func (a *attempts) leaves(to, proxy *url.URL) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.sent, a.reached, a.host, a.proxy = true, true, to.Host, ""
	if proxy != nil {
		a.proxy = proxy.Scheme + "://" + proxy.Host + " (" + proxyVariable(to) + ")"
	}
}

// begins notes that an attempt begins, of an operation that is signed or not.
func (a *attempts) begins(operation string, signs bool) {
	a.mu.Lock()
	a.reached, a.identified = false, false
	if a.of != operation {
		a.of, a.said = operation, nil
	}
	a.mu.Unlock()
	if !signs {
		a.hasIdentity(operation)
	}
}

// hasIdentity notes that an attempt has what it needs to be built.
func (a *attempts) hasIdentity(operation string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.identified, a.operation = true, operation
}

// ends notes an attempt's error, and marks it where no request could be built.
func (a *attempts) ends(err error, over bool) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	// An impossible address, such as one with the port 99999, shows only when it is dialed.
	var address *net.AddrError
	neverLeft := a.identified && !a.reached && !over
	if err != nil && (neverLeft || errors.As(err, &address)) {
		err = &unsendable{err}
	}
	a.last, a.cut = err, err != nil && over && statusOf(err) == 0
	if !a.cut {
		a.said = err
	}
	if outOfFiles(err) {
		a.wanting = err
	}
	return err
}

// beginsChange notes that an attempt at a change begins. It reports whether enough of the call's
// time is left: another attempt is not for the last tenth. The deadline could hide its answer, and
// then nobody knows whether the change was made.
func (a *attempts) beginsChange(ctx context.Context) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := time.Now()
	if a.changing.IsZero() {
		a.changing = now
		return true
	}
	end, ends := ctx.Deadline()
	return !ends || end.Sub(now) >= end.Sub(a.changing)/10
}

// seen returns what is known so far.
func (a *attempts) seen() knownAttempts {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.knownAttempts
}

// told is the error of the attempts that tells most, once the time for them is up. An attempt that
// was cut says nothing of the provider, so the one before it counts. Not so where a change was cut
// that may have left: nobody knows whether it was made.
func (a knownAttempts) told() error {
	didNothing := a.reads || !a.changing.IsZero() && !a.reached
	if a.cut && a.said != nil && didNothing {
		return a.said
	}
	return a.last
}

// notesReading notes in a call's attempts that the call changes nothing.
func notesReading(ctx context.Context) {
	if log, ok := ctx.Value(attemptsKey{}).(*attempts); ok {
		log.mu.Lock()
		log.reads = true
		log.mu.Unlock()
	}
}

// through names the proxy that the last request went through, or is empty.
func (a knownAttempts) through() string {
	if a.proxy == "" {
		return ""
	}
	return ", through the proxy " + a.proxy
}

// transportText names the kind of a transport failure, and the proxy on the way.
func (a knownAttempts) transportText(err error) string {
	text := transportText(err)
	if what, ofProxy := strings.CutPrefix(text, "the proxy "); ofProxy && a.proxy != "" {
		return "the proxy " + a.proxy + " " + what
	}
	return text + a.through()
}

// unsendable means that the SDK or net/http could not build a request. What is wrong is in the
// executor's environment, and the same on every attempt.
type unsendable struct{ cause error }

func (e *unsendable) Error() string { return e.cause.Error() }
func (e *unsendable) Unwrap() error { return e.cause }

// callError is the error of one call, with all that is known of its attempts.
type callError struct {
	cause error
	own   *credentials
	knownAttempts
}

func (e *callError) Error() string { return e.cause.Error() }
func (e *callError) Unwrap() error { return e.cause }

// addAttemptLog keeps the call's attempts, and tells what could not be sent from what was lost.
func (c *credentials) addAttemptLog(stack *middleware.Stack) error {
	const identity = "GetIdentity"
	_, signs := stack.Finalize.Get(identity)
	if signs {
		note := middleware.FinalizeMiddlewareFunc("Identified", identified)
		if err := stack.Finalize.Insert(note, identity, middleware.After); err != nil {
			return err
		}
	}
	keep := func(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (
		middleware.FinalizeOutput, middleware.Metadata, error,
	) {
		log, ok := ctx.Value(attemptsKey{}).(*attempts)
		if !ok {
			return next.HandleFinalize(ctx, in)
		}
		log.own = c
		log.begins(awsmiddleware.GetOperationName(ctx), signs)
		out, metadata, err := next.HandleFinalize(ctx, in)
		return out, metadata, log.ends(err, ctx.Err() != nil)
	}
	return stack.Finalize.Insert(middleware.FinalizeMiddlewareFunc("AttemptLog", keep), "Retry",
		middleware.After)
}

func identified(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (
	middleware.FinalizeOutput, middleware.Metadata, error,
) {
	if log, ok := ctx.Value(attemptsKey{}).(*attempts); ok {
		log.hasIdentity(awsmiddleware.GetOperationName(ctx))
	}
	return next.HandleFinalize(ctx, in)
}

// call runs one operation and returns the error that tells most.
func call[I, O, F any](ctx context.Context, operation func(context.Context, *I, ...F) (*O, error),
	in *I) (*O, error) {
	goesApart(ctx)
	log := &attempts{}
	out, err := operation(context.WithValue(ctx, attemptsKey{}, log), in)
	if err == nil {
		return out, nil
	}
	known := log.seen()
	over := ctx.Err() != nil || errors.Is(err, errTooLate)
	if told := known.told(); known.sent && over && told != nil {
		err = told
	}
	failed := &callError{err, log.own, known}
	if log.own != nil && classOf(failed) == protocol.Authentication {
		log.own.refused.Store(true)
	}
	return out, failed
}
