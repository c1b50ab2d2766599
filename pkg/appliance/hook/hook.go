// Package hook drives an appliance by a program.
//
// The program is started once for each step. It gets one document in JSON on its standard input and
// writes one on its standard output; schema/hook has both forms. Secrets reach it on its
// standard input alone. What it writes is bounded, it is killed with all that it started when its
// time is up, and it ends with us.
package hook

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"time"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/appliance"
	"aws-provider-executor/pkg/protocol"
	"aws-provider-executor/pkg/subprocess"
)

// Version is that of the documents.
const Version = 1

// The operations.
const (
	Look          = "look"
	SetPassword   = "set-password"
	UploadLicense = "upload-license"
	Apply         = "apply"
	SetRole       = "set-role"
)

const (
	maxAnswer, maxErrors = 1 << 20, 8 << 10
	// stepFor bounds one step, beside the deadline.
	stepFor = 60 * time.Second
	// endsIn is how long what a program left behind may hold its output.
	endsIn = time.Second
)

// Hook drives an appliance by a program.
type Hook struct {
	// Program is the path of the program; it gets no arguments. Environment is all of its environment.
	Program     string
	Environment []string
	Access      appliance.Access
}

var _ appliance.Driver = (*Hook)(nil)

// Request is what a program gets.
type Request struct {
	Version   int    `json:"version"`
	Operation string `json:"operation"`
	Instance  string `json:"instance"`
	Address   string `json:"address"`
	Port      int    `json:"port"`
	// CertificateSha256, CA and ServerName say by what the appliance is known.
	CertificateSha256 string `json:"certificateSha256,omitempty"`
	CA                string `json:"ca,omitempty"`
	ServerName        string `json:"serverName,omitempty"`
	Administrator     string `json:"administrator"`
	FirstPassword     string `json:"firstPassword"`
	Password          string `json:"password"`
	// PasswordWasSet says that the password was set before, as far as is known.
	PasswordWasSet bool           `json:"passwordWasSet,omitempty"`
	License        *License       `json:"license,omitempty"`
	Configuration  *Configuration `json:"configuration,omitempty"`
	Role           *Role          `json:"role,omitempty"`
}

// License has a file in base64, or a token.
type License struct {
	File  []byte `json:"file,omitempty"`
	Token string `json:"token,omitempty"`
}

// Configuration is a configuration and its digest.
type Configuration struct {
	Digest string `json:"digest"`
	Text   string `json:"text"`
}

// Role is a role, and what members synchronise by.
type Role struct {
	Role          string `json:"role"`
	Primary       string `json:"primaryAddress,omitempty"`
	SyncInterface string `json:"syncInterface,omitempty"`
	SyncSecret    string `json:"syncSecret,omitempty"`
}

// Answer is what a program writes: a failure; a state, to look; or neither, to a change that was
// taken.
type Answer struct {
	Version int      `json:"version"`
	Failure *Failure `json:"failure,omitempty"`
	State   *State   `json:"state,omitempty"`
}

// Failure says why a step came to nothing. MayBeDone says that it may be so all the same.
type Failure struct {
	Class     protocol.FailureClass `json:"class"`
	Message   string                `json:"message"`
	MayBeDone bool                  `json:"mayBeDone,omitempty"`
}

// State is what a program reads.
type State struct {
	FirstPassword bool      `json:"firstPassword,omitempty"`
	Serial        string    `json:"serial,omitempty"`
	Firmware      string    `json:"firmware,omitempty"`
	Licensed      bool      `json:"licensed,omitempty"`
	LicenseStatus string    `json:"licenseStatus,omitempty"`
	Applied       []Applied `json:"applied,omitempty"`
	Tunnels       []Tunnel  `json:"tunnels,omitempty"`
	Role          string    `json:"role,omitempty"`
}

// Applied is a configuration that the appliance ran.
type Applied struct {
	Digest string `json:"digest"`
	Whole  bool   `json:"whole"`
}

// Tunnel is a GENEVE tunnel.
type Tunnel struct {
	Name      string `json:"name"`
	Interface string `json:"interface"`
	Remote    string `json:"remote"`
}

// classes are those that a program may answer with.
var classes = []protocol.FailureClass{
	protocol.InvalidRequest, protocol.Authentication, protocol.Authorization, protocol.NotFound,
	protocol.Conflict, protocol.LimitExceeded, protocol.Throttled, protocol.Unavailable,
}

// Look reads.
func (h *Hook) Look(ctx context.Context) (appliance.State, error) {
	answer, err := h.run(ctx, Request{Operation: Look})
	if err != nil {
		return appliance.State{}, certain(err)
	}
	s := answer.State
	if s == nil {
		return appliance.State{}, h.wrong("its answer to look has no state")
	}
	if s.FirstPassword {
		return appliance.State{FirstPassword: true}, nil
	}
	role, ok := appliance.ParseRole(s.Role)
	if !ok {
		return appliance.State{}, h.wrong("it tells the role " + h.said(s.Role) +
			", want none, primary or secondary:ADDRESS")
	}
	state := appliance.State{
		Serial: s.Serial, Version: s.Firmware, Licensed: s.Licensed, LicenseStatus: s.LicenseStatus,
		Role: role,
	}
	for _, a := range s.Applied {
		state.Applied = append(state.Applied, appliance.Applied(a))
	}
	for _, t := range s.Tunnels {
		state.Tunnels = append(state.Tunnels, appliance.Tunnel(t))
	}
	return state, nil
}

