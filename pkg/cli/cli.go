// Package cli is the body of actionctl: the gate for operators and pipelines.
//
// It keeps compatible: the commands and their flags, the exit codes (0 done, 1 failed, 2 wrong
// usage, 3 refused by the gate), and the JSON of -o json. Tables are for people and may change.
//
// It decides nothing: what may be done is pkg/gate's and pkg/policy's to say.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/commands"
	"aws-provider-executor/pkg/gate"
	"aws-provider-executor/pkg/metrics"
	"aws-provider-executor/pkg/network"
	"aws-provider-executor/pkg/nodes"
	"aws-provider-executor/pkg/nodes/events"
	"aws-provider-executor/pkg/nodes/scan"
	"aws-provider-executor/pkg/nodes/sshcommand"
	"aws-provider-executor/pkg/policy"
	"aws-provider-executor/pkg/preflight/ec2checks"
	display "aws-provider-executor/pkg/printable"
)

// The exit codes.
const (
	ExitDone    = 0
	ExitFailed  = 1
	ExitUsage   = 2
	ExitRefused = 3
)

// Program is actionctl.
type Program struct {
	Version string
	// Registry has the verbs that executors carry out. Those that the program carries out itself, on
	// nodes added by hand, it adds.
	Registry *action.Registry
	// Provider is whose verbs the registry has; Plugin the file name of its executor.
	Provider, Plugin string
	// Plugins are the file names of the executors of other providers.
	Plugins map[string]string
	Now     func() time.Time
	// Look opens a region to look at, with the identity that an executor has in this environment.
	Look func(
		ctx context.Context, env []string, region string, timeout time.Duration, log *slog.Logger,
	) (ec2checks.Reader, error)
	// Network, when not nil, opens a region to look at: names of things, and what lies around them.
	Network func(ctx context.Context, region string, budget time.Duration) (network.Source, error)
	// OpenCloud, when not nil, opens the cloud that a manager of nodes looks at.
	OpenCloud func(ctx context.Context, m nodes.Manager, log *slog.Logger) (scan.Cloud, error)
	// OpenQueue, when not nil, opens a queue of a cloud's events by its URL.
	OpenQueue func(ctx context.Context, url string, log *slog.Logger) (events.Queue, error)
	// ReadSecret, when not nil, reads what a reference leads to that is no file.
	ReadSecret func(ctx context.Context, ref nodes.SecretRef, log *slog.Logger) (string, error)
}

// Main runs one command and returns the exit code. The first argument is the program's name.
func (p *Program) Main(
	ctx context.Context,
	args, environ []string,
	stdin io.Reader,
	stdout, stderr io.Writer,
) int {
	env := parseEnviron(environ)
	names := append([]string{env["ACTIONCTL_JOURNAL"]}, args...)
	stdout, stderr = withoutSecrets(stdout, names...), withoutSecrets(stderr, names...)
	out := &output{Writer: stdout}
	a := &app{
		Program: p.withNodes(),
		env:     env,
		stdin:   interruptible{ctx, stdin},
		stdout:  out,
		stderr:  display.Writer(stderr),
		tty:     stderr,
	}
	ctx = a.observe(ctx)
	defer func() { a.metrics.Finish(a.env, a.log) }()
	root := a.root()
	root.SetArgs(args[1:])
	root.SetIn(stdin)
	root.SetErr(a.stderr)
	err := commands.CheckCommand(root, args[1:])
	if err == nil {
		err = root.ExecuteContext(ctx)
	}
	for _, end := range a.atEnd {
		end()
	}
	code, tell := exitCode(err)
	if tell && (out.err == nil || !errors.Is(err, out.err)) {
		fmt.Fprintln(a.stderr, "actionctl:", err)
	}
	if out.err != nil {
		fmt.Fprintln(a.stderr, "actionctl: cannot write the output:", out.err)
		return ExitFailed
	}
	return code
}

// Commands are the program's commands, for what describes them.
func (p *Program) Commands() *cobra.Command {
	a := &app{Program: p.withNodes(), env: map[string]string{}, stdout: io.Discard,
		stderr: io.Discard}
	return a.root()
}

// withNodes is the program with the verbs for nodes that were added by hand.
func (p *Program) withNodes() *Program {
	both := *p
	both.Registry = p.Registry.With(sshcommand.Provider, sshcommand.Verbs())
	return &both
}

