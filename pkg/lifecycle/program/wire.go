package program

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"aws-provider-executor/pkg/executor"
	"aws-provider-executor/pkg/gate"
	"aws-provider-executor/pkg/host"
	"aws-provider-executor/pkg/journal"
	"aws-provider-executor/pkg/ledger/table"
	"aws-provider-executor/pkg/ledger/table/localtable"
	"aws-provider-executor/pkg/licenses"
	"aws-provider-executor/pkg/licenses/licensemodel"
	"aws-provider-executor/pkg/lifecycle"
	"aws-provider-executor/pkg/members"
	"aws-provider-executor/pkg/policy"
	"aws-provider-executor/pkg/protocol"
	"aws-provider-executor/pkg/runner"
)

// wired is everything that handles events.
type wired struct {
	*lifecycle.Handler
	// path is where the journal is.
	path string
}

// load reads the configuration and the policy. Without a policy nothing is done, and that is said
// of each event.
func (a *app) load() (*lifecycle.Configuration, *policy.Policy, error) {
	if err := a.checkFlags(); err != nil {
		return nil, nil, err
	}
	c, err := lifecycle.Load(a.configPath)
	if err != nil || a.policies() == "" {
		return c, nil, err
	}
	p, err := policy.LoadAll(a.policies())
	return c, p, err
}

// policies are the files of the policies that hold, as a list like PATH: those that are named, and
// those that the environment has for executors.
func (a *app) policies() string {
	var all []string
	for _, list := range []string{a.env["EXECUTOR_POLICY"], a.policyPath} {
		for _, path := range filepath.SplitList(list) {
			if abs, err := filepath.Abs(path); err == nil {
				path = abs
			}
			if !slices.Contains(all, path) {
				all = append(all, path)
			}
		}
	}
	return joinList(all)
}

func joinList(paths []string) (list string) {
	for i, p := range paths {
		if i > 0 {
			list += string(filepath.ListSeparator)
		}
		list += p
	}
	return list
}

// open wires the handler. One of a dry-run writes nothing.
func (a *app) open(ctx context.Context, dry bool) (*wired, error) {
	c, p, err := a.load()
	if err != nil {
		return nil, err
	}
	backend, claims, err := a.state(ctx, c, dry)
	if err != nil {
		return nil, err
	}
	path, err := a.journalFile(c)
	if err != nil {
		return nil, err
	}
	store, err := a.journal(ctx, path, dry)
	if err != nil {
		return nil, err
	}
	run, err := a.executors(c)
	if err != nil {
		return nil, err
	}
	machine := host.Machine{}
	of := gate.Gate{
		Store: store, Policy: p, Registry: a.Registry, Provider: lifecycle.ProviderAWS, Run: run,
		Program: run.programs[lifecycle.ProviderAWS], Programs: run.others(), Now: a.Now,
		Machine: machine, Timeout: a.timeout*6/5 + 2*time.Second,
		Actor: Name, Claimant: machine.Self().String(),
	}
	h := &lifecycle.Handler{
		Configuration: c, Policy: p, Records: lifecycle.Records{Backend: backend}, Claims: claims,
		Now: a.Now, Wait: a.Wait, Log: a.log,
		Open: func(ctx context.Context, region string) (lifecycle.Cloud, error) {
			return a.Open(ctx, region, a.timeout, a.log)
		},
		Roster: func(e lifecycle.Event) lifecycle.Roster {
			return members.New(backend, e.Account, e.Region, e.Group)
		},
		Licenses: func(ctx context.Context, pool string) ([]licensemodel.License, error) {
			return licenses.NewPool(backend, pool).Known(ctx)
		},
		Doer: func(e lifecycle.Event) lifecycle.Doer {
			g := of
			g.Event = &policy.Event{Account: e.Account, Group: e.Group}
			return &lifecycle.Door{Gate: &g, Source: Name + ":" + e.Group}
		},
	}
	return &wired{Handler: h, path: path}, nil
}

// state opens where it is remembered which instances were handled.
func (a *app) state(
	ctx context.Context, c *lifecycle.Configuration, dry bool,
) (table.Backend, lifecycle.Claims, error) {
	if c.Table != "" {
		backend, err := a.OpenTable(ctx, c.Table, dry, a.env, a.log)
		return backend, lifecycle.TableClaims{Backend: backend, Name: c.Table}, err
	}
	backend, err := localtable.Open(c.Directory, dry)
	return backend, lifecycle.FileClaims{Directory: filepath.Join(c.Directory, "claims")}, err
}

// journalFile is the journal's file, or the URL of the database that it is in.
func (a *app) journalFile(c *lifecycle.Configuration) (string, error) {
	dir := cmp.Or(c.Directory, a.env["STATE_DIRECTORY"])
	if dir == "" && a.env[lambdaRuntime] != "" {
		dir = filepath.Join(os.TempDir(), Name)
	}
	switch {
	case a.journalPath != "":
		return a.journalPath, nil
	case dir == "":
		return "", usage(
			"there is no directory to keep the journal in: name its file, or its database, " +
				"with --journal or LIFECYCLED_JOURNAL",
		)
	}
	return filepath.Join(dir, "journal.db"), nil
}

