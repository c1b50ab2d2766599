package cli

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"os"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	"golang.org/x/term"

	"aws-provider-executor/pkg/gate"
	"aws-provider-executor/pkg/policy"
	display "aws-provider-executor/pkg/printable"
	"aws-provider-executor/pkg/protocol"
)

// print writes a value as JSON or YAML, or the table that is made for it.
func (a *app) print(v any, table func(w io.Writer)) error {
	if a.format == "table" {
		table(a.stdout)
		return nil
	}
	return a.printDocument(v)
}

// printDocument writes a document that has no table: JSON unless YAML is asked for.
func (a *app) printDocument(v any) error {
	if rows, are := v.([]outcomeRow); are && len(rows) > 0 && a.format != "yaml" {
		return a.printRows(slices.Values(rows))
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return err
	}
	text := display.JSON(b.Bytes())
	if a.format == "yaml" {
		text = toYAML(b.Bytes())
		if a.printed > 0 {
			text = append([]byte("---\n"), text...)
		}
	}
	a.printed++
	_, err := a.stdout.Write(text)
	return err
}

// printRows writes rows as printDocument writes a list, one by one: there may be 100,000.
func (a *app) printRows(rows iter.Seq[outcomeRow]) error {
	out := bufio.NewWriterSize(a.stdout, 64<<10)
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("  ", "  ")
	between := "[\n  "
	for row := range rows {
		b.Reset()
		if err := e.Encode(row); err != nil {
			return err
		}
		_, _ = out.WriteString(between)
		_, _ = out.Write(display.JSON(bytes.TrimSuffix(b.Bytes(), []byte("\n"))))
		between = ",\n  "
	}
	a.printed++
	end := "\n]\n"
	if between == "[\n  " {
		end = "[]\n"
	}
	_, _ = out.WriteString(end)
	return out.Flush()
}

// toYAML turns JSON, which is YAML, into the form that people read, its order kept. What the
// library cannot read or write stays JSON, so that what was done is told.
func toYAML(text []byte) []byte {
	var n yaml.Node
	if err := yaml.Unmarshal(display.YAML(text), &n); err != nil {
		return display.JSON(text)
	}
	plain(&n)
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := e.Encode(&n); err != nil {
		return display.JSON(text)
	}
	return display.YAML(b.Bytes())
}

// plain takes JSON's braces and quotes off, but where a text would be something else without them,
// to readers of YAML 1.1 too: yes, 12:30:45. Only quotes can hold an escape.
func plain(n *yaml.Node) {
	switch {
	case n.Kind != yaml.ScalarNode:
		n.Style = 0
	case strings.ContainsFunc(n.Value, display.Hidden):
		n.Style = yaml.DoubleQuotedStyle
	case n.ShortTag() == "!!str":
		_ = n.Encode(n.Value)
	}
	for _, c := range n.Content {
		plain(c)
	}
}

// printable is a text of one line without what a terminal obeys, or nobody sees.
func printable(s string) string { return display.Text(s) }

// output remembers what could not be written: not everything that writes to it tells.
type output struct {
	io.Writer
	err error
}

func (o *output) Write(p []byte) (int, error) {
	n, err := o.Writer.Write(p)
	if err != nil && o.err == nil {
		o.err = err
	}
	return n, err
}

func isTerminal(w any) bool { return terminal(w) != nil }

// terminal is the terminal that a stream is; nil where it is none.
func terminal(stream any) *os.File {
	if o, ok := stream.(*output); ok {
		stream = o.Writer
	}
	if f, ok := stream.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return f
	}
	return nil
}

var colours = map[string]string{
	"pending": "33", "approved": "36", "running": "34", "succeeded": "32", "failed": "31",
	"skipped": "35", "rolledBack": "90",
	"done": "32", "refused": "31", "not reached": "90",
	"pass": "32", "warn": "33", "fail": "31", "unknown": "35",
}

// paint colours a word, on a terminal only. Every word of a column gets as many bytes, so that
// the columns stay.
func (a *app) paint(word string) string {
	if !a.colours() {
		return word
	}
	colour, ok := colours[word]
	if !ok {
		colour = "39"
	}
	return "\x1b[" + colour + "m" + word + "\x1b[0m"
}

// colours reports whether the output may have colours: on a terminal, unless told otherwise.
func (a *app) colours() bool {
	return isTerminal(a.stdout) && a.env["NO_COLOR"] == "" && a.env["TERM"] != "dumb"
}

// outcomeRow is what an operation did to a row of the journal.
type outcomeRow struct {
	gate.Row
	Verdict gate.Verdict `json:"verdict"`
	Message string       `json:"message,omitempty"`
	Reasons []string     `json:"reasons,omitempty"`
	// DryRun is what the executor said, where the row does not.
	DryRun *protocol.Status `json:"dryRun,omitempty"`
}

