// Package program is the body of lifecycled: the handler of lifecycle events as a command, a
// listener to a queue, and a function of AWS Lambda.
//
// It keeps compatible: the commands and their flags, the exit codes (0 handled and well, 1 not, 2
// wrong usage, 3 refused), and the JSON that it prints. It decides nothing: pkg/lifecycle does, and
// pkg/gate lets through.
package program

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/commands"
	"aws-provider-executor/pkg/ledger/table"
	"aws-provider-executor/pkg/lifecycle"
	"aws-provider-executor/pkg/lifecycle/sweep"
	"aws-provider-executor/pkg/nodes/events"
	"aws-provider-executor/pkg/printable"
)

// The exit codes.
const (
	ExitWell    = 0
	ExitNotWell = 1
	ExitUsage   = 2
	ExitRefused = 3
)

// Name is the program's.
const Name = "lifecycled"

// Function runs a function of AWS Lambda until its machine ends: it gets events, and answers.
type Function func(ctx context.Context, handle func(context.Context, []byte) ([]byte, error))

// Program is lifecycled.
type Program struct {
	Version  string
	Registry *action.Registry
	// Plugins are the file names of the executors, by their providers.
	Plugins map[string]string
	Now     func() time.Time
	// Wait returns after a time, or with the context's error if that ends first.
	Wait func(ctx context.Context, d time.Duration) error
	// Open opens a region, with the identity that the program has.
	Open func(
		ctx context.Context, region string, budget time.Duration, log *slog.Logger,
	) (lifecycle.Cloud, error)
	// OpenSwept opens a region for the sweeper.
	OpenSwept func(
		ctx context.Context, region string, budget time.Duration, log *slog.Logger,
	) (sweep.Cloud, error)
	// OpenTable opens the table that machines share. One for reading refuses to write.
	OpenTable func(
		ctx context.Context, name string, reading bool, env map[string]string, log *slog.Logger,
	) (table.Backend, error)
	// OpenQueue opens a queue by its URL.
	OpenQueue func(ctx context.Context, url string, log *slog.Logger) (events.Queue, error)
	// Lambda runs the program as a function of AWS Lambda.
	Lambda Function
}

// About is what the help and the manual tell beside the commands.
var About = commands.About{
	Groups: []commands.Group{
		{Title: "Events", Commands: []string{"handle", "watch", "sweep"}},
		{Title: "What there is", Commands: []string{"check", "members", "schema"}},
	},
	Exit: []commands.Term{
		{Name: "0", Meaning: "handled and well"},
		{Name: "1", Meaning: "abandoned, postponed or something is left"},
		{Name: "2", Meaning: "wrong usage"}, {Name: "3", Meaning: "refused"},
	},
	Environment: []commands.Term{
		{Name: "LIFECYCLED_CONFIG", Meaning: "the configuration's file, as --config"},
		{Name: "LIFECYCLED_POLICY", Meaning: "the policy's file, as --policy"},
		{Name: "LIFECYCLED_JOURNAL", Meaning: "the journal, as --journal"},
		{Name: "LIFECYCLED_QUEUE", Meaning: "the queue's URL, as --queue of lifecycled watch"},
		{Name: "LIFECYCLED_LOG", Meaning: "debug, info, warn or error: what is logged on standard " +
			"error (default info)"},
		{Name: "STATE_DIRECTORY", Meaning: "where the journal is kept, unless a flag, a variable or " +
			"the configuration says it; systemd sets it"},
		{Name: "EXECUTOR_POLICY", Meaning: "a policy that holds beside that of --policy"},
		{Name: "EXECUTOR_*", Meaning: "what else executors read, as their --help tells; state and " +
			"deadline come from the configuration and --timeout"},
		{Name: "AWS_*", Meaning: "the region, the endpoints and where credentials are, as the AWS SDK " +
			"reads them"},
		{Name: "APPLIANCE_*", Meaning: "what the executor of appliances reads, as its --help tells"},
		{Name: lambdaRuntime, Meaning: "set by AWS Lambda: without arguments lifecycled is then its " +
			"function"},
	},
	Files: []commands.Term{
		{Name: "/etc/lifecycled/lifecycle.yaml", Meaning: "the configuration that the unit " +
			"of systemd names"},
		{Name: "/var/lib/lifecycled/journal.db", Meaning: "the journal of that unit"},
	},
}

// lambdaRuntime is the variable by which the runtime of AWS Lambda tells a program that it is one
// of its functions.
const lambdaRuntime = "AWS_LAMBDA_RUNTIME_API"

