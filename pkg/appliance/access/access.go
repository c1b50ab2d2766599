// Package access makes of an order what a driver takes: it resolves references, reads templates,
// and keeps one driver for each appliance of a request.
//
// A secret is resolved when it is needed first, kept for the request alone, and in no error.
package access

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"aws-provider-executor/pkg/appliance"
	"aws-provider-executor/pkg/appliance/configtext"
	"aws-provider-executor/pkg/appliance/fortigate"
	"aws-provider-executor/pkg/appliance/hook"
	"aws-provider-executor/pkg/protocol"
)

// The variables of the environment.
const (
	CAFileVariable      = "APPLIANCE_CA_FILE"
	TemplateDirVariable = "APPLIANCE_TEMPLATE_DIR"
	HookVariable        = "APPLIANCE_HOOK"
)

// Settings are what comes from outside.
type Settings struct {
	// Env is the environment; the three variables are read, and PATH is given to a program.
	Env func(string) string
	// Secret reads what a reference leads to. Its error has nothing of it, and is a failure.
	Secret func(ctx context.Context, ref string) (string, error)
	// License reads the text of a licence that a reference leads to. It is as Secret is.
	License func(ctx context.Context, ref string) (string, error)
	// Wait waits between two looks at an appliance that does not answer yet; nil is a timer.
	Wait func(context.Context, time.Duration) error
}

// Access looks at appliances and changes them, for one request.
type Access struct {
	settings Settings

	mu      sync.Mutex
	drivers map[string]appliance.Driver
	secrets map[string]string
}

// New returns the access of one request.
func New(s Settings) *Access {
	if s.Wait == nil {
		s.Wait = wait
	}
	return &Access{settings: s, drivers: map[string]appliance.Driver{}, secrets: map[string]string{}}
}

// Reader looks at appliances.
type Reader struct{ Of *Access }

// Writer changes them.
type Writer struct{ Of *Access }

const (
	// firstPause and lastPause lie between two looks at an appliance that does not answer yet.
	firstPause, lastPause = 100 * time.Millisecond, 2 * time.Second
	// patience is how long it is waited for where nothing else bounds that.
	patience = 10 * time.Second
)

// AwaitAppliance looks at an appliance once it answers. It waits for half of the time that there
// is: the other half is for what is to be changed.
func (r Reader) AwaitAppliance(ctx context.Context, o appliance.Order) (appliance.Seen, error) {
	left := patience
	if until, ok := ctx.Deadline(); ok {
		left = time.Until(until) / 2
	}
	limited, cancel := context.WithTimeout(ctx, left)
	defer cancel()
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		seen, err := r.LookAtAppliance(ctx, o)
		var f *protocol.Failure
		if !errors.As(err, &f) || f.Class != protocol.Unavailable {
			return seen, err
		}
		if r.Of.settings.Wait(limited, pause) != nil {
			return seen, err
		}
	}
}

// ReadApplianceSecrets reads what changes of an appliance need, before any of them is made: its
// licence, and the secret to synchronise by.
func (r Reader) ReadApplianceSecrets(
	ctx context.Context, o appliance.Order, license, sync bool,
) error {
	if ref := o.LicenseFile + o.LicenseToken; license && ref != "" {
		if _, err := r.Of.license(ctx, ref); err != nil {
			return err
		}
	}
	if sync && o.SyncSecret != "" {
		_, err := r.Of.word(ctx, o.SyncSecret)
		return err
	}
	return nil
}

// LookAtAppliance looks at an appliance once, and makes the configuration that the order is for.
func (r Reader) LookAtAppliance(
	ctx context.Context, o appliance.Order,
) (appliance.Seen, error) {
	var seen appliance.Seen
	if o.Configured() {
		c, err := r.Of.configuration(ctx, o)
		if err != nil {
			return seen, err
		}
		seen.Digest = c.Digest
	}
	d, err := r.Of.driver(ctx, o)
	if err != nil {
		return seen, err
	}
	seen.State, err = d.Look(ctx)
	r.Of.clean(&seen.State)
	return seen, err
}

