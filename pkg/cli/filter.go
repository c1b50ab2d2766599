package cli

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"aws-provider-executor/pkg/gate"
)

// filter are the flags that choose among the actions of a journal. Of each flag one value must
// fit.
type filter struct {
	statuses, actions, keys, targets, kinds []string
	since, selection                        string
}

func (f *filter) flags(a *app, c *cobra.Command) {
	c.Flags().StringSliceVar(&f.statuses, "status", nil,
		"only those of this `status`: "+strings.Join(statusNames(), ", ")+"; several are separated "+
			"by commas")
	c.Flags().StringSliceVar(&f.actions, "action", nil, "only those of this `verb`, or of several")
	c.Flags().StringArrayVar(&f.targets, "target", nil,
		"only those whose target has this `id` or address; may be given several times")
	f.selectionFlag(a, c)
	f.flagsOfEvents(c)
	_ = c.RegisterFlagCompletionFunc(
		"status",
		cobra.FixedCompletions(statusNames(), cobra.ShellCompDirectiveNoFileComp),
	)
	_ = c.RegisterFlagCompletionFunc("action", a.completeVerb)
}

// selectionFlag adds the one that chooses the plans of a selection.
func (f *filter) selectionFlag(a *app, c *cobra.Command) {
	c.Flags().StringVar(&f.selection, "selection", "",
		"only the plans of the selection with this `key`, as actionctl plan --nodes was given it")
	_ = c.RegisterFlagCompletionFunc("selection", a.completeSelections)
}

// flagsOfEvents adds those that choose among events, too.
func (f *filter) flagsOfEvents(c *cobra.Command) {
	c.Flags().StringArrayVar(&f.keys, "key", nil,
		"only those with this idempotency `key`, in which * stands for any text; may be given "+
			"several times")
	c.Flags().StringVar(&f.since, "since", "",
		"only those changed since this `time`: as 2006-01-02T15:04:05Z, 2006-01-02, or a duration "+
			"as 90m, which counts back from now")
}

// query is what the flags ask for.
func (f *filter) query(now time.Time) (gate.Query, error) {
	q := gate.Query{Actions: f.actions, Keys: f.keys, Targets: f.targets}
	for _, s := range f.statuses {
		if !slices.Contains(gate.Statuses(), gate.Status(s)) {
			return q, usage("--status is %q, want one of %s", s, strings.Join(statusNames(), ", "))
		}
		q.Statuses = append(q.Statuses, gate.Status(s))
	}
	var err error
	q.Since, err = parseSince(f.since, now)
	return q, err
}

// events adds what the flags ask for to a query of events.
func (f *filter) events(q *gate.EventQuery, now time.Time) (err error) {
	q.Keys = f.keys
	for _, k := range f.kinds {
		if !slices.Contains(gate.EventKinds(), gate.EventKind(k)) {
			return usage("--kind is %q, want one of %s", k, kindNames())
		}
		q.Kinds = append(q.Kinds, gate.EventKind(k))
	}
	q.Since, err = parseSince(f.since, now)
	return err
}

func kindNames() string {
	var names []string
	for _, k := range gate.EventKinds() {
		names = append(names, string(k))
	}
	return strings.Join(names, ", ")
}

// parseSince reads the earliest time that is asked for.
func parseSince(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return now.Add(-ago), nil
	}
	for _, form := range []string{time.RFC3339, "2006-01-02T15:04:05", time.DateTime,
		"2006-01-02 15:04", time.DateOnly} {
		if at, err := time.ParseInLocation(form, text, time.Local); err == nil {
			return at, nil
		}
	}
	return time.Time{}, usage("--since is %q, want a time as 2006-01-02T15:04:05Z, a day as "+
		"2006-01-02, or a duration as 90m or 24h", text)
}

func statusNames() []string {
	names := make([]string, len(gate.Statuses()))
	for i, s := range gate.Statuses() {
		names[i] = string(s)
	}
	return names
}

// found is how many there are, in words.
func found(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}
