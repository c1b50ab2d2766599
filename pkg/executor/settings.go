package executor

import (
	"cmp"
	"path/filepath"
	"strings"
	"time"

	"aws-provider-executor/pkg/plugin"
	"aws-provider-executor/pkg/protocol"
)

const (
	defaultStateDir = "/var/lib/aws-provider-executor"
	// StateTableVariable names a table in which machines share prior facts.
	StateTableVariable = "EXECUTOR_STATE_TABLE"
	// noState as EXECUTOR_STATE_DIR keeps no prior facts.
	noState = "none"
)

// settings are what the environment says.
type settings struct {
	plugin.Settings
	stateDir, policy string
	// stateTable, when not empty, names a table that machines share, in place of the directory.
	stateTable string
	// deadline, when not zero, is a time at which the caller will have given up: nothing is begun
	// after it.
	deadline time.Time
	// join lets one call be made for several requests of a stream.
	join bool
	// observePlan has results tell the plan.
	observePlan bool
	// arrived is when the request was there, if that is not now.
	arrived time.Time
	// observeCalls has results tell the calls that were sent.
	observeCalls bool
}

// left is the time for the answer.
func (s settings) left(now time.Time) time.Duration {
	left := s.Timeout
	if !s.arrived.IsZero() {
		left -= now.Sub(s.arrived)
	}
	if s.deadline.IsZero() {
		return left
	}
	return min(left, s.deadline.Sub(now))
}

// parseSettings reads the environment and names everything wrong with it.
func parseSettings(call plugin.Call) (settings, []string) {
	env, faults := call.Env, call.Faults
	s := settings{
		Settings: call.Settings, arrived: call.Arrived,
		stateDir: stateDir(env), policy: env["EXECUTOR_POLICY"], stateTable: env[StateTableVariable],
	}
	if s.stateTable != "" && env["EXECUTOR_STATE_DIR"] != "" {
		faults = append(faults, "EXECUTOR_STATE_DIR and "+StateTableVariable+
			" both say where prior facts are kept; name one")
	}
	if s.stateDir != noState && !filepath.IsAbs(s.stateDir) {
		faults = append(faults, "EXECUTOR_STATE_DIR is "+protocol.Quote(s.stateDir)+
			", want an absolute path, or "+noState)
	}
	boolean := func(name string, unset bool) bool {
		switch text := env[name]; text {
		case "true":
			return true
		case "":
			return unset
		case "false":
		default:
			faults = append(faults, name+" is "+protocol.Quote(text)+", want true or false")
		}
		return false
	}
	if text := env["EXECUTOR_DEADLINE"]; text != "" {
		var err error
		if s.deadline, err = time.Parse(time.RFC3339, text); err != nil {
			faults = append(faults,
				"EXECUTOR_DEADLINE is "+protocol.Quote(text)+", want a time as in 2026-01-02T15:04:05.5Z")
		}
	}
	s.observePlan = boolean("EXECUTOR_OBSERVE_PLAN", false)
	s.observeCalls = boolean("EXECUTOR_OBSERVE_CALLS", false)
	s.join = boolean("EXECUTOR_JOIN", true)
	return s, faults
}

// StateDir is the directory that an environment says the ledger is in, and whether one is kept.
// None is where a table is shared.
func StateDir(env map[string]string) (dir string, kept bool) {
	dir = stateDir(env)
	return dir, dir != noState && env[StateTableVariable] == ""
}

func stateDir(env map[string]string) string {
	if dir := env["EXECUTOR_STATE_DIR"]; dir != "" {
		return dir
	}
	// systemd gives several, colon-separated, when a unit asks for several. It sorts them by their
	// names, whatever their order in the unit.
	first, _, several := strings.Cut(env["STATE_DIRECTORY"], ":")
	if several {
		for dir := range strings.SplitSeq(env["STATE_DIRECTORY"], ":") {
			if filepath.Base(dir) == filepath.Base(defaultStateDir) {
				return dir
			}
		}
	}
	return cmp.Or(first, defaultStateDir)
}
