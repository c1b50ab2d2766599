package action

import (
	"errors"
	"strings"
	"testing"

	"aws-provider-executor/pkg/history"
	"aws-provider-executor/pkg/protocol"
)

// kept is the past of an action with an entry of each resource.
func kept(resources ...string) *Past {
	p := &Past{Key: "k"}
	for _, r := range resources {
		p.Own = append(p.Own, Recorded{Entry: history.Entry{Key: "k"}, Resource: r})
	}
	return p
}

// TestVanished: a target is taken for gone only by the undo of an action on it that is old enough.
func TestVanished(t *testing.T) {
	notFound := protocol.Refuse(protocol.NotFound, "a does not exist")
	mine := kept("b", "a")
	for _, c := range []struct {
		name  string
		r     Request
		cause error
		class protocol.FailureClass
	}{
		{"of an old action", Request{Undoes: true, Past: mine}, notFound, ""},
		{"of an action without a record", Request{Undoes: true, Answered: true, Past: kept()},
			notFound, ""},
		{"of an action that nothing tells of", Request{Undoes: true, Past: kept()}, notFound,
			protocol.NotFound},
		{"in a dry-run", Request{Undoes: true, Answered: true}, notFound, ""},
		{"of a fresh action", Request{Undoes: true, Recent: true, Past: mine}, notFound,
			protocol.NotFound},
		{"of another target", Request{Undoes: true, Past: kept("b")}, notFound, protocol.Conflict},
		{"under a key of its own", Request{Answered: true}, notFound, protocol.NotFound},
		{"that could not be read", Request{Undoes: true, Answered: true},
			protocol.Refuse(protocol.Unavailable, "no answer"), protocol.Unavailable},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := Vanished(c.r, c.cause, func(own Recorded) bool { return own.Resource == "a" })
			var f *protocol.Failure
			if errors.As(err, &f) != (c.class != "") || f != nil && f.Class != c.class {
				t.Errorf("%v, want %q", err, c.class)
			}
			if f != nil && strings.Contains(f.Message, "the undo waits") != c.r.Recent {
				t.Errorf("a recent action: %t, and it says %s", c.r.Recent, f.Message)
			}
		})
	}
}
