package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/commands"
	"aws-provider-executor/pkg/gate"
	"aws-provider-executor/pkg/policy"
	"aws-provider-executor/pkg/protocol"
	"aws-provider-executor/pkg/smoke"
)

// notLookedAt is what a lab may cost and these commands do not read.
const notLookedAt = "not looked at: Elastic IPs, volumes, snapshots, NAT gateways, load " +
	"balancers, endpoints, what has not the tag"

// labFlags say which lab.
type labFlags struct {
	tag, by, ref string
	regions      []string
	except       []string
	yes          bool
	patience     time.Duration
}

func (a *app) lab() *cobra.Command {
	c := &cobra.Command{
		Use:   "lab",
		Short: "what a lab still runs, and how to stop it",
		Example: `  actionctl lab cost --tag lab=smoke --region ap-northeast-1
  actionctl lab teardown --tag lab=smoke --region ap-northeast-1 --by alice`,
		Args: commands.NoArguments,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(a.labCost(), a.labTeardown())
	return c
}

// flags adds those that say which lab.
func (f *labFlags) flags(c *cobra.Command) {
	c.Flags().Var(&once{to: &f.tag}, "tag", "the `tag` of the lab, KEY=VALUE")
	c.Flags().StringArrayVar(&f.regions, "region", nil,
		"a `region` of the lab; may be given several times")
	_ = c.MarkFlagRequired("tag")
	_ = c.MarkFlagRequired("region")
}

func (a *app) labCost() *cobra.Command {
	var f labFlags
	c := &cobra.Command{
		Use:   "cost --tag KEY=VALUE --region REGION",
		Short: "list the lab's instances that run",
		Long: `cost lists the instances with the lab's tag that cost money now: those that are not
stopped or terminated, with their type and since when they run. It says what it does not look
at. It ends with 0, whatever runs.`,
		Example: "  actionctl lab cost --tag lab=smoke --region ap-northeast-1",
		Args:    commands.NoArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			found, err := a.labInstances(c.Context(), f)
			if err != nil {
				return err
			}
			return a.printCost(found)
		},
	}
	f.flags(c)
	return c
}

// labInstance is an instance of a lab, as it is printed.
type labInstance struct {
	Region   string    `json:"region"`
	ID       string    `json:"id"`
	Name     string    `json:"name,omitempty"`
	Type     string    `json:"type"`
	State    string    `json:"state"`
	Launched time.Time `json:"launched"`
}

// runs reports whether the instance costs money by running.
func (i labInstance) runs() bool { return i.State != "stopped" && i.State != "terminated" }

// labInstances reads the instances with the lab's tag.
func (a *app) labInstances(ctx context.Context, f labFlags) ([]labInstance, error) {
	tag, err := smoke.ParseTag(f.tag)
	if err != nil {
		return nil, usage("--tag: %v", err)
	}
	var all []labInstance
	for _, region := range f.regions {
		reader, err := a.connect(ctx, region)
		if err != nil {
			return nil, err
		}
		found, err := reader.FindInstances(ctx, "find the lab's instances in "+region,
			ec2model.Filter{Name: "tag:" + tag.Key, Value: tag.Value})
		if err != nil {
			return nil, err
		}
		for _, i := range found {
			all = append(all, labInstance{region, i.ID, i.Tags["Name"], i.Type, i.State, i.Launched})
		}
	}
	slices.SortFunc(all, func(x, y labInstance) int {
		return strings.Compare(x.Region+" "+x.ID, y.Region+" "+y.ID)
	})
	return all, nil
}

func running(all []labInstance) []labInstance {
	return slices.DeleteFunc(slices.Clone(all), func(i labInstance) bool { return !i.runs() })
}

