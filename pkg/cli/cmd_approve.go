package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
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
	choice
	by, digest, key, evidence string
	holds                     time.Duration
}

func (a *app) approve() *cobra.Command {
	var yes approving
	c := &cobra.Command{
		Use:   "approve ID...|FLAGS --by WHO [--sign KEY]",
		Short: "record one person's approval of exactly the plans as they are",
		Long: `approve records that one person says yes to each of the plans, by the digest of exactly
what will run. How many different people have to is the policy's to say. It executes nothing, and
tells what the policy would still refuse.

Actions are named, or chosen by flags: then those that are pending, unless --status says otherwise.
At a terminal it shows what they would change, and asks. Elsewhere flags that choose need --yes.
What is approved is what was shown, whatever comes into the journal meanwhile.

With --sign the approval is somebody's: it is signed as ssh-keygen -Y sign does, for the plan, what
the approver saw, and this journal, until it expires. KEY is a file (the passphrase is asked for on
the terminal), a public key's file or agent:COMMENT for a key that an agent has, a hardware key too.
Without it the name is self-declared.`,
		Example: `  actionctl approve 7 --by ann@example.org
  actionctl approve 7 --by ann@example.org --sign ~/.ssh/id_ed25519
  actionctl approve 7 --by ann@example.org --sign agent:yubikey
  actionctl approve --key 'mobility-7/*' --by ann@example.org --yes`,
		Args:              yes.args,
		ValidArgsFunction: a.completeActions(gate.Pending),
		RunE: func(c *cobra.Command, args []string) error {
			if yes.digest != "" && len(args) != 1 {
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
			ids, err := yes.ids(c.Context(), a, g.Store, args, gate.Pending)
			if err != nil {
				return err
			}
			return a.approveShown(c.Context(), g, ids, yes)
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
	yes.flags(a, c)
	return c
}

// approveShown shows what actions would change, and approves exactly that.
func (a *app) approveShown(
	ctx context.Context, g *gate.Gate, ids []int64, yes approving,
) error {
	shown, err := a.previewOf(ctx, g, ids, false)
	if err != nil {
		return err
	}
	q := question{what: "approval", chosen: yes.given(), yes: yes.yes, preview: shown}
	if !a.asks(q) && a.format == "table" && (q.yes || !q.chosen) {
		a.showCards(a.stdout, shown.cards(a))
		fmt.Fprintln(a.stdout)
	}
	if err := a.confirm(ctx, q); err != nil {
		return err
	}
	given, release, err := a.openYes(yes)
	if err != nil {
		return err
	}
	defer release()
	given.Shown = shown.shown()
	outcomes, err := a.operate(ctx, g, ids, "approval", func() ([]gate.Outcome, error) {
		return g.ApproveWith(ctx, ids, given)
	})
	return a.reportWith(afterApproval, outcomes, false, err)
}

// openYes opens what an approval is given with.
func (a *app) openYes(yes approving) (given gate.Approving, release func(), err error) {
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

// passphrase asks for that of a key on the terminal, whatever standard input is. Nothing that is
// typed is shown, not even what is typed before the question is.
func (a *app) passphrase(file string) ([]byte, error) {
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return nil, errors.New("there is no terminal to ask on: use an agent (agent:COMMENT)")
	}
	defer tty.Close()
	was, err := term.MakeRaw(int(tty.Fd()))
	if err != nil {
		return nil, fmt.Errorf("cannot ask on the terminal: %w", err)
	}
	defer func() { _ = term.Restore(int(tty.Fd()), was) }()
	typed, err := term.NewTerminal(tty, "").ReadPassword(
		fmt.Sprintf("Passphrase of %s: ", printable(file)))
	if errors.Is(err, io.EOF) {
		return nil, errors.New("none was given")
	}
	return []byte(typed), err
}
