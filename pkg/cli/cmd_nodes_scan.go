package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"aws-provider-executor/pkg/nodes"
	"aws-provider-executor/pkg/nodes/events"
	"aws-provider-executor/pkg/nodes/probe"
	"aws-provider-executor/pkg/nodes/scan"
)

// regionRow is what a scan of one region came to. The region is empty where a manager could not
// look at all.
type regionRow struct {
	Manager   string        `json:"manager"`
	ManagerID string        `json:"managerId"`
	AccountID string        `json:"accountId"`
	Region    string        `json:"region"`
	Verdict   nodes.Verdict `json:"verdict,omitempty"`
	Skipped   string        `json:"skipped,omitempty"`
	Reason    string        `json:"reason,omitempty"`
	Millis    int64         `json:"millis"`
	Calls     int           `json:"calls"`
	Throttled int           `json:"throttled"`
	nodes.Summary
}

func regionRows(results []scan.Result) []regionRow {
	rows := make([]regionRow, len(results))
	for i, r := range results {
		rows[i] = rowOfRegion(r)
	}
	return rows
}

func rowOfRegion(r scan.Result) regionRow {
	return regionRow{
		Manager: r.Manager.Name, ManagerID: r.Manager.ID, AccountID: r.AccountID, Region: r.Region,
		Verdict: r.Verdict, Skipped: r.Skipped, Reason: r.Reason, Millis: r.Took.Milliseconds(),
		Calls: r.Calls, Throttled: r.Throttled, Summary: r.Summary,
	}
}

var regionColumns = []column{
	{name: "MANAGER", whole: true, spare: 2}, {name: "ACCOUNT", whole: true, spare: 1},
	{name: "REGION", whole: true}, {name: "VERDICT", whole: true}, {name: "NODES"}, {name: "NEW"},
	{name: "CHANGED"}, {name: "ABSENT"}, {name: "GONE"}, {name: "CALLS", spare: 3},
	{name: "TIME", spare: 4}, {name: "REASON"},
}

func (r regionRow) line() []string {
	verdict := string(r.Verdict)
	if r.Skipped != "" {
		verdict = "left out"
	}
	return []string{r.Manager, r.AccountID, r.Region, verdict, strconv.Itoa(r.Seen - r.Ignored),
		strconv.Itoa(r.Added), strconv.Itoa(r.Changed), strconv.Itoa(r.Absent), strconv.Itoa(r.Gone),
		strconv.Itoa(r.Calls), (time.Duration(r.Millis) * time.Millisecond).String(),
		firstOf(r.Reason, r.Skipped)}
}

func (n *nodeCommands) regionTable(w io.Writer, rows []regionRow) {
	lines := make([][]string, len(rows))
	for i, r := range rows {
		lines[i] = r.line()
	}
	n.tabulateColumns(w, regionColumns, lines)
}

// tellRevivable tells which terminated nodes are shown alive, and how to have them live again.
func tellRevivable(w io.Writer, revivable []string, revived int, command string) {
	if len(revivable) > 0 {
		fmt.Fprintf(w, "\n%d terminated nodes are shown alive, and stay terminated: %s\n"+
			"To have them live again: %s\n", len(revivable), strings.Join(revivable, " "), command)
	}
	if revived > 0 {
		fmt.Fprintf(w, "\n%d terminated nodes live again.\n", revived)
	}
}

// tellRevivableOf does so for all regions. The managers are those that show such nodes.
func tellRevivableOf(w io.Writer, rows []regionRow) {
	var ids, managers []string
	revived := 0
	for _, r := range rows {
		if len(r.Revivable) > 0 {
			managers = append(managers, quoted(r.Manager))
		}
		ids, revived = append(ids, r.Revivable...), revived+r.Revived
	}
	slices.Sort(ids)
	slices.Sort(managers)
	tellRevivable(w, slices.Compact(ids), revived,
		"actionctl nodes scan "+strings.Join(slices.Compact(managers), " ")+" --revive")
}

func allWhole(results []scan.Result) bool {
	return !slices.ContainsFunc(results, func(r scan.Result) bool { return !r.Whole() })
}

// scanProgress tells at a terminal how far a scan has come.
type scanProgress struct {
	*nodeCommands
	mu      sync.Mutex
	regions int
	told    bool
}

func (n *nodeCommands) scanned() *scanProgress { return &scanProgress{nodeCommands: n} }

