package program

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"sync"

	"github.com/spf13/cobra"

	"aws-provider-executor/pkg/commands"
	"aws-provider-executor/pkg/lifecycle"
	"aws-provider-executor/pkg/nodes/events"
)

// maxInput is the longest event that is read from standard input.
const maxInput = 1 << 20

// handle handles one event.
func (a *app) handle() *cobra.Command {
	dry := false
	c := &cobra.Command{
		Use:   "handle",
		Short: "handle one event from standard input",
		Long: `handle reads one event from standard input, in any of its forms, handles it, and prints
what became of it. With --dry-run it prints all that it would do, and changes nothing.`,
		Example: `  lifecycled handle --dry-run < event.json
  lifecycled handle < event.json`,
		Args: commands.NoArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			data, err := io.ReadAll(io.LimitReader(a.stdin, maxInput+1))
			if err != nil {
				return fmt.Errorf("cannot read the event: %w", err)
			}
			e, err := lifecycle.Parse(data)
			if err != nil {
				return fmt.Errorf("the event is not understood: %w", err)
			}
			h, err := a.open(c.Context(), dry)
			if err != nil {
				return err
			}
			result := h.do(c.Context(), e, dry)
			if err := a.print(result); err != nil {
				return err
			}
			return codeOf(result)
		},
	}
	c.Flags().BoolVar(&dry, "dry-run", false, "print all that would be done, and change nothing")
	return c
}

func (w *wired) do(ctx context.Context, e lifecycle.Event, dry bool) lifecycle.Result {
	if dry {
		return w.Rehearse(ctx, e)
	}
	return w.Handle(ctx, e)
}

func (a *app) print(r lifecycle.Result) error {
	data, err := json.Marshal(r)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.stdout, "%s\n", data)
	return err
}

// codeOf is how the program ends by what became of an event.
func codeOf(r lifecycle.Result) error {
	switch {
	case r.Outcome == lifecycle.Refused:
		return exit(ExitRefused)
	case !r.Well():
		return exit(ExitNotWell)
	}
	return nil
}

// watch handles the events of a queue.
func (a *app) watch() *cobra.Command {
	var url string
	parallel := 0
	c := &cobra.Command{
		Use: "watch", Short: "handle the events of a queue until it is stopped",
		Long: `watch takes events from a queue of SQS, handles each, and prints what became of it. A
message is deleted once its event was handled, and never before: what is for somebody else, is not
understood or can't be handled now stays in the queue, whose own rules say what becomes of it.`,
		Example: `  lifecycled watch --queue https://sqs.eu-west-1.amazonaws.com/111122223333/edge`,
		Args:    commands.NoArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			if url == "" {
				return usage("--queue (the queue's URL) is required; see %s --help", c.CommandPath())
			}
			if parallel < 1 || parallel > 100 {
				return usage("--parallel is %d, want from 1 to 100", parallel)
			}
			h, err := a.open(c.Context(), false)
			if err != nil {
				return err
			}
			q, err := a.OpenQueue(c.Context(), url, a.log)
			if err != nil {
				return err
			}
			w := &watcher{app: a, handler: h, queue: q, slots: make(chan struct{}, parallel)}
			w.run(c.Context())
			return nil
		},
	}
	c.Flags().
		StringVar(&url, "queue", a.env["LIFECYCLED_QUEUE"], "the queue's `URL` (LIFECYCLED_QUEUE)")
	c.Flags().IntVar(&parallel, "parallel", 10, "how many events are handled at once")
	return c
}

// watcher handles the events of a queue.
type watcher struct {
	*app
	handler *wired
	queue   events.Queue
	slots   chan struct{}
	wait    sync.WaitGroup
	mu      sync.Mutex
}

// run takes messages until the context ends, and waits for what is under way.
func (w *watcher) run(ctx context.Context) {
	defer w.wait.Wait()
	pause := firstPause
	for ctx.Err() == nil {
		messages, err := w.queue.Receive(ctx)
		if err != nil {
			if ctx.Err() == nil {
				w.log.Error("cannot take messages", "error", err.Error())
				_ = w.Wait(ctx, pause)
			}
			pause = min(2*pause, lastPause)
			continue
		}
		pause = firstPause
		for _, m := range messages {
			select {
			case w.slots <- struct{}{}:
				w.wait.Go(func() {
					defer func() { <-w.slots }()
					w.take(ctx, m)
				})
			case <-ctx.Done():
				// It comes again.
			}
		}
	}
}

// take handles one message, and deletes it last.
func (w *watcher) take(ctx context.Context, m events.Message) {
	e, err := lifecycle.Parse([]byte(m.Body))
	if err != nil {
		w.log.Warn("a message is not understood, and left", "message", m.ID, "reason", err.Error())
		return
	}
	result := w.handler.Handle(ctx, e)
	w.mu.Lock()
	if err := w.print(result); err != nil {
		w.log.Error("cannot print", "error", err.Error())
	}
	w.mu.Unlock()
	if !result.Handled() {
		w.log.Warn("a message is left", "message", m.ID, "outcome", string(result.Outcome),
			"reason", result.Reason)
		return
	}
	if err := w.queue.Delete(context.WithoutCancel(ctx), []string{m.Receipt}); err != nil {
		w.log.Error("a message that was handled can't be deleted, and comes again", "message", m.ID,
			"error", err.Error())
	}
}
