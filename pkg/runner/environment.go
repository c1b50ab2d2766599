package runner

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"aws-provider-executor/pkg/executor"
)

// passedOn are the variables that an executor gets when they are set: where things are, never a
// secret.
var passedOn = []string{
	"PATH", "EXECUTOR_STATE_DIR", "EXECUTOR_STATE_TABLE", "STATE_DIRECTORY", "EXECUTOR_LOG",
	"EXECUTOR_METRICS_DIR", "EXECUTOR_OBSERVE_CALLS", "EXECUTOR_JOIN", "TRACEPARENT",
	"AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_EC2", "AWS_ENDPOINT_URL_STS",
	"AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL_SSM", "AWS_ENDPOINT_URL_AUTO_SCALING",
	"AWS_CA_BUNDLE",
	"AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT",
	"AWS_EC2_METADATA_SERVICE_ENDPOINT", "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE",
	"AWS_EC2_METADATA_DISABLED",
	"AWS_PROFILE", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_ROLE_ARN",
	"AWS_ROLE_SESSION_NAME", "AWS_WEB_IDENTITY_TOKEN_FILE",
	"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI",
	"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "AWS_ENDPOINT_URL_SECRETS_MANAGER",
	"APPLIANCE_CA_FILE", "APPLIANCE_TEMPLATE_DIR", "APPLIANCE_HOOK",
}

// Environment makes the whole environment of an executor.
type Environment struct {
	// Of is the environment of the program that starts it.
	Of map[string]string
	// More are further variables that it gets: NAME or NAME=VALUE. Flag is how people give them.
	More []string
	Flag string
	// Elsewhere says how what More must not have is said, by the names of variables.
	Elsewhere map[string]string
	// Policies are the files of the policies that it enforces, as a list like PATH.
	Policies string
	// Timeout is when it is killed.
	Timeout time.Duration
}

// List is the environment as a process gets it. It has no secret: an executor finds its credentials
// by itself.
func (e Environment) List() ([]string, error) {
	env := map[string]string{}
	for _, name := range passedOn {
		if value, ok := e.Of[name]; ok {
			env[name] = value
		}
	}
	if env[executor.StateTableVariable] != "" && e.Of["AWS_REGION"] != "" {
		// A table that is named by its name alone is in this region.
		env["AWS_REGION"] = e.Of["AWS_REGION"]
	}
	for _, setting := range e.More {
		name, value, given := strings.Cut(setting, "=")
		switch {
		case name == "" || strings.ContainsAny(name, " \t"):
			return nil, fmt.Errorf("%s is %q, want NAME or NAME=VALUE", e.Flag, setting)
		case e.Elsewhere[name] != "":
			return nil, fmt.Errorf("%s %s: %s", e.Flag, name, e.Elsewhere[name])
		case namesSecret(name):
			return nil, fmt.Errorf(
				"%s %s: credentials do not pass through the gate; the executor finds its own, "+
					"from the instance's role, a profile (AWS_PROFILE and AWS_CONFIG_FILE) or "+
					"AWS_SHARED_CREDENTIALS_FILE",
				e.Flag, name,
			)
		case given:
			env[name] = value
		default:
			if value, ok := e.Of[name]; ok {
				env[name] = value
			}
		}
	}
	env["EXECUTOR_TIMEOUT"] = (e.Timeout * 5 / 6).String()
	if e.Policies != "" {
		env["EXECUTOR_POLICY"] = e.Policies
	}
	var all []string
	for _, name := range slices.Sorted(maps.Keys(env)) {
		if hasUserinfo(env[name]) {
			return nil, fmt.Errorf(
				"%s is a URL with a user or a password in it: credentials do not pass through the gate; "+
					"take them out",
				name,
			)
		}
		all = append(all, name+"="+env[name])
	}
	return all, nil
}

// hasUserinfo tells a URL that has somebody's credentials before its host, however badly it is
// formed otherwise.
func hasUserinfo(value string) bool {
	_, rest, _ := strings.Cut(value, "://")
	if end := strings.IndexAny(rest, "/?#"); end >= 0 {
		rest = rest[:end]
	}
	return strings.Contains(rest, "@")
}

// namesSecret tells a variable that holds a secret itself from one that says where there is one.
func namesSecret(name string) bool {
	name = strings.ToUpper(name)
	if strings.HasSuffix(name, "_FILE") || strings.HasSuffix(name, "_URI") {
		return false
	}
	return slices.ContainsFunc(
		[]string{"ACCESS_KEY", "SECRET", "TOKEN", "PASSWORD", "CREDENTIAL"},
		func(w string) bool { return strings.Contains(name, w) },
	)
}

// Find finds an executor by its file name: beside another one, unless that is empty, then beside
// the program that runs, then on a PATH. It reports whether there is one.
func Find(name, beside, path string) (file string, found bool) {
	others := []string{beside}
	if own, err := os.Executable(); err == nil {
		if own, err = filepath.EvalSymlinks(own); err == nil {
			others = append(others, own)
		}
	}
	for _, other := range others {
		if file := filepath.Join(filepath.Dir(other), name); other != "" && isProgram(file) {
			return file, true
		}
	}
	for _, dir := range filepath.SplitList(path) {
		if !filepath.IsAbs(dir) {
			continue
		}
		if file, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return file, true
		}
	}
	return "", false
}

// isProgram reports whether a path is that of a file that can be run.
func isProgram(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}
