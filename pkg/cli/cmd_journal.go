package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"aws-provider-executor/pkg/commands"
	"aws-provider-executor/pkg/evidence"
	"aws-provider-executor/pkg/gate"
	"aws-provider-executor/pkg/journal"
	"aws-provider-executor/pkg/signature"
)

func (a *app) journal() *cobra.Command {
	var q gate.EventQuery
	var verify bool
	var heads []string
	var from string
	var f filter
	var w watching
	c := &cobra.Command{
		Use:   "journal",
		Short: "show the event log, or verify the journal",
		Long: `journal shows the event log. With --verify it checks the whole journal: every event's
hash and its link to the one before, the end of the log, and every action's row against the event
that wrote it; what is not as it was written is named, and it ends with 1. With --from HEAD it
checks only what came after a head that was kept elsewhere: those events, and the rows that they
wrote. With --follow it goes on, and shows each event as it is written, until it is interrupted.`,
		Example: `  actionctl journal --newest --limit 20
  actionctl journal --key 'mobility-7/*' --kind denied,result --since 24h
  actionctl journal --follow -o json
  actionctl journal --verify
  actionctl journal --verify --from "$(tail -n 1 /mnt/elsewhere/heads)"`,
		Args: commands.NoArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			if q.Limit < 0 || q.After < 0 {
				return usage("--limit and --after are 0 or more")
			}
			if !verify && (len(heads) > 0 || from != "") {
				return usage("--head and --from go with --verify")
			}
			how, err := verification(heads, from)
			if err != nil {
				return err
			}
			if err := errors.Join(f.events(&q, a.Now()), w.check()); err != nil {
				return err
			}
			j, err := a.openJournal(c.Context())
			if err != nil {
				return err
			}
			defer j.Close()
			if w.on {
				return a.follow(c.Context(), j, q, w)
			}
			if !verify {
				events, err := j.Events(c.Context(), q)
				if err != nil {
					return err
				}
				if events == nil {
					events = []gate.Event{}
				}
				return a.print(events, func(w io.Writer) { a.eventTable(w, events) })
			}
			return a.verify(c.Context(), j, how)
		},
	}
	c.Flags().BoolVar(&verify, "verify", false, "check that everything is as it was written")
	c.Flags().StringArrayVar(&heads, "head", nil,
		"with --verify: a `head` that was kept elsewhere, HASH or HASH@EVENT; it must be in the log")
	c.Flags().StringVar(&from, "from", "",
		"with --verify: check only what came after this `head`, HASH or HASH@EVENT, which was kept "+
			"elsewhere")
	c.Flags().IntVar(&q.Limit, "limit", 0, "the most to show; 0 is all")
	c.Flags().Int64Var(&q.After, "after", 0, "go on after this `event`")
	c.Flags().BoolVar(&q.Newest, "newest", false, "the newest first")
	f.flagsOfEvents(c)
	c.Flags().StringSliceVar(&f.kinds, "kind", nil,
		"only events of this `kind`, as denied or result; several are separated by commas")
	w.flags(c, "follow", "go on, and show each event as it is written")
	for _, name := range []string{"limit", "after", "newest", "follow", "key", "kind", "since"} {
		c.MarkFlagsMutuallyExclusive("verify", name)
		c.MarkFlagsMutuallyExclusive("head", name)
		c.MarkFlagsMutuallyExclusive("from", name)
	}
	for _, name := range []string{"limit", "newest"} {
		c.MarkFlagsMutuallyExclusive("follow", name)
	}
	c.AddCommand(a.journalHead())
	return c
}

// verification is what the flags ask for.
func verification(heads []string, from string) (how journal.Verification, err error) {
	for _, text := range heads {
		h, err := keptHead("--head", text)
		if err != nil {
			return how, err
		}
		how.Kept = append(how.Kept, h)
	}
	if from != "" {
		h, err := keptHead("--from", from)
		if err != nil {
			return how, err
		}
		how.From = &h
	}
	return how, nil
}

// keptHead reads a head as it is kept: HASH, or HASH@EVENT.
func keptHead(flag, text string) (journal.Head, error) {
	hash, seq, numbered := strings.Cut(text, "@")
	h := journal.Head{Hash: hash}
	wrong := usage("%s is %q, want HASH or HASH@EVENT, as journal head prints it", flag, text)
	if len(hash) != 64 || strings.Trim(hash, "0123456789abcdef") != "" {
		return h, wrong
	}
	if numbered {
		n, err := strconv.ParseInt(seq, 10, 64)
		if err != nil || n < 0 {
			return h, wrong
		}
		h.Seq = n
	}
	return h, nil
}

