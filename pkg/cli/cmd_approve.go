package cli

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"aws-provider-executor/pkg/evidence"
	"aws-provider-executor/pkg/gate"
	"aws-provider-executor/pkg/signature"
	"aws-provider-executor/pkg/signing"
)

// approving is what approve is told.
type approving struct {
	by, digest, key, evidence string
	holds                     time.Duration
}

func (a *app) approve() *cobra.Command {
	var yes approving
	c := &cobra.Command{
		Use:   "approve ID... --by WHO [--sign KEY]",
		Short: "record one person's approval of exactly the plans as they are",
		Long: `approve records that one person says yes to each of the plans, by the digest of exactly
what will run. How many different people have to is the policy's to say. It executes nothing, and
tells what the policy would still refuse.

With --sign the approval is somebody's: it is signed as ssh-keygen -Y sign does, for the plan, what
the approver saw, and this journal, until it expires. KEY is a file (the passphrase is asked for on
the terminal), a public key's file or agent:COMMENT for a key that an agent has, a hardware key too.
Without it the name is self-declared.`,
		Example: "  actionctl approve 7 --by ann@example.org --sign ~/.ssh/id_ed25519\n" +
			"  actionctl approve 7 --by ann@example.org --sign agent:yubikey --evidence seen.json",
		Args:              someActions,
		ValidArgsFunction: a.completeActions(gate.Pending),
		RunE: func(c *cobra.Command, args []string) error {
			if yes.digest != "" && len(args) > 1 {
				return usage("--digest goes with one action")
			}
			if yes.holds <= 0 {
				return usage("--expires is %s, want a time longer than none, as in 24h", yes.holds)
			}
			g, done, err := a.openGate(c.Context())
			if err != nil {
				return a.refused(c.Context(), err, "approval", args)
			}
			defer done()
			ids, err := findAll(c.Context(), g.Store, args)
			if err != nil {
				return err
			}
			if err := a.showRecorded(c.Context(), g.Store, ids); err != nil {
				return err
			}
			given, release, err := a.given(yes)
			if err != nil {
				return err
			}
			defer release()
			outcomes, err := g.ApproveWith(c.Context(), ids, given)
			return a.report(outcomes, false, err)
		},
	}
	c.Flags().Var(&once{to: &yes.by}, "by", "`who` approves")
	c.Flags().StringVar(&yes.digest, "digest", "",
		"approve only the plan that has this `digest`, as show tells it")
	c.Flags().Var(&once{to: &yes.key}, "sign", "sign with this `key`: a file, or agent:COMMENT")
	c.Flags().DurationVar(&yes.holds, "expires", 24*time.Hour, "for how long a signed approval holds")
	c.Flags().Var(&once{to: &yes.evidence}, "evidence",
		"the `file` of evidence that the approver saw (default the latest dry-run)")
	_ = c.MarkFlagRequired("by")
	return c
}

// given opens what an approval is given with.
func (a *app) given(yes approving) (given gate.Approving, release func(), err error) {
	given = gate.Approving{By: yes.by, Digest: yes.digest, Holds: yes.holds}
	release = func() {}
	if yes.evidence != "" {
		data, err := a.read(yes.evidence)
		if err != nil {
			return given, release, fmt.Errorf("cannot read the evidence: %w", err)
		}
		document, err := evidence.Read(data)
		if err != nil {
			return given, release, fmt.Errorf("the evidence %s: %w", yes.evidence, err)
		}
		given.Evidence = &document
	}
	if yes.key == "" {
		return given, release, nil
	}
	sign, release, err := a.signer(yes.key, signature.ApprovalNamespace)
	given.Sign = sign
	return given, release, err
}

// signer opens a key to sign texts of a namespace with.
func (a *app) signer(
	key, namespace string,
) (sign func([]byte) ([]byte, error), release func(), err error) {
	keys := signing.Keys{AgentSocket: a.env["SSH_AUTH_SOCK"], Passphrase: a.passphrase}
	signer, release, err := keys.Key(key)
	if err != nil {
		return nil, func() {}, err
	}
	return func(text []byte) ([]byte, error) {
		return signing.Sign(text, signer, namespace)
	}, release, nil
}

// passphrase asks for that of a key on the terminal, whatever standard input is. Nothing is shown.
func (a *app) passphrase(file string) ([]byte, error) {
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return nil, errors.New("there is no terminal to ask on: use an agent (agent:COMMENT)")
	}
	defer tty.Close()
	fmt.Fprintf(tty, "Passphrase of %s: ", printable(file))
	defer fmt.Fprintln(tty)
	return term.ReadPassword(int(tty.Fd()))
}

func someActions(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return usage(
			"%s takes ids or idempotency keys of actions; see %s --help",
			c.CommandPath(),
			c.CommandPath(),
		)
	}
	return nil
}
