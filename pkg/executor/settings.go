package executor

import (
	"log/slog"
	"path/filepath"
	"strings"
	"time"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/protocol"
)

const (
	defaultStateDir = "/var/lib/aws-provider-executor"
	// noState as EXECUTOR_STATE_DIR keeps no prior facts.
	noState        = "none"
	defaultTimeout = 25 * time.Second
	minTimeout     = 100 * time.Millisecond
	maxTimeout     = time.Hour
)

// settings are what the environment says.
type settings struct {
	stateDir, policy string
	timeout          time.Duration
	logLevel         slog.Level
}

// parseSettings reads the environment and names everything wrong with it.
func parseSettings(environ []string) (settings, []string) {
	env := map[string]string{}
	for _, e := range environ {
		name, value, _ := strings.Cut(e, "=")
		env[name] = value
	}
	var faults []string
	s := settings{stateDir: stateDir(env), policy: env["EXECUTOR_POLICY"], timeout: defaultTimeout, logLevel: slog.LevelWarn}
	if s.stateDir != noState && !filepath.IsAbs(s.stateDir) {
		faults = append(faults, "EXECUTOR_STATE_DIR is "+protocol.Quote(s.stateDir)+", want an absolute path or none")
	}
	if text := env["EXECUTOR_TIMEOUT"]; text != "" {
		d, err := time.ParseDuration(text)
		if err != nil || d < minTimeout || d > maxTimeout {
			faults = append(faults, "EXECUTOR_TIMEOUT is "+protocol.Quote(text)+", want a Go duration from "+minTimeout.String()+" to "+maxTimeout.String()+", as in 25s")
		} else {
			s.timeout = d
		}
	}
	switch text := env["EXECUTOR_LOG"]; text {
	case "", "warn":
	case "error", "info", "debug":
		_ = s.logLevel.UnmarshalText([]byte(text))
	default:
		faults = append(faults, "EXECUTOR_LOG is "+protocol.Quote(text)+", want error, warn, info or debug")
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
