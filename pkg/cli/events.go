package cli

import (
	"context"
	"fmt"
	"io"

	"aws-provider-executor/pkg/gate"
)

// eventColumns are those of the event log.
var eventColumns = []column{
	{name: "EVENT", whole: true}, {name: "AT", whole: true}, {name: "KIND", whole: true},
	{name: "KEY"}, {name: "ACTOR", spare: 1}, {name: "WHAT"}, {name: "HASH", wide: true},
}

func eventLine(e gate.Event) []string {
	return []string{
		fmt.Sprint(e.Seq), when(&e.At), string(e.Kind), e.Key, e.Actor, eventText(e),
		e.Hash[:min(12, len(e.Hash))],
	}
}

func (a *app) eventTable(w io.Writer, events []gate.Event) {
	lines := make([][]string, len(events))
	for i, e := range events {
		lines[i] = eventLine(e)
	}
	a.tabulateColumns(w, eventColumns, lines)
}

// follow shows events as they are written.
func (a *app) follow(
	ctx context.Context, s gate.Store, q gate.EventQuery, w watching,
) error {
	first := true
	return w.repeat(ctx, func() error {
		events, err := s.Events(ctx, q)
		if err != nil {
			return err
		}
		if a.format == "table" && (first || len(events) > 0) {
			lines := make([][]string, len(events))
			for i, e := range events {
				lines[i] = eventLine(e)
			}
			a.tabulateMore(eventColumns, lines, first)
		}
		first = false
		for _, e := range events {
			q.After = e.Seq
			if a.format == "table" {
				continue
			}
			if err := a.printFollowed(e); err != nil {
				return err
			}
		}
		return nil
	})
}
