package protocol

import (
	"bytes"
	"encoding/json"
	"maps"
	"time"
)

// wireRequest is an ExecuteActionRequest as it is written.
type wireRequest struct {
	APIVersion string   `json:"apiVersion"`
	Kind       string   `json:"kind"`
	Spec       wireSpec `json:"spec"`
}

type wireSpec struct {
	Action         string            `json:"action"`
	Provider       string            `json:"provider"`
	ProviderRef    string            `json:"providerRef,omitempty"`
	Target         map[string]string `json:"target"`
	Parameters     map[string]string `json:"parameters,omitempty"`
	Mode           Mode              `json:"mode"`
	IdempotencyKey string            `json:"idempotencyKey"`
	Context        *wireContext      `json:"context,omitempty"`
}

type wireContext struct {
	Approvals []Approval `json:"approvals,omitempty"`
	Deadline  string     `json:"executorDeadline,omitempty"`
}

// EncodeRequest writes a request as one line, closed by a newline. The same request gives the same
// bytes. What it ignores is left out.
func EncodeRequest(r Request) []byte {
	target := r.Target
	if target == nil {
		target = map[string]string{}
	}
	var context *wireContext
	if len(r.Approvals.List) > 0 || !r.Deadline.IsZero() {
		context = &wireContext{Approvals: r.Approvals.List}
	}
	if !r.Deadline.IsZero() {
		context.Deadline = r.Deadline.UTC().Format(time.RFC3339Nano)
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(wireRequest{APIVersion, RequestKind, wireSpec{
		r.Action, r.Provider, r.ProviderRef, target, r.Parameters, r.Mode, r.IdempotencyKey,
		context,
	}})
	if err != nil {
		// A struct of texts and maps of texts has no value that JSON lacks.
		panic(err)
	}
	return b.Bytes()
}

// Validate finds what Decode would refuse in a request that was not decoded, but made. It knows no
// verb: what a verb asks of target and parameters is not in it.
func Validate(r Request) Faults {
	_, faults := Decode(bytes.NewReader(EncodeRequest(r)))
	return faults
}

// UndoOf makes the request that undoes an action: the undo verb under the action's key and
// UndoKeySuffix, for the same target and in the same mode. Its parameters are all that the action
// observed, and those of its own, which win.
func UndoOf(r Request, verb string, observed, own map[string]string) Request {
	parameters := maps.Clone(observed)
	if parameters == nil {
		parameters = map[string]string{}
	}
	maps.Copy(parameters, own)
	r.Action, r.Parameters = verb, parameters
	r.IdempotencyKey += UndoKeySuffix
	r.Ignored, r.Approvals, r.Deadline = nil, Approvals{}, time.Time{}
	return r
}
