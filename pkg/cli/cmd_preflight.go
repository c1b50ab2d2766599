package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"aws-provider-executor/pkg/evidence"
	"aws-provider-executor/pkg/executor"
	"aws-provider-executor/pkg/gate"
	"aws-provider-executor/pkg/iampolicy"
	"aws-provider-executor/pkg/journal"
	"aws-provider-executor/pkg/metrics"
	"aws-provider-executor/pkg/policy"
	"aws-provider-executor/pkg/preflight"
	"aws-provider-executor/pkg/preflight/ec2checks"
	"aws-provider-executor/pkg/protocol"
)

// preflightFlags are what preflight is asked for.
type preflightFlags struct {
	file     string
	evidence string
	strict   bool
	watch    time.Duration
	// listen is where metrics are served; empty for nowhere.
	listen   string
	expected ec2checks.Expected
	role     roleSource
	// granted reads the policies of the role; nil if they are not asked for.
	granted func(context.Context) (iampolicy.Granted, error)
}

// minWatch is the shortest pause between two rounds of checks.
const minWatch = time.Second

func (a *app) preflight() *cobra.Command {
	f := &preflightFlags{}
	c := &cobra.Command{
		Use:   "preflight -f REQUESTS|PLANS | preflight ID...",
		Short: "check what an action would be carried out on, before it is",
		Long: `preflight checks requests, plans, or actions of a journal, by reading alone, with the
executor's own identity. Each check is pass, warn, fail or unknown, with what was seen and what to
do; what could not be read is unknown, never pass. The plan and the plan of the undo are what the
executor's dry-run tells.

With --iam the policies of the executor's role are held against what the requests need, too: what
is missing, and what is more than needed. They are read from files, or from IAM with the
credentials at hand.

It ends with 0 only if nothing failed, else with 3. With --strict, warnings and what is unknown
are against it, too. With --watch it goes on until it is stopped, and ends as the last round did.
With --listen it also serves what the last round came to at /metrics, for Prometheus: on this
machine alone, unless a host is named.`,
		Example: `  actionctl preflight -f request.json --expect-account 123456789012
  actionctl preflight mobility-7/assign --strict -o json
  actionctl preflight -f request.json --iam --role lab-router
  actionctl preflight -f failover.json --watch 5m --listen 9108`,
		Args:              func(_ *cobra.Command, args []string) error { return f.check(args) },
		ValidArgsFunction: a.completeActions(gate.Pending, gate.Approved),
		RunE: func(c *cobra.Command, args []string) error {
			plans, err := a.preflightPlans(c.Context(), f.file, args)
			if err != nil {
				return err
			}
			if f.role.compare && len(plans) > 0 {
				// The checks make the environment the executor's, and the operator reads the role.
				f.granted = a.readerOfRole(c.Context(), plans[0].Target["region"], &f.role)
			}
			return a.checkRounds(c.Context(), f, plans)
		},
	}
	flags := c.Flags()
	flags.VarP(&once{to: &f.file}, "file", "f",
		"a `file` of requests or plans; - is standard input")
	flags.Var(&once{to: &f.evidence}, "evidence",
		"the `file` to keep what was seen in; each round replaces it")
	flags.BoolVar(&f.strict, "strict", false, "refuse warnings and what is unknown, too")
	flags.DurationVar(&f.watch, "watch", 0,
		"check again after each `interval`, until it is stopped")
	flags.Var(&once{to: &f.listen}, "listen",
		"the `address` to serve /metrics at while it watches; a port alone is one of loopback")
	flags.Var(&once{to: &f.expected.Account}, "expect-account",
		"the `number` of the account that is meant")
	flags.Var(&once{to: &f.expected.Role}, "expect-role",
		"the `name` or ARN of the role or user that is meant")
	flags.Var(&once{to: &f.expected.Region}, "expect-region", "the `region` that is meant")
	f.role.addFlags(c, "iam", "compare the policies of the executor's role with what is needed")
	return c
}

func (f *preflightFlags) check(args []string) error {
	switch {
	case (f.file == "") == (len(args) == 0):
		return usage("preflight takes either -f FILE, or ids of actions of the journal")
	case f.watch != 0 && f.watch < minWatch:
		return usage("--watch is %s, want at least %s", f.watch, minWatch)
	case f.listen != "" && f.watch == 0:
		return usage("--listen goes with --watch: who checks once ends before it is asked")
	}
	if f.listen != "" {
		var err error
		if f.listen, err = listenAddress(f.listen); err != nil {
			return err
		}
	}
	if faults := f.role.faults(); len(faults) > 0 {
		return usage("%v", faults)
	}
	return nil
}

