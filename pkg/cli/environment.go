package cli

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"aws-provider-executor/pkg/gate"
	"aws-provider-executor/pkg/journal"
	"aws-provider-executor/pkg/policy"
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
	path := firstOf(a.journalPath, a.env["ACTIONCTL_JOURNAL"])
	if path == "" {
		state := a.env["XDG_STATE_HOME"]
		if !filepath.IsAbs(state) {
			if a.env["HOME"] == "" {
				return nil, usage("there is no home directory to keep the journal in: name its file with --journal or ACTIONCTL_JOURNAL")
			}
			state = filepath.Join(a.env["HOME"], ".local", "state")
		}
		path = filepath.Join(state, "actionctl", "journal.db")
	}
	return journal.Open(ctx, path)
}

// loadPolicy reads the policy that is configured; nil when none is.
func (a *app) loadPolicy() (*policy.Policy, string, error) {
	path := firstOf(a.policyPath, a.env["ACTIONCTL_POLICY"])
	if path == "" {
		return nil, "", nil
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, "", err
	}
	p, err := policy.Load(path)
	if err != nil {
		// Nothing runs by a policy that can't be read.
		return nil, "", &gate.Refusal{Reasons: []string{"nothing runs: " + err.Error()}}
	}
	return p, path, nil
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
	return g, func() { _ = j.Close() }, nil
}

// gate makes a gate without a journal.
func (a *app) gate() (*gate.Gate, error) {
	p, path, err := a.loadPolicy()
	if err != nil {
		return nil, err
	}
	env, err := a.pluginEnvironment(path)
	if err != nil {
		return nil, err
	}
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return &gate.Gate{
		Policy: p, Registry: a.Registry, Provider: a.Provider, Now: a.Now,
		Run: &plugin{app: a, env: env},
		// From the claim to the start, through the executor's deadline and its end.
		Timeout:  a.timeout*6/5 + 2e9,
		Actor:    firstOf(a.env["USER"], a.env["LOGNAME"], fmt.Sprintf("uid %d", os.Getuid())),
		Claimant: fmt.Sprintf("%s, process %d", host, os.Getpid()),
	}, nil
}

// passedOn are the variables that an executor gets when they are set: where things are, never a secret.
var passedOn = []string{
	"PATH", "EXECUTOR_STATE_DIR", "STATE_DIRECTORY", "EXECUTOR_LOG", "EXECUTOR_POLICY",
	"AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_EC2", "AWS_ENDPOINT_URL_STS", "AWS_CA_BUNDLE", "AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT",
	"AWS_EC2_METADATA_SERVICE_ENDPOINT", "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "AWS_EC2_METADATA_DISABLED",
	"AWS_PROFILE", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_ROLE_ARN", "AWS_ROLE_SESSION_NAME", "AWS_WEB_IDENTITY_TOKEN_FILE",
	"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
}

// pluginEnvironment is the whole environment of an executor.
func (a *app) pluginEnvironment(policyPath string) ([]string, error) {
	env := map[string]string{}
	for _, name := range passedOn {
		if value, ok := a.env[name]; ok {
			env[name] = value
		}
	}
	for _, setting := range a.pluginEnv {
		name, value, given := strings.Cut(setting, "=")
		switch {
		case name == "" || strings.ContainsAny(name, " \t"):
			return nil, usage("--plugin-env is %q, want NAME or NAME=VALUE", setting)
		case namesSecret(name):
			return nil, usage("--plugin-env %s: credentials do not pass through the gate; the executor finds its own, from the instance's role, a profile (AWS_PROFILE and AWS_CONFIG_FILE) or AWS_SHARED_CREDENTIALS_FILE", name)
		case given:
			env[name] = value
		default:
			if value, ok := a.env[name]; ok {
				env[name] = value
			}
		}
	}
	env["EXECUTOR_TIMEOUT"] = (a.timeout * 5 / 6).String()
	if policyPath != "" {
		env["EXECUTOR_POLICY"] = policyPath
	}
	all := make([]string, 0, len(env))
	for name, value := range env {
		all = append(all, name+"="+value)
	}
	slices.Sort(all)
	return all, nil
}

// namesSecret tells a variable that holds a secret itself from one that says where there is one.
func namesSecret(name string) bool {
	name = strings.ToUpper(name)
	if strings.HasSuffix(name, "_FILE") || strings.HasSuffix(name, "_URI") {
		return false
	}
	return slices.ContainsFunc([]string{"ACCESS_KEY", "SECRET", "TOKEN", "PASSWORD", "CREDENTIAL"}, func(w string) bool { return strings.Contains(name, w) })
}

// findPlugin finds the executor.
func (a *app) findPlugin() (string, error) {
	if a.pluginPath != "" {
		return a.pluginPath, nil
	}
	if own, err := os.Executable(); err == nil {
		if own, err = filepath.EvalSymlinks(own); err == nil {
			beside := filepath.Join(filepath.Dir(own), a.Plugin)
			if info, err := os.Stat(beside); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
				return beside, nil
			}
		}
	}
	for _, dir := range filepath.SplitList(a.env["PATH"]) {
		if !filepath.IsAbs(dir) {
			continue
		}
		if path, err := exec.LookPath(filepath.Join(dir, a.Plugin)); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("there is no %s beside actionctl or on PATH: name it with --plugin", a.Plugin)
}
