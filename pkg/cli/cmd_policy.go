package cli

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"aws-provider-executor/pkg/commands"
	"aws-provider-executor/pkg/policy"
	"aws-provider-executor/pkg/protocol"
)

// decision is what a policy says of a request.
type decision struct {
	Policy string `json:"policy"`
	// Request is the key of the request that was checked.
	Request string        `json:"idempotencyKey,omitempty"`
	Allowed *bool         `json:"allowed,omitempty"`
	Reasons policy.Denial `json:"reasons,omitempty"`
	// Needs is what the decision could not look at.
	Needs []string `json:"needs,omitempty"`
}

func (a *app) policy() *cobra.Command {
	c := &cobra.Command{
		Use:     "policy",
		Short:   "check policies",
		Example: "  actionctl policy check -f policy.yaml",
		Args:    commands.NoArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			return usage("policy takes a subcommand: " +
				"check")
		},
	}
	c.AddCommand(a.policyCheck())
	return c
}

func (a *app) policyCheck() *cobra.Command {
	var files []string
	c := &cobra.Command{
		Use:   "check -f POLICY [-f REQUEST]",
		Short: "check a policy, and what it says of a request",
		Example: `  actionctl policy check -f policy.yaml
  actionctl policy check -f policy.yaml -f request.json`,
		Long: `check reads the policy of the first file, not that of --policy, and tells every line that
is wrong. With a request (as run takes it) in a second file it reports whether the policy allows
that now, every reason against, and what it needs besides. A policy that is refused, and a request
that it denies, end with 3.`,
		Args: commands.NoArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			if len(files) > 2 {
				return usage("policy check takes a policy and at most one request")
			}
			p, err := policy.Load(files[0])
			if err != nil {
				return err
			}
			d := decision{Policy: p.Name}
			if len(files) == 2 {
				if err := a.decide(&d, p, files[1]); err != nil {
					return err
				}
			}
			if err := a.print(d, func(w io.Writer) { printDecision(w, d) }); err != nil {
				return err
			}
			if d.Allowed != nil && !*d.Allowed {
				return exit(ExitRefused)
			}
			return nil
		},
	}
	c.Flags().StringArrayVarP(&files, "file", "f", nil, "the policy's `file`, and then a request's")
	_ = c.MarkFlagRequired("file")
	return c
}

func (a *app) decide(d *decision, p *policy.Policy, file string) error {
	requests, err := a.readRequests(file, "")
	if err != nil {
		return err
	}
	if len(requests) != 1 {
		return usage("policy check takes one request, and %s has %d", file, len(requests))
	}
	r := requests[0]
	d.Request = r.IdempotencyKey
	subject := policy.RequestSubject(a.Registry, r)
	d.Reasons = p.Subject(subject)
	if r.Mode == protocol.Execute {
		d.Reasons = append(d.Reasons, p.Execution(a.Now(), 0)...)
		d.Needs = needs(p, subject)
	}
	if p.ReadsTags() {
		d.Needs = append(d.Needs, "the tags of what it targets, which the executor reads")
	}
	allowed := len(d.Reasons) == 0
	d.Allowed = &allowed
	return nil
}

// needs is what an execution needs besides, by the action's history.
func needs(p *policy.Policy, s policy.Subject) []string {
	if s.Undo {
		if p.Approvals() > 0 || p.RequireEvidence {
			return []string{"an action in the journal that it rolls back"}
		}
		return nil
	}
	var all []string
	if n := p.Approvals(); n > 0 {
		text := fmt.Sprintf("approval by %d", n)
		if p.ApprovalTTL > 0 {
			text += fmt.Sprintf(", not older than %s", p.ApprovalTTL)
		}
		all = append(all, text)
	}
	if p.RequireEvidence {
		all = append(all, "a dry-run that succeeded")
	}
	if p.MaxDecisionWait > 0 {
		all = append(
			all,
			fmt.Sprintf("a decision within %s of its import", p.MaxDecisionWait.Round(time.Second)),
		)
	}
	return all
}

func printDecision(w io.Writer, d decision) {
	if d.Allowed == nil {
		fmt.Fprintf(w, "the policy %s is well-formed\n", d.Policy)
		return
	}
	verdict := "allowed"
	if !*d.Allowed {
		verdict = "denied"
	}
	fmt.Fprintf(w, "%s by the policy %s\n", verdict, d.Policy)
	for _, r := range d.Reasons {
		fmt.Fprintf(w, "  %s: %s\n", r.Field, printable(r.Text))
	}
	for _, n := range d.Needs {
		fmt.Fprintf(w, "  it needs %s\n", n)
	}
}
