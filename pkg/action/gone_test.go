package action

import (
	"errors"
	"testing"

	"aws-provider-executor/pkg/protocol"
)

// kept is a ledger with one record, of these transitions.
type kept []Recorded

func (k kept) Own(resource, attribute string) (Recorded, bool) {
	for _, t := range k {
		if t.Resource == resource && t.Attribute == attribute {
			return t, true
		}
	}
	return Recorded{}, false
}
func (k kept) All() []Recorded                         { return k }
func (kept) Others(string, string) ([]Recorded, error) { return nil, nil }

// TestVanished: a target is taken for gone only by the undo of an action on it that is old enough.
func TestVanished(t *testing.T) {
	notFound := Refuse(protocol.NotFound, "a does not exist")
	mine := kept{{Key: "k", Resource: "b"}, {Key: "k", Resource: "a"}}
	for _, c := range []struct {
		name  string
		r     Request
		cause error
		class protocol.FailureClass
	}{
		{"of an old action", Request{Undoes: true, HasRecord: true, Records: mine}, notFound, ""},
		{"of an action without a record", Request{Undoes: true, Answered: true, Records: kept(nil)}, notFound, ""},
		{"of an action that nothing tells of", Request{Undoes: true, Records: kept(nil)}, notFound, protocol.NotFound},
		{"in a dry-run", Request{Undoes: true, Answered: true}, notFound, ""},
		{"of a fresh action", Request{Undoes: true, Recent: true, HasRecord: true, Records: mine}, notFound, protocol.NotFound},
		{"of another target", Request{Undoes: true, HasRecord: true, Records: mine[:1]}, notFound, protocol.Conflict},
		{"under a key of its own", Request{Answered: true}, notFound, protocol.NotFound},
		{"that could not be read", Request{Undoes: true, Answered: true}, Refuse(protocol.Unavailable, "no answer"), protocol.Unavailable},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := Vanished(c.r, c.cause, func(own Recorded) bool { return own.Resource == "a" })
			var f *protocol.Failure
			if errors.As(err, &f) != (c.class != "") || f != nil && f.Class != c.class {
				t.Errorf("%v, want %q", err, c.class)
			}
		})
	}
}
