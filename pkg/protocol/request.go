package protocol

import (
	"bytes"
	"encoding/json"
	"maps"
	"strings"
	"time"
	"unicode/utf8"
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
	Account   string     `json:"targetAccount,omitempty"`
}

// EncodeRequest writes a request as one line, closed by a newline. The same request gives the same
// bytes. What it ignores is left out.
func EncodeRequest(r Request) []byte {
	target := r.Target
	if target == nil {
		target = map[string]string{}
	}
	var context *wireContext
	if len(r.Approvals.List) > 0 || !r.Deadline.IsZero() || r.TargetAccount != "" {
		context = &wireContext{Approvals: r.Approvals.List, Account: r.TargetAccount}
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
	if isPlain(r) {
		return nil
	}
	_, faults := Decode(bytes.NewReader(EncodeRequest(r)))
	return faults
}

// isPlain reports whether a request is certainly one that Decode takes. Most are, and need not be
// written and read then.
func isPlain(r Request) bool {
	if len(r.Approvals.List) > 0 || !r.Deadline.IsZero() || r.TargetAccount != "" ||
		r.Mode != DryRun && r.Mode != Execute {
		return false
	}
	size := 0
	for _, s := range []string{r.Action, r.Provider, r.IdempotencyKey} {
		size += len(s)
		if strings.TrimSpace(s) == "" || !utf8.ValidString(s) {
			return false
		}
	}
	for _, m := range []map[string]string{r.Target, r.Parameters} {
		for key, value := range m {
			size += len(key) + len(value) + len(`"":"",`)
			if !utf8.ValidString(key) || !utf8.ValidString(value) || carriesCredential(key) {
				return false
			}
		}
	}
	size += len(r.ProviderRef)
	return utf8.ValidString(r.ProviderRef) && size < MaxRequestBytes/longestEscape-envelope
}

const (
	// longestEscape is how many bytes JSON takes for one at most.
	longestEscape = 6
	// envelope is more than a request has besides its texts.
	envelope = 1 << 10
)

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
