package cli

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/iampolicy"
)

// iamFlags are what iam-policy is asked for.
type iamFlags struct {
	choice   iampolicy.Choice
	scope    iampolicy.Scope
	family   string
	requests string
	tags     []string
	ids      map[action.Kind]*[]string
}

// scopedKinds are the kinds that a policy is scoped to by ids, each with its flag.
var scopedKinds = []struct {
	flag, doc string
	kind      action.Kind
}{
	{"eni", "an interface that may be changed, and a holder of addresses",
		action.NetworkInterface},
	{"instance", "an instance that may be changed", action.Instance},
	{"route-table", "a route table that may be changed", action.RouteTable},
	{"security-group", "a group that a fence gives or takes off",
		action.SecurityGroup},
	{"elastic-ip", "an Elastic IP's allocation that may be changed", action.ElasticIP},
	{"auto-scaling-group", "an Auto Scaling group, by its name",
		action.ScalingGroup},
}

func (a *app) iamPolicy() *cobra.Command {
	f, checks := &iamFlags{ids: map[action.Kind]*[]string{}}, &iamChecks{}
	c := &cobra.Command{
		Use:   "iam-policy [VERB...] --region REGION",
		Short: "print the smallest IAM policy for some verbs",
		Long: `iam-policy prints the smallest IAM policy for verbs and their undo, for the requests of a
file and their undo, or for what --with names alone. Reading is restricted to a region; changing to
the resources that are named, and to a VPC and tags where IAM has a condition for that.

--with adds what only some requests need, by the name of the parameter (` +
			strings.Join(iampolicy.Parameters(a.Registry), ", ") + `), and
` + extrasHelp() + `
What the policy leaves out is told on standard error.

--compare holds a role's real policies against it, read from IAM or from files: what is missing, and
what is more than needed. --probe asks EC2 itself, by DryRun alone. Both end with 1 where a check
failed.`,
		Example: `  actionctl iam-policy assign-secondary-ip ensure-forwarding-enabled \
    --region ap-northeast-1 --account 123456789012 --eni eni-0123456789abcdef0
  actionctl iam-policy --with inventory --region ap-northeast-1
  actionctl iam-policy -f requests.json --compare --role router`,
		ValidArgsFunction: a.completeVerb,
		RunE: func(c *cobra.Command, args []string) error {
			f.choice.Verbs = args
			f.scope.Others = checks.probe
			w, err := a.wanted(f, checks.faults())
			switch {
			case err != nil:
				return err
			case checks.compare || checks.probe:
				return a.checkIAM(c.Context(), w, checks)
			}
			return a.printIAMPolicy(w)
		},
	}
	a.addIAMFlags(c, f)
	checks.addFlags(c)
	return c
}

func extrasHelp() string {
	var b strings.Builder
	for _, e := range iampolicy.Extras() {
		fmt.Fprintf(&b, "  %-12s %s\n", e.Name, e.Doc)
	}
	return b.String()
}

func (a *app) addIAMFlags(c *cobra.Command, f *iamFlags) {
	flags := c.Flags()
	flags.VarP(&once{to: &f.requests}, "file", "f",
		"a `file` of requests that the policy is for, as run takes them; - is standard input")
	flags.Var(&once{to: &f.scope.Region}, "region", "the `region` that it is for")
	flags.Var(&once{to: &f.scope.Account}, "account", "the `number` of the account (default any)")
	flags.Var(&once{to: &f.scope.Partition}, "partition",
		"the `partition` of the region (default by the region's name)")
	flags.Var(&once{to: &f.scope.VPC}, "vpc", "the only `VPC` whose resources may be changed")
	flags.StringArrayVar(&f.tags, "tag", nil,
		"a tag `key=value` that a resource must have to be changed; may be given several times")
	for _, k := range scopedKinds {
		f.ids[k.kind] = flags.StringArray(k.flag, nil, "the `id` of "+k.doc+" (default any)")
	}
	flags.Var(&once{to: &f.family}, "family",
		"ipv4 or ipv6: the only `family` of addresses that is used")
	flags.StringArrayVar(&f.choice.With, "with", nil,
		"what `else` it is for; may be given several times")
	_ = c.RegisterFlagCompletionFunc("family", cobra.FixedCompletions(
		[]string{string(action.IPv4), string(action.IPv6)}, cobra.ShellCompDirectiveNoFileComp))
	with := iampolicy.Parameters(a.Registry)
	for _, e := range iampolicy.Extras() {
		with = append(with, e.Name)
	}
	_ = c.RegisterFlagCompletionFunc("with",
		cobra.FixedCompletions(with, cobra.ShellCompDirectiveNoFileComp))
}

// wanted is what the flags ask for; everything that is wrong with them is told at once.
func (a *app) wanted(f *iamFlags, faults iampolicy.Faults) (iampolicy.Wanted, error) {
	w := iampolicy.Wanted{Choice: f.choice, Scope: f.scope, Extras: iampolicy.Extras()}
	w.Choice.Family = action.AddressFamily(f.family)
	w.Scope.IDs, w.Scope.Tags = map[action.Kind][]string{}, map[string]string{}
	for kind, ids := range f.ids {
		w.Scope.IDs[kind] = *ids
	}
	for _, text := range f.tags {
		key, value, found := strings.Cut(text, "=")
		if _, twice := w.Scope.Tags[key]; !found || twice {
			faults = append(faults, fmt.Sprintf("the tag %q: want key=value, and each key once", text))
		}
		w.Scope.Tags[key] = value
	}
	if f.requests != "" {
		requests, err := a.readRequests(f.requests, "")
		if err != nil {
			return w, err
		}
		faults = append(faults, w.Add(a.Registry, requests)...)
	}
	if err := w.Resolve(a.Registry, faults); err != nil {
		return w, usage("%v; see actionctl iam-policy --help", err)
	}
	return w, nil
}

func (a *app) printIAMPolicy(w iampolicy.Wanted) error {
	d := w.Policy()
	text, err := d.JSON()
	if err != nil {
		return err
	}
	for _, p := range w.LeftOut(a.Registry) {
		why := "a dry-run foresees refusals with it: --with " + iampolicy.Foresight
		if !p.Foresees {
			why = "for requests with " + strings.Join(p.With, " or ") + ": --with " + p.With[0]
		}
		fmt.Fprintf(a.stderr, "actionctl: left out: %s (%s)\n", p.Action, why)
	}
	for _, note := range w.Notes {
		fmt.Fprintln(a.stderr, "actionctl:", note)
	}
	if n := d.Size(); n > iampolicy.MaxManagedSize {
		fmt.Fprintf(a.stderr, "actionctl: the policy has %d characters, more than the %d that IAM "+
			"takes; scope it by --tag or --vpc, or make two\n", n, iampolicy.MaxManagedSize)
	}
	return a.printDocument(json.RawMessage(text))
}
