package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/fatih/color"

	"aws-provider-executor/pkg/ec2sim/simproc"
	"aws-provider-executor/pkg/protocol"
)

// The lab's interfaces that the demo looks at.
const (
	routerA = "eni-01088600000000011"
	routerB = "eni-01088600000000012"
	// database is the first of two interfaces of an instance.
	database = "eni-01088600000000020"
)

var (
	bold  = color.New(color.Bold).SprintFunc()
	faint = color.New(color.Faint).SprintFunc()
	green = color.New(color.FgGreen).SprintFunc()
	red   = color.New(color.FgRed).SprintFunc()
	blue  = color.New(color.FgCyan).SprintFunc()
)

// stage runs the steps and shows them.
type stage struct {
	out io.Writer
	// whole has documents shown as they are.
	whole              bool
	sim                *simproc.Process
	executor, requests string
	env                []string
	// last is the action to undo.
	request request
	result  protocol.Result
	before  map[string]networkInterface
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

type networkInterface struct {
	ID              string            `json:"id"`
	SourceDestCheck bool              `json:"sourceDestCheck"`
	Groups          []string          `json:"groups"`
	Tags            map[string]string `json:"tags"`
	Addresses       []struct {
		Address string `json:"address"`
		Primary bool   `json:"primary"`
	} `json:"privateAddresses"`
}

func (s *stage) heading(text string) { fmt.Fprintf(s.out, "\n%s\n", bold(text)) }

func (s *stage) step(text string) { fmt.Fprintf(s.out, "  %s\n", faint(text)) }

// send sends a request from its file, and fails when the result is another than the step shows.
func (s *stage) send(file string, status protocol.State, message string) error {
	return s.sendWithout("", file, status, message)
}

// sendWithout sends a request but for one of its parameters.
func (s *stage) sendWithout(
	parameter, file string, status protocol.State, message string,
) error {
	data, err := os.ReadFile(filepath.Join(s.requests, file))
	if err != nil {
		return err
	}
	s.request = request{}
	if err := json.Unmarshal(data, &s.request); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	delete(s.request.Spec.Parameters, parameter)
	return s.exchange(file, status, message)
}

// undo sends the undo of what was sent last, as a core builds it.
func (s *stage) undo(verb string, status protocol.State, message string) error {
	s.request.Spec.Action = verb
	s.request.Spec.IdempotencyKey += protocol.UndoKeySuffix
	s.request.Spec.Parameters = s.result.Status.Observed
	return s.exchange("built from the result", status, message)
}

func (s *stage) exchange(origin string, status protocol.State, message string) error {
	if err := s.run(); err != nil {
		return err
	}
	s.tell(origin)
	if s.result.Status.Status != status || !strings.Contains(s.result.Status.Message, message) {
		return fmt.Errorf("want %s and a message with %q, got %+v", status, message, s.result.Status)
	}
	return nil
}

// tell shows what was sent and what came back: each in a line, or whole.
func (s *stage) tell(origin string) {
	paint := green
	switch s.result.Status.Status {
	case protocol.Skipped:
		paint = blue
	case protocol.Failed:
		paint = red
	}
	asked, got := s.request.Spec, s.result.Status
	if s.whole {
		s.show(blue("→ request  ")+faint(origin), asked)
		s.show(paint("← result   "+string(got.Status)), got)
		return
	}
	fmt.Fprintf(s.out, "  %s %-9s %s  %s\n", blue("→"), asked.Mode, asked.Action,
		faint(asked.IdempotencyKey))
	fmt.Fprintf(s.out, "  %s %s %s\n", paint("←"), paint(fmt.Sprintf("%-9s", got.Status)), got.Message)
}

// quietly prepares the scene.
func (s *stage) quietly(file string) error {
	out := s.out
	defer func() { s.out = out }()
	s.out = io.Discard
	return s.send(file, protocol.Succeeded, "")
}

// run gives the request to the executor, the way a core does.
func (s *stage) run() error {
	data, err := json.Marshal(s.request)
	if err != nil {
		return err
	}
	cmd := exec.Command(s.executor)
	cmd.Env, cmd.Stdin, cmd.Stderr = s.env, bytes.NewReader(data), os.Stderr
	answer, err := cmd.Output()
	if err != nil {
		return err
	}
	s.result = protocol.Result{}
	return json.Unmarshal(answer, &s.result)
}

func (s *stage) show(title string, document any) {
	text, err := json.MarshalIndent(document, "      ", "  ")
	if err != nil {
		text = []byte(err.Error())
	}
	fmt.Fprintf(s.out, "    %s\n      %s\n", title, text)
}

// look shows interfaces as the provider has them, and keeps the first look to compare with.
func (s *stage) look(ids ...string) {
	now, err := s.interfaces(ids...)
	if err != nil {
		fmt.Fprintln(s.out, red(err.Error()))
		return
	}
	if s.before == nil {
		s.before = now
	}
	for _, id := range ids {
		fmt.Fprintf(s.out, "  %s %s\n", bold("="), now[id])
	}
}

func (s *stage) remember(ids ...string) { s.before, _ = s.interfaces(ids...) }

// asBefore fails unless the interfaces are as they were at the first look.
func (s *stage) asBefore(ids ...string) error {
	now, err := s.interfaces(ids...)
	if err != nil {
		return err
	}
	s.look(ids...)
	if !maps.EqualFunc(now, s.before, func(a, b networkInterface) bool {
		return a.String() == b.String()
	}) {
		return errors.New("the interfaces are not as before")
	}
	fmt.Fprintf(s.out, "  %s\n", green("as before"))
	s.before = nil
	return nil
}

func (s *stage) interfaces(ids ...string) (map[string]networkInterface, error) {
	var world struct {
		Regions map[string]struct {
			Interfaces []networkInterface `json:"interfaces"`
		} `json:"regions"`
	}
	if err := s.sim.Control("state", &world); err != nil {
		return nil, err
	}
	found := map[string]networkInterface{}
	for _, region := range world.Regions {
		for _, n := range region.Interfaces {
			if slices.Contains(ids, n.ID) {
				found[n.ID] = n
			}
		}
	}
	return found, nil
}

func (n networkInterface) String() string {
	var primary string
	var secondary []string
	for _, a := range n.Addresses {
		if a.Primary {
			primary = a.Address
		} else {
			secondary = append(secondary, a.Address)
		}
	}
	if secondary == nil {
		secondary = []string{"none"}
	}
	check := "on"
	if !n.SourceDestCheck {
		check = "off (it forwards)"
	}
	return fmt.Sprintf("%s  %s + %s  check %s  groups %s", n.Tags["Name"], primary,
		strings.Join(secondary, " "), check, strings.Join(n.Groups, " "))
}