func (a *app) verify(ctx context.Context, j *journal.Journal, how journal.Verification) error {
	r, err := a.verified(ctx, j, how)
	if err != nil {
		return err
	}
	if err := a.print(r, func(w io.Writer) {
		if len(r.Faults) == 0 {
			since := ""
			if how.From != nil {
				since = fmt.Sprintf(" after event %d", r.From)
			}
			fmt.Fprintf(w, "the journal is as it was written%s: %d events, %d actions, head %s\n",
				since, r.Events, r.Actions, firstOf(r.Head, "none"))
		}
	}); err != nil {
		return err
	}
	for _, f := range r.Faults {
		fmt.Fprintln(a.stderr, "actionctl:", printable(f))
	}
	if len(r.Faults) > 0 {
		return exit(ExitFailed)
	}
	return nil
}

// verified verifies a journal, and shows on a terminal how far that has come.
func (a *app) verified(
	ctx context.Context, j *journal.Journal, how journal.Verification,
) (journal.Report, error) {
	var bar *progress
	how.Progress = func(done, of int64) {
		if bar == nil {
			bar = a.progress(of)
		}
		bar.set(done)
	}
	r, err := j.VerifyWith(ctx, how)
	if bar != nil {
		bar.set(bar.total)
		bar.clear()
	}
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		err = errors.New("interrupted: not all of the journal was looked at")
	}
	return r, err
}

// signedHead is the end of a log, and who says so when.
type signedHead struct {
	journal.Head
	// Statement is canonical JSON of the head and the time, and Signature that of it.
	Statement string `json:"statement,omitempty"`
	Signature string `json:"signature,omitempty"`
}

// headStatement is what is signed of a head.
type headStatement struct {
	Format string `json:"format"`
	journal.Head
	At time.Time `json:"at"`
}

const headFormat = "aws-provider-executor/journal-head/v1"

func (a *app) journalHead() *cobra.Command {
	var key string
	c := &cobra.Command{
		Use:   "head",
		Short: "print the end of the log, to be kept elsewhere",
		Long: `head prints the end of the log as HASH@EVENT. Keep it where who can write the journal
can't: journal --verify --head then finds a log whose end was taken off, and an older copy of the
file in the newer's place. With --sign it is signed as ssh-keygen -Y sign does.`,
		Example: "  actionctl journal head >> /mnt/elsewhere/heads\n" +
			"  actionctl journal head --sign ~/.ssh/id_ed25519 -o json",
		Args: commands.NoArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			j, err := a.openJournal(c.Context())
			if err != nil {
				return err
			}
			defer j.Close()
			var h signedHead
			if h.Head, err = j.Head(c.Context()); err != nil {
				return err
			}
			if key != "" {
				if err := a.signHead(&h, key); err != nil {
					return err
				}
			}
			return a.print(h, func(w io.Writer) {
				fmt.Fprintf(w, "%s@%d\n", h.Hash, h.Seq)
				if h.Signature != "" {
					fmt.Fprintf(w, "%s\n%s", h.Statement, h.Signature)
				}
			})
		},
	}
	c.Flags().Var(&once{to: &key}, "sign", "sign it with this `key`: a file, or agent:COMMENT")
	return c
}

func (a *app) signHead(h *signedHead, key string) error {
	sign, release, err := a.signer(key, signature.HeadNamespace)
	if err != nil {
		return err
	}
	defer release()
	at := a.Now().UTC().Truncate(time.Second)
	text, err := evidence.Canonical(headStatement{headFormat, h.Head, at})
	if err != nil {
		return err
	}
	armored, err := sign(text)
	h.Statement, h.Signature = string(text), string(armored)
	return err
}

// eventText is what is most worth knowing of an event.
func eventText(e gate.Event) string {
	text := func(name string) string { s, _ := e.Data[name].(string); return s }
	switch {
	case e.Data["reasons"] != nil:
		var all []string
		reasons, _ := e.Data["reasons"].([]any)
		for _, r := range reasons {
			all = append(all, strings.TrimSuffix(fmt.Sprint(r), ":"))
		}
		return text("what") + ": " + strings.Join(all, "; ")
	case e.Kind == gate.EventSelected:
		return text("nodes") + " nodes for " + text("action")
	case e.Kind == gate.EventSelectionSeen:
		return fmt.Sprint(e.Data["differences"])
	case text("error") != "":
		return text("error")
	case text("message") != "":
		return text("message")
	case text("by") != "" && text("signature") != "":
		return "by " + text("by") + " (signed)" + reasonOf(text("reason"))
	case text("by") != "":
		return "by " + text("by") + " (self-declared)" + reasonOf(text("reason"))
	case text("claimant") != "":
		return "by " + text("claimant")
	}
	return text("source")
}

func reasonOf(why string) string {
	if why == "" {
		return ""
	}
	return ": " + why
}