// app is one run of the program.
type app struct {
	*Program
	env            map[string]string
	stdin          interruptible
	stdout, stderr io.Writer
	// tty is standard error as it is, for what moves the cursor: the others escape what they write.
	tty io.Writer

	journalPath, policyPath, pluginPath, format string
	// wide has tables show all of their columns.
	wide      bool
	pluginEnv []string
	// asked reads the answers of a person, once one is asked.
	asked *answers
	// metrics counts what this run does, and log tells it to whoever reads logs.
	metrics *metrics.Set
	log     *slog.Logger
	// nodesPlace is where the store of nodes is, as a flag has it.
	nodesPlace string
	// atEnd is called once the command is through.
	atEnd []func()
	// printed counts the documents.
	printed int
	timeout time.Duration
}

func (a *app) root() *cobra.Command {
	version := false
	root := &cobra.Command{
		Use:   "actionctl",
		Short: "the gate for provider actions: policy, approval, journal",
		Long: `actionctl takes plans into a journal, has them approved, and runs them through an
executor, as a policy allows. Only execute, rollback, smoke, lab teardown, and run of a request that
says execute change the provider. An action is named by its id or its key; where that is unclear, by
id=ID or key=KEY.`,
		Example: `  actionctl import -f plans.yaml
  actionctl approve 1 2 --by ann@example.org
  actionctl execute --all-approved`,
		SilenceErrors: true, SilenceUsage: true,
		RunE: func(c *cobra.Command, _ []string) error {
			if version {
				_, err := fmt.Fprintln(a.stdout, "actionctl", a.Version)
				return err
			}
			return c.Help()
		},
	}
	// Not cobra's own: that takes a template, and with templates the linker keeps every method of
	// the SDK, 33 MB of them.
	root.Flags().BoolVarP(&version, "version", "v", false, "version for actionctl")
	flags := root.PersistentFlags()
	flags.Var(
		&once{to: &a.journalPath},
		"journal",
		"the journal's `file`, or postgres://USER@HOST/DATABASE (ACTIONCTL_JOURNAL; default "+
			"journal.db in $STATE_DIRECTORY, else actionctl/journal.db in $XDG_STATE_HOME or "+
			"~/.local/state)",
	)
	flags.Var(
		&once{to: &a.policyPath},
		"policy",
		"the policy's `file` (ACTIONCTL_POLICY); without one nothing is executed",
	)
	flags.StringVar(
		&a.pluginPath,
		"plugin",
		"",
		"the executor's `file` (default beside actionctl, then PATH); those of other providers are "+
			"looked for beside it first",
	)
	flags.StringArrayVar(
		&a.pluginEnv,
		"plugin-env",
		nil,
		"one more `variable` of the environment that the executor gets; NAME or NAME=VALUE",
	)
	flags.DurationVar(
		&a.timeout,
		"timeout",
		30*time.Second,
		"when an executor is killed; it answers by its own deadline, before that",
	)
	flags.StringVarP(
		&a.format,
		"output",
		"o",
		"table",
		"`form` of the output: table, wide (a table with all columns), json or yaml; what has no "+
			"table is JSON",
	)
	_ = root.RegisterFlagCompletionFunc(
		"output",
		cobra.FixedCompletions(
			[]string{"table", "wide", "json", "yaml"}, cobra.ShellCompDirectiveNoFileComp,
		),
	)
	root.PersistentPreRunE = func(c *cobra.Command, _ []string) error {
		if err := missingFlags(c); err != nil {
			return err
		}
		return a.checkFlags(c.CommandPath() == "actionctl report")
	}
	root.AddCommand(
		a.run(),
		a.undo(),
		a.plan(),
		a.importPlans(),
		a.list(),
		a.status(),
		a.show(),
		a.approve(),
		a.reject(),
		a.execute(),
		a.rollback(),
		a.smoke(),
		a.lab(),
		a.evidence(),
		a.reportOn(),
		a.journal(),
		a.policy(),
		a.actions(),
		a.schema(),
		a.iamPolicy(),
		a.metricsCommand(),
		a.preflight(),
		a.doctor(),
		a.nodes(),
		a.version(),
	)
	for _, c := range root.Commands() {
		if c.ValidArgsFunction == nil && !c.HasSubCommands() {
			// No command takes a file but by a flag.
			c.ValidArgsFunction = cobra.NoFileCompletions
		}
	}
	// The commands that cobra adds keep the output that they find.
	root.SetOut(a.stdout)
	commands.Setup(root, About)
	return root
}

