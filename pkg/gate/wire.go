package gate

import (
	"bytes"
	"encoding/json"

	"aws-provider-executor/pkg/protocol"
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
	Mode           protocol.Mode     `json:"mode"`
	IdempotencyKey string            `json:"idempotencyKey"`
}

// EncodeRequest writes a request as one line.
func EncodeRequest(r protocol.Request) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(wireRequest{protocol.APIVersion, protocol.RequestKind, wireSpec{
		r.Action, r.Provider, r.ProviderRef, full(r.Target), r.Parameters, r.Mode, r.IdempotencyKey,
	}})
	if err != nil {
		panic(err)
	}
	return b.Bytes()
}