// preflightPlans reads what is checked: requests or plans in a file, or actions in the journal. All
// are valid ones, of verbs that are known.
func (a *app) preflightPlans(
	ctx context.Context, file string, ids []string,
) ([]gate.Plan, error) {
	if file == "" {
		return a.plansOfActions(ctx, ids)
	}
	data, err := a.read(file)
	if err != nil {
		return nil, fmt.Errorf("cannot read the requests: %w", err)
	}
	plans, err := a.requestsOrPlans(data, file)
	if err != nil {
		return nil, err
	}
	for i, p := range plans {
		if err := a.checkRequest(p.Request(protocol.DryRun)); err != nil {
			return nil, fmt.Errorf("%s, request %d: %w", file, i+1, err)
		}
	}
	return plans, nil
}

// checkRequest refuses a request that no executor would plan: nothing could be read for it.
func (a *app) checkRequest(r protocol.Request) error {
	verb, known := a.Registry.Resolve(r)
	if !known {
		return fmt.Errorf("the action is %s, want one of %s",
			protocol.Quote(r.Action), a.Registry.Names())
	}
	if r.Provider != a.Provider {
		return fmt.Errorf("the provider is %s, want %s", protocol.Quote(r.Provider), a.Provider)
	}
	if _, faults := a.Registry.Check(verb, r); len(faults) > 0 {
		return faults
	}
	return nil
}

// requestsOrPlans reads requests or plans, as plans: a request names its kind.
func (a *app) requestsOrPlans(data []byte, file string) ([]gate.Plan, error) {
	var all []gate.Plan
	if hasRequests(data) {
		requests, err := a.decodeRequests(data, file, protocol.DryRun)
		for _, r := range requests {
			all = append(all, gate.Plan{
				Provider: r.Provider, ProviderRef: r.ProviderRef, Action: r.Action, Target: r.Target,
				Parameters: r.Parameters, IdempotencyKey: r.IdempotencyKey,
			})
		}
		return all, err
	}
	plans, err := gate.ParsePlans(data)
	if err != nil {
		return nil, &gate.Refusal{What: "preflight of " + file, Reasons: faultLines(err)}
	}
	for _, p := range plans {
		if p.Provider == "" {
			p.Provider = a.Provider
		}
		all = append(all, p)
	}
	return all, nil
}

func (a *app) plansOfActions(ctx context.Context, names []string) ([]gate.Plan, error) {
	var plans []gate.Plan
	err := a.eachNamed(ctx, names, func(_ *journal.Journal, x gate.Action) error {
		if err := a.checkRequest(x.Request(protocol.DryRun)); err != nil {
			return fmt.Errorf("action %d: %w", x.ID, err)
		}
		plans = append(plans, x.Plan)
		return nil
	})
	return plans, err
}

// checkRounds checks once, or round after round until it is stopped.
func (a *app) checkRounds(
	ctx context.Context, f *preflightFlags, plans []gate.Plan,
) error {
	if f.listen != "" {
		stop, err := a.serveMetrics(ctx, f.listen)
		if err != nil {
			return err
		}
		defer stop()
	}
	for {
		round, err := a.checkOnce(ctx, f, plans)
		if err != nil {
			return err
		}
		if err := a.printReport(ctx, round, f); err != nil {
			return err
		}
		if err := a.keep(ctx, round, f); err != nil {
			return err
		}
		if f.watch > 0 && a.pause(ctx, f.watch) {
			continue
		}
		if !round.report.May(f.strict) {
			return exit(ExitRefused)
		}
		return nil
	}
}