// journal opens the journal. That of a dry-run drops what would be written.
func (a *app) journal(ctx context.Context, path string, dry bool) (gate.Store, error) {
	if dry {
		j, err := journal.Open(ctx, path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return gate.Rehearse(nil), nil
		case err != nil:
			return nil, err
		}
		a.atEnd = append(a.atEnd, func() { _ = j.Close() })
		return gate.Rehearse(j), nil
	}
	if !journal.OnServer(path) {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return nil, fmt.Errorf("cannot make the journal's directory: %w", err)
		}
	}
	j, err := journal.OpenOrCreate(ctx, path)
	if err != nil {
		return nil, err
	}
	a.atEnd = append(a.atEnd, func() { _ = j.Close() })
	return j, nil
}

// executors run requests by the programs of their providers, each of which is started once and
// serves them all, if it can.
type executors struct {
	programs map[string]*runner.Program
	env      []string
	timeouts map[string]time.Duration
	log      *app

	mu      sync.Mutex
	streams map[string]*runner.Stream
}

var _ gate.Runner = (*executors)(nil)

// executors finds the programs, and makes the environment that they get: where prior facts are kept
// is where the handler keeps what it knows.
func (a *app) executors(c *lifecycle.Configuration) (*executors, error) {
	env := maps.Clone(a.env)
	if c.Table != "" {
		env[executor.StateTableVariable] = c.Table
	} else {
		delete(env, executor.StateTableVariable)
		env["EXECUTOR_STATE_DIR"] = filepath.Join(c.Directory, "ledger")
	}
	longest := a.timeout
	for _, g := range c.Groups {
		if g.Appliance != nil {
			longest = max(longest, g.Appliance.Timeout)
		}
	}
	list, err := runner.Environment{
		Of: env, More: a.pluginEnv, Flag: "--plugin-env", Policies: a.policies(), Timeout: a.timeout,
		Elsewhere: map[string]string{
			"EXECUTOR_POLICY":      "name a policy with --policy; it holds beside that of the environment",
			"EXECUTOR_TIMEOUT":     "say --timeout; the executor's own comes from that",
			"EXECUTOR_STATE_TABLE": "the configuration says it, in spec.state",
			"EXECUTOR_STATE_DIR":   "the configuration says it, in spec.state",
		},
	}.List()
	if err != nil {
		return nil, usage("%v", err)
	}
	x := &executors{env: list, log: a, programs: map[string]*runner.Program{},
		streams: map[string]*runner.Stream{},
		timeouts: map[string]time.Duration{
			lifecycle.ProviderAWS: a.timeout, lifecycle.ProviderAppliance: longest}}
	for provider, name := range a.Plugins {
		x.programs[provider] = &runner.Program{Env: []string{"PATH=" + a.env["PATH"]},
			Find: func() (string, error) { return a.find(provider, name) }}
	}
	a.atEnd = append(a.atEnd, x.close)
	return x, nil
}

// find finds an executor.
func (a *app) find(provider, name string) (string, error) {
	if a.pluginPath != "" && provider == lifecycle.ProviderAWS {
		return a.pluginPath, nil
	}
	if file, found := runner.Find(name, a.pluginPath, a.env["PATH"]); found {
		return file, nil
	}
	return "", fmt.Errorf(
		"there is no %s beside %s or on PATH: put it there, or name that of EC2 with "+
			"--plugin",
		name,
		Name,
	)
}

// others are the programs of other providers than EC2.
func (x *executors) others() map[string]gate.Program {
	all := map[string]gate.Program{}
	for provider, p := range x.programs {
		if provider != lifecycle.ProviderAWS {
			all[provider] = p
		}
	}
	return all
}

// Run carries out a request by the program of its provider.
func (x *executors) Run(ctx context.Context, r protocol.Request) (protocol.Result, error) {
	program := x.programs[r.Provider]
	if program == nil {
		return protocol.Result{}, &gate.NotStarted{
			Cause: fmt.Errorf("there is no executor of the provider %s", protocol.Quote(r.Provider))}
	}
	found, err := program.Identify(ctx)
	if err != nil {
		return protocol.Result{}, &gate.NotStarted{Cause: err}
	}
	return x.runner(ctx, r.Provider, program, found).Run(ctx, r)
}

func (x *executors) runner(
	ctx context.Context, provider string, program *runner.Program, found gate.Plugin,
) gate.Runner {
	x.mu.Lock()
	defer x.mu.Unlock()
	if s := x.streams[provider]; s != nil {
		return s
	}
	timeout := x.timeouts[provider]
	env := slices.Clone(x.env)
	for i, v := range env {
		if len(v) > len(timeoutVariable) && v[:len(timeoutVariable)] == timeoutVariable {
			env[i] = timeoutVariable + (timeout * 5 / 6).String()
		}
	}
	process := runner.Process{Path: found.Path, Env: env, Timeout: timeout, Log: x.log.stderr,
		Unchanged: program.Unchanged}
	if !program.Serves(ctx) {
		return &process
	}
	s := &runner.Stream{Process: process}
	x.streams[provider] = s
	return s
}

// timeoutVariable is how an executor gets its own deadline.
const timeoutVariable = "EXECUTOR_TIMEOUT="

func (x *executors) close() {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, s := range x.streams {
		s.Close()
	}
}
