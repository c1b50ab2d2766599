package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"aws-provider-executor/pkg/gate"
	"aws-provider-executor/pkg/host"
	"aws-provider-executor/pkg/journal"
	"aws-provider-executor/pkg/nodes/sshcommand"
	"aws-provider-executor/pkg/policy"
	"aws-provider-executor/pkg/runner"
)

func parseEnviron(environ []string) map[string]string {
	env := map[string]string{}
	for _, e := range environ {
		name, value, _ := strings.Cut(e, "=")
		env[name] = value
	}
	return env
}

func firstOf(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

// openJournal opens the journal that is configured.
func (a *app) openJournal(ctx context.Context) (*journal.Journal, error) {
	path, err := a.journalFile()
	if err != nil {
		return nil, err
	}
	return journal.Open(ctx, path)
}

// journalFile is the journal's file, or the URL of the database that it is in.
func (a *app) journalFile() (string, error) {
	if path := firstOf(a.journalPath, a.env["ACTIONCTL_JOURNAL"]); path != "" {
		return path, nil
	}
	dir, err := a.stateDir()
	return filepath.Join(dir, "journal.db"), err
}

// besideJournal is where other things of the gate are kept: the directory of the journal's file,
// and where the journal is on a server, the one in which it would be.
func (a *app) besideJournal() (string, error) {
	path, err := a.journalFile()
	if err != nil || !journal.OnServer(path) {
		return filepath.Dir(path), err
	}
	return a.stateDir()
}

// mayBeThere reports whether a journal is worth opening. Of one on a server nobody knows before.
func mayBeThere(path string) bool {
	_, err := os.Stat(path)
	return err == nil || journal.OnServer(path)
}

// stateDir is the directory for the state of the gate: that which systemd gives a unit, else the
// user's.
func (a *app) stateDir() (string, error) {
	if dir := givenDir(a.env["STATE_DIRECTORY"]); dir != "" {
		return dir, nil
	}
	state := a.env["XDG_STATE_HOME"]
	if !filepath.IsAbs(state) {
		if a.env["HOME"] == "" {
			return "", usage(
				"there is no home directory to keep the journal in: name its file with --journal or " +
					"ACTIONCTL_JOURNAL",
			)
		}
		state = filepath.Join(a.env["HOME"], ".local", "state")
	}
	return filepath.Join(state, "actionctl"), nil
}

// givenDir is the one named actionctl of the directories that systemd gives a unit, else the first.
func givenDir(all string) string {
	dirs := filepath.SplitList(all)
	for _, dir := range dirs {
		if filepath.Base(dir) == "actionctl" {
			return dir
		}
	}
	return firstOf(dirs...)
}

// policyFile is the policy that is named here; empty when none is.
func (a *app) policyFile() string { return firstOf(a.policyPath, a.env["ACTIONCTL_POLICY"]) }

// loadPolicy reads the policy that is named, nil when none is, and lists the files that the
// executor gets. A policy that the environment has for the executor already holds beside the one
// that is named, here and there: naming one never allows more.
func (a *app) loadPolicy() (p *policy.Policy, files string, err error) {
	files = a.env["EXECUTOR_POLICY"]
	own := a.policyFile()
	if own == "" {
		return nil, files, nil
	}
	if own, err = filepath.Abs(own); err != nil {
		return nil, "", err
	}
	if strings.ContainsRune(own, filepath.ListSeparator) {
		return nil, "", usage(
			"the path of the policy %s has a %c in it, which separates policies",
			own,
			filepath.ListSeparator,
		)
	}
	if all := filepath.SplitList(files); !slices.Contains(all, own) {
		files = strings.Join(append(all, own), string(filepath.ListSeparator))
	}
	if p, err = policy.LoadAll(files); err != nil {
		// Nothing runs by a policy that can't be read.
		return nil, "", &gate.Refusal{Reasons: strings.Split("nothing runs: "+err.Error(), "\n")}
	}
	return p, files, nil
}

// openGate opens the gate on the journal and the policy that are configured.
func (a *app) openGate(ctx context.Context) (*gate.Gate, func(), error) {
	g, err := a.gate()
	if err != nil {
		return nil, nil, err
	}
	j, err := a.openJournal(ctx)
	if err != nil {
		return nil, nil, err
	}
	g.Store = j
	g.Run.(*plugin).tellPlan = true
	g.Names = a.namer()
	return g, func() { _ = j.Close() }, nil
}

// refused ends a command that a policy which can't be read refused. For each action that is named,
// the journal gets the denial. Where none is named (--all, import, run) it does not: the refusal is
// about a file then, and would fill the log with what concerns no action; nor is a journal made for
// it.
func (a *app) refused(ctx context.Context, refusal error, what string, names []string) error {
	var r *gate.Refusal
	path, err := a.journalFile()
	if !errors.As(refusal, &r) || err != nil || len(names) == 0 {
		return refusal
	}
	if !mayBeThere(path) {
		return refusal
	}
	j, err := a.openJournal(ctx)
	if errors.Is(err, fs.ErrNotExist) {
		return refusal
	}
	if err != nil {
		return errors.Join(refusal, err)
	}
	defer j.Close()
	ids, err := findAll(ctx, j, names)
	if err != nil {
		return errors.Join(refusal, err)
	}
	g := a.newGate(nil, nil)
	g.Store = j
	var reasons policy.Denial
	for _, text := range r.Reasons {
		reasons = append(reasons, policy.Reason{Field: "policy", Text: text})
	}
	outcomes, err := g.Deny(ctx, ids, what, reasons)
	return a.report(outcomes, false, err)
}

// gate makes a gate without a journal.
func (a *app) gate() (*gate.Gate, error) {
	p, files, err := a.loadPolicy()
	if err != nil {
		return nil, err
	}
	env, err := a.pluginEnvironment(files)
	if err != nil {
		return nil, err
	}
	return a.newGate(p, env), nil
}

func (a *app) newGate(p *policy.Policy, env []string) *gate.Gate {
	machine := host.Machine{}
	run := &plugin{app: a, env: env, program: a.newExecutable(a.Plugin),
		others: map[string]*executable{}}
	programs := map[string]gate.Program{sshcommand.Provider: a.ownProgram()}
	for provider, name := range a.Plugins {
		x := a.newExecutable(name)
		run.others[provider], programs[provider] = x, x
	}
	return &gate.Gate{
		Policy: p, Registry: a.Registry, Provider: a.Provider, Now: a.Now, Machine: machine,
		Run: run, Program: run.program, Programs: programs,
		// From the claim to the start, through the executor's deadline and its end.
		Timeout:    a.timeout*6/5 + 2e9,
		Selections: &gate.SelectionCache{},
		Actor:      operator(),
		Claimant:   machine.Self().String(),
	}
}

// operator is the operating system's user: no variable says who somebody is.
func operator() string {
	uid := strconv.Itoa(os.Getuid())
	if u, err := user.LookupId(uid); err == nil && u.Username != "" {
		return u.Username
	}
	return "uid " + uid
}

// saidElsewhere says how what --plugin-env does not pass on is said.
var saidElsewhere = map[string]string{
	"EXECUTOR_POLICY":  "name a policy with --policy; it holds beside that of the environment",
	"EXECUTOR_TIMEOUT": "say --timeout; the executor's own comes from that",
}

// pluginEnvironment is the whole environment of an executor that enforces the policies in these
// files.
func (a *app) pluginEnvironment(policyFiles string) ([]string, error) {
	list, err := runner.Environment{
		Of: a.env, More: a.pluginEnv, Flag: "--plugin-env", Elsewhere: saidElsewhere,
		Policies: policyFiles, Timeout: a.timeout,
	}.List()
	if err != nil {
		return nil, usage("%v", err)
	}
	return list, nil
}

// findPlugin finds an executor by its file name. The one of the gate's own provider is what
// --plugin names; others are looked for beside that first.
func (a *app) findPlugin(name string) (string, error) {
	if a.pluginPath != "" && name == a.Plugin {
		return a.pluginPath, nil
	}
	if file, found := runner.Find(name, a.pluginPath, a.env["PATH"]); found {
		return file, nil
	}
	advice := "name it with --plugin"
	if name != a.Plugin {
		advice = "put it there, or beside the executor that --plugin names"
	}
	return "", fmt.Errorf("there is no %s beside actionctl or on PATH: %s", name, advice)
}
