// Package trace carries the parent of a distributed trace through a program, as the W3C's Trace
// Context names it: from a request or the environment to log lines and to the provider's own log.
//
// A parent is only ever passed on. It is no part of what is asked or answered, and one that is
// malformed is as good as none.
package trace

import (
	"context"
	"errors"
	"strings"
)

// Variable is the variable of the environment that a parent is passed in.
const Variable = "TRACEPARENT"

// Parent is a valid traceparent, or the zero value for none.
type Parent struct{ text string }

// The lengths of a traceparent of version 00 and of its parts.
const (
	versionLength = 2
	idLength      = 32
	spanLength    = 16
	flagsLength   = 2
	wholeLength   = versionLength + 1 + idLength + 1 + spanLength + 1 + flagsLength
)

var errForm = errors.New("it is not of the form 00-<32 hex digits>-<16 hex digits>-" +
	"<2 hex digits>, in lower case")

// Parse reads a traceparent. An empty text is no parent, and no error. Of a later version it keeps
// the parts that version 00 has, as the standard asks. The error does not repeat the text.
func Parse(text string) (Parent, error) {
	if text == "" {
		return Parent{}, nil
	}
	later := !strings.HasPrefix(text, "00")
	more := later && len(text) > wholeLength && text[wholeLength] == '-'
	if len(text) != wholeLength && !more {
		return Parent{}, errForm
	}
	text = text[:wholeLength]
	parts := strings.Split(text, "-")
	if len(parts) != 4 {
		return Parent{}, errForm
	}
	for i, length := range []int{versionLength, idLength, spanLength, flagsLength} {
		if len(parts[i]) != length || strings.Trim(parts[i], "0123456789abcdef") != "" {
			return Parent{}, errForm
		}
	}
	switch {
	case parts[0] == "ff":
		return Parent{}, errors.New("the version ff is none")
	case strings.Trim(parts[1], "0") == "", strings.Trim(parts[2], "0") == "":
		return Parent{}, errors.New("an id of zeros is none")
	case later:
		// What it would mean to a later version is not known here.
		text = "00" + text[versionLength:]
	}
	return Parent{text}, nil
}

// String is the traceparent, empty for none.
func (p Parent) String() string { return p.text }

// TraceID is the id of the whole trace, empty for none.
func (p Parent) TraceID() string { return p.part(1) }

// SpanID is the id of the caller's part of the trace, empty for none.
func (p Parent) SpanID() string { return p.part(2) }

func (p Parent) part(i int) string {
	if p.text == "" {
		return ""
	}
	return strings.Split(p.text, "-")[i]
}

type parentKey struct{}

// NewContext returns a context that carries a parent.
func NewContext(ctx context.Context, p Parent) context.Context {
	return context.WithValue(ctx, parentKey{}, p)
}

// FromContext returns the parent that a context carries, the zero value for none.
func FromContext(ctx context.Context) Parent {
	p, _ := ctx.Value(parentKey{}).(Parent)
	return p
}