// SetPassword replaces the first password.
func (h *Hook) SetPassword(ctx context.Context) error {
	_, err := h.run(ctx, Request{Operation: SetPassword})
	return err
}

// UploadLicense gives the appliance a licence.
func (h *Hook) UploadLicense(ctx context.Context, l appliance.License) error {
	_, err := h.run(ctx, Request{Operation: UploadLicense, License: (*License)(&l)},
		string(l.File), l.Token)
	return err
}

// Apply has the appliance run a configuration.
func (h *Hook) Apply(ctx context.Context, c appliance.Configuration) error {
	_, err := h.run(ctx, Request{
		Operation: Apply, Configuration: &Configuration{c.Digest, c.Text},
	}, c.Secrets...)
	return err
}

// SetRole gives the appliance a role.
func (h *Hook) SetRole(ctx context.Context, r appliance.Role, s appliance.Sync) error {
	_, err := h.run(ctx, Request{Operation: SetRole, Role: &Role{
		Role: r.Kind, Primary: r.Primary, SyncInterface: s.Interface, SyncSecret: s.Secret,
	}}, s.Secret)
	return err
}

// certain makes a failure of what is no change.
func certain(err error) error {
	var u *action.Unknown
	if errors.As(err, &u) {
		return u.Cause
	}
	return err
}

// run has the program do one step. The error is a failure, or an *action.Unknown where the step may
// be done.
func (h *Hook) run(ctx context.Context, r Request, secrets ...string) (Answer, error) {
	in, err := json.Marshal(h.request(r))
	if err != nil {
		return Answer{}, protocol.Refuse(protocol.Internal, "the request can't be written: %v", err)
	}
	limited, cancel := context.WithTimeout(ctx, stepFor)
	defer cancel()
	out, said, err := h.start(limited, in)
	var unstarted *exec.Error
	switch {
	case errors.As(err, &unstarted), errors.Is(err, errNotStarted):
		return Answer{}, protocol.Refuse(protocol.Configuration,
			"the appliance's program can't be started: %v; nothing was sent; see APPLIANCE_HOOK", err)
	case limited.Err() != nil:
		return Answer{}, h.unsure("it took too long, and was ended")
	case err != nil:
		return Answer{}, h.unsure(fmt.Sprintf("%v; it wrote %s", err, h.said(said, secrets...)))
	}
	return h.read(out, secrets)
}

// request adds what every request has.
func (h *Hook) request(r Request) Request {
	a := h.Access
	r.Version, r.Instance, r.Address, r.Port = Version, a.Instance, a.Address, a.Port
	r.CertificateSha256, r.CA, r.ServerName = a.Pin, string(a.CA), a.ServerName
	r.Administrator, r.FirstPassword, r.Password = a.Administrator, a.First, a.Password
	r.PasswordWasSet = a.WasSet
	return r
}

// errNotStarted says that the program was not run.
var errNotStarted = errors.New("it was not run")

// start runs the program with a document on its standard input.
func (h *Hook) start(ctx context.Context, in []byte) (out []byte, said string, err error) {
	cmd := exec.CommandContext(ctx, h.Program)
	stdout, stderr := subprocess.NewBounded(maxAnswer, nil), subprocess.NewBounded(maxErrors, nil)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(in), stdout, stderr
	cmd.Env, cmd.WaitDelay = slices.Clone(h.Environment), endsIn
	if cmd.Env == nil {
		cmd.Env = []string{}
	}
	release := subprocess.Group(cmd)
	defer release()
	if err := cmd.Start(); err != nil {
		return nil, "", fmt.Errorf("%w: %w", errNotStarted, err)
	}
	err = cmd.Wait()
	_ = subprocess.KillGroup(cmd) // what it left behind
	if stdout.Full() {
		return nil, "", fmt.Errorf("it wrote more than %d bytes", maxAnswer)
	}
	return stdout.Bytes(), string(stderr.Bytes()), err
}

// read reads an answer strictly.
func (h *Hook) read(out []byte, secrets []string) (Answer, error) {
	var answer Answer
	d := json.NewDecoder(bytes.NewReader(out))
	d.DisallowUnknownFields()
	if err := d.Decode(&answer); err != nil {
		return Answer{}, h.unsure("its answer is none of the form that is wanted")
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Answer{}, h.unsure("it wrote more than one answer")
	}
	if answer.Version != Version {
		return Answer{}, h.unsure(fmt.Sprintf("its answer has the version %d, want %d", answer.Version,
			Version))
	}
	f := answer.Failure
	if f == nil {
		return answer, nil
	}
	if !slices.Contains(classes, f.Class) {
		return Answer{}, h.unsure("it tells a failure of a class that it may not tell")
	}
	failure := protocol.Refuse(f.Class, "the program for %s says %s", h.Access.Instance,
		h.said(f.Message, secrets...))
	if f.MayBeDone {
		return Answer{}, &action.Unknown{Cause: failure}
	}
	return Answer{}, failure
}

func (h *Hook) said(text string, secrets ...string) string {
	return appliance.Said(text, append(h.Access.Secrets(), secrets...)...)
}

func (h *Hook) wrong(why string) *protocol.Failure {
	return protocol.Refuse(protocol.Unavailable, "the program for %s is of no use: %s",
		h.Access.Instance, why)
}

func (h *Hook) unsure(why string) error { return &action.Unknown{Cause: h.wrong(why)} }
