// Package fortigate drives a FortiGate by its REST API.
//
// Its identity is its certificate: under a given authority, or of a given digest. Without either
// nothing is sent. No secret is in a URL, and each request has a connection of its own, so that
// nothing is sent twice by the HTTP client. Every session that is opened is closed again.
package fortigate

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/appliance"
	"aws-provider-executor/pkg/appliance/configtext"
	"aws-provider-executor/pkg/protocol"
)

// FortiGate is a FortiGate. It is for one request at a time.
type FortiGate struct {
	access appliance.Access
	client *http.Client
	// works is the password that logged in last; empty before the first login.
	works string
}

var _ appliance.Driver = (*FortiGate)(nil)

// New returns the driver of one FortiGate. Nothing is sent yet.
func New(a appliance.Access) (*FortiGate, error) {
	config, err := identity(a)
	if err != nil {
		return nil, err
	}
	return &FortiGate{access: a, client: newClient(config)}, nil
}

// The paths of the API that are used. The names of configurations begin with scriptPrefix.
const (
	pathAuthentication = "/api/v2/authentication"
	pathStatus         = "/api/v2/monitor/system/status"
	pathLicense        = "/api/v2/monitor/license/status"
	pathScripts        = "/api/v2/monitor/system/config-script"
	pathUploadScript   = pathScripts + "/upload"
	pathUploadLicense  = "/api/v2/monitor/system/vmlicense/upload"
	pathLicenseToken   = "/api/v2/monitor/system/vmlicense/download"
	pathAutoScale      = "/api/v2/cmdb/system/auto-scale"
	pathGeneve         = "/api/v2/cmdb/system/geneve"

	scriptPrefix = "aws-provider-executor-"
	rolePrefix   = scriptPrefix + "role-"
)

// Look logs in, reads, and logs out.
func (f *FortiGate) Look(ctx context.Context) (appliance.State, error) {
	s, err := f.logIn(ctx)
	if err != nil {
		return appliance.State{}, err
	}
	defer s.logOut(ctx)
	if s.first {
		return appliance.State{FirstPassword: true}, nil
	}
	var state appliance.State
	for _, read := range []func(context.Context, *appliance.State) error{
		s.readStatus, s.readLicense, s.readScripts, s.readTunnels, s.readRole,
	} {
		if err := read(ctx, &state); err != nil {
			return appliance.State{}, err
		}
	}
	return state, nil
}

func (s *session) readStatus(ctx context.Context, state *appliance.State) error {
	answer, err := s.read(ctx, pathStatus, nil)
	if err != nil {
		return err
	}
	if answer.Serial == "" {
		return s.unreadable(pathStatus)
	}
	state.Serial, state.Version = answer.Serial, answer.Version
	return nil
}

// licensed is the word for a licence that is valid, and not one for evaluation.
const licensed = "vm_valid"

func (s *session) readLicense(ctx context.Context, state *appliance.State) error {
	var results struct {
		VM *struct {
			Valid  bool   `json:"valid"`
			Status string `json:"status"`
		} `json:"vm"`
	}
	if _, err := s.read(ctx, pathLicense, &results); err != nil {
		return err
	}
	if results.VM == nil {
		return s.unreadable(pathLicense)
	}
	state.LicenseStatus = results.VM.Status
	state.Licensed = results.VM.Valid && results.VM.Status == licensed
	return nil
}

// taken are the words by which a script is said to have run whole.
var taken = []string{"success", "ok", "done", "completed"}

