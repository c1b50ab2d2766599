// Package plugin is what all plugins of a core have in common as processes. They end in time, and
// their logs stay below what a core bears. All of them read the same variables.
package plugin

import (
	"io"
	"log/slog"
	"strings"
	"time"
	"unicode"

	"aws-provider-executor/pkg/protocol"
)

const (
	defaultTimeout = 25 * time.Second
	minTimeout     = 100 * time.Millisecond
	maxTimeout     = time.Hour
	// margin is kept to write the answer.
	margin = 500 * time.Millisecond
)

// Settings are what the environment says to any plugin.
type Settings struct {
	// Timeout is the time for the answer, counted from the start.
	Timeout  time.Duration
	LogLevel slog.Level
}

// Parse reads EXECUTOR_TIMEOUT and EXECUTOR_LOG, and names what is wrong with them.
func Parse(env map[string]string) (Settings, []string) {
	s := Settings{Timeout: defaultTimeout, LogLevel: slog.LevelWarn}
	var faults []string
	if text := env["EXECUTOR_TIMEOUT"]; text != "" {
		d, err := time.ParseDuration(text)
		if err != nil || d < minTimeout || d > maxTimeout {
			faults = append(faults,
				"EXECUTOR_TIMEOUT is "+protocol.Quote(text)+", want a Go duration from "+minTimeout.String()+
					" to "+maxTimeout.String()+", as in 25s")
		} else {
			s.Timeout = d
		}
	}
	switch text := env["EXECUTOR_LOG"]; text {
	case "", "warn", "warning":
	case "error", "info", "debug":
		_ = s.LogLevel.UnmarshalText([]byte(text))
	default:
		faults = append(faults,
			"EXECUTOR_LOG is "+protocol.Quote(text)+", want error, warn, info or debug")
	}
	return s, faults
}

// Margin is the part of a timeout that is kept to write the answer.
func Margin(timeout time.Duration) time.Duration { return min(margin, timeout/20) }

// NewLog makes a log of JSON lines that stays below what a core bears. The levels are ERROR,
// WARNING, INFO and DEBUG. A value has at most maxLogValue bytes, and no character in it that a
// terminal would obey.
func NewLog(to io.Writer, level slog.Level) *slog.Logger {
	return NewEndlessLog(&boundedLog{to: to, left: maxLogBytes}, level)
}

// NewEndlessLog makes such a log for a program that keeps running, and whose stderr nobody bounds.
func NewEndlessLog(to io.Writer, level slog.Level) *slog.Logger {
	return slog.New(slog.NewJSONHandler(to, &slog.HandlerOptions{Level: level, ReplaceAttr: fit}))
}

// maxLogValue leaves room for other lines beside one that is long. A stack of a panic fits.
const maxLogValue = 8 << 10

// fit makes an attribute fit to be logged.
func fit(_ []string, a slog.Attr) slog.Attr {
	text := ""
	switch v := a.Value.Any().(type) {
	case slog.Level:
		if v == slog.LevelWarn {
			a.Value = slog.StringValue("WARNING")
		}
		return a
	case string:
		text = v
	case error:
		text = v.Error()
	default:
		return a
	}
	if len(text) > maxLogValue {
		text = strings.ToValidUTF8(text[:maxLogValue], "") + "…"
	}
	a.Value = slog.StringValue(strings.Map(printed, text))
	return a
}

// printed is what is logged in place of a character. JSON escapes the control characters below a
// blank; a terminal obeys others, too.
func printed(r rune) rune {
	if r < ' ' || unicode.IsPrint(r) {
		return r
	}
	return '?'
}
