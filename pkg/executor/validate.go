package executor

import (
	"errors"
	"slices"

	"aws-provider-executor/pkg/protocol"
)

// validate names every fault of the request at once, the wire's and the verb's.
func (r *run) validate(wire protocol.Request, faults protocol.Faults) error {
	r.wire = wire
	fault := func(path, reason string) {
		faults = append(faults, protocol.Fault{Path: path, Reason: reason})
	}
	if wire.Provider != "" && wire.Provider != r.Provider {
		fault("spec.provider", "is "+protocol.Quote(wire.Provider)+", want \""+r.Provider+"\"")
	}
	verb, known := r.Registry.Resolve(wire)
	if !known {
		if q, asks := r.inquiry(wire.Action); asks {
			r.asks, verb, known = &q, q.Verb(), true
		}
	}
	switch {
	case known:
		r.verb = verb
		req, more := r.Registry.Check(verb, wire)
		r.req = req
		faults = append(faults, withoutSamePath(more, faults)...)
	case wire.Action != "":
		fault("spec.action", "is "+protocol.Quote(wire.Action)+
			r.Registry.Meant(wire.Action, r.inquiryNames()...)+", want one of "+r.names())
	}
	if len(faults) == 0 {
		return nil
	}
	return protocol.Refuse(protocol.InvalidRequest, "%s; nothing was changed", faults.Error())
}

// withoutSamePath leaves out what is at fault already: a nicRef that is a number
// is not also missing.
func withoutSamePath(more, faults protocol.Faults) protocol.Faults {
	return slices.DeleteFunc(more, func(m protocol.Fault) bool {
		return slices.ContainsFunc(faults, func(f protocol.Fault) bool { return f.Path == m.Path })
	})
}

// asFailure gives any error its place on the wire.
func asFailure(err error) *protocol.Failure {
	var f *protocol.Failure
	if errors.As(err, &f) {
		return f
	}
	return protocol.Refuse(protocol.Internal, "a bug in the executor stopped it: %s", err)
}
