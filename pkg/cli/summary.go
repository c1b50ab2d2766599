package cli

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"aws-provider-executor/pkg/gate"
)

// tell tells a person something, on standard error.
func (a *app) tell(format string, args ...any) {
	fmt.Fprintf(a.stderr, "actionctl: "+format+"\n", args...)
}

// next is a command to go on with, and what it is for.
type next struct{ to, command string }

// summary is how a command ended: how many actions came to what, and what there is to do now.
type summary struct {
	// words say what an action came to, from its outcome.
	word func(gate.Outcome) string
	// next are the commands to go on with.
	next func(a *app, outcomes []gate.Outcome) []next
}

// summarize tells people how a command ended. Where all is done, only a terminal is told.
func (a *app) summarize(s summary, outcomes []gate.Outcome) {
	if s.word == nil {
		return
	}
	left := slices.ContainsFunc(outcomes, func(o gate.Outcome) bool { return o.Verdict != gate.Done })
	if a.format != "table" || len(outcomes) == 0 || !left && !isTerminal(a.tty) {
		return
	}
	var words []string
	counts := map[string]int{}
	for _, o := range outcomes {
		word := s.word(o)
		if counts[word]++; counts[word] == 1 {
			words = append(words, word)
		}
	}
	for i, word := range words {
		words[i] = fmt.Sprintf("%d %s", counts[word], word)
	}
	a.tell("%s", strings.Join(words, ", "))
	for _, n := range s.next(a, outcomes) {
		fmt.Fprintf(a.stderr, "  %s: %s\n", n.to, printable(n.command))
	}
}

// wordOf is what an action came to, whatever was done with it.
func wordOf(o gate.Outcome) string {
	switch {
	case o.Verdict == gate.Done && o.Action.Status == gate.RolledBack:
		return "rolled back"
	case o.Verdict == gate.Done:
		return string(o.Action.Status)
	case o.Verdict == gate.NotReached:
		return "not begun"
	}
	return string(o.Verdict)
}

