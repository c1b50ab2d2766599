package program

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"aws-provider-executor/pkg/commands"
	"aws-provider-executor/pkg/gate"
	"aws-provider-executor/pkg/lifecycle"
	"aws-provider-executor/pkg/lifecycle/sweep"
)

// sweep finds what launches and terminates left behind.
func (a *app) sweep() *cobra.Command {
	dry, asJSON, quiet := false, false, sweep.DefaultQuiet
	c := &cobra.Command{
		Use: "sweep", Short: "take away what launches and terminates left behind",
		Long: `sweep looks for interfaces and Elastic IPs of this program that are attached to nothing,
members whose instance is gone, instances that wait at a lifecycle hook, and launches that nobody
finishes. What it finds it notes in the table. What it noted before, --quiet ago or earlier, and
finds as it was, it has taken away: by the handler, as if the event had come that was lost, and by
actions that the gate lets through. What can't be read is never taken for absent: then nothing is
swept in that region. With --dry-run it prints what it would do, and notes nothing.`,
		Example: `  lifecycled sweep --dry-run
  lifecycled sweep --json`,
		Args: commands.NoArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			if quiet < time.Minute {
				return usage("--quiet is %s, want 1m or longer", quiet)
			}
			h, err := a.open(c.Context(), dry)
			if err != nil {
				return err
			}
			r := a.sweeper(h, quiet).Sweep(c.Context(), dry)
			if asJSON {
				err = r.JSON(a.stdout)
			} else {
				err = r.Text(a.stdout)
			}
			if err == nil && !r.Well() {
				err = exit(ExitNotWell)
			}
			return err
		},
	}
	c.Flags().BoolVar(&dry, "dry-run", false, "print what would be done, and change and note nothing")
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON document in place of a table")
	c.Flags().DurationVar(&quiet, "quiet", quiet, "for how long what is found has to stand")
	return c
}

// sweeper makes a sweeper of what handles events.
func (a *app) sweeper(w *wired, quiet time.Duration) *sweep.Sweeper {
	s := &sweep.Sweeper{
		Table: w.Records.Backend, Handler: sweeping{w}, Quiet: quiet, Now: a.Now,
		Open: func(ctx context.Context, region string) (sweep.Cloud, error) {
			return a.OpenSwept(ctx, region, a.timeout, a.log)
		},
	}
	for _, g := range w.Configuration.Groups {
		s.Groups = append(s.Groups, sweep.Group{Account: g.Account, Region: g.Region, Name: g.Name})
	}
	return s
}

// sweeping is the handler as a sweeper uses it.
type sweeping struct{ *wired }

var _ sweep.Handler = sweeping{}

// swept is an event that the sweeper makes up for one that was lost.
func (s sweeping) swept(k lifecycle.Kind, g sweep.Group, instance string) lifecycle.Event {
	return lifecycle.Event{Kind: k, What: "swept", Account: g.Account, Region: g.Region,
		Group: g.Name, Instance: instance, At: s.Now()}
}

// claimPatience is how long the sweeper waits for its turn on an instance: longer than the lease of
// a run that died stands still until it is taken over.
const claimPatience = 20 * time.Second

// Claim makes the caller the only one at work on an instance.
func (s sweeping) Claim(
	ctx context.Context, g sweep.Group, instance string,
) (context.Context, func(), error) {
	waiting, cancel := context.WithTimeout(ctx, claimPatience)
	defer cancel()
	held, release, err := s.Claims.Claim(waiting,
		lifecycle.KeysOf(s.swept(lifecycle.Gone, g, instance), "claim"))
	if err != nil && ctx.Err() == nil && waiting.Err() != nil {
		return nil, nil, fmt.Errorf("%w: %w", sweep.ErrBusy, err)
	}
	return held, release, err
}

// Stage tells how far a launch or a terminate has come.
func (s sweeping) Stage(
	ctx context.Context, g sweep.Group, instance string,
) (stage string, over bool, err error) {
	r, err := s.Records.Read(ctx, s.swept(lifecycle.Gone, g, instance))
	switch {
	case err != nil:
		return "", false, err
	case r.Terminate != "":
		return string(r.Terminate), r.Terminate == lifecycle.Ended, nil
	}
	return string(r.Launch), r.Launch == lifecycle.Continued || r.Launch == lifecycle.Abandoned, nil
}

// End handles the end of an instance that nobody told of.
func (s sweeping) End(ctx context.Context, g sweep.Group, instance string) (string, error) {
	return s.handled(ctx, s.swept(lifecycle.Gone, g, instance))
}

// Resume handles an instance that waits at a hook, or whose launch is not over.
func (s sweeping) Resume(
	ctx context.Context, g sweep.Group, instance, state string,
) (string, error) {
	kind, transition := lifecycle.Launch, "autoscaling:EC2_INSTANCE_LAUNCHING"
	if strings.HasPrefix(state, "Terminating") {
		kind, transition = lifecycle.Terminate, "autoscaling:EC2_INSTANCE_TERMINATING"
	}
	e := s.swept(kind, g, instance)
	cloud, err := s.Open(ctx, g.Region)
	if err != nil {
		return "", err
	}
	hooks, err := cloud.DescribeLifecycleHooks(ctx, g.Name)
	if err != nil {
		return "", err
	}
	if of := s.Configuration.Group(e); of != nil {
		e.Hook = of.Hook(kind)
	}
	var names []string
	for _, h := range hooks {
		if h.Transition == transition && (e.Hook == "" || e.Hook == h.Name) {
			names = append(names, h.Name)
		}
	}
	if len(names) != 1 {
		return "", fmt.Errorf("%s is %s, and of the group's hooks %d may be the one that it waits at;"+
			" name the handler's own in the configuration", instance, state, len(names))
	}
	e.Hook = names[0]
	return s.handled(ctx, e)
}

// handled is what the handler came to.
func (s sweeping) handled(ctx context.Context, e lifecycle.Event) (string, error) {
	r := s.Handle(ctx, e)
	said := string(r.Outcome)
	if r.Reason != "" {
		said += ": " + r.Reason
	}
	switch {
	case r.Outcome == lifecycle.Postponed:
		return "", fmt.Errorf("%w, or can't be: %s", sweep.ErrBusy, said)
	case !r.Handled():
		return "", errors.New(said)
	case len(r.Left) > 0:
		return "", fmt.Errorf("%s; left: %s", said, strings.Join(r.Left, "; "))
	}
	return said, nil
}

// Remove has the gate carry out one action.
func (s sweeping) Remove(ctx context.Context, g sweep.Group, p gate.Plan) (string, error) {
	e := s.swept(lifecycle.Gone, g, p.Target["instanceRef"])
	d := s.Doer(e).Do(ctx, lifecycle.Step{Name: p.Action, Plan: p, Required: true}, 0)
	if d.Verdict != lifecycle.StepDone {
		return "", errors.New(d.Message)
	}
	return d.Message, nil
}
