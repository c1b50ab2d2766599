package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"aws-provider-executor/pkg/commands"
	"aws-provider-executor/pkg/evidence"
	"aws-provider-executor/pkg/gate"
	"aws-provider-executor/pkg/preflight"
	"aws-provider-executor/pkg/protocol"
	"aws-provider-executor/pkg/signature"
	"aws-provider-executor/pkg/smoke"
)

// smokeFlags are what the run is told.
type smokeFlags struct {
	file, tag, by, key, evidence string
	instances                    []string
	yes, hold                    bool
	wait, patience               time.Duration
}

func (a *app) smoke() *cobra.Command {
	var f smokeFlags
	c := &cobra.Command{
		Use:   "smoke -f REQUESTS --tag KEY=VALUE --by WHO",
		Short: "try requests on a lab, and leave it as it was",
		Long: `smoke is the acceptance run of requests on a lab: each is looked at, imported, approved,
executed, read to be so, rolled back, and read to be as before. What it did is kept as evidence.

It stops hard, before anything is changed, at credentials in a request, a resource without the
lab's tag, a production tag, more than one provider, an undo that nothing describes; and, with a
rollback, at a result that is ambiguous or partial. After Ctrl-C it rolls back what it began.

Only the run executes what it imported. What it did not carry out is rejected at its end; what a
killed run left can't be approved or executed until it is imported again.

With --max-decision-wait it stops the lab's instances that --stop names when nobody decides for
so long. That is approved at the start, as a part of the run. With --sign the approvals are
signed, as approve signs them.`,
		Example: `  actionctl smoke -f request.json --tag lab=smoke --by alice
  actionctl smoke -f request.json --tag lab=smoke --by alice --hold \
    --max-decision-wait 20m --stop i-0123456789abcdef0`,
		Args: commands.NoArguments,
		RunE: func(c *cobra.Command, _ []string) error { return a.runSmoke(c.Context(), f) },
	}
	c.Flags().VarP(&once{to: &f.file}, "file", "f", "the requests' `file`; - is standard input")
	c.Flags().Var(&once{to: &f.tag}, "tag",
		"the `tag` of the lab, KEY=VALUE: all that is touched has it")
	c.Flags().Var(&once{to: &f.by}, "by", "`who` approves")
	c.Flags().Var(&once{to: &f.key}, "sign",
		"sign the approvals with this `key`: a file, or agent:COMMENT")
	c.Flags().Var(&once{to: &f.evidence}, "evidence",
		"the `file` to keep the evidence in (default in smoke/ beside the journal)")
	c.Flags().StringArrayVar(&f.instances, "stop", nil,
		"an `instance` of the lab to stop when nobody decides; may be given several times")
	c.Flags().BoolVar(&f.yes, "yes", false, "approve without asking")
	c.Flags().BoolVar(&f.hold, "hold", false, "wait for a person before the rollback")
	c.Flags().DurationVar(&f.wait, "max-decision-wait", 0,
		"how long a person is waited for (default for ever)")
	c.Flags().DurationVar(&f.patience, "patience", 10*time.Minute,
		"how long the provider is given to finish what it is at")
	for _, name := range []string{"file", "tag", "by"} {
		_ = c.MarkFlagRequired(name)
	}
	return c
}

// check refuses flags that can't be meant.
func (f smokeFlags) check(a *app) error {
	_, badTag := smoke.ParseTag(f.tag)
	switch {
	case badTag != nil:
		return usage("--tag: %v", badTag)
	case f.wait < 0 || f.patience < 0:
		return usage("--max-decision-wait and --patience are times, not less than none")
	case len(f.instances) > 0 && f.wait == 0:
		return usage("--stop goes with --max-decision-wait")
	case f.yes && f.hold:
		return usage("--hold waits for a person, and --yes says that there is none")
	case f.file == "-" && !f.yes:
		return usage("the requests come from standard input, so nobody can be asked there: use --yes")
	}
	return nil
}