// idsWhere are the ids of the outcomes that fit, in their order.
func idsWhere(outcomes []gate.Outcome, fits func(gate.Outcome) bool) []string {
	var ids []string
	for _, o := range outcomes {
		if id := fmt.Sprint(o.Action.ID); fits(o) && o.Action.ID != 0 && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// maxNamed is how many actions a command names one by one.
const maxNamed = 40

// command is a command line of this program that means the same files. A rest that is longer than
// maxNamed is not written out: all is said in its place.
func (a *app) command(verb string, ids []string, all string) string {
	words := []string{"actionctl"}
	for _, flag := range []struct{ name, value string }{
		{"--journal", a.journalPath}, {"--policy", a.policyPath}, {"--plugin", a.pluginPath},
	} {
		if flag.value != "" {
			words = append(words, flag.name, quoted(flag.value))
		}
	}
	words = append(words, verb)
	if len(ids) > maxNamed {
		ids = []string{all}
	}
	return strings.Join(append(words, ids...), " ")
}

var plainWord = regexp.MustCompile(`^[A-Za-z0-9_@%+=:,./-]+$`)

// quoted is a word as a shell takes it.
func quoted(word string) string {
	if plainWord.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// isDone and isOpen tell what there is nothing more to do with from what is left.
func isDone(o gate.Outcome) bool { return o.Verdict == gate.Done }
func isOpen(o gate.Outcome) bool { return o.Verdict != gate.Done }

// afterExecution goes on with what is left, and tells how to take back what was done.
var afterExecution = summary{word: wordOf, next: func(a *app, all []gate.Outcome) (n []next) {
	n = a.onwards("execute", all, mayBeTried, "--all-approved")
	if changed := idsWhere(all, mayBeTakenBack); len(changed) > 0 {
		n = append(n, next{"to take it back", a.command("rollback", changed, "--all")})
	}
	return n
}}

// mayBeTakenBack reports whether an action may have changed something that an undo takes back.
func mayBeTakenBack(o gate.Outcome) bool {
	return o.Action.MayHaveChanged && o.Action.Plan.Undo != nil
}

// onwards are the commands for what is left: what was refused first needs what the refusal says.
func (a *app) onwards(
	verb string, all []gate.Outcome, left func(gate.Outcome) bool, whole string,
) (n []next) {
	refused := func(o gate.Outcome) bool { return left(o) && o.Verdict == gate.Refused }
	other := func(o gate.Outcome) bool { return left(o) && o.Verdict != gate.Refused }
	if ids := idsWhere(all, other); len(ids) > 0 {
		n = append(n, next{"to go on", a.command(verb, ids, whole)})
	}
	if ids := idsWhere(all, refused); len(ids) > 0 {
		n = append(n, next{"once that is mended", a.command(verb, ids, whole)})
	}
	return n
}

// mayBeTried reports whether it is of use to execute an action again.
func mayBeTried(o gate.Outcome) bool {
	return isOpen(o) && !slices.Contains(
		[]gate.Status{gate.Succeeded, gate.RolledBack, gate.Rejected}, o.Action.Status)
}

// afterDryRun goes on to approve what would be done.
var afterDryRun = summary{word: dryWord, next: func(a *app, all []gate.Outcome) (n []next) {
	pending := func(o gate.Outcome) bool { return isDone(o) && o.Action.Status == gate.Pending }
	if ids := idsWhere(all, pending); len(ids) > 0 {
		command := a.command("approve", ids, "--status pending") + " --by WHO"
		n = append(n, next{"to approve", command})
	}
	approved := func(o gate.Outcome) bool { return isDone(o) && o.Action.Status == gate.Approved }
	if ids := idsWhere(all, approved); len(ids) > 0 {
		n = append(n, next{"to execute", a.command("execute", ids, "--all-approved")})
	}
	return n
}}

func dryWord(o gate.Outcome) string {
	switch o.Verdict {
	case gate.Done:
		return "would go through"
	case gate.Unsuccessful:
		return "would fail"
	}
	return wordOf(o)
}

// afterUndoDryRun goes on to undo what could be undone.
var afterUndoDryRun = summary{word: dryWord, next: func(a *app, all []gate.Outcome) (n []next) {
	if ids := idsWhere(all, isDone); len(ids) > 0 {
		n = append(n, next{"to take it back", a.command("rollback", ids, "--all")})
	}
	return n
}}

// afterRollback goes on with what is left.
var afterRollback = summary{word: wordOf, next: func(a *app, all []gate.Outcome) (n []next) {
	open := func(o gate.Outcome) bool {
		return isOpen(o) && o.Action.Status != gate.RolledBack && o.Action.Plan.Undo != nil
	}
	return a.onwards("rollback", all, open, "--all")
}}

// afterApproval goes on to execute what is approved.
var afterApproval = summary{
	word: func(o gate.Outcome) string {
		if isDone(o) && o.Action.Status != gate.Approved {
			return "approved by one more"
		}
		return wordOf(o)
	},
	next: func(a *app, all []gate.Outcome) (n []next) {
		approved := func(o gate.Outcome) bool { return isDone(o) && o.Action.Status == gate.Approved }
		if ids := idsWhere(all, approved); len(ids) > 0 {
			n = append(n, next{"to execute", a.command("execute", ids, "--all-approved")})
		}
		return n
	},
}

// afterRejection tells how a no is taken back.
var afterRejection = summary{word: wordOf, next: func(*app, []gate.Outcome) []next { return nil }}

// afterRehearsal names no command: the one that was given, without --dry-run, does it.
var afterRehearsal = summary{word: afterImportWord, next: func(*app, []gate.Outcome) []next {
	return nil
}}

func afterImportWord(o gate.Outcome) string {
	if isDone(o) {
		return strings.SplitN(o.Message, ",", 2)[0]
	}
	return wordOf(o)
}

// afterImport goes on to ask what would be done.
var afterImport = summary{
	word: afterImportWord,
	next: func(a *app, all []gate.Outcome) (n []next) {
		pending := func(o gate.Outcome) bool { return o.Action.Status == gate.Pending }
		if ids := idsWhere(all, pending); len(ids) > 0 && len(ids) <= maxNamed {
			n = append(n, next{"to see what would be done", a.command("execute", ids, "") + " --dry-run"})
		}
		if ids := idsWhere(all, pending); len(ids) > maxNamed {
			n = append(n, next{"to look at them", a.command("list --status pending", nil, "")})
		}
		taken := func(o gate.Outcome) bool { return isDone(o) && o.Action.MayHaveChanged }
		if ids := idsWhere(all, taken); len(ids) > 0 {
			n = append(n, next{"to roll them back", a.command("rollback", ids, "--all")})
		}
		return n
	},
}
