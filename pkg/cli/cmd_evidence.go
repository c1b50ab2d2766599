package cli

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"aws-provider-executor/pkg/commands"
	"aws-provider-executor/pkg/evidence"
	"aws-provider-executor/pkg/gate"
	"aws-provider-executor/pkg/view"
)

func (a *app) evidence() *cobra.Command {
	c := &cobra.Command{
		Use:   "evidence verify FILE | show FILE",
		Short: "verify and show what was seen before an action",
		Long: `Evidence is one file in canonical JSON, which preflight writes: the checks with the facts
behind them, the plans, the network around, who looked and when. Its digest covers all of it.`,
		Example: `  actionctl preflight -f request.json --evidence evidence.json
  actionctl evidence show evidence.json`,
		Args: commands.NoArguments,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(a.evidenceVerify(), a.evidenceShow())
	return c
}

// oneFile takes the name of one file, and completes it.
func oneFile(what string) (cobra.PositionalArgs, cobra.CompletionFunc) {
	return exactly(1, what), func(
		_ *cobra.Command, args []string, _ string,
	) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return nil, cobra.ShellCompDirectiveDefault
	}
}

func (a *app) evidenceVerify() *cobra.Command {
	var digest string
	var maxAge time.Duration
	args, complete := oneFile("one file of evidence; - is standard input")
	c := &cobra.Command{
		Use:   "verify FILE",
		Short: "check that a file of evidence is exactly as it was taken",
		Long: `verify refuses a file that is not exactly as it was written: a byte changed, a key twice,
formatted anew, a digest that does not fit.

Whoever changes a file can compute its digest anew. So compare it with one that is kept
elsewhere, or that was signed: --digest.`,
		Example: `  actionctl evidence verify evidence.json --digest sha256:1f… --max-age 1h`,
		Args:    args, ValidArgsFunction: complete,
		RunE: func(_ *cobra.Command, args []string) error {
			d, err := a.readEvidence(args[0])
			if err != nil {
				return err
			}
			if reasons := a.against(d, digest, maxAge); len(reasons) > 0 {
				return &gate.Refusal{What: args[0], Reasons: reasons}
			}
			v := verified{d.Digest, d.SeenDigest, d.Taken.At, d.Taken.By}
			return a.print(v, func(w io.Writer) {
				fmt.Fprintf(w, "the evidence is as it was taken: %s, by %s (self-declared)\n",
					view.Age(v.At, a.Now()), printable(v.By))
				fmt.Fprintf(w, "digest %s\nseen   %s\n", v.Digest, v.SeenDigest)
			})
		},
	}
	c.Flags().Var(&once{to: &digest}, "digest", "the `digest` that it must have")
	c.Flags().DurationVar(&maxAge, "max-age", 0, "the `age` that it may have at most")
	return c
}

// verified is what verify says of a file.
type verified struct {
	Digest     string    `json:"digest"`
	SeenDigest string    `json:"seenDigest"`
	At         time.Time `json:"at"`
	By         string    `json:"by"`
}

// against says what is wrong with evidence that is as it was taken.
func (a *app) against(d evidence.Document, digest string, maxAge time.Duration) []string {
	var reasons []string
	if digest != "" && digest != d.Digest {
		reasons = append(reasons, fmt.Sprintf("the digest is %s, want %s", d.Digest, printable(digest)))
	}
	switch age, err := d.Age(a.Now()); {
	case err != nil:
		reasons = append(reasons, err.Error())
	case maxAge > 0 && age > maxAge:
		reasons = append(reasons, fmt.Sprintf("it was taken %s, and may be %s old at most: take it anew",
			view.Age(d.Taken.At, a.Now()), maxAge))
	}
	return reasons
}

// readEvidence reads a file of evidence. What is not as it was written is refused.
func (a *app) readEvidence(path string) (evidence.Document, error) {
	data, err := a.read(path)
	if err != nil {
		return evidence.Document{}, fmt.Errorf("cannot read the evidence: %w", err)
	}
	d, err := evidence.Read(data)
	if err != nil {
		return d, &gate.Refusal{What: path, Reasons: []string{err.Error()}}
	}
	return d, nil
}

func (a *app) evidenceShow() *cobra.Command {
	args, complete := oneFile("one file of evidence; - is standard input")
	return &cobra.Command{
		Use:   "show FILE",
		Short: "show a file of evidence: what was seen, what would change, the undo",
		Example: `  actionctl evidence show evidence.json
  actionctl evidence show evidence.json -o json`,
		Args: args, ValidArgsFunction: complete,
		RunE: func(_ *cobra.Command, args []string) error {
			d, err := a.readEvidence(args[0])
			if err != nil {
				return err
			}
			return a.print(d, func(w io.Writer) { a.showEvidence(w, d) })
		},
	}
}

func (a *app) showEvidence(w io.Writer, d evidence.Document) {
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(w, "%-13s %s\n", name, printable(value))
		}
	}
	line("taken", view.Age(d.Taken.At, a.Now()))
	line("by", d.Taken.By+" at "+d.Taken.Host+" (self-declared)")
	line("with", programText(d.Taken.Program))
	line("executor", programText(d.Taken.Plugin))
	for _, pair := range sortedPairs(d.Seen.Identity) {
		line("identity", pair)
	}
	line("digest", d.Digest)
	line("seen", d.SeenDigest)
	fmt.Fprintln(w)
	var lines [][]string
	for _, c := range d.Seen.Checks {
		lines = append(lines, []string{string(c.Verdict), c.Name, c.Request, c.Seen, c.Advice})
	}
	a.tabulate(w, []string{"VERDICT", "CHECK", "KEY", "SEEN", "WHAT TO DO"}, lines)
	a.showCards(w, a.evidenceCards(d))
}

// programText names a program once: most begin what they say of their version with their name.
func programText(p evidence.Program) string {
	version := strings.TrimPrefix(p.Version, p.Name+" ")
	return strings.Join(strings.Fields(p.Name+" "+version+" "+p.Digest), " ")
}

// evidenceCards are the cards of what evidence is about.
func (a *app) evidenceCards(d evidence.Document) []view.Card {
	var cards []view.Card
	for _, s := range d.Seen.Subjects {
		c := view.Card{
			Title: s.Key, Action: s.Action, Says: s.Outcome.Message, Changes: s.Outcome.Changes,
			Undo: s.Outcome.UndoChanges, UndoVerb: s.Undo, Names: d.Seen.Network.Name,
			Evidence: d.Digest, EvidenceAt: d.Taken.At, Now: a.Now(),
		}
		if verb, ok := a.Registry.Lookup(s.Action); ok {
			c.Risk = verb.Risk
			c.IsUndo = verb.Undo == s.Undo && a.takesBack(verb, s.Key, s.Parameters)
		}
		cards = append(cards, c)
	}
	return cards
}