func (a *app) runSmoke(ctx context.Context, f smokeFlags) error {
	if err := f.check(a); err != nil {
		return err
	}
	data, err := a.read(f.file)
	if err != nil {
		return fmt.Errorf("cannot read the request: %w", err)
	}
	requests, faults := a.decodeRequests(data, f.file, protocol.Execute)
	var wrong protocol.Faults
	if faults != nil && !errors.As(faults, &wrong) {
		return faults
	}
	g, done, err := a.openGateOrCreate(ctx)
	if err != nil {
		return err
	}
	defer done()
	// Until the preflight there is nothing to tell of the plans but themselves.
	seen := evidence.Seen{Subjects: a.subjects(plansOf(requests),
		func(gate.Plan) evidence.Outcome { return evidence.Outcome{} })}
	config := a.smokeConfig(g, f, requests, faults, &seen)
	config.Credentials = credentialsIn(data)
	if f.key != "" {
		sign, release, err := a.signer(f.key, signature.ApprovalNamespace)
		if err != nil {
			return err
		}
		defer release()
		config.Sign = sign
	}
	out := smoke.Run(ctx, config)
	kept, err := a.keepSmoke(context.WithoutCancel(ctx), f, g.Run.(*plugin), seen, out)
	if a.format != "table" {
		err = errors.Join(err, a.printDocument(smokeDocument(out, kept)))
	}
	a.closeSmoke(out, kept)
	switch {
	case err != nil:
		return err
	case out.Passed():
		return nil
	case out.Untouched():
		return exit(ExitRefused)
	}
	return exit(ExitFailed)
}

// smokeConfig makes the run of the requests. What its preflight sees is put into seen.
func (a *app) smokeConfig(
	g *gate.Gate, f smokeFlags, requests []protocol.Request, faults error, seen *evidence.Seen,
) smoke.Config {
	tag, _ := smoke.ParseTag(f.tag)
	c := smoke.Config{
		Requests: requests, Plans: plansOf(requests), Faults: faults, Lab: tag, By: f.by,
		Source: f.file, Gate: g, Hold: f.hold, MaxDecisionWait: f.wait, Patience: f.patience,
		Connect: func(ctx context.Context, region string) (smoke.Reader, error) {
			return a.connect(ctx, region)
		},
		Preflight: func(
			ctx context.Context, requests []protocol.Request,
		) (preflight.Report, error) {
			looked, err := a.checkOnce(ctx, &preflightFlags{}, plansOf(requests))
			if err == nil {
				*seen = a.seen(ctx, looked)
			}
			return looked.report, err
		},
		Wait: sleep,
	}
	if !f.yes {
		c.Ask = a.ask
	}
	if a.format == "table" {
		c.Tell = a.tellStep
	}
	if len(requests) > 0 {
		for _, id := range f.instances {
			c.Fallback = append(c.Fallback, stopPlan(
				requests[0], id, tag, smoke.FallbackKey(requests[0].IdempotencyKey, id)))
		}
	}
	return c
}

// plansOf are the plans of requests, for the gate.
func plansOf(requests []protocol.Request) []gate.Plan {
	plans := make([]gate.Plan, len(requests))
	for i, r := range requests {
		plans[i] = gate.Plan{
			Provider: r.Provider, ProviderRef: r.ProviderRef, Action: r.Action, Target: r.Target,
			Parameters: r.Parameters, IdempotencyKey: r.IdempotencyKey,
		}
	}
	return plans
}

// stopPlan stops an instance of the lab that a request is for.
func stopPlan(like protocol.Request, id string, tag smoke.Tag, key string) gate.Plan {
	return gate.Plan{
		Provider: like.Provider, ProviderRef: like.ProviderRef, Action: "stop-instances",
		Target:         map[string]string{"instanceRef": id, "region": like.Target["region"]},
		Parameters:     map[string]string{"requiredTag": tag.String()},
		IdempotencyKey: key,
	}
}

// sleep returns after a duration, or with the cause of the context's end if that comes first.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}

// openGateOrCreate opens the gate, with a new journal where there is none.
func (a *app) openGateOrCreate(ctx context.Context) (*gate.Gate, func(), error) {
	g, done, err := a.openGate(ctx)
	if !errors.Is(err, fs.ErrNotExist) {
		return g, done, err
	}
	j, err := a.createJournal(ctx)
	if err != nil {
		return nil, nil, err
	}
	if err := j.Close(); err != nil {
		return nil, nil, err
	}
	return a.openGate(ctx)
}

// tellStep prints a line of the checklist.
func (a *app) tellStep(s preflight.Check) {
	mark := map[preflight.Verdict]string{preflight.Pass: "✓", preflight.Fail: "✗"}[s.Verdict]
	fmt.Fprintf(a.stdout, "%s %-9s  %s\n", firstOf(mark, "?"), s.Name, printable(s.Seen))
	if s.Advice != "" {
		fmt.Fprintf(a.stdout, "             %s\n", printable(s.Advice))
	}
}

