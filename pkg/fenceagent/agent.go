// Package fenceagent is a fence agent for clusters such as Pacemaker's, over the verbs
// fence-security-groups and unfence-security-groups.
//
// It is thin. It reads options, as lines of name=value or as arguments, and maps them to a verb's
// parameters. The executor carries the request out in the same process: the same plan, ledger,
// policy and deadline as for a core. The result becomes an exit code and a line of words.
//
// Whoever calls it may rely on this. The exit code is 0 for off only where the instance was read
// to be cut off: every interface has the groups of the fence, or the instance is stopped or
// terminated, read twice. What can't be known is 1, never off. 2 is for status alone, and means
// off; a crash of the program is no 2. Killed at any instant and called again, it finds out what
// became of the call before. No output has a secret in it. Options keep their names.
package fenceagent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
	"unicode"

	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/executor"
	"aws-provider-executor/pkg/metrics"
	"aws-provider-executor/pkg/plugin"
	"aws-provider-executor/pkg/protocol"
	"aws-provider-executor/pkg/trace"
)

// The exit codes of a fence agent.
const (
	exitDone   = 0
	exitFailed = 1
	// exitOff is the answer of status that the instance is off.
	exitOff = 2
)

// Program is the agent as a program.
type Program struct {
	Name, Version string
	// Executor carries out what changes something, and tells what is so.
	Executor *executor.Process
	// Connect opens a region, to find instances and to ask for permissions.
	Connect func(ctx context.Context, region string, budget time.Duration,
		log *slog.Logger) (EC2, error)
	// OwnRegion tells the region that this machine is in.
	OwnRegion func(context.Context, *slog.Logger) (string, error)
	// Home tells the home directory of the user that this runs as, where HOME does not.
	Home func() string
	// Setenv sets a variable of this process, for the AWS SDK.
	Setenv func(name, value string) error
	// Wait returns after a duration, or with the context's error if that ends first.
	Wait func(context.Context, time.Duration) error
	// OpenLog opens a file that lines are added to.
	OpenLog func(path string) (io.WriteCloser, error)
}

// EC2 is what the agent reads and asks by itself.
type EC2 interface {
	DescribeInstance(ctx context.Context, id string) (ec2model.Instance, error)
	FindInstances(ctx context.Context, what string, by ...ec2model.Filter) (
		[]ec2model.Instance, error)
	SomeInstances(ctx context.Context, what string, by ...ec2model.Filter) (
		[]ec2model.Instance, error)
	DescribeSecurityGroups(ctx context.Context, ids ...string) ([]ec2model.SecurityGroup, error)
	Asker
}

// Asker asks whether a change would be permitted, and makes none.
type Asker interface {
	ModifySecurityGroups(ctx context.Context, nic string, groups []string) error
	CreateTag(ctx context.Context, resource, key, value string) error
	DeleteTag(ctx context.Context, resource, key, value string) error
	StopInstance(ctx context.Context, id string) error
	StartInstance(ctx context.Context, id string) error
}

// Main runs the agent and returns its exit code. It reads options from the arguments if there are
// any, and else from standard input.
func (p *Program) Main(
	ctx context.Context, args, environ []string, stdin io.Reader, stdout, stderr io.Writer,
) int {
	ctx, restore := signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP,
		syscall.SIGQUIT, syscall.SIGABRT)
	defer restore()
	// A cluster that has gone away must not kill a run half-way.
	signal.Ignore(syscall.SIGPIPE)
	set := metrics.New(p.Name, p.Version)
	r := &run{
		Program: p, ctx: metrics.NewContext(ctx, set), metrics: set, began: time.Now(),
		env: plugin.Environment(environ), out: &output{Writer: stdout}, err: stderr,
	}
	var ended bool
	if len(args) > 1 {
		r.in, ended = readArguments(args[1:]), true
	} else {
		plugin.TellWaiting(p.Name, "options, a line name=value each,", askTimeout, stdin, stderr)
		r.in, ended = readWithin(ctx, askTimeout, stdin)
	}
	if !ended {
		return r.fail(errors.New("the options did not end in time: close the input after them"))
	}
	defer r.close()
	code, err := r.survive(r.answer)
	if err == nil {
		err = r.untold()
	}
	if err != nil {
		code = r.fail(err)
	}
	r.tell(code)
	return code
}

