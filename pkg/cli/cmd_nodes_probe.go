package cli

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/spf13/cobra"

	"aws-provider-executor/pkg/nodes"
	"aws-provider-executor/pkg/nodes/probe"
	"aws-provider-executor/pkg/nodes/store"
)

// probeRow is what a probe came to.
type probeRow struct {
	ID      string       `json:"id"`
	Name    string       `json:"name"`
	State   nodes.State  `json:"state"`
	Status  nodes.Status `json:"status"`
	Reached bool         `json:"reached"`
	Says    string       `json:"says,omitempty"`
}

func rowOfProbe(x *nodes.Node, p nodes.Probe) probeRow {
	return probeRow{ID: x.ID, Name: x.Name, State: x.State, Status: x.Status, Reached: p.Reached,
		Says: firstOf(p.Reason, p.Note)}
}

// prober reads keys when it uses them.
func (n *nodeCommands) prober() probe.Prober {
	p := probe.Prober{Now: n.Now}
	if n.ReadSecret != nil {
		p.Secret = func(ctx context.Context, ref nodes.SecretRef) (string, error) {
			return n.ReadSecret(ctx, ref, n.log)
		}
	}
	return p
}

func (n *nodeCommands) probe() *cobra.Command {
	var due time.Duration
	p := n.prober()
	c := &cobra.Command{
		Use:   "probe [NODE...]",
		Short: "find out if manual nodes answer",
		Long: `probe tries to reach manual nodes by TCP or SSH, as they were added. Without a NODE those
are probed that are due: not probed for --due, and neither stopped nor terminated. A node that
answers runs and is reachable. One that does not is unreachable; its state stays. It ends with 1
where one did not answer.`,
		Example: `  actionctl nodes probe
  actionctl nodes probe rack4-10.0.0.9 --probe-timeout 2s`,
		RunE: func(c *cobra.Command, args []string) error {
			if p.Timeout <= 0 || p.AtOnce < 1 || due < 0 {
				return usage("--probe-timeout and --at-once are more than 0, and --due is 0 or more")
			}
			s, err := n.openNodes(c.Context(), false)
			if err != nil {
				return err
			}
			defer s.Close()
			all, err := n.toProbe(c.Context(), s, args, due)
			if err != nil {
				return err
			}
			rows, err := probed(c.Context(), s, &p, all)
			if err != nil {
				return err
			}
			if err := n.print(rows, func(w io.Writer) { n.probeTable(w, rows) }); err != nil {
				return err
			}
			for _, r := range rows {
				if !r.Reached {
					return exit(ExitFailed)
				}
			}
			return nil
		},
		ValidArgsFunction: n.completeNodes,
	}
	c.Flags().DurationVar(&due, "due", 24*time.Hour, "how long after a probe the next one is due")
	c.Flags().DurationVar(&p.Timeout, "probe-timeout", 10*time.Second, "how long one probe may take")
	c.Flags().IntVar(&p.AtOnce, "at-once", 16, "how many nodes are probed at once")
	return c
}

// toProbe are the nodes that are named, or those that are due.
func (n *nodeCommands) toProbe(
	ctx context.Context, s *store.Store, names []string, due time.Duration,
) ([]*nodes.Node, error) {
	if len(names) == 0 {
		return s.Due(ctx, n.Now().Add(-due))
	}
	var all []*nodes.Node
	var errs []error
	for _, name := range names {
		x, err := s.Find(ctx, name)
		switch {
		case err != nil:
			errs = append(errs, err)
		case x.Target == nil:
			errs = append(errs, usage("%s is no manual node: its cloud says how it is", printable(name)))
		default:
			all = append(all, x)
		}
	}
	return all, errors.Join(errs...)
}

// probed probes nodes, and takes over what came of each as soon as it is known.
func probed(
	ctx context.Context, s *store.Store, p *probe.Prober, all []*nodes.Node,
) ([]probeRow, error) {
	rows := []probeRow{}
	var errs []error
	p.All(ctx, all, func(result nodes.Probe) {
		if ctx.Err() != nil {
			// What was interrupted says nothing of the node.
			return
		}
		x, err := s.ApplyProbe(ctx, result)
		if err != nil {
			errs = append(errs, err)
			return
		}
		rows = append(rows, rowOfProbe(x, result))
	})
	return rows, errors.Join(append(errs, context.Cause(ctx))...)
}

func (n *nodeCommands) probeTable(w io.Writer, rows []probeRow) {
	lines := make([][]string, len(rows))
	for i, r := range rows {
		lines[i] = []string{r.ID, r.Name, string(r.State), string(r.Status), r.Says}
	}
	n.tabulate(w, []string{"ID", "NAME", "STATE", "STATUS", "SAYS"}, lines)
	if len(rows) == 0 {
		n.hint("no manual node is due")
	}
}