func (s *session) readScripts(ctx context.Context, state *appliance.State) error {
	var results struct {
		Scripts *struct {
			History []struct {
				Name   string `json:"name"`
				Status string `json:"status"`
			} `json:"history"`
		} `json:"conf_scripts"`
	}
	if _, err := s.read(ctx, pathScripts, &results); err != nil {
		return err
	}
	if results.Scripts == nil {
		return s.unreadable(pathScripts)
	}
	// The latest comes first.
	for _, entry := range slices.Backward(results.Scripts.History) {
		whole := slices.Contains(taken, strings.ToLower(entry.Status))
		if kind, is := strings.CutPrefix(entry.Name, rolePrefix); is {
			s.role, s.partly = kind, !whole
			continue
		}
		if digest, ours := strings.CutPrefix(entry.Name, scriptPrefix); ours {
			state.Applied = append(state.Applied, appliance.Applied{Digest: digest, Whole: whole})
		}
	}
	return nil
}

func (s *session) readTunnels(ctx context.Context, state *appliance.State) error {
	var results []struct {
		Name      string `json:"name"`
		Interface string `json:"interface"`
		Remote    string `json:"remote-ip"`
	}
	if _, err := s.read(ctx, pathGeneve, &results); err != nil {
		return err
	}
	for _, t := range results {
		state.Tunnels = append(state.Tunnels, appliance.Tunnel(t))
	}
	return nil
}

func (s *session) readRole(ctx context.Context, state *appliance.State) error {
	var results struct {
		Status  string `json:"status"`
		Role    string `json:"role"`
		Primary string `json:"primary-ip"`
		Sync    string `json:"sync-interface"`
	}
	if _, err := s.read(ctx, pathAutoScale, &results); err != nil {
		return err
	}
	switch {
	case results.Status == "disable":
		state.Role = appliance.Role{Kind: appliance.NoRole}
	case results.Status != "enable":
		return s.unreadable(pathAutoScale)
	case results.Role == appliance.Primary, results.Role == "master":
		state.Role = appliance.Role{Kind: appliance.Primary}
	case results.Role == appliance.Secondary, results.Role == "slave":
		role, ok := appliance.ParseRole(appliance.Secondary + ":" + results.Primary)
		if !ok {
			return s.unreadable(pathAutoScale)
		}
		state.Role = role
	default:
		return s.unreadable(pathAutoScale)
	}
	if state.Role.Kind != appliance.NoRole {
		state.RolePartly = s.partly && s.role == state.Role.Kind
		state.SyncInterface = cmp.Or(results.Sync, "none")
	}
	return nil
}

// SetPassword replaces the first password, by the login itself.
func (f *FortiGate) SetPassword(ctx context.Context) error {
	if f.works == f.access.Password && f.works != "" {
		return nil
	}
	answer, cookies, err := f.authenticate(ctx, f.access.First, f.access.Password)
	switch {
	case err != nil:
		return err
	case answer.isRefused():
		// Another attempt may have replaced it.
		return protocol.Refuse(protocol.Conflict, "%s does not take its first password for %s: %s",
			f.name(), protocol.Quote(f.access.Administrator), f.said(answer.Message))
	case !answer.isIn():
		return protocol.Refuse(protocol.InvalidRequest,
			"%s refuses the new password of %s: %s; see its password policy, then name another secret",
			f.name(), f.access.Administrator, f.said(answer.Message))
	}
	f.works = f.access.Password
	(&session{of: f, cookies: cookies, key: answer.Key}).logOut(ctx)
	return nil
}

// UploadLicense gives the FortiGate a licence. It restarts then.
func (f *FortiGate) UploadLicense(ctx context.Context, l appliance.License) error {
	return f.inSession(ctx, func(s *session) error {
		path, body := pathUploadLicense, map[string]string{
			"file_content": base64.StdEncoding.EncodeToString(l.File),
		}
		if l.Token != "" {
			path, body = pathLicenseToken, map[string]string{"token": l.Token}
		}
		_, err := s.change(ctx, path, body, string(l.File), l.Token)
		return err
	})
}

// Apply has the FortiGate run a configuration, under a name that has its digest.
func (f *FortiGate) Apply(ctx context.Context, c appliance.Configuration) error {
	err := f.run(ctx, scriptPrefix+c.Digest, c.Text, c.Secrets...)
	var lines *linesRefused
	if errors.As(err, &lines) {
		return lines.Failure
	}
	return err
}