// report prints the outcomes of an operation and makes the exit code of them.
func (a *app) report(outcomes []gate.Outcome, dryRun bool, err error) error {
	return a.reportWith(summary{}, outcomes, dryRun, err)
}

// reportWith is report with a closing summary.
func (a *app) reportWith(s summary, outcomes []gate.Outcome, dryRun bool, err error) error {
	return a.reportThen(s, outcomes, dryRun, err, func() {})
}

// reportThen is reportWith that shows more before the summary.
func (a *app) reportThen(
	s summary, outcomes []gate.Outcome, dryRun bool, err error, more func(),
) error {
	return a.reportAs(outcomeRows(outcomes, dryRun), s, outcomes, dryRun, err, more)
}

// reportAs is reportThen with a document of its own, where one is printed.
func (a *app) reportAs(
	document any, s summary, outcomes []gate.Outcome, dryRun bool, err error, more func(),
) error {
	if a.format == "table" {
		a.reportTable(outcomes)
	} else if printErr := a.printDocument(document); printErr != nil {
		return printErr
	}
	more()
	a.explain(outcomes, s.word == nil)
	a.countRefused(outcomes, dryRun)
	a.summarize(s, outcomes)
	if err != nil {
		return err
	}
	notBegun := slices.ContainsFunc(outcomes, func(o gate.Outcome) bool {
		return o.Verdict == gate.NotReached
	})
	switch failed, refused := gate.Failures(outcomes); {
	case failed:
		return exit(ExitFailed)
	case refused:
		return exit(ExitRefused)
	case notBegun:
		// The command was interrupted.
		return exit(ExitFailed)
	}
	return nil
}

func outcomeRows(outcomes []gate.Outcome, dryRun bool) []outcomeRow {
	rows := make([]outcomeRow, len(outcomes))
	for i, o := range outcomes {
		rows[i] = rowOf(o, dryRun)
	}
	return rows
}

func rowOf(o gate.Outcome, dryRun bool) outcomeRow {
	row := outcomeRow{Row: o.Action.Row(), Verdict: o.Verdict, Message: o.Message}
	for _, r := range o.Reasons {
		row.Reasons = append(row.Reasons, r.Field+": "+r.Text)
	}
	if dryRun && o.Result != nil {
		row.DryRun = &o.Result.Status
	}
	return row
}

// outcomeRowsOf makes the rows of outcomes as they are asked for.
func outcomeRowsOf(outcomes iter.Seq[gate.Outcome]) iter.Seq[outcomeRow] {
	return func(yield func(outcomeRow) bool) {
		for o := range outcomes {
			if !yield(rowOf(o, false)) {
				return
			}
		}
	}
}

// idText is an action's id, empty where it would be given one.
func idText(x gate.Action) string {
	if x.ID == 0 {
		return ""
	}
	return fmt.Sprint(x.ID)
}

func (a *app) reportTable(outcomes []gate.Outcome) {
	var lines [][]string
	for _, o := range outcomes {
		if o.Verdict == gate.Done {
			lines = append(
				lines,
				[]string{idText(o.Action), o.Action.IdempotencyKey, string(o.Action.Status), o.Message},
			)
		}
	}
	if len(lines) > 0 {
		a.tabulate(a.stdout, []string{"ID", "KEY", "STATUS", "MESSAGE"}, lines)
	}
}

// explain tells people why something was not done. Where no summary follows it counts what was not
// begun.
func (a *app) explain(outcomes []gate.Outcome, last bool) {
	notReached := 0
	for _, o := range outcomes {
		switch o.Verdict {
		case gate.NotReached:
			notReached++
		case gate.Refused:
			fmt.Fprintf(
				a.stderr,
				"actionctl: action %d (%s) refused:\n",
				o.Action.ID,
				printable(o.Action.IdempotencyKey),
			)
			a.explainReasons(o.Reasons)
		case gate.Unsuccessful:
			fmt.Fprintf(
				a.stderr,
				"actionctl: action %d (%s) failed: %s\n",
				o.Action.ID,
				printable(o.Action.IdempotencyKey),
				printable(o.Message),
			)
		}
	}
	if notReached > 0 && (last || a.format != "table") {
		fmt.Fprintf(a.stderr, "actionctl: %d not begun, because of what came before\n", notReached)
	}
}

func (a *app) explainReasons(reasons policy.Denial) {
	for _, r := range reasons {
		fmt.Fprintf(a.stderr, "  %s: %s\n", r.Field, printable(r.Text))
		if r.Field == "policy" && a.policyFile() == "" {
			fmt.Fprintln(a.stderr, "  name one with --policy or ACTIONCTL_POLICY")
		}
	}
}

// sortedPairs are the entries of a map, in order.
func sortedPairs(m map[string]string) []string {
	var all []string
	for k, v := range m {
		all = append(all, k+"="+v)
	}
	slices.Sort(all)
	return all
}
