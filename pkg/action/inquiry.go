package action

import "aws-provider-executor/pkg/protocol"

// Inquiry is what a request is that only asks: it changes nothing, plans nothing and has no undo.
// It is no verb, and no registry holds it.
type Inquiry struct {
	// Name is the action on the wire.
	Name string
	// Doc is for the reference.
	Doc string
	// Target are the fields that it uses; any other is ignored.
	Target []Field
	// Facts are what its result adds to observed.
	Facts []Field
	// Permissions are the IAM actions that it makes use of. Whether it fails without one of them is
	// the inquiry's own decision.
	Permissions []Permission
}

// Verb describes the inquiry to what reads the descriptors of verbs. It has no plan.
func (i Inquiry) Verb() Verb {
	return Verb{
		Name: i.Name, Doc: i.Doc, Target: i.Target, Facts: i.Facts, Permissions: i.Permissions,
	}
}

// IsFact reports whether a key is a fact that the inquiry reports.
func (i Inquiry) IsFact(key string) bool { return isKnown(i.Facts, key) }

// Check finds every fault of a request for the inquiry, as it does of one for a verb.
func (i Inquiry) Check(r *Registry, req protocol.Request) (Request, protocol.Faults) {
	return r.Check(i.Verb(), req)
}
