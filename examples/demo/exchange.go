package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"aws-provider-executor/examples/internal/steps"
	"aws-provider-executor/pkg/protocol"
)

// core sends requests to the executor, as a core does.
type core struct {
	*steps.Stage
	ec2 *steps.StandIn
}

// sent is a request and its result. Its undo is made of both.
type sent struct {
	request request
	result  protocol.Result
}

type request struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Spec       spec   `json:"spec"`
}

type spec struct {
	Action         string            `json:"action"`
	Provider       string            `json:"provider"`
	ProviderRef    string            `json:"providerRef,omitempty"`
	Target         map[string]string `json:"target"`
	Parameters     map[string]string `json:"parameters,omitempty"`
	Mode           string            `json:"mode"`
	IdempotencyKey string            `json:"idempotencyKey"`
}

// outcome is how a request has to end: its state, and a part of its message.
type outcome struct {
	state   protocol.State
	message string
}

// send sends a request from its file, but for the parameters named.
func (c *core) send(file string, want outcome, without ...string) (s sent) {
	c.Do(func() error {
		data, err := os.ReadFile(filepath.Join(c.Examples, "requests", file))
		if err != nil {
			return err
		}
		if err := json.Unmarshal(data, &s.request); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		for _, parameter := range without {
			delete(s.request.Spec.Parameters, parameter)
		}
		return c.exchange(&s, want)
	})
	return s
}

// undo sends the undo of what was sent, as a core builds it.
func (c *core) undo(s sent, verb string, want outcome) {
	c.Do(func() error {
		s.request.Spec.Action = verb
		s.request.Spec.IdempotencyKey += protocol.UndoKeySuffix
		s.request.Spec.Parameters = s.result.Status.Observed
		return c.exchange(&s, want)
	})
}

// takes is the parameter that has an action take something from its holder.
const takes = "allowReassignment"

// exchange gives the request to the executor, and shows it with its result: each in a line, or
// whole.
func (c *core) exchange(s *sent, want outcome) error {
	asked := s.request.Spec
	note := asked.IdempotencyKey
	if asked.Parameters[takes] == "true" {
		note += "   " + takes + "=true"
	}
	c.Ask(fmt.Sprintf("%-10s %s", asked.Mode, asked.Action), note)
	text, err := json.Marshal(s.request)
	if err != nil {
		return err
	}
	c.Document(pretty(text))
	out, err := c.Run(steps.Command{Program: "aws-provider-executor", Env: c.ec2.Env,
		Stdin: string(text)})
	if err != nil {
		return err
	}
	s.result = protocol.Result{}
	if err := json.Unmarshal(out.Stdout, &s.result); err != nil {
		return fmt.Errorf("%s %s: no result: %w\n%s", asked.Mode, asked.IdempotencyKey, err, out.Stderr)
	}
	got := s.result.Status
	c.Answer(string(got.Status), got.Message)
	c.Document(pretty(out.Stdout))
	if got.Status != want.state || !strings.Contains(got.Message, want.message) {
		return fmt.Errorf("%s %s: want %s and a message with %q, got %s: %s", asked.Mode,
			asked.IdempotencyKey, want.state, want.message, got.Status, got.Message)
	}
	return nil
}

// pretty returns a JSON document with a field a line.
func pretty(document []byte) string {
	var b bytes.Buffer
	if json.Indent(&b, document, "", "  ") != nil {
		return string(document)
	}
	return b.String() + "\n"
}