// linesRefused is a script of which lines were refused.
type linesRefused struct{ *protocol.Failure }

// SetRole sets the auto-scale block. What a role does not need stays as it is.
func (f *FortiGate) SetRole(ctx context.Context, r appliance.Role, sync appliance.Sync) error {
	text, err := roleText(r, sync)
	if err != nil {
		return err
	}
	err = f.run(ctx, rolePrefix+r.Kind, text, sync.Secret)
	var lines *linesRefused
	if errors.As(err, &lines) {
		// Those that it took may have given it the role.
		return unknown(lines.Failure)
	}
	return err
}

// roleText is the auto-scale block of a role.
func roleText(r appliance.Role, sync appliance.Sync) (string, error) {
	for _, text := range []string{r.Primary, sync.Interface, sync.Secret} {
		if why := configtext.Fault(text); why != "" {
			return "", protocol.Refuse(protocol.InvalidRequest,
				"the address of the primary, the interface to synchronise by, or the secret to "+
					"synchronise by %s; nothing was sent", why)
		}
	}
	lines := []string{"config system auto-scale"}
	set := func(name, value string) { lines = append(lines, "set "+name+" "+value) }
	if r.Kind == appliance.NoRole {
		set("status", "disable")
		return strings.Join(append(lines, "end", ""), "\n"), nil
	}
	set("status", "enable")
	if sync.Interface != "" {
		set("sync-interface", configtext.Quoted(sync.Interface))
	}
	set("role", r.Kind)
	if r.Kind == appliance.Secondary {
		set("primary-ip", r.Primary)
	}
	if sync.Secret != "" {
		set("psksecret", configtext.Quoted(sync.Secret))
	}
	return strings.Join(append(lines, "end", ""), "\n"), nil
}

// run has the FortiGate run a script. Lines that it refuses fail the change: those that it took are
// in force.
func (f *FortiGate) run(ctx context.Context, name, text string, secrets ...string) error {
	return f.inSession(ctx, func(s *session) error {
		answer, err := s.change(ctx, pathUploadScript, map[string]string{
			"filename":     name,
			"file_content": base64.StdEncoding.EncodeToString([]byte(text)),
		}, secrets...)
		if err == nil && answer.CLIError != "" {
			return &linesRefused{protocol.Refuse(protocol.InvalidRequest,
				"%s refused lines of %s; those that it took are in force; mend what it refused, then try "+
					"again; it says %s", f.name(), name, f.said(answer.CLIError, secrets...))}
		}
		return err
	})
}

// inSession changes something in a session of its own.
func (f *FortiGate) inSession(ctx context.Context, change func(*session) error) error {
	s, err := f.logIn(ctx)
	if err != nil {
		return notBegun(err)
	}
	defer s.logOut(ctx)
	if s.first {
		return protocol.Refuse(protocol.Conflict,
			"%s has its first password still; nothing was sent; set its password first", f.name())
	}
	return change(s)
}

// notBegun says that a change was not sent, whatever became of the login before it.
func notBegun(err error) error {
	var f *protocol.Failure
	if errors.As(err, &f) {
		return f
	}
	return protocol.Refuse(protocol.Unavailable, "the change was not sent: %v", err)
}

// said is what the FortiGate said, for a sentence.
func (f *FortiGate) said(text string, secrets ...string) string {
	return appliance.Said(text, append(f.access.Secrets(), secrets...)...)
}

// name names the FortiGate in a sentence.
func (f *FortiGate) name() string { return f.access.Instance + " at " + f.host() }

// logOutFor is how long a session may take to be closed.
const logOutFor = 3 * time.Second

// unknown is a change whose answer was lost.
func unknown(f *protocol.Failure) error { return &action.Unknown{Cause: f} }