// clean takes out of what an appliance tells what no fact may have.
func (a *Access) clean(s *appliance.State) {
	a.mu.Lock()
	secrets := slices.Collect(maps.Values(a.secrets))
	a.mu.Unlock()
	texts := []*string{&s.Serial, &s.Version, &s.LicenseStatus, &s.SyncInterface}
	for i := range s.Applied {
		texts = append(texts, &s.Applied[i].Digest)
	}
	for _, text := range texts {
		*text = appliance.Plain(*text, secrets...)
	}
}

// SetAppliancePassword replaces the first password.
func (w Writer) SetAppliancePassword(ctx context.Context, o appliance.Order) error {
	d, err := w.Of.driver(ctx, o)
	if err != nil {
		return err
	}
	return d.SetPassword(ctx)
}

// UploadApplianceLicense gives the appliance the licence that the order names.
func (w Writer) UploadApplianceLicense(ctx context.Context, o appliance.Order) error {
	var l appliance.License
	ref := o.LicenseFile + o.LicenseToken
	text, err := w.Of.license(ctx, ref)
	if err != nil {
		return err
	}
	if o.LicenseToken != "" {
		l.Token = strings.TrimSpace(text)
	} else {
		l.File = []byte(text)
	}
	d, err := w.Of.driver(ctx, o)
	if err != nil {
		return err
	}
	return d.UploadLicense(ctx, l)
}

// ConfigureAppliance has the appliance run the configuration that the order is for.
func (w Writer) ConfigureAppliance(ctx context.Context, o appliance.Order) error {
	c, err := w.Of.configuration(ctx, o)
	if err != nil {
		return err
	}
	d, err := w.Of.driver(ctx, o)
	if err != nil {
		return err
	}
	return d.Apply(ctx, c)
}

// SetApplianceRole gives the appliance a role.
func (w Writer) SetApplianceRole(
	ctx context.Context, o appliance.Order, r appliance.Role,
) error {
	sync := appliance.Sync{Interface: o.SyncInterface}
	if o.SyncSecret != "" && r.Kind != appliance.NoRole {
		var err error
		if sync.Secret, err = w.Of.word(ctx, o.SyncSecret); err != nil {
			return err
		}
	}
	d, err := w.Of.driver(ctx, o)
	if err != nil {
		return err
	}
	return d.SetRole(ctx, r, sync)
}

