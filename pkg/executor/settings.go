package executor

import (
	"path/filepath"
	"strings"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/plugin"
	"aws-provider-executor/pkg/protocol"
)

const (
	defaultStateDir = "/var/lib/aws-provider-executor"
	// noState as EXECUTOR_STATE_DIR keeps no prior facts.
	noState = "none"
)

// settings are what the environment says.
type settings struct {
	plugin.Settings
	stateDir, policy string
}

// parseSettings reads the environment and names everything wrong with it.
func parseSettings(environ []string) (settings, []string) {
	env := map[string]string{}
	for _, e := range environ {
		name, value, _ := strings.Cut(e, "=")
		env[name] = value
	}
	common, faults := plugin.Parse(env)
	s := settings{Settings: common, stateDir: stateDir(env), policy: env["EXECUTOR_POLICY"]}
	if s.stateDir != noState && !filepath.IsAbs(s.stateDir) {
		faults = append(faults, "EXECUTOR_STATE_DIR is "+protocol.Quote(s.stateDir)+", want an absolute path or none")
	}
	return s, faults
}

func stateDir(env map[string]string) string {
	if dir := env["EXECUTOR_STATE_DIR"]; dir != "" {
		return dir
	}
	// systemd gives several, colon-separated, when a unit asks for several.
	if dir, _, _ := strings.Cut(env["STATE_DIRECTORY"], ":"); dir != "" {
		return dir
	}
	return defaultStateDir
}

// refuse answers every request of an executor whose environment is not right.
func (s settings) refuse(faults []string) error {
	if len(faults) == 0 {
		return nil
	}
	return action.Refuse(protocol.Denied, "the executor's environment is not right: %s; nothing was changed", strings.Join(faults, "; "))
}