// survive makes a failure of a panic.
func (r *run) survive(do func() (int, error)) (code int, err error) {
	defer func() {
		if p := recover(); p != nil {
			code, err = exitFailed, fmt.Errorf("a bug in the agent stopped it: %v; look at the instance"+
				" before you try again", p)
		}
	}()
	return do()
}

// tell counts what a call came to that asked EC2, once it is told.
func (r *run) tell(code int) {
	if r.end.IsZero() {
		return
	}
	done := metrics.Operation{
		Verb: r.action, Mode: "read", Status: string(protocol.Succeeded), Took: time.Since(r.began),
	}
	if r.action == "on" || r.action == "off" {
		done.Mode = string(protocol.Execute)
	}
	if code == exitFailed {
		done.Status = string(protocol.Failed)
	}
	r.metrics.Operation(done)
	r.metrics.Finish(r.env, r.log)
}

// readWithin reads standard input, and gives up on a caller that does not end it.
func readWithin(ctx context.Context, limit time.Duration, stdin io.Reader) (*input, bool) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	done := make(chan *input, 1)
	go func() { done <- readLines(stdin) }()
	select {
	case in := <-done:
		return in, true
	case <-ctx.Done():
		return newInput(), false
	}
}

// run is one call of the agent.
type run struct {
	*Program
	ctx context.Context
	in  *input
	env map[string]string
	out *output
	err io.Writer

	action string
	log    *slog.Logger
	// untraced is the log for the executor, which names the trace by itself.
	untraced *slog.Logger
	// metrics counts what the call does, which began at a time.
	metrics *metrics.Set
	began   time.Time
	closer  io.Closer
	// end is when the answer is due.
	end time.Time
	// region and connection are made at their first use.
	regionName string
	connection EC2
}

// answer does what the call asks for, and returns the exit code.
func (r *run) answer() (int, error) {
	r.action = actionOf(r.in.text(optAction))
	switch {
	case r.in.bool(optHelp):
		writeHelp(r.out, r.Name)
		return exitDone, nil
	case r.in.bool(optVersion):
		fmt.Fprintln(r.out, r.Name, r.Version)
		return exitDone, nil
	case r.action == "metadata", r.action == "manpage":
		writeMetadata(r.out, r.Name)
		return exitDone, nil
	}
	do, known := map[string]func() (int, error){
		"on": r.on, "off": r.off, "status": r.status, "monitor": r.monitor,
		"list":         func() (int, error) { return r.list(false) },
		"list-status":  func() (int, error) { return r.list(true) },
		"validate-all": func() (int, error) { return exitDone, nil },
	}[r.action]
	faults := r.check()
	if !known {
		faults = append(faults, r.unknownAction())
	}
	if len(r.in.misspelt) > 0 {
		faults = append(faults, "see "+r.Name+" --help")
	}
	if len(faults) > 0 {
		return exitFailed, errors.New(strings.Join(faults, "; "))
	}
	if err := r.prepare(); err != nil {
		return exitFailed, err
	}
	return do()
}

// actionOf is an action by its one name.
func actionOf(said string) string {
	said = strings.ToLower(said)
	switch said {
	case "meta-data":
		return "metadata"
	case "start":
		return "monitor"
	case "enable":
		return "on"
	case "disable":
		return "off"
	}
	return said
}

func (r *run) unknownAction() string {
	said := "action is " + protocol.Quote(r.action) + ", want one of " +
		strings.Join(knownActions, ", ")
	if r.action == "reboot" {
		said += "; groups can't reboot: fence with off, and unfence with on"
	}
	return said
}

// Time limits.
const (
	// askTimeout bounds what asks about one instance: a cluster gives a monitor 20 seconds.
	askTimeout = 15 * time.Second
	// unlimited is the limit where there is to be none.
	unlimited = time.Hour
)

// limit is the time for the answer.
func (r *run) limit() time.Duration {
	limit := time.Duration(r.in.number(optPowerTimeout)) * time.Second
	if limit == 0 || r.in.bool(optNoTimeout) {
		limit = unlimited
	}
	limit = min(limit, unlimited)
	if r.action == "status" || r.action == "monitor" {
		return min(limit, askTimeout)
	}
	return limit
}

