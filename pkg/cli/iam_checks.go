package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/awsiam"
	"aws-provider-executor/pkg/iampolicy"
	"aws-provider-executor/pkg/preflight"
)

// roleSource is where the policies of a role are read from.
type roleSource struct {
	// compare reports whether they are to be read; name is the flag that says so.
	compare                 bool
	name                    string
	role, profile, boundary string
	documents               []string
}

// iamChecks are what iam-policy checks instead of printing a policy.
type iamChecks struct {
	roleSource
	probe, strict bool
	subnet        string
}

func (i *roleSource) addFlags(c *cobra.Command, name, doc string) {
	i.name = name
	flags := c.Flags()
	flags.BoolVar(&i.compare, name, false, doc)
	flags.Var(&once{to: &i.role}, "role", "the `name` of the role whose policies are read from IAM")
	flags.Var(&once{to: &i.profile}, "instance-profile",
		"the `name` of the instance profile whose role that is")
	flags.StringArrayVar(&i.documents, "document", nil,
		"a `file` with one of the role's policies, instead; may be given several times")
	flags.Var(&once{to: &i.boundary}, "boundary",
		"a `file` with the role's permissions boundary, beside --document")
}

func (i *iamChecks) addFlags(c *cobra.Command) {
	i.roleSource.addFlags(c, "compare",
		"compare a role's real policies with the smallest one, instead of printing it")
	flags := c.Flags()
	flags.BoolVar(&i.probe, "probe", false,
		"ask EC2 itself, by DryRun alone and with the credentials at hand, what they may do")
	flags.Var(&once{to: &i.subnet}, "subnet",
		"the `id` of a subnet in which no interface must be made, for --probe to ask about")
	flags.BoolVar(&i.strict, "strict", false, "warnings and what is unknown fail the checks too")
}

// ways counts the places that the role's policies are to be read from.
func (i *roleSource) ways() int {
	n := 0
	for _, given := range []bool{i.role != "", i.profile != "", len(i.documents) > 0} {
		if given {
			n++
		}
	}
	return n
}

// faults are what is wrong with the flags together.
func (i *roleSource) faults() iampolicy.Faults {
	switch ways := i.ways(); {
	case i.compare && ways != 1:
		return iampolicy.Faults{
			"--" + i.name + " takes one of --role, --instance-profile and --document"}
	case !i.compare && (ways > 0 || i.boundary != ""):
		return iampolicy.Faults{
			"--role, --instance-profile, --document and --boundary are for --" + i.name}
	case i.boundary != "" && len(i.documents) == 0:
		return iampolicy.Faults{"--boundary goes with --document: IAM tells a role's own"}
	}
	return nil
}

// faults are what is wrong with the flags together.
func (i *iamChecks) faults() iampolicy.Faults {
	faults := i.roleSource.faults()
	_, err := action.SubnetID.Canonical(i.subnet)
	switch {
	case i.subnet != "" && !i.probe:
		faults = append(faults, "--subnet is for --probe")
	case i.subnet != "" && err != nil:
		faults = append(faults, fmt.Sprintf("the subnet %q: %v", i.subnet, err))
	}
	if i.strict && !i.compare && !i.probe {
		faults = append(faults, "--strict is for --compare and --probe")
	}
	return faults
}

// checkIAM makes the checks, prints them, and fails as they do.
func (a *app) checkIAM(ctx context.Context, w iampolicy.Wanted, i *iamChecks) error {
	ctx, cancel := context.WithTimeout(ctx, a.timeout)
	defer cancel()
	var report preflight.Report
	if i.compare {
		granted, err := a.granted(ctx, w.Scope.Region, &i.roleSource)
		if err != nil {
			return err
		}
		report.Checks = append(report.Checks, w.Compare(granted)...)
	}
	if i.probe {
		c, err := a.connection(ctx, w.Scope.Region)
		if err != nil {
			return err
		}
		of := map[action.Kind]string{action.Subnet: i.subnet}
		for kind, ids := range w.Scope.IDs {
			if len(ids) > 0 {
				of[kind] = ids[0]
			}
		}
		report.Checks = append(report.Checks, w.Probe(ctx, c.Prober(), of)...)
	}
	if err := a.print(report, func(out io.Writer) { a.checkTable(out, report) }); err != nil {
		return err
	}
	if !report.May(i.strict) {
		return exit(ExitFailed)
	}
	return nil
}

// granted reads a role's policies, from files or from IAM.
func (a *app) granted(
	ctx context.Context, region string, i *roleSource,
) (iampolicy.Granted, error) {
	return a.readerOfRole(ctx, region, i)(ctx)
}

// readerOfRole returns what reads a role's policies, afresh each time. Who reads them is settled
// now, by the environment as it is.
func (a *app) readerOfRole(
	ctx context.Context, region string, i *roleSource,
) func(context.Context) (iampolicy.Granted, error) {
	if len(i.documents) > 0 {
		return func(context.Context) (iampolicy.Granted, error) { return a.grantedByFiles(i) }
	}
	c, err := a.connection(ctx, region)
	if err != nil {
		return func(context.Context) (iampolicy.Granted, error) { return iampolicy.Granted{}, err }
	}
	reader := awsiam.New(c.Config())
	return func(ctx context.Context) (iampolicy.Granted, error) {
		role := i.role
		if role == "" {
			var err error
			if role, err = reader.RoleOf(ctx, i.profile); err != nil {
				return iampolicy.Granted{}, err
			}
		}
		return reader.Role(ctx, role)
	}
}

func (a *app) grantedByFiles(i *roleSource) (iampolicy.Granted, error) {
	g := iampolicy.Granted{Role: "the role of " + strings.Join(i.documents, ", ")}
	var errs []error
	read := func(file string) iampolicy.Source {
		text, err := a.read(file)
		errs = append(errs, err)
		return iampolicy.Source{Name: file, Text: string(text)}
	}
	for _, file := range i.documents {
		g.Policies = append(g.Policies, read(file))
	}
	if i.boundary != "" {
		boundary := read(i.boundary)
		g.Boundary = &boundary
	}
	return g, errors.Join(errs...)
}

// checkTable writes checks for people: what was seen of each, and what to do.
func (a *app) checkTable(w io.Writer, r preflight.Report) {
	for _, c := range r.Checks {
		fmt.Fprintf(w, "%-7s  %s\n", c.Verdict, c.Name)
		for _, part := range strings.Split(c.Seen, "; ") {
			fmt.Fprintf(w, "         %s\n", printable(part))
		}
		if c.Advice != "" {
			fmt.Fprintf(w, "         → %s\n", printable(c.Advice))
		}
	}
	fmt.Fprintln(w, r.Summary())
}
