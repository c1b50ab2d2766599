package gate

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

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

// DecodeResult reads one ExecuteActionResult.
func DecodeResult(data []byte) (protocol.Result, error) {
	var r protocol.Result
	d := json.NewDecoder(bytes.NewReader(data))
	if err := d.Decode(&r); err != nil {
		return r, fmt.Errorf("it is not a result: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return r, errors.New("there is something behind the result")
	}
	if r.APIVersion != protocol.APIVersion || r.Kind != protocol.ResultKind {
		return r, fmt.Errorf("it is %s of %s, want %s of %s", protocol.Quote(r.Kind), protocol.Quote(r.APIVersion), protocol.ResultKind, protocol.APIVersion)
	}
	switch r.Status.Status {
	case protocol.Succeeded, protocol.Failed, protocol.Skipped:
		return r, nil
	}
	return r, fmt.Errorf("its status is %s", protocol.Quote(string(r.Status.Status)))
}
