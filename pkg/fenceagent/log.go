package fenceagent

import (
	"fmt"
	"io"
	"log/slog"

	"aws-provider-executor/pkg/plugin"
	"aws-provider-executor/pkg/protocol"
)

// openLog makes the log: JSON lines on standard error, and all of them in the debug file.
func (r *run) openLog() error {
	var handlers []slog.Handler
	if !r.in.bool(optQuiet) {
		handlers = append(handlers, plugin.NewLog(r.err, r.level()).Handler())
	}
	if path := r.in.text(optDebugFile); path != "" {
		file, err := r.OpenLog(path)
		if err != nil {
			return fmt.Errorf("cannot open the debug file %s: %w", protocol.Quote(path), err)
		}
		r.closer = file
		handlers = append(handlers, plugin.NewEndlessLog(file, slog.LevelDebug).Handler())
	}
	r.untraced = slog.New(slog.NewMultiHandler(handlers...)).With("action", r.action)
	r.log = r.untraced
	return nil
}

// level is what of the log goes to standard error.
func (r *run) level() slog.Level {
	level := r.in.number(optLevel)
	switch {
	case r.in.value(optLevel) != "":
	case r.in.bool(optVerbose):
		level = max(r.in.loud, 1)
	}
	switch {
	case level > 1 || isTrue(r.in.text(optSDKDebug)):
		return slog.LevelDebug
	case level == 1:
		return slog.LevelInfo
	}
	return slog.LevelWarn
}

// closers close one after the other.
type closers []io.Closer

// Close closes all of them.
func (all closers) Close() error {
	for _, c := range all {
		if c != nil {
			_ = c.Close() // a log that can't be closed is no reason to fail
		}
	}
	return nil
}

type closeFunc func()

// Close calls the function.
func (f closeFunc) Close() error {
	f()
	return nil
}

func (r *run) close() {
	if r.closer != nil {
		_ = r.closer.Close()
	}
}