func (p *scanProgress) tell(r scan.Result) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.regions++
	if !isTerminal(p.tty) || p.env["TERM"] == "dumb" {
		return
	}
	p.told = true
	fmt.Fprintf(p.tty, "\r\x1b[K%d regions, last %s %s %s", p.regions, printable(r.Manager.Name),
		printable(r.Region), r.Verdict)
}

// clear takes the line off the terminal.
func (p *scanProgress) clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.told {
		fmt.Fprint(p.tty, "\r\x1b[K")
	}
}

func (n *nodeCommands) scanCommand() *cobra.Command {
	revive := false
	c := &cobra.Command{
		Use:   "scan [MANAGER...]",
		Short: "look at every region of managers",
		Long: `scan reads every region that the managers cover, all of them where none is named, and tells
one verdict of each:

  complete     it was read to the end; only this concludes anything
  denied       the identity may not read it
  disabled     the account has not opted into it, or its list of regions does not have it
  throttled    it had the scan wait until that gave up
  unreachable  it gave no answer, one that nobody understands, or could not be asked: there is
               no way there, or there are no credentials that can be read

A region that was not complete leaves its nodes as they are. A node that two complete scans did
not show is asked for by its id, and is terminated where there is none. At least 5 minutes are
between the two, and none counts in the first 10 minutes after a node was launched.

Exit: 0 all regions were complete, 1 one was not.`,
		Example: `  actionctl nodes scan
  actionctl nodes scan shop -o json`,
		ValidArgsFunction: n.completeManagers,
		RunE: func(c *cobra.Command, args []string) error {
			s, scanner, err := n.openScanner(c.Context(), false)
			if err != nil {
				return err
			}
			defer s.Close()
			managers, err := managersNamed(c.Context(), s, args)
			if err != nil {
				return err
			}
			if !slices.ContainsFunc(managers, func(m nodes.Manager) bool {
				return m.Type != nodes.ManagerOfManual
			}) {
				return errors.New("there is no manager to scan; see actionctl nodes managers create --help")
			}
			seen := n.scanned()
			results, err := scanner.Scan(c.Context(), scan.Request{Managers: managers, Revive: revive,
				By: operator(), Progress: seen.tell})
			seen.clear()
			rows := regionRows(results)
			printed := n.print(rows, func(w io.Writer) {
				n.regionTable(w, rows)
				tellRevivableOf(w, rows)
			})
			if err := errors.Join(err, printed); err != nil || allWhole(results) {
				return err
			}
			return exit(ExitFailed)
		},
	}
	c.Flags().BoolVar(&revive, "revive", false,
		"have terminated nodes live again that the cloud shows alive")
	return c
}

func (n *nodeCommands) watch() *cobra.Command {
	var o scan.WatchOptions
	p := n.prober()
	due, queueURL := time.Duration(0), ""
	c := &cobra.Command{
		Use:   "watch [MANAGER...]",
		Short: "scan managers again and again, and probe manual nodes that are due",
		Long: `watch scans each manager at its own interval, a little early by chance so that they do not
all come at once, until it is told to stop. It tells each region as it ends, a line each. Managers
that are created meanwhile are scanned, too. A region that is throttled or gives no answer is left
alone for longer each time; no manager waits for another. Manual nodes that are due are probed, as
nodes probe does, unless managers are named and the manual one is not among them.

--queue names a queue of SQS to which EventBridge sends EC2's changes of state: they are taken over
as they happen, and scans find out what was lost. A message is deleted once it is in the store. One
for an account or region of no manager, and one that is not understood, is left.

examples/systemd has a unit for it.`,
		Example: `  actionctl nodes watch
  actionctl nodes watch own shop`,
		ValidArgsFunction: n.completeManagers,
		RunE: func(c *cobra.Command, args []string) error {
			if o.Interval < time.Minute {
				return usage("--interval is %s, want a minute or more", o.Interval)
			}
			if due < 0 || p.Timeout <= 0 || p.AtOnce < 1 {
				return usage("--probe-timeout and --at-once are more than 0, and --probe-due is 0 or more")
			}
			s, scanner, err := n.openScanner(c.Context(), true)
			if err != nil {
				return err
			}
			defer s.Close()
			queue, err := n.openQueue(c.Context(), queueURL)
			if err != nil {
				return err
			}
			if len(args) > 0 {
				managers, err := managersNamed(c.Context(), s, args)
				if err != nil {
					return err
				}
				for _, m := range managers {
					o.Only = append(o.Only, m.ID)
				}
			}
			t := &watchTeller{nodeCommands: n, fates: map[events.Fate]int{}}
			o.Now, o.Result, o.Failed = n.Now, t.region, t.failed
			var others sync.WaitGroup
			if due > 0 && (len(o.Only) == 0 || slices.Contains(o.Only, nodes.ManualManager)) {
				others.Go(func() {
					p.Watch(c.Context(), s, probe.WatchOptions{Due: due, Done: t.probed, Failed: t.failed})
				})
			}
			if queue != nil {
				l := events.Listener{Queue: queue, Store: s, Now: n.Now, Told: t.event, Failed: t.failed}
				others.Go(func() { l.Run(c.Context()) })
			}
			scan.NewWatcher(s, scanner, o).Run(c.Context())
			others.Wait()
			return nil
		},
	}
	c.Flags().DurationVar(&o.Interval, "interval", time.Hour,
		"how often managers are scanned that have no interval of their own")
	c.Flags().StringVar(&queueURL, "queue", "", "the `URL` of a queue of EC2's changes of state")
	c.Flags().DurationVar(&due, "probe-due", 24*time.Hour,
		"how long after a probe of a manual node the next one is due; 0 probes none")
	c.Flags().DurationVar(&p.Timeout, "probe-timeout", 10*time.Second, "how long one probe may take")
	c.Flags().IntVar(&p.AtOnce, "at-once", 16, "how many nodes are probed at once")
	return c
}