// pause waits, and reports whether it may go on after that.
func (a *app) pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// checkOnce makes all checks, and counts what they came to.
func (a *app) checkOnce(
	ctx context.Context, f *preflightFlags, plans []gate.Plan,
) (checked, error) {
	p, files, err := a.loadPolicy()
	if err != nil {
		return checked{}, err
	}
	env, err := a.pluginEnvironment(files)
	if err != nil {
		return checked{}, err
	}
	var requests []protocol.Request
	for _, p := range plans {
		requests = append(requests, p.Request(protocol.DryRun))
	}
	look := func(ctx context.Context, region string) (ec2checks.Reader, error) {
		return a.Look(ctx, env, region, a.timeout, a.log)
	}
	executors := a.newGate(p, env).Run.(*plugin)
	executors.tellPlan = true
	told := &dryRuns{run: executors.Run}
	config := ec2checks.Config{
		Registry: a.Registry, Connect: look, DryRun: told.Run, Expected: f.expected,
		Ledger:   func() preflight.Check { return executor.CheckStateStore(ctx, parseEnviron(env)) },
		Tags:     tagsOf(p),
		Patience: min(a.timeout/3, 10*time.Second),
	}
	config.OwnRegion, config.OwnRegionName = a.ownRegion()
	report := ec2checks.Run(ctx, config, requests)
	if f.granted != nil {
		report.Checks = append(report.Checks, a.roleChecks(ctx, f, p, requests)...)
	}
	a.countChecks(report)
	return checked{plans: plans, report: report, told: told, plugin: executors}, nil
}

// countChecks tells what the checks came to: to whoever asks this process, and in the file of a
// textfile collector after each round.
func (a *app) countChecks(report preflight.Report) {
	var all []metrics.CheckOutcome
	for _, c := range report.Checks {
		all = append(all, metrics.CheckOutcome{Check: c.Name, Verdict: string(c.Verdict)})
	}
	a.metrics.Preflight(all...)
	set := metrics.New(programName, a.Version)
	set.Preflight(all...)
	set.Finish(a.env, a.log)
}

// ownRegion is the region that the environment names, and the variable that does.
func (a *app) ownRegion() (region, name string) {
	for _, name := range []string{"AWS_REGION", "AWS_DEFAULT_REGION"} {
		if a.env[name] != "" {
			return a.env[name], name
		}
	}
	return "", ""
}

// tagsOf is what a policy has against the tags of a resource; nil if it looks at none.
func tagsOf(p *policy.Policy) func(string, map[string]string) []string {
	if p == nil || !p.ReadsTags() {
		return nil
	}
	return func(resource string, tags map[string]string) []string {
		var against []string
		for _, r := range p.Tags(resource, tags) {
			against = append(against, r.Field+": "+r.Text)
		}
		return against
	}
}

// printReport writes a report as a document, or as a table with what to do below it.
func (a *app) printReport(ctx context.Context, c checked, f *preflightFlags) error {
	r := c.report
	return a.print(r, func(w io.Writer) {
		if f.watch > 0 {
			fmt.Fprintln(w, a.Now().UTC().Format(time.RFC3339))
		}
		several := len(requestsIn(r)) > 1
		header := []string{"VERDICT", "CHECK", "SEEN"}
		if several {
			header = []string{"VERDICT", "CHECK", "KEY", "SEEN"}
		}
		var lines [][]string
		for _, c := range r.Checks {
			line := []string{string(c.Verdict), c.Name, c.Seen}
			if several {
				line = slices.Insert(line, 2, c.Request)
			}
			lines = append(lines, line)
		}
		a.tabulate(w, header, lines)
		a.showCards(w, a.cards(ctx, c))
		fmt.Fprintln(w)
		a.printAdvice(w, r, f.strict)
	})
}

// keep writes the evidence of a round, if it is asked for.
func (a *app) keep(ctx context.Context, c checked, f *preflightFlags) error {
	if f.evidence == "" {
		return nil
	}
	d, err := a.take(ctx, c)
	if err != nil {
		return err
	}
	if err := evidence.WriteFile(f.evidence, d); err != nil {
		return err
	}
	fmt.Fprintf(a.stderr, "actionctl: evidence: %s %s\n", printable(f.evidence), d.Digest)
	return nil
}

func (a *app) printAdvice(w io.Writer, r preflight.Report, strict bool) {
	for _, c := range r.Checks {
		if c.Verdict != preflight.Pass {
			name := c.Name
			if c.Request != "" {
				name += " (" + c.Request + ")"
			}
			fmt.Fprintf(w, "%s: %s\n", printable(name), printable(c.Advice))
		}
	}
	said := "nothing is against it"
	if against := r.Refused(strict); len(against) > 0 {
		var names []string
		for _, c := range against {
			names = append(names, c.Name)
		}
		said = "against it: " + strings.Join(slices.Compact(names), ", ")
	}
	fmt.Fprintf(w, "%s; %s\n", r.Summary(), said)
}

// requestsIn lists the requests that checks are about.
func requestsIn(r preflight.Report) []string {
	var keys []string
	for _, c := range r.Checks {
		if c.Request != "" && !slices.Contains(keys, c.Request) {
			keys = append(keys, c.Request)
		}
	}
	return keys
}