// missingFlags names the flags that a command needs and was not given, with what each is for.
func missingFlags(c *cobra.Command) error {
	var missing []string
	c.Flags().VisitAll(func(f *pflag.Flag) {
		required := f.Annotations[cobra.BashCompOneRequiredFlag]
		if len(required) == 0 || required[0] != "true" || f.Changed {
			return
		}
		_, usage := pflag.UnquoteUsage(f)
		missing = append(missing, "--"+f.Name+" ("+usage+")")
	})
	if len(missing) == 0 {
		return nil
	}
	verb := " is"
	if len(missing) > 1 {
		verb = " are"
	}
	return usage("%s%s required; see %s --help", strings.Join(missing, ", "), verb, c.CommandPath())
}

// checkFlags checks the flags that all commands have. A page is a form that a report has.
func (a *app) checkFlags(mayBePage bool) error {
	switch {
	case slices.Contains([]string{"table", "json", "yaml"}, a.format):
	case a.format == formHTML && mayBePage:
	case mayBePage:
		return usage("-o is %q, want table, json, yaml or html", a.format)
	case a.format == "wide":
		a.format, a.wide = "table", true
	default:
		return usage("-o is %q, want table, wide, json or yaml", a.format)
	}
	if a.timeout < 500*time.Millisecond || a.timeout > time.Hour {
		return usage("--timeout is %s, want from 500ms to 1h", a.timeout)
	}
	return nil
}

func usage(format string, args ...any) error { return commands.Wrong(format, args...) }

// exit ends the program with a code; what there is to say has been said.
type exit int

func (e exit) Error() string { return fmt.Sprintf("exit %d", int(e)) }

func exitCode(err error) (code int, tell bool) {
	var silent exit
	var wrong *commands.UsageError
	switch {
	case err == nil:
		return ExitDone, false
	case errors.As(err, &silent):
		return int(silent), false
	case errors.As(err, &wrong), isCobraUsage(err):
		return ExitUsage, true
	case gate.IsRefusal(err), errors.Is(err, gate.ErrReadOnly), policy.IsRefused(err):
		return ExitRefused, true
	}
	return ExitFailed, true
}

// isCobraUsage tells the errors that cobra itself makes of arguments, which have no type.
func isCobraUsage(err error) bool {
	for _, begin := range []string{"if any flags in the " +
		"group", "at least one of the flags"} {
		if strings.HasPrefix(err.Error(), begin) {
			return true
		}
	}
	return false
}

// once is the text of a flag that may be given once: of two that differ, one would be ignored. A
// completion reads its flags twice.
type once struct {
	to    *string
	given bool
}

func (o *once) String() string { return "" }
func (o *once) Type() string   { return "string" }

func (o *once) Set(text string) error {
	if o.given && text != *o.to {
		return errors.New("it is given twice")
	}
	*o.to, o.given = text, true
	return nil
}

// interruptible is an input that is waited for only until the context ends.
type interruptible struct {
	ctx context.Context
	io.Reader
}

func (i interruptible) Read(p []byte) (int, error) {
	type reading struct {
		n   int
		err error
	}
	buf, done := make([]byte, len(p)), make(chan reading, 1)
	go func() {
		n, err := i.Reader.Read(buf)
		done <- reading{n, err}
	}()
	select {
	case r := <-done:
		return copy(p, buf[:r.n]), r.err
	case <-i.ctx.Done():
		return 0, context.Cause(i.ctx)
	}
}

// lazyFile is opened by the first read: where it is a pipe, that waits for somebody at its other
// end.
type lazyFile struct {
	path string
	file *os.File
}

func (l *lazyFile) Read(p []byte) (n int, err error) {
	if l.file == nil {
		if l.file, err = os.Open(l.path); err != nil {
			return 0, err
		}
	}
	if n, err = l.file.Read(p); err != nil {
		_ = l.file.Close()
	}
	return n, err
}

// read reads a file, or standard input as "-".
func (a *app) read(path string) ([]byte, error) {
	in := a.stdin
	switch {
	case path != "-":
		in.Reader = &lazyFile{path: path}
	case isTerminal(in.Reader):
		fmt.Fprintln(a.stderr, "actionctl: waiting for standard input; Ctrl-D on a new line ends it")
	}
	data, err := io.ReadAll(io.LimitReader(in, maxFileBytes))
	if err == nil && len(data) == maxFileBytes {
		return nil, fmt.Errorf("%s is too large: %d bytes are read at most", path, maxFileBytes)
	}
	return data, err
}

const maxFileBytes = 256 << 20