// openQueue opens a queue; nil where none is named.
func (n *nodeCommands) openQueue(ctx context.Context, url string) (events.Queue, error) {
	switch {
	case url == "":
		return nil, nil
	case n.OpenQueue == nil:
		return nil, errors.New("this program listens to no queue")
	}
	q, err := n.OpenQueue(ctx, url, n.log)
	if err != nil {
		return nil, usage("--queue: %v", err)
	}
	return q, nil
}

// eventRow is what a message of a queue came to.
type eventRow struct {
	MessageID string        `json:"messageId"`
	Fate      events.Fate   `json:"fate"`
	Reason    string        `json:"reason,omitempty"`
	SourceID  string        `json:"sourceId,omitempty"`
	State     nodes.State   `json:"state,omitempty"`
	NodeID    string        `json:"nodeId,omitempty"`
	Outcome   nodes.Outcome `json:"outcome,omitempty"`
}

func (t *watchTeller) event(x events.Told) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.fates[x.Fate]++
	row := eventRow{MessageID: x.Message.ID, Fate: x.Fate, Reason: x.Reason,
		SourceID: x.Event.Source.ID, State: x.Event.State, NodeID: x.Received.NodeID,
		Outcome: x.Received.Outcome}
	_ = t.print(row, func(w io.Writer) { // what can't be written is told at the end
		text := strings.TrimSpace(row.SourceID + " " + string(row.State) + " " +
			firstOf(row.Reason, string(row.Outcome)))
		fmt.Fprintln(w, t.Now().UTC().Format(time.RFC3339), "event", printable(row.MessageID),
			fmt.Sprintf("%s (%d so far):", row.Fate, t.fates[x.Fate]), printable(text))
	})
}

// watchTeller tells what a watch comes to, one thing after the other.
type watchTeller struct {
	*nodeCommands
	mu sync.Mutex
	// fates counts the messages of the queue by what became of them.
	fates map[events.Fate]int
}

func (t *watchTeller) region(r scan.Result) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.tellRegion(r)
}

func (t *watchTeller) failed(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	fmt.Fprintln(t.stderr, "actionctl:", err)
}

func (t *watchTeller) probed(n *nodes.Node, p nodes.Probe) {
	t.mu.Lock()
	defer t.mu.Unlock()
	row := rowOfProbe(n, p)
	_ = t.print(row, func(w io.Writer) { // what can't be written is told at the end
		fmt.Fprintln(w, t.Now().UTC().Format(time.RFC3339), printable(row.Name), row.Status+":",
			printable(row.Says))
	})
}

// tellRegion tells of a region as it ends: a line for people, a document in JSON or YAML.
func (n *nodeCommands) tellRegion(r scan.Result) {
	row := rowOfRegion(r)
	_ = n.print(row, func(w io.Writer) { // what can't be written is told at the end
		fmt.Fprintln(w, strings.TrimSpace(fmt.Sprintf("%s %s/%s/%s %s: %d nodes, %d new, %d changed, "+
			"%d gone %s", n.Now().UTC().Format(time.RFC3339), printable(row.Manager), row.AccountID,
			row.Region, firstOf(string(row.Verdict), "left out"), row.Seen-row.Ignored, row.Added,
			row.Changed, row.Gone, printable(firstOf(row.Reason, row.Skipped)))))
	})
}