// closeSmoke tells a person what is left, and what to run.
func (a *app) closeSmoke(out smoke.Outcome, kept string) {
	switch {
	case out.Passed():
		fmt.Fprintln(a.stderr, "actionctl: the run passed, and all is as before")
	case len(out.Left) > 0:
		fmt.Fprintln(a.stderr, "actionctl: the run failed, and this is left:")
		for _, l := range out.Left {
			fmt.Fprintln(a.stderr, " ", printable(l))
		}
	case out.Untouched():
		fmt.Fprintln(a.stderr, "actionctl: the run was stopped, and nothing was changed:",
			printable(out.Err.Error()))
	case out.FellBack:
		fmt.Fprintln(a.stderr, "actionctl: nobody decided, so the lab's instances were stopped")
	default:
		fmt.Fprintln(a.stderr, "actionctl: the run failed, and all is as before:",
			printable(out.Err.Error()))
	}
	for _, next := range out.Next {
		fmt.Fprintln(a.stderr, "  run:", next)
	}
	if kept != "" {
		fmt.Fprintln(a.stderr, "actionctl: evidence:", kept)
	}
}

// smokeAnswer is the document of a run.
type smokeAnswer struct {
	Passed   bool              `json:"passed"`
	Steps    []preflight.Check `json:"steps"`
	Plan     []protocol.Change `json:"plan,omitempty"`
	Undo     []protocol.Change `json:"undo,omitempty"`
	Left     []string          `json:"left,omitempty"`
	Next     []string          `json:"next,omitempty"`
	FellBack bool              `json:"fellBack,omitempty"`
	HardStop string            `json:"hardStop,omitempty"`
	Evidence string            `json:"evidence,omitempty"`
}

func smokeDocument(out smoke.Outcome, kept string) smokeAnswer {
	d := smokeAnswer{
		Passed: out.Passed(), Steps: out.Steps, Plan: out.Plan, Undo: out.Undo, Left: out.Left,
		Next: out.Next, FellBack: out.FellBack, Evidence: kept,
	}
	var s *smoke.Stopped
	if errors.As(out.Err, &s) {
		d.HardStop = s.Name
	}
	return d
}

// keepSmoke writes the evidence of a run, and returns where: what its preflight saw, what the
// executor told the approver, and every step.
func (a *app) keepSmoke(
	ctx context.Context, f smokeFlags, executor *plugin, seen evidence.Seen, out smoke.Outcome,
) (string, error) {
	path, err := a.evidenceFile(f.evidence)
	if err != nil {
		return "", err
	}
	for i, said := range out.Told {
		if seen.Subjects[i].Outcome, err = evidence.OutcomeOf(said); err != nil {
			return "", err
		}
	}
	for _, s := range out.Steps {
		facts := smokeFacts(s.Name, out)
		s.Name = "smoke/" + s.Name
		seen.Checks = append(seen.Checks, evidence.Check{Check: s, Facts: facts})
	}
	d, err := a.document(ctx, executor, seen)
	if err != nil {
		return "", err
	}
	return path, evidence.WriteFile(path, d)
}

// smokeFacts are what stands behind a step.
func smokeFacts(step string, out smoke.Outcome) map[string]any {
	facts := map[string]any{}
	state := func(s smoke.State) map[string]any {
		all := map[string]any{}
		for k, v := range s {
			all[k] = v
		}
		return all
	}
	texts := func(lines []string) []any {
		all := []any{}
		for _, l := range lines {
			all = append(all, strings.TrimSpace(l))
		}
		return all
	}
	switch step {
	case smoke.StepBefore:
		facts["state"] = state(out.Before)
	case smoke.StepAsBefore:
		facts["state"] = state(out.After)
		facts["left"] = texts(out.Left)
	case smoke.StepPlan:
		facts["plan"], facts["undo"] = texts(changeLines(out.Plan)), texts(changeLines(out.Undo))
	}
	return facts
}

// evidenceFile is where the evidence goes, its directory made.
func (a *app) evidenceFile(named string) (string, error) {
	if named != "" {
		return named, nil
	}
	beside, err := a.besideJournal()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(beside, "smoke")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	return filepath.Join(dir, a.Now().UTC().Format("20060102T150405.000Z")+".json"), nil
}
