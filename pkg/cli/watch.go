package cli

import (
	"context"
	"encoding/json"
	"time"

	"github.com/spf13/cobra"

	display "aws-provider-executor/pkg/printable"
)

// watching are the flags of a command that goes on.
type watching struct {
	on    bool
	every time.Duration
}

func (w *watching) flags(c *cobra.Command, name, doc string) {
	c.Flags().BoolVar(&w.on, name, false, doc)
	c.Flags().DurationVar(&w.every, "every", time.Second, "how often to look with --"+name)
}

func (w *watching) check() error {
	if w.every < 10*time.Millisecond {
		return usage("--every is %s, want 10ms or more", w.every)
	}
	return nil
}

// repeat looks again and again until the context ends, which is no failure: somebody has seen
// enough.
func (w *watching) repeat(ctx context.Context, look func() error) error {
	for {
		err := look()
		if err == nil {
			err = sleep(ctx, w.every)
		}
		switch {
		case err != nil && ctx.Err() != nil:
			return nil
		case err != nil:
			return err
		}
	}
}

// printFollowed writes one of the documents that follow each other: in JSON a line each.
func (a *app) printFollowed(v any) error {
	if a.format == "yaml" {
		return a.printDocument(v)
	}
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = a.stdout.Write(append(display.JSON(text), '\n'))
	return err
}