// driver returns the driver of an appliance, the same for a request.
func (a *Access) driver(ctx context.Context, o appliance.Order) (appliance.Driver, error) {
	password, err := a.word(ctx, o.Secret)
	if err != nil {
		return nil, err
	}
	if password == o.Instance {
		return nil, protocol.Refuse(protocol.InvalidRequest,
			"the secret that the administrator's password comes from holds the instance's id, which is "+
				"the first password; choose another one; nothing was changed")
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if d := a.drivers[o.Instance]; d != nil {
		return d, nil
	}
	to := appliance.Access{
		Instance: o.Instance, Address: o.Address, Port: o.Port, Pin: o.Pin, ServerName: o.ServerName,
		Administrator: o.Administrator, First: o.Instance, Password: password, WasSet: o.WasSet,
	}
	if file := a.settings.Env(CAFileVariable); file != "" {
		if to.CA, err = readFile(os.OpenFile(file, readOnly, 0)); err != nil {
			return nil, unreadable(CAFileVariable, err)
		}
	}
	if to.Pin == "" && len(to.CA) == 0 {
		return nil, protocol.Refuse(protocol.Configuration,
			"nothing tells which certificate the appliance in %s has: give its SHA-256 digest "+
				"(certificateSha256), or set %s; nothing was sent", o.Instance, CAFileVariable)
	}
	d, err := a.open(o.Driver, to)
	if err == nil {
		a.drivers[o.Instance] = d
	}
	return d, err
}

// open makes a driver.
func (a *Access) open(name string, to appliance.Access) (appliance.Driver, error) {
	if name != "hook" {
		return fortigate.New(to)
	}
	program := a.settings.Env(HookVariable)
	if program == "" {
		return nil, protocol.Refuse(protocol.Configuration,
			"the driver hook needs a program, and %s names none; nothing was changed", HookVariable)
	}
	return &hook.Hook{
		Program: program, Environment: []string{"PATH=" + a.settings.Env("PATH")}, Access: to,
	}, nil
}

// secret reads what a reference leads to, once for a request.
func (a *Access) secret(ctx context.Context, ref string) (string, error) {
	return a.once(ctx, ref, a.settings.Secret)
}

// license reads the text of a licence, once for a request.
func (a *Access) license(ctx context.Context, ref string) (string, error) {
	return a.once(ctx, ref, a.settings.License)
}

func (a *Access) once(
	ctx context.Context, ref string, read func(context.Context, string) (string, error),
) (string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if text, known := a.secrets[ref]; known {
		return text, nil
	}
	text, err := read(ctx, ref)
	if err != nil {
		return "", err
	}
	a.secrets[ref] = text
	return text, nil
}

// word is a secret that is one line. The end of its line, which editors write, is no part of it.
func (a *Access) word(ctx context.Context, ref string) (string, error) {
	text, err := a.secret(ctx, ref)
	if err != nil {
		return "", err
	}
	text = strings.TrimSuffix(strings.TrimSuffix(text, "\n"), "\r")
	if text == "" || strings.ContainsAny(text, "\r\n\x00") {
		return "", protocol.Refuse(protocol.Configuration,
			"%s leads to what is no single line of text; nothing was changed", ref)
	}
	return text, nil
}

// configuration makes the configuration that an order is for.
func (a *Access) configuration(
	ctx context.Context, o appliance.Order,
) (appliance.Configuration, error) {
	secrets := map[string]string{}
	for name, ref := range o.Secrets {
		text, err := a.word(ctx, ref)
		if err != nil {
			return appliance.Configuration{}, err
		}
		secrets[name] = text
	}
	templates, err := a.templates(o.Templates)
	if err != nil {
		return appliance.Configuration{}, err
	}
	c, err := renderWithin(ctx, templates, configtext.Of(o, secrets), o.Secrets)
	if ctx.Err() != nil {
		return c, protocol.Refuse(protocol.InvalidRequest, "the configuration was not made in the time "+
			"that there was: a template goes on without end; nothing was changed; mend it")
	}
	if err != nil {
		return c, protocol.Refuse(protocol.InvalidRequest,
			"the configuration can't be made: %s; nothing was changed",
			strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	return c, nil
}

// renderWithin makes a configuration while there is time. A template can't be stopped: one that
// goes on does so until it has had all the steps that it may have.
func renderWithin(ctx context.Context, templates []configtext.Template, v configtext.Values,
	references map[string]string,
) (appliance.Configuration, error) {
	type made struct {
		appliance.Configuration
		err error
	}
	done := make(chan made, 1)
	go func() {
		c, err := configtext.Render(templates, v, references)
		done <- made{c, err}
	}()
	select {
	case m := <-done:
		return m.Configuration, m.err
	case <-ctx.Done():
		return appliance.Configuration{}, ctx.Err()
	}
}

// templates reads templates by their names, and nothing beside the directory that they are in.
func (a *Access) templates(names []string) ([]configtext.Template, error) {
	if len(names) == 0 {
		return nil, nil
	}
	dir := a.settings.Env(TemplateDirVariable)
	if dir == "" {
		return nil, protocol.Refuse(protocol.Configuration,
			"templates are named, and %s names no directory; nothing was changed", TemplateDirVariable)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, unreadable(TemplateDirVariable, err)
	}
	defer root.Close()
	var all []configtext.Template
	for _, name := range names {
		text, err := readFile(root.OpenFile(name, readOnly, 0))
		if err != nil {
			return nil, unreadable("the template "+name, err)
		}
		all = append(all, configtext.Template{Name: name, Text: string(text)})
	}
	return all, nil
}

// readOnly opens a file without waiting for who would write to a pipe.
const readOnly = os.O_RDONLY | syscall.O_NONBLOCK

// maxFile is how large a file may be.
const maxFile = 1 << 20

// readFile reads an opened file whole.
func readFile(f *os.File, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, &fs.PathError{Op: "read", Path: f.Name(), Err: errors.New("is no regular file")}
	case info.Size() > maxFile:
		return nil, &fs.PathError{Op: "read", Path: f.Name(), Err: errors.New("is too large")}
	}
	return io.ReadAll(io.LimitReader(f, maxFile+1))
}

func unreadable(what string, err error) *protocol.Failure {
	return protocol.Refuse(protocol.Configuration, "%s can't be read: %v; nothing was changed", what,
		err)
}

// wait waits for a time, or until the context ends.
func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