// Main runs one command and returns the exit code. The first argument is the program's name.
func (p *Program) Main(
	ctx context.Context, args, environ []string, stdin io.Reader, stdout, stderr io.Writer,
) int {
	a := &app{Program: p, env: map[string]string{}, stdin: stdin, stdout: stdout,
		stderr: printable.Writer(stderr)}
	for _, e := range environ {
		name, value, _ := strings.Cut(e, "=")
		a.env[name] = value
	}
	defer func() {
		for _, end := range a.atEnd {
			end()
		}
	}()
	a.log = slog.New(slog.NewJSONHandler(a.stderr, &slog.HandlerOptions{Level: a.level()}))
	root := a.root()
	root.SetArgs(args[1:])
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(a.stderr)
	err := commands.CheckCommand(root, args[1:])
	if err == nil {
		err = root.ExecuteContext(ctx)
	}
	var code exit
	var wrong *commands.UsageError
	switch {
	case err == nil:
		return ExitWell
	case errors.As(err, &code):
		return int(code)
	case errors.As(err, &wrong):
		fmt.Fprintf(a.stderr, "%s: %s\n", Name, err)
		return ExitUsage
	}
	fmt.Fprintf(a.stderr, "%s: %s\n", Name, err)
	return ExitNotWell
}

// Commands are the program's commands, for what describes them.
func (p *Program) Commands() *cobra.Command {
	a := &app{Program: p, env: map[string]string{}, stdout: io.Discard, stderr: io.Discard}
	return a.root()
}

// exit ends the program with a code; what there is to say has been said.
type exit int

func (e exit) Error() string { return fmt.Sprintf("exit %d", int(e)) }

func usage(format string, args ...any) error { return commands.Wrong(format, args...) }

// app is one run of the program.
type app struct {
	*Program
	env            map[string]string
	stdin          io.Reader
	stdout, stderr io.Writer
	log            *slog.Logger

	configPath, policyPath, journalPath, pluginPath string
	pluginEnv                                       []string
	timeout                                         time.Duration
	// atEnd is called once the command is through, the last first.
	atEnd []func()
}

// level is how much is logged.
func (a *app) level() slog.Level {
	var l slog.Level
	if l.UnmarshalText([]byte(a.env["LIFECYCLED_LOG"])) != nil {
		return slog.LevelInfo
	}
	return l
}

func (a *app) root() *cobra.Command {
	version := false
	root := &cobra.Command{
		Use:   Name,
		Short: "gives the instances of Auto Scaling groups what they need, and takes it back",
		Long: `lifecycled handles the lifecycle events of Auto Scaling groups. What an instance gets at
its launch, and gives back at its terminate, are actions that the gate lets through: by a policy,
with a journal, each read back and undone if the launch can't be finished.

Without arguments, under AWS Lambda's runtime, it is a function of AWS Lambda.`,
		Example: `  lifecycled check
  lifecycled handle --dry-run < event.json
  lifecycled handle < event.json
  lifecycled watch --queue https://sqs.eu-west-1.amazonaws.com/111122223333/edge
  lifecycled sweep --dry-run`,
		SilenceErrors: true, SilenceUsage: true,
		Args: commands.NoArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			switch {
			case version:
				_, err := fmt.Fprintln(a.stdout, Name, a.Version)
				return err
			case a.env[lambdaRuntime] != "":
				return a.lambda(c.Context())
			}
			return c.Help()
		},
	}
	// Not cobra's own: that takes a template, and with templates the linker keeps every method of the
	// SDK.
	root.Flags().BoolVarP(&version, "version", "v", false, "version for lifecycled")
	f := root.PersistentFlags()
	f.StringVar(&a.configPath, "config", a.env["LIFECYCLED_CONFIG"],
		"the configuration's `file` (LIFECYCLED_CONFIG)")
	f.StringVar(&a.policyPath, "policy", a.env["LIFECYCLED_POLICY"],
		"the policy's `file` (LIFECYCLED_POLICY), or several, like PATH; without one nothing is done")
	f.StringVar(&a.journalPath, "journal", a.env["LIFECYCLED_JOURNAL"],
		"the journal's `file`, or postgres://USER@HOST/DATABASE (LIFECYCLED_JOURNAL; default "+
			"journal.db in the configuration's directory, or in $STATE_DIRECTORY)")
	f.StringVar(&a.pluginPath, "plugin", "",
		"the `file` of the executor of EC2 (default beside lifecycled, then PATH); that of appliances "+
			"is looked for beside it first")
	f.StringArrayVar(&a.pluginEnv, "plugin-env", nil,
		"one more `variable` of the environment that executors get; NAME or NAME=VALUE")
	f.DurationVar(&a.timeout, "timeout", 30*time.Second,
		"when an executor is killed; it answers by its own deadline, before that")
	root.AddCommand(a.handle(), a.watch(), a.members(), a.sweep(), a.check(), a.schema())
	commands.Setup(root, About)
	return root
}

// checkFlags refuses what no command can use.
func (a *app) checkFlags() error {
	switch {
	case a.configPath == "":
		return usage("there is no configuration: name its file with --config or LIFECYCLED_CONFIG")
	case a.timeout < time.Second || a.timeout > time.Hour:
		return usage("--timeout is %s, want from 1s to 1h", a.timeout)
	}
	return nil
}