// left is the time that is left for the answer.
func (r *run) left() time.Duration { return time.Until(r.end) }

// prepare opens the log, waits where a fence is to begin later, and starts the clock.
func (r *run) prepare() error {
	if err := r.openLog(); err != nil {
		return err
	}
	if r.env["HOME"] == "" {
		// A cluster has none, and the AWS SDK then finds no configuration files.
		if home := r.Home(); home != "" {
			if err := r.Setenv("HOME", home); err != nil {
				return err
			}
		}
	}
	if profile := r.in.text(optProfile); profile != "" {
		if err := r.Setenv("AWS_PROFILE", profile); err != nil {
			return err
		}
	}
	if dir := r.in.text(optStateDir); dir != "" {
		r.env["EXECUTOR_STATE_DIR"] = dir
	}
	if delay := r.in.number(optDelay); r.action == "off" && delay > 0 {
		if err := r.Wait(r.ctx, time.Duration(delay)*time.Second); err != nil {
			return errors.New("a signal stopped the agent before the fence began; nothing was changed")
		}
	}
	r.ctx = plugin.Trace(r.ctx, r.log, r.env[trace.Variable])
	r.log = plugin.Traced(r.ctx, r.untraced)
	r.end = time.Now().Add(r.limit())
	var stop context.CancelFunc
	r.ctx, stop = context.WithCancel(r.ctx)
	r.closer = closers{r.closer, closeFunc(stop)}
	return nil
}

// calls is a context for the agent's own calls: they end with the time for the answer.
func (r *run) calls() (context.Context, context.CancelFunc) {
	return context.WithDeadline(r.ctx, r.end)
}

// region is that of the options, of the environment, or of this machine.
func (r *run) region() (string, error) {
	for _, told := range []string{
		r.regionName, r.in.text(optRegion), r.env["AWS_REGION"], r.env["AWS_DEFAULT_REGION"],
	} {
		if told != "" {
			r.regionName = told
			return told, nil
		}
	}
	own, err := r.OwnRegion(r.ctx, r.log)
	if err != nil {
		return "", fmt.Errorf("no region is given, and the metadata service does not tell one (%w):"+
			" give it by region", err)
	}
	r.regionName = own
	return own, nil
}

// ec2 is the connection for the agent's own calls.
func (r *run) ec2() (EC2, error) {
	if r.connection != nil {
		return r.connection, nil
	}
	region, err := r.region()
	if err != nil {
		return nil, err
	}
	r.connection, err = r.Connect(r.ctx, region, r.left(), r.log)
	return r.connection, err
}

// output is standard output, and the first error of writing to it.
type output struct {
	io.Writer
	failed error
}

func (o *output) Write(p []byte) (int, error) {
	n, err := o.Writer.Write(p)
	if o.failed == nil {
		o.failed = err
	}
	return n, err
}

// untold returns why what was asked for could not be written. Of what changes or judges a node, the
// exit code is the answer, and it stays.
func (r *run) untold() error {
	asksForText := r.in.bool(optHelp) || r.in.bool(optVersion) ||
		slices.Contains([]string{"metadata", "manpage", "list", "list-status"}, r.action)
	if r.out.failed == nil || !asksForText {
		return nil
	}
	return fmt.Errorf("the answer could not be written: %w", r.out.failed)
}

// say writes a line to standard output.
func (r *run) say(said string) { fmt.Fprintln(r.out, oneLine(said)) }

// fail tells why the call failed, and returns the exit code of a failure.
func (r *run) fail(err error) int {
	if r.log != nil {
		r.log.Debug("failed", "error", err.Error())
	}
	if !r.in.bool(optQuiet) {
		fmt.Fprintln(r.err, "Failed: "+oneLine(err.Error()))
	}
	return exitFailed
}

// oneLine is a text without what would break a line or a terminal.
func oneLine(text string) string {
	return strings.Map(func(c rune) rune {
		if unicode.IsControl(c) {
			return ' '
		}
		return c
	}, text)
}