func (a *app) printCost(all []labInstance) error {
	run := running(all)
	document := struct {
		Running     []labInstance `json:"running"`
		Instances   int           `json:"instances"`
		NotLookedAt string        `json:"notLookedAt"`
	}{append([]labInstance{}, run...), len(all), notLookedAt}
	return a.print(document, func(w io.Writer) {
		var lines [][]string
		for _, i := range run {
			hours := a.Now().Sub(i.Launched).Hours()
			lines = append(lines, []string{i.Region, i.ID, i.Name, i.Type, i.State,
				i.Launched.UTC().Format(time.RFC3339), fmt.Sprintf("%.0f", hours)})
		}
		if len(lines) > 0 {
			a.tabulate(w, []string{"REGION", "ID", "NAME", "TYPE", "STATE", "SINCE", "HOURS"}, lines)
		}
		fmt.Fprintf(w, "%d of %d instances of the lab run; %s\n", len(run), len(all), notLookedAt)
	})
}

func (a *app) labTeardown() *cobra.Command {
	var f labFlags
	c := &cobra.Command{
		Use:   "teardown --tag KEY=VALUE --region REGION --by WHO",
		Short: "stop the lab's instances, by approved actions",
		Long: `teardown describes what it would stop: the lab's instances that run. Once that is
approved it stops each by an action of the journal, which rollback takes back: it starts those
again that ran. It deletes nothing, and never stops the machine that it runs on: leave that one out
with --except.`,
		Example: "  actionctl lab teardown --tag lab=smoke --region ap-northeast-1 --by alice",
		Args:    commands.NoArguments,
		RunE:    func(c *cobra.Command, _ []string) error { return a.teardown(c.Context(), f) },
	}
	f.flags(c)
	c.Flags().Var(&once{to: &f.by}, "by", "`who` approves")
	c.Flags().Var(&once{to: &f.ref}, "provider-ref", "the `name` of the provider, for the policy")
	c.Flags().StringArrayVar(&f.except, "except", nil,
		"an `instance` that goes on; may be given several times")
	c.Flags().BoolVar(&f.yes, "yes", false, "approve without asking")
	c.Flags().DurationVar(&f.patience, "patience", 10*time.Minute,
		"how long the provider is given to stop an instance")
	_ = c.MarkFlagRequired("by")
	return c
}

func (a *app) teardown(ctx context.Context, f labFlags) error {
	all, err := a.labInstances(ctx, f)
	if err != nil {
		return err
	}
	run := slices.DeleteFunc(running(all), func(i labInstance) bool {
		return slices.Contains(f.except, i.ID)
	})
	if len(run) == 0 {
		return a.printCost(all)
	}
	g, done, err := a.openGateOrCreate(ctx)
	if err != nil {
		return err
	}
	defer done()
	t := smoke.Teardown{
		Plans: a.stopPlans(f, run), Names: map[string]string{}, By: f.by, Gate: g,
		Patience: f.patience, Wait: sleep,
	}
	for _, i := range run {
		t.Names[i.ID] = i.Name
	}
	if !f.yes {
		t.Ask = a.ask
	}
	outcomes, err := t.Run(ctx)
	isNameless := func(r policy.Reason) bool { return r.Field == "allowedProviderRefs" }
	if f.ref == "" && slices.ContainsFunc(outcomes, func(o gate.Outcome) bool {
		return slices.ContainsFunc(o.Reasons, isNameless)
	}) {
		defer a.tell("name the provider with --provider-ref")
	}
	if reported := a.report(outcomes, false, err); reported != nil {
		return reported
	}
	fmt.Fprintf(a.stderr, "actionctl: to start them again: actionctl rollback%s\n", idsOf(outcomes))
	if all, err = a.labInstances(ctx, f); err != nil {
		return err
	}
	if a.format != "table" {
		return nil
	}
	return a.printCost(all)
}

func idsOf(outcomes []gate.Outcome) string {
	var b strings.Builder
	for _, o := range outcomes {
		fmt.Fprint(&b, " ", o.Action.ID)
	}
	return b.String()
}

// stopPlans stop instances, each under a key of its own.
func (a *app) stopPlans(f labFlags, run []labInstance) []gate.Plan {
	tag, _ := smoke.ParseTag(f.tag)
	begun := a.Now()
	var plans []gate.Plan
	for _, i := range run {
		like := protocol.Request{
			Provider: a.Provider, ProviderRef: f.ref, Target: map[string]string{"region": i.Region},
		}
		plans = append(plans, stopPlan(like, i.ID, tag, smoke.TeardownKey(begun, i.ID)))
	}
	return plans
}
